"""What the tools do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from memoranda.errors import Conflict, InvalidInput, MemoryNotFound, StoreUnreachable
from memoranda.mcp import answers as a
from memoranda.mcp.telling import NOTHING, fact_line, fact_of, find, framed, rules_for, told_hits, withheld
from memoranda.recall.block import escape, legible, short_id
from memoranda.recall.trusting import NOTE
from memoranda.write.commands import asks_agent
from memoranda.write.trust import TIERS

if TYPE_CHECKING:
    from memoranda.mcp.asking import Asking
    from memoranda.mcp.principal import Principal
    from memoranda.memory import AsyncMemory
    from memoranda.policy import ReadRule
    from memoranda.records import AddResult, HistoryEntry, MemoryRecord

__all__ = ['Call', 'add', 'check_read', 'forget', 'get', 'history', 'list_', 'search', 'update']

MOST_ENTRIES: Final = 50
_WAITS: Final = (
    'Noted; it waits until a person approves it, and is not recalled before. Say so to the user: `memoranda review` '
    'shows what waits.'
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    principal: Principal
    ids: Mapping[str, str]
    """Whose memory it is about."""
    ask: Asking

    @property
    def view(self) -> AsyncMemory:
        """For reading, and for what is new."""
        return self.principal.view(self.ids)

    @property
    def own(self) -> AsyncMemory:
        """For changes by id."""
        return self.principal.own(self.ids)


def check_read(degraded: str | None) -> str | None:
    """What had to be done without while reading, if something was read at all.

    Raises:
        StoreUnreachable: Nothing was.
    """
    if degraded is not None and degraded.startswith('storage'):
        raise StoreUnreachable(f'the storage can not be read now ({degraded.partition(": ")[2]})')
    return degraded


async def search(call: Call, asked: a.Search) -> tuple[str, a.Found]:
    """`memory_search`."""
    view = call.view
    hits = await view.search(
        asked.query,
        top_k=asked.limit,
        filters=None if asked.kind is None else {'kind': asked.kind},
        include=('memories', 'episodes') if asked.messages and asked.kind is None else ('memories',),
    )
    degraded = check_read(hits.degraded)
    facts, messages, text = await told_hits(view, hits)
    if degraded is not None:
        text = f'{text or NOTHING}\n({degraded}: something may be missing.)'
    return text or NOTHING, a.Found(facts=facts, messages=messages, degraded=degraded)


async def get(call: Call, asked: a.Get) -> tuple[str, a.Got]:
    """`memory_get`."""
    view = call.view
    record = await view.get(await find(view, asked.memory_id, inactive=True))
    rule = (await rules_for(view, [record]))[0]
    fact = fact_of(record, rule)
    told = fact.withheld is None and view.engine.policy.passages[record.trust] != 'exclude'
    quotes = [e for e in record.evidence if told and not asks_agent(e.quote)]
    evidence = [a.Quote(message_id=e.episode_id, quote=legible(e.quote)) for e in quotes]
    if fact.withheld is not None:
        return f'Its words are withheld: {fact.withheld}.', a.Got(fact=fact, evidence=[])
    lines = [fact_line(record), *(f'  said: "{escape(q.quote)}"' for q in quotes)]
    text = framed((), lines) if rule == 'fence' else framed(lines)
    return f'{text}\nStatus: {record.status}.', a.Got(fact=fact, evidence=evidence)


async def list_(call: Call, asked: a.List) -> tuple[str, a.Listed]:
    """`memory_list`."""
    view = call.view
    page = await view.get_all(
        limit=asked.limit, cursor=asked.cursor, filters=None if asked.kind is None else {'kind': asked.kind}
    )
    rules = await rules_for(view, page.items)
    pairs: list[tuple[MemoryRecord, ReadRule]] = [
        (r, rule) for r, rule in zip(page.items, rules, strict=True) if withheld(r, rule) is None
    ]
    text = framed(
        [fact_line(r) for r, rule in pairs if rule != 'fence'], [fact_line(r) for r, rule in pairs if rule == 'fence']
    )
    if page.cursor is not None:
        text += f'\nThere are more: call again with cursor {page.cursor!r}.'
    facts = [fact_of(r, rule) for r, rule in pairs]
    return text.strip() or 'Nothing is known.', a.Listed(facts=facts, cursor=page.cursor)


async def history(call: Call, asked: a.History) -> tuple[str, a.Told]:
    """`memory_history`."""
    view = call.view
    if (asked.memory_id is None) == (asked.slot is None):
        raise InvalidInput('memory_history takes memory_id or slot, and one of them only')
    if asked.slot is not None:
        entries = await view.history(slot=asked.slot)
    else:
        entries = await view.history(await find(view, asked.memory_id or '', inactive=True))
    told = _told_ids(view, entries)
    shown = [_entry(e, told) for e in entries[-MOST_ENTRIES:]]
    lines = [
        f'- {e.at} {e.op}: {escape(e.text) if e.text is not None else "(words withheld)"} [m:{short_id(e.memory_id)}]'
        for e in shown
    ]
    return framed(lines) or 'There is no history.', a.Told(entries=shown, left_out=len(entries) - len(shown))


def _told_ids(memory: AsyncMemory, entries: list[HistoryEntry]) -> set[str]:
    """The memories among them whose words may be told: believed once, and not kept out of prompts."""
    read = memory.engine.policy.read
    told: set[str] = set()
    approved = {e.memory_id for e in entries if e.op == 'approve'}
    for entry in entries:
        after = entry.after
        if after and after.get('status') == 'active':
            trust: Any = after.get('trust', 'external')
            known = entry.memory_id in approved or after.get('locked') or entry.actor == 'user'
            if known or read[trust] != 'exclude':
                told.add(entry.memory_id)
    return told


def _entry(entry: HistoryEntry, told: set[str]) -> a.HistoryEntry:
    after = entry.after
    status: str | None = None if after is None else after.get('status')
    shows = after is not None and entry.memory_id in told and status not in ('pending', 'rejected')
    return a.HistoryEntry(
        at=entry.at.isoformat(timespec='seconds'),
        op=entry.op,
        memory_id=entry.memory_id,
        by=legible(entry.actor),
        status=status,
        text=legible(str(after['text'])) if after is not None and shows else None,
    )


async def add(call: Call, asked: a.Add) -> tuple[str, a.Added]:
    """`memory_add`."""
    reply = 'unasked'
    if _would_wait(call):
        reply = await call.ask(f'Remember this for later conversations? "{legible(asked.fact)}"')
    if reply == 'no':
        return 'The user was asked and does not want that remembered. Nothing was stored.', a.Added(outcome='declined')
    done = await call.view.add(
        _note(call, asked.fact),
        infer=False,
        kind=asked.kind,
        slot=asked.slot,
        value=asked.value,
        tags=asked.tags,
        trust=call.principal.trust,
    )
    return await _outcome(call, done, approved=reply == 'yes')


async def update(call: Call, asked: a.Update) -> tuple[str, a.Added]:
    """`memory_update`: a note that takes the place of a memory, under the same rules as any other."""
    own = call.own
    record = await own.get(await find(own, asked.memory_id, inactive=False))
    if record.status != 'active':
        raise MemoryNotFound(f'memory m:{short_id(record.id)} is {record.status}: only an active one can be updated')
    reply = 'unasked'
    if _would_wait(call, record):
        reply = await call.ask(f'Replace "{legible(record.text)}" by "{legible(asked.fact)}"?')
    if reply == 'no':
        return 'The user was asked and does not want that changed. Nothing was stored.', a.Added(outcome='declined')
    scope = record.scope
    ids = {'user_id': scope.user_id, 'run_id': scope.run_id, 'agent_id': scope.agent_id, 'app_id': scope.app_id}
    view = call.principal.view({name: value for name, value in ids.items() if value is not None})
    done = await view.add(
        _note(call, asked.fact),
        infer=False,
        kind=record.kind,
        slot=record.slot,
        value=asked.value,
        tags=record.tags,
        importance=record.importance,
        pinned=record.pinned,
        metadata=record.metadata,
        supersedes=None if asked.was_wrong else record.id,
        corrects=record.id if asked.was_wrong else None,
        trust=call.principal.trust,
    )
    return await _outcome(call, done, approved=reply == 'yes')


async def forget(call: Call, asked: a.ById) -> tuple[str, a.Forgotten]:
    """`memory_forget`: it is retracted, which a person can revert. No tool erases."""
    own = call.own
    memory_id = await find(own, asked.memory_id, inactive=False)
    record = await own.get(memory_id)
    if record.locked and await call.ask(f'Forget what a person has written: "{legible(record.text)}"?') != 'yes':
        raise Conflict(
            f'memory m:{short_id(memory_id)} was written by a person, and a model does not take that back: let the '
            'user do it, with `memoranda forget` or where it was written'
        )
    await own.delete(memory_id)
    return (
        f'Forgotten: it is not recalled any more. Its words stay in the history until somebody erases them (m:'
        f'{short_id(memory_id)}).',
        a.Forgotten(memory_id=memory_id),
    )


def _note(call: Call, fact: str) -> dict[str, Any]:
    """A model's words, whoever it claims to quote."""
    trust = call.principal.trust
    role = 'assistant' if trust == 'assistant' else 'tool'
    return {'role': role, 'name': NOTE, 'content': fact, 'trust': trust}


