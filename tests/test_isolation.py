"""No operation of the API reads or writes across scopes: generated operations, each checked against a plain model.

`TEST_ISOLATION_OPERATIONS=10000 pytest tests/test_isolation.py -s` does so many, in a few minutes, and prints how
many were done, how many were refused, and of which kind they were.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from pydantic import BaseModel

from _isolation import LEVELS, Place, Who
from _isolation_machine import ANY_PLACE, Machine
from memoranda import InvalidScope, MemoryNotFound
from memoranda.profile import Slot

OPERATIONS = int(os.environ.get('TEST_ISOLATION_OPERATIONS') or 250)
STEPS = 50


class Home(BaseModel):
    city: Annotated[str | None, Slot('home.city')] = None


class Isolation(Machine):
    # --- reading ---

    @rule(
        by=ANY_PLACE,
        pick=ANY_PLACE,
        query=st.sampled_from(('likes tea', 'home.city is Lisbon', 'parks on level', '%', "' OR '1'='1", '*')),
        strategy=st.sampled_from(('hybrid', 'semantic', 'keyword', 'recency')),
        include=st.sampled_from((('memories',), ('episodes',), ('memories', 'episodes'))),
        levels=st.none() | st.lists(st.sampled_from(LEVELS), min_size=1, max_size=3, unique=True),
        data=st.data(),
    )
    def search(
        self, by: int, pick: int, query: str, strategy: str, include: Any, levels: Any, data: st.DataObject
    ) -> None:
        who = self.who(by)
        where = data.draw(st.none() | self.filters)
        how = {} if levels is None else {'levels': levels}
        hits = self.ask(
            'search', who, pick, query, filters=where, strategy=strategy, include=include, levels=levels, top_k=50,
            explain=pick % 2 == 0, how={},
        )  # fmt: skip
        if isinstance(hits, Exception):
            return
        for hit in hits:
            if hit.memory is not None:
                assert who.sees(self.world.memories[hit.id][0], **how), f'{who} found {hit.memory}'
            else:
                assert self.world.episode_is_seen(who, hit.id, **how), f'{who} found {hit.episode}'

    @rule(
        by=ANY_PLACE,
        pick=ANY_PLACE,
        levels=st.none() | st.lists(st.sampled_from(LEVELS), min_size=1, max_size=2, unique=True),
        limit=st.sampled_from((1, 2, 1000)),
        filtered=st.booleans(),
        data=st.data(),
    )
    def get_all(self, by: int, pick: int, levels: Any, limit: int, filtered: bool, data: st.DataObject) -> None:
        who = self.who(by)
        where = data.draw(self.filters) if filtered else None
        cursor = self.cursors[pick % len(self.cursors)] if self.cursors and pick % 2 else None
        how = {} if levels is None else {'levels': levels}
        options = {'filters': where, 'limit': limit, 'cursor': cursor, 'levels': levels, 'include_inactive': True}
        page = self.ask('get_all', who, pick, how=how, **options)
        if isinstance(page, Exception):
            return
        if page.cursor is not None:
            self.cursors.append(page.cursor)
        if where is None and cursor is None and limit == 1000:
            seen = {id_ for id_, (place, _) in self.world.memories.items() if who.sees(place, **how)}
            assert {m.id for m in page} == seen, 'what may be seen is seen'

    @rule(by=ANY_PLACE, pick=ANY_PLACE, limit=st.sampled_from((1, 2, 1000)))
    def episodes(self, by: int, pick: int, limit: int) -> None:
        who = self.who(by)
        cursor = self.cursors[pick % len(self.cursors)] if self.cursors and pick % 2 else None
        page = self.ask('episodes', who, pick, limit=limit, cursor=cursor)
        if isinstance(page, Exception):
            return
        if page.cursor is not None:
            self.cursors.append(page.cursor)
        for episode in page.items:
            owner, _ = self.world.episodes[episode.id]
            assert who.sees(owner)
            if owner.kind == 'user' and who.run is not None:
                assert episode.scope.run_id == who.run

    @rule(by=ANY_PLACE, pick=ANY_PLACE, data=st.data())
    def context(self, by: int, pick: int, data: st.DataObject) -> None:
        how = {'shared': True, 'other_runs': False}
        where = data.draw(st.none() | self.filters)
        self.ask('context', self.who(by), pick, 'where does she live, what does she like', filters=where, how=how)

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def get_slot(self, by: int, pick: int) -> None:
        found = self.ask('get_slot', self.who(by), pick, 'home.city')
        if found is not None:
            assert self.who(by).sees(self.world.memories[found.id][0], other_runs=False)

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def profile(self, by: int, pick: int) -> None:
        self.ask('profile', self.who(by), pick, Home, how={'other_runs': False})

    @rule(by=ANY_PLACE, pick=ANY_PLACE, limit=st.sampled_from((1, 3, 1000)))
    def changes(self, by: int, pick: int, limit: int) -> None:
        cursor = self.cursors[pick % len(self.cursors)] if self.cursors and pick % 2 else None
        page = self.ask('changes', self.who(by), pick, limit=limit, cursor=cursor)
        if not isinstance(page, Exception) and page.cursor is not None:
            self.cursors.append(page.cursor)

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def slot_history(self, by: int, pick: int) -> None:
        self.ask('history', self.who(by), pick, slot='home.city')

    @rule(by=ANY_PLACE, pick=ANY_PLACE, limit=st.sampled_from((1, 1000)))
    def list_jobs(self, by: int, pick: int, limit: int) -> None:
        who = self.who(by)
        page = self.ask('jobs', who, pick, limit=limit)
        for job in () if isinstance(page, Exception) else page:
            owner, run = self.world.jobs[job.id]
            assert who.sees(Place(owner.project, owner.kind, owner.key, run)), f'{who} sees a job of {owner} in {run!r}'

    # --- by id, of whomever ---

    @rule(by=ANY_PLACE, pick=ANY_PLACE, name=st.sampled_from(('get', 'history')))
    def look_up(self, by: int, pick: int, name: str) -> None:
        self._by_id(name, self.who(by), pick)

    @rule(by=ANY_PLACE, pick=ANY_PLACE, change=st.sampled_from(('text', 'slot', 'pinned', 'delete', 'metadata')))
    def alter(self, by: int, pick: int, change: str) -> None:
        who = self.who(by)
        options: dict[str, Any] = {
            'text': {'text': f'corrected {self.world.mark(who.home)}'},
            'slot': {'slot': 'home.city'},
            'pinned': {'pinned': True},
            'metadata': {'metadata': {'user_id': 'ana'}},
            'delete': {},
        }[change]
        target = self._by_id('delete' if change == 'delete' else 'update', who, pick, **options)
        self.wrote(who, lambda place, id_: id_ == target and who.sees(place))

    def _by_id(self, name: str, who: Who, pick: int, **options: Any) -> str:
        target = self.some_memory(pick)
        known = self.world.memories.get(target)
        found = self.ask(name, who, pick, target, **options)
        if known is None or not who.sees(known[0]):
            assert isinstance(found, MemoryNotFound), f'{who} may {name} {known}'
        elif known[1].status == 'active' and name in ('get', 'history', 'delete'):
            assert not isinstance(found, Exception), f'{who} may not {name} {known}'
        return target

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def look_up_in_the_whole_project(self, by: int, pick: int) -> None:
        """Whoever runs a project sees all of it, and nothing of another one."""
        target, project = self.some_memory(pick), self.who(by).project
        self.done['get project-wide'] += 1
        try:
            self.memory.in_project(project).project_wide().history(target)
        except MemoryNotFound:
            assert target not in self.world.memories or self.world.memories[target][0].project != project
        else:
            assert self.world.memories[target][0].project == project

    @rule(by=ANY_PLACE, pick=ANY_PLACE, cascade=st.booleans())
    def revert(self, by: int, pick: int, cascade: bool) -> None:
        who = self.who(by)
        known = sorted(self.world.changes)
        if not known:
            return
        target = known[pick % len(known)]
        found = self.ask('revert', who, pick, target, cascade=cascade)
        if not any(who.sees(place) for place in self.world.changes[target]):
            assert isinstance(found, MemoryNotFound)
        self.wrote(who, lambda place, _: who.sees(place))

    @rule(by=ANY_PLACE, pick=ANY_PLACE, name=st.sampled_from(('job', 'retry_job', 'drop_job')))
    def one_job(self, by: int, pick: int, name: str) -> None:
        who, known = self.who(by), sorted(self.world.jobs)
        if not known:
            return
        target = known[pick % len(known)]
        owner, run = self.world.jobs[target]
        found = self.ask(name, who, pick, target)
        if not who.sees(Place(owner.project, owner.kind, owner.key, run)):
            assert isinstance(found, MemoryNotFound)

    @rule(by=ANY_PLACE, pick=ANY_PLACE, name=st.sampled_from(('get_all', 'search', 'add', 'delete_all', 'clean')))
    def leave_a_bound_view(self, by: int, pick: int, name: str) -> None:
        who = self.who(by)
        other = self.ids[pick % len(self.ids)]
        field = ('user_id', 'agent_id', 'run_id', 'session_id', 'app_id')[pick % 5]
        if who.ids.get(field.replace('session', 'run')) == other:
            return
        self.done['out of a bound view'] += 1
        args = ('likes tea',) if name in ('search', 'add') else ()
        try:
            getattr(self.memory.in_project(who.project).scoped(who.scope), name)(*args, **{field: other})
        except InvalidScope:
            return
        raise AssertionError(f'a view of {who} took {field}={other!r}')

    # --- in bulk ---

    @rule(by=ANY_PLACE, pick=ANY_PLACE, dry=st.booleans(), data=st.data())
    def clean(self, by: int, pick: int, dry: bool, data: st.DataObject) -> None:
        who = self.who(by)
        options: dict[str, Any] = {'dry_run': dry}
        if pick % 4 == 0:
            options['filters'] = data.draw(self.filters)
        elif pick % 4 == 1:
            options['merge_duplicates'] = True
        elif pick % 4 == 2:
            options['older_than'] = timedelta(microseconds=1)
        name = 'reset' if pick % 4 == 3 else 'clean'
        if name == 'reset':
            options['kinds'] = ['knowledge', 'profile']
        self.ask(name, who, pick, **options)
        self.wrote(who, lambda place, _: not dry and place.owner == who.home and who.sees(place))

    @rule(by=ANY_PLACE, pick=ANY_PLACE, sure=st.integers(0, 1))
    def delete_all(self, by: int, pick: int, sure: int) -> None:
        if sure:  # else there is never much
            return
        who, world = self.who(by), self.world
        narrowed = {n: i for n, i in who.ids.items() if n != f'{who.home.kind}_id'}
        said = {
            id_
            for id_, (owner, e) in world.episodes.items()
            if owner == who.home and all(getattr(e.scope, n) == i for n, i in narrowed.items())
        }

        def concerned(place: Place, id_: str) -> bool:
            if place.owner != who.home:
                return False
            record = world.memories[id_][1]
            under = all(getattr(record.said_under, n) == i for n, i in narrowed.items())
            # Earlier versions may rest on more than the last one does.
            return under or not narrowed or any(e.episode_id in said for e in record.evidence) or record.version > 1

        self.ask('delete_all', who, pick)
        self.wrote(who, concerned)
        assert not said & set(world.episodes), 'erased messages are there'
        if not narrowed:
            world.erased(who, who.home)
            assert not any(p.owner == who.home for p, _ in world.memories.values())


@pytest.mark.timeout(0)
def test_no_operation_reads_or_writes_across_scopes() -> None:
    Isolation.done, Isolation.refused = Counter(), Counter()
    for number in count():
        machine = seed(number)(type(f'Isolation{number}', (Isolation,), {}))
        left = OPERATIONS - Isolation.done.total()
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=max(2, left // STEPS + 1),
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=(Phase.generate,),  # shrinking takes many minutes, and a message of the model tells more
                verbosity=Verbosity.normal,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
        if Isolation.done.total() >= OPERATIONS:
            break
    done, refused = Isolation.done, Isolation.refused
    print(f'\n{done.total():,} operations, {refused.total():,} refused; by kind: {dict(done.most_common())}')
    assert done.total() >= OPERATIONS
