"""Reads the project's Markdown the way its tests need it: code blocks, links, headings."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])

_FENCE = re.compile(
    r'^(?P<fence>`{3,})(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$', re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r'(?<!\!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)')


@dataclass(frozen=True)
class Block:
    """A fenced block of code; `line` is that of its first line of code, from 1."""

    page: Path
    language: str
    code: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in the languages given, in order."""
    text = page.read_text(encoding='utf-8')
    return [
        Block(page, match['language'], match['code'], text.count('\n', 0, match.start('code')) + 1)
        for match in _FENCE.finditer(text)
        if match['language'] in languages
    ]


def links(page: Path) -> list[str]:
    """The targets of a page's links, code blocks and code spans left out."""
    text = _FENCE.sub('', page.read_text(encoding='utf-8'))
    return [match['target'] for match in _LINK.finditer(re.sub(r'`[^`\n]*`', '``', text))]


def anchors(page: Path) -> set[str]:
    """The fragments a page's headings can be linked by."""
    text = _FENCE.sub('', page.read_text(encoding='utf-8'))
    titles = re.findall(r'^#{1,6} +(.+?) *#*$', text, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


def commands(page: Path) -> list[list[str]]:
    """The words of every `memoranda ...` line in console blocks, without prompt, pipes and redirections."""
    found: list[list[str]] = []
    for block in blocks(page, 'console', 'bash', 'sh'):
        for line in block.code.replace('\\\n', ' ').splitlines():
            words = shlex.split(line.removeprefix('$ '), comments=True)
            while words and re.fullmatch(r'[A-Z_]+=.*', words[0]):
                words = words[1:]
            if words[:1] == ['memoranda']:
                ends = [i for i, word in enumerate(words) if word in ('|', '>', '>>', '<', '&&', ';')]
                found.append(words[1 : ends[0] if ends else len(words)])
    return found
