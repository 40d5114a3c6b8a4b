"""`memoranda demo`: remember, change, recall and erase, in one short story."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import day, emit, one_line, out, plain, printable, shown
from memoranda.cli._story import QUESTIONS, STORY, TASK, USER, Talk
from memoranda.cli._target import JsonOption
from memoranda.cli.search import hits_table
from memoranda.records import AddResult, ContextBlock, Hit, MemoryRecord
from memoranda.records import now as current_time

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.stores.data import ErasureResult

__all__ = ['demo']

_MAX_TOKENS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """What an erasure left."""

    erased: ErasureResult
    found_before: int
    """How many of the user's sentences a byte search of the database files found before."""
    found_after: int
    memories_after: int
    hits_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Everything that happened."""

    talks: list[tuple[Talk, list[dict[str, Any]], AddResult]]
    memories: list[MemoryRecord]
    answers: list[tuple[str, list[Hit]]]
    block: ContextBlock
    history_tokens: int
    proof: _Proof
    seconds: float
    search_ms: float


def demo(as_json: JsonOption = False) -> None:
    """Tell the whole story in a few seconds: temporary database, no key, no network."""
    console = out()
    with tempfile.TemporaryDirectory(prefix='memoranda-demo-', ignore_cleanup_errors=True) as folder:
        if as_json:
            emit(_as_json(_play(Path(folder) / 'demo.db')))
            return
        with out(stderr=True).status('remembering three conversations'):
            told = _play(Path(folder) / 'demo.db')
    _Teller(console).tell(told)


def _play(path: Path) -> _Told:
    """Run the story against the public API."""
    from memoranda import Memory
    from memoranda.recall.block import count_tokens
    from memoranda.settings import Settings

    started = time.perf_counter()
    today = datetime.now().astimezone()
    # Whatever the environment configures, the demo runs on the defaults.
    settings = Settings(database=str(path), embedder=None, model=None)
    with Memory(path, settings=settings) as memory:
        talks: list[tuple[Talk, list[dict[str, Any]], AddResult]] = []
        for talk in STORY:
            messages = talk.messages(today)
            talks.append((talk, messages, memory.add(messages, user_id=USER, run_id=talk.run_id)))
        memories = list(memory.get_all(user_id=USER, include_inactive=True).items)
        answers: list[tuple[str, list[Hit]]] = []
        times: list[float] = []
        for question, include in QUESTIONS:
            asked = time.perf_counter()
            hits = memory.search(question, user_id=USER, include=include, top_k=2)
            times.append((time.perf_counter() - asked) * 1000)
            answers.append((question, hits))
        block = memory.context(TASK, user_id=USER, max_tokens=_MAX_TOKENS)
        said = [str(message['content']) for _, messages, _ in talks for message in messages]
        proof = _erase(memory, path, said)
    return _Told(
        talks=talks,
        memories=memories,
        answers=answers,
        block=block,
        history_tokens=count_tokens('\n'.join(said)),
        proof=proof,
        seconds=time.perf_counter() - started,
        search_ms=statistics.median(times),
    )


def _erase(memory: Memory, path: Path, said: list[str]) -> _Proof:
    before = _found_in_files(path, said)
    erased = memory.delete_all(user_id=USER)
    return _Proof(
        erased=erased,
        found_before=before,
        found_after=_found_in_files(path, said),
        memories_after=len(memory.get_all(user_id=USER, include_inactive=True)),
        hits_after=len(memory.search(QUESTIONS[0][0], user_id=USER, include=('memories', 'episodes'))),
    )


def _found_in_files(path: Path, said: list[str]) -> int:
    """How many of the sentences stand in any file of the database."""
    content = b'\n'.join(file.read_bytes() for file in path.parent.glob(f'{path.name}*') if file.is_file())
    return sum(sentence.encode() in content for sentence in said)


def _share(told: _Told) -> int:
    """How many percent fewer tokens the block has than the full history."""
    return round(100 * (1 - told.block.tokens / told.history_tokens)) if told.history_tokens else 0


def _as_json(told: _Told) -> dict[str, Any]:
    proof = told.proof
    return {
        'conversations': [
            {'run_id': talk.run_id, 'messages': plain(messages), 'result': plain(result)}
            for talk, messages, result in told.talks
        ],
        'memories': plain(told.memories),
        'answers': [{'question': question, 'hits': plain(hits)} for question, hits in told.answers],
        'context': {'task': TASK, 'text': told.block.text, 'tokens': told.block.tokens},
        'history_tokens': told.history_tokens,
        'fewer_tokens_percent': _share(told),
        'erasure': {
            **plain(proof.erased),
            'sentences_in_files_before': proof.found_before,
            'sentences_in_files_after': proof.found_after,
            'memories_after': proof.memories_after,
            'hits_after': proof.hits_after,
        },
        'search_ms': round(told.search_ms, 2),
        'seconds': round(told.seconds, 2),
    }


def _marked(text: str, spans: list[tuple[int, int]]) -> Text:
    """A message with the quoted words in brackets; spans may overlap."""
    edges: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if edges and start <= edges[-1][1]:
            edges[-1] = (edges[-1][0], max(end, edges[-1][1]))
        else:
            edges.append((start, end))
    marked, at = Text(), 0
    for start, end in edges:
        marked.append(printable(text[at:start]))
        marked.append(f'[{printable(text[start:end])}]', style='bold yellow')
        at = end
    return marked.append(printable(text[at:]))


class _Teller:
    """Prints the story."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._section = 0

    def tell(self, told: _Told) -> None:
        """Print it all."""
        self._console.print('memoranda remembers what people tell an AI agent, with the words it came from.')
        self._console.print('Everything below just ran on this machine: temporary file, no key, no network.')
        self._remembered(told)
        self._changed(told)
        self._recalled(told)
        self._given(told)
        self._erased(told.proof)
        self._onward(told)

    def _head(self, title: str) -> None:
        self._section += 1
        self._console.print()
        self._console.print(Rule(Text(f'{self._section}. {title}', style='bold'), align='left', style='dim'))

    def _remembered(self, told: _Told) -> None:
        self._head('Three conversations, and what was remembered of them')
        for talk, messages, result in told.talks:
            self._console.print()
            self._console.print(
                Text.assemble((f'Conversation “{talk.run_id}”', 'cyan'), f', {day(messages[0]["timestamp"])}')
            )
            table = Table.grid(padding=(0, 1))
            table.add_column(no_wrap=True, style='dim', justify='right')
            table.add_column(ratio=1)
            for message, episode_id in zip(messages, result.episode_ids, strict=True):
                if message['role'] != 'user':
                    continue
                drawn = [r for r in result.memories if any(e.episode_id == episode_id for e in r.evidence)]
                spans = [(e.start, e.end) for r in drawn for e in r.evidence if e.episode_id == episode_id]
                table.add_row('Maya', _marked(message['content'], spans))
                for record in drawn:
                    table.add_row('', Text(f'-> {one_line(record.text)}', style='bold green'))
            self._console.print(Padding(table, (0, 0, 0, 2)))
        self._console.print()
        answers = sum(message['role'] != 'user' for _, messages, _ in told.talks for message in messages)
        self._console.print(f'[brackets]: the words a memory rests on. {answers} answers not shown.', style='dim')

    def _changed(self, told: _Told) -> None:
        self._head('What changed: the old fact is kept, but not believed any more')
        table = Table.grid(padding=(0, 2))
        table.add_column(style='dim', no_wrap=True)
        table.add_column(ratio=1)
        by_slot: dict[str, list[MemoryRecord]] = {}
        for record in told.memories:
            if record.slot:
                by_slot.setdefault(record.slot, []).append(record)
        for slot, records in by_slot.items():
            if not any(record.status == 'superseded' for record in records):
                continue
            for record in sorted(records, key=lambda r: r.valid_from):
                until = f'to {day(record.valid_to)}' if record.valid_to else 'until now'
                old = record.status == 'superseded'
                line = Text.assemble(
                    (one_line(record.text), 'strike dim' if old else 'bold green'),
                    (f'  {day(record.valid_from)} {until}{" (superseded)" if old else ""}', 'dim'),
                )
                table.add_row(one_line(slot), line)
        self._console.print(Padding(table, (1, 0, 0, 2)))

    def _recalled(self, told: _Told) -> None:
        self._head('Recall, across all conversations (score, answer, its source)')
        for question, hits in told.answers:
            self._console.print()
            self._console.print(Text(question, style='cyan'))
            self._console.print(Padding(hits_table(hits, ids=False), (0, 0, 0, 1)))
        self._console.print()
        self._console.print(f'{told.search_ms:.0f} ms a question (median), embedding included.', style='dim')

    def _given(self, told: _Told) -> None:
        self._head('What an agent is given for a new task')
        self._console.print()
        self._console.print(Text(f'Task: {TASK}', style='cyan'))
        self._console.print(Panel(shown(told.block.text), border_style='dim', width=min(self._console.width, 100)))
        self._console.print(
            f'{told.block.tokens} tokens instead of {told.history_tokens} for the full history '
            f'({_share(told)} % fewer). The history grows with every message; the block does not.'
        )

    def _erased(self, proof: _Proof) -> None:
        self._head('Forgetting, for good')
        erased = proof.erased
        checks = Table.grid(padding=(0, 2))
        checks.add_column(ratio=1)
        checks.add_column(justify='right')
        checks.add_row('memories and messages erased', f'{erased.memories} and {erased.episodes}')
        checks.add_row('memories left', str(proof.memories_after))
        checks.add_row('answers to the first question', str(proof.hits_after))
        checks.add_row('sentences found in the files, before', str(proof.found_before))
        checks.add_row('sentences found in the files, after', str(proof.found_after))
        done = not (proof.found_after or proof.memories_after or proof.hits_after)
        verdict = Text('Nothing is left.' if done else 'Something is left!', style='bold green' if done else 'bold red')
        self._console.print(Padding(Group(checks, verdict), (1, 0, 0, 2)))

    def _onward(self, told: _Told) -> None:
        self._head('Where to go next')
        table = Table.grid(padding=(0, 2))
        table.add_column(style='green', no_wrap=True)
        table.add_column(style='dim')
        table.add_row('memoranda add "I play the cello"', 'remember something yourself')
        table.add_row('memoranda search "instrument"', 'and find it again')
        table.add_row('memoranda import conversations.json', 'your ChatGPT or Claude export')
        table.add_row('memoranda doctor', 'where it is all kept')
        table.add_row('from memoranda import Memory', 'the same from Python: docs/quickstart.md')
        self._console.print(Padding(table, (1, 0, 0, 2)))
        self._console.print()
        self._console.print(f'{told.seconds:.1f} s in all, at {current_time():%Y-%m-%d %H:%M} UTC.', style='dim')
