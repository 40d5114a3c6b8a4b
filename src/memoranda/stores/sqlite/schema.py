"""The tables, as forward-only numbered migrations.

Rows of an owner are contiguous: the key of every row is `owner << 24 | seq`, so that reading, counting and erasing an
owner are range scans. Moments are integers: microseconds since 1970, UTC.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from memoranda.errors import StoreUnreadable
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sqlite.connection import APPLICATION_ID
from memoranda.stores.sqlite.daily import STATEMENTS

__all__ = ['MIGRATIONS', 'SCHEMA_VERSION', 'migrate']

_M001 = (
    'CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID',
    """
    CREATE TABLE owner(
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused
        project TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        next_seq INTEGER NOT NULL DEFAULT 1,
        version INTEGER NOT NULL,              -- grows with every write; from one counter of the whole file
        epoch INTEGER NOT NULL,                -- grows with every erasure inside the owner
        salt BLOB NOT NULL,                    -- keys the hashes of its index terms
        chain_length INTEGER NOT NULL DEFAULT 0,
        chain_head TEXT NOT NULL DEFAULT '',
        UNIQUE(project, kind, key)
    )
    """,
    """
    CREATE TABLE conversation(
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        owner INTEGER NOT NULL,
        messages INTEGER NOT NULL DEFAULT 0,
        segments INTEGER NOT NULL DEFAULT 0,
        UNIQUE(owner, id)
    )
    """,
    # A name is NULL when the messages said under it were erased.
    'CREATE TABLE speaker(owner INTEGER, ordinal INTEGER, name TEXT, PRIMARY KEY(owner, ordinal)) WITHOUT ROWID',
    """
    CREATE TABLE episode(
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        conversation INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        role TEXT NOT NULL,
        name TEXT,
        text TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        dated INTEGER NOT NULL,
        trust TEXT NOT NULL,
        agent_id TEXT, run_id TEXT, app_id TEXT,
        metadata TEXT,
        content_hash TEXT NOT NULL
    )
    """,
    # Within the owner, so that an owner's entries lie together: a scattered index costs an erasure a page per message.
    'CREATE UNIQUE INDEX episode_id ON episode(row >> 24, id)',
    'CREATE UNIQUE INDEX episode_order ON episode(conversation, seq)',
    'CREATE INDEX episode_dated ON episode(content_hash) WHERE dated',
    """
    CREATE TABLE segment(
        row INTEGER PRIMARY KEY,
        episode INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        conversation INTEGER NOT NULL,
        position INTEGER NOT NULL,
        length INTEGER NOT NULL,
        at INTEGER NOT NULL,
        role INTEGER NOT NULL,
        speaker INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE memory(
        row INTEGER PRIMARY KEY,
        owner INTEGER NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        level TEXT NOT NULL,
        run_key TEXT NOT NULL,
        agent_id TEXT, run_id TEXT, app_id TEXT,
        text TEXT NOT NULL,
        kind TEXT NOT NULL,
        slot TEXT,
        status TEXT NOT NULL,
        confidence REAL NOT NULL,
        importance REAL NOT NULL,
        trust TEXT NOT NULL,
        pinned INTEGER NOT NULL,
        locked INTEGER NOT NULL,
        valid_from INTEGER NOT NULL,
        valid_to INTEGER,
        said_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        retired_at INTEGER,
        expires_at INTEGER,
        supersedes TEXT,
        superseded_by TEXT,
        evidence TEXT NOT NULL,                -- [[episode row, start, end], ...]; the quote is read from the episode
        metadata TEXT,
        tags TEXT NOT NULL,
        actor TEXT NOT NULL,
        change_id TEXT NOT NULL,
        hash TEXT NOT NULL,
        length INTEGER NOT NULL,
        live INTEGER NOT NULL,                 -- active and unretired
        touched INTEGER NOT NULL               -- owner version that wrote or retired it
    )
    """,
    'CREATE UNIQUE INDEX memory_version ON memory(id, version)',
    'CREATE INDEX memory_scan ON memory(owner, touched, live, run_key, length, valid_from, valid_to, expires_at)',
    'CREATE INDEX memory_page ON memory(owner, id) WHERE retired_at IS NULL',
    """
    CREATE UNIQUE INDEX memory_hash ON memory(owner, hash, level, run_key)
        WHERE live = 1 AND valid_to IS NULL
    """,
    """
    CREATE UNIQUE INDEX memory_slot ON memory(owner, slot, level, run_key)
        WHERE live = 1 AND valid_to IS NULL AND slot IS NOT NULL
    """,
    'CREATE INDEX memory_chain ON memory(owner, slot) WHERE retired_at IS NULL AND slot IS NOT NULL',
    'CREATE TABLE evidence(episode INTEGER, memory INTEGER, PRIMARY KEY(episode, memory)) WITHOUT ROWID',
    """
    CREATE TABLE posting(
        owner INTEGER NOT NULL,
        lane INTEGER NOT NULL,
        term INTEGER NOT NULL,                 -- keyed hash: no word of the text is in the index
        chunk INTEGER NOT NULL,
        data BLOB NOT NULL,                    -- (seq uint32, tf uint8), ascending
        PRIMARY KEY(owner, lane, term, chunk)
    ) WITHOUT ROWID
    """,
    'CREATE TABLE rejected(owner INTEGER, hash TEXT, PRIMARY KEY(owner, hash)) WITHOUT ROWID',
    """
    CREATE TABLE change_set(
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL,
        job_id TEXT,
        at INTEGER NOT NULL
    )
    """,
    # A job done twice changes nothing the second time.
    'CREATE UNIQUE INDEX change_job ON change_set(row >> 24, job_id) WHERE job_id IS NOT NULL',
    """
    CREATE TABLE history(
        row INTEGER PRIMARY KEY,
        change_id TEXT NOT NULL,
        memory_id TEXT NOT NULL,
        op TEXT NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        digest TEXT NOT NULL,
        prev_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    'CREATE INDEX history_memory ON history(memory_id)',
    'CREATE TABLE history_text(row INTEGER PRIMARY KEY, before TEXT, after TEXT, salt TEXT NOT NULL)',
    """
    CREATE TABLE job(
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,                 -- row keys and options, never text
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        run_after INTEGER NOT NULL,
        worker TEXT,
        lease_until INTEGER,
        last_error TEXT,
        owner INTEGER NOT NULL,
        idempotency_key TEXT,
        digest TEXT
    )
    """,
    "CREATE INDEX job_open ON job(row) WHERE state IN ('queued', 'running')",
    'CREATE UNIQUE INDEX job_key ON job(owner, idempotency_key) WHERE idempotency_key IS NOT NULL',
    """
    CREATE TABLE generation(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        embedder TEXT NOT NULL,
        dimensions INTEGER NOT NULL,
        state TEXT NOT NULL
    )
    """,
    'CREATE TABLE scrub(id INTEGER PRIMARY KEY AUTOINCREMENT, requested_at INTEGER NOT NULL)',
    "INSERT INTO meta VALUES('clock', 0), ('erasures', 0)",
)


def _m001_initial(connection: Connection) -> None:
    for statement in _M001:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES('file', ?)", (secrets.token_hex(8),))


def _m002_models(connection: Connection) -> None:
    """Values of slots, what models cost, and how often a memory was recalled."""
    for statement in (
        'ALTER TABLE memory ADD COLUMN value TEXT',
        'ALTER TABLE job ADD COLUMN requests INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE job ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE job ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE job ADD COLUMN cost REAL',
        'CREATE UNIQUE INDEX change_id ON change_set(row >> 24, id)',
        'CREATE INDEX memory_change ON memory(owner, change_id)',
        'CREATE INDEX memory_ended ON memory(owner, hash) WHERE live = 0 AND retired_at IS NULL',
        """
        CREATE TABLE usage(
            owner INTEGER NOT NULL,
            memory TEXT NOT NULL,                  -- id, for it counts all versions
            uses INTEGER NOT NULL,
            last_used_at INTEGER NOT NULL,
            PRIMARY KEY(owner, memory)
        ) WITHOUT ROWID
        """,
    ):
        connection.execute(statement)


def _m003_queue(connection: Connection) -> None:
    """Workers: what each owner waits for, so that taking the next job needs no scan."""
    for statement in (
        'ALTER TABLE job ADD COLUMN format INTEGER NOT NULL DEFAULT 1',
        'ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE job ADD COLUMN touched_at INTEGER NOT NULL DEFAULT 0',  # when run_after or lease_until were set
        'ALTER TABLE job ADD COLUMN finished_at INTEGER',
        'ALTER TABLE job ADD COLUMN merged_into TEXT',
        "CREATE INDEX job_running ON job(row) WHERE state = 'running'",
        "CREATE INDEX job_dead ON job(id) WHERE state = 'dead'",
        # One row for each owner that has unfinished jobs. `due` is of the first of them: when it may be taken.
        """
        CREATE TABLE queue(
            owner INTEGER PRIMARY KEY,
            due INTEGER NOT NULL,
            format INTEGER NOT NULL
        )
        """,
        'CREATE INDEX queue_due ON queue(due)',
        f"""
        INSERT INTO queue
        SELECT row >> {SEQ_BITS}, CASE state WHEN 'running' THEN coalesce(lease_until, 0) ELSE run_after END, 1
        FROM job WHERE row IN (SELECT min(row) FROM job WHERE state IN ('queued', 'running') GROUP BY row >> {SEQ_BITS})
        """,
    ):
        connection.execute(statement)


_WAITS = "status = 'pending' AND retired_at IS NULL"


def _m004_consent(connection: Connection) -> None:
    """What waits for a person, and who was forgotten."""
    for statement in (
        # One row for each memory that is pending, or that a person turned down.
        """
        CREATE TABLE review(
            owner INTEGER NOT NULL,
            memory TEXT NOT NULL,                  -- id of the memory that was proposed
            op TEXT NOT NULL,                      -- what approving it does: add, supersede, correct, retract, confirm
            target TEXT,                           -- id of the memory it is about
            reasons TEXT NOT NULL,                 -- JSON list of codes, never words of the memory
            at INTEGER NOT NULL,
            PRIMARY KEY(owner, memory)
        ) WITHOUT ROWID
        """,
        f"INSERT INTO review SELECT owner, id, 'add', NULL, '[\"lesson\"]', recorded_at FROM memory WHERE {_WAITS}",
        f'CREATE INDEX memory_pending ON memory(owner, id) WHERE {_WAITS}',
        f'CREATE INDEX memory_queue ON memory(id) WHERE {_WAITS}',
        # A subject that was forgotten, by a keyed hash: what was said before that moment is not stored again.
        """
        CREATE TABLE tombstone(
            project TEXT NOT NULL,                 -- a keyed hash too
            subject TEXT NOT NULL,
            erased_at INTEGER NOT NULL,
            of_owner TEXT,                         -- the owner's subject, of which this is a part or which it is
            PRIMARY KEY(project, subject)
        ) WITHOUT ROWID
        """,
        # What a forget of a whole project, cut off in the middle, has still to erase: JSON, gone when it is done.
        'ALTER TABLE scrub ADD COLUMN rest TEXT',
        'ALTER TABLE history ADD COLUMN format INTEGER NOT NULL DEFAULT 1',
        # Who read what: change_id, a UUIDv7 as everywhere, is the order.
        "CREATE INDEX history_reads ON history(row >> 24, change_id) WHERE op = 'read'",
        'CREATE INDEX history_at ON history(at)',
        "CREATE INDEX job_dropped ON job(id) WHERE state = 'dropped'",
        # What models took in all, in as many parts as keep those who add to it from waiting for each other.
        """
        CREATE TABLE spent(
            part INTEGER PRIMARY KEY,              -- the last bits of an owner's number
            requests INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            cost REAL
        )
        """,
        """
        INSERT INTO spent SELECT 0, coalesce(max(CASE key WHEN 'spent_requests' THEN value END), 0),
        coalesce(max(CASE key WHEN 'spent_input_tokens' THEN value END), 0),
        coalesce(max(CASE key WHEN 'spent_output_tokens' THEN value END), 0),
        max(CASE key WHEN 'spent_cost' THEN value END) FROM meta WHERE key LIKE 'spent!_%' ESCAPE '!'
        """,
        "DELETE FROM meta WHERE key LIKE 'spent!_%' ESCAPE '!'",
        # Projects take turns.
        "ALTER TABLE queue ADD COLUMN project TEXT NOT NULL DEFAULT ''",
        'UPDATE queue SET project = (SELECT project FROM owner WHERE owner.id = queue.owner)',
        'CREATE INDEX queue_turn ON queue(project, due)',
        # Who may ask a server. The secret is nowhere: 256 random bits need no slow hash.
        """
        CREATE TABLE api_key(
            id TEXT PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,           -- SHA-256 of the secret, in hexadecimal
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            user_id TEXT,                          -- the only person it reaches
            hint TEXT NOT NULL,                    -- the last characters of the secret
            created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            expires_at INTEGER,
            revoked_at INTEGER,
            last_used_at INTEGER,
            replaces TEXT                          -- id of the key it was made for by rotation
        ) WITHOUT ROWID
        """,
        'CREATE INDEX api_key_project ON api_key(project, user_id)',
        # The listing of a whole project, and all it is narrowed by: what isn't listed costs no look at its row.
        "ALTER TABLE memory ADD COLUMN project TEXT NOT NULL DEFAULT ''",
        'UPDATE memory SET project = (SELECT project FROM owner WHERE owner.id = memory.owner)',
        'CREATE INDEX memory_browse ON memory(project, id, status, kind, trust, agent_id, recorded_at, said_at, owner) '
        'WHERE retired_at IS NULL',
        'DROP INDEX memory_chain',
        'CREATE INDEX memory_chain ON memory(owner, slot, run_key, status) '
        'WHERE retired_at IS NULL AND slot IS NOT NULL',
        # What happened in a project on each day.
        *STATEMENTS,
    ):
        connection.execute(statement)
    # Keys the hashes of subjects in tombstones and receipts; who has the file can check them, nobody else.
    connection.execute("INSERT INTO meta VALUES('secret', ?)", (secrets.token_hex(32),))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_m001_initial, _m002_models, _m003_queue, _m004_consent)
SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: Connection, path: str) -> None:
    """Bring the schema up to date, in one transaction. Several processes may do this at once."""
    found = connection.pragma('user_version')
    if found > SCHEMA_VERSION:
        raise StoreUnreadable(
            f'{path} has schema version {found}, and this memoranda knows up to {SCHEMA_VERSION}: '
            'upgrade memoranda in this environment'
        )
    if found == SCHEMA_VERSION:
        return
    connection.execute('BEGIN IMMEDIATE')
    try:
        for number in range(connection.pragma('user_version'), SCHEMA_VERSION):
            MIGRATIONS[number](connection)
        connection.pragma('user_version', SCHEMA_VERSION)
        connection.pragma('application_id', APPLICATION_ID)
    except BaseException:
        connection.execute('ROLLBACK')
        raise
    connection.execute('COMMIT')
