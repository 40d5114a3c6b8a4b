"""`memoranda verify`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memoranda.cli._output import emit, many, moment, note, one_line, out, plain
from memoranda.cli._safe import escape_json
from memoranda.cli._target import (
    AgentOption,
    AppOption,
    DatabaseOption,
    JsonOption,
    ProjectOption,
    RunOption,
    Target,
)
from memoranda.errors import InvalidInput

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.consent.audit import Verification
    from memoranda.consent.forgetting import ErasureReceipt, ErasureReport

__all__ = ['verify']

_PAGE = 1000
_BROKEN = 1
_TELLING = 3
"""Words of a text that is worth searching for."""
UserOption = Annotated[str | None, typer.Option('--user', '-u', help='Only this user.', rich_help_panel='Scope')]
AnchorOption = Annotated[
    Path | None,
    typer.Option('--anchor', metavar='FILE', help='Compare with this checkpoint: nothing up to it may be cut off.'),
]
CheckpointOption = Annotated[
    Path | None, typer.Option('--checkpoint', metavar='FILE', help='Write a checkpoint, if nothing is broken.')
]
ErasureOption = Annotated[
    Path | None, typer.Option('--erasure', metavar='FILE', help='Instead: does this receipt of a forget still hold?')
]
TextOption = Annotated[
    list[str] | None,
    typer.Option('--text', metavar='TEXT', help='With --erasure: words that must be gone; repeatable.'),
]
TextsOption = Annotated[
    Path | None,
    typer.Option(
        '--texts',
        metavar='FILE',
        help='With --erasure: the same for each line of a file, or for all that an export made before holds.',
    ),
]
ExportOption = Annotated[
    str | None, typer.Option('--export', metavar='FILE', help='Write the entries as JSON lines; - prints them.')
]
WordsOption = Annotated[bool, typer.Option('--words/--no-words', help='With --export: what was remembered, too.')]


def verify(
    anchor: AnchorOption = None,
    checkpoint: CheckpointOption = None,
    export: ExportOption = None,
    words: WordsOption = True,
    erasure: ErasureOption = None,
    texts: TextOption = None,
    texts_file: TextsOption = None,
    database: DatabaseOption = None,
    project: ProjectOption = None,
    user: UserOption = None,
    agent: AgentOption = None,
    run: RunOption = None,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the audit chains are whole, or that what was forgotten is gone.

    Without an id or --project the chains of everybody in the file. The exit code is 1 when something is broken; the
    first broken entry of each chain is named.
    """
    target = Target(database=database, project=project, user=user, agent=agent, run=run, app=app, as_json=as_json)
    if erasure is not None and (anchor, checkpoint, export) != (None,) * 3:
        raise typer.BadParameter('--erasure stands alone: leave out --anchor, --checkpoint and --export')
    if (texts or texts_file) and erasure is None:
        raise typer.BadParameter(
            '--text and --texts say what must be gone after an erasure: name its receipt by --erasure'
        )
    wanted = [*(texts or ()), *(() if texts_file is None else _texts_of(texts_file))]
    given = None if anchor is None else _anchor(anchor)
    receipt = None if erasure is None else _receipt(erasure)
    if checkpoint is not None and checkpoint.exists():
        raise InvalidInput(f'{checkpoint} exists, and a checkpoint is kept as it is: name another file')
    with _opened(target) as memory:
        if receipt is not None:
            _erasure(memory, receipt, wanted, as_json=as_json)
            return
        which = _which(target)
        view = memory if target.project is None or not target.assumed else memory.project_wide()
        found = _verified(view, which, given)
        if export is not None:
            _export(view, which, export, words=words)
        if checkpoint is not None and found.ok:
            with checkpoint.open('x', encoding='utf-8') as file:
                file.write(str(view.checkpoint(**which)) + '\n')
    if as_json and export != '-':
        emit({'ok': found.ok, **plain(found)})
    else:
        _tell(found, checkpoint, stderr=export == '-')
        if not found.owners and not target.assumed:
            note(f'nothing is recorded of {target.whose}: is the id right?', style='yellow')
    if not found.ok:
        raise typer.Exit(_BROKEN)


@contextmanager
def _opened(target: Target) -> Generator[Memory]:
    memory = target.open()
    is_file = memory.location != ':memory:' and '://' not in memory.location
    if is_file and not os.path.exists(memory.location):
        raise InvalidInput(f'{memory.location} does not exist: name the file by --database or MEMORANDA_DATABASE')
    with memory:
        yield memory


def _which(target: Target) -> Mapping[str, Any]:
    """Whose chains, as arguments of the memory's methods."""
    if not target.assumed:
        return target.ids
    return {'all_projects': True} if target.project is None else {}


