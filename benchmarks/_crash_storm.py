"""Starts the processes of `crashes.py`, kills them at random instants and starts them again.

Processes are forked from this one, which has loaded everything and opened nothing: a start costs milliseconds, and more
of the kills fall into the work that matters.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from _crash_actors import Role, Stage, play

YOUNG = 0.06
"""Seconds after a start within which a kill falls into opening, migrating or the first steps."""
LIFE = 1.0
"""Seconds after being ready within which any other kill falls."""
PAUSE = 0.3
"""Seconds for which a place may stay empty."""
MOST_PROBLEMS = 3
"""Processes that may end by themselves before the round is given up. None should."""


@dataclass(slots=True)
class Seat:
    """A place that is always taken again."""

    role: Role
    number: int
    lives: int = 0
    pid: int = 0
    """0: nobody is there."""
    ears: int = -1
    """Where the process tells that it is ready; closed at its end."""
    ready: bool = False
    due: float | None = None
    """When it is killed, or started when nobody is there; None: some time after it is ready."""

    def end(self) -> int:
        """Wait until the process is gone. Returns how it ended."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.ears)
        self.pid, self.ears = 0, -1
        return status


@dataclass(slots=True)
class Storm:
    """One round of kills.

    Args:
        stage: Where.
        seed: Decides what is written and when somebody is killed; what the two meet in is up to the machine.
        kills: How many processes to kill.
        young: Share of the kills that fall into the start of a process.
        pace: How many times as long everybody lives, for a machine that is slow.
    """

    stage: Stage
    seed: str
    kills: int
    young: float = 0.3
    pace: float = 1.0
    killed: int = 0
    together: int = 0
    """Of these, with another one at the same instant."""
    early: int = 0
    """Of these, before the process was ready."""
    problems: list[str] = field(default_factory=list[str])
    _chance: random.Random = field(init=False)
    _seats: list[Seat] = field(init=False)

    def run(self, roles: Sequence[Role]) -> None:
        """Kill until it is enough."""
        self._chance = random.Random(self.seed)
        self._seats = [Seat(role, sum(r == role for r in roles[:i])) for i, role in enumerate(roles)]
        try:
            for seat in self._seats:
                self._start(seat)
            while self.killed < self.kills and len(self.problems) < MOST_PROBLEMS:
                self._listen()
                self._strike(time.monotonic())
        finally:
            for seat in self._seats:
                if seat.pid:
                    os.kill(seat.pid, signal.SIGKILL)
                    seat.end()

    def _start(self, seat: Seat) -> None:
        ears, mouth = os.pipe()
        seat.lives += 1
        pid = os.fork()
        if pid == 0:
            os.close(ears)
            play(seat.role, self.stage, seat.number, f'{self.seed}/{seat.lives}', mouth)
        os.close(mouth)
        seat.pid, seat.ears, seat.ready = pid, ears, False
        # Where a start takes long, most would die in it, and nothing be done.
        early = self._chance.random() < (self.young if self.young == 1.0 else self.young / self.pace)
        seat.due = time.monotonic() + self._chance.uniform(0, self.pace * YOUNG) if early else None

    def _listen(self) -> None:
        """Wait until somebody is ready, ends by itself, or is due."""
        moments = [s.due for s in self._seats if s.due is not None]
        wait = max(0.0, min(moments) - time.monotonic()) if moments else None
        talking = {s.ears: s for s in self._seats if s.pid}
        for ears in select.select(list(talking), [], [], wait)[0]:
            seat = talking[ears]
            if os.read(ears, 1):
                seat.ready = True
                if seat.due is None:
                    seat.due = time.monotonic() + self._chance.uniform(0, self.pace * LIFE)
            else:
                status = seat.end()
                errors = self.stage.errors(seat.role, seat.number).read_text(errors='replace')
                self.problems.append(f'{seat.role} {seat.number} ended by itself ({status}): {errors[-3000:]}')
                seat.due = time.monotonic()

    def _strike(self, now: float) -> None:
        """Kill whoever is due, and sometimes others too; let others take the places."""
        due = [s for s in self._seats if s.due is not None and s.due <= now]
        for seat in due:
            if not seat.pid:
                self._start(seat)
        victims = [s for s in due if s.pid and s.due is not None and s.due <= now]
        if not victims:
            return
        others = [s for s in self._seats if s.pid and s not in victims and (s.ready or self.pace == 1.0)]
        luck = self._chance.random()
        if luck < 0.05:
            victims += others
        elif luck < 0.3 and others:
            victims.append(self._chance.choice(others))
        for seat in victims:
            os.kill(seat.pid, signal.SIGKILL)
        self.killed += len(victims)
        self.together += len(victims) if len(victims) > 1 else 0
        for seat in victims:
            self.early += not seat.ready
            status = seat.end()
            if status != signal.SIGKILL:  # it was dying already
                errors = self.stage.errors(seat.role, seat.number).read_text(errors='replace')
                self.problems.append(f'{seat.role} {seat.number} ended by itself ({status}): {errors[-3000:]}')
            seat.due = now + (self._chance.uniform(0, PAUSE) if self._chance.random() < 0.3 else 0.0)


def in_child(function: Callable[[], Any]) -> Any:
    """What a function returns, as JSON, from a process of its own: this one never opens a database."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(ours)
            with os.fdopen(theirs, 'w') as out:
                json.dump(function(), out)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours) as out:
        told = out.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f'the check of a round ended with status {status}: see above')
    return json.loads(told)
