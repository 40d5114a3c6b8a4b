from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from memoranda.embedders import EmbeddingFailed, PydanticAIEmbedder, resolve_embedder
from memoranda.errors import ConfigurationError

embeddings = pytest.importorskip('pydantic_ai.embeddings')


class Recording(embeddings.EmbeddingModel):  # type: ignore[misc]
    """A provider that counts calls and loops."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []
        self.error = error

    @property
    def model_name(self) -> str:
        return 'model-1'

    @property
    def system(self) -> str:
        return 'provider'

    async def embed(self, inputs: str | Sequence[str], *, input_type: Any, settings: Any = None) -> Any:
        texts, _ = self.prepare_embed(inputs, settings)
        self.calls.append((input_type, len(texts)))
        if self.error:
            raise self.error
        return embeddings.EmbeddingResult(
            embeddings=[[float(len(text)), 1.0, 2.0] for text in texts],
            inputs=texts,
            input_type=input_type,
            model_name=self.model_name,
            provider_name=self.system,
        )


def test_documents_go_in_batches_and_questions_as_questions() -> None:
    model = Recording()
    embedder = resolve_embedder(model)
    assert (embedder.name, embedder.dimensions, embedder.local) == ('provider:model-1', None, False)
    vectors = asyncio.run(embedder.embed(['x' * i for i in range(1, 151)]))
    asyncio.run(embedder.embed(['where?'], query=True))
    assert model.calls == [('document', 64), ('document', 64), ('document', 22), ('query', 1)]
    assert vectors.shape == (150, 3)
    assert embedder.dimensions == 3
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    assert np.all(np.diff(vectors[:, 0]) > 0)


def test_an_embedder_of_pydantic_ai_is_used_as_it_is() -> None:
    theirs = embeddings.Embedder(Recording())
    ours = resolve_embedder(theirs)
    assert isinstance(ours, PydanticAIEmbedder)
    assert ours.name == 'provider:model-1'
    with theirs.override(model=embeddings.TestEmbeddingModel(dimensions=5)):
        assert asyncio.run(ours.embed(['a'])).shape == (1, 5)


def test_a_name_names_the_same_vectors_directly_and_through_a_gateway() -> None:
    name = 'openai:text-embedding-3-small'
    assert resolve_embedder(name).name == name
    assert resolve_embedder(f'gateway/{name}').name == name
    assert resolve_embedder(embeddings.Embedder(name)).name == name


def test_a_failing_provider_is_an_error_that_repeats_no_text() -> None:
    from pydantic_ai.exceptions import ModelHTTPError

    error = ModelHTTPError(status_code=429, model_name='model-1', body={'input': 'the secret diary'})
    with pytest.raises(EmbeddingFailed, match=r'ModelHTTPError, status 429') as caught:
        asyncio.run(resolve_embedder(Recording(error)).embed(['the secret diary']))
    assert 'diary' not in str(caught.value)
    assert caught.value.__cause__ is error


def test_an_unknown_provider_is_named_on_first_use() -> None:
    with pytest.raises(ConfigurationError, match=r"embedder 'nobody:model' can not be used: .*nobody"):
        asyncio.run(resolve_embedder('nobody:model').embed(['a']))


def test_without_pydantic_ai_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, package=None: None if name == 'pydantic_ai' else found(name, package)
    )
    with pytest.raises(ConfigurationError, match=r'pip install "memoranda\[pydantic-ai\]"'):
        resolve_embedder('openai:text-embedding-3-small')


def test_a_name_becomes_a_model_for_each_loop_and_its_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    import pydantic_ai.providers

    class Provider:
        entered = left = 0

        async def __aenter__(self) -> Provider:
            Provider.entered += 1
            return self

        async def __aexit__(self, *error: object) -> None:
            Provider.left += 1

    models: list[Recording] = []

    def infer(name: Any, *, provider_factory: Any = None) -> Recording:
        if not isinstance(name, str):
            return name
        provider_factory(name.partition(':')[0])
        models.append(Recording())
        return models[-1]

    monkeypatch.setattr(embeddings, 'infer_embedding_model', infer)
    monkeypatch.setattr(pydantic_ai.providers, 'infer_provider', lambda name: Provider())
    embedder = resolve_embedder('provider:model-1')

    async def use() -> None:
        await asyncio.gather(*(embedder.embed([str(i)]) for i in range(5)))
        await embedder.aclose()

    asyncio.run(use())
    asyncio.run(use())
    assert [len(model.calls) for model in models] == [5, 5]
    assert (Provider.entered, Provider.left) == (2, 2)
