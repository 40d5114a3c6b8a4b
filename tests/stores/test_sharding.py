from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from _fakes import Grammar, fast
from _postgres import available, fresh_database, own_server
from memoranda import Memory
from memoranda.errors import ConfigurationError, StoreError
from memoranda.moving import migrate
from memoranda.scope import Owner, Scope
from memoranda.stores.base import Store
from memoranda.stores.sharding import ShardedStore
from memoranda.stores.sharding.placement import place
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import StoreSuite
from memoranda.testing.embedders import HashingEmbedder


class TestShards(StoreSuite):
    durable = False

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = ShardedStore([SQLiteStore(':memory:') for _ in range(3)])
        yield store
        self.run(store.close())

    def test_projects_take_turns(self, store: Store) -> None:
        """They do inside each shard; between shards, whoever waits for longest comes first."""
        bench = self.bench(store)
        for n in range(3):
            bench.queue(f'one {n}', scope=Scope(user_id=f'user-{n}'), project='big')
        bench.queue('of the other', project='small')
        assert {bench.taken(f'worker {n}').owner.project for n in range(4)} == {'big', 'small'}


def shards_of(folder: Path, count: int = 3) -> ShardedStore:
    return ShardedStore([SQLiteStore(folder / f'{n}.db') for n in range(count)])


def memory_of(store: Store) -> Memory:
    return Memory(store=store, embedder=HashingEmbedder(), extractor=Grammar(), errors='raise')


def hide(path: Path) -> None:
    """Somebody takes the file away; nobody can make another one in its place."""
    path.rename(path.with_suffix('.hidden'))
    path.mkdir()


def show(path: Path) -> None:
    path.rmdir()
    path.with_suffix('.hidden').rename(path)


def filled(store: ShardedStore, users: int = 12) -> Memory:
    memory = memory_of(store)
    for n in range(users):
        memory.add(f'Likes tea number {n}', user_id=f'user-{n}')
    return memory


class TestPlacement:
    def test_owners_are_spread_evenly(self) -> None:
        counts = Counter(place(Owner('default', 'user', f'u{n}'), 8) for n in range(4000))
        assert set(counts) == set(range(8))
        assert all(400 < count < 600 for count in counts.values())

    def test_another_shard_takes_its_share_and_moves_nobody_else(self) -> None:
        owners = [Owner('default', 'user', f'u{n}') for n in range(2000)]
        moved = [(place(o, 4), place(o, 5)) for o in owners if place(o, 4) != place(o, 5)]
        assert 300 < len(moved) < 500
        assert {new for _, new in moved} == {4}

    def test_it_is_the_same_in_every_version(self) -> None:
        owners = [Owner('default', 'user', 'ana'), Owner('shop', 'agent', 'support'), Owner('default', 'global', '')]
        assert [place(owner, 8) for owner in owners] == [3, 4, 1]


