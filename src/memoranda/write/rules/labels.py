"""Lines of a name and a value, where they are the speaker's own: `Timezone: Europe/Lisbon`, `- diet: vegan`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from memoranda.write.rules.drafts import Context, Draft
from memoranda.write.rules.grammar import is_name
from memoranda.write.rules.places import place
from memoranda.write.rules.tastes import favourite_slot
from memoranda.write.rules.tools import listed
from memoranda.write.rules.words import COUNTRIES, DIETS, LANGUAGES, NATIONALITIES, PROGRAMMING, WORKSPACE

__all__ = ['read']

_LINE = re.compile(
    r'[ \t]{0,4}(?:[-*•]\s{1,3})?(?:\*\*)?(?P<my>my\s)?(?P<key>[A-Za-z][A-Za-z _/-]{1,30}?)(?:\*\*)?[ \t]{0,3}'
    r'(?P<sign>[:=])(?:\*\*)?[ \t]{1,4}(?P<v>\S.{0,80}?)[ \t]*$',
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:(?:hi|hello|hey)[,!. ]*|(?:here(?:'s| is| are) )?(?:a bit |some (?:facts|things) |something )?(?:about me"
    r'|my (?:profile|details'
    r'|settings|preferences|set-?up|info|information|data|bio|facts|config)|for my profile|me)(?: for you)?[:.!]?'
    r'|(?:profile|settings|preferences|fyi|for your (?:notes|memory|information)|for context|context|please '
    r'(?:remember|note)'
    r'|remember(?: this)?|note)[:.!]?)$',
    re.IGNORECASE,
)
_TASK = re.compile(
    r'\b(?:this|these|above|below|following|yaml|json|toml|xml|csv|config(?:uration)?|form|template|example|parse'
    r'|format'
    r'|convert|validate|translate|rewrite|character|persona|customer|client|user|patient|employee|candidate|contact|row'
    r'|table|script|code|file|error|bug|fields?|schema|fix)\b',
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"""(?:<.*>|\[.*\]|\{.*\}|\$.*|["'`].*|.*["'`;{}\\,]|\.{2,}|-+|tbd|n/?a|none|null|nil|unknown|true|false|todo|xxx+|\?+"""
    r"""|your .*|string|int(?:eger)?|str|float|bool(?:ean)?|text|foo|bar|example.*|test|default|required|optional|any"""
    r'|me|us|it)$',
    re.IGNORECASE,
)
_NONE = re.compile(r'(?:no|none|not|nothing|nil|unknown|see|ask)\b', re.IGNORECASE)
_MOST = 15
"""Lines of one block."""
_LONGEST = 6
"""Words of a value."""


@dataclass(frozen=True, slots=True)
class _Key:
    words: str
    """With `{v}` for the value."""
    kind: str = 'profile'
    slot: str | None = None
    form: str = 'owns'
    check: Callable[[str], bool] | None = None
    code: bool = False
    """Whether `key = value` is written so by people, too, not only in programs."""
    many: bool = False
    tags: tuple[str, ...] = ()


def _is_zone(value: str) -> bool:
    return (
        re.fullmatch(
            r'(?:[A-Z][A-Za-z]+/[A-Za-z_/+-]+\d*|(?:UTC|GMT)(?:\s?[+-]\d{1,2}(?::?\d\d)?)?|[A-Z]{2,5}'
            r'|(?:Eastern|Pacific|Central|Mountain)(?: (?:Standard |Daylight '
            r')?Time)?)',
            value,
        )
        is not None
    )


def _is_place(value: str) -> bool:
    return place(value) is not None


def _is_country(value: str) -> bool:
    return value.lower() in COUNTRIES or f'the {value.lower()}' in COUNTRIES


def _is_diet(value: str) -> bool:
    return value.lower() in DIETS or value.lower() in ('omnivore', 'vegetarian', 'no restrictions')


def _is_age(value: str) -> bool:
    return value.isdecimal() and 3 < int(value) < 120


def _is_date(value: str) -> bool:
    return re.search(r'\d', value) is not None


def _is_pronoun(value: str) -> bool:
    return re.fullmatch(r'[a-z]{2,6}/[a-z]{2,6}(?:/[a-z]{2,8})?', value, re.IGNORECASE) is not None


def _is_code_language(value: str) -> bool:
    return value.lower() in PROGRAMMING


def _is_language(value: str) -> bool:
    return value.lower() in LANGUAGES


def _is_nationality(value: str) -> bool:
    return value.lower() in NATIONALITIES


def _is_status(value: str) -> bool:
    return value.lower() in ('married', 'single', 'divorced', 'engaged', 'widowed', 'separated')


def _own(what: str, slot: str | None = None, *, tags: tuple[str, ...] = (), kind: str = 'preference') -> _Key:
    return _Key(f'{what} is {{v}}', kind, slot, code=True, tags=tags)


_TOOL = (WORKSPACE,)
_KEYS = {
    key: entry
    for keys, entry in (
        ('name, full name', _Key('name is {v}', slot='name', check=is_name)),
        ('nickname, preferred name', _Key('preferred name is {v}', slot='name.preferred')),
        ('pronouns', _Key('pronouns are {v}', slot='pronouns', check=_is_pronoun, code=True)),
        ('age', _Key('is {v} years old', slot='age', form='does', check=_is_age)),
        ('birthday, date of birth, dob', _Key('birthday is {v}', slot='birthday', check=_is_date)),
        ('time zone, timezone, tz', _Key('time zone is {v}', slot='timezone', check=_is_zone, code=True)),
        (
            'city, home city, location, home, lives in, based in',
            _Key('lives in {v}', slot='home.city', form='does', check=_is_place),
        ),
        ('country', _Key('lives in {v}', slot='home.country', form='does', check=_is_country)),
        ('hometown', _Key('hometown is {v}', slot='hometown', check=_is_place)),
        ('nationality', _Key('is {v}', form='does', check=_is_nationality)),
        (
            'native language, mother tongue, first language',
            _Key('native language is {v}', slot='language.native', check=_is_language),
        ),
        ('employer, company, workplace', _Key('works at {v}', slot='work.employer', form='does', check=is_name)),
        ('job, occupation, profession, job title, role, title', _Key('works as {v}', slot='work.title', form='does')),
        ('diet', _Key('diet is {v}', 'preference', slot='diet', check=_is_diet, code=True)),
        (
            'allergies, allergy, allergic to, food allergies',
            _Key('is allergic to {v}', 'constraint', form='does', many=True),
        ),
        ('likes', _Key('likes {v}', 'preference', form='does', many=True)),
        ('dislikes, hates', _Key('dislikes {v}', 'preference', form='does', many=True)),
        ('hobby, hobbies, interests', _Key('is into {v}', 'preference', form='does', many=True)),
        (
            'marital status, relationship status',
            _Key('is {v}', 'relationship', slot='relationship.status', form='does', check=_is_status),
        ),
        (
            'wife, husband, spouse',
            _Key('spouse is called {v}', 'relationship', slot='relationship.spouse', check=is_name),
        ),
        (
            'partner, girlfriend, boyfriend',
            _Key('partner is called {v}', 'relationship', slot='relationship.partner', check=is_name),
        ),
        (
            'editor, text editor, code editor, ide, preferred editor, favourite editor',
            _own('editor', 'editor.preferred', tags=_TOOL),
        ),
        (
            'programming language, main language, preferred language, favourite programming language, favourite '
            'language, language',
            _Key(
                'preferred programming language is {v}',
                'preference',
                'language.programming.preferred',
                check=_is_code_language,
                tags=_TOOL,
            ),
        ),
        ('shell', _own('shell', 'shell.preferred', tags=_TOOL)),
        ('terminal', _own('terminal', 'terminal.preferred', tags=_TOOL)),
        ('os, operating system', _own('operating system', 'os.preferred', tags=_TOOL)),
        ('browser', _own('browser', 'browser.preferred', tags=_TOOL)),
        ('keyboard layout', _own('keyboard layout', 'keyboard.layout', tags=_TOOL)),
        ('units, preferred units', _Key('preferred units are {v}', 'preference', 'units.preferred', code=True)),
        ('currency, preferred currency', _own('preferred currency', 'currency.preferred')),
        ('shoe size', _own('shoe size', 'shoe.size', kind='profile')),
        ('blood type', _own('blood type', 'blood.type', kind='profile')),
    )
    for key in keys.split(', ')
}
_FAVOURITE = re.compile(r'fav(?:ou?rite|e)?\s(?P<what>[a-z]+(?: [a-z]+)?)$')
_ALONE = frozenset(
    (
        'name',
        'title',
        'role',
        'job',
        'company',
        'language',
        'location',
        'home',
        'country',
        'os',
        'age',
        'city',
        'partner',
    )
)
"""Keys that stand alone in files of any kind: they count beside another line of the speaker's, or after `my`."""


def read(text: str, ctx: Context) -> Iterator[tuple[Draft, int, int]]:
    """What the key-value lines of a message say of its speaker, with their places.

    Silent unless every line of the block is of a known key with a value that fits, and nothing around it makes of it
    something to be worked on.
    """
    if ':' not in text and '=' not in text:
        return
    lines = [(m.start(), m[0]) for m in re.finditer(r'[^\n]+', text[:4000])]
    block: list[tuple[int, re.Match[str]]] = []
    before = after = False
    for start, line in lines:
        m = _LINE.match(line)
        known = m is not None and _key(m) is not None
        if known and m is not None and not after:
            block.append((start, m))
        elif not line.strip():
            continue
        elif block:
            after = True
            if m is not None or _TASK.search(line) or re.match(r'\s*[-*•]\s', line):
                return
        elif _HEADING.match(line.strip()):
            before = True
        else:
            return
    if not block or len(block) > _MOST:
        return
    if len(block) == 1 and not before and not block[0][1]['my'] and _name(block[0][1]) in _ALONE:
        return
    if len(block) > 1 and not before and all(m['key'].islower() and not m['my'] and _is_setting(m) for _, m in block):
        return
    for start, m in block:
        for draft in _drafts(m, ctx):
            yield draft, start + (m.start('my') if m['my'] else m.start('key')), start + m.end('v')


def _is_setting(m: re.Match[str]) -> bool:
    """Whether a file of settings may hold the line as well (`os: linux`)."""
    entry = _KEYS.get(_name(m))
    return m['sign'] == ':' and entry is not None and (WORKSPACE in entry.tags or _name(m) in _ALONE)


def _name(m: re.Match[str]) -> str:
    key = ' '.join(re.split(r'[\s_-]+', m['key'].strip().lower()))
    return re.sub(r'^favorite\b', 'favourite', key)


def _key(m: re.Match[str]) -> _Key | None:
    """The key of a line, when its value fits."""
    key, value = _name(m), m['v'].strip(' *.')
    entry = _KEYS.get(key)
    favourite = _FAVOURITE.match(key) if entry is None else None
    if favourite:
        what = favourite['what']
        entry = _Key(f'favourite {what} is {{v}}', 'preference', favourite_slot(what), code=True)
    if entry is not None and entry.many and (not value[:1].isalpha() or _NONE.match(value)):
        return None
    if entry is None or _PLACEHOLDER.match(value) or len(value.split()) > _LONGEST or '?' in value or '://' in value:
        return None
    if m['sign'] == '=' and not entry.code:
        return None
    return entry if entry.check is None or entry.check(value) else None


def _drafts(m: re.Match[str], ctx: Context) -> Iterator[Draft]:
    entry = _key(m)
    if entry is None:
        return
    value = m['v'].strip(' *.')
    for item in listed(value) if entry.many else [value]:
        said = item if entry.kind != 'preference' or entry.slot != 'diet' else item.lower()
        yield Draft(
            entry.words.format(v=said),
            entry.kind,
            form='owns' if entry.form == 'owns' else 'does',
            slot=entry.slot,
            value=said if entry.slot else None,
            importance=0.7,
            tags=entry.tags,
        )
