"""Deleting everything of somebody, and what is told of it afterwards.

`delete_all` of a user erases what was said and drawn from it, and lets new messages in. Deleting an entity, and
everything of an agent, an app or a run wherever it turns up, is the engine's `forget`: with a receipt, and what was
said before is refused from then on. The id of the event holds the receipt, so any process can be asked about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from memoranda.consent.forgetting import ErasureReceipt
from memoranda.errors import shown
from memoranda.records import now
from memoranda.server.access import Caller, allows
from memoranda.server.mem0 import tokens
from memoranda.server.mem0.adding import under
from memoranda.server.mem0.bodies import IDS, as_object
from memoranda.server.mem0.errors import bad
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['delete_all', 'event_of_erasure', 'forget']

LONGEST_ID: Final = 4_000
"""Characters of an event's id, which is asked for in a path."""


async def delete_all(caller: Caller, asked: Mapping[str, str], *, wildcards: bool) -> dict[str, Any]:
    """Erase everything under some ids.

    Args:
        caller: Who asks.
        asked: The ids, and `metadata` as JSON.
        wildcards: Whether `*` may stand for everybody of the project.

    Raises:
        Problem: 400, nobody is named, or what is asked for is not what a filter looks like; 403, for an admin only.
    """
    if 'filters' in asked:
        raise bad(
            f'filters={shown(asked["filters"])} came as a parameter, which holds no JSON: send the ids themselves, '
            'such as ?user_id=ana (delete_all(user_id=...) of the client)'
        )
    ids = {name: asked[name] for name in IDS if asked.get(name)}
    if any(name in IDS and not value for name, value in asked.items()):
        raise bad('an id is empty: send it, or leave it out; an empty one never means everybody')
    metadata = _metadata(asked.get('metadata'))
    if '*' in ids.values():
        return await _everything(caller, ids, metadata, wildcards=wildcards)
    if not ids:
        raise bad(f'nothing says whose memories to delete: send one of {", ".join(IDS)}')
    if caller.user_id is None and 'user_id' not in ids:
        if metadata:
            raise bad('metadata narrows what is deleted of a user: send user_id too')
        return await told(caller, await caller.memory.forget(**cast('Any', ids)))
    memory = under(caller, ids)
    if metadata:
        return await told(caller, await memory.forget(filters=metadata))
    begun = now()
    result = await memory.delete_all()
    content = {
        'at': begun.isoformat(),
        'counts': {'episodes': result.episodes, 'memories': result.memories, 'versions': result.versions},
        'state': 'verified' if result.scrub == 'verified' else 'logical',
    }
    return {
        'message': 'Memories deleted successfully!',
        'event_id': await tokens.written(caller, 'erasure', {'deleted': content}),
        'counts': content['counts'],
    }


async def _everything(caller: Caller, ids: Mapping[str, str], metadata: object, *, wildcards: bool) -> dict[str, Any]:
    if not wildcards:
        named = next(name for name, value in ids.items() if value == '*')
        raise bad(
            f"{named}='*' would delete everybody's memories and is refused: name whose, or allow it by the setting "
            'server_mem0_wildcards'
        )
    if caller.user_id is not None or not allows(caller.role, 'admin'):
        raise Problem(
            403, "'*' deletes everybody's memories, which takes a key of the whole project with the role admin"
        )
    if metadata or any(value != '*' for value in ids.values()):
        raise bad("'*' and an id are sent together: send '*' alone to delete everything of the project, else ids only")
    return await told(caller, await caller.memory.forget(whole_project=True))


def _metadata(text: str | None) -> dict[str, Any]:
    """A filter on metadata from a parameter, where it can only be JSON."""
    if text is None:
        return {}
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not as_object(found):
        raise bad(f'metadata={shown(text)} is no JSON object: send it as JSON, such as {{"team": "sales"}}')
    from memoranda.server.mem0.filters import read_filters

    return {'AND': [read_filters({'metadata': found}).where]}


async def forget(caller: Caller, kind: str, id_: str) -> dict[str, Any]:
    """Forget a user, an agent, an app or a run.

    Raises:
        Problem: 400, `*`; 403, the key is for somebody else.
    """
    name = f'{kind}_id'
    if id_ == '*':
        raise bad(f"{name}='*' is not an id here: name one {kind}")
    if caller.user_id is not None and (kind != 'user' or id_ != caller.user_id):
        raise Problem(403, 'this key is for one user: it can delete that user only')
    memory: AsyncMemory = caller.memory
    receipt = await (memory.forget() if caller.user_id is not None else memory.forget(**cast('Any', {name: id_})))
    return await told(caller, receipt)


async def told(caller: Caller, receipt: ErasureReceipt) -> dict[str, Any]:
    """An erasure as the clients are told of it. The receipt holds no word and no id of whom it was about."""
    document = json.loads(receipt.to_json())
    token = await tokens.written(caller, 'erasure', {'receipt': document})
    if len(token) > LONGEST_ID:  # it was about many: the event tells what went, the answer alone holds the receipt
        state = 'verified' if receipt.done else 'logical'
        brief = {'at': receipt.at.isoformat(), 'counts': dict(receipt.counts), 'state': state}
        token = await tokens.written(caller, 'erasure', {'deleted': brief})
    return {'message': 'Deleted successfully!', 'event_id': token, 'receipt': document}


async def event_of_erasure(caller: Caller, event_id: str) -> dict[str, Any]:
    """A finished erasure, looked at again: whether what its receipt says still holds.

    Raises:
        MemoryNotFound: No such event in this project.
    """
    content = await tokens.read(caller, 'erasure', event_id)
    deleted = as_object(content.get('deleted'))
    if deleted is not None:
        return _event(event_id, str(deleted.get('at')), 'SUCCEEDED', [deleted.get('counts')], None)
    receipt = ErasureReceipt.from_json(json.dumps(content.get('receipt')))
    report = await caller.memory.verify_erasure(receipt)
    status = 'SUCCEEDED' if report.ok else 'FAILED'
    results = [{'receipt': content['receipt'], 'state': report.state, 'notes': list(report.notes)}]
    return _event(event_id, receipt.at.isoformat(), status, results, '; '.join(report.problems) or None)


def _event(id_: str, at: str, status: str, results: list[Any], error: str | None) -> dict[str, Any]:
    moments = dict.fromkeys(('created_at', 'updated_at', 'started_at', 'completed_at'), at)
    return {
        'id': id_,
        'event_type': 'DELETE',
        'status': status,
        'payload': {},
        'results': results,
        **moments,
        'latency': None,
        'error': error,
    }
