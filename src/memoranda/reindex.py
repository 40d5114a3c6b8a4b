"""A new embedding generation, built while the old one answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from memoranda.errors import StoreError

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['reindex']

_BATCH = 64
_ROUNDS = 1_000


async def reindex(engine: Engine, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Embed every text with the engine's embedder, then switch to these vectors in one transaction.

    Returns:
        How many texts were embedded.
    """
    store, embedder = engine.store, engine.embedder
    current = await store.generation()
    stats = await store.stats()
    rebuild = current is not None and current.embedder != embedder.name
    dimensions = embedder.dimensions or len((await engine.embed(['dimensions']))[0])
    generation = await store.start_generation(embedder.name, dimensions, rebuild=rebuild)
    total = stats.versions + stats.episodes
    done = 0
    for _ in range(_ROUNDS):
        while batch := await store.unembedded(generation, limit=_BATCH):
            vectors = await engine.embed([text for _, _, text in batch])
            rows = [(lane, row, v) for (lane, row, _), v in zip(batch, vectors, strict=True)]
            await store.put_vectors(generation, rows)
            done += len(batch)
            if progress is not None:
                progress(done, max(total, done))
        # Writers keep adding rows with the old vectors; the switch happens only when it finds none left over.
        if not rebuild or await store.switch_generation(generation):
            engine.forget_generation()
            return done
    raise StoreError(
        f'the vectors of {embedder.name!r} are never complete because messages come in faster than they are embedded: '
        'run reindex again at a quieter time; what is done is kept'
    )
