"""Which memory a new statement replaces: the one that says the same of something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memoranda.records import MemoryRecord
from memoranda.write.rules.drafts import Context, Draft
from memoranda.write.rules.grammar import bare
from memoranda.write.rules.known import newest

__all__ = ['ended_by', 'held_in', 'same_claim', 'superseding', 'without_name']


def without_name(record: MemoryRecord, ctx: Context) -> str:
    """Its words in lower case, without the name of the speaker."""
    text = record.text.lower()
    name = f'{ctx.name.lower()} ' if ctx.name else ''
    return text.removeprefix(name) if name else text


def held_in(slot: str, ctx: Context) -> MemoryRecord | None:
    """What a slot holds now."""
    return newest([r for r in ctx.existing if (r.slot or '').partition('@')[0] == slot])


def same_claim(draft: Draft, old: str, ctx: Context) -> MemoryRecord | None:
    """The memory that says of `old` what the draft says of something else (`wants to learn` Italian, Portuguese)."""
    old = bare(old).lower()
    if not old:
        return None
    if draft.slot is not None:
        held = held_in(draft.slot, ctx)
        if held is not None and _says(held.text, old):
            return held
    said = draft.words.lower()
    found: list[MemoryRecord] = []
    for record in ctx.existing:
        text = without_name(record, ctx)
        place = text.find(old)
        if place > 3 and text[place:].startswith(old) and said.startswith(text[:place]) and _says(text, old):
            found.append(record)
    return newest(found)


def _says(text: str, old: str) -> bool:
    return re.search(rf'(?<!\w){re.escape(old)}(?!\w)', text, re.IGNORECASE) is not None


_LIKING = (
    'likes',
    'loves',
    'enjoys',
    'adores',
    'prefers',
    'really likes',
    'has always loved',
    'is into',
    'is fond of',
    'is keen on',
    'is crazy about',
    'is obsessed with',
    'is passionate about',
    'is a fan of',
    'is a big fan of',
    'is a huge fan of',
)
_DISLIKING = (
    'hates',
    'dislikes',
    'detests',
    'loathes',
    'despises',
    "can't stand",
    "doesn't like",
    "doesn't love",
    "doesn't enjoy",
    "doesn't care for",
    'no longer likes',
    'no longer loves',
    'no longer enjoys',
)


def ended_by(draft: Draft, value: str, ctx: Context, *, likes: bool) -> list[Draft]:
    """A taste with the opposite opinions of the same thing that it supersedes."""
    texts = {f'{verb} {value.lower()}' for verb in (_DISLIKING if likes else _LIKING)}
    return superseding(draft, [r for r in ctx.existing if without_name(r, ctx) in texts])


def superseding(draft: Draft, records: Sequence[MemoryRecord]) -> list[Draft]:
    """The draft in the place of the first memory; the others end with it."""
    if not records:
        return [draft]
    ended = [Draft('', record.kind, op='retract', target=record.id) for record in records[1:]]
    return [*ended, replace(draft, op='supersede', target=records[0].id)]
