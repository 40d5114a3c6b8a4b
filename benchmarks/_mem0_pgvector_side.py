"""The part of mem0ai in `postgres_search.py`, run by an interpreter that has it and `psycopg[binary,pool]` installed.

Its pgvector store is filled with the memories of the file that ours was filled from, by COPY into the table it makes,
and its own indexes are made over them as it makes them. Embedder and model are stand-ins that take no time; telemetry
is off; everything else is its default. spaCy isn't there, as after a plain installation, so its keyword part works and
its entity part doesn't.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from _common import quantile


class Embedder:
    """Answers at once, from a table."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        import zlib

        return self._table[zlib.crc32(text.encode()) % len(self._table)]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.embed(text) for text in texts]


def fill(memory: Any, url: str, source: str, copies: int) -> dict[str, float]:
    """Every memory of the file, for as many times the owners, then the indexes."""
    import psycopg
    from mem0.memory.main import lemmatize_for_bm25

    store = memory.vector_store
    store.use_hnsw = False
    store.create_col()
    file = sqlite3.connect(f'file:{source}?mode=ro', uri=True)
    generation = file.execute("SELECT id FROM generation WHERE state = 'current'").fetchone()[0]
    names = dict(file.execute('SELECT id, key FROM owner'))
    rows = file.execute(
        f'SELECT m.row, m.owner, m.text, v.vector FROM memory m JOIN memory_vector_{generation} v ON v.row = m.row '
        'WHERE m.live = 1'
    )
    table = store.collection_name
    began, count = time.perf_counter(), 0
    wanted = f'COPY "{table}" (id, vector, payload) FROM STDIN (FORMAT BINARY)'
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(wanted) as copy:
        copy.write(b'PGCOPY\n\xff\r\n\0' + bytes(8))
        for row, owner, text, vector in rows:
            lemmas, sent = lemmatize_for_bm25(text), _wire(vector)
            for number in range(copies):
                payload = {
                    'data': text,
                    'hash': f'{row:x}',
                    'text_lemmatized': lemmas,
                    'created_at': '2025-01-01T00:00:00+00:00',
                    'updated_at': '2025-01-01T00:00:00+00:00',
                    'user_id': f'{names[owner]}-copy-{number}' if number else names[owner],
                }
                fields = (uuid.UUID(int=row * 100 + number).bytes, sent, b'\1' + json.dumps(payload).encode())
                copy.write(struct.pack('>h', 3) + b''.join(struct.pack('>i', len(f)) + f for f in fields))
                count += 1
        copy.write(b'\xff\xff')
    copied = time.perf_counter() - began
    began = time.perf_counter()
    store.use_hnsw = True
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'VACUUM ANALYZE "{table}"')
    store.create_col()
    indexed = time.perf_counter() - began
    return {'rows': count, 'copied': copied, 'indexed': indexed}


def _wire(vector: bytes) -> bytes:
    """A vector as pgvector sends and receives it."""
    import numpy as np

    values = np.frombuffer(vector, '<f4')
    return struct.pack('>HH', len(values), 0) + values.astype('>f4').tobytes()


def searches(memory: Any, asked: dict[str, Any], *, most: int) -> dict[str, Any]:
    """Seconds and results of searches, by size of owner."""
    found: dict[str, Any] = {}
    questions = iter(asked['questions'])
    for size, owners in asked['groups'].items():
        taken, returned = [], []
        count = most if int(size) < 10_000 else min(most, 50)
        for number in range(count):
            began = time.perf_counter()
            hits = memory.search(
                next(questions), filters={'user_id': owners[number % len(owners)]}, top_k=asked['top_k']
            )
            taken.append(time.perf_counter() - began)
            returned.append(len(hits['results']))
        found[size] = {'seconds': taken, 'returned': returned}
    return found


def adds(memory: Any, texts: list[str], owners: list[str], threads: int) -> float:
    """Facts added as given, a second."""
    parts = [texts[i::threads] for i in range(threads)]

    def work(number: int) -> None:
        for i, text in enumerate(parts[number]):
            memory.add(text, user_id=owners[(number + i) % len(owners)], infer=False)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(texts) / (time.perf_counter() - began)


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory(prefix='mem0-bench-') as name:
        os.environ |= {'MEM0_TELEMETRY': 'False', 'MEM0_DIR': name, 'OPENAI_API_KEY': 'none'}
        from mem0 import Memory
        from mem0.configs.base import MemoryConfig, VectorStoreConfig

        store = {
            'connection_string': asked['url'],
            'embedding_model_dims': len(asked['table'][0]),
            'collection_name': 'mem0_bench',
        }
        config = MemoryConfig(
            history_db_path=f'{name}/history.db', vector_store=VectorStoreConfig(provider='pgvector', config=store)
        )
        memory = Memory(config)
        memory.embedding_model, memory.llm = Embedder(asked['table']), None
        told: dict[str, Any] = {}
        if asked['fill']:
            told['filled'] = fill(memory, asked['url'], asked['source'], asked['copies'])
        if asked['first']:
            told['first'] = searches(memory, asked | {'questions': asked['questions'][:200]}, most=asked['first'])
        told['warm'] = searches(memory, asked | {'questions': asked['questions'][200:]}, most=asked['searches'])
        told['adds'] = {
            str(threads): adds(memory, asked['facts'][:count], asked['adders'], threads)
            for threads, count in ((1, asked['adds']), (4, asked['adds']))
        }
        told['p50'] = {size: quantile(part['seconds'], 0.5) for size, part in told['warm'].items()}
    print(json.dumps(told))


if __name__ == '__main__':
    main()
