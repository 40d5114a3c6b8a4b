"""What Mem0 stored is read without Mem0, and becomes facts with their dates, ids and earlier wordings.

`tests/data/mem0_*.sql` hold what mem0ai 2.2.1 wrote for this: Ana's city, added with a date of its own and updated
twice; two messages said to an agent in a run; Ben's chess, which expires, and a memory of his that was deleted; and
one of the agent's own. The pgvector store is written by Mem0 itself, into a real server.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast, texts
from _postgres import available, fresh_database
from memoranda import Memory
from memoranda.importers import ImportProblem
from memoranda.importers.mem0 import Mem0Memory, read_mem0
from memoranda.importers.mem0_facts import Mem0Report, import_mem0

DATA = Path(__file__).parent.parent / 'data'


def build(path: Path, dump: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript((DATA / dump).read_text(encoding='utf-8'))
    connection.close()
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of a local Qdrant store, with a history.db beside it."""
    build(tmp_path / 'mem0' / 'qdrant' / 'collection' / 'mem0' / 'storage.sqlite', 'mem0_points.sql')
    build(tmp_path / 'mem0' / 'history.db', 'mem0_history.sql')
    return tmp_path / 'mem0' / 'qdrant'


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as memory:
        yield memory


def bring(memory: Memory, source: Path | str, **arguments: Any) -> Mem0Report:
    return asyncio.run(import_mem0(memory.aio, read_mem0(source, **arguments)))


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding='utf-8')
    return path


def test_a_local_store_is_read_with_its_history(store: Path) -> None:
    found = {m.text: m for m in read_mem0(store)}
    assert sorted(found) == [
        'Ana lives in Porto',
        'Answers are short',
        'Ben plays chess',
        'I like green tea',
        'The user drinks tea every morning',
    ]
    city = found['Ana lives in Porto']
    assert city.ids == {'user_id': 'ana'}
    assert city.metadata == {'topic': 'home', 'sure': True}
    assert city.created_at == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert [text for text, _ in city.versions] == ['Ana lives in Berlin', 'Ana lives in Lisbon', 'Ana lives in Porto']
    assert city.versions[0][1] == city.created_at
    assert city.versions[2][1] == city.updated_at
    assert found['I like green tea'].ids == {'user_id': 'ana', 'agent_id': 'helper', 'run_id': 'r1'}
    assert found['The user drinks tea every morning'].role == 'assistant'
    assert found['Ben plays chess'].expires_at == datetime(2030, 1, 2, tzinfo=UTC)
    assert found['Answers are short'].ids == {'agent_id': 'helper'}


def test_the_folder_around_it_and_the_one_of_the_collection_are_found_too(store: Path) -> None:
    for folder in (store.parent, store / 'collection' / 'mem0'):
        assert len(list(read_mem0(folder))) == 5


def test_reading_changes_nothing_in_the_store(store: Path) -> None:
    before = {f: f.read_bytes() for f in sorted(store.parent.rglob('*')) if f.is_file()}
    list(read_mem0(store))
    assert {f: f.read_bytes() for f in sorted(store.parent.rglob('*')) if f.is_file()} == before


def test_memories_become_facts_with_dates_and_versions(memory: Memory, store: Path) -> None:
    report = bring(memory, store)
    assert (report.memories, report.versions, report.known, report.skipped) == (5, 2, 0, 0)
    assert texts(memory.get_all(user_id='ana')) == [
        'Ana lives in Porto',
        'I like green tea',
        'The user drinks tea every morning',
    ]
    city = next(m for m in memory.get_all(user_id='ana') if 'Porto' in m.text)
    assert city.valid_from == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert city.metadata['topic'] == 'home'
    assert city.metadata['_mem0']['created_at'] == '2024-03-01T10:00:00+00:00'
    assert not city.locked
    said = [e.after['text'] for e in memory.history(city.id, user_id='ana') if e.after]
    assert list(dict.fromkeys(said)) == ['Ana lives in Berlin', 'Ana lives in Lisbon', 'Ana lives in Porto']
    assert {e.actor for e in memory.history(city.id, user_id='ana')} == {'import:mem0'}  # no person edited them
    tea = next(m for m in memory.get_all(user_id='ana') if 'green' in m.text)
    assert (tea.said_under.agent_id, tea.said_under.run_id) == ('helper', 'r1')
    assert {m.text: m.trust for m in memory.get_all(user_id='ana')}['The user drinks tea every morning'] == 'assistant'
    assert tea.trust == 'user'
    assert memory.get_all(user_id='ben').items[0].expires_at == datetime(2030, 1, 2, tzinfo=UTC)
    assert texts(memory.get_all(agent_id='helper')) == ['Answers are short']


def test_an_import_can_be_repeated_and_leaves_alone_what_was_edited_since(memory: Memory, store: Path) -> None:
    bring(memory, store)
    city = next(m for m in memory.get_all(user_id='ana') if 'Porto' in m.text)
    before = memory.get_all(user_id='ana').items
    again = bring(memory, store)
    assert (again.memories, again.versions, again.known) == (0, 0, 5)
    assert memory.get_all(user_id='ana').items == before
    memory.update(city.id, text='Ana lives in Faro', user_id='ana')
    memory.delete(next(m.id for m in before if 'green' in m.text), user_id='ana')
    bring(memory, store)
    assert texts(memory.get_all(user_id='ana')) == ['Ana lives in Faro', 'The user drinks tea every morning']


