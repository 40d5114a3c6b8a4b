from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from _sayings import episode, propose, texts
from memoranda.records import KINDS
from memoranda.write.extract import ExtractionRequest, Extractor
from memoranda.write.rules import RulesExtractor

SAID = """
My name is Sam Carter.
    Name is Sam Carter | profile | name
Hi, I'm Maria!
    Name is Maria | profile | name | I'm Maria
I'm 34 years old
    Is 34 years old | profile | age
I'm 34
    Is 34 years old | profile | age
My birthday is May 5
    Birthday is May 5 | profile | birthday
I was born on 5 May 1990
    Birthday is 5 May 1990 | profile | birthday
I was born in Porto
    Was born in Porto | profile | birthplace
my pronouns are they/them
    Pronouns are they/them | profile | pronouns
I use she/her pronouns
    Pronouns are she/her | profile | pronouns
I'm Portuguese
    Is Portuguese | profile
I'm Brazilian and I speak Portuguese and English
    Is Brazilian | profile |  | I'm Brazilian
    Speaks Portuguese and English | profile |  | I speak Portuguese and English
I'm fluent in French
    Speaks French | profile
I'm based in New York
    Lives in New York | profile | home.city
i live in lisbon
    Lives in lisbon | profile | home.city
I live in San Juan del Sur
    Lives in San Juan del Sur | profile | home.city
I live in Los Angeles, California.
    Lives in Los Angeles, California | profile | home.city
I live in the Netherlands
    Lives in the Netherlands | profile | home.country
I live in a small village near Porto
    Lives in a small village near Porto | profile
I moved to Berlin last month
    Lives in Berlin | profile | home.city
I just moved to Berlin from Paris
    Lives in Berlin | profile | home.city
I've lived in Tokyo since 2019
    Lives in Tokyo | profile | home.city
I've been living in Madrid for 5 years
    Lives in Madrid | profile | home.city
I'm from Brazil originally
    Is from Brazil | profile
I grew up in a small town in Texas
    Grew up in a small town in Texas | profile
My hometown is Fado
    Hometown is Fado | profile | hometown
I lived in Rome for 3 years
    Lived in Rome for 3 years | profile
I'm a software engineer at Google
    Works as a software engineer | profile | work.title
    Works at Google | profile | work.employer
I work as a senior data scientist for Acme Corp.
    Works as a senior data scientist | profile | work.title
    Works at Acme Corp | profile | work.employer
I work at the Met Office
    Works at the Met Office | profile | work.employer
I work in finance
    Works in finance | profile
I work from home
    Works from home | profile
I'm studying computer science at MIT
    Studies computer science at MIT | profile
I study biology
    Studies biology | profile
I'm a student
    Is a student | profile | work.title
I have a degree in physics
    Has a degree in physics | profile
I'm retired
    Is retired | profile
My timezone is UTC+2
    Time zone is UTC+2 | profile | timezone
I'm in the CET timezone
    Time zone is CET | profile | timezone
I'm a night owl
    Is a night owl | profile
I run a small bakery
    Runs a small bakery | profile
my wife's name is Ana
    Wife is called Ana | relationship | relationship.spouse
My husband, John, is a teacher
    Husband is a teacher | relationship
    Husband is called John | relationship | relationship.spouse | My husband, John
I'm married to Anna
    Is married to Anna | relationship | relationship.status
    Spouse is called Anna | relationship | relationship.spouse
I'm single
    Is single | relationship | relationship.status
I have a cat
    Has a cat | relationship
I have a dog named Rex and a cat named Tom
    Has a dog called Rex | relationship
    Has a cat called Tom | relationship
I have two kids
    Has two kids | relationship
We have three dogs
    Has three dogs | relationship
My daughter Mia is 5
    Daughter is 5 years old | relationship
    Daughter is called Mia | relationship |  | My daughter Mia
my brother works as a nurse
    Brother works as a nurse | relationship
I'm a single mother of 3
    Is a single mother of 3 | relationship
I'm vegan
    Is vegan | preference | diet
I've been vegan since 2018
    Is vegan | preference | diet
I'm on a keto diet
    Follows a keto diet | preference | diet
I became vegetarian last year
    Is vegetarian | preference | diet
I eat halal
    Follows a halal diet | preference | diet
I don't eat pork
    Doesn't eat pork | preference
I don't drink
    Doesn't drink alcohol | preference
I don't smoke
    Doesn't smoke | preference
I'm lactose intolerant
    Is lactose intolerant | constraint
I have a peanut allergy
    Has a peanut allergy | constraint
I have a severe nut allergy
    Has a severe nut allergy | constraint
I have celiac disease
    Has celiac disease | constraint
I have type 2 diabetes
    Has type 2 diabetes | constraint
I love hiking and reading
    Loves hiking and reading | preference
I really love sushi
    Loves sushi | preference
I prefer tea over coffee
    Prefers tea over coffee | preference
I prefer Python to Java
    Prefers Python to Java | preference | language.programming.preferred
I hate early meetings
    Hates early meetings | preference
I can't stand loud music
    Can't stand loud music | preference
I'm not a fan of horror movies
    Dislikes horror movies | preference
I'm a huge fan of Radiohead
    Is a huge fan of Radiohead | preference
my favorite food is ramen
    Favorite food is ramen | preference | favourite.food
My favourite programming language is Rust
    Favourite programming language is Rust | preference | language.programming.preferred
I enjoy cooking Thai food
    Enjoys cooking Thai food | preference
I use Neovim
    Uses Neovim | knowledge
I use `uv` for packaging
    Uses uv for packaging | knowledge
We use Kubernetes at work
    Uses Kubernetes at work | knowledge
I code in Rust
    Codes in Rust | knowledge
My editor is VS Code
    Editor is VS Code | preference | editor.preferred
I use Vim as my editor
    Uses Vim as their editor | preference | editor.preferred
My stack is React, Node.js and Postgres
    Uses React | knowledge
    Uses Node.js | knowledge
    Uses Postgres | knowledge
Our backend is written in Go
    Backend is written in Go | knowledge
I drive a Tesla
    Drives a Tesla | knowledge
I'm building a chess engine in Rust
    Is building a chess engine | knowledge
    Uses Rust | knowledge
I'm working on a mobile app for dog owners
    Is working on a mobile app for dog owners | knowledge
I'm writing a novel
    Is writing a novel | knowledge
I plan to visit Japan next year
    Plans to visit Japan in 2024 | goal
I'm planning a trip to Iceland
    Is planning a trip to Iceland | goal
My goal is to run a marathon in under four hours
    Goal is to run a marathon in under four hours | goal
I'm learning Spanish
    Is learning Spanish | goal
I'm trying to lose weight
    Is trying to lose weight | goal
I'm saving for a house
    Is saving for a house | goal
I'm moving to Porto next month
    Is moving to Porto in June 2023 | goal
I'm going to a wedding on Saturday
    Is going to a wedding on 13 May 2023 | goal
My deadline is Friday
    Deadline is on 12 May 2023 | constraint
I can only work on weekends
    Can only work on weekends | constraint
I don't have a car
    Doesn't have a car | constraint
I'm only available on weekends
    Is only available on weekends | constraint
Please always respond in Spanish.
    Always respond in Spanish | instruction | language.answer
Never suggest recipes with nuts
    Never suggest recipes with nuts | instruction
don't use emojis
    Don't use emojis | instruction
Call me Ishmael
    Call the user Ishmael | instruction | name.preferred
Please don't use bullet points
    Don't use bullet points | instruction
Whenever I ask for code, include tests
    Whenever the user asks for code, include tests | instruction
I want you to always explain your reasoning
    Always explain your reasoning | instruction
You should never apologize
    Never apologize | instruction
no emojis please
    No emojis | instruction
note that the office closes at six
    The office closes at six | knowledge |  | the office closes at six
don't forget that I have a dentist appointment on Monday
    Has a dentist appointment on 15 May 2023 | event |  | I have a dentist appointment on Monday
Remember my locker code is 4321
    Locker code is 4321 | knowledge |  | my locker code is 4321
please remember that I live in Lisbon
    Lives in Lisbon | profile | home.city | I live in Lisbon
I started a new job at Stripe last month
    Works at Stripe | profile | work.employer
I went to Paris in March
    Went to Paris in March 2023 | event
Two weeks ago I adopted a kitten
    Has a kitten | relationship
I got married last summer
    Is married | relationship | relationship.status
    Got married in summer 2022 | event
I graduated from MIT in 2015
    Graduated from MIT in 2015 | profile
I used to work at Google
    Used to work at Google | profile
I used to be a teacher
    Used to be a teacher | profile
My son Tom is allergic to nuts
    Son is allergic to nuts | relationship
    Son is called Tom | relationship |  | My son Tom
my sister lives in Rome
    Sister lives in Rome | relationship
I'm a data scientist living in Berlin
    Works as a data scientist | profile | work.title | I'm a data scientist
    Lives in Berlin | profile | home.city | living in Berlin
I'm a nurse from Porto
    Works as a nurse | profile | work.title | I'm a nurse
    Is from Porto | profile |  | from Porto
I play tennis on Sundays
    Plays tennis on Sundays | profile
I live with my parents
    Lives with their parents | relationship
I'm not a morning person
    Is not a morning person | profile
I found out recently I'm allergic to cockroaches
    Is allergic to cockroaches | constraint
I'm allergic to peanuts, can I eat this?
    Is allergic to peanuts | constraint |  | I'm allergic to peanuts
I'm vegan, what should I cook?
    Is vegan | preference | diet | I'm vegan
Last Friday, I went to a pottery class
    Went to a pottery class on 5 May 2023 | event
I have a meeting with Bob tomorrow
    Has a meeting with Bob on 9 May 2023 | event
I need to finish my thesis by June
    Needs to finish their thesis by June 2023 | constraint
I've been painting for seven years
    Has been painting since around 2016 | profile
My team uses Go
    Team uses Go | knowledge
Talk to me in Portuguese
    Talk to the user in Portuguese | instruction | language.answer
Use metric units
    Use metric units | instruction
Be concise
    Be concise | instruction
Well, actually, I live in Porto.
    Lives in Porto | profile | home.city | I live in Porto
😊 I love sushi 😊
    Loves sushi | preference |  | I love sushi
I’m allergic to shellfish
    Is allergic to shellfish | constraint
I usually wake up at 6am
    Wakes up at 6am | profile
my boss is Paul
    Boss is called Paul | relationship
I don't have kids
    Doesn't have kids | relationship
I work nights
    Works nights | profile
I own a small bookshop
    Owns a small bookshop | profile
I'm passionate about climbing
    Is passionate about climbing | preference
I'm into jazz
    Is into jazz | preference
I'm getting married in June
    Is getting married in June 2023 | goal
I moved to a new apartment last week
    Moved to a new apartment in the week of 1 May 2023 | event
I ran a marathon last Sunday
    Ran a marathon on 7 May 2023 | event
yesterday I went to a support group
    Went to a support group on 7 May 2023 | event
"""
"""Sentences, and below each what it says: text | kind | slot | quote (the whole sentence where none is given)."""

