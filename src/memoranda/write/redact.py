"""Secrets never reach the disk: deterministic detectors that run before the first commit (`detect`).

Each secret is replaced by a word that says what was there, and can't be recovered. Offsets, hashes and quotes refer to
the redacted text.
"""

from __future__ import annotations

from typing import Final

from memoranda.policy import Policy
from memoranda.write import detect

__all__ = ['redact']

_DEFAULT: Final = Policy()


def redact(text: str, policy: Policy = _DEFAULT) -> tuple[str, int]:
    """The text without what a policy keeps out of the storage (by default secrets), and how many there were."""
    return detect.redact(text, policy)
