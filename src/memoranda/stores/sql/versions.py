"""Rows of memory versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from memoranda.errors import Conflict
from memoranda.records import MemoryRecord
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import dump, sought, to_us

__all__ = ['Known', 'insert_versions', 'messages_sought']

_VERSION: Final = (
    'row, owner, id, version, level, run_key, agent_id, run_id, app_id, text, kind, slot, status, confidence, '
    'importance, trust, pinned, locked, valid_from, valid_to, said_at, recorded_at, retired_at, expires_at, '
    'supersedes, superseded_by, evidence, metadata, tags, actor, change_id, hash, length, live, touched, value, project'
)


class Known(NamedTuple):
    """A message that memories rest on."""

    row: int
    content_hash: str


def messages_sought(
    connection: Connection, owner: int, memories: Iterable[MemoryRecord]
) -> Callable[[], dict[str, Known]]:
    """The messages that memories rest on, by their ids; to be looked at later, see `rows.sought`."""
    wanted = sorted({evidence.episode_id for memory in memories for evidence in memory.evidence})
    if not wanted:
        return dict
    columns = 'SELECT id, row, content_hash FROM episode '
    found = sought(connection, columns + 'WHERE row >> 24 = ? AND id', wanted, values=(owner,))
    return lambda: {id_: Known(row, digest) for id_, row, digest in found()}


def insert_versions(
    connection: Connection,
    owner: int,
    keys: Sequence[int],
    memories: Sequence[MemoryRecord],
    version: int,
    lengths: Sequence[int],
    known: Mapping[str, Known],
) -> None:
    """Write memory versions and what they rest on.

    Args:
        connection: In a transaction that holds the owner.
        owner: Whose.
        keys: Row keys.
        memories: One for each key.
        version: Of the owner.
        lengths: How many terms each has.
        known: The messages they rest on, by their ids.

    Raises:
        Conflict: A message that one rests on is gone.
    """
    versions: list[tuple[Any, ...]] = []
    evidence: list[tuple[int, int]] = []
    for row, memory, length in zip(keys, memories, lengths, strict=True):
        spans: list[tuple[int, int, int]] = []
        for one in memory.evidence:
            if one.episode_id not in known:
                raise Conflict(f'message {one.episode_id} was erased meanwhile: read the memories again')
            spans.append((known[one.episode_id].row, one.start, one.end))
        versions.append(_version(owner, row, memory, spans, version, length))
        evidence += ((span[0], row) for span in spans)
    connection.executemany(f'INSERT INTO memory({_VERSION}) VALUES({", ".join("?" * len(versions[0]))})', versions)
    connection.executemany('INSERT INTO evidence(episode, memory) VALUES(?, ?) ON CONFLICT DO NOTHING', evidence)


def _version(
    owner: int, row: int, memory: MemoryRecord, spans: Sequence[tuple[int, int, int]], version: int, length: int
) -> tuple[Any, ...]:
    live = memory.status == 'active' and memory.retired_at is None
    return (
        row, owner, memory.id, memory.version, memory.level, memory.scope.run_key(memory.level),
        memory.said_under.agent_id, memory.said_under.run_id, memory.said_under.app_id,
        memory.text, memory.kind, memory.slot, memory.status, memory.confidence, memory.importance, memory.trust,
        int(memory.pinned), int(memory.locked), to_us(memory.valid_from), _us(memory.valid_to),
        to_us(memory.said_at), to_us(memory.recorded_at), _us(memory.retired_at), _us(memory.expires_at),
        memory.supersedes, memory.superseded_by, json.dumps(spans), dump(memory.metadata),
        json.dumps(memory.tags, ensure_ascii=False), memory.actor, memory.change_id, memory.hash, length,
        int(live), version, memory.value, memory.project,
    )  # fmt: skip


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)
