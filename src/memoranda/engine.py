"""What the write path and the read path stand on: store, embedder, and the threads they run on."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from memoranda._breaker import Breaker
from memoranda._bridge import may_block, wait_for, wait_within
from memoranda._caches import forget_texts
from memoranda._degraded import Health
from memoranda._locks import short_lock
from memoranda._precedence import is_for_job, step
from memoranda._threads import Closed, Pool, settle
from memoranda.errors import ConfigurationError, EmbedderMismatch
from memoranda.records import Edit
from memoranda.stores.base import Store
from memoranda.stores.data import VersionWrite
from memoranda.stores.generation import Generation

if TYPE_CHECKING:
    import asyncio

    from memoranda.consent.readlog import ReadLog
    from memoranda.embedders import Embedder
    from memoranda.indexing import Indexer
    from memoranda.lanes import FloatVector
    from memoranda.policy import Policy
    from memoranda.scope import Reach
    from memoranda.settings import Settings
    from memoranda.write.extract import SlotSpec

__all__ = ['Closing', 'Engine']

log = logging.getLogger('memoranda')
T = TypeVar('T')
Closing: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
_GENERATION_SECONDS = 1.0
_MAX_NAMED: Final = 10_000
MODEL_FAILURES: Final = 5
"""In a row, before a model is left alone."""


class Engine:
    """One store with what it takes to write to it and to recall from it. Shared by every view of a memory."""

    def __init__(self, store: Store, *, embedder: Embedder, settings: Settings, policy: Policy) -> None:
        self.store, self.settings, self.policy = store, settings, policy
        self._in_use = _InUse(embedder, self._step_soon)
        self._known: dict[str, Embedder] = {embedder.name: embedder}
        self.slots: tuple[SlotSpec, ...] = ()
        """What registered profiles want extraction to fill."""
        self.has_drafted = False
        """Whether messages were read before: then all that this takes is loaded."""
        self.counts_uses = settings.count_uses
        """Whether it is noted which memories are recalled."""
        self.at_close: list[Closing] = [embedder.aclose]
        """What gives connections back, run on the engine's own loop."""
        self.index: Indexer | None = None
        """The vector index elsewhere that searches ask, if there is one."""
        self.named = _Named()
        """Owners whose messages were said under names, as far as searches have met them."""
        self.reads: ReadLog | None = None
        """Where it is noted who reads what, if the policy wants that."""
        if policy.audit_reads:
            from memoranda.consent.readlog import ReadLog

            self.reads = ReadLog(self, strict=settings.errors == 'raise')
            self.at_close.append(self.reads.close)
        self.model_breaker = Breaker(after=MODEL_FAILURES, first=1.0, most=60.0)
        """Keeps a model that is down from being asked for every message."""
        self.health = Health()
        """What else fails, and is left alone for a while."""
        self._lock = short_lock()
        self._threads: _Threads | None = None
        self._generation: tuple[float, Generation | None] = (-_GENERATION_SECONDS, None)
        self._matched = False
        self.lacks_embedder = False
        """Whether another process has switched to an embedder that this engine lacks."""
        store.when_replaced(self.forget_generation)

    @property
    def embedder(self) -> Embedder:
        """The one whose vectors are searched and written."""
        return self._in_use.embedder

    def adopt(self, embedder: Embedder) -> Embedder:
        """Go over to this one as soon as the vectors of the store are its own.

        Returns:
            It, or the one of this name that is known already.

        Raises:
            ConfigurationError: That one makes vectors of another length.
        """
        known = self._known.setdefault(embedder.name, embedder)
        if None not in (known.dimensions, embedder.dimensions) and known.dimensions != embedder.dimensions:
            raise ConfigurationError(
                f'embedder {embedder.name!r} with {embedder.dimensions} dimensions has the name of one with '
                f'{known.dimensions}, and names tell vectors apart: give it another name'
            )
        if known is embedder and embedder.aclose not in self.at_close:
            self.at_close.append(embedder.aclose)
        return known

    async def close(self) -> None:
        """End the threads and close the store."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None and threads.pid == os.getpid():
            done: Future[None] = Future()
            ending = (self._give_back, done)
            threading.Thread(target=threads.end, args=ending, name='memoranda-close', daemon=True).start()
            try:
                await wait_for(done)
            finally:
                await self.store.close()
        else:
            await self.store.close()

    async def _give_back(self) -> None:
        first: Exception | None = None
        for closing in self.at_close:
            try:
                await closing()
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    async def compute(self, function: Callable[[], T], *, awaited: bool = False, foreign: bool = False) -> T:
        """Run something that takes the processor, off the caller's loop; a blocking caller runs it itself.

        Args:
            function: What to run.
            awaited: Whether an agent waits for it, so that it shan't queue behind the work of jobs.
            foreign: Whether it is code of somebody else, which may wait for other jobs: then it is no step of one.
        """
        job = is_for_job() and not foreign

        def run() -> T:
            with step() if job else contextlib.nullcontext():
                return function()

        if may_block():
            return run()
        context = copy_context()  # what an extractor traces there is part of the caller's trace
        while True:
            with contextlib.suppress(Closed):  # by another caller, just now: the next ones open again
                threads = self._running()
                future = threads.for_(job=job, awaited=awaited).submit(lambda _: context.run(run))
                break
        return await wait_for(future)

    def _step_soon(self, function: Callable[[], None]) -> None:
        def run(_: None) -> None:
            with step():
                function()

        while True:
            with contextlib.suppress(Closed):
                self._running().jobs.submit(run)
                return

    async def on_loop(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the engine's own loop, where network clients live."""
        while True:
            with contextlib.suppress(Closed):
                future = self._running().start(make)
                break
        return await wait_for(future)

    def start(self, make: Callable[[], Coroutine[Any, Any, T]], *, awaited: bool = True) -> Future[T]:
        """Start a coroutine on the engine's own loop and don't wait for it. `close` waits for what is `awaited`."""
        while True:
            with contextlib.suppress(Closed):
                return self._running().start(make, awaited=awaited)

    def later(self, seconds: float) -> Future[None]:
        """A future that is done after so many seconds, unless it is cancelled."""
        import asyncio

        return self.start(lambda: asyncio.sleep(seconds), awaited=False)

    def _running(self) -> _Threads:
        with self._lock:
            if self._threads is None or self._threads.pid != os.getpid():  # first use, or the child of a fork
                self._threads = _Threads(os.getpid())
            return self._threads

    async def embed(self, texts: Sequence[str]) -> Sequence[FloatVector]:
        """Vectors of documents, (len(texts), dimensions)."""
        if not texts:
            return []
        use = self._in_use
        if use.embedder.local and is_for_job() and not may_block():
            return await wait_for(use.together.put(texts))
        if use.embedder.local:
            return await self.compute(lambda: list(use.embedder.embed_now(texts)))
        return list(await self.on_loop(lambda: use.embedder.embed(texts)))

    async def ask(
        self, read: Callable[[], T], texts: Callable[[T], Sequence[str]], *, seconds: float | None = None
    ) -> tuple[T, Sequence[FloatVector]]:
        """Read a question and embed what it comes to, off the caller's loop, in one hop where the embedder is local.

        Args:
            read: Takes the processor.
            texts: What to embed of the result; recent ones are remembered.
            seconds: How long to wait for a remote embedder; None: as long as it takes.

        Raises:
            TimeoutError: It took longer.
        """
        use = self._in_use

        def both() -> tuple[T, Sequence[FloatVector]]:
            result = read()
            wanted = texts(result) if use.embedder.local else ()
            return result, list(use.queries.embed_now(wanted)) if wanted else ()

        if use.embedder.local and is_for_job() and not may_block():
            result = await self.compute(read)
            return result, await self.embed(texts(result))
        result, vectors = await self.compute(both, awaited=True)
        if not use.embedder.local and (wanted := texts(result)):
            future = self.start(lambda: use.queries.embed(wanted))
            try:
                if not await wait_within(future, seconds):
                    raise TimeoutError(f'embedder {use.embedder.name!r} did not answer within {seconds:g} s')
                vectors = list(future.result())
            finally:
                future.cancel()
        return result, vectors

    def terms(self, text: str) -> Sequence[str]:
        """Index terms of a text, with repeats."""
        from memoranda.recall.tokens import index_terms

        return index_terms(text)

    async def generation(self, *, fresh: bool = False) -> Generation | None:
        """The embedding generation of the store, if this engine's embedder made it.

        Returns:
            None while there are no vectors, and after another process has switched to an embedder that this one lacks.

        Raises:
            EmbedderMismatch: The file was made with another embedder than the one configured.
        """
        read_at, known = self._generation
        if fresh or time.monotonic() - read_at > _GENERATION_SECONDS:
            began = time.monotonic()
            found = await self.store.generation()
            if self._generation[0] <= began:  # else somebody has read it since, or made the first one
                self._generation = (began, found)
            known = self._generation[1]
        if known is not None and known.embedder != self.embedder.name and known.embedder in self._known:
            self._in_use = _InUse(self._known[known.embedder], self._step_soon)
        if known is None or known.embedder == self.embedder.name:
            self._matched, self.lacks_embedder = known is not None, False
            self.health.vectors.works()
            return known
        if self._matched:
            self.lacks_embedder = True
            self.health.vectors.fails(known.embedder)
            return None
        raise EmbedderMismatch(
            f'embedder {self.embedder.name!r} cannot search vectors made by {known.embedder!r} '
            f'({known.dimensions} dimensions): run `memoranda reindex` with the new embedder, or configure the old one'
        )

    @property
    def last_generation(self) -> Generation | None:
        """What `generation` answered last, if that was one."""
        known = self._generation[1]
        return known if known is not None and self._matched and known.embedder == self.embedder.name else None

    def forget(self) -> None:
        """Keep nothing of what was asked and embedded so far: something was erased."""
        self._in_use.queries.clear()
        self._in_use.together.clear()
        forget_texts()

    def forget_generation(self) -> None:
        """Ask the store again: the vectors were switched."""
        self._generation, self._matched = (-_GENERATION_SECONDS, None), False

    @property
    def location(self) -> str:
        """Where the store keeps what it holds."""
        return self.store.location

    async def ensure_generation(self) -> Generation | None:
        """The generation to write vectors to, made on first use."""
        known = await self.generation()
        if known is not None or self._matched:
            return known
        dimensions = self.embedder.dimensions
        if dimensions is None:
            dimensions = len((await self.embed(['dimensions']))[0])
        created = await self.store.start_generation(self.embedder.name, dimensions, rebuild=False)
        self._generation = (time.monotonic(), created)
        return await self.generation()

    async def writes(self, edits: Sequence[Edit], known: Mapping[str, FloatVector]) -> Sequence[VersionWrite]:
        """The search side of edits: terms for each, vectors for those whose words are new."""
        new = [e.after.text for e in edits if _reworded(e) and e.after.text not in known]
        vectors = {**known, **dict(zip(new, await self.embed(new), strict=True))}
        terms = await self.compute(lambda: [self.terms(e.after.text) for e in edits])
        return [
            VersionWrite(terms=t, vector=vectors[e.after.text] if _reworded(e) else None)
            for e, t in zip(edits, terms, strict=True)
        ]


