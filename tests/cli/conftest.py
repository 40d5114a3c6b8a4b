from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from memoranda.cli._app import app


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]
commands = lru_cache(typer.main.get_command)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / 'test.db'


@pytest.fixture
def cli(database: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in this process, on a database of the test's own."""
    monkeypatch.setenv('MEMORANDA_DATABASE', str(database))
    monkeypatch.setenv('COLUMNS', '250')  # messages name paths, which are long here
    # Made of the functions anew for each command, they take longer than most commands.
    monkeypatch.setattr('typer.testing._get_command', commands, raising=False)

    def run(*arguments: str, input: str | None = None) -> Ran:  # noqa: A002
        result = CliRunner().invoke(app, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run
