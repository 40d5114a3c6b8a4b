"""The processes of `crashes.py` that get killed: writers and workers on one database, and what they note down.

A writer says in its log what it is about to do, does it, and says that it was done; each in one `os.write`, so that the
log knows what was acknowledged before the kill. Every message states one fact, which the rules and the stand-in for a
model both read in the same way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from memoranda import AsyncMemory, Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

Kind = Literal['model', 'rules']
Role = Literal['writer', 'worker', 'driver', 'command']
Entry = dict[str, Any]

USERS = ('ana', 'ben', 'cleo', 'dan')
PENS = 2
"""Threads of a writer, each with a log of its own."""
SLOW = 0.03
"""Seconds the stand-in for a model takes at most."""
MAYFLY_LIVES = 12
"""Messages of a user that is erased and begins anew."""

_FACTS = (
    (re.compile(r'I like (\w+)\.'), 'Likes {}', None),
    (re.compile(r'I love (\w+)\.'), 'Loves {}', None),
    (re.compile(r'I live in (\w+)\.'), 'Lives in {}', 'home.city'),
)


def fact_of(message: str) -> tuple[str, str | None, str | None]:
    """The fact that a message states: its text, slot and value."""
    for pattern, fact, slot in _FACTS:
        if found := pattern.fullmatch(message):
            return fact.format(found[1]), slot, found[1] if slot else None
    return message, None, None  # given as it is


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a round takes place: a folder with the logs and, unless it is a PostgreSQL one, the database."""

    folder: Path
    kind: Kind
    batch_turns: int = 1
    url: str | None = None
    """Of the database, when it isn't a file."""

    @property
    def path(self) -> Path:
        return self.folder / 'm.db'

    @property
    def database(self) -> str:
        return self.url or str(self.path)

    @property
    def calls(self) -> Log:
        """What the stand-in for a model was asked."""
        return Log(self.folder / 'calls.log')

    def errors(self, role: Role, seat: int) -> Path:
        """What the processes at a place had to say, one after the other."""
        return self.folder / f'{role}-{seat}.err'

    def log(self, pen: str) -> Log:
        """What a pen noted."""
        return Log(self.folder / f'pen-{pen}.log')

    def logs(self) -> dict[str, Log]:
        """Of every pen that wrote."""
        return {p.stem.removeprefix('pen-'): Log(p) for p in sorted(self.folder.glob('pen-*.log'))}

    def settings(self, workers: int) -> Settings:
        return Settings(errors='raise', workers=workers, batch_turns=self.batch_turns, batch_seconds=0.2)

    def arguments(self, workers: int) -> dict[str, Any]:
        """For `Memory`: with a model everything else is light, with the rules everything is as shipped."""
        common = {'database': self.database, 'settings': self.settings(workers)}
        if self.kind == 'rules':
            return common
        return {**common, 'embedder': HashingEmbedder(), 'extractor': Reader(self.calls)}


