"""What callers of Mem0's methods pass, in its present shapes and in older ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final, cast

from memoranda._noted import NOTED
from memoranda._parts import NOT_READ, beside_words, without_words
from memoranda.checks import as_moment
from memoranda.compat._mem0_filters import id_of
from memoranda.compat._mem0_told import once
from memoranda.errors import InvalidInput, InvalidScope, shown, what_is
from memoranda.scope import Scope

__all__ = ['amount', 'expiry', 'ids_of', 'metadata_of', 'no_others', 'said', 'scope_of', 'threshold_of', 'with_roles']

MOST: Final = 1_000
_WITHOUT_EFFECT: Final = ('version', 'output_format', 'api_version')
_TIERS: Final[Mapping[str, str | None]] = {
    'user': None,
    'human': None,
    'assistant': 'assistant',
    'ai': 'assistant',
    'model': 'assistant',
    'tool': 'tool',
    'function': 'tool',
}
_LABEL: Final = re.compile(r'^ {0,3}(?:(user|human)|(assistant|ai|bot)|system|tool) ?:', re.MULTILINE | re.IGNORECASE)
_REFUSED: Final[Mapping[str, str]] = {
    'enable_graph': 'there is no graph: leave it out',
    'async_mode': 'memoranda.Memory.add(background=True) stores first and reads later',
    'keyword_search': 'words always count in a search: leave it out',
    'categories': 'keep them in metadata, and filter by it',
    'custom_categories': 'keep them in metadata, and filter by it',
    'includes': 'say it in prompt, or in custom_instructions of the configuration',
    'excludes': 'say it in prompt, or in custom_instructions of the configuration',
    'custom_instructions': 'say it in prompt, or in the configuration',
    'fields': 'every item has all its fields: pick from them',
    'page': 'pass top_k; memoranda.Memory.get_all(cursor=...) goes through pages',
    'page_size': 'pass top_k; memoranda.Memory.get_all(cursor=...) goes through pages',
}


def no_others(method: str, others: Mapping[str, Any], known: str) -> None:
    """Refuse arguments that would be without effect.

    Raises:
        InvalidInput: One of them is unknown, or is of the hosted service.
    """
    for name, value in others.items():
        if name in _WITHOUT_EFFECT or value is None or (name in _REFUSED and value is False):
            continue
        if name in _REFUSED:
            raise InvalidInput(f'{method}({name}=...) is not offered: {_REFUSED[name]}')
        raise InvalidInput(f'{method}() has no parameter {name!r}: it takes {known}')


def ids_of(
    user_id: object, agent_id: object, run_id: object, app_id: object, session_id: object
) -> dict[str, str | None]:
    """The ids of a call; a session is a run."""
    run, session = id_of('run_id', run_id), id_of('session_id', session_id)
    if run is not None and session is not None and run != session:
        raise InvalidScope(f'run_id={run!r} and session_id={session!r} are the same thing: pass one')
    return {
        'user_id': id_of('user_id', user_id),
        'agent_id': id_of('agent_id', agent_id),
        'run_id': run if run is not None else session,
        'app_id': id_of('app_id', app_id),
    }


def scope_of(method: str, ids: Mapping[str, str | None]) -> Scope:
    """The scope that the ids name.

    Raises:
        InvalidScope: There is none.
    """
    if not any(ids.values()):
        raise InvalidScope(
            f"{method}() was given no id, and a memory is always somebody's: pass user_id=..., agent_id=... or "
            'run_id=...'
        )
    return Scope(**ids)


def amount(top_k: object, limit: object, default: int) -> int:
    """How many results are wanted: `top_k`, or `limit` as older versions had it."""
    if top_k is not None and limit is not None and top_k != limit:
        raise InvalidInput(f'top_k={shown(top_k)} and limit={shown(limit)} mean the same: pass one of them')
    wanted = top_k if top_k is not None else limit if limit is not None else default
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise InvalidInput(f'top_k={shown(wanted)} is no whole number of 0 or more: correct it')
    return wanted


def threshold_of(threshold: object) -> float:
    """The least score; None is 0."""
    if threshold is None:
        return 0.0
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InvalidInput(f'threshold={shown(threshold)} is no number from 0 to 1: correct it')
    return float(threshold)


def expiry(expiration_date: object) -> datetime | None:
    """The end of the last day on which a memory is known (UTC)."""
    if expiration_date is None:
        return None
    day: date | None = None
    if isinstance(expiration_date, datetime):
        day = expiration_date.date()
    elif isinstance(expiration_date, date):
        day = expiration_date
    elif isinstance(expiration_date, str):
        try:
            day = date.fromisoformat(expiration_date)
        except ValueError:
            day = None
    if day is None:
        raise InvalidInput(f'expiration_date={shown(expiration_date)} is no day: write YYYY-MM-DD')
    return as_moment(day, 'expiration_date') + timedelta(days=1)


def metadata_of(metadata: object) -> dict[str, Any]:
    """The caller's own JSON.

    Raises:
        InvalidInput: It is no dict, or uses the key that is ours.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f'metadata={shown(metadata)} is {what_is(metadata)}: pass a dict')
    found = dict(cast('Mapping[str, Any]', metadata))
    if NOTED in found:
        raise InvalidInput(f'metadata key {NOTED!r} is taken: it holds who said a memory, use another word')
    return found


