"""The seam between what an extractor proposes and what may be believed.

Quotes are checked against the stored message, and a fact nobody vouches for is dropped. The tier of a fact is the
weakest among its evidence. The policy decides what has to wait for a person, and what is not kept at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final, get_args

from memoranda.checks import as_moment, check_kind, check_slot, check_tags, check_unit, storable
from memoranda.errors import InvalidInput
from memoranda.policy import Policy
from memoranda.records import KINDS, Episode, Evidence, MemoryRecord, Trust
from memoranda.write.commands import is_standing
from memoranda.write.detect import judge_fact, redact, secret_in, sentence
from memoranda.write.extract import Proposal, ProposalOp
from memoranda.write.foreign import foreign
from memoranda.write.options import MAX_FACT_CHARS, check_metadata, check_value
from memoranda.write.trust import (
    TIERS,
    grounded,
    hostile,
    is_command,
    restates,
    shared,
    source_of,
    weakest,
    without,
)

_DATE_DIGITS: Final = 4
"""A number of so many digits may be part of a date that an extractor has worked out."""

__all__ = ['MAX_FACT_CHARS', 'TIERS', 'Candidate', 'below', 'guard', 'weakest']


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal whose evidence holds."""

    proposal: Proposal
    evidence: tuple[Evidence, ...]
    trust: Trust
    said: Episode
    """The latest message among its evidence: it tells when and under which ids the fact was said."""
    pending: bool = False
    """Whether a person has to approve it before it is recalled: there are reasons for that."""
    reasons: tuple[str, ...] = ()
    """Why, as codes such as `source:tool`."""


def guard(
    proposals: Sequence[Proposal],
    messages: Sequence[Episode],
    *,
    max_chars: int = MAX_FACT_CHARS,
    policy: Policy | None = None,
    previous: Sequence[Episode] = (),
    existing: Sequence[MemoryRecord] = (),
    given: bool = False,
) -> tuple[list[Candidate], Mapping[str, int]]:
    """Check proposals against the messages they come from, and against what a policy allows.

    Args:
        proposals: What an extractor believes.
        messages: What it read.
        max_chars: A longer fact is dropped.
        policy: What may be remembered; by default `Policy()`.
        previous: What was said before in the conversation.
        existing: Memories that were recalled for these messages.
        given: Whether a caller gave the facts as they are.

    Returns:
        Those that may be believed, or wait for a person (`pending`), and counts of the others by reason.
    """
    judge = _Judge(messages, policy or Policy(), previous, existing, given)
    passed: list[Candidate] = []
    dropped: Counter[str] = Counter()
    for proposal in proposals:
        quotes = [q for q in proposal.evidence if 0 <= q.message < len(messages)]
        spans = [(q.message, q.start, q.end) for q in quotes]
        spans = [
            (i, a, b) for i, a, b in spans if 0 <= a < b <= len(messages[i].text) and messages[i].text[a:b].strip()
        ]
        text = proposal.text.strip()
        if not spans:
            dropped['no evidence'] += 1
        elif proposal.op not in ('confirm', 'retract') and not text:
            dropped['empty'] += 1
        elif len(text) > max_chars:
            dropped['too long'] += 1
        elif (proposal := _checked(proposal, judge.policy)) is None:
            dropped['invalid'] += 1
        elif isinstance(found := judge.candidate(proposal, spans), str):
            dropped[found] += 1
        else:
            passed.append(found)
    return passed, dropped


