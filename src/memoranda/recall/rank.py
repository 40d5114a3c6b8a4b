"""The order of the candidates: keywords and meaning fused, then what their surroundings, speaker and time say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, log, log1p, sqrt
from typing import Literal, TypeAlias

import numpy as np

from memoranda.lanes import ASSISTANT, USER, Bools, Floats, FloatVector, Ints, Lane, Posting, Rest
from memoranda.recall.calibrate import GENERIC, Calibration
from memoranda.recall.query import Query, Window
from memoranda.stores.data import Ranked

__all__ = ['ADDENDS', 'DEFAULT', 'Strategy', 'Weights', 'rank']

Strategy: TypeAlias = Literal['hybrid', 'semantic', 'keyword', 'recency']
"""
- `hybrid`: keywords and meaning fused, with everything `Weights` lists
- `semantic`: by cosine alone; rows without a vector are left out
- `keyword`: by BM25 alone; rows that hold no word of the question are left out
- `recency`: newest first
"""

ADDENDS = ('meaning', 'words', 'neighbours', 'length', 'speaker', 'role', 'time', 'recency', 'conversation', 'fact')
"""The entries of `Ranked.parts` that add up to `Ranked.order` in a hybrid search. Beside them stand the raw figures
`cosine`, `bm25` and `coverage` (the share of the question's words found, weighted by how rare they are)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The numbers of ranking, in units of one standard deviation of a candidate's keyword or cosine score.

    Measured with the bundled embedder on five conversations of LoCoMo (turns, questions of categories 1 to 4): R@10 is
    78.3, 80.2 on the three they were first chosen on and 75.0 on the other two, which had a say only in `peak`, `near`,
    `conversation`, `fact`, `link` and `repeat`. A third more or less of any of them moves R@10 by at most one point.
    What couldn't be measured there says so.
    """

    k1: float = 1.2
    """BM25's saturation of repeated words: 0.9 to 1.5 make no difference."""
    b: float = 0.75
    """BM25's length normalisation: 0.4 gives +0.4 R@10 on short turns, and fails where messages are long."""
    meaning: float = 0.8
    """Of the cosines. Without them -1.8 R@10."""
    words: float = 1.0
    """Of BM25. Without it -6.4 R@10."""
    peak: float = 5.0
    """No keyword or cosine score is more than this: a word held by 3 rows of 10,000 would else silence the
    rest. +1.7 R@10, and more among many rows."""
    near: float = 0.35
    """Share of a neighbour's positive score that a turn is lent: +5.7 R@10 together with the next."""
    far: float = 0.175
    """The same from the turn after next."""
    length: float = 0.3
    """Of log(1 + words), up to `long` words: `Cool!` seldom answers anything. +0.5 MRR."""
    long: int = 20
    speaker: float = 2.0
    """For a turn of the person the question names: +3.7 R@10, +6 MRR."""
    role: float = 0.8
    """Taken from what was not said by a user, unless the question asks for it. Unmeasured here."""
    asked_role: float = 2.0
    """For a turn of the assistant when the question asks what it said. Unmeasured here."""
    time: float = 4.0
    """For what was said, or began to hold, in the time the question names: +2.1 R@10."""
    time_least: float = 0.25
    """Share of it that needs no relevance, for `what happened last week?`; a half to none makes no difference."""
    time_full: float = 1.5
    """The relevance that earns all of it, so that `plan this weekend` isn't answered by whatever was said today."""
    time_after: float = 10.0
    """Days after that time in which it still counts 1/e: people tell afterwards."""
    time_before: float = 3.0
    """Days before it."""
    recency: float = 0.2
    """For something of this moment, half of it at `half_life`, a third after twice that: it breaks ties."""
    half_life: float = 30.0
    """Days."""
    conversation: float = 0.1
    """Share of the best score that its whole conversation is lent: +1.1 R@10."""
    fact: float = 0.5
    """For a memory beside turns: 0 to 2 make no difference to R@10."""
    link: float = 0.3
    """Share of its order that a fact lends the turns it was drawn from, and they it: +2 R@10, +5 MRR."""
    repeat: float = 6.0
    """Taken from a turn whose fact stands above it, and the other way round: +2 R@10."""
    duplicate: float = 3.0
    """Taken from a text that says nearly the same as one above it. Unmeasured."""
    stale: float = 4.0
    """Taken from a turn whose facts have all been superseded or retracted since. Unmeasured."""
    importance: float = 0.4
    """Between a memory of importance 0 and one of 1. Unmeasured, like the four below."""
    decay: float = 0.1
    """The part of `importance` that fades when a memory is neither said nor recalled (`usage.retention`). Kept small:
    no data at hand shows that fading helps. LoCoMo, whose conversations span months, doesn't tell 0 from 0.4."""
    confidence: float = 0.5
    """Between a confidence of 0 and one of 1."""
    pinned: float = 0.3
    trust: float = 0.2
    """Taken for each step down from the user's own words: the assistant's, a tool's, an outsider's."""


DEFAULT = Weights()

_DAY = 86_400.0
_NO_PARTS: Mapping[str, float] = {}
_NONE: FloatVector = np.empty(0, dtype=np.float32)
_BACKGROUND = 50
"""Rows that hold none of the words, imagined beside the real ones, so that two memories don't make a rare word."""


def rank(
    query: Query,
    lanes: Sequence[Lane],
    *,
    strategy: Strategy = 'hybrid',
    top_k: int,
    now: datetime,
    weights: Weights = DEFAULT,
    calibration: Calibration = GENERIC,
    explain: bool = True,
) -> list[Ranked]:
    """Order the candidates of all lanes in one list.

    A row is a candidate of a hybrid search when it has a vector, holds a word of the question, stands beside a row
    that does, or lies in the time the question names.

    Args:
        query: The question, read.
        lanes: At most one of each name. Only allowed rows count, for anything.
        strategy: What decides the order.
        top_k: How many to return; fewer when there are fewer candidates.
        now: What recency is relative to.
        weights: See `Weights`.
        calibration: Of the embedder that made the vectors; only the reported score depends on it.
        explain: Whether to tell the parts of each order; without them `Ranked.parts` is empty.

    Returns:
        Best first. Equal ones: memories before episodes, then the larger row key first.
    """
    views = [view for lane in lanes if (view := _View.of(lane)) is not None]
    if not views or top_k <= 0:
        return []
    _match_words(query, views, weights)
    if strategy == 'hybrid':
        _fuse(query, views, weights, now.timestamp())
    elif strategy == 'recency':
        for view in views:
            view.only('recency', view.at, None)
    else:
        for view in views:
            if strategy == 'keyword':
                view.only('words', view.bm25, view.bm25 > 0)
            elif view.cosine is not None:
                view.only('meaning', view.cosine, ~view.blind)
            else:
                view.only('meaning', view.bm25, np.zeros(len(view), dtype=np.bool_))
    found = [item for view in views for item in view.best(top_k, strategy, calibration, explain)]
    found.sort(key=lambda item: (-item[0].order, item[0].lane != 'memories', -item[1]))
    return [ranked for ranked, _ in found[:top_k]]


class _View:
    """The allowed rows of a lane, packed, and what is found out about them."""

    def __init__(self, lane: Lane, rows: Ints | None) -> None:
        self.lane = lane
        self.rows = rows
        """Indices of the allowed rows; None when all of them are."""
        count = len(lane) if rows is None else len(rows)
        self.length = lane.length if rows is None else lane.length[rows]
        self.at = lane.at if rows is None else lane.at[rows]
        self.cosine = lane.dense if rows is None or lane.dense is None else lane.dense[rows]
        self.blind: Bools = np.ones(count, dtype=np.bool_) if self.cosine is None else np.isnan(self.cosine)
        """Rows without a vector."""
        self.sighted = not self.blind.any()
        """Whether there are none."""
        self.bm25 = np.zeros(count, dtype=np.float32)
        self.coverage = np.zeros(count, dtype=np.float32)
        self.order: FloatVector | Floats = np.zeros(count, dtype=np.float32)
        self.candidate: Bools | None = None
        """Rows that may be returned; None for all."""
        self.parts: dict[str, FloatVector | Floats] = {}

    @staticmethod
    def of(lane: Lane) -> _View | None:
        """The view of a lane; None when it has no allowed row."""
        if lane.allowed.all():
            return _View(lane, None) if len(lane) else None
        rows = np.flatnonzero(lane.allowed)
        return _View(lane, rows) if len(rows) else None

    def __len__(self) -> int:
        return len(self.bm25)

    def postings(self, terms: Sequence[str]) -> dict[str, Posting]:
        """The lane's postings among the allowed rows, by their place in this view."""
        found = {t: p for t in terms if (p := self.lane.postings.get(t)) is not None and len(p[0])}
        if self.rows is None or not found:
            return found
        place = np.full(len(self.lane), -1, dtype=np.int64)
        place[self.rows] = np.arange(len(self.rows))
        packed: dict[str, Posting] = {}
        for term, (rows, counts) in found.items():
            places = place[rows]
            seen = places >= 0
            if seen.any():
                packed[term] = places[seen], counts[seen]
        return packed

    def column(self, values: Ints | None) -> Ints | None:
        """A column of the lane, packed."""
        return values if values is None or self.rows is None else values[self.rows]

    def only(self, name: str, values: FloatVector | Floats, candidate: Bools | None) -> None:
        """Order by one thing."""
        self.order, self.parts, self.candidate = values, {name: values}, candidate

    def add(self, name: str, values: FloatVector) -> None:
        """One more addend of the order."""
        self.order = self.order + values if self.parts else values
        self.parts[name] = self.parts[name] + values if name in self.parts else values

    def best(self, top_k: int, strategy: Strategy, calibration: Calibration, explain: bool) -> list[tuple[Ranked, int]]:
        """The first candidates with their row keys, best first."""
        if self.candidate is None:
            places, order = np.arange(len(self)), self.order
        else:
            places = np.flatnonzero(self.candidate)
            order = self.order[places]
        if len(places) > top_k:
            last = np.partition(order, len(order) - top_k)[len(order) - top_k]
            among = np.flatnonzero(order >= last)  # all of those equal to the last, for the key to decide
            places, order = places[among], order[among]
        rows = places if self.rows is None else self.rows[places]
        keys = self.lane.key[rows]
        chosen = np.lexsort((-keys, -order))[:top_k]
        places, rows, keys = places[chosen], rows[chosen], keys[chosen]
        cosine = self.cosine[places] if self.cosine is not None and strategy != 'keyword' else None
        coverage = self.coverage[places] if strategy != 'semantic' else None
        score = np.zeros(len(places)) if cosine is None and coverage is None else calibration.score(cosine, coverage)
        columns = zip(rows.tolist(), order[chosen].tolist(), score.tolist(), keys.tolist(), strict=True)
        parts = self._explained(places) if explain else [_NO_PARTS] * len(places)
        return [
            (Ranked(self.lane.name, row, order, value, why), key)
            for (row, order, value, key), why in zip(columns, parts, strict=True)
        ]

    def _explained(self, places: Ints) -> list[dict[str, float]]:
        raw = {'bm25': self.bm25, 'coverage': self.coverage} | ({} if self.cosine is None else {'cosine': self.cosine})
        columns = {name: values[places].tolist() for name, values in (self.parts | raw).items()}
        return [
            {name: v for name, column in columns.items() if (v := column[i]) == v and (v or name in raw)}
            for i in range(len(places))
        ]


def _match_words(query: Query, views: Sequence[_View], weights: Weights) -> None:
    """BM25 (Robertson et al., TREC-3; idf of Lucene) and the share of the question's words, with the union's idf."""
    total = sum(len(view) for view in views)
    found = [view.postings(query.terms) for view in views]
    idf: dict[str, float] = {}
    share: dict[str, float] = {}
    for term in query.terms:
        held = sum(len(postings[term][0]) for postings in found if term in postings)
        idf[term] = log1p((total - held + 0.5) / (held + 0.5))
        share[term] = log((total + _BACKGROUND + 1) / (held + 1))
    for view, postings in zip(views, found, strict=True):
        terms: Sequence[str] = query.terms
        if view.lane.name == 'episodes':
            terms = [t for t in terms if t not in query.speaker_terms] or terms
        if not postings:
            continue
        mean = float(view.length.sum()) / len(view) or 1.0  # `mean` takes longer than all the rest where rows are few
        base = (weights.k1 * (1 - weights.b)) + (weights.k1 * weights.b / mean) * view.length.astype(np.float32)
        for term in terms:
            if term in postings:
                places, counts = postings[term]
                count = counts.astype(np.float32)
                view.bm25[places] += np.float32(idf[term] * (weights.k1 + 1)) * count / (count + base[places])
                view.coverage[places] += np.float32(share[term])
        view.coverage /= np.float32(sum(share[term] for term in terms))


def _fuse(query: Query, views: Sequence[_View], weights: Weights, now: float) -> None:
    words = _standard([view.bm25 for view in views], weights.peak)
    seen = [_NONE if v.cosine is None else v.cosine if v.sighted else v.cosine[~v.blind] for v in views]
    meaning = _standard(seen, weights.peak, [view.lane.rest for view in views])
    for view, word, mean in zip(views, words, meaning, strict=True):
        view.add('words', np.float32(weights.words) * word)
        if view.sighted and len(mean) == len(view):
            view.add('meaning', np.float32(weights.meaning) * mean)
        elif len(mean):
            spread = np.zeros(len(view), dtype=np.float32)
            spread[~view.blind] = np.float32(weights.meaning) * mean[: len(mean) - (view.lane.rest is not None)]
            if view.lane.rest is not None:  # those that weren't compared are like what a sample of them is
                spread[view.blind] = np.float32(weights.meaning) * mean[-1]
            view.add('meaning', spread)
        candidate = None if view.sighted else ~view.blind | (view.bm25 > 0)
        if view.lane.name == 'episodes':
            lent = _add_surroundings(query, view, weights)
            candidate = None if candidate is None else candidate | lent
        elif len(views) > 1:
            view.add('fact', np.full(len(view), weights.fact, dtype=np.float32))
        if query.time is not None:
            near = _in_time(query.time, view.at, weights)
            relevance = np.zeros(len(view), dtype=np.float32)
            for name in view.parts.keys() & {'words', 'meaning', 'neighbours'}:
                relevance += view.parts[name]
            earned = np.clip(relevance / np.float32(weights.time_full), weights.time_least, 1, dtype=np.float32)
            view.add('time', np.float32(weights.time) * near * earned)
            candidate = None if candidate is None else candidate | (near == 1)
        age = np.maximum(now - view.at, 0) / (weights.half_life * _DAY)
        view.add('recency', (weights.recency / (1 + age)).astype(np.float32))
        view.candidate = candidate
        if view.lane.name == 'episodes' and weights.conversation:
            _lend_to_conversation(view, weights)


def _standard(columns: Sequence[FloatVector], peak: float, rests: Sequence[Rest | None] = ()) -> list[FloatVector]:
    """z-scores over the union, none above the peak; zeros where all are equal.

    With `rests`, what is known of further values of each column counts, and its mean's z-score comes last.
    """
    known = [rest for rest in rests if rest is not None]
    count = sum(len(c) for c in columns) + sum(rest.count for rest in known)
    if not count:
        return list(columns)
    total = sum(float(c.sum(dtype=np.float64)) for c in columns) + sum(rest.count * rest.mean for rest in known)
    mean = total / count
    squares = sum(float(np.square(c - np.float32(mean)).sum(dtype=np.float64)) for c in columns)
    squares += sum(rest.count * (rest.spread**2 + (rest.mean - mean) ** 2) for rest in known)
    spread = sqrt(squares / count)
    highest = max((float(c.max()) for c in columns if len(c)), default=0.0)
    unit = max(spread, (highest - mean) / peak)
    if known:
        columns = [
            c if rest is None else np.append(c, np.float32(rest.mean)) for c, rest in zip(columns, rests, strict=True)
        ]
    if unit < 1e-6:
        return [np.zeros(len(c), dtype=np.float32) for c in columns]
    return [(c - np.float32(mean)) * np.float32(1 / unit) for c in columns]


def _add_surroundings(query: Query, view: _View, weights: Weights) -> Bools:
    """What a turn gains from its neighbours, its speaker, its role and its length; returns who got something lent."""
    lane = view.lane
    lent = np.zeros(len(view), dtype=np.float32)
    conversation, position = view.column(lane.conversation), view.column(lane.position)
    if conversation is not None and position is not None and (weights.near or weights.far):
        lent = _lend_to_neighbours(np.maximum(view.order, 0, dtype=np.float32), conversation, position, weights)
        view.add('neighbours', lent)
    if weights.length:
        words = np.minimum(view.length, weights.long).astype(np.float32)
        view.add('length', np.float32(weights.length) * np.log1p(words))
    speaker, role = view.column(lane.speaker), view.column(lane.role)
    if speaker is not None and query.speaker_name is not None and query.speaker_name in lane.speakers:
        # By name: the query was read before this snapshot was taken.
        named = speaker == lane.speakers.index(query.speaker_name)
        view.add('speaker', named * np.float32(weights.speaker))
    if role is not None:
        if query.wants_role == 'assistant':
            view.add('role', (role == ASSISTANT) * np.float32(weights.asked_role))
        else:
            view.add('role', (role != USER) * np.float32(-weights.role))
    return lent > 0


def _lend_to_neighbours(positive: FloatVector, conversation: Ints, position: Ints, weights: Weights) -> FloatVector:
    """Shares of the positive scores of the turns one and two places away."""
    lent = np.zeros(len(positive), dtype=np.float32)
    sort = None
    if len(position) > 1 and not _in_order(conversation, position):
        sort = np.lexsort((position, conversation))
        positive, conversation, position = positive[sort], conversation[sort], position[sort]
    for step in (1, 2):
        if len(positive) <= step:
            break
        together = conversation[step:] == conversation[:-step]
        apart = position[step:] - position[:-step]
        share = np.float32(weights.near) * (apart <= 1) + np.float32(weights.far) * (apart == 2)
        share *= together
        lent[step:] += share * positive[:-step]
        lent[:-step] += share * positive[step:]
    if sort is None:
        return lent
    back = np.empty_like(lent)
    back[sort] = lent
    return back


def _in_order(conversation: Ints, position: Ints) -> bool:
    later = conversation[1:] > conversation[:-1]
    return bool((later | ((conversation[1:] == conversation[:-1]) & (position[1:] > position[:-1]))).all())


def _in_time(window: Window, at: Floats, weights: Weights) -> FloatVector:
    """1 inside the window, falling off on either side."""
    near = np.ones(len(at), dtype=np.float32)
    after = at >= window.until
    near[after] = np.exp((window.until - at[after]) / (weights.time_after * _DAY))
    if window.begin > -inf:
        before = at < window.begin
        near[before] = np.exp((at[before] - window.begin) / (weights.time_before * _DAY))
    return near


def _lend_to_conversation(view: _View, weights: Weights) -> None:
    """Lends a share of the best turn's score to the other turns of its conversation."""
    conversation = view.column(view.lane.conversation)
    if conversation is None or (view.candidate is not None and not view.candidate.any()):
        return
    order = view.order if view.candidate is None else np.where(view.candidate, view.order, -np.inf)
    best = int(order.argmax())
    if order[best] > 0:
        share = np.float32(weights.conversation * float(order[best]))
        view.add('conversation', (conversation == conversation[best]) * share)
