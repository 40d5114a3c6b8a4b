"""Reading a subject's document piece by piece, and checking that it is whole and says one thing."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError

from memoranda.checks import storable
from memoranda.errors import InvalidInput, shown
from memoranda.importers._stream import Window
from memoranda.importers.base import ImportProblem, is_list, is_object
from memoranda.scope import Scope, check_project
from memoranda.stores.portable import SECTIONS, Item
from memoranda.subject.checking import Checks
from memoranda.subject.document import FORMAT, VERSION, Digests, Header, adapter, scope_of

if TYPE_CHECKING:
    from memoranda.subject.export import SubjectExport

__all__ = ['Document', 'Scan', 'Source', 'source_of']

Document: TypeAlias = 'str | os.PathLike[str] | bytes | Mapping[str, Any] | SubjectExport'
"""A path, the bytes of a document, a document as parsed JSON, or an export."""
_HEADER: Final = ('format', 'version', 'project', 'scope', 'exported_at', 'forgotten_at', 'counts')
_END: Final = ('digests', 'digest')
_MAX_PATH: Final = 4096
_DEEPEST: Final = 150
_OWN: Final = ('metadata', 'before', 'after')
"""Fields with the caller's own JSON, which is kept as text."""
_EDITED: Final = 'is not what was exported, the digest tells: use the document as it was exported'


@dataclass(frozen=True, slots=True)
class Source:
    """A document that can be read several times."""

    name: str
    value: Path | bytes | Mapping[str, Any]

    @contextmanager
    def open(self) -> Generator[Iterator[tuple[str, Any]]]:
        """Its top-level fields in order; of one that is a list, an iterator over its elements."""
        if isinstance(self.value, Mapping):
            yield ((k, iter(v) if k in SECTIONS and is_list(v) else v) for k, v in self.value.items())
        elif isinstance(self.value, bytes):
            yield _fields(Window(io.BytesIO(self.value), self.name), self.name)
        else:
            try:
                file = self.value.open('rb')
            except OSError as error:
                raise ImportProblem(self.name, f'{error.strerror}: name a readable file') from error
            with file:
                yield _fields(Window(cast('IO[bytes]', file), self.name), self.name)


def source_of(document: object) -> Source:
    """Where a document (see `Document`) is read from.

    Raises:
        InvalidInput: It is none.
    """
    from memoranda.subject.export import SubjectExport

    if isinstance(document, SubjectExport):
        return Source('the export', b''.join(document.json()))
    if isinstance(document, bytes | bytearray):
        return Source('the document', bytes(document))
    if isinstance(document, Mapping):
        return Source('the document', cast('Mapping[str, Any]', document))
    path = _path(document)
    if path is not None:
        return Source(path, Path(path))
    raise InvalidInput(
        f'document={shown(document)} is no document: pass a path, its bytes, its JSON as a dict, or what export() '
        'returned'
    )


def _path(document: Any) -> str | None:
    path: str | bytes = os.fspath(document) if isinstance(document, str | os.PathLike) else ''
    return path if isinstance(path, str) and 0 < len(path) < _MAX_PATH else None


def _fields(window: Window, name: str) -> Iterator[tuple[str, Any]]:
    if window.peek() != '{':
        raise ImportProblem(name, f'is no JSON object: name a document of the format {FORMAT}')
    window.skip()
    number = 0
    while (following := window.peek()) != '}':
        _check_open(following, name)
        if number:
            _expect(window, ',', name)
            _check_open(window.peek(), name)
        key: object = window.value(name)
        if not isinstance(key, str):
            raise ImportProblem(name, 'has a key that is no text: it is not valid JSON')
        _check_open(window.peek(), name)
        _expect(window, ':', name)
        if window.peek() == '[' and key in SECTIONS:
            elements = _elements(window, key)
            yield key, elements
            for _ in elements:  # what the caller left
                pass
        else:
            _check_open(window.peek(), name)
            yield key, window.value(key)
        number += 1
    window.skip()
    if window.peek():
        raise ImportProblem(name, 'goes on after its end: it holds more than one document')


def _elements(window: Window, section: str) -> Iterator[Any]:
    window.skip()
    number = 0
    while (following := window.peek()) != ']':
        where = f'{section}[{number}]'
        _check_open(following, where)
        if number:
            _expect(window, ',', where)
            _check_open(window.peek(), where)
        yield window.value(where)
        number += 1
    window.skip()


def _check_open(following: str, where: str) -> None:
    if not following:
        raise ImportProblem(where, 'is missing, the document ends there: it was cut off, export or copy it again')


def _expect(window: Window, character: str, where: str) -> None:
    if window.peek() != character:
        raise ImportProblem(where, f'does not follow a {character!r}: the document is not valid JSON')
    window.skip()


