"""Models for tests of extraction by a model: they answer from a list and keep what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from memoranda.checks import as_moment
from memoranda.records import Episode, MemoryRecord, new_id, now
from memoranda.scope import Level, Scope
from memoranda.write.extract import Extraction, ExtractionRequest
from memoranda.write.llm import LLMExtractor

ANA = Scope(user_id='ana')
SaidAt: TypeAlias = str
Answering: TypeAlias = Callable[[str], Sequence[Mapping[str, Any]] | ModelResponse | Exception]


class Asked:
    """One request to the model."""

    def __init__(self, messages: list[ModelMessage], info: AgentInfo) -> None:
        self.messages, self.info = messages, info
        self.system = info.instructions or ''
        prompts = [p.content for m in messages if isinstance(m, ModelRequest) for p in m.parts if is_prompt(p)]
        self.prompt = str(prompts[-1])


def is_prompt(part: object) -> bool:
    return isinstance(part, UserPromptPart)


class Script:
    """A model that gives these answers in order, and the last one from then on.

    An answer is a list of operations, a response as it is, or an exception to raise; or one function of the prompt.
    """

    def __init__(
        self, *answers: Sequence[Mapping[str, Any]] | ModelResponse | Exception | Answering, name: str = 'scripted'
    ) -> None:
        self.asked: list[Asked] = []
        self._answers = answers or ([],)
        self.model = FunctionModel(self._answer, model_name=name)

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append(Asked(messages, info))
        answer: Any = self._answers[min(len(self.asked), len(self._answers)) - 1]
        if callable(answer):
            answer = answer(self.asked[-1].prompt)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, ModelResponse):
            return answer
        return operations(answer, info)


def operations(found: Any, info: AgentInfo, usage: RequestUsage | None = None) -> ModelResponse:
    """The response that gives these operations (or whatever else) as the output."""
    arguments = {'operations': list(found)} if isinstance(found, list | tuple) else found
    return ModelResponse(
        parts=[ToolCallPart(info.output_tools[0].name, arguments)], usage=usage if usage is not None else RequestUsage()
    )


def fact(text: str, quote: str, message: int = 1, **fields: Any) -> dict[str, Any]:
    """An operation that adds a fact."""
    return {'op': 'add', 'text': text, 'evidence': [{'message': message, 'quote': quote}], **fields}


def about(op: str, target: int, quote: str, message: int = 1, **fields: Any) -> dict[str, Any]:
    """An operation on a known fact."""
    return {'op': op, 'target': target, 'evidence': [{'message': message, 'quote': quote}], **fields}


def message(text: str, at: SaidAt = '2026-03-12T09:00:00Z', **fields: Any) -> Episode:
    """A stored message, without a store."""
    scope = Scope(user_id='ana')
    moment = as_moment(at, 'at')
    given: dict[str, Any] = {
        'id': new_id(),
        'project': 'default',
        'scope': scope,
        'conversation_id': 'c',
        'seq': 0,
        'role': 'user',
        'text': text,
        'occurred_at': moment,
        'recorded_at': moment,
    }
    return Episode(**{**given, **fields})


def known(
    text: str, slot: str | None = None, level: Level = 'user', at: SaidAt = '2026-02-26', **fields: Any
) -> MemoryRecord:
    """A memory, without a store."""
    scope = Scope(user_id='ana', run_id='s1' if level == 'run' else None)
    moment = as_moment(at, 'at')
    given: dict[str, Any] = {
        'id': new_id(),
        'version': 1,
        'project': 'default',
        'level': level,
        'scope': scope,
        'said_under': scope,
        'text': text,
        'kind': 'profile',
        'slot': slot,
        'valid_from': moment,
        'said_at': moment,
        'recorded_at': now(),
    }
    return MemoryRecord(**{**given, **fields})


def extract(
    script: Script,
    *messages: Episode | str,
    scope: Scope = ANA,
    options: dict[str, Any] | None = None,
    **fields: Any,
) -> Extraction:
    """Ask the model about messages."""
    said = [message(m) if isinstance(m, str) else m for m in messages]
    extractor = LLMExtractor(script.model, **(options or {}))
    return asyncio.run(extractor.extract(ExtractionRequest(messages=said, scope=scope, **fields)))


def asked(*messages: Episode | str, **fields: Any) -> Asked:
    """What the model is sent about messages."""
    script = Script()
    extract(script, *messages, **fields)
    return script.asked[0]
