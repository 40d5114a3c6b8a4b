"""What the benchmarks share: times, tables, and a note of what else the machine was doing."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memoranda import Memory
    from memoranda.embedders import Embedder

P = ParamSpec('P')
T = TypeVar('T')


class TimedEmbedder:
    """An embedder that counts the seconds spent in it."""

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner
        self.seconds = 0.0
        self.in_questions = 0.0
        """Seconds of those that went to questions, not to what is stored."""
        self.texts = 0

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimensions(self) -> int | None:
        return self.inner.dimensions

    @property
    def local(self) -> bool:
        return self.inner.local

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        started = time.perf_counter()
        try:
            return self.inner.embed_now(texts, query=query, progress=progress)
        finally:
            self._count(texts, query, time.perf_counter() - started)

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        started = time.perf_counter()
        try:
            return await self.inner.embed(texts, query=query, progress=progress)
        finally:
            self._count(texts, query, time.perf_counter() - started)

    def _count(self, texts: Sequence[str], query: bool, seconds: float) -> None:
        self.seconds += seconds
        self.in_questions += seconds * query
        self.texts += len(texts)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Clock:
    """Collects the seconds of repeated calls."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        started = time.perf_counter()
        result = function(*args, **kwargs)
        self.seconds.append(time.perf_counter() - started)
        return result

    def __str__(self) -> str:
        return spread(self.seconds)


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of the values lie, interpolated; nan without values."""
    ordered = sorted(values)
    if not ordered:
        return float('nan')
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(seconds: Sequence[float]) -> str:
    """p50, p95 and p99 in milliseconds."""
    p50, p95, p99 = (1e3 * quantile(seconds, share) for share in (0.5, 0.95, 0.99))
    return f'p50 {p50:8.2f}  p95 {p95:8.2f}  p99 {p99:8.2f} ms  (n={len(seconds)})'


def median(seconds: Sequence[float]) -> float:
    return quantile(seconds, 0.5)


def machine() -> str:
    """Where this runs, and the load of the last minute (1.0 is one busy core)."""
    return (
        f'{os.cpu_count()} cores, load {load():.1f}, {platform.system()} {platform.machine()}, '
        f'Python {platform.python_version()}'
    )


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, 'getloadavg') else float('nan')


def title(text: str) -> None:
    print(f'\n{text}  [load {load():.1f}]', flush=True)


def locomo_file(given: Path | None) -> Path | None:
    """The file to use: the argument, else the variable LOCOMO_FILE. Says how to get one when there is none."""
    path = given or (Path(os.environ['LOCOMO_FILE']) if os.environ.get('LOCOMO_FILE') else None)
    if path is None:
        print(
            'skipped: this needs a LoCoMo file (CC BY-NC 4.0, data/locomo10.json of snap-research/locomo): '
            'pass its path, or name it in LOCOMO_FILE',
            file=sys.stderr,
        )
    return path


@contextmanager
def folder(given: Path | None) -> Iterator[Path]:
    """The folder given, or a temporary one."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix='memoranda-bench-') as name:
        yield Path(name)


def import_locomo(memory: Memory, path: Path) -> tuple[int, int, float]:
    """Messages added, memories drawn, seconds: through the public API, a session at a time, as `memoranda import`."""
    from memoranda.importers import read

    messages = memories = 0
    started = time.perf_counter()
    for conversation in read(path, 'locomo'):
        result = memory.add(conversation.messages, user_id=conversation.user_id, run_id=conversation.run_id)
        messages += len(result.episode_ids)
        memories += len(result.memories)
    return messages, memories, time.perf_counter() - started
