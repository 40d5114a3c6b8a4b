"""Going on without what fails, so that an agent does (`errors='degrade'`).

`search` and `context` go on without the storage or the embedder; a background `add` keeps its messages (`write.spool`).
What failed is left alone for a while: then one call tries it, waits for a moment only, and goes on without it too
unless it works. So a dead backend costs one turn its patience, and later ones next to nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from memoranda._breaker import Breaker
from memoranda._bridge import Errand
from memoranda._locks import short_lock
from memoranda._telemetry import count_degraded
from memoranda.errors import (
    ConfigurationError,
    IndexFailed,
    InvalidInput,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    StoreUnreadable,
    StoreUnwritable,
)

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector

__all__ = [
    'PROBE_SECONDS',
    'Health',
    'Notice',
    'Part',
    'Patient',
    'Straight',
    'Without',
    'can_not_read',
    'can_not_write',
    'open_store',
    'recalling',
]

log = logging.getLogger('memoranda')
T = TypeVar('T')

REMIND_SECONDS: Final = 300.0
"""How often the log says again that something fails."""
PROBE_SECONDS: Final = 1.0
"""How long a call waits for what it tries after a failure. What comes later counts, but for the calls after it."""
EMBEDDER_SHARE: Final = 0.5
"""Of a call's patience: what is left is for the search by keywords."""
INDEX_SHARE: Final = 0.5
"""Of what is left then: the rest is for comparing the vectors in the database."""
_OF_THE_TEXT: Final = frozenset((400, 413, 422))
"""What a provider answers when it doesn't like a text; another one may be fine."""


class Without(Exception):
    """A call has to go on without something. Never leaves the package."""


def can_not_read(error: BaseException | None) -> bool:
    """Whether an error means that the storage can't be read now, and not that it is the wrong one."""
    return isinstance(error, StoreError) and not isinstance(error, ConfigurationError | StoreUnreadable)


def can_not_write(error: BaseException | None) -> bool:
    """Whether an error means that the storage can't be written now, and not that it refuses these messages."""
    return isinstance(error, StoreBusy | StoreFull | StoreUnreachable | StoreUnwritable)


class Notice:
    """What the log tells of something that fails: when it begins, now and then while it lasts, and when it is over.

    Args:
        fails: What to say of it, with a place for the cause.
        works: What to say when it is over.
    """

    def __init__(self, fails: str, works: str) -> None:
        self._fails, self._works = fails, works
        self._lock = short_lock()
        self._failing = False
        self._since = self._told = 0.0
        self._calls = 0

    def fails(self, cause: str) -> None:
        """It does, or goes on to."""
        moment = time.monotonic()
        with self._lock:
            began = not self._failing
            if began:
                self._failing, self._since, self._calls = True, moment, 0
            self._calls += 1
            if not began and moment - self._told < REMIND_SECONDS:
                return
            self._told, calls = moment, self._calls
        more = '' if began else f' ({calls} times so far)'
        log.warning('%s%s', self._fails % cause, more)

    def works(self) -> None:
        """It does again."""
        if not self._failing:
            return
        with self._lock:
            was_failing, self._failing = self._failing, False
            since = self._since
        if was_failing:
            log.warning('%s, after %.0f s', self._works, time.monotonic() - since)


class Part:
    """Something that a call can go on without.

    Args:
        name: As results name it.
        notice: What the log tells of it.
        fails: Which errors mean that it fails; others are the caller's.
    """

    def __init__(self, name: str, notice: Notice, fails: Callable[[BaseException | None], bool]) -> None:
        self.name, self.notice, self._fails = name, notice, fails
        self.breaker = Breaker(after=1, first=1.0, most=30.0)

    def failed(self, cause: str) -> None:
        """It did."""
        self.breaker.failed(cause)
        self.notice.fails(cause)

    def works(self) -> None:
        """It does."""
        if self.breaker.open:
            self.breaker.succeeded()
        self.notice.works()

    def heard(self, future: Future[Any]) -> None:
        """Learn from what was tried, also when nobody waits for it any more."""
        if future.cancelled():
            self.breaker.withdraw()
            return
        error = future.exception()
        if error is not None and self._fails(error):
            self.failed(type(error).__name__)
        elif isinstance(error, StoreUnreadable):
            self.breaker.withdraw()
        else:
            self.works()


