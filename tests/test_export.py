"""Everything held on a subject leaves as one document and comes back the same."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from _fakes import Grammar, fast, fast_async, texts
from memoranda import AsyncMemory, Memory, Scope
from memoranda.errors import Conflict, InvalidInput, InvalidScope
from memoranda.importers import ImportProblem
from memoranda.stores.sqlite import SQLiteStore
from memoranda.subject import SubjectExport, schema

SCHEMA = Path(__file__).parent.parent / 'docs' / 'subject.schema.json'
WRITE = f"python -c 'import json, memoranda.subject as s; print(json.dumps(s.schema(), indent=2))' > {SCHEMA.name}"


def live(memory: Memory) -> None:
    """A life with everything in it: moves, a correction, conversations, a job that failed, a fact turned down."""
    memory.add('home.city = Lisbon', user_id='ana', run_id='r1', metadata={'source': 'form', 'n': 1.5})
    memory.add('home.city = Porto', user_id='ana', agent_id='bot', app_id='shop')
    memory.add('not home.city = Braga', user_id='ana')
    dated = {'role': 'user', 'content': 'likes 緑茶 🍵', 'timestamp': '2024-01-01T00:00:00Z', 'name': 'Ana'}
    memory.add([dated, {'role': 'assistant', 'content': 'Noted.'}], user_id='ana', idempotency_key='once')
    memory.add('here: is busy', user_id='ana', run_id='r1')
    memory.add('word ' * 600, user_id='ana')
    given = memory.add('Sings', user_id='ana', infer=False, tags=['music'], pinned=True, expires_at='2100-01-01')
    memory.update(given.memories[0].id, text='Sings bass', user_id='ana')
    memory.delete(memory.add('Smokes', user_id='ana').memories[0].id, user_id='ana')
    memory.add('left for a worker', user_id='ana', run_id='r2', background=True)
    memory.search('tea', user_id='ana')
    memory.add('Ben plays chess', user_id='ben')


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with fast(tmp_path / 'memory.db', settings=quiet()) as memory:
        yield memory


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Memory]:
    with fast(tmp_path / 'elsewhere.db', settings=quiet()) as memory:
        yield memory


def quiet() -> Any:
    """Jobs wait until they are asked for."""
    from memoranda.settings import Settings

    return Settings(workers=0)


def document(export: SubjectExport) -> dict[str, Any]:
    return json.loads(b''.join(export))


def dump(export: SubjectExport) -> list[str]:
    return list(export.canonical())


def test_what_is_exported_and_imported_elsewhere_is_the_same(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    first = memory.export(user_id='ana')
    report = elsewhere.import_subject(first)
    assert (report.status, report.counts, report.digest) == ('imported', first.counts, first.digest)
    again = elsewhere.export(user_id='ana')
    assert dump(again) == dump(first)
    assert again.digest == first.digest
    assert again.exported_at > first.exported_at
    assert texts(elsewhere.get_all(user_id='ana')) == texts(memory.get_all(user_id='ana'))
    for record in memory.get_all(user_id='ana', include_inactive=True):
        assert elsewhere.project_wide().history(record.id) == memory.project_wide().history(record.id)
    assert elsewhere.get_all(user_id='ben').items == ()


def test_an_export_that_was_forgotten_and_restored_is_the_same(memory: Memory) -> None:
    live(memory)
    first = memory.export(user_id='ana')
    memory.forget(user_id='ana')
    blocked = memory.import_subject(first)
    assert (blocked.status, blocked.skipped) == ('forgotten', {'forgotten': first.counts['episodes']})
    assert blocked.forgotten_at is not None
    assert not any(memory.export(user_id='ana').counts.values())
    assert memory.search('tea', user_id='ana', include=('memories', 'episodes')) == []

    restored = memory.import_subject(first, restore=True)
    assert (restored.status, restored.forgotten_at) == ('restored', blocked.forgotten_at)
    again = memory.export(user_id='ana')
    assert dump(again) == dump(first)
    entries = list(again.items('history'))
    assert [e['op'] for e in entries[first.counts['history'] :]] == ['restore', 'import']
    assert entries[-1]['after']['digest'] == first.digest
    assert memory.verify(user_id='ana').ok


def test_the_chain_can_be_verified_elsewhere(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    elsewhere.import_subject(memory.export(user_id='ana'))
    elsewhere.add('home.city = Faro', user_id='ana')
    assert elsewhere.verify(user_id='ana').ok


def test_importing_twice_does_nothing_the_second_time(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    assert memory.import_subject(export).status == 'known'
    assert elsewhere.import_subject(export).status == 'imported'
    before = dump(elsewhere.export(user_id='ana'))
    assert elsewhere.import_subject(export).status == 'known'
    assert dump(elsewhere.export(user_id='ana')) == before
    elsewhere.add('Draws', user_id='ana')  # it came once, whatever was learnt since
    assert elsewhere.import_subject(export, restore=True).status == 'known'


def test_an_export_is_a_read_that_is_audited(tmp_path: Path) -> None:
    from memoranda.policy import Policy

    with fast(tmp_path / 'audited.db', policy=Policy(audit_reads=True), errors='raise', settings=quiet()) as memory:
        memory.add('likes tea', user_id='ana')
        first = memory.export(user_id='ana')
        again = memory.export(user_id='ana')
        assert [e['op'] for e in again.items('history')] == ['add', 'read']
        assert dump(again) == dump(first)
        assert memory.import_subject(first).status == 'known'


def test_two_histories_are_not_mixed(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    elsewhere.add('Draws', user_id='ana')
    for restore in (False, True):
        with pytest.raises(Conflict, match=r"user 'ana' holds something else already \(.*1 episodes, 1 memories"):
            elsewhere.import_subject(memory.export(user_id='ana'), restore=restore)
    assert texts(elsewhere.get_all(user_id='ana')) == ['Draws']


def test_what_was_imported_is_recalled_corrected_and_erased_like_the_rest(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    elsewhere.import_subject(memory.export(user_id='ana'))
    assert [h.text for h in elsewhere.search('緑茶', user_id='ana', include=('episodes',), top_k=1)] == [
        'likes 緑茶 🍵'
    ]
    city = elsewhere.get_slot('home.city', user_id='ana')
    assert city is not None
    assert city.value == 'Braga'
    assert city.evidence[0].quote == 'not home.city = Braga'
    elsewhere.add('home.city = Faro', user_id='ana')
    assert [e.op for e in elsewhere.history(slot='home.city', user_id='ana')][-2:] == ['supersede', 'add']
    said = {'role': 'user', 'content': 'likes 緑茶 🍵', 'timestamp': '2024-01-01T00:00:00Z', 'name': 'Ana'}
    again = elsewhere.add([said], user_id='ana')
    assert again.known == 1
    elsewhere.forget(user_id='ana')
    assert not any(elsewhere.export(user_id='ana').counts.values())


def test_a_message_that_waited_is_read_where_it_came_to(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    elsewhere.import_subject(memory.export(user_id='ana'))
    job = elsewhere.process_one_job()
    assert job is not None
    assert job.state == 'done'
    assert 'left for a worker' in texts(elsewhere.get_all(user_id='ana'))
    assert elsewhere.process_one_job() is None


def test_a_job_that_failed_keeps_its_error(tmp_path: Path, elsewhere: Memory) -> None:
    class Fails(Grammar):
        def propose(self, request: Any) -> Any:
            raise RuntimeError('out of ideas')

    with fast(tmp_path / 'failing.db', extractor=Fails(), settings=quiet()) as memory:
        memory.add('I moved to Porto last week', user_id='ana', background=True)
        memory.process_one_job()
        elsewhere.import_subject(memory.export(user_id='ana'))
        (there,), (here,) = elsewhere.jobs(user_id='ana').items, memory.jobs(user_id='ana').items
    here.payload.pop('trace', None)  # of a program that is traced, and no trace goes on elsewhere
    assert there == here
    assert 'out of ideas' in (there.last_error or '')


def test_a_proposal_that_waits_comes_along_with_its_reasons(tmp_path: Path, elsewhere: Memory) -> None:
    from memoranda.policy import Policy

    with fast(tmp_path / 'strict.db', policy=Policy(review='all'), settings=quiet()) as memory:
        memory.add('likes tea', user_id='ana')
        turned_down = memory.add('likes rum', user_id='ana').pending[0]
        memory.review.reject(turned_down.id, user_id='ana')
        export = memory.export(user_id='ana')
    assert sorted(m['versions'][-1]['status'] for m in export.items('memories')) == ['pending', 'rejected']
    assert all(m['review']['reasons'] == ['policy:all'] for m in export.items('memories'))
    assert export.counts['rejected'] == 1
    elsewhere.import_subject(export)
    assert dump(elsewhere.export(user_id='ana')) == dump(export)
    assert [item.memory.text for item in elsewhere.review.list(user_id='ana')] == ['likes tea']


def test_what_an_erasure_of_a_part_left_comes_along(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    memory.add('home.city = Braga', user_id='ana', run_id='r1')
    memory.forget(user_id='ana', run_id='r1')
    export = memory.export(user_id='ana')
    assert 'is busy' not in b''.join(export).decode()
    blank = [e for e in export.items('history') if 'salt' not in e]
    assert blank
    assert all('after' not in e for e in blank)
    elsewhere.import_subject(export)
    assert dump(elsewhere.export(user_id='ana')) == dump(export)
    assert elsewhere.verify(user_id='ana').ok


def test_a_tombstone_comes_along(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    memory.forget(user_id='ana')
    memory.add('likes tea', user_id='ana')
    export = memory.export(user_id='ana')
    assert export.forgotten_at is not None
    assert memory.import_subject(export).status == 'known'
    elsewhere.import_subject(export)
    assert elsewhere.export(user_id='ana').forgotten_at == export.forgotten_at
    assert dump(elsewhere.export(user_id='ana')) == dump(export)
    late = [{'role': 'user', 'content': 'said before', 'timestamp': '2024-01-01T00:00:00Z'}]
    assert elsewhere.add(late, user_id='ana').episode_ids == ()


def test_what_was_said_since_a_forget_is_imported_without_restore(memory: Memory, elsewhere: Memory) -> None:
    elsewhere.forget(user_id='ana')
    memory.add('likes tea', user_id='ana')
    assert elsewhere.import_subject(memory.export(user_id='ana')).status == 'imported'


def test_a_part_that_was_forgotten_keeps_the_whole_out(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    elsewhere.forget(user_id='ana', run_id='r1')
    assert elsewhere.import_subject(export).status == 'forgotten'
    assert elsewhere.import_subject(export, restore=True).status == 'restored'
    assert dump(elsewhere.export(user_id='ana')) == dump(export)


@pytest.mark.parametrize(
    ('ids', 'scope'),
    [
        ({'agent_id': 'bot'}, Scope(agent_id='bot')),
        ({'run_id': 'r'}, Scope(run_id='r')),
        ({'app_id': 'a'}, Scope(app_id='a')),
    ],
)
def test_agents_apps_and_anonymous_runs_are_subjects_too(
    memory: Memory, elsewhere: Memory, ids: dict[str, str], scope: Scope
) -> None:
    memory.add('Answers are short', **ids)
    export = memory.export(**ids)
    assert export.scope == scope
    elsewhere.import_subject(export)
    assert texts(elsewhere.get_all(**ids)) == ['Answers are short']


def test_what_a_project_shares_is_a_subject_too(memory: Memory, elsewhere: Memory) -> None:
    memory.scoped(Scope.GLOBAL).add('Closed on Sundays')
    export = memory.scoped(Scope.GLOBAL).export()
    elsewhere.import_subject(export)
    assert texts(elsewhere.scoped(Scope.GLOBAL).get_all()) == ['Closed on Sundays']


def test_an_export_is_of_one_subject(memory: Memory) -> None:
    with pytest.raises(InvalidScope, match='several ids'):
        memory.export(user_id='ana', run_id='r1')
    with pytest.raises(InvalidScope, match='no id was given'):
        memory.export()
    with pytest.raises(InvalidInput, match='section'):
        memory.export(user_id='ana').items('vectors')


def test_nobody_is_exported_as_an_empty_document_and_imported_as_nobody(memory: Memory, elsewhere: Memory) -> None:
    export = memory.export(user_id='nobody')
    assert not any(export.counts.values())
    assert elsewhere.import_subject(document(export)).status == 'known'


def test_an_export_is_what_was_there_when_it_was_made(memory: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    parts = export.json()
    first = next(parts)
    memory.add('Draws', user_id='ana')
    memory.forget(user_id='ana')
    whole = json.loads(first + b''.join(parts))
    assert len(whole['episodes']) == whole['counts']['episodes']
    assert 'Draws' not in json.dumps(whole)


def test_an_export_during_writes_is_of_one_moment(tmp_path: Path) -> None:
    with fast(tmp_path / 'busy.db') as memory:
        memory.add('start', user_id='ana')
        stop = threading.Event()

        def talk() -> None:
            for n in range(200):
                memory.add(f'home.city = {n}', user_id='ana')
                if stop.is_set():
                    return

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            for _ in range(5):
                export = memory.export(user_id='ana')
                with fast(settings=quiet()) as copy:
                    copy.import_subject(export)  # all checks: no message, change or entry is missing
        finally:
            stop.set()
            thread.join()


def test_the_document_is_as_its_schema_says(memory: Memory) -> None:
    import jsonschema

    live(memory)
    assert json.loads(SCHEMA.read_text(encoding='utf-8')) == schema(), f'write it anew: {WRITE}'
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(document(memory.export(user_id='ana')))


def test_every_table_of_the_file_is_exported_or_made_anew(tmp_path: Path) -> None:
    """Whoever adds a column decides whether it leaves with its subject: see stores/sqlite/exporting.py."""
    asyncio.run(create(tmp_path / 'new.db'))
    connection = sqlite3.connect(tmp_path / 'new.db')
    tables = [t for (t,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {t: {row[1] for row in connection.execute(f'PRAGMA table_info({t})')} for t in tables}
    connection.close()
    assert found == {t: EXPORTED.get(t, set()) | LEFT.get(t, set()) for t in {**EXPORTED, **LEFT}}


async def create(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.close()


EXPORTED = {
    'conversation': {'id', 'messages'},
    'episode': set(
        'id conversation seq role name text occurred_at dated recorded_at trust agent_id run_id app_id metadata '
        'content_hash'.split()
    ),
    'memory': set(
        'id version level run_key agent_id run_id app_id text kind slot value status confidence importance trust '
        'pinned locked valid_from valid_to said_at recorded_at retired_at expires_at supersedes superseded_by evidence '
        'metadata tags actor change_id hash'.split()
    ),
    'usage': {'memory', 'uses', 'last_used_at'},
    'review': {'memory', 'op', 'target', 'reasons', 'at'},
    'change_set': {'id', 'actor', 'reason', 'job_id', 'at'},
    'history': set('row change_id memory_id op actor reason at digest prev_hash hash format'.split()),
    'history_text': {'before', 'after', 'salt'},
    'job': set(
        'id kind payload state attempts crashes created_at run_after finished_at last_error merged_into '
        'idempotency_key digest format requests input_tokens output_tokens cost'.split()
    ),
    'rejected': {'hash'},
    'tombstone': {'project', 'subject', 'erased_at'},
}
LEFT = {  # row keys, index entries, leases, and what belongs to the file and not to a subject
    'conversation': {'row', 'owner', 'segments'},
    'episode': {'row'},
    'memory': {'row', 'owner', 'length', 'live', 'touched', 'project'},
    'usage': {'owner'},
    'review': {'owner'},
    'change_set': {'row'},
    'history_text': {'row'},
    'job': {'row', 'owner', 'worker', 'lease_until', 'touched_at'},
    'rejected': {'owner'},
    'tombstone': {'of_owner'},
    'owner': {'id', 'project', 'kind', 'key', 'next_seq', 'version', 'epoch', 'salt', 'chain_length', 'chain_head'},
    'speaker': {'owner', 'ordinal', 'name'},
    'segment': set('row episode first last conversation position length at role speaker'.split()),
    'evidence': {'episode', 'memory'},
    'posting': {'owner', 'lane', 'term', 'chunk', 'data'},
    'queue': {'owner', 'due', 'format', 'project'},
    'spent': {'part', 'requests', 'input_tokens', 'output_tokens', 'cost'},
    'activity': set(  # figures of days
        'project day part added confirmed superseded corrected edited retracted rejected erased messages letters '
        'memories people recalls recalls_found recall_us took_0 took_1 took_2 took_3 took_4 took_5 took_6 took_7 '
        'took_8 took_9 blocks block_tokens requests input_tokens output_tokens cost'.split()
    ),
    'generation': {'id', 'embedder', 'dimensions', 'state'},
    'scrub': {'id', 'requested_at', 'rest'},
    'api_key': set(  # who may ask a server
        'id digest project name role user_id hint created_at created_by expires_at revoked_at last_used_at '
        'replaces'.split()
    ),
    'meta': {'key', 'value'},
    'sqlite_sequence': {'name', 'seq'},
}


def test_a_document_may_be_written_otherwise_and_is_the_same(memory: Memory, elsewhere: Memory, tmp_path: Path) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    path = tmp_path / 'pretty.json'
    path.write_text(json.dumps(document(export), indent=3), encoding='utf-8')
    assert elsewhere.import_subject(path).status == 'imported'
    assert elsewhere.import_subject(document(export)).status == 'known'
    assert elsewhere.import_subject(b''.join(export)).status == 'known'


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Edit one place of a document, named like `episodes.0.text`."""

    def edit(found: Any) -> None:
        *parents, last = [int(p) if p.lstrip('-').isdigit() else p for p in path.split('.')]
        for parent in parents:
            found = found[parent]
        if value is None:
            del found[last]
        else:
            found[last] = value

    return edit


