"""The jobs of a scope, as a person looks after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast, get_args

from memoranda.checks import check_text
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound, shown
from memoranda.records import Job, JobPage, JobStatus

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.scope import Reach, Scope

__all__ = ['drop_job', 'list_jobs', 'one_job', 'retry_job']


async def list_jobs(
    engine: Engine,
    reaches: Sequence[Reach] | None,
    *,
    project: str,
    states: object,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """Jobs within reach, latest first."""
    wanted: Sequence[JobStatus] | None = None
    if states is not None:
        given = list(cast('Sequence[object]', states)) if isinstance(states, Sequence | set | frozenset) else []
        if isinstance(states, str) or not given or any(s not in get_args(JobStatus) for s in given):
            named = shown(cast('object', states))
            raise InvalidInput(f'states={named} is not a list of states: use some of {", ".join(get_args(JobStatus))}')
        wanted = cast('Sequence[JobStatus]', given)
    found, after = await engine.store.jobs(reaches, project=project, states=wanted, limit=limit, cursor=cursor)
    return JobPage(items=tuple(found), cursor=after)


async def one_job(engine: Engine, job_id: str, scope: Scope | None, *, project: str) -> Job:
    """A job, if it is within the scope (None: the project)."""
    found = await engine.store.job(check_text('job_id', job_id, 256), project=project)
    if found is not None:
        owner, job = found
        run = job.scope.run_id or '' if owner.kind == 'user' else ''
        if scope is None or any(r.owner == owner and r.sees(run) for r in scope.reaches(project)):
            return job
    raise MemoryNotFound(
        f'job {shown(job_id)} does not exist in this scope: check the id and the scope; jobs go with erased messages'
    )


async def retry_job(engine: Engine, job: Job) -> Job:
    """Make it due now."""
    again = await engine.store.requeue(job.id, project=job.project)
    if again is None:
        raise Conflict(f'job {job.id} is {job.status}: only one that waits or was given up can be tried again')
    return again


async def drop_job(engine: Engine, job: Job) -> Job:
    """Take it out of the queue."""
    if not await engine.store.drop(job.id, project=job.project):
        raise Conflict(f'job {job.id} is {job.status}: only one that is not done yet can be dropped')
    found = await engine.store.job(job.id, project=job.project)
    if found is None:
        raise MemoryNotFound(f'job {job.id} was erased meanwhile, with its messages')
    return found[1]
