"""The notebook of pydantic-ai-harness in a memory: what its own stores promise, and what ours adds."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('pydantic_ai_harness.memory', reason='pydantic-ai-harness is not installed')

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai_harness import Memory as Notebook
from pydantic_ai_harness.memory import (
    InMemoryStore,
    MemoryConflictError,
    MemoryOperation,
    MemoryOperationConflictError,
    MemoryStore,
    SearchableMemoryStore,
)

from _fakes import fast, fast_async
from _pages import ROOT, blocks
from memoranda import AsyncMemory, ConfigurationError, InvalidInput, InvalidScope, Scope
from memoranda.agents import LongTermMemory
from memoranda.agents.harness import NotebookStore
from memoranda.settings import Settings

ANA = Scope(user_id='ana')
MAIN = 'main/MEMORY.md'


def using(test: Callable[[AsyncMemory, NotebookStore], Awaitable[None]], **arguments: Any) -> None:
    """Run a test with a memory and ana's notebook in it."""

    async def main() -> None:
        async with fast_async(**arguments) as memory:
            await test(memory, NotebookStore(memory, scope=ANA))

    asyncio.run(main())


async def version_of(store: MemoryStore, path: str) -> str | None:
    found = await store.read(path, max_chars=1)
    return None if found is None else found.version


async def content_of(store: MemoryStore, path: str) -> str | None:
    found = await store.read(path, max_chars=100_000)
    return None if found is None else found.content


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'memoranda.agents.harness')
    monkeypatch.setitem(sys.modules, 'pydantic_ai_harness.memory', None)
    with pytest.raises(ConfigurationError, match='pip install "pydantic-ai-harness'):
        importlib.import_module('memoranda.agents.harness')


def test_it_is_a_store_and_a_searchable_one() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        assert isinstance(store, MemoryStore)
        assert isinstance(store, SearchableMemoryStore)

    using(test)


async def a_day_of_work(store: Any) -> list[object]:
    """What a store answers, without its versions, which are its own."""
    told: list[object] = []
    seen: dict[str | None, int] = {None: 0}

    def plain(answer: Any) -> object:
        if answer is None:
            return None
        version = seen.setdefault(answer.version, len(seen))
        return {**vars(answer), 'version': version}

    async def refused(awaited: Awaitable[object]) -> None:
        try:
            told.append(plain(await awaited))
        except (MemoryConflictError, MemoryOperationConflictError) as error:
            told.append(type(error))

    op = MemoryOperation('run-1:call-1', 'write a')
    await refused(store.read(MAIN, max_chars=10))
    await refused(store.delete(MAIN, expected_version='1'))
    await refused(store.delete(MAIN, expected_version=None, operation=MemoryOperation('run-1:call-0', 'delete')))
    await refused(store.get_operation(op))
    await refused(store.write(MAIN, '- likes tea\n', expected_version=None, operation=op))
    await refused(store.get_operation(op))
    await refused(store.write(MAIN, '- likes tea\n', expected_version=None, operation=op))
    await refused(store.write(MAIN, 'x', expected_version=None, operation=MemoryOperation(op.id, 'another')))
    await refused(store.get_operation(MemoryOperation(op.id, 'another')))
    await refused(store.read(MAIN, max_chars=6))
    await refused(store.write(MAIN, 'x', expected_version=None))
    await refused(store.write(MAIN, '', expected_version=await version_of(store, MAIN)))
    await refused(store.read(MAIN, max_chars=6))
    await refused(store.write(MAIN, ' \n', expected_version=await version_of(store, MAIN)))
    await refused(store.read(MAIN, max_chars=6))
    await refused(store.write('main/b.md', ' \n', expected_version=None))
    await refused(store.write('other/b.md', 'same words', expected_version=None))
    await refused(store.write('mainly/b.md', 'same words', expected_version=None))
    told.append(await store.list_paths('', limit=10))
    told.append(await store.list_paths('main/', limit=10))
    told.append(await store.list_paths('main', limit=2))
    gone = MemoryOperation('run-1:call-2', 'delete b')
    await refused(store.delete('main/b.md', expected_version='0'))
    await refused(store.delete('main/b.md', expected_version=await version_of(store, 'main/b.md'), operation=gone))
    await refused(store.delete('main/b.md', expected_version=None, operation=gone))
    await refused(store.read('main/b.md', max_chars=6))
    await refused(store.write('main/b.md', 'again', expected_version=None))
    await refused(store.read('main/b.md', max_chars=6))
    told.append(await store.list_paths('main/', limit=10))
    return told


def test_it_answers_as_their_own_store_does() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        assert await a_day_of_work(store) == await a_day_of_work(InMemoryStore())

    using(test)


