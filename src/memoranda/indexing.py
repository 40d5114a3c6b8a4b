"""The vector index elsewhere, as the engine uses it: asked in searches, fed from the database, checked against it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from memoranda._bridge import wait_for
from memoranda._precedence import for_job
from memoranda._threads import Closed, Pool
from memoranda.errors import (
    ConfigurationError,
    IndexFailed,
    IndexLost,
    IndexMismatch,
    IndexRefused,
    StoreError,
    shown,
)
from memoranda.stores.index import Asked, Collection, Nearest, VectorIndex
from memoranda.stores.leases import new_token

if TYPE_CHECKING:
    from concurrent.futures import Future

    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector, LaneName
    from memoranda.scope import Reach
    from memoranda.stores.generation import Generation
    from memoranda.stores.index import IndexPoint, IndexSource, Noted

__all__ = ['IndexStatus', 'Indexer', 'attached', 'index_of']

log = logging.getLogger('memoranda')
T = TypeVar('T')

NEAREST: Final = 200
"""Rows that an index is asked for at least; more for a larger `top_k`."""
PER_HIT: Final = 20
MOST_FURTHER: Final = 2_000
"""Rows beyond `top_k`."""
MOST_WAITING: Final = 2_000
"""Rows of the owners of a search that the index hasn't heard of. With more the database compares all vectors."""
MOST_WORDS: Final = 64
"""Of a question, that are looked up in an index."""
BATCH: Final = 400
"""Rows that are sent at once."""
NOTED_AT_ONCE: Final = 5_000
LEASE_SECONDS: Final = 60.0
LAST_SECONDS: Final = 2.0
"""What sending the last changes may take when the process is about to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """How a vector index stands."""

    location: str
    version: str | None
    """Of the server; None when it doesn't answer."""
    error: str | None
    """Why not."""
    generation: Generation | None
    points: int | None
    """In the collection of the current generation; None when there is none, or nobody answers."""
    expected: int
    """Rows of the database that should have one."""
    waiting: int
    """Changes that were not sent yet; a row that changed twice counts twice."""
    ready: bool
    """Whether searches ask it: not before all rows were noted to be sent."""


def attached(engine: Engine, index: VectorIndex | str) -> Indexer:
    """Let an engine's searches ask an index, or the one at an address.

    Raises:
        ConfigurationError: It is none, or the engine's store can't feed one.
    """
    if isinstance(index, str):
        from memoranda.stores.qdrant import QdrantIndex

        index = QdrantIndex.from_url(index)
    elif not isinstance(index, VectorIndex):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f'index={shown(index)} is no vector index: pass a QdrantIndex, or an address')
    engine.store.index_source()
    engine.index = Indexer(engine, index)
    engine.at_close.append(engine.index.close)
    return engine.index


def index_of(engine: Engine) -> Indexer:
    """The index of an engine.

    Raises:
        ConfigurationError: It has none.
    """
    if engine.index is None:
        raise ConfigurationError(
            'no vector index is configured: pass index=..., or set MEMORANDA_INDEX=qdrant://host:6333'
        )
    return engine.index


