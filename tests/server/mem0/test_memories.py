"""Memories over the platform's paths: what is stored, what filters let through, pages, changes, history, events."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from _fakes import fast_async
from _wire import Wire, serving
from memoranda import AsyncMemory, Policy
from memoranda.compat import mem0
from memoranda.errors import StoreBusy
from memoranda.keys import make_key
from memoranda.server.app import create_app

DAY = 1_700_000_000  # 2023-11-14 22:13:20 UTC


@pytest.fixture
def shelf(wire: Wire) -> Wire:
    """Four memories of ana: by run, agent, day, category, metadata and end."""
    wire.learn('home.city = Lisbon', run_id='s1', agent_id='guide', metadata={'team': 'sales', 'n': 1})
    wire.add('Likes green tea', timestamp=DAY, metadata={'team': 'support', 'tags': ['a', 'b']})
    wire.add('Plays the cello', run_id='s2', app_id='web', expiration_date='2099-12-31')
    wire.add('Gone by now', expiration_date='2020-01-01')
    wire.add('Of bo', user_id='bo', agent_id='guide')
    wire.add('The guide speaks slowly', None, agent_id='guide')
    return wire


CITY, TEA, CELLO = 'home.city is Lisbon', 'Likes green tea', 'Plays the cello'
FILTERS: list[tuple[Any, list[str]]] = [
    ({'user_id': 'ana'}, [TEA, CELLO, CITY]),
    ({'user_id': {'eq': 'ana'}}, [TEA, CELLO, CITY]),
    ({'AND': [{'user_id': 'ana'}, {'run_id': 's1'}]}, [CITY]),
    ({'AND': [{'user_id': 'ana'}, {'agent_id': 'guide'}]}, [CITY]),
    ({'user_id': 'ana', 'run_id': '*'}, [CELLO, CITY]),
    ({'user_id': 'ana', 'agent_id': {'ne': 'guide'}}, [TEA, CELLO]),
    ({'user_id': 'ana', 'NOT': [{'run_id': 's1'}, {'run_id': 's2'}]}, [TEA]),
    ({'run_id': 's1'}, [CITY]),
    ({'app_id': 'web'}, [CELLO]),
    ({'agent_id': 'guide'}, ['Of bo', 'The guide speaks slowly', CITY]),
    ({'OR': [{'user_id': 'bo'}, {'AND': [{'user_id': 'ana'}, {'run_id': 's2'}]}]}, ['Of bo', CELLO]),
    ({'user_id': {'in': ['bo', 'cy']}}, ['Of bo']),
    ({'user_id': 'nobody'}, []),
    ({'user_id': 'ana', 'metadata': {'team': 'sales'}}, [CITY]),
    ({'user_id': 'ana', 'metadata': {'team': {'ne': 'sales'}}}, [TEA, CELLO]),
    ({'user_id': 'ana', 'metadata': {'team': {'contains': 'upp'}}}, [TEA]),
    ({'user_id': 'ana', 'metadata': {'tags': {'contains': 'b'}}}, [TEA]),
    ({'user_id': 'ana', 'metadata': {'team': 'sales', 'n': 1}}, [CITY]),
    ({'user_id': 'ana', 'metadata': {'team': 'sales', 'n': 2}}, []),
    ({'user_id': 'ana', 'metadata': {'n': '*'}}, [CITY]),
    ({'user_id': 'ana', 'AND': [{'metadata': {'team': 'sales'}}, {'metadata': {'n': 2}}]}, []),
    ({'user_id': 'ana', 'categories': {'in': ['profile', 'x']}}, [CITY]),
    ({'user_id': 'ana', 'categories': {'contains': 'profile'}}, [CITY]),
    ({'user_id': 'ana', 'categories': ['knowledge']}, [TEA, CELLO]),
    ({'user_id': 'ana', 'text': {'icontains': 'TEA'}}, [TEA]),
    ({'user_id': 'ana', 'text': {'ne': TEA}}, [CELLO, CITY]),
    ({'user_id': 'ana', 'keywords': 'CELLO'}, [CELLO]),
    ({'user_id': 'ana', 'keyword_search': {'contains': 'lisbon'}}, [CITY]),
    ({'user_id': 'ana', 'created_at': '2023-11-14'}, [TEA]),
    ({'user_id': 'ana', 'created_at': {'lte': '2023-11-14'}}, [TEA]),
    ({'user_id': 'ana', 'created_at': {'lt': '2023-11-14'}}, []),
    ({'user_id': 'ana', 'created_at': {'gt': '2023-11-14'}}, [CELLO, CITY]),
    ({'user_id': 'ana', 'created_at': {'gte': '2023-11-14', 'lt': '2023-11-15'}}, [TEA]),
    ({'user_id': 'ana', 'created_at': {'gte': '2023-11-14T22:13:21Z'}}, [CELLO, CITY]),
    ({'user_id': 'ana', 'created_at': {'ne': '2023-11-14'}}, [CELLO, CITY]),
    ({'user_id': 'ana', 'timestamp': {'in': ['2023-11-13', '2023-11-14']}}, [TEA]),
    ({'user_id': 'ana', 'updated_at': {'gte': '2024-01-01'}}, [TEA, CELLO, CITY]),
    ({'user_id': 'ana', 'expiration_date': '2099-12-31'}, [CELLO]),
    ({'user_id': 'ana', 'expiration_date': {'gte': '2099-12-31'}}, [CELLO]),
    ({'user_id': 'ana', 'expiration_date': {'gt': '2099-12-31'}}, []),
    ({'user_id': 'ana', 'expiration_date': {'lt': '2099-12-31'}}, []),
    ({'user_id': 'ana', 'expiration_date': '*'}, [CELLO]),
    ({'user_id': 'ana', 'expiration_date': {'ne': '2099-12-31'}}, [TEA, CITY]),
    ({'user_id': 'ana', 'expiration_date': {'in': ['2099-12-31', '2100-01-01']}}, [CELLO]),
]


def test_filters_mean_what_the_platform_says(shelf: Wire) -> None:
    for filters, expected in FILTERS:
        assert shelf.listed(filters) == sorted(expected), filters
        assert sorted(shelf.found('tea, cello, city, bo, guide', filters, top_k=50)) == sorted(expected), filters
    ids = [one['id'] for one in shelf.told('POST', '/v3/memories/', {'filters': {'user_id': 'ana'}})['results']]
    assert len(shelf.listed({'user_id': 'ana', 'memory_ids': ids[:2]})) == 2
    assert shelf.listed({'user_id': 'bo', 'memory_ids': {'in': ids}}) == []


def test_fields_beside_the_filter_narrow_too(shelf: Wire) -> None:
    assert shelf.listed(start_date='2023-11-14', end_date='2023-11-14') == [TEA]
    assert shelf.listed(categories=['profile']) == [CITY]
    assert shelf.listed(show_expired=True) == sorted(['Gone by now', TEA, CELLO, CITY])
    assert shelf.found('tea', metadata={'team': 'support'}) == [TEA]
    assert shelf.found('tea', categories=['profile']) == [CITY]
    assert shelf.found('tea', threshold=0.99) == []
    assert shelf.found('tea', reference_date='2023-11-14') == [TEA]
    assert shelf.found('tea', reference_date=DAY - 1) == []
    assert len(shelf.found('tea', top_k=1)) == 1
    told = shelf.told('POST', '/v3/memories/', {'filters': {'run_id': 's2'}, 'fields': ['user_id']})
    assert [set(one) for one in told['results']] == [{'id', 'memory', 'user_id'}]


def test_what_clients_of_other_versions_send_along_changes_nothing(shelf: Wire) -> None:
    more = {'output_format': 'v1.1', 'version': 'v2', 'project_id': shelf.project, 'source': 'CLI', 'rerank': True}
    assert shelf.found('tea', **more, keyword_search=True, latest_only=True)[0] == TEA
    filters = {'user_id': 'ana', 'run_id': 's1'}
    for path in ('/v2/memories/', '/v3/memories/'):
        assert [one['memory'] for one in shelf.told('POST', path, {'filters': filters})['results']] == [CITY]
    found = shelf.told('POST', '/v2/memories/search/', {'query': 'city', 'filters': filters})
    assert [one['memory'] for one in found['results']] == [CITY]
    body = {'messages': [{'role': 'user', 'content': 'Older'}], 'user_id': 'cy', 'infer': False, 'async_mode': True}
    assert shelf.told('POST', '/v1/memories/', body)['results'][0]['data'] == {'memory': 'Older'}


def test_pages_have_numbers_and_the_latest_comes_first(wire: Wire) -> None:
    for number in range(5):
        wire.add(f'fact {number}')
    listed: list[str] = []
    path = '/v3/memories/?page=1&page_size=2'
    while path:
        page = wire.told('POST', path, {'filters': {'user_id': 'ana'}})
        assert page['count'] == 5
        listed += [one['memory'] for one in page['results']]
        path = page['next']
    assert listed == [f'fact {number}' for number in (4, 3, 2, 1, 0)]
    last = wire.told('POST', '/v3/memories/?page=3&page_size=2', {'filters': {'user_id': 'ana'}})
    assert last['previous'].endswith('/v3/memories/?page=2&page_size=2')
    beyond = wire.told('POST', '/v3/memories/?page=9', {'filters': {'user_id': 'ana'}})
    assert (beyond['count'], beyond['results'], beyond['next']) == (5, [], None)


def test_a_memory_has_all_fields_that_clients_read(wire: Wire) -> None:
    id_ = wire.add('Likes tea', run_id='s1', metadata={'team': 'sales'}, timestamp=DAY, expiration_date='2099-01-01')
    found = wire.told('GET', f'/v1/memories/{id_}/')
    assert found.pop('updated_at') > found['created_at']
    assert found.pop('hash')
    assert found == {
        'id': id_,
        'memory': 'Likes tea',
        'user_id': 'ana',
        'agent_id': None,
        'app_id': None,
        'run_id': 's1',
        'session_id': 's1',
        'metadata': {'team': 'sales'},
        'categories': ['knowledge'],
        'structured_attributes': None,
        'immutable': False,
        'replaced_by': None,
        'synthesized': False,
        'expiration_date': '2099-01-01',
        'created_at': '2023-11-14T22:13:20+00:00',
        'lifecycle_state': 'active',
    }


def test_a_memory_is_told_alike_by_every_surface_and_what_is_noted_beside_it_by_none() -> None:
    memory, key = fast_async(), make_key('default', name='app', role='admin')
    app = create_app(memory, keys=[key], parts=('memoranda.server.mem0', 'memoranda.server.native'))
    with TestClient(app, headers={'X-API-Key': key.secret}) as http:
        assert http.portal is not None
        run, compat = http.portal.call, mem0.AsyncMemory.over(memory)

        def alike(id_: str) -> dict[str, Any]:
            by_wire, native = (http.get(f'/v1/memories/{id_}{end}').json() for end in ('/', ''))
            by_python = run(compat.get, id_)
            for name in ('memory', 'metadata', 'created_at', 'updated_at'):
                assert by_wire[name] == by_python[name], name
            assert native['metadata'] == (by_wire['metadata'] or {})
            listed = http.get('/v1/memories', params={'user_id': 'ana'}).json()['items']
            assert native in listed
            return by_wire

        said = {'messages': 'Likes tea', 'user_id': 'ana', 'infer': False, 'metadata': {'team': 'sales'}}
        added = http.post('/v3/memories/add/', json={**said, 'timestamp': DAY, 'immutable': True}).json()
        tea = added['results'][0]['id']
        first = alike(tea)
        assert (first['created_at'], first['metadata']) == ('2023-11-14T22:13:20+00:00', {'team': 'sales'})
        messages = http.get('/v1/episodes', params={'user_id': 'ana'}).json()['items']
        assert [one['metadata'] for one in messages] == [{'team': 'sales'}]
        http.post('/v3/memories/add/', json=said).raise_for_status()  # which is when it was said last
        assert alike(tea)['created_at'] > first['created_at']

        spoken = [{'role': 'assistant', 'content': 'Plays chess', 'name': 'guide'}]
        added = run(partial(compat.add, spoken, user_id='ana', infer=False, timestamp='2020-01-02'))
        chess = added[0]['id']
        assert alike(chess)['metadata'] is None
        assert run(compat.get, chess)['actor_id'] == 'guide'
        early = {'user_id': 'ana', 'created_at': {'lt': '2021-01-01'}}
        assert [one['id'] for one in run(partial(compat.get_all, filters=early))] == [chess]
        assert [one['id'] for one in http.post('/v3/memories/', json={'filters': early}).json()['results']] == [chess]

        for id_ in (tea, chess):
            path = f'/v1/memories/{id_}'
            changed = http.patch(path, json={'metadata': {'n': 1}}, headers={'If-Match': '*'})
            assert changed.json()['metadata'] == {'n': 1}
            refused = http.patch(path, json={'metadata': {'_mem0': {}}}, headers={'If-Match': '*'})
            assert refused.status_code == 422
            assert alike(id_)['metadata'] == {'n': 1}
        assert http.put(f'/v1/memories/{tea}/', json={'text': 'Likes milk'}).status_code == 409
        assert run(compat.get, chess)['actor_id'] == 'guide'


def test_a_change_keeps_what_it_does_not_name(wire: Wire) -> None:
    id_ = wire.add('Likes tea', metadata={'team': 'sales'}, expiration_date='2099-01-01')
    path = f'/v1/memories/{id_}/'
    assert wire.told('PUT', path, {'text': 'Likes milk'})['metadata'] == {'team': 'sales'}
    moved = wire.told('PUT', path, {'timestamp': DAY})
    assert (moved['created_at'], moved['memory']) == ('2023-11-14T22:13:20+00:00', 'Likes milk')
    assert wire.listed({'user_id': 'ana', 'created_at': '2023-11-14'}) == ['Likes milk']
    assert wire.told('PUT', path, {'expiration_date': None})['expiration_date'] is None
    assert wire.told('PUT', path, {'metadata': {'n': 1}, 'text': None})['metadata'] == {'n': 1}
    odd: tuple[dict[str, Any], ...] = ({'text': 'Likes milk', 'data': 'Likes tea'}, {'text': ''}, {'text': 7})
    for body in ({}, *odd, {'timestamp': 4e9}, {'user_id': 'bo'}, {'metadata': {'_mem0': 1}}):
        assert wire.refused('PUT', path, body)[0] == 400
    past = wire.told('GET', f'{path}history/')
    assert [one['event'] for one in past] == ['ADD', 'UPDATE', 'UPDATE', 'UPDATE', 'UPDATE']
    assert past[0]['input'] == [{'role': 'user', 'content': 'Likes tea'}]
    assert [one['old_memory'] for one in past[:2]] == [None, 'Likes tea']


def test_what_was_added_as_immutable_is_deleted_and_not_changed(wire: Wire) -> None:
    id_ = wire.add('Likes tea', immutable=True)
    assert wire.refused('PUT', f'/v1/memories/{id_}/', {'text': 'Likes milk'})[0] == 409
    assert wire.refused('PUT', '/v1/batch/', {'memories': [{'memory_id': id_, 'text': 'x'}]})[0] == 409
    found = wire.told('GET', f'/v1/memories/{id_}/')
    assert (found['memory'], found['immutable'], found['metadata']) == ('Likes tea', True, None)
    wire.told('DELETE', f'/v1/memories/{id_}/')


def test_a_deleted_memory_is_gone_but_for_its_history(wire: Wire) -> None:
    id_ = wire.add('Likes tea')
    wire.told('DELETE', f'/v1/memories/{id_}/')
    for method, body in (('GET', None), ('PUT', {'text': 'x'}), ('DELETE', None)):
        assert wire.refused(method, f'/v1/memories/{id_}/', body)[0] == 404
    past = wire.told('GET', f'/v1/memories/{id_}/history/')
    assert [(one['event'], one['old_memory'], one['new_memory']) for one in past] == [
        ('ADD', None, 'Likes tea'),
        ('DELETE', 'Likes tea', None),
    ]
    assert wire.listed() == []


def test_what_a_deleted_memory_had_replaced_goes_with_it_when_asked(wire: Wire) -> None:
    wire.learn('home.city = Lisbon', timestamp=DAY)
    wire.learn('home.city = Porto', timestamp=DAY + 86_400)
    done = wire.learn('home.city = Braga', timestamp=DAY + 2 * 86_400)
    assert [one['event'] for one in done['results']] == ['ADD']
    assert wire.found('city', reference_date='2023-11-14') == ['home.city is Lisbon']
    gone = wire.told('DELETE', f'/v1/memories/{done["results"][0]["id"]}/?delete_linked=true')
    assert gone['cascade_count'] == 2
    assert wire.found('city', reference_date='2023-11-14') == []
    assert wire.listed() == []


def test_feedback_is_kept_with_the_memory_and_shown_nowhere_else(wire: Wire) -> None:
    id_ = wire.add('Likes tea', metadata={'team': 'sales'})
    for value, expected in (('POSITIVE', 'POSITIVE'), ('very_negative', 'VERY_NEGATIVE'), (None, None)):
        body = {'memory_id': id_, 'feedback': value, 'feedback_reason': 'because'}
        said = wire.told('POST', '/v1/feedback/', body)
        assert said == {'id': id_, 'feedback': expected, 'feedback_reason': 'because' if value else None}
        assert wire.told('GET', f'/v1/memories/{id_}/')['metadata'] == {'team': 'sales'}
    wire.told('POST', '/v1/feedback/', {'memory_id': id_, 'feedback': 'NEGATIVE', 'feedback_reason': 'odd'})
    wire.told('PUT', f'/v1/memories/{id_}/', {'metadata': {'team': 'none'}})

    async def kept() -> Any:
        memory = wire.memory.in_project(wire.project)
        return (await memory.get(id_, user_id='ana')).metadata

    assert wire.client.portal is not None
    metadata = wire.client.portal.call(kept)
    assert metadata == {'team': 'none', '_mem0': {'feedback': 'NEGATIVE', 'feedback_reason': 'odd'}}
    assert len(wire.told('GET', f'/v1/memories/{id_}/history/')) == 2
    for body in (
        {'memory_id': id_, 'feedback': 'GOOD'},
        {'memory_id': id_, 'feedback': 7},
        {'memory_id': id_, 'feedback': 'POSITIVE', 'feedback_reason': 'x' * 10_001},
        {'feedback': 'POSITIVE'},
    ):
        assert wire.refused('POST', '/v1/feedback/', body)[0] == 400


def test_an_event_tells_how_far_an_add_has_come(wire: Wire) -> None:
    done = wire.learn('home.city = Lisbon', 'Likes tea', run_id='s1')
    assert (done['status'], done['event_type'], done['error']) == ('SUCCEEDED', 'ADD', None)
    assert done['payload'] == {'user_id': 'ana', 'run_id': 's1'}
    assert [one['memory'] for one in done['results']] == ['home.city is Lisbon', 'Likes tea']
    assert done['latency'] >= 0
    again = wire.learn('again home.city')
    assert [one['event'] for one in again['results']] == ['NONE']
    taken_back = wire.learn('forget home.city')
    assert [one['event'] for one in taken_back['results']] == ['DELETE']
    first = wire.told('GET', '/v1/events/?page=1&page_size=2')
    assert (first['count'], [one['id'] for one in first['results']]) == (3, [taken_back['id'], again['id']])
    rest = wire.told('GET', '/v1/events/?page=2&page_size=2')
    assert (rest['next'], [one['id'] for one in rest['results']]) == (None, [done['id']])
    assert rest['results'][0]['results'] is None


def test_messages_that_say_nothing_new_end_at_once(wire: Wire) -> None:
    said = {'messages': [{'role': 'system', 'content': 'Be kind.'}], 'user_id': 'ana'}
    answer = wire.told('POST', '/v3/memories/add/', said)
    assert (answer['status'], answer['results'], answer['event_id']) == ('SUCCEEDED', [], None)


def test_what_a_message_may_not_claim_is_left_out(wire: Wire) -> None:
    said = [{'role': 'user', 'content': 'Likes tea', 'trust': 'user', 'locked': True}]
    done = wire.told('POST', '/v3/memories/add/', {'messages': said, 'user_id': 'ana', 'infer': False})
    assert [one['memory'] for one in done['results']] == ['Likes tea']


def test_events_of_others_are_not_for_a_key_of_one_person(wire: Wire) -> None:
    mine, theirs = wire.learn('Likes tea'), wire.learn('Likes milk', user_id='bo')
    ana = wire.as_('ana')
    assert [one['id'] for one in ana.told('GET', '/v1/events/')['results']] == [mine['id']]
    assert ana.told('GET', f'/v1/event/{mine["id"]}/')['status'] == 'SUCCEEDED'
    for other, id_ in ((ana, theirs['id']), (wire.as_('other'), mine['id']), (wire, 'nothing')):
        assert other.refused('GET', f'/v1/event/{id_}/')[0] == 404


def test_who_read_what_is_noted_where_the_policy_wants_that() -> None:
    memory = fast_async(policy=Policy(audit_reads=True))
    with serving(memory) as following:
        wire = following()
        first, second = wire.add('Likes tea'), wire.add('Likes milk')
        wire.told('POST', '/v3/memories/?page=1&page_size=1', {'filters': {'user_id': 'ana'}})
        wire.found('tea', top_k=1)

        async def noted() -> list[tuple[str, str, tuple[str, ...]]]:
            page = await memory.in_project(wire.project).reads(user_id='ana')
            return [(entry.actor, entry.purpose, entry.memory_ids) for entry in page.items]

        assert wire.client.portal is not None
        assert wire.client.portal.call(noted) == [
            ('key:admin', 'search', (first,)),
            ('key:admin', 'get_all', (second,)),
        ]


def test_a_storage_that_fails_is_no_empty_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fast_async(tmp_path / 'm.db')
    with serving(memory) as following:
        wire = following()
        wire.add('Likes tea')

        async def fails(*_: Any, **__: Any) -> Any:
            raise StoreBusy('busy')

        for name in ('search', 'numbered'):
            monkeypatch.setattr(memory.engine.store, name, fails)
        body = {'query': 'tea', 'filters': {'user_id': 'ana'}}
        for path, asked in (
            ('/v3/memories/search/', body),
            ('/search', body),
            ('/v3/memories/', {'filters': {'user_id': 'ana'}}),
        ):
            answer = wire.call('POST', path, asked)
            assert (answer.status_code, answer.headers['retry-after']) == (503, '2')
            assert 'busy' not in answer.text


def test_a_filter_about_too_many_users_names_the_fix(wire: Wire) -> None:
    for number in range(3):
        wire.add('Asked the guide', f'user {number}', agent_id='guide')
    named = {'user_id': {'in': [f'user {number}' for number in range(101)]}}
    assert wire.refused('POST', '/v3/memories/', {'filters': named}) == (
        400,
        'the filter names 101 ids, and 100 is the most: ask several times',
    )
    named = {'OR': [{'user_id': {'in': [f'nobody {number}' for number in range(98)]}}, {'agent_id': 'guide'}]}
    assert wire.listed(named) == ['Asked the guide'] * 3
    status, detail = wire.refused('POST', '/v3/memories/search/', {'query': 'guide', 'filters': named})
    assert (status, '102 users, and 100 are read at once' in detail) == (400, True)


def test_whoever_asks_for_it_waits_for_what_became_of_an_add(wire: Wire) -> None:
    said = {'messages': [{'role': 'user', 'content': 'home.city = Lisbon'}], 'user_id': 'ana', 'async_mode': False}
    for path, event in (('/v3/memories/add/', 'ADD'), ('/v1/memories/', 'NONE')):
        done = wire.told('POST', path, said)
        assert done['status'] == 'SUCCEEDED'
        assert [(one['memory'], one['event']) for one in done['results']] == [('home.city is Lisbon', event)]


def test_the_text_beside_an_image_is_kept(wire: Wire) -> None:
    image = {'type': 'image_url', 'image_url': {'url': 'https://example.org/menu.jpg'}}
    content = [{'type': 'text', 'text': 'Likes tea'}, image]
    said = {'messages': [{'role': 'user', 'content': content}], 'user_id': 'ana', 'infer': False}
    assert wire.told('POST', '/v3/memories/add/', said)['results'][0]['memory'] == 'Likes tea'


@pytest.mark.parametrize('path', ['/v1/memories/{}/', '/memories/{}'])
def test_of_two_changes_at_once_neither_is_lost(wire: Wire, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = wire.add('Likes tea', metadata={'team': 'sales'})
    read = AsyncMemory.get
    between: list[dict[str, Any]] = []

    async def slow(self: AsyncMemory, memory_id: str, **ids: Any) -> Any:
        found = await read(self, memory_id, **ids)
        if between:
            await self.update(memory_id, metadata=between.pop())
        return found

    monkeypatch.setattr(AsyncMemory, 'get', slow)
    between.append({'team': 'support', '_mem0': {'feedback': 'NEGATIVE', 'feedback_reason': 'odd'}})
    wire.told('PUT', path.format(id_), {'metadata': {'n': 1}})
    between.append({'team': 'none', '_mem0': {'immutable': True}})
    said = wire.told('POST', '/v1/feedback/', {'memory_id': id_, 'feedback': 'POSITIVE'})
    assert said['feedback'] == 'POSITIVE'
    found = wire.told('GET', f'/v1/memories/{id_}/')
    assert (found['metadata'], found['immutable']) == ({'team': 'none'}, True)
    between.append({'team': 'none'})
    assert wire.refused('PUT', path.format(id_), {'text': 'x'})[0] == 409


def test_what_waits_for_a_person_is_told_nobody_by_its_id() -> None:
    memory = fast_async(policy=Policy(review='all'))
    with serving(memory) as following:
        wire = following()
        waiting = wire.learn('Likes tea')
        assert (waiting['results'], waiting['payload']['waiting_for_review']) == ([], 1)

        async def pending() -> str:
            page = await memory.in_project(wire.project).review.list(user_id='ana')
            return page.items[0].memory.id

        assert wire.client.portal is not None
        id_ = wire.client.portal.call(pending)
        paths = (f'/v1/memories/{id_}/', f'/v1/memories/{id_}/history/', f'/memories/{id_}', f'/memories/{id_}/history')
        for path in paths:
            status, detail = wire.refused('GET', path)
            assert (status, 'pending' in detail) == (404, True)


def test_a_memory_that_was_replaced_is_told_by_the_platform_only(wire: Wire) -> None:
    first = wire.learn('home.city = Lisbon')['results'][0]['id']
    wire.learn('home.city = Porto')
    found = wire.told('GET', f'/v1/memories/{first}/')
    assert (found['lifecycle_state'], found['replaced_by'] is None) == ('superseded', False)
    assert wire.refused('GET', f'/memories/{first}')[0] == 404
