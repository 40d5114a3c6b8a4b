"""What a language needs to be read by `elsewhere`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ['HIGH', 'REST', 'TASTE', 'Say', 'Tongue', 'common']

Check = Literal['place', 'name', 'org', 'number', 'tool', 'free', 'whole', 'none']


@dataclass(frozen=True, slots=True)
class Say:
    """An opening and the fact it makes."""

    pattern: str
    """Matched where a clause begins; the group `v` is the value."""
    words: str
    """The fact in the third person: `{v}` and other groups filled in. Of a retraction: how the memory begins."""
    kind: str = 'profile'
    slot: str | None = None
    check: Check = 'free'
    """
    - `place`, `org`: a proper name
    - `name`: of a person
    - `number`: an age
    - `tool`: a known tool
    - `free`: a few words that point at nothing
    - `whole`: taken as it is, to the end of the clause
    - `none`: no value
    """
    value: str | None = None
    longest: int = 5
    """Words of the value."""
    importance: float = 0.7
    thirds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Third person of the verb in the group `a`."""
    op: Literal['add', 'retract'] = 'add'
    implied: bool = False
    """Whether it lacks a subject, which a clause before must have given (`und wohne in ...`)."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language."""

    says: tuple[Say, ...]
    verbs: tuple[str, ...]
    """With which a clause of its own begins."""
    commands: str
    """With which an instruction begins."""
    joins: str
    ends: str
    """Words after which another thought begins."""
    lead: str
    silent: str
    """A sentence with one of these words states nothing of the speaker's present."""
    tasks: str
    """A message that begins so is about a text."""
    vague: str
    """Words that point at the talk."""
    where: str
    """Words before the place of a job."""
    times: tuple[tuple[str, str], ...]
    """Time expressions and their English, for `timewords`."""


HIGH = 0.85
TASTE = 0.6
REST = r'(?P<v>.{1,120})$'


def common(
    *,
    name: str,
    named: str,
    live: str,
    lives: str,
    there: str,
    moved: str,
    gone: str,
    aged: str,
    is_aged: str,
    there_: str,
    call: str,
    calls: str,
) -> tuple[Say, ...]:
    """Name, home, move, age and what to be called, which every language says in the same way."""
    return (
        Say(rf'(?:{name})\s{REST}', f'{named} {{v}}', slot='name', check='name', longest=4, importance=HIGH),
        Say(rf'(?:{live})\s{there}\s{REST}', f'{lives} {{p}} {{v}}', slot='home.city', check='place', importance=HIGH),
        Say(rf'(?:{moved})\s{REST}', f'{lives} {there_} {{v}}', slot='home.city', check='place', importance=HIGH),
        Say(
            rf'(?:{gone})\s{there.replace("?P<p>", "?:")}\s{REST}',
            lives,
            slot='home.city',
            check='place',
            op='retract',
        ),
        Say(rf'(?:{aged})$', is_aged, slot='age', value='{v}', check='number'),
        Say(
            rf'(?:{call})\s{REST}',
            calls,
            'instruction',
            'name.preferred',
            'name',
            longest=3,
            importance=HIGH,
        ),
    )
