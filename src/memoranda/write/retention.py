"""Retention: facts that are old enough expire, messages that are old enough are erased.

Owner by owner: first the facts, as one change that `revert` undoes; then the messages, a few at a time, so that others
may write between them. What a worker does on a schedule is a round over all owners of all projects; the store sees to
it that one process does it, and where the next one goes on when that one dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from memoranda._precedence import for_job
from memoranda.errors import Conflict
from memoranda.filters import All, Compare, Field, Filter
from memoranda.records import Episode, MemoryRecord, now
from memoranda.scope import Reach
from memoranda.stores.aging import Aging, Spared
from memoranda.stores.data import LeaseLost
from memoranda.stores.leases import new_token
from memoranda.write.cleaning import Plan, ago, every, expire, settle

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.policy import Policy, Retention
    from memoranda.scope import Owner

__all__ = ['RetentionResult', 'Rules', 'look_after', 'one_round', 'retain']

log = logging.getLogger('memoranda.write')

OWNERS: Final = 50
"""Owners that are looked up at once."""
MESSAGES: Final = 500
"""Messages that are erased in one transaction."""
RETRY_SECONDS: Final = 900.0
"""When a round that failed is gone on with, at the latest."""
LEAVE_SECONDS: Final = 1.0
"""What giving the turn back may take when the process is about to end."""
LOOK_SECONDS: Final = 300.0
"""How often to look whether a round is due, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionResult:
    """What retention took, or would take."""

    expired: int = 0
    """Facts that got the status `expired`."""
    messages: int = 0
    """Messages that were erased."""
    facts: int = 0
    """Facts of whatever status, mostly superseded or expired ones, that were erased with them."""
    left: int = 0
    """Facts that are old enough, and pinned or locked."""
    owners: int = 0
    """Of whom something was taken."""
    some_expired: tuple[MemoryRecord, ...] = ()
    """The first few of the facts that expire."""
    some_messages: tuple[Episode, ...] = ()
    """Of a preview: the first few of the messages."""
    some_facts: tuple[MemoryRecord, ...] = ()
    """Of a preview: the first few of the facts that go with them."""
    scrub: Literal['verified', 'pending'] | None = None
    """As in `ErasureResult`; None when nothing was erased."""
    dry_run: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nothing is old enough."""
        return not (self.expired or self.messages)

    def plus(self, other: RetentionResult, sample: int) -> RetentionResult:
        """Both together."""
        return replace(
            self,
            expired=self.expired + other.expired,
            messages=self.messages + other.messages,
            facts=self.facts + other.facts,
            left=self.left + other.left,
            owners=self.owners + other.owners,
            some_expired=(*self.some_expired, *other.some_expired)[:sample],
            some_messages=(*self.some_messages, *other.some_messages)[:sample],
            some_facts=(*self.some_facts, *other.some_facts)[:sample],
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a policy says of retention."""

    facts: tuple[Retention, ...]
    messages: tuple[Retention, ...]
    run_expiry: timedelta | None

    @classmethod
    def of(cls, policy: Policy) -> Rules:
        """The rules of a policy."""
        return cls(
            facts=tuple(r for r in policy.retention if not r.episodes),
            messages=tuple(r for r in policy.retention if r.episodes),
            run_expiry=policy.run_expiry,
        )

    def __bool__(self) -> bool:
        return bool(self.facts or self.messages or self.run_expiry)

    @property
    def name(self) -> str:
        """What tells them from others: when they are changed, they are due at once."""
        return 'retention:' + hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def earliest(self, at: datetime) -> datetime:
        """What was stored later is old enough for none of them."""
        spans = [rule.after for rule in (*self.facts, *self.messages)]
        return ago(at, min([*spans, *([self.run_expiry] if self.run_expiry else [])]))

    def aging(self, at: datetime, without: Sequence[str]) -> Aging:
        """Which messages are to go."""
        before: dict[Spared, datetime] = {}
        for rule in self.messages:
            spared: Spared = 'current' if rule.episodes is True else 'nothing' if rule.pinned else 'pinned'
            before[spared] = max(ago(at, rule.after), before.get(spared, ago(at, rule.after)))
        return Aging(before=before, at=at, without=without)


async def _held() -> None:
    """Nobody has to be told that it goes on."""


