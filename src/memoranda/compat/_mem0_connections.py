"""Models of Pydantic AI with a key, an address and settings of their own, made where and when they are used.

A connection belongs to the event loop it was opened in, and importing a provider's package takes a second: so nothing
is made when a memory is, and everything on the engine's own loop.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from weakref import WeakKeyDictionary

from memoranda.embedders.base import AsyncEmbedder
from memoranda.errors import ConfigurationError
from memoranda.write.extract import Extraction, ExtractionRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pydantic_ai.embeddings import Embedder as PydanticAIEmbedder
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider

    from memoranda.write.llm import LLMExtractor

__all__ = ['ConnectedEmbedder', 'ConnectedExtractor', 'Connection', 'Kind', 'connected']

Kind: TypeAlias = Literal[
    'given',
    'openai',
    'compatible',
    'azure',
    'anthropic',
    'google',
    'google-cloud',
    'groq',
    'ollama',
    'bedrock',
    'sentence-transformers',
]
"""How a model is reached: `compatible` is anything that speaks OpenAI's protocol, `given` what somebody else made."""
_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    'openai': ('openai', 'openai'),
    'compatible': ('openai', 'openai'),
    'azure': ('openai', 'openai'),
    'ollama': ('openai', 'openai'),
    'anthropic': ('anthropic', 'anthropic'),
    'google': ('google.genai', 'google'),
    'google-cloud': ('google.genai', 'google'),
    'groq': ('groq', 'groq'),
    'bedrock': ('boto3', 'bedrock'),
    'sentence-transformers': ('sentence_transformers', 'sentence-transformers'),
}
"""The package that each needs, and the extra of pydantic-ai-slim that brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A model, and how to reach it."""

    kind: Kind
    label: str
    """Its provider, as names of models begin with it."""
    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Further arguments of the provider."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    given: Any = field(default=None, repr=False)
    """A model, or the name of one, that is used as it is."""

    @property
    def name(self) -> str:
        """The provider and the model."""
        return f'{self.label}:{self.model}' if self.label else self.model

    def check_installed(self, what: str) -> None:
        """See whether the packages are there.

        Raises:
            ConfigurationError: One is missing.
        """
        if self.kind == 'given' and not isinstance(self.given, str):
            return
        if importlib.util.find_spec('pydantic_ai') is None:
            raise ConfigurationError(
                f'{what}: models need Pydantic AI, which is not installed: run `pip install "memoranda[pydantic-ai]"`'
            )
        package, extra = _PACKAGES.get(self.kind, ('pydantic_ai', ''))
        # Pydantic AI counts the tokens of what OpenAI embeds with it.
        for needed in (package, 'tiktoken') if (what, package) == ('embedder', 'openai') else (package,):
            if not _is_there(needed):
                raise ConfigurationError(
                    f'{what}: {self.name} needs the package {needed}, which is not installed: run '
                    f'`pip install "pydantic-ai-slim[{extra}]"`'
                )

    def open_model(self) -> tuple[Model | str, Provider[Any] | None]:
        """The model, and what to close after it. Imports; for the loop that it is used on."""
        if self.kind == 'given':
            return self.given, None
        from pydantic_ai.models import infer_model

        provider = self._provider()
        # OpenAI's own API has a newer protocol, which those that imitate it don't speak.
        chat = self.kind == 'compatible' or (self.kind == 'openai' and self.base_url is not None)
        found = infer_model(
            f'{"openai-chat" if chat else self.label}:{self.model}', provider_factory=lambda _: provider
        )
        from memoranda.compat._mem0_settled import Settled

        return Settled(found, {'cache': {'messages': False}, **self.settings}), provider

    def open_embedder(self) -> tuple[PydanticAIEmbedder, Provider[Any] | None]:
        """The embedding model, and what to close after it."""
        from pydantic_ai.embeddings import Embedder, infer_embedding_model

        settings: Any = dict(self.settings) or None
        if self.kind == 'given':
            return self.given if isinstance(self.given, Embedder) else Embedder(self.given, settings=settings), None
        if self.kind == 'sentence-transformers':
            from pydantic_ai.embeddings.sentence_transformers import SentenceTransformerEmbeddingModel

            return Embedder(SentenceTransformerEmbeddingModel(self.model), settings=settings), None
        provider = self._provider()
        label = 'openai' if self.kind == 'compatible' else self.label
        model = infer_embedding_model(f'{label}:{self.model}', provider_factory=lambda _: provider)
        return Embedder(model, settings=settings), provider

    def _provider(self) -> Provider[Any]:
        key = {'api_key': self.api_key} if self.api_key else {}
        url = {'base_url': self.base_url} if self.base_url else {}
        if self.kind == 'compatible':
            # A server of one's own takes any word as its key.
            from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

            return OpenAICompatibleProvider(self.label, base_url=self.base_url or '', api_key=self.api_key or _KEYLESS)
        module, kind = _PROVIDERS[self.kind]
        made: Any = getattr(importlib.import_module(f'pydantic_ai.providers.{module}'), kind)
        return made(**key, **url, **self.options)


