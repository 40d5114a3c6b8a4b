"""The codes of the review queue in words, for every surface that shows it to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memoranda.consent.items import ReviewItem
    from memoranda.records import Edit

__all__ = ['ASKS', 'NOTES', 'REASONS', 'deed', 'merged_into', 'reason', 'why', 'words_of']

ASKS: Final = ('confirm', 'retract')
"""Proposals that have no words of their own."""
_WHY: Final = {
    'burst': 'one of many at once from one source',
    'instruction': 'reads like an instruction to the agent',
    'lesson': 'a lesson that the agent drew for itself',
    'locked': 'contradicts a memory that a person edited',
    'low confidence': 'the extractor is not sure of it',
    'policy:all': 'everything is reviewed',
    'source:assistant': 'said by the assistant',
    'source:external': 'comes from outside',
    'source:tool': 'comes from a tool',
}
_HOLDS: Final = {
    'personal data': 'personal data in it:',
    'secret': 'a secret in it:',
    'special category': 'speaks of',
}
"""What stands before the kind that a code names."""
REASONS: Final = (
    'burst',
    'instruction',
    'lesson',
    'locked',
    'low confidence',
    'personal data',
    'policy',
    'secret',
    'source',
    'special category',
)
"""What a code begins with, up to a colon."""
NOTES: Final = {
    'known': 'nothing new in it: it is known already',
    'older': 'what it is about was said again since',
    'target of another level': 'what it is about belongs to another conversation',
    'unknown target': 'what it is about is no longer believed',
}
"""Why approving does less than was proposed."""
_VERBS: Final = {
    'add': 'remember',
    'confirm': 'keep',
    'correct': 'correct',
    'expire': 'expire',
    'reject': 'turn down',
    'restore': 'restore',
    'retract': 'drop',
    'supersede': 'replace',
    'update': 'edit',
}


def reason(code: str) -> str:
    """One code in words."""
    category, _, kind = code.partition(':')
    if kind and category in _HOLDS:
        return f'{_HOLDS[category]} {kind}'
    return _WHY.get(code, code)


def why(reasons: Sequence[str]) -> str:
    """Why a proposal waits."""
    return '; '.join(reason(code) for code in reasons) or 'a person has to approve it'


def words_of(item: ReviewItem) -> str:
    """What it is about: of a wish to confirm or to retract the words of the memory meant."""
    if item.op not in ASKS:
        return item.memory.text
    return '(a memory that is gone)' if item.target is None else item.target.text


def merged_into(edit: Edit) -> str | None:
    """Id of the memory that says the same, and takes over what this one rests on."""
    return edit.after.superseded_by if edit.after.status == 'retracted' and edit.op != 'correct' else None


def deed(edit: Edit) -> str:
    """What an edit does to its memory, as a verb."""
    if merged_into(edit):
        return 'merge'
    if edit.op == 'approve':
        return {'active': 'remember', 'retracted': 'take off the queue'}.get(edit.after.status, 'keep as history')
    return _VERBS.get(edit.op, edit.op)
