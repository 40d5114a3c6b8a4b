"""The rest of the platform's paths: who a key is, the project, and what isn't offered here, with the reason."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request

from memoranda.errors import MemoryNotFound, shown
from memoranda.server.access import Caller, needs
from memoranda.server.mem0.bodies import ORGANISATION, body_of, query_of
from memoranda.server.mem0.entities import KINDS, MOST_COUNTED, entities_of
from memoranda.server.mem0.errors import not_offered

__all__ = ['NOT_OFFERED', 'router']

router = APIRouter(include_in_schema=False)

Reader = Annotated[Caller, needs('reader')]
Admin = Annotated[Caller, needs('admin')]


@router.get('/v1/ping/')
async def ping(request: Request, caller: Reader) -> dict[str, str]:
    # Without an address in it: clients report one to their makers.
    return {'status': 'ok', 'org_id': ORGANISATION, 'project_id': caller.project, 'user_email': ''}


@router.get('/v1/stats/')
async def stats(request: Request, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    listed, count = await entities_of(caller, skip=0, size=MOST_COUNTED)
    told: dict[str, Any] = {'total_entities': count, 'total_memories': sum(one['total_memories'] for one in listed)}
    return {**told, **{f'total_{kind}s': sum(one['type'] == kind for one in listed) for kind in KINDS}}


_PROJECT: Final = '/api/v1/orgs/organizations/{org_id}/projects/{project_id}/'


@router.get(_PROJECT)
async def get_project(request: Request, org_id: str, project_id: str, caller: Reader) -> dict[str, Any]:
    _own(caller, org_id, project_id)
    project: dict[str, Any] = {
        'id': caller.project,
        'name': caller.project,
        'custom_instructions': None,
        'agent_custom_instructions': None,
        'custom_categories': None,
        'multilingual': True,
        'decay': False,
        'retrieval_criteria': None,
    }
    wanted = request.query_params.getlist('fields')
    return {name: value for name, value in project.items() if name in wanted} if wanted else project


@router.patch(_PROJECT)
async def change_project(request: Request, org_id: str, project_id: str, caller: Admin) -> dict[str, Any]:
    _own(caller, org_id, project_id)
    body = await body_of(request, _SETTABLE)
    wrong = next((name for name, value in body.items() if name in _SETTABLE and value != _AS_IT_IS.get(name)), None)
    if wrong is None:
        return {'message': 'Updated custom instructions'}
    raise not_offered(f'project {wrong}', _SETTABLE[wrong])


_AS_MADE: Final = 'it belongs to the memory as it is made, for all projects alike: set it there, or send it with add'
_SETTABLE: Final[Mapping[str, str]] = {
    'custom_instructions': _AS_MADE,
    'agent_custom_instructions': _AS_MADE,
    'custom_categories': 'kinds belong to the memory as it is made: set them there (kinds=...)',
    'memory_depth': 'there is no such setting',
    'usecase_setting': 'there is no such setting',
    'multilingual': 'facts keep the language they were said in',
    'decay': 'newer memories are preferred gently, always: use retention or clean to let old ones go',
    'retrieval_criteria': 'the ranking is not set by a project',
    'name': 'a project is named by its keys',
    'description': 'a project has no description',
}
_AS_IT_IS: Final[Mapping[str, Any]] = {'multilingual': True, 'decay': False}


def _own(caller: Caller, org_id: str, project_id: str) -> None:
    """Refuse another project as one that doesn't exist."""
    if project_id != caller.project or org_id != ORGANISATION:
        raise MemoryNotFound(f'project {shown(project_id)} does not exist for this key: use what /v1/ping/ tells')


_BY_COMMAND: Final = 'projects come with their keys: run memoranda keys create --project NAME'
_MEMBERS: Final = 'people have no accounts here: whoever has a key of the project is a member, see memoranda keys'
_WEBHOOKS: Final = 'the server calls nobody: ask for events (/v1/events/), or read the changes of the native API'
_ACCOUNTS: Final = 'there are no accounts: set MEM0_API_KEY to a key from memoranda keys create'
_RUSH: Final = "it is a game of Mem0's own service"
_NO_ENTITY: Final = 'whoever is named in an add is there: none has to be created before'
_OLD: Final = 'it was replaced on the platform: use /v3/memories/ and /v3/memories/search/, as current clients do'
_PROJECTS: Final = '/api/v1/orgs/organizations/{org_id}/projects/'
NOT_OFFERED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ('POST', _PROJECTS, 'creating a project', _BY_COMMAND),
    ('GET', _PROJECTS, 'listing projects', _BY_COMMAND),
    ('DELETE', _PROJECT, 'deleting a project', 'it takes memoranda forget on the machine of the server'),
    ('GET', f'{_PROJECT}members/', 'members', _MEMBERS),
    ('POST', f'{_PROJECT}members/', 'members', _MEMBERS),
    ('PUT', f'{_PROJECT}members/', 'members', _MEMBERS),
    ('DELETE', f'{_PROJECT}members/', 'members', _MEMBERS),
    ('GET', '/api/v1/orgs/organizations/', 'organisations', _MEMBERS),
    ('POST', '/api/v1/orgs/organizations/', 'organisations', _MEMBERS),
    ('GET', '/api/v1/webhooks/projects/{project_id}/', 'webhooks', _WEBHOOKS),
    ('POST', '/api/v1/webhooks/projects/{project_id}/', 'webhooks', _WEBHOOKS),
    ('PUT', '/api/v1/webhooks/{webhook_id}/', 'webhooks', _WEBHOOKS),
    ('DELETE', '/api/v1/webhooks/{webhook_id}/', 'webhooks', _WEBHOOKS),
    ('POST', '/api/v1/auth/agent_mode/', 'sign-up', _ACCOUNTS),
    ('PATCH', '/api/v1/auth/agent_mode/caller/', 'sign-up', _ACCOUNTS),
    ('POST', '/api/v1/auth/email_code/', 'sign-up', _ACCOUNTS),
    ('POST', '/api/v1/auth/email_code/verify/', 'sign-up', _ACCOUNTS),
    ('POST', '/v1/agent-rush/memories/', 'AGENTRUSH', _RUSH),
    ('POST', '/v1/agent-rush/memories/search/', 'AGENTRUSH', _RUSH),
    ('POST', '/v1/users/', 'creating a user', _NO_ENTITY),
    ('POST', '/v1/agents/', 'creating an agent', _NO_ENTITY),
    ('POST', '/v1/apps/', 'creating an app', _NO_ENTITY),
    ('POST', '/v1/runs/', 'creating a run', _NO_ENTITY),
    ('GET', '/v1/memories/', 'the first version of get_all', _OLD),
    ('POST', '/v1/memories/search/', 'the first version of search', _OLD),
    ('GET', '/v1/memories/{entity_type}/{entity_id}/', 'memories by entity', _OLD),
)
"""Method, path, what it is, and why it isn't here."""


def _refuse(what: str, why: str) -> Any:
    async def refused(request: Request, caller: Reader) -> None:
        raise not_offered(what, why)

    return refused


for _method, _path, _what, _why in NOT_OFFERED:
    router.add_api_route(_path, _refuse(_what, _why), methods=[_method])
