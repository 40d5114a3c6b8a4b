"""Which slots a Pydantic model asks for, and how the words of a memory become the value of a field.

What a field takes is read from its JSON schema, so constraints, choices, formats and custom types need no code here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from memoranda.checks import check_slot
from memoranda.errors import InvalidInput, shown, with_article
from memoranda.records import MemoryRecord
from memoranda.timewords import find_time
from memoranda.write.extract import SlotSpec

__all__ = ['Leaf', 'Node', 'Plan', 'Reading', 'Slot', 'plan_of']

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where memory keeps a field of a profile: `city: Annotated[str, Slot('home.city')]`.

    On a field that is itself a model, what the slots of its fields begin with. `Slot(None)`: memory never fills the
    field, its default stays.

    Raises:
        InvalidInput: It is no slot.
    """

    slot: str | None

    def __post_init__(self) -> None:
        if self.slot is not None:
            check_slot(self.slot)


_ALIASES: Final[Mapping[str, str]] = {
    name: slot
    for slot, names in {
        'name': 'name full_name',
        'name.preferred': 'preferred_name nickname call_me',
        'pronouns': 'pronouns',
        'age': 'age',
        'birthday': 'birthday birth_date birthdate date_of_birth dob',
        'birth.year': 'birth_year year_of_birth',
        'birthplace': 'birthplace birth_place place_of_birth',
        'hometown': 'hometown home_town',
        'home.city': 'city home_city city_of_residence',
        'home.country': 'country home_country country_of_residence',
        'work.employer': 'employer company workplace',
        'work.title': 'job job_title work_title occupation profession',
        'relationship.status': 'relationship_status marital_status',
        'relationship.spouse': 'spouse',
        'relationship.partner': 'partner',
        'diet': 'diet',
        'timezone': 'timezone time_zone tz',
        'language.native': 'native_language mother_tongue first_language',
        'language.answer': 'answer_language response_language reply_language',
        'language.programming.preferred': (
            'programming_language preferred_programming_language favourite_programming_language '
            'favorite_programming_language'
        ),
        'editor.preferred': 'editor preferred_editor code_editor ide favourite_editor favorite_editor',
    }.items()
    for name in names.split()
}
"""Field names that can only mean one of the known slots. `location`, `language`, `title` and the like can mean two."""
_FAVOURITE: Final = re.compile(r'favou?rite_(?P<what>\w+)')
_FORMATS: Final[Mapping[str, str]] = {
    'date': 'date (YYYY-MM-DD)',
    'date-time': 'date and time (ISO 8601)',
    'time': 'time of day (HH:MM)',
    'duration': 'duration (ISO 8601)',
    'email': 'email address',
    'uri': 'web address',
    'password': 'text',
    'binary': 'text',
}
_ANY_TEXT: Final = frozenset(('password', 'binary', 'path'))
_BARE_NUMBER: Final = re.compile(r'\s*[+-]?\d+(?:\.\d+)?\s*')
_WORDS_OF_TRUTH: Final[Mapping[str, bool]] = {'yes': True, 'true': True, 'no': False, 'false': False}
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class _Schema(GenerateJsonSchema):
    ignored_warning_kinds = {'skipped-choice', 'non-serializable-default', 'skipped-discriminator'}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Reading:
    """A value read from the words of a memory."""

    given: str | int | float | bool
    """What the model is given, as JSON has it."""
    value: Any
    """What the field makes of it."""
    single: bool = True
    """Whether a list has one item of it: a validator may make several, or none."""

    def agrees(self, other: Reading) -> bool:
        """Whether both say the same."""
        if self is other or (type(self.given) is type(other.given) and self.given == other.given):
            return True  # whatever their values think of it: one that is no number (`NaN`) differs from itself
        return bool(self.value == other.value)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that memories fill."""

    path: Path
    spec: SlotSpec
    adapter: TypeAdapter[Any]
    choices: tuple[Any, ...]
    dated: bool
    """Whether it takes a calendar day."""
    free: bool
    """Whether any text fits, so that fitting proves nothing."""

    @property
    def name(self) -> str:
        """The field names from the outermost model, joined by dots."""
        return '.'.join(self.path)

    def read(self, memory: MemoryRecord) -> Reading | str:
        """The value in a memory, or the reason why there is none. One item, when the field is a list."""
        text = memory.value
        if text is None:
            text = memory.text
            # Stored as given, or written by a person: the words are the value. Else they are a sentence about it.
            given = memory.actor == 'caller' or memory.locked or any(e.quote.strip() == text for e in memory.evidence)
            if self.free and not given:
                return 'only a sentence is known, not the bare value'
        reason = ''
        for each in self._candidates(text):
            try:
                result: Any = self.adapter.validate_json(json.dumps([each] if self.spec.many else each))
            except ValidationError as error:
                complaints = error.errors(include_url=False, include_context=False, include_input=False)
                if self.spec.many and not any(isinstance(c['loc'][0], int) for c in complaints if c['loc']):
                    return Reading(each, each)  # the list is refused, not the item: that is seen when it is whole
                reason = reason or complaints[0]['msg']
                continue
            if self.spec.many:
                plain = not isinstance(result, Collection) or isinstance(result, str | bytes)
                made = [each] if plain else list(cast('Collection[Any]', result))
                if len(made) != 1:
                    return Reading(each, made, single=False)
                result = made[0]
            if isinstance(result, date | time | timedelta) and _BARE_NUMBER.fullmatch(text):
                reason = 'a bare number does not tell which date or time is meant'
                continue
            return Reading(each, result)
        return reason

    def _candidates(self, text: str) -> Iterator[str | int | float | bool]:
        """The text, then what it can only mean as a choice, number, truth value or day."""
        yield text
        folded = text.strip().casefold()
        same = [c for c in self.choices if str(c).casefold() == folded]
        if len(same) == 1:
            yield same[0]
        if _BARE_NUMBER.fullmatch(text) and len(folded) <= 18:
            yield float(folded) if '.' in folded else int(folded)
        if folded in _WORDS_OF_TRUTH:
            yield _WORDS_OF_TRUTH[folded]
        if self.dated and (day := _day(text.strip())):
            yield day


@dataclass(frozen=True, slots=True)
class Node:
    """A field that is itself a model."""

    path: Path
    required: bool
    nullable: bool

    @property
    def name(self) -> str:
        """The field names from the outermost model, joined by dots."""
        return '.'.join(self.path)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model asks of memory."""

    leaves: tuple[Leaf, ...]
    nodes: tuple[Node, ...]
    """Outer ones first."""


