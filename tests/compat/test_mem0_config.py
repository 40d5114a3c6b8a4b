"""A Mem0 configuration becomes a database, an index and models of ours, or an error that says what there is."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from _postgres import available, fresh_database
from compat._openai import OpenAI, serving
from memoranda import ConfigurationError, InvalidInput, ProcessingFailed
from memoranda.compat.mem0 import (
    AsyncMemory,
    EmbedderConfig,
    LlmConfig,
    Memory,
    MemoryConfig,
    VectorStoreConfig,
)
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.failed import ModelFailed

EMBEDDER = {'provider': 'pydantic_ai', 'config': {'model': HashingEmbedder()}}
STORE = {'provider': 'sqlite', 'config': {'path': ':memory:'}}
KEYS = (
    'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_API_BASE', 'OLLAMA_HOST', 'GROQ_API_KEY', 'ANTHROPIC_API_KEY',
    'DEEPSEEK_API_KEY', 'LLM_AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_API_KEY', 'OPENAI_API_VERSION',
    'QDRANT_API_KEY', 'QDRANT_URL', 'QDRANT_HOST',
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What Pydantic AI counts the tokens of OpenAI's embeddings with, which nothing here asks it to."""
    if importlib.util.find_spec('tiktoken') is None:
        stub = types.ModuleType('tiktoken')
        stub.__spec__ = ModuleSpec('tiktoken', None)
        monkeypatch.setitem(sys.modules, 'tiktoken', stub)
    yield
    sys.modules.pop('pydantic_ai.embeddings.openai', None)


@pytest.fixture
def openai() -> Iterator[tuple[OpenAI, str]]:
    server = OpenAI()
    with serving(server) as address:
        yield server, address


def words(found: Any) -> list[str]:
    return [item['memory'] for item in found]


def of(**sections: Any) -> Memory:
    return Memory.from_config({'embedder': EMBEDDER, 'vector_store': STORE, **sections})


# Models


