"""What a policy makes of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from memoranda.errors import ConfigurationError
from memoranda.policy import PERSONAL_DATA, SECRETS, SPECIAL_CATEGORIES, Action, Policy
from memoranda.records import Category
from memoranda.write.detect.cards import cards, count_digits
from memoranda.write.detect.findings import Finding, merged, replaced
from memoranda.write.detect.keys import keys
from memoranda.write.detect.passwords import passwords
from memoranda.write.detect.registry import find_others, kinds_of, load

if TYPE_CHECKING:
    from memoranda.write.extract import Proposal

__all__ = [
    'EVERYTHING',
    'Judgement',
    'check_installed',
    'find',
    'judge',
    'is_quick',
    'judge_fact',
    'prepare',
    'quiet',
    'redact',
    'redact_value',
    'secret_in',
    'sentence',
    'watched_categories',
]

EVERYTHING: Final = Policy(secrets='redact', personal_data='redact', special_categories='redact')
"""Finds whatever can be found."""

_REPLACED: Final = frozenset[Action](('redact', 'drop'))
_JUDGED: Final = frozenset[Action](('review', 'drop'))
_WATCHED: Final = frozenset[Action](('redact', 'review', 'drop'))
_MARK: Final = re.compile(r'\[([a-z][a-z ]{0,38}[a-z])\]')
_INSTALL: Final = 'run `pip install "memoranda[privacy]"`'
_LOADS: Final = '+12125550123 DE89370400440532013000 536-90-4399'
"""Has something for every package to look at."""
_END: Final = re.compile(r'[.!?](?=\s)|[\n。！？]')


class Judgement(NamedTuple):
    """What a policy makes of a fact."""

    reasons: tuple[str, ...] = ()
    """Codes of what a person has to see first, such as `personal data:phone number`."""
    drop: str | None = None
    """The code of what forbids the fact; None when nothing does."""


def find(text: str, policy: Policy = EVERYTHING) -> list[Finding]:
    """Secrets, personal data, words of special categories, and what plug-ins find: in order, without overlaps.

    Args:
        text: Where to look.
        policy: What it allows is not looked for. By default everything is, in words of all regions.

    Raises:
        ConfigurationError: A package is missing, or a plug-in can't be used.
        DetectorFailed: A plug-in failed.
    """
    return merged(_found(text, policy, _WATCHED))


def redact(text: str, policy: Policy) -> tuple[str, int]:
    """The text with marks such as `[phone number]` for what the policy redacts or drops, and how many there are.

    It can't be undone: nothing of what was there is kept.

    Raises:
        ConfigurationError: A package is missing, or a plug-in can't be used.
        DetectorFailed: A plug-in failed.
    """
    found = _found(text, policy, _REPLACED)
    if not found:
        return text, 0
    found = merged(found)
    return replaced(text, found), len(found)


def secret_in(name: str, policy: Policy) -> str | None:
    """What a name (a slot, a kind) holds that the policy keeps out of the storage, as a kind; None when nothing.

    Words of special categories are what a slot may be about, and no secret of anybody.
    """
    found = (f for f in _found(name, policy, _REPLACED) if f.category != 'special category')
    return next((f.kind for f in found), None)


def redact_value(name: str, value: str | float, policy: Policy) -> str | float:
    """A value of the caller's JSON, read together with its name: neither of `password` and `hunter2` tells it alone."""
    # Tables make floating-point numbers of phone and card numbers.
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e20
    head, text = f'{name}: ' if name else '', str(int(value)) if whole else str(value)
    found = [f for f in merged(_found(head + text, policy, _REPLACED)) if f.end > len(head)]
    if not found:
        return value
    at = len(head)
    return replaced(text, [Finding(f.category, f.kind, max(f.start - at, 0), f.end - at) for f in found])


def quiet(text: str, policy: Policy) -> str:
    """A text for logs, traces and notes of errors: without all that the policy doesn't allow. Never raises.

    Returns:
        Nothing, when a detector fails: what it would have found is not known.
    """
    try:
        return replaced(text, merged(_found(text, policy, _WATCHED)))
    except Exception:
        return ''


def judge(text: str, policy: Policy, *, label: str | None = None) -> Judgement:
    """Whether a fact in these words has to wait, or must not be.

    Args:
        text: The words, redacted or not: a mark counts as what it stands for.
        policy: Says what becomes of what is found.
        label: A special category that the extractor sees in the fact, whatever its words are. Where the policy
            redacts that category the fact is dropped, since nobody knows which words to take out.

    Raises:
        ConfigurationError: A package is missing, or a plug-in can't be used.
        DetectorFailed: A plug-in failed.
    """
    reasons: dict[str, None] = {}
    drop: str | None = None
    for finding in (*_found(text, policy, _JUDGED), *_marked(text, policy)):
        if policy.action(finding.category, finding.kind) == 'review':
            reasons[finding.code] = None
        else:
            drop = drop or finding.code
    if label:
        kind = ' '.join(label.replace('_', ' ').casefold().split())
        action = policy.action('special category', kind)
        code = f'special category:{kind if kind in SPECIAL_CATEGORIES else "other"}'
        if action == 'review':
            reasons[code] = None
        elif action != 'allow':
            drop = drop or code
    return Judgement(tuple(reasons), drop)


