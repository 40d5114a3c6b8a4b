"""PostgreSQL with pgvector: many processes, on many machines."""

from memoranda.stores.postgres.store import PostgresStore

__all__ = ['PostgresStore']