@pytest.mark.parametrize(
    ('edit', 'named'),
    [
        (change('version', 2), r'version 2.*reads up to 1: upgrade'),
        (change('version', True), r'version'),
        (change('format', 'other'), r"begin with the format 'memoranda.subject'"),
        (change('extra', 1), r"'extra'.*unknown"),
        (change('project', 'b'), r'project, scope or forgotten_at'),
        (change('scope', {'user_id': 'eve'}), r'project, scope or forgotten_at'),
        (change('scope', {'user_id': 'a', 'run_id': 'b'}), r'whose it is'),
        (change('scope', {'user_id': '*'}), r'whose it is'),
        (change('exported_at', 'yesterday'), r'whose it is, or from when'),
        (change('counts.episodes', 1), r'counts.episodes: says 1'),
        (change('counts', 3), r'counts'),
        (change('digest', 'x'), r'project, scope'),
        (change('digests', None), r'digests.*missing'),
        (change('jobs', None), r'the section rejected: is not in its place \(jobs'),
        (change('rejected', None), r'rejected.*missing'),
        (change('episodes.1.text', 'I hate tea'), r'episodes\[1\] \([0-9a-f-]+\): is not what was exported'),
        (change('episodes.1.trust', 'tool'), r'the section episodes: is not what was exported'),
        (change('episodes.1.text', 7), r'episodes\[1\].*text: Input should be a valid string'),
        (change('episodes.0.occurred_at', '2024-01-01T00:00:00'), r'episodes\[0\].*no time zone'),
        (change('episodes.0.words', 'x'), r'episodes\[0\].*words: Unexpected'),
        (change('episodes.0', None), r'conversation|rests on message'),
        (change('episodes.4.seq', 0), r'episodes\[4\].*no place for it'),
        (change('conversations.0', None), r'has no place for it'),
        (change('memories.0.versions.0.text', 'Lives in Rome'), r'memory [0-9a-f-]+ of change'),
        (change('memories.0.versions.0.evidence.0.end', 9999), r'memories\[0\].*characters 0 to 9999 of a message'),
        (change('memories.0.versions.0.retired_at', None), r'was not retired'),
        (change('memories.0.versions.0.level', 'agent'), r"level 'agent'"),
        (change('memories.0.versions', []), r'no version'),
        (change('history.2.actor', 'eve'), r'history\[2\].*does not hold together'),
        (change('history.2', None), r'history\[2\].*gap'),
        (change('history.0.after.text', 'x'), r'history\[0\].*does not hold together'),
        (change('jobs.0.state', 'running'), r'jobs\[0\].*state'),
        (change('jobs.0.episode_ids', ['x']), r"jobs\[0\].*'x'"),
        (change('changes.0.reason', 'x'), r'the section changes'),
        (change('changes', {}), r'the section changes: is no list'),
    ],
)  # fmt: skip
def test_an_edited_document_is_refused_and_the_first_thing_that_does_not_fit_is_named(
    exported: bytes, edit: Callable[[dict[str, Any]], None], named: str
) -> None:
    found = json.loads(exported)
    edit(found)
    with fast(settings=quiet()) as memory:
        with pytest.raises(ImportProblem, match=named):
            memory.import_subject(found)
        assert memory.stats().owners == 0


