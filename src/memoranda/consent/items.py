"""What `memory.review` answers, and checks of what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast

from memoranda.checks import check_text
from memoranda.errors import InvalidInput, InvalidScope, MemorandaError, shown, what_is
from memoranda.records import Change, Edit, Episode, Evidence, MemoryRecord, ReviewOp, Role, Trust

__all__ = [
    'ReviewEvidence',
    'ReviewItem',
    'ReviewPage',
    'ReviewResult',
    'checked_reasons',
    'listed',
    'scope_ids',
    'shown_in',
]

AROUND: Final = 400
"""Characters shown before and after the quoted words."""
MAX_IDS: Final = 1000
_NAMES: Final = ('user_id', 'agent_id', 'run_id', 'app_id', 'session_id')


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEvidence:
    """Words that a proposal rests on, in the message they stand in."""

    episode_id: str
    quote: str
    before: str
    """Up to 400 characters of the message before the quote, and as many after it."""
    after: str
    role: Role
    name: str | None
    trust: Trust
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """A proposal that waits for a person."""

    id: str
    """Of the memory it would become."""
    memory: MemoryRecord
    """As it was proposed. A wish to confirm or to retract has no words of its own: its text names the memory's id."""
    op: ReviewOp
    """What approving it does."""
    target: MemoryRecord | None
    """The memory it would replace, confirm or retract, as it is now."""
    reasons: tuple[str, ...]
    """Why it waits, as codes such as `locked` or `source:tool`."""
    proposed_at: datetime
    evidence: tuple[ReviewEvidence, ...] = ()
    nearest: tuple[MemoryRecord, ...] = ()
    """A few of the memories that say something like it."""
    diff: tuple[Edit, ...] = ()
    """What approving it would change now; its own edit comes first."""
    notes: tuple[str, ...] = ()
    """Why that is less than was proposed, as codes: `unknown target` (it is gone), `older`, `known`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """A slice of the queue, in the order it was proposed."""

    items: tuple[ReviewItem, ...]
    cursor: str | None
    """Pass it to get the next slice, also when this one has fewer than asked for; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResult:
    """What became of one proposal."""

    id: str
    outcome: Literal['approved', 'rejected', 'failed']
    change: Change | None = None
    """What was changed; `memory.revert(change.id)` takes it back."""
    memory: MemoryRecord | None = None
    """What it is about now: the memory that is believed, or the proposal that was turned down."""
    notes: tuple[str, ...] = ()
    """As in `ReviewItem.notes`."""
    error: MemorandaError | None = None
    """Why nothing was done."""


def scope_ids(given: Mapping[str, str | None]) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """The ids of a scope, in the order that a memory takes them."""
    unknown = [name for name in given if name not in _NAMES]
    if unknown:
        raise InvalidScope(f'{unknown[0]!r} is no id of a scope: pass some of {", ".join(_NAMES)}')
    user_id, agent_id, run_id, app_id, session_id = (given.get(name) for name in _NAMES)
    return user_id, agent_id, run_id, app_id, session_id


def listed(item_ids: object) -> Sequence[str]:
    """Ids of proposals, each once."""
    if not isinstance(item_ids, Sequence | set | frozenset) or isinstance(item_ids, bytes):
        raise InvalidInput(f'item_ids={shown(item_ids)} is {what_is(item_ids)}: pass an id, or a list of ids')
    listed = list(dict.fromkeys(cast('Sequence[str]', item_ids)))
    if len(listed) > MAX_IDS:
        raise InvalidInput(f'item_ids has {len(listed):,} ids, and {MAX_IDS:,} is the most: pass them in parts')
    return listed


def checked_reasons(reasons: object) -> Sequence[str] | None:
    """Codes to look for; None: any."""
    if reasons is None:
        return None
    if isinstance(reasons, str) or not isinstance(reasons, Sequence | set | frozenset):
        raise InvalidInput(f"reasons={shown(reasons)} is no list: pass codes, such as ['locked', 'source:tool']")
    return [check_text('reason', reason, 128) for reason in cast('Sequence[object]', reasons)]


def shown_in(message: Episode, evidence: Evidence) -> ReviewEvidence:
    """Evidence in its message."""
    return ReviewEvidence(
        episode_id=message.id,
        quote=evidence.quote,
        before=message.text[max(0, evidence.start - AROUND) : evidence.start],
        after=message.text[evidence.end : evidence.end + AROUND],
        role=message.role,
        name=message.name,
        trust=message.trust,
        said_at=message.occurred_at,
    )