class Log:
    """Lines of JSON that outlive whoever writes them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def write(self, entry: Entry) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # A kill can cut a write at the end of a page: the line break before a line keeps the next one whole.
        os.write(self._file, b'\n' + json.dumps(entry).encode() + b'\n')

    def read(self) -> Iterator[Entry]:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().split(b'\n'):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # the break before a line, or a line that was cut: what it told was never told


class Reader:
    """Stands for a model: it takes a moment, and notes that it was asked."""

    name = 'reader'

    def __init__(self, calls: Log) -> None:
        self._calls, self._random = calls, random.Random()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        self._calls.write({'asked': [m.id for m in request.messages]})
        await asyncio.sleep(self._random.random() * SLOW)
        return Extraction(proposals=[self._read(i, m.text) for i, m in enumerate(request.messages)])

    def _read(self, index: int, message: str) -> Proposal:
        text, slot, value = fact_of(message)
        return Proposal(text=text, slot=slot, value=value, evidence=(Quote(index, 0, len(message)),))


class Pen:
    """One thread of a writer. After a kill it goes on where its log ends.

    An add that has a key and was not acknowledged is done again with the same key; one without a key isn't, for nobody
    can tell whether it was stored.
    """

    def __init__(self, memory: Memory, name: str, log: Log, seed: str) -> None:
        self._memory, self._name, self._log, self._random = memory, name, log, random.Random(seed)
        self.next = 0
        self._kept: list[Entry] = []
        """Acknowledged adds with a key."""
        self._mayflies = 0
        self._pending: Entry | None = None
        for entry in log.read():
            self._remember(entry)
        if self._pending is not None:
            log.write({'cut': self._pending['n']})

    def _remember(self, entry: Entry) -> None:
        if 'cut' in entry:
            return
        if 'do' in entry:
            self._pending, self.next = entry, entry['n'] + 1
            return
        done, self._pending = self._pending, None
        if done is None:
            return
        if done['do'] == 'erase':
            self._mayflies = 0
        elif done['user'] not in USERS:
            self._mayflies += 1
        elif done['key'] is not None:
            self._kept = [*self._kept[-20:], {**done, 'job': entry['job']}]

    def resume(self) -> None:
        """What was not acknowledged, again."""
        if self._pending is not None and (self._pending['do'] == 'erase' or self._pending['key'] is not None):
            self._finish(self._pending)

    def write_on(self) -> NoReturn:
        """Add messages until the end."""
        self.resume()
        while True:
            if self._kept and self._random.random() < 0.1:
                self._repeat(self._random.choice(self._kept))
            if self._mayflies >= MAYFLY_LIVES:
                self.do({'n': self.next, 'do': 'erase', 'user': f'mayfly-{self._name}'})
            else:
                self.do(self._thought(self.next))

    def do(self, entry: Entry) -> None:
        """Say it, do it, say that it was done."""
        self._log.write(entry)
        self._remember(entry)
        self._finish(entry)

    def _thought(self, n: int) -> Entry:
        """What to add next: facts said once, facts said again and again, and values that replace each other."""
        pick = self._random.random
        tag = f'{self._name}{n:05}'
        how = 'inline' if pick() < 0.4 else 'background'
        user = f'mayfly-{self._name}' if pick() < 0.15 else self._random.choice(USERS)
        if user not in USERS:
            text = f'I like Moth{tag}.'
        elif (kind := pick()) < 0.15:
            how, text = 'given', f'Given {tag}.'
        elif kind < 0.5:
            text = f'I like Brand{tag}.'
        else:
            text = f'I love Tea{n // 16}.' if kind < 0.75 else f'I live in Town{tag}.'
        return {
            'n': n,
            'do': 'add',
            'user': user,
            'text': text,
            'how': how,
            'run': f'run-{self._name}' if pick() < 0.5 else None,
            'key': f'key-{tag}' if pick() < 0.7 else None,
        }

    def _finish(self, entry: Entry) -> None:
        if entry['do'] == 'erase':
            self._memory.delete_all(user_id=entry['user'])
            done: Entry = {'done': entry['n']}
        else:
            done = {'done': entry['n'], **self._add(entry)}
        self._log.write(done)
        self._remember(done)

    def _add(self, entry: Entry) -> Entry:
        result = self._memory.add(
            entry['text'],
            user_id=entry['user'],
            run_id=entry['run'],
            metadata={'said': f'{self._name}{entry["n"]}'},
            idempotency_key=entry['key'],
            infer=entry['how'] != 'given',
            background=entry['how'] == 'background',
        )
        if result.status in ('unsaved', 'dead'):
            raise AssertionError(f'{entry}: {result.status} ({result.error})')
        return {'job': result.job_id, 'replayed': result.replayed}

    def _repeat(self, entry: Entry) -> None:
        """What was acknowledged once is answered by the same job."""
        again = self._add(entry)
        if again != {'job': entry['job'], 'replayed': True}:
            raise AssertionError(f'{entry} was answered {again} the second time')


def write(stage: Stage, seat: int, seed: str, ready: Callable[[], None]) -> None:
    """A writer; the first of them works in the background too, the others leave their jobs to workers."""
    memory = Memory(**stage.arguments(workers=2))
    if seat == 0:
        memory.__enter__()
    else:
        memory.stats()
    ready()
    names = [f'{"ABCDEFGH"[seat * PENS + number]}' for number in range(PENS)]
    pens = [Pen(memory, name, stage.log(name), f'{seed}/{name}') for name in names]
    for pen in pens[1:]:
        threading.Thread(target=_guarded, args=(pen.write_on,), daemon=True).start()
    pens[0].write_on()


def work(stage: Stage, seat: int, seed: str, ready: Callable[[], None]) -> None:
    """A process that only works in the background."""

    async def main() -> None:
        async with AsyncMemory(**stage.arguments(workers=4)):
            ready()
            await asyncio.Event().wait()

    asyncio.run(main())


def drive(stage: Stage, seat: int, seed: str, ready: Callable[[], None]) -> None:
    """A process of somebody's own that does one job after the other."""
    memory = Memory(**stage.arguments(workers=1))
    memory.stats()
    ready()
    while True:
        if memory.process_one_job() is None:
            time.sleep(0.02)


def command(stage: Stage, seat: int, seed: str, ready: Callable[[], None]) -> None:
    """`memoranda worker`, in a process that has loaded its modules."""
    from memoranda.cli import main

    class Started(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ready()

    logging.getLogger('memoranda.cli').addHandler(Started())
    os.environ['MEMORANDA_BATCH_TURNS'] = str(stage.batch_turns)
    os.environ['MEMORANDA_DATABASE'] = stage.database  # not an argument: that would show a password to everybody
    sys.argv = ['memoranda', 'worker']
    main()


ROLES: dict[Role, Callable[[Stage, int, str, Callable[[], None]], None]] = {
    'writer': write,
    'worker': work,
    'driver': drive,
    'command': command,
}


def play(role: Role, stage: Stage, seat: int, seed: str, ready: int) -> NoReturn:
    """Be this process until it is killed. Whatever else ends it is written to its error file."""
    or_end(lambda: ROLES[role](stage, seat, seed, lambda: _tell(ready)), stage.errors(role, seat))
    os._exit(4)


def or_end(act: Callable[[], object], errors: Path) -> None:
    """Do something in a process that was forked for it; an error ends it, and stands in a file with all it prints."""
    out = os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    _guarded(act)


def _tell(ready: int) -> None:
    os.write(ready, b'.')


def _watch(parent: int) -> None:
    """Nobody is left behind when the one who kills is killed."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(5)


def _guarded(act: Callable[[], object]) -> None:
    try:
        act()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        os._exit(3)