@pytest.fixture(scope='module')
def exported() -> bytes:
    with fast(settings=quiet()) as memory:
        live(memory)
        return b''.join(memory.export(user_id='ana'))


def test_a_document_that_was_cut_off_is_refused_wherever_that_was(exported: bytes) -> None:
    with fast(settings=quiet()) as memory:
        for cut in (*range(0, len(exported) - 1, len(exported) // 15), len(exported) - 3):
            with pytest.raises(ImportProblem):
                memory.import_subject(exported[:cut])
        with pytest.raises(ImportProblem, match='more than one document'):
            memory.import_subject(exported * 2)
        assert memory.stats().owners == 0


@pytest.mark.parametrize('given', [None, 7, '', [1], 'x' * 5000])
def test_what_is_no_document_is_refused(memory: Memory, given: Any) -> None:
    with pytest.raises(InvalidInput, match='document'):
        memory.import_subject(given)


def test_a_file_that_is_none_is_named(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match=r'missing\.json'):
        memory.import_subject(tmp_path / 'missing.json')
    with pytest.raises(InvalidInput, match='restore'):
        memory.import_subject(b'{}', restore='yes')  # type: ignore[arg-type]


def test_a_document_of_another_project_or_scope_is_refused(memory: Memory, elsewhere: Memory) -> None:
    memory.in_project('a').add('likes tea', user_id='ana')
    export = memory.in_project('a').export(user_id='ana')
    with pytest.raises(InvalidInput, match=r"of project 'a', and this memory works in 'default'"):
        elsewhere.import_subject(export)
    with pytest.raises(InvalidScope, match=r"user_id='ana', outside the scope"):
        elsewhere.in_project('a').scoped(Scope(user_id='ben')).import_subject(export)
    assert elsewhere.in_project('a').scoped(Scope(user_id='ana')).import_subject(export).status == 'imported'


def test_ids_that_somebody_else_holds_are_refused_and_nothing_is_left(memory: Memory) -> None:
    live(memory)
    found = document(memory.export(user_id='ana'))
    thief = memory.in_project('b')
    forged = fast(settings=quiet())
    with forged:
        forged.import_subject(found)
        for_eve = document(forged.export(user_id='ana'))
    for_eve['scope'] = {'user_id': 'eve'}
    for_eve['digest'] = digest_of(for_eve)
    owners = memory.stats().owners
    with pytest.raises(Conflict, match='held by somebody else'):
        memory.import_subject(for_eve)
    assert thief.get_all(user_id='ana').items == ()
    assert memory.get_all(user_id='eve').items == ()
    memory.add('Draws', user_id='ben')  # waits behind the clean-up
    assert memory.stats().owners == owners


def digest_of(found: dict[str, Any]) -> str:
    """As docs/export.md says."""
    import hashlib

    names = ('format', 'version', 'project', 'scope', 'forgotten_at', 'digests')
    whole = json.dumps({n: found[n] for n in names}, ensure_ascii=False, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(whole.encode()).hexdigest()


def test_the_digest_can_be_computed_without_this_package(exported: bytes) -> None:
    import hashlib

    found = json.loads(exported)
    for section, digest in found['digests'].items():
        lines = [json.dumps(i, ensure_ascii=False, sort_keys=True, separators=(',', ':')) for i in found[section]]
        assert hashlib.sha256(''.join(line + '\n' for line in lines).encode()).hexdigest() == digest
    assert digest_of(found) == found['digest']


def test_a_dry_run_checks_and_writes_nothing(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    assert elsewhere.import_subject(export, dry_run=True).status == 'checked'
    assert elsewhere.stats().owners == 0


def test_progress_is_told(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    told: list[tuple[int, int]] = []
    elsewhere.import_subject(export, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (sum(export.counts.values()),) * 2


def test_an_import_that_is_cancelled_leaves_nothing(memory: Memory, tmp_path: Path) -> None:
    live(memory)
    export = memory.export(user_id='ana')

    async def main() -> None:
        async with fast_async(tmp_path / 'cancelled.db', settings=quiet()) as other:
            task = asyncio.create_task(other.import_subject(export, progress=lambda *_: task.cancel() and None))
            with pytest.raises(asyncio.CancelledError):
                await task
            await other.add('Draws', user_id='ben')  # waits behind the clean-up
            assert (await other.stats()).owners == 1
            assert (await other.import_subject(export)).status == 'imported'

    asyncio.run(main())


class Stops(Exception):
    pass


def test_an_import_that_fails_in_the_middle_leaves_nothing(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')

    def stop(done: int, total: int) -> None:
        assert done
        assert elsewhere.get_all(user_id='ana').items == ()
        assert elsewhere.episodes(user_id='ana').items == ()
        raise Stops

    with pytest.raises(Stops):
        elsewhere.import_subject(export, progress=stop)
    assert not any(elsewhere.export(user_id='ana').counts.values())
    elsewhere.add('home.city = Faro', user_id='ben')  # waits behind the clean-up
    assert (elsewhere.stats().owners, elsewhere.stats().episodes) == (1, 1)
    assert elsewhere.import_subject(export).status == 'imported'


def test_a_subject_forgotten_during_its_import_stays_forgotten(memory: Memory, elsewhere: Memory) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    for restore in (False, True):
        with pytest.raises(Conflict, match='was forgotten while it was imported'):
            elsewhere.import_subject(export, restore=restore, progress=lambda *_: elsewhere.forget(user_id='ana'))
        assert not any(elsewhere.export(user_id='ana').counts.values())
        if not restore:
            assert elsewhere.import_subject(export).status == 'forgotten'


def test_an_import_whose_process_died_is_cleared_away(memory: Memory, tmp_path: Path) -> None:
    import multiprocessing

    memory.add('a rare word: zyzzyva', user_id='ana')
    path = memory.export(user_id='ana').save(tmp_path / 'ana.json')
    process = multiprocessing.get_context('spawn').Process(target=die_importing, args=(tmp_path / 'x.db', path))
    process.start()
    process.join(60)
    assert process.exitcode == 7
    assert b'zyzzyva' in (tmp_path / 'x.db').read_bytes() + (tmp_path / 'x.db-wal').read_bytes()
    with fast(tmp_path / 'x.db', settings=quiet()) as again:
        assert again.stats().episodes == 1
        memory_of_nobody = memory.export(user_id='nobody')
        assert again.import_subject(memory_of_nobody).status == 'known'
        assert asyncio.run(again.engine.store.recover(lease_seconds=60)) == 0
        assert again.stats().episodes == 0
        assert again.finish_erasure()
    assert b'zyzzyva' not in (tmp_path / 'x.db').read_bytes()


def die_importing(database: Path, document: Path) -> None:
    with fast(database, settings=quiet()) as memory:
        memory.import_subject(document, progress=lambda *_: os._exit(7))


def test_a_saved_file_is_private_and_never_overwrites_another(memory: Memory, tmp_path: Path) -> None:
    live(memory)
    export = memory.export(user_id='ana')
    path = export.save(tmp_path / 'ana.json')
    if os.name == 'posix':
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b''.join(export)
    with pytest.raises(InvalidInput, match='is there already'):
        export.save(path)
    with pytest.raises(InvalidInput, match='format'):
        export.save(tmp_path / 'x', format='xml')  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir() if 'ana' in p.name] == ['ana.json']


def test_markdown_tells_what_is_held_with_the_words_it_rests_on(memory: Memory) -> None:
    live(memory)
    told = ''.join(memory.export(user_id='ana').markdown())
    assert told.startswith('# What is held on user ana\n')
    assert '### home.city is Braga' in told
    assert '> not home.city = Braga' in told
    assert '## What was believed' in told
    assert '**Ana**, 2024-01-01 00:00:\n\n> likes 緑茶 🍵' in told
    assert '## Jobs that are not done' in told


def test_markdown_names_conversations_only_where_somebody_has_named_them(memory: Memory) -> None:
    memory.add('likes tea', user_id='ana')
    memory.add('likes rum', user_id='ana')
    memory.add('likes gin', user_id='ana', run_id='monday')
    told = ''.join(memory.export(user_id='ana').markdown())
    assert [line for line in told.splitlines() if 'onversation' in line and line.startswith('#')] == [
        '### Without a conversation',
        '### Conversation monday',
    ]


def test_markdown_is_not_steered_by_what_is_remembered(memory: Memory) -> None:
    hostile = '![x](https://evil.example/p.png) <script>alert(1)</script>\n# Heading\n\x1b[2J\u202eabc | `code`'
    memory.add(hostile, user_id='ana', infer=False, metadata={'k': '<img src=x>'}, tags=['<b>'])
    told = ''.join(memory.export(user_id='ana').markdown())
    assert '![x](' not in told
    assert '<script' not in told.replace('\\<script', '')
    assert '<img' not in told.replace('\\<img', '')
    assert '\n# Heading' not in told
    assert '\x1b' not in told
    assert '\u202e' not in told


def test_async_parts_make_the_same_document(tmp_path: Path) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'a.db') as memory:
            await memory.add('likes tea', user_id='ana')
            export = await memory.export(user_id='ana')
            assert b''.join([part async for part in export]) == b''.join(export)

    asyncio.run(main())


def test_a_large_subject_is_the_same_too(tmp_path: Path, elsewhere: Memory) -> None:
    """The number of messages can be raised by TEST_EXPORT_MESSAGES; benchmarks take 100,000."""
    count = int(os.environ.get('TEST_EXPORT_MESSAGES', '450'))

    async def fill(memory: AsyncMemory) -> None:
        messages = [{'role': 'user', 'content': f'note {n} of the day'} for n in range(count)]
        await memory.add(messages, user_id='ana', run_id='long')

    class Silent(Grammar):
        def propose(self, request: Any) -> Any:
            from memoranda.write.extract import Extraction

            return Extraction(proposals=[])

    async def main() -> SubjectExport:
        async with fast_async(tmp_path / 'large.db', extractor=Silent()) as memory:
            await fill(memory)
            return await memory.export(user_id='ana')

    export = asyncio.run(main())
    report = elsewhere.import_subject(export)
    assert report.counts['episodes'] == count
    again = elsewhere.export(user_id='ana')
    assert again.digest == export.digest
    assert again.exported_at - export.exported_at < timedelta(days=1)
