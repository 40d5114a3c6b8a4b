"""Programs that tests run in processes of their own, and what is left of them in a file."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from _fakes import fast, subprocess_environment, texts

__all__ = ['SECONDS', 'program', 'stored']

SECONDS = 60
"""What a hung test waits before it says so; nothing takes that long."""

HEAD = """
import asyncio, os, signal, sys, threading, warnings
from _fakes import Grammar, fast, fast_async, texts
path = sys.argv[1]
# A shell has its background processes ignore it, and those that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Stuck(Grammar):
    def __init__(self):
        self.reached = threading.Event()

    def propose(self, request):
        self.reached.set()
        threading.Event().wait()

class Never:
    name = 'never'

    def __init__(self):
        self.reached = threading.Event()

    async def extract(self, request):
        self.reached.set()
        await asyncio.Event().wait()

def in_child(work):
    # What work does in a fork; its exit code.
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(30)
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid

def ended(*children):
    for pid in children:
        status = os.waitpid(pid, 0)[1]
        assert status == 0, os.waitstatus_to_exitcode(status)
"""
"""What every program begins with."""


def program(code: str, *arguments: object) -> list[str]:
    """Run a program that must end well and say nothing on stderr."""
    command = [sys.executable, '-c', HEAD + textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=subprocess_environment()
    )
    assert (done.stderr, done.returncode) == ('', 0)
    return done.stdout.splitlines()


def stored(path: Path, **scope: str) -> list[str]:
    """What the next start makes of a file."""
    with fast(path) as memory:
        assert memory.flush(SECONDS) == 0
        assert memory.stats().jobs_dead == 0
        return texts(memory.get_all(limit=1000, **(scope or {'user_id': 'ana'})))
