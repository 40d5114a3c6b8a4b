"""What is left of erased rows: versions that nobody sees any more, until a vacuum takes them away.

A vacuum removes a version once no transaction that is still open could see it. What it doesn't reach: copies in the
write-ahead log, on replicas and in backups, which go as these are recycled; and the bytes of a removed version inside
its page, until something else is written there (`VACUUM FULL` of a table writes it anew).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from memoranda.stores.postgres.database import PostgresConnection

if TYPE_CHECKING:
    from memoranda.stores.postgres.connection import Link

__all__ = ['scrub']

_LOOKS: Final = 5
_NAP: Final = 0.02
_TABLES = """
SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ? AND c.relkind = 'r' ORDER BY c.relname
"""
# A row of `scrub` is written by the transaction that erases, so its xmin tells which one that was.
_ASKED = """
WITH asked AS (SELECT id, age(xmin) AS age FROM {name}.scrub WHERE rest IS NULL),
held AS (
    SELECT greatest(age(backend_xmin), age(backend_xid)) AS age FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND coalesce(datname, current_database()) = current_database()
    AND backend_type IS DISTINCT FROM 'autovacuum worker'
    UNION ALL SELECT age(xmin) FROM pg_replication_slots
    UNION ALL SELECT age(transaction) FROM pg_prepared_xacts WHERE database = current_database()
)
SELECT coalesce(json_agg(id)::text, '[]'), EXISTS(SELECT 1 FROM held WHERE age >= (SELECT min(age) FROM asked))
FROM asked
"""
_DONE = 'DELETE FROM {name}.scrub WHERE rest IS NULL AND id IN (SELECT json_array_elements_text(?::json)::bigint)'


def scrub(link: Link, schema: str) -> bool:
    """Vacuum the tables, if something was erased. True when nothing of it is left to do."""
    name = f'"{schema}"'

    def run(connection: PostgresConnection) -> bool:
        asked, held = _asked(connection, name)
        if held:  # somebody could still see what was erased, so a vacuum would leave it
            return False
        if asked != '[]':
            tables = [f'{name}.{table}' for (table,) in connection.execute(_TABLES, (schema,)).fetchall()]
            connection.script(f'VACUUM (INDEX_CLEANUP ON) {", ".join(tables)}')
            connection.execute(_DONE.format(name=name), (asked,))
        return not connection.execute(f'SELECT EXISTS(SELECT 1 FROM {name}.scrub)').fetchone()[0]

    return link.bare(run)


def _asked(connection: PostgresConnection, name: str) -> tuple[str, bool]:
    """Which erasures wait, as JSON, and whether somebody could still see what they erased."""
    asked, held = '[]', False
    for _ in range(_LOOKS):  # readers of this program end their snapshots a moment after they have what they wanted
        asked, held = connection.execute(_ASKED.format(name=name)).fetchone()
        if not held:
            break
        time.sleep(_NAP)
    return asked, held
