"""Through adapters of user interfaces: a block is nobody's message, and is known again when it comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage

from _capability import Deps, Speaker, agent_of, blocks, run, stored
from _fakes import fast_async
from memoranda.agents import strip_recalled

pytest.importorskip('starlette')

from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from pydantic_ai.ui.vercel_ai.request_types import SubmitMessage, TextUIPart, UIMessage


async def conversation(agent: Agent[Deps, Any]) -> list[ModelMessage]:
    """One with a block in it."""
    result = await agent.run('Which tea do I like?', deps=Deps())
    assert len(blocks(result.all_messages())) == 1
    return result.all_messages()


async def history_with_a_block() -> list[ModelMessage]:
    async with fast_async() as memory:
        await memory.add('Likes green tea', user_id='ana', infer=False)
        return await conversation(agent_of(memory))


def bubbles(messages: list[Any]) -> list[str]:
    return [part.text for m in messages if m.role == 'user' for part in m.parts if isinstance(part, TextUIPart)]


def test_vercel_shows_no_block_of_a_stripped_history() -> None:
    history = run(history_with_a_block())
    assert len(bubbles(VercelAIAdapter.dump_messages(history))) == 2
    assert bubbles(VercelAIAdapter.dump_messages(strip_recalled(history))) == ['Which tea do I like?']


def test_a_block_that_vercel_sends_back_is_neither_stored_nor_repeated_nor_shown() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = agent_of(memory, speaker)
            sent = VercelAIAdapter.dump_messages(await conversation(agent))
            assert blocks(strip_recalled(VercelAIAdapter.load_messages(sent), unmarked=True)) == []
            question = UIMessage(id='q', role='user', parts=[TextUIPart(text='Which tea again?')])
            request = SubmitMessage(id='chat', messages=[*sent, question])
            async for _ in VercelAIAdapter(agent=agent, run_input=request).run_stream(deps=Deps(), conversation_id='c'):
                pass
            said = await stored(memory, user_id='ana', run_id='c')
        assert [text.strip() for text in said] == ['user: Which tea again?', 'assistant: ok']
        assert speaker.told == ['Likes green tea']

    run(main())


def test_ag_ui_shows_no_block_of_a_stripped_history_and_brings_none_back() -> None:
    pytest.importorskip('ag_ui')
    from pydantic_ai.ui.ag_ui import AGUIAdapter

    history = run(history_with_a_block())
    shown = AGUIAdapter.dump_messages(strip_recalled(history))
    assert [m.content for m in shown if m.role == 'user'] == ['Which tea do I like?']
    back = AGUIAdapter.load_messages(AGUIAdapter.dump_messages(history))
    assert blocks(strip_recalled(back, unmarked=True)) == []
    assert 'Likes green tea' not in json.dumps([m.model_dump(mode='json') for m in shown])
