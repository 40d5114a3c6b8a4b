"""The SQL that filters become means what `memoranda.filters.matches` says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memoranda._bridge import run
from memoranda.filters import ALLOWED, CHOICES, FIELDS, Filter, fields_of, matches, parse
from memoranda.records import Edit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import Bench

DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)
USERS = itertools.count()

texts = st.sampled_from(['', 'a', 'A', 'b', 'ab', 'Ab', '%', '_', '*', "'", '"', 'é', 'É', 'e\u0301', 'ß', 'SS', 'ǆ', '1', 'true', 'null',
                         '\U0001f600', '\ufffd', '\u202e', '0', 'x.y', '[1]', '{}']) | st.text(
    st.characters(codec='utf-8', exclude_characters='\0'), max_size=6
)  # fmt: skip
numbers = st.sampled_from([0, 1, -1, 1.0, 0.1, 0.5, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300, -0.0]) | st.floats(
    allow_nan=False, allow_infinity=False
)
scalars = st.none() | st.booleans() | numbers | st.sampled_from([2**63, 2**70, -(2**64)]) | texts
keys = st.sampled_from(['a', 'b', 'A', '0', 'a b', "it's", 'ü', '$', '[0]', '#', '*'])
json = st.recursive(scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3), max_leaves=6)
metadata = st.dictionaries(keys, json, max_size=4)
moments = st.integers(-3, 3).map(lambda n: DAY + timedelta(days=n, microseconds=n)) | st.datetimes(
    datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(timezone.utc)
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


def remember(bench: Bench, scope: Scope, drawn: list[dict[str, Any]]) -> list[MemoryRecord]:
    """Commit memories with these fields. Not two live ones of a slot or text, which no owner can have."""
    memories = []
    for i, fields in enumerate(drawn):
        unique = {**fields, 'text': fields['text'] or 'x', 'slot': fields['slot'] and f'{fields["slot"]}{i or ""}'}
        said = Scope(user_id=scope.user_id, agent_id=fields['actor'], run_id='r1' if i else None)
        memory = bench.fact(said_under=said, episodes=(), scope=scope, **unique) if False else bench.fact(
            unique.pop('text'), (), scope=said, **unique
        )
        bench.commit(Edit(op='add', before=None, after=memory_with_hash(memory, i)))
        memories.append(memory_with_hash(memory, i))
    return memories


def memory_with_hash(memory: MemoryRecord, number: int) -> MemoryRecord:
    from dataclasses import replace

    return replace(memory, hash=str(number))
