"""What callers pass, as the server takes it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from memoranda.checks import Keep, as_moment, check_text, storable
from memoranda.errors import InvalidFilter, InvalidInput, shown
from memoranda.filters import All, Any_, Compare, Filter, Not
from memoranda.scope import Scope

if TYPE_CHECKING:
    from memoranda.records import Trust
    from memoranda.write.messages import Message

__all__ = ['days', 'filters_told', 'given', 'header_key', 'ids_told', 'json_of', 'listed', 'moment', 'question', 'said']

MAX_CHARS: Final = 1_000_000
"""Of one message: the most that a server takes."""
_FITS: Final = re.compile(r'[!-~]{1,256}')
_KEY_CHARS: Final = 256


def json_of(body: object) -> bytes:
    """As JSON.

    Raises:
        InvalidInput: Something in it is no JSON.
    """
    try:
        return json.dumps(body, ensure_ascii=True, allow_nan=False, default=_moments).encode('ascii')
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f'what was passed can not be sent as JSON ({type(error).__name__}): use text, numbers, booleans, None, '
            'lists and dicts with text for keys'
        ) from None


def _moments(value: object) -> str:
    if isinstance(value, date):  # which a datetime is
        return as_moment(value, 'a moment').isoformat()
    raise TypeError


def given(**fields: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def listed(value: object) -> object:
    """A list of what may be any collection; text, which is none, stays for the server to refuse."""
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return list(cast('Iterable[object]', value))
    return value


def ids_told(scope: Scope | None) -> dict[str, Any]:
    """A scope as fields; None: everything that the key may see."""
    if scope is None:
        return {}
    if scope.is_global:
        return {'shared': True}
    return given(user_id=scope.user_id, agent_id=scope.agent_id, run_id=scope.run_id, app_id=scope.app_id)


def moment(name: str, value: object) -> str | None:
    """A moment as RFC 3339.

    Raises:
        InvalidInput: It is none.
    """
    return None if value is None or isinstance(value, Keep) else as_moment(value, name).isoformat()


def days(name: str, value: object) -> float | None:
    """A time span in days.

    Raises:
        InvalidInput: It is no time span.
    """
    if value is None:
        return None
    if not isinstance(value, timedelta) or value <= timedelta():
        raise InvalidInput(f'{name}={shown(value)} is no time span of more than 0: pass a timedelta')
    return value / timedelta(days=1)


def question(query: object) -> object:
    """What is asked, without what no wire can carry."""
    return storable(query) if isinstance(query, str) else query


def header_key(key: str | None) -> str | None:
    """An idempotency key as a header can carry it: one that can't stands there as its digest.

    Raises:
        InvalidInput: It is no text of 1 to 256 characters.
    """
    if key is None:
        return None
    text = check_text('idempotency_key', key, _KEY_CHARS)
    return text if _FITS.fullmatch(text) else f'blake2b:{hashlib.blake2b(text.encode(), digest_size=32).hexdigest()}'


def said(messages: object, trust: Trust | None) -> object:
    """Messages as the server takes them; None: nothing in them is anybody's word.

    Raises:
        InvalidInput: They are none.
    """
    from memoranda.write.messages import normalise
    from memoranda.write.trust import check_trust

    if trust is not None:
        check_trust(trust)
    found, is_list = normalise(messages, max_chars=MAX_CHARS, trust=trust)
    if not found:
        return None
    if isinstance(messages, str):
        return storable(messages)
    told = [_message(one) for one in found]
    return told if is_list else told[0]


def _message(message: Message) -> dict[str, Any]:
    return {
        'role': message.role,
        'content': message.text,
        **given(
            name=message.name,
            timestamp=None if message.at is None else message.at.isoformat(),
            trust=message.given,
            metadata=dict(message.metadata) or None,
        ),
    }


def filters_told(filters: Mapping[str, Any] | Filter | None) -> dict[str, Any] | None:
    """A filter as JSON; what is wrong with one that was written as a mapping, the server tells.

    Raises:
        InvalidFilter: It is no filter.
    """
    if filters is None:
        return None
    if isinstance(filters, Compare | All | Any_ | Not):
        return _tree(filters)
    if not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidFilter(f"filters={shown(filters)} is no mapping: write such as {{'kind': 'preference'}}")
    return {key: _operands(value) for key, value in filters.items()}


def _operands(value: object) -> object:
    if isinstance(value, Compare | All | Any_ | Not):
        return _tree(value)
    if isinstance(value, datetime | date):
        return as_moment(value, 'a moment of the filter').isoformat()
    if isinstance(value, Mapping):
        entries = cast('Mapping[str, object]', value)
        return {key: _operands(one) for key, one in entries.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_operands(one) for one in cast('Iterable[object]', value)]
    return value


def _tree(tree: Filter) -> dict[str, Any]:
    match tree:
        case All():
            return {'AND': [_tree(part) for part in tree.parts]}
        case Any_():
            return {'OR': [_tree(part) for part in tree.parts]}
        case Not():
            return {'NOT': _tree(tree.part)}
        case Compare():
            return {str(tree.field): {tree.op: _operands(tree.value)}}
