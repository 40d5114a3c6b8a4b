"""The log of a command that runs for long."""

from __future__ import annotations

import logging

from memoranda.cli._safe import one_line

__all__ = ['OneLine']


class OneLine(logging.Formatter):
    """A record on one line that can't steer a terminal. Tracebacks are left out: errors may quote what was said."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return f'{self.formatTime(record)} {record.levelname.lower()}: {one_line(record.getMessage(), None)}'
