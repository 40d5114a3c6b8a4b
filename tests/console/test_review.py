"""The review queue, as those use it who clear it each morning."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from _console import Console, SignedIn, axe, serving
from _deciding import Hearsay, mark_of, propose, said, sent
from _fakes import fast


@pytest.fixture(scope='module')
def console() -> Generator[Console]:
    with fast(extractor=Hearsay()) as memory, serving(memory) as started:
        yield started


def believed(console: Console, person: str) -> list[str]:
    return sorted(m.text for m in console.memory.get_all(user_id=person))


def waiting(console: Console, person: str) -> list[str]:
    return [item.memory.text for item in console.memory.review.list(user_id=person)]


class TestByKeyboard:
    def test_a_whole_queue_is_cleared_without_a_mouse(self, console: Console, signed_in: SignedIn) -> None:
        propose(console, 'kay', 'she likes tea', 'she likes rum', 'she has a dog', 'she sails', 'she sings', 'she skis')
        page = signed_in('reviewer', '/console/review?person=kay')
        keys, shown = page.keyboard, page.locator('#proposal h2')

        def press(key: str, then: str) -> None:
            keys.press(key)
            page.locator('#proposal h2', has_text=then).wait_for()

        assert shown.inner_text() == 'she likes tea'
        press('j', 'she likes rum')
        assert page.locator('.queue .here').inner_text().startswith('she likes rum')
        assert 'item=' in page.url
        press('k', 'she likes tea')
        press('a', 'she likes rum')
        assert 'Approved.' in page.locator('#flash').inner_text()
        press('r', 'she has a dog')
        press('u', 'she likes rum')
        assert 'Taken back' in page.locator('#flash').inner_text()
        press('r', 'she has a dog')
        keys.press('e')
        page.locator('#f-text:focus').wait_for()
        keys.press('Control+a')
        keys.type('She has two dogs')
        keys.press('Control+Enter')
        page.locator('#proposal h2', has_text='she sails').wait_for()
        keys.press('e')
        page.locator('#f-text:focus').wait_for()
        keys.press('Escape')
        keys.press('Escape')
        page.locator('#proposal [data-hotkey=a]').wait_for()
        assert waiting(console, 'kay') == ['she sails', 'she sings', 'she skis']
        # The rest at once: two are ticked, then the button is reached.
        keys.press('x')
        keys.press('j')
        page.locator('#proposal h2', has_text='she sings').wait_for()
        keys.press('x')
        page.get_by_role('button', name='Reject the selected').focus()
        assert page.locator('[data-count]').inner_text() == '2'
        keys.press('Enter')
        page.locator('#proposal h2', has_text='she skis').wait_for()
        assert '2 proposals rejected.' in page.locator('#flash').inner_text()
        keys.press('a')
        page.get_by_text('Nothing waits here').wait_for()
        assert believed(console, 'kay') == ['She has two dogs', 'she likes tea', 'she skis']
        changes = console.memory.changes(user_id='kay').items
        assert {c.actor for c in changes} == {'grammar', 'key:reviewer'}

    def test_a_phone_shows_the_same(self, console: Console, signed_in: SignedIn) -> None:
        propose(console, 'pia', 'she likes <b>figs</b> \u202eevil')
        page = signed_in('reviewer', '/console/review?person=pia', width=360, height=740, scheme='dark')
        assert page.evaluate('document.documentElement.scrollWidth') == 360
        assert 'RLO' in page.locator('#proposal h2').inner_text()
        assert axe(page) == []
        page.get_by_role('button', name='Approve', exact=True).click()
        page.get_by_text('Nothing waits here').wait_for()
        assert believed(console, 'pia') == ['she likes <b>figs</b> \u202eevil']

    def test_what_others_decide_is_told_without_reloading(self, console: Console, signed_in: SignedIn) -> None:
        (item,) = propose(console, 'leo', 'he plays chess')
        page = signed_in('reviewer', '/console/review?person=leo')
        page.locator('#proposal h2').wait_for()
        with console.session('admin') as other:
            assert sent(other, f'/console/review/{item}/approve').status_code == 200
        page.locator('#queue-news .notice').wait_for()
        assert 'admin (key) has approved this meanwhile' in page.locator('#queue-news').inner_text()
        page.keyboard.press('r')
        page.get_by_text('Somebody else was faster.').wait_for()
        assert 'admin (key) has approved this' in page.locator('#problem').inner_text()
        assert believed(console, 'leo') == ['he plays chess']


class TestTwoReviewers:
    @pytest.mark.parametrize(('first', 'second'), [('approve', 'reject'), ('reject', 'approve'), ('reject', 'edit')])
    def test_the_second_is_told_who_did_what_and_overwrites_nothing(
        self, console: Console, first: str, second: str
    ) -> None:
        person = f'{first}-{second}'
        (item,) = propose(console, person, 'it rains in Porto')
        with console.session('reviewer') as one, console.session('admin') as other:
            sent(one, f'/console/review/{item}/{first}')
            before = console.memory.history(item, user_id=person)
            fields = {'text': 'My careful words', 'kind': 'knowledge'} if second == 'edit' else {}
            answer = sent(other, f'/console/review/{item}/{second}', **fields)
        done = 'approved' if first == 'approve' else 'rejected'
        assert answer.status_code == 409
        assert f'Somebody else was faster. reviewer (key) has {done} this' in said(answer)
        assert ('My careful words' in said(answer)) == (second == 'edit')
        assert console.memory.history(item, user_id=person) == before

    def test_what_somebody_changed_since_it_was_shown_is_shown_before_it_is_overwritten(self, console: Console) -> None:
        held = console.memory.add('home.city = Lisbon', user_id='mia').memories[0]
        console.memory.update(held.id, text='home is Lisbon', user_id='mia')
        (item,) = propose(console, 'mia', 'home.city = Faro')
        with console.session('reviewer') as http:
            seen = mark_of(http, item)
            console.memory.update(held.id, text='home is Lisbon, in Alfama', user_id='mia')
            answer = sent(http, f'/console/review/{item}/approve', seen=seen)
            assert answer.status_code == 409
            assert 'Not decided yet.' in said(answer)
            assert 'Alfama' in said(answer)
            assert believed(console, 'mia') == ['home is Lisbon, in Alfama']
            assert sent(http, f'/console/review/{item}/approve', seen=mark_of(http, item)).status_code == 200
        assert believed(console, 'mia') == ['home.city is Faro']

    def test_the_same_decision_sent_twice_is_made_once(self, console: Console) -> None:
        (item,) = propose(console, 'noa', 'she likes chess')
        with console.session('reviewer') as http:
            for _ in range(2):
                assert sent(http, f'/console/review/{item}/approve').status_code == 200
        assert len(console.memory.history(item, user_id='noa')) == 2

    def test_of_many_those_that_are_decided_already_are_left_and_the_rest_can_be_taken_back(
        self, console: Console
    ) -> None:
        ids = propose(console, 'ole', 'he sails', 'he skis', 'he sings')
        with console.session('reviewer') as one, console.session('admin') as other:
            sent(one, f'/console/review/{ids[1]}/reject')
            answer = sent(other, '/console/review?person=ole', decision='approve', ids=ids)
            assert '2 proposals approved. 1 proposal left alone: somebody else has decided' in said(answer)
            assert believed(console, 'ole') == ['he sails', 'he sings']
            changes = [c.id for c in console.memory.changes(user_id='ole').items if c.actor == 'key:admin']
            path = '/console/review/undo?' + '&'.join(f'change={c}' for c in reversed(changes))
            assert sent(other, path).status_code == 200
            assert waiting(console, 'ole') == ['he sails', 'he sings']
            assert sent(other, path).status_code == 409
        assert believed(console, 'ole') == []


class TestThePage:
    def test_it_tells_all_that_is_needed_to_decide(self, console: Console) -> None:
        console.memory.add('home.city = Lisbon', user_id='eva')
        (item,) = propose(console, 'eva', 'home.city = Faro')
        with console.session('reviewer') as http:
            words = said(http.get('/console/review', params={'item': item}))
        for told in ('comes from a tool', 'they say quoted: home.city = Faro', 'replace', 'home.city is Lisbon', 'eva'):
            assert told in words

    def test_a_poll_that_finds_nothing_new_answers_nothing(self, console: Console) -> None:
        ids = propose(console, 'uma', 'she paints', 'she sculpts')
        path = '/console/review/news?person=uma&end=1&count=2&item=' + ids[0] + '&last=' + ids[1]
        headers = {'HX-Request': 'true', 'HX-Target': 'queue-news', 'X-Poll': 'first'}
        with console.http('reviewer') as http:
            first = http.get(path, headers=headers)
            again = http.get(path, headers={**headers, 'X-Poll': first.headers['X-Seen']})
            propose(console, 'uma', 'she draws')
            news = http.get(path, headers={**headers, 'X-Poll': first.headers['X-Seen']})
        assert (first.status_code, again.status_code) == (200, 204)
        assert '1 new' in said(news)

    def test_it_goes_on_behind_its_first_page(self, console: Console) -> None:
        propose(console, 'zoe', *(f'she knows {n} languages' for n in range(27)))
        with console.session('reviewer') as http:
            first = http.get('/console/review?person=zoe')
            assert '1 of 25+' in said(first)
            after = console.memory.review.list(user_id='zoe', limit=25).cursor
            assert '1 of 2' in said(http.get(f'/console/review?person=zoe&after={after}'))

    @pytest.mark.parametrize(
        ('path', 'status', 'told'),
        [
            ('?item=unknown', 404, 'There is no such proposal'),
            ('?person=nobody-yet', 200, 'Nothing waits here'),
            ('?person=%20x', 422, 'user_id'),
            ('?reason=secret', 200, 'Nothing waits here'),
        ],
    )
    def test_what_is_not_there_is_told(self, console: Console, path: str, status: int, told: str) -> None:
        with console.session('reviewer') as http:
            answer = http.get(f'/console/review{path}')
        assert answer.status_code == status
        assert told in said(answer)

    @pytest.mark.parametrize(
        ('fields', 'status'), [({'text': ' ', 'kind': 'event'}, 422), ({'text': 'x', 'kind': 'No Kind!'}, 422)]
    )
    def test_words_that_can_not_be_used_are_told_and_kept(
        self, console: Console, fields: dict[str, Any], status: int
    ) -> None:
        person = f'words-{len(fields["text"].strip())}'
        (item,) = propose(console, person, 'he reads')
        with console.session('reviewer') as http:
            answer = sent(http, f'/console/review/{item}/edit', **fields)
        assert answer.status_code == status
        assert 'role="alert"' in answer.text
        assert f'value="{fields["kind"]}"' in answer.text
        assert waiting(console, person) == ['he reads']

    def test_nothing_is_decided_when_nothing_is_ticked(self, console: Console) -> None:
        with console.session('reviewer') as http:
            assert sent(http, '/console/review', decision='approve').status_code == 422


class TestWhoMay:
    def test_a_writer_neither_sees_nor_decides(self, console: Console) -> None:
        (item,) = propose(console, 'ida', 'she likes figs')
        with console.session('writer') as http:
            assert '/console/review"' not in http.get('/console/conflicts').text
            assert http.get('/console/review').status_code == 403
            assert sent(http, f'/console/review/{item}/approve').status_code == 403
        assert waiting(console, 'ida') == ['she likes figs']

    def test_a_decision_needs_the_token_of_the_page(self, console: Console) -> None:
        (item,) = propose(console, 'ivo', 'he likes figs')
        with console.session('reviewer') as http:
            assert http.post(f'/console/review/{item}/approve').status_code == 403
        assert waiting(console, 'ivo') == ['he likes figs']

    def test_a_key_of_one_person_decides_for_that_person_only(self, console: Console) -> None:
        (own,) = propose(console, 'ana', 'she likes dates')
        (other,) = propose(console, 'bob', 'he likes dates')
        with console.session('reviewer', 'ana') as http:
            assert '>he likes dates' not in http.get('/console/review').text
            assert sent(http, f'/console/review/{other}/approve').status_code == 404
            assert sent(http, f'/console/review/{own}/approve').status_code == 200
        assert believed(console, 'ana') == ['she likes dates']
        assert waiting(console, 'bob') == ['he likes dates']
