"""The README's first screen keeps its promises. What it says elsewhere is tested with the docs."""

from __future__ import annotations

import re

from _pages import ROOT, blocks

README = ROOT / 'README.md'


def first_screen() -> str:
    return '\n'.join(README.read_text(encoding='utf-8').splitlines()[:45])


def test_the_first_screen_has_an_example_and_the_two_commands() -> None:
    screen = first_screen()
    assert '```python' in screen
    assert re.search(r'^make demo\b', screen, re.MULTILINE)
    assert re.search(r'^make test\b', screen, re.MULTILINE)


def test_the_first_example_is_about_ten_lines() -> None:
    code = [line for line in blocks(README, 'python')[0].code.splitlines() if line.strip()]
    assert len(code) <= 12


def test_every_make_target_named_in_the_readme_exists() -> None:
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(encoding='utf-8'), re.MULTILINE))
    named = set(re.findall(r'\bmake ([a-z-]+)', README.read_text(encoding='utf-8')))
    assert named - targets == set()


def test_ci_runs_the_command_the_readme_gives() -> None:
    assert re.search(r'^make test\b', (ROOT / '.ci' / 'run').read_text(encoding='utf-8'), re.MULTILINE)
