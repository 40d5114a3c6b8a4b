"""Finds what a policy may want out of a text: secrets, personal data, special categories, what plug-ins look for."""

from memoranda.write.detect.core import (
    Judgement,
    check_installed,
    find,
    is_quick,
    judge,
    judge_fact,
    prepare,
    quiet,
    redact,
    redact_value,
    secret_in,
    sentence,
    watched_categories,
)
from memoranda.write.detect.findings import Finding
from memoranda.write.detect.registry import GROUP, Detector

__all__ = [
    'GROUP',
    'Detector',
    'Finding',
    'Judgement',
    'check_installed',
    'find',
    'is_quick',
    'judge',
    'judge_fact',
    'prepare',
    'quiet',
    'redact',
    'redact_value',
    'secret_in',
    'sentence',
    'watched_categories',
]
