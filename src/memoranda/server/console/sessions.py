"""Who is signed in: a cookie that stands for an API key, for as long as that key is in force.

It holds the SHA-256 of the key (from which nobody gets the key), when it was made and until when it is good, and a
random number; and a MAC of these under a key that is derived from the server's secret and that SHA-256. The key is
looked up at every request, so one that is revoked, rotated or expires takes its sessions with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from memoranda.errors import ConfigurationError
from memoranda.keys import digest_of, well_formed
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from memoranda.keys import NewKey
    from memoranda.server.access import Caller
    from memoranda.server.keyring import Keys

__all__ = [
    'HOME',
    'SAFE',
    'SIGN_IN',
    'Local',
    'Session',
    'Sessions',
    'check_origin',
    'in_console',
    'own_path',
    'path_of',
]

HOME: Final = '/console'
SIGN_IN: Final = f'{HOME}/sign-in'
SAFE: Final = frozenset({'GET', 'HEAD', 'OPTIONS'})
IDLE_SECONDS: Final = 8 * 3600
LONGEST_SECONDS: Final = 24 * 3600
"""However busy somebody is."""
RENEW_SECONDS: Final = 300
ONCE_SECONDS: Final = 120
_FAILURES: Final = 10
"""Sign-ins that may fail in a row before the next one has to wait, ..."""
_FAILURE_SECONDS: Final = 6.0
"""... so long for each."""
_ADDRESSES: Final = 4096
_ENDED: Final = 100_000
_SECONDS: Final = re.compile('[0-9]{1,12}')
_SHORTEST_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    digest: bytes
    begun: int
    """Seconds since 1970."""
    until: int
    random: str
    key: bytes
    """Signs for this session."""
    cookie: str
    """The name of its cookie."""
    secure: bool

    @property
    def csrf(self) -> str:
        """What shows that a request comes from a page of this session."""
        return _mac(self.key, b'csrf', self.random.encode())

    async def check(self, request: Request) -> None:
        """Make sure that a page of this server sent a request that changes something.

        Raises:
            Problem: 403, it did not.
        """
        check_origin(request)
        given = request.headers.get('x-csrf-token')
        if given is None:
            value = (await request.form()).get('csrf')
            given = value if isinstance(value, str) else ''
        if not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise Problem(403, 'this page is of an earlier session: load it again')

    def sign(self, value: Any) -> str:
        """A value that comes back by a cookie."""
        body = _base64(json.dumps(value).encode())
        return f'{body}.{_mac(self.key, b"value", body.encode())}'

    def read(self, signed: str) -> Any:
        """The value that was signed, or None."""
        body, _, mac = signed.partition('.')
        if not hmac.compare_digest(mac.encode(), _mac(self.key, b'value', body.encode()).encode()):
            return None
        return json.loads(_bytes(body))


@dataclass(frozen=True, slots=True)
class Local:
    """Whoever sits at this machine."""

    key: NewKey
    """Of this process."""
    actor: str
    """On whose account they act."""
    show: Callable[[str], None]
    """Told the address that lets them in, once the server answers."""


class Sessions:
    """All of a server.

    Args:
        keys: Who holds which key.
        secret: What the MACs stand on; processes that share it know each other's sessions. Empty: a random one of this
            process.
        local: Whose key may be used once without being pasted (`once`).
        clock: Seconds since 1970, for tests.

    Raises:
        ConfigurationError: A secret that is too short.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        secret: str = '',
        local: Local | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if secret and len(secret) < _SHORTEST_SECRET:
            raise ConfigurationError(
                f'console_secret has {len(secret)} characters, which can be guessed: give at least {_SHORTEST_SECRET} '
                'random ones'
            )
        self._keys = keys
        self._secret = secret.encode() or secrets.token_bytes(32)
        self._local = local
        self._clock = clock
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._once = secrets.token_urlsafe(32)
        self._once_until = clock() + ONCE_SECONDS if local is not None else 0.0

    @property
    def once(self) -> str:
        """The path that signs in with the local key: once, within two minutes."""
        return f'{HOME}/enter?token={self._once}'

    async def find(self, request: Request) -> tuple[Caller, Session] | None:
        """Who sent a request, by its cookie."""
        name, secure = _cookie(request)
        session = self._read(request.cookies.get(name, ''), name, secure)
        if session is None:
            return None
        caller = await self._keys.holder(session.digest)
        if caller is None:
            return None
        return self._as(caller, session.digest), session

    async def enter(self, request: Request, secret: str) -> Session | None:
        """Sign in with a key; None: it opens nothing.

        Raises:
            Problem: 429, too many have failed from that address.
        """
        address = request.client.host if request.client is not None else ''
        self._may_try(address)
        digest = digest_of(secret)
        if not well_formed(secret) or await self._keys.holder(digest) is None:
            self._note_failure(address)
            return None
        self._failed.pop(address, None)
        return self._made(request, digest)

    def enter_once(self, request: Request, token: str) -> Session | None:
        """Sign in by the path that `once` told; None: it was used, or is too old."""
        fits = hmac.compare_digest(token.encode(), self._once.encode())
        if not fits or self._local is None or self._clock() >= self._once_until:
            return None
        self._once_until = 0.0
        return self._made(request, self._local.key.digest)

    def give(self, response: Response, session: Session) -> None:
        """Put the cookie into an answer."""
        fields = _fields(session.digest, session.begun, session.until, session.random)
        response.set_cookie(
            session.cookie,
            f'{fields}.{_mac(session.key, b"session", fields.encode())}',
            max_age=max(0, session.until - int(self._clock())),
            path=HOME,
            secure=session.secure,
            httponly=True,
            samesite='strict',
        )

    def renewed(self, session: Session) -> Session | None:
        """The same one with more time, when some of it is gone."""
        at = int(self._clock())
        until = min(at + IDLE_SECONDS, session.begun + LONGEST_SECONDS)
        return replace(session, until=until) if until - session.until >= RENEW_SECONDS else None

    def end(self, session: Session) -> None:
        """Sign out: the cookie opens nothing any more."""
        self._ended[session.random] = None
        if len(self._ended) > _ENDED:
            self._ended.popitem(last=False)

    def _made(self, request: Request, digest: bytes) -> Session:
        name, secure = _cookie(request)
        at, random = int(self._clock()), secrets.token_urlsafe(18)
        return Session(digest, at, at + IDLE_SECONDS, random, self._key(digest), name, secure)

    def _read(self, value: str, name: str, secure: bool) -> Session | None:
        parts = value.split('.')
        if len(value) > 400 or len(parts) != 5:
            return None
        digest = _bytes(parts[0])
        if len(digest) != 32 or not all(_SECONDS.fullmatch(part) for part in parts[1:3]):
            return None
        begun, until, random = int(parts[1]), int(parts[2]), parts[3]
        key = self._key(digest)
        expected = _mac(key, b'session', _fields(digest, begun, until, random).encode())
        if not hmac.compare_digest(parts[4].encode(), expected.encode()):
            return None
        at = self._clock()
        if at >= until or at >= begun + LONGEST_SECONDS or random in self._ended:
            return None
        return Session(digest, begun, until, random, key, name, secure)

    def _key(self, digest: bytes) -> bytes:
        """HKDF-SHA256 (RFC 5869) for one block, with the key's hash as salt."""
        extracted = hmac.digest(digest, self._secret, 'sha256')
        return hmac.digest(extracted, b'memoranda console session\x01', 'sha256')

    def _as(self, caller: Caller, digest: bytes) -> Caller:
        if self._local is None or digest != self._local.key.digest:
            return caller
        return replace(caller, memory=caller.memory.acting_as(self._local.actor))

    def _may_try(self, address: str) -> None:
        level, at = self._failed.get(address, (0.0, 0.0))
        left = max(0.0, level - (self._clock() - at) / _FAILURE_SECONDS)
        if left >= _FAILURES:
            wait = int((left - _FAILURES + 1) * _FAILURE_SECONDS) + 1
            raise Problem(429, f'too many keys were wrong: wait {wait} s', headers={'Retry-After': str(wait)})

    def _note_failure(self, address: str) -> None:
        level, at = self._failed.pop(address, (0.0, 0.0))
        clock = self._clock()
        self._failed[address] = (max(0.0, level - (clock - at) / _FAILURE_SECONDS) + 1, clock)
        if len(self._failed) > _ADDRESSES:
            self._failed.popitem(last=False)


