"""An exported document, as a server sent it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, Final, cast

from memoranda.errors import StoreError
from memoranda.scope import Scope
from memoranda.stores.portable import SECTIONS
from memoranda.subject import SubjectExport
from memoranda.subject.document import canonical, is_aside

__all__ = ['Export']

_PART: Final = 1 << 20
_TOP: Final = ('format', 'version', 'project', 'scope', 'forgotten_at')


class Export(SubjectExport):
    """Everything held on one subject at one moment, from a server. Iterating gives the JSON document in parts.

    Raises:
        StoreError: It is no such document, or broke off.
    """

    def __init__(self, document: bytes) -> None:
        self._document = document
        if not document.rstrip().endswith(b'}'):
            raise StoreError('the export broke off before its end: ask for it again')

    @property
    def digest(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """SHA-256 over all that is said of the subject, as the server tells it."""
        return str(self._read['digest'])

    @cached_property
    def _read(self) -> dict[str, Any]:
        try:
            read: Any = json.loads(self._document)
        except ValueError as error:
            raise StoreError(f'the export is no JSON ({type(error).__name__}): ask for it again') from None
        if not isinstance(read, dict) or not {'project', 'scope', 'digest', 'counts'} <= set(cast('Any', read)):
            raise StoreError('the export is no document of memoranda: look at the address')
        return cast('dict[str, Any]', read)

    @property
    def project(self) -> str:
        """The tenant."""
        return self._read['project']

    @property
    def scope(self) -> Scope:
        """Whose it is."""
        return Scope(**self._read['scope'])

    @property
    def exported_at(self) -> datetime:
        """When it was read."""
        return datetime.fromisoformat(self._read['exported_at'])

    @property
    def forgotten_at(self) -> datetime | None:
        """When the subject was last forgotten; what was said before is not here."""
        at = self._read.get('forgotten_at')
        return None if at is None else datetime.fromisoformat(at)

    @property
    def counts(self) -> dict[str, int]:
        """How many items each section has."""
        return dict(self._read['counts'])

    def items(self, section: str) -> Iterator[dict[str, Any]]:
        """The items of a section."""
        return iter(self._read[section])

    def json(self) -> Iterator[bytes]:
        """The JSON document in parts."""
        return (self._document[at : at + _PART] for at in range(0, len(self._document), _PART))

    def canonical(self) -> Iterator[str]:
        """What the digest is over, line by line."""
        yield canonical({name: self._read.get(name) for name in _TOP})
        for section in SECTIONS:
            yield from (canonical(i) for i in self.items(section) if section != 'history' or not is_aside(i))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.json():
            yield part
