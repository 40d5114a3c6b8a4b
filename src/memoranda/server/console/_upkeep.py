"""Work that takes longer than a page: it goes on in this process, and pages show how far it is.

One of each sort for a project at a time. What came of it is kept until the next one, at most an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from memoranda.errors import Conflict
from memoranda.records import now
from memoranda.server.problems import problem_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from memoranda.server.console.page import Viewer

__all__ = ['Work', 'begin', 'find', 'stop']

_KEPT_SECONDS: Final = 3600.0
_MOST: Final = 256
"""Pieces of work that are known at the same time; the one that ended longest ago is forgotten then."""


@dataclass(slots=True, eq=False)
class Work:
    """A piece of it, under way or done."""

    kind: str
    by: str
    """The name of the key."""
    begun: datetime
    subject: str = ''
    """Of whom it is, in words."""
    counts: tuple[int, ...] = ()
    """How far it is."""
    future: Future[Any] | None = None
    ended: datetime | None = None
    _begun: float = field(default_factory=time.monotonic)
    _ended: float | None = None

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._ended is None

    @property
    def seconds(self) -> float:
        """How long it took, so far."""
        return (self._ended or time.monotonic()) - self._begun

    @property
    def stopped(self) -> bool:
        """Whether somebody ended it before its time."""
        return self.future is not None and self.future.cancelled()

    @property
    def result(self) -> Any:
        """What came of it; None when it goes on, was stopped or failed."""
        if self.future is None or self.running or self.future.cancelled() or self.future.exception() is not None:
            return None
        return self.future.result()

    @property
    def error(self) -> str | None:
        """Why it failed, in words that may be shown."""
        if self.future is None or self.running or self.future.cancelled():
            return None
        error = self.future.exception()
        if error is None or isinstance(error, CancelledError):
            return None
        problem = problem_of(error if isinstance(error, Exception) else RuntimeError('it was ended'))
        return f'{problem.detail} (incident {problem.incident})' if problem.incident else problem.detail

    def tell(self, *counts: int) -> None:
        """How far it is now."""
        self.counts = counts

    def end(self, _: object = None) -> None:
        """It is over."""
        self.ended, self._ended = now(), time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it ended."""
        return 0.0 if self._ended is None else time.monotonic() - self._ended


def find(request: Request, who: Viewer, kind: str) -> Work | None:
    """The last one of a sort in the project of whoever looks."""
    found = _known(request).get((who.caller.project, kind))
    return None if found is None or found.age > _KEPT_SECONDS else found


def begin(
    request: Request,
    who: Viewer,
    kind: str,
    make: Callable[[Work], Coroutine[Any, Any, Any]],
    *,
    subject: str = '',
    awaited: bool = False,
) -> Work:
    """Start a piece of work on the engine's own loop.

    Args:
        request: Which asks for it.
        who: On whose account.
        kind: Its sort.
        make: Makes the coroutine; is given the work, to tell how far it is.
        subject: Of whom it is, in words.
        awaited: Whether closing the memory waits for it.

    Raises:
        Conflict: One of this sort is under way.
    """
    known = _known(request)
    held = known.get((who.caller.project, kind))
    if held is not None and held.running:
        raise Conflict(f'{kind} is under way already, started by {held.by}: wait for its end, or stop it')
    work = Work(kind, who.caller.name, now(), subject)
    work.future = who.memory.engine.start(lambda: make(work), awaited=awaited)
    known[who.caller.project, kind] = work
    work.future.add_done_callback(work.end)
    if len(known) > _MOST:
        over = [(one.age, place) for place, one in known.items() if not one.running and one is not work]
        if over:
            del known[max(over)[1]]
    return work


def stop(request: Request, who: Viewer, kind: str) -> bool:
    """End a piece of work. Whether there was one under way."""
    found = find(request, who, kind)
    return found is not None and found.running and found.future is not None and found.future.cancel()


def _known(request: Request) -> dict[tuple[str, str], Work]:
    state = request.app.state
    found: dict[tuple[str, str], Work] | None = getattr(state, 'console_work', None)
    if found is None:
        found = state.console_work = {}
    return found
