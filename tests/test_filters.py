from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memoranda.errors import InvalidFilter
from memoranda.filters import FIELDS, OPERATORS, All, Any_, Compare, Field, Not, fields_of, matches, parse
from memoranda.records import MemoryRecord
from memoranda.scope import Scope

MEMORY = MemoryRecord(
    id='m1',
    version=2,
    project='default',
    level='user',
    scope=Scope(user_id='ana'),
    said_under=Scope(user_id='ana', agent_id='coach', run_id='s1'),
    text='Lives in Lisbon, near the Straße of the Poets (100% sure)',
    kind='profile',
    slot='home.city',
    confidence=0.9,
    pinned=True,
    valid_from=datetime(2026, 1, 31, 12, tzinfo=UTC),
    said_at=datetime(2026, 5, 1, tzinfo=UTC),
    recorded_at=datetime(2026, 2, 1, tzinfo=UTC),
    tags=('home', 'Europe'),
    metadata={
        'team': 'core',
        'rank': 3,
        'share': 3.0,
        'digits': '3',
        'done': True,
        'one': 1,
        'huge': 2**70,
        'gone': None,
        'labels': ['a', 'Bee', 1, True],
        'deep': {'er': {'x': 'y'}},
        '0': 'zero',
    },
)


def holds(filters: Mapping[str, Any]) -> bool:
    return matches(parse(filters), fields_of(MEMORY))


TRUE: list[dict[str, Any]] = [
    {'kind': 'profile'},
    {'kind': {'ne': 'preference'}},
    {'kind': {'gt': 'preference', 'lt': 'q'}},
    {'user_id': 'ana', 'agent_id': 'coach', 'run_id': 's1'},
    {'app_id': None},
    {'app_id': {'ne': 'shop'}},
    {'app_id': {'nin': ['shop']}},
    {'app_id': {'exists': False}},
    {'slot': {'ne': None}},
    {'text': {'contains': 'Lisbon'}},
    {'text': {'icontains': 'LISBON'}},
    {'text': {'icontains': 'STRASSE'}},
    {'text': {'contains': '100%'}},
    {'confidence': {'gte': 0.9}},
    {'confidence': {'gt': 0, 'lt': 1}},
    {'version': 2.0},
    {'pinned': True},
    {'locked': {'in': [False]}},
    {'valid_from': '2026-01-31T12:00:00Z'},
    {'valid_from': '2026-01-31T13:00:00+01:00'},
    {'valid_from': {'gte': '2026-01-31', 'lt': datetime(2026, 1, 31, 12, 0, 1)}},
    {'valid_from': {'lt': datetime(2026, 1, 31, 13, tzinfo=timezone(-timedelta(hours=1)))}},
    {'valid_from': {'gt': date(2026, 1, 31)}},
    {'valid_to': {'exists': False}},
    {'tags': 'home'},
    {'tags': {'icontains': 'EUROPE'}},
    {'tags': {'in': ['x', 'home']}},
    {'tags': {'nin': ['x', 'europe']}},
    {'status': {'in': ['active', 'pending']}},
    {'metadata.team': 'core'},
    {'metadata.team': {'in': ['core', 7, False]}},
    {'metadata.rank': {'eq': 3.0}},
    {'metadata.share': 3},
    {'metadata.rank': {'gt': 2.5, 'lte': 3}},
    {'metadata.huge': {'gt': 10**18}},
    {'metadata.done': True},
    {'metadata.labels': {'contains': 'a'}},
    {'metadata.labels': {'contains': True}},
    {'metadata.labels': {'icontains': 'BEE'}},
    {'metadata.labels': {'exists': True}},
    {'metadata.labels': {'nin': ['a']}},
    {'metadata.deep.er.x': 'y'},
    {'metadata.deep': {'exists': True}},
    {'metadata.0': 'zero'},
    {'metadata.gone': None},
    {'metadata.nothing': {'ne': 1, 'nin': [1, 2]}},
    {'metadata.team.inner': {'exists': False}},
    {'OR': [{'kind': 'event'}, {'NOT': {'kind': 'event'}}]},
    {'NOT': [{'kind': 'event'}, {'slot': 'x'}]},
    {'AND': [{'kind': 'profile'}, {'OR': [{'pinned': False}, {'locked': False}]}], 'version': 2},
    {'kind': {'nin': []}},
]
FALSE: list[dict[str, Any]] = [
    {'kind': '*'},
    {'kind': {'contains': '*'}},
    {'kind': 'Profile'},
    {'text': {'contains': 'lisbon'}},
    {'text': {'contains': '_ives'}},
    {'user_id': '*'},
    {'app_id': 'shop'},
    {'app_id': {'in': ['shop']}},
    {'slot': None},
    {'valid_to': {'gt': '1990-01-01'}},
    {'valid_to': {'lt': '2990-01-01'}},
    {'tags': 'hom'},
    {'tags': {'contains': 'europe'}},
    {'tags': {'nin': ['home']}},
    {'metadata.digits': 3},
    {'metadata.rank': '3'},
    {'metadata.one': True},
    {'metadata.done': 1},
    {'metadata.done': {'gt': 0}},
    {'metadata.rank': {'gt': '2'}},
    {'metadata.team': {'gt': 2}},
    {'metadata.team': {'lt': 2}},
    {'metadata.labels': 'a'},
    {'metadata.labels': {'in': ['a']}},
    {'metadata.labels': {'contains': 'bee'}},
    {'metadata.labels': {'contains': 2}},
    {'metadata.labels.0': 'a'},
    {'metadata.rank': {'contains': 3}},
    {'metadata.nothing': {'gt': 0}},
    {'metadata.nothing': {'icontains': 'a'}},
    {'metadata.gone': {'exists': True}},
    {'NOT': [{'kind': 'event'}, {'kind': 'profile'}]},
    {'OR': [{'kind': 'event'}, {'kind': 'goal'}]},
    {'kind': {'in': []}},
    {'kind': 'profile', 'version': 3},
]


