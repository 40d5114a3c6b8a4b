"""Slots in trouble: choosing a value, writing one, taking it back."""

from __future__ import annotations

import html
import re
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from _console import Console, serving
from _deciding import Hearsay, propose, said, sent
from _fakes import fast


@pytest.fixture(scope='module')
def console() -> Generator[Console]:
    with fast(extractor=Hearsay()) as memory, serving(memory) as started:
        yield started


def moved(console: Console, person: str, *cities: str) -> None:
    """Somebody whose home town was said to be these, one after the other."""
    for city in cities or ('Lisbon', 'Porto', 'Braga'):
        console.memory.add(f'home.city = {city}', user_id=person)


def form(http: httpx.Client, person: str, words: str) -> dict[str, Any]:
    """The hidden fields of the button beside a value."""
    page = http.get('/console/conflicts', params={'person': person}).text
    row = next(row for row in re.findall(r'<tr.*?</tr>', page, re.DOTALL) if words in html.unescape(row))
    fields: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', row):
        fields[name] = [*fields.get(name, []), value] if name == 'waiting' else value
    assert fields.pop('csrf')
    return fields


def holds(console: Console, person: str) -> tuple[str, bool]:
    found = console.memory.get_slot('home.city', user_id=person)
    assert found is not None
    return found.text, found.locked


def undo_of(answer: httpx.Response) -> str:
    found = re.search(r'action="(/console/conflicts/undo[^"]+)"', answer.text)
    assert found
    return html.unescape(found[1])


def test_a_value_of_the_past_is_chosen_locked_and_taken_back(console: Console) -> None:
    moved(console, 'ana')
    with console.session('reviewer') as http:
        page = said(http.get('/console/conflicts?person=ana'))
        assert 'home.city ana changed 2 times' in page
        answer = sent(http, '/console/conflicts/choose?person=ana', **form(http, 'ana', 'home.city is Porto'))
        assert answer.status_code == 200
        assert 'Nothing is open' in said(answer)
        assert holds(console, 'ana') == ('home.city is Porto', True)
        assert 'settled' in said(http.get('/console/conflicts?person=ana&settled=1'))
        assert sent(http, undo_of(answer)).status_code == 200
    assert holds(console, 'ana') == ('home.city is Braga', False)
    assert 'key:reviewer' in {c.actor for c in console.memory.changes(user_id='ana').items}


def test_a_value_that_waits_is_chosen_and_its_rivals_are_turned_down(console: Console) -> None:
    moved(console, 'ben', 'Lisbon')
    propose(console, 'ben', 'home.city = Faro', 'home.city = Evora')
    with console.session('reviewer') as http:
        assert 'values disagree' in said(http.get('/console/conflicts?person=ben'))
        answer = sent(http, '/console/conflicts/choose', **form(http, 'ben', 'home.city is Faro'))
        assert holds(console, 'ben') == ('home.city is Faro', True)
        assert list(console.memory.review.list(user_id='ben')) == []
        assert sent(http, undo_of(answer)).status_code == 200
    assert holds(console, 'ben') == ('home.city is Lisbon', False)
    assert len(console.memory.review.list(user_id='ben')) == 2


def test_what_is_believed_is_kept_against_what_waits(console: Console) -> None:
    moved(console, 'cy', 'Lisbon')
    propose(console, 'cy', 'home.city = Faro')
    with console.session('reviewer') as http:
        assert sent(http, '/console/conflicts/choose', **form(http, 'cy', 'home.city is Lisbon')).status_code == 200
    assert holds(console, 'cy') == ('home.city is Lisbon', True)
    assert list(console.memory.review.list(user_id='cy')) == []


def test_one_is_written_in_their_place(console: Console) -> None:
    moved(console, 'dee')
    propose(console, 'dee', 'home.city = Faro')
    with console.session('reviewer') as http:
        given = form(http, 'dee', 'home.city is Braga')
        words = {'text': 'Lives in Braga and spends August in Faro', 'value': 'Braga'}
        assert sent(http, '/console/conflicts/merge', **{**given, 'text': ' '}).status_code == 422
        assert sent(http, '/console/conflicts/merge', **given, **words).status_code == 200
    assert holds(console, 'dee') == (words['text'], True)


def test_a_choice_made_on_an_old_page_changes_nothing(console: Console) -> None:
    moved(console, 'eli')
    with console.session('reviewer') as http:
        given = form(http, 'eli', 'home.city is Porto')
        moved(console, 'eli', 'Evora')
        answer = sent(http, '/console/conflicts/choose', **given)
        assert answer.status_code == 409
        assert 'somebody else changed this slot' in said(answer)
    assert holds(console, 'eli') == ('home.city is Evora', False)


def test_a_value_of_another_person_is_not_taken(console: Console) -> None:
    moved(console, 'flo')
    moved(console, 'gus', 'Sintra', 'Tomar', 'Viana')
    with console.session('reviewer') as http:
        given = form(http, 'flo', 'home.city is Porto')
        given['chosen'] = form(http, 'gus', 'home.city is Tomar')['chosen']
        assert sent(http, '/console/conflicts/choose', **given).status_code == 422
    assert holds(console, 'flo') == ('home.city is Braga', False)


def test_a_writer_sees_them_and_no_way_to_choose(console: Console) -> None:
    moved(console, 'hal')
    with console.session('writer') as http:
        page = http.get('/console/conflicts?person=hal')
        assert 'home.city is Porto' in page.text
        assert '/choose' not in page.text
        assert '/merge' not in page.text
        assert sent(http, '/console/conflicts/choose', held='x', chosen='y').status_code == 403
