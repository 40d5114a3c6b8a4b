"""Facts drawn by a language model: one structured call for a batch, through whatever model Pydantic AI can talk to."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from memoranda._precedence import stand_back, step
from memoranda.checks import check_kind, storable
from memoranda.errors import ConfigurationError, InvalidInput, MemorandaError, shown, what_is
from memoranda.records import Usage
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal
from memoranda.write.failed import FailureReason, ModelFailed, ModelTimedOut

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider
    from pydantic_ai.usage import RunUsage

    from memoranda.write.answer import Answer, Reader
    from memoranda.write.prompt import Audience, Part

__all__ = ['FailureReason', 'LLMExtractor', 'ModelFailed', 'ModelTimedOut']

P = ParamSpec('P')
T = TypeVar('T')

_INSTALL: Final = 'run `pip install "memoranda[pydantic-ai]"`'
_LEAST_INPUT: Final = 1_000
_MOST_NAME: Final = 200
_MOST_INSTRUCTIONS: Final = 20_000
_MOST_KINDS: Final = 100
_MOST_MEANING: Final = 1_000


@dataclass
class _Run:
    """What one call leaves behind, however it ends."""

    problem: str = ''


@dataclass
class _Built:
    """What was made for one event loop: connections belong to the loop that opened them."""

    model: Model
    agents: dict[tuple[Audience, bool], Agent[_Run, Answer]] = field(
        default_factory=dict['tuple[Audience, bool]', 'Agent[_Run, Answer]']
    )
    providers: list[Provider[Any]] = field(default_factory=list['Provider[Any]'])


class LLMExtractor:
    """Draws facts by asking a language model.

    Needs the extra `pydantic-ai`. What is sent, and what code checks of the answer: docs/extraction.md.

    ```python
    AsyncMemory(extractor=LLMExtractor('openai:gpt-4o-mini'))
    AsyncMemory(extractor=LLMExtractor(['openai:gpt-4o-mini', 'anthropic:claude-haiku-4-5']))
    ```

    Args:
        model: A model name, a Pydantic AI `Model`, or a list of these, each tried when the one before fails. Names are
            looked up at the first use. A model is used as it is, on the engine's own event loop.
        instructions: Further rules of your own, sent with every call: at most 20,000 characters.
        kinds: Further kinds, with what each is for: at most 100, in 1,000 characters each.
        timeout: Seconds for one answer of one model.
        max_input_tokens: Of what one call is shown beside the rules, in o200k; more is split over several calls.
        retries: How often a model may mend an answer that doesn't fit.
        name: Recorded as the actor, at most 200 characters; by default `llm:` and the model's name.
        trace_content: Whether spans of an instrumented program may hold prompts, answers and the words of errors.

    Raises:
        ConfigurationError: An argument that can't be used, or Pydantic AI isn't installed.
    """

    def __init__(
        self,
        model: Model | str | Sequence[Model | str],
        *,
        instructions: str = '',
        kinds: Mapping[str, str] | None = None,
        timeout: float = 60,
        max_input_tokens: int = 6_000,
        retries: int = 2,
        name: str | None = None,
        trace_content: bool = False,
    ) -> None:
        self._models = _checked(model)
        self.label = storable(','.join(_model_name(m) for m in self._models))
        """The name of the model, as errors give it."""
        self.name = f'llm:{self.label}'[:_MOST_NAME] if name is None else _words('name', name, _MOST_NAME)
        self._instructions = _words('instructions', instructions, _MOST_INSTRUCTIONS, blank=True)
        self._kinds = _checked_kinds(kinds)
        self._timeout = _number('timeout', timeout, 0.001, 3600.0)
        self._max_input = int(_number('max_input_tokens', max_input_tokens, _LEAST_INPUT, 10_000_000))
        self._retries = int(_number('retries', retries, 0, 20))
        if not isinstance(trace_content, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            # The word `false` would count as a yes.
            raise ConfigurationError(f'trace_content={shown(trace_content)} is no yes or no: pass True or False')
        self._trace_content = trace_content
        self._built: WeakKeyDictionary[asyncio.AbstractEventLoop, _Built] = WeakKeyDictionary()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the messages: one call, or several in order when they exceed `max_input_tokens`.

        Each of several calls is shown the end of what came before, not what was found in it; what two of them find is
        merged by consolidation. When one fails, nothing of the others is kept.

        Raises:
            ModelFailed: The model gave nothing that could be used.
            ConfigurationError: The model is unknown, or its key or package is missing or rejected.
        """
        if not request.messages:
            return Extraction()
        built = await self._ready()
        audience: Audience = 'agent' if request.scope.home('').kind == 'agent' else 'user'
        parts, reader = await asyncio.to_thread(_in_a_step, self._prepare, request, audience)
        agent = self._agent(built, audience, lessons=request.lessons and audience == 'user')
        proposals: list[Proposal] = []
        usage = Usage()
        for part in parts:
            answer, took = await self._ask(agent, part.prompt, usage)
            usage += took
            proposals += await asyncio.to_thread(_in_a_step, reader.read, answer, part)
        return Extraction(proposals=proposals, skipped=dict(reader.skipped), usage=usage)

    async def aclose(self) -> None:
        """Close the connections opened for model names on the running loop; it may be used again afterwards."""
        built = self._built.pop(asyncio.get_running_loop(), None)
        for provider in built.providers if built else ():
            # Leaving a provider is what closes the client that it made.
            async with provider:
                pass

    def _prepare(self, request: ExtractionRequest, audience: Audience) -> tuple[list[Part], Reader]:
        from memoranda.write.answer import Reader
        from memoranda.write.prompt import parts

        return parts(request, audience, self._max_input), Reader(request, audience, self._kinds)

    async def _ask(self, agent: Agent[_Run, Answer], prompt: str, before: Usage) -> tuple[Answer, Usage]:
        """One call, with the answers that had to be mended."""
        from pydantic_ai.usage import RunUsage

        from memoranda.write._traces import wanted

        run, spent = _Run(), RunUsage()
        agent.instrument = wanted(content=self._trace_content)
        # The deadline of each model's answer is Pydantic AI's; this one is for whatever it doesn't watch.
        longest = self._timeout * len(self._models) * (self._retries + 1) + 1
        try:
            async with asyncio.timeout(longest):
                await stand_back()
                result = await agent.run(prompt, deps=run, usage=spent)
        except (ConfigurationError, ModelFailed):
            raise
        except Exception as error:
            raise self._failure(error, run, before + _usage(spent)) from error
        return result.output, _usage(spent)

    def _failure(self, error: Exception, run: _Run, usage: Usage) -> MemorandaError:
        from memoranda.write._failures import failure

        return failure(error, label=self.label, timeout=self._timeout, problem=run.problem, usage=usage)

    async def _ready(self) -> _Built:
        loop = asyncio.get_running_loop()
        built = self._built.get(loop)
        if built is None:
            # Importing takes about a second, and this loop serves others meanwhile.
            await asyncio.to_thread(_import)
            built = self._built.get(loop) or self._build()
            self._built[loop] = built
        return built

    def _build(self) -> _Built:
        from pydantic_ai.exceptions import ContentFilterError, ModelAPIError, OutputTokenLimitExceeded
        from pydantic_ai.models.fallback import FallbackModel
        from pydantic_ai.providers import infer_provider

        providers: list[Provider[Any]] = []

        def factory(name: str) -> Provider[Any]:
            provider = infer_provider(name)
            providers.append(provider)
            return provider

        models = [self._model(m, factory) for m in self._models]
        if len(models) == 1:
            return _Built(models[0], providers=providers)
        # A model that declines or is cut off has failed too, as far as the messages are concerned.
        failing = (ModelAPIError, ContentFilterError, OutputTokenLimitExceeded)
        return _Built(FallbackModel(models[0], *models[1:], fallback_on=failing), providers=providers)

    def _model(self, model: Model | str, factory: Any) -> Model:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model
        from pydantic_ai.models.instrumented import InstrumentedModel

        from memoranda.write._traces import quiet

        try:
            found = infer_model(model, provider_factory=factory)
        except (ImportError, UserError, ValueError) as e:
            raise ConfigurationError(f'model {model!r} can not be used: {e}') from e
        if isinstance(found, InstrumentedModel) and not self._trace_content:
            return InstrumentedModel(found.wrapped, quiet(found.instrumentation_settings))
        return found

    def _agent(self, built: _Built, audience: Audience, *, lessons: bool) -> Agent[_Run, Answer]:
        from pydantic_ai import Agent, ModelRetry, RunContext
        from pydantic_ai.settings import ModelSettings

        from memoranda.write.answer import Answer
        from memoranda.write.prompt import MAX_OPERATIONS, system

        agent = built.agents.get((audience, lessons))
        if agent is not None:
            return agent
        settings = ModelSettings(request_timeout=self._timeout)
        if all(isinstance(m, str) for m in self._models):  # a model of the caller's own has settings of its own
            settings['cache'] = {'messages': False}
        agent = Agent(
            built.model,
            deps_type=_Run,
            # The output mode is the one the model does best: a tool call for most of them.
            output_type=Answer,
            instructions=system(audience, lessons=lessons, kinds=self._kinds, instructions=self._instructions),
            name='memory_extraction',
            retries=self._retries,
            model_settings=settings,
        )

        async def bounded(ctx: RunContext[_Run], answer: Answer) -> Answer:
            count = len(answer.operations)
            ctx.deps.problem = ''
            if count > MAX_OPERATIONS:
                ctx.deps.problem = f'{count} operations, and {MAX_OPERATIONS} is the most'
                raise ModelRetry(f'{ctx.deps.problem}: return only the facts that matter most.')
            return answer

        agent.output_validator(bounded)
        built.agents[audience, lessons] = agent
        return agent