def plan_of(model: object) -> Plan:
    """What a model asks of memory.

    Raises:
        InvalidInput: It is no model class, isn't fully defined, or has a field that text can't fill.
    """
    name = shown(model)
    if model is BaseModel or not (isinstance(model, type) and issubclass(model, BaseModel)) or _is_root(model):
        raise InvalidInput(
            f'model={name} is not a class with fields derived from pydantic.BaseModel: pass the class itself'
        )
    return _plan(model)


@lru_cache(maxsize=128)
def _plan(model: type[BaseModel]) -> Plan:
    leaves: list[Leaf] = []
    nodes: list[Node] = []
    _walk(model, (), 'profile', (), leaves, nodes)
    return Plan(tuple(leaves), tuple(nodes))


def _walk(
    model: type[BaseModel],
    path: Path,
    prefix: str,
    within: tuple[type[BaseModel], ...],
    leaves: list[Leaf],
    nodes: list[Node],
) -> None:
    _complete(model)
    for name, field in model.model_fields.items():
        here = (*path, name)
        slot = _slot_of(field)
        if slot is not None and slot.slot is None:
            if field.is_required():
                raise InvalidInput(
                    f'field {".".join(here)!r} of {model.__name__} has Slot(None) and no default, so nothing would '
                    'ever fill it: give it a default'
                )
            continue
        wanted = (slot.slot if slot else None) or _usual_slot(name, prefix, nested=bool(path))
        adapter = _adapter(field, model)
        forms = _forms(adapter)
        inner, nullable = _inner(field.annotation)
        if inner is not None and not any(_is_scalar(f) for f in forms):
            if inner in (*within, model):
                own = with_article(inner.__name__)
                raise InvalidInput(
                    f'field {".".join(here)!r} of {model.__name__} is {own} inside {own}, '
                    'and a profile has an end: leave it out with Annotated[..., Slot(None)] and a default'
                )
            nodes.append(Node(here, field.is_required(), nullable))
            _walk(inner, here, wanted, (*within, model), leaves, nodes)
            continue
        many, taken = _taken(forms)
        if not taken or get_origin(field.annotation) in (Iterable, Generator):  # those are validated when they are read
            raise InvalidInput(
                f'field {".".join(here)!r} of {model.__name__} is of type {_shown_type(field)}, which text cannot '
                'fill: make it text, a number, a date, a choice, a list of these or a model, read it from text '
                '(BeforeValidator with json_schema_input_type=str), or leave it out with Annotated[..., Slot(None)] '
                'and a default'
            )
        words = ' or '.join(dict.fromkeys(_in_words(f) for f in taken))
        spec = SlotSpec(slot=check_slot(wanted), description=field.description or '', type=words, many=many)
        choices = tuple(c for f in taken for c in _choices(f))
        dated = any(f.get('format') == 'date' for f in taken)
        leaves.append(Leaf(here, spec, adapter, choices, dated, any(_is_free(f) for f in taken)))


def _complete(model: type[BaseModel]) -> None:
    if model.__pydantic_complete__:
        return
    try:
        model.model_rebuild()
    except PydanticUndefinedAnnotation as error:
        raise InvalidInput(
            f'model {model.__name__} names {error.name!r}, which is not defined: define it, then call '
            f'{model.__name__}.model_rebuild()'
        ) from error


def _slot_of(field: FieldInfo) -> Slot | None:
    found = next((m for m in field.metadata if isinstance(m, Slot)), None)
    if found is not None:
        return found
    for part in get_args(field.annotation):  # Annotated[str, Slot('x')] | None
        if get_origin(part) is Annotated:
            found = next((m for m in get_args(part)[1:] if isinstance(m, Slot)), found)
    return found


