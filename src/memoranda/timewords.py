"""English time expressions resolved against a date: `last week`, `in March`, `on 7 May 2023`, `two years ago`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from memoranda._timegrammar import DAY_NAME, DAYS, GAP, MONTHS, Now, Prefer, Range, is_time, rules_for

__all__ = ['Prefer', 'TimeSpan', 'find_time', 'say_time']


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time expression and what it covers: `begin <= t < until`, in the time zone of the base."""

    start: int
    """Code points from the start of the text."""
    end: int
    begin: datetime
    """`datetime.min` (in that zone) when the expression is open at that side (`before 2020`)."""
    until: datetime
    text: str
    lead: int = 0
    """How many code points of it are a preposition (`in`, `since`, `last`): the name of the time begins after."""

    @property
    def is_day(self) -> bool:
        """Whether it is one calendar day or less."""
        return self.until - self.begin <= timedelta(days=1)

    @property
    def is_open(self) -> bool:
        """Whether it has no beginning."""
        return self.begin.year == 1


_JOIN = re.compile(r'\s{0,3}(?:and|to|through|until|till|-|–|—)\s{0,3}(?:the\s)?', re.IGNORECASE)
_BEFORE_DATE = re.compile(
    rf'(?:the\s)?(?P<unit>day|week|weekend|month|year|{DAY_NAME}){GAP}(?P<side>before|after)$', re.IGNORECASE
)
_LONGEST = 20_000


def find_time(text: str, base: datetime, *, prefer: Prefer = 'past') -> list[TimeSpan]:
    """The time expressions of an English text, in order, without overlaps.

    `since X` reaches from X to the end of the base's day, `before X` is open at its beginning, and
    `between X and Y` is one span. Seasons are those of the northern hemisphere.

    Args:
        text: Only its first 20,000 code points are read.
        base: When it was said; spans carry its time zone.
        prefer: How `March` or `Friday` alone is read.
    """
    text = text[:_LONGEST]
    now = Now(base, prefer)
    found: list[TimeSpan] = []
    for pattern, resolve in rules_for(text):
        for m in pattern.finditer(text):
            if not is_time(m):
                continue
            try:
                bounds = resolve(m, now)
                if bounds is not None:
                    found.append(_relative(text, _span(m, bounds, now)))
            except (ValueError, OverflowError, IndexError, StopIteration):
                continue  # 31 February, or thousands of years away
    kept: list[TimeSpan] = []
    taken = bytearray(len(text))
    for span in sorted(found, key=lambda s: (s.start - s.end, s.start)):
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b'\1' * (span.end - span.start)
            kept.append(span)
    kept.sort(key=lambda s: s.start)
    return _paired(text, kept)


def _span(m: re.Match[str], bounds: Range, now: Now) -> TimeSpan:
    begin, until = bounds
    lead = m.groupdict().get('lead') or ''
    match lead.strip().lower():
        case 'since':
            until = max(until, now.today + timedelta(days=1))
        case 'before' | 'until' | 'till':
            begin, until = datetime.min.replace(tzinfo=now.base.tzinfo), begin
        case 'after':
            begin, until = until, max(until, now.today + timedelta(days=1))
        case _:
            pass
    return TimeSpan(m.start(), m.end(), begin, until, m[0], len(lead))


