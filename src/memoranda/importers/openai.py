"""Messages in the shape chat APIs use: one a line, lists of them, or lists of conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from memoranda.errors import what_is
from memoranda.importers.base import Conversation, ImportProblem, Report, as_id, as_message, digest, is_list, is_object

__all__ = ['read_jsonl', 'read_openai']

_RUN_KEYS = ('run_id', 'conversation_id', 'session_id', 'thread_id')
_BATCH = 200
_MAX_OPEN = 64


class _Names:
    """Stable names for conversations that have none: from their first words, and counted when several start alike."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen: Counter[str] = Counter()

    def name(self, messages: list[dict[str, Any]]) -> str:
        first = next((m for m in messages if m['role'] != 'system'), messages[0])
        mark = digest(first['role'], first['content'], str(first.get('timestamp', '')))
        self._seen[mark] += 1
        again = self._seen[mark]
        return f'{self._prefix}-{mark}' + (f'-{again}' if again > 1 else '')


def _own_run_id(raw: Mapping[str, Any]) -> str | None:
    return next((run for key in _RUN_KEYS if (run := as_id(key, raw.get(key))) is not None), None)


def read_jsonl(values: Iterable[tuple[int, Any]], stem: str, report: Report) -> Iterator[Conversation]:
    """Conversations from a file with one message (or one list of messages) a line.

    Lines of several conversations may be mixed; each is handed over in batches of up to 200 messages, in order.

    Args:
        values: Line numbers with their JSON values.
        stem: The file's name without its ending; part of the names of conversations that have none.
        report: Told of every line that can't be used.
    """
    return _read(values, 'line', _Names(f'jsonl:{stem}'), report)


def read_openai(values: Iterable[Any], stem: str, report: Report) -> Iterator[Conversation]:
    """Conversations from `[message, ...]`, `[[message, ...], ...]`, `{"messages": [...]}` or a list of those.

    Args:
        values: The elements of the file's list, or its only value.
        stem: The file's name without its ending; part of the names of conversations that have none.
        report: Told of every message that can't be used.
    """
    return _read(enumerate(values, 1), 'element', _Names(f'openai:{stem}'), report)


def _read(values: Iterable[tuple[int, Any]], noun: str, names: _Names, report: Report) -> Iterator[Conversation]:
    open_: dict[tuple[str | None, str], list[dict[str, Any]]] = {}
    counts: Counter[tuple[str | None, str]] = Counter()
    unnamed: str | None = None

    def flush(key: tuple[str | None, str]) -> Conversation:
        messages = open_.pop(key)
        counts[key] += len(messages)
        return _conversation(key, messages, counts[key] - len(messages))

    for number, raw in values:
        where = f'{noun} {number}'
        try:
            if is_object(raw) and 'messages' not in raw:
                user, run, message = as_id('user_id', raw.get('user_id')), _own_run_id(raw), as_message(raw)
                if message is None:
                    continue
                if run is None:
                    run = unnamed = unnamed or names.name([message])
                batch = open_.setdefault((user, run), [])
                batch.append(message)
                if len(batch) >= _BATCH:
                    yield flush((user, run))
                elif len(open_) > _MAX_OPEN:
                    yield flush(next(iter(open_)))
                continue
        except ValueError as e:
            report(ImportProblem(where, str(e)))
            continue
        yield from _whole(raw, where, names, report)
    while open_:
        yield flush(next(iter(open_)))


def _whole(raw: object, where: str, names: _Names, report: Report) -> Iterator[Conversation]:
    """The one conversation in a list of messages or in an object around it."""
    own: dict[str, Any] = raw if is_object(raw) else {}
    listed: object = own.get('messages') if own else raw
    if not is_list(listed):
        report(ImportProblem(where, f'is {what_is(raw)} without messages: a message has role and content'))
        return
    messages: list[dict[str, Any]] = []
    for position, item in enumerate(listed, 1):
        try:
            if not is_object(item):
                raise ValueError(f'is {what_is(item)}: a message is an object with role and content')
            message = as_message(item)
        except ValueError as e:
            report(ImportProblem(f'{where}, message {position}', str(e)))
            continue
        if message is not None:
            messages.append(message)
    if not messages:
        return
    try:
        user = as_id('user_id', own.get('user_id'))
        run = _own_run_id(own) or as_id('id', own.get('id')) or names.name(messages)
        title: object = own.get('title')
    except ValueError as e:
        report(ImportProblem(where, str(e)))
        return
    for start in range(0, len(messages), _BATCH):
        yield _conversation((user, run), messages[start : start + _BATCH], start, title)


def _conversation(
    key: tuple[str | None, str], messages: list[dict[str, Any]], start: int, title: object = None
) -> Conversation:
    user, run = key
    return Conversation(
        source_id=run,
        run_id=run,
        user_id=user,
        title=title if isinstance(title, str) else None,
        start=start,
        messages=messages,
    )
