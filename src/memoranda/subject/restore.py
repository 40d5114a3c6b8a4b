"""Importing a subject's document: read through and checked first, then written where nobody sees it, then shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from memoranda._precedence import for_job
from memoranda.errors import Conflict, InvalidInput, InvalidScope
from memoranda.scope import Owner, Scope
from memoranda.stores.data import SegmentDraft, VersionWrite
from memoranda.stores.leases import new_token
from memoranda.stores.portable import EpisodeIn, EpisodeItem, Item, MemoryIn, MemoryItem, RestoreNote, RowIn
from memoranda.subject.document import Header, scope_of
from memoranda.subject.export import snapshot_of
from memoranda.subject.reading import Document, Scan, Source, source_of
from memoranda.write.messages import segments

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector

__all__ = ['ImportReport', 'ImportStatus', 'Progress', 'import_subject']

ImportStatus: TypeAlias = Literal['imported', 'restored', 'known', 'forgotten', 'checked']
"""What became of a document.

- `imported`: all of it is there now
- `restored`: the same, although the subject had been forgotten
- `known`: it was imported before, or says what is there; nothing was written
- `forgotten`: the subject was forgotten after it was recorded; nothing was written
- `checked`: it would be imported; nothing was written, for that was asked
"""
Progress: TypeAlias = Callable[[int, int], None]
"""Told (items done, items in all)."""
_ITEMS: Final = 200
_CHARS: Final = 200_000
"""At most so many items, and about so many characters, are one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did."""

    status: ImportStatus
    project: str
    scope: Scope
    counts: Mapping[str, int]
    """Items of the document, by section."""
    digest: str
    """Of the document."""
    exported_at: datetime
    forgotten_at: datetime | None = None
    """With `forgotten` and `restored`: when the subject, or a part of it, had been forgotten."""
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    """With `forgotten`: how many messages were not stored, by reason."""


async def import_subject(
    engine: Engine,
    document: Document,
    *,
    project: str,
    bound: Scope | None,
    restore: bool,
    dry_run: bool,
    progress: Progress | None = None,
    actor: str = 'user',
) -> ImportReport:
    """Write everything that a document holds, or nothing.

    Args:
        engine: Where to.
        document: What `export` has written.
        project: The tenant of the caller.
        bound: The scope the caller is bound to.
        restore: Write it also when its subject was forgotten since.
        dry_run: Only check it.
        progress: Told how far it is.
        actor: Who imports it.

    Raises:
        ImportProblem: The document is damaged, edited or of a newer version: the first thing that doesn't fit.
        InvalidInput: It is of another project or scope.
        Conflict: Something else is held on the subject, or it was forgotten meanwhile.
    """
    source = await engine.compute(lambda: source_of(document))
    with for_job():
        scan = Scan(source)
        await _read_through(engine, scan)
        header, owner = scan.header, scan.header.owner
        _check_whose(header, project, bound)
        report = ImportReport(
            status='checked',
            project=project,
            scope=header.scope,
            counts=scan.counts,
            digest=scan.digest,
            exported_at=header.exported_at,
        )
        if await _is_known(engine, scan):
            return _with(report, 'known')
        forgotten = await _forgotten(engine, scan)
        if forgotten is not None and not restore:
            skipped = {'forgotten': scan.counts['episodes']}
            return _with(report, 'forgotten', forgotten_at=forgotten, skipped=skipped)
        if dry_run:
            return _with(report, 'checked', forgotten_at=forgotten)
        note = RestoreNote(
            digest=scan.digest,
            restored=forgotten is not None,
            counts=scan.counts,
            forgotten_at=header.forgotten_at,
            actor=actor,
        )
        await _write(engine, source, scan, owner, note, progress)
    return _with(report, 'imported' if forgotten is None else 'restored', forgotten_at=forgotten)


def _with(report: ImportReport, status: ImportStatus, **fields: Any) -> ImportReport:
    return replace(report, status=status, **fields)


async def _read_through(engine: Engine, scan: Scan) -> None:
    items = iter(scan)
    while await engine.compute(lambda: sum(1 for _ in islice(items, _ITEMS))):
        pass


def _check_whose(header: Header, project: str, bound: Scope | None) -> None:
    if header.project != project:
        raise InvalidInput(
            f'the document is of project {header.project!r}, and this memory works in {project!r}: '
            f'import it with in_project({header.project!r}), or memoranda import --project'
        )
    if bound is not None and bound != header.scope:
        ids = ', '.join(f'{name}={value!r}' for name, value in scope_of(header.scope).items()) or 'the shared memories'
        raise InvalidScope(f'the document is of {ids}, outside the scope this memory is bound to: use another view')


async def _is_known(engine: Engine, scan: Scan) -> bool:
    held = await engine.store.holdings(scan.header.owner)
    if held.empty and any(scan.counts.values()):
        return False
    there, kept = await snapshot_of(engine, scan.header.scope, scan.header.project)
    if scan.digest in kept.imports or kept.digests.whole(there) == scan.digest:
        return True
    if held.empty:
        return False
    counts = ', '.join(f'{count:,} {name}' for name, count in kept.counts.items() if count)
    raise Conflict(
        f'{scan.header.owner.kind} {scan.header.owner.key!r} holds something else already ({counts}), and two '
        'histories can not be made one: forget what is there first, or import into another database'
    )


async def _forgotten(engine: Engine, scan: Scan) -> datetime | None:
    """When what the document holds was forgotten, if it was recorded before that."""
    owner, oldest = scan.header.owner, scan.checks.oldest
    until = await engine.store.tombstone(owner)
    if until is not None and (oldest is None or oldest <= until):
        return until
    for said, first in scan.checks.said.items():
        ids = {'agent_id': said.agent_id, 'run_id': said.run_id, 'app_id': said.app_id}
        given = {name: value for name, value in ids.items() if value is not None}
        until = await engine.store.tombstone(owner, ids=given) if given else None
        if until is not None and first <= until:
            return until
    return None


async def _write(
    engine: Engine, source: Source, first: Scan, owner: Owner, note: RestoreNote, progress: Progress | None
) -> None:
    store, token = engine.store, new_token()
    generation = await engine.ensure_generation()
    scan, total = Scan(source), sum(first.counts.values())
    items = iter(scan)
    done = 0
    await store.begin_restore(owner, token)
    try:
        while batch := await engine.compute(lambda: list(_batch(items))):
            rows = await _prepared(engine, batch, embed=generation is not None)
            await store.restore_rows(owner, token, rows, generation=None if generation is None else generation.id)
            done += len(batch)
            if progress is not None:
                progress(done, total)
        if scan.digest != first.digest:
            raise Conflict(f'{source.name} was changed while it was imported: nothing was imported, do it again')
        await store.finish_restore(owner, token, note)
    except BaseException:  # cancelled too: then nothing can be awaited any more
        store.abandon_restore(token)
        raise


def _batch(items: Iterator[tuple[str, Item]]) -> Iterable[Item]:
    chars = 0
    for _, item in islice(items, _ITEMS):
        yield item
        chars += _size(item)
        if chars > _CHARS:
            return


def _size(item: Item) -> int:
    if isinstance(item, EpisodeItem):
        return len(item.text)
    return sum(len(v.text) for v in item.versions) if isinstance(item, MemoryItem) else 0


async def _prepared(engine: Engine, items: Sequence[Item], *, embed: bool) -> list[RowIn]:
    """The items with their search side."""
    drafts: dict[str, list[SegmentDraft]] = await engine.compute(
        lambda: {i.id: _segments(engine, i.text) for i in items if isinstance(i, EpisodeItem)}
    )
    texts = [
        text
        for item in items
        for text in (
            (item.text[d.start : d.end] for d in drafts[item.id])
            if isinstance(item, EpisodeItem)
            else (v.text for v in item.versions)
            if isinstance(item, MemoryItem)
            else ()
        )
    ]
    distinct = list(dict.fromkeys(texts)) if embed else []
    vectors: dict[str, FloatVector] = dict(zip(distinct, await engine.embed(distinct), strict=True))
    return await engine.compute(lambda: [_row(engine, item, drafts, vectors) for item in items])


def _row(
    engine: Engine, item: Item, drafts: Mapping[str, Sequence[SegmentDraft]], vectors: Mapping[str, FloatVector]
) -> RowIn:
    if isinstance(item, EpisodeItem):
        parts = drafts[item.id]
        found = [vectors[item.text[d.start : d.end]] for d in parts] if vectors else ()
        return EpisodeIn(item=item, segments=parts, vectors=found)
    if isinstance(item, MemoryItem):
        writes = [VersionWrite(terms=engine.terms(v.text), vector=vectors.get(v.text)) for v in item.versions]
        return MemoryIn(item=item, writes=writes)
    return item


def _segments(engine: Engine, text: str) -> list[SegmentDraft]:
    return [SegmentDraft(start=a, end=b, terms=engine.terms(text[a:b])) for a, b in segments(text)]
