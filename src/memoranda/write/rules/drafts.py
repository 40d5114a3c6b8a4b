"""What a rule makes of a clause, before it becomes a proposal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Literal

from memoranda.records import MemoryRecord
from memoranda.timewords import Prefer, TimeSpan, find_time, say_time

__all__ = ['Context', 'Draft', 'Drafts', 'Form', 'Rule', 'plain', 'rule']

Form = Literal['does', 'owns', 'asks', 'whole']
"""How a subject joins the words.

- `does`: a predicate (`lives in Lisbon`, with a name: `Ana lives in Lisbon`)
- `owns`: a thing of the speaker's (`birthday is 5 May`, with a name: `Ana's birthday is 5 May`)
- `asks`: an instruction (`always answer in French`, with a name: `Ana asks: always answer in French`)
- `whole`: a sentence that needs no subject
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact as a rule sees it: no subject, no offsets but where they differ from the clause's."""

    words: str
    kind: str
    _: KW_ONLY
    form: Form = 'does'
    slot: str | None = None
    value: str | None = None
    confidence: float = 0.9
    importance: float = 0.5
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    op: Literal['add', 'supersede', 'correct', 'confirm', 'retract', 'reset'] = 'add'
    target: str | None = None
    text: str | None = None
    """The finished text, where it is an existing memory's with a word replaced."""
    tags: tuple[str, ...] = ()
    through: bool = False
    """Whether the next sentence is evidence, too."""


Drafts = Draft | Iterable[Draft] | None


def _nothing(_: str) -> list[Draft]:
    return []


@dataclass(frozen=True, slots=True)
class Context:
    """What the rules may look at besides the match."""

    base: datetime
    """When the message was said."""
    existing: Sequence[MemoryRecord]
    """Those about the speaker."""
    name: str | None
    sentence: str
    previous: str
    """The last message before, by anybody else."""
    when: TimeSpan | None = None
    """A time named before the clause (`Yesterday I ...`)."""
    before: str = ''
    """The end of what stands before the sentence in its message."""
    following: str = ''
    """The next sentence, or nothing."""
    asked: str = ''
    """What the assistant said just before the message."""
    read: Callable[[str], list[Draft]] = field(default=_nothing, repr=False)
    """What the rules make of another statement of the speaker, in their words."""

    def times(self, text: str, *, prefer: Prefer = 'past') -> list[TimeSpan]:
        """Time expressions in it, resolved against the message."""
        return find_time(text, self.base, prefer=prefer)

    def since(self, text: str) -> datetime | None:
        """When something that still holds began, if the words say so."""
        m = _FOR.search(text)
        if m:
            spans = self.times(f'{m["count"]} {m["unit"]} ago')
            return spans[0].begin if spans and spans[0].begin < self.base else None
        spans = [s for s in self.times(text) if not s.is_open and s.begin <= self.base]
        if self.when is not None and not spans and self.when.begin <= self.base:
            spans = [self.when]
        return spans[0].begin if spans else None

    def dated(self, text: str, *, prefer: Prefer = 'past') -> str:
        """The text with its time expressions made absolute."""
        for span in reversed(self.times(text, prefer=prefer)):
            said = say_time(span)
            if text[span.end : span.end + 1] == "'" or not said:
                continue
            lead = span.text[: span.lead].strip().lower()
            if lead in ('by', 'from', 'of', 'for', 'around', 'about'):
                said = re.sub(r'^(?:in|on|around)\b', lead, said)
            text = text[: span.start] + said + text[span.end :]
        return text

    def timeless(self, text: str) -> str:
        """The text without its time expressions."""
        text = _FOR.sub('', text)
        for span in reversed(self.times(text)):
            text = text[: span.start].rstrip(' ,') + ' ' + text[span.end :].lstrip(' ,')
        return re.sub(r'\s(?:back|around|about|since|in|on|from|at)?\s*$', '', text.strip() + ' ').strip()


_FOR = re.compile(
    r'\s?\b(?:for|over)\s(?:about|around|almost|nearly|over|more than|the (?:last|past)|at least)?\s?'
    r'(?P<count>\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve'
    r'|fifteen|twenty|thirty|a few|a couple of|several)'
    r'\s(?P<unit>days?|weeks?|months?|years?|decades?)(?:\snow)?\b',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for a whole clause, and what to make of it."""

    pattern: re.Pattern[str]
    build: Callable[[re.Match[str], Context], Drafts]


_ADVERBS = re.compile(
    r"(?P<subject>i(?:'?m|'?ve| am| have)?|we(?:'re|'ve| are| have)?)\s"
    r'(?:(?:really|also|just|absolutely|totally|truly|still|currently|now|usually|mostly|actually|generally|personally'
    r'|definitely|especially|mainly|often|typically|sometimes|both|all|already|recently|finally|quite|kinda|kind of'
    r'|sort of|simply|particularly|very much|honestly|literally|even|strongly|primarily|regularly|first|once'
    r'|officially|temporarily|happily|newly|do(?! not\b|n))\s){1,3}',
    re.IGNORECASE,
)
SOFT = re.compile(
    r'\b(?:kinda|kind of|sort of|sometimes|quite|i think|i guess|usually|mostly|often|occasionally|somewhat)\b',
    re.IGNORECASE,
)


def rule(pattern: str, build: Callable[[re.Match[str], Context], Drafts]) -> Rule:
    """A rule over clauses. In the pattern `<I>` is the subject, `<AM>` subject and copula, `<V>` a value named `v`."""
    pattern = pattern.replace('<I>', r'(?:i|we)\s')
    pattern = pattern.replace('<AM>', r"(?:i'?m|i am|we're|we are)\s")
    pattern = pattern.replace('<HAVE>', r"(?:i've|ive|i have|we've|we have)\s")
    pattern = pattern.replace('<V>', r'(?P<v>.{1,400})$')
    return Rule(re.compile(pattern, re.IGNORECASE), build)


def plain(clause: str) -> str:
    """The clause without adverbs between subject and verb, so that no rule needs to know them."""
    return _ADVERBS.sub(lambda m: f'{m["subject"]} ', clause, count=1) if _ADVERBS.match(clause) else clause
