"""What the capability adds to a run of an agent, for a user with many memories.

Usage: python benchmarks/agent_latency.py [--memories 1000] [--runs 200] [--model-ms 100] [--postgres | --url URL]

The same agent runs with the capability and without it, in turns. What counts is the time until the model is asked, and
that of `after_run`, which is over before the run returns; the time in which the question is embedded is shown apart.
What is done meanwhile makes that longer, so what is added in all counts too. Facts are drawn after the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass
from typing import Any

from _common import TimedEmbedder, folder, machine, median, spread, title
from _load import message, question
from _server import add_options, asked_for
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
    add_options(parser)
    parser.add_argument('--model-ms', type=float, default=100.0, help='how long the model takes')
    arguments = parser.parse_args()
    print(machine())
    with folder(None) as place, asked_for(arguments) as base:
        database = base.url if base is not None else str(place / 'agent.db')
        reached = asyncio.run(measured(database, arguments.memories, arguments.runs, arguments.model_ms))
    if not reached:
        raise SystemExit(1)


async def measured(database: str, memories: int, runs: int, model_ms: float) -> bool:
    from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    embedder = TimedEmbedder(resolve_embedder(None))
    asked: list[tuple[float, float]] = []

    async def answering(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append((time.perf_counter(), embedder.in_questions))
        await asyncio.sleep(model_ms / 1e3)
        return ModelResponse(parts=[TextPart('Thank you, that is noted.')])

    async with AsyncMemory(database, embedder=embedder) as memory:
        said = [{'role': 'user', 'content': message(1, n)} for n in range(memories)]
        await memory.add(said, user_id='ana', infer=False)
        plain = Agent(FunctionModel(answering), deps_type=str)
        capability = Timed(memory, scope=lambda ctx: Scope(user_id=ctx.deps))
        remembering = Agent(FunctionModel(answering), deps_type=str, capabilities=[capability])
        before: list[float] = []
        beyond: list[float] = []
        embedding: list[float] = []
        whole: list[float] = []
        for number in range(runs + 10):
            begun = time.perf_counter()
            await plain.run(question(1, number), deps='ana')
            middle, seconds = time.perf_counter(), embedder.in_questions
            await remembering.run(question(1, number), deps='ana')
            end = time.perf_counter()
            await memory.flush()  # what workers do after a run is measured elsewhere
            if number >= 10:  # the first ones load modules
                (without, _), (with_it, embedded) = asked[-2:]
                added, in_embedder = (with_it - middle) - (without - begun), embedded - seconds
                before.append(added)
                beyond.append(added - in_embedder)
                embedding.append(in_embedder)
                whole.append((end - middle) - (middle - begun))
        del AFTER_RUN[:10]
    title(f'a run of an agent whose model takes {model_ms:g} ms, a user with {memories:,} memories')
    print(f'  added before the model is asked    {spread(before)}')
    print(f'    of it in the embedder            {spread(embedding)}')
    print(f'    of it beyond the embedder        {spread(beyond)}')
    print(f'  after_run                          {spread(AFTER_RUN)}')
    print(f'  added in all                       {spread(whole)}')
    verdicts = [
        ('added before the model, beyond the embedder, p50', 1e3 * median(beyond), ADDED),
        ('after_run, p50', 1e3 * median(AFTER_RUN), AFTER),
    ]
    for name, value, goal in verdicts:
        print(f'  {"reached" if value <= goal else "MISSED "}  {name:<50} {value:6.2f} ms  (goal {goal:g})')
    return all(value <= goal for _, value, goal in verdicts)


if __name__ == '__main__':
    main()
