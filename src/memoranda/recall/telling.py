"""Which words of a message tell a prompt something it isn't told anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from memoranda.recall.trusting import passage
from memoranda.write.gate import asks, says_nothing

if TYPE_CHECKING:
    from memoranda.records import Hit, MemoryRecord

__all__ = ['Told', 'only_asks', 'untold']

_SENTENCE: Final = re.compile(r'[^.!?\u2026\u3002\uff01\uff1f\n]*[.!?\u2026\u3002\uff01\uff1f\n]*')
_STATES: Final = re.compile(
    r"\b(?:that|since|because|if|whether|though) (?:i|my|we|our|i['\u2019](?:m|ve))\b", re.IGNORECASE
)
"""A question in which the speaker tells something."""
_NAME: Final = re.compile(r'(?<=[\w,] )(?!I\b)[A-Z\u00c0-\u00de]\w')
_LONGEST: Final = 300
_FEW: Final = 6
"""Words of a question that needs no question word."""
_TOLD: Final = 1 / 3
"""A sentence of which no more is left tells nothing new."""
AS_WELL: Final = 0.9
"""A passage that answers so much worse than the fact drawn from it adds nothing to it."""


def _sentences(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in _SENTENCE.finditer(text) if m[0].strip()]


def only_asks(text: str) -> bool:
    """Whether somebody only asks, and tells nothing by it: no name, no number, nothing of themself beside the question.

    What was asked once answers no question that is asked later. In doubt it is not.
    """
    if len(text) > _LONGEST:
        return False
    asked = False
    for start, end in _sentences(text):
        sentence = text[start:end].strip()
        if says_nothing(sentence):
            continue
        plain = not (any(c.isdigit() for c in sentence) or _NAME.search(sentence) or _STATES.search(sentence))
        if not (plain and sentence.endswith(('?', '\uff1f')) and (asks(sentence) or len(sentence.split()) <= _FEW)):
            return False
        asked = True
    return asked


def untold(text: str, spans: Sequence[tuple[int, int]], *, ended: Sequence[tuple[int, int]] = ()) -> str:
    """The sentences of a text that these spans tell a part of at most; empty when nothing else is told in it.

    Args:
        text: What was said.
        spans: What is told anyway.
        ended: What doesn't hold any more: nothing of a sentence is told that holds some of it.
    """
    left = [
        text[start:end].strip()
        for start, end in _sentences(text)
        if not says_nothing(text[start:end])
        and not any(a < end and start < b for a, b in ended)
        and _share_left(text, start, end, spans) > _TOLD
    ]
    rest = ' '.join(left)
    return '' if only_asks(rest) else rest


def _share_left(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> float:
    """How much of the letters of a sentence lies in none of the spans, 0..1."""
    letters = [i for i in range(start, end) if text[i].isalnum()]
    left = sum(not any(a <= i < b for a, b in spans) for i in letters)
    return left / max(len(letters), 1)


class Told:
    """What facts of a block tell of which messages.

    Args:
        least: How well a passage has to answer, as a share of the best fact drawn from it, to be told beside that.
    """

    def __init__(self, *, least: float = AS_WELL) -> None:
        self._least = least
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self._scores: dict[str, float] = {}

    def add(self, memory: MemoryRecord, score: float) -> None:
        """A fact that is told, and how well it answers the question; 0 when it is told whatever is asked."""
        for e in memory.evidence:
            self._spans.setdefault(e.episode_id, []).append((e.start, e.end))
            self._scores[e.episode_id] = max(score, self._scores.get(e.episode_id, 0.0))

    def news(self, hit: Hit) -> str | None:
        """The words of a passage that no fact tells, if it answers the question better than these do."""
        words = passage(hit)
        if words is None or hit.episode is None or not (hit.episode.id in self._spans or hit.ended):
            return words
        # Cut by the policy, its places are no longer those of the message.
        if words != hit.text or hit.score < self._least * self._scores.get(hit.episode.id, 0.0):
            return None
        told, ended = (
            [(a - hit.start, b - hit.start) for a, b in spans]
            for spans in (self._spans.get(hit.episode.id, ()), hit.ended)
        )
        return untold(words, told, ended=ended) or None
