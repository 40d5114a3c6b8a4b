"""Secrets in the forms that providers give them, as they are spoken of, and what only looks like one."""

from __future__ import annotations

import os

import pytest

from memoranda.policy import Policy
from memoranda.write.detect import find, redact

SECRETS = Policy()
# Made up, and put together here so that no scanner takes this file for a leak.
A, B, H = 'a1B2c3D4e5' * 6, 'F6g7H8i9' * 8, '0a1b2c3d4e5f6789' * 8

KEYS = {
    'OpenAI, a service account': 'sk-' + 'svcacct-' + A,
    'Anthropic': 'sk-' + 'ant-api03-' + A + '-' + B,
    'OpenRouter': 'sk-' + 'or-v1-' + H[:64],
    'DeepSeek': 'sk-' + H[:32],
    'a test mode': 'sk-' + 'test-' + A[:30],
    'Groq': 'gsk' + '_' + A[:52],
    'xAI': 'xai' + '-' + (A + B)[:80],
    'Perplexity': 'pplx' + '-' + A[:48],
    'Replicate': 'r8' + '_' + A[:37],
    'NVIDIA': 'nvapi' + '-' + (A + B)[:64],
    'Tavily': 'tvly' + '-dev-' + A[:32],
    'Pinecone': 'pcsk' + '_' + A,
    'LangSmith': 'lsv2' + '_pt_' + H[:32] + '_' + H[:10],
    'ElevenLabs': 'sk' + '_' + H[:48],
    'GitLab, a runner': 'glrt' + '-' + A[:20],
    'npm': 'npm' + '_' + A[:36],
    'PyPI': 'pypi' + '-AgEIcHlwaS5vcmc' + A,
    'RubyGems': 'rubygems' + '_' + H[:48],
    'Docker': 'dckr' + '_pat_' + A[:27],
    'Atlassian': 'ATATT3' + (A + B + A)[:150],
    'Postman': 'PMAK' + '-' + H[:24] + '-' + H[:34],
    'AWS, for a session': 'ASIA' + '2B3C4D5E6F7G8H9J',
    'Google, a client': 'GOCSPX' + '-' + A[:28],
    'Google, a session': 'ya29' + '.' + A,
    'DigitalOcean': 'dop' + '_v1_' + H[:64],
    'Vault': 'hvs' + '.' + A[:40],
    'Doppler': 'dp' + '.pt.' + A[:43],
    'Databricks': 'dapi' + H[:32],
    'Supabase': 'sbp' + '_' + H[:40],
    'Neon': 'napi' + '_' + A,
    'Airtable': 'pat' + A[:14] + '.' + H[:64],
    'Grafana': 'glsa' + '_' + A[:32] + '_' + H[:8],
    'New Relic': 'NRAK' + '-' + '0A1B2C3D4E5F6G7H8I9J0K1L2M3',
    'Sentry': 'sntrys' + '_eyJ' + A,
    'Slack, an app': 'xapp' + '-1-A0B1C2D3E4-1234567890-' + H[:64],
    'Slack, a hook': 'hooks.slack.com/' + 'services/T0A1B2C3D/B0A1B2C3D/' + A[:24],
    'Discord, a bot': 'M' + A[:25] + '.' + 'Ga1B2c' + '.' + A[:30],
    'Discord, a hook': 'discord.com/api/' + 'webhooks/123456789012345678/' + (A + B)[:68],
    'Telegram': '123456789' + ':AA' + A[:33],
    'SendGrid': 'SG' + '.' + A[:22] + '.' + A[:43],
    'Mailgun': 'key' + '-' + H[:32],
    'Mailchimp': H[:32] + '-us' + '12',
    'Twilio': 'SK' + H[:32],
    'Linear': 'lin' + '_api_' + A[:40],
    'Notion': 'ntn' + '_' + A[:46],
    'Figma': 'figd' + '_' + A[:40],
    'Stripe, restricted': 'rk' + '_live_' + A[:24],
    'Stripe, a hook': 'whsec' + '_' + A[:32],
    'Shopify': 'shpat' + '_' + H[:32],
    'Square': 'sq0atp' + '-' + A[:22],
    'Terraform': A[:14] + '.atlasv1.' + (A + B)[:67],
    'age': 'AGE-SECRET-' + 'KEY-1' + ('0A1B2C3D4E' * 6)[:58],
}


@pytest.mark.parametrize('key', KEYS.values(), ids=KEYS)
@pytest.mark.parametrize('around', ['{}', 'use {} for now.', 'KEY="{}"', '鍵は{}です'])
def test_keys_of_the_common_providers_are_found_by_their_form(key: str, around: str) -> None:
    assert redact(around.format(key), SECRETS) == (around.format('[api key]'), 1)


