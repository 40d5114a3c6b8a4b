"""What happened to the speaker, with its date."""

from __future__ import annotations

import re

from memoranda.timewords import TimeSpan, say_time
from memoranda.write.rules.drafts import Context, Draft, Drafts, Rule
from memoranda.write.rules.grammar import cut, is_vague, turned

__all__ = ['RULES']

_PAST = (
    r'(?:went|took|got|had|saw|met|made|ran|bought|found|started|gave|won|came|began|wrote'
    r'|read|did|hosted|attended|visited|joined|finished|completed|graduated|moved|adopted'
    r'|signed|signed up|volunteered|painted|baked|cooked|celebrated'
    r'|hiked|camped|swam|biked|cycled|climbed|flew|drove|travell?ed|sold|built|planted'
    r'|launched|opened|closed|quit|left|lost|broke|hurt|injured|passed|failed|organi[sz]ed'
    r'|performed|played|sang|danced|learned|learnt|taught|watched|tried|created|designed'
    r'|published|submitted|applied|interviewed|received|registered|registered for|proposed'
    r'|became|got married|married|divorced|gave birth|retired|recovered|donated|raised|ordered|booked'
    r'|upgraded|fixed|repaired|renovated|set up|set|participated|competed|entered|completed'
    r'|presented|led|helped|mentored|sent|called|stayed|ate|drank|caught|rode|skied|surfed'
    r'|spent|tested|recorded|released|discovered|explored|picked up|picked|threw|shared|spoke'
    r'|talked|invited|brought|made|wrote|walked|dropped|landed|accepted|turned)'
)
_EVENT = re.compile(
    rf'(?:i|we|my [\w ]{{2,20}} and i)\s(?:just\s|also\s)?(?P<verb>{_PAST})\b(?P<v>.{{0,300}})$', re.IGNORECASE
)
_EMPTY_EVENT = re.compile(
    r'(?:had (?:an?|such an?|so much|the|some|my|our|to)\s?(?:\w+\s)?(?:time|day|night|week'
    r'|weekend|blast|month|year|fun|morning|evening|chat|talk|feeling|lot|doubts?|idea|moment'
    r'|experience)?$|had (?:to|it|so|an? (?:great|good|nice|fun|amazing|wonderful|lovely|rough'
    r'|tough|hard|awesome|crazy|busy|really|super|pretty|bit|lot))'
    r'|got (?:\w+ news|to|it|so|really|back|up|used|the (?:chance|opportunity|feeling)|an? (?:chance'
    r'|bit|lot|ton|kick|error|issue|bug|warning|timeout|message|notification|crash|exception)'
    r'|some|over|through|lost|inspired|me|hooked|stuck|caught|together|into)\b'
    r'|took (?:a (?:break|look|while|moment|chance|step|few)|some|it|care|the time|time|me'
    r'|up)\b|came (?:up|across|to|over|out)\b|found (?:out|it|that|myself|some|my|a way)'
    r'|made (?:it|me|us|sure|some|a (?:lot|mistake|decision|choice|big|difference))'
    r'|went (?:through|well|great|on (?:and|with)|over|back|all|crazy|viral|wrong)\b'
    r'|did (?:it|some|a lot|my best|well|not|so|the)|gave (?:it|up|me|a try)'
    r'|had\b.{0,20}\b(?:problem|issue|error|question)|tried (?:to|the|it|your|that|this)'
    r'|started (?:to (?:feel|think|get|see|realize|notice|wonder|understand)|the|feeling'
    r'|getting|thinking)|set (?:a|my|the|it)|began (?:to|the)|helped\b(?!\s(?:my|a|an|at'
    r'|with a|organi))|shared\b|talked\b(?! (?:at|to a))|spoke\b(?! at)|turned (?!\d)'
    r'|led\b(?! a)|left (?:it|that|the|me|early|late)|lost (?:my (?:mind|way|temper|cool|train|focus'
    r'|motivation|phone)|it|touch|track|interest|the)|saw (?:the|how|that|your|my|some|a lot'
    r'|it)|called\b|brought\b(?! home)|read (?:the|your|that|it|some)|played (?:with|it'
    r'|the (?!piano|guitar|violin|drums|flute|cello))|passed (?:by|it|the (?:time|ball|baton|word))'
    r'|felt|spent (?:the|some|a lot|hours|time|so)'
    r'|watched (?:the|it|some|them)|threw (?:up|it|away)|picked (?:it|the|them)|dropped'
    r'|entered the|broke (?:it|the|up$)|closed|opened (?:it|the|up)|fixed (?:it|the|that|this)'
    r'|called|sent|received (?:the|your)|stayed (?:up|home|in bed|late)|tested|upgraded|set up'
    r'|created (?:the|this|that|it)|built (?:the|it|this)|wrote (?:the|this|it|some)'
    r'|completed (?:the|it)|finished (?:the|it|up)|launched (?:the|it)|learned (?:that|so'
    r'|a lot|how|the|some)|learnt|discovered (?:that|the|this|it)|drove (?:the|me|it)'
    r'|submitted (?:the|it)|applied (?:the|it))',
    re.IGNORECASE,
)


