"""Ids that are what they stand for: an export, a finished erasure, a job over profiles.

They work after a restart and on every process, and keep nothing of anybody on the server: what such an id stands for
is worked out when it is asked about, as far as the key that asks may see it. Each is signed for its project with the
secret of the storage, so nobody makes one up, alters one, or asks for one of another project.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from memoranda.errors import MemoryNotFound, shown

if TYPE_CHECKING:
    from memoranda.server.access import Caller

__all__ = ['MOST', 'Sort', 'read', 'sort_of', 'written']

Sort: TypeAlias = Literal['export', 'erasure', 'profiles']
MOST: Final = 32_768
"""Bytes of what an id says, before it is packed."""
_TOKEN: Final = re.compile(r'(export|erasure|profiles)-([A-Za-z0-9_-]{32,60000})')
_CODE: Final = 16
"""Bytes of the code in front of what is packed."""


async def written(caller: Caller, sort: Sort, content: dict[str, Any]) -> str:
    """An id that holds some JSON, for the project of a key. It is not secret, but signed."""
    packed = zlib.compress(json.dumps(content, separators=(',', ':')).encode(), 9)
    code = await _code(caller, sort, packed)
    return f'{sort}-{base64.urlsafe_b64encode(code + packed).rstrip(b"=").decode()}'


async def read(caller: Caller, sort: Sort, token: str) -> dict[str, Any]:
    """What an id holds.

    Raises:
        MemoryNotFound: It isn't one of this sort that was given out for this project.
    """
    found = _TOKEN.fullmatch(token)
    if found is not None and found[1] == sort and len(found[2]) % 4 != 1:
        signed = base64.urlsafe_b64decode(found[2] + '=' * (-len(found[2]) % 4))
        code, packed = signed[:_CODE], signed[_CODE:]
        if hmac.compare_digest(code, await _code(caller, sort, packed)):
            return cast('dict[str, Any]', json.loads(zlib.decompress(packed)))
    raise MemoryNotFound(f'{sort} {shown(token)} does not exist: pass the id as it was given')


def sort_of(token: str) -> str | None:
    """Which sort of id it is; None when it is none of these."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else found[1]


async def _code(caller: Caller, sort: Sort, packed: bytes) -> bytes:
    secret = await caller.memory.engine.store.secret()
    whose = json.dumps([sort, caller.project]).encode()
    return hmac.digest(secret, b'mem0 id\0' + whose + b'\0' + packed, 'sha256')[:_CODE]
