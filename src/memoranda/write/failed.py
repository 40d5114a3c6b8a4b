"""What is raised when a model gave nothing that could be used."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from memoranda.errors import MemorandaError
from memoranda.records import NO_USAGE, Usage

__all__ = ['OUTAGES', 'FailureReason', 'ModelFailed', 'ModelResting', 'ModelTimedOut']

FailureReason: TypeAlias = Literal[
    'rate limit', 'quota', 'timeout', 'unavailable', 'refused', 'too long', 'output', 'rejected', 'unknown'
]
"""Why a model gave nothing that could be used.

- `rate limit`: asked too often; `ModelFailed.retry_after` says for how long, if the provider did
- `quota`: the account is used up
- `timeout`: no answer in time
- `unavailable`: the provider can't be reached, is overloaded or failed
- `refused`: the model or the provider's content filter declined
- `too long`: the messages or the answer exceed what the model takes
- `output`: it never fitted the schema
- `rejected`: the provider rejects the request
- `unknown`: anything else
"""


OUTAGES: Final[frozenset[FailureReason]] = frozenset(('rate limit', 'quota', 'timeout', 'unavailable'))
"""Reasons that lie with the provider: the same messages may well succeed later."""


class ModelFailed(MemorandaError):
    """A model gave nothing that could be used. The job stays queued.

    The message holds nothing of what was sent or answered; the error it comes from is its `__cause__`.

    Attributes:
        reason: See `FailureReason`.
        status_code: Of the provider's HTTP answer, where there was one.
        retry_after: Seconds the provider asked to wait, where it did.
        usage: What the failed call cost.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: FailureReason = 'unknown',
        status_code: int | None = None,
        retry_after: float | None = None,
        usage: Usage = NO_USAGE,
    ) -> None:
        super().__init__(message)
        self.reason: FailureReason = reason
        self.status_code, self.retry_after, self.usage = status_code, retry_after, usage


class ModelTimedOut(ModelFailed, TimeoutError):
    """A model didn't answer in time."""


class ModelResting(ModelFailed):
    """The model failed several times in a row and isn't asked for a while. `retry_after` says for how long."""
