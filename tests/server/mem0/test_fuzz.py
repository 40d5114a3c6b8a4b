"""Requests that no client sends: none of them breaks the server, and each answer is one that clients know.

`TEST_REQUESTS` sets how many; 150 by default.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from _wire import Wire
from memoranda.server.mem0.filters import KEYS

REQUESTS = int(os.environ.get('TEST_REQUESTS', '150'))
KNOWN = {200, 201, 400, 403, 404, 409, 413, 415, 429, 501}
ID = '01a2022b-b2d4-7dac-82a7-549a26906482'
FIELDS = (
    *('messages', 'user_id', 'agent_id', 'filters', 'metadata', 'infer', 'expiration_date', 'timestamp', 'query'),
    *('top_k', 'threshold', 'fields', 'categories', 'show_expired', 'reference_date', 'start_date', 'text', 'memories'),
    *('memory_id', 'feedback', 'feedback_reason', 'schema', 'memory_export_id', 'operation', 'entity_id', 'enabled'),
    *('entities', 'custom_instructions', 'immutable', 'page', 'page_size', 'limit', 'multilingual', 'explain'),
)
WORDS = st.sampled_from(
    ['ana', '*', '', ' ', '2026-01-31', '2026-02-31', '1700000000', 'x' * 300, '\x00', '\ud800', 'NaN', 'POSITIVE', ID]
)
PLAIN: st.SearchStrategy[Any] = (
    WORDS
    | st.text(max_size=8)
    | st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**30, -(10**18), 1e308, 0.5])
)
OPERATORS = ('eq', 'ne', 'in', 'gt', 'gte', 'lt', 'lte', 'contains', 'icontains', 'nin')


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(
        [*KEYS, *OPERATORS, *FIELDS, 'role', 'content', 'properties', 'type', 'items', '$ref', 'a.b']
    )
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)


VALUES = st.recursive(PLAIN, _nested, max_leaves=12)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    'messages': st.lists(st.fixed_dictionaries({'role': WORDS, 'content': VALUES}), max_size=3) | VALUES,
    'filters': st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4) | st.just({'user_id': 'ana'}) | VALUES,
    'schema': st.fixed_dictionaries({'properties': st.dictionaries(st.text(max_size=6), VALUES, max_size=4)}) | VALUES,
    'user_id': st.just('ana') | PLAIN,
    'infer': st.just(False) | PLAIN,
    'memory_id': st.just(ID) | PLAIN,
}
BODIES = st.lists(st.sampled_from(FIELDS), unique=True, max_size=5).flatmap(
    lambda names: st.fixed_dictionaries({name: LIKELY.get(name, VALUES) for name in names})
)
ROUTES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ('POST', '/v3/memories/add/', ('messages', 'user_id', 'infer')),
    ('POST', '/v3/memories/', ('filters',)),
    ('POST', '/v3/memories/search/', ('query', 'filters')),
    ('PUT', f'/v1/memories/{ID}/', ('text',)),
    ('PUT', '/v1/batch/', ('memories',)),
    ('DELETE', '/v1/batch/', ('memories',)),
    ('POST', '/v1/feedback/', ('memory_id', 'feedback')),
    ('POST', '/v1/exports/', ('schema', 'filters')),
    ('POST', '/v1/exports/get/', ('memory_export_id',)),
    ('POST', '/v1/summary/', ('filters',)),
    ('POST', '/v2/profiles/jobs/', ('operation', 'entity_id')),
    ('POST', '/v2/profiles/settings/', ('enabled', 'entities')),
    ('POST', '/memories', ('messages', 'user_id')),
    ('POST', '/search', ('query', 'filters')),
    ('PUT', f'/memories/{ID}', ('text',)),
)
BYTES = st.sampled_from([b'', b'null', b'[]', b'{', b'\xff', b'{"a":1,"a":2}', b'{"a":NaN}', b'[' * 500, b'"x"'])


def test_no_body_breaks_the_server(projects: Callable[[], Wire]) -> None:
    wire = projects()
    wire.add('Likes tea')

    @settings(max_examples=REQUESTS, suppress_health_check=list(HealthCheck), deadline=None)
    @given(route=st.sampled_from(ROUTES), data=st.data())
    def ask(route: tuple[str, str, tuple[str, ...]], data: st.DataObject) -> None:
        method, path, likely = route
        own = st.fixed_dictionaries({name: LIKELY.get(name, VALUES) for name in likely})
        content = data.draw(own.map(json.dumps) | BODIES.map(json.dumps) | BYTES)
        answer = wire.call(method, path, content=content)
        assert answer.status_code in KNOWN, (route, content, answer.text)
        answer.json()

    ask()


def test_no_path_or_parameter_breaks_the_server(projects: Callable[[], Wire]) -> None:
    wire = projects()
    wire.add('Likes tea', 'kept')
    names = ('user_id', 'agent_id', 'metadata', 'filters', 'delete_linked', 'page', 'page_size', 'top_k', 'source')
    parameters = st.lists(st.tuples(st.sampled_from(names), WORDS | st.text(max_size=6)), max_size=3)
    paths = (
        *('/v1/memories/{}/', '/v1/memories/{}/history/', '/v1/event/{}/', '/v2/entities/user/{}/profile/'),
        *('/v2/entities/{}/x/', '/v2/profiles/jobs/{}/', '/memories/{}', '/v1/memories/', '/v1/entities/', '/memories'),
        *('/api/v1/orgs/organizations/memoranda/projects/{}/', '/v1/events/', '/memories/{}/history'),
    )
    ids = WORDS | st.text(max_size=12) | st.sampled_from(['export-AAAAAAAAAA', 'erasure-eJwDAAAAAAE', '..', '%2F'])

    @settings(max_examples=REQUESTS, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.sampled_from(['GET', 'DELETE', 'PATCH', 'PUT']), st.sampled_from(paths), ids, parameters)
    def ask(method: str, path: str, id_: str, given: list[tuple[str, str]]) -> None:
        quoted = quote(id_.encode('utf-8', 'replace'), safe='')
        query = '&'.join(f'{name}={quote(value.encode("utf-8", "replace"), safe="")}' for name, value in given)
        answer = wire.call(method, f'{path.format(quoted)}?{query}')
        assert answer.status_code in KNOWN | {405}, (method, path, id_, given, answer.text)

    ask()
    assert wire.listed({'user_id': 'kept'}) == ['Likes tea']
