"""Make the pictures of the console under docs/console: `PYTHONPATH=src:tests python scripts/screenshots.py [PAGE ...]`.

Each page in the light and in the dark at 1280 px, and on a phone of 390 px in the light. Needs the system's Chromium.
"""

from __future__ import annotations

import base64
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from _console import Console, SignedIn, browsing, serving
from _deciding import Hearsay
from _fakes import fast
from memoranda import AsyncMemory, Memory, Policy, across
from memoranda.records import Usage, now
from memoranda.stores.figures import Activity, Day
from memoranda.write.extract import Extraction, ExtractionRequest
from memoranda.write.failed import ModelFailed

GOAL = Path(__file__).parents[1] / 'docs' / 'console'
QUALITY = 82
PEOPLE = {
    'ana.silva': [
        ('assistant', 'Welcome back, Ana. Shall I look for flats again?'),
        ('user', 'home.city = Lisbon'),
        ('user', 'I am allergic to peanuts'),
        ('user', 'I like a window seat on long flights'),
        ('user', 'work.employer = Atlas Maps'),
        ('user', 'I prefer to be written to in the morning'),
        ('user', 'not home.city = Porto'),
    ],
    'ben.okafor': [
        ('user', 'work.employer = Northwind'),
        ('user', 'I want to run a marathon in May'),
        ('user', 'home.city = Leeds'),
        ('user', 'I never drink coffee after four'),
        ('user', 'work.employer = Fabrikam'),
        ('user', 'work.employer = Contoso'),
    ],
    'chiara.conti': [
        ('user', 'language = Italian'),
        ('user', 'I am planning a trip to Kyoto in spring'),
        ('user', 'My daughter Lia starts school in September'),
        ('user', 'diet = vegetarian'),
    ],
    'noor.haddad': [('user', 'اسمي نور وأسكن في عمّان'), ('user', 'home.city = Amman'), ('user', 'I collect old maps')],
    'yuki.tanaka': [('user', 'Я живу в Киото с весны'), ('user', 'pet.name = Momo'), ('user', 'pet.name = Koko')],
}


KINDS = {'I like': 'preference', 'I prefer': 'preference', 'I want': 'goal', 'I am allergic': 'constraint'}


class Reader(Hearsay):
    """Like `Hearsay`, but with kinds, and it fails where it is told to."""

    def propose(self, request: ExtractionRequest) -> Extraction:
        """Read the messages."""
        if any('unreadable' in message.text for message in request.messages):
            raise ModelFailed('the answer of the model did not fit the schema', reason='output')
        found = super().propose(request)
        kinds = [
            next((kind for begin, kind in KINDS.items() if one.text and one.text.startswith(begin)), None)
            for one in found.proposals
        ]
        return Extraction(
            proposals=[
                one if kind is None else replace(one, kind=kind)
                for one, kind in zip(found.proposals, kinds, strict=True)
            ]
        )


def fill(memory: Memory) -> dict[str, str]:
    """Let some people have talked for a month; the ids that pages are shown of."""
    at = now() - timedelta(days=24)
    ids: dict[str, str] = {}
    for user, said in PEOPLE.items():
        for place, (role, text) in enumerate(said):
            at += timedelta(hours=7, minutes=13 * place)
            added = memory.add(
                [{'role': role, 'content': text, 'created_at': at.isoformat()}],
                user_id=user,
                session_id=f'{user}-{place // 3}',
                agent_id='concierge',
            )
            for edit in added.changes:
                ids[f'{user}/{text}'] = edit.memory_id
    for question in ('Where does she live?', 'What may she not eat?', 'seat'):
        memory.search(question, user_id='ana.silva')
        memory.context(question, user_id='ana.silva')
    wide = memory.project_wide().acting_as('key:jane')
    pinned = ids['ana.silva/I am allergic to peanuts']
    wide.update(pinned, pinned=True)
    wide.update(pinned, text='I am allergic to peanuts and cashews')
    for user, text in (
        ('chiara.conti', 'they say home.city = Milan'),
        ('chiara.conti', 'they say diet = vegan'),
        ('ben.okafor', 'they say I like jazz in the evening'),
    ):
        memory.add(text, user_id=user, session_id=f'{user}-call', agent_id='concierge')
    memory.add('unreadable notes of a call', user_id='ben.okafor', background=True)
    memory.add('I moved my desk to the window', user_id='yuki.tanaka', background=True)
    ids['memory'] = pinned
    return ids


