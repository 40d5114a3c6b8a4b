"""Everything held on somebody: what it is, giving it out, taking it in, erasing it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from memoranda.server.native.models._base import Ask, Filters, Flag, Id, Ids, JsonObject, Moment, Told, Whole
from memoranda.server.native.models.records import ScopeIds

__all__ = [
    'ChainPosition',
    'ErasureReport',
    'ExportQuery',
    'Forget',
    'ForgetQuery',
    'Holdings',
    'ImportQuery',
    'ImportReport',
    'ListSubjects',
    'Receipt',
    'Subject',
    'SubjectPage',
    'VerifyErasure',
]

SubjectKind = Literal['user', 'agent', 'app', 'run']
State = Literal['logical', 'scrubbed', 'verified']
Asked = Literal['user', 'agent', 'app', 'run', 'global', 'part', 'project', 'message', 'memory', 'filter']
_RECEIPT: dict[str, Any] = {
    'format': 1,
    'id': '01890a5d-ac96-774b-bcce-b302099a8057',
    'at': '2026-05-31T09:30:00+00:00',
    'asked': 'user',
    'subject': '5f0c' * 16,
    'counts': {'episodes': 1, 'memories': 1, 'versions': 1, 'history': 1, 'vectors': 2, 'jobs': 1, 'reviews': 0},
    'stores': {'database': 'verified'},
    'chains': [{'owner': 4, 'length': 2, 'head': '9c1d' * 16}],
    'tombstone': True,
    'mac': 'a7e3' * 16,
}


class ListSubjects(Ask):
    """Whom to list."""

    kinds: Annotated[list[SubjectKind], Field(min_length=1, max_length=4)] | None = None
    """Only these sorts; a `run` is a conversation without a user."""
    limit: Annotated[Whole, Field(ge=1, le=1000)] = 100
    """How many at most."""
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """`next_cursor` of the page before, with all else the same."""


class Subject(Told):
    """Somebody of whom something is remembered."""

    kind: SubjectKind
    id: str
    memories: int
    """Active ones, those that have expired or don't hold yet among them."""
    first_said: Moment | None
    """When the oldest of them was last said."""
    last_recorded: Moment | None
    """When the latest version of them was recorded."""


class SubjectPage(Told):
    """A slice of the subjects, in the order of first use."""

    items: list[Subject]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""


class ForgetQuery(Ask):
    """How to forget a user."""

    dry_run: Flag = False
    """Only count what would be erased."""


class Forget(Ids):
    """What to erase: what belongs to the ids, or one memory, one message, or what matches a filter, of these ids."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [
                {'user_id': 'ana', 'run_id': 's1'},
                {'user_id': 'ana', 'filters': {'metadata.ticket': 7}},
                {'memory_id': '01890a5d-ac96-774b-bcce-b302099a8057'},
            ]
        }
    )

    memory_id: Id | None = None
    """Only this memory, with the messages that it rests on."""
    episode_id: Id | None = None
    """Only this message, with what was drawn from it alone."""
    filters: Filters | None = None
    """Only what matches."""
    everywhere: bool = False
    """With an agent, app or run and no user: wherever in the project it turns up."""


class ChainPosition(Told):
    """Where in an owner's audit chain an erasure is recorded."""

    owner: int
    length: int
    head: str


class Receipt(Told):
    """What was erased, without naming whom: keep it, and `POST /v1/erasures/verify` tells whether it still holds."""

    model_config = ConfigDict(json_schema_extra={'examples': [_RECEIPT]})

    format: int
    id: str
    at: str
    """RFC 3339."""
    asked: Asked
    subject: str
    """Of whom, as a hash keyed by the database."""
    counts: dict[str, int]
    """How many `episodes`, `memories`, `versions`, `history` texts, `vectors`, `jobs` and `reviews` went."""
    stores: dict[str, State]
    """`logical`: the rows are gone; `scrubbed`: the files are overwritten too; `verified`: and were searched."""
    chains: list[ChainPosition]
    tombstone: bool
    """Whether what was said before is refused from now on."""
    mac: str


class VerifyErasure(Ask):
    """A receipt, as it was given."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'receipt': _RECEIPT}]})

    receipt: JsonObject


class ErasureReport(Told):
    """Whether what a receipt says still holds."""

    ok: bool
    problems: list[str]
    """What is not as it should be."""
    notes: list[str]
    authentic: bool
    """Whether the receipt is as this database wrote it. If not, nothing else was looked at."""
    state: State
    tombstone: Moment | None
    """Until when what was said of the subject is refused."""
    rows: dict[str, int]
    """What is there of the subject from before, by table."""


class Holdings(Told):
    """How much is held on somebody."""

    counts: dict[str, int]
    """Of `conversations`, `episodes`, `memories` (all versions), `changes`, `history`, `jobs`, `rejected`."""
    forgotten_at: Moment | None
    """When it was last erased as a whole."""


class ExportQuery(Ids):
    """Of whom: one id, or `shared`."""

    format: Literal['json', 'markdown'] = 'json'
    """Markdown is for reading only."""


class ImportQuery(Ask):
    """How to take a document in."""

    restore: Flag = False
    """Also when its subject was forgotten since. This is audited."""
    dry_run: Flag = False
    """Only check it."""


class ImportReport(Told):
    """What became of a document."""

    status: Literal['imported', 'restored', 'known', 'forgotten', 'checked']
    project: str
    scope: ScopeIds
    counts: dict[str, int]
    """Items of the document, by section."""
    digest: str
    exported_at: Moment
    forgotten_at: Moment | None
    skipped: Annotated[dict[str, int], Field(description='Messages that were not stored, by reason.')]
