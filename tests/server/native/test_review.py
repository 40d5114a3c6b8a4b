"""Deciding what is believed, and taking changes back, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from _fakes import fast_async
from _native import Api, serving_many
from memoranda import Policy


@pytest.fixture(scope='module')
def reviewed() -> Iterator[Callable[[], Api]]:
    with serving_many(fast_async(policy=Policy(review='all'))) as found:
        yield found


@pytest.fixture
def api(reviewed: Callable[[], Api]) -> Api:
    return reviewed()


def waiting(api: Api, *drinks: str) -> list[str]:
    return [api.add(f'I like {drink}')['id'] for drink in drinks]


def test_a_proposal_is_shown_with_its_words_and_what_approving_it_does(api: Api) -> None:
    (one,) = waiting(api, 'tea')

    item = api.as_('reviewer').shown(f'/v1/review/{one}')

    assert (item['op'], item['memory']['status'], item['reasons']) == ('add', 'pending', ['policy:all'])
    assert item['evidence'][0]['quote'] == 'I like tea'
    assert [e['op'] for e in item['diff']] == ['approve']
    assert api.texts() == []


def test_the_queue_is_read_page_by_page(api: Api) -> None:
    ids = waiting(api, 'tea', 'milk', 'water')

    first = api.shown('/v1/review', limit=2, details='false', reasons='policy:all')
    rest = api.shown('/v1/review', limit=2, details='false', reasons='policy:all', cursor=first['next_cursor'])

    assert [i['id'] for i in (*first['items'], *rest['items'])] == ids
    assert api.shown('/v1/review', reasons='locked')['items'] == []


def test_proposals_are_approved_edited_and_rejected_once(api: Api) -> None:
    tea, milk, water = waiting(api, 'tea', 'milk', 'water')
    reviewer = api.as_('reviewer')

    assert reviewer.told(f'/v1/review/{tea}/approve')['outcome'] == 'approved'
    edited = reviewer.told(f'/v1/review/{milk}/edit', {'text': 'Likes oat milk'})
    assert (edited['memory']['text'], edited['memory']['locked']) == ('Likes oat milk', True)
    assert reviewer.told(f'/v1/review/{water}/reject')['outcome'] == 'rejected'
    assert sorted(api.texts()) == ['I like tea', 'Likes oat milk']

    late = reviewer.post(f'/v1/review/{tea}/reject')
    assert (late.status_code, 'was approved by key:reviewer' in late.json()['detail']) == (409, True)
    assert reviewer.get(f'/v1/review/{tea}').status_code == 409
    assert reviewer.post(f'/v1/review/{milk}/edit', {'text': 'x'}).status_code == 409
    assert reviewer.post('/v1/review/nonsense/approve').status_code == 404


@pytest.mark.parametrize('decision', ['approve', 'reject'])
def test_a_decision_is_taken_back(api: Api, decision: str) -> None:
    (one,) = waiting(api, 'tea')
    assert api.post(f'/v1/review/{one}/undo').status_code == 409
    api.told(f'/v1/review/{one}/{decision}')

    api.told(f'/v1/review/{one}/undo')

    assert [i['id'] for i in api.shown('/v1/review')['items']] == [one]
    assert api.post(f'/v1/review/{one}/undo').status_code == 409
    assert api.post('/v1/review/nonsense/undo').status_code == 404
    assert api.told(f'/v1/review/{one}/approve')['outcome'] == 'approved'


def test_several_are_decided_at_once_and_one_that_fails_stops_no_other(api: Api) -> None:
    tea, milk = waiting(api, 'tea', 'milk')
    api.told(f'/v1/review/{tea}/reject')

    results = api.told('/v1/review', {'decision': 'approve', 'ids': [tea, milk, 'nonsense']})['items']

    assert [(r['outcome'], (r['error'] or {}).get('status')) for r in results] == [
        ('failed', 409),
        ('approved', None),
        ('failed', 404),
    ]


def test_proposals_of_others_are_not_found(api: Api) -> None:
    theirs = api.add('I like tea', user_id='ben')['id']

    for who in ('ana-admin', 'other'):
        stranger = api.as_(who)
        assert stranger.get(f'/v1/review/{theirs}').status_code == 404
        for act in ('approve', 'reject', 'undo'):
            assert stranger.post(f'/v1/review/{theirs}/{act}').status_code == 404
        assert stranger.post(f'/v1/review/{theirs}/edit', {'text': 'x'}).status_code == 404
        assert stranger.shown('/v1/review')['items'] == []
    assert [i['id'] for i in api.shown('/v1/review')['items']] == [theirs]


def test_a_change_is_taken_back_with_what_depends_on_it(api: Api) -> None:
    (one,) = waiting(api, 'tea')
    approved = api.told(f'/v1/review/{one}/approve')['change']['id']
    api.call('PATCH', f'/v1/memories/{one}', json={'text': 'Likes green tea'}, headers={'If-Match': '*'})

    assert [c['actor'] for c in api.shown('/v1/changes', user_id='ana', limit=2)['items']] == [
        'key:admin',
        'key:admin',
    ]
    assert api.post(f'/v1/changes/{approved}/revert', {}).status_code == 409
    assert api.as_('other').post(f'/v1/changes/{approved}/revert', {}).status_code == 404
    api.told(f'/v1/changes/{approved}/revert', {'cascade': True})
    assert [i['id'] for i in api.shown('/v1/review')['items']] == [one]
    assert api.post('/v1/changes/nonsense/revert', {}).status_code == 404
