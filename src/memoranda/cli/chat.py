"""`memoranda chat`: an agent with a memory, in the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.padding import Padding
from rich.text import Text

from memoranda.cli._output import emit, note, one_line, out, plain, shown
from memoranda.cli._target import Target, scoped
from memoranda.cli.add import changes_table
from memoranda.errors import ConfigurationError
from memoranda.records import RECALL_TAG, Edit, new_id
from memoranda.scope import Scope

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

    from memoranda import Memory

__all__ = ['chat']

_INSTALL = 'run `pip install "memoranda[pydantic-ai]"`, or leave --model out to see what would be recalled'
_ENDS = ('/quit', '/exit')
_HELP = ('/help', '/?')
_HOW = '/quit or Ctrl-D ends; every other line is a message'
_PATIENCE = 30.0
"""Seconds that looking things up may take: the first time the embedding model is loaded."""


@scoped
def chat(
    target: Target,
    model: Annotated[
        str | None,
        typer.Option('--model', '-m', help='A model of Pydantic AI, such as openai:gpt-4o. Default: none is asked.'),
    ] = None,
    top_k: Annotated[int, typer.Option('--top-k', '-k', min=1, max=100, help='The most to recall for a message.')] = 5,
    max_tokens: Annotated[int, typer.Option('--max-tokens', min=50, help='The most they may take.')] = 800,
) -> None:
    """Talk with an agent that remembers. Without a model, it shows what an agent would be given, and what it keeps.

    Each line of standard input is a message; /quit or the end of input ends it.
    It is a new conversation, unless --run names one.
    """
    target.introduce('A conversation of')
    # One event loop for all turns: connections of a model's client belong to the loop that opened them.
    with _memory(target, model) as memory, asyncio.Runner() as runner:
        limits = _Limits(top_k, max_tokens)
        partner: _Partner = (
            _Echo(memory, _ids(target), limits) if model is None else _agent(memory, target, limits, model, runner)
        )
        turns: list[_Turn] = []
        for said in _lines():
            turns.append(partner.answer(said))
            if not target.as_json:
                _show(turns[-1])
    if target.as_json:
        emit([plain(turn) for turn in turns])


@dataclass(frozen=True, slots=True)
class _Limits:
    """What may be recalled for one message."""

    top_k: int
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One message and what came of it."""

    said: str
    recalled: Sequence[str]
    """The lines an agent is given."""
    tokens: int | None = None
    """Of the block they are in."""
    answer: str | None = None
    """None when no model was asked, or it failed."""
    error: str | None = None
    changes: Sequence[Edit] = ()
    """What was remembered at once; an agent's turns are read in the background."""


class _Partner(Protocol):
    """Who is talked with."""

    def answer(self, said: str) -> _Turn:
        """What comes of one message."""
        ...


def _memory(target: Target, model: str | None) -> Memory:
    if model is None:
        return target.open()
    from memoranda import Memory

    return Memory(target.database, project=target.project)  # with workers, and an agent that goes on without it


def _ids(target: Target) -> dict[str, Any]:
    """The ids to remember under. Without a user what is said is the agent's or the app's, in whatever conversation."""
    ids = dict(target.ids)
    if 'user_id' in ids:
        ids.setdefault('run_id', f'chat-{new_id()}')
    return ids


def _lines() -> Iterator[str]:
    """What is typed, or piped, line by line."""
    typed = sys.stdin.isatty()
    if typed:
        note(_HOW)
    while True:
        try:
            line = input('you> ') if typed else sys.stdin.readline()
        except EOFError:
            return
        if not typed and not line:
            return
        line = line.strip()
        if line in _ENDS:
            return
        if line in _HELP:
            note(_HOW)
        elif line:
            yield line


def _recalled_lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.startswith('- ')]


def _show(turn: _Turn) -> None:
    console = out()
    if turn.recalled:
        console.print(f'recalled ({turn.tokens} tokens):' if turn.tokens is not None else 'recalled:', style='dim')
        for line in turn.recalled:
            console.print(Padding(Text(one_line(line), style='dim'), (0, 0, 0, 2)))
    elif turn.answer is None and turn.error is None:
        console.print('nothing to recall', style='dim')
    if turn.error is not None:
        note(f'error: {one_line(turn.error, 500)}', style='red')
    elif turn.answer is not None:
        console.print(Text.assemble(('agent> ', 'green'), shown(turn.answer)))
    if turn.changes:
        console.print(Padding(changes_table(tuple(turn.changes)), (0, 0, 0, 2)))


@dataclass(frozen=True, slots=True)
class _Echo:
    """Asks nobody: shows what an agent would be given, then remembers what was said."""

    memory: Memory
    ids: dict[str, Any]
    limits: _Limits

    def answer(self, said: str) -> _Turn:
        block = self.memory.context(said, **self.ids, top_k=self.limits.top_k, max_tokens=self.limits.max_tokens)
        result = self.memory.add(said, **self.ids)
        return _Turn(said=said, recalled=_recalled_lines(block.text), tokens=block.tokens, changes=result.changes)


def _agent(memory: Memory, target: Target, limits: _Limits, name: str, runner: asyncio.Runner) -> _Partner:
    try:
        from pydantic_ai import Agent
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model

        from memoranda.agents import LongTermMemory
    except ImportError as error:
        raise ConfigurationError(f'--model {name!r} needs Pydantic AI, which is not installed: {_INSTALL}') from error
    try:
        model: Model = infer_model(name)
    except (UserError, ValueError, ImportError) as error:
        raise ConfigurationError(
            f'--model {name!r} can not be used ({one_line(str(error), 300)}): name one as its provider and its name, '
            'such as openai:gpt-4o, whose package is installed'
        ) from error
    ids = _ids(target)
    conversation = ids.get('run_id')
    scope = Scope(**{key: value for key, value in ids.items() if key != 'run_id'})
    recalling = LongTermMemory(memory, scope=scope, top_k=limits.top_k, max_tokens=limits.max_tokens, timeout=_PATIENCE)
    return _Talking(runner, Agent(model, capabilities=[recalling]), conversation or f'chat-{new_id()}')


@dataclass(slots=True)
class _Talking:
    """Asks the model, with what is remembered; and remembers."""

    runner: asyncio.Runner
    agent: Agent[None, str]
    conversation_id: str
    history: list[ModelMessage] = field(default_factory=list['ModelMessage'])

    def answer(self, said: str) -> _Turn:
        from pydantic_ai.exceptions import AgentRunError

        try:
            result = self.runner.run(
                self.agent.run(said, message_history=self.history, conversation_id=self.conversation_id)
            )
        except AgentRunError as error:  # the next message may work, and what was said is remembered anyway
            return _Turn(said=said, recalled=(), error=f'{type(error).__name__}: {error}')
        self.history = result.all_messages()
        return _Turn(said=said, recalled=_recalled(result.new_messages()), answer=result.output)


def _recalled(messages: Sequence[ModelMessage]) -> list[str]:
    """The lines of the block that was put beside the prompt."""
    texts: list[str] = []
    for message in messages:
        for part in message.parts:
            if part.part_kind == 'user-prompt' and not isinstance(part.content, str):
                texts += [text for text in map(_text, part.content) if text.lstrip().startswith(f'<{RECALL_TAG}')]
    return [line for text in texts for line in _recalled_lines(text)]


def _text(content: Any) -> str:
    text = content if isinstance(content, str) else getattr(content, 'content', '')
    return text if isinstance(text, str) else ''
