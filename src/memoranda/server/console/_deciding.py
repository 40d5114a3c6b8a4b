"""Decisions over proposals: what they were about, who made them, taking them back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from memoranda.errors import Conflict, MemoryNotFound

if TYPE_CHECKING:
    from fastapi import Request, Response

    from memoranda.consent.items import ReviewItem
    from memoranda.memory import AsyncMemory

__all__ = ['Decision', 'Waiting', 'decision_on', 'seen_as', 'shown_again', 'take_back', 'waiting']


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided on a proposal."""

    what: Literal['approved', 'approved in other words', 'rejected']
    by: str
    at: datetime
    change_id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, by its ids: no words are read for it, and so no read is noted."""

    ids: tuple[str, ...]
    more: bool


async def decision_on(memory: AsyncMemory, item_id: str) -> Decision | None:
    """The latest decision on a proposal; None when no person has decided.

    Raises:
        MemoryNotFound: There is no such memory within reach.
    """
    entries = await memory.history(item_id)
    entry = next((e for e in reversed(entries) if e.op in ('approve', 'reject')), None)
    if entry is None:
        return None
    reworded = entry.reason.startswith('approved in other words')
    what = 'rejected' if entry.op == 'reject' else 'approved in other words' if reworded else 'approved'
    return Decision(what, entry.actor, entry.at, entry.change_id)


def seen_as(item: ReviewItem) -> str:
    """A mark of all that approving a proposal would touch: another one when any of it was changed since."""
    touched = [(e.memory_id if e.before else '', e.op, e.before.version if e.before else 0) for e in item.diff]
    held = (item.memory.version, item.memory.evidence, touched)
    return hashlib.blake2b(repr(held).encode(), digest_size=8).hexdigest()


def shown_again(request: Request, response: Response) -> Response:
    """The page as an answer to a form that could not be done: a script puts it where the page is."""
    if request.method == 'POST' and 'hx-request' in request.headers:
        response.headers['HX-Retarget'] = '#content'
        response.headers['HX-Reswap'] = 'innerHTML show:none'
    return response


async def take_back(memory: AsyncMemory, change_ids: Sequence[str]) -> int:
    """Revert changes, the latest first. Those that can't be are left.

    Returns:
        How many were taken back.
    """
    count = 0
    for change_id in reversed(change_ids):
        try:
            await memory.revert(change_id)
        except (Conflict, MemoryNotFound):
            continue
        count += 1
    return count


async def waiting(memory: AsyncMemory, *, reasons: Sequence[str] | None, after: str | None, limit: int) -> Waiting:
    """The ids of what waits, in the order of the queue.

    Args:
        memory: A view of the project, or one bound to a scope.
        reasons: As in `memory.review.list`.
        after: Only those behind this id.
        limit: How many.
    """
    bound = memory.bound_to
    found, cursor = await memory.engine.store.reviews(
        None if bound is None else bound.reaches(memory.project),
        project=memory.project,
        reasons=reasons,
        limit=limit,
        cursor=after,
    )
    return Waiting(tuple(one.memory.id for one in found), cursor is not None)
