"""Requests: sent again where that is safe, within a time, and answers of a bounded size."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from memoranda.client._problems import error_of
from memoranda.errors import ConfigurationError, MemorandaError, StoreError, StoreUnreachable

if TYPE_CHECKING:
    import httpx2

__all__ = ['Answer', 'Ask', 'Wire', 'check_installed', 'check_key', 'check_url']

FIRST_PAUSE: Final = 0.2
"""Seconds: the most of the first pause; of each further one twice as much."""
LONGEST_PAUSE: Final = 10.0
CONNECT_SECONDS: Final = 5.0
_REFUSED: Final = 429
_NOT_NOW: Final = frozenset((429, 502, 503, 504))
_OF_AN_ERROR: Final = 65_536
"""Bytes of an error that are read."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    """Behind the address, percent-encoded."""
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    again: bool = False
    """Whether doing it twice does no more than doing it once."""
    seconds: float | None = None
    """For this one; None: as for all."""
    most: int | None = None
    """Bytes of its answer; None: as for all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and was no error."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _Later(Exception):
    """It isn't done now.

    Attributes:
        error: Why.
        after: Seconds that it asked to be left alone for.
        undone: Whether it surely has done nothing of it.
    """

    def __init__(self, error: MemorandaError, after: float, *, undone: bool) -> None:
        super().__init__(str(error))
        self.error, self.after, self.undone = error, after, undone


