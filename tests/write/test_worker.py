"""From stored messages to a commit: gate, extraction, conflicts, leases, and what an extractor gets to see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from _fakes import Grammar, fast, fast_async, texts
from memoranda import InvalidInput, Memory, ProcessingFailed
from memoranda.records import Usage
from memoranda.settings import Settings
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, ProposalOp, Quote

ANA = {'user_id': 'ana'}
OPS: tuple[ProposalOp, ...] = ('supersede', 'correct', 'confirm', 'retract')


class Watching(Grammar):
    """Remembers what it was asked, and calls back in the middle of its work."""

    def __init__(self) -> None:
        self.requests: list[ExtractionRequest] = []
        self.meanwhile: Callable[[], object] | None = None

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.requests.append(request)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().propose(request)


class Proposing:
    """Proposes what it was given, whatever was said."""

    name = 'proposing'

    def __init__(self, *proposals: Proposal) -> None:
        self.proposals = proposals

    def propose(self, request: ExtractionRequest) -> Extraction:
        return Extraction(proposals=self.proposals)


@pytest.fixture
def extractor() -> Watching:
    return Watching()


@pytest.fixture
def memory(extractor: Watching) -> Iterator[Memory]:
    with fast(extractor=extractor) as opened:
        yield opened


def test_an_extractor_sees_the_messages_what_came_before_and_what_is_known(memory: Memory, extractor: Watching) -> None:
    memory.add([f'fact number {i}' for i in range(6)], run_id='s1', **ANA)
    memory.add('home.city = Lisbon', run_id='s1', **ANA)
    memory.add('a fact elsewhere', run_id='s2', **ANA)
    memory.add(['home.city = Porto', {'role': 'assistant', 'content': 'Noted'}], run_id='s1', **ANA)
    request = extractor.requests[-1]
    assert [m.text for m in request.messages] == ['home.city = Porto', 'Noted']
    assert [m.text for m in request.previous] == [
        'fact number 3',
        'fact number 4',
        'fact number 5',
        'home.city = Lisbon',
    ]
    assert 'home.city is Lisbon' in [m.text for m in request.existing]
    assert all(m.status == 'active' for m in request.existing)


def test_an_extractor_never_sees_the_facts_of_other_people_or_runs(memory: Memory, extractor: Watching) -> None:
    memory.add('zebra of ben', user_id='ben')
    memory.add('here: zebra of the run', run_id='s1', **ANA)
    memory.add('zebra of ana', **ANA)
    for ids in ({'run_id': 's2'}, {}):
        memory.add('another zebra', **ids, **ANA)
        assert 'zebra of ana' in texts(extractor.requests[-1].existing)
        assert 'zebra of the run' not in texts(extractor.requests[-1].existing)
    memory.add('one more zebra', run_id='s1', **ANA)
    assert 'zebra of the run' in texts(extractor.requests[-1].existing)


@pytest.mark.parametrize('text', ['ok', 'Thanks!', '👍', '...', 'hello', 'Gracias', 'What time is it?'])
def test_small_talk_costs_no_extraction(memory: Memory, extractor: Watching, text: str) -> None:
    result = memory.add(text, **ANA)
    assert extractor.requests == []
    assert dict(result.skipped) == {'gate': 1}
    assert [e.text for e in memory.episodes(**ANA).items] == [text]


def test_structured_facts_are_not_extracted(memory: Memory, extractor: Watching) -> None:
    memory.add(['ok', 'I like tea'], infer=False, **ANA)
    assert extractor.requests == []
    assert texts(memory.get_all(**ANA)) == ['I like tea', 'ok']


def test_an_edit_in_the_middle_of_an_extraction_is_respected(memory: Memory, extractor: Watching) -> None:
    record = memory.add('home.city = Lisbon', **ANA).memories[0]
    extractor.meanwhile = lambda: memory.update(record.id, text='lives in Braga', **ANA)
    result = memory.add('home.city = Porto', **ANA)
    assert texts(result.pending) == ['home.city is Porto']
    assert texts(memory.get_all(**ANA)) == ['lives in Braga']
    assert len(extractor.requests) == 2  # the extractor isn't asked again


def test_an_erasure_in_the_middle_of_an_extraction_leaves_nothing(memory: Memory, extractor: Watching) -> None:
    extractor.meanwhile = lambda: memory.delete_all(**ANA)
    result = memory.add('I like tea', **ANA)
    assert result.changes == ()
    assert len(memory.get_all(**ANA)) == 0
    assert memory.episodes(**ANA).items == ()
    assert memory.stats().jobs_queued == 0


def test_an_erasure_of_what_waits_in_line_is_said(tmp_path: Path) -> None:
    class Held(Grammar):
        reached, go = threading.Event(), threading.Event()

        def propose(self, request: ExtractionRequest) -> Extraction:
            self.reached.set()
            assert self.go.wait(30)
            return super().propose(request)

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=Held()) as memory:
            first = asyncio.create_task(memory.add('I like tea', **ANA))
            await asyncio.to_thread(Held.reached.wait)
            second = asyncio.create_task(memory.add('I like jazz', **ANA))
            while (await memory.stats()).episodes < 2:
                pass
            await memory.delete_all(**ANA)
            Held.go.set()
            assert (await first).changes == ()
            result = await second
            assert (result.changes, dict(result.skipped)) == ((), {'erased': 1})
            assert (await memory.stats()).episodes == 0

    asyncio.run(main())


def test_jobs_of_one_owner_run_in_the_order_they_came(tmp_path: Path) -> None:
    extractor = Watching()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            await asyncio.gather(*(memory.add(f'home.city = city{i:02}', **ANA) for i in range(20)))
            stored = [e.text for e in (await memory.episodes(**ANA)).items]
            assert [r.messages[0].text for r in extractor.requests] == stored

    asyncio.run(main())


def test_the_callers_metadata_tags_and_pins_are_added_to_what_was_found() -> None:
    proposal = Proposal(text='likes tea', evidence=(Quote(1, 0, 3),), tags=('own',), metadata={'a': 'own', 'b': 1})
    with fast(extractor=Proposing(proposal)) as memory:
        messages = ['first', {'content': 'second', 'metadata': {'line': 2}}]
        (record,) = memory.add(messages, metadata={'a': 'said', 'c': 3}, tags=['own', 'chat'], **ANA).memories
        assert record.tags == ('own', 'chat')
        assert dict(record.metadata) == {'a': 'own', 'b': 1, 'c': 3, 'line': 2}


@pytest.mark.parametrize(
    ('proposal', 'reason'),
    [
        (Proposal(text='x', evidence=(Quote(7, 0, 1),)), 'no evidence'),
        (Proposal(text='x', evidence=(Quote(-1, 0, 1),)), 'no evidence'),
        (Proposal(text='x', evidence=(Quote(0, 5, 900),)), 'no evidence'),
        (Proposal(text='x'), 'no evidence'),
        (Proposal(text='', evidence=(Quote(0, 0, 3),)), 'empty'),
        (Proposal(text='x' * 3000, evidence=(Quote(0, 0, 3),)), 'too long'),
        (Proposal(text='x', kind='Not One', evidence=(Quote(0, 0, 3),)), 'invalid'),
        (Proposal(text='x', confidence=7, evidence=(Quote(0, 0, 3),)), 'invalid'),
        (Proposal(op='retract', target='nowhere', evidence=(Quote(0, 0, 3),)), 'unknown target'),
    ],
)
def test_a_proposal_that_does_not_hold_is_dropped_and_the_others_are_kept(proposal: Proposal, reason: str) -> None:
    good = Proposal(text='likes tea', evidence=(Quote(0, 0, 3),))
    with fast(extractor=Proposing(proposal, good)) as memory:
        result = memory.add('some words that were said', **ANA)
        assert texts(result.memories) == ['likes tea']
        assert dict(result.skipped) == {reason: 1}


def test_what_an_extractor_skipped_itself_is_passed_on() -> None:
    class Picky:
        name = 'picky'

        def propose(self, request: ExtractionRequest) -> Extraction:
            return Extraction(skipped={'rumour': 2})

    with fast(extractor=Picky()) as memory:
        assert dict(memory.add('some say so', **ANA).skipped) == {'rumour': 2}


@pytest.mark.parametrize('answer', [None, 7, [], {'proposals': []}])
def test_an_extractor_that_answers_nonsense_has_failed(answer: Any) -> None:
    class Nonsense:
        name = 'nonsense'

        def propose(self, request: ExtractionRequest) -> Extraction:
            return answer

    with fast(extractor=Nonsense()) as memory:
        with pytest.raises(ProcessingFailed):
            memory.add('I like tea', **ANA)
        assert memory.stats().jobs_queued == 1
        assert len(memory.episodes(**ANA).items) == 1


def test_a_failed_job_is_finished_after_the_file_is_opened_again(tmp_path: Path) -> None:
    class Broken(Grammar):
        def propose(self, request: ExtractionRequest) -> Extraction:
            raise RuntimeError('no answer')

    with fast(tmp_path / 'memory.db', extractor=Broken()) as memory, pytest.raises(ProcessingFailed):
        memory.add('home.city = Lisbon', metadata={'a': 1}, tags=['t'], **ANA)
    with fast(tmp_path / 'memory.db') as memory:
        memory.add('I like tea', **ANA)
        assert texts(memory.get_all(**ANA)) == ['I like tea', 'home.city is Lisbon']
        record = memory.get_slot('home.city', **ANA)
        assert record is not None
        assert (dict(record.metadata), record.tags) == ({'a': 1}, ('t',))


def test_a_repeated_call_finishes_what_the_first_could_not(tmp_path: Path) -> None:
    class Once(Grammar):
        broken = True

        def propose(self, request: ExtractionRequest) -> Extraction:
            if self.broken:
                raise RuntimeError('no answer')
            return super().propose(request)

    extractor = Once()
    with fast(tmp_path / 'memory.db', extractor=extractor) as memory:
        with pytest.raises(ProcessingFailed):
            memory.add('I like tea', idempotency_key='k', **ANA)
        extractor.broken = False
        assert texts(memory.add('I like tea', idempotency_key='k', **ANA).memories) == ['I like tea']
        assert len(memory.episodes(**ANA).items) == 1


def test_a_job_whose_owner_fell_silent_is_taken_over_when_its_lease_ends(tmp_path: Path) -> None:
    holding = Watching()
    first = fast(tmp_path / 'memory.db', extractor=holding)
    second = fast(tmp_path / 'memory.db')
    first.add('a first fact', **ANA)

    def expire() -> None:
        connection = apsw.Connection(str(tmp_path / 'memory.db'))
        connection.execute("UPDATE job SET lease_until = 0 WHERE state = 'running'")  # a minute passes
        connection.close()
        assert texts(second.add('I like jazz', **ANA).memories) == ['I like jazz']

    holding.meanwhile = expire
    result = first.add('I like tea', **ANA)
    assert dict(result.skipped) == {'taken over': 1}
    assert texts(first.get_all(**ANA)) == ['I like jazz', 'I like tea', 'a first fact']
    (tea,) = (m for m in first.get_all(**ANA) if m.text == 'I like tea')
    assert len(tea.evidence) == 1
    first.close()
    second.close()


class _Watched(SQLiteStore):
    """Tells when a lease is renewed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.renewed = threading.Semaphore(0)

    async def renew(self, worker: str, *, lease_seconds: float) -> None:
        await super().renew(worker, lease_seconds=lease_seconds)
        self.renewed.release()


