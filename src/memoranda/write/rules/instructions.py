"""Standing instructions to the assistant, and what it is asked to remember."""

from __future__ import annotations

import re

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import cut, is_name, third, turned
from memoranda.write.rules.words import LANGUAGES

__all__ = ['REMEMBER', 'RULES', 'SENTENCE_RULES', 'passing', 'remembered']

_HIGH = 0.9
_VERBS = (
    r'(?:answer|reply|respond|write|use|call|address|speak|talk|explain|include|add|give|show'
    r'|provide|format|cite|ask|suggest|recommend|mention|check|assume|refer|start|begin|end'
    r'|translate|convert|review|highlight|flag|spell|return|generate|produce|type|run|put|send|summari[sz]e'
    r'|double[- ]check|round|quote|print|list|output|test|commit|push|prefer|default|treat'
    r'|tell|remind|confirm|wait|skip|omit|leave out|avoid|keep|make|be|apologi[sz]e|repeat|say'
    r'|lecture|sugarcoat|flatter|number|indent|document|comment|name|choose|pick|compare|break'
    r'|walk|offer|delete|change|modify|touch|edit|share|store|save|order|book|schedule|limit'
    r'|stick|stop|sign|link)'
)
_IDLE = re.compile(
    r"(?:(?:always|never|don't|do not)\s)?(?:give up|be (?:afraid|ashamed|sorry|grateful|kind"
    r'|there|sad|yourself|too hard|scared|shy|happy|so|your|a (?:good|great|part|blast'
    r'|pleasure|joy|stranger))|stop (?:dreaming|believing|learning|being|growing|trying'
    r'|fighting|loving|exploring|chasing)|start(?! (?:with|by|every|each|all|your)\b)|keep (?:up|going|me posted'
    r'|pushing|in touch'
    r'|it up|trying|smiling|fighting|on|doing|that|moving|your (?:head|chin|spirits))'
    r'|make (?:me|my|us|it|the most|time|sure to (?:take|have|rest|enjoy)|a difference|for)'
    r'|show (?:me|up|love)|tell me about|ask (?:yourself)|say never|say die|let|leave|run out'
    r'|ask for help|put yourself|share (?:your|the love)|be\s*$|use it|add (?:a|some) )',
    re.IGNORECASE,
)
_MANNER = (
    r'(?:answers?|repl(?:y|ies)|responses?|explanations?|messages?|emojis?|emoticons|bullet points?|bullets|markdown'
    r'|tables|jargon|headings?|exclamation (?:marks|points)|em[- ]dashes|disclaimers?|apologies|apologi[sz]ing|filler'
    r'|metric(?: units)?|imperial(?: units)?|celsius|fahrenheit|british (?:english|spelling)'
    r'|american (?:english|spelling)|formal|informal|concise|brief|short|terse|verbose|blunt|direct|polite'
    r'|honest with me|step by step|follow-?up questions|clarifying questions|(?:the )?(?:words?|phrases?|term) \S.*)'
)
"""How the assistant speaks: asking for it once asks for it always."""
_ONCE_VERBS = re.compile(r'(?:always\s)?(?:make|include|add|format|write|give me|limit|keep)\b', re.IGNORECASE)
_ANSWERS = re.compile(r'\b(?:answers|replies|responses|explanations|messages)\b', re.IGNORECASE)
_UNITS = re.compile(
    r'\b(?:metric|imperial|celsius|fahrenheit|british|american|emojis|markdown|simple language|plain language|formal'
    r'|informal)\b',
    re.IGNORECASE,
)


def _language(text: str) -> str | None:
    m = re.search(r'\b(?:in|into)\s(?P<l>(?:brazilian |simple |plain |british |american |swiss )?[A-Za-z]+)$', text)
    return m['l'] if m and m['l'].lower().split()[-1] in LANGUAGES else None


def _draft(words: str, confidence: float = 0.9) -> Draft | None:
    words = words.strip(' ,.!')
    if not words or len(words.split()) > 30:
        return None
    language = _language(words)
    if language and re.match(
        r'(?:(?:always|please|only)\s)?(?:answer|reply|respond|write|speak|talk)\b', words, re.IGNORECASE
    ):
        return Draft(
            words,
            'instruction',
            form='asks',
            slot='language.answer',
            value=language,
            importance=_HIGH,
            confidence=confidence,
        )
    return Draft(words, 'instruction', form='asks', importance=_HIGH, confidence=confidence)


