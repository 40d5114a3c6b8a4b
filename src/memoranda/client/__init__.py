"""The client of the HTTP API: `AsyncClient` and `Client`, which take the place of `AsyncMemory` and `Memory`.

Nothing here loads httpx2 before the first request.
"""

from __future__ import annotations

from memoranda.client.aio import AsyncClient
from memoranda.client.sync import Client

__all__ = ['AsyncClient', 'Client']
