"""LoCoMo files: long conversations between two people, in dated sessions, with questions about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memoranda.errors import what_is
from memoranda.importers.base import Conversation, ImportProblem, Report, as_id, is_list, is_object

__all__ = ['read_locomo', 'session_time']

_SESSION = re.compile(r'session_(\d+)')
_WHEN = re.compile(r'(\d{1,2}):(\d{2})\s*([ap])m\s+on\s+(\d{1,2})\s+(\w+),?\s+(\d{4})', re.IGNORECASE)
_MONTHS = ('jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec')


def read_locomo(values: Iterable[Any], report: Report) -> Iterator[Conversation]:
    """One conversation for each session of each sample; the user is the sample, both people speak as named users.

    Every turn is dated one second after the one before it. Its `dia_id` and session number, and the caption of a
    picture it shares, are in its metadata.

    Args:
        values: The samples.
        report: Told of every sample, session or turn that can't be read.
    """
    for number, raw in enumerate(values, 1):
        try:
            if not is_object(raw) or not is_object(raw.get('conversation')):
                raise ValueError('has no conversation: this is not a LoCoMo file, pass the right --format')
            sample = as_id('sample_id', raw.get('sample_id')) or f'sample-{number}'
        except ValueError as e:
            report(ImportProblem(f'sample {number}', str(e)))
            continue
        sessions: dict[str, Any] = raw['conversation']
        found = (_SESSION.fullmatch(key) for key in sessions)
        for session in sorted(int(m.group(1)) for m in found if m):
            where = f'{sample}, session {session}'
            try:
                conversation = _session(sessions, sample, session, where, report)
            except ImportProblem:
                raise
            except ValueError as e:
                report(ImportProblem(where, str(e)))
                continue
            if conversation.messages:
                yield conversation


def session_time(text: object) -> datetime:
    """The moment in `1:56 pm on 8 May, 2023`, taken as UTC.

    Raises:
        ValueError: It is no such text.
    """
    match = _WHEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match:
        hour, minute, half, day, month, year = match.groups()
        name = month.lower()[:3]
        if name in _MONTHS:
            at = int(hour) % 12 + (12 if half.lower() == 'p' else 0)
            return datetime(int(year), _MONTHS.index(name) + 1, int(day), at, int(minute), tzinfo=UTC)
    raise ValueError(f"the date {str(text)[:40]!r} can not be read: it should look like '1:56 pm on 8 May, 2023'")


def _session(sessions: Mapping[str, Any], sample: str, session: int, where: str, report: Report) -> Conversation:
    turns: object = sessions[f'session_{session}']
    if not is_list(turns):
        raise ValueError(f'is {what_is(turns)}: a session is a list of turns')
    run = f'locomo:{sample}:session_{session}'
    start = session_time(sessions.get(f'session_{session}_date_time')) if turns else None
    messages: list[dict[str, Any]] = []
    for position, turn in enumerate(turns):
        speaker: object = turn.get('speaker') if is_object(turn) else None
        text: object = turn.get('text') if is_object(turn) else None
        if not is_object(turn) or not isinstance(speaker, str) or not isinstance(text, str):
            report(ImportProblem(f'{where}, turn {position + 1}', 'lacks speaker or text: both should be text'))
            continue
        if start is None or not text.strip():
            continue
        metadata: dict[str, Any] = {'session': session}
        if isinstance(turn.get('dia_id'), str):
            metadata['dia_id'] = turn['dia_id']
        if isinstance(turn.get('blip_caption'), str):
            metadata['caption'] = turn['blip_caption']
        messages.append(
            {
                'role': 'user',
                'name': speaker,
                'content': text,
                'timestamp': start + timedelta(seconds=position),
                'metadata': metadata,
            }
        )
    return Conversation(source_id=run, run_id=run, user_id=sample, title=f'Session {session}', messages=messages)
