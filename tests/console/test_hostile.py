"""What people may have had remembered, on every page: it is shown as words, and does nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
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
_DOWNLOADS = ('/file', '/export', '/checkpoint')
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


def _pages(console: Console, known: dict[str, list[str]], *, only: Collection[str] = ()) -> Iterator[str]:
    """The address of every page, with one of each id that is known; of `only` these, with all ids."""
    for (method, template), role in sorted(route_roles(console.app).items()):
        if (
            method != 'GET'
            or not template.startswith('/console')
            or role == 'public'
            or (only and template not in only)
        ):
            continue
        names = re.findall(r'{(\w+)', template)
        if not names:
            yield template
        elif len(names) == 1 and names[0] in known:
            for value in known[names[0]][: None if only else 1]:
                yield re.sub(r'{\w+(?::\w+)?}', quote(value, safe=''), template)


@pytest.fixture(scope='module')
def known(console: Console) -> dict[str, list[str]]:
    return _fill(console)


def test_what_is_remembered_does_nothing_on_any_page_and_every_page_passes_axe(
    console: Console, signed_in: SignedIn, known: dict[str, list[str]]
) -> None:
    """In one walk: what costs is loading the pages. Contrast once more in the dark, on a phone."""
    light = signed_in('admin', '/console/memories')
    dark = signed_in('admin', '/console/memories', scheme='dark', width=360)
    found: list[str] = []
    seen = 0
    for path in _pages(
        console,
        known,
    ):
        answer = light.goto(path) if not any(word in path for word in _DOWNLOADS) else None
        if answer is None or not answer.text().startswith('<!doctype html>'):  # a part of another page
            continue
        seen += 1
        found += [f'{path}: {one}' for one in (*light.evaluate(HARMLESS), *axe(light))]
        if path.count('/') == 2:
            dark.goto(path)
            found += [f'{path} (dark): {one}' for one in axe(dark, rules=['color-contrast'])]
            if (width := dark.evaluate('document.documentElement.scrollWidth')) > 361:
                found.append(f'{path}: {width} px wide')
    assert found == []
    assert seen > 15


def test_each_payload_is_told_in_its_own_words(console: Console, known: dict[str, list[str]]) -> None:
    """Over HTTP, for all of them: nothing of a payload's markup is in a page but escaped."""
    alone = ('/console/memories/{memory_id}', '/console/people/{key}')
    with console.http('admin') as http:
        for path in _pages(console, known, only=alone):
            answer = http.get(path)
            assert answer.status_code < 500, path
            # Between the quotes of an attribute a sign stays as it is: a form has to send it back.
            text = re.sub(r'="[^"]*"', '', answer.text)
            for sign in ('<script>alert', '<img', '<svg onload', '<iframe', '<math', '<base', '\x1b', '\u202e', '1337'):
                assert sign not in text, (path, sign)