def _happened(m: re.Match[str], ctx: Context) -> Drafts:
    clause = m['verb'] + m['v']
    spans = [
        s
        for s in ctx.times(clause)
        if clause[s.end : s.end + 1] != "'" and not re.match('since', s.text, re.IGNORECASE)
    ]
    span = spans[0] if spans else ctx.when
    if span is None or span.is_open or span.begin > ctx.base or not say_time(span):
        return None
    if spans:
        # The words after the time still belong to the event when they add a place or company, not a new thought.
        before, after = clause[: span.start].rstrip(' ,'), clause[span.end :]
        what = cut(before, limit=16)
        if len(what) < len(before) - 1 and not re.match(r'\W*$', before[len(what) :]):
            return None
        more = cut(after, limit=8) if re.match(r'\s(?:with|at|in|for|to|about|on|by|near)\s', after) else ''
        what = f'{what} {more.strip()}' if more and not is_vague(more) else what
    else:
        what = cut(clause, limit=16)
    if what.lower() in ('graduated', 'retired'):
        return _event(what, span)
    if not what or ' ' not in what or _EMPTY_EVENT.match(what) or is_vague(what.split(maxsplit=1)[1], definite=True):
        return None
    if ctx.times(what) or _dangling(what):
        return None
    return _event(what, span)


def _dangling(what: str) -> bool:
    return re.search(r'\s(?:was|were|is|are|and it)\b', what) is not None


def _event(what: str, span: TimeSpan) -> Draft:
    verb, _, rest = what.partition(' ')
    return Draft(
        f'{verb.lower()} {turned(rest)} {say_time(span)}',
        'event',
        confidence=0.85,
        importance=0.4,
        valid_from=span.begin,
    )


_NEEDS_OBJECT = frozenset(
    (
        'playing',
        'watching',
        'reading',
        'learning',
        'teaching',
        'collecting',
        'practicing',
        'practising',
        'making',
        'studying',
        'running',
        'managing',
        'building',
        'selling',
        'helping',
        'supporting',
        'planning',
        'following',
    )
)


def _has_been(m: re.Match[str], ctx: Context) -> Drafts:
    """`I've been painting for seven years`: lasting, with its beginning."""
    since = ctx.since(m['v'])
    value = ctx.timeless(cut(m['v'], limit=12))
    verb = m['verb'].lower()
    if (
        since is None
        or (ctx.base - since).days < 20
        or is_vague(f'x {value}')
        or _dangling(f'{verb} {value}')
        or ctx.when is not None
    ):
        return None
    if verb in _NEEDS_OBJECT and not value:
        return None
    if verb in (
        'thinking',
        'feeling',
        'wanting',
        'trying',
        'getting',
        'going',
        'doing',
        'having',
        'looking',
        'meaning',
        'waiting',
        'being',
        'working',
        'living',
        'seeing',
        'using',
        'making',
        'busy',
        'keeping',
        'wondering',
        'dealing',
        'struggling',
        'taking',
        'coming',
        'putting',
    ):
        return None
    when = f'since around {since.year}' if (ctx.base - since).days > 360 else f'since {since:%B} {since.year}'
    return Draft(
        f'has been {verb} {turned(value)}'.rstrip() + f' {when}',
        'profile',
        importance=0.5,
        confidence=0.85,
        valid_from=since,
    )


RULES = (
    Rule(_EVENT, _happened),
    Rule(
        re.compile(
            r"(?:i've|i have|we've|we have)\s(?:also |really "
            r'|now )?been\s(?:into )?(?P<verb>[a-z]{3,14}ing)\b(?P<v>.{0,200})$',
            re.IGNORECASE,
        ),
        _has_been,
    ),
)
