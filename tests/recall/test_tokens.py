from __future__ import annotations

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowballstemmer.english_stemmer import EnglishStemmer

from memoranda.recall.tokens import index_terms, query_terms


@pytest.mark.parametrize(
    ('text', 'terms'),
    [
        ('She loves running, and ran happily', ['love', 'run', 'ran', 'happili']),
        ("Caroline's dog doesn't bark", ['carolin', 'dog', 'bark']),
        ('O’Brien said so', ['obrien', 'said']),
        ("l'amour, qu'il, d'accord", ['amour', 'il', 'accord']),
        ('café naïve Straße ＦＵＬＬ ﬁne', ['cafe', 'naiv', 'strass', 'full', 'fine']),
        ('snake_case', ['snake', 'case']),
        ('C++ or C#', ['c++', 'c#']),
        ('10,000 steps on Python 3.11, 2023-05-07', ['10000', 'step', 'python', '3.11', '2023', '05', '07']),
        ('JavaScript FastAPI iPhone', ['javascript', 'fastapi', 'iphon']),
        ('東京に住む', ['東京', '京に', 'に住', '住む']),
        ('서울에', ['서울', '울에']),
        ('ไทย', ['ไท', 'ทย']),
        ('我', ['我']),
        ('मैं हिन्दी बोलता हूँ।', ['मैं', 'हिन्दी', 'बोलता', 'हूँ']),
        ('مُحَمَّد', ['محمد']),
    ],
)
def test_words_are_folded_stemmed_and_cut_as_their_script_asks(text, terms):
    assert index_terms(text) == terms
    assert query_terms(text) == list(dict.fromkeys(terms))


def test_repeats_are_kept_for_indexing_and_dropped_from_a_question():
    assert index_terms('tea tea TEA') == ['tea', 'tea', 'tea']
    assert query_terms('tea tea TEA') == ['tea']


def test_stop_words_are_dropped_unless_there_is_nothing_else():
    assert index_terms('where is the tea') == ['tea']
    assert query_terms('The Who') == index_terms('The Who') == ['the', 'who']
    assert query_terms('who am I') == ['who', 'am', 'i']


@pytest.mark.parametrize(
    ('said', 'asked'),
    [
        ('my e-mail', 'email'),
        ('my email', 'e-mail'),
        ('my ice cream', 'ice-cream'),
        ('call getUserName()', 'user name'),
        ('call getUserName()', 'getUserName'),
        ('user_name', 'user name'),
        ('running', 'runs'),
        ('Melanie’s art', 'melanie'),
        ('in İstanbul', 'istanbul'),
    ],
)
def test_the_spellings_of_a_word_find_each_other(said, asked):
    assert set(query_terms(asked)) & set(index_terms(said))


@pytest.mark.parametrize('text', ['', '   ', '😀👍', '\ud800', '\x00\x07', '!?…', '\u202e', "'", '---'])
def test_text_without_words_has_no_terms(text):
    assert index_terms(text) == query_terms(text) == []


@given(st.text(alphabet=st.characters()) | st.text(alphabet="aAbB0'’-_.,+# é東ไก\u0301\ud800"))
def test_any_text_gives_short_plain_terms(text):
    for term in index_terms(text) + query_terms(text):
        assert 0 < len(term) <= 192  # 64 characters, which folding may make longer
        term.encode()
        assert not any(c.isspace() for c in term)
    assert len(set(query_terms(text))) == len(query_terms(text))


@given(st.lists(st.sampled_from(['tea', 'Lisbon', 'e-mail', 'running', "don't", '東京', 'the']), min_size=1))
def test_every_word_of_a_text_is_found_by_a_question_of_the_same_words(words):
    text = ' '.join(words)
    if any(w not in ('the', "don't") for w in words):
        for term in query_terms(text):
            assert term in index_terms(text)


@pytest.mark.parametrize(
    'piece', ['x', "a'", 'a-', '1,', 'aB', '東京', 'a\u0301\u0323', '\u0301\u0323', '-', 'c+', 'word ', '\u1dc0\u20d0']
)
def test_a_megabyte_of_anything_is_read(piece):
    assert isinstance(index_terms(piece * (1_000_000 // len(piece))), list)


def test_a_very_long_word_is_cut():
    assert [len(t) for t in index_terms('q' * 100_000)] == [64]


def test_threads_share_the_stemmer():
    letters = 'abcdefghij'
    words = [f'{a}{b}{c}ational' for a in letters for b in letters for c in letters]  # seen nowhere else: not cached
    reference = EnglishStemmer()
    expected = [[reference.stemWord(w)] for w in words]
    results: list[list[list[str]]] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: results.append([index_terms(w) for w in words])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert results == [expected] * 4
