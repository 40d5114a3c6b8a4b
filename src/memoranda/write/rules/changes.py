"""What ended, and what was switched to."""

from __future__ import annotations

import re

from memoranda.records import MemoryRecord
from memoranda.timewords import say_time
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_name, is_vague, third, turned
from memoranda.write.rules.known import content_words, find_about, newest
from memoranda.write.rules.tastes import preferred_slot
from memoranda.write.rules.tools import is_tool
from memoranda.write.rules.words import TOOLS, WORKSPACE

__all__ = ['RULES', 'is_used', 'replaces', 'switched']

# `I no longer eat meat`

_DONE = r'(?P<verb>[a-z]{2,12})'
_USEFUL = frozenset(
    (
        'eat',
        'drink',
        'smoke',
        'use',
        'like',
        'love',
        'enjoy',
        'work',
        'live',
        'prefer',
        'play',
        'drive',
        'have',
        'want',
        'own',
        'run',
        'study',
        'code',
        'do',
        'go',
        'consume',
        'cook',
        'teach',
        'wear',
        'take',
        'watch',
        'practice',
        'vape',
        'need',
        'gamble',
    )
)
_AFFIRMED = frozenset(
    ('eat', 'drink', 'smoke', 'use', 'like', 'love', 'enjoy', 'work', 'live', 'have', 'own', 'drive', 'play', 'consume')
)


def _no_longer(m: re.Match[str], ctx: Context) -> Drafts:
    verb = m['verb'].lower()
    value = cut(m['v'], limit=8)
    value = re.sub(r'\s?\bany ?(?:more|longer)$', '', value)
    wanted = verb in ('want', 'need') and find_about(ctx.existing, value) is not None
    if (
        verb not in _USEFUL
        or (value and is_vague(value) and not wanted)
        or (not value and verb not in ('smoke', 'drink', 'work'))
    ):
        return None
    return _ended(f'no longer {third(verb)} {turned(value)}'.rstrip(), verb, value or verb, ctx)


def _no_longer_is(m: re.Match[str], ctx: Context) -> Drafts:
    value = re.sub(r'\s?\bany ?(?:more|longer)$', '', cut(m['v'], limit=8))
    if not value or is_vague(value) or re.match(r'(?:sure|able|afraid|worried|angry|mad|upset|tired)\b', value):
        return None
    return _ended(f'is no longer {turned(value)}', '', value, ctx)


def _ended(said: str, verb: str, about: str, ctx: Context) -> list[Draft]:
    slot = 'diet' if re.fullmatch(r'is no longer (?:an? )?(?:vegan|vegetarian|pescatarian)', said) else None
    tasted = slot or verb in ('eat', 'drink', 'smoke', 'like', 'love', 'enjoy', 'consume')
    drafts = [Draft(said, 'preference' if tasted else 'knowledge', importance=0.65)]
    record = find_about(ctx.existing, about, verb if verb in _AFFIRMED else '')
    if record is not None and (slot is None or record.slot == slot):
        drafts.insert(0, Draft('', record.kind, op='retract', target=record.id))
    return drafts


_GERUND = r'(?P<doing>[a-z]{2,12}ing)'


_UNFINISHED = frozenset(
    re.split(
        ' ',
        'being feeling thinking trying worrying having getting caring talking listening looking going doing seeing '
        'hearing making letting wondering counting',
    )
)
"""Whoever stopped doing one of these said nothing by it."""


def _stopped(m: re.Match[str], ctx: Context) -> Drafts:
    doing, value = m['doing'].lower(), ctx.timeless(cut(m['v'], limit=7))
    if (value and is_vague(value)) or doing in _UNFINISHED or (doing == 'working' and not value):
        return None
    how = 'quit' if m['how'].lower() in ('quit', 'given up', 'gave up') else 'stopped'
    record = find_about(ctx.existing, f'{doing} {value}') or (
        find_about(ctx.existing, value, _base(doing)) if value else None
    )
    drafts = [
        Draft(
            f'{how} {doing} {turned(value)}'.rstrip(),
            'preference' if doing in ('drinking', 'eating') else 'profile' if doing == 'smoking' else 'knowledge',
            importance=0.65,
            valid_from=ctx.since(m['v']),
        )
    ]
    if record is not None:
        drafts.insert(0, Draft('', record.kind, op='retract', target=record.id))
    return drafts


