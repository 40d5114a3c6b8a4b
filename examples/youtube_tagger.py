"""A tagger of videos that learns: what one user wants, and what holds for everybody's videos.

- A wish belongs to the user who has it: said in a conversation, it is remembered by itself.
- A heuristic belongs to the agent and serves every user. It is stored with `agent_id` alone, by a tool that only
  editors have: what is taught here reaches everybody, so not everybody may teach it.

    python examples/youtube_tagger.py
    python examples/youtube_tagger.py --model openai:gpt-4o --database tagger.db
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from _stand_in import asked, options, remembered, returned
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import ToolDefinition

from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory

TAGGER = 'youtube-tagger'
RULE = 'Cooking videos always get a difficulty tag.'


@dataclass
class Deps:
    """Who is logged in."""

    user_id: str
    editor: bool = False


class Tags(BaseModel):
    """The answer."""

    tags: list[str]


def stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for a language model: tags by a few words, and does what it remembers."""
    said, known = asked(messages), ' '.join(remembered(messages)).lower()
    teaches = said == RULE and any(tool.name == 'learn' for tool in info.function_tools)
    if teaches and returned(messages, 'learn') is None:
        return ModelResponse(parts=[ToolCallPart('learn', {'rule': RULE})])
    tags = [tag for word, tag in (('pasta', 'Italian Food'), ('ramen', 'Japanese Food')) if word in said.lower()]
    if tags and 'difficulty' in known:
        tags.append('Easy Recipe' if 'minutes' in said else 'Advanced Recipe')
    if 'lower case' in known:
        tags = [tag.lower().replace(' ', '-') for tag in tags]
    return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {'tags': tags})])


def tagger(model: str | None, memory: AsyncMemory) -> Agent[Deps, Tags]:
    """The agent: it recalls what the user prefers and what it has learnt itself."""
    agent = Agent(
        model or FunctionModel(stand_in),
        deps_type=Deps,
        output_type=Tags,
        instructions='Give a video its tags. When you are only told how to tag, answer with an empty list.',
        capabilities=[LongTermMemory(memory, scope=lambda ctx: Scope(user_id=ctx.deps.user_id, agent_id=TAGGER))],
    )

    async def for_editors(ctx: RunContext[Deps], definition: ToolDefinition) -> ToolDefinition | None:
        return definition if ctx.deps.editor else None

    @agent.tool(prepare=for_editors)
    async def learn(ctx: RunContext[Deps], rule: str) -> str:  # pyright: ignore[reportUnusedFunction]
        """Keep a rule for the videos of everybody. It must not say anything about a person.

        Args:
            ctx: Who teaches.
            rule: One sentence.
        """
        await memory.add(
            rule,
            agent_id=TAGGER,
            infer=False,
            kind='heuristic',
            metadata={'taught_by': ctx.deps.user_id},
            idempotency_key=f'{ctx.run_id}:{ctx.tool_call_id}',
        )
        return 'learnt'

    return agent


async def main(argv: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(argv)
    async with AsyncMemory(chosen.database) as memory:
        agent = tagger(chosen.model, memory)
        for deps, said in (
            (Deps('nora'), 'Tag this video: Pasta in ten minutes'),
            (Deps('nora'), 'Please always write tags in lower case, with hyphens.'),
            (Deps('nora'), 'Tag this video: Pasta in ten minutes'),
            (Deps('olga', editor=True), RULE),
            (Deps('nora'), 'Tag this video: Ramen from scratch'),
            (Deps('paul'), 'Tag this video: Ramen from scratch'),
        ):
            result = await agent.run(said, deps=deps)
            print(f'{deps.user_id}: {said}\ntagger: {", ".join(result.output.tags) or "understood"}\n')
            await memory.flush()


if __name__ == '__main__':
    asyncio.run(main())
