"""`add`: what a client sends, as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from memoranda._noted import NOTED
from memoranda._parts import NOT_READ, without_words
from memoranda.errors import shown, what_is
from memoranda.server.access import Caller
from memoranda.server.mem0.bodies import IDS, as_list, as_object, flag, ids_of
from memoranda.server.mem0.errors import bad, not_offered
from memoranda.server.mem0.moments import moment_of, until
from memoranda.server.mem0.shapes import metadata_in

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.records import AddResult

__all__ = ['FIELDS', 'add', 'under']

MOST_MESSAGES: Final = 10_000
"""Of one request, as on the native API."""
FIELDS: Final = frozenset(
    (
        *('messages', *IDS, 'filters', 'metadata', 'infer', 'expiration_date', 'timestamp', 'custom_instructions'),
        *('agent_custom_instructions', 'custom_categories', 'structured_data_schema', 'includes', 'excludes'),
        *('immutable', 'memory_type', 'prompt'),
    )
)


def under(caller: Caller, ids: Mapping[str, str]) -> AsyncMemory:
    """A view bound to the ids of a call.

    Raises:
        Problem: 400, none is given; 403, the key is for somebody else, or for a person and an agent or app is named.
    """
    if not ids and caller.user_id is None:
        raise bad(f'nobody is named: send one of {", ".join(IDS)}')
    if '*' in ids.values():
        name = next(name for name, value in ids.items() if value == '*')
        raise bad(f"{name}='*' is not an id here: name one {name}")
    return caller.within(**ids)


async def add(caller: Caller, body: Mapping[str, Any], *, background: bool = True) -> AddResult:
    """Remember what a client sent: in the background, or at once with `infer: false`.

    Args:
        caller: Who asks.
        body: What they sent.
        background: False waits until it is done in any case.

    Raises:
        Problem: 400, something can't be used; 501, something isn't offered.
    """
    memory = under(caller, ids_of(body, inside=body.get('filters')))
    infer = flag(body, 'infer', True)
    messages = body.get('messages')
    if messages is None:
        raise bad('messages is missing: send a list of objects with role and content')
    for field, why in _NOT_OFFERED.items():
        if body.get(field):
            raise not_offered(field, why)
    metadata = metadata_in(body.get('metadata')) or {}
    if flag(body, 'immutable'):
        metadata[NOTED] = {'immutable': True}
    expires, said = body.get('expiration_date'), body.get('timestamp')
    return await memory.add(
        _checked(messages),
        metadata=metadata,
        infer=infer,
        occurred_at=None if said is None else moment_of(said, 'timestamp'),
        expires_at=None if expires is None else until(expires, 'expiration_date'),
        instructions=_instructions(body) if infer else None,
        background=infer and background,
    )


_NOT_OFFERED: Final = {
    'custom_categories': 'kinds of memory belong to the memory as a whole: set them where it is made (kinds=...)',
    'structured_data_schema': 'facts are stored as text with a slot: fill a schema by an export',
    'memory_type': 'there is one sort of memory: leave it out',
}


def _checked(messages: object) -> object:
    """Messages as they were sent, but for what only the engine's own callers may tell: where words come from."""
    if isinstance(messages, str):
        return messages
    listed = as_list(messages)
    if listed is not None and len(listed) > MOST_MESSAGES:
        raise bad(f'messages has {len(listed):,} entries, and {MOST_MESSAGES:,} is the most: add them in parts')
    found: list[object] = []
    for index, one in enumerate([messages] if listed is None else listed):
        message = as_object(one)
        if message is None:
            raise bad(f'messages[{index}]={shown(one)} is {what_is(one)}: send an object with role and content')
        if without_words(message.get('content')):
            raise not_offered(f'messages[{index}] without text', NOT_READ)
        metadata_in(message.get('metadata'))
        found.append({name: value for name, value in message.items() if name in _OF_A_MESSAGE})
    return found


_OF_A_MESSAGE: Final = frozenset(('role', 'content', 'name', 'timestamp', 'created_at', 'metadata'))


def _instructions(body: Mapping[str, Any]) -> str | None:
    """What extraction shall regard, in words; only a model takes notice of it."""
    told: list[str] = []
    forms = {
        'custom_instructions': '{}',
        'prompt': '{}',
        'agent_custom_instructions': 'About the agent: {}',
        'includes': 'Keep only what is about: {}',
        'excludes': 'Leave out what is about: {}',
    }
    for field, form in forms.items():
        value = body.get(field)
        if value is None or value == '':
            continue
        if not isinstance(value, str):
            raise bad(f'{field}={shown(value)} is {what_is(value)}: send text')
        told.append(form.format(value))
    return '\n'.join(told) or None
