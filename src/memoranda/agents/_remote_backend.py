"""What the capability needs of a memory, given by a client of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from memoranda.agents._backend import EngineBackend

if TYPE_CHECKING:
    from memoranda.client import AsyncClient
    from memoranda.memory import AsyncMemory
    from memoranda.policy import Policy
    from memoranda.scope import Scope

__all__ = ['RemoteBackend']

PATIENCE = 1.5
"""Seconds that a turn of an agent waits for a server: less than the capability's own timeout, so that the client learns
that it does not answer."""


class RemoteBackend(EngineBackend):
    """An `AsyncClient`. It goes on without a server that fails. The server notes the key as the one who acts."""

    traced = False

    def __init__(self, client: AsyncClient) -> None:
        super().__init__(cast('AsyncMemory', client.patient(PATIENCE)))
        self._client = client

    def _acting(self, scope: Scope) -> Any:
        return self.memory

    async def _policy(self) -> Policy:
        return (await self._client.rules()).policy

    async def _batch_turns(self) -> int:
        return (await self._client.known_rules()).batch_turns

    async def _approved(self, ids: list[str]) -> frozenset[str]:
        """Not told by a server: what is doubted stays marked as unconfirmed."""
        return frozenset()