def test_an_import_that_was_cut_short_goes_on(memory: Memory, store: Path) -> None:
    some = list(read_mem0(store))
    asyncio.run(import_mem0(memory.aio, some[:2]))
    report = asyncio.run(import_mem0(memory.aio, some))
    assert (report.memories, report.known) == (3, 2)


def test_a_wording_that_came_later_is_added_as_a_version(memory: Memory, store: Path) -> None:
    def at(text: str) -> list[Mem0Memory]:
        found = next(m for m in read_mem0(store) if 'Porto' in m.text)
        cut = found.versions[: [t for t, _ in found.versions].index(text) + 1]
        return [Mem0Memory(id=found.id, text=text, user_id='ana', created_at=found.created_at, versions=cut)]

    asyncio.run(import_mem0(memory.aio, at('Ana lives in Lisbon')))
    report = asyncio.run(import_mem0(memory.aio, at('Ana lives in Porto')))
    assert (report.memories, report.known, report.versions) == (0, 1, 1)
    assert texts(memory.get_all(user_id='ana')) == ['Ana lives in Porto']


def test_doubles_of_mem0_are_merged(memory: Memory) -> None:
    twins = [Mem0Memory(id=str(n), text='Likes tea', user_id='ana', versions=(('Likes tea', None),)) for n in range(3)]
    moved = Mem0Memory(id='4', text='Likes rum', user_id='ana', versions=(('Likes tea', None), ('Likes rum', None)))
    report = asyncio.run(import_mem0(memory.aio, [*twins, moved]))
    assert (report.memories, report.merged) == (1, 3)
    assert texts(memory.get_all(user_id='ana')) == ['Likes rum', 'Likes tea']


def test_what_was_forgotten_is_not_brought_back(memory: Memory, store: Path) -> None:
    bring(memory, store)
    memory.forget(user_id='ana')
    report = bring(memory, store)
    assert report.forgotten == 3
    assert memory.get_all(user_id='ana').items == ()


def test_secrets_are_redacted_on_the_way_in(memory: Memory) -> None:
    one = Mem0Memory(id='1', text='The password is hunter2hunter2', user_id='ana')
    asyncio.run(import_mem0(memory.aio, [one]))
    assert 'hunter2' not in repr(memory.get_all(user_id='ana')) + repr(memory.episodes(user_id='ana'))


class Bomb:
    def __reduce__(self) -> Any:
        return exec, ('import builtins; builtins.bombed = True',)


def test_a_crafted_store_runs_no_code(store: Path) -> None:
    import builtins

    file = store / 'collection' / 'mem0' / 'storage.sqlite'
    connection = sqlite3.connect(file)
    connection.execute('INSERT INTO points VALUES(?, ?)', ('x', pickle.dumps(Bomb())))
    connection.commit()
    connection.close()
    with pytest.raises(ImportProblem, match=r'point 1: is no point of Qdrant'):
        list(read_mem0(store))
    assert not hasattr(builtins, 'bombed')


def test_damaged_points_and_other_files_are_named(store: Path, tmp_path: Path) -> None:
    file = store / 'collection' / 'mem0' / 'storage.sqlite'
    connection = sqlite3.connect(file)
    connection.execute("UPDATE points SET point = X'8004' WHERE rowid = (SELECT max(rowid) FROM points)")
    connection.commit()
    connection.close()
    with pytest.raises(ImportProblem, match=r'storage\.sqlite, point 1: can not be read'):
        list(read_mem0(store))
    file.write_bytes(b'no database at all' * 100)
    with pytest.raises(ImportProblem, match='no SQLite file of this kind'):
        list(read_mem0(store))
    with pytest.raises(ImportProblem, match='holds no local Qdrant store'):
        list(read_mem0(tmp_path))
    with pytest.raises(ImportProblem, match='missing'):
        list(read_mem0(tmp_path / 'missing'))


def test_one_of_several_collections_has_to_be_named(store: Path) -> None:
    for name in ('other', 'mem0_entities', 'mem0migrations'):
        build(store / 'collection' / name / 'storage.sqlite', 'mem0_points.sql')
    with pytest.raises(ImportProblem, match=r'mem0, mem0_entities, mem0migrations, other: name one'):
        list(read_mem0(store))
    assert len(list(read_mem0(store, collection='other'))) == 5
    with pytest.raises(ImportProblem, match=r"no collection 'x'"):
        list(read_mem0(store, collection='x'))


HOSTED = {
    'id': '8ac3a0b1-1d0a-4a61-9b0a-1f6bd3fbd0a1',
    'memory': 'Ana keeps bees',
    'user_id': 'ana',
    'agent_id': None,
    'app_id': 'garden',
    'session_id': 'r9',
    'metadata': {'source': 'chat'},
    'categories': ['hobbies'],
    'expiration_date': None,
    'created_at': '2025-02-03T04:05:06.789012-07:00',
    'updated_at': '2025-02-04T04:05:06-07:00',
}


