"""Showing how far long work has come: a bar in a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memoranda.cli._output import out

__all__ = ['Advance', 'shown']

Advance = Callable[[str, int, int, str], None]
"""Told (what is being done, how much is done, of how much, how fast)."""
_EVERY_SECONDS: Final = 10.0
"""How often a line is written where there is no terminal."""


@contextmanager
def shown(*, quiet: bool) -> Generator[Advance | None]:
    """What shows progress on standard error; None when nothing is to be shown."""
    console = out(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        pace = TextColumn('{task.fields[pace]}')
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), pace
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task('', total=None, pace='')
            yield lambda what, done, total, pace: bar.update(
                task, description=what, completed=done, total=total, pace=pace
            )
    else:
        told = time.monotonic()

        def tell(what: str, done: int, total: int, pace: str) -> None:
            nonlocal told
            if time.monotonic() - told >= _EVERY_SECONDS:
                told = time.monotonic()
                console.print(f'{what}: {done:,} of {total:,}{", " if pace else ""}{pace}', style='dim')

        yield tell
