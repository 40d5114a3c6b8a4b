"""`memoranda edit`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memoranda.cli._dates import parse_moment
from memoranda.cli._output import emit, out, shown
from memoranda.cli._target import Target, resolve, scoped
from memoranda.cli.show import record_table

__all__ = ['edit']


@scoped
def edit(
    target: Target,
    memory_id: Annotated[str, typer.Argument(metavar='ID', help='The id, or enough of its beginning or end.')],
    text: Annotated[str | None, typer.Argument(help='What it should say.')] = None,
    kind: Annotated[str | None, typer.Option(help='Another kind.')] = None,
    slot: Annotated[str | None, typer.Option(help="Another slot; '' removes it.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help='The tags it should have; repeatable. One empty tag: none.')
    ] = None,
    pin: Annotated[bool | None, typer.Option('--pin/--unpin', help='Whether the agent always gets it.')] = None,
    expires: Annotated[
        str | None, typer.Option(metavar='DATE', help="When to stop believing it; '' means never.")
    ] = None,
) -> None:
    """Correct a memory. Extraction never overwrites what a person wrote."""
    changes: dict[str, Any] = {}
    if text is not None:
        changes['text'] = text
    if kind is not None:
        changes['kind'] = kind
    if slot is not None:
        changes['slot'] = slot or None
    if tag is not None:
        changes['tags'] = tuple(t for t in tag if t)
    if pin is not None:
        changes['pinned'] = pin
    if expires is not None:
        changes['expires_at'] = parse_moment(expires or None)
    if not changes:
        raise typer.BadParameter('there is nothing to change: give the new text, or an option such as --kind')
    with target.open() as memory:
        record = memory.update(resolve(memory, memory_id, target.ids), **changes, **target.ids)
    if target.as_json:
        emit(record)
        return
    console = out()
    console.print(shown(record.text), style='bold')
    console.print(record_table(record))
