"""`memoranda clean`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

import typer

from memoranda.cli._edits import agreed, show_result
from memoranda.cli._output import emit, note
from memoranda.cli._retaining import apply_retention
from memoranda.cli._target import Target, scoped

__all__ = ['clean']

_DAYS = {'h': 1 / 24, 'd': 1, 'w': 7, 'y': 365}
_DURATION = re.compile(r'(\d{1,6})\s*([hdwy])')


@scoped
def clean(
    target: Target,
    older_than: Annotated[
        str | None, typer.Option('--older-than', metavar='TIME', help='Drop what was last said before: 90d, 12w, 2y.')
    ] = None,
    unused_for: Annotated[
        str | None, typer.Option('--unused-for', metavar='TIME', help='Drop what was not recalled, said or written.')
    ] = None,
    max_confidence: Annotated[
        float | None, typer.Option('--max-confidence', min=0, max=1, help='Drop what is at most so certain.')
    ] = None,
    kind: Annotated[list[str] | None, typer.Option('--kind', help='Drop this kind only; repeatable.')] = None,
    filters: Annotated[
        str | None, typer.Option('--filter', metavar='JSON', help='Drop only what satisfies it: \'{"tags": "old"}\'.')
    ] = None,
    merge: Annotated[bool, typer.Option('--merge-duplicates', help='Merge what says the same.')] = False,
    expired: Annotated[bool, typer.Option('--expired/--no-expired', help='Mark what is past its expiry date.')] = True,
    retention: Annotated[
        bool, typer.Option('--retention', help='Take what the settings say is not kept, instead of all this.')
    ] = False,
    everybody: Annotated[bool, typer.Option('--all', help='With --retention: of everybody in the project.')] = False,
    dry_run: Annotated[bool, typer.Option('--dry-run', help='Only show what would change.')] = False,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
) -> None:
    """Tidy the memories of a scope: mark what has expired, drop what meets all conditions, merge duplicates.

    Shows the memories and asks first. Messages stay, pinned and edited memories are left alone, and
    `memoranda revert` undoes it. With --retention old facts expire and old messages are erased, as MEMORANDA_RETENTION
    and MEMORANDA_RUN_EXPIRY say.
    """
    if retention:
        others = (older_than, unused_for, max_confidence, kind, filters, merge or None)
        if any(option is not None for option in others):
            raise typer.BadParameter('--retention does what the settings say: leave the other conditions out')
        apply_retention(target, everybody=everybody, dry_run=dry_run, yes=yes)
        return
    if everybody:
        raise typer.BadParameter('--all goes with --retention only: tidy one scope after the other')
    options: dict[str, Any] = {
        **target.ids,
        'expired': expired,
        'filters': json_object(filters),
        'older_than': duration(older_than),
        'unused_for': duration(unused_for),
        'max_confidence': max_confidence,
        'kinds': kind or None,
        'merge_duplicates': merge,
    }
    with target.open() as memory:
        if dry_run or not yes:
            found = memory.clean(**options, dry_run=True)
            if not agreed(target, found, dry_run=dry_run, nothing='nothing to clean'):
                return
        result = memory.clean(**options)
    if target.as_json:
        emit(result)
    elif result.changes:
        show_result(target, result, 'Cleaned')
    else:
        note('nothing to clean', style='yellow')


def duration(text: str | None) -> timedelta | None:
    """A duration such as `90d`.

    Raises:
        typer.BadParameter: It is none.
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise typer.BadParameter(f'{text!r} is no time: write hours, days, weeks or years as 12h, 90d, 8w, 2y')
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


def json_object(text: str | None) -> dict[str, Any] | None:
    """A filter as JSON.

    Raises:
        typer.BadParameter: It is no JSON object.
    """
    import json

    if text is None:
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value:
        raise typer.BadParameter(f'{text!r} is no JSON object with a condition: write it as {{"kind": "preference"}}')
    return value  # pyright: ignore[reportUnknownVariableType]
