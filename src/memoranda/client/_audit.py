"""Answers about audit, erasure and maintenance, as records. Loaded with the first of them."""

from __future__ import annotations

from typing import Any, cast

from memoranda.client._records import kinds_of, record
from memoranda.consent.audit import AuditEntry, AuditPage, Break, ReadEntry, ReadPage, Verification
from memoranda.consent.forgetting import ErasureReport
from memoranda.server.native import models
from memoranda.subject import ImportReport
from memoranda.write.cleaning import CleanResult, LeftAlone
from memoranda.write.retention import RetentionResult

__all__ = [
    'audit_page',
    'clean_result',
    'erasure_report',
    'import_report',
    'read_page',
    'retention_result',
    'verification',
]

kinds_of(
    {
        models.AuditEntry: AuditEntry,
        models.Break: Break,
        models.ReadEntry: ReadEntry,
        models.Verification: Verification,
        models.ErasureReport: ErasureReport,
        models.ImportReport: ImportReport,
        models.CleanResult: CleanResult,
        models.LeftAlone: LeftAlone,
        models.RetentionResult: RetentionResult,
    }
)


def verification(told: models.Verification) -> Verification:
    """What was found in the chains."""
    return cast('Verification', record(told))


def audit_page(told: models.AuditPage) -> AuditPage:
    """Entries of the chains."""
    return AuditPage(items=_items(told), cursor=told.next_cursor)


def read_page(told: models.ReadPage) -> ReadPage:
    """Reads."""
    return ReadPage(items=_items(told), cursor=told.next_cursor)


def erasure_report(told: models.ErasureReport) -> ErasureReport:
    """Whether a receipt still holds."""
    return cast('ErasureReport', record(told))


def import_report(told: models.ImportReport) -> ImportReport:
    """What became of a document."""
    return cast('ImportReport', record(told))


def clean_result(told: models.CleanResult) -> CleanResult:
    """What was tidied."""
    return cast('CleanResult', record(told))


def retention_result(told: models.RetentionResult) -> RetentionResult:
    """What retention took."""
    return cast('RetentionResult', record(told))


def _items(told: Any) -> tuple[Any, ...]:
    return tuple(record(one) for one in told.items)
