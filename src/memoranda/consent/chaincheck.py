"""One audit chain against itself, against an anchor, and against what the tables hold. Its links are seen once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from memoranda.scope import Owner
from memoranda.stores.chains import Chain, Seen, Walked
from memoranda.stores.history import FORMAT, Link, digest_of, hash_of, state_of
from memoranda.stores.ranges import Ranges, minus, push, size, union

if TYPE_CHECKING:
    from memoranda.records import MemoryRecord

__all__ = ['Break', 'ChainCheck', 'Reason']

Reason: TypeAlias = Literal[
    'digest',
    'link',
    'moved',
    'previous',
    'missing',
    'surplus',
    'head',
    'owner',
    'blank',
    'restored',
    'truncated',
    'rewritten',
    'altered',
    'removed',
    'unchained',
]
"""What doesn't fit.

- `digest`: an entry's words, its reason or its salt are not those it was made with
- `link`: something else of it is not: what was done, to which memory, by whom, when, or its hashes
- `moved`: it is an entry of another place
- `previous`: it doesn't follow on the entry before it: one of the two was replaced
- `missing`: entries are gone
- `surplus`: entries follow after the last one that the owner knows of
- `head`: the owner's note of how many entries there are, or of the last one's hash, is not right
- `owner`: the chain was begun, or imported, for another owner
- `blank`: its words are gone, and no erasure says so
- `restored`: an erasure took its words, and they are there
- `truncated`: entries are gone that were there when the anchor was made
- `rewritten`: it is not the entry that was there when the anchor was made
- `altered`: the memory in the tables, or a message it rests on, is not what the entry says
- `removed`: the memory it tells of, or such a message, is gone from the tables, and no erasure says so
- `unchained`: a memory is in the tables that no entry tells of
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MANY: Final = 100_000
_DATES: Final = ('said_at', 'valid_from', 'valid_to', 'expires_at')


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first thing that doesn't fit in an owner's audit chain."""

    owner: Owner
    """Whose; of an erased one the key is its number in the storage."""
    subject: str
    """The owner's keyed hash, as checkpoints and receipts name it."""
    seq: int | None
    """The entry's place in the chain, from 1; None for a memory that has no entry."""
    reason: Reason
    detail: str
    """The same in words. None of a memory's are among them."""
    memory_id: str | None = None

    def __str__(self) -> str:
        place = 'a memory without an entry' if self.seq is None else f'entry {self.seq}'
        return f'{self.owner.kind} {self.owner.key!r}, {place}: {self.detail}'


