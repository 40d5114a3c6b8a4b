"""What of a user's message is not the user's own: quotations, pasted mails and pages, code, and recalled lines.

In doubt a stretch is the user's own when it stands alone, and somebody else's when something announces it as that.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from memoranda._caches import remembered
from memoranda.write._labels import ROLE, are_owned, fills_in, is_journey, turns
from memoranda.write._own_quotes import is_own_quote, is_own_report, orders_machine
from memoranda.write.plain import Plain, plain

__all__ = ['Span', 'foreign', 'mentioned', 'recalled', 'reports', 'share']

Span = tuple[int, int]
_MOST: Final = 20_000
_HINT: Final = re.compile(r'["\'`>:<{~\[|\n\r]|--')
"""Without one of these signs nothing is announced."""

_NOUNS: Final = (
    r'(?:e-?mails?|mails?|messages?|msgs?|texts?|sms|letters?|pages?|web ?sites?|sites?|articles?|posts?|blogs?'
    r'|comments?|reviews?|threads?|tickets?|issues?|readme(?:\.md)?|docs?|documents?|documentation|pdfs?|files?'
    r'|reports?|notes?|memos?|transcripts?|logs?|outputs?|results?|responses?|repl(?:y|ies)|snippets?|quotes?'
    r'|paragraphs?|passages?|excerpts?|abstracts?|descriptions?|listings?|ads?|adverts?|flyers?|leaflets?'
    r'|newsletters?|contracts?|invoices?|forms?|manuals?|wikis?|tweets?|captions?|chats?|chat logs?|conversations?'
    r'|tools?|apis?|servers?|bots?|forums?|popups?|banners?|signs?|stickers?|subtitles?|code|json|yaml|csv|config'
    r'|error|instructions|warning|notification|voicemail|statement|story|poem|song|lyrics|headline|product'
    r'|correo\w*|mensajes?|paginas?|articulos?|cartas?|textos?|documentos?|comentarios?|archivos?'
    r'|courriels?|articles?|lettres?|textes?|commentaires?|fichiers?'
    r'|nachricht(?:en)?|(?:web)?seiten?|artikel|briefe?|dokumente?|kommentare?|beitrag|datei(?:en)?'
    r'|messaggi\w*|pagin[ae]|articol[oi]|letter[ae]|test[oi]|document[oi]|comment[oi]'
    r'|mensage(?:m|ns)|artigos?|ficheiros?|arquivos?)'
)
_SAYS: Final = (
    r'(?:says?|said|reads?|states?|stated|goes|went|writes?|wrote|written|texted|replied|replies|answered|posted|sent'
    r'|claims?|claimed|told (?:me|us|him|her|them)|tells (?:me|us)|asked|asks|quotes?|quoted|shouted|contains?|begins?'
    r'|starts?|announced|mailed|e-?mailed|messaged|commented|dice|dijo|escribio|pone|dit|disait|ecrit|a ecrit|sagt'
    r'|sagte'
    r'|forwarded|shared|showed|gave|left|schrieb|schreibt|steht|lautet|ha scritto|scrive|dice che|disse|diz|escreveu)'
)
_OWN_NOUN: Final = (
    r'\b(?:my|our|quick|short|small|side|one|another|last|final|personal|a few|some) (?:[\w-]+ )?(?:notes?|lists?'
    r'|profile|bio|cv|resume|goals?|situation|address|details|summary|plans?|rules?|preferences|instructions|results?'
    r'|contract|error|product|config|story|song|forms?|tools?)\b|^\W*(?:note|notes|warning|error|instructions|memo'
    r'|message|messages|story)(?: (?:for|to) (?:all |any |our |my |the )?(?:later|future|next|coming|self|myself|me|us'
    r'|you|tomorrow)(?: (?:conversation|chat|session|time|use|run|answer)s?)?)?\s*:$'
    r'|^\W*my (?:[\w-]+ )?[\w-]+\s*:$|\b(?:note|remember|know|consider|mind) (?:the )?following\b'
    r'|\b(?:message|note|reminder|question|request|answer) (?:for|to) you'
)
_CARE: Final = (
    r"\b(?:my|our|his|her|the)(?: [\w']+)? (?:doctor|gp|physician|dietitian|dietician|nutritionist|therapist|physio"
    r'|psychiatrist|cardiologist|dermatologist|dentist|nurse|midwife|arzt|arztin|medecin|medico|medica)\b'
)
"""Whose words somebody passes on as facts about themself."""
_COLON: Final = r' ?:(?![\d/])'
"""One that announces something: not that of a time or an address."""
_ASKED: Final = (
    r'(?:^|(?<=[.!?\n]))\W{0,20}(?:(?:please|pls|can you|could you|would you|help me|now|and|so|ok|okay|then'
    r'|i need you to|i want you to'
    r"|i'd like you to|let's|hey|hi),? (?:to )?)*"
    r'(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|reword|explain|analy[sz]e|shorten|classify'
    r'|transcribe|interpret|debug|review|fix|check|edit|improve|correct|format|convert|parse|extract|reply to'
    r'|respond to|answer|look at|have a look at|read|see|what (?:does|do|is|are)|tell me what|traduce|traduci|traduis'
    r'|traduza|ubersetze?|fasse|resume|riassumi|resuma)\b[^.!?\n]{0,80}' + _COLON
)
_HERE: Final = (
    r"\b(?:here(?:'s| is| are| comes| come)|this is|these are|below(?: is| are)?|following|pasted|pasting|forwarded"
    r'|forwarding|i (?:got|received|found|copied|read|saw)|look at|from|attached|aqui (?:esta|va|tienes)|voici|hier ist'
    r'|hier kommt|ecco|segue|aqui vai)\b'
)
_SENTENCE: Final = r'(?:^|(?<=[.!?\n]))'
_ANNOUNCED: Final = (
    re.compile(rf'{_SENTENCE}[^.!?\n]{{0,160}}\b{_NOUNS}\b[^.!?\n]{{0,100}}?\b{_SAYS}\b[^.!?\n]{{0,60}}{_COLON}', re.M),
    re.compile(rf'{_SENTENCE}[^.!?\n]{{0,100}}{_HERE}[^.!?\n]{{0,80}}\b{_NOUNS}\b[^.!?\n]{{0,80}}{_COLON}', re.M),
    re.compile(
        rf"{_SENTENCE}(?!\W{{0,20}}i(?:'ve| have)? )[^.!?\n]{{0,120}}\b(?!i |we )[\w']+ "
        rf"{_SAYS}(?: [\w']+){{0,4}}{_COLON}",
        re.M,
    ),
    re.compile(_ASKED, re.M),
    re.compile(
        r'\b(?:this|the following|my|that|the) (?:\w+ )?(?:e-?mail|mail|message|letter|text|note|sms)\b'
        r'[^.!?\n]{0,40}[?.!:]\s+(?=(?:dear|hi|hello|hey|subject|from)\b)',
        re.M,
    ),
    re.compile(
        r'\b(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|explain|analy[sz]e|shorten|review|fix|check'
        r'|edit|improve|correct)\b[^.!?\n]{0,60}\b(?:following|below|this|attached)\b[^.!?\n]{0,60}[.:!?]?[ \t]*\n',
        re.M,
    ),
    re.compile(rf"{_SENTENCE}[^.!?\n]{{0,60}}{_HERE}[^.!?\n]{{0,40}}\b\w+'s \w+[^.!?\n:]{{0,40}}{_COLON}", re.M),
    re.compile(rf'^[ \t]*(?:the |from the |an? )?(?:[\w-]+ ){{0,3}}{_NOUNS}(?: [\w-]+){{0,4}}{_COLON}', re.M),
)
"""Sentences that end in a colon, after which somebody else speaks."""
_MOST_OWN: Final = 20
"""Quotations of a message that may be the speaker's own: where there are more, it is pasted."""
_PASSED_ON: Final = 400
"""Code points of what somebody said that are looked at: more is no report of a sentence or two."""
_SAYING: Final = re.compile(rf'\b{_SAYS}{_COLON}$')
_REPORTED: Final = re.compile(
    rf'\b(?:the|this|that|your|an?|latest|last|new) (?:[\w-]+ ){{0,3}}{_NOUNS}\b[^.!?\n]{{0,40}}?\b{_SAYS}\b'
    rf'|\b(?:according to|based on|as stated in|as per) (?:the|this|that|your|an?)\b[^.!?\n]{{0,40}}?\b{_NOUNS}\b'
    rf'|\b(?:summary|overview|contents?) of (?:the|this|that|your|an?)\b[^.!?\n]{{0,40}}?\b(?:{_NOUNS}|inbox)\b'
)
_HEADER: Final = re.compile(
    r'^[ \t>*_]*(?P<label>from|to|cc|bcc|subject|date|sent|reply-to|von|an|betreff|datum|gesendet|de|para|a|asunto'
    r'|fecha|objet|envoye|oggetto|da|inviato|assunto|data|x-[a-z-]+)[*_]*[ \t]*:[^\n]+$',
    re.M,
)
_SUBJECT: Final = re.compile(r'^[ \t>*_]*(?:subject|betreff|asunto|objet|oggetto|assunto)[*_]*[ \t]*:', re.M)
_FORWARD: Final = re.compile(
    r'^[ \t>*=_-]*(?:begin |start of )?(?:forwarded|original|quoted|pasted|ursprungliche|weitergeleitete'
    r'|message transfere'
    r'|mensaje (?:original|reenviado)|messaggio (?:originale|inoltrato)|mensagem (?:original|encaminhada))'
    r'[ \t]*(?:message|nachricht|mail|text|content)?[ \t*=_:-]*$'
    r'|^[ \t>]*(?:on|am|le|el|il|em)\b[^\n]{4,120}\b(?:wrote|schrieb[^\n:]{0,60}|a ecrit|escribio|ha scritto|escreveu)'
    r'[ \t]*:',
    re.M,
)
_LABELLED: Final = re.compile(
    rf'^[ \t]*(?:#+[ \t]*)?[\[<(*#]*(?P<role>{ROLE})(?:[ \t](?:message|prompt|note|output|result|override|reply'
    r'|response|instructions?))?[\])>*]*[ \t]*:[^\n]*',
    re.M,
)
_STAMPED: Final = re.compile(r'^[ \t]*\[?\(?\d{1,4}[-/.:]\d{1,2}[^\n]{0,24}[\])-]?[ \t]+\w[\w .]{0,30}:[^\n]*', re.M)
_ENCLOSED: Final = (
    re.compile(r'(?:```|~~~).*?(?:```|~~~|\Z)', re.S),
    re.compile(r'"{3}.*?(?:"{3}|\Z)', re.S),
    re.compile(r"'{3}.*?(?:'{3}|\Z)", re.S),
    re.compile(r'<!--.*?(?:-->|\Z)', re.S),
    re.compile(r'<([a-z][\w-]{0,40})\b[^>\n]{0,200}>(?P<inside>.*?)(?:</\1\s*>|\Z)', re.S),
    re.compile(r'^-{3,}[^\n]*\n.*?\n-{3,}[^\n]*$', re.S | re.M),
    re.compile(r'^={3,}[^\n]*\n.*?\n={3,}[^\n]*$', re.S | re.M),
    re.compile(r'^[ \t]*>[^\n]*(?:\n[ \t]*>[^\n]*)*', re.M),
    re.compile(r'^[ \t]*(?:\$ |#!)[^\n]*', re.M),
    re.compile(r'[{\[]\s*"[^"\n]{1,80}"\s*[:,].{0,2000}?["\d\w\]}]\s*[}\]]', re.S),
)
_QUOTED: Final = (
    re.compile(r'"[^"]{2,4000}"'),
    re.compile(r"(?<![\w'])'(?:[^'\n]|(?<=\w)'(?=\w)){2,2000}'(?!\w)"),
    re.compile(r'(?<!`)`[^`\n]{2,2000}`(?!`)'),
)
_TITLE: Final = re.compile(
    r'\b(?:called|titled|named|entitled|motto|slogan|song|film|movie|book|novel|album|series|game|podcast|band|poem'
    r'|nickname|phrase|i (?:always |often |just |usually )?(?:said|say|told \w+(?: \w+)?|wrote|answered|replied'
    r'|call it)'
    r"|(?<!there )(?<!here )(?<!it )(?<!da )(?<!hier )(?<!c')(?:is|was|ist|war|est|etait|es|era|e)"
    r'|means|lautet|call(?:s|ed)? (?:\w+ ){1,3}'
    r"|(?:me|nos) llama\w*|nenn\w* (?:mich|uns)|(?:m'|nous )appel\w+|(?:mi|ci) chiama\w*|chamam?-(?:me|nos)"
    r'|genannt|heisst|hei\w+t|llamad[oa]|se llama|appele|appelle|chiamat[oa]'
    r'|chamad[oa])[ ,:]*$'
)
_POSSESSIVE: Final = re.compile(
    r'\b(?:my|our|mein\w{0,2}|unser\w{0,2}|mon|ma|mes|notre|nos|mi|mis|nuestr[oa]s?|mi[oae]|miei|nostr[oaie]'
    r'|meus?|minhas?|noss[oa]s?)\b'
)
_MENTIONED: Final = re.compile(r'\w["\'(]?[ \t]+["\'(]?\Z')
"""Before a tag that a sentence speaks of, and doesn't begin to quote with: a word in the same line."""
_GOES_ON: Final = re.compile(r'["\']?[ \t]*[,.;:!?)]|["\']?[ \t]+\w')
"""After such a tag: the sentence goes on. In markup the text begins at once, or in another line."""
_MARK: Final = re.compile(r'\[[me]:[\w.~-]{4,16}\]')
_ASKED_LINE: Final = re.compile(r'^[ \t]*-?[ \t]*asked:[^\n]*', re.M)
_FRAME: Final = re.compile(
    r'[<\[{(]\W{0,2}recalled[\W_]{0,3}memor(?:y|ies)\b[>\]})]?(?P<inside>.*?)'
    r'(?:(?P<end>[<\[{(]\W{0,2}/\W{0,2}recalled[\W_]{0,3}memor\w+\W{0,2})|\Z)',
    re.S,
)


