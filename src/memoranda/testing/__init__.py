"""For tests: doubles of what needs a model, and the suites that backends and embedders must pass."""

from __future__ import annotations

from memoranda.testing.embedders import EmbedderSuite, HashingEmbedder
from memoranda.testing.extractors import ScriptedExtractor
from memoranda.testing.stores import StoreSuite

__all__ = ['EmbedderSuite', 'HashingEmbedder', 'ScriptedExtractor', 'StoreSuite']
