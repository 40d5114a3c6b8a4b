"""`MemorandaProvider`: tutorials written for a hosted memory, without one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.test import TestModel

from _fakes import fast_async
from memoranda import (
    AsyncMemory,
    ConfigurationError,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    Memory,
    Scope,
    StoreError,
)
from memoranda.agents import MemorandaProvider, MemoryConfig, MemoryScope, RetrievalStrategy, RetrievedMemory

agent = Agent(TestModel(custom_output_text='Nice to meet you!'))


def words(found: list[RetrievedMemory]) -> list[str]:
    return [memory.memory for memory in found]


def within(use: Callable[[MemorandaProvider], Awaitable[None]], **arguments: Any) -> None:
    """Run with a provider whose memories are what its messages say (see `_fakes.Grammar`)."""

    async def main() -> None:
        async with fast_async() as memory:
            await use(MemorandaProvider(memory, **arguments))

    asyncio.run(main())


@pytest.mark.parametrize(
    ('said', 'asked', 'known'),
    [
        ('My name is Alice', 'user name', 'Name is Alice'),
        ('I love Python programming', 'programming preferences', 'Loves Python programming'),
    ],
)
@pytest.mark.parametrize('least', [0.0, 0.7])
def test_what_a_tutorial_says_is_known_right_after_it_is_stored(
    said: str, asked: str, known: str, least: float, tmp_path
) -> None:
    async def main() -> None:
        config = MemoryConfig(min_relevance_score=least)
        async with MemorandaProvider(tmp_path / 'tutorial.db', config=config) as memory:
            result = await agent.run(said)
            stored = await memory.store_memories(messages=result.all_messages(), user_id='user_123')
            assert [(m.event, m.memory) for m in stored] == [('ADD', known)]
            memories = await memory.retrieve_memories(query=asked, user_id='user_123')
            assert memories[0].memory == known
            assert memories[0].score >= 0.7
            assert memories[0].id == stored[0].id
            assert repr(memories[0]).startswith(f"RetrievedMemory(id='{stored[0].id}', memory='{known}', score=")
            assert await memory.retrieve_memories(query=asked, user_id='somebody else') == []

    asyncio.run(main())


def test_each_half_of_a_double_question_counts(tmp_path) -> None:
    async def main() -> None:
        async with MemorandaProvider(tmp_path / 'double.db', config=MemoryConfig(min_relevance_score=0.7)) as memory:
            await memory.store_memories(['My favorite color is blue and I live in San Francisco.'], user_id='ana')
            found = await memory.retrieve_memories('What is my favorite color and where do I live?', user_id='ana')
            assert words(found) == ['Favorite color is blue', 'Lives in San Francisco']
            prompt = 'Hi! I am planning the evening for six people. What is my favorite color? Thanks a lot'
            assert words(await memory.retrieve_memories(prompt, user_id='ana')) == ['Favorite color is blue']

    asyncio.run(main())


def test_the_same_run_twice_is_stored_once() -> None:
    async def use(memory: MemorandaProvider) -> None:
        first = await agent.run('I like tea')
        assert len(await memory.store_memories(first.all_messages(), user_id='ana')) == 1
        assert await memory.store_memories(first.all_messages(), user_id='ana') == []
        second = await agent.run('I play the cello', message_history=first.all_messages())
        assert [m.memory for m in await memory.store_memories(second.all_messages(), user_id='ana')] == [
            'I play the cello'
        ]
        assert words(await memory.get_all_memories(user_id='ana')) == ['I like tea', 'I play the cello']
        assert len((await memory.memory.episodes(user_id='ana')).items) == 4

    within(use)


def test_a_message_that_no_fact_was_drawn_from_is_found_itself(tmp_path) -> None:
    async def main() -> None:
        async with MemorandaProvider(tmp_path / 'passages.db') as memory:
            said = 'The X200 has a 12-hour battery and a 4K screen'
            assert await memory.store_memories([{'role': 'user', 'content': said}], agent_id='support') == []
            found = await memory.retrieve_memories('battery of the X200', agent_id='support')
            assert words(found) == [said]
            assert await memory.delete_memory(found[0].id) is False

    asyncio.run(main())


def test_questions_and_greetings_of_the_past_are_no_memories(tmp_path) -> None:
    async def main() -> None:
        async with MemorandaProvider(tmp_path / 'idle.db') as memory:
            await memory.store_memories(['What is the capital of France?', 'Thanks!'], user_id='ana')
            assert await memory.retrieve_memories('capital of France', user_id='ana') == []

    asyncio.run(main())


def test_only_what_people_and_agents_say_is_stored() -> None:
    messages: list[ModelMessage] = [
        ModelRequest(parts=[SystemPromptPart('Be nice'), UserPromptPart('I like tea')]),
        ModelResponse(parts=[ThinkingPart('hm'), ToolCallPart('look', {'q': 'tea'}, tool_call_id='1')]),
        ModelRequest(parts=[ToolReturnPart('look', 'Tea is a drink', tool_call_id='1')]),
        ModelResponse(parts=[TextPart('Noted')]),
    ]

    async def use(memory: MemorandaProvider) -> None:
        await memory.store_memories(messages, user_id='ana')
        assert [e.text for e in (await memory.memory.episodes(user_id='ana')).items] == ['I like tea', 'Noted']
        assert await memory.store_memories([], user_id='ana') == []

    within(use)


def test_metadata_is_stamped_on_what_is_stored_and_narrows_what_is_retrieved() -> None:
    async def use(memory: MemorandaProvider) -> None:
        stored = await memory.store_memories(
            ['I like tea'], user_id='ana', metadata={'team': {'name': 'red', 'size': 3}, 'beta': True}
        )
        await memory.store_memories(['I like tea with milk'], user_id='ana', metadata={'team': 'blue'})
        assert stored[0].metadata == {'team': {'name': 'red', 'size': 3}, 'beta': True}

        async def found(metadata: dict[str, Any]) -> list[str]:
            return words(await memory.retrieve_memories('tea', user_id='ana', metadata=metadata))

        assert await found({'team': 'blue'}) == ['I like tea with milk']
        assert await found({'team': {'name': 'red'}}) == ['I like tea']
        assert await found({'team': {'name': 'red', 'size': 4}}) == []
        assert await found({'beta': True}) == ['I like tea']
        assert await found({'beta': 1}) == []
        assert await found({'user_id': 'ana'}) == []  # its own namespace: this is no id
        for wrong in ({'team': ['red']}, {'team': None}, {'a"b': 1}, {'': 1}):
            with pytest.raises(InvalidFilter):
                await found(wrong)

    within(use)


def test_metadata_of_the_config_counts_in_every_call() -> None:
    async def use(memory: MemorandaProvider) -> None:
        other = memory.configured(MemoryConfig(metadata={'app': 'two'}))
        one = memory.configured(MemoryConfig(metadata={'app': 'one'}))
        await one.store_memories(['I like tea'], user_id='ana')
        assert (await one.get_all_memories(user_id='ana'))[0].metadata == {'app': 'one'}
        assert len(await one.retrieve_memories('tea', user_id='ana')) == 1
        assert await other.retrieve_memories('tea', user_id='ana') == []
        assert await other.get_all_memories(user_id='ana') == []

    within(use)


def test_ids_narrow_to_what_was_said_under_all_of_them() -> None:
    async def use(memory: MemorandaProvider) -> None:
        await memory.store_memories(['I like green tea'], user_id='ana', run_id='one', agent_id='bot')
        await memory.store_memories(['I like black tea'], user_id='ana', run_id='two')
        await memory.store_memories(['here: tea for two'], user_id='ana', run_id='two')
        await memory.store_memories(['The tea house is closed'], agent_id='bot')

        async def found(**ids: str) -> list[str]:
            both = (await memory.retrieve_memories('tea', **ids), await memory.get_all_memories(**ids))  # type: ignore[arg-type]
            assert set(words(both[0])) == set(words(both[1])) or ids == {'user_id': 'ana'}
            return sorted(words(both[0]))

        assert await found(user_id='ana', run_id='one') == ['I like green tea']
        assert await found(user_id='ana', run_id='two') == ['I like black tea', 'tea for two']
        assert await found(user_id='ana', agent_id='bot') == ['I like green tea']
        assert await found(agent_id='bot') == ['The tea house is closed']
        # What holds in one conversation only is not for another.
        assert await found(user_id='ana') == ['I like black tea', 'I like green tea']
        assert len(await memory.get_all_memories(user_id='ana')) == 3

    within(use)


@pytest.mark.parametrize('ids', [{}, {'user_id': ''}, {'user_id': '*'}, {'user_id': ' ana'}, {'user_id': 7}])
def test_an_id_that_names_nobody_is_refused_and_never_a_shared_bucket(ids: dict[str, Any]) -> None:
    async def use(memory: MemorandaProvider) -> None:
        for call in (
            memory.retrieve_memories('tea', **ids),
            memory.store_memories(['I like tea'], **ids),
            memory.get_all_memories(**ids),
        ):
            with pytest.raises(InvalidScope):
                await call

    within(use)


def test_global_memories_have_to_be_asked_for() -> None:
    async def use(memory: MemorandaProvider) -> None:
        for shared in (
            memory.bound(Scope.GLOBAL),
            memory.configured(MemoryConfig(scope=MemoryScope.GLOBAL)),
        ):
            await shared.store_memories(['The office closes at six'])
            assert words(await shared.retrieve_memories('office')) == ['The office closes at six']
        with pytest.raises(InvalidScope):
            await memory.bound(Scope.GLOBAL).retrieve_memories('office', user_id='ana')
        assert await memory.retrieve_memories('office', user_id='ana') == []

    within(use)


def test_a_bound_provider_needs_no_ids_and_takes_no_others() -> None:
    async def use(memory: MemorandaProvider) -> None:
        ana = memory.bound(Scope(user_id='ana'))
        await ana.store_memories(['I like tea'])
        await memory.store_memories(['I like coffee'], user_id='ben')
        assert words(await ana.retrieve_memories('like')) == ['I like tea']
        assert words(await ana.get_all_memories(user_id='ana')) == ['I like tea']
        for call in (ana.retrieve_memories('like', user_id='ben'), ana.get_all_memories(user_id='ben')):
            with pytest.raises(InvalidScope, match='outside the scope'):
                await call
        with pytest.raises(InvalidScope):
            ana.bound(Scope(user_id='ben'))

    within(use)


def test_a_delete_without_ids_can_not_leave_what_the_provider_is_bound_to() -> None:
    async def use(memory: MemorandaProvider) -> None:
        (hers,) = await memory.store_memories(['I like tea'], user_id='ana', run_id='one')
        (his,) = await memory.store_memories(['I like coffee'], user_id='ben')
        elsewhere = MemorandaProvider(memory.memory, project='another')
        assert await elsewhere.delete_memory(hers.id) is False
        for scope in (Scope(user_id='ben'), Scope(user_id='ana', run_id='two'), Scope(agent_id='bot'), Scope.GLOBAL):
            assert await memory.bound(scope).delete_memory(hers.id) is False
        assert await memory.delete_memory('no such id') is False
        assert await memory.bound(Scope(user_id='ana', run_id='one')).delete_memory(hers.id) is True
        assert await memory.delete_memory(hers.id) is False
        assert await memory.delete_memory(his.id) is True

    within(use)


def test_what_was_deleted_is_not_found_in_its_message_either() -> None:
    async def use(memory: MemorandaProvider) -> None:
        (stored,) = await memory.store_memories(['I like green tea'], user_id='ana')
        assert await memory.delete_memory(stored.id) is True
        assert await memory.retrieve_memories('green tea', user_id='ana') == []
        assert await memory.get_all_memories(user_id='ana') == []

    within(use)


def test_a_memory_that_is_bound_stays_bound() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            await MemorandaProvider(memory).store_memories(['I like coffee'], user_id='ben')
            provider = MemorandaProvider(memory.scoped(Scope(user_id='ana')))
            await provider.store_memories(['I like tea'])
            assert words(await provider.retrieve_memories('like')) == ['I like tea']
            with pytest.raises(InvalidScope):
                await provider.get_all_memories(user_id='ben')
            with pytest.raises(InvalidScope):
                MemorandaProvider(memory.scoped(Scope(user_id='ana')), scope=Scope(user_id='ben'))

    asyncio.run(main())


def test_a_value_that_changed_is_told_as_added_and_as_gone() -> None:
    async def use(memory: MemorandaProvider) -> None:
        await memory.store_memories(['home.city = Porto'], user_id='ana')
        stored = await memory.store_memories(['home.city = Lisbon'], user_id='ana')
        assert {(m.event, m.memory) for m in stored} == {
            ('ADD', 'home.city is Lisbon'),
            ('DELETE', 'home.city is Porto'),
        }
        assert words(await memory.retrieve_memories('home city', user_id='ana')) == ['home.city is Lisbon']

    within(use)


def test_strategies_order_by_relevance_by_date_and_by_both() -> None:
    async def use(memory: MemorandaProvider) -> None:
        for day, said in ((1, 'green tea with lemon'), (2, 'green tea'), (3, 'coffee')):
            message = {'role': 'user', 'content': said, 'timestamp': f'2026-0{day}-01T09:00:00Z'}
            await memory.store_memories([message], user_id='ana')

        async def found(strategy: RetrievalStrategy, top_k: int = 5, least: float = 0.0) -> list[RetrievedMemory]:
            config = MemoryConfig(retrieval_strategy=strategy, min_relevance_score=least)
            return await memory.configured(config).retrieve_memories('green tea with lemon', user_id='ana', top_k=top_k)

        assert words(await found(RetrievalStrategy.SEMANTIC_SEARCH))[0] == 'green tea with lemon'
        latest = await found(RetrievalStrategy.RECENCY, least=0.9)
        assert words(latest) == ['coffee', 'green tea', 'green tea with lemon']
        assert [m.score for m in latest] == [1.0, 1.0, 1.0]
        assert latest[0].created_at == '2026-03-01T09:00:00+00:00'
        assert words(await found(RetrievalStrategy.RECENCY, top_k=1)) == ['coffee']
        both = words(await found(RetrievalStrategy.HYBRID, least=0.5))
        assert set(both) <= {'green tea', 'green tea with lemon'}

    within(use)


def test_hybrid_prefers_the_later_of_two_that_answer_alike() -> None:
    async def use(memory: MemorandaProvider) -> None:
        memory = memory.configured(MemoryConfig(retrieval_strategy=RetrievalStrategy.HYBRID))
        for month, said in ((1, 'tea one'), (9, 'tea two'), (5, 'tea three')):
            message = {'role': 'user', 'content': said, 'timestamp': f'2026-0{month}-01T09:00:00Z'}
            await memory.store_memories([message], user_id='ana')
        assert words(await memory.retrieve_memories('tea', user_id='ana'))[0] == 'tea two'

    within(use)


@pytest.mark.parametrize('given', [{'top_k': 0}, {'top_k': 1001}, {'query': ' '}, {'metadata': 'x'}])
def test_arguments_that_can_not_be_used_are_refused(given: dict[str, Any]) -> None:
    async def use(memory: MemorandaProvider) -> None:
        with pytest.raises(InvalidInput):
            await memory.retrieve_memories(**{'query': 'tea', **given}, user_id='ana')
        with pytest.raises(InvalidInput):
            await memory.get_all_memories(user_id='ana', limit=0)
        with pytest.raises(InvalidInput, match='messages=42'):
            await memory.store_memories(42, user_id='ana')  # pyright: ignore[reportArgumentType]

    within(use)


def test_all_memories_come_page_by_page_up_to_the_limit() -> None:
    async def use(memory: MemorandaProvider) -> None:
        await memory.store_memories([f'fact number {i}' for i in range(12)], user_id='ana')
        assert len(await memory.get_all_memories(user_id='ana')) == 12
        assert words(await memory.get_all_memories(user_id='ana', limit=2)) == ['fact number 0', 'fact number 1']

    within(use)


@pytest.mark.parametrize('errors', ['raise', 'ignore'])
def test_a_storage_that_fails_raises_unless_that_is_to_be_ignored(errors, tmp_path, caplog) -> None:
    (tmp_path / 'data').touch()  # a file, where a folder should be

    async def main() -> None:
        provider = MemorandaProvider(tmp_path / 'data' / 'memory.db', errors=errors)
        calls = (
            lambda: provider.retrieve_memories('a secret', user_id='ana'),
            lambda: provider.store_memories(['a secret'], user_id='ana'),
            lambda: provider.get_all_memories(user_id='ana'),
            lambda: provider.delete_memory('0197f000-0000-7000-8000-000000000000'),
        )
        for call in calls:
            if errors == 'raise':
                with pytest.raises(StoreError):
                    await call()
            else:
                assert await call() in ([], False)
        await provider.aclose()

    with caplog.at_level(logging.WARNING, logger='memoranda'):
        asyncio.run(main())
    failed = [r.getMessage() for r in caplog.records if 'MemorandaProvider failed' in r.getMessage()]
    assert len(failed) == (4 if errors == 'ignore' else 0)
    assert 'secret' not in caplog.text


def test_a_blocking_memory_does_as_well(tmp_path) -> None:
    with Memory(tmp_path / 'sync.db') as memory:
        memory.add('I live in Lisbon.', user_id='ana')
        provider = MemorandaProvider(memory)
        assert words(asyncio.run(provider.retrieve_memories('Where does she live?', user_id='ana'))) == [
            'Lives in Lisbon'
        ]
        asyncio.run(provider.aclose())
        assert len(memory.get_all(user_id='ana')) == 1  # it was given, so it stays open


def test_what_can_not_be_used_is_told_when_it_is_made() -> None:
    for arguments in ({'errors': 'panic'}, {'config': {'top_k': 3}}, {'scope': 'ana'}):
        with pytest.raises((ConfigurationError, InvalidScope)):
            MemorandaProvider(AsyncMemory(':memory:'), **arguments)  # type: ignore[arg-type]