def _base(doing: str) -> str:
    stem = doing[:-3]
    return {
        'us': 'use',
        'driv': 'drive',
        'liv': 'live',
        'smok': 'smoke',
        'lov': 'love',
        'cod': 'code',
        'tak': 'take',
        'runn': 'run',
    }.get(stem, stem)


def _gave_up(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=5))
    if (
        not value
        or is_vague(value)
        or (m['how'].lower() == 'quit' and (is_tool(value) or ' and ' in value))
        or re.match(r'(?:on|hope|trying|my (?:seat|dream|free)|the (?:idea|fight))\b', value)
    ):
        return None
    record = find_about(ctx.existing, value)
    drafts = [Draft(f'gave up {turned(value)}', 'preference', importance=0.65, valid_from=ctx.since(m['v']))]
    if record is not None:
        drafts.insert(0, Draft('', record.kind, op='retract', target=record.id))
    return drafts


def _quit_job(m: re.Match[str], ctx: Context) -> Drafts:
    where = ctx.timeless(cut(m['where'] or '', limit=5))
    if where and is_vague(where, definite=True):
        return None
    tail = f' at {where}' if where else ''
    spans = [
        s for s in (*ctx.times(m.string), *([ctx.when] if ctx.when else [])) if not s.is_open and s.begin <= ctx.base
    ]
    when = f' {say_time(spans[0])}' if spans else ''
    began = spans[0].begin if spans else None
    drafts = [Draft(f'{m["how"].lower()} their job{tail}{when}', 'event', importance=0.6, valid_from=began)]
    for record in ctx.existing:
        slot = (record.slot or '').partition('@')[0]
        if slot in ('work.employer', 'work.title') and (
            not where or slot == 'work.title' or where.lower() in record.text.lower()
        ):
            drafts.insert(0, Draft('', record.kind, op='retract', target=record.id))
    return drafts


