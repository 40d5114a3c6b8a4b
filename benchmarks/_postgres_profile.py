"""Where a search and an add on PostgreSQL spend their time: journeys to the server and statements."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from memoranda.stores.postgres.wire import Wire

__all__ = ['profiled']


class Journeys:
    """Counts what is sent to the server, and how long its answers were waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.statements: Counter[str] = Counter()
        self._originals: dict[str, Any] = {}

    def __enter__(self) -> Journeys:
        send, wait = Wire.send, Wire.wait
        self._originals = {'send': send, 'wait': wait}

        def counted(wire: Wire, statement: bytes, *rest: Any, **more: Any) -> Any:
            self.statements[_short(statement.decode())] += 1
            return send(wire, statement, *rest, **more)

        def timed(wire: Wire) -> None:
            asked, began = wire.owes, time.perf_counter()
            try:
                wait(wire)
            finally:
                if asked:
                    self.seconds.append(time.perf_counter() - began)

        Wire.send, Wire.wait = counted, timed  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *_: object) -> None:
        for name, original in self._originals.items():
            setattr(Wire, name, original)

    def report(self, calls: int) -> None:
        sent = sum(self.statements.values()) / calls
        print(
            f'    {len(self.seconds) / calls:.1f} journeys to the server, {1e3 * sum(self.seconds) / calls:.2f} ms in '
            f'them, with {sent:.1f} statements'
        )
        for statement, times in self.statements.most_common(25):
            print(f'      {times / calls:6.2f} x  {statement}')


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
