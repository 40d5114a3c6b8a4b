"""`memoranda doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, many, one_line, out, plain, size
from memoranda.cli._target import DatabaseOption, JsonOption, ProjectOption, Target
from memoranda.cli.jobs import every_job, span
from memoranda.errors import MemorandaError
from memoranda.records import now

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.settings import DatabaseTarget, Settings
    from memoranda.stores.data import Stats

__all__ = ['doctor']

_LITTLE_SPACE = 256 << 20
_LARGE_LOG = 64 << 20
_OVERDUE_SECONDS = 60
"""A job that is due for so long has nobody who does it."""
_WAITING, _DEAD = ('queued', 'retrying'), ('dead',)
_IN_WORDS = {'queued': 'waiting', 'running': 'running', 'retrying': 'to be tried again', 'dead': 'given up'}
_MAGIC = b'SQLite format 3\x00'
_PASSING = {'tmpfs', 'ramfs', 'overlay', 'overlayfs', 'aufs'}
_NETWORK = {'nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', 'fuse.sshfs', '9p', 'afs', 'ceph', 'glusterfs', 'lustre'}


@dataclass(slots=True)
class _Report:
    """What was found."""

    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: list[str] = field(default_factory=list[str])
    """Worth knowing."""
    problems: list[str] = field(default_factory=list[str])
    """Wrong: the exit code is 1."""


def doctor(database: DatabaseOption = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Say where the memories are, what is there, and what is wrong."""
    report = _Report()
    settings = _settings(report)
    target = Target(database=database, project=project, as_json=as_json)
    if settings is not None:
        _embedder(report, settings)
        report.facts['model'] = settings.model or 'none: rules'
        where = _locate(report, settings, database)
        if isinstance(where, str) or (where is not None and _look_at_file(report, where)):
            _look_inside(report, target)
    if as_json:
        emit({'ok': not report.problems, **report.facts, 'warnings': report.warnings, 'problems': report.problems})
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


def _settings(report: _Report) -> Settings | None:
    from memoranda.settings import Settings

    try:
        settings = Settings()
    except MemorandaError as error:
        report.problems.append(str(error))
        return None
    report.facts['settings'] = {o.name: {'value': o.value, 'source': o.source} for o in settings.describe()}
    return settings


def _locate(report: _Report, settings: Settings, database: str | None) -> Path | str | None:
    """Where the database is, and who says so: a file, or the URL of a server."""
    from memoranda.settings import resolve_database

    try:
        found = resolve_database(database, settings)
    except MemorandaError as error:
        report.problems.append(str(error))
        return None
    report.facts['chosen_by'] = '--database' if database is not None else _source(settings)
    if found.kind == 'postgresql':
        report.facts['database'] = str(found)
        report.facts['exists'] = True
        return str(found)
    if found.kind == 'shards':
        report.facts['database'] = str(found)
        return str(found) if _shards_are_there(report, found) else None
    if not isinstance(found.path, Path):
        report.facts['database'] = str(found.path)
        report.warnings.append(f'{found.path} is gone when the process ends: name a file to keep memories')
        return None
    # A relative path in a settings file starts at that file, wherever the command is run.
    from_file = database is None and settings.origin('database').source == 'file'
    given = database or settings.database
    if given and not from_file and not Path(given.removeprefix('sqlite:///')).expanduser().is_absolute():
        report.warnings.append(
            f'the path {given!r} is relative, so it means another file in every working directory: write it in full'
        )
    path = found.path.absolute()
    report.facts['database'] = str(path)
    return path


def _shards_are_there(report: _Report, found: DatabaseTarget) -> bool:
    """Whether there is something to be opened: what is missing would be made."""
    missing = [part.path for part in found.parts if isinstance(part.path, Path) and not part.path.exists()]
    report.facts['exists'] = len(missing) < len(found.parts)
    if missing and report.facts['exists']:
        report.problems.append(
            f'{missing[0]} is missing ({len(missing)} of {len(found.parts)} shards are): restore its backup, or '
            'correct its name; all shards are named, in the order they were made in'
        )
    return not missing


def _source(settings: Settings) -> str:
    origin = settings.origin('database')
    return 'default' if origin.source == 'default' else f'{origin.source} {origin.detail}'.strip()


