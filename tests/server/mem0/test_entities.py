"""Entities, their profiles and what is left after deleting them; exports, summaries, project; the self-hosted paths."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast_async
from _wire import Wire, serving
from memoranda.server.mem0 import deleting
from memoranda.server.mem0.memories import MOST_OF_A_PAGE

SCHEMA = {
    'title': 'Person',
    'type': 'object',
    '$defs': {'Home': {'type': 'object', 'properties': {'street': {'type': 'string'}}}},
    'properties': {
        'city': {'type': 'string', 'description': 'Where they live.'},
        'age': {'anyOf': [{'type': 'integer'}, {'type': 'null'}]},
        'hobbies': {'type': 'array', 'items': {'type': 'string'}},
        'home': {'$ref': '#/$defs/Home'},
        'mood': {'enum': ['good', 'bad']},
        'json': {'type': 'string'},
        'memories': {'type': 'array', 'items': {'type': 'string'}},
        'odd': {'type': 'object'},
    },
}


def entities(wire: Wire, query: str = '') -> list[tuple[str, str, int]]:
    listed = wire.told('GET', f'/v1/entities/{query}')['results']
    return [(one['type'], one['name'], one['total_memories']) for one in listed]


def test_those_whom_something_is_remembered_of_are_listed(wire: Wire) -> None:
    wire.add('one')
    wire.add('two', run_id='s1', agent_id='guide')
    wire.add('of the guide', None, agent_id='guide')
    wire.add('of nobody', None, run_id='s9')
    wire.add('of the app', None, app_id='web')
    assert entities(wire) == [('user', 'ana', 2), ('agent', 'guide', 1), ('run', 's9', 1), ('app', 'web', 1)]
    page = wire.told('GET', '/v1/entities/?page=2&page_size=3')
    assert ([one['name'] for one in page['results']], page['count'], page['next']) == (['web'], 4, None)
    assert wire.told('GET', '/v1/entities/')['total_users'] == 1
    assert wire.told('GET', '/v1/stats/')['total_memories'] == 5
    assert entities(wire.as_('ana')) == [('user', 'ana', 2)]
    assert entities(wire.as_('other')) == []


def test_memories_are_counted_of_those_on_a_page_only(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        wire.add('Likes tea', f'user-{number}')
    store = wire.memory.engine.store
    subjects, counted = store.subjects, list[str]()

    async def noted(**asked: Any) -> Any:
        found = await subjects(**asked)
        counted.extend(one.owner.key for one in found)
        return found

    monkeypatch.setattr(store, 'subjects', noted)
    page = wire.told('GET', '/v1/entities/?page=2&page_size=2')
    assert ([one['name'] for one in page['results']], page['count']) == (['user-2', 'user-3'], 5)
    assert counted == ['user-2', 'user-3']
    assert entities(wire, '?page=4&page_size=2') == []
    assert wire.told('GET', '/v1/stats/')['total_memories'] == 5


def test_without_a_page_all_entities_are_listed_and_each_sort_is_counted(wire: Wire) -> None:
    for number in range(MOST_OF_A_PAGE + 1):
        wire.add('Likes tea', f'user-{number}')
    wire.add('of the guide', None, agent_id='guide')
    everybody = wire.told('GET', '/v1/entities/')
    assert (len(everybody['results']), everybody['count'], everybody['next']) == (202, 202, None)
    page = wire.told('GET', '/v1/entities/?page=2')
    assert (len(page['results']), page['count']) == (2, 202)
    for told in (everybody, page):
        assert (told['total_users'], told['total_agents'], told['total_runs']) == (201, 1, 0)
    wire.add('of ana')
    beyond = wire.as_('ana').told('GET', '/v1/entities/?page=2&page_size=1')
    assert (beyond['results'], beyond['total_users'], beyond['total_agents']) == ([], 1, 0)


def test_the_event_of_a_deletion_that_was_about_many_tells_what_went(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        wire.add('Asked the guide', f'user-{number}', agent_id='guide')
    monkeypatch.setattr(deleting, 'LONGEST_ID', 200)
    gone = wire.told('DELETE', '/v2/entities/agent/guide/')
    assert len(gone['receipt']['chains']) == 3
    event = wire.told('GET', f'/v1/event/{gone["event_id"]}/')
    assert (event['status'], event['results'][0]['memories']) == ('SUCCEEDED', 3)


def test_an_entity_is_forgotten_wherever_it_turns_up_and_the_receipt_holds(wire: Wire) -> None:
    wire.add('Likes tea')
    wire.add('Asked the guide', agent_id='guide', user_id='ana')
    wire.add('The guide knows', None, agent_id='guide')
    gone = wire.told('DELETE', '/v2/entities/agent/guide/')
    assert gone['receipt']['counts']['memories'] == 2
    assert wire.listed() == ['Likes tea']
    event = wire.told('GET', f'/v1/event/{gone["event_id"]}/')
    assert (event['status'], event['event_type'], event['results'][0]['receipt']['id']) == (
        'SUCCEEDED',
        'DELETE',
        gone['receipt']['id'],
    )
    gone = wire.told('DELETE', '/v1/entities/user/ana/')
    assert gone['receipt']['tombstone'] is True
    assert entities(wire) == []
    altered = gone['event_id'][:-8] + 'AAAAAAAA'
    assert wire.refused('GET', f'/v1/event/{altered}/')[0] == 404
    assert wire.as_('other').refused('GET', f'/v1/event/{gone["event_id"]}/')[0] == 404


@pytest.mark.parametrize('id_', ['a b', 'a/b', 'caf\u00e9', 'a?b#c', '100%', 'ana@example.org', 'profile'])
def test_an_entity_may_have_any_id(wire: Wire, id_: str) -> None:
    from urllib.parse import quote

    wire.add('home.city = Lisbon', user_id=id_)
    path = f'/v2/entities/user/{quote(id_, safe="")}/'
    assert wire.told('GET', f'{path}profile/')['entity_id'] == id_
    assert wire.told('DELETE', path)['receipt']['counts']['memories'] == 1


def test_everything_of_a_user_a_run_or_with_metadata_is_deleted(wire: Wire) -> None:
    wire.add('one', run_id='s1')
    wire.add('two', run_id='s2', metadata={'team': 'sales'})
    wire.add('three')
    wire.add('of bo', user_id='bo', run_id='s1')
    wire.told('DELETE', '/v1/memories/?user_id=ana&run_id=s1')
    assert wire.listed() == ['three', 'two']
    wire.told('DELETE', '/v1/memories/?user_id=ana&metadata={"team":"sales"}')
    assert wire.listed() == ['three']
    wire.told('DELETE', '/v1/memories/?run_id=s1')
    assert wire.listed({'user_id': 'bo'}) == []
    gone = wire.told('DELETE', '/v1/memories/?user_id=ana')
    assert gone['counts']['memories'] == 1
    assert wire.told('GET', f'/v1/event/{gone["event_id"]}/')['results'] == [gone['counts']]
    wire.add('back again', timestamp=1_700_000_000)
    assert wire.listed() == ['back again']


def test_a_profile_is_made_of_slots(wire: Wire) -> None:
    assert wire.refused('GET', '/v2/entities/user/ana/profile/')[0] == 404
    wire.add('Likes tea')
    assert wire.told('GET', '/v2/entities/user/ana/profile/')['status'] == 'insufficient_data'
    wire.learn('home.city = Lisbon', 'home = flat', 'name = Ana')
    profile = wire.told('GET', '/v2/entities/user/ana/profile/')
    assert profile['status'] == 'succeeded'
    assert profile['profile'] == {'home': {'': 'flat', 'city': 'Lisbon'}, 'name': 'Ana'}
    sampled = wire.told('POST', '/v2/profiles/jobs/', {'operation': 'sample', 'limit': 2})
    assert (sampled['status'], sampled['entity_ids']) == ('succeeded', ['ana'])
    assert wire.told('GET', sampled['status_url'])['job']['total'] == 1
    settings = wire.told('GET', '/v2/profiles/settings/')
    assert wire.told('POST', '/v2/profiles/settings/', {'enabled': True}) == settings
    for body in ({}, {'operation': 'trigger'}, {'operation': 'sample', 'entity_type': 'agent'}):
        assert wire.refused('POST', '/v2/profiles/jobs/', body)[0] == 400
    assert wire.refused('POST', '/v2/profiles/jobs/', {'operation': 'trigger', 'entity_id': 'bo'})[0] == 404
    assert wire.refused('GET', '/v2/profiles/jobs/unknown/')[0] == 404


def test_an_export_fills_a_schema_and_says_what_is_open(wire: Wire) -> None:
    wire.learn('home.city = Lisbon', 'age = 30', 'profile.hobbies.chess = chess', 'profile.home.street = Rua Augusta')
    wire.add('Likes tea')
    made = wire.call('POST', '/v1/exports/', {'schema': SCHEMA, 'filters': {'AND': [{'user_id': 'ana'}]}})
    assert made.status_code == 201
    filled = wire.told('POST', '/v1/exports/get/', {'memory_export_id': made.json()['id']})
    assert len(filled.pop('memories')) == 5
    assert filled == {
        'city': 'Lisbon',
        'age': 30,
        'hobbies': ['chess'],
        'home': {'street': 'Rua Augusta'},
        'mood': None,
        'json': None,
        'odd': None,
    }


def test_an_export_is_of_the_moment_it_was_asked_for_less_what_was_erased_since(wire: Wire) -> None:
    tea = wire.add('Likes tea')
    schema = {'properties': {'memories': {'type': 'array', 'items': {'type': 'object'}}}}
    made = wire.told('POST', '/v1/exports/', {'schema': str(schema).replace("'", '"'), 'user_id': 'ana'})
    wire.add('Learnt later')

    def words() -> list[str]:
        filled = wire.told('POST', '/v1/exports/get/', {'memory_export_id': made['id']})
        return [one['memory'] for one in filled['memories']]

    assert words() == ['Likes tea']
    assert wire.as_('other').refused('POST', '/v1/exports/get/', {'memory_export_id': made['id']})[0] == 404
    wire.told('PUT', f'/v1/memories/{tea}/', {'text': 'Likes milk'})
    wire.told('DELETE', f'/v1/memories/{tea}/')
    assert words() == ['Likes tea']
    wire.told('DELETE', '/v1/memories/?user_id=ana')
    assert words() == []
    for id_ in ('', 'x', f'{made["id"][:-4]}AAAA', made['id'].replace('export', 'erasure')):
        assert wire.refused('POST', '/v1/exports/get/', {'memory_export_id': id_})[0] == 404
    for body in (
        {'schema': 'x', 'filters': {'user_id': 'ana'}},
        {'schema': {}, 'filters': {'user_id': 'ana'}},
        {'schema': schema, 'filters': 'x'},
        {'schema': schema, 'filters': {'OR': [{'user_id': 'ana'}, {'user_id': 'bo'}]}},
        {'schema': {'properties': {f'f{n}': {'type': 'string'} for n in range(4000)}}, 'filters': {'user_id': 'ana'}},
    ):
        assert wire.refused('POST', '/v1/exports/', body)[0] == 400


def test_an_export_is_filled_from_what_its_filter_lets_through(wire: Wire) -> None:
    wire.learn('home.city = Lisbon', metadata={'team': 'sales'})
    wire.learn('age = 30', metadata={'team': 'support'})
    schema = {'properties': {'city': {'type': 'string'}, 'age': {'type': 'integer'}, 'memories': {'type': 'array'}}}

    def fill(**filters: Any) -> dict[str, Any]:
        made = wire.told('POST', '/v1/exports/', {'schema': schema, 'filters': {'user_id': 'ana', **filters}})
        return wire.told('POST', '/v1/exports/get/', {'memory_export_id': made['id']})

    assert fill(metadata={'team': 'sales'}) == {'city': 'Lisbon', 'age': None, 'memories': ['home.city is Lisbon']}
    assert fill() == {'city': 'Lisbon', 'age': 30, 'memories': ['age is 30', 'home.city is Lisbon']}
    wire.learn('home.city = Porto', agent_id='guide')
    ana = wire.as_('ana')
    for filters, age in (({'agent_id': 'guide'}, None), ({'user_id': 'ana'}, 30), ({}, 30)):
        made = ana.told('POST', '/v1/exports/', {'schema': schema, 'filters': filters})
        filled = ana.told('POST', '/v1/exports/get/', {'memory_export_id': made['id']})
        assert (filled['city'], filled['age']) == ('Porto', age), filters


@pytest.mark.parametrize(
    'properties',
    [
        {'a': 7},
        {'a': {'$ref': 7}},
        {'a': {'$ref': '#/$defs/A'}},
        {'a': {'anyOf': 7}},
        {'a': {'anyOf': [7, {'type': 'null'}]}},
        {'a': {'type': ['string', 'null', 7]}},
        {'a': {'type': {'x': 1}}},
        {'a': {'enum': [{}, 'x']}},
        {'a': {'enum': [True, 1, 'x', 'x']}},
        {'a': {'type': 'array', 'items': 7}},
        {'a': {'type': 'object', 'properties': 7}},
        {'model_config': {'type': 'string'}, '__x': {'type': 'string'}, '': {'type': 'string'}, 'a b': {}},
        {'class': {'type': 'string'}, 'a-b': {'type': 'string'}, '\u00e9': {'type': 'string'}, 'A': {'type': 'string'}},
        {'memories': {'type': 'array', 'items': 7}},
    ],
)
def test_a_field_that_text_can_not_fill_stays_open(wire: Wire, properties: Any) -> None:
    wire.add('Likes tea')
    for more in ({}, {'$defs': 7}, {'$defs': {'A': {'$ref': '#/$defs/A'}}}):
        made = wire.told('POST', '/v1/exports/', {'schema': {'properties': properties, **more}, 'user_id': 'ana'})
        filled = wire.told('POST', '/v1/exports/get/', {'memory_export_id': made['id']})
        assert filled == {name: ['Likes tea'] if name == 'memories' else None for name in properties}


def _forged(id_: str, **changes: Any) -> str:
    """An id with another content behind the same signature."""
    sort, _, text = id_.partition('-')
    raw = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    content = {**json.loads(zlib.decompress(raw[16:])), **changes}
    forged = raw[:16] + zlib.compress(json.dumps(content).encode())
    return f'{sort}-{base64.urlsafe_b64encode(forged).rstrip(b"=").decode()}'


def test_an_id_that_somebody_made_up_altered_or_took_from_another_project_is_none(wire: Wire) -> None:
    wire.add('Likes tea')
    schema = {'properties': {'memories': {'type': 'array'}}}
    export = wire.told('POST', '/v1/exports/', {'schema': schema, 'filters': {'user_id': 'ana'}})['id']
    filled = wire.told('POST', '/v1/exports/get/', {'memory_export_id': export})
    assert len(filled['memories']) == 1
    profiles = wire.told('POST', '/v2/profiles/jobs/', {'operation': 'sample'})['job_id']
    deleted = wire.told('DELETE', '/v1/memories/?user_id=ana')['event_id']
    assert wire.told('GET', f'/v1/event/{deleted}/')['results'] == [{'episodes': 1, 'memories': 1, 'versions': 1}]
    wire.add('Likes tea')
    forgotten = wire.told('DELETE', '/v2/entities/user/ana/')['event_id']

    def status(who: Wire, id_: str) -> int:
        if id_.startswith('export-'):
            return who.call('POST', '/v1/exports/get/', {'memory_export_id': id_}).status_code
        if id_.startswith('profiles-'):
            return who.call('GET', f'/v2/profiles/jobs/{id_}/').status_code
        return who.call('GET', f'/v1/event/{id_}/').status_code

    for id_ in (export, profiles, deleted, forgotten):
        sort, _, body = id_.partition('-')
        other = 'export' if sort == 'erasure' else 'erasure'
        assert status(wire, id_) == 200
        assert status(wire.as_('other'), id_) == 404
        for wrong in (_forged(id_, deleted={'counts': 7}), _forged(id_), id_[:-4], f'{sort}-{"A" * 200}', f'{id_}A'):
            assert status(wire, wrong) == 404, wrong
        assert status(wire, f'{other}-{body}') == 404


def test_ids_that_hold_what_they_stand_for_work_on_another_process(tmp_path: Path) -> None:
    with serving(fast_async(tmp_path / 'm.db')) as following:
        wire = following()
        wire.learn('home.city = Lisbon')
        export = wire.told('POST', '/v1/exports/', {'schema': SCHEMA, 'filters': {'user_id': 'ana'}})['id']
        wire.add('of bo', user_id='bo')
        gone = wire.told('DELETE', '/v2/entities/user/bo/')['event_id']
    with serving(fast_async(tmp_path / 'm.db')) as following:
        wire = following()
        assert wire.told('POST', '/v1/exports/get/', {'memory_export_id': export})['city'] == 'Lisbon'
        assert wire.told('GET', f'/v1/event/{gone}/')['status'] == 'SUCCEEDED'


def test_what_slots_leave_open_is_filled_by_a_model_where_one_is_set() -> None:
    from memoranda.settings import Settings

    memory = fast_async(settings=Settings(model='test'))
    with serving(memory) as following:
        wire = following()
        wire.learn('home.city = Lisbon')
        schema = {
            'type': 'object',
            'properties': {'city': {'type': 'string'}, 'mood': {'type': 'string'}},
            'required': ['city', 'mood'],
        }
        made = wire.told('POST', '/v1/exports/', {'schema': schema, 'filters': {'user_id': 'ana'}})
        filled = wire.told('POST', '/v1/exports/get/', {'memory_export_id': made['id']})
        assert (filled['city'], filled['mood']) == ('Lisbon', 'a')


def test_a_summary_tells_what_is_remembered_in_order(wire: Wire) -> None:
    wire.add('Likes tea', timestamp=1_700_000_000)
    wire.add('Plays the cello')
    told = wire.told('POST', '/v1/summary/', {'filters': {'user_id': 'ana'}})
    assert [(one['user_id'], one['summary']) for one in told] == [('ana', 'Likes tea\nPlays the cello')]
    assert wire.told('POST', '/v1/summary/', {'filters': {'user_id': 'bo'}}) == []


def test_the_project_is_shown_and_no_other(wire: Wire) -> None:
    ping = wire.told('GET', '/v1/ping/')
    assert ping == {'status': 'ok', 'org_id': 'memoranda', 'project_id': wire.project, 'user_email': ''}
    path = f'/api/v1/orgs/organizations/memoranda/projects/{wire.project}/'
    assert wire.told('GET', path)['name'] == wire.project
    assert wire.told('GET', f'{path}?fields=name&fields=decay') == {'name': wire.project, 'decay': False}
    assert wire.told('PATCH', path, {'multilingual': True})['message']
    for other in (f'organizations/memoranda/projects/{wire.project}-other', f'organizations/x/projects/{wire.project}'):
        assert wire.refused('GET', f'/api/v1/orgs/{other}/')[0] == 404


def test_the_paths_of_its_own_server_answer_as_its_library_does(wire: Wire) -> None:
    body = {'messages': [{'role': 'user', 'content': 'home.city = Lisbon'}], 'user_id': 'ana', 'run_id': 's1'}
    added = wire.told('POST', '/memories', {**body, 'metadata': {'team': 'sales'}})['results']
    assert [(one['memory'], one['event']) for one in added] == [('home.city is Lisbon', 'ADD')]
    id_ = added[0]['id']
    wire.told('POST', '/memories', {'messages': 'Likes tea', 'user_id': 'ana', 'infer': False})
    assert [one['memory'] for one in wire.told('GET', '/memories?user_id=ana&top_k=1')['results']] == ['Likes tea']
    assert len(wire.told('GET', '/memories?user_id=ana&show_expired=true')['results']) == 2
    one = wire.told('GET', f'/memories/{id_}')
    assert {name: one[name] for name in ('memory', 'user_id', 'run_id', 'metadata')} == {
        'memory': 'home.city is Lisbon',
        'user_id': 'ana',
        'run_id': 's1',
        'metadata': {'team': 'sales'},
    }
    for search in ({'user_id': 'ana'}, {'filters': {'user_id': 'ana'}}, {'filters': {'AND': [{'user_id': 'ana'}]}}):
        found = wire.told('POST', '/search', {'query': 'which city', **search, 'explain': True})['results']
        assert (found[0]['memory'], set(found[0]['score_details'])) == (
            'home.city is Lisbon',
            {'semantic', 'bm25', 'entity'},
        )
    narrowed = {'query': 'city', 'filters': {'user_id': 'ana', 'team': {'ne': 'sales'}}}
    assert [one['memory'] for one in wire.told('POST', '/search', narrowed)['results']] == ['Likes tea']
    assert wire.refused('POST', '/search', {'query': 'city'})[0] == 400
    assert wire.told('PUT', f'/memories/{id_}', {'text': 'Lives in Lisbon', 'metadata': {'n': 1}})['message']
    assert wire.told('GET', f'/memories/{id_}')['metadata'] == {'team': 'sales', 'n': 1}
    past = wire.told('GET', f'/memories/{id_}/history')
    assert [(one['event'], one['is_deleted']) for one in past] == [('ADD', 0), ('UPDATE', 0)]
    assert wire.told('DELETE', f'/memories/{id_}') == {'message': 'Memory deleted successfully!'}
    assert wire.refused('GET', f'/memories/{id_}')[0] == 404
    assert [one['event'] for one in wire.told('GET', f'/memories/{id_}/history')] == ['ADD', 'UPDATE', 'DELETE']
    assert [one['name'] for one in wire.told('GET', '/entities')] == ['ana']
    assert set(wire.told('GET', '/configure')) == {'version', 'llm', 'embedder', 'vector_store'}
    assert wire.told('DELETE', '/memories?user_id=ana')['message']
    assert wire.told('GET', '/memories?user_id=ana')['results'] == []


def test_its_own_server_compares_metadata_in_all_the_ways_of_the_library(wire: Wire) -> None:
    wire.add('one', metadata={'team': 'sales', 'n': 1, 'tags': ['a', 'b']})
    wire.add('two', metadata={'team': 'Support', 'n': 5})
    wire.add('three')

    def found(filters: Any) -> list[str]:
        listed = wire.told('POST', '/search', {'query': 'x', 'user_id': 'ana', 'filters': filters})['results']
        return sorted(one['memory'] for one in listed)

    assert found({'n': {'gte': 5}}) == ['two']
    assert found({'n': {'gt': 1, 'lt': 9}}) == ['two']
    assert found({'n': {'lte': 1}}) == ['one']
    assert found({'team': {'in': ['sales', 'x']}}) == found({'team': ['sales', 'x']}) == ['one']
    assert found({'team': {'nin': ['sales']}}) == ['three', 'two']
    assert found({'team': {'icontains': 'SUPP'}}) == ['two']
    assert found({'tags': {'contains': 'b'}}) == ['one']
    assert found({'AND': [{'n': {'gte': 1}}, {'NOT': [{'team': 'sales'}]}]}) == ['two']
    assert found({'team': 'sales', 'metadata': {'team': 'sales'}}) == ['one']
    assert found({'team': 'sales', 'metadata': {'team': 'Support'}}) == []
    assert found({'team': 'sales', 'metadata': {'n': {'gte': 2}}}) == []
    for filters in ({'n': {'like': 1}}, {'n': {}}, {'metadata': 7, 'n': 1}):
        assert wire.refused('POST', '/search', {'query': 'x', 'user_id': 'ana', 'filters': filters})[0] == 400


KEYED: list[tuple[str, str, Any]] = [
    ('POST', '/v3/memories/', {'filters': {'user_id': 'bo'}}),
    ('POST', '/v3/memories/search/', {'query': 'x', 'filters': {'user_id': 'bo'}}),
    ('POST', '/v3/memories/add/', {'messages': 'x', 'user_id': 'bo'}),
    ('POST', '/v3/memories/add/', {'messages': 'x', 'agent_id': 'guide'}),
    ('POST', '/v3/memories/add/', {'messages': 'x', 'user_id': 'ana', 'filters': {'app_id': 'web'}}),
    ('POST', '/memories', {'messages': 'x', 'user_id': 'ana', 'agent_id': 'guide'}),
    ('DELETE', '/v1/memories/?user_id=bo', None),
    ('DELETE', '/v1/memories/?agent_id=guide', None),
    ('DELETE', '/v1/memories/?user_id=ana&app_id=web', None),
    ('DELETE', '/v2/entities/user/bo/', None),
    ('DELETE', '/v2/entities/agent/guide/', None),
    ('GET', '/v2/entities/user/bo/profile/', None),
    ('POST', '/v2/profiles/jobs/', {'operation': 'sample'}),
    ('POST', '/v1/exports/', {'schema': {'properties': {}}, 'filters': {'user_id': 'bo'}}),
    ('POST', '/v1/summary/', {'filters': {'OR': [{'user_id': 'ana'}, {'user_id': 'bo'}]}}),
    ('GET', '/memories?user_id=bo', None),
    ('POST', '/search', {'query': 'x', 'user_id': 'bo'}),
]


def test_a_key_for_one_person_reaches_nobody_else(wire: Wire) -> None:
    bo = wire.add('of bo', user_id='bo', agent_id='guide')
    wire.add('of the guide', None, agent_id='guide')
    ana = wire.as_('ana')
    wire.add('of ana', agent_id='guide')
    for method, path, body in KEYED:
        assert ana.refused(method, path, body)[0] == 403, path
    for method, path, body in (
        ('GET', f'/v1/memories/{bo}/', None),
        ('PUT', f'/v1/memories/{bo}/', {'text': 'x'}),
        ('DELETE', f'/v1/memories/{bo}/', None),
        ('GET', f'/v1/memories/{bo}/history/', None),
        ('PUT', '/v1/batch/', {'memories': [{'memory_id': bo, 'text': 'x'}]}),
        ('POST', '/v1/feedback/', {'memory_id': bo, 'feedback': 'POSITIVE'}),
        ('GET', f'/memories/{bo}', None),
    ):
        assert ana.refused(method, path, body)[0] == 404, path
        assert wire.as_('other').refused(method, path, body)[0] == 404, path
    for filters in ({'agent_id': 'guide'}, {'user_id': 'ana'}, {'user_id': '*'}, {}):
        assert ana.listed(filters) == ['of ana']
        assert ana.found('of', filters) == ['of ana']
    assert wire.listed({'agent_id': 'guide'}) == ['of ana', 'of bo', 'of the guide']
    ana.add('in a run', None, run_id='s1')
    assert ana.listed() == ['in a run', 'of ana']
    ana.told('DELETE', '/v1/memories/?run_id=s1')
    assert ana.listed() == ['of ana']
    ana.told('DELETE', '/v1/memories/?user_id=ana')
    assert wire.listed({'agent_id': 'guide'}) == ['of bo', 'of the guide']


def test_a_key_may_do_what_its_role_allows(wire: Wire) -> None:
    id_ = wire.add('of ana')
    said = {'messages': 'x', 'user_id': 'ana'}
    for path, body in (('/v3/memories/add/', said), ('/v1/feedback/', {'memory_id': id_})):
        assert wire.as_('reader').refused('POST', path, body)[0] == 403
    for path in ('/v1/memories/?user_id=ana', '/v2/entities/user/ana/', '/memories?user_id=ana'):
        assert wire.as_('reviewer').refused('DELETE', path)[0] == 403
    assert wire.as_('reader').listed() == ['of ana']
    for headers in ({}, {'Authorization': 'Token nobody'}, {'X-API-Key': 'nobody'}):
        answer = wire.client.post('/v3/memories/', json={}, headers=headers)
        assert (answer.status_code, list(answer.json())) == (401, ['detail'])
