"""What the tests of the API stand on: an extractor whose findings are written in the messages themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import memoranda
from memoranda import AsyncMemory, Memory, MemoryRecord
from memoranda.records import Episode
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

_SLOT = re.compile(r'(?P<op>not |)(?P<slot>[a-z.]+) = (?P<value>.+)')


class Grammar:
    """Reads each message of a user as one statement.

    - `home.city = Lisbon`: a value of a slot
    - `not home.city = Porto`: the slot's value was never true, Porto is
    - `forget home.city`: the slot's value no longer holds
    - `again home.city`: the slot's value is confirmed
    - `here: ...`: a fact of this conversation only
    - anything else: a fact in these words
    """

    name = 'grammar'

    def propose(self, request: ExtractionRequest) -> Extraction:
        current = {m.slot: m.id for m in request.existing if m.slot}
        return Extraction(
            proposals=[
                self.read(i, m, current) for i, m in enumerate(request.messages) if m.role == 'user' and m.text.strip()
            ]
        )

    def read(self, index: int, message: Episode, current: dict[str, str]) -> Proposal:
        words: dict[str, Any] = {'evidence': (Quote(index, 0, len(message.text)),)}
        text = message.text
        if found := _SLOT.fullmatch(text):
            slot, value = found['slot'], found['value']
            if found['op']:
                words |= {'op': 'correct', 'target': current.get(slot)}
            return Proposal(text=f'{slot} is {value}', kind='profile', slot=slot, value=value, **words)
        for op, verb in (('retract', 'forget '), ('confirm', 'again ')):
            if text.startswith(verb):
                return Proposal(op=op, target=current.get(text.removeprefix(verb)), **words)
        if text.startswith('here: '):
            return Proposal(text=text.removeprefix('here: '), level='run', **words)
        return Proposal(text=text, **words)


def subprocess_environment() -> dict[str, str]:
    """This one's environment, in which a fresh interpreter finds the package under test and these helpers."""
    paths = [str(Path(memoranda.__file__).parents[1]), str(Path(__file__).parent)]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}


def fast(path: Path | str = ':memory:', **arguments: Any) -> Memory:
    """A memory without a model: hashing embedder, `Grammar` unless another extractor is given."""
    arguments.setdefault('embedder', HashingEmbedder())
    arguments.setdefault('extractor', Grammar())
    return Memory(path, **arguments)


def fast_async(path: Path | str = ':memory:', **arguments: Any) -> AsyncMemory:
    """The same for async code."""
    arguments.setdefault('embedder', HashingEmbedder())
    arguments.setdefault('extractor', Grammar())
    return AsyncMemory(path, **arguments)


def texts(memories: Iterable[MemoryRecord]) -> list[str]:
    """Their words, sorted."""
    return sorted(m.text for m in memories)
