"""Who the speaker is, where they live, what they do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_name, is_vague, turned
from memoranda.write.rules.words import COUNTRIES, LANGUAGES, NATIONALITIES, OCCUPATIONS

__all__ = ['RULES', 'place', 'title']

_HIGH = 0.85


def _name(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=4)
    if not value or not is_name(value) or value.lower() in NATIONALITIES:
        return None
    return Draft(f'name is {value}', 'profile', form='owns', slot='name', value=value, importance=_HIGH)


def _greeted(m: re.Match[str], ctx: Context) -> Drafts:
    # `Hi, I'm Sam`: only a greeting tells a name from `I'm Dutch` or `I'm Back`.
    return _name(m, ctx) if re.match(r'(?:hi|hello|hey|greetings)\b', ctx.sentence, re.IGNORECASE) else None


def _age(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["n"]} years old', 'profile', importance=0.7) if 3 < int(m['n']) < 120 else None


_DATE = r'(?:\d{1,2}(?:st|nd|rd|th)?\s(?:of\s)?[A-Z][a-z]{2,9}|[A-Z][a-z]{2,9}\s\d{1,2}(?:st|nd|rd|th)?|\d{4}-\d\d-\d\d)(?:,?\s(?:19|20)\d\d)?'


def _birthday(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['d']
    if not ctx.times(value):
        return None
    return Draft(f'birthday is {value}', 'profile', form='owns', slot='birthday', value=value, importance=_HIGH)


def _born(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=5)
    if re.fullmatch(r'(?:19|20)\d\d', value):
        return Draft(f'was born in {value}', 'profile', slot='birth.year', value=value, importance=0.7)
    where = place(value)
    if where is None:
        return None
    return Draft(f'was born in {where}', 'profile', slot='birthplace', value=where, importance=0.7)


def _pronouns(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['p']
    return Draft(f'pronouns are {value}', 'profile', form='owns', slot='pronouns', value=value, importance=_HIGH)


def _nationality(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=3)
    plain = re.sub(r'\s(?:citizen|national)$', '', re.sub(r'^(?:an?|originally)\s', '', value))
    parts = re.split(r'[-\s]', plain.lower())
    if plain.lower() in NATIONALITIES or (len(parts) == 2 and all(p in NATIONALITIES for p in parts)):
        return Draft(f'is {value}', 'profile', importance=0.8)
    return None


def _speaks(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.sub(r'^(?:both|fluent|native|some|a (?:bit|little) of|a little)\s', '', m['v']), limit=8)
    value = re.sub(r'\s(?:fluently|natively|well|pretty well|at home|at work)$', '', value)
    names = [n for n in re.split(r',\s?(?:and\s)?|\sand\s', value) if n]
    if not names or any(_language_of(n) is None for n in names):
        return None
    soft = re.match(r'(?:some|a (?:bit|little))', m['v'], re.IGNORECASE)
    return Draft(f'speaks {"some " if soft else ""}{value}', 'profile', importance=0.7)


def _language_of(text: str) -> str | None:
    plain = re.sub(r'^(?:fluent|native|basic|conversational|decent|some|a little|a bit of)\s', '', text.strip().lower())
    return plain if plain in LANGUAGES else None


def _native(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=2)
    if _language_of(value) is None:
        return None
    return Draft(f'native language is {value}', 'profile', form='owns', slot='language.native', value=value, importance=0.7)


# Places

_PLACE_KINDS = r'(?:city|town|village|country|state|capital|area|suburbs?|outskirts)'


def place(text: str) -> str | None:
    """The proper name of a place, or None (`a flat`, `the middle of nowhere`)."""
    text = re.sub(rf'^the (?:{_PLACE_KINDS}) of\s', '', text.strip())
    text = re.sub(r'\s(?:area|city centre|proper|itself)$', '', text)
    text = re.sub(r'^(?:downtown|central|sunny|beautiful|rainy|lovely|good old)\s', '', text, flags=re.IGNORECASE)
    if text.lower() in COUNTRIES or text.lower() in ('los angeles', 'new york', 'san francisco'):
        return text
    if not text or len(text.split()) > 6 or not re.match(r"(?:the\s)?[A-ZÀ-Þ]", text):
        return None
    parts = text.split(', ')
    return text if all(_is_place_part(part) for part in parts) else None


def _is_place_part(part: str) -> bool:
    part = re.sub(r'^[Tt]he\s', '', part)
    return part.lower() in COUNTRIES or is_name(part) or re.fullmatch(r"[A-Z][\w'.-]+(?: (?:in|on|upon|near|sur|am|an der) [A-Z][\w'.-]+)", part) is not None


def _place_words(m: re.Match[str], ctx: Context) -> tuple[str, str]:
    """The place as said, and the clause's rest that may tell a time."""
    raw = re.split(r',?\snot\s', m['v'], maxsplit=1)[0]
    raw = re.split(r'\s(?:with|alone|by (?:myself|ourselves)|near|close to|just outside|outside|from|for work|right next)\b', raw, maxsplit=1)[0]
    return cut(ctx.timeless(raw), limit=6), m['v']


