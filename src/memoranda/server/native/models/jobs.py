"""Work that goes on in the background."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memoranda.records import JobStatus
from memoranda.server.native.models._base import Ids, Moment, Paged, Told, Whole
from memoranda.server.native.models.records import Edit, ScopeIds, Usage

__all__ = ['FollowJob', 'Job', 'JobDetail', 'JobPage', 'ListJobs']


class ListJobs(Paged):
    """Which jobs; without any id, those of everybody in the project."""

    states: Annotated[list[JobStatus], Field(min_length=1, max_length=7)] | None = None
    """Only these."""


class FollowJob(Ids):
    """How to look at a job."""

    wait: Annotated[Whole, Field(ge=0, le=60)] = 0
    """Seconds to wait for its end, if it has not ended."""


class Job(Told):
    """Messages from which memories are drawn in the background."""

    id: str
    project: str
    kind: str
    status: JobStatus
    state: Literal['queued', 'running', 'done', 'dead', 'dropped']
    """As it is stored; `status` tells retries apart."""
    attempts: int
    """How often it was begun."""
    crashes: int
    """How often the process that ran it ended in the middle."""
    scope: ScopeIds
    """The ids its messages were said under."""
    created_at: Moment
    run_after: Moment
    """Not before this moment."""
    lease_until: Moment | None
    finished_at: Moment | None
    last_error: str | None
    merged_into: str | None
    """The job of the same conversation that did the work of this one too."""
    usage: Usage


class JobDetail(Job):
    """A job with what it did."""

    episode_ids: list[str]
    """Its messages, oldest first."""
    changes: list[Edit]
    """Once it is done: what it changed."""


class JobPage(Told):
    """A slice of the jobs, latest first."""

    items: list[Job]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""
