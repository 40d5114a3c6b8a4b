"""Statements without a subject of their own: `still vegetarian`, `vegan here`, a plain `yes` to a question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from memoranda.write.rules.claims import held_in, without_name
from memoranda.write.rules.drafts import Context, Draft
from memoranda.write.rules.words import DIETS

__all__ = ['read']

_DIET = '(?:' + '|'.join(sorted((re.escape(d) for d in DIETS), key=len, reverse=True)) + ')'
_STILL = re.compile(
    r'(?:(?:yes|yep|yeah|and|oh)[,.]?\s){0,2}still\s(?P<v>[^,;]{3,60}?)(?:,?\s(?:by the way|btw|of course|though|as '
    r'always'
    r'|as ever|here|too|as before|as you know|you know))*$',
    re.IGNORECASE,
)
_NOW_DIET = re.compile(
    rf"(?:so|now|so now|basically)[,]?\s(?:i'm\s)?(?:more )?(?:a\s)?(?P<diet>{_DIET})"
    r'(?:[,]?\s(?:i guess|i suppose|now|then|these days|again)){0,2}$',
    re.IGNORECASE,
)
_DIET_TALK = re.compile(
    r"\b(?:i|i'm|i've)\b[^?]{0,60}\b(?:vegan|vegetarian|eat|eating|diet|meat|fish|dairy)\b", re.IGNORECASE
)
_DIET_HERE = re.compile(rf'(?:(?:fellow|lifelong|strict)\s)?(?P<diet>{_DIET}) here(?:$|,\s)', re.IGNORECASE)


def read(text: str, ctx: Context) -> Iterator[Draft]:
    """What a sentence says that has no subject."""
    still = _STILL.match(text)
    if still:
        yield from _confirmed(still['v'], ctx)
        return
    diet = _NOW_DIET.match(text)
    if diet and _DIET_TALK.search(ctx.before):
        yield replace(_diet(diet['diet']), confidence=0.7)
        return
    diet = _DIET_HERE.match(text)
    if diet:
        yield _diet(diet['diet'])
        return
    if ctx.asked:
        yield from _affirmed(text, ctx)


def _diet(value: str) -> Draft:
    value = value.lower()
    return Draft(f'is {value}', 'preference', slot='diet', value=value, importance=0.8)


def _confirmed(words: str, ctx: Context) -> Iterator[Draft]:
    """What is said to hold still, as far as it is known."""
    for lead in ("I'm", 'I'):
        for draft in ctx.read(f'{lead} {words}'):
            held = held_in(draft.slot, ctx) if draft.slot else None
            for record in ctx.existing:
                same = record is held and (draft.value or '').lower() in record.text.lower()
                if same or without_name(record, ctx) == draft.words.lower():
                    yield Draft('', record.kind, op='confirm', target=record.id)
                    return


# A plain yes

_YES = re.compile(
    r"(?:(?:yes|yeah|yep|yup|exactly|correct|right|indeed|true|absolutely|spot on|that's (?:right|correct|true)|that is"
    r' (?:right|correct|true)|i do|i am|i have|we do|sure do|sure am)(?:[,.!;\s-]+|$)){1,3}'
    r'(?P<rest>(?:for|since)\s[^,;.]{3,40})?$',
    re.IGNORECASE,
)
_ASKED = re.compile(
    r'(?:(?:so|and|ok|okay|then|just to (?:confirm|be sure|check)|to confirm|if i understand correctly|do i '
    r'understand correctly'
    r'|am i right|is it (?:true|right|correct)|you said|i (?:assume|take it|understand)|got it|great|thanks)(?:,|:'
    r'|\sthat|\s)\s?'
    r'(?:that\s)?){0,2}'
    r"(?P<do>do |are |have )?(?P<you>you(?:'re|'ve)?|your)\s(?P<v>[^?,;:]{3,100}?)"
    r"(?:,?\s(?:right|correct|is that right|is that correct|don't you|aren't you|haven't you|isn't it|yes|no"
    r'|true))?\?$',
    re.IGNORECASE,
)
_LASTING = ('profile', 'preference', 'constraint', 'relationship')


def _affirmed(text: str, ctx: Context) -> Iterator[Draft]:
    """`Exactly, for ten years now`, to `so you live in Toulouse, right?`."""
    yes = _YES.match(text)
    if yes is None or ctx.asked.count('?') != 1:
        return
    question = re.split(r'(?<=[.!])\s|\n', ctx.asked.strip())[-1]
    asked = _ASKED.match(question)
    if asked is None or re.search(
        r'\b(?:or|want|like to|need|ready|sure|mean|still there)\b', asked['v'], re.IGNORECASE
    ):
        return
    do, you = (asked['do'] or '').strip().lower(), asked['you'].lower()
    if (do and you != 'you') or (do == '' and you == 'your' and ' is ' not in f' {asked["v"]} '):
        return
    lead = {'are': "I'm", 'do': 'I', 'have': "I've"}.get(do) or {
        'you': 'I',
        "you're": "I'm",
        "you've": "I've",
        'your': 'my',
    }[you]
    words = re.sub(r'\byour\b', 'my', asked['v'])
    if do == '' and you == 'you':
        words = re.sub(r'^are\s', 'am ', words)
    since = ctx.since(yes['rest']) if yes['rest'] else None
    for draft in ctx.read(f'{lead} {words}'):
        if draft.op in ('add', 'supersede') and draft.kind in _LASTING:
            yield replace(draft, confidence=0.85, valid_from=since or draft.valid_from)
