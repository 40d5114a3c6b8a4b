"""What must hold after the kills of `crashes.py`: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import apsw

from _crash_actors import USERS, Entry, Stage, fact_of
from memoranda import Episode, Memory, MemoryRecord

FLUSH_SECONDS = 60.0
SEARCHES = 20
"""Messages of a user that are looked for by their words."""


@dataclass(slots=True)
class Findings:
    """What a round left behind."""

    problems: list[str] = field(default_factory=list[str])
    acknowledged: int = 0
    interrupted: int = 0
    """Adds and erasures in the middle of which a writer was killed."""
    messages: int = 0
    facts: int = 0
    jobs: int = 0
    calls: int = 0
    """Of the stand-in for a model."""
    repeated: int = 0
    """Calls for messages it was asked about before."""

    def check(self, holds: object, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


@dataclass(slots=True)
class Said:
    """What the writers noted."""

    kept: dict[str, Entry] = field(default_factory=dict[str, Entry])
    """Acknowledged messages by their mark."""
    unsure: dict[str, Entry] = field(default_factory=dict[str, Entry])
    """Under way when somebody was killed, and not repeated."""
    erased: set[str] = field(default_factory=set[str])
    """Marks of messages whose erasure was acknowledged."""
    erasing: list[str] = field(default_factory=list[str])
    """Users in the middle of whose erasure the writer was killed."""
    acknowledged: int = 0
    interrupted: int = 0

    def erase(self, user: str) -> None:
        """What was said by this user is gone."""
        for noted in (self.kept, self.unsure):
            gone = [mark for mark, entry in noted.items() if entry['user'] == user]
            self.erased.update(gone)
            for mark in gone:
                del noted[mark]


def said(stage: Stage) -> Said:
    """The logs of all pens, read together."""
    found = Said()
    for pen, log in stage.logs().items():
        pending: Entry | None = None
        for entry in log.read():
            if 'cut' in entry:
                found.interrupted += 1  # noted by its successor
            elif 'do' in entry:
                if pending is not None and pending['do'] == 'add':
                    found.unsure[f'{pen}{pending["n"]}'] = pending
                pending = entry
            elif pending is not None:
                if pending['do'] == 'erase':
                    found.erase(pending['user'])
                else:
                    found.acknowledged += 1
                    found.kept[f'{pen}{pending["n"]}'] = {**pending, 'job': entry['job']}
                pending = None
        if pending is not None and pending['do'] == 'erase':
            found.erasing.append(pending['user'])
        elif pending is not None:
            found.unsure[f'{pen}{pending["n"]}'] = pending
    return found


def examine(stage: Stage, *, thorough: bool = True) -> dict[str, Any]:
    """Finish what is left to do, then look at everything.

    Args:
        stage: Where.
        thorough: Run `memoranda doctor` too, which takes a process of its own.
    """
    found, noted = Findings(), said(stage)
    with Memory(**stage.arguments(workers=4)) as memory:
        left = memory.flush(timeout=FLUSH_SECONDS)
        found.check(left == 0, f'{left} jobs are not done after {FLUSH_SECONDS} s: {_open_jobs(memory)}')
        for user in noted.erasing:
            memory.delete_all(user_id=user)
            noted.erase(user)
        found.check(memory.finish_erasure(), 'an erasure could not be finished')
        broken = memory.verify(all_projects=True).breaks
        found.check(not broken, f'audit chains are broken: {[str(b) for b in broken[:3]]}')
        stats = memory.stats()
        found.messages, found.facts = stats.episodes, stats.memories
        found.check((stats.jobs_queued, stats.jobs_dead) == (0, 0), f'jobs are left: {_open_jobs(memory)}')
        mayflies = [f'mayfly-{pen}' for pen in stage.logs()]
        for user in (*USERS, *mayflies):
            _look_at(memory, user, noted, found, merged=stage.batch_turns > 1)
    found.acknowledged, found.interrupted = noted.acknowledged, noted.interrupted
    _look_inside(stage, noted, found)
    asked = Counter(id_ for entry in stage.calls.read() for id_ in entry['asked'])
    found.calls, found.repeated = asked.total(), asked.total() - len(asked)
    if thorough:
        _ask_doctor(stage, found)
    return asdict(found)


def _open_jobs(memory: Memory) -> str:
    jobs = memory.project_wide().jobs(states=('queued', 'running', 'retrying', 'dead'), limit=5)
    return '; '.join(f'{j.id} of {j.scope} is {j.status} after {j.attempts} tries: {j.last_error}' for j in jobs)


def _look_at(memory: Memory, user: str, noted: Said, found: Findings, *, merged: bool) -> None:
    """Messages and facts of one user."""
    messages = list(_episodes(memory, user))
    marks = Counter(str(m.metadata['said']) for m in messages)
    kept = {mark: e for mark, e in noted.kept.items() if e['user'] == user}
    lost = kept.keys() - marks.keys()
    found.check(not lost, f'{user}: acknowledged and not there: {sorted(lost)[:5]}')
    doubled = [mark for mark, count in marks.items() if count > 1]
    found.check(not doubled, f'{user}: stored more than once: {doubled[:5]}')
    strange = marks.keys() - kept.keys() - {m for m, e in noted.unsure.items() if e['user'] == user}
    found.check(not strange, f'{user}: nobody said this, or it was erased: {sorted(strange)[:5]}')
    found.check(_in_order(messages), f'{user}: the messages of a conversation are not in the order they were said')
    _check_facts(memory, user, messages, noted, found, merged=merged)
    for message in messages[:: max(1, len(messages) // SEARCHES)]:
        hits = memory.search(
            message.text, user_id=user, strategy='keyword', include=('episodes',), top_k=50, min_score=0.0
        )
        same = {m.id for m in messages if m.text == message.text}
        found.check(
            any(h.episode is not None and h.episode.id in same for h in hits), f'{user}: not found: {message.text}'
        )


def _episodes(memory: Memory, user: str) -> Iterator[Episode]:
    cursor = None
    while True:
        page = memory.episodes(user_id=user, limit=1000, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _memories(memory: Memory, user: str) -> Iterator[MemoryRecord]:
    cursor = None
    while True:
        page = memory.get_all(user_id=user, limit=1000, cursor=cursor, include_inactive=True)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _in_order(messages: Sequence[Episode]) -> bool:
    """A pen says one thing after the other, and each has conversations of its own."""
    latest: dict[str, tuple[int, int]] = {}
    for message in messages:
        place = int(str(message.metadata['said'])[1:]), message.seq
        before = latest.get(message.conversation_id, (-1, -1))
        if place[0] <= before[0] or place[1] != before[1] + 1:
            return False
        latest[message.conversation_id] = place
    return True


def _check_facts(
    memory: Memory, user: str, messages: Sequence[Episode], noted: Said, found: Findings, *, merged: bool
) -> None:
    """Each fact is there once, and rests on every message that says it."""
    expected: defaultdict[str, list[Episode]] = defaultdict(list)
    cities: list[Episode] = []
    for message in messages:
        given = message.text.startswith('Given ')
        text, slot, _ = (message.text, None, None) if given else fact_of(message.text)
        expected[text].append(message)
        if slot is not None:
            cities.append(message)
    records: defaultdict[str, list[MemoryRecord]] = defaultdict(list)
    for record in _memories(memory, user):
        records[record.text].append(record)
    found.check(
        expected.keys() == records.keys(),
        f'{user}: facts missing {sorted(expected.keys() - records.keys())[:5]}, '
        f'facts nobody stated {sorted(records.keys() - expected.keys())[:5]}',
    )
    for text in expected.keys() & records.keys():
        if len(records[text]) != 1:
            found.problems.append(f'{user}: {len(records[text])} memories say {text!r}')
            continue
        (record,) = records[text]
        witnesses = {m.id for m in expected[text]}
        found.check(
            {e.episode_id for e in record.evidence} == witnesses and record.confirmations == len(witnesses),
            f'{user}: {text!r} was said {len(witnesses)} times and rests on {record.confirmations} messages',
        )
        if record.slot is None:
            ops = [e.op for e in memory.history(record.id, user_id=user)]
            good = ops[:1] == ['add'] and set(ops[1:]) <= {'confirm'}
            # Of messages that were read together one change may confirm it.
            right = len(ops) <= len(witnesses) if merged else len(ops) == len(witnesses)
            found.check(good and right, f'{user}: the history of {text!r} is {ops}')
    if cities:
        latest = max(cities, key=lambda m: m.occurred_at)
        current = [r.text for r in memory.get_all(user_id=user, filters={'slot': 'home.city'}, limit=1000)]
        found.check(
            current == [fact_of(latest.text)[0]], f'{user}: {latest.text!r} was said last, and what holds is {current}'
        )


def _look_inside(stage: Stage, noted: Said, found: Findings) -> None:
    """The tables themselves: the jobs, the vectors, what erasures left; of a file SQLite's own check too."""
    if stage.url is None:
        with closing(apsw.Connection(str(stage.path))) as connection:

            def rows(sql: str) -> list[Any]:
                return connection.execute(sql).fetchall()

            found.check(rows('PRAGMA integrity_check') == [('ok',)], 'PRAGMA integrity_check complains')
            found.check(not rows('PRAGMA foreign_key_check'), 'PRAGMA foreign_key_check complains')
            _look_at_tables(rows, noted, found)
        held: Iterable[bytes] = [stage.path.read_bytes()]
    else:
        from _postgres_copy import everything, querying

        with querying(stage.url) as rows:
            _look_at_tables(rows, noted, found)
        held = everything(stage.url)
    words = {m.decode() for part in held for m in re.findall(rb'Moth([A-Z]\d{5})', part)}
    remains = words & {f'{mark[0]}{int(mark[1:]):05}' for mark in noted.erased}
    found.check(not remains, f'the database still holds words that were erased: {sorted(remains)[:5]}')


