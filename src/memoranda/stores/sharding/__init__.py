"""One store over several databases: each owner lives whole in one of them."""

from memoranda.stores.sharding.store import ShardedStore

__all__ = ['ShardedStore']