def test_of_two_writers_with_the_same_version_one_is_refused(tmp_path: Path) -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        first = await store.write(MAIN, 'one', expected_version=None)
        async with fast_async(tmp_path / 'm.db') as elsewhere:
            other = NotebookStore(elsewhere, scope=ANA)
            outcomes = await asyncio.gather(
                *(s.write(MAIN, text, expected_version=first.version) for s in (store, other) for text in 'abcd'),
                return_exceptions=True,
            )
        refused = [o for o in outcomes if isinstance(o, MemoryConflictError)]
        assert len(refused) == len(outcomes) - 1
        assert await content_of(store, MAIN) in 'abcd'

    using(test, path=tmp_path / 'm.db')


def test_of_two_that_make_the_same_file_one_is_refused(tmp_path: Path) -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        outcomes = await asyncio.gather(
            *(store.write(MAIN, text, expected_version=None) for text in 'abcd'), return_exceptions=True
        )
        assert sum(isinstance(o, MemoryConflictError) for o in outcomes) == 3

    using(test, path=tmp_path / 'm.db')


def test_an_operation_that_is_done_several_times_at_once_takes_effect_once(tmp_path: Path) -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        first = await store.write(MAIN, 'one\n', expected_version=None)
        operation = MemoryOperation('run:call', 'append two')
        outcomes = await asyncio.gather(
            *(store.write(MAIN, 'one\ntwo\n', expected_version=first.version, operation=operation) for _ in range(6))
        )
        assert len({o.version for o in outcomes}) == 1
        assert [o.replayed for o in outcomes].count(False) == 1
        (record,) = await memory.get_all(user_id='ana')
        assert record.version == 2

    using(test, path=tmp_path / 'm.db')


def test_receipts_and_files_outlive_the_process(tmp_path: Path) -> None:
    operation = MemoryOperation('run:call', 'write')

    async def write(memory: AsyncMemory, store: NotebookStore) -> None:
        await store.write(MAIN, 'kept', expected_version=None, operation=operation)

    async def read(memory: AsyncMemory, store: NotebookStore) -> None:
        found = await store.read(MAIN, max_chars=100)
        assert found is not None
        assert (found.content, found.operation_id) == ('kept', 'run:call')
        replayed = await store.get_operation(operation)
        assert replayed is not None
        assert (replayed.version, replayed.replayed) == (found.version, True)

    using(write, path=tmp_path / 'm.db')
    using(read, path=tmp_path / 'm.db')


def test_a_file_that_is_made_anew_never_has_a_version_it_had_before() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        versions: list[str | None] = []
        for _ in range(3):
            versions.append((await store.write(MAIN, 'the same', expected_version=None)).version)
            await store.delete(MAIN, expected_version=versions[-1])
        assert len(set(versions)) == 3

    using(test)


def test_search_finds_files_of_the_folder_by_what_they_say() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        for path, words in (
            ('main/kettle.md', 'The kettle was repaired in May.'),
            ('main/garden.md', 'Roses need water.'),
            ('other/kettle.md', 'The kettle of somebody else.'),
        ):
            await store.write(path, words, expected_version=None)
        bounds = {'limit': 5, 'max_files': 10, 'max_chars': 200, 'max_file_chars': 1000}
        found = await store.search('main/', 'kettle repaired', **bounds)
        assert [m.path for m in found.matches] == ['main/kettle.md']
        assert 'repaired' in found.matches[0].snippet
        assert 0 < found.matches[0].score <= 1
        assert not found.truncated
        empty = await store.search('main/', '  ', **bounds)
        assert (empty.matches, empty.scanned) == ([], 0)

    using(test)


def test_what_search_gives_is_bounded() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        for i in range(4):
            words = f'{"filler " * 60}kettle number {i} {"filler " * 60}'
            await store.write(f'main/n{i}.md', words, expected_version=None)
        found = await store.search('main/', 'kettle', limit=2, max_files=10, max_chars=120, max_file_chars=5000)
        assert found.truncated
        assert 1 <= len(found.matches) <= 2
        assert sum(len(m.path.removeprefix('main/')) + len(m.snippet) for m in found.matches) <= 120
        assert 'kettle' in found.matches[0].snippet
        beginning = await store.search('main/', 'kettle', limit=1, max_files=1, max_chars=900, max_file_chars=50)
        assert beginning.truncated
        assert all(len(m.snippet) <= 50 for m in beginning.matches)

    using(test)


