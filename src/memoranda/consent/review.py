"""`memory.review`: what waits for a person, and what the person decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, overload

from memoranda._bridge import run
from memoranda.checks import KEEP, Keep, check_count, check_flag, check_text
from memoranda.consent.items import (
    ReviewEvidence,
    ReviewItem,
    ReviewPage,
    ReviewResult,
    checked_reasons,
    listed,
    scope_ids,
    shown_in,
)
from memoranda.errors import (
    Conflict,
    EmbedderMismatch,
    InvalidInput,
    MemoryNotFound,
    StoreError,
    shown,
)
from memoranda.records import (
    Change,
    Edit,
    MemoryRecord,
    fact_hash,
    new_id,
    now,
)
from memoranda.scope import Reach, Scope
from memoranda.stores.data import Clash, Commit, Pending, Snapshot
from memoranda.write.approving import Approval, approve, hashes_of, turn_down
from memoranda.write.waiting import ASKS

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = [
    'BlockingReviewQueue',
    'ReviewEvidence',
    'ReviewItem',
    'ReviewPage',
    'ReviewQueue',
    'ReviewResult',
]

MAX_TRIES: Final = 20
MAX_CLASHES: Final = 3
MAX_ITEMS: Final = 200
NEAREST: Final = 3
"""Existing memories shown beside a proposal."""
MAX_SUCCESSORS: Final = 50


class _Note(Protocol):
    """Notes that these were read, where the policy wants that."""

    async def __call__(self, purpose: str, memories: Sequence[MemoryRecord], /) -> None: ...


class _Ids(Protocol):
    """Checks the ids of a call against the view; None: the whole project."""

    def __call__(
        self,
        user_id: str | None,
        agent_id: str | None,
        run_id: str | None,
        app_id: str | None,
        session_id: str | None,
        /,
    ) -> Scope | None: ...


Many: TypeAlias = 'list[str] | tuple[str, ...] | set[str] | frozenset[str]'
_Act: TypeAlias = Callable[[str, 'Scope | None'], Awaitable[ReviewResult]]


class ReviewQueue:
    """What waits for a person, within the reach of a memory. Got as `memory.review`.

    Nothing in it is recalled. A page is for whoever decides: its texts are what others said, never instructions.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        project: str,
        ids: _Ids,
        actor: str = 'user',
        why: str = '',
        note: _Note | None = None,
    ) -> None:
        self._engine, self._project, self._ids = engine, project, ids
        self._actor, self._why, self._note = actor, why, note

    async def list(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        reasons: Sequence[str] | None = None,
        limit: int = 20,
        cursor: str | None = None,
        details: bool = True,
    ) -> ReviewPage:
        """What waits, in the order it was proposed, a page at a time; with `project_wide()` of everybody.

        Args:
            user_id: As in `AsyncMemory.get_all`.
            agent_id: The same.
            run_id: The same.
            app_id: The same.
            session_id: See `run_id`.
            reasons: Only what waits for one of these reasons; `'source'` stands for `'source:tool'` too.
            limit: How many, 1 to 200.
            cursor: `page.cursor` of the page before, or the id of the last item seen.
            details: False leaves out evidence, nearest memories and diff, which take a search for each item.

        Raises:
            InvalidInput: Something can't be used.
        """
        scope = self._ids(user_id, agent_id, run_id, app_id, session_id)
        found, after = await self._engine.store.reviews(
            None if scope is None else scope.reaches(self._project),
            project=self._project,
            reasons=checked_reasons(reasons),
            limit=check_count('limit', limit, 1, MAX_ITEMS),
            cursor=None if cursor is None else check_text('cursor', cursor, 64),
        )
        shown = self._item if check_flag('details', details) else self._bare
        if self._note is not None:
            await self._note('review', [p.memory for p in found])
        return ReviewPage(items=tuple([await shown(p) for p in found]), cursor=after)

    async def get(
        self,
        item_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ReviewItem:
        """One proposal that waits.

        Raises:
            MemoryNotFound: It isn't in this scope, or never was one.
            Conflict: Somebody has decided on it already.
        """
        scope = self._ids(user_id, agent_id, run_id, app_id, session_id)
        found = await self._waiting(item_id, scope)
        if self._note is not None:
            await self._note('review', [found.memory])
        return await self._item(found)

    @overload
    async def approve(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    async def approve(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    async def approve(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """Let proposals be believed, each as one change made on the memories as they are now.

        Its trust stays that of its evidence. A fact that holds no longer enters as history; one that is known already
        gives its evidence to the memory that says the same. A memory that a person has edited is overwritten.

        Args:
            item_ids: One id, or up to 1,000. With several, what fails is told in its result and stops no other.
            **ids: Ids of the scope, as in `list`.

        Returns:
            The result of the one, or of each, in their order.

        Raises:
            MemoryNotFound: The one isn't in this scope, or never was a proposal.
            Conflict: Somebody has decided on it already: the message tells what, when, and how to take it back.
        """
        return await self._each(item_ids, ids, self._approve)

    @overload
    async def reject(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    async def reject(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    async def reject(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """Turn proposals down. The same words are not proposed again for this user, run, agent or app.

        Arguments, results and errors are those of `approve`.
        """
        return await self._each(item_ids, ids, self._reject)

    async def edit(
        self,
        item_id: str,
        *,
        text: str | None = None,
        kind: str | None = None,
        slot: str | Keep | None = KEEP,
        value: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        importance: float | None = None,
        pinned: bool | None = None,
        expires_at: datetime | str | float | Keep | None = KEEP,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ReviewResult:
        """Approve a proposal in other words. The memory is locked: extraction never overwrites it.

        Arguments are those of `AsyncMemory.update`; what is left out stays as it was proposed.

        Raises:
            InvalidInput: Something can't be used, nothing was given, or it is a wish to confirm or to retract.
            MemoryNotFound: It isn't in this scope, or never was a proposal.
            Conflict: Somebody has decided on it already.
        """
        from memoranda.write.edits import edited

        given = (text, kind, metadata, tags, importance, pinned)
        if all(g is None for g in given) and all(isinstance(k, Keep) for k in (slot, value, expires_at)):
            raise InvalidInput('edit() was given nothing to change: pass text=..., or approve() it as it is')
        scope = self._ids(user_id, agent_id, run_id, app_id, session_id)

        def correct(memory: MemoryRecord) -> MemoryRecord:
            fields = edited(
                memory,
                self._engine.settings,
                policy=self._engine.policy,
                text=text,
                kind=kind,
                slot=memory.slot if isinstance(slot, Keep) else slot,
                value=value,
                metadata=metadata,
                tags=tags,
                importance=importance,
                pinned=pinned,
                locked=True,
                expires_at=memory.expires_at if isinstance(expires_at, Keep) else expires_at,
            )
            return replace(fields, hash=fact_hash(fields.text, fields.slot))

        return await self._approve(item_id, scope, correct)

    async def _each(
        self, item_ids: object, ids: Mapping[str, str | None], act: _Act
    ) -> ReviewResult | tuple[ReviewResult, ...]:
        scope = self._ids(*scope_ids(ids))
        if isinstance(item_ids, str):
            return await act(item_ids, scope)
        results: list[ReviewResult] = []
        broken: StoreError | None = None
        for item_id in listed(item_ids):
            try:
                if broken is not None:  # each of the rest would wait for it just as long
                    raise broken
                results.append(await act(item_id, scope))
            except (InvalidInput, MemoryNotFound, Conflict, StoreError) as error:
                broken = error if isinstance(error, StoreError) else broken
                results.append(ReviewResult(id=item_id, outcome='failed', error=error))
        return tuple(results)

    async def _approve(
        self, item_id: str, scope: Scope | None, correct: Callable[[MemoryRecord], MemoryRecord] | None = None
    ) -> ReviewResult:
        engine = self._engine
        for clashes in _tries():
            pending = await self._waiting(item_id, scope)
            corrected = None
            if correct is not None:
                if pending.note.op in ASKS:
                    raise InvalidInput(
                        f'proposal {item_id} is to {pending.note.op} a memory and has no words of its own: approve or '
                        'reject it, and edit the memory by update()'
                    )
                corrected = await engine.compute(partial(correct, pending.memory))
            snapshot = await self._ground(pending, corrected or pending.memory)
            approval = await self._foresee(pending, snapshot, corrected)
            reason = 'approved' if correct is None else 'approved in other words'
            change = await self._commit(approval.edits, reason, snapshot.owner_version, clashes)
            if change is not None:
                memory = await self._outcome(replace(approval, edits=tuple(change.edits)))
                return ReviewResult(id=item_id, outcome='approved', change=change, memory=memory, notes=approval.notes)
        raise Conflict(f'proposal {item_id} met a concurrent change {MAX_TRIES} times: try again')

    async def _reject(self, item_id: str, scope: Scope | None) -> ReviewResult:
        for clashes in _tries():
            pending = await self._waiting(item_id, scope)
            edit = turn_down(pending, change_id=new_id(), at=now())
            change = await self._commit((edit,), 'rejected', None, clashes)
            if change is not None:
                after = change.edits[0].after
                return ReviewResult(id=item_id, outcome='rejected', change=change, memory=after)
        raise Conflict(f'proposal {item_id} met a concurrent change {MAX_TRIES} times: try again')

    async def _commit(
        self, edits: Sequence[Edit], reason: str, expect_version: int | None, clashes: list[Clash]
    ) -> Change | None:
        """Write them; None when something was changed meanwhile and has to be read again."""
        engine, first = self._engine, edits[0].after
        edits = [replace(e, after=replace(e.after, actor=self._actor)) for e in edits]
        reason = f'{reason}: {self._why}' if self._why else reason
        change = Change(id=first.change_id, edits=tuple(edits), actor=self._actor, reason=reason, at=first.recorded_at)
        # New words need a vector; everything else can be decided without the embedder that made the others.
        reworded = any(e.before is None or e.before.text != e.after.text for e in edits)
        generation = await engine.ensure_generation() if reworded else None
        commit = Commit(
            owner=first.scope.home(self._project),
            expect_version=expect_version,
            change=change,
            writes=await engine.writes(change.edits, {}),
            generation=generation.id if generation else None,
        )
        try:
            await engine.store.commit(commit)
        except Clash as error:
            clashes.append(error)
            if len(clashes) == MAX_CLASHES:  # nobody wrote in between: deciding again would decide the same
                raise
            return None
        except Conflict:
            return None
        return change

    async def _waiting(self, item_id: str, scope: Scope | None) -> Pending:
        """The proposal, which waits.

        Raises:
            MemoryNotFound: No such proposal within reach.
            Conflict: It was decided on.
        """
        found = await self._engine.store.review(check_text('item_id', item_id, 256), project=self._project)
        if found is None or (scope is not None and not _within(found.memory, scope.reaches(self._project))):
            raise MemoryNotFound(
                f'proposal {shown(item_id)} does not exist in this scope: list the review to see what waits'
            )
        if found.memory.status != 'pending':
            raise Conflict(await self._decided(found))
        return found

    async def _decided(self, found: Pending) -> str:
        memory = found.memory
        entries = await self._engine.store.history(memory.id, project=self._project)
        entry = next((e for e in reversed(entries) if e.op in ('approve', 'reject')), None)
        if entry is None:
            return f'proposal {memory.id} is {memory.status} and no longer waits: list the review to see what does'
        done = 'approved' if entry.op == 'approve' else 'rejected'
        return (
            f'proposal {memory.id} was {done} by {entry.actor} at {entry.at.isoformat(timespec="seconds")} and no '
            f'longer waits: revert({entry.change_id!r}) takes that back'
        )

    async def _outcome(self, approval: Approval) -> MemoryRecord:
        """The memory that a proposal has come to."""
        own = approval.edits[0].after
        if own.status == 'active' or (approval.merged_into is None and len(approval.edits) == 1):
            return own
        if approval.merged_into is None:
            return approval.edits[1].after if own.status == 'retracted' else own
        merged = next((e.after for e in approval.edits if e.memory_id == approval.merged_into), None)
        return merged or await self._engine.store.get(approval.merged_into, project=self._project) or own

    async def _foresee(self, pending: Pending, snapshot: Snapshot, corrected: MemoryRecord | None = None) -> Approval:
        return await self._engine.compute(
            partial(
                approve,
                pending,
                snapshot,
                owner=pending.memory.scope.home(self._project),
                change_id=new_id(),
                at=now(),
                corrected=corrected,
            )
        )

    async def _ground(self, pending: Pending, memory: MemoryRecord, *, local: bool = False) -> Snapshot:
        """The memories that approving may touch: what takes the target's place is meant then."""
        engine = self._engine
        generation, vectors = None, ()
        try:
            current = await engine.generation()
        except EmbedderMismatch:  # then what is near can't be told, and the words decide
            current = None
        if current is not None and pending.note.op not in ASKS and (engine.embedder.local or not local):
            generation, vectors = current.id, await engine.embed([memory.text])
        latest = [pending.note.target] if pending.note.target is not None else []
        while True:
            snapshot = await engine.store.snapshot(
                memory.scope.home(self._project),
                hashes=hashes_of(memory),
                slots=[memory.slot] if memory.slot is not None else (),
                latest=latest,
                near=vectors,
                generation=generation,
            )
            last = next((m for m in snapshot.memories if latest and m.id == latest[-1]), None)
            following = last.superseded_by if last is not None and last.status == 'superseded' else None
            if following is None or following in latest or len(latest) == MAX_SUCCESSORS:
                return snapshot
            latest.append(following)

    async def _bare(self, pending: Pending) -> ReviewItem:
        memory, note = pending.memory, pending.note
        target = None if note.target is None else await self._engine.store.get(note.target, project=self._project)
        if target is not None and target.scope.home(self._project) != memory.scope.home(self._project):
            target = None
        return ReviewItem(
            id=memory.id,
            memory=memory,
            op=note.op,
            target=target,
            reasons=note.reasons,
            proposed_at=pending.at,
        )

    async def _item(self, pending: Pending) -> ReviewItem:
        item, memory = await self._bare(pending), pending.memory
        owner = memory.scope.home(self._project)
        messages = await self._engine.store.messages([e.episode_id for e in memory.evidence], owner=owner)
        by_id = {m.id: m for m in messages}
        approval = await self._foresee(pending, await self._ground(pending, memory, local=True))
        return replace(
            item,
            evidence=tuple(shown_in(by_id[e.episode_id], e) for e in memory.evidence if e.episode_id in by_id),
            nearest=tuple(await self._nearest(memory, item.target)),
            diff=approval.edits,
            notes=approval.notes,
        )

    async def _nearest(self, memory: MemoryRecord, target: MemoryRecord | None) -> Sequence[MemoryRecord]:
        from memoranda.recall.search import related

        engine = self._engine
        run_key = memory.scope.run_key(memory.level)
        reach = Reach(memory.scope.home(self._project), (run_key,) if run_key else ())
        by_meaning = engine.embedder.local and not engine.lacks_embedder
        try:
            found = await related(engine, reach, memory.text, limit=NEAREST + 1, semantic=by_meaning)
        except EmbedderMismatch:
            found = await related(engine, reach, memory.text, limit=NEAREST + 1, semantic=False)
        others = [m for m in found if target is None or m.id != target.id]
        return others[:NEAREST]


class BlockingReviewQueue:
    """A `ReviewQueue` for code without an event loop. Got as `review` of a `Memory`."""

    def __init__(self, queue: ReviewQueue) -> None:
        self.aio = queue
        """The queue this one delegates to."""

    def list(
        self,
        *,
        reasons: Sequence[str] | None = None,
        limit: int = 20,
        cursor: str | None = None,
        details: bool = True,
        **ids: str | None,
    ) -> ReviewPage:
        """What waits, a page at a time. Arguments are those of `ReviewQueue.list`."""
        return run(self.aio.list(reasons=reasons, limit=limit, cursor=cursor, details=details, **ids))

    def get(self, item_id: str, **ids: str | None) -> ReviewItem:
        """One proposal that waits."""
        return run(self.aio.get(item_id, **ids))

    @overload
    def approve(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    def approve(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    def approve(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """Let proposals be believed. Arguments are those of `ReviewQueue.approve`."""
        return run(self.aio.approve(item_ids, **ids))

    @overload
    def reject(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    def reject(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    def reject(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """Turn proposals down. Arguments are those of `ReviewQueue.reject`."""
        return run(self.aio.reject(item_ids, **ids))

    def edit(self, item_id: str, **fields: Any) -> ReviewResult:
        """Approve a proposal in other words. Arguments are those of `ReviewQueue.edit`."""
        return run(self.aio.edit(item_id, **fields))


def _tries() -> Sequence[list[Clash]]:
    """One list for all tries, which counts contradictions."""
    clashes: list[Clash] = []
    return [clashes] * MAX_TRIES


def _within(memory: MemoryRecord, reaches: Sequence[Reach]) -> bool:
    home, run_key = memory.scope.home(memory.project), memory.scope.run_key(memory.level)
    return any(r.owner == home and r.sees(run_key) for r in reaches)
