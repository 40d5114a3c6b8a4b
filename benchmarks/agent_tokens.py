"""Tokens an agent sends with its whole history and with what is recalled, and how much of the evidence that is.

Usage: python benchmarks/agent_tokens.py PATH [--max-tokens 800] [--top-k 5] [--questions 60]

LoCoMo's conversations are imported; then an agent is asked its questions, each in a new conversation. What is counted
is what the model is sent (instructions, block and question, without the tools), against all turns of the conversation
and the question. A turn of the evidence counts as recalled when it stands in the block, or when a fact does that rests
on it. Then the first turns of a conversation are played: each is sent with all that went before, or with what is
recalled. Tokens are those of o200k. No model answers: whether an answer is right is not measured here.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from _common import folder, import_locomo, locomo_file, machine, median, quantile, title
from memoranda import AsyncMemory, Memory, Scope
from memoranda.agents import LongTermMemory
from memoranda.evals.locomo import ADVERSARIAL, Question, read_questions
from memoranda.recall.block import count_tokens, short_id

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models.function import AgentInfo

    from memoranda.records import Episode

CITED = re.compile(r'\[([em]):(\w+)\]$', re.MULTILINE)
GOAL = 0.9


@dataclass
class Reader:
    """A model that notes what it was sent last, and says what it is told to."""

    answer: str = 'I see.'
    sent: str = ''
    totals: list[int] = field(default_factory=list)

    async def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        from pydantic_ai.messages import ModelResponse, TextPart

        texts = [info.instructions or '']
        for message in messages:
            for part in message.parts:
                content: object = getattr(part, 'content', '')
                items: Sequence[object] = (
                    [content] if isinstance(content, str) else list(cast('Sequence[object]', content))
                )
                texts += [str(getattr(item, 'content', item)) for item in items]
        self.sent = '\n'.join(texts)
        self.totals.append(count_tokens(self.sent))
        return ModelResponse(parts=[TextPart(self.answer)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('path', type=Path, nargs='?', help='locomo10.json or a part of it; by default LOCOMO_FILE')
    parser.add_argument('--max-tokens', type=int, default=800, help='of the block')
    parser.add_argument('--top-k', type=int, default=5)
    parser.add_argument('--questions', type=int, default=0, help='of each sample at the most; 0: all')
    parser.add_argument('--turns', type=int, default=15, help='of the conversation that is played')
    arguments = parser.parse_args()
    path = locomo_file(arguments.path)
    if path is None:
        return
    print(machine())
    with folder(None) as place:
        with Memory(place / 'locomo.db') as memory:
            import_locomo(memory, path)
        asyncio.run(asked(place / 'locomo.db', path, arguments))
        asyncio.run(played(place / 'played.db', place / 'locomo.db', path, arguments))


def agent_of(memory: AsyncMemory, reader: Reader, arguments: argparse.Namespace, *, remember: bool) -> Agent[str, str]:
    from pydantic_ai import Agent
    from pydantic_ai.models.function import FunctionModel

    capability = LongTermMemory[str](
        memory,
        scope=lambda ctx: Scope(user_id=ctx.deps),
        remember='auto' if remember else 'off',
        top_k=arguments.top_k,
        max_tokens=arguments.max_tokens,
        timeout=60.0,
    )
    return Agent(FunctionModel(reader.respond), deps_type=str, capabilities=[capability])


async def asked(database: Path, path: Path, arguments: argparse.Namespace) -> None:
    questions = [q for q in read_questions(path) if q.evidence and q.category != ADVERSARIAL]
    title(f'questions in new conversations, blocks of {arguments.max_tokens} tokens, top {arguments.top_k}')
    print(
        f'{"sample":<12}{"turns":>7}{"questions":>11}{"whole history":>15}'
        f'{"recalled p50":>14}{"p95":>6}{"fewer":>8}{"evidence":>10}'
    )
    saved: list[float] = []
    shares: list[float] = []
    async with AsyncMemory(database) as memory:
        for sample in dict.fromkeys(q.sample for q in questions):
            of_sample = [q for q in questions if q.sample == sample][: arguments.questions or None]
            episodes = await all_episodes(memory, sample)
            turns = await cited(memory, sample, episodes)
            history = count_tokens('\n'.join(f'{e.name or e.role}: {e.text}' for e in episodes))
            reader = Reader()
            agent = agent_of(memory, reader, arguments, remember=False)
            found = [await recalled(agent, reader, question, turns) for question in of_sample]
            whole = [history + count_tokens(q.text) for q in of_sample]
            less = [1 - sent / full for sent, full in zip(reader.totals, whole, strict=True)]
            saved += less
            shares += found
            print(
                f'{sample:<12}{len(episodes):>7}{len(of_sample):>11}{median(whole):>15,.0f}{median(reader.totals):>14,.0f}'
                f'{quantile(reader.totals, 0.95):>6,.0f}{median(less):>8.1%}{sum(found) / len(found):>10.3f}'
            )
    verdict = 'reached' if median(saved) >= GOAL else 'MISSED '
    print(
        f'{verdict} fewer tokens, median {median(saved):.1%} (goal {GOAL:.0%}); '
        f'evidence recalled {sum(shares) / len(shares):.3f}'
    )


async def all_episodes(memory: AsyncMemory, user: str) -> list[Episode]:
    found: list[Episode] = []
    cursor = None
    while True:
        page = await memory.episodes(user_id=user, limit=1000, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return sorted(found, key=lambda e: e.occurred_at)


async def cited(memory: AsyncMemory, user: str, episodes: Sequence[Episode]) -> Mapping[tuple[str, str], set[str]]:
    """The turns of the file that a citation in a block leads to."""
    of_episode = {e.id: {str(e.metadata.get('dia_id'))} for e in episodes}
    found = {('e', short_id(id_)): turns for id_, turns in of_episode.items()}
    cursor = None
    while True:
        page = await memory.get_all(user_id=user, limit=1000, cursor=cursor)
        for fact in page.items:
            found['m', short_id(fact.id)] = set().union(*(of_episode.get(e.episode_id, set()) for e in fact.evidence))
        cursor = page.cursor
        if cursor is None:
            return found


async def recalled(
    agent: Agent[str, str], reader: Reader, question: Question, turns: Mapping[tuple[str, str], set[str]]
) -> float:
    """The share of a question's evidence that the model was shown."""
    await agent.run(question.text, deps=question.sample)
    shown: set[str] = set()
    for kind, short in CITED.findall(reader.sent):
        shown |= turns.get((kind, short), set())
    return len(shown & set(question.evidence)) / len(question.evidence)


