"""A search from question to hits: read the question, embed it, gather and rank in one snapshot of the store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast, get_args

from memoranda._bridge import Errand, may_block, wait_within
from memoranda._degraded import Straight, Without, recalling
from memoranda._precedence import first
from memoranda.checks import check_count, check_unit, storable
from memoranda.errors import InvalidInput, shown
from memoranda.recall.calibrate import Calibration, calibration_for
from memoranda.recall.query import Query, analyse
from memoranda.recall.rank import DEFAULT, Strategy, rank
from memoranda.recall.rerank import rerank
from memoranda.recall.telling import hinted, only_asks
from memoranda.recall.usage import note_recall, note_uses
from memoranda.records import Hit, Hits, MemoryRecord, now
from memoranda.stores.data import Generation, Moment, Ranked, SearchPlan

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.filters import Filter
    from memoranda.indexing import Indexer
    from memoranda.lanes import FloatVector, Lane, LaneName
    from memoranda.scope import Reach
    from memoranda.stores.index import Nearest

__all__ = ['SearchRequest', 'Strategy', 'after', 'answer', 'related', 'search']

OVERFETCH = 5
"""Rows read beyond the top k: the second stage reorders them by what only a row tells."""
WIDER = 8
WIDEST = 64
"""So many times as many rows are read at most for somebody who has asked the same again and again."""
MAX_QUERY_CHARS = 100_000
RELATED_CHARS = 2_000
MAX_PARTS = 6
"""Parts of a long batch that known memories are looked up for."""
_said_before: ContextVar[tuple[Future[None], float] | None] = ContextVar('memoranda_said_before', default=None)


@contextmanager
def after(said: Future[None], seconds: float) -> Generator[None]:
    """Searches in here look at the store once this is done, or took so long; what comes before they do meanwhile."""
    token = _said_before.set((said, seconds))
    try:
        yield
    finally:
        _said_before.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What is asked, and of whom."""

    query: str
    reaches: Sequence[Reach]
    moment: Moment
    include: Sequence[LaneName]
    top_k: int
    strategy: Strategy = 'hybrid'
    where: Filter | None = None
    min_score: float = 0.0
    explain: bool = False
    counted: bool = False
    """Whether the hits count as uses of the memories."""
    hearing: Errand[Sequence[str]] | None = None
    """Looks up the names that messages within reach were said under, where that has begun."""
    then: Callable[[Sequence[Hit]], None] | None = None
    """Called with the hits where they were found, on the store's thread. Of several calls the last one counts."""
    answers: bool = False
    """Whether messages that only ask something are left out: what was asked before answers nothing."""
    hints: float | None = None
    """The score from which on a passage below `min_score` is kept that may be the answer all the same (see `hinted`);
    None: none is."""
    nearest: bool = False
    """Whether what is most like the question is wanted as it is, not weighed against each other for a prompt."""

    @classmethod
    def checked(
        cls,
        *,
        query: object,
        reaches: Sequence[Reach],
        moment: Moment,
        include: object,
        top_k: object,
        strategy: object = 'hybrid',
        filters: Mapping[str, Any] | Filter | None = None,
        min_score: object = 0.0,
        explain: bool = False,
    ) -> SearchRequest:
        """A request from what a caller passed.

        Raises:
            InvalidInput: Something can't be used.
        """
        from memoranda.filters import parse

        if not isinstance(query, str) or not query.strip():
            raise InvalidInput(f'query={shown(query)} is empty or no text: pass a question or some words')
        if len(query) > MAX_QUERY_CHARS:
            raise InvalidInput(
                f'query has {len(query):,} characters, and {MAX_QUERY_CHARS:,} is the most: pass the question only'
            )
        if strategy not in get_args(Strategy):
            raise InvalidInput(f'strategy={shown(strategy)} is unknown: use one of {", ".join(get_args(Strategy))}')
        lanes = cast('Sequence[object]', include) if isinstance(include, Sequence) else ()
        if isinstance(include, str) or not lanes or any(i not in ('memories', 'episodes') for i in lanes):
            raise InvalidInput(
                f"include={shown(cast('object', include))} is not a list of 'memories' and 'episodes': pass one or both"
            )
        return cls(
            query=storable(query),
            reaches=reaches,
            moment=moment,
            include=tuple(cast('Sequence[LaneName]', dict.fromkeys(lanes))),
            top_k=check_count('top_k', top_k, 1, 1000),
            strategy=cast('Strategy', strategy),
            where=parse(filters),
            min_score=check_unit('min_score', min_score),
            explain=explain,
            # Who asks about the past looks into the history; that keeps nothing fresh.
            counted=moment.as_of is None and moment.known_at is None,
        )


