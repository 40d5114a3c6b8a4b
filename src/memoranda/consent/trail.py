"""The audit log as a person looks through it: entries of all chains of a project, latest first, by conditions.

`AsyncMemory.audit_log` gives the chains one after the other, with all that their hashes are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast, get_args

from memoranda.checks import check_count, check_text
from memoranda.consent.readlog import Reader
from memoranda.errors import InvalidInput, InvalidScope, MemoryNotFound, shown
from memoranda.records import Op, now
from memoranda.scope import Owner, OwnerKind
from memoranda.stores.chains import Chain, Seen
from memoranda.stores.history import Link, is_hash_of
from memoranda.stores.trails import TrailAsked, TrailEntry

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['OPS', 'Opened', 'TrailEntry', 'TrailPage', 'opened', 'trail']

OPS: Final[tuple[Op, ...]] = get_args(Op)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailPage:
    """A slice of the log, latest first."""

    items: tuple[TrailEntry, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""
    looked_to: datetime | None
    """Down to when entries were looked through, when the page is short and not the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One entry with all that its hash is made of."""

    chain: Chain
    link: Link
    holds: bool
    """Whether its hashes are those that its parts make. What is before and behind it is `verify`'s to say."""


async def trail(
    memory: AsyncMemory,
    *,
    owner: Owner | None = None,
    kind: OwnerKind | None = None,
    ops: Sequence[str] | None = None,
    actor: str | None = None,
    memory_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> TrailPage:
    """Entries of the audit chains of a project, latest first. No words of a memory are among them.

    Each page looks through 10,000 entries at most: one may be short, or empty, and have a cursor.

    Args:
        memory: A project-wide view, or one bound to a whole user, agent, app or run, which sees that chain alone.
        owner: Of this chain only.
        kind: Of owners of this sort only.
        ops: What was done: some of `OPS`.
        actor: How the name of who did it begins, such as `key:`.
        memory_id: What was done to this memory. What was read of it `AsyncMemory.reads` tells.
        since: Not before.
        until: Before this moment.
        limit: How many, 1 to 1,000.
        cursor: `page.cursor` of the page before.

    Raises:
        InvalidInput: Something can't be used.
        InvalidScope: The view is bound to a scope, and another chain was named.
    """
    unknown = [op for op in ops or () if op not in OPS]
    if unknown:
        raise InvalidInput(f'op={shown(unknown[0])} is not one: use some of {", ".join(OPS)}')
    asked = TrailAsked(
        project=memory.project,
        owner=_owner(memory, owner),
        kind=kind,
        ops=None if ops is None else tuple(dict.fromkeys(ops)),
        actor=None if actor is None else check_text('actor', actor, 200),
        memory_id=None if memory_id is None else check_text('memory_id', memory_id, 256),
        since=since,
        until=until,
        limit=check_count('limit', limit, 1, 1000),
        cursor=None if cursor is None else check_text('cursor', cursor, 64),
    )
    reads = memory.engine.reads
    if reads is not None:  # what this process has read so far is there then
        await reads.flush()
    found, after = await memory.engine.store.trail(asked)
    short = after is not None and len(found) < asked.limit
    return TrailPage(items=tuple(found), cursor=after, looked_to=_moment(after) if short and after else None)


async def opened(memory: AsyncMemory, number: int, seq: int) -> Opened:
    """One entry, with the words of the memory before and after it as far as they were not erased.

    That is a read of these words, and noted as one.

    Args:
        memory: As for `trail`.
        number: The owner's, of a `TrailEntry`.
        seq: Its place in the chain.

    Raises:
        MemoryNotFound: There is no such entry in the reach of the view.
    """
    engine = memory.engine
    found: list[tuple[Chain, Link]] = []
    inside = 0 <= number < 1 << 62 and 1 <= seq < 1 << 31
    chains = await engine.store.chains(None, project=memory.project, after=number - 1, limit=1) if inside else ()
    bound = _owner(memory, None)

    def visit(chain: Chain, seen: Sequence[Seen]) -> bool:
        found.append((chain, seen[0].link))
        return False

    if chains and chains[0].number == number and bound in (None, _owner_of(chains[0])):
        await engine.store.walk(chains[0], visit, after=seq - 1, compare=False)
    if not found or found[0][1].seq != seq:
        raise MemoryNotFound(f'audit entry {seq} of chain {number} does not exist in this project: check both numbers')
    chain, link = found[0]
    owner = _owner_of(chain)
    if engine.reads is not None and link.memory_id and link.salt is not None and owner is not None:
        await engine.reads.note_ids(Reader(memory.actor or 'caller', ''), 'audit_log', owner, [link.memory_id])
    return Opened(chain=chain, link=link, holds=is_hash_of(link))


def _owner_of(chain: Chain) -> Owner | None:
    """Whose it is; None of one that was erased."""
    return Owner(chain.project, cast('OwnerKind', chain.kind), chain.key) if chain.kind in get_args(OwnerKind) else None


def _owner(memory: AsyncMemory, named: Owner | None) -> Owner | None:
    """Whose chain alone may be read.

    Raises:
        InvalidScope: Another one was named.
    """
    if named is not None and named.project != memory.project:
        raise InvalidScope('a chain of another project is named: use a view of that project')
    if memory.bound_to is None:
        return named
    erasure = memory.bound_to.erasure(memory.project)
    if not erasure.whole or named not in (None, erasure.owner):
        raise InvalidScope('this memory is bound to a scope, and an audit chain is of a whole owner: use another view')
    return erasure.owner


def _moment(cursor: str) -> datetime:
    from datetime import UTC, timedelta

    return min(now(), datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(cursor.partition('.')[0])))
