"""What is said in a part, or in a text for somebody else: a game holds from its first word until it is called off.

Where it isn't sure that the speaker speaks of themself, nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoranda.records import Episode
from memoranda.write.rules.clauses import HOLE

__all__ = ['own_words']

_MAX = 20_000
"""Code points of a message in which a game is looked for."""
_LEAD = (
    r'(?:^|(?<=[.!?;:,\n])|(?<=…))[\s*("]{0,4}(?:(?:ok|okay|so|now|well|hey|hi|hello|and|but|please|pls|then|alright'
    r"|right|can we|could we|can you|could you|shall we|i want (?:us |you )?to|i'd like (?:us |you )?to|i need you to"
    r"|we(?:'re| are) going to|you(?:'re| are) going to|let's|lets|let us|from now on)[,!.]?\s{1,3}){0,4}"
)
_I_AM = r"i(?:'m|'ll be|'ll play| am| play| will be| will play)"
_BEGINS = re.compile(
    _LEAD + r'(?:(?:pretend|role[- ]?play|act out|make[- ]believe|cosplay|play pretend|improvise|improv)\b'
    r"|(?:imagine|picture)(?: that)? (?:i|we)(?:'m|'re| am| are| were| was|m)\b"
    r'|(?:stell dir vor|tun wir so|imagina que|imaginemos|finjamos|imaginons|faisons semblant|facciamo finta|immagina'
    r'|vamos fingir|faz de conta)\b'
    r'|play (?:as|the (?:role|part)|a (?:game|scene|character)|(?:20|twenty) questions|truth or|two truths'
    r'|would you rather|dungeons|d&d|dnd)\b'
    r'|(?:do|start|run|try|begin|continue|play|practi[cs]e|simulate|set up|rehearse)\s(?:an?|the|our|my|another|some)?'
    r'\s?(?:[\w-]{2,16}\s){0,2}'
    r'(?:role[- ]?play\w*|(?:mock|practice|fake|job) interview|text adventure|adventure|simulation|skit|improv|dialogue'
    r'|scene|quest)\b'
    rf"|(?:you(?:'re|'ll be| are| will be| be| play)|be) (?:the|my) [^\n]{{0,60}}?\b{_I_AM}\s(?:an?|the|your)\b"
    rf"|you(?:'re|'ll be| are) an? [\w' -]{{3,30}}?,? and {_I_AM} (?:an?|the|your)\b"
    rf"|i(?:'m the|'ll be|'ll play| am the| play| will be| will play)\s[^\n]{{0,60}}?\byou(?:'re|'ll be|'ll play| are"
    r'| play| be| will be)\s(?:an?|the|my)\b'
    rf"|act (?:as|like) [^\n]{{0,60}}?\b(?:i'll be|i'll play|i'm the|i am the)\b"
    r"|you(?:'ll| will)? play (?:an?|the|my)\s\w"
    r'|two truths and a lie\b|in this (?:game|scene|role[- ]?play|simulation)\b|(?:role[- ]?play|scene|scenario)\s?:)'
    r'|\b(?:text adventure|interactive (?:story|fiction)|dungeon master|(?:stay|be|speak|answer|talk|reply) in '
    r'character)\b',
    re.IGNORECASE,
)
"""The speaker takes a part, or gives one."""
_ENDS = re.compile(
    r'\b(?:(?:back|return(?:ing)?) to (?:reality|real life|the real world|being (?:me|myself)|normal|my (?:real|actual)'
    r'|work|business|earth)|zurück zur realität|volvamos a la realidad|torniamo alla realtà'
    r'|revenons à la réalité|de volta à realidade'
    r'|(?:end|ends|ending|stop|stopping|finish|finished|quit|enough|done|exit|leave|drop|over|no more|pause|cut)'
    r'(?:\s(?:of|with|the|this|our|that|here|playing|now)){0,3}\s(?:role[- ]?play\w*|games?|scene|pretend(?:ing)?|story'
    r'|fiction|make[- ]believe|interview|simulation|adventure|playing|acting|improv|act)'
    r'|(?:role[- ]?play|game|scene|story|interview|simulation|adventure) (?:is |\'s )?(?:over|done|finished|ended)'
    r'|out of character|(?:break|breaking|drop|dropping) character|jokes? aside|joking aside|(?:end|fin)\s(?:scene)'
    r'|not pretending any ?more|as myself (?:now|again))\b[^\w\n]{0,4}',
    re.IGNORECASE,
)
_ACTED = re.compile(r'\s*\*(?!\*)[A-Za-z][^*\n]{0,40}\s[^*\n]{1,80}\*(?!\*)')
"""A deed between asterisks: `*Skarn yawns* ...`."""
_WORKS = (
    r'(?:cover letter|letter|application|dating profile|caption|bio|cv|resume|résumé|speech|toast|post|tweet'
    r'|e-?mail|reply|script|draft|ad|advert|blurb|story|novel|poem|song|lyrics|chorus|verse|joke|riddle|quiz|puzzle'
    r'|homework|exercise|essay|transcript|interview|sample|example|demo|template|dummy data|test data|mock data'
    r'|test case|fixture|fixtures|payload|json|yaml|csv|config|configuration|config file|dotfile|dotfiles|prompt'
    r'|system prompt|user story|persona|user persona|character|hero|heroine|protagonist|review|testimonial|quote'
    r'|diary entry|monologue|dialogue|dialog|chapter|scene|excerpt|paragraph|passage|screenplay|message|text)'
)
_ELSEWHOSE = (
    # `here's my cover letter: ...`, `prompt: ...`, `draft for the website: ...`
    re.compile(
        rf"(?:\b(?:here(?:'s| is| are| comes)|this is|these are|below (?:is|are)|see|check|for|of|from|with|in)\s"
        rf"(?:[\w'-]{{1,16}}\s){{0,4}}|^[ \t]{{0,8}}(?:my |the |our |a |an )?(?:[\w'-]{{2,16}}\s){{0,2}}){_WORKS}s?"
        r'(?:\s(?:for|of|about|to|from|so far|i (?:have|got|wrote|made)|goes(?: like this)?|reads?|begins|says)'
        r'(?:\s[\w\'-]{1,16}){0,4})?\s?:',
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        r"\b(?:my|the|our|this)\s(?:[\w'-]{2,16}\s){0,2}(?:poem|song|story|hero|heroine|character|protagonist|novel"
        r"|book|narrator|client|customer|patient|boss|colleague|friend|teacher|neighbou?r|landlord)(?:'s \w+)?"
        r'(?:\s(?:goes(?: like this)?|reads|begins|starts|says|asks|writes|wrote|asked|said)(?: me)?)?\s?:',
        re.IGNORECASE,
    ),
    re.compile(
        r'\b(?:write|draft|compose|give|make|create|tell|answer|reply|respond|roast|caption|reply to|respond to)\b'
        r'[^.!?\n]{0,60}\b(?:captions?|profile|as if|as though|from the (?:perspective|viewpoint|point of view|eyes)'
        r'|in (?:the (?:style|voice)|first person|my name)|slogan|lyrics|poem|haiku|reply to (?:this|that|him|her'
        r'|them))\b',
        re.IGNORECASE,
    ),
    re.compile(
        r'\b(?:reply|respond|answer|react) to (?:this|that|the following|him|her|them|my \w+)\b\s?(?:[?:]|\w+[?:])',
        re.IGNORECASE,
    ),
    re.compile(
        r'\b(?:what|who|where) am i\s?\?|\bwho said\b|\bguess (?:who|what|which|where) i\b'
        r'|\bsolve (?:this|the|it|for)\b'
        r'|\b(?:word problem|riddle|brain ?teaser|fill in the (?:blank|gap)s?|true or false|knock,? knock|punch ?line'
        r'|lorem ipsum|walks into a bar|asking for a friend|says? the (?:user|customer|client))\b',
        re.IGNORECASE,
    ),
    re.compile(
        r'^[>\s-]{0,12}(?:begin forwarded|forwarded message|original message|-+ ?forwarded)|^from:[^\n]{1,200}\n'
        r'(?:(?:to|date|sent|cc|subject|reply-to):[^\n]{0,200}\n){1,6}',
        re.IGNORECASE | re.MULTILINE,
    ),
)
"""A message in which some text is not the speaker's own: none of what follows is read."""