Fact = tuple[str, str, str | None, str]


def labelled() -> list[tuple[str, list[Fact]]]:
    cases: list[tuple[str, list[Fact]]] = []
    for line in SAID.strip().splitlines():
        if not line.startswith('    '):
            cases.append((line, []))
            continue
        sentence, facts = cases[-1]
        text, kind, slot, quote = (*line.strip().split(' | '), '', '')[:4]
        facts.append((text, kind, slot or None, quote or sentence.strip(' .!')))
    return cases


@pytest.mark.parametrize(('sentence', 'facts'), labelled(), ids=[sentence for sentence, _ in labelled()])
def test_a_plain_statement_is_read_with_its_kind_slot_and_quote(sentence: str, facts: list[Fact]) -> None:
    proposals = propose(sentence)
    found = [(p.text, p.kind, p.slot, sentence[p.evidence[0].start : p.evidence[0].end]) for p in proposals]

    assert found == facts
    assert all(p.op == 'add' and p.kind in KINDS and 0.5 <= p.confidence <= 1 for p in proposals)


def test_the_first_example_of_all_gives_four_facts_with_their_evidence() -> None:
    text = "I'm building a FastAPI app with PostgreSQL. I prefer async code and I hate ORM magic."

    assert [(p.text, text[p.evidence[0].start : p.evidence[0].end]) for p in propose(text)] == [
        ('Is building a FastAPI app', "I'm building a FastAPI app with PostgreSQL"),
        ('Uses PostgreSQL', "I'm building a FastAPI app with PostgreSQL"),
        ('Prefers async code', 'I prefer async code'),
        ('Hates ORM magic', 'I hate ORM magic'),
    ]


