"""Writes schema_vN.sql: a small file of the current version, as SQL.

Run it once when a schema version is finished (`python tests/data/make_dump.py`), and never again for that version.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw

from memoranda import Memory
from memoranda.stores.sqlite.schema import SCHEMA_VERSION
from memoranda.testing import HashingEmbedder


def fill(path: Path) -> None:
    with Memory(path, embedder=HashingEmbedder()) as memory:
        for text in ('Lives in Lisbon', 'Lives in Porto'):
            memory.add(text, user_id='ana', run_id='r1', infer=False, slot='home.city', kind='profile')
        memory.add('Likes green tea', user_id='ana', infer=False, tags=['drinks'], metadata={'cups': 3})
        memory.add({'role': 'user', 'content': 'What a day', 'name': 'Ben'}, user_id='ben')
        memory.add('Likes chess', user_id='ben', infer=False, idempotency_key='k1')
        memory.add('Said in a run', user_id='carla', run_id='r1', infer=False, level='run')
        memory.delete_all(user_id='carla')


def dump(path: Path) -> Iterator[str]:
    connection = apsw.Connection(str(path))
    for name in ('application_id', 'user_version'):
        yield f'PRAGMA {name} = {connection.pragma(name)};'
    yield 'BEGIN;'
    tables = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    ).fetchall()
    for _, sql in tables:
        yield f'{sql};'
    yield 'DELETE FROM sqlite_sequence;'
    for name, _ in [*tables, ('sqlite_sequence', '')]:
        for row in connection.execute(f'SELECT * FROM {name}'):
            yield f'INSERT INTO {name} VALUES({", ".join(apsw.format_sql_value(v) for v in row)});'
    for (sql,) in connection.execute(
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid"
    ):
        yield f'{sql};'
    yield 'COMMIT;'
    connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'm.db'
        fill(path)
        target = Path(__file__).parent / f'schema_v{SCHEMA_VERSION}.sql'
        target.write_text('\n'.join(dump(path)) + '\n', 'utf-8')


if __name__ == '__main__':
    main()
