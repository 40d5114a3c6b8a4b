"""Headers that tell browsers to keep away, and refusal of requests that were led here by another name."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from memoranda.server.surfaces import Surfaces

__all__ = ['LOOPBACK_HOSTS', 'MOST_HEADERS', 'PROBES', 'Shield']

MOST_HEADERS: Final = 65_536
"""Bytes of names and values together."""
LOOPBACK_HOSTS: Final = ('localhost', '127.0.0.1', '::1')
_HEADERS: Final = (
    (b'cache-control', b'no-store'),
    (b'content-security-policy', b"default-src 'none'; frame-ancestors 'none'"),
    (b'cross-origin-resource-policy', b'same-origin'),
    (b'referrer-policy', b'no-referrer'),
    (b'x-content-type-options', b'nosniff'),
    (b'x-frame-options', b'DENY'),
)
"""Unless an answer has them already."""
_STRICT: Final = (b'strict-transport-security', b'max-age=31536000')
PROBES: Final = ('/health', '/ready')
"""Asked by address."""
_BROKEN: Final = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f]')
_HOST: Final = re.compile(r'(?:\[([0-9a-f:.]+)\]|([^\[\]:]*))(?::\d{1,5})?', re.IGNORECASE)


class Shield:
    """The outermost layer.

    Args:
        app: What is shielded.
        hosts: Names that a request may call the server by; none: any. A page that makes a browser take its own name
            for this machine's address (DNS rebinding) still sends that name.
        surfaces: How errors are told.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], surfaces: Surfaces) -> None:
        self.app = app
        self._hosts = {name.strip('[]').lower() for name in hosts}
        self._surfaces = surfaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and dress its answer, or answer 400, 421 or 431."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message['type'] == 'http.response.start':
                raw: list[tuple[bytes, bytes]] = message.setdefault('headers', [])
                kept = [(n, v) for n, v in raw if not _BROKEN.search(n) and not _BROKEN.search(v)]
                has = {name for name, _ in kept}
                kept += [header for header in _HEADERS if header[0] not in has]
                if scope.get('scheme') == 'https' and _STRICT[0] not in has:
                    kept.append(_STRICT)
                message['headers'] = kept
            await send(message)

        # The protocol cuts off what goes on and on; headers that came at once are there before it has counted them.
        if sum(len(name) + len(value) for name, value in scope['headers']) > MOST_HEADERS:
            problem = Problem(431, f'the headers have more than {MOST_HEADERS // 1024} KiB: send less of them')
            await self._surfaces.render(scope['path'], problem)(scope, receive, dressed)
            return
        if self._hosts and scope['path'] not in PROBES and not self._knows(scope):
            problem = Problem(421, 'this server does not go by that name: see server_hosts in the settings')
            await self._surfaces.render(scope['path'], problem)(scope, receive, dressed)
            return
        if not all(_is_text(scope.get(part) or b'') for part in ('raw_path', 'query_string')):
            problem = Problem(400, 'the address is not UTF-8, and two names may become one: encode it as UTF-8')
            await self._surfaces.render(scope['path'], problem)(scope, receive, dressed)
            return
        await self.app(scope, receive, dressed)

    def _knows(self, scope: Scope) -> bool:
        given = [value for name, value in scope['headers'] if name == b'host']
        if len(given) != 1:
            return False
        found = _HOST.fullmatch(given[0].decode('latin-1').strip())
        return found is not None and (found[1] or found[2]).lower().rstrip('.') in self._hosts


def _is_text(part: bytes) -> bool:
    try:
        (unquote_to_bytes(part) if b'%' in part else part).decode()
    except UnicodeDecodeError:
        return False
    return True
