"""What the examples share: their options, and how a function that stands in for a language model reads its prompt.

None of this is needed in a program with a real model.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart, UserPromptPart

__all__ = ['asked', 'options', 'remembered', 'returned']

_FACT = re.compile(r'- (?:asked: )?(?P<text>.*?) \(\d{4}-\d\d-\d\d\) \[m:\w+\]')


def options(description: str | None) -> argparse.ArgumentParser:
    """The options of every example; the caller may add more."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        '--model', help='a model of Pydantic AI, such as openai:gpt-4o; by default a function stands in for one'
    )
    parser.add_argument(
        '--database', default=':memory:', help='where to remember; by default nowhere beyond the end of the program'
    )
    return parser


def _texts(messages: Sequence[ModelMessage]) -> list[tuple[str, bool]]:
    """The texts on the user's side, and whether memory put them there."""
    found: list[tuple[str, bool]] = []
    for message in messages:
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                contents = [part.content] if isinstance(part.content, str) else part.content
                for content in contents:
                    text = content if isinstance(content, str) else getattr(content, 'content', '')
                    if isinstance(text, str):
                        found.append((text, text.lstrip().startswith('<recalled_memory')))
    return found


def asked(messages: Sequence[ModelMessage]) -> str:
    """What the user said last."""
    return next((text for text, recalled in reversed(_texts(messages)) if not recalled), '')


def remembered(messages: Sequence[ModelMessage]) -> list[str]:
    """The facts in recalled blocks, without dates and ids; passages of messages are left out."""
    lines = [line for text, recalled in _texts(messages) if recalled for line in text.splitlines()]
    matches = [_FACT.fullmatch(line) for line in lines]
    return [match['text'] for match in matches if match is not None]


def returned(messages: Sequence[ModelMessage], tool: str) -> str | None:
    """What a tool answered last, in this run."""
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, ToolReturnPart) and part.tool_name == tool:
                return part.model_response_str()
            if isinstance(part, UserPromptPart) and isinstance(part.content, str):
                return None
    return None
