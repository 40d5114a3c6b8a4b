"""Any embedding model that Pydantic AI can talk to."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from memoranda.embedders.base import AsyncEmbedder
from memoranda.errors import ConfigurationError, what_is

if TYPE_CHECKING:
    from pydantic_ai.embeddings import Embedder as PydanticAIModelEmbedder
    from pydantic_ai.embeddings import EmbeddingModel
    from pydantic_ai.providers import Provider

__all__ = ['PydanticAIEmbedder', 'is_pydantic_ai']

_INSTALL = 'run `pip install "memoranda[pydantic-ai]"`'


@dataclass
class _Built:
    """What was made from a model name for one event loop."""

    embedder: PydanticAIModelEmbedder
    providers: list[Provider[Any]] = field(default_factory=list['Provider[Any]'])


class PydanticAIEmbedder(AsyncEmbedder):
    """Embeds through Pydantic AI: a model name, an `EmbeddingModel` or an `Embedder`.

    A name is turned into a model on first use, separately on every event loop it is used on, because connections
    belong to the loop that opened them. A model or an `Embedder` is used as it is: give the engine one of its own if
    your program uses it on another loop. Vectors are as long as the model makes them; the first call tells.

    Args:
        model: Such as `'openai:text-embedding-3-small'`.

    Raises:
        ConfigurationError: Pydantic AI is not installed, or `model` is none of the three.
    """

    def __init__(self, model: PydanticAIModelEmbedder | EmbeddingModel | str) -> None:
        _check_installed(model)
        super().__init__(_name(model))
        self._model = model
        self._built: WeakKeyDictionary[asyncio.AbstractEventLoop, _Built] = WeakKeyDictionary()

    async def request(self, texts: list[str], *, query: bool) -> Sequence[Sequence[float]]:
        """One call to the provider."""
        embedder = await self._embedder()
        result = await (embedder.embed_query(texts) if query else embedder.embed_documents(texts))
        return result.embeddings

    async def aclose(self) -> None:
        """Close the connections opened for a model name on the running loop; it may be used again afterwards."""
        built = self._built.pop(asyncio.get_running_loop(), None)
        for provider in built.providers if built else ():
            # Leaving a provider is what closes the client that it made.
            async with provider:
                pass

    async def _embedder(self) -> PydanticAIModelEmbedder:
        loop = asyncio.get_running_loop()
        built = self._built.get(loop)
        if built is None:
            # Importing takes about a second, and this loop serves others meanwhile.
            await asyncio.to_thread(_import)
            built = self._built.get(loop) or self._build()
            self._built[loop] = built
        return built.embedder

    def _build(self) -> _Built:
        from pydantic_ai.embeddings import Embedder, EmbeddingModel, infer_embedding_model
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.providers import infer_provider

        model = self._model
        if isinstance(model, Embedder):
            return _Built(model)
        if isinstance(model, EmbeddingModel):
            return _Built(Embedder(model))
        providers: list[Provider[Any]] = []

        def factory(name: str) -> Provider[Any]:
            provider = infer_provider(name)
            providers.append(provider)
            return provider

        try:
            return _Built(Embedder(infer_embedding_model(model, provider_factory=factory)), providers)
        except (ImportError, UserError, ValueError) as e:
            raise ConfigurationError(f'embedder {model!r} can not be used: {e}') from e


def is_pydantic_ai(value: object) -> bool:
    """Whether a value is a Pydantic AI `Embedder` or `EmbeddingModel`, without importing Pydantic AI."""
    if not any((cls.__module__ or '').startswith('pydantic_ai.') for cls in type(value).__mro__):
        return False
    from pydantic_ai.embeddings import Embedder, EmbeddingModel

    return isinstance(value, Embedder | EmbeddingModel)


def _name(model: PydanticAIModelEmbedder | EmbeddingModel | str) -> str:
    if not isinstance(model, str):
        from pydantic_ai.embeddings import Embedder

        inner = model.model if isinstance(model, Embedder) else model
        model = inner if isinstance(inner, str) else f'{inner.system}:{inner.model_name}'
    # A gateway passes on the vectors of the same model.
    return model.removeprefix('gateway/')


def _check_installed(model: object) -> None:
    if isinstance(model, str):
        provider, _, name = model.partition(':')
        if not provider.strip() or not name.strip():
            raise ConfigurationError(
                f'embedder {model!r} names no provider: write it as provider:model, such as '
                "'openai:text-embedding-3-small', or leave it out for the bundled one"
            )
        if importlib.util.find_spec('pydantic_ai') is None:
            raise ConfigurationError(f'embedder {model!r} needs Pydantic AI, which is not installed: {_INSTALL}')
    elif not is_pydantic_ai(model):
        raise ConfigurationError(
            f'embedder is {what_is(model)}, which is no Pydantic AI embedder: pass a model name, an '
            'EmbeddingModel or an Embedder of pydantic_ai'
        )


def _import() -> None:
    try:
        importlib.import_module('pydantic_ai.embeddings')
    except ImportError as e:
        raise ConfigurationError(f'the installed Pydantic AI has no embeddings ({e}): {_INSTALL}') from e
