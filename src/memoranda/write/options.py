"""The options of an `add`, checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from memoranda.checks import as_moment, check_flag, check_kind, check_slot, check_tags, check_text, check_unit, storable
from memoranda.errors import InvalidInput, shown, what_is
from memoranda.policy import Policy
from memoranda.records import Trust
from memoranda.write.detect import redact, redact_value, secret_in
from memoranda.write.trust import check_trust

__all__ = ['MAX_FACT_CHARS', 'check_metadata', 'check_named', 'check_value', 'job_options', 'without_secrets']

MAX_METADATA_CHARS: Final = 65_536
MAX_METADATA_DEPTH: Final = 100
MAX_INSTRUCTION_CHARS: Final = 4_000
MAX_FACT_CHARS: Final = 2_000


def check_metadata(metadata: object, *, policy: Policy) -> dict[str, Any]:
    """The caller's own JSON, with what no database can carry replaced, and without what the policy keeps out."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f'metadata is {what_is(metadata)}: pass a dict of JSON values')
    try:
        encoded = json.dumps(metadata, allow_nan=False)
        if len(encoded) > MAX_METADATA_CHARS:
            raise InvalidInput(
                f'metadata has {len(encoded):,} characters as JSON, and {MAX_METADATA_CHARS:,} is the most: '
                'keep a reference to it instead'
            )
        return _cleaned(json.loads(encoded), policy)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f'metadata is not JSON ({error}): use text, finite numbers, booleans, None, lists and dicts'
        ) from error


def _cleaned(value: Any, policy: Policy, name: str = '', depth: int = 0) -> Any:
    if depth > MAX_METADATA_DEPTH:
        raise InvalidInput(
            f'metadata is nested more than {MAX_METADATA_DEPTH} levels deep: keep a reference to it instead'
        )
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return redact_value(name, storable(value) if isinstance(value, str) else value, policy)
    if isinstance(value, list):
        return [_cleaned(v, policy, name, depth + 1) for v in cast('list[Any]', value)]
    if isinstance(value, dict):
        named = ((storable(k), v) for k, v in cast('dict[str, Any]', value).items())
        return {redact(k, policy)[0]: _cleaned(v, policy, k, depth + 1) for k, v in named}
    return value


def check_named(*, policy: Policy, **names: str | None) -> None:
    """Refuse slots and kinds that hold what the policy keeps out of the storage: a name can't have a mark in it.

    Raises:
        InvalidInput: One does. It isn't shown.
    """
    for name, given in names.items():
        if given is not None and (found := secret_in(given, policy)) is not None:
            raise InvalidInput(
                f'{name} holds what the policy keeps out of the storage (a kind of {found}): name it by what it is '
                'about, such as home.city, and give what it holds as value'
            )


def check_value(value: object, slot: str | None) -> str | None:
    """The bare value of a slot, on one line."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f'value={shown(value)} is empty or no text: pass the bare value, such as Lisbon')
    if len(value) > MAX_FACT_CHARS:
        raise InvalidInput(f'value has {len(value):,} characters, and {MAX_FACT_CHARS:,} is the most: shorten it')
    if slot is None:
        raise InvalidInput(f'value={shown(value)} is the value of a slot, and there is none: pass slot too')
    return ' '.join(storable(value).split())


def job_options(
    *,
    infer: bool,
    kind: str | None,
    slot: str | None,
    value: str | None,
    level: str | None,
    tags: Sequence[str],
    confidence: float | None,
    importance: float | None,
    pinned: bool,
    valid_from: object,
    valid_to: object,
    expires_at: object,
    instructions: str | None = None,
    trust: Trust | None = None,
    supersedes: str | None = None,
    corrects: str | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """The options as a job keeps them. `by` is noted of facts stored as given."""
    if check_flag('infer', infer) and any(
        given is not None
        for given in (kind, slot, value, level, confidence, importance, valid_from, valid_to, supersedes, corrects)
    ):
        raise InvalidInput(
            'kind, slot, value, level, confidence, importance, valid_from, valid_to, supersedes and corrects describe '
            'a fact stored as given: pass infer=False with them, or leave them to extraction'
        )
    if supersedes is not None and corrects is not None:
        raise InvalidInput(
            f'supersedes={shown(supersedes)} and corrects={shown(corrects)} both name what the fact takes the place '
            'of: pass supersedes when that was true once, corrects when it never was'
        )
    if level not in (None, 'user', 'run'):
        raise InvalidInput(f"level={shown(level)} is unknown: use 'user', 'run', or leave it out")
    checked = None if slot is None else check_slot(slot)
    options: dict[str, Any] = {
        'infer': infer,
        'kind': None if kind is None else check_kind(kind),
        'slot': checked,
        'value': check_value(value, checked),
        'level': level,
        'tags': list(check_tags(tags)),
        'confidence': None if confidence is None else check_unit('confidence', confidence),
        'importance': None if importance is None else check_unit('importance', importance),
        'pinned': check_flag('pinned', pinned),
        'instructions': None if instructions is None else _instructions(instructions, infer),
        'trust': None if trust is None else check_trust(trust),
        'supersedes': None if supersedes is None else check_text('supersedes', supersedes, 256),
        'corrects': None if corrects is None else check_text('corrects', corrects, 256),
        'by': None if infer else by,
    }
    for name, moment in (('valid_from', valid_from), ('valid_to', valid_to), ('expires_at', expires_at)):
        options[name] = None if moment is None else as_moment(moment, name).isoformat()
    if options['valid_from'] and options['valid_to'] and options['valid_to'] <= options['valid_from']:
        raise InvalidInput(
            f'valid_to={options["valid_to"]} is not after valid_from={options["valid_from"]}: swap or correct them'
        )
    return {
        name: option
        for name, option in options.items()
        if name == 'infer' or not (option is None or option is False or option == [])
    }


def without_secrets(options: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """The options, without what the policy keeps out."""
    check_named(policy=policy, slot=options.get('slot'), kind=options.get('kind'))
    words = {name: _cleaned(options[name], policy) for name in ('value', 'tags', 'instructions') if name in options}
    return {**options, **words}


def _instructions(instructions: object, infer: bool) -> str:
    if not infer:
        raise InvalidInput('instructions are for extraction, and infer=False asks for none: leave one of them out')
    if not isinstance(instructions, str) or not instructions.strip():
        raise InvalidInput(f'instructions={shown(instructions)} is empty or no text: pass a sentence, or leave it out')
    if len(instructions) > MAX_INSTRUCTION_CHARS:
        raise InvalidInput(
            f'instructions has {len(instructions):,} characters, and {MAX_INSTRUCTION_CHARS:,} is the most: shorten it'
        )
    return storable(instructions.strip())
