"""The settings of `memoranda serve`. Part of `Settings`; their names begin with `server_`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

__all__ = ['EXPECTED', 'ServerSettings']


class ServerSettings(BaseSettings):
    """What a server listens to, and how much it takes (docs/server.md)."""

    server_host: str = '127.0.0.1'
    """The address to listen on. One that others reach needs keys, and TLS here or in a proxy before it."""
    server_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port; 0 takes a free one."""
    server_tls_certificate: str = ''
    """A PEM file with the certificate and those between it and its root."""
    server_tls_key: str = ''
    """A PEM file with its private key."""
    server_behind_tls_proxy: str = ''
    """Addresses or networks of proxies that end TLS, such as `10.0.0.0/8` or `*`: they tell who asks, and by which
    scheme. Empty: nobody is believed."""
    server_hosts: str = ''
    """Names that a request may call this server by, separated by commas. Empty: of a server that only this machine
    reaches `localhost` and its addresses, else any."""
    server_max_body_kb: Annotated[int, Field(ge=1, le=1_048_576)] = 2048
    """KiB that the body of a request may have."""
    server_max_depth: Annotated[int, Field(ge=4, le=200)] = 40
    """How deep JSON may be nested."""
    server_rate: Annotated[float, Field(ge=0, le=1_000_000)] = 200.0
    """Requests a second of each key, twice as many at once; 0: no limit."""
    server_key_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Requests of each key at the same time."""
    server_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Requests at the same time."""
    server_header_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long the headers of a request may take."""
    server_body_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """How long the body of a request may take, and how long a client may let an answer wait."""
    server_idle_seconds: Annotated[int, Field(ge=1, le=3600)] = 15
    """How long a connection is kept for a further request."""
    server_mem0_wildcards: bool = False
    """Whether clients of Mem0 may say `*` for everybody of the project, in listings, searches and deletions."""
    console_secret: str = Field(default='', repr=False)
    """What sessions of the console are signed with, at least 32 characters. Several processes that serve one console
    need the same. Empty: a random one of the process."""
    server_metrics: Literal['reader', 'writer', 'reviewer', 'admin', 'anybody', 'off'] = 'admin'
    """Who may read `/metrics`: keys of a role and those above it, `anybody`, or `off`."""

    @field_validator('server_behind_tls_proxy')
    @classmethod
    def _proxies(cls, value: str) -> str:
        # What is no address would never match, and every proxy would be taken for the client that it stands before.
        for one in value.split(','):
            if one.strip() not in ('', '*'):
                try:
                    ipaddress.ip_network(one.strip())
                except ValueError as error:
                    raise ValueError(str(error)) from None
        return value


EXPECTED: Final[Mapping[str, str]] = {
    'server_host': 'give an address such as 127.0.0.1 or 0.0.0.0',
    'server_port': 'give a whole number from 0 to 65535',
    'server_max_body_kb': 'give a whole number of KiB, from 1 to 1048576',
    'server_max_depth': 'give a whole number from 4 to 200',
    'server_behind_tls_proxy': 'give addresses or networks separated by commas, such as 10.0.0.0/8, or * for any',
    'server_rate': 'give requests a second, 0 for no limit',
    'server_key_concurrency': 'give a whole number from 1 to 100000',
    'server_concurrency': 'give a whole number from 1 to 100000',
    'server_header_seconds': 'give seconds, more than 0 and at most 3600',
    'server_body_seconds': 'give seconds, more than 0 and at most 3600',
    'server_idle_seconds': 'give a whole number of seconds, from 1 to 3600',
    'server_mem0_wildcards': 'give true or false',
    'server_metrics': 'give reader, writer, reviewer, admin, anybody or off',
}