def _in_a_step(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with step():
        return function(*args, **kwargs)


def _usage(spent: RunUsage) -> Usage:
    return Usage(
        requests=spent.requests,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=_price(spent.cost),
    )


def _price(cost: object) -> float | None:
    """What was paid, when it is a number one can add up."""
    try:
        price = float(cast('float', cost))
    except (TypeError, ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and price >= 0 else None


def _checked(model: object) -> list[Model | str]:
    models = list(cast('Sequence[object]', model)) if isinstance(model, list | tuple) else [model]
    if not models:
        raise ConfigurationError("model is an empty list: name at least one, such as 'openai:gpt-4o-mini'")
    for one in models:
        if isinstance(one, str):
            if not one.strip() or one.strip() != one or not one.isprintable() or len(one) > _MOST_NAME:
                raise ConfigurationError(f"model={shown(one)} is no name: write it like 'openai:gpt-4o-mini'")
        elif not _is_model(one):
            raise ConfigurationError(
                f'model is {what_is(one)}, which is no Pydantic AI model: pass a name such as '
                "'openai:gpt-4o-mini', a Model of pydantic_ai, or a list of these"
            )
    return cast('list[Model | str]', models)


def _is_model(value: object) -> bool:
    if not any((cls.__module__ or '').startswith('pydantic_ai.') for cls in type(value).__mro__):
        return False
    from pydantic_ai.models import Model

    return isinstance(value, Model)


def _model_name(model: Model | str) -> str:
    return model if isinstance(model, str) else f'{model.system}:{model.model_name}'


def _checked_kinds(kinds: object) -> dict[str, str]:
    if kinds is None:
        return {}
    if not isinstance(kinds, Mapping):
        raise ConfigurationError(f'kinds={shown(kinds)} is {what_is(kinds)}: pass a dict of kind and meaning')
    found: dict[str, str] = {}
    for kind, meaning in cast('Mapping[object, object]', kinds).items():
        try:
            checked = check_kind(kind)
        except InvalidInput as e:
            raise ConfigurationError(str(e)) from e
        found[checked] = _words(f'kinds[{checked!r}]', meaning, _MOST_MEANING)
    if len(found) > _MOST_KINDS:
        raise ConfigurationError(f'kinds has {len(found):,} entries, and {_MOST_KINDS} is the most: merge some')
    return found


def _words(name: str, value: object, most: int, *, blank: bool = False) -> str:
    """Text that a request and a database can carry; it goes with every call, so there is an end to it."""
    if not isinstance(value, str) or not (blank or value.strip()):
        raise ConfigurationError(f'{name}={shown(value)} is empty or no text: say it in words, or leave it out')
    if len(value) > most:
        raise ConfigurationError(f'{name} has {len(value):,} characters, and {most:,} is the most: shorten it')
    if storable(value) != value:
        raise ConfigurationError(
            f'{name}={shown(value)} has a NUL or half a surrogate pair, which is no text: decode it correctly'
        )
    return value


def _number(name: str, value: object, least: float, most: float) -> float:
    whole = isinstance(least, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not least <= value <= most:
        raise ConfigurationError(
            f'{name}={shown(value)} is not a {"whole " if whole else ""}number from {least:,} to {most:,}: pass one'
        )
    return value


def _import() -> None:
    try:
        from memoranda.write.prompt import register

        importlib.import_module('pydantic_ai.models.fallback')
        register()
    except ImportError as e:
        if importlib.util.find_spec('pydantic_ai') is None:
            raise ConfigurationError(f'a model needs Pydantic AI, which is not installed: {_INSTALL}') from e
        raise ConfigurationError(f'the installed Pydantic AI can not be used ({e}): {_INSTALL}') from e
