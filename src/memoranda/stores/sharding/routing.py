"""Finding the shard: for an owner, for an id that any of them may hold, and for what concerns all of them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from memoranda._bridge import Errand
from memoranda.errors import ConfigurationError, StoreError
from memoranda.scope import Owner, Reach
from memoranda.stores.base import Store
from memoranda.stores.generation import Generation
from memoranda.stores.sharding.placement import MAX_SHARDS, Membership, place

if TYPE_CHECKING:
    from memoranda.stores.sql.store import SqlStore

__all__ = ['Routing', 'together']

T = TypeVar('T')
log = logging.getLogger('memoranda.stores')


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | StoreError]:
    """What each gives, or the `StoreError` it raised. All are begun before the first is waited for."""
    errands = [Errand(coroutine) for coroutine in coroutines]
    results: list[T | StoreError] = []
    try:
        for errand in errands:
            await errand.wait(None)
            try:
                results.append(errand.done.result())
            except StoreError as error:
                results.append(error)
    except BaseException:
        for errand in errands[len(results) :]:
            if not errand.done.done():
                errand.cancel()
        raise
    return results


class Routing(Store):
    """The shards, each checked to be what it is named as before it is used.

    Args:
        shards: In the order they were made in. Each holds nothing but its share.

    Raises:
        ConfigurationError: There is none, there are too many, or one is named twice.
    """

    def __init__(self, shards: Sequence[SqlStore]) -> None:
        if not shards or len(shards) > MAX_SHARDS:
            raise ConfigurationError(f'shards: {len(shards)} were named, and there can be 1 to {MAX_SHARDS}')
        places = [shard.location for shard in shards]
        for location in places:
            if places.count(location) > 1 and location != ':memory:':
                raise ConfigurationError(f'shards: {location} is named twice: name each database once')
        self._shards = tuple(shards)
        self._group: str | None = None
        self._checked: set[int] = set()
        self._lost: set[int] = set()
        self._numbers: dict[tuple[int, int], int] = {}
        """Of generations: by shard, and by the number in the first one."""

    @property
    def location(self) -> str:
        """The locations of all shards."""
        return ' '.join(shard.location for shard in self._shards)

    async def open(self) -> None:
        """Open all shards. One that can't be reached is tried again when it is needed."""
        await self._anywhere(lambda shard: shard.open())

    async def close(self) -> None:
        """Close all shards."""
        self._checked.clear()
        self._group = None
        for shard in self._shards:
            await shard.close()

    async def _ready(self, number: int) -> SqlStore:
        """A shard, checked to be this one of these."""
        if number in self._checked:
            return self._shards[number]
        if not self._checked:  # all of them, the first time: what is named wrongly shows at once
            await together(self._check(other) for other in range(len(self._shards)) if other != number)
        return await self._check(number)

    async def _check(self, number: int) -> SqlStore:
        shard = self._shards[number]
        await shard.open()
        held = await shard.group()
        if held is None:
            held = await self._admit(number)
        group, position, count = held
        if (position, count) != (number, len(self._shards)) or self._group not in (None, group):
            raise ConfigurationError(
                f'{shard.location} is shard {position} of {count} (group {group}), and was named as shard {number} of '
                f'{len(self._shards)} (group {self._group or group}): name all shards, in the order they were made in'
            )
        self._group = group
        self._checked.add(number)
        return shard

    async def _admit(self, number: int) -> tuple[str, int, int]:
        """Make all shards of new databases at once: only while none of them holds anything.

        A shard that is empty beside others that are not is no new one: somebody lost what it held.
        """
        count = len(self._shards)
        for other in self._shards:
            await other.open()
        secret = await self._shards[0].secret()
        group = hashlib.sha256(b'memoranda shards' + secret).hexdigest()[:16]
        filled = [other for other in self._shards if await other.chains(None, project=None, limit=1)]
        held = await self._shards[number].group()
        if held is not None:  # another process was faster
            return held
        for other in filled:
            if await other.group() is not None:
                raise ConfigurationError(
                    f'{self._shards[number].location} is no shard yet, and {other.location} holds memories already: '
                    'restore the database that was there from its backup, or name the place it was moved to'
                )
        for position, shard in sorted(enumerate(self._shards), key=lambda pair: pair[1] not in filled):
            await shard.join(Membership(group, position, count, secret))
        return group, number, count

    async def _of(self, owner: Owner) -> SqlStore:
        return await self._ready(place(owner, len(self._shards)))

    async def _call(self, number: int, function: Callable[[SqlStore], Awaitable[T]]) -> T:
        return await function(await self._ready(number))

    async def _everywhere(self, function: Callable[[SqlStore], Awaitable[T]]) -> list[T]:
        """What each shard gives. One that fails fails all: a part of the answer would pass for the whole."""
        results = await together(self._call(n, function) for n in range(len(self._shards)))
        self._note(dict(enumerate(results)))
        for result in results:
            if isinstance(result, StoreError):
                raise result
        return [result for result in results if not isinstance(result, StoreError)]

    async def _anywhere(self, function: Callable[[SqlStore], Awaitable[T]]) -> list[T]:
        """What those shards give that can be reached. The rest goes on without the others."""
        results = await together(self._call(n, function) for n in range(len(self._shards)))
        return self._reached(dict(enumerate(results)))

    async def _find(self, function: Callable[[SqlStore], Awaitable[T | None]]) -> T | None:
        """What the shard gives that has it. When none has, a shard that can't be asked is an error: it might."""
        results = await together(self._call(n, function) for n in range(len(self._shards)))
        self._note(dict(enumerate(results)))
        failed: StoreError | None = None
        for result in results:
            if isinstance(result, StoreError):
                failed = failed or result
            elif result is not None:
                return result
        if failed is not None:
            raise failed
        return None

    def _reached(self, results: Mapping[int, T | StoreError]) -> list[T]:
        self._note(results)
        reached = [result for result in results.values() if not isinstance(result, StoreError)]
        errors = [result for result in results.values() if isinstance(result, StoreError)]
        if errors and not reached:
            raise errors[0]
        return reached

    def _note(self, results: Mapping[int, object]) -> None:
        """One warning for each time a shard is lost, and one line when it is back."""
        for number, result in results.items():
            if isinstance(result, StoreError) and number not in self._lost:
                self._lost.add(number)
                log.warning('shard %d of %d fails: %s', number, len(self._shards), result)
            elif not isinstance(result, StoreError) and number in self._lost:
                self._lost.discard(number)
                log.info('shard %d of %d answers again', number, len(self._shards))

    def _split(self, reaches: Sequence[Reach]) -> dict[int, list[Reach]]:
        """Reaches by shard, in their order."""
        parts: dict[int, list[Reach]] = {}
        for reach in reaches:
            parts.setdefault(place(reach.owner, len(self._shards)), []).append(reach)
        return parts

    async def _over(
        self, reaches: Sequence[Reach], function: Callable[[SqlStore, Sequence[Reach]], Awaitable[T]]
    ) -> list[T]:
        """What each shard gives of its part of the reaches."""
        parts = self._split(reaches)

        async def ask(number: int) -> T:
            return await function(await self._ready(number), parts[number])

        results = await together(ask(number) for number in parts)
        self._note(dict(zip(parts, results, strict=True)))
        for result in results:
            if isinstance(result, StoreError):
                raise result
        return [result for result in results if not isinstance(result, StoreError)]

    async def _generation_in(self, place: int, number: int | None) -> int | None:
        """What a shard calls a generation that is known by the number it has in the first one. None: it has none."""
        if number is None or place == 0:
            return number
        known = self._numbers.get((place, number))
        if known is None:
            first = await (await self._ready(0)).generation()
            own = await (await self._ready(place)).generation()
            if first is None or own is None or first.id != number or _maker(first) != _maker(own):
                return None
            known = self._numbers[place, number] = own.id
        return known


def _maker(generation: Generation) -> tuple[str, int]:
    return generation.embedder, generation.dimensions
