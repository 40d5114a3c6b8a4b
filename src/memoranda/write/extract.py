"""What an extractor is given and what it proposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from memoranda.records import NO_USAGE, Episode, MemoryRecord, Trust, Usage
from memoranda.scope import Level, Scope

__all__ = [
    'Extraction',
    'ExtractionRequest',
    'Extractor',
    'Proposal',
    'ProposalOp',
    'PureExtractor',
    'Quote',
    'SlotSpec',
]


ProposalOp: TypeAlias = Literal['add', 'supersede', 'correct', 'confirm', 'retract', 'reset']


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of one of the messages: `request.messages[message].text[start:end]`."""

    message: int
    """Index into `ExtractionRequest.messages`."""
    start: int
    """Code points."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing an extractor believes the messages say. Code has the last word (`consolidate`)."""

    op: ProposalOp = 'add'
    """
    - `add`: a fact; one with a `slot` supersedes the slot's current value
    - `supersede`: a fact that replaces the existing memory `target` because the world changed
    - `correct`: a fact that replaces `target` because it was never true
    - `confirm`: `target` was said again
    - `retract`: `target` no longer holds and nothing replaces it
    - `reset`: the speaker's tools and set-up changed altogether: what is known of them is retracted
    """
    text: str = ''
    """Third person, self-contained, in the language of the message. Empty for confirm, retract and reset."""
    kind: str = 'knowledge'
    slot: str | None = None
    value: str | None = None
    """The bare value of the slot (`Lisbon` for `home.city`), when there is one."""
    target: str | None = None
    """Id of one of `ExtractionRequest.existing`."""
    level: Level | None = None
    """None: the level of the scope it was said under. `agent` under a user's scope: a lesson for the agent, which holds
    nothing of the user."""
    confidence: float = 0.9
    importance: float = 0.5
    valid_from: datetime | None = None
    """None: when the message was said."""
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    evidence: tuple[Quote, ...] = ()
    trust: Trust | None = None
    """None: the weakest tier among the evidence."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pinned: bool = False
    category: str | None = None
    """A special category of personal data that the fact belongs to (`policy.SPECIAL_CATEGORIES`), if the extractor can
    tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSpec:
    """A slot that somebody wants filled: a field of a registered profile."""

    slot: str
    description: str = ''
    type: str = 'text'
    """What the value must look like, in words: `text`, `integer`, `one of: light, dark`."""
    many: bool = False
    """Whether it holds a list: each item is a fact of its own, in the slot `<slot>.<item>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRequest:
    """New messages with what is needed to read them."""

    messages: Sequence[Episode]
    """New, oldest first, as they are stored."""
    previous: Sequence[Episode] = ()
    """The few messages before them in the same conversation: context, never evidence."""
    existing: Sequence[MemoryRecord] = ()
    """Current memories they may touch."""
    scope: Scope = Scope.GLOBAL
    """The ids they were said under. With an agent id alone, what is learnt is the agent's own."""
    lessons: bool = False
    """Whether lessons for the agent are wanted beside the user's facts (proposals of level `agent`)."""
    instructions: str = ''
    """What the caller of this `add` wants to have regarded."""
    slots: Sequence[SlotSpec] = ()
    """Slots that registered profiles want filled."""
    categories: Sequence[str] = ()
    """Special categories of personal data that the policy watches: facts of these are to be labelled (`category`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What an extractor found."""

    proposals: Sequence[Proposal] = ()
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    """Counts of what was dropped, by reason."""
    usage: Usage = NO_USAGE
    """What the model's answers cost."""


@runtime_checkable
class Extractor(Protocol):
    """Draws proposals from messages.

    `extract` runs on the engine's own event loop. One that only computes also has `propose`, the same without a loop,
    and runs on a worker thread instead (`PureExtractor`).
    """

    name: str
    """Recorded as the actor of the changes it leads to."""

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the messages.

        Raises:
            Exception: Anything raised leaves the job queued, to be tried again.
        """
        ...


@runtime_checkable
class PureExtractor(Protocol):
    """An extractor without I/O."""

    name: str

    def propose(self, request: ExtractionRequest) -> Extraction:
        """Read the messages, on the calling thread."""
        ...