def test_a_notebook_is_its_users_own() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        operation = MemoryOperation('run:call', 'write')
        await store.write(MAIN, 'a secret of ana', expected_version=None, operation=operation)
        bens = NotebookStore(memory, scope=Scope(user_id='ben'))
        assert await bens.read(MAIN, max_chars=10) is None
        assert await bens.get_operation(operation) is None
        assert await bens.list_paths(limit=10) == []
        found = await bens.search('main/', 'secret', limit=5, max_files=5, max_chars=100, max_file_chars=100)
        assert found.matches == []

    using(test)


def test_a_model_can_use_its_tools_as_on_their_own_store() -> None:
    calls: list[tuple[str, dict[str, str]]] = [
        ('write_memory', {'content': '- likes jasmine'}),
        ('write_memory', {'content': '- lives in Porto'}),
        ('write_memory', {'content': '- likes oolong', 'old_text': '- likes jasmine'}),
        ('write_memory', {'content': 'Water once a week.', 'file': 'garden'}),
        ('read_memory', {'file': 'MEMORY.md'}),
        ('read_memory', {'file': 'garden.md'}),
        ('search_memory', {'query': 'water week'}),
        ('delete_memory', {'file': 'garden'}),
        ('delete_memory', {'file': 'garden'}),
        ('search_memory', {'query': 'water week'}),
        ('read_memory', {'file': 'garden'}),
    ]

    async def told(store: MemoryStore) -> list[str]:
        turns = [ModelResponse(parts=[ToolCallPart(name, args)]) for name, args in calls]
        turns.append(ModelResponse(parts=[TextPart('done')]))

        def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            return turns.pop(0)

        agent = Agent(FunctionModel(model), capabilities=[Notebook(store)])
        result = await agent.run('Keep notes')
        returns = [part for m in result.all_messages() for part in m.parts if part.part_kind == 'tool-return']
        assert len(returns) == len(calls)
        texts = [part.model_response_str() for part in returns]
        return [re.sub(r'"(version|score|scanned)": ?("[^"]*"|[0-9.]+)', r'"\1"', text) for text in texts]

    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        assert await told(store) == await told(InMemoryStore())

    using(test)


def test_recall_in_conversations_leaves_the_notebook_alone() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        await store.write(MAIN, 'likes oolong', expected_version=None)
        assert 'oolong' not in str(await memory.context('oolong', user_id='ana', run_id='monday'))
        assert 'oolong' not in str(await memory.context('oolong', user_id='ana'))
        assert [m.text for m in await memory.get_all(user_id='ana', filters={'kind': 'notebook'})] == ['likes oolong']

    using(test)


def test_erasing_the_user_erases_the_notebook_and_its_receipts() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        operation = MemoryOperation('run:call', 'write')
        await store.write(MAIN, 'likes oolong', expected_version=None, operation=operation)
        await memory.delete_all(user_id='ana')
        assert await store.read(MAIN, max_chars=10) is None
        assert await store.get_operation(operation) is None

    using(test)


def test_every_version_of_a_file_is_in_its_history_and_can_be_had_back() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        first = await store.write(MAIN, 'one', expected_version=None)
        await store.write(MAIN, 'two', expected_version=first.version)
        (record,) = await memory.get_all(user_id='ana')
        assert [e.op for e in await memory.history(record.id, user_id='ana')] == ['add', 'update']
        await memory.revert(record.change_id, user_id='ana')
        assert await content_of(store, MAIN) == 'one'

    using(test)


def test_secrets_are_not_written_down() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        await store.write(MAIN, 'the key is sk-proj-abcdefghijklmnopqrstuvwx', expected_version=None)
        assert await content_of(store, MAIN) == 'the key is [api key]'

    using(test)


@pytest.mark.parametrize('scope', [Scope(agent_id='clerk'), Scope(app_id='shop'), Scope(run_id='r1'), Scope.GLOBAL])
def test_agents_apps_and_projects_have_notebooks_too(scope: Scope) -> None:
    async def test(memory: AsyncMemory, _: NotebookStore) -> None:
        store = NotebookStore(memory, scope=scope)
        operation = MemoryOperation('run:call', 'write')
        written = await store.write(MAIN, 'shared', expected_version=None, operation=operation)
        assert await content_of(store, MAIN) == 'shared'
        assert await store.list_paths('main/', limit=5) == [MAIN]
        found = await store.search('main/', 'shared', limit=5, max_files=5, max_chars=100, max_file_chars=100)
        assert [m.path for m in found.matches] == [MAIN]
        assert (await store.delete(MAIN, expected_version=written.version)).existed
        assert await store.get_operation(operation) is not None

    using(test)


def test_a_blocking_memory_will_do_too() -> None:
    with fast() as memory:
        store = NotebookStore(memory, scope=ANA)

        async def main() -> None:
            await store.write(MAIN, 'one', expected_version=None)
            assert await content_of(store, MAIN) == 'one'

        asyncio.run(main())


