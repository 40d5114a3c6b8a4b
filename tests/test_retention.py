"""What is not kept for ever: what expires, what is erased, what is spared, and who sees to it."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import memoranda.write.cleaning
import memoranda.write.retention
from _fakes import fast, subprocess_environment, texts
from memoranda import ConfigurationError, InvalidScope, Memory, MemoryNotFound, Policy, Retention, Scope
from memoranda.engine import Engine
from memoranda.errors import StoreBusy
from memoranda.settings import Settings
from memoranda.stores.sqlite import SQLiteStore
from memoranda.write.retention import one_round

DAY = timedelta(days=1)
ANA: dict[str, Any] = {'user_id': 'ana'}
EVENTS = Retention(after=365 * DAY, kinds=('event',))
UNUSED = Retention(after=90 * DAY, episodes=True)
ALL = Retention(after=90 * DAY, episodes='all')


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Iterator[Memory]:
    """A memory with the policy that a test names by `@keeps(...)`."""
    with fast(policy=getattr(request, 'param', None)) as opened:
        yield opened


def keeps(*rules: Retention, **options: Any) -> pytest.MarkDecorator:
    policy = Policy(retention=rules, **options)
    return pytest.mark.parametrize('memory', [pytest.param(policy, id='keeps')], indirect=True)


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets so many days pass for what applies retention."""

    def pass_by(days: float) -> None:
        for module in (memoranda.write.retention, memoranda.write.cleaning):
            monkeypatch.setattr(module, 'now', lambda: datetime.now(UTC) + days * DAY)

    return pass_by


def tell(memory: Memory, text: str, **fields: Any) -> str:
    options: dict[str, Any] = {**ANA, 'infer': False, **fields}
    return memory.add(text, **options).memories[0].id


def current(memory: Memory, **ids: Any) -> list[str]:
    return texts(memory.get_all(**(ids or ANA)))


def said(memory: Memory, **ids: Any) -> list[str]:
    return [e.text for e in memory.episodes(**(ids or ANA)).items]


# --- facts ---


@keeps(EVENTS)
def test_facts_of_a_kind_expire_when_they_are_old_enough(memory: Memory, after: Any) -> None:
    tell(memory, 'went to the dentist', kind='event')
    tell(memory, 'likes tea')
    after(364)
    assert memory.apply_retention().nothing
    after(366)
    result = memory.apply_retention()
    assert (result.expired, result.messages, result.owners, result.scrub) == (1, 0, 1, None)
    assert current(memory) == ['likes tea']
    assert said(memory) == ['went to the dentist', 'likes tea'], 'messages stay'


@keeps(EVENTS)
def test_a_revert_brings_expired_facts_back(memory: Memory, after: Any) -> None:
    tell(memory, 'went to the dentist', kind='event')
    after(366)
    memory.apply_retention()
    change = memory.changes(**ANA).items[0]
    assert (change.actor, change.reason) == ('retention', 'retention')
    memory.revert(change.id, **ANA)
    assert current(memory) == ['went to the dentist']


@keeps(Retention(after=30 * DAY, levels=('agent',)))
def test_facts_of_a_level_expire(memory: Memory, after: Any) -> None:
    tell(memory, 'likes tea')
    memory.add('is busy on Mondays', agent_id='bot', infer=False)
    after(31)
    assert memory.apply_retention().expired == 1
    assert (current(memory), current(memory, agent_id='bot')) == (['likes tea'], [])


@keeps(EVENTS)
def test_what_was_said_long_ago_is_kept_from_when_it_was_stored(memory: Memory, after: Any) -> None:
    tell(memory, 'went to the dentist', kind='event', occurred_at='2001-01-01')
    after(300)
    assert memory.apply_retention().nothing


@keeps(EVENTS)
def test_a_fact_that_was_said_again_counts_from_then(memory: Memory, after: Any, monkeypatch: Any) -> None:
    import memoranda.write.process

    tell(memory, 'went to the dentist', kind='event')
    monkeypatch.setattr(memoranda.write.process, 'now', lambda: datetime.now(UTC) + 200 * DAY)
    memory.add('went to the dentist', **ANA, infer=False, kind='event')
    after(366)
    assert memory.apply_retention().nothing
    after(566)
    assert memory.apply_retention().expired == 1


