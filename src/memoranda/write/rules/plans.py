"""Goals, plans and limits."""

from __future__ import annotations

import re

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import NUMBER, cut, is_vague, turned

__all__ = ['RULES']

_GOAL = 0.6
_AIMS = (
    r'(?:learn|become|visit|travel|move|start|run|lose|gain|improve|buy|build|study|write|open'
    r'|adopt|save|quit|stop|retire|climb|get (?:into|better|fit|fitter|healthier|stronger|leaner|back in|married'
    r'|certified|my|a'
    r'|in (?:better )?shape)|pass|finish|complete|publish|launch|master|practi[cs]e|apply|read more'
    r'|spend more|eat (?:more|less|healthier)|drink (?:more|less)'
    r'|cut|exercise|volunteer|create my|create a|found|grow|paint|record|compete|qualify|join'
    r'|switch|reduce|earn|pay off|invest|train|work (?:in|as|for|with)|go (?:to|back)'
    r'|take (?:up|a|my|part)|plant|sell|host|organi[sz]e|teach|pursue|expand|set up|graduate'
    r'|see the|explore)'
)
_SMALL_TALK = re.compile(
    r'(?:make (?:sure|it)|hear|know|ask|say|see (?:you|if|how|what|it)|thank|tell|show'
    r'|share (?:it|this|with|some)|check|talk|chat|catch up|continue|mention|understand'
    r'|start (?:with|by|off|over)|read (?:this|it)|write (?:a (?:function|script|query|test'
    r'|regex|program|prompt|loop|class|method)|code|sql)|get (?:back|there|it|this|started'
    r'|a list)'
    r'|build (?:a (?:query|list|table|regex))|create (?:a (?:function|list|table|file|class'
    r'|query|script|list))|go (?:ahead|over|through|with)|move (?:on|forward|this)'
    r'|take (?:a (?:look|break|moment|second|nap)|it)|learn (?:about (?:it|this|that)'
    r'|more about (?:it|this|that))|keep|join (?:you|in)|stop (?:by|here)|finish (?:this|up)'
    r'|complete (?:this|the)|run (?:this|the|a|it|my))\b',
    re.IGNORECASE,
)


def _wants(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=12)
    if (
        not value
        or not re.match(_AIMS + r'\b', value, re.IGNORECASE)
        or _SMALL_TALK.match(value)
        or is_vague(ctx.timeless(value))
    ):
        return None
    return _goal('wants to', value, ctx, 0.75)


def _plans(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=18)
    if not value or is_vague(ctx.timeless(value)) or _SMALL_TALK.match(value):
        return None
    how = m['how'].lower()
    said = {
        'plan': 'plans to',
        'hope': 'hopes to',
        'aim': 'aims to',
        'intend': 'intends to',
        'planning': 'plans to',
        'hoping': 'hopes to',
        'aiming': 'aims to',
        'looking': 'is looking to',
    }[how]
    return _goal(said, value, ctx, 0.8)


