"""What is to be forgotten, what is over, and a new set-up that makes the old one void."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoranda.records import MemoryRecord
from memoranda.write.rules.claims import without_name
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut
from memoranda.write.rules.known import content_words, find_about

__all__ = ['RULES', 'SENTENCE_RULES', 'SPOKEN_RULES', 'TAKES_BACK', 'UNSAYS']

_ASK = r'(?:(?:please|pls|and|so|ok|okay|you can|you may|just|now|also)[,\s]+){0,3}'

TAKES_BACK = re.compile(
    r'(?:(?:no|ok|okay|wait|actually|hmm|oh|sorry|please)[,.]?\s){0,2}'
    r'(?:(?:scrap|scratch|strike) that(?:\slast (?:bit|part|one|sentence))?|i take (?:that|it) back'
    r'|(?:forget|ignore|disregard|scrap|scratch) (?:that last (?:bit|part|one|sentence)|the last (?:bit|part|sentence)'
    r'|what i(?: have|\'ve)? just (?:said|told you|wrote)))(?=$|[,.;:!–—-]|\s(?:-|–|—)\s)[\s,.;:!–—-]*',
    re.IGNORECASE,
)
"""What takes back the sentence before it."""
UNSAYS = re.compile(r'\b(?:what i|i take)\b', re.IGNORECASE)
"""Whether that may be a sentence of the message before."""


def _retracted(records: Sequence[MemoryRecord]) -> list[Draft]:
    return [Draft('', record.kind, op='retract', target=record.id) for record in records]


# `Forget that I like tea`, `forget where I live`

_TAIL = re.compile(
    r'(?:[,\s]+(?:please|pls|now|ok|okay|thanks|thank you|again|will you|would you|completely|entirely|for good'
    r'|(?:from|in) (?:your )?(?:memory|memories|notes|profile|records)))+$',
    re.IGNORECASE,
)
_SUBJECTS = tuple(
    (re.compile(asked, re.IGNORECASE), slots, re.compile(said))
    for asked, slots, said in (
        (
            r"where (?:i live|i'm living|i'm based)|my (?:home )?(?:address|city|town|location|home|country)",
            ('home.city', 'home.country', 'home.address', 'address'),
            r'(?:lives|is based) in\b',
        ),
        (r"(?:what )?my (?:full |first |real )?name(?: is)?|what i'm called", ('name',), r'name is\b'),
        (r'how old i am|my age|what my age is', ('age',), r'is \d{1,3} years old'),
        (
            r'my (?:birthday|birth date|date of birth|dob)|when (?:my birthday is|i was born)',
            ('birthday',),
            r'birthday is\b',
        ),
        (r'where i was born|my birthplace', ('birthplace',), r'was born in [a-z]'),
        (r'where i work|my (?:employer|company|workplace)|who i work for', ('work.employer',), r'works (?:at|for)\b'),
        (
            r'what i do(?: for a living| for work)?|my (?:job|profession|occupation|job title)',
            ('work.title', 'work.employer'),
            r'works (?:as|at|for)\b',
        ),
        (
            r'my (?:diet|dietary \w+|eating habits)|what i '
            r'eat',
            ('diet',),
            r'is (?:vegan|vegetarian)|follows an? .* diet',
        ),
        (r'my time ?zone|what time ?zone i\'m in|which time ?zone i\'m in', ('timezone',), r'time ?zone is\b'),
        (r'my pronouns', ('pronouns',), r'pronouns are\b'),
        (
            r'my (?:marital|relationship) status|(?:that|whether) i\'m '
            r'married',
            ('relationship.status',),
            r'is married\b',
        ),
        (
            r"(?:who )?my (?:wife|husband|spouse)(?:'s name)?(?: is)?",
            ('relationship.spouse',),
            r'(?:wife|husband|spouse) is called\b',
        ),
        (
            r"(?:who )?my (?:girlfriend|boyfriend|partner|fiancée?)(?:'s name)?(?: is)?",
            ('relationship.partner',),
            r'(?:girlfriend|boyfriend|partner|fiancée?) is called\b',
        ),
        (
            r'(?:what|which) (?:code |text )?(?:editor|ide) i (?:use|prefer)|my (?:code |text )?(?:editor|ide)',
            ('editor.preferred',),
            r'(?:preferred )?editor is\b',
        ),
        (
            r'my (?:preferred|favou?rite|main) (?:programming |coding )?language',
            ('language.programming.preferred',),
            r'(?:favou?rite|preferred|main) (?:programming )?language is\b',
        ),
    )
)
_FAVOURITE = re.compile(r'(?:what )?my favou?rite (?P<what>[a-z]+(?: [a-z]+)?)(?: is)?$', re.IGNORECASE)


def _forget(m: re.Match[str], ctx: Context) -> Drafts:
    asked = _TAIL.sub('', m['v'].strip())
    about = re.sub(
        r'^(?:that|about|what i (?:said|told you|wrote|mentioned) about|the fact that|everything (?:you know )?about'
        r'|(?:that )?i (?:ever )?(?:said|told you|mentioned)(?: that)?)\s',
        '',
        asked,
        flags=re.IGNORECASE,
    )
    for subject, slots, said in _SUBJECTS:
        if subject.fullmatch(about):
            return _retracted(
                [
                    r
                    for r in ctx.existing
                    if (r.slot or '').partition('@')[0] in slots or (not r.slot and said.match(without_name(r, ctx)))
                ]
            )
    favourite = _FAVOURITE.match(about)
    if favourite:
        what = favourite['what'].lower().replace(' ', '-').replace('color', 'colour')
        found = [r for r in ctx.existing if (r.slot or '').partition('@')[0] == f'favourite.{what}']
        if found:
            return _retracted(found)
    own = re.match(r'(?:my|our)\s', about, re.IGNORECASE)
    about = re.sub(r"^(?:i'm|i am|i've|i have|i|we|my|our)\s", '', about, flags=re.IGNORECASE)
    about = cut(about, limit=12)
    if not about or re.match(r'(?:it|that|this|to|last|previous|question|message)\b', about, re.IGNORECASE):
        return None
    record = find_about(ctx.existing, about)
    if record is None or (own and not _alone(about, ctx.existing)):
        return None
    return _retracted([record])


def _alone(about: str, existing: Sequence[MemoryRecord]) -> bool:
    wanted = content_words(about)
    return sum(all(w in content_words(r.text) for w in wanted) for r in existing) == 1


def _not_true(m: re.Match[str], ctx: Context) -> Drafts:
    """`That's not true any more`, of the one memory the last message spoke of."""
    said = set(content_words(ctx.previous))
    found = [r for r in ctx.existing if (wanted := content_words(r.text)) and all(w in said for w in wanted)]
    return _retracted(found) if len(found) == 1 else None


# `You can use emojis again`

_IDLE = frozenset('us use using used writ write add includ include giv put mak do answer again me you your'.split(' '))
_FORBIDS = re.compile(
    r"\b(?:no|not|never|don't|doesn't|avoid|avoids|without|stop|skip|omit|dislikes|hates)\b", re.IGNORECASE
)


def _instructions(about: str, ctx: Context, *, forbidding: bool) -> list[MemoryRecord]:
    wanted = [w for w in content_words(about) if w not in _IDLE]
    if not wanted:
        return []
    return [
        r
        for r in ctx.existing
        if (
            r.kind == 'instruction' or re.match(r'(?:wants|asks|prefers|no|avoid|don\'t|never)\b', without_name(r, ctx))
        )
        and (_FORBIDS.search(r.text) is not None) is forbidding
        and all(w in content_words(r.text) for w in wanted)
    ]


def _allowed(m: re.Match[str], ctx: Context) -> Drafts:
    return _retracted(_instructions(m['v'], ctx, forbidding=True))


def _released(m: re.Match[str], ctx: Context) -> Drafts:
    about = re.sub(r'^(\w+)ing\b', r'\1', m['v'])
    return _retracted(_instructions(about, ctx, forbidding=False))


def _not_called(m: re.Match[str], ctx: Context) -> Drafts:
    """`Don't call me Sasha any more`."""
    name = m['name']
    found = [
        r
        for r in ctx.existing
        if name.lower() in r.text.lower()
        and ((r.slot or '').partition('@')[0] == 'name.preferred' or re.match(r'call \w', without_name(r, ctx)))
    ]
    if found:
        return _retracted(found)
    whom = 'them' if ctx.name else 'the user'
    return Draft(f"don't call {whom} {name}", 'instruction', form='asks', importance=0.9)


# `Noor and I broke up`

_PARTNER = re.compile(
    r'(?:wife|husband|spouse|girlfriend|boyfriend|partner|fianc[eé]e?)\b'
    r'|is (?:married|engaged|dating|in a relationship)\b|has an? (?:wife|husband|girlfriend|boyfriend|partner)\b',
    re.IGNORECASE,
)


def _broke_up(m: re.Match[str], ctx: Context) -> Drafts:
    name = m.groupdict().get('name')
    found = [
        r
        for r in ctx.existing
        if (r.slot or '').partition('@')[0] in ('relationship.partner', 'relationship.spouse')
        or _PARTNER.match(without_name(r, ctx))
    ]
    if name and not any(name.lower() in r.text.lower() for r in found):
        return None
    if name:
        found = [r for r in found if name.lower() in r.text.lower() or not re.search(r'(?-i:called [A-Z])', r.text)]
    return _retracted(found)


# `I sold my car`

_HELD = re.compile(r'(?:has|owns|drives|rides|uses|keeps|plays|rents|subscribes to|is subscribed to|pays for)\b')


def _parted_with(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=4))
    wanted = content_words(value)
    found = [
        r
        for r in ctx.existing
        if wanted and _HELD.match(without_name(r, ctx)) and all(w in content_words(r.text) for w in wanted)
    ]
    return _retracted(found) if len(found) == 1 else None


# `Forget my old set-up`

_OLD = r'(?:(?:whole|entire|old|current|previous|dev|development|coding|work|tech)\s){0,2}'
_SETUP = rf'{_OLD}(?:workspace|set-?\s?up|toolchain|toolset|tech stack|stack|tooling|tools)'
_ALL_TOOLS = (
    r'(?:(?:all (?:of )?(?:the )?|the )(?:tools|stack|set-?\s?up|tooling|software)(?: that)? i(?:\'ve| have)?'
    r' (?:use|used|told you about|mentioned|work with|worked with|had|was using)'
    r'|(?:what|which) (?:tools|stack|set-?\s?up|software) i (?:use|used|have|had|work with))'
)
_END = (
    r'(?:[,\s]+(?:please|now|completely|entirely|altogether|thanks|thank you|for me|then'
    r'|(?:and )?(?:start|starting) (?:over|fresh|again|from scratch|from zero)|(?:from|in) (?:your )?memory)){0,3}'
)
_RESET = (
    r"(?:(?:i|i've|i'm|we|we've|my|our|new|since|because|as|everything)\b[^?]{2,150}?(?:[,;:.–—-]|\bso|\band)\s)?"
    r'(?:(?:please|pls|just|kindly|now|so|you can)[,\s]+){0,2}'
    rf'(?:reset (?:all (?:of )?)?(?:my|our) {_SETUP}|(?:please )?forget (?:about )?(?:all (?:of )?|everything '
    rf'(?:you know )?about )?'
    rf'(?:(?:my|our) {_SETUP}(?: i (?:use|used|had))?|{_ALL_TOOLS})){_END}$'
)


def _reset(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft('', 'knowledge', op='reset')


SPOKEN_RULES = (
    rule(
        rf'{_ASK}(?:forget|disregard|stop remembering)\s(?P<v>(?:that|about|what i (?:said|told you|wrote'
        rf'|mentioned) about'
        r'|the fact that|everything (?:you know )?about|(?:that )?i (?:ever )?(?:said|told you|mentioned)|my|our'
        r'|where i'
        r"|how old i|who my|what my|what i'?m?\b|which)\s?.{2,200})$",
        _forget,
    ),
    rule(
        rf'{_ASK}(?:delete|remove|erase|drop|wipe)\s(?P<v>(?:that|the fact that|what i (?:said|told you) about'
        r'|everything about)\s.{2,200})$',
        _forget,
    ),
    rule(
        rf'{_ASK}(?:delete|remove|erase|drop|wipe)\s(?P<v>(?:my|where i|how old i)\s.{{2,80}}?'
        r' from (?:your )?(?:memory|memories|notes|profile|records))$',
        _forget,
    ),
    rule(rf"{_ASK}(?:don't|do not) (?:remember|store|keep|save)\s(?P<v>(?:my|where i|how old i)\s.{{2,80}})$", _forget),
)
"""`Forget what I said about tea`: read although it speaks of what was said."""

SENTENCE_RULES = (
    rule(_RESET, _reset),
    rule(
        rf'{_ASK}(?:you can|you may|feel free to|it\'s (?:fine|ok|okay) to)\s(?:go back to )?(?P<v>.{{3,60}}?)'
        r'\s(?:again|from now on|now)(?=$|[,.;])',
        _allowed,
    ),
    rule(
        r'(?P<v>[a-z][\w\s-]{2,40}?)\s(?:is|are) (?:fine|ok|okay|allowed|welcome) (?:again|now|from now on)(?=$'
        r'|[,.;])',
        _allowed,
    ),
    rule(
        rf"{_ASK}(?:you (?:don't|do not) (?:need|have) to|you no longer (?:need|have) to|no need to|you can stop"
        rf'|you may stop'
        r"|there's no need to)\s(?P<v>.{3,80}?)(?:\s(?:any ?more|any longer|now|from now on))?$",
        _released,
    ),
    rule(
        rf"{_ASK}(?:don't|do not|never|stop) call(?:ing)? me (?P<name>(?-i:[A-ZÀ-Þ][\w'-]{{1,20}}))(?:[,\s]+(?:any "
        rf'?more|any longer|again'
        r'|ever|please|now))*$',
        _not_called,
    ),
    rule(
        r"(?P<name>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))\sand (?:i|me) (?:have |are |just |recently |finally |'ve )?"
        r'(?:broke up|broken up|split up|split|separated|parted ways|no longer together|getting divorced|got divorced'
        r'|divorced|not together any ?more)(?=$|[,.;!]|\s(?:last|this|yesterday|today|in \d{4}|two|three|after'
        r'|because|and|but|recently)\b)',
        _broke_up,
    ),
    rule(
        r"(?:(?:my (?:girlfriend|boyfriend|partner|wife|husband|fiancée?) and (?:i|me)|we)\s|we're\s)(?:have |are "
        r'|just |recently '
        r"|finally |'ve )?(?:broke up|broken up|split up|separated|parted ways|no longer together|not together any "
        r'?more)(?=$|[,.;!]|\s(?:last|this|yesterday|today|in \d{4}|two|three|after|because|and|but|recently)\b)',
        _broke_up,
    ),
    rule(
        r"(?:it's|it is|that's)\s(?:not true|no longer true|not the case"
        r'|no longer the case)(?: any ?more| any longer)? that\s<V>',
        _forget,
    ),
    rule(
        r"(?:(?:no|nope|actually|sorry|wait|hmm|well|oh)[,.:;!]?\s){0,3}(?:that's|that is|that isn't|this is|it's)\s"
        r'(?:not true|no longer true|not right|wrong|true|outdated|out of date|not the case|no longer the case'
        r'|incorrect)'
        r'(?: any ?more| any longer| now)?$',
        _not_true,
    ),
)


def _dropped_out(m: re.Match[str], ctx: Context) -> Drafts:
    studies = re.compile(r'studies\b|is an? (?:\w+ )?student\b|works as an? (?:\w+ )?student\b')
    ended = _retracted([r for r in ctx.existing if studies.match(without_name(r, ctx))])
    said = Draft(f'dropped out of {m["where"].lower()}', 'event', importance=0.5, valid_from=ctx.since(m.string))
    return [*ended, said]


RULES = (
    rule(
        r"(?:i|i've|i have)\s(?:just |recently |finally )?dropped out of (?P<where>university|uni|college|school"
        r'|high school|grad school'
        r'|law school|med school|medical school|my (?:studies|degree|phd))(?=$|[,.;]|\s(?:last|this|in|after'
        r'|because|and|so|to)\b)',
        _dropped_out,
    ),
    rule(
        r"(?:i|i've|i have|we)\s(?:just |recently |finally )?(?:broke up|broken up|split up|parted ways) with\s"
        r"(?:my \w+,?\s)?(?P<name>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))\b",
        _broke_up,
    ),
    rule(
        r"(?:i|i've|i have|we)\s(?:just |recently |finally )?(?:broke up|broken up|split up|parted ways) with my"
        r' (?:girlfriend|boyfriend|partner|wife|husband|fiancée?)\b',
        _broke_up,
    ),
    rule(
        r"(?:i|we|i've|i have|we've|we have)\s(?:just |recently |finally |already )?(?:sold|got rid of|gave away"
        r'|given away'
        r'|cancelled|canceled|uninstalled|returned|scrapped)\s(?:my|our|the)\s<V>',
        _parted_with,
    ),
)
