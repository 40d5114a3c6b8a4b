"""Family, partners, friends and pets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memoranda.timewords import TimeSpan, say_time
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import NUMBER, cut, is_name, is_vague, turned
from memoranda.write.rules.words import KIN, NATIONALITIES, PETS

__all__ = ['RULES', 'named']

_KIN = '(?:' + '|'.join(sorted((re.escape(k) for k in KIN), key=len, reverse=True)) + ')'
_PET = '(?:' + '|'.join(sorted(PETS, key=len, reverse=True)) + ')'
_WHO = rf'(?P<who>(?:late |new |old |other |twin |beloved )?(?:{_KIN}|{_PET}))'
_NAMED = r"(?P<name>[A-ZÀ-Þ](?:'[A-Z])?[\w-]{1,20}(?:\s[A-ZÀ-Þ](?:'[A-Z])?[\w-]{1,20}){0,2})"
_PARTNERS = {
    'wife': 'relationship.spouse',
    'husband': 'relationship.spouse',
    'spouse': 'relationship.spouse',
    'girlfriend': 'relationship.partner',
    'boyfriend': 'relationship.partner',
    'partner': 'relationship.partner',
    'fiancé': 'relationship.partner',
    'fiancée': 'relationship.partner',
    'fiance': 'relationship.partner',
    'fiancee': 'relationship.partner',
}
_NOT_NAMES = frozenset(
    'monday tuesday wednesday thursday friday saturday sunday january february march april may june july august '
    "september october november december i i'm english french german spanish christmas easter american".split(' ')
)


def _called(who: str, name: str) -> Draft | None:
    if name.split(maxsplit=1)[0].lower() in _NOT_NAMES or not is_name(name):
        return None
    who = who.lower()
    if who in PETS:
        article = 'an' if who[0] in 'aeiou' else 'a'
        return Draft(f'has {article} {who} called {name}', 'relationship', importance=0.65)
    slot = _PARTNERS.get(who)
    return Draft(
        f'{who} is called {name}', 'relationship', form='owns', slot=slot, value=name if slot else None, importance=0.7
    )


def _kin_called(m: re.Match[str], ctx: Context) -> Drafts:
    return _called(m['who'], m['name'])


_COUNTS = {2: 'two', 3: 'three', 4: 'four', 5: 'five'}


def _has(m: re.Match[str], ctx: Context) -> Drafts:
    """`I have two kids`, `I have a dog called Rex`."""
    what = m['what'].lower()
    name = m['name']
    if name and (name.split()[0].lower() in _NOT_NAMES or not is_name(name.split(' and ')[0].split(',')[0])):
        return None
    if not name and (listed := _LISTED.match(m.string, m.end())):
        count = len(re.split(r',\s|\sand\s|\s&\s', listed['names']))
        name = listed['names'] if what.split()[0] in (_COUNTS.get(count), str(count)) else None
    called = f' called {name}' if name else ''
    drafts = [Draft(f'has {what}{called}', 'relationship', importance=0.65, valid_from=ctx.since(m.string))]
    more = _AND_PET.match(m.string, m.end())
    if more:
        named_ = f' called {more["name"]}' if more['name'] else ''
        drafts.append(Draft(f'has {more["what"].lower()}{named_}', 'relationship', importance=0.65))
    return drafts


def _status(m: re.Match[str], ctx: Context) -> Drafts:
    status = m['s'].lower()
    whom = m['to'] or ''
    if whom and not is_name(whom):
        whom = ''
    to = f' to {whom}' if whom else ''
    drafts = [
        *(_parted(ctx, both=status == 'single') if status in ('single', 'divorced') else ()),
        Draft(
            f'is {status}{to}',
            'relationship',
            slot='relationship.status',
            value=status,
            importance=0.7,
            valid_from=ctx.since(m.string),
        ),
    ]
    if whom and status == 'married':
        drafts.append(_spouse(whom))
    return drafts


def _spouse(name: str) -> Draft:
    return Draft(
        f'spouse is called {name}',
        'relationship',
        form='owns',
        slot='relationship.spouse',
        value=name,
        importance=0.7,
    )


_SPOUSE = re.compile(r"(?:.{1,60}'s\s)?(?:wife|husband|spouse)\b", re.IGNORECASE)
_PARTNER = re.compile(
    r"(?:.{1,60}'s\s)?(?:wife|husband|spouse|girlfriend|boyfriend|partner|fianc[eé]e?)\b|(?:.{1,60}\s)?has an? "
    r'(?:wife|husband|spouse|girlfriend|boyfriend|partner|fianc[eé]e?)\b',
    re.IGNORECASE,
)


def _parted(ctx: Context, *, both: bool) -> Iterator[Draft]:
    """What ends with a marriage, or with being a couple at all (`both`)."""
    slots = ('relationship.spouse', 'relationship.partner') if both else ('relationship.spouse',)
    for record in ctx.existing:
        slot = (record.slot or '').partition('@')[0]
        if slot in slots or (not slot and (_PARTNER if both else _SPOUSE).match(record.text)):
            yield Draft('', record.kind, op='retract', target=record.id)


_LONG_AGO = 400
"""Days after which a divorce says nothing about the marriage that is remembered."""


def _wed(m: re.Match[str], ctx: Context) -> Drafts:
    """`I got divorced last year`, `I got married to Jonas`: what holds from then on, and the day itself."""
    status = 'divorced' if m['what'].lower().endswith('divorced') else 'married'
    spans = [s for s in (*ctx.times(m.string), *([ctx.when] if ctx.when else [])) if not s.is_open]
    span = spans[0] if spans else None
    if (span is not None and span.begin > ctx.base) or re.search(r'\bwhen\b|\bbefore\b', m.string, re.IGNORECASE):
        return None
    since = ctx.since(m.string) if span is not None else None
    whom = m['to'] if m['to'] and is_name(m['to']) and m['to'].lower() not in _NOT_NAMES else ''
    joined = 'to' if status == 'married' else 'from'
    dated = [_wedding(f'{m["what"].lower()}{f" {joined} {whom}" if whom else ""}', span)] if span is not None else []
    if status == 'divorced' and span is not None and (ctx.base - span.until).days > _LONG_AGO:
        return dated
    now = Draft(
        f'is {status}', 'relationship', slot='relationship.status', value=status, importance=0.7, valid_from=since
    )
    ended = list(_parted(ctx, both=True)) if status == 'divorced' else []
    return [*ended, now, *([_spouse(whom)] if whom and status == 'married' else []), *dated]


def _wedding(what: str, span: TimeSpan) -> Draft:
    return Draft(
        f'{what} {say_time(span)}'.rstrip(),
        'event',
        confidence=0.85,
        importance=0.4,
        valid_from=span.begin,
    )


def _parent(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["p"].lower()}', 'relationship', importance=0.7)


def _kin_lives(m: re.Match[str], ctx: Context) -> Drafts:
    """A fact about somebody near to the speaker, never about the speaker."""
    verb, rest = m['verb'].strip().lower(), cut(m['v'], limit=9)
    if not rest or is_vague(rest):
        return None
    # `is` says something lasting only before an article, a place or an age: not `my sister is tired`.
    lasting = verb not in ('is', "'s") or re.match(
        rf'(?:(?:an?|allergic|from)\s|{NUMBER}\s(?:years?|months?) old|{NUMBER}$|vegan|vegetarian|pregnant|married)',
        rest,
    )
    if not lasting or re.match(
        r'an? (?:bit|lot|great|good|bad|huge|little|big|constant|pain|blessing|mess|joy|star|real'
        r'|true|total|wonderful|saint|legend|gift)\b',
        rest,
    ):
        return None
    if verb == 'moved' and not re.match(r'(?:back )?to [A-ZÀ-Þ]', rest):
        return None
    verb = 'is' if verb == "'s" else verb
    if re.fullmatch(NUMBER, rest):
        rest += ' years old'
    return Draft(
        f'{m["who"].lower()} {verb} {turned(ctx.dated(rest))}',
        'relationship',
        form='owns',
        importance=0.5,
        confidence=0.85,
    )


def _kins_live(m: re.Match[str], ctx: Context) -> Drafts:
    rest = cut(m['v'], limit=6)
    if not rest or is_vague(rest) or not re.search(r'(?:^|\s)[A-ZÀ-Þ]', rest):
        return None
    verb = m['verb'].lower().replace('named', 'called')
    return Draft(
        f'{m["who"].lower()} {verb} {turned(rest)}', 'relationship', form='owns', importance=0.5, confidence=0.85
    )


def _got_engaged(m: re.Match[str], ctx: Context) -> Drafts:
    draft = Draft(
        'is engaged',
        'relationship',
        slot='relationship.status',
        value='engaged',
        importance=0.7,
        valid_from=ctx.since(m.string),
    )
    name = m['to'] or ''
    if not is_name(name) or name.lower() in _NOT_NAMES:
        return draft
    partner = Draft(
        f'partner is called {name}',
        'relationship',
        form='owns',
        slot='relationship.partner',
        value=name,
        importance=0.7,
    )
    return [draft, partner]


def _died(m: re.Match[str], ctx: Context) -> Drafts:
    who = m['who'].lower()
    spans = ctx.times(m.string) or ([ctx.when] if ctx.when else [])
    when = say_time(spans[0]) if spans else ''
    gone = [
        Draft('', r.kind, op='retract', target=r.id)
        for r in (ctx.existing if who in PETS else ())
        if re.search(rf'\bhas an? {who}\b', r.text, re.IGNORECASE) and (not m['name'] or m['name'] in r.text)
    ]
    said = Draft(
        f'{who} {m["verb"].lower()} {when}'.rstrip(),
        'relationship',
        form='owns',
        importance=0.6,
        valid_from=spans[0].begin if spans and not spans[0].is_open else None,
    )
    return [*(gone if len(gone) == 1 else ()), said]


_SOME_PETS = (
    rf'(?:an?|{NUMBER}|a couple of)\s(?:(?!called|named|of|class|object|table|list'
    rf'|function)[a-z-]{{3,14}}\s){{0,2}}?(?:{_PET})(?:s|es)?'
)
_SOME_KIN = (
    rf'(?:an?|{NUMBER}|a couple of|no)\s(?:(?:older|younger|little|big|twin|half|step|beautiful'
    rf'|wonderful|amazing|great|young|grown|adult|small|teenage)\s)?'
    r'(?:kids?|child(?:ren)?|sons?|daughters?|brothers?|sisters?|siblings?|grandkids'
    r'|grandchildren|grandsons?|granddaughters?|nieces?|nephews?|twins|wife|husband|girlfriend'
    r'|boyfriend|partner|roommates?|cousins)'
    r'(?:\sand\s(?:an?|one|two|three|four)\s(?:(?:older|younger|little|big)\s)?(?:sons?'
    r'|daughters?|brothers?|sisters?))?'
)
_CALLED = (
    r"(?:,?\s(?:called|named|whose name is)\s(?P<name>[A-ZÀ-Þ][\w'-]{1,20}(?:(?:,\s|\sand\s"
    r"|\s&\s)[A-ZÀ-Þ][\w'-]{1,20}){0,4}))?"
)
_END = r'(?=$|[,;]|\s(?:and|who|that|in|with|at|now|too|together|he|she|they|whom|so|but|aged|ages?)\b)'

_AND_PET = re.compile(
    rf"\sand\s(?P<what>{_SOME_PETS})(?:\s(?:called|named)\s(?P<name>[A-ZÀ-Þ][\w'-]{{1,20}})|(?=$|[,;.]))"
)


_LISTED = re.compile(
    r',\s(?P<names>[A-ZÀ-Þ][\w\'-]{1,20}(?:,\s[A-ZÀ-Þ][\w\'-]{1,20}){0,3}(?:,)?\s(?:and|&)\s[A-ZÀ-Þ][\w\'-]{1,20})$'
)


def _is_kin(m: re.Match[str], ctx: Context) -> Drafts:
    """`Tom is my brother`."""
    return None if m['name'].lower() in NATIONALITIES else _called(m['who'], m['name'])


def _kin_is(m: re.Match[str], ctx: Context) -> Drafts:
    return None if m['name'].lower() in NATIONALITIES else _called(m['who'], m['name'])


RULES = (
    rule(rf"my {_WHO}(?:'s| is)\s(?-i:{_NAMED})$", _kin_is),
    rule(rf"(?-i:{_NAMED})(?:'s| is)\s(?:now )?my\s{_WHO}(?: now)?$", _is_kin),
    rule(rf"my {_WHO}(?:'s name is| is called| is named|'s called|'s named|\sname is)\s(?-i:{_NAMED})", _kin_called),
    rule(rf'<I>(?:have|have got|own|adopted|rescued)\s(?P<what>{_SOME_PETS})(?-i:{_CALLED}){_END}', _has),
    rule(rf'<HAVE>(?:got|adopted|rescued)?\s?(?P<what>{_SOME_PETS})(?-i:{_CALLED}){_END}', _has),
    rule(rf'<I>(?:have|have got)\s(?P<what>{_SOME_KIN})(?-i:{_CALLED}){_END}', _has),
    rule(rf'<HAVE>got\s(?P<what>{_SOME_KIN})(?-i:{_CALLED}){_END}', _has),
    rule(
        r'<AM>(?:happily |recently |newly )?(?P<s>married|single|divorced|engaged|widowed'
        r'|separated|a widow|a widower)(?: to (?:my (?:wife|husband|partner|boyfriend'
        r"|girlfriend),?\s)?(?P<to>[A-ZÀ-Þ][\w'-]{1,20}(?:\s[A-ZÀ-Þ][\w'-]{1,20})?))?(?=$|[,.;]"
        r'|\s(?:to|with|and|now|for|since|in|but|too)\b)',
        _status,
    ),
    rule(
        r'<I>(?:just\s|recently\s|finally\s)?(?P<what>got (?:divorced|married))'
        r"(?:\s(?:to|from)\s(?-i:(?P<to>[A-ZÀ-Þ][\w'-]{1,20}(?:\s[A-ZÀ-Þ][\w'-]{1,20})?)))?"
        r'(?=$|[,.;]|\s(?:to|from|in|on|at|last|this|yesterday|today|an?|one|two|three|four|five|\d+|recently|back'
        r'|earlier|just|with|during)\b)',
        _wed,
    ),
    rule(
        r"(?:i|we)(?:'ve)?\s(?:just\s|recently\s|finally\s)?got engaged(?:\sto\s(?-i:(?P<to>[A-ZÀ-Þ][\w'-]{1,20})))?"
        r'(?=$|[,.;]|\s(?:to my|in|on|at|last|this|yesterday|today|a|two|three|and)\b)',
        _got_engaged,
    ),
    rule(
        r'my (?P<who>parents|grandparents|kids|children|brothers|sisters|siblings|in-laws|sons|daughters|cats|dogs'
        r'|twins)\s'
        r'(?P<verb>live|work|study|are called|are named)\s<V>',
        _kins_live,
    ),
    rule(
        r'<AM>(?P<p>an? (?:(?:single|proud|new|foster|adoptive|stay-at-home|working|full-time'
        r'|busy)\s){0,2}(?:parent|mom|mum|mother|dad|father|grandmother|grandfather|grandma'
        r'|grandpa)(?: (?:of|to) (?:' + NUMBER + r')(?: (?:kids|children|boys|girls|sons|daughters|cats|dogs))?)?)$',
        _parent,
    ),
    rule(
        rf'my {_WHO}(?:,?\s(?-i:{_NAMED}),?)?(?P<verb>\s(?:lives|works|studies|teaches|is|loves|hates|likes|moved)'
        rf"|'s)\s<V>",
        _kin_lives,
    ),
    rule(rf'(?:my|our) {_WHO}(?:,?\s(?-i:{_NAMED}),?)?\s(?P<verb>died|passed away)\b', _died),
)

_ANYWHERE = re.compile(rf"\b[Mm]y {_WHO},?\s{_NAMED}(?=$|[,;]|\s[a-z(&-]|'s\b)")


def named(text: str) -> Iterator[tuple[Draft, int, int]]:
    """Everybody a statement names in passing, with the span."""
    for m in _ANYWHERE.finditer(text):
        draft = _called(m['who'], m['name'])
        if draft is not None:
            yield draft, m.start(), m.end()
