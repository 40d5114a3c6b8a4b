"""Searches: what is asked of the owners' lanes in one read transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memoranda.filters import Filter
from memoranda.lanes import FloatVector, Lane, Posting, Rest
from memoranda.records import Episode, Hit
from memoranda.scope import Owner, Reach
from memoranda.stores.data import Moment, Ranked, SearchPlan
from memoranda.stores.generation import Generation
from memoranda.stores.sql.asking import Aheads, asked_for
from memoranda.stores.sql.cache import Ahead, Cache, Columns, LaneName
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.distant import told_sought
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.nearest import cosines
from memoranda.stores.sql.reading import MEMORY, temporal
from memoranda.stores.sql.rows import (
    EPISODE_COLUMNS,
    MEMORY_COLUMNS,
    OwnerRow,
    from_us,
    owner_sought,
    quotes_sought,
    read_episodes,
    read_memories,
    row_range,
    sought,
    to_us,
)
from memoranda.stores.sql.where import EPISODE_FIELDS, MEMORY_FIELDS, compile_filter
from memoranda.stores.sql.whole import vectors_sought
from memoranda.stores.sql.words import words_sought
from memoranda.stores.sql.writing import MEMORIES, SEGMENTS, generation_sought, term_key

if TYPE_CHECKING:
    pass

__all__ = [
    'Grounds',
    'Kept',
    'Said',
    'dense',
    'hits_sought',
    'is_plain',
    'ranked_lanes',
    'search',
    'speakers',
]

_POSTING = np.dtype([('seq', '<u4'), ('tf', 'u1')])
_PART = (
    f'SELECT s.row, s.first, s.last, {EPISODE_COLUMNS} FROM segment s JOIN episode e ON e.row = s.episode '
    'JOIN conversation c ON c.row = e.conversation '
)

_WITHHOLDING: Final = ('policy:', 'secret:', 'personal data:', 'special category:')
"""Reasons to wait that are about the words themselves, and not about who said them."""

Bools = NDArray[np.bool_]


def search(connection: Connection, cache: Cache, plan: SearchPlan) -> list[Hit]:
    """Gather the lanes of all owners, rank them, read the rows that won."""
    grounds = _grounds(connection, cache, plan)
    cache.generation = held = grounds.generation
    # Lanes are kept with the vectors there are, also for a search that needs none: else one would push out the other.
    # Where an index elsewhere compares them, they are kept without.
    kept = Kept(connection, cache, held if plan.nearest is None else None, grounds.ahead)
    ranked, lanes = ranked_lanes(kept, plan, grounds)
    sought_words = [
        (owner, words_sought(connection, owner.id, MEMORIES))
        for owner, _ in (grounds.owners if is_plain(plan) and connection.dialect.whole_index is not None else ())
        if cache.wants_words(owner)
    ]
    sought_hits = hits_sought(connection, plan, ranked, lanes)
    connection.last()
    for owner, look in sought_words:
        cache.keep_words(owner, look())
    return plan.finish(sought_hits({owner.id: owner.owner for owner, _ in grounds.owners}))


def is_plain(plan: SearchPlan) -> bool:
    """Whether a search takes no more of the database than lanes of memories as they are now."""
    now = plan.moment.as_of is None and plan.moment.known_at is None
    return now and plan.where is None and plan.nearest is None and tuple(plan.lanes) == ('memories',)


def ranked_lanes(kept: Kept, plan: SearchPlan, grounds: Grounds) -> tuple[Sequence[Ranked], Mapping[str, Lane]]:
    """The candidates in their order, and the lanes they are in."""
    held = grounds.generation
    # Vectors of another one are not for these questions to be compared with: keywords only.
    generation = held if held is not None and held.id == plan.generation else None
    lanes = [_lane(kept, plan, grounds, name, generation) for name in plan.lanes]
    return plan.rank(lanes), {lane.name: lane for lane in lanes}


Said: TypeAlias = Mapping[LaneName, Mapping[str, bytes]]
"""Of each lane and term its postings."""


class Grounds(NamedTuple):
    """What a search stands on."""

    owners: list[tuple[OwnerRow, Reach]]
    generation: Generation | None
    heard: Mapping[int, Sequence[str | None]]
    """Of each owner its speakers."""
    said: Mapping[int, Said]
    """Of each owner where the words are said."""
    ahead: Aheads


def _grounds(connection: Connection, cache: Cache, plan: SearchPlan) -> Grounds:
    """All is asked at once, by the numbers that the owners had last time; again where they have others now."""
    guessed = [known for reach in plan.reaches if (known := cache.seen(reach.owner)) is not None]
    sought_owners = [(owner_sought(connection, reach.owner), reach) for reach in plan.reaches]
    sought_generation = generation_sought(connection)
    ahead = asked_for(connection, cache, plan, guessed, cache.generation)
    sought_words = _words(connection, plan, guessed)
    owners = [(row, reach) for look, reach in sought_owners if (row := look()) is not None]
    found, generation = [(owner.id, owner.salt) for owner, _ in owners], sought_generation()
    if found != guessed:
        sought_words = _words(connection, plan, found)
        ahead = asked_for(connection, cache, plan, found, generation)
        for owner, _ in owners:
            cache.see(owner)
    return Grounds(owners, generation, *sought_words(), ahead)


def _words(
    connection: Connection, plan: SearchPlan, owners: Sequence[tuple[int, bytes]]
) -> Callable[[], tuple[Mapping[int, Sequence[str | None]], Mapping[int, Said]]]:
    heard = _heard_sought(connection, [number for number, _ in owners] if 'episodes' in plan.lanes else ())
    said = {number: _postings(connection, number, salt, plan.lanes, plan.terms) for number, salt in owners}
    return lambda: (heard(), {number: look() for number, look in said.items()})


@dataclass(frozen=True, slots=True)
class Kept:
    """Lanes in memory, as a transaction sees them."""

    connection: Connection
    cache: Cache
    generation: Generation | None
    ahead: Aheads = field(default_factory=dict[tuple[int, LaneName], Ahead])
    _given: dict[tuple[int, LaneName], Columns] = field(default_factory=dict[tuple[int, LaneName], Columns])
    """A lane is the same wherever it is asked for, and asking twice counts for once."""

    def columns(self, owner: OwnerRow, name: LaneName) -> Columns:
        """The lane; without vectors where the database is to compare them."""
        given = self._given.get((owner.id, name))
        if given is None:
            given = self._given[owner.id, name] = self._columns(owner, name)
        return given

    def _columns(self, owner: OwnerRow, name: LaneName) -> Columns:
        generation, ahead = self.generation, self.ahead.get((owner.id, name))
        distant = self.connection.dialect.cosines('') is not None
        if generation is not None and distant and not self.cache.has(owner, name, generation):
            bare = self.cache.columns(self.connection, owner, name, None, ahead)
            if not self.cache.keeps(owner, name, generation, len(bare.row)):
                told = ahead.told if ahead is not None and ahead.generation == generation else None
                return bare if told is None else replace(bare, cosine=told(bare.row))
        return self.cache.columns(self.connection, owner, name, generation, ahead)


def _lane(kept: Kept, plan: SearchPlan, grounds: Grounds, name: LaneName, generation: Generation | None) -> Lane:
    connection, heard, names = kept.connection, grounds.heard, _names(grounds.heard)
    columns: list[Columns] = []
    allowed: list[Bools] = []
    hits: dict[str, tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]] = {t: ([], []) for t in plan.terms}
    speakers: list[NDArray[np.int64]] = []
    offset = 0
    past = plan.moment.as_of is not None or plan.moment.known_at is not None
    for owner, reach in grounds.owners:
        if past and name == 'memories':
            part = _past(connection, owner, plan.moment, generation)
        else:
            part = kept.columns(owner, name)
        columns.append(part)
        mask = _allowed(connection, owner, reach, name, part, plan)
        if name == 'episodes' and reach.runs is not None:
            runs = kept.columns(owner, 'memories').runs
            if any(run and not reach.sees(run) for run in runs):
                mask &= ~np.isin(part.row, _of_other_runs(connection, owner, reach))
        allowed.append(mask)
        for term, data in grounds.said[owner.id][name].items():
            found, tf = _held(owner, data, part.row)
            rows, counts = hits[term]
            rows.append(found + offset)
            counts.append(tf)
        if part.speaker is not None:
            speakers.append(_renumber(heard[owner.id], part.speaker, names))
        offset += len(part.row)
    key, mask = _cat([c.row for c in columns]), np.concatenate(allowed) if allowed else np.zeros(0, dtype=np.bool_)
    postings = {t: (_cat(rows), _cat(counts)) for t, (rows, counts) in hits.items()}
    dense, rest = _cosines(connection, plan, name, generation, columns, key, mask, postings)
    return Lane(
        name=name,
        key=key,
        length=_cat([c.length for c in columns]),
        at=_cat([c.at for c in columns]) / 1e6,
        allowed=mask,
        dense=dense,
        rest=rest,
        postings=postings,
        conversation=_cat([c.conversation for c in columns]) if name == 'episodes' else None,
        position=_cat([c.position for c in columns]) if name == 'episodes' else None,
        role=_cat([c.role for c in columns]).astype(np.uint8) if name == 'episodes' else None,
        speaker=_cat(speakers) if name == 'episodes' else None,
        speakers=tuple(names),
    )


def _cat(parts: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64]:
    present = [p for p in parts if p is not None]
    if len(present) == 1:
        return present[0]
    return np.concatenate(present) if present else np.zeros(0, dtype=np.int64)


def _cosines(
    connection: Connection,
    plan: SearchPlan,
    name: LaneName,
    generation: Generation | None,
    columns: Sequence[Columns],
    key: NDArray[np.int64],
    allowed: Bools,
    postings: Mapping[str, Posting],
) -> tuple[FloatVector | None, Rest | None]:
    vector = plan.vectors.get(name)
    if vector is None or generation is None:
        return None, None
    if plan.nearest is None:
        return dense(connection, name, generation, columns, vector), None
    return cosines(connection, name, generation, key, allowed, postings, vector, plan.nearest[name])


def dense(
    connection: Connection, name: LaneName, generation: Generation, columns: Sequence[Columns], vector: FloatVector
) -> NDArray[np.float32]:
    """The cosine of each row to a vector, one behind the other; nan where a row has no vector."""
    parts: list[NDArray[np.float32]] = []
    for part in columns:
        if part.vectors is None:
            parts.append(_distant(connection, name, generation, part, vector))
            continue
        # Row by row: a matrix product would wake BLAS's own threads, which costs more than it gains, and far more on a
        # busy machine (measured: 8 ms instead of 1.4 ms at the 95th percentile for 10,000 rows).
        cosine = np.vecdot(part.vectors, vector)
        if part.missing.any():
            cosine[part.missing] = np.nan
        parts.append(cosine)
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _distant(
    connection: Connection, name: LaneName, generation: Generation, part: Columns, vector: FloatVector
) -> FloatVector:
    if part.cosine is not None or not len(part.row):
        return np.zeros(0, dtype=np.float32) if part.cosine is None else part.cosine
    told = told_sought(connection, name, generation, int(part.row[0]) >> SEQ_BITS, vector)
    return np.full(len(part.row), np.nan, dtype=np.float32) if told is None else told(part.row)


_LANE_NUMBERS: Mapping[LaneName, int] = {'memories': MEMORIES, 'episodes': SEGMENTS}


def _postings(
    connection: Connection, owner: int, salt: bytes, lanes: Sequence[LaneName], terms: Sequence[str]
) -> Callable[[], Said]:
    """Of each lane and term where it is said, and how often."""
    keys = {term_key(salt, term): term for term in terms}
    numbers = [_LANE_NUMBERS[name] for name in lanes]
    found = sought(
        connection,
        f'SELECT lane, term, data FROM posting WHERE owner = ? AND lane IN ({", ".join("?" * len(numbers))}) AND term',
        keys,
        ' ORDER BY lane, term, chunk',
        values=(owner, *numbers),
    )

    def look() -> Said:
        chunks: dict[tuple[int, str], list[bytes]] = {(number, term): [] for number in numbers for term in terms}
        for lane, term, data in found():
            chunks[lane, keys[term]].append(data)
        return {name: {term: b''.join(chunks[_LANE_NUMBERS[name], term]) for term in terms} for name in lanes}

    return look


def _held(owner: OwnerRow, data: bytes, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in `rows` the postings of a term are, and how often it is said there."""
    found = np.frombuffer(data, dtype=_POSTING)
    if not len(found) or not len(rows):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    keys = found['seq'].astype(np.int64) + (owner.id << SEQ_BITS)
    where = np.searchsorted(rows, keys)
    where[where == len(rows)] = 0
    held = rows[where] == keys
    return where[held], found['tf'][held].astype(np.int64)