def _usual_slot(name: str, prefix: str, *, nested: bool) -> str:
    name = name.casefold()
    if not nested:
        if name in _ALIASES:
            return _ALIASES[name]
        if m := _FAVOURITE.fullmatch(name):
            return 'favourite.' + m['what'].strip('_').replace('_', '-')
    return f'{prefix}.{name}'


def _adapter(field: FieldInfo, model: type[BaseModel]) -> TypeAdapter[Any]:
    annotation: Any = field.rebuild_annotation()
    try:
        return TypeAdapter(annotation, config=model.model_config)
    except PydanticUserError:  # types with a configuration of their own
        return TypeAdapter(annotation)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model a field holds, and whether it may hold None instead."""
    annotation = getattr(annotation, '__value__', annotation)  # type Home = ...
    if get_origin(annotation) is Annotated:
        return _inner(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        rest = [a for a in get_args(annotation) if a is not NoneType]
        return (_inner(rest[0])[0] if len(rest) == 1 else None), len(rest) < len(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and not _is_root(annotation):
        return annotation, False
    return None, False


def _is_root(model: type[BaseModel]) -> bool:
    return issubclass(model, cast('type[BaseModel]', RootModel))


Form = Mapping[str, Any]


def _forms(adapter: TypeAdapter[Any]) -> list[Form]:
    """The JSON schemas of what a field takes, None apart; none when it takes no JSON."""
    try:
        schema = adapter.json_schema(schema_generator=_Schema)
    except (PydanticUserError, NotImplementedError):
        return []
    return list(_alternatives(schema, schema.get('$defs', {}), 0))


def _alternatives(schema: Form, defs: Mapping[str, Form], depth: int) -> Iterator[Form]:
    if depth > 16:
        return
    if '$ref' in schema:
        yield from _alternatives(defs[schema['$ref'].rpartition('/')[2]], defs, depth + 1)
    elif parts := schema.get('anyOf') or schema.get('oneOf') or schema.get('allOf'):
        for part in parts:
            yield from _alternatives(part, defs, depth + 1)
    elif schema.get('type') == 'array' and 'prefixItems' not in schema and isinstance(schema.get('items', {}), Mapping):
        yield {**schema, 'items': tuple(_alternatives(schema.get('items', {}), defs, depth + 1))}
    elif schema.get('type') != 'null':
        yield schema


def _is_scalar(form: Form) -> bool:
    return form.get('type') not in ('array', 'object')


def _taken(forms: list[Form]) -> tuple[bool, list[Form]]:
    """Whether a field is a list, and the forms of one value of it."""
    scalars = [f for f in forms if _is_scalar(f)]
    if scalars:
        return False, _without_echo(scalars)
    lists: list[tuple[Form, ...]] = [f['items'] for f in forms if isinstance(f.get('items'), tuple)]
    if len(lists) != 1:
        return False, []
    return True, _without_echo([f for f in lists[0] if _is_scalar(f)])


def _without_echo(forms: list[Form]) -> list[Form]:
    """A decimal number is also taken as the text of it: that makes it no text."""
    if len(forms) == 2 and [f.get('type') for f in forms] == ['number', 'string']:
        echo = set(forms[1]) - {'type', 'pattern'}
        return forms[:1] if not echo else forms
    return forms


def _choices(form: Form) -> tuple[Any, ...]:
    return (form['const'],) if 'const' in form else tuple(form.get('enum', ()))


def _is_free(form: Form) -> bool:
    restricted = _choices(form) or 'pattern' in form or form.get('format', 'path') not in _ANY_TEXT
    return form.get('type', 'string') == 'string' and not restricted


def _in_words(form: Form) -> str:
    if choices := _choices(form):
        return 'one of: ' + ', '.join(map(str, choices))
    kind = form.get('type', 'string')
    if kind == 'boolean':
        return 'yes or no'
    if kind in ('integer', 'number'):
        limits = [
            f'{word} {form[key]}'
            for key, word in (
                ('minimum', 'at least'),
                ('exclusiveMinimum', 'more than'),
                ('maximum', 'at most'),
                ('exclusiveMaximum', 'less than'),
            )
            if key in form
        ]
        return ', '.join([kind, *limits])
    if 'format' in form:
        return _FORMATS.get(form['format'], str(form['format']))
    words = f'text matching {form["pattern"]}' if 'pattern' in form else 'text'
    return f'{words} of at most {form["maxLength"]} characters' if 'maxLength' in form else words


def _shown_type(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def _day(text: str) -> str | None:
    """The day that a text in words names completely (`May 5, 1990`), in ISO 8601."""
    spans = find_time(text, _EPOCH)
    whole = len(spans) == 1 and spans[0].text.strip(' .') == text.strip(' .') and spans[0].is_day
    if not whole or not re.search(r'\d{4}', text) or not re.search(r'[^\W\d_]{3}', text):
        return None
    return spans[0].begin.date().isoformat()
