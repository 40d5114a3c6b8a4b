"""From a job's messages to a decision: gate, extract, guard, consolidate. Nothing is written here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from memoranda.checks import as_moment
from memoranda.records import NO_USAGE, Change, Episode, MemoryRecord, Usage, fact_hash, new_id, now
from memoranda.scope import Owner, Reach
from memoranda.stores.data import Moment, Snapshot, Work
from memoranda.write.bursts import held_back
from memoranda.write.consolidate import Decision, consolidate
from memoranda.write.detect import watched_categories
from memoranda.write.extract import Extraction, ExtractionRequest, Extractor, Proposal, PureExtractor, Quote
from memoranda.write.failed import OUTAGES, ModelFailed, ModelResting
from memoranda.write.gate import worth_reading
from memoranda.write.guard import MAX_FACT_CHARS, Candidate, below, guard
from memoranda.write.lessons import leaks
from memoranda.write.waiting import FULL, ask_text

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector

__all__ = ['Drawn', 'Process', 'Related']

log = logging.getLogger('memoranda.write')

SETTING_SECONDS: Final = 30.0
"""When it is tried again what failed for a setting, which somebody has to mend."""

Related: TypeAlias = Callable[[Reach, str], Awaitable[Sequence[MemoryRecord]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the messages of a job say, checked."""

    candidates: Sequence[Candidate] = ()
    lessons: Sequence[Candidate] = ()
    """For the agent, when a user was served."""
    skipped: Mapping[str, int]
    usage: Usage = NO_USAGE
    vectors: Mapping[str, FloatVector]
    """Of the candidates' texts."""
    made_by: str
    """The embedder of these vectors."""
    episodes: Sequence[Episode]
    """The messages."""

    def said_in(self, episodes: Sequence[Episode]) -> Drawn:
        """The same, of the same messages as they were stored since."""
        stored = dict(zip((e.id for e in self.episodes), episodes, strict=True))

        def moved(candidate: Candidate) -> Candidate:
            evidence = tuple(replace(e, episode_id=stored[e.episode_id].id) for e in candidate.evidence)
            return replace(candidate, evidence=evidence, said=stored[candidate.said.id])

        return replace(
            self,
            candidates=[moved(c) for c in self.candidates],
            lessons=[moved(c) for c in self.lessons],
            episodes=episodes,
        )


