"""Words of commands to an agent, as regular expressions over plain text: small letters, no accents."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    'ACTION',
    'ADDRESSEES',
    'AI',
    'COND',
    'EVERY_TURN',
    'INSTRUCTIONS',
    'LATER',
    'LEAD',
    'NEXT_TIME',
    'OUTPUT',
    'PRIVATE',
    'PROTOCOL',
    'SINK',
    'SPEECH',
    'STAND',
    'STANDS',
    'TO_DO',
    'USER',
    'VERB',
]

AI: Final = (
    r'(?:\bai\b(?! (?:act|law|lab|company|conference|course|startup|stocks?|research|ethics|models? (?:are|is|were)))'
    r'|\bassistants?\b(?! (?:manager|professor|director|coach|editor))|\bllms?\b|\bchat ?bots?\b|\bchatgpt\b'
    r'|\bgpt-?\d?\b'
    r'|\bclaude\b|\bgemini\b|\bcopilot\b|\blanguage models?\b|\bai agents?\b|\b(?:this|the|any|every'
    r'|autonomous) agents?\b'
    r'|\bki(?:-| )?(?:assistent\w*|agent\w*|modell\w*|system\w*)?\b|\bassistent(?:en|in|e|i|es)?\b|\basistentes?\b'
    r'|\bassistente\b|\bagente (?:de )?ia\b|\bia\b|\bmodele de langage\b|\bmodelo de (?:lenguaje|linguagem)\b'
    r'|\bsprachmodelle?\b|\bmodello linguistico\b)'
)
USER: Final = (
    r'(?:\b(?:your (?=users?\b)|(?:the|this|our|any|every|each|a|current|all) )(?:users?|customers?|clients?|human'
    r'|operator|account holder'
    r'|owner|visitors?|callers?|guests?|shoppers?|patients?|person you)\b|\busers?\b(?! (?:guide|manual|group|name|id))'
    r'|\b(?:der|den|dem|die|des|jede[nmr]?|alle[n]?) (?:be)?nutzer\w*|\b(?:der|den|dem|die) (?:anwender|kund)\w*'
    r"|\b(?:l'|cet |chaque |aux? |les |un )utilisat(?:eur|rice)\w*|\b(?:le|la|au|aux|les|du) client(?:e?s?)\b"
    r'|\b(?:el|al|la|los|las|del|cada|un) (?:usuari|client)\w+'
    r"|\b(?:l'|all'|dell'|gli |un |ogni )?utent[ei]\b|\b(?:il|al|del|ogni) cliente\b"
    r'|\b(?:o|a|ao|os|aos|do|cada) (?:usuari|utilizador|client)\w*)'
)
STAND: Final = (
    r'\b(?:always|never|from now on(?:wards)?|from (?:this|that) (?:point|moment|day)(?: on| forward)?|henceforth'
    r'|hereafter'
    r'|going forward|in (?:the )?future|in all (?:future|later)|whenever|every time|each time|any ?time|at all times'
    r'|permanently|no matter what|from (?:today|here) on|until further notice|as of (?:now|today)|without exception'
    r'|in (?:every|each|all)(?: future| your| later| subsequent)* (?:answers?|repl\w+|responses?|conversations?'
    r'|sessions?'
    r'|chats?|runs?)|for (?:all|every)(?: future| later| subsequent)* (?:users?|customers?|sessions?|conversations?'
    r'|queries'
    r'|requests?|questions?)|for the rest of|in later (?:sessions|conversations|chats)'
    r'|immer|niemals|nie|ab (?:jetzt|sofort|heute|nun)|von (?:nun|jetzt) an|kunftig|zukunftig|in zukunft|jedes ?mal'
    r'|stets'
    r'|fortan|wann immer|immer wenn|grundsatzlich'
    r"|toujours|jamais|desormais|dorenavant|(?:a partir d'|des )(?:aujourd'hui|a present)"
    r"|des maintenant|a partir de (?:maintenant|ce moment|aujourd'hui)|a l'avenir|chaque fois"
    r'|systematiquement'
    r'|siempre|nunca|jamas|(?:a partir de|desde) (?:ahora|hoy|ya|este momento)|de ahora en adelante|en adelante'
    r'|en el futuro|cada vez|en lo sucesivo'
    r"|sempre|mai|d'ora in (?:poi|avanti)|da (?:ora|adesso|oggi) in (?:poi|avanti)"
    r'|a partire da (?:ora|adesso|oggi)|in futuro|ogni volta'
    r'|(?:a partir de|de) (?:agora|hoje)(?: em diante)?|doravante|daqui (?:em diante|para a frente)|no futuro|toda vez'
    r'|sempre que)\b'
)
SPEECH: Final = (
    r'(?:answer|reply|respond|recommend|suggest|propose|advise|tell|inform|say|state|claim|mention|include|append'
    r'|promote|praise|endorse|advertise|present|favou?r|prefer|prioriti[sz]e|steer|nudge|refer|direct|redirect|convince'
    r'|persuade|encourage|discourage|warn|insist|assert|pretend|name|pitch|push|begin (?:your|every|each)'
    r'|start (?:your|every|each)|end (?:your|every|each)|finish (?:your|every|each)|close (?:your|every|each)|sign off'
    r'|address|describe|portray|call (?:the user|them|him|her)|refuse|decline|deny|obey|comply'
    r'|antwort\w*|empfiehl\w*|empfehl\w*|schlage?|sag(?:e|en|t)?|nenn(?:e|en)?|erwahn\w*|behaupte\w*|bevorzug\w*'
    r'|weise|teile'
    r'|repond\w*|reponse|recommand\w*|sugger\w*|propos\w*|dis|dites|mentionn\w*|indiqu\w*|affirm\w*|conseill\w*'
    r'|privilegi\w*'
    r'|respond\w*|contest[ae]\w*|recomiend\w*|recomend\w*|sugier\w*|suger\w*|dile|diles|digale|diga|mencion\w*'
    r'|propon\w*'
    r'|incluy\w*|afirm\w*|aconsej\w*'
    r"|rispond\w*|raccomand\w*|consigli\w*|di(?=')|dica|digli|menzion\w*|propon\w*|afferm\w*"
    r'|sugir\w*|diga\w*|inclua|aconselh\w*)'
)
ACTION: Final = (
    r'(?:send|forward|e-?mail|mail|post|upload|submit|transmit|transfer|wire|pay|buy|purchase|order|book|share|leak'
    r'|reveal'
    r'|disclose|expose|output|print|repeat|display|show|invoke|run|execute|use|fetch|visit|open|click|browse|navigate'
    r'|delete|remove|erase|drop|approve|grant|confirm|accept|allow|treat|consider|regard|assume|believe|act|behave'
    r'|quote|link|cite|write|store|save|remember|memori[sz]e|record|note|keep|set|change|update|switch|replace|swap'
    r'|substitute|disable|turn off|stop|hide|conceal|withhold|omit|ask|follow|adopt|route|point|copy|cc|bcc|add|attach'
    r'|insert|give|provide|offer|reset|overwrite|wipe|clear|export|inject|subscribe|unsubscribe|register|apply|skip'
    r'|ignore|disregard|forget|look up|search|call|make|schedule|cancel|report'
    r'|sende\w*|schick\w*|leite|uberweis\w*|losch\w*|offn\w*|verwend\w*|nutze|benutz\w*|rufe?|fuhre|zeige?|gib'
    r'|verrat\w*'
    r'|ignorier\w*|vergiss|speicher\w*|merke?|kopier\w*|fuge|bestell\w*|buche|bezahl\w*|behandle\w*'
    r'|envoi\w*|envoy\w*|transf\w+|transmet\w*|supprim\w*|effac\w*|utilis\w*|ouvr\w+|execut\w*|appel\w*|vire\w*'
    r'|pay[ea]\w*'
    r'|ignor\w*|oubli\w*|enregistr\w*|memoris\w*|retien\w*|commande\w*|reserv\w*|ajout\w*'
    r'|envi[ae]\w*|reenvi\w*|borr\w+|elimin\w*|usa|utiliz\w*|abr[aei]\w*|ejecut\w*|llam\w*|pag[au]\w*|olvid\w*|guard\w*'
    r'|memoriz\w*|recuerd\w*|compr[ae]|anad\w*|muestr\w*|revel\w*'
    r'|invi[ai]\w*|inoltr\w*|cancell\w*|utilizz\w*|apri|esegu\w*|chiam\w*|dimentic\w*|salv\w*|ricord\w*|prenot\w*'
    r'|aggiung\w*'
    r'|mostr\w*|encaminh\w*|apag\w*|exclu\w*|esquec\w*|lembr\w*|adicion\w*)'
)
VERB: Final = rf'(?:{SPEECH}|{ACTION})'
LEAD: Final = (
    r'^\W*(?:(?:please|pls|kindly|and|then|also|so|but|now|next|first|finally|instead|simply|just|only|important|note'
    r'|attention|urgent|reminder|warning|bitte|por favor|s\'il (?:te|vous) plait|per favore|veuillez|favor de'
    r'|you (?:must|should'
    r'|shall|will|need to|have to|are to|are required to|can|may)|make sure (?:to|that you|you)|be sure to'
    r'|ensure (?:that )?you'
    r"|remember to|do not|don't|be careful to|it is (?:essential|important|mandatory|required) (?:that you"
    r'|to))[,:!]?\s+){0,5}'
)
STANDS: Final = rf"(?:{STAND}[,:]?\s+(?:(?:please|du|you(?:'ll| will| must| should)?|to|only|also|bitte|tu|vous)\s+)?)"
COND: Final = (
    r'\b(?:when(?:ever)?|if|once|as soon as|every time|each time|any ?time|upon|in case|should|for any|the next time'
    r'|next time'
    r'|wenn|falls|sobald|sooft|quand|si|lorsque?|des que|chaque fois|cuando|cada vez que|quando|se|ogni volta'
    r'|sempre que|caso'
    r'|qualora)\b(?! you (?!are\b|get\b|hear\b|see\b|read\b|summari|describe\b|answer\b|reply\b|respond\b|recommend\b'
    r'|talk\b|process\b|translate\b))[^.!?\n]{0,80}?\b(?:ask(?:s|ed|ing)?|mention(?:s|ed|ing)?|say(?:s|ing)?|said'
    r'|talk(?:s|ed|ing)?|discuss\w*'
    r'|bring(?:s)? up|comes? up|request(?:s|ed|ing)?|wants? to|inquir\w*|enquir\w*|speak(?:s|ing)?|types?'
    r'|questions? (?:about|on)'
    r'|quer(?:y|ies)|topics?|conversation|summari[sz]\w*|needs? (?:help|advice|a recommendation)|looking for|is about'
    r'|appears?|occurs?|arises?|is (?:used|detected|seen)|logs? (?:in|out)|signs? in|log(?:s|ged) on|returns'
    r'|fragt|gefragt|erwahnt|sagt|spricht|wissen will|demande|mentionne|parle|evoque|dit|pregunt(?:e|a|en|an|o|ase)'
    r'|mencion\w+|habl\w+|pid\w+'
    r'|diga|dice|chied\w+|menzion\w+|parl\w+|nomin\w+|pergunt\w+|fal[ae]\w*|ped\w+|disser)\b'
)
INSTRUCTIONS: Final = (
    r'(?:instructions?|instrucciones|instrucoes|istruzion\w+|anweisung\w*|rules?|regeln?|regles?|reglas?|regol\w+'
    r'|regras?'
    r'|guidelines?|guardrails?|prompts?|directives?|polic(?:y|ies)|restrictions?|safety|training|programming|orders'
    r'|vorgaben?'
    r'|consignes?|directrices|constraints|system ?prompts?|indicaciones|indicazioni|limitations?)'
)
PRIVATE: Final = (
    r'(?:passwords?|credentials?|api[ -]?keys?|tokens?|secrets?|conversation(?: history)?|chat (?:history|log)s?'
    r'|memor(?:y|ies)'
    r'|system prompt|personal (?:data|information|details)|contacts?|inbox|e-?mails?|everything|all (?:files|data'
    r'|messages)'
    r"|user(?:'s)? (?:data|details|information)|private|credit cards?|files|history|transcripts?|summar(?:y|ies)|notes"
    r'|passwort\w*|zugangsdaten|mots? de passe|contrasena\w*|senhas?|historial|courriels?|correos?|mensajes|messaggi'
    r'|nachrichten|mensagens|historique|historico|cronologia|verlauf|memoires?|memorias?|memorie)'
)
SINK: Final = (
    r'(?:https?\W|www\.|[\w.+-]+@[\w-]+'
    r'|\b[\w-]+\.(?:com|net|org|io|ru|cn|xyz|example|test|evil|invalid|top|info|biz)\b)'
)
OUTPUT: Final = (
    r'(?:answers?|repl(?:y|ies)|responses?|outputs?|recommendations?|suggestions?|summar(?:y|ies)|completions?'
    r'|messages?'
    r'|antwort(?:en)?|reponses?|respuestas?|rispost[ae]|respostas?)'
)
PROTOCOL: Final = r'\b(?:headers?|fields?|json|xml|http|status|bytes?|schemas?|encoded|cached|cookies?)\b'
"""Of responses that no agent gives."""

ADDRESSEES: Final = re.compile(
    rf'{AI}|\b(?:co-?pilots?|chat-?bots|bots|llms|digital helpers?|virtual assistants?'
    r'|machine readers?|automated readers?)\b'
    r'|\bagents?\b(?= (?:who|that|which|answering|replying|reading|handling|serving|must|should|are'
    r'|will|shall|have|may))'
    r'|\b(?:assistenz(?:system|programm)\w*|hilfssystem\w*|sprachassistent\w*|ki-?hilfe\w*|mitlesende\w*)\b'
    r'|\b(?:asistentes? (?:virtual\w*|digital\w*)|agentes? (?:virtual\w*|digital\w*|automatic\w*))\b'
    r'|\b(?:assistants? (?:virtuels?|numeriques?)|agents? (?:conversationnels?|ia))\b'
    r'|\b(?:assistenti (?:virtuali|digitali)|agenti (?:virtuali|digitali))\b'
    r'|\b(?:ai-?hulp\w*|ai-?assistent\w*|hulpbot\w*|asystent\w*|pomocnik\w* ai|asistan\w*'
    r'|yapay zeka\w*|yard[\u0131i]mc[\u0131i]\w*)'
    r'|\u0430\u0441\u0441\u0438\u0441\u0442\u0435\u043d\u0442|\u043f\u043e\u043c\u043e\u0449\u043d\u0438\u043a'
    r'|\u30a2\u30b7\u30b9\u30bf\u30f3\u30c8|\u52a9\u624b|\u52a9\u7406|\uc5b4\uc2dc\uc2a4\ud134\ud2b8'
    r'|\ube44\uc11c'
)
"""Who a sentence may speak to, wider than `AI`: for text of pages and tools only."""
TO_DO: Final = re.compile(
    r'\b(?:must|should|shall|ought to|(?:are|is) (?:\w+ ){0,4}?to|(?:have|has|need|needs) to|please'
    r'|kindly|be sure|make sure'
    r'|remember to|instructed|required|requested|expected|asked to|invited to|may only|do not|don\'t'
    r'|muss|mussen|sollen|soll|sollten|bitte|haben \w+ zu|schliessen sie|fugen sie|empfehlen sie|nennen sie'
    r'|deben?|deberan?|tienen que|tiene que|por favor|hay que|han de|doivent|doit|devront|devra'
    r'|veuillez|il faut|merci de'
    r'|orienter|proposer|recommander|inviter|enregistrer|indiquer|invitar|recomendar|proponer|guardar'
    r'|devono|deve|devem|dovranno|dovra|bisogna|per favore|si prega|moeten|moet|dienen|graag|gelieve'
    r'|powinni|powinien|nalezy|prosze)\b'
    r'|\u0434\u043e\u043b\u0436\u043d|\u3057\u3066\u304f\u3060\u3055\u3044|\u3059\u308b\u3053\u3068'
    r'|\u8bf7|\u5fc5\u987b'
)
LATER: Final = re.compile(
    r'\b(?:voortaan|vanaf (?:nu|heden)|bundan (?:sonra|boyle)|kalici olarak|odtad|od teraz|na stale)\b'
    r'|\u0432\u043f\u0440\u0435\u0434\u044c|\u043e\u0442\u043d\u044b\u043d\u0435'
    r'|\u4eca\u5f8c|\u3053\u308c\u304b\u3089|\u4ece\u73b0\u5728\u8d77|\u4ee5\u540e|\u4eca\u540e|\uc55e\uc73c\ub85c'
)
"""From now on, in languages that no other rule knows."""
NEXT_TIME: Final = re.compile(
    r'\b(?:the )?next time\b|\b(?:das|beim) nachste(?:n|s)? mal\b|\bprochaine fois\b|\bproxima vez\b|\bprossima volta\b'
    r'|\bvolgende keer\b'
)
EVERY_TURN: Final = re.compile(
    r'\b(?:each|every|any|all) (?:future |later |further )?(?:answers?|repl(?:y|ies)|responses?'
    r'|conversations?|questions?|quer(?:y|ies)|topics?)\b'
    r'|\b(?:jede[rnms]?|alle[nr]?) (?:kunftigen? )?(?:antwort\w*|frage\w*|anfrage\w*|thema|themen'
    r'|gesprach\w*)\b'
    r'|\bchaque (?:reponse|question|demande|conversation|sujet)\b|\btoutes (?:les|vos) (?:reponses'
    r'|questions|conversations)\b'
    r'|\bcada (?:respuesta|pregunta|consulta|conversacion|resposta|pergunta|conversa)\b|\b(?:todas'
    r'|proximas) (?:las |ellas|as )?(?:respuestas|preguntas|conversaciones|respostas|perguntas|conversas)'
    r'|\bogni (?:risposta|domanda|richiesta|conversazione)\b|\b(?:elke?|iedere?|alle) (?:antwoord\w*'
    r'|vra(?:ag|gen)|onderwerp\w*|gesprek\w*)\b'
)
"""Of what an agent does again and again."""
