"""The native API of an application in this process, for tests that call it as a client would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


@contextmanager
def serving(memory: AsyncMemory | None = None) -> Iterator[Api]:
    """An application with a key of each sort."""
    memory = fast_async() if memory is None else memory
    keys = {role: make_key('default', name=role, role=role) for role in ROLES}
    keys['ana'] = make_key('default', name='ana', role='writer', user_id='ana')
    keys['ana-admin'] = make_key('default', name='ana-admin', role='admin', user_id='ana')
    keys['other'] = make_key('other', name='other', role='admin')
    with TestClient(create_app(memory, keys=list(keys.values()), parts=('memoranda.server.native',))) as client:
        yield Api(client, keys, memory)
