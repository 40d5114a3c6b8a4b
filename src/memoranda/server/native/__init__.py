"""The native API, `/v1`: typed, paged by cursors, errors as application/problem+json (docs/http-api.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ['openapi', 'routers']


def routers() -> list[APIRouter]:
    """All routes. FastAPI is imported here, so that `models` needs none of it."""
    from memoranda.server.native import audit, changes, jobs, memories, recall, review, subjects, upkeep

    return [module.router for module in (memories, recall, jobs, review, changes, subjects, audit, upkeep)]


def openapi(document: dict[str, Any]) -> None:
    """Describe in the document what FastAPI can't know."""
    from memoranda.server.native._described import describe

    describe(document)
