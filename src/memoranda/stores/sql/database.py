# ruff: noqa: D102, A002  # the names and docs of these are apsw's
"""What the statements are run on: the part of an apsw connection that is used, and what a driver makes to be like it.

Parameters are written as SQLite does: `?` takes the next number after the greatest so far, `?3` is the third.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from memoranda.stores.sql.dialect import Dialect

__all__ = ['Connection', 'Fetched', 'Rows']

T = TypeVar('T')


class Rows(Protocol):
    """What a statement gives. Columns may hold anything, so rows are `Any`."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Fetched:
    """Rows that are here already."""

    __slots__ = ('_left',)

    def __init__(self, rows: Iterable[Any]) -> None:
        self._left = deque(rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def fetchone(self) -> Any:
        """The next row; None at the end."""
        return self._left.popleft() if self._left else None

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        left, self._left = self._left, deque[Any]()
        return list(left)


class Connection(Protocol):
    """See `apsw.Connection`."""

    @property
    def dialect(self) -> Dialect:
        """What its database calls things."""
        ...

    @property
    def skew_us(self) -> int:
        """How far the clock that leases are told by is ahead of this machine's, in microseconds."""
        ...

    @property
    def violations(self) -> tuple[type[Exception], ...]:
        """What it raises when a constraint is violated. Nothing more can be done in that transaction."""
        ...

    def durably(self, function: Callable[[Connection], T], /) -> T:
        """Run a function in a transaction of its own that survives a loss of power. Outside a transaction only."""
        ...

    def ask(self, statement: str, values: Sequence[Any] = ..., /) -> Rows:
        """Run a statement whose rows are looked at later, if at all: what is asked before costs one journey with it."""
        ...

    def last(self) -> None:
        """Nothing more is asked in this snapshot: it may end with what was."""
        ...

    def ending(self, means: Callable[[], Exception], /) -> None:
        """Nothing more is done in this transaction: a constraint found violated at its end is raised as this."""
        ...

    def settle(self) -> None:
        """Have all that was executed fail that fails, where it may still be on its way."""
        ...

    @property
    def in_transaction(self) -> bool: ...
    def execute(self, statements: str, bindings: Sequence[Any] = ..., /) -> Rows: ...
    def executemany(self, statements: str, bindings: Iterable[Sequence[Any]], /) -> Rows: ...
    def pragma(self, name: str, value: Any = ..., /) -> Any: ...
    def changes(self) -> int: ...
    def set_busy_timeout(self, milliseconds: int, /) -> None: ...
    def release_memory(self) -> None: ...
    def readonly(self, name: str, /) -> bool: ...
    def create_scalar_function(
        self, name: str, callable: Callable[..., Any] | None, numargs: int = ..., /, *, deterministic: bool = ...
    ) -> None: ...
    def close(self, force: bool = ..., /) -> None: ...
