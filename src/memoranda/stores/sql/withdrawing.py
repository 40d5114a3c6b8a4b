"""What stays of a memory that others said too, when some of the messages it rests on are erased.

Its versions are gone through from the first one on, and each is written as it would be had those messages never been
said: what they lent to it (value, tags, metadata, trust, dates) goes, what others or a person gave it stays. Words,
kind, slot and status stay, for the same was said elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from memoranda.stores.sql.database import Connection

__all__ = ['Saying', 'withdraw']

_COLUMNS = (
    'row, version, change_id, actor, evidence, text, value, tags, metadata, confidence, importance, trust, valid_from, '
    'said_at, valid_to, superseded_by, agent_id, run_id, app_id'
)
_IDS = ('agent_id', 'run_id', 'app_id')
_MERGED_BY = 'clean'
"""The actor of a change that lends the tags of one memory to another."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What is erased: messages, and the ids they were said under."""

    episodes: Collection[int]
    """Row keys."""
    ids: Mapping[str, str]
    """Column to id."""

    def covers(self, said_under: Mapping[str, str | None]) -> bool:
        """Whether what was said under these ids is erased. Where single messages are, none is by its ids."""
        return bool(self.ids) and all(said_under.get(name) == wanted for name, wanted in self.ids.items())


@dataclass(frozen=True, slots=True)
class _Given:
    """What messages give to a memory beside its words."""

    value: str | None
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    confidence: float
    importance: float
    trust: str
    valid_from: int
    said_at: int
    valid_to: int | None
    """Kept as it is; a start may not move past it."""


@dataclass(frozen=True, slots=True)
class _Version:
    row: int
    number: int
    change_id: str
    actor: str
    spans: tuple[tuple[int, int, int], ...]
    text: str
    given: _Given
    superseded_by: str | None
    said_under: Mapping[str, str | None]


@dataclass(slots=True)
class _Withdrawn:
    """What was taken away so far, so that a later edit which puts it back doesn't bring it back."""

    values: dict[str | None, str | None] = field(default_factory=dict[str | None, str | None])
    tags: set[str] = field(default_factory=set[str])
    metadata: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    dates: dict[int, int] = field(default_factory=dict[int, int])

    def note(self, held: _Given, left: _Given) -> None:
        if held.value != left.value:
            self.values[held.value] = left.value
        self.tags.update(t for t in held.tags if t not in left.tags)
        self.metadata.update((k, _json(v)) for k, v in held.metadata.items() if k not in left.metadata)
        for before, after in ((held.valid_from, left.valid_from), (held.said_at, left.said_at)):
            if before != after:
                self.dates[before] = after


def withdraw(connection: Connection, memory_ids: Iterable[str], saying: Saying) -> tuple[list[int], int]:
    """Take erased messages, and what they lent, out of memories.

    Args:
        connection: In a transaction.
        memory_ids: Those that rest on the messages, or were said under the ids.
        saying: What is erased.

    Returns:
        The version rows that must go because nothing else supports them, and of how many memories these are all.
    """
    versions = {id_: _versions(connection, id_) for id_ in memory_ids}
    lent: dict[str, set[str]] = {id_: set() for id_ in versions}
    """The changes that merged another such memory into one of these."""
    waiting = list(versions)
    while waiting:
        id_ = waiting.pop()
        held = versions[id_]
        first = next((i for i, _ in enumerate(held) if _is_tainted(held, i, saying, lent[id_])), len(held))
        for version in held[first:]:
            into = version.superseded_by
            if into is None or version.actor != _MERGED_BY or version.change_id in lent.get(into, ()):
                continue
            if into not in versions:
                versions[into] = _versions(connection, into)
            lent.setdefault(into, set()).add(version.change_id)
            waiting.append(into)
    rows: list[int] = []
    whole = 0
    for id_, held in versions.items():
        gone = _withdraw(connection, id_, held, saying, lent[id_])
        rows += gone
        whole += bool(gone) and len(gone) == len(held)
    return rows, whole


def _withdraw(
    connection: Connection, memory_id: str, versions: Sequence[_Version], saying: Saying, lent: Collection[str]
) -> list[int]:
    rests = [[s for s in v.spans if s[0] not in saying.episodes] for v in versions]
    if not versions or not rests[-1]:
        _blank(connection, memory_id, None)
        # Messages that stay may have confirmed what nobody believes any more.
        spans = {(s[0], v.row) for v, rest in zip(versions, rests, strict=True) for s in rest}
        if spans:
            connection.executemany('DELETE FROM evidence WHERE episode = ? AND memory = ?', spans)
        return [v.row for v in versions]
    left = _replay(connection, versions, saying, lent)
    touched = [
        len(rest) < len(version.spans) or given != version.given
        for version, rest, given in zip(versions, rests, left, strict=True)
    ]
    told = saying.covers(versions[-1].said_under)
    for version, rest, given, changed in zip(versions, rests, left, touched, strict=True):
        if rest and (changed or told):
            _rewrite(connection, version, rest, given, saying)
    if told:
        _blank(connection, memory_id, None)
    else:
        for i, version in enumerate(versions):
            if touched[i] or (i and touched[i - 1]):  # an entry tells what was before, too
                _blank(connection, memory_id, version.change_id)
    return [version.row for version, rest in zip(versions, rests, strict=True) if not rest]


def _blank(connection: Connection, memory_id: str, change_id: str | None) -> None:
    """Delete the words of a memory's history, of one change or of all."""
    which, values = ('', ()) if change_id is None else (' AND change_id = ?', (change_id,))
    entries = connection.execute(f'SELECT row FROM history WHERE memory_id = ?{which}', (memory_id, *values)).fetchall()
    connection.executemany('DELETE FROM history_text WHERE row = ?', entries)
    connection.executemany("UPDATE history SET reason = '' WHERE row = ?", entries)


