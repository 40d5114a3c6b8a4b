"""`Memory`: the same, blocking. It delegates, it does not copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from memoranda._bridge import run
from memoranda.memory import AsyncMemory
from memoranda.scope import Scope

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic import BaseModel
    from pydantic_ai.models import Model

    from memoranda.assembly import Errors
    from memoranda.consent.review import BlockingReviewQueue
    from memoranda.embedders import Embedder
    from memoranda.engine import Engine
    from memoranda.keys import BlockingKeyRing
    from memoranda.policy import Policy
    from memoranda.profile import Profile
    from memoranda.settings import Settings
    from memoranda.stores.base import Store
    from memoranda.stores.index import VectorIndex
    from memoranda.write.extract import Extractor, PureExtractor

__all__ = ['Memory']

P = ParamSpec('P')
T = TypeVar('T')
ModelT = TypeVar('ModelT', bound='BaseModel')


def _blocking(
    method: Callable[Concatenate[AsyncMemory, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Memory, P], T]:
    @wraps(method)
    def call(self: Memory, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method(self.aio, *args, **kwargs))

    return call


class Memory:
    """A memory for code without an event loop. Works inside a running one too, and may be shared by threads.

    Arguments and methods are those of `AsyncMemory`.
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
        self.aio = AsyncMemory(
            database,
            project=project,
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
        """The memory this one delegates to."""

    @classmethod
    def _of(cls, memory: AsyncMemory) -> Memory:
        view = object.__new__(cls)
        view.aio = memory
        return view

    def in_project(self, project: str) -> Memory:
        """The same storage, another tenant."""
        return self._of(self.aio.in_project(project))

    def scoped(self, scope: Scope) -> Memory:
        """A view bound to a scope."""
        return self._of(self.aio.scoped(scope))

    def project_wide(self) -> Memory:
        """A view whose by-id operations need no scope."""
        return self._of(self.aio.project_wide())

    def acting_as(self, actor: str, *, reason: str = '') -> Memory:
        """The same view, on whose account its reads and edits are noted."""
        return self._of(self.aio.acting_as(actor, reason=reason))

    @property
    def actor(self) -> str | None:
        """On whose account this view reads and edits."""
        return self.aio.actor

    @property
    def location(self) -> str:
        """Where the memories are."""
        return self.aio.location

    @property
    def project(self) -> str:
        """The tenant."""
        return self.aio.project

    @property
    def review(self) -> BlockingReviewQueue:
        """What waits for a person: list it, approve, edit or reject it."""
        from memoranda.consent.review import BlockingReviewQueue

        return BlockingReviewQueue(self.aio.review)

    @property
    def keys(self) -> BlockingKeyRing:
        """The API keys of the project."""
        from memoranda.keys import BlockingKeyRing

        return BlockingKeyRing(self.aio.keys)

    @property
    def bound_to(self) -> Scope | None:
        """The scope this view is bound to."""
        return self.aio.bound_to

    @property
    def engine(self) -> Engine:
        """What all views share. For adapters."""
        return self.aio.engine

    @property
    def works(self) -> bool:
        """See `AsyncMemory.works`."""
        return self.aio.works

    def __enter__(self) -> Self:
        run(self.aio.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self.aio.__aexit__(kind, error, trace))

    def profile(self, model: type[ModelT], **scope: Any) -> Profile[ModelT]:
        """A Pydantic model of yours, filled from memories. Arguments are those of `AsyncMemory.profile`."""
        return run(self.aio.profile(model, **scope))

    def register_profile(self, model: type[BaseModel]) -> None:
        """Let extraction know the slots of a model."""
        self.aio.register_profile(model)

    add = _blocking(AsyncMemory.add)
    preview = _blocking(AsyncMemory.preview)
    apply = _blocking(AsyncMemory.apply)
    search = _blocking(AsyncMemory.search)
    context = _blocking(AsyncMemory.context)
    get = _blocking(AsyncMemory.get)
    get_slot = _blocking(AsyncMemory.get_slot)
    get_all = _blocking(AsyncMemory.get_all)
    episodes = _blocking(AsyncMemory.episodes)
    update = _blocking(AsyncMemory.update)
    delete = _blocking(AsyncMemory.delete)
    delete_all = _blocking(AsyncMemory.delete_all)
    forget = _blocking(AsyncMemory.forget)
    verify_erasure = _blocking(AsyncMemory.verify_erasure)
    history = _blocking(AsyncMemory.history)
    changes = _blocking(AsyncMemory.changes)
    revert = _blocking(AsyncMemory.revert)
    clean = _blocking(AsyncMemory.clean)
    reset = _blocking(AsyncMemory.reset)
    retention_preview = _blocking(AsyncMemory.retention_preview)
    apply_retention = _blocking(AsyncMemory.apply_retention)
    flush = _blocking(AsyncMemory.flush)
    process_one_job = _blocking(AsyncMemory.process_one_job)
    jobs = _blocking(AsyncMemory.jobs)
    job = _blocking(AsyncMemory.job)
    receipt = _blocking(AsyncMemory.receipt)
    retry_job = _blocking(AsyncMemory.retry_job)
    drop_job = _blocking(AsyncMemory.drop_job)
    stats = _blocking(AsyncMemory.stats)
    reindex = _blocking(AsyncMemory.reindex)
    backup = _blocking(AsyncMemory.backup)
    index_status = _blocking(AsyncMemory.index_status)
    index_verify = _blocking(AsyncMemory.index_verify)
    index_rebuild = _blocking(AsyncMemory.index_rebuild)
    index_flush = _blocking(AsyncMemory.index_flush)
    index_drop = _blocking(AsyncMemory.index_drop)
    verify = _blocking(AsyncMemory.verify)
    checkpoint = _blocking(AsyncMemory.checkpoint)
    audit_log = _blocking(AsyncMemory.audit_log)
    reads = _blocking(AsyncMemory.reads)
    holdings = _blocking(AsyncMemory.holdings)
    export = _blocking(AsyncMemory.export)
    import_subject = _blocking(AsyncMemory.import_subject)
    finish_erasure = _blocking(AsyncMemory.finish_erasure)
    close = _blocking(AsyncMemory.close)
