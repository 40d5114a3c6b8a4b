"""Names are looked up while the question is embedded: it is read with them all the same, also the first time."""

from __future__ import annotations

import asyncio
from typing import Any

from _fakes import fast_async
from memoranda.testing.embedders import HashingEmbedder


class Noting(HashingEmbedder):
    """Keeps the questions it was asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[str] = []

    def embed_now(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
        self.questions += list(texts) if query else []
        return super().embed_now(texts, query=query, progress=progress)


def test_a_question_about_somebody_who_speaks_is_put_in_the_first_person_from_the_first_time_on() -> None:
    async def main() -> None:
        embedder = Noting()
        async with fast_async(embedder=embedder) as memory:
            said = [
                {'role': 'user', 'name': 'Caroline', 'content': 'I live in Lisbon'},
                {'role': 'user', 'name': 'Melanie', 'content': 'I live in Porto'},
            ]
            await memory.add(said, user_id='ana', run_id='chat')
            first = await memory.search('Where does Caroline live?', user_id='ana', include=['episodes'], explain=True)
            assert 'Where do I live?' in embedder.questions
            assert first[0].text == 'I live in Lisbon'
            assert (first[0].why or {})['speaker'] > 0

            again = await memory.search('Where does Caroline live?', user_id='ana', include=['episodes'], explain=True)
            assert [hit.text for hit in again] == [hit.text for hit in first]

            embedder.questions.clear()
            await memory.search('Where does Melanie work?', user_id='ana', include=['episodes'])
            assert embedder.questions == ['Where do I work?']  # it is known by now that names matter here

    asyncio.run(main())
