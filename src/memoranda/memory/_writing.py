"""What changes what is known: adding, correcting, deleting, undoing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from memoranda._telemetry import traced
from memoranda.checks import KEEP, Keep, Moments, as_moment, check_count, check_flag, check_text
from memoranda.errors import Conflict, MemoryNotFound, VersionMismatch
from memoranda.memory._base import BaseMemory
from memoranda.records import AddResult, Change, Edit, MemoryRecord, fact_hash, new_id, now
from memoranda.scope import Scope
from memoranda.stores.data import Commit, ErasureResult

if TYPE_CHECKING:
    from pydantic import BaseModel

    from memoranda.records import Trust
    from memoranda.write.preview import Preview

__all__ = ['Writing']


class Writing(BaseMemory):
    """Add, correct, delete, undo."""

    @traced('upsert_memory')
    async def add(
        self,
        messages: object,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool = True,
        kind: str | None = None,
        slot: str | None = None,
        value: str | None = None,
        level: Literal['user', 'run'] | None = None,
        tags: Sequence[str] = (),
        confidence: float | None = None,
        importance: float | None = None,
        pinned: bool = False,
        occurred_at: Moments = None,
        valid_from: Moments = None,
        valid_to: Moments = None,
        expires_at: Moments = None,
        instructions: str | None = None,
        background: bool = False,
        idempotency_key: str | None = None,
        batch_turns: int | None = None,
        trust: Trust | None = None,
        supersedes: str | None = None,
        corrects: str | None = None,
    ) -> AddResult:
        """Remember what was said.

        Messages are redacted and stored first; then facts are drawn from them and merged with what is known. Passing a
        conversation again (same `run_id`, or messages with timestamps) adds only what is new in it.

        Args:
            messages: Text; a dict with `role`, `content` and optionally `name`, `timestamp`, `metadata`; a list of
                these; or Pydantic AI messages.
            user_id: Whose memories.
            agent_id: The agent it was said to; alone, the agent's own memories.
            run_id: The conversation. `session_id` is the same.
            app_id: The application; alone, memories shared by it.
            session_id: See `run_id`.
            metadata: Your own JSON, kept with messages and facts, and filterable.
            infer: False stores each message of the user, and of a tool whose tier is given, as one fact, as given.
            kind: With `infer=False`: what sort of fact, `knowledge` by default.
            slot: With `infer=False`: its single-valued key; a new value supersedes the old.
            value: With `infer=False` and a slot: the bare value, such as `Lisbon` of "Lives in Lisbon".
            level: With `infer=False`: `'run'` keeps the fact to this conversation.
            tags: Words to find it by.
            confidence: With `infer=False`: 0..1.
            importance: With `infer=False`: 0..1.
            pinned: Always part of `context`.
            occurred_at: When it was said, unless a message tells itself; by default now.
            valid_from: With `infer=False`: since when it holds, by default since it was said.
            valid_to: With `infer=False`: until when.
            expires_at: When to stop recalling it.
            instructions: What extraction by a model shall regard in these messages; rules take no notice of it.
            background: Return as soon as the messages are stored; a worker reads them later. What is returned is a
                receipt: its `status` is `queued`, and `await receipt.wait()` tells what became of it.
            idempotency_key: A repeated call with this key and the same content does nothing and answers the same.
            batch_turns: With `background=True` and a run: read together with further adds of this conversation, once
                there are so many or none came for `batch_seconds` (a setting); by default the setting.
            trust: The best source tier of these messages, where their role promises too much: `'external'` for a
                document or web page, `'tool'` for what a tool returned. A message may have its own (docs/trust.md).
            supersedes: With `infer=False`: the id of a memory of the same scope that held until now, and whose place
                this takes. Where a better source said that one, this waits for a person.
            corrects: The same of a memory that was never true.

        Raises:
            InvalidInput: Something can't be used; nothing was stored.
            MemoryNotFound: What it takes the place of isn't in this scope; nothing was stored.
            Conflict: The idempotency key was used for something else.
            ProcessingFailed: The messages are stored, drawing facts from them failed and is tried again later.
        """
        from memoranda.write.intake import batch_of, queue_up, take_in
        from memoranda.write.options import job_options

        options = job_options(
            infer=infer,
            kind=kind,
            slot=slot,
            value=value,
            level=level,
            tags=tags,
            confidence=confidence,
            importance=importance,
            pinned=pinned,
            valid_from=valid_from,
            valid_to=valid_to,
            expires_at=expires_at,
            instructions=instructions,
            trust=trust,
            supersedes=supersedes,
            corrects=corrects,
            by=self._named(),
        )
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        if (replaced := supersedes or corrects) is not None:
            await self._owned(replaced, scope)
        batch = await batch_of(
            self._engine,
            messages,
            project=self._project,
            scope=scope,
            options=options,
            metadata=metadata,
            occurred_at=None if occurred_at is None else as_moment(occurred_at, 'occurred_at'),
            idempotency_key=idempotency_key,
            background=check_flag('background', background),
            batch_turns=None if batch_turns is None else check_count('batch_turns', batch_turns, 1, 1000),
            trust=trust,
        )
        if background:
            return await queue_up(self._engine, self._worker, self._background, batch)
        if batch is not None:
            await self._background.spool.settle(batch.owner)
        return await take_in(self._engine, self._worker, batch)

    async def preview(
        self,
        messages: object,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool = True,
        kind: str | None = None,
        slot: str | None = None,
        occurred_at: Moments = None,
        valid_from: Moments = None,
        valid_to: Moments = None,
        expires_at: Moments = None,
        instructions: str | None = None,
        trust: Trust | None = None,
    ) -> Preview:
        """What `add` would do with these messages. Nothing is written; a model, if there is one, is asked.

        `apply` does then what the preview shows, without asking the model again. Arguments are those of `add`.

        Raises:
            InvalidInput: Something can't be used.
            Conflict: Memories were changed while the preview was made.
        """
        from memoranda.write.intake import batch_of
        from memoranda.write.options import job_options
        from memoranda.write.preview import preview

        options = job_options(
            infer=infer,
            kind=kind,
            slot=slot,
            value=None,
            level=None,
            tags=(),
            confidence=None,
            importance=None,
            pinned=False,
            valid_from=valid_from,
            valid_to=valid_to,
            expires_at=expires_at,
            instructions=instructions,
            trust=trust,
        )
        batch = await batch_of(
            self._engine,
            messages,
            project=self._project,
            scope=self._scope(user_id, agent_id, run_id, app_id, session_id),
            options=options,
            metadata=metadata,
            occurred_at=None if occurred_at is None else as_moment(occurred_at, 'occurred_at'),
            trust=trust,
        )
        found = await preview(self._engine, self._worker, batch)
        await self._note_read('preview', [edit.before for edit in found.changes])
        return found

    @traced('upsert_memory')
    async def apply(self, preview: Preview) -> AddResult:
        """Do what a preview of this memory showed.

        Raises:
            InvalidScope: It was made in another project or scope.
            Conflict: Something was written for the same owner since: nothing was stored, preview again.
        """
        from memoranda.write.preview import apply

        return await apply(
            self._engine, self._worker, preview, project=self._project, bound=self._bound, by=self._named()
        )

    @traced('update_memory')
    async def update(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        kind: str | None = None,
        slot: str | Keep | None = KEEP,
        value: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        importance: float | None = None,
        pinned: bool | None = None,
        locked: bool | None = None,
        expires_at: Moments | Keep = KEEP,
        said_at: Moments = None,
        if_version: int | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord:
        """Correct a memory by hand. What is left out stays; the version before remains in its history.

        New words lock the memory: extraction never overwrites what a person has written (`locked=False` allows it).
        `said_at` corrects when it was said; where that was taken for the day it began to hold, that moves along.
        With `if_version` it is corrected only if that is still its version.

        Raises:
            InvalidInput: Something can't be used.
            MemoryNotFound: It isn't in this scope, or isn't active.
            VersionMismatch: It has another version.
            Conflict: Another current memory already says this or holds this slot.
        """
        from memoranda.write.edits import edited

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        settings = self._engine.settings
        while True:
            before = _of_version(await self._active(memory_id, scope), if_version)
            fields = await self._engine.compute(
                partial(
                    edited,
                    before,
                    settings,
                    policy=self._engine.policy,
                    text=text,
                    kind=kind,
                    slot=before.slot if isinstance(slot, Keep) else slot,
                    value=value,
                    metadata=metadata,
                    tags=tags,
                    importance=importance,
                    pinned=pinned,
                    locked=locked,
                    expires_at=before.expires_at if isinstance(expires_at, Keep) else expires_at,
                    said_at=said_at,
                )
            )
            if fields == before:
                return before
            saved = await self._edit('update', before, fields, reason='edited')
            if saved is not None:
                return saved

    @traced('delete_memory')
    async def delete(
        self,
        memory_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        linked: bool = False,
        if_version: int | None = None,
    ) -> int:
        """Retract a memory: it is no longer recalled, its words stay in its history. `delete_all` erases.

        Args:
            memory_id: Which.
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            linked: Those it superseded too, and those that they did: then the past holds none of them either.
            if_version: Retract it only if this is still its version.

        Returns:
            How many were retracted.

        Raises:
            MemoryNotFound: It isn't in this scope, or isn't active.
            VersionMismatch: It has another version.
        """
        check_flag('linked', linked)
        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        before = _of_version(await self._active(memory_id, scope), if_version)
        while await self._retracted(before) is None:
            before = _of_version(await self._active(memory_id, scope), if_version)
        count = 1
        while linked and before.supersedes is not None:
            older = await self._engine.store.get(before.supersedes, project=self._project)
            if older is None or older.status != 'superseded':
                break
            if await self._retracted(older) is not None:
                before, count = older, count + 1
        return count

    @traced('delete_memory')
    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ErasureResult:
        """Erase messages, memories with all versions, history texts, vectors and index entries of a scope.

        With one id everything of that owner goes; further ids narrow it to what was said under them (a run of a user).
        Nothing of the words stays in the files once the result says `verified`.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        erasure = replace(scope.erasure(self._project), actor=self._actor or 'user')
        async with self._background.spool.erasing(erasure):
            result = await self._engine.store.erase(erasure)
        self._worker.forget()
        self._engine.forget()
        return result

    async def revert(
        self,
        change_id: str,
        *,
        cascade: bool = False,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Change:
        """Undo a change by one that takes it back: what it added is retracted, what it altered is as it was before.

        Nothing of the past is lost: `known_at` in between still answers what was believed then. A revert is a change
        too, and can be reverted.

        Args:
            change_id: `change_id` of a memory, or `id` of what `changes` lists.
            cascade: Take back later changes that depend on it too, all in one.
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.

        Raises:
            MemoryNotFound: No such change in this scope.
            Conflict: Later changes depend on it, which are named; or what it touched was erased.
        """
        from memoranda.write.revert import revert

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return await revert(
            self._engine,
            check_text('change_id', change_id, 256),
            project=self._project,
            reaches=None if scope is None else scope.reaches(self._project),
            cascade=check_flag('cascade', cascade),
            actor=self._actor or 'user',
        )

    def register_profile(self, model: type[BaseModel]) -> None:
        """Let extraction know the slots of a model from now on, in this process, so that it fills them.

        Raises:
            InvalidInput: A field that can't be filled from text, or a slot that a registered model declares otherwise.
        """
        from memoranda.profile import register

        register(self._engine, model)

    async def _retracted(self, before: MemoryRecord) -> MemoryRecord | None:
        fields = replace(before, status='retracted', valid_to=None)
        return await self._edit('retract', before, fields, reason='deleted')

    async def _edit(
        self, op: Literal['update', 'retract'], before: MemoryRecord, fields: MemoryRecord, *, reason: str
    ) -> MemoryRecord | None:
        """Write one edit; None when the memory changed meanwhile and should be read again."""
        at, change_id = now(), new_id()
        after = replace(
            fields,
            version=before.version + 1,
            recorded_at=at,
            actor=self._actor or 'user',
            change_id=change_id,
            hash=await self._engine.compute(lambda: fact_hash(fields.text, fields.slot)),
        )
        edit = Edit(op=op, before=before, after=after)
        # New words need a vector; everything else can be changed without the embedder that made the others.
        generation = await self._engine.ensure_generation() if fields.text != before.text else None
        commit = Commit(
            owner=before.scope.home(self._project),
            expect_version=None,
            change=Change(id=change_id, edits=(edit,), actor=edit.after.actor, reason=self._because(reason), at=at),
            writes=await self._engine.writes((edit,), {}),
            generation=generation.id if generation else None,
        )
        try:
            await self._engine.store.commit(commit)
        except Conflict:
            latest = await self._engine.store.get(before.id, project=self._project)
            if latest is None or latest.version == before.version:
                raise
            return None
        return after

    async def _active(self, memory_id: str, scope: Scope | None) -> MemoryRecord:
        found = await self._owned(memory_id, scope)
        if found.status == 'pending':
            raise MemoryNotFound(f'memory {memory_id!r} waits for a person: decide over it by memory.review')
        if found.status != 'active':
            raise MemoryNotFound(f'memory {memory_id!r} is {found.status}: only an active one can be changed')
        return found


def _of_version(memory: MemoryRecord, version: object) -> MemoryRecord:
    if version is None or memory.version == check_count('if_version', version, 1, 1 << 62):
        return memory
    raise VersionMismatch(
        f'memory {memory.id} has version {memory.version} and not {version}: read it again, and decide anew'
    )