def in_console(path: str) -> bool:
    """Whether a path is of the console, a page's or none."""
    return path == HOME or path.startswith(f'{HOME}/')


def own_path(path: str | None) -> str:
    """Where to go on to: a path of the console as it is, and else the first page of it."""
    if not path or '\\' in path or any(sign <= ' ' or sign == '\x7f' for sign in path):
        return HOME
    try:
        found = urlsplit(path)
    except ValueError:
        return HOME
    dots = any(part in ('.', '..') for part in found.path.replace('%2e', '.').replace('%2E', '.').split('/'))
    if found.scheme or found.netloc or not in_console(found.path) or dots or path.startswith('//'):
        return HOME
    return path


def path_of(request: Request) -> str:
    """The path of a request with its query, as it was sent."""
    raw: bytes = request.scope.get('raw_path') or request.url.path.encode()
    query: bytes = request.scope.get('query_string', b'')
    return raw.partition(b'?')[0].decode('latin-1') + (f'?{query.decode("latin-1")}' if query else '')


def _fields(digest: bytes, begun: int, until: int, random: str) -> str:
    return f'{_base64(digest)}.{begun}.{until}.{random}'


def _cookie(request: Request) -> tuple[str, bool]:
    """The name of the cookie and whether it needs TLS. Servers on one machine, at other ports, each have their own."""
    port = request.url.port
    plain = request.url.scheme == 'http' and _is_loopback(request.url.hostname or '')
    return f'memoranda_console{f"_{port}" if plain and port else ""}', not plain


def _is_loopback(host: str) -> bool:
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_origin(request: Request) -> None:
    """Make sure that a page of this server sent a request.

    Raises:
        Problem: 403, it did not.
    """
    if not _same_origin(request):
        raise Problem(403, 'this request came from another site: open the console and do it there')


def _same_origin(request: Request) -> bool:
    """Browsers say where a request comes from, in one of two headers. Who says nothing is kept out."""
    site = request.headers.get('sec-fetch-site')
    if site is not None:
        return site == 'same-origin'
    try:
        given = urlsplit(request.headers.get('origin', ''))
    except ValueError:
        return False
    return bool(given.netloc) and given.netloc.lower() == request.headers.get('host', '').lower()


def _mac(key: bytes, what: bytes, of: bytes) -> str:
    return _base64(hmac.digest(key, what + b'\0' + of, hashlib.sha256))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode('ascii') + b'==', altchars=b'-_', validate=False)
    except ValueError:
        return b''
