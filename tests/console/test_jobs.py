"""The jobs, and how a page stays up to date, tells that the server is gone, and that a session has ended."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from _console import Console, SignedIn, axe, serving
from _fakes import fast
from _thinking import SECONDS, Thinking, quick


@pytest.fixture(scope='module')
def thinking() -> Thinking:
    """Reads messages; those with the word broken it can't read."""

    def fails(_: int, texts: list[str]) -> Exception | None:
        return RuntimeError('no answer that can be used') if any('broken' in text for text in texts) else None

    return Thinking(fails=fails)


@pytest.fixture(scope='module')
def console(thinking: Thinking) -> Generator[Console]:
    with serving(fast(extractor=thinking, settings=quick(max_attempts=1))) as started:
        yield started
        thinking.let_go()


def added(console: Console, text: str, user: str) -> str:
    return console.memory.add(text, user_id=user, background=True).job_id or ''


def given_up(console: Console, user: str) -> str:
    job = console.memory.add(f'this is broken, {user}', user_id=user, background=True)
    assert job.result(SECONDS).status == 'dead'
    return job.job_id or ''


def state_of(console: Console, job_id: str) -> str:
    return console.memory.project_wide().job(job_id).status


def test_a_job_that_ends_while_its_page_is_open_shows_so(
    console: Console, signed_in: SignedIn, thinking: Thinking
) -> None:
    thinking.hold()
    job = added(console, 'I like tea', 'ana')
    thinking.wait_asked(len(thinking.asked) or 1)
    page = signed_in('reader', f'/console/jobs/{job}')
    page.evaluate('window.loaded = 1')
    page.locator('#job-state [role=status] >> text=/running|queued/').wait_for()
    thinking.let_go()
    page.locator('#job-state [role=status] >> text=done').wait_for()
    assert page.get_by_role('heading', name='What it changed').is_visible()
    assert page.evaluate('window.loaded') == 1
    assert page.locator('#job-state[data-live]').count() == 0  # nothing more can come


def test_an_update_takes_nothing_away_from_whoever_is_at_the_page(console: Console, signed_in: SignedIn) -> None:
    first, second = given_up(console, 'ben'), given_up(console, 'carla')
    page = signed_in('admin', '/console/jobs?state=dead', height=500)
    box = page.locator(f'tr[data-key="{first}"] input[type=checkbox]')
    box.check()
    link = page.locator(f'tr[data-key="{second}"] a').first
    link.focus()
    page.evaluate("document.querySelector('#f-user_id').value = 'half a na'; scrollTo(0, 60)")
    scrolled = page.evaluate('scrollY')
    third = given_up(console, 'dmitri')
    page.locator(f'tr[data-key="{third}"]').wait_for()
    assert box.is_checked()
    assert page.evaluate("document.activeElement.getAttribute('href')") == f'/console/jobs/{second}'
    assert page.locator('#f-user_id').input_value() == 'half a na'
    assert abs(page.evaluate('scrollY') - scrolled) <= 80  # one row more, at most
    assert page.locator('[data-count]').inner_text() == '1'
    # A dialog stays open, and what was asked in it is still done.
    page.get_by_role('button', name='Drop the selected jobs').click()
    fourth = given_up(console, 'eva')
    page.locator(f'tr[data-key="{fourth}"]').wait_for(state='attached')
    dialog = page.get_by_role('dialog')
    assert dialog.is_visible()
    dialog.get_by_role('button', name='Drop').click()
    page.get_by_text('1 job is dropped.').wait_for()
    assert [state_of(console, job) for job in (first, second)] == ['dropped', 'dead']


def test_a_person_looks_for_a_job_that_failed_and_tries_it_again(
    console: Console, signed_in: SignedIn, thinking: Thinking
) -> None:
    job = given_up(console, 'farid')
    page = signed_in('writer', '/console/jobs')
    page.get_by_role('link', name='Given up').click()
    page.get_by_label('Person').fill('farid')
    page.get_by_label('Person').press('Enter')
    page.wait_for_url('**user_id=farid*')
    row = page.locator('tr[data-row]')
    assert row.count() == 1
    assert 'no answer that can be used' in row.inner_text()
    row.get_by_role('link').first.click()
    assert page.get_by_text('this is broken, farid').is_visible()
    assert page.get_by_role('button', name='Drop').count() == 0  # that is for admins
    asked, thinking.fails = thinking.fails, None
    page.get_by_role('button', name='Try again now').click()
    page.locator('#job-state [role=status] >> text=done').wait_for()
    thinking.fails = asked
    assert state_of(console, job) == 'done'


