"""Who the speaker is: name, age, birthday, pronouns, nationality, languages."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from memoranda.write.rules.claims import held_in
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_name
from memoranda.write.rules.places import is_workplace, place
from memoranda.write.rules.words import COUNTRIES, LANGUAGES, NATIONALITIES

__all__ = ['RULES']

_HIGH = 0.85


def _name(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(re.split(r',\s(?=(?:nice|pleased|good|great|glad|and)\b)', m['v'], maxsplit=1)[0], limit=4)
    if not value or not is_name(value) or value.lower() in NATIONALITIES:
        return None
    return Draft(f'name is {value}', 'profile', form='owns', slot='name', value=value, importance=_HIGH)


def _greeted(m: re.Match[str], ctx: Context) -> Drafts:
    # `Hi, I'm Sam`: only a greeting tells a name from `I'm Dutch` or `I'm Back`.
    greeted = _GREETING.match(ctx.sentence) or _GREETED.search(ctx.before)
    return _name(m, ctx) if greeted and m['v'].split()[0].lower() not in _NOT_NAMES else None


_GREETING = re.compile(r'(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening))\b', re.IGNORECASE)
_GREETED = re.compile(
    r'^\W*(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening))(?: (?:there|all|everyone'
    r'|again))?[\s!.,]*$',
    re.IGNORECASE,
)
_NOT_NAMES = frozenset(
    'aries taurus gemini cancer leo virgo libra scorpio sagittarius capricorn aquarius pisces catholic christian '
    'muslim '
    'jewish hindu buddhist mormon sikh atheist protestant orthodox baptist lutheran evangelical agnostic republican '
    'democrat liberal conservative libertarian socialist marxist european asian african latino latina hispanic black '
    'white caucasian arab kurdish basque catalan bavarian texan californian gen team type batman superman spider-man '
    'vegan vegetarian autistic deaf gay lesbian trans back here new done sorry ready native senior junior head chief '
    'tier level over under pro anti ex half part full'.split(' ')
)


_AND_I = re.compile(r"(?:,|\sand|,\sand)\s(?:i|i'm|i've|my|nice to|pleased to)\b", re.IGNORECASE)


def _introduced(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm Zed and I love chess`, as the first words of a message."""
    name = m['n']
    place = ctx.sentence.find(m[0])
    if place < 0 or not _AND_I.match(ctx.sentence, place + len(m[0])) or len(ctx.sentence[:place].split()) > 2:
        return None
    return _first_named(name, ctx)


