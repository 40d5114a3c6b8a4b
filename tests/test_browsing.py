from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest

from _fakes import fast_async
from memoranda import AsyncMemory, Scope, across
from memoranda.errors import InvalidFilter, InvalidInput, InvalidScope, MemoryNotFound
from memoranda.policy import Policy
from memoranda.records import now
from memoranda.settings import Settings


@pytest.fixture
def memory() -> Generator[AsyncMemory]:
    made = fast_async(settings=Settings(workers=0), policy=Policy(audit_reads=True))
    yield made
    asyncio.run(made.close())


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def texts(memory: AsyncMemory, **asked: Any) -> list[str]:
    return [one.text for one in (await across.browse(memory, **asked)).items]


@looped
async def test_a_project_is_browsed_by_what_people_filter_by(memory: AsyncMemory) -> None:
    for user, text in (('ana', 'Likes green tea'), ('ben', 'Likes chess'), ('ana', 'Lives in Lisbon')):
        await memory.add(text, user_id=user, agent_id=f'of-{user}', infer=False, kind='preference', tags=['x'])
    await memory.add('Eats fish', user_id='ana', infer=False, kind='profile', pinned=True)
    everything = ['Eats fish', 'Lives in Lisbon', 'Likes chess', 'Likes green tea']
    assert await texts(memory) == everything
    assert await texts(memory, sort='oldest') == everything[::-1]
    assert await texts(memory, where={'kind': 'profile'}) == ['Eats fish']
    assert await texts(memory, where={'user_id': 'ben'}) == ['Likes chess']
    assert await texts(memory, where={'user_id': {'in': ['ben', 'x']}, 'kind': 'profile'}) == []
    assert await texts(memory, where={'agent_id': 'of-ana'}, text='TEA') == ['Likes green tea']
    assert await texts(memory, where={'pinned': True}) == ['Eats fish']
    assert await texts(memory, where={'OR': [{'user_id': 'ben'}, {'pinned': True}]}) == ['Eats fish', 'Likes chess']
    assert await texts(memory, where={'recorded_at': {'lt': now() - timedelta(days=1)}}) == []
    assert await texts(memory, statuses=('superseded',)) == []
    first = await across.browse(memory, size=3)
    assert (first.count, first.more, len(first.items)) == (4, False, 3)
    assert await texts(memory, size=3, cursor=first.cursor) == ['Likes green tea']


@looped
async def test_a_view_bound_to_somebody_browses_that_scope_only(memory: AsyncMemory) -> None:
    await memory.add('Likes tea', user_id='ana', infer=False)
    chess = await memory.add('Likes chess', user_id='ben', infer=False)
    bound = memory.scoped(Scope(user_id='ana'))
    assert await texts(bound) == ['Likes tea']
    assert await texts(bound, where={'user_id': 'ben'}) == []
    assert await texts(bound, where={'user_id': {'ne': 'x'}}) == ['Likes tea']
    assert await texts(memory.in_project('other')) == []
    for ask in (across.people(bound), across.activity(bound)):
        with pytest.raises(InvalidScope, match='bound to a scope'):
            await ask
    with pytest.raises(MemoryNotFound):
        await across.uses(bound, chess.memories[0].id)
    assert (await across.conflicts(bound)).items == ()


