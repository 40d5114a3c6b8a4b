"""Asking the person at the client, in both ways the protocol has for it.

Until 2025-11-25 a server sends a request of its own in the middle of a call; since 2026-07-28 it answers that input is
required, and the client calls again with that input. Neither works without the person's client at the other end of this
very process, so it is done on stdio only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mcp import types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from mcp.server import ServerRequestContext

__all__ = ['Asking', 'InputNeeded', 'Reply']

Reply: TypeAlias = Literal['yes', 'no', 'open', 'unasked']
"""
- `yes`, `no`: what the person said
- `open`: the question was put away without an answer
- `unasked`: this client can't ask
"""
_KEY: Final = 'approve'
_SCHEMA: Final[dict[str, Any]] = {
    'type': 'object',
    'properties': {'approve': {'type': 'boolean', 'title': 'Yes, keep it', 'default': True}},
}


class InputNeeded(Exception):
    """The call has to be made again, with what is asked for. Never leaves the package."""

    def __init__(self, message: str) -> None:
        super().__init__('input needed')
        question = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=_SCHEMA))
        self.result = types.InputRequiredResult(input_requests={_KEY: question})


class Asking:
    """Asks one question in the course of a call.

    Args:
        context: Of the call.
        params: What the client sent; its answer, if it was asked before.
        allowed: Whether to ask at all.
    """

    def __init__(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams, *, allowed: bool
    ) -> None:
        self._context, self._params, self._allowed = context, params, allowed

    async def __call__(self, message: str) -> Reply:
        """Ask whether to do something.

        Raises:
            InputNeeded: The answer comes with the next call.
        """
        if not self._allowed or not self._can_ask():
            return 'unasked'
        if self._context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answered = (self._params.input_responses or {}).get(_KEY)
            if not isinstance(answered, types.ElicitResult):
                raise InputNeeded(message)
            return _reply(answered)
        try:
            return _reply(await self._context.session.elicit_form(message, _SCHEMA, self._context.request_id))
        except MCPError:  # it said that it could, and can't
            return 'unasked'

    def _can_ask(self) -> bool:
        told = self._context.session.client_capabilities
        able = None if told is None else told.elicitation
        # Before there were two forms of it, a client declared it without either.
        return able is not None and (able.form is not None or able.url is None)


def _reply(answered: types.ElicitResult) -> Reply:
    if answered.action == 'accept':
        return 'no' if (answered.content or {}).get(_KEY) is False else 'yes'
    return 'no' if answered.action == 'decline' else 'open'
