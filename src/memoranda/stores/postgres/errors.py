"""PostgreSQL's errors as ours: each names the database, without its password, the reason and the fix."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors

from memoranda.errors import (
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    StoreUnreadable,
    StoreUnwritable,
)

__all__ = ['Again', 'Undone', 'again', 'is_lost', 'translated']


class Undone(psycopg.OperationalError):
    """The connection was lost at the end of a transaction, and the server tells that it was not committed."""


_LOST: Final = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.DatabaseDropped,
    errors.IdleInTransactionSessionTimeout,
)
_AGAIN: Final = (errors.SerializationFailure, errors.DeadlockDetected, Undone)
Again = (psycopg.OperationalError, psycopg.InterfaceError, errors.UndefinedTable, *_AGAIN)
"""After some of these it is tried again, see `again`."""


def is_lost(error: BaseException, *, closed: bool) -> bool:
    """Whether the connection is gone, so that a new one may do better.

    Args:
        error: What a statement raised.
        closed: Whether the driver knows the connection to be closed.
    """
    if isinstance(error, _LOST):
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and closed


def again(error: BaseException) -> bool:
    """Whether the transaction lost against another one, and may be done anew.

    A table is missing for whoever knows of an embedding generation that was dropped just now.
    """
    return isinstance(error, (*_AGAIN, errors.UndefinedTable))


@contextmanager
def translated(where: str, schema: str = 'memoranda') -> Generator[None]:
    """Raise ours for psycopg's.

    Args:
        where: The database as people are told of it.
        schema: In which the tables are.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error, where, schema) from error


def _ours(error: psycopg.Error, where: str, schema: str) -> StoreError:
    if error.sqlstate is None and not isinstance(error, Undone):
        return _of_connection(error, where)
    for kinds, make in _KNOWN:
        if isinstance(error, kinds):
            return make(error, where, schema)
    return StoreError(f'{where}: PostgreSQL refused ({_said(error)}): check it with `memoranda doctor`')


def _said(error: psycopg.Error) -> str:
    """The first line: details may quote a row."""
    told = error.diag.message_primary or str(error)
    return told.strip().partition('\n')[0].removeprefix('FATAL:  ')


def _of_connection(error: psycopg.Error, where: str) -> StoreError:
    """Libpq tells these by words alone."""
    told = ' '.join(str(error).split())
    told = told[told.rfind('FATAL: ') :].removeprefix('FATAL: ').strip() if 'FATAL: ' in told else told
    for words, reason, fix in _WORDS:
        if any(word in told for word in words):
            kind = StoreBusy if 'too many' in told or 'remaining connection slots' in told else StoreUnreachable
            return kind(f'{where} {reason} ({told[:200]}): {fix}')
    return StoreUnreachable(
        f'{where} does not answer ({told[:200]}): check that the server runs, and host and port of the URL'
    )


_CONNECTIONS = (
    'have fewer processes or a smaller MEMORANDA_POSTGRES_POOL, put pgbouncer before the server, '
    'or raise max_connections'
)
_WORDS = (
    (
        ('password authentication failed', 'no password supplied', 'authentication failed'),
        'refused the user or the password',
        'correct them in the URL; characters such as @ : / are written as %40 %3A %2F',
    ),
    (
        ('no pg_hba.conf entry', 'pg_hba.conf rejects'),
        'lets this user in from here under no rule',
        'have its administrator add one to pg_hba.conf, or try ?sslmode=require',
    ),
    (
        (
            'bad value for',
            'invalid channel_binding',
            'invalid integer value',
            'invalid port number',
            'invalid sslmode',
            'invalid target_session_attrs',
        ),
        'has an option in its URL that means nothing',
        'correct it; options are those of libpq',
    ),
    (
        ('does not exist',),
        'is not there',
        'create it (createdb), or correct the name in the URL',
    ),
    (
        ('too many clients', 'too many connections', 'remaining connection slots'),
        'has no connection left',
        _CONNECTIONS,
    ),
    (
        ('SSL', 'certificate'),
        'and this client could not agree on TLS',
        'check sslmode and sslrootcert in the URL, and whether the server has TLS',
    ),
    (
        ('starting up', 'shutting down', 'recovery mode', 'not yet accepting'),
        'is starting or stopping',
        'try again in a moment',
    ),
    (
        ('timeout expired', 'timed out'),
        'did not answer in time',
        'check host, port and firewall, or raise MEMORANDA_POSTGRES_CONNECT_TIMEOUT',
    ),
    (
        ('server closed the connection', 'terminating connection', 'connection reset', 'Broken pipe'),
        'ended the connection',
        'try again in a moment; the log of the server tells why',
    ),
    (
        ('could not translate host name', 'Name or service not known', 'failed to resolve'),
        'names a host that is not known',
        'correct the host in the URL',
    ),
)


def _no_rights(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnwritable(
        f'{where}: the user lacks a right ({_said(error)}): let an administrator run once '
        f'CREATE SCHEMA {schema} AUTHORIZATION the_user, or GRANT CREATE ON DATABASE to it'
    )


def _read_only(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnwritable(
        f'{where} only reads ({_said(error)}): it is a replica or set to read only; name the primary in the URL, or '
        'several hosts and target_session_attrs=read-write'
    )


def _full(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreFull(f'{where}: the disk is full ({_said(error)}), nothing of this was kept: free some space')


def _connections(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreBusy(f'{where} has no connection left ({_said(error)}): {_CONNECTIONS}')


def _canceled(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreBusy(
        f'{where} took longer than allowed ({_said(error)}): look for what locks it, or raise '
        'MEMORANDA_POSTGRES_STATEMENT_TIMEOUT'
    )


def _locked(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreBusy(
        f'{where} stayed locked by another transaction ({_said(error)}): end the one that holds it, or raise '
        'MEMORANDA_BUSY_TIMEOUT'
    )


def _beaten(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreBusy(f'{where}: other transactions went first again and again ({_said(error)}): try again')


def _gone(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnreachable(f'{where} ended the connection ({_said(error)}): try again in a moment')


def _refused(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnreachable(
        f'{where} refused the user or the password ({_said(error)}): correct them in the URL; characters such as '
        '@ : / are written as %40 %3A %2F'
    )


def _no_database(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnreachable(
        f'{where} is not there ({_said(error)}): create it (createdb), or correct the name in the URL'
    )


def _damaged(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnreadable(f'{where} is damaged ({_said(error)}): restore it from a backup')


def _no_table(error: psycopg.Error, where: str, schema: str) -> StoreError:
    return StoreUnreadable(
        f'{where}: a table of memoranda is missing from the schema {schema} ({_said(error)}): was it dropped? '
        'Restore it from a backup, or name another schema in MEMORANDA_POSTGRES_SCHEMA'
    )


_KNOWN = (
    ((errors.InvalidPassword, errors.InvalidAuthorizationSpecification), _refused),
    ((errors.InvalidCatalogName,), _no_database),
    ((errors.TooManyConnections,), _connections),
    ((errors.DiskFull,), _full),
    ((errors.ReadOnlySqlTransaction,), _read_only),
    ((errors.InsufficientPrivilege,), _no_rights),
    ((errors.QueryCanceled,), _canceled),
    ((errors.LockNotAvailable,), _locked),
    (_AGAIN, _beaten),
    (_LOST, _gone),
    ((errors.UndefinedTable, errors.InvalidSchemaName), _no_table),
    ((errors.DataCorrupted, errors.IndexCorrupted), _damaged),
)
