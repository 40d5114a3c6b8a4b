"""`Policy`: what may be remembered, what a person has to approve first, what a prompt may show, how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast, get_args

from memoranda.errors import ConfigurationError, shown
from memoranda.records import Category, Trust
from memoranda.scope import Level

__all__ = [
    'PERSONAL_DATA',
    'SECRETS',
    'SPECIAL_CATEGORIES',
    'Action',
    'Policy',
    'ReadRule',
    'Retention',
    'ReviewMode',
    'WriteRule',
    'check_policy',
]

SECRETS: Final = ('private key', 'api key', 'token', 'password', 'pin', 'seed phrase', 'card number')
PERSONAL_DATA: Final = ('email address', 'phone number', 'iban', 'national id', 'postal address', 'ip address')
SPECIAL_CATEGORIES: Final = (
    'health',
    'religion',
    'politics',
    'sexual orientation',
    'ethnic origin',
    'union membership',
    'genetics',
    'biometrics',
)
"""Those of article 9 of the GDPR. Sex life counts as `sexual orientation`."""

Action: TypeAlias = Literal['allow', 'redact', 'review', 'drop']
"""What becomes of words of some kind (a password, a phone number).

- `allow`: stored as they are
- `redact`: replaced by what they were (`[phone number]`) before anything is stored
- `review`: the message keeps them, a fact that holds them waits for a person
- `drop`: as `redact`, and no fact is drawn from the words around them
"""
ReviewMode: TypeAlias = Literal['off', 'flagged', 'all']
"""Which facts wait for a person.