class Indexer:
    """One index of one engine.

    Args:
        engine: Whose searches ask it, and whose database feeds it.
        index: The index.
    """

    def __init__(self, engine: Engine, index: VectorIndex) -> None:
        self.engine, self.index = engine, index
        self._token = new_token()
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pool: Pool[None] | None = None
        self._tending: Future[None] | None = None
        self._turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._told = ''
        self._sent = 0
        """Changes this process has sent so far."""
        self._name: str | None = None
        self._prepared: set[int] = set()
        self._noted: set[int] = set()
        self._tidied: frozenset[int] = frozenset()
        engine.store.when_replaced(self._forget)

    def _forget(self) -> None:
        """Another database is in the place of the one that was open."""
        self._name = None
        self._prepared.clear()
        self._noted.clear()
        self._tidied = frozenset()

    @property
    def source(self) -> IndexSource:
        """What the database does for it."""
        return self.engine.store.index_source()

    async def start(self) -> None:
        """Send changes from now on, as long as the engine is open; not in a process that leaves jobs to others."""
        if not self.engine.settings.workers:
            return
        await self.call(self.index.load)
        with self._own_lock():
            if self._tending is None or self._tending.done():
                self._tending = self.engine.start(self._tend, awaited=False)

    async def close(self) -> None:
        """Send what is left, if that is quickly done, and give everything back."""
        with self._own_lock():
            tending, self._tending = self._tending, None
            pool, self._pool = self._pool, None
        try:
            if tending is not None and not self.engine.health.index.breaker.open:
                with contextlib.suppress(StoreError, TimeoutError):
                    await asyncio.wait_for(self._send_rest(), LAST_SECONDS)
            if self._name is not None:
                with contextlib.suppress(StoreError):
                    await self.source.release(self._token)
        finally:
            for ending in (pool, self._pool):
                if ending is not None:
                    await asyncio.to_thread(ending.close)
            self._pool = None
            await asyncio.to_thread(self.index.close)

    def _own_lock(self) -> threading.Lock:
        if self._pid != os.getpid():  # the child of a fork: the lock may be held, and the threads are the parent's
            self._lock, self._pool, self._tending = threading.Lock(), None, None
            self._pid, self._token = os.getpid(), new_token()
        return self._lock

    async def call(self, function: Callable[[], T]) -> T:
        """Run something that waits for the network, on a thread of its own."""
        while True:
            with self._own_lock():
                if self._pool is None:
                    self._pool = Pool(4, 'memoranda-index', lambda: None)
                pool = self._pool
            with contextlib.suppress(Closed):
                future = pool.submit(lambda _: function())
                break
        return await wait_for(future)

    # --- searching

    async def nearest(
        self,
        reaches: Sequence[Reach],
        vectors: Mapping[LaneName, FloatVector],
        terms: Sequence[str],
        *,
        generation: int,
        top_k: int,
    ) -> Mapping[str, Nearest] | None:
        """The rows nearest to a question.

        Args:
            reaches: Whose.
            vectors: The question's, by lane.
            terms: Its words.
            generation: Of the vectors.
            top_k: How many hits are wanted.

        Returns:
            None when the database has to compare the vectors: the index is being filled, or lags far behind.

        Raises:
            IndexFailed: It doesn't answer, or not as it should.
        """
        ground = await self.source.ground(reaches, most=MOST_WAITING)
        collection, waiting = ground.collection, ground.waiting
        if collection is None or waiting is None or collection.generation != generation:
            return None
        if not ground.salts:  # nothing is known of these owners
            empty = Nearest.of({}, full=False)
            return dict.fromkeys(vectors, empty)
        words = self._words(ground.salts, terms)
        limit = max(NEAREST, min(PER_HIT * top_k, top_k + MOST_FURTHER))
        asked = [
            Asked(lane=lane, vector=vector, parts=ground.parts[lane], limit=limit, words=words)
            for lane, vector in vectors.items()
        ]
        try:
            found = await self.call(lambda: self.index.search(collection, asked))
        except (IndexLost, IndexRefused):
            self._prepared.discard(generation)  # it is looked at anew before it is asked again
            raise
        return {one.lane: replace(near, waiting=waiting) for one, near in zip(asked, found, strict=True)}

    def _words(self, salts: Mapping[int, bytes], terms: Sequence[str]) -> Mapping[int, float] | None:
        if not self.index.has_words or not terms:
            return None
        from memoranda.stores.sql.indexing import word_keys

        return {key: 1.0 for salt in salts.values() for key in word_keys(salt, terms[:MOST_WORDS])}

    # --- feeding

    async def _tend(self) -> None:
        """Send changes, whoever made them, for as long as this process lives."""
        part, poll = self.engine.health.index, self.engine.settings.poll_seconds
        while True:
            pause = part.breaker.enter()
            if pause <= 0:
                try:
                    with for_job():
                        pause = 0.0 if await self._look() else poll
                except IndexFailed as error:
                    part.failed(type(error).__name__)
                    self._tell(error)
                    pause = part.breaker.resting
                except Exception as error:  # the next look may go better, and changes must not wait for a restart
                    log.debug('changes could not be sent to the vector index (%s)', type(error).__name__)
                    pause = poll
                finally:
                    part.breaker.withdraw()
            await asyncio.sleep(min(pause, poll) if pause else 0)

    def _tell(self, error: IndexFailed) -> None:
        """Say what somebody has to mend, once; an outage is told of anyway."""
        told = str(error)
        if isinstance(error, IndexMismatch | IndexRefused) and told != self._told:
            self._told = told
            log.warning('%s', told)

    async def _look(self) -> bool:
        """Send some of what is noted. Whether it makes sense to go on at once."""
        part = self.engine.health.index
        failing = part.breaker.open
        if failing:  # whether or not there is something to send: searches go on with it then
            await self.call(self.index.ping)
        if self._name is None:
            self._name = await self.source.attach()
        generations = await self.source.generations()
        lost = {g.id for g in generations} - self._prepared
        if lost or await self.source.has_work():
            more = await self._step()
        else:
            await self._tidy(generations)
            more = False
        if failing:
            part.works()
        return more

    async def _step(self) -> bool:
        """Send a batch. Whether there may be more to do for this process. On the engine's loop, one at a time."""
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        async with self._turn[1]:
            return await self._send_some()

    async def _send_some(self) -> bool:
        source, token = self.source, self._token
        generations = await source.generations()
        noted = await source.take(token, lease_seconds=LEASE_SECONDS, limit=BATCH)
        if noted is None:  # another process does it
            return False
        for generation in generations:
            await self._prepare(generation)
        for generation in generations:
            # When nothing is noted, the database is asked whether another process has begun anew.
            if not noted.ids or generation.id not in self._noted:
                if await source.note_all(generation, limit=NOTED_AT_ONCE):
                    self._noted.add(generation.id)
                else:
                    self._noted.discard(generation.id)
        if noted.ids:
            for generation in generations:
                await self._send(generation, noted)
            await source.settle(noted)
            self._sent += len(noted.ids)
            return True
        if await source.has_work():
            return True
        await source.release(token)
        return False

    async def _prepare(self, generation: Generation) -> None:
        if generation.id in self._prepared:
            return
        collection = self.collection(generation)
        if not await self.call(lambda: self.index.has(collection)):
            # Before it is made: who dies in between leaves nothing that looks complete.
            await self.source.begin_anew(generation)
            self._noted.discard(generation.id)
        await self.call(lambda: self.index.prepare(collection))
        self._prepared.add(generation.id)

    async def _send(self, generation: Generation, noted: Noted) -> None:
        words = self.engine.terms if self.index.has_words else None
        points = await self.source.points(generation, noted.rows, words=words)
        kept = {point.row for point in points}
        gone = [row for row in noted.rows if row not in kept]
        collection = self.collection(generation)
        try:
            if points:
                await self._upsert(collection, points)
            if gone:
                await self.call(lambda: self.index.delete(collection, gone))
        except IndexLost:
            self._prepared.discard(generation.id)
            raise

    async def _upsert(self, collection: Collection, points: Sequence[IndexPoint]) -> None:
        """Write points; one that the index refuses shall not hold up the others."""
        try:
            await self.call(lambda: self.index.upsert(collection, points))
        except IndexRefused as error:
            await self.call(lambda: self.index.count(collection))  # raises when it refuses everything
            if len(points) == 1:
                log.warning('row %d can not be sent to the vector index (%s)', points[0].row, error)
                return
            half = len(points) // 2
            await self._upsert(collection, points[:half])
            await self._upsert(collection, points[half:])

    def collection(self, generation: Generation, name: str | None = None) -> Collection:
        """Where the vectors of a generation are."""
        store = name or self._name or ''
        return Collection(store=store, generation=generation.id, dimensions=generation.dimensions)

    async def _tidy(self, generations: Sequence[Generation]) -> None:
        """Drop the collections of generations that are gone, when some may be."""
        ids = frozenset(g.id for g in generations)
        name = self._name
        if ids == self._tidied or name is None:
            return
        there = await self.call(lambda: self.index.generations(name))
        # Read after the collections: of one that was made since, the generation is among these.
        alive = {g.id for g in await self.source.generations()}
        for generation in there:
            if generation not in alive:
                await self.call(lambda g=generation: self.index.drop(name, g))
        self._tidied = ids

    async def _send_rest(self) -> None:
        while await self._look():
            pass

    async def catch_up(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Send all that is noted now. Answers how many changes this process sent.

        Args:
            progress: Called as (done, total) now and then.

        Raises:
            IndexFailed: It doesn't answer, or not as it should. What was sent stays sent.
        """
        if self._name is None:
            self._name = await self.source.attach()
        before = self._sent
        while True:
            more = await self.engine.on_loop(self._step)
            left, done = await self.source.waiting(), self._sent - before
            if progress is not None:
                progress(done, done + left)
            if not more and not left:
                await self._tidy(await self.source.generations())
                self.engine.health.index.works()
                return done
            if not more:  # another process is at it
                await wait_for(self.engine.later(self.engine.settings.poll_seconds))

    async def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Drop what the index holds of this database, and send everything anew. Answers how many changes were sent.

        It may be interrupted: whoever looks after the index next goes on. Searches compare vectors in the database
        until all is noted, and rows that are not sent yet also afterwards.
        """
        if self._name is None:
            self._name = await self.source.attach()
        name = self._name
        for generation in await self.source.generations():
            await self.source.begin_anew(generation)
            self._noted.discard(generation.id)
            self._prepared.discard(generation.id)
        for number in await self.call(lambda: self.index.generations(name)):
            await self.call(lambda n=number: self.index.drop(name, n))
        return await self.catch_up(progress)

    async def detach(self) -> None:
        """Use the index no more: its collections of this database are dropped, and changes are noted no more."""
        with self._own_lock():
            tending, self._tending = self._tending, None
        if tending is not None:
            tending.cancel()
        name = await self.source.attach()
        for number in await self.call(lambda: self.index.generations(name)):
            await self.call(lambda n=number: self.index.drop(name, n))
        await self.source.detach()
        self._forget()

    async def status(self) -> IndexStatus:
        """How it stands."""
        if self._name is None:
            self._name = await self.source.attach()
        generation = next((g for g in await self.source.generations() if g.state == 'current'), None)
        version = error = points = None
        try:
            version = await self.call(self.index.ping)
            if generation is not None:
                collection = self.collection(generation)
                if await self.call(lambda: self.index.has(collection)):
                    points = await self.call(lambda: self.index.count(collection))
        except IndexFailed as failed:
            error = str(failed)
        ground = await self.source.ground((), most=0)
        return IndexStatus(
            location=self.index.location,
            version=version,
            error=error,
            generation=generation,
            points=points,
            expected=0 if generation is None else await self.source.expected(generation),
            waiting=await self.source.waiting(),
            ready=ground.collection is not None,
        )
