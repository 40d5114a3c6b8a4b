"""Extraction without a model: what English first-person statements say, by rules.

It prefers silence to a wrong fact. A message goes through `sentences` (what is quoted, asked or supposed drops out),
then each clause meets the rules of every family; the words of a fact are put together here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from memoranda.records import Episode, MemoryRecord, fact_hash
from memoranda.timewords import find_time
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote
from memoranda.write.rules import (
    changes,
    events,
    habits,
    identity,
    instructions,
    people,
    places,
    plans,
    tastes,
    tools,
    work,
)
from memoranda.write.rules.conditions import conditioned, limits, sets_condition
from memoranda.write.rules.drafts import SOFT, Context, Draft, Rule, plain
from memoranda.write.rules.sentences import Clause, Sentence, read_sentences

__all__ = ['RulesExtractor']


class RulesExtractor:
    """Reads the user's own statements. Pure, deterministic, English only; time is linear in the text."""

    name = 'rules'
    pure = True

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """The same as `propose`."""
        return self.propose(request)

    def propose(self, request: ExtractionRequest) -> Extraction:
        """What the messages of role `user` state about the one who wrote them.

        Returns:
            Proposals in the order of the text. `skipped` counts `no_session`: instructions for this conversation
            only, said where no run is named, which would otherwise be remembered for good.
        """
        skipped: dict[str, int] = {}
        proposals: dict[tuple[str, str | None, str], Proposal] = {}
        for index, episode in enumerate(request.messages):
            if episode.role != 'user':
                continue
            previous = _before(request, index)
            for proposal in _Reader(episode, index, request.existing, previous, skipped).read():
                key = (proposal.op, proposal.target, fact_hash(proposal.text))
                known = proposals.get(key)
                if known is None:
                    proposals[key] = proposal
        return Extraction(proposals=tuple(proposals.values()), skipped=skipped)


def _before(request: ExtractionRequest, index: int) -> str:
    """The last message of somebody else before this one."""
    speaker = request.messages[index]
    for message in (*reversed(request.messages[:index]), *reversed(request.previous)):
        if (message.role, message.name) != (speaker.role, speaker.name):
            return message.text[:4000]
    return ''