def _allowed(
    connection: Connection, owner: OwnerRow, reach: Reach, name: LaneName, part: Columns, plan: SearchPlan
) -> Bools:
    mask = part.live.copy()
    moment = plan.moment
    if name == 'memories':
        if part.run is not None and not (reach.own and reach.runs is None):
            seen = np.array([reach.sees(run) for run in part.runs], dtype=np.bool_)
            if not seen.all():
                mask &= seen[part.run]
        if part.until is not None and moment.as_of is None and moment.known_at is None:
            at = to_us(moment.now)
            mask &= (part.at <= at) & (part.until > at)
    else:
        if moment.as_of is not None or moment.known_at is not None:
            mask &= part.at <= to_us(moment.as_of or moment.known_at or moment.now)
        if not reach.own and part.conversation is not None:
            mask &= np.isin(part.conversation, _conversations(connection, owner, reach))
    if plan.where is not None:
        mask &= np.isin(part.row, _matching(connection, owner, name, plan.where))
    return mask


def _of_other_runs(connection: Connection, owner: OwnerRow, reach: Reach) -> NDArray[np.int64]:
    """Segments of messages all of whose facts are known in other conversations only."""
    low, high = row_range(owner.id)
    seen = ('', *(reach.runs or ()))
    found = connection.execute(
        'SELECT s.row FROM segment s WHERE s.row BETWEEN ? AND ? AND s.episode IN ('
        'SELECT v.episode FROM evidence v JOIN memory m ON m.row = v.memory '
        'WHERE v.episode BETWEEN ? AND ? AND m.retired_at IS NULL GROUP BY v.episode '
        f'HAVING sum(CASE WHEN m.run_key IN ({", ".join("?" * len(seen))}) THEN 1 ELSE 0 END) = 0)',
        (low, high, low, high, *seen),
    ).fetchall()
    return np.fromiter((r[0] for r in found), dtype=np.int64, count=len(found))


