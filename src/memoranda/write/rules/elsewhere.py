"""Sure first-person statements in Spanish, German, French, Portuguese and Italian.

A table of openings (`vivo en`, `ich wohne in`, `j'habite à`) that say who speaks and what follows. The fact stays in
its language; slots are the same as in English. What is asked, supposed, reported or told of the past drops out, and so
does whatever isn't in the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from memoranda.write.rules.claims import held_in, without_name
from memoranda.write.rules.drafts import Context, Draft
from memoranda.write.rules.places import is_workplace
from memoranda.write.rules.sentences import HOLE, MAX_TEXT, masked, split_sentences
from memoranda.write.rules.tongues import COUNTRIES_ELSEWHERE, TONGUES, Say, Tongue
from memoranda.write.rules.tools import is_tool
from memoranda.write.rules.words import WORKSPACE

__all__ = ['read']

_EDGE = ' \t\n\r,;.:!?¡¿…-–—*•()[]"'
_LONGEST = 300
"""Code points of a sentence; a longer one is no plain statement."""
_CAPITAL = re.compile(
    r"(?:(?:[Ll]a|[Ll]e|[Ll]os|[Ll]as|[Ee]l|[Oo]|[Aa]|[Dd]er|[Dd]ie)\s)?[A-ZÀ-ÞŠ-Ž][\w'’.-]*"
    r'(?:(?:\s|-)(?:d[aeio]s?|de la|de los|del|am|an der|im|sur|la|el|do'
    r"|[A-ZÀ-ÞŠ-Ž][\w'’.-]*)){0,4}$"
)
_TOWN = r"[A-ZÀ-ÞŠ-Ž][\w'’-]*(?:(?:\s(?:d[aeio]s?|del|la|am|an der|sur))?[\s-][A-ZÀ-ÞŠ-Ž][\w'’-]*){0,3}(?!\w)"
_PERSON = re.compile(r"[A-ZÀ-ÞŠ-Ž][\w'’-]{1,20}(?:\s(?:de|da|do|dos|von|van|[A-ZÀ-ÞŠ-Ž][\w'’-]{1,20})){0,3}$")
_SIMPLE = re.compile(r"[^\W\d_][\w'’ -]{1,60}$")


@dataclass(frozen=True, slots=True)
class _Compiled:
    tongue: Tongue
    says: tuple[tuple[re.Pattern[str], Say], ...]
    silent: re.Pattern[str]
    tasks: re.Pattern[str]
    opening: re.Pattern[str]
    lead: re.Pattern[str]
    joined: re.Pattern[str]
    ends: re.Pattern[str]
    vague: re.Pattern[str]
    where: re.Pattern[str]
    times: tuple[tuple[re.Pattern[str], str], ...] = field(default=())


def _compiled(tongue: Tongue) -> _Compiled:
    def words(pattern: str) -> re.Pattern[str]:
        return re.compile(rf'(?<!\w)(?:{pattern})(?!\w)', re.IGNORECASE)

    openings = '|'.join(verb if verb.endswith("'") else rf'(?:{verb})(?!\w)' for verb in tongue.verbs)
    return _Compiled(
        tongue,
        tuple((re.compile(say.pattern, re.IGNORECASE), say) for say in tongue.says),
        words(tongue.silent),
        re.compile(rf'\W*(?:{tongue.tasks})', re.IGNORECASE),
        re.compile(rf'(?<!\w)(?:{openings}|{tongue.commands})', re.IGNORECASE),
        re.compile(rf'(?:(?:{tongue.lead})[,!.:]?\s+)*', re.IGNORECASE),
        re.compile(rf',?\s(?:{tongue.joins})\s(?=(?:{openings}))|[,;]\s(?=(?:{openings}))', re.IGNORECASE),
        re.compile(rf'[,;:(]|\s[-–—]\s|\s(?:{tongue.ends})(?!\w)', re.IGNORECASE),
        words(tongue.vague),
        re.compile(rf',?\s(?:{tongue.where})\s{_TOWN}'),
        tuple((re.compile(rf'(?<!\w)(?:{said})(?!\w)', re.IGNORECASE), english) for said, english in tongue.times),
    )


_TONGUES = tuple(_compiled(tongue) for tongue in TONGUES)
_COUNTS = {
    word: str(number)
    for number, words in enumerate(
        (
            'un una ein einem einer einen une um uma uno',
            'dos zwei deux dois duas due',
            'tres drei trois três tre',
            'cuatro vier quatre quatro quattro',
            'cinco fünf cinq cinque',
            'seis sechs six sei',
            'siete sieben sept sete sette',
            'ocho acht huit oito otto',
            'nueve neun neuf nove',
            'diez zehn dix dez dieci',
        ),
        1,
    )
    for word in words.split()
}


def read(text: str, ctx: Context) -> Iterator[tuple[Draft, int, int]]:
    """What a message says in one of these languages, with the places of the words."""
    spoken = [tongue for tongue in _TONGUES if tongue.opening.search(text, 0, MAX_TEXT)]
    if not spoken:
        return
    mask = masked(text[:MAX_TEXT])
    if any(tongue.tasks.match(mask) for tongue in spoken):
        return
    for start, end, mark in split_sentences(mask):
        sentence = mask[start:end]
        if '?' in mark or '¿' in sentence or HOLE in sentence or not 4 < len(sentence) < _LONGEST:
            continue
        for tongue in spoken:
            found = list(_sentence(sentence, start, tongue, ctx))
            if found:
                yield from found
                break


def _sentence(sentence: str, offset: int, tongue: _Compiled, ctx: Context) -> Iterator[tuple[Draft, int, int]]:
    if tongue.silent.search(sentence):
        return
    start = 0
    bounds = [*((m.start(), m.end()) for m in tongue.joined.finditer(sentence)), (len(sentence), len(sentence))]
    implied = False
    for end, after in bounds:
        clause, place = _bare(sentence, start, end, tongue)
        drafts = _clause(clause, tongue, ctx, implied=implied)
        for draft in drafts:
            yield draft, offset + place, offset + place + len(clause)
        implied = implied or bool(drafts)
        start = after


def _bare(sentence: str, start: int, end: int, tongue: _Compiled) -> tuple[str, int]:
    while start < end and sentence[start] in _EDGE:
        start += 1
    lead = tongue.lead.match(sentence, start, end)
    start = lead.end() if lead and lead.end() < end else start
    while end > start and sentence[end - 1] in _EDGE:
        end -= 1
    return sentence[start:end], start


def _clause(clause: str, tongue: _Compiled, ctx: Context, *, implied: bool) -> list[Draft]:
    for pattern, say in tongue.says:
        m = pattern.match(clause)
        if m is None or (say.implied and not implied):
            continue
        drafts = _drafts(m, say, tongue, ctx)
        if drafts:
            return drafts
    return []


def _drafts(m: re.Match[str], say: Say, tongue: _Compiled, ctx: Context) -> list[Draft]:
    since = None
    value = m.groupdict().get('v') or ''
    for pattern, english in tongue.times:
        timed = pattern.search(m.string)
        if timed:
            since = _since(timed, english, ctx)
            value = pattern.sub('', value, count=1)
            break
    where = _workplace(m, value, say, tongue)
    if say.check == 'org' and where is not None:
        value = value[: where.start()]
    cut = tongue.ends.search(value) if say.check != 'whole' else None
    value = (value[: cut.start()] if cut else value).strip(_EDGE + "’'")
    if not _fits(value, say, tongue):
        return []
    if say.op == 'retract':
        return _ended(value, say, ctx)
    parts = {key: found or '' for key, found in m.groupdict().items() if key != 'v'}
    if 'a' in parts:
        parts['a'] = say.thirds.get(parts['a'].lower(), parts['a'])
    words = say.words.format(v=value, **parts) + (where[0].lstrip(',') if where is not None else '')
    slot = say.slot
    if slot == 'home.city' and value.lower() in COUNTRIES_ELSEWHERE:
        slot = 'home.country'
    known = say.value.format(v=value, **parts) if say.value else re.sub(r'^(?:der|den)\s', '', value)
    return [
        Draft(
            ' '.join(words.split()),
            say.kind,
            form='asks' if say.kind == 'instruction' else 'does',
            slot=slot,
            value=known if slot else None,
            importance=say.importance,
            confidence=0.85,
            valid_from=since,
            valid_to=ctx.base + timedelta(days=365) if slot == 'age' else None,
            tags=(WORKSPACE,) if say.check == 'tool' else (),
        )
    ]


def _workplace(m: re.Match[str], value: str, say: Say, tongue: _Compiled) -> re.Match[str] | None:
    """Where somebody has this job or employer: `Physiker in Jülich`, `chez Michelin, à Cholet`."""
    if say.slot == 'work.title':
        return tongue.where.match(m.string, m.end('v'))
    return tongue.where.search(value) if say.slot == 'work.employer' else None


def _since(timed: re.Match[str], english: str, ctx: Context) -> datetime | None:
    groups = {key: _COUNTS.get((found or '').lower(), found or '') for key, found in timed.groupdict().items()}
    return ctx.since(english.format(**groups))


def _fits(value: str, say: Say, tongue: _Compiled) -> bool:
    if say.check == 'none':
        return True
    if not value or len(value.split()) > say.longest or (say.check != 'whole' and tongue.vague.search(value)):
        return False
    match say.check:
        case 'place':
            return _CAPITAL.match(value) is not None and not is_workplace(value) and not is_tool(value)
        case 'name':
            return _PERSON.match(value) is not None
        case 'org':
            return _CAPITAL.match(value) is not None
        case 'number':
            return value.isdecimal() and 3 < int(value) < 120
        case 'tool':
            return is_tool(value)
        case 'whole':
            return True
        case _:
            return _SIMPLE.match(value) is not None


def _ended(value: str, say: Say, ctx: Context) -> list[Draft]:
    """The end of the memory that says so, in this language or by its slot."""
    held = held_in(say.slot, ctx) if say.slot else None
    stem = value.lower()[:5]
    found = [
        r
        for r in ctx.existing
        if (r is held and stem in r.text.lower())
        or (value.lower() in r.text.lower() and without_name(r, ctx).startswith(say.words))
    ]
    return [Draft('', r.kind, op='retract', target=r.id) for r in found]
