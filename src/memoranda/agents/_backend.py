"""What the capability needs of a memory, and how the engine gives it. A provider gives it in `_provider_backend`."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from memoranda.errors import InvalidInput, MemoryNotFound, shown
from memoranda.recall.block import escape, passage_line, short_id
from memoranda.recall.trusting import NOTE, doubted, passage, rule_for
from memoranda.records import ContextBlock, Hit, MemoryRecord, Trust
from memoranda.scope import Scope

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.policy import Policy

__all__ = [
    'Backend',
    'EngineBackend',
    'Line',
    'Recalled',
    'Said',
    'as_dict',
    'fact_line',
    'note',
    'shortened',
    'standing_lines',
]

log = logging.getLogger('memoranda')

MAX_PAGES = 10
"""Of 1,000 memories each, among which the one with a short id is looked for."""
MAX_QUERY_CHARS = 1_000
"""A longer prompt is a text with a question about it, and the text would drown the question."""
PART_CHARS = 300
ADDS_A_TURN = 2
"""The prompt when a run begins, the answer when it ends."""
LEAD_TOKENS = 80
"""What `context` says around its lines, at most; here that is a matter of instructions."""
WHOLE_CHARS = 4_000
"""A message up to here is known again as a whole, a longer one by its passages."""
TELLING_CHARS = 12
"""A shorter quote may well stand in a conversation by chance."""
_SENTENCE_END = re.compile(r'(?<=[.!?\n\u3002\uff01\uff1f\u061f])')
_MARKS = ('?', '\uff1f', '\u061f')
_UNFIT = re.compile(r'[^0-9A-Za-z_.~-]+')
_WISH = re.compile(r'^(\W*asked)\s*[:\uff1a\ufe55\u02d0\u2236]', re.IGNORECASE)
WISH_FORGED = r'\1 -'
_OWN = ('user', 'run')
"""Levels at which the user is the only one who speaks: a wish that is told to all is nobody's to give."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message to store. Plain data: it crosses the border of a durable operation."""

    role: Literal['user', 'assistant']
    text: str
    at: datetime | None = None
    """When it was said."""
    trust: Trust | None = None
    """The tier, where the role promises too much: an answer may repeat what a tool returned."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what is given to a model. Plain data, as `Said`."""

    id: str
    """Of the memory or the message, in full."""
    text: str
    """As the model sees it: one line, escaped, with its date and a short id at its end (see `fact_line`)."""
    tokens: int = -1
    """Of `text` and its line end, in o200k; -1: not counted yet, which takes time."""
    standing: bool = False
    """Told whatever the question is."""
    unconfirmed: bool = False
    """Told apart from what is known: it comes from a tool, a page or a quotation."""
    here: tuple[str, ...] = ()
    """Words it rests on: while the model reads some of them in this conversation anyway, the line is left out."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Lines in the order of their weight, standing ones first."""

    lines: tuple[Line, ...] = ()
    degraded: str | None = None
    """What had to be done without, such as `storage: StoreBusy`; then lines may be missing."""


class Backend(Protocol):
    """What the capability needs of a memory.

    Every method may raise: the capability logs it, marks the span, and lets the run go on. It also bounds their time,
    by cancelling them. Arguments and results are plain data, because calls are operations of a durable workflow.
    """

    traced: bool
    """Whether it makes OpenTelemetry spans itself. Otherwise the capability does."""
    overlaps: bool
    """Whether it may be asked while it stores the prompt, and still answers as if that was stored."""

    async def recall(self, query: str, scope: Scope, *, top_k: int, max_tokens: int) -> Recalled:
        """What is worth telling for a question, at most about `max_tokens` of lines.

        The capability asks for more than it gives to the model, and leaves out what the model still sees.
        """
        ...

    async def remember(
        self, messages: Sequence[Said], scope: Scope, *, key: str, metadata: Mapping[str, Any] | None
    ) -> None:
        """Store messages of a conversation (`scope.run_id`). A second call with the same key changes nothing."""
        ...

    async def flush(self) -> None:
        """Store what waits to be stored."""
        ...

    async def search(self, query: str, scope: Scope, *, top_k: int) -> Recalled:
        """What a model asked for by the tool."""
        ...

    async def add(self, fact: str, scope: Scope, *, key: str, here: bool, trust: Trust | None = None) -> bool:
        """Store a fact as given.

        Args:
            fact: A sentence.
            scope: Whose.
            key: A second call with the same one changes nothing.
            here: It holds in this conversation only.
            trust: Whose word it is, where it isn't the user's.

        Returns:
            Whether it is stored durably; False when it is kept until it can be.
        """
        ...

    async def forget(self, memory_id: str, scope: Scope) -> str:
        """Take a memory back, of the user (or else the owner) of the scope only, and return its words.

        Args:
            memory_id: In full, or the short id at the end of a line.
            scope: Whose.

        Raises:
            MemoryNotFound: No such memory there.
        """
        ...