def judge_fact(proposal: Proposal, quotes: Iterable[str], policy: Policy) -> Judgement:
    """As `judge`, of all the words of a proposal.

    Args:
        proposal: Its text, value, tags and metadata count, and its category.
        quotes: The sentences that its evidence stands in: they can forbid the fact, but don't make it wait.
        policy: Says what becomes of what is found.
    """
    if not policy.uses('review', 'drop') and not (proposal.category and not policy.ignores('special category')):
        return Judgement()
    words = [proposal.text, proposal.value or '', *proposal.tags, *_strings(proposal.metadata)]
    told = judge('\n'.join(w for w in words if w), policy, label=proposal.category)
    if told.drop or not policy.uses('drop'):
        return told
    return Judgement(told.reasons, judge('\n'.join(quotes), policy).drop)


def sentence(text: str, start: int, end: int) -> str:
    """The sentence, or sentences, that a quote stands in."""
    begin = max((m.end() for m in _END.finditer(text, max(0, start - 1_000), start)), default=max(0, start - 1_000))
    stop = _END.search(text, max(start, end - 1), end + 1_000)
    return text[begin : stop.end() if stop else end + 1_000]


def watched_categories(policy: Policy) -> tuple[str, ...]:
    """The special categories that an extractor shall label."""
    return tuple(kind for kind in SPECIAL_CATEGORIES if policy.action('special category', kind) != 'allow')


def is_quick(policy: Policy) -> bool:
    """Whether a short text takes microseconds, and runs no code of others."""
    return policy.ignores('personal data') and policy.ignores('special category') and not load()


def prepare(policy: Policy) -> None:
    """Load what the policy needs, so that no message waits for it.

    Raises:
        ConfigurationError: A package is missing, a plug-in can't be used, or a region is unknown.
    """
    check_installed(policy)
    load()
    if policy.uses('redact', 'review', 'drop'):
        _found(_LOADS, policy, _WATCHED)
    if policy.regions and not policy.ignores('personal data'):
        from memoranda.write.detect.phones import supported

        unknown = supported(policy.regions)
        if unknown:
            raise ConfigurationError(
                f'policy.regions names {", ".join(unknown)}, which are no countries: '
                'use codes of two letters as in ISO 3166'
            )


def check_installed(policy: Policy) -> None:
    """Whether the packages are there that the policy needs.

    Raises:
        ConfigurationError: They are not.
    """
    if policy.ignores('personal data'):
        return
    from importlib.util import find_spec

    from memoranda.write.detect.personal import NEED_PACKAGES

    kinds = [kind for kind in NEED_PACKAGES if policy.action('personal data', kind) != 'allow']
    if kinds and (missing := [name for name in ('phonenumbers', 'stdnum') if find_spec(name) is None]):
        raise ConfigurationError(
            f'policy.personal_data looks for {", ".join(kinds)}, which needs {" and ".join(missing)}, and that is not '
            f'installed: {_INSTALL}, or allow these kinds'
        )


def _found(text: str, policy: Policy, actions: frozenset[Action]) -> list[Finding]:
    """What there is that one of these actions is for, the surest detectors first."""
    found: list[Finding] = []

    def wanted(category: Category, kind: str) -> bool:
        return policy.action(category, kind) in actions

    if not policy.used('secret').isdisjoint(actions):
        found += keys(text)
        found += passwords(text)
        if count_digits(text) >= 12:
            found += cards(text)
    if not policy.used('personal data').isdisjoint(actions):
        from memoranda.write.detect.personal import personal_data

        found += personal_data(text, partial(wanted, 'personal data'), policy.regions)
    if not policy.used('special category').isdisjoint(actions):
        from memoranda.write.detect.special import special_categories

        found += special_categories(text)
    if load() and policy.uses(*actions):
        found += find_others(text)
    return [f for f in found if wanted(f.category, f.kind)] if found else found


def _marked(text: str, policy: Policy) -> Iterator[Finding]:
    """What was taken out of a text because no fact may come of it."""
    if not policy.uses('drop'):
        return
    for match in _MARK.finditer(text):
        for category, kinds in _KINDS.items():
            known = match[1] in kinds or match[1] in kinds_of(category)
            if known and policy.action(category, match[1]) == 'drop':
                yield Finding(category, match[1], *match.span())


_KINDS: Final[Mapping[Category, tuple[str, ...]]] = {
    'secret': SECRETS,
    'personal data': PERSONAL_DATA,
    'special category': SPECIAL_CATEGORIES,
}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in cast('Mapping[str, Any]', value).items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in cast('list[Any]', value):
            yield from _strings(inner)