@keeps(EVENTS)
def test_pinned_and_edited_facts_are_spared_and_counted(memory: Memory, after: Any) -> None:
    tell(memory, 'was born in Lisbon', kind='event', pinned=True)
    memory.update(tell(memory, 'went home', kind='event'), text='went home early', **ANA)
    after(366)
    result = memory.apply_retention()
    assert (result.expired, result.left) == (0, 2)
    assert current(memory) == ['was born in Lisbon', 'went home early']


@keeps(EVENTS, Retention(after=730 * DAY, kinds=('event',), pinned=True))
def test_a_rule_may_take_them_nevertheless(memory: Memory, after: Any) -> None:
    tell(memory, 'was born in Lisbon', kind='event', pinned=True)
    after(366)
    assert memory.apply_retention().left == 1
    after(731)
    result = memory.apply_retention()
    assert (result.expired, result.left) == (1, 0)


# --- conversations ---


@keeps(run_expiry=30 * DAY)
def test_facts_of_a_conversation_expire_with_it(memory: Memory, after: Any) -> None:
    memory.add('here: parks on level 3', **ANA, run_id='s1')
    memory.add('likes tea', **ANA, run_id='s1')
    memory.add('has a question', run_id='visitor')
    after(29)
    assert memory.apply_retention().nothing
    after(31)
    result = memory.apply_retention()
    assert (result.expired, result.owners) == (2, 2)
    assert current(memory) == ['likes tea'], 'what holds beyond the conversation stays'
    assert current(memory, run_id='visitor') == []
    assert memory.changes(**ANA).items[0].reason == 'run ended'


@keeps(run_expiry=30 * DAY)
def test_a_conversation_that_goes_on_keeps_its_facts(memory: Memory, after: Any, monkeypatch: Any) -> None:
    import memoranda.stores.sql.writing

    memory.add('here: parks on level 3', **ANA, run_id='s1')
    memory.add('here: sits in row 2', **ANA, run_id='s2')
    monkeypatch.setattr(memoranda.stores.sql.writing, 'now', lambda: datetime.now(UTC) + 20 * DAY)
    memory.add('and what about tomorrow?', **ANA, run_id='s1')
    after(31)
    assert [m.text for m in memory.retention_preview().some_expired] == ['sits in row 2']


# --- messages ---


@keeps(UNUSED)
def test_old_messages_that_nothing_current_rests_on_are_erased(memory: Memory, after: Any) -> None:
    memory.add([{'role': 'assistant', 'content': 'what do you like?'}, {'role': 'user', 'content': 'likes tea'}], **ANA)
    after(91)
    result = memory.apply_retention()
    assert (result.messages, result.facts, result.scrub) == (1, 0, 'verified')
    assert said(memory) == ['likes tea']
    assert current(memory) == ['likes tea']
    assert [e.quote for m in memory.get_all(**ANA) for e in m.evidence] == ['likes tea']


@keeps(UNUSED)
def test_what_no_longer_holds_is_erased_with_its_messages(memory: Memory, after: Any) -> None:
    memory.add('home.city = Lisbon', **ANA)
    memory.add('home.city = Porto', **ANA)
    gone = tell(memory, 'likes tea')
    memory.delete(gone, **ANA)
    after(91)
    result = memory.apply_retention()
    assert (result.messages, result.facts) == (2, 2)
    assert [m.text for m in memory.get_all(**ANA, include_inactive=True)] == ['home.city is Porto']
    with pytest.raises(MemoryNotFound):
        memory.history(gone, **ANA)


@keeps(ALL)
def test_a_rule_for_all_messages_takes_what_rests_on_them_alone(memory: Memory, after: Any) -> None:
    tell(memory, 'likes tea')
    pinned = tell(memory, 'is allergic to nuts', pinned=True)
    after(91)
    result = memory.apply_retention()
    assert (result.messages, result.facts) == (1, 1)
    assert [m.id for m in memory.get_all(**ANA)] == [pinned]
    assert said(memory) == ['is allergic to nuts']


@keeps(Retention(after=90 * DAY, episodes='all', pinned=True))
def test_even_what_is_pinned_if_it_says_so(memory: Memory, after: Any) -> None:
    tell(memory, 'is allergic to nuts', pinned=True)
    after(91)
    assert memory.apply_retention().facts == 1
    assert current(memory) == []


