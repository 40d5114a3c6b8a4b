"""Spans, metrics and logs: what they tell of an operation, and that they tell nothing of what was said."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from _fakes import Grammar, fast, fast_async, subprocess_environment
from memoranda import AsyncMemory, InvalidInput, Memory, MemoryNotFound, ProcessingFailed
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest

pytest.importorskip('opentelemetry.sdk')

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

SAID = 'My neighbour Zebulon grows oolong'
ASKED = 'who grows oolong?'
WORDS = ('zebulon', 'oolong', 'neighbour', 'grows')


class Spans:
    """A tracer provider, and what was exported from it."""

    def __init__(self, **options: Any) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer('program')

    @property
    def finished(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [s for s in self.finished if s.name == name]

    def only(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def told(self) -> str:
        return ' '.join(s.to_json() for s in self.finished).lower()


class Metrics:
    """A meter provider, and what was measured with it."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
        return [point for metric in found for point in metric.data.data_points]

    def measured(self, name: str) -> list[dict[str, Any]]:
        return sorted((dict(p.attributes) for p in self.points(name)), key=lambda found: (len(found), repr(found)))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The program's own tracer provider, for this test."""
    spans = Spans()
    monkeypatch.setattr(trace, 'get_tracer_provider', lambda: spans.provider)
    return spans


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    """The program's own meter provider, for this test."""
    measures = Metrics()
    monkeypatch.setattr(metrics, 'get_meter_provider', lambda: measures.provider)
    yield measures
    measures.provider.shutdown()


class Failing:
    """An extractor that quotes the message it can't read."""

    name = 'failing'

    def propose(self, request: ExtractionRequest) -> Extraction:
        try:
            raise KeyError(request.messages[0].text)
        except KeyError as cause:
            raise ValueError(f'can not read {request.messages[0].text!r}') from cause


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def span_id(span: ReadableSpan) -> int:
    assert span.context
    return span.context.span_id


def trace_id(span: ReadableSpan) -> int:
    assert span.context
    return span.context.trace_id


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


# Names and attributes.


def test_every_operation_is_one_span_named_by_the_conventions(spans: Spans) -> None:
    with fast() as memory:
        kept = memory.add('home.city = Lisbon', user_id='ana').memories[0]
        memory.add('Likes tea', user_id='ana', infer=False)
        memory.search('tea', user_id='ana')
        memory.context('tea', user_id='ana')
        memory.update(kept.id, text='Lives in Porto', user_id='ana')
        memory.delete(kept.id, user_id='ana')
        memory.delete_all(user_id='ana')
    assert [s.name for s in spans.finished] == [
        'upsert_memory',
        'create_memory',
        'search_memory',
        'search_memory',
        'update_memory',
        'delete_memory',
        'delete_memory',
    ]
    assert {s.kind for s in spans.finished} == {SpanKind.INTERNAL}
    assert all(attributes(s)['gen_ai.operation.name'] == s.name for s in spans.finished)
    assert {s.instrumentation_scope.name for s in spans.finished if s.instrumentation_scope} == {'memoranda'}
    assert {s.status.status_code for s in spans.finished} == {StatusCode.UNSET}


def test_an_add_tells_how_far_it_came_and_how_much_it_changed(spans: Spans) -> None:
    with fast() as memory:
        memory.add('home.city = Lisbon', user_id='ana')
        result = memory.add(['home.city = Porto', 'Likes tea'], user_id='ana')
    told = attributes(spans.finished[1])
    assert told.pop('gen_ai.memory.store.id')
    assert told == {
        'gen_ai.operation.name': 'upsert_memory',
        'gen_ai.memory.record.count': len(result.changes),
        'memoranda.background': False,
        'memoranda.episode.count': 2,
        'memoranda.job.id': result.job_id,
        'memoranda.project': 'default',
        'memoranda.status': 'done',
    }


def test_applying_a_preview_is_an_upsert_and_a_preview_is_none(spans: Spans) -> None:
    with fast() as memory:
        preview = memory.preview('Likes tea', user_id='ana')
        assert spans.finished == []
        memory.apply(preview)
    assert attributes(spans.only('upsert_memory'))['gen_ai.memory.record.count'] == 1


def test_a_search_counts_its_hits_and_a_context_its_records(spans: Spans) -> None:
    with fast() as memory:
        for fact in ('Likes green tea', 'Likes black tea', 'Likes tea with milk'):
            memory.add(fact, user_id='ana', infer=False)
        hits = memory.search('tea', user_id='ana', top_k=2)
        block = memory.context('tea', user_id='ana')
    counts = [attributes(s)['gen_ai.memory.record.count'] for s in spans.named('search_memory')]
    assert counts == [len(hits), len(block.standing) + len(block.relevant)] == [2, counts[1]]
    assert counts[1] >= 3


