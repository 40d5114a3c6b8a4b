"""What an agent learns for itself, from plain statements of its own or of those who build it.

Only under an agent's id alone, where no user is. Taken are forms that hardly say anything else: what worked, what a
tool does or doesn't do, what is switched off, what to do when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from memoranda.records import Episode, MemoryRecord
from memoranda.write.extract import Proposal, ProposalOp, Quote
from memoranda.write.rules.known import newest
from memoranda.write.rules.sentences import Sentence, read_sentences

__all__ = ['learnt']

_LONGEST = 300
_LABEL = re.compile(
    r'(?:lesson(?: learn(?:ed|t))?|note to self|takeaway|pitfall|gotcha|caveat|what worked|rule of thumb|tip|workaround'
    r'|root cause)\s?[:–—-]\s(?P<v>.{8,300})$',
    re.IGNORECASE,
)
_CAUSE = re.compile(
    r'(?:i (?:have |\'ve )?(?:found|identified|figured out|discovered|located) (?:the|what the) (?:cause|problem'
    r'|reason|issue|culprit)'
    r'(?: is| was)?|(?:it )?turns out(?: that)?|the (?:cause|reason|problem|culprit) (?:is|was)(?: that)?'
    r'|i (?:have |\'ve )?(?:learned|learnt|found out|discovered|noticed|realized|realised) '
    r'that)\s?[:,]?\s(?P<v>.{8,300})$',
    re.IGNORECASE,
)
_WORKED = re.compile(
    r'(?P<v>(?P<doing>[a-z-]{3,20}ing)\s[^?]{3,160}?\s(?:worked|helped|did the trick|(?:fixed|solved|resolved'
    r'|avoids|avoided'
    r'|prevents|prevented|fixes|solves) (?:it|this|that|the \w+(?:[ -]\w+){0,3}|\w+ errors?|timeouts?)))(?=$|[,;]'
    r'|\s(?:so|and)\b)',
    re.IGNORECASE,
)
_THING = (
    r'(?:tool|api|endpoint|function|service|script|query|parser|library|database|server|index|cache|search|export'
    r'|import'
    r'|importer|exporter|scraper|crawler|client|sdk|cli|command|plugin|webhook|queue|pipeline|job|report|page|form'
    r'|field'
    r'|file|table|column|model|website|site|portal|calendar|gateway|driver|connector|integration|test suite|build)'
)
_PROPERTY = re.compile(
    rf"(?:the|our|this)\s(?:[\w./-]+\s){{0,4}}?{_THING}s?\s(?:(?:does not|doesn't|do not|don't|cannot|can't|can "
    rf'only|only|never|always)\s[a-z]'
    r'|(?:requires?|needs?|expects?|rejects?|accepts?|ignores?|returns?|times? out|fails?|breaks?|limits?|caps?'
    r'|truncates?'
    r'|rate[- ]limits?)\b).{4,200}$',
    re.IGNORECASE,
)
_NOT_LASTING = re.compile(
    r'\b(?:today|right now|currently|at the moment|again|yesterday|just now|this (?:time|morning|week)|you|your|my user'
    r'|maybe|might|probably|perhaps|could|would|if|i think|seems?|should)\b',
    re.IGNORECASE,
)
_OWN_TALK = re.compile(r"[,;]?\s(?:so|and)\s(?:i'll|i will|i'm|i am|i|let me|we'll|you)\b.*$", re.IGNORECASE)
_ANAPHORA = re.compile(r'\b(?:it|them|this|that|these|those)\b', re.IGNORECASE)
_POLICY = re.compile(
    r'(?:when(?:ever)?|if|before|after|every time|each time|for)\s[^,?]{4,120},\s(?:please\s)?(?:always|never|first'
    r"|do not|don't|make sure"
    r'|check|ask|use|verify|confirm|escalate)\b.{3,160}$',
    re.IGNORECASE,
)
_OFF = re.compile(
    r'(?:the|our)\s(?P<what>[^,;?]{2,60}?)\s(?:is|was|has been|are|have been|is now|was just)\s(?:now |just '
    r')?(?:switched off|turned off'
    r'|deprecated|removed|retired|shut down|no longer (?:available|supported|used)|gone|discontinued|replaced'
    r'|renamed)\b',
    re.IGNORECASE,
)
_USE_INSTEAD = re.compile(
    r'(?P<v>(?:please\s)?(?:use|read|call|query|send|write|get|fetch|post|take|look|run|import|switch'
    r'|go)\s.{3,160}?)(?:\sinstead|\sfrom now on)$',
    re.IGNORECASE,
)
_INSTEAD_OF = re.compile(
    r'(?P<v>(?:use|call|query|run|read)\s[^,;?]{2,60}?)\s(?:instead of|rather than|and not)\s(?P<old>[^,;?]{2,60}?)$',
    re.IGNORECASE,
)
_TOKEN = re.compile(r'[\w./:-]*[/._\d-][\w./:-]*\w|[A-Z]\w+')


def learnt(episode: Episode, index: int, existing: Sequence[MemoryRecord]) -> Iterator[Proposal]:
    """The lessons of a message of the assistant, or of a developer."""
    if episode.role not in ('user', 'assistant'):
        return
    sentences = [s for s in read_sentences(episode.text) if not s.question]
    skip = 0
    for place, sentence in enumerate(sentences):
        if skip:
            skip -= 1
            continue
        before = sentences[place - 1] if place else None
        after = sentences[place + 1] if place + 1 < len(sentences) else None
        replaced = _replaced(sentence, after, index, existing)
        if replaced is not None:
            skip = 1 if after is not None and replaced.evidence[0].end > sentence.start + len(sentence.text) else 0
            yield replaced
            continue
        found = _lesson(sentence, before, episode)
        if found is not None:
            text, start, end, kind = found
            yield _proposal(index, text, start, end, kind)


def _proposal(
    index: int, text: str, start: int, end: int, kind: str, op: ProposalOp = 'add', target: str | None = None
) -> Proposal:
    text = text.strip(' .!,;')
    return Proposal(
        op=op,
        text=text[:1].upper() + text[1:],
        kind=kind,
        target=target,
        confidence=0.8,
        importance=0.6,
        evidence=(Quote(index, start, end),),
    )


def _lesson(sentence: Sentence, before: Sentence | None, episode: Episode) -> tuple[str, int, int, str] | None:
    """Words, place and kind of a lesson."""
    text = sentence.text
    if '\0' in text or len(text) > _LONGEST:
        return None
    if episode.role == 'user':
        if _POLICY.match(text):
            return text, sentence.start, sentence.start + len(text), 'instruction'
        m = _LABEL.match(text) or (_PROPERTY.match(text) if not _NOT_LASTING.search(text) else None)
        m = m or _worked(text)
    else:
        m = _LABEL.match(text) or _cause(text) or _worked(text)
        if m is None and not _NOT_LASTING.search(text):
            m = _PROPERTY.match(text)
    if m is None:
        return None
    said = _OWN_TALK.sub('', m['v'] if 'v' in m.re.groupindex else m[0])
    start = sentence.start + (m.start('v') if 'v' in m.re.groupindex else m.start())
    end = start + len(said)
    if _ANAPHORA.search(said.split(',')[0]) and 'v' in m.re.groupindex and before is not None and m.re is _WORKED:
        said = f'{before.text}. {said}'
        start = before.start
        if '\0' in said or len(said) > _LONGEST or end - start > _LONGEST + 50:
            return None
    return said, start, end, 'heuristic'


def _worked(text: str) -> re.Match[str] | None:
    m = _WORKED.match(text)
    return None if m is None or re.search(r'\b(?:you|your|me)\b', m['v'], re.IGNORECASE) else m


def _cause(text: str) -> re.Match[str] | None:
    m = _CAUSE.match(text)
    return None if m is None or re.search(r'\b(?:you|your|maybe|might|probably)\b', m['v'], re.IGNORECASE) else m


def _replaced(
    sentence: Sentence, after: Sentence | None, index: int, existing: Sequence[MemoryRecord]
) -> Proposal | None:
    """`The /v1 endpoint is switched off. Read from /v2 instead.`, where a memory names the old one."""
    text, start = sentence.text, sentence.start
    both = _INSTEAD_OF.match(text)
    if both:
        record = _naming(both['old'], existing)
        if record is not None and '\0' not in both['v']:
            end = start + len(text)
            return _proposal(index, both['v'], start, end, record.kind, 'supersede', record.id)
        return None
    off = _OFF.match(text)
    record = _naming(off['what'], existing) if off else None
    if off is None or record is None or '\0' in text:
        return None
    use = _USE_INSTEAD.match(after.text) if after is not None else None
    if use and after is not None and '\0' not in use['v']:
        return _proposal(index, use['v'], start, after.start + len(after.text), record.kind, 'supersede', record.id)
    return _proposal(index, text, start, start + len(text), record.kind, 'supersede', record.id)


def _naming(what: str, existing: Sequence[MemoryRecord]) -> MemoryRecord | None:
    """The memory that says every name (`/v1/orders`, `GitLab`) of what is spoken of."""
    names = [name.lower() for name in _TOKEN.findall(what)]
    return newest([r for r in existing if names and all(name in r.text.lower() for name in names)])
