"""The clauses of a sentence, each with a subject of its own, after the speaker's repairs (`Google, sorry, Googol`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memoranda.write.rules.grammar import NUMBER

__all__ = ['HOLE', 'Clause', 'clauses', 'strip']

HOLE = '\0'
"""Stands for each code point that is not the speaker's own statement."""
_EDGE = ' \t\n\r\f\v,;.:!?…-–—*•()[]"~'


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with a subject of its own (or `implied`: the one before it)."""

    start: int
    """Code points from the start of the message."""
    text: str
    implied: bool = False
    until: int = 0
    """Where it ends in the message, when its text is not all the words there."""

    @property
    def end(self) -> int:
        """Where it ends in the message."""
        return self.until or self.start + len(self.text)


def strip(mask: str, start: int, end: int) -> tuple[int, int]:
    """Bounds without the white space, bullets and punctuation around."""
    while start < end and mask[start] in _EDGE:
        start += 1
    while end > start and mask[end - 1] in _EDGE:
        end -= 1
    return start, end


# Repairs

_SLIP = r'(?:sorry|no,? wait|wait,? no|wait|oops|scratch that|strike that|correction|no|er|uh|um)'
_REPAIR = re.compile(
    rf'(?:[,;]\s|\s[-–—]\s|\.\.\.\s|…\s)(?:[-–—]\s)?(?:(?P<slip>{_SLIP})[,.!]?\s(?:i mean(?:t)?(?: to say| to '
    rf'write)?,?\s|make that\s|rather\s'
    rf"|it's\s)?|(?:i mean(?:t to say)?|make that|or rather),?\s)(?P<new>[^,.;:!?\0]{{1,60}})",
    re.IGNORECASE,
)
_PROPER = re.compile(r"(?:[A-ZÀ-Þ][\w'.+#-]*)(?:\s(?:[A-ZÀ-Þ][\w'.+#-]*|de|da|do|von|van|of))*$")
_PROPER_TAIL = re.compile(r"(?<!\w)(?:[A-ZÀ-Þ][\w'.+#-]*\s){0,4}[A-ZÀ-Þ][\w'.+#-]*$")
_AMOUNT = re.compile(rf'{NUMBER}\b', re.IGNORECASE)
_AMOUNT_TAIL = re.compile(rf"(?<!\w){NUMBER}(?:\s[\w'-]+){{0,3}}$", re.IGNORECASE)
_WORD_TAIL = re.compile(r"(?<=\s)[a-z][\w'-]*$")
_SUBJECT = re.compile(r"(?:i|i'm|i've|we|we're|my|our)\b", re.IGNORECASE)


def clauses(sentence: str, offset: int) -> Iterator[Clause]:
    """The clauses of a sentence that stands at `offset`.

    Where the speaker took a word back at once, the clause has the word that was meant; where it isn't clear which
    word that replaces, the clause drops out.
    """
    m = _REPAIR.search(sentence)
    # `I mean` alone fills pauses; `no` stands between commas when it takes something back.
    if m is None or ((m['slip'] or '').lower() == 'no' and not re.match(r',\sno,', m[0], re.IGNORECASE)):
        yield from _split(sentence, offset)
        return
    before = list(_split(sentence[: m.start()], offset))
    new = m['new'].strip()
    filler = m['slip'] is None and not _PROPER.match(new) and not _AMOUNT.match(new)
    if not before or filler:
        yield from _split(sentence, offset)
        return
    yield from before[:-1]
    last = before[-1]
    if _SUBJECT.match(new):
        yield from _split(sentence[m.start('new') :], offset + m.start('new'))
        return
    mended = _mended(last.text, new)
    if mended is not None:
        yield Clause(last.start, mended, last.implied, offset + m.start('new') + len(m['new'].rstrip()))
    yield from _split(sentence[m.end() :], offset + m.end())


def _mended(said: str, new: str) -> str | None:
    """`I work at Google` with `Googol Analytics`: the last words of its kind replaced."""
    if _PROPER.match(new):
        tail = _PROPER_TAIL.search(said)
    elif _AMOUNT.match(new):
        tail = _AMOUNT_TAIL.search(said)
        if tail is None:
            return None
        # `two kids, no, three` keeps the kids.
        rest = tail[0].split(maxsplit=1)[1:] if len(new.split()) == 1 else []
        return ' '.join([said[: tail.start()].rstrip(), new, *rest])
    elif len(new.split()) == 1:
        tail = _WORD_TAIL.search(said)
    else:
        lead = re.match(r'(?:in|at|to|from|with|for|as|an?)\s', new)
        place = said.lower().rfind(f' {lead[0].lower()}') if lead else -1
        return f'{said[:place]} {new}' if place > 0 else None
    if tail is None or tail.start() == 0:
        return None
    return said[: tail.start()] + new


# Boundaries

_PLAIN_VERBS = (
    'live|work|love|like|hate|prefer|enjoy|use|study|speak|own|drive|have|am|adore|dislike|teach|run|play|'
    "don't|do not|can't|cannot|never eat|avoid|plan to|want to|code in|hope to|'m"
)
_BOUNDARY = re.compile(
    r';|\s[-–]{1,2}\s|\s?—\s?'
    r'|,?\s(?:(?:and|but|so|plus|yet|because|since|though|although|even though|while|whereas'
    r"|however|cause|'cause|which is why|and now|but now)\s)"
    r"(?=(?:also\s|now\s)?(?:i|i'm|i've|im|we|we're|my|our)\b)"
    r"|,\s(?=(?:i|i'm|i've|im|we|we're|my|our|but|always|never|please)\b)"
    rf'|,?\s(?:and|but)\s(?=(?:also\s|really\s|currently\s|now\s)?(?P<implied>{_PLAIN_VERBS})\b)'
    r"|,?\s(?:and|but)\s(?=(?:please|always|never|don't|(?:you can|you may|everyone|everybody|people|(?:my )?friends)"
    r'\s(?:just )?calls? me|call me)\s)'
    r"|,\sso\s(?=(?:please|keep|avoid|skip|use|no|nothing|don't|make|give|remember|be|only|just|the|that|it|you"
    r'|your|what'
    r'|any|can|could)\b)',
    re.IGNORECASE,
)
_OTHER_SUBJECT = re.compile(
    r'\bto\s[a-z]|\b(?:how|what|because|you|your|would|could|should|might|may|will|can|let'
    r"|used|who|that|which|whose|where|if|when|he|she|they|people|someone|friends?|going|'ll"
    r"|'d)\b",
)
_FIRST_PERSON = re.compile(
    rf"(?:[\w']+,?\s){{0,3}}(?:(?:i'm|im|i am|we're)\s(?!\w+ing\b)|(?:i've|we've)\s|(?:i"
    rf"|we)\s(?:\w+ly\s|also\s|just\s|both\s)?(?:{_PLAIN_VERBS}|moved|got|don't|was born)\b)",
    re.IGNORECASE,
)


def _split(sentence: str, offset: int) -> Iterator[Clause]:
    start, implied = 0, False
    for m in _BOUNDARY.finditer(sentence):
        head = sentence[start : m.start()]
        shares = m['implied'] is not None and not head.endswith(('and', 'but'))
        if shares and not (implied or _FIRST_PERSON.match(head)):
            continue
        # `the self-acceptance and love theme`: the verb again, as a noun.
        if shares and (_OTHER_SUBJECT.search(head) or m['implied'].lower() in head.lower().split()):
            continue
        yield from _clause(sentence, start, m.start(), offset, implied=implied)
        start, implied = m.end(), shares
    yield from _clause(sentence, start, len(sentence), offset, implied=implied)


def _clause(sentence: str, start: int, end: int, offset: int, *, implied: bool) -> Iterator[Clause]:
    start, end = strip(sentence, start, end)
    if end - start >= 3 and HOLE not in sentence[start:end]:
        yield Clause(start + offset, sentence[start:end], implied)
