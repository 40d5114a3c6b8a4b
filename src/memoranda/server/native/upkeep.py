"""Profiles, maintenance, figures, and who is calling."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from pydantic import BaseModel, create_model

from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, problems, view

__all__ = ['router']

router = APIRouter(prefix='/v1', tags=['upkeep'], route_class=ReadRoute)

Reader = Annotated[Caller, needs('reader')]
Admin = Annotated[Caller, needs('admin')]
_Wanted: TypeAlias = tuple[str, str, bool, tuple[str, ...]]
"""Slot, type, whether it is a list, choices."""
_TYPES: Final[dict[str, Any]] = {
    'text': str,
    'integer': int,
    'number': float,
    'boolean': bool,
    'date': date,
    'datetime': datetime,
}


@router.get('/me', operation_id='whoami', summary='Whose key this is', response_model=models.Me, responses=problems())
async def whoami(caller: Reader) -> Response:
    """The key's name, project and role, and what a client has to know of the settings."""
    engine = caller.memory.engine
    told = {name: getattr(caller, name) for name in ('name', 'project', 'role', 'user_id')}
    rules = {'read': dict(engine.policy.read), 'passages': dict(engine.policy.passages)}
    return await answer(models.Me, {**told, **rules, 'batch_turns': engine.settings.batch_turns})


@router.get('/stats', operation_id='stats', summary='Figures', response_model=models.Stats, responses=problems())
async def stats(caller: Admin) -> Response:
    """What the storage holds, over all projects: counts only, and only for the project that the server is set to."""
    caller.check_all_projects()
    return await answer(models.Stats, await caller.memory.stats())


@router.post(
    '/profile',
    operation_id='read_profile',
    summary='Fill fields from memories',
    response_model=models.Profile,
    responses=problems(body=True),
)
async def read_profile(body: models.ReadProfile, caller: Reader) -> Response:
    """Each field is a slot. What is missing, doesn't fit or is contradicted is told and never guessed."""
    names = list(body.fields)
    memory = view(caller, body)
    model = await run_sync(_model, _wanted(body))  # some milliseconds a field
    found = await memory.profile(model, as_of=body.as_of, known_at=body.known_at)

    def named(field: str) -> str:
        return names[int(field.removeprefix('field_'))]

    told = {
        'fields': {named(name): field for name, field in found.fields.items()},
        'missing': [named(name) for name in found.missing],
        'conflicts': {named(name): memories for name, memories in found.conflicts.items()},
        'invalid': [
            {'field': named(one.field), 'slot': one.slot, 'reason': one.reason, 'memory': one.memory}
            for one in found.invalid
        ],
    }
    return await answer(models.Profile, told, size=len(names))


@router.post(
    '/clean',
    operation_id='clean',
    summary='Tidy memories',
    response_model=models.CleanResult,
    responses=problems(409, body=True),
)
async def clean(body: models.Clean, caller: Admin) -> Response:
    """Drop or merge memories of a scope, as one change that can be reverted (docs/maintenance.md)."""
    done = await view(caller, body).clean(
        expired=body.expired,
        filters=body.filters,
        older_than=_days(body.older_than_days),
        unused_for=_days(body.unused_for_days),
        max_confidence=body.max_confidence,
        kinds=body.kinds,
        merge_duplicates=body.merge_duplicates,
        dry_run=body.dry_run,
    )
    return await answer(models.CleanResult, done, size=2 * len(done.edits))


@router.post(
    '/reset',
    operation_id='reset',
    summary='Take back what is known of tools and set-up',
    response_model=models.CleanResult,
    responses=problems(409, body=True),
)
async def reset(body: models.Reset, caller: Admin) -> Response:
    """Retract what is known of a user's tools and set-up, or memories of some kinds, as one change."""
    done = await view(caller, body).reset(kinds=body.kinds, dry_run=body.dry_run)
    return await answer(models.CleanResult, done, size=2 * len(done.edits))


@router.post(
    '/retention',
    operation_id='apply_retention',
    summary='Apply the retention rules now',
    response_model=models.RetentionResult,
    responses=problems(409, body=True),
)
async def apply_retention(body: models.ApplyRetention, caller: Admin) -> Response:
    """Old facts expire, which can be reverted, and old messages are erased, as the policy says."""
    memory = view(caller, body)
    done = await (memory.retention_preview(sample=body.sample) if body.dry_run else memory.apply_retention())
    return await answer(models.RetentionResult, done, size=3 * body.sample)


def _wanted(asked: models.ReadProfile) -> tuple[_Wanted, ...]:
    return tuple((f.slot, f.type, f.many, tuple(f.choices or ())) for f in asked.fields.values())


@lru_cache(maxsize=64)
def _model(wanted: tuple[_Wanted, ...]) -> type[BaseModel]:
    """A model with these fields. Their names are ours: any text may stand for a field in a request."""
    from memoranda._profile_fields import plan_of
    from memoranda.profile import Slot

    fields: dict[str, Any] = {}
    for number, (slot, type_, many, choices) in enumerate(wanted):
        kind: Any = Literal[choices] if choices else _TYPES[type_]
        kind = list[kind] if many else kind
        fields[f'field_{number}'] = (Annotated[kind | None, Slot(slot)], None)
    model = create_model('Profile', **fields)
    plan_of(model)  # which is kept with the model: it takes as long as making that
    return model


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