def test_an_update_and_a_deletion_name_the_memory(spans: Spans) -> None:
    with fast() as memory:
        kept = memory.add('Likes tea', user_id='ana').memories[0]
        memory.update(memory_id=kept.id, pinned=True, user_id='ana')
        memory.delete(kept.id, user_id='ana')
        memory.add('Likes coffee', user_id='ana')
        erased = memory.delete_all(user_id='ana')
    update, one, every = (attributes(s) for s in spans.finished if s.name.startswith(('update', 'delete')))
    for told in (update, one):
        assert (told['gen_ai.memory.record.id'], told['gen_ai.memory.record.count']) == (kept.id, 1)
    assert 'gen_ai.memory.record.id' not in every
    assert every['gen_ai.memory.record.count'] == erased.memories


def test_what_is_passed_as_an_id_and_is_none_is_not_told(spans: Spans) -> None:
    with fast() as memory, pytest.raises(MemoryNotFound):
        memory.delete(SAID, user_id='ana')
    assert 'gen_ai.memory.record.id' not in attributes(spans.only('delete_memory'))


def test_the_store_has_one_id_in_every_process_that_says_nothing_of_the_path(spans: Spans, tmp_path: Path) -> None:
    for name in ('secret-plans.db', 'secret-plans.db', 'other.db'):
        with fast(tmp_path / name) as memory:
            memory.search('tea', user_id='ana')
    with fast() as one, fast() as another:
        one.search('tea', user_id='ana')
        another.search('tea', user_id='ana')
    first, again, other, *unnamed = (attributes(s)['gen_ai.memory.store.id'] for s in spans.finished)
    assert first == again
    assert len({first, other, *unnamed}) == 4
    assert 'secret' not in spans.told()


# Errors.


def test_an_error_is_told_by_its_type_only(spans: Spans) -> None:
    with fast() as memory, pytest.raises(InvalidInput):
        memory.search(SAID, user_id='ana', top_k=0)
    span = spans.only('search_memory')
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert attributes(span)['error.type'] == 'InvalidInput'
    assert span.events == ()


def test_an_add_that_failed_names_the_cause(spans: Spans) -> None:
    with fast(extractor=Failing()) as memory, pytest.raises(ProcessingFailed):
        memory.add(SAID, user_id='ana')
    told = attributes(spans.only('upsert_memory'))
    assert (told['error.type'], told['memoranda.cause']) == ('ProcessingFailed', 'ValueError')
    assert not any(word in spans.told() for word in WORDS)


def test_a_cancelled_call_ends_its_span(spans: Spans) -> None:
    started = asyncio.Event()

    class Hanging:
        name = 'hanging'

        async def extract(self, request: ExtractionRequest) -> Extraction:
            loop.call_soon_threadsafe(started.set)
            await asyncio.Event().wait()
            return Extraction()

    async def cancel() -> None:
        async with fast_async(extractor=Hanging(), settings=Settings(workers=0)) as memory:
            adding = asyncio.create_task(memory.add('Likes tea', user_id='ana'))
            await started.wait()
            adding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await adding

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(cancel())
    finally:
        loop.close()
    assert attributes(spans.only('upsert_memory'))['error.type'] == 'CancelledError'


