"""What was changed is listed, can be seen beforehand, and can be taken back."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memoranda import Memory
from memoranda.errors import Conflict, InvalidInput, InvalidScope, MemoryNotFound
from memoranda.records import Change, Edit, MemoryRecord
from memoranda.scope import Erasure, Owner, Scope
from memoranda.stores.data import Commit, Snapshot
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

START = datetime(2026, 3, 1, tzinfo=UTC)
BOOKKEEPING = ('version', 'recorded_at', 'retired_at', 'change_id', 'actor')


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(':memory:', embedder=HashingEmbedder()) as opened:
        yield opened


def texts(memory: Memory, **options: Any) -> list[str]:
    return sorted(m.text for m in memory.get_all(user_id='ana', **options))


def content(record: MemoryRecord) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in BOOKKEEPING}


def current_state(memory: Memory) -> list[Any]:
    """What is believed now, and what is believed to have held at some moments before."""
    now = [content(m) for m in memory.get_all(user_id='ana', limit=1000)]
    past = [
        [content(m) for m in memory.get_all(user_id='ana', as_of=START + timedelta(days=d), limit=1000)]
        for d in (0, 4, 8, 12)
    ]
    return [now, past]


# Listing


def test_changes_are_listed_latest_first_with_what_they_did(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    memory.add('I moved to Porto', user_id='ana')
    moved, lived = memory.changes(user_id='ana')
    assert [e.after.text for e in lived.edits] == ['Lives in Lisbon']
    assert sorted((e.op, e.after.text) for e in moved.edits) == [
        ('add', 'Lives in Porto'),
        ('supersede', 'Lives in Lisbon'),
    ]
    assert (moved.actor, moved.reason) == ('rules', 'extraction')
    assert moved.job_id
    assert moved.at >= lived.at


def test_changes_come_a_page_at_a_time(memory: Memory) -> None:
    for number in range(5):
        memory.add(f'Fact {number}', user_id='ana', infer=False)
    seen: list[str] = []
    cursor = None
    while True:
        page = memory.changes(user_id='ana', limit=2, cursor=cursor)
        seen += [e.after.text for c in page for e in c.edits]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f'Fact {n}' for n in (4, 3, 2, 1, 0)]


def test_changes_of_another_user_or_run_are_not_listed(memory: Memory) -> None:
    memory.add('Likes tea', user_id='ben', infer=False)
    memory.add('Works on a report today', user_id='ana', run_id='r1', infer=False, level='run')
    assert len(memory.changes(user_id='ana')) == 1
    assert len(memory.changes(user_id='ana', run_id='r2')) == 0
    assert len(memory.changes(user_id='ana', run_id='r1')) == 1
    assert len(memory.in_project('other').changes(user_id='ana')) == 0


def test_edits_by_hand_are_changes_too(memory: Memory) -> None:
    (fact,) = memory.add('Likes tea', user_id='ana', infer=False).memories
    memory.update(fact.id, text='Likes green tea', user_id='ana')
    memory.delete(fact.id, user_id='ana')
    assert [(c.actor, c.reason) for c in memory.changes(user_id='ana')] == [
        ('user', 'deleted'),
        ('user', 'edited'),
        ('caller', 'stored as given'),
    ]


# Preview


def test_a_preview_shows_what_an_add_would_do_and_writes_nothing(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    before = current_state(memory)
    shown = memory.preview('I moved to Porto', user_id='ana')
    assert sorted((e.op, e.after.text) for e in shown.changes) == [
        ('add', 'Lives in Porto'),
        ('supersede', 'Lives in Lisbon'),
    ]
    assert [m.text for m in shown.memories] == ['Lives in Porto']
    assert current_state(memory) == before
    assert len(memory.episodes(user_id='ana').items) == 1
    assert memory.stats().jobs_queued == 0


def test_a_preview_for_an_unknown_user_leaves_no_trace_of_it(memory: Memory) -> None:
    shown = memory.preview('I live in Lisbon', user_id='ana')
    assert [m.text for m in shown.memories] == ['Lives in Lisbon']
    assert memory.stats().owners == 0


def test_add_does_what_the_preview_showed(memory: Memory) -> None:
    said = [
        {'role': 'user', 'content': 'I live in Lisbon and I hate olives', 'timestamp': '2026-03-01T10:00:00Z'},
        {'role': 'user', 'content': 'I moved to Porto', 'timestamp': '2026-03-02T10:00:00Z'},
    ]
    shown = memory.preview(said, user_id='ana')
    done = memory.add(said, user_id='ana')
    assert [(e.op, e.after.text, e.after.status, e.after.valid_from, e.after.valid_to) for e in done.changes] == [
        (e.op, e.after.text, e.after.status, e.after.valid_from, e.after.valid_to) for e in shown.changes
    ]
    assert [[q.quote for q in e.after.evidence] for e in done.changes] == [
        [q.quote for q in e.after.evidence] for e in shown.changes
    ]
    again = memory.preview(said, user_id='ana')
    assert (again.changes, again.known) == ((), 2)


def test_apply_does_it_without_asking_the_extractor_again() -> None:
    extractor = ScriptedExtractor()
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=extractor) as memory:
        shown = memory.preview('I like chess', user_id='ana', run_id='r1')
        done = memory.apply(shown)
        assert done.as_previewed is True
        assert [e.after.text for e in done.changes] == [e.after.text for e in shown.changes] == ['I like chess']
        assert len(extractor.requests) == 1
        assert [e.text for e in memory.episodes(user_id='ana').items] == ['I like chess']
        assert texts(memory) == ['I like chess']


def test_apply_refuses_when_the_ground_has_changed_and_stores_nothing(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    shown = memory.preview('I moved to Porto', user_id='ana')
    memory.add('I moved to Faro', user_id='ana')
    with pytest.raises(Conflict, match='preview again'):
        memory.apply(shown)
    assert texts(memory) == ['Lives in Faro']
    assert len(memory.episodes(user_id='ana').items) == 2
    assert memory.apply(memory.preview('I moved to Porto', user_id='ana')).as_previewed


def test_a_preview_is_applied_once(memory: Memory) -> None:
    shown = memory.preview('I live in Lisbon', user_id='ana')
    memory.apply(shown)
    with pytest.raises(Conflict, match='preview again'):
        memory.apply(shown)


def test_a_preview_is_applied_where_it_was_made(memory: Memory) -> None:
    shown = memory.preview('I live in Lisbon', user_id='ana')
    with pytest.raises(InvalidScope, match='another project or scope'):
        memory.in_project('other').apply(shown)
    with pytest.raises(InvalidScope, match='another project or scope'):
        memory.scoped(Scope(user_id='ben')).apply(shown)
    with pytest.raises(InvalidInput, match='pass what preview'):
        memory.apply('yes')  # pyright: ignore[reportArgumentType]


def test_a_preview_of_nothing_applies_to_nothing(memory: Memory) -> None:
    shown = memory.preview({'role': 'system', 'content': 'You are an assistant'}, user_id='ana')
    assert memory.apply(shown).changes == shown.changes == ()


# Revert


def test_what_was_added_is_gone_and_what_was_superseded_is_back(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    before = current_state(memory)
    moved = memory.add('I moved to Porto', user_id='ana').changes[0].after.change_id
    between = datetime.now(UTC)
    undone = memory.revert(moved, user_id='ana')
    assert current_state(memory) == before
    assert (undone.actor, undone.reason) == ('user', f'revert of {moved}')
    assert texts(memory, known_at=between) == ['Lives in Porto']
    assert [h.text for h in memory.search('Where does she live?', user_id='ana')] == ['Lives in Lisbon']
    assert 'Porto' not in str(memory.context('Where does she live?', user_id='ana', include=('memories',)))


def test_a_revert_can_be_reverted(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    moved = memory.add('I moved to Porto', user_id='ana').changes[0].after.change_id
    after = current_state(memory)
    undone = memory.revert(moved, user_id='ana')
    memory.revert(undone.id, user_id='ana')
    assert current_state(memory) == after


def test_a_change_that_later_ones_depend_on_is_not_reverted_alone(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    before = current_state(memory)
    porto = memory.add('I moved to Porto', user_id='ana').changes[0].after.change_id
    faro = memory.add('I moved to Faro', user_id='ana').changes[0].after.change_id
    memory.add('I hate olives', user_id='ana')
    with pytest.raises(Conflict, match=f'{faro}.*cascade=True'):
        memory.revert(porto, user_id='ana')
    assert 'Lives in Faro' in texts(memory)
    memory.revert(porto, cascade=True, user_id='ana')
    assert texts(memory) == ['Hates olives', 'Lives in Lisbon']
    memory.revert(memory.changes(user_id='ana').items[1].id, user_id='ana')
    assert current_state(memory) == before


def test_a_value_that_took_the_place_of_a_retracted_one_stands_in_its_way(memory: Memory) -> None:
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot='home.city').memories
    memory.delete(fact.id, user_id='ana')
    deleted = memory.changes(user_id='ana').items[0]
    memory.add('Bergen', user_id='ana', infer=False, slot='home.city')
    with pytest.raises(Conflict, match='later changes depend on it'):
        memory.revert(deleted.id, user_id='ana')
    memory.revert(deleted.id, cascade=True, user_id='ana')
    assert texts(memory) == ['Oslo']


def test_the_same_words_said_again_stand_in_the_way_too(memory: Memory) -> None:
    (fact,) = memory.add('Likes tea', user_id='ana', infer=False).memories
    memory.delete(fact.id, user_id='ana')
    deleted = memory.changes(user_id='ana').items[0]
    memory.add('likes tea.', user_id='ana', infer=False)
    with pytest.raises(Conflict, match='later changes depend on it'):
        memory.revert(deleted.id, user_id='ana')


def test_a_change_that_is_undone_is_not_undone_again(memory: Memory) -> None:
    change = memory.add('Likes tea', user_id='ana', infer=False).changes[0].after.change_id
    memory.revert(change, user_id='ana')
    with pytest.raises(Conflict, match='undone already'):
        memory.revert(change, user_id='ana')


def test_only_changes_within_the_scope_can_be_reverted(memory: Memory) -> None:
    mine = memory.add('Likes tea', user_id='ana', infer=False).changes[0].after.change_id
    run = memory.add('Busy today', user_id='ana', run_id='r1', infer=False, level='run').changes[0].after.change_id
    for view, ids in (
        (memory, {'user_id': 'ben'}),
        (memory.in_project('other'), {'user_id': 'ana'}),
        (memory.scoped(Scope(user_id='ben')), {}),
    ):
        with pytest.raises(MemoryNotFound, match='does not exist in this scope'):
            view.revert(mine, **ids)  # pyright: ignore[reportArgumentType]
    with pytest.raises(MemoryNotFound, match='does not exist in this scope'):
        memory.revert(run, user_id='ana', run_id='r2')
    with pytest.raises(MemoryNotFound, match='nonsense'):
        memory.revert('nonsense', user_id='ana')
    memory.project_wide().revert(mine)
    memory.revert(run, user_id='ana', run_id='r1')
    assert texts(memory) == []


def test_what_was_erased_does_not_come_back(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    moved = memory.add('I moved to Porto', user_id='ana', run_id='r1').changes[0].after.change_id
    memory.delete_all(user_id='ana', run_id='r1')
    with pytest.raises(Conflict, match='erased'):
        memory.revert(moved, user_id='ana')


def test_edits_by_hand_are_reverted_with_their_words(memory: Memory) -> None:
    (fact,) = memory.add('Likes tea', user_id='ana', infer=False).memories
    before = current_state(memory)
    memory.update(fact.id, text='Likes coffee', tags=['drinks'], user_id='ana')
    assert memory.search('coffee', user_id='ana')[0].text == 'Likes coffee'
    memory.revert(memory.changes(user_id='ana').items[0].id, user_id='ana')
    assert current_state(memory) == before
    assert memory.search('tea', user_id='ana', strategy='keyword')[0].text == 'Likes tea'
    assert memory.search('coffee', user_id='ana', strategy='keyword') == []


def test_the_history_of_a_slot_tells_all_its_values(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    memory.add('I moved to Porto', user_id='ana')
    told = [(e.op, (e.after or {})['text']) for e in memory.history(slot='home.city', user_id='ana')]
    assert told[0] == ('add', 'Lives in Lisbon')
    assert sorted(told[1:]) == [('add', 'Lives in Porto'), ('supersede', 'Lives in Lisbon')]
    assert memory.history(slot='home.city', user_id='ben') == []
    with pytest.raises(InvalidInput, match='memory_id or a slot'):
        memory.history(user_id='ana')


# Revert, where it is not simple


def change_ids(memory: Memory) -> list[str]:
    """Oldest first."""
    return [c.id for c in memory.changes(user_id='ana', limit=1000)][::-1]


def test_a_change_that_was_undone_and_done_again_is_undone_with_what_it_rests_on(memory: Memory) -> None:
    for value in ('Oslo', 'Rome', 'Bonn', 'Kyiv'):
        memory.add(value, user_id='ana', infer=False, slot='home.city')
    changes = change_ids(memory)
    undone = memory.revert(changes[3], user_id='ana')
    memory.revert(undone.id, user_id='ana')
    memory.revert(changes[1], cascade=True, user_id='ana')
    assert texts(memory) == ['Oslo']


def test_a_value_that_was_deleted_and_brought_back_stands_in_the_way(memory: Memory) -> None:
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot='home.city').memories
    memory.delete(fact.id, user_id='ana')
    (other,) = memory.add('Rome', user_id='ana', infer=False, slot='home.city').memories
    memory.delete(other.id, user_id='ana')
    deleted = change_ids(memory)
    again = memory.revert(deleted[3], user_id='ana')
    with pytest.raises(Conflict, match=again.id):
        memory.revert(deleted[1], user_id='ana')
    memory.revert(deleted[1], cascade=True, user_id='ana')
    assert texts(memory) == ['Oslo']


@pytest.mark.parametrize('slot', ['home.city', None])
@pytest.mark.parametrize('ends', [('2090-01-01', None), (None, '2090-01-01'), ('2090-01-01', '2091-01-01')])
def test_a_value_with_an_end_does_not_come_back_beside_another(
    memory: Memory, slot: str | None, ends: tuple[str | None, str | None]
) -> None:
    again = 'Rome' if slot else 'oslo.'
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot=slot, valid_to=ends[0]).memories
    memory.delete(fact.id, user_id='ana')
    memory.add(again, user_id='ana', infer=False, slot=slot, valid_to=ends[1])
    with pytest.raises(Conflict, match='later changes depend on it'):
        memory.revert(change_ids(memory)[1], user_id='ana')
    assert texts(memory) == [again]
    memory.revert(change_ids(memory)[1], cascade=True, user_id='ana')
    assert texts(memory) == ['Oslo']


def test_values_of_different_times_come_back_side_by_side(memory: Memory) -> None:
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot='home.city', valid_to='2090-01-01').memories
    memory.delete(fact.id, user_id='ana')
    memory.add('Rome', user_id='ana', infer=False, slot='home.city', valid_from='2090-01-01')
    memory.revert(change_ids(memory)[1], user_id='ana')
    assert texts(memory) == ['Oslo']
    assert texts(memory, as_of='2090-06-01') == ['Rome']


def test_two_that_stood_side_by_side_do_so_again(memory: Memory) -> None:
    (fact,) = memory.add('Likes tea', user_id='ana', infer=False, valid_to='2090-01-01').memories
    chess = memory.add('Likes chess', user_id='ana', infer=False).changes[0].after.change_id
    memory.update(fact.id, text='Likes chess', user_id='ana')
    memory.update(fact.id, text='Likes go', user_id='ana')
    edited = change_ids(memory)[-1]
    memory.revert(memory.revert(chess, user_id='ana').id, user_id='ana')
    memory.revert(edited, user_id='ana')
    assert texts(memory) == ['Likes chess', 'Likes chess']


class WatchedStore(SQLiteStore):
    """Tells what a revert asks for, and lets somebody in between."""

    def __init__(self) -> None:
        super().__init__(':memory:')
        self.asked = 0
        self.between: Callable[[], Awaitable[object]] | None = None
        self.hidden: set[str] = set()
        self.commits = 0

    async def change(self, change_id: str, *, project: str) -> tuple[Owner, Change] | None:
        self.asked += 1
        return await super().change(change_id, project=project)

    async def versions(self, memory_id: str, *, project: str) -> Sequence[MemoryRecord]:
        self.asked += 1
        return await super().versions(memory_id, project=project)

    async def snapshot(self, owner: Owner, **wanted: Any) -> Snapshot:
        self.asked += 1
        if wanted.get('latest') and self.between is not None:
            between, self.between = self.between, None
            await between()
        found = await super().snapshot(owner, **wanted)
        return dataclasses.replace(found, memories=[m for m in found.memories if m.id not in self.hidden])

    async def commit(self, commit: Commit) -> None:
        self.commits += 1
        await super().commit(commit)


@pytest.fixture
def watched() -> Iterator[tuple[WatchedStore, Memory]]:
    store = WatchedStore()
    with Memory(store=store, embedder=HashingEmbedder()) as opened:
        yield store, opened


def test_what_a_long_cascade_asks_for_grows_with_its_length(watched: tuple[WatchedStore, Memory]) -> None:
    store, memory = watched
    asked: list[int] = []
    for user, count in (('ana', 20), ('ben', 60)):
        for number in range(count):
            memory.add(f'City {number}', user_id=user, infer=False, slot='home.city')
        first = memory.changes(user_id=user, limit=1000).items[-1].id
        store.asked = 0
        undone = memory.revert(first, cascade=True, user_id=user)
        asked.append(store.asked)
        assert len(undone.edits) == count
        assert memory.get_all(user_id=user).items == ()
        assert undone.reason.startswith(f'revert of {first}, ')
        assert undone.reason.endswith(f' and {count - 5} more')
    assert asked[1] <= 3 * asked[0]


@pytest.mark.parametrize('whole', [True, False])
def test_an_erasure_while_a_change_is_reverted_wins(watched: tuple[WatchedStore, Memory], whole: bool) -> None:
    store, memory = watched
    memory.add('Likes tea', user_id='ana', run_id='r1', infer=False)
    owner = Owner('default', 'user', 'ana')
    store.between = lambda: store.erase(Erasure(owner, run_id=None if whole else 'r1'))
    with pytest.raises((MemoryNotFound, Conflict), match=r'does not exist|erased'):
        memory.revert(change_ids(memory)[0], user_id='ana')
    assert texts(memory, include_inactive=True) == []


def test_a_contradiction_the_store_refuses_is_told_at_once_with_the_memory_in_the_way(
    watched: tuple[WatchedStore, Memory],
) -> None:
    store, memory = watched
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot='home.city').memories
    memory.delete(fact.id, user_id='ana')
    (other,) = memory.add('Rome', user_id='ana', infer=False, slot='home.city').memories
    store.hidden, store.commits = {other.id}, 0
    with pytest.raises(Conflict, match='no later change says so'):
        memory.revert(change_ids(memory)[1], user_id='ana')
    assert store.commits == 1
    assert texts(memory) == ['Rome']


def test_a_confirmation_is_not_reverted_when_what_it_confirmed_was_erased(memory: Memory) -> None:
    for run in ('r1', 'r2'):
        memory.add('Likes tea', user_id='ana', run_id=run, infer=False)
    memory.delete_all(user_id='ana', run_id='r1')
    (confirmed,) = change_ids(memory)
    with pytest.raises(Conflict, match='erased'):
        memory.revert(confirmed, user_id='ana')
    assert texts(memory) == ['Likes tea']


def test_a_change_is_not_reverted_from_a_scope_that_does_not_hold_what_depends_on_it(memory: Memory) -> None:
    (fact,) = memory.add('Oslo', user_id='ana', infer=False, slot='home.city').memories
    memory.delete(fact.id, user_id='ana')
    deleted = change_ids(memory)[-1]
    memory.add('Rome', user_id='ana', infer=False, slot='home.city')
    memory.add('Busy today', user_id='ana', run_id='r2', infer=False, level='run')
    memory.reset(user_id='ana', kinds=['knowledge'])
    memory.revert(change_ids(memory)[-1], user_id='ana')  # brings back Rome, and what belongs to r2
    with pytest.raises(Conflict, match='cannot be reverted from this scope'):
        memory.revert(deleted, cascade=True, user_id='ana', run_id='r1')
    assert texts(memory) == ['Busy today', 'Rome']
    memory.revert(deleted, cascade=True, user_id='ana')
    assert texts(memory) == ['Oslo']


# Any sequence

VALUES = ('Oslo', 'Rome', 'Bonn')
FACTS = ('Likes tea', 'Likes chess', 'Has a dog')
REWORDED = ('Really likes tea', 'likes chess!')  # what a clean then merges
LATER = datetime(2090, 1, 1, tzinfo=UTC)
RUNS = (None, 'r1', 'r2')
Step = Callable[[Memory], None]


@pytest.fixture(scope='module')
def shared() -> Iterator[Memory]:
    """One file for all sequences: each has a project of its own."""
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor(_read)) as opened:
        yield opened


_numbers = itertools.count()


def _afresh(memory: Memory) -> Memory:
    return memory.in_project(f'sequence {next(_numbers)}')


def _pick(memory: Memory, number: int) -> MemoryRecord | None:
    found = memory.get_all(user_id='ana').items
    return found[number % len(found)] if found else None


def _said(text: str, slot: str | None, day: int, run_id: str | None, until: datetime | None) -> Step:
    def step(memory: Memory) -> None:
        at = START + timedelta(days=day)
        level = 'run' if run_id == 'r2' else None
        memory.add(
            text, user_id='ana', run_id=run_id, level=level, infer=False, slot=slot, occurred_at=at, valid_to=until
        )

    return step


def _edited(number: int, text: str) -> Step:
    def step(memory: Memory) -> None:
        found = _pick(memory, number)
        if found is not None and found.text != text:
            with contextlib.suppress(Conflict):  # another one says so already
                memory.update(found.id, text=text, locked=False, user_id='ana')

    return step


def _deleted(number: int) -> Step:
    def step(memory: Memory) -> None:
        found = _pick(memory, number)
        if found is not None:
            memory.delete(found.id, user_id='ana')

    return step


def _proposed(op: str, number: int, text: str, slot: str | None, day: int) -> Step:
    def step(memory: Memory) -> None:
        memory.add(f'{op} {number} {slot} {text}', user_id='ana', occurred_at=START + timedelta(days=day))

    return step


def _tidied(how: str) -> Step:
    def step(memory: Memory) -> None:
        if how == 'merge':
            memory.clean(user_id='ana', merge_duplicates=True)
        elif how == 'drop':
            memory.clean(user_id='ana', max_confidence=0.9)
        else:
            memory.reset(user_id='ana', kinds=['knowledge'])

    return step


def _reverted(number: int) -> Step:
    """One of the latest changes, a revert perhaps."""

    def step(memory: Memory) -> None:
        changes = memory.changes(user_id='ana', limit=4).items
        if changes:
            with contextlib.suppress(Conflict):  # undone already
                memory.revert(changes[number % len(changes)].id, cascade=True, user_id='ana')

    return step


def _read(request: ExtractionRequest) -> Extraction:
    """Does what the message says: an operation, which of the memories shown, slot and words."""
    (message,) = request.messages
    op, number, slot, text = message.text.split(' ', 3)
    shown = sorted(request.existing, key=lambda m: m.text)
    target = shown[int(number) % len(shown)].id if shown else None
    proposal = Proposal(
        op=op,  # pyright: ignore[reportArgumentType]
        text=text,
        slot=None if slot == 'None' else slot,
        target=target,
        evidence=(Quote(0, 0, len(message.text)),),
    )
    return Extraction(proposals=[proposal])


DAYS = st.integers(0, 12)
SLOTS = st.sampled_from([None, 'home.city'])
UNTIL = st.sampled_from([None, None, LATER, LATER + timedelta(days=1)])
SAID = st.one_of(
    st.builds(_said, st.sampled_from(VALUES), st.just('home.city'), DAYS, st.sampled_from(RUNS), UNTIL),
    st.builds(_said, st.sampled_from(FACTS), st.none(), DAYS, st.sampled_from(RUNS), UNTIL),
)
STEPS = st.one_of(
    SAID,
    st.builds(_edited, st.integers(0, 5), st.sampled_from((*VALUES, *FACTS, *REWORDED))),
    st.builds(_deleted, st.integers(0, 5)),
    st.builds(
        _proposed,
        st.sampled_from(('add', 'supersede', 'correct', 'confirm', 'retract')),
        st.integers(0, 5),
        st.sampled_from((*VALUES, *FACTS)),
        SLOTS,
        DAYS,
    ),
    st.builds(_reverted, st.integers(0, 3)),
    st.builds(_tidied, st.sampled_from(('merge', 'drop', 'reset'))),
)


def _last(memory: Memory) -> Change | None:
    return next(iter(memory.changes(user_id='ana', limit=1)), None)


def contradictions(memory: Memory) -> set[tuple[str, str]]:
    """Ids of memories of which only one can be current."""
    current = memory.get_all(user_id='ana', limit=1000).items
    return {
        (a.id, b.id)
        for a, b in itertools.combinations(current, 2)
        if (a.level, a.scope) == (b.level, b.scope) and (a.hash == b.hash or (a.slot and a.slot == b.slot))
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=SAID, steps=st.lists(STEPS, max_size=6), pick=st.integers(0, 6))
def test_reverting_gives_back_the_state_before_and_keeps_what_was_believed(
    shared: Memory, first: Step, steps: list[Step], pick: int
) -> None:
    memory = _afresh(shared)
    done: list[tuple[str, Any]] = []
    before, last = current_state(memory), None
    by_hand: set[tuple[str, str]] = set()
    for step in (first, *steps):
        step(memory)
        change = _last(memory)
        if change is not None and change.id != last:
            if change.reason == 'edited':  # by hand the same may be said twice, with and without an end
                by_hand |= contradictions(memory)
            assert contradictions(memory) <= by_hand
            done.append((change.id, before))
            before, last = current_state(memory), change.id
    final, between = before, datetime.now(UTC)
    believed = texts(memory, known_at=between)

    # One from the middle, with whatever depends on it; then that is taken back.
    with contextlib.suppress(Conflict):  # what it added was deleted since: it is undone already
        undone = memory.revert(done[pick % len(done)][0], cascade=True, user_id='ana')
        assert contradictions(memory) <= by_hand
        assert texts(memory, known_at=between) == believed
        memory.revert(undone.id, user_id='ana')
    assert current_state(memory) == final

    # And all of them, latest first.
    for change, before in reversed(done):
        memory.revert(change, user_id='ana')
        assert current_state(memory) == before
    assert texts(memory, known_at=between) == believed


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(STEPS, max_size=4),
    op=st.sampled_from(('add', 'supersede', 'correct', 'confirm', 'retract')),
    number=st.integers(0, 5),
    text=st.sampled_from((*VALUES, *FACTS)),
    slot=SLOTS,
    day=DAYS,
)
def test_any_preview_is_what_the_add_then_does(
    shared: Memory, steps: list[Step], op: str, number: int, text: str, slot: str | None, day: int
) -> None:
    memory = _afresh(shared)
    for step in steps:
        step(memory)
    said, at = f'{op} {number} {slot} {text}', START + timedelta(days=day)
    shown = memory.preview(said, user_id='ana', occurred_at=at)
    done = memory.add(said, user_id='ana', occurred_at=at)
    assert done.skipped == shown.skipped
    assert [_outline(e) for e in done.changes] == [_outline(e) for e in shown.changes]


def _outline(edit: Edit) -> dict[str, Any]:
    """What an edit does, without the ids and moments of its own making."""
    own = (*BOOKKEEPING, 'id', 'supersedes', 'superseded_by', 'evidence')
    kept = {k: v for k, v in dataclasses.asdict(edit.after).items() if k not in own}
    quotes = [e.quote for e in edit.after.evidence]
    return {**kept, 'op': edit.op, 'before': edit.before and edit.before.id, 'quotes': quotes}
