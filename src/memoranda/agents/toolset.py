"""The tools a model may use on its memory: `remember`, `recall`, `forget`. Whose memory it is, it can't choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio
from pydantic_ai import FunctionToolset, RunContext, Tool, ToolFailed
from pydantic_ai.messages import ToolReturn
from pydantic_ai.tools import ToolDefinition

from memoranda.agents._recalled import METADATA_KEY, block, is_of, key_of, latest_said
from memoranda.agents._sources import tier_of_note
from memoranda.errors import InvalidInput, MemoryNotFound
from memoranda.records import Trust
from memoranda.write.options import MAX_FACT_CHARS

if TYPE_CHECKING:
    from memoranda.agents._backend import Backend
    from memoranda.scope import Scope

__all__ = ['Host', 'Outcome', 'ToolName', 'forgotten', 'looked_up', 'noted', 'toolset_for']

ToolName = Literal['remember', 'recall', 'forget']
MAX_QUERY_CHARS = 2_000
MOST_FOUND = 1_000
RETRIES = 5
"""For arguments of the wrong type. All else that goes wrong costs none, so that memory breaks no run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a tool call. Plain data: it crosses the border of a durable operation."""

    text: str
    """For the model."""
    ids: tuple[str, ...] = ()
    problem: Literal['', 'arguments', 'backend'] = ''
    """Whose fault it is that it failed."""


class Host(Protocol):
    """What the tools need of the capability they belong to."""

    def offers(self, tool: ToolName, ctx: RunContext[Any]) -> bool:
        """Whether a run has this tool."""
        ...

    def scope_in(self, ctx: RunContext[Any]) -> Scope:
        """Whose memory a run may touch."""
        ...

    async def tool_recall(self, ctx: RunContext[Any], query: str, scope: Scope, heard: str = '') -> Outcome:
        """Look something up; what the user says just now is no answer."""
        ...

    async def tool_remember(
        self, ctx: RunContext[Any], fact: str, scope: Scope, key: str, here: bool, trust: Trust | None = None
    ) -> Outcome:
        """Store a fact."""
        ...

    async def tool_forget(self, ctx: RunContext[Any], memory_id: str, scope: Scope) -> Outcome:
        """Take a memory back."""
        ...


def toolset_for(host: Host, names: Sequence[ToolName], *, id_: str | None) -> FunctionToolset[Any]:
    """The tools with these names.

    Args:
        host: Does what they are asked to.
        names: Which.
        id_: Of the toolset; durable execution knows it by this.
    """

    async def remember(ctx: RunContext[Any], fact: str, only_this_conversation: bool = False) -> ToolReturn[Any]:  # noqa: D417
        """Remember something about the user for later conversations.

        Args:
            fact: One short sentence that is clear by itself, such as "Is allergic to peanuts".
            only_this_conversation: True if it will be of no use in other conversations.
        """
        fact = _words('fact', fact, MAX_FACT_CHARS)
        scope = _scope(host, ctx)
        key = key_of(scope, ctx.run_id, ctx.tool_call_id or '', 'remember', fact)
        trust = tier_of_note(fact, ctx.messages)
        return _answer(await host.tool_remember(ctx, fact, scope, key, only_this_conversation, trust))

    async def recall(ctx: RunContext[Any], query: str) -> ToolReturn[Any]:  # noqa: D417
        """Look up what is known from earlier conversations.

        Args:
            query: A question or some words, such as "food preferences".
        """
        query = _words('query', query, MAX_QUERY_CHARS)
        heard = latest_said(ctx.messages)[:MAX_QUERY_CHARS]
        return _answer(await host.tool_recall(ctx, query, _scope(host, ctx), heard))

    async def forget(ctx: RunContext[Any], memory_id: str) -> ToolReturn[Any]:  # noqa: D417
        """Forget one thing that was remembered, because the user wants that or because it is wrong.

        Args:
            memory_id: The id at the end of its line, such as "m:1a2b3c4d".
        """
        memory_id = _words('memory_id', memory_id, 256)
        return _answer(await host.tool_forget(ctx, memory_id, _scope(host, ctx)))

    functions: dict[ToolName, Any] = {'remember': remember, 'recall': recall, 'forget': forget}
    return FunctionToolset(
        [Tool(functions[name], takes_ctx=True, max_retries=RETRIES, prepare=_offered(host, name)) for name in names],
        id=id_,
    )


def _offered(host: Host, name: ToolName) -> Any:
    async def prepare(ctx: RunContext[Any], definition: ToolDefinition) -> ToolDefinition | None:
        return definition if host.offers(name, ctx) else None

    return prepare


def _words(name: str, value: str, most: int) -> str:
    text = value.strip()
    if not text:
        raise ToolFailed(f'{name} is empty: call the tool again with words in it.')
    if len(text) > most:
        raise ToolFailed(f'{name} has {len(text)} characters, and {most} is the most: call the tool again, shorter.')
    return text


def _scope(host: Host, ctx: RunContext[Any]) -> Scope:
    try:
        return host.scope_in(ctx)
    except Exception as error:
        raise ToolFailed('There is no memory in this conversation. Go on without it.') from error


def _answer(outcome: Outcome) -> ToolReturn[Any]:
    if outcome.problem:
        raise ToolFailed(outcome.text)
    return ToolReturn(outcome.text, metadata={METADATA_KEY: {'recalled': list(outcome.ids)}} if outcome.ids else None)


async def looked_up(
    backend: Backend, query: str, scope: Scope, *, top_k: int, timeout: float, heard: str = ''
) -> Outcome:
    """What the tool `recall` does."""
    try:
        with anyio.fail_after(timeout):
            found = await backend.search(query, scope, top_k=min(top_k + bool(heard), MOST_FOUND))
    except InvalidInput as error:
        return Outcome(f'{error}.', problem='arguments')
    lines = [line for line in found.lines if not is_of(line, heard)][:top_k]
    if lines:
        return Outcome(block(lines), ids=tuple(line.id for line in lines))
    if found.degraded is not None:
        return Outcome('The memory does not answer now. Go on without it.', problem='backend')
    return Outcome('Nothing is known about that.')


async def noted(
    backend: Backend, fact: str, scope: Scope, *, key: str, here: bool, timeout: float, trust: Trust | None = None
) -> Outcome:
    """What the tool `remember` does."""
    try:
        with anyio.fail_after(timeout):
            stored = await backend.add(fact, scope, key=key, here=here, trust=trust)
    except InvalidInput as error:
        return Outcome(f'{error}.', problem='arguments')
    return Outcome('Remembered.' if stored else 'Noted. It is stored as soon as the storage works again.')


async def forgotten(backend: Backend, memory_id: str, scope: Scope, *, timeout: float) -> Outcome:
    """What the tool `forget` does."""
    if memory_id.strip('[]').startswith('e:'):
        return Outcome(
            'That is a message and not a memory: it can not be forgotten by this tool. Say so to the user.',
            problem='arguments',
        )
    try:
        with anyio.fail_after(timeout):
            await backend.forget(memory_id, scope)
    except (InvalidInput, MemoryNotFound):
        return Outcome(
            'There is no memory of this user with that id: pass the id at the end of a line that was recalled, such '
            'as m:1a2b3c4d.',
            problem='arguments',
        )
    return Outcome('Forgotten.')
