"""Maintenance: what a clean or a reset takes, what it leaves, and that it can be undone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import memoranda.memory._reading
import memoranda.write.cleaning
from _fakes import fast, texts
from memoranda import InvalidInput, Memory
from memoranda.errors import InvalidFilter
from memoranda.records import MemoryRecord, fact_hash, new_id
from memoranda.scope import Scope
from memoranda.write.cleaning import CleanResult, is_workspace
from memoranda.write.duplicates import read

ANA = {'user_id': 'ana'}
NOW = datetime.now(UTC)


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


def tell(memory: Memory, text: str, *, days: float = 0, **fields: Any) -> MemoryRecord:
    """A fact that was said so many days ago."""
    fields = {**ANA, 'infer': False, 'occurred_at': NOW - timedelta(days=days), **fields}
    return memory.add(text, **fields).memories[0]


def current(memory: Memory, **ids: Any) -> list[str]:
    return texts(memory.get_all(**(ids or ANA)))


def state(memory: Memory) -> list[tuple[Any, ...]]:
    """What is believed, without who wrote which version when."""
    return [
        (m.id, m.text, m.status, m.confidence, m.evidence, m.valid_from, m.valid_to, m.said_at, m.tags, m.expires_at)
        for m in memory.get_all(include_inactive=True, **ANA)
        if m.status == 'active'
    ]


def later(monkeypatch: pytest.MonkeyPatch, module: Any, days: float) -> None:
    monkeypatch.setattr(module, 'now', lambda: datetime.now(UTC) + timedelta(days=days))


def test_what_has_expired_gets_its_status_and_nothing_else_changes(memory: Memory) -> None:
    tell(memory, 'parks on level 3', days=3, expires_at=NOW - timedelta(days=1))
    tell(memory, 'has a visa', days=3, expires_at=NOW + timedelta(days=1))
    tell(memory, 'likes tea', days=3)
    result = memory.clean(**ANA)
    assert [(e.op, e.after.text, e.after.status) for e in result.edits] == [('expire', 'parks on level 3', 'expired')]
    assert (result.counts, result.dry_run) == ({'expired': 1}, False)
    assert current(memory) == ['has a visa', 'likes tea']
    assert memory.clean(**ANA).changes == ()
    # What held then is still told.
    assert 'parks on level 3' in texts(memory.get_all(as_of=NOW - timedelta(days=2), **ANA))


def test_without_a_condition_nothing_is_dropped(memory: Memory) -> None:
    tell(memory, 'likes tea', days=5000, confidence=0.1)
    assert memory.clean(**ANA) == CleanResult()
    assert memory.clean(filters={}, expired=False, **ANA) == CleanResult()


def test_several_conditions_must_all_be_met(memory: Memory) -> None:
    tell(memory, 'old and sure', days=100, kind='event')
    tell(memory, 'old and unsure', days=100, kind='event', confidence=0.3)
    tell(memory, 'old and unsure of another kind', days=100, kind='goal', confidence=0.3)
    tell(memory, 'new and unsure', days=1, kind='event', confidence=0.3)
    tell(memory, 'old, unsure and needed', days=100, kind='event', confidence=0.3, tags=['keep'])
    result = memory.clean(
        older_than=timedelta(days=30),
        max_confidence=0.3,
        kinds=['event'],
        filters={'NOT': {'tags': 'keep'}},
        **ANA,
    )
    assert [e.after.text for e in result.edits] == ['old and unsure']
    [change] = result.changes
    assert (change.actor, change.reason) == ('clean', 'dropped by filters, older_than, max_confidence, kinds')
    [edit] = result.edits
    assert (edit.op, edit.after.status, edit.after.valid_to) == ('retract', 'retracted', None)
    assert len(current(memory)) == 4


def test_what_was_said_again_lately_is_not_old(memory: Memory) -> None:
    tell(memory, 'likes tea', days=100)
    tell(memory, 'likes tea', days=2)
    assert memory.clean(older_than=timedelta(days=30), **ANA).edits == ()


def test_unused_is_what_was_neither_recalled_nor_said_nor_written(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ('recalled lately', 'recalled long ago', 'never recalled'):
        tell(memory, text, days=400)
    # An import of old chats is not dropped before it had a chance.
    assert memory.clean(unused_for=timedelta(days=30), **ANA).edits == ()
    memory.search('recalled long ago', top_k=1, **ANA)
    later(monkeypatch, memoranda.memory._reading, 90)
    memory.search('recalled lately', top_k=1, **ANA)
    later(monkeypatch, memoranda.write.cleaning, 100)
    result = memory.clean(unused_for=timedelta(days=30), **ANA)
    assert sorted(e.after.text for e in result.edits) == ['never recalled', 'recalled long ago']


def test_pinned_and_locked_memories_are_left_alone_and_named(memory: Memory) -> None:
    tell(memory, 'likes tea', days=100, kind='event', pinned=True)
    edited = tell(memory, 'likes coffee', days=100, kind='event')
    memory.update(edited.id, text='likes good coffee', **ANA)
    tell(memory, 'likes cola', days=100, kind='event', expires_at=NOW - timedelta(days=1), pinned=True)
    result = memory.clean(kinds=['event'], **ANA)
    assert result.changes == ()
    assert sorted((one.memory.text, one.reason) for one in result.left) == [
        ('likes cola', 'pinned'),
        ('likes good coffee', 'locked'),
        ('likes tea', 'pinned'),
    ]


def test_a_dry_run_tells_what_a_run_then_does(memory: Memory) -> None:
    tell(memory, 'likes tea', days=100, kind='event')
    tell(memory, 'parks on level 3', days=3, expires_at=NOW - timedelta(days=1))
    tell(memory, 'enjoys jazz')
    tell(memory, 'likes jazz')
    options: dict[str, Any] = {'kinds': ['event'], 'merge_duplicates': True, **ANA}
    before = state(memory)
    told = memory.clean(dry_run=True, **options)
    assert (told.dry_run, state(memory), len(memory.changes(**ANA))) == (True, before, 4)
    done = memory.clean(**options)
    assert [(e.op, e.memory_id, e.after.status) for e in told.edits] == [
        (e.op, e.memory_id, e.after.status) for e in done.edits
    ]
    assert told.counts == done.counts == {'expired': 1, 'dropped': 1, 'merged': 1}
    assert done.changes[0].reason == 'expired; dropped by kinds; merged duplicates'
    assert memory.changes(**ANA).items[0].id == done.changes[0].id
    assert memory.clean(dry_run=True, **options).changes == ()


def test_reverting_brings_everything_back(memory: Memory) -> None:
    tell(memory, 'likes tea', days=100, kind='event')
    tell(memory, 'parks on level 3', days=3, expires_at=NOW - timedelta(days=1))
    tell(memory, 'enjoys jazz', confidence=0.5, tags=['music'])
    tell(memory, 'likes jazz', days=7)
    before = state(memory)
    [change] = memory.clean(kinds=['event'], merge_duplicates=True, **ANA).changes
    assert state(memory) != before
    memory.revert(change.id, **ANA)
    assert state(memory) == before


def test_a_run_cleans_its_own_facts_and_the_users(memory: Memory) -> None:
    tell(memory, 'is in a hurry', run_id='r1', level='run', kind='event')
    tell(memory, 'is at ease', run_id='r2', level='run', kind='event')
    result = memory.clean(kinds=['event'], run_id='r1', **ANA)
    assert [e.after.text for e in result.edits] == ['is in a hurry']


def test_the_best_supported_of_several_gets_the_evidence_of_all(memory: Memory) -> None:
    tell(memory, 'enjoys hiking', days=9, confidence=0.9, kind='preference')
    for days in (5, 3):
        tell(memory, 'likes hiking', days=days, confidence=0.6, kind='preference', tags=['sport'])
    tell(memory, 'really loves hiking', days=1, confidence=0.7, kind='preference', tags=['outdoors'])
    result = memory.clean(merge_duplicates=True, **ANA)
    [kept] = memory.get_all(**ANA).items
    assert (kept.text, kept.confirmations, kept.confidence) == ('likes hiking', 4, 0.9)
    assert set(kept.tags) == {'sport', 'outdoors'}
    assert (kept.valid_from, kept.said_at) == (NOW - timedelta(days=9), NOW - timedelta(days=1))
    assert result.counts == {'merged': 2}
    merged = [e.after for e in result.edits if e.op == 'retract']
    assert {m.superseded_by for m in merged} == {kept.id}
    # The past tells it once, too.
    assert texts(memory.get_all(as_of=NOW - timedelta(days=2), **ANA)) == ['likes hiking']


def test_facts_that_differ_in_kind_slot_level_time_or_metadata_are_no_duplicates(memory: Memory) -> None:
    tell(memory, 'likes jazz', kind='preference')
    tell(memory, 'enjoys jazz', kind='knowledge')
    tell(memory, 'loves jazz', kind='preference', slot='music')
    tell(memory, 'really likes jazz', kind='preference', run_id='r', level='run')
    tell(memory, 'also likes jazz', kind='preference', valid_to=NOW + timedelta(days=9))
    tell(memory, 'just likes jazz', kind='preference', expires_at=NOW + timedelta(days=9))
    tell(memory, 'very likes jazz', kind='preference', metadata={'band': 'blue'})
    for days in (1, 8):
        tell(memory, f'{"the " * (days == 1)}heard jazz', kind='event', days=days)
    assert memory.clean(merge_duplicates=True, **ANA).edits == ()


NOT_THE_SAME = [
    ('likes olives', "doesn't like olives"),
    ('likes olives', 'likes no olives'),
    ('has 2 cats', 'has 3 cats'),
    ('has two cats', 'has three cats'),
    ("Ana's birthday is in May", "Ben's birthday is in May"),
    ('prefers tea over coffee', 'prefers coffee over tea'),
    ('Ana manages Ben', 'Ben manages Ana'),
    ('takes insulin before meals', 'takes insulin after meals'),
    ('lives in Lisbon', 'lived in Lisbon'),
    ('keeps the garage locked at night', 'keeps the garage unlocked at night'),
    ('uses C', 'uses C++'),
    ('pays $5 a day', 'pays €5 a day'),
    ('keeps the fridge at -5 degrees', 'keeps the fridge at 5 degrees'),
    ('wakes up at 6 am', 'wakes up at 6 pm'),
    ('is allergic to peanuts', 'is allergic to walnuts'),
    ('has a younger sister', 'has an older sister'),
    ('mag Kaffee', 'mag keinen Kaffee'),
    ('le gusta el café', 'no le gusta el café'),
    ('喜欢猫', '喜欢狗'),
    ('wants code in typescript with strict types', 'wants code in typescript with loose types'),
]


@pytest.mark.parametrize('pair', NOT_THE_SAME, ids=' / '.join)
def test_what_only_sounds_the_same_is_never_merged(pair: tuple[str, str]) -> None:
    with Memory(':memory:') as memory:  # the bundled embedder, to which many of these are next to equal
        for text in pair:
            tell(memory, text, kind='preference')
        assert memory.clean(merge_duplicates=True, **ANA).edits == ()


def test_the_bundled_embedder_bridges_a_spelling() -> None:
    with Memory(':memory:') as memory:
        tell(memory, 'prefers the color blue for charts')
        tell(memory, 'prefers the colour blue for charts')
        assert memory.clean(merge_duplicates=True, **ANA).counts == {'merged': 1}


def record(text: str) -> MemoryRecord:
    return MemoryRecord(
        id=new_id(),
        version=1,
        project='p',
        level='user',
        scope=Scope(user_id='ana'),
        said_under=Scope(user_id='ana'),
        text=text,
        kind='preference',
        valid_from=NOW,
        said_at=NOW,
        recorded_at=NOW,
        hash=fact_hash(text),
    )


def merged(*said: str) -> int:
    """How many groups are found when the embedder takes everything for the same."""
    import numpy as np

    from memoranda.recall.tokens import index_terms

    alike = read([record(text) for text in said], index_terms)
    return len(alike.groups(dict.fromkeys(alike.texts, np.ones(1, dtype=np.float32))))


WORDS = st.lists(st.from_regex(r'[a-z]{4,9}', fullmatch=True), min_size=1, max_size=6)


@settings(max_examples=300)
@given(WORDS, st.integers(0, 5), st.sampled_from(['not', 'never', "doesn't", 'no', 'without', 'nicht', 'sin']))
def test_a_negation_is_never_merged_away_whatever_the_embedder_says(words: list[str], at: int, no: str) -> None:
    place = min(at, len(words))
    denied = [*words[:place], no, *words[place:]]
    assert merged(f'Likes {" ".join(words)}', f'Likes {" ".join(denied)}') == 0


@settings(max_examples=300)
@given(WORDS, st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_must_be_the_same_whatever_the_embedder_says(words: list[str], at: int, a: int, b: int) -> None:
    def said(number: int) -> str:
        place = min(at, len(words))
        return f'Has {" ".join([*words[:place], str(number), *words[place:]])}'

    assert merged(said(a), said(b)) == (a == b)


@settings(max_examples=300)
@given(
    WORDS,
    st.integers(0, 5),
    st.from_regex(r'[A-Z][a-z]{1,8}', fullmatch=True),
    st.from_regex(r'[A-Z][a-z]{1,8}', fullmatch=True),
)
def test_names_must_be_the_same_whatever_the_embedder_says(words: list[str], at: int, a: str, b: str) -> None:
    def said(name: str) -> str:
        place = min(at, len(words))
        return ' '.join([*words[:place], f"{name}'s", *words[place:]])

    assert merged(said(a), said(b)) == (a == b)


@settings(max_examples=200)
@given(st.lists(st.from_regex(r'[a-z]{4,9}', fullmatch=True), min_size=2, max_size=6, unique=True), st.randoms())
def test_the_order_of_words_must_be_the_same_whatever_the_embedder_says(words: list[str], random: Any) -> None:
    other = random.sample(words, len(words))
    assert merged(' '.join(words), ' '.join(other)) == (words == other)


def test_more_texts_of_one_pattern_than_a_hundred_are_a_list() -> None:
    colours = [f'{a}{b}ola' for a in 'bdfgklmnpr' for b in 'aeiouwyjhqz']
    assert merged(*(f'paints walls {c}' for c in colours[:2])) == 1
    assert merged(*(f'paints walls {c}' for c in colours)) == 0


def test_a_page_is_not_the_end_of_it_and_thousands_make_one_change(memory: Memory) -> None:
    memory.add([{'role': 'user', 'content': f'fact number {n}'} for n in range(1050)], run_id='r', **ANA)
    result = memory.clean(filters={'text': {'contains': 'number'}}, **ANA)
    assert (len(result.changes), len(result.edits)) == (1, 1050)
    assert current(memory) == []
    memory.revert(result.changes[0].id, **ANA)
    assert len(memory.get_all(limit=1000, **ANA)) == 1000


def test_writes_that_come_between_are_not_lost(memory: Memory) -> None:
    """Whoever cleans decides again when the ground has changed under it."""
    for n in range(20):
        tell(memory, f'event {n}', kind='event')
    start = threading.Barrier(3)

    def add() -> None:
        start.wait()
        for n in range(10):
            tell(memory, f'goal {n}', kind='goal')

    def confirm() -> None:
        start.wait()
        for n in range(20):
            tell(memory, f'event {n}', kind='event')

    threads = [threading.Thread(target=f) for f in (add, confirm)]
    for thread in threads:
        thread.start()
    start.wait()
    memory.clean(kinds=['event'], **ANA)
    for thread in threads:
        thread.join()
    assert sum(t.startswith('goal') for t in current(memory)) == 10
    memory.clean(kinds=['event'], **ANA)
    assert sum(t.startswith('event') for t in current(memory)) == 0


def test_reset_takes_tools_and_set_up_by_slot_and_tag(memory: Memory) -> None:
    tell(memory, 'uses Vim as their editor', slot='editor.preferred')
    tell(memory, 'prefers Python', slot='language.programming.preferred')
    tell(memory, 'uses PostgreSQL', tags=['workspace'], pinned=True)
    tell(memory, 'speaks Portuguese', slot='language.spoken')
    tell(memory, 'lives in Lisbon', slot='home.city')
    tell(memory, 'collects tools', slot='toolbox')
    locked = tell(memory, 'runs Linux', slot='os.preferred')
    memory.update(locked.id, locked=True, **ANA)
    result = memory.reset(**ANA)
    assert sorted(e.after.text for e in result.edits) == [
        'prefers Python',
        'uses PostgreSQL',
        'uses Vim as their editor',
    ]
    assert [(one.memory.text, one.reason) for one in result.left] == [('runs Linux', 'locked')]
    assert (result.changes[0].actor, result.changes[0].reason, result.counts) == ('reset', 'workspace', {'reset': 3})
    assert current(memory) == ['collects tools', 'lives in Lisbon', 'runs Linux', 'speaks Portuguese']
    memory.revert(result.changes[0].id, **ANA)
    assert memory.get_slot('editor.preferred', **ANA) is not None


def test_reset_by_kind_takes_the_whole_kind(memory: Memory) -> None:
    tell(memory, 'wants to run', kind='goal')
    tell(memory, 'uses Vim', slot='editor.preferred')
    assert [e.after.text for e in memory.reset(kinds=['goal'], dry_run=True, **ANA).edits] == ['wants to run']
    assert [e.after.text for e in memory.reset(kinds=['goal'], **ANA).edits] == ['wants to run']
    assert current(memory) == ['uses Vim']


def test_the_workspace_is_told_by_slot_or_tag(memory: Memory) -> None:
    assert is_workspace(tell(memory, 'a', slot='os'))
    assert is_workspace(tell(memory, 'b', tags=['x', 'workspace']))
    assert not is_workspace(tell(memory, 'c', slot='osaka.trip'))
    assert not is_workspace(tell(memory, 'd'))


@pytest.mark.parametrize(
    'wrong',
    [
        {'older_than': 30},
        {'older_than': timedelta(0)},
        {'unused_for': timedelta(days=-1)},
        {'max_confidence': 2},
        {'max_confidence': True},
        {'kinds': 'event'},
        {'kinds': []},
        {'kinds': ['Event']},
        {'filters': {'colour': 'red'}},
        {'expired': 'false'},
        {'merge_duplicates': 1},
        {'dry_run': 'no'},
    ],
    ids=str,
)
def test_what_can_not_be_used_is_refused_before_anything_changes(memory: Memory, wrong: dict[str, Any]) -> None:
    tell(memory, 'likes tea', kind='event', days=999, confidence=0)
    with pytest.raises((InvalidInput, InvalidFilter)) as raised:
        memory.clean(**wrong, **ANA)
    assert ': ' in str(raised.value)
    assert current(memory) == ['likes tea']


def test_durations_beyond_the_calendar_take_nothing(memory: Memory) -> None:
    tell(memory, 'likes tea', days=999)
    assert memory.clean(older_than=timedelta.max, unused_for=timedelta.max, **ANA).edits == ()


def test_somebody_nobody_knows_has_nothing_to_clean(memory: Memory) -> None:
    assert memory.clean(kinds=['event'], merge_duplicates=True, user_id='nobody') == CleanResult()
    assert memory.reset(user_id='nobody') == CleanResult()


def test_tidying_a_user_with_an_agent_leaves_what_the_agent_knows_for_everybody(memory: Memory) -> None:
    memory.add('Uses staging', agent_id='helper', infer=False, slot='tool.env')
    memory.add('Uses Vim', user_id='ana', agent_id='helper', infer=False, slot='editor.preferred')
    memory.reset(user_id='ana', agent_id='helper')
    assert texts(memory.get_all(user_id='ana')) == []
    assert texts(memory.get_all(agent_id='helper')) == ['Uses staging']
    memory.clean(user_id='ana', agent_id='helper', max_confidence=1.0)
    assert texts(memory.get_all(agent_id='helper')) == ['Uses staging']