def _goal(lead: str, value: str, ctx: Context, confidence: float) -> Draft:
    return Draft(f'{lead} {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=_GOAL, confidence=confidence)


def _plans_on(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=12)
    if not value or is_vague(value) or not re.match(r'(?:\w+ing\b|an?\s|my\s|our\s)', value):
        return None
    if re.match(
        r'an? (?:\w+\s)?(?:party|trip|wedding|holiday|vacation|move|honeymoon|visit|camping|tour'
        r'|event|hike|getaway|reunion|surprise|family|road|solo|weekend|fundraiser|charity)\b|my\s'
        r'|our\s',
        value,
    ):
        return Draft(
            f'is planning {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=_GOAL, confidence=0.8
        )
    if value.split()[0].endswith('ing') and m['how'].lower().endswith('on'):
        return Draft(f'plans on {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=_GOAL, confidence=0.75)
    return None


_CHORE = re.compile(
    r'to (?:parse|fix|debug|refactor|implement|get the|sort|render|make the|print|load|call'
    r'|return|convert|extract|test|compute'
    r'|use|understand|find|check|avoid|see|show|add|remove|change|replace|update|merge|count)\b'
)


def _goal_is(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.sub(r'^(?:now|still|always|just)\s', '', m['v']), limit=18)
    if (
        not value
        or is_vague(ctx.timeless(value))
        or not re.match(r'(?:to\s|\w+ing\b|\d)', value)
        or _CHORE.match(value)
    ):
        return None
    what = m['what'].lower()
    return Draft(f'{what} is {turned(ctx.dated(value, prefer="future"))}', 'goal', form='owns', importance=0.7)


_TRIAL = re.compile(
    r'the (?:[\w-]+ ){1,3}(?:exam|exams|marathon|race|certification|competition|championship|olympics|test)$', re.I
)


def _doing_for(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or (is_vague(value) and not _TRIAL.match(value)):
        return None
    if re.match(r'(?:the\s)?(?:best|worst|trouble|rest)\b', value):
        return None
    how = ' '.join(m['how'].lower().split())
    return Draft(f'is {how} {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=_GOAL)


def _learning(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=8))
    if not value or is_vague(value) or re.match(r'(?:a lot|so|more|from|that|about|as|on|by|new\b)', value):
        return None
    return Draft(f'is {m["how"].lower()} {turned(value)}', 'goal', importance=0.6)


def _trying(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if (
        not value
        or is_vague(value)
        or not re.match(
            r'(?:lose|gain|quit|stop|save|learn|eat|drink|cut|reduce|get (?:pregnant|into|fit|in shape'
            r'|better at|healthier|more|a job)|become|improve|find (?:a|my)|exercise|wake|sleep'
            r'|conceive|build (?:a habit|muscle)|pay off|live|read more|spend|limit|start)\b',
            value,
        )
    ):
        return None
    if re.match(r'(?:find (?:a (?:way|solution|bug|good))|start (?:the|my|with)|stop (?:the|it))\b', value):
        return None
    return Draft(f'is trying to {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=_GOAL, confidence=0.8)


def _going_to(m: re.Match[str], ctx: Context) -> Drafts:
    """A plan with a day: `I'm moving to Porto next month`, `I'm flying to Rome on Friday`."""
    value = cut(m['v'], limit=18)
    spans = [s for s in ctx.times(value, prefer='future') if not s.is_open and s.until > ctx.base]
    if (
        not spans
        or is_vague(ctx.timeless(value))
        or re.match(r'(?:well|good|great|fine|ok|strong|crazy|an? (?:error|issue|exception|crash))\b', value)
    ):
        return None
    if any(re.match(r'(?:today|tonight|this (?:morning|afternoon|evening))', s.text, re.IGNORECASE) for s in spans):
        return None
    return Draft(
        f'is {m["verb"].lower()} {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=0.5, confidence=0.8
    )


def _moving_to(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if is_vague(value) or not re.match(r'(?:to|into|out of|from)\s(?:an?\s|the\s)?[A-Z]', value):
        return None
    return Draft(f'is moving {turned(ctx.dated(value, prefer="future"))}', 'goal', importance=0.6, confidence=0.8)


# Limits

_CANNOT = (
    r'(?:eat|drink|have (?:dairy|gluten|sugar|nuts|alcohol|caffeine|pets|eggs|shellfish)|drive'
    r'|swim|run|walk|lift|afford|fly|ride|cook|dance|sing|work (?:on|more|after|before'
    r'|weekends|nights|in)|travel|read (?:sheet|music)|tolerate|digest|whistle|hear (?:well'
    r'|out)'
    r'|see (?:well|colou?rs|out)|use (?:my|cloud|third|external|paid|proprietary|[A-Z])'
    r'|take (?:ibuprofen|aspirin|penicillin|medication)|handle (?:spicy|dairy|gluten|heat'
    r'|cold)|do (?:push-ups|high-impact|mornings)|wear|sleep (?:without|well)|attend'
    r'|meet (?:on|before|after))'
)


def _cannot(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if (
        not value
        or is_vague(value)
        or not re.match(_CANNOT + r'\b', value)
        or ctx.times(value)
        or re.search(r'\b(?:enough|without (?:you|thinking|laughing)|wait)\b', value)
    ):
        return None
    if ' ' not in value and value not in (
        'swim',
        'drive',
        'fly',
        'dance',
        'sing',
        'cook',
        'ride',
        'run',
        'whistle',
        'drink',
    ):
        return None
    return Draft(f"can't {turned(value)}", 'constraint', importance=0.8)


def _only_have(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if (
        not value
        or is_vague(value)
        or not re.match(rf'(?:about |around |up to )?(?:{NUMBER}|[$€£]\d|half|an?)\b', value)
    ):
        return None
    if re.match(r'(?:one|a|an)\s(?:question|idea|problem|issue|thing|minute|second|moment|few)\b', value):
        return None
    return Draft(f'only has {turned(value)}', 'constraint', importance=0.8)


def _budget(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if (
        not value
        or is_vague(value)
        or not re.search(r'\d', value)
        or re.search(r'(?:tokens|words|lines|ms|MB|GB)$', value)
    ):
        return None
    what = (m['what'] or 'budget').lower()
    return Draft(f'{what} is {turned(value)}', 'constraint', form='owns', importance=0.85)


def _deadline(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=7)
    if not value or not (ctx.times(value, prefer='future') or re.search(r'\d', value)):
        return None
    what = m['what'].lower()
    limit = re.search(r'(?:deadline|due date|rent)$', what) is not None
    return Draft(
        f'{what} is {ctx.dated(value, prefer="future")}',
        'constraint' if limit else 'event',
        form='owns',
        importance=0.8 if limit else 0.6,
    )


def _available(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or (ctx.times(value) and not re.search(r'days\b', value)):
        return None
    how = re.sub(r"^(?:am|'m)\s", '', ' '.join(m['how'].lower().split()))
    return Draft(f'is {how} {turned(value)}', 'constraint', importance=0.75)


def _can_only(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value) or re.match(r'(?:imagine|hope|think|guess|say|dream|assume|speak for|be)\b', value):
        return None
    return Draft(f'can only {turned(ctx.dated(value, prefer="future"))}', 'constraint', importance=0.75)


def _spends(m: re.Match[str], ctx: Context) -> Drafts:
    """`I can't spend more than 900 euros on the new laptop`."""
    value = cut(m['v'], limit=10)
    if not value or not re.match(_MONEY, value, re.IGNORECASE) or re.search(r'\b(?:this|that|it|you|your)\b', value):
        return None
    return Draft(f"can't spend more than {turned(value)}", 'constraint', importance=0.75)


_MONEY = (
    r'(?:about |around )?(?:[$€£¥]\s?\d[\d.,]*k?|\d[\d.,]*\s?(?:k\b|dollars?|euros?|pounds?|bucks|usd|eur|gbp|chf'
    r'|francs?|yen'
    r'|kronor|kroner|rupees|[$€£¥]))'
)


def _lacks(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=7)
    if (
        not value
        or is_vague(value)
        or not re.match(
            r'(?:access to|an?\s(?:car|oven|(?:driving |driver\'s )?licen[cs]e|driver|credit|dishwasher|garden|passport'
            r'|microwave|gym|computer|laptop|gpu|degree|phone|budget|printer|dog|cat|pet|sister'
            r'|brother|partner|washing)|any (?:siblings|kids|children|pets|allergies)|kids|children'
            r'|siblings|pets|a lot of (?:money|time))\b',
            value.replace('any', 'any'),
        )
    ):
        return None
    kin = re.search(r'\b(?:dog|cat|pets?|sister|brother|partner|siblings|kids|children)$', value)
    verb = m['verb'].lower()
    return Draft(f"doesn't {verb} {turned(value)}", 'relationship' if kin else 'constraint', importance=0.65)


def _needs_by(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=14)
    if (
        not value
        or is_vague(value)
        or not re.search(r'\s(?:by|before)\s', value)
        or not ctx.times(value, prefer='future')
    ):
        return None
    verb = 'needs' if 'need' in m['how'].lower() else 'has'
    return Draft(f'{verb} to {turned(ctx.dated(value, prefer="future"))}', 'constraint', importance=0.7, confidence=0.8)


_DATES = (
    r'(?:meeting|appointment|exam|test|interview|flight|surgery|concert|wedding|presentation'
    r'|deadline|recital|game|match|race|conference|checkup|check-up|date|trip|competition'
    r'|tournament|audition)'
)


def _has_date(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    spans = [s for s in ctx.times(value, prefer='future') if not s.is_open and s.until > ctx.base]
    if not spans or is_vague(ctx.timeless(value)):
        return None
    return Draft(f'has {turned(ctx.dated(value, prefer="future"))}', 'event', importance=0.5, confidence=0.85)


RULES = (
    rule(
        rf"(?:i|we)\s(?:also )?(?:have|'ve got)\s(?=(?:an?|my)\s(?:[a-z'-]{{2,14}}\s){{0,3}}?{_DATES}\b)<V>", _has_date
    ),
    rule(
        r'(?:i|we)\s(?:really |also )?(?P<how>need to|have to|must)\s(?=(?:finish|submit|complete'
        r'|pay|hand|deliver|leave|decide|return|renew|find|file|move|send|ship|pass|launch)\b)<V>',
        _needs_by,
    ),
    rule(r'<I>want to\s<V>', _wants),
    rule(r'<AM>(?:(?P<how>planning|hoping|aiming|looking) to)\s<V>', _plans),
    rule(r'<I>(?P<how>plan|hope|aim|intend) to\s<V>', _plans),
    rule(r'<AM>(?P<how>planning(?: on)?)\s<V>', _plans_on),
    rule(
        r'my (?P<what>(?:(?:main|current|long-term|short-term|ultimate|fitness|career|big|next'
        r"|biggest|new year's)\s)?(?:goal|dream|aim|plan|resolution|target))(?: (?:this|next"
        r"|for (?:this|next|the)) (?:year|month|week|summer))?(?:'s| is)\s<V>",
        _goal_is,
    ),
    rule(
        r'<AM>(?P<how>training for|saving(?: up)? for|preparing for|prepping for|revising for|cramming for'
        r'|studying for|working towards?'
        r'|applying (?:to|for)|looking for an? (?:new )?(?:job|house|apartment|flat|roommate'
        r'|therapist))\s<V>',
        _doing_for,
    ),
    rule(r'<AM>(?P<how>learning)\s<V>', _learning),
    rule(r'<AM>trying to\s<V>', _trying),
    rule(r'<AM>(?:moving|relocating)\s<V>', _moving_to),
    rule(
        r'<AM>(?P<verb>going|flying|travell?ing|visiting|starting|getting|having|taking|running'
        r'|hosting|attending|leaving|returning|meeting|performing|competing|volunteering'
        r'|graduating|launching|opening|putting together|organi[sz]ing|presenting|throwing'
        r'|holding|hiking|camping)\s<V>',
        _going_to,
    ),
    rule(r"(?:i|we)\s(?:really |just |still )?(?:can't|cant|cannot|can not|am not allowed to)\s<V>", _cannot),
    rule(r'<I>only have\s<V>', _only_have),
    rule(r'(?:i|we)\sonly have\s<V>', _only_have),
    rule(r"(?:my|our)\s(?P<what>(?:[a-z]+\s)?budget)(?:'s| is| is about| is around)\s<V>", _budget),
    rule(r'<I>have (?:an?|the) (?P<what>(?:[a-z]+\s)?budget) of\s<V>', _budget),
    rule(
        r'(?:my|our)\s(?P<what>(?:[a-z]+\s)?(?:deadline|due date|flight|exam|appointment|interview'
        r"|wedding|surgery|rent))(?:'s| is)\s<V>",
        _deadline,
    ),
    rule(
        r"(?:i'm|i am|we're|we are)\s(?:usually |generally |really )?(?P<how>(?:only "
        r'|not )?(?:available|free))\s(?=(?:on|after|before|between|until|from|at|in the|during'
        r'|weekends|evenings|mornings)\b)<V>',
        _available,
    ),
    rule(r'(?:i|we)\scan only\s<V>', _can_only),
    rule(r"<I>(?:don't|dont|do not) (?P<verb>have|own)\s<V>", _lacks),
    rule(
        r"<I>(?:can't|cant|cannot|can not|don't want to|do not want to|won't) (?:spend|pay|go over|afford) more "
        r'than\s<V>',
        _spends,
    ),
)
