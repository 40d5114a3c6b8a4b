"""Whom a project remembers something of, as a store lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memoranda.scope import Owner

__all__ = ['Subject']


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An owner, with what is believed of it now."""

    number: int
    """The owner's, which is never given to another: in the order of first use."""
    owner: Owner
    memories: int
    """Active ones, those that have expired or don't hold yet among them."""
    first_said: datetime | None
    """When the oldest of them was last said; None without any."""
    last_recorded: datetime | None
    """When the latest version of them was recorded."""