def _versions(connection: Connection, memory_id: str) -> list[_Version]:
    return [
        _Version(
            row=row[0],
            number=row[1],
            change_id=row[2],
            actor=row[3],
            spans=tuple((s[0], s[1], s[2]) for s in json.loads(row[4])),
            text=row[5],
            given=_Given(
                value=row[6],
                tags=tuple(json.loads(row[7])),
                metadata=json.loads(row[8]) if row[8] else {},
                confidence=row[9],
                importance=row[10],
                trust=row[11],
                valid_from=row[12],
                said_at=row[13],
                valid_to=row[14],
            ),
            superseded_by=row[15],
            said_under=dict(zip(_IDS, row[16:19], strict=True)),
        )
        for row in connection.execute(f'SELECT {_COLUMNS} FROM memory WHERE id = ? ORDER BY version', (memory_id,))
    ]


def _is_tainted(versions: Sequence[_Version], i: int, saying: Saying, lent: Collection[str]) -> bool:
    """Whether what is erased had a part in what a version changed."""
    version = versions[i]
    if version.change_id in lent and version.number > 1:
        return True
    if i == 0 and saying.covers(version.said_under):
        return True
    return any(span[0] in saying.episodes for span in _added(versions, i))


def _added(versions: Sequence[_Version], i: int) -> list[tuple[int, int, int]]:
    held = versions[i - 1].spans if i else ()
    return [s for s in versions[i].spans if s not in held]


def _replay(
    connection: Connection, versions: Sequence[_Version], saying: Saying, lent: Collection[str]
) -> list[_Given]:
    """What each version is given by all the others."""
    withdrawn = _Withdrawn()
    left: list[_Given] = []
    anew = _is_tainted(versions, 0, saying, lent)  # until a message that stays gives it a date of its own
    for i, version in enumerate(versions):
        spoiled = _is_tainted(versions, i, saying, lent)
        given = version.given
        if not i:
            result = replace(given, value=None, tags=(), metadata={}) if spoiled else given
        elif spoiled:
            result = replace(left[-1], valid_to=given.valid_to)
        else:
            result = _carried(versions[i - 1].given, given, left[-1], withdrawn)
        said = [_said(connection, span[0]) for span in _added(versions, i) if span[0] not in saying.episodes]
        if said:
            result = _dated(result, given, said, anew=anew)
            anew = False
        if result.value is None and given.value is not None and _says(version.text, given.value):
            result = replace(result, value=given.value)
        left.append(result)
        withdrawn.note(given, result)
    return left


def _carried(before: _Given, after: _Given, left: _Given, withdrawn: _Withdrawn) -> _Given:
    """An edit that has nothing to do with what is erased, on what is left."""
    changed = {k: v for k, v in after.metadata.items() if k not in before.metadata or before.metadata[k] != v}
    changed = {k: v for k, v in changed.items() if (k, _json(v)) not in withdrawn.metadata}
    kept = {k: v for k, v in left.metadata.items() if k in after.metadata}
    fresh = [t for t in after.tags if t not in before.tags and t not in withdrawn.tags]
    names = ('confidence', 'importance', 'trust')
    fields: dict[str, Any] = {n: getattr(after, n) for n in names if getattr(after, n) != getattr(before, n)}
    for name in ('valid_from', 'said_at'):
        at = getattr(after, name)
        if at != getattr(before, name):
            fields[name] = withdrawn.dates.get(at, at)
    if after.value != before.value:
        fields['value'] = withdrawn.values.get(after.value, after.value)
    return replace(
        left,
        tags=tuple(t for t in after.tags if t in left.tags or t in fresh),
        metadata={k: changed.get(k, kept.get(k)) for k in after.metadata if k in changed or k in kept},
        valid_to=after.valid_to,
        **fields,
    )


def _dated(left: _Given, held: _Given, said: Sequence[int], *, anew: bool) -> _Given:
    """Dates by the messages that are left. A start only moves later, so that no two values of a slot overlap."""
    since = min(said) if anew else min(left.valid_from, *said)
    last = max(said) if anew else max(left.said_at, *said)
    start, end = left.valid_from, left.said_at
    if anew or start != held.valid_from:
        start = max(since, held.valid_from)
    if anew or end != held.said_at:
        end = min(last, held.said_at)
    return replace(left, valid_from=start if held.valid_to is None else min(start, held.valid_to), said_at=end)


def _rewrite(
    connection: Connection, version: _Version, spans: Sequence[Sequence[int]], given: _Given, saying: Saying
) -> None:
    ids = {**version.said_under}
    if saying.covers(version.said_under):
        ids.update(dict.fromkeys(saying.ids))
    connection.execute(
        'UPDATE memory SET evidence = ?, value = ?, tags = ?, metadata = ?, confidence = ?, importance = ?, trust = ?, '
        'valid_from = ?, said_at = ?, agent_id = ?, run_id = ?, app_id = ? WHERE row = ?',
        (
            json.dumps(spans), given.value, json.dumps(given.tags, ensure_ascii=False),
            _json(given.metadata) if given.metadata else None, given.confidence, given.importance, given.trust,
            given.valid_from, given.said_at, *(ids[name] for name in _IDS), version.row,
        ),
    )  # fmt: skip


def _said(connection: Connection, episode: int) -> int:
    return connection.execute('SELECT occurred_at FROM episode WHERE row = ?', (episode,)).fetchone()[0]


def _says(text: str, value: str) -> bool:
    """Whether a value is in the words anyway, which are said elsewhere too."""
    return re.search(rf'(?<!\w){re.escape(value.casefold())}(?!\w)', text.casefold()) is not None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(',', ':'))
