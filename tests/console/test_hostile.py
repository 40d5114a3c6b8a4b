"""What people may have had remembered, on every page: it is shown as words, and does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from _console import Console, SignedIn, axe
from memoranda.server.app import route_roles

PAYLOADS = (
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg onload=alert(1)>',
    '<svg><script>alert(1)</script></svg>',
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    '<iframe src="javascript:alert(1)"></iframe>',
    '<a href="javascript:alert(1)">click</a>',
    'javascript:alert(1)',
    '<body onload=alert(1)>',
    '<input autofocus onfocus=alert(1)>',
    '<details open ontoggle=alert(1)>',
    '<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>',
    '<style>*{background:url(javascript:alert(1))}</style>',
    '<link rel=stylesheet href=data:text/css,*{color:red}>',
    '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
    '<base href="https://evil.example/">',
    '<form action="https://evil.example"><button>go</button></form>',
    '<object data="javascript:alert(1)"></object>',
    '<embed src="javascript:alert(1)">',
    '</title><script>alert(1)</script>',
    '</textarea><script>alert(1)</script>',
    '</option></select><script>alert(1)</script>',
    '</bdi></td></tr></table><script>alert(1)</script>',
    '<!--<img src="--><img src=x onerror=alert(1)//">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '{{ 7 * 191 }} {% raw %} ${7*191} #{7*191}',
    '<div hx-get="/console/erase" hx-trigger="load" hx-on:click="alert(1)">x</div>',
    '<button hx-post="/console/sign-out" hx-trigger="load">x</button>',
    '<div data-live data-confirm="x" data-hotkey="a">x</div>',
    '&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62;',
    '\x1b]0;owned\x07\x1b[31mred',
    '\u202etxt.exe\u202c \u2066\u2069 \u200b\ufeff',
    "'; DROP TABLE memories; --",
)
assert len(PAYLOADS) > 30
HARMLESS = """() => {
  const found = [];
  for (const element of document.querySelectorAll('*')) {
    for (const { name, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|^hx-on/.test(name)) found.push(element.tagName + ' ' + name);
      if (/^\\s*(javascript|vbscript)/i.test(value) && /href|src|action/.test(name)) found.push(element.tagName + ' ' + value);
    }
  }
  for (const element of document.querySelectorAll(
    'script:not([src^="/console/static/"]), style, iframe, object, embed, base, img, math, link:not([href^="/console/static/"]), body meta, form[action^="http"]'
  )) found.push(element.outerHTML.slice(0, 200));
  return found;
}"""


def _fill(console: Console) -> dict[str, list[str]]:
    """Remember each payload as whatever a stranger may name; the ids that pages are asked for with."""
    memory = console.memory
    known: dict[str, list[str]] = {'memory_id': [], 'key': [], 'job_id': []}
    for place, payload in enumerate(PAYLOADS):
        name = re.sub(r'[\x00-\x1f\x7f]', '', payload)[:200].strip() or 'x'
        added = memory.add(payload, user_id='ana' if place % 2 else name, agent_id=name, metadata={'note': payload})
        ids = [edit.memory_id for edit in added.changes]
        # The first of all is one that is believed; some wait for a person.
        known['memory_id'] = [*known['memory_id'], *ids] if added.pending else [*ids, *known['memory_id']]
        known['key'].append(name)
    one = known['memory_id'][0]
    memory.project_wide().update(one, text=f'{PAYLOADS[1]} and {PAYLOADS[0]}')
    for place, payload in enumerate(PAYLOADS[:3]):
        memory.add(f'home.city = {payload}', user_id='ana', run_id=f'r{place}')
    receipt = memory.add('<script>alert(2)</script>', user_id='ana', background=True)
    known['job_id'].append(receipt.job_id or '')
    memory.search(PAYLOADS[0], user_id='ana')
    return known


def _pages(console: Console, known: dict[str, list[str]], *, all_of: bool) -> Iterator[str]:
    """The address of every page; with all ids that are known, or one of each."""
    for (method, template), role in sorted(route_roles(console.app).items()):
        if method != 'GET' or not template.startswith('/console') or role == 'public':
            continue
        names = re.findall(r'{(\w+)', template)
        if not names:
            yield template
        elif len(names) == 1 and names[0] in known:
            for value in known[names[0]][: None if all_of else 1]:
                yield re.sub(r'{\w+(?::\w+)?}', quote(value, safe=''), template)


@pytest.fixture(scope='module')
def known(console: Console) -> dict[str, list[str]]:
    return _fill(console)


def test_what_is_remembered_does_nothing_on_any_page(
    console: Console, signed_in: SignedIn, known: dict[str, list[str]]
) -> None:
    page = signed_in('admin', '/console/memories')
    seen = 0
    for path in _pages(console, known, all_of=False):
        if 'file' in path or 'export' in path or 'checkpoint' in path:  # downloads
            continue
        page.goto(path)
        assert page.evaluate(HARMLESS) == [], path
        seen += 1
    for text in ('<script>alert(1)</script>', 'onerror', '{{'):
        for path in ('/console/memories?person=ana', '/console/people', '/console/playground', '/console/audit'):
            page.goto(f'{path}{"&" if "?" in path else "?"}q={quote(text)}&user={quote(text)}&text={quote(text)}')
            assert page.evaluate(HARMLESS) == [], path
    assert seen > 10


def test_each_payload_is_told_in_its_own_words(console: Console, known: dict[str, list[str]]) -> None:
    """Over HTTP, for all ids: no byte of a payload's markup is in the page but escaped."""
    with console.http('admin') as http:
        for path in _pages(console, known, all_of=True):
            answer = http.get(path)
            assert answer.status_code < 500, path
            if not answer.headers.get('content-type', '').startswith('text/html'):
                assert answer.status_code >= 400 or 'attachment' in answer.headers.get('content-disposition', ''), path
                continue
            for sign in ('<script>alert', '<img', '<svg onload', '<iframe', '<math', '<base', '\x1b', '\u202e', '1337'):
                assert sign not in answer.text, (path, sign)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_every_page_passes_axe(
    console: Console, signed_in: SignedIn, known: dict[str, list[str]], scheme: str
) -> None:
    page = signed_in('admin', '/console', scheme=scheme, width=1280 if scheme == 'light' else 390)  # type: ignore[arg-type]
    found: list[str] = []
    for path in _pages(console, known, all_of=False):
        if 'file' in path or 'export' in path or 'checkpoint' in path:
            continue
        page.goto(path)
        found += [f'{path}: {one}' for one in axe(page)]
        if page.evaluate('document.documentElement.scrollWidth > innerWidth + 1'):
            found.append(f'{path}: wider than the screen')
    assert found == []