@keeps(ALL)
def test_a_fact_that_was_said_again_lately_stays(memory: Memory, after: Any, monkeypatch: Any) -> None:
    import memoranda.stores.sql.writing

    tell(memory, 'likes tea')
    monkeypatch.setattr(memoranda.stores.sql.writing, 'now', lambda: datetime.now(UTC) + 60 * DAY)
    memory.add('likes tea', **ANA, infer=False)
    after(91)
    result = memory.apply_retention()
    assert (result.messages, result.facts) == (1, 0)
    (kept,) = memory.get_all(**ANA).items
    assert kept.confirmations == 1


@keeps(EVENTS, UNUSED)
def test_an_expired_fact_goes_with_its_message_at_once(memory: Memory, after: Any) -> None:
    tell(memory, 'went to the dentist', kind='event')
    after(366)
    result = memory.apply_retention()
    assert (result.expired, result.messages, result.facts) == (1, 1, 1)
    assert memory.get_all(**ANA, include_inactive=True).items == ()


def test_messages_that_wait_for_a_worker_stay(after: Any) -> None:
    with fast(policy=Policy(retention=(ALL,)), settings=Settings(workers=0)) as memory:
        memory.add('likes tea', **ANA, background=True)
        after(91)
        assert memory.apply_retention().nothing
        memory.process_one_job()
        assert memory.apply_retention().messages == 1


@keeps(ALL)
def test_more_messages_than_one_transaction_takes(memory: Memory, after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memoranda.write.retention, 'MESSAGES', 3)
    for number in range(10):
        tell(memory, f'likes tea number {number}')
    after(91)
    assert memory.apply_retention().messages == 10
    assert said(memory) == []


def test_erased_words_are_gone_from_the_file(tmp_path: Path, after: Any) -> None:
    path = tmp_path / 'test.db'
    with fast(path, policy=Policy(retention=(EVENTS, UNUSED))) as memory:
        tell(memory, 'went to the xylophonist', kind='event')
        after(366)
        assert memory.apply_retention().scrub == 'verified'
        left = b''.join(file.read_bytes() for file in tmp_path.iterdir())
        assert b'xylophonist' not in left


# --- preview and borders ---


@keeps(EVENTS, UNUSED, run_expiry=30 * DAY)
def test_a_preview_tells_what_would_go_and_changes_nothing(memory: Memory, after: Any) -> None:
    tell(memory, 'went to the dentist', kind='event')
    tell(memory, 'likes tea')
    memory.add('here: parks on level 3', **ANA, run_id='s1')
    memory.add('ok', user_id='ben')
    before = memory.get_all(**ANA, include_inactive=True).items, said(memory)
    after(366)
    found = memory.retention_preview()
    assert (found.expired, found.messages, found.facts, found.owners) == (2, 3, 2, 2)
    assert texts(found.some_expired) == ['parks on level 3', 'went to the dentist']
    assert [e.text for e in found.some_messages] == ['went to the dentist', 'here: parks on level 3', 'ok']
    assert texts(found.some_facts) == ['parks on level 3', 'went to the dentist']
    assert (memory.get_all(**ANA, include_inactive=True).items, said(memory)) == before
    assert memory.retention_preview(sample=0).some_messages == ()
    done = memory.apply_retention()
    assert (done.expired, done.messages, done.facts) == (found.expired, found.messages, found.facts)


@keeps(ALL)
def test_it_stays_within_the_project_and_the_scope(memory: Memory, after: Any) -> None:
    other = memory.in_project('other')
    for view in (memory, other):
        tell(view, 'likes tea')
        view.add('likes coffee', user_id='ben', infer=False)
        view.add('likes water', **ANA, run_id='s1', infer=False)
    after(91)
    assert memory.scoped(Scope(user_id='ana')).apply_retention().messages == 2
    assert said(memory, user_id='ben') == ['likes coffee']
    assert memory.apply_retention().messages == 1
    assert len(said(other)) == 2
    with pytest.raises(InvalidScope, match='one id only'):
        memory.apply_retention(**ANA, run_id='s1')


def test_without_rules_nothing_goes(memory: Memory, after: Any) -> None:
    tell(memory, 'likes tea')
    after(10_000)
    assert memory.apply_retention().nothing
    assert memory.retention_preview().nothing