@pytest.mark.parametrize(
    'asked',
    [
        {'sort': 'best'},
        {'size': 0},
        {'size': 201},
        {'cursor': 'x'},
        {'cursor': "' OR 1"},
        {'statuses': ('gone',)},
        {'statuses': 'active'},
        {'text': ' '},
        {'text': '\0'},
        {'where': {'user_id': {'in': [f'u{i}' for i in range(101)]}}},
    ],
)
@looped
async def test_what_cannot_be_browsed_by_is_refused(memory: AsyncMemory, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await texts(memory, **asked)


@looped
async def test_an_unknown_field_is_refused(memory: AsyncMemory) -> None:
    with pytest.raises(InvalidFilter, match='colour'):
        await texts(memory, where={'colour': 'red'})


@looped
async def test_people_are_found_by_how_their_ids_begin(memory: AsyncMemory) -> None:
    for user in ('ana', 'anton', 'ben', 'Ana'):
        await memory.add('Likes tea', user_id=user, infer=False)
    found = await across.people(memory, prefix='an', size=1)
    assert [one.owner.key for one in found.items] == ['ana']
    assert (found.count, found.more) == (2, False)
    rest = await across.people(memory, prefix='an', size=1, cursor=found.cursor)
    assert ([one.owner.key for one in rest.items], rest.cursor, rest.count) == (['anton'], None, None)
    for wrong in ({'cursor': 'agent:x'}, {'cursor': 'ana'}, {'kinds': ()}, {'kinds': ('person',)}, {'size': 201}):
        with pytest.raises(InvalidInput):
            await across.people(memory, **wrong)  # pyright: ignore[reportArgumentType]


@looped
async def test_the_days_tell_what_was_learnt_and_recalled(memory: AsyncMemory) -> None:
    long_ago = ' '.join(f'I told you about trip {number}.' for number in range(60))
    await memory.add(long_ago, user_id='ana')
    for city in ('Lisbon', 'Porto'):
        await memory.add(f'Lives in {city}', user_id='ana', infer=False, slot='home.city')
    await memory.search('where does she live?', user_id='ana')
    await memory.search('where?', user_id='nobody')
    block = await memory.context('where does she live?', user_id='ana', max_tokens=100)
    seen = await across.activity(memory, days=7)
    today = seen.days[-1]
    assert (today.day, len(seen.days), seen.since) == (now().date(), 7, now().date())
    assert (today.superseded, today.messages, today.people, seen.people) == (1, 3, 1, 1)
    assert today.memories == seen.memories
    assert seen.days[0].memories == seen.days[0].people == 0
    assert (today.recalls, today.recalls_found, today.blocks, today.block_tokens) == (3, 2, 1, block.tokens)
    assert seen.tokens_saved == (seen.history_tokens or 0) - block.tokens > 0
    assert today.latency is not None
    assert seen.percentile(0.95) is not None
    with pytest.raises(InvalidInput, match='days=0'):
        await across.activity(memory, days=0)


@looped
async def test_slots_in_trouble_are_told_page_by_page(memory: AsyncMemory) -> None:
    for user in ('ana', 'ben'):
        for city in ('Lisbon', 'Porto', 'Braga'):
            await memory.add(f'Lives in {city}', user_id=user, infer=False, slot='home.city', value=city)
    found = await across.conflicts(memory, size=1)
    (one,) = found.items
    assert (one.owner.key, one.slot, one.troubles, one.changes) == ('ana', 'home.city', ('changed',), 2)
    assert [value.value for value in one.memories] == ['Braga', 'Porto', 'Lisbon']
    rest = await across.conflicts(memory, size=1, cursor=found.cursor)
    assert ([one.owner.key for one in rest.items], rest.cursor) == (['ben'], None)
    assert [one.owner.key for one in (await across.conflicts(memory.scoped(Scope(user_id='ben')))).items] == ['ben']
    assert (await across.conflicts(memory, changes=3)).items == ()
    for wrong in ('x', '!', 'W10', 'WzEsMiwzXQ'):
        with pytest.raises(InvalidInput, match='cursor'):
            await across.conflicts(memory, cursor=wrong)


@looped
async def test_reads_of_a_memory_are_told_with_how_often_it_was_recalled(memory: AsyncMemory) -> None:
    made = (await memory.add('Likes green tea', user_id='ana', infer=False)).memories[0]
    await memory.acting_as('support:jane').search('green tea', user_id='ana')
    await memory.search('green tea', user_id='ana')
    await across.browse(memory.acting_as('key:desk'), size=5)
    told = await across.uses(memory, made.id, size=2)
    assert told.total.times == 2
    assert told.total.last is not None
    assert len(told.reads.items) == 2
    rest = await across.uses(memory, made.id, size=2, cursor=told.reads.cursor)
    assert {(one.actor, one.purpose) for one in (*told.reads.items, *rest.reads.items)} >= {
        ('support:jane', 'search'),
        ('key:desk', 'browse'),
    }
    with pytest.raises(MemoryNotFound):
        await across.uses(memory, '01890000-0000-7000-8000-000000000000')
