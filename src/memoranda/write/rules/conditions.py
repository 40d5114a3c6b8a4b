"""Under which condition something was said: `I don't drink coffee after 3pm` doesn't say `I don't drink coffee`.

And for how long: what holds today is no lasting fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from memoranda.timewords import say_time
from memoranda.write.rules.drafts import Context, Draft
from memoranda.write.rules.grammar import turned

__all__ = ['conditioned', 'limits', 'passes', 'sets_condition']

_CONDITION = re.compile(
    r',?\s(?P<head>except|apart from|other than|besides|unless|until|till|when|whenever|while|whilst|before|after|if'
    r'|even if|without|during|past|outside|only (?:if|when|on|at|in|after|before)'
    r'|(?:at least )?not (?:at|on|in|after|before|during|when|while)'
    r'|at least (?:at|on|in|after|before|during|when|while))(?=\s.)'
    r'|,\s(?P<comma>at|on|in|with|for)(?=\s.)',
    re.IGNORECASE,
)
_UNKEPT = re.compile(
    r"\b(?:you|your|you're|this|that|these|those|there|here|he|she|him|his|her|they|them|their|because|so|but)\b"
    r'|[:(\[]',
    re.IGNORECASE,
)
_LONGEST = 8
"""Words of a condition that is kept."""
_ENDED = re.compile(r'(?:stopped|quit|gave up|switched)\b')
_OF_A_DAY = re.compile(
    r'(?:after|before|past|until|till|at|during)\s'
    r'(?:\d|noon|midnight|lunch|dinner|breakfast|bed|work|dark|meals|the day)',
    re.IGNORECASE,
)
_LEADING = re.compile(
    r'(?:after|before|during|while|when|whenever|until|till|unless|except|apart from|without|with|at|outside|past'
    r'|on (?:\w+days|weekends|holidays?|work|school|long|trips|planes|vacation|the (?:road|weekend))'
    r'|in (?:the (?:mornings?|afternoons?|evenings?|summer|winter|spring|autumn|fall|office|car)|summer|winter|spring'
    r'|autumn|meetings|public|restaurants|hotels))\b',
    re.IGNORECASE,
)
_LIMITING = re.compile(
    r'(?:but\s|and\s)?(?:(?:at least\s)?not|only)\s(?:at|on|in|after|before|during|when|while|with|for|if)\b',
    re.IGNORECASE,
)
_NOT_LEADING = re.compile(
    r'(?:after all|at (?:the moment|present|this point|least|last|first|heart)|with (?:that|this) (?:said|in mind)'
    r'|on (?:the (?:other|one) hand|top of))\b',
    re.IGNORECASE,
)


def limits(text: str) -> bool:
    """Whether words after a statement limit it (`..., but not at home`)."""
    return _LIMITING.match(text) is not None


def sets_condition(text: str) -> bool:
    """Whether words before a statement limit it (`After dinner, ...`, `On weekends, ...`)."""
    return _LEADING.match(text) is not None and _NOT_LEADING.match(text) is None


def conditioned(drafts: Sequence[Draft], clause: str, *, bound: bool) -> Iterator[Draft]:
    """The drafts with the clause's condition in their words, and without those that would lose it.

    Args:
        drafts: What a rule made of the clause.
        clause: The statement.
        bound: Whether a condition stood before it, where no words of it can be kept.
    """
    heads = list(_CONDITION.finditer(clause))
    if not bound and not heads:
        yield from drafts
        return
    # When something ended is told like a condition: `I quit smoking before the wedding`.
    told = any(_ENDED.match(d.words) for d in drafts) and not bound and not _OF_A_DAY.search(clause)
    habit = any(_is_limited(d) for d in drafts)
    for draft in drafts:
        if told or not habit or draft.kind == 'event':
            yield draft
        elif not bound and draft.op in ('add', 'supersede') and not _ENDED.match(draft.words):
            # Under a condition it replaces nothing that holds without one.
            kept = _with_tail(replace(draft, op='add', target=None), clause, heads)
            if kept is not None:
                yield kept


def _with_tail(draft: Draft, clause: str, heads: list[re.Match[str]]) -> Draft | None:
    """The draft with what it lost of the clause's conditions, or None where that can't be said."""
    if not _is_limited(draft):
        return draft
    for m in heads:
        head = m['head'] or m['comma']
        if not re.search(rf'\b{head}\b', draft.words, re.IGNORECASE):
            tail = clause[m.start('head' if m['head'] else 'comma') :].rstrip(' .!,;')
            if _UNKEPT.search(tail) or len(tail.split()) > _LONGEST:
                return None
            comma = ',' if m[0].startswith(',') else ''
            return replace(draft, words=f'{draft.words}{comma} {turned(tail)}', slot=None, value=None)
    return draft


def _is_limited(draft: Draft) -> bool:
    """Whether it says what holds in general, and a condition would make it say less."""
    return (
        draft.op == 'retract'
        or draft.kind in ('preference', 'constraint')
        or draft.words.startswith(('no longer ', 'is no longer '))
    )


_BRIEF = re.compile(
    r'\b(?:today|tonight|this (?:morning|afternoon|evening|week|weekend|once)|for (?:today|tonight|now|the moment'
    r'|the time being|the day|the (?:rest of the )?(?:day|week|weekend)|a (?:day|week|few (?:days|hours|weeks))'
    r'|the next (?:few |two |three |couple of )?(?:hours?|days?|weeks?))|until (?:tomorrow|tonight|later|the weekend'
    r'|(?:mon|tues|wednes|thurs|fri|satur|sun)day|next week)|just (?:now|today)|temporarily|on (?:this|my) trip'
    r'|while (?:i\'m|we\'re|i am|we are) (?:here|there|away|travell?ing|on \w+|visiting|in [A-Z]\w+))\b',
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r'\b(?:moved|relocated|quit|left|lost|started|switched|migrated|got|became|become|joined|stopped|gave up|given up'
    r'|turned|promoted|made|bought|adopted|married|divorced|been|was|were|retired|sold|went|gone|no longer|any ?more'
    r'|changed|ditched|replaced|swapped|found out|learned|learnt|discovered|diagnosed|hired|graduated|as of)\b',
    re.IGNORECASE,
)
_LASTING_KINDS = ('preference', 'constraint', 'profile', 'knowledge', 'instruction', 'relationship')


def passes(draft: Draft, clause: str, ctx: Context) -> bool:
    """Whether a draft holds for hours or days only: `I can't have dairy today`, not `I quit my job today`."""
    if draft.op not in ('add', 'supersede') or draft.kind not in _LASTING_KINDS or draft.valid_to is not None:
        return False
    text = f'{ctx.when.text} {clause}' if ctx.when is not None else clause
    if not _BRIEF.search(text) or _CHANGED.search(clause):
        return False
    # A day that the words name is part of the fact: `deadline is on 12 May`.
    said = (say_time(span) for span in (*ctx.times(clause), *ctx.times(clause, prefer='future')))
    return not any(words and words in draft.words for words in said)
