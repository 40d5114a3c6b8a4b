"""What is left of erased rows: versions that nobody sees any more, until a vacuum takes them away.

A vacuum removes a version once no transaction that is still open could see it. What it doesn't reach: copies in the
write-ahead log, on replicas and in backups, which go as these are recycled; and the bytes of a removed version inside
its page, until something else is written there (`VACUUM FULL` of a table writes it anew).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memoranda.stores.postgres.database import PostgresConnection

if TYPE_CHECKING:
    from memoranda.stores.postgres.connection import Link

__all__ = ['scrub']

_TABLES = """
SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ? AND c.relkind = 'r' ORDER BY c.relname
"""
_LEFT = """
SELECT coalesce(sum(pg_stat_get_dead_tuples(c.oid) +
    CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_stat_get_dead_tuples(c.reltoastrelid) END), 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ? AND c.relkind = 'r' AND c.relname <> 'owner'
"""


def scrub(link: Link, schema: str) -> bool:
    """Vacuum the tables, if something was erased. True when nothing of it is left to do."""
    name = f'"{schema}"'

    def run(connection: PostgresConnection) -> bool:
        (last,) = connection.execute(f'SELECT max(id) FROM {name}.scrub WHERE rest IS NULL').fetchone()
        if last is not None:
            tables = [f'{name}.{table}' for (table,) in connection.execute(_TABLES, (schema,)).fetchall()]
            connection.script(f'VACUUM (INDEX_CLEANUP ON) {", ".join(tables)}')
            (left,) = connection.execute(_LEFT, (schema,)).fetchone()
            if left:
                return False
            connection.execute(f'DELETE FROM {name}.scrub WHERE rest IS NULL AND id <= ?', (last,))
        return not connection.execute(f'SELECT EXISTS(SELECT 1 FROM {name}.scrub)').fetchone()[0]

    return link.bare(run)
