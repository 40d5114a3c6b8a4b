"""Records as Mem0's clients read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from memoranda._noted import NOTED, noted, without_notes
from memoranda.errors import shown, what_is
from memoranda.records import Edit, HistoryEntry, Hit, Job, JobStatus, MemoryRecord
from memoranda.records import now as moment
from memoranda.scope import Scope
from memoranda.server.mem0.bodies import as_object
from memoranda.server.mem0.errors import bad
from memoranda.server.mem0.moments import last_day

__all__ = [
    'event',
    'hit',
    'item',
    'listed',
    'metadata_in',
    'not_ended',
    'past',
    'results',
    'stamp',
]

_STATUSES: Final[Mapping[JobStatus, str]] = {
    'unsaved': 'PENDING',
    'queued': 'PENDING',
    'running': 'RUNNING',
    'retrying': 'PENDING',
    'done': 'SUCCEEDED',
    'dead': 'FAILED',
    'dropped': 'FAILED',
}
_EVENTS: Final[Mapping[str, str]] = {
    'add': 'ADD',
    'import': 'ADD',
    'approve': 'ADD',
    'restore': 'ADD',
    'update': 'UPDATE',
    'correct': 'UPDATE',
    'confirm': 'UPDATE',
    'supersede': 'DELETE',
    'retract': 'DELETE',
    'expire': 'DELETE',
    'reject': 'DELETE',
}
"""What an operation of ours is there. One that supersedes ends the older memory; the newer one is an ADD."""


def not_ended() -> dict[str, Any]:
    """Of memories that are current or not: those that nothing replaced and nobody took back, in our own language."""
    live = {'OR': [{'valid_to': {'exists': False}}, {'valid_to': {'gt': moment()}}]}
    return {'AND': [{'status': {'in': ['active', 'expired']}}, live]}


def stamp(at: datetime | None) -> str | None:
    """A moment as text."""
    return None if at is None else at.isoformat()


def metadata_in(metadata: object) -> dict[str, Any] | None:
    """Metadata that a client sent, without the key that is this surface's.

    Raises:
        Problem: 400, it is no object, or uses that key.
    """
    if metadata is None:
        return None
    found = as_object(metadata)
    if found is None:
        raise bad(f'metadata is {what_is(metadata)}: send an object')
    if NOTED in found:
        raise bad(f'metadata key {shown(NOTED)} is kept for the server: use another one')
    return found


def item(memory: MemoryRecord) -> dict[str, Any]:
    """A memory in a listing, or alone."""
    said, kept = memory.said_under, noted(memory.metadata)
    return {
        'id': memory.id,
        'memory': memory.text,
        'hash': memory.hash,
        'user_id': said.user_id,
        'agent_id': said.agent_id,
        'app_id': said.app_id,
        'run_id': said.run_id,
        'session_id': said.run_id,
        'metadata': without_notes(memory.metadata) or None,
        'categories': [memory.kind, *(tag for tag in memory.tags if tag != memory.kind)],
        'structured_attributes': None,
        'immutable': bool(kept.get('immutable', False)),
        'replaced_by': memory.superseded_by,
        'synthesized': False,
        'expiration_date': last_day(memory.expires_at),
        'created_at': stamp(memory.said_at),
        'updated_at': stamp(memory.recorded_at),
    }


def hit(found: Hit) -> dict[str, Any]:
    """An answer of a search."""
    assert found.memory is not None
    why = found.why or {}
    return {
        **item(found.memory),
        'score': round(found.score, 6),
        'score_breakdown': {
            'semantic': _figure(why.get('cosine', why.get('meaning'))),
            'bm25': _figure(why.get('bm25', why.get('words'))),
            'entity': 0.0,
        },
    }


def _figure(value: object) -> float:
    return round(float(value), 6) if isinstance(value, int | float) and value == value else 0.0


def listed(shaped: Sequence[dict[str, Any]], fields: Collection[str] | None) -> list[dict[str, Any]]:
    """Only these fields, besides the id and the words."""
    if fields is None:
        return list(shaped)
    wanted = {'id', 'memory', *fields}
    return [{name: value for name, value in one.items() if name in wanted} for one in shaped]


def results(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """What an `add` did. Memories that wait for a person are none yet."""
    told: list[dict[str, Any]] = []
    for edit in edits:
        name = _EVENTS.get(edit.op)
        if name is None or edit.op == 'supersede' or edit.after.status == 'pending':
            continue
        memory = edit.after
        told.append(
            {
                'id': memory.id,
                'memory': memory.text,
                'data': {'memory': memory.text},
                'event': 'NONE' if edit.op == 'confirm' else name,
                'user_id': memory.said_under.user_id,
            }
        )
    return told


def event(job: Job, done: Sequence[Edit] | None) -> dict[str, Any]:
    """A job as the event of an `add`. Its payload names ids and never words."""
    ended = job.finished_at
    latency = None if ended is None else round((ended - job.created_at).total_seconds() * 1000, 3)
    waiting = None if done is None else sum(1 for edit in done if edit.after.status == 'pending')
    return {
        'id': job.id,
        'event_type': 'ADD',
        'status': _STATUSES[job.status],
        'payload': {**_ids(job.scope), **({'waiting_for_review': waiting} if waiting else {})},
        'results': None if done is None else results(done),
        'created_at': stamp(job.created_at),
        'updated_at': stamp(ended or job.created_at),
        'started_at': stamp(job.created_at) if job.attempts else None,
        'completed_at': stamp(ended),
        'latency': latency,
        'error': (job.last_error or job.status) if job.status in ('dead', 'dropped', 'retrying') else None,
    }


def _ids(scope: Scope) -> dict[str, str]:
    named = {name: getattr(scope, name) for name in ('user_id', 'agent_id', 'app_id', 'run_id')}
    return {name: value for name, value in named.items() if value is not None}


def past(entries: Sequence[HistoryEntry], now: MemoryRecord | None) -> list[dict[str, Any]]:
    """The history of a memory, oldest first.

    Args:
        entries: What the engine tells.
        now: The memory as it is, which knows the words it rests on; None when it was deleted.
    """
    quotes = {} if now is None else {e.episode_id: e.quote for e in now.evidence}
    said = Scope.GLOBAL if now is None else now.said_under
    told: list[dict[str, Any]] = []
    for entry in entries:
        name = _EVENTS.get(entry.op)
        before, after = entry.before or {}, entry.after or {}
        if name is None or (name == 'UPDATE' and _shown(before) == _shown(after) and before):
            continue
        told.append(
            {
                'id': f'{entry.change_id}:{entry.seq}',
                'memory_id': entry.memory_id,
                'input': [
                    {'role': 'user', 'content': quotes[one[0]]} for one in after.get('evidence', ()) if one[0] in quotes
                ],
                'old_memory': before.get('text'),
                'new_memory': None if name == 'DELETE' else after.get('text'),
                'user_id': said.user_id,
                'agent_id': said.agent_id,
                'app_id': said.app_id,
                'session_id': said.run_id,
                'categories': [kind] if (kind := after.get('kind') or before.get('kind')) else [],
                'event': name,
                'metadata': without_notes(after.get('metadata') or before.get('metadata') or {}) or None,
                'is_deleted': name == 'DELETE',
                'actor_id': entry.actor,
                'created_at': stamp(entry.at),
                'updated_at': stamp(entry.at),
            }
        )
    return told


def _shown(state: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a version this surface shows."""
    names = ('text', 'kind', 'tags', 'expires_at', 'said_at', 'status')
    return (*(state.get(name) for name in names), without_notes(state.get('metadata') or {}))
