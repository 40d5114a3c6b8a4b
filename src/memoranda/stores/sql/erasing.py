"""Erasure: the rows of an owner, or what was said under further ids, or single messages, in one transaction.

What their bytes left behind in the files is the business of `sweeping`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from memoranda.records import new_id, now
from memoranda.scope import Erasure
from memoranda.stores.data import ErasureResult
from memoranda.stores.history import Entry, dump_state
from memoranda.stores.sql import auditing
from memoranda.stores.sql.apikeys import drop_of
from memoranda.stores.sql.daily import count_day
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_MASK, vector_tables
from memoranda.stores.sql.owners import tick
from memoranda.stores.sql.queue import settle
from memoranda.stores.sql.rows import OwnerRow, find_owner, row_range, to_us, within
from memoranda.stores.sql.withdrawing import Saying, withdraw
from memoranda.stores.sql.writing import MEMORIES, SEGMENTS

__all__ = ['Gone', 'erase', 'erase_episodes', 'erase_owner', 'erase_part']


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What an erasure took from one owner."""

    episodes: int
    memories: int
    versions: int
    history: int
    """Entries that lost their words."""
    vectors: int
    jobs: int
    reviews: int


_LIVE: Final = 'SELECT count(*) FROM memory WHERE owner = ? AND live = 1'


def erase(connection: Connection, erasure: Erasure) -> ErasureResult:
    """Remove an owner, or the part of it that was said under a run, an agent or an app."""
    owner = find_owner(connection, erasure.owner, hold=True)
    if owner is None:
        if erasure.whole:
            drop_of(connection, erasure.owner)
        pending = _count(connection, 'SELECT count(*) FROM scrub', ()) > 0  # perhaps of this very owner's erasure
        return ErasureResult(memories=0, episodes=0, versions=0, scrub='pending' if pending else 'verified')
    if erasure.whole:
        gone = erase_owner(connection, owner, erasure.actor)
    else:
        ids = {'run_id': erasure.run_id, 'agent_id': erasure.agent_id, 'app_id': erasure.app_id}
        wanted = {name: value for name, value in ids.items() if value is not None}
        gone = erase_part(connection, owner, wanted, erasure.actor)
    return ErasureResult(memories=gone.memories, versions=gone.versions, episodes=gone.episodes, scrub='pending')


def _count(connection: Connection, sql: str, values: Sequence[Any]) -> int:
    return connection.execute(sql, values).fetchone()[0]


def _delete(connection: Connection, sql: str, values: Sequence[Any]) -> int:
    connection.execute(sql, values)
    return connection.changes()


def _begin(connection: Connection) -> None:
    """From this commit on the files are to be scrubbed, and every cache to be looked through."""
    connection.execute('INSERT INTO scrub(requested_at) VALUES(?)', (to_us(now()),))
    if not connection.dialect.shared:  # else all who erase would wait for each other here
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'erasures'")


def _vector_tables(connection: Connection) -> list[tuple[str, str]]:
    return [vector_tables(id_) for (id_,) in connection.execute('SELECT id FROM generation').fetchall()]


def erase_owner(connection: Connection, owner: OwnerRow, actor: str = 'user') -> Gone:
    """Everything of an owner. Its number stays taken, with one entry that tells how many there were."""
    _begin(connection)
    drop_of(connection, owner.owner)
    span = row_range(owner.id)
    memories, live = connection.execute(
        'SELECT count(DISTINCT id), coalesce(sum(live), 0) FROM memory WHERE row BETWEEN ? AND ?', span
    ).fetchone()
    letters = _count(connection, 'SELECT coalesce(sum(length(text)), 0) FROM episode WHERE row BETWEEN ? AND ?', span)
    gone: dict[str, int] = {}
    for table in ('memory', 'episode', 'segment', 'conversation', 'change_set', 'history', 'history_text', 'job'):
        gone[table] = _delete(connection, f'DELETE FROM {table} WHERE row BETWEEN ? AND ?', span)
    vectors = sum(
        _delete(connection, f'DELETE FROM {table} WHERE row BETWEEN ? AND ?', span)
        for pair in _vector_tables(connection)
        for table in pair
    )
    connection.execute('DELETE FROM evidence WHERE episode BETWEEN ? AND ?', span)
    for table in ('posting', 'speaker', 'rejected', 'usage', 'queue', 'review'):
        gone[table] = _delete(connection, f'DELETE FROM {table} WHERE owner = ?', (owner.id,))
    _close_chain(connection, owner, actor)
    clock = tick(connection)
    connection.execute(
        "UPDATE owner SET kind = 'erased', key = ?, salt = ?, version = ?, epoch = ? WHERE id = ?",
        (str(owner.id), bytes(16), clock, clock, owner.id),
    )
    if not owner.owner.project.startswith('\x01'):  # else it is an import's, which never was anybody's
        people = int(owner.owner.kind == 'user')
        went = {'erased': memories, 'memories': -live, 'letters': -letters, 'people': -people}
        count_day(connection, owner.owner, owner.id, now(), **went)
    return Gone(
        episodes=gone['episode'],
        memories=memories,
        versions=gone['memory'],
        history=gone['history_text'],
        vectors=vectors,
        jobs=gone['job'],
        reviews=gone['review'],
    )


