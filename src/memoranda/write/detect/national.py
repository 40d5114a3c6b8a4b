"""Numbers that states and banks give out: by check digits, and by the words beside them where these are not enough."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from memoranda.write.detect.findings import Finding, Spoken, places

__all__ = ['ibans', 'national_ids']

_IBAN: Final = re.compile(
    r'[A-Z]{2}\d{2}(?:[ \u00a0-][A-Z0-9]{4}){2,7}(?:[ \u00a0-][A-Z0-9]{1,3})?(?![A-Za-z0-9])'
    r'|[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}(?![A-Za-z0-9])'
)
_CALLED_IBAN: Final = re.compile(r'(?i)iban[^A-Za-z0-9]{0,10}(?:is|ist|es|est|:)?[^A-Za-z0-9]{0,5}$')

# Digits of every script that the embedder's languages are written with, as 0; capitals as A.
_SHAPES: Final = str.maketrans(
    {
        **dict.fromkeys('123456789', '0'),
        **{chr(base + i): '0' for base in (0x0660, 0x06F0, 0x0966, 0x0E50, 0xFF10) for i in range(10)},
        **{chr(c): 'A' for c in range(ord('B'), ord('Z') + 1)},
        '\u00a0': ' ',
    }
)


@dataclass(frozen=True, slots=True)
class _Number:
    """How a country writes a number."""

    region: str
    shapes: tuple[str, ...]
    """With 0 for a digit and A for a capital letter."""
    module: str
    """Of `stdnum`, to check it."""
    words: re.Pattern[str] | None
    """One of which has to stand near, because many numbers look so."""
    form: re.Pattern[str] | None
    """For those that `stdnum` doesn't know."""


def _number(region: str, shapes: str, module: str = '', words: str = '', form: str = '') -> _Number:
    near = re.compile(rf'(?i)(?<![A-Za-z])(?:{words})(?![A-Za-z])') if words else None
    return _Number(region, tuple(shapes.split('|')), module, near, re.compile(form) if form else None)


