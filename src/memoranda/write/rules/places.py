"""Where the speaker lives, lived and comes from."""

from __future__ import annotations

import re

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_name, is_vague, turned
from memoranda.write.rules.words import COMPANIES, COUNTRIES, DEPARTMENTS, EDITORS, PROGRAMMING, TOOLS

__all__ = ['RULES', 'comes_from', 'is_workplace', 'lives', 'place']

_HIGH = 0.85


_PLACE_KINDS = r'(?:city|town|village|country|state|capital|area|suburbs?|outskirts)'


_UNIT = re.compile(r'(?<=\S)\s(?:team|teams|department|dept\.?|division|group|org|squad)$')


def is_workplace(text: str) -> bool:
    """A department or company, which one moves to as well."""
    plain = re.sub(r'^the\s', '', text.strip().lower())
    return _UNIT.search(plain) is not None or plain in DEPARTMENTS or plain in COMPANIES


def place(text: str) -> str | None:
    """The proper name of a place, or None (`a flat`, `the middle of nowhere`)."""
    text = re.sub(rf'^the (?:{_PLACE_KINDS}) of\s', '', text.strip())
    text = re.sub(r'\s(?:area|city centre|proper|itself)$', '', text)
    text = re.sub(r'^(?:downtown|central|sunny|beautiful|rainy|lovely|good old)\s', '', text, flags=re.IGNORECASE)
    if text.lower() in COUNTRIES or text.lower() in ('los angeles', 'new york', 'san francisco'):
        return text
    if is_workplace(text) or text.lower() in TOOLS or text.lower() in PROGRAMMING or text.lower() in EDITORS:
        return None
    if not text or len(text.split()) > 6 or not re.match(r'(?:the\s)?[A-ZÀ-Þ]', text):
        return None
    parts = text.split(', ')
    return text if all(_is_place_part(part) for part in parts) else None


def _is_place_part(part: str) -> bool:
    part = re.sub(r'^[Tt]he\s', '', part)
    return (
        part.lower() in COUNTRIES
        or is_name(part)
        or re.fullmatch(r"[A-Z][\w'.-]+(?: (?:in|on|upon|near|sur|am|an der) [A-Z][\w'.-]+)", part) is not None
    )


def _place_words(m: re.Match[str], ctx: Context) -> tuple[str, str]:
    """The place as said, and the clause's rest that may tell a time."""
    raw = re.split(r',?\snot\s', m['v'], maxsplit=1)[0]
    raw = re.split(
        r'\s(?:with|alone|by (?:myself|ourselves)|near|close to|just outside|outside|from|for work|right next)\b',
        raw,
        maxsplit=1,
    )[0]
    return cut(ctx.timeless(raw), limit=6, commas=True), m['v']


def _home(where: str, ctx: Context, time: str) -> Draft | None:
    name = place(where)
    if name is None:
        plain = (
            where.lower() == where
            and re.fullmatch(r"[a-z][a-z'-]{2,20}(?: [a-z'-]{2,20})?", where)
            and ctx.sentence.lower() == ctx.sentence
        )
        if (
            not plain
            or is_vague(where)
            or is_workplace(where)
            or re.match(r'(?:an?|the|my|our|fear|peace|hope|different|another|old|new)\b', where)
        ):
            return None
        name = where
    slot = 'home.country' if name.lower() in COUNTRIES else 'home.city'
    return Draft(f'lives in {name}', 'profile', slot=slot, value=name, importance=_HIGH, valid_from=ctx.since(time))


def _lives(m: re.Match[str], ctx: Context) -> Drafts:
    where, time = _place_words(m, ctx)
    home = _home(where, ctx, time)
    if home is not None:
        return home
    if (
        not where
        or is_vague(where)
        or re.match(
            r'(?:my|our|an? (?:\w+ )?(?:society|world|bubble|simulation|democracy|era|time|age|lie'
            r'|dream|loop)|fear|peace|hope|the moment|the past)\b',
            where,
            re.IGNORECASE,
        )
    ):
        return None
    near = re.search(r"\s(?:near|close to|just outside|outside)(?: of)?\s[A-Z][\w'-]+(?:\s[A-Z][\w'-]+)?", m['v'])
    tail = near[0] if near and re.match(r'an?\s', where) else ''
    if not re.match(r'(?:an?|downtown)\s', where):
        return None
    return Draft(f'lives in {where}{tail}', 'profile', importance=0.7, valid_from=ctx.since(time))


def lives(m: re.Match[str], ctx: Context) -> list[Draft]:
    """The home named in passing (`a nurse living in Berlin`), from the group `v`."""
    where, time = _place_words(m, ctx)
    home = _home(where, ctx, time)
    return [home] if home else []


def comes_from(m: re.Match[str]) -> list[Draft]:
    """The origin named in passing (`a nurse from Porto`), from the group `v`."""
    name = place(cut(m['v'], limit=4))
    return [Draft(f'is from {name}', 'profile', importance=0.75)] if name else []


def _moved(m: re.Match[str], ctx: Context) -> Drafts:
    if m['old'] and place(cut(m['old'], limit=5)) is None:
        return None
    where, time = _place_words(m, ctx)
    return _home(where, ctx, time)


def _from(m: re.Match[str], ctx: Context) -> Drafts:
    name = place(cut(re.sub(r'^originally\s', '', m['v']), limit=5))
    if name is None or re.match(r'(?:mars|earth|venus|the future)$', name, re.IGNORECASE):
        return None
    return Draft(f'is from {name}', 'profile', importance=0.75)


def _grew_up(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=8)
    if not value or is_vague(value) or not re.match(r'(?:in|on|near)\s', value) or not re.search(r'[A-Z]|\ba\s', value):
        return None
    return Draft(f'grew up {turned(value)}', 'profile', importance=0.6)


def _hometown(m: re.Match[str], ctx: Context) -> Drafts:
    name = place(cut(m['v'], limit=5))
    return (
        Draft(f'hometown is {name}', 'profile', form='owns', slot='hometown', value=name, importance=0.7)
        if name
        else None
    )


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


RULES = (
    rule(r'<I>(?:live|reside)(?: (?:right )?(?:over |back |up |down )?here)?\sin\s<V>', _lives),
    rule(r'<AM>(?:(?:living|residing|based|located) in|settled in)\s<V>', _lives),
    rule(r'<HAVE>(?:lived|been (?:living|based)) in\s<V>', _lives),
    rule(r'<I>(?:moved|relocated) (?:over |back |here )?(?:to|from (?P<old>.{2,60}?) to)\s<V>', _moved),
    rule(r'<HAVE>(?:moved|relocated) (?:over |back )?(?:to|from (?P<old>.{2,60}?) to)\s<V>', _moved),
    rule(r'<AM>(?:originally )?from\s<V>', _from),
    rule(r'<I>come from\s<V>', _from),
    rule(r'<I>grew up\s<V>', _grew_up),
    rule(r"my home ?town(?:'s| is)\s<V>", _hometown),
    rule(r"my (?:home )?(?:city|town)(?:'s| is)\s<V>", _lives),
    rule(
        r'<I>used to (?P<verb>live|work|teach|study|play|smoke|own|drive|be|run|drink|hate|love'
        r'|eat|go to|have|dance|sing|swim|compete|collect|volunteer|code)\s<V>',
        _used_to_live,
    ),
    rule(r'<I>lived in\s<V>', _lived),
)