def _said_under(connection: Connection, owner: OwnerRow, table: str, wanted: dict[str, str]) -> list[tuple[int, str]]:
    """(row, id) of the messages or memory versions that were said under all of these ids."""
    said = ' AND '.join(f'{name} = ?' for name in wanted)
    values = (*row_range(owner.id), *wanted.values())
    return connection.execute(f'SELECT row, id FROM {table} WHERE row BETWEEN ? AND ? AND {said}', values).fetchall()


def erase_part(connection: Connection, owner: OwnerRow, wanted: dict[str, str], actor: str = 'user') -> Gone:
    """What was said under all of these ids."""
    episodes = {row for row, _ in _said_under(connection, owner, 'episode', wanted)}
    memories = {id_ for _, id_ in _said_under(connection, owner, 'memory', wanted)}
    return erase_episodes(connection, owner, Saying(episodes, wanted), memories, ', '.join(wanted), actor)


def erase_episodes(
    connection: Connection,
    owner: OwnerRow,
    saying: Saying,
    memory_ids: Collection[str],
    what: str,
    actor: str = 'user',
) -> Gone:
    """Messages, and what rests on them alone; the rest loses what they gave to it.

    Args:
        connection: In a transaction.
        owner: Whose.
        saying: The messages.
        memory_ids: Memories to be looked at even if they rest on none of them.
        what: What the chain is to tell of it.
        actor: On whose account.
    """
    _begin(connection)
    low, high = span = row_range(owner.id)
    episodes = saying.episodes
    touched = set(memory_ids)
    rest_on = 'SELECT m.id FROM evidence v JOIN memory m ON m.row = v.memory WHERE v.episode'
    touched.update(id_ for (id_,) in within(connection, rest_on, episodes))
    worded = _count(connection, 'SELECT count(*) FROM history_text WHERE row BETWEEN ? AND ?', span)
    live = _count(connection, _LIVE, (owner.id,))
    letters = sum(n for (n,) in within(connection, 'SELECT length(text) FROM episode WHERE row', set(episodes)))
    memories, whole = withdraw(connection, touched, saying)
    segments = [
        r
        for r, episode in connection.execute('SELECT row, episode FROM segment WHERE row BETWEEN ? AND ?', (low, high))
        if episode in episodes
    ]
    _unreject(connection, owner, memories)
    _delete_rows(connection, 'memory', memories)
    _delete_rows(connection, 'segment', segments)
    _delete_rows(connection, 'episode', episodes)
    vectors = 0
    for memory_table, segment_table in _vector_tables(connection):
        vectors += _delete_rows(connection, memory_table, memories)
        vectors += _delete_rows(connection, segment_table, segments)
    connection.executemany('DELETE FROM evidence WHERE episode = ?', [(e,) for e in episodes])
    reviews = 0
    ids = connection.dialect.texts('?')
    for table in ('usage', 'review'):
        rest = f'AND NOT EXISTS(SELECT 1 FROM memory WHERE id = {table}.memory)'
        sql = f'DELETE FROM {table} WHERE owner = ? AND memory IN {ids} {rest}'
        reviews = _delete(connection, sql, (owner.id, json.dumps(list(touched))))
    _forget_speakers(connection, owner, (low, high))
    _unpost(connection, owner, {MEMORIES: memories, SEGMENTS: segments})
    jobs = _drop_jobs(connection, owner, saying)
    connection.execute(
        'DELETE FROM conversation WHERE row BETWEEN ? AND ? AND NOT EXISTS'
        '(SELECT 1 FROM episode WHERE episode.conversation = conversation.row)',
        (low, high),
    )
    worded -= _count(connection, 'SELECT count(*) FROM history_text WHERE row BETWEEN ? AND ?', span)
    _note(connection, owner, what, auditing.blanks(connection, owner), actor)
    clock = tick(connection)
    connection.execute('UPDATE owner SET version = ?, epoch = ? WHERE id = ?', (clock, clock, owner.id))
    live -= _count(connection, _LIVE, (owner.id,))
    count_day(connection, owner.owner, owner.id, now(), erased=whole, memories=-live, letters=-letters, people=0)
    return Gone(
        episodes=len(episodes),
        memories=whole,
        versions=len(memories),
        history=worded,
        vectors=vectors,
        jobs=jobs,
        reviews=reviews,
    )


def _delete_rows(connection: Connection, table: str, rows: Iterable[int]) -> int:
    listed = json.dumps(list(rows))
    return _delete(connection, f'DELETE FROM {table} WHERE row IN {connection.dialect.numbers("?")}', (listed,))


