"""Resources and the prompt: what a client can attach to a conversation without a tool call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from mcp import types
from mcp.shared.exceptions import MCPError

from memoranda import errors
from memoranda.mcp.calls import check_read
from memoranda.mcp.telling import fact_line, find, framed, rules_for, withheld
from memoranda.mcp.tools import reason_of

if TYPE_CHECKING:
    from memoranda.mcp.principal import Principal
    from memoranda.memory import AsyncMemory
    from memoranda.records import MemoryRecord

__all__ = ['PROMPT', 'get_prompt', 'listed', 'prompts', 'read', 'templates']

PROMPT: Final = 'memory_context'
SCHEME: Final = 'memoranda://'
PROFILE_KINDS: Final = ('profile', 'constraint', 'instruction', 'preference', 'goal', 'relationship')
MOST_PROFILE: Final = 200
MOST_RECENT: Final = 20
MAX_URI_CHARS: Final = 1_000
MAX_TOPIC_CHARS: Final = 2_000
_TEXT: Final = 'text/plain'
_NOTHING: Final = 'Nothing is known from earlier conversations.'
_ANYTHING: Final = 'What is known of the user?'
_ABOUT: Final = {
    'profile': ('Profile', 'Who the user is and what always holds: profile, constraints, wishes, preferences, goals.'),
    'recent': ('Recent memories', 'What was learnt last, latest first.'),
}


def listed(principal: Principal) -> list[types.Resource]:
    """Of whom the server is for; of nobody in particular where each call names its own."""
    if principal.fixed is None:
        return []
    return [
        types.Resource(name=f'memory_{what}', uri=f'{SCHEME}{what}', title=title, description=about, mime_type=_TEXT)
        for what, (title, about) in _ABOUT.items()
    ]


def templates(principal: Principal) -> list[types.ResourceTemplate]:
    """Of a user by the id, where the server isn't for one; of a memory by its id."""
    start = SCHEME if principal.fixed is not None else f'{SCHEME}users/{{user_id}}/'
    found = [
        types.ResourceTemplate(
            name='memory', title='A memory', description='One memory.', uri_template=f'{start}memories/{{memory_id}}',
            mime_type=_TEXT,
        )
    ]  # fmt: skip
    if principal.fixed is None:
        found += [
            types.ResourceTemplate(
                name=f'memory_{what}', title=title, description=about, uri_template=f'{start}{what}', mime_type=_TEXT
            )
            for what, (title, about) in _ABOUT.items()
        ]
    return found


async def read(principal: Principal, uri: str) -> types.ReadResourceResult:
    """The text of a resource.

    Raises:
        MCPError: There is no such resource, it is somebody else's, or the memory fails.
    """
    try:
        ids, parts = _parsed(uri)
        view = principal.view(principal.ids(ids))
        await principal.ready()
        if parts == ['profile']:
            text = await _lines(view, await _profile(view))
        elif parts == ['recent']:
            text = await _lines(view, await _recent(view))
        elif len(parts) == 2 and parts[0] == 'memories':
            record = await view.get(await find(view, parts[1], inactive=True))
            text = await _lines(view, [record])
        else:
            raise errors.MemoryNotFound('there is no such resource: list the resources and templates')
    except Exception as error:
        raise _protocol_error(error, principal) from None
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text, mime_type=_TEXT)])


def _parsed(uri: str) -> tuple[dict[str, str], list[str]]:
    """Whose it is, if it says, and the rest of the path."""
    if not uri.startswith(SCHEME) or len(uri) > MAX_URI_CHARS:
        raise errors.MemoryNotFound('there is no such resource: its address has to begin with memoranda://')
    parts = [unquote(part, errors='strict') for part in uri.removeprefix(SCHEME).split('/')]
    if parts[0] == 'users' and len(parts) > 2:
        return {'user_id': parts[1]}, parts[2:]
    return {}, parts


async def _profile(view: AsyncMemory) -> list[MemoryRecord]:
    wanted = {'OR': [{'kind': {'in': list(PROFILE_KINDS)}}, {'pinned': True}]}
    page = await view.get_all(filters=wanted, limit=MOST_PROFILE)
    rank = {kind: i for i, kind in enumerate(PROFILE_KINDS)}
    return sorted(page.items, key=lambda r: rank.get(r.kind, len(rank)))


async def _recent(view: AsyncMemory) -> list[MemoryRecord]:
    hits = await view.search(_ANYTHING, strategy='recency', top_k=MOST_RECENT)
    check_read(hits.degraded)
    return [hit.memory for hit in hits if hit.memory is not None]


async def _lines(view: AsyncMemory, records: list[MemoryRecord]) -> str:
    rules = await rules_for(view, records)
    told = [(r, rule) for r, rule in zip(records, rules, strict=True) if withheld(r, rule) is None]
    known = [fact_line(r) for r, rule in told if rule != 'fence']
    return framed(known, [fact_line(r) for r, rule in told if rule == 'fence']) or _NOTHING


def prompts(principal: Principal) -> list[types.Prompt]:
    """The prompt that loads context."""
    arguments = [types.PromptArgument(name='topic', description='What it will be about.', required=False)]
    if principal.fixed is None:
        arguments.append(types.PromptArgument(name='user_id', description='Whose memories.', required=False))
        arguments.append(types.PromptArgument(name='agent_id', description='The agent.', required=False))
    return [
        types.Prompt(
            name=PROMPT,
            title='Load what is known',
            description='What is known of the user, and about a topic, from earlier conversations.',
            arguments=arguments,
        )
    ]


async def get_prompt(principal: Principal, name: str, given: Mapping[str, str]) -> types.GetPromptResult:
    """The context for a topic, as a message.

    Raises:
        MCPError: There is no such prompt, an argument can't be used, or the memory fails.
    """
    if name != PROMPT:
        raise MCPError(code=types.INVALID_PARAMS, message=f'there is no prompt of that name: use {PROMPT}')
    try:
        unknown = [key for key in given if key not in ('topic', 'user_id', 'agent_id')]
        if unknown:
            raise errors.InvalidInput('the prompt has no such argument: pass topic, user_id or agent_id')
        topic = given.get('topic', '').strip()
        if len(topic) > MAX_TOPIC_CHARS:
            raise errors.InvalidInput(f'topic is longer than {MAX_TOPIC_CHARS:,} characters: shorten it')
        view = principal.view(principal.ids({key: given.get(key) for key in ('user_id', 'agent_id')}))
        await principal.ready()
        if topic:
            block = await view.context(topic)
            check_read(block.degraded)
            text = block.text or _NOTHING
        else:
            records = [*await _profile(view), *await _recent(view)]
            text = await _lines(view, list({record.id: record for record in records}.values()))
    except Exception as error:
        raise _protocol_error(error, principal) from None
    content = types.TextContent(type='text', text=text)
    return types.GetPromptResult(
        description='What is known from earlier conversations.',
        messages=[types.PromptMessage(role='user', content=content)],
    )


def _protocol_error(error: Exception, principal: Principal) -> MCPError:
    theirs = isinstance(error, errors.MemoryNotFound | errors.InvalidInput | UnicodeDecodeError)
    told = 'the address is not UTF-8' if isinstance(error, UnicodeDecodeError) else reason_of(error, principal)
    return MCPError(code=types.INVALID_PARAMS if theirs else types.INTERNAL_ERROR, message=told)
