"""Corrections: a memory was never true, and the speaker says what is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memoranda.write.rules.claims import held_in, same_claim, without_name
from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_name, is_vague
from memoranda.write.rules.known import find_word, newest
from memoranda.write.rules.words import KIN

__all__ = ['MEANT', 'RULES', 'SPOKEN_RULES', 'corrected', 'mended']

_SORRY = (
    r'(?:(?:no|nope|actually|sorry|correction|oops|wait|hmm|well|oh|wrong|not quite|my (?:bad|mistake)'
    r'|(?:i think )?you(?:\'ve| have)? (?:have|got|mixed|misunderstood|confused) (?:that|it|this|something|me)'
    r'(?: (?:wrong|up))?|that(?:\'s| is) (?:wrong|not right|incorrect)'
    r'|to be (?:exact|precise)|i (?:misspoke|mistyped|was wrong|made a (?:mistake|typo)))[,.:;!]?\s(?:-\s)?){0,3}'
)
_X = r'(?P<new>[^,;:!?]{1,60}?)'
_Y = r'(?P<old>[^,;:!?]{1,60}?)'
_CORRECTS = re.compile(
    r'(?:\w+,?\s)?(?:no|nope|actually|sorry|correction|oops|wait|my (?:bad|mistake)|i (?:mean'
    r'|meant|said|misspoke|mistyped|was wrong|use|'
    r"prefer|like|speak)|my|i'm|i am)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(r'^(?:in|at|on|to|from|as|called|named)\s', re.IGNORECASE)


# `Actually it's Porto, not Lisbon`


def _corrected(m: re.Match[str], ctx: Context) -> Drafts:
    new, old = (_JOINS.sub('', bare(m[group])) for group in ('new', 'old'))
    if not new or not old or len(new.split()) > 6 or new.lower() == old.lower() or is_vague(new):
        return None
    record = find_word(ctx.existing, old)
    if record is None or (is_name(old) and not is_name(new)):
        return None
    # `It's Python, not JavaScript` may speak of a file; where somebody lives is seldom spoken of like that by chance.
    used = record.slot is None or record.slot.startswith(('language.', 'editor.'))
    if used and not _CORRECTS.match(ctx.sentence) and old.lower() not in ctx.previous.lower():
        return None
    text = re.sub(rf'(?<!\w){re.escape(old)}(?!\w)', lambda _: new, record.text, count=1, flags=re.IGNORECASE)
    return Draft(
        '',
        record.kind,
        text=text,
        slot=record.slot,
        value=new if record.slot else None,
        op='correct',
        target=record.id,
        importance=record.importance,
    )


def _stated_not(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm allergic to walnuts, not peanuts`: a statement, and what it takes the place of."""
    drafts = ctx.read(m['say'])
    if len(drafts) != 1 or drafts[0].op not in ('add', 'supersede'):
        return None
    record = same_claim(drafts[0], _JOINS.sub('', bare(m['old'])), ctx)
    return None if record is None else replace(drafts[0], op='correct', target=record.id)


_CLEFT = r"i(?:'m|'ve| am| have)?(?:\s(?!that\b)[a-z]{2,12}){1,3}"
_FAULT = re.compile(
    r"\b(?:wrong|no|not|sorry|actually|mix|mixed|confused|misunderstood|incorrect|isn't|aren't)\b", re.I
)


def _cleft(m: re.Match[str], ctx: Context) -> Drafts:
    """`It's walnuts I'm allergic to`, with what was wrong about it or without."""
    new = m['new'].strip()
    if is_vague(bare(new)) or re.match(r'(?:an?|the|my|our)\s', new, re.IGNORECASE):
        return None
    say = m['say'].strip()
    drafts = ctx.read(f'{say} {new}')
    if len(drafts) != 1 or drafts[0].op != 'add':
        return None
    draft = drafts[0]
    rest = m['rest'] or ''
    old = re.match(
        rf',?\s(?:and |but )?(?:not\s{_Y}|{_Y.replace("old", "fine")}\s(?:is|are) (?:fine|ok|okay|safe|no problem))'
        r'(?:[,;.].*)?$',
        rest,
        re.IGNORECASE,
    )
    if old:
        record = same_claim(draft, old['old'] or old['fine'], ctx)
        return draft if record is None else replace(draft, op='correct', target=record.id)
    lead = draft.words[: draft.words.lower().rfind(bare(new).lower())].lower()
    alike = [r for r in ctx.existing if len(lead) > 5 and without_name(r, ctx).startswith(lead)]
    if (
        len(alike) == 1
        and _FAULT.search(ctx.sentence[: ctx.sentence.find(m['new'])])
        and alike[0].text.lower() != draft.words
    ):
        return replace(draft, op='correct', target=alike[0].id)
    return draft


# Names


