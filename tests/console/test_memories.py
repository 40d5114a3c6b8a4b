"""The pages of memories, of one memory, and the playground, asked over HTTP."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from _console import Console
from memoranda.keys import Role

LIST = '/console/memories'
ASK = '/console/playground'


@pytest.fixture(scope='module')
def admin(console: Console) -> Iterator[httpx.Client]:
    memory = console.memory
    memory.add('home.city = Lisbon', user_id='ana', run_id='r1', occurred_at='2026-01-10')
    memory.add(
        [{'role': 'user', 'content': text} for text in ('good morning', 'home.city = Porto', 'see you')],
        user_id='ana',
        run_id='r2',
        occurred_at='2026-03-01',
    )
    memory.add('Has a green bicycle', user_id='ana', infer=False, kind='knowledge', occurred_at='2026-01-11')
    memory.add('Answers in French', user_id='ben', agent_id='chef', infer=False, kind='instruction', pinned=True)
    for number in range(30):
        memory.add(f'Item {number}', user_id='many', infer=False, kind='event')
    with console.session('admin') as http:
        yield http


def text_of(answer: httpx.Response) -> str:
    """The words of a page as they are read, without markup."""
    assert answer.status_code < 400, answer.text
    body = re.sub(r'<(script|style|dialog|head).*?</\1>', ' ', answer.text, flags=re.DOTALL)
    return ' '.join(html.unescape(re.sub('<[^>]+>', ' ', body)).split())


def listed(answer: httpx.Response) -> list[str]:
    """The ids of the rows of a listing."""
    assert answer.status_code == 200, answer.text
    return re.findall(r'<tr data-row="([^"]+)"', answer.text)


def send(http: httpx.Client, path: str, **form: Any) -> httpx.Response:
    """What a form of a page sends; the answer that it leads to."""
    page = http.get(LIST)
    csrf = re.search(r'name="csrf" content="([^"]+)"', page.text)
    assert csrf is not None
    return http.post(path, data={**form, 'csrf': csrf[1]}, follow_redirects=True)


def one(console: Console, text: str, user_id: str = 'ana') -> str:
    """The id of a memory."""
    everything = console.memory.get_all(user_id=user_id, include_inactive=True)
    return next(m.id for m in everything if m.text == text)


def added(console: Console, text: str, **fields: Any) -> str:
    """A new memory of somebody whom no other test looks at."""
    return console.memory.add(text, user_id='eva', infer=False, **fields).memories[0].id


def test_filters_narrow_the_listing(console: Console, admin: httpx.Client) -> None:
    french = one(console, 'Answers in French', 'ben')
    for query in ('person=ben', 'kind=instruction', 'agent=chef', 'person=ben&q=FRENCH', 'mark=pinned&person=ben'):
        assert listed(admin.get(f'{LIST}?{query}')) == [french], query
    assert listed(admin.get(f'{LIST}?person=nobody')) == []
    lisbon = one(console, 'home.city is Lisbon')
    assert listed(admin.get(f'{LIST}?person=ana&status=superseded')) == [lisbon]
    assert lisbon in listed(admin.get(f'{LIST}?person=ana&status=all'))
    assert lisbon not in listed(admin.get(f'{LIST}?person=ana'))
    assert listed(admin.get(f'{LIST}?person=ana&until=2020-01-01')) == []
    assert listed(admin.get(f'{LIST}?trust=external')) == []


def test_a_filter_that_means_nothing_is_told(admin: httpx.Client) -> None:
    for query, said in (
        ('since=soon', "from='soon' is no day"),
        ('status=odd', "status='odd' is unknown"),
        ('trust=odd', 'use one of user, assistant, tool, external'),
        ('mark=odd', "mark='odd' is unknown"),
        ('cursor=odd', 'cursor='),
    ):
        assert said in text_of(admin.get(f'{LIST}?{query}')), query


def test_pages_follow_each_other_in_both_orders(admin: httpx.Client) -> None:
    orders: list[list[str]] = []
    for sort in ('newest', 'oldest'):
        rows: list[str] = []
        link = f'{LIST}?person=many&size=25&sort={sort}'
        while link:
            page = admin.get(link)
            rows += listed(page)
            found = re.search(r'rel="next" href="([^"]+)"', page.text)
            link = html.unescape(found[1]) if found else ''
        orders.append(rows)
    assert len(orders[0]) == len(set(orders[0])) == 30
    assert orders[0] == orders[1][::-1]


def test_a_reader_is_offered_no_change_and_refused_one(console: Console, admin: httpx.Client) -> None:
    id_ = one(console, 'Has a green bicycle')
    with console.session('reader') as http:
        for path in (LIST, f'{LIST}/{id_}'):
            assert re.findall(
                r'method="post" action="/console/memories(?!/views)[^"]*/(\w+)"', http.get(path).text
            ) in (
                [],
                ['bulk'],
            )
        assert 'type="checkbox"' not in http.get(LIST).text
        csrf = re.search(r'name="csrf" content="([^"]+)"', http.get(LIST).text)
        assert csrf is not None
        for path in (
            f'{LIST}/bulk',
            *(f'{LIST}/{id_}/{part}' for part in ('edit', 'mark', 'retract', 'revert', 'erase')),
        ):
            answer = http.post(path, data={'csrf': csrf[1], 'action': 'pin', 'id': id_, 'name': 'pinned', 'version': 1})
            assert answer.status_code == 403, path


def test_several_are_changed_at_once_and_taken_back(console: Console, admin: httpx.Client) -> None:
    ids = [added(console, f'Shelf {number}', pinned=number == 0) for number in range(3)]
    back = f'{LIST}?person=eva'
    answer = send(admin, f'{LIST}/bulk', action='pin', id=[*ids, 'nonsense'], back=back)
    assert '2 memories pinned. 1 was so already. 1 could not be: memory' in text_of(answer)
    assert str(answer.url).endswith(back)
    assert all(console.memory.get(id_, user_id='eva').pinned for id_ in ids)
    undo = re.search(r'action="(/console/memories/undo[^"]+)"', answer.text)
    assert undo is not None
    assert '2 changes taken back.' in text_of(send(admin, html.unescape(undo[1])))
    assert [console.memory.get(id_, user_id='eva').pinned for id_ in ids] == [True, False, False]
    told = text_of(send(admin, f'{LIST}/bulk', action='retract', id=ids[1:], back=back))
    assert '2 memories retracted.' in told
    assert console.memory.history(ids[1], user_id='eva')[-1].actor == 'key:admin'
    assert 'No memory was selected' in text_of(send(admin, f'{LIST}/bulk', action='pin', back='https://example.org/'))


def test_only_a_reviewer_may_take_back(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'A box')
    with console.session('writer') as http:
        answer = send(http, f'{LIST}/bulk', action='pin', id=id_)
        assert '1 memory pinned.' in text_of(answer)
        assert '/undo' not in answer.text
        assert '/revert' not in http.get(f'{LIST}/{id_}').text


def test_views_are_kept_in_the_browser_of_a_key(console: Console, admin: httpx.Client) -> None:
    query = 'person=ana&status=all'
    answer = send(admin, f'{LIST}/views', name='All of <Ana>', back=f'{LIST}?{query}&cursor=x&evil=1')
    assert 'All of <Ana>' in text_of(admin.get(LIST))
    link = re.search(r'href="(/console/memories\?[^"]+)"[^>]*>All of &lt;Ana&gt;', answer.text)
    assert link is not None
    assert html.unescape(link[1]) == f'{LIST}?{query}'
    (name,) = (name for name in admin.cookies if name.startswith('memoranda_views_'))
    with console.session('reader') as other:
        other.cookies.set(name, admin.cookies[name], domain='127.0.0.1', path=LIST)
        assert 'All of <Ana>' not in text_of(other.get(LIST))
    assert 'A name of 1 to 60' in text_of(send(admin, f'{LIST}/views', name=' ', back=LIST))
    assert 'All of <Ana>' not in text_of(send(admin, f'{LIST}/views/delete', name='All of <Ana>', back=LIST))
    for forged in ('%%%', 'bnVsbA==', 'W1sxLCAyXV0=', 'W1tbW1tbW1s='):
        with console.session('reader') as http:
            http.cookies.set(name, forged, domain='127.0.0.1', path=LIST)
            assert http.get(LIST).status_code == 200


def test_a_memory_tells_of_its_evidence_its_line_and_its_past(console: Console, admin: httpx.Client) -> None:
    page = admin.get(f'{LIST}/{one(console, "home.city is Porto")}')
    told = text_of(page)
    assert re.findall(r'<mark>.*?</mark>', page.text, re.DOTALL)[0].endswith('home.city = Porto</bdi></mark>')
    assert 'good morning' in told
    assert 'see you' in told
    assert page.text.count('<rect class="life-bar') == 2
    assert 'held from 2026-01-10 to 2026-03-01' in told
    assert 'holds since 2026-03-01' in told
    assert 'Not recalled yet' in told
    older = text_of(admin.get(f'{LIST}/{one(console, "home.city is Lisbon")}'))
    assert 'Superseded by grammar' in older or 'Superseded by rules' in older
    assert 'status was active → is superseded' in older


def test_recalls_are_counted(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'A very red kettle')
    console.memory.search('red kettle', user_id='eva')
    assert 'Recalled 1 time' in text_of(admin.get(f'{LIST}/{id_}'))


def test_an_edit_locks_and_is_told_as_a_diff(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'Paints the fence green')
    answer = send(admin, f'{LIST}/{id_}/edit', **typed(text='Paints the fence blue', tags='home, garden', kind='event'))
    assert 'Saved.' in text_of(answer)
    record = console.memory.get(id_, user_id='eva')
    assert (record.text, record.tags, record.kind, record.locked) == (
        'Paints the fence blue', ('home', 'garden'), 'event', True,
    )  # fmt: skip
    assert re.search(r'<del>.*?green.*?</del><ins>.*?blue.*?</ins>', answer.text, re.DOTALL)
    same = typed(text='Paints the fence blue', tags='home, garden', kind='event', version=2, locked='true')
    assert 'nothing was changed' in text_of(send(admin, f'{LIST}/{id_}/edit', **same))
    for wrong in ({'importance': 'much'}, {'importance': '7'}, {'slot': 'NO!'}, {'text': ' '}):
        answer = send(admin, f'{LIST}/{id_}/edit', **{**same, **wrong})
        assert answer.status_code == 422
        assert 'Not saved.' in answer.text
    assert console.memory.get(id_, user_id='eva').version == 2


def typed(**fields: Any) -> dict[str, Any]:
    """The form of an edit."""
    return {'version': 1, 'kind': 'knowledge', 'importance': '0.5', **fields}


def test_of_two_people_who_edit_the_second_is_shown_what_the_first_did(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'Sings in a choir')
    with console.session('writer') as other:
        send(other, f'{LIST}/{id_}/edit', **typed(text='Sings in two choirs', tags='music', pinned='true'))
    answer = send(admin, f'{LIST}/{id_}/edit', **typed(text='Sings no more'))
    assert answer.status_code == 409
    assert 'value="music"' in answer.text  # theirs, where nothing else was typed
    assert re.findall(r'name="(\w+)" value="true" checked', answer.text) == ['pinned', 'locked']
    assert 'Somebody else changed it meanwhile' in answer.text
    assert 'Sings no more</textarea>' in answer.text
    assert console.memory.get(id_, user_id='eva').text == 'Sings in two choirs'
    assert 'was changed since' in text_of(admin.get(f'{LIST}/{id_}/news?version=1'))
    assert 'was changed since' not in text_of(admin.get(f'{LIST}/{id_}/news?version=2'))
    again = typed(text='Sings no more', version=2, tags='music', pinned='true', locked='true')
    assert send(admin, f'{LIST}/{id_}/edit', **again).status_code == 200
    record = console.memory.get(id_, user_id='eva')
    assert (record.text, record.tags, record.pinned, record.locked) == ('Sings no more', ('music',), True, True)


def test_it_is_retracted_and_brought_back(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'Keeps bees')
    told = text_of(send(admin, f'{LIST}/{id_}/retract', version=1))
    assert 'Retracted: it is no longer recalled.' in told
    assert send(admin, f'{LIST}/{id_}/retract').status_code == 404
    change = console.memory.history(id_, user_id='eva')[-1].change_id
    assert 'The change was taken back.' in text_of(send(admin, f'{LIST}/{id_}/revert?change={change}'))
    assert console.memory.get(id_, user_id='eva').status == 'active'
    assert send(admin, f'{LIST}/{id_}/revert?change=nonsense').status_code == 404


def test_a_change_that_others_depend_on_is_taken_back_with_them(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'Rows on Sundays')
    console.memory.update(id_, text='Rows on Mondays', user_id='eva')
    first = console.memory.history(id_, user_id='eva')[0].change_id
    answer = send(admin, f'{LIST}/{id_}/revert?change={first}')
    assert 'Later changes depend on that one' in text_of(answer)
    assert console.memory.get(id_, user_id='eva').text == 'Rows on Mondays'
    told = text_of(send(admin, f'{LIST}/{id_}/revert?change={first}&cascade=true'))
    assert 'The change was taken back.' in told
    assert 'retracted' in told


def test_erasing_takes_a_word_and_gives_a_receipt(console: Console, admin: httpx.Client) -> None:
    id_ = added(console, 'A secret recipe')
    assert 'Nothing was erased' in text_of(send(admin, f'{LIST}/{id_}/erase', word='yes'))
    answer = send(admin, f'{LIST}/{id_}/erase', word=' Erase ')
    data = re.search(r'base64,([^"]+)"', answer.text)
    assert data is not None
    import base64

    receipt = json.loads(base64.b64decode(data[1]))
    assert receipt['counts']['memories'] == 1
    assert admin.get(f'{LIST}/{id_}').status_code == 404
    with console.session('reviewer') as http:
        assert send(http, f'{LIST}/{one(console, "Has a green bicycle")}/erase', word='erase').status_code == 403


def test_a_text_of_100_kb_is_shown_in_part_and_as_a_whole(console: Console, admin: httpx.Client) -> None:
    words = ' '.join(f'word{number}' for number in range(12_000))
    id_ = added(console, words)
    page = admin.get(f'{LIST}/{id_}')
    assert len(page.text) < 60_000
    assert 'show all' in page.text
    assert words in html.unescape(admin.get(f'{LIST}/{id_}/text').text)
    assert len(admin.get(f'{LIST}?person=eva&size=25').text) < 100_000


@pytest.mark.parametrize('role', ['reader', 'admin'])
def test_a_key_for_one_person_sees_that_person_only(console: Console, admin: httpx.Client, role: Role) -> None:
    with console.session(role, 'ben') as http:
        assert listed(http.get(LIST)) == [one(console, 'Answers in French', 'ben')]
        assert listed(http.get(f'{LIST}?person=ana')) == []
        foreign = one(console, 'Has a green bicycle')
        for path in (f'{LIST}/{foreign}', f'{LIST}/{foreign}/text', f'{LIST}/{foreign}/news'):
            assert http.get(path).status_code == 404
        assert http.get(f'{LIST}/people?person=a').status_code == 403
        assert http.get(f'{ASK}?person=ana&q=city').status_code == 403
        assert 'Answers in French' in text_of(http.get(f'{ASK}?q=language'))


def test_people_are_suggested_by_the_beginning_of_their_id(admin: httpx.Client) -> None:
    answer = admin.get(f'{LIST}/people?person=an', headers={'HX-Request': 'true', 'HX-Target': 'people_options'})
    assert re.findall(r'<option value="([^"]+)"', answer.text) == ['ana']


def test_the_playground_shows_candidates_with_their_parts_and_the_block(console: Console, admin: httpx.Client) -> None:
    page = admin.get(f'{ASK}?person=ana&q=green+bicycle')
    told = text_of(page)
    assert 'Has a green bicycle' in told
    assert 'In the block' in told
    assert '<recalled_memory>' in told
    assert 'of 800 tokens' in told
    sums = [float(value) for value in re.findall(r'<strong>([+-]\d+\.\d+)</strong>', page.text)]
    tables = re.findall(r'What place \d+ is made of.*?</table>', page.text, re.DOTALL)
    assert len(sums) == len(tables) > 1
    assert sums == sorted(sums, reverse=True)
    id_ = one(console, 'Has a green bicycle')
    assert 'Not recalled yet' in text_of(admin.get(f'{LIST}/{id_}'))


def test_the_playground_asks_the_past(admin: httpx.Client) -> None:
    now, then = f'{ASK}?person=ana&q=home.city', f'{ASK}?person=ana&q=home.city&as_of=2026-02-01'
    assert 'home.city is Porto' in text_of(admin.get(now))
    assert 'home.city is Lisbon (2026-01-10)' in text_of(admin.get(then))
    assert 'home.city is Porto (2026' not in text_of(admin.get(then))
    moved = admin.get(f'{now}&day=10', headers={'HX-Request': 'true', 'HX-Target': 'answer'})
    assert moved.headers['HX-Push-Url'] == f'{ASK}?person=ana&q=home.city&as_of=2026-01-20'
    assert 'value="2026-01-20"' in moved.text
    assert 'home.city is Lisbon (2026-01-10)' in text_of(moved)


def test_words_stay_words_in_the_playground(console: Console, admin: httpx.Client) -> None:
    hostile = '<img src=x onerror=alert(1)> \u202eevil\u001b[31m'
    console.memory.add(hostile, user_id='mallory', infer=False)
    answer = admin.get(ASK, params={'person': 'mallory', 'q': f'{hostile} evil'})
    assert 'onerror=alert(1)>' in text_of(answer)
    shown = re.sub(r'="[^"]*"', '', answer.text)
    assert not any(sign in shown for sign in ('<img', '\u202e', '\u001b'))


def test_what_the_playground_can_not_ask_is_told(admin: httpx.Client) -> None:
    for query, said in (
        ('q=tea', 'Name a person'),
        ('person=ana&q=tea&as_of=soon', 'is not a moment'),
        ('person=ana&q=tea&strategy=odd', "strategy='odd' is unknown"),
        ('person=ana&q=tea&tokens=few', "tokens='few' is no number"),
        ('person=ana&q=tea&tokens=9', 'max_tokens=9 is not a whole number'),
        ('person=nobody&q=tea', 'Nothing was found'),
    ):
        assert said in text_of(admin.get(f'{ASK}?{query}')), query
