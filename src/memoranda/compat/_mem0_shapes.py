"""What Mem0's methods return: dicts with its keys, readable the way its older versions were too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, SupportsIndex, cast, overload

from memoranda._noted import noted, without_notes
from memoranda.records import Edit, HistoryEntry, Hit, MemoryRecord

__all__ = ['Item', 'Results', 'added', 'event_of', 'expiration_of', 'item_of', 'scored', 'told']

_ORDER: Final = ('ADD', 'UPDATE', 'NONE', 'DELETE', 'PENDING')
_EVENTS: Final[Mapping[str, str]] = {
    'add': 'ADD',
    'approve': 'ADD',
    'import': 'ADD',
    'update': 'UPDATE',
    'correct': 'UPDATE',
    'restore': 'UPDATE',
    'supersede': 'DELETE',
    'retract': 'DELETE',
    'expire': 'DELETE',
    'reject': 'DELETE',
    'erase': 'DELETE',
}


_OLDER: Final[Mapping[str, str]] = {
    'text': 'memory',
    'action': 'event',
    'previous_value': 'old_memory',
    'new_value': 'new_memory',
}
"""Keys as older tutorials have them, and as they are called now."""


class Item(dict[str, Any]):
    """One memory, or one row of a history. Its keys go by the names of older versions too (`item['text']`)."""

    def __missing__(self, key: str) -> Any:
        present = _OLDER.get(key, '')
        if present in self:
            return self[present]
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        return super().get(key if key in self else _OLDER.get(key, key), default)


class Results(dict[str, Any]):
    """A dict with one key, `results`, that can also be gone through, counted and indexed like the list in it.

    It is true when there is something in it. As a dict (`json.dumps`, `items()`, `**`) it is `{'results': [...]}`;
    `result['memories']` is an older name of the list.
    """

    def __init__(self, results: Iterable[Item] = ()) -> None:
        super().__init__(results=list(results))

    @property
    def _listed(self) -> list[Item]:
        return cast('list[Item]', super().__getitem__('results'))

    @overload
    def __getitem__(self, key: str, /) -> list[Item]: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Item: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Item]: ...
    def __getitem__(self, key: Any, /) -> Any:
        if isinstance(key, slice | int):
            return self._listed[key]
        return self._listed if key == 'memories' else super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._listed)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) if isinstance(key, str) else key in self._listed

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    def __reduce__(self) -> Any:
        return Results, (self._listed,)


def item_of(memory: MemoryRecord, *, score: float | None = None, scored: bool = True) -> Item:
    """A memory with the keys that Mem0 gives it."""
    own = noted(memory.metadata)
    item = Item(
        id=memory.id,
        memory=memory.text,
        # Of the words, as Mem0's; it guards nothing.
        hash=hashlib.md5(memory.text.encode('utf-8', 'surrogatepass'), usedforsecurity=False).hexdigest(),
        metadata=without_notes(memory.metadata) or None,
        created_at=memory.said_at.isoformat(),
        updated_at=memory.recorded_at.isoformat(),
    )
    if scored:
        item['score'] = score
    for name in ('user_id', 'agent_id', 'run_id', 'app_id'):
        if (value := getattr(memory.said_under, name)) is not None:
            item[name] = value
    for name in ('actor_id', 'role'):
        if own.get(name) is not None:
            item[name] = own[name]
    if (last := expiration_of(memory.expires_at)) is not None:
        item['expiration_date'] = last
    return item


def scored(hit: Hit, *, explain: bool, threshold: float) -> Item:
    """A hit of a search."""
    assert hit.memory is not None
    item = item_of(hit.memory, score=hit.score)
    if explain:
        item['score_details'] = {'final_score': hit.score, 'threshold': threshold, **(hit.why or {})}
    return item


def added(edits: Iterable[Edit], *, given: bool) -> Results:
    """What became of messages, what is new first."""
    items: list[Item] = []
    for edit in edits:
        item = Item(id=edit.after.id, memory=edit.after.text, event=event_of(edit))
        own = noted(edit.after.metadata)
        if given:
            item |= {'actor_id': own.get('actor_id'), 'role': own.get('role', 'user')}
        if item['event'] == 'UPDATE' and edit.before is not None:
            item['previous_memory'] = edit.before.text
        items.append(item)
    return Results(sorted(items, key=lambda i: _ORDER.index(i['event'])))


def event_of(edit: Edit) -> str:
    """What Mem0 calls a change of a memory."""
    if edit.after.status == 'pending':
        return 'PENDING'  # waits for somebody's approval
    if edit.after.status != 'active':
        return 'DELETE'
    if edit.before is None:
        return 'ADD'
    return 'NONE' if edit.before.text == edit.after.text else 'UPDATE'


def told(entries: Iterable[HistoryEntry]) -> list[Item]:
    """The history of a memory, oldest first; what changed none of its words is left out."""
    rows: list[Item] = []
    made = ''
    for entry in entries:
        event = _EVENTS.get(entry.op)
        old, new = _words(entry.before), _words(entry.after)
        if event is None or (event == 'UPDATE' and old == new):
            continue
        state = entry.after or entry.before or {}
        own = noted(state.get('metadata') or {})
        made = made or state.get('said_at') or entry.at.isoformat()
        rows.append(
            Item(
                id=f'{entry.change_id}:{entry.seq}',
                memory_id=entry.memory_id,
                old_memory=old,
                new_memory=None if event == 'DELETE' else new,
                event=event,
                created_at=made,
                updated_at=made if event == 'ADD' else entry.at.isoformat(),
                is_deleted=event == 'DELETE',
                actor_id=own.get('actor_id'),
                role=own.get('role'),
            )
        )
    return rows


def expiration_of(expires_at: datetime | None) -> str | None:
    """The last day on which a memory is known, which is how Mem0 dates it."""
    return None if expires_at is None else (expires_at - timedelta(microseconds=1)).date().isoformat()


def _words(state: Mapping[str, Any] | None) -> str | None:
    return None if state is None else state.get('text')
