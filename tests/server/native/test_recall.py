"""Searching, contexts, slots, messages and profiles over HTTP."""

from __future__ import annotations

import json

from _native import Api


def test_a_search_finds_facts_and_passages_and_explains_its_scores(api: Api) -> None:
    api.add('I like green tea')

    told = api.told(
        '/v1/search',
        {'query': 'green tea', 'user_id': 'ana', 'include': ['memories', 'episodes'], 'explain': True, 'top_k': 2},
    )

    assert {hit['text'] for hit in told['hits']} == {'I like green tea'}
    assert told['degraded'] is None
    assert all(0 <= hit['score'] <= 1 and hit['why'] for hit in told['hits'])


def test_a_search_may_look_into_the_past_and_through_filters(api: Api) -> None:
    api.add('home.city = Lisbon', occurred_at='2026-01-01T00:00:00Z')
    api.add('home.city = Porto', occurred_at='2026-03-01T00:00:00Z')
    body = {'query': 'city', 'user_id': 'ana', 'filters': {'kind': 'profile'}}

    def texts(**more: str) -> list[str]:
        return [hit['text'] for hit in api.told('/v1/search', {**body, **more})['hits']]

    assert texts() == ['home.city is Porto']
    assert texts(as_of='2026-02-01T00:00:00Z') == ['home.city is Lisbon']
    assert api.post('/v1/search', {**body, 'filters': {'nonsense': 1}}).status_code == 422


def test_a_context_is_framed_and_for_a_key_of_one_user_holds_nothing_that_is_shared(api: Api) -> None:
    api.add('I like green tea', pinned=True)
    api.add('Closed on Mondays', user_id=None, shared=True, infer=False, pinned=True)
    body = {'query': 'what to drink?', 'max_tokens': 300}

    everything = api.told('/v1/context', {**body, 'user_id': 'ana'})
    hers = api.as_('ana').told('/v1/context', body)

    assert 'green tea' in everything['text']
    assert 'Closed on Mondays' in everything['text']
    assert everything['tokens'] <= 300
    assert len(everything['standing']) == 2
    assert 'green tea' in hers['text']
    assert 'Closed on Mondays' not in hers['text']


def test_a_slot_is_read_without_a_search(api: Api) -> None:
    api.add('home.city = Lisbon')
    api.add('home.city = Porto')

    found = api.get('/v1/slots/home.city', user_id='ana')
    assert (found.json()['value'], found.headers['etag']) == ('Porto', '"1"')
    assert api.get('/v1/slots/diet', user_id='ana').status_code == 404
    assert api.get('/v1/slots/No%20Slot', user_id='ana').status_code == 422
    told = api.shown('/v1/slots/home.city/history', user_id='ana')['items']
    assert [entry['op'] for entry in told] == ['add', 'supersede', 'add']


def test_messages_are_listed_as_they_were_said(api: Api) -> None:
    api.add('I like tea')
    api.add('I like milk', run_id='s1')

    page = api.shown('/v1/episodes', user_id='ana', limit=1)
    rest = api.shown('/v1/episodes', user_id='ana', limit=1, cursor=page['next_cursor'])
    assert [e['text'] for e in (*page['items'], *rest['items'])] == ['I like tea', 'I like milk']
    assert [e['text'] for e in api.shown('/v1/episodes', user_id='ana', run_id='s1')['items']] == ['I like milk']


def test_a_profile_is_filled_field_by_field_and_never_guessed(api: Api) -> None:
    api.add('home.city = Lisbon')
    api.add('age = thirty')
    api.add('colour = green')
    fields = {
        'Where she lives': {'slot': 'home.city'},
        'age': {'slot': 'age', 'type': 'integer'},
        'colour': {'slot': 'colour', 'choices': ['red', 'green']},
        'shade': {'slot': 'colour', 'choices': ['red']},
        'pets': {'slot': 'pet', 'many': True},
        'model_config': {'slot': 'born', 'type': 'date'},
    }

    told = api.told('/v1/profile', {'user_id': 'ana', 'fields': fields})

    known = {name: field['value'] for name, field in told['fields'].items()}
    assert known == {'Where she lives': 'Lisbon', 'colour': 'green'}
    assert {one['field'] for one in told['invalid']} == {'age', 'shade'}
    assert told['missing'] == ['pets', 'model_config']
    assert 'field_' not in json.dumps(told)


def test_a_profile_of_a_slot_that_is_none_is_refused(api: Api) -> None:
    answer = api.post('/v1/profile', {'user_id': 'ana', 'fields': {'x': {'slot': 'No Slot'}}})
    assert answer.status_code == 422
