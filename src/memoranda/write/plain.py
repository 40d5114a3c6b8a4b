"""A text as a reader sees it: without look-alike letters, invisible characters and encodings that hide its words.

It is for judging only. What is stored stays as it was said.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from memoranda._caches import remembered

__all__ = ['Plain', 'bare', 'plain', 'readings']

_LETTERS: Final = (
    'aаαａɑ bвьβʙ cсςϲᴄ dԁᴅ eеєεҽᴇё fғϝꜰ gɡԍɢ hнһʜη iіιíɪ̇ı jјʝᴊ kкκᴋ lӏʟⅼ mмϻᴍ nпɴ oоοσօᴏ pрρᴘ qԛ rгʀ sѕꜱ tтτᴛ '
    'uυսᴜ vѵνᴠ wѡωԝᴡ xхχ yуүγʏ zᴢʐ'
)
"""Each word: a Latin letter and letters that look like it, of other alphabets."""
_ALIKE: Final = {ord(c): word[0] for word in _LETTERS.split() for c in word[1:] if not unicodedata.combining(c)}
_SIGNS: Final = {
    **dict.fromkeys(map(ord, '\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`'), "'"),
    **dict.fromkeys(map(ord, '\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u300c\u300d'), '"'),
    **dict.fromkeys(map(ord, '\u2010\u2011\u2012\u2013\u2014\u2015\u2212'), '-'),
}
_SAME: Final = {
    **_ALIKE,
    **_SIGNS,
    **{0x1F130 + i: chr(97 + i) for i in range(26)},
    **{0x1F150 + i: chr(97 + i) for i in range(26)},
    **{0x1F170 + i: chr(97 + i) for i in range(26)},
    **{0x1F1E6 + i: chr(97 + i) for i in range(26)},
    0x2028: '\n',
    0x2029: '\n',
    0x85: '\n',
    0x0D: '\n',
}
_CONTROLS: Final = {**{i: ' ' for i in range(32) if chr(i) not in '\n\t'}, 0x0D: '\n', 0x60: "'", 0x7F: ' '}
_INVISIBLE: Final = frozenset('\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800')
_BLOB: Final = re.compile(r'(?<![\w+/=-])[A-Za-z0-9+/_-]{20,8000}={0,2}(?![\w+/=-])')
_HEX: Final = re.compile(r'(?<!\w)(?:(?:0x|\\x|%)?[0-9a-fA-F]{2}[ ,:]?){12,4000}(?!\w)')
_ESCAPED: Final = re.compile(r'\\u\{?([0-9a-fA-F]{4,6})\}?|\\x([0-9a-fA-F]{2})')
_APART: Final = re.compile(r'(?<!\w)\w(?:[ \t\n.,*_|/\\~+-]{1,2}\w(?!\w)){4,400}')
_SPLIT: Final = re.compile(r'(?<=[a-z])[.*_|~+\u00b7\u2022-](?=[a-z])')
_BITS: Final = re.compile(r'(?<!\d)(?:[01]{8}\s?){8,2000}(?!\d)')
_UPSIDE_DOWN: Final = '\u0250\u0254\u01dd\u025f\u0183\u0265\u1d09\u027e\u029e\u026f\u0279\u0287\u028c\u028d\u028e'
_UPRIGHT: Final = str.maketrans(_UPSIDE_DOWN + 'bdpqnu', 'acefghijkmrtvwy' + 'qpdbun')
_SPLITS: Final = 3
"""Fewer are hyphens and abbreviations."""
_MIXED: Final = re.compile(r'\b(?=\w*[a-z])(?=\w*[0-9@$!])[a-z0-9@$!]{3,20}')
_LEET: Final = str.maketrans('013457@$!', 'oieastasi')
_KEYS: Final = (
    'ignore', 'always', 'instruction', 'recommend', 'the user', 'from now on', 'whenever', 'remember', 'forward ',
)  # fmt: skip
_TURNED: Final = tuple(k[::-1] for k in _KEYS)
_ROTATED: Final = tuple(codecs.encode(k, 'rot13') for k in _KEYS)


@dataclass(frozen=True, slots=True)
class Plain:
    """A text in small Latin letters without accents, as far as it can be written so."""

    text: str
    origins: Sequence[int]
    """For each character the index of the one it comes from, and at the end the length of the source."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of it stands in the source."""
        return self.origins[start], self.origins[end]


@remembered(64)
def plain(text: str) -> Plain:
    """The text as it reads: compatibility forms, look-alikes and accents folded, invisible characters left out."""
    if text.isascii():
        return Plain(text.lower().translate(_CONTROLS), range(len(text) + 1))
    out: list[str] = []
    origins: list[int] = []
    for index, char in enumerate(text):
        for same in _folded(char):
            out.append(same)
            origins.append(index)
    return Plain(''.join(out), (*origins, len(text)))


