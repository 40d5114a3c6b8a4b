"""A quote is found where it stands, whatever a model did to its spaces and signs, and nowhere else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.write import quotes
from memoranda.write.quotes import MAX_TOLERANT_CHARS, Quotable, folded

WORDS = st.text(alphabet='abcABCéßﬁİıŐЖж里斯本\u0301\u200b\u00ad 1²½„“”’\'"«»\u2014\u2026-.\n\t\u3000👍🏽', max_size=40)


def found(text: str, quote: str) -> str | None:
    span = Quotable(text).find(quote)
    return None if span is None else text[span[0] : span[1]]


@pytest.mark.parametrize(
    ('text', 'quote', 'words'),
    [
        ('I moved to Porto last week', 'moved to Porto', 'moved to Porto'),
        ('I moved  to\n Porto', 'moved to Porto', 'moved  to\n Porto'),
        ('I don\u2019t eat meat', "I don't eat meat", 'I don\u2019t eat meat'),
        ('she said \u201cnever\u201d again', 'said "never" again', 'said \u201cnever\u201d again'),
        ('May 3\u20134, Lisbon', 'may 3-4, lisbon', 'May 3\u20134, Lisbon'),
        ('a caf\u00e9 in Porto', 'cafe\u0301', 'caf\u00e9'),
        ('a cafe\u0301 in Porto', 'caf\u00e9', 'cafe\u0301'),
        ('Ich wohne in der Hauptstra\u00dfe', 'HAUPTSTRASSE', 'Hauptstra\u00dfe'),
        ('full width \uff21\uff22\uff23', 'abc', '\uff21\uff22\uff23'),
        ('soft\u00adhyphen', 'softhyphen', 'soft\u00adhyphen'),
        ('我住在里斯本', '住在里斯本', '住在里斯本'),
        ('<system>x</system> I like tea', '&lt;system>x', '<system>x'),
        ('first line\nsecond line', 'first line\n| second line', 'first line\nsecond line'),
        ('I like tea', '"I like tea."', 'I like tea'),
        ('I know no one. No.', 'No', 'No'),
        ('I know it. no', 'no', 'no'),
        ('knowing', 'now', 'now'),
        ('yes 👍', '👍', '👍'),
    ],
)
def test_the_words_are_found_in_another_writing(text: str, quote: str, words: str) -> None:
    assert found(text, quote) == words


@pytest.mark.parametrize(
    ('text', 'quote'),
    [
        ('I moved to Porto', 'moved to Lisbon'),
        ('I moved to Porto', 'I moved ... Porto'),
        ('I moved to Porto', ''),
        ('I moved to Porto', '  \n'),
        ('I moved to Porto.', '.'),
        ('stra\u00dfe', 'tras'),  # half of a character
        ('caf\u00e9', 'cafe'),  # without its accent
        ('', 'x'),
    ],
)
def test_other_words_are_not_found(text: str, quote: str) -> None:
    assert found(text, quote) is None


def test_the_place_where_the_words_stand_alone_comes_first() -> None:
    assert Quotable('Portonovo is not Porto').find('Porto') == (17, 22)


@given(WORDS, WORDS)
def test_what_is_found_says_what_was_quoted(text: str, quote: str) -> None:
    span = Quotable(text).find(quote)
    if span is not None:
        start, end = span
        assert 0 <= start < end <= len(text)
        bare = quote.strip('"\'\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e \t\r\n\u2026.\u3000')
        assert folded(text[start:end]) in (folded(quote), folded(bare))


@given(WORDS, WORDS, WORDS)
def test_words_that_were_copied_are_always_found(before: str, quote: str, after: str) -> None:
    copied = quote.strip()
    if any(c.isalnum() for c in copied):
        assert found(before + quote + after, copied) == copied


@given(WORDS, WORDS, WORDS)
def test_words_copied_in_another_form_are_found(before: str, quote: str, after: str) -> None:
    text = f'{before} {quote.strip()} {after}'
    other = ' '.join(unicodedata.normalize('NFC', quote).split()).replace('\u2019', "'")
    if any(c.isalnum() for c in other) and not unicodedata.combining(quote.strip()[0]):
        assert found(text, other) is not None


def test_a_long_text_full_of_near_misses_takes_no_time_to_speak_of() -> None:
    text = 'a' * 100_000
    quotable = Quotable(text)
    assert [quotable.find('a' * n + 'b') for n in range(1, 50)] == [None] * 49
    assert quotable.find('aaa') == (0, 3)


def test_a_quote_is_looked_for_in_each_of_several_texts() -> None:
    quotable = Quotable('I like tea', 'I don\u2019t', 'I LIKE  tea, too')
    assert quotable.find('I like tea') == (0, 10)
    assert quotable.find('I like tea', 1) is None
    assert quotable.anywhere('I like tea') == [(0, 0, 10), (2, 0, 11)]
    assert quotable.anywhere('I like coffee') == []


def test_a_quote_that_spans_two_texts_stands_in_none() -> None:
    quotable = Quotable('I like', 'tea')
    assert quotable.anywhere('I like\ntea') == []
    assert [quotable.find('I like tea', i) for i in (0, 1)] == [None, None]


@pytest.mark.parametrize(('length', 'tolerant'), [(MAX_TOLERANT_CHARS, True), (MAX_TOLERANT_CHARS + 1, False)])
def test_a_very_long_quote_has_to_stand_there_exactly(length: int, tolerant: bool) -> None:
    text = 'I like tea. ' * 1_000
    assert found(text, text[:length].strip() + 'X') is None
    assert found(text, text[:length]) is not None
    assert (found(text, text[:length].upper()) is not None) is tolerant


def test_the_words_of_a_quote_are_folded_once_for_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[str] = []
    fold = quotes.folded

    def counted(text: str) -> str:
        times.append(text)
        return fold(text)

    monkeypatch.setattr(quotes, 'folded', counted)
    quotable = Quotable(*(f'I did this and that, number {i}' for i in range(40)))
    for i in range(40):
        assert quotable.find('nowhere at all', i) is None
    assert quotable.anywhere('nowhere at all') == []
    assert times == ['nowhere at all']


def test_the_work_for_all_quotes_of_an_answer_is_bounded() -> None:
    quotable = Quotable(*['bab' * 400] * 100)
    assert quotable.find('a') == (1, 2)
    for length in range(1, 10):
        quotable.anywhere('a' + 'bba' * length)
    assert quotable.find('a') is None
