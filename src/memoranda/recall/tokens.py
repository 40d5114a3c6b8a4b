"""Words as the keyword index knows them: folded, stemmed, without stop words, whatever the script.

The same text gives the same terms when it is written and when it is looked for, so a change here means indexing anew.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import cast

from snowballstemmer.english_stemmer import EnglishStemmer  # pyright: ignore[reportMissingTypeStubs]

from memoranda._caches import remembered
from memoranda._locks import short_lock

__all__ = ['index_terms', 'is_stop_word', 'query_terms']

_LONGEST = 64
_CACHED = 24

# Scripts written without spaces, and Hangul, whose particles hang on the noun: cut into pairs of characters.
_UNSPACED = (
    '\u0e01-\u0eff'  # Thai, Lao
    '\u1000-\u109f\u1780-\u17ff'  # Burmese, Khmer
    '\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff'  # kana
    '\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd'  # Han
    '\u1100-\u11ff\uac00-\ud7a3'  # Hangul
)
# Indic vowel signs are marks that belong to the word; the two full stops among them are not.
_INDIC = '\u0900-\u0963\u0966-\u0dff'
_LETTER = rf'(?:[^\W_{_UNSPACED}]|[{_INDIC}])'
_TOKEN = re.compile(
    rf"""
    (?P<pairs>[{_UNSPACED}]+)
    | \d+(?:[.,]\d+)+                                    # 3.11, 10,000
    | [A-Za-z](?:\+\+|\#)(?!\w)                          # C++, C#
    | {_LETTER}+(?:['-]{_LETTER}+)*                      # don't, e-mail
    """,
    re.VERBOSE,
)
# Accents, the points of Arabic and Hebrew, and what is written but not seen.
_MARKS = re.compile(
    '[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670'
    '\u00ad\u200b-\u200f\u2060\u202a-\u202e\u2066-\u2069\ufeff]+'
)
# Sorting a run of combining marks takes quadratic time, so long ones (emoji too) are cut out before normalising.
_SIGNS = re.compile(r'[^\w\s\x00-\x7f]{32,}')
_APOSTROPHES = str.maketrans('\u2019\u2018\u02bc\u02b9\u201b\uff07`\u00b4\u2010\u2011', "'" * 8 + '--')
_CAMEL = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+')
_SUFFIX = re.compile(r"(?:n't|'(?:s|re|ve|ll|d|m))$")
_ELISION = re.compile(r"^(?:[cdjlmnst]|qu|all|dell|un)'")

_STOP = frozenset(
    """
    a about after again ain all also am an and any anything are as at be because been before being both but by can
    cannot could did do does doing done down during each either else ever every for from further had has have having he
    her here hers herself him himself his how however i if in into is it its itself just let lets many may maybe me
    might mine more most much must my myself neither no nor not of off on once one only onto or other ought our ours
    ourselves out over own per please quite rather really s same shall she should since so some something such t than
    that the their theirs them themselves then there these they thing things this those though through thus to too
    under until up upon us very via was we well were what whatever when whenever where whether which while who whoever
    whom whose why will with within without would yes yet you your yours yourself yourselves
    ca wo don didn doesn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn mustn needn shan mightn im ive
    dont didnt doesnt isnt arent wasnt werent wont wouldnt couldnt shouldnt hasnt havent hadnt cant youre theyre
    """.split()
)


def is_stop_word(word: str) -> bool:
    """Whether a word, in any case, says nothing about what a text is about."""
    return word.casefold() in _STOP


def index_terms(text: str) -> list[str]:
    """The terms of a text in order, with repeats, stop words left out (unless there is nothing else).

    Compounds are found by their parts and as a whole: `e-mail` gives `mail` and `email`, `getUserName` its words too.
    Takes linear time; any string will do.
    """
    return list(_terms(text, _index_word)) or list(_terms(text, _bare_word))


def query_terms(text: str) -> list[str]:
    """The distinct terms of a question, in order, stop words left out (unless there is nothing else)."""
    return list(dict.fromkeys(_terms(text, _query_word))) or list(dict.fromkeys(_terms(text, _bare_word)))


def _terms(text: str, word: Callable[[str], tuple[str, ...]]) -> Iterator[str]:
    pairs: dict[str, str] = {}
    for m in _TOKEN.finditer(_normal(text)):
        token = m[0]
        if m.lastgroup is None:
            yield from word(token[:_LONGEST])
        elif len(token) == 1:
            yield token
        else:
            for i in range(len(token) - 1):
                pair = token[i : i + 2]
                yield pairs.setdefault(pair, pair)  # one object per pair, however long the text


def _normal(text: str) -> str:
    if text.isascii():
        return text.replace('`', "'")
    text = unicodedata.normalize('NFKC', _SIGNS.sub(' ', text)).translate(_APOSTROPHES)
    return unicodedata.normalize('NFC', _MARKS.sub('', unicodedata.normalize('NFD', text)))


def _remembered(function: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    # Only what looks like a word is kept: long tokens are rarely seen twice, and may be somebody's secret.
    cached = remembered(65_536)(function)

    def word(token: str) -> tuple[str, ...]:
        return cached(token) if len(token) <= _CACHED else function(token)

    return word


@_remembered
def _index_word(token: str) -> tuple[str, ...]:
    parts, whole = _split(token)
    return tuple(_stem(p) for p in (*parts, *whole) if p not in _STOP)


@_remembered
def _query_word(token: str) -> tuple[str, ...]:
    parts, whole = _split(token)
    if whole and '-' not in token:
        parts = whole  # an identifier: its words alone would dilute it
    elif whole and all(len(p) > 2 and p not in _STOP for p in parts):
        whole = ()  # an ordinary compound is looked for by its words
    return tuple(_stem(p) for p in (*parts, *whole) if p not in _STOP and not (whole and len(p) == 1))


@_remembered
def _bare_word(token: str) -> tuple[str, ...]:
    return tuple(p for part in token.split('-') if (p := _fold(part)))


def _split(token: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a token, and the ways it is written in one."""
    if token[0].isdigit() and ('.' in token or ',' in token):
        grouped = re.fullmatch(r'\d{1,3}(?:,\d{3})+(?:\.\d+)?', token)
        return (token.replace(',', '') if grouped else token,), ()
    if '-' in token:
        parts = tuple(_fold(p) for p in token.split('-'))
        whole = ''.join(parts)
        return parts, () if any(c.isdigit() for c in whole) or len(parts) > 3 else (whole,)
    humps = _CAMEL.findall(token) if not token.islower() and token.isalnum() and token.isascii() else []
    if (len(humps) > 1 and token[0].islower() and len(humps[0]) > 1) or len(humps) > 2:
        # `JavaScript` and `iPhone` are names, not identifiers.
        return tuple(h.lower() for h in humps if len(h) > 1), (token.lower(),)
    return (_fold(token),), ()


def _fold(word: str) -> str:
    word = word.casefold()
    if "'" in word:
        word = _ELISION.sub('', _SUFFIX.sub('', word)).replace("'", '')
    return word


class _Stemmer:
    """The stemmer keeps its state in itself, so threads take turns."""

    def __init__(self) -> None:
        self._stemmer = EnglishStemmer()
        self._lock = short_lock()

    def stem(self, word: str) -> str:
        with self._lock:
            return cast(str, self._stemmer.stemWord(word))  # pyright: ignore[reportUnknownMemberType]


_stemmer = _Stemmer()


def _stem(word: str) -> str:
    return _stemmer.stem(word) if word.isascii() and word.isalpha() else word
