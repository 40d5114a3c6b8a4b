"""Whose memories a run may touch. What can't be told for certain is nobody's: never a bucket that people share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from inspect import isawaitable, iscoroutine
from typing import Any, Final, cast

from pydantic_ai import RunContext

from memoranda.errors import InvalidScope, shown, what_is
from memoranda.scope import Scope

__all__ = ['ScopeFromDeps', 'check_given', 'in_call', 'is_nested', 'mark', 'scope_of']


class ScopeFromDeps:
    """A scope whose user is named by the dependencies of a run, for agents that are made from a file.

    Args:
        path: Where, such as `user_id` or `user.id`; keys of dicts and attributes alike.
        agent_id: As in `Scope`.
        app_id: As in `Scope`.
    """

    def __init__(self, path: str, *, agent_id: str | None = None, app_id: str | None = None) -> None:
        self.path, self.agent_id, self.app_id = path, agent_id, app_id

    def __call__(self, ctx: RunContext[Any]) -> Scope:
        """The scope of a run.

        Raises:
            InvalidScope: There is no such user.
        """
        found: Any = ctx.deps
        for name in self.path.split('.'):
            found = cast('dict[str, Any]', found).get(name) if isinstance(found, dict) else getattr(found, name, None)
        if found is None:
            raise InvalidScope(f'deps have no {self.path}, which names the user: pass deps that do')
        return Scope(user_id=found, agent_id=self.agent_id, app_id=self.app_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScopeFromDeps) and vars(self) == vars(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def check_given(scope: object) -> None:
    """Whether a scope, or what tells it, can be used at all.

    Raises:
        InvalidScope: It can't.
    """
    if isinstance(scope, Scope):
        if scope.is_global:
            raise InvalidScope(
                'scope=Scope() names nobody, so everybody would share one memory: pass Scope(user_id=...), or a '
                'function of the run context that returns one'
            )
    elif not callable(scope):
        raise InvalidScope(
            f'scope={shown(scope)} is {what_is(scope)}: pass Scope(user_id=...), or a function of the run '
            'context that returns one'
        )


def scope_of(given: Scope | Callable[[RunContext[Any]], Scope | None], ctx: RunContext[Any]) -> Scope:
    """The scope of a run, its conversation included.

    A fixed scope without a user is the memory of an agent or an application, whoever it talks to. When a function names
    no user, somebody anonymous is talking: what they say stays in their conversation.

    Raises:
        InvalidScope: Nobody is named.
    """
    if isinstance(given, Scope):
        return given if given.user_id is None else _in_conversation(given, ctx)
    found = cast('object', given(ctx))
    if isawaitable(found):
        if iscoroutine(found):
            found.close()
        raise InvalidScope('the scope function is asynchronous: look the user up before the run, and put it into deps')
    if found is None:
        raise InvalidScope('the scope function returned None')
    if not isinstance(found, Scope):
        raise InvalidScope(f'the scope function returned {what_is(found)}: return Scope(user_id=...)')
    if found.is_global:
        raise InvalidScope('the scope function returned Scope(), which names nobody')
    return _in_conversation(found, ctx)


def _in_conversation(scope: Scope, ctx: RunContext[Any]) -> Scope:
    if scope.run_id is not None or not ctx.conversation_id:
        return scope
    try:
        return replace(scope, run_id=ctx.conversation_id)
    except InvalidScope:  # too long, or with characters no id has
        digest = hashlib.sha256(ctx.conversation_id.encode('utf-8', 'surrogatepass')).hexdigest()
        return replace(scope, run_id=f'sha256:{digest}')


@dataclass(slots=True)
class _Call:
    """What a model has called: a tool, or a function that takes its output."""

    run_id: str | None
    over: bool = False


_CALL: Final = ContextVar[_Call | None]('memoranda.agents.call', default=None)
_RUN: Final = ContextVar[tuple[str | None, bool]]('memoranda.agents.run', default=(None, False))


def mark(ctx: RunContext[Any], *, nested: bool) -> None:
    """Say that calls of this run are told by `in_call`, and whether it is itself started by one."""
    _RUN.set((ctx.run_id, nested))


@contextmanager
def in_call(ctx: RunContext[Any]) -> Generator[None]:
    """While a model's call is carried out. Tasks that outlive it are no part of it."""
    call = _Call(ctx.run_id)
    token = _CALL.set(call)
    try:
        yield
    finally:
        call.over = True
        _CALL.reset(token)


def is_nested(ctx: RunContext[Any]) -> bool:
    """Whether a run was started by a call of another one's model: then its prompt is the words of a model.

    What is started in the body of a stream or an iteration is none, nor what a task starts that outlives the call.
    """
    call = _CALL.get()
    if call is not None and not call.over:
        return call.run_id != ctx.run_id
    try:
        from pydantic_ai._run_context import get_current_run_context
    except ImportError:  # it is private there: then nested runs look like any other
        return False
    outer = get_current_run_context()
    if outer is None or outer.run_id == ctx.run_id:
        return False
    known, nested = _RUN.get()
    if outer.run_id == known:
        return nested
    # A run without a memory does not tell its calls: all that happens while it lasts counts as one.
    return not getattr(outer.__dict__.get('_cancellation'), '_finished', False)
