"""The tables of docs/scopes.md, for every combination of ids, and that nothing crosses a border."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from _fakes import fast, texts
from _pages import ROOT
from memoranda import InvalidScope, Memory, MemoryNotFound, Scope
from memoranda.scope import Owner

IDS = {'user': 'user_id', 'run': 'run_id', 'agent': 'agent_id', 'app': 'app_id'}
VALUES = {'user': 'ana', 'run': 's1', 'agent': 'bot', 'app': 'shop'}
COMBINATIONS = [
    tuple(name for name, given in zip(IDS, chosen, strict=True) if given) for chosen in product((True, False), repeat=4)
]
"""Every subset of the ids; the empty one stands for `Scope.GLOBAL`."""
SHARED = '`Scope.GLOBAL`'


def named(combination: tuple[str, ...]) -> str:
    return ', '.join(combination) or SHARED


def scope_of(combination: tuple[str, ...], **other: str) -> Scope:
    values = {**VALUES, **other}
    return Scope(**{IDS[name]: values[name] for name in combination})


def table(first_line: str) -> dict[str, list[str]]:
    """A table of the page by its header: first cell -> the others."""
    lines = (ROOT / 'docs' / 'scopes.md').read_text(encoding='utf-8').splitlines()
    start = lines.index(first_line) + 2
    rows: dict[str, list[str]] = {}
    for line in lines[start:]:
        if not line.startswith('|'):
            break
        key, *cells = [cell.strip() for cell in line.strip('|').split('|')]
        rows[key] = cells
    return rows


WRITES = table('| ids given | owner | level of its facts |')
READS = table("| ids given | user level | run level | agent's own | app's | global |")
ERASES = table('| ids given | erased of | only what was said under |')

# One fact in each place a memory can be, beside the same of somebody else.
PLACES: dict[str, tuple[Scope, bool]] = {
    'user': (Scope(user_id='ana'), False),
    'user run s1': (Scope(user_id='ana', run_id='s1'), True),
    'user run s2': (Scope(user_id='ana', run_id='s2'), True),
    'run s1': (Scope(run_id='s1'), False),
    'run s2': (Scope(run_id='s2'), False),
    'agent': (Scope(agent_id='bot'), False),
    'app': (Scope(app_id='shop'), False),
    'global': (Scope.GLOBAL, False),
    'other user': (Scope(user_id='ben'), False),
    'other user run s1': (Scope(user_id='ben', run_id='s1'), True),
    'other agent': (Scope(agent_id='bot2'), False),
    'other app': (Scope(app_id='shop2'), False),
}


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


@pytest.fixture
def filled(memory: Memory) -> tuple[Memory, dict[str, str]]:
    """A memory with a fact in every place, and their ids by place. The other project holds the same."""
    ids: dict[str, str] = {}
    for project in ('default', 'elsewhere'):
        for place, (scope, run_level) in PLACES.items():
            view = memory.in_project(project).scoped(scope)
            added = view.add(f'fact of {place} in {project}', infer=False, level='run' if run_level else None)
            if project == 'default':
                ids[place] = added.memories[0].id
    return memory, ids


def visible(combination: tuple[str, ...], *, shared: bool = False) -> set[str]:
    """The places that the table says these ids read."""
    user, run, agent, app, everyone = READS[named(combination)]
    places: set[str] = set()
    if user:
        places.add('user')
    if run:
        assert run in ('all runs of the user', 'that run of the user', 'that run')
        places |= {
            'all runs of the user': {'user run s1', 'user run s2'},
            'that run of the user': {'user run s1'},
            'that run': {'run s1'},
        }[run]
    if agent:
        places.add('agent')
    if app:
        places.add('app')
    if everyone or shared:
        places.add('global')
    return places


def as_texts(places: set[str]) -> list[str]:
    return sorted(f'fact of {place} in default' for place in places)


def test_the_tables_have_a_row_for_every_combination() -> None:
    every = {named(c) for c in COMBINATIONS}
    assert set(WRITES) == every
    assert set(READS) == every
    assert set(ERASES) == every


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_add_writes_to_the_owner_and_level_of_the_table(memory: Memory, combination: tuple[str, ...]) -> None:
    owner, levels = WRITES[named(combination)]
    kind = owner.removeprefix('the ')
    view = memory.scoped(scope_of(combination))
    plain = view.add('a plain fact').memories[0]
    here = view.add('here: a fact of the conversation').memories[0]
    given = view.add('a fact as given', infer=False).memories[0]
    level = {'project': 'global'}.get(kind, kind)
    key = VALUES.get(level, '')
    for record in (plain, here, given):
        assert record.scope.home(record.project) == Owner('default', level, key)
        assert record.said_under == scope_of(combination)
    assert levels.split(',')[0] == level
    assert plain.level == given.level == level
    may_choose_run = 'or run' in levels
    assert here.level == ('run' if may_choose_run else level)
    assert here.scope.run_id == ('s1' if here.level == 'run' else None)
    assert {m.id for m in view.get_all().items} == {plain.id, here.id, given.id}


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_reads_see_the_levels_of_the_table_and_nothing_else(
    filled: tuple[Memory, dict[str, str]], combination: tuple[str, ...]
) -> None:
    memory, _ = filled
    view = memory.scoped(scope_of(combination))
    expected = as_texts(visible(combination))
    assert texts(view.get_all().items) == expected
    assert texts(h.memory for h in view.search('fact', top_k=50) if h.memory) == expected
    for strategy in ('semantic', 'keyword', 'recency'):
        found = view.search('fact', top_k=50, strategy=strategy)
        assert texts(h.memory for h in found if h.memory) == expected


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_context_sees_the_same_and_the_projects_shared_memories(
    filled: tuple[Memory, dict[str, str]], combination: tuple[str, ...]
) -> None:
    memory, _ = filled
    view = memory.scoped(scope_of(combination))
    block = view.context('fact of', max_tokens=5000, top_k=50, include=('memories',))
    seen = visible(combination, shared=True)
    if 'run' not in combination:  # what holds in one conversation is not for another
        seen = {place for place in seen if not place.startswith('user run')}
    expected = as_texts(seen)
    assert texts(h.memory for h in block.relevant if h.memory) == expected
    assert [line for place in PLACES if (line := f'fact of {place} in default ') in block.text] == [
        f'fact of {place} in default ' for place in PLACES if f'fact of {place} in default' in expected
    ]
    assert 'elsewhere' not in block.text


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_calls_by_id_reach_what_the_same_ids_read(
    filled: tuple[Memory, dict[str, str]], combination: tuple[str, ...]
) -> None:
    memory, ids = filled
    view = memory.scoped(scope_of(combination))
    for place, id_ in ids.items():
        if place in visible(combination):
            assert view.get(id_).id == id_
            assert [entry.op for entry in view.history(id_)] == ['add']
            assert view.update(id_, tags=['seen']).tags == ('seen',)
            view.delete(id_)
            with pytest.raises(MemoryNotFound, match='deleted'):
                view.get(id_)
            continue
        for call in (view.get, view.history, view.delete, lambda i: view.update(i, text='taken over')):
            with pytest.raises(MemoryNotFound, match='does not exist in this scope'):
                call(id_)
    left = [p for p in ids if p not in visible(combination)]
    assert [memory.project_wide().get(ids[p]).text for p in left] == [f'fact of {p} in default' for p in left]


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_get_slot_answers_with_the_most_personal_value_the_ids_read(
    memory: Memory, combination: tuple[str, ...]
) -> None:
    order = ['user run s1', 'user', 'run s1', 'agent', 'app', 'global']
    for place in order:
        scope, run_level = PLACES[place]
        memory.scoped(scope).add(f'tea in {place}', infer=False, slot='drink', level='run' if run_level else None)
    for place in ('user run s2', 'other user', 'other agent', 'other app', 'run s2'):
        scope, run_level = PLACES[place]
        memory.scoped(scope).add('coffee', infer=False, slot='drink', level='run' if run_level else None)
    readable = visible(combination)
    if 'run' not in combination:
        readable -= {'user run s1', 'user run s2'}
    expected = next(place for place in order if place in readable)
    found = memory.scoped(scope_of(combination)).get_slot('drink')
    assert found is not None
    assert found.text == f'tea in {expected}'


@pytest.mark.parametrize('combination', COMBINATIONS, ids=named)
def test_delete_all_erases_what_the_table_says(memory: Memory, combination: tuple[str, ...]) -> None:
    # A fact said under every combination of ids, of this scope's values and of others'.
    said = [(c, other) for c in COMBINATIONS for other in ((), *((name,) for name in c))]
    for c, other in said:
        values = {name: f'{VALUES[name]}-other' for name in other}
        memory.scoped(scope_of(c, **values)).add(f'under {named(c)} other {named(other)}', infer=False)
    owner, narrowing = ERASES[named(combination)]
    scope = scope_of(combination)
    kind = {'project': 'global'}.get(owner.removeprefix('the '), owner.removeprefix('the '))
    home = Owner('default', kind, VALUES.get(kind, ''))
    narrowed_by = [IDS[name] for name in narrowing.split(', ') if name]

    def erased(c: tuple[str, ...], other: tuple[str, ...]) -> bool:
        values = scope_of(c, **{name: f'{VALUES[name]}-other' for name in other})
        return values.home('default') == home and all(getattr(values, n) == getattr(scope, n) for n in narrowed_by)

    result = memory.scoped(scope).delete_all()
    gone = [(c, o) for c, o in said if erased(c, o)]
    assert gone
    assert (result.memories, result.episodes) == (len(gone), len(gone))
    for c, other in said:
        values = {name: f'{VALUES[name]}-other' for name in other}
        view = memory.scoped(scope_of(c, **values))
        text = f'under {named(c)} other {named(other)}'
        assert (text in texts(view.get_all(limit=1000).items)) is not erased(c, other)


def test_erasing_an_agent_leaves_the_facts_users_told_it(memory: Memory) -> None:
    memory.add('ana likes tea', infer=False, user_id='ana', agent_id='bot')
    memory.add('short answers work', infer=False, agent_id='bot')
    memory.delete_all(agent_id='bot')
    assert texts(memory.get_all(user_id='ana')) == ['ana likes tea']
    assert len(memory.get_all(agent_id='bot')) == 0


def test_the_same_fact_told_to_two_agents_is_one_memory(memory: Memory) -> None:
    first = memory.add('I like tea', user_id='ana', agent_id='bot').memories[0]
    second = memory.add('I like tea', user_id='ana', agent_id='bot2').memories[0]
    assert second.id == first.id
    assert len(second.evidence) == 2
    assert len(memory.get_all(user_id='ana')) == 1


def test_the_same_fact_of_the_user_and_of_a_run_are_two(memory: Memory) -> None:
    memory.add('I like tea', user_id='ana', run_id='s1')
    memory.add('here: I like tea', user_id='ana', run_id='s1')
    memory.add('here: I like tea', user_id='ana', run_id='s2')
    assert [m.level for m in memory.get_all(user_id='ana')] == ['user', 'run', 'run']


def test_a_run_of_one_user_is_not_the_run_of_another_or_of_nobody(memory: Memory) -> None:
    for ids in ({'user_id': 'ana'}, {'user_id': 'ben'}, {}):
        memory.add(f'here: {ids}', run_id='s1', **ids)
    for ids in ({'user_id': 'ana'}, {'user_id': 'ben'}, {}):
        assert texts(memory.get_all(run_id='s1', **ids)) == [str(ids)]


@pytest.mark.parametrize('other', ['Ana', 'ana ', 'an', 'ana%', 'an_', 'а' + 'na', 'ana\u200b'])
def test_ids_are_compared_exactly(memory: Memory, other: str) -> None:
    memory.add('a fact', user_id='ana')
    if other.strip() != other:
        with pytest.raises(InvalidScope, match='white space'):
            memory.get_all(user_id=other)
        return
    assert len(memory.get_all(user_id=other)) == 0
    assert memory.search('fact', user_id=other, include=('memories', 'episodes')) == []


@pytest.mark.parametrize('id_', ['a b', '😀', 'a/b:c', "'; DROP TABLE memory; --", 'ü' * 256, '%', '**', '*a', '-1'])
def test_ids_may_hold_anything_visible(memory: Memory, id_: str) -> None:
    for name in IDS.values():
        memory.add('a fact', **{name: id_})
        assert texts(memory.get_all(**{name: id_})) == ['a fact']


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        ('*', 'wildcard'),
        ('', 'is empty'),
        ('  ', 'is empty'),
        (' a', 'white space around'),
        ('a\n', 'white space around'),
        ('a\0b', 'control characters'),
        ('a\x7fb', 'control characters'),
        ('a\ud800b', 'half a surrogate pair'),
        ('a' * 257, '257 characters'),
        (7, 'is an int'),
        (b'ana', 'is a bytes'),
        (['ana'], 'is a list'),
        (True, 'is a bool'),
    ],
)
@pytest.mark.parametrize('name', [*IDS.values(), 'project', 'session_id'])
def test_an_id_that_cannot_be_one_is_refused_everywhere(memory: Memory, name: str, value: Any, reason: str) -> None:
    shown = name.replace('session', 'run')
    refused = memory.in_project if name == 'project' else lambda value: memory.add('a fact', **{name: value})
    with pytest.raises(InvalidScope, match=reason) as caught:
        refused(value)
    assert str(caught.value).startswith(shown)
    assert len(str(caught.value)) < 400
    if name != 'project':
        for call in (memory.get_all, memory.delete_all, lambda **ids: memory.search('x', **ids)):
            with pytest.raises(InvalidScope, match=reason):
                call(**{name: value})
    assert memory.stats().owners == 0


def test_a_call_without_any_id_is_refused(memory: Memory) -> None:
    record = memory.add('a fact', user_id='ana').memories[0]
    for call in (
        lambda: memory.add('a fact'),
        lambda: memory.search('fact'),
        lambda: memory.context('fact'),
        memory.get_all,
        memory.episodes,
        memory.delete_all,
        lambda: memory.get(record.id),
        lambda: memory.update(record.id, text='x'),
        lambda: memory.delete(record.id),
        lambda: memory.history(record.id),
        lambda: memory.get_slot('home.city'),
    ):
        with pytest.raises(InvalidScope, match=r'no id was given: pass user_id'):
            call()
    assert memory.get(record.id, user_id='ana') == record


def test_session_id_is_run_id_and_both_must_agree(memory: Memory) -> None:
    memory.add('here: a fact', user_id='ana', session_id='s1')
    assert len(memory.get_all(user_id='ana', run_id='s1')) == 1
    assert len(memory.get_all(user_id='ana', run_id='s1', session_id='s1')) == 1
    with pytest.raises(InvalidScope, match='are the same thing'):
        memory.get_all(user_id='ana', run_id='s1', session_id='s2')


def test_a_bound_view_needs_no_ids_and_takes_no_others(memory: Memory) -> None:
    view = memory.scoped(Scope(user_id='ana', run_id='s1'))
    record = view.add('a fact').memories[0]
    assert view.get(record.id, user_id='ana') == record
    assert texts(view.get_all(session_id='s1')) == ['a fact']
    for ids in ({'user_id': 'ben'}, {'run_id': 's2'}, {'agent_id': 'bot'}, {'app_id': 'shop'}):
        with pytest.raises(InvalidScope, match='outside the scope this memory is bound to'):
            view.get_all(**ids)
        with pytest.raises(InvalidScope, match='outside the scope this memory is bound to'):
            view.add('a fact', **ids)


def test_a_view_in_another_project_keeps_what_it_is_bound_to(memory: Memory) -> None:
    view = memory.scoped(Scope(user_id='ana')).in_project('acme')
    view.add('a fact')
    assert view.project == 'acme'
    assert len(memory.in_project('acme').get_all(user_id='ana')) == 1
    with pytest.raises(InvalidScope, match='bound'):
        view.get_all(user_id='ben')


def test_what_is_not_a_scope_cannot_be_bound(memory: Memory) -> None:
    with pytest.raises(InvalidScope, match=r"scope='ana' is a str.*Scope\(user_id="):
        memory.scoped('ana')  # pyright: ignore[reportArgumentType]


def test_projects_share_nothing_but_the_file(memory: Memory) -> None:
    record = memory.add('a fact', user_id='ana').memories[0]
    other = memory.in_project('acme')
    assert other.location == memory.location
    assert len(other.get_all(user_id='ana')) == 0
    assert other.search('fact', user_id='ana', include=('memories', 'episodes')) == []
    with pytest.raises(MemoryNotFound):
        other.get(record.id, user_id='ana')
    with pytest.raises(MemoryNotFound):
        other.project_wide().get(record.id)
    with pytest.raises(MemoryNotFound):
        other.project_wide().delete(record.id)
    other.delete_all(user_id='ana')
    assert memory.get(record.id, user_id='ana') == record


def test_a_project_wide_view_reaches_any_memory_of_the_project_by_id(filled: tuple[Memory, dict[str, str]]) -> None:
    memory, ids = filled
    wide = memory.project_wide()
    for place, id_ in ids.items():
        assert wide.get(id_).text == f'fact of {place} in default'
        assert wide.update(id_, pinned=True).pinned
        assert [e.op for e in wide.history(id_)] == ['add', 'update']
        wide.delete(id_)
    with pytest.raises(InvalidScope):  # only by id
        wide.get_all()
    with pytest.raises(InvalidScope):
        wide.search('fact')
    with pytest.raises(MemoryNotFound):  # and ids that are given count
        wide.get(ids['user'], user_id='ben')


def test_levels_narrow_what_is_read(filled: tuple[Memory, dict[str, str]]) -> None:
    memory, _ = filled
    ids = {'user_id': 'ana', 'run_id': 's1', 'agent_id': 'bot', 'app_id': 'shop'}
    for levels, places in (
        (('user',), {'user'}),
        (('run',), {'user run s1'}),
        (('user', 'run'), {'user', 'user run s1'}),
        (('agent', 'app'), {'agent', 'app'}),
        (('global',), set()),
    ):
        assert texts(memory.get_all(levels=levels, **ids)) == as_texts(places)
        found = memory.search('fact', levels=levels, top_k=50, **ids)
        assert texts(h.memory for h in found if h.memory) == as_texts(places)
    assert texts(memory.get_all(levels=('run',), user_id='ana')) == as_texts({'user run s1', 'user run s2'})
    assert texts(memory.get_all(levels=('run',), run_id='s1')) == as_texts({'run s1'})


def test_messages_are_as_isolated_as_facts(filled: tuple[Memory, dict[str, str]]) -> None:
    memory, _ = filled
    for combination in COMBINATIONS:
        view = memory.scoped(scope_of(combination))
        seen = set(visible(combination))  # a passage known in another conversation only is left out
        assert sorted(h.text for h in view.search('fact', top_k=50, include=('episodes',))) == as_texts(seen)
        listed = seen - {'user'} if {'user', 'run'} <= set(combination) else seen  # that conversation's own messages
        assert sorted(e.text for e in view.episodes().items) == as_texts(listed)
