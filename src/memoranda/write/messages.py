"""Whatever a caller has in hand -> messages ready to store: text, dicts, OpenAI lists, Pydantic AI messages.

System prompts, thinking, tool traffic and blocks that recall put into a prompt are not what anybody said: they are
dropped here. What remains is kept verbatim, except that NUL and half surrogate pairs, which no database or wire can
carry, become U+FFFD.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from memoranda.checks import as_moment, storable
from memoranda.errors import InvalidInput, shown, what_is
from memoranda.records import RECALL_TAG, Trust, now
from memoranda.write.foreign import mentioned
from memoranda.write.trust import check_trust, tier_of_role, weakest

__all__ = ['Message', 'normalise', 'said_at', 'segments', 'strip_recalled']

SEGMENT_CHARS = 1_000
"""A longer message is indexed in parts of at most this many code points, cut at paragraphs, sentences or words."""
MAX_MESSAGES = 100_000
OWN_TOOLS = ('remember', 'recall', 'forget')
"""Tools that a model has from us."""
_OPENS = re.compile(rf'<{RECALL_TAG}\b[^<>\n]{{0,200}}>?', re.IGNORECASE)
_CLOSES = re.compile(rf'</{RECALL_TAG}\s*>', re.IGNORECASE)
_ROLES: Mapping[str, Literal['user', 'assistant', 'skip']] = {
    'user': 'user',
    'human': 'user',
    'assistant': 'assistant',
    'ai': 'assistant',
    'model': 'assistant',
    'system': 'skip',
    'developer': 'skip',
    'tool': 'skip',
    'function': 'skip',
}


@dataclass(frozen=True, slots=True)
class Message:
    """One thing somebody said."""

    role: Literal['user', 'assistant', 'tool']
    text: str
    name: str | None = None
    at: datetime | None = None
    """When it was said, if the message itself tells."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    given: Trust | None = None
    """The tier that it was given with."""

    @property
    def trust(self) -> Trust:
        """The tier of who says it; a tier that was given only lowers it."""
        own = tier_of_role(self.role)
        return own if self.given is None else weakest((own, self.given))


def normalise(messages: object, *, max_chars: int, trust: Trust | None = None) -> tuple[list[Message], bool]:
    """Read what `add` was given.

    Args:
        messages: See `AsyncMemory.add`.
        max_chars: The most of one message.
        trust: The best tier of any of them.

    Returns:
        The messages, oldest first, and whether they came as a list (which may repeat a conversation's beginning).

    Raises:
        InvalidInput: Nothing usable in it, a wrong type or role, a text longer than `max_chars`, a moment out of range.
    """
    if isinstance(messages, str):
        return list(_checked(Message(_speaker(trust), messages, given=trust), max_chars, 'messages')), False
    if isinstance(messages, Mapping):
        found = _from_dict(cast('Mapping[str, Any]', messages), 'messages', trust)
        return list(_checked(found, max_chars, 'messages')) if found else [], False
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray):
        raise InvalidInput(
            f'messages is {what_is(messages)}: pass text, a dict with role and content, a list of such dicts, '
            'or Pydantic AI messages'
        )
    listed = cast('Sequence[object]', messages)
    if not listed:
        raise InvalidInput('messages is an empty list: pass at least one message')
    if len(listed) > MAX_MESSAGES:
        raise InvalidInput(f'messages has {len(listed):,} entries, and {MAX_MESSAGES:,} is the most: add them in parts')
    result: list[Message] = []
    told = False
    for index, one in enumerate(listed):
        where = f'messages[{index}]'
        told = told or _is_of_a_tool(one)
        for message in _read(one, where, trust):
            # What a model says once it has read what a tool returned may be the tool's.
            tier = _lower(message.given, 'tool') if told and message.role == 'assistant' else message.given
            result += _checked(replace(message, given=tier), max_chars, where)
    return result, True


def _read(one: object, where: str, trust: Trust | None) -> Iterable[Message]:
    if isinstance(one, str):
        return (Message(_speaker(trust), one, given=trust),)
    if isinstance(one, Mapping):
        found = _from_dict(cast('Mapping[str, Any]', one), where, trust)
        return (found,) if found else ()
    if getattr(one, 'kind', None) in ('request', 'response') and hasattr(one, 'parts'):
        return (replace(m, given=trust) for m in _from_pydantic_ai(one))
    raise InvalidInput(f'{where} is {what_is(one)}: pass text, a dict with role and content, or a Pydantic AI message')


def _speaker(trust: Trust | None) -> Literal['user', 'assistant', 'tool']:
    """Who says a bare text of that tier."""
    return 'user' if trust in (None, 'user') else 'assistant' if trust == 'assistant' else 'tool'


def _lower(a: Trust | None, b: Trust | None) -> Trust | None:
    return weakest([t for t in (a, b) if t is not None]) if a or b else None


def _is_of_a_tool(one: object) -> bool:
    """Whether it holds what a tool returned; what our own tools return is framed, and told apart by that."""
    if isinstance(one, Mapping):
        told = cast('Mapping[str, Any]', one)
        return told.get('role') in ('tool', 'function') and told.get('name') not in OWN_TOOLS
    parts: Any = getattr(one, 'parts', ())
    return any(
        getattr(p, 'part_kind', None) == 'tool-return' and getattr(p, 'tool_name', None) not in OWN_TOOLS for p in parts
    )


