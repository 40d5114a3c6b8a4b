from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

# `make test-lowest` goes without extras.
_THERE = all(find_spec(name) for name in ('fastapi', 'uvicorn', 'httpx', 'jinja2', 'python_multipart'))
collect_ignore_glob = [] if _THERE else ['*']
if TYPE_CHECKING or _THERE:
    from _console import Console, SignedIn, browser_path, browsing, serving


@pytest.fixture(scope='module')
def console() -> Generator[Console]:
    """A server of this module's own, with an empty database in memory."""
    with serving() as started:
        yield started


@pytest.fixture(scope='module')
def browser() -> Generator[Any]:
    """A browser of this module's own: Playwright's loop would be in the way of other modules."""
    if not find_spec('playwright'):
        pytest.skip('Playwright is not installed: uv sync')
    if browser_path() is None:
        pytest.skip('no Chromium here: apt-get install chromium, or name one with TEST_BROWSER')
    with browsing() as started:
        yield started


@pytest.fixture
def signed_in(console: Console, browser: Any) -> Generator[SignedIn]:
    """Opens pages; what goes wrong on them fails the test at its end."""
    opening = SignedIn(console, browser)
    yield opening
    opening.close()
    opening.check()
