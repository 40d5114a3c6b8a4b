"""What the tests of `LongTermMemory` stand on: a model that says what it is told to say, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_ai import Agent, ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.messages import TextContent, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory
from memoranda.records import RECALL_TAG

T = TypeVar('T')
SECONDS = 60
"""What a hung test waits before it says so."""


@dataclass
class Deps:
    """What an application passes to its agent."""

    user_id: str | None = 'ana'


def of_the_user(ctx: Any) -> Scope:
    """The scope of most tests."""
    return Scope(user_id=ctx.deps.user_id)


class Speaker:
    """A model that gives the answers it was made with, one for each request, and then `ok`.

    Args:
        answers: Text; tool calls, as (name, arguments); or an exception to raise.
    """

    def __init__(self, *answers: str | tuple[str, dict[str, Any]] | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[list[ModelMessage]] = []
        self.infos: list[AgentInfo] = []
        self.model = FunctionModel(self._answer, stream_function=self._stream)

    def _next(self, messages: list[ModelMessage], info: AgentInfo) -> str | tuple[str, dict[str, Any]]:
        self.requests.append(list(messages))
        self.infos.append(info)
        answer = self._answers.pop(0) if self._answers else 'ok'
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        answer = self._next(messages, info)
        return ModelResponse([TextPart(answer) if isinstance(answer, str) else ToolCallPart(*answer)])

    async def _stream(
        self, messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        answer = self._next(messages, info)
        if isinstance(answer, str):
            for word in answer.split(' '):
                yield f'{word} '
        else:
            yield {0: DeltaToolCall(name=answer[0], json_args=json.dumps(answer[1]))}

    @property
    def told(self) -> list[str]:
        """The lines the last request had in blocks, oldest first."""
        return lines_told(self.requests[-1])

    @property
    def tools(self) -> list[str]:
        """The tools of the last request."""
        return [tool.name for tool in self.infos[-1].function_tools]


def agent_of(memory: Any, speaker: Speaker | None = None, **arguments: Any) -> Agent[Deps, Any]:
    """An agent with a memory. Arguments are the capability's, but `output_type`, `tools_`, `name` and `retries`."""
    own = {name: arguments.pop(name) for name in ('output_type', 'tools_', 'name', 'retries') if name in arguments}
    if 'tools_' in own:
        own['tools'] = own.pop('tools_')
    arguments.setdefault('scope', of_the_user)
    model = (speaker or Speaker()).model
    return Agent(model, deps_type=Deps, capabilities=[LongTermMemory(memory, **arguments)], **own)


def blocks(messages: Iterable[ModelMessage]) -> list[str]:
    """The texts of the blocks in a history."""
    return [text for text in _user_texts(messages) if text.startswith(f'<{RECALL_TAG}>')]


def lines_told(messages: Iterable[ModelMessage]) -> list[str]:
    """The lines in the blocks of a history, without date and id."""
    lines = [line for text in blocks(messages) for line in text.split('\n') if line.startswith('- ')]
    return [line.removeprefix('- ').rpartition(' (')[0] for line in lines]


def _user_texts(messages: Iterable[ModelMessage]) -> list[str]:
    found: list[str] = []
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                items = [part.content] if isinstance(part.content, str) else part.content
                found += [i if isinstance(i, str) else i.content for i in items if isinstance(i, str | TextContent)]
    return found


def returned(messages: Sequence[ModelMessage]) -> list[str]:
    """What tools returned, oldest first."""
    parts = (part for message in messages for part in message.parts)
    return [str(part.content) for part in parts if isinstance(part, ToolReturnPart)]


async def stored(memory: AsyncMemory, **ids: str) -> list[str]:
    """What is stored of what was said, in its order."""
    page = await memory.episodes(**(ids or {'user_id': 'ana'}))
    return [f'{e.role}: {e.text}' for e in page.items]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it in an event loop of its own."""

    async def bounded() -> T:
        return await asyncio.wait_for(main, SECONDS)

    return asyncio.run(bounded())


@contextmanager
def event_loop() -> Generator[None]:
    """A loop for `run_sync`, which makes one that nobody closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
