"""The places of the console: in which order, under which key, for whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from memoranda.server.access import allows

if TYPE_CHECKING:
    from memoranda.server.access import Caller, Role

__all__ = ['PLACES', 'Place', 'modules', 'places']


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation."""

    name: str
    title: str
    path: str
    key: str
    """After `g`, it leads there."""
    role: Role
    whole_project: bool
    """Not for keys of one user."""


PLACES: Final = (
    Place('overview', 'Overview', '/console', 'o', 'reader', True),
    Place('memories', 'Memories', '/console/memories', 'm', 'reader', False),
    Place('playground', 'Recall', '/console/playground', 't', 'reader', False),
    Place('review', 'Review', '/console/review', 'r', 'reviewer', False),
    Place('people', 'People', '/console/people', 'p', 'reader', True),
    Place('conflicts', 'Conflicts', '/console/conflicts', 'c', 'reader', True),
    Place('audit', 'Audit', '/console/audit', 'a', 'admin', True),
    Place('jobs', 'Jobs', '/console/jobs', 'j', 'reader', False),
    Place('settings', 'Settings', '/console/settings', 's', 'admin', True),
)
_PAGES: Final = (*(place.name for place in PLACES), 'memory')


@cache
def modules() -> tuple[str, ...]:
    """The names of the pages that are there."""
    found = (f'memoranda.server.console.{name}' for name in _PAGES)
    return tuple(name for name in found if find_spec(name) is not None)


def places(caller: Caller) -> list[Place]:
    """Where somebody may go."""
    there = {name.rpartition('.')[2] for name in modules()}
    return [
        place
        for place in PLACES
        if place.name in there
        and allows(caller.role, place.role)
        and not (place.whole_project and caller.user_id is not None)
    ]