def test_the_rules_are_an_extractor_and_extract_what_they_propose() -> None:
    rules = RulesExtractor()
    request = ExtractionRequest(messages=[episode('I live in Lisbon')])

    assert isinstance(rules, Extractor)
    assert rules.name == 'rules'
    assert asyncio.run(rules.extract(request)) == rules.propose(request)


def test_evidence_names_the_message_it_stands_in() -> None:
    messages = [episode('hello there'), episode('I live in Lisbon', role='assistant'), episode('Ok. I love tea.')]

    (p,) = RulesExtractor().propose(ExtractionRequest(messages=messages)).proposals

    (quote,) = p.evidence
    assert (quote.message, messages[2].text[quote.start : quote.end]) == (2, 'I love tea')


def test_only_the_user_is_read() -> None:
    assert [texts('I live in Lisbon', role=role) for role in ('assistant', 'system', 'tool')] == [[], [], []]


def test_a_named_speaker_is_the_subject_and_part_of_the_slot() -> None:
    (lives,) = propose('I live in Lisbon', name='Mary Ann')
    (birthday,) = propose('My birthday is May 5', name='Mary Ann')
    (style,) = propose('Always answer in French', name='Mary Ann')

    assert (lives.text, lives.slot) == ('Mary Ann lives in Lisbon', 'home.city@mary-ann')
    assert birthday.text == "Mary Ann's birthday is May 5"
    assert style.text == 'Mary Ann asks: always answer in French'


