"""What is remembered without a model: what the rules read, and what they can't read as it was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memoranda.recall.telling import only_asks
from memoranda.recall.trusting import sentences
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote
from memoranda.write.gate import says_nothing, worth_reading
from memoranda.write.options import MAX_FACT_CHARS
from memoranda.write.rules import RulesExtractor

__all__ = ['KeepingRules']

UNREAD: Final = 0.5
"""How sure it is that a message nobody could read is worth keeping."""


class KeepingRules:
    """The rules; a message of the user's in which they find nothing is kept in its own words.

    Programs written for Mem0 count on it that what they add gets an id and is listed. Greetings, questions and mere
    requests are not kept.
    """

    name = 'rules'

    def __init__(self) -> None:
        self._rules = RulesExtractor()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """The same as `propose`."""
        return self.propose(request)

    def propose(self, request: ExtractionRequest) -> Extraction:
        """Read the messages."""
        found = self._rules.propose(request)
        if found.skipped.get('no_session'):  # it holds for one conversation, and nobody named one
            return found
        read = {quote.message for proposal in found.proposals for quote in proposal.evidence}
        kept = [
            kept
            for index, message in enumerate(request.messages)
            if index not in read and message.role == 'user' and worth_reading(message)
            for kept in _kept(index, message.text)
        ]
        return Extraction(proposals=[*found.proposals, *kept], skipped=found.skipped, usage=found.usage)


def _kept(index: int, text: str) -> Iterator[Proposal]:
    """What is told in a message, beside what is asked for."""
    spans = [(a, b) for a, b in sentences(text) if not says_nothing(text[a:b]) and not only_asks(text[a:b])]
    told = ' '.join(text[a:b].strip() for a, b in spans)
    if told and len(told) <= MAX_FACT_CHARS:
        yield Proposal(text=told, confidence=UNREAD, evidence=tuple(Quote(index, a, b) for a, b in spans))
