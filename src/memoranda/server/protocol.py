"""uvicorn's HTTP protocol, for clients that are slow or send headers without end: those it waits for, for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from memoranda.server.shield import MOST_HEADERS

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Base
else:  # that of httptools, where that is installed
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as _Base

__all__ = ['patient_protocol']

_SLOW: Final = b'HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
_LONG: Final = b'HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'


def patient_protocol(header_seconds: float, drain_seconds: float, most_body: int) -> type[asyncio.Protocol]:
    """The protocol to give to uvicorn.

    Args:
        header_seconds: From the first byte of a request, or from a connection's beginning, to the end of its headers.
        drain_seconds: How long a client may leave an answer unread.
        most_body: Bytes that a body may have: those of a request that was refused before it was read are let pass.
    """
    limits = {'header_seconds': header_seconds, 'drain_seconds': drain_seconds, 'most_body': most_body}
    return type('PatientProtocol', (_Patient,), limits)


class _Patient(_Base):
    header_seconds = 0.0
    drain_seconds = 0.0
    most_body = 0
    _headers_due: asyncio.TimerHandle | None = None
    _unread_due: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        serves, before = self._serves(), self.cycle
        if not serves:
            self._wait_for_headers()
            self._header_bytes += len(data)
        super().data_received(data)
        if self.cycle is not before or self.transport.is_closing():
            self._have_headers()
        elif not serves and self._header_bytes > MOST_HEADERS + self._rest():
            self._end(_LONG)

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        self._was_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread_due is None:
            self._unread_due = self.loop.call_later(self.drain_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._was_read()
        super().resume_writing()

    def _serves(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _rest(self) -> int:
        """What may still come of the body of a request that is answered already."""
        cycle: Any = self.cycle
        return self.most_body if cycle is not None and cycle.more_body else 0

    def _wait_for_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(self.header_seconds, self._too_slow)

    def _have_headers(self) -> None:
        self._header_bytes = 0
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _was_read(self) -> None:
        if self._unread_due is not None:
            self._unread_due.cancel()
            self._unread_due = None

    def _too_slow(self) -> None:
        self._headers_due = None
        if not self._serves():
            self._end(_SLOW if self._header_bytes else b'')

    def _end(self, said: bytes) -> None:
        self._have_headers()
        if not self.transport.is_closing():
            if said:
                self.transport.write(said)
            self.transport.close()
