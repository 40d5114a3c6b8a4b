"""The native API of an application in this process, for tests that call it as a client would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.testclient import TestClient

from _fakes import fast_async
from memoranda import AsyncMemory
from memoranda.keys import NewKey, Role, make_key
from memoranda.server.app import create_app

ROLES: tuple[Role, ...] = ('reader', 'writer', 'reviewer', 'admin')


@dataclass(frozen=True)
class Api:
    """Calls with one key; `as_` gives others."""

    client: TestClient
    keys: Mapping[str, NewKey]
    memory: AsyncMemory
    who: str = 'admin'

    def as_(self, who: str) -> Api:
        """Calls with another key: a role, `ana` (a writer of her own memories), `ana-admin`, or `other` (a project)."""
        return replace(self, who=who)

    def call(self, method: str, path: str, **request: Any) -> Any:
        headers = {'Authorization': f'Bearer {self.keys[self.who].secret}', **request.pop('headers', {})}
        return self.client.request(method, path, headers=headers, **request)

    def get(self, path: str, **params: Any) -> Any:
        return self.call('GET', path, params=params)

    def post(self, path: str, body: Any = None, **request: Any) -> Any:
        return self.call('POST', path, json={} if body is None else body, **request)

    def told(self, path: str, body: Any = None, **request: Any) -> Any:
        """What a POST answers that works."""
        answer = self.post(path, body, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def shown(self, path: str, **params: Any) -> Any:
        """What a GET answers that works."""
        answer = self.get(path, **params)
        assert answer.is_success, answer.text
        return answer.json()

    def add(self, messages: Any, user_id: str | None = 'ana', **fields: Any) -> dict[str, Any]:
        """The first memory that an add leads to."""
        ids = {} if user_id is None else {'user_id': user_id}
        changes = self.told('/v1/memories', {'messages': messages, **ids, **fields})['changes']
        return changes[-1]['after']

    def texts(self, user_id: str = 'ana', **params: Any) -> list[str]:
        return [m['text'] for m in self.shown('/v1/memories', user_id=user_id, **params)['items']]


_PROJECTS = 60
"""Tests that share an application, each in projects of its own: making one takes longer than most tests."""


def _keys(project: str) -> dict[str, NewKey]:
    keys = {role: make_key(project, name=role, role=role) for role in ROLES}
    keys['ana'] = make_key(project, name='ana', role='writer', user_id='ana')
    keys['ana-admin'] = make_key(project, name='ana-admin', role='admin', user_id='ana')
    keys['other'] = make_key(f'{project}-other', name='other', role='admin')
    return keys


@contextmanager
def serving_many(memory: AsyncMemory | None = None, *, projects: int = _PROJECTS) -> Iterator[Callable[[], Api]]:
    """An application, and what gives the next project of it, with a key of each sort."""
    memory = fast_async() if memory is None else memory
    sets = [_keys(f'project-{number}') for number in range(projects)]
    app = create_app(memory, keys=[key for keys in sets for key in keys.values()], parts=('memoranda.server.native',))
    left = iter(sets)
    with TestClient(app) as client:
        yield lambda: Api(client, next(left), memory)


@contextmanager
def serving(memory: AsyncMemory | None = None) -> Iterator[Api]:
    """An application of its own."""
    with serving_many(memory, projects=1) as following:
        yield following()
