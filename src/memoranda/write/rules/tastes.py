"""What the speaker likes, hates, prefers and fears."""

from __future__ import annotations

import re

from memoranda.write.rules.claims import ended_by
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_vague, third, turned
from memoranda.write.rules.words import EDITORS, PROGRAMMING

__all__ = ['RULES', 'favourite_slot', 'preferred_slot']

_TASTE = 0.6


def preferred_slot(value: str) -> str | None:
    """The slot of a thing one has a main one of: a programming language or an editor."""
    plain = re.sub(r'\s(?:programming|language)$', '', value.lower())
    if plain in PROGRAMMING:
        return 'language.programming.preferred'
    return 'editor.preferred' if plain in EDITORS else None


_AT_TALK = re.compile(
    r'(?:to (?:know|hear|see|say|ask|tell|point|add|think|thank|chat|talk|catch|be (?:here'
    r'|able|honest)|have (?:a|some|you)|do|go|check|try|get|learn more|share|show|join|help'
    r'|make sure|come|invite)\b'
    r'|hearing|seeing (?:how|your|you|the)|chatting|talking (?:to|with)|knowing|sharing'
    r'|the (?:sound|idea|look|way|fact|vibe|feel)|how\b|when\b|being able|having (?:you'
    r'|someone|people|a)\b|getting)',
    re.IGNORECASE,
)


def _likes(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value):
        return None
    verb = m['verb'].lower()
    if _momentary(value) or ctx.times(value):
        return None
    predicate = f'{third(verb)} {turned(value)}' if verb != 'have always loved' else f'has always loved {turned(value)}'
    return ended_by(Draft(predicate, 'preference', importance=_TASTE), turned(value), ctx, likes=True)


def _always_loved(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value):
        return None
    said = Draft(f'has always loved {turned(value)}', 'preference', importance=_TASTE)
    return ended_by(said, turned(value), ctx, likes=True)


def _momentary(value: str) -> bool:
    """Praise of what lies on the table: an adjective with a picture, a gift or a result."""
    return (
        re.match(
            r'(?:an? )?(?:answer|reply|response|suggestion|photo|picture|pic|plan|result|explanation'
            r'|example|option|first|second|last|new|good (?:point|one))\b',
            value,
            re.IGNORECASE,
        )
        is not None
    )


def _dislikes(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value) or ctx.times(value):
        return None
    if value.lower() in ('people', 'men', 'women', 'kids', 'children') and len(m['v'].split()) > 1:
        return None  # `people who ...`
    if re.match(r'to (?:bother|interrupt|break|be (?:that|a)|sound|admit|say|complain|rush)\b', value):
        return None
    verb = m['verb'].lower()
    said = {
        "can't stand": "can't stand",
        'cannot stand': "can't stand",
    }.get(verb) or (third(verb) if verb in ('hate', 'dislike', 'detest', 'loathe', 'despise') else None)
    draft = Draft(f'{said or "dislikes"} {turned(value)}', 'preference', importance=_TASTE)
    return ended_by(draft, turned(value), ctx, likes=False)


def _not_like(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value) or _anymore(m['v']):
        return None
    verb = m['verb'].lower()
    said = Draft(f"doesn't {verb} {turned(value)}", 'preference', importance=_TASTE)
    return ended_by(said, turned(value), ctx, likes=False)


def _anymore(text: str) -> bool:
    return re.search(r'\bany ?(?:more|longer)\b', text, re.IGNORECASE) is not None


def _not_fan(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value):
        return None
    said = Draft(f'dislikes {turned(value)}', 'preference', importance=_TASTE)
    return ended_by(said, turned(value), ctx, likes=False)


