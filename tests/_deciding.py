"""Proposals for the tests of the pages where people decide."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx

from _console import Console
from _fakes import Grammar
from memoranda.records import Episode
from memoranda.write.extract import Proposal, Quote


class Hearsay(Grammar):
    """What begins with `they say` comes from a tool, so that it has to be approved."""

    def read(self, index: int, message: Episode, current: dict[str, str]) -> Proposal:
        heard = message.text.removeprefix('they say ')
        found = super().read(index, replace(message, text=heard), current)
        if heard == message.text:
            return found
        skipped = len(message.text) - len(heard)
        return replace(found, trust='tool', evidence=(Quote(index, skipped, len(message.text)),))


def propose(console: Console, person: str, *texts: str) -> list[str]:
    """Let these wait, and tell their ids."""
    return [console.memory.add(f'they say {text}', user_id=person).pending[0].id for text in texts]


def sent(http: httpx.Client, path: str, **fields: Any) -> httpx.Response:
    """What a form of a page sends, with the page's token."""
    found = re.search(r'<meta name="csrf" content="([^"]*)"', http.get('/console/conflicts').text)
    assert found
    return http.post(path, data={'csrf': found[1], **fields}, follow_redirects=True)


def said(answer: httpx.Response) -> str:
    """The words of a page, without its markup."""
    text = re.sub(r'<(script|style).*?</\1>|<[^>]+>', ' ', answer.text, flags=re.DOTALL)
    return ' '.join(text.split())


def mark_of(http: httpx.Client, item: str) -> str:
    """How a proposal was shown, as its form sends it back."""
    found = re.search(r'name="seen" value="([^"]+)"', http.get('/console/review', params={'item': item}).text)
    assert found
    return found[1]
