"""The examples run as they are, and show what they say they show."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from _fakes import subprocess_environment
from _pages import ROOT, blocks

FOLDER = ROOT / 'examples'
FILES = sorted(path for path in FOLDER.glob('*.py') if not path.name.startswith('_'))
NEEDS = {'fastapi_app.py': 'fastapi'}


def load(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if path.name in NEEDS:
        pytest.importorskip(NEEDS[path.name], reason=f'{NEEDS[path.name]} is not installed')
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def run(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    """What an example prints, in paragraphs."""
    main: Any = load(FOLDER / name, monkeypatch).main
    ended = main(list(argv))
    if inspect.iscoroutine(ended):
        asyncio.run(ended)
    return [part for part in capsys.readouterr().out.split('\n\n') if part.strip()]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_an_example_says_how_to_run_it(path: Path) -> None:
    text = path.read_text(encoding='utf-8')
    assert f'    python examples/{path.name}\n' in text or f'    python examples/{path.name} ' in text
    assert '--model openai:gpt-4o' in text.partition('"""\n\n')[0]


def test_the_quickstart_runs_as_a_program(tmp_path: Path) -> None:
    database = tmp_path / 'quickstart.db'
    command = [sys.executable, str(FOLDER / 'quickstart.py'), '--database', str(database)]
    ran = [
        subprocess.run(command, capture_output=True, text=True, env=subprocess_environment(), timeout=100)
        for _ in range(2)
    ]
    assert [r.returncode for r in ran] == [0, 0], ran[0].stderr
    parts = [r.stdout.strip().split('\n\n') for r in ran]
    assert 'Nice to meet you.' in parts[0][0]
    for told in parts:
        assert 'Lives in Lisbon' in told[1]
        assert 'allergic to peanuts' in told[1]
        assert 'Nice to meet you.' in told[2]  # another user


def test_support_knows_a_customer_in_the_next_session(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _, third, stranger, known = run('customer_support.py', monkeypatch, capsys)
    assert 'I know nothing of you yet' in first
    assert 'filters, waiting for stock' in third
    assert 'Name is Dana; Prefers to be contacted by email' in third
    assert 'I know nothing of you yet' in stranger
    assert '<- "my name is Dana" (ticket-1)' in known


def test_the_tagger_learns_wishes_for_one_user_and_rules_for_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = run('youtube_tagger.py', monkeypatch, capsys)
    assert [part.rpartition('tagger: ')[2].strip() for part in told] == [
        'Italian Food',
        'understood',
        'italian-food',
        'understood',
        'japanese-food, advanced-recipe',
        'Japanese Food, Advanced Recipe',
    ]


def test_only_editors_can_teach_the_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    example = load(FOLDER / 'youtube_tagger.py', monkeypatch)

    async def main() -> None:
        async with example.AsyncMemory(':memory:') as memory:
            agent = example.tagger(None, memory)
            await agent.run(example.RULE, deps=example.Deps('nora'))
            assert len(await memory.get_all(agent_id=example.TAGGER)) == 0
            await agent.run(example.RULE, deps=example.Deps('olga', editor=True))
            (rule,) = await memory.get_all(agent_id=example.TAGGER)
            assert (rule.kind, rule.text) == ('heuristic', example.RULE)

    asyncio.run(main())


def test_the_reader_of_web_pages_learns_from_a_mistake_and_not_from_a_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, learnt = run('web_page_agent.py', monkeypatch, capsys)
    assert 'kettle: 40 euros (wrong, it is 31: lesson learnt)' in read
    assert 'teapot: 19 euros' in read
    assert 'cup: 7 euros' in read
    assert 'the price is the one after "you pay"' in learnt
    assert 'cheapest' not in learnt


def test_agents_of_a_newsroom_share_what_one_has_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rosas, sams = run('multi_agent.py', monkeypatch, capsys)
    assert 'open on weekdays only' in rosas
    assert 'open on weekdays only' in sams
    assert 'short sentences' in rosas
    assert 'short sentences' not in sams


def test_the_app_keeps_its_users_apart_and_forgets_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, ana, ben, rest = run('fastapi_app.py', monkeypatch, capsys)
    assert 'Lives in Lisbon' in ana
    assert 'Nice to meet you.' in ben
    assert rest.splitlines() == [
        'ben goes on with the conversation of ben: 200',
        'ana goes on with the conversation of ben: 404',
        "known of ana: [('Lives in Lisbon', 'I live in Lisbon')]",
        'ben deletes it: 404',
        'ana is forgotten: 1',
        'known of ana: []',
        'ben goes on after he was forgotten: 404',
    ]


def test_what_the_docs_show_of_an_example_is_in_it() -> None:
    app = (FOLDER / 'fastapi_app.py').read_text(encoding='utf-8')
    shown = [b.code for b in blocks(ROOT / 'docs' / 'patterns.md', 'py') if '@app.' in b.code]
    assert shown
    for code in shown:
        assert ''.join(f'    {line}' if line.strip() else line for line in code.splitlines(keepends=True)) in app
