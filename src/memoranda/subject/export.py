"""Reading everything held on a subject, and writing it down."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from memoranda.errors import InvalidInput, InvalidScope, shown
from memoranda.records import now
from memoranda.scope import Scope
from memoranda.stores.portable import SECTIONS, EntryItem, Item
from memoranda.subject.document import Digests, Header, canonical, is_aside, line_of, scope_of

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['ExportFormat', 'SubjectExport', 'check_subject', 'export_subject', 'snapshot_of']

ExportFormat: TypeAlias = Literal['json', 'markdown']
_LEVEL: Final = 1
"""Of compression: it takes less time than reading the rows."""


class _Kept:
    """The items of a snapshot, as compressed lines of JSON: a few megabytes for a hundred thousand messages."""

    def __init__(self) -> None:
        self.digests = Digests()
        self.counts = dict.fromkeys(SECTIONS, 0)
        self.imports: set[str] = set()
        """Digests of the documents that were imported."""
        self._parts: dict[str, list[bytes]] = {name: [] for name in SECTIONS}

    def take(self, section: str, items: Sequence[Item]) -> None:
        """Keep some items."""
        lines: list[str] = []
        for item in items:
            value, line = line_of(section, item)
            self.digests.add(section, value, line)
            lines.append(line)
            if isinstance(item, EntryItem) and item.op == 'import' and item.after is not None:
                self.imports.add(str(item.after.get('digest')))
        self.counts[section] += len(items)
        self._parts[section].append(zlib.compress('\n'.join(lines).encode('utf-8', 'surrogatepass'), _LEVEL))

    def lines(self, section: str) -> Iterator[list[str]]:
        """The lines of a section, some at a time."""
        for part in self._parts[section]:
            # No other line break is meant: words may hold those that `splitlines` knows.
            yield zlib.decompress(part).decode('utf-8', 'surrogatepass').split('\n')


class SubjectExport:
    """Everything held on one subject at one moment.

    It is a snapshot in memory, compressed: writing it down takes no part of the storage, and what is written there
    meanwhile doesn't show in it. Iterating gives the JSON document in parts, with `for` or `async for`.
    """

    def __init__(self, header: Header, kept: _Kept, engine: Engine) -> None:
        self._header, self._kept, self._engine = header, kept, engine
        self.digest = kept.digests.whole(header)
        """SHA-256 over all that is said of the subject: two exports with the same digest say the same."""

    @property
    def project(self) -> str:
        """The tenant."""
        return self._header.project

    @property
    def scope(self) -> Scope:
        """Whose it is."""
        return self._header.scope

    @property
    def exported_at(self) -> datetime:
        """When it was read."""
        return self._header.exported_at

    @property
    def forgotten_at(self) -> datetime | None:
        """When the subject was last forgotten; what was said before is not here."""
        return self._header.forgotten_at

    @property
    def counts(self) -> dict[str, int]:
        """How many items each section has."""
        return dict(self._header.counts)

    def __repr__(self) -> str:
        whose = ', '.join(f'{name}={value!r}' for name, value in scope_of(self.scope).items())
        return f'<SubjectExport {whose or "global"} of project {self.project!r}, digest {self.digest[:12]}>'

    def items(self, section: str) -> Iterator[dict[str, Any]]:
        """The items of a section (`conversations`, `episodes`, `memories`, `changes`, `history`, `jobs`, `rejected`).

        Raises:
            InvalidInput: There is no such section.
        """
        if section not in SECTIONS:
            raise InvalidInput(f'section={shown(section)} is unknown: use one of {", ".join(SECTIONS)}')
        return (json.loads(line) for lines in self._kept.lines(section) for line in lines)

    def json(self) -> Iterator[bytes]:
        """The JSON document in parts of at most some hundred items."""
        fields = [f'{json.dumps(k)}: {_one_line(v)}' for k, v in self._header.fields().items()]
        yield ('{\n' + ',\n'.join(fields)).encode()
        for section in SECTIONS:
            yield f',\n{json.dumps(section)}: ['.encode()
            before = '\n'
            for lines in self._kept.lines(section):
                yield (before + ',\n'.join(lines)).encode()
                before = ',\n'
            yield b'\n]' if before == ',\n' else b']'
        digests = _one_line(self._kept.digests.sections())
        yield f',\n"digests": {digests},\n"digest": {json.dumps(self.digest)}\n}}\n'.encode()

    def markdown(self) -> Iterator[str]:
        """The same for a reader: memories with the words they rest on, messages, what was changed. Not for import."""
        from memoranda.subject.markdown import render

        return render(self._header, self.items)

    def canonical(self) -> Iterator[str]:
        """What the digest is over, line by line, for comparing two exports: see `Digests`."""
        header = self._header.fields()
        yield canonical({name: header[name] for name in ('format', 'version', 'project', 'scope', 'forgotten_at')})
        for section in SECTIONS:
            for lines in self._kept.lines(section):
                yield from (line for line in lines if section != 'history' or not is_aside(json.loads(line)))

    def __iter__(self) -> Iterator[bytes]:
        return self.json()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = self.json()
        while (part := await self._engine.compute(lambda: next(parts, None))) is not None:
            yield part

    def save(self, path: str | os.PathLike[str], format: ExportFormat = 'json') -> Path:  # noqa: A002
        """Write a file that only its owner can read. Blocks: from a coroutine call it in a thread.

        It appears under its name when it is complete. A file that is there already is not overwritten: it may be the
        only copy of what was forgotten since.

        Raises:
            InvalidInput: The file is there already, or the format is unknown.
            OSError: It can't be written.
        """
        if format not in get_args(ExportFormat):
            raise InvalidInput(f'format={shown(cast("object", format))} is unknown: use json or markdown')
        target = Path(path)
        if target.exists():
            raise InvalidInput(f'{target} is there already, and may be the only copy of its kind: name another file')
        parts = self.json() if format == 'json' else (text.encode('utf-8', 'replace') for text in self.markdown())
        _write(target, parts)
        return target


def _write(target: Path, parts: Iterable[bytes]) -> None:
    unfinished = target.with_name(f'.{target.name}.{secrets.token_hex(4)}')
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_BINARY', 0), 0o600)
    try:
        with open(descriptor, 'wb') as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, target)  # unlike a rename it fails where somebody else has put a file meanwhile
        except FileExistsError:
            raise InvalidInput(f'{target} is there already: name another file') from None
        except OSError:  # a file system without links
            os.replace(unfinished, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()


def check_subject(scope: Scope) -> Scope:
    """A scope that names one subject.

    Raises:
        InvalidScope: It has more than one id.
    """
    ids = scope_of(scope)
    if len(ids) > 1:
        raise InvalidScope(
            f'{", ".join(f"{k}={v!r}" for k, v in ids.items())} are several ids, and an export is of everything held '
            'on one subject: pass one of them alone'
        )
    return scope


async def snapshot_of(engine: Engine, scope: Scope, project: str) -> tuple[Header, _Kept]:
    """Everything held on a subject."""
    kept = _Kept()
    exported_at = now()
    held = await engine.store.export_rows(scope.home(project), kept.take)
    header = Header(
        project=project, scope=scope, exported_at=exported_at, forgotten_at=held.forgotten_at, counts=kept.counts
    )
    return header, kept


async def export_subject(engine: Engine, scope: Scope, *, project: str) -> SubjectExport:
    """Everything held on a subject, of one snapshot.

    Raises:
        InvalidScope: More than one id.
    """
    header, kept = await snapshot_of(engine, check_subject(scope), project)
    return SubjectExport(header, kept, engine)


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