async def answer(engine: Engine, request: SearchRequest) -> Hits:
    """The best hits, best first, for an agent that goes on without them where the engine's settings want that."""
    going, began = recalling(engine), perf_counter()
    try:
        hits = await search(engine, request, going)
    except Without:
        hits = []
    note_recall(engine, request.reaches, began, found=bool(hits))
    return Hits(hits, degraded=going.tell())


async def search(engine: Engine, request: SearchRequest, going: Straight | None = None) -> list[Hit]:
    """The best hits, best first.

    Args:
        engine: Where to look.
        request: What for.
        going: How to ask for what it takes; by default whatever fails is raised.

    Raises:
        Without: The storage fails, and `going` goes on without it.
    """
    # While a question is embedded or looked up elsewhere there is nothing to give way to.
    with first() if engine.embedder.local and engine.index is None else nullcontext():
        room = _Room()
        while True:
            hits = await _search(engine, request, going or Straight(engine), room)
            if not room.crowded:
                return hits
            room.widen()


@dataclass(slots=True)
class _Room:
    """How many rows a search reads.

    Somebody who asks the same again and again has more questions like it than a search reads rows, and behind them may
    be what answers it. Then more rows are read, within bounds.
    """

    wide: int = 1
    crowded: bool = False
    """Whether what was only asked took most of the places, and more rows may have something to say."""

    def rows(self, request: SearchRequest) -> int:
        # Passages and facts of the same turns stand beside each other, so both together need more rows.
        return request.top_k if request.nearest else (request.top_k + OVERFETCH) * len(request.include) * self.wide

    def look(self, request: SearchRequest, *, read: int, asked: int, told: int) -> None:
        full = self.wide < WIDEST and read >= self.rows(request)
        self.crowded = full and told < request.top_k and 2 * asked >= read

    def widen(self) -> None:
        self.wide, self.crowded = self.wide * WIDER, False


async def _search(
    engine: Engine, request: SearchRequest, going: Straight, room: _Room, *, again: bool = False
) -> list[Hit]:
    store, asked = engine.store, request
    semantic = request.strategy in ('hybrid', 'semantic')
    generation, (query, vectors) = await _asked(engine, request, going, semantic=semantic)
    if generation is None and semantic and engine.lacks_embedder and going.lacks_embedder():
        vectors = None
    if vectors is None:
        generation, vectors = None, ()
        if request.strategy == 'semantic':
            request = replace(request, strategy='keyword')
    nearest: Mapping[str, Nearest] | None = None
    if engine.index is not None and request.moment.as_of is None and request.moment.known_at is None:
        nearest = {}
        if generation is not None and vectors:
            asking = dict(zip(_texts(request, query), vectors, strict=False))
            nearest = await going.nearest(partial(_nearest, engine.index, request, asking, query.terms, generation.id))
        if nearest is None and engine.settings.index_fallback == 'keywords':
            generation, nearest, vectors = None, {}, ()
            if request.strategy == 'semantic':
                request = replace(request, strategy='keyword')
    calibration = calibration_for(generation.embedder if generation else None)
    stale = False

    def order(lanes: Sequence[Lane]) -> Sequence[Ranked]:
        nonlocal stale
        stale = bool(vectors) and all(lane.dense is None for lane in lanes)
        return _rank(lanes, query, request, calibration, room)

    def finish(pairs: Sequence[tuple[Ranked, Hit]]) -> list[Hit]:
        hits = _finish(pairs, request, room)
        if request.then is not None and not room.crowded:
            request.then(hits)
        return hits

    plan = SearchPlan(
        reaches=request.reaches,
        moment=request.moment,
        lanes=request.include,
        terms=query.terms if request.strategy in ('hybrid', 'keyword') else (),
        vectors=dict(zip(_texts(request, query), vectors, strict=False)),
        generation=generation.id if generation else None,
        nearest=nearest,
        where=request.where,
        rank=order,
        finish=finish,
        uses=request.counted and request.strategy == 'hybrid' and not request.nearest,
    )
    if (said := _said_before.get()) is not None:
        await wait_within(*said)
    hits = await going.read(lambda: store.search(plan))
    if stale and not again:  # another process has switched to new vectors since this one last looked
        await going.read(lambda: engine.generation(fresh=True))
        return await _search(engine, asked, going, room, again=True)
    if request.counted:
        note_uses(engine, (hit.memory for hit in hits if hit.memory is not None), request.moment.now)
    return hits


