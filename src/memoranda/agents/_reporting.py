"""What the log and spans tell of a memory in a run: what failed and where, never a word of what was said."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from opentelemetry.trace import Span, StatusCode
from pydantic_ai import RunContext

__all__ = ['operation', 'tell', 'where']

log = logging.getLogger('memoranda')


def tell(what: str, error: Exception, span: Span | None = None, *, timeout: float | None = None) -> None:
    """Say that something failed. An error's own words may quote what was said, so they are left out.

    Args:
        what: What did.
        error: How.
        span: To be marked.
        timeout: After how many seconds a `TimeoutError` was ours.
    """
    if isinstance(error, TimeoutError) and timeout is not None:
        log.warning('%s (TimeoutError: no answer within %g s)', what, timeout)
    else:
        log.warning('%s (%s)', what, where(error))
    if span is not None:
        span.set_attribute('error.type', type(error).__name__)
        span.set_status(StatusCode.ERROR)


def where(error: BaseException) -> str:
    """What failed, and in which line."""
    while isinstance(error, BaseExceptionGroup):
        error = cast('BaseExceptionGroup[BaseException]', error).exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    at = f' at {Path(frames[-1].filename).name}:{frames[-1].lineno}' if frames else ''
    return f'{type(error).__name__}{at}'


@contextmanager
def operation(ctx: RunContext[Any], name: str, *, traced: bool) -> Generator[Span | None]:
    """A span, named by the GenAI semantic conventions for memory.

    Args:
        ctx: Whose tracer.
        name: What is done.
        traced: Whether the memory makes a span by itself: then there is none here.
    """
    if traced:
        yield None
        return
    told = {'gen_ai.operation.name': name}
    with ctx.tracer.start_as_current_span(
        name, attributes=told, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span
