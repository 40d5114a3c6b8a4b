"""The OpenAPI document: what FastAPI makes of the routes, with keys, roles and what every route may answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fastapi import FastAPI

    from memoranda.server.surfaces import Surfaces

__all__ = ['describe']

_CONVERTER: Final = re.compile(r':\w+(?=})')
"""Of a parameter such as `{id:path}`, which the document names `{id}`."""
_SCHEMES: Final[dict[str, Any]] = {
    'bearer': {'type': 'http', 'scheme': 'bearer', 'description': '`Authorization: Bearer <key>`'},
    'token': {
        'type': 'apiKey',
        'in': 'header',
        'name': 'Authorization',
        'description': '`Authorization: Token <key>`, as clients of Mem0 send it',
    },
    'header': {'type': 'apiKey', 'in': 'header', 'name': 'X-API-Key'},
}
_PROBLEM: Final[dict[str, Any]] = {
    'type': 'object',
    'title': 'Problem',
    'required': ['type', 'title', 'status'],
    'properties': {
        'type': {'type': 'string'},
        'title': {'type': 'string'},
        'status': {'type': 'integer'},
        'detail': {'type': 'string'},
        'errors': {
            'type': 'array',
            'items': {
                'type': 'object',
                'properties': {
                    'loc': {'type': 'array', 'items': {'anyOf': [{'type': 'string'}, {'type': 'integer'}]}},
                    'msg': {'type': 'string'},
                    'type': {'type': 'string'},
                },
            },
        },
        'incident': {'type': 'string', 'description': 'Under this id the log of the server tells more.'},
    },
}
_EVERYWHERE: Final = {
    '400': 'The body is not JSON that everybody reads alike.',
    '401': 'No valid key.',
    '403': 'The key may not do this.',
    '404': 'There is nothing of this project under that id or path.',
    '408': 'The body took too long.',
    '409': 'Something else changed first.',
    '413': 'The body is too large.',
    '415': 'The body is compressed, or not in UTF-8.',
    '421': 'The server does not go by that name.',
    '422': 'Something in the request can not be used.',
    '429': 'This key asks for more than it may: see Retry-After.',
    '502': 'The messages are stored, and reading them failed. It is tried again.',
    '503': 'The storage does not answer, or the server does as much as it can: see Retry-After.',
    '507': 'The storage is full.',
}


def describe(app: FastAPI, roles: Mapping[tuple[str, str], str], surfaces: Surfaces) -> None:
    """Let the app tell its document so."""
    plain = app.openapi

    def made() -> dict[str, Any]:
        document = plain()
        components = document.setdefault('components', {})
        if 'securitySchemes' in components:  # done before
            return document
        components['securitySchemes'] = _SCHEMES
        components.setdefault('schemas', {})['Problem'] = _PROBLEM
        named = {(method, _CONVERTER.sub('', path)): role for (method, path), role in roles.items()}
        for path, item in document.get('paths', {}).items():
            for method, operation in item.items():
                role = named.get((method.upper(), path))
                if role is not None:
                    _complete(operation, role, bare=surfaces.part_of(path) is None)
        surfaces.openapi(document)
        return document

    app.openapi = made


def _complete(operation: dict[str, Any], role: str, *, bare: bool) -> None:
    if role == 'public':
        operation['security'] = []
        operation.get('responses', {}).pop('422', None)
    else:
        operation['security'] = [{name: []} for name in _SCHEMES]
        operation['x-memoranda-role'] = role
    responses = operation.setdefault('responses', {})
    content = {'application/problem+json': {'schema': {'$ref': '#/components/schemas/Problem'}}}
    for status, description in _EVERYWHERE.items():
        if role == 'public' and status not in ('400', '408', '413', '415', '421', '429', '503'):
            continue
        said = responses.setdefault(
            status, {'description': description, 'content': content} if bare else {'description': description}
        )
        if bare and status == '422':
            said['content'] = content