def _from_dict(value: Mapping[str, Any], where: str, trust: Trust | None = None) -> Message | None:
    tier = value.get('trust')
    given = _lower(trust, None if tier is None else check_trust(tier, f'{where}: trust'))
    role = value.get('role', _speaker(given))
    kept: Literal['user', 'assistant', 'tool', 'skip'] | None = _ROLES.get(role) if isinstance(role, str) else None
    if kept is None:
        raise InvalidInput(f'{where}: role={shown(role)} is unknown: use one of {", ".join(_ROLES)}')
    content = value.get('content')
    if role in ('tool', 'function') and given is not None:  # then it was meant to be kept
        kept = 'tool'
    if kept == 'skip' or (not content and kept == 'assistant'):  # an assistant turn of tool calls only
        return None
    text = _content(content, where)
    if text is None:
        return None
    name = value.get('name')
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > 256):
        raise InvalidInput(
            f'{where}: name={shown(name)} is not a name of 1 to 256 characters: pass text, or leave it out'
        )
    metadata: object = value.get('metadata') or {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f'{where}: metadata is {what_is(metadata)}: pass a dict of JSON values')
    at = value.get('timestamp', value.get('created_at'))
    return Message(
        kept,
        text,
        name=storable(name.strip()) if name else None,
        at=None if at is None else as_moment(at, f'{where}: timestamp'),
        metadata=cast('Mapping[str, Any]', metadata),
        given=given,
    )


def _content(content: object, where: str) -> str | None:
    """Text of a message; None when it has other parts only (an image, a file)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, bytes | bytearray):
        told = 'missing' if content is None else what_is(content)
        raise InvalidInput(f'{where}: content is {told}: pass text, or a list of content parts')
    texts: list[str] = []
    for part in cast('Sequence[object]', content):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
            text = cast('Mapping[str, Any]', part).get('text')
            if isinstance(text, str):
                texts.append(text)
    return '\n'.join(texts) if texts else None


def _from_pydantic_ai(message: Any) -> Iterable[Message]:
    """User prompts and answers of a `ModelRequest` or `ModelResponse`; read by shape, so nothing is imported."""
    outcome = getattr(message, 'outcome', None)
    if outcome == 'retried':
        return
    for part in message.parts:
        kind = getattr(part, 'part_kind', None)
        if kind == 'user-prompt':
            content: Any = part.content
            texts = [content] if isinstance(content, str) else [_part_text(p) for p in content]
            text = '\n'.join(t for t in texts if t)
            at = getattr(part, 'timestamp', None)
        elif kind == 'text' and message.kind == 'response':
            text, at = part.content, getattr(message, 'timestamp', None)
        else:
            continue
        if strip_recalled(text).strip():
            role: Literal['user', 'assistant'] = 'user' if kind == 'user-prompt' else 'assistant'
            yield Message(role, text, at=as_moment(at, 'timestamp') if at is not None else None)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    content = getattr(part, 'content', None)
    return content if isinstance(content, str) and getattr(part, 'kind', None) in ('text', 'text-content') else ''


def _checked(message: Message, max_chars: int, where: str) -> Iterable[Message]:
    """The message as it is stored; nothing when there is nothing in it but what recall put there."""
    text = storable(strip_recalled(message.text))
    if len(text) > max_chars:
        raise InvalidInput(
            f'{where} has {len(text):,} characters, and {max_chars:,} is the most for one message: '
            'split it, or raise MEMORANDA_MAX_TEXT_CHARS'
        )
    if text.strip():
        return (replace(message, text=text),)
    if message.text.strip():
        return ()
    raise InvalidInput(f'{where} is empty or white space: pass the words that were said')


def strip_recalled(text: str) -> str:
    """The text without the blocks that recall put there: what was recalled is never learnt again."""
    closes = [m.span() for m in _CLOSES.finditer(text)]
    out: list[str] = []
    at = 0
    for m in _OPENS.finditer(text):
        following = bisect_left(closes, (m.end(), 0))
        if m.start() < at or (following == len(closes) and mentioned(text, *m.span())):
            continue  # a sentence that speaks of the tag is no block; one that is closed is
        out.append(text[at : m.start()])
        # An unclosed block: nothing after its tag can be told from recalled text.
        at = closes[following][1] if following < len(closes) else len(text)
    return ''.join((*out, text[at:]))


def said_at(message: Message, occurred_at: datetime | None) -> datetime:
    """When a message was said.

    Raises:
        InvalidInput: More than a day ahead of this machine's clock.
    """
    at = message.at or occurred_at or now()
    if at > now() + timedelta(days=1):
        raise InvalidInput(
            f'{at.isoformat()} lies in the future, and a message was said before it is stored: '
            'correct occurred_at or the timestamp'
        )
    return at


def segments(text: str) -> list[tuple[int, int]]:
    """(start, end) of the parts a message is indexed in, in code points, covering all its words."""
    if len(text) <= SEGMENT_CHARS:
        return [(0, len(text))]
    parts: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(start + SEGMENT_CHARS, len(text))
        if end < len(text):
            for border in ('\n\n', '\n', '. ', ' '):
                cut = text.rfind(border, start + SEGMENT_CHARS // 3, end)
                if cut >= 0:
                    end = cut + len(border)
                    break
        if text[start:end].strip():
            parts.append((start, end))
        start = end
    return parts