def _conversations(connection: Connection, owner: OwnerRow, reach: Reach) -> list[int]:
    """Rows of the conversations that are runs which may be read."""
    return [
        row
        for row, id_ in connection.execute('SELECT row, id FROM conversation WHERE owner = ?', (owner.id,))
        if (reach.runs is None and not id_.startswith('add:')) or (reach.runs is not None and id_ in reach.runs)
    ]


def _matching(connection: Connection, owner: OwnerRow, name: LaneName, where: Filter) -> NDArray[np.int64]:
    low, high = row_range(owner.id)
    if name == 'memories':
        condition, values = compile_filter(connection, where, MEMORY_FIELDS, (low, high))
        sql = f'SELECT row FROM memory WHERE row BETWEEN ? AND ? AND {condition}'
    else:
        condition, values = compile_filter(connection, where, EPISODE_FIELDS, (low, high))
        sql = (
            'SELECT s.row FROM segment s JOIN episode e ON e.row = s.episode '
            f'WHERE s.row BETWEEN ? AND ? AND {condition}'
        )
    found = connection.execute(sql, (low, high, *values)).fetchall()
    return np.fromiter((r[0] for r in found), dtype=np.int64, count=len(found))


def _past(connection: Connection, owner: OwnerRow, moment: Moment, generation: Generation | None) -> Columns:
    """The versions that were believed, of facts that held, at another moment. Not cached: it is rarely asked."""
    condition, values = temporal(moment)
    found = connection.execute(
        f'SELECT row, run_key, length, valid_from FROM memory WHERE owner = ? AND {condition} ORDER BY row',
        (owner.id, *values),
    ).fetchall()
    rows = np.array([r[0] for r in found], dtype=np.int64)
    runs = sorted({r[1] for r in found})
    vectors, missing = None, np.ones(len(rows), dtype=np.bool_)
    if generation is not None:
        keys, all_vectors = vectors_sought(connection, 'memories', generation, owner.id)()
        vectors = np.zeros((len(rows), generation.dimensions), dtype=np.float32)
        _, mine, theirs = np.intersect1d(rows, keys, assume_unique=True, return_indices=True)
        vectors[mine] = all_vectors[theirs]
        missing[mine] = False
    return Columns(
        row=rows,
        length=np.array([r[2] for r in found], dtype=np.int64),
        at=np.array([r[3] for r in found], dtype=np.int64),
        live=np.ones(len(rows), dtype=np.bool_),
        vectors=vectors,
        missing=missing,
        run=np.array([runs.index(r[1]) for r in found], dtype=np.int64),
        runs=tuple(runs),
    )


