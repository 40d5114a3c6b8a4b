"""Reads one message: its clauses against the rules, and what they find as proposals that quote it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from memoranda.records import Episode, MemoryRecord
from memoranda.timewords import find_time
from memoranda.write.extract import Proposal, Quote
from memoranda.write.rules import (
    changes,
    corrections,
    elsewhere,
    events,
    everyday,
    food,
    fragments,
    habits,
    identity,
    instructions,
    labels,
    people,
    places,
    plans,
    replacements,
    retractions,
    tastes,
    tools,
    wishes,
    work,
)
from memoranda.write.rules.composed import Composed
from memoranda.write.rules.conditions import conditioned, limits, passes, sets_condition
from memoranda.write.rules.coordinated import complements
from memoranda.write.rules.drafts import SOFT, Context, Draft, Rule, plain
from memoranda.write.rules.leads import after_lead
from memoranda.write.rules.sentences import Clause, Sentence, read_sentences

__all__ = ['Found', 'Reader']

_CLAUSE_RULES: tuple[Rule, ...] = (
    *everyday.FIRST_RULES,
    *replacements.RULES,
    *retractions.RULES,
    *changes.RULES,
    *instructions.RULES,
    *identity.RULES,
    *places.RULES,
    *work.RULES,
    *people.RULES,
    *tastes.RULES,
    *food.RULES,
    *tools.RULES,
    *plans.RULES,
    *events.RULES,
    *habits.RULES,
    *everyday.RULES,
)
_BEFORE_TIME = re.compile(r'(?:(?:just|only|on|in)\s)?', re.IGNORECASE)
_HEDGED = re.compile(
    r"\b(?:if|unless|whether|would|wouldn't|could(?!n't)|might|maybe|perhaps|probably"
    r"|supposedly|hypothetically|pretend|imagine|suppose|wish|assuming|let's say|in theory"
    r"|someday|one day|was going to|were going to|almost|i guess|i'd|thinking (?:of|about)"
    r'|in another life|in my (?:dreams?|next life)|not sure|as long as|had better|whenever you'
    r'|ever since i was|even when)\b',
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?:i|i'm|im|i've|ive|we|we're|we've|my|our)\b", re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """The proposals so far, of all messages, and where the last sentences began to add to them."""

    proposals: list[Proposal] = field(default_factory=list[Proposal])
    _marks: list[int] = field(default_factory=list[int])

    def add(self, proposal: Proposal) -> None:
        """One more."""
        self.proposals.append(proposal)

    def begin_message(self) -> None:
        """What was said before can't be taken back any more."""
        self._marks.clear()

    def begin_sentence(self) -> None:
        """Note where the next sentence begins to add."""
        self._marks.append(len(self.proposals))

    def take_back(self) -> None:
        """Drop what the sentence before this one said."""
        if len(self._marks) > 1:
            del self.proposals[self._marks[-2] : self._marks[-1]]
            self._marks[-1] = len(self.proposals)


