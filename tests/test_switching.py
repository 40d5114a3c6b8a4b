"""Other embedders, links to the file, long profiles: what must not be lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoranda import EmbedderMismatch, Memory, MemoryNotFound
from memoranda.testing import HashingEmbedder, ScriptedExtractor

ANA = {'user_id': 'ana'}


def opened(path: Path, dimensions: int = 64) -> Memory:
    return Memory(path, embedder=HashingEmbedder(dimensions), extractor=ScriptedExtractor())


def test_a_process_with_the_old_embedder_goes_on_writing_after_another_has_switched(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with opened(path) as old, opened(path, 32) as new:
        old.add('Likes tea', **ANA)
        assert new.reindex() == 2
        old.aio._engine._generation = (-10.0, None)  # as a second later
        old.add('Likes coffee', **ANA)
        assert {m.text for m in old.get_all(**ANA)} == {'Likes tea', 'Likes coffee'}
        assert old.stats().jobs_dead == 0


def test_pinning_with_another_embedder_keeps_the_vector(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with opened(path) as memory:
        kept = memory.add('Likes tea', **ANA).memories[0]
    with opened(path, 32) as other:
        other.update(kept.id, pinned=True, **ANA)
    with opened(path) as memory:
        assert [h.id for h in memory.search('tea', strategy='semantic', **ANA)] == [kept.id]


def test_another_embedder_can_delete_but_not_search_and_its_adds_are_kept_for_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with opened(path) as memory:
        kept = memory.add('Likes tea', **ANA).memories[0]
    with opened(path, 32) as other:
        other.delete(kept.id, **ANA)
        with pytest.raises(EmbedderMismatch, match='memoranda reindex'):
            other.search('tea', **ANA)
        for number in range(7):
            with pytest.raises(Exception, match='embedder'):
                other.add(f'Likes number {number}', **ANA)
        assert other.stats().jobs_dead == 0
    with opened(path) as memory:
        memory.add('Likes chess', **ANA)
        assert len(memory.get_all(**ANA)) == 8
        assert memory.stats().jobs_queued == 0


def test_a_link_to_the_file_is_the_file(tmp_path: Path) -> None:
    path, link = tmp_path / 'memory.db', tmp_path / 'link.db'
    with opened(path) as memory:
        memory.add('Likes tea', **ANA)
        link.symlink_to(path)
        with opened(link) as linked:
            assert linked.location == memory.location
            linked.add('Likes chess', user_id='ben')
            assert linked.delete_all(user_id='ben').scrub == 'verified'
        memory.add('Likes coffee', **ANA)
    with opened(path) as memory:
        assert {m.text for m in memory.get_all(**ANA)} == {'Likes tea', 'Likes coffee'}


def test_a_long_profile_does_not_push_an_allergy_out_of_the_context(tmp_path: Path) -> None:
    with opened(tmp_path / 'memory.db') as memory:
        memory.add('Is allergic to peanuts', infer=False, kind='constraint', **ANA)
        memory.add('Always answer in French', infer=False, kind='instruction', **ANA)
        for number in range(50):
            memory.add(f'Trait number {number} of many', infer=False, kind='profile', **ANA)
        block = memory.context('dinner', max_tokens=2000, **ANA)
        assert 'peanuts' in block.text
        assert 'French' in block.text


def test_a_deleted_fact_that_had_an_end_is_not_history(tmp_path: Path) -> None:
    with opened(tmp_path / 'memory.db') as memory:
        fact = memory.add('Is in Rome', infer=False, valid_from='2020-01-01', valid_to='2090-01-01', **ANA).memories[0]
        memory.delete(fact.id, **ANA)
        with pytest.raises(MemoryNotFound):
            memory.get(fact.id, **ANA)
        assert memory.search('Rome', as_of='2030-01-01', **ANA) == []


def test_what_came_with_an_erased_conversation_goes_from_a_fact_that_another_confirms(tmp_path: Path) -> None:
    with opened(tmp_path / 'memory.db') as memory:
        memory.add('Likes tea', run_id='s1', metadata={'note': 'from the first'}, tags=['one'], **ANA)
        memory.add('Likes tea', run_id='s2', **ANA)
        memory.delete_all(run_id='s1', **ANA)
        (kept,) = memory.get_all(**ANA)
        assert (kept.text, dict(kept.metadata), kept.tags, kept.said_under.run_id) == ('Likes tea', {}, (), None)
        assert b'from the first' not in (tmp_path / 'memory.db').read_bytes()


def test_messages_without_a_moment_were_said_with_their_neighbours(tmp_path: Path) -> None:
    with opened(tmp_path / 'memory.db') as memory:
        memory.add(
            [
                {'role': 'user', 'content': 'Likes tea', 'timestamp': '2024-01-01T10:00:00Z'},
                {'role': 'assistant', 'content': 'Nice!'},
            ],
            **ANA,
        )
        assert {e.occurred_at.year for e in memory.episodes(**ANA).items} == {2024}
