"""Readers of exported conversations. They only read: what becomes of the messages is the caller's business."""

from __future__ import annotations

from memoranda.importers._detect import FORMATS, Format, detect, read
from memoranda.importers.base import Conversation, ImportProblem

__all__ = ['FORMATS', 'Conversation', 'Format', 'ImportProblem', 'detect', 'read']
