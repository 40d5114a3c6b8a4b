"""`AsyncMemory`: remember, recall, correct, erase."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, get_args

from memoranda._degraded import open_store
from memoranda._telemetry import traced
from memoranda.checks import KEEP, Keep, as_moment, check_count, check_flag, check_slot, check_text
from memoranda.errors import (
    ConfigurationError,
    Conflict,
    InvalidInput,
    InvalidScope,
    MemoryNotFound,
    VersionMismatch,
    shown,
)
from memoranda.records import (
    AddResult,
    Change,
    ChangePage,
    ContextBlock,
    Edit,
    Episode,
    HistoryEntry,
    Hits,
    Job,
    JobPage,
    JobStatus,
    MemoryRecord,
    Page,
    fact_hash,
    new_id,
    now,
)
from memoranda.scope import Level, Owner, Reach, Scope, check_project, check_scope
from memoranda.stores.data import Commit, EpisodePage, ErasureResult, Moment, Stats

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic import BaseModel
    from pydantic_ai.models import Model

    from memoranda.assembly import Errors
    from memoranda.consent.audit import AuditPage, Checkpoint, ReadPage, Verification
    from memoranda.consent.forgetting import ErasureReceipt, ErasureReport
    from memoranda.consent.review import ReviewQueue
    from memoranda.embedders import Embedder
    from memoranda.engine import Engine
    from memoranda.filters import Filter
    from memoranda.indexcheck import IndexReport
    from memoranda.indexing import IndexStatus
    from memoranda.keys import KeyRing
    from memoranda.moving import BackupReport
    from memoranda.policy import Policy
    from memoranda.profile import Profile
    from memoranda.recall.search import Strategy
    from memoranda.records import Trust
    from memoranda.reindex import ReindexProgress
    from memoranda.settings import Settings
    from memoranda.stores.base import Store
    from memoranda.stores.index import VectorIndex
    from memoranda.stores.portable import Holdings
    from memoranda.subject import Document, ImportReport, SubjectExport
    from memoranda.write.cleaning import CleanResult
    from memoranda.write.extract import Extractor, PureExtractor
    from memoranda.write.preview import Preview
    from memoranda.write.retention import RetentionResult

__all__ = ['AsyncMemory']

Include: TypeAlias = Literal['memories', 'episodes']
Moments: TypeAlias = datetime | str | float | None
ModelT = TypeVar('ModelT', bound='BaseModel')
_LOADED_LATER = (
    'consent.forgetting',
    'consent.review',
    'recall.block',
    'recall.search',
    'reindex',
    'write.edits',
    'write.intake',
    'write.queue',
)

_CURSOR = re.compile(r'\d{1,19}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


class AsyncMemory:
    """A memory: facts drawn from conversations, kept true over time, recalled when they matter.

    Every operation names a scope (`user_id`, `run_id` or its alias `session_id`, `agent_id`, `app_id`) and never
    leaves it. Opens on first use; `async with` or `close()` ends it. May be shared by threads and event loops.

    Args:
        database: A path, `sqlite:///` and an absolute path, or `':memory:'`; by default `MEMORANDA_DATABASE`, else
            `memoranda.db` in the user's data directory.
        project: The tenant; by default the setting.
        model: A Pydantic AI model that draws facts from messages, its name (`'openai:gpt-4o-mini'`), or several of
            which the next is asked when one fails; by default `MEMORANDA_MODEL`, else rules, without a model.
        instructions: What the model shall regard in every extraction.
        kinds: Kinds of your own, each with a sentence that tells the model what belongs to it.
        embedder: A Pydantic AI embedding model or its name; by default the bundled one, which works offline.
        extractor: Draws facts from messages, in place of a model or the rules.
        settings: By default read from the environment and `memoranda.toml`.
        errors: `'degrade'` lets an agent go on when the storage or the embedder fails: `search` and `context` then
            find nothing or go by keywords, and a background `add` keeps its messages until they can be stored
            (docs/degraded.md). `'raise'` raises. By default the setting, which is `'degrade'`.
        policy: What may be remembered, what a person has to approve, what is kept for how long; by default what the
            settings say.
        index: A vector index elsewhere, or its address such as `qdrant://localhost:6333` (docs/qdrant.md); by default
            the setting, else the database compares vectors.

    Raises:
        ConfigurationError: A setting or argument that can't be used. Nothing is opened yet.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | None = None,
        *,
        project: str | None = None,
        model: Model | str | Sequence[Model | str] | None = None,
        instructions: str = '',
        kinds: Mapping[str, str] | None = None,
        embedder: Embedder | Any | None = None,
        extractor: Extractor | PureExtractor | None = None,
        settings: Settings | None = None,
        store: Store | None = None,
        errors: Errors | None = None,
        policy: Policy | None = None,
        index: VectorIndex | str | None = None,
    ) -> None:
        from memoranda.assembly import assemble

        self._engine, self._worker, self._background = assemble(
            database,
            model=model,
            instructions=instructions,
            kinds=kinds,
            embedder=embedder,
            extractor=extractor,
            settings=settings,
            store=store,
            errors=errors,
            policy=policy,
            index=index,
        )
        self._project = check_project(project if project is not None else self._engine.settings.project)
        self._bound: Scope | None = None
        self._wide = False
        self._actor: str | None = None
        self._why = ''

    def _view(self, *, project: str | None = None, bound: Scope | None = None, wide: bool = False) -> AsyncMemory:
        view = object.__new__(AsyncMemory)
        view._engine, view._worker, view._background = self._engine, self._worker, self._background
        view._project = project or self._project
        view._bound, view._wide = bound, wide
        view._actor, view._why = self._actor, self._why
        return view

    def in_project(self, project: str) -> AsyncMemory:
        """The same storage, another tenant. A view that is bound to a scope stays bound to it."""
        return self._view(project=check_project(project), bound=self._bound)

    def scoped(self, scope: Scope) -> AsyncMemory:
        """A view bound to a scope: its ids need not be passed, and no others are accepted."""
        return self._view(bound=check_scope(scope))

    def project_wide(self) -> AsyncMemory:
        """A view whose by-id operations (get, update, delete, history) need no scope: for whoever runs the project."""
        return self._view(wide=True)

    def acting_as(self, actor: str, *, reason: str = '') -> AsyncMemory:
        """The same view, on whose account its reads and edits are noted in the audit chain (docs/audit.md).

        Args:
            actor: Who it is, such as `support:jane`, 1 to 200 characters. Without it reads are the `caller`'s,
                and edits the `user`'s.
            reason: Why, such as `ticket 4711`. It is kept with the entry, so leave out what is to be forgotten one day.
        """
        view = self._view(bound=self._bound, wide=self._wide)
        view._actor = check_text('actor', actor, 200)
        if reason:
            from memoranda.write.detect import redact

            view._why = redact(check_text('reason', reason, 500), self._engine.policy)[0]
        else:
            view._why = ''
        return view

    @property
    def actor(self) -> str | None:
        """On whose account this view reads and edits; None when nobody was named."""
        return self._actor

    @property
    def location(self) -> str:
        """Where the memories are: an absolute path, or `':memory:'`."""
        return self._engine.location

    @property
    def project(self) -> str:
        """The tenant."""
        return self._project

    @property
    def review(self) -> ReviewQueue:
        """What waits for a person: list it, approve, edit or reject it (docs/review.md)."""
        from memoranda.consent.review import ReviewQueue

        return ReviewQueue(
            self._engine,
            project=self._project,
            ids=self._id_scope,
            actor=self._actor or 'user',
            why=self._why,
            note=self._note_read,
        )

    @property
    def keys(self) -> KeyRing:
        """The API keys of the project, by which a server knows who asks: make, list, rotate, revoke (docs/server.md).

        Raises:
            InvalidScope: This memory is bound to a scope, and keys are a matter of the project.
        """
        from memoranda.keys import KeyRing

        if self._bound is not None:
            raise InvalidScope('API keys belong to a project, and this memory is bound to a scope: use an unbound one')
        return KeyRing(self._engine, project=self._project, actor=self._actor or 'user', why=self._why)

    @property
    def bound_to(self) -> Scope | None:
        """The scope this view is bound to (see `scoped`); None: each call names its own."""
        return self._bound

    @property
    def engine(self) -> Engine:
        """What all views share: store, embedder, settings. For adapters; its methods may change between versions."""
        return self._engine

    @property
    def works(self) -> bool:
        """Whether workers of this process do jobs now: it was opened, and the setting `workers` isn't 0."""
        return self._background.works

    async def __aenter__(self) -> Self:
        try:
            await open_store(self._engine)
            await self._engine.compute(self._load)
            if self._engine.index is not None:
                await self._engine.index.start()
        except BaseException:
            if not self._background.entered:  # nobody will leave, and threads and connections would stay
                await self._engine.close()
            raise
        await self._background.enter()
        return self

    def _load(self) -> None:
        """Load what operations load on their first use: here no event loop waits for it, and no fork falls into it."""
        for name in _LOADED_LATER:
            importlib.import_module(f'memoranda.{name}')
        from memoranda.write.detect import prepare

        prepare(self._engine.policy)
        from memoranda.embedders.local import LocalEmbedder
        from memoranda.recall.block import count_tokens

        if self._engine.settings.workers:
            count_tokens(' ')  # which loads the vocabulary
        embedder = self._engine.embedder
        if self._engine.settings.workers and isinstance(embedder, LocalEmbedder):  # takes up to two seconds
            with contextlib.suppress(ConfigurationError):  # told by whatever needs it
                embedder.load()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever was interrupted wants to leave; nothing is lost, it is done after the next start.
        hasty = kind is not None and not issubclass(kind, Exception | SystemExit)
        if self._background.leave(all_=False):  # else others are still inside
            await self._close(0.0 if hasty else self._engine.settings.drain_seconds)

    async def close(self) -> None:
        """Finish what is under way and close the storage, for every view. A later call opens it again.

        Jobs get `drain_seconds` (a setting) to be done; the rest is done after the next start. Messages that could not
        be stored are tried once more; those that can't be even now are lost, and the log says how many.
        """
        self._background.leave(all_=True)
        await self._close(self._engine.settings.drain_seconds)

    async def _close(self, drain_seconds: float) -> None:
        try:
            await self._background.stop(drain_seconds)
        finally:
            try:
                await self._engine.close()
            finally:
                self._background.closed()
                self._background.spool.give_up()

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

    @traced('search_memory')
    async def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        top_k: int = 5,
        min_score: float = 0.0,
        strategy: Strategy = 'hybrid',
        include: Sequence[Include] = ('memories',),
        levels: Sequence[Level] | None = None,
        as_of: Moments = None,
        known_at: Moments = None,
        explain: bool = False,
    ) -> Hits:
        """The memories that answer a question, best first.

        With `errors='degrade'`, nothing when the storage fails, and what keywords find when the embedder does; then
        `degraded` of the result says so.

        Args:
            query: A question or some words, in any language.
            user_id: Whose memories: all of that user's, whatever the conversation.
            agent_id: Also the agent's own.
            run_id: Of this user's run-level facts, only this conversation's. `session_id` is the same.
            app_id: Also the application's.
            session_id: See `run_id`.
            filters: What a hit must satisfy, such as `{'kind': 'preference'}` (docs/filters.md).
            top_k: How many, 1 to 1,000.
            min_score: 0..1; weaker hits are left out.
            strategy: `'hybrid'`, `'semantic'`, `'keyword'`, or `'recency'` (the latest first).
            include: `'memories'` (facts), `'episodes'` (passages of messages), or both in one list.
            levels: Only memories of these levels.
            as_of: What held then instead of now.
            known_at: What was believed then instead of now.
            explain: Give every part of each score in `hit.why`.

        Raises:
            InvalidInput: Something can't be used.
            EmbedderMismatch: The file was made with another embedder.
            StoreError: The storage fails, and `errors='raise'`; or it is not one of ours.
        """
        from memoranda.recall.search import SearchRequest, answer

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        request = SearchRequest.checked(
            query=query,
            reaches=scope.reaches(self._project, levels=_levels(levels)),
            moment=_moment(as_of, known_at),
            include=include,
            top_k=top_k,
            strategy=strategy,
            filters=filters,
            min_score=min_score,
            explain=explain,
        )
        hits = await answer(self._engine, request)
        await self._note_read('search', [h.memory for h in hits], [h.episode for h in hits])
        return hits

    @traced('search_memory')
    async def context(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        max_tokens: int = 800,
        top_k: int = 12,
        filters: Mapping[str, Any] | Filter | None = None,
        include: Sequence[Include] = ('memories', 'episodes'),
        as_of: Moments = None,
        known_at: Moments = None,
        shared: bool = True,
    ) -> ContextBlock:
        """What an agent would be given for a question: standing instructions and profile, then what is relevant.

        Reads the user, this run, the agent, the app and the project's global memories; without a run, none of a run.
        The text is framed as data, dated, cited by short ids, and at most `max_tokens` long (50 or more, in o200k).
        Arguments are those of `search`; `shared=False` leaves out the project's global memories.
        """
        from memoranda.recall.block import build
        from memoranda.recall.search import SearchRequest

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        request = SearchRequest.checked(
            query=query,
            # What holds in one conversation is not for another: without a run, no run is meant.
            reaches=[
                replace(r, runs=()) if r.owner.kind == 'user' and scope.run_id is None else r
                for r in scope.reaches(self._project, shared=check_flag('shared', shared))
            ],
            moment=_moment(as_of, known_at),
            include=include,
            top_k=top_k,
            filters=filters,
        )
        block = await build(self._engine, request, max_tokens=check_count('max_tokens', max_tokens, 50, 1_000_000))
        given = [*block.standing, *(h.memory for h in block.relevant)]
        await self._note_read('context', given, [h.episode for h in block.relevant])
        return block

    async def get(
        self,
        memory_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord:
        """One memory as it is now, superseded ones too.

        Raises:
            MemoryNotFound: It isn't in this scope, or was deleted.
        """
        found = await self._owned(memory_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))
        if found.status == 'retracted' and found.valid_to is None:
            raise MemoryNotFound(f'memory {memory_id!r} was deleted: its history is still there, history() tells it')
        await self._note_read('get', [found])
        return found

    async def get_slot(
        self,
        slot: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord | None:
        """The current value of a slot, the most personal first (this run's before the user's); None when unknown."""
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found = await self._engine.store.by_slot(check_slot(slot), self._own_reaches(scope), now=now())
        await self._note_read('get_slot', found[:1])
        return found[0] if found else None

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
        levels: Sequence[Level] | None = None,
        include_inactive: bool = False,
        as_of: Moments = None,
        known_at: Moments = None,
    ) -> Page:
        """Memories in the order they were first recorded, a page at a time.

        Args:
            user_id: As in `search`.
            agent_id: As in `search`.
            run_id: As in `search`.
            app_id: As in `search`.
            session_id: As in `search`.
            filters: As in `search`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.
            levels: As in `search`.
            include_inactive: Superseded, retracted and expired ones too.
            as_of: As in `search`.
            known_at: As in `search`.
        """
        from memoranda.filters import parse

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found, after = await self._engine.store.page(
            scope.reaches(self._project, levels=_levels(levels)),
            where=parse(filters),
            moment=_moment(as_of, known_at),
            inactive=include_inactive,
            limit=check_count('limit', limit, 1, 1000),
            cursor=_cursor(cursor),
        )
        await self._note_read('get_all', found)
        return Page(items=tuple(found), cursor=after)

    async def episodes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> EpisodePage:
        """The verbatim messages, in the order they were recorded, a page at a time; of a run, those of that run."""
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        reaches = scope.reaches(self._project)
        if scope.user_id is not None and scope.run_id is not None:
            reaches = [replace(r, own=False) if r.owner.kind == 'user' else r for r in reaches]
        page = await self._engine.store.episodes(
            reaches, limit=check_count('limit', limit, 1, 1000), cursor=_cursor(cursor)
        )
        await self._note_read('episodes', (), page.items)
        return page

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

    async def history(
        self,
        memory_id: str | None = None,
        *,
        slot: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> list[HistoryEntry]:
        """What happened to a memory, or to everything a slot has held; oldest first.

        Args:
            memory_id: Which memory.
            slot: Instead of an id: all memories that ever were in this slot, within the scope.
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.

        Raises:
            InvalidInput: Neither an id nor a slot, or both.
            MemoryNotFound: It isn't in this scope.
        """
        if (memory_id is None) == (slot is None):
            raise InvalidInput('history() needs a memory_id or a slot, and one of them only')
        if memory_id is not None:
            owned = await self._owned(memory_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))
            told = list(await self._engine.store.history(memory_id, project=self._project))
            await self._note_read('history', [owned])
            return told
        from memoranda.filters import parse

        reaches = self._scope(user_id, agent_id, run_id, app_id, session_id).reaches(self._project)
        found = await self._engine.store.every(
            reaches, where=parse({'slot': check_slot(slot)}), moment=_moment(None, None), inactive=True
        )
        entries = [e for m in found for e in await self._engine.store.history(m.id, project=self._project)]
        await self._note_read('history', found)
        return sorted(entries, key=lambda e: (e.at, e.seq))

    async def changes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> ChangePage:
        """What was changed in a scope, latest first, a page at a time.

        Args:
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found, after = await self._engine.store.changes(
            scope.reaches(self._project), limit=check_count('limit', limit, 1, 1000), cursor=_cursor(cursor)
        )
        await self._note_read('changes', [e.after for change in found for e in change.edits])
        return ChangePage(items=tuple(found), cursor=after)

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

    async def profile(
        self,
        model: type[ModelT],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        as_of: Moments = None,
        known_at: Moments = None,
    ) -> Profile[ModelT]:
        """A Pydantic model of yours, filled from the memories of a scope.

        Each field is a slot: the one its metadata names (`Annotated[str, Slot('home.city')]`), else one that its name
        stands for (`city` is `home.city`), else `profile.<field>`. Values are validated by the model. What is missing,
        doesn't fit or is contradicted is reported and never guessed.

        Args:
            model: A `pydantic.BaseModel` class.
            user_id: As in `search`.
            agent_id: As in `search`.
            run_id: As in `search`; this run's values come before the user's. Without one, no run is read.
            app_id: As in `search`.
            session_id: See `run_id`.
            as_of: As in `search`.
            known_at: As in `search`.

        Raises:
            InvalidInput: A field that can't be filled from text.
        """
        from memoranda.profile import read_profile

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        profile = await read_profile(self._engine, model, self._own_reaches(scope), _moment(as_of, known_at))
        told = (*(m for f in profile.fields.values() for m in f.memories), *(v.memory for v in profile.invalid))
        await self._note_read('profile', (*told, *(m for found in profile.conflicts.values() for m in found)))
        return profile

    def register_profile(self, model: type[BaseModel]) -> None:
        """Let extraction know the slots of a model from now on, in this process, so that it fills them.

        Raises:
            InvalidInput: A field that can't be filled from text, or a slot that a registered model declares otherwise.
        """
        from memoranda.profile import register

        register(self._engine, model)

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
            cursor=_cursor(cursor),
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
            cursor=_cursor(cursor),
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
            cursor=_cursor(cursor),
        )

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

    async def finish_erasure(self) -> bool:
        """Go on with erasures that answered `pending`. True when nothing of them is left in the files."""
        return await self._engine.store.finish_scrub()

    def _scope(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Scope:
        if run_id is not None and session_id is not None and run_id != session_id:
            raise InvalidScope(f'run_id={run_id!r} and session_id={session_id!r} are the same thing: pass one')
        given = Scope(
            user_id=user_id, agent_id=agent_id, run_id=run_id if run_id is not None else session_id, app_id=app_id
        )
        if self._bound is None:
            if given.is_global:
                raise InvalidScope('no id was given: pass user_id=..., or use scoped(Scope.GLOBAL) for shared memories')
            return given
        for name in ('user_id', 'agent_id', 'run_id', 'app_id'):
            value: str | None = getattr(given, name)
            if value is not None and value != getattr(self._bound, name):
                raise InvalidScope(
                    f'{name}={value!r} is outside the scope this memory is bound to: leave it out, or use another view'
                )
        return self._bound

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

    async def _note_read(
        self, purpose: str, memories: Iterable[MemoryRecord | None], messages: Iterable[Episode | None] = ()
    ) -> None:
        if self._engine.reads is not None:
            from memoranda.consent.readlog import Reader

            await self._engine.reads.note(
                Reader(self._actor or 'caller', self._why),
                purpose,
                memories=(m for m in memories if m is not None),
                messages=(e for e in messages if e is not None),
            )

    @staticmethod
    def _seen(result: CleanResult) -> list[MemoryRecord]:
        return [*(edit.after for edit in result.edits), *(one.memory for one in result.left)]

    def _because(self, reason: str) -> str:
        return f'{reason}: {self._why}' if self._why else reason

    def _home(self, scope: Scope) -> list[Reach]:
        """What is said under a scope belongs there: of a user and an agent the user, never what the agent knows."""
        home = scope.home(self._project)
        return [r for r in scope.reaches(self._project) if r.owner == home]

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

    def _named(self) -> str | None:
        """On whose account facts are stored as given.

        Not on the `user`'s: what the user did by hand is believed wherever the words come from (`trust`), and an `add`
        is no such decision.
        """
        return None if self._actor == 'user' else self._actor

    def _own_reaches(self, scope: Scope) -> list[Reach]:
        """What a scope reads when a value is asked for: without a run, no run's."""
        reaches = scope.reaches(self._project)
        if scope.user_id is None or scope.run_id is not None:
            return reaches
        return [replace(r, runs=()) if r.owner.kind == 'user' else r for r in reaches]

    def _id_scope(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Scope | None:
        if self._wide and (user_id, agent_id, run_id, app_id, session_id) == (None,) * 5:
            return None
        return self._scope(user_id, agent_id, run_id, app_id, session_id)

    async def _owned(self, memory_id: str, scope: Scope | None) -> MemoryRecord:
        found = await self._engine.store.get(check_text('memory_id', memory_id, 256), project=self._project)
        if found is not None and (scope is None or _within(found, scope.reaches(self._project))):
            return found
        raise MemoryNotFound(f'memory {shown(memory_id)} does not exist in this scope: check the id and the scope')

    async def _active(self, memory_id: str, scope: Scope | None) -> MemoryRecord:
        found = await self._owned(memory_id, scope)
        if found.status == 'pending':
            raise MemoryNotFound(f'memory {memory_id!r} waits for a person: decide over it by memory.review')
        if found.status != 'active':
            raise MemoryNotFound(f'memory {memory_id!r} is {found.status}: only an active one can be changed')
        return found

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


def _within(memory: MemoryRecord, reaches: Sequence[Reach]) -> bool:
    home: Owner = memory.scope.home(memory.project)
    run = memory.scope.run_key(memory.level)
    return any(r.owner == home and r.sees(run) for r in reaches)


def _of_version(memory: MemoryRecord, version: object) -> MemoryRecord:
    if version is None or memory.version == check_count('if_version', version, 1, 1 << 62):
        return memory
    raise VersionMismatch(
        f'memory {memory.id} has version {memory.version} and not {version}: read it again, and decide anew'
    )


def _levels(levels: object) -> tuple[Level, ...] | None:
    if levels is None:
        return None
    given = tuple(cast('Iterable[object]', levels)) if isinstance(levels, Sequence | set | frozenset) else ()
    if isinstance(levels, str) or not given or any(level not in get_args(Level) for level in given):
        raise InvalidInput(
            f'levels={shown(cast("object", levels))} is not a list of levels: use some of {", ".join(get_args(Level))}'
        )
    return cast('tuple[Level, ...]', given)


def _moment(as_of: Moments, known_at: Moments) -> Moment:
    return Moment(
        now=now(),
        as_of=None if as_of is None else as_moment(as_of, 'as_of'),
        known_at=None if known_at is None else as_moment(known_at, 'known_at'),
    )


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float('inf'):
        raise InvalidInput(f'{name}={shown(value)} is not a number of seconds: pass 0 or more, or None for no limit')
    return float(value)


def _cursor(cursor: object) -> str | None:
    if cursor is None:
        return None
    text = check_text('cursor', cursor, 64)
    if not _CURSOR.fullmatch(text):
        raise InvalidInput(f'cursor={shown(text)} is not one that a page returned: pass page.cursor as it is')
    return text
