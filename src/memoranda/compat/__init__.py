"""The interfaces of other memory libraries over our engine: `memoranda.compat.mem0`."""
