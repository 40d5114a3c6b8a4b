"""The document a subject is exported as: its sections, how an item is written, its digest, its JSON Schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from memoranda.scope import Owner, Scope
from memoranda.stores import portable
from memoranda.stores.portable import SECTIONS, EntryItem, Item

__all__ = [
    'FORMAT',
    'VERSION',
    'Digests',
    'Header',
    'adapter',
    'canonical',
    'is_aside',
    'line_of',
    'schema',
    'scope_of',
    'stamp',
]

FORMAT: Final = 'memoranda.subject'
VERSION: Final = 1
_ABOUT_READING: Final = frozenset({'import', 'restore', 'read'})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before the sections."""

    project: str
    scope: Scope
    exported_at: datetime
    forgotten_at: datetime | None
    """When the subject was last forgotten: what is here was said since."""
    counts: Mapping[str, int]

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.scope.home(self.project)

    def fields(self) -> dict[str, Any]:
        """As it is written."""
        return {
            'format': FORMAT,
            'version': VERSION,
            'project': self.project,
            'scope': scope_of(self.scope),
            'exported_at': stamp(self.exported_at),
            'forgotten_at': None if self.forgotten_at is None else stamp(self.forgotten_at),
            'counts': dict(self.counts),
        }


class Digests:
    """SHA-256 over what a document says of its subject, whatever its white space and the order of its keys.

    Of each section over its items in canonical JSON, a line feed behind each; of all over the canonical JSON of the
    project, the scope, `forgotten_at` and the digests of the sections. When it was exported is not part of it, and
    neither are the history's entries on imports and reads: a subject that went through an export is still the same.
    """

    def __init__(self) -> None:
        self._sections = {name: hashlib.sha256() for name in SECTIONS}

    def add(self, section: str, value: Mapping[str, Any], line: str | None = None) -> None:
        """Count one item in, given as JSON value and, where that is known, as canonical line."""
        if section == 'history' and is_aside(value):
            return
        text = canonical(value) if line is None else line
        self._sections[section].update(text.encode('utf-8', 'surrogatepass') + b'\n')

    def sections(self) -> dict[str, str]:
        """By section."""
        return {name: digest.hexdigest() for name, digest in self._sections.items()}

    def whole(self, header: Header) -> str:
        """Of the document."""
        fields = header.fields()
        kept = {name: fields[name] for name in ('format', 'version', 'project', 'scope', 'forgotten_at')}
        return hashlib.sha256(canonical({**kept, 'digests': self.sections()}).encode()).hexdigest()


def is_aside(entry: Mapping[str, Any]) -> bool:
    """Whether a history entry tells of an import, a lifted tombstone or a read, and not of what is held."""
    return not entry.get('memory_id') and entry.get('op') in _ABOUT_READING


def canonical(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no white space."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(',', ':'), allow_nan=False)


@cache
def adapter(section: str) -> TypeAdapter[Any]:
    """Reads and writes the items of a section."""
    return TypeAdapter(SECTIONS[section])


def line_of(section: str, item: Item) -> tuple[dict[str, Any], str]:
    """An item as JSON value and as canonical line. What is as it would be anyway (null, empty) is left out."""
    value: dict[str, Any] = adapter(section).dump_python(item, mode='json', exclude_defaults=True)
    if isinstance(item, EntryItem):  # exactly as they were digested
        value |= {name: state for name in ('before', 'after') if (state := getattr(item, name)) is not None}
    return value, canonical(value)


def scope_of(scope: Scope) -> dict[str, str]:
    """The ids a scope has."""
    names = ('user_id', 'agent_id', 'run_id', 'app_id')
    return {name: value for name in names if (value := getattr(scope, name)) is not None}


def stamp(moment: datetime) -> str:
    """A moment as it is written."""
    return moment.astimezone(UTC).isoformat().replace('+00:00', 'Z')


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        'format': {'const': FORMAT},
        'version': {'const': VERSION},
        'project': {'type': 'string', 'description': 'The tenant.'},
        'scope': {
            'type': 'object',
            'description': 'Whose it is: one id, or none for what a project shares.',
            'properties': {n: {'type': 'string'} for n in ('user_id', 'agent_id', 'run_id', 'app_id')},
            'additionalProperties': False,
            'maxProperties': 1,
        },
        'exported_at': {'type': 'string', 'format': 'date-time'},
        'forgotten_at': {
            'type': ['string', 'null'],
            'format': 'date-time',
            'description': 'When the subject was last forgotten; what was said before is not here.',
        },
        'counts': {
            'type': 'object',
            'description': 'How many items each section has.',
            'properties': {name: {'type': 'integer', 'minimum': 0} for name in SECTIONS},
            'required': list(SECTIONS),
            'additionalProperties': False,
        },
    }
    for name in SECTIONS:
        found = adapter(name).json_schema(ref_template='#/$defs/{model}', mode='validation')
        definitions.update(found.pop('$defs', {}))
        title: str = found['title']
        definitions[title] = found
        properties[name] = {'type': 'array', 'items': {'$ref': f'#/$defs/{title}'}}
    for title, definition in definitions.items():  # not every version of Pydantic writes them
        definition['description'] = getattr(portable, title).__doc__
    hexadecimal = {'type': 'string', 'pattern': '^[0-9a-f]{64}$'}
    properties['digests'] = {
        'type': 'object',
        'description': 'SHA-256 of each section, see docs/export.md.',
        'properties': dict.fromkeys(SECTIONS, hexadecimal),
        'required': list(SECTIONS),
        'additionalProperties': False,
    }
    properties['digest'] = {**hexadecimal, 'description': 'SHA-256 of the document, see docs/export.md.'}
    return {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        'title': f'{FORMAT}, version {VERSION}',
        'description': 'Everything memoranda holds on one subject.',
        'type': 'object',
        'properties': properties,
        'required': list(properties),
        'additionalProperties': False,
        '$defs': dict(sorted(definitions.items())),
    }
