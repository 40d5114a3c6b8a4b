"""Beside the real Mem0 2.2.1: its parameters are honoured or refused by name, and what is returned has its shapes."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compat._openai import DIMENSIONS
from memoranda import Memory as Native
from memoranda.compat import mem0 as ours
from memoranda.testing.embedders import HashingEmbedder

pytestmark = pytest.mark.filterwarnings('ignore')  # of Mem0 and what it loads

METHODS = ('add', 'search', 'get_all', 'get', 'update', 'delete', 'delete_all', 'history', 'reset', 'chat', 'close')


@pytest.fixture
def mem0(monkeypatch: pytest.MonkeyPatch, own_environment: Path) -> Iterator[Any]:
    monkeypatch.setenv('MEM0_TELEMETRY', 'False')
    monkeypatch.setenv('MEM0_DIR', str(own_environment / 'mem0'))
    yield pytest.importorskip('mem0')
    gc.collect()  # it leaves connections open, which must not be told of some later test


@pytest.fixture
def theirs(mem0: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The real library, with a model and an embedder on this machine."""
    from mem0.memory import telemetry
    from mem0.utils.factory import EmbedderFactory, LlmFactory

    assert not telemetry.MEM0_TELEMETRY
    monkeypatch.setitem(EmbedderFactory.provider_to_class, 'openai', 'compat._real.Embedder')
    monkeypatch.setitem(
        LlmFactory.provider_to_class, 'openai', ('compat._real.Model', LlmFactory.provider_to_class['groq'][1])
    )
    config = {
        'vector_store': {
            'provider': 'qdrant',
            'config': {'path': str(tmp_path / 'vectors'), 'embedding_model_dims': DIMENSIONS},
        },
        'history_db_path': str(tmp_path / 'history.db'),
    }
    memory = mem0.Memory.from_config(config)
    yield memory
    memory.close()
    memory.vector_store.client.close()


@pytest.fixture
def own() -> Iterator[ours.Memory]:
    with Native(':memory:', embedder=HashingEmbedder()) as below:
        yield ours.Memory.over(below)


# Parameters that are refused, with a call that shows it.
REFUSED: dict[tuple[str, str], Callable[[Any], Any]] = {
    ('add', 'llm'): lambda m: m.add('x', user_id='ana', llm=object()),
    ('search', 'reference_date'): lambda m: m.search('x', user_id='ana', reference_date='2024-01-01'),
    ('search', 'show_expired'): lambda m: m.search('x', user_id='ana', show_expired=True),
}


@pytest.mark.parametrize('name', ['Memory', 'AsyncMemory'])
def test_every_parameter_of_the_real_methods_is_honoured_or_refused_by_name(
    mem0: Any, own: ours.Memory, name: str
) -> None:
    real, here = getattr(mem0, name), getattr(ours, name)
    public = {n for n, _ in inspect.getmembers(real, callable) if not n.startswith('_')}
    assert public - {'from_config'} == set(METHODS), 'Mem0 has other methods than before'
    for method in METHODS:
        assert inspect.iscoroutinefunction(getattr(here, method)) == inspect.iscoroutinefunction(getattr(real, method))
        known = inspect.signature(getattr(here, method)).parameters
        for parameter in inspect.signature(getattr(real, method)).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            assert parameter.name in known, f'{method}({parameter.name}=...)'
    for (method, parameter), call in REFUSED.items():
        with pytest.raises(ValueError, match=f'{method}\\({parameter}'):
            call(own)


@pytest.mark.parametrize('name', ['Memory', 'AsyncMemory'])
def test_the_constructors_take_the_same(mem0: Any, name: str) -> None:
    real, here = getattr(mem0, name), getattr(ours, name)
    for make in ('__init__', 'from_config'):
        wanted = list(inspect.signature(getattr(real, make)).parameters)
        assert list(inspect.signature(getattr(here, make)).parameters)[: len(wanted)] == wanted
    fields = set(mem0.configs.base.MemoryConfig.model_fields)
    assert fields == {f.name for f in dataclasses.fields(ours.MemoryConfig)}
    with pytest.raises(ValueError, match='hosted service'):
        here(own_config()).project.update(decay=True)


def own_config() -> dict[str, Any]:
    return {
        'vector_store': {'provider': 'sqlite', 'config': {'path': ':memory:'}},
        'embedder': {'provider': 'pydantic_ai', 'config': {'model': HashingEmbedder()}},
    }


def test_unknown_parameters_are_refused(own: ours.Memory) -> None:
    for call in (
        lambda: own.add('x', user_id='ana', enable_graph=True),
        lambda: own.add('x', user_id='ana', categories=['a']),
        lambda: own.search('x', user_id='ana', treshold=0.3),
        lambda: own.search('x', user_id='ana', fields=['memory']),
        lambda: own.get_all(user_id='ana', page=2),
        lambda: own.add('x', user_id='ana', filters={'topic': 'x'}),
    ):
        with pytest.raises(ValueError, match=r'=\.\.\.|no parameter'):
            call()
    # What only says in which shape results are wanted: they are in both.
    own.add('I live in Lisbon', user_id='ana', output_format='v1.1', version='v2', enable_graph=False)
    assert own.search('Lisbon', user_id='ana', version='v2', output_format='v1.1')


