"""Moving memories: to a copy that can be kept (`backup`), and to another database (`migrate`)."""

from __future__ import annotations

from memoranda.moving.restoring import RestoreReport, restore
from memoranda.moving.snapshot import BackupReport, backup
from memoranda.moving.tables import Digest
from memoranda.moving.transfer import MigrateProgress, MigrationReport, fingerprint, migrate

__all__ = [
    'BackupReport',
    'Digest',
    'MigrateProgress',
    'MigrationReport',
    'RestoreReport',
    'backup',
    'fingerprint',
    'migrate',
    'restore',
]
