"""What a block says beside facts: words that answer something, not what was asked before."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda import Memory
from memoranda.recall.telling import only_asks, untold


@pytest.fixture(scope='module')
def memory() -> Generator[Memory]:
    with Memory(':memory:') as memory:
        yield memory


def test_what_was_asked_again_and_again_does_not_crowd_out_the_answer(memory: Memory) -> None:
    memory.add('I love hiking.', user_id='asks')
    for number in range(8):
        memory.add('What are my hobbies?', user_id='asks', run_id=f'c{number}')
    for text in ('Which hobbies do I have?', 'Tell me, what do I do for fun?', 'What was my hobby again?'):
        memory.add(text, user_id='asks')
    block = memory.context('What are my hobbies?', user_id='asks')
    assert 'hiking' in block.text
    assert 'hobbies' not in block.text


@pytest.mark.parametrize(
    ('said', 'question', 'told'),
    [
        ("Hi, I'm Ann. My order number is 4711.", 'What is my order number?', 'My order number is 4711.'),
        (
            'Hello, this is Bert. My printer model X200 does not print.',
            'Which printer model does not print?',
            'My printer model X200 does not print.',
        ),
        (
            'My father speaks Breton and my brother Yann keeps bees near Quimper.',
            'What does my brother Yann keep?',
            'My father speaks Breton and my brother Yann keeps bees near Quimper.',
        ),
    ],
)
def test_what_else_was_said_beside_a_fact_is_told_without_it(
    memory: Memory, said: str, question: str, told: str
) -> None:
    memory.add(said, user_id=said)
    lines = [line for line in memory.context(question, user_id=said).text.split('\n') if ' said: ' in line]
    assert [line.partition('"')[2].partition('"')[0] for line in lines] == [told]


def test_of_a_sentence_that_a_fact_tells_in_part_the_rest_has_to_answer(memory: Memory) -> None:
    memory.add("Suggest dinners. And it has to be careful, because I'm allergic to peanuts.", user_id='peanuts')
    assert 'said:' not in memory.context('Which dinner can I cook tonight?', user_id='peanuts').text
    memory.add('I live in Lisbon and the tram to my office is often late.', user_id='tram')
    assert 'often late' in memory.context('Is the tram to the office late?', user_id='tram').text


@pytest.mark.parametrize(
    ('said', 'question', 'answer'),
    [
        (
            "I'm allergic to kiwis, and our dog Biscuit gets a pill at seven.",
            'When is the dog given its pill?',
            'seven',
        ),
        (
            "I live in Ghent, above a bakery with a guy who's got two ferrets.",
            'Which animals are in my house?',
            'ferrets',
        ),
        ('I write manuals for a living, at a place called Brightloom.', 'Which company do I work at?', 'Brightloom'),
        ("I'm Ana Reis from accounting. Not Ana Ruiz, she is in sales.", 'What is my surname?', 'Reis'),
        ('bin jz in kiel gezogen, wohn mit 2 leuten & nem papagei', 'Welches Tier wohnt bei mir?', 'papagei'),
        ('Rechne nie in Meilen, ich bin Physiker in Wesel.', 'In welcher Stadt arbeite ich als Physiker?', 'Wesel'),
        ('Sag nicht mehr Herr Doktor, und nenn mich immer Hannes.', 'Wie sollst du mich nennen?', 'Hannes'),
        ('Je travaille chez Michelin, à Cholet, depuis 2015.', 'Dans quelle ville est mon travail ?', 'Cholet'),
        ('Tutoie-moi, et appelle-moi Coco, comme ma grand-mère.', 'Quel surnom dois-tu me donner ?', 'Coco'),
        ('Vivo en Gijón, encima de un estanco, con dos loros.', '¿Qué mascotas tengo?', 'loros'),
        ('No me trates de usted, y llámame siempre Chelo.', '¿Cuál es mi apodo?', 'Chelo'),
        ('Sono infermiera a Lecce e suono il mandolino.', 'In quale città lavoro?', 'Lecce'),
        ('Moro em Braga, por cima de um talho, com dois periquitos.', 'Que bichos tenho em casa?', 'periquitos'),
        ('드디어 이사했어요! 이제 강릉 살아요 ㅎㅎ', '나는 지금 어느 도시에 살아?', '강릉'),
    ],
)
def test_the_second_thing_said_in_a_sentence_is_told_too(memory: Memory, said: str, question: str, answer: str) -> None:
    memory.add([{'content': said}, {'role': 'assistant', 'content': 'OK.'}], user_id=said)
    assert answer in memory.context(question, user_id=said).text


def test_a_place_that_a_fact_leaves_out_is_told_to_who_asks_where(memory: Memory) -> None:
    said = (
        'I collect beer mats, and my socks, the coach, cold soup, hymns and mosquitoes kept me up all night in Antwerp.'
    )
    question = 'Where do I keep the beer mats that I collect?'
    memory.add(said, user_id='mats')
    fact, passage = memory.search(question, include=('memories', 'episodes'), user_id='mats')
    assert (fact.text, passage.text) == ('Collects beer mats', said)
    assert passage.score < 0.9 * fact.score
    assert 'Antwerp' in memory.context(question, user_id='mats').text
    assert 'Antwerp' not in memory.context('What do I collect?', user_id='mats').text


def test_a_weak_answer_is_told_only_when_it_stands_out(memory: Memory) -> None:
    said, question = 'bin jz in kiel gezogen, wohn mit 2 leuten & nem papagei', 'Welches Tier wohnt bei mir?'
    for user in ('alone', 'many'):
        memory.add(said, user_id=user)
    for other in ('wohn jz in ner wg, alles gut', 'war gestern mit meiner schwester im kino'):
        memory.add(other, user_id='many')
    assert all(hit.score < 0.25 for hit in memory.search(question, include=('episodes',), user_id='many'))
    assert 'papagei' in memory.context(question, user_id='alone').text
    assert not memory.context(question, user_id='many')
    assert not memory.context('How do I sort a list in Python?', user_id='alone')


def test_a_weak_answer_of_somebody_else_is_not_told(memory: Memory) -> None:
    said, question = 'bin jz in kiel gezogen, wohn mit 2 leuten & nem papagei', 'Welches Tier wohnt bei mir?'
    memory.add({'role': 'tool', 'content': said}, user_id='tool')
    memory.add({'role': 'assistant', 'content': said}, user_id='assistant')
    assert not any(memory.context(question, user_id=user) for user in ('tool', 'assistant'))


def test_a_message_is_not_told_for_its_rest_once_its_fact_has_ended(memory: Memory) -> None:
    memory.add('Vivo en Gijón, encima de un estanco, con dos loros.', user_id='loros')
    memory.add('Me mudé a Lugo.', user_id='loros')
    assert 'Gijón' not in memory.context('¿Qué mascotas tengo?', user_id='loros').text


def test_who_asks_the_same_more_often_than_a_search_reads_rows_finds_the_answer(memory: Memory) -> None:
    memory.add('On the balcony there are tomatoes that Jonas waters every evening.', user_id='often')
    asked = [{'role': 'user', 'content': 'Who waters the tomatoes on our balcony?'} for _ in range(60)]
    memory.add(asked, user_id='often', run_id='c1')
    text = memory.context('Who waters the tomatoes on our balcony?', user_id='often').text
    assert 'Jonas waters' in text
    assert 'Who waters' not in text


def test_what_no_longer_holds_is_not_told_with_the_rest_of_its_message(memory: Memory) -> None:
    memory.add('I live in Berlin. I am allergic to nuts. Our bakery opens at five.', user_id='moved')
    memory.add('I moved to Lisbon.', user_id='moved')
    text = memory.context('When does our bakery open, in Berlin?', user_id='moved').text
    assert 'opens at five' in text
    assert '"I live in Berlin' not in text


def test_a_message_whose_fact_is_told_is_not_told_again(memory: Memory) -> None:
    memory.add('I live in Lisbon.', user_id='ana')
    assert memory.context('Where do I live?', user_id='ana').text.count('Lisbon') == 1


@pytest.mark.parametrize(
    'text',
    [
        'What are my hobbies?',
        'Hi! Where do I live?',
        'ok, thanks. and what do we eat?',
        'Why? How?',
        'Morning run?',
        'Suggest dinners.',
        'Okay. Please write the code.',
    ],
)
def test_questions_only_ask(text: str) -> None:
    assert only_asks(text)


@pytest.mark.parametrize(
    'text',
    [
        'I live in Lisbon.',
        'My cat is ill. What can I do?',
        'Did I say that I am allergic to nuts?',
        'When is my flight at 17:40?',
        'Can you book a table with Anna?',
        'Remind me of the milk, will you?',
        'Thanks!',
        'Suggest dinners for my brother.',
        'Try Alheira.',
        'Plant beans.',
        '',
    ],
)
def test_what_tells_something_does_not_only_ask(text: str) -> None:
    assert not only_asks(text)


@given(st.text(max_size=200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=4))
def test_what_is_left_of_a_text_is_whole_sentences_of_it(text: str, spans: list[tuple[int, int]]) -> None:
    left = untold(text, [(min(s), max(s)) for s in spans])
    assert not set(left) - set(text) - {' '}
    assert len(left) <= 2 * len(text)
