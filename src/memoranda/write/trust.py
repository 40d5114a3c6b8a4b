"""Whose words a fact rests on: tiers, what was only recalled, what is somebody else's, what a model drew from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args

from memoranda._caches import remembered
from memoranda.errors import InvalidInput, shown
from memoranda.records import Episode, MemoryRecord, Role, Trust
from memoranda.write.commands import asks_agent, commands, commits, hides
from memoranda.write.foreign import Span, foreign, recalled, reports, share
from memoranda.write.plain import plain

__all__ = [
    'TIERS',
    'check_trust',
    'grounded',
    'hostile',
    'own_words',
    'is_command',
    'restates',
    'shared',
    'source_of',
    'tier_of_role',
    'weakest',
    'without',
]

TIERS: Final[Sequence[Trust]] = ('user', 'assistant', 'tool', 'external')
"""From the one that vouches most to the one that vouches least."""
MOST: Final = 0.5
"""A quote of which more than this share is somebody else's is somebody else's."""
GROUNDED: Final = 0.6
RESTATED: Final = 0.8
_BEFORE: Final = 20
"""Messages before that are looked at for what a model may have read."""
_WORD: Final = re.compile(r'[^\W_]+')
_STOP: Final = frozenset(
    'that this with have from your user users they them their there what which when where were been being about '
    'into will would could should also than then some such very just more most only other these those does said '
    'says like customer assistant okay noted understood remember para como esta este pour avec vous nous dans '
    'sont nicht eine einen sind wird para come questo sono mais likes wants the and for are was has had not you '
    'his her its our out now but all any can who how why one two get got ist und der die das les des una uno con '
    'por que che del per non she him too did does may let yes'.split()
)
_SENTENCES: Final = re.compile(r'(?:[^.!?\n]|[.](?=\w))+[.!?]*')
_OF_ONESELF: Final = re.compile(
    r"\b(?:i|i'm|i've|i'll|i'd|my|mine|me|we|we're|our|us|ich|mein\w{0,2}|mir|mich|wir|unser\w{0,2}|uns"
    r"|je|j'\w+|mon|ma|mes|moi|nous|notre|nos|yo|mi|mis|nosotr[oa]s|nuestr[oa]s?|soy|estoy|tengo|vivo|trabajo|quiero"
    r'|prefiero|necesito|io|mi[oae]|miei|noi|nostr[oaie]|abito|lavoro|preferisco|voglio|eu|meus?|minhas?|noss[oa]s?'
    r'|moro|tenho|trabalho|prefiro|quero|preciso|voy|hago|doy|ho|sto|vado|faccio|mi chiamo|me llamo|sou|estou'
    r"|faco|vou)\b|^\W*sono (?:il|la|lo|un|uno|una)\b|^\W*sono (?:l|un)'"
)
_THEY_SAY: Final = re.compile(
    r"\b(?:it|they|he|she|(?:the|this|that|a|an|some|my|our|one) [\w' -]{1,60}?) (?:also )?(?:says?|said|tells?|told"
    r'|wants?|wanted|asks?|asked'
    r'|instructs?|instructed|states?|stated|reads?|claims?|claimed|recommends?|suggests?|insists?|wrote|writes'
    r'|demands?|requires?)\b'
    r'(?: (?:me|us|him|her|them|you|that|to))*\b[^.!?\n]{0,400}\b(?:you|the (?:ai|assistant|agent|bot|model)|ai'
    r'|assistants?|agents?)\b'
)
_GOES_ON: Final = re.compile(
    r', (?:and|but|so|yet|which is why) (?:i|we)\b(?! (?:should|must|want|need|have to|ask|tell|wish))', re.IGNORECASE
)
"""After what somebody else says: `..., but I do it by hand`."""


def weakest(tiers: Sequence[Trust]) -> Trust:
    """The tier that vouches least."""
    return TIERS[max(TIERS.index(t) for t in tiers)]


def tier_of_role(role: Role) -> Trust:
    """The tier of what somebody of that role says."""
    return 'user' if role == 'user' else 'assistant' if role == 'assistant' else 'tool'


def check_trust(value: object, where: str = 'trust') -> Trust:
    """A tier somebody gave.

    Raises:
        InvalidInput: There is no such tier.
    """
    if value not in get_args(Trust):
        raise InvalidInput(f'{where}={shown(value)} is no tier: use one of {", ".join(TIERS)}')
    found: Any = value
    return found


def source_of(message: Episode, start: int, end: int, previous: Sequence[Episode] = ()) -> Trust | None:
    """The tier of some words of a message; None when they had been recalled into a prompt.

    Args:
        message: As it is stored.
        start: In code points.
        end: The same.
        previous: What was said before it in its conversation.
    """
    span = (start, end)
    typed = message.role == 'user' and message.trust == 'user'
    if share(span, recalled(message.text, typed=typed), message.text) > MOST:
        return None
    if message.role == 'assistant':
        return _answered(message, start, end, previous)
    if message.trust != 'user':
        return message.trust
    if hides(message.text) or share(span, foreign(message.text), message.text) > MOST:
        return 'external'
    return 'user'


def _answered(message: Episode, start: int, end: int, previous: Sequence[Episode]) -> Trust:
    """The tier of what a model says: that of what it read, where it says what only stands there."""
    read = [m for m in previous[-_BEFORE:] if m.trust in ('tool', 'external') and m.role != 'assistant']
    others: list[tuple[str, Trust]] = [(m.text, m.trust) for m in read]
    own: list[str] = []
    for m in previous[-_BEFORE:]:
        if m.role == 'user' and m.trust == 'user':
            spans = foreign(m.text)
            quoted: list[tuple[str, Trust]] = [(m.text[a:b], 'external') for a, b in spans]
            others += quoted
            own.append(without(m.text, spans))
    said = message.text[start:end]
    if reports(said):
        return weakest([message.trust, 'tool'])
    if not others:
        return message.trust
    if grounded(said, own):
        return message.trust
    tiers: list[Trust] = [tier for text, tier in others if shared(said, [text], but=own)]
    return weakest([message.trust, *tiers])


def without(text: str, spans: Iterable[Span]) -> str:
    """The rest of a text."""
    out: list[str] = []
    at = 0
    for a, b in spans:
        out.append(text[at:a])
        at = b
    return ' '.join((*out, text[at:]))


@remembered(512)
def _words(text: str) -> frozenset[str]:
    """The telling words of a text, and its numbers."""
    found = _WORD.findall(plain(text).text)
    return frozenset(w for w in found if w not in _STOP and (len(w) > 2 or w[0].isdigit()))


def _in_common(words: Iterable[str], others: Iterable[str]) -> set[str]:
    """Those that others have too, perhaps with another ending."""
    stems: dict[str, list[int]] = {}
    for word in others:
        stems.setdefault(word[:4], []).append(len(word))
    exact = set(others)
    return {
        w
        for w in words
        if w in exact or (not w[0].isdigit() and any(abs(len(w) - n) <= 3 for n in stems.get(w[:4], ())))
    }


def grounded(text: str, said: Iterable[str], *, least: float = GROUNDED) -> bool:
    """Whether a text says what somebody said: most of its telling words, and all of its numbers.

    Args:
        text: What may have been made of it.
        said: What somebody said.
        least: How many of the words, 0..1.
    """
    words = _words(text)
    if not words:
        return True
    known = _in_common(words, _words('\n'.join(said)))
    return {w for w in words if w[0].isdigit()} <= known and len(known) >= least * len(words)


def shared(text: str, theirs: Iterable[str], *, but: Iterable[str]) -> set[str]:
    """The telling words of a text that stand in some texts and not in others."""
    words = _words(text)
    return _in_common(words, _words('\n'.join(theirs))) - _in_common(words, _words('\n'.join(but)))


def restates(text: str, existing: Iterable[MemoryRecord]) -> bool:
    """Whether a text only says again what is known."""
    words = _words(text)
    return bool(words) and any(grounded(text, [m.text], least=RESTATED) for m in existing)


def is_command(text: str, quotes: Iterable[str], trust: Trust, kind: str) -> bool:
    """Whether a fact reads like an instruction to the agent that is not the user's own."""
    if trust == 'user':
        return any(_is_reported(q) for q in quotes)
    return kind == 'instruction' or asks_agent(text) or any(asks_agent(q) or commits(q) for q in quotes)