_ASKER = {
    'me': 'the user',
    'my': "the user's",
    'mine': "the user's",
    "i'm": 'the user is',
    'im': 'the user is',
    "i've": 'the user has',
    "i'll": 'the user will',
    'i am': 'the user is',
    'i was': 'the user was',
}
_ASKS = re.compile(
    r"\b(?:(?P<word>[Ii] (?:am|was)|[Ii]'(?:m|ve|ll)|Im|[Mm]e|[Mm]y|[Mm]ine)"
    r"|[Ii]\s(?P<adverb>(?:\w+ly|always|never|just|also|explicitly)\s)?(?P<verb>[a-z]{2,20}(?:n't)?))\b(?!['.]\w)"
)
_NO_ENDING = re.compile(
    r"(?:can|can't|could|couldn't|will|won't|would|wouldn't|may|might|should|shouldn't|must|did|didn't|said|told|sent"
    r'|gave|made|wrote|went|got|had|was|meant|thought|put|cannot|\w+ed)$'
)


def _you_to(text: str, ctx: Context) -> str:
    """`Always tell me`: `always tell the user`, or `them` where a name says who asks."""
    return turned(text if ctx.name else _ASKS.sub(_asker, text))


def _asker(m: re.Match[str]) -> str:
    if m['word']:
        return _ASKER[m['word'].lower()]
    verb = m['verb']
    if verb == "don't":
        verb = "doesn't"
    elif verb == 'do' or (not _NO_ENDING.match(verb) and not verb.endswith("n't")):
        verb = third(verb)
    return f'the user {m["adverb"] or ""}{verb}'


def _always(m: re.Match[str], ctx: Context) -> Drafts:
    words = m['v'].strip()
    if re.search(
        r'\b(?:that|this|those|these) (?:day|time|moment|way|one|feeling)\b|\b(?:us|there for|each other)\b',
        words,
        re.IGNORECASE,
    ):
        return None
    if _IDLE.match(words) or _IDLE.match(re.sub(r'^(?:always|never)\s', '', words, flags=re.IGNORECASE)):
        return None
    return _draft(_you_to(words, ctx))


def _from_now_on(m: re.Match[str], ctx: Context) -> Drafts:
    words = re.sub(
        r'^(?:please|pls|you (?:should|must|can|will)|i want you to|i\'d like you to)\s',
        '',
        m['v'].strip(),
        flags=re.IGNORECASE,
    )
    called = re.match(r'(?:just )?(?:call|address) me (?:as )?(?P<n>.+)', words, re.IGNORECASE)
    if called:
        return _name_to_use(called['n'], ctx)
    if not re.match(
        rf"(?:always |never |only |just |don't |do not |no |mostly )?(?:{_VERBS}\b|no\b|emojis|short|metric)",
        words,
        re.IGNORECASE,
    ):
        return None
    return _draft(_you_to(words, ctx))


def _name_to_use(text: str, ctx: Context) -> Draft | None:
    text = re.split(r',\s(?=[a-z])', text, maxsplit=1)[0]  # `Sasha, nobody says Alexandra`
    name = cut(re.sub(r'\s(?:from now on|in (?:the )?future|going forward|please)$', '', text.strip()), limit=3)
    if not name or (not is_name(name) and not re.fullmatch(r'[a-z][a-z-]{1,15}', name)):
        return None
    if re.match(
        r'(?:back|later|when|if|a|an|the|crazy|old|tomorrow|anytime|whatever|maybe|at|on|and|or|an)\b',
        name,
        re.IGNORECASE,
    ):
        return None
    whom = 'them' if ctx.name else 'the user'
    return Draft(f'call {whom} {name}', 'instruction', form='asks', slot='name.preferred', value=name, importance=_HIGH)


def _call_me(m: re.Match[str], ctx: Context) -> Drafts:
    return _name_to_use(m['v'], ctx)


def _style(m: re.Match[str], ctx: Context) -> Drafts:
    """`Please keep answers short`, `no emojis please`, `don't use jargon`."""
    words = re.sub(r'[\s,]+(?:please|pls|thanks|thank you)$', '', m['v'].strip(), flags=re.IGNORECASE)
    if not re.search(rf'\b{_MANNER}\b', words, re.IGNORECASE) or len(words.split()) > 16:
        return None
    # `Add examples` and `use a table` ask for the next answer only.
    if (_ONCE_VERBS.match(words) and not _ANSWERS.search(words)) or (
        re.match(r'use\b', words, re.IGNORECASE) and not _UNITS.search(words)
    ):
        return None
    if re.search(
        r'\b(?:this|that|these|it|above|below|following|my code|the code|the function|my email)\b', words, re.IGNORECASE
    ):
        return None
    return _draft(_you_to(words, ctx), 0.85)


