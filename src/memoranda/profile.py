"""Typed profiles: a Pydantic model of the caller's, filled from memories."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from memoranda._locks import short_lock
from memoranda._profile_fields import Leaf, Node, Plan, Reading, Slot, plan_of
from memoranda.errors import InvalidInput
from memoranda.filters import parse
from memoranda.records import Evidence, MemoryRecord
from memoranda.scope import Level, Reach
from memoranda.stores.data import Moment

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.write.extract import SlotSpec

__all__ = ['InvalidValue', 'Profile', 'ProfileField', 'Slot', 'fill', 'read_profile', 'register']

ModelT = TypeVar('ModelT', bound=BaseModel)
Every = Callable[[Mapping[str, Any]], Awaitable[Sequence[MemoryRecord]]]

_PRECEDENCE: Final[Mapping[Level, int]] = {
    level: rank for rank, level in enumerate(('run', *(lv for lv in get_args(Level) if lv != 'run')))
}
"""The most personal first."""
_AT_ONCE: Final = 50
"""Fields read by one call of the store: a filter has a bound."""
_ROUNDS: Final = 20
"""How often the items that a model refuses are left out one by one; then the whole list is."""
_OF_A_SPEAKER: Final = re.compile(r'@[^.@]+$')
"""The end of a slot that belongs to somebody else who spoke in the conversation."""
_lock = short_lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileField:
    """The value of a field, and what it rests on."""

    slot: str
    value: Any = dataclasses.field(repr=False)
    """As the model has it."""
    memories: tuple[MemoryRecord, ...] = dataclasses.field(repr=False)
    """What says so: one memory, or for a list one per item, by when they began to hold."""
    shadowed: tuple[MemoryRecord, ...] = dataclasses.field(default=(), repr=False)
    """What less personal levels say of the slot now: it would hold without these memories."""

    @property
    def memory(self) -> MemoryRecord:
        """The memory that says so; of a list, the latest."""
        return self.memories[-1]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The words it rests on."""
        return tuple(dict.fromkeys(e for m in self.memories for e in m.evidence))

    @property
    def confidence(self) -> float:
        """0..1; of a list, that of its least certain item."""
        return min(m.confidence for m in self.memories)

    @property
    def valid_from(self) -> datetime:
        """Since when it holds; of a list, since when all of it does."""
        return max(m.valid_from for m in self.memories)

    @property
    def valid_to(self) -> datetime | None:
        """Until when it holds, when that is known; of a list, until when all of it does."""
        return min((m.valid_to for m in self.memories if m.valid_to is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidValue:
    """A memory whose value the model refuses."""

    field: str
    slot: str
    reason: str
    memory: MemoryRecord = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Profile(Generic[ModelT]):
    """What is known of the fields of a model. Fields of a model inside the model are named `address.city`.

    Every field that memory can fill is in `fields`, or else in `missing`, `conflicts` or `invalid`. A list can be in
    `fields` and, with some of its items, in `conflicts` and `invalid` too.
    """

    model: type[ModelT]
    value: ModelT | None
    """The model, with its own defaults for what isn't known. None when it can't be built from what is known."""
    fields: Mapping[str, ProfileField]
    """What memories say. A default isn't among them."""
    missing: tuple[str, ...]
    """Fields that no current memory says anything about, whether or not the model has a default."""
    conflicts: Mapping[str, tuple[MemoryRecord, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[MemoryRecord, ...]]
    )
    """Fields left out because several memories of one level hold now and differ."""
    invalid: tuple[InvalidValue, ...]
    """What was left out because it doesn't fit."""
    errors: tuple[str, ...]
    """Why there is no `value`, or why a model inside it was left out."""

    def __str__(self) -> str:
        """Names of fields, never what is remembered."""
        invalid = tuple(dict.fromkeys(v.field for v in self.invalid))
        total = len({*self.fields, *self.missing, *self.conflicts, *invalid})
        parts = [f'{self.model.__name__}: {len(self.fields)} of {total} fields known']
        for title, names in (('missing', self.missing), ('contradicted', self.conflicts), ('invalid', invalid)):
            if names:
                parts.append(f'{title}: {", ".join(names)}')
        return '; '.join(parts)

    def __repr__(self) -> str:
        return f'<Profile {self}>'


async def read_profile(
    engine: Engine, model: type[ModelT], reaches: Sequence[Reach], moment: Moment
) -> Profile[ModelT]:
    """Fill a model from what held at a moment.

    Args:
        engine: Where the memories are.
        model: A class derived from `pydantic.BaseModel`.
        reaches: What may be read.
        moment: When, of the world and of our knowledge.

    Raises:
        InvalidInput: Not a model, or one with a field that text can't fill.
    """
    return await fill(model, lambda where: engine.store.every(reaches, where=parse(where), moment=moment))


async def fill(model: type[ModelT], every: Every) -> Profile[ModelT]:
    """Fill a model.

    Args:
        model: A class derived from `pydantic.BaseModel`.
        every: Finds the memories to fill it from that satisfy a filter.

    Raises:
        InvalidInput: Not a model, or one with a field that text can't fill.
    """
    plan = plan_of(model)
    return _Filling(model, plan, await _slots(every, plan)).profile()


def register(engine: Engine, model: type[BaseModel]) -> None:
    """Let the extractor of an engine know the slots of a model.

    Raises:
        InvalidInput: Not a model, a field that text can't fill, or a slot that is known as something else.
    """
    plan = plan_of(model)
    with _lock:
        known = {spec.slot: spec for spec in engine.slots}
        for leaf in plan.leaves:
            held = known.get(leaf.spec.slot)
            merged = leaf.spec if held is None else _merged(held, leaf.spec)
            if merged is None:
                assert held is not None
                raise InvalidInput(
                    f'slot {leaf.spec.slot!r} of field {leaf.name!r} of {model.__name__} takes {_told(leaf.spec)}, and '
                    f'a field that is registered already takes {_told(held)}: give one of them another slot with '
                    "Annotated[..., Slot('...')]"
                )
            known[merged.slot] = merged
        engine.slots = tuple(known.values())


def _merged(held: SlotSpec, new: SlotSpec) -> SlotSpec | None:
    """One description for both; None when no value would fit both. What fits the narrower one is text too."""
    if held.many != new.many or (held.type != new.type and 'text' not in (held.type, new.type)):
        return None
    return replace(
        held, type=new.type if held.type == 'text' else held.type, description=held.description or new.description
    )


def _told(spec: SlotSpec) -> str:
    return f'a list of {spec.type}' if spec.many else spec.type


async def _slots(every: Every, plan: Plan) -> Mapping[str, Sequence[MemoryRecord]]:
    """The current memories of every slot of a plan, the most personal level and the latest first."""
    found: dict[str, MemoryRecord] = {}
    for start in range(0, len(plan.leaves), _AT_ONCE):
        specs = [leaf.spec for leaf in plan.leaves[start : start + _AT_ONCE]]
        ranges = [{'slot': {'gte': f'{s.slot}.', 'lt': f'{s.slot}/'}} for s in specs if s.many]  # '/' follows '.'
        where = {'OR': [{'slot': {'in': sorted({s.slot for s in specs})}}, *ranges]}
        found.update((m.id, m) for m in await every(where))
    slots: dict[str, list[MemoryRecord]] = {}
    for memory in sorted(found.values(), key=lambda m: (m.valid_from, m.said_at, m.id), reverse=True):
        slots.setdefault(memory.slot or '', []).append(memory)
    for memories in slots.values():
        memories.sort(key=lambda m: _PRECEDENCE[m.level])
    return slots


@dataclass(slots=True)
class _Item:
    """A value with what says so."""

    reading: Reading
    memories: list[MemoryRecord]
    shadowed: list[MemoryRecord]


class _Filling(Generic[ModelT]):
    """One model on its way from memories to a profile."""

    def __init__(self, model: type[ModelT], plan: Plan, slots: Mapping[str, Sequence[MemoryRecord]]) -> None:
        self._model, self._plan, self._slots = model, plan, slots
        self._leaves = {leaf.path: leaf for leaf in plan.leaves}
        self._claimed = {leaf.spec.slot for leaf in plan.leaves}
        self._lists = {leaf.spec.slot for leaf in plan.leaves if leaf.spec.many}
        self._known: dict[tuple[str, ...], list[_Item]] = {}
        """What is known."""
        self._given: dict[tuple[str, ...], list[_Item]] = {}
        """The part of it that the model is built from."""
        self._conflicts: dict[str, tuple[MemoryRecord, ...]] = {}
        self._invalid: list[InvalidValue] = []
        self._errors: list[str] = []

    def profile(self) -> Profile[ModelT]:
        for leaf in self._plan.leaves:
            items = [item for slot in self._slots_of(leaf) if (item := self._item(leaf, self._slots[slot])) is not None]
            if items:
                self._known[leaf.path] = self._given[leaf.path] = _distinct(items) if leaf.spec.many else items
        value = self._build()
        fields = {
            leaf.name: self._field(leaf, items, value)
            for leaf in self._plan.leaves
            if (items := self._known.get(leaf.path))
        }
        told = {*fields, *self._conflicts, *(v.field for v in self._invalid)}
        return Profile(
            model=self._model,
            value=value,
            fields=fields,
            missing=tuple(leaf.name for leaf in self._plan.leaves if leaf.name not in told),
            conflicts=self._conflicts,
            invalid=tuple(self._invalid),
            errors=tuple(dict.fromkeys(self._errors)),
        )

    def _slots_of(self, leaf: Leaf) -> list[str]:
        """The slots of a field that something is known of; for a list, those of its items too."""
        own = leaf.spec.slot
        if not leaf.spec.many:
            return [own] if own in self._slots else []
        return [slot for slot in self._slots if slot == own or self._is_item(slot, own)]

    def _is_item(self, slot: str, own: str) -> bool:
        """Whether a slot is an item of a list, and not a field of its own or an item of a list below."""
        below = any(slot.startswith(f'{other}.') for other in self._lists if other.startswith(f'{own}.'))
        return slot.startswith(f'{own}.') and slot not in self._claimed and not below and not _OF_A_SPEAKER.search(slot)

    def _item(self, leaf: Leaf, memories: Sequence[MemoryRecord]) -> _Item | None:
        """What a slot says: its memories at the most personal level, when they agree."""
        deciding = [m for m in memories if m.level == memories[0].level]
        readings: list[Reading] = []
        for memory in deciding:
            reading = leaf.read(memory)
            if isinstance(reading, Reading):
                readings.append(reading)
            else:
                self._refuse(leaf, [memory], reading)
        if len(readings) == len(deciding) and all(r.agrees(readings[0]) for r in readings):
            return _Item(readings[0], deciding[::-1], list(memories[len(deciding) :]))
        if len(deciding) > 1:
            self._conflicts[leaf.name] = (*self._conflicts.get(leaf.name, ()), *deciding)
        return None

    def _refuse(self, leaf: Leaf, memories: Iterable[MemoryRecord], reason: str) -> None:
        self._invalid += [
            InvalidValue(field=leaf.name, slot=m.slot or leaf.spec.slot, reason=reason, memory=m) for m in memories
        ]

    def _build(self) -> ModelT | None:
        """The model from what fits it; what it refuses is left out, until it is built or can't be."""
        rounds = 0
        while True:
            try:
                return self._model.model_validate_json(json.dumps(self._input()), by_alias=False, by_name=True)
            except ValidationError as error:
                complaints = error.errors(include_url=False, include_context=False, include_input=False)
                rounds += 1
                # Each time something goes, so there is an end; where it goes item by item, that end may be far.
                if self._leave_out_values(complaints, whole=rounds > _ROUNDS) or self._leave_out_models(complaints):
                    continue
                self._errors += [self._reason(c) for c in complaints]
                return None

    def _input(self) -> dict[str, Any]:
        """What is known, by field names, as JSON."""
        root: dict[str, Any] = {}
        inside: dict[tuple[str, ...], dict[str, Any]] = {(): root}
        for node in self._plan.nodes:
            outer = inside.get(node.path[:-1])
            needed = node.required and not node.nullable
            if outer is not None and (needed or any(_begins(p, node.path) for p in self._given)):
                inside[node.path] = outer[node.path[-1]] = {}
        for path, items in self._given.items():
            given = [item.reading.given for item in items]
            inside[path[:-1]][path[-1]] = given if self._leaves[path].spec.many else given[0]
        return root

    def _leave_out_values(self, complaints: Sequence[Any], *, whole: bool) -> bool:
        """Take out the values that are complained about, or the lists they are in; whether there were any."""
        wrong: dict[tuple[str, ...], dict[int | None, str]] = {}
        for complaint in complaints:
            loc: tuple[str | int, ...] = complaint['loc']
            path = next((p for p in self._given if _begins(loc, p)), None)
            if path is not None:
                index = None if whole else self._index(path, loc[len(path) :])
                wrong.setdefault(path, {}).setdefault(index, complaint['msg'])
        for path, reasons in wrong.items():
            leaf, items = self._leaves[path], self._given[path]
            for index, item in enumerate(items):
                if (reason := reasons.get(index, reasons.get(None))) is not None:
                    self._refuse(leaf, item.memories, reason)
            left = [] if None in reasons else [item for i, item in enumerate(items) if i not in reasons]
            for held in (self._known, self._given):
                held.pop(path)
                if left:
                    held[path] = left
        return bool(wrong)

    def _index(self, path: tuple[str, ...], rest: Sequence[str | int]) -> int | None:
        """Which item of a list a complaint is about; None when it is about all of it, or no item can be told."""
        items = self._given[path]
        index = rest[0] if rest and self._leaves[path].spec.many else None
        if not isinstance(index, int) or not 0 <= index < len(items):
            return None
        # A validator that makes two values of one item, or none, has moved the others from their places.
        return index if all(item.reading.single for item in items) else None

    def _leave_out_models(self, complaints: Sequence[Any]) -> bool:
        """Take out the models inside that can't be built, where the model outside does without."""
        done = False
        for complaint in complaints:
            node = next((n for n in reversed(self._optional()) if _begins(complaint['loc'], n.path)), None)
            if node is not None:
                self._errors.append(f'{node.name} is left out: {self._reason(complaint)}')
                for path in [p for p in self._given if _begins(p, node.path)]:
                    del self._given[path]
                    done = True
        return done

    def _optional(self) -> list[Node]:
        return [n for n in self._plan.nodes if not n.required]

    def _reason(self, complaint: Any) -> str:
        name = '.'.join(str(part) for part in complaint['loc']) or self._model.__name__
        if complaint['type'] != 'missing':
            return f'{name}: {complaint["msg"]}'
        if name in self._conflicts:
            return f'{name}: required, and what is remembered contradicts itself'
        if any(v.field == name for v in self._invalid):
            return f'{name}: required, and what is remembered does not fit'
        return f'{name}: required, and nothing is remembered'

    def _field(self, leaf: Leaf, items: Sequence[_Item], value: ModelT | None) -> ProfileField:
        many = leaf.spec.many
        read: list[Any] = []
        for item in items:
            read += item.reading.value if many and not item.reading.single else [item.reading.value]
        known = read if many else read[0]
        return ProfileField(
            slot=leaf.spec.slot,
            value=_held(value, leaf.path, known) if leaf.path in self._given else known,
            memories=tuple(m for item in items for m in item.memories),
            shadowed=tuple(m for item in items for m in item.shadowed),
        )


def _distinct(items: Iterable[_Item]) -> list[_Item]:
    """Items in the order in which they began to hold; one that is said twice is one with both memories."""
    found: dict[object, _Item] = {}
    for item in sorted(items, key=lambda i: (i.memories[-1].valid_from, i.memories[-1].said_at, i.memories[-1].id)):
        same = found.setdefault(item.reading.given, item)
        if same is not item:
            same.memories += item.memories
            same.shadowed += item.shadowed
    return list(found.values())


def _begins(path: Sequence[str | int], start: Sequence[str | int]) -> bool:
    return tuple(path[: len(start)]) == tuple(start)


def _held(value: Any, path: Iterator[str] | Sequence[str], otherwise: Any) -> Any:
    """What a model holds at a path; read from its dict, because a deprecated field warns when it is asked for."""
    for name in path:
        held = getattr(value, '__dict__', {})
        if name not in held:
            return otherwise
        value = held[name]
    return value