def test_a_speaker_named_like_the_user_keeps_the_plain_slot() -> None:
    (lives,) = propose('I live in Lisbon', name='Ana')

    assert (lives.text, lives.slot, lives.value) == ('Ana lives in Lisbon', 'home.city', 'Lisbon')


def test_the_same_fact_said_twice_is_proposed_once() -> None:
    assert texts('I love tea. I really love tea!') == ['Loves tea']


@pytest.mark.parametrize(
    ('sentence', 'begin'),
    [
        ('I have lived in Tokyo since 2019', datetime(2019, 1, 1, tzinfo=UTC)),
        ('I moved to Berlin last month', datetime(2023, 4, 1, tzinfo=UTC)),
        ('I moved to Berlin on 3 February 2021', datetime(2021, 2, 3, tzinfo=UTC)),
        ('Two weeks ago I adopted a kitten', datetime(2023, 4, 21, tzinfo=UTC)),
        ('I ran a marathon last Sunday', datetime(2023, 5, 7, tzinfo=UTC)),
        ('I became vegan on 2022-11-05', datetime(2022, 11, 5, tzinfo=UTC)),
        ('I live in Tokyo', None),
        ("I'm moving to Porto next month", None),
    ],
)
def test_a_fact_holds_from_when_the_sentence_says(sentence: str, begin: datetime | None) -> None:
    assert [p.valid_from for p in propose(sentence)] == [begin]


@pytest.mark.parametrize(
    ('sentence', 'text'),
    [
        ('For this session, answer in German', 'Answer in German'),
        ('today skip explanations', 'Skip explanations'),
        ('Answer in French just this once', 'Answer in French'),
        ('In this chat use Python 3.8', 'Use Python 3.8'),
        ("In this chat I'm using Python 3.8", 'Uses Python 3.8'),
    ],
)
def test_what_is_for_now_stays_in_the_conversation(sentence: str, text: str) -> None:
    assert [(p.text, p.level) for p in propose(sentence)] == [(text, 'run')]


