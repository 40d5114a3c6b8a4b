"""What Mem0 stores: its local Qdrant folder, its pgvector table, and what its hosted service exports.

Nothing of Mem0 or Qdrant is needed, and nothing is written: the folder's SQLite file is opened read-only. Its points
are pickles, which could name any function to be called while they are read; here no name is looked up but those of a
few plain types, so that a crafted file can do nothing.
"""

from __future__ import annotations

import io
import json
import pickle
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, cast

from memoranda.errors import what_is
from memoranda.importers.base import ImportProblem, Report, as_id, as_text, as_time, is_list, is_object
from memoranda.records import EPOCH

__all__ = ['Mem0Memory', 'read_mem0']

_SYSTEM: Final = frozenset(
    'data memory text hash text_lemmatized created_at updated_at user_id agent_id run_id app_id session_id actor_id '
    'role attributed_to expiration_date metadata categories id score score_details replaced_by synthesized '
    'lifecycle_state structured_attributes input history'.split()
)
"""Fields of Mem0's own; whatever else a point of its stores has is the user's metadata."""
_PAGE: Final = 1000
_INSTALL: Final = "pip install 'memoranda[postgres]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mem0Memory:
    """One memory of Mem0."""

    id: str
    text: str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The user's own."""
    categories: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    role: str | None = None
    """Of the message it was drawn from, where Mem0 noted it."""
    versions: tuple[tuple[str, datetime | None], ...] = ()
    """What it said before and since when, oldest first; the last one is `text`."""

    @property
    def ids(self) -> dict[str, Any]:
        """The ids it is kept under."""
        found = {'user_id': self.user_id, 'agent_id': self.agent_id, 'run_id': self.run_id, 'app_id': self.app_id}
        return {name: value for name, value in found.items() if value is not None}


def read_mem0(
    source: str | Path,
    *,
    history: str | Path | None = None,
    collection: str | None = None,
    on_problem: Report | None = None,
) -> Iterator[Mem0Memory]:
    """The memories of a store of Mem0, in the order they were created in.

    Args:
        source: The folder of its local Qdrant (`vector_store.config.path`), a PostgreSQL URL of its pgvector store, or
            a JSON file of the hosted service (what `get_all` or an export returns).
        history: Its `history.db`, or the JSON that `history` returned; by default a `history.db` in the folder or
            beside it. Without one, memories have no earlier versions.
        collection: The collection or table; by default the only one, or `mem0`.
        on_problem: Told of each memory that can't be read, after which reading goes on; without it the first raises.

    Raises:
        ImportProblem: The source can't be read at all; without `on_problem` also for anything in it.
    """
    name = str(source)
    told: Mapping[str, Sequence[Mapping[str, Any]]]
    if name.startswith(('postgresql://', 'postgres://')):
        rows = _pgvector(name, collection or 'mem0')
        where = f'table {collection or "mem0"}'
        told = _history(Path(history)) if history is not None else {}
    elif Path(name).is_dir():
        folder = Path(name)
        rows = _qdrant(_collection(folder, collection))
        where = f'folder {folder}'
        found = Path(history) if history is not None else _beside(folder)
        told = _history(found) if found is not None else {}
    else:
        rows, inside = _hosted(Path(name))
        where = f'file {Path(name).name}'
        told = _history(Path(history)) if history is not None else _by_memory(inside)
    report = on_problem or _raise
    memories: list[Mem0Memory] = []
    for number, (id_, payload) in enumerate(rows, 1):
        try:
            memories.append(_memory(id_, payload, told.get(id_, ())))
        except ValueError as error:
            report(ImportProblem(f'{where}, memory {number} ({id_[:40]})', str(error)))
    yield from sorted(memories, key=lambda m: (m.created_at is not None, m.created_at or EPOCH, m.id))


def _raise(problem: ImportProblem) -> None:
    raise problem


