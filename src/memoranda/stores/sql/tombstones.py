"""Who was forgotten, by keyed hashes: what was said before that moment is not stored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from memoranda.records import new_id, now
from memoranda.scope import Owner
from memoranda.stores.erasures import Forgetting, subject_key, subjects_of
from memoranda.stores.history import Entry, dump_state
from memoranda.stores.sql import auditing
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.owners import ensure_owner, touch
from memoranda.stores.sql.rows import find_owner, from_us, to_us

if TYPE_CHECKING:
    from memoranda.stores.data import Batch, Draft

__all__ = ['admitted', 'bury', 'erased_until', 'lift', 'project_key', 'tombstone']


def project_key(key: bytes, project: str) -> str:
    """What stands for a project in a tombstone."""
    return subject_key(key, project, None, {})


def bury(connection: Connection, forgetting: Forgetting, at: int) -> None:
    """Leave a tombstone of a subject; one that is there already moves on."""
    key = auditing.secret(connection)
    owner = forgetting.owner
    connection.execute(
        'INSERT INTO tombstone(project, subject, erased_at, of_owner) VALUES(?, ?, ?, ?) '
        'ON CONFLICT(project, subject) DO UPDATE SET erased_at = excluded.erased_at '
        'WHERE tombstone.erased_at < excluded.erased_at',
        (
            project_key(key, forgetting.project),
            forgetting.subject(key),
            at,
            None if owner is None else subject_key(key, owner.project, owner, {}),
        ),
    )


def tombstone(connection: Connection, owner: Owner, ids: Mapping[str, str] | None) -> datetime | None:
    """Until when what was said by an owner, under these ids, is refused."""
    until = erased_until(connection, owner, ids or {})
    return None if until is None else from_us(until)


def erased_until(connection: Connection, owner: Owner, ids: Mapping[str, str]) -> int | None:
    """The same in microseconds. Of a storage where nobody was forgotten it costs one look-up."""
    if not connection.execute('SELECT EXISTS(SELECT 1 FROM tombstone)').fetchone()[0]:
        return None
    key = auditing.secret(connection)
    project = project_key(key, owner.project)
    subjects = subjects_of(key, owner, ids)
    marks = ', '.join('?' * len(subjects))
    return connection.execute(
        f'SELECT max(erased_at) FROM tombstone WHERE project = ? AND subject IN ({marks})', (project, *subjects)
    ).fetchone()[0]


def admitted(connection: Connection, batch: Batch) -> Sequence[Draft]:
    """The messages of a batch that were not said before their subject was forgotten, as far as they tell when."""
    if not any(draft.dated for draft in batch.drafts):
        return batch.drafts
    scope = batch.scope
    ids = {'run_id': scope.run_id, 'agent_id': scope.agent_id, 'app_id': scope.app_id}
    until = erased_until(connection, batch.owner, {name: id_ for name, id_ in ids.items() if id_ is not None})
    if until is None:
        return batch.drafts
    return [draft for draft in batch.drafts if not draft.dated or to_us(draft.occurred_at) > until]


def lift(connection: Connection, owner: Owner, actor: str, reason: str) -> int:
    """Remove the tombstones of an owner and of its parts, and note it in its chain."""
    key = auditing.secret(connection)
    find_owner(connection, owner, hold=True)
    subjects = connection.execute(
        'DELETE FROM tombstone WHERE project = ? AND of_owner = ? RETURNING subject',
        (project_key(key, owner.project), subject_key(key, owner.project, owner, {})),
    ).fetchall()
    if subjects:
        entry = Entry(
            op='restore',
            actor=actor,
            reason=reason,
            change_id=new_id(),
            at=to_us(now()),
            # Which they were: that of somebody else must not pass for lifted.
            after=dump_state({'lifted': sorted(subject for (subject,) in subjects)}),
        )
        row = ensure_owner(connection, owner)
        auditing.append(connection, row, [entry])
        touch(connection, row.id)
    return len(subjects)