_HIT: Final = (
    f'SELECT {", ".join(f"m.{name}" for name in MEMORY_COLUMNS.split(", "))}, u.uses, u.last_used_at FROM memory m '
    'LEFT JOIN usage u ON u.owner = m.owner AND u.memory = m.id '
)
_USES: Final = len(MEMORY_COLUMNS.split(', '))


def hits_sought(
    connection: Connection, plan: SearchPlan, ranked: Sequence[Ranked], lanes: Mapping[str, Lane]
) -> Callable[[Mapping[int, Owner]], list[tuple[Ranked, Hit]]]:
    """The rows of the best, given the owners by their numbers; to be looked at later."""
    keys = [(one, int(lanes[one.lane].key[one.row])) for one in ranked]
    facts = [key for one, key in keys if one.lane == 'memories']
    sought_rows = sought(connection, _HIT + 'WHERE m.row' if plan.uses else MEMORY + 'WHERE row', facts)
    sought_quotes = quotes_sought(connection, facts)
    sought_turns = _turns(connection, [key for one, key in keys if one.lane == 'episodes'], to_us(plan.moment.now))

    def look(known: Mapping[int, Owner]) -> list[tuple[Ranked, Hit]]:
        rows = sought_rows()
        memories = dict(zip((r[0] for r in rows), read_memories(connection, rows, known, sought_quotes), strict=True))
        uses = {row[0]: row[_USES:] for row in rows if row[_USES:] and row[_USES] is not None}
        segments, stale, ended, withheld = sought_turns(known)
        hits: list[tuple[Ranked, Hit]] = []
        for one, key in keys:
            if one.lane == 'memories':
                used = uses.get(key)
                told = one if used is None else one.used(used[0], from_us(used[1]))
                hits.append((told, Hit(memory=memories[key], score=one.score)))
            elif key in segments:
                turn, episode, first, last = segments[key]
                hit = Hit(episode=episode, start=first, end=last, score=one.score, stale=turn in stale)
                if turn in ended or turn in withheld:
                    hit = replace(hit, ended=tuple(ended.get(turn, ())), withheld=tuple(withheld.get(turn, ())))
                hits.append((one, hit))
        return hits

    return look


