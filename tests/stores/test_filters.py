"""The SQL that filters become means what `memoranda.filters.matches` says."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _postgres import available, fresh_database
from memoranda import Memory
from memoranda._bridge import run
from memoranda.filters import ALLOWED, CHOICES, FIELDS, Filter, fields_of, matches, parse
from memoranda.records import Edit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.testing._bench import Bench

DAY = datetime(2026, 3, 1, tzinfo=UTC)
USERS = itertools.count()
ON_POSTGRESQL = int(os.environ.get('POSTGRESQL_EXAMPLES', '15'))
"""Examples that are tried there, where each takes some journeys to the server."""

ODD = "a A b ab Ab % _ * ' é É e\u0301 ß SS ǆ 1 true null \U0001f600 \ufffd \u202e 0 x.y [1] {}".split()
texts = st.sampled_from(['', '"', *ODD]) | st.text(st.characters(codec='utf-8', exclude_characters='\0'), max_size=6)
numbers = st.sampled_from([0, 1, -1, 1.0, 0.1, 0.5, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300, -0.0]) | st.floats(
    allow_nan=False, allow_infinity=False
)
scalars = st.none() | st.booleans() | numbers | st.sampled_from([2**63, 2**70, -(2**64)]) | texts
keys = st.sampled_from(['a', 'b', 'A', '0', 'a b', "it's", 'ü', '$', '[0]', '#', '*'])
json = st.recursive(
    scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3), max_leaves=6
)
metadata = st.dictionaries(keys, json, max_size=4)
moments = st.integers(-3, 3).map(lambda n: DAY + timedelta(days=n, microseconds=n)) | st.datetimes(
    datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)
)
units = st.sampled_from([0.0, 0.1, 0.5, 1 / 3, 1.0]) | st.floats(0, 1)
tags = st.lists(texts.filter(bool), max_size=3, unique=True).map(tuple)
slots = st.none() | st.sampled_from(['a', 'home.city'])
ids = st.none() | st.sampled_from(['a', 'b', 'A b'])

fields = st.fixed_dictionaries(
    {
        'text': texts,
        'kind': st.sampled_from(['a', 'preference', 'knowledge']),
        'slot': slots,
        'status': st.sampled_from(CHOICES['status']),
        'trust': st.sampled_from(CHOICES['trust']),
        'confidence': units,
        'importance': units,
        'pinned': st.booleans(),
        'locked': st.booleans(),
        'valid_from': moments,
        'valid_to': st.none() | moments,
        'recorded_at': moments,
        'expires_at': st.none() | moments,
        'tags': tags,
        'metadata': metadata,
        'actor': st.sampled_from(['rules', 'user']),
        'agent_id': ids,
        'run_id': ids,
        'app_id': ids,
        'in_run': st.booleans(),
    }
)

operands: dict[str, st.SearchStrategy[Any]] = {
    'text': texts,
    'number': numbers | st.integers(0, 3) | units,
    'boolean': st.booleans(),
    'time': moments,
    'tags': texts.filter(bool),
}


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([*FIELDS, *['metadata'] * 12]))
    if name == 'metadata':
        kind = 'json'
        name = '.'.join(['metadata', *draw(st.lists(keys, min_size=1, max_size=3))])
    else:
        kind = FIELDS[name]
    op = draw(st.sampled_from(ALLOWED[kind]))
    if op == 'exists':
        return {name: {op: draw(st.booleans())}}
    if kind == 'json':
        value = texts if op == 'icontains' else texts | numbers
        if op in ('eq', 'ne', 'in', 'nin', 'contains'):
            value |= st.booleans()
    elif kind == 'choice':
        value = st.sampled_from(CHOICES[name])
    else:
        value = operands[kind]
    if op in ('contains', 'icontains'):
        value = value.filter(lambda v: v != '')
    if op in ('in', 'nin'):
        value = st.lists(value, max_size=4)
    return {name: {op: draw(value)}}


filters = st.recursive(
    comparisons(),
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda p: {'AND': p}),
        st.lists(part, min_size=1, max_size=3).map(lambda p: {'OR': p}),
        part.map(lambda p: {'NOT': p}),
    ),
    max_leaves=4,
)


@pytest.fixture(scope='module')
def bench() -> Iterator[Bench]:
    store = SQLiteStore(':memory:')
    yield Bench(store, run)
    run(store.close())


@pytest.fixture(scope='module')
def on_postgresql() -> Iterator[Bench]:
    if not available():
        pytest.skip('no PostgreSQL for this platform')
    from memoranda.stores.postgres import PostgresStore

    with fresh_database(tables=True) as url:
        store = PostgresStore(url)
        yield Bench(store, run)
        run(store.close())


def remember(bench: Bench, user: str, drawn: list[dict[str, Any]]) -> list[MemoryRecord]:
    """Commit memories with these fields. No two say the same, which no owner can have."""
    memories: list[MemoryRecord] = []
    for i, given_fields in enumerate(drawn):
        rest = dict(given_fields)
        said = Scope(user_id=user, agent_id=rest.pop('agent_id'), run_id=rest.pop('run_id'), app_id=rest.pop('app_id'))
        level = 'run' if rest.pop('in_run') and said.run_id else 'user'
        slot = rest.pop('slot')
        memory = bench.fact(
            rest.pop('text'), (), scope=said, level=level, slot=f'{slot}{i or ""}' if slot else None, **rest
        )
        memory = replace(memory, hash=str(i))
        bench.commit(Edit(op='add', before=None, after=memory))
        memories.append(memory)
    return memories


def check(bench: Bench, user: str, memories: list[MemoryRecord], tree: Filter | None) -> None:
    found, _ = bench.page(scope=Scope(user_id=user), where=tree, inactive=True)
    assert {m.text for m in found} == {m.text for m in memories if matches(tree, fields_of(m))}
    assert {m.id for m in found} == {m.id for m in memories if matches(tree, fields_of(m))}


def check_each(bench: Bench, drawn: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    user = f'user {next(USERS)}'
    memories = remember(bench, user, drawn)
    for one in wanted:
        check(bench, user, memories, parse(one))


page_of = given(st.lists(fields, min_size=1, max_size=4), st.lists(filters, min_size=1, max_size=6))


@settings(max_examples=80)
@page_of
def test_a_page_holds_what_matches(bench: Bench, drawn: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    check_each(bench, drawn, wanted)


@settings(max_examples=ON_POSTGRESQL)
@page_of
def test_a_page_of_postgresql_holds_what_matches(
    on_postgresql: Bench, drawn: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    check_each(on_postgresql, drawn, wanted)


def check_present(bench: Bench, drawn: list[dict[str, Any]], data: st.DataObject) -> None:
    """Random operands rarely equal anything: here they come from the metadata itself."""
    user = f'user {next(USERS)}'
    memories = [bench.fact(f'fact {i}', (), scope=Scope(user_id=user), metadata=m) for i, m in enumerate(drawn)]
    for memory in memories:
        bench.commit(Edit(op='add', before=None, after=memory))
    leaves = [(path, value) for m in drawn for path, value in walk(m)]
    for path, value in leaves[:20]:
        name = '.'.join(('metadata', *path))
        for op in ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'contains', 'icontains'):
            if fits(op, value):
                check(bench, user, memories, parse({name: {op: value}}))
        others = [v for _, v in leaves if fits('in', v)]
        chosen = data.draw(st.lists(st.sampled_from(others), max_size=5)) if others else []
        check(bench, user, memories, parse({name: {'in': chosen}}))
        check(bench, user, memories, parse({name: {'nin': chosen}}))
        check(bench, user, memories, parse({name: {'exists': True}}))


present = given(st.lists(metadata, min_size=1, max_size=4), st.data())


@settings(max_examples=80)
@present
def test_comparisons_with_values_that_are_there(bench: Bench, drawn: list[dict[str, Any]], data: st.DataObject) -> None:
    check_present(bench, drawn, data)


@settings(max_examples=ON_POSTGRESQL)
@present
def test_comparisons_with_values_that_are_there_on_postgresql(
    on_postgresql: Bench, drawn: list[dict[str, Any]], data: st.DataObject
) -> None:
    check_present(on_postgresql, drawn, data)


def test_integers_that_no_float_tells_apart_are_told_apart(bench: Bench, on_postgresql: Bench) -> None:
    numbers = [2**53, 2**53 + 1, 2**63 - 1, 0.1, 1 / 3, -(2**63), 1e300]
    drawn = [{'a': number} for number in numbers] + [{'a': [number]} for number in numbers]
    for one in (bench, on_postgresql):
        user = f'user {next(USERS)}'
        memories = [one.fact(f'fact {i}', (), scope=Scope(user_id=user), metadata=m) for i, m in enumerate(drawn)]
        for memory in memories:
            one.commit(Edit(op='add', before=None, after=memory))
        for number in (*numbers, float(2**53)):
            for op in ('eq', 'gt', 'lte', 'contains'):
                check(one, user, memories, parse({'metadata.a': {op: number}}))
            check(one, user, memories, parse({'metadata.a': {'in': [number, 0.5, 7]}}))


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths through object keys, with every scalar that is at their end or in an array there."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from walk(part, (*path, key))
    elif isinstance(value, list):
        yield from ((path, element) for element in value if not isinstance(element, list | dict))
    else:
        yield path, value


def fits(op: str, value: Any) -> bool:
    if isinstance(value, bool):
        return op in ('eq', 'ne', 'in', 'contains')
    if isinstance(value, str):
        return bool(value) or op not in ('contains', 'icontains')
    if isinstance(value, int):
        return op != 'icontains' and -(2**63) <= value < 2**63
    return isinstance(value, float) and op != 'icontains'


def test_a_listing_and_a_search_are_filtered_alike(tmp_path: Path) -> None:
    with Memory(tmp_path / 'm.db', embedder=HashingEmbedder(), extractor=ScriptedExtractor()) as memory:
        for i in range(20):
            memory.add(f'fact number {i}', user_id='ana', run_id=f'r{i % 3}', metadata={'n': i, 'odd': bool(i % 2)})
        for wanted in ({'metadata.n': {'gte': 5}, 'metadata.odd': True}, {'run_id': 'r1'}, {'NOT': {'metadata.n': 3}}):
            listed = {m.id for m in memory.get_all(user_id='ana', filters=wanted)}
            searched = {h.id for h in memory.search('fact', user_id='ana', filters=wanted, top_k=100)}
            assert 0 < len(listed) < 20
            assert listed == searched
