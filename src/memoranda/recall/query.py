"""What a question asks for: its words, whom and when it is about, and whose words it wants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from memoranda.recall.tokens import is_stop_word, query_terms

__all__ = ['Query', 'Window', 'analyse']


@dataclass(frozen=True, slots=True)
class Window:
    """The time a question names: `begin <= t < until`, in unix seconds."""

    begin: float
    """`-inf` for `before 2020`."""
    until: float
    text: str
    """The words that name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question, read."""

    text: str
    terms: tuple[str, ...]
    """Distinct, at most 64."""
    dense_text: str
    """What to embed for the memories lane. Its facts name other people than the user, so a name stays."""
    dense_text_first_person: str
    """What to embed for the episodes lane: people speak of themselves as `I`, so the question should too."""
    speaker: int = -1
    """Index into the `speakers` given of the person it is about, -1 when it names none."""
    speaker_name: str | None = None
    """The same by name; indices may differ from one snapshot to the next."""
    speaker_terms: frozenset[str] = frozenset()
    """The terms that are this person's name: people seldom say their own."""
    time: Window | None = None
    wants_role: Literal['assistant'] | None = None
    """`assistant` when it asks what the assistant said; nothing when it may be anybody."""


_MOST_TERMS = 64
_MOST_REWRITTEN = 2_000