class Broken(SpanProcessor):
    """One that fails whenever it is told of a span."""

    def on_start(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError('the exporter is broken')

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError('the exporter is broken')


def test_a_provider_that_fails_fails_no_operation(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    spans.provider.add_span_processor(Broken())

    def unavailable() -> Any:
        raise RuntimeError('no metrics today')

    monkeypatch.setattr(metrics, 'get_meter_provider', unavailable)
    with fast() as memory:
        memory.add('Likes tea', user_id='ana')
        assert len(memory.search('tea', user_id='ana')) == 1


# What was said.


def everything(memory: Memory) -> None:
    """Each operation, on words that no span, metric or log may hold."""
    people: dict[str, Any] = {'user_id': 'ana'}
    kept = memory.add(SAID, metadata={'note': 'oolong'}, tags=['oolong'], **people).memories[0]
    memory.add(f'person.neighbour = {SAID}', **people)
    memory.add('person.neighbour = Zebulon the second, who grows', **people)
    memory.add(f'again, {SAID}', infer=False, **people)
    memory.apply(memory.preview(f'{SAID} and sells it', **people))
    memory.search(ASKED, include=('memories', 'episodes'), explain=True, **people)
    memory.context(ASKED, **people)
    memory.update(kept.id, text='Zebulon grows tea', **people)
    memory.history(kept.id, **people)
    memory.get_all(**people)
    memory.clean(merge_duplicates=True, **people)
    memory.revert(memory.changes(**people).items[-1].id, cascade=True, **people)
    for wrong in ({'filters': {'zebulon': 'oolong'}}, {'strategy': 'oolong'}, {'as_of': 'oolong o clock'}):
        with pytest.raises(InvalidInput):
            memory.search(ASKED, **wrong, **people)
    with pytest.raises(MemoryNotFound):
        memory.update('zebulon', text='oolong', **people)
    memory.delete_all(**people)


def test_spans_and_metrics_hold_nothing_that_was_said(spans: Spans, measures: Metrics) -> None:
    with fast() as memory:
        everything(memory)
    with fast(extractor=Failing()) as memory, pytest.raises(ProcessingFailed):
        memory.add(SAID, user_id='ana')
    told = spans.told() + repr(measures.points('gen_ai.client.operation.duration')).lower()
    assert len(spans.finished) > 10
    assert [word for word in WORDS if word in told] == []


def test_spans_hold_what_was_said_when_asked_to(spans: Spans) -> None:
    with fast(settings=Settings(trace_include_content=True)) as memory:
        kept = memory.add(SAID, user_id='ana').memories[0]
        hits = memory.search(ASKED, user_id='ana')
        memory.context(query=ASKED, user_id='ana')
    added, search, context = (attributes(s) for s in spans.finished)
    assert json.loads(added['gen_ai.memory.records']) == [{'id': kept.id, 'content': SAID}]
    assert search['gen_ai.memory.query.text'] == context['gen_ai.memory.query.text'] == ASKED
    assert json.loads(search['gen_ai.memory.records']) == [{'id': kept.id, 'content': SAID, 'score': hits[0].score}]
    assert SAID in context['gen_ai.memory.records']


def test_the_words_of_an_error_are_told_when_asked_to(spans: Spans) -> None:
    settings = Settings(trace_include_content=True)
    with fast(settings=settings) as memory, pytest.raises(InvalidInput):
        memory.search(ASKED, user_id='ana', strategy='oolong')  # type: ignore[arg-type]
    span = spans.only('search_memory')
    assert 'oolong' in (span.status.description or '')
    assert [e.name for e in span.events] == ['exception']


# Parents.


def test_a_span_is_a_child_of_the_callers_and_leaves_it_current(spans: Spans) -> None:
    with fast() as memory, spans.tracer.start_as_current_span('request') as request:
        memory.add('Likes tea', user_id='ana')
        with pytest.raises(InvalidInput):
            memory.search('', user_id='ana')
        assert trace.get_current_span() is request
    assert {parent(s) for s in spans.finished[:2]} == {request.get_span_context().span_id}


def test_tasks_that_run_at_once_keep_their_spans_apart(spans: Spans) -> None:
    async def request(memory: AsyncMemory, user: str) -> tuple[int, str | None]:
        with spans.tracer.start_as_current_span(f'request of {user}') as span:
            for number in range(3):
                await memory.add(f'Likes tea number {number}', user_id=user)
                await memory.search('tea', user_id=user)
            return span.get_span_context().span_id, user

    async def all_at_once() -> list[int]:
        async with fast_async() as memory:
            return [span for span, _ in await asyncio.gather(*(request(memory, f'user {n}') for n in range(8)))]

    requests = asyncio.run(all_at_once())
    parents = [parent(s) for s in spans.finished if not s.name.startswith('request')]
    assert sorted(map(str, parents)) == sorted(str(r) for r in requests for _ in range(6))


def test_under_trio_spans_have_their_parents_too(spans: Spans) -> None:
    trio = pytest.importorskip('trio')

    async def request(memory: AsyncMemory, user: str) -> None:
        with spans.tracer.start_as_current_span(f'request of {user}'):
            await memory.add('Likes tea', user_id=user)

    async def both() -> None:
        async with fast_async() as memory, trio.open_nursery() as nursery:
            nursery.start_soon(request, memory, 'ana')
            nursery.start_soon(request, memory, 'bo')

    trio.run(both)
    requests = {span_id(s) for s in spans.finished if s.name.startswith('request')}
    assert {parent(s) for s in spans.named('upsert_memory')} == requests
    assert len(requests) == 2


@pytest.mark.parametrize('blocking', [True, False])
def test_the_spans_of_the_model_are_children_of_the_add_that_asked_it(spans: Spans, blocking: bool) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings

    from _model import Script, fact

    model = Script([fact('Likes tea', 'I like tea')]).model
    Agent.instrument_all(InstrumentationSettings(tracer_provider=spans.provider))
    memory = AsyncMemory(':memory:', model=model, embedder=HashingEmbedder())

    async def add() -> None:
        async with memory:
            await memory.add('I like tea a lot', user_id='ana')

    try:
        if blocking:
            with Memory(':memory:', model=model, embedder=HashingEmbedder()) as other:
                other.add('I like tea a lot', user_id='ana')
        else:
            asyncio.run(add())
    finally:
        Agent.instrument_all(False)
    added = spans.only('upsert_memory')
    run = spans.only('invoke_agent memory_extraction')
    assert (parent(run), trace_id(run)) == (span_id(added), trace_id(added))


def test_spans_under_one_that_is_not_sampled_are_not_sampled_either(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    class Looking(Grammar):
        async def extract(self, request: ExtractionRequest) -> Extraction:
            seen.append(trace.get_current_span().get_span_context().trace_flags.sampled)
            seen.append(trace.get_current_span().get_span_context().is_valid)
            return Extraction()

        propose = None  # type: ignore[assignment]

    unsampled = Spans(sampler=ALWAYS_OFF)
    monkeypatch.setattr(trace, 'get_tracer_provider', lambda: unsampled.provider)
    with fast(extractor=Looking()) as memory:
        memory.add('Likes tea', user_id='ana')
    assert unsampled.finished == []
    assert seen == [False, True]


# Jobs of the background.

BY_HAND = {'workers': 0, 'retry_seconds': 0.01, 'max_attempts': 2}
"""Settings under which jobs are done by `process_one_job` only."""


def test_the_work_on_a_job_is_linked_to_the_add_that_queued_it(spans: Spans, measures: Metrics) -> None:
    with fast() as memory:
        receipt = memory.add(['Likes tea', 'Likes coffee'], user_id='ana', background=True)
        assert receipt.result(timeout=60).status == 'done'
    added, work = spans.named('upsert_memory')
    assert attributes(added)['memoranda.status'] == 'queued'
    assert 'gen_ai.memory.record.count' not in attributes(added)
    assert (parent(work), [link.context.span_id for link in work.links]) == (None, [span_id(added)])
    assert trace_id(work) != trace_id(added)
    told = attributes(work)
    assert told.pop('gen_ai.memory.store.id') == attributes(added)['gen_ai.memory.store.id']
    assert told == {
        'gen_ai.operation.name': 'upsert_memory',
        'gen_ai.memory.record.count': 2,
        'memoranda.background': True,
        'memoranda.job.attempts': 1,
        'memoranda.job.id': receipt.job_id,
        'memoranda.project': 'default',
        'memoranda.status': 'done',
    }
    assert measures.measured('memoranda.jobs') == [{'memoranda.status': 'done'}]
    (wait,) = measures.points('memoranda.job.wait')
    assert (wait.count, 0 <= wait.sum < 60) == (1, True)
    assert [a['memoranda.status'] for a in measures.measured('gen_ai.client.operation.duration')] == ['done', 'queued']


def test_a_gauge_tells_what_cached_vectors_hold(measures: Metrics) -> None:
    def usage() -> float:
        (point,) = measures.points('memoranda.cache.usage')
        return point.value

    with fast() as memory:
        memory.add('Likes tea', user_id='ana', infer=False)
        before = usage()
        memory.search('tea', user_id='ana')
        memory.search('tea', user_id='ana')
        filled = usage()
        assert filled > before
        memory.delete_all(user_id='ana')
        assert usage() < filled


def test_workers_do_not_work_under_the_span_that_opened_the_memory(spans: Spans) -> None:
    with spans.tracer.start_as_current_span('start of the program'), fast() as memory:
        memory.add('Likes tea', user_id='ana', background=True).result(timeout=60)
        memory.flush()
    assert [parent(s) for s in spans.finished if attributes(s).get('memoranda.job.attempts')] == [None]


def test_a_job_done_within_a_span_is_a_child_of_it(spans: Spans) -> None:
    with fast(settings=Settings(**BY_HAND)) as memory:
        memory.add('Likes tea', user_id='ana', infer=False, background=True)
        with spans.tracer.start_as_current_span('cron') as cron:
            memory.process_one_job()
    added, work = spans.named('create_memory')
    assert parent(work) == cron.get_span_context().span_id
    assert [link.context.span_id for link in work.links] == [span_id(added)]


def test_a_job_that_fails_tells_whether_it_is_tried_again(spans: Spans, measures: Metrics) -> None:
    with fast(settings=Settings(**BY_HAND), extractor=Failing()) as memory:
        queued = memory.add(SAID, user_id='ana', background=True)
        assert queued.job_id
        memory.process_one_job()
        memory.retry_job(queued.job_id, user_id='ana')
        memory.process_one_job()
    first, again = (attributes(s) for s in spans.finished[1:])
    assert (first['memoranda.status'], first['error.type']) == ('retrying', 'ValueError')
    assert (again['memoranda.status'], again['error.type']) == ('retrying', 'ValueError')
    assert {'error.type': 'ValueError', 'memoranda.status': 'retrying'} in measures.measured('memoranda.jobs')
    assert not any(word in spans.told() for word in WORDS)


def test_a_job_that_is_given_up_counts_as_dead(spans: Spans, measures: Metrics) -> None:
    with fast(settings=Settings(**{**BY_HAND, 'max_attempts': 1}), extractor=Failing()) as memory:
        memory.add(SAID, user_id='ana', background=True)
        memory.process_one_job()
    assert attributes(spans.finished[-1])['memoranda.status'] == 'dead'
    assert measures.measured('memoranda.jobs') == [{'error.type': 'ValueError', 'memoranda.status': 'dead'}]


def test_turns_that_are_read_together_are_one_span(spans: Spans, measures: Metrics) -> None:
    with fast(settings=Settings(**BY_HAND, batch_turns=3)) as memory:
        for drink in ('tea', 'coffee', 'milk'):
            memory.add(f'Likes {drink}', user_id='ana', run_id='s1', background=True)
        memory.process_one_job()
    (work,) = (attributes(s) for s in spans.finished if 'memoranda.job.attempts' in attributes(s))
    assert (work['memoranda.job.merged'], work['gen_ai.memory.record.count']) == (2, 3)
    assert [p.value for p in measures.points('memoranda.jobs')] == [3]


def test_a_call_that_is_repeated_under_another_span_is_still_the_same(spans: Spans) -> None:
    with fast() as memory:
        for _ in range(2):
            with spans.tracer.start_as_current_span('request'):
                receipt = memory.add('Likes tea', user_id='ana', background=True, idempotency_key='k')
    assert receipt.replayed


def test_the_spans_of_a_model_are_children_of_the_job_that_asked_it(spans: Spans) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings

    from _model import Script, fact

    model = Script([fact('Likes tea', 'I like tea')]).model
    Agent.instrument_all(InstrumentationSettings(tracer_provider=spans.provider))
    try:
        with Memory(':memory:', model=model, embedder=HashingEmbedder()) as memory:
            memory.add('I like tea a lot', user_id='ana', background=True).result(timeout=60)
    finally:
        Agent.instrument_all(False)
    _, work = spans.named('upsert_memory')
    run = spans.only('invoke_agent memory_extraction')
    assert (parent(run), trace_id(run)) == (span_id(work), trace_id(work))


def test_a_job_whose_trace_is_no_trace_is_done_all_the_same() -> None:
    from memoranda._telemetry import span_link

    broken = (None, 7, '', 'oolong', '00-' + '0' * 32 + '-' + '0' * 16 + '-01', '00-' + 'f' * 32 + '-1-01')
    assert [span_link(text) for text in broken] == [None] * len(broken)


# Degraded mode.


def test_a_call_that_goes_on_without_what_failed_is_counted_and_its_span_says_so(
    spans: Spans, measures: Metrics
) -> None:
    from memoranda._telemetry import count_degraded

    class Down(HashingEmbedder):
        def embed_now(self, texts: Any, **options: Any) -> Any:
            if options.get('query'):
                count_degraded('search_memory', OSError(f'no answer to {texts}'))
            return super().embed_now(texts, **options)

    with fast() as memory, spans.tracer.start_as_current_span('request') as request:
        memory.add(SAID, user_id='ana')
        count_degraded('search_memory', 'StoreBusy')  # by nobody: the span of the program is not ours to mark
        assert request.is_recording()
    with fast(embedder=Down()) as memory:
        memory.add(SAID, user_id='ana')
        assert len(memory.search(ASKED, user_id='ana')) == 1
    request_span, search = spans.only('request'), spans.only('search_memory')
    assert request_span.status.status_code is StatusCode.UNSET
    assert (search.status.status_code, search.status.description) == (StatusCode.ERROR, None)
    assert attributes(search)['memoranda.degraded'] is True
    assert attributes(search)['error.type'] == 'OSError'
    assert {'gen_ai.operation.name': 'search_memory', 'error.type': 'StoreBusy'} in measures.measured(
        'memoranda.degraded'
    )
    assert not any(word in spans.told() for word in WORDS)


# Metrics.


def test_operations_are_measured_by_name_and_error(spans: Spans, measures: Metrics) -> None:
    with fast() as memory:
        memory.add('Likes tea', user_id='ana')
        memory.search('tea', user_id='ana')
        memory.search('tea', user_id='ana')
        with pytest.raises(InvalidInput):
            memory.search('', user_id='ana')
    assert measures.measured('gen_ai.client.operation.duration') == [
        {'gen_ai.operation.name': 'search_memory'},
        {'gen_ai.operation.name': 'search_memory', 'error.type': 'InvalidInput'},
        {'gen_ai.operation.name': 'upsert_memory', 'memoranda.background': False, 'memoranda.status': 'done'},
    ]
    found, *_ = (p for p in measures.points('gen_ai.client.operation.duration') if p.count == 2)
    assert 0 < found.sum < 60
    assert tuple(found.explicit_bounds) == tuple(0.01 * 2**n for n in range(14))


def test_metrics_need_no_tracer_and_spans_need_no_meter(measures: Metrics) -> None:
    with fast() as memory:
        memory.search('tea', user_id='ana')
    assert measures.measured('gen_ai.client.operation.duration') == [{'gen_ai.operation.name': 'search_memory'}]


# Programs without OpenTelemetry, or with it later.

UNUSED = """
import sys
from memoranda import Memory
from memoranda.testing.embedders import HashingEmbedder
with Memory(':memory:', embedder=HashingEmbedder()) as memory:
    memory.add('I live in Lisbon', user_id='ana')
    memory.search('Lisbon', user_id='ana')
print([m for m in sys.modules if m.startswith('opentelemetry')])
"""

LATER = """
from opentelemetry import metrics, trace
from memoranda import Memory
from memoranda.testing.embedders import HashingEmbedder
with Memory(':memory:', embedder=HashingEmbedder()) as memory:
    memory.search('before', user_id='ana')
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    memory.search('after', user_id='ana')
    memory.search('after', user_id='ana')
(resource,) = reader.get_metrics_data().resource_metrics
(point,) = resource.scope_metrics[0].metrics[0].data.data_points
print([s.name for s in exporter.get_finished_spans()], point.count)
"""


def printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-c', code],
        env=subprocess_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.strip()


def test_a_program_without_opentelemetry_does_not_get_it_loaded() -> None:
    assert printed(UNUSED) == '[]'


def test_a_provider_that_is_set_up_later_is_used_from_then_on() -> None:
    assert printed(LATER) == "['search_memory', 'search_memory'] 2"


# Logs.


class Kept(logging.Handler):
    """Keeps what is logged, as a file would show it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f'{record.name} {self.format(record)} {record.args}'.lower())


@pytest.fixture
def logged() -> Iterator[Kept]:
    """Everything that any logger has to say."""
    kept, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    yield kept
    root.setLevel(level)
    root.removeHandler(kept)


def test_logs_hold_nothing_that_was_said(logged: Kept, tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        everything(memory)
    with fast(tmp_path / 'memory.db', extractor=Failing()) as memory, pytest.raises(ProcessingFailed):
        memory.add(SAID, user_id='ana')
    settings = Settings(**{**BY_HAND, 'max_attempts': 1})
    with fast(tmp_path / 'memory.db', extractor=Failing(), settings=settings) as memory:
        memory.add(f'{SAID} again', user_id='bo', background=True)
        memory.process_one_job()
    assert [line for line in logged.lines if any(word in line for word in WORDS)] == []
    assert any(line.startswith('memoranda.write ') for line in logged.lines)


def test_the_package_adds_no_handler_and_sets_no_level() -> None:
    with fast() as memory:
        memory.add('Likes tea', user_id='ana')
    loggers = [logging.getLogger(n) for n in logging.root.manager.loggerDict if n.partition('.')[0] == 'memoranda']
    assert [(logger.handlers, logger.level, logger.propagate) for logger in loggers] == [([], 0, True)] * len(loggers)