Spans: TypeAlias = dict[int, list[tuple[int, int]]]
_Segments: TypeAlias = dict[int, tuple[int, Episode, int, int]]
"""By row key: the message's row key, the message, and which part of it."""


def _turns(
    connection: Connection, segments: Sequence[int], now: int
) -> Callable[[Mapping[int, Owner]], tuple[_Segments, set[int], Spans, Spans]]:
    """Parts of messages, given whose they are, and what no longer holds of them: to be looked at later."""
    found = sought(connection, _PART + 'WHERE s.row', segments)
    no_longer = _no_longer(connection, segments, now)

    def look(known: Mapping[int, Owner]) -> tuple[_Segments, set[int], Spans, Spans]:
        parts: _Segments = {}
        episodes: dict[int, Episode] = {}
        for key, first, last, *row in found():
            turn = row[0]
            if turn not in episodes:
                (episodes[turn],) = read_episodes((row,), known[turn >> SEQ_BITS])
            parts[key] = turn, episodes[turn], first, last
        return parts, *no_longer()

    return look


def _no_longer(
    connection: Connection, segments: Sequence[int], now: int
) -> Callable[[], tuple[set[int], Spans, Spans]]:
    """Those messages none of whose facts still holds, and where in messages facts stand that don't, or are withheld."""
    found = sought(
        connection,
        'SELECT v.episode, m.row, m.status, m.valid_to, m.evidence, r.op, r.reasons FROM evidence v '
        'JOIN memory m ON m.row = v.memory LEFT JOIN review r ON r.owner = m.owner AND r.memory = m.id '
        'WHERE m.retired_at IS NULL '
        # What nobody decided on before it expired tells nothing of the message.
        "AND NOT (m.status = 'expired' AND EXISTS(SELECT 1 FROM memory p WHERE p.id = m.id AND p.owner = m.owner "
        "AND p.version = m.version - 1 AND p.status = 'pending')) "
        'AND v.episode IN (SELECT s.episode FROM segment s WHERE s.row',
        segments,
        ')',
    )

    def look() -> tuple[set[int], Spans, Spans]:
        holds: dict[int, bool] = {}
        ended: Spans = {}
        withheld: Spans = {}
        for (turn, _), (status, valid_to, spans, op, reasons) in {row[:2]: row[2:] for row in found()}.items():
            if status in ('pending', 'rejected'):  # nor does that, nor a wish to confirm or retract
                if status == 'rejected' or any(code.startswith(_WITHHOLDING) for code in json.loads(reasons or '[]')):
                    withheld.setdefault(turn, []).extend(_places(spans, turn))
            elif op not in ('confirm', 'retract'):
                holding = status == 'active' and (valid_to is None or valid_to > now)
                holds[turn] = holds.get(turn, False) or holding
                if not holding:
                    ended.setdefault(turn, []).extend(_places(spans, turn))
        return {turn for turn, holding in holds.items() if not holding}, ended, withheld

    return look