def _relative(text: str, span: TimeSpan) -> TimeSpan:
    """`the week before 9 June 2023`: the week that ends there."""
    lead = span.text[: span.lead].strip().lower()
    if lead not in ('before', 'after'):
        return span
    begin = span.start - 24 if span.start > 24 else 0
    m = _BEFORE_DATE.search(text[begin : span.start + len(lead)])
    if m is None:
        return span
    edge = span.until if lead == 'before' else span.begin
    start, unit = begin + m.start(), m['unit'].lower()
    sign = -1 if lead == 'before' else 1
    if unit in DAYS:
        days = (edge.weekday() - DAYS.index(unit)) % 7 if sign < 0 else (DAYS.index(unit) - edge.weekday()) % 7
        near = edge + sign * timedelta(days=(days or 7) if sign < 0 else days)
        return TimeSpan(start, span.end, near, near + timedelta(days=1), text[start : span.end])
    if unit == 'weekend':
        saturday = edge - timedelta(days=edge.weekday() + 2) if sign < 0 else edge + timedelta(days=5 - edge.weekday())
        return TimeSpan(start, span.end, saturday, saturday + timedelta(days=2), text[start : span.end])
    length = timedelta(days={'day': 1, 'week': 7, 'month': 30, 'year': 365}[unit])
    near = edge + sign * length
    return TimeSpan(start, span.end, min(edge, near), max(edge, near), text[start : span.end])


def _paired(text: str, spans: list[TimeSpan]) -> list[TimeSpan]:
    """Joins `between May and July 2023` and `from Monday to Friday`."""
    joined: list[TimeSpan] = []
    for span in spans:
        previous = joined[-1] if joined else None
        if previous is not None and _JOIN.fullmatch(text, previous.end, span.start):
            start = previous.start
            if re.match(r'(?:from|between)\b', previous.text, re.IGNORECASE):
                begin = previous.begin
                if begin > span.begin or (_has_year(span) and not _has_year(previous)):
                    begin = _into_year(begin, span)
                if begin < span.until:
                    joined[-1] = TimeSpan(start, span.end, begin, span.until, text[start : span.end])
                    continue
        joined.append(span)
    return joined


def _has_year(span: TimeSpan) -> bool:
    return re.search(r'\d{4}', span.text) is not None


def _into_year(begin: datetime, last: TimeSpan) -> datetime:
    """The beginning of a range takes the week or year of its end."""
    if timedelta(0) < begin - last.begin < timedelta(days=7):
        return begin - timedelta(days=7)
    moved = begin.replace(year=last.begin.year, day=min(begin.day, 28))
    return moved if moved <= last.begin else moved.replace(year=moved.year - 1)


def say_time(span: TimeSpan) -> str:
    """The same time in words that need no base: `on 7 May 2023`, `in March 2023`, `in 2022`. Empty for open spans."""
    if span.is_open:
        return ''
    begin, days = span.begin, (span.until - span.begin).days
    if span.text[:5].lower() == 'since':
        return f'since {_say_start(begin)}'
    last = span.until - timedelta(days=1)
    whole_months = begin.day == 1 and span.until.day == 1
    if days <= 1:
        return f'on {_say_day(begin)}'
    if days == 2 and begin.weekday() == 5:
        return f'on the weekend of {_say_day(begin)}'
    if days == 7:
        if begin.weekday() == 0:
            return f'in the week of {_say_day(begin)}'
        return f'around {_say_day(begin + timedelta(days=3))}'
    if whole_months and begin.month == 1 and days in (365, 366):
        return f'in {begin.year}'
    if whole_months and days <= 31:
        return f'in {_name(begin)} {begin.year}'
    if whole_months and 89 <= days <= 92 and begin.month in (3, 6, 9, 12):
        season = {3: 'spring', 6: 'summer', 9: 'autumn', 12: 'winter'}[begin.month]
        return f'in {season} {begin.year}'
    if begin.month == 1 and begin.day == 1 and span.until.month == 1 and span.until.day == 1:
        return f'between {begin.year} and {last.year}'
    if whole_months:
        return f'between {_name(begin)} {begin.year} and {_name(last)} {last.year}'
    return f'between {_say_day(begin)} and {_say_day(last)}'


def _say_start(day: datetime) -> str:
    if day.day > 1:
        return _say_day(day)
    return f'{_name(day)} {day.year}' if day.month > 1 else str(day.year)


def _name(day: datetime) -> str:
    return MONTHS[day.month - 1].capitalize()


def _say_day(day: datetime) -> str:
    return f'{day.day} {_name(day)} {day.year}'
