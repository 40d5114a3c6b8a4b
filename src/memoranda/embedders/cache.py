"""Vectors of recent questions, so that the same one is embedded once."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from memoranda._locks import short_lock
from memoranda.embedders.base import Embedder, check_vectors
from memoranda.errors import InvalidInput, what_is

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ['QueryCache', 'digest_of']


def digest_of(text: str, key: bytes) -> bytes:
    """What stands for a text that is not to be kept: 16 bytes that tell nothing without the key."""
    return hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), key=key, digest_size=16).digest()


class QueryCache:
    """An embedder for questions that remembers the vectors of the last `size` of them.

    Safe to share between threads and loops. A question being embedded is not embedded a second time: whoever asks
    meanwhile waits for the first. No text is kept, only its digest under a key of this object's own.
    Vectors are handed out read-only.
    """

    def __init__(self, embedder: Embedder, *, size: int = 1024) -> None:
        if size < 1:
            raise InvalidInput(f'size={size!r} is less than 1: pass how many questions to remember')
        self.embedder = embedder
        self._state = _State(embedder, size)

    def __len__(self) -> int:
        return len(self._state.vectors)

    def embed_now(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, blocking, for an embedder that is local.

        Returns:
            float32 of shape (len(queries), dimensions), every row of length 1.

        Raises:
            EmbeddingFailed: Nothing of the failed call is remembered.
        """
        call = _Call(self._state, queries)
        while call.plan():
            if call.mine:
                try:
                    call.land(self.embedder.embed_now(call.texts(), query=True))
                except BaseException as e:
                    call.crash(e)
                    raise
            for digest, flight in call.theirs.items():
                call.found(digest, flight.result())
        return call.result()

    async def embed(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """The same without blocking the event loop."""
        call = _Call(self._state, queries)
        while call.plan():
            if call.mine:
                try:
                    call.land(await self.embedder.embed(call.texts(), query=True))
                except BaseException as e:
                    call.crash(e)
                    raise
            for digest, flight in call.theirs.items():
                call.found(digest, await asyncio.wrap_future(flight))
        return call.result()

    def clear(self) -> None:
        """Forget everything."""
        with self._state.lock:
            self._state.vectors.clear()


class _State:
    """What the calls of a cache share."""

    def __init__(self, embedder: Embedder, size: int) -> None:
        self.embedder = embedder
        self.size = size
        self.lock = short_lock()
        self.pid = os.getpid()
        self.vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self.flights: dict[bytes, Future[NDArray[np.float32] | None]] = {}
        self._key = os.urandom(32)

    def digest(self, query: object) -> bytes:
        if not isinstance(query, str):
            raise InvalidInput(f'query is {what_is(query)}, and an embedder takes text: pass str(...)')
        return digest_of(query, self._key)


class _Call:
    """One call of a cache: what it knows, what it embeds itself, and whom it waits for."""

    def __init__(self, state: _State, queries: Sequence[str]) -> None:
        if isinstance(queries, str):
            raise InvalidInput('queries is a single str, and a list of them is needed: pass [query]')
        self._state = state
        self._queries = list(queries)
        self._digests = [state.digest(q) for q in self._queries]
        self._known: dict[bytes, NDArray[np.float32]] = {}
        self.mine: dict[bytes, Future[NDArray[np.float32] | None]] = {}
        self.theirs: dict[bytes, Future[NDArray[np.float32] | None]] = {}

    def plan(self) -> bool:
        """Look everything up again; False when there is nothing left to do."""
        state = self._state
        self.mine, self.theirs = {}, {}
        with state.lock:
            if state.pid != os.getpid():  # the child of a fork: those who were embedding are threads of the parent
                state.pid = os.getpid()
                state.flights.clear()
            for digest in self._digests:
                if digest in self._known or digest in self.mine or digest in self.theirs:
                    continue
                vector = state.vectors.get(digest)
                if vector is not None:
                    state.vectors.move_to_end(digest)
                    self._known[digest] = vector
                elif (flight := state.flights.get(digest)) is not None:
                    self.theirs[digest] = flight
                else:
                    own: Future[NDArray[np.float32] | None] = Future()
                    # Running, so that a waiting task that is cancelled can not cancel it for the others.
                    own.set_running_or_notify_cancel()
                    state.flights[digest] = self.mine[digest] = own
        return bool(self.mine or self.theirs)

    def texts(self) -> list[str]:
        return [self._queries[self._digests.index(digest)] for digest in self.mine]

    def land(self, vectors: NDArray[np.float32]) -> None:
        state = self._state
        embedder = state.embedder
        # Copies, so that one remembered row doesn't keep the whole batch alive.
        rows = [row.copy() for row in check_vectors(embedder.name, vectors, len(self.mine), embedder.dimensions)]
        for row in rows:
            row.setflags(write=False)
        with state.lock:
            for (digest, flight), row in zip(self.mine.items(), rows, strict=True):
                self._known[digest] = state.vectors[digest] = row
                del state.flights[digest]
                flight.set_result(row)
            while len(state.vectors) > state.size:
                state.vectors.popitem(last=False)

    def crash(self, error: BaseException) -> None:
        """Tell those who wait: an error is theirs too; after a cancellation they try for themselves."""
        with self._state.lock:
            for digest, flight in self.mine.items():
                if self._state.flights.get(digest) is flight:
                    del self._state.flights[digest]
        for flight in self.mine.values():
            if flight.done():
                continue
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.set_result(None)

    def found(self, digest: bytes, vector: NDArray[np.float32] | None) -> None:
        if vector is not None:
            self._known[digest] = vector

    def result(self) -> NDArray[np.float32]:
        import numpy as np

        if not self._digests:
            return np.empty((0, self._state.embedder.dimensions or 0), dtype=np.float32)
        rows = np.stack([self._known[d] for d in self._digests])
        rows.setflags(write=False)
        return rows