_NUMBERS: Final = (
    _number('US', '000-00-0000', 'us.ssn'),
    _number('US', '000000000|000 00 0000', 'us.ssn', 'ssn|social security(?: number)?'),
    _number('US', '000-00-0000', 'us.itin'),
    _number(
        'GB',
        'AA000000A|AA 00 00 00 A|AA 000000 A',
        form='(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ 0-9]+[A-D]',
    ),
    _number('GB', '0000000000|000 000 0000|000-000-0000', 'gb.nhs', 'nhs(?: number)?'),
    _number('GB', '0000000000|00000 00000', 'gb.utr', 'utr|tax reference'),
    _number('IE', '0000000A|0000000AA', 'ie.pps', 'pps|ppsn|pps number'),
    _number('CA', '000000000|000 000 000|000-000-000', 'ca.sin', 'sin|social insurance(?: number)?'),
    _number('AU', '000000000|000 000 000|00000000', 'au.tfn', 'tfn|tax file(?: number)?'),
    _number('NZ', '000000000|00000000|000-000-000|00-000-000', 'nz.ird', 'ird'),
    _number('IN', '000000000000|0000 0000 0000', 'in_.aadhaar', 'aadhaa?r|uidai|आधार'),
    _number('IN', 'AAAAA0000A', 'in_.pan', 'pan'),
    _number('ZA', '0000000000000|000000 0000 000', 'za.idnr', 'id|identity'),
    _number('FR', '000000000000000|0 00 00 00 000 000 00|0 00 00 0A 000 000 00|000000A00000000', 'fr.nir'),
    _number('BE', '00.00.00-000.00', 'be.nn'),
    _number('BE', '00000000000', 'be.nn', r'rijksregister\w*|registre national|national register'),
    _number('CH', '000.0000.0000.00', 'ch.ssn'),
    _number('CH', '0000000000000', 'ch.ssn', 'ahv|avs'),
    _number(
        'DE', '00000000000|00 000 000 000', 'de.idnr', r'steuer[ -]?id\w*|id-?nr|identifikationsnummer|steuernummer|tin'
    ),
    _number('AT', '0000000000|0000 000000', 'at.vnr', r'sv-?nummer|svnr|sozialversicherungs\w*|versicherungsnummer'),
    _number('IT', 'AAAAAA00A00A000A', 'it.codicefiscale'),
    _number('ES', '00000000A|00000000-A', 'es.dni'),
    _number('ES', 'A0000000A|A-0000000-A', 'es.nie'),
    _number('MX', 'AAAA000000AAAAAA00|AAAA000000AAAAAAA0', 'mx.curp'),
    _number('AR', '00-00000000-0', 'ar.cuit'),
    _number('AR', '00000000|00.000.000', 'ar.dni', 'dni|documento'),
    _number('CL', '00.000.000-0|00.000.000-A|0.000.000-0|0.000.000-A', 'cl.rut'),
    _number('CL', '00000000-0|00000000-A', 'cl.rut', 'rut|run'),
    _number('CO', '000.000.000-0|000000000-0', 'co.nit', 'nit|rut'),
    _number('PT', '00000000 0 AA0|000000000AA0', 'pt.cc'),
    _number('PT', '000000000|000 000 000', 'pt.nif', 'nif|contribuinte'),
    _number('BR', '000.000.000-00', 'br.cpf'),
    _number('BR', '00000000000', 'br.cpf', 'cpf'),
    _number('NL', '000000000|0000.00.000|0000 00 000', 'nl.bsn', 'bsn|burgerservicenummer|sofi-?nummer'),
    _number('PL', '00000000000', 'pl.pesel', r'pesel\w*'),
    _number('TR', '00000000000', 'tr.tckimlik', r'tc|t\.c\.|tckn|kimlik\w*'),
    _number('RU', '000000000000', 'ru.inn', 'инн'),
    _number('RU', '000-000-000 00', words='снилс'),
    _number('CN', '000000000000000000|00000000000000000A', 'cn.ric'),
    _number('TW', 'A000000000', words=r'身[分份][證证]\w*|national id', form='[A-Z][12]'),
    _number('JP', '000000000000|0000 0000 0000|0000-0000-0000', 'jp.in_', 'マイナンバー|個人番号|individual number'),
    _number('KR', '000000-0000000', form=r'\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]'),
    _number('TH', '0-0000-00000-00-0', 'th.pin'),
    _number('TH', '0000000000000', 'th.pin', 'บัตรประชาชน|national id'),
    _number('AE', '000-0000-0000000-0|000000000000000', form='784'),
    _number('EG', '00000000000000', words='الرقم القومي|national id', form='[23]'),
)
_NEAR: Final = 60
_RUN: Final = re.compile(r'[A-Za-z0-9]*')
_DECIMAL_FOLLOWS: Final = re.compile(r'[A-Za-z0-9]|[-.,/]\d')

# A number that is called what it is needs no check: a slip in typing makes it no less personal.
_NAMES: Final = (
    *(
        'national id',
        'national insurance',
        'social security',
        'passport',
        'driver',
        'driving licen',
        'identity card',
        'id card',
    ),
    *(
        'tax id',
        'tax number',
        'taxpayer',
        'residence permit',
        'government id',
        'ausweis',
        'reisepass',
        'führerschein',
        'steuer-id',
        'steuer id ',
        'steuer id:',
        'steuerid ',
        'steuerid:',
    ),
    *('steuernummer', 'sozialversicherung', 'rentenversicherung', "carte d'identité", 'passeport', 'sécurité sociale'),
    *('permis de conduire', 'numéro fiscal', 'documento de identidad', 'pasaporte', 'seguridad social', 'cédula'),
    *(
        "carta d'identità",
        'passaporto',
        'codice fiscale',
        'bilhete de identidade',
        'passaporte',
        'paspoort',
        'rijbewijs',
    ),
    *(
        'burgerservicenummer',
        'pesel',
        'dowód',
        'dowodu',
        'paszport',
        'kimlik',
        'pasaport',
        'паспорт',
        'водительск',
        'снилс',
    ),
    *(
        'جواز',
        'الهوية',
        'الرقم القومي',
        '身份证',
        '身分證',
        '护照',
        '護照',
        'パスポート',
        '免許証',
        '在留カード',
        'マイナンバー',
    ),
    *('주민등록', '여권', '운전면허', 'บัตรประชาชน', 'หนังสือเดินทาง'),
    *('ssn', 'dni', 'nie', 'cpf', 'bsn', 'curp', 'инн'),
)
_ALONE: Final = _NAMES[-7:]
_NAMED: Final = re.compile(
    r'[^\W\d]{0,20}[^\n.;!?\d]{0,30}?(?<![A-Za-z0-9])(?P<secret>[A-Z0-9](?:[ ./-]?[A-Z0-9]){5,19})(?![A-Za-z0-9])'
)
_DATE: Final = re.compile(r'\d{1,4}[-./]\d{1,2}[-./]\d{2,4}(?!\d)')


