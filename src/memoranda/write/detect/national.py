"""Numbers that states and banks give out: checked by their check digits, and by the words beside them where that is not enough."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from memoranda.write.detect.findings import Finding

__all__ = ['ibans', 'national_ids']

_IBAN: Final = re.compile(
    r'(?<![A-Za-z0-9])(?:[A-Z]{2}\d{2}(?:[ \u00a0-][A-Z0-9]{4}){2,7}(?:[ \u00a0-][A-Z0-9]{1,3})?'
    r'|[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30})(?![A-Za-z0-9])'
)
_CALLED_IBAN: Final = re.compile(r'(?i)iban[^A-Za-z0-9]{0,10}(?:is|ist|es|est|:)?[^A-Za-z0-9]{0,5}$')


class _Module(Protocol):
    def is_valid(self, number: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Number:
    """How a country writes a number."""

    region: str
    form: re.Pattern[str]
    module: str = ''
    """Of `stdnum`, to check it; empty: its form is enough."""
    words: re.Pattern[str] | None = None
    """One of which has to stand near, because many numbers look so."""


def _number(region: str, form: str, module: str = '', words: str = '') -> _Number:
    # A letter of another script may stand beside it: not every language puts spaces between words.
    bounded = re.compile(rf'(?<![A-Za-z0-9.,/#+-])(?:{form})(?![A-Za-z0-9]|[-.,/]\d)')
    near = re.compile(rf'(?i)(?<![A-Za-z])(?:{words})(?![A-Za-z])') if words else None
    return _Number(region, bounded, module, near)


_NUMBERS: Final = (
    _number('US', r'\d{3}-\d{2}-\d{4}', 'us.ssn'),
    _number('US', r'\d{9}|\d{3} \d{2} \d{4}', 'us.ssn', 'ssn|social security(?: number)?'),
    _number('US', r'9\d{2}-\d{2}-\d{4}', 'us.itin'),
    _number('GB', r'(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]'),
    _number('GB', r'\d{3}[ -]?\d{3}[ -]?\d{4}', 'gb.nhs', 'nhs(?: number)?'),
    _number('GB', r'\d{10}', 'gb.utr', 'utr|tax reference'),
    _number('IE', r'\d{7}[A-Z]{1,2}', 'ie.pps', 'pps|ppsn|pps number'),
    _number('CA', r'\d{3}[ -]?\d{3}[ -]?\d{3}', 'ca.sin', 'sin|social insurance(?: number)?'),
    _number('AU', r'\d{3} ?\d{3} ?\d{2,3}', 'au.tfn', 'tfn|tax file(?: number)?'),
    _number('NZ', r'\d{2,3}-?\d{3}-?\d{3}', 'nz.ird', 'ird'),
    _number('IN', r'\d{4} ?\d{4} ?\d{4}', 'in_.aadhaar', 'aadhaa?r|uidai|आधार'),
    _number('IN', r'[A-Z]{5}\d{4}[A-Z]', 'in_.pan', 'pan'),
    _number('ZA', r'\d{13}', 'za.idnr', 'id|identity'),
    _number('FR', r'[12]\s?\d{2}\s?(?:0[1-9]|1[0-2])\s?(?:\d{2}|2[AB])\s?\d{3}\s?\d{3}\s?\d{2}', 'fr.nir'),
    _number('BE', r'\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}', 'be.nn'),
    _number('BE', r'\d{11}', 'be.nn', 'rijksregister\\w*|registre national|national register'),
    _number('CH', r'756\.\d{4}\.\d{4}\.\d{2}', 'ch.ssn'),
    _number('CH', r'756\d{10}', 'ch.ssn', 'ahv|avs'),
    _number('DE', r'\d{2} ?\d{3} ?\d{3} ?\d{3}', 'de.idnr', 'steuer-?id\\w*|idnr|identifikationsnummer|steuernummer|tin'),
    _number('AT', r'\d{4} ?\d{6}', 'at.vnr', 'sv-?nummer|svnr|sozialversicherungs\\w*|versicherungsnummer'),
    _number('IT', r'[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]', 'it.codicefiscale'),
    _number('ES', r'\d{8}-?[A-Z]', 'es.dni'),
    _number('ES', r'[XYZ]-?\d{7}-?[A-Z]', 'es.nie'),
    _number('MX', r'[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d', 'mx.curp'),
    _number('AR', r'\d{2}-\d{8}-\d', 'ar.cuit'),
    _number('AR', r'\d{1,2}\.?\d{3}\.?\d{3}', 'ar.dni', 'dni|documento'),
    _number('CL', r'\d{1,2}\.\d{3}\.\d{3}-[\dkK]', 'cl.rut'),
    _number('CL', r'\d{7,8}-[\dkK]', 'cl.rut', 'rut|run'),
    _number('CO', r'\d{3}\.?\d{3}\.?\d{3}-\d', 'co.nit', 'nit|rut'),
    _number('PT', r'\d{8} ?\d ?[A-Z0-9]{2}\d', 'pt.cc', 'cart[ãa]o (?:de|do) cidad[ãa]o|cc'),
    _number('PT', r'\d{3} ?\d{3} ?\d{3}', 'pt.nif', 'nif|contribuinte'),
    _number('BR', r'\d{3}\.\d{3}\.\d{3}-\d{2}', 'br.cpf'),
    _number('BR', r'\d{11}', 'br.cpf', 'cpf'),
    _number('NL', r'\d{4}[ .]?\d{2}[ .]?\d{3}', 'nl.bsn', 'bsn|burgerservicenummer|sofi-?nummer'),
    _number('PL', r'\d{11}', 'pl.pesel', 'pesel\\w*'),
    _number('TR', r'\d{11}', 'tr.tckimlik', 'tc|t\\.c\\.|tckn|kimlik\\w*'),
    _number('RU', r'\d{12}', 'ru.inn', 'инн'),
    _number('RU', r'\d{3}-\d{3}-\d{3} \d{2}', '', 'снилс'),
    _number('CN', r'\d{17}[\dXx]', 'cn.ric'),
    _number('TW', r'[A-Z][12]\d{8}', '', '身[分份][證证]\\w*|national id'),
    _number('JP', r'\d{4}[ -]?\d{4}[ -]?\d{4}', 'jp.in_', 'マイナンバー|個人番号|individual number'),
    _number('KR', r'\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]\d{6}'),
    _number('TH', r'\d-\d{4}-\d{5}-\d{2}-\d', 'th.pin'),
    _number('TH', r'\d{13}', 'th.pin', 'บัตรประชาชน|national id'),
    _number('AE', r'784-?\d{4}-?\d{7}-?\d'),
    _number('EG', r'[23]\d{13}', '', 'الرقم القومي|national id'),
)
_NEAR: Final = 60

# A number that is called what it is needs no check: a slip in typing makes it no less personal.
_NAMED: Final = re.compile(
    r'(?i)(?<![A-Za-z])(?:national (?:id|insurance)|social security|ssn|passport|driv(?:er|ing)[\'\u2019]?s? licen[cs]e'
    r'|(?:identity|id) card|tax(?:payer)? (?:id|number|identification)|residence permit|government id'
    r'|personalausweis|reisepass|ausweis|führerschein|steuer-?id|sozialversicherungs|rentenversicherungs'
    r'|carte d[\'\u2019]identité|passeport|sécurité sociale|permis de conduire|numéro fiscal'
    r'|documento de identidad|pasaporte|dni|nie|seguridad social|cédula|curp|carta d[\'\u2019]identità|passaporto|codice fiscale'
    r'|bilhete de identidade|passaporte|cpf|paspoort|rijbewijs|bsn|burgerservicenummer|pesel|dow[óo]d\w*|paszport\w*|kimlik'
    r'|pasaport|паспорт\w*|водительск\w*|инн|снилс|جواز|الهوية|الرقم القومي|身份证|身分證|护照|護照|パスポート|免許証|在留カード'
    r'|マイナンバー|주민등록|여권|운전면허|บัตรประชาชน|หนังสือเดินทาง)'
    r'[^\n.;!?\d]{0,30}?(?<![A-Z0-9])(?P<secret>(?-i:[A-Z0-9](?:[ ./-]?[A-Z0-9]){5,19}))(?![A-Za-z0-9])'
)
_DATE: Final = re.compile(r'(?<!\d)\d{1,4}[-./]\d{1,2}[-./]\d{2,4}(?!\d)')


def ibans(text: str) -> Iterator[Finding]:
    """IBANs by check digits and the form of the country; with a slip in them, where they are called IBAN."""
    for match in _IBAN.finditer(text):
        valid = _check('iban')
        start, end = match.span()
        # The next words may look like further groups.
        for _ in range(4):
            if valid(text[start:end]):
                yield Finding('personal data', 'iban', start, end)
                break
            end = max(text.rfind(' ', start, end), start)
            if end <= start:
                if _CALLED_IBAN.search(text[max(0, start - 25) : start]):
                    yield Finding('personal data', 'iban', *match.span())
                break


def national_ids(text: str, regions: tuple[str, ...]) -> Iterator[Finding]:
    """National ids, tax and social security numbers.

    Args:
        text: Where to look.
        regions: Of which countries; empty: all that are known.
    """
    for number in _NUMBERS:
        if regions and number.region not in regions:
            continue
        if number.words is not None and not number.words.search(text):
            continue
        for match in number.form.finditer(text):
            near = text[max(0, match.start() - _NEAR) : match.end() + _NEAR]
            if number.words is not None and not number.words.search(near):
                continue
            if not number.module or _check(number.module)(match[0]):
                yield Finding('personal data', 'national id', *match.span())
    for match in _NAMED.finditer(text):
        if sum(c.isdecimal() for c in match['secret']) >= 5 and not _DATE.match(match['secret']):
            yield Finding('personal data', 'national id', *match.span('secret'))


def _check(module: str) -> Any:
    return cast('_Module', importlib.import_module(f'stdnum.{module}')).is_valid
