"""Telling formats apart, and the one way in to all readers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from memoranda.importers._stream import Progress, items, lines, open_bytes
from memoranda.importers.base import Conversation, ImportProblem, Report, is_list, is_object

__all__ = ['FORMATS', 'Format', 'detect', 'read']

Format = Literal['jsonl', 'openai', 'chatgpt', 'claude', 'locomo']
"""
- `jsonl`: one message a line (`role`, `content`, and where wanted `timestamp`, `name`, `user_id`, `run_id` or
  `conversation_id`), or one list of messages a line
- `openai`: `[message, ...]`, `[[message, ...], ...]`, `{"messages": [...]}` or a list of those
- `chatgpt`, `claude`: the services' data exports, as `conversations.json` or as the ZIP archive around it
- `locomo`: the benchmark's files
"""
FORMATS: tuple[Format, ...] = get_args(Format)

_HEAD = 1 << 16


def detect(path: str | os.PathLike[str]) -> Format:
    """The format of a file, judged by its beginning.

    Args:
        path: The file.

    Raises:
        ImportProblem: It can't be read, or its beginning fits no format.
    """
    file = Path(path)
    with open_bytes(file) as source:
        head = source.read(_HEAD)
    if head[:2] in (b'\xff\xfe', b'\xfe\xff'):
        raise ImportProblem(str(file), 'is UTF-16: save the file as UTF-8')
    if not head.strip():
        raise ImportProblem(str(file), 'is empty: name a file with messages')
    if _is_jsonl(file, head):
        return 'jsonl'
    with open_bytes(file) as source:
        first = next(items(source, str(file)), None)
    found = _shape(first)
    if found is None:
        raise ImportProblem(
            str(file), f'looks like none of the known formats: pass --format with one of {", ".join(FORMATS)}'
        )
    return found


def _is_jsonl(file: Path, head: bytes) -> bool:
    if file.suffix.lower() in ('.jsonl', '.ndjson'):
        return True
    written = [line for line in head.removeprefix(b'\xef\xbb\xbf').splitlines() if line.strip()]
    try:
        first: object = json.loads(written[0].decode('utf-8')) if len(written) > 1 else None
    except (ValueError, RecursionError):
        return False
    return is_object(first)


def _shape(value: object) -> Format | None:
    if value is None or is_list(value):
        return 'openai'
    if not is_object(value):
        return None
    if 'mapping' in value:
        return 'chatgpt'
    if 'chat_messages' in value:
        return 'claude'
    if is_object(value.get('conversation')):
        return 'locomo'
    return 'openai' if 'messages' in value or 'role' in value else None


def read(
    path: str | os.PathLike[str],
    format: Format | None = None,  # noqa: A002
    *,
    on_problem: Report | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Conversation]:
    """The conversations of a file, one after the other, without holding more than one (jsonl: a few) in memory.

    Args:
        path: The file.
        format: Its format; None: `detect` it.
        on_problem: Told of each thing that can't be read, after which reading goes on. Without it the first one raises.
        on_progress: Told (bytes read, bytes in all) now and then.

    Raises:
        ImportProblem: The file can't be read at all, or breaks off; without `on_problem` also for anything in it.
    """
    from memoranda.importers.chatgpt import read_chatgpt
    from memoranda.importers.claude import read_claude
    from memoranda.importers.locomo import read_locomo
    from memoranda.importers.openai import read_jsonl, read_openai

    file = Path(path)
    chosen = format or detect(file)
    report = on_problem or _raise
    with open_bytes(file, on_progress) as source:
        if chosen == 'jsonl':
            yield from read_jsonl(lines(source, report), file.stem, report)
        elif chosen == 'openai':
            yield from read_openai(items(source, str(file)), file.stem, report)
        elif chosen == 'chatgpt':
            yield from read_chatgpt(items(source, str(file)), report)
        elif chosen == 'claude':
            yield from read_claude(items(source, str(file)), report)
        elif chosen == 'locomo':
            yield from read_locomo(items(source, str(file)), report)
        else:
            raise ImportProblem(str(file), f'format {chosen!r} is unknown: use one of {", ".join(FORMATS)}')


def _raise(problem: ImportProblem) -> None:
    raise problem
