"""The notebook of pydantic-ai-harness, kept in a memory: its `Memory` writes files, and each file is one memory here.

What a store of theirs promises rests on one transaction of ours. A file's version is that of its memory, which a commit
replaces only while it is the current one; the receipt of an operation is a record of the same commit, under an id that
follows from the operation, so that no operation can have two.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from memoranda._sync import Memory
from memoranda.checks import storable
from memoranda.errors import ConfigurationError, Conflict, InvalidInput, InvalidScope, shown
from memoranda.filters import parse
from memoranda.records import Change, Edit, MemoryRecord, fact_hash, new_id, now
from memoranda.scope import Level, Scope
from memoranda.stores.data import Commit, Moment, VersionWrite
from memoranda.write.redact import redact

try:
    from pydantic_ai_harness.memory import (
        MemoryConflictError,
        MemoryFile,
        MemoryMutation,
        MemoryOperation,
        MemoryOperationConflictError,
        MemorySearchMatch,
        MemorySearchResult,
    )
except ImportError as error:
    raise ConfigurationError(
        'memoranda.agents.harness needs pydantic-ai-harness, which is not installed: '
        'run `pip install "pydantic-ai-harness>=0.36"`'
    ) from error

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['NotebookStore']

KIND: Final = 'notebook'
RUN: Final = 'notebook'
"""The run that a user's notebook is kept under, unless the scope names another."""
RECEIPT_KIND: Final = 'notebook-receipt'
ACTOR: Final = 'pydantic-ai-harness'
MIN_SCORE: Final = 0.25
"""Weaker hits have next to nothing to do with the query."""
_EMPTY: Final = '(empty file)'
_SEGMENT = re.compile(r'[A-Za-z0-9_.-]{1,200}')


