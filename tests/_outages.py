"""Storages and embedders that fail for a while, and what the log says of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import apsw
import pytest

from memoranda.embedders import EmbeddingFailed
from memoranda.testing.embedders import HashingEmbedder

SECONDS = 60
"""What a hung test waits before it says so; nothing here takes that long."""


class Clock:
    """Lets the time pass that something rests after it has failed, without waiting for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._passed = time.monotonic, 0.0
        monkeypatch.setattr(time, 'monotonic', lambda: self._real() + self._passed)

    def skip(self, seconds: float = 60.0) -> None:
        self._passed += seconds


class Log(logging.Handler):
    """The lines of the logger `memoranda` itself."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == 'memoranda' and record.levelno >= logging.WARNING:
            with self._changed:
                self._lines.append(f'{record.levelname}: {record.getMessage()}')
                self._changed.notify_all()

    def lines(self, about: str = '') -> list[str]:
        with self._changed:
            return [line for line in self._lines if about in line]

    def wait_for(self, about: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(about in line for line in self._lines), SECONDS), self._lines


class Flaky(HashingEmbedder):
    """An embedder that fails for as long as it is told to; in this process, or behind a network."""

    def __init__(self, *, remote: bool = False) -> None:
        super().__init__()
        self._remote = remote
        self.error: Exception | None = None
        self.hangs = False
        self.asked = 0

    @property
    def local(self) -> bool:
        return not self._remote

    def embed_now(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
        self.asked += query
        if self.error is not None:
            raise EmbeddingFailed('embedder failed on a batch') from self.error
        return super().embed_now(texts, query=query, progress=progress)

    async def embed(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
        if self.hangs:
            self.asked += query
            await asyncio.Event().wait()
        return self.embed_now(texts, query=query)


@contextlib.contextmanager
def locked(path: Path, *, wholly: bool = False) -> Generator[None]:
    """Another program writes, and doesn't end; wholly: nobody may even read. Then nobody else may have it open."""
    other = apsw.Connection(str(path))
    try:
        if wholly:
            other.execute('PRAGMA locking_mode = EXCLUSIVE').fetchall()
        other.execute('BEGIN EXCLUSIVE')
        other.execute('UPDATE meta SET value = value')
        yield
        other.execute('ROLLBACK')
    finally:
        other.close()


@contextlib.contextmanager
def small_disk(folder: Path, *options: str) -> Generator[Path]:
    """A file system of 4 MiB, where one may be mounted."""
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', str(folder)]
    if sys.platform != 'linux' or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('no file system can be mounted here')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Make a file system read-only (`ro`), or writable again (`rw`)."""
    subprocess.run(['mount', '-o', f'remount,{how}', str(folder)], check=True)