class _Judge:
    """What decides over the candidates of some messages."""

    def __init__(
        self,
        messages: Sequence[Episode],
        policy: Policy,
        previous: Sequence[Episode],
        existing: Sequence[MemoryRecord],
        given: bool,
    ) -> None:
        self.policy = policy
        self._messages, self._previous, self._existing, self._given = messages, previous, existing, given

    def candidate(self, proposal: Proposal, spans: Sequence[tuple[int, int, int]]) -> Candidate | str:
        """The candidate, or the reason why there is none."""
        sourced: list[tuple[int, int, int, Trust | None]] = [(i, a, b, self._source(i, a, b)) for i, a, b in spans]
        held: list[tuple[int, int, int, Trust]] = [(i, a, b, tier) for i, a, b, tier in sourced if tier is not None]
        if not held:
            return 'recalled'
        tiers: list[Trust] = [tier for _, _, _, tier in held]
        trust = weakest(tiers if proposal.trust is None else [*tiers, proposal.trust])
        quotes = [self._messages[i].text[a:b] for i, a, b, _ in held]
        if not self._given and trust in ('user', 'assistant') and self._is_borrowed(proposal.text, quotes):
            trust = 'external'
        if self._is_echo(proposal, trust):
            return 'recalled'
        reasons = self._reasons(proposal, trust, held, quotes)
        if isinstance(reasons, str):
            return reasons
        # What an extractor calls a mere fact is kept as what it is: it holds whatever is asked.
        if not self._given and trust == 'user' and proposal.kind in ('knowledge', 'preference'):
            proposal = replace(proposal, kind='instruction') if any(map(is_standing, quotes)) else proposal
        messages = [self._messages[i] for i, _, _, _ in held]
        return Candidate(
            proposal,
            tuple(Evidence(m.id, a, b, m.text[a:b]) for m, (_, a, b, _) in zip(messages, held, strict=True)),
            trust,
            max(messages, key=lambda m: (m.occurred_at, m.seq)),
            pending=bool(reasons),
            reasons=reasons,
        )

    def _source(self, index: int, start: int, end: int) -> Trust | None:
        message = self._messages[index]
        if self._given:
            return message.trust
        return source_of(message, start, end, (*self._previous, *self._messages[:index]))

    def _is_borrowed(self, text: str, quotes: Sequence[str]) -> bool:
        """Whether it says what stands in somebody else's words only, whatever it quotes."""
        own, theirs = self._voices
        new = {w for w in shared(text, theirs, but=own) if not w[0].isdigit() or len(w) > _DATE_DIGITS}
        return bool(new) and not grounded(text, quotes)

    @cached_property
    def _voices(self) -> tuple[list[str], list[str]]:
        """What the user says, and what others do, in what was read."""
        own: list[str] = []
        theirs: list[str] = []
        for message in (*self._previous, *self._messages):
            if message.role == 'user' and message.trust == 'user':
                spans = foreign(message.text)
                own.append(without(message.text, spans))
                theirs += [message.text[a:b] for a, b in spans]
            elif message.trust in ('tool', 'external'):
                theirs.append(message.text)
        return own, theirs

    def _is_echo(self, proposal: Proposal, trust: Trust) -> bool:
        """Whether a model only says again what it was told from memory."""
        if self._given or trust == 'user':
            return False
        return proposal.op == 'confirm' or (proposal.op == 'add' and restates(proposal.text, self._existing))

    def _reasons(
        self, proposal: Proposal, trust: Trust, held: Sequence[tuple[int, int, int, Trust]], quotes: Sequence[str]
    ) -> tuple[str, ...] | str:
        """Why it has to wait; or, as a text, why it is not kept at all."""
        policy = self.policy
        reasons: list[str] = []
        rules: list[tuple[bool, str, str]] = [
            (policy.write[trust] != 'auto', f'source:{trust}', policy.write[trust]),
            (self._commands(proposal, trust, held, quotes), 'instruction', policy.instructions),
            (proposal.confidence < policy.min_confidence, 'low confidence', policy.below_confidence),
            (not self._given and outranked(proposal, trust, self._existing), f'source:{trust}', 'review'),
            (policy.review == 'all' and not self._given, 'policy:all', 'review'),
        ]
        for applies, code, action in rules:
            if applies and action == 'drop':
                return code
            if applies:
                reasons.append(code)
        found = judge_fact(proposal, [self._around(i, a, b) for i, a, b, _ in held], policy)
        if found.drop is not None:
            return found.drop
        return tuple(dict.fromkeys((*reasons, *found.reasons)))

    def _commands(
        self, proposal: Proposal, trust: Trust, held: Sequence[tuple[int, int, int, Trust]], quotes: Sequence[str]
    ) -> bool:
        if self._given and trust == 'user':
            return False
        if is_command(proposal.text, quotes, trust, proposal.kind):
            return True
        # One command in a page or a mail makes all of it suspect.
        return any(hostile(self._messages[i]) for i, _, _, tier in held if tier in ('tool', 'external'))

    def _around(self, index: int, start: int, end: int) -> str:
        return sentence(self._messages[index].text, start, end)


def outranked(proposal: Proposal, trust: Trust, existing: Iterable[MemoryRecord]) -> bool:
    """Whether it would replace, or take back, what a better source said."""
    if trust == 'user':
        return False
    aimed = (m for m in existing if m.id == proposal.target or (m.slot is not None and m.slot == proposal.slot))
    return any(m.status == 'active' and TIERS.index(m.trust) < TIERS.index(trust) for m in aimed)


def below(candidate: Candidate, existing: Iterable[MemoryRecord]) -> Candidate:
    """The candidate; it waits where it would overrule a better source that was looked up since it was judged."""
    if candidate.pending or not outranked(candidate.proposal, candidate.trust, existing):
        return candidate
    return replace(candidate, pending=True, reasons=(f'source:{candidate.trust}',))


def _checked(proposal: Proposal, policy: Policy) -> Proposal | None:
    """The proposal as it can be stored; None when a field holds what no caller of `add` could pass either."""
    moments: dict[str, datetime | None] = {}
    try:
        for name in ('valid_from', 'valid_to', 'expires_at'):
            moment: datetime | None = getattr(proposal, name)
            moments[name] = None if moment is None else as_moment(moment, name)
        value = check_value(proposal.value, proposal.slot) if proposal.slot and proposal.value else None
        checked = replace(
            proposal,
            text=_told(proposal.text, policy),
            kind=check_kind(proposal.kind),
            slot=None if proposal.slot is None else check_slot(proposal.slot),
            value=None if value is None else _told(value, policy),
            confidence=check_unit('confidence', proposal.confidence),
            importance=check_unit('importance', proposal.importance),
            tags=tuple(_told(t, policy) for t in check_tags(proposal.tags)),
            metadata=check_metadata(proposal.metadata, policy=policy),
            valid_from=moments['valid_from'],
            valid_to=moments['valid_to'],
            expires_at=moments['expires_at'],
        )
    except InvalidInput:
        return None
    if checked.op not in get_args(ProposalOp) or (checked.trust is not None and checked.trust not in TIERS):
        return None
    # A name can't have a mark in it. Without its slot a fact is still a fact.
    if checked.slot is not None and secret_in(checked.slot, policy) is not None:
        checked = replace(checked, slot=None, value=None)
    if checked.kind not in KINDS and secret_in(checked.kind, policy) is not None:
        checked = replace(checked, kind='knowledge')
    backwards = checked.valid_from and checked.valid_to and checked.valid_to <= checked.valid_from
    return None if backwards else checked


def _told(text: str, policy: Policy) -> str:
    """Words that nobody has redacted yet: a model may have put a secret together again."""
    return redact(storable(text), policy)[0]
