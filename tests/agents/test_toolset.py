"""The tools by which a model uses its memory: they reach the user's own, and tell the model what to do next."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import RetryFeedbackPart, ToolReturnPart
from pydantic_ai.models.test import TestModel

from _capability import Deps, Speaker, agent_of, lines_told, of_the_user, returned, run, stored
from _fakes import fast_async
from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory

TOOLS: dict[str, Any] = {'recall': 'tool', 'remember': 'tool'}


def outcomes(speaker: Speaker) -> list[tuple[str, str]]:
    """What came of each tool call in the last request: outcome and text."""
    parts = (part for message in speaker.requests[-1] for part in message.parts)
    return [(p.outcome, str(p.content)) for p in parts if isinstance(p, ToolReturnPart | RetryFeedbackPart)]


async def known(memory: AsyncMemory, **ids: str) -> list[str]:
    await memory.flush()
    return [m.text for m in await memory.get_all(**(ids or {'user_id': 'ana'}))]


def test_the_model_remembers_recalls_and_forgets() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            speaker = Speaker(('remember', {'fact': 'Likes green tea'}), 'Noted')
            await agent_of(memory, speaker, **TOOLS).run('I like green tea', deps=Deps())
            assert outcomes(speaker) == [('success', 'Remembered.')]
            assert await known(memory) == ['Likes green tea']

            speaker = Speaker(('recall', {'query': 'which tea'}), 'Green')
            await agent_of(memory, speaker, **TOOLS).run('Which tea do I like?', deps=Deps())
            (found,) = returned(speaker.requests[-1])
            assert found.startswith('<recalled_memory>')
            assert '- Likes green tea (' in found

            speaker = Speaker(('forget', {'memory_id': re.findall(r'\[(m:\w+)\]', found)[0]}), 'Forgotten')
            await agent_of(memory, speaker, **TOOLS).run('Forget the tea', deps=Deps())
            assert outcomes(speaker) == [('success', 'Forgotten.')]
            assert await known(memory) == []

    run(main())


def test_nothing_is_stored_or_told_by_itself_where_the_model_decides() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await agent_of(memory, speaker, **TOOLS).run('Which tea do I like?', deps=Deps())
            assert speaker.told == []
            assert await stored(memory) == ['user: Likes green tea']
        assert sorted(speaker.tools) == ['forget', 'recall', 'remember']
        assert 'call `recall`' in str(speaker.infos[0].instructions)

    run(main())


@pytest.mark.parametrize(
    ('arguments', 'names'),
    [
        ({}, []),
        ({'recall': 'tool'}, ['recall']),
        ({'remember': 'tool'}, ['forget', 'remember']),
        ({'tools': ['recall', 'forget']}, ['forget', 'recall']),
        ({'recall': 'tool', 'remember': 'tool', 'tools': []}, []),
    ],
)
def test_a_run_has_the_tools_that_were_asked_for(arguments: dict[str, Any], names: list[str]) -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await agent_of(memory, speaker, **arguments).run('Hello', deps=Deps())
        assert sorted(speaker.tools) == names

    run(main())


def test_no_tool_takes_an_id_of_a_user() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await agent_of(memory, speaker, **TOOLS).run('Hello', deps=Deps())
        arguments = {t.name: sorted(t.parameters_json_schema['properties']) for t in speaker.infos[0].function_tools}
        assert arguments == {
            'remember': ['fact', 'only_this_conversation'],
            'recall': ['query'],
            'forget': ['memory_id'],
        }

    run(main())


def test_a_model_can_not_reach_what_belongs_to_somebody_else() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            theirs = (await memory.add('Likes black tea', user_id='bob', infer=False)).memories[0]
            shared = (await memory.add('Tea is sold out', agent_id='clerk', infer=False)).memories[0]
            speaker = Speaker(
                ('recall', {'query': 'tea'}),
                ('forget', {'memory_id': theirs.id}),
                ('forget', {'memory_id': shared.id}),
                'Sorry',
            )
            scope = Scope(user_id='ana', agent_id='clerk')
            await agent_of(memory, speaker, scope=scope, retries=3, **TOOLS).run('Forget it', deps=Deps())
            assert [o for o, _ in outcomes(speaker)] == ['success', 'failed', 'failed']
            assert 'Tea is sold out' in outcomes(speaker)[0][1]
            assert 'black tea' not in outcomes(speaker)[0][1]
            assert await known(memory, user_id='bob') == ['Likes black tea']
            assert await known(memory, agent_id='clerk') == ['Tea is sold out']

    run(main())


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (('remember', {'fact': '  '}), 'fact is empty'),
        (('remember', {'fact': 'x' * 2_001}), 'shorter'),
        (('recall', {'query': ''}), 'query is empty'),
        (('recall', {'query': 'x' * 2_001}), 'shorter'),
        (('forget', {'memory_id': 'm:00000000'}), 'id at the end of a line'),
        (('forget', {'memory_id': 'e:00000000'}), 'not a memory'),
    ],
)
def test_arguments_that_can_not_be_used_are_told_to_the_model_with_what_to_do(
    call: tuple[str, dict[str, Any]], words: str
) -> None:
    async def main() -> None:
        speaker = Speaker(call, 'Sorry')
        async with fast_async() as memory:
            await agent_of(memory, speaker, **TOOLS).run('Hello', deps=Deps())
        assert [(o, words in text) for o, text in outcomes(speaker)] == [('failed', True)]

    run(main())


def test_a_model_that_is_wrong_again_and_again_breaks_no_run() -> None:
    async def main() -> None:
        calls = [('forget', {'memory_id': 'm:deadbeef'}), ('remember', {'fact': ' '}), ('recall', {'query': ''})] * 3
        async with fast_async() as memory:
            result = await agent_of(memory, Speaker(*calls, 'Sorry'), **TOOLS).run('Hello', deps=Deps())
            assert result.output == 'Sorry'
            every = LongTermMemory(memory, scope=of_the_user, **TOOLS)
            await Agent(TestModel(), deps_type=Deps, capabilities=[every]).run('Hello', deps=Deps())

    run(main())

    run(main())


def test_a_fact_may_be_kept_to_its_conversation() -> None:
    async def main() -> None:
        speaker = Speaker(('remember', {'fact': 'Sits at table seven', 'only_this_conversation': True}))
        async with fast_async() as memory:
            agent = agent_of(memory, speaker, tools=['remember'])
            await agent.run('I sit at table seven', deps=Deps(), conversation_id='dinner')
            await memory.flush()
            levels = {m.text: (m.level, m.scope.run_id) for m in await memory.get_all(user_id='ana')}
            assert levels['Sits at table seven'] == ('run', 'dinner')

    run(main())


def test_a_tool_call_that_is_done_again_stores_once() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            for _ in range(2):
                speaker = Speaker(('remember', {'fact': 'Likes tea'}))
                await agent_of(memory, speaker, **TOOLS).run('Hello', deps=Deps(), run_id='r1')
            assert await known(memory) == ['Likes tea']

    run(main())


def test_nothing_found_is_said() -> None:
    async def main() -> None:
        speaker = Speaker(('recall', {'query': 'tea'}))
        async with fast_async() as memory:
            await agent_of(memory, speaker, **TOOLS).run('Hello', deps=Deps())
        assert outcomes(speaker) == [('success', 'Nothing is known about that.')]

    run(main())


def test_what_a_tool_returned_is_neither_stored_nor_told_again() -> None:
    async def main() -> None:
        speaker = Speaker(('recall', {'query': 'which tea'}), 'Green', 'Green')
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = agent_of(memory, speaker, recall='auto', tools=['recall'])
            first = await agent.run('Hello there', deps=Deps())
            assert 'green tea' in returned(first.all_messages())[0]
            await agent.run('Which tea do I like?', deps=Deps(), message_history=first.all_messages())
            assert lines_told(speaker.requests[-1]) == []
            assert [text for text in await stored(memory) if 'recalled_memory' in text] == []

    run(main())
