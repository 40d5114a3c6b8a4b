"""What a reader yields, and the small conversions that every format needs."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from memoranda.errors import MemorandaError, what_is

__all__ = ['Conversation', 'ImportProblem', 'Report', 'Timeline', 'as_id', 'as_time', 'digest', 'is_list', 'is_object']

_ROLES = {
    'user': 'user',
    'human': 'user',
    'assistant': 'assistant',
    'ai': 'assistant',
    'model': 'assistant',
    'bot': 'assistant',
    'system': 'system',
    'developer': 'system',
    'tool': 'tool',
    'function': 'tool',
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r'(\.\d{6})\d+')
_BASIC_DATE = re.compile(r'\d{8}')
_MAX_ID = 256


class ImportProblem(MemorandaError, ValueError):
    """Something in a file that can't be read.

    Attributes:
        where: The place, such as `line 3` or `conversation 12`; the path when it is the whole file.
        reason: What is wrong with it and what would be right. It never quotes a message.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f'{where}: {reason}')
        self.where = where
        self.reason = reason


Report = Callable[[ImportProblem], None]
"""Takes what could not be read; reading goes on after it returns, and stops when it raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Messages of one conversation in the order they were said, or a run of them when the file interleaves several."""

    source_id: str
    """Names the conversation in its source; the same for every reading of the same or of a longer file."""
    run_id: str
    user_id: str | None = None
    """Who was talking, when the file says."""
    title: str | None = None
    start: int = 0
    """How many messages of this conversation came before these."""
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """`role`, `content`, and where known `name`, `timestamp` (an aware datetime) and `metadata`."""


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


def digest(*parts: str) -> str:
    """Twelve hex digits that stand for the parts."""
    joined = '\x1f'.join(parts).encode('utf-8', 'surrogatepass')
    return hashlib.blake2b(joined, digest_size=6).hexdigest()


def as_role(value: object) -> str:
    """The role a message has with us.

    Raises:
        ValueError: It is none we know.
    """
    role = _ROLES.get(value.strip().lower()) if isinstance(value, str) else None
    if role is None:
        raise ValueError(f'role={str(value)[:40]!r} is unknown: use user, assistant, system or tool')
    return role


def as_id(name: str, value: object) -> str | None:
    """An id as text, or None when there is none.

    Raises:
        ValueError: It can't be used as an id.
    """
    if value is None or value == '':
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f'{name} is {what_is(value)}, and an id is text: write it as a string')
    text = str(value).strip()
    if not text or text == '*' or len(text) > _MAX_ID or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError(
            f'{name}={text[:40]!r} can not be an id: use 1 to {_MAX_ID} characters, no control characters, not just *'
        )
    return text


def as_time(value: object) -> datetime | None:
    """A moment: seconds or milliseconds since 1970, or ISO 8601 text; without a zone it is taken as UTC.

    Raises:
        ValueError: It is neither.
    """
    if value is None or value == '':
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(float(value))
    if isinstance(value, str):
        text = value.strip()
        try:
            if not _BASIC_DATE.fullmatch(text):
                return _from_epoch(float(text))
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(_FRACTION.sub(r'\1', text))
            # Converting also catches moments that are out of range in UTC.
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError(
        f'the time {str(value)[:40]!r} can not be read: write it as 2024-05-08T13:56:00Z or as seconds since 1970'
    )


def _from_epoch(seconds: float) -> datetime:
    if not math.isfinite(seconds):
        raise ValueError(f'the time {seconds!r} is no moment: write it as seconds since 1970')
    if abs(seconds) >= 1e11:  # a year past 5000: these are milliseconds
        seconds /= 1000
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f'the time {seconds!r} is out of range: write it as seconds since 1970') from None


def as_text(content: object) -> str:
    """The words of a message: a string, or a list of parts of which those of type text count.

    Raises:
        ValueError: It is neither.
    """
    if content is None:
        return ''
    if isinstance(content, str):
        return content.replace('\x00', '')
    if is_object(content):
        content = [content]
    if not is_list(content):
        raise ValueError(f'content is {what_is(content)}: it should be text or a list of text parts')
    parts: list[str] = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif is_object(part) and part.get('type', 'text') in ('text', 'input_text', 'output_text'):
            text: object = part.get('text')
            if is_object(text):  # {"type": "text", "text": {"value": ...}}
                text = text.get('value')
            if isinstance(text, str):
                parts.append(text)
    return '\n'.join(parts).replace('\x00', '')


def as_message(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """A message in the common form `{role, content, name?, timestamp?, metadata?}`, or None when it has no words.

    Raises:
        ValueError: A part of it can't be used.
    """
    role = as_role(raw.get('role'))
    text = as_text(raw.get('content'))
    moment = as_time(next((raw[k] for k in ('timestamp', 'created_at', 'create_time') if raw.get(k)), None))
    name = raw.get('name')
    metadata = raw.get('metadata')
    if name is not None and not isinstance(name, str):
        raise ValueError(f'name is {what_is(name)}: it should be text')
    if metadata is not None and not is_object(metadata):
        raise ValueError(f'metadata is {what_is(metadata)}: it should be an object')
    if not text.strip():
        return None
    message: dict[str, Any] = {'role': role, 'content': text}
    if name and name.strip():
        message['name'] = name.strip()
    if moment is not None:
        message['timestamp'] = moment
    if metadata:
        message['metadata'] = metadata
    return message


class Timeline:
    """Dates for messages whose export dates only some: a second after the one before when unknown."""

    def __init__(self, start: datetime | None) -> None:
        self._last = start
        self._used = False

    def place(self, moment: datetime | None) -> datetime | None:
        """The date of the next message; None while nothing is known."""
        if moment is None and self._last is not None:
            moment = self._last + timedelta(seconds=1) if self._used else self._last
        if moment is not None:
            self._last = moment
            self._used = True
        return moment
