"""The patterns of English time expressions, and how each is resolved against a date."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

__all__ = ['DAYS', 'DAY_NAME', 'GAP', 'MONTHS', 'Now', 'Prefer', 'Range', 'is_time', 'rules_for']

Prefer = Literal['past', 'future']
"""Which way a name without a year is read: `March` is the last one begun, or the next one."""


Range = tuple[datetime, datetime]

MONTHS = (
    *('january', 'february', 'march', 'april', 'may', 'june'),
    *('july', 'august', 'september', 'october', 'november', 'december'),
)
DAYS = ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')
_SEASONS = {'spring': 3, 'summer': 6, 'autumn': 9, 'fall': 9, 'winter': 12}
_FEASTS = {
    'christmas': (12, 25),
    'christmas eve': (12, 24),
    "new year's eve": (12, 31),
    "new year's day": (1, 1),
    'halloween': (10, 31),
    "valentine's day": (2, 14),
}
_SMALL = re.split(' ', 'zero one two three four five six seven eight nine ten eleven twelve')
_COUNTS = {
    **{word: n for n, word in enumerate(_SMALL)},
    'a': 1,
    'an': 1,
    'fifteen': 15,
    'twenty': 20,
    'thirty': 30,
    **dict.fromkeys(('couple', 'couple of', 'a couple', 'a couple of'), 2),
}
_THIRDS = {
    **dict.fromkeys(('early', 'the beginning of', 'the start of'), 0),
    **dict.fromkeys(('mid', 'the middle of'), 1),
    **dict.fromkeys(('late', 'the end of'), 2),
}
_FEW = ('few', 'a few', 'several', 'the last few', 'the past few')

GAP = r'\s{1,3}'
_MONTH = (
    '(?:january|february|march|april|may|june|july|august|september|october|november|december'
    r'|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)(?:\b\.?)'
)
_YEAR = r'(?:19|20)\d\d(?!\d|[,.]\d)'
DAY_NAME = r'(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)'
_ORD = r'\d{1,2}(?:st|nd|rd|th)?(?![\d:%$€£]|[.,]\d)'
_COUNT = (
    r'(?:\d{1,4}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty'
    r'|(?:a\s)?couple(?:\sof)?|(?:a\s)?few|several)'
)
_UNIT = r'(?:day|night|week|weekend|month|year|decade)'
_FEAST = r"(?:christmas(?:\seve)?|new\syear[’']s\s(?:eve|day)|halloween|valentine[’']s\sday)"
_PREPS = (
    '(?:on|in|during|at|by|for|since|until|till|from|of|around|about'
    r'|before|after|back\sin|over|between|through(?:out)?)'
)


@dataclass(frozen=True, slots=True)
class Now:
    base: datetime
    prefer: Prefer
    today: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'today', self.base.replace(hour=0, minute=0, second=0, microsecond=0))

    def day(self, year: int, month: int, day: int) -> Range:
        begin = self.today.replace(year=year, month=month, day=day)
        return begin, begin + timedelta(days=1)

    def months(self, year: int, month: int, count: int = 1) -> Range:
        """Whole months; `month` may lie outside 1..12."""
        return self.month_start(year, month), self.month_start(year, month + count)

    def month_start(self, year: int, month: int) -> datetime:
        years, index = divmod(month - 1, 12)
        return self.today.replace(year=year + years, month=index + 1, day=1)

    def years(self, year: int, count: int = 1) -> Range:
        return self.months(year, 1, 12 * count)

    def week(self, offset: int) -> Range:
        monday = self.today - timedelta(days=self.today.weekday()) + timedelta(weeks=offset)
        return monday, monday + timedelta(days=7)

    def weekend(self, offset: int) -> Range:
        monday, _ = self.week(offset)
        return monday + timedelta(days=5), monday + timedelta(days=7)

    def yearless(self, make: Callable[[int], Range], which: str = '') -> Range:
        """A date without a year: the latest one begun (or, looking ahead, the first not over)."""
        past = which in ('last', 'past', 'this past') or (self.prefer == 'past' and which not in ('next', 'this'))
        # A season that runs over New Year began in the year before, so one further year is tried on each side.
        around = [make(self.today.year + shift) for shift in (-2, -1, 0, 1, 2)]
        if which == 'this':
            return min(around, key=lambda r: abs(r[0] + (r[1] - r[0]) / 2 - self.today))
        if past:
            strict = which in ('last', 'past')
            return [r for r in around if (r[1] if strict else r[0]) <= self.today][-1]
        return next(r for r in around if (r[0] if which == 'next' else r[1]) > self.today)


def _month_number(name: str) -> int:
    return next(i for i, month in enumerate(MONTHS, 1) if month.startswith(name.lower().rstrip('.')[:3]))


def _digits(text: str) -> int:
    return int(re.sub(r'\D', '', text))


def _date(m: re.Match[str], now: Now) -> Range | None:
    day, month = _digits(m['day']), _month_number(m['month'])
    if m['year']:
        return now.day(int(m['year']), month, day)
    if day > monthrange(2024, month)[1]:
        return None
    return now.yearless(lambda year: now.day(year, month, min(day, monthrange(year, month)[1])))


def _iso(m: re.Match[str], now: Now) -> Range:
    return now.day(int(m['y']), int(m['m']), int(m['d']))


def _slashed(m: re.Match[str], now: Now) -> Range | None:
    a, b, year = int(m['a']), int(m['b']), int(m['y'])
    if a > 12 or a == b:
        return now.day(year, b, a)
    return now.day(year, a, b) if b > 12 else None


def _month(m: re.Match[str], now: Now) -> Range:
    month = _month_number(m['month'])
    if m['year']:
        begin, until = now.months(int(m['year']), month)
    else:
        begin, until = now.yearless(lambda year: now.months(year, month), (m['which'] or '').lower())
    third = {
        'early': 0,
        'the beginning of': 0,
        'the start of': 0,
        'mid': 1,
        'the middle of': 1,
        'late': 2,
        'the end of': 2,
    }
    part = third.get(' '.join((m['part'] or '').lower().rstrip('- ').split()))
    if part is None:
        return begin, until
    return begin + timedelta(days=10 * part), until if part == 2 else begin + timedelta(days=10 * part + 10)


def _year(m: re.Match[str], now: Now) -> Range:
    return now.years(int(m['year']))


def _years(m: re.Match[str], now: Now) -> Range | None:
    first, last = int(m['first']), int(m['last'])
    return now.years(first, last - first + 1) if first <= last else None


def _decade(m: re.Match[str], now: Now) -> Range:
    digits = int(m['decade'])
    return now.years(digits if digits > 99 else digits + (1900 if digits > 20 else 2000), 10)


def _season(m: re.Match[str], now: Now) -> Range:
    first = _SEASONS[m['season'].lower()]
    if m['year']:
        return now.months(int(m['year']), first, 3)
    return now.yearless(lambda year: now.months(year, first, 3), (m['which'] or '').lower())


def _feast(m: re.Match[str], now: Now) -> Range:
    month, day = _FEASTS[' '.join(m['feast'].lower().replace('’', "'").split())]
    if m['year']:
        return now.day(int(m['year']), month, day)
    return now.yearless(lambda year: now.day(year, month, day), (m['which'] or '').lower())


def _weekday(m: re.Match[str], now: Now) -> Range:
    which = ' '.join((m['which'] or '').lower().split())
    days = (DAYS.index(m['name'].lower()) - now.today.weekday()) % 7
    if which == 'next' or (not which and now.prefer == 'future'):
        days = days or 7
    elif which in ('this', 'this coming'):
        days = days if now.prefer == 'future' or which == 'this coming' or days == 0 else days - 7
    else:
        days = (days or 7) - 7 if which == '' and days == 0 else days - 7
    begin = now.today + timedelta(days=days)
    return begin, begin + timedelta(days=1)


def _named_unit(m: re.Match[str], now: Now) -> Range | None:
    which = ' '.join(m['which'].lower().split())
    step = -1 if which in ('last', 'this past', 'the past', 'past') else 1 if which in ('next', 'this coming') else 0
    unit = m['unit'].lower()
    if unit in ('night', 'evening', 'morning', 'afternoon'):
        begin = now.today + timedelta(days=step)
        return begin, begin + timedelta(days=1)
    if which in ('the past', 'past'):
        return _rolling(unit, 1, now)
    if unit == 'week':
        return now.week(step)
    if unit == 'weekend':
        return now.weekend(step)
    if unit == 'month':
        return now.months(now.today.year, now.today.month + step)
    return now.years(now.today.year + step) if unit == 'year' else None


def _rolling(unit: str, count: int, now: Now) -> Range | None:
    days = {'day': 1, 'night': 1, 'week': 7, 'weekend': 7, 'month': 30, 'year': 365, 'decade': 3650}[unit]
    tomorrow = now.today + timedelta(days=1)
    return tomorrow - timedelta(days=days * count + 1), tomorrow


def _count(text: str) -> int | None:
    """None for an unknown small number."""
    word = ' '.join(text.lower().split())
    if word in _FEW:
        return None
    return int(word) if word.isdigit() else _COUNTS[word]


def _last_few(m: re.Match[str], now: Now) -> Range | None:
    return _rolling(m['unit'].lower(), _count(m['count']) or 4, now)


def _shifted(m: re.Match[str], now: Now) -> Range | None:
    """`three weeks ago`, `in two months`: as exact as the unit."""
    count, unit = _count(m['count']), m['unit'].lower()
    sign = -1 if m['ago'] else 1
    if count is None:
        return _a_few(unit, sign, now)
    if unit in ('day', 'night'):
        begin = now.today + sign * timedelta(days=count)
        return begin, begin + timedelta(days=1)
    if unit == 'week':
        begin = now.today + sign * timedelta(weeks=count) - timedelta(days=3)
        return begin, begin + timedelta(days=7)
    if unit == 'weekend':
        return now.weekend(sign * count)
    if unit == 'month':
        return now.months(now.today.year, now.today.month + sign * count)
    return now.years(now.today.year + sign * count * (10 if unit == 'decade' else 1))


def _a_few(unit: str, sign: int, now: Now) -> Range:
    """Two to five of them, as exact as the unit."""
    near, far = sorted((2 * sign, 5 * sign))
    if unit == 'month':
        return now.months(now.today.year, now.today.month + near, 4)
    if unit in ('year', 'decade'):
        return now.years(now.today.year + near, 4)
    if unit in ('week', 'weekend'):
        return now.week(near)[0], now.week(far)[1]
    return now.today + timedelta(days=near), now.today + timedelta(days=far + 1)


def _near(m: re.Match[str], now: Now) -> Range:
    word = ' '.join(m['near'].lower().split())
    days = {
        'the day before yesterday': -2,
        'yesterday': -1,
        'tomorrow': 1,
        'the day after tomorrow': 2,
    }.get(word, 0)
    begin = now.today + timedelta(days=days)
    return begin, begin + timedelta(days=1)


_WHICH = r'(?:(?P<which>last|next|this\spast|this\scoming|this|past)\s{1,3})?'
_PART = r'(?:(?P<part>early|mid|late|the\s(?:beginning|start|middle|end)\sof)[\s-]{1,2})?'
_LEAD = rf'(?P<lead>{_PREPS}{GAP})?(?:the{GAP})?'

_Resolve = Callable[[re.Match[str], Now], Range | None]


def _rule(needs: str, pattern: str, resolve: _Resolve) -> tuple[str, re.Pattern[str], _Resolve]:
    return needs, re.compile(rf'(?<![\w-]){pattern}(?!\w)', re.IGNORECASE), resolve


_TO_DAY = rf'(?:{DAY_NAME},?\s)?'
_OF_YEAR = rf'(?:,?\s{{1,2}}(?:of\s)?(?P<year>{_YEAR}))?'
_PART_OF_DAY = r'(?:\s(?:morning|afternoon|evening|night))?'
_PART_OF_YEAR = r'(?:the\s(?:year|start\sof|end\sof)\s|early\s|late\s|mid-)?'
_TO = r'\s{0,2}(?:to|and|until|till|-|–)\s{0,2}'
_ABOUT = r'(?:(?:about|around|over|almost|nearly)\s)?'

_RULES = (
    _rule('year', rf'{_LEAD}{_TO_DAY}(?P<y>(?:19|20)\d\d)[-/](?P<m>\d\d?)[-/](?P<d>\d\d?)(?:T[\d:.]{{2,12}}Z?)?', _iso),
    _rule('year', rf'{_LEAD}(?P<a>\d\d?)/(?P<b>\d\d?)/(?P<y>(?:19|20)\d\d)', _slashed),
    _rule('month', rf'{_LEAD}{_TO_DAY}(?:the\s)?(?P<day>{_ORD}){GAP}(?:of\s)?(?P<month>{_MONTH}){_OF_YEAR}', _date),
    _rule('month', rf'{_LEAD}{_TO_DAY}(?P<month>{_MONTH}){GAP}(?:the\s)?(?P<day>{_ORD}){_OF_YEAR}', _date),
    _rule('month', rf'{_LEAD}{_PART}{_WHICH}(?P<month>{_MONTH}){_OF_YEAR}', _month),
    _rule(
        'year',
        rf'(?P<lead>{_PREPS}{GAP})(?:the\s(?:year|start\sof|end\sof)\s|early\s|late\s|mid-)?(?P<year>{_YEAR})',
        _year,
    ),
    _rule(
        'year',
        rf'(?:from|between){GAP}(?P<first>{_YEAR})\s{{0,2}}(?:to|and|until|till|-|–)\s{{0,2}}(?P<last>{_YEAR})',
        _years,
    ),
    _rule(
        'year',
        rf'(?P<lead>{_PREPS}{GAP})the{GAP}(?:early\s|late\s)?[’\']?(?P<decade>(?:(?:19|20)\d|[2-9])0)[’\']?s',
        _decade,
    ),
    _rule(
        'season',
        rf'{_LEAD}(?:early\s|late\s|mid-)?{_WHICH}(?P<season>spring|summer|autumn|fall|winter){_OF_YEAR}',
        _season,
    ),
    _rule('feast', rf'{_LEAD}{_WHICH}(?P<feast>{_FEAST}){_OF_YEAR}', _feast),
    _rule('weekday', rf'{_LEAD}{_WHICH}(?P<name>{DAY_NAME}){_PART_OF_DAY}', _weekday),
    _rule(
        'unit',
        rf'{_LEAD}(?P<which>last|next|this\spast|this\scoming|this|the\spast|past){GAP}'
        r'(?P<unit>weekend|week|month|year|night|evening|morning|afternoon)',
        _named_unit,
    ),
    _rule('unit', rf'{_LEAD}(?:last|past|previous){GAP}(?P<count>{_COUNT}){GAP}(?P<unit>{_UNIT})s', _last_few),
    _rule('unit', rf'{_ABOUT}(?P<count>{_COUNT}){GAP}(?P<unit>{_UNIT})s?{GAP}(?P<ago>ago)', _shifted),
    _rule('unit', rf'(?P<ago>)in{GAP}{_ABOUT}(?P<count>{_COUNT}){GAP}(?P<unit>{_UNIT})s?(?:[’\']\stime)?', _shifted),
    _rule('unit', rf'(?P<count>{_COUNT}){GAP}(?P<unit>{_UNIT})s?{GAP}(?P<ago>)from\s(?:now|today)', _shifted),
    _rule(
        'near',
        r'(?P<near>the\sday\s(?:before\syesterday|after\stomorrow)|yesterday|today|tonight|tomorrow)' + _PART_OF_DAY,
        _near,
    ),
)
"""What each needs, as `rules_for` finds it; its pattern; and what resolves it."""
_NEEDED = {
    word: kind
    for kind, words in {
        'month': 'january february march april may june july august september october november december '
        'jan feb mar apr jun jul aug sept sep oct nov dec',
        'season': 'spring summer autumn fall winter',
        'feast': 'christmas new halloween valentine',
        'weekday': ' '.join(DAYS),
        'unit': 'day night week weekend month year decade evening morning afternoon '
        'days nights weeks weekends months years decades',
        'near': 'yesterday today tonight tomorrow',
    }.items()
    for word in words.split()
}
"""Words one of which each expression has, unless it has a year."""
_YEARS = re.compile(r'(?:19|20)\d\d|0[’\']?s', re.IGNORECASE)
_WORD = re.compile('[a-z]+')


def rules_for(text: str) -> Iterator[tuple[re.Pattern[str], _Resolve]]:
    """The patterns that may match in a text, and what resolves their matches: most texts name no time."""
    if text.isascii():
        there = {_NEEDED.get(word) for word in _WORD.findall(text.lower())}
        there.add('year' if _YEARS.search(text) else None)
    else:  # where other letters may stand for some of these
        there = {needs for needs, _, _ in _RULES}
    return ((pattern, resolve) for needs, pattern, resolve in _RULES if needs in there)


_AMBIGUOUS = frozenset(
    ('may', 'march', 'mar', 'sun', 'jan', 'dec', 'fall', 'spring', 'winter', 'summer', 'autumn', 'sep')
)


def is_time(m: re.Match[str]) -> bool:
    """A name that is also a word (`may`, `march`, `fall`) counts only beside something that makes it a time."""
    groups = m.groupdict()
    name = groups.get('month') or groups.get('season')
    if name is None or groups.get('day'):
        return True
    if groups.get('year') or groups.get('which') or groups.get('part'):
        return True
    if name.lower().rstrip('.') not in _AMBIGUOUS:
        return True
    lead = (groups.get('lead') or '').strip().lower()
    # `in march`, typed without capitals, is a month; `of spring`, `for fall` say too little.
    return lead in ('in', 'during', 'since', 'back in') or (bool(lead) and name[0].isupper())
