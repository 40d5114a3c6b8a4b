"""Jinja, set up so that whatever is remembered comes out as words and as nothing else."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote, urlencode

from memoranda.records import now
from memoranda.server.console._diffing import diffed

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ['SHOWN_CHARS', 'STATIC', 'Piece', 'environment', 'href', 'pieces', 'relative', 'segment', 'static_version']

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / 'static'
SHOWN_CHARS: Final = 2_000
"""Characters of a text that a page shows before it offers the rest."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_HIDDEN: Final = {
    '\u00ad': 'SHY',
    '\u200b': 'ZWSP',
    '\u200c': 'ZWNJ',
    '\u200d': 'ZWJ',
    '\u200e': 'LRM',
    '\u200f': 'RLM',
    '\u202a': 'LRE',
    '\u202b': 'RLE',
    '\u202c': 'PDF',
    '\u202d': 'LRO',
    '\u202e': 'RLO',
    '\u2066': 'LRI',
    '\u2067': 'RLI',
    '\u2068': 'FSI',
    '\u2069': 'PDI',
    '\ufeff': 'BOM',
}
_PLAIN: Final = frozenset('\n\t')


class Piece(NamedTuple):
    """A stretch of a text, or one sign of it that would not be seen."""

    text: str
    odd: str = ''
    """The name of such a sign, which is shown in its place."""


def pieces(text: Any, most: int | None = SHOWN_CHARS) -> list[Piece]:
    """A text cut into what is seen as it is, and signs that would not be seen or would turn the others round.

    Args:
        text: What is shown.
        most: Characters that are shown; None: all.
    """
    shown = str(text)
    if most is not None:
        shown = shown[:most]
    found: list[Piece] = []
    begin = 0
    for place, sign in enumerate(shown):
        if sign in _PLAIN or unicodedata.category(sign) not in ('Cc', 'Cf', 'Cs', 'Co', 'Cn', 'Zl', 'Zp'):
            continue
        if sign == '\u200d' and _joins(shown, place):
            continue
        if begin < place:
            found.append(Piece(shown[begin:place]))
        found.append(Piece('', _HIDDEN.get(sign) or f'U+{ord(sign):04X}'))
        begin = place + 1
    if begin < len(shown):
        found.append(Piece(shown[begin:]))
    return found


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands between two signs of one picture or letter, where it belongs."""
    if not 0 < place < len(text) - 1:
        return False
    before, after = text[place - 1], text[place + 1]
    fitting = ('So', 'Sk', 'Lo', 'Mn', 'Mc')
    return (before == '\ufe0f' or unicodedata.category(before) in fitting) and unicodedata.category(after) in fitting


def segment(value: Any) -> str:
    """An id as one segment of a path: every sign that means something in a URL is quoted, dots alone too."""
    quoted = quote(str(value), safe='')
    return quoted.replace('.', '%2E') if set(quoted) == {'.'} else quoted


def href(path: str, /, **query: Any) -> str:
    """A path with a query string; what is None, empty or False is left out, of a list each value is given."""
    given: list[tuple[str, str]] = []
    for name, value in query.items():
        values = cast('Sequence[Any]', value if isinstance(value, list | tuple) else [value])
        given += [(name, str(one)) for one in values if one not in (None, '', False)]
    return f'{path}?{urlencode(given)}' if given else path


def relative(moment: datetime | None, at: datetime | None = None) -> str:
    """How long ago, or in how long, in words."""
    if moment is None:
        return ''
    at = at or now()
    seconds = (at - moment.astimezone(UTC)).total_seconds()
    size = abs(seconds)
    if size < 45:
        return 'just now' if seconds >= 0 else 'now'
    if size < 45 * _MINUTE:
        told = f'{max(1, round(size / _MINUTE))} min'
    elif size < 22 * _HOUR:
        told = f'{max(1, round(size / _HOUR))} h'
    elif size < 26 * _DAY:
        count = max(1, round(size / _DAY))
        told = f'{count} day{"s" if count > 1 else ""}'
    else:
        return moment.astimezone(UTC).strftime('%d %b %Y').lstrip('0')
    return f'{told} ago' if seconds >= 0 else f'in {told}'


def _absolute(moment: datetime | None) -> str:
    return '' if moment is None else moment.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S UTC')


def _day(moment: datetime | None) -> str:
    return '' if moment is None else moment.astimezone(UTC).strftime('%Y-%m-%d')


def _number(value: float | None, digits: int = 0) -> str:
    return '–' if value is None else f'{value:,.{digits}f}'


def _compact(value: float | None) -> str:
    """1234567 as `1.2 M`: for the figures of an overview, whose exact value is in the title."""
    if value is None:
        return '–'
    for size, unit in ((1e9, 'B'), (1e6, 'M'), (1e4, 'k')):
        if abs(value) >= size:
            return f'{value / (1e3 if unit == "k" else size):,.1f} {unit}'
    return f'{value:,.0f}' if float(value).is_integer() else f'{value:,.2f}'


def _percent(value: float | None, digits: int = 0) -> str:
    return '–' if value is None else f'{100 * value:.{digits}f} %'


def _pretty(value: Any) -> str:
    """Metadata and the like as JSON that people read."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str)


@cache
def static_version() -> str:
    """Changes with the static files, so that browsers may keep them for good."""
    found = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


@cache
def environment() -> Environment:
    """The one environment of all pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # A filter that would put words into markup as they are is not there to be used.
    for name in ('safe', 'xmlattr', 'urlize'):
        del made.filters[name]
    made.filters |= {
        'absolute': _absolute,
        'compact': _compact,
        'day': _day,
        'number': _number,
        'percent': _percent,
        'pieces': pieces,
        'pretty': _pretty,
        'relative': relative,
        'segment': segment,
    }
    given: dict[str, Any] = made.globals
    given |= {'diffed': diffed, 'href': href, 'static_version': static_version(), 'SHOWN_CHARS': SHOWN_CHARS}
    given['ui'] = made.get_template('_ui.html').module
    return made
