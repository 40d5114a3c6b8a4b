"""The `conversations.json` of a ChatGPT data export: every conversation is a tree of messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from memoranda.importers.base import (
    Conversation,
    ImportProblem,
    Report,
    Timeline,
    as_id,
    as_time,
    is_list,
    is_object,
)

__all__ = ['follow', 'read_chatgpt']


def read_chatgpt(values: Iterable[Any], report: Report) -> Iterator[Conversation]:
    """The branch of every conversation that was open last: what the user and the assistant said to each other.

    System messages, tool traffic, reasoning and hidden messages are left out.

    Args:
        values: The conversations.
        report: Told of every conversation that can't be read.
    """
    for number, raw in enumerate(values, 1):
        where = f'conversation {number}'
        try:
            conversation = _read_one(raw, where, report)
        except ImportProblem:
            raise
        except ValueError as e:
            report(ImportProblem(where, str(e)))
            continue
        if conversation.messages:
            yield conversation


def follow(parents: Mapping[str, object], leaf: str) -> list[str]:
    """The ids from the root of a tree down to a leaf; a cycle or a missing parent ends the path.

    Args:
        parents: Parent id of every node.
        leaf: Where to start.
    """
    path: list[str] = []
    seen: set[str] = set()
    node: object = leaf
    while isinstance(node, str) and node in parents and node not in seen:
        seen.add(node)
        path.append(node)
        node = parents[node]
    return path[::-1]


def _read_one(raw: object, where: str, report: Report) -> Conversation:
    if not is_object(raw) or not is_object(raw.get('mapping')):
        raise ValueError('has no mapping of messages: export the data again, or pass the right --format')
    mapping: dict[str, Any] = raw['mapping']
    nodes = {key: node for key, node in mapping.items() if is_object(node)}
    key = as_id('id', raw.get('conversation_id') or raw.get('id'))
    if key is None:
        raise ValueError('has no id: export the data again')
    leaf: object = raw.get('current_node')
    if not isinstance(leaf, str) or leaf not in nodes:
        leaf = _last_leaf(nodes)
    timeline = Timeline(as_time(raw.get('create_time')))
    messages: list[dict[str, Any]] = []
    if leaf is not None:
        for node_id in follow({key: node.get('parent') for key, node in nodes.items()}, leaf):
            try:
                message = _message(nodes[node_id].get('message'), timeline)
            except ValueError as e:
                report(ImportProblem(f'{where}, message {node_id!r:.40}', str(e)))
                continue
            if message is not None:
                messages.append(message)
    title: object = raw.get('title')
    run = f'chatgpt:{key}'
    return Conversation(source_id=run, run_id=run, title=title if isinstance(title, str) else None, messages=messages)


def _last_leaf(nodes: Mapping[str, dict[str, Any]]) -> str | None:
    """The newest message that nothing answers."""
    parents = {node.get('parent') for node in nodes.values()}
    leaves = [key for key in nodes if key not in parents]

    def said(key: str) -> float:
        message: object = nodes[key].get('message')
        moment: object = message.get('create_time') if is_object(message) else None
        return float(moment) if isinstance(moment, int | float) else 0.0

    return max(leaves, key=said, default=None)


def _message(raw: object, timeline: Timeline) -> dict[str, Any] | None:
    if not is_object(raw):
        return None
    author, content, metadata = raw.get('author'), raw.get('content'), raw.get('metadata')
    role: object = author.get('role') if is_object(author) else None
    hidden = is_object(metadata) and metadata.get('is_visually_hidden_from_conversation')
    # What the assistant addresses to a tool is not said to the user.
    to_tool = role == 'assistant' and raw.get('recipient') not in (None, 'all')
    if role not in ('user', 'assistant') or hidden or to_tool or not is_object(content):
        return None
    if content.get('content_type', 'text') not in ('text', 'multimodal_text'):
        return None
    text = _words(content)
    if not text.strip():
        return None
    message: dict[str, Any] = {'role': role, 'content': text}
    moment = timeline.place(as_time(raw.get('create_time')))
    if moment is not None:
        message['timestamp'] = moment
    return message


def _words(content: Mapping[str, Any]) -> str:
    parts: object = content.get('parts')
    words: list[str] = []
    for part in parts if is_list(parts) else [content.get('text')]:
        if is_object(part):  # spoken words; images and files have no text
            part = part.get('text') if part.get('content_type') == 'audio_transcription' else None
        if isinstance(part, str) and part:
            words.append(part)
    return '\n'.join(words).replace('\x00', '')