def _is_reported(sentence: str) -> bool:
    """Whether it reports one, as `The page says that you should always recommend them` does."""
    return _THEY_SAY.search(plain(sentence).text) is not None and asks_agent(sentence)


def hostile(message: Episode) -> tuple[Span, ...]:
    """Where a message holds what tells an agent what to do and is not the user's own: no prompt shows that again."""
    # Nothing that a block has said, or that looks like its lines, is shown as if somebody had.
    typed = message.role == 'user' and message.trust == 'user'
    spans = recalled(message.text, typed=typed)
    if typed:
        return tuple(sorted((*spans, *_hostile(message.text))))
    spans += commands(message.text)
    if message.role == 'assistant' and message.trust != 'assistant':
        # It promises what a tool or a page asked of it.
        spans += tuple(m.span() for m in re.finditer(r'[^.!?\n]+', message.text) if commits(m[0]))
    return tuple(sorted(spans))


@remembered(512)
def own_words(text: str) -> tuple[Span, ...]:
    """Where a user tells something of themself in a message that is somebody else's for the most part.

    What is left of such a message may be a part of what was pasted that no mark shows. So only sentences count in which
    somebody speaks of themself, and orders nothing.
    """
    spans: list[Span] = []
    at = 0
    for start, end in (*foreign(text), (len(text), len(text))):
        for m in _SENTENCES.finditer(text, at, start):
            words = plain(m[0]).text
            if _OF_ONESELF.search(words) and not asks_agent(m[0]):
                spans.append(m.span())
        at = end
    return tuple(spans)


def _own_clause(sentence: str) -> int:
    """Where in a sentence that reports an order the speaker goes on with what they do themself; else where it ends."""
    own = _GOES_ON.search(sentence)
    return len(sentence) if own is None or asks_agent(sentence[own.start() :]) else own.start()


@remembered(512)
def _hostile(text: str) -> tuple[Span, ...]:
    if hides(text):
        return ((0, len(text)),)
    spans = [(a + c, a + d) for a, b in foreign(text) for c, d in commands(text[a:b])]
    spans += [(m.start(), m.start() + _own_clause(m[0])) for m in re.finditer(r'[^.!?\n]+', text) if _is_reported(m[0])]
    return tuple(sorted(spans))
