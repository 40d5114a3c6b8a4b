"""`forget`: nothing is left, nothing comes back, and the receipt holds or says that it doesn't."""

from __future__ import annotations

import contextlib
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from _fakes import Grammar, fast, texts
from _outages import locked
from _thinking import SECONDS, quick
from memoranda import (
    ErasureReceipt,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    Memory,
    MemoryNotFound,
    Policy,
    Scope,
    StoreBusy,
    StoreFull,
)
from memoranda.consent.forgetting import verify_erasure
from memoranda.records import now
from memoranda.settings import Settings
from memoranda.stores.sql import forgetting
from memoranda.testing import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

ANA: dict[str, Any] = {'user_id': 'ana-lindqvist'}
OLD = '2026-01-05T10:00:00+00:00'
RARE = 'xylophonist'
SENTENCE = f'Her neighbour, the {RARE} from Ouagadougou, waters the plants'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'm.db'


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with fast(path) as memory:
        yield memory


def dated(*said: str, at: str = OLD) -> list[dict[str, str]]:
    return [{'role': 'user', 'content': text, 'timestamp': at} for text in said]


def files(path: Path) -> bytes:
    """Every byte of the database and of what lies beside it."""
    return b''.join(p.read_bytes() for p in sorted(path.parent.iterdir()) if p.name.startswith(path.name))


