"""API keys, as a store keeps them. What makes and checks them is `memoranda.keys`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

__all__ = ['ROLES', 'ApiKey', 'Role']

Role = Literal['reader', 'writer', 'reviewer', 'admin']
"""What a key may do; each may do what those before it may.

- `reader`: search and read
- `writer`: add, update, delete, forget
- `reviewer`: decide what waits for a person, revert changes
- `admin`: everything in its project, exports, erasures and audit included
"""
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key, without its secret, which nobody has but its holder."""

    id: str
    project: str
    name: str
    """Unique among the keys of a project that are in force, but for one that is being replaced."""
    role: Role
    user_id: str | None
    """The only person it reaches; None: everybody in the project."""
    hint: str
    """The last characters of the key, to tell it from others."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """Within a minute or so."""
    replaces: str | None = None
    """The id of the key that it was made for by rotation."""

    def in_force(self, at: datetime) -> bool:
        """Whether it opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)
