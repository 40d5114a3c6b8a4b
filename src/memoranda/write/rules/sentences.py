"""From a message to the clauses that may state a fact: what is quoted, pasted, asked or supposed drops out here.

Every string keeps the length of what it stands for, so an offset in a clause is an offset in the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memoranda.write.rules.clauses import HOLE, Clause, clauses, strip

__all__ = ['HOLE', 'MAX_TEXT', 'Clause', 'Sentence', 'masked', 'read_sentences', 'split_sentences']

MAX_TEXT = 100_000
"""Code points of a message that are read."""
MAX_SENTENCE = 600
"""A longer sentence is pasted matter, not speech."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, without its end mark."""

    start: int
    text: str
    question: bool
    passing: bool
    """It speaks of this conversation only."""
    clauses: tuple[Clause, ...]
    stated: bool
    """Whether it may state facts; one that doesn't is kept for commands (`never ...`, `forget that ...`)."""


def read_sentences(text: str) -> Iterator[Sentence]:
    """The English sentences of a message, in order."""
    text = text[:MAX_TEXT]
    if not _is_english(text, 1.0):
        return
    mask = masked(text[:MAX_TEXT])
    muted_until = 0
    for start, end, mark in split_sentences(mask):
        start, end = strip(mask, start, end)
        if start < muted_until or end - start < 3 or end - start > MAX_SENTENCE:
            continue
        sentence = mask[start:end]
        if _TASK.match(sentence):
            return
        if _SUPPOSE.match(sentence) or (mask[end : end + 1] == ':' and _REPORT.search(sentence)):
            muted_until = _paragraph_end(mask, end)
            continue
        if not _is_english(sentence, 0.5):
            continue
        question = '?' in mark
        if question:
            end = _question_start(sentence) + start
            start, end = strip(mask, start, end)
            if end - start < 3:
                continue
            sentence = mask[start:end]
        example = _EXAMPLE.search(sentence)
        if example:
            start, end = strip(mask, start, start + example.start())
            sentence = mask[start:end]
            if end - start < 3:
                continue
        wished = _WISHED.match(mask, end, end + 40)
        told = _REPEATED.sub('', sentence, count=1)  # `as I said, ...` reports nobody else
        stated = not (wished or _UNSTATED.match(sentence) or _REPORT.search(told) or _IRONY.search(sentence))
        yield Sentence(
            start, sentence, question, _PASSING.search(sentence) is not None, tuple(clauses(sentence, start)), stated
        )


# What is not the speaker's own statement

_FENCE = re.compile(r'^[ \t]{0,8}(?:```|~~~)')
_LABEL = re.compile(r"[ \t]{0,8}(?:[-*•]\s)?(?P<label>[A-Z][\w.'-]{0,24}(?: [A-Z]?[\w.'-]{1,24}){0,2}):(?:\s|$)")
_OWN_LABELS = re.compile(
    r'(?:note|notes|ps|p\.s|update|edit|correction|fyi|context|background|about me|me|reminder|remember'
    r'|preference|preferences|goal|goals|rule|rules|important|btw|also|ok|okay|so|hi|hello|first|second|third'
    r'|(?:small|one|one more|another|quick|little|last|other) (?:thing|correction|update|note|change|detail|request)'
    r'|(?:good|great|bad|sad|big|happy|exciting|some) news|change of plans?|heads up|plot twist|actually|sorry|oops'
    r'|wait|for the record|to clarify|my mistake|new job|new stack|guess what|(?:life|status) update|news'
    r'|lesson(?: learn(?:ed|t))?|note to self|takeaway|pitfall|gotcha|caveat|what worked|rule of thumb|tip'
    r'|workaround|root cause)$',
    re.IGNORECASE,
)
_WEB = re.compile(r'(?:https?://|www\.)[^\s<>"]{1,2000}|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}')
_QUOTES = (
    re.compile(r'"[^"\n]{1,2000}"'),
    re.compile(r'“[^“”\n]{1,2000}”'),
    re.compile(r'«[^«»\n]{1,2000}»'),
    re.compile(r'„[^„“”\n]{1,2000}[“”]'),
    re.compile(r"(?<![\w'])'(?:[^'\n]|(?<=\w)'(?=\w)){2,600}'(?!\w)"),
    re.compile(r'(?<![\w’])‘(?:[^’‘\n]|(?<=\w)’(?=\w)){2,600}’(?!\w)'),
    re.compile(r'`[^`\n]{1,2000}`'),
)
_OPEN_QUOTE = re.compile(r'(?<!\w)["“„](?=\w)[^\n]*')
_NAME_LIKE = re.compile(r"[\w.+#&'/-]{1,30}(?: [\w.+#&'/-]{1,30}){0,3}$")
_SELF = re.compile(r'\b(?:I|I\'?m|we|my|me|you|your|our|is|are|was)\b', re.IGNORECASE)
_SYMBOLS = re.compile('[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f]')
_SAME_LENGTH = str.maketrans({'’': "'", '‘': "'", '\u00a0': ' ', '\t': ' ', '\r': ' ', '\u2009': ' ', '\u202f': ' '})


