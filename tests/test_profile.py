"""Typed profiles: a model of the caller's, filled from memories, with what is unsure left out and told."""

from __future__ import annotations

import enum
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    ValidationError,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)

from _fakes import fast, fast_async
from memoranda import InvalidInput, Memory
from memoranda.profile import Profile, Slot
from memoranda.testing.extractors import ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote, SlotSpec


class Person(BaseModel):
    name: str
    city: str
    age: int | None = Field(None, ge=0, le=130)
    pets: list[str] = []


class City(BaseModel):
    city: str = 'nowhere'


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as memory:
        yield memory


def store(memory: Memory, slot: str, words: str, **how: Any) -> str:
    how.setdefault('user_id', 'ana')
    return memory.add(words, infer=False, slot=slot, **how).changes[-1].memory_id


def told(profile: Profile[Any]) -> dict[str, Any]:
    return {name: field.value for name, field in profile.fields.items()}


# Filling


def test_rules_fill_a_profile_with_the_words_it_rests_on() -> None:
    with fast(extractor=None) as memory:
        memory.add('My name is Ana. I live in Lisbon and I work as a nurse.', user_id='ana')

        class Worker(BaseModel):
            name: str
            city: str
            job: str
            editor: str = 'none'

        profile = memory.profile(Worker, user_id='ana')

    assert profile.value == Worker(name='Ana', city='Lisbon', job='nurse')
    assert profile.fields['city'].evidence[0].quote == 'I live in Lisbon'
    assert profile.fields['city'].slot == 'home.city'
    assert profile.fields['city'].memory.text == 'Lives in Lisbon'
    assert profile.fields['city'].confidence == profile.fields['city'].memory.confidence
    assert profile.missing == ('editor',)
    assert 'editor' not in profile.fields
    assert (profile.conflicts, profile.invalid, profile.errors) == ({}, (), ())


def test_a_registered_model_tells_the_extractor_its_slots_and_is_filled_by_it() -> None:
    class Diver(BaseModel):
        licence: Annotated[str, Slot('diving.licence')] = Field(description='Diving licence, such as PADI AOWD')
        depth: int | None = Field(None, gt=0, description='Deepest dive in metres')

    def answer(request: ExtractionRequest) -> Extraction:
        [message] = request.messages
        return Extraction(
            proposals=[
                Proposal(text='Has a rescue licence', slot='diving.licence', value='Rescue', evidence=quote(message)),
                Proposal(text='Dived 38 metres deep', slot='profile.depth', value='38', evidence=quote(message)),
            ]
        )

    def quote(message: Any) -> tuple[Quote, ...]:
        return (Quote(0, 0, len(message.text)),)

    extractor = ScriptedExtractor(answer)
    with fast(extractor=extractor) as memory:
        memory.register_profile(Diver)
        memory.add('I have my rescue licence and was at 38 metres', user_id='ana')
        profile = memory.profile(Diver, user_id='ana')

    assert list(extractor.requests[0].slots) == [
        SlotSpec(slot='diving.licence', description='Diving licence, such as PADI AOWD', type='text'),
        SlotSpec(slot='profile.depth', description='Deepest dive in metres', type='integer, more than 0'),
    ]
    assert profile.value == Diver(licence='Rescue', depth=38)
    assert profile.fields['depth'].memory.actor == 'scripted'


def test_the_async_memory_fills_profiles_too() -> None:
    import asyncio

    async def main() -> None:
        async with fast_async() as memory:
            await memory.add('home.city = Lisbon', user_id='ana')
            assert (await memory.profile(City, user_id='ana')).value == City(city='Lisbon')

    asyncio.run(main())