@pytest.mark.parametrize(
    'text',
    [
        'AWS_ACCESS_KEY_ID=AKIA' + 'IOSFODNN7EXAMPLE',
        'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
        'export OPENAI_API_KEY=sk-' + 'x' * 40,
        'api_key = "YOUR_API_KEY_HERE_12345"',
        'key = "sk-' + 'your-key-goes-right-here"',
        'token: ${GITHUB_TOKEN_FOR_CI_2}',
        'client = Client(api_key=os.environ["SERVICE_API_KEY_V2"])',
        'password = os.environ["DB_PASSWORD"]',
        'password=getpass.getpass()',
        'def login(user: str, password: str) -> Token:',
        'login(user=user, password=password)',
        'password: SecretStr',
        '"password": "********"',
        'PASSWORD=<your password>',
        'psql postgresql://localhost/app',
        'sk-learn-something-really-long-name',
        'The access token expires after 3600 seconds',
        'an access token is a string that proves who you are',
    ],
)
def test_code_that_shows_where_a_secret_goes_holds_none(text: str) -> None:
    assert redact(text, SECRETS) == (text, 0)


def test_a_key_that_could_be_real_is_redacted_in_code_too() -> None:
    code = f'client = OpenAI(api_key="sk-proj-{A}")  # TODO: move to the environment'
    assert redact(code, SECRETS)[0] == 'client = OpenAI(api_key="[api key]")  # TODO: move to the environment'


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('api_key: ' + H[:32], 'api_key: [api key]'),
        ('My API key is ' + H[:40], 'My API key is [api key]'),
        ('the access token is ' + A[:40] + '.', 'the access token is [token]'),
        ("client_secret => '" + A[:24] + "'", "client_secret => '[api key]'"),
        ('aws_secret_access_key = ' + (A + '/' + B)[:40], 'aws_secret_access_key = [api key]'),
        ('AccountKey=' + A[:50] + '==;EndpointSuffix=x', 'AccountKey=[api key];EndpointSuffix=x'),
        ('https://x.io/a?sig=' + A[:40] + '&v=1', 'https://x.io/a?sig=[token]&v=1'),
        ('Authorization: Basic YW5hOmh1bnRlcjI=', 'Authorization: Basic [token]'),
        ('https://' + A[:40] + '@git.example.com/x', 'https://[token]@git.example.com/x'),
        ('redis://:hunter2@cache:6379', 'redis://[password]@cache:6379'),
    ],
)
def test_what_is_named_a_key_is_one_when_it_looks_like_one(text: str, kept: str) -> None:
    assert redact(text, SECRETS)[0] == kept


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('My password is "correct horse battery"', 'My password is "[password]"'),
        ('password: "a b c d" and so on', 'password: "[password]" and so on'),
        ('pass: heron-4471, user: ana', 'pass: [password], user: ana'),
        ('I changed the wifi password to heron-4471 today', 'I changed the wifi password to [password] today'),
        ('heron-4471 is my wifi password', '[password] is my wifi password'),
        ('Mein Passwort lautet heron-4471.', 'Mein Passwort lautet [password].'),
        ('mon mot de passe est heron-4471', 'mon mot de passe est [password]'),
        ('mi contraseña es heron-4471', 'mi contraseña es [password]'),
        ('la mia password è heron-4471', 'la mia password è [password]'),
        ('minha senha é heron-4471', 'minha senha é [password]'),
        ('het wachtwoord is heron-4471', 'het wachtwoord is [password]'),
        ('moje hasło to heron-4471', 'moje hasło to [password]'),
        ('wifi şifrem heron-4471', 'wifi şifrem [password]'),
        ('мой пароль heron-4471', 'мой пароль [password]'),
        ('كلمة المرور هي heron-4471', 'كلمة المرور هي [password]'),
        ('我的密码是heron-4471。', '我的密码是[password]。'),
        ('パスワードはheron-4471です', 'パスワードは[password]です'),
        ('비밀번호는 heron-4471 입니다', '비밀번호는 [password] 입니다'),
        ('รหัสผ่านคือ heron-4471', 'รหัสผ่านคือ [password]'),
        ('the passphrase is correct horse battery staple', 'the passphrase is [password]'),
        ('My PIN is 4711', 'My PIN is [pin]'),
        ('the alarm code at the cottage is 47 11', 'the alarm code at the cottage is [pin]'),
        ('Your verification code is 483920.', 'Your verification code is [pin].'),
        ('CVV 123', 'CVV [pin]'),
        ('the door code 4711 opens it', 'the door code [pin] opens it'),
        ('exp 09/28, cvc 123', 'exp 09/28, cvc [pin]'),
        ('Meine PIN lautet 4711', 'Meine PIN lautet [pin]'),
        ('pin code is 4711', 'pin code is [pin]'),
        ('the pin 4711', 'the pin [pin]'),
        ('Use the new pin 4711 at the door.', 'Use the new pin [pin] at the door.'),
        ("the card's pin 4711, please", "the card's pin [pin], please"),
        ('my bank pin 47 11 has changed', 'my bank pin [pin] has changed'),
        ('sim pin 4711', 'sim pin [pin]'),
        ('pin code 4711', 'pin code [pin]'),
        ('it has the pin number 483920', 'it has the pin number [pin]'),
        ('meine pin 4711 vergesse ich', 'meine pin [pin] vergesse ich'),
        ('mi pin 4711', 'mi pin [pin]'),
        (
            'recovery phrase: ' + 'ocean tiger lamp river stone cloud apple train music forest paper window',
            'recovery phrase: [seed phrase]',
        ),
    ],
)
def test_secrets_in_sentences_are_found_in_the_languages_of_the_embedder(text: str, kept: str) -> None:
    assert redact(text, SECRETS) == (kept, 1)


