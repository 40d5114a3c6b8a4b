"""What waits for a person, what was changed, and taking changes back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from memoranda.records import ReviewOp, Role, Trust
from memoranda.server.native.models._base import Ask, Flag, Id, Ids, Key, Moment, Paged, Told, UpdateFields, Whole
from memoranda.server.native.models.problem import Problem
from memoranda.server.native.models.records import Edit, Memory

__all__ = [
    'Change',
    'ChangePage',
    'DecideMany',
    'EditProposal',
    'ListChanges',
    'ListReview',
    'RevertChange',
    'ReviewEvidence',
    'ReviewItem',
    'ReviewPage',
    'ReviewResult',
    'ReviewResults',
]


class ListReview(Ids):
    """Which proposals; without any id, those of everybody in the project."""

    reasons: Annotated[list[Key], Field(min_length=1, max_length=64)] | None = None
    """Only what waits for one of these; `source` stands for `source:tool` too."""
    details: Flag = True
    """False leaves out evidence, nearest memories and diff, which take a search for each item."""
    limit: Annotated[Whole, Field(ge=1, le=200)] = 20
    """How many at most."""
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """`next_cursor` of the page before, with all else the same."""


class EditProposal(UpdateFields):
    """A proposal in other words. What is left out stays as it was proposed."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'text': 'Lives in Lisbon, in Alfama'}]})


class DecideMany(Ask):
    """A decision on several proposals."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [{'decision': 'reject', 'ids': ['01890a5d-ac96-774b-bcce-b302099a8057']}],
        }
    )

    decision: Literal['approve', 'reject']
    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class ReviewEvidence(Told):
    """Words that a proposal rests on, in the message they stand in."""

    episode_id: str
    quote: str
    before: str
    """Up to 400 characters of the message before the quote, and as many after it."""
    after: str
    role: Role
    name: str | None
    trust: Trust
    said_at: Moment


class ReviewItem(Told):
    """A proposal that waits for a person."""

    id: str
    """Of the memory it would become."""
    memory: Memory
    """As it was proposed. A wish to confirm or to retract has no words of its own."""
    op: ReviewOp
    """What approving it does."""
    target: Memory | None
    """The memory it would replace, confirm or retract, as it is now."""
    reasons: list[str]
    """Why it waits (docs/review.md)."""
    proposed_at: Moment
    evidence: list[ReviewEvidence]
    nearest: list[Memory]
    """A few of the memories that say something like it."""
    diff: list[Edit]
    """What approving it would change now; its own edit comes first."""
    notes: list[str]
    """Why that is less than was proposed: `unknown target`, `older`, `known`."""


class ReviewPage(Told):
    """A slice of the queue, in the order it was proposed."""

    items: list[ReviewItem]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice, also when this one has fewer than asked for; null at the end."""


class Change(Told):
    """One atomic set of edits."""

    id: str
    edits: list[Edit]
    actor: str
    reason: str
    job_id: str | None
    at: Moment
    erased: int
    """Edits that are no longer listed, because their memories were erased."""


class ReviewResult(Told):
    """What became of one proposal."""

    id: str
    outcome: Literal['approved', 'rejected', 'failed']
    change: Change | None
    """What was changed; reverting it takes it back."""
    memory: Memory | None
    """What it is about now: the memory that is believed, or the proposal that was turned down."""
    notes: list[str]
    error: Problem | None
    """Why nothing was done."""


class ReviewResults(Told):
    """What became of each proposal, in the order of the ids."""

    items: list[ReviewResult]


class ListChanges(Paged):
    """Whose changes."""

    limit: Annotated[Whole, Field(ge=1, le=1000)] = 20
    """How many at most."""


class RevertChange(Ids):
    """How to take a change back."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'cascade': False}]})

    cascade: bool = False
    """Take back later changes that depend on it too, all in one."""


class ChangePage(Told):
    """A slice of the changes, latest first."""

    items: list[Change]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""
