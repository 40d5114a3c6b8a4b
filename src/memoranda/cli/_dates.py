"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime

import typer

from memoranda.cli._safe import one_line

__all__ = ['parse_moment']


def parse_moment(text: str | None) -> datetime | None:
    """A date such as `2024-05-08` or `2024-05-08T13:56`; without a zone it is local time.

    Raises:
        typer.BadParameter: It is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f'{one_line(text, 60)!r} is no date: write it as 2024-05-08 or 2024-05-08T13:56'
        ) from None