@pytest.mark.parametrize(
    'text',
    [
        'My name is Null',
        'Drop Table is what they call me; -- Robert',
        'I am called password by my friends',
        'My password manager is great',
        'the password is required',
        'Password must be at least 8 characters',
        'Mein Passwort ist zu lang',
        'mon mot de passe est trop long',
        'I reset the password to something else',
        'The error code is 4041 and the zip code is 10115',
        'pin 100 posts to the board',
        'pin 13 of the Arduino',
        'pin 4711 of the chip',
        'the pin 1204 of the connector is VCC',
        'On that FPGA the pin 1156 is ground',
        'the socket has the pin 1151 at the edge',
        'pin number 13 is the LED',
        'pin number 1204 of the GPIO header',
        'pin 2026 goals to the top',
        'the pine 4711 m up the hill',
        'the pins 4711 and 4712',
        'the pin 100 was thrown at',
        'Tan is 30 years old',
        'The secret is patience, the key is practice',
        'The token economy is about incentives',
        'the order number is 4539 1488 0343 6468 1',
        'IMEI 356938035643809',
        'Version 2.31.4, build 20260501123456',
        'He was born in 1984 and died in 2001-01-01',
    ],
)
def test_words_that_only_speak_of_secrets_hold_none(text: str) -> None:
    assert redact(text, SECRETS) == (text, 0)


def test_a_number_is_a_card_by_check_digit_and_issuer_or_by_what_it_is_called() -> None:
    assert redact('it is 6304000000000000', SECRETS)[1] == 1
    # Right by its check digit, and no issuer gives out such numbers.
    assert redact('parcel 9999999999999995', SECRETS)[1] == 0
    assert redact('my card 9999999999999995', SECRETS)[1] == 1


def test_findings_have_places_and_do_not_overlap() -> None:
    text = f'password: sk-{A} and card 4111 1111 1111 1111'
    found = find(text, SECRETS)
    assert [(f.kind, text[f.start : f.end]) for f in found] == [
        ('api key', 'sk-' + A),
        ('card number', '4111 1111 1111 1111'),
    ]
    assert found[0].code == 'secret:api key'


def test_what_overlaps_goes_as_a_whole() -> None:
    assert redact(f'password: xx.sk-{A}.yy!', SECRETS)[0] == 'password: [api key]'


def test_a_key_without_its_end_is_a_key_all_the_same() -> None:
    text = '-----BEGIN PRIVATE KEY-----\n' + (A + '\n') * 5
    assert redact(text + 'That was it.', SECRETS)[0] == '[private key]\nThat was it.'
    escaped = '{"private_key": "-----BEGIN PRIVATE KEY-----\\n' + A + '\\n-----END PRIVATE KEY-----\\n"}'
    assert redact(escaped, SECRETS)[0] == '{"private_key": "[private key]\\n"}'


def test_a_mark_is_not_redacted_again() -> None:
    for text in ('my password is hunter2', 'PIN: 4711', f'api_key={H[:32]}', 'wifi şifrem heron-4471'):
        once = redact(text, SECRETS)[0]
        assert redact(once, SECRETS) == (once, 0)


# A million, to see that it stays linear: DETECT_TEST_CHARS is for whoever changes a pattern.
LONG = int(os.environ.get('DETECT_TEST_CHARS', '50000'))
HOSTILE = (
    '-----BEGIN PRIVATE KEY-----',
    'eyJaaaaaaaaaaa-',
    'eyJaaaaaaaaaaa.',
    'sk-',
    'ghp_aaaaaaa ',
    'password is ',
    'password ',
    'password password: ',
    'passphrase is a ',
    'is my password ',
    'token token=',
    'api_key=a1',
    'pin code is ',
    'the pin 4711 ',
    'recovery phrase ocean tiger lamp river ',
    '4 ',
    '4111-',
    '://a:',
    '?key=a&',
    'authorization: basic ',
    'AA1Q~',
    'M.a.',
    '密码',
    'a',
    '\n',
)


@pytest.mark.parametrize('unit', HOSTILE, ids=repr)
def test_a_long_text_of_anything_takes_little_time(unit: str) -> None:
    redact(unit * (LONG // len(unit)), SECRETS)  # else it would run into the timeout of the suite
