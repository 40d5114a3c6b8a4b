"""For tests: an embedder without a model, and the suite every embedder must pass."""

# ruff: noqa: D102  # the names of the suite's tests say what they check
from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memoranda.embedders.base import Embedder, SyncEmbedder
from memoranda.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ['EmbedderSuite', 'HashingEmbedder']

_WORD = re.compile(r'\w+|[^\w\s]')


class HashingEmbedder(SyncEmbedder):
    """Texts that share words are close, and nothing else is: each word adds a fixed pseudo-random direction.

    Deterministic over processes and machines, and fast. For tests: it knows no meaning.
    """

    __test__ = False

    def __init__(self, dimensions: int = 64) -> None:
        super().__init__(f'hashing/{dimensions}', dimensions=dimensions)

    def encode(self, texts: list[str], *, query: bool) -> NDArray[np.float64]:
        """One row per text: the sum of its words' directions."""
        import numpy as np

        rows = np.zeros((len(texts), self.dimensions or 0))
        for row, text in zip(rows, texts, strict=True):
            # White space alone never gets here, but characters can be neither words nor signs.
            for word in _WORD.findall(text.casefold()) or [text]:
                row += _direction(word, len(row))
        return rows


def _direction(word: str, dimensions: int) -> NDArray[np.float64]:
    import numpy as np

    raw = hashlib.shake_128(word.encode('utf-8', 'surrogatepass')).digest(2 * dimensions)
    # Odd numbers: no word, and in practice no sum of words, is the zero vector.
    return np.frombuffer(raw, dtype='<i2').astype(np.float64) * 2 + 1


class EmbedderSuite:
    """What the engine relies on in an embedder.

    Subclass it in a pytest module and give it the `embedder` fixture:

    ```python
    class TestMyEmbedder(EmbedderSuite):
        @pytest.fixture
        def embedder(self) -> Embedder:
            return MyEmbedder()
    ```

    Needs pytest and no plugin: an embedder that asks a server is awaited on a fresh event loop.
    """

    texts: Sequence[str] = ('I live in Lisbon', 'My sister plays the violin', 'The build fails on Windows')
    """Three texts the embedder can read, about different things."""
    odd_texts: Sequence[str] = (
        '',
        ' \t\n',
        'a\0b',
        'half a pair \ud83d',
        '\ud83d\ude00',
        '\u202eright to left',
        '\x07\x1b[31m',
        "'; DROP TABLE memories; --",
        '😀' * 50,
        'word ' * 4_000,
        'x' * 30_000,
    )

    def embed(self, embedder: Embedder, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Vectors, by the call the engine would use."""
        if embedder.local:
            return embedder.embed_now(texts, query=query)
        return asyncio.run(embedder.embed(texts, query=query))

    def test_it_has_a_name_that_tells_vectors_apart(self, embedder: Embedder) -> None:
        assert isinstance(embedder, Embedder)
        assert embedder.name
        assert embedder.name == embedder.name.strip()

    def test_there_is_one_unit_vector_of_float32_per_text(self, embedder: Embedder) -> None:
        import numpy as np

        for query in (False, True):
            vectors = self.embed(embedder, self.texts, query=query)
            assert vectors.dtype == np.float32
            assert vectors.shape == (len(self.texts), embedder.dimensions)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_the_dimensions_are_known_after_the_first_call_and_stay(self, embedder: Embedder) -> None:
        before = embedder.dimensions
        self.embed(embedder, self.texts[:1])
        after = embedder.dimensions
        assert isinstance(after, int)
        assert before in (None, after)
        self.embed(embedder, self.texts, query=True)
        assert embedder.dimensions == after

    def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        vectors = self.embed(embedder, [])
        assert vectors.shape[0] == 0
        assert vectors.ndim == 2

    def test_the_same_text_gives_the_same_vector_in_any_company(self, embedder: Embedder) -> None:
        import numpy as np

        together = self.embed(embedder, self.texts)
        alone = np.concatenate([self.embed(embedder, [text]) for text in self.texts])
        np.testing.assert_allclose(together, alone, atol=1e-4)

    def test_a_text_is_no_closer_to_others_than_to_itself(self, embedder: Embedder) -> None:
        documents, queries = self.embed(embedder, self.texts), self.embed(embedder, self.texts, query=True)
        closeness = queries @ documents.T
        for i in range(len(self.texts)):
            assert closeness[i, i] >= closeness[i].max() - 1e-4

    def test_odd_texts_get_vectors_too(self, embedder: Embedder) -> None:
        import numpy as np

        for query in (False, True):
            vectors = self.embed(embedder, self.odd_texts, query=query)
            assert vectors.shape == (len(self.odd_texts), embedder.dimensions)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_many_texts_come_back_in_order(self, embedder: Embedder) -> None:
        import numpy as np

        many = [f'{self.texts[i % len(self.texts)]} {i}' for i in range(150)]
        vectors = self.embed(embedder, many)
        some = [0, 63, 64, 149]
        np.testing.assert_allclose(vectors[some], self.embed(embedder, [many[i] for i in some]), atol=1e-4)

    def test_progress_grows_to_the_number_of_texts(self, embedder: Embedder) -> None:
        many = [f'{self.texts[0]} {i}' for i in range(150)]
        seen: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            seen.append((done, total))

        if embedder.local:
            embedder.embed_now(many, progress=progress)
        else:
            asyncio.run(embedder.embed(many, progress=progress))
        assert seen[-1] == (150, 150)
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})

    def test_a_text_that_is_not_one_of_a_list_is_refused(self, embedder: Embedder) -> None:
        for wrong in ('a text alone', [1], [None], [b'bytes']):
            try:
                self.embed(embedder, wrong)  # pyright: ignore[reportArgumentType]
            except InvalidInput:
                continue
            raise AssertionError(f'{wrong!r} was embedded')

    def test_many_threads_may_use_it_at_once(self, embedder: Embedder) -> None:
        import numpy as np

        if not embedder.local:
            return
        expected = self.embed(embedder, self.texts)
        problems: list[Exception] = []

        def work() -> None:
            try:
                for _ in range(3):
                    np.testing.assert_allclose(embedder.embed_now(self.texts), expected, atol=1e-4)
            except Exception as e:  # asserted below
                problems.append(e)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_both_calls_agree_for_one_that_works_in_this_process(self, embedder: Embedder) -> None:
        import numpy as np

        if embedder.local:
            np.testing.assert_allclose(
                asyncio.run(embedder.embed(self.texts)), embedder.embed_now(self.texts), atol=1e-4
            )

    def test_closing_it_twice_does_no_harm(self, embedder: Embedder) -> None:
        async def close() -> None:
            await embedder.aclose()
            await embedder.aclose()

        asyncio.run(close())
