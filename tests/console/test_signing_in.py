"""Sessions: who gets in, for how long, and what a session opens."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from _console import Console, SignedIn, axe
from _fakes import fast_async
from memoranda.keys import make_key
from memoranda.server.console.sessions import Session, Sessions, own_path
from memoranda.server.keyring import Keys


def _form(console: Console, key: str, **further: str) -> httpx.Response:
    with httpx.Client(base_url=console.url, headers={'Origin': console.url}) as http:
        return http.post('/console/sign-in', data={'key': key, **further})


def test_signing_in_leads_to_the_page_that_was_asked_for(console: Console, signed_in: SignedIn) -> None:
    page = signed_in(None, '/console/memories?kind=goal')
    assert page.get_by_role('heading', level=1).inner_text() == 'Sign in'
    assert axe(page) == []
    page.get_by_label('API key').fill('memoranda_nothing')
    page.get_by_role('button', name='Sign in').click()
    assert 'opens nothing' in page.get_by_role('alert').inner_text()
    page.get_by_label('API key').fill(console.key('reader'))
    page.get_by_role('button', name='Sign in').click()
    page.wait_for_url('**/console/memories?kind=goal')
    page.get_by_role('button', name='Sign out').click()
    page.wait_for_url('**/console/sign-in')
    page.goto('/console')
    assert page.get_by_role('heading', level=1).inner_text() == 'Sign in'


def test_keys_and_the_theme_work_on_every_page(console: Console, signed_in: SignedIn) -> None:
    console.memory.add('I like cherries', user_id='keys')
    page = signed_in('reader', '/console')
    assert page.get_by_role('link', name='Settings').count() == 0  # not for a reader
    page.keyboard.press('?')
    assert page.get_by_role('dialog', name='Keys').is_visible()
    page.keyboard.press('Escape')
    assert page.get_by_role('dialog', name='Keys').count() == 0
    page.get_by_role('button', name='Theme').click()
    assert page.locator('html').get_attribute('data-theme') == 'dark'
    page.keyboard.press('g')
    page.keyboard.press('m')
    page.wait_for_url('**/console/memories')
    assert page.locator('html').get_attribute('data-theme') == 'dark'
    page.keyboard.press('/')
    assert page.evaluate('document.activeElement.tagName') == 'INPUT'
    page.keyboard.press('Escape')
    page.keyboard.press('j')
    page.keyboard.press('Enter')
    page.wait_for_url(re.compile('/console/memories/[0-9a-f-]{36}'))


def test_a_session_ends_unless_it_is_used() -> None:
    with ThreadPoolExecutor() as threads:  # Playwright has a loop in this one
        threads.submit(asyncio.run, _ends_unless_used()).result()


async def _ends_unless_used() -> None:
    made, clock = make_key('default', name='x', role='reader'), [1_000_000.0]
    sessions = Sessions(Keys(fast_async(), [made]), clock=lambda: clock[0])

    def sent(cookie: str = '') -> Request:
        headers = [(b'host', b'127.0.0.1:8080'), (b'cookie', cookie.encode())]
        scope = {'type': 'http', 'method': 'GET', 'path': '/console', 'query_string': b'', 'headers': headers}
        return Request({**scope, 'scheme': 'http', 'server': ('127.0.0.1', 8080), 'client': ('127.0.0.1', 1)})

    async def opens(session: Session) -> bool:
        answer = Response()
        sessions.give(answer, session)
        return await sessions.find(sent(answer.headers['set-cookie'].partition(';')[0])) is not None

    session = await sessions.enter(sent(), made.secret)
    assert session is not None
    hour = 3600
    clock[0] += 60
    assert sessions.renewed(session) is None  # hardly anything has gone
    clock[0] += 7.5 * hour
    assert await opens(session)
    longer = sessions.renewed(session)
    assert longer is not None
    clock[0] += hour
    assert not await opens(session)
    assert await opens(longer)
    for _ in range(4):
        clock[0] += 5 * hour
        longer = sessions.renewed(longer) or longer
    assert not await opens(longer)  # a day is enough, however busy


def test_a_cookie_opens_the_console_and_nothing_else(console: Console) -> None:
    with console.session('reader') as http:
        assert http.get('/console/memories').status_code == 200
        cookies = '; '.join(f'{name}={value}' for name, value in http.cookies.items())
    for path in ('/v1/memories', '/v1/memories/', '/memories', '/mcp', '/metrics', '/consoles', '/console/../v1/stats'):
        answer = httpx.get(f'{console.url}{path}', headers={'Cookie': cookies})
        assert answer.status_code == 401, path


def test_the_cookie_is_for_this_site_and_not_for_scripts(console: Console) -> None:
    said = _form(console, console.key('reader')).headers['set-cookie'].lower()
    assert 'httponly' in said
    assert 'samesite=strict' in said
    assert 'path=/console' in said
    assert 'secure' not in said  # by http, on this machine only
    assert console.key('reader').lower() not in said


def test_a_session_ends_with_its_key(console: Console) -> None:
    made = console.memory.keys.create('leaving', role='reader')
    with httpx.Client(base_url=console.url, headers={'Origin': console.url}) as http:
        assert http.post('/console/sign-in', data={'key': made.secret}).status_code == 303
        assert http.get('/console/memories').status_code == 200
        rotated = console.memory.keys.rotate(made.key.id)
        assert http.get('/console/memories').status_code == 401
        assert http.post('/console/sign-in', data={'key': rotated.secret}).status_code == 303
        assert http.get('/console/memories').status_code == 200
        console.memory.keys.revoke(rotated.key.id)
        assert http.get('/console/memories').status_code == 401


def test_who_has_signed_out_can_not_use_the_cookie_again(console: Console) -> None:
    with console.session('reader') as http:
        kept = '; '.join(f'{name}={value}' for name, value in http.cookies.items())
        token = re.search('name="csrf" content="([^"]+)"', http.get('/console/memories').text)
        assert token is not None
        assert http.post('/console/sign-out', data={'csrf': token[1]}).status_code == 303
    assert httpx.get(f'{console.url}/console/memories', headers={'Cookie': kept}).status_code == 401


@pytest.mark.parametrize('change', ['digest', 'until', 'mac', 'empty', 'short'])
def test_a_cookie_that_was_changed_opens_nothing(console: Console, change: str) -> None:
    with console.session('reader') as http:
        ((name, value),) = http.cookies.items()
    parts = value.split('.')
    with console.session('admin') as other:
        stranger = next(iter(other.cookies.values())).split('.')
    changed = {
        'digest': [stranger[0], *parts[1:]],
        'until': [*parts[:2], str(int(parts[2]) + 9999), *parts[3:]],
        'mac': [*parts[:4], 'A' * len(parts[4])],
        'empty': [''] * 5,
        'short': parts[:4],
    }[change]
    headers = {'Cookie': f'{name}={".".join(changed)}'}
    assert httpx.get(f'{console.url}/console/memories', headers=headers).status_code == 401


def test_an_action_needs_the_token_of_the_session_and_a_page_of_this_server(console: Console) -> None:
    with console.session('reader') as http:
        assert http.post('/console/sign-out').status_code == 403
        assert http.post('/console/sign-out', headers={'X-CSRF-Token': 'x'}).status_code == 403
        token = re.search('name="csrf" content="([^"]+)"', http.get('/console/memories').text)
        assert token is not None
        right = {'X-CSRF-Token': token[1]}
        for wrong in (
            {'Origin': 'https://evil.example'},
            {'Origin': 'null'},
            {'Sec-Fetch-Site': 'cross-site'},
            {'Sec-Fetch-Site': 'same-site'},
            {'Origin': ''},
        ):
            assert http.post('/console/sign-out', headers={**right, **wrong}).status_code == 403, wrong
        assert http.post('/console/sign-out', headers=right).status_code == 303


def test_nobody_is_signed_in_by_another_site(console: Console) -> None:
    for headers in ({'Origin': 'https://evil.example'}, {'Sec-Fetch-Site': 'cross-site'}, {}):
        answer = httpx.post(f'{console.url}/console/sign-in', data={'key': console.key('reader')}, headers=headers)
        assert answer.status_code == 403, headers
        assert 'set-cookie' not in answer.headers


OUTSIDE = (
    '//evil.example https://evil.example/console /console\\.. /v1/memories javascript:alert(1) /console/../v1 '
    '/console/%2e%2e/v1 /consoles http:///console /\\evil.example/console'
)


@pytest.mark.parametrize('path', [*OUTSIDE.split(), '/console\n', '', None])
def test_signing_in_leads_nowhere_else(path: str | None) -> None:
    assert own_path(path) == '/console'


def test_the_part_of_a_page_leads_to_the_sign_in_when_the_session_is_over(console: Console) -> None:
    headers = {'HX-Request': 'true', 'HX-Current-URL': f'{console.url}/console/memories?kind=goal'}
    answer = httpx.get(f'{console.url}/console/memories?cursor=1', headers=headers)
    assert answer.status_code == 401
    assert answer.headers['hx-redirect'] == '/console/sign-in?next=%2Fconsole%2Fmemories%3Fkind%3Dgoal'
    headers['HX-Current-URL'] = 'https://evil.example/console'
    answer = httpx.get(f'{console.url}/console/memories', headers=headers)
    assert answer.headers['hx-redirect'] == '/console/sign-in?next=%2Fconsole'


def test_a_link_from_elsewhere_is_followed_once_more_from_here(console: Console) -> None:
    headers = {'Sec-Fetch-Site': 'cross-site'}
    assert 'http-equiv="refresh"' in httpx.get(f'{console.url}/console/people', headers=headers).text
    assert 'http-equiv="refresh"' not in httpx.get(f'{console.url}/console/people').text


def test_a_key_of_one_user_gets_no_page_of_the_project(console: Console) -> None:
    with console.http('admin', 'ana') as http:
        assert http.get('/console/people').status_code == 403
        assert http.get('/console').headers['location'] == '/console/memories'
        assert http.get('/console/memories').status_code == 200


def test_every_page_says_what_it_may_load(console: Console) -> None:
    with console.session('admin') as http:
        for path in ('/console', '/console/people', '/console/nothing', '/console/sign-in'):
            answer = http.get(path)
            policy = answer.headers['content-security-policy']
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), path
            assert 'unsafe' not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers['cache-control'] == 'no-store'
            assert not re.search(r'<[^>]+\s(style|on\w+)=', answer.text), path
            assert not re.search(r'<(script|style)(?! src="/console/static/)', answer.text), path


def test_what_is_done_in_a_session_is_done_by_its_key(console: Console) -> None:
    (added,) = console.memory.add('I like quinces', user_id='actor').memories
    with console.session('writer') as http:
        token = re.search('name="csrf" content="([^"]+)"', http.get(f'/console/memories/{added.id}').text)
        assert token is not None
        path = f'/console/memories/{added.id}/mark'
        assert http.post(path, data={'csrf': token[1], 'name': 'pinned', 'on': '1'}).status_code == 303
    assert console.memory.changes(user_id='actor').items[0].actor == 'key:writer'


def test_wrong_keys_have_to_wait_after_a_while(console: Console) -> None:
    tried = [_form(console, make_key('default', name='x', role='admin').secret).status_code for _ in range(12)]
    assert tried[0] == 403
    assert tried[-1] == 429
    assert _form(console, 'a' * 5000).status_code == 413
