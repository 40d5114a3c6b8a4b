"""Who may do what: every request but those to public routes carries an API key, every route names the role it needs.

The key is looked at before anything of the body is read (`limits.py` and `gate.py`); a route then says which role it
needs, and is handed the `Caller`:

```python
@router.post('/v1/things')
async def add(body: Thing, caller: Annotated[Caller, needs('writer')]) -> ...:
    await caller.memory.add(body.text, user_id=caller.user(body.user_id))
```
"""

from dataclasses import dataclass
from typing import Any, Final, get_args

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from memoranda.keys import Role
from memoranda.memory import AsyncMemory
from memoranda.scope import Scope
from memoranda.server.problems import Problem

__all__ = ['ROLES', 'Caller', 'Role', 'allows', 'needs', 'public', 'role_of', 'still_in_force']

ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""Each may do what those before it may."""
_PUBLIC: Final = 'public'


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the key of a request."""

    key_id: str
    name: str
    project: str
    role: Role
    user_id: str | None
    """The key is for this person only."""
    memory: AsyncMemory
    """In the key's project, acting as `key:<name>`; bound to the person when the key is, else project-wide."""

    def check_all_projects(self) -> None:
        """Make sure that the key may know figures of all projects together.

        Raises:
            Problem: 403, it is of another project than the one the server is set to, or for one person.
        """
        if self.user_id is not None or self.project != self.memory.engine.settings.project:
            raise Problem(403, 'these figures are of all projects: ask with a key of the project this server is set to')

    def user(self, user_id: str | None) -> str | None:
        """The person that a call is about. A key that is for one person fills it in.

        Raises:
            Problem: 403, the key is for somebody else.
        """
        if self.user_id is None:
            return user_id
        if user_id is not None and user_id != self.user_id:
            raise Problem(403, 'this key is for another user: leave out user_id, or use a key of the project')
        return self.user_id

    def within(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> AsyncMemory:
        """A view bound to these ids, for calls that pass none themselves. A key for one person fills in that person.

        Without any id it is `memory`. What an agent or an app knows isn't that person's, so such a key can't name one.

        Raises:
            Problem: 403, the key is for somebody else, or for a person and an agent or app was named.
        """
        if self.user_id is not None and (agent_id is not None or app_id is not None):
            raise Problem(403, 'this key is for one user: leave out agent_id and app_id, or use a key of the project')
        scope = Scope(user_id=self.user(user_id), agent_id=agent_id, run_id=run_id, app_id=app_id)
        if scope.is_global:
            return self.memory
        return self.memory.scoped(scope)


def allows(held: Role, needed: Role) -> bool:
    """Whether a key of one role may do what needs another."""
    return ROLES.index(held) >= ROLES.index(needed)


def needs(role: Role) -> Any:
    """Let in callers of a role and those above it; others get 403.

    A route declares it as `caller: Annotated[Caller, needs('writer')]`.
    """
    if role not in ROLES:
        raise ValueError(f'role={role!r} is not one: use one of {", ".join(ROLES)}')

    async def authorised(request: Request) -> Caller:
        caller: Caller | None = request.scope.get('state', {}).get('caller')
        if caller is None:
            raise Problem(401)
        if not allows(caller.role, role):
            raise Problem(403, f'this key has the role {caller.role}: {role} is needed')
        return caller

    authorised.role = role  # type: ignore[attr-defined]
    return Depends(authorised)


async def still_in_force(request: Request) -> bool:
    """Whether the key that a request came with still opens: for answers that take long.

    Raises:
        StoreError: The storage doesn't tell.
    """
    return await request.scope['state']['still_in_force']()


def public() -> Any:
    """What a route declares that anybody may call, without a key: `dependencies=[public()]`.

    Its path has no parameter, and without a key its body is not read. `request.state.caller` is the `Caller` of a valid
    key, else None.
    """

    async def anybody() -> None:
        return None

    anybody.role = _PUBLIC  # type: ignore[attr-defined]
    return Depends(anybody)


def role_of(dependant: Dependant) -> str | None:
    """The role that a route needs, `'public'`, or None: it didn't say."""
    found: list[str] = []

    def look(one: Dependant) -> None:
        role = getattr(one.call, 'role', None)
        if isinstance(role, str):
            found.append(role)
        for inner in one.dependencies:
            look(inner)

    look(dependant)
    named = [role for role in found if role in ROLES]
    if named:
        return max(named, key=ROLES.index)
    return _PUBLIC if _PUBLIC in found else None
