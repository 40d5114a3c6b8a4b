"""What a prompt may show of what is known: the policy's rules for reading, and words that no prompt shows again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from memoranda.records import Hit, MemoryRecord, Trust
from memoranda.write.foreign import foreign, share
from memoranda.write.trust import MOST, hostile

if TYPE_CHECKING:
    from memoranda.policy import Policy, ReadRule

__all__ = ['NOTE', 'UNCONFIRMED', 'passage', 'rule_for', 'tier_of']

UNCONFIRMED: Final = 'Unconfirmed, from tools, web pages or quotations; nobody has checked it:'
"""Begins the part of a block that holds what no rule lets in as known."""
_LEFT_OUT: Final = '[...]'
NOTE: Final = 'remember'
"""The name that a message has which a model wrote with its tool of that name."""
_PERSON: Final = 'user'
"""The actor of what a person did."""
_LEAST: Final = 3
"""Letters and digits that have to be left of a passage."""


def rule_for(found: MemoryRecord | Hit, policy: Policy) -> ReadRule:
    """How something found gets into a prompt. What a person approved or wrote is known, wherever it came from."""
    memory = found if isinstance(found, MemoryRecord) else found.memory
    if memory is not None and memory.actor == _PERSON:
        return 'include'
    return policy.read[tier_of(found)]


def tier_of(found: MemoryRecord | Hit) -> Trust:
    """Who vouches for it: of a passage of a user's message, nobody for what is quoted or pasted there."""
    if isinstance(found, MemoryRecord):
        return found.trust
    if found.memory is not None:
        return found.memory.trust
    message = found.episode
    if message is None or message.role != 'user' or message.trust != 'user':
        return 'user' if message is None else message.trust
    spans = foreign(message.text)
    return 'external' if spans and share((found.start, found.end), spans, message.text) > MOST else 'user'


def passage(hit: Hit) -> str | None:
    """The words of a passage without what tells an agent what to do; None when nothing is left of them."""
    if hit.episode is None or (hit.episode.name == NOTE and hit.episode.role == 'tool'):
        return None  # a fact that a model noted is told once it is believed, and not before
    text = hit.text
    spans = [(max(a, hit.start), min(b, hit.end)) for a, b in hostile(hit.episode)]
    spans = [(a - hit.start, b - hit.start) for a, b in spans if a < b]
    if not spans:
        return text
    left = _cut(text, spans)
    return left if sum(c.isalnum() for c in left) >= _LEAST else None


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    out: list[str] = []
    at = 0
    for start, end in spans:
        if end > at:
            out += [text[at : max(at, start)], _LEFT_OUT]
            at = end
    return ''.join((*out, text[at:])).strip()
