"""The audit chains: links are appended on the writer thread, and read one owner at a time in one snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, cast

from memoranda.errors import StoreError
from memoranda.records import MemoryRecord, content_hash, new_id
from memoranda.scope import Owner, Reach
from memoranda.stores.chains import Chain, ReadEntry, ReadNote, Seen, Visit, Walked
from memoranda.stores.erasures import subject_key
from memoranda.stores.history import FORMAT, Entry, Link, dump_state, message_digest, messages_told, seal
from memoranda.stores.ranges import Ranges, collect, minus, union
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.locks import hold_owners
from memoranda.stores.sql.rows import (
    MEMORY_COLUMNS,
    OwnerRow,
    find_owner,
    from_us,
    read_memories,
    row_range,
    sought,
    to_us,
)

__all__ = ['append', 'blanks', 'chain_sought', 'chains', 'note_reads', 'reads', 'secret', 'subject', 'walk']

_BATCH: Final = 256
_COLUMNS: Final = ('h.change_id', 'h.memory_id', 'h.op', 'h.actor', 'h.reason', 'h.digest', 'h.prev_hash', 'h.hash')
_WORDS: Final = ('t.before', 't.after', 't.salt')
_NOT_TEXT: Final = '\0'
"""Stands for a value that is no text where text belongs: no hash is made of it."""
_LAST: Final = '~'
"""After every id."""


def secret(connection: Connection) -> bytes:
    """What keys the hashes of subjects in this file."""
    return bytes.fromhex(connection.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()[0])


def subject(connection: Connection, owner: Owner) -> str:
    """The keyed hash of an owner, by which chains, checkpoints and receipts mean it."""
    return subject_key(secret(connection), owner.project, owner, {})


def chain_sought(connection: Connection, owner: int) -> Callable[[], tuple[int, str]]:
    """How long an owner's chain is, and its last hash; to be looked at later, see `rows.sought`."""
    return connection.ask('SELECT chain_length, chain_head FROM owner WHERE id = ?', (owner,)).fetchone


def append(
    connection: Connection,
    owner: OwnerRow,
    entries: Iterable[Entry],
    *,
    closing: bool = False,
    chain: Callable[[], tuple[int, str]] | None = None,
) -> None:
    """Append links to an owner's chain, in the transaction that does what they tell.

    Args:
        connection: The writer's, in a transaction.
        owner: Whose.
        entries: What they tell.
        closing: The owner goes altogether: then nothing of who it was may stay.
        chain: What `chain_sought` gave in this transaction, when nothing was appended since.
    """
    length, head = (chain or chain_sought(connection, owner.id))()
    if not length and not closing:
        head = subject(connection, owner.owner)
    chained: list[tuple[Any, ...]] = []
    words: list[tuple[Any, ...]] = []
    for entry in entries:
        length += 1
        if length > SEQ_MASK:
            raise StoreError(f'one owner cannot have more than {SEQ_MASK} audit entries: split it over several ids')
        link = seal(entry, seq=length, prev_hash=head)
        head = link.hash
        row = owner.id << SEQ_BITS | length
        chained.append((
            row, link.change_id, link.memory_id, link.op, link.actor, link.reason, link.at, link.digest,
            link.prev_hash, link.hash, FORMAT,
        ))  # fmt: skip
        words.append((row, link.before, link.after, link.salt))
    connection.executemany(
        'INSERT INTO history(row, change_id, memory_id, op, actor, reason, at, digest, prev_hash, hash, format) '
        'VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        chained,
    )
    connection.executemany('INSERT INTO history_text(row, before, after, salt) VALUES(?, ?, ?, ?)', words)
    connection.execute('UPDATE owner SET chain_length = ?, chain_head = ? WHERE id = ?', (length, head, owner.id))


