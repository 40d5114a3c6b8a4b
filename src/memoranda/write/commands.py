"""Whether a text tells an agent what to do: in English, German, French, Spanish, Italian and Portuguese.

It judges text that is not the user's own. What tells people what to do (a recipe, a manual) is meant to pass; a text
counts when it speaks to an AI, of its answers, its instructions, its memory or its user, or asks to keep something from
somebody. Rules know the usual ways to say that, not all: see docs/trust.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda._caches import remembered
from memoranda.write._command_forms import forms
from memoranda.write._command_signs import Reach, signs
from memoranda.write._command_words import COND, EVERY_TURN, LEAD, OUTPUT, SPEECH, STAND, STANDS, VERB
from memoranda.write.plain import bare, plain, readings

__all__ = ['asks_agent', 'commands', 'commits', 'hides', 'is_standing', 'wishes']

_ENDS: Final = re.compile(r'(?:[^.!?\n;\u3002]|[.](?=[a-z])){1,800}[.!?;\n\u3002]*')
_MOST: Final = 20_000
_SIGNS: Final = re.compile(r'\W{60,}')
"""Forms begin at the beginning of a line, after any signs: in a long run of signs each line would be a beginning."""
_FEW: Final = 20
_OVERLAP: Final = 500
"""Hidden words are looked for in so many code points at a time, which overlap."""
_TORN: Final = re.compile('(?<![A-Za-z])[A-Za-z]+(?:[\u200b-\u200d\u2060\ufeff]+[A-Za-z]+)+')
"""A word with something in it that nobody sees. In a long one it marks where a line may end."""
_SHORT: Final = 12
_TORN_WORDS: Final = 3
"""So many short words are torn on purpose."""
_MENTION: Final = re.compile(
    r'\b(?:such as|like|e\.g\.?|for example|for instance|phrases?|sentences?|words?|strings?|the text|attackers?'
    r'|payloads?|titled'
    r'|called|examples?|prompt injections?|injections?|jailbreaks?|detect\w*|filters?|test\w*|article|study|paper'
    r'|explain\w*|typical\w*)\b'
)
_QUOTES: Final = re.compile(r'"[^"\n]{2,400}"|(?<!\w)\'[^\'\n]{2,400}\'(?!\w)|`[^`\n]{2,400}`')
_COMMITS: Final = re.compile(
    r"\b(?:i'?ll|i will|i shall|i am going to|i'm going to|noted|understood|okay|ok|sure|got it|as instructed"
    r'|i have (?:noted|stored|saved)|ich werde|je vais'
    r'|vou|voy a|ricordero|lo hare)\b'
)
_OWN: Final = (
    re.compile(rf'{LEAD}{STANDS}(?:do not |don\'t |never |always )?{VERB}\b'),
    re.compile(
        rf'{LEAD}{SPEECH}\b[^.!?\n]{{0,80}}?(?:{STAND}|\b(?:in|auf|en|in|em) (?:english|german|french|spanish'
        r'|italian|portuguese|deutsch|englisch'
        r'|franzosisch|spanisch|francais|anglais|allemand|espanol|ingles|frances|italiano|inglese|francese'
        r'|portugues)\b)'
    ),
    re.compile(rf'{LEAD}{COND}[^.!?\n]{{0,120}}?[,:]?\s*{VERB}\b'),
    re.compile(
        r"^\W*(?:please )?(?:call|address) me\b|^\W*(?:please )?(?:don't|do not|never|always|keep"
        rf'|no)\b[^.!?\n]{{0,40}}\b(?:your )?{OUTPUT}\b'
    ),
)


_ME: Final = (
    r'(?:(?:please |bitte |por favor,? |per favore,? |s\'il te plait,? )?'
    r'(?:(?:call|give|show|tell|send|write|answer|spare|remind|ask|talk to|speak to|treat|suggest|recommend) me'
    r'|[a-z]{3,}(?:e|st)? (?:mich|mir|uns)|[a-z]{3,}-(?:moi|nous)|[a-z]{3,}(?:ami|imi|emi|aci|ici|eci)'
    r'|[a-z]{3,}[aei]me|[a-z]{2,}-me)\b)'
)
"""Somebody asks it for themself: `call me`, `nenn mich`, `tutoie-moi`, `rispondimi`, `llamame`, `chama-me`."""
_WISHES: Final = (
    re.compile(
        rf"^\W*i(?:'d| would)? (?:do not |don't )?(?:want|like|need|expect) you to\b[^.!?\n]{{0,80}}?"
        rf'(?:{STAND}|\byour {OUTPUT}\b|\bany ?more\b)'
    ),
    re.compile(rf'^\W*{_ME}[^.!?\n]{{0,120}}?(?:{STAND}|{EVERY_TURN.pattern})'),
    re.compile(rf'^\W*(?:\w+,? )?(?:{STAND}|\b(?:in|a|en|em|bei|auf) {EVERY_TURN.pattern[2:]})[,:]?\s+{_ME}'),
    re.compile(
        rf'^\W*(?:{STAND},? )?(?:please |bitte )?(?:do not|don\'t|never|always|keep|limit|begin|start|end) '
        rf'(?:\w+ ){{0,4}}?your {OUTPUT}\b[^.!?\n]{{0,60}}'
    ),
    re.compile(
        rf'^\W*(?:{EVERY_TURN.pattern})[^.!?\n]{{0,40}}\b(?:should|must|has to|shall|soll\w*|muss|doit|doivent'
        r'|debe\w*|deve\w*|devono)\b'
    ),
    # What is the user's own is to go to nobody, or nowhere unasked: "Nunca envie meus documentos a ninguém".
    re.compile(
        r'^\W*(?:por favor,? |bitte |s\'il te plait,? |per favore,? )?(?:'
        r'(?:nunca|jamas|jamais|nao|no) \w+(?:[ae]s?) [^.!?\n]{0,60}?\b(?:meus?|minhas?|mis?)\b[^.!?\n]{0,60}?'
        r'\b(?:ninguem|nadie|sem (?:me |que eu)|sin (?:\w+me|que yo|mi )|outr[oa]s|otr[oa]s|terceir[oa]s|tercer[oa]s)'
        r'|non \w+(?:are|ere|ire|arlo)\b[^.!?\n]{0,60}?\b(?:mi[oae]i?|miei)\b[^.!?\n]{0,60}?'
        r'\b(?:nessun\w*|senza|altri|terzi)'
        r"|n(?:e |')\w+(?:ez|es?|s|is) (?:jamais|pas|plus)\b[^.!?\n]{0,60}?\b(?:mon|ma|mes)\b[^.!?\n]{0,60}?"
        r"\b(?:personne|sans (?:me|m'|mon|que je)|d'autres|a des tiers)"
        r'|(?!(?:ich|wir|er|sie|es|man|du|ihr)\b)\w+ [^.!?\n]{0,10}?\bmein\w*\b[^.!?\n]{0,40}?\bnie(?:mals)?\b'
        r'[^.!?\n]{0,60}?\b(?:jemand\w*|anderen?|dritte\w*|weiter|ohne)'
        r')'
    ),
)
_CLAUSE: Final = re.compile(r'[.!?:;\n]\s+')


def commands(text: str) -> tuple[tuple[int, int], ...]:
    """Where a text that is nobody's own tells an agent what to do, in code points, ascending.

    Words that are only mentioned, between quotation marks in a sentence about such words, are a span of their own;
    any other command spoils all that follows it, or itself alone where people may be meant. One that is hidden by
    spelling or an encoding spoils all of it.
    """
    return _commands(text)


@remembered(1_024)
def _commands(text: str) -> tuple[tuple[int, int], ...]:
    read = plain(text)
    spans: list[tuple[int, int]] = []
    for m in _ENDS.finditer(read.text):
        reach = _reach(m[0])
        if reach is None:
            continue
        quotes = list(_QUOTES.finditer(m[0]))
        rest = _QUOTES.sub(' ', m[0])
        if quotes and _MENTION.search(rest) and not _tells(rest):
            spans += [read.span(m.start() + q.start(), m.start() + q.end()) for q in quotes if _tells(q[0][1:-1])]
            continue
        if reach == 'all':
            return (*spans, (read.span(m.start(), m.end())[0], len(text)))
        spans.append(read.span(m.start(), m.end()))
    return ((0, len(text)),) if _is_hidden(text) else tuple(spans)


@remembered(1_024)
def hides(text: str) -> bool:
    """Whether a text hides a command by invisible or look-alike characters, by spelling or an encoding."""
    open_, seen = bare(text), plain(text).text
    hidden = (seen != open_ and _tells_any(seen)) or _is_hidden(text)
    return hidden and not _tells_any(open_)


def _is_hidden(text: str) -> bool:
    if not text.isascii() and sum(len(m[0]) <= _SHORT for m in _TORN.finditer(text)) >= _TORN_WORDS:
        return True
    parts = [text[i : i + _MOST] for i in range(0, len(text), _MOST - _OVERLAP)]
    return any(_tells_any(hidden) for part in parts for hidden in _others(part))


def _tells_any(text: str) -> bool:
    return any(_tells(part) for part in (text, *_ENDS.findall(text)))


def _others(text: str) -> Iterator[str]:
    found = readings(text)
    next(found)
    yield from found


def _tells(sentence: str) -> bool:
    return _reach(sentence) is not None


def _reach(sentence: str) -> Reach | None:
    sentence = _SIGNS.sub(_shortened, sentence)
    reach = signs(sentence)
    if reach == 'all' or any(
        (not needs or any(word in sentence for word in needs)) and pattern.search(sentence)
        for needs, pattern in forms()
    ):
        return 'all'
    return reach


def _shortened(signs: re.Match[str]) -> str:
    run = signs[0]
    return f'{run[:_FEW]}\n{run[-_FEW:]}' if '\n' in run else run[:_FEW] + run[-_FEW:]


def asks_agent(text: str) -> bool:
    """Whether a text that is not the user's own tells an agent what to do."""
    return bool(commands(text))


def commits(text: str) -> bool:
    """Whether a model promises to go on doing something: `Understood, I will always recommend ...`."""
    read = plain(text).text
    return _COMMITS.search(read) is not None and re.search(STAND, read) is not None


def is_standing(text: str) -> bool:
    """Whether somebody's own words ask the agent for something that is to hold from now on."""
    read = plain(text).text
    clauses = _CLAUSE.split(read)
    return any(pattern.search(part) for part in dict.fromkeys((read, *clauses)) for pattern in (*_OWN, *_WISHES))


def wishes(text: str) -> bool:
    """Whether somebody says in so many words how the agent is to speak to them, or to answer, from now on."""
    return any(pattern.search(clause) for clause in _CLAUSE.split(plain(text).text) for pattern in _WISHES)
