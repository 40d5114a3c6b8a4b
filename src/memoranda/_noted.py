"""What surfaces for other programs note beside a memory: under one key of its metadata, which they show nobody.

Mem0's clients say things of a memory that it has no field for: who said it, what they think of it, that it is not to be
changed. It is exported and erased with the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ['NOTED', 'noted', 'with_notes', 'without_notes']

NOTED: Final = '_mem0'
"""The key."""


def noted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What is noted beside a memory with this metadata."""
    found: object = metadata.get(NOTED)
    return dict(cast('Mapping[str, Any]', found)) if isinstance(found, Mapping) else {}


def without_notes(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as it was given."""
    return {key: value for key, value in metadata.items() if key != NOTED}


def with_notes(metadata: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata in the place of another, beside which the same is noted."""
    kept = noted(before)
    return {**metadata, NOTED: kept} if kept else dict(metadata)
