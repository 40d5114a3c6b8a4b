"""Extraction without a model: what first-person statements say, by rules.

It prefers silence to a wrong fact. A message goes through `sentences` (what is quoted, asked or supposed drops out),
then each clause meets the rules of every family; `reader` puts the words of a fact together. Sure statements in five
other languages are read by `elsewhere`, lines like `Timezone: Europe/Lisbon` by `labels`, and what an agent learns for
itself by `lessons`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memoranda.records import MemoryRecord, fact_hash
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal
from memoranda.write.rules.lessons import learnt
from memoranda.write.rules.play import own_words
from memoranda.write.rules.reader import Found, Reader

__all__ = ['RulesExtractor']


class RulesExtractor:
    """Reads the user's own statements. Pure and deterministic; time is linear in the text."""

    name = 'rules'
    pure = True

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """The same as `propose`."""
        return self.propose(request)

    def propose(self, request: ExtractionRequest) -> Extraction:
        """What the messages of role `user` state about the one who wrote them.

        Under an agent's id alone also what is plainly a lesson, whoever says it.

        Returns:
            Proposals in the order of the text. `skipped` counts `no_session`: what holds for this conversation only,
            said where no run is named, which would otherwise be remembered for good.
        """
        skipped: dict[str, int] = {}
        found = Found()
        own = own_words(request.messages, request.previous)
        for index, episode in enumerate(request.messages):
            taught = own[index].strip('\n\0') and _is_agents_own(request)
            lessons = list(learnt(episode, index, request.existing)) if taught else []
            for lesson in lessons:
                found.add(lesson)
            if episode.role != 'user':
                continue
            first = len(found.proposals)
            found.begin_message()
            Reader(
                episode,
                index,
                request.existing,
                previous=_before(request, index),
                asked=_asked(request, index),
                latest=_latest(request, index),
                own=own[index],
                found=found,
                skipped=skipped,
            ).read()
            if lessons:
                found.proposals[first:] = [p for p in found.proposals[first:] if not _within(p, lessons)]
        return Extraction(proposals=tuple(_once(_settled(found.proposals, request.existing))), skipped=skipped)


def _is_agents_own(request: ExtractionRequest) -> bool:
    scope = request.scope
    return scope.agent_id is not None and scope.user_id is None


def _within(proposal: Proposal, lessons: Sequence[Proposal]) -> bool:
    """Whether its words were read as a lesson."""
    said = proposal.evidence[0]
    return any(q.start <= said.start and said.end <= q.end for lesson in lessons for q in lesson.evidence)


def _before(request: ExtractionRequest, index: int) -> str:
    """The last message of somebody else before this one."""
    speaker = request.messages[index]
    for message in (*reversed(request.messages[:index]), *reversed(request.previous)):
        if (message.role, message.name) != (speaker.role, speaker.name):
            return message.text[:4000]
    return ''


def _asked(request: ExtractionRequest, index: int) -> str:
    """What the assistant said just before."""
    message = (*request.previous, *request.messages[:index])[-1:]
    return message[0].text[-2000:] if message and message[0].role == 'assistant' else ''


def _latest(request: ExtractionRequest, index: int) -> Sequence[MemoryRecord]:
    """The memories drawn from the speaker's last message before this batch."""
    speaker = request.messages[index]
    own = [m for m in request.previous if (m.role, m.name) == (speaker.role, speaker.name)]
    said = own[-1].id if own else ''
    return [r for r in request.existing if r.evidence and r.evidence[-1].episode_id == said]


def _settled(proposals: Sequence[Proposal], existing: Sequence[MemoryRecord]) -> Iterator[Proposal]:
    """The proposals without retractions of what another proposal of the same message replaces."""
    slots = {r.id: r.slot for r in existing}
    filled = {
        (p.evidence[0].message, p.slot)
        for p in proposals
        if p.slot and p.level is None and p.op in ('add', 'supersede', 'correct')
    }
    replaced = {p.target for p in proposals if p.op in ('supersede', 'correct')}
    for p in proposals:
        if p.op == 'retract' and (
            p.target in replaced
            or ((slot := slots.get(p.target or '')) is not None and (p.evidence[0].message, slot) in filled)
        ):
            continue
        yield p


def _once(proposals: Iterator[Proposal]) -> Iterator[Proposal]:
    seen: set[tuple[str, str | None, str, int]] = set()
    for p in proposals:
        # Once in a message: what the next one says again confirms it, or takes back what came between.
        key = (p.op, p.target, fact_hash(p.text), p.evidence[0].message if p.evidence else -1)
        if key not in seen:
            seen.add(key)
            yield p
