"""`memory.keys`: the API keys of a project, by which a server knows who asks (docs/server.md)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from memoranda._bridge import run
from memoranda.checks import as_moment, check_text
from memoranda.errors import InvalidInput, KeyNotFound, shown
from memoranda.records import new_id, now
from memoranda.scope import Scope, check_project
from memoranda.stores.apikeys import ROLES, ApiKey, Role

if TYPE_CHECKING:
    from memoranda.checks import Moments
    from memoranda.engine import Engine

__all__ = [
    'ROLES',
    'ApiKey',
    'BlockingKeyRing',
    'KeyRing',
    'NewKey',
    'Role',
    'changes',
    'digest_of',
    'make_key',
    'make_key_of',
    'note_changed',
    'well_formed',
]

PREFIX: Final = 'memoranda_'
_ALPHABET: Final = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
_SECRET_CHARS: Final = 43
"""256 bits in base 62."""
_CHECK_CHARS: Final = 6
"""32 bits in base 62."""
_SHAPE: Final = re.compile(f'{PREFIX}[0-9A-Za-z]{{{_SECRET_CHARS + _CHECK_CHARS}}}')
_NAME: Final = re.compile(r'[\w][\w .@:/+-]{0,98}[\w]|\w')
MAX_NAME: Final = 100
_changes = 0


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. Its secret is told here and nowhere else."""

    key: ApiKey
    secret: str = field(repr=False)
    """What a client sends. Only its SHA-256 is kept."""

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the secret, 32 bytes."""
        return digest_of(self.secret)


def make_key(
    project: str,
    *,
    name: str,
    role: Role,
    user_id: str | None = None,
    expires_at: Moments = None,
    created_by: str = 'user',
    replaces: str | None = None,
) -> NewKey:
    """Make a key without storing it.

    Raises:
        InvalidInput: A role that doesn't exist, a name that is none, a date in the past.
    """
    if role not in ROLES:
        raise InvalidInput(f'role={shown(role)} is not a role: use one of {", ".join(ROLES)}')
    if not _NAME.fullmatch(check_text('name', name, MAX_NAME)):
        raise InvalidInput(
            f'name={shown(name)} is not a name of a key: use up to {MAX_NAME} letters, digits, spaces and . _ - @ : / '
            '+, beginning and ending with a letter or digit'
        )
    at = now()
    until = None if expires_at is None else as_moment(expires_at, 'expires_at')
    if until is not None and until <= at:
        raise InvalidInput(f'expires_at={until.isoformat()} has passed: name a moment to come, or leave it out')
    return _made(_secret(), project, name, role, user_id, at, until, created_by, replaces)


def make_key_of(secret: str, project: str, *, name: str, role: Role, user_id: str | None = None) -> NewKey:
    """A key whose secret is there already, for a process that is handed its keys.

    Raises:
        InvalidInput: The secret isn't one that `make_key` made.
    """
    if not well_formed(secret):
        raise InvalidInput('the secret is not one of an API key: take one that make_key made')
    return _made(secret, project, name, role, user_id, now(), None, 'caller', None)


def _made(
    secret: str,
    project: str,
    name: str,
    role: Role,
    user_id: str | None,
    at: datetime,
    until: datetime | None,
    created_by: str,
    replaces: str | None,
) -> NewKey:
    key = ApiKey(
        id=new_id(),
        project=check_project(project),
        name=name,
        role=role,
        user_id=None if user_id is None else Scope(user_id=user_id).user_id,
        hint=secret[-4:],
        created_at=at,
        created_by=created_by,
        expires_at=until,
        replaces=replaces,
    )
    return NewKey(key, secret)


def changes() -> int:
    """A number that grows when a key is made or ended in this process, for those who remember keys."""
    return _changes


def note_changed() -> None:
    """Tell those who remember keys that some may be new, revoked, rotated, or gone with an erased user."""
    global _changes
    _changes += 1


def digest_of(secret: str) -> bytes:
    """What is stored of a key: its SHA-256. A slow hash would add nothing, for a secret of 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def well_formed(text: str) -> bool:
    """Whether it can be a key of ours: shape and checksum. It saves asking the storage about anything else."""
    if not _SHAPE.fullmatch(text):
        return False
    body, check = text[:-_CHECK_CHARS], text[-_CHECK_CHARS:]
    return hmac.compare_digest(_checksum(body), check)


def _secret() -> str:
    body = PREFIX + _base62(int.from_bytes(secrets.token_bytes(32)), _SECRET_CHARS)
    return body + _checksum(body)


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_CHARS)


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return ''.join(reversed(digits))


MAX_OVERLAP: Final = 365 * 24 * 3600.0


