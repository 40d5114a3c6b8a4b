"""What the server answers, as the records that an embedded memory returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from memoranda import records
from memoranda.errors import StoreError
from memoranda.scope import Owner, Scope
from memoranda.server.native import models
from memoranda.server.native.models import Told
from memoranda.stores.data import EpisodePage, ErasureResult, Stats
from memoranda.stores.generation import Generation

__all__ = ['generation', 'hits', 'kinds_of', 'page', 'read', 'record', 'stats']

T = TypeVar('T')
ToldT = TypeVar('ToldT', bound=Told)

_KINDS: dict[type[BaseModel], Any] = {
    models.ScopeIds: Scope,
    models.Owner: Owner,
    models.Evidence: records.Evidence,
    models.Memory: records.MemoryRecord,
    models.Episode: records.Episode,
    models.ReviewNote: records.ReviewNote,
    models.Edit: records.Edit,
    models.Usage: records.Usage,
    models.Hit: records.Hit,
    models.HistoryEntry: records.HistoryEntry,
    models.Change: records.Change,
    models.Added: records.AddResult,
    models.Context: records.ContextBlock,
    models.Job: records.Job,
    models.JobDetail: records.Job,
    models.Erased: ErasureResult,
}
"""The record that each model tells."""
_PAGES: Final[Mapping[type[BaseModel], Any]] = {
    models.MemoryPage: records.Page,
    models.EpisodePage: EpisodePage,
    models.ChangePage: records.ChangePage,
    models.JobPage: records.JobPage,
}
_MISSING: Final[Mapping[Any, Mapping[str, Any]]] = {records.Job: {'payload': {}}}
"""What is not told, and has no default."""


def kinds_of(further: Mapping[type[BaseModel], Any]) -> None:
    """Let further models be read as records: those whose modules not every program needs."""
    _KINDS.update(further)


def read(kind: type[ToldT], body: bytes, *, address: str) -> ToldT:
    """An answer, checked.

    Raises:
        StoreError: It is not what was asked for.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = '.'.join(str(part) for part in first['loc'])
        raise StoreError(
            f'{address} answered with no {kind.__name__} that this version can read ({where or "the answer"}: '
            f'{first["msg"]}): look at the versions of both'
        ) from None


def record(told: BaseModel, **further: Any) -> Any:
    """The record that a model tells."""
    kind = _KINDS[type(told)]
    given = {f.name: _plain(getattr(told, f.name)) for f in fields(kind) if f.init and hasattr(told, f.name)}
    return kind(**{**_MISSING.get(kind, {}), **given, **further})


def page(told: Any) -> Any:
    """The page that a model tells."""
    return _PAGES[type(told)](items=tuple(record(one) for one in told.items), cursor=told.next_cursor)


def hits(told: models.SearchHits) -> records.Hits:
    """What a search found."""
    return records.Hits([record(hit) for hit in told.hits], degraded=told.degraded)


def stats(told: models.Stats, location: str) -> Stats:
    """What the storage of a server holds."""
    given = {name: getattr(told, name) for name in models.Stats.model_fields}
    given |= {
        'generation': generation(told.generation, 'current'),
        'building': generation(told.building, 'building'),
        'usage': record(told.usage),
    }
    return Stats(location=location, **given)


def generation(told: models.Generation | None, state: Any) -> Generation | None:
    """The embedder of vectors."""
    if told is None:
        return None
    return Generation(id=told.id, embedder=told.embedder, dimensions=told.dimensions, state=state)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return record(value)
    if isinstance(value, list):
        return tuple(_plain(one) for one in cast('list[object]', value))
    if isinstance(value, dict):  # somebody's JSON stays as it is
        told = cast('dict[str, object]', value)
        return {k: record(v) if isinstance(v, BaseModel) else v for k, v in told.items()}
    return value
