"""Where a search and an add on PostgreSQL spend their time: journeys to the server and statements."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from memoranda.stores.postgres.database import PostgresConnection

__all__ = ['profiled']

_METHODS = ('execute', 'executemany', 'script')


class Journeys:
    """Counts what is sent to the server, and how long each answer took."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._originals: dict[str, Any] = {}

    def __enter__(self) -> Journeys:
        for name in _METHODS:
            self._originals[name] = original = getattr(PostgresConnection, name)

            def timed(connection: Any, statement: str, *rest: Any, _original: Any = original) -> Any:
                began = time.perf_counter()
                try:
                    return _original(connection, statement, *rest)
                finally:
                    self.seconds[_short(statement)].append(time.perf_counter() - began)

            setattr(PostgresConnection, name, timed)
        return self

    def __exit__(self, *_: object) -> None:
        for name, original in self._originals.items():
            setattr(PostgresConnection, name, original)

    def report(self, calls: int) -> None:
        total = sum(map(len, self.seconds.values())) / calls
        spent = 1e3 * sum(map(sum, self.seconds.values())) / calls
        print(f'    {total:.1f} journeys to the server, {spent:.2f} ms in them')
        for statement, taken in sorted(self.seconds.items(), key=lambda item: -sum(item[1]))[:20]:
            print(f'      {1e3 * sum(taken) / calls:7.2f} ms {len(taken) / calls:6.2f} x  {statement}')


def _short(statement: str) -> str:
    return re.sub(r'\s+', ' ', statement).strip()[:130]


def profiled(search: Callable[[], object], add: Callable[[], object], *, calls: int = 60) -> None:
    """Print what a call of each consists of."""
    for name, call in (('search', search), ('add', add)):
        for _ in range(8):  # plans are made, statements prepared
            call()
        with Journeys() as journeys:
            began, used = time.perf_counter(), time.process_time()
            for _ in range(calls):
                call()
            took, used = time.perf_counter() - began, time.process_time() - used
        print(f'  a {name}: {1e3 * took / calls:.2f} ms, {1e3 * used / calls:.2f} ms of this process')
        journeys.report(calls)
