"""What an embedder is: the protocol the engine uses, two base classes to write one with, and the checks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from memoranda._locks import short_lock
from memoranda.errors import ConfigurationError, InvalidInput, MemorandaError, what_is

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    'AsyncEmbedder',
    'Embedder',
    'EmbeddingFailed',
    'Progress',
    'SyncEmbedder',
    'check_vectors',
    'clean_text',
]

Progress = Callable[[int, int], None]
"""Called as (texts done, texts in all) after each batch, on the thread that does the work."""

BLANK = '.'
"""Stands in for empty and white-space text, which has no direction of its own and which providers refuse."""


class EmbeddingFailed(MemorandaError, RuntimeError):
    """An embedder raised, or returned something that is not one finite, non-zero vector per text."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how close they are in meaning.

    Whoever subclasses `SyncEmbedder` or `AsyncEmbedder` writes one method and gets the rest; any other object with
    these members works as well and answers for its own checks (`memoranda.testing.EmbedderSuite` tells).
    """

    @property
    def name(self) -> str:
        """Identifies the vectors, version included: vectors of another name are never compared with them."""
        ...

    @property
    def dimensions(self) -> int | None:
        """Length of a vector; None until the first one was made, when it can't be known before."""
        ...

    @property
    def local(self) -> bool:
        """Whether the work is done in this process.

        - True: the engine calls `embed_now` on one of its worker threads
        - False: the engine awaits `embed` on the one event loop it owns
        """
        ...

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed texts, blocking.

        Args:
            texts: Any text: empty, very long and malformed ones too.
            query: Whether these are questions; some models embed them differently from what is searched.
            progress: Told after each batch.

        Returns:
            float32 of shape (len(texts), dimensions), every row of length 1.

        Raises:
            EmbeddingFailed: The model failed, or returned something unusable.
        """
        ...

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """The same, without blocking the event loop."""
        ...

    async def aclose(self) -> None:
        """Release what the embedder opened itself (never a client that it was given)."""
        ...


class _Checked(ABC):  # noqa: B024  # each of the two subclasses has an abstract method of its own
    """What both base classes share: cleaning, batching, checking."""

    max_chars: ClassVar[int] = 8_000
    """A text is cut after this many characters: what follows has no part in its vector."""
    batch_size: ClassVar[int] = 64
    """Most texts given to the model at once."""
    batch_chars: ClassVar[int] = 200_000
    """Most characters given to the model at once (a single text may be longer)."""

    def __init__(self, name: str, *, dimensions: int | None = None) -> None:
        if not name or not name.strip():
            raise ConfigurationError(f'embedder name {name!r} is empty, and it tells vectors apart: give it a name')
        if dimensions is not None and dimensions < 1:
            raise ConfigurationError(f'dimensions={dimensions!r} is less than 1: pass the length of a vector, or None')
        self._name = name
        self._dimensions = dimensions
        self._settling = short_lock()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._name!r}, dimensions={self._dimensions})'

    @property
    def name(self) -> str:
        """Identifies the vectors."""
        return self._name

    @property
    def dimensions(self) -> int | None:
        """Length of a vector; None until it is known."""
        return self._dimensions

    async def aclose(self) -> None:  # noqa: B027  # optional
        """Nothing to release, unless a subclass opened something."""

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        chars = 0
        for text in _check_texts(texts):
            cleaned = clean_text(text, self.max_chars)
            if batch and (len(batch) == self.batch_size or chars + len(cleaned) > self.batch_chars):
                yield batch
                batch, chars = [], 0
            batch.append(cleaned)
            chars += len(cleaned)
        if batch:
            yield batch

    def _accept(self, vectors: object, count: int) -> NDArray[np.float32]:
        checked = check_vectors(self._name, vectors, count, self._dimensions)
        if self._dimensions is None:
            with self._settling:
                if self._dimensions is None:
                    self._dimensions = checked.shape[1]
            # Another thread may have settled on another length meanwhile.
            checked = check_vectors(self._name, checked, count, self._dimensions)
        return checked

    def _join(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        import numpy as np

        if not parts:
            return np.empty((0, self._dimensions or 0), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _failure(self, count: int, error: Exception) -> EmbeddingFailed:
        # The error's own words may repeat remembered text (providers echo their input): only its type is told here.
        status = getattr(error, 'status_code', None)
        reason = type(error).__name__ + (f', status {status}' if isinstance(status, int) else '')
        return EmbeddingFailed(
            f'embedder {self._name!r} failed on a batch of {count} texts ({reason}): '
            'see the error it was caused by, check key, quota and network of a remote model, then try again'
        )


class SyncEmbedder(_Checked):
    """Base of embedders that compute in this process. Write `encode`."""

    @property
    def local(self) -> bool:
        """True: `embed_now` is the natural call, on a worker thread."""
        return True

    @abstractmethod
    def encode(self, texts: list[str], *, query: bool) -> ArrayLike:
        """Vectors of at most `batch_size` clean texts: shape (len(texts), dimensions), of any length but zero.

        May be called by several threads at once.
        """

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed texts on the calling thread (see `Embedder.embed_now`)."""
        parts: list[NDArray[np.float32]] = []
        done = 0
        for batch in self._batches(texts):
            try:
                vectors = self.encode(batch, query=query)
            except MemorandaError:
                raise
            except Exception as e:
                raise self._failure(len(batch), e) from e
            parts.append(self._accept(vectors, len(batch)))
            done += len(batch)
            if progress is not None:
                progress(done, len(texts))
        return self._join(parts)

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed texts on a thread of the running asyncio loop's default executor."""
        return await asyncio.to_thread(self.embed_now, texts, query=query, progress=progress)