def blanks(connection: Connection, owner: OwnerRow) -> Ranges:
    """The entries without words that no erasure has named yet."""
    span = row_range(owner.id)
    rows = connection.execute(
        'SELECT h.row FROM history h LEFT JOIN history_text t ON t.row = h.row '
        'WHERE h.row BETWEEN ? AND ? AND t.row IS NULL ORDER BY h.row',
        span,
    )
    found = collect(row & SEQ_MASK for (row,) in rows)
    told = connection.execute(
        'SELECT t.after FROM history h JOIN history_text t ON t.row = h.row '
        "WHERE h.row BETWEEN ? AND ? AND h.op = 'erase'",
        span,
    )
    return minus(found, union(part for (after,) in told for part in json.loads(after).get('blanked', ())))


def chains(
    connection: Connection, owners: Sequence[Owner] | None, project: str | None, after: int, limit: int
) -> list[Chain]:
    """The chains of these owners, or of a project (None: of all), in the order of the owners' numbers."""
    key = secret(connection)
    columns = 'SELECT id, project, kind, key, chain_length, chain_head FROM owner '
    rows: list[Any] = []
    if owners is not None:
        for owner in owners:
            rows += connection.execute(
                columns + 'WHERE project = ? AND kind = ? AND key = ? AND id > ?',
                (owner.project, owner.kind, owner.key, after),
            )
        return [_chain(key, row) for row in sorted(rows)[:limit]]
    if project is not None:
        rows += connection.execute(
            columns + 'WHERE project = ? AND id > ? ORDER BY id LIMIT ?', (project, after, limit)
        )
        return [_chain(key, row) for row in rows]
    # What is being imported is nobody's yet.
    rows += connection.execute(columns + "WHERE id > ? AND kind <> 'import' ORDER BY id LIMIT ?", (after, limit))
    # Entries whose owner is gone belong to the file, and to nobody.
    last = rows[-1][0] if len(rows) == limit else None
    rows += [(n, '', 'unknown', str(n), 0, '') for n in _orphans(connection, after, last)]
    return [_chain(key, row) for row in sorted(rows)[:limit]]


def _chain(key: bytes, row: Sequence[Any]) -> Chain:
    number, project, kind, id_, length, head = row
    return Chain(
        number=number,
        project=project,
        kind=kind,
        key=id_,
        subject=subject_key(key, project, Owner(project, kind, id_), {}),
        length=length,
        head=head,
    )


def _orphans(connection: Connection, after: int, last: int | None) -> list[int]:
    """Numbers between two that have entries and no owner. Jumps from owner to owner, for their rows lie together."""
    found: list[int] = []
    number = after
    while True:
        (row,) = connection.execute('SELECT min(row) FROM history WHERE row >= ?', (number + 1 << SEQ_BITS,)).fetchone()
        if row is None or (last is not None and row >> SEQ_BITS > last):
            return found
        number = row >> SEQ_BITS
        if not connection.execute('SELECT EXISTS(SELECT 1 FROM owner WHERE id = ?)', (number,)).fetchone()[0]:
            found.append(number)


def walk(connection: Connection, chain: Chain, visit: Visit, after: int, compare: bool) -> Walked | None:
    """Show the links of a chain behind one to `visit`, with the versions they made if these are to be compared.

    Returns:
        None when it was ended early.
    """
    number = chain.number
    row = connection.execute(
        'SELECT id, project, kind, key, chain_length, chain_head FROM owner WHERE id = ?', (number,)
    ).fetchone()
    if row is None:
        compare = False
    else:
        chain = _chain(secret(connection), row)
    low, high = row_range(number)
    last, matched = low + after if after else low - 1, 0
    while links := _links(connection, last, high):
        made = _made(connection, number, links) if compare else {}
        told = [messages_told(link.after) if compare and link.memory_id else {} for link in links]
        held = _messages(connection, number, {id_ for one in told for id_ in one})
        seen = [
            Seen(
                link,
                made.get((link.memory_id, link.change_id)),
                {id_: (digest, held.get(id_)) for id_, digest in digests.items()},
            )
            for link, digests in zip(links, told, strict=True)
        ]
        matched += sum(one.memory is not None for one in seen)
        last = low + links[-1].seq
        if not visit(chain, seen):
            return None
    if not compare:
        return Walked(chain=chain)
    (count,) = connection.execute('SELECT count(*) FROM memory WHERE row BETWEEN ? AND ?', (low, high)).fetchone()
    return Walked(
        chain=chain,
        stray=_stray(connection, low, high) if count != matched else None,
        odd=connection.execute(
            "SELECT id, version FROM memory a WHERE row BETWEEN ? AND ? AND ((live = 1) <> (status = 'active' AND "
            'retired_at IS NULL) OR (retired_at IS NULL) = EXISTS(SELECT 1 FROM memory WHERE id = a.id AND version > '
            'a.version)) '
            'LIMIT 1',
            (low, high),
        ).fetchone(),
    )