def _verified(view: Memory, which: Mapping[str, Any], anchor: str | None) -> Verification:
    console = out(stderr=True)
    with console.status('verifying') as status:

        def progress(owners: int, entries: int) -> None:
            status.update(f'verifying: {many(entries, "entry")} of {many(owners, "chain")}')

        return view.verify(**which, anchor=anchor, progress=progress if console.is_terminal else None)


def _tell(found: Verification, checkpoint: Path | None, *, stderr: bool) -> None:
    console = out(stderr=stderr)
    for broken in found.breaks:
        console.print(f'broken: {one_line(str(broken), 400)}', style='red')
    parts = [f'{many(found.entries, "entry")} of {many(found.owners, "chain")}']
    parts += [f'{found.versions:,} compared with the memories'] if found.versions else []
    parts += [f'{found.reads:,} of reads'] if found.reads else []
    parts += [f'{found.erased:,} erased'] if found.erased else []
    parts += [f'{many(found.anchored, "chain")} compared with the anchor'] if found.anchored else []
    console.print(('Whole: ' if found.ok else f'{many(len(found.breaks), "chain")} broken: ') + ', '.join(parts) + '.')
    if found.unprovable:
        note(f'{many(found.unprovable, "entry")} of the anchor went with owners who were erased altogether.')
    if found.unbound:
        note(f'{many(found.unbound, "entry")} of version 0.1.0: who made a change and why is not part of their hashes.')
    if checkpoint is not None:
        note(f'checkpoint written to {checkpoint}' if found.ok else 'no checkpoint was written')


def _export(view: Memory, which: Mapping[str, Any], target: str, *, words: bool) -> None:
    cursor: str | None = None
    with nullcontext(sys.stdout) if target == '-' else Path(target).open('x', encoding='utf-8') as file:
        while True:
            page = view.audit_log(**which, words=words, limit=_PAGE, cursor=cursor)
            file.writelines(escape_json(str(entry)) + '\n' for entry in page)
            cursor = page.cursor
            if cursor is None:
                return


def _anchor(file: Path) -> str:
    from memoranda.consent.checkpoint import Checkpoint

    try:
        text = file.read_bytes().decode('utf-8', 'replace')
        Checkpoint.parse(text)
    except InvalidInput as error:
        raise InvalidInput(f'{file}: {error}') from error
    return text


def _receipt(file: Path) -> ErasureReceipt:
    from memoranda.consent.forgetting import ErasureReceipt

    try:
        return ErasureReceipt.from_json(file.read_bytes())
    except InvalidInput as error:
        raise InvalidInput(f'{file}: {error}') from error


def _erasure(memory: Memory, receipt: ErasureReceipt, texts: list[str], *, as_json: bool) -> None:
    report = memory.verify_erasure(receipt, texts=texts)
    if as_json:
        emit({'ok': report.ok, 'restored': report.restored, **plain(report)})
    else:
        _tell_erasure(receipt, report, texts)
    if not report.ok or report.restored:
        raise typer.Exit(_BROKEN)


def _tell_erasure(receipt: ErasureReceipt, report: ErasureReport, texts: list[str]) -> None:
    for problem in report.problems:
        out().print(f'broken: {one_line(problem, 400)}', style='red')
    for remark in report.notes:
        note(one_line(remark, 400))
    for i in sorted(report.found):
        note(f'text {i + 1}: “{one_line(texts[i], 120)}”')
    erasure = f'The erasure of {moment(receipt.at)}'
    if report.restored:
        out().print(f'{erasure} was undone: what it took was restored from an export since.', style='yellow')
    elif report.ok and report.searched:
        found = f'{many(report.searched, "text")} searched for in tables and files, none found'
        out().print(f'{erasure} holds: its rows are gone, and {found}.')
    elif report.ok:
        out().print(f'{erasure} holds: its rows are gone, and the audit chain records it.')
        note('a receipt knows no words: --text or --texts searches the files for some')


def _texts_of(file: Path) -> list[str]:
    """What to search for: the lines of a file, or the words of an export."""
    try:
        text = file.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise InvalidInput(f'{file} is not text in UTF-8 ({error.reason}): save it as such') from error
    if not text.lstrip().startswith('{'):
        lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
        if not lines:
            raise InvalidInput(f'{file} is empty, so nothing would be searched for: write a text on each line')
        return lines
    try:
        document = json.loads(text)
        said = [episode['text'] for episode in document['episodes']]
        known = [version['text'] for memory in document['memories'] for version in memory['versions']]
    except (ValueError, TypeError, LookupError) as error:
        raise InvalidInput(
            f'{file} is neither lines of text nor an export ({type(error).__name__}): pass what `memoranda export -o` '
            'wrote, or a file with a text on each line'
        ) from error
    # What is short, others have said too.
    long = [t for t in (*said, *known) if isinstance(t, str) and len(t.split()) >= _TELLING]
    if not long:
        raise InvalidInput(f'{file} holds no text of {_TELLING} words or more: name words by --text')
    return list(dict.fromkeys(long))
