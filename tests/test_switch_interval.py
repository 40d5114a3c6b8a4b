"""While a memory has threads, the threads of a process wait less for each other, and then as long as before."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

from _fakes import fast
from memoranda.settings import Settings


def near(seconds: float) -> object:
    return pytest.approx(seconds, abs=2e-6)  # Python keeps whole microseconds


@pytest.fixture(autouse=True)
def as_python_has_it() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_threads_switch_sooner_until_the_memory_is_closed() -> None:
    with fast() as memory:
        memory.add('Likes tea', user_id='ana', infer=False)
        assert sys.getswitchinterval() == near(Settings().switch_seconds)
    assert sys.getswitchinterval() == near(0.005)


def test_of_two_memories_the_last_one_to_close_ends_it() -> None:
    with fast(settings=Settings(switch_seconds=0.002)) as one, fast(settings=Settings(switch_seconds=0.001)) as two:
        one.add('Likes tea', user_id='ana', infer=False)
        two.add('Likes tea', user_id='ana', infer=False)
        assert sys.getswitchinterval() == near(0.001)
        two.close()
        assert sys.getswitchinterval() == near(0.002)
    assert sys.getswitchinterval() == near(0.005)


def test_it_can_be_left_as_it_is() -> None:
    with fast(settings=Settings(switch_seconds=0)) as memory:
        memory.add('Likes tea', user_id='ana', infer=False)
        assert sys.getswitchinterval() == near(0.005)


def test_who_wants_it_sooner_still_is_heard() -> None:
    sys.setswitchinterval(0.0001)
    with fast() as memory:
        memory.add('Likes tea', user_id='ana', infer=False)
        assert sys.getswitchinterval() == near(0.0001)
    assert sys.getswitchinterval() == near(0.0001)


def test_what_the_application_sets_meanwhile_stays() -> None:
    with fast() as memory:
        memory.add('Likes tea', user_id='ana', infer=False)
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == near(0.02)
