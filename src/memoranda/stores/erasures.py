"""What is asked of a store when something is to be forgotten, and what it answers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from memoranda.scope import Erasure, Owner

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.scope import Scope

__all__ = [
    'COUNTED',
    'Asked',
    'ChainPosition',
    'Forgetting',
    'Forgotten',
    'Remains',
    'Trace',
    'subject_key',
    'subjects_of',
]

Asked: TypeAlias = Literal['user', 'agent', 'app', 'run', 'global', 'part', 'project', 'message', 'memory', 'filter']
"""What was to be forgotten.

- `user`, `agent`, `app`, `global`: everything of one of these; `run`: of a conversation without a user
- `part`: what was said under further ids, such as one conversation of a user
- `project`: everything of a project
- `message`, `memory`: one of these; a memory goes with the messages it rests on
- `filter`: what matched a filter
"""
COUNTED = ('episodes', 'memories', 'versions', 'history', 'vectors', 'jobs', 'reviews')
"""What is counted: messages, memories that went altogether, their versions and those of others that went, history
entries that lost their words, vectors, jobs, and proposals that waited for a person or were turned down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """What is to be forgotten: of one owner, or of all owners of a project."""

    project: str
    owner: Owner | None
    """None: every owner of the project."""
    run_id: str | None = None
    """Only what was said under it; so with the others."""
    agent_id: str | None = None
    app_id: str | None = None
    episode_id: str | None = None
    """Only this message, of one owner."""
    memory_id: str | None = None
    """Only this memory of one owner, and the messages that it rests on."""
    where: Filter | None = None
    """Only the memories of one owner that match, whatever their status, with the messages that they rest on; and the
    messages that match, when the filter asks only for what messages have."""
    actor: str = 'user'
    """On whose account."""

    @property
    def asked(self) -> Asked:
        """Which of the sorts it is."""
        if self.episode_id is not None:
            return 'message'
        if self.memory_id is not None:
            return 'memory'
        if self.where is not None:
            return 'filter'
        if self.ids:
            return 'part'
        return 'project' if self.owner is None else self.owner.kind

    @property
    def ids(self) -> dict[str, str]:
        """The further ids, by column."""
        found = {'run_id': self.run_id, 'agent_id': self.agent_id, 'app_id': self.app_id}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def buries(self) -> bool:
        """Whether it is a subject that is forgotten, so that nothing said before may come back."""
        return self.episode_id is None and self.memory_id is None and self.where is None

    def subject(self, secret: bytes) -> str:
        """What stands for it in receipts and tombstones: 64 hex digits that say nothing without the secret."""
        if self.episode_id is not None:
            return subject_key(secret, self.project, None, {}, 'message', self.episode_id)
        if self.memory_id is not None:
            return subject_key(secret, self.project, None, {}, 'memory', self.memory_id)
        more = () if self.where is None else ('filter', repr(self.where))
        return subject_key(secret, self.project, self.owner, self.ids, *more)

    def covers(self, owner: Owner, scope: Scope) -> bool:
        """Whether what was said under these ids, and is stored with this owner, goes."""
        if not self.buries or owner.project != self.project or self.owner not in (None, owner):
            return False
        return all(getattr(scope, name) == value for name, value in self.ids.items())

    def of(self, owner: Owner) -> Erasure:
        """What goes of one owner, when it is a subject that is forgotten."""
        return Erasure(owner, **self.ids, actor=self.actor)


def subject_key(secret: bytes, project: str, owner: Owner | None, ids: Mapping[str, str], *more: str) -> str:
    r"""`HMAC-SHA256(secret, project \0 owner kind \0 owner key [\0 name \0 id ...])`; no id holds a NUL.

    Args:
        secret: The storage's.
        project: The tenant.
        owner: Whose; None for all of the project.
        ids: Further ids by the names of their columns (`run_id`, `agent_id`, `app_id`).
        more: What else tells it apart.
    """
    parts = [project, *(('', '') if owner is None else (owner.kind, owner.key))]
    for name in ('run_id', 'agent_id', 'app_id'):
        if name in ids:
            parts += [name, ids[name]]
    text = '\0'.join((*parts, *more))
    return hmac.new(secret, text.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()


def subjects_of(secret: bytes, owner: Owner, ids: Mapping[str, str]) -> list[str]:
    """The keys of all subjects that a message belongs to: its project, its owner, and these with its further ids."""
    names = [name for name in ('run_id', 'agent_id', 'app_id') if name in ids]
    chosen = [{n: ids[n] for i, n in enumerate(names) if mask >> i & 1} for mask in range(1 << len(names))]
    return [subject_key(secret, owner.project, whose, some) for whose in (owner, None) for some in chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPosition:
    """Where in an owner's audit chain an erasure is recorded."""

    owner: int
    """The owner's number, which is never given again."""
    length: int
    """Position of the entry, which was the last one then."""
    head: str
    """Its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What went."""

    subject: str
    at: datetime
    """When it was written. What was recorded or said until then is gone."""
    counts: Mapping[str, int]
    """By `COUNTED`."""
    chains: tuple[ChainPosition, ...]
    """One for each owner of which something went."""
    tombstone: bool
    """Whether one was left."""
    scrubbed: bool
    """Whether nothing erased is left in the files; else that is finished later."""
    words: tuple[str, ...] = field(default=(), repr=False)
    """Some of the texts that went, to look for them in the files at once. They are to be kept nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A text that should be gone, and is found."""

    text: int
    """Position in the list that was asked for."""
    where: tuple[str, ...]
    """`file`, `log`, `journal` (raw bytes that no row accounts for), or names of tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What a store knows of an erasure afterwards."""

    chain: tuple[str, ...]
    """What is wrong with the entries that record it; empty when each is in its place."""
    tombstone: datetime | None
    """Until when messages of the subject are refused; None when it was lifted, or never left."""
    lifted: bool
    """Whether some history tells of a tombstone that was lifted since."""
    rows: Mapping[str, int]
    """What is there of the subject that should be gone, by table; empty when nothing is."""
    scrub_pending: bool
    """Whether erased words may still be in the files."""


def merged(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Sums by name."""
    return {name: sum(c.get(name, 0) for c in counts) for name in COUNTED}
