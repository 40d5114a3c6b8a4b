from __future__ import annotations

from datetime import UTC, datetime

import pytest

from memoranda.records import Episode, new_id
from memoranda.scope import Scope
from memoranda.write.gate import worth_reading


def episode(text: str) -> Episode:
    said = datetime(2023, 5, 8, tzinfo=UTC)
    return Episode(
        id=new_id(),
        project='p',
        scope=Scope(user_id='ana'),
        conversation_id='c',
        seq=0,
        role='user',
        text=text,
        occurred_at=said,
        recorded_at=said,
    )


IDLE = [
    'ok',
    'OK!',
    'Thanks!',
    'thank you so much 😊',
    'yes, sure',
    'Sounds good.',
    'hi there',
    'Good morning!',
    '👍',
    '...',
    '?!',
    '',
    '  \n ',
    'lol',
    'gracias',
    'merci beaucoup !',
    'Vielen Dank!',
    'obrigado',
    '好的',
    'ありがとう',
    'спасибо',
    'What is the capital of France?',
    'How does TCP work?',
    'Can you explain recursion?',
    '¿Qué hora es?',
    'Was ist ein Monad?',
    'ok got it, next one please',
    'Thanks a million, that did the trick!',
    'Hello! How can I help you today?',
    "You're welcome! Anything else?",
    'Hartelijk bedankt!',
    'Gern geschehen!',
    'dziękuję',
    'teşekkürler',
    '谢谢你',
    'Python 的列表推导式怎么写？',
    'lol ok, ttyl',
    'hola, ¿qué tal?',
    'ach nichts, alles gut, danke',
    'merci pour tout en tout cas',
    'haha nice one',
    'Great! Any questions?',
    'did it work? 😏',
    'who invented the zipper',
    'how do i undo the last git commit but keep the changes?',
    'any ideas for a birthday cake?',
]
KEPT = [
    'I live in Rome',
    'Yes, Lisbon',
    'no, Porto',
    'ok, call me Sam',
    'Lisbon',
    '34',
    'Fix the bug',
    'Never use emojis',
    'What should I cook?',
    'Where is my dog?',
    'What is 2+2? My name is Bo.',
    'Vivo en Roma',
    'Ich bin Arzt',
    '我住在里斯本',
    'Rust?',
    'Thanks, Lisbon it is',
    'ok got it, I moved to Rome',
    'Thanks a million, Ana',
    'Not now, I have a meeting',
    '我喜欢什么？',
    'You too? I live in Rome',
    'short',
    'Great! My name is Bo. Any ideas?',
    'how do i get to my office in Porto?',
    'what matters is that answers are short',
    'so, banana bread?',
    'Thanks, Ingrid!',
    'x' * 3000 + '?',
]


@pytest.mark.parametrize('text', IDLE)
def test_small_talk_and_bare_questions_are_not_worth_reading(text: str) -> None:
    assert not worth_reading(episode(text))


@pytest.mark.parametrize('text', KEPT)
def test_whatever_may_hold_something_is_read(text: str) -> None:
    assert worth_reading(episode(text))


def test_a_long_run_of_punctuation_is_judged_at_once() -> None:
    assert not worth_reading(episode('?! ' * 600))
    assert worth_reading(episode('?! ' * 50_000))
