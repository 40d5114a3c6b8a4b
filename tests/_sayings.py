"""What the tests of the rules say, and to whom: messages, memories, and what is proposed of them."""

from __future__ import annotations

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


def memory(text: str, slot: str | None = None) -> MemoryRecord:
    return MemoryRecord(
        id=new_id(),
        version=1,
        project='p',
        level='user',
        scope=Scope(user_id='ana'),
        said_under=Scope(user_id='ana'),
        text=text,
        kind='profile',
        slot=slot,
        valid_from=BASE,
        said_at=BASE,
        recorded_at=BASE,
    )


def propose(text: str, **how: Any) -> list[Proposal]:
    return list(RulesExtractor().propose(ExtractionRequest(messages=[episode(text, **how)])).proposals)


def texts(text: str, **how: Any) -> list[str]:
    return [p.text for p in propose(text, **how)]
