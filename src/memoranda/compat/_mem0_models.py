"""The llm and embedder sections of a Mem0 configuration, as models of Pydantic AI. Nothing is imported or connected."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from memoranda.compat._mem0_connections import Connection, Kind
from memoranda.compat._mem0_sections import Section, check_keys, flag, number, secret, text
from memoranda.errors import ConfigurationError, shown, what_is

__all__ = ['EMBEDDERS', 'LLMS', 'embedder_of', 'llm_of']

_IMAGES: Final = 'images are not read: send what is in them as text'
_PROXY: Final = 'set HTTPS_PROXY in the environment, which the client reads'
_ROUTER: Final = "openai_base_url='https://openrouter.ai/api/v1' and its key as api_key do the same"
_TASKS: Final = 'questions and texts are told apart by itself'
_SAMPLING: Final = ('temperature', 'max_tokens', 'top_p', 'top_k')
_LLM_KEYS: Final = ('model', 'api_key', *_SAMPLING, 'reasoning_effort', 'is_reasoning_model')
_LLM_REFUSED: Final[Mapping[str, str]] = {
    'enable_vision': _IMAGES,
    'http_client_proxies': _PROXY,
    'response_callback': 'trace extraction with OpenTelemetry (docs/observability.md)',
    'openrouter_base_url': _ROUTER,
    'models': _ROUTER,
    'route': _ROUTER,
    'site_url': _ROUTER,
    'app_name': _ROUTER,
    'lmstudio_response_format': 'the shape of answers is set by extraction',
    'provider_override': 'name the model by its full id',
    'model_kwargs': 'use a Pydantic AI model: {"provider": "pydantic_ai", "config": {"model": ...}}',
}
_EMBEDDER_KEYS: Final = ('model', 'api_key', 'embedding_dims')
_EMBEDDER_REFUSED: Final[Mapping[str, str]] = {
    'model_kwargs': 'use a Pydantic AI embedder: {"provider": "pydantic_ai", "config": {"model": ...}}',
    'http_client_proxies': _PROXY,
    'vertex_credentials_json': 'set GOOGLE_APPLICATION_CREDENTIALS to that file',
    'memory_add_embedding_type': _TASKS,
    'memory_update_embedding_type': _TASKS,
    'memory_search_embedding_type': _TASKS,
}
_AWS: Final = ('aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'aws_region')
_REASONING: Final = re.compile(r'(?:.*/)?(?:o\d|gpt-5)')
"""Models that refuse sampling parameters, and count their thoughts as tokens of the answer."""


@dataclass(frozen=True, slots=True)
class _Provider:
    """How a provider of Mem0 is reached."""

    kind: Kind
    label: str
    """Its name in Pydantic AI."""
    model: str = ''
    """The one that Mem0 uses by default."""
    key: tuple[str, ...] = ()
    """Variables that hold its key; none where it takes no key."""
    url: str = ''
    """The key of the section that holds its address."""
    url_env: tuple[str, ...] = ()
    default_url: str = ''
    suffix: str = ''
    """What the address lacks."""
    keys: tuple[str, ...] = field(default=())
    """Further keys of the section."""


_OPENAI: Final = _Provider(
    'openai', 'openai', 'gpt-5-mini', ('OPENAI_API_KEY',), 'openai_base_url', ('OPENAI_BASE_URL',), keys=('store',)
)
_AZURE: Final = _Provider('azure', 'azure', 'gpt-5-mini', keys=('azure_kwargs',))
_OLLAMA_URL: Final = 'http://localhost:11434'
_LMSTUDIO: Final = 'http://localhost:1234/v1'
LLMS: Final[Mapping[str, _Provider]] = {
    'openai': _OPENAI,
    'openai_structured': _OPENAI,
    'azure_openai': _AZURE,
    'azure_openai_structured': _AZURE,
    'anthropic': _Provider(
        'anthropic',
        'anthropic',
        'claude-sonnet-4-6',
        ('ANTHROPIC_API_KEY',),
        'anthropic_base_url',
        keys=('enable_sampling_parameters',),
    ),
    'gemini': _Provider(
        'google',
        'google',
        'gemini-2.0-flash',
        ('GOOGLE_API_KEY', 'GEMINI_API_KEY'),
        keys=('vertexai', 'project', 'location'),
    ),
    'groq': _Provider('groq', 'groq', 'llama-3.3-70b-versatile', ('GROQ_API_KEY',)),
    'ollama': _Provider(
        'ollama', 'ollama', 'llama3.1:70b', (), 'ollama_base_url', ('OLLAMA_HOST',), _OLLAMA_URL, '/v1'
    ),
    'deepseek': _Provider(
        'compatible',
        'deepseek',
        'deepseek-chat',
        ('DEEPSEEK_API_KEY',),
        'deepseek_base_url',
        ('DEEPSEEK_API_BASE',),
        'https://api.deepseek.com',
    ),
    'xai': _Provider(
        'compatible', 'xai', 'grok-4.3', ('XAI_API_KEY',), 'xai_base_url', ('XAI_API_BASE',), 'https://api.x.ai/v1'
    ),
    'together': _Provider(
        'compatible',
        'together',
        'MiniMaxAI/MiniMax-M3',
        ('TOGETHER_API_KEY',),
        default_url='https://api.together.xyz/v1',
    ),
    'minimax': _Provider(
        'compatible',
        'minimax',
        'MiniMax-M2.7',
        ('MINIMAX_API_KEY',),
        'minimax_base_url',
        ('MINIMAX_API_BASE',),
        'https://api.minimax.io/v1',
    ),
    'sarvam': _Provider(
        'compatible',
        'sarvam',
        'sarvam-m',
        ('SARVAM_API_KEY',),
        url_env=('SARVAM_API_BASE',),
        default_url='https://api.sarvam.ai/v1',
    ),
    'vllm': _Provider(
        'compatible',
        'vllm',
        'Qwen/Qwen2.5-32B-Instruct',
        (),
        'vllm_base_url',
        ('VLLM_BASE_URL',),
        'http://localhost:8000/v1',
    ),
    'lmstudio': _Provider('compatible', 'lmstudio', '', (), 'lmstudio_base_url', (), _LMSTUDIO),
    'aws_bedrock': _Provider(
        'bedrock', 'bedrock', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', keys=(*_AWS, 'aws_profile')
    ),
    'litellm': _Provider('compatible', 'litellm'),
}
EMBEDDERS: Final[Mapping[str, _Provider]] = {
    'openai': _Provider(
        'openai',
        'openai',
        'text-embedding-3-small',
        ('OPENAI_API_KEY',),
        'openai_base_url',
        ('OPENAI_API_BASE', 'OPENAI_BASE_URL'),
    ),
    'azure_openai': _Provider('azure', 'azure', 'text-embedding-3-small', keys=('azure_kwargs',)),
    'ollama': _Provider(
        'ollama', 'ollama', 'nomic-embed-text', (), 'ollama_base_url', ('OLLAMA_HOST',), _OLLAMA_URL, '/v1'
    ),
    'gemini': _Provider(
        'google',
        'google',
        'gemini-embedding-001',
        ('GOOGLE_API_KEY', 'GEMINI_API_KEY'),
        keys=('output_dimensionality',),
    ),
    'vertexai': _Provider('google-cloud', 'google-cloud', 'gemini-embedding-001'),
    'together': _Provider(
        'compatible',
        'together',
        'intfloat/multilingual-e5-large-instruct',
        ('TOGETHER_API_KEY',),
        default_url='https://api.together.xyz/v1',
    ),
    'lmstudio': _Provider('compatible', 'lmstudio', '', (), 'lmstudio_base_url', (), _LMSTUDIO),
    'huggingface': _Provider(
        'sentence-transformers', 'sentence-transformers', 'multi-qa-MiniLM-L6-cos-v1', (), 'huggingface_base_url'
    ),
    'aws_bedrock': _Provider('bedrock', 'bedrock', 'amazon.titan-embed-text-v2:0', keys=_AWS),
}
_ELSEWHERE: Final[Mapping[str, str]] = {
    'langchain': 'a LangChain object is not called here: name the provider that it uses, or a Pydantic AI model: '
    '{"provider": "pydantic_ai", "config": {"model": ...}}',
    'fastembed': 'leave the section out: the bundled embedder works offline too',
}
_LITELLM: Final[Mapping[str, str]] = {
    'openai': 'openai',
    'anthropic': 'anthropic',
    'groq': 'groq',
    'gemini': 'gemini',
    'deepseek': 'deepseek',
    'xai': 'xai',
    'together_ai': 'together',
    'ollama': 'ollama',
    'ollama_chat': 'ollama',
    'bedrock': 'aws_bedrock',
    'hosted_vllm': 'vllm',
    'lm_studio': 'lmstudio',
}
"""What a LiteLLM model name begins with, and the provider that is asked for it: LiteLLM itself takes no part."""
_BARE: Final = ((re.compile(r'gpt-|chatgpt|o\d'), 'openai'), (re.compile('claude'), 'anthropic'))


def llm_of(section: Section) -> Connection | None:
    """The model that a section names; None for rules, without a model.

    Raises:
        ConfigurationError: An unknown provider or key, a value that can't be used, or a key that is missing.
    """
    name, config = section.provider or 'openai', dict(section.config)
    if name == 'rules':
        check_keys('llm', name, config, ('keep_unread',), {})
        return None
    if name == 'pydantic_ai':
        return _own('llm', config)
    if name == 'litellm':
        name, config = _litellm(config)
    provider = _provider('llm', name, LLMS)
    known = (*_LLM_KEYS, *provider.keys, *([provider.url] if provider.url else []), 'vision_details')
    check_keys('llm', name, config, known, _LLM_REFUSED)
    settings = _settings(config, text('llm.config.model', config.get('model')) or provider.model)
    connection = _connection('llm', name, provider, config, settings)
    if provider.kind == 'azure' and (headers := _azure(config, 'llm').get('default_headers')):
        settings['extra_headers'] = headers
    return connection


def embedder_of(section: Section) -> Connection | None:
    """The embedding model that a section names; None for the bundled one.

    Raises:
        ConfigurationError: As of `llm_of`.
    """
    name, config = section.provider or 'openai', dict(section.config)
    if name == 'bundled':
        check_keys('embedder', name, config, (), {})
        return None
    if name == 'pydantic_ai':
        return _own('embedder', config)
    provider = _provider('embedder', name, EMBEDDERS)
    known = (*_EMBEDDER_KEYS, *provider.keys, *([provider.url] if provider.url else []))
    check_keys('embedder', name, config, known, _EMBEDDER_REFUSED)
    settings: dict[str, Any] = {}
    dimensions = config.get('embedding_dims', config.get('output_dimensionality'))
    if dimensions is not None:
        settings['dimensions'] = int(number('embedder.config.embedding_dims', dimensions, whole=True))
    if name == 'huggingface' and config.get('huggingface_base_url'):
        provider = _Provider('compatible', 'huggingface', 'tei', (), 'huggingface_base_url')
    return _connection('embedder', name, provider, config, settings)


def _provider(what: Literal['llm', 'embedder'], name: str, known: Mapping[str, _Provider]) -> _Provider:
    if name in known:
        return known[name]
    own = 'rules' if what == 'llm' else 'bundled'
    if name in _ELSEWHERE:
        raise ConfigurationError(f'{what}.provider={shown(name)} is not offered: {_ELSEWHERE[name]}')
    raise ConfigurationError(
        f'{what}.provider={shown(name)} is unknown: use one of {", ".join(known)}, {own} (no key, no network), or '
        'pydantic_ai with any model of it as config["model"]'
    )


def _own(what: Literal['llm', 'embedder'], config: Mapping[str, Any]) -> Connection:
    check_keys(what, 'pydantic_ai', config, ('model',), {})
    model = config.get('model')
    if model is None or model == '':
        raise ConfigurationError(f'{what}.config.model is missing: give a name such as openai:gpt-4o-mini, or a model')
    return Connection(kind='given', label='', model=model if isinstance(model, str) else '', given=model)


def _connection(
    what: Literal['llm', 'embedder'],
    name: str,
    provider: _Provider,
    config: Mapping[str, Any],
    settings: dict[str, Any],
) -> Connection:
    kind, label, options = provider.kind, provider.label, dict[str, Any]()
    model = text(f'{what}.config.model', config.get('model')) or provider.model
    if not model:
        raise ConfigurationError(f'{what}.config.model is missing, and {name} has no default: name a model')
    key = secret(f'{what}.config.api_key', config.get('api_key'))
    url = text(f'{what}.config.{provider.url}', config.get(provider.url)) if provider.url else None
    url = url or next((v for e in provider.url_env if (v := os.environ.get(e))), None) or provider.default_url
    url = _address(url, provider.suffix)
    if kind == 'azure':
        options = _azure(config, what)
        model, key = options.pop('azure_deployment', None) or model, options.pop('api_key', None)
        options.pop('default_headers', None)
    elif kind == 'bedrock':
        renamed = {'aws_region': 'region_name', 'aws_profile': 'profile_name'}
        options = {renamed.get(k, k): config[k] for k in (*_AWS, 'aws_profile') if config.get(k)}
    elif kind == 'google':
        model = model.removeprefix('models/')
        if flag('llm.config.vertexai', config.get('vertexai')):
            kind = label = 'google-cloud'
            options = {k: config[k] for k in ('project', 'location') if config.get(k)}
    if kind not in ('azure', 'bedrock', 'google-cloud'):
        _check_key(what, name, provider, key)
    return Connection(
        kind=kind, label=label, model=model, api_key=key, base_url=url or None, options=options, settings=settings
    )


def _address(url: str, suffix: str) -> str:
    """An address with what it lacks."""
    if not suffix or not url:
        return url
    url = (url if '://' in url else f'http://{url}').rstrip('/')
    return url if url.endswith(suffix) else url + suffix


def _check_key(what: str, name: str, provider: _Provider, key: str | None) -> None:
    if provider.key and key is None and not any(os.environ.get(v) for v in provider.key):
        offline = "{'provider': 'rules'}" if what == 'llm' else "{'provider': 'bundled'}"
        raise ConfigurationError(
            f'{what}.config.api_key is missing, and {" or ".join(provider.key)} is not set: pass the key of {name}, '
            f'or {offline} as {what} for none'
        )


def _azure(config: Mapping[str, Any], what: str) -> dict[str, Any]:
    given: object = config.get('azure_kwargs') or {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'{what}.config.azure_kwargs is {what_is(given)}: pass a dict')
    known = ('api_key', 'azure_deployment', 'azure_endpoint', 'api_version', 'default_headers')
    values = dict(cast('Mapping[str, Any]', given))
    check_keys(what, 'azure_openai (azure_kwargs)', values, known, {})
    prefix = 'LLM_AZURE_' if what == 'llm' else 'EMBEDDING_AZURE_'
    variables = {
        'api_key': ('OPENAI_API_KEY', 'AZURE_OPENAI_API_KEY'),
        'azure_deployment': ('DEPLOYMENT', ''),
        'azure_endpoint': ('ENDPOINT', 'AZURE_OPENAI_ENDPOINT'),
        'api_version': ('API_VERSION', 'OPENAI_API_VERSION'),
    }
    found: dict[str, Any] = {}
    for name, (theirs, usual) in variables.items():
        value = values.get(name) or os.environ.get(prefix + theirs) or (os.environ.get(usual) if usual else None)
        if value:
            found[name] = secret(f'{what}.config.azure_kwargs.{name}', value)
    found['api_key'] = found.get('api_key') or secret(f'{what}.config.api_key', config.get('api_key'))
    needed = ('api_key', 'azure_endpoint', 'api_version')
    if str(found.get('azure_endpoint', '')).rstrip('/').endswith('/v1'):  # it has no versions
        needed = needed[:2]
        found.pop('api_version', None)
    for name in needed:
        if not found.get(name):
            raise ConfigurationError(
                f'{what}.config.azure_kwargs.{name} is missing: pass it, or set {prefix}{variables[name][0]}'
            )
    if values.get('default_headers'):
        found['default_headers'] = dict(values['default_headers'])
    return found


def _settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What the model is told beside the prompt: only what was asked for."""
    told = config.get('is_reasoning_model')
    reasons = flag('llm.config.is_reasoning_model', told) if told is not None else _REASONING.match(model) is not None
    settings: dict[str, Any] = {}
    for name in _SAMPLING:
        if config.get(name) is not None:
            settings[name] = number(f'llm.config.{name}', config[name], whole=name in ('max_tokens', 'top_k'))
    if reasons:
        settings.clear()
    effort = config.get('reasoning_effort')
    if effort is not None:
        if effort not in ('minimal', 'low', 'medium', 'high'):
            raise ConfigurationError(f'llm.config.reasoning_effort={shown(effort)} is unknown: use low, medium or high')
        settings['thinking'] = effort
    if config.get('store') is not None:
        settings['openai_store'] = flag('llm.config.store', config['store'])
    if config.get('enable_sampling_parameters') is False:
        settings = {k: v for k, v in settings.items() if k == 'max_tokens' or k not in _SAMPLING}
    return settings


def _litellm(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    model = text('llm.config.model', config.get('model')) or 'gpt-5-mini'
    prefix, slash, rest = model.partition('/')
    if slash and prefix in _LITELLM:
        return _LITELLM[prefix], {**config, 'model': rest}
    if not slash:
        for pattern, provider in _BARE:
            if pattern.match(model):
                return provider, {**config, 'model': model}
    raise ConfigurationError(
        f'llm.config.model={shown(model)} of litellm names no provider that is known: write provider/model with one of '
        f'{", ".join(_LITELLM)}'
    )