def _places(spans: str, turn: int) -> list[tuple[int, int]]:
    """Where in a message a fact stands, by its evidence."""
    return [(a, b) for row, a, b in json.loads(spans) if row == turn]


def _heard_sought(connection: Connection, owners: Sequence[int]) -> Callable[[], dict[int, list[str | None]]]:
    """The speakers of some owners by their numbers; None for names that were erased. To be looked at later."""
    found = sought(connection, 'SELECT owner, name FROM speaker WHERE owner', owners, ' ORDER BY ordinal')

    def look() -> dict[int, list[str | None]]:
        heard: dict[int, list[str | None]] = {owner: [] for owner in owners}
        for owner, name in found():
            heard[owner].append(name)
        return heard

    return look


def _names(heard: Mapping[int, Iterable[str | None]]) -> dict[str, int]:
    """The names of all of them, each with its number among all."""
    names = dict.fromkeys(name for own in heard.values() for name in own if name is not None)
    return {name: number for number, name in enumerate(names)}


def _renumber(heard: Sequence[str | None], speaker: NDArray[np.int64], names: Mapping[str, int]) -> NDArray[np.int64]:
    own = [-1 if name is None else names[name] for name in heard]
    if own == list(range(len(own))):
        return speaker
    return np.array([*own, -1], dtype=np.int64)[speaker]


def speakers(connection: Connection, reaches: Sequence[Reach]) -> list[str]:
    """Names that messages of these owners were said under, in the order that a lane's `speaker` counts them."""
    asked = [
        connection.ask(
            'SELECT s.name FROM speaker s JOIN owner o ON o.id = s.owner WHERE o.project = ? AND o.kind = ? '
            'AND o.key = ? ORDER BY s.ordinal',
            (reach.owner.project, reach.owner.kind, reach.owner.key),
        )
        for reach in reaches
    ]
    connection.last()
    return list(_names({number: [name for (name,) in found.fetchall()] for number, found in enumerate(asked)}))