class _Slow:
    """A model that answers after its lease was renewed four times, which is later than it would have ended."""

    name = 'slow'

    def __init__(self, renewed: threading.Semaphore) -> None:
        self.renewed = renewed

    async def extract(self, request: ExtractionRequest) -> Extraction:
        for _ in range(4):
            await asyncio.to_thread(self.renewed.acquire)
        quote = Quote(0, 0, len(request.messages[0].text))
        return Extraction(
            proposals=[Proposal(text='Likes tea', evidence=(quote,))], usage=Usage(requests=1, input_tokens=70)
        )


def test_a_model_slower_than_a_lease_keeps_its_job(tmp_path: Path) -> None:
    store = _Watched(tmp_path / 'm.db')
    settings = Settings(lease_seconds=1)
    with (
        Memory(store=store, extractor=_Slow(store.renewed), embedder=HashingEmbedder(), settings=settings) as memory,
        fast(tmp_path / 'm.db') as other,
    ):
        result = memory.add('I like tea', **ANA)
        assert [m.text for m in result.memories] == ['Likes tea']
        assert result.usage == memory.stats().usage == other.stats().usage == Usage(requests=1, input_tokens=70)


def test_the_callers_instructions_reach_the_extractor_of_that_call_only(memory: Memory, extractor: Watching) -> None:
    memory.add('I like tea', instructions='Mind the drinks', **ANA)
    memory.add('I like chess', **ANA)
    assert [r.instructions for r in extractor.requests] == ['Mind the drinks', '']


