"""A question is embedded while the storage is read or written, and what is found stays the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from _capability import Deps, Speaker, agent_of, run
from _fakes import fast_async
from memoranda import AsyncMemory
from memoranda.recall.search import expect
from memoranda.records import now
from memoranda.testing.embedders import HashingEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECONDS = 10.0
"""Longer than anything here takes: then something does not happen."""
LANES = ('memories', 'episodes')


class Watched(HashingEmbedder):
    """Tells which questions it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.begun = threading.Event()
        self.fails = False

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        if query:
            self.asked += dict.fromkeys(texts)
            self.begun.set()
            if self.fails:
                raise OSError('the model is gone')
        return super().embed_now(texts, query=query, progress=progress)


async def known(memory: AsyncMemory, *texts: str, **message: Any) -> None:
    await memory.add([{'role': 'user', 'content': text, **message} for text in texts], user_id='ana', infer=False)
    await memory.search('anything', user_id='ana')  # from here on it is known that there are vectors


def waits_for(embedder: Watched, do: Callable[..., Any]) -> Callable[..., Any]:
    """The same, once a question is being embedded."""

    async def waiting(*args: Any, **kwargs: Any) -> Any:
        assert await asyncio.to_thread(embedder.begun.wait, SECONDS), 'no question is embedded meanwhile'
        return await do(*args, **kwargs)

    return waiting


def test_a_question_is_embedded_while_the_storage_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        embedder = Watched()
        async with fast_async(embedder=embedder) as memory:
            await known(memory, 'Likes green tea')
            embedder.begun.clear()
            store = memory.engine.store
            monkeypatch.setattr(store, 'standing', waits_for(embedder, store.standing))
            block = await memory.context('Which green tea?', user_id='ana')
        assert 'Likes green tea' in block.text
        assert embedder.asked.count('Which green tea?') == 1

    asyncio.run(main())


def test_an_agent_stores_the_prompt_while_it_is_embedded_and_before_the_model_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        embedder, speaker = Watched(), Speaker()
        async with fast_async(embedder=embedder) as memory:
            await known(memory, 'Likes green tea')
            embedder.begun.clear()
            store = memory.engine.store
            order: list[str] = []
            append = store.append

            async def noted(batch: Any) -> Any:
                stored = await append(batch)
                order.append(f'stored {batch.drafts[0].role}')
                return stored

            search = store.search

            async def looking(plan: Any) -> Any:
                order.append('searched')
                return await search(plan)

            monkeypatch.setattr(store, 'append', waits_for(embedder, noted))
            monkeypatch.setattr(store, 'search', looking)
            await agent_of(memory, speaker).run('Which green tea do I like?', deps=Deps())
        assert order[:3] == ['stored user', 'searched', 'stored assistant']
        assert embedder.asked.count('Which green tea do I like?') == 1
        assert speaker.told == ['Likes green tea']

    run(main())


def test_a_question_that_names_somebody_is_read_again_once_the_names_are_known() -> None:
    async def main() -> None:
        embedder = Watched()
        async with fast_async(embedder=embedder) as memory:
            said = [
                {'role': 'user', 'name': 'Caroline', 'content': 'I paint lakes'},
                {'role': 'user', 'name': 'Melanie', 'content': 'I run in the woods'},
            ]
            await memory.add(said, user_id='ana')
            await memory.search('anything', user_id='ana')
            found = await memory.search('What does Caroline paint?', user_id='ana', include=LANES)
            embedder.asked.clear()
            block = await memory.context('What does Caroline paint?', user_id='ana')
        assert 'What do I paint?' not in embedder.asked  # it is remembered from the search
        assert block.relevant[0].id in {hit.id for hit in found}

    asyncio.run(main())


def test_what_was_expected_and_fails_costs_the_meaning_only() -> None:
    async def main() -> None:
        embedder = Watched()
        async with fast_async(embedder=embedder) as memory:
            await known(memory, 'Likes green tea')
            embedder.fails = True
            block = await memory.context('Which green tea?', user_id='ana')
        assert 'Likes green tea' in block.text
        assert block.degraded == 'embedder: OSError'

    asyncio.run(main())


def test_what_was_expected_is_forgotten_with_everything_else_that_was_asked() -> None:
    async def main() -> None:
        embedder = Watched()
        async with fast_async(embedder=embedder) as memory:
            await known(memory, 'Likes green tea')
            engine = memory.engine
            embedder.begun.clear()
            expect(engine, 'Which green tea?', at=now(), include=LANES)
            assert await asyncio.to_thread(embedder.begun.wait, SECONDS)
            await memory.delete_all(user_id='bob')
            await known(memory, 'Likes black tea')
            await memory.context('Which green tea?', user_id='ana')
        assert embedder.asked.count('Which green tea?') == 2

    asyncio.run(main())


def test_questions_that_are_never_asked_do_no_harm() -> None:
    async def main() -> None:
        embedder = Watched()
        async with fast_async(embedder=embedder) as memory:
            await known(memory, 'Likes green tea')
            for number in range(40):
                expect(memory.engine, f'Which tea {number}?', at=now(), include=LANES)
            assert 'Likes green tea' in (await memory.context('Which green tea?', user_id='ana')).text

    asyncio.run(main())
