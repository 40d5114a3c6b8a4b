"""What a database holds, in numbers."""

from __future__ import annotations

from typing import Final

from memoranda.records import Usage
from memoranda.stores.data import Stats
from memoranda.stores.postgres.schema import SCHEMA_VERSION
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.membership import as_shard
from memoranda.stores.sql.writing import current_generation, generation_in

__all__ = ['stats']

_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind IN ('r', 'p')
"""

_READS_ONLY: Final = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
_MANY: Final = 1_000_000


def stats(connection: Connection, location: str, schema: str) -> Stats:
    """What the schema holds. Counting takes a second a few million rows, so what has more than a million is estimated.

    `details['estimated']` names these. The planner's guess is some percent off, more where nothing was analysed lately.
    `details['only_reads']` tells of a replica, and of a database that is set to read only.
    """

    def one(sql: str, *values: object) -> int:
        return connection.execute(sql, values).fetchone()[0]

    estimated: list[str] = []

    def count(name: str, rows: str) -> int:
        (plan,) = connection.execute(f'EXPLAIN (FORMAT JSON) SELECT 1 FROM {rows}').fetchone()
        guess = int(plan[0]['Plan']['Plan Rows'])
        if guess < _MANY:
            return one(f'SELECT count(*) FROM {rows}')
        estimated.append(name)
        return guess

    requests, input_tokens, output_tokens, cost = connection.execute(
        'SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint, '
        'coalesce(sum(output_tokens), 0)::bigint, sum(cost) FROM spent'
    ).fetchone()
    server, vector = connection.execute(
        "SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
    ).fetchone()
    return Stats(
        backend='postgresql',
        location=location,
        schema_version=int(one("SELECT value FROM meta WHERE key = 'schema_version'")),
        owners=count('owners', "owner WHERE kind <> 'erased'"),
        memories=count('memories', 'memory WHERE live = 1'),
        versions=count('versions', 'memory'),
        episodes=count('episodes', 'episode'),
        jobs_queued=count('jobs_queued', "job WHERE state IN ('queued', 'running')"),
        jobs_dead=count('jobs_dead', "job WHERE state = 'dead'"),
        bytes=one(_SIZE, schema),
        generation=current_generation(connection),
        building=generation_in(connection, 'building'),
        scrub_pending=one('SELECT count(*) FROM scrub') > 0,
        usage=Usage(requests=requests, input_tokens=input_tokens, output_tokens=output_tokens, cost=cost),
        details={
            'postgresql': server,
            'pgvector': vector,
            'schema': schema,
            'known_schema_version': SCHEMA_VERSION,
            **as_shard(connection),
            **({'only_reads': True} if one(_READS_ONLY) else {}),
            **({'estimated': ', '.join(estimated)} if estimated else {}),
        },
    )