@pytest.mark.parametrize('instructions', ['', ' ', 7, 'x' * 4001])
def test_instructions_that_are_none_are_refused(memory: Memory, instructions: Any) -> None:
    with pytest.raises(InvalidInput, match='instructions'):
        memory.add('I like tea', instructions=instructions, **ANA)
    with pytest.raises(InvalidInput, match='infer=False'):
        memory.add('Likes tea', infer=False, instructions='Mind the drinks', **ANA)
    assert memory.episodes(**ANA).items == ()


def test_a_memory_that_was_not_shown_is_no_target() -> None:
    found: list[str] = []

    class Aiming(Grammar):
        def propose(self, request: ExtractionRequest) -> Extraction:
            if not found:
                return super().propose(request)
            quote = (Quote(0, 0, 3),)
            return Extraction(proposals=[Proposal(op=op, target=found[0], evidence=quote, text='x') for op in OPS])

    with fast(extractor=Aiming()) as memory:
        found.append(memory.add('Likes zebras', user_id='ben').memories[0].id)
        result = memory.add('something else', **ANA)
        assert (result.changes, result.skipped) == ((), {'unknown target': 4})
        assert [m.text for m in memory.get_all(user_id='ben')] == ['Likes zebras']


def test_of_a_long_batch_each_part_is_shown_what_is_known_about_it(memory: Memory, extractor: Watching) -> None:
    memory.add('home.city = Lisbon', **ANA)
    memory.add([f'zebra {n} is striped' for n in range(60)], **ANA)
    filler = ['the zebra is striped and walks ' * 30 for _ in range(6)]
    memory.add(['my home.city is what I want to talk about', *filler], **ANA)
    shown = [m.text for m in extractor.requests[-1].existing]
    assert 'home.city is Lisbon' in shown
    assert any('zebra' in text for text in shown)


