from __future__ import annotations

import pytest

from memoranda.embedders import AsyncEmbedder, Embedder, LocalEmbedder, resolve_embedder
from memoranda.testing.embedders import EmbedderSuite, HashingEmbedder


class TestLocalEmbedder(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return LocalEmbedder()


class TestHashingEmbedder(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashingEmbedder()


class TestPydanticAIEmbedder(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Embedder:
        embeddings = pytest.importorskip('pydantic_ai.embeddings')
        return resolve_embedder(embeddings.TestEmbeddingModel(dimensions=12))


class _Remote(AsyncEmbedder):
    """Answers as a server would, with vectors of meaning and no fixed length until asked."""

    def __init__(self) -> None:
        super().__init__('remote/1')
        self._hashing = HashingEmbedder(32)

    async def request(self, texts: list[str], *, query: bool) -> object:  # type: ignore[override]
        return self._hashing.encode(texts, query=query).tolist()


class TestAsyncEmbedder(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return _Remote()
