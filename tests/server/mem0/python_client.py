"""A program that drives Mem0's own Python client, blocking or asynchronous: `python_client.py URL KEY sync|async`."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from typing import Any

import mem0
from mem0.client.types import AddMemoryOptions, DeleteAllMemoryOptions, SearchMemoryOptions
from mem0.exceptions import MemoryError as Failed
from mem0.exceptions import MemoryNotFoundError, ValidationError

SECONDS = 30


async def ask(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def fails(error: type[Exception], call: Any, *words: str) -> None:
    try:
        await ask(call())
    except error as caught:
        told = str(caught)
        assert all(word in told for word in words), told
    else:
        raise AssertionError(f'{error.__name__} was expected')


async def event(client: Any, id_: str) -> dict[str, Any]:
    """Its client has no method for it; the command has."""
    http = getattr(client, 'async_client', None) or client.client
    end = time.monotonic() + SECONDS
    while True:
        found = (await ask(http.get(f'/v1/event/{id_}/'))).json()
        if found['status'] in ('SUCCEEDED', 'FAILED') or time.monotonic() > end:
            return found
        await asyncio.sleep(0.01)


def words(found: dict[str, Any]) -> list[str]:
    return [one['memory'] for one in found['results']]


async def adds(client: Any, user: str) -> tuple[str, str]:
    told = [
        {'role': 'user', 'content': 'home.city = Lisbon'},
        {'role': 'assistant', 'content': 'Lovely.'},
    ]
    queued = await ask(client.add(told, user_id=user, agent_id='guide', run_id='s1', metadata={'team': 'sales'}))
    assert queued['status'] == 'PENDING', queued
    done = await event(client, queued['event_id'])
    assert done['status'] == 'SUCCEEDED', done
    assert [(one['event'], one['data']['memory']) for one in done['results']] == [('ADD', 'home.city is Lisbon')]
    stored = await ask(client.add('Likes green tea', user_id=user, infer=False, expiration_date='2099-12-31'))
    assert stored['status'] == 'SUCCEEDED', stored
    assert [one['event'] for one in stored['results']] == ['ADD']
    options = AddMemoryOptions(
        filters={'user_id': user}, metadata={'team': 'support'}, infer=False, timestamp=1700000000
    )
    await ask(client.add('Plays the cello', options))
    return done['results'][0]['id'], stored['results'][0]['id']


async def reads(client: Any, user: str, city: str, tea: str) -> None:
    found = await ask(client.search('Which tea?', filters={'user_id': user}, top_k=2))
    assert words(found)[0] == 'Likes green tea', found
    assert set(found['results'][0]['score_breakdown']) == {'semantic', 'bm25', 'entity'}
    narrowed = {'AND': [{'user_id': user}, {'metadata': {'team': 'sales'}}]}
    assert words(await ask(client.search('tea', filters=narrowed))) == ['home.city is Lisbon']
    options = SearchMemoryOptions(filters={'user_id': user, 'created_at': {'lte': '2023-12-31'}}, top_k=5)
    assert words(await ask(client.search('music', options))) == ['Plays the cello']
    either = {'OR': [{'user_id': user}, {'agent_id': 'guide'}]}
    assert len(words(await ask(client.search('anything', filters=either)))) == 3
    pages = [await ask(client.get_all(filters={'user_id': user}, page=n, page_size=2)) for n in (1, 2, 3)]
    assert [page['count'] for page in pages] == [3, 3, 3]
    assert [len(page['results']) for page in pages] == [2, 1, 0]
    assert pages[0]['next']
    assert not pages[1]['next']
    assert {one for page in pages for one in words(page)} == {
        'home.city is Lisbon',
        'Likes green tea',
        'Plays the cello',
    }
    assert words(await ask(client.get_all(filters={'run_id': 's1', 'user_id': user}))) == ['home.city is Lisbon']
    one = await ask(client.get(tea))
    assert (one['memory'], one['user_id'], one['expiration_date']) == ('Likes green tea', user, '2099-12-31')
    assert (await ask(client.get(city)))['session_id'] == 's1'


async def changes(client: Any, user: str, city: str, tea: str) -> None:
    updated = await ask(client.update(tea, text='Likes black tea', metadata={'sure': True}, expiration_date=None))
    assert (updated['memory'], updated['metadata'], updated['expiration_date']) == (
        'Likes black tea',
        {'sure': True},
        None,
    )
    past = await ask(client.history(tea))
    assert [(one['event'], one['old_memory'], one['new_memory']) for one in past] == [
        ('ADD', None, 'Likes green tea'),
        ('UPDATE', 'Likes green tea', 'Likes black tea'),
    ]
    said = await ask(client.feedback(tea, feedback='negative', feedback_reason='It is coffee.'))
    assert (said['feedback'], said['feedback_reason']) == ('NEGATIVE', 'It is coffee.')
    batch = [{'memory_id': tea, 'text': 'Likes white tea'}, {'memory_id': city, 'metadata': {'team': 'none'}}]
    assert await ask(client.batch_update(batch)) == {'message': 'Successfully updated 2 memories'}
    assert (await ask(client.get(tea)))['memory'] == 'Likes white tea'
    assert (await ask(client.get(city)))['metadata'] == {'team': 'none'}
    listed = await ask(client.users())
    assert [(one['type'], one['total_memories']) for one in listed['results'] if one['name'] == user] == [('user', 3)]


async def exports(client: Any, user: str) -> None:
    schema = {
        'type': 'object',
        'properties': {'city': {'type': 'string'}, 'age': {'type': 'integer'}, 'memories': {'type': 'array'}},
    }
    made = await ask(client.create_memory_export(schema=schema, filters={'AND': [{'user_id': user}]}))
    filled = await ask(client.get_memory_export(memory_export_id=made['id']))
    assert (filled['city'], filled['age'], len(filled['memories'])) == ('Lisbon', None, 3), filled
    assert (await ask(client.get_summary(filters={'user_id': user})))[0]['user_id'] == user
    profile = await ask(client.get_profile(user))
    assert (profile['status'], profile['profile']) == ('succeeded', {'home': {'city': 'Lisbon'}})
    job = await ask(client.generate_profile(user))
    assert (await ask(client.get_profile_job(job['status_url'])))['job']['status'] == 'succeeded'
    assert (await ask(client.get_profile_settings()))['enabled'] is True
    project = await ask(client.project.get(fields=['custom_instructions']))
    assert project == {'custom_instructions': None}


async def refusals(client: Any, user: str) -> None:
    await fails(MemoryNotFoundError, lambda: client.get('01a2022b-b2d4-7dac-82a7-549a26906482'))
    await fails(ValidationError, lambda: client.delete_all(), 'nothing says whose')
    await fails(ValidationError, lambda: client.delete_all(user_id='*'), 'refused')
    # This is how its client sends what its own types ask for.
    await fails(
        ValidationError, lambda: client.delete_all(DeleteAllMemoryOptions(filters={'user_id': user})), 'filters'
    )
    await fails(ValidationError, lambda: client.search('x', filters={'color': 'red'}), 'unknown')
    await fails(ValidationError, lambda: client.get_all(filters={'user_id': user, 'AND': [{'user_id': 'bo'}]}))
    await fails(Failed, lambda: client.get_webhooks('default'), 'webhooks')
    await fails(Failed, lambda: client.project.get_members(), 'members')


async def deletes(client: Any, user: str, city: str, tea: str) -> None:
    assert await ask(client.delete(tea)) == {'message': 'Memory deleted successfully!'}
    await fails(MemoryNotFoundError, lambda: client.get(tea))
    assert (await ask(client.delete(city, delete_linked=True)))['cascade_count'] == 0
    rest = (await ask(client.get_all(filters={'user_id': user})))['results']
    assert await ask(client.batch_delete([{'memory_id': rest[0]['id']}])) == {
        'message': 'Successfully deleted 1 memories'
    }
    await ask(client.add('Is here again', user_id=user, infer=False))
    gone = await ask(client.delete_all(user_id=user))
    assert (await event(client, gone['event_id']))['status'] == 'SUCCEEDED'
    assert (await ask(client.get_all(filters={'user_id': user})))['count'] == 0
    await ask(client.add('Is here once more', user_id=user, infer=False))
    assert await ask(client.delete_users(user_id=user)) == {'message': 'Entity deleted successfully.'}
    assert user not in {one['name'] for one in (await ask(client.users()))['results']}


async def main(url: str, key: str, kind: str) -> None:
    user = f'ana {kind}/1'
    client: Any = (mem0.AsyncMemoryClient if kind == 'async' else mem0.MemoryClient)(api_key=key, host=url)
    assert (client.org_id, client.project_id) == ('memoranda', 'default')
    city, tea = await adds(client, user)
    await reads(client, user, city, tea)
    await changes(client, user, city, tea)
    await exports(client, user)
    await refusals(client, user)
    await deletes(client, user, city, tea)
    await fails(ValueError, lambda: type(client)(api_key='nobody', host=url), 'no valid API key')
    if kind == 'async':
        await client.async_client.aclose()
    print('done', kind)


if __name__ == '__main__':
    for kind in sys.argv[3:]:
        asyncio.run(main(sys.argv[1], sys.argv[2], kind))
