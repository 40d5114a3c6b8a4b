from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.timewords import find_time, say_time

BASE = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
"""A Monday."""

PAST = [
    ('yesterday', date(2023, 5, 7), date(2023, 5, 8), 'on 7 May 2023'),
    ('the day before yesterday', date(2023, 5, 6), date(2023, 5, 7), 'on 6 May 2023'),
    ('today', date(2023, 5, 8), date(2023, 5, 9), 'on 8 May 2023'),
    ('last night', date(2023, 5, 7), date(2023, 5, 8), 'on 7 May 2023'),
    ('this morning', date(2023, 5, 8), date(2023, 5, 9), 'on 8 May 2023'),
    ('last week', date(2023, 5, 1), date(2023, 5, 8), 'in the week of 1 May 2023'),
    ('this week', date(2023, 5, 8), date(2023, 5, 15), 'in the week of 8 May 2023'),
    ('last month', date(2023, 4, 1), date(2023, 5, 1), 'in April 2023'),
    ('this month', date(2023, 5, 1), date(2023, 6, 1), 'in May 2023'),
    ('last year', date(2022, 1, 1), date(2023, 1, 1), 'in 2022'),
    ('last weekend', date(2023, 5, 6), date(2023, 5, 8), 'on the weekend of 6 May 2023'),
    ('this weekend', date(2023, 5, 13), date(2023, 5, 15), 'on the weekend of 13 May 2023'),
    ('last Friday', date(2023, 5, 5), date(2023, 5, 6), 'on 5 May 2023'),
    ('on Friday', date(2023, 5, 5), date(2023, 5, 6), 'on 5 May 2023'),
    ('Sunday', date(2023, 5, 7), date(2023, 5, 8), 'on 7 May 2023'),
    ('last summer', date(2022, 6, 1), date(2022, 9, 1), 'in summer 2022'),
    ('in winter 2021', date(2021, 12, 1), date(2022, 3, 1), 'in winter 2021'),
    ('in the summer of 2020', date(2020, 6, 1), date(2020, 9, 1), 'in summer 2020'),
    ('in March', date(2023, 3, 1), date(2023, 4, 1), 'in March 2023'),
    ('last March', date(2023, 3, 1), date(2023, 4, 1), 'in March 2023'),
    ('in 2022', date(2022, 1, 1), date(2023, 1, 1), 'in 2022'),
    ('in the 90s', date(1990, 1, 1), date(2000, 1, 1), 'between 1990 and 1999'),
    ('in early March', date(2023, 3, 1), date(2023, 3, 11), 'between 1 March 2023 and 10 March 2023'),
    ('in May of 2022', date(2022, 5, 1), date(2022, 6, 1), 'in May 2022'),
    ('on 7 May 2023', date(2023, 5, 7), date(2023, 5, 8), 'on 7 May 2023'),
    ('July 15, 2021', date(2021, 7, 15), date(2021, 7, 16), 'on 15 July 2021'),
    ('15th of July, 2021', date(2021, 7, 15), date(2021, 7, 16), 'on 15 July 2021'),
    ('5 May', date(2023, 5, 5), date(2023, 5, 6), 'on 5 May 2023'),
    ('2023-05-07', date(2023, 5, 7), date(2023, 5, 8), 'on 7 May 2023'),
    ('7/15/2022', date(2022, 7, 15), date(2022, 7, 16), 'on 15 July 2022'),
    ('on Monday, 8 May 2023', date(2023, 5, 8), date(2023, 5, 9), 'on 8 May 2023'),
    ('two weeks ago', date(2023, 4, 21), date(2023, 4, 28), 'around 24 April 2023'),
    ('a few days ago', date(2023, 5, 3), date(2023, 5, 7), 'between 3 May 2023 and 6 May 2023'),
    ('a few years ago', date(2018, 1, 1), date(2022, 1, 1), 'between 2018 and 2021'),
    ('three months ago', date(2023, 2, 1), date(2023, 3, 1), 'in February 2023'),
    ('10 years ago', date(2013, 1, 1), date(2014, 1, 1), 'in 2013'),
    ('a couple of years ago', date(2021, 1, 1), date(2022, 1, 1), 'in 2021'),
    ('the last two weeks', date(2023, 4, 24), date(2023, 5, 9), 'between 24 April 2023 and 8 May 2023'),
    ('last Christmas', date(2022, 12, 25), date(2022, 12, 26), 'on 25 December 2022'),
    ('between May and July 2023', date(2023, 5, 1), date(2023, 8, 1), 'between May 2023 and July 2023'),
    ('from Monday to Friday', date(2023, 5, 1), date(2023, 5, 6), 'between 1 May 2023 and 5 May 2023'),
    ('from 2010 to 2015', date(2010, 1, 1), date(2016, 1, 1), 'between 2010 and 2015'),
    ('since 2019', date(2019, 1, 1), date(2023, 5, 9), 'since 2019'),
    ('since last year', date(2022, 1, 1), date(2023, 5, 9), 'since 2022'),
    ('the week before 9 June 2023', date(2023, 6, 2), date(2023, 6, 9), 'around 5 June 2023'),
    ('the Sunday before 25 May 2023', date(2023, 5, 21), date(2023, 5, 22), 'on 21 May 2023'),
]


