"""The `memoranda` command."""

from __future__ import annotations

__all__ = ['main']


def main() -> None:
    """Run the command line with the process's arguments."""
    import sys

    # A terminal that can't show a character should get a stand-in, not end the command half-way.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, 'reconfigure', None)
        if reconfigure is not None:
            reconfigure(errors='backslashreplace')
    from memoranda.cli._app import app

    app(prog_name='memoranda')