_KEYLESS: Final = 'none'
_PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    'openai': ('openai', 'OpenAIProvider'),
    'azure': ('azure', 'AzureProvider'),
    'anthropic': ('anthropic', 'AnthropicProvider'),
    'google': ('google', 'GoogleProvider'),
    'google-cloud': ('google_cloud', 'GoogleCloudProvider'),
    'groq': ('groq', 'GroqProvider'),
    'ollama': ('ollama', 'OllamaProvider'),
    'bedrock': ('bedrock', 'BedrockProvider'),
}


class ConnectedExtractor:
    """Draws facts by a model that is connected when it is first asked, on each event loop anew.

    Args:
        connection: The model.
        instructions: What it shall regard in every extraction.
        trace_content: Whether traces may hold what was said.
    """

    def __init__(self, connection: Connection, *, instructions: str = '', trace_content: bool = False) -> None:
        self.connection = connection
        self.name = f'llm:{connection.name}'[:200]
        self._instructions, self._trace_content = instructions, trace_content
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[LLMExtractor, Provider[Any] | None]]
        self._made = WeakKeyDictionary()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the messages; see `LLMExtractor.extract`."""
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            made = await asyncio.to_thread(self._make)
            if self._made.setdefault(loop, made) is not made:  # somebody else was first
                await _close(made[1])
        return await self._made[loop][0].extract(request)

    async def aclose(self) -> None:
        """Close the connection of the running loop; a later call opens another one."""
        extractor, provider = self._made.pop(asyncio.get_running_loop(), (None, None))
        if extractor is not None:
            await extractor.aclose()
        await _close(provider)

    def _make(self) -> tuple[LLMExtractor, Provider[Any] | None]:
        from memoranda.write.llm import LLMExtractor

        model, provider = _opened(self.connection, 'llm', self.connection.open_model)
        extractor = LLMExtractor(
            model, instructions=self._instructions, name=self.name, trace_content=self._trace_content
        )
        return extractor, provider


class ConnectedEmbedder(AsyncEmbedder):
    """Makes vectors with a model that is connected when it is first asked, on each event loop anew."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.name, dimensions=connection.settings.get('dimensions'))
        self.connection = connection
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[PydanticAIEmbedder, Provider[Any] | None]]
        self._made = WeakKeyDictionary()

    async def request(self, texts: list[str], *, query: bool) -> Sequence[Sequence[float]]:
        """One call to the provider."""
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            made = await asyncio.to_thread(_opened, self.connection, 'embedder', self.connection.open_embedder)
            if self._made.setdefault(loop, made) is not made:  # somebody else was first
                await _close(made[1])
        embedder = self._made[loop][0]
        result = await (embedder.embed_query(texts) if query else embedder.embed_documents(texts))
        return result.embeddings

    async def aclose(self) -> None:
        """Close the connection of the running loop; a later call opens another one."""
        await _close(self._made.pop(asyncio.get_running_loop(), (None, None))[1])


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


@asynccontextmanager
async def connected(connection: Connection) -> AsyncGenerator[Model | str]:
    """The model of a connection, for one call."""
    model, provider = await asyncio.to_thread(_opened, connection, 'llm', connection.open_model)
    try:
        yield model
    finally:
        await _close(provider)


def _opened(connection: Connection, what: str, make: Any) -> Any:
    from pydantic_ai.exceptions import UserError

    try:
        return make()
    except (ImportError, UserError, ValueError) as error:
        raise ConfigurationError(f'{what} {connection.name} can not be used: {error}') from error


async def _close(provider: Provider[Any] | None) -> None:
    if provider is not None:
        async with provider:  # leaving it is what closes the client that it made
            pass
