"""Going on to the end although the run is cancelled: what the user said is stored whatever becomes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import anyio

__all__ = ['unbroken']

_left: set[asyncio.Task[None]] = set()
"""Those that nobody waits for any more: a loop holds its tasks only weakly."""


async def unbroken(coroutine: Coroutine[Any, Any, None]) -> None:
    """Await something, and let it come to its end also when whoever awaits it is cancelled, who waits for it.

    A shield of anyio holds off its own scopes, and not `asyncio.Task.cancel`, by which most servers end a request.
    Cancelled once more, the caller goes at once, and the rest is done behind it, unless the loop ends. It is to tell of
    its own failures.
    """
    with anyio.CancelScope(shield=True):
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # Trio, which has no other way to cancel
            await coroutine
            return
        task = asyncio.ensure_future(coroutine)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                _left.add(task)
                task.add_done_callback(_settled)
                await asyncio.wait((task,))
            raise


def _settled(task: asyncio.Task[None]) -> None:
    _left.discard(task)
    with suppress(asyncio.CancelledError):
        task.exception()  # has been looked at: nobody else will
