"""The surface for Mem0's clients, of an application in this process: requests as those clients send them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.testclient import TestClient

from _fakes import fast_async
from memoranda import AsyncMemory
from memoranda.keys import NewKey, Role, make_key
from memoranda.server.app import create_app
from memoranda.settings import Settings

ROLES: tuple[Role, ...] = ('reader', 'writer', 'reviewer', 'admin')
PARTS = ('memoranda.server.mem0',)


@dataclass(frozen=True)
class Wire:
    """Calls with one key; `as_` gives others."""

    client: TestClient
    keys: Mapping[str, NewKey]
    memory: AsyncMemory
    who: str = 'admin'

    def as_(self, who: str) -> Wire:
        """Calls with another key: a role, `ana` (an admin of her own memories), or `other` (an admin elsewhere)."""
        return replace(self, who=who)

    @property
    def project(self) -> str:
        return self.keys[self.who].key.project

    def call(self, method: str, path: str, body: Any = None, **request: Any) -> Any:
        headers = {'Authorization': f'Token {self.keys[self.who].secret}', **request.pop('headers', {})}
        content = {} if body is None else {'json': body}
        return self.client.request(method, path, headers=headers, **content, **request)

    def told(self, method: str, path: str, body: Any = None, **request: Any) -> Any:
        """What an answer holds that says it worked."""
        answer = self.call(method, path, body, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None, **request: Any) -> tuple[int, str]:
        """Status and words of an answer that says it didn't."""
        answer = self.call(method, path, body, **request)
        assert not answer.is_success, answer.text
        assert set(answer.json()) == {'detail'}, answer.text
        return answer.status_code, answer.json()['detail']

    def add(self, text: str, user_id: str | None = 'ana', **fields: Any) -> str:
        """The id of a memory in these words."""
        ids = {} if user_id is None else {'user_id': user_id}
        body = {'messages': [{'role': 'user', 'content': text}], 'infer': False, **ids, **fields}
        return self.told('POST', '/v3/memories/add/', body)['results'][0]['id']

    def learn(self, *texts: str, **fields: Any) -> dict[str, Any]:
        """The event of an add in the background, once it is done."""
        messages = [{'role': 'user', 'content': text} for text in texts]
        queued = self.told('POST', '/v3/memories/add/', {'messages': messages, 'user_id': 'ana', **fields})
        assert asyncio.run(self.memory.flush()) == 0
        return self.told('GET', f'/v1/event/{queued["event_id"]}/')

    def listed(self, filters: Any = None, **fields: Any) -> list[str]:
        """Words of a listing, sorted."""
        body = {'filters': {'user_id': 'ana'} if filters is None else filters, **fields}
        return sorted(one['memory'] for one in self.told('POST', '/v3/memories/', body)['results'])

    def found(self, query: str, filters: Any = None, **fields: Any) -> list[str]:
        """Words of what a search finds, best first."""
        body = {'query': query, 'filters': {'user_id': 'ana'} if filters is None else filters, **fields}
        return [one['memory'] for one in self.told('POST', '/v3/memories/search/', body)['results']]


def _keys(project: str) -> dict[str, NewKey]:
    keys = {role: make_key(project, name=role, role=role) for role in ROLES}
    keys['ana'] = make_key(project, name='ana', role='admin', user_id='ana')
    keys['other'] = make_key(f'{project}-other', name='other', role='admin')
    return keys


@contextmanager
def serving(
    memory: AsyncMemory | None = None, *, projects: int = 1, settings: Settings | None = None
) -> Iterator[Callable[[], Wire]]:
    """An application, and what gives the next project of it, with a key of each sort."""
    memory = fast_async() if memory is None else memory
    sets = [_keys(f'project-{number}') for number in range(projects)]
    app = create_app(memory, keys=[key for keys in sets for key in keys.values()], settings=settings, parts=PARTS)
    left = iter(sets)
    with TestClient(app) as client:
        yield lambda: Wire(client, next(left), memory)