def tables(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        names = [
            n
            for (n,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        return {n: connection.execute(f'SELECT count(*) FROM {n}').fetchall()[0][0] for n in names}


# What goes


def test_nothing_of_a_forgotten_user_is_left_in_any_table_or_byte(path: Path, memory: Memory) -> None:
    memory.add('Likes tea', user_id='ben', infer=False)
    before = tables(path)
    memory.add(SENTENCE, **ANA, run_id='r1', tags=[RARE], metadata={'about': RARE}, idempotency_key=RARE)
    memory.add({'role': 'user', 'content': f'{RARE} again', 'name': RARE}, **ANA, run_id='r2')
    memory.add('home.city = Ouagadougou', **ANA)
    memory.add('home.city = Bobo-Dioulasso', **ANA)
    known = memory.get_all(**ANA).items[0]
    memory.update(known.id, text=f'Knows a {RARE}', **ANA)
    memory.delete(known.id, **ANA)
    memory.search(RARE, **ANA, include=('memories', 'episodes'))
    receipt = memory.forget(**ANA)
    assert (receipt.asked, dict(receipt.stores), receipt.tombstone) == ('user', {'database': 'verified'}, True)
    assert dict(receipt.counts) == {
        'episodes': 4, 'memories': 4, 'versions': 7, 'history': 7, 'vectors': 11, 'jobs': 4, 'reviews': 0
    }  # fmt: skip
    data = files(path)
    for word in (SENTENCE, RARE, RARE.upper(), 'Ouagadougou', 'Bobo-Dioulasso', 'home.city', 'ana-lindqvist'):
        assert word.encode() not in data, word
    left = {name: count - before[name] for name, count in tables(path).items() if count != before[name]}
    # The link that closes the chain, the owner's number, which is never given again, and the tombstone.
    assert left == {'history': 1, 'history_text': 1, 'owner': 1, 'tombstone': 1}
    assert memory.search('tea', user_id='ben')
    assert memory.verify_erasure(receipt, texts=[SENTENCE, RARE, 'Ouagadougou']).ok


def test_one_message_goes_with_what_was_drawn_from_it_alone(path: Path, memory: Memory) -> None:
    first = memory.add(SENTENCE, **ANA)
    memory.add('Likes tea', **ANA, run_id='r1')
    second = memory.add('Likes tea', **ANA, run_id='r2')
    receipt = memory.forget(episode_id=first.episode_ids[0], **ANA)
    assert (receipt.asked, receipt.counts['episodes'], receipt.counts['memories']) == ('message', 1, 1)
    assert not receipt.tombstone
    assert RARE.encode() not in files(path)
    assert texts(memory.get_all(**ANA)) == ['Likes tea']
    memory.forget(episode_id=second.episode_ids[0], **ANA)
    (kept,) = memory.get_all(**ANA)
    assert (kept.text, kept.confirmations) == ('Likes tea', 1)
    assert [e.text for e in memory.episodes(**ANA).items] == ['Likes tea']
    assert memory.verify_erasure(receipt, texts=[SENTENCE]).ok


def test_one_memory_goes_with_the_messages_it_rests_on_and_all_it_ever_said(path: Path, memory: Memory) -> None:
    (fact,) = memory.add(SENTENCE, **ANA).memories
    memory.update(fact.id, text='Her neighbour is a musician', **ANA)
    memory.add('Likes tea', **ANA)
    receipt = memory.forget(fact.id, **ANA)
    assert (receipt.asked, receipt.counts['episodes'], receipt.counts['versions']) == ('memory', 1, 2)
    assert texts(memory.get_all(**ANA, include_inactive=True)) == ['Likes tea']
    for word in (RARE, 'musician'):
        assert word.encode() not in files(path)
    assert memory.verify_erasure(receipt, texts=[SENTENCE, 'musician']).ok
    with pytest.raises(MemoryNotFound):
        memory.forget(fact.id, **ANA)


def test_what_matches_a_filter_goes_with_its_messages_whatever_its_status(path: Path, memory: Memory) -> None:
    memory.add('home.city = Lisbon', **ANA)
    memory.add('home.city = Porto', **ANA)
    memory.add('Likes tea', **ANA, tags=['drink'])
    receipt = memory.forget(filters={'slot': 'home.city'}, **ANA)
    assert (receipt.asked, receipt.counts['memories'], receipt.counts['episodes']) == ('filter', 2, 2)
    assert texts(memory.get_all(**ANA, include_inactive=True)) == ['Likes tea']
    assert b'Lisbon' not in files(path)
    assert memory.forget(filters={'slot': 'home.city'}, **ANA).counts['memories'] == 0


def test_a_filter_that_fits_messages_takes_those_from_which_nothing_was_drawn(path: Path) -> None:
    class Nothing:
        name = 'nothing'

        def propose(self, request: ExtractionRequest) -> Extraction:
            return Extraction(proposals=[])

    with fast(path, extractor=Nothing()) as memory:
        memory.add(SENTENCE, **ANA, metadata={'ticket': 7})
        memory.add('Likes tea', **ANA, metadata={'ticket': 8})
        assert memory.forget(filters={'kind': {'ne': 'preference'}}, **ANA).counts['episodes'] == 0
        assert memory.forget(filters={'metadata.ticket': 7}, **ANA).counts['episodes'] == 1
        assert [e.text for e in memory.episodes(**ANA).items] == ['Likes tea']
        assert RARE.encode() not in files(path)


def test_one_conversation_goes_and_the_others_stay(path: Path, memory: Memory) -> None:
    memory.add(SENTENCE, **ANA, run_id='r1')
    memory.add('Likes tea', **ANA, run_id='r2')
    memory.add('Nobody in particular likes cocoa', run_id='r1')
    receipt = memory.forget(**ANA, session_id='r1')
    assert (receipt.asked, receipt.counts['episodes']) == ('part', 1)
    assert texts(memory.get_all(**ANA)) == ['Likes tea']
    assert RARE.encode() not in files(path)
    assert memory.get_all(run_id='r1').items
    assert memory.forget(run_id='r1').asked == 'run'
    assert memory.get_all(run_id='r1').items == ()


def test_an_agent_is_forgotten_alone_or_wherever_it_turns_up(memory: Memory) -> None:
    memory.add('Answers in rhymes', agent_id='bot', infer=False)
    memory.add('Likes tea', **ANA, agent_id='bot')
    memory.add('Likes jazz', **ANA, agent_id='other')
    assert memory.forget(agent_id='bot').counts['memories'] == 1
    assert texts(memory.get_all(**ANA)) == ['Likes jazz', 'Likes tea']
    memory.add('Answers in prose', agent_id='bot', infer=False)
    receipt = memory.project_wide().forget(agent_id='bot')
    assert (receipt.asked, receipt.counts['memories'], len(receipt.chains)) == ('part', 2, 2)
    assert texts(memory.get_all(**ANA)) == ['Likes jazz']
    assert memory.get_all(agent_id='bot').items == ()
    assert memory.add(dated('Likes cocoa'), user_id='ben', agent_id='bot').skipped == {'forgotten': 1}
    assert memory.add(dated('Likes cocoa'), user_id='ben').memories
    assert memory.verify_erasure(receipt).ok


def test_a_project_is_forgotten_with_its_name_and_the_others_stay(path: Path, memory: Memory) -> None:
    tenant = memory.in_project('acme-tenant')
    for number in range(20):
        tenant.add(SENTENCE, user_id=f'user-{number}')
    memory.add('Likes tea', **ANA)
    receipt = tenant.project_wide().forget(whole_project=True)
    assert (receipt.asked, receipt.counts['episodes'], len(receipt.chains)) == ('project', 20, 20)
    data = files(path)
    assert RARE.encode() not in data
    assert b'acme-tenant' not in data
    assert texts(memory.get_all(**ANA)) == ['Likes tea']
    assert tenant.add(dated('Likes cocoa'), user_id='user-3').skipped == {'forgotten': 1}
    assert memory.add(dated('Likes cocoa'), user_id='user-3').memories
    assert memory.verify_erasure(receipt, texts=[SENTENCE]).ok
    assert memory.verify_erasure(receipt, texts=[SENTENCE]).state == 'verified'


def test_the_lessons_an_agent_drew_go_with_the_user_and_its_own_stay(path: Path) -> None:
    class Teaching:
        name = 'teaching'

        def propose(self, request: ExtractionRequest) -> Extraction:
            quote = (Quote(0, 0, len(request.messages[0].text)),)
            told = 'Slower answers help' if 'pace' in request.messages[0].text else 'Shorter answers help'
            return Extraction(proposals=[Proposal(text=told, kind='heuristic', level='agent', evidence=quote)])

    with fast(path, extractor=Teaching(), settings=quick(agent_lessons='auto')) as memory:
        memory.add('Answers in rhymes', agent_id='bot', infer=False)
        memory.add('please mind the pace', **ANA, agent_id='bot')
        memory.add('please mind the length', user_id='ben', agent_id='bot')
        memory.flush(SECONDS)
        assert texts(memory.get_all(agent_id='bot')) == [
            'Answers in rhymes', 'Shorter answers help', 'Slower answers help'
        ]  # fmt: skip
        receipt = memory.forget(**ANA)
        assert (receipt.counts['memories'], receipt.counts['episodes'], len(receipt.chains)) == (1, 2, 2)
        assert texts(memory.get_all(agent_id='bot')) == ['Answers in rhymes', 'Shorter answers help']
        assert b'Slower' not in files(path)
        assert memory.verify_erasure(receipt, texts=['Slower answers help']).ok


@pytest.mark.parametrize('decided', [False, True])
def test_what_waits_for_a_person_or_was_turned_down_goes_too(path: Path, decided: bool) -> None:
    with fast(path, policy=Policy(review='all')) as memory:
        message = memory.add(SENTENCE, **ANA).episode_ids[0]
        memory.add('Likes tea', **ANA)
        if decided:
            (item,) = [item for item in memory.review.list(**ANA) if RARE in item.memory.text]
            memory.review.reject(item.id, **ANA)
        assert (tables(path)['review'], tables(path)['rejected']) == (2, int(decided))
        receipt = memory.forget(episode_id=message, **ANA)
        assert (receipt.counts['memories'], receipt.counts['reviews']) == (1, 1)
        assert (tables(path)['review'], tables(path)['rejected']) == (1, 0)
        assert [item.memory.text for item in memory.review.list(**ANA)] == ['Likes tea']
        assert memory.forget(**ANA).counts['reviews'] == 1
        assert (tables(path)['review'], tables(path)['rejected']) == (0, 0)
        assert RARE.encode() not in files(path)


# What is asked for


def test_what_is_not_there_is_not_found_and_nothing_goes(memory: Memory) -> None:
    mine = memory.add('Likes tea', **ANA)
    fact, message = mine.memories[0].id, mine.episode_ids[0]
    for call in (
        lambda: memory.forget('01890000-0000-7000-8000-000000000000', **ANA),
        lambda: memory.forget(episode_id='01890000-0000-7000-8000-000000000000', **ANA),
        lambda: memory.forget(fact, user_id='ben'),
        lambda: memory.forget(episode_id=message, user_id='ben'),
        lambda: memory.forget(episode_id=message, **ANA, run_id='elsewhere'),
        lambda: memory.in_project('other').forget(fact, **ANA),
        lambda: memory.in_project('other').project_wide().forget(episode_id=message),
    ):
        with pytest.raises(MemoryNotFound):
            call()
    assert len(memory.get_all(**ANA)) == len(memory.episodes(**ANA).items) == 1
    assert memory.project_wide().forget(episode_id=message).counts['memories'] == 1


def test_a_call_that_does_not_say_what_is_refused(memory: Memory) -> None:
    memory.add('Likes tea', **ANA)
    wide = memory.project_wide()
    refused: list[tuple[type[Exception], Callable[[], object]]] = [
        (InvalidScope, lambda: memory.forget()),
        (InvalidInput, lambda: wide.forget()),
        (InvalidInput, lambda: memory.forget('x', episode_id='y', **ANA)),
        (MemoryNotFound, lambda: memory.forget('x', **ANA)),
        (InvalidInput, lambda: memory.forget(filters={}, **ANA)),
        (InvalidFilter, lambda: memory.forget(filters={'colour': 1}, **ANA)),
        (InvalidInput, lambda: memory.forget(episode_id='', **ANA)),
        (InvalidInput, lambda: memory.forget(whole_project=True, **ANA)),
        (InvalidInput, lambda: wide.forget(whole_project=True, **ANA)),
        (InvalidInput, lambda: wide.forget(whole_project='yes')),  # pyright: ignore[reportArgumentType]
        (InvalidInput, lambda: wide.forget(filters={'kind': 'profile'})),
        (InvalidScope, lambda: memory.scoped(Scope(user_id='ana-lindqvist')).forget(user_id='ben')),
        (InvalidInput, lambda: memory.forget(user_id='*')),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()
    assert texts(memory.get_all(**ANA)) == ['Likes tea']


def test_names_that_look_like_something_else_are_names(memory: Memory) -> None:
    for name in ('Null', 'Drop Table', "'; DROP TABLE memory; --", '%', '_'):
        memory.add('Likes tea', user_id=name)
    assert memory.forget(user_id='%').counts['memories'] == 1
    assert memory.forget(user_id="'; DROP TABLE memory; --").counts['memories'] == 1
    assert [len(memory.get_all(user_id=name)) for name in ('Null', 'Drop Table', '_')] == [1, 1, 1]


def test_somebody_unknown_is_forgotten_too(path: Path, memory: Memory) -> None:
    receipt = memory.forget(user_id='nobody')
    assert (set(receipt.counts.values()), receipt.chains, receipt.tombstone) == ({0}, (), True)
    assert memory.add(dated('Likes tea'), user_id='nobody').skipped == {'forgotten': 1}
    assert b'nobody' not in files(path)
    assert memory.verify_erasure(receipt).ok


# What does not come back


def test_what_was_said_before_is_refused_and_new_messages_are_taken(path: Path, memory: Memory) -> None:
    said = dated('Likes tea', 'Likes jazz')
    memory.add(said, **ANA, idempotency_key='k')
    memory.forget(**ANA)
    again = memory.add(said, **ANA, idempotency_key='k')
    assert (again.status, again.episode_ids, dict(again.skipped)) == ('done', (), {'forgotten': 2})
    assert memory.preview(said, **ANA).changes == ()
    late = memory.add(said, **ANA, background=True)
    assert (late.status, dict(late.skipped)) == ('done', {'forgotten': 2})
    assert b'ana-lindqvist' not in files(path)
    later = [*said, *dated('Likes cocoa', at=(now() + timedelta(hours=1)).isoformat())]
    mixed = memory.add(later, **ANA)
    assert (len(mixed.episode_ids), mixed.skipped['forgotten']) == (1, 2)
    assert texts(memory.add('Likes rain', **ANA).memories) == ['Likes rain']
    assert memory.add('Likes snow', **ANA, occurred_at='2020-01-01').memories  # the caller's word, not the message's
    assert sorted(e.text for e in memory.episodes(**ANA).items) == ['Likes cocoa', 'Likes rain', 'Likes snow']


def test_a_forgotten_conversation_stays_forgotten_and_the_user_goes_on(memory: Memory) -> None:
    memory.add(dated('Likes tea'), **ANA, run_id='r1')
    memory.forget(**ANA, run_id='r1')
    assert memory.add(dated('Likes tea'), **ANA, run_id='r1').skipped == {'forgotten': 1}
    assert memory.add(dated('Likes tea'), **ANA, run_id='r1', agent_id='bot').skipped == {'forgotten': 1}
    assert memory.add(dated('Likes tea'), **ANA, run_id='r2').memories
    assert memory.add(dated('Likes tea'), user_id='ben', run_id='r1').memories


def test_delete_all_leaves_no_tombstone(memory: Memory) -> None:
    memory.add(dated('Likes tea'), **ANA)
    memory.delete_all(**ANA)
    assert memory.add(dated('Likes tea'), **ANA).memories


def test_a_job_goes_on_without_the_message_that_was_forgotten(path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    asked: list[list[str]] = []

    class Slow:
        name = 'slow'

        def propose(self, request: ExtractionRequest) -> Extraction:
            asked.append([m.text for m in request.messages])
            if len(asked) == 1:
                begun.set()
                assert go_on.wait(SECONDS)
            return Grammar().propose(request)

    with fast(path, extractor=Slow(), settings=quick()) as memory:
        receipt = memory.add(
            [{'role': 'user', 'content': SENTENCE}, {'role': 'user', 'content': 'Likes tea'}], **ANA, background=True
        )
        assert begun.wait(SECONDS)
        erased = memory.forget(episode_id=receipt.episode_ids[0], **ANA)
        assert (erased.counts['episodes'], erased.counts['jobs']) == (1, 0)
        go_on.set()
        assert receipt.result(SECONDS).status == 'done'
        assert asked == [[SENTENCE, 'Likes tea'], ['Likes tea']]
        assert texts(memory.get_all(**ANA)) == ['Likes tea']
        assert RARE.encode() not in files(path)


def test_a_user_who_is_forgotten_while_an_import_runs_stays_forgotten(path: Path, memory: Memory) -> None:
    half, ended = threading.Event(), threading.Event()
    outcomes: list[int] = []

    def bring() -> None:
        for number in range(40):
            if number == 20:
                half.set()
            added = memory.add(dated(f'{SENTENCE}, day {number}'), **ANA, run_id=f'chat-{number}')
            outcomes.append(added.skipped.get('forgotten', 0))
        ended.set()

    thread = threading.Thread(target=bring)
    thread.start()
    assert half.wait(SECONDS)
    receipt = memory.forget(**ANA)
    assert ended.wait(SECONDS)
    thread.join()
    assert 0 < sum(outcomes) == 40 - receipt.counts['episodes'] <= 20
    assert outcomes == sorted(outcomes)
    assert memory.episodes(**ANA).items == ()
    assert RARE.encode() not in files(path)
    assert memory.verify_erasure(receipt, texts=[SENTENCE]).ok


def test_two_who_forget_at_once_get_two_receipts(memory: Memory) -> None:
    for number in range(30):
        memory.add(f'{SENTENCE}, day {number}', **ANA)
    receipts: list[ErasureReceipt] = []
    barrier = threading.Barrier(4)

    def forget() -> None:
        barrier.wait()
        receipts.append(memory.forget(**ANA))

    threads = [threading.Thread(target=forget) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.counts['episodes'] for r in receipts) == [0, 0, 0, 30]
    assert len({r.id for r in receipts}) == 4
    assert all(memory.verify_erasure(r, texts=[SENTENCE]).ok for r in receipts)


def test_messages_that_wait_for_the_storage_are_forgotten_too(path: Path) -> None:
    with fast(path, settings=Settings(busy_timeout=0.02)) as memory:
        memory.add('Likes tea', **ANA)
        with locked(path):
            waiting = memory.add(SENTENCE, **ANA, background=True)
            other = memory.add('Likes jazz', user_id='ben', background=True)
            assert waiting.status == other.status == 'unsaved'
            with pytest.raises(StoreBusy):
                memory.forget(**ANA)
        memory.forget(**ANA)
        assert waiting.result(SECONDS).status == 'dropped'
        assert other.result(SECONDS).status == 'done'
        assert memory.episodes(**ANA).items == ()
        assert RARE.encode() not in files(path)


def test_a_project_that_can_not_be_erased_to_the_end_is_erased_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase = forgetting._erase  # pyright: ignore[reportPrivateUsage]
    calls = 0

    def full(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise apsw.FullError('no space')
        erase(*args)

    with fast(path) as memory:
        for number in range(6):
            memory.add(SENTENCE, user_id=f'user-{number}')
        monkeypatch.setattr(forgetting, '_erase', full)
        with pytest.raises(StoreFull):
            memory.project_wide().forget(whole_project=True)
        assert memory.finish_erasure()
        assert calls == 7
        assert not memory.stats().scrub_pending
        assert RARE.encode() not in files(path)
        assert memory.project_wide().forget(whole_project=True).counts['episodes'] == 0


def test_a_question_that_was_asked_before_is_embedded_anew(path: Path) -> None:
    class Counting(HashingEmbedder):
        asked: list[str] = []

        def embed_now(self, texts: Any, *, query: bool = False, **options: Any) -> Any:
            if query:
                self.asked.extend(texts)
            return super().embed_now(texts, query=query, **options)

    with fast(path, embedder=Counting()) as memory:
        memory.add('Likes tea', **ANA)
        for _ in range(2):
            memory.search(RARE, **ANA)
        assert Counting.asked == [RARE]
        memory.forget(**ANA)
        memory.search(RARE, **ANA)
        assert Counting.asked == [RARE, RARE]


# The receipt


def test_a_receipt_is_json_without_a_word_or_an_id(memory: Memory) -> None:
    memory.add(SENTENCE, **ANA, run_id='run-of-hers')
    receipt = memory.forget(**ANA, run_id='run-of-hers')
    document = receipt.to_json()
    assert ErasureReceipt.from_json(document) == receipt == pickle.loads(pickle.dumps(receipt))
    assert json.loads(document)['subject'] == receipt.subject
    for word in ('lindqvist', 'run-of', RARE, 'default'):
        assert word not in document
        assert word not in repr(receipt)
    assert memory.forget(**ANA, run_id='run-of-hers').subject == receipt.subject
    assert memory.forget(**ANA).subject != receipt.subject


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('id', 'x'),
        ('at', '2030-01-01T00:00:00+00:00'),
        ('asked', 'agent'),
        ('subject', '0' * 64),
        ('tombstone', False),
        ('chains', []),
        ('stores', {'database': 'scrubbed'}),
        ('mac', '0' * 64),
        ('mac', 'ü'),
    ],
)
def test_an_altered_receipt_is_found_out(memory: Memory, field: str, value: object) -> None:
    memory.add(SENTENCE, **ANA)
    document = json.loads(memory.forget(**ANA).to_json())
    assert document[field] != value
    report = memory.verify_erasure(ErasureReceipt.from_json(json.dumps({**document, field: value})))
    assert (report.ok, report.authentic) == (False, False)
    assert report.problems == ('the receipt was altered, or is of another database: nothing was checked',)


def test_a_receipt_of_another_database_is_found_out(memory: Memory, tmp_path: Path) -> None:
    with fast(tmp_path / 'other.db') as other:
        other.add(SENTENCE, **ANA)
        receipt = other.forget(**ANA)
        assert other.verify_erasure(receipt).ok
    assert not memory.verify_erasure(receipt).authentic


@pytest.mark.parametrize(
    'document', ['', 'no', '[]', '{}', '{"format": 1}', '{"format": 99}', '{"format": "1", "id": 3}', '[' * 10_000]
)
def test_what_is_no_receipt_is_refused(document: str) -> None:
    with pytest.raises(InvalidInput):
        ErasureReceipt.from_json(document)


def test_a_path_is_verified_too(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        document = memory.forget(**ANA).to_json()
    assert verify_erasure(path, document, texts=[SENTENCE]).ok


def test_what_was_put_back_behind_the_receipt_is_found(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        receipt = memory.forget(**ANA)
        memory.add('Likes tea', **ANA)
        assert memory.verify_erasure(receipt).ok
    connection = apsw.Connection(str(path))
    connection.execute('UPDATE episode SET recorded_at = 1')
    connection.execute('UPDATE history SET hash = ? WHERE row >> 24 = 1', ('0' * 64,))
    connection.close()
    report = verify_erasure(path, receipt)
    assert report.rows == {'episode': 1}
    assert report.problems == (
        'entry 2 of owner 1 is not the one that recorded the erasure',
        'rows from before the erasure are there: 1 of episode',
    )


def test_a_tombstone_that_is_gone_is_missed_unless_it_was_lifted(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        document = memory.export(**ANA)
        receipt = memory.forget(**ANA)
        assert memory.import_subject(document, restore=True).status == 'restored'
        report = memory.verify_erasure(receipt)
        assert (report.problems, report.restored, report.rows) == ((), True, {'episode': 1, 'memory': 1})
        assert report.notes[0].startswith('the tombstone was lifted')
        again = memory.forget(**ANA)
        assert memory.verify_erasure(receipt).ok
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.execute('DELETE FROM tombstone')
    assert verify_erasure(path, again).problems == ('the tombstone is gone, and no history tells that it was lifted',)


def test_a_tombstone_does_not_pass_for_lifted_because_somebody_elses_was(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        receipt = memory.forget(**ANA)
        memory.add('Likes tea', user_id='ben')
        document = memory.export(user_id='ben')
        memory.forget(user_id='ben')
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.execute('DELETE FROM tombstone WHERE subject = ?', (receipt.subject,))
    with fast(path) as memory:
        assert memory.import_subject(document, restore=True).status == 'restored'
    assert verify_erasure(path, receipt).problems == ('the tombstone is gone, and no history tells that it was lifted',)


def test_a_restore_of_somebody_who_was_forgotten_before_is_told_as_one(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        memory.forget(**ANA)
        memory.add('Likes tea', **ANA)
        document = memory.export(**ANA)
        receipt = memory.forget(**ANA)
        memory.import_subject(document, restore=True)  # with the tombstone of the first time
        report = memory.verify_erasure(receipt)
        assert (report.problems, report.restored, report.rows['memory']) == ((), True, 1)


def test_words_that_are_still_there_are_found_wherever_they_are(path: Path) -> None:
    with fast(path) as memory:
        memory.add(SENTENCE, **ANA)
        memory.add(f'My {RARE.upper()} is loud', user_id='ben')
        receipt = memory.forget(**ANA)
        report = memory.verify_erasure(receipt, texts=[RARE, SENTENCE])
        assert (report.ok, report.searched, list(report.found)) == (False, 2, [0])
        assert set(report.found[0]) >= {'episode', 'memory', 'history_text'}
        memory.forget(user_id='ben')
        assert memory.verify_erasure(receipt, texts=[RARE, SENTENCE]).state == 'verified'
    with path.open('r+b') as file:  # bytes that belong to no row, in a page that nobody uses
        file.seek(0, 2)
        file.write(SENTENCE.encode().ljust(16384, b'\0'))
    assert verify_erasure(path, receipt, texts=[SENTENCE]).found == {0: ('file',)}


def test_a_view_of_one_user_can_not_ask_what_others_hold(memory: Memory) -> None:
    memory.add(SENTENCE, user_id='ben', infer=False)
    view = memory.scoped(Scope(**ANA))
    view.add('Likes tea', infer=False)
    receipt = view.forget()
    assert view.verify_erasure(receipt).ok
    with pytest.raises(InvalidScope, match=r'data of everybody.*on the memory itself'):
        view.verify_erasure(receipt, texts=[RARE])
    assert not memory.verify_erasure(receipt, texts=[RARE]).ok


@pytest.mark.parametrize('given', ['words', [''], [1]])
def test_texts_that_can_not_be_searched_for_are_refused(memory: Memory, given: Any) -> None:
    receipt = memory.forget(**ANA)
    with pytest.raises(InvalidInput):
        memory.verify_erasure(receipt, texts=given)


def test_a_receipt_still_holds_when_everything_goes_afterwards(memory: Memory) -> None:
    memory.add(SENTENCE, **ANA, run_id='r1')
    memory.add('Likes tea', **ANA)
    first = memory.forget(**ANA, run_id='r1')
    second = memory.forget(**ANA)
    assert memory.verify_erasure(first).ok
    assert memory.verify_erasure(second).ok
    assert first.chains[0].owner == second.chains[0].owner
    assert first.chains[0].length < second.chains[0].length


@pytest.fixture
def chores_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the writer does every two seconds doesn't come in between."""
    monkeypatch.setattr('memoranda.stores.sqlite.connection.IDLE_SECONDS', 3600.0)


@pytest.mark.usefixtures('chores_by_hand')
def test_while_somebody_reads_it_is_logical_and_then_it_is_verified(path: Path, memory: Memory) -> None:
    memory.add(SENTENCE, **ANA)
    foreign = apsw.Connection(str(path))
    foreign.execute('BEGIN')
    foreign.execute('SELECT count(*) FROM memory').fetchone()
    receipt = memory.forget(**ANA)
    assert (dict(receipt.stores), receipt.done, receipt.counts['episodes']) == ({'database': 'logical'}, False, 1)
    assert memory.search(RARE, **ANA, include=('memories', 'episodes')) == []
    assert 'erased words may still be in the files' in memory.verify_erasure(receipt).problems[0]
    with pytest.raises(TimeoutError):
        receipt.result(0)
    foreign.close()
    done = receipt.result(SECONDS)
    assert (dict(done.stores), done.id, done.at) == ({'database': 'verified'}, receipt.id, receipt.at)
    assert RARE.encode() not in files(path)
    assert memory.verify_erasure(done, texts=[SENTENCE]).ok
    assert memory.verify_erasure(receipt, texts=[SENTENCE]).ok
    assert ErasureReceipt.from_json(receipt.to_json()).result() == receipt  # of a copy nobody waits


def test_words_that_others_said_too_are_no_leftovers(memory: Memory) -> None:
    for user in ('ana-lindqvist', 'ben'):
        memory.add(SENTENCE, user_id=user)
    assert dict(memory.forget(**ANA).stores) == {'database': 'verified'}
    assert texts(memory.get_all(user_id='ben')) == [SENTENCE]


def test_a_memory_that_lives_in_no_file_is_forgotten_too() -> None:
    with fast() as memory:
        memory.add(SENTENCE, **ANA)
        receipt = memory.forget(**ANA)
        assert (dict(receipt.stores), receipt.counts['episodes']) == ({'database': 'verified'}, 1)
        assert memory.verify_erasure(receipt, texts=[SENTENCE]).ok
        memory.add(SENTENCE, user_id='ben')
        assert memory.project_wide().forget(whole_project=True).counts['episodes'] == 1
