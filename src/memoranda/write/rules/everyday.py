"""Plain things many people say of their days: how they get to work, what they teach, what they have none of."""

from __future__ import annotations

import re
from dataclasses import replace

from memoranda.timewords import say_time
from memoranda.write.rules.claims import same_claim, without_name
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_vague, third, turned
from memoranda.write.rules.known import find_about, newest
from memoranda.write.rules.places import place
from memoranda.write.rules.tools import is_tool
from memoranda.write.rules.words import KIN

__all__ = ['FIRST_RULES', 'RULES', 'SPOKEN_RULES', 'dropped']

# A sentence that begins without its subject: `Can't stand cilantro`

_DROPPED = (
    (re.compile(r"(?:can't|cant|cannot) stand\s", re.IGNORECASE), 'I '),
    (re.compile(r'(?:ditched|swapped|dumped|replaced)\s.{2,30}\s(?:for|with)\s', re.IGNORECASE), 'I '),
    (re.compile(r'gave up (?:on |\w+ing )', re.IGNORECASE), 'I '),
    (re.compile(r'(?:got|passed) my\s', re.IGNORECASE), 'I '),
    (re.compile(r'(?:saving(?: up)?|prepping|preparing|training|studying) for\s|allergic to\s', re.IGNORECASE), "I'm "),
    (re.compile(r'been (?:living|working|playing|learning|vegan|vegetarian)\s', re.IGNORECASE), "I've "),
)
_OTHER_SAID = re.compile(r"\b(?:is|are|was|were|would|will|should|you|your|he|she|they|his|her)\b|'s\b", re.IGNORECASE)


def dropped(text: str, ctx: Context) -> str:
    """The words left out before a clause that opens a message, or nothing."""
    if ctx.before.strip() or (ctx.asked and not ctx.asked.rstrip().endswith(('.', '!'))) or _OTHER_SAID.search(text):
        return ''
    return next((subject for pattern, subject in _DROPPED if pattern.match(text)), '')


def _commute(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.split(r'\sso\s', m['v'], maxsplit=1)[0], limit=8)
    if not re.search(r'\d|\bhour|\bminutes?\b', value) or is_vague(value):
        return None
    return Draft(f'commute is {turned(value)}', 'profile', form='owns', importance=0.5)


def _rides(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'{third(m["verb"].lower())} {m["v"].lower()}', 'profile', importance=0.5)


_NOT_TAUGHT = re.compile(r'(?:me|you|him|her|them|us|people|myself|my|a lot|how|that|what|it)\b', re.IGNORECASE)


def _uses_not(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=3)
    if not is_tool(value):
        return None
    return Draft(f"doesn't use {turned(value)}", 'knowledge', importance=0.6)


def _teaches(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=12)
    if not value or _NOT_TAUGHT.match(value) or is_vague(value) or not re.search(r'\s(?:at|to|in)\s', value):
        return None
    return Draft(f'teaches {turned(value)}', 'profile', importance=0.7)


_NOT_DONE = frozenset('want need have like love hate try think know feel get see say wish hope'.split(' '))


def _for_a_living(m: re.Match[str], ctx: Context) -> Drafts:
    verb, value = m['verb'].lower(), cut(m['v'], limit=7)
    if verb in _NOT_DONE or verb.endswith('ed') or not value or is_vague(value):
        return None
    where = _WITH_NAME.match(m.string, m.end())
    return Draft(
        f'{third(verb)} {turned(value)} for a living{where[0].lstrip(",") if where else ""}', 'profile', importance=0.75
    )


_WITH_NAME = re.compile(
    r"(?i:,?\s(?:at|for|with)\san?\s(?:\w+\s){1,3}(?:called|named)\s)[A-ZÀ-Þ][\w&'’-]*(?: [A-ZÀ-Þ][\w&'’-]*){0,3}"
)
"""A place of work told beside what one does."""


def _never_been(m: re.Match[str], ctx: Context) -> Drafts:
    where = place(cut(re.sub(r'\s(?:before|yet|so far|in my life)$', '', m['v']), limit=4))
    return Draft(f'has never been to {where}', 'profile', importance=0.5) if where else None


_NONE_OF = re.compile(
    r'(?:an?\s)?(?:car|oven|dishwasher|garden|passport|smartphone|tv|balcony|freezer'
    r"|(?:driving |driver's )?licen[cs]e)$"
    r'|(?:any\s)?(?P<kin>siblings|kids|children|pets|brothers|sisters)$',
    re.IGNORECASE,
)


