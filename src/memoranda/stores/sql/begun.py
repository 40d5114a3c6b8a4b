"""A job with its messages: those before them, and all of it where the transaction that stores it begins it too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from memoranda.records import Episode
from memoranda.scope import Owner
from memoranda.stores.data import Work
from memoranda.stores.sql.database import Connection, Rows
from memoranda.stores.sql.rows import EPISODE_COLUMNS, OwnerRow, read_episodes, read_job

__all__ = ['EPISODE', 'begun', 'last_said', 'previous_sought']

EPISODE: Final = f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation'
_PREVIOUS: Final = 4


def previous_sought(connection: Connection, row: int) -> Rows:
    """The messages before one, the latest first."""
    return connection.ask(
        EPISODE + ' WHERE e.conversation = (SELECT conversation FROM episode WHERE row = ?1) '
        'AND e.seq < (SELECT seq FROM episode WHERE row = ?1) ORDER BY e.seq DESC LIMIT ?2',
        (row, _PREVIOUS),
    )


def last_said(connection: Connection, number: int, conversation: str, owner: Owner) -> Callable[[], list[Episode]]:
    """The messages that a conversation of an owner ends with, in their order; to be looked at later."""
    found = connection.ask(
        EPISODE + ' WHERE e.conversation = (SELECT row FROM conversation WHERE owner = ? AND id = ?) '
        'ORDER BY e.seq DESC LIMIT ?',
        (number, conversation, _PREVIOUS),
    )
    return lambda: read_episodes(reversed(found.fetchall()), owner)


def begun(
    owner: OwnerRow,
    job: Sequence[Any],
    messages: Sequence[Sequence[Any]],
    segments: Sequence[tuple[int, str]],
    previous: Sequence[Episode],
    skew_us: int,
) -> Work:
    """What a claim of a job would give that was stored just now, and is leased.

    Args:
        owner: As it was held.
        job: A row of `JOB_COLUMNS`.
        messages: Rows of `EPISODE_COLUMNS`.
        segments: (row key, text) of all their parts: none has a vector yet.
        previous: See `Work`.
        skew_us: See `Connection`.
    """
    episodes = read_episodes(messages, owner.owner)
    return Work(
        job=read_job(job, owner.owner, skew_us),
        owner=owner.owner,
        scope=episodes[0].scope,
        episodes=episodes,
        segments=segments,
        previous=previous,
        merged=[],
        epoch=owner.epoch,
    )
