"""What an agent learns under its own id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from _sayings import episode, memory
from memoranda.records import MemoryRecord
from memoranda.scope import Scope
from memoranda.write.extract import ExtractionRequest, Proposal
from memoranda.write.rules import RulesExtractor

AGENT = Scope(agent_id='helper')


def learn(
    text: str, *, role: str = 'assistant', known: list[MemoryRecord] | None = None, scope: Scope = AGENT
) -> list[Proposal]:
    said = replace(episode(text, role=role), scope=scope)
    request = ExtractionRequest(messages=[said], existing=known or [], scope=scope)
    return list(RulesExtractor().propose(request).proposals)


LESSONS = """
Retrying with a smaller batch fixed the timeout.
The export failed with a timeout again. Cutting it into batches of 500 rows worked, so I'll do that for large exports.
Setting the page size to 50 avoids the rate limit.
I found the cause: the search tool does not match umlauts, so names have to be written with ue, oe and ae.
It turns out the calendar API returns times in UTC.
I learned that the report endpoint requires a tenant header.
The search tool only returns ten results per page.
The invoices API rejects dates before 2015.
Lesson learned: run the migration before the import.
Note to self: the staging server restarts at midnight.
"""


@pytest.mark.parametrize('text', LESSONS.strip().splitlines())
def test_a_plain_lesson_of_the_assistant_is_kept(text: str) -> None:
    (p,) = learn(text)

    assert (p.op, p.kind, p.level) == ('add', 'heuristic', None)
    (quote,) = p.evidence
    assert text[quote.start : quote.end]
    assert "i'll" not in p.text.lower()


def test_what_a_lesson_points_at_is_kept_with_it() -> None:
    (p,) = learn('The export failed with a timeout. Cutting it into batches of 500 rows worked.')

    assert p.text == 'The export failed with a timeout. Cutting it into batches of 500 rows worked'


@pytest.mark.parametrize(
    'text',
    [
        'When a customer asks for a refund, always check the delivery date before you promise anything.',
        'Before you close a ticket, ask for a rating.',
        'If the payment fails twice, escalate to a human.',
        'Whenever someone reports a bug, first search the tracker.',
        'For refunds above 500 euros, always ask a manager.',
    ],
)
def test_a_policy_told_to_the_agent_is_an_instruction(text: str) -> None:
    (p,) = learn(text, role='user')

    assert (p.text, p.kind) == (text.rstrip('.'), 'instruction')


@pytest.mark.parametrize(
    'text',
    [
        "You're welcome! Anything else?",
        'Talking with you helped me.',
        'Retrying might fix the timeout.',
        'Does retrying with a smaller batch help?',
        'If retrying with a smaller batch fixed the timeout, tell me.',
        'I would try a smaller batch.',
        'The search tool returned nothing today.',
        'The server is down right now.',
        'Your search tool does not match umlauts.',
        'I am looking at the report.',
        'She said "retrying with a smaller batch fixed the timeout".',
        'I think the API rejects dates before 2015.',
        'Maybe the API rejects dates before 2015.',
    ],
)
def test_talk_is_no_lesson(text: str) -> None:
    assert learn(text) == []


def test_a_user_is_served_without_lessons() -> None:
    assert learn(LESSONS.strip().splitlines()[0], scope=Scope(user_id='ana', agent_id='helper')) == []


def test_what_is_switched_off_gives_way_to_what_is_used_instead() -> None:
    known = [
        memory('Orders are read from the /v1/orders endpoint', kind='knowledge'),
        memory('Invoices are in /v1/bills'),
    ]

    (p,) = learn(
        'The /v1/orders endpoint is switched off. Read orders from /v2/orders instead.', role='user', known=known
    )

    assert (p.op, p.text, p.target) == ('supersede', 'Read orders from /v2/orders', known[0].id)


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ('Use GitHub instead of GitLab.', 'Use GitHub'),
        ('The GitLab server has been shut down.', 'The GitLab server has been shut down'),
    ],
)
def test_an_old_name_is_found_in_what_is_known(text: str, fact: str) -> None:
    known = [memory('Code is on GitLab', kind='knowledge')]

    assert [(p.op, p.text, p.target) for p in learn(text, role='user', known=known)] == [
        ('supersede', fact, known[0].id)
    ]
    assert [p.op for p in learn(text, role='user') if p.target] == []
