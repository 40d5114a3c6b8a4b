"""For tests: doubles of what needs a model, and the suites that backends and embedders must pass."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memoranda.testing.embedders import EmbedderSuite, HashingEmbedder
    from memoranda.testing.extractors import ScriptedExtractor
    from memoranda.testing.stores import StoreSuite

__all__ = ['EmbedderSuite', 'HashingEmbedder', 'ScriptedExtractor', 'StoreSuite']

# Each when it is first asked for: a double doesn't wait for hundreds of tests to be loaded.
_LATER = {
    'EmbedderSuite': 'embedders',
    'HashingEmbedder': 'embedders',
    'ScriptedExtractor': 'extractors',
    'StoreSuite': 'stores',
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'memoranda.testing.{_LATER[name]}'), name)
