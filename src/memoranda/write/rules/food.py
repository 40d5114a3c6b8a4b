"""What the speaker eats and drinks, avoids, and must not have."""

from __future__ import annotations

import re

from memoranda.write.rules.claims import superseding, without_name
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_vague, third, turned
from memoranda.write.rules.words import CONDITIONS, DIETS

__all__ = ['RULES']

_TASTE = 0.6


def _anymore(text: str) -> bool:
    return re.search(r'\bany ?(?:more|longer)\b', text, re.IGNORECASE) is not None


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
    return superseding(said, [r for r in ctx.existing if without_name(r, ctx) == f'{third(verb)} {value.lower()}'])


def _never_eats(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=6)
    if not value or is_vague(value) or (ctx.times(value) and not re.search(r'days$', value)):
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


def _how_taken(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'{third(m["verb"])} their {m["v"].lower()}', 'preference', importance=_TASTE)


_ABSTAINED = {
    'eaten': 'eaten',
    'drunk': 'drunk',
    'drank': 'drunk',
    'smoked': 'smoked',
    'had': 'had',
    'touched': 'touched',
}


def _has_not(m: re.Match[str], ctx: Context) -> Drafts:
    """`I haven't eaten meat for three years`."""
    since, value = ctx.since(m.string), cut(m['v'] or '', limit=3)
    if (
        since is None
        or (ctx.base - since).days < 60
        or (value and is_vague(value))
        or not (value or m['verb'] == 'smoked')
    ):
        return None
    said = f"hasn't {_ABSTAINED[m['verb'].lower()]} {turned(value)}".rstrip()
    when = f'around {since.year}' if (ctx.base - since).days > 360 else f'{since:%B} {since.year}'
    return Draft(f'{said} since {when}', 'preference', importance=_TASTE, valid_from=since)


RULES = (
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
    rule(r'(?:i|we)\snever\s(?P<verb>eat|drink|smoke|fly|wear|buy)\s<V>', _never_eats),
    rule(r'(?:i|we)\snever\s(?P<verb>work)\s(?=on \w+days\b|weekends|nights|after \d)<V>', _never_eats),
    rule(r'(?:i|we)\sonly\s(?P<verb>eat|drink)\s<V>', _eats_only),
    rule(r'<I>avoid\s<V>', _avoids),
    rule(
        r'<I>(?P<verb>take|drink|have)\smy\s(?P<v>(?:coffee|tea|espresso|steak|eggs|whisk[e]?y)\s(?:black|white'
        r'|plain|neat|strong|weak|rare'
        r'|medium(?:[- ]rare)?|well[- ]done|scrambled|with (?:milk|sugar|lemon|oat milk)|without (?:milk|sugar)|on '
        r'the rocks))$',
        _how_taken,
    ),
    rule(
        r"<I>(?:haven't|have not)\s(?P<verb>eaten|drunk|smoked|had|touched)(?:\s(?:any\s)?(?P<v>[a-z]+(?: "
        r'[a-z]+)?))??\s(?:for|since|in)\s.{3,30}$',
        _has_not,
    ),
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
