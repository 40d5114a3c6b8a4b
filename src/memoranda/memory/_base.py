"""What all operations of a memory stand on: the storage, whose memories are meant, and views of it."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memoranda._degraded import open_store
from memoranda.checks import check_text
from memoranda.errors import ConfigurationError, InvalidScope, MemoryNotFound, shown
from memoranda.records import Episode, MemoryRecord
from memoranda.scope import Owner, Reach, Scope, check_project, check_scope

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic_ai.models import Model

    from memoranda.assembly import Errors
    from memoranda.consent.review import ReviewQueue
    from memoranda.embedders import Embedder
    from memoranda.engine import Engine
    from memoranda.keys import KeyRing
    from memoranda.policy import Policy
    from memoranda.settings import Settings
    from memoranda.stores.base import Store
    from memoranda.stores.index import VectorIndex
    from memoranda.write.extract import Extractor, PureExtractor

__all__ = ['BaseMemory']

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


class BaseMemory:
    """The storage, and views of it."""

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

    def _view(self, *, project: str | None = None, bound: Scope | None = None, wide: bool = False) -> Self:
        view = object.__new__(type(self))
        view._engine, view._worker, view._background = self._engine, self._worker, self._background
        view._project = project or self._project
        view._bound, view._wide = bound, wide
        view._actor, view._why = self._actor, self._why
        return view

    def in_project(self, project: str) -> Self:
        """The same storage, another tenant. A view that is bound to a scope stays bound to it."""
        return self._view(project=check_project(project), bound=self._bound)

    def scoped(self, scope: Scope) -> Self:
        """A view bound to a scope: its ids need not be passed, and no others are accepted."""
        return self._view(bound=check_scope(scope))

    def project_wide(self) -> Self:
        """A view whose by-id operations (get, update, delete, history) need no scope: for whoever runs the project."""
        return self._view(wide=True)

    def acting_as(self, actor: str, *, reason: str = '') -> Self:
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
                raise InvalidScope(
                    'no id was given: pass user_id, agent_id, run_id or app_id; what a project shares is asked for by '
                    'scoped(Scope.GLOBAL), over HTTP by shared=true'
                )
            return given
        for name in ('user_id', 'agent_id', 'run_id', 'app_id'):
            value: str | None = getattr(given, name)
            if value is not None and value != getattr(self._bound, name):
                raise InvalidScope(
                    f'{name}={value!r} is outside the scope this memory is bound to: leave it out, or use another view'
                )
        return self._bound

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

    def _because(self, reason: str) -> str:
        return f'{reason}: {self._why}' if self._why else reason

    def _home(self, scope: Scope) -> list[Reach]:
        """What is said under a scope belongs there: of a user and an agent the user, never what the agent knows."""
        home = scope.home(self._project)
        return [r for r in scope.reaches(self._project) if r.owner == home]

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


def _within(memory: MemoryRecord, reaches: Sequence[Reach]) -> bool:
    home: Owner = memory.scope.home(memory.project)
    run = memory.scope.run_key(memory.level)
    return any(r.owner == home and r.sees(run) for r in reaches)