async def _asked(
    engine: Engine, request: SearchRequest, going: Straight, *, semantic: bool
) -> tuple[Generation | None, tuple[Query, Sequence[FloatVector] | None]]:
    """The vectors to compare with, and the question: read, and embed with them.

    The storage is asked meanwhile what is seldom otherwise: that the vectors are still the same, and that nobody said
    anything under a name.
    """
    now = request.moment.as_of or request.moment.now

    async def ask(generation: Generation | None, speakers: Sequence[str]) -> tuple[Query, Sequence[FloatVector] | None]:
        def read() -> Query:
            return analyse(request.query, speakers=speakers, now=now)

        if generation is not None:
            return await going.ask(read, lambda query: list(_texts(request, query).values()))
        return await engine.ask(read, lambda _: ())

    hearing, looking = request.hearing, None
    try:
        if hearing is None and 'episodes' in request.include:
            hearing = going.begin(lambda: engine.store.speakers(request.reaches))
        looking = going.begin(engine.generation) if semantic else None
        guess = engine.last_generation if semantic else None
        early = None
        # A blocking caller embeds on its own thread, which wins nothing by this.
        expected = not engine.named.known(request.reaches) and (guess is not None or not semantic)
        if expected and not may_block():
            early = await ask(guess, ())
        generation = await going.end(looking) if looking is not None else None
        speakers = await going.end(hearing) if hearing is not None else ()
    finally:
        for errand in (hearing, looking):
            if errand is not None:
                errand.cancel()
    if speakers:
        engine.named.note(request.reaches)
    if early is None or speakers or generation != guess:
        return generation, await ask(generation, speakers)
    return generation, early


async def related(engine: Engine, reach: Reach, text: str, *, limit: int, semantic: bool) -> list[MemoryRecord]:
    """Current memories that a text may be about, for whoever reads it.

    Args:
        engine: Where they are.
        reach: Whose.
        text: What was said; of one longer than `RELATED_CHARS * MAX_PARTS` the end counts, for a change of mind comes
            last.
        limit: How many.
        semantic: Whether to look for what means the same, besides the same words.

    Returns:
        Those nearest to any part of it, the nearest to each part first.
    """
    begins = range(max(0, len(text) - RELATED_CHARS * MAX_PARTS), len(text), RELATED_CHARS)
    found: list[list[MemoryRecord]] = []
    for begin in begins:
        part = text[begin : begin + RELATED_CHARS]
        if not part.strip():
            continue
        request = SearchRequest(
            query=part,
            reaches=[reach],
            moment=Moment(now=now()),
            include=('memories',),
            top_k=limit,
            strategy='hybrid' if semantic else 'keyword',
            nearest=True,
        )
        found.append([hit.memory for hit in await search(engine, request) if hit.memory is not None])
    chosen: dict[str, MemoryRecord] = {}
    for rank_of_all in zip_longest(*found):
        for memory in rank_of_all:
            if memory is not None and len(chosen) < limit:
                chosen.setdefault(memory.id, memory)
    return list(chosen.values())


async def _nearest(
    index: Indexer,
    request: SearchRequest,
    vectors: Mapping[LaneName, FloatVector],
    terms: Sequence[str],
    generation: int,
) -> Mapping[str, Nearest] | None:
    return await index.nearest(request.reaches, vectors, terms, generation=generation, top_k=request.top_k)


def _texts(request: SearchRequest, query: Query) -> dict[LaneName, str]:
    """What to embed for each lane: people say of themselves `I` what facts say of them in the third person."""
    texts: dict[LaneName, str] = {'memories': query.dense_text, 'episodes': query.dense_text_first_person}
    return {lane: texts[lane] for lane in request.include}


def _rank(
    lanes: Sequence[Lane], query: Query, request: SearchRequest, calibration: Calibration, room: _Room
) -> Sequence[Ranked]:
    return rank(
        query,
        lanes,
        strategy=request.strategy,
        top_k=room.rows(request),
        now=request.moment.as_of or request.moment.now,
        calibration=calibration,
        explain=request.explain,
    )


def _finish(pairs: Sequence[tuple[Ranked, Hit]], request: SearchRequest, room: _Room) -> list[Hit]:
    if request.nearest:
        return [hit for _, hit in pairs[: request.top_k]]
    relevant = [pair for pair in pairs if pair[0].score >= request.min_score]
    if request.answers:
        told = [pair for pair in relevant if pair[1].episode is None or not only_asks(pair[1].text)]
        room.look(request, read=len(pairs), asked=len(relevant) - len(told), told=len(told))
        relevant = told
    if request.hints is not None and len(relevant) < request.top_k:
        relevant = [*relevant, *hinted(pairs, relevant, request.query, least=request.hints)]
    # Asked about the past, what has been superseded since is what is wanted.
    past = request.moment.as_of is not None or request.moment.known_at is not None
    chosen = rerank(
        relevant,
        top_k=request.top_k,
        strategy=request.strategy,
        include=request.include,
        now=request.moment.as_of or request.moment.known_at or request.moment.now,
        weights=replace(DEFAULT, stale=0.0) if past else DEFAULT,
    )
    if not request.explain:
        return [hit if hit.score == ranked.score else replace(hit, score=ranked.score) for ranked, hit in chosen]
    return [replace(hit, score=ranked.score, why={**ranked.parts, 'order': ranked.order}) for ranked, hit in chosen]
