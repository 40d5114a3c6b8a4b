from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from conftest import Cli


def test_the_demo_tells_the_whole_story(cli: Cli, own_environment: Path, database: Path) -> None:
    ran = cli('demo')
    assert ran.code == 0
    assert '\x1b' not in ran.out
    for part in (
        'Lives in Berlin',
        'Lives in Lisbon',
        '[I moved to Lisbon',
        'superseded',
        'How did the race go?',
        'tokens instead of',
        'Nothing is left.',
        'memoranda import',
    ):
        assert part in ran.out, part
    assert not database.exists()
    assert not list(own_environment.rglob('*.db'))


def test_the_demo_fits_eighty_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    assert all(len(line.rstrip()) <= 80 for line in cli('demo').out.splitlines())


def test_the_demo_as_data_proves_its_claims(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    told = cli('demo', '--json').json
    assert len(told['conversations']) == 3
    statuses = {m['text']: m['status'] for m in told['memories']}
    assert statuses['Lives in Lisbon'] == 'active'
    assert statuses['Lives in Berlin'] == 'superseded'
    tops = {a['question']: a['hits'][0]['text'] for a in told['answers']}
    assert re.search('TypeScript', tops['Which programming language does she prefer?'])
    assert tops['Where does she live?'] == 'Lives in Lisbon'
    assert 'peanuts' in tops['Can she eat peanut butter?']
    assert 'half marathon' in tops['How did the race go?']
    context = told['context']
    assert 'peanuts' in context['text']
    assert 'Berlin' not in context['text']
    assert 0 < context['tokens'] < told['history_tokens']
    erasure = told['erasure']
    assert erasure['sentences_in_files_before'] > 0
    assert erasure['sentences_in_files_after'] == 0
    assert (erasure['memories_after'], erasure['hits_after'], erasure['scrub']) == (0, 0, 'verified')


def test_the_demo_ignores_a_configured_model(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_MODEL', 'openai:none')
    monkeypatch.setenv('MEMORANDA_EMBEDDER', 'openai:none')
    assert cli('demo', '--json').code == 0
