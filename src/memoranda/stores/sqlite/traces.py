"""Afterwards: whether anything is left of what was erased, in rows or in raw bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from memoranda.scope import Owner
from memoranda.stores.erasures import Asked, ChainPosition, Remains, subject_key, subjects_of
from memoranda.stores.sql import auditing
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.rows import from_us, row_range

__all__ = ['SUSPECTS', 'Search', 'in_rows', 'remains']

_CHUNK = 4 << 20
_BYTES = 2 << 30
"""How much is compared at most for all texts together where only a sample is looked for."""
_FEWEST = 4
SUSPECTS = 8
"""Texts of a sample that are looked for in rows when they are found in raw bytes."""
_BESIDE = {'-wal': 'log', '-journal': 'journal'}


def variants(text: str) -> list[str]:
    """A text as it may be written down: as it is, in upper and in lower case, and each inside JSON."""
    cases = dict.fromkeys((text, text.upper(), text.lower()))
    return list(dict.fromkeys(v for case in cases for v in (case, json.dumps(case, ensure_ascii=False)[1:-1]) if v))


class Search:
    """Looks for texts in the raw bytes of a database file and of the files beside it, a part at a time.

    Args:
        path: Of the database.
        texts: What to look for.
        sample: Whether some of them, as they are, will do where the file is large.
    """

    def __init__(self, path: str, texts: Sequence[str], *, sample: bool) -> None:
        self._path = path
        size = max(1, os.path.getsize(path))
        most = max(_FEWEST, _BYTES // size) if sample else len(texts)
        self._needles = [
            (i, v.encode('utf-8', 'surrogatepass'))
            for i, text in enumerate(texts[:most])
            for v in ([text] if sample else variants(text))
        ]
        self._overlap = max((len(needle) for _, needle in self._needles), default=1) - 1
        self.found: dict[int, set[str]] = {}
        """Where, by the position of the text."""
        self.offset = 0

    def step(self, descriptor: int) -> bool:
        """Read on in the database itself. True at its end.

        The descriptor is not to be closed for this: with it would go the locks that this process holds on the file.
        """
        with suppress(AttributeError):
            data = os.pread(descriptor, _CHUNK + self._overlap, self.offset)
            self._look(data, 'file')
            self.offset += _CHUNK
            return len(data) <= _CHUNK
        os.lseek(descriptor, self.offset, os.SEEK_SET)  # Windows; nobody else uses the descriptor meanwhile
        data = os.read(descriptor, _CHUNK + self._overlap)
        self._look(data, 'file')
        self.offset += _CHUNK
        return len(data) <= _CHUNK

    def beside(self) -> None:
        """Read the files beside it, which bear no locks."""
        for ending, name in _BESIDE.items():
            with suppress(FileNotFoundError), open(self._path + ending, 'rb') as file:
                held = b''
                while part := file.read(_CHUNK):
                    self._look(held + part, name)
                    held = part[len(part) - self._overlap :] if self._overlap else b''

    def _look(self, data: bytes, name: str) -> None:
        for i, needle in self._needles:
            if name not in self.found.get(i, ()) and needle in data:
                self.found.setdefault(i, set()).add(name)


def in_rows(connection: Connection, texts: Mapping[int, str]) -> dict[int, set[str]]:
    """The tables in which some row holds a text, by the position of the text."""
    wanted = json.dumps([[i, v] for i, text in texts.items() for v in variants(text)])
    found: dict[int, set[str]] = {}
    for table, column in _columns(connection):
        for (i,) in connection.execute(
            "SELECT DISTINCT json_extract(j.value, '$[0]') FROM json_each(?) j WHERE EXISTS("
            f"SELECT 1 FROM {table} WHERE instr({column}, json_extract(j.value, '$[1]')))",
            (wanted,),
        ):
            found.setdefault(i, set()).add(table)
    return found


def _columns(connection: Connection) -> Iterator[tuple[str, str]]:
    """Every column that may hold text. The names come from the schema, which is ours."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in tables:
        for name, kind in connection.execute('SELECT name, type FROM pragma_table_info(?)', (table,)).fetchall():
            if kind in ('TEXT', ''):
                yield table, name


def remains(connection: Connection, asked: Asked, subject: str, at: int, chains: Sequence[ChainPosition]) -> Remains:
    """What is known of an erasure by what its receipt says."""
    found = connection.execute('SELECT max(erased_at) FROM tombstone WHERE subject = ?', (subject,)).fetchone()[0]
    rows: dict[str, int] = {}
    if asked in ('message', 'memory'):
        _single(connection, asked, subject, chains, rows)
    elif asked != 'filter':
        for number in {chain.owner for chain in chains}:
            _of_number(connection, number, rows)
        _of_subject(connection, subject, at, rows, parts=asked == 'part')
    return Remains(
        chain=tuple(problem for chain in chains if (problem := _misplaced(connection, chain)) is not None),
        tombstone=None if found is None else from_us(found),
        lifted=bool(
            connection.execute(
                "SELECT EXISTS(SELECT 1 FROM history WHERE memory_id = '' AND op = 'restore' AND at >= ?)", (at,)
            ).fetchone()[0]
        ),
        rows={table: count for table, count in rows.items() if count},
        scrub_pending=bool(connection.execute('SELECT EXISTS(SELECT 1 FROM scrub)').fetchone()[0]),
    )


