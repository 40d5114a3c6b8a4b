"""However an agent is run, what the user said and what was answered is stored once, and nothing else is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    BinaryContent,
    DeferredToolRequests,
    DeferredToolResults,
    ImageUrl,
    ModelRetry,
    RunContext,
    Tool,
    capture_run_messages,
)
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from _capability import Deps, Speaker, agent_of, blocks, event_loop, of_the_user, run, stored
from _fakes import fast, fast_async
from _thinking import Thinking
from memoranda import Scope
from memoranda.agents import LongTermMemory
from memoranda.settings import Settings


class City(BaseModel):
    """What a structured answer holds."""

    name: str
    country: str


def test_run_sync_stores_before_it_returns() -> None:
    with event_loop(), fast() as memory:
        agent_of(memory, Speaker('How nice')).run_sync('I live in Lisbon', deps=Deps())
        page = memory.episodes(user_id='ana')
        assert [e.text for e in page.items] == ['I live in Lisbon', 'How nice']


def test_run_sync_stores_also_where_nobody_opened_the_memory() -> None:
    memory = fast()
    try:
        with event_loop():
            agent_of(memory, Speaker('How nice')).run_sync('I live in Lisbon', deps=Deps())
        assert [e.text for e in memory.episodes(user_id='ana').items] == ['I live in Lisbon', 'How nice']
    finally:
        memory.close()


def test_a_stream_is_stored_when_it_is_left() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            async with agent_of(memory, Speaker('How nice')).run_stream('I live in Lisbon', deps=Deps()) as stream:
                assert (await stream.get_output()).split() == ['How', 'nice']
                assert await stored(memory) == ['user: I live in Lisbon']
            assert await stored(memory) == ['user: I live in Lisbon', 'assistant: How nice ']

    run(main())


def test_a_stream_that_is_not_read_still_remembers_the_prompt() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            async with agent_of(memory, Speaker('How nice')).run_stream('I live in Lisbon', deps=Deps()):
                pass
            assert (await stored(memory))[0] == 'user: I live in Lisbon'

    run(main())


def test_streamed_events_are_stored() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('How nice'))
            async with agent.run_stream_events('I live in Lisbon', deps=Deps()) as events:
                async for _ in events:
                    pass
            assert await stored(memory) == ['user: I live in Lisbon', 'assistant: How nice ']

    run(main())


def test_an_iteration_is_stored_and_one_that_is_given_up_remembers_the_prompt() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('How nice'))
            async with agent.iter('I live in Lisbon', deps=Deps()) as iteration:
                async for _ in iteration:
                    pass
            async with agent.iter('I like tea', deps=Deps()) as iteration:
                async for _ in iteration:
                    break
            assert await stored(memory) == ['user: I live in Lisbon', 'assistant: How nice', 'user: I like tea']

    run(main())


def test_a_failed_run_remembers_what_the_user_said() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            with pytest.raises(RuntimeError, match='no connection'):
                await agent_of(memory, Speaker(RuntimeError('no connection'))).run('I live in Lisbon', deps=Deps())
            assert await stored(memory) == ['user: I live in Lisbon']

    run(main())


def test_a_cancelled_run_remembers_what_the_user_said() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def think(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        async with fast_async() as memory:
            agent = Agent(FunctionModel(think), capabilities=[LongTermMemory(memory, scope=Scope(user_id='ana'))])
            task = asyncio.create_task(agent.run('I live in Lisbon'))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await stored(memory) == ['user: I live in Lisbon']

    run(main())


def test_going_on_after_a_failure_stores_the_prompt_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            speaker = Speaker(RuntimeError('no connection'), 'Green')
            agent = agent_of(memory, speaker)
            with capture_run_messages() as history, pytest.raises(RuntimeError):
                await agent.run('Which tea do I like?', deps=Deps())
            await agent.run(deps=Deps(), message_history=history)
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1:] == ['user: Which tea do I like?', 'assistant: Green']
        assert caplog.records == []

    run(main())


def test_asking_for_another_answer_stores_the_prompt_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('one', 'two', 'three'))
            for _ in range(2):
                sent = [ModelRequest([UserPromptPart('I like tea')])]  # as a user interface sends it, each time anew
                await agent.run(deps=Deps(), message_history=sent, conversation_id='chat')
            longer = [*sent, ModelResponse([TextPart('two')]), ModelRequest([UserPromptPart('I like tea')])]
            await agent.run(deps=Deps(), message_history=longer, conversation_id='chat')
            assert await stored(memory) == [
                'user: I like tea', 'assistant: one', 'assistant: two', 'user: I like tea', 'assistant: three',
            ]  # fmt: skip
        assert caplog.records == []

    run(main())


def test_a_prompt_at_the_end_of_the_history_is_one_as_user_interfaces_pass_it() -> None:
    async def main() -> None:
        speaker = Speaker('Green')
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = agent_of(memory, speaker)
            await agent.run(deps=Deps(), message_history=[ModelRequest([UserPromptPart('Which tea do I like?')])])
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1:] == ['user: Which tea do I like?', 'assistant: Green']

    run(main())


def test_a_history_that_is_passed_again_is_not_stored_again() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('one', 'two', 'three'))
            history: list[ModelMessage] = []
            for prompt in ('I like tea', 'I like bread', 'I like tea'):
                history = (await agent.run(prompt, deps=Deps(), message_history=history)).all_messages()
            assert await stored(memory) == [
                'user: I like tea', 'assistant: one', 'user: I like bread', 'assistant: two',
                'user: I like tea', 'assistant: three',
            ]  # fmt: skip

    run(main())


def test_tool_traffic_and_thinking_are_not_stored() -> None:
    def think(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([ThinkingPart('hidden'), TextPart('Let me see'), ToolCallPart('weather', {})])
        return ModelResponse([ThinkingPart('hidden'), TextPart('Sunny')])

    async def main() -> None:
        async with fast_async() as memory:
            agent = Agent(
                FunctionModel(think),
                capabilities=[LongTermMemory(memory, scope=Scope(user_id='ana'))],
                tools=[Tool(lambda: 'a forecast', name='weather', description='The weather.')],
            )
            await agent.run('How is the weather in Lisbon?')
            assert await stored(memory) == ['user: How is the weather in Lisbon?', 'assistant: Sunny']

    run(main())


def test_a_structured_answer_is_stored_as_json() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            speaker = Speaker(('final_result', {'name': 'Lisbon', 'country': 'Portugal'}))
            await agent_of(memory, speaker, output_type=City).run('Where is the Tejo?', deps=Deps())
            assert await stored(memory) == [
                'user: Where is the Tejo?', 'assistant: {"name":"Lisbon","country":"Portugal"}',
            ]  # fmt: skip

    run(main())


def test_an_answer_that_was_rejected_is_not_stored() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('Porto', 'Lisbon'), retries=2)

            @agent.output_validator
            def check(text: str) -> str:
                if text == 'Porto':
                    raise ModelRetry('Wrong city.')
                return text

            await agent.run('Where is the Tejo?', deps=Deps())
            assert await stored(memory) == ['user: Where is the Tejo?', 'assistant: Lisbon']

    run(main())


def test_a_run_that_gives_up_after_retries_remembers_the_prompt_only() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            speaker = Speaker(('final_result', {}), ('final_result', {}))
            with pytest.raises(UnexpectedModelBehavior):
                await agent_of(memory, speaker, output_type=City, retries=1).run('Where is it?', deps=Deps())
            assert await stored(memory) == ['user: Where is it?']

    run(main())


def test_a_paused_run_stores_its_prompt_and_the_one_that_goes_on_the_answer() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            speaker = Speaker(('order', {}), 'It is on its way')
            agent = agent_of(
                memory,
                speaker,
                output_type=[str, DeferredToolRequests],
                tools_=[Tool(lambda: 'ordered', name='order', description='Order it.', requires_approval=True)],
            )
            paused = await agent.run('Order the tea I like', deps=Deps())
            assert isinstance(paused.output, DeferredToolRequests)
            assert (await stored(memory))[1:] == ['user: Order the tea I like']
            approved = DeferredToolResults(approvals={call.tool_call_id: True for call in paused.output.approvals})
            await agent.run(deps=Deps(), message_history=paused.all_messages(), deferred_tool_results=approved)
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1:] == ['user: Order the tea I like', 'assistant: It is on its way']

    run(main())


def test_of_a_prompt_with_images_and_files_only_the_words_count() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            image = BinaryContent(b'...', media_type='image/png')
            picture = ImageUrl('https://example.com/tea.png')
            prompt = ['Is this the tea', TextContent('that I like?'), image, picture]
            await agent_of(memory, speaker).run(prompt, deps=Deps())
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1:] == ['user: Is this the tea\nthat I like?', 'assistant: ok']
            await agent_of(memory, speaker).run([image], deps=Deps())
            assert (await stored(memory))[3:] == ['assistant: ok']

    run(main())


def test_a_prompt_of_50_kilobytes_is_searched_for_and_stored_whole() -> None:
    async def main() -> None:
        speaker = Speaker()
        prompt = 'Lorem ipsum dolor sit amet. ' * 1_900 + 'Which tea do I like?'
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await agent_of(memory, speaker).run(prompt, deps=Deps())
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1] == f'user: {prompt}'

    run(main())


def asking(inner: Agent[Deps, Any]) -> Tool[Deps]:
    async def ask(ctx: RunContext[Deps]) -> str:
        """Ask a specialist."""
        return (await inner.run('Find out which tea the user likes', deps=ctx.deps)).output

    return Tool(ask)


def test_a_sub_agent_recalls_and_remembers_only_when_asked() -> None:
    async def main() -> None:
        for asked in (False, True):
            speaker, inner_speaker = Speaker(('ask', {}), 'Green tea it is'), Speaker('Green')
            async with fast_async() as memory:
                await memory.add('Likes green tea', user_id='ana', infer=False)
                inner = agent_of(memory, inner_speaker, remember_nested=asked)

                await agent_of(memory, speaker, tools_=[asking(inner)]).run('Tea, please', deps=Deps())
                said = await stored(memory)
            assert 'Likes green tea' in inner_speaker.told
            assert 'user: Tea, please' in said
            assert 'assistant: Green tea it is' in said
            assert ('user: Find out which tea the user likes' in said) is asked

    run(main())


def test_a_sub_agent_of_an_agent_without_memory_does_not_remember_either() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            inner = agent_of(memory, Speaker('Green', 'Green'))
            outer = Agent(Speaker(('ask', {})).model, deps_type=Deps, tools=[asking(inner)])
            await outer.run('Tea, please', deps=Deps())
            assert await stored(memory) == []
            await inner.run('I like tea', deps=Deps())
            assert await stored(memory) == ['user: I like tea', 'assistant: Green']

    run(main())


def test_what_is_started_by_a_tool_and_runs_after_its_run_is_no_part_of_it() -> None:
    async def main() -> None:
        over, begun = asyncio.Event(), asyncio.Event()
        later: list[asyncio.Task[Any]] = []
        async with fast_async() as memory:
            inner = agent_of(memory, Speaker('Green'))

            async def ask() -> None:
                begun.set()
                await over.wait()
                await inner.run('I like tea', deps=Deps())

            async def begin() -> str:
                """Have it asked later."""
                later.append(asyncio.create_task(ask()))
                await begun.wait()
                return 'later'

            await Agent(Speaker(('begin', {})).model, tools=[begin]).run('Tea, please')
            over.set()
            await later[0]
            assert await stored(memory) == ['user: I like tea', 'assistant: Green']

    run(main())


def test_runs_side_by_side_keep_apart() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            for user in ('ana', 'bob', 'eve'):
                await memory.add(f'Calls the tea {user}berry', user_id=user, infer=False)
            agent = agent_of(memory)
            runs = [agent.run('What do I call the tea?', deps=Deps(user)) for user in ('ana', 'bob', 'eve') * 4]
            results = await asyncio.gather(*runs)
        told = [blocks(result.all_messages()) for result in results]
        for user, texts in zip(('ana', 'bob', 'eve') * 4, told, strict=True):
            assert len(texts) == 1
            assert [name for name in ('ana', 'bob', 'eve') if f'{name}berry' in texts[0]] == [user]

    run(main())


def test_an_answer_does_not_wait_for_a_model_that_draws_facts() -> None:
    thinking = Thinking(held=True)
    settings = Settings(drain_seconds=0)

    async def main() -> None:
        async with fast_async(extractor=thinking, settings=settings) as memory:
            agent = agent_of(memory, Speaker('one', 'two'))
            await agent.run('I live in Lisbon', deps=Deps())
            await agent.run('I like tea', deps=Deps())
            assert len(await stored(memory)) == 4
            thinking.let_go()

    run(main())


def test_another_capability_that_rewrites_the_history_sees_the_block_as_any_part() -> None:
    seen: list[int] = []

    def shorten(messages: list[ModelMessage]) -> list[ModelMessage]:
        seen.append(len(blocks(messages)))
        return messages

    async def main() -> None:
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = Agent(
                TestModel(),
                capabilities=[ProcessHistory(shorten), LongTermMemory(memory, scope=Scope(user_id='ana'))],
            )
            await agent.run('Which tea do I like?')

    run(main())
    assert seen == [1]


def test_the_same_run_stores_once_however_often_it_is_begun() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory, Speaker('one', 'one'))
            for _ in range(2):
                await agent.run('I like tea', deps=Deps(), run_id='r1', conversation_id='c1')
            assert await stored(memory) == ['user: I like tea', 'assistant: one']

    run(main())


def test_hooks_of_a_subclass_are_its_own() -> None:
    ended: list[str] = []

    class Watched(LongTermMemory[Deps]):
        async def after_run(self, *args: Any, **kwargs: Any) -> Any:
            ended.append('ended')
            return await super().after_run(*args, **kwargs)

    async def main() -> None:
        async with fast_async() as memory:
            agent = Agent(Speaker().model, deps_type=Deps, capabilities=[Watched(memory, scope=of_the_user)])
            await agent.run('I like tea', deps=Deps())
            assert await stored(memory) == ['user: I like tea', 'assistant: ok']

    run(main())
    assert ended == ['ended']
