"""The `conversations.json` of a Claude data export: a list of conversations with their messages in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from memoranda.errors import what_is
from memoranda.importers.base import (
    Conversation,
    ImportProblem,
    Report,
    Timeline,
    as_id,
    as_role,
    as_text,
    as_time,
    is_list,
    is_object,
)
from memoranda.importers.chatgpt import follow

__all__ = ['read_claude']


def read_claude(values: Iterable[Any], report: Report) -> Iterator[Conversation]:
    """What the human and the assistant said; attachments, reasoning and tool traffic are left out.

    Args:
        values: The conversations.
        report: Told of every conversation or message that can't be read.
    """
    for number, raw in enumerate(values, 1):
        where = f'conversation {number}'
        try:
            if not is_object(raw) or not is_list(raw.get('chat_messages')):
                raise ValueError('has no chat_messages: export the data again, or pass the right --format')
            key = as_id('uuid', raw.get('uuid'))
            if key is None:
                raise ValueError('has no uuid: export the data again')
            timeline = Timeline(as_time(raw.get('created_at')))
        except ValueError as e:
            report(ImportProblem(where, str(e)))
            continue
        messages: list[dict[str, Any]] = []
        for position, item in enumerate(_branch(raw), 1):
            try:
                message = _message(item, timeline)
            except ValueError as e:
                report(ImportProblem(f'{where}, message {position}', str(e)))
                continue
            if message is not None:
                messages.append(message)
        name: object = raw.get('name')
        run = f'claude:{key}'
        if messages:
            yield Conversation(
                source_id=run, run_id=run, title=name if isinstance(name, str) else None, messages=messages
            )


def _branch(raw: dict[str, Any]) -> list[Any]:
    """The messages of the branch that was open last, where the export tells branches apart; else all of them."""
    listed: list[Any] = raw['chat_messages']
    leaf: object = raw.get('current_leaf_message_uuid')
    by_id = {m['uuid']: m for m in listed if is_object(m) and isinstance(m.get('uuid'), str)}
    if not isinstance(leaf, str) or leaf not in by_id:
        return listed
    return [by_id[key] for key in follow({key: m.get('parent_message_uuid') for key, m in by_id.items()}, leaf)]


def _message(raw: object, timeline: Timeline) -> dict[str, Any] | None:
    if not is_object(raw):
        raise ValueError(f'is {what_is(raw)}: a message is an object with sender and text')
    role = as_role(raw.get('sender'))
    moment = timeline.place(as_time(raw.get('created_at')))
    # `text` repeats the parts, but in some exports with placeholders for what is not text.
    text = as_text(raw.get('content')) if is_list(raw.get('content')) else ''
    text = text if text.strip() else as_text(raw.get('text'))
    if not text.strip():
        return None
    message: dict[str, Any] = {'role': role, 'content': text}
    if moment is not None:
        message['timestamp'] = moment
    return message
