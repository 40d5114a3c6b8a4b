"""Keys and tokens that can be told by their form, as the providers issue them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from memoranda.write.detect.findings import Finding

__all__ = ['is_placeholder', 'keys']

_A: Final = '[A-Za-z0-9]'
_W: Final = '[A-Za-z0-9_-]'

# What each begins with, and the rest of it. Lengths have room to grow: providers change them without notice.
_KEYS: Final[Mapping[str, str]] = {
    # Models
    'sk-': _W + '{20,200}',  # OpenAI, Anthropic, OpenRouter, DeepSeek, LiteLLM, Langfuse
    'gsk_': _A + '{40,60}',  # Groq
    'xai-': _A + '{60,100}',
    'pplx-': _A + '{32,64}',  # Perplexity
    'csk-': _A + '{32,64}',  # Cerebras
    'r8_': _A + '{30,50}',  # Replicate
    'hf_': _A + '{30,60}',  # Hugging Face
    'api_org_': _A + '{30,60}',
    'nvapi-': _W + '{50,90}',  # NVIDIA
    'tgp_v1_': _W + '{30,60}',  # Together
    'jina_': _A + '{40,80}',
    'fw_': _A + '{20,40}',  # Fireworks
    'pa-': _W + '{40,60}',  # Voyage
    'tvly-': _W + '{20,60}',  # Tavily
    'fc-': '[0-9a-f]{32}',  # Firecrawl
    'm0-': _A + '{30,60}',  # Mem0
    'memoranda_': _A + '{49}',  # our own
    'pcsk_': _W + '{40,100}',  # Pinecone
    'lsv2_': '(?:pt|sk)_' + '[0-9a-f]{32}_[0-9a-f]{10}',  # LangSmith
    'pylf_v': r'\d_' + '(?:[a-z]{2}_)?' + _A + '{30,60}',  # Logfire
    'sk_': '(?:(?:live|test|prod)_' + _A + '{16,250}|[0-9a-f]{48})',  # Stripe, Clerk; ElevenLabs
    # Code and packages
    **dict.fromkeys(('ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'), _A + '{30,255}'),
    'github_pat_': '[A-Za-z0-9_]{30,255}',
    **dict.fromkeys(
        ('glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glft-', 'glsoat-', 'glimt-', 'glagent-', 'gloas-'),
        _W + r'{20,60}(?:\.[a-z0-9]{2}\.[a-z0-9]{8,9})?',
    ),
    'npm_': _A + '{36}',
    'pypi-': _W + '{50,300}',
    'rubygems_': '[0-9a-f]{48}',
    'dckr_': '(?:pat|oat)_' + _W + '{24,60}',  # Docker
    'cio': _A + '{32}',  # crates.io
    'oy2': '[a-z0-9]{43}',  # NuGet
    'ATATT3': '[A-Za-z0-9_=-]{100,250}',  # Atlassian
    'ATCTT3': '[A-Za-z0-9_=-]{100,250}',
    'PMAK-': '[0-9a-f]{24}-[0-9a-f]{34}',  # Postman
    # Clouds
    **dict.fromkeys(('AKIA', 'ASIA', 'ABIA', 'ACCA'), '[A-Z0-9]{16}'),  # AWS
    'AIza': _W + '{35}',  # Google
    'GOCSPX-': _W + '{28}',
    'ya29.': _W + '{20,500}',
    **dict.fromkeys(('dop_v1_', 'doo_v1_', 'dor_v1_'), '[0-9a-f]{64}'),  # DigitalOcean
    'HRKU-': '[A-Za-z0-9_-]{36,70}',  # Heroku
    **dict.fromkeys(('fm1_', 'fm2_'), '[A-Za-z0-9+/=,_-]{50,2000}'),  # Fly.io
    'nfp_': _A + '{36,50}',  # Netlify
    'LTAI': _A + '{16,24}',  # Alibaba
    'AKID': _A + '{32}',  # Tencent
    **dict.fromkeys(('hvs.', 'hvb.', 'hvr.'), _W + '{24,300}'),  # Vault
    'dp.': '(?:pt|st|ct|sa|scim|audit)' + r'\.(?:[a-z0-9_-]{2,35}\.)?' + _A + '{40,44}',  # Doppler
    'ops_eyJ': '[A-Za-z0-9+/=_-]{100,2000}',  # 1Password
    'pul-': '[0-9a-f]{40}',  # Pulumi
    # Data and observability
    'dapi': '[0-9a-f]{32}(?:-[0-9])?',  # Databricks
    'sbp_': '[0-9a-f]{40}',  # Supabase
    'sb_secret_': _W + '{20,60}',
    **dict.fromkeys(('pscale_tkn_', 'pscale_pw_', 'pscale_oauth_'), _W + '{30,64}'),  # PlanetScale
    'napi_': _A + '{40,80}',  # Neon
    'pat': _A + r'{14}\.[0-9a-f]{64}',  # Airtable
    'glsa_': _A + '{32}_[0-9a-f]{8}',  # Grafana
    'glc_': '[A-Za-z0-9+/=]{32,400}',
    'NRAK-': '[A-Z0-9]{27}',  # New Relic
    **dict.fromkeys(('sntrys_', 'sntryu_'), '[A-Za-z0-9+/=_-]{40,400}'),  # Sentry
    'phx_': _A + '{40,60}',  # PostHog
    # Messages and work
    **dict.fromkeys(('xoxb-', 'xoxp-', 'xoxa-', 'xoxe-', 'xoxo-', 'xoxr-', 'xoxs-'), '[A-Za-z0-9-]{10,250}'),  # Slack
    'xoxe.': 'xox[bp]-[A-Za-z0-9-]{10,250}',
    'xapp-': r'\d-[A-Z0-9]+-\d+-[a-z0-9]{20,100}',
    'hooks.slack.com/': '(?:services|workflows|triggers)/[A-Za-z0-9_/-]{20,100}',
    'discord.com/api/webhooks/': r'\d{15,21}/' + _W + '{50,100}',
    'SG.': r'[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}',  # SendGrid
    'key-': '[0-9a-f]{32}',  # Mailgun
    'lin_': '(?:api|oauth)_' + _A + '{32,64}',  # Linear
    'ntn_': _A + '{40,50}',  # Notion
    'secret_': _A + '{43}',
    'figd_': _W + '{40,60}',  # Figma
    'EAAC': _A + '{100,300}',  # Facebook
    # Shops and money
    **dict.fromkeys(('rk_live_', 'rk_test_', 'pk_live_', 'pk_test_'), _A + '{16,250}'),  # Stripe
    'whsec_': '[A-Za-z0-9+/=]{24,100}',
    **dict.fromkeys(('shpat_', 'shpca_', 'shppa_', 'shpss_'), '[0-9a-fA-F]{32}'),  # Shopify
    **dict.fromkeys(('sq0atp-', 'sq0csp-'), _W + '{22,60}'),  # Square
    'access_token$production$': r'[0-9a-z]{16}\$[0-9a-f]{32}',  # Braintree
    'AGE-SECRET-KEY-1': '[A-Z0-9]{58}',
}


@cache  # compiled when first needed: all of them take a while
def _pattern(begin: str) -> re.Pattern[str]:
    return re.compile(f'(?<![A-Za-z0-9]){re.escape(begin)}(?:{_KEYS[begin]})(?![A-Za-z0-9])')


_OTHERS: Final[Mapping[str, re.Pattern[str]]] = {
    ':AA': re.compile(r'(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{32,35}(?![A-Za-z0-9])'),  # Telegram
    '-us': re.compile(r'(?<![A-Za-z0-9])[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])'),  # Mailchimp
    'SK': re.compile(r'(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])'),  # Twilio
    '.atlasv1.': re.compile(r'(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}'),  # Terraform
    'Q~': re.compile(r'(?<![A-Za-z0-9_.~-])[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}(?![A-Za-z0-9_~-])'),  # Entra ID
    # Discord
    '.': re.compile(
        r'(?<![A-Za-z0-9_.-])[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9_-])'
    ),
}
_JWT: Final = re.compile(
    r'(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}'
)
_BEARER: Final = re.compile(r'(?i)(?<=\bbearer )[A-Za-z0-9._~+/-]{20,2000}=*')
_BEGIN: Final = re.compile(r'-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----')
_END: Final = re.compile(r'-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----')
_CUT: Final = re.compile(r'(?:(?:\\[nr]|\s){0,4}[A-Za-z0-9+/=]{30,100}){1,400}')
_MOST_KEY: Final = 20_000
_PLACEHOLDER: Final = re.compile(
    r'(?i)example|placeholder|change[-_]?me|replace[-_]?(?:me|with)|redacted|your[-_]|your(?:api|key|token|secret)'
    r'|x{4}|\*{3}|\.{3}|0{8}|1234567890abcdef1234567890abcdef'
)
_WORDS: Final = re.compile('[-_./]')
_LONGEST_WORD: Final = 15
LEAST: Final = 16
_RUN: Final = re.compile('[A-Za-z0-9_-]{16}')
"""Each of these forms has so long a run, but `Bearer`."""


def is_placeholder(key: str) -> bool:
    """Whether it only shows where a key goes: `sk-xxxxxxxx`, `AKIAIOSFODNN7EXAMPLE`, `<your-key>`.

    Keys for a provider's test mode (`sk_test_...`) do open something, and are none.
    """
    if _PLACEHOLDER.search(key) or len(set(key[-16:])) < 3:
        return True
    words = _WORDS.split(key)  # `sk-learn-something-or-other` is a name
    return key == key.lower() and not any(c.isdigit() for c in key) and max(map(len, words)) <= _LONGEST_WORD


def keys(text: str) -> Iterator[Finding]:
    """Private keys, API keys and tokens."""
    if '-----BEGIN' in text:
        yield from _private_keys(text)
    if 'earer ' in text or 'EARER ' in text:
        for match in _BEARER.finditer(text):
            if not is_placeholder(match[0]):
                yield Finding('secret', 'token', *match.span())
    # Prose has no word so long, and this is the quickest way to see it.
    words = [word for word in text.split() if len(word) >= LEAST]
    long = ' '.join(words)
    if not words or not _RUN.search(long):
        return
    if 'eyJ' in long:
        for match in _JWT.finditer(text):
            yield Finding('secret', 'token', *match.span())
    known = [_pattern(begin) for begin in _KEYS if begin in long]
    known += [pattern for part, pattern in _OTHERS.items() if part in long]
    for pattern in known:
        for match in pattern.finditer(text):
            if not is_placeholder(match[0]):
                yield Finding('secret', 'api key', *match.span())


def _private_keys(text: str) -> Iterator[Finding]:
    at = 0
    end: re.Match[str] | None = None
    ends = True
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        if ends and (end is None or end.start() < at):
            end = _END.search(text, at)
            ends = end is not None
        if end is not None and end.start() - at <= _MOST_KEY:
            at = end.end()
        elif cut := _CUT.match(text, at):  # its end is missing, and it is a key all the same
            at = cut.end()
        else:
            continue
        yield Finding('secret', 'private key', begin.start(), at)
