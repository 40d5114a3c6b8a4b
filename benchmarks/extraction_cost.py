"""What extraction by a model costs: tokens of the fixed rules, and calls and tokens for 100 messages of LoCoMo.

The model is a stand-in that counts what it is sent, with the gate on and off, a session at a time and turn by turn. It
answers with an empty list, or with a fact for every message, which fills the memory and so the part of the prompt that
shows what is known. Tokens are those of o200k.

Usage: python benchmarks/extraction_cost.py PATH [--samples 2]
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from _common import locomo_file, machine, title
from memoranda import Memory
from memoranda.importers import read
from memoranda.testing import HashingEmbedder
from memoranda.write.llm import LLMExtractor
from memoranda.write.prompt import cost, rules, system

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models.function import AgentInfo

    from memoranda.importers.base import Conversation

GATE = 'memoranda.write.process.worth_reading'


@dataclass
class Counted:
    """What a model was sent."""

    calls: int = 0
    fixed: int = 0
    known: int = 0
    earlier: int = 0
    new: int = 0
    answered: int = 0

    @property
    def sent(self) -> int:
        return self.fixed + self.known + self.earlier + self.new


class Counting:
    """A model that counts. With `facts`, every message yields one: its first words."""

    def __init__(self, *, facts: bool) -> None:
        from pydantic_ai.models.function import FunctionModel

        self.counted, self._facts, self._fixed = Counted(), facts, 0
        self.model = FunctionModel(self._answer, model_name='counting')

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        from pydantic_ai.messages import ModelResponse, ToolCallPart

        (tool,) = info.output_tools
        if not self._fixed:
            self._fixed = cost(info.instructions or '') + cost(json.dumps(tool.parameters_json_schema))
        prompt = str(messages[-1].parts[-1].content)
        parts = {name: section(prompt, name) for name in ('known_facts', 'earlier_messages', 'new_messages')}
        arguments = {'operations': list(facts(parts['new_messages'])) if self._facts else []}
        counted = self.counted
        counted.calls += 1
        counted.fixed += self._fixed
        counted.known += cost(parts['known_facts'])
        counted.earlier += cost(parts['earlier_messages'])
        counted.new += cost(prompt) - cost(parts['known_facts']) - cost(parts['earlier_messages'])
        counted.answered += cost(json.dumps(arguments))
        return ModelResponse(parts=[ToolCallPart(tool.name, arguments)])


def section(prompt: str, tag: str) -> str:
    found = re.search(rf'<{tag}>.*</{tag}>', prompt, re.DOTALL)
    return found[0] if found else ''


def facts(shown: str) -> Iterator[dict[str, Any]]:
    for number, text in re.findall(r'^\[(\d+)\][^\n]*\n\| (.{1,120})', shown, re.MULTILINE):
        yield {'op': 'add', 'text': text, 'evidence': [{'message': int(number), 'quote': text}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('path', type=Path, nargs='?', help='locomo10.json or a part of it; by default LOCOMO_FILE')
    parser.add_argument('--samples', type=int, default=2, help='how many of its long conversations')
    arguments = parser.parse_args()
    print(machine())
    report_fixed()
    path = locomo_file(arguments.path)
    if path is None:
        return
    conversations = chosen(path, arguments.samples)
    messages = sum(len(c.messages) for c in conversations)
    title(f'for 100 messages, over {messages} in {len(conversations)} sessions of {arguments.samples} conversations')
    print(f'{"":<46}{"calls":>7}{"rules":>9}{"known":>8}{"earlier":>9}{"new":>8}{"all in":>9}{"out":>7}')
    for filled in (False, True):
        for turns in (False, True):
            for gate in (True, False):
                counted = run(conversations, turns=turns, gate=gate, facts=filled)
                how = 'turn by turn' if turns else 'a session at a time'
                name = f'{how}, gate {"on" if gate else "off"}, {"a fact each" if filled else "nothing found"}'
                line(name, counted, messages)


def report_fixed() -> None:
    from memoranda.write.answer import Answer

    title('the part that is the same in every call')
    for audience in ('user', 'agent'):
        with_lessons = system(audience, lessons=audience == 'user', kinds={}, instructions='')
        print(
            f'rules for the memory of a{"n" if audience == "agent" else ""} {audience}: {cost(rules(audience))} tokens'
        )
        if audience == 'user':
            print(f'  with lessons for an agent: {cost(with_lessons)} tokens')
    print(f'schema of the answer: {cost(json.dumps(Answer.model_json_schema()))} tokens as JSON')


def chosen(path: Path, samples: int) -> list[Conversation]:
    found: list[Conversation] = []
    users: dict[str | None, None] = {}
    for conversation in read(path, 'locomo'):
        users[conversation.user_id] = None
        if len(users) > samples:
            break
        found.append(conversation)
    return found


def run(conversations: Sequence[Conversation], *, turns: bool, gate: bool, facts: bool) -> Counted:
    counting = Counting(facts=facts)
    extractor = LLMExtractor(counting.model)
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=extractor) as memory:
        for conversation in conversations:
            batches = [[m] for m in conversation.messages] if turns else [conversation.messages]
            for batch in batches:
                # There is no setting for the gate: without it nothing is gained.
                if gate:
                    memory.add(batch, user_id=conversation.user_id, run_id=conversation.run_id)
                else:
                    with patch(GATE, return_value=True):
                        memory.add(batch, user_id=conversation.user_id, run_id=conversation.run_id)
    return counting.counted


def line(name: str, counted: Counted, messages: int) -> None:
    cells = [counted.fixed, counted.known, counted.earlier, counted.new, counted.sent, counted.answered]
    per = [100 * c / messages for c in cells]
    print(
        f'{name:<46}{100 * counted.calls / messages:7.1f}{per[0]:9,.0f}{per[1]:8,.0f}{per[2]:9,.0f}{per[3]:8,.0f}'
        f'{per[4]:9,.0f}{per[5]:7,.0f}',
        flush=True,
    )


if __name__ == '__main__':
    main()
