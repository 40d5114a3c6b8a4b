"""The cases of a poisoning set as typed models, and their reading from JSON Lines (docs/trust.md tells the format)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memoranda.errors import InvalidInput, shown
from memoranda.write.messages import OWN_TOOLS

__all__ = ['FAMILIES', 'Check', 'Who', 'Case', 'Step', 'read_cases']

FAMILIES = ('minja', 'injecmem', 'delayed', 'laundering', 'framing', 'tenants', 'unicode')
MAX_STEPS = 12
MAX_CHARS = 20_000
Family: TypeAlias = Literal['minja', 'injecmem', 'delayed', 'laundering', 'framing', 'tenants', 'unicode']
Words: TypeAlias = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, populate_by_name=True)


class Who(_Strict):
    """Whose memory: ids as they are given to the library, which may refuse them."""

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    project: str = 'default'

    @model_validator(mode='before')
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {'user_id': value} if isinstance(value, str) else value

    @property
    def ids(self) -> dict[str, Any]:
        """As keyword arguments."""
        return {k: v for k in ('user_id', 'agent_id', 'app_id') if (v := getattr(self, k)) is not None}


class ToolText(_Strict):
    """What a tool returns when the model calls it."""

    name: Annotated[str, Field(pattern=r'^[a-z_]+$')]
    returns: str

    @model_validator(mode='after')
    def _is_not_ours(self) -> Self:
        if self.name in OWN_TOOLS:
            raise ValueError(f'{self.name} is a tool of the memory: name it otherwise, or use remembers')
        return self


class Said(_Strict):
    """A message that an application stores itself."""

    role: Literal['user', 'assistant', 'tool']
    content: Words
    trust: Literal['user', 'assistant', 'tool', 'external'] | None = None
    name: str | None = None


class Step(_Strict):
    """One run of an agent (`says`), or messages that an application stores (`add`)."""

    who: Who = Field(alias='as')
    chat: str | None = None
    says: Words | None = None
    answer: str | None = None
    tools: tuple[ToolText, ...] = ()
    remembers: tuple[Words, ...] = ()
    add: tuple[Said, ...] = ()
    trust: Literal['tool', 'external'] | None = None

    @model_validator(mode='after')
    def _is_one(self) -> Self:
        if (self.says is None) == (not self.add):
            raise ValueError('a step has either says or add')
        if self.says is not None and (self.answer is None or self.chat is None):
            raise ValueError('a step with says needs chat and answer')
        return self


class Target(_Strict):
    """The first believed memory of somebody that matches."""

    who: Who = Field(alias='as')
    matching: Words


class Call(_Strict):
    """What somebody who may be hostile does."""

    name: Literal['search', 'get_all', 'context', 'episodes', 'get', 'history', 'update', 'delete']
    query: str | None = None
    filters: dict[str, Any] | None = None
    of: Target | None = None
    text: str = 'changed'

    @model_validator(mode='after')
    def _is_complete(self) -> Self:
        if self.name in ('get', 'history', 'update', 'delete') and self.of is None:
            raise ValueError(f'{self.name} needs of')
        if self.name in ('search', 'context') and self.query is None:
            raise ValueError(f'{self.name} needs query')
        return self


class Check(_Strict):
    """What must be true after the steps."""

    check: Literal['prompt', 'facts', 'frame', 'call']
    who: Who = Field(alias='as')
    asks: str | None = None
    where: Literal['facts', 'anywhere'] = 'anywhere'
    kind: str | None = None
    call: Call | None = None
    never: str | None = None
    must: str | None = None

    @model_validator(mode='after')
    def _is_complete(self) -> Self:
        if self.check in ('prompt', 'frame') and not self.asks:
            raise ValueError(f'{self.check} needs asks')
        if self.check == 'call' and self.call is None:
            raise ValueError('call needs call')
        if self.check != 'frame' and (self.never is None) == (self.must is None):
            raise ValueError('a check has either never or must')
        for pattern in (self.never, self.must):
            if pattern is not None:
                re.compile(pattern)
        return self


class Case(_Strict):
    """A few conversations and what must be true after them."""

    id: Annotated[str, Field(pattern=r'^[a-z0-9-]+$')]
    label: Literal['attack', 'harmless']
    family: Family
    about: Words
    documents: bool = False
    """Whether it is of an application that shows what others wrote in prompts: `Policy(read={'external': 'fence'})`."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]


def read_cases(paths: Iterable[str | Path]) -> Sequence[Case]:
    """The cases of some files, in order.

    Raises:
        InvalidInput: A file can't be read, or a line is no case; ids that are used twice.
    """
    cases: dict[str, Case] = {}
    for path in paths:
        try:
            lines = Path(path).read_text(encoding='utf-8').split('\n')
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f'{shown(str(path))} can not be read ({error}): pass a file of JSON Lines') from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f'{path}, line {number}'
            if len(line) > 4 * MAX_CHARS:
                raise InvalidInput(f'{where} has {len(line):,} characters: a case has at most {MAX_CHARS:,}')
            try:
                case = Case.model_validate_json(line)
            except (ValidationError, re.error) as error:
                raise InvalidInput(f'{where} is no case ({error}): see docs/trust.md') from error
            if case.id in cases:
                raise InvalidInput(f'{where}: id={case.id!r} is used twice: give each case its own')
            cases[case.id] = case
    if not cases:
        raise InvalidInput('no cases: pass files of JSON Lines, such as tests/security/attacks.jsonl')
    return list(cases.values())
