from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memoranda.errors import ConfigurationError
from memoranda.policy import Policy
from memoranda.settings import DatabaseTarget, Settings, default_database, resolve_database


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and no variables of ours."""
    for variable in list(os.environ):
        if variable.upper().startswith('MEMORANDA_'):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_need_nothing() -> None:
    settings = Settings()
    assert settings.database is None
    assert settings.project == 'default'
    assert settings.secrets == 'redact'
    assert {origin.source for origin in settings.describe()} == {'default'}


def test_an_argument_beats_the_environment_which_beats_the_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / 'memoranda.toml').write_text('readers = 3\ncache_mb = 30\nproject = "file"\n')
    monkeypatch.setenv('MEMORANDA_READERS', '4')
    monkeypatch.setenv('memoranda_cache_mb', '40')
    settings = Settings(readers=5)
    assert (settings.readers, settings.cache_mb, settings.project) == (5, 40, 'file')
    told = {o.name: (o.value, o.source, o.detail) for o in settings.describe()}
    assert told['readers'] == (5, 'argument', '')
    assert told['cache_mb'] == (40, 'environment', 'memoranda_cache_mb')
    assert told['project'] == ('file', 'file', str(nowhere / 'memoranda.toml'))
    assert told['durability'] == ('normal', 'default', '')


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_MODEL', '')
    assert Settings().origin('model').source == 'default'


def test_the_file_may_be_named(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = nowhere / 'elsewhere' / 'settings.toml'
    file.parent.mkdir()
    file.write_text('trace_include_content = true\nbusy_timeout = 1.5')
    monkeypatch.setenv('MEMORANDA_CONFIG', str(file))
    settings = Settings()
    assert settings.trace_include_content
    assert settings.busy_timeout == 1.5


def test_an_unknown_variable_is_an_error_that_names_the_closest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_DATABSE', 'x.db')
    with pytest.raises(
        ConfigurationError, match=r'MEMORANDA_DATABSE is unknown: did you mean MEMORANDA_DATABASE\?'
    ) as found:
        Settings()
    assert 'MEMORANDA_READERS' not in str(found.value)  # the one that was meant isn't lost among all others
    monkeypatch.delenv('MEMORANDA_DATABSE')
    monkeypatch.setenv('MEMORANDA_QQQ', 'x.db')
    with pytest.raises(ConfigurationError, match=r'MEMORANDA_QQQ is unknown: known are .*MEMORANDA_READERS'):
        Settings()


def test_the_variable_of_the_command_line_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_USER', 'ana')
    assert {origin.source for origin in Settings().describe()} == {'default'}


def test_an_unknown_key_of_the_file_is_an_error_that_names_file_and_key(nowhere: Path) -> None:
    (nowhere / 'memoranda.toml').write_text('[sqlite]\nreaders = 3')
    with pytest.raises(ConfigurationError, match=r'sqlite in .*memoranda\.toml is unknown'):
        Settings()


def test_an_unknown_argument_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r'readrs is unknown: did you mean readers\?'):
        Settings(readrs=3)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('readers', 'many'),
        ('readers', '0'),
        ('busy_timeout', '-1'),
        ('busy_timeout', 'nan'),
        ('durability', 'sometimes'),
        ('secrets', 'hide'),
        ('special_categories', 'health=hide'),
        ('personal_data', 'redact; drop'),
        ('personal_data', ';'),
        ('write', 'web=auto'),
        ('write', 'tool=fence'),
        ('write', 'auto'),
        ('write', 'tool=auto; tool=drop'),
        ('read', 'tool=review'),
        ('passages', '{"external": "hide"}'),
        ('regions', 'DE, Germany'),
        ('regions', 'de'),
        ('project', ' padded '),
        ('project', '*'),
        ('trace_include_content', 'perhaps'),
        ('max_text_chars', '0'),
        ('model', '  '),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_variable_and_the_fix(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f'MEMORANDA_{name.upper()}', value)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    message = str(caught.value)
    assert f'MEMORANDA_{name.upper()}={value!r} can not be used' in message
    assert ': give ' in message


def test_a_wrong_value_in_the_file_is_told_with_the_file(nowhere: Path) -> None:
    (nowhere / 'memoranda.toml').write_text('project = 5')
    with pytest.raises(ConfigurationError, match=r'project in .*memoranda\.toml=5 can not be used'):
        Settings()


@pytest.mark.parametrize('content', [b'readers = ', b'\xff\xfe', b'readers: 2'])
def test_a_file_that_is_not_toml_is_an_error(nowhere: Path, content: bytes) -> None:
    (nowhere / 'memoranda.toml').write_bytes(content)
    with pytest.raises(ConfigurationError, match='is not valid TOML'):
        Settings()


def test_a_named_file_must_exist_and_be_a_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_CONFIG', 'missing.toml')
    with pytest.raises(ConfigurationError, match=r"MEMORANDA_CONFIG='missing\.toml' does not exist"):
        Settings()
    monkeypatch.setenv('MEMORANDA_CONFIG', str(nowhere))
    with pytest.raises(ConfigurationError, match='can not be read'):
        Settings()


@pytest.mark.parametrize(
    'url',
    ['postgresql://ana:s3/c@r3t@db/app', 'postgresql://ana:s3c@r3t@db/app', 'mysql://u@h/db?sslpassword=s3cr3t&x=1'],
)
def test_a_password_never_shows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_DATABASE', url)
    shown = str(Settings().describe())
    with pytest.raises(ConfigurationError) as caught:
        resolve_database(None)
    for text in (shown, str(caught.value)):
        assert 's3' not in text
        assert 'r3t' not in text
        assert '***' in text


def test_without_a_database_the_default_is_an_absolute_path_in_the_data_directory() -> None:
    target = resolve_database(None)
    assert target == DatabaseTarget('sqlite', default_database())
    assert default_database().is_absolute()
    assert default_database().name == 'memoranda.db'


def test_a_database_may_be_a_path_a_url_or_memory(nowhere: Path) -> None:
    assert resolve_database('some.db').path == nowhere / 'some.db'
    assert resolve_database(Path('sub') / '..' / 'some.db').path == nowhere / 'some.db'
    assert resolve_database('~/some.db').path == Path.home() / 'some.db'
    assert resolve_database(f'sqlite://{nowhere}/a%20b.db').path == nowhere / 'a b.db'
    assert resolve_database(f'sqlite:///{nowhere}/some.db').path == nowhere / 'some.db'
    for memory in (':memory:', 'sqlite://', 'sqlite:///:memory:'):
        assert resolve_database(memory).path == ':memory:'


def test_a_secret_is_told_of_and_never_shown() -> None:
    settings = Settings(console_secret='one that nobody but servers may know')
    assert {o.name: o.value for o in settings.describe()}['console_secret'] == '***'
    assert 'nobody but servers' not in repr(settings)
    assert Settings().origin('console_secret').value == ''


def test_a_database_may_be_postgresql_whose_password_is_not_shown() -> None:
    for scheme in ('postgresql', 'postgres', 'PostgreSQL'):
        target = resolve_database(f'{scheme}://ana:s3cr3t@db:5433/app?sslmode=require')
        assert target.kind == 'postgresql'
        assert target.url.endswith('://ana:s3cr3t@db:5433/app?sslmode=require')
        assert 's3cr3t' not in f'{target} {target!r}'


def test_a_relative_database_in_a_settings_file_starts_at_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / 'app').mkdir()
    (nowhere / 'app' / 'memoranda.toml').write_text('database = "data/m.db"')
    monkeypatch.setenv('MEMORANDA_CONFIG', 'app/memoranda.toml')
    assert resolve_database(None).path == nowhere / 'app' / 'data' / 'm.db'
    monkeypatch.setenv('MEMORANDA_DATABASE', 'm.db')
    assert resolve_database(None).path == nowhere / 'm.db'


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        ('', 'is no path'),
        ('  ', 'is no path'),
        ('a\0b', 'is no path'),
        ('sqlite:///var/a%00b', 'is no path'),
        (b'x.db', 'is a bytes'),
        (5, 'is an int'),
        ('.', 'is a directory'),
        ('new/', 'is a directory'),
        ('sqlite:///memory.db', 'root directory'),
        ('sqlite://host/x.db', 'no absolute path'),
        ('sqlite:x.db', 'no absolute path'),
        ('sqlite:///var/x.db?mode=ro', 'options'),
        ('postgresql://localhost', 'names no database'),
        ('postgres://localhost/?sslmode=require', 'names no database'),
        ('postgresql:app', 'no PostgreSQL URL'),
        ('mysql://localhost/app', "unknown scheme 'mysql'"),
        ('file:///x.db', "unknown scheme 'file'"),
        ('~nobody-of-this-name/x.db', 'directory that is unknown'),
    ],
)
def test_other_databases_are_refused_with_the_fix(value: object, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        resolve_database(value)  # pyright: ignore[reportArgumentType]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match='frozen'):
        Settings().readers = 7  # pyright: ignore[reportAttributeAccessIssue]


def test_a_vanished_working_directory_is_no_obstacle_to_the_defaults(nowhere: Path) -> None:
    code = (
        'import os; os.rmdir(os.getcwd())\nfrom memoranda.settings import *; print(resolve_database(None, Settings()))'
    )
    gone = nowhere / 'gone'
    gone.mkdir()
    source = str(Path(sys.modules['memoranda.settings'].__file__ or '').parents[1])
    run = subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path.insert(0, {source!r})\n{code}'],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(default_database())


def test_actions_are_given_by_kind_in_the_environment_and_in_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MEMORANDA_SPECIAL_CATEGORIES', 'review; health=drop')
    (nowhere / 'memoranda.toml').write_text('secrets = "allow"\npersonal_data = { iban = "redact" }')
    policy = Settings().policy()
    assert policy.action('special category', 'health') == 'drop'
    assert policy.action('special category', 'religion') == 'review'
    assert policy.action('secret', 'pin') == 'allow'
    assert policy.action('personal data', 'iban') == 'redact'
    assert policy.action('personal data', 'email address') == 'allow'
    monkeypatch.setenv('MEMORANDA_SPECIAL_CATEGORIES', 'medicine=drop')
    with pytest.raises(ConfigurationError, match=r"special_categories names 'medicine', which nothing detects"):
        Settings().policy()


def test_rules_by_tier_and_countries_are_given_in_the_environment_and_in_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().policy() == Policy()
    monkeypatch.setenv('MEMORANDA_WRITE', 'tool=auto; external=drop')
    monkeypatch.setenv('MEMORANDA_PASSAGES', '{"tool": "exclude"}')
    monkeypatch.setenv('MEMORANDA_REGIONS', 'DE,AT')
    (nowhere / 'memoranda.toml').write_text('read = { external = "include", tool = "include" }\nregions = ["PT"]')
    policy = Settings().policy()
    assert policy == Policy(
        write={'tool': 'auto', 'external': 'drop'},
        read={'external': 'include', 'tool': 'include'},
        passages={'tool': 'exclude'},
        regions=('DE', 'AT'),
    )
    assert policy.passages['external'] == 'include'  # what is said of a tier in `read` is meant for its messages too
    monkeypatch.delenv('MEMORANDA_REGIONS')
    assert Settings().policy().regions == ('PT',)
    assert Settings().origin('regions').value == 'PT'


def test_a_wrong_tier_or_rule_is_told_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_WRITE', 'web=auto')
    with pytest.raises(ConfigurationError, match=r"'web' is no tier, which are user, assistant, tool, external"):
        Settings()
    monkeypatch.setenv('MEMORANDA_WRITE', 'tool=fence')
    with pytest.raises(ConfigurationError, match=r"'fence' is no rule for tool, which are auto, review, drop"):
        Settings()
    monkeypatch.setenv('MEMORANDA_WRITE', 'assistant=review')
    monkeypatch.setenv('MEMORANDA_REVIEW', 'off')
    with pytest.raises(ConfigurationError, match=r"review='off' contradicts write\['assistant'\]"):
        Settings().policy()
