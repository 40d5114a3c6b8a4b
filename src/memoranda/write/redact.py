"""Secrets never reach the disk: deterministic detectors that run before the first commit.

Each secret is replaced by a word that says what was there, and can't be recovered. Offsets, hashes and quotes refer to
the redacted text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ['redact']

_Detector = tuple[str, re.Pattern[str], 'Callable[[str], bool] | None']


def _luhn(digits: str) -> bool:
    numbers = [int(c) for c in digits if c.isdigit()]
    if not 13 <= len(numbers) <= 19 or len(set(numbers)) < 2:
        return False
    doubled = [sum(divmod(n * 2, 10)) if i % 2 else n for i, n in enumerate(reversed(numbers))]
    return sum(doubled) % 10 == 0


_DETECTORS: Final[Sequence[_Detector]] = (
    (
        'private key',
        re.compile(
            r'-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s:,.-]{0,20000}?'
            r'-----END [A-Z ]{0,30}PRIVATE KEY-----'
        ),
        None,
    ),
    (
        'api key',
        re.compile(
            r'\b(?:sk-(?:ant-|proj-|or-|live-)?[A-Za-z0-9_-]{20,200}|gh[pousr]_[A-Za-z0-9]{30,255}'
            r'|github_pat_[A-Za-z0-9_]{30,255}|glpat-[A-Za-z0-9_-]{20,60}|(?:AKIA|ASIA)[A-Z0-9]{16}'
            r'|AIza[A-Za-z0-9_-]{35}|xox[abeoprs]-[A-Za-z0-9-]{10,250}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,250}'
            r'|hf_[A-Za-z0-9]{30,60}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,300}|SG\.[\w-]{16,32}\.[\w-]{16,64}'
            r'|gsk_[A-Za-z0-9]{40,60}|m0-[A-Za-z0-9]{30,60})(?![A-Za-z0-9])'
        ),
        None,
    ),
    ('token', re.compile(r'\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}'), None),
    ('token', re.compile(r'(?i)(?<=\bbearer )[A-Za-z0-9._~+/-]{20,2000}=*'), None),
    ('password', re.compile(r'(?<=://)[^\s:/@]{1,100}:[^\s@/]{1,200}(?=@)'), None),
    (
        'password',
        re.compile(
            r'(?i)(?<=\b)(?:(?<=password is )|(?<=password: )|(?<=password=)|(?<=passcode is )|(?<=passphrase is ))'
            r'(?!(?:not|the|a|in|too|very|still|my|your|wrong|required|hashed|stored|empty|invalid|incorrect)\b)\S{3,200}'
        ),
        None,
    ),
    (
        'password',
        # `the wifi password at our cottage is heron-4471`: further away, it must look like one.
        re.compile(
            r'(?i)\b(?:password|passcode|passphrase)(?:\s+[\w\'-]+){1,6}?\s+is:?\s+'
            r'(?P<secret>(?=\S*[\d_!@#$%^&*+=-])(?=\S*[a-z\d])[^\s,;]{4,200}?(?=[.,;!?]*(?:\s|$)))'
        ),
        None,
    ),
    ('card number', re.compile(r'(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-]|\.\d)'), _luhn),
)


def redact(text: str) -> tuple[str, int]:
    """The text without secrets, and how many there were."""
    count = 0
    for kind, pattern, check in _DETECTORS:

        def replacement(match: re.Match[str], kind: str = kind, check: Callable[[str], bool] | None = check) -> str:
            nonlocal count
            if check is not None and not check(match[0]):
                return match[0]
            count += 1
            if 'secret' not in match.re.groupindex:
                return f'[{kind}]'
            begin, end = (place - match.start() for place in match.span('secret'))
            return f'{match[0][:begin]}[{kind}]{match[0][end:]}'

        text = pattern.sub(replacement, text)
    return text, count
