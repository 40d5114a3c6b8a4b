"""Changes of mind: one thing takes the place of another, or an old one comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from memoranda.records import MemoryRecord
from memoranda.write.rules.changes import is_used, replaces, switched
from memoranda.write.rules.claims import same_claim, superseding, without_name
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_name, is_vague, third, turned
from memoranda.write.rules.known import content_words, find_about, newest
from memoranda.write.rules.tastes import preferred_slot
from memoranda.write.rules.words import WORKSPACE
from memoranda.write.rules.work import employed, title

__all__ = ['RULES', 'SENTENCE_RULES']

# Work: `I left Siemens, I'm at a startup called Helio Labs now`

_LEAVING = re.compile(
    r'\b(?:left|quit|leaving|resigned|fired|laid off|let go|no longer (?:at|with|work)'
    r"|(?:not|don't work) (?:at|with|for) .{2,30} any ?more|new job|job|joined)\b",
    re.IGNORECASE,
)


def _at_work(record: MemoryRecord, ctx: Context) -> bool:
    slot = (record.slot or '').partition('@')[0]
    return slot in ('work.employer', 'work.title') or (
        not slot and re.match(r'(?:works|is employed) (?:at|for|as)\b', without_name(record, ctx)) is not None
    )


def _left(m: re.Match[str], ctx: Context) -> Drafts:
    """`I left Siemens`, of the employer that is remembered: one leaves cities and parties, too."""
    where = ctx.timeless(cut(m['where'], limit=4))
    if not is_name(bare(where)):
        return None
    found = [
        r
        for r in ctx.existing
        if _at_work(r, ctx) and re.search(rf'(?<!\w){re.escape(bare(where))}(?!\w)', r.text, re.IGNORECASE)
    ]
    if not found:
        return None
    ended = [Draft('', r.kind, op='retract', target=r.id) for r in found]
    return [*ended, Draft(f'no longer works at {where}', 'profile', importance=0.5, valid_from=ctx.since(m.string))]


def _laid_off(m: re.Match[str], ctx: Context) -> Drafts:
    how = {'fired': 'fired', 'laid': 'laid off', 'let': 'let go', 'made': 'made redundant'}[m['how'].lower().split()[0]]
    ended = [Draft('', r.kind, op='retract', target=r.id) for r in ctx.existing if _at_work(r, ctx)]
    return [*ended, Draft(f'was {how}', 'event', importance=0.6, valid_from=ctx.since(m.string))]


_FIRM = (
    r'(?P<firm>an?\s(?:[\w-]+\s){0,3}(?:startup|start-up|company|firm|agency|studio|bank|school|hospital|university'
    r'|lab|nonprofit|charity|consultancy|clinic|bakery|restaurant)\s(?:called|named)\s)'
)


def _at_firm(m: re.Match[str], ctx: Context) -> Drafts:
    name = cut(m['v'], limit=4)
    if not is_name(name):
        return None
    firm = m['firm'] if 'firm' in m.groupdict() else ''
    if not firm and not _LEAVING.search(ctx.sentence):
        return None
    return Draft(
        f'works at {firm}{name}',
        'profile',
        slot='work.employer',
        value=name,
        importance=0.8,
        valid_from=ctx.since(m.string),
    )


def _joined(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=9))
    where, _, job = text.partition(' as ')
    where = re.sub(r'\s(?:last|this|in|on|back)$', '', where)
    found = title(job) if job else None
    if not is_name(bare(where)) or (job and not found):
        return None
    if not (found or re.search(r'\b(?:left|quit|resigned)\b', ctx.sentence, re.IGNORECASE)):
        return None
    return employed(found, where, ctx, m['v'])


def _hired(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=9))
    where, _, job = text.partition(' as ')
    found = title(job) if job else None
    return employed(found, where, ctx, m['v']) if is_name(bare(where)) else None


def _promoted(m: re.Match[str], ctx: Context) -> Drafts:
    found = title(ctx.timeless(cut(m['v'], limit=8)))
    return employed(found, None, ctx, m.string) if found else None


# `Zed is my editor now`


def _is_mine(m: re.Match[str], ctx: Context) -> Drafts:
    value, what = m['v0'].strip(), m['what'].lower()
    if not is_used(value) and not is_name(value):
        return None
    slot = (
        'editor.preferred' if re.search(r'editor|ide', what) else preferred_slot(value) if 'language' in what else None
    )
    draft = Draft(
        f'{what} is {value}',
        'preference',
        form='owns',
        slot=slot,
        value=value if slot else None,
        importance=0.6,
        tags=(WORKSPACE,),
    )
    own = re.compile(rf'(?:(?:main|preferred|default|favou?rite)\s)?{what}\sis\b')
    held = [r for r in ctx.existing if not slot and own.match(without_name(r, ctx).removeprefix("'s "))]
    return superseding(draft, held[:1])


def _dropped_for(m: re.Match[str], ctx: Context) -> Drafts:
    """`I ditched Vim for Zed`."""
    old = bare(cut(m['old'], limit=4))
    new = ctx.timeless(cut(re.sub(r'\s(?:for|on|at|in|as|about)\s.*$', '', m['new']), limit=4))
    if not old or not new or is_vague(new) or is_vague(old) or not replaces(old, new, ctx):
        return None
    return switched(old, bare(new), ctx, m.string)


# `I don't drink coffee these days, I've gone over to green tea`

_CONSUMED = r'(?P<verb>eat|drink|smoke|use|wear|drive|play|watch|read|take|ride|buy)'
_ENDED = re.compile(
    rf"\b(?:i|we)\s(?:don't|do not|no longer|have stopped|stopped|quit|gave up)\s{_CONSUMED}(?:ing)?\s"
    r'(?P<old>[\w -]{2,30}?)(?=\s(?:these days|any ?more|any longer|now|nowadays|lately|at all)\b|[,.;!]|$)',
    re.IGNORECASE,
)


def _gone_over(m: re.Match[str], ctx: Context) -> Drafts:
    """`Gone over to tea`, where the same breath says what was given up."""
    new = ctx.timeless(cut(m['new'], limit=4))
    ended = _ENDED.search(f'{ctx.before[-80:]}{ctx.sentence}')
    if not ended or not new or is_vague(new) or len(new.split()) > 3:
        return None
    verb = ended['verb'].lower()
    draft = Draft(f'{third(verb)} {turned(new)}', 'preference', importance=0.6)
    record = find_about(ctx.existing, ended['old'], verb)
    return superseding(draft, [record] if record else [])


_NOT_NOW = re.compile(
    r"\b(?:no longer|not|never|doesn't|don't|can't|stopped|quit|gave up|avoids|dislikes|hates)\b", re.IGNORECASE
)
_MEATLESS = re.compile(r'(?:is|follows an?)\s(?:mostly |mainly )?(?:vegan|vegetarian|plant[- ]based|pescatarian)\b')
_ANIMAL = frozenset('meat fish chicken beef pork seafood dairy cheese eggs egg steak bacon sushi milk'.split(' '))


def _denied(value: str, ctx: Context) -> list[MemoryRecord]:
    """The memories that say the speaker had given it up."""
    wanted = content_words(value)
    found = [
        r
        for r in ctx.existing
        if wanted and _NOT_NOW.search(r.text) and r.kind != 'instruction' and set(wanted) <= set(content_words(r.text))
    ]
    if value.lower() in _ANIMAL:
        found += [r for r in ctx.existing if _MEATLESS.match(without_name(r, ctx))]
    return found


_STEMS = {'smok': 'smoke', 'us': 'use'}


def _resumed(m: re.Match[str], ctx: Context) -> Drafts:
    """`I eat meat again`, `I've gone back to drinking coffee`, `I'm back on coffee`."""
    group = m.groupdict()
    value = ctx.timeless(cut(re.sub(r'\sagain$', '', m['v'].strip(' .!')), limit=4))
    if (
        not value
        or is_vague(value)
        or is_name(value)
        or re.match(r'(?:out|up|in|there|well|here|at|with|my|our)\b', value)
    ):
        return None
    records = _denied(value, ctx)
    verb = (group.get('verb') or '').lower()
    verb = _STEMS.get(verb, verb)
    if not verb:
        said = next((w for r in records for w in re.findall(r'\b(eat|drink|smok|us)', r.text.lower())), '')
        verb = _STEMS.get(said, said)
    if not verb:
        return None
    draft = Draft(f'{third(verb)} {turned(value)} again', 'preference', importance=0.6)
    plain = [r for r in records if r.slot is None]
    slots = [Draft('', r.kind, op='retract', target=r.id) for r in records if r.slot is not None]
    return [*slots, *superseding(draft, plain)]


def _resumed_doing(m: re.Match[str], ctx: Context) -> Drafts:
    """`I started smoking again`."""
    stem = m['verb'].lower()
    verb = _STEMS.get(stem, stem)
    draft = Draft(f'{third(verb)} again', 'profile', importance=0.6)
    over = [
        r
        for r in ctx.existing
        if _NOT_NOW.search(r.text) and re.search(rf'\b{stem}(?:e|es|s|ing)?(?:\salcohol)?$', r.text.lower())
    ]
    return superseding(draft, over)


# Tastes that came or went


def _gone_off(m: re.Match[str], ctx: Context) -> Drafts:
    return ctx.read(f'I no longer like {m["v"]}')


def _came_to(m: re.Match[str], ctx: Context) -> Drafts:
    value = re.sub(r'\s(?:over time|by now|after all)$', '', m['v'])
    return ctx.read(f'I {m["verb"]} {value}')


def _used_to_but(m: re.Match[str], ctx: Context) -> Drafts:
    """`I used to love coffee but now I hate it`."""
    is_, x = m['is'].lower(), m['x']
    if is_vague(cut(x)):
        return None
    if is_ in ("don't", 'not'):
        return ctx.read(f'I no longer {m["was"]} {x}')
    return ctx.read(f'I {is_} {x}')


def _used_to(m: re.Match[str], ctx: Context) -> Drafts:
    """`I used to smoke`, where a memory says that it holds."""
    value = cut(m['v'] or '', limit=8)
    text = f'{third(m["verb"])} {turned(value)}'.strip().lower()
    found = [r for r in ctx.existing if without_name(r, ctx) == text]
    if not found:
        return None
    said = Draft(f'used to {m["verb"].lower()} {turned(value)}'.strip(), 'profile', importance=0.4, confidence=0.85)
    return [*(Draft('', r.kind, op='retract', target=r.id) for r in found), said]


# `Instead of Italian I want to learn Portuguese`


def _instead(m: re.Match[str], ctx: Context) -> Drafts:
    say = re.sub(r'\sinstead$', '', m['say'].strip())
    drafts = ctx.read(say)
    if len(drafts) != 1 or drafts[0].op not in ('add', 'supersede'):
        return None
    record = same_claim(drafts[0], m['old'].strip(), ctx)
    if record is None:
        return drafts if m.start('old') < m.start('say') else None
    return replace(drafts[0], op='supersede', target=record.id)


def _no_more_wants(m: re.Match[str], ctx: Context) -> Drafts:
    """`I've given up on learning Italian`, `I changed my mind about the marathon`."""
    about = cut(m['v'], limit=6)
    found = list(_goals(about, ctx))
    record = newest(found)
    return (
        None
        if record is None or is_vague(about, definite=True)
        else Draft('', record.kind, op='retract', target=record.id)
    )


def _goals(about: str, ctx: Context) -> Iterator[MemoryRecord]:
    wanted = content_words(about)
    for record in ctx.existing:
        text = without_name(record, ctx)
        aims = record.kind == 'goal' or re.match(
            r'(?:wants|plans|hopes|aims|intends|goal is|is (?:learning|planning))\b', text
        )
        if wanted and aims and set(wanted) <= set(content_words(text)):
            yield record


SENTENCE_RULES = (
    rule(
        r'i used to (?:really )?(?P<was>love|like|enjoy|hate|dislike|prefer|adore)\s(?P<x>[^,;]{2,60}?),?\s(?:but'
        r'|and)\s(?:now )?'
        r"(?:i )?(?:now |really |actually |absolutely )?(?P<is>love|like|enjoy|hate|dislike|detest|can't stand"
        r"|don't|not)"
        r'(?:\s(?:like |love |enjoy )?(?:it|them|that))?(?:\s(?:now|any ?more|any longer|these days))?$',
        _used_to_but,
    ),
    rule(r"(?:instead of|rather than)\s(?P<old>[^,]{2,40}?),?\s(?P<say>(?:i|i'm|i'll|we|we're)\s.{3,200})$", _instead),
    rule(
        r"(?P<say>(?:i|i'm|i've|we|we're)\s[^,;]{3,120}?)\s(?:instead of|and not|rather than)\s(?P<old>[^,;]{2,40}?)"
        r'(?:\s(?:now|any ?more))?$',
        _instead,
    ),
    rule(
        r"(?:i've|i have|i)\s(?:just |finally )?(?:given up on|gave up on|dropped|abandoned|changed my mind about"
        r'|decided against|scrapped)\s(?:the (?:idea|plan|goal) (?:of|to)\s|my (?:plans?|goal|dream) (?:of|to'
        r'|for)\s|the\s|my\s)?<V>',
        _no_more_wants,
    ),
)

RULES = (
    rule(
        r"(?:i|i've|i have)\s(?:just |recently |finally |officially )?(?:left|quit|resigned from)\s"
        r'(?P<where>(?-i:(?:the\s)?[A-ZÀ-Þ]).{1,60})$',
        _left,
    ),
    rule(
        r"(?:i|i've been|i have been|i got|i was|i just got)\s(?:just |recently )?(?:got )?"
        r'(?P<how>laid off|fired|let go|made redundant)\b(?! (?:up|by the (?:game|boss)))',
        _laid_off,
    ),
    rule(rf'<AM>(?:now )?(?:at|with|working (?:at|for))\s{_FIRM}<V>', _at_firm),
    rule(rf'<I>(?:now )?work (?:at|for)\s{_FIRM}<V>', _at_firm),
    rule(r'<AM>(?:now )?(?:at|with)\s(?-i:(?=[A-ZÀ-Þ]))<V>', _at_firm),
    rule(r"(?:i|i've|i have)\s(?:just |recently |finally )?joined\s(?-i:(?=[A-ZÀ-Þ]))<V>", _joined),
    rule(
        r"(?:i got|i was|i've been|i have been|i just got)\s(?:just |recently )?hired (?:by|at)\s(?-i:(?=[A-ZÀ-Þ]))<V>",
        _hired,
    ),
    rule(
        r"(?:i|i've|i have)\s(?:just |recently )?(?:started|begun|began) (?:working|to work) (?:at"
        r'|for)\s(?-i:(?=[A-ZÀ-Þ]))<V>',
        _hired,
    ),
    rule(
        r'(?:they|she|he|my (?:boss|manager|company|team|employer))\s(?:have |has |just |finally |recently ){0,2}'
        r'(?:made|promoted|named|appointed) me\s(?:to\s|as\s)?<V>',
        _promoted,
    ),
    rule(
        r"(?:i've been|i have been|i was|i got)\s(?:just |recently )?(?:made|named|appointed)\s(?:as\s)?<V>", _promoted
    ),
    rule(r'<AM>(?P<v>[a-z][a-z ]{3,40}?)\snow$', _promoted),
    rule(
        r'(?P<v0>(?-i:[A-Z])[\w+#. -]{1,30}?)\s(?:is|has become|became)\s(?:now )?my\s(?:(?:new|main|default'
        r'|preferred|go-to|daily'
        r'|primary)\s)?(?P<what>editor|text editor|code editor|ide|browser|shell|terminal|os|operating system|database'
        r'|framework|(?:programming )?language)(?:\s(?:now|these days|of choice|for everything)){0,2}$',
        _is_mine,
    ),
    rule(
        r"(?:i|we|i've|i have|we've)\s(?:just |recently |finally )?(?:replaced|ditched|dropped|dumped|swapped"
        r'|traded|abandoned'
        r'|exchanged)(?: out)?\s(?P<old>.{1,40}?)\s(?:with|for|in favou?r of)\s(?P<new>.{1,60})$',
        _dropped_for,
    ),
    rule(
        r"(?:i|i've|i have|we|we've)\s(?:just |recently |now )?(?:gone over|switched|switched over|moved over|moved "
        r'on|changed over'
        r'|converted|changed)\sto\s(?!using)(?P<new>.{2,40})$',
        _gone_over,
    ),
    rule(
        r"(?:i|i've|i have|we've|i'm|i am)\s(?:just |recently |now )?(?:gone back|went back|come back|back)\sto\s"
        r'(?P<verb>eat|drink|smok|us)ing\s(?P<v>.{1,60})$',
        _resumed,
    ),
    rule(r"(?:i've|i have|i)\s(?:gone back|went back)\sto\s(?!\w+ing\b)(?P<v>[a-z][\w -]{1,30})$", _resumed),
    rule(r'<AM>back (?:on|to)\s(?!\w+ing\b)(?P<v>[a-z][\w -]{1,30})$', _resumed),
    rule(r'<I>(?:started |began )?(?P<verb>eat|drink|smoke|use)(?:ing)?\s(?P<v>[\w -]{2,40}?\sagain)$', _resumed),
    rule(r'<I>(?:started |began |took up )(?P<verb>smok|drink)ing(?P<v>\sagain)$', _resumed_doing),
    rule(r'<AM>(?P<verb>smok|drink)ing(?P<v>\sagain)$', _resumed_doing),
    rule(r'<AM>(?P<verb>eat|drink|smok|us)ing\s(?P<v>[\w -]{2,40}?\sagain)$', _resumed),
    rule(r"(?:i've|i have|i)\s(?:gone|went) off\s<V>", _gone_off),
    rule(
        r"(?:i've|i have|i)\s(?:come|grown|learned|learnt|started|begun)\sto\s(?P<verb>love|like|enjoy|hate|dislike"
        r'|prefer)\s<V>',
        _came_to,
    ),
    rule(r'<I>used to (?P<verb>[a-z]{2,12})(?:\s(?P<v>.{1,80}))?$', _used_to),
)
