"""README and docs say what is true: their code runs, their links resolve, their commands exist."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import sys
import threading
import types
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from opentelemetry import trace

from _pages import PAGES, ROOT, Block, anchors, blocks, commands, links


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


EXPECTED = '#> '
NEEDS = {
    'client': ('fastapi', 'httpx2'),
    'console': ('fastapi', 'httpx', 'jinja2', 'python_multipart'),
    'http-api': ('fastapi', 'httpx'),
    'mcp': ('mcp',),
    'mem0-server': ('fastapi', 'httpx'),
    'privacy': ('phonenumbers', 'stdnum'),
    'qdrant': ('qdrant_client', 'qdrant_edge'),
    'server': ('fastapi', 'httpx'),
}
"""What the code of a page imports that `make test-lowest` goes without."""


def run(block: Block, namespace: dict[str, Any]) -> str:
    """Execute a block; `await` at its top level works as in a notebook. Returns what it printed."""
    tree = ast.parse('\n' * (block.line - 1) + block.code, str(block.page))
    code = compile(tree, str(block.page), 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & 0x80:  # inspect.CO_COROUTINE
            asyncio.run(eval(code, namespace))
        else:
            exec(code, namespace)
    return printed.getvalue()


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')], ids=name)
def test_the_python_of_a_page_runs_and_prints_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module_name in NEEDS.get(page.stem, ()):
        pytest.importorskip(module_name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MEMORANDA_DATABASE', str(tmp_path / 'memoranda.db'))
    # A module of its own, because dataclasses and pydantic look up the module a class says it is from.
    module = types.ModuleType('page')
    monkeypatch.setitem(sys.modules, 'page', module)
    # What a page makes the global provider would trace every test after it.
    monkeypatch.setattr(
        trace,
        'set_tracer_provider',
        lambda provider: monkeypatch.setattr(trace, 'get_tracer_provider', lambda: provider),
    )
    namespace = vars(module)
    try:
        for block in blocks(page, 'python'):
            printed = run(block, namespace).splitlines()
            expected = [
                line.strip().removeprefix(EXPECTED)
                for line in block.code.splitlines()
                if line.strip().startswith(EXPECTED)
            ]
            if expected:
                assert [line.rstrip() for line in printed] == expected, f'{page.name}, the block at line {block.line}'
    finally:
        close_all(namespace)
    left = [t.name for t in threading.enumerate() if t.name.startswith('memoranda-loop')]
    assert left == [], 'the page leaves a memory open'


def close_all(namespace: dict[str, Any]) -> None:
    """Close what the page left open, as the end of a program would."""
    from memoranda import AsyncMemory, Memory

    for value in namespace.values():
        if isinstance(value, Memory):
            value.close()
        elif isinstance(value, AsyncMemory):
            asyncio.run(value.close())


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_relative_link_resolves(page: Path) -> None:
    broken: list[str] = []
    for target in links(page):
        if '://' in target or target.startswith('mailto:'):
            continue
        path, _, fragment = unquote(target).partition('#')
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and file.suffix == '.md' and fragment not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_of_docs_can_be_reached_from_its_index() -> None:
    index = ROOT / 'docs' / 'index.md'
    linked = {(index.parent / target.partition('#')[0]).resolve() for target in links(index) if '://' not in target}
    pages = {page for page in PAGES if page.parent == index.parent and page != index}
    assert pages - linked == set()


@pytest.mark.parametrize('page', [page for page in PAGES if commands(page)], ids=name)
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    import typer

    from memoranda.cli._app import app

    root = typer.main.get_command(app)
    wrong: list[str] = []
    for words in commands(page):
        command = root
        rest = list(words)
        while rest and not rest[0].startswith('-') and hasattr(command, 'commands'):
            chosen = rest.pop(0)
            if chosen not in command.commands:
                wrong.append(f'{" ".join(words)}: no command {chosen}')
                break
            command = command.commands[chosen]
        else:
            known = {option for owner in (root, command) for parameter in owner.params for option in parameter.opts}
            known |= {
                option for owner in (root, command) for parameter in owner.params for option in parameter.secondary_opts
            }
            known.add('--help')
            used = {word.partition('=')[0] for word in rest if word.startswith('-') and word != '-'}
            wrong.extend(f'{" ".join(words)}: no option {option}' for option in sorted(used - known))
    assert wrong == []


def test_every_command_and_import_format_is_documented() -> None:
    import typer

    from memoranda.cli._app import app
    from memoranda.importers import FORMATS

    page = (ROOT / 'docs' / 'cli.md').read_text(encoding='utf-8')
    names = [*typer.main.get_command(app).commands, *FORMATS]
    assert [name for name in names if f'| `{name}` |' not in page] == []


def test_every_setting_is_documented_with_its_default() -> None:
    from memoranda.settings import Settings

    page = (ROOT / 'docs' / 'settings.md').read_text(encoding='utf-8').replace(',000', '000')
    wrong: list[str] = []
    for setting, field in Settings.model_fields.items():
        default = field.default  # 1 and True are the same to a dict
        shown = '' if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        shown = f'`{shown}`' if shown.isalpha() else shown.removesuffix('.0')
        if f'| `{setting}` | {shown}' not in page:
            wrong.append(f'{setting} = {shown}')
    assert wrong == []


def test_every_field_and_operator_of_filters_is_documented() -> None:
    from memoranda.filters import FIELDS, OPERATORS

    page = (ROOT / 'docs' / 'filters.md').read_text(encoding='utf-8')
    assert [name for name in (*FIELDS, *OPERATORS) if f'`{name}`' not in page.replace(' ', '` `')] == []