def ibans(text: str) -> Iterator[Finding]:
    """IBANs by check digits and the form of the country; with a slip in them, where they are called IBAN."""
    for match in _IBAN.finditer(text):
        start, end = match.span()
        if start and text[start - 1].isascii() and text[start - 1].isalnum():
            continue
        # The next words may look like further groups.
        for _ in range(4):
            if _is_iban(text[start:end]):
                yield Finding('personal data', 'iban', start, end)
                break
            end = text.rfind(' ', start, end)
            if end <= start:
                break
        else:
            end = -1
        if end <= start and _CALLED_IBAN.search(text[max(0, start - 25) : start]):
            yield Finding('personal data', 'iban', start, match.end())


def _is_iban(words: str) -> bool:
    from stdnum import iban

    # Whether the bank exists is not asked: lists of banks grow old.
    return iban.is_valid(words, check_country=False)


def national_ids(text: str, regions: tuple[str, ...]) -> Iterator[Finding]:
    """National ids, tax and social security numbers.

    Args:
        text: Where to look.
        regions: Of which countries; empty: all that are known.
    """
    shape = text.translate(_SHAPES)
    for number in _NUMBERS:
        forms = [f for f in number.shapes if f in shape] if not regions or number.region in regions else []
        spoken = Spoken(number.words, text) if forms and number.words is not None else None
        for form in forms if spoken is None or spoken else ():
            yield from _of_shape(text, shape, form, number, spoken)
    folded = text.replace('\u0130', 'i').lower().replace('\u2019', "'")
    for at, name in places(folded, [n for n in _NAMES if n in folded], alone=_ALONE):
        match = _NAMED.match(text, at + len(name))
        if match is not None:
            secret = match['secret']
            if sum(c.isdecimal() for c in secret) >= 5 and not _DATE.match(secret):
                yield Finding('personal data', 'national id', *match.span('secret'))


def _of_shape(text: str, shape: str, form: str, number: _Number, spoken: Spoken | None) -> Iterator[Finding]:
    at = shape.find(form)
    while at >= 0:
        end = at + len(form)
        before = shape[at - 1] if at else ' '
        if before.isascii() and before.isalnum():
            run = _RUN.match(shape, at)
            at = shape.find(form, max(at + 1, run.end() if run else 0))
            continue
        near = spoken is None or spoken.within(at - _NEAR, end + _NEAR)
        if near and before not in '.,/#+-' and not _DECIMAL_FOLLOWS.match(shape, end) and _holds(text[at:end], number):
            yield Finding('personal data', 'national id', at, end)
        at = shape.find(form, at + 1)


def _holds(words: str, number: _Number) -> bool:
    digits = ''.join(str(int(c)) if c.isdecimal() else c for c in words)
    if number.form is not None:
        return number.form.match(digits) is not None
    return not number.module or _check(number.module)(digits)


def _check(module: str) -> Callable[[str], bool]:
    return cast('Callable[[str], bool]', importlib.import_module(f'stdnum.{module}').is_valid)
