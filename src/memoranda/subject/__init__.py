"""Everything held on one subject, as a document that can be read, kept, and imported again."""

from __future__ import annotations

__all__: list[str] = []