def _in_language(m: re.Match[str], ctx: Context) -> Drafts:
    words = re.sub(r'\s(?:again|now)$', '', m['v'].strip())
    if re.search(r'\b(?:this|that|it|the following)\b', words, re.IGNORECASE) or _language(words) is None:
        return None
    return _draft(_you_to(words, ctx), 0.85)


def _like(m: re.Match[str], ctx: Context) -> Drafts:
    """`Explain things like I'm five`."""
    if re.search(r'\b(?:this|that|these|it|above|the following)\b', m['v'], re.IGNORECASE):
        return None
    return _draft(_you_to(m['v'], ctx), 0.85)


_QUALITIES = (
    r'(?:short|shorter|brief|concise|detailed|long|longer|direct|honest|simple|formal|informal|technical|thorough'
    r'|step-by-step|blunt|polite'
    r'|friendly|precise|quick)'
)
_SAYINGS = r'(?:answers|replies|responses|explanations|messages|emails|summaries)'


def _wants_answers(m: re.Match[str], ctx: Context) -> Drafts:
    """`I want short answers`, `I like my answers in German`."""
    verb, words = m['verb'].lower(), re.sub(r'\b(?:my|your)\s', '', m['v'].strip())
    language = _language(words)
    return Draft(
        f'{third(verb)} {words}',
        'instruction',
        slot='language.answer' if language else None,
        value=language,
        importance=_HIGH,
        confidence=0.85,
    )


_ALL = re.compile(
    r'\b(?:all|any|every|each|your|all your|all my)\s(?:\w+\s)?(?:code|examples?|snippets|answers?|repl(?:y|ies)'
    r'|responses?|messages?'
    r'|recipes|explanations|emails|dates|prices|distances|amounts)\b',
    re.IGNORECASE,
)


def _all_of(m: re.Match[str], ctx: Context) -> Drafts:
    """`Write all code in TypeScript`."""
    words = m['v'].strip()
    if not _ALL.search(words) or re.search(
        r'\b(?:this|that|these|those|below|above|following|my)\b', words, re.IGNORECASE
    ):
        return None
    return None if len(words.split()) > 14 else _draft(_you_to(words, ctx), 0.85)


def _whenever(m: re.Match[str], ctx: Context) -> Drafts:
    return _draft(_you_to(m['v'], ctx), 0.85)


_PLEASE = r'(?:(?:please|pls|kindly|and|also|so|but|ok|okay|oh)[,\s]+){0,3}'
_WANT = r"(?:(?:i want|i need|i'd like|i would like|i expect) you to |you (?:should|must|need to|have to) )?"

_FORMS = (
    rule(
        rf'{_PLEASE}{_WANT}(?P<v>(?:(?:ask|check with|warn|tell|consult) me|ask) (?:first\s'
        rf'|always\s)?(?:before|whenever|every time)\s.{{3,200}})$',
        _whenever,
    ),
    rule(rf'{_PLEASE}{_WANT}(?P<v>(?:always|never)\s{_VERBS}\b.{{0,300}})$', _always),
    rule(
        rf'{_PLEASE}(?:from now on|going forward|in (?:the )?future|from here on(?: out)?|henceforth),?\s<V>',
        _from_now_on,
    ),
    rule(
        rf"{_PLEASE}(?P<v>(?:don't |do not |just |only |always )?{_VERBS}\s.{{2,200}}?),?\s(?:from "
        rf'now on|going forward|in (?:the )?future|from here on)$',
        _from_now_on,
    ),
    rule(
        rf'{_PLEASE}(?:you can |you may |everyone |everybody |people |(?:my )?friends )?(?:just )?(?:calls? me'
        rf'|(?:address|refer to) me as)\s<V>',
        _call_me,
    ),
    rule(
        rf'{_PLEASE}{_WANT}(?P<v>(?:keep|make|use|avoid|skip|omit|leave out|include|add|format'
        r'|(?:give|show|state) (?:temperatures|distances|weights|prices|dates|times|amounts|measurements)'
        rf"|write|give me|limit|stick to|be|don't|do not|no more|no|stop|only|prefer)\s.{{2,200}})$",
        _style,
    ),
    rule(
        rf'{_PLEASE}{_WANT}(?P<v>(?:always )?(?:answer|reply|respond|speak|talk)(?: to me'
        rf'| me)?(?: only)? in\s[A-Za-z ]{{3,30}}?)(?:,? please)?$',
        _in_language,
    ),
)

