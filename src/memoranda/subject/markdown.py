"""A subject's export for a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from memoranda.consent.wording import why
from memoranda.subject.document import scope_of

if TYPE_CHECKING:
    from memoranda.subject.document import Header

__all__ = ['render']

Items: TypeAlias = Callable[[str], Iterator[dict[str, Any]]]
"""Gives those of a section."""

# What could draw a picture from the network, hide or reorder words, or steer a terminal: it is somebody's words.
_MARKUP = re.compile(r'([\\`*_\[\]<>#|~&$])')
_LEADING = re.compile(r'^(\d*)([-+=.)])')
_HIDDEN = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb'
    '\U000e0000-\U000e007f]'
)
_GROUPS = (
    ('What is believed', ('active',)),
    ('What waits for approval', ('pending',)),
    ('What was believed', ('superseded', 'expired', 'retracted')),
    ('What was turned down', ('rejected',)),
)

_FROM = {
    'user': 'From the user',
    'assistant': 'From the assistant',
    'tool': 'From a tool, or from an answer that rests on one',
    'external': 'From somebody else: a document, a page, a quotation',
}


def render(header: Header, items: Items) -> Iterator[str]:
    """The document in parts: memories with the words they rest on, messages, what was changed, jobs."""
    whose = ', '.join(f'{name.removesuffix("_id")} {value}' for name, value in scope_of(header.scope).items())
    yield f'# What is held on {_words(whose or "everybody")}\n\n'
    yield f'Project {_words(header.project)}, exported {_moment(header.exported_at.isoformat())}.\n'
    if header.forgotten_at is not None:
        yield f'Forgotten on {_moment(header.forgotten_at.isoformat())}; what follows was said since.\n'
    yield '\n| what | how many |\n|---|---|\n'
    yield ''.join(f'| {name} | {count:,} |\n' for name, count in header.counts.items())
    yield '\nThis is for reading. The JSON form of the export holds the same and more, and can be imported again.\n'
    yield from _memories(items)
    yield from _messages(items)
    yield from _history(items)
    yield from _jobs(items)


def _memories(items: Items) -> Iterator[str]:
    quotes = _quotes(items)
    for title, statuses in _GROUPS:
        begun = False
        for memory in items('memories'):
            latest: dict[str, Any] = memory['versions'][-1]
            if latest['status'] not in statuses:
                continue
            if not begun:
                yield f'\n## {title}\n'
                begun = True
            yield from _memory(memory, latest, quotes)


def _memory(
    memory: Mapping[str, Any], latest: Mapping[str, Any], quotes: Mapping[tuple[str, int, int], str]
) -> Iterator[str]:
    yield f'\n### {_words(latest["text"])}\n\n'
    facts = [latest['kind'], latest.get('slot'), latest['status'], f'since {_moment(latest["valid_from"])}']
    if latest.get('valid_to'):
        facts.append(f'until {_moment(latest["valid_to"])}')
    if latest['level'] != 'user':
        facts.append(f'{latest["level"]} level')
    facts += [name for name in ('pinned', 'locked') if latest[name]]
    facts += [f'\\#{_words(tag)}' for tag in latest.get('tags', ())]
    yield f'{", ".join(str(f) for f in facts if f)}. {_FROM[latest["trust"]]}, confidence {latest["confidence"]:g}.\n'
    yield f'Id `{memory["id"]}`'
    uses = memory.get('uses')
    yield f', recalled {uses:,} {"time" if uses == 1 else "times"}.\n' if uses else '.\n'
    if latest.get('metadata'):
        yield f'Metadata: {_words(str(latest["metadata"]))}\n'
    review = memory.get('review')
    if review:
        yield f'Proposed on {_moment(review["at"])}, and waited for a person: {_words(why(review["reasons"]))}.\n'
    said = [quotes.get((e['episode_id'], e['start'], e['end']), '') for e in latest.get('evidence', ())]
    for words in dict.fromkeys(said):
        yield f'\n> {_words(words)}\n'
    if len(memory['versions']) > 1:
        yield '\n'
        for version in memory['versions'][:-1]:
            yield f'- version {version["version"]}, {_moment(version["recorded_at"])}: {_words(version["text"])} '
            yield f'({version["status"]})\n'


def _quotes(items: Items) -> dict[tuple[str, int, int], str]:
    """The words that current versions rest on."""
    wanted: dict[str, set[tuple[int, int]]] = {}
    for memory in items('memories'):
        for span in memory['versions'][-1].get('evidence', ()):
            wanted.setdefault(span['episode_id'], set()).add((span['start'], span['end']))
    return {
        (episode['id'], start, end): episode['text'][start:end]
        for episode in items('episodes')
        for start, end in wanted.get(episode['id'], ())
    }


def _messages(items: Items) -> Iterator[str]:
    last = None
    for number, episode in enumerate(items('episodes')):
        if not number:
            yield '\n## Messages\n'
        # Messages that were stored without a conversation have one each, which nobody has named.
        conversation = '' if episode['conversation_id'].startswith('add:') else episode['conversation_id']
        if conversation != last:
            last = conversation
            yield f'\n### Conversation {_words(last)}\n' if last else '\n### Without a conversation\n'
        who = episode.get('name') or episode['role']
        lines = '\n'.join(f'> {_words(line)}' for line in episode['text'].split('\n'))
        yield f'\n**{_words(who)}**, {_moment(episode["occurred_at"])}:\n\n{lines}\n'


def _history(items: Items) -> Iterator[str]:
    for number, entry in enumerate(items('history')):
        if not number:
            yield '\n## What was changed\n\n'
        after: Mapping[str, Any] = entry.get('after') or {}
        words = after.get('text')
        told = f': {_words(str(words))}' if words else '' if entry.get('salt') else ' (its words were erased)'
        why = f', {_words(entry["reason"])}' if entry['reason'] else ''
        yield f'{entry["seq"]}\\. {_moment(entry["at"])}, {entry["op"]} by {_words(entry["actor"])}{why}{told}\n\n'


def _jobs(items: Items) -> Iterator[str]:
    left = (job for job in items('jobs') if job['state'] != 'done')
    for number, job in enumerate(left):
        if not number:
            yield '\n## Jobs that are not done\n\n'
        error = f': {_words(job["last_error"])}' if job.get('last_error') else ''
        yield f'- {_moment(job["created_at"])}, {job["state"]}, {len(job["episode_ids"])} messages{error}\n'


def _words(text: str) -> str:
    """Somebody's words on one line, none of which is markup."""
    line = ' '.join(text.split())
    return _HIDDEN.sub('\ufffd', _LEADING.sub(r'\1\\\2', _MARKUP.sub(r'\\\1', line)))


def _moment(stamp: str) -> str:
    return stamp[:16].replace('T', ' ')
