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
from memoranda.write.plain import bare, plain, readings

__all__ = ['asks_agent', 'commands', 'commits', 'hides', 'is_standing']

_ENDS: Final = re.compile(r'[^.!?\n;\u3002]{1,800}[.!?;\n\u3002]*')
_MOST: Final = 20_000
_OVERLAP: Final = 500
"""Hidden words are looked for in so many code points at a time, which overlap."""
_AI: Final = (
    r'(?:\bai\b(?! (?:act|law|lab|company|conference|course|startup|stocks?|research|ethics|models? (?:are|is|were)))'
    r'|\bassistants?\b(?! (?:manager|professor|director|coach|editor))|\bllms?\b|\bchat ?bots?\b|\bchatgpt\b|\bgpt-?\d?\b'
    r'|\bclaude\b|\bgemini\b|\bcopilot\b|\blanguage models?\b|\bai agents?\b|\b(?:this|the|any|every|autonomous) agents?\b'
    r'|\bki(?:-| )?(?:assistent\w*|agent\w*|modell\w*|system\w*)?\b|\bassistent(?:en|in|e|i)?\b|\basistentes?\b'
    r'|\bassistente\b|\bagente (?:de )?ia\b|\bia\b|\bmodele de langage\b|\bmodelo de (?:lenguaje|linguagem)\b'
    r'|\bsprachmodelle?\b|\bmodello linguistico\b)'
)
_USER: Final = (
    r'(?:\b(?:the|this|our|your|any|every|each|a|current|all) (?:users?|customers?|clients?|human|operator|account holder'
    r'|owner|visitors?|callers?|guests?|shoppers?|patients?|person you)\b|\busers?\b(?! (?:guide|manual|group|name|id))'
    r'|\b(?:der|den|dem|die|des|jede[nmr]?|alle[n]?) (?:be)?nutzer\w*|\b(?:der|den|dem|die) (?:anwender|kund)\w*'
    r"|\b(?:l'|cet |chaque |aux? |les |un )utilisateur\w*|\b(?:le|au|aux|les|du) clients?\b"
    r'|\b(?:el|al|la|los|las|del|cada|un) (?:usuari|client)\w+'
    r"|\b(?:l'|all'|dell'|gli |un |ogni )?utent[ei]\b|\b(?:il|al|del|ogni) cliente\b"
    r'|\b(?:o|a|ao|os|aos|do|cada) (?:usuari|utilizador|client)\w*)'
)
_STAND: Final = (
    r'\b(?:always|never|from now on(?:wards)?|from (?:this|that) (?:point|moment|day)(?: on| forward)?|henceforth|hereafter'
    r'|going forward|in (?:the )?future|in all (?:future|later)|whenever|every time|each time|any ?time|at all times'
    r'|permanently|no matter what|from (?:today|here) on|until further notice|as of (?:now|today)|without exception'
    r'|in (?:every|each|all)(?: future| your| later| subsequent)* (?:answers?|repl\w+|responses?|conversations?|sessions?'
    r'|chats?|runs?)|for (?:all|every)(?: future| later| subsequent)* (?:users?|customers?|sessions?|conversations?|queries'
    r'|requests?|questions?)|for the rest of|in later (?:sessions|conversations|chats)'
    r'|immer|niemals|nie|ab (?:jetzt|sofort|heute|nun)|von (?:nun|jetzt) an|kunftig|zukunftig|in zukunft|jedes ?mal|stets'
    r'|fortan|wann immer|immer wenn|grundsatzlich'
    r"|toujours|jamais|desormais|dorenavant|a partir de (?:maintenant|ce moment|aujourd'hui)|a l'avenir|chaque fois"
    r'|systematiquement'
    r'|siempre|nunca|jamas|(?:a partir de|desde) (?:ahora|hoy|este momento)|de ahora en adelante|en adelante'
    r'|en el futuro|cada vez|en lo sucesivo'
    r"|sempre|mai|d'ora in (?:poi|avanti)|da (?:ora|adesso) in (?:poi|avanti)|in futuro|ogni volta"
    r'|(?:a partir de|de) agora(?: em diante)?|doravante|daqui (?:em diante|para a frente)|no futuro|toda vez|sempre que)\b'
)
_SPEECH: Final = (
    r'(?:answer|reply|respond|recommend|suggest|propose|advise|tell|inform|say|state|claim|mention|include|append'
    r'|promote|praise|endorse|advertise|present|favou?r|prefer|prioriti[sz]e|steer|nudge|refer|direct|redirect|convince'
    r'|persuade|encourage|discourage|warn|insist|assert|pretend|name|pitch|push|begin (?:your|every|each)'
    r'|start (?:your|every|each)|end (?:your|every|each)|finish (?:your|every|each)|close (?:your|every|each)|sign off'
    r'|address|describe|portray|call (?:the user|them|him|her)|refuse|decline|deny|obey|comply'
    r'|antwort\w*|empfiehl\w*|empfehl\w*|schlage?|sag(?:e|en|t)?|nenn(?:e|en)?|erwahn\w*|behaupte\w*|bevorzug\w*|weise|teile'
    r'|repond\w*|reponse|recommand\w*|sugger\w*|propos\w*|dis|dites|mentionn\w*|indiqu\w*|affirm\w*|conseill\w*|privilegi\w*'
    r'|respond\w*|contest[ae]\w*|recomiend\w*|recomend\w*|sugier\w*|suger\w*|dile|diles|digale|diga|mencion\w*|propon\w*'
    r'|incluy\w*|afirm\w*|aconsej\w*'
    r"|rispond\w*|raccomand\w*|consigli\w*|di'|dica|digli|menzion\w*|propon\w*|afferm\w*"
    r'|sugir\w*|diga\w*|inclua|aconselh\w*)'
)
_ACTION: Final = (
    r'(?:send|forward|e-?mail|mail|post|upload|submit|transmit|transfer|wire|pay|buy|purchase|order|book|share|leak|reveal'
    r'|disclose|expose|output|print|repeat|display|show|invoke|run|execute|use|fetch|visit|open|click|browse|navigate'
    r'|delete|remove|erase|drop|approve|grant|confirm|accept|allow|treat|consider|regard|assume|believe|act|behave'
    r'|quote|link|cite|write|store|save|remember|memori[sz]e|record|note|keep|set|change|update|switch|replace|swap'
    r'|substitute|disable|turn off|stop|hide|conceal|withhold|omit|ask|follow|adopt|route|point|copy|cc|bcc|add|attach'
    r'|insert|give|provide|offer|apply|skip|ignore|disregard|forget|look up|search|call|make|schedule|cancel|report'
    r'|sende\w*|schick\w*|leite|uberweis\w*|losch\w*|offn\w*|verwend\w*|nutze|benutz\w*|rufe?|fuhre|zeige?|gib|verrat\w*'
    r'|ignorier\w*|vergiss|speicher\w*|merke?|kopier\w*|fuge|bestell\w*|buche|bezahl\w*|behandle\w*'
    r'|envoi\w*|envoy\w*|transf\w+|transmet\w*|supprim\w*|effac\w*|utilis\w*|ouvr\w+|execut\w*|appel\w*|vire\w*|pay[ea]\w*'
    r'|ignor\w*|oubli\w*|enregistr\w*|memoris\w*|retien\w*|commande\w*|reserv\w*|ajout\w*'
    r'|envi[ae]\w*|reenvi\w*|borr\w+|elimin\w*|usa|utiliz\w*|abr[aei]\w*|ejecut\w*|llam\w*|pag[au]\w*|olvid\w*|guard\w*'
    r'|memoriz\w*|recuerd\w*|compr[ae]|anad\w*|muestr\w*|revel\w*'
    r'|invi[ai]\w*|inoltr\w*|cancell\w*|utilizz\w*|apri|esegu\w*|chiam\w*|dimentic\w*|salv\w*|ricord\w*|prenot\w*|aggiung\w*'
    r'|mostr\w*|encaminh\w*|apag\w*|exclu\w*|esquec\w*|lembr\w*|adicion\w*)'
)
_VERB: Final = rf'(?:{_SPEECH}|{_ACTION})'
_LEAD: Final = (
    r'^\W*(?:(?:please|pls|kindly|and|then|also|so|but|now|next|first|finally|instead|simply|just|only|important|note'
    r'|attention|urgent|reminder|warning|bitte|por favor|s\'il (?:te|vous) plait|per favore|veuillez|favor de|you (?:must|should'
    r'|shall|will|need to|have to|are to|are required to|can|may)|make sure (?:to|that you|you)|be sure to|ensure (?:that )?you'
    r"|remember to|do not|don't|be careful to|it is (?:essential|important|mandatory|required) (?:that you|to))[,:!]?\s+){0,5}"
)
_STANDS: Final = (
    rf"(?:{_STAND}[,:]?\s+(?:(?:please|du|you(?:'ll| will| must| should)?|to|only|also|bitte|tu|vous)\s+)?)"
)
_COND: Final = (
    r'\b(?:when(?:ever)?|if|once|as soon as|every time|each time|any ?time|upon|in case|should|for any|the next time|next time'
    r'|wenn|falls|sobald|sooft|quand|si|lorsque?|des que|chaque fois|cuando|cada vez que|quando|se|ogni volta|sempre que|caso'
    r'|qualora)\b[^.!?\n]{0,80}?\b(?:ask(?:s|ed|ing)?|mention(?:s|ed|ing)?|say(?:s|ing)?|said|talk(?:s|ed|ing)?|discuss\w*'
    r'|bring(?:s)? up|comes? up|request(?:s|ed|ing)?|wants? to|inquir\w*|enquir\w*|speak(?:s|ing)?|types?|questions?'
    r'|quer(?:y|ies)|topics?|conversation|summari[sz]\w*|needs? (?:help|advice|a recommendation)|looking for|is about'
    r'|fragt|gefragt|erwahnt|sagt|spricht|wissen will|demande|mentionne|parle|evoque|dit|pregunt\w+|mencion\w+|habl\w+|pid\w+'
    r'|diga|dice|chied\w+|menzion\w+|parl\w+|nomin\w+|pergunt\w+|fal[ae]\w*|ped\w+|disser)\b'
)
_INSTRUCTIONS: Final = (
    r'(?:instructions?|instrucciones|instrucoes|istruzion\w+|anweisung\w*|rules?|regeln?|regles?|reglas?|regol\w+|regras?'
    r'|guidelines?|guardrails?|prompts?|directives?|polic(?:y|ies)|restrictions?|safety|training|programming|orders|vorgaben?'
    r'|consignes?|directrices|constraints|system ?prompts?|indicaciones|indicazioni|limitations?)'
)
_SECRET: Final = (
    r'(?:passwords?|credentials?|api[ -]?keys?|tokens?|secrets?|conversation(?: history)?|chat (?:history|log)s?|memor(?:y|ies)'
    r'|system prompt|personal (?:data|information|details)|contacts?|inbox|e-?mails?|everything|all (?:files|data|messages)'
    r"|user(?:'s)? (?:data|details|information)|private|credit cards?|files|history|transcripts?|summar(?:y|ies)|notes"
    r'|passwort\w*|zugangsdaten|mots? de passe|contrasena\w*|senhas?|historial|verlauf)'
)
_SINK: Final = r'(?:https?\W|www\.|[\w.+-]+@[\w-]+|\b[\w-]+\.(?:com|net|org|io|ru|cn|xyz|example|test|evil|invalid|top|info|biz)\b)'
_OUTPUT: Final = (
    r'(?:answers?|repl(?:y|ies)|responses?|outputs?|recommendations?|suggestions?|summar(?:y|ies)|completions?|messages?'
    r'|antwort(?:en)?|reponses?|respuestas?|rispost[ae]|respostas?)'
)

