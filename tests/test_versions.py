"""What a memory offers to those who read it long before they write: versions named, receipts found again, counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from _fakes import fast, fast_async
from memoranda import Conflict, InvalidInput, InvalidScope, MemoryNotFound, Scope, VersionMismatch
from memoranda.settings import Settings


def test_a_correction_of_another_version_is_refused_and_writes_nothing() -> None:
    with fast() as memory:
        known = memory.add('I like tea', user_id='ana').memories[0]
        memory.update(known.id, pinned=True, if_version=1, user_id='ana')

        with pytest.raises(VersionMismatch, match='has version 2 and not 1'):
            memory.update(known.id, text='I like milk', if_version=1, user_id='ana')
        with pytest.raises(Conflict):
            memory.delete(known.id, if_version=1, user_id='ana')
        for nonsense in (0, -1, True, '2'):
            with pytest.raises(InvalidInput, match='if_version'):
                memory.update(known.id, text='I like milk', if_version=nonsense, user_id='ana')  # type: ignore[arg-type]

        assert memory.get(known.id, user_id='ana').text == 'I like tea'
        memory.delete(known.id, if_version=2, user_id='ana')
        with pytest.raises(MemoryNotFound):
            memory.get(known.id, user_id='ana')


def test_of_two_corrections_of_one_version_one_is_made() -> None:
    async def go() -> None:
        async with fast_async() as memory:
            known = (await memory.add('I like tea', user_id='ana')).memories[0]
            done = await asyncio.gather(
                *(memory.update(known.id, tags=[f'tag-{n}'], if_version=1, user_id='ana') for n in range(8)),
                return_exceptions=True,
            )

            assert [type(one) for one in done].count(VersionMismatch) == 7
            assert (await memory.get(known.id, user_id='ana')).version == 2

    asyncio.run(go())


def test_a_receipt_is_found_again_by_its_job_after_a_restart(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', settings=Settings(workers=0)) as memory:
        receipt = memory.add('I like tea', user_id='ana', background=True)
        assert receipt.job_id is not None
        assert memory.receipt(receipt.job_id, user_id='ana').status == 'queued'
        with pytest.raises(MemoryNotFound):
            memory.receipt(receipt.job_id, user_id='ben')

    with fast(tmp_path / 'm.db') as memory:
        done = memory.receipt(receipt.job_id, user_id='ana').result(timeout=60)

        assert (done.status, done.episode_ids) == ('done', receipt.episode_ids)
        assert [edit.after.text for edit in done.changes] == ['I like tea']
        assert memory.receipt(receipt.job_id, user_id='ana').result() == done


def test_what_is_held_on_somebody_is_counted() -> None:
    with fast() as memory:
        memory.add('I like tea', user_id='ana', run_id='s1')

        held = memory.holdings(user_id='ana')
        assert (held.counts['episodes'], held.counts['memories'], held.forgotten_at) == (1, 1, None)
        assert memory.export(user_id='ana').counts == held.counts
        assert memory.holdings(user_id='ben').empty
        with pytest.raises(InvalidScope):
            memory.holdings(user_id='ana', run_id='s1')


def test_a_context_may_leave_out_what_a_project_shares() -> None:
    with fast() as memory:
        memory.scoped(Scope.GLOBAL).add('Closed on Mondays', infer=False, pinned=True)

        assert 'Mondays' in str(memory.context('when?', user_id='ana'))
        assert not memory.context('when?', user_id='ana', shared=False)
