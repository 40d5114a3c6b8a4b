"""Writing how often memories were recalled, when nobody waits for the file."""

from __future__ import annotations

import logging

import apsw

from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.usage import PendingUses, write

__all__ = ['save']

log = logging.getLogger('memoranda.stores')


def save(connection: Connection, pending: PendingUses, *, busy_ms: int) -> None:
    """Write what is pending, in a transaction of its own. Waits for no lock and never raises.

    Args:
        connection: The writer's, outside a transaction.
        pending: Kept for the next time while another process is writing; lost when the file can't be written.
        busy_ms: The connection's busy timeout, restored afterwards.
    """
    counts = pending.take()
    if not counts:
        return
    try:
        connection.set_busy_timeout(0)
        connection.execute('BEGIN IMMEDIATE')
        write(connection, counts)
        connection.execute('COMMIT')
    except apsw.Error as error:
        if connection.in_transaction:
            connection.execute('ROLLBACK')
        if isinstance(error, apsw.BusyError):
            pending.add((owner, memory, times, at) for (owner, memory), (times, at) in counts.items())
        else:
            log.debug('uses of %d memories could not be counted (%s)', len(counts), error)
    finally:
        connection.set_busy_timeout(busy_ms)