def masked(text: str) -> str:
    """The text with holes where something is pasted or quoted; a quoted name stays."""
    masked = ''.join(_mask_lines(text))
    masked = _WEB.sub(_hole, masked)
    for quote in _QUOTES:
        masked = quote.sub(_hole_unless_name, masked)
    masked = _OPEN_QUOTE.sub(_hole, masked)
    return _SYMBOLS.sub(';', masked.translate(_SAME_LENGTH))


def _mask_lines(text: str) -> Iterator[str]:
    fenced = forwarded = told = False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
            yield _blank(line)
            continue
        bare = line.strip()
        if bare.startswith('On ') and bare.endswith('wrote:'):
            forwarded = True
        label = _LABEL.match(line)
        pasted = bare.startswith(('>', '|', '<', '{', '$ ', '#!')) or line.startswith('    ')
        named = label is not None and not _OWN_LABELS.match(label['label'])
        if named and label is not None and label.end() >= len(line.rstrip()):
            # A name or `He told me:` alone on its line: what follows, up to an empty line, is theirs.
            told = ' ' not in label['label'] or _REPORT.search(label['label']) is not None
            yield line
            continue
        told = told and bool(bare)
        yield _blank(line) if fenced or forwarded or pasted or named or told else line


def _blank(line: str) -> str:
    # Other line ends than \n would end a sentence elsewhere than here; holes carry none.
    return HOLE * (len(line) - 1) + ('\n' if line[-1:] in '\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029' else HOLE)


def _hole(m: re.Match[str]) -> str:
    return HOLE * len(m[0])


def _hole_unless_name(m: re.Match[str]) -> str:
    inner = m[0][1:-1]
    return m[0] if _NAME_LIKE.match(inner) and not _SELF.search(inner) else HOLE * len(m[0])


# Language

