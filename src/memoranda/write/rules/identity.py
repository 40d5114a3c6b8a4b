"""Who the speaker is: name, age, birthday, pronouns, nationality, languages."""

from __future__ import annotations

import re

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_name
from memoranda.write.rules.places import place
from memoranda.write.rules.words import LANGUAGES, NATIONALITIES

__all__ = ['RULES']

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


def _kind_of_person(m: re.Match[str], ctx: Context) -> Drafts:
    value = ('not ' if m['not'] else '') + m['t']
    return Draft(f'is {value}', 'profile', importance=0.55)


_ZONE = (
    r'(?:(?:UTC|GMT)(?:\s?[+-]\d{1,2}(?::\d\d)?)?|[A-Z]{2,4}T|[A-Z][a-z]+/[A-Z][A-Za-z_]+'
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
    r'|diabetic|asthmatic|asexual|agnostic)'
)

RULES = (
    rule(r"my (?:full |first |given |real )?name(?:'s| is)\s<V>", _name),
    rule(r'(?:i am|i\'m) (?:called|named)\s<V>', _name),
    rule(r'<I>(?:go by)(?: the name)?(?: of)?\s<V>', _name),
    rule(r"(?:i'?m|i am|this is)\s<V>", _greeted),
    rule(r'<AM>(?P<n>\d{1,3})(?: years? old| yo| y/o)?(?=$|,\s(?:from|living|based|an?)\b)', _age),
    rule(rf'my (?:birthday|date of birth|dob)(?:\'s| is)\s(?:on\s)?(?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(rf'<I>was born on (?:the\s)?(?P<d>{_DATE})', _birthday),
    rule(r'<I>was born (?:and raised )?in\s<V>', _born),
    rule(r'my pronouns are\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)', _pronouns),
    rule(r'<I>(?:use|go by)\s(?P<p>[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?)(?: pronouns)?$', _pronouns),
    rule(r'<AM><V>', _nationality),
    rule(r'<I>(?:can )?speak\s<V>', _speaks),
    rule(r'<AM>fluent in\s<V>', _speaks),
    rule(r"my (?:native language|mother tongue|first language)(?:'s| is)\s<V>", _native),
    rule(rf"my time ?zone(?:'s| is)\s(?P<z>{_ZONE})", _timezone),
    rule(rf'<AM>in (?:the )?(?P<z>{_ZONE})(?: time ?zone)', _timezone),
    rule(rf'<AM>(?P<not>not (?:really )?)?(?P<t>{_PERSONS})(?:\s(?:myself|and proud|too|too much))?$', _kind_of_person),
)
