"""Settings: from arguments, `MEMORANDA_*` variables, and an optional `memoranda.toml`, in this order of precedence."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.parse import unquote, urlsplit

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from memoranda._server_settings import EXPECTED as _SERVER_EXPECTED
from memoranda._server_settings import ServerSettings
from memoranda.errors import ConfigurationError, what_is
from memoranda.scope import check_project

if TYPE_CHECKING:
    from memoranda.policy import Policy

__all__ = ['DatabaseTarget', 'SettingOrigin', 'Settings', 'SettingSource', 'default_database', 'resolve_database']

PREFIX = 'MEMORANDA_'
CONFIG_VARIABLE = 'MEMORANDA_CONFIG'
CONFIG_FILE = 'memoranda.toml'
ELSEWHERE = (CONFIG_VARIABLE, 'MEMORANDA_USER', 'MEMORANDA_AGENT', 'MEMORANDA_API_KEY')
"""Variables that are not settings: where the file is, whose memories the command line means, what clients send."""

SettingSource = Literal['default', 'file', 'environment', 'argument']
"""Where a setting comes from, weakest first.

- `default`: nobody set it
- `file`: the file that `MEMORANDA_CONFIG` names, else `memoranda.toml` in the working directory
- `environment`: `MEMORANDA_` and its name in capitals; an empty variable counts as not set
- `argument`: passed to `Settings(...)`
"""

_MEMORY = ':memory:'
_POSTGRES = ('postgresql', 'postgres')
_SHARDS = 'shards:'
_RANGE = re.compile(r'\{([0-9]{1,6})\.\.([0-9]{1,6})\}')
_MOST_SHARDS = 1024


@dataclass(frozen=True, slots=True)
class DatabaseTarget:
    """What to open."""

    kind: Literal['sqlite', 'postgresql', 'shards']
    path: Path | Literal[':memory:']
    """Absolute. Of PostgreSQL it means nothing."""
    url: str = field(default='', repr=False)
    """Of PostgreSQL, with its password."""
    parts: tuple[DatabaseTarget, ...] = ()
    """Of shards, in their order."""

    def __str__(self) -> str:
        if self.parts:
            return ' '.join(str(part) for part in self.parts)
        return _masked(self.url) if self.url else str(self.path)


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """A setting, and where it comes from."""

    name: str
    value: str | int | float | bool | None
    """Passwords in URLs are masked, and so are secrets."""
    source: SettingSource
    detail: str = ''
    """The file or the variable; empty for defaults and arguments."""


class Settings(ServerSettings):
    """What can be set without writing code. Frozen; unknown names are errors wherever they stand.

    Raises:
        ConfigurationError: A name that is unknown, a value that doesn't fit, or a file that can't be read.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra='forbid', frozen=True, hide_input_in_errors=True
    )

    database: str | None = None
    """Path or URL (see `resolve_database`); None: `memoranda.db` in the user's data directory."""
    project: str = 'default'
    """The tenant."""
    embedder: str | None = None
    """A Pydantic AI embedding model such as `openai:text-embedding-3-small`; None or `bundled`: the bundled one."""
    next_embedder: str | None = None
    """The one that `memoranda reindex` is making vectors with: this process goes over to it when they are complete."""
    index: str | None = None
    """A vector index elsewhere: `qdrant://host:6333` with options (see `QdrantIndex.from_url`), or `qdrant` alone, that
    reads `QDRANT_URL`, `QDRANT_HOST`, `QDRANT_PORT` and `QDRANT_API_KEY`; None: the database compares vectors."""
    index_fallback: Literal['exact', 'keywords'] = 'exact'
    """What a search does while that index does not work, or is being filled.

    - `exact`: the database compares all vectors of those who are asked about
    - `keywords`: it goes by words only, which is for owners whose vectors are too many to be compared
    """
    model: str | None = None
    """A Pydantic AI model that draws memories from messages; None: rules, without a model."""
    durability: Literal['normal', 'full'] = 'normal'
    """
    - `normal`: a committed message survives the death of the process
    - `full`: and a power failure, at the price of a disk flush for every commit
    """
    busy_timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds to wait for another process that is writing."""
    readers: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that read."""
    cache_mb: Annotated[int, Field(ge=0, le=1_048_576)] = 256
    """MiB of vectors kept in memory."""
    postgres_schema: Annotated[str, Field(pattern=r'^[a-z_][a-z0-9_]{0,62}$')] = 'memoranda'
    """The schema that the tables are in, made if it is missing."""
    postgres_pool: Annotated[int, Field(ge=4, le=1000)] = 8
    """Connections of each process at most."""
    postgres_connect_timeout: Annotated[float, Field(ge=2, le=3600)] = 10.0
    """Seconds to wait for the server."""
    postgres_statement_timeout: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Seconds a statement may take; erasures and migrations may take longer."""
    postgres_pgbouncer: bool = False
    """Whether a pooler in transaction mode is before the server: then no statement is prepared."""
    lease_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    """Seconds after which work of a process that fell silent is taken over."""
    workers: Annotated[int, Field(ge=0, le=1000)] = 8
    """Jobs done at once in the background while a memory is open; 0 leaves them to `memoranda worker`."""
    batch_turns: Annotated[int, Field(ge=1, le=1000)] = 1
    """Turns of a conversation that are read together: background adds wait until there are so many."""
    batch_seconds: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """Or until for so many seconds no further turn came."""
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """How long closing waits for jobs; the rest is done after the next start."""
    poll_seconds: Annotated[float, Field(ge=0.01, le=3600)] = 0.5
    """How often a worker looks for jobs of other processes."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Tries of a job before it is given up, unless a provider is down."""
    outage_hours: Annotated[float, Field(ge=0, le=8760)] = 24.0
    """How old a job gets before it is given up while a provider is down."""
    retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 2.0
    """The longest wait before the second try of a job; it doubles with each further one."""
    max_retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """The longest wait before any try."""
    errors: Literal['degrade', 'raise'] = 'degrade'
    """What happens when storage or embedder fails while an agent is served.

    - `degrade`: `search` and `context` find nothing or search by keywords only, a background `add` keeps the messages
      until they can be stored; a warning, a span and a counter tell it
    - `raise`: they raise
    """
    degrade_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """How long these three wait for the storage or a remote embedder before they go on without it."""
    max_text_chars: Annotated[int, Field(ge=1, le=100_000_000)] = 1_000_000
    """Characters a message may have; a longer one is refused."""
    review: Literal['off', 'flagged', 'all'] = 'flagged'
    """Which facts wait for a person: none, those that some rule flags, or all that no person gave (`Policy.review`)."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Facts an extractor is less sure of wait for a person."""
    secrets: str | dict[str, str] = 'redact'
    """What becomes of passwords and keys in messages, before anything is stored: `allow`, `redact`, `review` or `drop`,
    for all or by kind as in `redact; pin=drop`. So with the next two."""
    personal_data: str | dict[str, str] = 'allow'
    """What becomes of e-mail addresses, phone numbers and the like. All but `allow` needs the extra `privacy`."""
    special_categories: str | dict[str, str] = 'allow'
    """What becomes of words on health, religion, politics and the like."""
    regions: str | tuple[str, ...] = ''
    """Countries whose phone numbers and national ids are looked for, such as `DE, AT`; empty: see `Policy.regions`."""
    write: str | dict[str, str] = ''
    """What becomes of facts by the weakest tier they rest on, as in `tool=auto; external=drop`. Tiers left out keep
    their default, as in the next two (`Policy.write`, docs/trust.md)."""
    read: str | dict[str, str] = ''
    """How facts get into a prompt, by tier: `include`, `fence` or `exclude`."""
    passages: str | dict[str, str] = ''
    """The same for messages, word for word; tiers left out follow `read` where that names them."""
    audit_reads: bool = False
    """Whether it is noted who read which memories; never what they say."""
    agent_lessons: Literal['off', 'review', 'auto'] = 'off'
    """What an agent may learn for itself while it serves a user, free of anything of that user's.

    - `off`: nothing
    - `review`: lessons wait as `pending` until a person approves them
    - `auto`: lessons are recalled at once, for every user of the agent. Code looks for names and quotations and can't
      see what is told in other words: only for agents whose users tell nothing private
    """
    count_uses: bool = True
    """Whether to count how often a memory is recalled; `clean` and ranking look at it."""
    retention: str = ''
    """What is not kept for ever: rules such as `messages 90d; kind=event 1y` (docs/maintenance.md)."""
    run_expiry: str = ''
    """How long after its last message the facts of one conversation alone expire, such as `30d`; empty: never."""
    clean_every: Annotated[float, Field(ge=0, le=8760)] = 24.0
    """Hours between the times that workers see to retention; 0 leaves it to `memoranda clean --retention`."""
    trace_include_content: bool = False
    """Whether telemetry may hold remembered text."""

    _origins: dict[str, tuple[SettingSource, str]] = PrivateAttr(default_factory=dict[str, tuple[SettingSource, str]])

    # Hidden from type checkers, which then see the constructor that the fields make.
    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            environment = _environment()
            file, from_file = _read_file()
            origins = {name: ('file', str(file)) for name in from_file}
            origins |= {name: ('environment', variable) for name, variable in environment.items()}
            origins |= dict.fromkeys(values, ('argument', ''))
            for name, (source, detail) in origins.items():
                if name not in type(self).model_fields:
                    raise _unknown(name, source, detail)
            merged = {name: value for name, value in from_file.items() if name not in environment} | values
            try:
                super().__init__(**merged)
            except ValidationError as e:
                raise _invalid(e, merged, environment, origins) from None
            self._origins = origins

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments and variables. To look for each field among no variables at all takes most of the time."""
        return (init_settings, env_settings) if _environment() else (init_settings,)

    @field_validator('project')
    @classmethod
    def _valid_project(cls, value: str) -> str:
        return check_project(value)

    @field_validator('database', 'embedder', 'next_embedder', 'index', 'model')
    @classmethod
    def _not_blank(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError('is empty')
        return value

    @field_validator('secrets', 'personal_data', 'special_categories')
    @classmethod
    def _known(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        if value not in ('allow', 'redact', 'review', 'drop'):  # reading more loads the policy
            from memoranda.consent.actions import read_actions

            read_actions(value)
        return value

    @field_validator('write', 'read', 'passages')
    @classmethod
    def _ruled(cls, value: str | dict[str, str], info: ValidationInfo) -> str | dict[str, str]:
        if value:  # reading rules loads the policy
            from memoranda.consent.actions import read_tiers

            read_tiers(str(info.field_name), value)
        return value

    @field_validator('regions')
    @classmethod
    def _countries(cls, value: str | tuple[str, ...]) -> str:
        from memoranda.consent.actions import read_regions

        return ', '.join(read_regions(value))

    @field_validator('retention', 'run_expiry')
    @classmethod
    def _readable(cls, value: str, info: ValidationInfo) -> str:
        if value.strip():  # reading rules loads the policy
            from memoranda.consent.retention import read_rules, read_span

            (read_rules if info.field_name == 'retention' else read_span)(value)
        return value

    def policy(self) -> Policy:
        """What may be remembered, as far as settings tell.

        Raises:
            ConfigurationError: They contradict each other.
        """
        from memoranda.consent.actions import read_actions, read_regions, read_tiers
        from memoranda.consent.retention import read_rules, read_span
        from memoranda.policy import Policy

        return Policy(
            retention=read_rules(self.retention),
            run_expiry=read_span(self.run_expiry),
            review=self.review,
            min_confidence=self.min_confidence,
            secrets=read_actions(self.secrets),
            personal_data=read_actions(self.personal_data),
            special_categories=read_actions(self.special_categories),
            regions=read_regions(self.regions),
            write=read_tiers('write', self.write),
            read=read_tiers('read', self.read),
            passages=read_tiers('passages', self.passages),
            audit_reads=self.audit_reads,
        )

    def origin(self, name: str) -> SettingOrigin:
        """One setting, and where it comes from."""
        source, detail = self._origins.get(name, ('default', ''))
        value = getattr(self, name)
        if value and not type(self).model_fields[name].repr:  # a secret
            value = '***'
        return SettingOrigin(name, _masked(value) if isinstance(value, str) else value, source, detail)

    def describe(self) -> tuple[SettingOrigin, ...]:
        """Every setting, and where it comes from, in the order of the documentation."""
        names = sorted(type(self).model_fields, key=lambda name: name.startswith('server_'))
        return tuple(self.origin(name) for name in names)


def default_database() -> Path:
    """The file used when nobody names one."""
    from platformdirs import user_data_path

    return user_data_path('memoranda', appauthor=False) / 'memoranda.db'


def resolve_database(value: str | os.PathLike[str] | None, settings: Settings | None = None) -> DatabaseTarget:
    """What a database argument means. Nothing is created or opened.

    Args:
        value: A path (`~` is the home directory; a relative one starts at the working directory), `':memory:'`, or
            `sqlite:///` and an absolute path; `postgresql://user:password@host:5432/database`; None:
            `settings.database`, else the default. A relative path in a settings file starts at that file's directory.
            `shards:` and several of these, with white space between them, are one store (docs/sharding.md).
        settings: None reads them.

    Raises:
        ConfigurationError: It names another kind of database, or a directory.
    """
    base = Path()
    if value is None:
        settings = settings or Settings()
        value = settings.database
        origin = settings.origin('database')
        if origin.source == 'file':
            base = Path(origin.detail).parent
    if value is None:
        return DatabaseTarget('sqlite', default_database())
    text = _path_text(value)
    if isinstance(value, str):
        if text in (_MEMORY, 'sqlite://', 'sqlite:///:memory:'):
            return DatabaseTarget('sqlite', _MEMORY)
        if text.startswith(_SHARDS):
            return _shards(text.removeprefix(_SHARDS).split(), settings)
        # Two letters at least: C:\ is a drive.
        scheme = re.match(r'([A-Za-z][A-Za-z0-9+.-]+):', text)
        if scheme and scheme[1].lower() in _POSTGRES:
            return DatabaseTarget('postgresql', _MEMORY, _postgres_url(text))
        if scheme:
            text = _path_text(_path_of_url(text, scheme[1].lower()))
    try:
        path = Path(os.path.abspath(base / Path(text).expanduser()))
    except (RuntimeError, OSError) as e:
        raise ConfigurationError(
            f'database={text!r} is relative to a directory that is unknown ({e}): write an absolute path'
        ) from e
    if _is_directory(path) or text.endswith(('/', os.sep)):
        raise ConfigurationError(f'database={str(path)!r} is a directory: name a file in it, such as memoranda.db')
    return DatabaseTarget('sqlite', path)


def _path_text(value: object) -> str:
    text: object = os.fspath(cast('os.PathLike[str]', value)) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ConfigurationError(f'database={text!r} is {what_is(text)}, and a path is text: pass str or Path')
    if not text.strip() or '\0' in text:
        raise ConfigurationError(f'database={text!r} is no path: name a file, or leave it out for the default')
    return text


def _shards(places: list[str], settings: Settings | None) -> DatabaseTarget:
    if not places:
        raise ConfigurationError(
            "database='shards:' names none: write their URLs behind it, with white space between them, in the order "
            'they were made in'
        )
    places = [each for place in places for each in _expanded(place)]
    parts = tuple(resolve_database(place, settings) for place in places)
    for place, part in zip(places, parts, strict=True):
        if part.parts or (part.kind == 'sqlite' and part.path == _MEMORY):
            raise ConfigurationError(f'database: {place!r} cannot be a shard: name a file or a PostgreSQL URL')
    return DatabaseTarget('shards', _MEMORY, parts=parts)


def _expanded(place: str) -> list[str]:
    """`name_{0..3}` is `name_0 name_1 name_2 name_3`, as shells read it."""
    found = _RANGE.search(place)
    if found is None:
        return [place]
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + _MOST_SHARDS:
        raise ConfigurationError(
            f'database: {found[0]} is no range of shards: write the smaller number first, at most {_MOST_SHARDS} in all'
        )
    return [place[: found.start()] + str(number) + place[found.end() :] for number in range(first, last + 1)]


def _postgres_url(url: str) -> str:
    """The URL, if everybody would read it alike: in a password, a slash or an at sign must be escaped."""
    scheme, _, rest = url.partition('://')
    authority, slash, path = rest.partition('/')
    if not rest or '@' in path.partition('?')[0] or authority.count('@') > 1:
        raise ConfigurationError(
            f'database={_masked(url)!r} is no PostgreSQL URL: write postgresql://user:password@host:5432/database, '
            'with %40 %3A %2F %23 for the characters @ : / # of a password'
        )
    if not slash or not path.partition('?')[0]:
        raise ConfigurationError(
            f'database={_masked(url)!r} names no database: write postgresql://user:password@host:5432/database'
        )
    return f'postgresql://{rest}' if scheme.lower() != 'postgresql' else url


def _path_of_url(url: str, scheme: str) -> str:
    shown = _masked(url)
    if scheme != 'sqlite':
        raise ConfigurationError(
            f'database={shown!r} has the unknown scheme {scheme!r}: use a path, sqlite:///absolute/path.db, '
            'postgresql://user@host/database or :memory:'
        )
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith('/'):
        raise ConfigurationError(
            f'database={shown!r} has no absolute path: write sqlite:///absolute/path.db, or a path'
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(f'database={shown!r} has options, which are not read: remove what follows the path')
    path = unquote(parts.path)
    if re.match(r'/[A-Za-z]:[/\\]', path):
        return path[1:]
    if re.fullmatch(r'/[^/]+', path):
        # Other libraries read this as a relative path, and hardly anybody means the root directory.
        raise ConfigurationError(
            f'database={shown!r} names a file in the root directory: write sqlite:///absolute/path.db, '
            f'or the path {path[1:]!r} for the working directory (sqlite:///{path} if you do mean the root)'
        )
    return '/' + path.lstrip('/')


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Names of settings to the variables that set them."""
    found: dict[str, str] = {}
    for variable, value in os.environ.items():
        name = variable.upper()
        if name.startswith(PREFIX) and name not in ELSEWHERE and value:
            found[name.removeprefix(PREFIX).lower()] = variable
    return found


