"""Whose memories a filter reads: the owners that it names, those of a key for one person, or by a setting everybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memoranda import across
from memoranda.errors import shown
from memoranda.scope import Owner, Scope
from memoranda.server.access import Caller
from memoranda.server.mem0.errors import bad
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from fastapi import Request

    from memoranda.records import Hit
    from memoranda.server.mem0.filters import Cover, Reading

__all__ = ['MOST_NAMED', 'found', 'owners_of', 'wildcards']

MOST_NAMED: Final = 100
"""Ids that a filter may name."""


def wildcards(request: Request) -> bool:
    """Whether the server's settings let `*` stand for everybody of a project."""
    return bool(getattr(request.app.state.settings, 'server_mem0_wildcards', False))


async def owners_of(caller: Caller, cover: Cover, *, everybody: bool, most: int) -> Sequence[Owner]:
    """The owners that a filter can let something through of.

    A user is an owner. What was said under a run, to an agent or in an app is kept with the users who said it, besides
    what is the agent's, the app's or an anonymous run's own.

    Args:
        caller: Who asks.
        cover: What the filter names.
        everybody: Whether a filter that names nobody means everybody in the project.
        most: How many owners may be read together.

    Raises:
        Problem: 400, it names nobody, or too many; 403, it names somebody whom the key is not for.
    """
    if caller.user_id is not None:
        own = Owner(caller.project, 'user', caller.user_id)
        for name, id_ in cover or ():
            if name == 'user_id' and id_ != caller.user_id:
                raise Problem(403, 'this key is for another user: leave out user_id, or use a key of the project')
        return [own]
    if cover is None:
        if not everybody:
            raise bad(
                'the filter pins nobody (no id, only "*", or an id under NOT or beside one in an OR): send user_id, '
                'agent_id, app_id or run_id (the setting server_mem0_wildcards lets it mean everybody in the project)'
            )
        return await across.owners_under(caller.memory, {}, most=most)
    if len(cover) > MOST_NAMED:
        raise bad(f'the filter names {len(cover):,} ids, and {MOST_NAMED} is the most: ask several times')
    owners: dict[Owner, None] = {}
    for name, id_ in sorted(cover):
        scope = Scope(**{name: id_})
        owners[scope.home(caller.project)] = None
        if name != 'user_id':
            owners.update(dict.fromkeys(await across.owners_under(caller.memory, {name: id_}, most=most)))
    if len(owners) > most:
        raise bad(f'the filter is about {len(owners):,} users, and {most:,} are read at once: name one of them')
    return list(owners)


async def found(
    request: Request,
    caller: Caller,
    reading: Reading,
    *,
    query: object,
    top_k: int,
    threshold: object,
    as_of: datetime | None = None,
) -> Sequence[Hit]:
    """What answers a question, among what a filter lets through.

    Raises:
        Problem: 400, the query is no text, or as `owners_of`; 503, the storage failed, which is no empty answer.
    """
    if not isinstance(query, str) or not query.strip():
        raise bad(f'query={shown(query)} is empty or no text: send a question or some words')
    owners = await owners_of(caller, reading.cover, everybody=wildcards(request), most=across.MOST_SEARCHED)
    least = _threshold(threshold)
    hits = await across.search(
        caller.memory, query, owners, where=reading.where, top_k=top_k, min_score=least, as_of=as_of
    )
    if hits.degraded is not None and hits.degraded.startswith('storage'):
        raise Problem(503, headers={'Retry-After': '2'})
    return hits


def _threshold(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise bad(f'threshold={shown(value)} is no number from 0 to 1: correct it')
    return float(value)