def test_jobs_of_others_are_nobody_elses_and_roles_hold_for_requests_too(console: Console) -> None:
    job = given_up(console, 'gus')
    with console.http('reader', user_id='ana') as http:
        assert http.get(f'/console/jobs/{job}').status_code == 404
        assert 'gus' not in http.get('/console/jobs').text
        assert http.get('/console/jobs', params={'user_id': 'gus'}).status_code == 403
    with console.session('reader') as http:
        assert 'Try again' not in http.get(f'/console/jobs/{job}').text
        for path in (f'/console/jobs/{job}/retry', f'/console/jobs/{job}/drop', '/console/jobs/drop'):
            assert http.post(path, data={'job': job}).status_code == 403
    with console.http('writer') as http:
        assert http.post('/console/jobs/drop', data={'job': job}).status_code == 403
        assert http.get('/console/jobs', params={'state': 'lost'}).status_code == 422
        assert http.get('/console/jobs', params={'cursor': 'x' * 300}).status_code == 422
    assert state_of(console, job) == 'dead'
    with console.http('admin') as http:  # ticked, and ended meanwhile
        told = http.post('/console/jobs/drop', data={'job': [job, job, 'nothing'], 'to': 'https://elsewhere.example'})
        assert told.headers['location'] == '/console/jobs'
        assert state_of(console, job) == 'dropped'
        assert http.post(f'/console/jobs/{job}/drop').status_code == 409


def test_a_connection_that_is_lost_is_told_and_comes_back(console: Console, signed_in: SignedIn) -> None:
    signed_in.expected += ['ERR_INTERNET_DISCONNECTED', 'Failed to fetch']
    page = signed_in('admin', '/console/jobs')
    page.get_by_label('Person').fill('half a na')
    page.context.set_offline(True)
    banner = page.locator('#lost')
    banner.get_by_text('The server does not answer.').wait_for()
    assert axe(page) == []
    page.context.set_offline(False)
    banner.get_by_text('The server answers again.').wait_for()
    assert page.get_by_label('Person').input_value() == 'half a na'
    banner.wait_for(state='hidden')


def _dropped(page: Any) -> None:
    page.get_by_role('button', name='Drop', exact=True).click()
    page.get_by_role('dialog').get_by_role('button', name='Drop').click()


def test_a_session_that_ends_takes_nothing_with_it(console: Console, signed_in: SignedIn) -> None:
    job = given_up(console, 'hana')
    made = console.memory.keys.create('night-shift', role='admin')
    page = signed_in(None, '/console/sign-in?next=/console/jobs')
    page.get_by_label('API key').fill(made.secret)
    page.get_by_role('button', name='Sign in').click()
    page.wait_for_url('**/console/jobs')
    page.goto(f'/console/jobs/{job}')
    page.evaluate('window.loaded = 1')
    console.memory.keys.revoke(made.key.id)
    _dropped(page)
    banner = page.locator('#lost')
    banner.get_by_text('Your session has ended.').wait_for()
    assert state_of(console, job) == 'dead'
    again = console.memory.keys.create('night-shift', role='admin')
    with page.context.expect_page() as opened:
        banner.get_by_role('link', name='Sign in again').click()
    opened.value.get_by_label('API key').fill(again.secret)
    opened.value.get_by_role('button', name='Sign in').click()
    opened.value.wait_for_url(f'**/console/jobs/{job}')
    opened.value.close()
    banner.get_by_text('You are signed in again.').wait_for()
    assert page.evaluate('window.loaded') == 1
    _dropped(page)
    page.get_by_text('is dropped. Its messages stay.').wait_for()
    assert state_of(console, job) == 'dropped'


def test_what_is_polled_is_sent_once_and_does_not_count_as_reading(console: Console) -> None:
    job = given_up(console, 'ines')
    with console.http('reader') as http:
        asked = {'HX-Request': 'true', 'HX-Target': 'job-state', 'X-Poll': '-'}
        first = http.get(f'/console/jobs/{job}', headers=asked)
        assert first.text.lstrip().startswith('<div id="job-state"')
        assert 'this is broken' not in first.text
        again = http.get(f'/console/jobs/{job}', headers={**asked, 'X-Poll': first.headers['X-Seen']})
        assert (again.status_code, again.text) == (204, '')
