"""What is believed when messages arrive late, twice, in one breath, or about the future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from memoranda import Memory
from memoranda.records import MemoryRecord
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

ANA = {'user_id': 'ana'}
Told = Callable[[Sequence[MemoryRecord], tuple[Quote, ...]], Sequence[Proposal]]


def month(number: int, year: int = 2026) -> datetime:
    return datetime(year, number, 1, tzinfo=UTC)


class Teller:
    """A memory whose extractor proposes what the test says."""

    def __init__(self) -> None:
        self._told: Told = lambda existing, quote: ()
        self.memory = Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor(self._read))

    def _read(self, request: ExtractionRequest) -> Extraction:
        quote = (Quote(0, 0, len(request.messages[0].text)),)
        return Extraction(proposals=self._told(request.existing, quote))

    def fact(self, text: str, at: datetime, **fields: Any) -> MemoryRecord:
        (edit, *_) = self.memory.add(text, infer=False, occurred_at=at, **fields, **ANA).changes[::-1]
        return edit.after

    def says(self, text: str, at: datetime, told: Told) -> Any:
        self._told = told
        return self.memory.add(text, occurred_at=at, **ANA)

    def now(self) -> list[str]:
        return sorted(m.text for m in self.memory.get_all(**ANA))

    def then(self, at: datetime) -> list[str]:
        return sorted(m.text for m in self.memory.get_all(as_of=at, **ANA))


@pytest.fixture
def teller() -> Any:
    teller = Teller()
    with teller.memory:
        yield teller


def known(existing: Sequence[MemoryRecord], word: str) -> str:
    return next(m.id for m in existing if word in m.text)


def test_a_fact_that_replaces_a_value_takes_its_slot_into_account_whatever_is_planned_there(teller: Teller) -> None:
    teller.fact('Lives in Lisbon', month(1), slot='home.city', kind='profile')
    teller.fact('Lives in Oslo', month(2), slot='home.city', kind='profile', valid_from=month(1, 2031))
    result = teller.says(
        'Lisbon no more, Porto it is',
        month(3),
        lambda existing, quote: [
            Proposal(op='supersede', target=known(existing, 'Lisbon'), text='Lives in Porto', evidence=quote)
        ],
    )
    assert [m.text for m in result.memories] == ['Lives in Porto']
    assert teller.now() == ['Lives in Porto']
    assert teller.then(month(2)) == ['Lives in Lisbon']


def test_a_corrected_fact_held_at_no_time_even_if_it_had_an_end(teller: Teller) -> None:
    teller.fact('Lives in Lisbon', month(1), slot='home.city', valid_to=month(1, 2031))
    before = datetime.now(UTC)
    teller.says(
        'I never said Lisbon, it is Porto',
        month(3),
        lambda existing, quote: [
            Proposal(op='correct', target=known(existing, 'Lisbon'), text='Lives in Porto', evidence=quote)
        ],
    )
    assert teller.now() == teller.then(month(2)) == teller.then(month(4)) == ['Lives in Porto']
    assert [m.text for m in teller.memory.get_all(known_at=before, **ANA)] == ['Lives in Lisbon']


def test_a_late_confirmation_from_before_another_value_does_not_reach_over_it(teller: Teller) -> None:
    for city, at in (('Porto', 1), ('Faro', 3), ('Porto', 5)):
        teller.fact(city, month(at), slot='home.city')
    teller.says(
        'Porto is home',
        month(2),
        lambda existing, quote: [Proposal(op='confirm', target=known(existing, 'Porto'), evidence=quote)],
    )
    assert [teller.then(datetime(2026, m, 15, tzinfo=UTC)) for m in (1, 2, 4, 6)] == [
        ['Porto'],
        ['Porto'],
        ['Faro'],
        ['Porto'],
    ]


@pytest.mark.parametrize('slot', [None, 'home.city'])
def test_what_was_taken_back_does_not_return_with_an_older_chat(teller: Teller, slot: str | None) -> None:
    teller.fact('Lisbon', month(1), slot=slot)
    teller.says(
        'Forget Lisbon',
        month(5),
        lambda existing, quote: [Proposal(op='retract', target=known(existing, 'Lisbon'), evidence=quote)],
    )
    late = teller.memory.add('Lisbon', infer=False, slot=slot, occurred_at=month(3), **ANA)
    assert (late.changes, late.skipped) == ((), {'older': 1})
    assert teller.now() == []
    assert teller.then(month(4)) == ['Lisbon']
    teller.fact('Lisbon', month(6), slot=slot)
    assert teller.now() == ['Lisbon']


def test_another_value_from_before_a_retraction_ends_with_it(teller: Teller) -> None:
    teller.fact('Lisbon', month(1), slot='home.city')
    teller.says(
        'Forget Lisbon as my home',
        month(5),
        lambda existing, quote: [Proposal(op='retract', target=known(existing, 'Lisbon'), evidence=quote)],
    )
    teller.fact('Porto', month(3), slot='home.city')
    assert teller.now() == []
    assert [teller.then(datetime(2026, m, 15, tzinfo=UTC)) for m in (2, 4, 6)] == [['Lisbon'], ['Porto'], []]


def test_two_changes_in_one_breath_follow_each_other(teller: Teller) -> None:
    teller.fact('Lives in Lisbon', month(1), slot='home.city')

    def told(existing: Sequence[MemoryRecord], quote: tuple[Quote, ...]) -> list[Proposal]:
        target = known(existing, 'Lisbon')
        return [
            Proposal(op='supersede', target=target, text=f'Lives in {city}', evidence=quote)
            for city in ('Porto', 'Faro')
        ]

    result = teller.says('I left Lisbon for Porto, and then Faro', month(3), told)
    assert [m.text for m in result.memories] == ['Lives in Faro']
    (current,) = teller.memory.get_all(**ANA)
    assert (current.text, current.slot) == ('Lives in Faro', 'home.city')


def test_a_fact_without_a_slot_that_was_replaced_does_not_return_with_an_older_chat(teller: Teller) -> None:
    teller.fact('Drinks coffee', month(1))
    teller.says(
        'I went over to tea, no coffee any more',
        month(5),
        lambda existing, quote: [
            Proposal(op='supersede', target=known(existing, 'coffee'), text='Drinks tea', evidence=quote)
        ],
    )
    assert teller.memory.add('Drinks coffee', infer=False, occurred_at=month(3), **ANA).skipped == {'older': 1}
    assert teller.now() == ['Drinks tea']
