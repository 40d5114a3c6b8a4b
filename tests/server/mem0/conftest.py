from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from _wire import Wire, serving


@pytest.fixture(scope='module')
def projects() -> Iterator[Callable[[], Wire]]:
    """An application of this module, which gives one project after the other."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.upper().startswith('MEMORANDA_'):  # what each test does without, before this is made
                patch.delenv(name)
        with serving(projects=100) as following:
            yield following


@pytest.fixture
def wire(projects: Callable[[], Wire]) -> Wire:
    """A project of its own."""
    return projects()