def _look_at_file(report: _Report, path: Path) -> bool:
    """What can be told without opening the database. Returns whether it makes sense to open it."""
    folder = next((p for p in path.parents if p.exists()), Path('/'))
    free = shutil.disk_usage(folder).free
    report.facts['disk_free'] = free
    if free < _LITTLE_SPACE:
        report.problems.append(f'{folder} has {size(free)} left: free some space, or move the database')
    kind = _file_system(folder)
    if kind:
        report.facts['file_system'] = kind
    if kind in _PASSING:
        report.warnings.append(f'{folder} is on {kind}, which a restart may empty: put the database on a real disk')
    if kind in _NETWORK:
        report.warnings.append(
            f'{folder} is on a network file system ({kind}), where SQLite can not lock safely: use a local disk'
        )
    if not path.exists():
        report.facts['exists'] = False
        if not folder.is_dir():
            report.problems.append(f'{folder} is not a folder: name another file')
        elif not os.access(folder, os.W_OK):
            report.problems.append(f'{folder} can not be written by this user: change its rights, or name another file')
        return False
    report.facts['exists'] = True
    return _looks_like_sqlite(report, path)


def _looks_like_sqlite(report: _Report, path: Path) -> bool:
    if path.is_dir():
        report.problems.append(f'{path} is a folder: name a file in it, for example {path / "memoranda.db"}')
        return False
    try:
        with path.open('rb') as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        report.problems.append(f'{path} can not be read ({error.strerror}): change its rights, or name another file')
        return False
    if head and head != _MAGIC:
        report.problems.append(
            f'{path} is no SQLite database (or its beginning is damaged): '
            'name another file, or restore this one from a backup'
        )
        return False
    log = Path(f'{path}-wal')
    report.facts['size'] = path.stat().st_size
    report.facts['log_size'] = log.stat().st_size if log.exists() else 0
    if report.facts['log_size'] > _LARGE_LOG:
        report.warnings.append(
            f'{log.name} holds {size(report.facts["log_size"])} not yet written back: a reader is open for long; end it'
        )
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        report.problems.append(f'{path} or its folder can not be written by this user: change the rights')
        return False
    return True


def _file_system(folder: Path) -> str | None:
    """The type of the file system a folder is on, where the system says (Linux)."""
    try:
        mounts = Path('/proc/self/mounts').read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return None
    best, kind = -1, None
    real = folder.resolve()
    for line in mounts:
        parts = line.split()
        if len(parts) < 3:
            continue
        point = Path(parts[1].replace('\\040', ' '))
        # The longest mount point above the folder is the one in force; of equal ones the last.
        if (point == real or point in real.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), parts[2]
    return kind


def _look_inside(report: _Report, target: Target) -> None:
    try:
        with target.open() as memory:
            stats = memory.stats()
            _look_at_jobs(report, memory)
    except MemorandaError as error:
        report.problems.append(str(error))
        return
    facts = report.facts
    facts |= {
        'backend': stats.backend,
        'schema_version': stats.schema_version,
        'owners': stats.owners,
        'memories': stats.memories,
        'versions': stats.versions,
        'episodes': stats.episodes,
        'jobs_queued': stats.jobs_queued,
        'jobs_dead': stats.jobs_dead,
        'scrub_pending': stats.scrub_pending,
        'details': plain(stats.details),
    }
    _compare_embedders(report, stats)
    _judge_jobs(report, stats)
    if stats.details.get('only_reads'):
        report.warnings.append(
            f'{stats.location} only reads, so nothing can be added or forgotten: name the primary in the URL, or '
            'several hosts and target_session_attrs=read-write'
        )
    if 'shard' in stats.details:
        report.warnings.append(
            f'{stats.location} is shard {stats.details["shard"]}, counted from 0, and is looked at alone: to add to '
            'it, name all shards (docs/sharding.md), for most owners live in others'
        )
    if stats.scrub_pending:
        report.warnings.append(
            'an erasure is not finished in the files: close other processes that hold the database'
            if stats.backend == 'sqlite'
            else 'an erasure waits for a vacuum, which any open memory and `memoranda worker` see to: end transactions '
            'that stay open for long'
        )
    if stats.building is not None:
        report.warnings.append(
            f'a reindex with {stats.building.embedder} was begun and not finished: run it again with that embedder, or '
            '`memoranda reindex --discard`'
        )


def _look_at_jobs(report: _Report, memory: Memory) -> None:
    """What is left to be done in this project. Of every state: how many, and since when in seconds."""
    found: dict[str, dict[str, int]] = {}
    overdue = 0
    for job in every_job(memory.project_wide(), {}, states=('queued', 'running', 'retrying', 'dead')):
        age = int((now() - job.created_at).total_seconds())
        of_state = found.setdefault(job.status, {'count': 0, 'oldest_seconds': 0})
        of_state['count'] += 1
        of_state['oldest_seconds'] = max(of_state['oldest_seconds'], age)
        if job.status in ('queued', 'retrying'):
            overdue = max(overdue, int((now() - job.run_after).total_seconds()))
    report.facts['jobs'] = {'project': memory.project, 'overdue_seconds': overdue, **found}


