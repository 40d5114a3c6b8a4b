"""`memoranda console` as somebody at this machine runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from _fakes import subprocess_environment
from memoranda import Memory

if not all(find_spec(name) for name in ('fastapi', 'httpx', 'jinja2', 'python_multipart')):
    pytest.skip('goes without extras', allow_module_level=True)

import httpx


def test_the_address_lets_in_once_and_what_is_done_is_noted_under_the_login_name(tmp_path: Path) -> None:
    database = tmp_path / 'm.db'
    with Memory(database) as memory:
        (added,) = memory.add('I like green tea', user_id='ana').memories
    running = subprocess.Popen(
        [sys.executable, '-m', 'memoranda', 'console', '--no-browser', '-d', str(database)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**subprocess_environment(), 'LOGNAME': 'jo sé'},
    )
    try:
        assert running.stdout is not None
        address = running.stdout.readline().removeprefix('console: ').strip()
        base = address.partition('/console')[0]
        assert base.startswith('http://127.0.0.1:')
        with httpx.Client(base_url=base, headers={'Origin': base}, timeout=60) as http:
            assert http.get('/console').status_code == 401
            assert http.get(address).status_code == 303
            page = http.get(f'/console/memories/{added.id}')
            assert 'green tea' in page.text
            token = page.text.partition('name="csrf" content="')[2].partition('"')[0]
            marked = http.post(f'/console/memories/{added.id}/mark', data={'csrf': token, 'name': 'pinned', 'on': '1'})
            assert marked.status_code == 303
        again = httpx.get(address)
        assert again.status_code == 403
        assert 'used before' in again.text
        assert httpx.get(base + '/v1/memories', timeout=60).status_code == 401
    finally:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 0
    assert said == ''
    with Memory(database) as memory:
        assert memory.changes(user_id='ana').items[0].actor == 'console:josé'
