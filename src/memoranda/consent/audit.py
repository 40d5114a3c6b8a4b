"""Proving the audit chains: verification, checkpoints to verify against, the exported log, and who read what."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from memoranda.consent.chaincheck import Break, ChainCheck, Reason
from memoranda.consent.checkpoint import ChainHead, Checkpoint, storage_key
from memoranda.errors import InvalidInput, shown
from memoranda.records import now
from memoranda.scope import Owner, OwnerKind
from memoranda.stores.chains import Chain, ReadEntry, Seen
from memoranda.stores.erasures import subject_key

if TYPE_CHECKING:
    from memoranda.consent.readlog import Reader
    from memoranda.engine import Engine
    from memoranda.scope import Reach

__all__ = [
    'AuditEntry',
    'AuditPage',
    'Break',
    'ChainHead',
    'Checkpoint',
    'Reason',
    'ReadEntry',
    'ReadPage',
    'Verification',
    'audit_log',
    'checkpoint',
    'reads',
    'verify',
]

_PAGE: Final = 500
_SEQ_BITS: Final = 32
"""Of the cursor of the log, whatever the store's rows look like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found."""

    at: datetime
    owners: int
    """Chains that were looked at, those of erased owners too."""
    entries: int
    """Links that were looked at."""
    versions: int
    """Versions of memories that were compared with the entry that made them."""
    erased: int
    """Entries whose words an erasure took, or that it took altogether."""
    reads: int
    """Entries that tell of reads."""
    unbound: int
    """Entries of format 1, which 0.1.0 wrote: who made a change and why is not part of their hashes."""
    anchored: int
    """Chains that were compared with the anchor."""
    unprovable: int
    """Entries up to the anchor that went with an owner who was erased altogether: nothing is left to compare."""
    breaks: tuple[Break, ...]
    """The first of each chain that is broken."""

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.breaks

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of a chain as it is exported: all that its hash is made of."""

    owner: int
    """The owner's number in the storage."""
    kind: str
    subject: str
    """The owner's keyed hash: `prev_hash` of the first entry."""
    seq: int
    format: int
    change_id: str
    memory_id: str
    op: str
    actor: str
    reason: str
    at: int
    """Microseconds since 1970, UTC."""
    before: str | None
    """The very text that the digest is made of: JSON."""
    after: str | None
    salt: str | None
    digest: str
    prev_hash: str
    hash: str

    def __str__(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A slice of the log: owner by owner, each in the order of its chain."""

    items: tuple[AuditEntry, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """A slice of the reads, latest first."""

    items: tuple[ReadEntry, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


async def verify(
    engine: Engine,
    owners: Sequence[Owner] | None,
    project: str | None,
    *,
    anchor: object = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Verify the chains of these owners, or of a project (None: of everybody). See `AsyncMemory.verify`."""
    await _write_reads(engine)
    held = (
        None if anchor is None else anchor if isinstance(anchor, Checkpoint) else Checkpoint.parse(cast('Any', anchor))
    )
    anchors = {} if held is None else await _anchors(engine, held, owners, project)
    tally = _Tally()

    async def look(chain: Chain) -> bool:
        await _verify_one(engine, chain, anchors.pop(chain.number, None), tally)
        if progress is not None:
            progress(tally.owners, tally.entries)
        return True

    await _each(engine, owners, project, look)
    for lost in anchors.values():  # of owners that were erased since, or that are gone
        found = await engine.store.chains(None, project=None, after=lost.owner - 1, limit=1)
        if found and found[0].number == lost.owner:
            await _verify_one(engine, found[0], lost, tally)
        else:
            tally.lost(lost)
    return tally.verification()


async def _verify_one(engine: Engine, chain: Chain, anchor: ChainHead | None, tally: _Tally) -> None:
    check = ChainCheck(chain, None if anchor is None else (anchor.entries, anchor.head))
    try:
        walked = await engine.store.walk(chain, check.visit)
    except BaseException:
        check.stop()
        raise
    if walked is None:
        return
    if check.misplaced:
        await engine.compute(check.find_place)
    renamed = anchor is not None and walked.chain.kind != 'erased' and anchor.subject != walked.chain.subject
    tally.add(check, check.finish(walked, renamed=renamed), anchored=anchor is not None)


class _Tally:
    def __init__(self) -> None:
        self.owners = self.entries = self._versions = self._erased = 0
        self._reads = self._unbound = self._anchored = self._unprovable = 0
        self._breaks: list[Break] = []

    def add(self, check: ChainCheck, broken: Break | None, *, anchored: bool) -> None:
        self.owners += 1
        self.entries += check.entries
        self._versions += check.versions
        self._erased += check.erased
        self._reads += check.reads
        self._unbound += check.unbound
        self._anchored += anchored
        self._unprovable += check.unprovable
        if broken is not None:
            self._breaks.append(broken)

    def lost(self, anchor: ChainHead) -> None:
        self._anchored += 1
        self._breaks.append(
            Break(
                owner=Owner(anchor.project, cast('Any', anchor.kind), str(anchor.owner)),
                subject=anchor.subject,
                seq=1,
                reason='truncated',
                detail=f'the chain of {anchor.entries} entries that was there when the anchor was made is gone',
            )
        )

    def verification(self) -> Verification:
        return Verification(
            at=now(),
            owners=self.owners,
            entries=self.entries,
            versions=self._versions,
            erased=self._erased,
            reads=self._reads,
            unbound=self._unbound,
            anchored=self._anchored,
            unprovable=self._unprovable,
            breaks=tuple(self._breaks),
        )


async def _anchors(
    engine: Engine, anchor: Checkpoint, owners: Sequence[Owner] | None, project: str | None
) -> dict[int, ChainHead]:
    """The chains of an anchor that are among those to be verified, by the number of their owner."""
    secret = await engine.store.secret()
    if anchor.storage != storage_key(secret):
        raise InvalidInput(
            'the checkpoint is of another storage: verify the one that it was made of, or a copy of that file'
        )
    if anchor.project is not None and project is not None and anchor.project != project:
        raise InvalidInput(
            f'the checkpoint is of project {shown(anchor.project)}: use it there, not in {shown(project)}'
        )
    chosen = [c for c in anchor.chains if project is None or c.project == project]
    if owners is not None:
        subjects = {subject_key(secret, o.project, o, {}) for o in owners}
        chosen = [c for c in chosen if c.subject in subjects]
    return {chain.owner: chain for chain in chosen}


async def checkpoint(engine: Engine, owners: Sequence[Owner] | None, project: str | None) -> Checkpoint:
    """Counts and heads of the chains as they are now. See `AsyncMemory.checkpoint`."""
    await _write_reads(engine)
    heads: list[ChainHead] = []

    async def look(chain: Chain) -> bool:
        if chain.length:
            head = ChainHead(
                owner=chain.number,
                project=chain.project,
                kind=chain.kind,
                subject=chain.subject,
                entries=chain.length,
                head=chain.head,
            )
            heads.append(head)
        return True

    await _each(engine, owners, project, look)
    secret = await engine.store.secret()
    return Checkpoint(at=now(), storage=storage_key(secret), project=project, chains=tuple(heads))


async def audit_log(
    engine: Engine,
    owners: Sequence[Owner] | None,
    project: str | None,
    *,
    words: bool,
    limit: int,
    cursor: str | None,
    reader: Reader | None = None,
) -> AuditPage:
    """A slice of the chains. See `AsyncMemory.audit_log`."""
    await _write_reads(engine)
    number, seq = _place(cursor)
    items: list[AuditEntry] = []
    told: dict[Owner, dict[str, None]] = {}

    def visit(chain: Chain, seen: Sequence[Seen]) -> bool:
        for one in seen[: limit + 1 - len(items)]:
            # Entries that tell of reads have no words: whoever follows the log to its end doesn't make it longer so.
            worded = words and one.link.salt is not None and bool(one.link.memory_id)
            if worded and len(items) < limit and chain.kind in get_args(OwnerKind):
                owner = Owner(chain.project, cast('Any', chain.kind), chain.key)
                told.setdefault(owner, {})[one.link.memory_id] = None
            parts = {name: getattr(one.link, name) for name in _LINK}
            if not words:
                parts |= {'before': None, 'after': None, 'salt': None}
            items.append(AuditEntry(owner=chain.number, kind=chain.kind, subject=chain.subject, **parts))
        return len(items) <= limit

    async def look(chain: Chain) -> bool:
        await engine.store.walk(chain, visit, after=seq if chain.number == number else 0, compare=False)
        return len(items) <= limit

    await _each(engine, owners, project, look, after=max(number - 1, 0))
    if reader is not None and engine.reads is not None:
        for owner, ids in told.items():
            await engine.reads.note_ids(reader, 'audit_log', owner, ids)
    if len(items) <= limit:
        return AuditPage(items=tuple(items), cursor=None)
    last = items[limit - 1]
    return AuditPage(items=tuple(items[:limit]), cursor=str(last.owner << _SEQ_BITS | last.seq))


_LINK: Final = (
    'seq', 'format', 'change_id', 'memory_id', 'op', 'actor', 'reason', 'at', 'before', 'after', 'salt', 'digest',
    'prev_hash', 'hash',
)  # fmt: skip


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    if not cursor.isdecimal() or int(cursor) >= 1 << 63:
        raise InvalidInput(f'cursor={shown(cursor)} is not one that a page returned: pass page.cursor as it is')
    return int(cursor) >> _SEQ_BITS, int(cursor) & (1 << _SEQ_BITS) - 1


async def reads(
    engine: Engine,
    reaches: Sequence[Reach] | None,
    project: str,
    *,
    memory_id: str | None,
    limit: int,
    cursor: str | None,
) -> ReadPage:
    """Who read what, latest first. See `AsyncMemory.reads`."""
    await _write_reads(engine)
    found, after = await engine.store.reads(reaches, project=project, memory_id=memory_id, limit=limit, cursor=cursor)
    return ReadPage(items=tuple(found), cursor=after)


async def _write_reads(engine: Engine) -> None:
    """So that what this process has read so far is there."""
    if engine.reads is not None:
        await engine.reads.flush()


async def _each(
    engine: Engine,
    owners: Sequence[Owner] | None,
    project: str | None,
    look: Callable[[Chain], Coroutine[Any, Any, bool]],
    *,
    after: int = 0,
) -> None:
    """Look at each chain, as long as that says so."""
    while True:
        page = await engine.store.chains(owners, project=project, after=after, limit=_PAGE)
        for chain in page:
            if not await look(chain):
                return
        if len(page) < _PAGE:
            return
        after = page[-1].number