_WRITING = re.compile(
    r"\b(?:i'm|i am|we're|we are|i've been|started)\s(?:\w+ly\s)?(?:writing|drafting|composing|scripting)\s"
    r"(?:an?|the|my|our|some)\s(?:[\w'-]{1,16}\s){0,3}(?:story|novel|poem|song|play|script|screenplay|fan ?fic\w*"
    r'|monologue|comic|sketch|scene|lyrics)\b[^.!?\n]{0,80}[.!?:\n]',
    re.IGNORECASE,
)
"""After it their characters speak."""


def own_words(messages: Sequence[Episode], previous: Sequence[Episode] = ()) -> list[str]:
    """The texts of the messages, emptied where their speaker plays a part or hands over another's words.

    Args:
        messages: Read now.
        previous: Said before them in the conversation; a game begun there may go on.

    Returns:
        One text for each of `messages`, as long as its own (in code points).
    """
    playing = False
    for message in previous:
        if message.role == 'user':
            _, playing = _masked(message.text, playing=playing)
    texts: list[str] = []
    for message in messages:
        if message.role != 'user':
            texts.append(_hole(message.text) if playing else message.text)
            continue
        text, playing = _masked(message.text, playing=playing)
        texts.append(_without_others(text))
    return texts


def _masked(text: str, *, playing: bool) -> tuple[str, bool]:
    """The text without what is said in a part, and whether the part goes on after it."""
    sample = text[:_MAX].replace('’', "'")
    out: list[str] = []
    at = 0
    while at < len(text):
        m = (_ENDS if playing else _BEGINS).search(sample, at)
        if m is None or m.end() == at:
            break
        cut = m.end() if playing else m.start()
        out.append(_hole(text[at:cut]) if playing else text[at:cut])
        if not playing:
            out.append(_hole(text[m.start() : m.end()]))
        at = m.end()
        playing = not playing
    out.append(_hole(text[at:]) if playing or _ACTED.match(sample) else text[at:])
    return ''.join(out), playing


def _without_others(text: str) -> str:
    sample = text[:_MAX].replace('’', "'")
    if any(pattern.search(sample) for pattern in _ELSEWHOSE):
        # What a riddle or a song says stands before the question as well as after it.
        return _hole(text)
    writing = _WRITING.search(sample)
    return text if writing is None else text[: writing.end()] + _hole(text[writing.end() :])


def _hole(text: str) -> str:
    # Between line ends, so that what stands before and after are sentences of their own.
    return f'\n{HOLE * (len(text) - 2)}\n' if len(text) > 1 else '\n' * len(text)