class NotebookStore:
    """A store for `pydantic_ai_harness.Memory`, in the database of a memory.

    It implements their `MemoryStore` and `SearchableMemoryStore`. Files belong to the scope: of a user they are kept
    at the run level, where recall in conversations leaves them alone, and go when the user is erased. Where secrets
    are redacted, they are in files too.

    ```python
    Memory(store_resolver=lambda ctx: NotebookStore(memory, scope=Scope(user_id=ctx.deps.user_id)))
    ```

    Args:
        memory: Where to.
        scope: Whose notebook: a user's, an agent's, an application's, or `Scope.GLOBAL`.

    Raises:
        InvalidScope: The memory is bound to another scope.
    """

    def __init__(self, memory: AsyncMemory | Memory, *, scope: Scope) -> None:
        bare = memory.aio if isinstance(memory, Memory) else memory
        bound = bare.bound_to
        if bound is not None and bound != scope:
            raise InvalidScope(f'{scope} is not the scope this memory is bound to: pass that one, or another view')
        if scope.user_id is not None and scope.run_id is None:
            scope = replace(scope, run_id=RUN)
        self._engine = bare.engine
        self._memory = bare.scoped(scope)
        self._project = bare.project
        self._scope = scope
        self._level: Level = 'run' if scope.run_id is not None else scope.home_level
        (self._reach,) = scope.reaches(self._project, levels=(self._level,))
        self._owner = scope.home(self._project)

    async def read(self, path: str, *, max_chars: int) -> MemoryFile | None:
        """The file, cut at `max_chars`; None when there is none."""
        _check_path(path)
        _check_positive('max_chars', max_chars)
        record = await self._current(path)
        if record is None:
            return None
        content = _content(record)
        return MemoryFile(
            content=content[:max_chars],
            version=_version(record),
            operation_id=record.metadata.get('operation'),
            truncated=len(content) > max_chars,
        )

    async def get_operation(self, operation: MemoryOperation) -> MemoryMutation | None:
        """What an operation did, if it was done.

        Raises:
            MemoryOperationConflictError: It was another one, under the same id.
        """
        receipt = await self._engine.store.get(self._receipt_id(operation), project=self._project)
        if receipt is None:
            return None
        done: Mapping[str, Any] = receipt.metadata
        if done.get('fingerprint') != operation.fingerprint:
            raise MemoryOperationConflictError(
                f'operation {shown(operation.id)} was done before with other arguments: use a new id for a new one'
            )
        return MemoryMutation(version=done.get('version'), replayed=True, existed=bool(done.get('existed')))

    async def write(
        self, path: str, content: str, *, expected_version: str | None, operation: MemoryOperation | None = None
    ) -> MemoryMutation:
        """Create the file, or replace the version that is expected.

        Raises:
            MemoryConflictError: It has another version by now.
            MemoryOperationConflictError: The operation was another one, under the same id.
        """
        _check_path(path)
        most = self._engine.settings.max_text_chars
        if len(content) > most:
            raise InvalidInput(
                f'{path} would have {len(content):,} characters, and {most:,} is the most: '
                'lower max_memory_size, or raise MEMORANDA_MAX_TEXT_CHARS'
            )
        return await self._mutate(path, content, expected_version, operation)

    async def delete(
        self, path: str, *, expected_version: str | None, operation: MemoryOperation | None = None
    ) -> MemoryMutation:
        """Delete the version that is expected. Its words stay in the history until they are erased.

        Raises:
            MemoryConflictError: It has another version by now.
            MemoryOperationConflictError: The operation was another one, under the same id.
        """
        _check_path(path)
        return await self._mutate(path, None, expected_version, operation)

    async def list_paths(self, prefix: str = '', *, limit: int) -> list[str]:
        """The first paths that begin with the prefix, sorted."""
        _check_prefix(prefix)
        _check_positive('limit', limit)
        where: dict[str, Any] = {'kind': KIND}
        if prefix:
            where['metadata.path'] = {'contains': prefix}
        records = await self._engine.store.every([self._reach], where=parse(where), moment=Moment(now=_ahead()))
        return sorted(path for record in records if (path := _path(record)).startswith(prefix))[:limit]

    async def search(
        self, prefix: str, query: str, *, limit: int, max_files: int, max_chars: int, max_file_chars: int
    ) -> MemorySearchResult:
        """The files of one folder that answer the query, by meaning and by words, best first.

        No file is scanned: `scanned` counts those that were found, at most `max_files`.

        Args:
            prefix: The folder, with a slash at its end. Files in folders below it are not searched.
            query: Words, or a question.
            limit: The most files.
            max_files: As `limit`; the lower one counts.
            max_chars: Of paths (without the prefix) and snippets together.
            max_file_chars: Snippets are from the beginning of a file, as far as this.
        """
        _check_prefix(prefix)
        most = min(limit, max_files, 999)
        if not query.split() or most <= 0 or max_chars <= 0 or max_file_chars <= 0:
            return MemorySearchResult(matches=[], scanned=0, truncated=False)
        hits = await self._memory.search(
            query,
            filters={'kind': KIND, 'metadata.folder': prefix.removesuffix('/')},
            levels=(self._level,),
            top_k=most + 1,
            min_score=MIN_SCORE,
        )
        found = [(hit.memory, hit.score) for hit in hits if hit.memory is not None]
        matches: list[MemorySearchMatch] = []
        truncated = len(found) > most or hits.degraded is not None
        left = max_chars
        for record, score in found[:most]:
            path, content = _path(record), _content(record)
            left -= len(path.removeprefix(prefix))
            if left <= 0:
                truncated = True
                break
            snippet = _snippet(content[:max_file_chars], query, left)
            truncated = truncated or len(content) > max_file_chars
            left -= len(snippet)
            matches.append(MemorySearchMatch(path=path, snippet=snippet, score=score))
        return MemorySearchResult(matches=matches, scanned=min(len(found), max_files), truncated=truncated)

    async def _current(self, path: str) -> MemoryRecord | None:
        found = await self._engine.store.by_slot(_slot(path), [self._reach], now=_ahead())
        return found[0] if found else None

    async def _mutate(
        self, path: str, content: str | None, expected: str | None, operation: MemoryOperation | None
    ) -> MemoryMutation:
        if operation is not None and (done := await self.get_operation(operation)) is not None:
            return done
        before = await self._current(path)
        if (None if before is None else _version(before)) != expected:
            return await self._done_meanwhile(path, operation)
        at, change_id = now(), new_id()
        after = await self._after(path, content, before, operation, at, change_id)
        mutation = MemoryMutation(
            version=None if after is None or content is None else _version(after),
            replayed=False,
            existed=before is not None,
        )
        edits: list[Edit] = []
        if after is not None:
            op = 'retract' if content is None else 'add' if before is None else 'update'
            edits.append(Edit(op=op, before=before, after=after))
        generation = await self._engine.ensure_generation() if edits else None
        writes = [*await self._engine.writes(edits, {})]
        if operation is not None:
            edits.append(Edit(op='add', before=None, after=self._receipt(operation, mutation, at, change_id)))
            writes.append(VersionWrite(terms=()))
        if not edits:  # nothing was there, and nothing is to be noted
            return mutation
        reason = 'note deleted' if content is None else 'note written'
        commit = Commit(
            owner=self._owner,
            expect_version=None,
            change=Change(id=change_id, edits=tuple(edits), actor=ACTOR, reason=reason, at=at),
            writes=writes,
            generation=None if generation is None else generation.id,
        )
        try:
            await self._engine.store.commit(commit)
        except Conflict:
            return await self._done_meanwhile(path, operation)
        return mutation

    async def _done_meanwhile(self, path: str, operation: MemoryOperation | None) -> MemoryMutation:
        """Somebody was faster: what they did, if it was the same operation."""
        if operation is not None and (done := await self.get_operation(operation)) is not None:
            return done
        raise _changed(path)

    async def _after(
        self,
        path: str,
        content: str | None,
        before: MemoryRecord | None,
        operation: MemoryOperation | None,
        at: datetime,
        change_id: str,
    ) -> MemoryRecord | None:
        """The file's memory as it shall be; None when there is nothing to delete."""
        if content is None:
            if before is None:
                return None
            gone = replace(before, status='retracted', valid_to=None)
            return replace(gone, version=before.version + 1, recorded_at=at, actor=ACTOR, change_id=change_id)
        engine = self._engine
        words = await engine.compute(lambda: redact(storable(content), engine.policy)[0])
        text = words if words.strip() else _EMPTY
        metadata: dict[str, Any] = {'path': path, 'folder': path.rpartition('/')[0]}
        if operation is not None:
            metadata['operation'] = operation.id
        if text != words:
            metadata['blank'] = words
        slot = _slot(path)
        return MemoryRecord(
            id=new_id() if before is None else before.id,
            version=1 if before is None else before.version + 1,
            project=self._project,
            level=self._level,
            scope=self._level_scope,
            said_under=self._scope,
            text=text,
            kind=KIND,
            slot=slot,
            trust='assistant',
            locked=True,
            valid_from=at if before is None else before.valid_from,
            said_at=at,
            recorded_at=at,
            metadata=metadata,
            actor=ACTOR,
            change_id=change_id,
            hash=await engine.compute(lambda: fact_hash(text, slot)),
        )

    @property
    def _level_scope(self) -> Scope:
        scope = self._scope
        if self._level == 'run':
            return Scope(user_id=scope.user_id, run_id=scope.run_id)
        return Scope(**{f'{self._level}_id': self._owner.key}) if self._level != 'global' else Scope.GLOBAL

    def _receipt(
        self, operation: MemoryOperation, mutation: MemoryMutation, at: datetime, change_id: str
    ) -> MemoryRecord:
        """The note that an operation was done. No current memory: nothing lists or recalls it."""
        text = 'A note was written.'
        return MemoryRecord(
            id=self._receipt_id(operation),
            version=1,
            project=self._project,
            level=self._level,
            scope=self._level_scope,
            said_under=self._scope,
            text=text,
            kind=RECEIPT_KIND,
            status='expired',
            trust='assistant',
            valid_from=at,
            said_at=at,
            recorded_at=at,
            metadata={
                'fingerprint': operation.fingerprint,
                'version': mutation.version,
                'existed': mutation.existed,
            },
            actor=ACTOR,
            change_id=change_id,
            hash=fact_hash(text),
        )

    def _receipt_id(self, operation: MemoryOperation) -> str:
        owner = self._owner
        told = '\x1f'.join((owner.project, owner.kind, owner.key, self._scope.run_id or '', operation.id))
        return str(uuid.UUID(bytes=_digest(told), version=5))