- `off`: none; what would have to wait is not believed at all
- `flagged`: those that some rule flags
- `all`: every one that was not given by a person
"""
WriteRule: TypeAlias = Literal['auto', 'review', 'drop']
ReadRule: TypeAlias = Literal['include', 'fence', 'exclude']
"""How something of some tier gets into a prompt: like any other, apart and marked as unconfirmed, or not at all."""

_WRITE: Final[Mapping[Trust, WriteRule]] = MappingProxyType(
    {'user': 'auto', 'assistant': 'auto', 'tool': 'review', 'external': 'review'}
)
_READ: Final[Mapping[Trust, ReadRule]] = MappingProxyType(
    {'user': 'include', 'assistant': 'include', 'tool': 'fence', 'external': 'fence'}
)
_PASSAGES: Final[Mapping[Trust, ReadRule]] = MappingProxyType({**_READ, 'external': 'exclude'})
"""A fact is one short sentence; what somebody else wrote, word for word, may tell a model anything."""


def _given(of: object, name: str) -> object:
    """A field that may hold anything: callers don't all check their types."""
    return getattr(of, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is not kept: facts that meet every condition given, or messages, once they are as old as `after`.

    Facts get the status `expired`; messages are erased (docs/maintenance.md).
    """

    after: timedelta
    """Since it was last said or written; of a message, since it was stored."""
    kinds: tuple[str, ...] | None = None
    levels: tuple[Level, ...] | None = None
    episodes: bool | Literal['all'] = False
    """Messages in place of facts. True spares those that a current fact rests on, or one that waits for a person;
    `'all'` doesn't, and what rests on these messages alone is erased with them."""
    pinned: bool = False
    """Pinned and locked facts too, and the messages that they rest on."""
    waiting: bool = False
    """Proposals that wait for a person, in place of facts. They leave the queue; the same may be proposed again."""

    def __post_init__(self) -> None:
        after: object = _given(self, 'after')
        if not isinstance(after, timedelta) or after <= timedelta():
            raise ConfigurationError(
                f'retention.after={shown(after)} is no time span of more than 0: pass a timedelta, such as '
                'timedelta(days=90)'
            )
        for name, example in (('kinds', 'event'), ('levels', 'run')):
            given = _given(self, name)
            words = cast('tuple[object, ...]', given) if isinstance(given, tuple) else ()
            if given is not None and (not words or not all(isinstance(w, str) and w.strip() for w in words)):
                raise ConfigurationError(
                    f'retention.{name}={shown(_given(self, name))} is no tuple of names: pass such as '
                    f'({example!r},), or leave it out for all'
                )
        for level in self.levels or ():
            _one_of('retention.levels', level, get_args(Level))
        episodes: object = _given(self, 'episodes')
        if not isinstance(episodes, bool) and episodes != 'all':
            raise ConfigurationError(f"retention.episodes={shown(episodes)} is unknown: pass True, False or 'all'")
        if episodes and (self.kinds is not None or self.levels is not None):
            raise ConfigurationError(
                f'retention.episodes={shown(episodes)} is about messages, which have no kinds and levels: leave these '
                'out, or make it two rules'
            )
        pinned = cast('object', self.pinned)
        if not isinstance(pinned, bool):
            raise ConfigurationError(f'retention.pinned={shown(pinned)} is no yes or no: pass True or False')
        waiting = cast('object', self.waiting)
        if not isinstance(waiting, bool):
            raise ConfigurationError(f'retention.waiting={shown(waiting)} is no yes or no: pass True or False')
        if waiting and episodes:
            raise ConfigurationError(
                f'retention.waiting=True is about proposals, and episodes={shown(episodes)} about messages: make it '
                'two rules'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be remembered, and on whose word."""

    review: ReviewMode = 'flagged'
    min_confidence: float = 0.0
    """0..1; facts an extractor is less sure of follow `below_confidence`."""
    below_confidence: Literal['review', 'drop'] = 'review'
    secrets: Action | Mapping[str, Action] = 'redact'
    """Of all secrets, or by kind (`SECRETS`). Kinds left out keep the default, or get what `'*'` says."""
    personal_data: Action | Mapping[str, Action] = 'allow'
    """Of all personal data, or by kind (`PERSONAL_DATA`), as above."""
    special_categories: Action | Mapping[str, Action] = 'allow'
    """Health, religion, politics and the like: of all, or by kind (`SPECIAL_CATEGORIES`), as above."""
    regions: tuple[str, ...] = ()
    """Countries (`'DE'`) whose phone numbers and national ids are looked for as they are written there. Empty: those
    where the 16 languages of the bundled embedder are spoken."""
    instructions: Literal['review', 'drop'] = 'review'
    """Text that reads like an instruction to the agent and is not the user's own."""
    write: Mapping[Trust, WriteRule] = field(default_factory=lambda: _WRITE)
    """By the weakest tier that a fact rests on. Tiers left out keep their default."""
    read: Mapping[Trust, ReadRule] = field(default_factory=lambda: _READ)
    """What a prompt shows. Tiers left out keep their default."""
    passages: Mapping[Trust, ReadRule] = field(default_factory=dict[Trust, ReadRule])
    """The same for messages, word for word. Tiers left out follow `read` where that names them, else their default."""
    burst: tuple[int, float] | None = (30, 60.0)
    """So many facts of one owner within so many seconds from one source that is not the user: further ones wait."""
    max_waiting: int | None = 1000
    """So many proposals of one owner from one source tier wait for a person; further ones are dropped, counted as
    `review full`, until some are decided on. None: no limit."""
    audit_reads: bool = False
    """Whether it is noted who read which memories; never what they say."""
    retention: tuple[Retention, ...] = ()
    run_expiry: timedelta | None = None
    """How long after the last message of a conversation the facts that are known in it alone expire; None: never."""
    _actions: Mapping[Category, Mapping[str, Action]] = field(init=False, repr=False, compare=False)
    """By category and kind; `'*'` is every other one."""
    _used: Mapping[Category, frozenset[Action]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_words(self)
        _check_numbers(self)
        read = _check_rules('read', self.read, get_args(ReadRule)) if self.read is not _READ else {}
        # What is said of a tier in `read` is meant for its messages too, unless something else is said of these.
        defaults: tuple[tuple[str, Mapping[Trust, str], object], ...] = (
            ('write', _WRITE, WriteRule),
            ('read', _READ, ReadRule),
            ('passages', {**_PASSAGES, **cast('Mapping[Trust, ReadRule]', read)}, ReadRule),
        )
        for name, default, rules in defaults:
            given = _check_rules(name, getattr(self, name), get_args(rules))
            object.__setattr__(self, name, MappingProxyType({**default, **given}))
        actions: dict[Category, Mapping[str, Action]] = {}
        for name, (category, kinds, default) in _CATEGORIES.items():
            given = getattr(self, name)
            actions[category] = _check_actions(name, given, category, kinds, default)
            if isinstance(given, Mapping):
                object.__setattr__(self, name, MappingProxyType(dict(cast('Mapping[str, Action]', given))))
        object.__setattr__(self, '_actions', MappingProxyType(actions))
        object.__setattr__(self, '_used', MappingProxyType({c: frozenset(a.values()) for c, a in actions.items()}))
        _check_contradictions(self, actions)

    def action(self, category: Category, kind: str) -> Action:
        """What becomes of words of this kind."""
        actions = self._actions[category]
        return actions.get(kind, actions['*'])

    def used(self, category: Category) -> frozenset[Action]:
        """The actions that anything of a category gets."""
        return self._used[category]

    def uses(self, *actions: Action, category: Category | None = None) -> bool:
        """Whether one of these actions is for anything, of a category or of all."""
        used = self._used.values() if category is None else (self._used[category],)
        return any(not found.isdisjoint(actions) for found in used)

    def ignores(self, category: Category) -> bool:
        """Whether every kind of a category is allowed."""
        return not self.uses('redact', 'review', 'drop', category=category)


def check_policy(value: object) -> Policy:
    """A policy somebody gave.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(value, Policy):
        raise ConfigurationError(f"policy={shown(value)} is no Policy: pass such as Policy(review='all')")
    return value


_CATEGORIES: Final[Mapping[str, tuple[Category, tuple[str, ...], Action]]] = MappingProxyType(
    {
        'secrets': ('secret', SECRETS, 'redact'),
        'personal_data': ('personal data', PERSONAL_DATA, 'allow'),
        'special_categories': ('special category', SPECIAL_CATEGORIES, 'allow'),
    }
)
"""Fields with actions: what they are about, its kinds, and what becomes of kinds that nobody named."""


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise ConfigurationError(f'policy.{name}={shown(value)} is unknown: use one of {", ".join(known)}')


def _check_words(policy: Policy) -> None:
    _one_of('review', policy.review, get_args(ReviewMode))
    _one_of('below_confidence', policy.below_confidence, ('review', 'drop'))
    _one_of('instructions', policy.instructions, ('review', 'drop'))
    flag: object = _given(policy, 'audit_reads')
    if not isinstance(flag, bool):
        # The word 'false' would count as a yes.
        raise ConfigurationError(f'policy.audit_reads={shown(flag)} is no yes or no: pass True or False')
    regions: object = _given(policy, 'regions')
    if not isinstance(regions, tuple) or not all(_is_region(r) for r in cast('tuple[object, ...]', regions)):
        raise ConfigurationError(
            f'policy.regions={shown(_given(policy, "regions"))} is no tuple of countries: '
            "write them like ('DE', 'AT'), or leave it out"
        )


def _is_region(value: object) -> bool:
    return isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()


def _check_numbers(policy: Policy) -> None:
    least: object = _given(policy, 'min_confidence')
    if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least <= 1:
        raise ConfigurationError(f'policy.min_confidence={shown(least)} is not a number from 0 to 1: pass one')
    burst: object = _given(policy, 'burst')
    if burst is not None:
        parts = cast('tuple[object, ...]', burst) if isinstance(burst, tuple) else ()
        number, seconds = parts if len(parts) == 2 else (None, None)
        whole = isinstance(number, int) and not isinstance(number, bool) and number >= 1
        if not whole or isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
            raise ConfigurationError(
                f'policy.burst={shown(_given(policy, "burst"))} is no number of facts and seconds, both more than 0: '
                'pass a pair such as (30, 60.0), or None for no limit'
            )
    most: object = _given(policy, 'max_waiting')
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 100_000):
        raise ConfigurationError(
            f'policy.max_waiting={shown(most)} is no whole number from 1 to 100,000: pass one, or None for no limit'
        )
    retention: object = _given(policy, 'retention')
    if not isinstance(retention, tuple) or not all(
        isinstance(r, Retention) for r in cast('tuple[object, ...]', retention)
    ):
        raise ConfigurationError(
            f'policy.retention={shown(_given(policy, "retention"))} is no tuple of Retention: '
            'pass (Retention(after=...),)'
        )
    idle = cast('object', policy.run_expiry)
    if idle is not None and (not isinstance(idle, timedelta) or idle <= timedelta()):
        raise ConfigurationError(
            f'policy.run_expiry={shown(idle)} is no time span of more than 0: pass a timedelta, such as '
            'timedelta(days=30), or None for never'
        )


def _check_rules(name: str, given: object, known: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'policy.{name}={shown(given)} is no mapping: pass a dict of tier and rule')
    rules = dict(cast('Mapping[str, str]', given))
    for tier, rule in rules.items():
        if tier not in _WRITE:
            raise ConfigurationError(f'policy.{name} names the unknown tier {shown(tier)}: use {", ".join(_WRITE)}')
        _one_of(f'{name}[{tier!r}]', rule, known)
    return rules


def _check_actions(
    name: str, given: object, category: Category, kinds: tuple[str, ...], default: Action
) -> Mapping[str, Action]:
    """The action of every kind that is named, and under `'*'` that of the others."""
    if not isinstance(given, Mapping):
        _one_of(name, given, get_args(Action))
        return MappingProxyType({'*': cast('Action', given)})
    actions = dict(cast('Mapping[str, Action]', given))
    unknown = [kind for kind in actions if kind not in kinds and kind != '*']
    if unknown:
        from memoranda.write.detect.registry import kinds_of

        known = (*kinds, *kinds_of(category))
        unknown = [kind for kind in unknown if kind not in known]
        if unknown:
            homes = {kind: other for other, (_, theirs, _) in _CATEGORIES.items() for kind in theirs}
            hint = ''.join(f'; {kind} belongs to {homes[kind]}' for kind in unknown if kind in homes)
            raise ConfigurationError(
                f'policy.{name} names {", ".join(map(shown, unknown))}, which nothing detects: known are '
                f'{", ".join(known)}, and * for all others{hint}'
            )
    for kind, action in actions.items():
        _one_of(f'{name}[{kind!r}]', action, get_args(Action))
    return MappingProxyType({'*': default, **actions})


def _check_contradictions(policy: Policy, actions: Mapping[Category, Mapping[str, Action]]) -> None:
    if policy.review != 'off':
        return
    waiting = [name for name, (category, _, _) in _CATEGORIES.items() if 'review' in actions[category].values()]
    # What the defaults send to review is dropped; only what somebody asked for contradicts.
    waiting += [f'write[{t!r}]' for t, rule in policy.write.items() if rule == 'review' and _WRITE[t] != 'review']
    if waiting:
        raise ConfigurationError(
            f"policy.review='off' contradicts {' and '.join(waiting)}, which sends facts to review: use "
            "review='flagged', or 'drop' there"
        )
