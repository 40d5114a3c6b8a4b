"""Words of special categories, in the languages of the rules."""

from __future__ import annotations

import pytest

from memoranda.policy import SPECIAL_CATEGORIES, Policy
from memoranda.write.detect import find, judge, redact

WATCHED = Policy(special_categories='review')


@pytest.mark.parametrize(
    ('text', 'kind'),
    [
        ('I was diagnosed with diabetes', 'health'),
        ('Je suis enceinte', 'health'),
        ('Ich bin schwanger', 'health'),
        ('Sono allergico alle noci', 'health'),
        ('Tenho depressão', 'health'),
        ('Soy diabética', 'health'),
        ('She is Catholic', 'religion'),
        ('Il est musulman', 'religion'),
        ('Ich bin evangelisch', 'religion'),
        ('È un buddista', 'religion'),
        ('Sou ateu', 'religion'),
        ('Es judía', 'religion'),
        ('I voted for the Greens', 'politics'),
        ('Je suis de gauche', 'politics'),
        ('Er ist in der SPD', 'politics'),
        ('È comunista', 'politics'),
        ("I'm gay", 'sexual orientation'),
        ('Sie ist lesbisch', 'sexual orientation'),
        ('Soy bisexual', 'sexual orientation'),
        ("I'm African American", 'ethnic origin'),
        ('Soy gitano', 'ethnic origin'),
        ('I joined the union', 'union membership'),
        ('Ich bin in der Gewerkschaft', 'union membership'),
        ('Je suis syndiquée', 'union membership'),
        ('The BRCA1 test was positive', 'genetics'),
        ('They took my fingerprints', 'biometrics'),
        ('Meine Fingerabdrücke sind gespeichert', 'biometrics'),
    ],
)
def test_a_word_of_a_special_category_makes_a_fact_wait(text: str, kind: str) -> None:
    assert judge(text, WATCHED) == ((f'special category:{kind}',), None)


@pytest.mark.parametrize(
    'text',
    [
        'The code is framework-agnostic and converted to TypeScript',
        'I diagnosed the bug with a flame graph',
        'Christian and Cristiano moved to Islamabad',
        'Baptiste likes the Messe in Frankfurt',
        'A conservative estimate, and a liberal dose of salt',
        'My birthday party is on Friday',
        'Press the right button: le bouton de droite',
        'A union type in TypeScript',
        'Check the fingerprint of the SSH key',
        'J’ai acheté du pain, a Gift for Jude',
        'I live in Porto and like tea',
    ],
)
def test_words_that_mean_something_else_do_not(text: str) -> None:
    assert judge(text, WATCHED) == ((), None)


def test_redaction_leaves_the_mark_of_the_category() -> None:
    policy = Policy(special_categories={'health': 'redact'})
    assert redact('I have asthma and I am Catholic', policy)[0] == 'I have [health] and I am Catholic'


def test_phrases_count_as_a_whole() -> None:
    (found,) = find('He has high blood pressure', WATCHED)
    assert (found.start, found.end) == (7, 26)


def test_the_label_of_the_extractor_counts_whatever_the_words_are() -> None:
    text = 'Takes the blue pills twice a day'
    assert judge(text, WATCHED, label='health').reasons == ('special category:health',)
    assert judge(text, WATCHED, label='Sexual_Orientation').reasons == ('special category:sexual orientation',)
    assert judge(text, WATCHED, label='faith, or so').reasons == ('special category:other',)
    assert judge(text, Policy(), label='health') == ((), None)
    assert judge(text, Policy(special_categories='drop'), label='health') == ((), 'special category:health')
    # Nobody knows which words to take out.
    assert judge(text, Policy(special_categories='redact'), label='health') == ((), 'special category:health')


def test_every_category_has_words() -> None:
    from memoranda.write.detect.words import WORDS

    assert tuple(WORDS) == SPECIAL_CATEGORIES
    assert all(len(texts) == 6 for texts in WORDS.values())


@pytest.mark.parametrize('unit', ['high blood ', 'a', 'is ', "a'", 'x-'], ids=repr)
def test_a_long_text_of_anything_takes_little_time(unit: str) -> None:
    find(unit * (200_000 // len(unit)), WATCHED)  # else it would run into the timeout of the suite
