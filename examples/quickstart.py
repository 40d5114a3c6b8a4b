"""An agent that remembers: two conversations, two users.

With a database, the second time it knows from the first.

    python examples/quickstart.py
    python examples/quickstart.py --model openai:gpt-4o --database quickstart.db
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from _stand_in import options, remembered
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory


def stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for a language model: says what it was told of the user."""
    known = '; '.join(remembered(messages))
    return ModelResponse(parts=[TextPart(f'I remember: {known}.' if known else 'Nice to meet you.')])


async def main(argv: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(argv)
    memory = AsyncMemory(chosen.database)
    agent = Agent(
        chosen.model or FunctionModel(stand_in),
        deps_type=str,
        capabilities=[LongTermMemory(memory, scope=lambda ctx: Scope(user_id=ctx.deps))],
    )
    async with memory:
        for user, said in (
            ('ana', "Hi! I live in Lisbon and I'm allergic to peanuts."),
            ('ana', 'What should I cook for my friends tonight?'),  # a new conversation: no history is passed
            ('ben', 'What should I cook for my friends tonight?'),
        ):
            result = await agent.run(said, deps=user)
            print(f'{user}: {said}\nagent: {result.output}\n')
            await memory.flush()  # facts are drawn in the background: here they shall be there for the next message


if __name__ == '__main__':
    asyncio.run(main())
