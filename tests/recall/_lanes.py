"""Lanes made of texts, for tests."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np

from memoranda.lanes import Lane
from memoranda.recall.tokens import index_terms

NOW = datetime(2024, 6, 1, tzinfo=UTC)
DAY = 86_400


def lane(
    texts,
    *,
    name='memories',
    cosine=None,
    days_ago=None,
    key=None,
    allowed=None,
    conversation=None,
    position=None,
    role=None,
    speaker=None,
    speakers=(),
):
    """A lane of one row per text; by default unseen by an embedder, of this moment, and one conversation."""
    n = len(texts)
    postings: dict[str, tuple[list[int], list[int]]] = {}
    lengths = []
    for row, text in enumerate(texts):
        terms = Counter(index_terms(text))
        lengths.append(sum(terms.values()))
        for term, count in terms.items():
            rows, counts = postings.setdefault(term, ([], []))
            rows.append(row)
            counts.append(count)
    episodes = name == 'episodes'

    def ints(values, default):
        return np.array(default if values is None else values, dtype=np.int64).reshape(n)

    return Lane(
        name=name,
        key=ints(key, range(n)),
        length=np.array(lengths, dtype=np.int64),
        at=np.array([NOW.timestamp() - DAY * d for d in (days_ago or [0] * n)], dtype=np.float64),
        allowed=np.array([True] * n if allowed is None else allowed, dtype=np.bool_),
        dense=None if cosine is None else np.array(cosine, dtype=np.float32),
        postings={t: (np.array(r), np.array(c)) for t, (r, c) in postings.items()},
        conversation=ints(conversation, [0] * n) if episodes else None,
        position=ints(position, range(n)) if episodes else None,
        role=ints(role, [0] * n).astype(np.uint8) if episodes else None,
        speaker=ints(speaker, [-1] * n) if episodes else None,
        speakers=tuple(speakers),
    )
