"""A policy says what it means, or it is refused with what to write instead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast
from memoranda import ConfigurationError
from memoranda.policy import PERSONAL_DATA, Policy, Retention
from memoranda.settings import Settings


def test_the_default_redacts_secrets_and_allows_the_rest() -> None:
    policy = Policy()
    assert policy.action('secret', 'password') == 'redact'
    assert policy.action('personal data', 'phone number') == 'allow'
    assert policy.action('special category', 'health') == 'allow'
    assert policy.ignores('personal data')


def test_kinds_that_are_left_out_keep_the_default_or_get_what_the_star_says() -> None:
    policy = Policy(
        secrets={'card number': 'allow'},
        personal_data={'*': 'redact', 'email address': 'allow'},
        special_categories={'health': 'review'},
    )
    assert policy.action('secret', 'card number') == 'allow'
    assert policy.action('secret', 'password') == 'redact'
    assert policy.action('personal data', 'email address') == 'allow'
    assert {policy.action('personal data', kind) for kind in PERSONAL_DATA[1:]} == {'redact'}
    assert policy.action('special category', 'religion') == 'allow'


def test_tiers_that_are_left_out_keep_their_default() -> None:
    assert dict(Policy(write={'tool': 'drop'}).write) == {
        'user': 'auto',
        'assistant': 'auto',
        'tool': 'drop',
        'external': 'review',
    }


@pytest.mark.parametrize(
    ('given', 'told'),
    [
        ({'review': 'maybe'}, r"policy\.review='maybe' is unknown: use one of off, flagged, all"),
        ({'secrets': 'hide'}, r"policy\.secrets='hide' is unknown: use one of allow, redact, review, drop"),
        ({'personal_data': None}, r'policy\.personal_data=None is unknown'),
        ({'personal_data': {'email address': 'hide'}}, r"personal_data\['email address'\]='hide' is unknown"),
        (
            {'personal_data': {'shoe size': 'drop', 'telephone': 'drop'}},
            r"names 'shoe size', 'telephone', which nothing detects: known are email address, phone number",
        ),
        (
            {'special_categories': {'password': 'drop'}},
            r"names 'password', which nothing detects: known are health.*; password belongs to secrets$",
        ),
        ({'min_confidence': 2}, r'policy\.min_confidence=2 is not a number from 0 to 1'),
        ({'min_confidence': True}, r'policy\.min_confidence=True is not a number'),
        ({'min_confidence': float('nan')}, r'policy\.min_confidence=nan is not a number'),
        ({'below_confidence': 'allow'}, r"policy\.below_confidence='allow' is unknown: use one of review, drop"),
        ({'instructions': 'obey'}, r"policy\.instructions='obey' is unknown"),
        ({'write': {'robot': 'auto'}}, r"policy\.write names the unknown tier 'robot': use user, assistant"),
        (
            {'write': {'tool': 'include'}},
            r"policy\.write\['tool'\]='include' is unknown: use one of auto, review, drop",
        ),
        ({'read': {'tool': 'auto'}}, r"policy\.read\['tool'\]='auto' is unknown: use one of include, fence, exclude"),
        ({'read': 'include'}, r"policy\.read='include' is no mapping"),
        ({'burst': 30}, r'policy\.burst=30 is no number of facts and seconds'),
        ({'burst': (0, 60.0)}, r'policy\.burst=\(0, 60\.0\) is no number'),
        ({'burst': (3, -1.0)}, r'policy\.burst=\(3, -1\.0\) is no number'),
        ({'audit_reads': 'false'}, r"policy\.audit_reads='false' is no yes or no"),
        ({'regions': 'DE'}, r"policy\.regions='DE' is no tuple of countries: write them like \('DE', 'AT'\)"),
        ({'regions': ('de',)}, r"policy\.regions=\('de',\) is no tuple of countries"),
        ({'retention': [timedelta(days=1)]}, r'policy\.retention=.* is no tuple of Retention'),
    ],
)
def test_a_field_that_can_not_be_used_is_named_with_the_fix(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Policy(**given)


@pytest.mark.parametrize(
    ('given', 'told'),
    [
        ({'after': 30}, 'no time span of more than 0'),
        ({'after': timedelta(0)}, 'no time span of more than 0'),
        ({'after': timedelta(days=1), 'kinds': ()}, r"no tuple of names: pass such as \('event',\)"),
        ({'after': timedelta(days=1), 'kinds': 'event'}, 'no tuple of names'),
        (
            {'after': timedelta(days=1), 'levels': ('forever',)},
            r"retention\.levels='forever' is unknown: use one of user",
        ),
    ],
)
def test_a_retention_that_can_not_be_used_is_named_with_the_fix(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Retention(**given)


@pytest.mark.parametrize(
    'given',
    [
        {'personal_data': 'review'},
        {'secrets': {'card number': 'review'}},
        {'special_categories': {'health': 'review'}},
        {'write': {'user': 'review'}},
    ],
)
def test_a_policy_that_sends_to_a_review_that_is_off_contradicts_itself(given: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"review='off' contradicts {next(iter(given))}.*use review='flagged'"
    ):
        Policy(review='off', **given)


def test_the_defaults_do_not_contradict_a_review_that_is_off() -> None:
    assert Policy(review='off', min_confidence=0.5).review == 'off'


def test_a_policy_that_was_given_can_not_be_changed_from_outside() -> None:
    kinds: dict[str, Any] = {'health': 'review'}
    policy = Policy(special_categories=kinds)
    kinds['health'] = 'allow'
    assert policy.action('special category', 'health') == 'review'
    assert policy.special_categories == {'health': 'review'}


def test_settings_make_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        'REVIEW': 'all',
        'MIN_CONFIDENCE': '0.4',
        'SECRETS': 'drop',
        'PERSONAL_DATA': 'review',
        'SPECIAL_CATEGORIES': 'redact',
        'AUDIT_READS': 'true',
    }.items():
        monkeypatch.setenv(f'MEMORANDA_{name}', value)
    policy = Settings().policy()
    assert (policy.review, policy.min_confidence, policy.audit_reads) == ('all', 0.4, True)
    assert (policy.secrets, policy.personal_data, policy.special_categories) == ('drop', 'review', 'redact')


def test_settings_that_contradict_each_other_are_told_before_anything_is_opened(tmp_path: Path) -> None:
    settings = Settings(review='off', special_categories='review')
    with pytest.raises(ConfigurationError, match='contradicts special_categories'):
        fast(tmp_path / 'm.db', settings=settings)
    assert not (tmp_path / 'm.db').exists()


def test_a_policy_goes_before_the_settings() -> None:
    with fast(settings=Settings(secrets='redact'), policy=Policy(secrets='allow')) as memory:
        assert memory.add('My password is hunter2', user_id='ana').memories[0].text == 'My password is hunter2'


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"policy=\{'review': 'all'\} is no Policy: pass such as Policy"):
        fast(policy={'review': 'all'})  # pyright: ignore[reportArgumentType]
