"""Which words of a message tell a prompt something it isn't told anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from memoranda._caches import remembered
from memoranda.recall.tokens import index_terms, query_terms
from memoranda.recall.trusting import cut, cuts, sentences, tier_for, tier_of
from memoranda.write.gate import asks, says_nothing
from memoranda.write.plain import plain
from memoranda.write.trust import shared

if TYPE_CHECKING:
    from memoranda.policy import Policy
    from memoranda.records import Hit, MemoryRecord
    from memoranda.stores.data import Ranked
    from memoranda.write.foreign import Span

__all__ = ['HINT', 'Told', 'hinted', 'only_asks', 'untold']

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
_SOUGHT: Final = re.compile(
    r'\b(?:where|who|whom|whose|how (?:many|much|old|tall|far|long)|(?:which|what) (?:city|town|village|country|place'
    r'|street|company|number)|(?:first|last|sur|nick|family ?)name|wo|wohin|woher|wer|wem|wen|wessen|wie (?:viele?|alt'
    r'|heiss\w*)|welche\w* (?:stadt|ort|dorf|land|firma|strasse|nummer)|nachname\w*|ou|qui|combien|quelle (?:ville|rue'
    r'|entreprise)|quel (?:pays|village|numero)|nom de famille|donde|quien\w*|cuant\w+|(?:que|cual) (?:ciudad|pueblo'
    r'|pais|calle|empresa|numero)|apellidos?|dove|chi|quant\w+|(?:che|quale) (?:citta|paese|via|azienda|numero)'
    r'|cognome|onde|quem|(?:que|qual) (?:cidade|pais|rua|numero)|sobrenome)\b'
)
"""Of questions that want a place, a name or a number, which nothing without one can answer, in plain text."""
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
HINT: Final = 0.1
"""What scores less has nothing to do with a question, even where nothing else has either."""
_CLEARLY: Final = 2.0
"""So many times as well as something else does, a passage answers clearly better."""
_MUCH: Final = 3
"""So many telling words that no fact has are another thing said."""


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


def _left_open(text: str, quoted: str, facts: Sequence[str], question: str, *, better: bool) -> bool:
    """Whether the facts drawn from a sentence say less than it does, and who asks may want that.

    They lack a word that is asked for, or a name, a number or much of it, where something of that kind is wanted. Or
    the sentence says another thing as well, and answers clearly better than they do.

    Args:
        text: The sentence.
        quoted: What of it the facts rest on.
        facts: What they say.
        question: What is asked.
        better: Whether the passage answers clearly better than its facts.
    """
    if better and _says_more(text, facts):
        return True
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


def _says_more(text: str, facts: Sequence[str]) -> bool:
    """Whether much of a text is in none of its facts, in whatever form."""
    more = shared(text, [text], but=facts)
    return len(more) >= max(_MUCH, _LEFT_OUT * len(shared(text, [text], but=())))


def _lacks(text: str, facts: Sequence[str], question: str) -> bool:
    """Whether a text names what a question seeks, a place, somebody or a number, and its facts name nothing."""
    if not _SOUGHT.search(plain(question).text):
        return False
    asked = set(query_terms(question))
    if any(not asked.issuperset(index_terms(m[0])) for fact in facts for m in _SPECIFIC.finditer(fact)):
        return False
    known = asked.union(*(index_terms(fact) for fact in facts))
    return any(not known.issuperset(index_terms(m[0])) for m in _SPECIFIC.finditer(text))


def _is_about(text: str, question: str) -> bool:
    """Whether a text shares a telling word with a question."""
    return bool(shared(text, [question], but=()) or not set(index_terms(text)).isdisjoint(query_terms(question)))


def hinted(
    pairs: Sequence[tuple[Ranked, Hit]], relevant: Sequence[tuple[Ranked, Hit]], question: str, *, least: float = HINT
) -> list[tuple[Ranked, Hit]]:
    """Passages that answer too weakly to be told by their score alone, and may be the answer all the same.

    Scores say how likely a text answers among many. Whoever has said little so far is asked about that little: where
    nothing is relevant, the one message is told that stands out. And where a fact is relevant that can't be what is
    asked for, what it was drawn from.

    Args:
        pairs: What was found, and its score.
        relevant: Those of them that score enough.
        question: What is asked.
        least: What a passage scores at least.
    """
    weak = [pair for pair in pairs if pair[0].score >= least and pair[1].episode is not None]
    if relevant:
        facts: dict[str, list[str]] = {}
        for _, hit in relevant:
            for e in hit.memory.evidence if hit.memory is not None else ():
                facts.setdefault(e.episode_id, []).append(hit.text)
        shown = {hit.id for _, hit in relevant}
        return [
            (ranked, hit)
            for ranked, hit in weak
            if hit.id in facts and hit.id not in shown and _lacks(hit.text, facts[hit.id], question) and _tells_own(hit)
        ]
    weak.sort(key=lambda pair: -pair[0].score)
    best = next((pair for pair in weak if _tells_own(pair[1])), None)
    if best is None:
        return []
    said = best[1].id
    others = (ranked.score for ranked, hit in pairs if not _is_of(hit, said) and not says_nothing(hit.text))
    return [best] if best[0].score >= _CLEARLY * max(others, default=0.0) else []


def _tells_own(hit: Hit) -> bool:
    return _is_own(hit) and not only_asks(hit.text)


def _is_own(hit: Hit) -> bool:
    """Whether it is what a user said in their own words, and may be told."""
    message = hit.episode
    if message is None or message.role != 'user' or hit.stale or hit.withheld:
        return False
    return tier_of(hit) == 'user'


def _is_of(hit: Hit, episode_id: str) -> bool:
    """Whether it is this message, or was drawn from it."""
    if hit.memory is not None:
        return any(e.episode_id == episode_id for e in hit.memory.evidence)
    return hit.id == episode_id


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
        self._said: dict[str, list[str]] = {}
        self._scores: dict[str, float] = {}
        self._found: dict[str, float] = {}

    def add(self, memory: MemoryRecord, score: float) -> None:
        """A fact that is told, and how well it answers the question; 0 when it is told whatever is asked."""
        for e in memory.evidence:
            self._spans.setdefault(e.episode_id, []).append((e.start, e.end))
            # A block tells the day, too.
            told = f'{memory.text} ({memory.valid_from:%Y %B %d %A})'
            self._facts.setdefault(e.episode_id, []).append(told)
            self._said.setdefault(e.episode_id, []).append(memory.text)
            self._scores[e.episode_id] = max(score, self._scores.get(e.episode_id, 0.0))

    def found(self, memory: MemoryRecord, score: float) -> None:
        """How well a fact answers the question that is told whatever is asked."""
        for e in memory.evidence:
            self._found[e.episode_id] = max(score, self._found.get(e.episode_id, 0.0))

    def news(self, hit: Hit) -> str | None:
        """The words of a passage that no fact tells, if it answers the question better than these do."""
        hidden = cuts(hit, self._policy)
        if hidden is None or hit.episode is None:
            return None
        text, told = hit.text, self._spans.get(hit.episode.id, ())
        if told or hit.ended:
            best = self._scores.get(hit.episode.id, 0.0)
            inside, ended = ([(a - hit.start, b - hit.start) for a, b in spans] for spans in (told, hit.ended))
            if hit.score >= self._least * best:
                known = max(best, self._found.get(hit.episode.id, 0.0))
                better = hit.score >= _CLEARLY * known and _is_own(hit)
                inside = self._but_open(hit.episode.id, text, inside, better=better)
                kept = _untold(text, inside, ended, self._question)
            else:
                kept = self._lacked(hit.episode.id, text, ended) if _is_own(hit) else []
        elif self._question and tier_for(hit, self._policy) == 'external':
            # Of somebody else's words no more than what was asked for; the rest may be meant for whoever reads it.
            spans = sentences(text)
            kept = [s for s in spans if _is_about(text[slice(*s)], self._question)] or spans
        else:
            return cut(text, hidden)
        return _joined(text, kept, hidden)

    def _lacked(self, episode_id: str, text: str, ended: Sequence[Span]) -> list[Span]:
        """Sentences of a text that name what is asked for, where no fact drawn from it does."""
        facts = self._said.get(episode_id, ())
        return [
            (start, end)
            for start, end in sentences(text)
            if self._question
            and not any(a < end and start < b for a, b in ended)
            and _lacks(text[start:end], facts, self._question)
        ]

    def _but_open(self, episode_id: str, text: str, told: Sequence[Span], *, better: bool) -> Sequence[Span]:
        """What facts tell of a text, but for sentences in which they leave open what is asked."""
        if not self._question or not told:
            return told
        facts = self._facts[episode_id]
        left = [
            (start, end)
            for start, end in sentences(text)
            if _left_open(text[start:end], _within(text, start, end, told), facts, self._question, better=better)
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
