from __future__ import annotations

from collections.abc import Iterator

import pytest

from _native import Api, serving


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        yield found
