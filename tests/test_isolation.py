"""No operation of the API reads or writes across scopes: generated operations, each checked against a plain model.

`MEMORANDA_ISOLATION_OPERATIONS=10000 pytest tests/test_isolation.py -s` does so many (about ten minutes of processor
time for 10,000) and prints how many were done, refused, and of which kind.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pydantic import BaseModel

from _fakes import fast
from _isolation import IDS, LEVELS, METADATA, PROJECTS, SAYINGS, Place, Who, World, filters, people
from memoranda import Conflict, InvalidInput, InvalidScope, Memory, MemoryNotFound
from memoranda.profile import Slot
from memoranda.settings import Settings

OPERATIONS = int(os.environ.get('MEMORANDA_ISOLATION_OPERATIONS') or 250)
STEPS = 50
ANY_PLACE = st.integers(0, 1 << 16)
"""Which of those there are, by the remainder."""


class Home(BaseModel):
    city: Annotated[str | None, Slot('home.city')] = None


class Isolation(RuleBasedStateMachine):
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.memory = fast(settings=Settings(workers=0, errors='raise'))
        self.world = World()
        self.cast: list[Who] = []
        self.cursors: list[str] = []
        self.previews: list[tuple[Who, Any]] = []

    def teardown(self) -> None:
        self.memory.close()

    @initialize(data=st.data(), ids=st.lists(st.sampled_from(IDS), min_size=2, max_size=3, unique=True))
    def meet(self, data: st.DataObject, ids: list[str]) -> None:
        self.ids = ids
        self.cast = data.draw(st.lists(people(ids), min_size=4, max_size=8, unique=True))
        self.filters = filters(ids)
        for by, _ in enumerate(self.cast):  # else most of it would be about nothing
            for given in ('read', 'run slot', 'background'):
                self._add(by, pick=by, saying=None, given=given)

    # --- how it is asked ---

    def who(self, pick: int) -> Who:
        return self.cast[pick % len(self.cast)]

    def view(self, who: Who, pick: int) -> tuple[Memory, dict[str, str]]:
        """A memory and the ids to pass, in one of the ways there are to name a scope."""
        memory = self.memory.in_project(who.project)
        if not who.ids or pick % 3 == 0:
            return memory.scoped(who.scope), {}
        if pick % 3 == 1:
            return memory.scoped(who.scope), who.ids
        ids = who.ids
        if who.run is not None and pick % 2:
            ids['session_id'] = ids.pop('run_id')
        return memory, ids

    def ask(
        self, name: str, who: Who, pick: int, *args: Any, how: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """Call a method and check that its answer, or its refusal, tells nothing of others."""
        view, ids = self.view(who, pick)
        self.done[name] += 1
        try:
            result = getattr(view, name)(*args, **ids, **options)
        except (InvalidInput, MemoryNotFound, Conflict) as error:
            self.refused[name] += 1
            self.world.check(who, _but(str(error), (*args, *options.values())), **(how or {}))
            return error
        self.world.check(who, result, **(how or {}))
        return result

    def wrote(self, who: Who, may_write: Callable[[Place, str], bool]) -> None:
        self.world.take_stock(self.memory, who, may_write)

    def some_memory(self, pick: int) -> str:
        known = sorted(self.world.memories) or ['0190a000-0000-7000-8000-000000000000']
        return known[pick % len(known)]

    # --- adding ---

    @rule(
        by=ANY_PLACE,
        pick=ANY_PLACE,
        saying=st.none() | st.sampled_from(SAYINGS),
        given=st.sampled_from(('read', 'fact', 'fact', 'slot', 'run', 'run slot', 'background')),
        metadata=st.sampled_from(METADATA),
        key=st.none() | st.sampled_from(('k', 'ana')),
        pinned=st.booleans(),
    )
    def add(
        self, by: int, pick: int, saying: str | None, given: str, metadata: Any, key: str | None, pinned: bool
    ) -> None:
        options = {'metadata': metadata, 'idempotency_key': key}
        self._add(by, pick, saying, given, **options, **({} if given in ('read', 'background') else {'pinned': pinned}))

    @rule(by=ANY_PLACE, pick=ANY_PLACE, given=st.sampled_from(('read', 'fact', 'run', 'background')))
    def say(self, by: int, pick: int, given: str) -> None:
        self._add(by, pick, None, given)

    def _add(self, by: int, pick: int, saying: str | None, given: str, **options: Any) -> None:
        who = self.who(by)
        options['background'] = given == 'background'
        text = saying
        if text is None:
            text = f'{"here: " if pick % 2 and given == "read" else ""}likes {self.world.mark(who.home)} tea'
        if given not in ('read', 'background'):
            options['infer'] = False
            if 'slot' in given:
                options['slot'] = 'home.city'
            if 'run' in given:
                options['level'] = 'run'
        result = self.ask('add', who, pick, text, **options)
        if not isinstance(result, Exception) and result.job_id is not None:
            self.world.jobs[result.job_id] = (who.home, who.run or '' if who.home.kind == 'user' else '')
        runs = {'', who.run or ''} if who.user is not None else {''}
        # Earlier messages of the same owner that waited for a worker are read first.
        runs |= {run for owner, run in self.world.jobs.values() if owner == who.home}
        self.wrote(who, lambda place, _: place.owner == who.home and place.run in runs)
        if given == 'fact' and not isinstance(result, Exception) and result.changes and not result.replayed:
            assert all(m.level == who.scope.home_level for m in result.memories)

    @rule(by=ANY_PLACE, pick=ANY_PLACE, saying=st.sampled_from(SAYINGS))
    def preview(self, by: int, pick: int, saying: str) -> None:
        who = self.who(by)
        found = self.ask('preview', who, pick, saying)
        if not isinstance(found, Exception):
            self.previews.append((who, found))

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def apply(self, by: int, pick: int) -> None:
        if not self.previews:
            return
        maker, found = self.previews.pop(pick % len(self.previews))
        who = self.who(by)
        self.done['apply'] += 1
        bound = pick % 2 == 0
        view = self.memory.in_project(who.project)
        elsewhere = maker.project != who.project or (bound and maker.scope != who.scope)
        try:
            result = (view.scoped(who.scope) if bound else view).apply(found)
        except (InvalidScope, Conflict) as error:
            self.refused['apply'] += 1
            assert elsewhere or isinstance(error, Conflict)
            self.world.check(who, str(error))
        else:
            assert not elsewhere or found.plan is None, f'{who} applied what {maker} had previewed'
            self.world.check(maker, result)
            if result.job_id is not None:
                self.world.jobs[result.job_id] = (maker.home, maker.run or '' if maker.user is not None else '')
        runs = {'', maker.run or ''}
        self.wrote(maker, lambda place, _: place.owner == maker.home and place.run in runs)

    @rule()
    def work(self) -> None:
        """A worker does the job that is due for longest, whoever's it is."""
        job = self.memory.process_one_job()
        if job is None:
            return
        self.done['process_one_job'] += 1
        owner, run = self.world.jobs[job.id]
        self.wrote(_someone(owner), lambda place, _: place.owner == owner and place.run in ('', run))

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
        self.ask('jobs', self.who(by), pick, limit=limit)

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


def _but(text: str, args: Iterable[object]) -> str:
    """An error without what the caller has said, which it may quote."""
    for arg in args:
        text = text.replace(str(arg), '')
    return text


def _someone(owner: Place) -> Who:
    """Somebody with this home."""
    return Who(owner.project, **({} if owner.kind == 'global' else {owner.kind: owner.key}))


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
                suppress_health_check=list(HealthCheck),
            ),
        )
        if Isolation.done.total() >= OPERATIONS:
            break
    done, refused = Isolation.done, Isolation.refused
    print(f'\n{done.total():,} operations, {refused.total():,} refused; by kind: {dict(done.most_common())}')
    assert done.total() >= OPERATIONS
    assert set(PROJECTS)  # two that differ in case, and the default