@dataclass(slots=True)
class Scan:
    """One reading of a document. Iterating gives (section, item, position); it is complete when that ended."""

    source: Source
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SECTIONS, 0))
    checks: Checks = field(default_factory=Checks)
    _header: Header | None = None
    _digests: Digests = field(default_factory=Digests)
    digest: str = ''

    @property
    def header(self) -> Header:
        """What stands before the sections; known from the first item on, or at the end."""
        assert self._header is not None
        return self._header

    def __iter__(self) -> Iterator[tuple[str, Item]]:
        top: dict[str, Any] = {}
        left = list(SECTIONS)
        with self.source.open() as fields:
            for key, value in fields:
                if key in top or key not in (*_HEADER, *SECTIONS, *_END):
                    _check_format(top, self.source.name)
                    raise ImportProblem(f'the field {shown(key)}', 'is unknown, or there twice: export it again')
                top[key] = None if key in SECTIONS else value
                if key in SECTIONS:
                    self._begin(top)
                    if not left or key != left[0]:
                        expected = f'{left[0]} was to come first' if left else 'it came before'
                        raise ImportProblem(f'the section {key}', f'is not in its place ({expected}): export it again')
                    left.pop(0)
                    if isinstance(value, Iterator):
                        yield from self._items(key, cast('Iterator[Any]', value))
                    else:
                        raise ImportProblem(f'the section {key}', 'is no list: export it again')
        self._begin(top)
        self._end(top, left)

    def _begin(self, top: Mapping[str, Any]) -> None:
        if self._header is None:
            self._header = _header(top, self.source.name)
            self.checks.owner = self._header.owner

    def _items(self, section: str, values: Iterator[Any]) -> Iterator[tuple[str, Item]]:
        reader: TypeAdapter[Item] = adapter(section)
        for number, value in enumerate(values):
            where = f'{section}[{number}]'
            if not is_object(value):
                raise ImportProblem(where, 'is no object: export it again')
            named = value.get('id', value.get('hash') if section == 'rejected' else value.get('seq'))
            if named is not None:
                where = f'{where} ({str(named)[:60]})'
            _check_storable(value, where)
            try:
                self._digests.add(section, value)
                item = reader.validate_python(value)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                place = '.'.join(str(part) for part in first['loc'])
                raise ImportProblem(where, f'{place}: {first["msg"]}') from None
            except ValueError as error:  # NaN
                raise ImportProblem(where, f'{error}: export it again') from None
            try:
                self.checks.look(section, item, where)
            except ImportProblem as problem:
                if self.checks.suspects:  # what came before was edited, and this doesn't fit because of it
                    raise ImportProblem(next(iter(self.checks.suspects.values())), _EDITED) from problem
                raise
            self.counts[section] += 1
            yield section, item

    def _end(self, top: Mapping[str, Any], left: list[str]) -> None:
        missing = [*left, *(name for name in (*_HEADER, *_END) if name not in top)]
        if missing:
            raise ImportProblem(f'the field {missing[0]}', 'is missing: the document was cut off or edited')
        said, found = top['digests'], self._digests.sections()
        for section in SECTIONS:
            claimed = said.get(section) if is_object(said) else None
            if claimed == found[section]:
                continue
            where = self.checks.suspects.get(section) or f'the section {section}'
            raise ImportProblem(where, _EDITED)
        for section, count in self.counts.items():
            if self.header.counts[section] != count:
                raise ImportProblem(
                    f'counts.{section}', f'says {self.header.counts[section]:,}, and there are {count:,}: it was edited'
                )
        self.digest = self._digests.whole(self.header)
        if top['digest'] != self.digest:
            raise ImportProblem('project, scope or forgotten_at', _EDITED)


def _check_storable(value: object, where: str, *, own: bool = False, depth: int = 0) -> None:
    """Refuse what no database can carry, or no export could tell again.

    Raises:
        ImportProblem: There is such a text or number.
    """
    if depth > _DEEPEST:
        raise ImportProblem(where, f'is nested more than {_DEEPEST} levels deep, which no export is')
    if isinstance(value, str):
        if storable(value) != value:
            raise ImportProblem(where, 'holds a NUL or half of a surrogate pair, which no export has: export it again')
    elif isinstance(value, int):
        if not own and not -(1 << 63) <= value < 1 << 63:
            raise ImportProblem(where, 'holds a number of more than 64 bits, which no export has: export it again')
    elif is_object(value):
        for key, part in value.items():
            _check_storable(key, where)
            _check_storable(part, where, own=own or key in _OWN, depth=depth + 1)
    elif is_list(value):
        for part in value:
            _check_storable(part, where, own=own, depth=depth + 1)


def _check_format(top: Mapping[str, Any], name: str) -> None:
    if top.get('format') != FORMAT:
        raise ImportProblem(
            name, f'does not begin with the format {FORMAT!r}: name what `memoranda export` has written'
        )
    version: object = top.get('version')
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise ImportProblem(
            name, f'has version {version}, and this memoranda reads up to {VERSION}: upgrade memoranda here'
        )
    if version != VERSION or isinstance(version, bool):
        raise ImportProblem('the field version', f'is {shown(version)}, which no export has: export it again')


def _header(top: Mapping[str, Any], name: str) -> Header:
    _check_format(top, name)
    for field_name in _HEADER:
        if field_name not in top:
            raise ImportProblem(f'the field {field_name}', 'is missing before the sections: export it again')
    counts: object = top['counts']
    if not is_object(counts) or set(counts) != set(SECTIONS) or not all(type(n) is int for n in counts.values()):
        raise ImportProblem('the field counts', 'does not tell how many items each section has: export it again')
    try:
        scope = Scope(**_ids(top['scope']))
        if len(scope_of(scope)) > 1:
            raise ValueError('more than one id')
        return Header(
            project=check_project(top['project']),
            scope=scope,
            exported_at=_moment(top['exported_at']),
            forgotten_at=None if top['forgotten_at'] is None else _moment(top['forgotten_at']),
            counts=counts,
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ImportProblem(name, f'does not tell whose it is, or from when ({error}): export it again') from None


def _ids(value: object) -> dict[str, Any]:
    if not is_object(value):
        raise ValueError('scope is no object')
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f'{shown(value)} is no moment')
    return moment.astimezone(UTC)
