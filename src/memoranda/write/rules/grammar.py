"""Small English: third person forms, turned pronouns, and where a value ends."""

from __future__ import annotations

import re

__all__ = ['NUMBER', 'bare', 'cut', 'is_name', 'is_vague', 'join_not', 'third', 'turned', 'words']

NUMBER = r'(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)'

_IRREGULAR = {'have': 'has', 'am': 'is', "'m": 'is', 'are': 'is', 'do': 'does', 'go': 'goes', 'be': 'is'}


def third(verb: str) -> str:
    """`live` -> `lives`."""
    verb = verb.lower()
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith('y') and verb[-2:-1] not in 'aeiou':
        return verb[:-1] + 'ies'
    return verb + ('es' if verb.endswith(('s', 'sh', 'ch', 'x', 'z', 'o')) else 's')


_TURNS = {
    'i': 'they',
    "i'm": "they're",
    'im': "they're",
    'i am': 'they are',
    'i was': 'they were',
    "i've": "they've",
    "i'd": "they'd",
    "i'll": "they'll",
    'my': 'their',
    'me': 'them',
    'mine': 'theirs',
    'myself': 'themselves',
    'we': 'they',
    "we're": "they're",
    "we've": "they've",
    "we'll": "they'll",
    "we'd": "they'd",
    'our': 'their',
    'ours': 'theirs',
    'us': 'them',
    'ourselves': 'themselves',
}
_TURNING = re.compile(
    r"\b(?:[Ii] (?:am|was)|[Ii](?:'(?:m|ve|d|ll))?|Im|[Ww]e(?:'(?:re|ve|ll|d))?|[Mm]y(?:self)?"
    r'|[Mm]e|[Mm]ine|[Oo]ur(?:s|selves)?|us)\b(?!\.\w)'
)


def turned(text: str) -> str:
    """First-person words said of somebody else: `my garden` -> `their garden`."""
    return _TURNING.sub(lambda m: _TURNS.get(m[0].lower(), m[0]), text)


_WORD = re.compile(r"[\w'+#./&-]+")


def words(text: str) -> list[str]:
    """Its words, with the marks that belong to names (`C++`, `Node.js`)."""
    return [w.strip("./'-") for w in _WORD.findall(text)]


_STOPS = (
    r'(?:,?\s(?:because|since|so|but|while|when|whenever|wherever|as (?:i|we|it|they|a way)'
    r'|though|although|even (?:though|if|when)|if|unless'
    r'|until|till|before|after|and (?:i|we|my|it|that|this|they|he|she|then|there|so|now|also'
    r"|yes)|which|who|whose|where|'cause|cause (?:i|it|we|they|my)|bc|cuz"
    r"|plus|yet|however|otherwise|except|just like|that's|i'm|i've|it's|it was)\b"
    r'|\s?[(\[:;{]|\s[-–—]|—|\w-(?=\s)|\.{2,}|…|,\s(?:too|lol|haha|right|not|especially|like'
    r'|just|always|please|thanks|thank|hence|thus|i|we|you|it|they|he|she'
    r'|you|do|does|did|is|are|was|were|has|have|maybe|even|with|for|to|in|on|at|of|from|by|as'
    r'|that|this|what|how|no|yes|yeah|if)\b)'
)
_STOP = re.compile(_STOPS, re.IGNORECASE)
_TAIL = re.compile(
    r'(?:,?\s|^)(?:too|as well|a lot|very much|so much|right now|now|currently|these days'
    r'|nowadays|lately|recently|though|anyway|for now'
    r'|at the moment|at present|again|lol|haha|btw|by the way|actually|really|either|at all'
    r'|as of now|honestly|already|already now'
    r'|anymore|any more|any longer|even more|the most|more than anything|more than ever|tbh'
    r'|obviously|of course|still|together'
    r'|for sure|originally|in general|generally|usually|most days|all the time|in particular'
    r'|definitely|in (?:this|my) (?:chat|session)'
    r'|please|thanks|thank you|sorry|ever|to be honest|for a while(?: now)?|for years(?: now)?'
    r'|for ages|first|instead|myself|ourselves|and all|in fact|today)$',
    re.IGNORECASE,
)
_EDGES = ' \t,;:.!?…-–—*"\'`“”()[]'


def cut(text: str, *, limit: int = 12, commas: bool = False) -> str:
    """A value up to where another thought begins, without trailing adverbs.

    Empty when it is longer than `limit` words or breaks off (`a library for`). `commas` keeps a name after a comma,
    which otherwise is taken for the person spoken to (`I love tea, Ana`).
    """
    m = _STOP.search(text)
    end = m.start() + (m[0][:1].isalnum()) if m else len(text)
    splice = (_SPLICE if commas else _SPLICE_OR_NAME).search(text, 0, end)
    if splice:
        end = splice.start()
    value = _strip(text[:end])
    for _ in range(3):
        shorter = _strip(_TAIL.sub('', value))
        if shorter == value:
            break
        value = shorter
    return '' if _LOOSE.search(value) or len(value.split()) > limit else value