def said(messages: object, *, turns: bool) -> list[dict[str, Any]]:
    """The messages of an `add`, without those that hold no words.

    Args:
        messages: As they were given.
        turns: Whether a text may stand for what two have said, see `_turn`.

    Raises:
        InvalidInput: They are none.
    """
    listed: Sequence[object]
    if isinstance(messages, str):
        listed = _turn(messages) if turns else [messages]
    elif isinstance(messages, Mapping):
        listed = [cast('object', messages)]
    elif isinstance(messages, Sequence) and not isinstance(messages, bytes | bytearray):
        listed = cast('Sequence[object]', messages)
    else:
        raise InvalidInput(
            f'messages is {what_is(messages)}: pass text, a dict with role and content, or a list of these'
        )
    found: list[dict[str, Any]] = []
    for index, one in enumerate(listed):
        message = _message(one, index)
        content = message.get('content')
        if content is None or (isinstance(content, str) and not content.strip()):
            continue  # an answer of tool calls only, or an empty line at a prompt
        if without_words(content):
            raise InvalidInput(f'messages[{index}] has no text: {NOT_READ}')
        if beside_words(content):
            once(f'{NOT_READ}. Of messages with both, the text is kept')
        metadata_of(message.get('metadata'))
        found.append(message)
    return found


def _turn(text: str) -> list[object]:
    """A text, or the two messages that tutorials write into one: `User: ...` and, on a line below, `Assistant: ...`.

    Of more turns than one nobody can tell who said what: then it is one text, which quotes others.
    """
    told = text.strip()
    labels = list(islice(_LABEL.finditer(told), 3))
    if len(labels) != 2 or labels[0].start() or labels[0][1] is None or labels[1][2] is None:
        return [text]
    said, answer = told[labels[0].end() : labels[1].start()].strip(), told[labels[1].end() :].strip()
    return [{'role': 'user', 'content': said}, {'role': 'assistant', 'content': answer}]


def _message(one: object, index: int) -> dict[str, Any]:
    if isinstance(one, str):
        return {'role': 'user', 'content': one}
    if isinstance(one, Mapping):
        return {'role': 'user', **cast('Mapping[str, Any]', one)}
    role, content = getattr(one, 'role', None), getattr(one, 'content', None)
    if isinstance(role, str):  # a message object of a client, as chat loops append it
        return {'role': role, 'content': content}
    raise InvalidInput(f'messages[{index}] is {what_is(one)}: pass a dict with role and content')


def with_roles(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages to be stored as they are, each with a note of who said it; system prompts are nobody's words."""
    found: list[dict[str, Any]] = []
    for message in messages:
        role: object = message.get('role')
        if role in ('system', 'developer'):
            continue
        if not isinstance(role, str) or role not in _TIERS:
            raise InvalidInput(f'role={shown(role)} is unknown: use one of {", ".join(_TIERS)}, system')
        own: dict[str, Any] = {'role': role}
        if message.get('name'):
            own['actor_id'] = message['name']
        kept = {k: v for k, v in message.items() if k in ('content', 'name', 'timestamp')}
        # What somebody else said is no word of the user's, however it is stored.
        tier = {'trust': _TIERS[role]} if _TIERS[role] else {}
        found.append({**kept, **tier, 'role': 'user', 'metadata': {**(message.get('metadata') or {}), NOTED: own}})
    return found