@remembered(512)
def foreign(text: str) -> tuple[Span, ...]:
    """The stretches of a user's message that are not the user's own words, ascending, in code points."""
    # Nobody types so much: what goes on after it was pasted.
    rest = [(_MOST, len(text))] if len(text) > _MOST else []
    text = text[:_MOST]
    if not _HINT.search(text) and text.isascii():
        return tuple(rest)
    read = plain(text)
    return _merged([*(read.span(a, b) for a, b in _found(read, text)), *rest])


@remembered(512)
def reports(text: str) -> bool:
    """Whether a text says what is written elsewhere: `the mail says that ...`, `according to the page ...`."""
    return _REPORTED.search(plain(text).text) is not None


@remembered(512)
def recalled(text: str, *, typed: bool = False) -> tuple[Span, ...]:
    """The stretches that look like lines of a recalled block, however they got there: `[m:1a2b3c4d]` at the end.

    Args:
        text: Of a message.
        typed: Whether a user wrote it, who may speak of the tag of a block in a sentence, when none is closed.
    """
    if '[' not in text and 'recalled' not in text.casefold() and 'asked' not in text.casefold() and text.isascii():
        return ()
    read = plain(text)
    told = [
        m.span()
        for pattern in (_FRAME, _ASKED_LINE)
        for m in pattern.finditer(read.text)
        # One that is closed is a block, wherever it stands.
        if not (typed and pattern is _FRAME and m['end'] is None and _is_mentioned(read.text, m))
    ]
    return _merged([read.span(*span) for span in (*told, *_marked_lines(read.text))])