@pytest.mark.parametrize(
    'fields',
    [
        {'after': 0 * DAY},
        {'after': 90},
        {'after': DAY, 'episodes': 'some'},
        {'after': DAY, 'episodes': True, 'kinds': ('event',)},
        {'after': DAY, 'episodes': 'all', 'levels': ('run',)},
        {'after': DAY, 'pinned': 'no'},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(fields: Any) -> None:
    with pytest.raises(ConfigurationError, match='retention'):
        Retention(**fields)


def test_run_expiry_is_a_time_span() -> None:
    with pytest.raises(ConfigurationError, match='run_expiry'):
        Policy(run_expiry=30)  # pyright: ignore[reportArgumentType]


# --- settings ---


def test_rules_are_read_from_settings() -> None:
    settings = Settings(retention='messages 90d; kind=event,interaction 1y ;level=run 12h pinned', run_expiry='8w')
    assert settings.policy().retention == (
        UNUSED,
        Retention(after=365 * DAY, kinds=('event', 'interaction')),
        Retention(after=timedelta(hours=12), levels=('run',), pinned=True),
    )
    assert settings.policy().run_expiry == 56 * DAY
    assert Settings(retention='messages=all 90d').policy().retention == (ALL,)
    assert Settings().policy().retention == ()


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('retention', 'messages'),
        ('retention', '90d 1y'),
        ('retention', 'messages=some 90d'),
        ('retention', 'kind= 90d'),
        ('retention', 'messages kind=event 90d'),
        ('retention', 'level=nowhere 90d'),
        ('retention', '0d'),
        ('run_expiry', 'soon'),
        ('clean_every', -1),
    ],
)
def test_settings_that_can_not_be_read_name_the_fix(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings(**{name: value})


# --- on a schedule ---


def engine_of(memory: Memory) -> Engine:
    return memory.aio.engine


def go_round(memory: Memory) -> float | None:
    return asyncio.run(one_round(engine_of(memory), lambda: None))


def open_on(path: Path, *rules: Retention, **settings: Any) -> Memory:
    return fast(path, policy=Policy(retention=rules), settings=Settings(workers=0, **settings))


def test_a_worker_sees_to_it_by_itself(tmp_path: Path, after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    end = SQLiteStore.end_round

    async def told(self: SQLiteStore, *args: Any, **options: Any) -> None:
        await end(self, *args, **options)
        done.set()

    monkeypatch.setattr(SQLiteStore, 'end_round', told)
    path = tmp_path / 'test.db'
    with open_on(path) as memory:
        tell(memory, 'likes tea')
        memory.in_project('other').add('likes tea', user_id='ben', infer=False)
    after(91)
    with fast(path, policy=Policy(retention=(ALL,)), settings=Settings(workers=1)) as memory:
        assert done.wait(20)
        assert said(memory) == []
        assert said(memory.in_project('other'), user_id='ben') == []


def test_it_is_done_once_in_so_many_hours_whoever_does_it(tmp_path: Path, after: Any) -> None:
    path = tmp_path / 'test.db'
    with open_on(path, ALL) as one, open_on(path, ALL) as two:
        assert go_round(one) is not None
        tell(one, 'likes tea')
        after(91)
        go_round(two)
        assert said(one) == ['likes tea'], 'it is not due again'


def test_a_changed_policy_is_applied_at_once(tmp_path: Path, after: Any) -> None:
    path = tmp_path / 'test.db'
    with open_on(path, EVENTS) as one, open_on(path, ALL) as two:
        tell(one, 'likes tea')
        after(91)
        go_round(one)
        assert said(one) == ['likes tea']
        go_round(two)
        assert said(one) == []


@pytest.mark.parametrize('hours', [0, 24])
def test_it_can_be_left_to_a_person(hours: float, tmp_path: Path, after: Any) -> None:
    with open_on(tmp_path / 'test.db', *((ALL,) if not hours else ()), clean_every=hours) as memory:
        tell(memory, 'likes tea')
        after(91)
        assert go_round(memory) is None
        assert said(memory) == ['likes tea']


def test_a_round_that_failed_is_gone_on_with_and_tells_nothing_of_what_was_said(
    tmp_path: Path, after: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(memoranda.write.retention, 'OWNERS', 1)
    with open_on(tmp_path / 'test.db', ALL) as memory:
        for user in ('ana', 'ben', 'cem'):
            memory.add(f'the secret of {user}', user_id=user, infer=False)
        after(91)
        erase, begun = SQLiteStore.erase_aged, 0

        async def broken(self: SQLiteStore, owner: Any, *args: Any, **options: Any) -> Any:
            nonlocal begun
            begun += 1
            if begun == 2:
                raise StoreBusy(f'somebody locks the secret of {owner.key}')
            return await erase(self, owner, *args, **options)

        monkeypatch.setattr(SQLiteStore, 'erase_aged', broken)
        with caplog.at_level(logging.DEBUG, 'memoranda'):
            assert go_round(memory) is not None
        assert [said(memory, user_id=u) != [] for u in ('ana', 'ben', 'cem')] == [False, True, True]
        assert 'StoreBusy' in caplog.text
        assert 'secret' not in caplog.text
        go_round(memory)
        assert [said(memory, user_id=u) for u in ('ana', 'ben', 'cem')] == [[], [], []]
        assert begun == 4, 'it goes on where it was interrupted'


def test_a_round_whose_process_died_is_taken_over(tmp_path: Path, after: Any) -> None:
    path = tmp_path / 'test.db'
    with open_on(path, ALL, lease_seconds=3600) as memory:
        tell(memory, 'likes tea')
        after(91)
        store, name = engine_of(memory).store, memoranda.write.retention.Rules.of(engine_of(memory).policy).name
        held: dict[str, Any] = {'worker': 'here:1:x:y', 'every': 3600.0, 'lease_seconds': 3600.0}
        assert asyncio.run(store.begin_round(name, **held)).mine
        go_round(memory)
        assert said(memory) == ['likes tea'], 'somebody else is at it, as far as we know'
        asyncio.run(store.end_round(name, worker='here:1:x:y', again=0))
        go_round(memory)
        assert said(memory) == []


def test_a_process_that_is_gone_is_not_waited_for(tmp_path: Path, after: Any) -> None:
    code = 'from memoranda.stores.leases import new_token; print(new_token())'
    ran = subprocess.run(
        [sys.executable, '-c', code], env=subprocess_environment(), capture_output=True, text=True, check=True
    )
    with open_on(tmp_path / 'test.db', ALL, lease_seconds=3600) as memory:
        tell(memory, 'likes tea')
        after(91)
        store, name = engine_of(memory).store, memoranda.write.retention.Rules.of(engine_of(memory).policy).name
        held: dict[str, Any] = {'worker': ran.stdout.strip(), 'every': 3600.0, 'lease_seconds': 3600.0}
        assert asyncio.run(store.begin_round(name, **held)).mine
        go_round(memory)
        assert said(memory) == []


def test_jobs_are_done_while_it_runs(tmp_path: Path, after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    aging = SQLiteStore.aging_owners

    async def slow(self: SQLiteStore, **options: Any) -> Any:
        inside.set()
        await asyncio.to_thread(go_on.wait)
        return await aging(self, **options)

    monkeypatch.setattr(SQLiteStore, 'aging_owners', slow)
    with fast(tmp_path / 'test.db', policy=Policy(retention=(ALL,)), settings=Settings(workers=1)) as memory:
        try:
            assert inside.wait(20)
            receipt = memory.add('likes tea', **ANA, background=True)
            assert receipt.result(20).status == 'done'
        finally:
            go_on.set()


# --- the command ---


def test_the_command_previews_and_applies(
    tmp_path: Path, after: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from memoranda.cli._app import app

    path = tmp_path / 'test.db'
    monkeypatch.setenv('MEMORANDA_DATABASE', str(path))
    with fast(path) as memory:
        memory.add('likes \x1b[31mtea', user_id='me', infer=False)
        memory.add('likes coffee', user_id='ben', infer=False)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ['clean', '--retention', *arguments])

    assert 'MEMORANDA_RETENTION' in run('--dry-run').stderr
    monkeypatch.setenv('MEMORANDA_RETENTION', 'messages=all 90d')
    after(91)
    shown = run('--dry-run')
    assert (shown.exit_code, 'likes' in shown.stdout, '\x1b[31m' in shown.stdout) == (0, True, False)
    assert json.loads(run('--dry-run', '--json', '--all').stdout)['messages'] == 2
    assert run('--older-than', '90d').exit_code == 2
    assert run('--yes', '--json').exit_code == 0
    found = json.loads(run('--dry-run', '--json', '--all').stdout)
    assert (found['messages'], found['some_messages'][0]['text']) == (1, 'likes coffee')