def _ahead() -> datetime:
    """A moment to read from. Files have no end, and may have been written by a machine whose clock is ahead."""
    return now() + timedelta(days=1)


def _content(record: MemoryRecord) -> str:
    blank = record.metadata.get('blank')
    return blank if isinstance(blank, str) else record.text


def _path(record: MemoryRecord) -> str:
    return str(record.metadata.get('path', ''))


def _version(record: MemoryRecord) -> str:
    # With the id: a file that is made anew after it was deleted never has a version that it had before.
    return f'{record.id}.{record.version}'


def _slot(path: str) -> str:
    return f'notebook.{_digest(path).hex()}'


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).digest()


def _changed(path: str) -> MemoryConflictError:
    return MemoryConflictError(f'{path} has another version by now: read it again')


def _check_path(path: str) -> None:
    """Paths are those that every store of theirs takes.

    Raises:
        ValueError: Another one.
    """
    if not all(_SEGMENT.fullmatch(segment) and '..' not in segment for segment in path.split('/')):
        raise InvalidInput(
            f'path {shown(path)} is not made of names of 1 to 200 letters, digits, dots, dashes and underscores '
            'with slashes between them: pass such a one'
        )


def _check_prefix(prefix: str) -> None:
    if prefix:
        _check_path(prefix.removesuffix('/'))


def _check_positive(name: str, value: int) -> None:
    if value <= 0:
        raise InvalidInput(f'{name}={value} is not positive: pass 1 or more')


def _snippet(content: str, query: str, most: int) -> str:
    """A part of the content around the first word of the query that it has, at most so many characters."""
    if len(content) <= most:
        return content
    folded = content.lower()
    places = [place for word in query.lower().split() if (place := folded.find(word)) >= 0]
    start = max(0, min(min(places, default=0) - most // 3, len(content) - most))
    cut = content[start : start + most]
    cut = f'\u2026{cut[1:]}' if start else cut
    return f'{cut[:-1]}\u2026' if start + most < len(content) else cut
