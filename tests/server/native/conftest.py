from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from _native import Api, serving_many


@pytest.fixture(scope='module')
def following() -> Iterator[Callable[[], Api]]:
    with serving_many() as found:
        yield found


@pytest.fixture
def api(following: Callable[[], Api]) -> Api:
    return following()