@pytest.mark.parametrize('filters', TRUE, ids=str)
def test_it_lets_through(filters: dict[str, Any]) -> None:
    assert holds(filters)
    assert not holds({'NOT': filters})


@pytest.mark.parametrize('filters', FALSE, ids=str)
def test_it_keeps_out(filters: dict[str, Any]) -> None:
    assert not holds(filters)
    assert holds({'NOT': [filters]})


def test_no_filter_lets_everything_through() -> None:
    assert parse(None) is None
    assert parse({}) is None
    assert matches(None, {})


@pytest.mark.parametrize(
    ('filters', 'reason'),
    [
        ({'knd': 'x'}, r"'knd' is unknown, did you mean 'kind'\?: use one of id, text"),
        ({'and': []}, r"did you mean 'AND'\?"),
        ({'$or': []}, r"did you mean 'OR'\?"),
        ({'team': 'x'}, r'metadata\.<path>'),
        ({'metadata': {'team': 'x'}}, r"did you mean 'metadata\.<path>'\?"),
        ({'metadata.': 1}, 'no path into metadata'),
        ({'metadata.a..b': 1}, 'no path into metadata'),
        ({'metadata.a"b': 1}, 'no path into metadata'),
        ({'metadata.' + '.'.join('abcdefghijklmnopq'): 1}, 'at most 16 keys'),
        ({3: 'x'}, 'field 3 is unknown'),
        ({'kind': {'equals': 'x'}}, "'equals' on kind is unknown"),
        ({'kind': {'$gt': 'x'}}, r"did you mean 'gt'\?"),
        ({'kind': {'like': 'x'}}, 'use one of eq ne gt'),
        ({'kind': {}}, 'has no operator'),
        ({'kind': 3}, 'kind eq 3 is an int that does not fit: give a text'),
        ({'kind': ['a', 'b']}, r'operators such as \{"in"'),
        ({'kind': {'in': 'a'}}, 'give a list'),
        ({'kind': {'in': ['a', None]}}, 'give a text'),
        ({'kind': {'in': ['x'] * 1001}}, '1,001 values, and 1,000 is the most'),
        ({'kind': {'exists': 1}}, 'give true or false'),
        ({'kind': {'gt': None}}, 'give a text'),
        ({'kind': {'contains': ''}}, 'looks for nothing'),
        ({'kind': 'a\0'}, 'NUL'),
        ({'kind': '\ud800'}, 'surrogate'),
        ({'kind': 'x' * 10_001}, '10,000 is the most'),
        ({'status': 'actve'}, r"can never hold, did you mean 'active'\?"),
        ({'level': {'gt': 'user'}}, 'does not fit level'),
        ({'confidence': True}, 'give a number'),
        ({'confidence': '0.9'}, 'give a number'),
        ({'confidence': float('nan')}, 'give a finite number'),
        ({'version': 2**63}, '64 bits'),
        ({'confidence': {'contains': 1}}, 'does not fit confidence'),
        ({'pinned': 1}, 'give true or false'),
        ({'pinned': {'gt': False}}, 'does not fit pinned'),
        ({'valid_from': 'yesterday'}, 'give a datetime, or ISO text'),
        ({'valid_from': 1700000000}, 'give a datetime, or ISO text'),
        ({'valid_from': '0001-01-01T00:00:00+01:00'}, 'years 1 to 9999'),
        ({'tags': {'eq': 'x'}}, 'does not fit tags'),
        ({'tags': None}, 'give a text'),
        ({'tags': ['a']}, 'give a text'),
        ({'metadata.x': {'gt': True}}, 'give a text or a number'),
        ({'metadata.x': {'a': 1}}, "operator 'a' on metadata.x is unknown"),
        ({'metadata.x': [1]}, 'give a text, a number, true or false'),
        ({'metadata.x': {'icontains': 3}}, 'give a text'),
        ({'metadata.x': datetime(2026, 1, 1, tzinfo=UTC)}, 'ISO text as it is stored'),
        ({'OR': []}, 'is no list of filters'),
        ({'AND': {'kind': 'a'}}, 'is no list of filters'),
        ({'NOT': []}, 'is no list of filters'),
        ({'NOT': 'kind'}, 'is a mapping'),
        ({'OR': [{}]}, 'says nothing'),
        ({'OR': [None]}, 'is a mapping'),
        ([{'kind': 'a'}], 'is a mapping'),
        ('kind', 'is a mapping'),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_with_the_fix(filters: object, reason: str) -> None:
    with pytest.raises(InvalidFilter, match=reason):
        parse(filters)  # pyright: ignore[reportArgumentType]


def test_depth_is_bounded_however_it_is_written() -> None:
    def nested(levels: int, key: str, wrap: bool) -> dict[str, Any]:
        filters: dict[str, Any] = {'kind': 'x'}
        for _ in range(levels):
            filters = {key: [filters] if wrap else filters}
        return filters

    assert parse(nested(15, 'NOT', False)) is not None
    for levels, key, wrap in ((16, 'NOT', False), (16, 'AND', True), (5_000, 'OR', True), (5_000, 'NOT', True)):
        with pytest.raises(InvalidFilter, match='more than 16 levels deep'):
            parse(nested(levels, key, wrap))
    endless: dict[str, Any] = {}
    endless['NOT'] = endless
    with pytest.raises(InvalidFilter, match='levels deep'):
        parse(endless)


def test_size_is_bounded() -> None:
    assert parse({'OR': [{'kind': str(i)} for i in range(255)]}) is not None
    with pytest.raises(InvalidFilter, match='more than 256'):
        parse({'OR': [{'kind': str(i)} for i in range(256)]})
    with pytest.raises(InvalidFilter, match='more than 256'):
        parse({f'metadata.k{i}': i for i in range(100_000)})


def test_the_values_of_all_lists_together_are_bounded() -> None:
    thousand = {'kind': {'in': [str(i) for i in range(1_000)]}}
    assert parse({'OR': [thousand] * 10}) is not None
    with pytest.raises(InvalidFilter, match='more than 10,000 values in all'):
        parse({'OR': [thousand] * 11})


def test_the_tree_is_plain_and_hashable() -> None:
    tree = parse({'kind': {'in': ['a', 'b']}, 'OR': [{'metadata.a.b': 1}, {'NOT': {'pinned': True}}]})
    assert tree == All(
        (
            Compare(Field('kind', 'text'), 'in', ('a', 'b')),
            Any_(
                (
                    Compare(Field('metadata', 'json', ('a', 'b')), 'eq', 1),
                    Not(Compare(Field('pinned', 'boolean'), 'eq', True)),
                )
            ),
        )
    )
    assert hash(tree) == hash(parse(tree))


def test_a_tree_built_by_hand_is_checked_too() -> None:
    kind = Field('kind', 'text')
    good = Not(Any_((Compare(kind, 'eq', 'a'), Compare(Field('metadata', 'json', ('a',)), 'gt', 1))))
    assert parse(good) == good
    for bad in (
        Compare(Field('kind; DROP TABLE memories', 'text'), 'eq', 'a'),
        Compare(Field('kind', 'number'), 'eq', 1),
        Compare(Field('metadata', 'json'), 'eq', 'a'),
        Compare(Field('metadata', 'json', ('a.b',)), 'eq', 'a'),
        Compare(kind, 'eq', 1),
        Compare(kind, 'like', 'a'),  # pyright: ignore[reportArgumentType]
        All(()),
        Any_(()),
        Not('kind'),  # pyright: ignore[reportArgumentType]
        Any_(({'kind': 3},)),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(InvalidFilter):
            parse(bad)


# Properties

_UNHURRIED = settings(deadline=None)

_KEYS = st.sampled_from(['a', 'b', 'c'])
_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.0]),
    st.sampled_from(['a', 'B', 'ab', '1', 'ß', '*']),
)
_METADATA = st.dictionaries(
    _KEYS, st.one_of(_SCALARS, st.none(), st.lists(_SCALARS, max_size=3), st.dictionaries(_KEYS, _SCALARS, max_size=2))
)
_MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
_ROWS = st.fixed_dictionaries(
    {
        'kind': st.sampled_from(['goal', 'event']),
        'slot': st.one_of(st.none(), st.sampled_from(['a', 'b'])),
        'confidence': st.sampled_from([0.0, 0.5, 1.0]),
        'pinned': st.booleans(),
        'valid_to': st.one_of(st.none(), _MOMENTS),
        'tags': st.lists(st.sampled_from(['a', 'b', 'AB']), max_size=2).map(tuple),
        'metadata': _METADATA,
    }
)
_PATHS = st.one_of(
    _KEYS.map(lambda k: f'metadata.{k}'), st.tuples(_KEYS, _KEYS).map(lambda k: f'metadata.{k[0]}.{k[1]}')
)
_COMPARABLE = _SCALARS.filter(lambda v: not isinstance(v, bool))
_LEAVES = st.one_of(
    st.builds(lambda v: {'kind': v}, st.sampled_from(['goal', 'event', '*'])),
    st.builds(
        lambda op, v: {'slot': {op: v}}, st.sampled_from(['eq', 'ne', 'gt', 'lte']), st.sampled_from(['a', 'b', 'c'])
    ),
    st.builds(
        lambda op, v: {'confidence': {op: v}}, st.sampled_from(['eq', 'ne', 'gte', 'lt']), st.sampled_from([0, 0.5, 1])
    ),
    st.builds(lambda v: {'pinned': v}, st.booleans()),
    st.builds(lambda op, v: {'valid_to': {op: v}}, st.sampled_from(['gt', 'lte', 'ne']), _MOMENTS),
    st.builds(
        lambda op, v: {'tags': {op: v}}, st.sampled_from(['contains', 'icontains']), st.sampled_from(['a', 'ab'])
    ),
    st.builds(lambda p, op, v: {p: {op: v}}, _PATHS, st.sampled_from(['in', 'nin']), st.lists(_SCALARS, max_size=3)),
    st.builds(lambda p, op, v: {p: {op: v}}, _PATHS, st.sampled_from(['eq', 'ne', 'contains']), _SCALARS),
    st.builds(lambda p, op, v: {p: {op: v}}, _PATHS, st.sampled_from(['gt', 'gte', 'lt', 'lte']), _COMPARABLE),
    st.builds(lambda p, v: {p: {'exists': v}}, _PATHS, st.booleans()),
)
_FILTERS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda k, parts: {k: parts}, st.sampled_from(['AND', 'OR', 'NOT']), st.lists(inner, min_size=1, max_size=3)
        ),
        st.builds(lambda part: {'NOT': part}, inner),
    ),
    max_leaves=8,
)


