"""A program that runs Mem0's own command, line after line; where its server is, and the key, is in the environment."""

from __future__ import annotations

import json
import time
from typing import Any

from mem0_cli.app import app
from typer.testing import CliRunner

USER = 'ana command'
SECONDS = 30
runner = CliRunner()


def mem0(*arguments: str, fails: bool = False) -> str:
    done = runner.invoke(app, [*arguments])
    assert (done.exit_code != 0) is fails, f'{arguments}: {done.output} {done.exception!r}'
    return done.output


def read(*arguments: str) -> Any:
    """What it prints as JSON."""
    said = mem0(*arguments, '-o', 'json')
    begin = min(place for place in (said.find('{'), said.find('[')) if place >= 0)
    return json.JSONDecoder().raw_decode(said[begin:])[0]


def main() -> None:
    assert 'onnected' in mem0('status')
    queued = read('add', 'home.city = Lisbon', '--user-id', USER, '--run-id', 's1', '--metadata', '{"team": "sales"}')
    one = queued[0] if isinstance(queued, list) else queued
    assert one['status'] == 'PENDING', queued
    end = time.monotonic() + SECONDS
    while (found := read('event', 'status', one['event_id']))['status'] != 'SUCCEEDED':
        assert time.monotonic() < end, found
        time.sleep(0.05)
    city = found['results'][0]['id']
    assert one['event_id'][:8] in mem0('event', 'list')
    added = read('add', 'Likes green tea', '--user-id', USER, '--no-infer', '--expires', '2099-12-31', '--immutable')
    results = added['results'] if isinstance(added, dict) else added
    locked = results[0]['id']
    mem0('add', 'Plays the cello', '--user-id', USER, '--no-infer')
    hits = read('search', 'Which tea?', '--user-id', USER, '--top-k', '2', '--threshold', '0.1')
    assert hits[0]['memory'] == 'Likes green tea', hits
    narrowed = json.dumps({'AND': [{'user_id': USER}, {'metadata': {'team': 'sales'}}]})
    assert [hit['id'] for hit in read('search', 'city', '--filter', narrowed, '--threshold', '0')] == [city]
    listed = read('list', '--user-id', USER, '--page', '1', '--page-size', '2')
    assert len(listed['data']) == 2, listed
    assert len(read('list', '--user-id', USER, '--category', 'profile', '--after', '2020-01-01')['data']) == 1
    assert read('get', city)['memory'] == 'home.city is Lisbon'
    mem0('update', city, 'home.city is Porto', '--metadata', '{"team": "support"}')
    assert read('get', city)['metadata'] == {'team': 'support'}
    mem0('update', locked, 'Likes coffee', fails=True)
    assert read('get', locked)['memory'] == 'Likes green tea'
    assert USER in mem0('entity', 'list', 'users')
    mem0('delete', locked, '--force')
    assert 'not found' in mem0('get', locked, fails=True)
    assert 'refused' in mem0('delete', '--all', '--project', '--force', fails=True)
    mem0('delete', '--all', '--user-id', USER, '--force')
    assert read('list', '--user-id', USER)['data'] == []
    mem0('add', 'Is here again', '--user-id', USER, '--no-infer')
    mem0('entity', 'delete', '--user-id', USER, '--force')
    assert USER not in mem0('entity', 'list', 'users')
    print('done')


if __name__ == '__main__':
    main()