_CLAUSE_RULES: tuple[Rule, ...] = (
    *changes.RULES,
    *instructions.RULES,
    *identity.RULES,
    *places.RULES,
    *work.RULES,
    *people.RULES,
    *tastes.RULES,
    *tools.RULES,
    *plans.RULES,
    *events.RULES,
    *habits.RULES,
)
_LEAD = re.compile(
    r'(?:(?:well|hey|hi|hello|so|oh|yeah|yes|yep|yup|ok|okay|and|but|also|plus|btw|by the way|fyi|actually|honestly'
    r'|personally|anyway|anyways|as you know|to be honest|tbh|right now|currently|now'
    r'|these days|nowadays|lately|in fact'
    r'|unfortunately|sadly|luckily|thankfully|of course|hmm|wow|haha|lol|because|since|though'
    r'|although|even though|besides'
    r'|just so you know|in general|generally|as for me|for me|cause|for context|for reference|personally speaking'
    r'|and now|but now|yet|while|whereas|however|hi there|hey there|good (?:morning|evening|afternoon)|after all'
    r'|in my free time|as a result|finally|then|eventually|at the moment|at present|to be fair)'
    r'(?:\s*[,:!.;-]+\s*|\s+)'
    r'|(?:no|nope|note|ps|update|correction|sorry|my bad|thanks|thank you|sure|context|about me|me|fun fact|true|right'
    r'|exactly|absolutely|totally|definitely|cool|nice|great|first|firstly|second|secondly|next|important|reminder'
    r'|preferences?|goals?)\s*[,:!.;-]+\s*'
    r'|(?:for|in|during) (?:the rest of )?this (?:session|chat|conversation|thread),?\s+)',
    re.IGNORECASE,
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


class _Reader:
    """Reads one message."""

    def __init__(
        self,
        episode: Episode,
        index: int,
        existing: Sequence[MemoryRecord],
        previous: str,
        skipped: dict[str, int],
    ) -> None:
        self.episode = episode
        self.index = index
        self.name = episode.name.strip() if episode.name and episode.name.strip() else None
        self.existing: list[MemoryRecord] = [r for r in existing if self._is_own(r)]
        self.previous = previous
        self.skipped = skipped

    def _is_own(self, record: MemoryRecord) -> bool:
        return self.name is None or record.text.lower().startswith(self.name.lower())

    def read(self) -> Iterator[Proposal]:
        """Proposals in the order of the text."""
        for sentence in read_sentences(self.episode.text):
            yield from self._sentence(sentence)

    def _context(self, sentence: Sentence) -> Context:
        return Context(self.episode.occurred_at, self.existing, self.name, sentence.text, self.previous)

    def _sentence(self, sentence: Sentence) -> Iterator[Proposal]:
        ctx = self._context(sentence)
        kept = instructions.REMEMBER.match(sentence.text)
        if kept and not sentence.question:
            yield from self._remember(sentence, kept, ctx)
            return
        text, shift = _after_lead(sentence.text)
        standing = instructions.SENTENCE_RULES if not sentence.question else ()
        for rule in (*standing, *(changes.SENTENCE_RULES if sentence.stated else ())):
            m = rule.pattern.match(text)
            drafts = _listed(rule, m, ctx) if m else []
            if drafts:
                begin = sentence.start + shift
                yield from self._proposals(drafts, begin, begin + len(text), text, sentence)
                return
        if not sentence.stated:
            return
        command = instructions.passing(text, ctx) if sentence.passing and not sentence.question else None
        if command is not None:
            begin = sentence.start + shift
            yield from self._proposals([command], begin, begin + len(text), text, sentence)
            return
        timed: tuple[int, Context] | None = None
        bound = False
        for clause, after in zip_longest(sentence.clauses, sentence.clauses[1:]):
            since, within = timed or (None, ctx)
            limited = bound or (after is not None and limits(after.text))
            yield from self._clause(clause, sentence, within, since, bound=limited)
            timed = self._only_time(clause, ctx)
            bound = bound or sets_condition(_after_lead(clause.text)[0])

    def _only_time(self, clause: Clause, ctx: Context) -> tuple[int, Context] | None:
        """`Last Friday, ...`: a clause that only names the time of the next one."""
        text, shift = _after_lead(clause.text)
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
        whole = [c for c in sentence.clauses if c.start <= start and c.start + len(c.text) >= start + len(inner)]
        found = list(self._clause(Clause(start, inner), sentence, ctx)) if whole else []
        # A rule knows kind and slot, but only when it says as much as was to be kept.
        if found and all(len(words) >= 0.6 * len(inner) for words in (p.text for p in found)):
            yield from found
            return
        draft = instructions.remembered(inner, ctx)
        if draft is not None:
            yield from self._proposals([draft], start, start + len(inner), inner, sentence)

    def _clause(
        self, clause: Clause, sentence: Sentence, ctx: Context, since: int | None = None, *, bound: bool = False
    ) -> Iterator[Proposal]:
        """What a clause says.

        Its evidence begins at `since`, where its time was named before it. `bound`: its condition was, too.
        """
        text, start = clause.text, clause.start
        if clause.implied:
            text, start, timed = f'I {text}', start - 2, clause.start
        else:
            text, shift = _after_lead(text)
            start += shift
            timed = start
            bound = bound or sets_condition(text)
            text, shift, ctx = self._after_time(text, ctx)
            start += shift
        first = _FIRST.match(text)
        if first and _HEDGED.search(text):
            return
        stripped = plain(text)
        for rule in _CLAUSE_RULES:
            m = rule.pattern.match(stripped)
            drafts = _listed(rule, m, ctx) if m else []
            if drafts:
                begin = timed if since is None else since
                drafts = list(conditioned(drafts, stripped, bound=bound))
                yield from self._proposals(drafts, begin, start + len(text), text, sentence)
                break
        if first:
            for draft, begin, end in people.named(text):
                yield from self._proposals([draft], start + begin, start + end, text[begin:end], sentence)

    def _after_time(self, text: str, ctx: Context) -> tuple[str, int, Context]:
        """`Yesterday I ...`: the statement, how far in it begins, and the time."""
        if _FIRST.match(text):
            return text, 0, ctx
        spans = find_time(text[:60], ctx.base)
        if not spans or not _BEFORE_TIME.fullmatch(text, 0, spans[0].start):
            return text, 0, ctx
        rest = text[spans[0].end :]
        bare, shift = _after_lead(rest.lstrip(' ,'))
        if not _FIRST.match(bare):
            return text, 0, ctx
        shift += len(text) - len(rest.lstrip(' ,'))
        return bare, shift, replace(ctx, when=spans[0])

    def _proposals(
        self, drafts: list[Draft], start: int, end: int, text: str, sentence: Sentence
    ) -> Iterator[Proposal]:
        quote = self._quote(start, end)
        soft = SOFT.search(text) is not None
        for draft in drafts:
            passing = sentence.passing and draft.op == 'add'
            if passing and self.episode.scope.run_id is None:
                self.skipped['no_session'] = self.skipped.get('no_session', 0) + 1
                continue
            yield Proposal(
                op=draft.op,
                text='' if draft.op == 'retract' else draft.text or self._compose(draft),
                kind=draft.kind,
                slot=draft.slot if draft.text else self._slot(draft.slot),
                value=draft.value,
                target=draft.target,
                level='run' if passing else None,
                confidence=min(draft.confidence, 0.7) if soft else draft.confidence,
                importance=draft.importance,
                valid_from=draft.valid_from,
                evidence=(quote,),
            )

    def _quote(self, start: int, end: int) -> Quote:
        text = self.episode.text
        while end > start and text[end - 1] in ' \t\n\r,;.:!?…':
            end -= 1
        return Quote(self.index, start, end)

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


def _after_lead(text: str) -> tuple[str, int]:
    shift = 0
    for _ in range(4):
        m = _LEAD.match(text, shift)
        if m is None or m.end() >= len(text):
            break
        shift = m.end()
    return text[shift:], shift


def _listed(rule: Rule, m: re.Match[str], ctx: Context) -> list[Draft]:
    drafts = rule.build(m, ctx)
    if drafts is None:
        return []
    return [drafts] if isinstance(drafts, Draft) else list(drafts)