_ENGLISH = frozenset(
    "i i'm i've i'd i'll im the a an and or but is are was were be been to of in on at for with my me we our us it "
    "it's that this you your not don't dont doesn't can't have has had do does did so because as from by about who "
    'which what when where how why if would will can just really also am always never please no live like love use '
    'work per only after before into than their they he she then there'.split(' ')
)
_FOREIGN = frozenset(
    'es llamo el los las un una unos que porque pero muy mi mis tu vivo soy estoy tengo '
    'gusta encanta trabajo yo nosotros para '
    'por con del este esta como cuando y lo le les du des je tu il elle nous vous suis est sont et ou mais avec dans '
    "j'ai j'aime j'habite c'est pas très mon ma mes une au aux qui ich bin ist und der das ein eine einen mein meine "
    'nicht aber mit auf für wohne habe liebe heiße arbeite wir sie auch sehr eu sou estou tenho moro gosto não mas '
    'uma meu minha os da em com ele ela você io sono ho mi che di il gli della con per mio mia abito vivo amo lavoro '
    'ik ben heb het een van en niet mijn woon hou jeg er og ikke på jag är och inte på det att min mitt bor har ja '
    'nie jest się mam nu este sunt și ve bir benim çok ile para'.split(' ')
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def _is_english(text: str, weight: float) -> bool:
    """Whether English function words outweigh those of other languages (a place name may hold one: Los Angeles)."""
    sample = text[:4000].replace('’', "'").lower()
    english = foreign = others = letters = 0
    for m in _WORD.finditer(sample):
        word = m[0]
        letters += len(word)
        others += sum(c > '\u024f' for c in word)
        english += word in _ENGLISH
        foreign += word in _FOREIGN and word not in _ENGLISH
    return others * 3 <= letters and foreign * weight <= english * (1 if weight == 1.0 else 0.25)


# Sentences

_END = re.compile(r'(?P<mark>[.!?…]{1,20})["\')\]]{0,3}(?=\s|\Z|;)|(?P<line>\n)')
_TITLE = re.compile(
    r'(?:\b(?:mr|mrs|ms|dr|st|prof|mt|vs|e\.g|i\.e|approx|no)|\b[A-Z]|\b(?:[A-Za-z]\.){1,3}[A-Za-z])$', re.I
)
_MAYBE_TITLE = re.compile(r'\b(?:etc|inc|ltd|co|corp|jr|sr|p\.m|a\.m|u\.s|u\.k)$', re.I)


def split_sentences(mask: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and end mark of each sentence."""
    start = 0
    for m in _END.finditer(mask):
        if m['mark'] == '.':
            before = mask[max(start, m.start() - 12) : m.start()]
            follows = mask[m.end() : m.end() + 2].strip()[:1]
            if _MAYBE_TITLE.search(before):
                if follows.islower() or follows == ',':
                    continue
            elif (_TITLE.search(before) and follows) or (before.strip().isdigit() and m.start() - start < 6):
                continue
        yield start, m.start(), m['mark'] or ''
        start = m.end()
    yield start, len(mask), ''


def _paragraph_end(mask: str, start: int) -> int:
    end = mask.find('\n\n', start)
    return len(mask) if end < 0 else end


_ASK = (
    r"(?:(?:please|pls|can you|could you|would you|will you|help me(?: to)?|i want you to|i need you to|i'd like you to"
    r"|let's|now|ok|okay|hi|hey|hello|i need(?: help)?(?: to)?),?\s+){0,4}"
)
_WORKS = (
    r'(?:story|poem|song|haiku|limerick|lyrics|rap|email|e-mail|letter|message|post|tweet|speech|essay|bio|biography'
    r'|dialogue|dialog|script|review|paragraph|text|sentence|caption|article|monologue|scene|tale|novel|resume|cv'
    r'|prompt|reply|response|joke|diary|journal entry|blog|persona|sonnet|note to)'
)
_TASK = re.compile(
    _ASK + r'(?:translate\b|rewrite\b|rephrase\b|reword\b|paraphrase\b|proofread\b|summari[sz]e\b|transcribe\b'
    r'|(?:correct|fix|check|improve|edit|polish|explain|analy[sz]e|parse|classify) (?:(?:the|this|my|these|that)\s)?'
    r'(?:grammar|sentences?|text|spelling|paragraph|phrase|following|email|essay|translation|english)\b'
    rf'|(?:write|draft|compose|create|generate|make|tell|continue|finish)\s(?:me\s|us\s)?'
    rf'(?:an?|the|this|some|my|another|one)\s(?:[\w-]+\s){{0,4}}{_WORKS}\b'
    r"|(?:here(?:'s| is)|below is|this is) (?:the|a|an|my|some) (?:[\w-]+ ){0,3}(?:text|email|poem|lyrics|draft|"
    r'essay|paragraph|story|transcript|letter|code|log|message)\b'
    r'|(?:how (?:do|would|can|could) (?:you|i|we) (?:say|translate|write|spell|pronounce))\b'
    r'|what does\b.{1,80}\bmean\b|the following\b)',
    re.IGNORECASE,
)
_SUPPOSE = re.compile(
    r'(?:(?:ok|okay|so|now|well|hey|and|but|just),?\s){0,2}(?:suppose|supposing|imagine'
    r"|pretend|assume|assuming|let's (?:say|pretend|"
    r'assume|imagine|role)|let us (?:say|assume)|say (?:i|we|that)\b|hypothetically|in a world'
    r'|role-?play|act (?:as|like)'
    r'|you are (?:a|an|the)\b|what if|in this (?:story|scenario|game)|once upon|picture this'
    r'|as a (?:user|customer)\b,?\si'
    r'|user stor|for (?:the|this|a|our|my) (?:role-?play|story|novel|game|scene|skit|sketch|campaign)\b'
    r'|in (?:the|this|my|our|a) (?:\w+ )?(?:role-?play|novel|story|fan ?fic(?:tion)?|screenplay|campaign|book|script'
    r'|skit)'
    r"(?:,| (?:that )?(?:i'm|i am|we're|we are)\b)"
    r'|given that i am|my character|in my (?:dream|novel|story|book))',
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r'(?:\bfor example\b|\bfor instance\b|\be\.g\.?(?=\W)|\bsuch as when\b|\blike when\b|\bas in\b:?)', re.IGNORECASE
)
_UNSTATED = re.compile(
    r'(?:(?:ok|okay|so|now|well|hey|and|but|or|oh|just|wait|hmm|also),?\s){0,2}'
    r"(?:if|unless|whether|would|could|should|does|did|am|is|are|was|were|can(?!'t stand\b)|will|has|had|may|might"
    r'|who|whom|whose'
    r'|what|which|why|how|where|when(?:ever)?|till|until|do (?!not\b)|have (?:i|you|we)\b|wish'
    r"|not that|it's not (?:like|that|true)"
    r'|as if|as though|like i\b(?! (?:said|told|mentioned|wrote))|never have i|i wish|if only|thanks for|thank you '
    r'for)\b',
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"\b(?:(?!(?:which|that|it|this|what|also|and|just|nobody|noone|one)\b)[\w'.-]{1,30}\s(?:(?:just|always"
    r'|often|once|also|then|even|recently|never|jokingly|\w{2,12}ly)\s)?'
    r'(?:said|says|told|tells|claims|claimed|wrote|writes|replied|answered|insists|insisted|believes|thinks'
    r'|asked|asks|argues|argued|joked|texted|whispered|shouted|yelled|sang|sings|quoted'
    r'|exclaimed|announced|complained|complains|keeps? saying|kept saying'
    r'|was like|were like|is like:|goes:|lied|lies|pretended|assumes|assumed|suggested|suggests))\b'
    r'|\baccording to\b|(?<!nobody )(?<!no one )\b(?:says|said|sings|wrote|asked|replied) (?:he|she|my|the|[A-Z]\w+)\b'
    r'|\bquote\b|\blyrics?\b|\bsaying:?\s'
    r'|\b(?:titled|called|named|entitled) \0|\b(?:movie|film|song|novel|book|story|play|poem'
    r'|game|dream|character) where (?:i|we)\b',
)
_REPEATED = re.compile(
    r"\b(?:as|like) (?:i|we)(?:'ve| have)? (?:already |just |once )?(?:said|told you|wrote)\b", re.IGNORECASE
)
_IRONY = re.compile(
    r'\byeah,? right\b|(?:^|\s)/s$|\boh,? (?:great|joy|yay)\b|\bsure,? because\b|\bas if\b'
    r'|\bi wish$|\bin my dreams$'
    r'|\b(?:for|in|during) (?:the|this|our|my|a) (?:role-?play|rpg|fan ?fic(?:tion)?)\b'
    r'|\b(?:novel|story|screenplay) (?:that )?i(?:\'m| am) writing\b'
    r'|\bsaid no one\b|\bjust kidding\b|\bjk\b|\bi\'?m kidding\b',
    re.IGNORECASE,
)
_WISHED = re.compile(r'[.!?…\s-]{1,8}i wish\s*(?:[.!;…]|$)', re.IGNORECASE)
"""What takes back the sentence before it."""
_PASSING = re.compile(
    r'\b(?:for|in|during) (?:(?:the )?rest of )?(?:this|the current|our current) (?:session'
    r'|chat|conversation|thread|discussion|task|exercise|answer|one|time)\b'
    r'|\bjust (?:this|for) (?:once|now|today)\b|\bjust once\b|\bonly (?:this|for) (?:once|time'
    r'|now|today)\b|\bthis time\b|\bfor now\b|\bfor today\b'
    r"|\b(?:today|tonight),? (?:skip|use|answer|reply|please|keep|don't|no|only|just|avoid"
    r'|speak|write)\b|\bfor the (?:next|following) (?:\w+ ){0,2}(?:answer|message|question'
    r'|minute|hour)s?\b',
    re.IGNORECASE,
)
_QUESTION_PART = re.compile(
    r"[,;–—-]\s*(?:(?:and|but|so|then|any|please|now)\s)?(?P<q>(?:who|what|what's|when|where"
    r"|where's|why|how|how's|which|can|could|would|will|should|shall|do|does|did|is"
    r'|are|am|was|were|have|has|any|may|might|got)\b)|\b(?:so|but|and)\s(?P<q2>(?:what|where'
    r'|how|which|can|could|should|do|is|are|would|will|any)\b)',
    re.IGNORECASE,
)
_TAG = re.compile(
    r"(?:[,;]\s*|\s)(?:right|correct|yes|no|ok|okay|eh|huh|don't (?:i|you)|do i|isn't it|am i"
    r"|aren't i|didn't i|did i|you know|remember)$",
    re.IGNORECASE,
)
_ASKS_FIRST = re.compile(
    r'(?:(?:ok|okay|so|now|well|hey|hi|and|but|please|oh)[,\s]+){0,3}(?:who|what|when|where'
    r'|why|how|which|can|could|would|will|should|shall|do|does|did|is|are|am|was|were|have you'
    r"|have i|has|did|any|may|might|don't|isn't|aren't|won't|wouldn't|didn't|you)\b",
    re.IGNORECASE,
)


def _question_start(sentence: str) -> int:
    """Where the question begins: `I'm vegan, what can I cook?` states something first. 0 when all of it asks."""
    if _ASKS_FIRST.match(sentence) or _TAG.search(sentence):
        return 0
    m = _QUESTION_PART.search(sentence)
    return m.start() if m else 0
