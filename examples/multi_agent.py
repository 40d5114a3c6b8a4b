"""Several agents, one memory: a desk hands work to a researcher and a writer, and all three know the same.

- All recall the user's memories and those of the newsroom: the `agent_id` they have in common.
- The desk hears the user, so it remembers. What the others are told is the desk's text, not the user's: they recall,
  and remember nothing by themselves.
- What the researcher finds is worth keeping for everybody: it stores it for the newsroom.

    python examples/multi_agent.py
    python examples/multi_agent.py --model openai:gpt-4o --database newsroom.db
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from _stand_in import asked, options, remembered, returned
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory

NEWSROOM = 'newsroom'
FOUND = 'The archive of the harbour museum is open on weekdays only.'


@dataclass
class Deps:
    """For whom they work."""

    user_id: str


def desk_stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for the model of the desk: research, then writing."""
    said = asked(messages)
    if 'harbour' not in said:
        return ModelResponse(parts=[TextPart('Noted.')])
    for tool in ('research', 'write'):
        if returned(messages, tool) is None:
            return ModelResponse(parts=[ToolCallPart(tool, {'task': said})])
    return ModelResponse(parts=[TextPart(returned(messages, 'write') or '')])


def researcher_stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for the model of the researcher: looks only for what isn't known yet."""
    if any('harbour museum' in fact for fact in remembered(messages)):
        return ModelResponse(parts=[TextPart('known already')])
    if returned(messages, 'keep') is None:
        return ModelResponse(parts=[ToolCallPart('keep', {'finding': FOUND})])
    return ModelResponse(parts=[TextPart('found something new')])


def writer_stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for the model of the writer: writes down what it was given."""
    return ModelResponse(parts=[TextPart('A piece from: ' + ' / '.join(sorted(remembered(messages))))])


def newsroom(model: str | None, memory: AsyncMemory) -> Agent[Deps, str]:
    """The desk, with the two others behind it."""

    def scope(ctx: RunContext[Deps]) -> Scope:
        return Scope(user_id=ctx.deps.user_id, agent_id=NEWSROOM)

    reading = LongTermMemory(memory, scope=scope, remember='off')
    researcher = Agent(
        model or FunctionModel(researcher_stand_in),
        deps_type=Deps,
        instructions='Find facts for a piece. Keep what other pieces will need too, and say in short what you found.',
        capabilities=[reading],
    )
    writer = Agent(
        model or FunctionModel(writer_stand_in),
        deps_type=Deps,
        instructions='Write a short piece, as its reader likes it.',
        capabilities=[reading],
    )
    desk = Agent(
        model or FunctionModel(desk_stand_in),
        deps_type=Deps,
        instructions='For a piece, let research be done first, then have it written.',
        capabilities=[LongTermMemory(memory, scope=scope)],
    )

    @researcher.tool
    async def keep(ctx: RunContext[Deps], finding: str) -> str:  # pyright: ignore[reportUnusedFunction]
        """Keep a finding for the whole newsroom. Nothing about the reader.

        Args:
            ctx: The run.
            finding: One sentence.
        """
        await memory.add(
            finding,
            agent_id=NEWSROOM,
            infer=False,
            kind='knowledge',
            metadata={'by': 'researcher'},
            idempotency_key=f'{ctx.run_id}:{ctx.tool_call_id}',
        )
        return 'kept'

    @desk.tool
    async def research(ctx: RunContext[Deps], task: str) -> str:  # pyright: ignore[reportUnusedFunction]
        """Have facts found for a piece.

        Args:
            ctx: The run.
            task: What the piece is about.
        """
        return (await researcher.run(task, deps=ctx.deps, usage=ctx.usage)).output

    @desk.tool
    async def write(ctx: RunContext[Deps], task: str) -> str:  # pyright: ignore[reportUnusedFunction]
        """Have a piece written.

        Args:
            ctx: The run.
            task: What it is about.
        """
        return (await writer.run(task, deps=ctx.deps, usage=ctx.usage)).output

    return desk


async def main(argv: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(argv)
    async with AsyncMemory(chosen.database) as memory:
        desk = newsroom(chosen.model, memory)
        for user, said in (
            ('rosa', 'Please always write in short sentences.'),
            ('rosa', 'I want a piece about the harbour museum.'),
            ('sam', 'I want a piece about the harbour museum.'),
        ):
            result = await desk.run(said, deps=Deps(user))
            print(f'{user}: {said}\ndesk: {result.output}\n')
            await memory.flush()


if __name__ == '__main__':
    asyncio.run(main())
