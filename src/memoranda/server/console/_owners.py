"""Whose page it is: a user, an agent, an app, a conversation without a user, or what all share."""

from typing import Annotated, Any, Final, Literal, get_args

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from memoranda.memory import AsyncMemory
from memoranda.scope import Scope
from memoranda.server.console._rendering import href, pieces, segment
from memoranda.server.console.page import Viewer
from memoranda.server.problems import Problem

__all__ = ['KINDS', 'Key', 'Kind', 'Whose', 'check_end', 'shown_as']

Kind = Literal['user', 'agent', 'app', 'run', 'global']
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
NAMES: Final = {'user': 'person', 'agent': 'agent', 'app': 'app', 'run': 'conversation', 'global': 'shared memory'}

Key = Annotated[str, Path(min_length=1, max_length=256)]


class Whose(BaseModel):
    """An owner, as a query string names it."""

    kind: Kind = 'user'
    id: str = Field('', max_length=256)

    @property
    def name(self) -> str:
        """The sort, in a word for people."""
        return NAMES[self.kind]

    @property
    def sort(self) -> str | None:
        """The kind, where a URL has to name it."""
        return None if self.kind == 'user' else self.kind

    def path(self, **query: Any) -> str:
        """Its page."""
        return href(f'/console/people/{segment(self.id or "shared")}', kind=self.sort, **query)

    def link(self, path: str, **query: Any) -> str:
        """Another page about it."""
        return href(path, kind=self.sort, id=self.id, **query)

    def view(self, who: Viewer) -> AsyncMemory:
        """The memory within it.

        Raises:
            Problem: 403, it is not for this key; 404, no id was given.
        """
        if self.kind == 'global':
            if who.only is not None:
                raise Problem(403, 'this key is for one user, and this is what all share: use a key of the project')
            return who.memory.scoped(Scope.GLOBAL)
        if not self.id:
            raise Problem(404, 'nobody was named: open a person from the list')
        if self.kind == 'run' and who.only is not None:
            raise Problem(403, 'this key is for one user: conversations of nobody are not for it')
        return who.caller.within(**{f'{self.kind}_id': self.id})


WhoseAsked = Annotated[Whose, Query()]


def shown_as(value: str) -> str:
    """An id as a page shows it: signs that are not seen are named in brackets, so that it can be typed."""
    return ''.join(f'[{piece.odd}]' if piece.odd else piece.text for piece in pieces(value, None))


def check_end(request: Request) -> None:
    """Refuse a path with a slash at its end: it would name somebody else, of whom nothing is held.

    Raises:
        Problem: 404. A slash that belongs to an id is sent as `%2F`.
    """
    if request.scope.get('raw_path', request.scope['path'].encode()).partition(b'?')[0].endswith(b'/'):
        raise Problem(404, 'paths end without a slash here')