class KeyRing:
    """The API keys of a project. Got as `keys` of an `AsyncMemory`; each change is in the audit chain of the project.

    A change takes effect at once in this process, and within two seconds in servers that run elsewhere.
    """

    def __init__(self, engine: Engine, *, project: str, actor: str, why: str) -> None:
        self._engine, self._project = engine, project
        self._actor, self._why = actor, why

    async def create(
        self,
        name: str,
        *,
        role: Role = 'reader',
        user_id: str | None = None,
        expires_at: Moments = None,
    ) -> NewKey:
        """Make a key.

        Args:
            name: What it is for; what is done with it is done by `key:<name>`. Unique among the keys in force.
            role: What it may do.
            user_id: The only person it reaches.
            expires_at: Until when it is in force.

        Returns:
            The key with its secret, which is told here and nowhere else.

        Raises:
            InvalidInput: A role that doesn't exist, a name that is none, a date in the past.
            Conflict: A key of that name is in force.
        """
        made = make_key(
            self._project, name=name, role=role, user_id=user_id, expires_at=expires_at, created_by=self._actor
        )
        await self._engine.store.add_key(made.key, made.digest, reason=self._why)
        note_changed()
        return made

    async def list(self, *, include_ended: bool = False) -> list[ApiKey]:
        """The keys, the latest first.

        Args:
            include_ended: Also those that were revoked or have expired.
        """
        at = now()
        found = await self._engine.store.keys(self._project)
        return [key for key in found if include_ended or key.in_force(at)]

    async def get(self, key_id: str) -> ApiKey:
        """One key.

        Raises:
            KeyNotFound: There is none of this id in this project.
        """
        for key in await self._engine.store.keys(self._project):
            if key.id == key_id:
                return key
        raise _missing(key_id)

    async def revoke(self, key_id: str) -> ApiKey:
        """End a key. One that ended before stays as it is.

        Raises:
            KeyNotFound: There is none of this id in this project.
        """
        found = await self._engine.store.revoke_key(
            check_text('key_id', key_id, 256), project=self._project, at=now(), actor=self._actor, reason=self._why
        )
        note_changed()
        if found is None:
            raise _missing(key_id)
        return found

    async def rotate(self, key_id: str, *, overlap_seconds: float = 0.0, expires_at: Moments = None) -> NewKey:
        """Make a key in the place of another one: with its name, its role and its user.

        Args:
            key_id: The other one.
            overlap_seconds: How long the other one stays in force, at most a year; 0: no longer.
            expires_at: Until when the new one is in force; by default as long as the other one was made for.

        Raises:
            KeyNotFound: There is no such key in this project, or it has ended.
            InvalidInput: A time that can't be used.
        """
        if isinstance(overlap_seconds, bool) or not 0 <= overlap_seconds <= MAX_OVERLAP:
            raise InvalidInput(
                f'overlap_seconds={shown(overlap_seconds)} is not a time to overlap: pass 0 to {MAX_OVERLAP:g} seconds'
            )
        old = await self.get(key_id)
        at = now()
        if not old.in_force(at):
            raise KeyNotFound(f'key {shown(key_id)} has ended: make a new one with keys.create')
        if expires_at is None and old.expires_at is not None:
            expires_at = at + (old.expires_at - old.created_at)
        made = make_key(
            self._project,
            name=old.name,
            role=old.role,
            user_id=old.user_id,
            expires_at=expires_at,
            created_by=self._actor,
            replaces=old.id,
        )
        until = made.key.created_at + timedelta(seconds=overlap_seconds) if overlap_seconds else None
        if not await self._engine.store.rotate_key(old.id, made.key, made.digest, until=until, reason=self._why):
            raise KeyNotFound(f'key {shown(key_id)} has ended meanwhile: make a new one with keys.create')
        note_changed()
        return made

    async def any_in_force(self) -> bool:
        """Whether any project of this storage has a key in force."""
        at = now()
        return any(key.in_force(at) for key in await self._engine.store.keys(None))


class BlockingKeyRing:
    """A `KeyRing` for code without an event loop. Got as `keys` of a `Memory`."""

    def __init__(self, ring: KeyRing) -> None:
        self.aio = ring
        """The key ring this one delegates to."""

    def create(
        self, name: str, *, role: Role = 'reader', user_id: str | None = None, expires_at: Moments = None
    ) -> NewKey:
        """Make a key. Arguments are those of `KeyRing.create`."""
        return run(self.aio.create(name, role=role, user_id=user_id, expires_at=expires_at))

    def list(self, *, include_ended: bool = False) -> list[ApiKey]:
        """The keys, the latest first."""
        return run(self.aio.list(include_ended=include_ended))

    def get(self, key_id: str) -> ApiKey:
        """One key."""
        return run(self.aio.get(key_id))

    def revoke(self, key_id: str) -> ApiKey:
        """End a key."""
        return run(self.aio.revoke(key_id))

    def rotate(self, key_id: str, *, overlap_seconds: float = 0.0, expires_at: Moments = None) -> NewKey:
        """Make a key in the place of another one. Arguments are those of `KeyRing.rotate`."""
        return run(self.aio.rotate(key_id, overlap_seconds=overlap_seconds, expires_at=expires_at))

    def any_in_force(self) -> bool:
        """Whether any project of this storage has a key in force."""
        return run(self.aio.any_in_force())


def _missing(key_id: object) -> KeyNotFound:
    return KeyNotFound(f'key {shown(key_id)} does not exist in this project: keys.list shows them')
