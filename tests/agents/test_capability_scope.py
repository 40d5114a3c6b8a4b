"""Whose memory a run may touch: that of its user, and of nobody when there is none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.capabilities import PrefixTools
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.test import TestModel

from _capability import Deps, Speaker, agent_of, returned, run, stored
from _fakes import fast_async
from memoranda import Scope
from memoranda.agents import LongTermMemory


@dataclass
class Unusable:
    """Dependencies that name no user."""

    user_id: Any


def raising(ctx: Any) -> Scope:
    raise LookupError('the secret name of ana')


async def eventually(ctx: Any) -> Scope:
    return Scope(user_id='ana')


@pytest.mark.parametrize('user', [None, '', '  ', '*', 7])
def test_without_a_usable_user_a_run_has_no_memory_and_one_warning_says_so(
    user: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent: Agent[Any, Any] = agent_of(memory, speaker, tools=('recall', 'remember', 'forget'))
            with caplog.at_level(logging.WARNING, 'memoranda'):
                await agent.run('Which tea do I like?', deps=Unusable(user))
            assert speaker.told == []
            assert (await memory.stats()).episodes == 1
        assert [r.levelname for r in caplog.records if 'no memory' in r.message] == ['WARNING']

    run(main())


@pytest.mark.parametrize(
    'scope',
    [raising, eventually, lambda ctx: None, lambda ctx: Scope(), lambda ctx: 'ana', lambda ctx: Scope(user_id=ctx.no)],
)
def test_a_scope_function_that_fails_leaves_the_run_without_memory(
    scope: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        speaker = Speaker('Hello')
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            with caplog.at_level(logging.WARNING, 'memoranda'):
                result = await agent_of(memory, speaker, scope=scope).run('Which tea do I like?', deps=Deps())
            assert result.output == 'Hello'
            assert speaker.told == []
            assert (await memory.stats()).episodes == 1
        assert len(caplog.records) == 1
        assert 'secret' not in caplog.text

    run(main())


def test_tools_of_a_run_without_a_user_touch_nothing_and_say_so() -> None:
    async def main() -> None:
        speaker = Speaker(('remember', {'fact': 'Likes tea'}), ('recall', {'query': 'tea'}), 'Hello')
        async with fast_async() as memory:
            result = await agent_of(memory, speaker, recall='tool', remember='tool').run('Hi', deps=Deps(None))
            assert (await memory.stats()).episodes == 0
        assert result.output == 'Hello'
        assert 'There is no memory in this conversation' in str(speaker.requests[-1])

    run(main())


def test_what_somebody_anonymous_says_stays_in_their_conversation() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Opens at nine', agent_id='shop', infer=False)
            agent = agent_of(memory, speaker, scope=lambda ctx: Scope(user_id=ctx.deps.user_id, agent_id='shop'))
            await agent.run('I am looking for a red hat', deps=Deps(None), conversation_id='one')
            await memory.flush()
            await agent.run('Who looks for a red hat, and is it open at nine?', deps=Deps(None), conversation_id='two')
            assert speaker.told == ['Opens at nine']
            assert [m.text for m in await memory.get_all(agent_id='shop')] == ['Opens at nine']

    run(main())


def test_a_fixed_scope_without_a_user_is_the_memory_of_the_agent_in_all_conversations() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            agent = agent_of(memory, speaker, scope=Scope(agent_id='tagger'))
            await agent.run('Cooking videos get the tag food', deps=Deps('ana'))
            await memory.flush()
            await agent.run('Which tag do cooking videos get?', deps=Deps('bob'))
            assert 'Cooking videos get the tag food' in speaker.told

    run(main())


def test_an_agent_tells_its_user_what_agent_and_application_share() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('The tea shop opens at nine', app_id='shop', infer=False)
            await memory.add('Tea is asked for a lot', agent_id='clerk', infer=False)
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await memory.add('Likes black tea', user_id='bob', infer=False)
            scope = Scope(user_id='ana', agent_id='clerk', app_id='shop')
            await agent_of(memory, speaker, scope=scope).run('Tell me about tea, the shop and me', deps=Deps())
            assert {'The tea shop opens at nine', 'Tea is asked for a lot', 'Likes green tea'} >= set(speaker.told)
            assert 'Likes green tea' in speaker.told

    run(main())


def test_a_conversation_with_an_unusual_name_is_one_too() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            agent = agent_of(memory)
            for name in ('x' * 300, 'two\nlines', ' spaces '):
                await agent.run('here: the table is number seven', deps=Deps(), conversation_id=name)
            page = await memory.episodes(user_id='ana')
        runs = {e.scope.run_id for e in page.items}
        assert len(runs) == 3
        assert all(str(name).startswith('sha256:') for name in runs)

    run(main())


def test_a_scope_may_name_a_conversation_itself() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            scope = Scope(user_id='ana', run_id='ticket-7')
            await agent_of(memory, scope=scope).run('I live in Lisbon', deps=Deps(), conversation_id='other')
            assert len(await stored(memory, user_id='ana', run_id='ticket-7')) == 2

    run(main())


def test_two_memories_on_one_agent_have_ids_of_their_own() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as mine, fast_async() as ours:
            await mine.add('Likes green tea', user_id='ana', infer=False)
            await ours.add('The kettle for tea is broken', app_id='team', infer=False)
            agent = Agent(
                speaker.model,
                capabilities=[
                    LongTermMemory(mine, scope=Scope(user_id='ana')),
                    LongTermMemory(ours, scope=Scope(app_id='team'), remember='off', id='team_memory', tools=()),
                ],
            )
            await agent.run('Is there any tea that I like?')
            assert sorted(speaker.told) == ['Likes green tea', 'The kettle for tea is broken']
            assert (await ours.stats()).episodes == 1

    run(main())


def test_tools_of_a_second_memory_have_a_prefix() -> None:
    async def main() -> None:
        speaker = Speaker(('recall', {'query': 'tea'}), ('team_recall', {'query': 'kettle'}), 'Green')
        async with fast_async() as mine, fast_async() as ours:
            await mine.add('Likes green tea', user_id='ana', infer=False)
            await ours.add('The kettle is broken', app_id='team', infer=False)
            team = LongTermMemory(ours, scope=Scope(app_id='team'), recall='tool', remember='off', id='team_memory')
            own = LongTermMemory(mine, scope=Scope(user_id='ana'), recall='tool', remember='auto')
            agent = Agent(speaker.model, capabilities=[own, PrefixTools(team, prefix='team')])
            await agent.run('Tea, please')
            assert sorted(speaker.tools) == ['recall', 'team_recall']
            first, second = returned(speaker.requests[-1])
            assert 'Likes green tea' in first
            assert 'The kettle is broken' in second
            assert (await stored(mine))[1:] == ['user: Tea, please', 'assistant: Green']

    run(main())


def test_of_one_memory_given_twice_what_the_later_one_says_counts() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            scope = Scope(user_id='ana')
            first = LongTermMemory(memory, scope=scope, recall='off', guidance='Mind the memory.')
            second = LongTermMemory(memory, scope=scope, recall='auto', remember='off')
            agent = Agent(speaker.model, capabilities=[first, second])
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await agent.run('Which tea do I like?')
            assert speaker.told == ['Likes green tea']
            assert speaker.infos[0].instructions == 'Mind the memory.'
            assert len(await stored(memory)) == 1

    run(main())


def test_what_the_earlier_one_said_and_does_not_count_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    memory = fast_async()

    def capability(**arguments: Any) -> LongTermMemory[Any]:
        return LongTermMemory(memory, scope=Scope(user_id='ana'), **arguments)

    Agent(TestModel(), capabilities=[capability(), capability(guidance='Mind it.', tools=('recall',))])
    assert not caplog.messages
    Agent(TestModel(), capabilities=[capability(max_tokens=400, recall='off'), capability(recall='auto')])
    (told,) = caplog.messages
    assert "have the id 'long_term_memory' and differ in max_tokens, recall" in told
    assert 'give each its own id' in told


@pytest.mark.parametrize('other', [Scope(app_id='team'), lambda _: Scope(user_id='ana')])
def test_two_scopes_of_one_memory_with_one_id_are_refused(other: Any) -> None:
    from memoranda import ConfigurationError

    memory = fast_async()
    given = [LongTermMemory(memory, scope=scope) for scope in (Scope(user_id='ana'), other)]
    with pytest.raises(ConfigurationError, match=r'2 LongTermMemory capabilities with scopes .* give each its own id'):
        Agent(TestModel(), capabilities=given)


def test_a_prefix_for_the_tools_of_a_second_memory_does_not_hide_that_its_id_is_taken() -> None:
    memory = fast_async()
    own, team = (LongTermMemory(memory, scope=scope) for scope in (Scope(user_id='ana'), Scope(app_id='team')))
    with pytest.raises(UserError, match='long_term_memory'):
        Agent(TestModel(), capabilities=[own, PrefixTools(team, prefix='team')])


def test_two_memories_with_one_id_are_refused() -> None:
    from memoranda import ConfigurationError

    async def main() -> None:
        async with fast_async() as mine, fast_async() as ours:
            given = [LongTermMemory(memory, scope=Scope(user_id='ana')) for memory in (mine, ours)]
            with pytest.raises(ConfigurationError, match='give each its own id'):
                await Agent(TestModel(), capabilities=given).run('Hello')

    run(main())


def test_a_run_may_bring_a_memory_that_takes_the_place_of_the_agents() -> None:
    async def main() -> None:
        speaker = Speaker()
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            await memory.add('Likes black tea', user_id='bob', infer=False)
            agent = agent_of(memory, speaker)
            other = LongTermMemory(memory, scope=Scope(user_id='bob'))
            await agent.run('Which tea do I like?', deps=Deps('ana'), capabilities=[other])
            assert speaker.told == ['Likes black tea']

    run(main())


@pytest.mark.parametrize(
    ('arguments', 'user'), [({'user_id': 'ana'}, 'ana'), ({'user_id_from': 'user_id', 'agent_id': 'clerk'}, 'bob')]
)
def test_an_agent_can_be_made_from_a_specification(arguments: dict[str, str], user: str, tmp_path: Any) -> None:
    async def main() -> None:
        database = str(tmp_path / 'memory.db')
        agent = Agent.from_spec(
            {'model': 'test', 'capabilities': [{'LongTermMemory': {'database': database, **arguments}}]},
            custom_capability_types=[LongTermMemory],
            deps_type=Deps,
        )
        await agent.run('I live in Lisbon', deps=Deps('bob'))
        async with fast_async(database) as memory:
            assert (await stored(memory, user_id=user))[0] == 'user: I live in Lisbon'
        for capability in agent.root_capability.capabilities:
            if isinstance(capability, LongTermMemory):
                await capability.memory.close()

    run(main())