_FINITE = (
    r",\s(?=(?:[\w'-]{1,20}\s){0,5}?(?:is|are|was|were|'s|has|have|had|makes?|helps?|keeps?"
    r'|gives?|brings?|can|will|would'
    r"|it's|[a-z]+'re)\b)"
)
_SPLICE = re.compile(_FINITE)
_SPLICE_OR_NAME = re.compile(_FINITE + r'|,\s(?=[A-Z][a-z]+$)')
_LOOSE = re.compile(
    r'(?:^|\s)(?:the|an?|with|to|of|for|and|or|in|on|at|by|my|our|that|just|as|about|from|was'
    r'|were|is|are|been|during|like|so|into|than|both|very|really|not|i|we)$',
    re.IGNORECASE,
)


def _strip(value: str) -> str:
    return value.strip(_EDGES)


def bare(text: str) -> str:
    """A value without article, quotes and edges."""
    return re.sub(r'^(?:an?|the|some|my|our)\s', '', _strip(text), flags=re.IGNORECASE)


_DEICTIC = re.compile(
    r"\b(?:you|your|yours|you're|u|ur|yourself|this|these|those|it|its|it's|there|here|him|his"
    r"|her|hers|she|he|they|them|their|theirs|they're|thing|things|"
    r'stuff|something|anything|everything|nothing|someone|somebody|anyone|everyone|one|ones'
    r'|same|such|way|what|how|why|whatever|whoever|wherever|each other|one another'
    r'|another|others?|former|latter|above|below|following|lol|so much|too much|a lot|idea'
    r'|both|all|either|neither|none|any)\b(?![-+#])',
    re.IGNORECASE,
)
_THAT = re.compile(
    r'\bthat\b(?!\s(?:is|are|was|were|has|have|can|make|makes|help|helps|let|lets|give|gives'
    r'|bring|brings|keep|keeps|tell|tells|i|we|involve|involves|feel|feels'
    r'|work|works|connect|connects|explore|explores)\b)',
    re.IGNORECASE,
)
_KNOWN_THE = (
    r'(?:beach|ocean|sea|mountains?|outdoors|rain|snow|sun|city|countryside|theat(?:er|re)'
    r'|cinema|movies|gym|piano|guitar|violin|drums|cello|flute|saxophone'
    r'|harp|clarinet|ukulele|trumpet|bass|banjo|keyboard|night|nature|wild|forest|woods|arts'
    r'|news|cold|heat|dark|office|morning|mornings|evenings?|piano|internet'
    r'|desert|lake|water|stars|moon|sky|library|museum|opera|ballet|circus|zoo|spring|summer'
    r'|autumn|fall|winter|holidays|weekends?|environment|world|planet)'
)
_THE = re.compile(
    rf'\b[Tt]he\s(?![A-Z0-9]|{_KNOWN_THE}(?=$|[,;]|\s(?:and|or|with|in|at|on|by|of|to|for|from'
    rf'|near|when|before|after)\b))'
)
_EMPTY = re.compile(
    r"(?:|(?:i|we|i'm|i've|we're)\b.*|.*\b(?:more|a few|several)|an? (?:(?:new|big|cool|fun"
    r'|exciting|great|small|side|personal|school|special|secret) ){0,2}project|very|really|so'
    r'|fun|good|great|nice|cool|well|sure|okay|fine|time|times|lots|more|much|many|less|few'
    r'|most|some|to|being|doing|going|help|a question|an? (?:question|problem|idea|issue'
    r'|feeling|lot|bit|while|moment'
    r'|minute|second|chance|ton|bunch|few|great time|good time|blast|break|hard time'
    r'|tough time)|questions|problems|trouble|no idea|hearing|seeing|knowing|sharing|talking'
    r'|chatting|catching)$',
    re.IGNORECASE,
)


def is_vague(value: str, *, definite: bool = False) -> bool:
    """Whether a value says nothing by itself: it points at the talk (`this`, `your`, `the colours`) or is empty.

    Args:
        value: After `cut`.
        definite: Let `the ...` pass, where what follows makes it known (`the bakery` someone runs).
    """
    if _EMPTY.match(value) or _DEICTIC.search(value) or _THAT.search(value) or not re.search(r'\w', value):
        return True
    if definite:
        return False
    return _THE.search(value) is not None


_NAME = re.compile(
    r"[A-ZÀ-ÞĀ-Ž][\w'’.-]{0,30}(?:\s(?:[A-ZÀ-ÞĀ-Ž][\w'’.-]{0,30}|de|da|do|dos|van|von|der|la|el|del|al|bin|ibn)){0,4}$"
)
_NOT_NAMES = frozenset(
    'i my the a an we our he she it they you this that these those his her their is was not so very just and but or '
    'monday tuesday wednesday thursday friday saturday sunday god ok okay yes no hi hey '
    'hello thanks sorry back new here glad happy stuck lost done '
    'ready sure trying looking having getting working going'.split(' ')
)


def is_name(text: str) -> bool:
    """Whether it is written like a proper name."""
    return _NAME.match(text) is not None and text.split(maxsplit=1)[0].lower() not in _NOT_NAMES


def join_not(predicate: str) -> str:
    """`like tea` said in the negative: `doesn't like tea`."""
    return f"doesn't {predicate}"
