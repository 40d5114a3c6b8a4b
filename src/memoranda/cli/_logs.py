"""The log of a command that runs for long."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

from memoranda.cli._safe import one_line

__all__ = ['OneLine', 'logging_shown']


class OneLine(logging.Formatter):
    """A record on one line that can't steer a terminal. Tracebacks are left out: errors may quote what was said."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return f'{self.formatTime(record)} {record.levelname.lower()}: {one_line(record.getMessage(), None)}'


@contextmanager
def logging_shown(*, verbose: bool) -> Generator[None]:
    """Show what the engine and the server log on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    levels = {
        logging.getLogger('memoranda'): logging.WARNING,
        logging.getLogger('memoranda.server'): logging.INFO if verbose else logging.WARNING,
        logging.getLogger('uvicorn'): logging.WARNING,
    }
    before = {logger: logger.level for logger in levels}
    for logger, level in levels.items():
        logger.setLevel(level)
        if logger.name != 'memoranda.server':  # which hands on to `memoranda`
            logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.removeHandler(handler)
            logger.setLevel(level)
