"""`memoranda worker`: does jobs until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from memoranda.cli._logs import OneLine
from memoranda.cli._output import emit, many, short_id
from memoranda.cli._target import DatabaseOption, JsonOption
from memoranda.errors import ConfigurationError, EmbedderMismatch, StoreError, StoreUnreadable

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.stores.data import Work
    from memoranda.write.background import Background
    from memoranda.write.worker import Worker

__all__ = ['worker']

log = logging.getLogger('memoranda.cli')

_AT_ONCE: Final = 8
"""Jobs at once, when the settings leave all of them to workers."""
_WATCH_SECONDS: Final = 5.0
"""How often to look whether the file is still one that can be worked on."""
_SLOW_SECONDS: Final = 2.0
"""When to say that opening takes long."""
_MOST_PAUSE: Final = 30.0
_GRACE_SECONDS: Final = 5.0
"""What giving back and closing may take; a locked database must not hold up the end of the process."""


def worker(
    database: DatabaseOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            '--workers',
            '--concurrency',
            '-w',
            min=1,
            max=1000,
            help='Jobs done at once. Default: MEMORANDA_WORKERS, else 8.',
        ),
    ] = None,
    once: Annotated[bool, typer.Option('--once', help='Do what is due, then end: for cron.')] = False,
    drain_seconds: Annotated[
        float | None,
        typer.Option(
            '--drain-seconds',
            min=0,
            max=86_400,
            metavar='SECONDS',
            help='How long to finish jobs after a signal. Default: MEMORANDA_DRAIN_SECONDS, else 10.',
        ),
    ] = None,
    alive_file: Annotated[
        Path | None,
        typer.Option('--alive-file', metavar='FILE', help='A file to touch every few seconds, for a liveness probe.'),
    ] = None,
    verbose: Annotated[bool, typer.Option('--verbose', '-v', help='Also tell of each job.')] = False,
    as_json: JsonOption = False,
) -> None:
    """Draw memories from what was added in the background, in all projects, until SIGTERM or Ctrl-C.

    Any number of workers may share a database. The first signal finishes what is under way, as far as the time
    allows; a second one gives it back at once. What is not done stays queued.
    """
    from memoranda.assembly import assemble
    from memoranda.settings import Settings

    given: dict[str, Any] = {} if drain_seconds is None else {'drain_seconds': drain_seconds}
    at_once = workers or Settings().workers or _AT_ONCE
    settings = Settings(workers=at_once, errors='raise', **given)
    engine, doer, background = assemble(database, extractor=None, settings=settings, store=None)
    shift = _Shift(engine, doer, background, once=once, alive_file=alive_file)
    shift.alive()
    with _logging(verbose=verbose), shift.signals():
        try:
            asyncio.run(shift.work())
        finally:
            _close(engine)
            shift.report()
    if as_json:
        emit(shift.figures)


@dataclass(slots=True)
class _Tally:
    """What became of jobs here."""

    done: int = 0
    failed: int = 0
    """Tries."""
    dead: int = 0


@dataclass
class _Shift:
    """One run of the command."""

    engine: Engine
    doer: Worker
    background: Background
    once: bool
    alive_file: Path | None = None
    tally: _Tally = field(default_factory=_Tally)
    left: int | None = None
    """Jobs that are still to be done, when it ended."""
    opened: bool = False
    began: float = field(default_factory=time.monotonic)
    _told: set[str] = field(default_factory=set[str])
    _loop: asyncio.AbstractEventLoop | None = None
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _hurried: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def figures(self) -> dict[str, Any]:
        """What was done, as JSON."""
        return {
            'database': self.engine.location,
            'done': self.tally.done,
            'failed': self.tally.failed,
            'dead': self.tally.dead,
            'left': self.left,
            'seconds': round(time.monotonic() - self.began, 2),
        }

    def alive(self) -> None:
        """Touch the file that tells so, if there is one.

        Raises:
            ConfigurationError: It can't be written.
        """
        if self.alive_file is not None:
            try:
                self.alive_file.touch()
            except OSError as error:
                raise ConfigurationError(
                    f'alive-file={str(self.alive_file)!r} can not be written ({error.strerror}): '
                    'name a file in a folder that exists and is writable'
                ) from error

    @contextmanager
    def signals(self) -> Generator[None]:
        """Let signals end it in order, until the very end."""
        names = [signal.SIGINT, signal.SIGTERM]
        before: dict[signal.Signals, Any] = {}
        with suppress(ValueError):  # not the main thread: whoever called it has the signals
            for name in names:
                before[name] = signal.signal(name, self._signalled)
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _signalled(self, *_: object) -> None:
        if self._loop is None:  # nothing waits yet
            self._end()
            return
        with suppress(RuntimeError):  # it ended just now
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self._asked.is_set():
            self._asked.set()
            seconds = self.engine.settings.drain_seconds
            log.info('ending, within %g s; a second signal gives back at once what is under way', seconds)
        elif not self._hurried.is_set():
            self._hurried.set()
            log.info('giving back what is under way')

    async def work(self) -> None:
        """Open, do jobs, end.

        Raises:
            StoreUnreadable: The file isn't ours, is damaged, or is of a newer version.
            ConfigurationError: The settings don't fit the file.
            StoreError: The storage failed, with `once`.
        """
        self._loop = asyncio.get_running_loop()
        self.doer.watcher = self._ended
        with _waking(self._loop):
            await self._work()

    async def _work(self) -> None:
        if not await self._open():
            return
        self.opened = True
        settings = self.engine.settings
        log.info(
            'started on %s with extractor %s, %d at once',
            self.engine.location,
            self.doer.process.extractor.name,
            settings.workers,
        )
        if self.once:
            await self._do_once()
        else:
            await self._do_until_asked()
        with suppress(StoreError):
            self.left = await self._unless_slow(self.engine.store.waiting())

    async def _open(self) -> bool:
        """Open the file, however long somebody else locks it. False when it was told to end before."""
        pause, told = 0.5, ''
        while not self._asked.is_set():
            self.alive()
            opening = asyncio.ensure_future(self._open_once())
            if not await self._first(opening, _SLOW_SECONDS) and not self._asked.is_set():
                log.warning('waiting for %s: another process may be writing', self.engine.location)
                await self._first(opening)
            if not opening.done():
                return False
            try:
                opening.result()
                return True
            except (StoreUnreadable, ConfigurationError):
                raise
            except StoreError as error:
                if self.once:
                    raise
                if str(error) != told:
                    told = str(error)
                    log.warning('waiting: %s', told)
            await self._first(None, pause)
            pause = min(2 * pause, _MOST_PAUSE)
        return False

    async def _open_once(self) -> None:
        await self.engine.store.open()
        try:
            await self.engine.generation()
        except EmbedderMismatch:
            raise
        except StoreError as error:  # it is asked again with the first job
            log.debug('the embedder of the file is not known yet (%s)', type(error).__name__)

    async def _do_until_asked(self) -> None:
        from memoranda.write.background import Dispatcher

        dispatcher = Dispatcher(self.engine, self.doer)
        drain_seconds = self.engine.settings.drain_seconds
        try:
            while not self._asked.is_set():
                self.alive()
                if await self._first(None, _WATCH_SECONDS):
                    break
                looking = asyncio.ensure_future(self.engine.store.due_in())
                if await self._first(looking):
                    _raise_if_unreadable(looking)
        except StoreUnreadable:
            drain_seconds = 0.0
            raise
        finally:
            ending = asyncio.ensure_future(dispatcher.stop(drain_seconds, claim=False))
            await self._drained(ending)
            if not ending.done():
                await self._unless_slow(dispatcher.stop(0.0))

    async def _do_once(self) -> None:
        tasks = [asyncio.ensure_future(self._do_due()) for _ in range(self.engine.settings.workers)]
        tasks.append(asyncio.ensure_future(self._tidy_once()))
        ending = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
        await self._first(ending)
        if not ending.done():
            await self._drained(ending)
        for task in tasks:
            task.cancel()
        await self._unless_slow(asyncio.wait(tasks))
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _do_due(self) -> None:
        while not self._asked.is_set() and await self.background.process_one() is not None:
            pass

    async def _tidy_once(self) -> None:
        """See to retention, if that is due."""
        from memoranda.write.retention import one_round

        await one_round(self.engine, self.doer.forget)

    async def _drained(self, ending: asyncio.Future[Any]) -> None:
        """Wait for the end of what is under way, as long as the time allows and nobody hurries."""
        hurried = asyncio.ensure_future(self._hurried.wait())
        await asyncio.wait(
            (ending, hurried),
            timeout=self.engine.settings.drain_seconds + _GRACE_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        hurried.cancel()

    async def _first(self, other: asyncio.Future[Any] | None, timeout: float | None = None) -> bool:
        """Wait for a signal or for something else. True when that is done, or there is a signal and nothing else."""
        asked = asyncio.ensure_future(self._asked.wait())
        awaited = (asked,) if other is None else (asked, other)
        await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        return self._asked.is_set() if other is None else other.done()

    async def _unless_slow(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result, or None when it isn't there soon."""
        task = asyncio.ensure_future(coroutine)
        await asyncio.wait((task,), timeout=_GRACE_SECONDS)
        return task.result() if task.done() else None

    async def _ended(self, work: Work, error: Exception | None) -> None:
        if error is not None:
            await self._failed(work, error)
            return
        self.tally.done += 1 + len(work.merged)
        log.debug('job %s done', short_id(work.job.id))

    async def _failed(self, work: Work, error: Exception) -> None:
        if isinstance(error, ConfigurationError) and str(error) not in self._told:
            self._told.add(str(error))  # it is about the set-up: whoever runs this can mend it
            log.error('%s', error)
        with suppress(StoreError):
            found = await self.engine.store.job(work.job.id, project=work.owner.project)
            if found is not None and found[1].status == 'dead':
                self.tally.dead += 1 + len(work.merged)
                log.warning(
                    'job %s was given up, `memoranda jobs show %s --all --project %s` tells why',
                    found[1].id,
                    short_id(found[1].id),
                    found[1].project,
                )
            if found is not None and found[1].status in ('dead', 'retrying'):
                self.tally.failed += 1

    def report(self) -> None:
        """Say what was done."""
        if not self.opened:
            return
        tally = self.tally
        said = [f'{many(tally.done, "job")} done', many(tally.failed, 'failed try')]
        if tally.dead:
            said.append(f'{tally.dead:,} given up')
        if self.left is not None:
            said.append(f'{self.left:,} left')
        log.info('ended: %s', ', '.join(said))


@contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Let a signal end the wait of the loop.

    Its handler runs between two steps of Python in the main thread: of a signal that comes just before the loop begins
    to wait, or that the system gives to another thread, the loop would hear with the next event only, if there is one.
    """
    if sys.platform == 'win32' or threading.current_thread() is not threading.main_thread():
        yield  # the loop of Windows sees to it itself; elsewhere than in the main thread others have the signals
        return
    ours, systems = socket.socketpair()
    with ours, systems:
        ours.setblocking(False)
        systems.setblocking(False)
        loop.add_reader(ours, ours.recv, 4096)
        before = signal.set_wakeup_fd(systems.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)


def _raise_if_unreadable(looked: asyncio.Future[Any]) -> None:
    error = looked.exception()
    if isinstance(error, StoreUnreadable):  # anything else the dispatcher waits for, and says so
        raise error


def _close(engine: Engine) -> None:
    """Close the storage, unless somebody locks it: the threads end with the process."""
    from memoranda._bridge import run

    def close() -> None:
        with suppress(Exception):
            run(engine.close())

    closing = threading.Thread(target=close, name='memoranda-close', daemon=True)
    closing.start()
    closing.join(_GRACE_SECONDS)


@contextmanager
def _logging(*, verbose: bool) -> Generator[None]:
    """Show what the engine logs on standard error."""
    ours = logging.getLogger('memoranda')
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    levels = {ours: ours.level, log: log.level}
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG if verbose else logging.WARNING)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)
