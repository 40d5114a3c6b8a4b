"""Rows of the file to records and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from memoranda.records import Episode, Evidence, HistoryEntry, Job, MemoryRecord, Usage
from memoranda.scope import Owner, Scope
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection, Rows
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.locks import HELD, WRITES

__all__ = [
    'EPISODE_COLUMNS',
    'JOB_COLUMNS',
    'MEMORY_COLUMNS',
    'OwnerRow',
    'dump',
    'find_owner',
    'from_us',
    'level_scope',
    'owner_by_id',
    'owner_sought',
    'quotes_sought',
    'read_episodes',
    'read_history',
    'read_job',
    'read_memories',
    'row_range',
    'sought',
    'to_us',
    'within',
]

_AT_ONCE = 512
"""Keys of one statement."""
_JSON = json.JSONDecoder()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

MEMORY_COLUMNS = (
    'row, owner, id, version, level, run_key, agent_id, run_id, app_id, text, kind, slot, status, confidence, '
    'importance, trust, pinned, locked, valid_from, valid_to, recorded_at, retired_at, expires_at, supersedes, '
    'superseded_by, evidence, metadata, tags, actor, change_id, hash, said_at, value'
)
EPISODE_COLUMNS = (
    'e.row, e.id, c.id, e.seq, e.role, e.name, e.text, e.occurred_at, e.recorded_at, e.trust, '
    'e.agent_id, e.run_id, e.app_id, e.metadata, e.content_hash'
)
JOB_COLUMNS = (
    'id, kind, payload, state, attempts, run_after, lease_until, last_error, created_at, finished_at, crashes, '
    'merged_into, format, requests, input_tokens, output_tokens, cost, worker'
)


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """An owner as it is in the file."""

    id: int
    owner: Owner
    version: int
    epoch: int
    salt: bytes
    next_seq: int
    """The first row number that was free when the row was read."""


def to_us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=16_384)  # a memory's moments are few, and hot ones are read with every search
def from_us(value: int) -> datetime:
    """The moment, UTC."""
    return _EPOCH + timedelta(microseconds=value)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_us(value)


def dump(value: Mapping[str, Any]) -> str | None:
    """JSON of a mapping; None for an empty one."""
    return json.dumps(value, ensure_ascii=False, separators=(',', ':')) if value else None


def row_range(owner: int) -> tuple[int, int]:
    """The first and last possible row key of an owner."""
    return owner << SEQ_BITS, (owner << SEQ_BITS) | SEQ_MASK


def within(
    connection: Connection, sql: str, keys: Iterable[int | str], order: str = '', *, values: Sequence[Any] = ()
) -> list[Any]:
    """The rows of a statement that ends before `IN (...)`, for these keys, in few statements.

    Args:
        connection: Where.
        sql: Up to the column that is looked up.
        keys: What is looked for.
        order: What comes after; it holds within `_AT_ONCE` keys only.
        values: What the statement takes before the keys.
    """
    return sought(connection, sql, keys, order, values=values)()


def sought(
    connection: Connection, sql: str, keys: Iterable[int | str], order: str = '', *, values: Sequence[Any] = ()
) -> Callable[[], list[Any]]:
    """`within`, to be looked at later: what is asked before the first of it is looked at costs one journey together."""
    left = list(keys)
    found: list[Rows] = []
    for begin in range(0, len(left), _AT_ONCE):
        some = left[begin : begin + _AT_ONCE]
        # As many places as a power of two: then the statements are few, and are prepared once.
        places = 1 << (len(some) - 1).bit_length()
        some += [some[-1]] * (places - len(some))
        found.append(connection.ask(f'{sql} IN ({", ".join("?" * places)}){order}', (*values, *some)))
    return lambda: [row for rows in found for row in rows.fetchall()]


def find_owner(connection: Connection, owner: Owner, *, hold: bool = False) -> OwnerRow | None:
    """The owner's row, or None when nothing was ever stored for it.

    Args:
        connection: Where.
        owner: Who.
        hold: Whether to wait until nobody else writes for it, and to let nobody before the end of this transaction.
    """
    return owner_sought(connection, owner, hold=hold)()


def owner_sought(connection: Connection, owner: Owner, *, hold: bool = False) -> Callable[[], OwnerRow | None]:
    """`find_owner`, to be looked at later, see `sought`."""
    hold = hold and connection.dialect.shared
    found = connection.ask(
        f'SELECT id, version, epoch, salt, next_seq{WRITES if hold else ""} FROM owner '
        f'WHERE project = ? AND kind = ? AND key = ?{HELD if hold else ""}',
        (owner.project, owner.kind, owner.key),
    )

    def look() -> OwnerRow | None:
        row = found.fetchone()
        return None if row is None else OwnerRow(row[0], owner, row[1], row[2], bytes(row[3]), row[4])

    return look


def owner_by_id(connection: Connection, owner: int) -> Owner:
    """The owner with this number."""
    for project, kind, key in connection.execute('SELECT project, kind, key FROM owner WHERE id = ?', (owner,)):
        return Owner(project, kind, key)
    raise LookupError(f'owner {owner} is gone')


@lru_cache(maxsize=4096)
def level_scope(owner: Owner, level: str, run_key: str) -> Scope:
    """The ids a memory of this level is stored under."""
    if owner.kind == 'user':
        return Scope(user_id=owner.key, run_id=run_key if level == 'run' else None)
    if owner.kind == 'run':
        return Scope(run_id=owner.key)
    if owner.kind == 'agent':
        return Scope(agent_id=owner.key)
    if owner.kind == 'app':
        return Scope(app_id=owner.key)
    return Scope.GLOBAL


@lru_cache(maxsize=4096)
def _said_under(owner: Owner, agent_id: str | None, run_id: str | None, app_id: str | None) -> Scope:
    return Scope(user_id=owner.key if owner.kind == 'user' else None, agent_id=agent_id, run_id=run_id, app_id=app_id)


def read_memories(
    connection: Connection,
    rows: Iterable[Sequence[Any]],
    known: Mapping[int, Owner] | None = None,
    quotes: Callable[[], list[Any]] | None = None,
) -> list[MemoryRecord]:
    """Records of rows selected with `MEMORY_COLUMNS`, their quotes read from the episodes.

    Args:
        connection: Where.
        rows: As they were read.
        known: Owners by their numbers, as far as they need no look-up.
        quotes: The messages they quote, where `quotes_sought` asked for them.
    """
    fetched = list(rows)
    owners: dict[int, Owner] = dict(known or {})
    wanted: set[int] = set()
    spans: list[list[list[int]]] = []
    for row in fetched:
        if row[1] not in owners:
            owners[row[1]] = owner_by_id(connection, row[1])
        span, _ = _JSON.raw_decode(row[25])
        spans.append(span)
        wanted.update(s[0] for s in span)
    said = quotes() if quotes is not None else within(connection, f'{_QUOTED} row', wanted)
    texts: dict[int, tuple[str, str]] = {key: (id_, text) for key, id_, text in said}
    # Most rows were said under the same ids: an owner is not hashed for each.
    scopes: dict[Any, tuple[Scope, Scope]] = {}
    found: list[MemoryRecord] = []
    for row, span in zip(fetched, spans, strict=True):
        owner, under = owners[row[1]], (row[1], *row[4:9])
        if (both := scopes.get(under)) is None:
            both = scopes[under] = level_scope(owner, row[4], row[5]), _said_under(owner, row[6], row[7], row[8])
        found.append(_memory(row, owner.project, both, span, texts))
    return found


def quotes_sought(connection: Connection, rows: Iterable[int]) -> Callable[[], list[Any]] | None:
    """The messages that memories quote, by the row keys of these; None where they are as well looked up later."""
    quoted = connection.dialect.quoted
    return None if quoted is None else sought(connection, f'{_QUOTED} {quoted[0]}', rows, quoted[1])


_QUOTED: Final = 'SELECT row, id, text FROM episode WHERE'


def _memory(
    row: Sequence[Any],
    project: str,
    scopes: tuple[Scope, Scope],
    spans: list[list[int]],
    texts: Mapping[int, tuple[str, str]],
) -> MemoryRecord:
    return MemoryRecord(
        id=row[2],
        version=row[3],
        project=project,
        level=row[4],
        scope=scopes[0],
        said_under=scopes[1],
        text=row[9],
        kind=row[10],
        slot=row[11],
        status=row[12],
        confidence=row[13],
        importance=row[14],
        trust=row[15],
        pinned=bool(row[16]),
        locked=bool(row[17]),
        valid_from=from_us(row[18]),
        valid_to=_moment(row[19]),
        recorded_at=from_us(row[20]),
        retired_at=_moment(row[21]),
        expires_at=_moment(row[22]),
        supersedes=row[23],
        superseded_by=row[24],
        evidence=tuple(
            Evidence(texts[key][0], start, end, texts[key][1][start:end]) for key, start, end in spans if key in texts
        ),
        metadata=json.loads(row[26]) if row[26] else {},
        tags=tuple(json.loads(row[27])) if row[27] != '[]' else (),
        actor=row[28],
        change_id=row[29],
        hash=row[30],
        said_at=from_us(row[31]),
        value=row[32],
    )


def read_episodes(rows: Iterable[Sequence[Any]], owner: Owner) -> list[Episode]:
    """Records of rows selected with `EPISODE_COLUMNS`."""
    return [
        Episode(
            id=row[1],
            project=owner.project,
            scope=_said_under(owner, row[10], row[11], row[12]),
            conversation_id=row[2],
            seq=row[3],
            role=row[4],
            name=row[5],
            text=row[6],
            occurred_at=from_us(row[7]),
            recorded_at=from_us(row[8]),
            trust=row[9],
            metadata=json.loads(row[13]) if row[13] else {},
            content_hash=row[14],
        )
        for row in rows
    ]


def read_job(row: Sequence[Any], owner: Owner, skew_us: int = 0) -> Job:
    """The record of a row selected with `JOB_COLUMNS`. Its lease is told by this machine's clock."""
    payload = json.loads(row[2])
    # Its holder may be gone before the lease has run out.
    held = row[3] == 'running' and not holder_is_gone(row[17] or '')
    return Job(
        id=row[0],
        project=owner.project,
        kind=row[1],
        payload=payload,
        state=row[3],
        attempts=row[4],
        run_after=from_us(row[5]),
        lease_until=from_us(row[6] - skew_us) if held and row[6] is not None else None,
        last_error=row[7],
        scope=replace(level_scope(owner, owner.kind, ''), **payload.get('said_under', {})),
        created_at=from_us(row[8]),
        finished_at=_moment(row[9]),
        crashes=row[10],
        merged_into=row[11],
        format=row[12],
        usage=Usage(requests=row[13], input_tokens=row[14], output_tokens=row[15], cost=row[16]),
    )


def read_history(rows: Iterable[Sequence[Any]]) -> list[HistoryEntry]:
    """Records of (row, change_id, memory_id, op, actor, reason, at, digest, prev_hash, hash, before, after, salt,
    format).
    """
    return [
        HistoryEntry(
            seq=row[0] & SEQ_MASK,
            change_id=row[1],
            memory_id=row[2],
            op=row[3],
            actor=row[4],
            reason=row[5],
            at=from_us(row[6]),
            digest=row[7],
            prev_hash=row[8],
            hash=row[9],
            before=json.loads(row[10]) if row[10] else None,
            after=json.loads(row[11]) if row[11] else None,
            salt=row[12],
            format=row[13],
        )
        for row in rows
    ]
