"""A search over what is kept in memory sees exactly what a fresh process would."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from memoranda._bridge import run
from memoranda.records import Edit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import Bench

WORDS = 'tea coffee cats dogs lisbon porto green black likes hates'.split()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'm.db'


def seen(bench: Bench, generation: Any) -> dict[str, Any]:
    """Everything ranking is given, by row key."""
    bench.search(' '.join(WORDS), lanes=('memories', 'episodes'), generation=generation)
    result: dict[str, Any] = {}
    for lane in bench.lanes:
        assert lane.dense is not None
        dense = [None if x != x else round(x, 5) for x in lane.dense.tolist()]
        columns = [lane.key.tolist(), lane.length.tolist(), lane.at.tolist(), dense]
        if lane.position is not None and lane.conversation is not None and lane.speaker is not None:
            names = [*lane.speakers, None]
            columns += [lane.position.tolist(), lane.conversation.tolist(), [names[i] for i in lane.speaker.tolist()]]
        rows = list(zip(*columns, strict=True))
        allowed = lane.allowed.tolist()
        result[lane.name] = sorted(row for row, may in zip(rows, allowed, strict=True) if may)
        result[lane.name + ' words'] = {
            term: sorted(
                (lane.key.tolist()[i], n) for i, n in zip(*(p.tolist() for p in posting), strict=True) if allowed[i]
            )
            for term, posting in lane.postings.items()
        }
    return result


@pytest.mark.parametrize('seed', range(3))
def test_a_cache_brought_forward_equals_one_read_anew(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store, writer = SQLiteStore(path), SQLiteStore(path)
    cached, other = Bench(store, run), Bench(writer, run)
    generation = cached.generation()
    memories: list[MemoryRecord] = []

    def text() -> str:
        return ' '.join(chance.choices(WORDS, k=chance.randrange(1, 6))) + f' {chance.random()}'

    def drain(bench: Bench) -> None:
        """Vectors come later than their rows, or never."""
        while (work := bench.claim()) is not None:
            bench.finish(work, vectors=chance.random() < 0.7)

    def step(bench: Bench) -> None:
        action = chance.randrange(12)
        scope = Scope(user_id='ana', run_id=chance.choice([None, 'r1', 'r2']))
        if action < 4:
            drain(bench)
            level: Any = 'run' if scope.run_id and chance.random() < 0.5 else None
            memories.append(bench.learn(text(), scope=scope, level=level))
        elif action < 6:
            bench.say(text(), scope=scope, history=False, lease=0.0, name=chance.choice([None, 'Ana', 'Eve']))
        elif action < 8:
            drain(bench)
        elif action < 11 and memories:
            memory = memories.pop(chance.randrange(len(memories)))
            if chance.random() < 0.5:
                bench.commit(bench.revise(memory, op='retract', status='retracted'), generation=generation)
            else:
                edit = bench.revise(memory, text=text(), pinned=True)
                bench.commit(edit, generation=generation)
                memories.append(edit.after)
        elif chance.random() < 0.15:
            run(bench.store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
            memories[:] = [m for m in memories if m.said_under.run_id != 'r1']

    for turn in range(120):
        step(chance.choice([cached, other]))
        if chance.random() < 0.6:
            found = seen(cached, generation)
            if turn % 3 == 0:
                fresh = SQLiteStore(path)
                assert found == seen(Bench(fresh, run), generation)
                run(fresh.close())
    run(store.close())
    run(writer.close())


def test_a_small_cache_forgets_owners_and_still_answers(path: Path) -> None:
    store = SQLiteStore(path, cache_mb=0)
    bench = Bench(store, run)
    for user in range(5):
        bench.learn(f'fact of {user}', scope=Scope(user_id=f'u{user}'))
    for _ in range(2):
        for user in range(5):
            assert bench.found(scope=Scope(user_id=f'u{user}')) == [f'fact of {user}']
    assert len(store._cache.owners()) == 1
    run(store.close())


def test_a_batch_of_edits_of_one_change_is_seen_together(path: Path) -> None:
    store = SQLiteStore(path)
    bench = Bench(store, run)
    old = bench.learn('old', slot='s')
    assert bench.found() == ['old']
    bench.supersede(old, 'new', at=old.valid_from)
    assert bench.found() == ['new']
    work = bench.work(bench.say('more'))
    first, second = (bench.fact(text, work.episodes) for text in ('one', 'two'))
    bench.finish(work, Edit(op='add', before=None, after=first), Edit(op='add', before=None, after=second))
    assert bench.found() == ['new', 'one', 'two']
    run(store.close())
