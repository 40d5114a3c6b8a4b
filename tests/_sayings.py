"""What the tests of the rules say, and to whom: messages, memories, and what is proposed of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from memoranda.records import Episode, MemoryRecord, new_id
from memoranda.scope import Scope
from memoranda.write.extract import ExtractionRequest, Proposal
from memoranda.write.rules import RulesExtractor

BASE = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
"""A Monday."""


def episode(text: str, *, name: str | None = None, role: Any = 'user', run_id: str | None = 'r1') -> Episode:
    return Episode(
        id=new_id(),
        project='p',
        scope=Scope(user_id='ana', run_id=run_id),
        conversation_id='c',
        seq=0,
        role=role,
        name=name,
        text=text,
        occurred_at=BASE,
        recorded_at=BASE,
    )


def memory(text: str, slot: str | None = None, kind: str = 'profile', value: str | None = None) -> MemoryRecord:
    return MemoryRecord(
        id=new_id(),
        version=1,
        project='p',
        level='user',
        scope=Scope(user_id='ana'),
        said_under=Scope(user_id='ana'),
        text=text,
        kind=kind,
        slot=slot,
        value=value,
        valid_from=BASE,
        said_at=BASE,
        recorded_at=BASE,
    )


def propose(text: str, **how: Any) -> list[Proposal]:
    return list(RulesExtractor().propose(ExtractionRequest(messages=[episode(text, **how)])).proposals)


def texts(text: str, **how: Any) -> list[str]:
    return [p.text for p in propose(text, **how)]


def ask(text: str, known: Sequence[MemoryRecord] = (), *, asked: str = '', **how: Any) -> list[Proposal]:
    """What is proposed of a message, where something is known and the assistant has just asked something."""
    request = ExtractionRequest(
        messages=[episode(text, **how)],
        previous=[episode(asked, role='assistant')] if asked else [],
        existing=known,
    )
    return list(RulesExtractor().propose(request).proposals)


def changes(text: str, known: Sequence[MemoryRecord], *, asked: str = '', **how: Any) -> list[tuple[str, str, str]]:
    """(op, text, text of the target) of every proposal."""
    names = {record.id: record.text for record in known}
    return [(p.op, p.text, names.get(p.target or '', '')) for p in ask(text, known, asked=asked, **how)]


def ended(text: str, known: Sequence[MemoryRecord], **how: Any) -> list[str]:
    """What is retracted, by its words."""
    return [target for op, _, target in changes(text, known, **how) if op == 'retract']