def _judge_jobs(report: _Report, stats: Stats) -> None:
    jobs = report.facts['jobs']
    dead, waiting = (sum(jobs[state]['count'] for state in states if state in jobs) for states in (_DEAD, _WAITING))
    elsewhere = stats.jobs_dead - dead
    if dead:
        report.problems.append(
            f'{many(dead, "job")} given up, the oldest added {span(jobs["dead"]["oldest_seconds"])} ago; the messages '
            'are stored, no memories were drawn from them: `memoranda jobs list --all --state dead` tells why, '
            '`memoranda jobs retry --all --dead` tries again'
        )
    if elsewhere > 0:
        report.problems.append(f'{many(elsewhere, "job")} given up in other projects: --project names one to look at')
    if waiting and jobs['overdue_seconds'] > _OVERDUE_SECONDS and 'running' not in jobs:
        report.warnings.append(
            f'{many(waiting, "job")} not done, the first due for {span(jobs["overdue_seconds"])}, and nobody is at it: '
            'keep the memory open in the program that adds (`async with memory`), or run `memoranda worker`, or '
            '`memoranda worker --once` now and then'
        )


def _queue(facts: dict[str, Any]) -> str:
    """The jobs in words."""
    jobs = facts['jobs']
    told = [
        f'{jobs[state]["count"]:,} {word} (the oldest added {span(jobs[state]["oldest_seconds"])} ago)'
        for state, word in _IN_WORDS.items()
        if state in jobs
    ]
    here = sum(jobs[state]['count'] for state in _IN_WORDS if state in jobs)
    elsewhere = facts['jobs_queued'] + facts['jobs_dead'] - here
    if elsewhere > 0:
        told.append(f'{elsewhere:,} in other projects')
    return ', '.join(told) or 'none left to do'


def _embedder(report: _Report, settings: Settings) -> None:
    from memoranda.embedders import resolve_embedder

    report.facts['embedder'] = None
    try:
        report.facts['embedder'] = resolve_embedder(settings.embedder).name
    except MemorandaError as error:
        report.problems.append(str(error))


def _compare_embedders(report: _Report, stats: Stats) -> None:
    stored, configured = stats.generation, report.facts['embedder']
    report.facts['embedder_in_file'] = plain(stored)
    if stored is not None and configured is not None and stored.embedder != configured:
        report.problems.append(
            f'the vectors in the file were made by {stored.embedder}, and {configured} is configured: '
            'run `memoranda reindex`, or configure the former'
        )


def _print(report: _Report) -> None:
    facts, console = report.facts, out()
    table = Table.grid(padding=(0, 2))
    table.add_column(style='dim', no_wrap=True)
    table.add_column()

    def row(name: str, value: object) -> None:
        table.add_row(name, Text(one_line(str(value))))

    if 'database' in facts:
        row('database', facts['database'])
        row('chosen by', facts['chosen_by'])
    if facts.get('exists') is False:
        row('state', 'not there yet; the first `memoranda add` creates it')
    if 'size' in facts:
        row('size', size(facts['size']) + (f' + {size(facts["log_size"])} log' if facts['log_size'] else ''))
    if 'disk_free' in facts:
        row('disk', f'{size(facts["disk_free"])} free' + _suffix(facts.get('file_system')))
    if 'backend' in facts:
        details = ', '.join(f'{k} {v}' for k, v in facts['details'].items() if isinstance(v, str | int | float))
        row('store', f'{facts["backend"]}, schema {facts["schema_version"]}' + (f', {details}' if details else ''))
        counts = (('memories', 'memory'), ('episodes', 'message'), ('owners', 'owner'))
        row('holds', ', '.join(many(facts[name], noun) for name, noun in counts))
        row('jobs', _queue(facts))
        stored = facts['embedder_in_file']
        row('vectors', f'{stored["embedder"]}, {stored["dimensions"]} dimensions' if stored else 'none yet')
    if 'model' in facts:
        row('embedder', facts['embedder'] or 'none')
        row('model', facts['model'])
    row('python', f'{platform.python_version()} on {platform.system()}')
    console.print(table)
    for warning in report.warnings:
        console.print(f'warning: {one_line(warning)}', style='yellow')
    for problem in report.problems:
        console.print(f'wrong: {one_line(problem)}', style='red')
    if not report.problems:
        console.print('ok' if not report.warnings else 'works', style='green')


def _suffix(kind: object) -> str:
    return f', {kind}' if kind else ''
