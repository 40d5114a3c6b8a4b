from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _sayings import propose, texts


def fill(text: str, size: int = 100_000) -> str:
    return (text * (size // len(text) + 1))[:size]


HOSTILE = {
    name: fill(text)
    for name, text in {
        'one clause': 'I like ',
        'many clauses': 'I like a and ',
        'white space': ' ',
        'double quotes': '"',
        'single quotes': "'a ",
        'opening quotes': '“',
        'nested quotes': '„«“',
        'backticks': '`',
        'commas': ', I',
        'full stops': '.',
        'initials': 'a.',
        'one word': 'I',
        'short lines': 'I love tea\n',
        'short sentences': 'I live in Rome since 2019 and I love tea. ',
        'times': 'last week in May since 2019 ',
        'addresses': 'http://',
        'mail': 'a@',
        'labels': 'Aa: ',
        'NUL': '\0',
        'half surrogates': '\ud800 I love tea. ',
        'not': "it's not not not not not not not not. ",
        'switches': 'I switched from a to a to a to a to a to a. ',
        'brackets': '(',
        'slips': ', no, sorry, wait, ',
        'repairs': 'I live in Rome, sorry, I mean Paris. ',
        'keys and values': 'diet: vegan\n',
        'combining marks': '\u0301',
        'decomposed': 'e\u0301 ',
        'other languages': 'ich wohne in Berlin und ich bin vegan. ',
        'shared copulas': "I'm a and b, c and d. ",
        'right to left': '\u202eI love tea\u202c. ',
    }.items()
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_text_is_read_to_its_end(name: str) -> None:
    for p in propose(HOSTILE[name]):
        quote = p.evidence[0]
        assert 0 <= quote.start < quote.end <= len(HOSTILE[name])


def test_a_long_text_is_read_sentence_by_sentence() -> None:
    assert texts('Nothing much happened. ' * 2000 + 'I live in Lisbon. ' + 'x' * 5000) == ['Lives in Lisbon']


WORDS = st.sampled_from(
    'I|I\'m|live|in|Lisbon|love|not|"|no longer|and|,|.|?|\n|since 2019|my|dog|Rex|called|use|Vim|to|from|switched'
    '|remember|that|😊|`|yesterday'.split('|')
)


@given(st.lists(WORDS, max_size=25).map(' '.join), st.sampled_from([None, 'Ana', 'Bob']))
def test_every_proposal_quotes_the_message_and_says_something(text: str, name: str | None) -> None:
    for p in propose(text, name=name):
        (quote,) = p.evidence
        words = text[quote.start : quote.end]
        assert words
        assert words == words.strip()
        assert p.text or p.op in ('retract', 'confirm', 'reset')
        assert '\0' not in p.text


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    propose(text)