def _misplaced(connection: Connection, chain: ChainPosition) -> str | None:
    """What is wrong with the entry that records an erasure."""
    where = f'entry {chain.length} of owner {chain.owner}'
    row = chain.owner << SEQ_BITS | chain.length
    found = connection.execute('SELECT op, hash FROM history WHERE row = ?', (row,)).fetchone()
    if found is not None:
        return None if found == ('erase', chain.head) else f'{where} is not the one that recorded the erasure'
    owner = connection.execute('SELECT kind, chain_length FROM owner WHERE id = ?', (chain.owner,)).fetchone()
    if owner is not None and owner[0] == 'erased' and owner[1] > chain.length:
        last = connection.execute(
            "SELECT 1 FROM history WHERE row = ? AND op = 'erase'", (chain.owner << SEQ_BITS | owner[1],)
        ).fetchone()
        if last is not None:  # everything of the owner was erased since
            return None
    return f'{where} is missing'


def _of_number(connection: Connection, number: int, rows: dict[str, int]) -> None:
    """Rows that bear the number of an owner that went altogether: its closing entry, and nothing else."""
    if connection.execute("SELECT 1 FROM owner WHERE id = ? AND kind <> 'erased'", (number,)).fetchone():
        return  # a part of it went; `_of_subject` tells whether it came back
    span = row_range(number)
    for table in ('episode', 'memory', 'segment', 'conversation', 'change_set', 'job'):
        _add(rows, table, connection, f'SELECT count(*) FROM {table} WHERE row BETWEEN ? AND ?', span)
    for table in ('history', 'history_text'):
        _add(rows, table, connection, f'SELECT max(count(*) - 1, 0) FROM {table} WHERE row BETWEEN ? AND ?', span)
    for table in ('posting', 'speaker', 'rejected', 'usage', 'queue', 'review'):
        _add(rows, table, connection, f'SELECT count(*) FROM {table} WHERE owner = ?', (number,))


def _of_subject(connection: Connection, subject: str, at: int, rows: dict[str, int], *, parts: bool) -> None:
    """Rows of the subject that were recorded, or said, before it was forgotten."""
    key = auditing.secret(connection)
    owners = connection.execute("SELECT id, project, kind, key FROM owner WHERE kind <> 'erased'").fetchall()
    for number, project, kind, name in owners:
        owner = Owner(project, kind, name)
        span = row_range(number)
        if not parts:
            if subject not in (subject_key(key, project, owner, {}), subject_key(key, project, None, {})):
                continue
            _count_old(connection, '', (), span, at, rows)
            continue
        said = 'SELECT DISTINCT run_id, agent_id, app_id FROM {} WHERE row BETWEEN ?1 AND ?2'
        for run, agent, app in connection.execute(f'{said.format("episode")} UNION {said.format("memory")}', span):
            given = {'run_id': run, 'agent_id': agent, 'app_id': app}
            ids = {column: id_ for column, id_ in given.items() if id_ is not None}
            if subject in subjects_of(key, owner, ids):
                condition = ''.join(f' AND {column} IS ?' for column in given)
                _count_old(connection, condition, tuple(given.values()), span, at, rows)


def _count_old(
    connection: Connection,
    condition: str,
    values: tuple[Any, ...],
    span: tuple[int, int],
    at: int,
    rows: dict[str, int],
) -> None:
    old = {
        'episode': '(recorded_at <= ?1 OR (dated AND occurred_at <= ?1))',
        'memory': 'recorded_at <= ?1',
    }
    for table, when in old.items():
        sql = f'SELECT count(*) FROM {table} WHERE {when} AND row BETWEEN ? AND ?{condition}'
        _add(rows, table, connection, sql, (at, *span, *values))


def _single(
    connection: Connection, asked: Asked, subject: str, chains: Sequence[ChainPosition], rows: dict[str, int]
) -> None:
    key = auditing.secret(connection)
    table = 'episode' if asked == 'message' else 'memory'
    for chain in chains:
        owner = connection.execute('SELECT project FROM owner WHERE id = ?', (chain.owner,)).fetchone()
        for (id_,) in connection.execute(
            f'SELECT DISTINCT id FROM {table} WHERE row BETWEEN ? AND ?', row_range(chain.owner)
        ):
            if owner is not None and subject_key(key, owner[0], None, {}, asked, id_) == subject:
                rows[table] = rows.get(table, 0) + 1


def _add(rows: dict[str, int], table: str, connection: Connection, sql: str, values: Sequence[Any]) -> None:
    rows[table] = rows.get(table, 0) + connection.execute(sql, values).fetchone()[0]
