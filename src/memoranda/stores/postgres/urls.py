"""The URL of a PostgreSQL database: what libpq reads of it, the schema it may name, and how people are told of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

import psycopg
from psycopg import conninfo

from memoranda.errors import ConfigurationError, shown

__all__ = ['DEFAULT_SCHEMA', 'Place', 'place']

DEFAULT_SCHEMA: Final = 'memoranda'
_SCHEMA: Final = re.compile(r'[a-z_][a-z0-9_]{0,62}')


@dataclass(frozen=True, slots=True)
class Place:
    """A schema of a database."""

    url: str = field(repr=False)
    """For libpq, with its password."""
    schema: str
    where: str
    """For people: no password, nothing of the options but a schema that is not the usual one."""


def place(url: str, schema: str = DEFAULT_SCHEMA) -> Place:
    """What a URL names.

    Args:
        url: As libpq takes it, and perhaps with the option `schema` beside its own: `postgresql://host/name?schema=part_3`.
        schema: Where the URL names none.

    Raises:
        ConfigurationError: It says nothing that can be understood, or the name can't be a schema's.
    """
    url, named = _taken_out(url)
    schema = schema if named is None else named
    if not _SCHEMA.fullmatch(schema) or schema.startswith('pg_'):
        raise ConfigurationError(
            f'schema={shown(schema)} is no name for a schema: use lower-case letters, digits and _, such as memoranda'
        )
    where = _shown(_parts(url))
    return Place(url, schema, where if schema == DEFAULT_SCHEMA else f'{where}?schema={schema}')


def _taken_out(url: str) -> tuple[str, str | None]:
    """The URL without the option that libpq doesn't know, and what it says."""
    head, _, options = url.partition('?')
    if not head.startswith('postgres') or 'schema=' not in options:
        return url, None
    parts = options.split('&')
    named = [unquote(part.partition('=')[2]) for part in parts if part.startswith('schema=')]
    if len(set(named)) > 1:
        raise ConfigurationError(f'the URL names the schemas {", ".join(map(shown, named))}: name one')
    rest = '&'.join(part for part in parts if not part.startswith('schema='))
    return (f'{head}?{rest}' if rest else head), (named[0] if named else None)


def _parts(url: str) -> dict[str, str]:
    try:
        found = conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        reason = str(error).strip().partition('\n')[0].replace(url, '***')
        raise ConfigurationError(
            f'database={_masked(url)} is no PostgreSQL URL ({reason}): write postgresql://user:password@host:5432/name'
        ) from None
    parts = {name: str(value) for name, value in found.items() if value is not None}
    if not all(port.isdecimal() for port in parts.get('port', '5432').split(',') if port):
        # Not shown: it may be the rest of a password with a slash in it.
        raise ConfigurationError(
            f'database={_masked(url)} has a port that is no number: write postgresql://user:password@host:5432/name, '
            'with %40 %3A %2F %23 for the characters @ : / # of a password'
        )
    return parts


def _masked(url: str) -> str:
    scheme, _, rest = url.partition('://')
    host = rest.rpartition('@')[2] if '@' in rest else rest
    return f'{scheme}://***@{re.sub(r":[^/?]*", "", host)}' if scheme.startswith('postgres') else 'a text'


def _shown(parts: dict[str, str]) -> str:
    user = quote(parts['user'], safe='') + '@' if 'user' in parts else ''
    host = parts.get('host') or parts.get('hostaddr') or ''
    if host.startswith('/'):
        host = quote(host, safe='')
    elif ':' in host and ',' not in host:
        host = f'[{host}]'
    port = f':{parts["port"]}' if 'port' in parts else ''
    return f'postgresql://{user}{host}{port}/{quote(parts.get("dbname", parts.get("user", "")), safe="")}'
