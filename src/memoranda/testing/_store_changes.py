"""The part of `StoreSuite` about changes as they are listed, foreseen and counted."""

# the names of the tests say what they check
from __future__ import annotations

from dataclasses import replace

from memoranda.errors import Conflict
from memoranda.records import Usage
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.data import Commit
from memoranda.testing._bench import ANA, DAY, WORKER, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['ChangeTests']

BEN = Scope(user_id='ben')


class ChangeTests(StoreTests):
    """What was changed, what would be, and what models took for it."""

    def test_changes_come_latest_first_a_page_at_a_time(self, store: Store) -> None:
        bench = self.bench(store)
        made = [bench.learn(f'fact {n}') for n in range(5)]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page, cursor = self.run(store.changes(ANA.reaches('default'), limit=2, cursor=cursor))
            seen += [c.id for c in page]
            if cursor is None:
                break
        assert seen == [m.change_id for m in reversed(made)]

    def test_a_change_has_each_memory_before_and_after_it(self, store: Store) -> None:
        bench = self.bench(store)
        lisbon = bench.learn('Lives in Lisbon', slot='home.city', value='Lisbon')
        porto = bench.supersede(lisbon, 'Lives in Porto', at=DAY.replace(day=5))
        latest, first = self.run(store.changes(ANA.reaches('default'), limit=10, cursor=None))[0]
        assert [(e.op, e.before, e.after.text, e.after.value) for e in first.edits] == [
            ('add', None, 'Lives in Lisbon', 'Lisbon')
        ]
        assert [(e.op, e.before and e.before.version, e.after.text, e.after.status) for e in latest.edits] == [
            ('supersede', 1, 'Lives in Lisbon', 'superseded'),
            ('add', None, 'Lives in Porto', 'active'),
        ]
        assert (latest.actor, latest.reason, latest.erased) == ('test', 'a test', 0)
        assert self.run(store.change(porto.change_id, project='default')) == (ANA.home('default'), latest)

    def test_a_change_is_found_in_its_project_only(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Likes tea')
        assert self.run(store.change(memory.change_id, project='other')) is None
        assert self.run(store.change('nonsense', project='default')) is None

    def test_changes_of_others_are_not_listed(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', scope=BEN)
        run = bench.learn('Is busy', scope=Scope(user_id='ana', run_id='r1'), level='run')

        def listed(scope: Scope, project: str = 'default') -> list[str]:
            return [c.id for c in self.run(store.changes(scope.reaches(project), limit=10, cursor=None))[0]]

        assert listed(ANA) == [run.change_id]
        assert listed(Scope(user_id='ana', run_id='r1')) == [run.change_id]
        assert listed(Scope(user_id='ana', run_id='r2')) == []
        assert listed(ANA, 'other') == []

    def test_a_change_counts_what_was_erased_of_it(self, store: Store) -> None:
        bench = self.bench(store)
        run = Scope(user_id='ana', run_id='r1')
        lisbon = bench.learn('Lives in Lisbon', slot='home.city')
        porto = bench.supersede(lisbon, 'Lives in Porto', at=DAY.replace(day=5), scope=run)
        self.run(store.erase(run.erasure('default')))
        found = self.run(store.change(porto.change_id, project='default'))
        assert found is not None
        assert (found[1].erased, 'Porto' in repr(found[1].edits)) == (1, False)

    def test_foreseeing_tells_what_is_new_and_stores_nothing(self, store: Store) -> None:
        bench = self.bench(store)
        nobody = self.run(store.foresee(bench.batch('hello', scope=BEN)))
        assert (len(nobody.drafts), nobody.known, nobody.waiting) == (1, 0, 0)
        bench.say('hello', 'how are you?')
        seen = self.run(store.foresee(bench.batch('hello', 'how are you?', 'I moved')))
        assert [d.text for d in seen.drafts] == ['I moved']
        assert (seen.known, seen.first_seq, seen.waiting) == (2, 2, 1)
        assert [e.text for e in seen.previous] == ['hello', 'how are you?']
        assert bench.messages() == ['hello', 'how are you?']
        assert self.run(store.stats()).owners == 1

    def test_an_append_that_expects_a_version_stores_nothing_after_another_write(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea')
        batch = bench.batch('I moved')
        seen = self.run(store.foresee(batch))
        bench.learn('Likes chess')
        with raises(Conflict):
            self.run(store.append(replace(batch, expect_version=seen.owner_version)))
        assert 'I moved' not in bench.messages()
        again = self.run(store.foresee(batch))
        self.run(store.append(replace(batch, expect_version=again.owner_version)))
        assert bench.messages()[-1] == 'I moved'
        with raises(Conflict):  # its job waits
            self.run(store.append(replace(batch, expect_version=again.owner_version)))

    def test_a_first_append_may_expect_that_nobody_was_there(self, store: Store) -> None:
        bench = self.bench(store)
        batch = bench.batch('hello', scope=BEN)
        seen = self.run(store.foresee(batch))
        assert self.run(store.append(replace(batch, expect_version=seen.owner_version))).leased
        with raises(Conflict):
            self.run(store.append(replace(batch, expect_version=seen.owner_version)))

    def test_a_renewed_lease_is_not_taken_over(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', lease=-1.0)
        self.run(store.renew(WORKER, lease_seconds=600.0))
        assert bench.claim(worker='worker-2') is None
        bench.say('hello', scope=BEN, lease=-1.0, worker='worker-3')
        self.run(store.renew(WORKER, lease_seconds=600.0))
        assert bench.claim(BEN, worker='worker-2') is not None

    def test_what_models_took_is_summed_and_outlives_the_messages(self, store: Store) -> None:
        bench = self.bench(store)
        for scope, cost in ((ANA, 0.25), (BEN, None)):
            work = bench.work(bench.say('hello', scope=scope))
            usage = Usage(requests=2, input_tokens=300, output_tokens=40, cost=cost)
            self.run(
                store.commit(
                    Commit(owner=work.owner, expect_version=None, change=None, job=work.job, worker=WORKER, usage=usage)
                )
            )
        self.run(store.erase(ANA.erasure('default')))
        assert self.run(store.stats()).usage == Usage(requests=4, input_tokens=600, output_tokens=80, cost=0.25)

    def test_the_latest_version_is_found_whatever_its_status(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Likes tea')
        bench.commit(bench.revise(memory, op='retract', status='retracted'))
        owner = ANA.home('default')
        assert self.run(store.snapshot(owner, ids=[memory.id])).memories == []
        (found,) = self.run(store.snapshot(owner, latest=[memory.id])).memories
        assert (found.version, found.status) == (2, 'retracted')
        assert self.run(store.snapshot(BEN.home('default'), latest=[memory.id])).memories == ()

    def test_a_value_is_kept_with_every_version(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Lives in Lisbon', slot='home.city', value='Lisbon')
        bench.commit(bench.revise(memory, value='Lisboa'))
        assert [m.value for m in self.run(store.versions(memory.id, project='default'))] == ['Lisbon', 'Lisboa']
