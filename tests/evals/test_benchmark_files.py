"""What the benchmarks measure must be what `add` makes."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import numpy as np
import pytest

from memoranda import Memory
from memoranda.embedders import SyncEmbedder
from memoranda.write.extract import Extraction, Proposal, Quote

BUILD = Path(__file__).parents[2] / 'benchmarks' / '_build.py'
if not BUILD.exists():
    pytest.skip('the benchmarks are not part of this copy', allow_module_level=True)

_spec = importlib.util.spec_from_file_location('_build', BUILD)
assert _spec is not None
assert _spec.loader is not None
_build = importlib.util.module_from_spec(_spec)
sys.modules['_build'] = _build
_spec.loader.exec_module(_build)

START = datetime(2024, 3, 1, tzinfo=UTC)
# What differs from file to file: random ids, the salt of term hashes, wall-clock moments and what is made of them.
RANDOM = {'id', 'change_id', 'memory_id', 'job_id', 'recorded_at', 'at', 'created_at', 'run_after', 'salt', 'payload'}
RANDOM |= {'touched_at', 'finished_at'}
RANDOM |= {'digest', 'prev_hash', 'hash', 'term', 'chain_head', 'before', 'after', 'value', 'actor'}


class Sentences:
    """Each sentence is a fact."""

    name = 'benchmark'

    def propose(self, request):
        proposals = []
        for number, message in enumerate(request.messages):
            start = 0
            for text in message.text.split('. '):
                quote = Quote(number, start, start + len(text))
                proposals.append(Proposal(text=text, evidence=(quote,)))
                start += len(text) + 2
        return Extraction(proposals=proposals)


class Known(SyncEmbedder):
    """Gives every text the vector it has in the file made in bulk."""

    def __init__(self, vectors):
        super().__init__('benchmark/512', dimensions=512)
        self.vectors = vectors

    def encode(self, texts, *, query):
        return np.stack([self.vectors[t] for t in texts])


def contents(path: Path) -> dict[str, Counter]:
    tables = {}
    with closing(apsw.Connection(str(path))) as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in names:
            cursor = connection.execute(f'SELECT * FROM "{name}"')
            columns = (
                [d[0] for d in cursor.get_description()]
                if connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                else []
            )
            kept = [i for i, column in enumerate(columns) if column not in RANDOM or name == 'conversation']
            tables[name] = Counter(tuple(row[i] for i in kept) for row in cursor)
    return tables


def test_a_file_made_in_bulk_is_the_file_that_add_makes(tmp_path):
    world = _build.World(3)
    facts = world.facts()
    messages = [
        (user, [next(facts) for _ in range(count)], START + timedelta(hours=i))
        for i, (user, count) in enumerate([('ana', 5), ('ben', 2), ('ana', 5), ('ana', 1), ('ben', 5)])
    ]
    bulk, added = tmp_path / 'bulk.db', tmp_path / 'added.db'
    connection = _build.connect(str(bulk), busy_timeout=5, durability='normal')
    _build.schema.migrate(connection, str(bulk))
    generation = _build.generations.start(connection, 'benchmark/512', 512, rebuild=False)
    connection.execute('BEGIN IMMEDIATE')
    for user, group, at in messages:
        _build.write_message(connection, user, group, at, generation.id)
    connection.execute('COMMIT')
    connection.close()

    vectors = {fact.text: fact.vector for _, group, _ in messages for fact in group}
    vectors |= {'. '.join(f.text for f in group): group[0].vector for _, group, _ in messages}
    with Memory(added, embedder=Asked(Known(vectors)), extractor=Sentences()) as memory:
        for user, group, at in messages:
            text = '. '.join(f.text for f in group)
            result = memory.add(
                [{'role': 'user', 'content': text, 'timestamp': at}], user_id=user, run_id=f'{user}-{at:%Y-%m}'
            )
            assert len(result.memories) == len(group)

    one, other = contents(bulk), contents(added)
    assert one.keys() == other.keys()
    for table in one:
        assert one[table] == other[table], table


class Asked(SyncEmbedder):
    """Also takes the question by which the write path looks for related memories."""

    def __init__(self, known):
        super().__init__(known.name, dimensions=512)
        self.known = known

    def encode(self, texts, *, query):
        if query:
            return np.ones((len(texts), 512))
        return self.known.encode(texts, query=query)


def test_owners_of_every_size_are_planned_and_add_up():
    for memories in (100_000, 1_000_000):
        owners = _build.Owners.planned(memories, np.random.default_rng(1))
        assert sum(owners.sizes.values()) == memories
        assert {size: len(names) for size, names in owners.groups.items()} == {10_000: 4, 1_000: 30, 100: 60}
    owners = _build.Owners.planned(3_000, np.random.default_rng(1))
    assert sum(count for _, count in owners.interleaved(np.random.default_rng(1))) == 3_000


def test_texts_and_vectors_of_the_same_seed_are_the_same():
    one, other = _build.World(7), _build.World(7)
    assert one.texts(5, 3, 4) == other.texts(5, 3, 4)
    assert np.array_equal(one.vectors(3), other.vectors(3))
    assert np.allclose(np.linalg.norm(one.vectors(3), axis=1), 1, atol=1e-6)
