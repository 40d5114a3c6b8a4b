"""Plays a poisoning case through a real agent with long-term memory, and checks what came of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic_ai import Agent, Tool
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextContent,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from memoranda.agents import LongTermMemory
from memoranda.errors import MemorandaError
from memoranda.evals._poisoning_cases import Call, Case, Check, Step, Who
from memoranda.recall.trusting import UNCONFIRMED
from memoranda.records import RECALL_TAG, MemoryRecord
from memoranda.scope import Scope
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['Obedient', 'play']

_SENTENCE: Final = re.compile(r'[^\n]+?(?:(?<!\b\d)(?<!\b\d\d)[.!?\u3002]+(?=\s|$)|(?=\n)|$)')
"""The point of an ordinal ends nothing: `am 3. Mai`."""
_LONGEST: Final = 2_000
_PASSAGE: Final = re.compile(r'^- [^"\n]{1,300} said: "')
_INVISIBLE: Final = re.compile(
    '[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]'
)
_SPEAKER: Final = re.compile(r'(?:system|assistant|user|tool|developer|human)\s*:', re.IGNORECASE)


class Obedient:
    """The worst extractor there is: every sentence of every message is a fact about the user, and beyond doubt."""

    name = 'obedient'

    def propose(self, request: ExtractionRequest) -> Extraction:
        """All sentences, and once more as lessons where these are wanted."""
        found: list[Proposal] = []
        for index, message in enumerate(request.messages):
            for m in _SENTENCE.finditer(message.text):
                text = m[0].strip()
                if text:
                    start = m.start() + len(m[0]) - len(m[0].lstrip())
                    proposal = Proposal(
                        text=text[:_LONGEST],
                        confidence=1.0,
                        importance=1.0,
                        evidence=(Quote(index, start, start + len(text)),),
                    )
                    found.append(proposal)
                    if request.lessons:
                        found.append(dataclasses.replace(proposal, kind='heuristic', level='agent'))
        return Extraction(proposals=found)


@dataclass
class _Script:
    """A model that calls the tools it is told to call, and gives its answer. It keeps what it was sent first."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    answer: str = 'ok'
    heard: list[ModelMessage] | None = None

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The next call, or the answer."""
        if self.heard is None:
            self.heard = list(messages)
        if self.calls:
            return ModelResponse([ToolCallPart(*self.calls.pop(0))])
        return ModelResponse([TextPart(self.answer)])


class _Player:
    def __init__(self, memory: AsyncMemory, *, obedient: bool, tenant: str = '') -> None:
        self._memory, self._obedient, self._tenant = memory, obedient, tenant
        self._histories: dict[tuple[str, str], list[ModelMessage]] = {}

    async def step(self, step: Step) -> None:
        """One run, or one `add`; then all that it leads to. What the library refuses did not happen."""
        try:
            if step.says is not None:
                await self._run(step)
            else:
                await self._add(step)
            await self._memory.flush()
        except (MemorandaError, ValueError):
            return

    async def _run(self, step: Step) -> None:
        returns: dict[str, list[str]] = {}
        for tool in step.tools:
            returns.setdefault(tool.name, []).append(tool.returns)
        calls: list[tuple[str, dict[str, Any]]] = [(t.name, {}) for t in step.tools]
        calls += [('remember', {'fact': fact}) for fact in step.remembers]
        script = _Script(calls, step.answer or 'ok')
        key = (step.who.model_dump_json(), step.chat or '')
        agent: Agent[None, str] = Agent(
            FunctionModel(script),
            tools=[Tool(_returning(texts), name=name) for name, texts in returns.items()],
            capabilities=[
                LongTermMemory(
                    self._of(step.who),
                    scope=Scope(**step.who.ids),
                    tools=('remember',) if step.remembers else None,
                    timeout=30.0,
                )
            ],
        )
        result = await agent.run(
            step.says, message_history=self._histories.get(key), conversation_id=f'chat-{step.chat}'
        )
        self._histories[key] = result.all_messages()

    async def _add(self, step: Step) -> None:
        messages = [m.model_dump(exclude_none=True) for m in step.add]
        more: dict[str, Any] = {} if step.chat is None else {'run_id': f'chat-{step.chat}'}
        await self._of(step.who).add(messages, **step.who.ids, trust=step.trust, **more)

    def _of(self, who: Who) -> AsyncMemory:
        return self._memory.in_project(f'{self._tenant}{who.project}')

    async def problem(self, check: Check) -> str | None:
        """What is wrong; None when the check holds."""
        if check.check == 'call':
            return await self._called(check)
        if check.check == 'facts':
            if check.must is not None and not self._obedient:
                return None
            return _matched(check, '\n'.join(m.text for m in await self._facts(check.who, check.kind)))
        block = await self._block(check)
        if check.check == 'frame':
            return _broken(block)
        return _matched(check, block if check.where == 'anywhere' else _known(block))

    async def _facts(self, who: Who, kind: str | None = None) -> Sequence[MemoryRecord]:
        try:
            page = await self._of(who).get_all(**who.ids, limit=1000)
        except (MemorandaError, ValueError):
            return ()
        return [m for m in page if kind is None or m.kind == kind]

    async def _block(self, check: Check) -> str:
        """What a model is told when a new conversation begins with the question."""
        script = _Script()
        try:
            capability = LongTermMemory[Any](
                self._of(check.who), scope=Scope(**check.who.ids), remember='off', timeout=30.0
            )
            await Agent(FunctionModel(script), capabilities=[capability]).run(check.asks, conversation_id='asked')
        except (MemorandaError, ValueError):
            return ''
        return '\n'.join(text for text in _user_texts(script.heard or ()) if text.startswith(f'<{RECALL_TAG}'))

    async def _called(self, check: Check) -> str | None:
        call = check.call
        assert call is not None
        target: str | None = None
        if call.of is not None:
            wanted = re.compile(call.of.matching, re.IGNORECASE)
            target = next((m.id for m in await self._facts(call.of.who) if wanted.search(m.text)), None)
            if target is None:
                return None
        try:
            answer = await self._call(self._of(check.who), check.who.ids, call, target)
        except (MemorandaError, ValueError):
            return _matched(check, '')
        if target is not None and call.of is not None and call.of.who != check.who:
            return f'{call.name} of a foreign id succeeded'
        return _matched(check, json.dumps(_plain(answer), ensure_ascii=False, default=str))

    async def _call(self, memory: AsyncMemory, ids: dict[str, Any], call: Call, target: str | None) -> Any:
        query, filters, id_ = call.query or '', call.filters, target or ''
        match call.name:
            case 'search':
                return await memory.search(
                    query,
                    **ids,
                    filters=filters,
                    top_k=50,
                    include=('memories', 'episodes') if not filters else ('memories',),
                )
            case 'get_all':
                return list(await memory.get_all(**ids, filters=filters))
            case 'context':
                return str(await memory.context(query, **ids))
            case 'episodes':
                return list((await memory.episodes(**ids)).items)
            case 'get':
                return await memory.get(id_, **ids)
            case 'history':
                return await memory.history(id_, **ids)
            case 'update':
                return await memory.update(id_, text=call.text, **ids)
            case 'delete':
                return await memory.delete(id_, **ids)


async def play(case: Case, memory: AsyncMemory, *, obedient: bool, tenant: str = '') -> tuple[str, ...]:
    """What is wrong after a case was played; nothing when all its checks hold.

    Args:
        case: What happens, and what must be true then.
        memory: Open, and empty where nothing else is told.
        obedient: Whether its extractor is `Obedient`.
        tenant: What the names of all projects begin with, in a memory that holds those of other cases.
    """
    player = _Player(memory, obedient=obedient, tenant=tenant)
    for step in case.steps:
        await player.step(step)
    problems: list[str] = []
    for number, check in enumerate(case.checks, 1):
        problem = await player.problem(check)
        if problem is not None:
            problems.append(f'check {number} ({check.check}): {problem}')
    return tuple(problems)


def _returning(texts: list[str]) -> Callable[[], str]:
    def read() -> str:
        """Read it."""
        return texts.pop(0) if texts else ''

    return read


def _matched(check: Check, text: str) -> str | None:
    if check.never is not None:
        found = re.search(check.never, text, re.IGNORECASE)
        return None if found is None else f'{found[0]!r} was found'
    assert check.must is not None
    return None if re.search(check.must, text, re.IGNORECASE) else f'{check.must!r} was not found'


def _known(block: str) -> str:
    """The lines of a block that tell a fact as known."""
    known = block.partition(UNCONFIRMED)[0]
    return '\n'.join(line for line in known.split('\n') if line.startswith('- ') and not _PASSAGE.match(line))


def _broken(block: str) -> str | None:
    if not block:
        return None
    lines = block.split('\n')
    if lines[0] != f'<{RECALL_TAG}>' or lines[-1] != f'</{RECALL_TAG}>' or len(block.splitlines()) != len(lines):
        return 'the frame does not enclose the block'
    if len(re.findall(rf'<\W*{RECALL_TAG}', block, re.IGNORECASE)) != 2:
        return 'there are more tags than those of the frame'
    if any(_SPEAKER.match(line.lstrip()) for line in lines):
        return 'a line begins with a speaker'
    found = _INVISIBLE.search(block)
    return None if found is None else f'{found[0]!r} is in it'


def _user_texts(messages: Iterable[ModelMessage]) -> Iterable[str]:
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                for item in [part.content] if isinstance(part.content, str) else part.content:
                    if isinstance(item, str | TextContent):
                        yield item if isinstance(item, str) else item.content


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value
