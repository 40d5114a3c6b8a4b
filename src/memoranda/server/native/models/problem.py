"""An error as it is told: RFC 9457."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from memoranda.server.native.models._base import Told

__all__ = ['FieldProblem', 'Problem']


class FieldProblem(Told):
    """What doesn't fit in one field. The value that was sent is not repeated."""

    loc: list[str | int]
    """Where: `body` or `query`, then names and positions."""
    msg: str
    type: str


class Problem(Told):
    """An error."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [
                {
                    'type': 'urn:memoranda:InvalidScope',
                    'title': 'Unprocessable Content',
                    'status': 422,
                    'detail': 'no id was given: pass user_id',
                }
            ]
        }
    )

    type: str
    """`urn:memoranda:` and the name of an exception of `memoranda.errors`, or `about:blank`."""
    title: str
    """The status in words."""
    status: int
    detail: str | None = None
    """The value, the reason and the fix; never what is remembered."""
    errors: list[FieldProblem] = Field(default_factory=list[FieldProblem])
    """What doesn't fit, field by field."""
    incident: str | None = None
    """The id under which the server's log tells more."""