async def played(database: Path, imported: Path, path: Path, arguments: argparse.Namespace) -> None:
    """The first turns of the first sample: the first speaker is the user, the other one the assistant."""
    sample = read_questions(path)[0].sample
    async with AsyncMemory(imported) as source:
        episodes = await all_episodes(source, sample)
    speaker = episodes[0].name
    said: list[tuple[str, str]] = []
    for episode in episodes:
        if episode.name == speaker:
            said.append((episode.text, ''))
        elif said:
            said[-1] = (said[-1][0], f'{said[-1][1]} {episode.text}'.strip())
    said = said[: arguments.turns]
    title(f'{len(said)} turns of a conversation, each sent with all before it or with what is recalled')
    reader = Reader()
    whole: list[int] = []
    history: list[str] = []
    async with AsyncMemory(database) as memory:
        agent = agent_of(memory, reader, arguments, remember=True)
        for prompt, answer in said:
            reader.answer = answer or 'I see.'
            await agent.run(prompt, deps='user', conversation_id='played')
            await memory.flush()
            whole.append(count_tokens('\n'.join([*history, prompt])))
            history += [prompt, reader.answer]
    print(f'{"turn":<8}{"whole history":>15}{"recalled":>10}')
    for number in sorted({1, len(said) // 2, len(said)} - {0}):
        print(f'{number:<8}{whole[number - 1]:>15,}{reader.totals[number - 1]:>10,}')
    print(f'{"all":<8}{sum(whole):>15,}{sum(reader.totals):>10,}   {1 - sum(reader.totals) / sum(whole):.1%} fewer')


if __name__ == '__main__':
    main()
