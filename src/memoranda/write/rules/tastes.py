"""What the speaker likes, hates and prefers, eats, avoids and can't stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_vague, third, turned
from memoranda.write.rules.words import CONDITIONS, DIETS, EDITORS, PROGRAMMING

__all__ = ['RULES', 'preferred_slot']

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
    return Draft(predicate, 'preference', importance=_TASTE)


def _always_loved(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value):
        return None
    return Draft(f'has always loved {turned(value)}', 'preference', importance=_TASTE)


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
    if re.match(r'to (?:bother|interrupt|break|be (?:that|a)|sound|admit|say|complain|rush)\b', value):
        return None
    verb = m['verb'].lower()
    said = {
        "can't stand": "can't stand",
        'cannot stand': "can't stand",
    }.get(verb) or (third(verb) if verb in ('hate', 'dislike', 'detest', 'loathe', 'despise') else None)
    return Draft(f'{said or "dislikes"} {turned(value)}', 'preference', importance=_TASTE)


def _not_like(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or _AT_TALK.match(value) or _anymore(m['v']):
        return None
    verb = m['verb'].lower()
    said = Draft(f"doesn't {verb} {turned(value)}", 'preference', importance=_TASTE)
    return [*_denied(('like', 'love', 'enjoy', verb), value, ctx), said]


def _denied(verbs: Iterable[str], value: str, ctx: Context) -> Iterator[Draft]:
    """The end of each memory that says just what is now denied."""
    lead = f'{ctx.name} ' if ctx.name else ''
    texts = {f'{lead}{third(verb)} {turned(value)}'.lower() for verb in verbs}
    for record in ctx.existing:
        if record.text.lower() in texts:
            yield Draft('', record.kind, op='retract', target=record.id)


def _anymore(text: str) -> bool:
    return re.search(r'\bany ?(?:more|longer)\b', text, re.IGNORECASE) is not None


def _not_fan(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    return (
        Draft(f'dislikes {turned(value)}', 'preference', importance=_TASTE) if value and not is_vague(value) else None
    )


def _fan(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or re.match(r'(?:the )?(?:idea|way)\b', value):
        return None
    what = {'into': 'is into'}.get(m['how'].lower().split()[-1]) or f'is {m["how"].lower()}'
    return Draft(f'{what} {turned(value)}', 'preference', importance=_TASTE)


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
    return Draft(f'prefers {turned(value)}', 'preference', slot=slot, value=first if slot else None, importance=_TASTE)


_THINGS = r'(?P<what>[a-z][a-z-]{1,18}(?:\s[a-z][a-z-]{1,18}){0,3})'
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
    slot = None if plural else 'favourite.' + what.replace(' ', '-')
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
        slot='favourite.' + what.replace(' ', '-'),
        value=value,
        importance=_TASTE,
    )


# Food and health


def _diet(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(ctx.timeless(m['v']), limit=5)
    soft = re.match(r'(?:mostly|mainly|usually|strictly|fully|now)\s', value)
    plain = re.sub(
        r'^(?:(?:an?|mostly|mainly|usually|strictly|fully|now|strict|lifelong|committed)\s){0,3}', '', value.lower()
    )
    plain = re.sub(r'\s(?:diet|food|person|meals)$', '', plain)
    if plain not in DIETS:
        return None
    since = ctx.since(m['v'])
    if re.search(r'\b(?:eat|follow|on|keep|following)\b', m['how'].lower()):
        return Draft(
            f'follows a {plain} diet', 'preference', slot='diet', value=plain, importance=0.8, valid_from=since
        )
    lead = f'{soft[0].strip()} ' if soft and soft[0].strip() in ('mostly', 'mainly') else ''
    return Draft(f'is {lead}{plain}', 'preference', slot='diet', value=plain, importance=0.8, valid_from=since)


_FOOD_VERB = r'(?P<verb>eat|drink|smoke|cook with|touch|consume|do)'


def _eats_not(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'] or '', limit=6)
    if (value and is_vague(value)) or _anymore(m['v'] or ''):
        return None
    verb = m['verb'].lower()
    if verb in ('do', 'touch') and not re.match(
        r'(?:dairy|gluten|sugar|drugs|alcohol|meat|caffeine|spicy|carbs|pork|coffee|seafood)\b', value
    ):
        return None
    if not value and verb == 'eat':
        return None
    if re.match(r'(?:when|at|before|after|enough|well|out|that|for)\b', value):
        return None
    value = value or ('alcohol' if verb == 'drink' else '')
    said = Draft(f"doesn't {verb} {turned(value)}".rstrip(), 'preference', importance=0.75)
    return [*_denied((verb,), value, ctx), said]


def _never_eats(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=6)
    if not value or is_vague(value) or ctx.times(value):
        return None
    return Draft(f'never {third(m["verb"])} {turned(value)}', 'preference', importance=0.7)


def _eats_only(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=6)
    if not value or is_vague(value):
        return None
    return Draft(f'only {third(m["verb"])} {turned(value)}', 'preference', importance=0.7)


def _avoids(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=7)
    if not value or is_vague(value) or ctx.times(value):
        return None
    return Draft(f'avoids {turned(value)}', 'preference', importance=0.65)


def _allergic(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if (
        not value
        or is_vague(value)
        or re.match(
            r'(?:\w+days?|work|people|bullshit|nonsense|drama|exercise|commitment|mornings)$', value, re.IGNORECASE
        )
    ):
        return None
    how = ' '.join(m['how'].lower().split())
    return Draft(f'is {how} {turned(value)}', 'constraint', importance=0.9)


def _has_allergy(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['what'], limit=5)
    if not value or is_vague(value):
        return None
    return Draft(f'has {m["a"].lower()} {value} {m["kind"].lower()}', 'constraint', importance=0.9)


def _intolerant(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["what"].lower()} intolerant', 'constraint', importance=0.9)


def _condition(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=5)
    plain = re.sub(r'^(?:severe|mild|chronic|bad|really bad)\s', '', value.lower())
    if (
        plain not in CONDITIONS
        or (value.lower() == 'add' and value != 'ADD')
        or (value.lower() == 'ms' and value != 'MS')
    ):
        return None
    return Draft(f'has {value}', 'constraint', importance=0.85, valid_from=None)


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
    rule(
        r"(?P<how>(?:i'?m|i am|we're)(?:(?: also| still| currently| now| both)?(?: on(?: an?)?| following an?)?))\s<V>",
        _diet,
    ),
    rule(
        r'(?P<how>(?:i|we)\s(?:strictly |mostly |only |also )?(?:eat|follow|keep|became|went|turned)(?: an?)?)\s<V>',
        _diet,
    ),
    rule(r"(?P<how>(?:i've|i have|we've)\s(?:been|gone|become|turned)(?: an?)?)\s<V>", _diet),
    rule(
        rf"(?:i|we)\s(?:really |just |generally |strictly )?(?:don't|dont|do not)\s{_FOOD_VERB}(?:\s<V>|$)".replace(
            '<V>', r'(?P<v>.{1,400})'
        ),
        _eats_not,
    ),
    rule(r'(?:i|we)\snever\s(?P<verb>eat|drink|smoke)\s<V>', _never_eats),
    rule(r'(?:i|we)\sonly\s(?P<verb>eat|drink)\s<V>', _eats_only),
    rule(r'<I>avoid\s<V>', _avoids),
    rule(
        r'(?:i (?:just |recently )?(?:found out|learned|learnt'
        r'|discovered)(?: recently)?(?: that)?\s)?<AM>(?:severely |highly |very |deathly |mildly '
        r'|slightly )?(?P<how>allergic to|intolerant to|sensitive to)\s<V>',
        _allergic,
    ),
    rule(
        r'<I>have\s(?P<a>an?)\s(?P<what>(?:[a-z-]{2,16}\s){1,3}?)(?P<kind>allergy|intolerance|sensitivity)\b',
        _has_allergy,
    ),
    rule(r'<AM>(?P<what>lactose|gluten|dairy|fructose|histamine)[- ]intolerant', _intolerant),
    rule(r'<I>(?:have|suffer from|live with)\s<V>', _condition),
    rule(r"(?:i was|i've been|i have been|i got)\s(?:recently |just )?diagnosed with\s<V>", _condition),
)
