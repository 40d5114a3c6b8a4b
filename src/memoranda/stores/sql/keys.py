"""Keys of rows: those of an owner are contiguous, `owner << 24 | seq`, so reading and erasing one are range scans."""

from __future__ import annotations

__all__ = ['SEQ_BITS', 'SEQ_MASK', 'vector_tables']

SEQ_BITS = 24
SEQ_MASK = (1 << SEQ_BITS) - 1


def vector_tables(generation: int) -> tuple[str, str]:
    """Names of the tables that hold a generation's vectors of memories and of segments."""
    return f'memory_vector_{generation:d}', f'segment_vector_{generation:d}'
