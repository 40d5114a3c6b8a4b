"""A server in a process of its own: slow clients, many of them, those that leave, and the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from _fakes import fast
from _server import Process, process

PARTS = ('_server_part', 'memoranda.server.native')
CONNECTIONS = int(os.environ.get('IDLE_CONNECTIONS', '400'))
"""How many are left idle; 5,000 takes a limit of open files that lets the tests have as many."""


def _connect(server: Process) -> socket.socket:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def _rest(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b''.join(parts)


def _head(server: Process, path: str, *more: str, method: str = 'POST') -> bytes:
    lines = [f'{method} {path} HTTP/1.1', 'host: localhost', f'x-api-key: {server.key("admin")}', *more]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode()


@pytest.fixture(scope='module')
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('impatient') / 'm.db'


@pytest.fixture(scope='module')
def impatient(path: Path) -> Iterator[Process]:
    settings = {'server_header_seconds': 0.5, 'server_body_seconds': 0.5, 'server_max_body_kb': 64}
    with process(path, parts=PARTS, **settings) as server:
        yield server
        assert server.stop() == 0
        assert not [line for line in server.said if 'Traceback' in line]


def test_headers_that_do_not_end_in_time_are_answered_408(impatient: Process) -> None:
    with _connect(impatient) as connection:
        connection.sendall(b'GET /health HTTP/1.1\r\nhost: local')
        assert _rest(connection).startswith(b'HTTP/1.1 408 ')


def test_a_connection_that_says_nothing_is_closed(impatient: Process) -> None:
    with _connect(impatient) as connection:
        assert _rest(connection) == b''


def test_headers_without_end_are_answered_431(impatient: Process) -> None:
    with _connect(impatient) as connection:
        connection.sendall(b'GET /health HTTP/1.1\r\nhost: localhost\r\nx-long: ')
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b'a' * 200_000)
        answer = _rest(connection)
        assert answer == b'' or answer.startswith((b'HTTP/1.1 431 ', b'HTTP/1.1 400 '))


def test_a_body_that_does_not_end_in_time_is_answered_408(impatient: Process) -> None:
    with _connect(impatient) as connection:
        connection.sendall(_head(impatient, '/test/echo', 'content-type: application/json', 'content-length: 100'))
        connection.sendall(b'{"a": ')
        answer = _rest(connection)
        assert answer.startswith(b'HTTP/1.1 408 ')
        assert b'problem+json' in answer


def test_whoever_does_not_read_the_answer_is_cut_off(impatient: Process) -> None:
    with _connect(impatient) as connection:
        connection.sendall(_head(impatient, '/test/large', method='GET'))
        # Once another request has waited for as long, the rest of the 50 MB was given up.
        with _connect(impatient) as other:
            assert _rest(other) == b''
        with _connect(impatient) as other:
            assert _rest(other) == b''
        assert len(_rest(connection)) < 50_000_000


def test_a_refused_body_that_is_still_sent_does_not_hide_the_answer(impatient: Process) -> None:
    for head, status in (
        (_head(impatient, '/test/echo', 'content-length: 100000').replace(b'x-api-key', b'x-no-key'), b'401'),
        (_head(impatient, '/test/echo', 'content-length: 100000'), b'413'),
        (_head(impatient, '/nowhere', 'content-length: 60000'), b'404'),
    ):
        with _connect(impatient) as connection:
            connection.sendall(head)
            connection.sendall(b'x' * int(head.partition(b'content-length: ')[2].split()[0]))
            assert connection.recv(65_536).startswith(b'HTTP/1.1 ' + status)
            connection.sendall(_head(impatient, '/health', 'connection: close', method='GET'))
            assert b'HTTP/1.1 200 ' in _rest(connection)


@pytest.mark.parametrize(
    'request_',
    [
        b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        b'GET / HTTP/9.9\r\n\r\n',
        b'POST /test/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        b'POST /test/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n',
        b'GET /health HTTP/1.1\r\nhost: localhost\r\nx-a: b\rc\r\n\r\n',
        b'GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\nx-\x00: b\r\n\r\n',
    ],
)
def test_what_is_no_http_is_refused(impatient: Process, request_: bytes) -> None:
    with _connect(impatient) as connection:
        connection.sendall(request_)
        answer = _rest(connection)
        assert answer == b'' or answer[9:12] in (b'400', b'401', b'408', b'421', b'505'), answer


def test_idle_connections_hold_up_nobody_and_are_closed(impatient: Process) -> None:
    idle: list[socket.socket] = []
    try:
        idle.extend(_connect(impatient) for _ in range(CONNECTIONS))
        with httpx.Client(base_url=impatient.url, headers=impatient.headers()) as http:
            assert http.get('/health').status_code == 200
            assert http.get('/test/writer').status_code == 200
        assert [_rest(connection) for connection in idle] == [b''] * CONNECTIONS
    finally:
        for connection in idle:
            connection.close()


def test_other_names_are_refused_by_a_server_on_this_machine(impatient: Process) -> None:
    answer = httpx.get(f'{impatient.url}/test/writer', headers={**impatient.headers(), 'Host': 'evil.example'})
    assert answer.status_code == 421


def test_the_server_tells_its_metrics(impatient: Process) -> None:
    headers = impatient.headers('admin')
    assert httpx.get(f'{impatient.url}/metrics').status_code == 401
    assert httpx.get(f'{impatient.url}/metrics', headers=impatient.headers('reviewer')).status_code == 403
    assert httpx.get(f'{impatient.url}/test/me/lighthouse?q=lighthouse', headers=headers).status_code == 200
    page = httpx.get(f'{impatient.url}/metrics', headers=headers)
    assert page.headers['content-type'].startswith('text/plain')
    assert 'http_server_request_duration_seconds_count{' in page.text
    assert 'http_route="/test/me/{role}"' in page.text
    assert 'process_resident_memory_bytes' in page.text
    assert 'lighthouse' not in page.text


def _add(http: httpx.Client, text: str) -> httpx.Response:
    return http.post('/v1/memories', json={'messages': text, 'user_id': 'ana', 'infer': False})


def test_whoever_leaves_in_the_middle_leaves_nothing_half_written(impatient: Process, path: Path) -> None:
    body = b'{"messages": "Likes tea", "user_id": "ana", "infer": false}'
    head = _head(impatient, '/v1/memories', 'content-type: application/json', f'content-length: {len(body)}')
    for cut in (len(head) // 2, len(head), len(head) + 10, len(head) + len(body) - 1):
        with _connect(impatient) as connection:
            connection.sendall((head + body)[:cut])
    for _ in range(20):
        with _connect(impatient) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')  # ends with a reset
            connection.sendall(head + body)
    with httpx.Client(base_url=impatient.url, headers=impatient.headers()) as http:
        assert _add(http, 'Likes chess').status_code == 201
    with fast(path) as memory:
        texts = sorted(record.text for record in memory.get_all(user_id='ana').items)
        assert texts in (['Likes chess'], ['Likes chess', 'Likes tea'])
        assert memory.verify(user_id='ana').ok


def test_a_revoked_key_is_refused_by_another_process_within_seconds(impatient: Process, path: Path) -> None:
    with fast(path) as memory, httpx.Client(base_url=impatient.url) as http:
        made = memory.keys.create('app')

        def status() -> int:
            return http.get('/test/me/x', headers={'X-API-Key': made.secret}).status_code

        assert status() == 200
        memory.keys.revoke(made.key.id)
        for _ in range(5):  # idle connections, which are closed after half a second each
            with _connect(impatient) as connection:
                assert _rest(connection) == b''
        assert status() == 401


def test_a_signal_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    acknowledged: list[str] = []
    refused: list[int] = []
    enough = threading.Event()

    def add(number: int, server: Process) -> None:
        with httpx.Client(base_url=server.url, headers=server.headers(), timeout=30) as http:
            for turn in range(10_000):
                text = f'Fact {number} {turn}'
                body = {'messages': text, 'user_id': f'user{number}'}
                try:
                    answer = http.post('/v1/memories', json=body, headers={'Prefer': 'respond-async'})
                except httpx.TransportError:
                    return  # the connection ended, and nothing was promised
                if answer.status_code == 202:
                    acknowledged.append(text)
                else:
                    refused.append(answer.status_code)
                if len(acknowledged) > 40:
                    enough.set()

    with process(path, parts=PARTS, server_rate=0) as server:
        threads = [threading.Thread(target=add, args=(n, server)) for n in range(4)]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        assert server.stop() == 0
        for thread in threads:
            thread.join(30)
        assert refused == []
        assert not [line for line in server.said if 'Traceback' in line]
    with fast(path) as memory:
        memory.flush()
        known = {
            record.text for number in range(4) for record in memory.get_all(user_id=f'user{number}', limit=1000).items
        }
        assert set(acknowledged) <= known


@pytest.mark.skipif(shutil.which('openssl') is None, reason='makes a certificate by openssl')
def test_others_reach_it_by_tls_and_a_proxy_that_is_named_is_believed(tmp_path: Path) -> None:
    certificate, key = tmp_path / 'c.pem', tmp_path / 'k.pem'
    made = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    made += ['-keyout', str(key), '-out', str(certificate), '-subj', '/CN=localhost']
    subprocess.run([*made, '-addext', 'subjectAltName=IP:127.0.0.1'], check=True, capture_output=True)
    with process(
        tmp_path / 'm.db',
        parts=(),
        server_host='0.0.0.0',
        server_tls_certificate=certificate,
        server_tls_key=key,
        server_behind_tls_proxy='127.0.0.1',
    ) as server:
        assert server.url.startswith('https://0.0.0.0:')
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=server.url.replace('0.0.0.0', '127.0.0.1'), verify=trusted) as http:
            answer = http.get('/health', headers={'Host': 'any.example'})
            assert (answer.status_code, 'strict-transport-security' in answer.headers) == (200, True)
            answer = http.get('/health', headers={'X-Forwarded-Proto': 'http'})
            assert 'strict-transport-security' not in answer.headers
