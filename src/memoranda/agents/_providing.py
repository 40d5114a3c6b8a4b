"""What providers share: how they fail, and how what they found is put in order."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from math import isfinite
from typing import Any, Final, TypeVar, cast

from memoranda.agents.provider import Errors, MemoryConfig, RetrievedMemory
from memoranda.errors import ConfigurationError, InvalidInput, shown, what_is

__all__ = [
    'as_list',
    'as_score',
    'best_of',
    'by_relevance_and_age',
    'check_config',
    'check_errors',
    'forgiving',
    'moment_of',
    'parts_of',
    'raising',
]

log = logging.getLogger('memoranda')

MethodT = TypeVar('MethodT', bound=Callable[..., Coroutine[Any, Any, Any]])
RECENCY_SHARE: Final = 0.3
"""Of the order of the strategy `hybrid`: relevance has the rest."""
HALF_LIFE_DAYS: Final = 30.0
MAX_PARTS: Final = 4
_BORDER = re.compile(
    r'(?<=[.!?;\n。！？])\s*|,?\s+and\s+(?=(?:what|who|whose|when|where|why|how|which|is|are|do|does|did|can)\b)',
    re.IGNORECASE,
)


_RAISING: Final = ContextVar('memoranda.agents.raising', default=False)


@contextmanager
def raising() -> Generator[None]:
    """Let providers raise, whatever their `errors`: who asks has to know what was not stored."""
    token = _RAISING.set(True)
    try:
        yield
    finally:
        _RAISING.reset(token)


def forgiving(nothing: Callable[[], object]) -> Callable[[MethodT], MethodT]:
    """Make a method of a provider answer that there is nothing when it fails, where its `errors` is `'ignore'`.

    Args:
        nothing: Makes that answer.
    """

    def decorate(method: MethodT) -> MethodT:
        @wraps(method)
        async def call(self: object, /, *args: Any, **kwargs: Any) -> object:
            try:
                return await method(self, *args, **kwargs)
            except Exception as error:
                if getattr(self, 'errors', 'raise') != 'ignore' or _RAISING.get():
                    raise
                # Its words may quote what was asked or said.
                log.warning('%s of %s failed (%s)', method.__name__, type(self).__name__, type(error).__name__)
                return nothing()

        return cast('MethodT', call)

    return decorate


def check_errors(errors: object) -> Errors:
    """`'raise'` or `'ignore'`."""
    if errors in ('raise', 'ignore'):
        return errors
    raise ConfigurationError(f"errors={shown(errors)} is unknown: pass 'raise' or 'ignore'")


def check_config(config: object) -> MemoryConfig:
    """A config, checked to be one."""
    if not isinstance(config, MemoryConfig):
        raise ConfigurationError(f'config={shown(config)} is {what_is(config)}: pass MemoryConfig(...)')
    return config


def as_list(messages: Sequence[Any] | Mapping[str, Any] | str) -> list[Any]:
    """Messages; one by itself is one, and not as many as it has letters or keys."""
    if isinstance(messages, str | Mapping):
        return [messages]
    given = cast('object', messages)
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise InvalidInput(
            f'messages={shown(given)} is {what_is(given)}: pass the messages of a run, dicts with role and '
            'content, or text'
        )
    return list(messages)


def as_score(value: object) -> float:
    """A score within 0..1; what has none counts as certain."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return 1.0
    return min(max(float(value), 0.0), 1.0)


def moment_of(memory: RetrievedMemory) -> datetime:
    """When it was said; the earliest moment there is when that isn't known."""
    try:
        at = datetime.fromisoformat(memory.created_at or '')
    except (TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def by_relevance_and_age(found: Sequence[RetrievedMemory]) -> list[RetrievedMemory]:
    """In the order of `0.7 * score + 0.3 * recency`, where recency halves every 30 days before the latest of them."""
    if not found:
        return []
    latest = max(moment_of(memory) for memory in found)

    def weight(memory: RetrievedMemory) -> float:
        days = (latest - moment_of(memory)).total_seconds() / 86_400
        return (1 - RECENCY_SHARE) * memory.score + RECENCY_SHARE * 0.5 ** min(days / HALF_LIFE_DAYS, 60)

    return sorted(found, key=weight, reverse=True)


def parts_of(query: str) -> list[str]:
    """The sentences and questions of a prompt, when it has several: the last ones, where it says what it wants.

    What answers one of them well may score low against all of them together.
    """
    parts = [part.strip() for part in _BORDER.split(query) if len(part.split()) > 1]
    return parts[-MAX_PARTS:] if len(parts) > 1 else []


def best_of(answers: Sequence[Sequence[RetrievedMemory]]) -> list[RetrievedMemory]:
    """Several answers as one: each memory with its highest score, in the order of these when there are several."""
    best: dict[str, RetrievedMemory] = {}
    for memory in (m for answer in answers for m in answer):
        if memory.id not in best or memory.score > best[memory.id].score:
            best[memory.id] = memory
    listed = list(best.values())
    return listed if len(answers) == 1 else sorted(listed, key=lambda m: m.score, reverse=True)
