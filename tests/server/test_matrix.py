"""Every route, asked with every sort of key: all as declared. The routes come from the app itself."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx

from _fakes import fast_async
from _server import Served, serving
from memoranda import AsyncMemory
from memoranda.keys import ROLES, make_key
from memoranda.records import new_id, now
from memoranda.server.access import allows
from memoranda.server.app import route_roles

_PARAMETER = re.compile(r'{(\w+)(?::\w+)?}')


def _path(template: str, ids: dict[str, str]) -> str:
    return _PARAMETER.sub(lambda found: ids.get(found[1], 'unknown-' + found[1]), template)


async def _ask(http: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    """With a body that fits no route: what is looked at first is who asks."""
    body: dict[str, Any] = {'json': []} if method in ('POST', 'PUT', 'PATCH') else {}
    return await http.request(method, path, timeout=20, **body)


def test_every_route_lets_in_whom_it_declares_and_nobody_else() -> None:
    async def asked() -> None:
        async with serving() as server:
            roles = route_roles(server.app)
            assert len(roles) > 50
            wrong: list[str] = []
            for (method, template), needed in roles.items():
                path = _path(template, {})
                for held, user in (*((role, None) for role in ROLES), ('reader', 'ana'), ('admin', 'ana')):
                    answer = await _ask(server.client(held, user_id=user), method, path)
                    lets_in = needed == 'public' or allows(held, needed)  # type: ignore[arg-type]
                    # A key for one person may be refused for what it asks about, too; a sign-in for what it holds.
                    refused = answer.status_code in ((401, 403) if user is None and needed != 'public' else (401,))
                    if refused if lets_in else answer.status_code != 403:
                        wrong.append(f'{held} ({user}) {method} {template}: {answer.status_code}')
                    if answer.status_code == 500:
                        wrong.append(f'{held} ({user}) {method} {template}: fails')
            assert wrong == []

    asyncio.run(asked())


def test_every_route_but_the_public_ones_wants_a_key_in_force() -> None:
    async def asked() -> None:
        memory = fast_async()
        async with serving(memory) as server:
            revoked = await memory.keys.create('revoked', role='admin')
            await memory.keys.revoke(revoked.key.id)
            expired = make_key('default', name='expired', role='admin')
            old = now() - timedelta(days=1)
            from dataclasses import replace

            await memory.engine.store.add_key(replace(expired.key, expires_at=old), expired.digest)
            stranger = make_key('default', name='never stored', role='admin')
            public: set[str] = set()
            for (method, template), needed in route_roles(server.app).items():
                path = _path(template, {})
                for headers in (
                    {},
                    *({'X-API-Key': made.secret} for made in (revoked, expired, stranger)),
                ):
                    answer = await _ask(server.client(None, headers=headers), method, path)
                    assert (answer.status_code != 401) == (needed == 'public'), (method, path, answer.status_code)
                if needed == 'public':
                    public.add(template)
            named = {path for path in public if not path.startswith('/console/static/')}
            assert named == {'/health', '/ready', '/openapi.json', '/console/sign-in', '/console/enter'}
            for path in (
                '/mcp',
                '/mcp/',
                '/mcp/x',
                '/docs',
                '/redoc',
                '/',
                '//health',
                '/health/',
                '/HEALTH',
                '/console/',
                '/console/nothing',
            ):
                assert (await server.client(None).get(path)).status_code == 401, path

    asyncio.run(asked())


async def _known(memory: AsyncMemory) -> dict[str, str]:
    """Ids of a project, by the names that routes give them."""
    added = await memory.add('I like tea', user_id='ana')
    (edit,) = added.changes
    (change,) = (await memory.changes(user_id='ana')).items
    return {
        'memory_id': edit.memory_id,
        'item_id': edit.memory_id,
        'change_id': change.id,
        'job_id': added.job_id or new_id(),
        'event_id': added.job_id or new_id(),
    }


def _told(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str]:
    text = answer.text
    for known in ids.values():
        text = text.replace(known, 'ID')
    return answer.status_code, re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', text)


async def _compare(server: Served, ids: dict[str, str]) -> int:
    compared = 0
    unknown = {name: new_id() for name in ids}
    for method, template in route_roles(server.app):
        if not any(name in ids for name in _PARAMETER.findall(template)):
            continue
        foreign = server.client('admin', project='other')
        bodies: list[dict[str, Any]] = [{}] if method in ('GET', 'DELETE') else [{'json': {}}, {'json': {'text': 'x'}}]
        for body in bodies:
            theirs = await foreign.request(method, _path(template, ids), **body)
            nobodys = await foreign.request(method, _path(template, unknown), **body)
            assert _told(theirs, ids) == _told(nobodys, unknown), (method, template)
            assert theirs.status_code >= 400 or theirs.text in ('[]', '{"items":[],"cursor":null}'), (method, template)
            compared += 1
    return compared


def test_an_id_of_another_project_is_told_like_one_that_never_was() -> None:
    async def asked() -> None:
        memory = fast_async()
        async with serving(memory) as server:
            ids = await _known(memory)
            assert await _compare(server, ids) > 10
            (left,) = (await memory.get_all(user_id='ana')).items
            assert left.id == ids['memory_id']
            assert left.version == 1

    asyncio.run(asked())
