"""Embedders: texts in, vectors out. Importing this loads neither numpy nor a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memoranda.embedders.base import AsyncEmbedder, Embedder, EmbeddingFailed, SyncEmbedder
from memoranda.embedders.cache import QueryCache
from memoranda.embedders.local import LocalEmbedder
from memoranda.embedders.pydantic_ai import PydanticAIEmbedder, is_pydantic_ai
from memoranda.errors import ConfigurationError, what_is

if TYPE_CHECKING:
    from pydantic_ai.embeddings import Embedder as PydanticAIModelEmbedder
    from pydantic_ai.embeddings import EmbeddingModel

__all__ = [
    'AsyncEmbedder',
    'Embedder',
    'EmbeddingFailed',
    'LocalEmbedder',
    'PydanticAIEmbedder',
    'QueryCache',
    'SyncEmbedder',
    'resolve_embedder',
]

BUNDLED = 'bundled'
"""The bundled embedder by name, for settings that can't say None."""


def resolve_embedder(value: Embedder | PydanticAIModelEmbedder | EmbeddingModel | str | None = None) -> Embedder:
    """The embedder that a value stands for. Nothing is loaded or connected yet.

    Args:
        value: One of

            - None or `'bundled'`: the bundled one, offline
            - a Pydantic AI model name such as `'openai:text-embedding-3-small'`
            - a Pydantic AI `Embedder` or `EmbeddingModel`
            - an `Embedder` of ours, which is returned as it is

    Raises:
        ConfigurationError: It is none of these, or Pydantic AI is needed and missing.
    """
    if value is None or value == BUNDLED:
        return LocalEmbedder()
    if isinstance(value, str):
        return PydanticAIEmbedder(value)
    if isinstance(value, type):
        raise ConfigurationError(f'embedder={value.__name__} is a class: pass an instance, {value.__name__}(...)')
    if isinstance(value, Embedder):
        return value
    if is_pydantic_ai(value):
        return PydanticAIEmbedder(value)
    raise ConfigurationError(
        f'embedder is {what_is(value)}, which has no {", ".join(_missing(value))}: pass a model name such as '
        "'openai:text-embedding-3-small', a Pydantic AI embedder, or a subclass of SyncEmbedder or AsyncEmbedder"
    )


def _missing(value: object) -> list[str]:
    return [m for m in ('name', 'dimensions', 'local', 'embed_now', 'embed', 'aclose') if not hasattr(value, m)]