@pytest.mark.usefixtures('counting')
def test_a_model_and_an_embedder_are_asked_with_their_own_key_and_address(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    config = {
        'llm': {
            'provider': 'openai',
            'config': {
                'model': 'gpt-4o-mini',
                'api_key': 'sk-llm',
                'openai_base_url': address,
                'temperature': 0.25,
                'max_tokens': 1500,
                'top_p': 0.5,
            },
        },
        'embedder': {
            'provider': 'openai',
            'config': {
                'model': 'text-embedding-3-small',
                'api_key': 'sk-vectors',
                'openai_base_url': address,
                'embedding_dims': 32,
            },
        },
        'vector_store': STORE,
        'custom_instructions': 'Remember what people eat.',
        'version': 'v1.1',
    }
    memory = Memory.from_config(config)
    result = memory.add([{'role': 'user', 'content': 'I am vegetarian'}], user_id='ana', prompt='Leave out names.')
    assert [(r['event'], r['memory']) for r in result] == [('ADD', 'Is a vegetarian')]
    assert words(memory.search('vegetarian', user_id='ana')) == ['Is a vegetarian']
    memory.close()
    (asked,) = server.bodies('/chat/completions')
    assert (asked['model'], asked['temperature'], asked['top_p']) == ('gpt-4o-mini', 0.25, 0.5)
    assert 1500 in (asked.get('max_tokens'), asked.get('max_completion_tokens'))
    told = str(asked['messages'])
    assert 'Remember what people eat.' in told
    assert 'Leave out names.' in told
    vectors = server.bodies('/embeddings')
    assert {(v['model'], v['dimensions']) for v in vectors} == {('text-embedding-3-small', 32)}
    keys = {(one['path'], one['key']) for one in server.asked}
    assert keys == {('/chat/completions', 'Bearer sk-llm'), ('/embeddings', 'Bearer sk-vectors')}


def test_reasoning_models_get_no_sampling_parameters(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    for config in ({'model': 'gpt-5-mini'}, {'model': 'o4-mini'}, {'model': 'own-7b', 'is_reasoning_model': True}):
        section = {'api_key': 'x', 'openai_base_url': address, 'temperature': 0.1, 'max_tokens': 99, **config}
        with of(llm={'provider': 'openai', 'config': section}) as memory:
            memory.add('I am vegetarian', user_id='ana')
    for asked in server.bodies('/chat/completions'):
        assert not {'temperature', 'top_p', 'max_tokens', 'max_completion_tokens'} & set(asked)


@pytest.mark.parametrize(
    ('provider', 'key'),
    [('deepseek', 'deepseek_base_url'), ('xai', 'xai_base_url'), ('minimax', 'minimax_base_url'),
     ('vllm', 'vllm_base_url'), ('lmstudio', 'lmstudio_base_url'), ('ollama', 'ollama_base_url')],
)  # fmt: skip
def test_what_speaks_the_protocol_of_openai_is_asked_in_it(openai: tuple[OpenAI, str], provider: str, key: str) -> None:
    server, address = openai
    url = address.removesuffix('/v1') if provider == 'ollama' else address
    with of(llm={'provider': provider, 'config': {'model': 'own-7b', 'api_key': 'x', key: url}}) as memory:
        assert words(memory.add('I am vegetarian', user_id='ana')) == ['Is a vegetarian']
    assert [asked['model'] for asked in server.bodies('/chat/completions')] == ['own-7b']


@pytest.mark.usefixtures('counting')
def test_addresses_and_keys_of_the_environment_are_used(
    openai: tuple[OpenAI, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, address = openai
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-env')
    monkeypatch.setenv('OPENAI_BASE_URL', address)
    with of(llm={'provider': 'openai'}, embedder={'provider': 'openai'}) as memory:
        memory.add('I am vegetarian', user_id='ana')
    assert {one['key'] for one in server.asked} == {'Bearer sk-env'}
    assert server.bodies('/chat/completions')[0]['model'] == 'gpt-5-mini'
    assert 'dimensions' not in server.bodies('/embeddings')[0]


def test_an_azure_deployment_is_asked(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    azure = {
        'api_key': 'k',
        'azure_deployment': 'ours',
        'azure_endpoint': address.removesuffix('/v1'),
        'api_version': '2024-10-21',
        'default_headers': {'X-Team': 'memory'},
    }
    section = {'model': 'gpt-4o', 'temperature': 0.1, 'azure_kwargs': azure}
    with of(llm={'provider': 'azure_openai', 'config': section}) as memory:
        assert words(memory.add('I am vegetarian', user_id='ana')) == ['Is a vegetarian']
    assert [one['body']['model'] for one in server.asked] == ['ours']


def test_a_model_of_litellm_is_asked_by_its_provider(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    for model in ('openai/gpt-4o-mini', 'gpt-4o-mini'):
        section = {'model': model, 'api_key': 'x', 'openai_base_url': address}
        with of(llm={'provider': 'litellm', 'config': section}) as memory:
            memory.add('I am vegetarian', user_id='ana')
    assert [asked['model'] for asked in server.bodies('/chat/completions')] == ['gpt-4o-mini'] * 2
    with pytest.raises(ConfigurationError, match='write provider/model'):
        of(llm={'provider': 'litellm', 'config': {'model': 'somewhere/else'}})


def answering(fact: str) -> FunctionModel:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if not info.output_tools:
            return ModelResponse(parts=[TextPart('Step 1: read three prices.')])
        operation = {'op': 'add', 'text': fact, 'evidence': [{'message': 1, 'quote': 'vegetarian'}]}
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {'operations': [operation]})])

    return FunctionModel(answer)


def test_any_model_of_pydantic_ai_may_be_given() -> None:
    with of(llm={'provider': 'pydantic_ai', 'config': {'model': answering('Eats no meat')}}) as memory:
        assert words(memory.add('I am vegetarian', user_id='ana')) == ['Eats no meat']
    with pytest.raises(ConfigurationError, match='model is missing'):
        of(llm={'provider': 'pydantic_ai', 'config': {}})


def test_an_agents_work_is_summed_up_by_the_model(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    section = {'model': 'gpt-4o-mini', 'api_key': 'x', 'openai_base_url': address}
    done = [{'role': 'user', 'content': 'Compare prices'}, {'role': 'assistant', 'content': 'I read three pages'}]
    asked: dict[str, Any] = {'agent_id': 'shopper', 'memory_type': 'procedural_memory', 'prompt': 'Only prices.'}
    with of(llm={'provider': 'openai', 'config': section}) as memory:
        (made,) = memory.add(done, **asked)
        assert (made['memory'], made['event']) == (server.text, 'ADD')
        assert memory.get(made['id'])['metadata'] == {'memory_type': 'procedural_memory'}
        assert words(memory.search('prices', agent_id='shopper')) == [server.text]
        told = str(server.bodies('/chat/completions')[0]['messages'])
        assert 'Only prices.' in told
        assert 'I read three pages' in told
        for wrong in ({'agent_id': None, 'user_id': 'ana'}, {'memory_type': 'semantic_memory'}):
            with pytest.raises(InvalidInput):
                memory.add(done, **{**asked, **wrong})
    with of() as without, pytest.raises(InvalidInput, match='none is configured'):
        without.add(done, **asked)
    with of(llm={'provider': 'pydantic_ai', 'config': {'model': answering('x')}}) as given:
        assert words(given.add(done, **asked)) == ['Step 1: read three prices.']


def test_a_summary_is_made_without_secrets_and_images_and_leaves_no_words_in_a_trace(
    openai: tuple[OpenAI, str],
) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings

    server, address = openai
    secret = 'sk-' + 'proj-' + '9fK2mQ7xWb4ZrT8vLc3NpY6hJd1GsA5e'
    image = {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,iVBORw0KGgo='}}
    done = [
        {'role': 'user', 'content': [{'type': 'text', 'text': 'Compare prices'}, image]},
        {'role': 'assistant', 'content': f'I opened the shop with the key {secret}'},
    ]
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    section = {'model': 'gpt-4o-mini', 'api_key': 'x', 'openai_base_url': address}
    try:
        with of(llm={'provider': 'openai', 'config': section}) as memory:
            memory.add(done, agent_id='shopper', memory_type='procedural_memory')
    finally:
        Agent.instrument_all(False)
    told = str(server.bodies('/chat/completions')[0]['messages'])
    assert 'Compare prices' in told
    assert 'I opened the shop' in told
    for hidden in (secret, 'iVBORw0KGgo', 'image_url'):
        assert hidden not in told
    spans = ' '.join(span.to_json() for span in exporter.get_finished_spans())
    assert 'procedural_memory' in spans
    for words_of_somebody in ('Compare', 'prices', 'opened'):
        assert words_of_somebody not in spans


@pytest.mark.parametrize(('status', 'text', 'match'), [(503, 'x', 'gpt-4o-mini'), (200, ' ', 'gpt-4o-mini')])
def test_a_summary_that_fails_stores_nothing(openai: tuple[OpenAI, str], status: int, text: str, match: str) -> None:
    server, address = openai
    server.status, server.text = status, text
    section = {'model': 'gpt-4o-mini', 'api_key': 'x', 'openai_base_url': address}
    with of(llm={'provider': 'openai', 'config': section}) as memory:
        with pytest.raises(ModelFailed, match=match):
            memory.add('Compare prices', agent_id='shopper', memory_type='procedural_memory')
        assert not memory.get_all(agent_id='shopper')


def test_a_model_that_fails_loses_no_message(openai: tuple[OpenAI, str]) -> None:
    server, address = openai
    server.status = 401
    section = {'model': 'gpt-4o-mini', 'api_key': 'x', 'openai_base_url': address}
    with of(llm={'provider': 'openai', 'config': section}) as memory:
        with pytest.raises((ProcessingFailed, ConfigurationError)):
            memory.add('I am vegetarian', user_id='ana')
        assert [e.text for e in memory.memoranda.episodes(user_id='ana').items] == ['I am vegetarian']


def test_an_async_memory_closes_and_opens_its_connections(openai: tuple[OpenAI, str]) -> None:
    _, address = openai
    section = {'model': 'gpt-4o-mini', 'api_key': 'x', 'openai_base_url': address}

    async def main() -> None:
        config = {'llm': {'provider': 'openai', 'config': section}, 'embedder': EMBEDDER, 'vector_store': STORE}
        for _ in range(2):
            async with AsyncMemory.from_config(config) as memory:
                found = await memory.add('I am vegetarian', user_id='ana')
                assert words(found) == ['Is a vegetarian']

    asyncio.run(main())


@pytest.mark.parametrize(
    ('section', 'match'),
    [
        ({'provider': 'openai', 'config': {}}, 'OPENAI_API_KEY'),
        ({'provider': 'groq', 'config': {'model': 'x'}}, 'GROQ_API_KEY'),
        ({'provider': 'azure_openai', 'config': {'azure_kwargs': {'api_key': 'k'}}}, 'azure_endpoint is missing'),
        ({'provider': 'opnai', 'config': {}}, 'unknown: use one of openai'),
        ({'provider': 'langchain', 'config': {'model': object()}}, 'LangChain'),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'temprature': 0}}, "mean 'temperature'"),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'enable_vision': True}}, 'images are not read'),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'http_client_proxies': 'http://p'}}, 'HTTPS_PROXY'),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'temperature': 'hot'}}, 'temperature'),
        ({'provider': 'openai', 'config': {'api_key': 7}}, 'api_key is an int'),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'reasoning_effort': 'huge'}}, 'use low, medium or high'),
        ({'provider': 'openai', 'config': 'gpt-4o'}, 'config of openai is a str'),
        ({'provider': '', 'config': {}}, 'no name'),
        ({'provider': 'rules', 'config': {'model': 'x'}}, 'keep_unread'),
        ({'model': 'gpt-4o'}, "'model' is unknown"),
        ('openai', 'llm is a str'),
    ],
)
def test_a_model_that_can_not_be_asked_is_an_error_at_once(section: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match) as caught:
        of(llm=section)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ('provider', 'package', 'extra'),
    [('anthropic', 'anthropic', 'anthropic'), ('gemini', 'google.genai', 'google'), ('groq', 'groq', 'groq'),
     ('openai', 'openai', 'openai'), ('aws_bedrock', 'boto3', 'bedrock'), ('openai', 'pydantic_ai', 'memoranda')],
)  # fmt: skip
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, provider: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    section = {} if provider == 'aws_bedrock' else {'api_key': 'sk-secret'}
    with pytest.raises(ConfigurationError, match='pip install') as caught:
        of(llm={'provider': provider, 'config': section})
    assert extra in str(caught.value)
    assert 'sk-secret' not in str(caught.value)


