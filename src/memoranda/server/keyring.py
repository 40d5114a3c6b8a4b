"""Who holds an API key, for the gate and the sessions of the console."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from memoranda.errors import StoreError
from memoranda.keys import ApiKey, NewKey, changes, digest_of, well_formed
from memoranda.records import now
from memoranda.scope import Scope
from memoranda.server.access import Caller

if TYPE_CHECKING:
    from typing import Self

    from memoranda.memory import AsyncMemory

__all__ = ['Keys']

log = logging.getLogger('memoranda.server')

_LONGEST: Final = 200
_KNOWN: Final = 4096
"""Keys that are remembered, and as many that nobody holds."""
_KNOWN_SECONDS: Final = 2.0
_WRITE_SECONDS: Final = 60.0
_USE_EVERY: Final = timedelta(minutes=1)
_Holder: TypeAlias = tuple[Caller, ApiKey]
_Remembered: TypeAlias = OrderedDict[bytes, tuple[float, _Holder | None]]
"""Until when, and who it is."""


class Keys:
    """Who holds a key: those of this process, then those that are stored.

    A stored key is looked up once in two seconds: for so long one that was revoked elsewhere may still open. One that
    was revoked in this process is let in no more at once. A key that nobody holds is looked up no more often; one that
    is made in this process opens at once. When keys were last used is written once a minute, and when the server ends.

    Args:
        memory: Where keys are stored.
        here: Keys of this process only, that are stored nowhere.
        clock: Seconds, for tests.
    """

    def __init__(
        self, memory: AsyncMemory, here: Iterable[NewKey] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory = memory
        self._here = [(one.digest, one.key) for one in here]
        self._clock = clock
        # Apart, so that whoever makes up keys drives out none that somebody holds.
        self._known = _Remembered()
        self._nobody = _Remembered()
        self._seen = changes()
        self._used: dict[str, datetime] = {}
        self._ending = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write_now_and_then())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        if self._writing is not None:
            await self._writing

    async def caller(self, secret: str) -> Caller | None:
        """Who holds a key; None: nobody does, or it has expired or was revoked.

        Raises:
            StoreError: The storage doesn't tell.
        """
        if len(secret) > _LONGEST or not well_formed(secret):
            return None
        return await self.holder(digest_of(secret))

    async def holder(self, digest: bytes) -> Caller | None:
        """Who holds the key of a SHA-256; None: nobody does, or it has expired or was revoked.

        Raises:
            StoreError: The storage doesn't tell.
        """
        at = now()
        held = self._of_here(digest)
        if held is not None:
            return self._as_caller(held) if held.in_force(at) else None
        remembered = self._cached(digest)
        found = await self._looked_up(digest) if remembered is None else remembered[1]
        if found is None or not found[1].in_force(at):
            return None
        caller, key = found
        if key.last_used_at is None or at - key.last_used_at > _USE_EVERY:
            self._used[key.id] = at
        return caller

    def _of_here(self, digest: bytes) -> ApiKey | None:
        found: ApiKey | None = None
        for known, key in self._here:
            if hmac.compare_digest(known, digest):
                found = key
        return found

    def _cached(self, digest: bytes) -> tuple[float, _Holder | None] | None:
        if self._seen != (seen := changes()):  # a key was made or ended in this process
            self._seen = seen
            self._known.clear()
            self._nobody.clear()
        found = self._known.get(digest) or self._nobody.get(digest)
        return None if found is None or self._clock() >= found[0] else found

    async def _looked_up(self, digest: bytes) -> _Holder | None:
        seen, until = changes(), self._clock() + _KNOWN_SECONDS
        found = await self._memory.engine.store.key_by_digest(digest)
        holder: _Holder | None = None
        if found is not None and hmac.compare_digest(found[1], digest):
            holder = self._as_caller(found[0]), found[0]
        if seen == changes():
            self._known.pop(digest, None)
            remembered = self._nobody if holder is None else self._known
            remembered[digest] = until, holder
            if len(remembered) > _KNOWN:
                remembered.popitem(last=False)
        return holder

    def _as_caller(self, key: ApiKey) -> Caller:
        acting = self._memory.in_project(key.project).acting_as(f'key:{key.name}')
        memory = acting.project_wide() if key.user_id is None else acting.scoped(Scope(user_id=key.user_id))
        return Caller(
            key_id=key.id, name=key.name, project=key.project, role=key.role, user_id=key.user_id, memory=memory
        )

    async def _write_now_and_then(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _WRITE_SECONDS)
            used, self._used = self._used, {}
            if used:
                try:
                    await self._memory.engine.store.note_key_uses(used)
                except StoreError as error:
                    log.debug('when keys were used could not be written (%s)', type(error).__name__)
