"""Export, import, erasure, audit, maintenance and figures over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from _fakes import fast_async
from _native import Api, serving
from memoranda import Policy, Retention
from memoranda.settings import Settings

ROOT = Path(__file__).parents[3]


def test_a_user_is_erased_and_the_receipt_holds(api: Api) -> None:
    api.add('I like tea')

    counted = api.call('DELETE', '/v1/subjects/ana', params={'dry_run': 'true'}).json()
    assert counted == api.shown('/v1/subjects/ana')
    assert counted['counts']['episodes'] == 1
    receipt = api.call('DELETE', '/v1/subjects/ana').json()

    assert (receipt['asked'], receipt['counts']['episodes'], receipt['tombstone']) == ('user', 1, True)
    assert api.texts() == []
    assert api.shown('/v1/episodes', user_id='ana')['items'] == []
    assert api.told('/v1/erasures/verify', {'receipt': receipt})['ok']
    altered = receipt | {'counts': receipt['counts'] | {'episodes': 0}}
    assert not api.told('/v1/erasures/verify', {'receipt': altered})['authentic']
    assert api.post('/v1/erasures/verify', {'receipt': {'format': 99}}).status_code == 422
    assert api.shown('/v1/subjects/ana')['forgotten_at'] is not None


@pytest.mark.parametrize('user_id', ['a/b', 'a b', 'ana@example.org', '..', 'caf\u00e9', 'a?b#c', '100%'])
def test_a_user_may_have_any_id(api: Api, user_id: str) -> None:
    from urllib.parse import quote

    api.add('I like tea', user_id=user_id)
    path = f'/v1/subjects/{quote(user_id, safe="").replace(".", "%2E")}'

    assert api.call('GET', path).json()['counts']['episodes'] == 1
    assert api.call('DELETE', path).json()['counts']['episodes'] == 1


def test_parts_of_what_is_held_are_erased(api: Api) -> None:
    tea = api.add('I like tea', run_id='s1', agent_id='bot')
    api.add('I like milk', run_id='s2')
    api.add('I like water', metadata={'ticket': 7})

    def erase(**body: object) -> tuple[str, int]:
        told = api.told('/v1/erasures', body)
        return told['asked'], told['counts']['episodes']

    assert erase(user_id='ana', run_id='s2') == ('part', 1)
    assert erase(user_id='ana', filters={'metadata.ticket': 7}) == ('filter', 1)
    assert api.texts() == ['I like tea']
    assert erase(agent_id='bot') == ('agent', 0)
    assert erase(agent_id='bot', everywhere=True)[1] == 1
    assert api.texts() == []
    assert api.post('/v1/erasures', {'memory_id': tea['id']}).status_code == 404


def test_one_memory_or_message_is_erased_by_its_id(api: Api) -> None:
    tea, milk = api.add('I like tea'), api.add('I like milk')

    assert api.told('/v1/erasures', {'memory_id': tea['id']})['asked'] == 'memory'
    assert api.told('/v1/erasures', {'episode_id': milk['evidence'][0]['episode_id']})['asked'] == 'message'
    assert api.texts() == []


def test_what_belongs_to_others_is_neither_erased_nor_reverted(api: Api) -> None:
    theirs = api.add('I like tea', user_id='ben')
    message = theirs['evidence'][0]['episode_id']

    for who in ('ana-admin', 'other'):
        stranger = api.as_(who)
        for body in ({'memory_id': theirs['id']}, {'episode_id': message}):
            assert stranger.post('/v1/erasures', body).status_code == 404, (who, body)
        assert stranger.post(f'/v1/changes/{theirs["change_id"]}/revert').status_code == 404
    assert api.as_('other').told('/v1/erasures', {'user_id': 'ben'})['counts']['episodes'] == 0
    assert api.texts('ben') == ['I like tea']


def test_an_erasure_has_to_say_what(api: Api) -> None:
    for body in (
        {},
        {'everywhere': True},
        {'everywhere': True, 'user_id': 'ana'},
        {'everywhere': True, 'shared': True},
        {'user_id': 'ana', 'filters': {}},
        {'user_id': 'ana', 'memory_id': 'a', 'episode_id': 'b'},
    ):
        assert api.post('/v1/erasures', body).status_code == 422, body
    hers = api.as_('ana-admin')
    assert hers.post('/v1/erasures', {'everywhere': True, 'run_id': 's1'}).status_code == 403
    assert hers.call('DELETE', '/v1/subjects/ben').status_code == 403
    assert hers.call('DELETE', '/v1/subjects/ana').status_code == 200


def test_whom_something_is_remembered_of_is_listed_to_admins_of_the_project(api: Api) -> None:
    for user in ('ana', 'ben', 'cleo'):
        api.add('I like tea', user_id=user)
    api.add('Answers briefly', user_id=None, agent_id='bot')

    first = api.shown('/v1/subjects', limit=2, kinds='user')
    rest = api.shown('/v1/subjects', limit=2, kinds='user', cursor=first['next_cursor'])
    assert [one['id'] for one in (*first['items'], *rest['items'])] == ['ana', 'ben', 'cleo']
    assert (rest['next_cursor'], first['items'][0]['memories']) == (None, 1)
    assert [one['kind'] for one in api.shown('/v1/subjects', kinds='agent')['items']] == ['agent']
    assert api.get('/v1/subjects', kinds='agent', cursor=first['next_cursor']).status_code == 422
    assert api.as_('ana-admin').get('/v1/subjects').status_code == 403
    assert api.as_('other').shown('/v1/subjects')['items'] == []


def test_an_export_is_the_document_and_comes_back_by_an_import(api: Api) -> None:
    api.add('I like tea')
    answer = api.get('/v1/export', user_id='ana')
    document = answer.json()

    schema = json.loads((ROOT / 'docs' / 'subject.schema.json').read_text(encoding='utf-8'))
    jsonschema.validate(document, schema)
    assert api.call('POST', '/v1/import', content=answer.content, headers=JSON).json()['status'] == 'known'
    assert 'I like tea' in api.get('/v1/export', user_id='ana', format='markdown').text

    api.call('DELETE', '/v1/subjects/ana')
    report = api.call('POST', '/v1/import', content=answer.content, headers=JSON).json()
    assert report['status'] == 'forgotten'
    dry = api.call('POST', '/v1/import?restore=true&dry_run=true', content=answer.content, headers=JSON).json()
    assert dry['status'] == 'checked'
    assert api.texts() == []
    restored = api.call('POST', '/v1/import?restore=true', content=answer.content, headers=JSON).json()
    assert (restored['status'], restored['counts']['episodes'], api.texts()) == ('restored', 1, ['I like tea'])


JSON = {'Content-Type': 'application/json'}


def test_an_import_that_can_not_be_used_is_refused(api: Api) -> None:
    api.add('I like tea')
    document = api.get('/v1/export', user_id='ana').json()

    for content in (b'', b'[]', b'{}', b'\xff', b'{"format": "memoranda.subject"}'):
        answer = api.call('POST', '/v1/import', content=content, headers=JSON)
        assert answer.status_code in (400, 422), content
    document['episodes'][0]['text'] = 'I like coffee'
    edited = api.call('POST', '/v1/import', json=document)
    assert edited.status_code == 422
    assert api.as_('other').call('POST', '/v1/import', content=json.dumps(document), headers=JSON).status_code == 422


def test_an_export_is_of_one_subject(api: Api) -> None:
    assert api.get('/v1/export').status_code == 422
    assert api.get('/v1/export', user_id='ana', agent_id='bot').status_code == 422
    assert api.as_('ana-admin').get('/v1/export', user_id='ben').status_code == 403
    assert api.as_('ana-admin').shown('/v1/export')['scope'] == {'user_id': 'ana'}


def test_the_audit_log_is_read_and_proved_against_a_checkpoint(api: Api) -> None:
    api.add('I like tea')
    api.add('I like milk', user_id='ben')
    anchor = api.shown('/v1/audit/checkpoint')

    first = api.shown('/v1/audit', limit=1)
    rest = api.shown('/v1/audit', limit=10, cursor=first['next_cursor'])
    assert [e['op'] for e in (*first['items'], *rest['items'])] == ['add', 'add']
    assert first['items'][0]['after'] is None
    assert 'I like tea' in api.shown('/v1/audit', words='true')['items'][0]['after']

    told = api.told('/v1/audit/verify', {'anchor': anchor})
    assert (told['ok'], told['anchored'], told['breaks']) == (True, 2, [])
    assert api.told('/v1/audit/verify', {'user_id': 'ana'})['owners'] == 1
    assert api.post('/v1/audit/verify', {'anchor': anchor | {'project': 'x'}}).status_code == 422
    assert api.as_('ana-admin').told('/v1/audit/verify')['owners'] == 1
    assert api.as_('other').shown('/v1/audit')['items'] == []


def test_who_read_what_is_told_when_the_policy_wants_it_noted() -> None:
    with serving(fast_async(policy=Policy(audit_reads=True))) as api:
        memory_id = api.add('I like tea')['id']
        api.as_('reader').shown(f'/v1/memories/{memory_id}')

        reads = api.shown('/v1/audit/reads', memory_id=memory_id)['items']
        assert [(r['actor'], r['purpose'], r['memory_ids']) for r in reads] == [('key:reader', 'get', [memory_id])]
        assert api.as_('other').get('/v1/audit/reads', memory_id=memory_id).status_code == 404


def test_memories_are_tidied_after_a_dry_run(api: Api) -> None:
    api.add('I like tea', infer=False, confidence=0.1)
    api.add('I like milk', infer=False, pinned=True, confidence=0.1)
    body = {'user_id': 'ana', 'max_confidence': 0.2}

    dry = api.told('/v1/clean', {**body, 'dry_run': True})
    assert (dry['counts'], len(dry['left']), len(api.texts())) == ({'dropped': 1}, 1, 2)
    done = api.told('/v1/clean', body)
    assert api.texts() == ['I like milk']
    api.told(f'/v1/changes/{done["changes"][0]["id"]}/revert')
    assert len(api.texts()) == 2
    assert api.told('/v1/reset', {'user_id': 'ana', 'kinds': ['knowledge']})['counts'] == {'reset': 2}


def test_retention_is_shown_and_applied() -> None:
    from datetime import timedelta

    with serving(fast_async(policy=Policy(retention=(Retention(after=timedelta(microseconds=1)),)))) as api:
        api.add('I like tea')

        dry = api.told('/v1/retention', {'dry_run': True, 'user_id': 'ana'})
        assert (dry['expired'], [m['text'] for m in dry['some_expired']]) == (1, ['I like tea'])
        assert api.told('/v1/retention')['expired'] == 1
        assert api.texts() == []


def test_figures_and_the_key_name_no_places() -> None:
    with serving(fast_async(settings=Settings(project='project-0'))) as api:
        api.add('I like tea')

        stats = api.shown('/v1/stats')
        assert stats['memories'] >= 1
        assert 'location' not in stats
        assert 'details' not in stats
        assert [api.as_(who).get('/v1/stats').status_code for who in ('other', 'ana-admin')] == [403, 403]
        me = api.as_('ana').shown('/v1/me')
        assert (me['name'], me['role'], me['user_id']) == ('ana', 'writer', 'ana')
        assert me['project'] == api.keys['ana'].key.project
