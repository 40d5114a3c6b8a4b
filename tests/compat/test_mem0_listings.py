"""Programs as tutorials for Mem0 have them, with nothing changed but the import: offline, with rules and the bundled
embedder. What stands for a language model is a function, or a server on this machine that OpenAI's client talks to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat._openai import OpenAI, serving
from memoranda.compat.mem0 import AsyncMemory, Memory

Model = Callable[[list[dict[str, str]]], str]


@pytest.fixture
def memory(own_environment: Any) -> Iterator[Memory]:
    memory = Memory()
    yield memory
    memory.close()


class Parrot:
    """A model that answers with a sentence, and keeps what it was told."""

    def __init__(self, answer: str = 'Certainly.') -> None:
        self.answer = answer
        self.told: list[str] = []

    def __call__(self, messages: list[dict[str, str]]) -> str:
        self.told.append('\n'.join(m['content'] for m in messages))
        return self.answer


def test_the_first_steps_of_older_tutorials(memory: Memory) -> None:
    m = memory
    result = m.add(
        'I am working on improving my tennis skills. Suggest some online courses.',
        user_id='alice',
        metadata={'category': 'hobbies'},
    )
    assert result['results'][0]['event'] == 'ADD'
    all_memories = m.get_all(user_id='alice')
    memory_id = all_memories['memories'][0]['id']
    specific_memory = m.get(memory_id)
    assert 'tennis' in specific_memory['text']
    related_memories = m.search(query="What are Alice's hobbies?", user_id='alice')
    assert [related['text'] for related in related_memories] == [specific_memory['memory']]
    m.update(memory_id=memory_id, data='Likes to play tennis on weekends')
    history = m.history(memory_id=memory_id)
    assert [entry['new_memory'] for entry in history][-1] == 'Likes to play tennis on weekends'
    m.delete(memory_id=memory_id)
    m.delete_all(user_id='alice')
    assert m.get_all(user_id='alice') == {'results': []}


def test_the_first_steps_of_the_present_tutorials(memory: Memory) -> None:
    messages = [
        {'role': 'user', 'content': "I'm planning to watch a movie tonight. Any recommendations?"},
        {'role': 'assistant', 'content': 'How about a thriller? They can be quite engaging.'},
        {'role': 'user', 'content': "I'm not a big fan of thriller movies but I love sci-fi movies."},
        {'role': 'assistant', 'content': "Got it! I'll avoid thrillers and suggest sci-fi in the future."},
    ]
    added = memory.add(messages, user_id='alice', metadata={'category': 'movie_recommendations'})
    assert any('sci-fi' in r['memory'] for r in added['results'] if r['event'] == 'ADD')
    found = memory.search('Which movies should I suggest?', filters={'user_id': 'alice'}, top_k=3)
    assert any('sci-fi' in r['memory'] for r in found['results'])
    assert found['results'][0]['metadata'] == {'category': 'movie_recommendations'}
    raw = memory.add(messages, user_id='bob', infer=False)
    assert len(raw['results']) == 4
    kept = memory.get_all(filters={'AND': [{'user_id': 'alice'}, {'category': 'movie_recommendations'}]})
    assert len(kept['results']) == len([r for r in added['results'] if r['event'] == 'ADD'])


class SupportBot:
    """Answers customers, and remembers what they said."""

    def __init__(self, memory: Memory, model: Model) -> None:
        self.memory, self.model = memory, model
        self.app_id = 'customer-support'

    def handle(self, query: str, user_id: str) -> str:
        """One question."""
        relevant = self.memory.search(query=query, user_id=user_id)
        context = 'Relevant information from previous conversations:\n'
        if relevant and relevant.get('results'):
            for item in relevant['results']:
                if 'memory' in item:
                    context += f'- {item["memory"]}\n'
        answer = self.model([{'role': 'system', 'content': context}, {'role': 'user', 'content': query}])
        self.memory.add(query, user_id=user_id, metadata={'app_id': self.app_id, 'role': 'user'})
        self.memory.add([{'role': 'assistant', 'content': answer}], user_id=user_id, metadata={'app_id': self.app_id})
        return answer

    def memories(self, user_id: str) -> list[dict[str, Any]]:
        """What it knows of a customer."""
        return self.memory.get_all(user_id=user_id)['results']


def test_a_support_bot_knows_the_customer_again(memory: Memory) -> None:
    model = Parrot('Let me check your order.')
    bot = SupportBot(memory, model)
    bot.handle('My order #4711 arrived with a broken screen.', 'jane')
    bot.handle('I prefer a refund over a replacement.', 'jane')
    bot.handle('What was wrong with my order?', 'jane')
    bot.handle('What was wrong with my order?', 'john')
    assert 'broken screen' in model.told[2]
    assert 'refund' in model.told[2]
    assert 'broken screen' not in model.told[3]
    assert any('4711' in m['memory'] for m in bot.memories('jane'))
    assert all(m['metadata']['app_id'] == 'customer-support' for m in bot.memories('jane'))
    assert bot.memories('john') == []


class TravelAssistant:
    """Plans trips, in the shape of older tutorials: lists, `text`, `limit`."""

    def __init__(self, memory: Memory, model: Model) -> None:
        self.memory, self.model = memory, model
        self.messages = [{'role': 'system', 'content': 'You are a personal travel assistant.'}]

    def ask(self, question: str, user_id: str) -> str:
        """One question."""
        known = self.search(question, user_id)
        prompt = f'User input: {question}\nPrevious memories: {known}'
        self.messages.append({'role': 'user', 'content': prompt})
        answer = self.model(self.messages)
        self.messages.append({'role': 'assistant', 'content': answer})
        self.memory.add(question, user_id)
        return answer

    def search(self, query: str, user_id: str) -> list[str]:
        """What is known on something."""
        memories = self.memory.search(query, user_id=user_id, limit=5)
        return [m['text'] for m in memories]

    def everything(self, user_id: str) -> list[str]:
        """All that is known."""
        memories = self.memory.get_all(user_id=user_id)
        return [m['text'] for m in memories]


def test_a_travel_assistant_of_the_older_kind_remembers_the_traveller(memory: Memory) -> None:
    model = Parrot('Enjoy your trip!')
    assistant = TravelAssistant(memory, model)
    assistant.ask('I live in Lisbon and I prefer window seats.', 'maya')
    assistant.ask('I am allergic to shellfish.', 'maya')
    assistant.ask('Can you suggest a restaurant, given my allergies?', 'maya')
    assert 'shellfish' in model.told[-1].rpartition('Previous memories:')[2]
    assert len(assistant.everything('maya')) == 3
    assert all(isinstance(text, str) for text in assistant.everything('maya'))
    assert len(assistant.search('seat', 'maya')) <= 5


def test_a_chat_loop_with_the_client_of_openai(memory: Memory) -> None:
    from openai import OpenAI as Client

    def chat_with_memories(client: Any, message: str, user_id: str = 'default_user') -> str:
        relevant_memories = memory.search(query=message, filters={'user_id': user_id}, top_k=3)
        memories_str = '\n'.join(f'- {entry["memory"]}' for entry in relevant_memories['results'])
        system_prompt = f'You are a helpful AI. Answer based on query and memories.\nUser Memories:\n{memories_str}'
        messages = [{'role': 'system', 'content': system_prompt}, {'role': 'user', 'content': message}]
        response = client.chat.completions.create(model='gpt-4.1-nano', messages=messages)
        answer = response.choices[0].message
        messages.append(answer)  # as it is, which is no dict
        memory.add(messages, user_id=user_id)
        return answer.content

    server = OpenAI(text='Nice to meet you!')
    with serving(server) as address, Client(api_key='sk-none', base_url=address) as client:
        assert chat_with_memories(client, "Hi, I'm Nora and I work as a nurse.") == 'Nice to meet you!'
        chat_with_memories(client, 'What is my job?')
    first, second = (body['messages'][0]['content'] for body in server.bodies('/chat/completions'))
    assert 'nurse' not in first
    assert 'nurse' in second
    assert 'User Memories' not in str(memory.get_all(user_id='default_user'))  # the system prompt is nobody's words


class Chain:
    """A chain as LangChain programs build them: a prompt of context, history and input, then a model."""

    def __init__(self, memory: Memory, model: Model) -> None:
        self.memory, self.model = memory, model

    def retrieve_context(self, query: str, user_id: str) -> list[dict[str, str]]:
        """What is known, as messages of a history."""
        try:
            memories = self.memory.search(query, user_id=user_id)
            memory_list = memories['results']
            serialized = ' '.join([mem['memory'] for mem in memory_list])
        except Exception:
            return [{'role': 'user', 'content': query}]
        return [
            {'role': 'system', 'content': f'Relevant information: {serialized}'},
            {'role': 'user', 'content': query},
        ]

    def save_interaction(self, user_id: str, user_input: str, assistant_response: str) -> None:
        """What was said."""
        interaction = [
            {'role': 'user', 'content': user_input},
            {'role': 'assistant', 'content': assistant_response},
        ]
        result = self.memory.add(interaction, user_id=user_id)
        assert 'results' in result

    def chat_turn(self, user_input: str, user_id: str) -> str:
        """One turn."""
        response = self.model(self.retrieve_context(user_input, user_id))
        self.save_interaction(user_id, user_input, response)
        return response


def test_a_chain_is_given_what_was_said_before(memory: Memory) -> None:
    model = Parrot('Good idea.')
    chain = Chain(memory, model)
    chain.chat_turn('I am learning Spanish, and I study in the evening.', 'sam')
    chain.chat_turn('Which language do I learn?', 'sam')
    assert 'Spanish' in model.told[1]
    assert 'Spanish' not in model.told[0].partition('I am learning')[0]


def test_a_companion_filters_by_its_own_metadata(memory: Memory) -> None:
    memory.add(
        [{'role': 'user', 'content': 'I ran five kilometres in 28 minutes today.'}],
        user_id='anish',
        metadata={'type': 'workout', 'week': 12},
    )
    memory.add('My knee hurts after long runs.', user_id='anish', metadata={'type': 'injury', 'week': 12})
    memory.add('I ran ten kilometres today.', user_id='anish', metadata={'type': 'workout', 'week': 14})
    found = memory.search(
        'running', filters={'user_id': 'anish', 'AND': [{'type': 'workout'}, {'week': {'gte': 13}}]}, threshold=0.1
    )
    assert ['ten kilomet' in r['memory'] for r in found['results']] == [True]
    injuries = memory.get_all(filters={'user_id': 'anish', 'type': {'in': ['injury', 'pain']}})
    assert ['knee' in r['memory'] for r in injuries] == [True]


def test_several_agents_and_sessions_of_one_user(memory: Memory) -> None:
    memory.add('I am vegetarian.', user_id='kim', agent_id='chef', run_id='dinner')
    memory.add('I want to run a marathon.', user_id='kim', agent_id='coach', session_id='training')
    chef = memory.search('What do I eat?', user_id='kim', agent_id='chef')
    assert ['egetarian' in m['memory'] for m in chef] == [True]
    assert 'marathon' in str(memory.get_all(user_id='kim', run_id='training'))
    assert len(memory.get_all(user_id='kim')) == 2
    memory.delete_all(user_id='kim', run_id='training')
    assert len(memory.get_all(user_id='kim')) == 1


def test_an_app_of_fastapi_serves_memories(memory: Memory) -> None:
    pytest.importorskip('fastapi')
    httpx = pytest.importorskip('httpx')
    from fastapi import FastAPI, HTTPException

    app = FastAPI()

    @app.post('/memories')
    def add(body: dict[str, Any]) -> Any:
        try:
            return memory.add(body['messages'], user_id=body.get('user_id'))
        except ValueError as error:
            raise HTTPException(status_code=400, detail=str(error)) from error

    @app.get('/memories')
    def listing(user_id: str) -> dict[str, Any]:
        return memory.get_all(filters={'user_id': user_id})

    @app.post('/search')
    def search(body: dict[str, Any]) -> Any:
        return memory.search(query=body['query'], filters={'user_id': body['user_id']}, top_k=2)

    @app.delete('/memories/{memory_id}')
    def delete(memory_id: str) -> dict[str, str]:
        try:
            return memory.delete(memory_id)
        except ValueError as error:
            raise HTTPException(status_code=404, detail='not found') from error

    async def main() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url='http://test') as client:
            said = {'messages': [{'role': 'user', 'content': 'I live in Porto'}], 'user_id': 'ida'}
            added = (await client.post('/memories', json=said)).json()
            assert added['results'][0]['memory'] == 'Lives in Porto'
            assert (await client.post('/memories', json={**said, 'user_id': None})).status_code == 400
            listed = (await client.get('/memories', params={'user_id': 'ida'})).json()
            assert [r['memory'] for r in listed['results']] == ['Lives in Porto']
            found = (await client.post('/search', json={'query': 'Where is home?', 'user_id': 'ida'})).json()
            assert found['results'][0]['id'] == added['results'][0]['id']
            for status in (200, 404):
                answer = await client.delete(f'/memories/{added["results"][0]["id"]}')
                assert answer.status_code == status

    asyncio.run(main())


def test_an_async_program_serves_many_users_at_once() -> None:
    async def remember(memory: AsyncMemory, user: str, city: str) -> list[str]:
        await memory.add(
            messages=[{'role': 'user', 'content': f'I live in {city}'}], user_id=user, metadata={'source': 'chat'}
        )
        related = await memory.search(query='Where do I live?', user_id=user, limit=1)
        return [m['memory'] for m in related['results']]

    async def main() -> None:
        memory = AsyncMemory()
        cities = {'ana': 'Lisbon', 'ben': 'Oslo', 'cleo': 'Athens', 'dan': 'Prague'}
        found = await asyncio.gather(*(remember(memory, user, city) for user, city in cities.items()))
        assert found == [[f'Lives in {city}'] for city in cities.values()]
        everything = await memory.get_all(filters={'user_id': 'ben'})
        await memory.delete(memory_id=everything['results'][0]['id'])
        assert not await memory.get_all(user_id='ben')
        await memory.close()

    asyncio.run(main())