async def month(memory: AsyncMemory, *, days: int = 30) -> Activity:
    """A month of somebody's, invented: the database of the pictures is a minute old."""
    made: list[Day] = []
    memories, people = 1_840, 212
    for back in range(days - 1, -1, -1):
        day = (now() - timedelta(days=back)).date()
        busy = (0.35 if day.weekday() > 4 else 1.0) * (1 + 0.3 * math.sin(back * 1.7)) * (1.4 - back / 75)
        added, superseded, retracted = int(46 * busy), int(9 * busy), int(3 * busy)
        memories, people = memories + added - superseded - retracted, people + int(4 * busy)
        recalls = int(310 * busy)
        made.append(
            Day(
                day=day,
                added=added,
                superseded=superseded,
                retracted=retracted,
                memories=memories,
                people=people,
                recalls=recalls,
                recalls_found=int(recalls * (0.9 + 0.05 * math.sin(back))),
                recall_seconds=recalls * (0.011 + 0.002 * math.sin(back / 3)),
                latencies=(0, 0, recalls // 2, recalls // 2, 4, 0, 0, 0, 0, 0),
                blocks=recalls // 3,
                block_tokens=recalls * 130,
                usage=Usage(requests=added, input_tokens=added * 900, output_tokens=added * 120, cost=added * 0.0004),
            )
        )
    return Activity(
        days=tuple(made), since=made[0].day, memories=memories, people=people, letters_held=9_400_000, queued=3, dead=1
    )


def pages(ids: dict[str, str]) -> dict[str, str]:
    """What is shown, by the name of its picture."""
    return {
        'overview': '/console',
        'memories': '/console/memories',
        'memory': f'/console/memories/{ids["memory"]}',
        'playground': '/console/playground?person=ana.silva&q=peanuts+or+a+window+seat',
        'review': '/console/review',
        'people': '/console/people',
        'person': '/console/people/ana.silva',
        'conflicts': '/console/conflicts',
        'audit': '/console/audit',
        'jobs': '/console/jobs',
        'settings': '/console/settings',
    }


def shoot(page: Any, path: Path, height: int) -> None:
    """A picture of a page, as WebP."""
    size = page.viewport_size
    full = page.evaluate('document.documentElement.scrollHeight')
    page.set_viewport_size({'width': size['width'], 'height': min(max(full, 600), height)})
    session = page.context.new_cdp_session(page)
    taken = session.send('Page.captureScreenshot', {'format': 'webp', 'quality': QUALITY})
    path.write_bytes(base64.b64decode(taken['data']))
    page.set_viewport_size(size)


def main(wanted: list[str], say: Callable[[str], object] = sys.stdout.write) -> None:
    """Make the pictures that were asked for; none named: all."""
    GOAL.mkdir(exist_ok=True)
    goal = Path(os.environ.get('SCREENSHOTS', GOAL))
    memory = fast(extractor=Reader(), policy=Policy(review='flagged', audit_reads=True))
    across.activity = month
    with serving(memory) as console, browsing() as browser:
        _shoot_all(console, browser, pages(fill(memory)), wanted, goal, say)


def _shoot_all(
    console: Console, browser: Any, shown: dict[str, str], wanted: list[str], goal: Path, say: Callable[[str], object]
) -> None:
    opening = SignedIn(console, browser)
    looks: list[tuple[str, dict[str, Any]]] = [
        ('light', {}),
        ('dark', {'scheme': 'dark'}),
        ('phone', {'width': 390, 'height': 780}),
    ]
    for look, arguments in looks:
        page = opening('admin', '/console/sign-in', **arguments)
        for name, path in shown.items():
            if wanted and name not in wanted:
                continue
            page.goto(path)
            file = goal / f'{name}-{look}.webp'
            shoot(page, file, 1800 if look == 'phone' else 1400)
            say(f'{file.name} {file.stat().st_size // 1024} KiB\n')
    opening.close()
    opening.check()


if __name__ == '__main__':
    main(sys.argv[1:])
