"""What clients of Mem0 ask for: the surface of its platform, whose paths end with a slash, and of its own server.

`docs/mem0-server.md` lists the routes, what differs, and what is answered with 501.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter, Response

    from memoranda.server.problems import Problem

__all__ = ['owns', 'problem', 'routers']


def routers() -> list[APIRouter]:
    """Its routes."""
    from memoranda.server.mem0 import entities, exports, memories, platform, selfhosted

    return [memories.router, entities.router, exports.router, platform.router, selfhosted.router]


def owns(path: str) -> bool:
    """Whether errors at a path are told as Mem0 tells them."""
    from memoranda.server.mem0.errors import is_of_mem0

    return is_of_mem0(path)


def problem(problem: Problem) -> Response:
    """An error as the clients read it."""
    from memoranda.server.mem0.errors import rendered

    return rendered(problem)
