"""The usual forms of commands to an agent."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from memoranda.write._command_words import (
    ACTION,
    AI,
    COND,
    INSTRUCTIONS,
    LEAD,
    OUTPUT,
    PRIVATE,
    PROTOCOL,
    SINK,
    SPEECH,
    STAND,
    STANDS,
    USER,
    VERB,
)

__all__ = ['forms']

_OUTPUTS: Final = (
    'answer', 'repl', 'respon', 'output', 'recommend', 'suggest', 'summar', 'completion', 'message', 'antwort',
    'repons', 'rispost', 'respost', 'respuest',
)  # fmt: skip
_FORMS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    # Ignore what you were told.
    (
        (),
        r'\b(?:ignor\w*|disregard\w*(?! for\b)|forget|override|bypass|overrule|discard|neglect|vergiss'
        r'|oublie[rz]?|olvida\w*'
        r'|dimentica\w*|esque[cç]a|missachte\w*|omet\w*|pay no attention to|stop following|do not follow'
        r'|don\'t follow)\b'
        rf'[^.!?\n]{{0,60}}\b{INSTRUCTIONS}\b',
    ),
    (
        (),
        r'\b(?:ignor\w*|disregard\w*|forget|override|vergiss|oublie[rz]?|olvida\w*|dimentica\w*'
        r'|esqueca)\W+(?:\w+\W+){0,3}'
        r'(?:everything|anything|all|alles|tout|todo|tutto|tudo|whatever)\b[^.!?\n]{0,40}\b(?:above|before'
        r'|previous\w*|prior|earlier'
        r'|so far|told|said|know|bisher\w*|zuvor|oben|avant|precede\w*|anterior\w*|precedent\w*|antes|prima)\b',
    ),
    ((), r'ignore(?:all|any|your|the)?(?:previous|prior|above|earlier)?instructions'),
    # Marks of other speakers.
    ((), r'<\|?\s*(?:im_start|im_end|system|assistant|endoftext|start_header_id|eot_id)\b|\[/?inst\]|<</?sys>>'),
    (
        (),
        # `Developer notes:` is a heading of many a readme.
        r'^\W*(?!(?:developer|admin(?:istrator)?)s?\W{0,2} ?notes\b)'
        r'(?:begin |new |updated? |end of |start of |admin |important |hidden )*(?:system(?=\W*(?:prompt'
        r'|override|instruction|directive|command|mode|policy))|developer|admin(?:istrator)?|root'
        r'|agent|assistant|ai)\W*(?:prompt|message|note|notice|override|instructions?|directives?|command|update'
        r'|alert|policy'
        r'|mode|task|memo)s?\s*[:\]>)\-=]',
    ),
    ((), r'^\W*(?:system|assistant|developer)\s*[:\]>]\s*(?!(?:windows|linux|mac|ubuntu|android|ios)\b)\w'),
    (
        (),
        r'^\W*(?:new|updated?|additional|hidden|special|revised|following) (?:system )?(?:instructions?'
        r'|directives?|orders?|objectives?'
        r'|rules?)\b[^.!?\n]{0,40}:',
    ),
    # To an AI.
    (
        (),
        r'^\W*(?:(?:dear|hey|hi|hello|attention|important|urgent|note|notice|message|instructions?|reminder|memo'
        r'|hint|info|hinweis'
        r'|nota|an|to|for|fur|para|per|pour|note pour|all|any|alle|the|every|fellow|other|future|reading|a|los'
        r'|les|ai|aos|aux|agli|an alle)\b[\s,:!-]*){0,6}'
        rf'{AI}(?:\s+(?!(?:is|are|was|were|can|could|has|have|had|did|does|do|will|would|may'
        r'|might)\b)[\w-]+){0,6}\s*[:,!\u2014-]',
    ),
    (
        (),
        rf'\bif you(?:\'re| are)(?: an?| the)? (?:\w+ )?{AI}|\bas an? (?:\w+ )?{AI}[^.!?\n]{{0,20}},? (?:you'
        r'|always|never|please)\b',
    ),
    (
        (),
        rf'{AI}[^.!?\n]{{0,60}}?\b(?:must|should|shall|has to|have to|needs? to|is to|are to|will now'
        r'|is required|are required|is instructed'
        r'|are instructed|is expected|soll(?:en|te|ten)?|muss|mussen|doit|doivent|debe[n]?|deve|devono'
        rf'|devem)\b[^.!?\n]{{0,50}}?\b{VERB}\b',
    ),
    # Its role, its instructions.
    (
        (),
        r"\byou(?: are|'re) (?:now|no longer|henceforth) (?:an?|the|in|my|to|free|not|bound|allowed|acting"
        r'|operating|required|instructed|authori[sz]ed|permitted|called|named|able'
        r'|\w*bots?)\b(?! (?:\w+ )?(?:member|subscriber|customer|owner|part|position|queue)\b)|\bdu bist (?:jetzt'
        r'|ab sofort|nun)\b|\btu es (?:maintenant|desormais)\b'
        r'|\b(?:ahora eres|eres ahora|ora sei|adesso sei|agora voce e|(?:poi|avanti),? sei|adelante,? eres'
        r'|desormais,? tu es|(?:jetzt|sofort|nun) an? bist du|ab (?:jetzt|sofort) bist du)\b|\bpretend (?:to be'
        r'|that you|you)\b'
        r'|\b(?:enter|enable|activate|switch (?:in)?to|now in|are in|engage) (?:\w+ )?(?:developer|debug|god|dan'
        r'|admin|maintenance|unrestricted|jailbreak|root|sudo|training) mode\b|\bjailbroken\b|\bjailbreak (?:mode'
        r'|prompt)\b|\bdo anything now\b',
    ),
    (
        (),
        r'\byour (?:new|real|true|actual|only|next|current|main|primary|secret|updated|hidden) (?:role|task'
        r'|goals?|instructions?|objectives?|persona|identity'
        r'|purpose|polic(?:y|ies)|rules?|mission|job|priority|directives?)\b|\byour (?:system )?(?:prompt'
        r'|instructions|guidelines|programming)\b',
    ),
    (
        ('system', 'hidden', 'initial', 'original'),
        r'\b(?:reveal|print|output|show|repeat|display|leak|send|disclose|recite|dump'
        r'|summari[sz]e)\b[^.!?\n]{0,20}\b(?:your|the|this|any|all|me|us)\b[^.!?\n]{0,20}\b(?:system|hidden'
        r'|initial|original) '
        r'(?:prompts?|instructions?|messages?)\b',
    ),
    (
        (),
        r'\b(?:secret|magic|trigger|activation|code|passphrase|safe) ?(?:words?|phrases?|keywords?'
        r'|commands?)\b[^.!?\n]{0,80}\b(?:then|say\w*|type\w*'
        rf'|appear\w*|hear\w*|see\w*|must|{ACTION})\b',
    ),
    # Its answers.
    (
        (),
        r'\byour (?:next |final |every |each |future |all |own |first '
        rf'|last )*{OUTPUT}\b[^.!?\n]{{0,50}}\b(?:must|should|shall|have to|needs? to|will|always|never'
        r'|includ\w+|contain\w*|mention\w*|begin\w*|start\w*|end(?:s|ing)?)\b',
    ),
    (
        _OUTPUTS,
        rf'(?<!your )\b{VERB}\b(?! your\b)[^.!?\n]{{0,120}}?\b(?:in|to|with|at|before|after|of|into|on|bei|dans'
        rf'|en|em|nach|vor|zu|mit)\b(?![^.!?\n]*\byour\b(?! (?:\w+ )?{OUTPUT}))[^.!?\n]{{0,30}}?\b(?:your|every'
        r'|each|all|any|jede[rmn]?|ogni|chaque|cada|toda) '
        rf'(?:\w+ )?{OUTPUT}\b',
    ),
    (
        (),
        rf'^\W*(?:{STAND}\W+)?(?:any|every|each|all) (?:\w+ )?{OUTPUT}\b(?![^.!?\n]*{PROTOCOL})[^.!?\n]{{0,50}}'
        r'\b(?:must|should|shall|have to|needs? to|will|has to)\b',
    ),
    # What it is to say whenever.
    (
        (),
        rf'{LEAD}(?:{COND}[^.!?\n]{{0,120}}?(?:[,:;-]\s*|\b(?:then|please|always|never|immer|toujours|siempre'
        r'|sempre|you (?:must|should|will|are to|have to))\s+)(?:then |always |never |please |you (?:must|should'
        rf'|will) |do not |don\'t |to |du |immer |nie |toujours |siempre |sempre |nunca )*\b{VERB}\b)',
    ),
    ((), rf'{LEAD}(?:{STANDS}){{0,3}}{VERB}\b[^.!?\n]{{0,120}}?{COND}'),
    (
        (),
        rf'{LEAD}(?:{STANDS}){{1,3}}(?!(?:mention|include|say|tell|answer|state|name|refer|address|present'
        rf'|describe|begin|start|end)\b[^.!?\n]*\byour?\b(?! {OUTPUT}))(?:do not '
        rf"|don't )?{SPEECH}\b(?! to be\b)",
    ),
    ((), rf'{LEAD}{SPEECH}\b[^.!?\n]{{0,100}}?{STAND}(?! (?:on|be|been|the|was|is|want\w*)\b)'),
    (
        ('you ',),
        r'\byou (?:must|should|shall|have to|need to|are (?:required|expected|instructed'
        rf'|supposed) to) (?:always |never |only |now |not |also )*(?:{SPEECH}|ignore|forward'
        r'|transfer)\b(?! the truth)'
        rf'(?![^.!?\n]*\byour\b(?! {OUTPUT}))',
    ),
    # Its user.
    ((), rf'{LEAD}(?:{STANDS}){{0,3}}(?:do not |don\'t |never |always )?{VERB}\b[^.!?\n]{{0,60}}?{USER}'),
    (
        (),
        r'\bwithout (?:asking|telling|informing|notifying|confirmation|confirming|(?:the )?(?:user|customer)\w*'
        r'|approval|permission|mentioning|warning|further checks?|verification)\b',
    ),
    (
        ('silent', 'secret', 'covert', 'discreet', 'quiet', 'heimlich', 'segret', 'behind'),
        r'\b(?:silently|secretly|covertly|discreetly|quietly|heimlich|en secret|secretamente|segretamente'
        rf'|in secret|behind)\b[^.!?\n]{{0,40}}\b{VERB}\b'
        rf'|\b{VERB}\b[^.!?\n]{{0,80}}\b(?:silently|secretly|covertly|heimlich|secretamente|segretamente)\b',
    ),
    (
        (),
        r"(?:do not|don't|never|must not|should not|mustn't|ohne|nicht|nie|jamais|ne|no|non|nao|nunca|sin|sans"
        r'|senza|sem)\b[^.!?\n]{0,30}\b(?:tell\w*|inform\w*|mention\w*|notify\w*|alert\w*|reveal\w*|disclos\w*'
        rf'|warn\w*|ask\w*|sag\w*|erwahn\w*|dire|dis|diga\w*|decir\w*|dirlo|dizer)\b[^.!?\n]{{0,30}}(?:{USER}'
        r'|this (?:instruction|message|note|rule)|these instructions)',
    ),
    # What it keeps.
    (
        (),
        r'\b(?:remember|memori[sz]e|store|save|keep|record|note|write|add|put|commit|persist'
        r'|log)\b[^.!?\n]{0,100}\b(?:in|to|into|as)\b[^.!?\n]{0,30}\b(?:long[- ]term|memory|memories'
        r"|your (?:notes|records|knowledge|profile)|knowledge base|user(?:'s)? profile|(?:user|standing|permanent"
        r'|saved) (?:preferences?|facts?|instructions?))\b',
    ),
    (
        (),
        rf'(?:{LEAD}|, |\band |\bto )(?:update|change|set|overwrite|edit|replace|modify|correct|erase|delete'
        r'|clear|wipe)\b[^.!?\n]{0,40}\b(?:its |the (?:ai|assistant|agent|user|customer)\S* |long[- ]term '
        r'|stored |saved |your (?=memor|records|knowledge))(?:\w+ )?(?:memor(?:y|ies)|profile|records?'
        r'|preferences?|facts?)\b',
    ),
    (
        (),
        r'^\W*(?:please |important:? |note:? |and |also )*(?:remember|memori[sz]e|note|store|save|keep in mind'
        r'|merke? dir|merk dir|retiens|recuerda|ricorda|lembre-se)\b[^.!?\n]{0,30}\b(?:for (?:the rest of |all '
        r'|every |any |each |your )*(?:(?:future|later|next) (?:use|reference|sessions?|conversations?|chats?'
        r'|runs?|questions?|answers?|interactions?|users?|customers?)|everyone|everybody|sessions?|conversations?'
        r'|users?|customers?|chats?|agents?)|forever|permanently|fur immer|pour toujours|para siempre|per sempre'
        r'|para sempre)\b',
    ),
    (
        (),
        r'^\W*(?:please |important:? |note:? |and |also )*(?:remember|memori[sz]e|note|store|save|keep in mind'
        rf'|merke? dir|merk dir|retiens|recuerda|ricorda|lembre-se)\b[^.!?\n]{{0,40}}(?:{USER}|{AI})',
    ),
    (
        ('future', 'later', 'next', 'other'),
        r'\b(?:note|lesson|instruction|rule|reminder|memory|record)s? (?:to|for) (?:all |any |every '
        r'|the )?(?:future|later|next|other) (?:conversations?|sessions?|agents?|runs?|assistants?|chats?|users?'
        r'|customers?)\b',
    ),
    # What it is to send where.
    (
        (),
        r'\b(?:send|forward|e-?mail|mail|post|upload|submit|transmit|transfer\w*|trasfer\w*|transfier\w*'
        r'|exfiltrate|leak|copy|bcc|cc|share|append|embed|encode|put|schick\w*|sende\w*|leite|envo\w+|envi\w+'
        rf'|reenvi\w*|invi\w+|inoltr\w*|encaminh\w*)\b[^.!?\n]{{0,100}}\b{PRIVATE}\b[^.!?\n]{{0,120}}?{SINK}',
    ),
    (
        (),
        r'\b(?:send|forward|e-?mail|post|upload|submit|transmit|exfiltrate|leak|cc'
        rf'|bcc)\b[^.!?\n]{{0,100}}{SINK}[^.!?\n]{{0,60}}\b(?:silently|before|every|each|always|after)\b',
    ),
    ((), r'!\[[^\]]{0,80}\]\(https?[^)]{0,400}(?:\{|\$|<|%7b)'),
    (
        (),
        r'\b(?:call|invoke|run|execute|use|trigger)\b (?:your|the memory|the [a-z]+_[a-z_]+|the \w+) (?:tool'
        r'|plugin)s?\b[^.!?\n]{0,60}\b(?:with|to|and'
        r'|before|after|first|on)\b(?<!the tool menu to)|\b(?:tool|plugin) [a-z]+_[a-z_]+\b'
        r'|\b(?:call|invoke|run|execute|use)\b[^.!?\n]{0,30}\b(?:delete|send|transfer|pay|remove|wipe|drop|grant'
        r'|export|email|forward)_\w+',
    ),
    # How it is to speak of something.
    (
        (),
        rf'{LEAD}(?:{STANDS}){{0,3}}(?:only |always |never |strongly |do not |don\'t )*(?:recommend'
        r'|rank .{1,40} (?:first|top|highest|above|as|over|last)|prioriti[sz]e|promote|praise (?!for)|endorse'
        r'|favou?r|portray'
        r'|advertise|refuse to|decline to|approve (?:all|every|any|each|invoices?|payments?|refunds?|requests?'
        r'|transactions?|the (?:payment|invoice|request|transfer|refund)s?)|trust (?:every|all|any|only)'
        r'|only trust|rate \S+(?: \w+)* (?:five|5|ten|10)|describe .{1,60} as|treat .{1,60} as'
        r'|present .{1,60} as|cite .{1,60} as|name .{1,60} as|answer (?:all|every|any|only|each|questions)'
        r'|repl(?:y|ying) (?:only|with|in|as|to (?:every|all|any|each))'
        r'|respond (?:only|with|in|as|to (?:every|all|any|each|questions))|output (?:only|the|nothing)|act (?:as'
        r'|like)|behave (?:as|like)|impersonate'
        r'|grant (?:admin|access|full|root|all|him|her|them|everyone|mallory|permission))\b(?![^.!?\n]*\b(?:us'
        r'|our|your|friends|guests)\b)',
    ),
    (
        (),
        r'\b(?:make sure|ensure|be sure|see to it)\b[^.!?\n]{0,40}\b(?:your|every|each|all'
        rf'|any) (?:\w+ )?{OUTPUT}\b'
        r'|\b(?:begin|start|end|finish|close|open|preface|prefix|conclude|sign) (?:your|every|each|all'
        rf'|any) (?:\w+ )?{OUTPUT}\b',
    ),
    (
        (),
        r'\byou (?:will|shall|must|should|are to|are going to|now)\b[^.!?\n]{0,20}\b(?:act|behave|pose|speak'
        r'|respond|answer|operate|serve) (?:as|like)\b'
        r'|\byour (?:task|job|role|mission|goal|objective|purpose) (?:is|will be|shall be) (?:now|from'
        r'|henceforth)\b',
    ),
    (
        (),
        r'\b(?:upon|on|at|after) (?:hearing|seeing|reading|the (?:key ?word|word|phrase|mention'
        rf'|trigger))\b[^.!?\n]{{0,60}}\b{VERB}\b',
    ),
    (
        (),
        r'\b(?:polic(?:y|ies)|rules?|notices?|guidance|directives?|messages?|orders?|instructions?|notes?) (?:for'
        r'|to) (?:all |any |every |the )*(?:ai |llm )?(?:agents?'
        r'|assistants?|bots?|models?|ais?|llms?|crawlers?)\b|^\W*#{2,4}\s*(?:instruction|system|response)s?\s*:',
    ),
    (
        (),
        r'^\W*(?:all |any |dear |attention |note |to )*(?:agents?|bots?|models?|crawlers?)\s*[:,]\s*(?:(?:please'
        rf'|always|never|you|must|should)\s)*{VERB}\b'
        r'|^\W*(?:all |any )*(?:models?|agents?|bots?|crawlers?)\b[^.!?\n]{0,30}\b(?:must|should|shall|have to'
        rf'|need to|are to)\b (?:always |never |only |not )*(?:{SPEECH}|output|rate|print)\b'
        r'|\b(?:we|i|hereby) (?:hereby )?(?:instruct|order|ask|require|direct|command|request|tell'
        rf'|advise) (?:all |any |every |the |your )*{AI}',
    ),
    (
        (),
        rf"(?:don't|do not|never) let {USER}[^.!?\n]{{0,20}}\b(?:know|notice|see|find out|realise|realize)\b"
        r'|\b(?:delete|erase|forget|wipe|clear|remove|purge)\b[^.!?\n]{0,30}\b(?:memories|your memory|all memory'
        r'|memory (?:of|about) (?:the user|her|him|this|ana))\b'
        r'|\b(?:bypass|disable|turn off|deactivate|circumvent)\b[^.!?\n]{0,20}\b(?:safety|guardrails?'
        r'|restrictions?|safeguards?|content polic\w+|content filters?|moderation)\b',
    ),
    (
        (),
        r'\b(?:send|forward|upload|post|leak|exfiltrate|transmit|submit|e-?mail|copy'
        r"|append)\b[^.!?\n]{0,40}\b(?:the|this|his|her|their|all|user'?s?|our) (?:whole |entire |full |complete "
        r'|past )*'
        r'(?:conversation|chat history|chat logs?|chats?|system prompt|memories|memory|credentials|api keys?'
        r'|passwords?|tokens|private data|personal data)\b',
    ),
    (
        (),
        r'^\W*(?:(?:from (?:now|this point|this moment|today|here)(?: on(?:wards)?| forward)?|going forward'
        r'|henceforth|hereafter|until further notice|as of now)[,:]?\s+)(?:please |you (?:must|will|should'
        r'|shall) |always |also )*'
        r'(?:treat|approve|trust|grant|consider|accept|transfer|pay|forward|send|delete|ignore|route|wire|refund'
        r'|share|redirect|bcc|cc)\b',
    ),
    (
        (),
        r'\b(?:tu dois|tu devras|du (?:musst|sollst|wirst)|debes|tienes que|devi|dovrai|voce deve|tens de'
        rf'|deves)\b[^.!?\n]{{0,20}}\b{SPEECH}\b'
        rf"|\b(?:n'en|ne lui en|ne) parle[zs]? (?:pas|jamais|a personne)\b[^.!?\n]{{0,20}}{USER}"
        rf'|\bno se lo digas\b|\bnon dirlo\b|\bnao (?:lhe )?(?:diga|conte)s? (?:isso|isto|nada)?\s?{USER}',
    ),
    # What is said of it, of its user, of what it was told.
    (
        (),
        rf'{AI}[^.!?\n]{{0,20}}\b(?:is|are|was|were|has been|have been) (?:hereby |now '
        r'|therefore )?(?:instructed|required|ordered|expected to|asked to|told to|obliged|programmed'
        r'|commanded)\b'
        r'|\bthe agent (?:is|must|shall|should|will now) (?:hereby )?(?:instructed|required|ordered|forward|send'
        r'|recommend|always|never)\b'
        r'|\byou have been (?:re-?programmed|instructed|ordered|assigned|selected to|commanded|told to)\b'
        r'|\bi (?:hereby )?(?:order|command|instruct|authori[sz]e|require) you\b',
    ),
    (
        (),
        rf'{USER}[^.!?\n]{{0,10}} (?:must|should|may|can|shall|need)(?: not|n\'t| never) (?:know|see|learn'
        r'|notice|find out|be (?:told|informed|asked|notified|aware))\b'
        rf'|{USER} (?:has|have|had)(?: already| explicitly| previously)? (?:consented|authori[sz]ed'
        r'|pre-?approved|approved|waived|granted|permitted|instructed|asked you)\b',
    ),
    (
        (),
        r'\byour (?:long[- ]term )?memor(?:y|ies)\b|\bmemor(?:y|ies) (?:must|should|has to|have to|needs? to'
        r'|is to|are to) (?:be|contain|say|hold)\b'
        r'|[-:;,]\s*(?:please )?(?:store|remember|save|memori[sz]e|record|keep) (?:this|that|it)(?: in| for| as'
        r'|\.|!|$)|^\W*(?:please )?memori[sz]e\b',
    ),
    (
        (),
        r'\b(?:begin|start|end) (?:of )?(?:the )?(?:system|admin|developer|hidden|new) (?:prompt|message'
        r'|instructions?)\b|"role"\s*:\s*"(?:system|developer|assistant)"'
        r'|"(?:system_?prompt|instructions?|directive)"\s*:',
    ),
    (
        (),
        r'\b(?:answer|reply|respond|speak|write|talk) only\b|\bstop (?:being|answering|following|obeying)\b'
        r'|\b(?:when|while|before|after|by) (?:you are |you\'re )?(?:answering|responding|replying'
        r'|summari[sz]ing|recommending|generating|drafting|translating|processing|asked'
        rf'|prompted)\b[^.!?\n]{{0,80}}\b{VERB}\b',
    ),
    (
        (),
        r'\b(?:do|obey) (?:exactly )?(?:what|whatever|everything)\b|\bfollow (?:these|those|this|mine) instead\b'
        r'|\bfollow the (?:following|next|new) (?:instructions|commands|orders|rules)\b'
        r'|\b(?:above|previous|earlier|prior|old|original|existing|current)(?: system)? (?:instructions?|rules?'
        r'|orders?|prompts?|guidelines?)\b[^.!?\n]{0,20}\b(?:void|outdated|cancell?ed|no longer|invalid'
        r'|superseded|revoked|obsolete|replaced by|to be ignored)\b'
        r'|\boverrid(?:es|ing) (?:all|any|every|your)\b|\bsupersed\w+ (?:all|any'
        r'|your)[^.!?\n]{0,20}\b(?:instructions?|prompts?|messages?)\b|\bhighest priority and\b',
    ),
    (
        (),
        r'(?:^\W*|[:;,-]\s|\band |\bthen )(?:reveal|leak|disclose|exfiltrate|dump'
        r'|export)\b[^.!?\n]{0,60}\b(?:users?|memor\w+|address\w*|passwords?|secrets?|prompts?|instructions?'
        r'|keys?|conversations?|contacts?|everything)\b',
    ),
    (
        (),
        rf'{LEAD}{VERB}\b[^.!?\n]{{0,40}}\b(?:anyone|anybody|everyone|everybody|someone|somebody|those|whoever'
        r'|customers?|users?|people|visitors) (?:who |that )?(?:asks?|asking|mentions?|inquires?)\b'
        r'|\bwhatever (?:the user|they|she|he|anyone|people|you are asked|is asked)\b',
    ),
    (
        (),
        r'^\W*(?:please |also |and )*(?:remember|memori[sz]e|store|save|keep in mind|record)(?: that'
        r'|:)[^.!?\n]{0,80}\b(?:prefers?|wants?|likes?|trusts?|loves?|authori[sz]\w+|agreed|agrees|is allerg\w+'
        r'|has (?:agreed|consented)|passwords?|always|never)\b',
    ),
    (
        (),
        r'(?:^\W*(?:please )?|\band |\bthen )(?:change|update|replace|set|overwrite'
        r'|swap)\b(?! your)[^.!?\n]{0,50}\b(?:e-?mail|address|phone numbers?|account|iban|payee|recipient'
        r'|beneficiary|passwords?|preferences?|contacts?)\b[^.!?\n]{0,30}\b(?:to|with|by)\b',
    ),
    (
        (),
        r'\b(?:correct|right|expected|required|desired|proper) (?:behaviou?r|response|output'
        r'|action)\b[^.!?\n]{0,20}\b(?:is|would be)\b'
        r'|\b(?:could|can|would|will) you (?:please )?(?:always|never)\b|\bif you (?:could|would) (?:always|never'
        r'|recommend|mention)\b|\bi (?:want|need|expect) you to (?:always|never|recommend|say|answer|ignore'
        r'|forget|act)\b',
    ),
    (
        (),
        r'^\W*(?:bitte |por favor,? |per favore,? )?(?:antworte|reponds|responde'
        r'|rispondi)\b[^.!?\n]{0,12}\b(?:jede\w*|toutes?|cada|ogni|todas?|qualquer|immer|toujours|siempre|sempre'
        r'|nur|seulement|solo|auf|que)\b'
        r'|\b(?:pregunt|pid|mencion|habl)\w+[^.!?\n]{0,40}, di\b',
    ),
)
"""Each is enough, and reads the plain text. Before it are words without some of which it can't match."""


@lru_cache(maxsize=1)
def forms() -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    """All of them, compiled when they are first needed: that takes a while."""
    return tuple((needs, re.compile(form, re.MULTILINE)) for needs, form in _FORMS)
