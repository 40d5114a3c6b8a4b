"""Reading files piece by piece, so that an export of gigabytes needs memory for one conversation."""

from __future__ import annotations

import codecs
import json
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from memoranda.importers.base import ImportProblem, Report

__all__ = ['Progress', 'Window', 'items', 'lines', 'open_bytes']

Progress = Callable[[int, int], None]
"""Told (bytes read, bytes in all)."""

_CHUNK = 1 << 16
_MAX_LINE = 64 << 20
_EDGE = 32
_SPACE = ' \t\r\n\ufeff'


@contextmanager
def open_bytes(path: Path, on_progress: Progress | None = None) -> Generator[IO[bytes]]:
    """The bytes of a file, or of `conversations.json` inside the ZIP archive that the services send.

    Raises:
        ImportProblem: It can't be opened, is no file, or is an archive without conversations.
    """
    try:
        with path.open('rb') as raw:
            if raw.read(4) != b'PK\x03\x04':
                raw.seek(0)
                yield _counted(raw, path.stat().st_size, on_progress)
                return
        with zipfile.ZipFile(path) as archive:
            member = next((i for i in archive.infolist() if Path(i.filename).name == 'conversations.json'), None)
            if member is None:
                raise ImportProblem(str(path), 'is an archive without conversations.json: unpack it and name one file')
            with archive.open(member) as inner:
                yield _counted(inner, member.file_size, on_progress)
    except (OSError, zipfile.BadZipFile) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else 'is a damaged archive'
        raise ImportProblem(str(path), f'{reason}: name a readable file') from e


class _Counted:
    """Passes reads on and tells how far they got."""

    def __init__(self, inner: IO[bytes], total: int, on_progress: Progress) -> None:
        self._inner, self._total, self._on_progress = inner, total, on_progress
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        return self._tell(self._inner.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._tell(self._inner.readline(size))

    def _tell(self, data: bytes) -> bytes:
        self._done += len(data)
        self._on_progress(min(self._done, self._total), self._total)
        return data


def _counted(inner: IO[bytes], total: int, on_progress: Progress | None) -> Any:
    return inner if on_progress is None else _Counted(inner, total, on_progress)


def lines(source: IO[bytes], report: Report) -> Iterator[tuple[int, Any]]:
    """The JSON values of a file with one a line, with their line numbers; blank lines are passed over."""
    number = 0
    while raw := source.readline(_MAX_LINE):
        number += 1
        where = f'line {number}'
        if len(raw) == _MAX_LINE and not raw.endswith(b'\n'):
            while (rest := source.readline(_MAX_LINE)) and not rest.endswith(b'\n'):
                pass
            report(ImportProblem(where, f'is longer than {_MAX_LINE >> 20} MiB: split it'))
            continue
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if not raw.strip():
            continue
        try:
            value = json.loads(raw.decode('utf-8'))
        except UnicodeDecodeError as e:
            report(ImportProblem(where, f'byte {e.start + 1} is not UTF-8: save the file as UTF-8'))
        except json.JSONDecodeError as e:
            report(ImportProblem(where, f'is not JSON ({e.msg.lower()} at column {e.colno}): write one object a line'))
        except (ValueError, RecursionError):
            report(ImportProblem(where, 'is JSON nested too deeply or with a number too long: simplify it'))
        else:
            yield number, value


def items(source: IO[bytes], name: str) -> Iterator[Any]:
    """The elements of a top-level JSON array, one at a time; a single value that is no array is the only element.

    Raises:
        ImportProblem: The JSON breaks off or breaks down; the elements before have been yielded.
    """
    window = Window(source, name)
    if window.peek() != '[':
        value = window.value(f'{name}')
        if window.peek():
            raise ImportProblem(name, 'goes on after the first JSON value: for one value a line pass --format jsonl')
        yield value
        return
    window.skip()
    number = 0
    while (following := window.peek()) != ']':
        if not following:
            raise ImportProblem(name, f'ends inside its list after {number} elements: export it again')
        if number:
            if following != ',':
                raise ImportProblem(f'element {number + 1}', 'does not follow a comma: the file is not valid JSON')
            window.skip()
            window.peek()
        number += 1
        yield window.value(f'element {number}')


class Window:
    """A sliding piece of text, grown until the value at its start is complete."""

    def __init__(self, source: IO[bytes], name: str) -> None:
        self._source, self._name = source, name
        self._decode = codecs.getincrementaldecoder('utf-8')()
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended = '', 0, False

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow(_CHUNK):
                return ''

    def skip(self) -> None:
        """Step over the character that was peeked."""
        self._at += 1

    def value(self, where: str) -> Any:
        """The JSON value here."""
        size = _CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as e:
                # A cut-off value fails near the end of the window; doubling keeps the repeated attempts linear.
                broken = e.pos < len(self._text) - _EDGE and not e.msg.startswith('Unterminated string')
                if broken or not self._grow(size):
                    raise ImportProblem(where, f'is not valid JSON ({e.msg.lower()}): export the file again') from None
                size *= 2
            except (ValueError, RecursionError):
                raise ImportProblem(where, 'is JSON nested too deeply or with a number too long') from None
            else:
                # A number or word that touches the edge may go on behind it.
                if end == len(self._text) and self._text[end - 1] not in '}]"' and self._grow(size):
                    continue
                self._at = end
                return value

    def _grow(self, size: int) -> bool:
        if self._ended:
            return False
        raw = self._source.read(size)
        self._ended = not raw
        try:
            more = self._decode.decode(raw, final=self._ended)
        except UnicodeDecodeError:
            raise ImportProblem(self._name, 'is not UTF-8: save the file as UTF-8') from None
        self._text = self._text[self._at :] + more
        self._at = 0
        return not self._ended