def _fan(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or re.match(r'(?:the )?(?:idea|way)\b', value):
        return None
    what = {'into': 'is into'}.get(m['how'].lower().split()[-1]) or f'is {m["how"].lower()}'
    said = Draft(f'{what} {turned(value)}', 'preference', importance=_TASTE)
    return ended_by(said, turned(value), ctx, likes=True)


_SEAT = re.compile(
    r'^the\s(?=(?:aisle|window|middle|front|back|last|first|early|late|morning|evening|night|top|bottom|lower|upper)\s'
    r'(?:seats?|rows?|bunk|berth|shift|flight|train)\b)',
    re.IGNORECASE,
)
"""The article of what is one of a kind wherever it is met."""
_OVER = re.compile(r'\s(?:over|to|rather than|instead of|than|more than|vs\.?)\s', re.IGNORECASE)


def _prefers(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=14)
    value = re.sub(r'\s(?:for|in|at|on)$', '', value)
    if not value or is_vague(_SEAT.sub('', value)) or _momentary(value) or re.match(r'(?:not|that|if|when)\b', value):
        return None
    first, *others = _OVER.split(value, maxsplit=1)
    first_slot = preferred_slot(first)
    slot = first_slot if first_slot and (not others or preferred_slot(others[0]) == first_slot) else None
    said = Draft(f'prefers {turned(value)}', 'preference', slot=slot, value=first if slot else None, importance=_TASTE)
    return ended_by(said, turned(first), ctx, likes=True)


_THINGS = r'(?P<what>[a-z][a-z-]{1,18}(?:\s[a-z][a-z-]{1,18}){0,3})'
_BRITISH = (('color', 'colour'), ('flavor', 'flavour'))


def favourite_slot(what: str) -> str:
    """One slot for both spellings: `favourite.colour`."""
    what = '-'.join(what.lower().split())
    for american, british in _BRITISH:
        what = what.replace(american, british)
    return f'favourite.{what}'


_NOT_A_FAVOURITE = re.compile(
    r'\b(?:part|thing|things|one|ones|memory|memories|moment|moments|so far|aspect|line|scene'
    r'|photo|picture|bit|piece|pieces|here|there|of)\b',
    re.IGNORECASE,
)


def _favourite(m: re.Match[str], ctx: Context) -> Drafts:
    what, value = m['what'].lower(), cut(m['v'], limit=9)
    value = re.sub(r'^(?:probably|definitely|currently|still|by far|always|actually|simply|just)\s', '', value)
    if not value or is_vague(value) or _NOT_A_FAVOURITE.search(what):
        return None
    if re.match(
        r'(?:when|how|not|to|probably|where|from|on|because|in|about|going to|currently)\b', value
    ) or re.search(r'\b(?:was|were)\b', value):
        return None
    spelt = m['fav'].lower().replace('fave', 'favourite')
    plural = m['be'].strip().lower() == 'are'
    slot = None if plural else favourite_slot(what)
    if what in ('programming language', 'coding language', 'language to code in'):
        slot = 'language.programming.preferred'
    elif what in ('editor', 'text editor', 'code editor', 'ide'):
        slot = 'editor.preferred'
    return Draft(
        f'{spelt} {what} {"are" if plural else "is"} {turned(value)}',
        'preference',
        form='owns',
        slot=slot,
        value=None if plural else value,
        importance=_TASTE,
    )


def _is_favourite(m: re.Match[str], ctx: Context) -> Drafts:
    value, what = m['v0'].strip(), m['what'].lower()
    if (
        _NOT_A_FAVOURITE.search(what)
        or is_vague(value)
        or len(value.split()) > 4
        or not re.match(r'[A-ZÀ-Þ]|the\s[A-Z]', value)
    ):
        return None
    if re.search(r'\b(?:my|is|was|which|who|and|also|of)\b', value):
        return None
    return Draft(
        f'favourite {what} is {value}',
        'preference',
        form='owns',
        slot=favourite_slot(what),
        value=value,
        importance=_TASTE,
    )


_ALWAYS_NOT = re.compile(
    r'(?:to|too|more|less|so|it|that|this|what|when|whatever|how|you|people|the (?:wrong|best|worst|same|first|last)'
    r'|violence|chaos|some|something|attention)\b',
    re.IGNORECASE,
)


def _always(m: re.Match[str], ctx: Context) -> Drafts:
    """`I always want an aisle seat`."""
    value = cut(m['v'], limit=7)
    if not value or _ALWAYS_NOT.match(value) or is_vague(_SEAT.sub('', value)) or ctx.times(value):
        return None
    return Draft(f'always {third(m["verb"])} {turned(value)}', 'preference', importance=_TASTE)


_FEARS = (
    r'(?:heights|spiders|dogs|snakes|flying|needles|clowns|the dark|deep water|water|insects|birds|crowds|(?:small'
    r'|enclosed|tight) spaces'
    r'|public speaking|thunder(?:storms)?|driving|dentists|horses|bees|wasps|elevators|lifts|blood|sharks|mice|rats'
    r'|moths|bugs)'
)


def _fears(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["how"].lower()} of {m["v"].lower()}', 'constraint', importance=_TASTE)


_LIKES = r'(?P<verb>like|love|enjoy|adore|have always loved)'

RULES = (
    rule(rf'<I>{_LIKES}\s<V>', _likes),
    rule(r"(?:i've|i have)\salways loved\s<V>", _always_loved),
    rule(r"<I>(?P<verb>hate|dislike|detest|loathe|despise|can't stand|cannot stand|can not stand)\s<V>", _dislikes),
    rule(
        r"(?:i|we)\s(?:really |just |personally |also |still )?(?:don't|dont|do not|never"
        r"|didn't use to)\s(?:really |particularly |much |even )?(?P<verb>like|enjoy"
        r'|care for)\s<V>',
        _not_like,
    ),
    rule(
        r'<AM>not (?:really |much of |exactly |particularly )?(?:a (?:big |huge |great )?fan of'
        r'|into|keen on|fond of)\s<V>',
        _not_fan,
    ),
    rule(
        r"(?:i've|i have) always been (?P<how>a (?:big |huge )?fan of|into|fond of|crazy about"
        r'|obsessed with|passionate about)\s<V>',
        _fan,
    ),
    rule(
        r'<AM>(?P<how>(?:a (?:big |huge |massive |great |lifelong |die-hard |long-time )?fan of)'
        r'|into|fond of|crazy about|obsessed with|passionate about|keen on)\s<V>',
        _fan,
    ),
    rule(r'<I>(?:would always )?prefer\s<V>', _prefers),
    rule(
        r'(?:my|our)\s(?:all[- ]time |absolute |personal )?(?P<fav>favou?rite|fave)\s'
        + _THINGS
        + r"(?P<be>\s(?:is|are)|'s)\s<V>",
        _favourite,
    ),
    rule(r'(?P<v0>[^,;]{2,40}) is my (?:all[- ]time |absolute )?(?:favou?rite|fave)\s' + _THINGS + r'$', _is_favourite),
    rule(rf'<AM>(?:really |very )?(?P<how>afraid|scared|terrified) of\s(?P<v>{_FEARS})(?=$|[,;])', _fears),
    rule(r'<I>always (?P<verb>want|order|choose|pick|book|request|buy|drink|eat|wear|fly)\s<V>', _always),
)