class Reader:
    """Reads one message.

    Args:
        episode: The message.
        index: Its place in the request.
        existing: Memories that may be touched.
        previous: The last message of somebody else.
        asked: What the assistant said just before.
        latest: The memories drawn from the speaker's message before.
        found: Where proposals go, with those of the messages before.
        skipped: Counts by reason.
        own: The message's text, emptied (by line ends) where its speaker doesn't speak for themself.
    """

    def __init__(
        self,
        episode: Episode,
        index: int,
        existing: Sequence[MemoryRecord],
        *,
        previous: str,
        asked: str,
        latest: Sequence[MemoryRecord],
        found: Found,
        skipped: dict[str, int],
        own: str,
    ) -> None:
        self.episode = episode
        self.text = Composed(own)
        self.index = index
        self.name = episode.name.strip() if episode.name and episode.name.strip() else None
        self.existing: list[MemoryRecord] = [r for r in existing if self._is_own(r)]
        self.previous, self.asked, self.latest = previous, asked, latest
        self.found, self.skipped = found, skipped

    def _is_own(self, record: MemoryRecord) -> bool:
        return self.name is None or record.text.lower().startswith(self.name.lower())

    def read(self) -> None:
        """Add the message's proposals to `found`, in the order of its text."""
        text = self.text.text
        sentences = list(read_sentences(text))
        for sentence, after in zip_longest(sentences, sentences[1:]):
            assert sentence is not None
            self.found.begin_sentence()
            for proposal in self._sentence(sentence, after):
                self.found.add(proposal)
        for reading in (labels.read, elsewhere.read, wishes.read):
            for draft, start, end in reading(text, self._context(None, None)):
                if reading is wishes.read and self._is_read(start, end):
                    continue  # another rule knows more of it
                for proposal in self._proposals([draft], start, end, text[start:end]):
                    self.found.add(proposal)

    def _is_read(self, start: int, end: int) -> bool:
        return any(
            quote.message == self.index and quote.start < end and start < quote.end
            for proposal in self.found.proposals
            for quote in proposal.evidence
        )

    def _context(self, sentence: Sentence | None, after: Sentence | None) -> Context:
        ctx = Context(
            self.episode.occurred_at,
            self.existing,
            self.name,
            sentence.text if sentence else '',
            self.previous,
            before=self.text.text[max(0, sentence.start - 160) : sentence.start] if sentence else '',
            following=after.text if after else '',
            asked=self.asked if sentence is not None and sentence.start < 4 else '',
        )

        def read(text: str) -> list[Draft]:
            return _read(text, ctx)

        return replace(ctx, read=read)

    def _sentence(self, sentence: Sentence, after: Sentence | None) -> Iterator[Proposal]:
        ctx = self._context(sentence, after)
        kept = instructions.REMEMBER.match(sentence.text)
        if kept and not sentence.question:
            yield from self._remember(sentence, kept, ctx)
            return
        text, shift = after_lead(sentence.text)
        said = [] if sentence.question else list(fragments.read(sentence.text, ctx))
        if said:
            yield from self._proposals(said, sentence.start, sentence.start + len(sentence.text), sentence.text)
            return
        if not sentence.question:
            cancelled = retractions.TAKES_BACK.match(text)
            if cancelled:
                if ctx.before.strip():
                    self.found.take_back()
                elif retractions.UNSAYS.search(cancelled[0]):
                    ended = [Draft('', r.kind, op='retract', target=r.id) for r in self.latest]
                    yield from self._proposals(ended, sentence.start, sentence.start + shift + cancelled.end(), text)
                text, shift = text[cancelled.end() :], shift + cancelled.end()
            if self._meant(text, sentence.start + shift):
                return
        rules = (
            *(() if sentence.question else (*instructions.SENTENCE_RULES, *retractions.SPOKEN_RULES)),
            *(() if sentence.question else (*corrections.SPOKEN_RULES, *everyday.SPOKEN_RULES)),
            *(
                (*retractions.SENTENCE_RULES, *corrections.RULES, *replacements.SENTENCE_RULES)
                if sentence.stated
                else ()
            ),
        )
        for rule in rules:
            m = rule.pattern.match(text)
            drafts = _listed(rule, m, ctx) if m else []
            if drafts:
                begin = sentence.start + shift
                through = after is not None and any(d.through for d in drafts)
                end = after.start + len(after.text) if through and after else begin + len(text)
                yield from self._proposals(drafts, begin, end, text, passing=sentence.passing)
                return
        if not sentence.stated:
            return
        command = instructions.passing(text, ctx) if sentence.passing and not sentence.question else None
        if command is not None:
            begin = sentence.start + shift
            yield from self._proposals([command], begin, begin + len(text), text, passing=True)
            return
        yield from self._clauses(sentence, ctx)

    def _meant(self, text: str, start: int) -> bool:
        """`Sorry, I meant Porto`: puts the word into the fact said last, if it fits there."""
        m = corrections.MEANT.match(text)
        if not m:
            return False
        recent = self.found.proposals[-3:]
        for record in () if recent else self.latest:
            mended = corrections.mended(record.text, record.value, m['new'])
            if mended is not None:
                draft = Draft(
                    '', record.kind, text=mended[0], slot=record.slot, value=mended[1], op='correct', target=record.id
                )
                for proposal in self._proposals([draft], start, start + len(text), text):
                    self.found.add(proposal)
                return True
        for place in range(len(self.found.proposals) - 1, len(self.found.proposals) - 1 - len(recent), -1):
            earlier = self.found.proposals[place]
            mended = corrections.mended(earlier.text, earlier.value, m['new'])
            if earlier.op in ('add', 'supersede') and mended is not None:
                said, value = mended
                quote = self._quote(start, start + len(text))
                self.found.proposals[place] = replace(
                    earlier, text=said, value=value if earlier.slot else None, evidence=(*earlier.evidence, quote)
                )
                return True
        return False

    def _clauses(self, sentence: Sentence, ctx: Context) -> Iterator[Proposal]:
        timed: tuple[int, Context] | None = None
        bound = False
        for clause, after in zip_longest(sentence.clauses, sentence.clauses[1:]):
            assert clause is not None
            since, within = timed or (None, ctx)
            limited = bound or (after is not None and limits(after.text))
            yield from self._clause(clause, within, since, bound=limited, passing=sentence.passing)
            timed = self._only_time(clause, ctx)
            bound = bound or sets_condition(after_lead(clause.text)[0])

    def _only_time(self, clause: Clause, ctx: Context) -> tuple[int, Context] | None:
        """`Last Friday, ...`: a clause that only names the time of the next one."""
        text, shift = after_lead(clause.text)
        text = re.sub(r'^(?:just|only)\s', '', text, flags=re.IGNORECASE)
        spans = ctx.times(text) if len(text) < 50 else []
        if not spans or spans[0].start > 0 or spans[0].end < len(text):
            return None
        return clause.start + shift, replace(ctx, when=spans[0])

    def _remember(self, sentence: Sentence, kept: re.Match[str], ctx: Context) -> Iterator[Proposal]:
        start = sentence.start + kept.start('v')
        inner = kept['v']
        if '\0' in inner:
            return
        whole = [c for c in sentence.clauses if c.start <= start and c.end >= start + len(inner)]
        clause = Clause(start, inner)
        found = list(self._clause(clause, ctx, passing=sentence.passing)) if whole else []
        # A rule knows kind and slot, but only when it says as much as was to be kept.
        if found and all(len(words) >= 0.6 * len(inner) for words in (p.text for p in found)):
            yield from found
            return
        draft = instructions.remembered(inner, ctx)
        if draft is not None:
            yield from self._proposals([draft], start, start + len(inner), inner, passing=sentence.passing)

    def _clause(
        self, clause: Clause, ctx: Context, since: int | None = None, *, bound: bool = False, passing: bool = False
    ) -> Iterator[Proposal]:
        """What a clause says.

        Its evidence begins at `since`, where its time was named before it. `bound`: its condition was, too.
        """
        text, start = clause.text, clause.start
        if clause.implied:
            text, start, timed = f'I {text}', start - 2, clause.start
        else:
            text, shift = after_lead(text)
            start += shift
            timed = start
            bound = bound or sets_condition(text)
            text, shift, ctx = self._after_time(text, ctx)
            start += shift
            subject = everyday.dropped(text, ctx)
            text, start = subject + text, start - len(subject)
        first = _FIRST.match(text)
        if first and _HEDGED.search(text):
            return
        parts = complements(text, ctx.read) if first else []
        for part, begin, end in parts:
            drafts = _read(part, ctx)
            yield from self._limited(
                drafts, start + begin, start + end, part, ctx=ctx, bound=bound, passing=passing, whole=clause.text
            )
        if parts:
            return
        drafts = _read(text, ctx)
        if drafts:
            begin = timed if since is None else since
            yield from self._limited(
                drafts, begin, clause.end, text, ctx=ctx, bound=bound, passing=passing, whole=clause.text
            )
        if first:
            for draft, begin, end in people.named(text):
                yield from self._proposals([draft], start + begin, start + end, text[begin:end], passing=passing)

    def _limited(
        self,
        drafts: Sequence[Draft],
        start: int,
        end: int,
        text: str,
        *,
        ctx: Context,
        bound: bool,
        passing: bool,
        whole: str,
    ) -> Iterator[Proposal]:
        """The proposals of a clause under its conditions; what holds for today only is kept apart."""
        kept = list(conditioned(corrections.corrected(drafts, ctx), plain(text), bound=bound))
        brief = [] if passing else [d for d in kept if passes(d, whole, ctx)]
        yield from self._proposals([d for d in kept if d not in brief], start, end, text, passing=passing)
        yield from self._proposals(brief, start, end, text, passing=True)

    def _after_time(self, text: str, ctx: Context) -> tuple[str, int, Context]:
        """`Yesterday I ...`: the statement, how far in it begins, and the time."""
        if _FIRST.match(text):
            return text, 0, ctx
        spans = find_time(text[:60], ctx.base)
        if not spans or not _BEFORE_TIME.fullmatch(text, 0, spans[0].start):
            return text, 0, ctx
        rest = text[spans[0].end :]
        bare, shift = after_lead(rest.lstrip(' ,'))
        if not _FIRST.match(bare):
            return text, 0, ctx
        shift += len(text) - len(rest.lstrip(' ,'))
        return bare, shift, replace(ctx, when=spans[0])

    def _proposals(
        self, drafts: Sequence[Draft], start: int, end: int, text: str, *, passing: bool = False
    ) -> Iterator[Proposal]:
        quote = self._quote(start, end)
        soft = SOFT.search(text) is not None
        for draft in drafts:
            brief = passing and draft.op in ('add', 'supersede')
            if brief and self.episode.scope.run_id is None:
                self.skipped['no_session'] = self.skipped.get('no_session', 0) + 1
                continue
            if brief and not self._is_for_run(draft):
                draft = replace(draft, op='add', target=None)
            yield Proposal(
                op=draft.op,
                text='' if draft.op in ('retract', 'confirm', 'reset') else draft.text or self._compose(draft),
                kind=draft.kind,
                slot=draft.slot if draft.text else self._slot(draft.slot),
                value=draft.value,
                target=draft.target,
                level='run' if brief else None,
                confidence=min(draft.confidence, 0.7) if soft else draft.confidence,
                importance=draft.importance,
                valid_from=draft.valid_from,
                valid_to=draft.valid_to,
                evidence=(quote,),
                tags=draft.tags,
            )

    def _is_for_run(self, draft: Draft) -> bool:
        """Whether it replaces nothing, or what holds for this conversation only."""
        return draft.target is None or any(r.id == draft.target and r.level == 'run' for r in self.existing)

    def _quote(self, start: int, end: int) -> Quote:
        text = self.text.text
        while end > start and text[end - 1] in ' \t\n\r,;.:!?…':
            end -= 1
        return Quote(self.index, self.text.stored(start), self.text.stored(end))

    def _slot(self, slot: str | None) -> str | None:
        if slot is None or self.name is None or self.name.lower() == (self.episode.scope.user_id or '').lower():
            return slot
        return f'{slot}@{"-".join(self.name.lower().split())}'

    def _compose(self, draft: Draft) -> str:
        words = ' '.join(draft.words.split())
        if draft.form == 'whole' or self.name is None:
            return words[:1].upper() + words[1:]
        if draft.form == 'owns':
            return f"{self.name}'s {words}"
        return f'{self.name} asks: {words[:1].lower() + words[1:]}' if draft.form == 'asks' else f'{self.name} {words}'


def _read(text: str, ctx: Context) -> list[Draft]:
    """What the first rule that understands a statement makes of it."""
    stripped = plain(text)
    if _FIRST.match(stripped) and _HEDGED.search(stripped):
        return []
    for rule in _CLAUSE_RULES:
        m = rule.pattern.match(stripped)
        drafts = _listed(rule, m, ctx) if m else []
        if drafts:
            return drafts
    return []


def _listed(rule: Rule, m: re.Match[str], ctx: Context) -> list[Draft]:
    drafts = rule.build(m, ctx)
    if drafts is None:
        return []
    return [drafts] if isinstance(drafts, Draft) else list(drafts)
