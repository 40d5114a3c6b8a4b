"""Spans of an instrumented program, without a word of what was said: only what is on a list gets into them.

Pydantic AI leaves out prompts and answers when it is told to. The rest of an answer (the name of a tool that the model
made up) it does not, and whether an error's words get into a span depends on the tracer.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Final, cast

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer, use_span
from opentelemetry.util.types import Attributes, AttributeValue
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

__all__ = ['quiet', 'wanted']

_KEPT: Final = frozenset(
    (
        'agent_name',
        'error.type',
        'exception.escaped',
        'exception.type',
        'gen_ai.agent.call.id',
        'gen_ai.agent.name',
        'gen_ai.conversation.id',
        'gen_ai.operation.name',
        'gen_ai.provider.name',
        'gen_ai.request.model',
        'gen_ai.response.finish_reasons',
        'gen_ai.response.id',
        'gen_ai.response.model',
        'gen_ai.system',
        'model_name',
        'operation.cost',
        'server.address',
        'server.port',
    )
)
_KEPT_NUMBERS: Final = (
    'gen_ai.aggregated_usage.',
    'gen_ai.client.operation.',
    'gen_ai.request.',
    'gen_ai.usage.',
    'pydantic_ai.',
)
"""What begins with one of these is kept when it is a number or a yes or no."""
_KEPT_NAMES: Final = ('agent run', 'chat ', 'invoke_agent ', 'model request attempt ')
_MOST_CHARS: Final = 200


def wanted(*, content: bool) -> InstrumentationSettings | bool:
    """What `Agent.instrument_all` asked for, with or without what was said."""
    # There is no public way to read it. Should it move, nothing is traced.
    default: object = getattr(Agent, '_instrument_default', False)
    if not default:
        return False
    settings = default if isinstance(default, InstrumentationSettings) else InstrumentationSettings()
    return settings if content else quiet(settings)


def quiet(settings: InstrumentationSettings) -> InstrumentationSettings:
    """The same, without what was said."""
    told = copy(settings)
    told.include_content = told.include_binary_content = told.include_model_request_parameters = False
    if not isinstance(told.tracer, _Tracer):
        told.tracer = _Tracer(told.tracer)
    return told


class _Tracer(Tracer):
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        return _Span(
            self._tracer.start_span(
                _name(name),
                context=context,
                kind=kind,
                attributes=_kept(attributes),
                links=links,
                start_time=start_time,
                record_exception=False,
                set_status_on_exception=False,
            )
        )

    @contextmanager
    def start_as_current_span(  # pyright: ignore[reportIncompatibleMethodOverride]  # its own type is private
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Generator[Span]:
        span = self.start_span(name, context, kind, attributes, links, start_time)
        # Left to `use_span`, an error would be described in its own words.
        with use_span(span, end_on_exit=end_on_exit, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except Exception as error:
                if record_exception:
                    span.record_exception(error)
                if set_status_on_exception:
                    span.set_status(StatusCode.ERROR)
                raise


class _Span(Span):
    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        return getattr(self._span, 'attributes', None) or {}

    def end(self, end_time: int | None = None) -> None:
        self._span.end(end_time)

    def get_span_context(self) -> SpanContext:
        return self._span.get_span_context()

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        self._span.set_attributes(_kept(attributes))

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        kept = _kept(attributes)
        kind = kept.get('exception.type')
        if kind is not None:
            self._span.set_attribute('error.type', kind)
        if name == 'exception' or name.startswith('pydantic_ai.'):
            self._span.add_event(name, kept, timestamp)

    def update_name(self, name: str) -> None:
        self._span.update_name(_name(name))

    def is_recording(self) -> bool:
        return self._span.is_recording()

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._span.set_status(Status(status.status_code if isinstance(status, Status) else status))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        self.add_event('exception', {'exception.type': type(exception).__name__}, timestamp)


def _name(name: str) -> str:
    return name if name.startswith(_KEPT_NAMES) else name.partition(' ')[0]


def _kept(attributes: Attributes) -> dict[str, AttributeValue]:
    return {key: value for key, value in (attributes or {}).items() if _is_kept(key, value)}


def _is_kept(key: str, value: object) -> bool:
    if isinstance(value, bool | int | float):
        return key in _KEPT or key.startswith(_KEPT_NUMBERS)
    words: Sequence[object] = [value] if isinstance(value, str) else cast('Sequence[object]', value)
    return key in _KEPT and all(isinstance(w, str) and len(w) <= _MOST_CHARS for w in words)
