"""Secrets that are called by their name: passwords, PINs and keys in sentences, settings, code and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding
from memoranda.write.detect.keys import is_placeholder

__all__ = ['passwords']

_ENGLISH: Final = 'password passwd passcode passphrase passkey pwd'.split()
# The word, and how a sentence goes on from it to the password.
_TONGUES: Final = (
    ('mot de passe|mdp', 'est'),
    ('passwort|kennwort', 'ist|lautet'),
    ('contraseña|contrasena|clave', 'es'),
    ("parola d'ordine|parola chiave", 'è|e'),
    ('senha|palavra-passe', 'é'),
    ('wachtwoord', 'is'),
    ('hasło|haslo', 'to|brzmi|jest'),
    ('şifrem|şifresi|şifre|parolam', ''),
    ('пароль', 'это|такой'),
    ('كلمة المرور|كلمة السر|كلمة مرور', 'هي'),
)
_CALLED: Final = '|'.join((*_ENGLISH, *(word for word, _ in _TONGUES)))
_VERBS: Final = '|'.join(('is', 'was', *(verb for _, verb in _TONGUES if verb)))
_HINTS: Final = (
    *('passw', 'passc', 'passp', 'passk', 'pwd', 'pass:', 'pass=', 'passe', 'mdp', 'kennwort', 'contrase', 'clave'),
    *('parola', 'senha', 'wachtwoord', 'hasło', 'haslo', 'şifre', 'парол', 'كلمة', '密', '口令', 'パスワ', '暗証'),
    *('비밀번호', '암호', 'รหัส'),
)

# `password is`, `password:`, `password =`, and what follows. Whether it is a password is decided by `_value`.
_NEXT: Final = re.compile(
    rf'(?i)(?<![A-Za-z0-9])(?:{_CALLED}|pass(?=[:=]))["\']?'
    rf'(?:\s{{0,3}}(?P<sign>:=|=>|==?|:|\uff1a)|\s{{1,3}}(?P<verb>{_VERBS})\b:?|(?P<bare>))'
    r'\s{0,3}(?P<open>["\'`\u201c\u2018\u00ab]?)(?P<secret>[^\s"\'`\u201d\u2019\u00bb][^\s`\u201d\u00bb]{2,199})'
)
# `the wifi password at our cottage is heron-4471`: further away, it must look like one.
_LATER: Final = re.compile(
    rf"(?i)(?<![A-Za-z0-9])(?:{_CALLED})(?:\s{{1,3}}[\w'-]{{1,40}}){{1,6}}?\s{{1,3}}(?:{_VERBS}|to|:|=):?\s{{1,3}}"
    r'["\'`\u201c]?(?P<secret>[^\s,;"\'`\u201c\u201d]{4,200})'
)
# `heron-4471 is my password`
_AFTER: Final = re.compile(
    rf'(?i)["\'`\u201d]?\s(?:is|as|was)\s(?:my|the|our|your|his|her|their|a)\s(?:[\w-]{{1,30}}\s){{0,3}}?(?:{_CALLED})\b'
)
# Scripts without spaces: what follows in ASCII.
_UNSPACED: Final = re.compile(
    r'(?:密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|รหัสผ่าน)\s{0,3}(?:是|为|為|：|:|=|は|が|는|은|가|คือ|เป็น)?\s{0,3}'
    r'[「『"\']?(?P<secret>[!-~]{4,200})'
)
_PHRASE: Final = re.compile(r'(?i)(?<![A-Za-z0-9])pass(?:phrase| phrase)\s{0,3}(?:is|was|:|=)\s{0,3}(?P<secret>[^\n.,;!?]{3,200})')

_URL: Final = re.compile(r'(?<=://)(?P<secret>[^\s:/@]{0,100}:[^\s@/]{1,200})(?=@)')
_URL_TOKEN: Final = re.compile(r'(?<=://)[A-Za-z0-9_-]{20,255}(?=@)')
_IN_QUERY: Final = re.compile(r'(?i)[?&](?:key|token|sig|signature|auth|apikey|jwt)=(?P<secret>[^\s&#"\'<>]{16,500})')

_NAMED: Final = re.compile(
    r'(?i)(?<![A-Za-z0-9])(?P<name>'
    r'(?:api|access|auth|secret|private|client|encryption|signing|session|refresh|bearer|bot|app|master|account|admin'
    r'|webhook|shared ?access|service|consumer|personal access)[ _-]?(?:(?:access|api|account)[ _-]?)?(?:key|token|secret)'
    r'|api[- ]?schlüssel|clé api|clave (?:de )?api|chave (?:de )?api|chiave api|token|secret'
    r')["\']?(?:\s{0,3}(?::=|=>|==?|:|\uff1a)|\s{1,3}(?:is|was|ist|lautet|est|es|é|è)\b:?)\s{0,3}["\'`]?'
    r'(?P<secret>[A-Za-z0-9_./+~=-]{16,300})(?![\w(\[])'
)
_NAMED_HINTS: Final = ('key', 'token', 'secret', 'api')
_BASIC: Final = re.compile(
    r'(?i)authorization["\']?\s{0,3}[:=]\s{0,3}["\']?(?:basic|token|apikey|digest)\s{1,3}(?P<secret>[^\s"\']{8,500})'
)

_PIN: Final = re.compile(
    r'(?i)(?<![A-Za-z0-9])(?:'
    r'(?:pin|cvv2?|cvc2?|cvn|otp|tan)(?:[ -]?(?:code|number|nummer))?'
    r'|(?:security|access|door|alarm|gate|unlock|entry|safe|lock|verification|login|2fa|one[- ]time|backup|pin) code'
    r'|combination|geheimzahl|code (?:secret|pin)|c[óo]digo (?:pin|de seguridad|de segurança)|codice (?:pin|segreto)'
    r')(?:\s{1,3}(?!is\b)[\w\'-]{1,30}){0,6}?(?:\s{0,3}[:=#]|\s{1,3}(?:is|was|to|ist|lautet|est|es|é|è)\b:?|(?<=PIN)|(?<=CVV)'
    r'|(?<=CVC))\s{1,3}(?P<secret>\d(?:[ -]?\d){2,7})(?![\w%]|[.,/:-]\d)'
)
_PIN_HINTS: Final = ('pin', 'cvv', 'cvc', 'cvn', 'otp', 'tan', ' code', 'combination', 'geheimzahl', 'digo', 'codice')
_SEED: Final = re.compile(
    r'(?i)(?:(?:seed|recovery|mnemonic|backup|secret|wallet)[ -](?:phrase|words|seed)|mnemonic)[^\n]{0,40}?[:\n"\'=]?\s'
    r'(?P<secret>(?-i:[a-z]{3,8})(?:[ ,]{1,2}(?-i:[a-z]{3,8})){11,23})(?![a-z])'
)

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
_LOOKS: Final = re.compile(r'[\d_!@#$%^&*+=-]')
_LETTER: Final = re.compile(r'[^\W_]')
_MARK: Final = re.compile(r'\[[a-z][a-z ]{1,40}\]')


def passwords(text: str) -> Iterator[Finding]:
    """What is called a password, PIN or key."""
    if '://' in text and '@' in text:
        yield from _spans(_URL, text, 'password')
        for match in _URL_TOKEN.finditer(text):
            yield Finding('secret', 'token', *match.span())
    lower = text.lower()  # for a look only: it may be longer than the text
    if any(hint in lower for hint in _HINTS):
        yield from _spoken(text)
    if any(hint in lower for hint in _NAMED_HINTS):
        yield from _named(text)
    if 'authorization' in lower:
        yield from _spans(_BASIC, text, 'token')
    if any(hint in lower for hint in _PIN_HINTS):
        yield from _spans(_PIN, text, 'pin')
    if 'phrase' in lower or 'mnemonic' in lower or ' words' in lower or ' seed' in lower:
        yield from _spans(_SEED, text, 'seed phrase')


def _spans(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        if not _MARK.search(match['secret']):
            yield Finding('secret', kind, *match.span('secret'))


def _spoken(text: str) -> Iterator[Finding]:
    for match in _NEXT.finditer(text):
        span = _value(text, match)
        if span is not None:
            yield Finding('secret', 'password', *span)
    for match in _PHRASE.finditer(text):
        first = match['secret'].split(None, 1)[0] if match['secret'].strip() else ''
        if first.casefold() not in _STOP and not _CODE.match(first) and not _MARK.search(match['secret']):
            yield Finding('secret', 'password', *match.span('secret'))
    for pattern in (_LATER, _UNSPACED):
        for match in pattern.finditer(text):
            start, end = match.span('secret')
            end = _trimmed(text, start, end)
            if _looks_like_one(text[start:end]):
                yield Finding('secret', 'password', start, end)
    for match in _AFTER.finditer(text):
        before = text[max(0, match.start() - 201) : match.start()].split()
        word = before[-1].lstrip('"\'`\u201c(') if before else ''
        if _looks_like_one(word):
            yield Finding('secret', 'password', match.start() - len(word), match.start())


def _value(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Where the password is that follows its name, if it is one."""
    start, end = match.span('secret')
    if match['open']:  # up to the other quote, spaces included
        close = {'\u201c': '\u201d', '\u2018': '\u2019', '\u00ab': '\u00bb'}.get(match['open'], match['open'])
        at = text.find(close, start, start + 200)
        end = at if at > start else end
    else:
        end = _trimmed(text, start, end)
    word = text[start:end]
    folded = word.casefold()
    if len(word) < 3 or folded in _STOP or folded.rstrip('?!.,;:)') in _STOP or _CODE.match(word):
        return None
    if match['open'] and (match['sign'] or match['verb']):
        return start, end
    english = match[0][:4].casefold() in ('pass', 'pwd:', 'pwd=', 'pwd ', 'pwd"', "pwd'")
    if match['sign'] or (english and (match['verb'] or '').casefold() in ('is', 'was')):
        return start, end
    # In other languages and without a verb too much can follow.
    return (start, end) if _looks_like_one(word) and (match['verb'] or not english) else None


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


def _named(text: str) -> Iterator[Finding]:
    for match in _NAMED.finditer(text):
        secret = match['secret']
        digits = sum(c.isdigit() for c in secret)
        letters = sum(c.isalpha() for c in secret)
        if digits < 2 or letters < 2 or is_placeholder(secret) or _CODE.match(secret) or '..' in secret:
            continue
        kind = 'token' if match['name'].casefold().endswith('token') else 'api key'
        yield Finding('secret', kind, *match.span('secret'))
    if '?' in text or '&' in text:
        yield from _spans(_IN_QUERY, text, 'token')
    for match in _AZURE.finditer(text) if 'AccountKey=' in text or 'AccessKey=' in text else ():
        yield Finding('secret', 'api key', *match.span('secret'))


_AZURE: Final = re.compile(r'(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/=]{40,100})')
