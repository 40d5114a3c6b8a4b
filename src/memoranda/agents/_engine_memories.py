"""Between the engine and the provider protocol: filters there, facts and passages of messages back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from memoranda.agents.provider import RetrievedMemory, StoredMemory
from memoranda.errors import InvalidFilter, StoreUnreachable, shown, what_is
from memoranda.filters import All, Compare, Field, Filter
from memoranda.recall.telling import Told, only_asks, untold
from memoranda.recall.trusting import rule_for
from memoranda.records import Edit, Hit, Hits, MemoryRecord
from memoranda.scope import Scope
from memoranda.write.gate import worth_reading

if TYPE_CHECKING:
    from memoranda.policy import Policy

__all__ = ['EngineMemory', 'fact_of', 'retrieved', 'stored', 'where', 'without_told']

OTHERS_SCORE: Final = 0.25
"""What a passage of somebody else's message (the assistant's) has to score at least: it is the user who is known."""
BETTER: Final = 1.001
"""A list of memories is no block to be read from: what only repeats a fact in other words is no memory of its own."""
_UNFIT = re.compile(r'["\\\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True, repr=False)
class EngineMemory(RetrievedMemory):
    """A memory of the engine, or the passage of a message."""

    kind: str | None = None
    """None for a passage."""
    quotes: tuple[str, ...] = field(default=(), compare=False)
    """The words it rests on."""


def where(scope: Scope, metadata: Mapping[str, Any]) -> Filter | None:
    """What is said under all ids, with this metadata."""
    home = scope.home_level
    parts: list[Filter] = []
    for level in ('run', 'agent', 'app'):
        value = cast('str | None', getattr(scope, f'{level}_id'))
        if value is not None and level != home:
            parts.append(Compare(Field(f'{level}_id', 'text'), 'eq', value))
    parts += _equal(metadata, ())
    return All(tuple(parts)) if parts else None


def _equal(metadata: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[Filter]:
    for key, value in metadata.items():
        if not isinstance(key, str) or not key or _UNFIT.search(key):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidFilter(f'metadata key {shown(key)} can not be searched for: use text without quotes')
        here = (*path, key)
        if isinstance(value, Mapping):
            yield from _equal(cast('Mapping[str, Any]', value), here)
        elif isinstance(value, str | int | float):
            yield Compare(Field('metadata', 'json', here), 'eq', value)
        else:
            raise InvalidFilter(
                f'metadata {".".join(here)}={shown(value)} is {what_is(value)}: search for text, a number, '
                'True or False'
            )


def retrieved(facts: Hits, passages: Hits, *, scored: bool, policy: Policy | None = None) -> list[RetrievedMemory]:
    """Facts, and passages that none of them tells, in one list.

    Args:
        facts: In their order, which stays.
        passages: In theirs.
        scored: Whether they were found by a question. Otherwise they come the latest first.
        policy: Which passages no prompt shows; None: all may be shown.

    Raises:
        StoreUnreachable: The storage failed, which must not look as if nothing were known.
    """
    for hits in (facts, passages):
        if hits.degraded is not None and hits.degraded.startswith('storage'):
            raise StoreUnreachable(
                f'memories can not be read ({hits.degraded}): look at the database, or try again later'
            )
    told = Told(policy=policy, least=BETTER)
    for hit in facts:
        if hit.memory is not None:
            told.add(hit.memory, hit.score if scored else 1.0)
    seen: set[str] = set()
    first = [fact_of(hit.memory, hit.score if scored else 1.0) for hit in facts if hit.memory is not None]
    second: list[EngineMemory] = []
    for hit in passages:
        if policy is not None and rule_for(hit, policy) == 'exclude':
            continue
        if hit.id not in seen and _is_worth_telling(hit, scored=scored) and (words := told.news(hit)):
            seen.add(hit.id)
            second.append(_passage(hit, words, hit.score if scored else 1.0))
    together: list[RetrievedMemory] = []
    while first and second:
        fact, passage = first[0], second[0]
        later = (fact.created_at or '') < (passage.created_at or '')  # all in UTC
        together.append((second if (fact.score < passage.score if scored else later) else first).pop(0))
    return [*together, *first, *second]


def without_told(found: list[RetrievedMemory]) -> list[RetrievedMemory]:
    """Without passages whose words the facts of the list tell together, each of which tells a part."""
    told = [q for m in found if isinstance(m, EngineMemory) and m.kind is not None for q in m.quotes]
    return [
        m
        for m in found
        if not isinstance(m, EngineMemory)
        or m.kind is not None
        or untold(m.memory, [(at, at + len(q)) for q in told if (at := m.memory.find(q)) >= 0])
    ]


def _is_worth_telling(hit: Hit, *, scored: bool) -> bool:
    if hit.episode is None or hit.stale or only_asks(hit.text):
        return False
    if hit.episode.role != 'user' and (not scored or hit.score < OTHERS_SCORE):
        return False
    return worth_reading(hit.episode)  # not a question that was asked once, nor a greeting


def fact_of(memory: MemoryRecord, score: float) -> EngineMemory:
    return EngineMemory(
        id=memory.id,
        memory=memory.text,
        score=score,
        metadata=dict(memory.metadata),
        created_at=memory.said_at.isoformat(),
        kind=memory.kind,
        quotes=tuple(e.quote for e in memory.evidence),
    )


def _passage(hit: Hit, words: str, score: float) -> EngineMemory:
    assert hit.episode is not None
    episode = hit.episode
    own = episode.role == 'user' and episode.name is None
    return EngineMemory(
        id=episode.id,
        memory=words if own else f'{episode.name or episode.role}: {words}',
        score=score,
        metadata=dict(episode.metadata),
        created_at=episode.occurred_at.isoformat(),
        quotes=(hit.text,),
    )


def stored(edit: Edit) -> StoredMemory:
    after = edit.after
    event = 'DELETE' if after.status in ('superseded', 'retracted', 'expired', 'rejected') else 'UPDATE'
    if after.status == 'pending':
        event = 'PENDING'  # waits for somebody's approval
    elif event == 'UPDATE' and edit.before is None:
        event = 'ADD'
    return StoredMemory(id=after.id, memory=after.text, event=event, metadata=dict(after.metadata))
