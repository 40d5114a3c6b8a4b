"""Adding, listing, reading, correcting and retracting over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from _fakes import fast_async
from _native import Api, serving
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor


def test_what_was_said_is_remembered_and_told_with_its_evidence(api: Api) -> None:
    answer = api.post(
        '/v1/memories', {'messages': [{'role': 'user', 'content': 'home.city = Lisbon'}], 'user_id': 'ana'}
    )

    assert answer.status_code == 201
    told = answer.json()
    assert told['status'] == 'done'
    assert len(told['episode_ids']) == 1
    (edit,) = told['changes']
    assert (edit['op'], edit['before'], edit['after']['text']) == ('add', None, 'home.city is Lisbon')
    assert edit['after']['evidence'][0]['episode_id'] == told['episode_ids'][0]
    assert edit['after']['recorded_at'].endswith('Z')


@pytest.mark.parametrize(
    'messages',
    [
        'I like tea',
        {'role': 'user', 'content': 'I like tea'},
        [
            {
                'role': 'user',
                'content': [{'type': 'text', 'text': 'I like tea'}, {'type': 'image_url', 'image_url': 'x'}],
            }
        ],
        [
            {'role': 'system', 'content': 'You are helpful.'},
            {'role': 'user', 'content': 'I like tea', 'timestamp': '2026-01-02T03:04:05+01:00'},
            {'role': 'assistant', 'content': None, 'tool_calls': [{'id': 'c1'}]},
            {'role': 'tool', 'content': '42', 'tool_call_id': 'c1'},
        ],
    ],
)
def test_messages_may_come_as_text_or_as_chat_completions_have_them(api: Api, messages: Any) -> None:
    assert api.add(messages)['text'] == 'I like tea'


def test_a_fact_may_be_stored_as_given_with_all_that_is_known_of_it(api: Api) -> None:
    fact = api.add(
        'Lives in Lisbon',
        infer=False,
        kind='profile',
        slot='home.city',
        value='Lisbon',
        tags=['home'],
        confidence=0.5,
        importance=1,
        pinned=True,
        metadata={'source': 'form'},
        occurred_at='2026-02-03T04:05:06Z',
        valid_from='2026-01-01T00:00:00+02:00',
        expires_at='2999-01-01T00:00:00Z',
    )

    assert fact['valid_from'] == '2025-12-31T22:00:00Z'
    assert (fact['slot'], fact['value'], fact['tags'], fact['pinned']) == ('home.city', 'Lisbon', ['home'], True)
    assert (fact['confidence'], fact['importance'], fact['metadata']) == (0.5, 1.0, {'source': 'form'})


def test_a_conversation_that_is_passed_again_adds_what_is_new_in_it(api: Api) -> None:
    said = [{'role': 'user', 'content': f'I like {drink}'} for drink in ('tea', 'milk', 'water')]
    body = {'user_id': 'ana', 'run_id': 's1'}

    assert api.post('/v1/memories', {**body, 'messages': said[:2]}).status_code == 201
    again = api.post('/v1/memories', {**body, 'messages': said[:2]})
    assert (again.status_code, again.json()['known'], again.json()['changes']) == (200, 2, [])
    grown = api.told('/v1/memories', {**body, 'messages': said})
    assert (grown['known'], [e['after']['text'] for e in grown['changes']]) == (2, ['I like water'])


def test_an_idempotency_key_makes_a_repeated_add_harmless(api: Api) -> None:
    body = {'messages': 'I like tea', 'user_id': 'ana'}
    first = api.post('/v1/memories', body, headers={'Idempotency-Key': 'k1'})
    again = api.post('/v1/memories', body, headers={'Idempotency-Key': 'k1'})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()['replayed']
    assert again.json()['changes'][0]['after'] == first.json()['changes'][0]['after']
    assert api.texts() == ['I like tea']

    other = api.post('/v1/memories', {**body, 'messages': 'I like milk'}, headers={'Idempotency-Key': 'k1'})
    assert (other.status_code, other.headers['content-type']) == (409, 'application/problem+json')
    assert api.post('/v1/memories', {**body, 'user_id': 'ben'}, headers={'Idempotency-Key': 'k1'}).status_code == 201


@pytest.mark.parametrize('key', ['', ' ', 'a b', 'x' * 257, 'caf\u00e9'])
def test_a_bad_idempotency_key_is_refused(api: Api, key: str) -> None:
    headers = {'Idempotency-Key': key.encode('latin-1')}
    answer = api.post('/v1/memories', {'messages': 'I like tea', 'user_id': 'ana'}, headers=headers)

    assert answer.status_code == 422
    assert api.texts() == []


def test_an_add_whose_reading_fails_is_accepted_with_a_job_that_goes_on() -> None:
    failing = ScriptedExtractor([RuntimeError('the model is down')])
    with serving(fast_async(extractor=failing, settings=Settings(workers=0))) as api:
        answer = api.post('/v1/memories', {'messages': 'I like tea', 'user_id': 'ana'})

        assert answer.status_code == 202
        assert answer.json()['status'] in ('queued', 'retrying')
        job = api.shown(answer.headers['Location'])
        assert (job['status'], job['episode_ids']) == ('retrying', answer.json()['episode_ids'])


def test_a_preview_tells_what_would_change_and_writes_nothing(api: Api) -> None:
    api.add('home.city = Lisbon')

    told = api.told('/v1/preview', {'messages': 'home.city = Porto', 'user_id': 'ana'})

    assert [(e['op'], e['after']['text']) for e in told['changes']] == [
        ('supersede', 'home.city is Lisbon'),
        ('add', 'home.city is Porto'),
    ]
    assert api.texts() == ['home.city is Lisbon']


def test_a_listing_is_read_page_by_page(api: Api) -> None:
    for drink in ('tea', 'milk', 'water'):
        api.add(f'I like {drink}')

    first = api.shown('/v1/memories', user_id='ana', limit=2)
    rest = api.shown('/v1/memories', user_id='ana', limit=1, cursor=first['next_cursor'])

    assert [m['text'] for m in (*first['items'], *rest['items'])] == ['I like tea', 'I like milk', 'I like water']
    assert rest['next_cursor'] is None


def test_a_cursor_of_another_listing_is_refused(api: Api) -> None:
    for drink in ('tea', 'milk'):
        api.add(f'I like {drink}')
    cursor = api.shown('/v1/memories', user_id='ana', limit=1)['next_cursor']

    for path, query in (
        ('/v1/memories', {'user_id': 'ben'}),
        ('/v1/memories', {'user_id': 'ana', 'filters': '{"kind": "event"}'}),
        ('/v1/episodes', {'user_id': 'ana'}),
        ('/v1/changes', {'user_id': 'ana'}),
        ('/v1/review', {'user_id': 'ana'}),
        ('/v1/jobs', {}),
        ('/v1/audit', {}),
        ('/v1/audit/reads', {}),
    ):
        answer = api.get(path, cursor=cursor, **query)
        assert (answer.status_code, 'cursor=' in answer.json()['detail']) == (422, True), path
    for made_up in ('1', '\u00e9', 'x' * 256, 'MQ', 'Li4u', cursor[:-2], cursor + 'A'):
        assert api.get('/v1/memories', user_id='ana', cursor=made_up).status_code == 422


def test_a_listing_is_narrowed_by_filters_levels_and_moments(api: Api) -> None:
    api.add('home.city = Lisbon', occurred_at='2026-01-01T00:00:00Z')
    api.add('home.city = Porto', occurred_at='2026-03-01T00:00:00Z')
    api.add('here: in a hurry', run_id='s1')

    assert api.texts(filters='{"kind": "profile"}') == ['home.city is Porto']
    assert api.texts(levels='run') == ['in a hurry']
    assert api.texts(filters='{"kind": "profile"}', as_of='2026-02-01T00:00:00Z') == ['home.city is Lisbon']
    assert len(api.texts(include_inactive='true')) == 3
    assert api.get('/v1/memories', user_id='ana', filters='[1]').status_code == 422
    assert api.get('/v1/memories', user_id='ana', filters='{"no_such": 1}').status_code == 422


def test_a_memory_is_read_with_its_etag_and_not_again_when_nothing_changed(api: Api) -> None:
    path = f'/v1/memories/{api.add("home.city = Lisbon")["id"]}'
    found = api.get(path)

    assert (found.json()['text'], found.headers['etag']) == ('home.city is Lisbon', '"1"')
    for known in ('"1"', 'W/"1"', '"7", "1"', '*'):
        answer = api.call('GET', path, headers={'If-None-Match': known})
        assert (answer.status_code, answer.content, answer.headers['etag']) == (304, b'', '"1"')
    assert api.call('GET', path, headers={'If-None-Match': '"2"'}).status_code == 200
    assert api.call('GET', path, headers={'If-None-Match': 'nonsense'}).status_code == 422


def test_a_correction_needs_the_version_that_was_read(api: Api) -> None:
    path = f'/v1/memories/{api.add("home.city = Lisbon")["id"]}'

    def patch(tag: str | None, **body: Any) -> Any:
        return api.call('PATCH', path, json=body, headers={} if tag is None else {'If-Match': tag})

    assert patch(None, pinned=True).status_code == 428
    assert patch('"2"', pinned=True).status_code == 412
    assert patch('W/"1"', pinned=True).status_code == 412
    assert patch('1', pinned=True).status_code == 422
    done = patch('"9", "1"', text='Lives in Lisbon, in Alfama', tags=['home'])
    assert (done.status_code, done.headers['etag'], done.json()['locked']) == (200, '"2"', True)
    assert patch('"1"', pinned=True).status_code == 412
    assert patch('*', pinned=True).json()['version'] == 3
    assert patch('"3"', slot=None).json()['slot'] is None
    assert patch('"4"', text='').status_code == 422


def test_a_retracted_memory_is_gone_but_for_its_history(api: Api) -> None:
    memory_id = api.add('I like tea')['id']
    path = f'/v1/memories/{memory_id}'

    assert api.call('DELETE', path, headers={'If-Match': '"2"'}).status_code == 412
    answer = api.call('DELETE', path, headers={'If-Match': '"1"'})
    assert (answer.status_code, answer.content) == (204, b'')
    assert api.get(path).status_code == 404
    assert api.call('DELETE', path).status_code == 404
    assert [(e['op'], e['actor']) for e in api.shown(f'{path}/history')['items']] == [
        ('add', 'grammar'),
        ('retract', 'key:admin'),
    ]


@pytest.mark.parametrize('prefer', [{}, {'Prefer': 'respond-async'}], ids=['at once', 'later'])
def test_the_history_names_the_key_that_stored_a_fact_as_given(api: Api, prefer: dict[str, str]) -> None:
    body = {'messages': 'Lives in Lisbon', 'user_id': 'ana', 'infer': False}
    once = {'Idempotency-Key': 'k1'}
    assert api.as_('writer').post('/v1/memories', body, headers={**once, **prefer}).is_success
    assert asyncio.run(api.memory.flush()) == 0
    again = api.as_('admin').post('/v1/memories', body, headers=once)
    assert (again.status_code, again.json()['replayed']) == (200, True)

    (memory,) = api.shown('/v1/memories', user_id='ana')['items']
    assert memory['actor'] == 'caller'
    told = api.shown(f'/v1/memories/{memory["id"]}/history')['items']
    assert [(e['op'], e['actor'], e['reason']) for e in told] == [('add', 'key:writer', 'stored as given')]


def test_a_memory_is_retracted_with_those_it_took_the_place_of(api: Api) -> None:
    lisbon = api.add('Lives in Lisbon', infer=False)['id']
    porto = api.add('Lives in Porto', infer=False, supersedes=lisbon)['id']
    api.call('PATCH', f'/v1/memories/{porto}', json={'said_at': '2026-01-01T00:00:00Z'}, headers={'If-Match': '*'})

    assert api.call('DELETE', f'/v1/memories/{porto}?linked=true').status_code == 204
    assert api.get(f'/v1/memories/{lisbon}').status_code == 404


def test_what_belongs_to_others_is_not_found(api: Api) -> None:
    theirs = api.add('I like tea', user_id='ben')['id']
    missing = api.get('/v1/memories/01890a5d-ac96-774b-bcce-b302099a8057').json()

    for who in ('ana', 'other'):
        stranger = api.as_(who)
        for method, path, request in (
            ('GET', f'/v1/memories/{theirs}', {}),
            ('PATCH', f'/v1/memories/{theirs}', {'json': {'pinned': True}, 'headers': {'If-Match': '*'}}),
            ('DELETE', f'/v1/memories/{theirs}', {}),
            ('GET', f'/v1/memories/{theirs}/history', {}),
        ):
            answer = stranger.call(method, path, **request)
            assert answer.status_code == 404, (who, method, path)
            assert answer.json()['detail'].replace(theirs, '') == missing['detail'].replace(
                '01890a5d-ac96-774b-bcce-b302099a8057', ''
            )
    assert api.texts('ben') == ['I like tea']


def test_ids_beside_an_id_narrow_where_it_is_looked_for(api: Api) -> None:
    path = f'/v1/memories/{api.add("I like tea")["id"]}'

    assert api.get(path, user_id='ana').status_code == 200
    assert api.get(path, user_id='ben').status_code == 404
    assert api.call('PATCH', f'{path}?user_id=ben', json={'pinned': True}, headers={'If-Match': '*'}).status_code == 404
    assert api.call('DELETE', f'{path}?user_id=ben').status_code == 404


def test_a_key_of_one_user_fills_in_who_it_is_about(api: Api) -> None:
    hers = api.as_('ana')

    assert hers.add('I like tea', user_id=None)['scope']['user_id'] == 'ana'
    assert [m['text'] for m in hers.shown('/v1/memories')['items']] == ['I like tea']
    assert hers.post('/v1/memories', {'messages': 'x', 'user_id': 'ben'}).status_code == 403
    assert hers.post('/v1/memories', {'messages': 'x', 'agent_id': 'bot'}).status_code == 403
    assert hers.post('/v1/memories', {'messages': 'x', 'shared': True}).status_code == 403
    assert hers.get('/v1/memories', user_id='ben').status_code == 403


def test_what_a_project_shares_is_named_by_itself(api: Api) -> None:
    api.add('We are closed on Mondays', user_id=None, shared=True, infer=False)

    assert [m['level'] for m in api.shown('/v1/memories', shared='true')['items']] == ['global']
    assert api.texts() == []
    assert api.post('/v1/memories', {'messages': 'x', 'shared': True, 'user_id': 'ana'}).status_code == 422
    assert api.post('/v1/memories', {'messages': 'x'}).status_code == 422


def test_projects_do_not_see_each_other(api: Api) -> None:
    api.add('I like tea')

    other = api.as_('other')
    assert other.texts() == []
    assert other.shown('/v1/jobs')['items'] == []
    assert other.told('/v1/search', {'query': 'tea', 'user_id': 'ana'})['hits'] == []