def _spelt(m: re.Match[str], ctx: Context) -> Drafts:
    """`My name is John with an h, John Carver`."""
    name = m['n']
    full = re.search(rf'[,:;]\s(?P<full>{re.escape(name)}(?:\s[A-ZÀ-Þ][\w\'-]+){{1,2}})\b', m.string)
    name = full['full'] if full else name
    if not is_name(name):
        return None
    draft = Draft(f'name is {name}', 'profile', form='owns', slot='name', value=name, importance=0.85)
    held = held_in('name', ctx)
    if held is None:
        return draft if m['my'] else None
    old = held.text.split()[-1] if not held.value else held.value
    kept = not full and ' ' in old and ' ' not in name
    if kept:  # the surname stays
        name = f'{name} {" ".join(old.split()[1:])}'
        draft = replace(draft, words=f'name is {name}', value=name)
    return None if name.lower() in held.text.lower() else replace(draft, op='correct', target=held.id)


# `Marta isn't my wife! She's my sister.`

_KIN = '(?:' + '|'.join(sorted((re.escape(k) for k in KIN), key=len, reverse=True)) + ')'
_NAMED = r"(?P<name>[A-ZÀ-Þ][\w'-]{1,20}(?:\s[A-ZÀ-Þ][\w'-]{1,20})?)"
_INSTEAD = re.compile(rf"(?:she|he|they)(?:'s| is|'re| are) my (?P<kin>{_KIN})$", re.IGNORECASE)


def _not_kin(m: re.Match[str], ctx: Context) -> Drafts:
    name, was = m['name'], m['was'].lower()
    found = [r for r in ctx.existing if re.search(rf'\b{was}\b.*\b{re.escape(name)}\b', r.text, re.IGNORECASE)]
    record = newest(found)
    if record is None:
        return None
    now = m['kin'] if 'kin' in m.groupdict() else None
    after = None if now else _INSTEAD.match(ctx.following.strip(' .!'))
    kin = (now or (after['kin'] if after else '')).lower()
    if not kin:
        return Draft('', record.kind, op='retract', target=record.id)
    said = ctx.read(f'my {kin} is {name}')
    if len(said) != 1:
        return None
    return replace(said[0], op='correct', target=record.id, through=after is not None)


def _mine_is(m: re.Match[str], ctx: Context) -> Drafts:
    """`My name isn't Katherine, it's Katharina`."""
    drafts = ctx.read(f'my {m["what"]} is {cut(m["new"], limit=6)}')
    if len(drafts) != 1 or drafts[0].slot is None or drafts[0].op not in ('add', 'correct'):
        return None
    held = held_in(drafts[0].slot, ctx)
    old = (m.groupdict().get('old') or '').strip()
    if held is None or (old and bare(old).lower() not in held.text.lower()):
        return drafts if held is None else None
    same = (drafts[0].value or '').lower() == (held.value or '').lower()
    return None if same else replace(drafts[0], op='correct', target=held.id)


# `Sorry, I meant Porto`, of what was said just before

MEANT = re.compile(
    rf'{_SORRY}(?:i meant(?: to (?:say|write|type))?|i mean|make that|(?:it|that) should(?: be| have been| say| '
    rf'read)|should be)'
    rf'\s{_X}(?:,?\s(?:and )?not\s(?P<old>[^,;:!?]{{1,60}}?))?$',
    re.IGNORECASE,
)


def mended(text: str, value: str | None, new: str) -> tuple[str, str] | None:
    """A fact with the word that was meant, and its value; None where that word doesn't fit the old one."""
    new = _JOINS.sub('', bare(cut(new, limit=4)))
    if not value or not new or new.lower() == value.lower() or value not in text:
        return None
    numbers = re.fullmatch(r'\d{1,4}', value) is not None
    fits = (
        re.fullmatch(r'\d{1,4}', new) is not None
        if numbers
        else is_name(new)
        if is_name(value)
        else len(value.split()) == 1 == len(new.split()) and not is_vague(new) and not is_name(new)
    )
    return (text.replace(value, new), new) if fits else None


# A mistake that is owned up to

_MISTAKE = re.compile(
    r'\b(?:typo|i misspoke|i mistyped|my mistake|i made a mistake|i (?:got|wrote|said|typed|had) (?:it|that|this) wrong'
    r'|i was wrong|i (?:gave|told) you the wrong|by mistake|correction|wrongly|i said it wrong)\b',
    re.IGNORECASE,
)
_FAULTY = re.compile(
    r"(?:no[,.!]|wrong[,.!:]|that(?:'s| is) (?:wrong|not right|incorrect|not true)|you(?:'ve| have)? (?:got|have"
    r'|had) (?:that|it|this|my'
    r' \w+) wrong|(?:you )?misunderstood|(?:quick |small )?correction\b)',
    re.IGNORECASE,
)
_UNCHANGING = ('birth.year', 'birthday', 'birthplace', 'hometown', 'language.native')


def corrected(drafts: Sequence[Draft], ctx: Context) -> list[Draft]:
    """The drafts, as corrections where what they replace was a mistake: nobody is born twice."""
    return [_as_correction(draft, ctx) for draft in drafts]