def shape(value: Any) -> Any:
    """The keys of what is returned, and the types of values, without what they are."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in dict(value).items()}
    if isinstance(value, list):
        return [shape(v) for v in value]
    return type(value).__name__


def story(memory: Any) -> dict[str, Any]:
    """The same calls, and what each of them returned."""
    told: dict[str, Any] = {}
    said = [
        {'role': 'user', 'content': 'Ana likes green tea', 'name': 'Ana'},
        {'role': 'assistant', 'content': 'Noted, green tea'},
    ]
    ids = {'user_id': 'ana', 'run_id': 'r1'}
    told['given'] = memory.add(said, **ids, infer=False, metadata={'topic': 'drinks'}, expiration_date='2990-01-01')
    known = told['given']['results'][0]['id']
    told['inferred'] = memory.add('I live in Lisbon', user_id='ana')
    told['nothing'] = memory.add([], user_id='ana')
    told['search'] = memory.search('green tea', filters={**ids, 'topic': 'drinks'}, top_k=1)
    told['nobody'] = memory.search('green tea', filters={'user_id': 'ben'})
    listed = memory.get_all(filters={'user_id': 'ana', 'run_id': 'r1'})['results']
    told['list'] = {'results': sorted(listed, key=lambda m: m['memory'])}  # the real one has no order
    told['get'] = memory.get(known)
    told['missing'] = memory.get('00000000-0000-0000-0000-000000000000')
    told['update'] = memory.update(known, text='Ana likes black tea', metadata={'topic': 'tea'})
    told['delete'] = memory.delete(known)
    told['history'] = memory.history(known)
    told['no history'] = memory.history('00000000-0000-0000-0000-000000000000')
    told['delete_all'] = memory.delete_all(user_id='ana')
    told['gone'] = memory.get_all(filters={'user_id': 'ana'})
    return told


def test_results_have_the_shapes_of_the_real_ones(theirs: Any, own: ours.Memory) -> None:
    here, there = story(own), story(theirs)
    assert here.keys() == there.keys()
    for call, real in there.items():
        assert shape(here[call]) == shape(real), call
    for call in ('update', 'delete', 'delete_all', 'missing', 'no history', 'gone', 'nothing', 'nobody'):
        assert here[call] == there[call], call
    for call in ('given', 'list', 'search', 'get'):
        drop = ('id', 'created_at', 'updated_at', 'score')
        rows = [[r] if call == 'get' else r['results'] for r in (here[call], there[call])]
        plain = [sorted(sorted((k, str(v)) for k, v in dict(i).items() if k not in drop) for i in r) for r in rows]
        assert plain[0] == plain[1], call
    rows = [
        [(h['event'], h['old_memory'], h['new_memory'], h['is_deleted'], h['role']) for h in told['history']]
        for told in (here, there)
    ]
    assert rows[0] == rows[1]


def test_errors_are_value_errors_where_the_real_ones_are(theirs: Any, own: ours.Memory) -> None:
    calls: list[Callable[[Any], Any]] = [
        lambda m: m.search('tea', filters={}),
        lambda m: m.search('tea', filters={'topic': 'x'}),
        lambda m: m.search('  ', filters={'user_id': 'ana'}),
        lambda m: m.search('tea', filters={'user_id': ' '}),
        lambda m: m.search('tea', filters={'user_id': 'ana'}, threshold=2),
        lambda m: m.search('tea', filters={'user_id': 'ana'}, top_k=-1),
        lambda m: m.search('tea', filters={'user_id': 'ana', 'x': {'gte': 1, 'regex': 'x'}}),
        lambda m: m.search('tea', filters={'user_id': 'ana'}, reference_date='2024-01-01'),
        lambda m: m.get_all(filters={}),
        lambda m: m.get_all(filters={'user_id': 'ana'}, top_k='many'),
        lambda m: m.add('x', user_id='ana', expiration_date='soon'),
        lambda m: m.update('00000000-0000-0000-0000-000000000000', text='x'),
        lambda m: m.update('00000000-0000-0000-0000-000000000000'),
        lambda m: m.delete('00000000-0000-0000-0000-000000000000'),
        lambda m: m.delete_all(),
        lambda m: m.project.update(custom_instructions='x'),
    ]
    for call in calls:
        for memory in (theirs, own):
            with pytest.raises(ValueError):  # noqa: PT011  # each says it in words of its own
                call(memory)
    for memory in (theirs, own):
        with pytest.raises(NotImplementedError):
            memory.chat('hello')


def test_where_the_real_one_reads_other_peoples_memories_ours_refuses(theirs: Any, own: ours.Memory) -> None:
    for memory in (theirs, own):
        memory.add('Ana likes tea', user_id='ana', infer=False)
        memory.add('Ben likes milk', user_id='ben', infer=False)
    dangerous = [
        lambda m: m.search('likes', filters={'user_id': '*'}),
        lambda m: m.get_all(filters={'user_id': '*'}),
        lambda m: m.search('likes', filters={'user_id': 'ana', 'AND': [{'user_id': 'ben'}]}),
    ]
    for call in dangerous:
        assert 'Ben likes milk' in str(call(theirs))
        with pytest.raises(ValueError, match='user_id'):
            call(own)
    with pytest.raises(ValueError, match='user_id'):
        own.delete_all(user_id='*')
    assert len(own.get_all(user_id='ben')) == 1
    theirs.delete_all(user_id='*')
    assert len(theirs.get_all(filters={'user_id': 'ben'})['results']) == 0


def test_the_async_class_of_both_may_be_used_alike(mem0: Any) -> None:
    async def main() -> None:
        async with ours.AsyncMemory(own_config()) as memory:
            found = await memory.get_all(filters={'user_id': 'ana'})
            assert found == {'results': []}

    asyncio.run(main())
    assert inspect.isawaitable(ours.AsyncMemory(own_config()))
