"""Server spans by OpenTelemetry, and the metrics at `/metrics`.

A span knows the route's template, never the path: ids of users stand in paths, and words in queries. The metrics of
requests are FastAPI's own (`http.server.request.duration`, by route and status); those of the engine come from
`memoranda._telemetry`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from memoranda._otel import unusable
from memoranda.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ['Spans', 'prometheus']

log = logging.getLogger('memoranda.server.access')

_QUIET: Final = ('/health', '/ready', '/metrics')
"""Asked every few seconds by machines."""


class Spans:
    """One span for each request, and one line in the log at the level INFO, when somebody wants them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, within its span."""
        if scope['type'] != 'http' or scope['path'] in _QUIET:
            await self.app(scope, receive, send)
            return
        span, done = _begun(scope)
        began, status = time.perf_counter(), 0

        async def seen(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
            await send(message)

        try:
            if span is None:
                await self.app(scope, receive, seen)
            else:
                with span:
                    await self.app(scope, receive, seen)
        finally:
            done(status)
            if log.isEnabledFor(logging.INFO):
                caller = scope.get('state', {}).get('caller')
                who = f'key:{caller.name}' if caller is not None else '-'
                took = 1000 * (time.perf_counter() - began)
                log.info('%s %s %d %.1f ms %s', _method(scope), _template(scope) or '-', status, took, who)


def _begun(scope: Scope) -> tuple[Any, Callable[[int], None]]:
    """What makes the request's span the current one (None without a provider), and what is called when it ends."""
    try:
        from opentelemetry import propagate, trace
        from opentelemetry.trace import SpanKind, StatusCode

        provider = trace.get_tracer_provider()
        if type(provider).__module__.startswith('opentelemetry.trace'):  # the stand-in, which records nothing
            return None, _nothing
        from memoranda import __version__

        told = {n.decode('latin-1'): v.decode('latin-1') for n, v in scope['headers'] if n in _CARRIED}
        method = _method(scope)
        span = provider.get_tracer('memoranda.server', __version__).start_span(
            method,
            context=propagate.extract(told),
            kind=SpanKind.SERVER,
            attributes={'http.request.method': method, 'url.scheme': scope.get('scheme', 'http')},
        )
    except Exception as error:
        unusable(error)
        return None, _nothing

    def done(status: int) -> None:
        try:
            route = _template(scope)
            if route is not None:
                span.update_name(f'{method} {route}')
                span.set_attribute('http.route', route)
            span.set_attribute('http.response.status_code', status)
            if status >= 500 or status == 0:
                span.set_attribute('error.type', str(status))
                span.set_status(StatusCode.ERROR)
            span.end()
        except Exception as error:
            unusable(error)

    return trace.use_span(span, record_exception=False, set_status_on_exception=False), done


_CARRIED: Final = (b'traceparent', b'tracestate', b'baggage')
_METHODS: Final = frozenset({'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'})


def _nothing(_: int) -> None:
    return None


def _method(scope: Scope) -> str:
    return scope['method'] if scope['method'] in _METHODS else '_OTHER'


def _template(scope: Scope) -> str | None:
    """The path of the route as it is declared; None: there is none."""
    route = scope.get('route')
    path = getattr(route, 'path_format', None) or getattr(route, 'path', None)
    return str(path) if path is not None else None


def prometheus() -> Callable[[], tuple[bytes, str]] | None:
    """Let the metrics of this process be read by Prometheus: what makes a page of them, and its type.

    None when this program has a meter provider of its own, which sends them elsewhere.

    Raises:
        ConfigurationError: The packages for it aren't installed.
    """
    try:
        from opentelemetry import metrics
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import MeterProvider
        from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
    except ImportError as error:
        raise ConfigurationError(
            f"/metrics needs a package that is not installed ({error.name}): pip install 'memoranda[server]', or set "
            'server_metrics=off'
        ) from error
    if not type(metrics.get_meter_provider()).__module__.startswith('opentelemetry.metrics'):
        return None
    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()], shutdown_on_exit=False))
    return lambda: (generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