def _has_none(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.split(r'\s(?:so|and|but)\s', m['v'], maxsplit=1)[0], limit=4)
    found = _NONE_OF.match(value)
    if found is None or ctx.times(m['v']):
        return None
    kin = found['kin']
    said = re.sub(r'^(?:an?|any)\s', '', value)
    return Draft(f'has no {turned(said)}', 'relationship' if kin else 'constraint', importance=0.65)


def _bores(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['v0'].strip()
    if is_vague(value) or re.search(r"\b(?:i|i'm|that|who|and|but|my|was)\b", value, re.IGNORECASE):
        return None
    return Draft(f'dislikes {turned(value)}', 'preference', importance=0.5, confidence=0.8)


_GONE_OFF = re.compile(
    r"\b(?:gone off|went off|sick of|tired of|done with)\s(?P<old>[\w' -]{2,30}?)(?:\stbh)?[,;.]", re.I
)


def _go_to(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['v0'].strip()
    if is_vague(value) or len(value.split()) > 4 or re.search(r'\b(?:i|my|which|who|and|was|not)\b', value, re.I):
        return None
    what = f'go-to {m["what"].lower()}' if m['what'] else 'go-to'
    draft = Draft(f'{what} is {turned(value)}', 'preference', form='owns', importance=0.55)
    old = _GONE_OFF.search(ctx.sentence)
    record = find_about(ctx.existing, old['old']) if old else None
    return draft if record is None else replace(draft, op='supersede', target=record.id)


def _machine(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or not (re.search(r'\b[A-Z]\w', value) or is_tool(bare(value))):
        return None
    return Draft(f'{m["what"].lower()} is {turned(value)}', 'knowledge', form='owns', importance=0.55)


_PAPER = (
    r"(?:certificate|certification|diploma|driving licen[cs]e|driver's licen[cs]e|pilot'?s? licen[cs]e|citizenship"
    r'|green card|black belt|driving test|phd)'
)


def _got_paper(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(ctx.timeless(m['v']), limit=8)
    if not value or is_vague(value) or re.search(r'\b(?:wrong|back|stolen|lost|renewed|taken)\b', value):
        return None
    spans = [*ctx.times(m['v']), *([ctx.when] if ctx.when else [])]
    when = f' {say_time(spans[0])}' if spans and not spans[0].is_open else ''
    return Draft(
        f'{m["verb"].lower()} their {turned(value)}{when}',
        'event',
        importance=0.6,
        valid_from=spans[0].begin if when else None,
    )


def _condition_since(m: re.Match[str], ctx: Context) -> Drafts:
    """`I've had asthma since I was six`; without since when, it may be over."""
    value = m['v'].strip()
    since = re.search(rf'\b{re.escape(value)}\s(?P<rest>(?:since|for)\s.+)', ctx.sentence)
    if since is None:
        return None
    began = ctx.since(since['rest'])
    return [replace(d, valid_from=began) for d in ctx.read(f'I have {value}') if d.kind == 'constraint'] or None


def _gave_up_on(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.split(r'\s(?:in the end|after|because|for good|again)\b', m['v'], maxsplit=1)[0], limit=5)
    record = find_about(ctx.existing, value) if value else None
    if record is None:
        return None
    said = [] if is_vague(value, definite=True) else [Draft(f'gave up {turned(value)}', 'preference', importance=0.6)]
    return [Draft('', record.kind, op='retract', target=record.id), *said]


# Corrections

_KIN = '(?:' + '|'.join(sorted((re.escape(k) for k in KIN), key=len, reverse=True)) + ')'


def _never_said(m: re.Match[str], ctx: Context) -> Drafts:
    """`I never said nurse, I'm a midwife`, of what is remembered as a nurse."""
    drafts = ctx.read(m['say'])
    if len(drafts) != 1 or drafts[0].op not in ('add', 'supersede'):
        return None
    record = same_claim(drafts[0], m['old'], ctx)
    return None if record is None else replace(drafts[0], op='correct', target=record.id)


def _kin_spelt(m: re.Match[str], ctx: Context) -> Drafts:
    """`My daughter's name is Milla, with two l's`."""
    said = ctx.read(f"my {m['kin']}'s name is {m['name']}")
    kin = re.compile(rf'\b{re.escape(m["kin"].lower())}\b.*\b(?:called|named|is)\s{m["name"][:2]}', re.IGNORECASE)
    record = newest([r for r in ctx.existing if kin.search(without_name(r, ctx)) and m['name'] not in r.text])
    return said if record is None or len(said) != 1 else [replace(said[0], op='correct', target=record.id)]


_PRONOUN = r'(?P<p>(?:she|he|they|xe|ze)/(?:her|him|they|them|she|he|xem|zir)(?:/[a-z]{2,8})?)'


def _with_pronouns(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['p'].lower()
    return [
        *ctx.read(m['say']),
        Draft(f'pronouns are {value}', 'profile', form='owns', slot='pronouns', value=value, importance=0.7),
    ]


# Standing wishes


def _when_you(m: re.Match[str], ctx: Context) -> Drafts:
    said, want = (
        re.sub(r'^when(?:ever)?\s', '', m['when'].strip(), flags=re.IGNORECASE),
        re.sub(r'[,]?\s(?:please|pls|plz)$', '', m['v'].split(',')[0].strip()),
    )
    if not 2 <= len(want.split()) <= 12 or re.search(r'\b(?:this|that|these|those|it|here)\b', f'{said} {want}', re.I):
        return None
    return Draft(f'when {said}, {want}', 'instruction', form='asks', importance=0.8)


FIRST_RULES = (
    rule(
        r"(?P<say>(?:my name(?:'s| is)|i'm|i am)\s(?-i:[A-ZÀ-Þ][\w'-]{1,20}))(?:,\s|\s\(|\s)(?:and\s)?"
        rf'{_PRONOUN}\)?$',
        _with_pronouns,
    ),
    rule(
        rf"my (?P<kin>{_KIN})'s name is\s(?P<name>(?-i:[A-ZÀ-Þ][\w'-]{{1,20}})),?\s(?:with|spelled|spelt)\b.{{1,40}}$",
        _kin_spelt,
    ),
    rule(r"<HAVE>(?:had|got)\s(?P<v>[\w' -]{2,40}?)(?:\s(?:since|for)\s.{2,40})?$", _condition_since),
    rule(r"(?:i|we|i've|we've)\s(?:just |finally )?(?:gave|given) up on\s(?:learning\s|playing\s)?<V>", _gave_up_on),
)
"""Read before the rules of the families."""
RULES = (
    rule(r"my (?:daily )?commute(?: to work| to the office)?(?:'s| is)\s<V>", _commute),
    rule(
        r'<I>(?P<verb>cycle|bike|walk|drive|commute|take the (?:bus|train|tram|metro|subway|ferry))\s'
        r'(?P<v>to (?:work|school|the office|uni|university|campus))(?=$|[,;]|\s(?:every|most|and|in|year)\b)',
        _rides,
    ),
    rule(r"we (?:don't|dont|do not) use\s(?P<v>.{2,40}?)\s(?:here|at work|at my company|at our company)$", _uses_not),
    rule(r'<I>teach\s<V>', _teaches),
    rule(
        r'<I>(?P<verb>[a-z]{2,12})\s(?P<v>[^,;]{3,50}?)\sfor a living(?=$|[,;]|\s(?:in|on|and|mostly)\b)', _for_a_living
    ),
    rule(r'<HAVE>never been to\s<V>', _never_been),
    rule(r"<I>(?:haven't|havent|have not) got\s<V>", _has_none),
    rule(r'<I>have no\s<V>', _has_none),
    rule(r'(?P<v0>[^,;:]{3,40}?)\sbores? me(?: to (?:death|tears|sleep))?$', _bores),
    rule(
        r"(?P<v0>[^,;:]{2,30}?)(?: is|'s)(?: now)? my (?:new )?go-to(?: (?P<what>(?!now\b|these\b)[a-z]{3,14}))?"
        r'(?: now| these days| lately){0,2}$',
        _go_to,
    ),
    rule(
        r'(?:my|our)\s(?P<what>(?:main|work|daily|dev|home|primary)\s(?:machine|laptop|computer|pc|phone|workstation|rig))'
        r"(?:'s| is)\s(?=an?\s)<V>",
        _machine,
    ),
    rule(
        rf'<I>(?:just |finally |recently )?(?P<verb>got|passed|earned|received)\smy\s'
        rf'(?=(?:[\w-]{{1,15}}\s){{0,3}}{_PAPER}\b)<V>',
        _got_paper,
    ),
)
SPOKEN_RULES = (
    rule(
        r"(?:[\w' ]{0,12},\s)?i never said (?:(?:that )?(?:i was|i am|i'm)\s)?(?:an?\s|the\s)?(?P<old>[\w' -]{2,30}?)"
        r"(?:,|;|\s-|,?\sbut)\s(?P<say>(?:i'm|i am|i|my)\s[^,;:!?]{2,60})$",
        _never_said,
    ),
    rule(
        r'(?P<when>when(?:ever)? you (?:give|send|show|write|make|suggest|recommend|explain|list)\s'
        r'(?:me|us)\s(?!the\b|an?\b)[a-z][\w ]{2,30}?),?\s(?:please\s|always\s)?(?P<v>(?:use|include|give'
        r"|keep|add|don't|never|avoid|skip|stick to)\s.{3,100})$",
        _when_you,
    ),
)
"""Sentences that are read although they report or suppose."""