_TREAT = (
    r'(?:explain (?:things|everything|concepts|stuff)(?: to me)?|talk to me|speak to me|treat me|write to me|answer me)'
)
RULES = (
    *_FORMS,
    rule(rf'{_PLEASE}{_WANT}(?P<v>(?:always )?{_TREAT} (?:like|as if|as though|as) .{{3,60}})$', _like),
    rule(
        rf'(?:i|we)\s(?P<verb>want|need|like|expect|appreciate)\s(?P<v>(?:my |your |all )?(?:{_QUALITIES}(?: and '
        rf'{_QUALITIES})? {_SAYINGS}'
        rf'|{_SAYINGS} (?:to be )?(?:{_QUALITIES}|in (?:{"|".join(sorted(LANGUAGES))})|with (?:examples|sources)'
        rf'|without emojis)))$',
        _wants_answers,
    ),
    rule(
        rf'{_PLEASE}{_WANT}(?P<v>(?:use|write|answer|format|keep|make|put|give|end|start|begin|sign|show|round) '
        rf'.{{3,100}})$',
        _all_of,
    ),
)

SENTENCE_RULES = (
    rule(
        rf'{_PLEASE}{_WANT}(?P<v>(?:ask|check with|warn|tell|consult) me (?:first\s'
        rf'|always\s)?(?:before|whenever|every time)\s.{{3,200}})$',
        _whenever,
    ),
    rule(
        rf'(?P<v>(?:whenever|every time|each time|any time|anytime) (?:i'
        rf"|you) .{{3,120}}?,? (?:please |always |never |just |don't )?"
        rf'{_VERBS}\b.{{2,120}})$',
        _whenever,
    ),
    rule(
        r'(?P<v>when(?:ever)? (?:i (?:ask|say|write|mention|send|request|paste|share)|you (?:write|answer|reply'
        r'|respond|explain|suggest'
        r'|recommend|summari[sz]e|translate|generate|review|cite|book|plan))\b(?:(?!\b(?:the|this|that|these'
        r'|it)\b)[^,]){2,80}, '
        rf"(?:please |always |never |just |don't )?{_VERBS}\b.{{2,120}})$",
        _whenever,
    ),
    rule(
        rf'(?P<v>when(?:ever)? (?:i|you|we)\b[^,]{{3,100}}, (?:please )?(?:always|never) {_VERBS}\b.{{2,120}})$',
        _whenever,
    ),
)
"""Instructions that begin like a subordinate clause."""

_PASSING = (
    r'(?:for|in|during) (?:(?:the )?rest of )?(?:this|the current|our current) (?:session|chat'
    r'|conversation|thread|discussion|task|exercise|answer|one|time)'
    r'|for the rest of (?:this|the) \w+|just (?:this|for) (?:once|now|today)|just once'
    r'|only (?:this|for) (?:once|time|now|today)|this time|for (?:now|today)|today|tonight'
)
_PASSING_FIRST = re.compile(rf'(?:just |only )?(?:{_PASSING})(?: only)?,?\s+', re.IGNORECASE)
_PASSING_LAST = re.compile(rf',?\s+(?:{_PASSING})(?: only)?$', re.IGNORECASE)
_COMMAND = re.compile(
    rf"{_PLEASE}{_WANT}(?P<v>(?:don't |do not |only |just |always |never "
    rf'|no ){{0,2}}(?:{_VERBS}\b.{{2,200}}|(?<=no )\w.{{2,60}}))$',
    re.IGNORECASE,
)


_TOGETHER = re.compile(
    rf"{_PLEASE}(?:let's|let us|we(?:'ll| will|'re going to| should)?|i(?:'ll| will))\s(?:now )?"
    rf'(?P<v>(?:only|just|stick|stay|focus|keep)\s[a-z].{{3,120}})$',
    re.IGNORECASE,
)
_SPEAK = re.compile(
    rf"{_PLEASE}(?:(?:let's|let us|can we|we(?:'ll| will)?)\s)?(?:do|speak|use|switch to|go with|continue in|talk "
    rf'in|go on in|change to|try)\s'
    r'(?P<l>(?:(?:brazilian|swiss|british|american)\s)?[A-Za-z]+)(?:,?\s(?:instead(?: of [A-Za-z]+)?|not [A-Za-z]+'
    r'|rather than [A-Za-z]+|please))*$',
    re.IGNORECASE,
)


