"""Phone numbers: international ones by their form, national ones where form and country, or words around, agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding, Spoken

__all__ = ['REGIONS', 'phones', 'supported']

REGIONS: Final = (
    *('US', 'GB', 'IE', 'AU', 'NZ', 'IN', 'ZA', 'FR', 'BE', 'CH', 'DE', 'AT', 'IT', 'ES', 'MX', 'AR', 'CO', 'CL'),
    *('PT', 'BR', 'NL', 'PL', 'TR', 'RU', 'CN', 'TW', 'HK', 'JP', 'KR', 'TH', 'EG', 'SA', 'AE', 'MA'),
)
"""Where the languages of the bundled embedder are spoken, largest first within a language."""

_ASKED: Final = 400
"""Numbers of a text for which the tables of countries are asked. Of further ones the form alone decides."""
# Taken as far as it goes and never shorter: a look ahead, then what it saw. Python before 3.11.5 gets possessive
# quantifiers around others wrong (CPython issue 106052).
_RUN: Final = re.compile(
    r'(?=(?P<run>(?:\+\s?|\(\+?)?\d{1,15}(?:[ ()./\u00a0\u2009\u202f\u2010\u2011-]{1,3}\d{1,15}){0,9}))(?P=run)'
    r'(?![A-Za-z0-9_@-]|[.,:]\d)'
)
_LEAST: Final = 7
_BORDER: Final = re.compile(r'[A-Za-z0-9_.,/#@\[-]|(?<=\d)[:=]')
_GROUP: Final = re.compile(r'\d+')
_DATE: Final = re.compile(
    r'\d{4}[-./]\d{1,2}[-./]\d{1,2}(?!\d)|\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})(?![\d./-])'
    r'|\d{1,2}\. ?\d{1,2}\. ?\d{4}(?!\d)'
    r'|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d(?!\d)'
)
_FORMS: Final = tuple(
    (re.compile(form), regions)
    for form, regions in (
        (r'(?:1[ .-])?\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}', ('US', 'CA')),  # (212) 555-0123
        (r'\(?0\d{1,5}\)?(?:[ ./-]{1,2}\d{1,9}){1,5}', ()),  # 0171 2345678
        (r'\(\d{2}\) ?9?\d{4}-?\d{4}', ('BR',)),
        (r'8[ -]?\(\d{3}\)[ -]?\d{3}[ -]?\d\d[ -]?\d\d', ('RU',)),
        (r'1[3-9]\d[ -]\d{4}[ -]\d{4}', ('CN',)),
        (
            r'[6-9]\d{2}[ -]\d{3}[ -]\d{3}|[6-9]\d{2}[ -]\d{2}[ -]\d{2}[ -]\d{2}',
            ('ES', 'PL', 'PT', 'CL'),
        ),  # 612 345 678
    )
)
_CALLED: Final = re.compile(
    r'(?i)\b(?:(?:tele)?phones?|tel|mobile|mob|cell|cellphone|call(?:ed|ing)?|text|ring|dial|whatsapp|signal|telegram|sms'
    r'|fax|reach (?:me|him|her|us|them)|contact'
    r"|(?:my|his|her|our|their|[a-z]+['\u2019]s)(?: new| work| home| office)? number"
    r'|telefon\w*|handy\w*|mobil\w*|ruf\w*|anruf\w*|erreich\w*|(?:meine|seine|ihre|unsere) nummer|téléphone|tél'
    r'|portable|appel\w*|joindre|(?:mon|son) numéro'
    r'|teléfono|móvil|celular|llám\w*|llamar|(?:mi|su) número|telefono|cellulare|chiam\w*'
    r'|(?:mio|suo) numero|telefone|telemóvel|ligar?|ligue|(?:meu|seu) número|telefoon\w*|mobiel\w*|bel|bellen'
    r'|(?:mijn|zijn) nummer|zadzwoń|dzwoń|komórk\w*'
    r'|(?:mój|jego|jej) numer|cep|numaram|arayın|телефон\w*|звони\w*|позвони\w*'
    r'|(?:мой|его|её) номер)\b'
    r'|هاتف|جوال|اتصل|رقمي|电话|電話|手机|手機|拨打|致电|携帯|휴대폰|핸드폰|전화|연락처|โทร|เบอร์|มือถือ'
)
_OTHERWISE: Final = re.compile(
    r'(?i)\b(?:orders?|invoices?|tickets?|tracking|references?|ref|isbn|issn|ean|upc|sku|serial|parts?|models?|cases?|accounts?'
    r'|acct|customers?|bookings?|confirmation|parcels?|shipment|policy|contract|id|ids|ports?|version|build|commit|pid|pages?'
    r'|rows?|lines?|totals?|sum|price|size|population|scores?|dates?|bestell\w*|rechnung\w*|auftrag\w*|sendung\w*|kunden\w*'
    r'|vertrag\w*|artikel\w*|commande|facture|colis|dossier|pedido|factura|envío|fatura|encomenda|ordine|fattura|bestelling'
    r'|zamówieni\w*|faktur\w*|sipariş\w*|заказ\w*|счёт\w*|счет\w*)\b|[#№€$£]|订单|訂單|注文|주문|طلب'
)
_BEFORE: Final = 50


def phones(text: str, regions: tuple[str, ...]) -> Iterator[Finding]:
    """Phone numbers.

    - `+` or `00` and a number that its country could have given out
    - a number of 7 to 15 digits beside a word that speaks of calling
    - without either, one in groups as phone numbers are written, which is valid in one of the regions

    What looks like a date, or follows a word for another sort of number (order, invoice, version), is none.
    """
    asked = 0
    around: _Around | None = None
    for match in _RUN.finditer(text):
        start = match.start()
        words = match[0]
        if len(words) < _LEAST or (start and _BORDER.match(text, start - 1)) or _DATE.match(words):
            continue
        if words.startswith(('+', '(+', '00')):
            asked += 1
            end = _international(words, asked > _ASKED)
        else:
            around = around or _Around(text)
            said = around.says(*match.span())
            if said is None:
                continue
            asked += not said
            end = _spoken(words) if said else _by_form(words, regions or REGIONS, asked > _ASKED)
        if end:
            yield Finding('personal data', 'phone number', start, start + end)


def supported(regions: tuple[str, ...]) -> list[str]:
    """Those of some countries of which nothing is known."""
    from phonenumbers import SUPPORTED_REGIONS

    return [r for r in regions if r not in SUPPORTED_REGIONS]


def _ends(words: str) -> list[int]:
    """Where groups of digits end, the longest number first."""
    return [m.end() for m in _GROUP.finditer(words)][::-1]


def _international(words: str, form_only: bool) -> int:
    import phonenumbers as library

    digits = ''.join(c for c in words if c.isdecimal())
    if form_only:
        return len(words) if 8 <= len(digits) <= 17 else 0
    ends = _ends(words)
    for check in (library.is_valid_number, library.is_possible_number):
        for end in ends[:8]:
            number = ''.join(c for c in words[:end] if c.isdecimal())
            number = number if '+' in words[:2] else number[2:]
            if not 7 <= len(number) <= 15:
                continue
            try:
                if check(library.parse('+' + number, None)):
                    return end
            except library.NumberParseException:
                continue
    return 0


_FEW: Final = 6
_NOWHERE: Final = Spoken(_CALLED, '')
_AFTER: Final = 12
_THEIRS: Final = re.compile(
    r"(?i)\s?(?:is|ist|est|es|é|è|to|это)\s(?:my|his|her|our|\w{1,20}['\u2019]s|meine?|mon|mi|meu|mio|mój|мой)\s(?:\w{1,20}\s)?"
    r'(?:number|phone|cell|mobile|nummer|numéro|número|numero|numer|номер)'
)


class _Around:
    """What the words around numbers speak of."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._asked = 0
        self._calling = self._other = _NOWHERE

    def says(self, start: int, end: int) -> bool | None:
        """Whether the words beside a number speak of calling; None when they speak of another number."""
        text = self._text
        begin = max(text.rfind('\n', max(0, start - _BEFORE), start) + 1, start - _BEFORE)
        self._asked += 1
        if self._asked <= _FEW:  # quicker than to look through the whole text
            self._calling = Spoken(_CALLED, text, max(begin, 0), end + _AFTER)
            self._other = Spoken(_OTHERWISE, text, max(begin, 0), start)
        elif self._asked == _FEW + 1:
            self._calling, self._other = Spoken(_CALLED, text), Spoken(_OTHERWISE, text)
        calling, other = self._calling.last_end(begin, start), self._other.last_end(begin, start)
        if other > calling:
            return None
        return calling >= 0 or self._calling.within(end, end + _AFTER) or _THEIRS.match(text, end, end + 40) is not None


def _spoken(words: str) -> int:
    for end in _ends(words):
        if 7 <= sum(c.isdecimal() for c in words[:end]) <= 15:
            return end
    return 0


def _by_form(words: str, regions: tuple[str, ...], form_only: bool) -> int:
    for end in _ends(words)[:6]:
        number = words[:end]
        digits = ''.join(c for c in number if c.isdecimal())
        if not 8 <= len(digits) <= 12:
            continue
        for form, where in _FORMS:
            if form.fullmatch(number):
                asked = tuple(r for r in regions if r in where) if where else regions
                if (asked and form_only) or _is_valid(digits, asked):
                    return end
    return 0


def _is_valid(digits: str, regions: tuple[str, ...]) -> bool:
    import phonenumbers as library

    for region in regions:
        try:
            number = library.parse(digits, region)
        except library.NumberParseException:
            continue
        if library.is_valid_number(number):
            return True
    return False
