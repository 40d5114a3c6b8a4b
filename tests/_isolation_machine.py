"""The state machine of `test_isolation`: how things are asked, what is added, what a person decides and erases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from _fakes import fast
from _isolation import IDS, METADATA, SAYINGS, Place, Who, World, filters, people
from memoranda import Conflict, InvalidInput, InvalidScope, Memory, MemoryNotFound, Policy, Retention
from memoranda.settings import Settings

__all__ = ['ANY_PLACE', 'Machine']

OLD = timedelta(microseconds=1)
POLICIES = (
    Policy(audit_reads=True, retention=(Retention(after=OLD, kinds=('profile',)), Retention(after=OLD, episodes=True))),
    Policy(review='all', retention=(Retention(after=OLD, episodes='all'),), run_expiry=OLD),
)
ANY_PLACE = st.integers(0, 1 << 16)
"""Which of those there are, by the remainder."""


class Machine(RuleBasedStateMachine):
    """What is done is counted over all runs of a class."""

    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.cast: list[Who] = []
        self.cursors: list[str] = []
        self.previews: list[tuple[Who, Any]] = []
        self.exports: list[tuple[Who, bytes]] = []

    def teardown(self) -> None:
        if hasattr(self, 'memory'):
            self.memory.close()

    @initialize(
        data=st.data(),
        ids=st.lists(st.sampled_from(IDS), min_size=2, max_size=3, unique=True),
        policy=st.sampled_from(POLICIES),
    )
    def meet(self, data: st.DataObject, ids: list[str], policy: Policy) -> None:
        self.memory = fast(settings=Settings(workers=0, errors='raise'), policy=policy)
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

    def ask(self, name: str, who: Who, pick: int, *args: Any, how: dict[str, Any] | None = None, **options: Any) -> Any:
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

    def wrote(self, who: Who, may_write: Callable[[Place, str], bool], *, home: Place | None = None) -> None:
        self.world.take_stock(self.memory, who, may_write, home=home)

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
            assert all(e.after.level == who.scope.home_level for e in result.changes)

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
            if not (elsewhere or isinstance(error, Conflict)):
                raise
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

    @rule(by=ANY_PLACE, pick=ANY_PLACE, dry=st.booleans())
    def apply_retention(self, by: int, pick: int, dry: bool) -> None:
        who = self.who(by)
        if not who.ids and pick % 3:  # then it is about the whole project
            return
        name = 'retention_preview' if dry else 'apply_retention'
        self.ask(name, who, pick)
        self.wrote(who, lambda place, _: not dry and place.owner == who.home and len(who.ids) < 2)

    # --- what waits for a person ---

    @rule(by=ANY_PLACE, pick=ANY_PLACE, limit=st.sampled_from((1, 100)))
    def list_reviews(self, by: int, pick: int, limit: int) -> None:
        who = self.who(by)
        view, scope = self.view(who, pick)
        ids: dict[str, Any] = {**scope}
        self.done['review.list'] += 1
        cursor = self.cursors[pick % len(self.cursors)] if self.cursors and pick % 2 else None
        try:
            page = view.review.list(limit=limit, cursor=cursor, **ids)
        except InvalidInput:
            self.refused['review.list'] += 1
            return
        self.world.check(who, page)
        for item in page:
            assert who.sees(self.world.memories[item.id][0])
        if page.cursor is not None:
            self.cursors.append(page.cursor)

    @rule(by=ANY_PLACE, pick=ANY_PLACE, name=st.sampled_from(('get', 'approve', 'approve', 'reject', 'edit')))
    def decide(self, by: int, pick: int, name: str) -> None:
        who = self.who(by)
        waiting = sorted(id_ for id_, (_, m) in self.world.memories.items() if m.status == 'pending')
        target = waiting[pick % len(waiting)] if waiting else self.some_memory(pick)
        known = self.world.memories.get(target)
        view, ids = self.view(who, pick)
        self.done[f'review.{name}'] += 1
        fields: dict[str, Any] = {'text': f'decided {self.world.mark(who.home)}'} if name == 'edit' else {}
        try:
            found: object = getattr(view.review, name)(target, **fields, **ids)
        except (InvalidInput, MemoryNotFound, Conflict) as error:
            self.refused[f'review.{name}'] += 1
            self.world.check(who, str(error).replace(target, ''))
        else:
            assert known is not None
            assert who.sees(known[0]), f'{who} may {name} {known}'
            self.world.check(who, found)
        # Approving may replace another fact of the same place.
        place = known[0] if known is not None and who.sees(known[0]) else None
        self.wrote(who, lambda other, _: name != 'get' and other == place)

    # --- forgetting, exporting, proving ---

    @rule(
        by=ANY_PLACE,
        pick=ANY_PLACE,
        what=st.sampled_from(('memory', 'message', 'filter', 'all')),
        sure=st.integers(0, 1),
        data=st.data(),
    )
    def forget(self, by: int, pick: int, what: str, sure: int, data: st.DataObject) -> None:
        if sure:
            return
        who, world = self.who(by), self.world
        options: dict[str, Any] = {}
        home = who.home
        allowed = True
        if what == 'memory':
            options['memory_id'] = target = self.some_memory(pick)
            known = world.memories.get(target)
            allowed = known is not None and who.sees(known[0])
            home = known[0].owner if known is not None and allowed else home
        elif what == 'message':
            messages = sorted(world.episodes)
            if not messages:
                return
            options['episode_id'] = messages[pick % len(messages)]
            allowed = world.episodes[options['episode_id']][0] == who.home
        elif what == 'filter':
            options['filters'] = data.draw(self.filters)
        said = {id_ for id_, (owner, _) in world.episodes.items() if owner == who.home}
        found = self.ask('forget', who, pick, **options)
        if not allowed:
            assert isinstance(found, MemoryNotFound), f'{who} forgot {options}'
        self.wrote(who, lambda place, _: allowed and place.owner == home, home=home)
        if what == 'all' and len(who.ids) < 2:
            world.erased(who, who.home)
            assert not said & set(world.episodes)

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def export(self, by: int, pick: int) -> None:
        who = self.who(by)
        exported = self.ask('export', who, pick)
        if not isinstance(exported, Exception):
            document = b''.join(exported.json())
            held = json.loads(document)
            self.world.check(who, held.pop('history'), chain=True)
            self.world.check(who, held)
            self.exports.append((who, document))

    @rule(by=ANY_PLACE, pick=ANY_PLACE, restore=st.booleans())
    def import_subject(self, by: int, pick: int, restore: bool) -> None:
        """Somebody else's document is refused, and one's own brings nothing to others."""
        if not self.exports:
            return
        whose, document = self.exports[pick % len(self.exports)]
        who = self.who(by)
        self.done['import_subject'] += 1
        back = dict(self.world.gone)
        try:
            self.memory.in_project(who.project).scoped(who.scope).import_subject(document, restore=restore)
        except (InvalidInput, Conflict) as error:
            self.refused['import_subject'] += 1
            self.world.check(who if who == whose else whose, str(error))
        else:
            assert (who.project, who.scope) == (whose.project, whose.scope), f'{who} imported what is of {whose}'
            self.world.gone.clear()  # a restore brings what was erased
        self.wrote(who, lambda place, _: place.owner == who.home == whose.home)
        there = self.world.memories | self.world.episodes
        self.world.gone |= {id_: place for id_, place in back.items() if id_ not in there}

    @rule(by=ANY_PLACE, pick=ANY_PLACE, name=st.sampled_from(('verify', 'checkpoint', 'audit_log', 'reads')))
    def prove(self, by: int, pick: int, name: str) -> None:
        result = self.ask(name, self.who(by), pick)
        if name == 'verify' and not isinstance(result, Exception):
            assert not result.breaks

    @rule(by=ANY_PLACE, pick=ANY_PLACE)
    def reads_of_a_memory(self, by: int, pick: int) -> None:
        who, target = self.who(by), self.some_memory(pick)
        found = self.ask('reads', who, pick, target)
        if target not in self.world.memories or not who.sees(self.world.memories[target][0]):
            assert isinstance(found, MemoryNotFound)


def _but(text: str, args: Iterable[object]) -> str:
    """An error without what the caller has said, which it may quote."""
    for arg in args:
        text = text.replace(str(arg), '')
    return text


def _someone(owner: Place) -> Who:
    """Somebody with this home."""
    return Who(owner.project, **({} if owner.kind == 'global' else {owner.kind: owner.key}))