async def retain(
    engine: Engine,
    owner: Owner | None,
    *,
    project: str | None,
    dry_run: bool = False,
    sample: int = 20,
    by: str | None = None,
) -> RetentionResult:
    """Apply the policy's retention to an owner, or to all of a project, because somebody asks for it.

    Args:
        engine: With the policy.
        owner: Whose; None: everybody's.
        project: The tenant; None: all of them.
        dry_run: Only tell what would be taken.
        sample: How many examples of each to give.
        by: Who asks for it; None: `retention`.
    """
    actor = by or 'retention'
    rules, total = Rules.of(engine.policy), RetentionResult(dry_run=dry_run)
    if not rules:
        return total
    after: str | None = None
    while True:
        if owner is not None:
            owners: Sequence[Owner] = (owner,)
        else:
            before = rules.earliest(now())
            owners, after = await engine.store.aging_owners(project=project, before=before, after=after, limit=OWNERS)
        for one in owners:
            done = await _tend(engine, one, rules, dry_run=dry_run, sample=sample, beat=_held, actor=actor)
            total = total.plus(done, sample)
        if after is None:
            break
    if dry_run or not total.messages:
        return total
    engine.forget()
    return replace(total, scrub='verified' if await engine.store.finish_scrub() else 'pending')


async def _tend(
    engine: Engine,
    owner: Owner,
    rules: Rules,
    *,
    dry_run: bool,
    sample: int,
    beat: Callable[[], Awaitable[None]],
    actor: str = 'retention',
) -> RetentionResult:
    """What is due of one owner."""
    store = engine.store

    async def fill(reach: Reach, plan: Plan) -> None:
        await expire(engine, reach, plan)
        await _age(engine, reach, plan, rules)

    ended = await settle(engine, [Reach(owner)], fill, actor=actor, dry_run=dry_run)
    expiring = [edit.after for edit in ended.edits]
    result = RetentionResult(
        expired=len(expiring), left=len(ended.left), some_expired=tuple(expiring[:sample]), owners=bool(expiring)
    )
    if not rules.messages:
        return result
    aging = replace(rules.aging(now(), [m.id for m in expiring] if dry_run else ()), actor=actor)
    if dry_run:
        found = await store.aged(owner, aging, limit=sample)
        return replace(
            result,
            messages=found.messages,
            facts=found.facts,
            owners=int(bool(expiring or found.messages)),
            some_messages=tuple(found.episodes),
            some_facts=tuple(found.memories),
        )
    messages = facts = 0
    while True:
        await beat()
        gone = await store.erase_aged(owner, aging, limit=MESSAGES)
        messages, facts = messages + gone.messages, facts + gone.facts
        if gone.messages < MESSAGES:
            break
    return replace(result, messages=messages, facts=facts, owners=int(bool(expiring or messages)))


async def _age(engine: Engine, reach: Reach, plan: Plan, rules: Rules) -> None:
    """The facts of an owner that a rule takes, or whose conversation has ended."""
    taken = {memory.id for _, memory, _ in plan.edits} | {one.memory.id for one in plan.left}
    before = len(plan.edits)
    spared: dict[str, MemoryRecord] = {}
    for rule in rules.facts:
        tests: list[Filter] = [
            _PENDING if rule.waiting else _ACTIVE,
            Compare(Field('recorded_at', 'time'), 'lte', ago(plan.at, rule.after)),
        ]
        if rule.kinds is not None:
            tests.append(Compare(Field('kind', 'text'), 'in', rule.kinds))
        if rule.levels is not None:
            tests.append(Compare(Field('level', 'choice'), 'in', rule.levels))
        for memory in await every(engine, reach, All(tuple(tests)), plan.at, inactive=True):
            if memory.id in taken:
                continue
            if not rule.pinned and (memory.pinned or memory.locked):  # perhaps another rule takes it nevertheless
                spared[memory.id] = memory
                continue
            plan.take('expire', memory, 'expired', status='expired')
            taken.add(memory.id)
    if len(plan.edits) > before:
        plan.reasons.append('retention')
    for memory in spared.values():
        if memory.id not in taken:
            plan.spare(memory)
            taken.add(memory.id)
    if rules.run_expiry is not None:
        await _end_runs(engine, reach, plan, ago(plan.at, rules.run_expiry), taken)


