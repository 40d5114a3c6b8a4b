"""The screen of `memoranda review`: one proposal at a time, and a letter for each decision."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import typer
from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from memoranda.cli._edits import edits_table
from memoranda.cli._output import many, moment, note, one_line, out, plain, short_id, status_line
from memoranda.consent.wording import ASKS, NOTES, why, words_of
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.consent.items import ReviewEvidence, ReviewItem, ReviewResult

__all__ = ['Screen']

_KEYS: Final = 'a approve   e edit   r reject   s skip   u undo   q quit'
_SHOWN: Final = 3
"""Messages shown of the evidence."""
_AROUND: Final = 160

Answer: TypeAlias = Literal['next', 'back', 'end']


class Screen:
    """Goes through the queue from its beginning.

    Args:
        view: The memory to ask.
        ids: The scope to ask it with.
        reasons: Only what waits for one of these.
        hint: Said beside that nothing waits.
    """

    def __init__(self, view: Memory, ids: dict[str, Any], *, reasons: list[str] | None, hint: str = '') -> None:
        self._view, self._ids, self._reasons, self._hint = view, ids, reasons, hint
        self._done: Counter[str] = Counter()
        self._console = out()
        self._cursor: str | None = None
        self._last: tuple[str, str, str | None] | None = None
        """What the last decision was, its change, and where its proposal stands."""

    def run(self) -> None:
        """Until the end of the queue, or of the input, or until it is left."""
        while True:
            # One at a time, so that what is shown is what the last decision has left.
            page = self._view.review.list(**self._ids, reasons=self._reasons, limit=1, cursor=self._cursor)
            answer: Answer = 'next'
            for item in page.items:
                self._show(item)
                answer = self._decide(item)
            if answer == 'end':
                self._tell('nothing was changed')
                return
            if answer == 'back':
                continue
            if page.cursor is None and not self._goes_back():
                break
            self._cursor = page.cursor or self._cursor
        self._tell(f'nothing waits{self._hint}')

    def _goes_back(self) -> bool:
        """At the end of the queue: whether the last decision is taken back."""
        if self._last is None:
            return False
        self._console.print('nothing more waits   u undo   any other key ends > ', style='dim', end='')
        if _letter() != 'u':
            self._console.print()
            return False
        return self._undo() == 'back'

    def _tell(self, nothing: str) -> None:
        if done := +self._done:
            self._console.print(', '.join(f'{count:,} {what}' for what, count in done.items()))
        else:
            note(nothing, style='yellow')

    def _decide(self, item: ReviewItem) -> Answer:
        """Ask until there is an answer, and do it."""
        while True:
            self._console.print(f'{_KEYS} > ', style='dim', end='')
            key = _letter()
            try:
                answer = self._act(key, item)
                if answer is not None:
                    return answer
                continue
            except (Conflict, MemoryNotFound) as error:  # somebody else was faster
                note(f'error: {one_line(str(error))}', style='red')
                self._done['refused'] += 1
                return 'next'
            except InvalidInput as error:
                note(f'error: {one_line(str(error))}', style='red')

    def _act(self, key: str, item: ReviewItem) -> Answer | None:
        """Do what a key means; None when there is nothing to it, and it is asked again."""
        review = self._view.review
        if key in ('', 'q'):
            self._console.print('q')
            return 'end'
        if key == 's':
            return self._noted('skipped')
        if key == 'a':
            return self._noted('approved', review.approve(item.id, **self._ids))
        if key == 'r':
            return self._noted('rejected', review.reject(item.id, **self._ids))
        if key == 'e':
            self._console.print('e')
            words = _line(words_of(item))
            if words and words != words_of(item):
                return self._noted('edited', review.edit(item.id, text=words, **self._ids))
            note('nothing was changed')
        elif key == 'u':
            return self._undo()
        else:
            note(f'{one_line(key, 10)!r} is none of these')
        return None

    def _noted(self, what: str, result: ReviewResult | None = None) -> Answer:
        self._done[what] += 1
        notes = () if result is None else result.notes
        self._console.print(what + ''.join(f' ({NOTES.get(n, n)})' for n in notes))
        if result is not None and result.change is not None:
            self._last = (what, result.change.id, self._cursor)
        return 'next'

    def _undo(self) -> Answer | None:
        """Take the last decision back, and show its proposal again."""
        if self._last is None:
            note('there is nothing to undo')
            return None
        what, change, self._cursor = self._last
        self._view.revert(change, **self._ids)
        self._last = None
        self._done[what] -= 1
        self._console.print(f'no longer {what}')
        return 'back'

    def _show(self, item: ReviewItem) -> None:
        memory = item.memory
        whose = ', '.join(f'{key.removesuffix("_id")} {value}' for key, value in plain(memory.scope).items())
        head = f'{item.op} · {short_id(item.id)} · {moment(item.proposed_at)} · {whose or "everybody"}'
        parts: list[Any] = [
            Rule(Text(one_line(head, 200)), style='dim'),
            Text(one_line(words_of(item)), style='bold'),
            status_line(memory),
            Text(one_line(f'waits because: {why(item.reasons)}', 400), style='yellow'),
        ]
        if item.target is not None and item.op not in ASKS:
            parts.append(_titled('about', Text(one_line(item.target.text, 300))))
        parts += [_passage(e) for e in item.evidence[-_SHOWN:]]
        if len(item.evidence) > _SHOWN:
            parts.append(Text(f'said in {many(len(item.evidence) - _SHOWN, "earlier message")} too', style='dim'))
        parts += [_titled('known', Text(one_line(m.text, 300)), short_id(m.id)) for m in item.nearest]
        parts.append(Text('approving it would', style='dim'))
        # A wish to confirm or to retract has no words of its own to be believed.
        edits = item.diff[1:] if item.op in ASKS and len(item.diff) > 1 else item.diff
        parts.append(Padding(edits_table(edits), (0, 0, 0, 2)))
        parts += [Text(f'  {NOTES.get(n, one_line(n, 100))}', style='yellow') for n in item.notes]
        self._console.print(Group(*parts))


def _titled(title: str, words: Text, last: str = '') -> Text:
    return Text.assemble((f'{title}: ', 'dim'), words, (f'  {last}' if last else '', 'dim'))


def _passage(evidence: ReviewEvidence) -> Text:
    """The quoted words, marked, in what stands around them."""
    before, after = evidence.before[-_AROUND:], evidence.after[:_AROUND]
    who = f'{evidence.role} {evidence.name}' if evidence.name else evidence.role
    return Text.assemble(
        (one_line(f'said by {who}, {moment(evidence.said_at)}', 120) + ': ', 'dim'),
        ('…' if evidence.before != before else '') + one_line(before) + (' ' if before[-1:].isspace() else ''),
        ('“' + one_line(evidence.quote, 600) + '”', 'bold italic'),
        (' ' if after[:1].isspace() else '') + one_line(after) + ('…' if evidence.after != after else ''),
    )


def _letter() -> str:
    """The next key; from a pipe the next letter. Empty at the end of the input."""
    if sys.stdin.isatty():
        try:
            return typer.getchar().lower()
        except EOFError:
            return ''
    while True:
        letter = sys.stdin.read(1)
        if not letter or not letter.isspace():
            return letter.lower()


def _line(words: str) -> str:
    """New words: those proposed, to be edited; from a pipe the rest of the line, or else the next one."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip() or sys.stdin.readline().strip()
    try:
        import readline
    except ImportError:  # not on Windows: there they are typed anew
        return typer.prompt('In these words', default='', show_default=False).strip()
    readline.set_startup_hook(lambda: readline.insert_text(one_line(words, 10_000)))
    try:
        # Not typer.prompt, which prints all but the end of what it asks by itself: readline then wipes that away.
        return input('In these words: ').strip()
    except EOFError:
        return ''
    finally:
        readline.set_startup_hook(None)
