"""The console: what is remembered, for those who answer for it, at `/console` (docs/console.md). Extra `console`."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from memoranda.server.console.sessions import in_console
from memoranda.server.problems import Problem, rendered

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

__all__ = ['owns', 'problem', 'routers', 'turned_away']

_NEEDED: Final = ('jinja2', 'python_multipart')


def routers() -> list[APIRouter]:
    """The routes of all pages; none when the extra is not installed."""
    if _missing():
        return []
    from memoranda.server.console import entering
    from memoranda.server.console.navigation import modules

    found: list[APIRouter] = [entering.router, *(importlib.import_module(name).router for name in modules())]
    for router in found:
        for route in router.routes:
            route.include_in_schema = False  # type: ignore[attr-defined]
    return found


def owns(path: str) -> bool:
    """Whether a path is of the console, a page's or none."""
    return in_console(path)


def problem(problem: Problem) -> Response:
    """An error as a page."""
    if missing := _missing():
        if problem.status in (401, 404):
            problem = Problem(
                404, f"the console needs a package that is not installed ({missing}): pip install 'memoranda[console]'"
            )
        return rendered(problem)
    from memoranda.server.console.entering import error_page

    return error_page(problem)


def turned_away(request: Request) -> Response:
    """What somebody gets who isn't signed in."""
    if _missing():
        return problem(Problem(401))
    from memoranda.server.console import entering

    return entering.turned_away(request)


def _missing() -> str | None:
    return next((name for name in _NEEDED if find_spec(name) is None), None)
