"""One client on standard input and output. Only the protocol is written there: the SDK sends the rest to stderr."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import anyio
from mcp.server.stdio import stdio_server

from memoranda.embedders.local import LocalEmbedder
from memoranda.mcp.server import build

if TYPE_CHECKING:
    from memoranda.mcp.principal import Principal
    from memoranda.memory import AsyncMemory

__all__ = ['serve']

log = logging.getLogger('memoranda.mcp')

CLOSE_SECONDS: Final = 10.0


def serve(principal: Principal) -> None:
    """Serve until the client goes or the process is told to end."""
    anyio.run(_serve, principal)


async def _serve(principal: Principal) -> None:
    opened = anyio.Event()
    server = build(lambda _: dataclasses.replace(principal, ready=opened.wait))
    memory = principal.memory
    try:
        async with anyio.create_task_group() as tasks:
            if sys.platform != 'win32':
                tasks.start_soon(_end_on_signal, memory)
            tasks.start_soon(_open, memory, opened)
            async with stdio_server() as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
            tasks.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await memory.close()


async def _open(memory: AsyncMemory, opened: anyio.Event) -> None:
    """Get ready while the client introduces itself. What fails here is told by the call that needs it."""
    try:
        await memory.__aenter__()
        embedder = memory.engine.embedder
        if isinstance(embedder, LocalEmbedder):
            await memory.engine.compute(embedder.load)
    except Exception as error:
        log.error('the memory can not be opened (%s): calls will say so', type(error).__name__)
    finally:
        opened.set()


async def _end_on_signal(memory: AsyncMemory) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.warning('ending because of %s', signal.Signals(number).name)
            with anyio.move_on_after(CLOSE_SECONDS):
                await memory.close()
            # A thread waits for a line of input, and nothing can wake it: what is stored is stored.
            os._exit(0)
