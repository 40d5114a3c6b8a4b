"""What a model has read in a run, and so whose words its own may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    TextContent,
    ToolReturnPart,
    UserPromptPart,
)

from memoranda.agents._recalled import METADATA_KEY, said_in
from memoranda.recall.trusting import UNCONFIRMED
from memoranda.records import Trust, now
from memoranda.timewords import find_time
from memoranda.write.foreign import foreign
from memoranda.write.trust import grounded, shared, without

__all__ = ['tier_of_answer', 'tier_of_note']

_SPECIFIC: Final = re.compile(
    r'[\w.+-]+@[\w.-]+\w'  # a mail address
    r'|(?:https?://)?(?:\w[\w-]*\.)+[a-z]{2,}\b(?:/\S*)?'  # a page
    r'|\b[^\W\d_]*\d(?:[\w.,/:-]*\w)?(?<=[\w.,/:-]{3})'  # a number of more than two digits
    r'|\b\w[a-z]+[A-Z]\w*'
)
"""What a note can have from nowhere but from what somebody said."""
_NAME: Final = re.compile(r'(?<=[\w,;:] )(?!(?:User|I)\b)[A-Z\u00c0-\u00de]\w[\w-]*')
_GERMAN: Final = re.compile(
    r'\b(?:der|die|das|den|dem|ein|eine[mnrs]?|und|ist|hat|mag|nicht|keine?[mnrs]?|mit|von|seit|im|am|zum|zur|gern)\b'
)
"""There every noun begins like a name."""


def tier_of_answer(messages: Sequence[ModelMessage]) -> Trust | None:
    """The tier of what a model says at the end of a conversation; None: that of its role."""
    read = any(True for _ in _read(messages)) or any(
        foreign(said.text) for said in said_in(messages) if said.role == 'user'
    )
    return 'tool' if read else None


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
    return 'tool' if theirs or _names_more(fact, own) else 'assistant'


def _names_more(fact: str, own: Iterable[str]) -> bool:
    """Whether a fact names what the user has not: a number, an address, somebody or something by its name.

    A model may put into other words, or another language, what the user said; it can't know names from that.
    """
    said = ' '.join(own).casefold()
    dates = find_time(fact, now())  # which a model works out from `tomorrow`
    names = () if _GERMAN.search(fact) else _NAME.finditer(fact)
    for m in (*_SPECIFIC.finditer(fact), *names):
        if m[0].casefold() not in said and not any(d.start < m.end() and m.start() < d.end for d in dates):
            return True
    return False


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