def test_what_is_for_now_is_not_kept_for_good_where_no_run_is_named() -> None:
    request = ExtractionRequest(messages=[episode('For this session, answer in German', run_id=None)])

    extraction = RulesExtractor().propose(request)

    assert (list(extraction.proposals), extraction.skipped) == ([], {'no_session': 1})


SILENT = [
    'I have a class called Dog',
    'I prefer option B',
    'My goal is to parse the JSON',
    'My budget is 5000 tokens',
    'I changed from int to str',
    'I quit vim and restarted',
    "I'm getting an error on Monday",
    "Hi, I'm Back",
    'Add type hints',
    'include examples',
    'Write code in Rust',
    'Give me examples',
    'Use a table',
    'Format the output as JSON',
    'Make it shorter',
    'Fix the bug',
    'I want to create a table with two columns',
    'I use the following code to read a file',
    "I can't use pandas here",
    'I hate when my code breaks',
    'My function is called foo',
    'My server is called Zeus',
    'I moved to line 20',
    'I switched to dark mode',
    'I no longer get the error',
    'I speak for the trees',
    'I own this',
    "Hi, I'm new here",
    'My brother is a pain',
    "I'm going to bed",
    'Do I like tea?',
    "I like tea, don't I?",
    'What if I lived in Rome?',
    "If I move to Rome, I'll need a visa",
    'I would love to live in Rome',
    "I'd love a dog",
    'I might move to Berlin',
    'I may move to Berlin next year',
    'suppose I live in Rome. I work as a pilot.',
    'imagine I am a doctor',
    'I wish I lived in Rome',
    'say I have two kids',
    "Let's say I'm vegan. What do I eat?",
    'my boss said I love meetings',
    '"I hate cats", she wrote',
    'She said I live in Rome and I work as a nurse',
    'He told me: I live in Rome',
    'My mom thinks I hate her cooking',
    'According to my doctor I have asthma',
    'I told her I live in Rome',
    'I lied and said I work at Google',
    'For example, I like tea',
    'e.g. I live in Paris',
    'Translate: I live in Berlin',
    'Please translate to Spanish: I am a doctor and I have two dogs.',
    'Write a story where I am a pilot and I live on Mars',
    'Write a poem about my dog Rex',
    'Can you rewrite this? I work at Google and I love it.',
    'How do you say "I live in Rome" in French?',
    'How do you say I love cats in German',
    'I like your answer',
    'I love it',
    'I love this',
    'I love that idea',
    'I need help',
    'I want you to fix the bug',
    'I have a question',
    'I have an idea',
    'I want to know how to sort a list',
    "I'm looking for a way to parse JSON",
    "I'm trying to find the bug",
    'I use it every day',
    "I can't wait",
    "I can't believe it",
    "I can't find the file",
    'I have two questions',
    'I have a function that returns a list',
    'I have a list of users',
    'I have a problem with my code',
    "I'm getting an error",
    "I'm sorry",
    "I'm fine",
    "I'm in a hurry",
    "I'm back",
    "I'm a bit tired",
    "I'm working on it",
    "I'm building",
    'I love you',
    'I hate you',
    'I like the colors in this picture',
    'I hate it when that happens',
    'I prefer the second one',
    'I prefer that',
    'I live in fear',
    'I live for this',
    'I work hard',
    'I moved to the next step',
    'I moved the file to the folder',
    "I'm from the future",
    'I am the captain of this ship in the game',
    'Mi canción favorita es I love rock and roll',
    'Sono di Roma',
    'Mein Lieblingslied ist I live in America',
    '> I live in Rome',
    'https://x.com/I-live-in-Rome',
    'Alice: I live in Rome. I love tea.',
    'User: I am a nurse',
    'The song goes I live in a yellow submarine',
    'Lyrics: I love rock and roll',
    'My character lives in Rome and I play her as a thief',
    'In my dream I live in Rome',
    "It's not true that I live in Rome",
    "I don't think I like tea",
    "I'm not sure I like Rust",
    'I doubt I prefer tea',
    "I think I'm allergic to nuts",
    'Maybe I like tea',
    'I probably prefer tea',
    "I'd rather use Vim",
    'Never give up!',
    'Always remember that you are loved',
    "Don't worry about it",
    "Don't forget to smile",
    'Never mind',
    'Never say never',
    'Keep up the good work',
    'Call me later',
    'Call me crazy',
    "Call me when you're free",
    'Thanks!',
    'Is my name Sam?',
    'Who is my wife Ana?',
    'Did my dog Rex bite you?',
    'I want to thank you',
    'I want to see the list',
    'I hope to hear from you',
    'I plan to fix this tomorrow',
    'I was wondering',
    'I like how you explain',
    'I enjoy talking to you',
    'Oh great, I love waiting in line',
    'Yeah right, I love Mondays',
    'My favourite part is the ending',
    'My favorite thing about it is the color',
    'I feel like I live in a zoo',
    'I live in Rome in this game',
    'I am a teapot',
    'I am a huge mess',
    "I'm a big believer in hard work",
    "I'm on it",
    "I'm into it",
    "I'm into that",
    'I use the command line to run this',
    'I run the tests',
    'I run this script every day',
    'I study hard',
    'I have had enough',
    'We live in a society',
    'We live in a world of lies',
    'People say I hate cats',
    'As a user, I want to log in',
    'When I lived in Rome, I loved pizza',
    'I am allergic to Mondays',
    'act as a doctor. I have two kids.',
    'You are a pirate. I live in Rome.',
    'Summarize: I live in Berlin and I love techno.',
    'Here is my essay: I live in Berlin',
    'Fix the grammar: I lives in Rome',
    'Draft an email to my landlord saying I live in flat 4',
    'Is it true that I live in Rome',
    'I had to restart the server yesterday',
    'I got an error yesterday',
    'I have never lived in Rome',
    'I never lived in Rome',
    "I don't live in Rome",
    "I'm not a nurse",
    'I am not allergic to nuts',
    "I'm not from Brazil",
    "I'm not based in Rome",
    "I don't use Python",
    "my wife isn't called Ana",
    "I don't prefer tea",
    "I don't work at Google",
    'I did not move to Rome',
    "I haven't moved to Rome",
    "I'm not married",
    "I'm not studying biology",
    "I'm not learning Spanish",
    "I don't want to learn Spanish",
    "I don't speak French",
    "I can't speak French",
    'I never use emojis',
    'I always answer in French',
    '```\nI live in Rome\n```',
    'He told me:\nI live in Rome.\nI like tea',
    'Alice:\nI live in Rome\nI like tea',
    'On 5 May 2023, Bob wrote:\nI live in Rome',
    'suppose I live in Rome. I work as a pilot.',
    '“I live in Rome”, she said',
    "She wrote 'I live in Rome and I love it'",
    '',
    '   \n\n ',
    '😊😊😊',
]


@pytest.mark.parametrize('text', SILENT)
def test_what_is_asked_supposed_quoted_or_foreign_is_no_fact(text: str) -> None:
    assert texts(text) == []


def test_silence_ends_with_the_supposition() -> None:
    assert texts('suppose I live in Rome. I work as a pilot.\n\nI love jazz music') == ['Loves jazz music']


def test_a_sister_is_never_the_user() -> None:
    (fact,) = propose('my sister lives in Rome')

    assert (fact.text, fact.kind, fact.slot) == ('Sister lives in Rome', 'relationship', None)


def test_where_one_used_to_live_is_no_home() -> None:
    assert [(p.text, p.slot) for p in propose('I used to live in Rome')] == [('Used to live in Rome', None)]


def test_a_negative_never_turns_positive() -> None:
    assert texts("I don't like tea") == ["Doesn't like tea"]
    assert texts("I don't eat pork. I can't stand noise. I'm not a fan of jazz.") == [
        "Doesn't eat pork",
        "Can't stand noise",
        'Dislikes jazz',
    ]
