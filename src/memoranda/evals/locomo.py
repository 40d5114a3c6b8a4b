"""The questions of a LoCoMo file, with the turns that answer them.

The conversations themselves are read by `memoranda.importers`, which keeps each turn's `dia_id` in its metadata; that
is what evidence names. LoCoMo: Maharana et al., Evaluating Very Long-Term Conversational Memory of LLM Agents, 2024.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from memoranda.errors import InvalidInput
from memoranda.importers.base import as_id, is_list, is_object

__all__ = ['ADVERSARIAL', 'CATEGORIES', 'Question', 'evidence_ids', 'read_questions', 'read_turns']

CATEGORIES: Final[Mapping[int, str]] = {
    1: 'multi-hop',
    2: 'temporal',
    3: 'open-domain',
    4: 'single-hop',
    5: 'adversarial',
}
ADVERSARIAL: Final = 5
"""Questions about the wrong person: they have evidence but no true answer, so they are counted apart."""

_DIA_ID = re.compile(r'D(\d+):(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question about one sample."""

    sample: str
    """The `sample_id`: the user the importer stores the conversation under."""
    number: int
    """Its place in the sample, from 0."""
    text: str
    category: int
    """See `CATEGORIES`."""
    answer: str
    """Empty for most adversarial questions."""
    evidence: tuple[str, ...]
    """`dia_id`s, each once; empty when the file gives none that can be used."""


def evidence_ids(raw: object) -> tuple[str, ...]:
    """The `dia_id`s in an evidence field.

    Some entries of the published file hold two ids in one string, an id with a leading zero, or half an id: every
    `D<session>:<turn>` in it is taken, and what doesn't look so is dropped.
    """
    found: dict[str, None] = {}
    for entry in raw if is_list(raw) else (raw,):
        for session, turn in _DIA_ID.findall(entry) if isinstance(entry, str) else ():
            found[f'D{int(session)}:{int(turn)}'] = None
    return tuple(found)


def read_questions(path: str | Path) -> list[Question]:
    """Every question of a file, in its order.

    Raises:
        InvalidInput: The file can't be read as LoCoMo.
    """
    return [question for sample, raw in _samples(path) for question in _questions(sample, raw, path)]


def read_turns(path: str | Path) -> dict[tuple[str, str], str]:
    """The words of every turn as the file has them, by (sample, `dia_id`).

    Raises:
        InvalidInput: The file can't be read as LoCoMo.
    """
    turns: dict[tuple[str, str], str] = {}
    for sample, raw in _samples(path):
        conversation: object = raw.get('conversation')
        for turn in _dialogue(conversation if is_object(conversation) else {}):
            dia_id, text = turn.get('dia_id'), turn.get('text')
            if isinstance(dia_id, str) and isinstance(text, str):
                turns[sample, dia_id] = text
    return turns


def _samples(path: str | Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        values: object = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InvalidInput(f'{path} cannot be read ({error}): pass a LoCoMo file, such as locomo10.json') from error
    for number, raw in enumerate(values if is_list(values) else [values], 1):
        if not is_object(raw) or not is_list(raw.get('qa')):
            raise InvalidInput(f'{path}, sample {number}: has no list "qa": pass a LoCoMo file, such as locomo10.json')
        yield as_id('sample_id', raw.get('sample_id')) or f'sample-{number}', raw


def _questions(sample: str, raw: Mapping[str, Any], path: str | Path) -> Iterator[Question]:
    for number, one in enumerate(raw['qa']):
        text: object = one.get('question') if is_object(one) else None
        category: object = one.get('category') if is_object(one) else None
        if (
            not is_object(one)
            or not isinstance(text, str)
            or not isinstance(category, int)
            or category not in CATEGORIES
        ):
            raise InvalidInput(
                f'{path}, {sample}, question {number}: needs a question and a category from 1 to 5: correct the file'
            )
        yield Question(
            sample=sample,
            number=number,
            text=text,
            category=category,
            answer=str(one.get('answer', '')),
            evidence=evidence_ids(one.get('evidence')),
        )


def _dialogue(conversation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for value in conversation.values():
        turns: Sequence[object] = value if is_list(value) else ()
        for turn in turns:
            if is_object(turn):
                yield turn
