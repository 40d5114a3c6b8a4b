"""Writing how often memories were recalled, when nobody waits for the file."""

from __future__ import annotations

import logging

import apsw

from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.usage import PendingUses, write, write_recalls

__all__ = ['save']

log = logging.getLogger('memoranda.stores')


def save(connection: Connection, pending: PendingUses, *, busy_ms: int) -> None:
    """Write what is pending, in a transaction of its own. Waits for no lock and never raises.

    Args:
        connection: The writer's, outside a transaction.
        pending: Kept for the next time while another process is writing; lost when the file can't be written.
        busy_ms: The connection's busy timeout, restored afterwards.
    """
    counts, recalls = pending.take(), pending.take_recalls()
    if not counts and not recalls:
        return
    try:
        connection.set_busy_timeout(0)
        connection.execute('BEGIN IMMEDIATE')
        write(connection, counts)
        write_recalls(connection, recalls)
        connection.execute('COMMIT')
    except apsw.Error as error:
        if connection.in_transaction:
            connection.execute('ROLLBACK')
        if isinstance(error, apsw.BusyError):
            pending.add((owner, memory, times, at) for (owner, memory), (times, at) in counts.items())
            pending.put_back(recalls)
        else:
            log.debug('uses of %d memories could not be counted (%s)', len(counts), error)
    finally:
        connection.set_busy_timeout(busy_ms)
