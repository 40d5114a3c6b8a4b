from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from memoranda.cli.evaluate import app
from memoranda.errors import ConfigurationError, InvalidInput
from memoranda.evals import extraction
from memoranda.evals.extraction import CATEGORIES

pytest.importorskip('pydantic_evals', reason="reads the cases: pip install 'memoranda[evals]'")

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv('COLUMNS', '120')

    def invoke(*arguments: str, fails: bool = False) -> Any:
        result = CliRunner().invoke(app, ['extraction', *arguments])
        if not fails and result.exception is not None:
            raise result.exception
        return result

    return invoke


def test_figures_are_printed_with_their_counts_and_intervals(run: Run):
    out = run('--category', 'negation').stdout
    assert 'cases of the development set' in out
    for row in (
        'precision',
        'recall',
        'supersession',
        'gate precision',
        'gate recall',
        'level right',
        'evidence right',
    ):
        assert row in out
    assert 'negation' in out
    assert 'small_talk' not in out


def test_json_holds_every_figure(run: Run):
    found = json.loads(run('--limit', '3', '--json').stdout)
    assert (found['set'], found['extractor'], found['cases']) == ('dev', 'rules', 3)
    assert set(found['recall']) == {'hits', 'total', 'value', 'interval'}
    assert found['by_category'].keys() == {'statement'}
    assert 'failures' not in found


def test_failures_show_what_was_said_and_what_was_missed(run: Run):
    out = run('--category', 'other_language', '--failures').stdout
    assert 'ja-likes-ramen' in out
    assert 'ラーメンが大好き' in out
    assert 'missed' in out
    found = json.loads(run('--category', 'other_language', '--failures', '--json').stdout)
    assert {failure['category'] for failure in found['failures']} == {'other_language'}
    assert found['failures'][0]['missed'][0]['op'] == 'add'


def test_without_failures_no_message_is_printed(run: Run):
    assert 'ラーメン' not in run('--category', 'other_language').stdout


def test_a_model_is_named_as_pydantic_ai_names_it(run: Run):
    found = json.loads(run('--model', 'test', '--limit', '2', '--json').stdout)
    assert (found['extractor'], found['cases']) == ('test', 2)


def test_a_model_that_does_not_exist_is_an_error_not_a_figure(run: Run):
    result = run('--model', 'nonsense', '--limit', '2', fails=True)
    assert isinstance(result.exception, ConfigurationError)


def test_an_unknown_category_is_refused_with_the_known_ones(run: Run):
    result = run('--category', 'weather', fails=True)
    assert result.exit_code == 2
    assert all(category in ' '.join(result.output.split()) for category in CATEGORIES[:3])


def test_a_hold_out_that_is_not_frozen_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extraction, 'HOLDOUT_SHA256', '')
    result = run('--holdout', fails=True)
    assert isinstance(result.exception, InvalidInput)
    assert 'has not been frozen' in str(result.exception)


def test_the_errors_that_code_catches_are_counted(run: Run):
    found = json.loads(run('--scripted-errors', '--limit', '1', '--json').stdout)
    by_name = {row['error']: row for row in found['errors']}
    assert by_name['quote of length 0']['reasons'] == {'no evidence': 1}
    assert by_name['invented fact with a true quote']['beyond_code']
    assert found['injected'] == sum(1 for row in found['errors'] if not row['beyond_code'])
    assert 'text of 100 kB' in run('--scripted-errors', '--limit', '1').stdout


def test_scripted_errors_go_with_the_development_set_only(run: Run):
    assert run('--scripted-errors', '--holdout', fails=True).exit_code == 2