def _is_not(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm not allergic to peanuts`, of a memory that says just that."""
    wanted = set(content_words(cut(m['v'], limit=8)))
    own = re.compile(rf'(?:{re.escape(ctx.name)}\s)?is\s(?!no\b|not\b)(?P<rest>.+)', re.IGNORECASE) if ctx.name else _IS
    found = [r for r in ctx.existing if (held := own.fullmatch(r.text)) and set(content_words(held['rest'])) == wanted]
    return [Draft('', r.kind, op='retract', target=r.id) for r in found] if wanted else None


_IS = re.compile(r'is\s(?!no\b|not\b)(?P<rest>.+)', re.IGNORECASE)


# `I switched from Python to TypeScript`


_MOVES = ('moved', 'went', 'changed', 'gone', 'come', 'converted')
"""Said of much else than tools."""


def _switched(m: re.Match[str], ctx: Context) -> Drafts:
    old = cut(m['old'] or '', limit=4)
    new = ctx.timeless(cut(re.sub(r'\s(?:for|on|at|in|as|about)\s.*$', '', m['new']), limit=4))
    if not new or is_vague(new) or (old and is_vague(old)):
        return None
    if m['old'] and not old:
        return None
    how = m['how'].lower()
    if how in _MOVES and not (replaces(old, new, ctx) if old else 'back' in m[0].lower() and _is_known(new)):
        return None
    if not old and not is_used(new):
        return None
    return switched(old, new, ctx, m.string)


def replaces(old: str, new: str, ctx: Context) -> bool:
    """Whether both are tools, or the old one is known to be used and the new one has a name."""
    if is_used(old) and is_used(new):
        return True
    record = find_about(ctx.existing, old, 'use')
    return record is not None and is_name(new) and re.search(r'\buses\b', record.text, re.IGNORECASE) is not None


def _is_known(name: str) -> bool:
    return name.lower() in TOOLS or preferred_slot(name) is not None


def is_used(name: str) -> bool:
    """Whether it is something one works with."""
    return is_tool(name) or preferred_slot(name) is not None


def switched(old: str, new: str, ctx: Context, said: str) -> Draft:
    """The new thing in the place of the old one. What holds now, and only that, is said of it.

    The old value would be found, and believed, through this memory.
    """
    slot = preferred_slot(new)
    if old and preferred_slot(old) != slot:
        slot = None
    record = _replaced(old, slot, ctx)
    return Draft(
        f'switched to {new}',
        'preference',
        op='add' if record is None else 'supersede',
        target=None if record is None else record.id,
        slot=slot,
        value=new if slot else None,
        importance=0.65,
        valid_from=ctx.since(said),
        tags=(WORKSPACE,) if slot is None and is_tool(new) else (),
    )


def _replaced(old: str, slot: str | None, ctx: Context) -> MemoryRecord | None:
    if slot is not None:
        held = [r for r in ctx.existing if (r.slot or '').partition('@')[0] == slot]
        if held:
            return newest(held)
    return find_about(ctx.existing, old, 'use') if old else None


def _instead_of(m: re.Match[str], ctx: Context) -> Drafts:
    new, old = cut(m['new'], limit=4), cut(m['old'], limit=4)
    if not new or not old or not (is_tool(new) or preferred_slot(new)):
        return None
    slot = preferred_slot(new)
    slot = slot if slot == preferred_slot(old) else None
    record = _replaced(old, slot, ctx)
    said = f'uses {new} instead of {old}'
    if record is not None:
        return Draft(
            said,
            'preference',
            op='supersede',
            target=record.id,
            slot=slot,
            value=new if slot else None,
            importance=0.65,
        )
    return Draft(said, 'preference', slot=slot, value=new if slot else None, importance=0.65)


RULES = (
    rule(rf'(?:i|we)\sno longer\s{_DONE}\b\s?(?P<v>.{{0,300}})$', _no_longer),
    rule(
        rf"(?:i|we)\s(?:really |just )?(?:don't|dont|do not)\s{_DONE}\b\s?(?P<v>.{{0,200}}?\bany ?(?:more|longer))\b",
        _no_longer,
    ),
    rule(r"(?:i'm|i am|we're|we are)\sno longer\s(?P<v>.{1,200})$", _no_longer_is),
    rule(r"(?:i'm|i am|we're|we are)\snot\s(?P<v>.{1,200}?\bany ?(?:more|longer))\b", _no_longer_is),
    rule(r"(?:i'm|i am|i was|i have|i've)\s(?:not|never)(?:\sbeen)?\s(?:actually |really )?<V>", _is_not),
    rule(
        rf"(?:i|we|i've|i have|we've)\s(?:just |recently |finally |completely "
        rf'|already )?(?P<how>stopped|quit|gave up|given up)\s{_GERUND}\b\s?(?P<v>.{{0,200}})$',
        _stopped,
    ),
    rule(
        r"(?:i|we|i've|i have|we've)\s(?:just |recently |finally |completely )?(?P<how>gave up"
        r'|given up|quit)\s(?!my job)(?P<v>(?!\w+ing\b).{2,100})$',
        _gave_up,
    ),
    rule(
        r"(?:i|i've|i have)\s(?:just |recently |finally )?(?P<how>quit|left|lost|resigned from"
        r'|retired from)\s(?:my|our)\s(?:(?:old|current|day|corporate|full-time|teaching'
        r'|tech)\s)?job(?:\s(?:at|with)\s(?P<where>.{2,60}?))?(?=$|[,.;]|\s(?:last|this|yesterday'
        r'|in|on|to|and|because|after|a|two|three)\b)',
        _quit_job,
    ),
    rule(
        r"(?:i|we|i've|i have|we've)\s(?:just |recently |finally |completely "
        r'|since )?(?P<how>switched|moved|migrated|changed'
        r'|went|gone|come|converted)(?: over| back)?(?: from (?P<old>.{1,60}?))? to (?:using )?(?P<new>.{1,80})$',
        _switched,
    ),
    rule(
        r'(?:i|we)\s(?:now |mostly |recently started )?use\s(?P<new>.{1,40}?)\s(?:now )?instead of\s(?P<old>.{1,60})$',
        _instead_of,
    ),
    rule(r"(?:i'm|i am|we're)\s(?:now )?using\s(?P<new>.{1,40}?)\s(?:now )?instead of\s(?P<old>.{1,60})$", _instead_of),
)
