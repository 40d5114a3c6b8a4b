"""Keys and roles over HTTP: who is let in, as whom, and what the others are told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter

import _server_part
from _fakes import fast_async
from _server import serving
from memoranda.errors import ConfigurationError
from memoranda.keys import ROLES, Role, make_key
from memoranda.records import now
from memoranda.server.access import Caller, needs, public
from memoranda.server.app import create_app
from memoranda.server.keyring import Keys
from memoranda.settings import Settings

PARTS: list[Any] = [_server_part]
HEADERS = [
    lambda key: {'Authorization': f'Bearer {key}'},
    lambda key: {'Authorization': f'Token {key}'},
    lambda key: {'authorization': f'bearer  {key}'},
    lambda key: {'X-API-Key': key},
    lambda key: {'X-API-Key': key, 'Authorization': f'Token {key}'},
]


def test_a_key_comes_in_any_of_three_headers() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client(None) as http:
            for headers in HEADERS:
                answer = await http.get('/test/me/x', headers=headers(server.key('reader')))
                assert answer.status_code == 200

    asyncio.run(asked())


def test_whoever_has_no_valid_key_is_told_the_same() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client(None) as http:
            key = server.key('admin')
            refused = [
                await http.get('/test/me/x', headers=headers)
                for headers in (
                    {},
                    {'Authorization': ''},
                    {'Authorization': 'Bearer'},
                    {'Authorization': f'Basic {key}'},
                    {'Authorization': key},
                    {'Authorization': f'Bearer {key}x'},
                    {'X-API-Key': key[:-1]},
                    {'X-API-Key': 'x' * 60_000},
                    {'X-API-Key': key.swapcase()},
                    {'X-API-Key': key, 'Authorization': f'Bearer {server.key("reader")}'},
                )
            ]
            refused.append(await http.get('/nowhere'))
            refused.append(await http.get(f'/test/me/x?api_key={key}'))
            assert {answer.status_code for answer in refused} == {401}
            assert len({answer.text for answer in refused}) == 1
            assert refused[0].headers['www-authenticate'] == 'Bearer'
            assert refused[0].headers['content-type'] == 'application/problem+json'

    asyncio.run(asked())


def test_a_caller_acts_in_the_project_of_the_key_as_the_key() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            async with server.client('writer', project='other') as http:
                told = (await http.get('/test/me/x')).json()
                assert (told['project'], told['actor'], told['bound']) == ('other', 'key:writer-all', None)
            async with server.client('writer', user_id='ana') as http:
                told = (await http.get('/test/me/x')).json()
                assert (told['project'], told['actor'], told['bound']) == ('default', 'key:writer-ana', 'ana')

    asyncio.run(asked())


def test_a_role_may_do_what_those_below_it_may() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            for role in ROLES:
                async with server.client(role) as http:
                    assert (await http.get('/test/me/x')).status_code == 200
                    answer = await http.get('/test/writer')
                    assert answer.status_code == (403 if role == 'reader' else 200)
            assert 'writer is needed' in (await server.client('reader').get('/test/writer')).json()['detail']

    asyncio.run(asked())


def test_a_key_for_one_person_reaches_nobody_else() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            async with server.client('reader', user_id='ana') as http:
                assert (await http.get('/test/user')).json() == 'ana'
                assert (await http.get('/test/user?user_id=ana')).json() == 'ana'
                assert (await http.get('/test/user?user_id=ben')).status_code == 403
                assert (await http.get('/test/within?run_id=r1')).json() == ['ana', 'r1', None]
                assert (await http.get('/test/within?user_id=ben')).status_code == 403
                assert (await http.get('/test/within?agent_id=coach')).status_code == 403
            async with server.client('reader') as http:
                assert (await http.get('/test/user')).json() is None
                assert (await http.get('/test/user?user_id=ben')).json() == 'ben'
                assert (await http.get('/test/within')).json() == []
                assert (await http.get('/test/within?user_id=ben&agent_id=coach')).json() == ['ben', None, 'coach']

    asyncio.run(asked())


def test_stored_keys_open_until_they_are_revoked_or_expire() -> None:
    async def asked() -> None:
        memory = fast_async(settings=Settings(server_rate=0))  # however fast the machine asks
        async with serving(memory, parts=PARTS) as server, server.client(None) as http:

            async def status(secret: str) -> int:
                return (await http.get('/test/me/x', headers={'X-API-Key': secret})).status_code

            made = await memory.keys.create('app')
            assert await status(made.secret) == 200
            await memory.keys.revoke(made.key.id)
            assert await status(made.secret) == 401
            old = await memory.keys.create('app')
            assert await status(old.secret) == 200
            new = await memory.keys.rotate(old.key.id)
            assert [await status(old.secret), await status(new.secret)] == [401, 200]
            brief = await memory.keys.create('brief', expires_at=now() + timedelta(microseconds=200_000))
            while await status(brief.secret) == 200:  # for a fifth of a second
                pass
            assert now() >= (await memory.keys.get(brief.key.id)).expires_at

    asyncio.run(asked())


class _Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_key_that_nobody_holds_is_looked_up_once_in_two_seconds_and_one_made_here_opens_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def asked() -> None:
        clock = _Clock()
        async with fast_async() as memory, Keys(memory, clock=clock) as keys:
            store, lookups = memory.engine.store, list[bytes]()
            by_digest = store.key_by_digest

            async def noted(digest: bytes) -> Any:
                lookups.append(digest)
                return await by_digest(digest)

            monkeypatch.setattr(store, 'key_by_digest', noted)
            made_up, elsewhere = (make_key('default', name=name, role='admin') for name in ('here', 'elsewhere'))
            for _ in range(10):
                assert await keys.caller(made_up.secret) is None
                assert await keys.caller(elsewhere.secret) is None
            assert len(lookups) == 2

            monkeypatch.setattr('memoranda.keys._secret', lambda: made_up.secret)
            await memory.keys.create('here', role='admin')
            assert await keys.caller(made_up.secret) is not None
            assert await keys.caller(elsewhere.secret) is None

            await store.add_key(elsewhere.key, elsewhere.digest)  # as another process does it
            assert await keys.caller(elsewhere.secret) is None
            clock.at += 2
            assert await keys.caller(elsewhere.secret) is not None
            await memory.keys.revoke(elsewhere.key.id)
            assert await keys.caller(elsewhere.secret) is None

    asyncio.run(asked())


def test_keys_that_are_made_up_drive_out_none_that_somebody_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> None:
        monkeypatch.setattr('memoranda.server.keyring._KNOWN', 8)
        clock = _Clock()
        async with fast_async() as memory, Keys(memory, clock=clock) as keys:
            held = await memory.keys.create('app')
            assert await keys.caller(held.secret) is not None
            for number in range(20):
                assert await keys.caller(make_key('default', name=str(number), role='admin').secret) is None
            monkeypatch.setattr(memory.engine.store, 'key_by_digest', None)
            assert await keys.caller(held.secret) is not None

    asyncio.run(asked())


def test_figures_of_all_projects_are_for_keys_of_the_servers_own_project() -> None:
    async def asked() -> None:
        async def statuses(who: str) -> list[int]:
            settings = Settings(server_metrics=who)  # pyright: ignore[reportArgumentType]
            async with serving(settings=settings, metrics=lambda: (b'figures', 'text/plain')) as server:
                return [
                    (await server.client(role, **whose).get('/metrics')).status_code
                    for role, whose in (
                        ('admin', {}),
                        ('reader', {}),
                        ('admin', {'project': 'other'}),
                        ('admin', {'user_id': 'ana'}),
                        (None, {}),
                    )
                ]

        assert await statuses('admin') == [200, 403, 403, 403, 401]
        assert await statuses('reader') == [200, 200, 403, 403, 401]
        assert await statuses('anybody') == [200] * 5

    asyncio.run(asked())


def test_when_a_key_was_used_is_written_when_the_server_ends() -> None:
    async def asked() -> None:
        memory = fast_async()
        async with memory:
            made = await memory.keys.create('app')
            async with serving(memory, parts=PARTS) as server, server.client(None) as http:
                await http.get('/test/me/x', headers={'X-API-Key': made.secret})
            used = (await memory.keys.get(made.key.id)).last_used_at
            assert used is not None
            assert used >= made.key.created_at

    asyncio.run(asked())


def _part(router: APIRouter) -> ModuleType:
    return SimpleNamespace(routers=lambda: [router])  # type: ignore[return-value]


def test_an_app_with_a_route_that_does_not_say_who_may_call_it_is_not_made() -> None:
    router = APIRouter()

    @router.get('/open')
    async def unguarded() -> str:
        return 'anybody'

    with pytest.raises(ConfigurationError, match=r"'/open' does not say who may call it"):
        create_app(fast_async(), parts=[_part(router)])


def test_a_public_route_has_no_parameter() -> None:
    router = APIRouter()

    @router.get('/{name}', dependencies=[public()])
    async def named(name: str) -> str:
        return name

    with pytest.raises(ConfigurationError, match='is public and has a parameter'):
        create_app(fast_async(), parts=[_part(router)])


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match='root'):
        needs('root')  # type: ignore[arg-type]


def test_of_two_roles_that_a_route_names_the_higher_one_counts() -> None:
    from memoranda.server.app import route_roles

    router = APIRouter()

    @router.get('/two', dependencies=[needs('reader')])
    async def two(caller: Annotated[Caller, needs('reviewer')]) -> str:
        return caller.name

    app = create_app(fast_async(), parts=[_part(router)])
    role: Role | str = route_roles(app)['GET', '/two']
    assert role == 'reviewer'
