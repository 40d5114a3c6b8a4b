"""`Mem0Provider`: Mem0 behind the provider protocol, hosted, on a server of one's own, or its open-source library.

Through the last of these the vector stores that Mem0 knows can be used. What its answers hold is checked again here:
ids and metadata that were asked for have to be those of every memory that is returned.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from memoranda.agents._mem0_answers import (
    checked,
    ids_of,
    is_not_found,
    is_under,
    items_of,
    key_of,
    pending,
    stored,
)
from memoranda.agents._mem0_server import OpenSourceServer, is_open_source
from memoranda.agents._providing import as_list, as_score, check_errors, forgiving, moment_of
from memoranda.agents.provider import BaseMemoryProvider, Errors, MemoryConfig, RetrievedMemory, StoredMemory
from memoranda.checks import check_count, check_text
from memoranda.errors import ConfigurationError, InvalidScope, shown, what_is
from memoranda.scope import Scope, check_scope
from memoranda.write.messages import normalise

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from anyio import CapacityLimiter
    from pydantic_ai.messages import ModelMessage

__all__ = ['Mem0Provider']

T = TypeVar('T')

MAX_SEEN: Final = 20_000
"""Messages that are known to be stored already."""
MAX_CHARS: Final = 1_000_000
MAX_LISTED: Final = 10_000
PAGE: Final = 200
MAX_THREADS: Final = 16
"""That blocking calls of one event loop take."""
_HOSTED: Final = frozenset(('AsyncMemoryClient', 'MemoryClient'))
_OPEN_SOURCE: Final = frozenset(('AsyncMemory', 'Memory'))


class Mem0Provider(BaseMemoryProvider):
    """Mem0, as a provider. Needs the extra `mem0` (`pip install 'memoranda[mem0]'`).

    Mem0's own usage reports are off unless the environment variable `MEM0_TELEMETRY` asks for them, or `mem0` was
    imported before.

    Args:
        api_key: Of the hosted service, or of a server that speaks its protocol; by default `MEM0_API_KEY`.
        host: Address of such a server, or of Mem0's open-source server; by default the hosted service.
        config: A dict configures Mem0's open-source library (`mem0.AsyncMemory.from_config`), which then runs here. A
            `MemoryConfig` is for calls of this provider's methods: its `min_relevance_score` and `metadata` count.
        client: In place of all these, a client of Mem0 that you have made: any of its four classes.
        scope: Ids that hold in every call, deletions included.
        infer: False stores each message as it is, without a model.
        errors: `'raise'`, or `'ignore'` to find nothing when something fails.

    Raises:
        ConfigurationError: Something is missing or can't be used. Nothing is connected yet.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        host: str | None = None,
        config: Mapping[str, Any] | MemoryConfig | None = None,
        client: object | None = None,
        scope: Scope | None = None,
        infer: bool = True,
        errors: Errors = 'raise',
    ) -> None:
        self.errors = check_errors(errors)
        self.scope = None if scope is None else check_scope(scope)
        self.config = config if isinstance(config, MemoryConfig) else MemoryConfig()
        self._library = None if isinstance(config, MemoryConfig) else config
        self._given, self._infer = client, infer
        self._host, self._key = host, api_key or os.environ.get('MEM0_API_KEY')
        self._remote = self.hosted = self._check(api_key)
        """Whether it speaks as the hosted service does, which for a host is found out on first use."""
        self._lock = threading.Lock()
        self._made: object | None = None
        # A connection belongs to the event loop it was opened in.
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, object] = WeakKeyDictionary()
        self._threads: WeakKeyDictionary[asyncio.AbstractEventLoop, CapacityLimiter] = WeakKeyDictionary()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def _check(self, api_key: str | None) -> bool:
        if self._given is not None:
            if self._library is not None or api_key is not None or self._host is not None:
                raise ConfigurationError('client was given together with api_key, host or config: pass one of them')
            names = {kind.__name__ for kind in type(self._given).__mro__}
            if not names & (_HOSTED | _OPEN_SOURCE):
                raise ConfigurationError(
                    f'client is {what_is(self._given)}, which is none of Mem0: pass a mem0.AsyncMemoryClient, '
                    'MemoryClient, AsyncMemory or Memory'
                )
            return bool(names & _HOSTED)
        if find_spec('mem0') is None:
            raise ConfigurationError(
                'Mem0Provider needs mem0ai, which is not installed: run `pip install "memoranda[mem0]"`'
            )
        if self._library is not None:
            if api_key is not None or self._host is not None:
                raise ConfigurationError(
                    'config is for the open-source library, and api_key and host are for a server: pass one of them'
                )
            if not isinstance(self._library, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(
                    f'config={shown(self._library)} is {what_is(self._library)}: pass a dict for '
                    'mem0.AsyncMemory.from_config, or a MemoryConfig'
                )
            return False
        if not self._key:
            raise ConfigurationError(
                'no api_key was given, and MEM0_API_KEY is not set: pass one, or config={...} for the open-source '
                'library (a server without keys takes any word as its key)'
            )
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop, or the library; a client that was given stays open."""
        made = self._of_loop.pop(_loop(), None) if self._remote else self._made
        self._made = None
        connection = getattr(made, 'async_client', None)
        close = getattr(made, 'close', None) if connection is None else connection.aclose
        if callable(close):
            closing = close()
            if isawaitable(closing):
                await closing

    @forgiving(list[RetrievedMemory])
    async def retrieve_memories(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        top_k: int = 5,
        metadata: dict[str, Any] | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.retrieve_memories`. Scores are Mem0's, of which the scale shifts from query to query."""
        ids = self._ids(user_id, agent_id, run_id)
        wanted = checked({**self.config.metadata, **(metadata or {})})
        check_text('query', query, MAX_CHARS)
        check_count('top_k', top_k, 1, 1_000)
        answer = await self._ask(
            'search',
            query,
            filters=await self._filters(ids, wanted),
            top_k=top_k,
            threshold=self.config.min_relevance_score,
        )
        found = [m for m in self._read(answer, ids, wanted) if m.score >= self.config.min_relevance_score]
        return found[:top_k]

    @forgiving(list[StoredMemory])
    async def store_memories(
        self,
        messages: Sequence[ModelMessage | Mapping[str, Any] | str] | Mapping[str, Any] | str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[StoredMemory]:
        """What people and agents said, without tool traffic, thinking, system prompts and what recall had added.

        Messages with a timestamp that this provider has stored under these ids already are left out.

        Args:
            messages: Those of a run (`result.all_messages()`); dicts with `role` and `content`, and text, do as well;
                also a single one.
            user_id: By whom.
            agent_id: To which agent.
            run_id: In which conversation.
            metadata: Kept with it.

        Returns:
            What Mem0 says became of them. The hosted service reads them later: then one entry with the event `PENDING`
            and the id of that work.
        """
        ids = self._ids(user_id, agent_id, run_id)
        stamp = checked({**self.config.metadata, **(metadata or {})}, nested=True)
        if not messages:
            return []
        said, _ = normalise(as_list(messages), max_chars=MAX_CHARS)
        new = [(m, key) for m in said if (key := key_of(m, ids)) is None or key not in self._seen]
        if not new:
            return []
        keys = [key for _, key in new if key is not None]
        self._seen.update(dict.fromkeys(keys))
        more: dict[str, Any] = {} if self._infer else {'infer': False}
        try:
            answer = await self._ask(
                'add',
                [{'role': m.role, 'content': m.text} for m, _ in new],
                **ids,
                **({'metadata': stamp} if stamp else {}),
                **more,
            )
            became = [stored(item) for item in items_of(answer)]
        except BaseException:
            for key in keys:
                self._seen.pop(key, None)
            raise
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        return became or pending(answer)

    @forgiving(list[RetrievedMemory])
    async def get_all_memories(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.get_all_memories`. Oldest first; of the open-source library at most 10,000."""
        ids = self._ids(user_id, agent_id, run_id)
        wanted = checked(self.config.metadata)
        most = MAX_LISTED if limit is None else check_count('limit', limit, 1, 1_000_000)
        filters = await self._filters(ids, wanted)
        if not self.hosted:
            answer = await self._ask('get_all', filters=filters, top_k=most)
            return sorted(self._read(answer, ids, wanted), key=moment_of)[:most]
        found: list[RetrievedMemory] = []
        number = 1
        while limit is None or len(found) < most:
            answer = await self._ask('get_all', filters=filters, page=number, page_size=min(most, PAGE))
            page = self._read(answer, ids, wanted)
            found += page
            number += 1
            if not items_of(answer) or not isinstance(answer, Mapping) or not cast('Any', answer).get('next'):
                break
        return sorted(found if limit is None else found[:most], key=moment_of)

    @forgiving(bool)
    async def delete_memory(self, memory_id: str, *, under: Mapping[str, str] | None = None) -> bool:
        """Delete a memory. False when there is none with this id, in the scope if the provider is bound to one.

        Args:
            memory_id: Its id.
            under: Ids that it has to be kept under for certain, such as `{'user_id': 'ana'}`.
        """
        check_text('memory_id', memory_id, 256)
        ids = {**(under or {}), **({} if self.scope is None else ids_of(self.scope))}
        try:
            if ids and not is_under(await self._ask('get', memory_id), ids, surely=True):
                return False
            await self._ask('delete', memory_id)
        except Exception as error:
            if not is_not_found(error):
                raise
            return False
        return True

    def _ids(self, user_id: str | None, agent_id: str | None, run_id: str | None) -> dict[str, str]:
        given = ids_of(Scope(user_id=user_id, agent_id=agent_id, run_id=run_id))  # which checks them
        held = {} if self.scope is None else ids_of(self.scope)
        for name, value in given.items():
            if held.get(name, value) != value:
                raise InvalidScope(
                    f'{name}={value!r} is outside the scope this provider is bound to: leave it out, or use another one'
                )
        ids = {**held, **given}
        if not ids:
            raise InvalidScope('no id was given, and Mem0 keeps every memory under one: pass user_id=...')
        return ids

    async def _filters(self, ids: Mapping[str, str], metadata: Mapping[str, Any]) -> dict[str, Any]:
        await self._client()  # which finds out how it wants them
        if not metadata:
            return dict(ids)
        return {**ids, 'metadata': dict(metadata)} if self.hosted else {**ids, **metadata}

    def _read(self, answer: object, ids: Mapping[str, str], metadata: Mapping[str, Any]) -> list[RetrievedMemory]:
        found: list[RetrievedMemory] = []
        for item in items_of(answer):
            id_, text, kept = item.get('id'), item.get('memory'), item.get('metadata')
            held = cast('dict[str, Any]', kept) if isinstance(kept, dict) else {}
            if not id_ or not isinstance(text, str) or not text.strip() or not is_under(item, ids):
                continue
            if any(key not in held or held[key] != value for key, value in metadata.items()):
                continue
            at = item.get('created_at')
            found.append(RetrievedMemory(str(id_), text, as_score(item.get('score')), held, str(at) if at else None))
        return found

    async def _ask(self, method: str, *args: object, **kwargs: object) -> object:
        client = await self._client()
        call = getattr(client, method)
        if iscoroutinefunction(call):
            return await call(*args, **kwargs)
        return await self._in_thread(partial(call, *args, **kwargs))

    async def _client(self) -> object:
        loop = _loop()
        client = self._known(loop)
        if client is None:
            # Importing it takes seconds, and its constructor asks the server, with all the patience in the world.
            client = await self._in_thread(partial(self._make, loop))
        return client

    async def _in_thread(self, call: Callable[[], T]) -> T:
        from anyio import CapacityLimiter, to_thread

        # Threads that hang must not be those that the rest of the program needs.
        limit = self._threads.setdefault(_loop(), CapacityLimiter(MAX_THREADS))
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=limit)

    def _known(self, loop: asyncio.AbstractEventLoop) -> object | None:
        return self._given or (self._of_loop.get(loop) if self._remote else self._made)

    def _make(self, loop: asyncio.AbstractEventLoop) -> object:
        with self._lock:
            client = self._known(loop)
            if client is not None:
                return client
            key = self._key or ''
            if self._host is not None and is_open_source(self._host, key):
                self.hosted = False
                self._of_loop[loop] = server = OpenSourceServer(self._host, key)
                return server
            os.environ.setdefault('MEM0_TELEMETRY', 'False')
            library: Any = import_module('mem0')
            if not self._remote:
                self._made = library.AsyncMemory.from_config(dict(self._library or {}))
                return cast('object', self._made)
            self._of_loop[loop] = made = library.AsyncMemoryClient(api_key=key, host=self._host)
            return made


def _loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            'Mem0Provider needs a running asyncio event loop, which its client is made for: run it under asyncio'
        ) from None
