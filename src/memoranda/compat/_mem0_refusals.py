"""What Mem0 has and there is none of here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memoranda.errors import InvalidInput, MemoryNotFound

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ['MemoryNotFoundError', 'Project']


class MemoryNotFoundError(MemoryNotFound, ValueError):
    """No such memory in this project. A `ValueError` too, which is what Mem0 raises."""


class Project:
    """Settings of a hosted project, which there are none of."""

    def update(
        self,
        custom_instructions: str | None = None,
        custom_categories: list[Any] | None = None,
        multilingual: bool | None = None,
        decay: bool | None = None,
    ) -> NoReturn:
        """Not offered.

        Raises:
            InvalidInput: Always.
        """
        raise InvalidInput(
            'project.update() is of the hosted service: give custom_instructions in the configuration; languages and '
            'the fading of memories need no setting here'
        )
