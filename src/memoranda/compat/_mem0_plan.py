"""A Mem0 configuration as a memory of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memoranda.compat._mem0_connections import ConnectedEmbedder, ConnectedExtractor, Connection
from memoranda.compat._mem0_models import embedder_of, llm_of
from memoranda.compat._mem0_sections import MemoryConfig, flag
from memoranda.compat._mem0_stores import place_of
from memoranda.compat._mem0_told import log, once
from memoranda.memory import AsyncMemory

if TYPE_CHECKING:
    from memoranda.settings import Settings

__all__ = ['memory_of']


def memory_of(config: MemoryConfig) -> tuple[AsyncMemory, Connection | None]:
    """A memory for a configuration, and the model that it asks. Nothing is opened or connected yet.

    Raises:
        ConfigurationError: Something in it is unknown, can't be used, or needs a package that is missing.
    """
    from memoranda.settings import Settings

    place = place_of(config.vector_store)
    settings = Settings() if place.pool is None else Settings(postgres_pool=place.pool)
    llm = _llm(config, settings)
    embedder = None if config.embedder is None else embedder_of(config.embedder)
    arguments: dict[str, Any] = {'extractor': _extractor(config, llm, settings)}
    if embedder is not None:
        embedder.check_installed('embedder')
        given = embedder.given if embedder.kind == 'given' else None
        arguments['embedder'] = ConnectedEmbedder(embedder) if given is None else given
    elif config.embedder is not None:
        arguments['embedder'] = 'bundled'
    memory = AsyncMemory(
        place.database,
        project=place.project,
        index=place.index,
        settings=settings,
        # There is no room in Mem0's answers to say that something was left out.
        errors='raise',
        **arguments,
    )
    for warning in place.warnings:
        once(warning)
    if place.note:
        log.info('%s', place.note)
    if llm is None and config.llm is None:
        once(
            f'facts are drawn by rules, without a model, and kept in {memory.location}, project {memory.project!r}: '
            'configure llm, or set MEMORANDA_MODEL, for a model (docs/mem0.md)'
        )
    return memory, llm


def _llm(config: MemoryConfig, settings: Settings) -> Connection | None:
    """The model of the configuration, else that of the settings."""
    if config.llm is not None:
        found = llm_of(config.llm)
        if found is not None:
            found.check_installed('llm')
        return found
    if settings.model in (None, 'rules'):
        return None
    return Connection(kind='given', label='', model=settings.model or '', given=settings.model)


def _extractor(config: MemoryConfig, llm: Connection | None, settings: Settings) -> Any:
    if llm is not None:
        instructions, traced = config.custom_instructions or '', settings.trace_include_content
        if llm.kind == 'given':
            from memoranda.write.llm import LLMExtractor

            return LLMExtractor(llm.given, instructions=instructions, trace_content=traced)
        return ConnectedExtractor(llm, instructions=instructions, trace_content=traced)
    if config.custom_instructions:
        once('custom_instructions are for a model, and none is configured: they are without effect')
    if config.llm is not None and not flag('llm.config.keep_unread', config.llm.config.get('keep_unread', True)):
        from memoranda.write.rules import RulesExtractor

        return RulesExtractor()
    from memoranda.compat._mem0_rules import KeepingRules

    return KeepingRules()
