"""Ids that are what they stand for: an export, a finished erasure, a job over profiles.

They work after a restart and on every process, and keep nothing of anybody on the server: what such an id stands for
is worked out when it is asked about, as far as the key that asks may see it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from typing import Any, Final, Literal, TypeAlias, cast

from memoranda.errors import MemoryNotFound, shown

__all__ = ['MOST', 'Sort', 'read', 'sort_of', 'written']

Sort: TypeAlias = Literal['export', 'erasure', 'profiles']
MOST: Final = 32_768
"""Bytes of what an id says, before it is packed."""
_TOKEN: Final = re.compile(r'(export|erasure|profiles)-([A-Za-z0-9_-]{8,60000})')


def written(sort: Sort, project: str, content: dict[str, Any]) -> str:
    """An id that holds some JSON. It is not secret and not signed: who makes one up asks for no more than they may."""
    packed = zlib.compress(json.dumps([_mark(project), content], separators=(',', ':')).encode(), 9)
    return f'{sort}-{base64.urlsafe_b64encode(packed).rstrip(b"=").decode()}'


def read(sort: Sort, project: str, token: str) -> dict[str, Any]:
    """What an id holds.

    Raises:
        MemoryNotFound: It isn't one of this sort and project.
    """
    found = _TOKEN.fullmatch(token)
    if found is not None and found[1] == sort:
        try:
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(base64.urlsafe_b64decode(found[2] + '=' * (-len(found[2]) % 4)), MOST + 100)
            if unpacker.eof:
                mark, content = json.loads(text)
                if mark == _mark(project) and isinstance(content, dict):
                    return cast('dict[str, Any]', content)
        except (ValueError, TypeError, zlib.error, RecursionError):
            pass
    raise MemoryNotFound(f'{sort} {shown(token)} does not exist: pass the id as it was given')


def sort_of(token: str) -> str | None:
    """Which sort of id it is; None when it is none of these."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else found[1]


def _mark(project: str) -> str:
    return hashlib.sha256(project.encode('utf-8', 'surrogatepass')).hexdigest()[:16]
