"""Statements on their way to a server, and its answers: several travel together, over libpq's pipeline mode.

What is sent waits in this process until an answer is wanted; then everything that waits goes at once, and all answers
are taken. So a statement whose answer nobody needs costs no journey, and what is asked before the first answer is
looked at costs one together.
"""

from __future__ import annotations

import selectors
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer

if TYPE_CHECKING:
    from psycopg import Connection as RawConnection
    from psycopg.pq.abc import PGresult

__all__ = ['Answer', 'Wire']

_BINARY: Final = pq.Format.BINARY
_DONE: Final = frozenset((pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY))
_FAILED: Final = pq.ExecStatus.FATAL_ERROR
_OFF: Final = pq.PipelineStatus.OFF
_BAD: Final = pq.ConnStatus.BAD
_OFTEN: Final = 2
"""A statement is prepared when it is sent for the so-manieth time."""
_PREPARED: Final = 200
"""Statements a session holds prepared at most."""
_Selector: Final = getattr(selectors, 'PollSelector', selectors.SelectSelector)
_Key = tuple[bytes, tuple[int, ...] | None]


@lru_cache(maxsize=256)
def _formats(count: int) -> list[PyFormat]:
    return [PyFormat.AUTO] * count


class Answer:
    """What one statement gave, or will."""

    __slots__ = ('_result', '_wire', 'error')

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._result: PGresult | None = None
        self.error: Exception | None = None

    def take(self, result: PGresult) -> None:
        """It has come."""
        self._result = result

    def result(self) -> PGresult:
        """Wait for it."""
        if self._result is None and self.error is None:
            self._wire.wait()
        if self.error is not None:
            raise self.error
        if self._result is None:
            raise psycopg.InterfaceError('a statement was left without an answer')
        return self._result

    def rows(self) -> list[Any]:
        """All rows; wait for them."""
        return self._wire.load(self.result())

    def count(self) -> int:
        """How many rows it wrote, or gave; wait for it."""
        return self.result().command_tuples or 0


class _Mark:
    """In the queue of answers: the end of what went at once."""


class _Prepared:
    """In the queue of answers: a statement that is being prepared."""

    def __init__(self, key: _Key) -> None:
        self.key = key


_MARK: Final = _Mark()


class Wire:
    """Sends and receives. Of one thread.

    Args:
        raw: The connection. Nothing else is to send on it.
        prepares: Whether statements that come again are kept prepared in the session.
    """

    def __init__(self, raw: RawConnection[Any], *, prepares: bool) -> None:
        self._raw, self._pg, self._prepares = raw, raw.pgconn, prepares
        self._adapted = Transformer(raw)
        self._waiting: deque[Answer | _Mark | _Prepared] = deque()
        self._unsent = False
        self._seen: OrderedDict[_Key, int] = OrderedDict()
        self._names: OrderedDict[_Key, bytes] = OrderedDict()
        self._numbers = 0
        self._selector = _Selector()
        self._selector.register(self._pg.socket, selectors.EVENT_READ)

    @property
    def owes(self) -> bool:
        """Whether answers are still to come."""
        return bool(self._waiting)

    def adapt(self) -> None:
        """Look anew how values are told to the server."""
        self._adapted = Transformer(self._raw)

    def send(self, statement: bytes, values: Sequence[Any] = (), *, again: bool = True) -> Answer:
        """Send a statement; it goes when an answer is waited for.

        Args:
            statement: With `$1` for the first value.
            values: What it takes.
            again: Whether it may be kept prepared.
        """
        pg = self._pg
        if pg.pipeline_status == _OFF:
            pg.enter_pipeline_mode()
        told: Any = None
        types: tuple[int, ...] | None = None
        formats: Any = None
        if values:
            adapted = self._adapted
            told = adapted.dump_sequence(values, _formats(len(values)))
            types, formats = adapted.types, adapted.formats
        name = self._name((statement, types)) if again and self._prepares else None
        if name is None:
            pg.send_query_params(statement, told, types, formats, _BINARY)
        else:
            pg.send_query_prepared(name, told, formats, _BINARY)
        answer = Answer(self)
        self._waiting.append(answer)
        self._unsent = True
        return answer

    def _name(self, key: _Key) -> bytes | None:
        """Under which a statement is prepared; None when it isn't yet."""
        name = self._names.get(key)
        if name is not None:
            self._names.move_to_end(key)
            return name
        times = self._seen.pop(key, 0) + 1
        if times < _OFTEN:
            self._seen[key] = times
            if len(self._seen) > _PREPARED:
                self._seen.popitem(last=False)
            return None
        self._numbers += 1
        name = b'memo_%d' % self._numbers
        self._pg.send_prepare(name, *key)
        self._waiting.append(_Prepared(key))
        self._names[key] = name
        if len(self._names) > _PREPARED:
            _, old = self._names.popitem(last=False)
            self.send(b'DEALLOCATE ' + old, again=False)
        return name

    def go(self) -> None:
        """Let everything go that was sent, without waiting for the answers."""
        if self._unsent:
            self._pg.pipeline_sync()
            self._waiting.append(_MARK)
            self._unsent = False
        pg = self._pg
        while pg.flush():
            self._selector.modify(pg.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            try:
                for _, events in self._selector.select():
                    if events & selectors.EVENT_READ:  # the server may wait for this before it takes more
                        pg.consume_input()
            finally:
                self._selector.modify(pg.socket, selectors.EVENT_READ)

    def wait(self) -> None:
        """Let everything go, and take all answers.

        Raises:
            psycopg.Error: A statement failed: the first of those that did. What was sent after it was not done.
        """
        self.go()
        first: Exception | None = None
        waiting = self._waiting
        while waiting:
            item = waiting.popleft()
            result = self._next()
            if item is _MARK:
                continue
            if result is None:
                raise psycopg.OperationalError('the connection was lost')
            if self._next() is not None:
                raise psycopg.InterfaceError('one statement gave two answers')
            status = result.status
            if status in _DONE:
                if isinstance(item, Answer):
                    item.take(result)
                continue
            if status == _FAILED and first is None:
                first = _error(result)
            if isinstance(item, Answer):
                item.error = first or psycopg.InterfaceError(f'a statement was answered by {status}')
            elif isinstance(item, _Prepared):
                self._names.pop(item.key, None)
            if self._pg.status == _BAD:
                waiting.clear()
        if first is not None:
            raise first

    def _next(self) -> PGresult | None:
        pg = self._pg
        while pg.is_busy():
            self._selector.select()
            try:
                pg.consume_input()
            except psycopg.OperationalError:
                if pg.is_busy():  # else the last that came before the end tells why
                    raise
        return pg.get_result()

    def load(self, result: PGresult) -> list[Any]:
        """The rows of an answer."""
        count = result.ntuples
        if not count:
            return []
        self._adapted.set_pgresult(result)
        return self._adapted.load_rows(0, count, tuple)

    def run(self, statements: str) -> None:
        """Run statements that can't travel with others, one journey for all of them."""
        self.wait()
        if self._pg.pipeline_status != _OFF:
            self._pg.exit_pipeline_mode()
        result = self._pg.exec_(statements.encode())
        if result.status == _FAILED:
            raise _error(result)


def _error(result: PGresult) -> psycopg.Error:
    error = errors.error_from_result(result, encoding='utf-8')
    # What no server said is of the connection.
    return error if error.sqlstate is not None else psycopg.OperationalError(str(error))
