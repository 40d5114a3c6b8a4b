"""The cases of an extraction set as typed models, and their reading through pydantic-evals."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from memoranda.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from pydantic_evals import Case, Dataset

__all__ = [
    'CATEGORIES',
    'CaseInputs',
    'CaseMetadata',
    'ExpectedOperation',
    'ExpectedOutput',
    'ExtractionCase',
    'ExtractionDataset',
    'KnownFact',
    'SaidMessage',
    'read_cases',
]

CATEGORIES = (
    'statement',
    'change_of_mind',
    'correction',
    'negation',
    'hypothetical',
    'third_person',
    'small_talk',
    'two_facts',
    'relative_date',
    'other_language',
    'assistant_said',
    'instruction',
    'instruction_like',
    'secret',
    'temporary',
    'session',
    'agent',
    'key_value',
    'confirm',
    'retract',
    'question',
    'injection',
)

if TYPE_CHECKING:
    ExtractionCase: TypeAlias = 'Case[CaseInputs, ExpectedOutput, CaseMetadata]'
    ExtractionDataset: TypeAlias = 'Dataset[CaseInputs, ExpectedOutput, CaseMetadata]'

Words: TypeAlias = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    # Words to look for may be numbers, which YAML reads as such.
    model_config = ConfigDict(extra='forbid', frozen=True, coerce_numbers_to_str=True)


class KnownFact(_Strict):
    """A fact that is stored, as given, before the messages come."""

    text: Words
    kind: str = 'knowledge'
    slot: str | None = None
    level: Literal['user', 'run'] = 'user'
    """`run` in scope `session` only."""
    locked: bool = False
    """Whether a person edited it."""
    said_at: AwareDatetime | None = None
    """None: two weeks before the first message."""


class SaidMessage(_Strict):
    """One message of the conversation under test."""

    role: Literal['user', 'assistant']
    content: Words
    name: str | None = None
    timestamp: AwareDatetime


class CaseInputs(_Strict):
    """A conversation, with what is known before it."""

    scope: Literal['user', 'session', 'agent']
    """`user`: a user id; `session`: a user id and a run id; `agent`: an agent id, what the agent learns for itself."""
    existing: list[KnownFact] = []
    messages: Annotated[list[SaidMessage], Field(min_length=1)]
    gate: list[bool]
    """One per message: whether it is worth reading."""

    @model_validator(mode='after')
    def _fits(self) -> Self:
        if len(self.gate) != len(self.messages):
            raise ValueError(f'gate has {len(self.gate)} labels for {len(self.messages)} messages: give one each')
        if self.scope != 'session' and any(known.level == 'run' for known in self.existing):
            raise ValueError(f"level 'run' needs a conversation, and scope is {self.scope!r}: use scope 'session'")
        return self

    def known_since(self, known: KnownFact) -> datetime:
        """When a known fact was said, UTC."""
        first = min(message.timestamp for message in self.messages)
        return (known.said_at or first - timedelta(weeks=2)).astimezone(UTC)


class ExpectedOperation(_Strict):
    """One thing a careful reader would do to the memory."""

    op: Literal['add', 'supersede', 'correct', 'confirm', 'retract']
    target: NonNegativeInt | None = None
    """Index into `existing`; every op but `add` has one."""
    says: list[Annotated[list[Words], Field(min_length=1)]] = []
    """Of every inner list at least one entry occurs in the new fact."""
    never: list[Words] = []
    """None of these occurs in it."""
    kind: list[str] = []
    """Acceptable kinds, the most natural first; empty: any."""
    level: Literal['user', 'run'] | None = None
    quote: str | None = None
    """Words of a message that the evidence must overlap."""
    valid_from: date | None = None
    tolerance_days: NonNegativeInt = 3
    optional: bool = False
    """Right if drawn, no miss if not."""

    @model_validator(mode='after')
    def _fits(self) -> Self:
        if (self.op == 'add') is not (self.target is None):
            raise ValueError(f'op {self.op!r} with target {self.target}: every op but add names one of existing')
        if (self.op in ('confirm', 'retract')) is bool(self.says):
            raise ValueError(f'op {self.op!r} with says={self.says}: a new fact says something, the others do not')
        return self


class ExpectedOutput(_Strict):
    """All that may change."""

    operations: Annotated[list[ExpectedOperation], Field(max_length=16)] = []


class CaseMetadata(_Strict):
    """Where a case is counted."""

    category: str
    language: str = 'en'


def read_cases(data: bytes | Path, *, sha256: str | None = None, name: str = 'extraction') -> ExtractionDataset:
    """A set of cases from YAML.

    Args:
        data: The YAML, UTF-8, or the file that holds it.
        sha256: What the bytes must hash to, hexadecimal: for a set that is frozen.
        name: What errors call the set.

    Raises:
        ConfigurationError: pydantic-evals is not installed.
        InvalidInput: The bytes are not the frozen ones, or the set can't be used.
    """
    if isinstance(data, Path):
        data = data.read_bytes()
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256.lower():
        raise InvalidInput(
            f'{name} has SHA-256 {found[:16]}…, and {sha256[:16]}… was frozen: figures of an edited hold-out say '
            'nothing: restore the file'
        )
    try:
        from pydantic_evals import Dataset
    except ImportError as error:
        raise ConfigurationError(
            f"{name} cannot be read without pydantic-evals ({error}): pip install 'memoranda[evals]'"
        ) from error
    try:
        dataset = Dataset[CaseInputs, ExpectedOutput, CaseMetadata].from_text(data.decode(), fmt='yaml')
        _check(dataset)
    except Exception as error:  # pydantic-evals wraps some of what it raises into groups
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f'{name} cannot be read as a set of extraction cases ({error}): correct it') from error
    return dataset


def _check(dataset: ExtractionDataset) -> None:
    """What no single model sees."""
    seen: set[str] = set()
    for number, case in enumerate(dataset.cases):
        name = case.name or f'case {number}'
        if case.metadata is None or case.expected_output is None or case.name is None:
            raise InvalidInput(f'{name}: has no name, metadata or expected_output: add it')
        if name in seen:
            raise InvalidInput(f'{name}: two cases have this name: rename one')
        seen.add(name)
        if case.metadata.category not in CATEGORIES:
            raise InvalidInput(f'{name}: category {case.metadata.category!r} is none of {", ".join(CATEGORIES)}')
        for operation in case.expected_output.operations:
            if operation.target is not None and operation.target >= len(case.inputs.existing):
                raise InvalidInput(
                    f'{name}: target {operation.target} is beyond the {len(case.inputs.existing)} existing facts: '
                    'count from 0'
                )
            quote = operation.quote
            if quote is not None and not any(quote in message.content for message in case.inputs.messages):
                raise InvalidInput(f'{name}: quote {quote!r} is in no message: copy the words as they stand')
