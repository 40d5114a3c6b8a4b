"""What the capability needs of a memory, given by a client of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from memoranda.agents._backend import EngineBackend

if TYPE_CHECKING:
    from memoranda.client import AsyncClient
    from memoranda.memory import AsyncMemory
    from memoranda.policy import Policy
    from memoranda.scope import Scope

__all__ = ['RemoteBackend']

PATIENCE: Final = 0.75
"""Of the time that looking things up may take of a turn: the client is to learn that a server does not answer before it
is interrupted."""


class RemoteBackend(EngineBackend):
    """An `AsyncClient`. It goes on without a server that fails. The server notes the key as the one who acts."""

    traced = False
    overlaps = False

    def __init__(self, client: AsyncClient, *, seconds: float) -> None:
        super().__init__(cast('AsyncMemory', client.patient(PATIENCE * seconds)))
        self._client = client

    def _acting(self, scope: Scope) -> Any:
        return self.memory

    def _unread(self) -> bool:
        return False  # the server's workers see to it

    async def _policy(self) -> Policy:
        return (await self._client.rules()).policy

    async def _batch_turns(self) -> int:
        return (await self._client.known_rules()).batch_turns

    async def _approved(self, ids: list[str]) -> frozenset[str]:
        """Not told by a server: what is doubted stays marked as unconfirmed."""
        return frozenset()
