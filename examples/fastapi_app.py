"""A FastAPI app whose agent has a memory for each user: chat, see what is remembered, correct it, be forgotten.

    pip install 'memoranda[pydantic-ai]' fastapi uvicorn
    python examples/fastapi_app.py                 # asks itself a few things, then ends
    python examples/fastapi_app.py --serve --model openai:gpt-4o --database app.db

The header X-User stands for your authentication: put the id of whoever is logged in there, never one that the client
may choose.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from _stand_in import options, remembered
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import InMemoryConversationStore
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from memoranda import AsyncMemory, MemoryNotFound, Scope
from memoranda.agents import LongTermMemory

turns: Counter[str] = Counter()


@dataclass
class Deps:
    """Who is logged in."""

    user_id: str


class Said(BaseModel):
    """One message."""

    message: str
    conversation_id: str | None = None
    """Of an earlier answer, to go on with it."""


class Answer(BaseModel):
    """What the agent says."""

    answer: str
    conversation_id: str


class Remembered(BaseModel):
    """One memory, as its user sees it."""

    id: str
    text: str
    because: str | None
    """The words it rests on."""


def user_of(x_user: Annotated[str, Header()]) -> str:
    """Who asks. In an app of yours: from the session or the token."""
    if not x_user.strip():
        raise HTTPException(401, 'who are you?')
    return x_user


User = Annotated[str, Depends(user_of)]


def stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands in for a language model: says what it was told of the user."""
    known = '; '.join(remembered(messages))
    return ModelResponse(parts=[TextPart(f'I remember: {known}.' if known else 'Nice to meet you.')])


def count_turn(user_id: str) -> None:
    """Something that may be lost: a figure for the day."""
    turns[user_id] += 1


def create_app(memory: AsyncMemory, model: str | None = None) -> FastAPI:
    """The app. It opens the memory, and drains it at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with memory:
            yield

    app = FastAPI(lifespan=lifespan)
    conversations = InMemoryConversationStore()  # the messages of each conversation; facts are in the memory
    agent = Agent(
        model or FunctionModel(stand_in),
        deps_type=Deps,
        capabilities=[LongTermMemory(memory, scope=lambda ctx: Scope(user_id=ctx.deps.user_id))],
    )

    @app.post('/chat')
    async def chat(said: Said, user_id: User, tasks: BackgroundTasks) -> Answer:
        """Answer one message."""
        conversation = Conversation()
        if said.conversation_id is not None:
            conversation = await conversations.load(said.conversation_id, scope=user_id)
            if conversation is None:
                raise HTTPException(404, 'no such conversation')
        result = await agent.run(said.message, deps=Deps(user_id), conversation=conversation)
        await conversations.save(result, scope=user_id)
        tasks.add_task(count_turn, user_id)  # after the response was sent; lost if the process ends before
        return Answer(answer=result.output, conversation_id=result.conversation_id)

    @app.get('/memories')
    async def memories(user_id: User) -> list[Remembered]:
        """What is known of whoever asks."""
        page = await memory.get_all(user_id=user_id)
        return [Remembered(id=m.id, text=m.text, because=m.evidence[0].quote if m.evidence else None) for m in page]

    @app.delete('/memories/{memory_id}')
    async def forget_one(memory_id: str, user_id: User) -> None:
        """Stop believing one. That of somebody else is not found."""
        try:
            await memory.delete(memory_id, user_id=user_id)
        except MemoryNotFound:
            raise HTTPException(404, 'no such memory') from None

    @app.delete('/me')
    async def forget_me(user_id: User) -> int:
        """Erase all that was said and remembered, and say how many memories that were."""
        for kept in await conversations.list_conversations(scope=user_id):
            await conversations.delete(kept.conversation_id, scope=user_id)
        turns.pop(user_id, None)
        return (await memory.delete_all(user_id=user_id)).memories

    return app


async def ask_itself(app: FastAPI, memory: AsyncMemory) -> None:
    """A few requests, without a server."""
    import httpx2

    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url='http://app') as client,
    ):
        for user, message in (('ana', 'I live in Lisbon.'), ('ana', 'Where do I live?'), ('ben', 'Where do I live?')):
            response = await client.post('/chat', json={'message': message}, headers={'X-User': user})
            print(f'{user}: {message}\nagent: {response.json()["answer"]}\n')
            await memory.flush()
        bens = {'message': 'And now?', 'conversation_id': response.json()['conversation_id']}
        for user in ('ben', 'ana'):
            answered = await client.post('/chat', json=bens, headers={'X-User': user})
            print(f'{user} goes on with the conversation of ben:', answered.status_code)
        known = (await client.get('/memories', headers={'X-User': 'ana'})).json()
        print('known of ana:', [(m['text'], m['because']) for m in known])
        foreign = await client.delete(f'/memories/{known[0]["id"]}', headers={'X-User': 'ben'})
        print('ben deletes it:', foreign.status_code)
        print('ana is forgotten:', (await client.delete('/me', headers={'X-User': 'ana'})).json())
        print('known of ana:', (await client.get('/memories', headers={'X-User': 'ana'})).json())
        await client.delete('/me', headers={'X-User': 'ben'})
        answered = await client.post('/chat', json=bens, headers={'X-User': 'ben'})
        print('ben goes on after he was forgotten:', answered.status_code)


def main(argv: Sequence[str] | None = None) -> None:
    parser = options(__doc__)
    parser.add_argument('--serve', action='store_true', help='serve on 127.0.0.1:8000')
    chosen = parser.parse_args(argv)
    memory = AsyncMemory(chosen.database)
    app = create_app(memory, chosen.model)
    if not chosen.serve:
        asyncio.run(ask_itself(app, memory))
        return
    import uvicorn

    uvicorn.run(app, host='127.0.0.1', port=8000)


if __name__ == '__main__':
    main()
