"""Who asks: whose memory a call may touch, and what it may do there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from memoranda.errors import InvalidScope, shown
from memoranda.keys import ROLES, Role
from memoranda.scope import Scope

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.records import Trust

__all__ = ['NAMED', 'Principal']

NAMED: Final = ('user_id', 'agent_id')
"""The ids that a call may name, where they aren't fixed."""


async def _at_once() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever is behind a connection or a key."""

    memory: AsyncMemory
    """In the project, on whose account it reads and writes."""
    role: Role = 'writer'
    fixed: Mapping[str, str] | None = None
    """The ids that every call is about; None: each call names its own."""
    trust: Trust = 'tool'
    """The tier of what the model notes: its words, not the user's (docs/mcp.md)."""
    asks: bool = False
    """Whether the person at the client may be asked to approve a note, and to be believed to be that person."""
    local: bool = False
    """Whether errors may name files: the client and the storage are the same person's."""
    ready: Callable[[], Awaitable[None]] = field(default=_at_once, repr=False, compare=False)
    """Awaited before each call."""

    def may(self, role: Role) -> bool:
        """Whether it holds this role, or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def ids(self, named: Mapping[str, str | None]) -> dict[str, str]:
        """The ids that a call is about.

        Raises:
            InvalidScope: It names others than it may, or none where it has to.
        """
        given = {name: value for name in NAMED if (value := named.get(name)) is not None}
        if self.fixed is not None:
            for name, value in given.items():
                if value != self.fixed.get(name):
                    raise InvalidScope(
                        f'{name}={shown(value)} is not what this server is for: leave it out, its ids are fixed'
                    )
            return dict(self.fixed)
        if not given:
            raise InvalidScope('no id was given: pass user_id (whose memories), or agent_id for what an agent learnt')
        return given

    def view(self, ids: Mapping[str, str]) -> AsyncMemory:
        """The memory, bound to these ids."""
        return self.memory.scoped(Scope(**ids))

    def own(self, ids: Mapping[str, str]) -> AsyncMemory:
        """The same for changes by id: what an agent shares with others isn't one user's to change."""
        return self.view({'user_id': ids['user_id']} if 'user_id' in ids else ids)
