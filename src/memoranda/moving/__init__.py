"""Moving memories: to a copy that can be kept (`backup`), and to another database (`migrate`)."""

from __future__ import annotations

from memoranda.moving.backup import BackupReport, backup
from memoranda.moving.migrate import MigrateProgress, MigrationReport, fingerprint, migrate
from memoranda.moving.tables import Digest

__all__ = ['BackupReport', 'Digest', 'MigrateProgress', 'MigrationReport', 'backup', 'fingerprint', 'migrate']