def _as_correction(draft: Draft, ctx: Context) -> Draft:
    if draft.op not in ('add', 'supersede') or draft.slot is None or draft.text is not None:
        return draft
    if draft.slot not in _UNCHANGING and not _MISTAKE.search(ctx.sentence) and not _FAULTY.match(ctx.sentence):
        return draft
    held = held_in(draft.slot, ctx)
    if held is None or without_name(held, ctx).endswith(draft.words.lower()) or '@' in (held.slot or ''):
        return draft
    if held.value is not None and held.value.lower() == (draft.value or '').lower():
        return draft
    return replace(draft, op='correct', target=held.id)


SPOKEN_RULES = (
    rule(
        rf'{_SORRY}(?:when |where )?i (?:said|told you|wrote|typed|mentioned)(?: it was| it is)?\s{_Y},?\s(?:(?:but'
        rf'|and)\s)?'
        rf"(?:i (?:really |actually )?meant(?: to (?:say|write))?|(?:actually )?(?:it's|it is|it should be)(?: "
        rf'actually| really)?)'
        rf'\s{_X}$',
        _corrected,
    ),
    rule(rf'{_SORRY}i said\s{_X},?\s(?:and )?not\s{_Y}$', _corrected),
)
"""Read although they report what was said: the speaker's own words."""

RULES = (
    rule(
        rf"{_SORRY}my (?P<what>[a-z]+(?: [a-z]+){{0,2}}) (?:isn't|is not|was "
        rf"never)\s(?P<old>[^,;:!?]{{1,40}}?)[,;]\s(?:but\s)?(?:it's|it is)\s{_X}$",
        _mine_is,
    ),
    rule(
        r"you(?:'ve| have)? (?:got|have|had|spelled|spelt|wrote|saved|remembered) my (?P<what>[a-z]+(?: "
        r'[a-z]+){0,2}) (?:wrong|incorrectly|wrongly)'
        rf"[,;:]\s(?:it's|it is|it should be)\s{_X}$",
        _mine_is,
    ),
    rule(
        rf"{_SORRY}(?P<say>(?:i'm|i am|i live|i work|i use|i prefer|i like|i love|i drink|i speak|i study|i have|i "
        rf'was born'
        rf'|my [\w]+(?:\'s)?(?: \w+)? is)\s[^,;:!?]{{1,60}}?),?\snot\s(?P<old>[^,;:!?]{{1,60}}?)$',
        _stated_not,
    ),
    rule(
        rf"{_SORRY}(?:it's|it is|it was|that's|that is|that was|make that|it should be|should be"
        rf'|i mean|i meant)\s{_X},?\s(?:and )?(?:not|instead of|rather than)\s{_Y}$',
        _corrected,
    ),
    rule(
        rf"{_SORRY}(?:it's|it is|that's|it was)\snot\s{_Y}(?:,|;|\s[-–—]|,?\sbut|,?\sit's"
        rf"|,?\sit is)\s(?:it's |it is |actually |but |rather )?{_X}$",
        _corrected,
    ),
    rule(rf"{_SORRY}not\s{_Y},\s(?:but\s)?(?:it's\s)?{_X}$", _corrected),
    rule(
        rf"{_SORRY}(?:it's|it is)\s(?P<new>[^,;:!?]{{2,40}}?)\s(?:that |which "
        rf')?(?P<say>{_CLEFT})(?P<rest>,?\s(?:and |but )?(?:not\s.{{2,60}}'
        rf'|[^,]{{2,40}}\s(?:is|are) (?:fine|ok|okay|safe|no problem).{{0,60}}))?$',
        _cleft,
    ),
    rule(
        r"(?P<my>my (?:first |given |real )?name(?:'s| is)\s(?:(?:spelled|spelt|written)\s)?)"
        r"(?P<n>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))\s?,?\swith\s(?:an?\s|two\s|double\s)?['\"]?[a-z]s?['\"]?(?=$|[\s,.;])",
        _spelt,
    ),
    rule(
        r"(?P<my>my (?:first |given |real )?name(?:'s| is)\s(?:spelled|spelt"
        r"|written)\s)(?P<n>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))(?=$|[,.;])",
        _spelt,
    ),
    rule(
        r"(?:it's|its|it is)(?P<my>)\s(?:(?:spelled|spelt|written)\s)(?P<n>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))(?=$|[\s,.;])",
        _spelt,
    ),
    rule(
        r"(?:it's|its|it is)(?P<my>)\s(?P<n>(?-i:[A-ZÀ-Þ][\w'-]{1,20}))\swith\s(?:an?\s|two\s"
        r"|double\s)?['\"]?[a-z]['\"]?(?=$|[,.;]|\snot\b)",
        _spelt,
    ),
    rule(rf'(?-i:{_NAMED})\s(?:is my (?P<kin>{_KIN}),?\s(?:and )?)not my (?P<was>{_KIN})$', _not_kin),
    rule(
        rf"{_SORRY}(?-i:{_NAMED})\s(?:isn't|is not|was never) my (?P<was>{_KIN})(?:,?\s(?:but\s)?(?:(?:she|he"
        rf"|they)(?:'s| is|'re| are) )?my (?P<kin>{_KIN}))?$",
        _not_kin,
    ),
)