def analyse(text: str, *, speakers: Sequence[str] = (), now: datetime) -> Query:
    """Read a question. English is read for persons and times; the words of any language are searched for.

    Args:
        text: As it was typed.
        speakers: The names that messages within reach were said under.
        now: What `last week` is relative to.
    """
    head = text[:_MOST_REWRITTEN]
    terms = query_terms(text)
    if _USER.search(head) or _USER_NOUN.match(head):  # facts leave their subject out: `Lives in Lisbon`
        terms = [t for t in terms if t not in _SUBJECT] or terms
    if len(terms) > _MOST_TERMS:  # a whole document as the question: what it asks is mostly at one of the ends
        terms = [*terms[: _MOST_TERMS // 2], *terms[-_MOST_TERMS // 2 :]]
    speaker, pattern = _named(head, speakers)
    if pattern is not None:
        first = _in_first_person(head, pattern)
    else:
        first = _about_the_user(head, alone=len({s.casefold() for s in speakers}) <= 1)
    return Query(
        text=text,
        terms=tuple(terms),
        dense_text=text if pattern is not None else first + text[_MOST_REWRITTEN:],
        dense_text_first_person=first + text[_MOST_REWRITTEN:],
        speaker=speaker,
        speaker_name=speakers[speaker] if speaker >= 0 else None,
        speaker_terms=frozenset(query_terms(speakers[speaker])) if speaker >= 0 else frozenset(),
        time=_window(head, now),
        wants_role='assistant' if _ASSISTANT.search(head) else None,
    )


_SAID = (
    r'(?:sa(?:y|id)|suggest(?:ed)?|recommend(?:ed)?|tell|told|mention(?:ed)?|advi[sc]ed?|propos(?:e|ed)|explain(?:ed)?|'
    r'g[ai]ve|given|writ(?:e|ten)|wrote|list(?:ed)?|describ(?:e|ed)|provid(?:e|ed)|answer(?:ed)?|repl(?:y|ied)|'
    r'respond(?:ed)?|generat(?:e|ed)|ma[dk]e|help(?:ed)?|show(?:ed|n)?|promis(?:e|ed)|warn(?:ed)?)'
)
_YOU = r'(?:you|the\s(?:assistant|agent|bot|chatbot|ai|model))'
_ASSISTANT = re.compile(
    rf'\b(?:(?:did|do|have|had|has|were|was)\s{_YOU}\s(?:\w+\s)?{_SAID}'
    rf'|{_YOU}(?:\s(?:have|had|has|just|already|previously|once|last|originally)|[’\']ve|[’\']d)?\s{_SAID}'
    r'|(?:your|(?:the\s)?assistant[’\']s|the\sbot[’\']s)\s(?:\w+\s)?'
    r'(?:advice|suggestions?|recommendations?|answers?|reply|replies|responses?|explanations?|proposals?)'
    r'|(?:was|were|been)\s(?:I|we)\s(?:\w+\s)?(?:told|advised|recommended|given)'
    r'|(?:I|we)\s(?:was|were)\s(?:told|advised|recommended))\b',
    re.IGNORECASE,
)


def _named(text: str, speakers: Sequence[str]) -> tuple[int, re.Pattern[str] | None]:
    """The speaker named first, and the pattern of that name."""
    firsts: dict[str, int] = {}
    for name in speakers:
        first = name.split()[0].casefold() if name.split() else ''
        firsts[first] = firsts.get(first, 0) + 1
    found: tuple[int, int, int, re.Pattern[str]] | None = None
    folded = text.casefold()
    for i, name in enumerate(speakers):
        words = name.split()
        if not words or words[0].casefold() not in folded:  # a pattern for each of a thousand speakers takes long
            continue
        forms = [r'\s+'.join(map(re.escape, words))]
        if len(words) > 1 and firsts[words[0].casefold()] == 1 and len(words[0]) > 2:
            forms.append(re.escape(words[0]))
        # `will` and `may` are only somebody when written so.
        flags = re.NOFLAG if is_stop_word(words[0]) else re.IGNORECASE
        pattern = re.compile(rf'(?<!\w)(?:{"|".join(forms)})(?!\w)', flags)
        m = pattern.search(text)
        if m and (found is None or (m.start(), -m.end()) < found[:2]):
            found = (m.start(), -m.end(), i, pattern)
    return (found[2], found[3]) if found else (-1, None)


_AGREE = {
    'does': 'do',
    'is': 'am',
    'has': 'have',
    "isn't": 'am not',
    "doesn't": "don't",
    "hasn't": "haven't",
    'are': 'am',
}
_KEYWORDS = re.compile(r'\s*\x00\s+\w+(?:\s+\w+)?\s*')  # `caroline hobbies`
_AUXILIARY = re.compile(
    r"\b(?:(does|is|has|isn't|doesn't|hasn't)\s+)?\x00(?:\s+(does|is|has|isn't|doesn't|hasn't)\b)?", re.IGNORECASE
)
_OBJECT = re.compile(
    r'\b(about|to|for|with|from|of|by|at|on|between|than|like|near|behind|against|tell|told|help|helped|give|gave|make|'
    r'made|let|show|bring|brought|inspired?|motivates?|motivated?|encouraged?)\s+\x00'
    r'(?!\s+(?:and|do|does|did|is|was|has|had|will|would|can|could)\b)',
    re.IGNORECASE,
)


def _in_first_person(text: str, name: re.Pattern[str]) -> str:
    """The question as the person named would put it: `Where does Ana live?` gives `Where do I live?`."""
    text = name.sub('\x00', text.replace('\x00', ' ').replace('’', "'"))
    if _KEYWORDS.fullmatch(text):
        return 'my ' + text.replace('\x00', '').strip()
    text = re.sub(r"\x00's?(?!\w)", 'my', text)
    text = _OBJECT.sub(r'\1 me', text)
    return _AUXILIARY.sub(_agree, text).replace('\x00', 'I')


def _agree(m: re.Match[str]) -> str:
    before, after = (_AGREE[g.lower()] if g else '' for g in m.groups())
    if before and m[0][0].isupper():
        before = before.capitalize()
    return ' '.join(part for part in (before, 'I', after) if part)


_USER = re.compile(r'\bthe user\b|\b(?:this|the) person\b', re.IGNORECASE)
_SUBJECT = frozenset(query_terms('user person'))
_USER_NOUN = re.compile(r"^\s*user(?:'s)?\s+", re.IGNORECASE)
_THIRD = re.compile(r'\b(?:she|he)\b', re.IGNORECASE)
_THIRDS = re.compile(r'\b(she|he|her|hers|his|him|herself|himself)\b(\s+[a-z])?', re.IGNORECASE)
_SOMEBODY_ELSE = re.compile(r'(?<=[a-z,;] )[A-Z][a-z]+|\b(?:my|your|the|a|an)\s+\w+', re.ASCII)


def _about_the_user(text: str, *, alone: bool) -> str:
    """`the user`, and `she` when there is but one person it could be, as `I`."""
    plain = text.replace('\x00', ' ').replace('’', "'")
    if _USER.search(plain):
        return _in_first_person(plain, _USER)
    if _USER_NOUN.match(plain):
        return _USER_NOUN.sub('my ', plain)
    if alone and _THIRD.search(plain) and not _SOMEBODY_ELSE.search(plain):
        marked = _THIRDS.sub(_unthird, plain)
        return _AUXILIARY.sub(_agree, marked).replace('\x00', 'I')
    return text


def _unthird(m: re.Match[str]) -> str:
    word, rest = m[1].lower(), m[2] or ''
    mine = {
        'she': '\x00',
        'he': '\x00',
        'hers': 'mine',
        'him': 'me',
        'his': 'my',
        'herself': 'myself',
        'himself': 'myself',
    }
    return (mine.get(word) or ('my' if rest else 'me')) + rest


def _window(text: str, now: datetime) -> Window | None:
    """The narrowest time it names."""
    from memoranda.timewords import find_time

    spans = find_time(text, now)
    if not spans:
        return None
    span = min(spans, key=lambda s: s.until - s.begin)
    begin = float('-inf') if span.is_open else span.begin.timestamp()
    return Window(begin, span.until.timestamp(), span.text)
