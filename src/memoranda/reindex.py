"""A new embedding generation, built while the old one answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from memoranda._bridge import wait_for
from memoranda._precedence import for_job
from memoranda.checks import check_flag
from memoranda.errors import Conflict, EmbedderMismatch, InvalidInput, StoreBusy, StoreError, shown
from memoranda.stores.generation import Generation
from memoranda.stores.walks import Walk

if TYPE_CHECKING:
    from memoranda.embedders import Embedder
    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector
    from memoranda.stores.data import Stats

__all__ = ['ReindexProgress', 'catch_up', 'reindex']

log = logging.getLogger('memoranda')
T = TypeVar('T')

_ROUNDS: Final = 1_000
_ROWS: Final = 256
"""Rows that are read, embedded and written at once: what a kill costs at most."""
_STEP: Final = 16
"""Texts that a local embedder takes in one go: more are hardly faster, and a search that comes meanwhile waits."""
_REQUEST: Final = 64
"""Texts of one request to a remote embedder; those of a batch are asked at once."""
_TRIES: Final = 6
"""Of a request that fails: the waits between them come to half a minute."""
_FIRST_WAIT: Final = 1.0
"""Seconds; each further wait is twice as long."""
_BEGINNINGS: Final = (4_000, 1_000, 250)
"""Characters that are embedded of a text which the embedder refuses as a whole."""
_MOMENTS: Final = 15
"""How often to wait for a moment in which nobody writes, while a long erasure may be under way."""
_DROPPED_AT_ONCE: Final = 2_000
_OWNERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexProgress:
    """How far a reindex has come."""

    embedder: str
    done: int
    """Texts that have their new vector: facts in all their versions, and passages of messages."""
    total: int
    embedded: int
    """Of these, in this run."""
    rows_per_second: float
    seconds_left: float | None
    """At this speed; None before there is one."""


async def reindex(
    engine: Engine,
    *,
    embedder: Any = None,
    progress: Callable[[ReindexProgress], None] | None = None,
    rate: float | None = None,
    discard: bool = False,
    anew: bool = False,
) -> int:
    """Embed every text with an embedder, then switch to these vectors in one transaction. See `AsyncMemory.reindex`.

    Returns:
        How many texts were embedded.
    """
    from memoranda.embedders import resolve_embedder

    rate = _check_rate(rate)
    discard, anew = check_flag('discard', discard), check_flag('anew', anew)
    maker = engine.embedder if embedder is None else engine.adopt(resolve_embedder(embedder))
    with for_job():
        run = _Run(engine, maker, progress, rate)
        return await run.work(discard=discard, anew=anew)


async def catch_up(engine: Engine) -> int:
    """Give those rows a vector whose writers lack the embedder that made the others, and drop what a switch left.

    Returns:
        How many texts were embedded.
    """
    done = 0
    while (generation := await engine.generation()) and (walk := await engine.store.lacking(limit=_OWNERS)):
        done += await _Run(engine, engine.embedder, None, None).fill(generation, walk)
        await engine.store.settle_lacking(walk)
    while not await engine.store.drop_old_vectors(limit=_DROPPED_AT_ONCE):
        pass
    return done


class _Run:
    """One run of a reindex."""

    def __init__(
        self,
        engine: Engine,
        embedder: Embedder,
        progress: Callable[[ReindexProgress], None] | None,
        rate: float | None,
    ) -> None:
        self._engine, self._store, self._embedder = engine, engine.store, embedder
        self._progress, self._rate = progress, rate
        self._begun = time.monotonic()
        self._before = self._total = self._embedded = 0

    async def work(self, *, discard: bool, anew: bool) -> int:
        generation, rebuild = await self._start(discard=discard, anew=anew)
        self._before, self._total = await self._store.coverage(generation)
        self._begun = time.monotonic()
        self._tell()
        walk = Walk()
        for _ in range(_ROUNDS):
            if await self.fill(generation, walk) > _ROWS:
                continue  # the next round is shorter, and the switch after a short one keeps writers waiting for less
            # They go on with the old vectors; the switch happens only when it finds nothing left over.
            if await _patiently(lambda: self._store.switch_generation(generation, walk=walk)):
                break
        else:
            raise StoreError(
                f'the vectors of {self._embedder.name!r} are never complete because messages come in faster than they '
                'are embedded: run reindex again at a quieter time; what is done is kept'
            )
        self._engine.forget_generation()
        if rebuild:
            log.info('vectors are made by %s from now on', self._embedder.name)
        while not await self._store.drop_old_vectors(limit=_DROPPED_AT_ONCE):
            pass
        return self._embedded

    async def _start(self, *, discard: bool, anew: bool) -> tuple[Generation, bool]:
        name = self._embedder.name
        dimensions = self._embedder.dimensions or len((await self._embed(['dimensions']))[0])
        stats = await self._store.stats()
        current, building = stats.generation, stats.building
        rebuild = current is not None and (anew or (current.embedder, current.dimensions) != (name, dimensions))
        if building is not None and (building.embedder, building.dimensions) == (name, dimensions):
            rebuild = True  # one that was begun anew, and cut off
        elif building is not None:
            if not discard:
                raise Conflict(await self._half_built(stats, building))
            await self._store.drop_generation(building)
        return await self._store.start_generation(name, dimensions, rebuild=rebuild), rebuild

    async def _half_built(self, stats: Stats, building: Generation) -> str:
        have, total = await self._store.coverage(building)
        return (
            f'a reindex with {building.embedder!r} ({building.dimensions} dimensions) is not finished, {have:,} of '
            f'{total:,} texts have their vector: finish it with that embedder, or drop what it has done '
            '(`memoranda reindex --discard`, discard=True)'
        )

    async def fill(self, generation: Generation, walk: Walk) -> int:
        """Embed what one round of a walk meets."""
        at_once = _ROWS if self._rate is None else max(1, min(_ROWS, int(self._rate)))
        before = self._embedded
        while batch := await _patiently(lambda: self._store.unembedded(generation, limit=at_once, walk=walk)):
            try:
                await self._put(generation, batch)
            except Exception as error:
                log.info('a reindex ends after %d texts (%s)', self._embedded, type(error).__name__)
                raise
            self._tell()
            await self._throttle()
        return self._embedded - before

    async def _put(self, generation: Generation, batch: Sequence[tuple[str, int, str]]) -> None:
        vectors = await self._embed([text for _, _, text in batch])
        lengths = {len(vector) for vector in vectors}
        if lengths != {generation.dimensions}:
            raise EmbedderMismatch(
                f'embedder {self._embedder.name!r} returned vectors of {max(lengths)} dimensions, and began with '
                f'{generation.dimensions}: pin the number of dimensions in its settings; what is done is kept'
            )
        rows = [(lane, row, vector) for (lane, row, _), vector in zip(batch, vectors, strict=True)]
        await self._store.put_vectors(generation, rows)
        self._embedded += len(rows)

    async def _embed(self, texts: Sequence[str]) -> list[FloatVector]:
        embedder = self._embedder
        if not embedder.local:
            return await self._engine.on_loop(lambda: _ask_all(embedder, texts))
        vectors: list[FloatVector] = []
        for i in range(0, len(texts), _STEP):
            part = texts[i : i + _STEP]
            vectors += await self._engine.compute(lambda part=part: list(embedder.embed_now(part)))
        return vectors

    async def _throttle(self) -> None:
        if self._rate is not None:
            ahead = self._begun + self._embedded / self._rate - time.monotonic()
            if ahead > 0:
                await wait_for(self._engine.later(ahead))

    def _tell(self) -> None:
        if self._progress is None:
            return
        done = self._before + self._embedded
        total = max(self._total, done)
        took = time.monotonic() - self._begun
        speed = self._embedded / took if took > 0 else 0.0
        self._progress(
            ReindexProgress(
                embedder=self._embedder.name,
                done=done,
                total=total,
                embedded=self._embedded,
                rows_per_second=speed,
                seconds_left=(total - done) / speed if speed > 0 else None,
            )
        )


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What a store answers that needs a moment in which nobody else writes."""
    for _ in range(_MOMENTS):
        with contextlib.suppress(StoreBusy):
            return await call()
    return await call()