def _look_at_tables(rows: Callable[[str], list[Any]], noted: Said, found: Findings) -> None:
    states = dict(rows('SELECT state, count(*) FROM job GROUP BY state'))
    found.check(set(states) <= {'done'}, f'jobs by state: {states}')
    found.jobs = sum(states.values())
    unknown = {e['job'] for e in noted.kept.values()} - {i for (i,) in rows('SELECT id FROM job')}
    found.check(not unknown, f'jobs that were acknowledged are gone: {sorted(unknown)[:5]}')
    twice = rows('SELECT job_id FROM change_set WHERE job_id IS NOT NULL GROUP BY job_id HAVING count(*) > 1')
    found.check(not twice, f'jobs with more than one change: {twice[:5]}')
    for (generation,) in rows("SELECT id FROM generation WHERE state = 'current'"):
        for lane, condition in (('segment', ''), ('memory', ' AND live = 1')):
            bare = rows(
                f'SELECT count(*) FROM {lane} WHERE row NOT IN (SELECT row FROM {lane}_vector_{generation}){condition}'
            )
            found.check(bare == [(0,)], f'{bare[0][0]} of the table {lane} have no vector')
    orphans = rows('SELECT count(*) FROM segment WHERE episode NOT IN (SELECT row FROM episode)')
    found.check(orphans == [(0,)], 'segments without a message')


def _ask_doctor(stage: Stage, found: Findings) -> None:
    command = [sys.executable, '-m', 'memoranda', 'doctor', '--json']
    environment = os.environ | {'MEMORANDA_DATABASE': stage.database}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    told = json.loads(ran.stdout or '{}')
    words = [*told.get('warnings', ['no answer: ' + ran.stderr]), *told.get('problems', ())]
    if stage.kind == 'model':  # the command has the bundled embedder, and says that the file's is another
        words = [w for w in words if not w.startswith('the vectors in the file were made by hashing')]
    found.check(not words, f'doctor: {words}')