class _Named:
    """Some owners, without telling who they are. A guess: searches look again."""

    def __init__(self) -> None:
        self._owners: dict[int, None] = {}

    def known(self, reaches: Sequence[Reach]) -> bool:
        """Whether any of those that are read is one of them."""
        return bool(self._owners) and any(hash(reach.owner) in self._owners for reach in reaches)

    def note(self, reaches: Sequence[Reach]) -> None:
        """One of these is, most likely the first."""
        if len(self._owners) >= _MAX_NAMED:
            self._owners.clear()
        self._owners[hash(reaches[0].owner)] = None


class _InUse:
    """An embedder with what is kept of its vectors: replaced as a whole, so that nobody mixes those of two."""

    def __init__(self, embedder: Embedder, start: Callable[[Callable[[], None]], None]) -> None:
        from memoranda.embedders import QueryCache
        from memoranda.embedders.together import Together

        self.embedder = embedder
        self.queries = QueryCache(embedder)
        self.together = Together(embedder, start)


_live: set[_Threads] = set()
"""Those whose loop runs."""
_HALT_SECONDS: Final = 2.0


class _Threads:
    """What runs in one process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pool: Pool[None] = Pool(2, 'memoranda-cpu', lambda: None)
        # Of their own, so that a question or a message doesn't wait behind the pages of an import.
        self.awaited: Pool[None] = Pool(1, 'memoranda-front', lambda: None)
        # One, as their steps are taken one at a time.
        self.jobs: Pool[None] = Pool(1, 'memoranda-jobs', lambda: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._under_way: set[Future[Any]] = set()
        self._closed = False

    def for_(self, *, job: bool, awaited: bool) -> Pool[None]:
        """The threads for what belongs to a job, or is awaited by an agent, or neither."""
        return self.jobs if job else self.awaited if awaited else self.pool

    def start(self, make: Callable[[], Coroutine[Any, Any, T]], *, awaited: bool = True) -> Future[T]:
        """Start a coroutine on the engine's own event loop, which starts with the first; `end` waits if `awaited`."""
        import asyncio

        with self._lock:
            if self._closed:
                raise Closed('the event loop is closed')
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name='memoranda-loop', daemon=True)
                self._thread.start()
                _live.add(self)
            future = asyncio.run_coroutine_threadsafe(_contained(make), self._loop)
            if awaited:
                self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def halt(self) -> None:
        """The interpreter ends: cancel what is under way, so that no half-done coroutine is torn down with it."""
        import asyncio

        with self._lock:
            self._closed = True
            loop = self._loop
        if loop is None or loop.is_closed():
            return
        with contextlib.suppress(TimeoutError):  # something won't end
            asyncio.run_coroutine_threadsafe(_cancel_rest(), loop).result(_HALT_SECONDS)

    def end(self, last: Callable[[], Coroutine[Any, Any, None]], done: Future[None]) -> None:
        """Finish what is under way, then `last`, and end the threads."""
        import asyncio

        try:
            with self._lock:
                self._closed = True
                under_way = self._under_way.copy()
            wait(under_way)
            self.pool.close()
            self.awaited.close()
            self.jobs.close()
            if self._loop is not None and self._thread is not None:
                try:
                    asyncio.run_coroutine_threadsafe(_finish(last), self._loop).result()
                finally:
                    self._loop.call_soon_threadsafe(self._loop.stop)
                    self._thread.join()
                    self._loop.close()
                    _live.discard(self)
        except BaseException as error:
            settle(done, error)
        else:
            settle(done)


async def _contained(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What it returns or raises, but nothing that ends the loop or looks as if the caller had been cancelled."""
    import asyncio

    try:
        return await make()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError('CancelledError was raised') from error
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f'{type(error).__name__} was raised') from error


async def _finish(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """What `asyncio.run` does at its end, with `last` before the threads of the loop end."""
    import asyncio

    loop = asyncio.get_running_loop()
    await _cancel_rest()
    try:
        await last()
    finally:
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()


async def _cancel_rest() -> None:
    """End the tasks that nobody waits for any more, such as those of callers that were cancelled."""
    import asyncio

    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


@atexit.register
def _halt_all() -> None:
    for threads in list(_live):
        if threads.pid == os.getpid():
            threads.halt()


def _reworded(edit: Edit) -> bool:
    return edit.before is None or edit.before.text != edit.after.text
