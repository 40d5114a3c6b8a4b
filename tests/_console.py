"""A console to test against: a real server in a thread, and the system's Chromium.

```python
def test_a_person_is_listed(console: Console, signed_in: SignedIn) -> None:
    console.memory.add('I like tea', user_id='ana')              # blocking; the database of this module
    page = signed_in('reader', '/console/people')                # a Playwright page; width=390, scheme='dark'
    page.get_by_role('link', name='ana').click()
    assert page.get_by_role('heading', level=1).inner_text() == 'ana'
    assert axe(page) == []
```

At its end each test fails if a page logged an error, broke the content policy, or opened a dialog of the browser's own.
What a test expects of these, it names: `signed_in.expected.append('net::ERR_CONNECTION_REFUSED')`.

Without a browser, pages can be asked over HTTP: `with console.http('admin') as http: http.get('/console/people')`.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import httpx

from _fakes import fast
from memoranda import Memory
from memoranda.keys import ROLES, Role

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
ARGUMENTS = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
]
_START_SECONDS = 60
WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']


@cache
def browser_path() -> str | None:
    """Where the system's Chromium is, or the one that `TEST_BROWSER` names."""
    return os.environ.get('TEST_BROWSER') or next(filter(None, map(shutil.which, BROWSERS)), None)


@dataclass
class Console:
    """A server that listens on a free port of 127.0.0.1."""

    url: str
    memory: Memory
    """Its own, for tests to fill and to look into."""
    secrets: dict[tuple[Role, str | None], str]
    app: Any

    def key(self, role: Role = 'admin', user_id: str | None = None) -> str:
        """The secret of a stored key named like its role; `user_id='ana'`: a key for her alone."""
        if (role, user_id) not in self.secrets:
            made = self.memory.keys.create(f'{role}-{user_id}', role=role, user_id=user_id)
            self.secrets[role, user_id] = made.secret
        return self.secrets[role, user_id]

    def http(self, role: Role | None = 'admin', user_id: str | None = None) -> httpx.Client:
        """A client that sends an API key (None: none), as a program would."""
        headers = {} if role is None else {'X-API-Key': self.key(role, user_id)}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    @contextmanager
    def session(self, role: Role = 'admin', user_id: str | None = None) -> Generator[httpx.Client]:
        """A client that is signed in, as a browser would be: `with console.session('reader') as http`."""
        with httpx.Client(base_url=self.url, headers={'Origin': self.url}, timeout=60) as http:
            answer = http.post('/console/sign-in', data={'key': self.key(role, user_id)})
            assert answer.status_code == 303, answer.text
            yield http


@contextmanager
def serving(memory: Memory | None = None, **arguments: Any) -> Generator[Console]:
    """A server in a thread. Arguments are those of `create_app`, or of `fast`'s memory."""
    import uvicorn

    from memoranda.server.app import create_app

    memory = memory if memory is not None else fast()
    app = create_app(memory.aio, **arguments)
    server = uvicorn.Server(
        uvicorn.Config(
            app, host='127.0.0.1', port=0, log_config=None, access_log=False, ws='none', timeout_graceful_shutdown=5
        )
    )
    ready = threading.Event()
    startup = server.startup

    async def started(sockets: Any = None) -> None:
        await startup(sockets=sockets)
        ready.set()

    server.startup = started
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    assert ready.wait(_START_SECONDS)
    port = server.servers[0].sockets[0].getsockname()[1]
    console = Console(f'http://127.0.0.1:{port}', memory, {}, app)
    for role in ROLES:
        console.secrets[role, None] = memory.keys.create(role, role=role).secret
    try:
        yield console
    finally:
        server.should_exit = True
        running.join(_START_SECONDS)


@dataclass
class SignedIn:
    """Opens pages as somebody with a role, and hears what goes wrong on them."""

    console: Console
    browser: Any
    expected: list[str] = field(default_factory=list)
    """Parts of errors that a test expects."""
    wrong: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def __call__(
        self,
        role: Role | None = 'admin',
        path: str = '/console',
        *,
        user_id: str | None = None,
        width: int = 1280,
        height: int = 900,
        scheme: Literal['light', 'dark'] = 'light',
        **arguments: Any,
    ) -> Any:
        """A page (`playwright.sync_api.Page`) in a browser context of its own; role None: not signed in."""
        context = self.browser.new_context(
            viewport={'width': width, 'height': height},
            color_scheme=scheme,
            reduced_motion='reduce',
            base_url=self.console.url,
            locale='en-GB',
            timezone_id='UTC',
            **arguments,
        )
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective "
            "+ ' ' + e.blockedURI + ' ' + e.sample));"
        )
        if role is not None:
            with self.console.session(role, user_id) as http:
                context.add_cookies(
                    [
                        {'name': name, 'value': value, 'url': f'{self.console.url}/console'}
                        for name, value in http.cookies.items()
                    ]
                )
        page = context.new_page()
        page.on('console', lambda said: self._hear(said.text) if said.type == 'error' else None)
        page.on('pageerror', lambda error: self._hear(f'script: {error}'))
        page.on('dialog', self._opened)
        page.on(
            'response', lambda answer: self._hear(f'{answer.status} {answer.url}') if answer.status >= 500 else None
        )
        page.goto(path)
        return page

    def check(self) -> None:
        """Fail for what went wrong."""
        left = [one for one in self.wrong if not any(part in one for part in self.expected)]
        assert left == []

    def close(self) -> None:
        """Close all pages."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def _hear(self, text: str) -> None:
        # Chromium says so of each answer that is an error; which of them are wrong, is heard of the answers themselves.
        if not text.startswith('Failed to load resource: the server responded'):
            self.wrong.append(text)

    def _opened(self, dialog: Any) -> None:
        self.wrong.append(f'dialog: {dialog.message}')
        dialog.dismiss()


@contextmanager
def browsing() -> Generator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@cache
def _axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / 'axe.min.js').read_text()


def axe(page: Any, *, impacts: Sequence[str] = ('serious', 'critical'), rules: Sequence[str] = ()) -> list[str]:
    """What axe-core finds wrong with a page, as `rule: element`; an empty list is what is wanted.

    Args:
        page: It.
        impacts: What counts.
        rules: Only these; none: all of WCAG 2.2 up to AA.
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_axe())
    only = {'type': 'rule', 'values': [*rules]} if rules else {'type': 'tag', 'values': WCAG}
    found = page.evaluate(
        'options => axe.run(document, options)',
        {'resultTypes': ['violations'], 'runOnly': only, 'preload': False, 'iframes': False},
    )
    return [
        f'{one["id"]} ({one["impact"]}): {node["html"][:160]}: {" ".join(node["failureSummary"].split())[:240]}'
        for one in found['violations']
        if one['impact'] in impacts
        for node in one['nodes']
    ]


Axe = Callable[[Any], list[str]]
