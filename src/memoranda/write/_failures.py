"""What went wrong with a model, without a word of what it was shown or answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_ai import exceptions as api

from memoranda.errors import ConfigurationError, MemorandaError
from memoranda.records import Usage
from memoranda.write.failed import FailureReason, ModelFailed, ModelTimedOut

__all__ = ['failure']

_CODE: Final = re.compile(r'[\w.:-]{1,64}')
_LATER: Final = 'try again later, or name another model after it'
_FIXES: Final[Mapping[FailureReason, str]] = {
    'rate limit': _LATER,
    'quota': 'top up its account, or name another model after it',
    'timeout': 'raise timeout, or name a faster model',
    'unavailable': _LATER,
    'refused': 'name another model after it',
    'too long': 'lower max_input_tokens, or raise its max_tokens',
    'output': 'name a model that is better at structured output',
    'rejected': 'check that it takes tools or structured output',
    'unknown': 'look at the error this one comes from',
}

# The first that fits counts: the classes of HTTP errors are both an HTTP error and their category.
_REASONS: Final[tuple[tuple[type[BaseException], FailureReason, str], ...]] = (
    (api.ModelRateLimitError, 'rate limit', 'was asked too often'),
    (api.ModelQuotaExceededError, 'quota', 'refuses because the account is used up'),
    (api.ModelRequestTimeout, 'timeout', 'did not answer in time'),
    (api.ModelTimeoutError, 'timeout', 'did not answer in time'),
    (TimeoutError, 'timeout', 'did not answer in time'),
    (api.ModelContextWindowExceededError, 'too long', 'takes less input'),
    (api.OutputTokenLimitExceeded, 'too long', 'was cut off before its answer was complete'),
    (api.ContentFilterError, 'refused', 'declined, or its content filter did'),
    (api.ModelUnavailableError, 'unavailable', 'is unavailable'),
    (api.ModelServerError, 'unavailable', 'failed on its side'),
    (api.ModelConnectionError, 'unavailable', 'could not be reached'),
    (api.ModelRequestRejectedError, 'rejected', 'rejects the request'),
    (api.UsageLimitExceeded, 'output', 'needed too many requests'),
    (api.UnexpectedModelBehavior, 'output', 'gave no answer of the right form'),
)


def failure(error: Exception, *, label: str, timeout: float, problem: str, usage: Usage) -> MemorandaError:
    """The error to raise for one that came out of a call.

    Args:
        error: What came out.
        label: The model, as it was named.
        timeout: The seconds an answer may take.
        problem: What was wrong with the model's last answer, if code said so.
        usage: What was spent.

    Returns:
        A `ConfigurationError` for what no retry mends, else a `ModelFailed`.
    """
    single = _single(error)
    if len(single) > 1:
        return _all_failed([failure(e, label=label, timeout=timeout, problem='', usage=usage) for e in single], label)
    error = single[0]
    told = _told(error)
    if _is_setting(error):
        return ConfigurationError(
            f'model {label!r} can not be used ({told}): check its name, its key and what the key may use'
        )
    if isinstance(error, api.UserError):
        return ConfigurationError(f'model {label!r} can not be used: {error}')
    reason, words = _reason(error)
    retry_after = cast('float | None', getattr(error, 'retry_after', None))
    facts = [told]
    if reason == 'timeout':
        facts = [f'{timeout:g} s']
    elif reason == 'output':
        facts = [problem or _misfit(error) or told]
    if retry_after is not None:
        facts.append(f'it asks to wait {retry_after:g} s')
    raised = ModelTimedOut if reason == 'timeout' else ModelFailed
    return raised(
        f'model {label!r} {words} ({", ".join(facts)}): {_FIXES[reason]}',
        reason=reason,
        status_code=getattr(error, 'status_code', None),
        retry_after=retry_after,
        usage=usage,
    )


def _reason(error: Exception) -> tuple[FailureReason, str]:
    for kind, reason, words in _REASONS:
        if isinstance(error, kind):
            return reason, words
    return 'unknown', 'failed'


def _single(error: Exception) -> list[Exception]:
    """The errors of a chain of models, or the one there is."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [e for inner in cast('ExceptionGroup[Any]', error).exceptions for e in _single(inner)]


def _all_failed(failures: list[MemorandaError], label: str) -> MemorandaError:
    """One for all models of a chain: it can be tried again if that may help with any of them."""
    failed = [f for f in failures if isinstance(f, ModelFailed)]
    if not failed:
        return failures[0]
    waits = [f.retry_after for f in failed if f.retry_after is not None]
    reasons = ', '.join(f.reason if isinstance(f, ModelFailed) else 'settings' for f in failures)
    kind = ModelTimedOut if all(isinstance(f, ModelTimedOut) for f in failures) else ModelFailed
    return kind(
        f'models {label!r} all failed ({reasons}): {_LATER}',
        reason=failed[-1].reason,
        status_code=failed[-1].status_code,
        retry_after=min(waits) if waits else None,
        usage=failed[-1].usage,
    )


def _is_setting(error: Exception) -> bool:
    """Whether it would be the same for every message: then no job is to blame."""
    # 403 may be about the content, too.
    rejected = isinstance(error, api.ModelAuthenticationError) and getattr(error, 'status_code', 401) != 403
    return rejected or isinstance(error, api.ModelNotFoundError)


def _told(error: Exception) -> str:
    """Type and codes: an error's own words may quote the request."""
    status: object = getattr(error, 'status_code', None)
    code: object = getattr(error, 'provider_error_code', None)
    told = type(error).__name__
    if isinstance(status, int):
        told += f', HTTP {status}'
    if isinstance(code, str) and _CODE.fullmatch(code):
        told += f', {code}'
    return told


def _misfit(error: BaseException | None) -> str:
    """Where an answer didn't fit the schema: places and types, no values."""
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__
    if error is None:
        return ''
    details = error.errors(include_url=False, include_context=False, include_input=False)
    places = [f'{".".join(map(str, d["loc"])) or "answer"}: {d["type"]}' for d in details]
    more = f' and {len(places) - 3} more' if len(places) > 3 else ''
    return ', '.join(places[:3]) + more
