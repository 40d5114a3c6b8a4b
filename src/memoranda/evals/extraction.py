"""How well an extractor does: small conversations with the operations that a careful reader would draw from them.

A case is run as a user would: an in-memory `AsyncMemory`, the facts known before stored as given, then one `add` with
all messages. What changed in the store is compared with what was expected, so what counts is what the extractor
proposes *and* what guard and consolidation make of it. docs/evaluation.md has the format and the definitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from memoranda.errors import ConfigurationError, InvalidInput, ProcessingFailed
from memoranda.evals._cases import (
    CATEGORIES,
    CaseInputs,
    CaseMetadata,
    ExpectedOperation,
    ExpectedOutput,
    KnownFact,
    SaidMessage,
    read_cases,
)
from memoranda.evals._matching import Drawn, Fields, Span, drawn_from, fields_of, match, reasons_of
from memoranda.evals._report import CaseOutcome, ExtractionReport, Scores
from memoranda.evals._wilson import Share, wilson
from memoranda.records import AddResult, Episode

if TYPE_CHECKING:
    from memoranda.evals._cases import ExtractionCase, ExtractionDataset
    from memoranda.memory import AsyncMemory

__all__ = [
    'CATEGORIES',
    'HOLDOUT_SHA256',
    'CaseInputs',
    'CaseMetadata',
    'CaseOutcome',
    'Drawn',
    'ExpectedOperation',
    'ExpectedOutput',
    'ExtractionReport',
    'Fields',
    'KnownFact',
    'SaidMessage',
    'Scores',
    'Share',
    'Span',
    'Split',
    'evaluate',
    'load_cases',
    'read_cases',
    'run_case',
    'wilson',
]

Split: TypeAlias = Literal['dev', 'holdout']

HOLDOUT_SHA256: Final = '41e3231444e208e00483905b9929087a1dd8208aa304634df84015191cf66261'
"""Of `cases/extraction_holdout.yaml`, set once when the hold-out was frozen."""

DEV_FILES: Final = ('extraction_dev.yaml', 'extraction_opened.yaml')
_FOLDER: Final = Path(__file__).parent / 'cases'
_IDS: Final[Mapping[str, Mapping[str, str]]] = {
    'user': {'user_id': 'somebody'},
    'session': {'user_id': 'somebody', 'run_id': 'conversation'},
    'agent': {'agent_id': 'assistant'},
}


def load_cases(split: Split = 'dev', *, holdout_sha256: str | None = None) -> ExtractionDataset:
    """One of the two sets that come with the package.

    Args:
        split: `dev` may be read and tuned on, an earlier hold-out that was opened among it; `holdout` was written
            apart, and frozen before tuning.
        holdout_sha256: In place of `HOLDOUT_SHA256`.

    Raises:
        ConfigurationError: pydantic-evals is not installed.
        InvalidInput: The hold-out isn't frozen, or isn't as it was frozen.
    """
    if split == 'dev':
        first, *others = (read_cases(_FOLDER / name, name=name) for name in DEV_FILES)
        for other in others:
            first.cases.extend(other.cases)
        return first
    digest = HOLDOUT_SHA256 if holdout_sha256 is None else holdout_sha256
    if not digest:
        raise InvalidInput(
            'the hold-out cannot be opened: it has not been frozen, and cases that may still change measure nothing: '
            'set HOLDOUT_SHA256 first'
        )
    return read_cases(_FOLDER / 'extraction_holdout.yaml', sha256=digest, name='extraction_holdout.yaml')


async def evaluate(
    cases: Sequence[ExtractionCase],
    memory: Callable[[], AsyncMemory],
    *,
    extractor: str = 'rules',
    concurrency: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ExtractionReport:
    """Run cases, each in a memory of its own.

    Args:
        cases: Such as `load_cases('dev').cases`.
        memory: Makes an empty memory with the extractor under test; it is closed afterwards.
        extractor: What the report calls it.
        concurrency: Cases under way at once.
        progress: Called as (done, total) after each case.

    Raises:
        ConfigurationError: The extractor can't be used at all. What fails in one case is in `report.failed` instead.
    """
    turns = asyncio.Semaphore(concurrency)
    outcomes: list[CaseOutcome | None] = [None] * len(cases)
    failures: list[Exception] = []
    done = 0

    async def one(place: int, case: ExtractionCase) -> None:
        nonlocal done
        async with turns:
            if failures:  # what is under way ends by itself; nothing more is begun, or paid
                return
            try:
                async with memory() as store:
                    outcomes[place] = await run_case(case, store)
            except Exception as failure:
                failures.append(failure)
                return
        done += 1
        if progress is not None:
            progress(done, len(cases))

    await asyncio.gather(*(one(place, case) for place, case in enumerate(cases)))
    if failures:
        raise failures[0]
    return ExtractionReport(extractor, [o for o in outcomes if o is not None])


def _implied(operations: Sequence[ExpectedOperation]) -> list[ExpectedOperation]:
    """What is right though not all of it: where a fact is to be replaced, taking the old one back is no error."""
    ending = {o.target for o in operations if o.op in ('supersede', 'correct')}
    ended = {o.target for o in operations if o.op == 'retract'}
    return [ExpectedOperation(op='retract', target=t, optional=True) for t in sorted(ending - ended, key=str)]


async def run_case(case: ExtractionCase, memory: AsyncMemory) -> CaseOutcome:
    """Run one case in an empty memory.

    Raises:
        ConfigurationError: The extractor can't be used at all.
    """
    inputs, output, metadata = case.inputs, case.expected_output, case.metadata
    assert output is not None
    ids: dict[str, Any] = dict(_IDS[inputs.scope])
    known = [await _store(memory, inputs, fact, ids) for fact in inputs.existing]
    messages = [message.model_dump(exclude_none=True) for message in inputs.messages]
    error: str | None = None
    result = AddResult(job_id=None, episode_ids=())
    try:
        result = await memory.add(messages, **ids)
    except ProcessingFailed as failure:
        if isinstance(failure.__cause__, ConfigurationError):
            raise failure.__cause__ from None
        error = str(failure)
    episodes = await _episodes(memory, inputs, ids)
    drawn = drawn_from(result.changes, known, [e.id for e in episodes])
    stored = [e.text for e in episodes]
    operations = [*output.operations, *_implied(output.operations)]
    matches = match(drawn, operations, inputs, stored)
    return CaseOutcome(
        name=case.name or '',
        category=metadata.category if metadata else '',
        inputs=inputs,
        expected=tuple(operations),
        drawn=tuple(drawn),
        matches=tuple(matches),
        fields=tuple(
            None if number is None else fields_of(one, operations[number], inputs, stored)
            for one, number in zip(drawn, matches, strict=True)
        ),
        gate=await asyncio.to_thread(_gate, episodes),
        skipped={**result.skipped, **reasons_of(result.changes)},
        usage=result.usage,
        error=error,
    )


async def _store(memory: AsyncMemory, inputs: CaseInputs, fact: KnownFact, ids: Mapping[str, Any]) -> str:
    """Remember a known fact as it is. Returns its id."""
    own = {name: value for name, value in ids.items() if name != 'run_id' or fact.level == 'run'}
    added = await memory.add(
        fact.text,
        infer=False,
        kind=fact.kind,
        slot=fact.slot,
        level='run' if fact.level == 'run' else None,
        occurred_at=inputs.known_since(fact),
        **own,
    )
    memory_id = added.memories[0].id
    if fact.locked:
        await memory.update(memory_id, locked=True, **own)
    return memory_id


async def _episodes(memory: AsyncMemory, inputs: CaseInputs, ids: Mapping[str, Any]) -> list[Episode]:
    """The messages under test as they were stored."""
    everything = await memory.episodes(**{n: v for n, v in ids.items() if n != 'run_id'}, limit=1000)
    found = everything.items[len(inputs.existing) :]
    if len(found) != len(inputs.messages):
        raise InvalidInput(
            f'{len(found)} of {len(inputs.messages)} messages were stored, so they cannot be compared: '
            'a case has no message that says nothing or says the same as another at the same time'
        )
    return list(found)


def _gate(episodes: Sequence[Episode]) -> tuple[bool, ...]:
    from memoranda.write.gate import worth_reading

    return tuple(worth_reading(episode) for episode in episodes)
