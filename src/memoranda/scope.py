"""Scope: whose memories an operation touches, and where those memories live."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from memoranda.errors import InvalidScope, shown, what_is

__all__ = ['Erasure', 'Level', 'Owner', 'OwnerKind', 'Reach', 'Scope']

Level = Literal['user', 'run', 'agent', 'app', 'global']
"""Which ids a memory is stored under.

- `user`: (user_id), known in every conversation with that user
- `run`: (user_id, run_id), or (run_id) when nobody is named; known in that conversation only
- `agent`: (agent_id), what an agent learnt for itself
- `app`: (app_id), shared by an application
- `global`: no id, shared by the project
"""
OwnerKind = Literal['user', 'run', 'agent', 'app', 'global']

MAX_ID_LENGTH = 256
_UNFIT = re.compile('[\x00-\x1f\x7f\ud800-\udfff]')
_FIELDS = ('user_id', 'agent_id', 'run_id', 'app_id')


@dataclass(frozen=True, slots=True)
class Owner:
    """The physical home of rows: one per (project, user), (project, agent), ...

    A user's run-level rows live with the user.
    """

    project: str
    kind: OwnerKind
    key: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What a read may see of one owner."""

    owner: Owner
    runs: tuple[str, ...] | None = None
    """Which of the owner's run levels may be read; None: all of them."""
    own: bool = True
    """Whether the owner's own level may be read."""

    def sees(self, run_key: str) -> bool:
        """Whether rows with this run key (empty: the owner's own level) may be read."""
        return self.own if not run_key else self.runs is None or run_key in self.runs


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure removes: everything of an owner, or the part said under a run, an agent or an app."""

    owner: Owner
    run_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    actor: str = 'user'
    """On whose account."""

    @property
    def whole(self) -> bool:
        """Whether the owner goes altogether."""
        return self.run_id is None and self.agent_id is None and self.app_id is None


@dataclass(frozen=True, slots=True)
class Scope:
    """The ids an operation is bound to. At least one is needed, unless it is `Scope.GLOBAL`.

    An id is any text without surrounding white space or control characters, up to 256 characters; it is
    compared exactly and no character is a wildcard (`'*'` is refused because other systems read it as one).
    """

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None

    GLOBAL: ClassVar[Scope]

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            if value is not None:
                _check_id(name, value)

    @property
    def is_global(self) -> bool:
        """Whether no id is set."""
        return self.user_id is None and self.agent_id is None and self.run_id is None and self.app_id is None

    def home(self, project: str) -> Owner:
        """The owner that what is said under this scope belongs to.

        A named user comes first. Without a user a run is its own owner, so that what an anonymous visitor says
        never becomes something the agent knows about everybody; then the agent, then the app.
        """
        if self.user_id is not None:
            return Owner(project, 'user', self.user_id)
        if self.run_id is not None:
            return Owner(project, 'run', self.run_id)
        if self.agent_id is not None:
            return Owner(project, 'agent', self.agent_id)
        if self.app_id is not None:
            return Owner(project, 'app', self.app_id)
        return Owner(project, 'global', '')

    @property
    def home_level(self) -> Level:
        """The level a fact gets when nothing says otherwise."""
        return self.home('').kind

    def run_key(self, level: Level) -> str:
        """The run part of a memory's identity inside its owner: the run id at a user's run level, else empty."""
        return self.run_id or '' if level == 'run' and self.user_id is not None else ''

    def reaches(self, project: str, *, levels: tuple[Level, ...] | None = None, shared: bool = False) -> list[Reach]:
        """The owners a read under this scope sees, most personal first.

        Args:
            project: The tenant.
            levels: Only these levels; by default every level the ids name.
            shared: Also read the project's global level (what recall for an agent does).
        """
        wanted = set(levels) if levels is not None else {'user', 'run', 'agent', 'app', 'global'}
        reaches: list[Reach] = []
        if self.user_id is not None:
            runs = () if 'run' not in wanted else None if self.run_id is None else (self.run_id,)
            if 'user' in wanted or 'run' in wanted:
                reaches.append(Reach(Owner(project, 'user', self.user_id), runs, own='user' in wanted))
        elif self.run_id is not None and 'run' in wanted:
            reaches.append(Reach(Owner(project, 'run', self.run_id)))
        if self.agent_id is not None and 'agent' in wanted:
            reaches.append(Reach(Owner(project, 'agent', self.agent_id)))
        if self.app_id is not None and 'app' in wanted:
            reaches.append(Reach(Owner(project, 'app', self.app_id)))
        if (shared or self.is_global) and 'global' in wanted:
            reaches.append(Reach(Owner(project, 'global', '')))
        return reaches

    def erasure(self, project: str) -> Erasure:
        """What `delete_all` under this scope removes: one owner, narrowed by the further ids."""
        owner = self.home(project)
        return Erasure(
            owner,
            run_id=self.run_id if owner.kind != 'run' else None,
            agent_id=self.agent_id if owner.kind != 'agent' else None,
            app_id=self.app_id if owner.kind != 'app' else None,
        )


Scope.GLOBAL = Scope()


def check_project(value: object) -> str:
    """A project name, checked like an id."""
    return _check_id('project', value)


def check_scope(value: object) -> Scope:
    """A scope, checked to be one."""
    if not isinstance(value, Scope):
        raise InvalidScope(f'scope={shown(value)} is {what_is(value)}: pass Scope(user_id=...)')
    return value


def _check_id(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidScope(f'{name}={shown(value)} is {what_is(value)}, and an id is text: pass {name}=str(...)')
    if not value or value.strip() != value:
        problem = 'is empty' if not value.strip() else 'has white space around it'
        raise InvalidScope(f'{name}={shown(value)} {problem}: pass the id itself, or leave {name} out')
    if len(value) > MAX_ID_LENGTH:
        raise InvalidScope(
            f'{name} has {len(value)} characters ({value[:20]!r}...), and an id has at most {MAX_ID_LENGTH}: '
            'pass a shorter one, for example a hash of it'
        )
    if value == '*':
        raise InvalidScope(f"{name}='*' is not an id and nothing here is a wildcard: name one {name}")
    if _UNFIT.search(value):
        raise InvalidScope(f'{name}={shown(value)} has control characters or half a surrogate pair in it: remove them')
    return value