class ChainCheck:
    """Is shown the links of one chain, and tells the first thing that doesn't fit.

    Args:
        chain: Which.
        anchor: Length and hash of the last link when an anchor was made.
    """

    def __init__(self, chain: Chain, anchor: tuple[int, str] | None = None) -> None:
        self.chain, self._anchor = chain, anchor
        self.entries = self.reads = self.versions = self.unbound = 0
        self.unprovable = 0
        """Entries up to the anchor that went with an owner who was erased altogether."""
        self.end: tuple[int, str] = (0, '')
        """Place and hash of the last link."""
        self._first = 0
        self._blank: Ranges = []
        self._named: Ranges = []
        self._closed = 0
        self._doubtful = 0
        """Up to here an erasure may have been lost, so that blanks tell nothing."""
        self._found: list[tuple[int, int, Reason, str, str | None]] = []
        self._stopped = False
        self._place: Link | None = None
        self._begun: str | None = None
        """What the chain says it was begun for."""
        self._imported: list[str] = []
        """What chains that were imported say that."""
        self._came_for = ''
        """For whom the latest import brought it here, as this storage calls them; empty: older ones don't tell."""

    @property
    def erased(self) -> int:
        """Entries without words."""
        return size(self._blank) + self._closed

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._stopped = True

    def visit(self, chain: Chain, seen: Sequence[Seen]) -> bool:
        """Look at the next links."""
        self.chain = chain
        for one in seen:
            if self._look(one.link):
                self._compare(one)
        return not self._stopped

    def _look(self, link: Link) -> bool:
        """Whether it is what its parts say."""
        self.entries += 1
        self.reads += link.op == 'read'
        self.unbound += link.format == 1
        last, before = self.end
        self.end = (link.seq, link.hash)
        whole = self._fits(link)
        if not self._first:
            self._first = link.seq
            self._begin(link, whole)
        elif link.seq != last + 1:
            self._missing(last + 1, link.seq - 1)
        elif whole and link.prev_hash != before:
            self._tell(link, 'previous', f'it does not follow on entry {last}: one of the two was replaced')
            self._doubtful = link.seq
        if link.salt is None:
            push(self._blank, link.seq)
            if link.op == 'erase':
                self._doubtful = link.seq - 1
            elif link.reason and link.format > 1:
                self._tell(link, 'link', 'its words were erased, and a reason is there')
        elif link.op == 'erase' and whole:
            self._named += _blanked(link)
            if len(self._named) > _MANY:  # entries of older versions name all that ever went
                self._named = union(self._named)
        elif link.op == 'import' and whole:
            begins, self._came_for = _import_tells(link)
            self._imported.append(begins)
        if self._anchor is not None and link.seq == self._anchor[0] and link.hash != self._anchor[1]:
            self._tell(link, 'rewritten', 'it is not the entry that was here when the anchor was made')
        return whole

    def _begin(self, link: Link, whole: bool) -> None:
        """The first link there is: of the chain, or the one that an erasure of everything leaves."""
        chain = self.chain
        if link.seq > 1:
            whole = whole and link.salt is not None
            if chain.kind == 'erased' and (not whole or [1, link.seq - 1] in _blanked(link)):
                self._closed = link.seq - 1  # what is wrong with a link that isn't whole is told already
                if self._anchor is not None:
                    self._compare_closing(link, *self._anchor)
            else:
                self._missing(1, link.seq - 1)
        elif link.seq < 1:
            self._tell(link, 'surplus', 'it lies before the first entry')
        elif whole and chain.kind != 'erased' and (link.format > 1 or link.prev_hash):
            self._begun = link.prev_hash

    def _compare_closing(self, link: Link, length: int, head: str) -> None:
        if length < link.seq:
            self.unprovable += length
        if length == link.seq - 1 and link.prev_hash != head:
            self._tell(link, 'rewritten', 'what was erased is not what was there when the anchor was made')

    def _fits(self, link: Link) -> bool:
        """Whether a link is what its parts say."""
        if link.format not in (1, FORMAT) or hash_of(link) != link.hash:
            self._place = self._place or link
            self._tell(link, 'link', 'what was done, to what, by whom, when, or its hashes were changed')
            self._doubtful = link.seq
            return False
        if digest_of(link) not in (None, link.digest):
            self._tell(link, 'digest', 'its words, its reason or its salt were changed')
            if link.op == 'erase':
                self._doubtful = link.seq
            return False
        return True

    def _missing(self, first: int, last: int) -> None:
        what = f'entry {first} is missing' if first == last else f'entries {first} to {last} are missing'
        self._found.append((first, 0, 'missing', what, None))
        self._doubtful = max(self._doubtful, last)

    def _compare(self, one: Seen) -> None:
        link, memory = one.link, one.memory
        if not link.memory_id or link.after is None or link.salt is None:
            return
        if memory is None:
            self._tell(link, 'removed', 'the memory it tells of is gone, and no erasure says so', 1)
            return
        self.versions += 1
        names = _differing(link, memory)
        if names:
            self._tell(link, 'altered', f'the memory differs from it in {", ".join(names)}', 1)
            return
        for id_, (said, held) in one.messages.items():
            if held is None:
                self._tell(link, 'removed', f'message {id_} it rests on is gone, and no erasure says so', 1)
            elif held != said:
                self._tell(link, 'altered', f'message {id_} it rests on is not what was said', 1)

    def _tell(self, link: Link, reason: Reason, detail: str, weight: int = 0) -> None:
        self._found.append((link.seq, weight, reason, detail, link.memory_id or None))
        if len(self._found) > 64:  # the first counts
            self._found = sorted(self._found)[:1]

    @property
    def misplaced(self) -> bool:
        """Whether some link's hash doesn't fit, so that it may be one of another place."""
        return self._place is not None

    def find_place(self) -> None:
        """See whether the first link that doesn't fit is the entry of another place. Takes the processor."""
        link = self._place
        if link is None:
            return
        for seq in range(1, max(self.end[0], self.chain.length) + 1):
            if hash_of(link, seq=seq) == link.hash:
                self._tell(link, 'moved', f'it is entry {seq}', -1)
                return

    def finish(self, walked: Walked, *, renamed: bool = False) -> Break | None:
        """The first thing that didn't fit; None when all does.

        Args:
            walked: What the store has left to tell.
            renamed: Whether it was somebody else's chain when the anchor was made.
        """
        self.chain = chain = walked.chain
        begun_here = self._begun in (None, chain.subject, *self._imported)
        begun_here = begun_here and self._came_for in ('', chain.subject)
        if chain.kind == 'unknown':
            self._found = [(self._first, -2, 'surplus', 'its owner is gone', None)]
        # The entry that tells of an import may be one that is broken or missing.
        elif renamed or not (begun_here or any(f[2] in ('digest', 'link', 'missing') for f in self._found)):
            self._found.append((self._first, -2, 'owner', 'the chain was begun, or imported, for another owner', None))
        self._check_end()
        self._check_blanks()
        if self._anchor is not None and self.end[0] < self._anchor[0]:
            first, last = self.end[0] + 1, self._anchor[0]
            what = f'entry {first} was' if first == last else f'entries {first} to {last} were'
            text = f'{what} there when the anchor was made'
            self._found.append((first, -1, 'truncated', text, None))
        owner = Owner(chain.project, cast('Any', chain.kind), chain.key)
        if self._found:
            seq, _, reason, detail, memory_id = min(self._found)
            return Break(owner=owner, subject=chain.subject, seq=seq, reason=reason, detail=detail, memory_id=memory_id)
        for stray, reason, detail in (
            (walked.stray, 'unchained', 'no entry tells of version {}'),
            (walked.odd, 'altered', 'version {} counts as current or as retired, and is not'),
        ):
            if stray is not None:
                return Break(
                    owner=owner,
                    subject=chain.subject,
                    seq=None,
                    reason=cast('Reason', reason),
                    detail=f'memory {stray[0]}: {detail.format(stray[1])}',
                    memory_id=stray[0],
                )
        return None

    def _check_end(self) -> None:
        (seq, head), chain = self.end, self.chain
        if (seq, head) == (chain.length, chain.head):
            return
        if seq == chain.length or head == chain.head:
            what = f'the owner counts {chain.length} entries and knows another hash' if seq == chain.length else ''
            detail = what or f'the owner counts {chain.length} entries, and this is the last one it knows'
            self._found.append((seq, 2, 'head', detail, None))
        elif seq > chain.length:
            detail = f'the owner counts {chain.length} entries'
            self._found.append((chain.length + 1, 2, 'surplus', detail, None))
        else:
            self._missing(seq + 1, chain.length)

    def _check_blanks(self) -> None:
        named = union([*self._named, [0, self._doubtful]])
        for first, _ in minus(self._blank, named)[:1]:
            self._found.append((first, 0, 'blank', 'its words are gone, and no erasure says so', None))
        # What went with an erasure of everything is no longer there, not even blank.
        gone = union([*self._blank, [1, self._closed], [self.end[0] + 1, 1 << 62]])
        for first, _ in minus(union(self._named), gone)[:1]:
            self._found.append((first, 0, 'restored', 'an erasure took its words, and they are there', None))


