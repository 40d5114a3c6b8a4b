"""What the capability adds to a run of an agent, for a user with many memories.

Usage: python benchmarks/agent_latency.py [--memories 1000] [--runs 200]

The same agent, whose model answers at once, runs with the capability and without it, in turns. The time spent in the
embedder is shown apart. `after_run` is timed alone: what it does is over before the run returns.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass
from typing import Any

from _common import TimedEmbedder, folder, machine, median, spread, title
from _load import message, question
from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory
from memoranda.embedders import resolve_embedder

ADDED = 3.0
"""Milliseconds, beyond the time in the embedder."""
AFTER = 3.0
AFTER_RUN: list[float] = []


@dataclass(init=False)
class Timed(LongTermMemory[str]):
    """The capability, with a watch on its last hook."""

    async def after_run(self, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return await super().after_run(*args, **kwargs)
        finally:
            AFTER_RUN.append(time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, default=1000, help='of the user')
    parser.add_argument('--runs', type=int, default=200)
    arguments = parser.parse_args()
    print(machine())
    if not asyncio.run(measured(arguments.memories, arguments.runs)):
        raise SystemExit(1)


async def measured(memories: int, runs: int) -> bool:
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    embedder = TimedEmbedder(resolve_embedder(None))
    with folder(None) as place:
        async with AsyncMemory(place / 'agent.db', embedder=embedder) as memory:
            said = [{'role': 'user', 'content': message(1, n)} for n in range(memories)]
            await memory.add(said, user_id='ana', infer=False)
            plain = Agent(TestModel(call_tools=[]), deps_type=str)
            capability = Timed(memory, scope=lambda ctx: Scope(user_id=ctx.deps))
            remembering = Agent(TestModel(call_tools=[]), deps_type=str, capabilities=[capability])
            without: list[float] = []
            with_it: list[float] = []
            embedding: list[float] = []
            for number in range(runs + 10):
                began = time.perf_counter()
                await plain.run(question(1, number), deps='ana')
                middle = time.perf_counter()
                before = embedder.seconds
                await remembering.run(question(1, number), deps='ana')
                end = time.perf_counter()
                in_embedder = embedder.seconds - before
                await memory.flush()  # what workers do is measured elsewhere
                if number >= 10:  # the first ones load modules
                    without.append(middle - began)
                    with_it.append(end - middle)
                    embedding.append(in_embedder)
            del AFTER_RUN[:10]
    added = [b - a for a, b in zip(without, with_it, strict=True)]
    beyond = [b - e for b, e in zip(added, embedding, strict=True)]
    title(f'a run of an agent, a user with {memories:,} memories')
    print(f'  without it                   {spread(without)}')
    print(f'  with it                      {spread(with_it)}')
    print(f'  in the embedder              {spread(embedding)}')
    print(f'  added, beyond the embedder   {spread(beyond)}')
    print(f'  of it after_run              {spread(AFTER_RUN)}')
    verdicts = [
        ('added beyond the embedder, p50', 1e3 * median(beyond), ADDED),
        ('after_run, p50', 1e3 * median(AFTER_RUN), AFTER),
    ]
    for name, value, goal in verdicts:
        print(f'  {"reached" if value <= goal else "MISSED "}  {name:<34} {value:6.2f} ms  (goal {goal:g})')
    return all(value <= goal for _, value, goal in verdicts)


if __name__ == '__main__':
    main()