@pytest.mark.parametrize(('text', 'begin', 'until', 'said'), PAST, ids=[row[0] for row in PAST])
def test_a_time_expression_is_resolved_against_when_it_was_said(text: str, begin: date, until: date, said: str) -> None:
    sentence = f'It was {text}, I think'

    (span,) = find_time(sentence, BASE)

    assert (span.begin.date(), span.until.date(), say_time(span)) == (begin, until, said)
    assert span.text == sentence[span.start : span.end] == text


@pytest.mark.parametrize(
    ('text', 'begin', 'until'),
    [
        ('tomorrow', date(2023, 5, 9), date(2023, 5, 10)),
        ('on Friday', date(2023, 5, 12), date(2023, 5, 13)),
        ('next Monday', date(2023, 5, 15), date(2023, 5, 16)),
        ('in March', date(2024, 3, 1), date(2024, 4, 1)),
        ('in May', date(2023, 5, 1), date(2023, 6, 1)),
        ('next month', date(2023, 6, 1), date(2023, 7, 1)),
        ('next summer', date(2023, 6, 1), date(2023, 9, 1)),
        ('in two weeks', date(2023, 5, 19), date(2023, 5, 26)),
        ('5 June', date(2023, 6, 5), date(2023, 6, 6)),
    ],
)
def test_a_plan_looks_ahead(text: str, begin: date, until: date) -> None:
    (span,) = find_time(text, BASE, prefer='future')

    assert (span.begin.date(), span.until.date()) == (begin, until)


@pytest.mark.parametrize(
    'text',
    [
        'May I go?',
        'I march on',
        'they may',
        'it might fall',
        '3000 years ago',
        '2000 dogs',
        'room 2023',
        'a week',
        'secondly',
        '',
    ],
)
def test_what_only_looks_like_a_time_is_left(text: str) -> None:
    assert find_time(text, BASE) == []


def test_before_a_year_is_open_at_its_beginning() -> None:
    (span,) = find_time('before 2020', BASE)

    assert span.is_open
    assert (span.until.date(), say_time(span)) == (date(2020, 1, 1), '')


def test_several_expressions_come_in_order_without_overlap() -> None:
    spans = find_time('I moved in 2019, left last March and came back two weeks ago.', BASE)

    assert [span.text for span in spans] == ['in 2019', 'last March', 'two weeks ago']


def test_spans_carry_the_time_zone_of_the_base() -> None:
    zone = timezone(timedelta(hours=9))

    (span,) = find_time('yesterday', BASE.astimezone(zone))

    assert span.begin.tzinfo is zone


def test_a_day_that_does_not_exist_is_no_day() -> None:
    assert all(not span.is_day for span in find_time('on 31 February', BASE))


@given(st.text(max_size=300), st.datetimes(timezones=st.just(UTC)))
def test_any_text_gives_spans_inside_it(text: str, base: datetime) -> None:
    for span in find_time(text, base):
        assert text[span.start : span.end] == span.text
        assert span.begin < span.until


@pytest.mark.timeout(60)
@pytest.mark.parametrize('text', ['in ', 'the ', ' ', 'last week ', '5 May 2023 and ', 'between May and ', 'a few '])
def test_hostile_text_is_scanned_to_its_end(text: str) -> None:
    find_time(text * (100_000 // len(text)), BASE)