def _would_wait(call: Call, record: MemoryRecord | None = None) -> bool:
    """Whether a note would wait for a person, so that it is worth asking the one who is there."""
    policy, trust = call.principal.memory.engine.policy, call.principal.trust
    if policy.review == 'off':
        return False
    better = record is not None and (record.locked or TIERS.index(record.trust) < TIERS.index(trust))
    return policy.write[trust] == 'review' or better


async def _outcome(call: Call, done: AddResult, *, approved: bool) -> tuple[str, a.Added]:
    waiting = done.pending
    if waiting and approved:
        return await _approve(call, [m.id for m in waiting])
    if waiting:
        reasons = [r for e in done.changes if e.after.status == 'pending' and e.review for r in e.review.reasons]
        return _WAITS, a.Added(outcome='waiting', memory_id=waiting[0].id, reasons=list(dict.fromkeys(reasons)))
    if done.memories:
        found = done.memories[-1]
        return f'Remembered (m:{short_id(found.id)}).', a.Added(outcome='remembered', memory_id=found.id)
    reasons = list(done.skipped)
    if {'unknown target', 'erased', 'dropped'} & set(reasons):
        raise Conflict('the memory was changed or forgotten just now: search again')
    if not reasons or 'known' in reasons:
        return 'That is known already, or waits already; nothing was changed.', a.Added(outcome='known')
    return f'Not stored: {", ".join(reasons)}.', a.Added(outcome='dropped', reasons=reasons)


async def _approve(call: Call, waiting: list[str]) -> tuple[str, a.Added]:
    """What the person at the client said yes to."""
    view = call.view.acting_as('user')
    memory_id = ''
    for item_id in waiting:
        done = await view.review.approve(item_id)
        if done.error is not None:
            raise done.error
        memory_id = item_id if done.memory is None else done.memory.id
    return f'Remembered, the user agreed (m:{short_id(memory_id)}).', a.Added(outcome='remembered', memory_id=memory_id)
