"""OpenTelemetry spans and metrics of memory operations, for programs that have set up OpenTelemetry.

Names and attributes are those of the GenAI semantic conventions for memory (`gen_ai.memory.client` and
`gen_ai.client.operation.duration`, status: development); what they have no word for begins with `memoranda.`.

Nothing here is what loads OpenTelemetry: who wants spans has imported it to set up a provider, and until then a call
costs two look-ups in `sys.modules`. What was said gets into a span only with `trace_include_content`; an error's own
words are part of what was said, for they may quote it. A provider that fails never fails an operation.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache, wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeAlias, TypeVar, cast

from memoranda._otel import TRACE, instruments, tracer, unusable
from memoranda.records import AddResult, ContextBlock, Edit, Hit, Job, MemoryRecord, now
from memoranda.stores.data import ErasureResult

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Self

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

    from memoranda.engine import Engine

__all__ = [
    'JobSpan',
    'Operation',
    'count_degraded',
    'count_job',
    'current_traceparent',
    'job_span',
    'record_wait',
    'span_link',
    'traced',
]

P = ParamSpec('P')
T = TypeVar('T')

Operation: TypeAlias = Literal['search_memory', 'upsert_memory', 'create_memory', 'update_memory', 'delete_memory']
"""The conventions' names of operations.

