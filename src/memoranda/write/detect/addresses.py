"""Postal addresses, where a street and a number stand together as they are written in some language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding

__all__ = ['addresses']

_NAME: Final = r"[^\W\d_a-z][\w'\u2019.-]{0,30}"
_WORD: Final = r"[^\W\d_][\w'\u2019.-]{0,30}"
_NUMBER: Final = r'\d{1,5}(?:\s?[A-Za-z](?![A-Za-z]))?(?:[/-]\d{1,4})?'
# `, 10115 Berlin` or `, London NW1 6XE` or `, Springfield, IL 62704`
_TOWN: Final = rf'{_NAME}(?:\s{_NAME}){{0,2}}'
_BRITISH: Final = r'[A-Za-z]{1,2}\d[A-Za-z\d]?\s?\d[A-Za-z]{2}(?!\w)'
_AMERICAN: Final = r'[A-Za-z]{2},?\s\d{5}(?:-\d{4})?(?!\w)'
# Without a code a town counts only where nothing follows: else it may be a name.
_CITY: Final = (
    rf'(?:,?\s{{1,2}}(?:(?:apt|apartment|flat|unit|suite|floor|etage|étage|piso|int)\.?\s?#?\w{{1,6}}))?'
    rf'(?:,?\s{{1,2}}(?:[A-Z]{{1,2}}-)?\d{{4,5}}(?:-\d{{3,4}})?(?:\s[A-Z]{{2}})?\s{_TOWN}'
    rf'|,?\s{_TOWN}(?:,\s{_TOWN})?,?\s{_BRITISH}'
    rf'|,\s{_TOWN}(?:,?\s{_AMERICAN}|,?\s\d{{4,5}})'
    rf'|,\s{_TOWN}(?<!\.)(?=\s{{0,2}}(?:[.;!?)\n]|$)))?'
)
_ENGLISH: Final = (
    'Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Court|Ct|Crescent|Terrace|Highway|Hwy|Parkway|Pkwy|'
    'Square|Close|Mews|Row|Gardens|Grove|Hill|Walk'
)
_FRENCH: Final = rf'{_NUMBER}(?:\s?(?:bis|ter))?,?\s(?i:rue|avenue|boulevard|bd|place|allée|impasse|quai|chemin)'
_OF: Final = r"(?:de|du|des|la|le|les)\s|[dl]['\u2019]"
_PATTERNS: Final = tuple(
    (hints, re.compile(pattern))
    for hints, pattern in (
        (  # 221B Baker Street, London NW1 6XE
            tuple(f' {word}' for word in _ENGLISH.split('|')),
            rf'\d{{1,5}}[A-Za-z]?(?:-\d{{1,5}})?\s(?:[NSEW]\.?\s)?(?:{_NAME}\s){{1,3}}(?:{_ENGLISH})\b\.?'
            rf'(?:\s(?:NW|NE|SW|SE)\b)?{_CITY}',
        ),
        (  # 221b baker street, london nw1 6xe: without capitals the code has to be there
            tuple(f' {word.lower()}' for word in _ENGLISH.split('|')),
            rf'\d{{1,5}}[a-z]?(?:-\d{{1,5}})?\s(?:{_WORD}\s){{1,3}}(?:{_ENGLISH.lower()})\b\.?,?\s{_WORD}(?:,?\s{_WORD}){{0,3}},?\s'
            rf'(?:{_BRITISH}|{_AMERICAN})',
        ),
        (  # Hauptstraße 12, 10115 Berlin; Keizersgracht 123
            ('straße', 'strasse', 'str.', 'gasse', 'allee', 'platz', 'straat', 'gracht', 'laan', 'plein', 'weg'),
            rf'[^\W\d_a-z][\w-]{{1,30}}(?i:straße|strasse|str\.|gasse|allee|platz|straat|gracht|laan|plein|weg)'
            rf'\s{_NUMBER}(?![\w%]){_CITY}',
        ),
        (
            ('Straße ', 'Strasse ', 'Str. ', 'Allee ', 'Platz ', 'Weg ', 'Gasse '),
            rf'{_NAME}\s(?:Straße|Strasse|Str\.|Allee|Platz|Weg|Gasse)\s{_NUMBER}(?![\w%]){_CITY}',
        ),
        (  # 12 rue de la Paix, 75002 Paris
            ('rue ', 'avenue ', 'boulevard ', 'bd ', 'place ', 'allée ', 'impasse ', 'quai ', 'chemin '),
            rf'{_FRENCH}\s(?:{_OF}){{0,3}}{_NAME}(?:\s{_NAME}){{0,3}}{_CITY}',
        ),
        (  # 12 Rue de Rivoli 75001 Paris: as a name, with `de` or a code, since `3 Place Settings` is none
            ('Rue ', 'Avenue ', 'Boulevard ', 'Bd ', 'Place ', 'Allée ', 'Impasse ', 'Quai ', 'Chemin '),
            rf'{_FRENCH}\s(?:(?:{_OF}){{1,3}}{_NAME}(?:\s{_NAME}){{0,3}}{_CITY}'
            rf'|{_NAME}(?:\s{_NAME}){{0,3}},?\s\d{{5}}\s{_TOWN})',
        ),
        (  # 12 rue de rivoli, 75001 paris
            ('rue ', 'avenue ', 'boulevard ', 'bd ', 'place ', 'allée ', 'impasse ', 'quai ', 'chemin '),
            rf'{_FRENCH}\s(?:{_OF}){{0,3}}{_WORD}(?:[\s-]{_WORD}){{0,3}},?\s\d{{5}}\s{_WORD}',
        ),
        (  # Calle Mayor 5, 28013 Madrid; Via Roma, 10; Rua Augusta 123; ul. Marszałkowska 10
            (
                *(
                    'alle ',
                    'c/',
                    'venida ',
                    'vda. ',
                    'av. ',
                    'Av. ',
                    'aseo ',
                    'laza ',
                    'arrera ',
                    'ia ',
                    'iale ',
                    'orso ',
                ),
                *(
                    'iazza ',
                    'icolo ',
                    'ua ',
                    'ravessa ',
                    'raça ',
                    'argo ',
                    'ul. ',
                    'al. ',
                    'leja ',
                    'лица ',
                    'ул. ',
                    'роспект ',
                ),
            ),
            r'(?:Via|(?<=in )via|(?i:calle|c/|avenida|avda\.|av\.|paseo|plaza|carrera|viale|corso|piazza|vicolo|rua'
            rf'|travessa|praça|largo|ul\.|al\.|aleja|улица|ул\.|проспект|пр-т))\s?'
            rf'(?:(?:de|del|della|dei|da|do|dos|das|la|las|los|el)\s){{0,3}}'
            rf'{_NAME}(?:\s(?:(?:de|del|da|do|la)\s)?{_NAME}){{0,3}},?\s(?i:n[.º°]?\s?|nr\s|д\.\s?|дом\s)?{_NUMBER}(?![\w%])'
            rf'{_CITY}',
        ),
        (  # Atatürk Caddesi No: 12
            ('addesi', 'Cad.', 'okak', 'okağı', 'Sk.', 'ulvarı', 'ahallesi'),
            rf'{_NAME}\s(?:{_NAME}\s){{0,2}}(?:Caddesi|Cad\.|Sokak|Sokağı|Sk\.|Bulvarı|Mahallesi),?\s'
            rf'(?:No\s?:?\s?)?{_NUMBER}(?![\w%])',
        ),
        (('〒',), r'〒\s?\d{3}-?\d{4}(?:\s?[^\s,。、]{2,40})?'),
        (
            ('ox ', 'OX ', 'ostfach', 'partado', 'postale'),
            r'(?i)p\.?\s?o\.?\s?box\s\d{1,7}|(?:postfach|apartado (?:de correos|postal)|boîte postale)\s\d{1,7}',
        ),
    )
)


def addresses(text: str) -> Iterator[Finding]:
    """Postal addresses. A town or a street without a number is none."""
    for hints, pattern in _PATTERNS:
        if any(hint in text for hint in hints):
            for match in pattern.finditer(text):
                before = text[match.start() - 1 : match.start()]
                if before == ':' and not text[match.start() - 2 : match.start() - 1].isdecimal():
                    before = ''  # `address:221B`, and no `10:30`
                if not (before.isalnum() or (before and before in '.,/:-_' and match[0][0].isdecimal())):
                    yield Finding('personal data', 'postal address', *match.span())
