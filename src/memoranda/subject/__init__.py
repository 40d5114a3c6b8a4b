"""Everything held on one subject, as a document that can be read, kept, and imported again."""

from __future__ import annotations

from memoranda.subject.document import FORMAT, VERSION, schema
from memoranda.subject.export import ExportFormat, SubjectExport, export_subject
from memoranda.subject.reading import Document
from memoranda.subject.restore import ImportReport, ImportStatus, Progress, import_subject

__all__ = [
    'FORMAT',
    'VERSION',
    'Document',
    'ExportFormat',
    'ImportReport',
    'ImportStatus',
    'Progress',
    'SubjectExport',
    'export_subject',
    'import_subject',
    'schema',
]