def _blanked(link: Link) -> Ranges:
    """The entries that an erasure says it took the words of."""
    try:
        told = json.loads(link.after or '{}')
        return [[int(first), int(last)] for first, last in told.get('blanked', ())]
    except (ValueError, TypeError, AttributeError):
        return []


def _import_tells(link: Link) -> tuple[str, str]:
    """What an imported chain was begun for, in the storage that it comes from; and whom it was brought here for."""
    try:
        chain = json.loads(link.after or '{}')['chain']
        return str(chain['begins']), str(chain.get('subject', ''))
    except (ValueError, TypeError, KeyError, AttributeError):
        return '', ''


def _differing(link: Link, memory: MemoryRecord) -> list[str]:
    """The fields in which a version in the tables is not what a link says."""
    try:
        said: Mapping[str, Any] = json.loads(link.after or '{}')
    except ValueError:
        return ['everything']
    held = state_of(memory)
    names = [name for name, value in said.items() if name in held and not _same(name, value, held[name])]
    if memory.recorded_at != _EPOCH + timedelta(microseconds=link.at):
        names.append('recorded_at')
    return names


def _same(name: str, said: Any, held: Any) -> bool:
    if said == held:
        return True
    if name in _DATES and isinstance(said, str) and isinstance(held, str):
        try:
            return datetime.fromisoformat(said) == datetime.fromisoformat(held)
        except ValueError:
            return False
    return False