class AsyncEmbedder(_Checked):
    """Base of embedders that ask a server. Write `request`."""

    @property
    def local(self) -> bool:
        """False: `embed` is the only call."""
        return False

    @abstractmethod
    async def request(self, texts: list[str], *, query: bool) -> ArrayLike:
        """Vectors of at most `batch_size` clean texts: shape (len(texts), dimensions), of any length but zero."""

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Not available.

        Raises:
            ConfigurationError: Always. Its client belongs to one event loop, so a loop of its own would break it.
        """
        raise ConfigurationError(
            f'embedder {self._name!r} asks a server and has no blocking call: await embed(...), '
            'or use it through Memory, which does that on a loop of its own'
        )

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed texts, one batch after the other (see `Embedder.embed_now`)."""
        parts: list[NDArray[np.float32]] = []
        done = 0
        for batch in self._batches(texts):
            try:
                vectors = await self.request(batch, query=query)
            except MemorandaError:
                raise
            except Exception as e:
                raise self._failure(len(batch), e) from e
            parts.append(self._accept(vectors, len(batch)))
            done += len(batch)
            if progress is not None:
                progress(done, len(texts))
        return self._join(parts)


def clean_text(text: str, max_chars: int) -> str:
    """The text as a model gets it.

    Cut after `max_chars` characters; NUL becomes a space; a surrogate pair becomes the character it means and half a
    pair U+FFFD; text with nothing in it becomes a full stop.
    """
    text = text[:max_chars]
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        text = text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')
    if '\0' in text:
        text = text.replace('\0', ' ')
    return text if text.strip() else BLANK


def check_vectors(name: str, vectors: object, count: int, dimensions: int | None) -> NDArray[np.float32]:
    """What an embedder returned, as float32 rows of length 1.

    Args:
        name: The embedder, for messages.
        vectors: Anything numpy reads as numbers.
        count: How many rows there must be.
        dimensions: How long they must be, when that is known.

    Raises:
        EmbeddingFailed: Wrong shape, a zero row, or a value that is not finite.
    """
    import numpy as np

    who = f'embedder {name!r} returned'
    try:
        rows: NDArray[np.float64] = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as e:
        raise EmbeddingFailed(f'{who} {what_is(vectors)} that is no table of numbers: return one row per text') from e
    if rows.ndim != 2 or rows.shape[0] != count or rows.shape[1] == 0:
        raise EmbeddingFailed(
            f'{who} shape {rows.shape} for {count} texts: return one row per text, ({count}, dimensions)'
        )
    if dimensions is not None and rows.shape[1] != dimensions:
        raise EmbeddingFailed(
            f'{who} vectors of {rows.shape[1]} dimensions where it has made ones of {dimensions}, and the two '
            'can not be compared: pin the number of dimensions in its settings'
        )
    with np.errstate(over='ignore', invalid='ignore'):
        norms = np.sqrt(np.einsum('ij,ij->i', rows, rows))
    bad = ~np.isfinite(norms)
    if bad.any():
        raise EmbeddingFailed(
            f'{who} a vector with values that are not finite (text {int(bad.argmax())} of {count}): '
            'the model is broken or was loaded wrongly; nothing was stored'
        )
    zero = norms < 1e-12
    if zero.any():
        raise EmbeddingFailed(
            f'{who} a zero vector (text {int(zero.argmax())} of {count}), which is close to nothing: '
            'the model must give every text a direction'
        )
    return np.ascontiguousarray(rows / norms[:, None], dtype=np.float32)


def _check_texts(texts: Sequence[str]) -> Iterator[str]:
    if isinstance(texts, str):
        raise InvalidInput('texts is a single str, and an embedder takes a list of them: pass [text]')
    for i, text in enumerate(texts):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidInput(f'texts[{i}] is {what_is(text)}, and an embedder takes text: pass str(...)')
        yield text
