"""The embedded default: one SQLite file, several processes."""

from memoranda.stores.sqlite.store import SQLiteStore

__all__ = ['SQLiteStore']
