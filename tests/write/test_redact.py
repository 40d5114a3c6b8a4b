"""Secrets are taken out before anything is stored, and ordinary text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.write.redact import redact

# Made up, and put together here so that no scanner takes this file for a leak.
A, B, C = 'a1B2c3D4e5' * 4, 'F6g7H8i9' * 5, '0123456789ABCDEF'
SECRETS = {
    'sk-' + A: 'api key',
    'sk-proj-' + A: 'api key',
    'sk-ant-' + A: 'api key',
    'ghp' + '_' + A: 'api key',
    'github_pat' + '_' + A: 'api key',
    'glpat' + '-' + A[:20]: 'api key',
    'AK' + 'IA' + C: 'api key',
    'AI' + 'za' + (A + B)[:35]: 'api key',
    'xox' + 'b-' + A: 'api key',
    'sk' + '_live_' + A: 'api key',
    'hf' + '_' + A[:34]: 'api key',
    'eyJ' + A + '.eyJ' + B + '.' + A: 'token',
    '4111 1111 1111 1111': 'card number',
    '4111-1111-1111-1111': 'card number',
    '5500005555555559': 'card number',
}


WORDS = st.text(st.characters(categories=('L', 'Zs', 'Po', 'So')), max_size=100)


@pytest.mark.parametrize(('secret', 'kind'), SECRETS.items())
@pytest.mark.parametrize('around', ['{}', 'my key is {}.', '"{}"', '({})', 'key={}\n', 'ключ: {} — вот', '{}, please'])
def test_a_secret_is_replaced_by_what_it_was(secret: str, kind: str, around: str) -> None:
    text, count = redact(around.format(secret))
    assert text == around.format(f'[{kind}]')
    assert count == 1


def test_a_private_key_goes_as_a_whole() -> None:
    for kind in ('RSA ', 'EC ', 'OPENSSH ', ''):
        key = f'-----BEGIN {kind}PRIVATE KEY-----\n' + (A + '\n') * 20 + f'-----END {kind}PRIVATE KEY-----'
        assert redact(f'here:\n{key}\nthanks') == ('here:\n[private key]\nthanks', 1)


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('Authorization: Bearer ' + A, 'Authorization: Bearer [token]'),
        ('postgresql://ana:hunter2@db.example.com/app', 'postgresql://[password]@db.example.com/app'),
        ('My password is hunter2', 'My password is [password]'),
        ('password: correct-horse', 'password: [password]'),
        ('PASSWORD=hunter2', 'PASSWORD=[password]'),
        ('the passphrase is xyzzy-plugh', 'the passphrase is [password]'),
    ],
)
def test_what_is_called_a_secret_is_one(text: str, kept: str) -> None:
    assert redact(text) == (kept, 1)


@pytest.mark.parametrize(
    'text',
    [
        'I live in Porto and like 3 cups of tea',
        'Call me on +351 912 345 678',
        'The order number is 1234567890123',
        'A ratio of 8262004175273984.0',
        'ISBN 978-3-16-148410-0',
        'My password is not written here',
        'my password is too long',
        'I forgot the password',
        'https://example.com/a:b@c',
        'sk-learn is a library, risk-taking is a habit',
        '2026-05-01 09:30:00.123456',
        'pi is 3.14159265358979323846',
        '0000 0000 0000 0000',
        'commit 9fceb02d0ae598e95dc970b74767f19372d61af8',
        '01a1fdf0-9102-7e3c-8272-f4e4f9693d12',
        'The task-12345678901234567890 is done',
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == (text, 0)


def test_several_secrets_are_counted() -> None:
    text = ' and '.join(SECRETS)
    kept, count = redact(text)
    assert count == len(SECRETS)
    assert not any(secret in kept for secret in SECRETS)


@given(WORDS, st.sampled_from(sorted(SECRETS)), WORDS)
def test_redacting_twice_changes_nothing_more(before: str, secret: str, after: str) -> None:
    once, _ = redact(f'{before} {secret} {after}')
    assert secret not in once
    assert redact(once)[0] == once


@pytest.mark.parametrize(
    'text',
    [
        '-----BEGIN PRIVATE KEY-----' + 'A' * 100_000,
        '4 ' * 50_000,
        'eyJ' * 30_000,
        '://' + 'a:' * 50_000,
        'sk-' * 30_000,
    ],
    ids=lambda t: t[:12],
)
def test_long_input_takes_no_time_to_speak_of(text: str) -> None:
    redact(text)  # a detector that backtracks would run into the timeout of the suite


@pytest.mark.parametrize(
    ('text', 'redacted'),
    [
        (
            'the wifi password at our cottage is heron-Lake-4471, can you',
            'the wifi password at our cottage is [password], can you',
        ),
        ('My password for the old router is Tr0ub4dor&3.', 'My password for the old router is [password].'),
        ('the password of the account is wrong', 'the password of the account is wrong'),
        ('a password in this form is too short', 'a password in this form is too short'),
    ],
)
def test_a_password_named_at_some_distance_is_redacted_when_it_looks_like_one(text: str, redacted: str) -> None:
    assert redact(text)[0] == redacted
