"""Personal data: what tells who somebody is or how to reach them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final

from memoranda.write.detect.addresses import addresses
from memoranda.write.detect.cards import count_digits
from memoranda.write.detect.findings import Finding
from memoranda.write.detect.national import ibans, national_ids
from memoranda.write.detect.phones import phones

__all__ = ['NEED_PACKAGES', 'personal_data']

NEED_PACKAGES: Final = ('phone number', 'iban', 'national id')
"""Kinds that can't be found without the extra `privacy`."""

# Letters of scripts that put spaces between words: elsewhere the word before would be taken for a part of it.
_L: Final = r'A-Za-z\u00c0-\u024f\u0370-\u052f'
_EMAIL: Final = re.compile(
    rf"(?<![{_L}0-9_%+])[{_L}0-9_%+][{_L}0-9_.%+'-]{{0,63}}@(?:[{_L}0-9](?:[{_L}0-9-]{{0,61}}[{_L}0-9])?\.){{1,8}}"
    rf'[{_L}]{{2,24}}(?![{_L}0-9_-])'
)
_SPELT: Final = re.compile(
    r'(?i)(?<![\w%+])[\w%+][\w.%+-]{0,63}\s?[\[({<]\s?(?:at|@|arroba)\s?[\])}>]\s?'
    r'[\w-]{1,63}(?:\s?(?:\.|[\[({<]\s?(?:dot|punto|punkt|point)\s?[\])}>])\s?[\w-]{2,63}){1,4}'
)
_SPELT_HINTS: Final = ('at]', 'at)', 'at}', 'at>', 'at ]', 'at )', '@]', '@)', 'arroba')
_IPV4: Final = re.compile(r'\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)')
_IPV6: Final = re.compile(r'[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,34}(?![\w:])')
_IP_BORDER: Final = re.compile(r'[A-Za-z0-9_.:-]')
_VERSION: Final = re.compile(
    r'(?i)(?:\bv|\bver\.?|\bversions?|\breleases?|\bbuild|\bfirmware|\bsections?|\bchapters?|\bclauses?|§|\bsteps?)\s?[:=]?\s?$'
)


def personal_data(text: str, wanted: Callable[[str], bool], regions: tuple[str, ...]) -> Iterator[Finding]:
    """E-mail addresses, phone numbers, IBANs, national ids, postal and IP addresses.

    Args:
        text: Where to look.
        wanted: Whether a kind is of interest; the packages of the others are not loaded.
        regions: Whose national formats count; empty: those of `phones.REGIONS`.
    """
    if wanted('email address'):
        yield from _emails(text)
    digits = count_digits(text)
    if digits >= 4 and wanted('iban'):
        yield from ibans(text)
    if digits >= 4 and wanted('national id'):
        yield from national_ids(text, regions)
    if wanted('ip address'):
        yield from _ip_addresses(text, digits)
    if digits >= 7 and wanted('phone number'):
        yield from phones(text, regions)
    if digits and wanted('postal address'):
        yield from addresses(text)


def _emails(text: str) -> Iterator[Finding]:
    if '@' in text:
        for match in _EMAIL.finditer(text):
            start, end = match.span()
            if not _is_of_a_url(text, start) and not (match[0].startswith('git@') and text[end : end + 1] == ':'):
                yield Finding('personal data', 'email address', start, end)
    lower = text.lower()
    if any(hint in lower for hint in _SPELT_HINTS):
        for match in _SPELT.finditer(text):
            yield Finding('personal data', 'email address', *match.span())


def _is_of_a_url(text: str, start: int) -> bool:
    """Whether `pass@host` is the end of the credentials of a URL."""
    before = text[max(0, start - 120) : start]
    _, found, rest = before.rpartition('://')
    return bool(found) and not any(c.isspace() or c in '/?#' for c in rest)


def _ip_addresses(text: str, digits: int) -> Iterator[Finding]:
    """Those of the public internet: others are the same in every home."""
    for pattern, asked in ((_IPV4, digits >= 4 and text.count('.') >= 3), (_IPV6, text.count(':') >= 2)):
        for match in pattern.finditer(text) if asked else ():
            if match.start() and _IP_BORDER.match(text, match.start() - 1):
                continue
            try:
                public = ip_address(match[0]).is_global
            except ValueError:
                continue
            if public and not _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
                yield Finding('personal data', 'ip address', *match.span())