class _Parts:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.reads = Part(
            'storage',
            Notice(
                'the storage can not be read (%s): search and context find nothing until it can',
                'the storage can be read again',
            ),
            can_not_read,
        )
        self.writes = Part(
            'storage',
            Notice(
                'the storage can not be written (%s): background adds are kept in this process until it can',
                'the storage can be written again',
            ),
            can_not_write,
        )
        self.questions = Part(
            'embedder',
            Notice('questions can not be embedded (%s): searching by keywords', 'questions can be embedded again'),
            lambda error: error is not None,
        )
        self.index = Part(
            'index',
            Notice('the vector index does not work (%s): searching without it', 'the vector index works again'),
            lambda error: isinstance(error, IndexFailed),
        )
        self.vectors = Notice(
            'vectors are now made by %s, which is not configured here: searching by keywords',
            'vectors are made by the embedder that is configured here again',
        )


class Health:
    """Which parts of an engine work. Shared by all that use it; the child of a fork begins anew."""

    def __init__(self) -> None:
        self._parts = _Parts()

    def _now(self) -> _Parts:
        if self._parts.pid != os.getpid():  # its locks may be held by threads of the parent
            self._parts = _Parts()
        return self._parts

    @property
    def reads(self) -> Part:
        """Reading the storage."""
        return self._now().reads

    @property
    def writes(self) -> Part:
        """Writing it."""
        return self._now().writes

    @property
    def questions(self) -> Part:
        """Embedding questions."""
        return self._now().questions

    @property
    def index(self) -> Part:
        """The vector index elsewhere."""
        return self._now().index

    @property
    def vectors(self) -> Notice:
        """That the vectors in the storage are of this engine's embedder."""
        return self._now().vectors


