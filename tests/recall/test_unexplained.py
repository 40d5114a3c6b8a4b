"""An order is the same whether or not its parts are told."""

from __future__ import annotations

from typing import Any

import pytest

from memoranda import Memory
from memoranda.recall.rank import Strategy
from memoranda.testing import HashingEmbedder

SAID = [
    f'I {verb} {thing} every {day}'
    for verb in ('cook', 'paint', 'sell')
    for thing in ('tea', 'lakes')
    for day in ('day', 'May')
]


@pytest.mark.parametrize('strategy', ['hybrid', 'semantic', 'keyword', 'recency'])
@pytest.mark.parametrize('include', [['memories'], ['episodes'], ['memories', 'episodes']])
def test_an_order_is_the_same_whether_or_not_its_parts_are_told(strategy: Strategy, include: list[str]) -> None:
    with Memory(':memory:', embedder=HashingEmbedder()) as memory:
        memory.add([{'role': 'user', 'content': text} for text in SAID], user_id='ana', run_id='r', infer=False)
        asked: dict[str, Any] = {'user_id': 'ana', 'strategy': strategy, 'include': include, 'top_k': 8}
        plain = memory.search('What do I paint in May?', **asked)
        told = memory.search('What do I paint in May?', explain=True, **asked)
    assert plain
    assert [(hit.id, hit.score) for hit in plain] == [(hit.id, hit.score) for hit in told]
    assert all(hit.why is None for hit in plain)
    assert all(hit.why for hit in told)
