"""What recall would give for a question, candidate by candidate: for whoever tunes it, without counting as a recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from memoranda.checks import check_count
from memoranda.errors import InvalidScope
from memoranda.records import ContextBlock, Hit, now
from memoranda.stores.data import Moment

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.lanes import LaneName
    from memoranda.memory import AsyncMemory
    from memoranda.recall.search import Strategy

__all__ = ['PURPOSE', 'Candidate', 'Part', 'Place', 'Rehearsal', 'rehearse']

PURPOSE: Final = 'rehearsal'
"""How the read log tells of it."""
Place = Literal['always', 'relevant', 'unconfirmed', 'left out']
"""Where in the block a candidate stands."""
_RAW: Final = ('cosine', 'bm25', 'coverage', 'order')


@dataclass(frozen=True, slots=True)
class Part:
    """One addend of a candidate's order."""

    name: str
    """As in `recall.rank.ADDENDS` and `recall.rerank.LATE_ADDENDS`."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A memory or passage that was found, with what its place and its score are made of."""

    hit: Hit
    place: Place
    order: float
    """What the list is sorted by: the sum of the parts. Comparable within one question only."""
    parts: tuple[Part, ...]
    """The largest first, whatever their sign."""
    cosine: float | None
    """How alike question and candidate are to the embedder, -1..1; None without a vector."""
    coverage: float
    """The share of the question's words that it holds, weighted by how rare they are: 0..1."""
    bm25: float
    by_meaning: float | None
    """What the cosine alone makes of the score: 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The answer to a question, in both forms."""

    candidates: tuple[Candidate, ...]
    """Best first."""
    block: ContextBlock
    """What an agent would be given."""
    degraded: str | None
    """What it had to do without, as in `Hits`."""


async def rehearse(
    memory: AsyncMemory,
    query: str,
    *,
    include: Sequence[LaneName] = ('memories', 'episodes'),
    strategy: Strategy = 'hybrid',
    where: Filter | None = None,
    candidates: int = 20,
    top_k: int = 12,
    max_tokens: int = 800,
    shared: bool = True,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Rehearsal:
    """Ask as an agent does, and tell why the answer is what it is.

    Nothing is counted as recalled, so that looking doesn't change what is looked at. The read log tells of it.

    Args:
        memory: A view that is bound to whom the question is about.
        query: The question.
        include: What is searched.
        strategy: How the candidates are ranked; the block is always made by `hybrid`, as `context` does.
        where: Which memories and messages count.
        candidates: How many to tell of, 1 to 100.
        top_k: How many the block may be made of, as in `context`.
        max_tokens: Of the block.
        shared: Whether the block has what the project shares.
        as_of: What held then instead of now.
        known_at: What was believed then instead of now.

    Raises:
        InvalidInput: Something can't be used.
        InvalidScope: The view is bound to nobody.
    """
    from memoranda.recall.block import build
    from memoranda.recall.search import SearchRequest, answer

    scope = memory.bound_to
    if scope is None:
        raise InvalidScope('a question is about somebody: use a view that is bound to a scope, as scoped() gives it')
    reaches = [  # as `context` reads: without a run, no run is meant
        replace(reach, runs=()) if reach.owner.kind == 'user' and scope.run_id is None else reach
        for reach in scope.reaches(memory.project, shared=shared)
    ]
    request = SearchRequest.checked(
        query=query,
        reaches=reaches,
        moment=Moment(now=now(), as_of=as_of, known_at=known_at),
        include=include,
        top_k=check_count('top_k', top_k, 1, 100),
        filters=where,
        explain=True,
    )
    request = replace(request, counted=False)
    most = check_count('candidates', candidates, 1, 100)
    max_tokens = check_count('max_tokens', max_tokens, 50, 100_000)
    wide = SearchRequest.checked(query=query, reaches=reaches, moment=request.moment, include=include, top_k=most,
                                 strategy=strategy, filters=where, explain=True)  # fmt: skip
    found = await answer(memory.engine, replace(wide, counted=False, answers=strategy == 'hybrid'))
    block = await build(memory.engine, request, max_tokens=max_tokens)
    await _note(memory, found, block)
    score = await _meaning(memory, found)
    told = tuple(_candidate(hit, block, by) for hit, by in zip(found, score, strict=True))
    return Rehearsal(candidates=told, block=block, degraded=found.degraded or block.degraded)


def _candidate(hit: Hit, block: ContextBlock, by_meaning: float | None) -> Candidate:
    why = hit.why or {}
    parts = sorted((Part(n, float(v)) for n, v in why.items() if n not in _RAW), key=lambda p: -abs(p.value))
    cosine = why.get('cosine')
    return Candidate(
        hit=hit,
        place=_place(hit, block),
        order=float(why.get('order', 0.0)),
        parts=tuple(parts),
        cosine=None if cosine is None else float(cosine),
        coverage=float(why.get('coverage', 0.0)),
        bm25=float(why.get('bm25', 0.0)),
        by_meaning=by_meaning,
    )


def _place(hit: Hit, block: ContextBlock) -> Place:
    if hit.memory is not None and any(m.id == hit.memory.id for m in block.standing):
        return 'always'
    if any(_same(hit, other) for other in block.relevant):
        return 'relevant'
    return 'unconfirmed' if any(_same(hit, other) for other in block.unconfirmed) else 'left out'


def _same(a: Hit, b: Hit) -> bool:
    return a.id == b.id and (a.memory is not None or (a.start, a.end) == (b.start, b.end))


async def _meaning(memory: AsyncMemory, found: Sequence[Hit]) -> list[float | None]:
    """What the cosines alone say, by the calibration of the embedder."""
    import numpy as np

    from memoranda.recall.calibrate import calibration_for

    generation = await memory.engine.generation() if found else None
    calibration = calibration_for(generation.embedder if generation else None)
    cosines = [(hit.why or {}).get('cosine') for hit in found]
    return [
        None if cosine is None else float(calibration.score(np.array([cosine], dtype=np.float32), None)[0])
        for cosine in cosines
    ]


async def _note(memory: AsyncMemory, found: Sequence[Hit], block: ContextBlock) -> None:
    reads = memory.engine.reads
    if reads is not None:
        from memoranda.consent.readlog import Reader

        hits = [*found, *block.relevant, *block.unconfirmed]
        await reads.note(
            Reader(memory.actor or 'caller', ''),
            PURPOSE,
            memories=[*block.standing, *(hit.memory for hit in hits if hit.memory is not None)],
            messages=[hit.episode for hit in hits if hit.episode is not None],
        )
