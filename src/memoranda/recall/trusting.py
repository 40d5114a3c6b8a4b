"""What a prompt may show of what is known: the policy's rules for reading, and words that no prompt shows again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from memoranda.recall.claims import about_user
from memoranda.records import Hit, MemoryRecord, Trust
from memoranda.write.foreign import Span, foreign, share
from memoranda.write.trust import MOST, hostile, own_words

if TYPE_CHECKING:
    from memoranda.policy import Policy, ReadRule

__all__ = ['NOTE', 'UNCONFIRMED', 'cut', 'cuts', 'doubted', 'passage', 'rule_for', 'sentences', 'tier_for', 'tier_of']

UNCONFIRMED: Final = 'Unconfirmed, from tools, web pages or quotations; nobody has checked it:'
"""Begins the part of a block that holds what no rule lets in as known."""
_LEFT_OUT: Final = '[...]'
NOTE: Final = 'remember'
"""The name that a message has which a model wrote with its tool of that name."""
_PERSON: Final = 'user'
"""The actor of what a person did."""
_LEAST: Final = 3
"""Letters and digits that have to be left of a passage."""
_SENTENCE: Final = re.compile(
    # A point within a word ends nothing, nor does that of an ordinal: `on the 3. of May`, `am 3. Mai`.
    r'(?:[^.!?\u2026\u3002\uff01\uff1f\n]|[.](?=\w)|(?<=\b\d)[.](?= \w)|(?<=\b\d\d)[.](?= \w))*'
    r'[.!?\u2026\u3002\uff01\uff1f\n]*'
)


def sentences(text: str) -> list[Span]:
    """Where the sentences of a text stand."""
    return [m.span() for m in _SENTENCE.finditer(text) if m[0].strip()]


def rule_for(found: MemoryRecord | Hit, policy: Policy, *, approved: Collection[str] = ()) -> ReadRule:
    """How something found gets into a prompt. What a person approved or wrote is known, wherever it came from.

    Args:
        found: A fact, or a passage of a message.
        policy: Its rules.
        approved: Ids of facts that a person approved, as far as they don't tell it themselves (see `doubted`).
    """
    memory = found if isinstance(found, MemoryRecord) else found.memory
    if memory is None:
        return policy.passages[tier_for(found, policy)]
    if memory.actor == _PERSON or memory.locked or memory.id in approved:
        return 'include'
    return policy.read[memory.trust]


def doubted(found: Iterable[MemoryRecord | Hit | None], policy: Policy) -> list[str]:
    """Ids of facts that are told as known only if a person approved them, which they don't tell themselves.

    They were approved by somebody with a name (`acting_as`), or confirmed or tidied up since.
    """
    memories = (f.memory if isinstance(f, Hit) else f for f in found)
    return list(dict.fromkeys(m.id for m in memories if m is not None and rule_for(m, policy) != 'include'))


def tier_of(found: MemoryRecord | Hit) -> Trust:
    """Who vouches for it: for what is quoted or pasted in a user's message, or what a tool returned, nobody."""
    if isinstance(found, MemoryRecord):
        return found.trust
    if found.memory is not None:
        return found.memory.trust
    message = found.episode
    if message is None:
        return 'user'
    if message.role == 'tool':
        return 'external'  # word for word; what a model made of it is another message
    if message.role != 'user' or message.trust != 'user':
        return message.trust
    spans = foreign(message.text)
    return 'external' if spans and share((found.start, found.end), spans, message.text) > MOST else 'user'


def tier_for(found: MemoryRecord | Hit, policy: Policy | None) -> Trust:
    """The same, where a policy keeps what others said out of prompts: what stands beside it is the user's."""
    tier = tier_of(found)
    return 'user' if tier == 'external' and _beside(found, policy) else tier


def _beside(found: MemoryRecord | Hit, policy: Policy | None) -> Sequence[Span]:
    """What a user tells of themself beside somebody else's words, in what was found of a message."""
    if isinstance(found, MemoryRecord) or policy is None or policy.passages['external'] != 'exclude':
        return ()
    message = found.episode
    if found.memory is not None or message is None or message.role != 'user' or message.trust != 'user':
        return ()
    return [(a, b) for a, b in own_words(message.text) if a < found.end and found.start < b]


def cuts(hit: Hit, policy: Policy | None = None) -> list[Span] | None:
    """Where a passage holds words that no prompt shows, in code points of its text; None when it is no passage.

    Args:
        hit: Something found.
        policy: Whether a prompt shows what a user quotes, and what a model that read the words of others says about
            the user. None: yes.
    """
    message = hit.episode
    if message is None or (message.name == NOTE and message.role == 'tool'):
        return None  # a fact that a model noted is told once it is believed, and not before
    spans: Sequence[Span] = hostile(message)
    said = message.role == 'user' and message.trust == 'user'
    if said and policy is not None and policy.passages['external'] == 'exclude':
        spans = (*spans, *foreign(message.text))
        if tier_of(hit) == 'external':
            spans = (*spans, *_outside(_beside(hit, policy), len(message.text)))
    repeated = message.role == 'assistant' and message.trust == 'tool'  # what it says rests on what others wrote
    if repeated and policy is not None and policy.passages['tool'] != 'include':
        spans = (*spans, *about_user(message.text, message.scope.user_id, sentences(message.text)))
    if hit.withheld:  # as whole sentences: what stands around a word may tell it
        spans = (*spans, *(s for s in sentences(message.text) if any(a < s[1] and s[0] < b for a, b in hit.withheld)))
    spans = sorted(spans)
    within = [(max(a, hit.start) - hit.start, min(b, hit.end) - hit.start) for a, b in spans]
    return [(a, b) for a, b in within if a < b]


def passage(hit: Hit, policy: Policy | None = None) -> str | None:
    """The words of a passage without what no prompt shows; None when nothing is left of them."""
    spans = cuts(hit, policy)
    return None if spans is None else cut(hit.text, spans)


def cut(text: str, spans: Iterable[Span]) -> str | None:
    """A text without these stretches, ascending; None when next to nothing is left."""
    out: list[str] = []
    at = 0
    for start, end in spans:
        if end > at:
            out += [text[at : max(at, start)], _LEFT_OUT]
            at = end
    if not out:
        return text
    left = ''.join((*out, text[at:])).strip()
    return left if sum(c.isalnum() for c in left) >= _LEAST else None


def _outside(spans: Iterable[Span], length: int) -> list[Span]:
    """All of a text but these stretches, ascending."""
    at, rest = 0, list[Span]()
    for start, end in spans:
        rest.append((at, start))
        at = end
    return [*rest, (at, length)]