class Straight:
    """How a search asks for what it needs when whatever fails shall be raised."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def read(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the storage answers."""
        return await make()

    def begin(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Errand[T]:
        """Begin to read, for `end` to wait for it; whoever doesn't has to cancel it."""
        return Errand(make())

    async def end(self, errand: Errand[T]) -> T:
        """What the storage answers to what was begun."""
        try:
            await errand.wait(None)
        except BaseException:
            errand.cancel()
            raise
        return errand.done.result()

    async def ask(
        self, read: Callable[[], T], texts: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[FloatVector] | None]:
        """See `Engine.ask`. The vectors are None when there are none to be had."""
        return await self._engine.ask(read, texts)

    async def nearest(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """What the vector index answers; None when the database has to do without."""
        part = self._engine.health.index
        try:
            answer = await make()
        except IndexFailed as error:
            part.failed(type(error).__name__)
            if self._engine.settings.index_fallback == 'exact':  # then nothing is missing
                return None
            raise
        part.works()
        return answer

    def lacks_embedder(self) -> bool:
        """The vectors are another embedder's. Whether to go on by keywords, also where only meaning was asked for."""
        return False

    def tell(self) -> str | None:
        """What it had to do without, which is counted."""
        return None


class Patient(Straight):
    """The same when an agent waits for the answer: for so long, and rather without than in vain."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._health = engine.health
        self._left = engine.settings.degrade_seconds
        self._cause: tuple[str, str] | None = None

    def lacks_embedder(self) -> bool:
        """The vectors are another embedder's."""
        self._cause = 'embedder', 'EmbedderMismatch'
        return True

    async def read(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the storage answers.

        Raises:
            Without: It fails, or doesn't answer in time; what was asked is still read, unseen.
        """
        return await self.end(self.begin(make))

    def begin(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Errand[T]:
        """Begin to read, for `end` to wait for it; whoever doesn't has to cancel it.

        Raises:
            Without: It failed just now.
        """
        part = self._health.reads
        self._enter(part)
        errand = Errand(make())
        errand.done.add_done_callback(part.heard)
        return errand

    async def end(self, errand: Errand[T]) -> T:
        """What the storage answers to what was begun.

        Raises:
            Without: See `read`.
        """
        part = self._health.reads
        seconds, begun = self._patience(part), time.monotonic()
        try:
            done = await errand.wait(seconds)
        except BaseException:
            errand.cancel()
            raise
        self._left -= time.monotonic() - begun
        if not done:
            part.failed('TimeoutError')
            Context().run(self._engine.start, errand.carry_on)
            self._give_up(part, 'TimeoutError')
        try:
            return errand.done.result()
        except StoreError as error:
            if can_not_read(error):
                self._give_up(part, type(error).__name__)
            raise

    async def nearest(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """What the vector index answers; None when it fails, or doesn't answer in time."""
        part = self._health.index
        try:
            self._enter(part)
        except Without:
            return None
        seconds, begun = self._patience(part, INDEX_SHARE), time.monotonic()
        errand = Errand(make())
        errand.done.add_done_callback(part.heard)
        try:
            done = await errand.wait(seconds)
        except BaseException:
            errand.cancel()
            raise
        self._left -= time.monotonic() - begun
        error = errand.done.exception() if done else TimeoutError()
        if error is None:
            return errand.done.result()
        if not done:
            part.failed('TimeoutError')
            Context().run(self._engine.start, errand.carry_on)
        if done and not isinstance(error, IndexFailed):  # the database fails, which the search is about to meet
            return None
        self._cause = part.name, type(error).__name__
        return None

    def _enter(self, part: Part) -> None:
        if part.breaker.enter() > 0:
            part.notice.fails(part.breaker.cause)
            self._give_up(part, part.breaker.cause)

    def _give_up(self, part: Part, cause: str) -> NoReturn:
        self._cause = part.name, cause
        raise Without(cause)

    def _patience(self, part: Part, share: float = 1.0) -> float:
        left = max(self._left, 0.0) * share
        return min(left, PROBE_SECONDS) if part.breaker.open else left

    async def ask(
        self, read: Callable[[], T], texts: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[FloatVector] | None]:
        """See `Engine.ask`. The vectors are None when the embedder fails or doesn't answer in time."""
        part = self._health.questions
        try:
            self._enter(part)
            return await self._embedded(part, read, texts)
        except Without:
            # Whatever `read` itself raises is raised now.
            return (await self._engine.ask(read, lambda _: ()))[0], None

    async def _embedded(
        self, part: Part, read: Callable[[], T], texts: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[FloatVector]]:
        seconds, begun = self._patience(part, EMBEDDER_SHARE), time.monotonic()
        try:
            answer = await self._engine.ask(read, texts, seconds=seconds)
        except (ConfigurationError, InvalidInput):
            part.breaker.withdraw()
            raise
        except Exception as error:
            if _is_of_the_text(error):
                part.breaker.withdraw()
                log.debug('a question can not be embedded (%s)', type(error).__name__)
            else:
                part.failed(type(error).__name__)
            self._give_up(part, type(error).__name__)
        except BaseException:
            part.breaker.withdraw()
            raise
        finally:
            if not self._engine.embedder.local:  # the processor is not waited for in vain
                self._left -= time.monotonic() - begun
        part.works()
        return answer

    def tell(self) -> str | None:
        """What it had to do without, which is counted."""
        if self._cause is None:
            return None
        name, cause = self._cause
        count_degraded('search_memory', cause)
        return f'{name}: {cause}'


def recalling(engine: Engine) -> Straight:
    """How a search or context for an agent asks for what it needs."""
    return Patient(engine) if engine.settings.errors == 'degrade' else Straight(engine)


async def open_store(engine: Engine) -> None:
    """Open the storage; what fails is told in the log instead, where the engine's settings want that."""
    try:
        await engine.store.open()
    except StoreError as error:
        if engine.settings.errors == 'raise' or not can_not_read(error):
            raise
        engine.health.reads.failed(type(error).__name__)


def _is_of_the_text(error: Exception) -> bool:
    """Whether an embedder fails on this text, and may well take others."""
    from memoranda.embedders import EmbeddingFailed

    if not isinstance(error, EmbeddingFailed):
        return False
    cause = error.__cause__
    return cause is None or getattr(cause, 'status_code', None) in _OF_THE_TEXT
