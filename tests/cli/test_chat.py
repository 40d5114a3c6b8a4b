from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic_ai import models
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

if TYPE_CHECKING:
    from conftest import Cli


def talk(*lines: str) -> str:
    return '\n'.join(lines) + '\n'


class Speaker:
    """Stands for a language model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str | Exception) -> None:
        self.seen: list[str] = []
        self._answers = list(answers)
        asked = FunctionModel(self._answer)
        monkeypatch.setattr(models, 'infer_model', lambda model, *rest: asked if isinstance(model, str) else model)

    def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.seen.append(str(messages))
        answer = self._answers.pop(0) if self._answers else 'Fine.'
        if isinstance(answer, Exception):
            raise answer
        return ModelResponse(parts=[TextPart(answer)])


def test_without_a_model_it_shows_what_would_be_recalled_and_what_it_keeps(cli: Cli) -> None:
    first = cli('chat', input=talk('I live in Lisbon.'))
    assert first.code == 0
    assert 'nothing to recall' in first.out
    assert 'remembered' in first.out
    assert '“I live in Lisbon”' in first.out
    second = cli('chat', input=talk('', 'Where do I live?'))
    assert 'Lives in Lisbon' in second.out
    assert 'tokens' in second.out
    assert 'user me' in second.err
    assert 'Lives in Lisbon' in cli('list').out


def test_who_asks_for_help_is_told_how_it_ends_and_it_is_no_message(cli: Cli) -> None:
    ran = cli('chat', input=talk('/help', '/?', '/quit', 'I live in Lisbon.'))
    assert (ran.code, ran.err.count('/quit or Ctrl-D ends')) == (0, 2)
    assert cli('list', '--messages', '--json').json['items'] == []


def test_an_unknown_model_is_refused_with_how_one_is_named(cli: Cli) -> None:
    ran = cli('chat', '--model', 'nonsense', input='')
    assert ran.code != 0
    assert 'such as openai:gpt-4o' in ' '.join(ran.err.split())


def test_without_a_model_no_model_is_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker = Speaker(monkeypatch)
    assert cli('chat', input=talk('I live in Lisbon.')).code == 0
    assert speaker.seen == []


def test_with_a_model_it_is_told_what_is_known_and_its_turns_are_remembered(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli('add', 'I live in Lisbon.')
    speaker = Speaker(monkeypatch, 'In Lisbon, as you said.')
    ran = cli('chat', '--model', 'some:model', input=talk('Where do I live?', 'I work as a nurse.'))
    assert ran.code == 0, ran.err
    assert 'agent> In Lisbon, as you said.' in ran.out
    assert '- Lives in Lisbon' in ran.out
    assert 'Lives in Lisbon' in speaker.seen[0]
    assert 'Where do I live?' in speaker.seen[1]  # the conversation goes on
    cli('worker', '--once')
    assert 'nurse' in cli('list').out


def test_users_have_conversations_of_their_own(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli('chat', '--user', 'ana', input=talk('I live in Lisbon.'))
    speaker = Speaker(monkeypatch)
    cli('chat', '--user', 'ben', '--model', 'some:model', input=talk('Where do I live?'))
    assert 'Lisbon' not in speaker.seen[0]


def test_a_conversation_can_be_named(cli: Cli) -> None:
    cli('chat', '--user', 'ana', '--run', 'monday', input=talk('I live in Lisbon.'))
    (memory,) = cli('list', '--user', 'ana', '--json').json['items']
    assert memory['said_under']['run_id'] == 'monday'


def test_quitting_ends_it_before_what_follows(cli: Cli) -> None:
    ran = cli('chat', input=talk('I live in Lisbon.', '/quit', 'I live in Porto.'))
    assert 'Porto' not in ran.out
    assert 'Porto' not in cli('list').out


def test_an_answer_that_fails_does_not_end_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Speaker(monkeypatch, ModelHTTPError(503, 'some-model', 'overloaded'), 'Here I am.')
    ran = cli('chat', '--model', 'some:model', input=talk('I live in Lisbon.', 'And now?'))
    assert ran.code == 0
    assert 'ModelHTTPError' in ran.err
    assert 'agent> Here I am.' in ran.out
    cli('worker', '--once')
    assert 'Lisbon' in cli('list').out  # what was said is remembered all the same


def test_neither_memories_nor_answers_can_steer_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli('add', 'Likes \x1b[2J\u202e red [bold]tea', '--fact')
    Speaker(monkeypatch, 'Tea\x1b]0;title\x07 [red]as always[/red]')
    for model in ([], ['--model', 'some:model']):
        ran = cli('chat', *model, input=talk('tea'))
        assert 'tea' in ran.out
        assert not set('\x1b\x07\u202e') & set(ran.out + ran.err)
    assert '[red]as always[/red]' in ran.out


def test_as_json_it_is_one_document(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    echoed = cli('chat', '--json', input=talk('I live in Lisbon.', 'Where do I live?')).json
    assert [turn['said'] for turn in echoed] == ['I live in Lisbon.', 'Where do I live?']
    assert echoed[0]['changes'][0]['after']['text'] == 'Lives in Lisbon'
    assert echoed[1]['answer'] is None
    assert any('Lives in Lisbon' in line for line in echoed[1]['recalled'])
    Speaker(monkeypatch, 'Lisbon.')
    answered = cli('chat', '--json', '--model', 'some:model', input=talk('Where do I live?')).json
    assert answered[0]['answer'] == 'Lisbon.'


def test_an_unknown_model_is_named_with_what_is_wrong(cli: Cli) -> None:
    ran = cli('chat', '--model', 'nobody', input=talk('Hello'))
    assert ran.code == 1
    assert "--model 'nobody'" in ran.err
    refused = cli('chat', '--json', '--model', 'nobody', input=talk('Hello'))
    assert json.loads(refused.err)['error'] == 'ConfigurationError'


def test_without_pydantic_ai_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'pydantic_ai', None)
    ran = cli('chat', '--model', 'openai:gpt-4o', input=talk('Hello'))
    assert ran.code == 1
    assert 'pip install "memoranda[pydantic-ai]"' in ' '.join(ran.err.split())