def bare(text: str) -> str:
    """The text in small letters, without accents and typographic signs: what nobody means by hiding it."""
    shown = unicodedata.normalize('NFKD', text.translate(_SIGNS)).lower()
    return ''.join(c for c in shown if not unicodedata.combining(c)) if not shown.isascii() else shown


def readings(text: str) -> Iterator[str]:
    """What a text may say, plain: as it stands, and what is spelled, written backwards or encoded in it."""
    first = plain(text).text
    yield first
    for hidden in _hidden(text):
        yield plain(hidden).text
    if '&' in text or '\\' in text or '%' in text:
        shown = unquote(_ESCAPED.sub(_unescaped, html.unescape(text)))
        if shown != text:
            yield plain(shown).text
    if _APART.search(first):
        yield _APART.sub(lambda m: re.sub(r'[\s.,*_|/\\~+-]', '', m[0]), first.replace('  ', ' \0 ')).replace('\0', '')
        yield re.sub(r'[\W_]+', '', first)
    joined, splits = _SPLIT.subn('', first)
    if splits >= _SPLITS:
        yield joined
    leet = _MIXED.sub(lambda m: m[0].translate(_LEET), first)
    if leet != first:
        yield leet
    if any(key in first for key in _TURNED):
        yield first[::-1]
    if any(key in first for key in _ROTATED):
        yield codecs.encode(first, 'rot13')


def _hidden(text: str) -> Iterator[str]:
    yield from _turned(text)
    if any(c >= '\U000e0000' for c in text):
        # Tag characters mirror ASCII; 256 variation selectors can carry bytes.
        tags = ''.join(chr(ord(c) - 0xE0000) for c in text if '\U000e0020' <= c <= '\U000e007e')
        if len(tags) > 6:  # shorter ones belong to a flag
            yield tags
    smuggled = bytes(_selector(c) for c in text if '\ufe00' <= c <= '\ufe0f' or '\U000e0100' <= c <= '\U000e01ef')
    if len(smuggled) > 8 and (shown := _words(smuggled)) is not None:
        yield shown
    if '\u202e' in text or '\u202d' in text:
        yield re.sub('\u202e([^\u202c\n]*)\u202c?', lambda m: m[1][::-1], text)
    for blob in _BLOB.findall(text)[:20]:
        bare = blob.rstrip('=').replace('-', '+').replace('_', '/')
        try:
            shown = _words(base64.b64decode(bare + '=' * (-len(bare) % 4)))
        except (binascii.Error, ValueError):
            continue
        if shown is not None:
            yield shown
    for blob in _HEX.findall(text)[:20]:
        digits = re.sub(r'0x|\\x|[^0-9a-fA-F]', '', blob)
        if (shown := _words(bytes.fromhex(digits[: len(digits) // 2 * 2]))) is not None:
            yield shown


def _turned(text: str) -> Iterator[str]:
    if not text.isascii() and sum(c in _UPSIDE_DOWN for c in text) >= _SPLITS:
        yield text.lower().translate(_UPRIGHT)[::-1]
    for blob in _BITS.findall(text)[:20]:
        bits = re.sub(r'\s', '', blob)
        data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8))
        if (shown := _words(data)) is not None:
            yield shown


def _selector(char: str) -> int:
    return ord(char) - 0xFE00 if char < '\U000e0100' else ord(char) - 0xE0100 + 16


def _words(data: bytes) -> str | None:
    """What bytes say, if it is text."""
    for encoding in ('utf-8', 'utf-16-le'):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text and sum(c.isprintable() or c.isspace() for c in text) == len(text) and text.isascii():
            return text
    return None


def _unescaped(m: re.Match[str]) -> str:
    code = int(m[1] or m[2], 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else m[0]


@lru_cache(maxsize=8_192)
def _folded(char: str) -> str:
    if char.isascii() and char != '\r' and char != '`':
        return char.lower() if char >= ' ' or char in '\n\t' else ' '
    if char in _INVISIBLE or unicodedata.category(char) in ('Cf', 'Co', 'Cn') or '\ufe00' <= char <= '\ufe0f':
        return ''
    if ord(char) in _SAME:
        return _SAME[ord(char)]
    parts = unicodedata.normalize('NFKD', unicodedata.normalize('NFKC', char).casefold())
    bare = ''.join(c for c in parts if not unicodedata.combining(c)).translate(_SAME)
    return bare if bare or unicodedata.combining(char) else char
