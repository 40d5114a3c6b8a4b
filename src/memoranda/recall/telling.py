"""Which words of a message tell a prompt something it isn't told anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from memoranda._caches import remembered
from memoranda.recall.tokens import index_terms, query_terms
from memoranda.recall.trusting import cut, cuts, sentences, tier_for
from memoranda.write.gate import asks, says_nothing
from memoranda.write.plain import plain
from memoranda.write.trust import shared

if TYPE_CHECKING:
    from memoranda.policy import Policy
    from memoranda.records import Hit, MemoryRecord
    from memoranda.write.foreign import Span

__all__ = ['Told', 'only_asks', 'untold']

_STATES: Final = re.compile(
    r"\b(?:that|since|because|if|whether|though) (?:i|my|we|our|i['\u2019](?:m|ve))\b", re.IGNORECASE
)
"""A question in which the speaker tells something."""
_NAME: Final = re.compile(r'(?<=[\w,] )(?!I\b)[A-Z\u00c0-\u00de]\w')
_SPECIFIC: Final = re.compile(
    r'(?<=[\w,;:)] )["\'(\u201c\u201e\u00ab\u2018]?(?!I\b)[A-Z\u00c0-\u00de]\w*|\b[A-Z]{2,}\b|\b\w*\d\w*'
)
"""Names and numbers."""
_ASKS_FOR: Final = re.compile(
    r'\b(?:where|when|who|whom|whose|which|why|how|until|wo|wohin|woher|wann|wer|wem|wen|wessen|warum|wieso|wie|welche\w*'
    r'|wo(?:mit|von|zu|fur|bei|r(?:an|auf|uber))|ou|quand|qui|pourquoi|comment|combien|quel\w*|donde|cuando|quien\w*'
    r'|por que|como|cual\w*|cuant\w+|dove|quando|chi|perche|come|quali?|quale|quant\w+|onde|quem|porque|qua(?:l|is))\b'
)
"""Words of questions that want a place, a time, a name, a number or a reason, in plain text."""
_REQUEST: Final = re.compile(
    r'(?:please |now |then |and |ok |okay )*(?:suggest|recommend|tell|show|give|write|explain|list|find|describe'
    r'|summari[sz]e|translate|compare|sketch|draw|plan|fix|check|look up)\b(?!.*\b(?:my|our|mine|ours|i|we|us)\b)',
    re.IGNORECASE,
)
"""A sentence that wants something done, without a word of whoever says it."""
_LONGEST: Final = 300
_FEW: Final = 6
"""Words of a question that needs no question word."""
_TOLD: Final = 1 / 3
"""A sentence of which no more is left tells nothing new."""
_LEFT_OUT: Final = 0.4
"""A fact without so many of the telling words that it rests on leaves some of it out."""
AS_WELL: Final = 0.9
"""A passage that answers so much worse than the fact drawn from it adds nothing to it."""


def only_asks(text: str) -> bool:
    """Whether somebody only asks or requests, and tells nothing by it: no name, no number, nothing of themself.

    What was asked once answers no question that is asked later. In doubt it is not.
    """
    return len(text) <= _LONGEST and _only_asks(text)


@remembered(8192)  # what was said on a subject is found by each question about it
def _only_asks(text: str) -> bool:
    asked = False
    for start, end in sentences(text):
        sentence = text[start:end].strip()
        if says_nothing(sentence):
            continue
        short = len(sentence.split()) <= _FEW
        question = sentence.endswith(('?', '\uff1f')) and (asks(sentence) or short)
        if not (question or (short and _REQUEST.match(sentence))):
            return False
        if any(c.isdigit() for c in sentence) or _NAME.search(sentence) or _STATES.search(sentence):
            return False
        asked = True
    return asked


def untold(text: str, spans: Sequence[Span], *, ended: Sequence[Span] = (), question: str = '') -> str:
    """The sentences of a text that these spans tell a part of at most; empty when nothing else is told in it.

    Args:
        text: What was said.
        spans: What is told anyway.
        ended: What doesn't hold any more: nothing of a sentence is told that holds some of it.
        question: What is asked. Of a sentence that these spans tell in part, what is left of it has to have to do
            with that.
    """
    rest = ' '.join(text[a:b].strip() for a, b in _untold(text, spans, ended, question))
    return '' if only_asks(rest) else rest


def _untold(text: str, spans: Sequence[Span], ended: Sequence[Span], question: str) -> list[Span]:
    return [
        (start, end)
        for start, end in sentences(text)
        if not says_nothing(text[start:end])
        and not any(a < end and start < b for a, b in ended)
        and _tells(text, start, end, spans, question)
    ]


def _tells(text: str, start: int, end: int, spans: Sequence[Span], question: str) -> bool:
    """Whether a sentence says enough that lies in none of the spans, and to the question."""
    sentence = rest = text[start:end]
    for a, b in spans:
        a, b = max(a - start, 0), min(b, end) - start
        if a < b:
            rest = rest[:a] + ''.join(' ' if c.isalnum() else c for c in rest[a:b]) + rest[b:]
    letters, left = (sum(map(str.isalnum, words)) for words in (sentence, rest))
    if left <= _TOLD * letters:
        return False
    if not question or left == letters or _is_about(rest, question):
        return True
    wanted = _ASKS_FOR.search(plain(question).text) is not None and _SPECIFIC.search(rest) is not None
    return wanted and _is_about(sentence, question)


def _left_open(text: str, quoted: str, facts: Sequence[str], question: str) -> bool:
    """Whether the facts drawn from a sentence say less than it does, and who asks may want that.

    They lack a word that is asked for, or a name, a number or much of it, where something of that kind is wanted.

    Args:
        text: The sentence.
        quoted: What of it the facts rest on.
        facts: What they say.
        question: What is asked.
    """
    known = set(index_terms(' '.join(facts)))
    asked = set(query_terms(question)) & set(index_terms(text))
    if not asked <= known:
        return True
    if not _ASKS_FOR.search(plain(question).text):
        return False
    if any(not known.issuperset(index_terms(m[0])) for m in _SPECIFIC.finditer(quoted)):
        return True
    words = set(index_terms(quoted))
    return 1 < len(words - known) >= _LEFT_OUT * len(words)


def _is_about(text: str, question: str) -> bool:
    """Whether a text shares a telling word with a question."""
    return bool(shared(text, [question], but=()) or not set(index_terms(text)).isdisjoint(query_terms(question)))


class Told:
    """What facts of a block tell of which messages.

    Args:
        question: What is asked. Empty: anything is an answer.
        policy: What a prompt shows of the words of others; None: all.
        least: How well a passage has to answer, as a share of the best fact drawn from it, to be told beside that.
    """

    def __init__(self, question: str = '', *, policy: Policy | None = None, least: float = AS_WELL) -> None:
        self._question, self._policy, self._least = question, policy, least
        self._spans: dict[str, list[Span]] = {}
        self._facts: dict[str, list[str]] = {}
        self._scores: dict[str, float] = {}

    def add(self, memory: MemoryRecord, score: float) -> None:
        """A fact that is told, and how well it answers the question; 0 when it is told whatever is asked."""
        for e in memory.evidence:
            self._spans.setdefault(e.episode_id, []).append((e.start, e.end))
            # A block tells the day, too.
            told = f'{memory.text} ({memory.valid_from:%Y %B %d %A})'
            self._facts.setdefault(e.episode_id, []).append(told)
            self._scores[e.episode_id] = max(score, self._scores.get(e.episode_id, 0.0))

    def news(self, hit: Hit) -> str | None:
        """The words of a passage that no fact tells, if it answers the question better than these do."""
        hidden = cuts(hit, self._policy)
        if hidden is None or hit.episode is None:
            return None
        text, told = hit.text, self._spans.get(hit.episode.id, ())
        if told or hit.ended:
            if hit.score < self._least * self._scores.get(hit.episode.id, 0.0):
                return None
            inside, ended = ([(a - hit.start, b - hit.start) for a, b in spans] for spans in (told, hit.ended))
            inside = self._but_open(hit.episode.id, text, inside)
            kept = _untold(text, inside, ended, self._question)
        elif self._question and tier_for(hit, self._policy) == 'external':
            # Of somebody else's words no more than what was asked for; the rest may be meant for whoever reads it.
            spans = sentences(text)
            kept = [s for s in spans if _is_about(text[slice(*s)], self._question)] or spans
        else:
            return cut(text, hidden)
        return _joined(text, kept, hidden)

    def _but_open(self, episode_id: str, text: str, told: Sequence[Span]) -> Sequence[Span]:
        """What facts tell of a text, but for sentences in which they leave open what is asked."""
        if not self._question or not told:
            return told
        facts = self._facts[episode_id]
        left = [
            (start, end)
            for start, end in sentences(text)
            if _left_open(text[start:end], _within(text, start, end, told), facts, self._question)
        ]
        return [t for t in told if not any(a < t[1] and t[0] < b for a, b in left)]


def _within(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    """What of a sentence lies in some spans."""
    return ' '.join(text[max(a, start) : min(b, end)] for a, b in spans if a < end and start < b)


def _joined(text: str, kept: Sequence[Span], hidden: Sequence[Span]) -> str | None:
    """Sentences of a text without what is hidden of them; None when they tell nothing."""
    if any(a < end and start < b for a, b in hidden for start, end in kept):
        parts = [
            cut(text[s:e], [(max(a, s) - s, min(b, e) - s) for a, b in hidden if a < e and s < b]) for s, e in kept
        ]
        rest = ' '.join(part.strip() for part in parts if part)
    else:
        rest = ' '.join(text[s:e].strip() for s, e in kept)
    return None if not rest or only_asks(rest) else rest