def _naive(filters: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """The documented meaning once more, straight from the written form."""
    return all(_naive_entry(key, value, row) for key, value in filters.items())


def _naive_entry(key: str, value: Any, row: Mapping[str, Any]) -> bool:
    if key == 'AND':
        return all(_naive(part, row) for part in value)
    if key == 'OR':
        return any(_naive(part, row) for part in value)
    if key == 'NOT':
        return not any(_naive(part, row) for part in (value if isinstance(value, list) else [value]))
    found: Any = row
    for step in key.split('.'):
        found = found.get(step) if isinstance(found, dict) else None
    operators = value if isinstance(value, dict) else {'eq': value}
    return all(_naive_operator(op, found, operand) for op, operand in operators.items())


def _kind(value: Any) -> str:
    return 'number' if type(value) in (int, float) else type(value).__name__


def _naive_operator(op: str, found: Any, operand: Any) -> bool:
    def equal(a: Any, b: Any) -> bool:
        return _kind(a) == _kind(b) and a == b

    comparable = found is not None and _kind(found) == _kind(operand)
    return {
        'eq': lambda: equal(found, operand),
        'ne': lambda: not equal(found, operand),
        'in': lambda: any(equal(found, each) for each in operand),
        'nin': lambda: not any(equal(found, each) for each in operand),
        'exists': lambda: (found is not None) == operand,
        'gt': lambda: comparable and found > operand,
        'gte': lambda: comparable and found >= operand,
        'lt': lambda: comparable and found < operand,
        'lte': lambda: comparable and found <= operand,
        'contains': lambda: (
            any(equal(each, operand) for each in found)
            if isinstance(found, list | tuple)
            else isinstance(found, str) and isinstance(operand, str) and operand in found
        ),
        'icontains': lambda: any(each.casefold() == operand.casefold() for each in found),
    }[op]()


@_UNHURRIED
@given(filters=_FILTERS, row=_ROWS)
def test_it_means_what_the_documentation_says(filters: dict[str, Any], row: dict[str, Any]) -> None:
    assert matches(parse(filters), row) == _naive(filters, row)


@_UNHURRIED
@given(left=_FILTERS, right=_FILTERS, row=_ROWS)
def test_de_morgan_holds(left: dict[str, Any], right: dict[str, Any], row: dict[str, Any]) -> None:
    def at(filters: dict[str, Any]) -> bool:
        return matches(parse(filters), row)

    not_both = at({'OR': [{'NOT': left}, {'NOT': right}]})
    assert at({'NOT': {'AND': [left, right]}}) == not_both
    assert at({'NOT': [left, right]}) == at({'AND': [{'NOT': left}, {'NOT': right}]})
    assert at({'NOT': {'NOT': left}}) == at(left)


@_UNHURRIED
@given(parts=st.lists(_FILTERS, min_size=1, max_size=4), row=_ROWS, seed=st.integers())
def test_the_order_of_parts_does_not_matter(parts: list[dict[str, Any]], row: dict[str, Any], seed: int) -> None:
    shuffled = random.Random(seed).sample(parts, len(parts))
    for key in ('AND', 'OR', 'NOT'):
        assert matches(parse({key: parts}), row) == matches(parse({key: shuffled}), row)


@_UNHURRIED
@given(filters=_FILTERS)
def test_a_parsed_filter_parses_to_itself(filters: dict[str, Any]) -> None:
    tree = parse(filters)
    assert parse(tree) == tree


_NAMES = st.one_of(
    st.sampled_from([*FIELDS, *OPERATORS, 'AND', 'OR', 'NOT', 'metadata.a', 'metadata.a.b', 'metadata']),
    st.text(max_size=12),
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just('2026-01-01')),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=20,
)


@_UNHURRIED
@given(filters=_JSON, row=_ROWS)
@example(filters={'valid_from': '9999-12-31T23:59:59-01:00'}, row={})
@example(filters={'metadata.a': 10**400}, row={'metadata': {'a': 10**400}})
def test_any_json_is_a_filter_or_an_invalid_filter(filters: object, row: dict[str, Any]) -> None:
    try:
        tree = parse(filters)  # pyright: ignore[reportArgumentType]
    except InvalidFilter:
        return
    matches(tree, row)
    matches(tree, fields_of(MEMORY))


@_UNHURRIED
@given(op=st.sampled_from(['gt', 'gte', 'lt', 'lte', 'eq', 'ne']), found=_JSON, operand=_COMPARABLE)
def test_any_stored_json_can_be_compared(op: str, found: object, operand: object) -> None:
    matches(parse({'metadata.a': {op: operand}}), {'metadata': {'a': found}})
