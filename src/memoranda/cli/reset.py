"""`memoranda reset`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memoranda.cli._edits import agreed, show_result
from memoranda.cli._output import emit, note
from memoranda.cli._target import Target, scoped

__all__ = ['reset']


@scoped
def reset(
    target: Target,
    kind: Annotated[
        list[str] | None, typer.Option('--kind', help='All memories of this kind instead; repeatable.')
    ] = None,
    dry_run: Annotated[bool, typer.Option('--dry-run', help='Only show what would change.')] = False,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
) -> None:
    """Forget what is known of a user's tools and set-up, when these changed altogether.

    Shows the memories and asks first. Messages stay, edited memories are left alone, and `memoranda revert` undoes it.
    """
    options: dict[str, Any] = {**target.ids, 'kinds': kind or None}
    with target.open() as memory:
        if dry_run or not yes:
            found = memory.reset(**options, dry_run=True)
            if not agreed(target, found, dry_run=dry_run, nothing='nothing to reset'):
                return
        result = memory.reset(**options)
    if target.as_json:
        emit(result)
    elif result.changes:
        show_result(target, result, 'Reset')
    else:
        note('nothing to reset', style='yellow')