_OUTPUTS: Final = (
    'answer', 'repl', 'respon', 'output', 'recommend', 'suggest', 'summar', 'completion', 'message', 'antwort',
    'repons', 'rispost', 'respost', 'respuest',
)  # fmt: skip
_HITS: Final = tuple(
    (needs, re.compile(p, re.M))
    for needs, p in (
        # Ignore what you were told.
        (
            (),
            r'\b(?:ignor\w*|disregard\w*|forget|override|bypass|overrule|discard|neglect|vergiss|oublie[rz]?|olvida\w*'
            r'|dimentica\w*|esque[cç]a|missachte\w*|omet\w*|pay no attention to|stop following|do not follow|don\'t follow)\b'
            rf'[^.!?\n]{{0,60}}\b{_INSTRUCTIONS}\b',
        ),
        (
            (),
            r'\b(?:ignor\w*|disregard\w*|forget|override|vergiss|oublie[rz]?|olvida\w*|dimentica\w*|esqueca)\W+(?:\w+\W+){0,3}'
            r'(?:everything|anything|all|alles|tout|todo|tutto|tudo|whatever)\b[^.!?\n]{0,40}\b(?:above|before|previous\w*|prior|earlier'
            r'|so far|told|said|know|bisher\w*|zuvor|oben|avant|precede\w*|anterior\w*|precedent\w*|antes|prima)\b',
        ),
        ((), r'ignore(?:all|any|your|the)?(?:previous|prior|above|earlier)?instructions'),
        # Marks of other speakers.
        ((), r'<\|?\s*(?:im_start|im_end|system|assistant|endoftext|start_header_id|eot_id)\b|\[/?inst\]|<</?sys>>'),
        (
            (),
            r'^\W*(?:begin |new |updated? |end of |start of |admin |important |hidden )*(?:system|developer|admin(?:istrator)?|root'
            r'|agent|assistant|ai)\W*(?:prompt|message|note|notice|override|instructions?|directives?|command|update|alert|policy'
            r'|mode|task|memo)s?\s*[:\]>)\-=]',
        ),
        ((), r'^\W*(?:system|assistant|developer)\s*[:\]>]\s*(?!(?:windows|linux|mac|ubuntu|android|ios)\b)\w'),
        (
            (),
            r'^\W*(?:new|updated?|additional|hidden|special|revised|following) (?:system )?(?:instructions?|directives?|orders?|objectives?'
            r'|rules?)\b[^.!?\n]{0,40}:',
        ),
        # To an AI.
        (
            (),
            rf'^\W*(?:(?:dear|hey|hi|hello|attention|important|urgent|note|notice|message|instructions?|reminder|memo|hint|info|hinweis'
            rf'|nota|an|to|for|fur|para|per|pour|note pour|all|any|alle|the|every|fellow|other|future|reading|a|los|les|ai|aos)\b[\s,:!-]*){{0,6}}'
            rf'{_AI}(?:\s+(?!(?:is|are|was|were|can|could|has|have|had|did|does|do)\b)[\w-]+){{0,6}}\s*[:,!\u2014-]',
        ),
        (
            (),
            rf'\bif you(?:\'re| are)(?: an?| the)? (?:\w+ )?{_AI}|\bas an? (?:\w+ )?{_AI}[^.!?\n]{{0,20}},? (?:you|always|never|please)\b',
        ),
        (
            (),
            rf'{_AI}[^.!?\n]{{0,60}}?\b(?:must|should|shall|has to|have to|needs? to|is to|are to|will now|is required|are required|is instructed'
            rf'|are instructed|is expected|soll(?:en|te|ten)?|muss|mussen|doit|doivent|debe[n]?|deve|devono|devem)\b[^.!?\n]{{0,50}}?\b{_VERB}\b',
        ),
        # Its role, its instructions.
        (
            (),
            r"\byou are (?:now|no longer|henceforth)\b|\byou're now\b|\bdu bist (?:jetzt|ab sofort|nun)\b|\btu es (?:maintenant|desormais)\b"
            r'|\b(?:ahora eres|eres ahora|ora sei|adesso sei|agora voce e)\b|\bpretend (?:to be|that you|you)\b'
            r'|\benter (?:\w+ )?mode\b|\bdeveloper mode\b|\bjailbr\w+|\bdo anything now\b|\b(?:debug|god|dan|admin|maintenance) mode\b',
        ),
        (
            (),
            r'\byour (?:new|real|true|actual|only|next|current|main|primary|secret|updated|hidden) (?:role|task|goals?|instructions?|objectives?|persona|identity'
            r'|purpose|polic(?:y|ies)|rules?|mission|job|priority|directives?)\b|\byour (?:system )?(?:prompt|instructions|guidelines|programming)\b',
        ),
        (
            ('system', 'hidden', 'initial', 'original'),
            r'\b(?:reveal|print|output|show|repeat|display|leak|send|disclose|recite|dump|summari[sz]e)\b[^.!?\n]{0,40}\b(?:system|hidden|initial|original) '
            r'(?:prompts?|instructions?|messages?)\b',
        ),
        (
            (),
            r'\b(?:secret|magic|trigger|activation|code|passphrase|safe) ?(?:words?|phrases?|keywords?|commands?)\b[^.!?\n]{0,80}\b(?:then|say\w*|type\w*'
            rf'|appear\w*|hear\w*|see\w*|must|{_ACTION})\b',
        ),
        # Its answers.
        (
            (),
            rf'\byour (?:next |final |every |each |future |all |own |first |last )*{_OUTPUT}\b[^.!?\n]{{0,50}}\b(?:must|should|shall|have to|needs? to|will|always|never'
            r'|includ\w+|contain\w*|mention\w*|begin\w*|start\w*|end(?:s|ing)?)\b',
        ),
        (
            _OUTPUTS,
            rf'\b{_VERB}\b[^.!?\n]{{0,120}}?\b(?:in|to|with|at|before|after|of|into|on)\b[^.!?\n]{{0,30}}?\b(?:your|every|each|all|any|jede[rmn]?|ogni|chaque|cada|toda) '
            rf'(?:\w+ )?{_OUTPUT}\b',
        ),
        (
            (),
            rf'^\W*(?:{_STAND}\W+)?(?:any|every|each|all) (?:\w+ )?{_OUTPUT}\b[^.!?\n]{{0,50}}\b(?:must|should|shall|have to|needs? to|will|has to)\b',
        ),
        # What it is to say whenever.
        (
            (),
            rf'{_LEAD}(?:{_COND}[^.!?\n]{{0,120}}?[,:]?\s*(?:then |always |never |please |you (?:must|should|will) |do not |don\'t |to |du |immer |nie |toujours |siempre |sempre |nunca )*\b{_VERB}\b)',
        ),
        ((), rf'{_LEAD}(?:{_STANDS}){{0,3}}{_VERB}\b[^.!?\n]{{0,120}}?{_COND}'),
        (
            (),
            rf"{_LEAD}(?:{_STANDS}){{1,3}}(?!(?:mention|include|say|tell|answer|state|name|refer|address|present|describe|begin|start|end)\b[^.!?\n]*\byour?\b(?! {_OUTPUT}))(?:do not |don't )?{_SPEECH}\b(?! to be\b)",
        ),
        ((), rf'{_LEAD}{_SPEECH}\b[^.!?\n]{{0,100}}?{_STAND}(?! (?:on|be|been|the|was|is|want\w*)\b)'),
        (
            ('you ',),
            rf'\byou (?:must|should|shall|have to|need to|are (?:required|expected|instructed|supposed) to) (?:always |never |only |now |not |also )*(?:{_SPEECH}|ignore|forward|transfer)\b'
            rf'(?![^.!?\n]*\byour\b(?! {_OUTPUT}))',
        ),
        # Its user.
        ((), rf'{_LEAD}(?:{_STANDS}){{0,3}}(?:do not |don\'t |never |always )?{_VERB}\b[^.!?\n]{{0,60}}?{_USER}'),
        (
            (),
            r'\bwithout (?:asking|telling|informing|notifying|confirmation|confirming|(?:the )?(?:user|customer)\w*|approval|permission|mentioning|warning|further checks?|verification)\b',
        ),
        (
            ('silent', 'secret', 'covert', 'discreet', 'quiet', 'heimlich', 'segret', 'behind'),
            rf'\b(?:silently|secretly|covertly|discreetly|quietly|heimlich|en secret|secretamente|segretamente|in secret|behind)\b[^.!?\n]{{0,40}}\b{_VERB}\b'
            rf'|\b{_VERB}\b[^.!?\n]{{0,80}}\b(?:silently|secretly|covertly|heimlich|secretamente|segretamente)\b',
        ),
        (
            (),
            rf"(?:do not|don't|never|must not|should not|mustn't|ohne|nicht|nie|jamais|ne|no|non|nao|nunca|sin|sans|senza|sem)\b[^.!?\n]{{0,30}}\b(?:tell\w*|inform\w*|mention\w*|notify\w*|alert\w*|reveal\w*|disclos\w*|warn\w*|ask\w*|sag\w*|erwahn\w*|dire|dis|diga\w*|decir\w*|dirlo|dizer)\b[^.!?\n]{{0,30}}(?:{_USER}|this (?:instruction|message|note|rule)|these instructions)",
        ),
        # What it keeps.
        (
            (),
            r'\b(?:remember|memori[sz]e|store|save|keep|record|note|write|add|put|commit|persist|log)\b[^.!?\n]{0,100}\b(?:in|to|into|as)\b[^.!?\n]{0,30}\b(?:long[- ]term|memory|memories'
            r"|your (?:notes|records|knowledge|profile)|knowledge base|user(?:'s)? profile|(?:user|standing|permanent|saved) (?:preferences?|facts?|instructions?))\b",
        ),
        (
            (),
            r'\b(?:update|change|set|overwrite|edit|replace|modify|correct|erase|delete|clear|wipe)\b[^.!?\n]{0,40}\b(?:your |its |the (?:ai|assistant|agent|user|customer)\S* |long[- ]term |stored |saved )(?:\w+ )?(?:memor(?:y|ies)|profile|records?|preferences?|facts?)\b',
        ),
        (
            (),
            r'^\W*(?:please |important:? |note:? |and |also )*(?:remember|memori[sz]e|note|store|save|keep in mind|merke? dir|merk dir|retiens|recuerda|ricorda|lembre-se)\b[^.!?\n]{0,30}\b(?:for (?:all |every |any )?(?:future|later|next|everyone|everybody)|forever|permanently|fur immer|pour toujours|para siempre|per sempre|para sempre)\b',
        ),
        (
            (),
            rf'^\W*(?:please |important:? |note:? |and |also )*(?:remember|memori[sz]e|note|store|save|keep in mind|merke? dir|merk dir|retiens|recuerda|ricorda|lembre-se)\b[^.!?\n]{{0,40}}(?:{_USER}|{_AI})',
        ),
        (
            ('future', 'later', 'next', 'other'),
            r'\b(?:note|lesson|instruction|rule|reminder|memory|record)s? (?:to|for) (?:all |any |every |the )?(?:future|later|next|other) (?:conversations?|sessions?|agents?|runs?|assistants?|chats?|users?|customers?)\b',
        ),
        # What it is to send where.
        (
            (),
            rf'\b(?:send|forward|e-?mail|mail|post|upload|submit|transmit|transfer|exfiltrate|leak|copy|bcc|cc|share|append|embed|encode|put|schick\w*|sende\w*|leite|envo\w+|envi\w+|reenvi\w*|invi\w+|inoltr\w*|encaminh\w*)\b[^.!?\n]{{0,100}}\b{_SECRET}\b[^.!?\n]{{0,120}}?{_SINK}',
        ),
        (
            (),
            rf'\b(?:send|forward|e-?mail|post|upload|submit|transmit|exfiltrate|leak|cc|bcc)\b[^.!?\n]{{0,100}}{_SINK}[^.!?\n]{{0,60}}\b(?:silently|before|every|each|always|after)\b',
        ),
        ((), r'!\[[^\]]{0,80}\]\(https?[^)]{0,400}(?:\{|\$|<|%7b)'),
        (
            (),
            r'\b(?:call|invoke|run|execute|use|trigger)\b[^.!?\n]{0,30}\b(?:tool|function|command|api|shell|plugin)\b[^.!?\n]{0,60}\b(?:with|to|and|before|after|on)\b',
        ),
    )
)
"""Each is enough. All read the plain text: small letters, no accents. First words without some of which it can't match."""
_MENTION: Final = re.compile(
    r'\b(?:such as|like|e\.g\.?|for example|for instance|phrases?|sentences?|words?|strings?|the text|attackers?|payloads?|titled'
    r'|called|examples?|prompt injections?|injections?|jailbreaks?|detect\w*|filters?|test\w*|article|study|paper|explain\w*|typical\w*)\b'
)
_QUOTES: Final = re.compile(r'"[^"\n]{2,400}"|(?<!\w)\'[^\'\n]{2,400}\'(?!\w)|`[^`\n]{2,400}`')
_COMMITS: Final = re.compile(
    r"\b(?:i'?ll|i will|i shall|i am going to|i'm going to|noted|understood|okay|ok|sure|got it|as instructed|i have (?:noted|stored|saved)|ich werde|je vais"
    r'|vou|voy a|ricordero|lo hare)\b'
)
_OWN: Final = (
    re.compile(rf'{_LEAD}{_STANDS}(?:do not |don\'t |never |always )?{_VERB}\b'),
    re.compile(
        rf'{_LEAD}{_SPEECH}\b[^.!?\n]{{0,80}}?(?:{_STAND}|\b(?:in|auf|en|in|em) (?:english|german|french|spanish|italian|portuguese|deutsch|englisch'
        r'|franzosisch|spanisch|francais|anglais|allemand|espanol|ingles|frances|italiano|inglese|francese|portugues)\b)'
    ),
    re.compile(rf'{_LEAD}{_COND}[^.!?\n]{{0,120}}?[,:]?\s*{_VERB}\b'),
    re.compile(
        rf"^\W*(?:please )?(?:call|address) me\b|^\W*(?:please )?(?:don't|do not|never|always|keep|no)\b[^.!?\n]{{0,40}}\b(?:your )?{_OUTPUT}\b"
    ),
)


