"""Changes to one memory, and what people think of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from memoranda._noted import NOTED, noted, with_notes, without_notes
from memoranda.checks import KEEP
from memoranda.errors import shown
from memoranda.server.mem0.errors import bad
from memoranda.server.mem0.moments import moment_of, until
from memoranda.server.mem0.shapes import metadata_in
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.records import MemoryRecord

__all__ = ['EDITS', 'change', 'feedback']

EDITS: Final = frozenset(('text', 'data', 'metadata', 'timestamp', 'expiration_date'))
"""What of a memory can be changed; `data` is what older clients call the text."""
_VALUES: Final = ('POSITIVE', 'NEGATIVE', 'VERY_NEGATIVE')
MAX_REASON: Final = 10_000


async def change(memory: AsyncMemory, memory_id: str, body: Mapping[str, Any]) -> MemoryRecord:
    """Correct a memory.

    Raises:
        Problem: 400, nothing to change, or a value that doesn't fit; 409, it was added as immutable.
        MemoryNotFound: The view doesn't reach such a memory, or it isn't active.
    """
    given = {name: value for name, value in body.items() if value is not None or name == 'expiration_date'}
    if not given.keys() & EDITS:
        raise bad('nothing is to be changed: send text, metadata, timestamp or expiration_date')
    before = await memory.get(memory_id)
    if noted(before.metadata).get('immutable'):
        raise Problem(409, f'memory {shown(memory_id)} was added as immutable: delete it, and add another')
    metadata = metadata_in(given.get('metadata'))
    if metadata is not None:
        metadata = with_notes(metadata, before.metadata)
    expires = given.get('expiration_date')
    return await memory.update(
        memory_id,
        text=given.get('text', given.get('data')),
        metadata=metadata,
        said_at=moment_of(given['timestamp'], 'timestamp') if 'timestamp' in given else None,
        expires_at=KEEP
        if 'expiration_date' not in given
        else None
        if expires is None
        else until(expires, 'expiration_date'),
    )


async def feedback(memory: AsyncMemory, body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what somebody thinks of a memory with the memory, so that it is exported and erased with it; null clears it.

    Raises:
        Problem: 400, a value that doesn't fit.
        MemoryNotFound: The view doesn't reach such a memory, or it isn't active.
    """
    id_, value, reason = body.get('memory_id'), body.get('feedback'), body.get('feedback_reason')
    if not isinstance(id_, str) or not id_:
        raise bad(f'memory_id={shown(id_)} is no id: send that of the memory')
    if isinstance(value, str):
        value = value.upper()
    if value is not None and value not in _VALUES:
        raise bad(f'feedback={shown(value)} is unknown: send {", ".join(_VALUES)} or null')
    if reason is not None and (not isinstance(reason, str) or len(reason) > MAX_REASON):
        raise bad(f'feedback_reason={shown(reason)} is not text of at most {MAX_REASON:,} characters: shorten it')
    found = await memory.get(id_)
    kept = {name: value for name, value in noted(found.metadata).items() if name not in ('feedback', 'feedback_reason')}
    if value is not None:
        kept |= {'feedback': value, 'feedback_reason': reason}
    saved = await memory.update(id_, metadata={**without_notes(found.metadata), **({NOTED: kept} if kept else {})})
    kept = noted(saved.metadata)
    return {'id': id_, 'feedback': kept.get('feedback'), 'feedback_reason': kept.get('feedback_reason')}