def passing(text: str, ctx: Context) -> Draft | None:
    """An instruction in a sentence that speaks of this conversation: `today skip explanations`."""
    first = _PASSING_FIRST.match(text)
    bare = text[first.end() :] if first else text
    last = _PASSING_LAST.search(bare)
    bare = bare[: last.start()] if last else bare
    spoken = _SPEAK.match(bare)
    if spoken and spoken['l'].lower() in LANGUAGES:
        return _draft(f'answer in {spoken["l"]}', 0.85)
    bare = re.split(r',\s(?=(?:leave|and|but|because|so|since|as)\b)', bare, maxsplit=1)[0]
    m = _COMMAND.match(bare) or _TOGETHER.match(bare)
    if not m or re.search(r'\b(?:it|that|me again)$', m['v']):
        return None
    return _draft(_you_to(m['v'], ctx), 0.85)


REMEMBER = re.compile(
    r'(?:(?:please|pls|and|also|so|ok|okay|hey|can you|could you|just|but|oh)[,\s]+){0,3}'
    r"(?:(?:remember|note|keep in mind|bear in mind|be aware|don't forget|do not forget"
    r'|never forget|make a note|take note|memori[sz]e|save to memory|add to (?:your )?memory)'
    r'(?:,|:| this:|\sthat:?|\sthis,)\s?(?:that\s)?|for the record,\s|fyi[,:]\s'
    r"|for your information,\s|(?:remember|don't forget|do not forget|note)\s(?=(?:my|i|i'm"
    r'|we)\b))(?P<v>.{4,500})$',
    re.IGNORECASE,
)
_STATED = (
    r'(?:live|work|have|like|love|hate|prefer|use|need|want|own|drive|speak|study|eat|drink|go|play|take|run|wear|keep)'
)
_WISDOM = re.compile(
    r"(?:just|do|keep|don't|never|always|sometimes|even|every|there's|there is|it's|it is|to"
    r'|how|when|be|stay|success|life|love|progress|happiness|family|[a-z]+ing\b.{1,40}\b(?:is'
    r'|are) (?:very |so |really )?(?:important|key|everything|essential))\b',
    re.IGNORECASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|can't|cannot|will|must|should|does|doesn't|do|don't|[a-z]{2,}(?:s"
    r"|ed))\b|'s\b",
    re.IGNORECASE,
)
_TO_READER = re.compile(r"\b(?:you|your|you're|yours|yourself|when we|how we|the time)\b", re.IGNORECASE)


def remembered(text: str, ctx: Context) -> Draft | None:
    """A clause that was given to be kept, whole: `remember that the office closes at six`."""
    words = text.strip(' ,.!')
    if _TO_READER.search(words) or _WISDOM.match(words) or len(words) < 4:
        return None
    words = turned(ctx.dated(words, prefer='future'))
    m = re.match(r"they(?:'re| are)\s(?P<rest>.+)$", words, re.IGNORECASE)
    if m:
        return Draft(f'is {m["rest"]}', 'knowledge', confidence=0.9, importance=0.75)
    m = re.match(rf'they\s(?P<verb>{_STATED})\s(?P<rest>.+)$', words, re.IGNORECASE)
    if m:
        return Draft(f'{third(m["verb"])} {m["rest"]}', 'knowledge', confidence=0.9, importance=0.75)
    m = re.match(r"they\s(?P<not>don't|do not)\s(?P<rest>.+)$", words, re.IGNORECASE)
    if m:
        return Draft(f"doesn't {m['rest']}", 'knowledge', confidence=0.9, importance=0.75)
    own = re.match(r'their\s(?P<rest>.+)$', words, re.IGNORECASE)
    if own and not _FINITE.search(own['rest']):
        return None  # `don't forget my birthday` says nothing of it
    if own:
        return Draft(own['rest'], 'knowledge', form='owns', confidence=0.9, importance=0.75)
    return Draft(words, 'knowledge', form='whole', confidence=0.9, importance=0.75)
