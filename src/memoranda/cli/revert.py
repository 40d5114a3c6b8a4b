"""`memoranda revert`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from memoranda.cli._edits import edits_table, undo_hint
from memoranda.cli._output import emit, one_line, out
from memoranda.cli._target import Target, scoped
from memoranda.errors import InvalidInput, MemoryNotFound

__all__ = ['revert']

_FULL_ID = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')
_SEARCHED = 1000
"""Changes looked through for a shortened id."""


@scoped
def revert(
    target: Target,
    change_id: Annotated[
        str, typer.Argument(metavar='CHANGE', help='The id that `memoranda changes` shows, or enough of its end.')
    ],
    cascade: Annotated[bool, typer.Option('--cascade', help='Also undo later changes that depend on it.')] = False,
) -> None:
    """Undo a change. That is a change too, and can be undone."""
    with target.open() as memory:
        full = _resolve(memory, change_id, target.ids)
        done = memory.revert(full, cascade=cascade, **target.ids)
    if target.as_json:
        emit(done)
        return
    out().print(edits_table(done.edits))
    out().print(undo_hint(target, done))


def _resolve(memory: Any, given: str, ids: dict[str, Any]) -> str:
    wanted = given.strip().lower()
    if _FULL_ID.fullmatch(wanted):
        return wanted
    bare = wanted.replace('-', '')
    if len(bare) < 4 or not re.fullmatch(r'[0-9a-f]+', bare):
        raise InvalidInput(
            f'{one_line(given, 60)!r} is no change id, nor a part of one (4 or more of 0-9 and a-f): '
            '`memoranda changes` shows the ids'
        )
    page = memory.changes(**ids, limit=_SEARCHED)
    found = [c.id for c in page.items if c.id.replace('-', '').startswith(bare) or c.id.replace('-', '').endswith(bare)]
    if not found:
        raise MemoryNotFound(f'no change {one_line(given, 60)!r} in this scope: `memoranda changes` shows the ids')
    if len(found) > 1:
        raise InvalidInput(f'{one_line(given, 60)!r} fits {len(found)} changes: write the whole id')
    return found[0]
