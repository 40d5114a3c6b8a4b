"""What the tests of `StoreSuite` are written in: short words for long arguments."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from memoranda.filters import Filter, parse
from memoranda.records import (
    Change,
    Edit,
    Episode,
    Evidence,
    Hit,
    Job,
    MemoryRecord,
    Op,
    content_hash,
    fact_hash,
    new_id,
)
from memoranda.scope import Level, Owner, Reach, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import (
    Appended,
    Batch,
    Commit,
    Draft,
    Moment,
    Quiet,
    Ranked,
    SearchPlan,
    SegmentDraft,
    VersionWrite,
    Work,
)
from memoranda.stores.generation import Generation
from memoranda.testing.embedders import HashingEmbedder

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector, Lane, LaneName

__all__ = ['ANA', 'DAY', 'WORKER', 'Bench', 'raises']

T = TypeVar('T')
ANA = Scope(user_id='ana')
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The day the stories begin."""
WORKER = 'worker-1'
_EMBEDDER = HashingEmbedder(16)


@contextmanager
def raises(kind: type[BaseException]) -> Generator[None]:
    """What pytest.raises does, for suites that need no pytest to be imported."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f'{kind.__name__} was not raised')


class Bench:
    """A store under test."""

    def __init__(self, store: Store, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.store, self._run = store, run
        self.lanes: Sequence[Lane] = ()
        """What the last search ranked."""
        self.do(store.open())

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of one of the store's methods."""
        return self._run(coroutine)

    def say(
        self,
        *texts: str,
        scope: Scope = ANA,
        project: str = 'default',
        conversation: str | None = None,
        at: datetime | None = None,
        name: str | None = None,
        history: bool = True,
        key: str | None = None,
        worker: str = WORKER,
        lease: float = 600.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Appended:
        """Append messages of a user. With `at` they are dated, a minute apart."""
        return self.do(
            self.store.append(
                self.batch(
                    *texts,
                    scope=scope,
                    project=project,
                    conversation=conversation,
                    at=at,
                    name=name,
                    history=history,
                    key=key,
                    worker=worker,
                    lease=lease,
                    metadata=metadata,
                )
            )
        )

    def queue(
        self,
        text: str,
        *,
        scope: Scope = ANA,
        project: str = 'default',
        conversation: str | None = None,
        key: str | None = None,
        turns: int = 1,
        seconds: float = 3600.0,
        options: Mapping[str, Any] | None = None,
        trace: str | None = None,
    ) -> str:
        """Append a message whose job is left to a worker, and tell the job's id.

        Args:
            text: The message.
            scope: Whose.
            project: The tenant.
            conversation: Where it was said.
            key: Of idempotency.
            turns: So many of a conversation are due at once.
            seconds: Or after so long without another one.
            options: Of the job.
            trace: See `Batch.trace`.
        """
        batch = self.batch(text, scope=scope, project=project, conversation=conversation, history=False, key=key)
        batch = replace(
            batch, lease=False, quiet=Quiet(turns, seconds), job={**batch.job, **(options or {})}, trace=trace
        )
        appended = self.do(self.store.append(batch))
        assert appended.job_id is not None
        assert not appended.leased
        return appended.job_id

    def next(self, worker: str = WORKER, *, lease: float = 600.0, turns: int = 1) -> Work | None:
        """The job that is due for longest."""
        return self.do(self.store.claim_next(worker=worker, lease_seconds=lease, turns=turns))

    def taken(self, worker: str = WORKER, *, lease: float = 600.0, turns: int = 1) -> Work:
        """The job that is due for longest; there must be one."""
        work = self.next(worker, lease=lease, turns=turns)
        assert work is not None
        return work

    def soon(self, *, turns: int = 1) -> Work:
        """The same, once a job is due that was given back: that takes a moment."""
        for _ in range(1000):
            work = self.next(turns=turns)
            if work is not None:
                return work
        raise AssertionError('the job stayed leased')

    def job(self, job_id: str, *, project: str = 'default') -> Job:
        """A job as it is now."""
        found = self.do(self.store.job(job_id, project=project))
        assert found is not None
        return found[1]

    def fail(
        self, work: Work, *, worker: str = WORKER, after: float | None = 0.0, error: str = 'E: x', counted: bool = True
    ) -> None:
        """Give a job back that went wrong. `after`: when to try again, in seconds; None gives it up."""
        self.do(self.store.fail(work.job, worker=worker, error=error, retry_after=after, counted=counted))

    def batch(
        self,
        *texts: str,
        scope: Scope = ANA,
        project: str = 'default',
        conversation: str | None = None,
        at: datetime | None = None,
        name: str | None = None,
        history: bool = True,
        key: str | None = None,
        worker: str = WORKER,
        lease: float = 600.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Messages of a user, to be appended."""
        drafts = [
            _draft(text, name, None if at is None else at + timedelta(minutes=i), metadata or {})
            for i, text in enumerate(texts)
        ]
        return Batch(
            owner=scope.home(project),
            scope=scope,
            conversation_id=conversation or scope.run_id or 'a conversation',
            drafts=drafts,
            history=history,
            job={'infer': True},
            idempotency_key=key,
            worker=worker,
            lease_seconds=lease,
        )

    def work(self, appended: Appended) -> Work:
        """The job of an append."""
        work = self.do(self.store.load(appended.job_id or ''))
        assert work is not None
        return work

    def claim(
        self,
        scope: Scope = ANA,
        *,
        worker: str = WORKER,
        lease: float = 600.0,
        due: bool = False,
        ahead: str | None = None,
    ) -> Work | None:
        """The owner's next job."""
        owner = scope.home('default')
        return self.do(self.store.claim(owner, worker=worker, lease_seconds=lease, due=due, ahead=ahead))

    def finish(self, work: Work, *edits: Edit, worker: str = WORKER, vectors: bool = True) -> None:
        """End a job with what was drawn from it."""
        generation = self.generation() if vectors else None
        found = [(row, self.vector(text)) for row, text in work.segments] if vectors else []
        self.commit(*edits, work=work, worker=worker, segment_vectors=found, generation=generation)

    def commit(
        self,
        *edits: Edit,
        owner: Owner | None = None,
        expect: int | None = None,
        work: Work | None = None,
        worker: str = WORKER,
        segment_vectors: Sequence[tuple[int, FloatVector]] = (),
        generation: Generation | None = None,
    ) -> None:
        """Write edits as one change."""
        change = None
        if edits:
            at = edits[0].after.recorded_at
            change = Change(
                id=edits[0].after.change_id,
                edits=edits,
                actor='test',
                reason='a test',
                job_id=work.job.id if work else None,
                at=at,
            )
        self.do(
            self.store.commit(
                Commit(
                    owner=owner or (work.owner if work else edits[0].after.scope.home('default')),
                    expect_version=expect,
                    change=change,
                    writes=[self.write(e, embed=generation is not None) for e in edits],
                    job=work.job if work else None,
                    merged=work.merged if work else (),
                    worker=worker,
                    segment_vectors=segment_vectors,
                    generation=generation.id if generation else None,
                )
            )
        )

    def write(self, edit: Edit, *, embed: bool) -> VersionWrite:
        """The search side of an edit."""
        new = edit.before is None or edit.before.text != edit.after.text
        return VersionWrite(
            terms=terms(edit.after.text), vector=self.vector(edit.after.text) if embed and new else None
        )

    def learn(
        self, text: str, *, scope: Scope = ANA, level: Level | None = None, project: str = 'default', **fields: Any
    ) -> MemoryRecord:
        """Say a text and believe it, in its own words."""
        work = self.work(self.say(text, scope=scope, project=project, history=False))
        memory = self.fact(text, work.episodes, scope=scope, level=level, project=project, **fields)
        self.finish(work, Edit(op='add', before=None, after=memory))
        return memory

    def fact(
        self,
        text: str,
        episodes: Sequence[Episode],
        *,
        scope: Scope = ANA,
        level: Level | None = None,
        project: str = 'default',
        at: datetime = DAY,
        **fields: Any,
    ) -> MemoryRecord:
        """A first version, resting on whole messages. `at`: since when it holds and is believed."""
        home = scope.home(project)
        stored = Scope(
            user_id=scope.user_id,
            run_id=scope.run_id if level == 'run' or home.kind == 'run' else None,
            agent_id=scope.agent_id if home.kind == 'agent' else None,
            app_id=scope.app_id if home.kind == 'app' else None,
        )
        known: dict[str, Any] = {'kind': 'knowledge', 'valid_from': at, 'said_at': at, 'recorded_at': at, **fields}
        return MemoryRecord(
            id=new_id(),
            version=1,
            project=project,
            level=level or home.kind,
            scope=stored,
            said_under=scope,
            text=text,
            evidence=tuple(Evidence(e.id, 0, len(e.text), e.text) for e in episodes),
            change_id=new_id(),
            hash=fact_hash(text),
            **known,
        )

    def revise(self, memory: MemoryRecord, *, op: Op = 'update', at: datetime | None = None, **fields: Any) -> Edit:
        """The edit that makes the next version."""
        after = replace(
            memory,
            version=memory.version + 1,
            recorded_at=at or memory.recorded_at + timedelta(hours=1),
            change_id=new_id(),
            **fields,
        )
        return Edit(op=op, before=memory, after=replace(after, hash=fact_hash(after.text)))

    def supersede(self, old: MemoryRecord, text: str, *, at: datetime, scope: Scope = ANA) -> MemoryRecord:
        """Say a new value of a slot, and believe it from then on instead of the old one."""
        work = self.work(self.say(text, scope=scope, history=False))
        new = self.fact(text, work.episodes, scope=scope, at=at, slot=old.slot, supersedes=old.id)
        closed = self.revise(old, op='supersede', at=at, status='superseded', valid_to=at, superseded_by=new.id)
        closed = replace(closed, after=replace(closed.after, change_id=new.change_id))
        self.finish(work, closed, Edit(op='add', before=None, after=new))
        return new

    def generation(self) -> Generation:
        """The first embedding generation."""
        return self.do(self.store.start_generation(_EMBEDDER.name, 16, rebuild=False))

    def vector(self, text: str) -> FloatVector:
        """A unit vector, (16,)."""
        return _EMBEDDER.embed_now([text])[0]

    def search(
        self,
        query: str = '',
        *,
        reaches: Sequence[Reach] | None = None,
        scope: Scope = ANA,
        lanes: Sequence[LaneName] = ('memories',),
        filters: Mapping[str, Any] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        generation: Generation | None = None,
    ) -> list[Hit]:
        """Every candidate that may be seen, in the order of the lanes."""

        def rank(found: Sequence[Lane]) -> list[Ranked]:
            self.lanes = found
            return [Ranked(f.name, i, 0.0, 1.0, {}) for f in found for i in range(len(f)) if f.allowed[i]]

        return self.do(
            self.store.search(
                SearchPlan(
                    reaches=scope.reaches('default') if reaches is None else reaches,
                    moment=self.moment(as_of, known_at),
                    lanes=lanes,
                    terms=tuple(dict.fromkeys(terms(query))),
                    vectors={} if generation is None else dict.fromkeys(lanes, self.vector(query)),
                    generation=generation.id if generation else None,
                    where=parse(filters),
                    rank=rank,
                    finish=lambda pairs: [hit for _, hit in pairs],
                )
            )
        )

    def found(self, query: str = '', **arguments: Any) -> list[str]:
        """The texts a search may see, sorted."""
        return sorted(hit.text for hit in self.search(query, **arguments))

    def page(
        self,
        *,
        reaches: Sequence[Reach] | None = None,
        scope: Scope = ANA,
        where: Filter | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        inactive: bool = False,
        limit: int = 100,
        cursor: str | None = None,
        newest_first: bool = False,
    ) -> tuple[Sequence[MemoryRecord], str | None]:
        """A page of memories."""
        return self.do(
            self.store.page(
                scope.reaches('default') if reaches is None else reaches,
                where=where,
                moment=self.moment(as_of, known_at),
                inactive=inactive,
                limit=limit,
                cursor=cursor,
                newest_first=newest_first,
            )
        )

    def texts(self, **arguments: Any) -> list[str]:
        """The texts of a page, in its order."""
        return [m.text for m in self.page(**arguments)[0]]

    def messages(self, scope: Scope = ANA, project: str = 'default') -> list[str]:
        """What was said, in order."""
        page = self.do(self.store.episodes(scope.reaches(project), limit=1000, cursor=None))
        return [e.text for e in page.items]

    def moment(self, as_of: datetime | None = None, known_at: datetime | None = None) -> Moment:
        """A moment a year after the stories begin."""
        return Moment(now=DAY + timedelta(days=365), as_of=as_of, known_at=known_at)


def terms(text: str) -> list[str]:
    """Index terms of a text: its words."""
    return text.casefold().split()


def _draft(text: str, name: str | None, at: datetime | None, metadata: Mapping[str, Any]) -> Draft:
    middle = len(text) // 2 if len(text) > 200 else len(text)  # a long message is indexed in two parts
    parts = [(0, middle), (middle, len(text))] if middle < len(text) else [(0, len(text))]
    return Draft(
        role='user',
        text=text,
        name=name,
        occurred_at=at or DAY,
        dated=at is not None,
        trust='user',
        metadata=metadata,
        content_hash=content_hash('user', name or '', text, *([at.isoformat()] if at else [])),
        segments=[SegmentDraft(start=a, end=b, terms=terms(text[a:b])) for a, b in parts],
    )
