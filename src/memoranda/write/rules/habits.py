"""What the speaker does again and again: plays, wakes at six, shares a flat."""

from __future__ import annotations

import re

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_vague, third, turned

__all__ = ['RULES']

_OFTEN = re.compile(
    r'\b(?:every(?:\s\w+)?\s(?:day|morning|evening|night|week|weekend|month|year|summer|winter|sunday|monday|tuesday'
    r'|wednesday|thursday|friday|saturday)|(?:once|twice|three times|\d times) (?:a|per) (?:day|week|month|year)|daily'
    r'|weekly|on (?:weekends|weekdays|mon|tues|wednes|thurs|fri|satur|sun)?(?:days)?|in the (?:mornings?|evenings?)'
    r'|at \d{1,2}(?::\d\d)?\s?(?:am|pm)?|from \d{1,2}(?:\s?[ap]m)? to \d{1,2}(?:\s?[ap]m)?|before work|after work)$',
    re.IGNORECASE,
)
_LASTING = re.compile(r'\b(?:usually|always|normally|typically|often|regularly|every|daily|twice|once|weekly|times)\b')
_PLAYED = (
    r'(?:the\s)?(?:(?:acoustic|electric|bass|classical|jazz|competitive|video|board|online'
    r'|indoor|beach|table|pickup)\s)?'
    r'(?:guitar|piano|violin|drums|cello|flute|sax|saxophone|clarinet|ukulele|trumpet|bass|banjo|keyboard|harp|viola'
    r'|accordion|harmonica|oboe|trombone|mandolin|organ|bassoon|french horn|bagpipes'
    r'|table tennis|water polo|tennis|football|soccer|basketball|baseball|volleyball|badminton'
    r'|squash|golf|hockey|rugby|cricket'
    r'|chess|poker|bridge|games|padel|pickleball|handball|ping pong|softball|lacrosse|polo|darts|pool|minecraft|d&d)'
)


def _plays(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if not re.match(_PLAYED + r'\b', value, re.IGNORECASE) or is_vague(value, definite=True) or _once(value, ctx):
        return None
    return Draft(f'plays {turned(value)}', 'profile', importance=0.55)


def _played(m: re.Match[str], ctx: Context) -> Drafts:
    """`I've played the cello since I was six`."""
    if not re.search(r'\b(?:since|for)\b', ctx.sentence, re.IGNORECASE):
        return None  # `I've played chess` may have been once
    return Draft(f'plays {m["what"].lower()}', 'profile', importance=0.55, valid_from=ctx.since(m.string))


_NO_HOBBY = frozenset(
    'want need have like love hate try think know feel get was were can could will would should must might am hope '
    'wish go '
    'see say tell find use just also really never always mostly usually sometimes often mainly'.split(' ')
)


def _hobby(m: re.Match[str], ctx: Context) -> Drafts:
    """`As a hobby I restore typewriters`."""
    verb, value = m['verb'].lower(), cut(m['v'], limit=8)
    if verb in _NO_HOBBY or verb.endswith(('ed', 'ing')) or not value or is_vague(value) or ctx.times(value):
        return None
    return Draft(f'{third(verb)} {turned(value)}', 'preference', importance=0.6)


_DOES_SO = frozenset('sing dance knit crochet sew surf ski snowboard juggle skateboard fence kayak'.split(' '))


def _does(m: re.Match[str], ctx: Context) -> Drafts:
    """`I collect stamps`, `I sing in a choir`."""
    verb, value = m['verb'].lower(), cut(m['v'] or '', limit=6)
    if (m['v'] and not value) or (value and is_vague(value)) or ctx.times(m['v'] or '') or _NOT_COLLECTED.search(value):
        return None
    if verb == 'collect' and not re.match(r'[a-z]+ ?[a-z]*s$|(?:old|vintage|rare|antique) [a-z]+', value):
        return None
    if verb in _DOES_SO and value and not re.match(r'in an?\s|salsa|tango|ballet|swing|jazz', value):
        return None
    return Draft(f'{third(verb)} {turned(value)}'.rstrip(), 'preference', importance=0.55)


_NOT_COLLECTED = re.compile(
    r'\b(?:logs|metrics|events|rows|data|stats|statistics|files|results|errors|answers|ideas|requirements|points'
    r'|items|values|messages)$',
    re.IGNORECASE,
)


def _hobby_is(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10, commas=True)
    if (
        not value
        or is_vague(value)
        or ctx.times(value)
        or re.match(r'(?:not|to|that|when|how|what|very|a bit)\b', value)
    ):
        return None
    what = m['what'].lower()
    return Draft(
        f'{what} {"are" if m["be"].lower() == "are" else "is"} {turned(value)}',
        'preference',
        form='owns',
        importance=0.6,
    )


def _once(value: str, ctx: Context) -> bool:
    """A single time (`on Sunday`), where a habit says `on Sundays`."""
    return bool(ctx.times(value)) and not _LASTING.search(value)


def _routine(m: re.Match[str], ctx: Context) -> Drafts:
    text = re.split(r',\s|\s(?:because|so|but|and then)\s', m['v'], maxsplit=1)[0].rstrip(' .!')
    if not _OFTEN.search(text) or len(text.split()) > 10 or is_vague(text, definite=True):
        return None
    if not (m['how'] or _LASTING.search(text) or re.search(r'\d|days$|mornings$|evenings$|weekends$', text)):
        return None
    verb = m['verb'].lower()
    how = f'{m["how"].strip().lower()} ' if m['how'] else ''
    return Draft(f'{how}{third(verb)} {turned(text)}', 'profile', importance=0.5, confidence=0.8)


def _lives_with(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if value != 'alone' and (not re.match(r'with (?:my|our|an?|two|three|four|\d)\s', value) or is_vague(value)):
        return None
    if re.match(r'with (?:an?|my) (?:\w+ )?(?:fear|regret|pain|feeling|choice|decision|mistake|guilt)', value):
        return None
    return Draft(f'lives {turned(value)}', 'relationship', importance=0.6)


RULES = (
    rule(r'<I>play\s<V>', _plays),
    rule(rf'<I>(?P<verb>collect|{"|".join(sorted(_DOES_SO))})(?:\s<V>|$)'.replace('<V>', r'(?P<v>.{1,80})'), _does),
    rule(rf'<HAVE>(?:played|been playing)\s(?P<what>{_PLAYED})(?=$|[,;]|\s(?:since|for|ever since|and)\b)', _played),
    rule(
        r'(?:[^:.?!]{0,40}\bmy (?:\w+ )?(?:hobby|hobbies|passion|pastime)\b[^:.?!]{0,20}:\s|as a hobby,?\s|for fun,?\s'
        r'|in my (?:spare|free) time,?\s)i\s(?P<verb>[a-z]{3,12})\s<V>',
        _hobby,
    ),
    rule(r'i\s(?P<verb>[a-z]{3,12})\s(?P<v>[^,;]{3,60}?)\s(?:as a hobby|in my (?:spare|free) time)$', _hobby),
    rule(
        r"my (?P<what>(?:(?:main|favou?rite|biggest)\s)?(?:hobby|hobbies|pastime))\s(?P<be>is|are|'s)\s<V>", _hobby_is
    ),
    rule(
        r'(?:i|we)\s(?P<how>(?:usually|always|normally|typically|often)\s)?(?P<verb>go|run|swim'
        r'|wake|get|work|train|exercise|walk'
        r'|cycle|commute|meditate|practi[cs]e|volunteer|study|read|cook|bike|hike|play|eat|drink|take)\s<V>',
        _routine,
    ),
    rule(r'<I>live\s(?=alone|with)<V>', _lives_with),
)
