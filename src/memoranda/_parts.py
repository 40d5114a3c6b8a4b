"""The content of a message as clients of models send it: text, or a list of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

__all__ = ['NOT_READ', 'beside_words', 'without_words', 'words_of']

NOT_READ: Final = 'images and files are not read: send what is in them as text'


def without_words(content: object) -> bool:
    """Whether it holds images, files or the like and no text beside them: nothing of it would be remembered."""
    parts = cast('list[object]', content) if isinstance(content, list | tuple) else [content]
    return bool(parts) and not any(_is_text(part) for part in parts)


def _is_text(part: object) -> bool:
    """Whether it is text, or nothing that a part of a message can be, which is refused where messages are read."""
    return not isinstance(part, Mapping) or isinstance(cast('Mapping[str, object]', part).get('text'), str)


def beside_words(content: object) -> bool:
    """Whether it holds images, files or the like beside its text."""
    parts = cast('list[object]', content) if isinstance(content, list | tuple) else []
    return any(not _is_text(part) for part in parts)


def words_of(content: object) -> str:
    """The text in it."""
    parts = cast('list[object]', content) if isinstance(content, list | tuple) else [content]
    texts = [cast('Mapping[str, object]', one).get('text') if isinstance(one, Mapping) else one for one in parts]
    return '\n'.join(text for text in texts if isinstance(text, str))
