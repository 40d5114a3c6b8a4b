"""What the load benchmarks share: things said, a model that takes its time, a steady rate, and gaps of the event loop.

Imports nothing of memoranda, so that a peer's side of a comparison can run it in an interpreter of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from _common import quantile

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models.function import AgentInfo, FunctionModel

__all__ = [
    'GAP_SECONDS',
    'Gaps',
    'Others',
    'SlowModel',
    'Storm',
    'gathered',
    'long_message',
    'message',
    'question',
    'sentences',
    'steadily',
    'storm',
    'verdict',
]

GAP_SECONDS = 0.002
"""How long the task sleeps that looks for gaps."""
_CITIES = 'Lisbon Porto Braga Coimbra Faro Evora Aveiro Leiria Tomar Lagos Silves'.split()
_NAMES = 'Ana Bea Carla Duarte Elisa Filipe Gil Helena Ines Joao Katia Luis Marta'.split()
_THINGS = (
    'violin cello flute harp oboe drums guitar piano trumpet tuba zither lute banjo lyre horn viola bassoon'.split()
)
_SAYINGS = (
    'I moved to {city} last year, to flat number {n}.',
    'My sister {name} plays the {thing} in orchestra {n}.',
    'I work as an engineer for company {n} in {city}.',
    'My neighbour {name} lends me a {thing} on day {n}.',
    'I keep bike {n} in the cellar of a friend in {city}.',
    'My lessons with {name} on the {thing} cost {n} euros a year.',
    'I take medicine number {n}, which {name} prescribed.',
    'On trip {n} I forgot my {thing} at the station of {city}.',
)
_QUESTIONS = (
    'Where do I live since visit {n}?',
    'Who plays the {thing} in group {n}?',
    'What did {name} lend me on day {n}?',
    'Where is my bike, number {n}?',
    'What did I forget in {city} on trip {n}?',
)


def _filled(template: str, user: int, number: int) -> str:
    n = user * 100_000 + number
    return template.format(
        n=n, city=_CITIES[n % len(_CITIES)], name=_NAMES[n % len(_NAMES)], thing=_THINGS[n % len(_THINGS)]
    )


def message(user: int, number: int) -> str:
    """Two facts in two sentences, unlike those of every other message."""
    first = 2 * number % len(_SAYINGS)
    return f'{_filled(_SAYINGS[first], user, number)} {_filled(_SAYINGS[first + 1], user, number)}'


def long_message(user: int, number: int, chars: int = 500) -> str:
    """A message of so many characters, in which a few things are told."""
    text = message(user, number)
    filler = f' That was all in a long week, number {number}, in which little else happened and much was left undone.'
    return (text + filler * (chars // len(filler) + 1))[: chars - 1] + '.'


def question(user: int, number: int) -> str:
    """Unlike every other, so that it has to be embedded."""
    return _filled(_QUESTIONS[number % len(_QUESTIONS)], user, number)


def sentences(text: str, most: int = 2) -> list[str]:
    """What a model finds in a message: its first sentences."""
    return re.findall(r'[^.]+\.', text.replace('\n', ' '))[:most]


class SlowModel:
    """A Pydantic AI model that takes `seconds` and finds the first two sentences of each new message.

    It is asked like any other: prompt, tool call, validation, quotes checked. Only the network isn't there.
    """

    def __init__(self, seconds: float) -> None:
        from pydantic_ai.models.function import FunctionModel

        self.seconds = seconds
        self.asked = 0
        self.running = 0
        """How many are being answered now."""
        self.model: FunctionModel = FunctionModel(self._answer, model_name='slow')

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        from pydantic_ai.messages import ModelResponse, ToolCallPart

        self.asked += 1
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        prompt = str(getattr(messages[-1].parts[-1], 'content', ''))
        operations = [
            {'op': 'add', 'text': said.strip(), 'evidence': [{'message': number, 'quote': said.strip()}]}
            for number, text in _new_messages(prompt)
            for said in sentences(text)
        ]
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {'operations': operations})])


def _new_messages(prompt: str) -> list[tuple[int, str]]:
    """Number and text of each: `[1] user, ...`, then its lines behind a bar."""
    found: list[tuple[int, list[str]]] = []
    for line in prompt.partition('<new_messages')[2].splitlines():
        if head := re.match(r'\[(\d+)\] ', line):
            found.append((int(head[1]), []))
        elif line.startswith('| ') and found:
            found[-1][1].append(line[2:])
    return [(number, '\n'.join(lines)) for number, lines in found]


@dataclass
class Gaps:
    """How late a task is that sleeps `GAP_SECONDS` again and again: the time in which its loop did something else."""

    seconds: list[float] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch the running loop."""

        async def watch() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(GAP_SECONDS)
                self.seconds.append(time.perf_counter() - before - GAP_SECONDS)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def __str__(self) -> str:
        return gathered(self.seconds)


def gathered(seconds: Sequence[float]) -> str:
    """p50, p95, p99 and the longest in milliseconds."""
    p50, p95, p99, longest = (1e3 * quantile(seconds, share) for share in (0.5, 0.95, 0.99, 1))
    return f'p50 {p50:8.2f}  p95 {p95:8.2f}  p99 {p99:8.2f}  max {longest:8.1f} ms  (n={len(seconds)})'