async def _end_runs(engine: Engine, reach: Reach, plan: Plan, before: datetime, taken: set[str]) -> None:
    """Facts that are known in one conversation only, in which nothing was said for long."""
    runs = tuple(await engine.store.idle_runs(reach.owner, before=before))
    if not runs:
        return
    # Of an owner that is a conversation itself, all is known in it only.
    ended = reach if reach.owner.kind == 'run' else Reach(reach.owner, runs, own=False)
    where = All((_ACTIVE, Compare(Field('recorded_at', 'time'), 'lte', before)))
    count = len(plan.edits)
    for memory in await every(engine, ended, where, plan.at, inactive=True):
        if memory.id not in taken and not plan.spare(memory):
            plan.take('expire', memory, 'expired', status='expired')
    if len(plan.edits) > count:
        plan.reasons.append('run ended')


_ACTIVE: Final = Compare(Field('status', 'choice'), 'eq', 'active')
_PENDING: Final = Compare(Field('status', 'choice'), 'eq', 'pending')


async def look_after(engine: Engine, forget: Callable[[], None]) -> None:
    """Do rounds until it is cancelled, when they are due; return at once when there is nothing to look after.

    Args:
        engine: With the policy.
        forget: Told when messages were erased.
    """
    again: float | None = 0.0
    while again is not None:
        await asyncio.sleep(again)
        again = await one_round(engine, forget)


async def one_round(engine: Engine, forget: Callable[[], None]) -> float | None:
    """Go over all owners of all projects, if that is due and nobody else does it.

    Never raises: what fails is logged, without what was remembered, and tried again.

    Returns:
        Seconds until it makes sense to ask again; None when the policy has no rules, or the settings forbid it.
    """
    rules, every_seconds = Rules.of(engine.policy), engine.settings.clean_every * 3600
    if not rules or not every_seconds:
        return None
    try:
        with for_job():
            return await _Round(engine, rules, every_seconds, forget).go()
    except LeaseLost:
        return LOOK_SECONDS
    except Exception as error:  # whatever it is: the next look may go better
        log.warning('retention waits (%s)', type(error).__name__)
        return min(LOOK_SECONDS, every_seconds)


class _Round:
    """One turn at it."""

    def __init__(self, engine: Engine, rules: Rules, every_seconds: float, forget: Callable[[], None]) -> None:
        self._engine, self._rules, self._every, self._forget = engine, rules, every_seconds, forget
        self._token, self._lease = new_token(), engine.settings.lease_seconds
        self._after: str | None = None
        self._held = time.monotonic()

    async def go(self) -> float:
        store, name = self._engine.store, self._rules.name
        turn = await store.begin_round(name, worker=self._token, every=self._every, lease_seconds=self._lease)
        if not turn.mine:
            return min(max(turn.again, 1.0), LOOK_SECONDS)
        self._after = turn.after
        try:
            failed = await self._all()
        except BaseException:  # also when it is cancelled: whoever comes next goes on here, at once
            leaving = asyncio.ensure_future(store.end_round(name, worker=self._token, again=0.0, after=self._after))
            leaving.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait((leaving,), timeout=LEAVE_SECONDS)  # else the lease runs out
            raise
        again = min(RETRY_SECONDS, self._every) if failed else self._every
        await store.end_round(name, worker=self._token, again=again)
        return min(again, LOOK_SECONDS)

    async def _all(self) -> int:
        """All owners. Returns how many could not be done."""
        failed = 0
        total = RetentionResult()
        while True:
            owners, after = await self._engine.store.aging_owners(
                project=None, before=self._rules.earliest(now()), after=self._after, limit=OWNERS
            )
            for owner in owners:
                try:
                    total = total.plus(await self._one(owner), 0)
                except Conflict as error:  # others keep writing there
                    if isinstance(error, LeaseLost):
                        raise
                    failed += 1
            self._after = after
            if after is None:
                break
            await self._beat(at_once=True)
        if failed:
            log.warning('retention could not be applied to %d owners, it is tried again', failed)
        if not total.nothing:
            log.info('retention: %d facts expired, %d messages erased', total.expired, total.messages)
        return failed

    async def _one(self, owner: Owner) -> RetentionResult:
        await self._beat()
        done = await _tend(self._engine, owner, self._rules, dry_run=False, sample=0, beat=self._beat)
        if done.messages:
            self._engine.forget()
            self._forget()
        return done

    async def _beat(self, *, at_once: bool = False) -> None:
        """Hold the turn."""
        if not at_once and time.monotonic() - self._held < self._lease / 3:
            return
        self._held = time.monotonic()
        store, name = self._engine.store, self._rules.name
        if not await store.renew_round(name, worker=self._token, lease_seconds=self._lease, after=self._after):
            raise LeaseLost('somebody else applies retention')
