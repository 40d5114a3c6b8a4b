"""Corrections, things that ended, switches, and what is to be forgotten."""

from __future__ import annotations

import re

from memoranda.records import MemoryRecord
from memoranda.timewords import say_time
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_name, is_vague, third, turned
from memoranda.write.rules.known import content_words, find_about, find_word, newest
from memoranda.write.rules.tastes import preferred_slot
from memoranda.write.rules.tools import is_tool

__all__ = ['RULES', 'SENTENCE_RULES']

# `Actually it's Porto, not Lisbon`

_SORRY = (
    r'(?:(?:no|nope|actually|sorry|correction|oops|wait|hmm|well|oh|my (?:bad|mistake)'
    r'|to be (?:exact|precise)|i (?:misspoke|mistyped|was wrong))[,.:;!]?\s(?:-\s)?){0,3}'
)
_X = r'(?P<new>[^,;:!?]{1,60}?)'
_Y = r'(?P<old>[^,;:!?]{1,60}?)'


_CORRECTS = re.compile(
    r'(?:\w+,?\s)?(?:no|nope|actually|sorry|correction|oops|wait|my (?:bad|mistake)|i (?:mean'
    r'|meant|misspoke|mistyped|was wrong|use|'
    r"prefer|like|speak)|my|i'm|i am)\b",
    re.IGNORECASE,
)


def _corrected(m: re.Match[str], ctx: Context) -> Drafts:
    new, old = bare(m['new']), bare(m['old'])
    new = re.sub(r'^(?:in|at|on|to|from|as|called|named)\s', '', new)
    old = re.sub(r'^(?:in|at|on|to|from|as|called|named)\s', '', old)
    if not new or not old or len(new.split()) > 6 or new.lower() == old.lower() or is_vague(new):
        return None
    record = find_word(ctx.existing, old)
    if record is None or (is_name(old) and not is_name(new)):
        return None
    # `It's Python, not JavaScript` may speak of a file; where somebody lives is seldom spoken of like that by chance.
    used = record.slot is None or record.slot.startswith(('language.', 'editor.'))
    if used and not _CORRECTS.match(ctx.sentence) and old.lower() not in ctx.previous.lower():
        return None
    text = re.sub(rf'(?<!\w){re.escape(old)}(?!\w)', lambda _: new, record.text, count=1, flags=re.IGNORECASE)
    return Draft(
        '',
        record.kind,
        text=text,
        slot=record.slot,
        value=new if record.slot else None,
        op='correct',
        target=record.id,
        importance=record.importance,
    )


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
    if verb not in _USEFUL or (value and is_vague(value)) or (not value and verb not in ('smoke', 'drink', 'work')):
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
            'preference' if doing in ('smoking', 'drinking', 'eating') else 'knowledge',
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


def _switched(m: re.Match[str], ctx: Context) -> Drafts:
    old = cut(m['old'] or '', limit=4)
    new = ctx.timeless(cut(re.sub(r'\s(?:for|on|at|in|as|about)\s.*$', '', m['new']), limit=4))
    if not new or is_vague(new) or (old and is_vague(old)):
        return None
    if m['old'] and not old:
        return None
    if m['how'].lower().startswith(('moved', 'went', 'changed')) and not (
        (is_tool(old) or preferred_slot(old)) and (is_tool(new) or preferred_slot(new))
    ):
        return None
    if not old and not (is_tool(new) or preferred_slot(new)):
        return None
    slot = preferred_slot(new)
    if old and preferred_slot(old) != slot:
        slot = None
    since = ctx.since(m.string)
    # What holds now, and only that: the old value would be found, and believed, through this memory.
    said = f'switched to {new}'
    kind = 'preference'
    record = _replaced(old, slot, ctx)
    if record is not None:
        return Draft(
            said,
            kind,
            op='supersede',
            target=record.id,
            slot=slot,
            value=new if slot else None,
            importance=0.65,
            valid_from=since,
        )
    return Draft(said, kind, slot=slot, value=new if slot else None, importance=0.65, valid_from=since)


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


# `Forget that I like tea`


def _forget(m: re.Match[str], ctx: Context) -> Drafts:
    about = re.sub(
        r'^(?:that|about|what i (?:said|told you) about|the fact that|everything about)\s',
        '',
        m['v'].strip(),
        flags=re.IGNORECASE,
    )
    about = re.sub(r"^(?:i'm|i am|i've|i have|i|we|my|our)\s", '', about, flags=re.IGNORECASE)
    about = cut(about, limit=12)
    record = (
        find_about(ctx.existing, about)
        if about and not re.match(r'(?:it|that|this|to)$', about, re.IGNORECASE)
        else None
    )
    return Draft('', record.kind, op='retract', target=record.id) if record else None


def _not_true(m: re.Match[str], ctx: Context) -> Drafts:
    """`That's not true any more`, of the one memory the last message spoke of."""
    said = set(content_words(ctx.previous))
    found = [r for r in ctx.existing if (wanted := content_words(r.text)) and all(w in said for w in wanted)]
    return Draft('', found[0].kind, op='retract', target=found[0].id) if len(found) == 1 else None


def _untrue(m: re.Match[str], ctx: Context) -> Drafts:
    return _forget(m, ctx)


SENTENCE_RULES = (
    rule(
        rf"{_SORRY}(?:it's|it is|it was|that's|that is|that was|make that|it should be|should be"
        rf'|i mean|i meant|i said)\s{_X},?\s(?:and )?(?:not|instead of|rather than)\s{_Y}$',
        _corrected,
    ),
    rule(
        rf"{_SORRY}(?:it's|it is|that's|it was)\snot\s{_Y}(?:,|;|\s[-–—]|,?\sbut|,?\sit's"
        rf"|,?\sit is)\s(?:it's |it is |actually |but |rather )?{_X}$",
        _corrected,
    ),
    rule(rf"{_SORRY}not\s{_Y},\s(?:but\s)?(?:it's\s)?{_X}$", _corrected),
    rule(rf"{_SORRY}(?:i'm|i am|i live|i work|i was born|my \w+(?: \w+)? is)\s{_X},?\snot\s{_Y}$", _corrected),
    rule(
        r'(?:(?:please|pls|and|so|ok|okay|you can|can you)[,\s]+){0,3}(?:forget|disregard|delete'
        r'|remove)\s(?P<v>(?:that|about|what i (?:said|told you) about|the fact that'
        r'|everything about)\s.{2,200})$',
        _forget,
    ),
    rule(
        r"(?:it's|it is|it's|that's)\s(?:not true|no longer true|not the case"
        r'|no longer the case)(?: any ?more| any longer)? that\s<V>',
        _untrue,
    ),
    rule(
        rf"{_SORRY}(?:that's|that is|that isn't|this is|it's)\s(?:not true|no longer true|not right"
        rf'|wrong|true|outdated|out of date|not the case|no longer the case|incorrect)(?: any ?more'
        rf'| any longer| now)?$',
        _not_true,
    ),
)

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
        r'|went)(?: over| back)?(?: from (?P<old>.{1,60}?))? to (?:using )?(?P<new>.{1,80})$',
        _switched,
    ),
    rule(
        r'(?:i|we)\s(?:now |mostly |recently started )?use\s(?P<new>.{1,40}?)\s(?:now )?instead of\s(?P<old>.{1,60})$',
        _instead_of,
    ),
    rule(r"(?:i'm|i am|we're)\s(?:now )?using\s(?P<new>.{1,40}?)\s(?:now )?instead of\s(?P<old>.{1,60})$", _instead_of),
)
