"""What every test runs under: no network, no settings of the machine's owner, no database but its own."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile('default', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile('ci', parent=settings.get_profile('default'), derandomize=True, print_blob=True)
settings.load_profile('ci' if os.environ.get('CI') else 'default')

MEMORY, ROOM = '/dev/shm', 4 << 30
"""A file system without a disk, and how many bytes must be free there."""
LONG = {
    'test_capability_dbos.py',
    'test_changes.py',
    'test_clean.py',
    'test_conformance.py',
    'test_crashes.py',
    'test_erasure.py',
    'test_examples.py',
    'test_forget_crashes.py',
    'test_forks.py',
    'test_lifecycle.py',
    'test_poisoning.py',
    'test_processes.py',
    'test_threads_and_loops.py',
    'test_worker.py',
}
"""Files of tests that take more than ten seconds. Also a file of few tests may be long."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Files of tests are in memory, where there is room: else each waits for the disk whenever it opens a database."""
    if config.getini('tmp_path_retention_policy') == 'failed' and _has_room(MEMORY):  # they don't pile up there
        os.environ.setdefault('PYTEST_DEBUG_TEMPROOT', MEMORY)


def _has_room(folder: str) -> bool:
    try:
        free = os.statvfs(folder)
    except (AttributeError, OSError):
        return False
    return os.access(folder, os.W_OK) and free.f_bavail * free.f_frsize > ROOM


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting loads is no garbage: looking for some among it takes a third of the time, and each time again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins early: else one process is still busy with it when the others have nothing left."""
    items.sort(key=lambda item: item.path.name not in LONG)


class NetworkUsed(AssertionError):
    """Something tried to leave the machine."""


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):  # a Unix socket
        return True
    host = str(address[0]).partition('%')[0]
    if host in ('', 'localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback and Unix sockets work; any other address, and any name lookup, fails the test."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_local((name,)):
            raise NetworkUsed(f'looked up {name!r}')
        return look_up(host, *args, **kwargs)

    class LocalSocket(socket.socket):
        def connect(self, address: Any) -> None:
            if not _is_local(address):
                raise NetworkUsed(f'connected to {address!r}')
            super().connect(address)

        def connect_ex(self, address: Any) -> int:
            if not _is_local(address):
                raise NetworkUsed(f'connected to {address!r}')
            return super().connect_ex(address)

        def sendto(self, data: Any, *args: Any) -> int:
            if not _is_local(args[-1]):
                raise NetworkUsed(f'sent to {args[-1]!r}')
            return super().sendto(data, *args)

    monkeypatch.setattr(socket, 'getaddrinfo', getaddrinfo)
    monkeypatch.setattr(socket, 'socket', LocalSocket)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No MEMORANDA_* settings, and a user data directory of the test's own: the real one is never opened."""
    for name in os.environ:
        if name.upper().startswith('MEMORANDA_'):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp('home')
    for name in (
        'HOME',
        'USERPROFILE',
        'XDG_DATA_HOME',
        'XDG_CONFIG_HOME',
        'XDG_CACHE_HOME',
        'LOCALAPPDATA',
        'APPDATA',
    ):
        monkeypatch.setenv(name, str(home))
    return home
