"""What an agent learns while it serves a user: kept apart from everything that is the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from memoranda.records import content_hash
from memoranda.scope import Owner, Scope
from memoranda.stores.base import Batch, Draft, SegmentDraft, Work
from memoranda.write.guard import Candidate
from memoranda.write.messages import segments
from memoranda.write.redact import redact

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['leaks', 'lesson_batch']

_WORD: Final = re.compile(r"\w+(?:['\u2019]\w+)*")
_CONTACT: Final = re.compile(r'[\w.+-]+@[\w-]+|https?://|www\.|\+?\d[\d ().-]{4,}\d|\[[a-z ]+\]')
_RUN: Final = 5
"""So many words in a row as somebody said or as a fact has them are a quotation."""


def leaks(text: str, *, said: Iterable[str], facts: Iterable[str], names: Iterable[str], scope: Scope) -> bool:
    """Whether a lesson carries anything of the user whose conversation it was drawn from. In doubt it does.

    Ids, names and contact data count, numbers that the user said, words that are capitalised inside a sentence of the
    user (names of people, places and firms), and `_RUN` words in a row as the user said them.

    Args:
        text: The lesson.
        said: What the user said.
        facts: What is known of the user.
        names: Who spoke in the user's conversations.
        scope: The ids it was said under.
    """
    words = [w.casefold() for w in _WORD.findall(text)]
    held = set(words)
    if _CONTACT.search(text) or redact(text)[1]:
        return True
    ids = (scope.user_id, scope.run_id)
    if any(part.casefold() in held for name in (*names, *(i for i in ids if i)) for part in _WORD.findall(name)):
        return True
    return any(_shares(words, held, source) for source in (*said, *facts))


def _shares(words: list[str], held: set[str], source: str) -> bool:
    theirs = [w.casefold() for w in _WORD.findall(source)]
    runs = {tuple(theirs[i : i + _RUN]) for i in range(len(theirs) - _RUN + 1)}
    if any(tuple(words[i : i + _RUN]) in runs for i in range(len(words) - _RUN + 1)):
        return True
    return any(
        word.casefold() in held
        for match in _WORD.finditer(source)
        if (word := match[0])[0].isdigit() or (word[0].isupper() and word != 'I' and _inside(source, match.start()))
    )


def _inside(text: str, start: int) -> bool:
    """Whether a word doesn't open a sentence, where any word is capitalised."""
    before = text[:start].rstrip(' "\'(\u201c\u2018')
    return bool(before) and before[-1] not in '.!?:\n\u2026'


def lesson_batch(engine: Engine, lesson: Candidate, work: Work, number: int, *, pending: bool, token: str) -> Batch:
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
        lease_seconds=engine.settings.lease_seconds,
    )
