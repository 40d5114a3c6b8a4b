"""Detectors of others: found by entry point, named when they can't be used, and nothing is stored when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from _fakes import fast
from memoranda import ConfigurationError
from memoranda.errors import DetectorFailed
from memoranda.policy import Policy
from memoranda.write.detect import judge, redact, registry

CODE = """
import re

from memoranda.write.detect import Finding


def find_patients(text):
    for match in re.finditer(r'PAT-[0-9]{4}', text):
        yield Finding('personal data', 'patient number', *match.span())


find_patients.kinds = {'patient number': 'personal data'}


def fails(text):
    raise RuntimeError(text)


def wrong_place(text):
    return [Finding('secret', 'api key', 0, len(text) + 1)]


def wrong_kind(text):
    return [Finding('secret', 'API-Key!', 0, 1)]


def wrong_type(text):
    return [(0, 1)]


def misdeclared(text):
    return []


misdeclared.kinds = {'patient number': 'health'}
number = 3
"""
Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes a package known that declares one detector."""

    def declare(target: str) -> None:
        (tmp_path / 'acme_detectors.py').write_text(CODE)
        info = tmp_path / 'acme_detectors-1.0.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: acme-detectors\nVersion: 1.0\n')
        (info / 'entry_points.txt').write_text(f'[{registry.GROUP}]\nacme = acme_detectors:{target}\n')
        monkeypatch.syspath_prepend(str(tmp_path))
        registry.reload()

    yield declare
    registry.reload()


def test_what_it_finds_is_redacted_by_the_policy(install: Install) -> None:
    install('find_patients')
    policy = Policy(personal_data={'patient number': 'redact'})
    assert redact('See PAT-1234 and PAT-5678', policy) == ('See [patient number] and [patient number]', 2)
    assert redact('See PAT-1234', Policy()) == ('See PAT-1234', 0)
    assert judge('See PAT-1234', Policy(personal_data={'patient number': 'review'})).reasons == (
        'personal data:patient number',
    )


def test_a_dropped_kind_of_its_own_is_known_by_its_mark(install: Install) -> None:
    install('find_patients')
    policy = Policy(personal_data={'patient number': 'drop'})
    assert judge('Is [patient number]', policy).drop == 'personal data:patient number'


def test_a_kind_that_nothing_declares_is_an_error_that_lists_those_declared(install: Install) -> None:
    install('find_patients')
    with pytest.raises(ConfigurationError, match=r"'shoe size', which nothing detects: known are .*patient number"):
        Policy(personal_data={'shoe size': 'redact'})


@pytest.mark.parametrize(
    ('target', 'told'),
    [
        ('missing', r"detector 'acme' \(acme_detectors:missing\) can not be loaded \(AttributeError"),
        ('number', r"detector 'acme' \(acme_detectors:number\) is an int, which can not be called"),
        ('misdeclared', r"declares the category 'health' for 'patient number': use one of secret, personal data"),
    ],
)
def test_a_broken_one_is_named(install: Install, tmp_path: Path, target: str, told: str) -> None:
    install(target)
    with pytest.raises(ConfigurationError, match=told):
        redact('hello', Policy())
    memory = fast(tmp_path / 'm.db')
    with pytest.raises(ConfigurationError, match=told):
        memory.add('My name is Ana', user_id='ana')
    memory.close()


@pytest.mark.parametrize(
    ('target', 'told'),
    [
        ('fails', r"detector 'acme' failed \(RuntimeError\), so nothing of this text is stored"),
        ('wrong_place', r'the place 0 to \d+ in a text of \d+: count code points'),
        ('wrong_kind', "the kind 'API-Key!': write 2 to 40 lower-case letters and spaces"),
        ('wrong_type', 'a tuple in place of a Finding'),
    ],
)
@pytest.mark.parametrize('background', [False, True])
def test_one_that_fails_lets_nothing_be_stored(
    install: Install, tmp_path: Path, target: str, told: str, background: bool
) -> None:
    install(target)
    memory = fast(tmp_path / 'm.db')
    with pytest.raises(DetectorFailed, match=told) as caught:
        memory.add('My name is Ana', user_id='ana', background=background)
    assert 'Ana' not in str(caught.value)
    assert memory.stats().episodes == 0
    memory.close()
    assert b'Ana' not in b''.join(p.read_bytes() for p in tmp_path.glob('m.db*'))


def test_one_that_fails_is_not_asked_where_everything_is_allowed(install: Install) -> None:
    install('fails')
    assert redact('hello', Policy(secrets='allow')) == ('hello', 0)