class Process:
    """The steps of the write path that need no write.

    Args:
        engine: Store, embedder and threads.
        extractor: Draws proposals from messages.
        related: Finds the memories within reach that a text may be about.
    """

    def __init__(self, engine: Engine, extractor: Extractor | PureExtractor, related: Related) -> None:
        self._engine, self.extractor, self._related = engine, extractor, related
        self._told_full = False

    async def draw(self, work: Work) -> Drawn:
        """Read the messages.

        Args:
            work: The messages and their options.
        """
        engine, payload = self._engine, work.job.payload
        extraction, existing = await self._extract(work)
        proposals = await self._without_resets(work, extraction.proposals)
        # What a caller gives as it is may be as long as a message.
        longest = MAX_FACT_CHARS if payload.get('infer', True) else engine.settings.max_text_chars
        candidates, dropped = await engine.compute(
            lambda: guard(
                proposals,
                work.episodes,
                max_chars=longest,
                policy=engine.policy,
                previous=work.previous,
                existing=existing,
                given=not payload.get('infer', True),
            )
        )
        skipped = Counter(extraction.skipped) + Counter(dropped)
        lessons = [c for c in candidates if c.proposal.level == 'agent' and work.owner.kind == 'user']
        candidates = [c for c in candidates if c not in lessons]
        if payload.get('pending'):
            candidates = [replace(c, pending=True, reasons=(*c.reasons, 'lesson')) for c in candidates]
        kept = await self._harmless(work, lessons, candidates, skipped)
        texts = list({' '.join(c.proposal.text.split()) for c in candidates if c.proposal.text})
        made_by = engine.embedder.name
        vectors = dict(zip(texts, await engine.embed(texts), strict=True))
        return Drawn(
            made_by=made_by if made_by == engine.embedder.name else '',
            candidates=candidates,
            lessons=kept,
            skipped=skipped,
            usage=extraction.usage,
            vectors=vectors,
            episodes=work.episodes,
        )

    async def decide(
        self, work: Work, drawn: Drawn, generation: int | None
    ) -> tuple[Decision, int | None, Change | None]:
        """What shall change, on the memories as they are now.

        Args:
            work: Whose messages.
            drawn: What they say.
            generation: The embedding generation of the candidates' vectors; None when they can't be compared.

        Returns:
            The decision, the owner version it was taken at, and the change to commit. The last two are None when
            nothing changes.
        """
        if not drawn.candidates:
            return Decision((), {}), None, None
        engine = self._engine
        given = not work.job.payload.get('infer', True)
        lesson = bool(work.job.payload.get('lesson'))
        actor = 'caller' if given and not lesson else self.extractor.name
        snapshot = await self._snapshot(work.owner, drawn, generation)
        at, change_id = now(), new_id()
        candidates = await held_back(drawn.candidates, work.owner, store=engine.store, policy=engine.policy, at=at)
        candidates = [below(c, snapshot.memories) for c in candidates]
        decision = await engine.compute(
            lambda: consolidate(
                candidates,
                snapshot,
                owner=work.owner,
                actor=actor,
                change_id=change_id,
                at=at,
                review=engine.policy.review != 'off',
                most_waiting=engine.policy.max_waiting,
            )
        )
        if FULL in decision.skipped and not self._told_full:
            self._told_full = True  # once: who floods a queue shall not flood the log
            log.warning('a review queue is full (max_waiting=%s): further ones are dropped', engine.policy.max_waiting)
        if not decision.edits:
            return decision, None, None
        # A memory says that its words were given as they are (`caller`), which profiles and prompts go by; its history
        # says by whom.
        by = work.job.payload.get('by') if given else None
        change = Change(
            id=change_id,
            edits=decision.edits,
            actor=by or actor,
            reason='lesson' if lesson else 'stored as given' if given else 'extraction',
            job_id=work.job.id or None,
            at=at,
        )
        return decision, snapshot.owner_version, change

    async def _snapshot(self, owner: Owner, drawn: Drawn, generation: int | None) -> Snapshot:
        """The memories that candidates may touch."""
        proposals = [c.proposal for c in drawn.candidates]
        hashes = {fact_hash(' '.join(p.text.split()), s) for p in proposals if p.text for s in (None, p.slot)}
        hashes |= {fact_hash(ask_text(p.op, p.target)) for p in proposals if p.target is not None}
        return await self._engine.store.snapshot(
            owner,
            hashes=list(hashes),
            slots=list({p.slot for p in proposals if p.slot}),
            latest=list({p.target for p in proposals if p.target}),
            near=list(drawn.vectors.values()) if generation is not None else (),  # else they are of another embedder
            generation=generation,
        )

    async def _extract(self, work: Work) -> tuple[Extraction, Sequence[MemoryRecord]]:
        """What it says, and the memories that were looked up for it."""
        options = work.job.payload
        if not options.get('infer', True):
            whole = options.get('lesson') or options.get('trust')
            # Of tools only what came with a tier of its own was stored: that too was given.
            given = [i for i, m in enumerate(work.episodes) if m.role in ('user', 'tool') or whole]
            return Extraction(proposals=[_as_given(i, work.episodes[i], options) for i in given]), ()
        engine = self._engine
        readable = await engine.compute(lambda: [m for m in work.episodes if worth_reading(m)])
        if not readable:
            return Extraction(skipped={'gate': len(work.episodes)} if work.episodes else {}), ()
        reach = Reach(work.owner, () if work.scope.run_id is None else (work.scope.run_id,))
        existing = await self._related(reach, '\n'.join(m.text for m in readable))
        request = ExtractionRequest(
            messages=work.episodes,
            previous=work.previous,
            existing=existing,
            scope=work.scope,
            lessons=self._wants_lessons(work),
            instructions=options.get('instructions', ''),
            slots=engine.slots,
            categories=watched_categories(engine.policy),
        )
        extractor = self.extractor
        if isinstance(extractor, PureExtractor):
            ours = type(extractor).__module__.startswith('memoranda.write.')
            found = await engine.compute(lambda: extractor.propose(request), foreign=not ours)
        else:
            found = await self._ask(extractor, request)
        shown = {m.id for m in existing}
        # What it wasn't shown it can't mean: an id from anywhere else is a mistake, or an attack.
        aimed = [p for p in found.proposals if p.target is None or p.target in shown]
        skipped = Counter(found.skipped)
        if len(aimed) < len(found.proposals):
            skipped['unknown target'] += len(found.proposals) - len(aimed)
        return replace(found, proposals=[_stamped(p, work, options) for p in aimed], skipped=skipped), existing

    async def _ask(self, extractor: Extractor, request: ExtractionRequest) -> Extraction:
        """Ask a model, unless it failed so often that it is left alone for a while."""
        engine, breaker = self._engine, self._engine.model_breaker
        rest = breaker.enter()
        if rest > 0:
            raise ModelResting(
                f'the model failed several times in a row ({breaker.cause}) and is asked again in {rest:.1f} s: wait, '
                'or name another model after it',
                reason='unavailable',
                retry_after=rest,
            )
        try:
            found = await engine.on_loop(lambda: extractor.extract(request))
        except ModelFailed as error:
            if error.reason not in OUTAGES:
                breaker.succeeded()  # it answered, if nothing of use
            elif breaker.failed(error.reason, error.retry_after):
                log.warning('the model fails (%s): it is left alone for a while', error.reason)
            raise
        except BaseException:  # an extractor of somebody's own, or cancelled: that tells nothing of a model
            breaker.withdraw()
            raise
        if breaker.succeeded():
            log.info('the model answers again')
        return found

    def _wants_lessons(self, work: Work) -> bool:
        serves = work.owner.kind == 'user' and work.scope.agent_id is not None
        return serves and self._engine.settings.agent_lessons != 'off'

    async def _harmless(
        self, work: Work, lessons: Sequence[Candidate], found: Sequence[Candidate], skipped: Counter[str]
    ) -> list[Candidate]:
        """The lessons that say nothing of the user."""
        if not lessons:
            return []
        if not self._wants_lessons(work):
            skipped['lesson not wanted'] += len(lessons)
            return []
        reach = Reach(work.owner, None)
        names = await self._engine.store.speakers([reach])
        known = await self._related(reach, '\n'.join(c.proposal.text for c in lessons))
        said = [m.text for m in (*work.previous, *work.episodes) if m.role == 'user']
        facts = [*(m.text for m in known), *(c.proposal.text for c in found)]
        names = [*names, *(v for v in (*(m.value for m in known), *(c.proposal.value for c in found)) if v)]
        kept = [c for c in lessons if not leaks(c.proposal.text, said=said, facts=facts, names=names, scope=work.scope)]
        if len(kept) < len(lessons):
            skipped['lesson about the user'] += len(lessons) - len(kept)
        return kept

    async def _without_resets(self, work: Work, proposals: Sequence[Proposal]) -> list[Proposal]:
        """A reset becomes the retraction of everything that belongs to the workspace, as far as it was said before."""
        if not any(p.op == 'reset' for p in proposals):
            return list(proposals)
        from memoranda.write.cleaning import is_workspace

        reach = Reach(work.owner, () if work.scope.run_id is None else (work.scope.run_id,))
        current = await self._engine.store.every([reach], where=None, moment=Moment(now=now()))
        found = [m for m in current if is_workspace(m)]
        return [
            expanded
            for p in proposals
            for expanded in (
                [p] if p.op != 'reset' else [replace(p, op='retract', target=m.id, level=m.level) for m in found]
            )
        ]


