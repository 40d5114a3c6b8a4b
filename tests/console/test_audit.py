"""The audit log as a person looks through it, and the proof that it is whole."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import apsw
import pytest

from _console import Console, SignedIn, axe, serving
from _fakes import fast
from memoranda import Policy


@pytest.fixture(scope='module')
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('audit') / 'm.db'


@pytest.fixture(scope='module')
def console(database: Path) -> Generator[Console]:
    with serving(fast(database, policy=Policy(audit_reads=True))) as started:
        acting = started.memory.acting_as('support:jane', reason='ticket 4711')
        (edit,) = acting.add('Lives in Lisbon', user_id='ana', infer=False, slot='home.city').changes
        acting.update(edit.memory_id, text='Lives in Porto', user_id='ana')
        acting.search('where does she live?', user_id='ana')
        started.memory.add('Likes <b>tea</b>', user_id='ben', infer=False)
        started.memory.add('Is called Carla', user_id='carla', infer=False)
        started.memory.delete_all(user_id='carla')
        yield started


def test_a_person_narrows_the_log_and_opens_an_entry(console: Console, signed_in: SignedIn) -> None:
    page = signed_in('admin', '/console/audit')
    page.get_by_label('Done by').fill('support:')
    page.get_by_label('Done by').press('Enter')
    page.wait_for_url('**actor=support*')
    page.get_by_label('What', exact=True).select_option('changes')
    page.wait_for_url('**what=changes**')
    rows = page.locator('tr[data-row]')
    page.locator('#entries .badge', has_text='read').first.wait_for(state='detached')
    assert rows.count() == 2  # the fact that was added, and its correction
    assert [text in rows.nth(0).inner_text() for text in ('update', 'ana', 'support:jane', 'ticket 4711')] == [True] * 4
    rows.nth(0).get_by_role('link', name='Open entry').click()
    assert page.locator('del').inner_text().endswith('Lisbon')
    assert page.locator('ins').inner_text().endswith('Porto')
    assert page.get_by_text('as they should be').is_visible()
    page.get_by_role('link', name='Later').click()
    page.get_by_role('heading', name='Entry 3', exact=True).wait_for()
    assert page.get_by_text('"purpose": "search"').is_visible()
    # To open an entry is a read of its words.
    page.goto('/console/audit?what=reads&actor=key:admin')
    assert 'audit_log: 1 memory' in page.locator('tr[data-row]').first.inner_text()


def test_the_log_is_asked_by_what_whose_when_and_page_by_page(console: Console) -> None:
    with console.http() as http:

        def told(**asked: str) -> str:
            answer = http.get('/console/audit', params=asked)
            assert answer.status_code == 200, answer.text
            return answer.text.partition('id="entries"')[2].partition('<dialog')[0]

        assert told(what='erase').count('data-row') == 1
        assert 'erased: everything' in told(what='upkeep')
        assert 'Carla' not in told()
        assert 'key admin (admin) made' in told(kind='global')
        assert told(key='ben').count('data-row') == told(kind='user', key='ben').count('data-row') == 1
        assert told(kind='agent').count('data-row') == 0
        assert told(key='nobody').count('data-row') == 0
        assert told(until='2020-01-01').count('data-row') == 0
        assert told(since='2020-01-01', what='import').count('data-row') == 0
        wrongs = ({'what': 'x'}, {'since': 'yesterday'}, {'kind': 'x', 'key': 'y'}, {'cursor': '1.x'}, {'cursor': '9'})
        for wrong in wrongs:
            assert http.get('/console/audit', params=wrong).status_code == 422, wrong
        for path in ('entry/1/999', 'entry/999/1', 'entry/x/1', 'entry/1/0', 'entry/-1/1', f'entry/1/{10**18}'):
            assert http.get(f'/console/audit/{path}').status_code == 404, path


def test_only_admins_of_the_project_see_it(console: Console) -> None:
    paths = ('', '/entry/1/1', '/verify', '/checkpoint', '/export')
    for http in (console.http('reviewer'), console.http('admin', user_id='ana')):
        with http:
            assert [http.get(f'/console/audit{path}').status_code for path in paths] == [403] * len(paths)
            assert http.post('/console/audit/verify').status_code == 403
    foreign = console.memory.in_project('other').keys.create('foreign', role='admin').secret
    with console.http(None) as http:
        http.headers['X-API-Key'] = foreign
        assert 'ana' not in http.get('/console/audit').text.partition('id="entries"')[2].partition('<dialog')[0]
        assert http.get('/console/audit/entry/2/1').status_code == 404


def test_a_proof_goes_on_beside_the_page_and_tells_what_is_broken(
    console: Console, signed_in: SignedIn, database: Path, tmp_path: Path
) -> None:
    page = signed_in('admin', '/console/audit')
    page.get_by_role('link', name='Prove the log').click()
    with page.expect_download() as downloading:
        page.get_by_role('link', name='Download a checkpoint').click()
    anchor = tmp_path / 'anchor.json'
    downloading.value.save_as(anchor)
    page.get_by_label('Checkpoint').set_input_files(anchor)
    page.get_by_role('button', name='Begin').click()
    page.get_by_role('heading', name='Nothing is broken').wait_for()
    assert 'chains compared' in page.locator('#verification').inner_text()
    with page.expect_download() as downloading:
        page.get_by_role('link', name='Download the log').click()
    lines = [json.loads(line) for line in Path(downloading.value.path()).read_text().splitlines()]
    assert len(lines) > 6
    assert {line['before'] for line in lines} == {line['after'] for line in lines} == {None}
    tampering = apsw.Connection(str(database))
    tampering.execute("UPDATE memory SET text = 'Lives on the moon' WHERE live = 1 AND text LIKE '%Porto'")
    tampering.close()
    page.get_by_label('Id').fill('ana')
    page.get_by_role('button', name='Begin').click()
    page.get_by_role('heading', name='1 chain is broken').wait_for()
    assert 'the memory differs from it in text' in page.locator('#verification').inner_text()
    assert axe(page) == []
    altered = json.loads(anchor.read_text()) | {'project': 'mine'}
    with console.http() as http:
        refused = http.post('/console/audit/verify', files={'anchor': ('a.json', json.dumps(altered))})
        assert refused.status_code == 422
        assert 'was altered' in refused.text
