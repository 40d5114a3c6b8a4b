"""Errors in the shape and with the statuses that Mem0's clients know."""

from __future__ import annotations

from typing import Any, Final

from fastapi.responses import JSONResponse

from memoranda.server.problems import Problem

__all__ = ['bad', 'is_of_mem0', 'not_offered', 'rendered']

_STATUSES: Final = {422: 400, 507: 503}
"""What the clients have no class for, as the nearest status that they have one for."""
_ROOTS: Final = ('memories', 'search', 'reset', 'configure', 'generate-instructions', 'entities', 'requests', 'auth')
_ROOTS_WITH_KEYS: Final = frozenset((*_ROOTS, 'api-keys'))


def is_of_mem0(path: str) -> bool:
    """Whether a path is one of the platform's, which end with a slash, or of the self-hosted server's."""
    root, _, rest = path.lstrip('/').partition('/')
    if root in ('v1', 'v2', 'v3', 'api'):
        return bool(rest) and path.endswith('/')
    return root in _ROOTS_WITH_KEYS


def rendered(problem: Problem) -> JSONResponse:
    """`{"detail": ...}`, with what is wrong with which field in the words."""
    detail = problem.detail or problem.title
    if problem.errors:
        told = '; '.join(f'{".".join(map(str, one.get("loc", ())))}: {one.get("msg", "")}' for one in problem.errors)
        detail = f'{detail}: {told}'
    body: dict[str, Any] = {'detail': detail}
    if problem.incident:
        body['incident'] = problem.incident
    return JSONResponse(body, status_code=_STATUSES.get(problem.status, problem.status), headers=dict(problem.headers))


def bad(detail: str) -> Problem:
    """What can't be used."""
    return Problem(400, detail)


def not_offered(what: str, why: str) -> Problem:
    """What Mem0's platform has and this server hasn't."""
    return Problem(501, f'{what}: {why}')
