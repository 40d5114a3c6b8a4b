"""A realtime session stores what was said when it ends; the model looks things up by a tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.realtime import RealtimeModel
from pydantic_ai.realtime.codec import (
    InputTranscript,
    OutputTranscript,
    RealtimeConnection,
    ResponseDone,
    ToolCall,
    ToolResult,
)
from pydantic_ai.realtime.lifecycle import InferredLifecycle

from _capability import Deps, agent_of, run, stored
from _fakes import fast_async
from memoranda import AsyncMemory


class Line(RealtimeConnection):
    """A connection on which events come as given, one turn after another."""

    def __init__(self, events: Sequence[Any]) -> None:
        self._events = events
        self._answered = asyncio.Event()
        self._lifecycle = InferredLifecycle()
        self.sent: list[Any] = []

    async def send(self, content: Any) -> Any:
        with self._lifecycle.sending(content):
            self.sent.append(content)
            if isinstance(content, ToolResult):
                self._answered.set()
        return self._lifecycle.take_pending()

    def frames(self) -> AsyncIterator[Any]:
        return self._lifecycle.frames(self._all())

    async def _all(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event
            if isinstance(event, ToolCall):
                await self._answered.wait()


class Phone(RealtimeModel):
    """A model that is spoken to."""

    def __init__(self, *events: Any) -> None:
        super().__init__()
        self.line = Line(events)
        self.tools: list[str] = []

    @property
    def model_name(self) -> str:
        return 'phone'

    @property
    def system(self) -> str:
        return 'test'

    @asynccontextmanager
    async def connect(
        self, *, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> AsyncIterator[Line]:
        self.tools = [tool.name for tool in model_request_parameters.function_tools]
        yield self.line


async def call(memory: AsyncMemory, phone: Phone, **arguments: Any) -> None:
    agent: Agent[Deps, Any] = agent_of(memory, **arguments)
    async with agent.realtime(phone, deps=Deps(), conversation_id='call').session() as session:
        async for _ in session:
            pass


def test_what_was_said_is_stored_when_the_session_ends() -> None:
    async def main() -> None:
        phone = Phone(
            InputTranscript('I live in Lisbon', is_final=True),
            OutputTranscript('How nice', is_final=True),
            ResponseDone(),
        )
        async with fast_async() as memory:
            await call(memory, phone)
            assert await stored(memory, user_id='ana', run_id='call') == [
                'user: I live in Lisbon',
                'assistant: How nice',
            ]

    run(main())


def test_the_model_has_a_tool_to_look_things_up_as_nothing_is_told_at_the_start() -> None:
    async def main() -> None:
        phone = Phone(
            InputTranscript('Which tea do I like?', is_final=True),
            ToolCall('c1', tool_name='recall', args='{"query": "which tea"}'),
            OutputTranscript('Green', is_final=True),
            ResponseDone(),
        )
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await call(memory, phone)
            assert phone.tools == ['recall']
            (result,) = phone.line.sent
            assert '- Likes green tea (' in result.output
            assert (await stored(memory))[1:] == ['user: Which tea do I like?', 'assistant: Green']

    run(main())
