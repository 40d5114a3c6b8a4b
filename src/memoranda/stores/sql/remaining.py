"""Afterwards: whether anything is left in rows of what was erased."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from memoranda.scope import Owner
from memoranda.stores.erasures import Asked, ChainPosition, Remains, subject_key, subjects_of
from memoranda.stores.sql import auditing
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.rows import from_us, row_range

__all__ = ['in_rows', 'remains', 'variants']

_COLUMNS: Final = {
    'sqlite': (
        "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table' "
        "AND s.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND c.type IN ('TEXT', '')"
    ),
    'postgresql': (
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' "
        'AND c.relnamespace = CAST(current_schema() AS regnamespace) AND a.attnum > 0 AND a.atttypid = '
        "CAST('text' AS regtype)"
    ),
}
"""Every column that may hold text. The names come from the schema, which is ours."""


def variants(text: str) -> list[str]:
    """A text as it may be written down: as it is, in upper and in lower case, and each inside JSON."""
    cases = dict.fromkeys((text, text.upper(), text.lower()))
    return list(dict.fromkeys(v for case in cases for v in (case, json.dumps(case, ensure_ascii=False)[1:-1]) if v))


def in_rows(connection: Connection, texts: Mapping[int, str]) -> dict[int, set[str]]:
    """The tables in which some row holds a text, by the position of the text."""
    meant: dict[str, list[int]] = {}
    for i, text in texts.items():
        for variant in variants(text):
            meant.setdefault(variant, []).append(i)
    found: dict[int, set[str]] = {}
    wanted, dialect = json.dumps(list(meant)), connection.dialect
    for table, column in connection.execute(_COLUMNS[dialect.name]).fetchall():
        for (variant,) in connection.execute(
            f'SELECT w.value FROM {dialect.texts("?")} w '
            f'WHERE EXISTS(SELECT 1 FROM {table} WHERE {dialect.place(column, "w.value")} > 0)',
            (wanted,),
        ):
            for i in meant[variant]:
                found.setdefault(i, set()).add(table)
    return found


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
        lifted=_was_lifted(connection, subject, at),
        rows={table: count for table, count in rows.items() if count},
        scrub_pending=bool(connection.execute('SELECT EXISTS(SELECT 1 FROM scrub)').fetchone()[0]),
    )


def _was_lifted(connection: Connection, subject: str, since: int) -> bool:
    """Whether some history tells that the tombstone of this subject was lifted."""
    found = connection.execute(
        'SELECT t.after FROM history h JOIN history_text t ON t.row = h.row '
        "WHERE h.memory_id = '' AND h.op = 'restore' AND h.at >= ?",
        (since,),
    ).fetchall()
    noted = [json.loads(after).get('lifted') for (after,) in found if after]
    return any(isinstance(subjects, list) and subject in subjects for subjects in noted)


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
        sql = f'SELECT CASE WHEN count(*) > 0 THEN count(*) - 1 ELSE 0 END FROM {table} WHERE row BETWEEN ? AND ?'
        _add(rows, table, connection, sql, span)
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
                condition = ''.join(f' AND {column} IS NOT DISTINCT FROM ?' for column in given)
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
        'episode': '(recorded_at <= ?1 OR (dated = 1 AND occurred_at <= ?1))',
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
