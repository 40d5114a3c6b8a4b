"""What a provider has cached of a conversation stays cached: requests only ever grow at their end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo

from _capability import Deps, Speaker, agent_of, run
from _fakes import fast_async
from memoranda import AsyncMemory


def items(messages: list[ModelMessage], info: AgentInfo) -> list[str]:
    """A request as a provider reads it: instructions first, then every part in its order."""
    parts = [f'{part.part_kind}: {getattr(part, "content", None) or part}' for m in messages for part in m.parts]
    return [f'instructions: {info.instructions}', *parts]


def kept(before: list[str], after: list[str]) -> tuple[int, int]:
    """How many leading items of a request the next one has too, and how many it had."""
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return same, len(before)


async def two_turns(agent: Agent[Deps, Any], speaker: Speaker, memory: AsyncMemory) -> list[tuple[int, int]]:
    """A turn in two steps and one in one; what each request keeps of the one before."""
    await memory.add('Likes green tea', user_id='ana', infer=False)
    await memory.add('Lives in Lisbon', user_id='ana', infer=False)
    first = await agent.run('Which tea do I like?', deps=Deps())
    await agent.run('How is Lisbon?', deps=Deps(), message_history=first.all_messages())
    requests = [items(m, info) for m, info in zip(speaker.requests, speaker.infos, strict=True)]
    return [kept(a, b) for a, b in pairwise(requests)]


def clock() -> str:
    """Tell the time."""
    return 'noon'


def test_every_request_begins_with_the_one_before_it() -> None:
    async def main() -> None:
        speaker = Speaker(('clock', {}), 'Green', 'Sunny')
        async with fast_async() as memory:
            agent = agent_of(memory, speaker, tools_=[Tool(clock)])
            assert await two_turns(agent, speaker, memory) == [(3, 3), (5, 5)]
        assert len(speaker.told) == 2

    run(main())


def test_memories_in_dynamic_instructions_lose_the_whole_prefix_with_each_turn() -> None:
    async def main() -> None:
        speaker = Speaker(('clock', {}), 'Green', 'Sunny')
        async with fast_async() as memory:
            agent = Agent(speaker.model, deps_type=Deps, tools=[Tool(clock)])

            @agent.instructions
            async def memories(ctx: RunContext[Deps]) -> str:
                return str(await memory.context(str(ctx.prompt), user_id='ana'))

            assert await two_turns(agent, speaker, memory) == [(2, 2), (0, 4)]

    run(main())


def test_a_long_conversation_only_grows() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            agent = agent_of(memory, speaker)
            history: list[ModelMessage] = []
            for turn in range(8):
                await memory.add(f'Fact {turn} about tea', user_id='ana', infer=False)
                result = await agent.run(f'What about tea, number {turn}?', deps=Deps(), message_history=history)
                history = result.all_messages()
        requests = [items(m, info) for m, info in zip(speaker.requests, speaker.infos, strict=True)]
        assert all(same == of for same, of in (kept(a, b) for a, b in pairwise(requests)))
        assert len(speaker.told) == len(set(speaker.told))

    run(main())
