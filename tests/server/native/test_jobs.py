"""Adding in the background, and following what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from _fakes import Grammar, fast_async
from _native import Api, serving
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor


def later(api: Api, text: str = 'I like tea', prefer: str = 'respond-async', **fields: Any) -> Any:
    return api.post('/v1/memories', {'messages': text, 'user_id': 'ana', **fields}, headers={'Prefer': prefer})


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for block in text.split('\n\n'):
        lines = dict(line.split(': ', 1) for line in block.splitlines() if not line.startswith(':'))
        if lines:
            found.append((lines['event'], json.loads(lines['data'])))
    return found


def test_an_add_in_the_background_names_a_job_that_can_be_waited_for(api: Api) -> None:
    answer = later(api)

    assert (answer.status_code, answer.headers['preference-applied']) == (202, 'respond-async')
    assert answer.headers['location'] == f'/v1/jobs/{answer.json()["job_id"]}'
    job = api.shown(answer.headers['location'], wait=60)
    assert (job['status'], [e['after']['text'] for e in job['changes']]) == ('done', ['I like tea'])
    assert job['episode_ids'] == answer.json()['episode_ids']
    assert 'payload' not in job


@pytest.mark.parametrize('wait', ['wait=60', 'wait="60"', 'Wait = 60', 'wait=999999'])
def test_an_add_may_wait_for_its_outcome_for_some_time(api: Api, wait: str) -> None:
    answer = later(api, prefer=f'respond-async, {wait}')

    assert (answer.status_code, answer.json()['status']) == (201, 'done')
    assert answer.json()['changes'][0]['after']['text'] == 'I like tea'


@pytest.mark.parametrize('prefer', ['wait=5', 'return=minimal', '', 'respond-asynchronously'])
def test_other_preferences_are_passed_over(api: Api, prefer: str) -> None:
    answer = later(api, prefer=prefer)

    assert answer.status_code == 201
    assert 'preference-applied' not in answer.headers


def test_a_stream_of_events_ends_with_the_job(api: Api) -> None:
    location = later(api).headers['location']

    answer = api.get(f'{location}/events')

    assert answer.headers['content-type'].startswith('text/event-stream')
    told = events(answer.text)
    assert told[-1][0] == 'end'
    assert told[-1][1]['status'] == 'done'
    assert told[-1][1]['changes'][0]['after']['text'] == 'I like tea'


def test_a_job_that_ended_long_ago_is_still_told(api: Api) -> None:
    location = later(api).headers['location']
    api.shown(location, wait=60)

    assert [name for name, _ in events(api.get(f'{location}/events').text)] == ['end']


def test_jobs_are_listed_tried_again_and_dropped() -> None:
    failing = ScriptedExtractor([RuntimeError('down')])
    with serving(fast_async(extractor=failing, settings=Settings(workers=0, max_attempts=1))) as api:
        first, second = (later(api, f'I like {drink}').json()['job_id'] for drink in ('tea', 'milk'))

        page = api.shown('/v1/jobs', limit=1, states='queued')
        rest = api.shown('/v1/jobs', limit=1, states='queued', cursor=page['next_cursor'])
        assert [j['id'] for j in (*page['items'], *rest['items'])] == [second, first]

        assert api.told(f'/v1/jobs/{second}/drop')['status'] == 'dropped'
        assert api.post(f'/v1/jobs/{second}/drop').status_code == 409
        assert api.post(f'/v1/jobs/{second}/retry').status_code == 409
        assert api.told(f'/v1/jobs/{first}/retry')['status'] == 'queued'
        assert [n for n, _ in events(api.get(f'/v1/jobs/{second}/events').text)] == ['end']


def test_jobs_of_others_are_not_found(api: Api) -> None:
    job = later(api, user_id='ben').json()['job_id']

    for who in ('ana', 'other'):
        for method, path in (
            ('GET', f'/v1/jobs/{job}'),
            ('GET', f'/v1/jobs/{job}/events'),
            ('POST', f'/v1/jobs/{job}/retry'),
            ('POST', f'/v1/jobs/{job}/drop'),
        ):
            assert api.as_(who).call(method, path).status_code == 404, (who, path)
        assert api.as_(who).shown('/v1/jobs')['items'] == []


def test_turns_of_a_conversation_are_read_together() -> None:
    with serving(fast_async(extractor=Grammar(), settings=Settings(batch_seconds=3600))) as api:
        for number, text in enumerate(('I like tea', 'I like milk')):
            answer = later(api, text, run_id='s1', batch_turns=2)
            assert answer.status_code == 202, number
        api.shown(answer.headers['location'], wait=60)
        assert sorted(api.texts()) == ['I like milk', 'I like tea']