def _memory(id_: str, payload: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> Mem0Memory:
    text = as_text(next((payload[k] for k in ('memory', 'data', 'text') if payload.get(k)), None)).strip()
    if not text:
        raise ValueError('has no words: leave it out')
    own: object = payload.get('metadata') or {}
    if not is_object(own):
        raise ValueError(f'metadata is {what_is(own)}: it should be an object')
    metadata = {**{k: v for k, v in payload.items() if k not in _SYSTEM}, **own}
    categories: object = payload.get('categories') or ()
    labels = cast('Sequence[object]', categories) if is_list(categories) else ()
    created = as_time(payload.get('created_at'))
    role: object = payload.get('role')
    found = Mem0Memory(
        id=id_,
        text=text,
        user_id=as_id('user_id', payload.get('user_id')),
        agent_id=as_id('agent_id', payload.get('agent_id')),
        run_id=as_id('run_id', payload.get('run_id') or payload.get('session_id')),
        app_id=as_id('app_id', payload.get('app_id')),
        metadata={k: v for k, v in metadata.items() if v is not None},
        categories=tuple(str(label) for label in labels),
        created_at=created,
        updated_at=as_time(payload.get('updated_at')),
        expires_at=_expiry(payload.get('expiration_date')),
        role=role if isinstance(role, str) else None,
        versions=_versions(text, created, told),
    )
    if not found.ids:
        raise ValueError('belongs to no user, agent, app or run: give it one')
    return found


def _versions(
    text: str, created: datetime | None, told: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, datetime | None], ...]:
    """What it said, oldest first, by the events of its history."""
    versions: list[tuple[str, datetime | None]] = []
    for event in told:
        words: object = event.get('new_memory')
        if not isinstance(words, str) or not words.strip() or str(event.get('event')).upper() not in ('ADD', 'UPDATE'):
            continue
        at = as_time(event.get('updated_at') or event.get('created_at'))
        if not versions or versions[-1][0] != words.strip():
            versions.append((words.strip(), at or created))
    if not versions or versions[-1][0] != text:
        versions.append((text, created))
    return tuple(versions)


def _expiry(value: object) -> datetime | None:
    """A day of Mem0's lasts to its end."""
    moment = as_time(value)
    return moment + timedelta(days=1) if moment is not None and len(str(value)) == len('2030-01-01') else moment


# The local Qdrant store


def _collection(folder: Path, wanted: str | None) -> Path:
    """The SQLite file of a collection."""
    places = [folder / 'collection', folder / 'qdrant' / 'collection', folder]
    for place in places:
        found = {f.parent.name: f for f in sorted(place.glob('*/storage.sqlite'))}
        if found:
            break
    else:
        if (folder / 'storage.sqlite').is_file():
            return folder / 'storage.sqlite'
        raise ImportProblem(
            str(folder), 'holds no local Qdrant store (collection/*/storage.sqlite): name the path that Mem0 was given'
        )
    if wanted is not None:
        if wanted not in found:
            raise ImportProblem(str(folder), f'has no collection {wanted!r}: it has {", ".join(found)}')
        return found[wanted]
    # Beside the memories Mem0 keeps the entities it found in them, and whose telemetry this is.
    kept = [n for n in found if n != 'mem0migrations' and not (n.endswith('_entities') and n[:-9] in found)]
    if len(kept) != 1:
        raise ImportProblem(str(folder), f'has the collections {", ".join(found)}: name one with --collection')
    return found[kept[0]]