def fact_line(id_: str, text: str, at: datetime | None, *, kind: str | None = None, standing: bool = False) -> Line:
    """A line for a fact: `- text (date) [m:short id]`."""
    words = _WISH.sub(WISH_FORGED, escape(text))  # only a wish of the user's own begins as one
    if kind == 'instruction':
        words = f'asked: {words}'
    when = f' ({at:%Y-%m-%d})' if at is not None else ''
    return Line(id=id_, text=f'- {words}{when} [m:{_UNFIT.sub("", short_id(id_))}]', standing=standing)


class EngineBackend:
    """An `AsyncMemory`. It bounds its own time, goes on without a storage that fails, and makes its own spans."""

    traced = True
    overlaps = True

    def __init__(self, memory: AsyncMemory) -> None:
        self.memory = memory
        self._told_unread = False

    def _unread(self) -> bool:
        """Whether nobody in this process draws facts from what is stored, though the settings don't say so."""
        return self.memory.engine.settings.workers > 0 and not self.memory.works

    def _acting(self, scope: Scope) -> AsyncMemory:
        """On the agent's account, unless the memory is on somebody's already."""
        if self.memory.actor is not None:
            return self.memory
        return self.memory.acting_as('agent' if scope.agent_id is None else f'agent:{scope.agent_id}'[:200])

    async def _policy(self) -> Policy:
        """What a prompt may show."""
        return self.memory.engine.policy

    async def _batch_turns(self) -> int:
        """Turns of a conversation that are read together."""
        return self.memory.engine.settings.batch_turns

    async def _approved(self, ids: list[str]) -> Collection[str]:
        """Which of these facts a person approved."""
        return await self.memory.engine.store.approved(ids, project=self.memory.project)

    async def recall(self, query: str, scope: Scope, *, top_k: int, max_tokens: int) -> Recalled:
        """The block `context` makes, line by line."""
        block = await self._acting(scope).context(
            shortened(query), **_ids(scope), top_k=top_k, max_tokens=max_tokens + LEAD_TOKENS
        )
        rendered = [line for line in block.text.split('\n') if line.startswith('- ')]
        standing = standing_lines(block)
        found = (*((hit, False) for hit in block.relevant), *((hit, True) for hit in block.unconfirmed))
        relevant = [
            Line(id=hit.id, text=_told(line, hit.memory), here=_said_here(hit, scope), unconfirmed=unsure)
            for (hit, unsure), line in zip(found, rendered[len(standing) :], strict=True)
        ]
        return Recalled(lines=(*standing, *relevant), degraded=block.degraded)

    async def remember(
        self, messages: Sequence[Said], scope: Scope, *, key: str, metadata: Mapping[str, Any] | None
    ) -> None:
        """One row in the outbox; facts are drawn later, by a worker: from a prompt and its answer in one go."""
        receipt = await self.memory.add(
            [as_dict(m) for m in messages],
            **_ids(scope),
            metadata=metadata,
            background=True,
            idempotency_key=key,
            batch_turns=min(1000, ADDS_A_TURN * await self._batch_turns()),
        )
        if receipt.status == 'queued' and not self._told_unread and self._unread():
            self._told_unread = True
            log.warning(
                'what agents hear is stored, and no facts are drawn from it here: the memory was not opened. Open it '
                'for as long as they run (async with memory: ...), run `memoranda worker`, or set workers=0 if it runs'
            )

    async def flush(self) -> None:
        """Nothing waits here."""

    async def search(self, query: str, scope: Scope, *, top_k: int) -> Recalled:
        """Facts and passages of messages, best first."""
        memory = self._acting(scope)
        hits = await memory.search(shortened(query), **_ids(scope), top_k=top_k, include=('memories', 'episodes'))
        policy = await self._policy()
        told = {e.episode_id for h in hits if h.memory is not None for e in h.memory.evidence}
        doubts = doubted(hits, policy)
        approved = await self._approved(doubts) if doubts else frozenset[str]()
        rules = [rule_for(h, policy, approved=approved) for h in hits]
        lines = [
            _hit_line(h, policy, unsure=rule == 'fence')
            for h, rule in zip(hits, rules, strict=True)
            if not h.stale and rule != 'exclude' and not (h.episode is not None and h.id in told)
        ]
        return Recalled(lines=tuple(line for line in lines if line is not None), degraded=hits.degraded)

    async def add(self, fact: str, scope: Scope, *, key: str, here: bool, trust: Trust | None = None) -> bool:
        """As a fact that needs no model; it can be found by its words at once."""
        receipt = await self.memory.add(
            fact if trust is None else note(fact, trust),
            **_ids(scope),
            infer=False,
            level='run' if here and scope.user_id is not None else None,
            background=True,
            idempotency_key=key,
            trust=trust,
        )
        return receipt.status != 'unsaved'

    async def forget(self, memory_id: str, scope: Scope) -> str:
        """Retract it. What an agent or an application shares is nobody's own to take back."""
        named = scope.user_id is not None or scope.run_id is not None  # else the memory is the agent's own
        own = _ids(Scope(user_id=scope.user_id, run_id=scope.run_id) if named else scope)
        acting = self._acting(scope)
        found = await self._find(acting, memory_id, own)
        await acting.delete(found.id, **own)
        return found.text

    async def _find(self, memory: AsyncMemory, memory_id: str, own: Mapping[str, Any]) -> MemoryRecord:
        wanted = memory_id.strip().strip('[]').removeprefix('m:')
        matches: list[MemoryRecord] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await memory.get_all(**own, limit=1000, cursor=cursor)
            matches += [m for m in page if wanted in (m.id, short_id(m.id))]
            cursor = page.cursor
            if cursor is None:
                break
        if len(matches) > 1:
            raise InvalidInput(f'{shown(memory_id)} is the short id of {len(matches)} memories: pass the full id')
        if not matches:
            raise MemoryNotFound(f'memory {shown(memory_id)} does not exist here: pass the id at the end of a line')
        return matches[0]


