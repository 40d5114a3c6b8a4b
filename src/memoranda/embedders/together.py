"""Texts that several jobs want embedded at once, embedded in one go."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, TypeAlias

from memoranda._locks import short_lock
from memoranda._threads import settle
from memoranda.embedders.cache import digest_of

if TYPE_CHECKING:
    from memoranda.embedders.base import Embedder
    from memoranda.lanes import FloatVector

__all__ = ['Together']

_TEXTS: Final = 8
_CHARS: Final = 260
"""Of one go, unless one request alone has more: a question that comes meanwhile waits for its end, some 10 ms."""
_KEPT: Final = 256
"""Recent vectors: a message is embedded to look for what is known about it, and to be found itself.
No text is kept, only its digest."""

_Request: TypeAlias = tuple[Sequence[str], 'Future[Sequence[FloatVector]]']


class Together:
    """Embeds documents of jobs with a local embedder. Safe to share between threads.

    Args:
        embedder: Eight short texts at once take it about three times as long as one.
        start: Runs a function on a thread of its own, soon.
    """

    def __init__(self, embedder: Embedder, start: Callable[[Callable[[], None]], None]) -> None:
        self._embedder, self._start = embedder, start
        self._lock = short_lock()
        self._pid = os.getpid()
        self._waiting: deque[_Request] = deque()
        self._going = False
        self._recent: OrderedDict[bytes, FloatVector] = OrderedDict()
        self._key = os.urandom(32)

    def put(self, texts: Sequence[str]) -> Future[Sequence[FloatVector]]:
        """Vectors of these texts, when it is their turn. The future may hold `EmbeddingFailed`."""
        future: Future[Sequence[FloatVector]] = Future()
        with self._lock:
            if self._pid != os.getpid():  # the child of a fork: who was embedding, and who waited, are in the parent
                self._pid, self._going = os.getpid(), False
                self._waiting.clear()
            known = [self._recent.get(digest_of(text, self._key)) for text in texts]
            if all(vector is not None for vector in known):
                future.set_result([vector for vector in known if vector is not None])
                return future
            self._waiting.append((texts, future))
            going, self._going = self._going, True
        if not going:
            self._start(self._go)
        return future

    def clear(self) -> None:
        """Forget what was embedded."""
        with self._lock:
            self._recent.clear()

    def _go(self) -> None:
        try:
            taken = self._take()
            if taken:
                self._embed(taken)
        finally:
            with self._lock:
                self._going = bool(self._waiting)
                going = self._going
            if going:
                self._start(self._go)

    def _take(self) -> list[_Request]:
        taken: list[_Request] = []
        texts = chars = 0
        with self._lock:
            while self._waiting:
                wanted, future = self._waiting[0]
                texts += len(wanted)
                chars += sum(map(len, wanted))
                if taken and (texts > _TEXTS or chars > _CHARS):
                    break
                self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    taken.append((wanted, future))
        return taken

    def _embed(self, taken: Sequence[_Request]) -> None:
        wanted = list(dict.fromkeys(text for texts, _ in taken for text in texts))
        try:
            vectors = dict(zip(wanted, self._embedder.embed_now(wanted), strict=True))
        except BaseException as error:
            if len(taken) == 1:
                settle(taken[0][1], error)
                return
            for one in taken:  # the failure of one text is not the others'
                self._embed([one])
            return
        with self._lock:
            self._recent |= {digest_of(text, self._key): vector for text, vector in vectors.items()}
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        for texts, future in taken:
            future.set_result([vectors[text] for text in texts])
