"""A model with settings of its own. Loaded on first use: it needs Pydantic AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic_ai.models import Model
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

__all__ = ['Settled']


class Settled(WrapperModel):
    """A model with these settings beside its own."""

    def __init__(self, wrapped: Model, settings: Mapping[str, Any]) -> None:
        super().__init__(wrapped)
        self._beside = dict(settings)

    @property
    def settings(self) -> ModelSettings | None:
        """Its own, and those that were asked for."""
        return cast('ModelSettings', {**(self.wrapped.settings or {}), **self._beside})
