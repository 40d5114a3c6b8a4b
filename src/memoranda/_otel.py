"""The program's OpenTelemetry, where it has one: a tracer, and the instruments that measure.

Nothing here is what loads OpenTelemetry: who wants spans or metrics has imported it to set up a provider. Until then an
operation costs two look-ups in `sys.modules`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memoranda._caches import cached_bytes

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
    from opentelemetry.trace import Tracer

__all__ = ['TRACE', 'Instruments', 'instruments', 'tracer', 'unusable']

log = logging.getLogger('memoranda')

TRACE: Final = 'opentelemetry.trace'
_METRICS: Final = 'opentelemetry.metrics'
_NAME: Final = 'memoranda'
_DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds, as the conventions advise for `gen_ai.client.operation.duration`."""
_WAIT_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
"""Seconds."""


class Instruments(NamedTuple):
    """What is measured."""

    duration: Histogram
    jobs: Counter
    degraded: Counter
    wait: Histogram


_tracers: tuple[object, Tracer | None] | None = None
_meters: tuple[object, Instruments | None] | None = None


def tracer() -> Tracer | None:
    """Of the provider that is the global one now; None where there is none."""
    global _tracers
    if TRACE not in sys.modules:
        return None
    try:
        from opentelemetry import trace  # waits, if another thread is loading it just now

        provider = trace.get_tracer_provider()
        known = _tracers
        if known is None or known[0] is not provider:
            from memoranda import __version__

            stands_in = _stands_in(provider, TRACE)
            known = _tracers = (provider, None if stands_in else provider.get_tracer(_NAME, __version__))
    except Exception as error:
        unusable(error)
        return None
    return known[1]


def instruments() -> Instruments | None:
    """Of the provider that is the global one now; None where there is none."""
    global _meters
    if _METRICS not in sys.modules:
        return None
    try:
        from opentelemetry import metrics

        provider = metrics.get_meter_provider()
        known = _meters
        if known is None or known[0] is not provider:
            known = _meters = (provider, None if _stands_in(provider, _METRICS) else _made(provider))
    except Exception as error:
        unusable(error)
        return None
    return known[1]


def unusable(error: Exception) -> None:
    """Note that a provider failed."""
    log.debug('telemetry failed (%s)', type(error).__name__)


def _stands_in(provider: object, module: str) -> bool:
    """Whether it is the API's own, which records nothing: the place of one that may be set up later."""
    return type(provider).__module__.startswith(module)


def _made(provider: Any) -> Instruments:
    from memoranda import __version__

    meter = provider.get_meter(_NAME, __version__)

    def histogram(name: str, description: str, buckets: Sequence[float]) -> Histogram:
        try:
            return meter.create_histogram(
                name, 's', description, explicit_bucket_boundaries_advisory=[float(b) for b in buckets]
            )
        except TypeError:  # an older API takes no advice
            return meter.create_histogram(name, 's', description)

    meter.create_observable_gauge(
        'memoranda.cache.usage',
        [_cached],
        'By',
        'Memory that cached vectors hold, of at most `cache_mb` of each database.',
    )
    return Instruments(
        duration=histogram('gen_ai.client.operation.duration', 'GenAI operation duration.', _DURATION_BUCKETS),
        jobs=meter.create_counter('memoranda.jobs', '{job}', 'Tries of jobs, by what became of them.'),
        degraded=meter.create_counter('memoranda.degraded', '{call}', 'Calls that went on without what failed.'),
        wait=histogram('memoranda.job.wait', 'From when a job was due to when it was begun.', _WAIT_BUCKETS),
    )


def _cached(_: CallbackOptions) -> Iterable[Observation]:
    from opentelemetry.metrics import Observation

    return [Observation(cached_bytes())]
