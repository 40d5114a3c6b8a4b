"""The sections of a Mem0 configuration, and checks of what they hold."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, cast

from memoranda.errors import ConfigurationError, shown, what_is, with_article

__all__ = [
    'EmbedderConfig',
    'LlmConfig',
    'MemoryConfig',
    'RerankerConfig',
    'Section',
    'VectorStoreConfig',
    'check_keys',
    'flag',
    'number',
    'secret',
    'text',
]

_GONE: Final[Mapping[str, str]] = {
    'graph_store': 'there is no graph (Mem0 took its own out too): leave it out',
    'enable_graph': 'there is no graph (Mem0 took its own out too): leave it out',
    'custom_fact_extraction_prompt': 'what to regard goes into custom_instructions, in sentences of your own: the '
    'shape of the answer is not for a prompt to say here',
    'custom_prompt': 'what to regard goes into custom_instructions, in sentences of your own',
    'custom_update_memory_prompt': 'what replaces what is decided by code (docs/changes.md): leave it out',
    'custom_categories': 'use metadata, or kinds of your own with memoranda.Memory(kinds=...)',
}


@dataclass(frozen=True, slots=True)
class Section:
    """A provider and its configuration.

    Raises:
        ConfigurationError: A part of it is of a wrong type.
    """

    provider: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def __post_init__(self) -> None:
        provider, config = cast('object', self.provider), cast('object', self.config)
        if provider is not None and (not isinstance(provider, str) or not provider.strip()):
            raise ConfigurationError(f'provider={shown(provider)} is no name: pass text such as openai')
        if config is None:
            object.__setattr__(self, 'config', {})
        elif not isinstance(config, Mapping):
            raise ConfigurationError(f'config of {provider} is {what_is(config)}: pass a dict')


class LlmConfig(Section):
    """The section `llm`: what draws facts from messages."""


class EmbedderConfig(Section):
    """The section `embedder`: what makes vectors."""


class VectorStoreConfig(Section):
    """The section `vector_store`: where memories are."""


class RerankerConfig(Section):
    """The section `reranker`, which is not offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig:
    """The configuration of a `Memory`. Sections may be dicts with `provider` and `config`."""

    vector_store: Section | None = None
    llm: Section | None = None
    embedder: Section | None = None
    history_db_path: str | None = None
    """History is kept in the database itself: without effect."""
    reranker: Section | None = None
    version: str = 'v1.1'
    """Results serve both shapes: without effect."""
    custom_instructions: str | None = None
    """What a model shall regard in every extraction."""

    def __post_init__(self) -> None:
        for name in ('vector_store', 'llm', 'embedder', 'reranker'):
            object.__setattr__(self, name, _section(name, getattr(self, name)))
        if self.reranker is not None:
            raise ConfigurationError(
                'reranker is not offered: results are ranked by meaning, words and time (docs/search.md): leave it out'
            )
        if self.version not in ('v1.0', 'v1.1', 'v2'):
            raise ConfigurationError(f'version={shown(self.version)} is unknown: use v1.1, or leave it out')
        text('custom_instructions', self.custom_instructions)
        text('history_db_path', self.history_db_path)

    @classmethod
    def read(cls, config: object) -> MemoryConfig:
        """A configuration from None, a dict or itself.

        Raises:
            ConfigurationError: An unknown key, or a value that can't be used.
        """
        if config is None:
            return cls()
        if isinstance(config, cls):
            return config
        if not isinstance(config, Mapping):
            raise ConfigurationError(
                f'config is {with_article(type(config).__module__)}.{type(config).__name__}: pass a dict, or a '
                'MemoryConfig of memoranda.compat.mem0'
            )
        given = {k: v for k, v in cast('Mapping[Any, Any]', config).items() if v is not None}
        known = tuple(f.name for f in fields(cls))
        check_keys('', 'config', given, known, _GONE)
        return cls(**given)


def check_keys(
    section: str, provider: str, config: Mapping[Any, Any], known: tuple[str, ...], refused: Mapping[str, str]
) -> None:
    """Refuse keys that would be without effect.

    Args:
        section: Its name; empty for the configuration itself.
        provider: Of the section.
        config: What is in it. None, False and empty values of refused keys count as left out.
        known: What is read.
        refused: What is known and not offered, with the reason and what to do.
    """
    where = f'{section}.config' if section else provider
    for key, value in config.items():
        if key in known:
            continue
        if key in refused:
            if value is None or value is False or value == {} or value == []:
                continue
            raise ConfigurationError(f'{where}: {key} is not offered: {refused[key]}')
        close = difflib.get_close_matches(str(key), known, n=1)
        hint = f', did you mean {close[0]!r}?' if close else '.'
        of = f' of {provider}' if section else ''
        raise ConfigurationError(
            f'{where}: key {shown(key)}{of} is unknown{hint} Known are {", ".join(known) or "none"}'
        )


def _section(name: str, value: object) -> Section | None:
    if value is None or isinstance(value, Section):
        return value
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f'{name} is {what_is(value)}: pass {{"provider": ..., "config": {{...}}}}, or leave it out'
        )
    given = cast('Mapping[Any, Any]', value)
    check_keys('', name, given, ('provider', 'config'), {})
    return Section(given.get('provider'), given.get('config') or {})


def text(name: str, value: object) -> str | None:
    """Text, or None where it is left out or empty."""
    if value is None or value == '':
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f'{name}={shown(value)} is {what_is(value)}: pass text')
    return value


def secret(name: str, value: object) -> str | None:
    """The same for what no message may show."""
    if value is None or value == '':
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f'{name} is {what_is(value)}: pass text')
    return value


def number(name: str, value: object, *, whole: bool = False) -> float:
    """A number that isn't negative."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not 0 <= value < float('inf'):
        raise ConfigurationError(
            f'{name}={shown(value)} is no {"whole " if whole else ""}number of 0 or more: correct it'
        )
    return value


def flag(name: str, value: object) -> bool:
    """Yes or no; left out means no."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ConfigurationError(f'{name}={shown(value)} is no yes or no: pass True or False')
    return value