def _home(where: str, ctx: Context, time: str) -> Draft | None:
    name = place(where)
    if name is None:
        plain = where.lower() == where and re.fullmatch(r"[a-z][a-z'-]{2,20}(?: [a-z'-]{2,20})?", where) and ctx.sentence.lower() == ctx.sentence
        if not plain or is_vague(where) or re.match(r"(?:an?|the|my|our|fear|peace|hope|different|another|old|new)\b", where):
            return None
        name = where
    slot = 'home.country' if name.lower() in COUNTRIES else 'home.city'
    return Draft(f'lives in {name}', 'profile', slot=slot, value=name, importance=_HIGH, valid_from=ctx.since(time))


def _lives(m: re.Match[str], ctx: Context) -> Drafts:
    where, time = _place_words(m, ctx)
    home = _home(where, ctx, time)
    if home is not None:
        return home
    if not where or is_vague(where) or re.match(r'(?:my|our|a world|fear|peace|hope|the moment|the past)\b', where, re.IGNORECASE):
        return None
    near = re.search(r"\s(?:near|close to|just outside|outside)(?: of)?\s[A-Z][\w'-]+(?:\s[A-Z][\w'-]+)?", m['v'])
    tail = near[0] if near and re.match(r'an?\s', where) else ''
    if not re.match(r'(?:an?|downtown)\s', where):
        return None
    return Draft(f'lives in {where}{tail}', 'profile', importance=0.7, valid_from=ctx.since(time))


def _moved(m: re.Match[str], ctx: Context) -> Drafts:
    if m['old'] and place(cut(m['old'], limit=5)) is None:
        return None
    where, time = _place_words(m, ctx)
    return _home(where, ctx, time)


def _from(m: re.Match[str], ctx: Context) -> Drafts:
    name = place(cut(re.sub(r'^originally\s', '', m['v']), limit=5))
    if name is None or re.match(r"(?:mars|earth|venus|the future)$", name, re.IGNORECASE):
        return None
    return Draft(f'is from {name}', 'profile', importance=0.75)


