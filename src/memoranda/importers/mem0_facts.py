"""Memories of Mem0 as given facts of ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memoranda._noted import NOTED
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound
from memoranda.importers.base import ImportProblem, Report
from memoranda.importers.mem0 import Mem0Memory

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.records import AddResult, MemoryRecord

__all__ = ['Mem0Report', 'import_mem0']

_ACTED = 'import:mem0'


@dataclass(frozen=True, slots=True, kw_only=True)
class Mem0Report:
    """What an import of memories did."""

    memories: int = 0
    """That are new here."""
    known: int = 0
    """That were imported before."""
    merged: int = 0
    """That say what is known already: they count as said once more."""
    versions: int = 0
    """Earlier wordings that were stored as versions."""
    waiting: int = 0
    """That a person has to approve."""
    forgotten: int = 0
    """Of a subject that was forgotten since."""
    skipped: int = 0
    """That could not be used, or were not let in."""
    problems: tuple[ImportProblem, ...] = field(default=())
    """The first few of those."""


async def import_mem0(
    memory: AsyncMemory, memories: Iterable[Mem0Memory], *, on_problem: Report | None = None
) -> Mem0Report:
    """Store memories as given facts: with their dates, ids, metadata, and earlier wordings as versions.

    It may be stopped and done again: what is there already is not stored twice, and what was edited here since stays.

    Args:
        memory: Where to.
        memories: What `read_mem0` gives.
        on_problem: Told of each that can't be used, after which it goes on. Without it the first one raises.
    """
    report = Mem0Report()
    if memory.actor is None:
        memory = memory.acting_as(_ACTED)  # no person has edited anything
    for one in memories:
        try:
            report = await _store(memory, one, report)
        except (InvalidInput, Conflict) as error:
            problem = ImportProblem(f'memory {one.id}', str(error))
            if on_problem is None:
                raise problem from error
            on_problem(problem)
            report = replace(report, skipped=report.skipped + 1, problems=(*report.problems, problem)[:5])
    return report


async def _store(memory: AsyncMemory, one: Mem0Memory, report: Mem0Report) -> Mem0Report:
    (first, at), *later = one.versions or ((one.text, one.created_at),)
    message: dict[str, Any] = {'role': 'user', 'content': first, 'metadata': {'mem0_id': one.id}}
    if at is not None:
        message['timestamp'] = min(at, datetime.now(UTC))
    # What an assistant said is no user's word.
    trust = 'assistant' if one.role == 'assistant' else None
    result = await memory.add([message], infer=False, trust=trust, idempotency_key=f'{_ACTED}:{one.id}', **one.ids)
    if result.skipped.get('forgotten'):
        return replace(report, forgotten=report.forgotten + 1)
    edit = result.changes[0] if result.changes else None
    if edit is None:
        return replace(report, skipped=report.skipped + 1)
    if edit.after.status == 'pending':
        return replace(report, waiting=report.waiting + (not result.replayed), known=report.known + result.replayed)
    if edit.before is not None:  # somebody said the same: what became of it here is not Mem0's to tell
        if later and not result.replayed:
            await _say_last(memory, one)
        return replace(report, merged=report.merged + (not result.replayed), known=report.known + result.replayed)
    written = await _bring_up(memory, one, edit.after, result)
    if result.replayed and not written:
        return replace(report, known=report.known + 1)
    return replace(
        report,
        memories=report.memories + (not result.replayed),
        known=report.known + result.replayed,
        versions=report.versions + written,
    )


async def _say_last(memory: AsyncMemory, one: Mem0Memory) -> None:
    message: dict[str, Any] = {'role': 'user', 'content': one.text, 'metadata': {'mem0_id': one.id}}
    at = one.versions[-1][1] or one.updated_at
    if at is not None:
        message['timestamp'] = min(at, datetime.now(UTC))
    await memory.add([message], infer=False, idempotency_key=f'{_ACTED}:{one.id}:last', **one.ids)


async def _bring_up(memory: AsyncMemory, one: Mem0Memory, stored: MemoryRecord, result: AddResult) -> int:
    """Write the later wordings, each as a version, and with the last one what Mem0 knows beside the words."""
    texts = [text for text, _ in one.versions] or [one.text]
    current = stored
    if result.replayed:
        try:
            current = await memory.get(stored.id, **one.ids)
        except MemoryNotFound:  # deleted here
            return 0
    if current.text not in texts or current.locked:
        return 0  # edited here since
    reached = len(texts) - 1 - texts[::-1].index(current.text)
    details: dict[str, Any] = {'metadata': _metadata(one), 'tags': [c[:128] for c in one.categories if c.strip()][:50]}
    if one.expires_at is not None:
        details['expires_at'] = one.expires_at
    for text in texts[reached + 1 : -1]:
        await memory.update(current.id, text=text, locked=False, **one.ids)
    before = current.version
    current = await memory.update(current.id, text=texts[-1], locked=False, **details, **one.ids)
    return 0 if current.version == before and len(texts) - 1 == reached else len(texts) - 1 - reached


def _metadata(one: Mem0Memory) -> dict[str, Any]:
    """The user's own, and a note of where it comes from."""
    told = {
        'id': one.id,
        'created_at': None if one.created_at is None else one.created_at.isoformat(),
        'updated_at': None if one.updated_at is None else one.updated_at.isoformat(),
        'role': one.role,
    }
    return {**one.metadata, NOTED: {k: v for k, v in told.items() if v is not None}}
