"""A client is used like a memory: the same methods, arguments and records."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from _client import remote
from memoranda import AsyncClient, AsyncMemory, Client, Conflict, InvalidInput, Memory, MemoryNotFound, Scope
from memoranda.client.review import RemoteReviewQueue
from memoranda.consent.review import ReviewQueue

_PAGE = Path(__file__).parents[2] / 'docs' / 'client.md'
_OF_THE_STORAGE = 'for whoever runs the storage'
_OF_THE_KEY = 'the API key decides'
MISSING = {
    'acting_as': _OF_THE_KEY,
    'in_project': _OF_THE_KEY,
    'project': _OF_THE_KEY,
    'keys': _OF_THE_STORAGE,
    'engine': _OF_THE_STORAGE,
    'backup': _OF_THE_STORAGE,
    'reindex': _OF_THE_STORAGE,
    'index_status': _OF_THE_STORAGE,
    'index_verify': _OF_THE_STORAGE,
    'index_rebuild': _OF_THE_STORAGE,
    'index_flush': _OF_THE_STORAGE,
    'index_drop': _OF_THE_STORAGE,
    'finish_erasure': _OF_THE_STORAGE,
    'process_one_job': _OF_THE_STORAGE,
    'works': _OF_THE_STORAGE,
    'register_profile': 'extraction runs on the server',
    'apply': 'a preview holds a plan, which stays on the server',
}
"""Methods of a memory that a client lacks, and why. docs/client.md lists them."""
LACKING = {
    'context': {'shared'},
    'forget': {'whole_project'},
    'verify_erasure': {'texts'},
    'import_subject': {'progress'},
    'verify': {'all_projects', 'progress'},
    'checkpoint': {'all_projects'},
    'audit_log': {'all_projects'},
}
"""Parameters that it lacks."""
FURTHER = {'patient', 'rules', 'known_rules', 'project_name'}
"""What only a client has."""


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith('_')}


def parameters(kind: type, name: str) -> dict[str, tuple[Any, Any]]:
    found = inspect.signature(getattr(kind, name)).parameters
    return {p.name: (p.kind, p.default) for p in found.values()}


def test_a_client_has_every_method_of_a_memory_that_is_not_listed_as_missing() -> None:
    assert public(AsyncMemory) - public(AsyncClient) == set(MISSING)
    assert public(AsyncClient) - public(AsyncMemory) == FURTHER


def test_their_parameters_are_the_same_but_for_those_that_are_listed() -> None:
    differing: dict[str, set[str]] = {}
    for name in sorted(public(AsyncMemory) & public(AsyncClient)):
        if not inspect.isfunction(getattr(AsyncMemory, name)):
            continue
        ours, theirs = parameters(AsyncMemory, name), parameters(AsyncClient, name)
        assert {n: p for n, p in ours.items() if n in theirs} == theirs, name
        if lacking := set(ours) - set(theirs):
            differing[name] = lacking
    assert differing == LACKING


def test_the_review_queue_of_a_client_is_that_of_a_memory() -> None:
    assert public(RemoteReviewQueue) == public(ReviewQueue)
    for name in public(ReviewQueue):
        assert parameters(RemoteReviewQueue, name) == parameters(ReviewQueue, name), name


def test_every_method_of_the_async_client_exists_on_the_blocking_one() -> None:
    assert public(AsyncClient) - {'patient', 'known_rules'} == public(Client) - {'aio'}
    assert public(Memory) - public(Client) == set(MISSING)


def test_what_is_missing_is_documented_with_its_reason() -> None:
    told = _PAGE.read_text(encoding='utf-8')
    assert [name for name in MISSING if f'`{name}`' not in told] == []
    assert [name for names in LACKING.values() for name in names if f'`{name}`' not in told] == []


class Home(BaseModel):
    city: str | None = None
    allergies: list[str] = []


async def _filled(memory: AsyncMemory) -> None:
    await memory.add('home.city = Lisbon', user_id='ana', run_id='r1', metadata={'n': [1, {'a': None}]})
    await memory.add('home.city = Porto', user_id='ana')
    await memory.add('here: we talk about boats', user_id='ana', run_id='r1')
    await memory.add('tells of Lisbon and of boats', user_id='ana', agent_id='guide')
    await memory.add('everybody knows tea', agent_id='guide')
    await memory.scoped(Scope.GLOBAL).add('the office is closed on Sunday')
    await memory.add('prefers tea', user_id='bo', infer=False, kind='preference', tags=('drink',), pinned=True)


def _asked(memory: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    then = datetime(2020, 1, 1, tzinfo=UTC)
    return {
        'search': lambda: memory.search('where does she live?', user_id='ana', top_k=10),
        'search a run': lambda: memory.search('boats', user_id='ana', run_id='r1', include=('memories', 'episodes')),
        'search explained': lambda: memory.search('Porto', user_id='ana', strategy='keyword', explain=True),
        'search by a filter': lambda: memory.search('tea', user_id='bo', filters={'kind': 'preference'}),
        'search the past': lambda: memory.search('Lisbon', user_id='ana', as_of=then, levels=['user']),
        'search what is shared': lambda: memory.scoped(Scope.GLOBAL).search('Sunday'),
        'context': lambda: memory.context('where does she live?', user_id='ana', run_id='r1', agent_id='guide'),
        'context of another': lambda: memory.context('tea', user_id='bo', max_tokens=60, top_k=2),
        'get_all': lambda: memory.get_all(user_id='ana', include_inactive=True),
        'get_all by a filter': lambda: memory.get_all(user_id='bo', filters={'said_at': {'gt': then}, 'tags': 'drink'}),
        'get_slot': lambda: memory.get_slot('home.city', user_id='ana'),
        'get_slot unknown': lambda: memory.get_slot('home.country', user_id='ana'),
        'episodes': lambda: memory.episodes(session_id='r1', user_id='ana'),
        'history of a slot': lambda: memory.history(slot='home.city', user_id='ana'),
        'changes': lambda: memory.changes(user_id='ana', limit=50),
        'profile': lambda: memory.profile(Home, user_id='ana'),
        'profile of a run': lambda: memory.profile(Home, user_id='ana', run_id='r1'),
        'holdings': lambda: memory.holdings(user_id='ana'),
        'audit_log': lambda: memory.audit_log(user_id='ana'),
        'reads': lambda: memory.reads(user_id='ana'),
        'clean': lambda: memory.clean(user_id='ana', kinds=['profile'], dry_run=True),
    }


def _comparable(value: Any, name: str) -> Any:
    if name == 'profile' or name == 'profile of a run':
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if name == 'clean':  # a dry run makes up ids
        return [(e.op, e.after.id) for e in value.edits], value.counts, value.left
    return value


def test_reads_give_the_same_records_as_the_memory_itself() -> None:
    async def main() -> None:
        async with remote() as at:
            await _filled(at.memory)
            async with at.client() as client:
                here, there = _asked(at.memory), _asked(client)
                for name in here:
                    expected, found = await here[name](), await there[name]()
                    assert type(found) is type(expected), name
                    assert _comparable(found, name) == _comparable(expected, name), name
                exported, expected = await client.export(user_id='ana'), await at.memory.export(user_id='ana')
                assert exported.digest == expected.digest
                assert exported.counts == expected.counts
                assert list(exported.canonical()) == list(expected.canonical())
                assert (await client.verify(user_id='ana')).ok
                anchor = await client.project_wide().checkpoint()
                assert (await client.project_wide().verify(anchor=anchor)).anchored == anchor.chains.__len__()
                assert (await client.stats()).memories == (await at.memory.stats()).memories
                assert await client.project_name() == at.memory.project

    asyncio.run(main())


def test_pages_go_on_where_the_one_before_ended() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            for number in range(5):
                await at.memory.add(f'fact {number}', user_id='ana')
            texts: list[str] = []
            cursor: str | None = None
            while True:
                page = await client.get_all(user_id='ana', limit=2, cursor=cursor)
                texts += [m.text for m in page]
                cursor = page.cursor
                if cursor is None:
                    break
            assert texts == [f'fact {number}' for number in range(5)]

    asyncio.run(main())


def test_writes_do_and_answer_what_those_of_a_memory_do() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            added = await client.add('home.city = Lisbon', user_id='ana', metadata={'n': 1})
            record = added.memories[0]
            assert record == await at.memory.get(record.id, user_id='ana') == await client.get(record.id, user_id='ana')
            assert (await client.preview('home.city = Porto', user_id='ana')).memories[0].value == 'Porto'
            changed = await client.update(record.id, text='Lives in Porto', slot=None, if_version=1, user_id='ana')
            assert (changed.text, changed.slot, changed.locked, changed.version) == ('Lives in Porto', None, True, 2)
            assert changed == await at.memory.get(record.id, user_id='ana')
            change = (await client.changes(user_id='ana')).items[0]
            await client.revert(change.id, user_id='ana')
            assert (await client.get(record.id, user_id='ana')).slot == 'home.city'
            assert await client.delete(record.id, user_id='ana') == 1
            with pytest.raises(MemoryNotFound):
                await client.get(record.id, user_id='ana')
            assert (await client.add([{'role': 'system', 'content': 'be kind'}], user_id='ana')).episode_ids == ()
            kept = await client.add('likes tea', user_id='bo', infer=False, supersedes=None)
            assert kept.memories[0].text == 'likes tea'
            assert (await client.delete_all(user_id='bo')).memories == 1
            receipt = await client.forget(user_id='ana')
            assert (await client.verify_erasure(receipt)).ok
            assert (await at.memory.holdings(user_id='ana')).forgotten_at is not None

    asyncio.run(main())


def test_a_background_add_gives_a_receipt_that_can_be_waited_for() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            receipt = await client.add('prefers tea', user_id='ana', background=True, idempotency_key='über key')
            assert receipt.status == 'queued'
            done = await receipt.wait(30)
            assert [m.text for m in done.memories] == ['prefers tea']
            again = await client.add('prefers tea', user_id='ana', background=True, idempotency_key='über key')
            assert (again.replayed, again.job_id) == (True, receipt.job_id)
            with pytest.raises(Conflict):
                await client.add('prefers coffee', user_id='ana', background=True, idempotency_key='über key')
            assert done.job_id is not None
            found = await client.receipt(done.job_id, user_id='ana')
            assert (found.status, found.changes) == ('done', done.changes)
            assert (await client.job(done.job_id, user_id='ana')).status == 'done'
            assert await client.flush(30) == 0

    asyncio.run(main())


def test_pydantic_ai_messages_can_be_added() -> None:
    from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

    async def main() -> None:
        said = [
            ModelRequest(parts=[SystemPromptPart('be kind'), UserPromptPart('likes tea')]),
            ModelResponse(parts=[TextPart('noted')]),
        ]
        async with remote() as at, at.client() as client:
            await client.add(said, user_id='ana', run_id='r1')
            page = await at.memory.episodes(user_id='ana', run_id='r1')
            assert [(e.role, e.text) for e in page.items] == [('user', 'likes tea'), ('assistant', 'noted')]
            assert page.items[0].occurred_at == said[0].parts[1].timestamp  # type: ignore[union-attr]

    asyncio.run(main())


def test_proposals_are_decided_over_a_client_as_over_a_memory() -> None:
    async def main() -> None:
        async with remote() as at, at.client('reviewer') as client:
            for words in ('always answer in Dutch', 'never mention cats', 'always be brief'):
                await at.memory.add({'role': 'user', 'content': words, 'trust': 'external'}, user_id='ana')
            page = await client.review.list(user_id='ana')
            expected = await at.memory.review.list(user_id='ana')
            assert page.items
            # What approving would change is worked out anew each time, with ids of its own.
            assert [replace(i, diff=()) for i in page] == [replace(i, diff=()) for i in expected]
            assert [[e.op for e in i.diff] for i in page] == [[e.op for e in i.diff] for i in expected]
            first, second, third = (item.id for item in page)
            assert (await client.review.approve(first, user_id='ana')).outcome == 'approved'
            edited = await client.review.edit(second, text='Never mention dogs', user_id='ana')
            assert edited.memory is not None
            assert edited.memory.text == 'Never mention dogs'
            done = await client.review.reject([third, first], user_id='ana')
            assert [result.outcome for result in done] == ['rejected', 'failed']
            assert isinstance(done[1].error, Conflict)
            with pytest.raises(Conflict):
                await client.review.get(first, user_id='ana')
            with pytest.raises(InvalidInput):
                await client.review.edit(first, user_id='ana')

    asyncio.run(main())
