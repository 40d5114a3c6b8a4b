"""Customer support over several sessions: the agent knows who is calling, what was promised and how to answer.

Ids come from the program (who is logged in, which ticket), tools from the program too; the memory adds what was said.

    python examples/customer_support.py
    python examples/customer_support.py --model openai:gpt-4o --database support.db
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

ORDERS = {'1042': 'a grinder, sent on Monday', '1043': 'filters, waiting for stock'}
SESSIONS = (
    ('dana', 'ticket-1', 'Hello, my name is Dana. Where is order 1042?'),
    ('dana', 'ticket-1', 'Thanks. I prefer to be contacted by email.'),
    ('dana', 'ticket-2', 'Me again. When order 1043 is sent, will I be contacted by phone?'),
    ('emil', 'ticket-3', 'When my order is sent, will I be contacted by phone?'),
)


@dataclass
class Customer:
    """Who is logged in."""

    id: str


def stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for a language model: looks up the order, and says what it knows of the customer."""
    said = asked(messages)
    order = next((number for number in ORDERS if number in said), None)
    state = returned(messages, 'order_status')
    if order is not None and state is None:
        return ModelResponse(parts=[ToolCallPart('order_status', {'number': order})])
    parts = [f'Order {order}: {state}.'] if order is not None else []
    known = remembered(messages)
    parts.append(f'I know of you: {"; ".join(known)}.' if known else 'I know nothing of you yet.')
    return ModelResponse(parts=[TextPart(' '.join(parts))])


def support_agent(model: str | None, memory: AsyncMemory) -> Agent[Customer, str]:
    """The agent; one serves all customers."""
    agent = Agent(
        model or FunctionModel(stand_in),
        deps_type=Customer,
        instructions='You are the support of a coffee shop. Be brief.',
        capabilities=[
            LongTermMemory(
                memory, scope=lambda ctx: Scope(user_id=ctx.deps.id, agent_id='support'), top_k=8, max_tokens=400
            )
        ],
    )

    @agent.tool
    async def order_status(ctx: RunContext[Customer], number: str) -> str:  # pyright: ignore[reportUnusedFunction]
        """Where an order is.

        Args:
            ctx: Who asks.
            number: Its number.
        """
        return ORDERS.get(number, 'no such order')

    return agent


async def main(argv: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(argv)
    async with AsyncMemory(chosen.database) as memory:
        agent = support_agent(chosen.model, memory)
        histories: dict[str, list[ModelMessage]] = {}
        for customer, ticket, said in SESSIONS:
            result = await agent.run(
                said, deps=Customer(customer), conversation_id=ticket, message_history=histories.get(ticket)
            )
            histories[ticket] = result.all_messages()  # one session; the next one begins without it
            print(f'[{ticket}] {customer}: {said}\n[{ticket}] agent: {result.output}\n')
            await memory.flush()

        print('What is known of dana:')
        for record in await memory.get_all(user_id='dana'):
            source = record.evidence[0].quote if record.evidence else 'as given'
            print(f'  {record.text}  <- "{source}" ({record.said_under.run_id})')


if __name__ == '__main__':
    asyncio.run(main())
