"""Making remembered text safe to show: what somebody wrote must never steer the terminal of whoever reads it."""

from __future__ import annotations

import re

__all__ = ['escape_json', 'one_line', 'printable']

# C0 (line feed and tab are dealt with apart), DEL, C1, bidirectional controls, line and paragraph separators,
# byte order mark, interlinear marks, invisible tag characters, halves of surrogate pairs.
_RISKY = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb'
    '\ud800-\udfff\U000e0000-\U000e007f]'
)
_SPACES = re.compile(r'\s+')


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f'\\x{code:02x}' if code < 0x100 else f'\\u{code:04x}' if code < 0x10000 else f'\\U{code:08x}'


def printable(text: str) -> str:
    r"""The text with everything that could move a cursor, hide or reorder characters written out (`\x1b`).

    Line feeds and tabs stay.
    """
    return _RISKY.sub(_visible, text.replace('\r\n', '\n'))


def one_line(text: str, limit: int | None = None) -> str:
    """`printable` on a single line, cut at `limit` characters."""
    line = printable(_SPACES.sub(' ', text.replace('\u2028', ' ').replace('\u2029', ' ')).strip())
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + '…'


def escape_json(document: str) -> str:
    r"""The same for a JSON document, as `\uXXXX`, which every JSON reader turns back."""

    def escape(match: re.Match[str]) -> str:
        units = match.group().encode('utf-16-be', 'surrogatepass')
        return ''.join(f'\\u{units[i] << 8 | units[i + 1]:04x}' for i in range(0, len(units), 2))

    return _RISKY.sub(escape, document)