def _links(connection: Connection, last: int, high: int) -> list[Link]:
    def read(text: str) -> list[Any]:
        columns = ', '.join(text % name for name in (*_COLUMNS, *_WORDS))
        return connection.execute(
            f'SELECT h.row, h.format, h.at, t.row, {columns} FROM history h LEFT JOIN history_text t ON t.row = h.row '
            'WHERE h.row > ? AND h.row <= ? ORDER BY h.row LIMIT ?',
            (last, high, _BATCH),
        ).fetchall()

    try:
        rows = read('%s')
    except UnicodeDecodeError:
        rows = read('CAST(%s AS BLOB)')
        rows = [(*row[:4], *(v if v is None else v.decode(errors='replace') for v in row[4:])) for row in rows]
    return [_link(row) for row in rows]


def _link(row: Sequence[Any]) -> Link:
    """A link, whatever was put into its columns."""
    place, version, at, worded = row[:4]
    change_id, memory_id, op, actor, reason, digest, prev_hash, hash_ = (_text(v) for v in row[4:12])
    before, after = (None if v is None else _text(v) or _NOT_TEXT for v in row[12:14])
    return Link(
        seq=place & SEQ_MASK,
        format=version if isinstance(version, int) else 0,
        change_id=change_id,
        memory_id=memory_id,
        op=op,
        actor=actor,
        reason=reason,
        at=at if isinstance(at, int) else -1,
        before=before,
        after=after,
        salt=None if worded is None else _text(row[14]),
        digest=digest,
        prev_hash=prev_hash,
        hash=hash_,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else _NOT_TEXT


def _made(connection: Connection, number: int, links: Sequence[Link]) -> dict[tuple[str, str], MemoryRecord]:
    """The versions that these links made, by memory and change."""
    memories = sorted({link.memory_id for link in links if link.memory_id})
    changes = sorted({link.change_id for link in links if link.memory_id})
    if not memories:
        return {}
    # A memory may have many versions, and a change touch many memories: by whichever there are more of.
    column, keys = ('id', memories) if len(memories) > len(changes) else ('change_id', changes)
    low, high = row_range(number)
    places = 1 << (len(keys) - 1).bit_length()  # few statements, prepared once
    marks = ', '.join('?' * places)
    wanted = {(link.memory_id, link.change_id) for link in links}
    rows = [
        row
        for row in connection.execute(
            f'SELECT {MEMORY_COLUMNS} FROM memory WHERE {"owner = ? AND " if column == "change_id" else ""}'
            f'{column} IN ({marks}) AND row BETWEEN ? AND ?',
            (*((number,) if column == 'change_id' else ()), *keys, *[keys[-1]] * (places - len(keys)), low, high),
        )
        if row[1] == number and (row[2], row[29]) in wanted
    ]
    return {(m.id, m.change_id): m for m in read_memories(connection, rows)}


def _messages(connection: Connection, number: int, ids: Collection[str]) -> dict[str, str]:
    """Digests of messages as the tables hold them, whatever was put into their columns."""
    columns = 'SELECT id, role, name, text, occurred_at, dated FROM episode '
    rows = sought(connection, columns + 'WHERE row >> 24 = ? AND id', sorted(ids), values=(number,))()
    found: dict[str, str] = {}
    for id_, role, name, text, occurred_at, dated in rows:
        stamp = (_stamp(occurred_at),) if dated else ()
        parts = (_text(role), '' if name is None else _text(name), _text(text), *stamp)
        found[id_] = message_digest(id_, content_hash(*parts))
    return found


def _stamp(value: object) -> str:
    try:
        return from_us(cast('int', value)).isoformat()
    except (TypeError, OverflowError):
        return _NOT_TEXT


def _stray(connection: Connection, low: int, high: int) -> tuple[str, int] | None:
    return connection.execute(
        'SELECT id, version FROM memory m WHERE row BETWEEN ?1 AND ?2 AND NOT EXISTS(SELECT 1 FROM history h '
        'WHERE h.memory_id = m.id AND h.change_id = m.change_id AND h.row BETWEEN ?1 AND ?2) LIMIT 1',
        (low, high),
    ).fetchone()


def note_reads(connection: Connection, notes: Sequence[ReadNote]) -> int:
    """Append an entry for each read. Of owners that were erased meanwhile nothing is noted."""
    written = 0
    by_owner: dict[Owner, list[Entry]] = {}
    for note in notes:
        by_owner.setdefault(note.owner, []).append(_told(note))
    if len(by_owner) > 1 and connection.dialect.shared:
        found = (find_owner(connection, whose) for whose in by_owner)
        hold_owners(connection, [owner.id for owner in found if owner is not None])
    for whose, entries in by_owner.items():
        owner = find_owner(connection, whose, hold=True)
        if owner is not None:
            append(connection, owner, entries)
            written += len(entries)
    return written


def _told(note: ReadNote) -> Entry:
    told: dict[str, Any] = {'purpose': note.purpose, 'memories': list(note.memory_ids), 'times': note.times}
    if note.message_ids:
        told['messages'] = list(note.message_ids)
    if note.everything:
        told['everything'] = True
    return Entry(
        op='read',
        actor=note.actor,
        reason=note.reason,
        change_id=new_id(),
        at=to_us(note.at),
        after=dump_state(told),
    )


def reads(
    connection: Connection,
    reaches: Sequence[Reach] | None,
    project: str,
    memory_id: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[ReadEntry], str | None]:
    """Who read what of these owners (None: of the project), latest first."""
    owners: list[Any] = []
    if reaches is None:
        owners += connection.execute('SELECT id, kind, key FROM owner WHERE project = ?', (project,))
    else:
        found = (find_owner(connection, reach.owner) for reach in reaches)
        owners += [(row.id, row.owner.kind, row.owner.key) for row in found if row is not None]
    place = connection.dialect.place
    named, which = (), ''
    if memory_id is not None:
        named = (json.dumps(memory_id), '"everything":true')
        which = f' AND ({place("t.after", "?")} > 0 OR {place("t.after", "?")} > 0)'
    entries: list[ReadEntry] = []
    for number, kind, key in owners:
        rows = connection.execute(
            'SELECT h.row, h.change_id, h.at, h.actor, h.reason, t.after FROM history h CROSS JOIN history_text t '
            "WHERE t.row = h.row AND h.row >> 24 = ? AND h.op = 'read' AND h.change_id < ?"
            f'{which} ORDER BY h.change_id DESC LIMIT ?',
            (number, cursor or _LAST, *named, limit + 1),
        )
        entries += [_read(row, kind, key) for row in rows]
    entries.sort(key=lambda e: e.id, reverse=True)
    return entries[:limit], entries[limit - 1].id if len(entries) > limit else None


def _read(row: Sequence[Any], kind: str, key: str) -> ReadEntry:
    told = json.loads(row[5])
    return ReadEntry(
        id=row[1],
        at=from_us(row[2]),
        actor=row[3],
        purpose=told['purpose'],
        reason=row[4],
        memory_ids=tuple(told['memories']),
        message_ids=tuple(told.get('messages', ())),
        times=told['times'],
        everything=told.get('everything', False),
        seq=row[0] & SEQ_MASK,
        kind=kind,
        key=key,
    )