class Others:
    """How many cores other processes use, from Linux's own account of the machine."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._before = self._used()

    def _used(self) -> float:
        """Seconds of processor time of everybody else since the machine started."""
        try:
            with open('/proc/stat', encoding='ascii') as file:
                user, nice, system, _, _, irq, soft, *_ = map(int, file.readline().split()[1:])
        except (OSError, ValueError):
            return float('nan')
        own = os.times()
        busy = (user + nice + system + irq + soft) / os.sysconf('SC_CLK_TCK')
        return busy - own.user - own.system - own.children_user - own.children_system

    def cores(self) -> float:
        """Since this was made; nan where it can't be told."""
        return (self._used() - self._before) / (time.perf_counter() - self._began)

    def __str__(self) -> str:
        return f'other processes used {max(0.0, self.cores()):.2f} cores meanwhile'


Call: TypeAlias = Callable[[int], Awaitable[object]]


async def steadily(
    call: Call,
    *,
    rate: float,
    until: Callable[[], bool],
    first: int = 0,
    errors: Counter[str] | None = None,
) -> list[float]:
    """Call with `first`, `first + 1`, ... at a steady rate, whether or not the calls before have ended.

    Args:
        call: What is called.
        rate: So many a second.
        until: Asked before each call.
        first: The number of the first call.
        errors: Counts those that fail; without it an error ends everything.

    Returns:
        Seconds from the moment each was due until it had ended, of those that did not fail.
    """
    taken: list[float] = []

    async def one(number: int, due: float) -> None:
        try:
            await call(number)
        except Exception as error:
            if errors is None:
                raise
            errors[f'{type(error).__name__}: {error}'[:120]] += 1
        else:
            taken.append(time.perf_counter() - due)

    under_way: set[asyncio.Task[None]] = set()  # what has ended isn't kept: a long run would grow by it
    failed: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            failed.append(error)

    begun = time.perf_counter()
    number = 0
    while not until() and not failed:
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(first + number, due))
        under_way.add(task)
        task.add_done_callback(ended)
        number += 1
    await asyncio.gather(*under_way, return_exceptions=True)
    if failed:
        raise failed[0]
    return taken


@dataclass
class Storm:
    """What adds by many users at once took, and what they did to searches and to the caller's loop. Seconds."""

    walls: list[float] = field(default_factory=list)
    """From the first add to the end of the last, for each round."""
    adds: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    """Searches while nothing else happens."""
    meanwhile: list[float] = field(default_factory=list)
    """Searches that were asked while adds were under way."""
    idle_gaps: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    facts: int = 0
    """Stored in the end."""
    errors: Counter[str] = field(default_factory=Counter[str])
    others: float = 0.0
    """Cores used by other processes during the adds."""

    def dumps(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def loads(cls, text: str) -> Storm:
        fields = json.loads(text)
        return cls(**fields | {'errors': Counter(fields['errors'])})


async def storm(
    add: Callable[[int, int], Awaitable[object]],
    search: Call,
    *,
    users: int,
    rounds: int,
    rate: float,
    idle_seconds: float,
    phase: Callable[[str], None] = lambda name: None,
) -> Storm:
    """All users add at once, several rounds of it, while questions come at a steady rate.

    Args:
        add: Called with the user and the round.
        search: Called with a number, another one each time.
        users: How many add at once.
        rounds: How often.
        rate: Questions a second.
        idle_seconds: How long to ask before the first add.
        phase: Told `idle` and `adds` as they begin.
    """
    found = Storm()
    asked = 0

    async def timed(user: int, number: int) -> None:
        began = time.perf_counter()
        try:
            await add(user, number)
        except Exception as error:
            found.errors[f'{type(error).__name__}: {error}'[:120]] += 1
        else:
            found.adds.append(time.perf_counter() - began)

    phase('idle')
    gaps = Gaps(found.idle_gaps)
    end = time.perf_counter() + idle_seconds
    async with gaps.watched():
        found.idle = await steadily(search, rate=rate, until=lambda: time.perf_counter() >= end)
    asked = len(found.idle)
    phase('adds')
    others = Others()
    for number in range(rounds):
        async with Gaps(found.gaps).watched():
            began = time.perf_counter()
            adding = asyncio.gather(*(timed(user, number) for user in range(users)))
            searching = asyncio.create_task(
                steadily(search, rate=rate, until=adding.done, first=asked, errors=found.errors)
            )
            await adding
            found.walls.append(time.perf_counter() - began)
            taken = await searching
        found.meanwhile += taken
        asked += 10_000  # beyond any that was asked
    found.others = others.cores()
    return found


def verdict(name: str, value: float, goal: float, unit: str = 'ms') -> bool:
    """Print a figure beside its goal."""
    met = value <= goal
    print(f'  {"reached" if met else "MISSED ":<8} {name:<58} {value:9.2f} {unit}  (goal {goal:g})')
    return met
