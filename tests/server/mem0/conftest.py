from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from _wire import Wire, serving


@pytest.fixture(scope='module')
def projects() -> Iterator[Callable[[], Wire]]:
    with serving(projects=100) as following:
        yield following


@pytest.fixture
def wire(projects: Callable[[], Wire]) -> Wire:
    """A project of its own."""
    return projects()
