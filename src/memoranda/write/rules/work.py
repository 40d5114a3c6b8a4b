"""What the speaker does: title, employer, studies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_name, is_vague, turned
from memoranda.write.rules.places import comes_from, lives
from memoranda.write.rules.words import OCCUPATIONS

__all__ = ['RULES', 'employed', 'title']


_FICTION = re.compile(
    r'\b(?:in|of) (?:the|this|that|a|my) (?:game|story|movie|film|play|dream|novel|show|campaign|series)\b',
    re.IGNORECASE,
)


def title(text: str) -> str | None:
    """An occupation without its article, or None."""
    text = bare(text)
    if not text or len(text.split()) > 6 or is_vague(text) or _FICTION.search(text):
        return None
    last = text.lower().split()[-1]
    head = re.split(r'\s(?:of|for|in)\s', text.lower(), maxsplit=1)[0].split()[-1]
    known = last in OCCUPATIONS or head in OCCUPATIONS or ' '.join(text.lower().split()[-2:]) in OCCUPATIONS
    known = known or re.match(r'head of [a-z]', text) is not None
    if not known and not re.search(r'(?:ologist|ician|grapher|therapist)$', last):
        return None
    if re.match(
        r'(?:good|great|bad|terrible|better|huge|big|hard|fast|slow|lucky|proud|happy|decent|night'
        r'|quick|visual|tough|born|role|super)\b',
        text,
        re.IGNORECASE,
    ):
        return None
    return text


def _as_title(words: str) -> str:
    if re.match(r'(?:an?|the)\s', words):
        return words
    if re.match(r'(?:CTO|CEO|CFO|COO)\b|head of', words):
        return words
    return f'{"an" if words[0].lower() in "aeiou" else "a"} {words}'


_BEING = frozenset(
    (
        'student',
        'undergrad',
        'undergraduate',
        'founder',
        'cofounder',
        'co-founder',
        'owner',
        'entrepreneur',
        'freelancer',
    )
)


def employed(job: str | None, employer: str | None, ctx: Context, time: str) -> Iterator[Draft]:
    """Title and employer as facts, each where it is known, since when `time` says."""
    since = ctx.since(time)
    if job:
        verb = 'is' if job.lower().split()[-1] in _BEING else 'works as'
        yield Draft(
            f'{verb} {_as_title(job)}', 'profile', slot='work.title', value=job, importance=0.8, valid_from=since
        )
    if employer:
        yield Draft(
            f'works at {employer}', 'profile', slot='work.employer', value=employer, importance=0.8, valid_from=since
        )


def _employer(text: str) -> str | None:
    value = cut(text, limit=5)
    plain = re.sub(r'^[Tt]he\s', '', value)
    if not value or _names_time(value) or re.match(r'(?:night|home|weekends?)\b', value, re.IGNORECASE):
        return None
    return value if is_name(plain) or (re.match(r'[A-Z]', plain) and not is_vague(value, definite=True)) else None


def _names_time(value: str) -> bool:
    """Whether a capitalised word names a day or month instead of an organisation."""
    return (
        re.match(
            r'(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|(?:january|february|march|april|may|june|july|august)\b',
            value,
            re.IGNORECASE,
        )
        is not None
    )


def _works_as(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=14))
    job, _, where = _part(text)
    return list(employed(title(job), _employer(where) if where and title(job) else None, ctx, m['v']))


def _part(text: str) -> tuple[str, str, str]:
    m = re.search(r'\s(?P<prep>at|for|with)\s(?=(?:the\s)?[A-Z])', text)
    return (text[: m.start()], m['prep'], text[m.end() :]) if m else (text, '', '')


def _is_a(m: re.Match[str], ctx: Context) -> Drafts:
    if _FICTION.search(m['v']):
        return None
    text = ctx.timeless(cut(m['v'], limit=12))
    job, _, where = _part(text)
    job = re.sub(
        r'\s(?:by (?:day|trade|profession|training)|(?:based|living|residing|currently'
        r'|working)\b.*|in [A-Z].*|from [A-Z].*)$',
        '',
        job,
    )
    found = title(job) or title(re.split(r',\s', job, maxsplit=1)[0])
    if found is None:
        return None
    drafts = list(employed(found, _employer(where) if where else None, ctx, m['v']))
    home = re.search(r'\s(?:living|based|residing) in\s(?P<v>.+)$', m['v'])
    origin = re.search(r'\sfrom\s(?P<v>[A-Z].+)$', m['v'])
    return [*drafts, *(lives(home, ctx) if home else []), *(comes_from(origin) if origin else [])]


def _works_at(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=12))
    where, _, job = text.partition(' as ')
    employer = _employer(where)
    if employer is None:
        where = cut(where, limit=7)
        if not re.match(r'an?\s', where) or is_vague(where):
            return None
        return Draft(f'works {m["prep"].lower()} {where}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))
    return list(employed(title(job) if job else None, employer, ctx, m['v']))


def _works_in(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=6))
    if (
        not value
        or is_vague(value)
        or re.match(r'(?:progress|a team|teams?|pairs|silence|person|batches|sprints|peace)\b', value, re.IGNORECASE)
    ):
        return None
    return Draft(f'works in {turned(value)}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))


def _works_how(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'works {m["how"].lower()}', 'profile', importance=0.6)


def _job_is(m: re.Match[str], ctx: Context) -> Drafts:
    found = title(cut(m['v'], limit=8))
    return list(employed(found, None, ctx, '')) if found else None


def _works_on_own(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    verb = {'run': 'runs', 'own': 'owns', 'manage': 'manages', 'teach': 'teaches'}[m['verb'].lower()]
    if not re.match(r'(?:an?|my own|our own|two|three)\s', value, re.IGNORECASE) and m['verb'].lower() != 'teach':
        return None
    if is_vague(value) or re.match(
        r'(?:a (?:quick|test|script|query|command|mile|few|risk|lot|temperature|fever|bath'
        r'|marathon|half)|my own life)\b',
        value,
        re.IGNORECASE,
    ):
        return None
    if m['verb'].lower() == 'teach' and len(value.split()) > 5:
        return None
    return Draft(f'{verb} {turned(ctx.dated(value))}', 'profile', importance=0.7)


def _studies(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=9))
    if (
        not value
        or is_vague(value)
        or re.match(r'(?:for|hard|a lot|with|every|all|late|best|better|at home|up|more|by)\b', value, re.IGNORECASE)
    ):
        return None
    return Draft(f'studies {turned(value)}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))


def _studied(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if (
        not value
        or is_vague(ctx.timeless(value))
        or re.match(r'(?:for|hard|a lot|with|all|that|how)\b', value, re.IGNORECASE)
    ):
        return None
    verb = m['verb'].lower()
    if verb == 'graduated' and not re.search(r'\b(?:from|in|with)\s', value):
        return None
    return Draft(f'{verb} {turned(ctx.dated(value))}', 'profile', importance=0.6)


def _belongs(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    how = re.sub(r'^now\s', '', m['how'].lower())
    if (
        not value
        or is_vague(value, definite=True)
        or ctx.times(value)
        or re.match(r'the (?:problem|team|solution|process|group|journey|journeys|club)$', value)
    ):
        return None
    return Draft(
        f'volunteers{how[9:]} {turned(value)}'
        if how.startswith('volunteer ') and m[0].lower().startswith(('i v', 'we v'))
        else f'is {how} {turned(value)}',
        'profile',
        importance=0.6,
    )


def _degree(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value):
        return None
    return Draft(f'has {m["d"]} {value}', 'profile', importance=0.6)


def _retired(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["s"].lower()}', 'profile', importance=0.7, valid_from=ctx.since(m.string))


def _new_job(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=10))
    as_job = re.match(r'as\s(.+)', text)
    if as_job:
        job, _, where = _part(as_job[1])
        return list(employed(title(job), _employer(where) if where else None, ctx, m['v']))
    where, _, job = re.sub(r'^(?:at|with|for)\s', '', text).partition(' as ')
    return (
        list(employed(title(job) if job else None, _employer(where), ctx, m['v']))
        if re.match(r'(?:at|with|for)\s', text)
        else None
    )


def _promoted(m: re.Match[str], ctx: Context) -> Drafts:
    found = title(ctx.timeless(cut(m['v'], limit=8)))
    return list(employed(found, None, ctx, m['v'])) if found else None


def _about(m: re.Match[str], ctx: Context) -> Drafts:
    """`My thesis is about octopus camouflage`."""
    value = cut(m['v'], limit=10)
    if not value or is_vague(value):
        return None
    return Draft(f'{m["what"].lower()} is {m["how"].lower()} {turned(value)}', 'knowledge', form='owns', importance=0.6)


def _leads(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    return Draft(f'leads {turned(value)}', 'profile', importance=0.65) if value and not is_vague(value) else None


RULES = (
    rule(r"(?:i|i was|i've been|i got|i have been)\s(?:just |recently )?(?:got )?promoted to\s<V>", _promoted),
    rule(r'<I>(?:lead|manage)\s(?=an?\s(?:\w+\s)?(?:team|group|lab|department)\b)<V>', _leads),
    rule(
        r"my (?P<what>(?:(?:phd|master'?s|bachelor'?s|doctoral|current)\s)?(?:thesis|dissertation|research|phd"
        r'|startup|start-up'
        r"|podcast|blog|newsletter|book|novel))(?:'s| is)\s(?P<how>about|on)\s<V>",
        _about,
    ),
    rule(r'<I>work as\s<V>', _works_as),
    rule(r'<AM>(?:working|employed) as\s<V>', _works_as),
    rule(r'<HAVE>(?:worked|been working) as\s<V>', _works_as),
    rule(r'<AM>(?=(?:an?|the|head|cto|ceo)\s)<V>', _is_a),
    rule(r'<HAVE>been (?=an?\s)<V>', _is_a),
    rule(r'<I>work (?P<prep>at|for)\s<V>', _works_at),
    rule(r'<AM>(?:working|employed) (?P<prep>at|by|for)\s<V>', _works_at),
    rule(
        r'<HAVE>(?:worked|been working) (?P<prep>at|for)\s(?!\d|an? (?:few|couple|while|long|year'
        r'|month)|years|over|about|almost|many)<V>',
        _works_at,
    ),
    rule(r"my (?:new |current |present )?job(?:'s| is) (?:now )?(?P<prep>at|with)\s(?-i:(?=[A-ZÀ-Þ]))<V>", _works_at),
    rule(r'<I>work in\s<V>', _works_in),
    rule(
        r'<I>work (?P<how>from home|remotely|part[- ]time|full[- ]time|night shifts|nights|freelance|shifts)\b',
        _works_how,
    ),
    rule(r"my (?:job|profession|occupation|job title|role)(?:'s| is)(?: to be)?\s<V>", _job_is),
    rule(r'<I>(?P<verb>run|own|manage|teach)\s<V>', _works_on_own),
    rule(r'<I>study\s<V>', _studies),
    rule(r'<AM>(?:studying|majoring in)\s<V>', _studies),
    rule(
        r'<AM>(?P<how>(?:now |a )?(?:part|member|volunteer|mentor|volunteering|mentoring) (?:of|at'
        r'|for|with|as)(?: an?)?)\s<V>',
        _belongs,
    ),
    rule(r'<I>(?P<how>volunteer (?:at|for|with|as)(?: an?)?)\s<V>', _belongs),
    rule(r'<I>(?P<verb>majored|graduated|studied)\s<V>', _studied),
    rule(
        r"<I>(?:have|hold|got)\s(?P<d>(?:an?|my) (?:degree|bachelor'?s?(?: degree)?"
        r"|master'?s?(?: degree)?|phd|mba|diploma|certificate|doctorate)(?: degree)? in)\s<V>",
        _degree,
    ),
    rule(
        r'<AM>(?P<s>retired|unemployed|self-employed|between jobs|on (?:maternity|paternity'
        r'|parental|sick) leave|on sabbatical)\b',
        _retired,
    ),
    rule(r'<I>(?:got|started|landed|accepted|took) (?:an?|my) (?:new )?(?:job|position|role)\s<V>', _new_job),
    rule(r'<HAVE>(?:got|started|landed|accepted|taken) (?:an?|my) (?:new )?(?:job|position|role)\s<V>', _new_job),
)
