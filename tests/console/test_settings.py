"""Settings: what is in force, keys, retention, storage."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import httpx
import pytest

from _console import Console, SignedIn, axe, serving
from _fakes import fast
from memoranda import Policy
from memoranda._bridge import run
from memoranda.policy import Retention
from memoranda.settings import Settings

SECRET = 'one secret that nobody but servers may know'


@pytest.fixture(scope='module')
def console() -> Generator[Console]:
    policy = Policy(retention=(Retention(after=timedelta(microseconds=1), kinds=('event',)),))
    with serving(fast(policy=policy, settings=Settings(console_secret=SECRET, workers=0, clean_every=0))) as started:
        yield started


def is_let_in(console: Console, secret: str) -> bool:
    return httpx.get(f'{console.url}/v1/me', headers={'X-API-Key': secret}).status_code == 200


def test_a_key_is_made_shown_once_rotated_and_revoked(console: Console, signed_in: SignedIn) -> None:
    page = signed_in('admin', '/console/settings')
    page.get_by_role('link', name='Keys', exact=True).click()
    page.get_by_label('Name').fill('support-bot')
    page.get_by_label('Role').select_option('writer')
    page.get_by_role('button', name='Make it').click()
    first = page.locator('#secret').inner_text()
    assert is_let_in(console, first)
    assert axe(page) == []
    page.get_by_role('link', name='I have kept it').click()
    assert first not in page.content()
    page.get_by_label('Name').fill('support-bot')
    page.get_by_role('button', name='Make it').click()
    assert 'is that of a key in force' in page.get_by_role('alert').first.inner_text()
    assert page.get_by_label('Name').input_value() == 'support-bot'
    page.get_by_role('link', name='support-bot').click()
    page.get_by_label('The old secret ends').select_option('0')
    page.get_by_role('button', name='Rotate').click()
    second = page.locator('#secret').inner_text()
    assert (is_let_in(console, first), is_let_in(console, second)) == (False, True)
    page.get_by_role('link', name='I have kept it').click()
    page.get_by_role('link', name='support-bot').click()
    page.get_by_role('button', name='Revoke').click()
    page.get_by_role('dialog').get_by_role('button', name='Revoke').click()
    page.get_by_text('Key support-bot opens nothing any more.').wait_for()
    assert not is_let_in(console, second)
    page.goto('/console/audit?what=key&actor=key:admin')
    assert page.locator('tr[data-row]').count() == 3


def test_settings_are_told_with_where_they_come_from_and_without_secrets(console: Console) -> None:
    with console.http() as http:
        told = http.get('/console/settings').text
        assert SECRET not in told
        assert 'set, and not shown' in told
        row = told.partition('>workers<')[2].partition('</tr>')[0]
        assert 'argument' in row
        assert 'MEMORANDA_READERS' in told
        policy = http.get('/console/settings/policy').text
        assert 'The program that runs this server made this policy' in policy
        assert 'MEMORANDA_WRITE' not in policy
        assert http.get('/console/settings/storage').text.count('hashing/') >= 1
    foreign = console.memory.in_project('other').keys.create('foreign', role='admin').secret
    with console.http(None) as http:
        http.headers['X-API-Key'] = foreign
        assert 'MEMORANDA_READERS' not in http.get('/console/settings').text
        assert 'hashing/' not in http.get('/console/settings/storage').text
        assert '>support-bot<' not in http.get('/console/settings/keys?ended=1').text
        known = console.memory.keys.list()[0]
        for path in ('', '/rotate', '/revoke'):
            method = 'POST' if path else 'GET'
            assert http.request(method, f'/console/settings/keys/{known.id}{path}').status_code == 404


def test_what_no_form_sends_is_refused_and_nothing_is_made(console: Console) -> None:
    before = len(console.memory.keys.list(include_ended=True))
    with console.http() as http:
        for body in (
            {'name': '', 'role': 'reader'},
            {'name': 'x', 'role': 'god'},
            {'name': '<script>', 'role': 'reader'},
            {'name': 'x', 'role': 'reader', 'expires': '-1'},
        ):
            assert http.post('/console/settings/keys', data=body).status_code == 422, body
        own = console.memory.keys.list()[0].id
        assert http.post(f'/console/settings/keys/{own}/rotate', data={'overlap': '1e9'}).status_code == 422
        assert http.post('/console/settings/retention/apply', data={'typed': 'yes'}).status_code == 422
    with console.http('reviewer') as http:
        for path in ('', '/keys', '/policy', '/retention', '/storage'):
            assert http.get(f'/console/settings{path}').status_code == 403
        assert http.post('/console/settings/keys', data={'name': 'x', 'role': 'admin'}).status_code == 403
    assert len(console.memory.keys.list(include_ended=True)) == before


def test_retention_is_looked_at_first_and_applied_on_a_typed_word(console: Console, signed_in: SignedIn) -> None:
    (edit,) = console.memory.add('Went to a concert', user_id='ana', infer=False, kind='event').changes
    page = signed_in('admin', '/console/settings/retention')
    page.get_by_role('button', name='Look').click()
    page.get_by_text('Examples').click()
    assert page.get_by_role('link', name='Went to a concert').is_visible()
    page.get_by_label('Type apply to take it').fill('apply')
    page.get_by_role('button', name='Apply now').click()
    page.get_by_text('Facts that expired').wait_for()
    last = console.memory.project_wide().history(edit.memory_id)[-1]
    assert (last.op, last.actor) == ('expire', 'key:admin')


def test_a_reindex_is_seen_as_far_as_it_is(console: Console) -> None:
    console.memory.add('Likes tea', user_id='ben', infer=False)
    store = console.memory.engine.store
    building = run(store.start_generation('another/8', 8, rebuild=True))
    with console.http() as http:
        told = http.get('/console/settings/storage').text
        assert 'another/8' in told
        assert 'texts have their new vector' in told
        assert 'data-live' in told
    run(store.drop_generation(building))
    with console.http() as http:
        assert 'data-live' not in http.get('/console/settings/storage').text


def test_the_policy_of_settings_is_told_with_where_each_part_comes_from() -> None:
    settings = Settings(workers=0, clean_every=0, write='tool=drop', regions='DE, AT')
    with serving(fast(settings=settings)) as console, console.http() as http:
        told = http.get('/console/settings/policy').text
    for name, source in (('WRITE', 'argument'), ('REGIONS', 'argument'), ('READ', 'default'), ('PASSAGES', 'default')):
        assert source in told.partition(f'MEMORANDA_{name}<')[0].rpartition('badge')[2], name
    assert 'not remembered' in told
    assert 'DE, AT' in told
