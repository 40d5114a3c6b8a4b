"""The console over a million memories, in a real browser: what a first view takes, and each filter and sort.

Usage: python benchmarks/console.py [--memories 1000000] [--dir DIR] [--rounds 3]

A SQLite file of 90,000 people is made once (3 GiB; it stays in `--dir`), then served by this process to the system's
Chromium, which is to be there. A first view is a browser context that has cached nothing; it ends with the `load`
event. A filter is set in the page's form and sent; it ends with the frame in which the new rows are shown.

Exits with 1 when a median is beyond its goal: 1.5 s for a first view, 0.5 s for a filter or a sort.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from _common import folder, machine, median, title
from _console_file import BUSY, RARE_AGENT, RARE_KIND, build_console_file
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tests'))

from _console import browser_path, browsing, serving  # what the tests start, too

FIRST_VIEW: Final = 1.5
FILTER: Final = 0.5
PAGES: Final = (
    '/console',
    '/console/memories',
    '/console/people',
    '/console/review',
    '/console/conflicts',
    '/console/audit',
    '/console/jobs',
)
_DAY: Final = timedelta(days=1)
_SEND: Final = """
given => new Promise((shown, failed) => {
    const form = document.querySelector('[name=kind]').form;
    for (const [name, value] of Object.entries({...Object.fromEntries(
        [...form.elements].filter(e => e.name && e.type !== 'hidden' && e.name !== 'size').map(e => [e.name, ''])
    ), ...given})) {
        const field = form.elements[name];
        field.value = value;
    }
    const began = performance.now();
    const done = () => requestAnimationFrame(() => shown((performance.now() - began) / 1000));
    document.body.addEventListener('htmx:afterSettle', done, {once: true});
    document.body.addEventListener('htmx:responseError', () => failed(new Error('refused')), {once: true});
    form.requestSubmit();
})
"""


def filters() -> Mapping[str, Mapping[str, str]]:
    """What the page is narrowed by, from what is most of the file to what is nowhere in it."""
    today = datetime.now(UTC).date()
    return {
        'newest first': {'sort': 'newest'},
        'oldest first': {'sort': 'oldest'},
        'a common kind': {'kind': 'knowledge'},
        'a rare kind': {'kind': RARE_KIND},
        'a rare kind, oldest first': {'kind': RARE_KIND, 'sort': 'oldest'},
        'a kind there is none of': {'kind': 'nothing'},
        'any status': {'status': 'all'},
        'waiting': {'status': 'pending'},
        'turned down': {'status': 'rejected'},
        'superseded': {'status': 'superseded'},
        'said by tools': {'trust': 'tool'},
        'from outside': {'trust': 'external'},
        'a busy agent': {'agent': 'agent-0'},
        'a rare agent': {'agent': RARE_AGENT},
        'the last week': {'since': str(today - 7 * _DAY)},
        'a day two years ago': {'since': str(today - 600 * _DAY), 'until': str(today - 599 * _DAY)},
        'one person': {'person': BUSY},
        'words of one person': {'person': BUSY, 'q': 'ka'},
        'words of a rare kind': {'kind': 'instruction', 'q': 'ka'},
        'kind, source, agent, time': {
            'kind': 'goal',
            'trust': 'tool',
            'agent': 'agent-3',
            'since': str(today - 300 * _DAY),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, default=1_000_000)
    parser.add_argument('--dir', type=Path, help='where to keep the file (3 KiB a memory); else a temporary place')
    parser.add_argument('--rounds', type=int, default=3)
    arguments = parser.parse_args()
    if browser_path() is None:
        raise SystemExit('no Chromium here: apt-get install chromium, or name one with TEST_BROWSER')
    print(machine())
    with folder(arguments.dir) as place:
        path = place / f'console-{arguments.memories}.db'
        title(f'a file of {arguments.memories:,} memories')
        build_console_file(path, arguments.memories)
        memory = Memory(path, embedder=HashingEmbedder(), settings=Settings(workers=0, server_rate=0))
        for key in memory.keys.list():  # of an earlier run
            memory.keys.revoke(key.id)
        with memory, serving(memory) as console, browsing() as browser:
            reached = measured(console, browser, arguments.rounds)
    if not reached:
        raise SystemExit(1)


def measured(console: Any, browser: Any, rounds: int) -> bool:
    """All of it. Whether every goal was reached."""
    with console.session('admin') as http:
        cookies = [
            {'name': name, 'value': value, 'url': f'{console.url}/console'} for name, value in http.cookies.items()
        ]

    def fresh() -> Any:
        context = browser.new_context(viewport={'width': 1280, 'height': 900}, base_url=console.url)
        context.add_cookies(cookies)
        return context

    def first_view(path: str) -> float:
        context = fresh()
        page = context.new_page()
        began = time.perf_counter()
        answer = page.goto(path)
        seconds = time.perf_counter() - began
        assert answer.ok, f'{path}: {answer.status}'
        context.close()
        return seconds

    title('first view')
    reached = True
    for path in PAGES:
        reached &= told(path, lambda path=path: first_view(path), rounds, FIRST_VIEW)
    title('memories: filters and sorts')
    page = fresh().new_page()
    page.goto('/console/memories')
    for name, given in filters().items():
        reached &= told(name, lambda given=given: page.evaluate(_SEND, dict(given)), rounds, FILTER)
    page.goto('/console/memories')
    reached &= told('the next page', lambda: turned(page), rounds, FILTER)
    page.goto(f'/console/memories?kind={RARE_KIND}&size=25')
    reached &= told('the next page of a rare kind', lambda: turned(page), rounds, FILTER)
    return reached


def turned(page: Any) -> float:
    """Go to the next page by its link."""
    link = page.get_by_role('link', name='Next')
    link.wait_for()
    before = page.url
    began = time.perf_counter()
    link.click()
    page.wait_for_function('before => location.href !== before', arg=before)
    page.wait_for_load_state()
    return time.perf_counter() - began


def told(name: str, act: Callable[[], float], rounds: int, goal: float) -> bool:
    """Do it some times, and tell how long it took. Whether the median is within its goal."""
    seconds = [act() for _ in range(rounds)]
    middle = median(seconds)
    late = '' if middle <= goal else f'   beyond {goal} s'
    print(f'  {name:<34} median {middle:6.3f} s, slowest {max(seconds):6.3f} s{late}', flush=True)
    return middle <= goal


if __name__ == '__main__':
    main()
