"""Who read what, and on whose account edits are: noted in the audit chain, without a word."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from _fakes import fast, fast_async
from memoranda import AsyncMemory, InvalidInput, MemoryNotFound, Policy, Scope, StoreError
from memoranda.agents import LongTermMemory
from memoranda.settings import Settings


def test_edits_are_on_the_account_of_who_made_them(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        jane = memory.acting_as('support:jane', reason='ticket 7')
        assert (memory.actor, jane.actor, jane.in_project('other').actor) == (None, 'support:jane', 'support:jane')
        assert jane.scoped(Scope(user_id='ana')).actor == 'support:jane'
        assert jane.project_wide().acting_as('bob').actor == 'bob'
        known = memory.add('likes tea', user_id='ana').memories[0]
        jane.update(known.id, text='likes coffee', user_id='ana')
        jane.delete(known.id, user_id='ana')
        (undone_,) = memory.changes(user_id='ana', limit=1)
        jane.revert(undone_.id, user_id='ana')
        told = [(e.op, e.actor, e.reason) for e in memory.history(known.id, user_id='ana')]
        assert told[1:3] == [
            ('update', 'support:jane', 'edited: ticket 7'),
            ('retract', 'support:jane', 'deleted: ticket 7'),
        ]
        assert told[3][1] == 'support:jane'
        assert memory.verify(user_id='ana').ok
        for nobody in ('', ' ', 'x' * 201, 7, None, 'a\0b'):
            with pytest.raises(InvalidInput):
                memory.acting_as(nobody)  # pyright: ignore[reportArgumentType]


def test_reads_are_noted_with_who_which_and_why_and_without_words(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with fast(path, policy=Policy(audit_reads=True)) as memory:
        known = memory.add('likes liquorice', user_id='ana', run_id='r1').memories[0]
        jane = memory.acting_as('support:jane', reason='ticket 7')
        memory.search('zanzibar quokka', user_id='ana')
        memory.search('wombat', user_id='ana')
        jane.get(known.id, user_id='ana')
        jane.get_all(user_id='ana')
        jane.history(known.id, user_id='ana')
        jane.changes(user_id='ana')
        jane.episodes(user_id='ana')
        jane.project_wide().get(known.id)
        memory.context('liquorice', user_id='ana')
        memory.search('anything', user_id='nobody')
        found = memory.reads(user_id='ana').items
        assert {(r.actor, r.purpose, r.reason, r.times) for r in found} == {
            ('caller', 'search', '', 2),
            ('caller', 'context', '', 1),
            ('support:jane', 'get', 'ticket 7', 2),
            ('support:jane', 'get_all', 'ticket 7', 1),
            ('support:jane', 'history', 'ticket 7', 1),
            ('support:jane', 'changes', 'ticket 7', 1),
            ('support:jane', 'episodes', 'ticket 7', 1),
        }
        by_purpose = {r.purpose: r for r in found}
        assert by_purpose['search'].memory_ids == (known.id,)
        assert by_purpose['episodes'].message_ids == (known.evidence[0].episode_id,)
        assert (by_purpose['search'].kind, by_purpose['search'].key) == ('user', 'ana')
        assert [e.op for e in memory.history(known.id, user_id='ana')] == ['add']
        assert memory.reads(user_id='nobody').items == ()
        assert {r.purpose for r in memory.project_wide().reads(known.id)} >= {'search', 'get'}
        assert [r.purpose for r in memory.project_wide().reads(limit=1)] == [
            memory.reads(user_id='ana').items[0].purpose
        ]
        with pytest.raises(MemoryNotFound):
            memory.reads(known.id, user_id='ben')
        verified = memory.project_wide().verify()
        assert verified.ok
        assert verified.reads >= 7
    raw = b''.join(p.read_bytes() for p in tmp_path.iterdir())
    assert b'quokka' not in raw
    assert b'zanzibar' not in raw


def test_reads_are_listed_a_page_at_a_time(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
        ids = [memory.add(f'fact {n}', user_id=user).memories[0].id for n, user in enumerate(('ana', 'ana', 'ben'))]
        for actor in 'abc':
            for memory_id in ids:
                memory.project_wide().acting_as(actor).get(memory_id)
            memory.reads(user_id='ana', limit=1)  # they are written now
        for call, expected in (
            (lambda **a: memory.reads(user_id='ana', **a), 3),
            (lambda **a: memory.project_wide().reads(**a), 6),
            (lambda **a: memory.reads(ids[0], user_id='ana', **a), 3),
        ):
            seen: list[str] = []
            cursor = None
            while True:
                page = call(limit=2, cursor=cursor)
                seen += [r.id for r in page]
                cursor = page.cursor
                if cursor is None:
                    break
            assert len(seen) == expected
            assert seen == sorted(seen, reverse=True)


def test_nothing_is_noted_unless_the_policy_says_so(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes tea', user_id='ana')
        memory.search('tea', user_id='ana')
        assert memory.reads(user_id='ana').items == ()
        assert memory.verify(user_id='ana').entries == 1


def test_reads_are_written_when_the_memory_is_closed(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
        memory.add('likes tea', user_id='ana')
        memory.search('tea', user_id='ana')
    with fast(tmp_path / 'm.db') as again:
        assert [r.purpose for r in again.reads(user_id='ana')] == ['search']
        assert again.verify(user_id='ana').ok


async def waited(memory: AsyncMemory) -> None:
    while not await memory.reads(user_id='ana'):
        pass


def test_reads_are_written_within_a_moment_without_anybody_asking(tmp_path: Path) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
            await memory.add('likes tea', user_id='ana')
            await memory.search('tea', user_id='ana')
            async with fast_async(tmp_path / 'm.db') as other:  # which knows nothing of what waits in the first
                await asyncio.wait_for(waited(other), 20)

    asyncio.run(main())


def test_a_read_that_can_not_be_noted_is_refused_where_errors_raise(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    settings_ = Settings(errors='raise', busy_timeout=0.05)
    with fast(path, policy=Policy(audit_reads=True), settings=settings_) as memory:
        memory.add('likes tea', user_id='ana')
        memory.search('tea', user_id='ana')
        assert memory.verify(user_id='ana').reads == 1
        with closing(apsw.Connection(str(path))) as other:
            other.execute('BEGIN IMMEDIATE')
            with pytest.raises(StoreError):
                memory.search('tea', user_id='ana')
            other.execute('ROLLBACK')
        assert memory.verify(user_id='ana').reads == 1


def test_reads_wait_in_the_process_while_the_storage_can_not_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / 'm.db'
    with fast(path, policy=Policy(audit_reads=True), settings=Settings(busy_timeout=0.05)) as memory:
        memory.add('likes tea', user_id='ana')
        with closing(apsw.Connection(str(path))) as other:
            other.execute('BEGIN IMMEDIATE')
            assert memory.search('tea', user_id='ana')
            assert memory.reads(user_id='ana').items == ()
            assert 'reads can not be noted' in caplog.text
            other.execute('ROLLBACK')
        assert [r.times for r in memory.reads(user_id='ana')] == [1]
        assert 'reads can be noted in the audit chain again' in caplog.text
        assert memory.verify(user_id='ana').ok


def test_an_agents_reads_are_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
            await memory.add('likes tea', user_id='ana')
            scope = Scope(user_id='ana', agent_id='waiter')
            agent = Agent(TestModel(call_tools=[]), capabilities=[LongTermMemory(memory, scope=scope)])
            await agent.run('what does she like? tea')
            found = (await memory.reads(user_id='ana')).items
            assert {(r.actor, r.purpose) for r in found} == {('agent:waiter', 'context')}

    asyncio.run(main())


def test_an_export_is_a_read_of_everything(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
        known = memory.add('likes tea', user_id='ana').memories[0].id
        memory.acting_as('dpo:kim', reason='request 9').export(user_id='ana')
        (found,) = memory.reads(known, user_id='ana')
        assert (found.actor, found.purpose, found.reason, found.everything) == ('dpo:kim', 'export', 'request 9', True)
        assert found.memory_ids == ()