def _from_where(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm Zed Moss from accounting`, as the first words of a message."""
    begin = ctx.sentence.find(m[0])
    if begin < 0 or len(ctx.sentence[:begin].split()) > 2 or not is_workplace(m['w']) or is_workplace(m['n']):
        return None  # `I'm Real Madrid from birth`
    return _first_named(m['n'], ctx)


def _first_named(name: str, ctx: Context) -> Drafts:
    """A name told where a message begins, which takes no other one's place."""
    if ctx.before.strip() and not _GREETED.search(ctx.before):
        return None
    if not is_name(name) or any(
        word in NATIONALITIES or word in LANGUAGES or word in _NOT_NAMES or word in COUNTRIES
        for word in (name.lower(), *name.lower().split())
    ):
        return None
    held = held_in('name', ctx)
    if held is not None and name.lower() not in held.text.lower():
        return None
    return Draft(f'name is {name}', 'profile', form='owns', slot='name', value=name, importance=_HIGH)


_YEAR = timedelta(days=365)


def _age(m: re.Match[str], ctx: Context) -> Drafts:
    return _aged(m['n'], None, ctx)


def _turned(m: re.Match[str], ctx: Context) -> Drafts:
    since = ctx.since(m.string)
    if since is None and (ctx.times(m.string) or re.search(r'\b(?:when|before|after|until)\b', m.string)):
        return None
    return None if since is not None and ctx.base - since > _YEAR else _aged(m['n'], since, ctx)


def _aged(number: str, since: datetime | None, ctx: Context) -> Draft | None:
    """An age, which nobody has for longer than a year."""
    if not 3 < int(number) < 120:
        return None
    until = (since or ctx.base) + _YEAR
    return Draft(
        f'is {number} years old',
        'profile',
        slot='age',
        value=number,
        importance=0.7,
        valid_from=since,
        valid_to=until,
    )


_DATE = (
    r'(?:\d{1,2}(?:st|nd|rd|th)?\s(?:of\s)?[A-Z][a-z]{2,9}|[A-Z][a-z]{2,9}\s\d{1,2}(?:st|nd|rd'
    r'|th)?|\d{4}-\d\d-\d\d)(?:,?\s(?:19|20)\d\d)?'
)


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
    return Draft(
        f'native language is {value}', 'profile', form='owns', slot='language.native', value=value, importance=0.7
    )


def _timezone(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['z']
    return Draft(f'time zone is {value}', 'profile', form='owns', slot='timezone', value=value, importance=0.8)


_MEASURES = {
    'shoe size': 'shoe.size',
    'ring size': 'ring.size',
    'blood type': 'blood.type',
    'blood group': 'blood.type',
    'height': 'height',
    'star sign': 'star.sign',
    'zodiac sign': 'star.sign',
    'keyboard layout': 'keyboard.layout',
}


def _measure(m: re.Match[str], ctx: Context) -> Drafts:
    what, value = m['what'].lower(), cut(m['v'], limit=3)
    if not value or not re.match(r'[\dA-Z]', value):
        return None
    return Draft(f'{what} is {value}', 'profile', form='owns', slot=_MEASURES[what], value=value, importance=0.6)


def _tall(m: re.Match[str], ctx: Context) -> Drafts:
    value = m['v']
    return Draft(f'height is {value}', 'profile', form='owns', slot='height', value=value, importance=0.6)


def _aid(m: re.Match[str], ctx: Context) -> Drafts:
    return Draft(f'uses a {m["v"].lower()}', 'constraint', importance=0.8)


def _kind_of_person(m: re.Match[str], ctx: Context) -> Drafts:
    value = ('not ' if m['not'] else '') + m['t']
    return Draft(f'is {value}', 'profile', importance=0.55)


_ZONE = (
    r'(?:(?:UTC|GMT)(?:\s?[+-]\d{1,2}(?::\d\d)?)?|(?-i:[A-Z]{2,4}T|[A-Z][a-z]+/[A-Z][A-Za-z_/]+)'
    r'|(?:Eastern|Pacific|Central|Mountain)(?: (?:Standard |Daylight )?Time)?)'
)
_PERSONS = (
    r'(?:a (?:morning|night|dog|cat|people|tea|coffee|beach|mountain|family) person'
    r'|an? (?:big |huge |avid |total |complete |passionate |keen )?(?:night owl|early bird'
    r'|introvert|extrovert|ambivert|feminist|bookworm|foodie|gamer'
    r'|minimalist|perfectionist|runner|cyclist|climber|swimmer|hiker|gardener|birdwatcher'
    r'|knitter|surfer|skier|snowboarder|golfer|chess player|christian|muslim|buddhist|hindu'
    r'|catholic|smoker|non-smoker|early riser|light sleeper'
    r'|morning lark|homebody|polyglot|trans woman|trans man|transgender woman|transgender man'
    r'|history buff|movie buff|film buff|collector|reader|beginner)|an atheist|transgender'
    r'|trans|non-binary|nonbinary|gay|lesbian|bisexual|queer|jewish|muslim|catholic|christian'
    r'|buddhist|hindu'
    r'|left-handed|right-handed|colou?r[- ]blind|deaf|hard of hearing|dyslexic|autistic'
    r'|(?:a )?(?:type (?:1|2|one|two) )?diabetic|asthmatic|asexual|agnostic)'
)

RULES = (
    rule(r"my (?:full |first |given |real )?name(?:'s| is)\s<V>", _name),
    rule(r'(?:i am|i\'m) (?:called|named)\s<V>', _name),
    rule(r'<I>(?:go by)(?: the name)?(?: of)?\s<V>', _name),
    rule(r"(?:i'?m|i am|this is)\s<V>", _greeted),
    rule(r"(?:i'm|i am)\s(?P<n>(?-i:[A-ZÀ-Þ][a-zß-ÿ]{1,15}))$", _introduced),
    rule(
        r"(?:i'm|i am)\s(?P<n>(?-i:[A-ZÀ-Þ][a-zß-ÿ]{1,15} [A-ZÀ-Þ][\w'’-]{1,20}))"
        r',?\sfrom\s(?P<w>(?:the\s)?[a-z][^,;.]{1,40})',
        _from_where,
    ),
    rule(r'<AM>(?P<n>\d{1,3})(?: years? old| years? of age| yo| y/o)?(?=$|,\s(?:from|living|based|an?)\b)', _age),
    rule(r"my age(?:'s| is)\s(?P<n>\d{1,3})$", _age),
    rule(
        r'<I>(?:just\s)?turned\s(?P<n>\d{1,3})(?=$|[,;]|\s(?:today|yesterday|last|this|on|in|a|two|three|and)\b)',
        _turned,
    ),
    rule(rf'my (?:birthday|date of birth|dob)(?:\'s| is)\s(?:on\s)?(?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(rf'<I>was born on (?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(r'<I>was born (?:and raised )?in\s<V>', _born),
    rule(r'my pronouns are\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)', _pronouns),
    rule(r'<I>(?:use|go by)\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)(?: pronouns)?$', _pronouns),
    rule(rf"my (?P<what>{'|'.join(_MEASURES)})(?:'s| is)\s<V>", _measure),
    rule(r'<AM>(?P<v>\d(?:[.,]\d{1,2})?\s?(?:m|metres?|meters?|cm)|\d{3}\s?cm|\d\'\s?\d{1,2}"?)\stall$', _tall),
    rule(r'<I>use an?\s(?P<v>wheelchair|hearing aid|cane|screen reader|guide dog|walker|prosthesis)(?=$|[,;])', _aid),
    rule(r'<AM><V>', _nationality),
    rule(r'<I>(?:can )?speak\s<V>', _speaks),
    rule(r'<AM>fluent in\s<V>', _speaks),
    rule(r"my (?:native language|mother tongue|first language)(?:'s| is)\s<V>", _native),
    rule(rf"my time ?zone(?:'s| is)\s(?P<z>{_ZONE})", _timezone),
    rule(rf'<AM>in (?:the )?(?P<z>{_ZONE})(?: time ?zone)', _timezone),
    rule(rf'<AM>(?P<not>not (?:really )?)?(?P<t>{_PERSONS})(?:\s(?:myself|and proud|too|too much))?$', _kind_of_person),
)
