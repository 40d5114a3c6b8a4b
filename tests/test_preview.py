"""A preview is applied once, where it was made, and only while nothing else was said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memoranda import Conflict, InvalidInput, Memory
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction

ANA = {'user_id': 'ana'}
DATED = [{'role': 'user', 'content': 'I like chess', 'timestamp': '2026-03-01T10:00:00Z'}]


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor()) as opened:
        opened.add('Likes tea', infer=False, **ANA)
        yield opened


def said(memory: Memory) -> list[str]:
    return [e.text for e in memory.episodes(**ANA).items]


def test_a_preview_that_found_nothing_stores_its_message_once() -> None:
    nothing = ScriptedExtractor(lambda request: Extraction())
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=nothing) as memory:
        shown = memory.preview('A long day it was', **ANA)
        assert shown.changes == ()
        memory.apply(shown)
        for _ in range(2):
            with pytest.raises(Conflict, match='preview again'):
                memory.apply(shown)
        assert said(memory) == ['A long day it was']


def test_the_same_message_said_in_between_is_not_stored_twice(memory: Memory) -> None:
    shown = memory.preview(DATED, **ANA)
    memory.add(DATED, **ANA)
    with pytest.raises(Conflict, match='preview again'):
        memory.apply(shown)
    assert said(memory) == ['Likes tea', 'I like chess']
    again = memory.preview(DATED, **ANA)
    assert (again.changes, again.known) == ((), 1)


def test_a_message_of_another_person_in_between_does_not_matter(memory: Memory) -> None:
    shown = memory.preview('I like chess', **ANA)
    memory.add('I like go', user_id='ben')
    assert memory.apply(shown).as_previewed


def test_a_preview_of_another_memory_is_refused(memory: Memory) -> None:
    with Memory(':memory:', embedder=HashingEmbedder(128), extractor=ScriptedExtractor()) as other:
        shown = other.preview('I like chess', **ANA)
    with pytest.raises(InvalidInput, match='made by another memory'):
        memory.apply(shown)
    assert said(memory) == ['Likes tea']


def test_a_preview_while_messages_wait_says_so(memory: Memory) -> None:
    assert memory.preview('I like chess', **ANA).waiting == 0
