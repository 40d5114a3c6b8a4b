from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from memoranda.embedders import AsyncEmbedder, EmbeddingFailed, QueryCache
from memoranda.errors import InvalidInput
from memoranda.testing.embedders import HashingEmbedder


class Counting(HashingEmbedder):
    """Remembers what it was asked; can be held back, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.failures = 0
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def encode(self, texts: list[str], *, query: bool) -> Any:
        assert query
        self.asked += texts
        self.entered.set()
        assert self.go.wait(30)
        if self.failures:
            self.failures -= 1
            raise RuntimeError('out of order')
        return super().encode(texts, query=query)


class Remote(AsyncEmbedder):
    def __init__(self) -> None:
        super().__init__('remote/1')
        self.asked: list[str] = []
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def request(self, texts: list[str], *, query: bool) -> Any:
        self.asked += texts
        self.entered.set()
        await self.go.wait()
        return HashingEmbedder().encode(texts, query=query)


def test_a_question_is_embedded_once() -> None:
    embedder = Counting()
    cache = QueryCache(embedder)
    first = cache.embed_now(['where?', 'when?', 'where?'])
    again = cache.embed_now(['when?', 'who?'])
    assert embedder.asked == ['where?', 'when?', 'who?']
    assert first.shape == (3, 64)
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(again[0], first[1])
    np.testing.assert_allclose(first, embedder.embed_now(['where?', 'when?', 'where?'], query=True), atol=1e-6)


def test_no_questions_give_no_vectors() -> None:
    assert QueryCache(HashingEmbedder()).embed_now([]).shape == (0, 64)


def test_it_keeps_the_most_recently_used() -> None:
    embedder = Counting()
    cache = QueryCache(embedder, size=2)
    for question in ('a', 'b', 'a', 'c', 'a', 'b'):
        cache.embed_now([question])
    assert embedder.asked == ['a', 'b', 'c', 'b']
    assert len(cache) == 2


def test_more_questions_than_it_keeps_are_answered_all_the_same() -> None:
    cache = QueryCache(Counting(), size=1)
    assert cache.embed_now(['a', 'b', 'c']).shape == (3, 64)
    assert len(cache) == 1


def test_no_question_is_kept_in_words() -> None:
    cache = QueryCache(HashingEmbedder())
    cache.embed_now(['what is my diagnosis?'])
    state = vars(cache)['_state']
    assert 'diagnosis' not in repr(vars(state))
    assert all(isinstance(key, bytes) and len(key) == 16 for key in state.vectors)


def test_vectors_handed_out_can_not_be_changed() -> None:
    cache = QueryCache(HashingEmbedder())
    with pytest.raises(ValueError, match='read-only'):
        cache.embed_now(['a'])[0, 0] = 5.0


def test_clearing_forgets() -> None:
    embedder = Counting()
    cache = QueryCache(embedder)
    cache.embed_now(['a'])
    cache.clear()
    assert len(cache) == 0
    cache.embed_now(['a'])
    assert embedder.asked == ['a', 'a']


def test_threads_that_ask_the_same_at_once_share_one_embedding() -> None:
    embedder = Counting()
    cache = QueryCache(embedder)
    embedder.go.clear()
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(cache.embed_now(['where?']))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert embedder.entered.wait(30)
    embedder.go.set()
    for thread in threads:
        thread.join(30)
    assert embedder.asked == ['where?']
    assert len(answers) == 8


def test_a_failure_is_told_and_not_remembered() -> None:
    embedder = Counting()
    embedder.failures = 1
    cache = QueryCache(embedder)
    with pytest.raises(EmbeddingFailed):
        cache.embed_now(['where?', 'when?'])
    assert cache.embed_now(['where?', 'when?']).shape == (2, 64)


async def _shared_and_cancelled() -> None:
    embedder = Remote()
    cache = QueryCache(embedder)
    leader = asyncio.create_task(cache.embed(['where?']))
    await embedder.entered.wait()
    patient, hasty = (asyncio.create_task(cache.embed(['where?', 'when?'][:1])) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    embedder.go.set()
    assert (await patient).shape == (1, 64)
    assert embedder.asked == ['where?', 'where?']
    assert (await cache.embed(['where?'])).shape == (1, 64)
    assert len(embedder.asked) == 2


def test_a_cancelled_task_takes_no_other_down() -> None:
    asyncio.run(_shared_and_cancelled())


async def _shared() -> None:
    embedder = Remote()
    cache = QueryCache(embedder)
    tasks = [asyncio.create_task(cache.embed(['where?', f'{i % 2}'])) for i in range(10)]
    await embedder.entered.wait()
    embedder.go.set()
    assert {(await task).shape for task in tasks} == {(2, 64)}
    assert sorted(embedder.asked) == ['0', '1', 'where?']


def test_tasks_share_too() -> None:
    asyncio.run(_shared())


def test_what_is_no_list_of_texts_is_refused() -> None:
    cache = QueryCache(HashingEmbedder())
    for wrong in ('where?', [3], [None]):
        with pytest.raises(InvalidInput):
            cache.embed_now(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidInput, match='size=0'):
        QueryCache(HashingEmbedder(), size=0)


def test_a_foreign_embedder_that_miscounts_is_caught() -> None:
    class Foreign:
        name = 'foreign'
        dimensions = None
        local = True

        def embed_now(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
            return np.ones((1, 3))

        async def embed(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
            return self.embed_now(texts)

        async def aclose(self) -> None: ...

    cache = QueryCache(Foreign())
    with pytest.raises(EmbeddingFailed, match=r"'foreign' returned shape \(1, 3\) for 2 texts"):
        cache.embed_now(['a', 'b'])
    np.testing.assert_allclose(np.linalg.norm(cache.embed_now(['a'])), 1.0, rtol=1e-6)
