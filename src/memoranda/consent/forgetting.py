"""`memory.forget`: erase, and be able to show it afterwards."""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from memoranda.errors import InvalidInput, StoreError, shown
from memoranda.keys import note_changed
from memoranda.records import new_id
from memoranda.stores.erasures import COUNTED, Asked, ChainPosition, Forgetting, Forgotten

if TYPE_CHECKING:
    import os

    from memoranda._sync import Memory
    from memoranda.engine import Engine
    from memoranda.memory import AsyncMemory
    from memoranda.scope import Scope
    from memoranda.stores.data import Batch
    from memoranda.write.background import Background
    from memoranda.write.worker import Worker

__all__ = [
    'Asked',
    'ErasureReceipt',
    'ErasureReport',
    'State',
    'check_one',
    'checked',
    'forget',
    'verify',
    'verify_erasure',
]

log = logging.getLogger('memoranda')

FORMAT: Final = 1
"""Of the receipts that this version writes."""
State: TypeAlias = Literal['logical', 'scrubbed', 'verified']
"""How far an erasure has come in one store.

- `logical`: the rows are gone for everybody, durably; old bytes may still be in a file
- `scrubbed`: what was free in the files is overwritten, and the log is empty
- `verified`: after that the files were searched for some of the words, and none was there
"""
_PAUSE: Final = 0.2
"""Seconds between two looks whether a foreign reader has left."""
_MOST: Final = 64 << 20
"""Characters of a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """What a `forget` has erased, without naming whom: keep it, and `verify_erasure` tells whether it still holds.

    No word and no id of the subject is in it. Its code (`mac`) is made with a secret of the database, so whoever alters
    a receipt without having the database is found out.
    """

    id: str
    at: datetime
    """When it was written. What was recorded or said of the subject until then is gone."""
    asked: Asked
    """What was to be forgotten."""
    subject: str
    """Of whom, as a hash keyed by the database: 64 hex digits."""
    counts: Mapping[str, int]
    """How many `episodes`, `memories`, `versions`, `history` texts, `vectors`, `jobs` and `reviews` went."""
    stores: Mapping[str, State]
    """How far it has come, by store: `database`."""
    chains: tuple[ChainPosition, ...] = ()
    """Where it is recorded in the audit chain of each owner of whom something went."""
    tombstone: bool = False
    """Whether what was said before is refused from now on."""
    mac: str = ''
    follower: Callable[[float | None], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def done(self) -> bool:
        """Whether nothing of it is left in any file."""
        return all(state != 'logical' for state in self.stores.values())

    async def wait(self, timeout: float | None = None) -> ErasureReceipt:
        """The receipt once nothing is left in any file; a foreign reader has to leave before.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Raises:
            TimeoutError: Something may still be left. It is finished in the background; wait again.
        """
        if self.done or self.follower is None:
            return self
        return await self.follower(timeout)

    def result(self, timeout: float | None = None) -> ErasureReceipt:
        """`wait`, blocking."""
        from memoranda._bridge import run

        return run(self.wait(timeout))

    def to_json(self) -> str:
        """As a JSON document, for a file."""
        return json.dumps({**_body(self), 'mac': self.mac}, indent=2)

    @classmethod
    def from_json(cls, document: str | bytes) -> ErasureReceipt:
        """From `to_json`. Whether it was altered tells `verify_erasure`, which needs the database for it.

        Raises:
            InvalidInput: It is no receipt, or one of a newer version.
        """
        if len(document) > _MOST:
            raise InvalidInput(f'a receipt of {len(document):,} bytes is too long: pass the file that forget wrote')
        try:
            read = json.loads(document)
        except (ValueError, RecursionError) as error:
            text = document if isinstance(document, str) else document.decode('utf-8', 'replace')
            raise InvalidInput(f'{shown(text)} is not JSON: pass the file that forget wrote') from error
        if not isinstance(read, dict) or not isinstance(cast('dict[str, Any]', read).get('format'), int):
            raise InvalidInput('this JSON is no receipt of an erasure: pass the file that forget wrote')
        found = cast('dict[str, Any]', read)
        if found['format'] > FORMAT:
            raise InvalidInput(
                f'the receipt has format {found["format"]}, and this memoranda knows up to {FORMAT}: upgrade memoranda'
            )
        try:
            return _read(found)
        except (KeyError, TypeError, ValueError) as error:
            why = f'{error} is missing' if isinstance(error, KeyError) else str(error)
            raise InvalidInput(f'the receipt is incomplete or damaged ({why}): use it as forget wrote it') from error

    def __reduce__(self) -> tuple[Callable[[str], ErasureReceipt], tuple[str]]:
        return ErasureReceipt.from_json, (self.to_json(),)  # a copy follows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """Whether what a receipt says still holds."""

    problems: tuple[str, ...]
    """What is not as it should be; empty when all is."""
    notes: tuple[str, ...]
    """What else there is to know."""
    authentic: bool
    """Whether the receipt is as this database wrote it. If not, nothing else was looked at."""
    state: State
    """Now: `verified` when texts were given and not found."""
    tombstone: datetime | None = None
    """Until when what was said of the subject is refused."""
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    """What is there of the subject from before, by table."""
    found: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    """Where texts were found, by their positions: tables, else `file`, `log` or `journal` for raw bytes."""
    searched: int = 0
    """How many texts were looked for."""

    @property
    def ok(self) -> bool:
        """Whether all is as it should be. That it is also gone, `restored` has to be looked at too."""
        return not self.problems

    @property
    def restored(self) -> bool:
        """Whether an export has brought it back since, as the history tells: nothing is wrong, and nothing is gone."""
        return self.ok and bool(self.rows)


def _body(receipt: ErasureReceipt) -> dict[str, Any]:
    return {
        'format': FORMAT,
        'id': receipt.id,
        'at': receipt.at.isoformat(),
        'asked': receipt.asked,
        'subject': receipt.subject,
        'counts': dict(receipt.counts),
        'stores': dict(receipt.stores),
        'chains': [{'owner': c.owner, 'length': c.length, 'head': c.head} for c in receipt.chains],
        'tombstone': receipt.tombstone,
    }


def _read(found: dict[str, Any]) -> ErasureReceipt:
    at = datetime.fromisoformat(found['at'])
    if at.tzinfo is None or found['asked'] not in get_args(Asked):
        raise ValueError('a moment without a zone, or an unknown sort')
    counts = {name: int(found['counts'][name]) for name in COUNTED}
    stores = {str(name): state for name, state in found['stores'].items()}
    if not stores or any(state not in get_args(State) for state in stores.values()):
        raise ValueError('an unknown state')
    return ErasureReceipt(
        id=str(found['id']),
        at=at.astimezone(UTC),
        asked=found['asked'],
        subject=str(found['subject']),
        counts=counts,
        stores=stores,
        chains=tuple(
            ChainPosition(owner=int(c['owner']), length=int(c['length']), head=str(c['head'])) for c in found['chains']
        ),
        tombstone=bool(found['tombstone']),
        mac=str(found['mac']),
    )


def _code(secret: bytes, receipt: ErasureReceipt) -> str:
    text = json.dumps(_body(receipt), sort_keys=True, separators=(',', ':'))
    return hmac.new(secret, b'erasure receipt\0' + text.encode(), 'sha256').hexdigest()


def checked(
    *,
    project: str,
    scope: Scope | None,
    wide: bool,
    memory_id: str | None,
    episode_id: str | None,
    filters: object,
    whole_project: bool,
) -> Forgetting:
    """What a call of `forget` asks for.

    Args:
        project: The tenant.
        scope: The ids; None when none were given, which only a project-wide view may leave out.
        wide: Whether it is a project-wide view: there a run, an agent or an app is meant wherever it turns up.
        memory_id: See `AsyncMemory.forget`.
        episode_id: See `AsyncMemory.forget`.
        filters: See `AsyncMemory.forget`.
        whole_project: See `AsyncMemory.forget`.

    Raises:
        InvalidInput: Nothing in particular is named, or several things are.
    """
    from memoranda.filters import parse

    where = parse(cast('Any', filters))
    if filters is not None and where is None:
        raise InvalidInput(f'filters={shown(filters)} lets everything through: name what shall go, or leave it out')
    named = check_one(memory_id=memory_id, episode_id=episode_id, filters=where, whole_project=whole_project or None)
    if whole_project:
        if not wide or scope is not None:
            raise InvalidInput(
                'whole_project=True erases what everybody said, and is for project_wide().forget(whole_project=True) '
                'without further ids: use that, or leave it out'
            )
        return Forgetting(project=project, owner=None)
    if scope is None:
        if episode_id is not None:
            return Forgetting(project=project, owner=None, episode_id=episode_id)
        raise InvalidInput(
            'nothing was named: pass user_id=... or another id, or whole_project=True to erase what everybody said'
        )
    if wide and scope.user_id is None and not named:
        return Forgetting(
            project=project, owner=None, run_id=scope.run_id, agent_id=scope.agent_id, app_id=scope.app_id
        )
    erasure = scope.erasure(project)
    return Forgetting(
        project=project,
        owner=erasure.owner,
        run_id=erasure.run_id,
        agent_id=erasure.agent_id,
        app_id=erasure.app_id,
        episode_id=episode_id,
        memory_id=memory_id,
        where=where,
    )


def check_one(**given: object) -> list[str]:
    """The names of what was given, of which one may be.

    Raises:
        InvalidInput: Several were given.
    """
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidInput(f'{" and ".join(named)} were given, and forget() takes one of them: call it once for each')
    return named


async def forget(engine: Engine, worker: Worker, background: Background, what: Forgetting) -> ErasureReceipt:
    """Erase in the store, in what waits to be stored, and in what this process keeps."""
    spool = background.spool
    if not what.buries and what.owner is not None:
        await spool.settle(what.owner)  # what was said before and is not stored yet may be meant too

    def covers(batch: Batch) -> bool:
        return what.covers(batch.owner, batch.scope)

    secret = await engine.store.secret()  # before: nothing shall come between an erasure and its receipt
    async with spool.erasing(covers):
        forgotten = await engine.store.forget(what)
    note_changed()  # keys of a user that is forgotten are gone too
    worker.forget()
    engine.forget()
    state: State = await _look(engine, forgotten.words) if forgotten.scrubbed else 'logical'
    receipt = ErasureReceipt(
        id=new_id(),
        at=forgotten.at,
        asked=what.asked,
        subject=forgotten.subject,
        counts=dict(forgotten.counts),
        stores={'database': state},
        chains=forgotten.chains,
        tombstone=forgotten.tombstone,
    )
    signed = replace(receipt, mac=_code(secret, receipt))
    return signed if signed.done else replace(signed, follower=_Waiting(engine, signed, forgotten))


async def _look(engine: Engine, words: Sequence[str]) -> State:
    """Search what was scrubbed for words that were erased."""
    if not engine.store.sees_bytes:
        return 'scrubbed'
    try:
        found = await engine.store.traces(words, sample=True) if words else ()
    except (OSError, StoreError) as error:  # what is erased is erased
        log.warning('%s could not be searched after an erasure (%s)', engine.location, type(error).__name__)
        return 'scrubbed'
    if found:
        log.warning('%s: %d texts that were erased are still in the file', engine.location, len(found))
    return 'scrubbed' if found else 'verified'


class _Waiting:
    """Finishes an erasure. It keeps some of the words until then, in this process only, to search for them."""

    def __init__(self, engine: Engine, receipt: ErasureReceipt, forgotten: Forgotten) -> None:
        self._engine, self._receipt, self._words = engine, receipt, forgotten.words

    async def __call__(self, timeout: float | None) -> ErasureReceipt:
        """The receipt, once nothing is left."""
        engine, begun = self._engine, time.monotonic()
        while not self._receipt.done:
            if await engine.store.finish_scrub():
                state = await _look(engine, self._words)
                receipt = replace(self._receipt, stores={'database': state})
                self._receipt = replace(receipt, mac=_code(await engine.store.secret(), receipt))
                self._words = ()
                break
            left = _PAUSE if timeout is None else min(_PAUSE, timeout - (time.monotonic() - begun))
            if left <= 0:
                raise TimeoutError(
                    f'erased words may still be in the files after {timeout:g} s, because somebody reads an older '
                    'state of them: it is finished in the background, wait again'
                )
            await _pause(engine, left)
        return self._receipt


async def _pause(engine: Engine, seconds: float) -> None:
    from memoranda._bridge import wait_for

    await wait_for(engine.later(seconds))


async def verify(engine: Engine, receipt: ErasureReceipt, texts: Sequence[str] = ()) -> ErasureReport:
    """Whether what a receipt says still holds.

    Args:
        engine: Of the memory that gave it.
        receipt: What `forget` returned.
        texts: What must be gone, for a receipt holds no words: sentences, or rare words of them.
    """
    given = cast('Sequence[object]', texts)
    if isinstance(given, str) or any(not isinstance(text, str) or not text.strip() for text in given):
        raise InvalidInput('texts has to be a list of texts that are not empty: pass what must be gone, as [text, ...]')
    store = engine.store
    if not hmac.compare_digest(_code(await store.secret(), receipt).encode(), receipt.mac.encode('utf-8', 'replace')):
        return ErasureReport(
            problems=('the receipt was altered, or is of another database: nothing was checked',),
            notes=(),
            authentic=False,
            state='logical',
            searched=0,
        )
    left = await store.remains(receipt.asked, receipt.subject, receipt.at, receipt.chains)
    found = {trace.text: trace.where for trace in await store.traces(texts)} if texts else {}
    problems, notes = list(left.chain), list[str]()
    # What is restored brings along the tombstone of an earlier erasure, if there was one.
    missing = receipt.tombstone and (left.tombstone is None or left.tombstone < receipt.at)
    restored = missing and left.lifted
    if missing and not left.lifted:
        problems.append('the tombstone is gone, and no history tells that it was lifted')
    if restored:
        notes.append('the tombstone was lifted: the subject was restored from an export, as its history tells')
    if left.rows:
        held = ', '.join(f'{count} of {table}' for table, count in sorted(left.rows.items()))
        (notes if restored else problems).append(f'rows from before the erasure are there: {held}')
    if left.scrub_pending:
        problems.append('erased words may still be in the files: memoranda doctor tells what holds that up')
    problems += [f'text {i + 1} is still in: {_where(where)}' for i, where in sorted(found.items())]
    if left.tombstone is not None and left.tombstone > receipt.at:
        notes.append(f'the subject was forgotten again at {left.tombstone.isoformat()}')
    return ErasureReport(
        problems=tuple(problems),
        notes=tuple(notes),
        authentic=True,
        state='logical' if left.scrub_pending else 'verified' if texts and not found else 'scrubbed',
        tombstone=left.tombstone,
        rows=dict(left.rows),
        found=found,
        searched=len(texts),
    )


def _where(places: Sequence[str]) -> str:
    told = ', '.join(places)
    if any(place in ('file', 'log', 'journal') for place in places):
        return told
    # Rows of the subject from before the erasure are looked for apart.
    return f'{told}, in rows that were written since or by others: somebody else said it, or it was said again'


def verify_erasure(
    memory: Memory | AsyncMemory | str | os.PathLike[str],
    receipt: ErasureReceipt | str | bytes,
    *,
    texts: Sequence[str] = (),
) -> ErasureReport:
    """`verify`, blocking, for a memory or for the path of a database.

    Args:
        memory: Or the database, which is opened for this and closed again.
        receipt: What `forget` returned, or its JSON.
        texts: See `verify`.
    """
    from memoranda._sync import Memory
    from memoranda.memory import AsyncMemory
    from memoranda.settings import Settings

    read = receipt if isinstance(receipt, ErasureReceipt) else ErasureReceipt.from_json(receipt)
    if isinstance(memory, AsyncMemory):
        memory = Memory._of(memory)  # pyright: ignore[reportPrivateUsage]
    if isinstance(memory, Memory):
        return memory.verify_erasure(read, texts=texts)
    with Memory(memory, settings=Settings(workers=0, errors='raise')) as opened:
        return opened.verify_erasure(read, texts=texts)
