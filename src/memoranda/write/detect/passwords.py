"""Secrets that are called by their name: passwords, PINs and keys in sentences, settings, code and URLs.

Names are looked up as plain strings, and patterns are tried only where one stands: most messages have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding, places
from memoranda.write.detect.keys import is_placeholder

__all__ = ['passwords']

_ENGLISH: Final = ('password', 'passwd', 'passcode', 'passphrase', 'pass phrase', 'passkey')
_SHORT: Final = ('pwd', 'mdp', 'clave', 'pass')
"""Ends of other words, too: no letter may stand before them."""
# As they are spoken of in the other languages of the embedder, and how a sentence goes on to the password.
_NAMES: Final = (
    *_ENGLISH,
    *('mot de passe', 'passwort', 'kennwort', 'contraseña', 'contrasena', "parola d'ordine", 'senha', 'palavra-passe'),
    *('wachtwoord', 'hasło', 'haslo', 'şifre', 'parolam', 'пароль', 'كلمة المرور', 'كلمة السر', 'كلمة مرور'),
)
_VERBS: Final = 'is|was|est|ist|lautet|es|è|é|to|brzmi|jest|это|هي'
_UNSPACED_NAMES: Final = ('密码', '密碼', '口令', 'パスワード', '暗証番号', '비밀번호', '암호', 'รหัสผ่าน')

# `password is`, `password:`, `password =`, and what follows. Whether it is a password is decided by `_value`.
_NEXT: Final = re.compile(
    r'(?i)["\']?(?:\s{0,3}(?P<sign>:=|=>|==?|:|\uff1a)|(?:[a-zıüöçğş]{0,4}\s{1,3})(?P<verb>'
    + _VERBS
    + r')\b:?|(?P<bare>[a-zıüöçğş]{0,4}(?=\s)))'
    r'\s{0,3}(?P<open>["\'`\u201c\u2018\u00ab]?)(?P<secret>[^\s"\'`\u201d\u2019\u00bb](?:[^\s`\u201d\u00bb]{2,199})?)'
)
# `the wifi password at our cottage is heron-4471`: further away, it must look like one.
_LATER: Final = re.compile(
    r"(?i)(?:\s{1,3}[\w'-]{1,40}){1,6}?(?:\s{1,3}(?:" + _VERBS + r'|to)\b:?|\s{0,3}[:=])\s{1,3}["\'`\u201c]?'
    r'(?P<secret>[^\s,;"\'`\u201c\u201d]{4,200})'
)
# `heron-4471 is my wifi password`
_VERBS_BEFORE: Final = ('is', 'as', 'was')
_WHOSE: Final = ('my', 'the', 'our', 'your', 'his', 'her', 'their', 'a')
_MOST_BEFORE: Final = 5
_WORDS: Final = re.compile(r'\s{0,3}(?:\bis\b|\bwas\b|:|=)\s{0,3}(?P<secret>[^\n.,;!?]{3,200})')
# Scripts without spaces: what follows in ASCII.
_UNSPACED: Final = re.compile(
    r'\s{0,3}(?:是|为|為|：|:|=|は|が|는|은|가|คือ|เป็น)?\s{0,3}[「『"\']?(?P<secret>[!-~]{4,200})'
)

_URL: Final = re.compile(r'(?<=://)(?P<secret>[^\s:/@]{0,100}:[^\s@/]{1,200})(?=@)')
_URL_TOKEN: Final = re.compile(r'(?<=://)[A-Za-z0-9_-]{20,255}(?=@)')
_QUERY: Final = re.compile(r'(?i)(?<=[?&])(?:key|token|sig|signature|auth|apikey|jwt)=(?P<secret>[^\s&#"\'<>]{16,500})')
_AZURE: Final = re.compile(r'(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/=]{40,100})')
_BASIC: Final = re.compile(
    r'(?i)authorization["\']?\s{0,3}[:=]\s{0,3}["\']?(?:basic|token|apikey|digest)\s{1,3}(?P<secret>[^\s"\']{8,500})'
)

_KEY_NAMES: Final = ('key', 'token', 'secret', 'api', 'schlüssel')
_KEY: Final = re.compile(
    r'(?i)["\']?(?:\s{0,3}(?::=|=>|==?|:|\uff1a)|\s{1,3}(?:is|was|ist|lautet|est|es|é|è)\b:?)\s{0,3}["\'`]?'
    r'(?P<secret>[A-Za-z0-9_./+~=-]{16,500}+)(?![\w(\[])'
)
_WHOSE_KEY: Final = re.compile(
    r'(?i)(?:api|access|auth|secret|private|client|encryption|signing|session|refresh|bot|app|master|account|admin|webhook'
    r'|service|consumer|cl[ée]|clave(?: de)?|chave(?: de)?|chiave)[ _-]?$'
)

_PIN_NAMES: Final = ('pin', 'cvv', 'cvc', 'cvn', 'otp', 'tan', 'code', 'combination', 'geheimzahl')
_PIN: Final = re.compile(
    r'(?i)(?:2?(?:[ -](?:code|number|nummer))?)'
    r'(?:\s{1,3}(?!is\b|was\b)[\w\'-]{1,30}){0,6}?(?:\s{0,3}[:=#]|\s{1,3}(?:is|was|to|ist|lautet|est|es|é|è)\b:?|(?P<bare>))'
    r'\s{0,3}(?P<secret>\d(?:[ -]?\d){2,7})(?![\w%]|[.,/:-]\d)'
)
_NEXT_TO: Final = 12
# In small letters `pin 4711` is one if it is somebody's or of something that opens, and nothing speaks of electronics.
_WHOSE_PIN: Final = re.compile(
    r'(?i)(?:(?<!\w)(?:my|your|our|his|her|their|its|the|this|meine?|deine?|unsere?|die|mon|ton|votre|mi|tu|su|mio|meu|mijn'
    r'|bank|card|debit|credit|sim|atm|door|gate|garage|alarm|phone|safe|lock|unlock|entry|access|security|account'
    r"|voicemail)|\w{2}['\u2019]s|\ws['\u2019])(?:\s(?:new|old|current|neue|alte|nuevo|bank|card|sim|door|phone)){0,2}\s$"
)
_WIRED: Final = re.compile(
    r'(?i)(?<!\w)(?:arduino|gpio|esp\d*|raspberry|chips?(?! card)|chipset|connectors?|sockets?|headers?|pinouts?|pcb'
    r'|circuits?|motherboards?|breadboards?|vcc|gnd|fpga|bga|lga|cpu|mcu|microcontrollers?|voltage|solder\w*|i2c|spi|uart'
    r'|jumpers?)(?!\w)'
)
_WIRED_NEAR: Final = 80
_PIN_DIGITS: Final = 4
_WHOSE_CODE: Final = re.compile(
    r'(?i)(?:security|access|door|alarm|gate|unlock|entry|safe|lock|verification|login|2fa|one[- ]time|backup|pin) $'
)
_SEED_NAMES: Final = ('phrase', 'mnemonic', ' words', ' seed')
_SEED: Final = re.compile(r's?\b[^\n]{0,40}?[:\n"\'=]?\s(?P<secret>[a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23})(?![a-z])')
_WHOSE_SEED: Final = re.compile(r'(?i)(?:seed|recovery|mnemonic|backup|secret|wallet)[ -]?$')

_STOP: Final = frozenset(
    'not the a an in at on of for from with by to too very still also already always never no now only my your our '
    'his her their its it this that what wrong required hashed stored empty invalid incorrect correct saved written '
    'based known secret secure safe strong weak short long hard easy old new expired changed reset gone lost different '
    'same good bad fine ok okay right kept protected needed optional mandatory missing unknown compromised leaked '
    'shared private encrypted being been about something one like case case-sensitive set must should min minimum '
    'maximum max up just really actually quite so as and or if when where why how manager field policy rules '
    'authentication unchanged visible hidden shown masked managed generated random unique complex simple '
    'str string bytes text varchar char bool int none null nil true false undefined secretstr optional any type '
    'password passwd pwd passcode passphrase'.split()
)
_CODE: Final = re.compile(
    r'(?i)os\.|process\.env|env[.\[]|environ|settings\.|config[.\[]|self\.|this\.|getpass|getenv|input\(|prompt\(|request\.'
    r'|form[.\[]|args\.|\$[\w({]|\{|<|%\(|%s|\*{2}|\u2022|\.{3}|x{3,}$|\['
)
_HINTS: Final = (
    *(
        'pass',
        *_SHORT[:3],
        'kennwort',
        'contrase',
        'parola',
        'senha',
        'wachtwoord',
        'hasło',
        'haslo',
        'şifre',
        'пароль',
        'كلمة',
    ),
    *_KEY_NAMES,
    'authorization',
    *_PIN_NAMES,
    *_SEED_NAMES,
)
"""Without one of these there is nothing to look for but URLs and scripts without spaces."""
_LOOKS: Final = re.compile(r'[\d_!@#$%^&*+=-]')
_LETTER: Final = re.compile(r'[^\W_]')
_MARK: Final = re.compile(r'\[[a-z][a-z ]{1,40}\]')
_CLOSES: Final = {'\u201c': '\u201d', '\u2018': '\u2019', '\u00ab': '\u00bb'}


def passwords(text: str) -> Iterator[Finding]:
    """What is called a password, PIN, key or seed phrase."""
    if '://' in text and '@' in text:
        yield from _spans(_URL, text, 'password')
        for match in _URL_TOKEN.finditer(text):
            yield Finding('secret', 'token', *match.span())
    folded = text.replace('\u0130', 'i').lower()  # the one letter that gets longer in lower case
    hints = [hint for hint in _HINTS if hint in folded]
    if hints:
        yield from _spoken(text, folded)
        yield from _named(text, folded)
        yield from _pins(text, folded)
        yield from _seeds(text, folded)
    if '?' in text and '=' in text:
        yield from _spans(_QUERY, text, 'token')
    if not text.isascii():
        yield from _unspaced(text)


def _seeds(text: str, folded: str) -> Iterator[Finding]:
    for at, name in places(folded, _SEED_NAMES):
        if (match := _SEED.match(text, at + len(name))) and _WHOSE_SEED.search(text, max(0, at - 12), at):
            yield Finding('secret', 'seed phrase', *match.span('secret'))


def _spans(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        if not _MARK.search(match['secret']):
            yield Finding('secret', kind, *match.span('secret'))


def _spoken(text: str, folded: str) -> Iterator[Finding]:
    for at, name in places(folded, (*_NAMES, *_SHORT), alone=_SHORT):
        end = at + len(name)
        span = _value(text, _NEXT.match(text, end), name)
        if span is None and name != 'pass':
            span = _at_some_distance(text, at, end)
        if name in ('passphrase', 'pass phrase') and (match := _WORDS.match(text, end)):
            words = match['secret'].split()
            if len(words) > 3 or (span is not None and words):
                span = match.span('secret')
        if span is not None:
            yield Finding('secret', 'password', *span)


def _at_some_distance(text: str, at: int, end: int) -> tuple[int, int] | None:
    later = _LATER.match(text, end)
    if later is not None:
        start, stop = later.span('secret')
        stop = _trimmed(text, start, stop)
        if _looks_like_one(text[start:stop]):
            return start, stop
    return _before(text, at)


def _before(text: str, at: int) -> tuple[int, int] | None:
    words = text[max(0, at - 300) : at].rsplit(None, _MOST_BEFORE + 1)
    for whose in range(len(words) - 1, 1, -1):
        if words[whose].casefold() in _WHOSE and words[whose - 1].casefold() in _VERBS_BEFORE:
            word = words[whose - 2].split()[-1].strip('"\'`\u201c\u201d()')
            start = text.rfind(word, max(0, at - 300), at) if _looks_like_one(word) else -1
            return (start, start + len(word)) if start >= 0 else None
    return None


def _value(text: str, match: re.Match[str] | None, name: str) -> tuple[int, int] | None:
    """Where the password is that follows its name, if it is one."""
    if match is None or (name == 'pass' and not match['sign']):
        return None
    start, end = match.span('secret')
    told = bool(match['sign'] or match['verb'])
    if match['open']:  # up to the other quote, spaces included
        at = text.find(_CLOSES.get(match['open'], match['open']), start, start + 200)
        end = at if at > start else end
    else:
        end = _trimmed(text, start, end)
    word = text[start:end]
    bare = word.casefold().rstrip('?!.,;:)')
    if len(word) < 3 or bare in _STOP or _CODE.match(word):
        return None
    certain = name != 'pass' and (
        match['open'] or match['sign'] or (name in (*_ENGLISH, 'pwd') and match['verb'] in ('is', 'was', 'IS', 'Is'))
    )
    # In other languages and without a verb too much can follow.
    return (start, end) if told and (certain or _looks_like_one(word)) else _by_itself(start, end, word, name)


def _by_itself(start: int, end: int, word: str, name: str) -> tuple[int, int] | None:
    """`şifrem heron-4471`: Turkish and Russian need no verb."""
    return (start, end) if name in ('şifre', 'parolam', 'пароль') and _looks_like_one(word) else None


def _trimmed(text: str, start: int, end: int) -> int:
    """Without the punctuation of the sentence."""
    while end > start and text[end - 1] in '.,;:)]}>"\'':
        end -= 1
    return end


def _looks_like_one(word: str) -> bool:
    if len(word) < 4 or _MARK.search(word) or word.startswith('[') or _CODE.match(word):
        return False
    mixed = word[1:] != word[1:].lower() and word != word.upper()
    return bool(_LETTER.search(word)) and (bool(_LOOKS.search(word)) or mixed)


def _unspaced(text: str) -> Iterator[Finding]:
    for at, name in places(text, _UNSPACED_NAMES):
        match = _UNSPACED.match(text, at + len(name))
        if match is not None:
            start, end = match.span('secret')
            end = _trimmed(text, start, end)
            if _looks_like_one(text[start:end]) or text[start:end].isdecimal():
                yield Finding('secret', 'password', start, end)


def _named(text: str, folded: str) -> Iterator[Finding]:
    for at, name in places(folded, _KEY_NAMES):
        match = _KEY.match(text, at + len(name))
        if match is None or (name not in ('token', 'secret') and not _WHOSE_KEY.search(text, max(0, at - 20), at)):
            continue
        secret = match['secret']
        digits = sum(map(secret.count, '0123456789'))
        if (
            2 <= digits <= len(secret) - 2
            and not is_placeholder(secret)
            and not _CODE.match(secret)
            and '..' not in secret
        ):
            yield Finding('secret', 'token' if name == 'token' else 'api key', *match.span('secret'))
    if 'Key=' in text:
        yield from _spans(_AZURE, text, 'api key')
    if 'authorization' in folded:
        yield from _spans(_BASIC, text, 'token')


def _pins(text: str, folded: str) -> Iterator[Finding]:
    for at, name in places(folded, _PIN_NAMES, alone=('pin', 'tan', 'otp', 'cvc', 'cvn')):
        match = _PIN.match(text, at + len(name))
        if match is None or (name == 'code' and not _WHOSE_CODE.search(text, max(0, at - 14), at)):
            continue
        # `PIN 4711`, but not `pin 100 posts`
        plain = name in ('cvv', 'cvc', 'cvn', 'code') or (
            name in ('pin', 'otp', 'tan') and text[at : at + len(name)].isupper()
        )
        next_to = match.start('secret') - at < _NEXT_TO
        if match['bare'] is None or (next_to and (plain or (name == 'pin' and _is_whose(text, at, match)))):
            yield Finding('secret', 'pin', *match.span('secret'))


def _is_whose(text: str, at: int, match: re.Match[str]) -> bool:
    """Whether `pin 4711`, in small letters, is somebody's and no part of a plug."""
    if sum(c.isdecimal() for c in match['secret']) < _PIN_DIGITS:
        return False
    called = text[match.start() : match.start('secret')].strip(' 2-') or _WHOSE_PIN.search(text, max(0, at - 40), at)
    return bool(called) and not _WIRED.search(text, max(0, at - _WIRED_NEAR), match.end() + _WIRED_NEAR)