def _read_file() -> tuple[Path | None, dict[str, Any]]:
    named = os.environ.get(CONFIG_VARIABLE)
    what = f'{CONFIG_VARIABLE}={named!r}' if named else f'settings file {CONFIG_FILE}'
    try:
        # Absolute now, because it is shown later; this fails when the working directory is gone.
        path = Path(os.path.abspath(Path(named).expanduser() if named else CONFIG_FILE))
        with path.open('rb') as file:
            return path, tomllib.load(file)
    except FileNotFoundError:
        if not named:
            return None, {}
        raise ConfigurationError(f'{what} does not exist: create it, or unset {CONFIG_VARIABLE}') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigurationError(f'{what} is not valid TOML ({e}): correct it') from e
    except (OSError, RuntimeError, ValueError) as e:
        raise ConfigurationError(f'{what} can not be read ({e}): name a readable file') from e


def _label(name: str, source: str, detail: str) -> str:
    if source == 'environment':
        return detail
    return f'{name} in {detail}' if source == 'file' else name


def _unknown(name: str, source: str, detail: str) -> ConfigurationError:
    names = tuple(Settings.model_fields)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)

    def written(known: str) -> str:
        return PREFIX + known.upper() if source == 'environment' else known

    # All of them are a page that hides the one that was meant.
    known = f'did you mean {written(close[0])}?' if close else f'known are {", ".join(map(written, names))}'
    return ConfigurationError(f'setting {_label(name, source, detail)} is unknown: {known} (docs/settings.md)')