def _marked_lines(text: str) -> Iterator[Span]:
    """Lines with a mark in them. A pattern that begins with the line would take quadratic time on a long one."""
    done = 0
    for mark in _MARK.finditer(text):
        if mark.start() < done:
            continue
        line = text.find('\n', mark.end())
        done = len(text) if line < 0 else line
        yield text.rfind('\n', 0, mark.start()) + 1, done


def share(span: Span, spans: Sequence[Span], text: str) -> float:
    """How much of the letters and digits of a stretch lies in others, 0..1."""
    start, end = span
    words = any(c.isalnum() for c in text[start:end])
    counted = sum(c.isalnum() or not words for c in text[start:end])
    inside = sum(c.isalnum() or not words for a, b in spans for c in text[max(a, start) : min(b, end)])
    return inside / counted if counted else 0.0


def _found(read: Plain, shown: str) -> Iterator[Span]:
    text = read.text
    blocks = (m for pattern in _ENCLOSED for m in pattern.finditer(text))
    enclosed = [m.span() for m in blocks if _is_long(m[0], 3) and not _is_mentioned(text, m)]
    yield from enclosed
    said = [m.span() for pattern in _QUOTED for m in pattern.finditer(text) if _is_said(text, m)]
    quoted = [
        (a, b)
        for place, (a, b) in enumerate(said)
        if place >= _MOST_OWN or not is_own_quote(text, a, b, shown[slice(*read.span(a, b))])
    ]
    yield from quoted
    labelled = list(_LABELLED.finditer(text))
    if labelled and not _is_typed(text) and not are_owned(text, labelled):
        yield from (m.span() for m in labelled)
    yield from (m.span() for m in _STAMPED.finditer(text))
    yield from turns(text)
    if (begin := _forwarded(text)) is not None:
        yield begin, len(text)
    for pattern in _ANNOUNCED:
        for m in pattern.finditer(text):
            rest = text[m.end() : m.end() + _PASSED_ON]
            mine = _is_own(m[0]) and not _passes_order(m[0], rest)
            if mine or (len(rest) < _PASSED_ON and is_own_report(m[0], rest)):
                continue
            if pattern is _ANNOUNCED[-1] and (_is_typed(text) or fills_in(m[0], text[m.end() :])):
                continue
            yield _announced(text, m, (*enclosed, *quoted))


