"""`AsyncClient`: a memory on a server."""

from __future__ import annotations

from memoranda.client._reading import Reading
from memoranda.client._upkeep import Upkeep
from memoranda.client._writing import Writing

__all__ = ['AsyncClient']


class AsyncClient(Reading, Writing, Upkeep):
    """A memory on a server (`memoranda serve`), used like an `AsyncMemory`.

    Methods, arguments, records and exceptions are those of `AsyncMemory`; docs/client.md lists what is missing. The
    key decides over the project, and is what the server's audit names. May be shared by threads and event loops;
    `async with` or `close()` ends it.

    Args:
        url: Of the server, such as `https://memory.example`; by default `MEMORANDA_URL`.
        api_key: By default `MEMORANDA_API_KEY`.
        timeout: Seconds for a call, all its tries together.
        retries: How often a request is sent again that can't be reached, or that the server puts off; one that may have
            been done already only if doing it twice does no harm.
        errors: `'degrade'` lets an agent go on when the server can't be reached: `search` and `context` find nothing,
            and a background `add` keeps its messages in this process until they can be sent. `'raise'` raises.
        degrade_seconds: How long these three wait for the server before they go on without it.
        max_connections: At the same time.
        max_answer_bytes: A larger answer is refused.
        allow_http: Allow an `http://` address that is not this machine's: the key crosses the network in clear text.
        transport: Of httpx2, in place of the network: for tests and proxies.

    Raises:
        ConfigurationError: An argument or variable that can't be used, or httpx2 is not installed. Nothing is sent yet.
    """
