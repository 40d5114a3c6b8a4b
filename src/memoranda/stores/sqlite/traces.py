"""Afterwards: whether anything is left in raw bytes of what was erased."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from memoranda.stores.sql.remaining import variants

__all__ = ['SUSPECTS', 'Search']

_CHUNK = 4 << 20
_BYTES = 2 << 30
"""How much is compared at most for all texts together where only a sample is looked for."""
_FEWEST = 4
SUSPECTS = 8
"""Texts of a sample that are looked for in rows when they are found in raw bytes."""
_BESIDE = {'-wal': 'log', '-journal': 'journal'}


class Search:
    """Looks for texts in the raw bytes of a database file and of the files beside it, a part at a time.

    Args:
        path: Of the database.
        texts: What to look for.
        sample: Whether some of them, as they are, will do where the file is large.
    """

    def __init__(self, path: str, texts: Sequence[str], *, sample: bool) -> None:
        self._path = path
        size = max(1, os.path.getsize(path))
        most = max(_FEWEST, _BYTES // size) if sample else len(texts)
        self._needles = [
            (i, v.encode('utf-8', 'surrogatepass'))
            for i, text in enumerate(texts[:most])
            for v in ([text] if sample else variants(text))
        ]
        self._overlap = max((len(needle) for _, needle in self._needles), default=1) - 1
        self.found: dict[int, set[str]] = {}
        """Where, by the position of the text."""
        self.offset = 0

    def step(self, descriptor: int) -> bool:
        """Read on in the database itself. True at its end.

        The descriptor is not to be closed for this: with it would go the locks that this process holds on the file.
        """
        with suppress(AttributeError):
            data = os.pread(descriptor, _CHUNK + self._overlap, self.offset)
            self._look(data, 'file')
            self.offset += _CHUNK
            return len(data) <= _CHUNK
        os.lseek(descriptor, self.offset, os.SEEK_SET)  # Windows; nobody else uses the descriptor meanwhile
        data = os.read(descriptor, _CHUNK + self._overlap)
        self._look(data, 'file')
        self.offset += _CHUNK
        return len(data) <= _CHUNK

    def beside(self) -> None:
        """Read the files beside it, which bear no locks."""
        for ending, name in _BESIDE.items():
            with suppress(FileNotFoundError), open(self._path + ending, 'rb') as file:
                held = b''
                while part := file.read(_CHUNK):
                    self._look(held + part, name)
                    held = part[len(part) - self._overlap :] if self._overlap else b''

    def _look(self, data: bytes, name: str) -> None:
        for i, needle in self._needles:
            if name not in self.found.get(i, ()) and needle in data:
                self.found.setdefault(i, set()).add(name)
