"""What an agent has to know of a server's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from memoranda.policy import Policy

if TYPE_CHECKING:
    from memoranda.server.native.models import Me

__all__ = ['Rules']


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of a server."""

    policy: Policy
    """Only its rules for reading are the server's; what may be written, the server decides."""
    batch_turns: int = 1

    @classmethod
    def default(cls) -> Rules:
        """Those of a server with no settings of its own."""
        return cls(Policy())

    @classmethod
    def of(cls, me: Me) -> Rules:
        """As the server tells them; of one that doesn't, the strict ones that are ours by default."""
        if not me.read or not me.passages:
            return cls(Policy(), me.batch_turns)
        policy = Policy(read=cast('Any', me.read), passages=cast('Any', me.passages))
        return cls(policy, me.batch_turns)