def _as_given(index: int, message: Episode, options: Mapping[str, Any]) -> Proposal:
    """A structured fact, stored as the caller gave it."""
    return Proposal(
        op='supersede' if 'supersedes' in options else 'correct' if 'corrects' in options else 'add',
        target=options.get('supersedes') or options.get('corrects'),
        text=message.text,
        kind=options.get('kind') or 'knowledge',
        slot=options.get('slot'),
        value=options.get('value'),
        level='run' if options.get('level') == 'run' else None,
        confidence=options.get('confidence', 1.0),
        importance=options.get('importance', 0.5),
        valid_from=_moment(options, 'valid_from'),
        valid_to=_moment(options, 'valid_to'),
        expires_at=_moment(options, 'expires_at'),
        evidence=(Quote(index, 0, len(message.text)),),
        tags=tuple(options.get('tags') or ()),
        metadata=message.metadata,
        pinned=bool(options.get('pinned')),
    )


def _stamped(proposal: Proposal, work: Work, options: Mapping[str, Any]) -> Proposal:
    """The caller's metadata, tags and expiry on what was drawn from the caller's messages."""
    first = proposal.evidence[0].message if proposal.evidence else -1
    source = work.episodes[first] if 0 <= first < len(work.episodes) else None  # a wrong number is for guard to drop
    return replace(
        proposal,
        metadata={**(source.metadata if source else {}), **proposal.metadata},
        tags=(*proposal.tags, *(t for t in options.get('tags') or () if t not in proposal.tags)),
        expires_at=proposal.expires_at or _moment(options, 'expires_at'),
        pinned=proposal.pinned or bool(options.get('pinned')),
    )


def _moment(options: Mapping[str, Any], name: str) -> Any:
    value = options.get(name)
    return None if value is None else as_moment(value, name)
