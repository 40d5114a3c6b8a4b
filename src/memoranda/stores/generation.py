"""A generation of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ['Generation']


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One set of vectors: all made by the same embedder."""

    id: int
    embedder: str
    dimensions: int
    state: Literal['current', 'building', 'old']
    """`old`: it is being dropped, and nobody reads it."""