@pytest.mark.parametrize(
    ('section', 'match'),
    [
        ({'provider': 'openai', 'config': {}}, "{'provider': 'bundled'}"),
        ({'provider': 'fastembed', 'config': {}}, 'bundled embedder'),
        ({'provider': 'cohere', 'config': {}}, 'unknown: use one of openai'),
        ({'provider': 'openai', 'config': {'api_key': 'x', 'embedding_dims': 'many'}}, 'embedding_dims'),
        ({'provider': 'gemini', 'config': {'api_key': 'x', 'memory_add_embedding_type': 'X'}}, 'not offered'),
        ({'provider': 'bundled', 'config': {'model': 'x'}}, 'Known are none'),
        ({'provider': 'pydantic_ai', 'config': {'model': object()}}, 'embedder is an object'),
    ],
)
def test_an_embedder_that_can_not_be_asked_is_an_error_at_once(section: Any, match: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        of(embedder=section)
    assert match in str(caught.value)


# Places


def location(**section: Any) -> str:
    memory = Memory.from_config({'embedder': EMBEDDER, 'vector_store': section})
    return memory.memoranda.location


def test_the_path_of_a_local_store_becomes_a_file_in_it(tmp_path: Path) -> None:
    for provider in ('qdrant', 'chroma', 'faiss'):
        section = {'provider': provider, 'config': {'path': str(tmp_path / provider), 'embedding_model_dims': 1536}}
        assert location(**section) == str(tmp_path / provider / 'memoranda.db')
    assert location(provider='sqlite', config={'path': str(tmp_path / 'm.db')}) == str(tmp_path / 'm.db')
    assert location(provider='qdrant', config={'path': ':memory:'}) == ':memory:'
    assert location(provider='qdrant', config={'path': tmp_path / 'p'}) == str(tmp_path / 'p' / 'memoranda.db')


def test_what_is_stored_in_a_path_is_there_again(tmp_path: Path) -> None:
    config = {
        'embedder': EMBEDDER,
        'vector_store': {'provider': 'qdrant', 'config': {'path': str(tmp_path / 'v'), 'on_disk': True}},
        'history_db_path': str(tmp_path / 'history.db'),
    }
    with Memory.from_config(config) as memory:
        memory.add('I live in Lisbon', user_id='ana')
    with Memory.from_config(config) as memory:
        assert words(memory.get_all(user_id='ana')) == ['Lives in Lisbon']
    assert not (tmp_path / 'history.db').exists()


def test_collections_do_not_see_each_other(tmp_path: Path) -> None:
    def of_collection(name: str | None) -> Memory:
        section = {'path': str(tmp_path), **({'collection_name': name} if name else {})}
        return Memory.from_config({'embedder': EMBEDDER, 'vector_store': {'provider': 'qdrant', 'config': section}})

    with of_collection('shop') as shop, of_collection('help') as helping, of_collection(None) as usual:
        shop.add('I live in Lisbon', user_id='ana')
        assert not helping.get_all(user_id='ana')
        assert not usual.get_all(user_id='ana')
        usual.add('I love hiking', user_id='ana')
    with of_collection('mem0') as same:  # the name that Mem0 uses when none is given
        assert words(same.get_all(user_id='ana')) == ['Loves hiking']


def test_a_qdrant_server_becomes_the_index_of_the_usual_database(own_environment: Path) -> None:
    pytest.importorskip('qdrant_client')
    memory = Memory.from_config(
        {
            'embedder': EMBEDDER,
            'vector_store': {'provider': 'qdrant', 'config': {'host': 'db.example', 'port': 6444, 'api_key': 'sk'}},
        }
    )
    attached: Any = memory.memoranda.engine.index
    assert attached.index.location == 'http://db.example:6444'
    assert memory.memoranda.location.endswith('memoranda.db')


def test_memories_are_found_through_a_qdrant_server(tmp_path: Path) -> None:
    pytest.importorskip('qdrant_edge')
    from _qdrant import running

    with running(tmp_path / 'qdrant') as server:
        section = {'provider': 'qdrant', 'config': {'url': server.url, 'api_key': 'x', 'collection_name': 'shop'}}
        with Memory.from_config({'embedder': EMBEDDER, 'vector_store': section}) as memory:
            memory.add('I live in Lisbon', user_id='ana')
            memory.memoranda.index_flush()
            assert memory.memoranda.index_status().points == memory.memoranda.index_status().expected > 0
            assert words(memory.search('Lisbon', user_id='ana')) == ['Lives in Lisbon']


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
def test_memories_are_kept_in_postgresql() -> None:
    with fresh_database() as url:
        parts = urlsplit(url)
        section = {
            'user': unquote(parts.username or ''),
            'password': unquote(parts.password or ''),
            'host': parts.hostname,
            'port': parts.port,
            'dbname': parts.path.lstrip('/'),
            'collection_name': 'shop',
        }
        config = {'embedder': EMBEDDER, 'vector_store': {'provider': 'pgvector', 'config': section}}
        with Memory.from_config(config) as memory:
            known = memory.add('I live in Lisbon', user_id='ana', metadata={'topic': 'home'})[0]['id']
            found = memory.search(
                'Lisbon', filters={'user_id': 'ana', 'topic': 'home', 'created_at': {'gte': '2020-01-01'}}
            )
            assert words(found) == ['Lives in Lisbon']
            memory.update(known, text='Lives in Porto')
        with Memory.from_config(config) as memory:
            assert memory.memoranda.project == 'shop'
            assert words(memory.get_all(user_id='ana')) == ['Lives in Porto']
            memory.reset(confirm=True)
            assert not memory.get_all(user_id='ana')


def test_a_pgvector_store_becomes_postgresql() -> None:
    pytest.importorskip('psycopg')
    parts = {'user': 'app', 'password': 'p@ss:/w', 'host': 'db.example', 'port': 6543, 'dbname': 'agents', 'hnsw': True}
    shown = location(provider='pgvector', config={**parts, 'maxconn': 9, 'sslmode': 'require'})
    assert 'db.example' in shown
    assert 'p@ss' not in shown
    for url in ('postgresql://app:pw@db.example/agents', 'postgresql+psycopg2://app:pw@db.example/agents'):
        assert 'agents' in location(provider='pgvector', config={'connection_string': url})
        assert 'agents' in location(provider='supabase', config={'connection_string': url})


@pytest.mark.parametrize(
    ('section', 'match'),
    [
        ({'provider': 'pinecone', 'config': {'api_key': 'sk-secret'}}, 'use one of qdrant, pgvector'),
        ({'provider': 'pinecone', 'config': {'api_key': 'sk-secret'}}, 'Mem0Provider'),
        ({'provider': 'qdrant', 'config': {'client': object()}}, 'client is not offered'),
        ({'provider': 'qdrant', 'config': {'hosts': 'x'}}, "mean 'host'"),
        ({'provider': 'qdrant', 'config': {'host': 'x', 'port': 'high'}}, 'port'),
        ({'provider': 'chroma', 'config': {'host': 'x', 'port': 1}}, 'Chroma server'),
        ({'provider': 'pgvector', 'config': {'host': 'x'}}, 'tells no database'),
        ({'provider': 'pgvector', 'config': {'connection_string': 'host=x password=sk-secret'}}, 'no URL'),
        ({'provider': 'supabase', 'config': {}}, 'give connection_string'),
        (
            {
                'provider': 'supabase',
                'config': {'connection_string': 'postgres://a@b/c', 'index_measure': 'l2_distance'},
            },
            'cosine',
        ),
        ({'provider': 'qdrant', 'path': 'x'}, "'path' is unknown"),
    ],
)
def test_a_store_that_is_not_offered_is_an_error_at_once(section: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match) as caught:
        Memory.from_config({'vector_store': section})
    assert 'sk-secret' not in str(caught.value)


# The whole


def test_a_memory_without_configuration_works_offline_and_says_so_once(
    caplog: pytest.LogCaptureFixture, own_environment: Path
) -> None:
    with caplog.at_level(logging.INFO, 'memoranda.compat'):
        for _ in range(2):
            memory = Memory()
            assert memory.memoranda.location.endswith('memoranda.db')
            assert words(memory.add('I live in Lisbon', user_id='ana')) == ['Lives in Lisbon']
            memory.close()
            memory.delete_all(user_id='ana')
            memory.close()
    told = [r.getMessage() for r in caplog.records if 'rules' in r.getMessage()]
    assert len(told) == 1
    assert 'memoranda.db' in told[0]
    assert 'MEMORANDA_MODEL' in told[0]


def test_the_settings_count_where_the_configuration_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('MEMORANDA_DATABASE', str(tmp_path / 'own.db'))
    monkeypatch.setenv('MEMORANDA_PROJECT', 'shop')
    memory = Memory()
    assert (memory.memoranda.location, memory.memoranda.project) == (str(tmp_path / 'own.db'), 'shop')


def test_a_configuration_may_be_made_of_objects() -> None:
    config = MemoryConfig(
        llm=LlmConfig(provider='rules'),
        embedder=EmbedderConfig(provider='pydantic_ai', config={'model': HashingEmbedder()}),
        vector_store=VectorStoreConfig(provider='sqlite', config={'path': ':memory:'}),
    )
    with Memory(config) as memory, Memory(config=config) as other:
        assert words(memory.add('I live in Lisbon', user_id='ana')) == ['Lives in Lisbon']
        assert not other.get_all(user_id='ana')
        assert memory.config is config


@pytest.mark.parametrize(
    ('config', 'match'),
    [
        ({'graph_store': {'provider': 'neo4j', 'config': {}}}, 'no graph'),
        ({'custom_fact_extraction_prompt': 'x'}, 'custom_instructions'),
        ({'custom_update_memory_prompt': 'x'}, 'decided by code'),
        ({'vectorstore': {}}, "mean 'vector_store'"),
        ({'llm_config': {}}, 'is unknown. Known are'),
        ({'reranker': {'provider': 'cohere', 'config': {}}}, 'reranker is not offered'),
        ({'version': 'v9'}, 'version'),
        ({'custom_instructions': 7}, 'custom_instructions'),
        ('openai', 'config is a builtins.str'),
    ],
)
def test_what_a_configuration_may_not_hold_is_an_error(config: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        Memory(config)


def test_whoever_has_mem0s_data_is_told_how_to_move_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / 'collection').mkdir()
    Memory.from_config(
        {'embedder': EMBEDDER, 'vector_store': {'provider': 'qdrant', 'config': {'path': str(tmp_path)}}}
    )
    assert f'memoranda import mem0 {tmp_path}' in caplog.text
    assert os.listdir(tmp_path) == ['collection']