async def _ask_all(embedder: Embedder, texts: Sequence[str]) -> list[FloatVector]:
    asked = [asyncio.create_task(_ask(embedder, texts[i : i + _REQUEST])) for i in range(0, len(texts), _REQUEST)]
    try:
        return [vector for part in await asyncio.gather(*asked) for vector in part]
    finally:
        for task in asked:  # when one fails
            task.cancel()


async def _ask(embedder: Embedder, texts: Sequence[str]) -> list[FloatVector]:
    """Ask a remote embedder, again after a while when it fails, and less when it refuses a text."""
    from memoranda.embedders import EmbeddingFailed

    for again in range(_TRIES):
        try:
            return list(await embedder.embed(texts))
        except EmbeddingFailed as error:
            if getattr(error.__cause__, 'status_code', None) in (400, 413, 422):
                return await _ask_for_less(embedder, texts, error)
            if again == _TRIES - 1 or error.__cause__ is None:
                raise
            log.warning('embedder %s fails (%s): it is asked again', embedder.name, type(error.__cause__).__name__)
        await asyncio.sleep(_FIRST_WAIT * 2**again)
    raise AssertionError


async def _ask_for_less(embedder: Embedder, texts: Sequence[str], error: Exception) -> list[FloatVector]:
    if len(texts) > 1:
        middle = len(texts) // 2
        return [*await _ask(embedder, texts[:middle]), *await _ask(embedder, texts[middle:])]
    for length in _BEGINNINGS:
        if length < len(texts[0]):
            return await _ask(embedder, [texts[0][:length]])
    raise error


def _check_rate(rate: object) -> float | None:
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < float('inf'):
        raise InvalidInput(f'rate={shown(rate)} is no number of texts a second: pass one above 0, or None for no limit')
    return float(rate)