class _Costly(Exception):
    """An error whose `usage` is something else than ours."""

    usage = 'a lot'


def test_an_error_with_a_usage_of_its_own_is_a_failure_like_any_other() -> None:
    class Failing(Grammar):
        failed = False

        def propose(self, request: ExtractionRequest) -> Extraction:
            if not self.failed:
                self.failed = True
                raise _Costly
            return super().propose(request)

    with fast(extractor=Failing()) as memory:
        with pytest.raises(ProcessingFailed, match='_Costly'):
            memory.add('I like tea', **ANA)
        memory.add('I like chess', **ANA)
        assert texts(memory.get_all(**ANA)) == ['I like chess', 'I like tea']


def test_a_job_that_failed_its_last_try_is_given_up_and_says_so() -> None:
    class Broken(Grammar):
        def propose(self, request: ExtractionRequest) -> Extraction:
            if 'tea' in request.messages[0].text:
                raise RuntimeError('no model')
            return super().propose(request)

    with fast(extractor=Broken()) as memory:
        for number in range(5):
            with pytest.raises(ProcessingFailed) as failed:
                memory.add('I like tea', idempotency_key='k', **ANA)
            assert ('given up after 5 tries' in str(failed.value)) == (number == 4)
        assert memory.stats().jobs_dead == 1
        memory.add('I like chess', **ANA)
        assert texts(memory.get_all(**ANA)) == ['I like chess']


def test_an_extractor_that_can_not_close_leaves_no_thread_and_no_file_open(tmp_path: Path) -> None:
    class Clinging:
        name = 'clinging'

        async def extract(self, request: ExtractionRequest) -> Extraction:
            return Extraction()

        async def aclose(self) -> None:
            raise RuntimeError('still talking')

    before = set(threading.enumerate())
    memory = Memory(tmp_path / 'm.db', extractor=Clinging(), embedder=HashingEmbedder())
    memory.add('I like tea', **ANA)
    with pytest.raises(RuntimeError, match='still talking'):
        memory.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert set(threading.enumerate()) <= before
    assert sorted(p.name for p in tmp_path.iterdir()) == ['m.db']