class Wire:
    """A pool of connections to one server. Belongs to one event loop at a time.

    Args:
        url: Of the server, checked.
        key: The API key.
        timeout: Seconds for a request, all its tries together.
        retries: How often a request is sent again.
        most: Bytes of an answer.
        connections: At the same time.
        transport: In place of the network, for tests and proxies.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float,
        retries: int,
        most: int,
        connections: int,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url, self.timeout, self.retries = url, timeout, retries
        self._key, self._most, self._connections = key, most, connections
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f'<Wire {self.url}>'

    async def send(self, ask: Ask, *, retries: int | None = None) -> Answer:
        """Send a request, and again where that is safe.

        Raises:
            StoreUnreachable: The server doesn't answer, or not in time.
            MemorandaError: What it answers.
        """
        seconds = self.timeout if ask.seconds is None else ask.seconds
        most = self.retries if retries is None else retries
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        number = 0
        while True:
            try:
                async with asyncio.timeout_at(until):
                    return await self._once(ask, seconds)
            except TimeoutError:
                raise StoreUnreachable(
                    f'{self.url} did not answer within {seconds:g} s: look at it, or pass a longer timeout'
                    + ('' if ask.again else '; whether it was done is unknown')
                ) from None
            except _Later as later:
                error, after = later.error, later.after
                repeatable = ask.again or later.undone
            number += 1
            pause = after + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(number - 1, 20)))  # noqa: S311
            if not repeatable or number > most or loop.time() + pause >= until:
                raise error from None
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close the connections. A later request opens others."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _once(self, ask: Ask, seconds: float) -> Answer:
        async with self._begun(ask, seconds) as response:
            status = response.status_code
            if 200 <= status < 300 or status == 304:
                body = await self._read(response, ask.most or self._most)
                return Answer(status, response.headers, body)
            body = await _beginning(response)
            error = error_of(status, response.headers.get('content-type', ''), body, address=self.url)
            if status in _NOT_NOW:
                raise _Later(error, _retry_after(response.headers), undone=status == _REFUSED)
            raise error

    @asynccontextmanager
    async def _begun(self, ask: Ask, seconds: float) -> AsyncGenerator[httpx2.Response]:
        """An answer whose head has come; errors of the network as ours, without the request that they carry."""
        import httpx2

        client = self._open()
        headers = {**ask.headers, 'Content-Type': 'application/json'} if ask.body is not None else dict(ask.headers)
        request = client.build_request(
            ask.method,
            f'{self.url}{ask.path}',
            params=ask.params or None,
            content=ask.body,
            headers=headers,
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        )
        # After sending, a body that breaks off is told like a connection that does.
        try:
            response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            words = (
                f'{self.url} can not be reached ({type(error).__name__}): see whether the server runs, and the address'
            )
            raise _Later(StoreUnreachable(words), 0.0, undone=True) from None
        except (httpx2.RequestError, httpx2.StreamError) as error:
            words = f'{self.url} broke off ({type(error).__name__}): look at the server, and what stands in front of it'
            raise _Later(StoreUnreachable(words), 0.0, undone=False) from None

    async def _read(self, response: httpx2.Response, most: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > most:
                raise StoreError(
                    f'the answer of {self.url} has more than {most:,} bytes: ask for less (limit, top_k), or pass '
                    'a larger max_answer_bytes'
                )
            parts.append(part)
        return b''.join(parts)

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None or self._pid != os.getpid():  # connections of before a fork are the parent's
            import httpx2

            from memoranda import __version__

            # A key for this machine is not for the proxy of others.
            self._pid = os.getpid()
            self._client = httpx2.AsyncClient(
                headers={
                    'Authorization': f'Bearer {self._key}',
                    'User-Agent': f'memoranda/{__version__}',
                    'Accept': 'application/json, application/problem+json',
                },
                limits=httpx2.Limits(
                    max_connections=self._connections, max_keepalive_connections=self._connections, keepalive_expiry=4.0
                ),
                transport=self._transport,
                trust_env=not is_loopback(urlsplit(self.url).hostname or ''),
            )
        return self._client


async def _beginning(response: httpx2.Response) -> bytes:
    found = b''
    async for part in response.aiter_bytes():
        found += part
        if len(found) > _OF_AN_ERROR:
            break
    return found[:_OF_AN_ERROR]


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to be left alone for; a date is left to the pauses."""
    text = headers.get('retry-after', '').strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0.0


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host.casefold() == 'localhost' or host.casefold().endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: object, *, allow_http: bool) -> str:
    """The address of a server, without a slash at its end.

    Raises:
        ConfigurationError: It is none, or a key would cross a network in clear text.
    """
    text = url.strip() if isinstance(url, str) else ''
    if not text:
        raise ConfigurationError(
            'no address of a server was given: pass one such as https://memory.example, or set MEMORANDA_URL'
        )
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(''), None
    if parts.scheme not in ('http', 'https') or not host:
        raise ConfigurationError(
            'the address is none of a server (its value is not shown, it may hold a password): pass such as '
            'https://memory.example, or set MEMORANDA_URL'
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f'the address of {host} has a user name, a password, a query or a fragment in it: leave these out, and '
            'pass the key as api_key'
        )
    if parts.scheme == 'http' and not is_loopback(host) and not allow_http:
        raise ConfigurationError(
            f'http://{host} would send the API key, and what is remembered, in clear text: use https://, or pass '
            'allow_http=True where the network itself is private'
        )
    last = parts.path.rstrip('/').rpartition('/')[2]
    if last in ('v1', 'mcp'):  # every call would get 404, and an agent would go on without a memory
        raise ConfigurationError(
            f'the address of {host} ends with /{last}, which is a path of the server: leave it out, as in '
            'https://memory.example'
        )
    return text.rstrip('/')


def check_key(key: object) -> str:
    """An API key.

    Raises:
        ConfigurationError: It is none. The message doesn't hold it.
    """
    if not isinstance(key, str) or not key.strip():
        raise ConfigurationError('there is no API key: pass api_key=..., or set MEMORANDA_API_KEY')
    text = key.strip()
    if not text.isascii() or not text.isprintable() or ' ' in text:
        raise ConfigurationError('the API key has characters that no key has: copy it anew')
    return text


def check_installed() -> None:
    """Whether httpx2 is there.

    Raises:
        ConfigurationError: It isn't.
    """
    if find_spec('httpx2') is None:
        raise ConfigurationError("the client needs httpx2: pip install 'memoranda[client]'")
