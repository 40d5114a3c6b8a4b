"""What is to be known no longer: erasing, tidying, letting expire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from memoranda._telemetry import traced
from memoranda.checks import check_count, check_flag, check_text
from memoranda.errors import InvalidScope
from memoranda.memory._base import BaseMemory
from memoranda.records import MemoryRecord
from memoranda.scope import Owner

if TYPE_CHECKING:
    from memoranda.consent.forgetting import ErasureReceipt, ErasureReport
    from memoranda.filters import Filter
    from memoranda.write.cleaning import CleanResult
    from memoranda.write.retention import RetentionResult

__all__ = ['Erasing']


class Erasing(BaseMemory):
    """Erase, tidy, let expire."""

    @traced('delete_memory')
    async def forget(
        self,
        memory_id: str | None = None,
        *,
        episode_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        whole_project: bool = False,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ErasureReceipt:
        """Erase for good, and get a receipt for it (docs/erasure.md).

        With ids alone it is `delete_all`, and what was said before is refused from then on: an import, or an agent that
        sends old turns again, brings nothing back. With `project_wide()`, a run, an agent or an app is forgotten
        wherever in the project it turns up.

        Args:
            memory_id: Only this memory, with the messages that it rests on.
            episode_id: Only this message, with what was drawn from it alone.
            filters: Only the memories that match, as `get_all(filters=..., include_inactive=True)` lists them, with the
                messages that they rest on; and the messages that match, if the filter asks only for what messages have.
            whole_project: Everything of a project: for `project_wide().forget(whole_project=True)`.
            user_id: Whose.
            agent_id: Alone, the agent's own; with a user, what the user said to it.
            run_id: Alone, a conversation without a user; with a user, that conversation. `session_id` is the same.
            app_id: As `agent_id`.
            session_id: See `run_id`.

        Raises:
            InvalidInput: Nothing in particular is named, or several things are.
            MemoryNotFound: There is no such message or memory in this scope.
        """
        from memoranda.consent.forgetting import check_one, checked, forget

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        check_one(memory_id=memory_id, episode_id=episode_id, filters=filters, whole_project=whole_project or None)
        if memory_id is not None:
            scope = (await self._owned(memory_id, scope)).scope
        what = checked(
            project=self._project,
            scope=scope,
            wide=self._wide,
            memory_id=memory_id,
            episode_id=None if episode_id is None else check_text('episode_id', episode_id, 256),
            filters=filters,
            whole_project=check_flag('whole_project', whole_project),
        )
        what = replace(what, actor=self._actor or 'user')
        return await forget(self._engine, self._worker, self._background, what)

    async def finish_erasure(self) -> bool:
        """Go on with erasures that answered `pending`. True when nothing of them is left in the files."""
        return await self._engine.store.finish_scrub()

    async def verify_erasure(self, receipt: ErasureReceipt, *, texts: Sequence[str] = ()) -> ErasureReport:
        """Whether what a receipt of `forget` says still holds.

        Args:
            receipt: Of this database.
            texts: What must be gone, for a receipt holds no words. They are searched for in all tables and in the raw
                bytes of the files, also in upper and lower case: in everybody's data, so this is for who runs the
                database.

        Raises:
            InvalidScope: Texts, and this memory is bound to a scope: what others hold is not for it to know.
        """
        from memoranda.consent.forgetting import verify

        if texts and self._bound is not None:
            raise InvalidScope(
                f'texts are searched for in the data of everybody, and this memory is bound to {self._bound}: call '
                'verify_erasure() on the memory itself, or without texts'
            )

        return await verify(self._engine, receipt, texts)

    async def clean(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        expired: bool = True,
        filters: Mapping[str, Any] | Filter | None = None,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        max_confidence: float | None = None,
        kinds: Sequence[str] | None = None,
        merge_duplicates: bool = False,
        dry_run: bool = False,
    ) -> CleanResult:
        """Tidy the memories of a scope, as one change that `revert` undoes.

        Messages stay; pinned and locked memories are left alone. `docs/maintenance.md` tells what each option takes.

        Args:
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            expired: Give those past their `expires_at` the status `expired`.
            filters: Drop only what satisfies this.
            older_than: Drop what was last said longer ago than this.
            unused_for: Drop what was neither recalled nor written for so long.
            max_confidence: Drop what is at most so certain, 0..1.
            kinds: Drop only these kinds.
            merge_duplicates: Merge those that say the same into the best supported one.
            dry_run: Only tell what would be changed.

        Raises:
            InvalidInput: Something can't be used.
        """
        from memoranda.write.cleaning import CleanRequest, clean

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        request = CleanRequest.checked(
            expired=expired,
            filters=filters,
            older_than=older_than,
            unused_for=unused_for,
            max_confidence=max_confidence,
            kinds=kinds,
            merge_duplicates=merge_duplicates,
        )
        result = await clean(self._engine, self._home(scope), request, dry_run=dry_run, by=self._actor)
        await self._note_read('clean', self._seen(result))
        return result

    @staticmethod
    def _seen(result: CleanResult) -> list[MemoryRecord]:
        return [*(edit.after for edit in result.edits), *(one.memory for one in result.left)]

    async def retention_preview(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        sample: int = 20,
    ) -> RetentionResult:
        """What the policy's retention would take now. Nothing is changed.

        Args:
            user_id: Of this user only; so with the others, of which one may be named. Without any: of the project.
            agent_id: See `user_id`.
            run_id: See `user_id`.
            app_id: See `user_id`.
            session_id: See `run_id`.
            sample: How many examples of each to give, 0 to 1,000.
        """
        from memoranda.write.retention import retain

        owner = self._one_owner(user_id, agent_id, run_id, app_id, session_id)
        sample = check_count('sample', sample, 0, 1000)
        found = await retain(self._engine, owner, project=self._project, dry_run=True, sample=sample)
        await self._note_read('retention_preview', (*found.some_expired, *found.some_facts), found.some_messages)
        return found

    async def apply_retention(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> RetentionResult:
        """Apply the policy's retention now: old facts expire, which `revert` undoes, and old messages are erased.

        A worker does the same every `clean_every` hours (a setting), in all projects. Arguments are those of
        `retention_preview`.
        """
        from memoranda.write.retention import retain

        owner = self._one_owner(user_id, agent_id, run_id, app_id, session_id)
        result = await retain(self._engine, owner, project=self._project, by=self._actor)
        if result.messages:
            self._worker.forget()
        return result

    def _one_owner(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Owner | None:
        """Whom the ids name; None, everybody in the project, when none is given and this memory is bound to none."""
        if self._bound is None and (user_id, agent_id, run_id, app_id, session_id) == (None,) * 5:
            return None
        erasure = self._scope(user_id, agent_id, run_id, app_id, session_id).erasure(self._project)
        if not erasure.whole:
            raise InvalidScope('retention is about everything of a user, an agent, an app or a run: pass one id only')
        return erasure.owner

    async def reset(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        kinds: Sequence[str] | None = None,
        dry_run: bool = False,
    ) -> CleanResult:
        """Retract what is known of a user's tools and set-up, or all memories of some kinds, as one change.

        For when these changed altogether; the messages stay, and `revert` undoes it. Locked memories are left alone.

        Args:
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            kinds: All memories of these kinds, instead of what belongs to the workspace.
            dry_run: Only tell what would be changed.
        """
        from memoranda.write.cleaning import reset

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        result = await reset(self._engine, self._home(scope), kinds=kinds, dry_run=dry_run, by=self._actor)
        await self._note_read('reset', self._seen(result))
        return result
