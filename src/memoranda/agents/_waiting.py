"""What was said in runs and is not stored yet, because a provider takes whole turns, several together, or none now."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import anyio

from memoranda.agents._backend import Said
from memoranda.scope import Scope

__all__ = ['Waiting']

log = logging.getLogger('memoranda')

MAX_WAITING: Final = 1_000
"""Conversations whose turns wait; with more, the one that has waited for longest is handed over."""
MAX_SAID: Final = 500
"""Messages of one conversation that wait; with more, the first are dropped."""
MAX_TRIES: Final = 3
"""So often a turn is refused while others are taken before it is dropped."""
MAX_KEYS: Final = 10_000
"""Of calls that are known to be repeated."""
STORE_SECONDS: Final = 10.0
"""What handing over one conversation may take where nobody waits for it."""

Place = tuple[Scope, str | None]
"""Ids that a provider is told, and the conversation."""


class _Send(Protocol):
    def __call__(
        self, said: Sequence[Said], key: str, scope: Scope, metadata: Mapping[str, Any], /
    ) -> Awaitable[None]: ...


@dataclass(slots=True)
class _Turns:
    """What was said in a conversation and is not stored yet."""

    scope: Scope
    said: dict[str, tuple[Said, ...]] = field(default_factory=dict[str, tuple[Said, ...]])
    """By the key of the call that brought it."""
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """How often, by the key of the first call of a turn."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    is_stored: bool = False
    """Being stored just now."""

    @property
    def count(self) -> int:
        """How many turns: those that were answered."""
        return sum(_is_answered(messages) for messages in self.said.values())

    def one_by_one(self) -> list[list[str]]:
        """The keys of each turn, oldest first; the last one may have no answer yet."""
        turns: list[list[str]] = [[]]
        for key, messages in self.said.items():
            turns[-1].append(key)
            if _is_answered(messages):
                turns.append([])
        return [keys for keys in turns if keys]

    def drop(self, keys: Sequence[str], why: str) -> None:
        """Give messages up."""
        count = sum(len(self.said.pop(key, ())) for key in keys)
        for key in keys:
            self.refused.pop(key, None)
        log.warning('%d messages are not remembered: %s', count, why)


class Waiting:
    """Turns of conversations, until a provider takes them. Only in the memory of this process.

    Args:
        send: Hands messages over; what it raises tells that they are not taken.
        least: Turns of a conversation that are handed over together.
    """

    def __init__(self, send: _Send, least: int) -> None:
        self._send, self._least = send, least
        self._places: OrderedDict[Place, _Turns] = OrderedDict()
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._evicting: asyncio.Task[None] | None = None
        weakref.finalize(self, _tell_lost, self._places)

    def is_stored(self, key: str) -> bool:
        """Whether a call is the repetition of one that was taken."""
        return key in self._keys

    def note(self, key: str) -> None:
        """What is stored already, by another way."""
        self._keys[key] = None
        while len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)

    async def put(
        self, place: Place, key: str, said: tuple[Said, ...], scope: Scope, metadata: Mapping[str, Any]
    ) -> None:
        """Add messages, and hand over what waits of their conversation when that is enough."""
        if key in self._keys:
            return
        turns = self._places.setdefault(place, _Turns(scope))
        turns.said.setdefault(key, said)
        turns.metadata |= metadata
        if len(turns.said) > MAX_SAID and not turns.is_stored:
            turns.drop(list(turns.said)[: len(turns.said) - MAX_SAID], 'too many of a conversation wait to be stored')
        # At an answer only: a prompt whose model waits for it is no time to try what failed before.
        if _is_answered(said) and turns.count >= self._least:
            await self._store(place)
        if len(self._places) > MAX_WAITING and (self._evicting is None or self._evicting.done()):
            self._evicting = asyncio.create_task(self._evict())  # whoever talks just now has no part in it

    async def flush(self) -> None:
        """Hand over all that waits."""
        for place in list(self._places):
            await self._store(place)

    async def _evict(self) -> None:
        """Hand over the conversations that have waited for longest. What isn't taken waits on, up to a limit."""
        for place in list(self._places)[: len(self._places) - MAX_WAITING]:
            self._places.move_to_end(place)
            try:
                with anyio.fail_after(STORE_SECONDS):
                    await self._store(place)
            except Exception as error:
                log.warning('what was said is not remembered yet (%s)', type(error).__name__)
                break
        while len(self._places) > 2 * MAX_WAITING:
            _, oldest = self._places.popitem(last=False)
            oldest.drop(list(oldest.said), 'too many conversations wait to be stored')

    async def _store(self, place: Place) -> None:
        """Hand over what waits of a conversation. What isn't taken waits on."""
        turns = self._places.get(place)
        if turns is None or turns.is_stored:
            return
        turns.is_stored = True
        try:
            while turns.said:
                await self._give(turns)
                if turns.count < self._least:
                    break
        finally:
            turns.is_stored = False
        if not turns.said and self._places.get(place) is turns:
            del self._places[place]

    async def _give(self, turns: _Turns) -> None:
        """Hand over all that waits together; when that is refused turn by turn, so that one does not hold up others."""
        try:
            await self._hand_over(turns.one_by_one(), turns)
            return
        except Exception:
            rounds = turns.one_by_one()
            if len(rounds) < 2:
                raise
        # First the latest one: when that fails too, it is not a matter of what was said.
        await self._hand_over(rounds[-1:], turns)
        failed: Exception | None = None
        for keys in rounds[:-1]:
            try:
                await self._hand_over([keys], turns)
            except Exception as error:
                failed = error
                tries = turns.refused[keys[0]] = turns.refused.get(keys[0], 0) + 1
                if tries >= MAX_TRIES:
                    turns.drop(keys, f'the provider refuses them ({type(error).__name__})')
        if failed is not None:
            raise failed

    async def _hand_over(self, rounds: Sequence[Sequence[str]], turns: _Turns) -> None:
        taken = {key: turns.said[key] for keys in rounds for key in keys if key in turns.said}
        if not taken:
            return
        said = [m for messages in taken.values() for m in messages]
        await self._send(said, list(taken)[-1], turns.scope, turns.metadata)
        for key in taken:  # more may have been said meanwhile
            turns.said.pop(key, None)
            turns.refused.pop(key, None)
            self.note(key)


def _is_answered(messages: Sequence[Said]) -> bool:
    return any(m.role == 'assistant' for m in messages)


def _tell_lost(places: Mapping[Any, _Turns]) -> None:
    """When the backend ends, or the process."""
    count = sum(len(messages) for turns in places.values() for messages in turns.said.values())
    if count:
        log.warning('%d messages that waited for further turns are not remembered: call flush() before the end', count)
