"""What is held on somebody: looked at, given out, erased with a receipt."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import pytest

from _console import Console, SignedIn, axe, serving
from _deciding import said, sent
from _fakes import fast

ODD = 'a/b?c#d%e \u202e\u200b"<b>'


@pytest.fixture(scope='module')
def console() -> Generator[Console]:
    with fast() as memory, serving(memory) as started:
        for person in ('ana', 'anton', 'ben', ODD):
            memory.add('home.city = Lisbon', user_id=person, run_id='trip')
            memory.add('I sail on Sundays', user_id=person, run_id='trip')
        memory.add('The cluster is rebuilt on Fridays', agent_id='ops')
        yield started


def held(console: Console, person: str) -> int:
    return console.memory.holdings(user_id=person).counts['episodes']


def test_an_erasure_request_is_answered_as_a_privacy_officer_does(
    console: Console, signed_in: SignedIn, tmp_path: Path
) -> None:
    page = signed_in('admin', '/console')
    page.keyboard.press('g')
    page.keyboard.press('p')
    page.get_by_role('heading', name='People', level=1).wait_for()
    page.keyboard.press('/')
    page.keyboard.type('ana')
    page.get_by_role('link', name='anton').wait_for(state='detached')
    page.get_by_role('link', name='ana', exact=True).click()
    assert page.get_by_role('heading', level=1).inner_text() == 'ana'
    assert 'home.city is Lisbon' in page.locator('#part').inner_text()
    page.get_by_role('link', name='Conversations 1').click()
    page.locator('.talk', has_text='I sail on Sundays').wait_for()

    page.get_by_role('button', name='Export').click()
    with page.expect_download() as exporting:
        page.get_by_role('link', name='JSON, complete').click()
    document = json.loads(Path(exporting.value.path()).read_bytes())
    assert [e['text'] for e in document['episodes']] == ['home.city = Lisbon', 'I sail on Sundays']
    assert exporting.value.suggested_filename.startswith('memoranda-user-ana-')

    page.get_by_role('link', name='Erase').click()
    assert page.get_by_role('row', name='Messages, word for word').inner_text().split()[-1] == '2'
    page.keyboard.type('Ana')
    page.keyboard.press('Enter')
    page.get_by_role('alert').wait_for()
    assert held(console, 'ana') == 2
    field = page.get_by_role('textbox', name='The id, exactly as above')
    field.fill('ana')
    field.press('Enter')
    page.get_by_text('It holds.').wait_for()
    assert held(console, 'ana') == 0
    assert axe(page) == []
    with page.expect_download() as receiving:
        page.get_by_role('link', name='Download the receipt').click()
    kept = tmp_path / receiving.value.suggested_filename
    receiving.value.save_as(kept)
    assert 'ana' not in kept.read_text()

    # Months later somebody brings the file.
    page.goto('/console/receipts')
    page.get_by_label('The file that was downloaded').set_input_files(kept)
    page.get_by_role('button', name='Check it').click()
    page.get_by_text('It holds.').wait_for()
    page.goto('/console/people/ana')
    assert 'What was said before is refused' in page.locator('main').inner_text()


class TestReceipts:
    def test_an_altered_one_is_found_out(self, console: Console) -> None:
        console.memory.add('I like tea', user_id='rex')
        receipt = json.loads(console.memory.forget(user_id='rex').to_json())
        with console.session('admin') as http:
            told = said(sent(http, '/console/receipts', document=json.dumps(receipt)))
            assert 'It holds.' in told
            receipt['counts']['episodes'] += 1
            assert 'It was altered' in said(sent(http, '/console/receipts', document=json.dumps(receipt)))

    def test_one_that_a_restore_has_undone_is_not_said_to_hold(self, console: Console) -> None:
        console.memory.add('I like tea', user_id='rex')
        kept = console.memory.export(user_id='rex')
        receipt = console.memory.forget(user_id='rex').to_json()
        console.memory.import_subject(kept, restore=True)
        with console.session('admin') as http:
            told = said(sent(http, '/console/receipts', document=receipt))
        assert 'It was undone.' in told
        assert 'It holds.' not in told

    @pytest.mark.parametrize('document', ['', 'no json', '{}', '[1]', '{"format": 99}'])
    def test_what_is_none_is_refused(self, console: Console, document: str) -> None:
        with console.session('admin') as http:
            answer = sent(http, '/console/receipts', document=document)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text

    @pytest.mark.parametrize('packed', ['x', 'eJwr', '%00', 'A' * 4000])
    def test_an_address_without_one_is_refused(self, console: Console, packed: str) -> None:
        with console.session('admin') as http:
            assert http.get(f'/console/receipts?r={packed}').status_code == 422
            assert http.get(f'/console/receipts/file?r={packed}').status_code == 422


class TestErasing:
    @pytest.mark.parametrize('typed', ['', 'anto', 'anton ', 'ANTON', 'shared', 'ben'])
    def test_nothing_goes_unless_the_id_was_typed_exactly(self, console: Console, typed: str) -> None:
        with console.session('admin') as http:
            answer = sent(http, '/console/erase?id=anton', typed=typed)
        assert answer.status_code == 422
        assert 'Nothing was erased' in said(answer)
        assert held(console, 'anton') == 2

    def test_an_id_of_odd_signs_is_shown_so_that_it_can_be_typed(self, console: Console) -> None:
        with console.session('admin') as http:
            page = http.get('/console/people?q=a/').text
            assert f'/console/people/{quote(ODD, safe="")}' in page
            shown = 'a/b?c#d%e [RLO][ZWSP]"<b>'
            assert f'Type {shown}'.replace('<b>', '&lt;b&gt;') in said(
                http.get('/console/erase', params={'id': ODD})
            ).replace('&#34;', '"')
            answer = sent(http, f'/console/erase?id={quote(ODD, safe="")}', typed=shown)
        assert 'It holds.' in said(answer)
        assert held(console, ODD) == 0

    def test_what_an_agent_learnt_is_erased_alone(self, console: Console) -> None:
        with console.session('admin') as http:
            assert 'ops' in said(http.get('/console/people?kind=agent'))
            assert 'rebuilt on Fridays' in said(http.get('/console/people/ops?kind=agent&tab=conversations'))
            assert 'It holds.' in said(sent(http, '/console/erase?kind=agent&id=ops', typed='ops'))
            assert 'Nothing is held' in said(http.get('/console/people/ops?kind=agent'))
        assert held(console, 'ben') == 2

    def test_a_key_of_one_person_that_goes_with_it_still_gets_the_receipt(self, console: Console) -> None:
        console.memory.add('I like tea', user_id='own')
        with console.session('admin', 'own') as http:
            answer = sent(http, '/console/erase?id=own', typed='own')
            assert 'It holds.' in said(answer)
            assert '"mac"' in answer.text.replace('&#34;', '"')
        assert held(console, 'own') == 0


class TestWhoMay:
    @pytest.mark.parametrize('role', ['reader', 'writer', 'reviewer'])
    def test_others_than_admins_look_and_see_no_way_to_erase_or_export(self, console: Console, role: str) -> None:
        with console.session(role) as http:  # type: ignore[arg-type]
            page = http.get('/console/people/ben')
            assert 'home.city is Lisbon' in page.text
            assert '/console/erase' not in page.text
            assert '/console/export' not in page.text
            for path in ('/console/erase?id=ben', '/console/export?id=ben', '/console/receipts'):
                assert http.get(path).status_code == 403
            assert sent(http, '/console/erase?id=ben', typed='ben').status_code == 403
        assert held(console, 'ben') == 2

    def test_a_key_of_one_person_sees_that_person_only(self, console: Console) -> None:
        with console.session('admin', 'ben') as http:
            assert 'home.city is Lisbon' in http.get('/console/people/ben').text
            for path in (
                '/console/people',
                '/console/people/anton',
                '/console/people/ops?kind=agent',
                '/console/people/trip?kind=run',
                '/console/people/shared?kind=global',
                '/console/erase?id=anton',
                '/console/export?id=anton',
            ):
                assert http.get(path).status_code == 403, path
            assert sent(http, '/console/erase?id=anton', typed='anton').status_code == 403
        assert held(console, 'anton') == 2


def test_reading_an_export_for_people(console: Console) -> None:
    with console.session('admin') as http:
        answer = http.get('/console/export?id=ben&format=markdown')
    assert answer.headers['content-disposition'].startswith('attachment; filename="memoranda-user-ben-')
    assert '# What is held on user ben' in answer.text


@pytest.mark.parametrize(
    ('path', 'status', 'told'),
    [
        ('/console/people?q=nobody', 200, 'Nobody has such an id'),
        ('/console/people?kind=app', 200, 'There are none'),
        ('/console/people?kind=ship', 422, ''),
        ('/console/people?cursor=nonsense', 422, ''),
        ('/console/people/nobody', 200, 'Nothing is held'),
        ('/console/people/ben?tab=conversations&cursor=nonsense', 422, ''),
        ('/console/people/ben/', 404, ''),
        ('/console/people/%20', 422, ''),
        ('/console/erase', 404, ''),
        ('/console/people/shared?kind=global', 200, 'Nothing is held'),
    ],
)
def test_what_is_not_there_is_told(console: Console, path: str, status: int, told: str) -> None:
    with console.session('admin') as http:
        answer = http.get(path)
    assert answer.status_code == status
    assert told in said(answer)