def _is_own(lead: str) -> bool:
    last = lead[max(lead.rfind(c) for c in '.!?\n') + 1 :]
    return re.search(_OWN_NOUN, last) is not None or re.search(_CARE, last) is not None


def _passes_order(lead: str, said: str) -> bool:
    """Whether somebody says what an agent is to do."""
    return _SAYING.search(lead) is not None and orders_machine(said)


def _is_typed(text: str) -> bool:
    """Whether somebody may use a word and a colon of their own: in a single line, of what is theirs."""
    return '\n' not in text.strip() and _POSSESSIVE.search(text) is not None


def _announced(text: str, m: re.Match[str], given: Sequence[Span]) -> Span:
    start, colon = m.start(), m.end()
    # What is set apart by marks ends with them; anything else may go on to the end.
    for a, b in given:
        if colon <= a and not text[colon:a].strip():
            return start, b
    after = text[colon:]
    if not after.strip():
        return start, colon
    line = after.find('\n')
    if line < 0 or not after[:line].strip():
        return start, len(text)
    if re.match(rf'.*{_ASKED}$', m[0], re.S) or re.search(rf'{_HERE}', m[0]) or after[line:].count('\n') > 2:
        return start, len(text)
    return start, colon + line


def _is_long(text: str, least: int) -> bool:
    return len(re.findall(r'\w+', text)) >= least


