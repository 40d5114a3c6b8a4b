"""`Client`: the same, blocking. It delegates, it does not copy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from memoranda._bridge import run
from memoranda.client.aio import AsyncClient
from memoranda.scope import Scope

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import httpx2
    from pydantic import BaseModel

    from memoranda.consent.review import BlockingReviewQueue
    from memoranda.profile import Profile

__all__ = ['Client']

P = ParamSpec('P')
T = TypeVar('T')
ModelT = TypeVar('ModelT', bound='BaseModel')


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Client, P], T]:
    @wraps(method)
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method(self.aio, *args, **kwargs))

    return call


class Client:
    """A memory on a server, for code without an event loop. Works inside a running one too; threads may share it.

    Arguments and methods are those of `AsyncClient`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        errors: Literal['degrade', 'raise'] = 'degrade',
        degrade_seconds: float = 5.0,
        max_connections: int = 20,
        max_answer_bytes: int = 64 * 1024 * 1024,
        allow_http: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.aio = AsyncClient(
            url,
            api_key=api_key,
            timeout=timeout,
            retries=retries,
            errors=errors,
            degrade_seconds=degrade_seconds,
            max_connections=max_connections,
            max_answer_bytes=max_answer_bytes,
            allow_http=allow_http,
            transport=transport,
        )
        """The client this one delegates to."""

    def __repr__(self) -> str:
        return f'<Client {self.location}>'

    @classmethod
    def _of(cls, client: AsyncClient) -> Client:
        view = object.__new__(cls)
        view.aio = client
        return view

    def scoped(self, scope: Scope) -> Client:
        """A view bound to a scope."""
        return self._of(self.aio.scoped(scope))

    def project_wide(self) -> Client:
        """A view whose by-id operations need no scope."""
        return self._of(self.aio.project_wide())

    @property
    def actor(self) -> None:
        """None: the server notes the key as the one who reads and edits."""
        return

    @property
    def location(self) -> str:
        """The address of the server."""
        return self.aio.location

    @property
    def bound_to(self) -> Scope | None:
        """The scope this view is bound to."""
        return self.aio.bound_to

    @property
    def review(self) -> BlockingReviewQueue:
        """What waits for a person: list it, approve, edit or reject it."""
        from memoranda.consent.review import BlockingReviewQueue

        return BlockingReviewQueue(cast('Any', self.aio.review))

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

    add = _blocking(AsyncClient.add)
    preview = _blocking(AsyncClient.preview)
    search = _blocking(AsyncClient.search)
    context = _blocking(AsyncClient.context)
    get = _blocking(AsyncClient.get)
    get_slot = _blocking(AsyncClient.get_slot)
    get_all = _blocking(AsyncClient.get_all)
    episodes = _blocking(AsyncClient.episodes)
    update = _blocking(AsyncClient.update)
    delete = _blocking(AsyncClient.delete)
    delete_all = _blocking(AsyncClient.delete_all)
    forget = _blocking(AsyncClient.forget)
    verify_erasure = _blocking(AsyncClient.verify_erasure)
    history = _blocking(AsyncClient.history)
    changes = _blocking(AsyncClient.changes)
    revert = _blocking(AsyncClient.revert)
    clean = _blocking(AsyncClient.clean)
    reset = _blocking(AsyncClient.reset)
    retention_preview = _blocking(AsyncClient.retention_preview)
    apply_retention = _blocking(AsyncClient.apply_retention)
    flush = _blocking(AsyncClient.flush)
    jobs = _blocking(AsyncClient.jobs)
    job = _blocking(AsyncClient.job)
    receipt = _blocking(AsyncClient.receipt)
    retry_job = _blocking(AsyncClient.retry_job)
    drop_job = _blocking(AsyncClient.drop_job)
    stats = _blocking(AsyncClient.stats)
    verify = _blocking(AsyncClient.verify)
    checkpoint = _blocking(AsyncClient.checkpoint)
    audit_log = _blocking(AsyncClient.audit_log)
    reads = _blocking(AsyncClient.reads)
    holdings = _blocking(AsyncClient.holdings)
    export = _blocking(AsyncClient.export)
    import_subject = _blocking(AsyncClient.import_subject)
    project_name = _blocking(AsyncClient.project_name)
    rules = _blocking(AsyncClient.rules)
    close = _blocking(AsyncClient.close)
