"""A model and an embedder for the real Mem0, which its factories are told the names of."""

from __future__ import annotations

import json
from typing import Any

from compat._openai import vector

SAYS = 'Ana lives in Lisbon'


class Embedder:
    """Vectors of texts that share words are close."""

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def embed(self, text: str, memory_action: Any = None) -> list[float]:
        """One text."""
        return vector(text)

    def embed_batch(self, texts: list[str], memory_action: Any = None) -> list[list[float]]:
        """Several."""
        return [vector(text) for text in texts]


class Model:
    """Finds the same fact in whatever it is asked."""

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def generate_response(self, messages: Any, **arguments: Any) -> str:
        """An answer to an extraction."""
        return json.dumps({'memory': [{'id': '0', 'text': SAYS}]})
