"""Words before a statement that add nothing to it: `well, actually`, `good news:`, `as I said`."""

from __future__ import annotations

import re

__all__ = ['after_lead']

_LEAD = re.compile(
    r'(?:(?:well|hey|hi|hello|so|oh|yeah|yes|yep|yup|ok|okay|and|but|also|plus|btw|by the way|fyi|actually|honestly'
    r'|personally|anyway|anyways|as you know|to be honest|tbh|right now|currently|now'
    r'|these days|nowadays|lately|in fact'
    r'|unfortunately|sadly|luckily|thankfully|of course|hmm|wow|haha|lol|because|since|though'
    r'|although|even though|besides'
    r'|just so you know|in general|generally|as for me|for me|cause|for context|for reference|personally speaking'
    r'|and now|but now|yet|while|whereas|however|hi there|hey there|good (?:morning|evening|afternoon)|after all'
    r'|in my free time|in my spare time|as a result|finally|then|eventually|at the moment|at present|to be fair'
    r'|as a matter of fact|it turns out(?: that)?|turns out|as of (?:today|now|this (?:week|month|year)))'
    r'(?:\s*[,:!.;-]+\s*|\s+)'
    r'|(?:no|nope|note|ps|update|correction|sorry|my bad|thanks|thank you|sure|context|about me|me|fun fact|true|right'
    r'|exactly|absolutely|totally|definitely|cool|nice|great|first|firstly|second|secondly|next|important|reminder'
    r'|preferences?|goals?|oops|wait|guess what|heads up|plot twist|change of plans?|i(?: have|\'ve)? changed my mind'
    r'|on second thoughts?|i made a (?:small )?(?:mistake|typo)(?: earlier| before)?|(?:small|one|one more|one '
    r'other|another|quick|little|last|other) (?:thing|correction|update'
    r'|note|change|detail|request)|(?:good|great|bad|sad|big|happy|exciting|some) news(?: from (?:the|my) \w+)?'
    r'|(?:life|status) update|news|before (?:you|we) [^:.,;!?]{3,50}(?=:)|a (?:bit|little) about me|to clarify'
    r'|just to clarify|you(?:\'ve| have)? (?:got|have|had) (?:that|it|this|me) wrong|that(?:\'s| is) (?:wrong|not '
    r'right|incorrect)|for the record|full disclosure|new (?:job|stack)|my mistake|long story short'
    r'|(?:as|like) (?:i|we)(?:\'ve| have)? (?:already |just |once )?(?:said|told you|mentioned|wrote)'
    r'(?: (?:before|earlier|already|yesterday))?|as (?:mentioned|said)(?: (?:before|earlier|already))?'
    r')\s*[,:!.;-]+\s*'
    r'|(?:for|in|during) (?:the rest of )?this (?:session|chat|conversation|thread),?\s+)',
    re.IGNORECASE,
)


def after_lead(text: str) -> tuple[str, int]:
    """The statement, and how far in it begins."""
    shift = 0
    for _ in range(4):
        m = _LEAD.match(text, shift)
        if m is None or m.end() >= len(text):
            break
        shift = m.end()
    return text[shift:], shift