def _grew_up(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or not re.match(r"(?:in|on|near)\s", value) or not re.search(r'[A-Z]|\ba\s', value):
        return None
    return Draft(f'grew up {turned(value)}', 'profile', importance=0.6)


def _hometown(m: re.Match[str], ctx: Context) -> Drafts:
    name = place(cut(m['v'], limit=5))
    return Draft(f'hometown is {name}', 'profile', form='owns', slot='hometown', value=name, importance=0.7) if name else None


def _used_to_live(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    if not value or is_vague(value, definite=True):
        return None
    return Draft(f'used to {m["verb"].lower()} {turned(ctx.dated(value))}', 'profile', importance=0.4, confidence=0.85)


def _lived(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if place(cut(ctx.timeless(value))) is None:
        return None
    return Draft(f'lived in {ctx.dated(value)}', 'profile', importance=0.4, confidence=0.8)


# Work

_FICTION = re.compile(r'\b(?:in|of) (?:the|this|that|a|my) (?:game|story|movie|film|play|dream|novel|show|campaign|series)\b', re.IGNORECASE)


def title(text: str) -> str | None:
    """An occupation without its article, or None."""
    text = bare(text)
    if not text or len(text.split()) > 6 or is_vague(text) or _FICTION.search(text):
        return None
    last = text.lower().split()[-1]
    head = re.split(r'\s(?:of|for|in)\s', text.lower(), maxsplit=1)[0].split()[-1]
    known = last in OCCUPATIONS or head in OCCUPATIONS or ' '.join(text.lower().split()[-2:]) in OCCUPATIONS
    if not known and not re.search(r'(?:ologist|ician|grapher|therapist)$', last):
        return None
    if re.match(r'(?:good|great|bad|terrible|better|huge|big|hard|fast|slow|lucky|proud|happy|decent|night|quick|visual|tough|born|role|super)\b', text, re.IGNORECASE):
        return None
    return text


def _as_title(words: str) -> str:
    if re.match(r'(?:an?|the)\s', words):
        return words
    if re.match(r'(?:CTO|CEO|CFO|COO)\b|head of', words):
        return words
    return f'{"an" if words[0].lower() in "aeiou" else "a"} {words}'


def _work(job: str | None, employer: str | None, ctx: Context, time: str) -> Iterator[Draft]:
    since = ctx.since(time)
    if job:
        yield Draft(f'works as {_as_title(job)}', 'profile', slot='work.title', value=job, importance=0.8, valid_from=since)
    if employer:
        yield Draft(f'works at {employer}', 'profile', slot='work.employer', value=employer, importance=0.8, valid_from=since)


def _employer(text: str) -> str | None:
    value = cut(text, limit=5)
    plain = re.sub(r'^[Tt]he\s', '', value)
    if not value or ctx_like_time(value) or re.match(r'(?:night|home|weekends?)\b', value, re.IGNORECASE):
        return None
    return value if is_name(plain) or re.match(r'[A-Z]', plain) and not is_vague(value, definite=True) else None


def ctx_like_time(value: str) -> bool:
    """Whether a capitalised word names a day or month instead of an organisation."""
    return re.match(r'(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|(?:january|february|march|april|may|june|july|august)\b', value, re.IGNORECASE) is not None


def _works_as(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=14))
    job, _, where = _part(text)
    return list(_work(title(job), _employer(where) if where and title(job) else None, ctx, m['v']))


def _part(text: str) -> tuple[str, str, str]:
    m = re.search(r'\s(?P<prep>at|for|with)\s(?=(?:the\s)?[A-Z])', text)
    return (text[: m.start()], m['prep'], text[m.end() :]) if m else (text, '', '')


def _is_a(m: re.Match[str], ctx: Context) -> Drafts:
    if _FICTION.search(m['v']):
        return None
    text = ctx.timeless(cut(m['v'], limit=12))
    job, _, where = _part(text)
    job = re.sub(r'\s(?:by (?:day|trade|profession|training)|based in .*|in [A-Z].*|from [A-Z].*)$', '', job)
    found = title(job)
    if found is None:
        return None
    return list(_work(found, _employer(where) if where else None, ctx, m['v']))


def _works_at(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=12))
    where, _, job = text.partition(' as ')
    employer = _employer(where)
    if employer is None:
        where = cut(where, limit=7)
        if not re.match(r'an?\s', where) or is_vague(where):
            return None
        return Draft(f'works {m["prep"].lower()} {where}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))
    return list(_work(title(job) if job else None, employer, ctx, m['v']))


def _works_in(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=6))
    if not value or is_vague(value) or re.match(r'(?:progress|a team|teams?|pairs|silence|person|batches|sprints|peace)\b', value, re.IGNORECASE):
        return None
    return Draft(f'works in {turned(value)}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))


def _works_how(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'works {m["how"].lower()}', 'profile', importance=0.6)


def _job_is(m: re.Match[str], ctx: Context) -> Drafts:
    found = title(cut(m['v'], limit=8))
    return list(_work(found, None, ctx, '')) if found else None


def _works_on_own(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=10)
    verb = {'run': 'runs', 'own': 'owns', 'manage': 'manages', 'teach': 'teaches'}[m['verb'].lower()]
    if not re.match(r'(?:an?|my own|our own|two|three)\s', value, re.IGNORECASE) and m['verb'].lower() != 'teach':
        return None
    if is_vague(value) or re.match(r'(?:a (?:quick|test|script|query|command|mile|few|risk|lot|temperature|fever|bath|marathon|half)|my own life)\b', value, re.IGNORECASE):
        return None
    if m['verb'].lower() == 'teach' and len(value.split()) > 5:
        return None
    return Draft(f'{verb} {turned(ctx.dated(value))}', 'profile', importance=0.7)


def _studies(m: re.Match[str], ctx: Context) -> Drafts:
    value = ctx.timeless(cut(m['v'], limit=9))
    if not value or is_vague(value) or re.match(r'(?:for|hard|a lot|with|every|all|late|best|better|at home|up|more|by)\b', value, re.IGNORECASE):
        return None
    return Draft(f'studies {turned(value)}', 'profile', importance=0.7, valid_from=ctx.since(m['v']))


def _studied(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    if not value or is_vague(ctx.timeless(value)) or re.match(r'(?:for|hard|a lot|with|all|that|how)\b', value, re.IGNORECASE):
        return None
    verb = m['verb'].lower()
    if verb == 'graduated' and not re.search(r'\b(?:from|in|with)\s', value):
        return None
    return Draft(f'{verb} {turned(ctx.dated(value))}', 'profile', importance=0.6)


def _belongs(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=9)
    how = re.sub(r'^now\s', '', m['how'].lower())
    if not value or is_vague(value, definite=True) or ctx.times(value) or re.match(r'the (?:problem|team|solution|process|group|journey|journeys|club)$', value):
        return None
    return Draft(f'volunteers{how[9:]} {turned(value)}' if how.startswith('volunteer ') and m[0].lower().startswith(('i v', 'we v')) else f'is {how} {turned(value)}', 'profile', importance=0.6)


def _degree(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value):
        return None
    article = '' if re.match(r'an?$', m['d'], re.IGNORECASE) else ''
    return Draft(f'has {article}{m["d"]} {value}', 'profile', importance=0.6)


def _retired(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'is {m["s"].lower()}', 'profile', importance=0.7, valid_from=ctx.since(m.string))


def _timezone(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['z']
    return Draft(f'time zone is {value}', 'profile', form='owns', slot='timezone', value=value, importance=0.8)


def _kind_of_person(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['t']
    return Draft(f'is {value}', 'profile', importance=0.55)


def _new_job(m: re.Match[str], ctx: Context) -> Drafts:
    text = ctx.timeless(cut(m['v'], limit=10))
    as_job = re.match(r'as\s(.+)', text)
    if as_job:
        job, _, where = _part(as_job[1])
        return list(_work(title(job), _employer(where) if where else None, ctx, m['v']))
    where, _, job = re.sub(r'^(?:at|with|for)\s', '', text).partition(' as ')
    return list(_work(title(job) if job else None, _employer(where), ctx, m['v'])) if re.match(r'(?:at|with|for)\s', text) else None


_ZONE = r'(?:(?:UTC|GMT)(?:\s?[+-]\d{1,2}(?::\d\d)?)?|[A-Z]{2,4}T|[A-Z][a-z]+/[A-Z][A-Za-z_]+|(?:Eastern|Pacific|Central|Mountain)(?: (?:Standard |Daylight )?Time)?)'
_PERSONS = (
    r'(?:a (?:morning|night|dog|cat|people|tea|coffee|beach|mountain|family) person|an? (?:big |huge |avid |total |complete |passionate |keen )?(?:night owl|early bird|introvert|extrovert|ambivert|feminist|bookworm|foodie|gamer'
    r'|minimalist|perfectionist|runner|cyclist|climber|swimmer|hiker|gardener|birdwatcher|knitter|surfer|skier|snowboarder|golfer|chess player|christian|muslim|buddhist|hindu|catholic|smoker|non-smoker|early riser|light sleeper'
    r'|morning lark|homebody|polyglot|trans woman|trans man|transgender woman|transgender man|history buff|movie buff|film buff|collector|reader|beginner)|an atheist|transgender|trans|non-binary|nonbinary|gay|lesbian|bisexual|queer|jewish|muslim|catholic|christian|buddhist|hindu'
    r'|left-handed|right-handed|colou?r[- ]blind|deaf|hard of hearing|dyslexic|autistic|diabetic|asthmatic|asexual|agnostic)'
)

RULES = (
    rule(r"my (?:full |first |given |real )?name(?:'s| is)\s<V>", _name),
    rule(r'(?:i am|i\'m) (?:called|named)\s<V>', _name),
    rule(r'<I>(?:go by)(?: the name)?(?: of)?\s<V>', _name),
    rule(r"(?:i'?m|i am|this is)\s<V>", _greeted),
    rule(r"<AM>(?P<n>\d{1,3})(?: years? old| yo| y/o)?$", _age),
    rule(rf'my (?:birthday|date of birth|dob)(?:\'s| is)\s(?:on\s)?(?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(rf'<I>was born on (?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(r'<I>was born (?:and raised )?in\s<V>', _born),
    rule(r'my pronouns are\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)', _pronouns),
    rule(r'<I>(?:use|go by)\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)(?: pronouns)?$', _pronouns),
    rule(r'<AM><V>', _nationality),
    rule(r'<I>(?:can )?speak\s<V>', _speaks),
    rule(r'<AM>fluent in\s<V>', _speaks),
    rule(r"my (?:native language|mother tongue|first language)(?:'s| is)\s<V>", _native),
    rule(r"<I>(?:live|reside)(?: (?:right )?(?:over |back |up |down )?here)?\sin\s<V>", _lives),
    rule(r"<AM>(?:(?:living|residing|based|located) in|settled in)\s<V>", _lives),
    rule(r"<HAVE>(?:lived|been (?:living|based)) in\s<V>", _lives),
    rule(r"<I>(?:moved|relocated) (?:over |back |here )?(?:to|from (?P<old>.{2,60}?) to)\s<V>", _moved),
    rule(r"<HAVE>(?:moved|relocated) (?:over |back )?(?:to|from (?P<old>.{2,60}?) to)\s<V>", _moved),
    rule(r"<AM>(?:originally )?from\s<V>", _from),
    rule(r"<I>come from\s<V>", _from),
    rule(r"<I>grew up\s<V>", _grew_up),
    rule(r"my home ?town(?:'s| is)\s<V>", _hometown),
    rule(r"my (?:home )?(?:city|town)(?:'s| is)\s<V>", _lives),
    rule(r"<I>used to (?P<verb>live|work|teach|study|play|smoke|own|drive|be|run|drink|hate|love|eat|go to|have|dance|sing|swim|compete|collect|volunteer|code)\s<V>", _used_to_live),
    rule(r"<I>lived in\s<V>", _lived),
    rule(r"<I>work as\s<V>", _works_as),
    rule(r"<AM>(?:working|employed) as\s<V>", _works_as),
    rule(r"<HAVE>(?:worked|been working) as\s<V>", _works_as),
    rule(r"<AM>(?=(?:an?|the|head|cto|ceo)\s)<V>", _is_a),
    rule(r"<HAVE>been (?=an?\s)<V>", _is_a),
    rule(r"<I>work (?P<prep>at|for)\s<V>", _works_at),
    rule(r"<AM>(?:working|employed) (?P<prep>at|by|for)\s<V>", _works_at),
    rule(r"<HAVE>(?:worked|been working) (?P<prep>at|for)\s(?!\d|an? (?:few|couple|while|long|year|month)|years|over|about|almost|many)<V>", _works_at),
    rule(r"<I>work in\s<V>", _works_in),
    rule(r"<I>work (?P<how>from home|remotely|part[- ]time|full[- ]time|night shifts|nights|freelance|shifts)\b", _works_how),
    rule(r"my (?:job|profession|occupation|job title|role)(?:'s| is)(?: to be)?\s<V>", _job_is),
    rule(r"<I>(?P<verb>run|own|manage|teach)\s<V>", _works_on_own),
    rule(r"<I>study\s<V>", _studies),
    rule(r"<AM>(?:studying|majoring in)\s<V>", _studies),
    rule(r"<AM>(?P<how>(?:now |a )?(?:part|member|volunteer|mentor|volunteering|mentoring) (?:of|at|for|with|as)(?: an?)?)\s<V>", _belongs),
    rule(r"<I>(?P<how>volunteer (?:at|for|with|as)(?: an?)?)\s<V>", _belongs),
    rule(r"<I>(?P<verb>majored|graduated|studied)\s<V>", _studied),
    rule(r"<I>(?:have|hold|got)\s(?P<d>(?:an?|my) (?:degree|bachelor'?s?(?: degree)?|master'?s?(?: degree)?|phd|mba|diploma|certificate|doctorate)(?: degree)? in)\s<V>", _degree),
    rule(r"<AM>(?P<s>retired|unemployed|self-employed|between jobs|on (?:maternity|paternity|parental|sick) leave|on sabbatical)\b", _retired),
    rule(rf"my time ?zone(?:'s| is)\s(?P<z>{_ZONE})", _timezone),
    rule(rf"<AM>in (?:the )?(?P<z>{_ZONE})(?: time ?zone)", _timezone),
    rule(rf"<AM>(?P<t>{_PERSONS})(?:\s(?:myself|and proud|too|too much))?$", _kind_of_person),
    rule(r"<I>(?:got|started|landed|accepted|took) (?:an?|my) (?:new )?(?:job|position|role)\s<V>", _new_job),
    rule(r"<HAVE>(?:got|started|landed|accepted|taken) (?:an?|my) (?:new )?(?:job|position|role)\s<V>", _new_job),
)
