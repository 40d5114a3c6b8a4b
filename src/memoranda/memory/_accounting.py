"""Giving account: what is held on somebody, as a document that can be imported, and the audit chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from memoranda.checks import check_count, check_cursor, check_flag
from memoranda.errors import InvalidScope
from memoranda.memory._base import BaseMemory
from memoranda.scope import Owner, Reach

if TYPE_CHECKING:
    from memoranda.consent.audit import AuditPage, Checkpoint, ReadPage, Verification
    from memoranda.stores.portable import Holdings
    from memoranda.subject import Document, ImportReport, SubjectExport

__all__ = ['Accounting']


class Accounting(BaseMemory):
    """Export, import, audit."""

    async def holdings(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Holdings:
        """How much is held on one subject: what `export` would give, and `forget` would erase, in figures.

        One id says whose; `scoped(Scope.GLOBAL)` counts what a project shares.

        Raises:
            InvalidScope: More than one id.
        """
        from memoranda.subject.export import check_subject

        scope = check_subject(self._scope(user_id, agent_id, run_id, app_id, session_id))
        return await self._engine.store.holdings(scope.home(self._project))

    async def export(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> SubjectExport:
        """Everything held on one subject, of one snapshot: to be written as JSON (`save`, `async for`) or Markdown.

        One id says whose; `scoped(Scope.GLOBAL)` exports what a project shares. docs/export.md describes the document.

        Raises:
            InvalidScope: More than one id.
        """
        from memoranda.subject import export_subject

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        exported = await export_subject(self._engine, scope, project=self._project)
        if self._engine.reads is not None:
            from memoranda.consent.readlog import Reader

            reader = Reader(self._actor or 'caller', self._why)
            await self._engine.reads.note_everything(reader, 'export', scope.home(self._project))
        return exported

    async def import_subject(
        self,
        document: Document,
        *,
        restore: bool = False,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        """Write everything that an exported document holds on its subject, with all ids, dates and history; or nothing.

        A subject that holds nothing yet gets it all at once; an import of what is there already does nothing.

        Args:
            document: A path, the bytes of a document, its JSON as a dict, or what `export` returned.
            restore: Import it although its subject was forgotten since. This is audited.
            dry_run: Only check it, and tell what would become of it.
            progress: Called as (items done, items in all).

        Raises:
            ImportProblem: It is damaged, edited or of a newer version: the first thing that doesn't fit.
            InvalidInput: It is of another project, or outside the scope of this view.
            Conflict: Something else is held on the subject, or it was forgotten meanwhile. Nothing was imported.
        """
        from memoranda.subject import import_subject

        report = await import_subject(
            self._engine,
            document,
            project=self._project,
            bound=self._bound,
            restore=check_flag('restore', restore),
            dry_run=check_flag('dry_run', dry_run),
            progress=progress,
            actor=self._actor or 'user',
        )
        self._worker.forget()
        self._background.notify()
        return report

    async def verify(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        all_projects: bool = False,
        anchor: Checkpoint | str | bytes | Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Verification:
        """Prove the audit chain of an owner, with `project_wide()` those of all owners of the project.

        Each entry is hashed anew, and the versions of memories are compared with the entries that made them. Others
        read and write meanwhile. Without an anchor nobody can tell that the latest entries were cut off, or that a
        whole chain was made anew (docs/audit.md).

        Args:
            user_id: Whose. A chain belongs to a whole owner: name one id.
            agent_id: See `user_id`.
            run_id: Of a conversation without a user.
            app_id: See `user_id`.
            session_id: See `run_id`.
            all_projects: Everybody in the storage, whatever the project: for whoever runs it.
            anchor: What `checkpoint` returned once, or its JSON: then also that nothing up to it was cut off or
                changed.
            progress: Called as (owners, entries) after each chain.

        Returns:
            What was counted, and the first break of each broken chain.

        Raises:
            InvalidInput: The anchor was altered, or is of another storage or project.
        """
        from memoranda.consent import audit

        owners, project = self._chains(user_id, agent_id, run_id, app_id, session_id, all_projects)
        return await audit.verify(self._engine, owners, project, anchor=anchor, progress=progress)

    async def checkpoint(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        all_projects: bool = False,
    ) -> Checkpoint:
        """How far the audit chains have come: an anchor for `verify`, to be kept elsewhere. It names nobody.

        Arguments are those of `verify`.
        """
        from memoranda.consent import audit

        owners, project = self._chains(user_id, agent_id, run_id, app_id, session_id, all_projects)
        return await audit.checkpoint(self._engine, owners, project)

    async def audit_log(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        all_projects: bool = False,
        words: bool = True,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> AuditPage:
        """The audit chains entry by entry, with their hashes, a page at a time. `str(entry)` is a line of JSON.

        Args:
            user_id: As in `verify`.
            agent_id: As in `verify`.
            run_id: As in `verify`.
            app_id: As in `verify`.
            session_id: As in `verify`.
            all_projects: As in `verify`.
            words: False leaves out what was remembered; the chain can be proved without it.
            limit: How many, 1 to 10,000.
            cursor: `page.cursor` of the page before.
        """
        from memoranda.consent import audit
        from memoranda.consent.readlog import Reader

        owners, project = self._chains(user_id, agent_id, run_id, app_id, session_id, all_projects)
        return await audit.audit_log(
            self._engine,
            owners,
            project,
            words=check_flag('words', words),
            limit=check_count('limit', limit, 1, 10_000),
            cursor=check_cursor(cursor),
            reader=Reader(self._actor or 'caller', self._why),
        )

    async def reads(
        self,
        memory_id: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> ReadPage:
        """Who read what, latest first, as far as the policy had it noted (`audit_reads`).

        Args:
            memory_id: Only reads of this memory.
            user_id: As in `verify`; with a memory id, as in `get`. With `project_wide()` none is needed.
            agent_id: See `user_id`.
            run_id: See `user_id`.
            app_id: See `user_id`.
            session_id: See `run_id`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.

        Raises:
            MemoryNotFound: It isn't in this scope.
        """
        from memoranda.consent import audit

        if memory_id is not None:
            owned = await self._owned(memory_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))
            owners = [owned.scope.home(self._project)]
        else:
            owners, _ = self._chains(user_id, agent_id, run_id, app_id, session_id, False)
        return await audit.reads(
            self._engine,
            None if owners is None else [Reach(owner) for owner in owners],
            self._project,
            memory_id=memory_id,
            limit=check_count('limit', limit, 1, 1000),
            cursor=check_cursor(cursor),
        )

    def _chains(
        self,
        user_id: str | None,
        agent_id: str | None,
        run_id: str | None,
        app_id: str | None,
        session_id: str | None,
        all_projects: object,
    ) -> tuple[list[Owner] | None, str | None]:
        """Whose audit chains are meant: an owner's, those of the project, or (None, None) everybody's."""
        if check_flag('all_projects', all_projects):
            if self._bound is not None or (user_id, agent_id, run_id, app_id, session_id) != (None,) * 5:
                raise InvalidScope('all_projects=True is about everybody: leave out the ids, and use an unbound memory')
            return None, None
        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        if scope is None:
            return None, self._project
        erasure = scope.erasure(self._project)
        if not erasure.whole:
            raise InvalidScope(
                f'an audit chain is of a whole {erasure.owner.kind}, not of a part of what was told: '
                f'pass {erasure.owner.kind}_id alone, on a memory that is not bound to more'
            )
        return [erasure.owner], self._project
