"""`AsyncMemory` with the methods of Mem0's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import memoranda._sync as native
from memoranda import memory as engine
from memoranda._bridge import run
from memoranda.checks import KEEP, as_moment, check_flag, check_text
from memoranda.compat import _mem0_calls as calls
from memoranda.compat._mem0_filters import Asked, id_of, read
from memoranda.compat._mem0_plan import memory_of
from memoranda.compat._mem0_procedural import summed_up, transcript
from memoranda.compat._mem0_refusals import MemoryNotFoundError, Project
from memoranda.compat._mem0_sections import MemoryConfig
from memoranda.compat._mem0_shapes import Item, Results, added, item_of, scored, told
from memoranda.compat._mem0_told import log, once
from memoranda.errors import ConfigurationError, InvalidInput, MemoryNotFound, VersionMismatch, shown
from memoranda.records import MemoryRecord, now

if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn, Self

__all__ = ['AsyncMemory']

SEARCHED: Final = 20
"""Results of a search, unless told otherwise."""
LISTED: Final = 100
PAGE: Final = 1_000
_TRIES: Final = 10
_PROCEDURAL: Final = 'procedural_memory'
_ADD: Final = (
    'messages, user_id, agent_id, run_id (session_id), app_id, metadata, timestamp, expiration_date, infer, '
    'memory_type and prompt'
)
_SEARCH: Final = (
    'query, filters, top_k (limit), threshold, rerank, explain, and user_id, agent_id, run_id (session_id), app_id'
)
_GET_ALL: Final = 'filters, top_k (limit), show_expired, and user_id, agent_id, run_id (session_id), app_id'

T = TypeVar('T')


class AsyncMemory:
    """Mem0's `AsyncMemory`. Opens on first use.

    Args:
        config: A `MemoryConfig`, or a dict as for `from_config`. Without one facts are drawn by rules, offline, and
            kept in the usual database (`MEMORANDA_DATABASE`, `MEMORANDA_MODEL`).

    Raises:
        ConfigurationError: Something in it is unknown or can't be used.
    """

    def __init__(self, config: MemoryConfig | Mapping[str, Any] | None = None) -> None:
        self.config = MemoryConfig.read(config)
        made, self._llm = memory_of(self.config)
        self._by_rules = self._llm is None
        self.memoranda = made
        """The memory it works on, for everything that Mem0's methods have no words for."""

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> Self:
        """A memory for a dict of sections. May be awaited, as older versions had it."""
        return cls(config_dict)

    @classmethod
    def over(cls, memory: engine.AsyncMemory | native.Memory) -> Self:
        """These methods over a memory that you have made, in its project. Closing it closes that memory."""
        self = object.__new__(cls)
        self.config = MemoryConfig()
        self.memoranda = memory.aio if isinstance(memory, native.Memory) else memory
        self._llm, self._by_rules = None, False
        if self.memoranda.bound_to is not None:
            raise ConfigurationError(
                f'memory is bound to {self.memoranda.bound_to}, and these methods name whose memories they mean: pass '
                'one that is not bound'
            )
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return _at_once(self).__await__()

    async def __aenter__(self) -> Self:
        await self.memoranda.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.memoranda.__aexit__(kind, error, trace)

    @property
    def project(self) -> Project:
        """See `Project`."""
        return Project()

    async def add(
        self,
        messages: object = None,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        metadata: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        prompt: str | None = None,
        *,
        timestamp: Any = None,
        expiration_date: Any = None,
        infer: bool = True,
        memory_type: str | None = None,
        llm: Any = None,
        session_id: object = None,
        app_id: object = None,
        data: object = None,
        **others: Any,
    ) -> Results:
        """Remember messages.

        Args:
            messages: Text, a dict with `role` and `content`, or a list of these. Empty ones are left out.
            user_id: Whose memories. At least one of the ids is needed.
            agent_id: The agent it was said to; alone, the agent's own memories.
            run_id: The conversation. `session_id` is the same.
            metadata: Kept with what becomes of the messages. A `created_at` in it is when it was said.
            filters: Not offered; an older version looked for known memories by it.
            prompt: What a model shall regard; of a procedural memory, the prompt in place of ours.
            timestamp: When it was said: a datetime, ISO text or unix seconds.
            expiration_date: The last day on which it is known, YYYY-MM-DD.
            infer: False stores each message as it is.
            memory_type: `'procedural_memory'` with an `agent_id`: one summary, made by the model.
            llm: Not offered: a LangChain model.
            session_id: See `run_id`.
            app_id: The application; alone, memories shared by it.
            data: An older name of `messages`.
            **others: Refused, but for the `version` of results.

        Returns:
            What became of it: `id`, `memory`, `event` (`ADD`, `UPDATE`, `DELETE`, `NONE` for what was known, `PENDING`
            for what waits for a person).

        Raises:
            InvalidInput: Something can't be used; nothing was stored.
            ProcessingFailed: The messages are stored, drawing facts from them failed and is tried again.
        """
        calls.no_others('add', others, _ADD)
        if messages is None:
            messages = data
        for name, value, fix in (
            ('filters', filters, 'pass ids as user_id=..., agent_id=..., run_id=...'),
            ('llm', llm, 'configure llm with the provider that it uses'),
        ):
            if value:
                raise InvalidInput(f'add({name}=...) is not offered: {fix}')
        scope = calls.scope_of('add', calls.ids_of(user_id, agent_id, run_id, app_id, session_id))
        own = calls.metadata_of(metadata)
        made = own.pop('created_at', None)
        moment = None if made is None else as_moment(made, "metadata['created_at']")
        moment = moment if timestamp is None else as_moment(timestamp, 'timestamp')
        expires = calls.expiry(expiration_date)
        given = not check_flag('infer', infer)
        listed = calls.said(messages, turns=not given)
        if memory_type is not None:
            listed = await self._procedural(listed, memory_type, scope.agent_id, prompt)
            own, prompt, given = {**own, 'memory_type': _PROCEDURAL}, None, True
        if given:
            listed = calls.with_roles(listed)
        if not listed:
            return Results()
        if prompt and self._by_rules and not given:
            once('add(prompt=...) is for a model, and none is configured: it is without effect')
        result = await self.memoranda.scoped(scope).add(
            listed,
            metadata=own,
            infer=not given,
            occurred_at=moment,
            expires_at=expires,
            instructions=prompt if prompt and not given else None,
        )
        return added(result.changes, given=given)

    async def _procedural(
        self, listed: list[dict[str, Any]], memory_type: str, agent_id: str | None, prompt: str | None
    ) -> list[dict[str, Any]]:
        if memory_type != _PROCEDURAL:
            raise InvalidInput(f'memory_type={shown(memory_type)} is unknown: use {_PROCEDURAL!r}, or leave it out')
        if agent_id is None:
            raise InvalidInput(f'memory_type={_PROCEDURAL!r} is what an agent did: pass agent_id=...')
        if not listed:
            return []
        made = self.memoranda.engine
        said = await made.compute(lambda: transcript(listed, made.policy))
        traced = made.settings.trace_include_content
        text = await made.on_loop(lambda: summed_up(self._llm, said, prompt, trace_content=traced))
        return [{'role': 'assistant', 'content': text}]

    async def search(
        self,
        query: str,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        *,
        top_k: int | None = None,
        rerank: bool = False,
        explain: bool = False,
        reference_date: Any = None,
        show_expired: bool = False,
        session_id: object = None,
        app_id: object = None,
        **others: Any,
    ) -> Results:
        """The memories that answer a question, best first.

        Args:
            query: A question or some words, in any language.
            user_id: Whose memories; or in `filters`. At least one of the ids is needed.
            agent_id: Told to which agent; alone, the agent's own memories.
            run_id: Told in which conversation. `session_id` is the same.
            limit: An older name of `top_k`.
            filters: Ids, and what a memory must satisfy, in Mem0's language.
            threshold: 0 to 1; weaker ones are left out. By default none are.
            top_k: How many at most, 20 by default, 1,000 at most.
            rerank: Without effect: there is no reranker.
            explain: Give every part of the score as `score_details`.
            reference_date: Not offered.
            show_expired: Not offered; `get_all` has it.
            session_id: See `run_id`.
            app_id: Told in which application; alone, memories shared by it.
            **others: Refused, but for the `version` of results.

        Raises:
            InvalidInput: Something can't be used.
        """
        calls.no_others('search', others, _SEARCH)
        if reference_date is not None:
            raise InvalidInput(
                'search(reference_date=...) is not offered: memory.memoranda.search(as_of=...) tells what held then'
            )
        if check_flag('show_expired', show_expired):
            raise InvalidInput(
                'search(show_expired=True) is not offered: what has expired is not ranked. get_all(show_expired=True) '
                'lists it'
            )
        if check_flag('rerank', rerank):
            once('search(rerank=True) has no effect: results are ranked by meaning, words and time')
        wanted, least = calls.amount(top_k, limit, SEARCHED), calls.threshold_of(threshold)
        text = check_text('query', query, self.memoranda.engine.settings.max_text_chars)
        asked = read('search', filters, calls.ids_of(user_id, agent_id, run_id, app_id, session_id))
        if wanted == 0:
            return Results()
        hits = await self.memoranda.scoped(asked.scope).search(
            text, filters=asked.where, top_k=wanted, min_score=least, explain=check_flag('explain', explain)
        )
        return Results(scored(hit, explain=explain, threshold=least) for hit in hits)

    async def get_all(
        self,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = None,
        *,
        top_k: int | None = None,
        show_expired: bool = False,
        session_id: object = None,
        app_id: object = None,
        **others: Any,
    ) -> Results:
        """Memories in the order they were first recorded.

        Args:
            user_id: As in `search`.
            agent_id: As in `search`.
            run_id: As in `search`.
            filters: As in `search`.
            limit: An older name of `top_k`.
            top_k: How many at most, 100 by default.
            show_expired: Those past their `expiration_date` too.
            session_id: As in `search`.
            app_id: As in `search`.
            **others: Refused, but for the `version` of results.

        Raises:
            InvalidInput: Something can't be used.
        """
        calls.no_others('get_all', others, _GET_ALL)
        wanted = calls.amount(top_k, limit, LISTED)
        expired = check_flag('show_expired', show_expired)
        asked = read('get_all', filters, calls.ids_of(user_id, agent_id, run_id, app_id, session_id))
        return Results([item_of(m, scored=False) for m in await self._listed(asked, wanted, expired)])

    async def _listed(self, asked: Asked, wanted: int, expired: bool) -> list[MemoryRecord]:
        view, where = self.memoranda.scoped(asked.scope), asked.where
        if expired:
            known = {'status': {'in': ['active', 'expired']}}
            where = known if where is None else {'AND': [known, where]}
        found: list[MemoryRecord] = []
        cursor: str | None = None
        while len(found) < wanted:
            page = await view.get_all(
                filters=where,
                limit=PAGE if expired else min(wanted - len(found), PAGE),
                cursor=cursor,
                include_inactive=expired,
            )
            found += [m for m in page if not expired or _is_kept(m)]
            cursor = page.cursor
            if cursor is None:
                break
        return found[:wanted]

    async def get(self, memory_id: object) -> Item | None:
        """One memory, past its `expiration_date` too; None when there is none with this id in the project."""
        try:
            found = await self._wide.get(_memory_id(memory_id))
        except MemoryNotFound:
            return None
        return item_of(found) if found.status in ('active', 'expired') else None

    async def update(
        self,
        memory_id: object,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expiration_date: Any = KEEP,
        data: str | None = None,
    ) -> dict[str, str]:
        """Correct a memory by hand. Extraction doesn't overwrite it from then on.

        Args:
            memory_id: Its id, of anybody in the project.
            text: The new words.
            metadata: Merged into what it has.
            expiration_date: The last day on which it is known, YYYY-MM-DD; None for no end.
            data: An older name of `text`.

        Raises:
            InvalidInput: Nothing to change, or something that can't be used.
            MemoryNotFoundError: There is none, or it doesn't hold any more.
            Conflict: Another memory says this already.
        """
        text = text if text is not None else data
        if text is None and metadata is None and expiration_date is KEEP:
            raise InvalidInput('update() was given nothing to change: pass text, metadata or expiration_date')
        wanted = _memory_id(memory_id)
        own = None if metadata is None else calls.metadata_of(metadata)
        expires = KEEP if expiration_date is KEEP else calls.expiry(expiration_date)
        try:
            await self._changed(wanted, text=text, own=own, expires_at=expires)
        except MemoryNotFound as error:
            raise _not_found(error) from None
        return {'message': 'Memory updated successfully!'}

    async def _changed(self, memory_id: str, *, own: dict[str, Any] | None, **fields: Any) -> None:
        if own is None:
            await self._wide.update(memory_id, **fields)
            return
        for left in reversed(range(_TRIES)):
            before = await self._wide.get(memory_id)
            try:
                await self._wide.update(
                    memory_id, metadata={**before.metadata, **own}, if_version=before.version, **fields
                )
                return
            except VersionMismatch:  # another change came between: its keys stay as well
                if not left:
                    raise

    async def delete(self, memory_id: object) -> dict[str, str]:
        """Retract a memory: it is no longer found, its history stays.

        Raises:
            MemoryNotFoundError: There is none, or it doesn't hold any more.
        """
        wanted = _memory_id(memory_id)
        try:
            await self._wide.delete(wanted)
        except MemoryNotFound as error:
            raise _not_found(error) from None
        return {'message': 'Memory deleted successfully!'}

    async def delete_all(
        self,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        *,
        session_id: object = None,
        app_id: object = None,
    ) -> dict[str, str]:
        """Erase messages, memories, their history and vectors of somebody; further ids narrow it.

        Raises:
            InvalidInput: No id, or one that is none (`'*'`).
        """
        scope = calls.scope_of('delete_all', calls.ids_of(user_id, agent_id, run_id, app_id, session_id))
        await self.memoranda.scoped(scope).delete_all()
        return {'message': 'Memories deleted successfully!'}

    async def history(self, memory_id: object) -> list[Item]:
        """What happened to a memory, oldest first; nothing when there never was one with this id in the project."""
        try:
            return told(await self._wide.history(_memory_id(memory_id)))
        except MemoryNotFound:
            return []

    async def reset(self, confirm: bool = False) -> dict[str, str]:
        """Erase every memory and message of the project, of all users.

        Args:
            confirm: Whether that is meant: the database may hold what other programs remembered.

        Raises:
            InvalidInput: It is not confirmed. Nothing was erased.
        """
        where = f'project {self.memoranda.project!r} of {self.memoranda.location}'
        if not check_flag('confirm', confirm):
            raise InvalidInput(
                f'reset() would erase everything in {where}, also what other programs keep there: call '
                'reset(confirm=True) if that is meant, or delete_all(user_id=...) for one person'
            )
        receipt = await self._wide.forget(whole_project=True)
        erased = f'{receipt.counts.get("memories", 0)} memories and {receipt.counts.get("episodes", 0)} messages'
        log.warning('reset: %s were erased in %s', erased, where)
        return {'message': f'Erased {erased} of {where}'}

    async def chat(self, query: object) -> NoReturn:
        """Not there, as in Mem0.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError('chat() is not there, as in Mem0: search, and give what is found to your model')

    def close(self) -> Awaitable[None]:
        """Finish what is under way and close the database; a later call opens it again.

        Works with and without `await`: where no event loop runs it blocks, else it is done in the background.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            run(self.memoranda.close())
            return _Done()
        self._closing = loop.create_task(self.memoranda.close())
        return self._closing

    @property
    def _wide(self) -> engine.AsyncMemory:
        return self.memoranda.project_wide()


async def _at_once(value: T) -> T:
    return value


class _Done:
    """Awaited for nothing."""

    def __await__(self) -> Generator[Any, None, None]:
        return _at_once(None).__await__()


def _memory_id(value: object) -> str:
    found = id_of('memory_id', value)
    if found is None:
        raise InvalidInput('memory_id=None is no id: pass the id of a memory')
    return found


def _not_found(error: MemoryNotFound) -> MemoryNotFoundError:
    return MemoryNotFoundError(f'not found: {error}')


def _is_kept(memory: MemoryRecord) -> bool:
    """Whether it holds, or only its time is over."""
    at = now()
    return memory.status == 'expired' or memory.is_current(at) or (memory.expires_at or at) < at