def _qdrant(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Ids and payloads. A point that is there in several spellings counts as it was written last."""
    seen: set[str] = set()
    for number, (blob,) in enumerate(_rows(file, 'SELECT point FROM points ORDER BY rowid DESC'), 1):
        try:
            point = _Reader(io.BytesIO(bytes(blob))).load()
            state: Any = point.state
            parts: object = state.get('__dict__', state) if is_object(state) else None
        except Exception as error:  # a damaged pickle raises anything
            raise ImportProblem(f'{file}, point {number}', f'can not be read ({type(error).__name__})') from error
        if not is_object(parts) or not is_object(parts.get('payload') or {}):
            raise ImportProblem(f'{file}, point {number}', 'is no point of Qdrant')
        id_ = _normal(parts.get('id'))
        if id_ not in seen:
            seen.add(id_)
            yield id_, json.loads(json.dumps(parts.get('payload') or {}, default=str))  # it may hold dates


def _normal(value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return str(value)


class _Inert:
    """Stands for an object of any class: it keeps its state, and does nothing."""

    state: Any = None

    def __new__(cls, *arguments: Any, **named: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Lists of other classes."""

    def extend(self, values: Any) -> None:
        """The same."""


_PLAIN: Final[Mapping[tuple[str, str], type]] = {
    ('uuid', 'UUID'): uuid.UUID,
    ('datetime', 'datetime'): datetime,
    ('datetime', 'timezone'): timezone,
    ('datetime', 'timedelta'): timedelta,
}


class _Reader(pickle.Unpickler):
    """Reads a pickle without importing or calling anything that it names."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        return _PLAIN.get((module_name, global_name), _Inert)

    def persistent_load(self, pid: Any, /) -> Any:
        return None


# Its history


def _beside(folder: Path) -> Path | None:
    return next((f for f in (folder / 'history.db', folder.parent / 'history.db') if f.is_file()), None)


def _history(file: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Events by memory, oldest first."""
    try:
        with file.open('rb') as opened:
            sqlite = opened.read(16) == b'SQLite format 3\x00'
    except OSError as error:
        raise ImportProblem(str(file), f'{error.strerror}: name a readable history.db') from error
    if not sqlite:
        return _by_memory(_listed(_load(file), file))
    names = ('memory_id', 'new_memory', 'event', 'created_at', 'updated_at')
    rows = _rows(file, f'SELECT {", ".join(names)} FROM history ORDER BY rowid')  # noqa: S608
    return _by_memory(dict(zip(names, row, strict=True)) for row in rows)


def _by_memory(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        found.setdefault(_normal(event.get('memory_id')), []).append(event)
    return found


def _rows(file: Path, sql: str) -> Iterator[Sequence[Any]]:
    import apsw

    try:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            yield from cast('Any', connection.execute(sql))
        finally:
            connection.close()
    except apsw.Error as error:
        raise ImportProblem(
            str(file), f'is no SQLite file of this kind, or damaged ({error}): name what Mem0 has written'
        ) from error


# The pgvector store


def _pgvector(url: str, table: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Ids and payloads, read a thousand at a time in one snapshot."""
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise ImportProblem('the pgvector store', f'needs psycopg: {_INSTALL}') from error
    statement = sql.SQL('SELECT id::text, payload::text FROM {} ORDER BY id').format(sql.Identifier(*table.split('.')))
    try:
        with psycopg.connect(url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.cursor(name='memoranda') as cursor:
                cursor.itersize = _PAGE
                for id_, payload in cursor.execute(statement):
                    value: object = json.loads(payload) if payload else {}
                    yield _normal(id_), value if is_object(value) else {}
    except (psycopg.Error, ValueError) as error:
        told = str(error).strip().partition('\n')[0]
        raise ImportProblem(f'table {table}', f'can not be read ({told}): check the URL and the table') from error


# Files of the hosted service


def _hosted(file: Path) -> tuple[Iterator[tuple[str, Mapping[str, Any]]], list[Mapping[str, Any]]]:
    """Ids and items, and the events of the history that lie beside them."""
    value = _load(file)
    beside = value.get('history') if is_object(value) else None
    events: list[Mapping[str, Any]] = [event for event in beside if is_object(event)] if is_list(beside) else []
    items = _listed(value, file)

    def pairs() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for number, item in enumerate(items, 1):
            yield _normal(item.get('id') or item.get('memory_id') or f'{file.stem}:{number}'), item

    return pairs(), events


def _listed(value: object, file: Path) -> list[Mapping[str, Any]]:
    """The items of a list, or of an object around one."""
    if is_object(value):
        value = next((value[k] for k in ('results', 'memories', 'history', 'data') if is_list(value.get(k))), None)
    if not is_list(value) or not all(is_object(item) for item in value):
        raise ImportProblem(str(file), 'holds no list of memories: save what get_all or an export of Mem0 returned')
    return value


def _load(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ImportProblem(str(file), f'{error.strerror}: name a folder of Mem0, or a readable file') from error
    except (ValueError, RecursionError) as error:
        raise ImportProblem(str(file), f'is neither a folder of Mem0 nor JSON ({error}): export it again') from error