def test_a_missing_required_field_leaves_no_value_but_what_is_known(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana')

    profile = memory.profile(Person, user_id='ana')

    assert profile.value is None
    assert told(profile) == {'city': 'Lisbon'}
    assert profile.missing == ('name', 'age', 'pets')
    assert profile.errors == ('name: required, and nothing is remembered',)


def test_nothing_remembered_fills_nothing(memory: Memory) -> None:
    class Optional(BaseModel):
        city: str | None = None
        stack: list[str] = Field(default_factory=lambda: ['none'])

    profile = memory.profile(Optional, user_id='nobody')

    assert profile.value == Optional()
    assert profile.fields == {}
    assert profile.missing == ('city', 'stack')


def test_a_model_without_fields_is_itself(memory: Memory) -> None:
    class Empty(BaseModel):
        pass

    assert memory.profile(Empty, user_id='ana').value == Empty()


def test_a_profile_shows_field_names_and_never_what_is_remembered(memory: Memory) -> None:
    memory.add(['home.city = Lisbon', 'age = ancient'], user_id='ana')
    profile = memory.profile(Person, user_id='ana')

    assert str(profile) == 'Person: 1 of 4 fields known; missing: name, pets; invalid: age'
    assert 'Lisbon' not in repr(profile) + repr(profile.fields) + repr(profile.invalid)


# Time


def test_a_new_city_supersedes_the_old_one_and_as_of_gives_the_old_one(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana', occurred_at='2024-01-01')
    memory.add('home.city = Porto', user_id='ana', occurred_at='2025-01-01')

    now = memory.profile(City, user_id='ana')
    then = memory.profile(City, user_id='ana', as_of='2024-06-01')

    assert now.value == City(city='Porto')
    assert now.fields['city'].valid_from == datetime(2025, 1, 1, tzinfo=UTC)
    assert then.value == City(city='Lisbon')
    assert then.fields['city'].valid_to == datetime(2025, 1, 1, tzinfo=UTC)
    assert memory.profile(City, user_id='ana', as_of='2023-01-01').missing == ('city',)


def test_known_at_gives_what_was_believed_before_a_correction(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana')
    believed = memory.get_slot('home.city', user_id='ana')
    assert believed is not None
    memory.add('not home.city = Porto', user_id='ana')

    assert memory.profile(City, user_id='ana').value == City(city='Porto')
    assert memory.profile(City, user_id='ana', known_at=believed.recorded_at).value == City(city='Lisbon')


def test_what_was_retracted_is_missing(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana')
    memory.add('forget home.city', user_id='ana')

    profile = memory.profile(City, user_id='ana')

    assert profile.value == City()
    assert profile.missing == ('city',)


def test_what_expired_or_is_over_is_missing(memory: Memory) -> None:
    store(memory, 'home.city', 'Rome', valid_from='2010-01-01', valid_to='2012-01-01')
    store(memory, 'name', 'Ana', expires_at='2020-01-01', occurred_at='2019-01-01')

    assert memory.profile(Person, user_id='ana').fields == {}


# Scopes


def test_a_value_of_this_run_comes_before_the_users_and_shadows_it(memory: Memory) -> None:
    store(memory, 'home.city', 'Lisbon')
    store(memory, 'home.city', 'Porto', run_id='trip', level='run')

    here = memory.profile(City, user_id='ana', run_id='trip')

    assert here.value == City(city='Porto')
    assert [m.text for m in here.fields['city'].shadowed] == ['Lisbon']
    assert here.conflicts == {}
    assert memory.profile(City, user_id='ana', run_id='other').value == City(city='Lisbon')
    assert memory.profile(City, user_id='ana').value == City(city='Lisbon')


def test_what_the_user_says_comes_before_what_the_agent_learnt(memory: Memory) -> None:
    store(memory, 'language.answer', 'English', user_id=None, agent_id='helper')
    store(memory, 'language.answer', 'Portuguese')

    class Answers(BaseModel):
        answer_language: str = '?'

    both = memory.profile(Answers, user_id='ana', agent_id='helper')

    assert both.value == Answers(answer_language='Portuguese')
    assert [m.level for m in both.fields['answer_language'].shadowed] == ['agent']
    assert memory.profile(Answers, agent_id='helper').value == Answers(answer_language='English')
    assert memory.profile(Answers, user_id='ben', agent_id='helper').fields['answer_language'].memory.level == 'agent'
    assert memory.profile(Answers, user_id='ana').fields['answer_language'].shadowed == ()


def test_another_users_memories_are_never_read(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana')
    memory.in_project('other').add('home.city = Paris', user_id='ben')

    assert memory.profile(City, user_id='ben').missing == ('city',)
    assert memory.in_project('other').profile(City, user_id='ana').missing == ('city',)


# Conflicts


def test_values_that_held_at_once_are_a_conflict_and_neither_is_taken(memory: Memory) -> None:
    store(memory, 'home.city', 'Rome', valid_from='2010-01-01', valid_to='2019-01-01')
    store(memory, 'home.city', 'Paris', valid_from='2015-01-01', valid_to='2020-01-01')

    both = memory.profile(City, user_id='ana', as_of='2017-01-01')

    assert both.value == City()
    assert {m.text for m in both.conflicts['city']} == {'Rome', 'Paris'}
    assert both.fields == {}
    assert both.missing == ()
    assert memory.profile(City, user_id='ana', as_of='2012-01-01').value == City(city='Rome')


def test_a_required_field_in_conflict_says_so(memory: Memory) -> None:
    class Needed(BaseModel):
        city: str

    store(memory, 'home.city', 'Rome', valid_from='2010-01-01', valid_to='2019-01-01')
    store(memory, 'home.city', 'Paris', valid_from='2015-01-01', valid_to='2020-01-01')

    profile = memory.profile(Needed, user_id='ana', as_of='2017-01-01')

    assert profile.value is None
    assert profile.errors == ('city: required, and what is remembered contradicts itself',)


def test_two_memories_of_the_same_value_are_no_conflict(memory: Memory) -> None:
    class Tall(BaseModel):
        height: float

    store(memory, 'profile.height', '1.8', valid_from='2010-01-01', valid_to='2019-01-01')
    store(memory, 'profile.height', '1.80', valid_from='2015-01-01', valid_to='2020-01-01')

    profile = memory.profile(Tall, user_id='ana', as_of='2017-01-01')

    assert profile.value == Tall(height=1.8)
    assert [m.text for m in profile.fields['height'].memories] == ['1.8', '1.80']
    assert len(profile.fields['height'].evidence) == 2


# Validation


def test_a_value_that_does_not_fit_is_left_out_with_the_reason_and_the_memory(memory: Memory) -> None:
    memory.add(['name = Ana', 'home.city = Lisbon', 'age = 200'], user_id='ana')

    profile = memory.profile(Person, user_id='ana')

    assert profile.value == Person(name='Ana', city='Lisbon')
    [invalid] = profile.invalid
    assert (invalid.field, invalid.slot, invalid.memory.value) == ('age', 'age', '200')
    assert 'less than or equal to 130' in invalid.reason
    assert 'age' not in profile.missing


def test_a_required_value_that_does_not_fit_says_so(memory: Memory) -> None:
    class Aged(BaseModel):
        age: int

    memory.add('age = ancient', user_id='ana')
    profile = memory.profile(Aged, user_id='ana')

    assert profile.value is None
    assert profile.errors == ('age: required, and what is remembered does not fit',)


def test_validators_of_the_model_have_their_say(memory: Memory) -> None:
    class Careful(BaseModel):
        city: str = 'nowhere'
        name: str

        @field_validator('city')
        @classmethod
        def known(cls, value: str) -> str:
            if value == 'Atlantis':
                raise ValueError('no such city')
            return value

        @model_validator(mode='after')
        def different(self) -> Careful:
            if self.city == self.name:
                raise ValueError('a person is no city')
            return self

    memory.add(['home.city = Atlantis', 'name = Ana'], user_id='ana')
    refused = memory.profile(Careful, user_id='ana')
    assert refused.value == Careful(name='Ana')
    assert [(v.field, v.reason) for v in refused.invalid] == [('city', 'Value error, no such city')]

    memory.add('home.city = Ana', user_id='ana')
    impossible = memory.profile(Careful, user_id='ana')
    assert impossible.value is None
    assert impossible.errors == ('Careful: Value error, a person is no city',)
    assert told(impossible) == {'city': 'Ana', 'name': 'Ana'}


def test_fields_show_values_as_the_validators_left_them(memory: Memory) -> None:
    class Loud(BaseModel):
        model_config = ConfigDict(str_to_upper=True)
        city: str
        name: Annotated[str, BeforeValidator(lambda text: f'<{text}>')]

    memory.add(['home.city = Lisbon', 'name = Ana'], user_id='ana')

    assert told(memory.profile(Loud, user_id='ana')) == {'city': 'LISBON', 'name': '<ANA>'}


class Theme(enum.Enum):
    LIGHT = 'light'
    DARK = 'dark'


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@pytest.mark.parametrize(
    ('annotation', 'words', 'value'),
    [
        (int, '42', 42),
        (float, '1.5', 1.5),
        (Decimal, '1.50', Decimal('1.50')),
        (bool, 'yes', True),
        (bool, 'False', False),
        (date, '1990-05-05', date(1990, 5, 5)),
        (date, 'May 5, 1990', date(1990, 5, 5)),
        (date, 'the 5th of May 1990', date(1990, 5, 5)),
        (datetime, '1990-05-05T10:00:00Z', datetime(1990, 5, 5, 10, tzinfo=UTC)),
        (timedelta, 'PT90M', timedelta(minutes=90)),
        (UUID, '12345678-1234-5678-1234-567812345678', UUID('12345678-1234-5678-1234-567812345678')),
        (SecretStr, 'hush', SecretStr('hush')),
        (Literal['light', 'dark'], 'Dark', 'dark'),
        (Literal[1, 2], '2', 2),
        (Theme, 'DARK', Theme.DARK),
        (Size, '2', Size.LARGE),
        (int | str, '42', '42'),
        (int | None, '42', 42),
        (int | datetime, '1990', 1990),
        (Any, '42', '42'),
    ],
    ids=str,
)
@pytest.mark.parametrize('strict', [False, True], ids=['lax', 'strict'])
def test_words_become_values_of_the_type(annotation: Any, words: str, value: Any, strict: bool) -> None:
    model = create_model('M', __config__=ConfigDict(strict=strict), it=(annotation, ...))
    with fast() as memory:
        store(memory, 'profile.it', words)
        profile = memory.profile(model, user_id='ana')

    assert profile.value is not None, profile.invalid
    assert profile.fields['it'].value == value
    assert type(profile.fields['it'].value) is type(value)


@pytest.mark.parametrize(
    ('annotation', 'words'),
    [
        (date, '5 May'),
        (date, '86400'),
        (date, '05/06/1990'),
        (date, 'May 1990'),
        (datetime, '1990'),
        (int, 'forty'),
        (int, '40-50'),
        (bool, 'maybe'),
        (Literal['light', 'dark'], 'darkish'),
        (Literal['a', 'A'], 'á'),
    ],
    ids=str,
)
def test_what_would_have_to_be_guessed_is_invalid(annotation: Any, words: str) -> None:
    model = create_model('M', it=(annotation, None))
    with fast() as memory:
        store(memory, 'profile.it', words)
        profile = memory.profile(model, user_id='ana')

    assert [v.field for v in profile.invalid] == ['it']
    assert profile.fields == {}


def test_a_sentence_is_no_value_of_a_text_field_but_words_given_as_they_are_stored_is() -> None:
    def answer(request: ExtractionRequest) -> Extraction:
        end = len(request.messages[0].text)
        return Extraction(proposals=[Proposal(text='Lives in Lisbon', slot='home.city', evidence=(Quote(0, 0, end),))])

    with fast(extractor=ScriptedExtractor(answer)) as memory:
        memory.add('I live in Lisbon', user_id='ana')
        store(memory, 'home.city', 'Porto', user_id='ben')

        ana = memory.profile(City, user_id='ana')
        assert ana.value == City()
        assert [v.reason for v in ana.invalid] == ['only a sentence is known, not the bare value']
        assert memory.profile(City, user_id='ben').value == City(city='Porto')

        # Not word for word what its message says.
        store(memory.acting_as('key:app'), 'home.city', 'Vila  do Conde', user_id='eva')
        assert memory.profile(City, user_id='eva').value == City(city='Vila do Conde')


# Lists and models inside models


def test_a_list_holds_the_items_below_its_slot_in_the_order_they_began(memory: Memory) -> None:
    store(memory, 'profile.pets.rex', 'Rex', valid_from='2020-01-01')
    store(memory, 'profile.pets.tom', 'Tom', valid_from='2018-01-01')
    store(memory, 'profile.pets', 'Kim', valid_from='2019-01-01')
    store(memory, 'profile.petshop', 'Zoo', valid_from='2019-01-01')
    store(memory, 'profile.pets.bo@ben', 'Bo')

    class Owner(BaseModel):
        pets: list[str]

    profile = memory.profile(Owner, user_id='ana')

    assert profile.value == Owner(pets=['Tom', 'Kim', 'Rex'])
    pets = profile.fields['pets']
    assert [m.text for m in pets.memories] == ['Tom', 'Kim', 'Rex']
    assert pets.memory.text == 'Rex'
    assert pets.valid_from == datetime(2020, 1, 1, tzinfo=UTC)


def test_what_another_field_holds_is_no_item(memory: Memory) -> None:
    class Desk(BaseModel):
        tools: Annotated[list[str], Slot('tools')]
        editor: Annotated[str, Slot('tools.editor')]
        shells: Annotated[list[str], Slot('tools.shells')]

    for slot in ('tools.hammer', 'tools.editor', 'tools.shells', 'tools.shells.zsh'):
        store(memory, slot, slot.rpartition('.')[2])

    profile = memory.profile(Desk, user_id='ana')

    assert profile.value == Desk(tools=['hammer'], editor='editor', shells=['shells', 'zsh'])


def test_items_that_do_not_fit_are_left_out_one_by_one(memory: Memory) -> None:
    class Player(BaseModel):
        numbers: set[Annotated[int, Field(lt=100)]]
        codes: tuple[Annotated[str, Field(max_length=3)], ...] = ()

        @field_validator('codes')
        @classmethod
        def upper(cls, value: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(v.upper() for v in value)

    for slot, words in {
        'profile.numbers.a': '7',
        'profile.numbers.b': 'seven',
        'profile.numbers.c': '700',
        'profile.numbers.d': '9',
        'profile.codes.x': 'abc',
        'profile.codes.y': 'abcd',
    }.items():
        store(memory, slot, words)

    profile = memory.profile(Player, user_id='ana')

    assert profile.value == Player(numbers={7, 9}, codes=('ABC',))
    assert {(v.field, v.memory.text) for v in profile.invalid} == {
        ('numbers', 'seven'),
        ('numbers', '700'),
        ('codes', 'abcd'),
    }


def test_a_list_that_is_refused_as_a_whole_is_invalid_with_all_its_items(memory: Memory) -> None:
    class Pair(BaseModel):
        pets: Annotated[list[str], Field(min_length=2)] | None = None

    store(memory, 'profile.pets.rex', 'Rex')
    one = memory.profile(Pair, user_id='ana')
    store(memory, 'profile.pets.tom', 'Tom')

    assert one.value == Pair()
    assert [v.memory.text for v in one.invalid] == ['Rex']
    assert memory.profile(Pair, user_id='ana').value == Pair(pets=['Rex', 'Tom'])


def test_an_item_said_twice_is_one_item_with_both_memories(memory: Memory) -> None:
    store(memory, 'profile.pets.rex', 'Rex', valid_from='2020-01-01')
    store(memory, 'profile.pets.dog', 'Rex', valid_from='2021-01-01')

    profile = memory.profile(create_model('Owner', pets=(list[str], ...)), user_id='ana')

    assert profile.fields['pets'].value == ['Rex']
    assert len(profile.fields['pets'].memories) == 2


def test_an_item_of_this_run_shadows_the_users_item_of_the_same_slot(memory: Memory) -> None:
    store(memory, 'profile.pets.dog', 'Rex')
    store(memory, 'profile.pets.cat', 'Tom')
    store(memory, 'profile.pets.dog', 'Bo', run_id='r', level='run')

    profile = memory.profile(create_model('Owner', pets=(set[str], ...)), user_id='ana', run_id='r')

    assert profile.fields['pets'].value == {'Bo', 'Tom'}
    assert [m.text for m in profile.fields['pets'].shadowed] == ['Rex']


def test_a_list_with_thousands_of_items_is_read_whole(memory: Memory) -> None:
    memory.register_profile(create_model('Owner', pets=(list[int], ...)))
    memory.add([f'profile.pets.{_letters(i)} = {i}' for i in range(1100)], user_id='ana')

    profile = memory.profile(create_model('Owner', pets=(set[int], ...)), user_id='ana')

    assert profile.fields['pets'].value == set(range(1100))


def _letters(number: int) -> str:
    return ''.join(string.ascii_lowercase[int(d)] for d in str(number))


class Address(BaseModel):
    street: str
    city: str = 'Lisbon'


class Housed(BaseModel):
    home: Annotated[Address, Slot('home')]
    work: Address | None = None


def test_models_inside_models_have_slots_below_theirs(memory: Memory) -> None:
    memory.add(['home.city = Porto', 'home.street = Rua A', 'profile.work.street = Rua B'], user_id='ana')

    profile = memory.profile(Housed, user_id='ana')

    assert profile.value == Housed(home=Address(street='Rua A', city='Porto'), work=Address(street='Rua B'))
    assert told(profile) == {'home.street': 'Rua A', 'home.city': 'Porto', 'work.street': 'Rua B'}
    assert profile.missing == ('work.city',)


def test_an_inner_model_that_cannot_be_built_is_left_out_where_the_outer_one_does_without(memory: Memory) -> None:
    memory.add(['home.street = Rua A', 'profile.work.city = Porto'], user_id='ana')

    profile = memory.profile(Housed, user_id='ana')

    assert profile.value == Housed(home=Address(street='Rua A'))
    assert told(profile)['work.city'] == 'Porto'
    assert profile.errors == ('work is left out: work.street: required, and nothing is remembered',)


def test_a_required_inner_model_tells_what_it_lacks(memory: Memory) -> None:
    profile = memory.profile(Housed, user_id='ana')

    assert profile.value is None
    assert profile.errors == ('home.street: required, and nothing is remembered',)


def test_a_required_inner_model_of_defaults_is_built_from_them(memory: Memory) -> None:
    class Inner(BaseModel):
        city: str = 'Lisbon'

    class Outer(BaseModel):
        inner: Inner
        maybe: Inner | None

    profile = memory.profile(Outer, user_id='ana')

    assert profile.value is None
    assert profile.errors == ('maybe: required, and nothing is remembered',)
    assert memory.profile(create_model('Outer', inner=(Inner, ...)), user_id='ana').errors == ()


# Which slot


@pytest.mark.parametrize(
    ('field', 'slot'),
    [
        ('city', 'home.city'),
        ('full_name', 'name'),
        ('date_of_birth', 'birthday'),
        ('occupation', 'work.title'),
        ('favorite_color', 'favourite.color'),
        ('favourite_ice_cream', 'favourite.ice-cream'),
        ('favourite_programming_language', 'language.programming.preferred'),
        ('shoe_size', 'profile.shoe_size'),
        ('Città', 'profile.città'),
        ('location', 'profile.location'),
    ],
)
def test_field_names_stand_for_slots(memory: Memory, field: str, slot: str) -> None:
    store(memory, slot, 'x')

    assert memory.profile(create_model('M', **{field: (str, ...)}), user_id='ana').fields[field].slot == slot


def test_every_slot_of_the_vocabulary_has_a_field_name() -> None:
    names = (
        'name preferred_name pronouns birthday birth_year birthplace hometown city country employer job_title '
        'relationship_status spouse partner diet timezone native_language answer_language programming_language editor '
        'favourite_colour'
    ).split()
    extractor = ScriptedExtractor()
    with fast(extractor=extractor) as memory:
        memory.register_profile(create_model('M', **dict.fromkeys(names, (str, ...))))
        memory.add('hello there, you', user_id='ana')

    assert [s.slot for s in extractor.requests[0].slots] == (
        'name name.preferred pronouns birthday birth.year birthplace hometown home.city home.country work.employer '
        'work.title relationship.status relationship.spouse relationship.partner diet timezone language.native '
        'language.answer language.programming.preferred editor.preferred favourite.colour'
    ).split()


def test_aliases_defaults_forbidden_extras_frozen_and_computed_fields_are_no_obstacle(memory: Memory) -> None:
    class Strange(BaseModel):
        model_config = ConfigDict(extra='forbid', frozen=True, validate_default=True, use_attribute_docstrings=True)
        city: str = Field(alias='TheCity')
        name: str = Field(validation_alias=AliasPath('names', 0), serialization_alias='n')
        greeting: str = Field(default_factory=lambda data: f'Hi {data["name"]}')
        old: str = Field('x', deprecated=True)
        _private: int = 3

        @computed_field
        @property
        def both(self) -> str:
            return self.name + self.city

    memory.add(['home.city = Lisbon', 'name = Ana', 'profile.old = y'], user_id='ana')
    profile = memory.profile(Strange, user_id='ana')

    assert profile.value is not None
    assert (profile.value.both, profile.value.greeting) == ('AnaLisbon', 'Hi Ana')
    assert told(profile) == {'city': 'Lisbon', 'name': 'Ana', 'old': 'y'}
    assert profile.missing == ('greeting',)


T = TypeVar('T')


class Box(BaseModel, Generic[T]):
    content: T


def test_generic_models_are_filled_by_what_they_hold(memory: Memory) -> None:
    store(memory, 'profile.content', '42')
    store(memory, 'profile.box.content', '43')

    assert memory.profile(Box[int], user_id='ana').fields['content'].value == 42
    assert memory.profile(Box, user_id='ana').fields['content'].value == '42'
    assert memory.profile(create_model('M', box=(Box[int], ...)), user_id='ana').fields['box.content'].value == 43


def test_two_fields_may_share_a_slot(memory: Memory) -> None:
    class Twice(BaseModel):
        city: str
        town: Annotated[str, Slot('home.city'), Field(max_length=3)] = 'none'

    memory.add('home.city = Lisbon', user_id='ana')
    profile = memory.profile(Twice, user_id='ana')

    assert profile.value == Twice(city='Lisbon')
    assert [v.field for v in profile.invalid] == ['town']


def test_a_slot_inside_an_optional_annotation_counts(memory: Memory) -> None:
    memory.add('home.city = Lisbon', user_id='ana')
    model = create_model('M', place=(Annotated[str, Slot('home.city')] | None, None))

    assert memory.profile(model, user_id='ana').fields['place'].value == 'Lisbon'


def test_a_field_can_be_kept_from_memory(memory: Memory) -> None:
    class Configured(BaseModel):
        city: str
        options: Annotated[dict[str, str], Slot(None)] = {}

    memory.add('home.city = Lisbon', user_id='ana')
    store(memory, 'profile.options', '{"a": "b"}')
    profile = memory.profile(Configured, user_id='ana')

    assert profile.value == Configured(city='Lisbon')
    assert 'options' not in (*profile.fields, *profile.missing)


def test_a_type_that_reads_text_itself_is_a_field_like_any(memory: Memory) -> None:
    class Money(BaseModel):
        amount: int
        unit: str

    def read(text: object) -> object:
        if not isinstance(text, str):
            return text
        amount, unit = text.split()
        return {'amount': amount, 'unit': unit}

    class Paid(BaseModel):
        salary: Annotated[Money, BeforeValidator(read, json_schema_input_type=str)]

    store(memory, 'profile.salary', '900 EUR')

    assert memory.profile(Paid, user_id='ana').value == Paid(salary=Money(amount=900, unit='EUR'))


# Bad input


class Loop(BaseModel):
    name: str
    friend: Loop | None = None


class Undefined(BaseModel):
    thing: Nowhere  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize(
    ('model', 'words'),
    [
        (create_model('M', options=(dict[str, int], {})), "'options' of M is of type dict"),
        (create_model('M', call=(Callable[[int], int], ...)), "'call' of M"),
        (create_model('M', pair=(tuple[int, str], ...)), "'pair' of M"),
        (create_model('M', rows=(list[list[str]], ...)), "'rows' of M"),
        (create_model('M', lazy=(Iterable[int], ())), "'lazy' of M"),
        (create_model('M', homes=(list[Address], ...)), "'homes' of M"),
        (create_model('M', either=(Address | Housed, ...)), "'either' of M"),
        (create_model('M', nothing=(None, None)), "'nothing' of M"),
        (create_model('M', inner=(create_model('I', options=(dict[str, int], {})), ...)), "'inner.options' of I"),
        (create_model('M', skipped=(Annotated[str, Slot(None)], ...)), 'has Slot\\(None\\) and no default'),
        (create_model('M', **{'x' * 200: (str, ...)}), 'slot='),
        (Loop, "'friend' of Loop is a Loop inside a Loop"),
        (Undefined, "names 'Nowhere', which is not defined"),
        (RootModel[list[str]], 'is not a class with fields'),
        (City(), 'is not a class with fields'),
        (BaseModel, 'is not a class with fields'),
        (dict, 'is not a class with fields'),
        ('Person', 'is not a class with fields'),
    ],
    ids=str,
)
def test_a_model_that_text_cannot_fill_is_refused_by_name(memory: Memory, model: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        memory.profile(model, user_id='ana')
    with pytest.raises(InvalidInput, match=words):
        memory.register_profile(model)


@pytest.mark.parametrize('slot', ['Home City', '', '.city', 7])
def test_a_slot_that_is_none_is_refused_where_it_is_written(slot: Any) -> None:
    with pytest.raises(InvalidInput, match='is not a key'):
        Slot(slot)


# Registration


def registered(*models: type[BaseModel]) -> Sequence[SlotSpec]:
    extractor = ScriptedExtractor()
    with fast(extractor=extractor) as memory:
        for model in models:
            memory.register_profile(model)
        memory.add('hello there, you', user_id='ana')
    return list(extractor.requests[0].slots)


def test_types_are_told_in_words() -> None:
    model = create_model(
        'M',
        a=(int, Field(ge=1, le=5)),
        b=(float | None, None),
        c=(bool, False),
        d=(date, ...),
        e=(Literal['x', 'y'], ...),
        f=(Theme, ...),
        g=(list[Size], ...),
        h=(Annotated[str, Field(max_length=9)], ...),
        i=(Annotated[str, Field(pattern='^[A-Z]+$')], ...),
        j=(int | str, ...),
        k=(Decimal, ...),
        m=(UUID, ...),
        n=(SecretStr, ...),
        o=(Any, ...),
        p=(Literal['one'], ...),
    )

    assert {s.slot.removeprefix('profile.'): (s.type, s.many) for s in registered(model)} == {
        'a': ('integer, at least 1, at most 5', False),
        'b': ('number', False),
        'c': ('yes or no', False),
        'd': ('date (YYYY-MM-DD)', False),
        'e': ('one of: x, y', False),
        'f': ('one of: light, dark', False),
        'g': ('one of: 1, 2', True),
        'h': ('text of at most 9 characters', False),
        'i': ('text matching ^[A-Z]+$', False),
        'j': ('integer or text', False),
        'k': ('number', False),
        'm': ('uuid', False),
        'n': ('text', False),
        'o': ('text', False),
        'p': ('one of: one', False),
    }


def test_descriptions_come_from_field_docstrings_too() -> None:
    class Documented(BaseModel):
        model_config = ConfigDict(use_attribute_docstrings=True)
        shoe: int
        """Shoe size, European."""

    assert registered(Documented)[0].description == 'Shoe size, European.'


def test_registering_again_or_another_model_with_the_same_slot_adds_nothing() -> None:
    described = create_model('D', city=(str, Field(description='Where they live')), age=(int, ...))

    slots = registered(City, City, described)

    assert [(s.slot, s.description) for s in slots] == [('home.city', 'Where they live'), ('age', '')]


def test_the_narrower_of_two_declarations_of_a_slot_is_told() -> None:
    narrow = create_model('N', city=(Literal['Lisbon', 'Porto'], ...))

    assert [s.type for s in registered(City, narrow)] == ['one of: Lisbon, Porto']
    assert [s.type for s in registered(narrow, City)] == ['one of: Lisbon, Porto']


@pytest.mark.parametrize('other', [list[str], int])
def test_a_slot_declared_as_two_things_is_refused_and_nothing_of_the_model_is_registered(other: Any) -> None:
    extractor = ScriptedExtractor()
    with fast(extractor=extractor) as memory:
        memory.register_profile(create_model('A', city=(Literal['Lisbon'], ...)))
        with pytest.raises(InvalidInput, match=r"slot 'home.city' of field 'city' of B"):
            memory.register_profile(create_model('B', age=(int, ...), city=(other, ...)))
        memory.add('hello there, you', user_id='ana')

    assert [s.slot for s in extractor.requests[0].slots] == ['home.city']


# Any model


_WORDS = st.text(string.ascii_letters, min_size=1, max_size=8)
_TYPES: dict[Any, st.SearchStrategy[Any]] = {
    str: _WORDS,
    int: st.integers(-(10**12), 10**12),
    float: st.floats(allow_nan=False, allow_infinity=False, width=32),
    bool: st.booleans(),
    date: st.dates(),
    Theme: st.sampled_from(Theme),
    Literal['x', 'y']: st.sampled_from(['x', 'y']),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
}


@st.composite
def _filled(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of a model and values for some of them."""
    names = draw(st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=6), unique=True, max_size=8))
    fields: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for name in names:
        kind = draw(st.sampled_from(list(_TYPES)))
        fields[f'my_{name}'] = (kind, ...) if draw(st.booleans()) else (kind | None, None)
        if draw(st.integers(0, 3)):
            values[f'my_{name}'] = draw(_TYPES[kind])
    return fields, values


@pytest.fixture(scope='module')
def shared() -> Iterator[Memory]:
    with fast() as memory:
        yield memory


_users = iter(range(10**9))


@settings(max_examples=40)
@given(filled=_filled())
def test_any_model_of_simple_fields_gets_back_what_was_stored(
    shared: Memory, filled: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    fields, values = filled
    user = f'user-{next(_users)}'
    for name, value in values.items():
        words = value.value if isinstance(value, Theme) else str(value)
        store(shared, f'profile.{name}', words, user_id=user)

    model = create_model('M', **fields)
    profile = shared.profile(model, user_id=user)

    assert told(profile) == values
    assert set(profile.missing) == set(fields) - set(values)
    assert (profile.value is None) == any(fields[name][1] is ... for name in profile.missing)
    if profile.value is not None:
        assert {name: getattr(profile.value, name) for name in values} == values


_REFUSING = create_model('R', a=(int, ...), b=(Literal['x'], 'x'), c=(list[int], []), d=(str, 'd'))


@settings(max_examples=40)
@given(stored=st.lists(st.tuples(st.sampled_from(['a', 'b', 'c', 'c.one', 'c.two', 'd']), _WORDS | st.just('7'))))
def test_every_field_is_known_missing_contradicted_or_invalid(shared: Memory, stored: list[tuple[str, str]]) -> None:
    user = f'user-{next(_users)}'
    for slot, words in stored:
        shared.add(words, infer=False, slot=f'profile.{slot}', user_id=user)

    profile = shared.profile(_REFUSING, user_id=user)

    invalid = {v.field for v in profile.invalid}
    assert {*profile.fields, *profile.missing, *profile.conflicts, *invalid} == set(_REFUSING.model_fields)
    assert not {*profile.fields} & {*profile.missing}
    assert not (invalid - {'c'}) & {*profile.fields, *profile.missing}
    assert (profile.value is not None) == ('a' in profile.fields)


# Whatever a validator does, there is an end, and every field is accounted for.


def split(value: Any) -> Any:
    """A validator that makes several items of one."""
    return [part for item in value for part in (item.split(',') if isinstance(item, str) else [item])]


class Numbers(BaseModel):
    numbers: Annotated[list[int], BeforeValidator(split)] = []


def test_a_validator_may_make_several_items_of_one(memory: Memory) -> None:
    store(memory, 'profile.numbers.a', '1,2')
    store(memory, 'profile.numbers.b', '3')
    profile = memory.profile(Numbers, user_id='ana')
    assert profile.value == Numbers.model_construct(numbers=[1, 2, 3])
    assert told(profile) == {'numbers': [1, 2, 3]}


def test_one_item_of_which_a_validator_makes_a_wrong_one_is_refused(memory: Memory) -> None:
    store(memory, 'profile.numbers.a', '1,x')
    store(memory, 'profile.numbers.b', '3')
    profile = memory.profile(Numbers, user_id='ana')
    assert told(profile) == {'numbers': [3]}
    assert [(v.field, v.slot, v.memory.text) for v in profile.invalid] == [('numbers', 'profile.numbers.a', '1,x')]


def odd(kind: str, loc: Callable[[int], tuple[int, ...]]) -> type[BaseModel]:
    """A model whose validator complains about an item at a place of its own choosing, while there are two or more."""

    class Odd(BaseModel):
        many: Annotated[list[str], BeforeValidator(split)] = []

        @field_validator('many', mode='after')
        @classmethod
        def complain(cls, value: list[str]) -> list[str]:
            if len(value) > 1 and kind == 'field':
                raise ValidationError.from_exception_data(
                    'x', [{'type': 'missing', 'loc': loc(len(value)), 'input': 1}]
                )
            return value

        @model_validator(mode='wrap')
        @classmethod
        def wrap(cls, data: Any, handler: Any) -> Any:
            if len(data.get('many', ())) > 1 and kind == 'model':
                where = ('many', *loc(len(data['many'])))
                raise ValidationError.from_exception_data('x', [{'type': 'missing', 'loc': where, 'input': 1}])
            return handler(data)

    return Odd


@pytest.mark.parametrize('kind', ['field', 'model'])
@pytest.mark.parametrize(
    'loc', [lambda n: (7,), lambda n: (n,), lambda n: (-1,), lambda n: ()], ids=['7', 'behind', 'before', 'none']
)
def test_a_complaint_about_an_item_that_is_not_there_is_about_the_whole_list(
    memory: Memory, kind: str, loc: Callable[[int], tuple[int, ...]]
) -> None:
    for name in ('a', 'b', 'c'):
        store(memory, f'profile.many.{name}', name)
    profile = memory.profile(odd(kind, loc), user_id='ana')
    assert sorted(v.memory.text for v in profile.invalid) == ['a', 'b', 'c']
    assert told(profile) == {}
    assert profile.value is not None
    assert profile.value.model_dump() == {'many': []}


@pytest.mark.parametrize('kind', ['field', 'model'])
def test_places_mean_nothing_where_a_validator_makes_several_items_of_one(memory: Memory, kind: str) -> None:
    store(memory, 'profile.many.a', 'a,b')
    store(memory, 'profile.many.c', 'c')
    profile = memory.profile(odd(kind, lambda n: (1,)), user_id='ana')
    assert sorted(v.memory.text for v in profile.invalid) == ['a,b', 'c']


def test_a_list_of_which_one_item_after_another_is_refused_is_refused_whole_in_the_end(memory: Memory) -> None:
    times: list[int] = []

    class Picky(BaseModel):
        many: list[str] = []

        @field_validator('many')
        @classmethod
        def complain(cls, value: list[str]) -> list[str]:
            times.append(len(value))
            if len(value) > 1:
                raise ValidationError.from_exception_data('x', [{'type': 'missing', 'loc': (0,), 'input': 1}])
            return value

    for number in range(100):
        store(memory, f'profile.many.n{number}', f'item {number}')
    profile = memory.profile(Picky, user_id='ana')
    assert profile.value == Picky()
    assert len(profile.invalid) == 100
    assert len([n for n in times if n > 1]) < 50


@pytest.mark.parametrize('words', ['NaN', 'nan', 'inf', '-Infinity', '1e999'])
def test_a_number_that_differs_from_itself_is_taken_or_refused_as_the_model_says(memory: Memory, words: str) -> None:
    class Measured(BaseModel):
        size: float | None = None
        sizes: list[float] = []
        finite: Annotated[float | None, Slot('profile.size'), Field(allow_inf_nan=False)] = None

    store(memory, 'profile.size', words)
    store(memory, 'profile.sizes.a', words)
    profile = memory.profile(Measured, user_id='ana')
    assert set(profile.fields) == {'size', 'sizes'}
    assert [v.field for v in profile.invalid] == ['finite']
    assert not profile.missing
    assert not profile.conflicts


TYPES = [str, int, float, bool, Decimal, date, datetime, timedelta, UUID, Literal['a', 'b'], SecretStr, bytes]


@given(
    types=st.lists(st.sampled_from(TYPES), min_size=1, max_size=5),
    words=st.lists(
        st.sampled_from(['NaN', 'inf', '1e999', '0', '-1', 'yes', 'a', 'A', '2020-01-01', 'May 5, 1990', ' ', '\u0663'])
        | st.text(max_size=5),
        min_size=5,
        max_size=5,
    ),
    required=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_field_is_in_exactly_one_place(types: list[Any], words: list[str], required: bool) -> None:
    fields: dict[str, Any] = {
        f'f{i}': (kind, ...) if required else (kind | None if isinstance(kind, type) else Any, None)
        for i, kind in enumerate(types)
    }
    model: Any = create_model('Model', **fields)
    with fast() as memory:
        for i, text in enumerate(words):
            if text.strip():
                store(memory, f'profile.f{i}', text)
        profile: Profile[Any] = memory.profile(model, user_id='ana')
    places = [*profile.fields, *profile.missing, *profile.conflicts, *(v.field for v in profile.invalid)]
    assert sorted(places) == sorted(fields)
