"""Parts of a policy written as settings.

- actions: `redact`, or by kind as in `review; health=drop; religion=allow`
- rules by tier: `tool=auto; external=drop`
- countries: `DE, AT`
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

__all__ = ['read_actions', 'read_regions', 'read_tiers']


def read_actions(given: str | Mapping[str, str]) -> Any:
    """What `Policy` takes: one action for all, or actions by kind, with that of all others under `*`.

    Args:
        given: An action; actions by kind, apart by semicolons, where one without a kind is for all others; or a table.

    Raises:
        ValueError: It can't be read.
    """
    parts = dict(given) if isinstance(given, Mapping) else _parts(given)
    from memoranda.policy import Action

    for kind, action in parts.items():
        if action not in get_args(Action):
            raise ValueError(f'{action!r} is no action')
        if not kind.strip():
            raise ValueError(f'{action!r} is of no kind')
    return parts['*'] if list(parts) == ['*'] else cast('Mapping[str, Action]', parts)


def read_tiers(name: str, given: str | Mapping[str, str]) -> Any:
    """What `Policy` takes as `write`, `read` or `passages`: rules by tier. Of an empty text there are none.

    Args:
        name: Which of these it is.
        given: `tier=rule`, apart by semicolons; or a table.

    Raises:
        ValueError: It can't be read, or names a tier or a rule that doesn't exist.
    """
    from memoranda.policy import ReadRule, WriteRule
    from memoranda.records import Trust

    empty = isinstance(given, str) and not given.strip()
    rules = {} if empty else dict(given) if isinstance(given, Mapping) else _parts(given)
    known = get_args(WriteRule if name == 'write' else ReadRule)
    for tier, rule in rules.items():
        if tier == '*':
            raise ValueError(f'{rule!r} is of no tier')
        if tier not in get_args(Trust):
            raise ValueError(f'{tier!r} is no tier, which are {", ".join(get_args(Trust))}')
        if rule not in known:
            raise ValueError(f'{rule!r} is no rule for {tier}, which are {", ".join(known)}')
    return rules


def read_regions(given: str | Sequence[str]) -> tuple[str, ...]:
    """Countries, apart by commas.

    Raises:
        ValueError: One isn't written as a country.
    """
    parts = given.split(',') if isinstance(given, str) else given
    regions = tuple(part.strip() for part in parts if part.strip())
    for region in regions:
        if not re.fullmatch('[A-Z]{2}', region):
            raise ValueError(f'{region!r} is no country of two capital letters')
    return regions


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(';'))):
        kind, equals, action = part.rpartition('=')
        kind = kind.strip() if equals else '*'
        if kind in found:
            raise ValueError(f'{text.strip()!r} says what becomes of {"all others" if kind == "*" else kind} twice')
        found[kind] = action.strip()
    if not found:
        raise ValueError('it is empty')
    return found