def _unreject(connection: Connection, owner: OwnerRow, rows: Iterable[int]) -> None:
    """A hash tells whoever guesses the words that they were there: it goes with them."""
    connection.execute(
        'DELETE FROM rejected WHERE owner = ? AND hash IN '
        f'(SELECT hash FROM memory WHERE row IN {connection.dialect.numbers("?")})',
        (owner.id, json.dumps(list(rows))),
    )


def _forget_speakers(connection: Connection, owner: OwnerRow, span: tuple[int, int]) -> None:
    """Names that no message is left under. Their numbers stay taken."""
    heard = {s for (s,) in connection.execute('SELECT DISTINCT speaker FROM segment WHERE row BETWEEN ? AND ?', span)}
    numbers = connection.execute('SELECT ordinal FROM speaker WHERE owner = ?', (owner.id,)).fetchall()
    connection.executemany(
        'UPDATE speaker SET name = NULL WHERE owner = ? AND ordinal = ?',
        [(owner.id, ordinal) for (ordinal,) in numbers if ordinal not in heard],
    )


def _unpost(connection: Connection, owner: OwnerRow, lanes: dict[int, list[int]]) -> None:
    dtype = np.dtype([('seq', '<u4'), ('tf', 'u1')])
    for lane, rows in lanes.items():
        if not rows:
            continue
        gone = np.array([r & SEQ_MASK for r in rows], dtype=np.uint32)
        chunks = connection.execute(
            'SELECT term, chunk, data FROM posting WHERE owner = ? AND lane = ?', (owner.id, lane)
        ).fetchall()
        empty: list[tuple[int, int, int, int]] = []
        shorter: list[tuple[bytes, int, int, int, int]] = []
        for term, chunk, data in chunks:
            found = np.frombuffer(data, dtype=dtype)
            rest = found[~np.isin(found['seq'], gone)]
            if not len(rest):
                empty.append((owner.id, lane, term, chunk))
            elif len(rest) < len(found):
                shorter.append((rest.tobytes(), owner.id, lane, term, chunk))
        key = 'owner = ? AND lane = ? AND term = ? AND chunk = ?'
        connection.executemany(f'DELETE FROM posting WHERE {key}', empty)
        connection.executemany(f'UPDATE posting SET data = ? WHERE {key}', shorter)


def _drop_jobs(connection: Connection, owner: OwnerRow, saying: Saying) -> int:
    """Jobs go with their messages, and those without messages by the ids they were given under.

    One that is running loses its lease so, and its commit fails; one that has other messages too goes on with those,
    from the beginning. A job holds tags and instructions of the caller, and the error of one that stays may quote what
    others said.
    """
    span = row_range(owner.id)
    dropped = 0
    for row, payload in connection.execute('SELECT row, payload FROM job WHERE row BETWEEN ? AND ?', span).fetchall():
        options = json.loads(payload)
        # Older files don't tell under which ids: a job without messages is of use for its idempotency key alone.
        under = options.get('said_under')
        given = saying.covers(under) if under is not None else bool(saying.ids) and not options['episodes']
        rest = [e for e in options['episodes'] if e not in saying.episodes]
        if given or (options['episodes'] and not rest):
            connection.execute(  # those that were to be done together with it are done without it
                "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, merged_into = NULL "
                "WHERE state = 'running' AND merged_into = (SELECT id FROM job WHERE row = ?)",
                (row,),
            )
            dropped += _delete(connection, 'DELETE FROM job WHERE row = ?', (row,))
        elif len(rest) < len(options['episodes']):
            connection.execute(
                'UPDATE job SET payload = ? WHERE row = ?', (json.dumps({**options, 'episodes': rest}), row)
            )
    end = connection.dialect.place("last_error || ':'", "':'")
    connection.execute(
        f'UPDATE job SET last_error = substr(last_error, 1, {end} - 1) '
        'WHERE row BETWEEN ? AND ? AND last_error IS NOT NULL',
        span,
    )
    settle(connection, (owner.id,))
    return dropped


def _close_chain(connection: Connection, owner: OwnerRow, actor: str) -> None:
    """In place of a chain whose entries all go: one link that says how many there were, behind the last one's hash."""
    (length,) = connection.execute('SELECT chain_length FROM owner WHERE id = ?', (owner.id,)).fetchone()
    _note(connection, owner, 'everything', [[1, length]] if length else [], actor, closing=True)


def _note(
    connection: Connection, owner: OwnerRow, what: str, blanked: list[list[int]], actor: str, *, closing: bool = False
) -> None:
    """Append a link that names the entries without words, so that an honest blank can be told from tampering."""
    entry = Entry(
        op='erase',
        actor=actor,
        reason='erasure',
        change_id=new_id(),
        at=to_us(now()),
        after=dump_state({'erased': what, 'blanked': blanked}),
    )
    auditing.append(connection, owner, [entry], closing=closing)
