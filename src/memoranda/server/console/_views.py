"""Views of a listing that somebody saved: a name and a query string, kept in a cookie of the browser.

Not in the database: a view may name a person, and what names one there has to go when the person is forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from memoranda.server.console.page import Viewer

__all__ = ['MOST', 'SavedView', 'keep', 'named', 'saved']

MOST: Final = 20
MOST_CHARS: Final = 3_400
"""Of the cookie: browsers keep 4,096 bytes, its name and attributes among them."""
NAME_CHARS: Final = 60
PATH: Final = '/console/memories'
_YEAR: Final = 365 * 86_400
_UNFIT: Final = re.compile('[\x00-\x1f\x7f\ud800-\udfff]')


@dataclass(frozen=True, slots=True)
class SavedView:
    """One of them."""

    name: str
    query: str
    """Of the listing, without a question mark."""

    @property
    def asked(self) -> Mapping[str, str]:
        """The parameters."""
        return dict(parse_qsl(self.query))


def saved(request: Request, who: Viewer, fields: Sequence[str]) -> list[SavedView]:
    """Those of a key in this browser. What isn't one of ours is left out.

    Args:
        request: Brings the cookie.
        who: Whose.
        fields: The parameters that a listing knows.
    """
    try:
        read: Any = json.loads(base64.urlsafe_b64decode(request.cookies.get(_cookie(who), '')))
    except (ValueError, RecursionError):
        return []
    found: list[SavedView] = []
    for one in cast('list[Any]', read)[:MOST] if isinstance(read, list) else []:
        match one:
            case [str(name), str(query)] if name and len(name) <= NAME_CHARS and not _UNFIT.search(name):
                found.append(SavedView(name, _only(query, fields)))
            case _:
                continue
    return found


def named(name: str, query: str, fields: Sequence[str]) -> SavedView:
    """A view from what somebody typed.

    Raises:
        ValueError: The name can't be used; the words are for the person.
    """
    name = name.strip()
    if not name or len(name) > NAME_CHARS or _UNFIT.search(name):
        raise ValueError(f'A name of 1 to {NAME_CHARS} characters is needed.')
    return SavedView(name, _only(query, fields))


def keep(response: Response, who: Viewer, views: Sequence[SavedView]) -> None:
    """Let the browser keep these.

    Raises:
        ValueError: They are too many; the words are for the person.
    """
    value = base64.urlsafe_b64encode(json.dumps([[v.name, v.query] for v in views]).encode()).decode()
    if len(views) > MOST or len(value) > MOST_CHARS:
        raise ValueError('There is no room for another view in this browser: delete one first.')
    response.set_cookie(
        _cookie(who), value, max_age=_YEAR, path=PATH, httponly=True, samesite='strict',
        secure=who.session is not None and who.session.secure,
    )  # fmt: skip


def _only(query: str, fields: Sequence[str]) -> str:
    return urlencode([(name, value) for name, value in parse_qsl(query[:2_000]) if name in fields])


def _cookie(who: Viewer) -> str:
    """Of each key its own: what one of them asks for is not for another that signs in here."""
    return f'memoranda_views_{hashlib.sha256(who.caller.key_id.encode()).hexdigest()[:12]}'
