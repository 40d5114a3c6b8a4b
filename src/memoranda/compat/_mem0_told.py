"""What a program should be told once, in the log: Mem0's answers have no room for it."""

from __future__ import annotations

import logging
import threading
from typing import Final

__all__ = ['log', 'once']

log: Final = logging.getLogger('memoranda.compat')
_told: set[str] = set()
_lock = threading.Lock()


def once(message: str) -> None:
    """Warn of something the first time only."""
    with _lock:
        if message in _told:
            return
        _told.add(message)
    log.warning('%s', message)