_EXPECTED: Mapping[str, str] = {
    'database': 'give a path or a URL, or leave it out for the default',
    'project': 'give a name without white space around it',
    'embedder': 'give a model name such as openai:text-embedding-3-small, or leave it out for the bundled one',
    'index': 'give an address such as qdrant://localhost:6333, or leave it out',
    'index_fallback': 'give exact or keywords',
    'model': 'give a model name such as openai:gpt-4o-mini, or leave it out for the rules',
    'durability': 'give normal or full',
    'busy_timeout': 'give seconds, more than 0 and at most 3600',
    'readers': 'give a whole number from 1 to 64',
    'cache_mb': 'give a whole number of MiB, 0 or more',
    'postgres_schema': 'give a name of lower-case letters, digits and _, such as memoranda',
    'postgres_pool': 'give a whole number from 4 to 1000',
    'postgres_connect_timeout': 'give seconds, from 2 to 3600',
    'postgres_statement_timeout': 'give seconds, more than 0 and at most 86400',
    'postgres_pgbouncer': 'give true or false',
    'lease_seconds': 'give seconds, from 1 to 86400',
    'workers': 'give a whole number from 0 to 1000',
    'batch_turns': 'give a whole number from 1 to 1000',
    'batch_seconds': 'give seconds, from 0 to 86400',
    'drain_seconds': 'give seconds, from 0 to 86400',
    'poll_seconds': 'give seconds, from 0.01 to 3600',
    'max_attempts': 'give a whole number from 1 to 1000',
    'outage_hours': 'give hours, from 0 to 8760',
    'retry_seconds': 'give seconds, more than 0 and at most 86400',
    'max_retry_seconds': 'give seconds, more than 0 and at most 86400',
    'errors': 'give degrade or raise',
    'degrade_seconds': 'give seconds, more than 0 and at most 3600',
    'max_text_chars': 'give a whole number of characters, from 1 to 100000000',
    'review': 'give off, flagged or all',
    'min_confidence': 'give a number from 0 to 1',
    'secrets': 'give allow, redact, review or drop, or these by kind: redact; pin=drop',
    'personal_data': 'give allow, redact, review or drop, or these by kind: redact; email address=allow',
    'special_categories': 'give allow, redact, review or drop, or these by kind: allow; health=drop',
    'regions': 'give countries such as DE, AT, or leave it out',
    'write': 'give auto, review or drop by tier, such as tool=auto; external=drop',
    'read': 'give include, fence or exclude by tier, such as tool=fence; external=exclude',
    'passages': 'give include, fence or exclude by tier, such as tool=exclude; external=fence',
    'audit_reads': 'give true or false',
    'agent_lessons': 'give off, review or auto',
    'count_uses': 'give true or false',
    'retention': 'give rules such as messages 90d; kind=event,interaction 1y; level=run 30d',
    'run_expiry': 'give a time span such as 12h, 30d, 8w or 1y, or leave it out',
    'clean_every': 'give hours, from 0 to 8760',
    'trace_include_content': 'give true or false',
    **_SERVER_EXPECTED,
}


def _invalid(
    error: ValidationError,
    values: Mapping[str, Any],
    environment: Mapping[str, str],
    origins: Mapping[str, tuple[SettingSource, str]],
) -> ConfigurationError:
    problems: list[str] = []
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem['loc'][0]) if problem['loc'] else ''
        value: Any = values[name] if name in values else os.environ.get(environment.get(name, ''))
        reason = problem['msg'].removeprefix('Value error, ').removeprefix('Input ')
        label = _label(name, *origins.get(name, ('default', '')))
        problems.append(
            f'setting {label}={_masked(repr(value))} can not be used ({reason}): {_EXPECTED.get(name, "correct it")}'
        )
    return ConfigurationError('; '.join(problems))


def _masked(text: str) -> str:
    """Text without the credentials of a URL."""
    text = re.sub(r'(?<!sqlite)://\S*@', '://***@', text)
    return re.sub(r'([?&][^=&\s]*(?:pass|key|token|secret)[^=&\s]*=)[^&\s\'"]*', r'\1***', text, flags=re.IGNORECASE)
