"""A model for tests of background work: it can be made to wait, to fail, and tells what it was asked and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from _fakes import Grammar
from memoranda.records import Usage
from memoranda.settings import Settings
from memoranda.write.extract import Extraction, ExtractionRequest
from memoranda.write.failed import ModelFailed

SECONDS = 60
"""What a hung test waits before it says so; nothing here takes that long."""


def quick(**settings: Any) -> Settings:
    """Settings under which a job that failed is tried again at once."""
    return Settings(**{'retry_seconds': 0.001, 'max_retry_seconds': 0.001, 'poll_seconds': 0.01, **settings})


def down(text: str = 'no connection', **fields: Any) -> ModelFailed:
    """What is raised when a model can't be reached."""
    return ModelFailed(text, **{'reason': 'unavailable', **fields})


class Thinking:
    """Reads messages as `Grammar` does, on the engine's loop.

    Args:
        held: Whether answers wait until `let_go`.
        fails: Gives the error to raise for (number of the call from 1, texts), or None.
        usage: What each answer costs.
    """

    name = 'thinking'

    def __init__(
        self,
        *,
        held: bool = False,
        fails: Callable[[int, list[str]], Exception | None] | None = None,
        usage: Usage | None = None,
    ) -> None:
        self.asked: list[list[str]] = []
        """The texts of each request, in the order they were begun."""
        self.at_once: Mapping[str, int] = {}
        """The most requests that were under way at one time: of all, and of each user."""
        self.cancelled = 0
        self.fails = fails
        self._usage = usage
        self._held = held
        self._under_way: list[str] = []
        self._waiting: list[tuple[str, Future[None]]] = []
        self._changed = threading.Condition()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        user = request.scope.user_id or ''
        texts = [m.text for m in request.messages]
        gate: Future[None] = Future()
        with self._changed:
            self.asked.append(texts)
            number = len(self.asked)
            self._under_way.append(user)
            now = {'all': len(self._under_way), user: self._under_way.count(user)}
            self.at_once = {**self.at_once, **{k: max(n, self.at_once.get(k, 0)) for k, n in now.items()}}
            if self._held:
                self._waiting.append((user, gate))
            else:
                gate.set_result(None)
            self._changed.notify_all()
        try:
            await asyncio.wrap_future(gate)
            error = self.fails(number, texts) if self.fails is not None else None
            if error is not None:
                raise error
            found = Grammar().propose(request)
            return found if self._usage is None else Extraction(proposals=found.proposals, usage=self._usage)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            with self._changed:
                self._under_way.remove(user)
                self._changed.notify_all()

    def hold(self) -> None:
        """Let answers wait from now on."""
        with self._changed:
            self._held = True

    def let_go(self, user: str | None = None) -> None:
        """Let the answers come that wait; of all users from now on, or of one user those that wait now."""
        with self._changed:
            self._held = self._held and user is not None
            free = [gate for of, gate in self._waiting if user in (None, of)]
            self._waiting = [(of, gate) for of, gate in self._waiting if user not in (None, of)]
        for gate in free:
            if gate.set_running_or_notify_cancel():
                gate.set_result(None)

    def wait_asked(self, times: int = 1) -> None:
        """Block until so many requests were begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= times, SECONDS)

    def wait_idle(self) -> None:
        """Block until none is under way."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._under_way, SECONDS)