def test_a_view_that_is_bound_to_somebody_else_is_refused() -> None:
    async def test(memory: AsyncMemory, _: NotebookStore) -> None:
        bound = memory.scoped(Scope(user_id='ben'))
        with pytest.raises(InvalidScope, match='bound'):
            NotebookStore(bound, scope=ANA)
        NotebookStore(bound, scope=Scope(user_id='ben'))

    using(test)


@pytest.mark.parametrize('path', ['', '../x', 'a//b', '/a', 'a/', 'a b', 'a\nb', 'x' * 201, 'a/..b'])
def test_paths_that_no_store_of_theirs_takes_are_refused(path: str) -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        for call in (
            store.read(path, max_chars=1),
            store.write(path, 'x', expected_version=None),
            store.delete(path, expected_version=None),
        ):
            with pytest.raises(InvalidInput, match='path'):
                await call

    using(test)


def test_bounds_have_to_be_positive_and_files_not_too_long() -> None:
    async def test(memory: AsyncMemory, store: NotebookStore) -> None:
        with pytest.raises(InvalidInput, match='max_chars=0'):
            await store.read(MAIN, max_chars=0)
        with pytest.raises(InvalidInput, match='limit=0'):
            await store.list_paths(limit=0)
        with pytest.raises(InvalidInput, match='101 characters'):
            await store.write(MAIN, 'x' * 101, expected_version=None)

    using(test, settings=Settings(max_text_chars=100))


@dataclass
class Deps:
    user_id: str


def user_texts(messages: list[ModelMessage]) -> list[str]:
    found: list[str] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, UserPromptPart):
                    contents = [part.content] if isinstance(part.content, str) else part.content
                    found += [c if isinstance(c, str) else str(getattr(c, 'content', '')) for c in contents]
    return found


def test_both_memories_work_on_one_agent(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    tools: list[set[str]] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(user_texts(messages))
        tools.append({tool.name for tool in info.function_tools})
        if seen[-1][0].startswith('Write') and not any(
            part.part_kind == 'tool-return' for m in messages for part in m.parts
        ):
            return ModelResponse(parts=[ToolCallPart('write_memory', {'content': '- ana likes jasmine'})])
        return ModelResponse(parts=[TextPart('done')])

    async def test(memory: AsyncMemory, _: NotebookStore) -> None:
        agent = Agent(
            FunctionModel(model),
            deps_type=Deps,
            capabilities=[
                LongTermMemory(
                    memory,
                    scope=lambda ctx: Scope(user_id=ctx.deps.user_id),
                    tools=('remember', 'recall', 'forget'),
                    timeout=60,
                ),
                Notebook[Deps](store_resolver=lambda ctx: NotebookStore(memory, scope=Scope(user_id=ctx.deps.user_id))),
            ],
        )
        await agent.run('Write down that my teapot leaks', deps=Deps('ana'))
        await memory.flush()
        assert {'remember', 'recall', 'forget', 'write_memory', 'read_memory', 'search_memory'} <= tools[0]

        seen.clear()
        await agent.run('What about the teapot that leaks?', deps=Deps('ana'))
        recalled = [text for text in seen[0] if text.startswith('<recalled_memory')]
        notebook = [text for text in seen[0] if text.startswith('<memory')]
        assert len(recalled) == len(notebook) == 1
        assert 'teapot' in recalled[0]
        assert 'jasmine' not in recalled[0]
        assert 'jasmine' in notebook[0]

        await memory.flush()
        kept = [e.text for e in (await memory.episodes(user_id='ana')).items]
        assert not [text for text in kept if 'jasmine' in text or '<memory' in text]

        seen.clear()
        await agent.run('What about the teapot that leaks?', deps=Deps('ben'))
        assert not [text for text in seen[0] if 'jasmine' in text or '<recalled_memory' in text]

    using(test, path=tmp_path / 'm.db')


def test_the_example_of_the_docs_makes_an_agent_with_both() -> None:
    (block,) = [b for b in blocks(ROOT / 'docs' / 'patterns.md', 'py') if 'NotebookStore' in b.code]

    async def test(memory: AsyncMemory, _: NotebookStore) -> None:
        names: dict[str, Any] = {'LongTermMemory': LongTermMemory, 'Agent': Agent, 'Deps': Deps, 'memory': memory}
        code = block.code.replace("'openai:gpt-4o'", "'test'")
        exec(compile(code, str(block.page), 'exec'), names)
        agent: Agent[Deps, str] = names['agent']
        model = FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart('done')]))
        assert (await agent.run('Hello', deps=Deps('ana'), model=model)).output == 'done'

    using(test)
