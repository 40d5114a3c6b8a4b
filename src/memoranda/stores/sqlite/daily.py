"""The table of what happens on a day, and what fills it where there was none."""

from __future__ import annotations

from typing import Final

from memoranda.stores.sql.keys import SEQ_BITS

__all__ = ['STATEMENTS']

# Days since 1970, UTC. Figures, never ids or words.
_TABLE: Final = """
CREATE TABLE activity(
    project TEXT NOT NULL,
    day INTEGER NOT NULL,
    part INTEGER NOT NULL,                 -- so that those who count needn't wait for each other
    added INTEGER NOT NULL DEFAULT 0,
    confirmed INTEGER NOT NULL DEFAULT 0,
    superseded INTEGER NOT NULL DEFAULT 0,
    corrected INTEGER NOT NULL DEFAULT 0,
    edited INTEGER NOT NULL DEFAULT 0,
    retracted INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    erased INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    letters INTEGER NOT NULL DEFAULT 0,    -- of messages: those that came less those that went
    memories INTEGER NOT NULL DEFAULT 0,   -- believed: how many more
    people INTEGER NOT NULL DEFAULT 0,     -- likewise
    recalls INTEGER NOT NULL DEFAULT 0,
    recalls_found INTEGER NOT NULL DEFAULT 0,
    recall_us INTEGER NOT NULL DEFAULT 0,
    took_0 INTEGER NOT NULL DEFAULT 0, took_1 INTEGER NOT NULL DEFAULT 0, took_2 INTEGER NOT NULL DEFAULT 0,
    took_3 INTEGER NOT NULL DEFAULT 0, took_4 INTEGER NOT NULL DEFAULT 0, took_5 INTEGER NOT NULL DEFAULT 0,
    took_6 INTEGER NOT NULL DEFAULT 0, took_7 INTEGER NOT NULL DEFAULT 0, took_8 INTEGER NOT NULL DEFAULT 0,
    took_9 INTEGER NOT NULL DEFAULT 0,
    blocks INTEGER NOT NULL DEFAULT 0,
    block_tokens INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost REAL,
    PRIMARY KEY(project, day, part)
) WITHOUT ROWID
"""
_DAY: Final = 86_400_000_000
_ONTO: Final = 'ON CONFLICT(project, day, part) DO UPDATE SET'
# What was before days were counted, as far as what is held tells it.
_EARLIER: Final = (
    f"""
    INSERT INTO activity(project, day, part, added, confirmed, superseded, corrected, edited, retracted, rejected)
    SELECT o.project, h.at / {_DAY}, 0, sum(h.op = 'add'), sum(h.op = 'confirm'), sum(h.op = 'supersede'),
    sum(h.op = 'correct'), sum(h.op = 'update'), sum(h.op = 'retract'), sum(h.op = 'reject')
    FROM history h JOIN owner o ON o.id = h.row >> {SEQ_BITS} WHERE o.kind NOT IN ('erased', 'import')
    GROUP BY o.project, h.at / {_DAY}
    """,
    f"""
    INSERT INTO activity(project, day, part, messages, letters)
    SELECT o.project, e.recorded_at / {_DAY}, 0, count(*), sum(length(e.text))
    FROM episode e JOIN owner o ON o.id = e.row >> {SEQ_BITS} WHERE o.kind <> 'import'
    GROUP BY o.project, e.recorded_at / {_DAY}
    {_ONTO} messages = excluded.messages, letters = excluded.letters
    """,
    f"""
    INSERT INTO activity(project, day, part, memories)
    SELECT m.project, m.recorded_at / {_DAY}, 0, count(*) FROM memory m JOIN owner o ON o.id = m.owner
    WHERE m.live = 1 AND o.kind <> 'import' GROUP BY m.project, m.recorded_at / {_DAY}
    {_ONTO} memories = excluded.memories
    """,
    f"""
    INSERT INTO activity(project, day, part, people)
    SELECT project, day, 0, count(*) FROM (
        SELECT o.project, (SELECT min(h.at) FROM history h
        WHERE h.row BETWEEN o.id << {SEQ_BITS} AND o.id + 1 << {SEQ_BITS}) / {_DAY} AS day
        FROM owner o WHERE o.kind = 'user'
    ) WHERE day IS NOT NULL GROUP BY project, day
    {_ONTO} people = excluded.people
    """,
)
STATEMENTS: Final = (_TABLE, *_EARLIER)
