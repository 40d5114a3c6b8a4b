"""`memoranda import`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from memoranda.cli._output import emit, many, note, one_line, out
from memoranda.cli._target import Target, scoped
from memoranda.errors import InvalidInput, ProcessingFailed
from memoranda.importers import FORMATS, Conversation, Format, ImportProblem, read
from memoranda.importers.base import digest
from memoranda.records import now

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.records import AddResult

__all__ = ['import_']

_NAMED = 5
_FAILURES = 3
_OTHERS = ('subject', 'mem0')
"""What may be imported beside conversations. A file of that name is meant when it stands alone, or as `./mem0`."""


@dataclass(slots=True)
class _Tally:
    """What an import has done so far."""

    dry_run: bool = False
    conversations: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    new: int = 0
    known: int = 0
    forgotten: int = 0
    """Messages that were said before their subject was forgotten."""
    memories: int = 0
    skipped: int = 0
    failed: int = 0
    """Conversations in a row from which no memories could be drawn."""
    problems: list[ImportProblem] = field(default_factory=list[ImportProblem])
    started: float = field(default_factory=time.monotonic)
    began: datetime = field(default_factory=now)

    @property
    def since(self) -> int:
        """When the import began, in milliseconds since 1970."""
        return int(self.began.timestamp() * 1000)

    def report(self, problem: ImportProblem) -> None:
        """Count a problem, and keep the first few to name them."""
        self.skipped += 1
        if len(self.problems) < _NAMED:
            self.problems.append(problem)

    def as_json(self, *, finished: bool) -> dict[str, Any]:
        """The figures."""
        return {
            'finished': finished,
            'conversations': len(self.conversations),
            'messages_new': self.new,
            'messages_known': self.known,
            'messages_forgotten': self.forgotten,
            'memories': self.memories,
            'skipped': self.skipped,
            'problems': [{'where': p.where, 'reason': p.reason} for p in self.problems],
            'seconds': round(time.monotonic() - self.started, 2),
        }


def _format(value: str) -> str:
    if value != 'auto' and value not in FORMATS:
        raise typer.BadParameter(f'{value!r} is unknown: use auto or one of {", ".join(FORMATS)}')
    return value


@scoped
def import_(
    target: Target,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar='[subject|mem0] PATH...',
            help='Files, or the ZIP archive of an export; after `subject` one that `memoranda export` wrote, after '
            '`mem0` a folder, a file or a PostgreSQL URL of Mem0.',
        ),
    ],
    format_: Annotated[
        str, typer.Option('--format', '-f', callback=_format, help=f'auto, {", ".join(FORMATS)}.', metavar='FORMAT')
    ] = 'auto',
    strict: Annotated[bool, typer.Option('--strict', help='Stop at the first thing that can not be read.')] = False,
    dry_run: Annotated[bool, typer.Option('--dry-run', help='Only read, and tell what would be stored.')] = False,
    restore: Annotated[
        bool, typer.Option('--restore', help='With `subject`: also somebody who was forgotten. Asks first.')
    ] = False,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='With --restore: do not ask.')] = False,
    history: Annotated[
        str | None, typer.Option('--history', metavar='FILE', help='With `mem0`: its history.db, if it lies elsewhere.')
    ] = None,
    collection: Annotated[
        str | None, typer.Option('--collection', metavar='NAME', help='With `mem0`: the collection or table.')
    ] = None,
) -> None:
    """Remember exported conversations: ChatGPT, Claude, chat-API lists, JSONL of messages, LoCoMo.

    `import subject FILE` brings back what `memoranda export` wrote; `import mem0 PATH` the memories of Mem0.

    It may be stopped at any time and run again: what is there already is not added twice. Messages keep their dates,
    so an old chat imported late never overrides what was said since. Whose they are: --user, else what the file
    says, else the default user.
    """
    what = paths[0] if len(paths) > 1 and paths[0] in _OTHERS else None
    _check_options(what, paths, restore=restore, yes=yes, history=history, collection=collection)
    if what == 'subject':
        from memoranda.cli._import_subject import import_subject

        import_subject(target, Path(paths[1]), restore=restore, yes=yes, dry_run=dry_run)
        return
    if what == 'mem0':
        from memoranda.cli._import_mem0 import import_mem0

        import_mem0(target, paths[1], history=history, collection=collection, dry_run=dry_run, strict=strict)
        return
    tally = _Tally(dry_run=dry_run)
    finished = False
    console = out(stderr=True)
    progress = Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn('{task.fields[messages]} messages'),
        TimeRemainingColumn(),
        console=console,
        disable=target.as_json or not console.is_terminal,
        transient=True,
    )
    try:
        with target.open() as memory, progress:
            for path in paths:
                _import_file(memory, target, Path(path), format_, progress, tally, strict=strict)
        finished = True
    except KeyboardInterrupt:
        note('stopped; the same command goes on where it left off', style='yellow')
        raise typer.Exit(130) from None
    finally:
        _summary(target, tally, finished=finished)


def _check_options(
    what: str | None, paths: list[str], *, restore: bool, yes: bool, history: str | None, collection: str | None
) -> None:
    if what is not None and len(paths) > 2:
        raise typer.BadParameter(f'`import {what}` takes one path, and there are {len(paths) - 1}: import them in turn')
    given = {'--restore': restore, '--yes': yes, '--history': history, '--collection': collection}
    fitting = {'subject': ('--restore', '--yes'), 'mem0': ('--history', '--collection')}.get(what or '', ())
    wrong = [name for name, value in given.items() if value and name not in fitting]
    if wrong:
        owner = 'subject' if wrong[0] in ('--restore', '--yes') else 'mem0'
        raise typer.BadParameter(f'{wrong[0]} is for `memoranda import {owner} PATH`: leave it out, or name what it is')


def _import_file(
    memory: Memory, target: Target, path: Path, format_: str, progress: Progress, tally: _Tally, *, strict: bool
) -> None:
    task = progress.add_task(one_line(path.name, 30), total=None, messages=0)

    def advance(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    def stop(problem: ImportProblem) -> None:
        tally.report(problem)
        raise problem

    report = stop if strict else tally.report
    chosen: Format | None = next((f for f in FORMATS if f == format_), None)
    for conversation in read(path, chosen, on_problem=report, on_progress=advance):
        _store(memory, target, conversation, tally, report)
        progress.update(task, messages=tally.new + tally.known)


def _store(
    memory: Memory,
    target: Target,
    conversation: Conversation,
    tally: _Tally,
    report: Callable[[ImportProblem], None],
) -> None:
    ids = _ids(target, conversation)
    tally.conversations.add(tuple(sorted(ids.values())))
    if tally.dry_run:
        tally.new += len(conversation.messages)
        return
    try:
        _count(tally, _add(memory, ids, conversation, conversation.messages))
        tally.failed = 0
    except ProcessingFailed as error:
        # The messages are safe. A model that is down fails every time, and then there is no point in going on.
        tally.failed += 1
        report(ImportProblem(conversation.source_id, str(error)))
        if tally.failed >= _FAILURES:
            raise
    except InvalidInput as error:
        if len(conversation.messages) == 1:
            report(ImportProblem(conversation.source_id, str(error)))
            return
        # One message the engine refuses must not keep its neighbours out.
        for offset, message in enumerate(conversation.messages):
            try:
                _count(tally, _add(memory, ids, conversation, [message], offset))
            except InvalidInput as refused:
                where = f'{conversation.source_id}, message {conversation.start + offset + 1}'
                report(ImportProblem(where, str(refused)))


def _ids(target: Target, conversation: Conversation) -> dict[str, Any]:
    found = {'agent_id': target.agent, 'app_id': target.app, 'run_id': target.run or conversation.run_id}
    found['user_id'] = target.user or conversation.user_id or target.default_user
    return {key: value for key, value in found.items() if value is not None}


def _add(
    memory: Memory, ids: dict[str, Any], conversation: Conversation, messages: list[dict[str, Any]], offset: int = 0
) -> AddResult:
    # The content is part of the key: an export made later, with more messages, is not the same batch.
    content = json.dumps(messages, default=str, sort_keys=True)
    key = digest(conversation.source_id, str(conversation.start + offset), content)
    return memory.add(messages, **ids, idempotency_key=f'import:{key}')


def _count(tally: _Tally, result: AddResult) -> None:
    # A batch that is repeated is answered with the ids of the first time; ids tell when they were made.
    new = sum(_made_at(episode_id) >= tally.since for episode_id in result.episode_ids)
    tally.new += new
    tally.known += result.known + len(result.episode_ids) - new
    tally.forgotten += result.skipped.get('forgotten', 0)
    tally.memories += sum(
        edit.before is None and edit.after.status == 'active' and edit.after.recorded_at >= tally.began
        for edit in result.changes
    )


def _made_at(episode_id: str) -> int:
    """Milliseconds since 1970: the first 48 bits of a UUIDv7."""
    return uuid.UUID(episode_id).int >> 80


def _summary(target: Target, tally: _Tally, *, finished: bool) -> None:
    figures = tally.as_json(finished=finished)
    if not finished and not tally.conversations and not tally.problems:
        return  # the error that follows says it all
    if target.as_json:
        emit(figures)
        return
    for problem in tally.problems:
        note(f'skipped: {one_line(str(problem), 200)}', style='yellow')
    if tally.skipped > len(tally.problems):
        note(f'skipped: {tally.skipped - len(tally.problems)} more', style='yellow')
    if tally.dry_run:
        told = f'{many(len(tally.conversations), "conversation")}: {many(tally.new, "message")}'
        out().print(f'{told}, {tally.skipped} skipped; nothing was written')
        return
    if tally.forgotten:
        note(f'{many(tally.forgotten, "message")} not stored: said before whom they belong to was forgotten', 'yellow')
    out().print(
        f'{many(len(tally.conversations), "conversation")}: {many(tally.new, "new message")}, {tally.known:,} known '
        f'already, {many(tally.memories, "memory")} drawn, {tally.skipped} skipped, {figures["seconds"]:.1f} s'
    )