class TestShardsOfFiles:
    def test_users_in_different_shards_are_remembered_each_in_one(self, tmp_path: Path) -> None:
        store = shards_of(tmp_path)
        with filled(store) as memory:
            assert [h.text for h in memory.search('tea', user_id='user-7')] == ['Likes tea number 7']
            stats = memory.stats()
            assert (stats.owners, stats.memories) == (12, 12)
            parts = stats.details['shards']
            assert sum(part['owners'] for part in parts.values()) == 12
            assert all(part['owners'] > 0 for part in parts.values())
            assert memory.verify(all_projects=True).ok

    def test_a_search_over_several_shards_ranks_as_one_over_a_single_file(self, tmp_path: Path) -> None:
        questions = ('tea in the morning', 'what does the shop sell', 'opening hours', 'coffee')
        found: list[list[str]] = []
        for store in (shards_of(tmp_path, 5), SQLiteStore(tmp_path / 'one.db')):
            with memory_of(store) as memory:
                for text in ('Likes tea in the morning', 'Drinks coffee after lunch', 'Buys bread on Mondays'):
                    memory.add(text, user_id='ana')
                for text in ('The shop sells tea', 'Opening hours are nine to five'):
                    memory.add(text, agent_id='support')
                for text in ('Tea is served at four', 'Coffee costs two euros'):
                    memory.add(text, app_id='shop')
                hits = [memory.search(q, user_id='ana', agent_id='support', app_id='shop', top_k=5) for q in questions]
                found.append([f'{h.text} {h.score:.4f}' for some in hits for h in some])
        assert found[0] == found[1]
        assert len(found[0]) > 8

    def test_messages_of_several_shards_come_page_by_page(self, tmp_path: Path) -> None:
        with memory_of(shards_of(tmp_path, 5)) as memory:
            for n in range(4):
                memory.add(f'of ana {n}', user_id='ana')
                memory.add(f'of the agent {n}', agent_id='support')
            texts: list[str] = []
            cursor: str | None = None
            while True:
                page = memory.episodes(user_id='ana', agent_id='support', limit=1, cursor=cursor)
                texts += [episode.text for episode in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
            whole = memory.episodes(user_id='ana', agent_id='support', limit=100)
            assert texts == [episode.text for episode in whole.items]

    def test_a_shard_in_the_place_of_another_is_refused(self, tmp_path: Path) -> None:
        with filled(shards_of(tmp_path)):
            pass
        turned = ShardedStore([SQLiteStore(tmp_path / f'{n}.db') for n in (1, 0, 2)])
        with (
            pytest.raises(ConfigurationError, match=r'is shard \d of 3 .* named as shard \d of 3'),
            memory_of(turned) as memory,
        ):
            memory.search('tea', user_id='ana')

    def test_another_number_of_shards_is_refused(self, tmp_path: Path) -> None:
        with filled(shards_of(tmp_path)):
            pass
        fewer = shards_of(tmp_path, 2)
        with pytest.raises(ConfigurationError, match='name all shards'):
            memory_of(fewer).search('tea', user_id='ana')

    def test_a_database_that_holds_something_does_not_become_a_shard(self, tmp_path: Path) -> None:
        with fast(tmp_path / '1.db') as memory:
            memory.add('Likes tea', user_id='ana')
        store = shards_of(tmp_path)
        with pytest.raises(ConfigurationError, match='holds memories already'):
            memory_of(store).search('tea', user_id='ana')

    def test_a_shard_of_another_group_is_refused(self, tmp_path: Path) -> None:
        for name in ('a', 'b'):
            (tmp_path / name).mkdir()
            with filled(shards_of(tmp_path / name)):
                pass
        mixed = ShardedStore([SQLiteStore(tmp_path / where) for where in ('a/0.db', 'b/1.db', 'a/2.db')])
        with pytest.raises(ConfigurationError, match='group'):
            memory_of(mixed).search('tea', user_id='ana')

    def test_one_database_named_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match='named twice'):
            ShardedStore([SQLiteStore(tmp_path / '0.db'), SQLiteStore(tmp_path / '0.db')])

    def test_a_lost_shard_costs_its_owners_their_memory_and_no_one_else(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = shards_of(tmp_path)
        with filled(store):
            pass
        lost = place(Owner('default', 'user', 'user-0'), 3)
        hide(tmp_path / f'{lost}.db')
        with memory_of(shards_of(tmp_path)) as memory:
            for n in range(12):
                if place(Owner('default', 'user', f'user-{n}'), 3) == lost:
                    with pytest.raises(StoreError):
                        memory.search('tea', user_id=f'user-{n}')
                else:
                    assert [h.text for h in memory.search('tea', user_id=f'user-{n}')] == [f'Likes tea number {n}']
            assert caplog.text.count(f'shard {lost} of 3 fails') == 1
            show(tmp_path / f'{lost}.db')
            assert [h.text for h in memory.search('tea', user_id='user-0')] == ['Likes tea number 0']

    def test_a_shard_is_moved_by_copying_it_and_naming_its_new_place(self, tmp_path: Path) -> None:
        with filled(shards_of(tmp_path)) as memory:
            before = [m.id for n in range(12) for m in (memory.get_all(user_id=f'user-{n}')).items]
        (tmp_path / 'elsewhere').mkdir()
        (tmp_path / '1.db').rename(tmp_path / 'elsewhere' / 'moved.db')
        places = ('0.db', 'elsewhere/moved.db', '2.db')
        with memory_of(ShardedStore([SQLiteStore(tmp_path / where) for where in places])) as memory:
            assert [m.id for n in range(12) for m in (memory.get_all(user_id=f'user-{n}')).items] == before
            assert memory.verify(all_projects=True).ok

    def test_what_is_forgotten_of_a_project_is_forgotten_in_all_shards(self, tmp_path: Path) -> None:
        with filled(shards_of(tmp_path)) as memory:
            receipt = memory.project_wide().forget(whole_project=True)
            assert (memory.stats()).memories == 0
            assert (memory.verify_erasure(receipt)).ok


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
class TestShardsOfServers:
    def test_a_server_that_stops_costs_its_owners_their_memory_until_it_is_back(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with own_server() as other, fresh_database() as first:
            places = f'shards: {first} {other.url("with_vector")}'
            there = [f'user-{n}' for n in range(8) if place(Owner('default', 'user', f'user-{n}'), 2) == 0]
            gone = [f'user-{n}' for n in range(8) if f'user-{n}' not in there]
            with fast(places, errors='raise') as memory:
                for user in (*there, *gone):
                    memory.add(f'Likes the tea of {user}', user_id=user)
                other.stop()
                for user in there:
                    assert [h.text for h in memory.search('tea', user_id=user)] == [f'Likes the tea of {user}']
                    memory.add('Drinks it cold', user_id=user)
                with pytest.raises(StoreError, match=r'127\.0\.0\.1'):
                    memory.search('tea', user_id=gone[0])
                with pytest.raises(StoreError):
                    memory.stats()
                other.start()
                for user in gone:
                    assert [h.text for h in memory.search('tea', user_id=user)] == [f'Likes the tea of {user}']
                assert memory.verify(all_projects=True).ok
            assert caplog.text.count('shard 1 of 2 fails') == 1

    def test_a_shard_moves_to_another_server(self) -> None:
        with fresh_database() as first, fresh_database() as second, fresh_database() as third:
            with fast(f'shards: {first} {second}') as memory:
                for n in range(8):
                    memory.add(f'Likes tea number {n}', user_id=f'user-{n}')
            migrate(second, third)
            with fast(f'shards: {first} {third}') as memory:
                for n in range(8):
                    assert [h.text for h in memory.search('tea', user_id=f'user-{n}')] == [f'Likes tea number {n}']
                assert memory.verify(all_projects=True).ok

    def test_schemas_of_one_database_are_partitions_of_it(self) -> None:
        with fresh_database() as url:
            parts = f'shards: {url}?schema=part_{{0..3}}'
            with fast(parts) as memory:
                for n in range(12):
                    memory.add(f'Likes tea number {n}', user_id=f'user-{n}')
                assert 'schema=part_3' in memory.stats().location
            owners = Counter(place(Owner('default', 'user', f'user-{n}'), 4) for n in range(12))
            with pytest.importorskip('psycopg').connect(url) as connection:
                for part in range(4):
                    found = connection.execute(f"SELECT count(*) FROM part_{part}.owner WHERE kind = 'user'")
                    assert found.fetchone() == (owners[part],)
            with fast(parts) as memory:
                for n in range(12):
                    assert [h.text for h in memory.search('tea', user_id=f'user-{n}')] == [f'Likes tea number {n}']

    def test_a_partition_moves_to_a_database_of_its_own(self) -> None:
        with fresh_database() as url, fresh_database() as other:
            with fast(f'shards: {url}?schema=part_{{0..1}}') as memory:
                for n in range(8):
                    memory.add(f'Likes tea number {n}', user_id=f'user-{n}')
            migrate(f'{url}?schema=part_1', other)
            with fast(f'shards: {url}?schema=part_0 {other}') as memory:
                for n in range(8):
                    assert [h.text for h in memory.search('tea', user_id=f'user-{n}')] == [f'Likes tea number {n}']
                assert memory.verify(all_projects=True).ok

    def test_one_schema_named_twice_is_refused(self) -> None:
        url = 'postgresql://127.0.0.1:1/nowhere'
        with pytest.raises(ConfigurationError, match='named twice'):
            fast(f'shards: {url}?schema=part_1 {url}?schema=part_1')
        with pytest.raises(ConfigurationError, match=r'schemas .part_1., .part_2.: name one'):
            fast(f'{url}?schema=part_1&schema=part_2')
        with pytest.raises(ConfigurationError, match=r'\{3\.\.1\} is no range'):
            fast(f'shards: {url}?schema=part_{{3..1}}')
