"""What a model has read in a run, and so whose words its own may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    TextContent,
    ToolReturnPart,
    UserPromptPart,
)

from memoranda.agents._recalled import METADATA_KEY, said_in
from memoranda.recall.trusting import UNCONFIRMED
from memoranda.records import Trust
from memoranda.write.foreign import foreign
from memoranda.write.trust import grounded, shared, without

__all__ = ['tier_of_answer', 'tier_of_note']


def tier_of_answer(messages: Iterable[ModelMessage]) -> Trust | None:
    """The tier of what a model says at the end of a conversation; None: that of its role."""
    return 'tool' if any(True for _ in _read(messages)) else None


def tier_of_note(fact: str, messages: Sequence[ModelMessage]) -> Trust | None:
    """The tier of what a model wants remembered; None: it is what the user said.

    Args:
        fact: In the words of the model.
        messages: What it has read.
    """
    theirs = list(_read(messages))
    own: list[str] = []
    for said in said_in(messages):
        if said.role == 'user':
            spans = foreign(said.text)
            theirs += [said.text[a:b] for a, b in spans]
            own.append(without(said.text, spans))
    told = grounded(fact, own)
    if told and not shared(fact, theirs, but=own):
        return None
    return 'tool' if theirs else 'assistant'


def _read(messages: Iterable[ModelMessage]) -> Iterator[str]:
    """What it was given by tools, and from memory without anybody having confirmed it."""
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, ToolReturnPart):
                if not _is_ours(part):
                    yield part.model_response_str()
                elif UNCONFIRMED in (text := str(part.content)):
                    yield text.partition(UNCONFIRMED)[2]
            elif isinstance(part, UserPromptPart):
                for item in [part.content] if isinstance(part.content, str) else part.content:
                    text = item.content if isinstance(item, TextContent) else item
                    if isinstance(text, str) and UNCONFIRMED in text:
                        yield text.partition(UNCONFIRMED)[2]


def _is_ours(part: ToolReturnPart) -> bool:
    metadata = part.metadata
    return (isinstance(metadata, dict) and METADATA_KEY in metadata) or part.content in _ANSWERS


_ANSWERS = ('Remembered.', 'Forgotten.', 'Nothing is known about that.')