- `search_memory`: `search` and `context`
- `upsert_memory`: `add` and `apply`, which may add, update or retract; and the work on a job of the background
- `create_memory`: `add(infer=False)`, the fact is given
- `update_memory`: `update`
- `delete_memory`: `delete`, and without a record id `delete_all` and `forget`
"""

_ID: Final = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_TRACEPARENT: Final = re.compile(r'00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})')
Attributes: TypeAlias = Mapping[str, str | bool | int | float]


def traced(
    operation: Operation,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make a method of `AsyncMemory` one span and one measurement.

    Args:
        operation: What it does. Its first argument is the query of a search, and the id of an update or a deletion.
    """

    def decorate(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(method)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if tracer() is None and instruments() is None:
                return await method(*args, **kwargs)
            with _of_call(operation, args, kwargs) as under_way:
                result = await method(*args, **kwargs)
                under_way.returned(result)
                return result

        return call

    return decorate


def job_span(engine: Engine, job: Job, *, merged: int = 0) -> JobSpan:
    """The span of the work on a job that was queued, linked to the span of the call that queued it.

    It is a child of the span that is current where the job is done: a worker has none when it was started in a context
    of its own (`contextvars.Context().run`), and whoever calls `process_one_job` may have one. How long the job has
    waited is measured.

    Args:
        engine: Whose.
        job: As it was claimed; `payload['trace']` is what `current_traceparent` gave when it was queued.
        merged: How many further jobs are done together with it.
    """
    operation: Operation = 'upsert_memory' if job.payload.get('infer', True) else 'create_memory'
    link = span_link(job.payload.get('trace'))
    span = JobSpan(operation, engine, background=True, links=[] if link is None else [link])
    span.tell({'memoranda.project': job.project, 'memoranda.job.id': job.id, 'memoranda.job.attempts': job.attempts})
    if merged:
        span.tell({'memoranda.job.merged': merged})
    record_wait((now() - job.run_after).total_seconds())
    return span


def current_traceparent() -> str | None:
    """The current span in the form of W3C Trace Context, for a job to be linked to it; None without one."""
    if TRACE not in sys.modules:
        return None
    from opentelemetry import trace

    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return f'00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}'


def span_link(traceparent: object) -> Link | None:
    """A link to the span that `current_traceparent` told of; None for anything else, and without OpenTelemetry."""
    if TRACE not in sys.modules or not isinstance(traceparent, str):
        return None
    parts = _TRACEPARENT.fullmatch(traceparent)
    if parts is None:
        return None
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    trace_id, span_id, flags = (int(part, 16) for part in parts.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return Link(context) if context.is_valid else None


def count_job(status: str, *, merged: int = 0, error: BaseException | None = None) -> None:
    """Count what became of a job: `done`, `retrying`, `dead`. The span of whoever ran it tells it too.

    Args:
        status: What.
        merged: How many further jobs were done together with it.
        error: Why.
    """
    if (call := _under_way.get()) is not None:
        call.ended(status)
    if (found := instruments()) is not None:
        _quietly(found.jobs.add, 1 + merged, {'memoranda.status': status, **_error_type(error)})


def count_degraded(operation: Operation, cause: BaseException | str) -> None:
    """Count a call that went on without the storage, the embedder or the model, and mark its span as failed.

    Args:
        operation: Which.
        cause: What failed, or its type's name.
    """
    if (call := _under_way.get()) is not None:
        call.failed(cause)
        call.tell({'memoranda.degraded': True})
    if (found := instruments()) is not None:
        _quietly(found.degraded.add, 1, {'gen_ai.operation.name': operation, **_error_type(cause)})


def record_wait(seconds: float) -> None:
    """Measure how long a job waited from when it was due to when it was begun."""
    if (found := instruments()) is not None:
        _quietly(found.wait.record, max(seconds, 0.0))


class _Call:
    """One operation under way: its span, and its measurement."""

    def __init__(self, operation: Operation, engine: Engine, *, background: bool, links: Sequence[Link] = ()) -> None:
        self._operation, self._engine, self._links = operation, engine, links
        self._content: bool = engine.settings.trace_include_content
        self._told: dict[str, str | bool | int | float] = {}
        self._measured: dict[str, str | bool] = {'gen_ai.operation.name': operation}
        if operation in ('upsert_memory', 'create_memory'):
            self._told['memoranda.background'] = self._measured['memoranda.background'] = background
        self._error: BaseException | str | None = None
        self._began = perf_counter()
        self._span: Span | None = None
        self._attached: Token[Context] | None = None
        self._outer: Token[_Call | None] | None = None

    def __enter__(self) -> Self:
        self._outer = _under_way.set(self)
        _quietly(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.failed(error)
        if self._outer is not None:
            _quietly(_under_way.reset, self._outer)
        if self._attached is not None:
            from opentelemetry import context

            _quietly(context.detach, self._attached)
        if self._span is not None:
            _quietly(self._end, self._span)
            self._span = None
        _quietly(self._measure)

    def _start(self) -> None:
        found = tracer()
        if found is None:
            return
        from opentelemetry import context, trace

        first = {'gen_ai.operation.name': self._operation, 'gen_ai.memory.store.id': _store_id(self._engine)}
        span = found.start_span(self._operation, attributes=first, links=self._links)
        if span.is_recording():
            self._span = span
        if span.get_span_context().is_valid:  # one that isn't sampled, too: its children shall not be either
            self._attached = context.attach(trace.set_span_in_context(span))

    def _end(self, span: Span) -> None:
        from opentelemetry.trace import StatusCode

        span.set_attributes({**self._told, **_error_type(self._error)})
        error = self._error
        if error is not None:
            words = self._quiet(str(error)) if self._content else None
            if self._content and isinstance(error, Exception):
                span.record_exception(error, attributes=self._in_words(error))
            span.set_status(StatusCode.ERROR, words)
        span.end()

    def _measure(self) -> None:
        if (found := instruments()) is not None:
            found.duration.record(perf_counter() - self._began, {**self._measured, **_error_type(self._error)})

    def tell(self, attributes: Attributes) -> None:
        """Add to the span."""
        self._told.update(attributes)

    def asked(self, subject: object) -> None:
        """Note what the call is about: the query, or the id of a memory."""
        if self._operation == 'search_memory':
            if self._content and isinstance(subject, str):
                self._told['gen_ai.memory.query.text'] = self._quiet(subject)
        # An agent may pass anything as an id, and only an id may be told.
        elif isinstance(subject, str) and _ID.fullmatch(subject):
            self._told['gen_ai.memory.record.id'] = subject

    def returned(self, result: object) -> None:
        """Note what came of it."""
        if isinstance(result, AddResult):
            self.ended(result.status)
        if self._span is not None:
            _quietly(self._describe, result)

    def _describe(self, result: object) -> None:
        if isinstance(result, AddResult):
            self._told['memoranda.episode.count'] = len(result.episode_ids)
            if result.job_id is not None:
                self._told['memoranda.job.id'] = result.job_id
            if result.status == 'done':
                self._records([e.after for e in result.changes])
        elif isinstance(result, ContextBlock):
            self._records([*result.standing, *result.relevant])
        elif isinstance(result, list):
            self._records(cast('list[Hit]', result))
        elif isinstance(result, MemoryRecord):
            self._records([result])
        elif isinstance(result, ErasureResult):
            self._told['gen_ai.memory.record.count'] = result.memories
        elif isinstance(counts := getattr(result, 'counts', None), Mapping) and self._operation == 'delete_memory':
            self._told['gen_ai.memory.record.count'] = cast('Mapping[str, int]', counts).get('memories', 0)
        elif isinstance(result, int) and self._operation == 'delete_memory':
            self._told['gen_ai.memory.record.count'] = result

    def _records(self, records: Sequence[MemoryRecord | Hit]) -> None:
        self._told['gen_ai.memory.record.count'] = len(records)
        if self._content:
            self._told['gen_ai.memory.records'] = _as_json(records, self._quiet)

    def _quiet(self, words: str) -> str:
        """Content as a span may hold it: without anything that the policy doesn't allow."""
        from memoranda.write.detect import quiet

        return quiet(words, self._engine.policy)

    def _in_words(self, error: Exception) -> dict[str, str]:
        from traceback import format_exception

        trace = ''.join(format_exception(error))
        return {'exception.message': self._quiet(str(error)), 'exception.stacktrace': self._quiet(trace)}

    def ended(self, status: str) -> None:
        """Note how far the messages are on their way to memories."""
        self._told['memoranda.status'] = self._measured['memoranda.status'] = status

    def failed(self, error: BaseException | str) -> None:
        """Note why it fails."""
        self._error = error
        cause = error.__cause__ if isinstance(error, BaseException) else None
        if cause is not None:
            self._told['memoranda.cause'] = type(cause).__name__


class JobSpan(_Call):
    """The work on one job. An exception that leaves the block fails it; `count_job` tells its status."""

    def changed(self, edits: Sequence[Edit]) -> None:
        """Note what it changed."""
        if self._span is not None:
            _quietly(self._records, [e.after for e in edits])


_under_way: ContextVar[_Call | None] = ContextVar('memoranda_call', default=None)


def _of_call(operation: Operation, args: tuple[Any, ...], given: Mapping[str, Any]) -> _Call:
    memory, *rest = args
    adds = operation == 'upsert_memory'
    if adds and given.get('infer', True) is False:
        operation = 'create_memory'
    call = _Call(operation, memory._engine, background=given.get('background', False) is True)
    call.tell({'memoranda.project': memory.project})
    if not adds:
        call.asked(rest[0] if rest else given.get('query', given.get('memory_id')))
    return call


def _error_type(error: BaseException | str | None) -> dict[str, str]:
    if error is None:
        return {}
    return {'error.type': error if isinstance(error, str) else type(error).__name__}


def _as_json(records: Sequence[MemoryRecord | Hit], quiet: Callable[[str], str]) -> str:
    """In the conventions' form: a list of objects with `id`, `content` and, of a search, `score`."""
    import json

    return json.dumps(
        [{'id': r.id, 'content': quiet(r.text), **({'score': r.score} if isinstance(r, Hit) else {})} for r in records],
        ensure_ascii=False,
    )


def _store_id(engine: Engine) -> str:
    location = engine.location
    return _digest(location if location != ':memory:' else f'{location}{id(engine)}')


@lru_cache(maxsize=256)
def _digest(location: str) -> str:
    """The same in every process that uses this database, and not a word of where it is."""
    from hashlib import blake2b

    return blake2b(location.encode('utf-8', 'surrogateescape'), digest_size=8).hexdigest()


def _quietly(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call what belongs to a provider: should it fail, nothing else does."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        unusable(error)