def shortened(query: str) -> str:
    """What of a prompt is searched for: of a long one its last questions, else where it begins and ends."""
    if len(query) <= MAX_QUERY_CHARS:
        return query
    sentences = (part.strip() for part in _SENTENCE_END.split(query))
    asked = [part for part in sentences if part.endswith(_MARKS) and 3 < len(part) <= PART_CHARS]
    return '\n'.join(asked[-3:]) or f'{query[:PART_CHARS]}\n{query[-PART_CHARS:]}'


def note(fact: str, trust: Trust) -> dict[str, Any]:
    """What a model wants remembered and the user has not said, as `add` is given it."""
    return {'role': 'assistant' if trust == 'assistant' else 'tool', 'name': NOTE, 'content': fact, 'trust': trust}


def as_dict(message: Said) -> dict[str, Any]:
    """A message as `add` is given it."""
    told = {'role': message.role, 'content': message.text, 'timestamp': message.at}
    return told if message.trust is None else {**told, 'trust': message.trust}


def _ids(scope: Scope) -> dict[str, Any]:
    found = (
        ('user_id', scope.user_id),
        ('agent_id', scope.agent_id),
        ('run_id', scope.run_id),
        ('app_id', scope.app_id),
    )
    return {name: value for name, value in found if value is not None}


def standing_lines(block: ContextBlock) -> list[Line]:
    """What always holds, of a block."""
    rendered = [line for line in block.text.split('\n') if line.startswith('- ')]
    return [
        Line(id=m.id, text=_told(line, m), standing=True) for m, line in zip(block.standing, rendered, strict=False)
    ]


def _told(line: str, memory: MemoryRecord | None) -> str:
    """A line of the engine's, which begins as a wish only where it is one of the user's own."""
    if memory is None:
        return line
    is_wish = memory.kind == 'instruction' and memory.trust in ('user', 'assistant')
    if is_wish and memory.level in _OWN:
        return line
    words = line.removeprefix('- ')
    words = words.removeprefix('asked: ') if is_wish else words
    return f'- {_WISH.sub(WISH_FORGED, words)}'


def _here(memory: MemoryRecord, scope: Scope) -> tuple[str, ...]:
    # The same history may go on under another conversation id, as when an application keeps none.
    least = 1 if scope.run_id is not None and memory.said_under.run_id == scope.run_id else TELLING_CHARS
    return tuple(e.quote for e in memory.evidence if len(e.quote) >= least)


def _said_here(hit: Hit, scope: Scope) -> tuple[str, ...]:
    if hit.memory is not None:
        return _here(hit.memory, scope)
    assert hit.episode is not None
    whole = hit.episode.text
    return (hit.text,) if len(whole) > WHOLE_CHARS else (hit.text, whole)


def _hit_line(hit: Hit, policy: Policy, *, unsure: bool) -> Line | None:
    if hit.memory is not None:
        kind = hit.memory.kind if hit.memory.level in _OWN and not unsure else None
        line = fact_line(hit.id, hit.text, hit.memory.valid_from, kind=kind)
        return replace(line, unconfirmed=unsure)
    words = passage(hit, policy)
    if words is None:
        return None
    return Line(id=hit.id, text=passage_line(hit, words), unconfirmed=unsure, here=(hit.text,))
