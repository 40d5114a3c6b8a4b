"""What an agent learns while it serves a user: kept apart from everything that is the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from memoranda.records import content_hash
from memoranda.scope import Owner, Scope
from memoranda.stores.data import Batch, Draft, SegmentDraft, Work
from memoranda.write.guard import Candidate
from memoranda.write.messages import segments
from memoranda.write.redact import redact

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['leaks', 'lesson_batch']

_WORD: Final = re.compile(r"\w+(?:['\u2019]\w+)*")
_CONTACT: Final = re.compile(r'(?<![\w.+-])[\w.+-]+@[\w-]+|https?://|www\.|\+?\d[\d ().-]{4,}\d|\[[a-z ]+\]')
_RUN: Final = 5
"""So many words in a row as somebody said or as a fact has them are a quotation."""
_OPENERS: Final = frozenset(
    'a after agents all always an and any answers as ask at avoid because before both but by calls check checks '
    'confirm customers data do does every first for from give given he her his how i if in inputs instead is it its '
    'keep large later list long make many more most never no not note on once one only or people prefer questions '
    'read requests results retry retries say searches send she short shorter show since small smaller so some start '
    'tell than that the their them then there these they this those to too tools try two until use users very wait '
    'we what when where which while who why with without write you your'.split()
)
"""Words that may open a lesson without being anybody's name."""


def leaks(text: str, *, said: Iterable[str], facts: Iterable[str], names: Iterable[str], scope: Scope) -> bool:
    """Whether a lesson carries anything of the user whose conversation it was drawn from. In doubt it does.

    Ids, names and contact data count, numbers that the user said, words that are capitalised in the lesson and stand in
    what the user said, or the other way round, and `_RUN` words in a row as the user said them; in scripts without
    upper case, any two letters in a row. What is told in other words, and a name that is lower-case in both, can't be
    seen here.

    Args:
        text: The lesson.
        said: What the user said.
        facts: What is known of the user.
        names: Who spoke in the user's conversations, and values of facts about the user.
        scope: The ids it was said under.
    """
    if _CONTACT.search(text) or redact(text)[1]:
        return True
    words = _WORD.findall(text)
    held = {w.casefold() for w in words}
    ids = (scope.user_id, scope.run_id)
    if any(part.casefold() in held for name in (*names, *(i for i in ids if i)) for part in _WORD.findall(name)):
        return True
    return any(_shares(words, held, source) for source in (*said, *facts))


def _shares(words: list[str], held: set[str], source: str) -> bool:
    theirs = _WORD.findall(source)
    folded = [w.casefold() for w in theirs]
    runs = {tuple(folded[i : i + _RUN]) for i in range(len(folded) - _RUN + 1)}
    mine = [w.casefold() for w in words]
    if any(tuple(mine[i : i + _RUN]) in runs for i in range(len(mine) - _RUN + 1)):
        return True
    if held & {w.casefold() for w in theirs if _is_name(w) or w[0].isdigit()}:
        return True
    said = set(folded)
    return any(w.casefold() in said for w in words if _is_name(w)) or bool(_caseless(words) & _caseless(theirs))


def _is_name(word: str) -> bool:
    """Whether a word may be a name: capitalised, and none that opens a sentence anyway."""
    return word[0].isupper() and word.casefold() not in _OPENERS and not (len(word) > 5 and word.endswith('ing'))


def _caseless(words: Iterable[str]) -> set[str]:
    """Pairs of letters in scripts that don't tell a name from a word."""
    return {
        w[i : i + 2]
        for w in words
        for i in range(len(w) - 1)
        if w[i : i + 2].isalpha() and w[i : i + 2].upper() == w[i : i + 2].lower()
    }


def lesson_batch(
    engine: Engine, lesson: Candidate, work: Work, number: int, *, pending: bool, token: str, held: str
) -> Batch:
    """A lesson as a message of the agent's own, whose evidence is itself: it points at nothing of the user's."""
    proposal = lesson.proposal
    text = ' '.join(proposal.text.split())
    owner = Owner(work.owner.project, 'agent', work.scope.agent_id or '')
    return Batch(
        owner=owner,
        scope=Scope(agent_id=owner.key),
        conversation_id=f'lesson:{work.job.id}',
        drafts=[
            Draft(
                role='assistant',
                text=text,
                occurred_at=lesson.said.occurred_at,
                dated=False,
                trust='assistant',
                content_hash=content_hash('assistant', '', text),
                segments=[SegmentDraft(start=a, end=b, terms=engine.terms(text[a:b])) for a, b in segments(text)],
            )
        ],
        history=False,
        job={
            'infer': False,
            'lesson': True,
            'kind': proposal.kind,
            'confidence': proposal.confidence,
            'importance': proposal.importance,
            **({'pending': True} if pending else {}),
        },
        idempotency_key=f'lesson:{work.job.id}:{number}',
        worker=token,
        lease=False,  # nobody would renew it until the user's job is done
        held=(work.job.id, held, work.epoch),
        lease_seconds=engine.settings.lease_seconds,
    )