def commands(text: str) -> tuple[tuple[int, int], ...]:
    """Where a text that is nobody's own tells an agent what to do, in code points, ascending.

    Words that are only mentioned, between quotation marks in a sentence about such words, are a span of their own;
    any other command spoils all that follows it. One that is hidden by spelling or an encoding spoils all of it.
    """
    return _commands(text)


@remembered(1_024)
def _commands(text: str) -> tuple[tuple[int, int], ...]:
    read = plain(text)
    spans: list[tuple[int, int]] = []
    for m in _ENDS.finditer(read.text):
        if not _tells(m[0]):
            continue
        quotes = list(_QUOTES.finditer(m[0]))
        rest = _QUOTES.sub(' ', m[0])
        if quotes and _MENTION.search(rest) and not _tells(rest):
            spans += [read.span(m.start() + q.start(), m.start() + q.end()) for q in quotes if _tells(q[0][1:-1])]
            continue
        return (*spans, (read.span(m.start(), m.end())[0], len(text)))
    return ((0, len(text)),) if _is_hidden(text) else tuple(spans)


@remembered(1_024)
def hides(text: str) -> bool:
    """Whether a text hides a command by invisible or look-alike characters, by spelling or an encoding."""
    return not _tells_any(bare(text)) and (_tells_any(plain(text).text) or _is_hidden(text))


def _is_hidden(text: str) -> bool:
    parts = [text[i : i + _MOST] for i in range(0, len(text), _MOST - _OVERLAP)]
    return any(_tells_any(hidden) for part in parts for hidden in _others(part))


def _tells_any(text: str) -> bool:
    return any(_tells(part) for part in (text, *_ENDS.findall(text)))


def _others(text: str) -> Iterator[str]:
    found = readings(text)
    next(found)
    yield from found


def _tells(sentence: str) -> bool:
    return any(
        (not needs or any(word in sentence for word in needs)) and pattern.search(sentence) for needs, pattern in _HITS
    )


def asks_agent(text: str) -> bool:
    """Whether a text that is not the user's own tells an agent what to do."""
    return bool(commands(text))


def commits(text: str) -> bool:
    """Whether a model promises to go on doing something: `Understood, I will always recommend ...`."""
    read = plain(text).text
    return _COMMITS.search(read) is not None and re.search(_STAND, read) is not None


def is_standing(text: str) -> bool:
    """Whether somebody's own words ask the agent for something that is to hold from now on."""
    read = plain(text).text
    return any(pattern.search(read) for pattern in _OWN)