def mentioned(text: str, start: int, end: int) -> bool:
    """Whether a sentence only speaks of the tag that stands there: `the field <name> of my form`."""
    before = _MENTIONED.search(text, max(0, start - 40), start)
    return before is not None and _GOES_ON.match(text, end) is not None


def _is_mentioned(text: str, m: re.Match[str]) -> bool:
    return 'inside' in m.re.groupindex and mentioned(text, m.start(), m.start('inside'))


def _is_said(text: str, m: re.Match[str]) -> bool:
    """Whether words in quotation marks are a saying rather than a name."""
    words = re.findall(r"[\w']+", m[0])
    if len(words) < 4:
        return False
    if len(words) > 12 or _TITLE.search(text[max(0, m.start() - 60) : m.start()]) is None:
        return True
    return orders_machine(m[0])


def _forwarded(text: str) -> int | None:
    starts = [m.start() for m in (_FORWARD.search(text), _subject(text)) if m is not None]
    headers = list(_HEADER.finditer(text))
    for first, second in itertools.pairwise(headers):
        if text.count('\n', first.end(), second.start()) <= 2 and first['label'] != second['label']:
            if not is_journey(text[first.start() : headers[-1].end()], text[headers[-1].end() :]):
                starts.append(first.start())
            break
    return min(starts, default=None)


def _subject(text: str) -> re.Match[str] | None:
    found = _SUBJECT.search(text)
    # `Subject: maths. I teach it in Nantes.` is no mail.
    alone = found is not None and not text[: found.start()].strip() and '\n' not in text.strip()
    return None if alone and fills_in(*text.strip().split(':', 1)) else found


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)