@pytest.mark.parametrize(
    'around',
    [
        lambda item: [item],
        lambda item: {'results': [item]},
        lambda item: {'count': 1, 'next': None, 'previous': None, 'results': [item]},
        lambda item: {'memories': [item]},
    ],
)
def test_hosted_exports_are_read(memory: Memory, tmp_path: Path, around: Any) -> None:
    report = bring(memory, write(tmp_path / 'export.json', around(HOSTED)))
    assert report.memories == 1
    (bees,) = memory.get_all(user_id='ana')
    assert bees.tags == ('hobbies',)
    assert bees.said_under.run_id == 'r9'
    assert bees.said_under.app_id == 'garden'
    assert bees.metadata['source'] == 'chat'
    assert bees.valid_from == datetime(2025, 2, 3, 11, 5, 6, 789012, tzinfo=UTC)


def test_the_history_of_the_hosted_service_is_read_too(tmp_path: Path) -> None:
    events = [
        {'memory_id': HOSTED['id'], 'old_memory': None, 'new_memory': 'Ana has a bee', 'event': 'ADD',
         'created_at': '2025-02-03T04:05:06-07:00'},
        {'memory_id': HOSTED['id'], 'old_memory': 'Ana has a bee', 'new_memory': 'Ana keeps bees', 'event': 'UPDATE',
         'created_at': '2025-02-03T04:05:06-07:00', 'updated_at': '2025-02-04T04:05:06-07:00'},
    ]  # fmt: skip
    together = write(tmp_path / 'a.json', {'results': [HOSTED], 'history': events})
    apart = write(tmp_path / 'b.json', [HOSTED])
    for found in (list(read_mem0(together)), list(read_mem0(apart, history=write(tmp_path / 'h.json', events)))):
        assert [text for text, _ in found[0].versions] == ['Ana has a bee', 'Ana keeps bees']


@pytest.mark.parametrize(
    ('item', 'reason'),
    [
        ({**HOSTED, 'memory': ' '}, 'no words'),
        ({**HOSTED, 'user_id': None, 'app_id': None, 'session_id': None}, 'belongs to no user'),
        ({**HOSTED, 'user_id': '*'}, 'can not be an id'),
        ({**HOSTED, 'created_at': 'yesterday'}, 'can not be read'),
        ({**HOSTED, 'metadata': [1]}, 'metadata is a list'),
    ],
)
def test_a_memory_that_can_not_be_used_is_named_and_the_others_are_read(
    tmp_path: Path, item: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / 'export.json', [item, {**HOSTED, 'id': 'second'}])
    with pytest.raises(ImportProblem, match=reason):
        list(read_mem0(path))
    problems: list[ImportProblem] = []
    assert [m.id for m in read_mem0(path, on_problem=problems.append)] == ['second']
    assert reason in str(problems[0])


@pytest.mark.parametrize('content', ['', '{', '"text"', '{"answer": 1}', '[1, 2]'])
def test_a_file_without_memories_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / 'x.json'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(ImportProblem, match=r'x\.json'):
        list(read_mem0(path))


def of_mem0(url: str, table: str) -> Any:
    """Mem0's own pgvector store, on a real server."""
    from mem0.vector_stores.pgvector import PGVector

    return PGVector(
        dbname='', collection_name=table, embedding_model_dims=3, user='', password='', host='', port=0,
        diskann=False, hnsw=False, connection_string=url,
    )  # fmt: skip


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
def test_a_pgvector_store_that_mem0_wrote_is_read(memory: Memory, store: Path) -> None:
    payload = {'data': 'Ana lives in Porto', 'hash': 'x', 'text_lemmatized': 'ana live porto', 'user_id': 'ana',
               'created_at': '2024-03-01T10:00:00+00:00', 'topic': 'home'}  # fmt: skip
    ids = ['0C371575-CF13-43CE-909C-D587AD6315BB', *(f'00000000-0000-0000-0000-00000000000{n}' for n in range(3))]
    payloads = [payload, *({**payload, 'data': f'Fact {n}'} for n in range(3))]
    with fresh_database() as url:
        written = of_mem0(url, 'my "table')
        written.insert([[1.0, 0.0, 0.0]] * 4, payloads=payloads, ids=ids)
        written.connection_pool.close()
        report = bring(memory, url, history=store.parent / 'history.db', collection='my "table')
        with pytest.raises(ImportProblem, match='table other: can not be read'):
            list(read_mem0(url, collection='other'))
    assert (report.memories, report.versions) == (4, 2)
    city = next(m for m in memory.get_all(user_id='ana') if 'Porto' in m.text)
    assert city.metadata['topic'] == 'home'
    assert 'text_lemmatized' not in city.metadata


def test_without_psycopg_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'psycopg', None)
    with pytest.raises(ImportProblem, match=r"pip install 'memoranda\[postgres\]'"):
        list(read_mem0('postgresql://db/mem0'))
