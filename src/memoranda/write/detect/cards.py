"""Numbers of payment cards: by their check digit, and by whether an issuer gives out such numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding

__all__ = ['cards', 'count_digits']

# It begins with what is common to all, so that the engine can skip the rest; borders are looked at afterwards.
_NUMBER: Final = re.compile(r'\d(?:[ \u00a0\u202f\u2011-]?\d){11,18}(?![A-Za-z0-9-]|[.,]\d)')
_RUN: Final = re.compile(r'[A-Za-z0-9.,-]')
# https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)
_ISSUED: Final = re.compile(
    r'4(?:\d{12}|\d{15}|\d{18})'  # Visa
    r'|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}'  # Mastercard
    r'|3[47]\d{13}'  # American Express
    r'|(?:6011|64[4-9]\d|65\d\d)\d{12,15}'  # Discover
    r'|3(?:0[0-5]|095|[689]\d)\d{11,16}'  # Diners Club
    r'|35(?:2[89]|[3-8]\d)\d{12,15}'  # JCB
    r'|62\d{14,17}'  # UnionPay
    r'|220[0-4]\d{12,15}'  # Mir
    r'|(?:60|65|81|82|508)\d{13,14}'  # RuPay
    r'|9792\d{12}'  # Troy
    r'|(?:5[06789]|6\d)\d{10,17}'  # Maestro
)
_CALLED: Final = re.compile(
    r'(?i)\b(?:cards?|visa|mastercard|amex|karte\w*|carte|tarjeta|carta|cart[ãa]o|kaart|kart[aęyi]?|карт\w*)\b|卡|カード|카드'
)
_BEFORE: Final = 60
_SHORT: Final = 100
_DIGIT: Final = re.compile(r'\d')


def count_digits(text: str) -> int:
    """How many digits a text has: a quick look before a slow one."""
    if len(text) > _SHORT and text.isascii():
        return sum(map(text.count, '0123456789'))
    return len(_DIGIT.findall(text))


def cards(text: str) -> Iterator[Finding]:
    """Numbers of payment cards. Where a card is spoken of, any number with the right check digit is one."""
    for match in _NUMBER.finditer(text):
        if match.start() and _RUN.match(text, match.start() - 1):
            continue
        digits = ''.join(str(int(c)) for c in match[0] if c.isdecimal())
        if _luhn(digits) and (
            _ISSUED.fullmatch(digits) or _CALLED.search(text, max(0, match.start() - _BEFORE), match.start())
        ):
            yield Finding('secret', 'card number', *match.span())


def _luhn(digits: str) -> bool:
    if not 12 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    numbers = [int(c) for c in reversed(digits)]
    return sum(sum(divmod(n * 2, 10)) if i % 2 else n for i, n in enumerate(numbers)) % 10 == 0
