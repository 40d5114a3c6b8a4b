"""What whoever runs a memory does: jobs, new vectors, the index elsewhere, backups."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from memoranda.checks import check_count, check_cursor
from memoranda.errors import InvalidInput, InvalidScope, shown
from memoranda.memory._base import BaseMemory
from memoranda.records import AddResult, Job, JobPage, JobStatus
from memoranda.stores.data import Stats

if TYPE_CHECKING:
    from memoranda.embedders import Embedder
    from memoranda.indexcheck import IndexReport
    from memoranda.indexing import IndexStatus
    from memoranda.moving import BackupReport
    from memoranda.reindex import ReindexProgress

__all__ = ['Upkeep']


class Upkeep(BaseMemory):
    """Jobs, vectors, backups."""

    async def flush(self, timeout: float | None = 30.0) -> int:
        """Wait until everything that was added in the background so far is done, also what waits for further turns.

        Of a view that is bound to a scope only what belongs there.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Returns:
            How many jobs are still not done then: queued, running, or to be tried again.
        """
        owner = None if self._bound is None else self._bound.home(self._project)
        return await self._background.flush(_seconds('timeout', timeout), owner)

    async def process_one_job(self) -> Job | None:
        """Do the job that is due for longest, of any project and owner: for a queue or a scheduler of your own.

        A job that fails is noted with its error and tried again at its time; that isn't raised.

        Returns:
            The job as it is afterwards; None when none is due.

        Raises:
            ConfigurationError: It can't be done as this memory is set up. It stays queued.
            StoreError: The storage failed.
        """
        if self._bound is not None:
            raise InvalidScope(
                'process_one_job() does the jobs of everybody, and this memory is bound to a scope: call it on the '
                'memory itself'
            )
        return await self._background.process_one()

    async def jobs(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        states: Sequence[JobStatus] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> JobPage:
        """What adds of a scope left to be done, latest first, a page at a time; with `project_wide()` of everybody.

        Args:
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            states: Only these, such as `('dead',)`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.
        """
        from memoranda.write.queue import list_jobs

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return await list_jobs(
            self._engine,
            None if scope is None else scope.reaches(self._project),
            project=self._project,
            states=states,
            limit=check_count('limit', limit, 1, 1000),
            cursor=check_cursor(cursor),
        )

    async def job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """One job as it is now.

        Raises:
            MemoryNotFound: It isn't in this scope, or its messages were erased.
        """
        from memoranda.write.queue import one_job

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return await one_job(self._engine, job_id, scope, project=self._project)

    async def receipt(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> AddResult:
        """The receipt of an `add` in the background, by the id of its job: also after a restart, or elsewhere.

        What it tells of is how far the job is now; `await receipt.wait()` tells what became of it.

        Raises:
            MemoryNotFound: It isn't in this scope, or its messages were erased.
        """
        from memoranda.write.queue import one_job
        from memoranda.write.receipts import receipt_again

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        job = await one_job(self._engine, job_id, scope, project=self._project)
        return await receipt_again(self._engine, self._worker, self._background, job)

    async def retry_job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """Try a job now that was given up or waits for its next try, with its failures forgotten.

        Raises:
            MemoryNotFound: It isn't in this scope.
            Conflict: It is done, dropped or running.
        """
        from memoranda.write.queue import one_job, retry_job

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        job = await retry_job(self._engine, await one_job(self._engine, job_id, scope, project=self._project))
        self._background.notify()
        return job

    async def drop_job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """Take a job out of the queue: nothing is drawn from its messages, which stay and can be searched.

        Raises:
            MemoryNotFound: It isn't in this scope.
            Conflict: It is done or dropped.
        """
        from memoranda.write.queue import drop_job, one_job

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return await drop_job(self._engine, await one_job(self._engine, job_id, scope, project=self._project))

    async def stats(self) -> Stats:
        """What the storage holds, over all projects."""
        return await self._engine.store.stats()

    async def reindex(
        self,
        *,
        embedder: Embedder | Any | None = None,
        progress: Callable[[ReindexProgress], None] | None = None,
        rate: float | None = None,
        discard: bool = False,
        anew: bool = False,
    ) -> int:
        """Embed everything with another embedder, while searches go on with the old vectors, then switch to the new.

        What a run has done is kept when it fails or is killed, and the next one goes on from there. After the switch
        this memory searches and writes with the new embedder. docs/moving.md tells what other processes do.

        Args:
            embedder: The new one; None: this memory's own. It embeds what has no vector of it yet.
            progress: Called after each batch.
            rate: At most so many texts a second.
            discard: Drop what an unfinished run with yet another embedder has done.
            anew: Embed also what has a vector of this embedder.

        Returns:
            How many texts were embedded; 0 when all vectors were this embedder's already.

        Raises:
            Conflict: A run with another embedder is not finished, or another process began one meanwhile.
            EmbeddingFailed: The embedder failed, a remote one again and again.
        """
        from memoranda.reindex import reindex

        return await reindex(self._engine, embedder=embedder, progress=progress, rate=rate, discard=discard, anew=anew)

    async def index_status(self) -> IndexStatus:
        """How the vector index elsewhere stands (docs/qdrant.md)."""
        from memoranda.indexing import index_of

        return await index_of(self._engine).status()

    async def index_verify(
        self, *, vectors: bool = False, repair: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> IndexReport:
        """Compare the vector index elsewhere with the database, both ways.

        Args:
            vectors: Whether to compare the vectors too, and not only which rows there are and whose.
            repair: Whether to send what is missing or stale, and to delete what the database doesn't know.
            progress: Called as (rows looked at, rows in all) now and then.

        Raises:
            IndexFailed: It doesn't answer, or not as it should.
        """
        from memoranda.indexcheck import verify
        from memoranda.indexing import index_of

        return await verify(index_of(self._engine), vectors=vectors, repair=repair, progress=progress)

    async def index_rebuild(self, *, progress: Callable[[int, int], None] | None = None) -> int:
        """Drop what the vector index elsewhere holds of this database, and send everything anew; no text is embedded.

        Args:
            progress: Called as (changes sent, changes in all) now and then.

        Returns:
            How many rows were sent.

        Raises:
            IndexFailed: It doesn't answer, or not as it should. What was sent stays; call it again.
        """
        from memoranda.indexing import index_of

        return await index_of(self._engine).rebuild(progress)

    async def index_flush(self, *, progress: Callable[[int, int], None] | None = None) -> int:
        """Wait until the vector index elsewhere knows all that was stored so far. Answers how many changes were sent.

        Raises:
            IndexFailed: It doesn't answer, or not as it should.
        """
        from memoranda.indexing import index_of

        return await index_of(self._engine).catch_up(progress)

    async def index_drop(self) -> None:
        """Delete what the vector index elsewhere holds of this database, and note changes for it no more.

        Other processes that use it have to end first.

        Raises:
            IndexFailed: It doesn't answer, or not as it should.
        """
        from memoranda.indexing import index_of

        await index_of(self._engine).detach()

    async def backup(
        self, target: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
    ) -> BackupReport:
        """Copy an SQLite database while others read and write it, and check the copy: its pages and its audit chains.

        The copy is of one moment, readable by its owner only, and is there altogether or not at all.

        Args:
            target: A file that doesn't exist yet, or a folder, in which it is named after the database and the time.
            progress: Called as (pages copied, pages in all).

        Raises:
            InvalidInput: There is such a file already.
            StoreUnreadable: The copy is damaged, and so is the database; the copy was not kept.
            ConfigurationError: The database has tools of its own for this, which are named.
        """
        from memoranda.moving.snapshot import backup

        return await backup(self._engine, target, progress=progress)


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float('inf'):
        raise InvalidInput(f'{name}={shown(value)} is not a number of seconds: pass 0 or more, or None for no limit')
    return float(value)
