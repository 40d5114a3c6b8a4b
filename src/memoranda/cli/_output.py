"""Printing: plain records to JSON, dates, short ids, and the two consoles."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.text import Text

from memoranda.cli._safe import escape_json, one_line, printable
from memoranda.records import Evidence, Hit, MemoryRecord
from memoranda.scope import Scope

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    'day',
    'emit',
    'hit_json',
    'many',
    'moment',
    'note',
    'out',
    'one_line',
    'plain',
    'printable',
    'quote',
    'said',
    'say',
    'shown',
    'short_id',
    'size',
    'status_line',
]


def out(*, stderr: bool = False) -> Console:
    """A console that reads no markup in what it prints, so remembered text stays text."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say(*parts: RenderableType, style: str | None = None) -> None:
    """Print to standard output."""
    out().print(*parts, style=style)


def note(text: str, style: str = 'dim') -> None:
    """Print a remark to standard error, so that output can be piped."""
    out(stderr=True).print(text, style=style)


def emit(value: object) -> None:
    """Print as JSON."""
    document = json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write(escape_json(document) + '\n')


def plain(value: Any) -> Any:
    """Records as JSON values: moments as ISO 8601 text, a scope as the ids it has."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Scope):
        return {f.name: v for f in fields(value) if (v := getattr(value, f.name)) is not None}
    if isinstance(value, Hit):
        return hit_json(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast('Mapping[Any, Any]', value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in cast('list[Any]', value)]
    if isinstance(value, float):
        return value if value == value and abs(value) != float('inf') else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit with its text in front."""
    found: dict[str, Any] = {
        'id': hit.id,
        'type': 'memory' if hit.memory else 'episode',
        'text': hit.text,
        'score': round(hit.score, 4),
    }
    if hit.memory:
        found['memory'] = plain(hit.memory)
    if hit.episode:
        found['episode'] = plain(hit.episode)
        found['start'], found['end'] = hit.start, hit.end
    if hit.why is not None:
        found['why'] = plain(hit.why)
    return found


def day(at: datetime) -> str:
    """A date, local."""
    local = _local(at)
    return f'{local.day} {local:%b %Y}'


def moment(at: datetime) -> str:
    """A date with the time of day, local."""
    local = _local(at)
    return f'{local.day} {local:%b %Y, %H:%M}'


def _local(at: datetime) -> datetime:
    try:
        return at.astimezone()
    except (OverflowError, ValueError, OSError):  # the first and last day there are
        return at


def short_id(memory_id: str) -> str:
    """The end of an id. The beginning of ours is the time, which neighbours share."""
    return memory_id.replace('-', '')[-8:]


def quote(evidence: Evidence, limit: int | None = 200) -> Text:
    """The words a memory rests on, in quotation marks."""
    return Text.assemble(('“', 'dim'), (one_line(evidence.quote, limit), 'italic'), ('”', 'dim'))


def said(record: MemoryRecord) -> str:
    """Since when, or from when to when, a memory holds."""
    if record.valid_to is not None:
        return f'{day(record.valid_from)} to {day(record.valid_to)}'
    return f'since {day(record.valid_from)}'


def status_line(record: MemoryRecord) -> Text:
    """Kind, slot, time and state of a memory, dimmed, for the line below its text."""
    parts = [record.kind if record.slot is None else f'{record.kind} {record.slot}', said(record)]
    if record.status != 'active':
        parts.append(record.status)
    if record.pinned:
        parts.append('pinned')
    if record.level != 'user':
        parts.append(f'{record.level} level')
    parts.extend(f'#{tag}' for tag in record.tags)
    return Text(one_line(' · '.join(parts)), style='dim')


def many(count: int, noun: str) -> str:
    """A number with its noun."""
    plural = f'{noun[:-1]}ies' if noun.endswith('y') else f'{noun}s'
    return f'{count:,} {noun if count == 1 else plural}'


def size(count: int) -> str:
    """Bytes in the unit that reads best."""
    value, unit = float(count), 'B'
    for unit in ('B', 'KiB', 'MiB', 'GiB', 'TiB'):
        if value < 1024 or unit == 'TiB':
            break
        value /= 1024
    return f'{value:.0f} {unit}' if unit == 'B' else f'{value:.1f} {unit}'


def shown(text: str) -> Text:
    """Remembered text, made safe."""
    return Text(printable(text))
