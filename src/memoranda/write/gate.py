"""Whether a message is worth the cost of extraction: cheap, in any language, and open in doubt."""

from __future__ import annotations

import re

from memoranda.records import Episode

__all__ = ['asks', 'says_nothing', 'worth_reading']

_WORDS = (
    'ok okay kk k sure yes yeah yep yup no nope nah hi hello hey hiya yo bye goodbye cheers thanks thx ty please '
    'cool nice great awesome perfect lovely wow lol haha hahaha hehe hmm hm uh um oh ah right exactly correct '
    'done go continue next again more stop wait sorry np welcome good fine understood agreed absolutely '
    'definitely indeed really amazing there so very much a lot many too guys everyone lgtm bravo yay oops whoops '
    'ouch sweet excellent brilliant fantastic wonderful super roger congrats congratulations hola gracias vale '
    'sí si claro adiós bueno genial perfecto muchas olá oi obrigado obrigada sim não tchau ótimo perfeito muito '
    'bonjour salut merci oui non parfait beaucoup bonsoir hallo danke ja nein gut klar tschüss genau dank '
    'dankjewel bedankt nee prima hoi ciao grazie prego sì mille buongiorno buonasera buonanotte arrivederci '
    'hartelijk heel erg graag gedaan doei leuk figurati perfekt toll prost bitte gern gerne moin servus tschau '
    'dziękuję dzięki tak nie dobrze cześć teşekkürler evet hayır tamam merhaba sağol tack hej takk kiitos شكرا '
    'نعم مرحبا 谢谢 谢谢你 谢谢您 多谢 不客气 没问题 明白了 好 好的 你好 嗯 是的 再见 ありがとう '
    'ありがとうございます ありがとうございました はい いいえ こんにちは こんばんは おはよう おはようございます '
    'わかりました 了解 了解です なるほど お疲れ様です 감사합니다 고마워 고맙습니다 알겠습니다 네 아니요 '
    'ta sec thankyou morning evening ttyl brb omg yikes haha hah hahah jaja jajaja jeje rsrs kkkk mdr ptdr '
    'pls plz thx tysm gg wb yas yesss ooh aww noted interesting neat ace legend gotcha welp '
    'meh ugh phew hurray hooray '
    'nada coucou tranquille certo natuurlijk zeker top super geil servas hallöchen alles ach na tja hä haja naja juist '
    'olala bof bah salve evviva ecco allora forza dai buenas venga listo bravo viva valeu blz opa eita beleza falou '
    'hei moi takkar takker mange bedankt cheerio howdy sup wassup glad '
    '안녕하세요 спасибо да нет привет хорошо пока понятно большое огромное понял поняла отлично ладно ок'
)
_PHRASES = (
    'thank you|thank you so much|thank you very much|got it|i see|sounds good|looks good|all good|good morning'
    '|good afternoon|good evening|good night|see you|see you later|talk to you later|no problem|no worries'
    "|you're welcome|go on|go ahead|keep going|of course|makes sense|that makes sense|that works|that's great"
    '|well done|good job|good point|never mind|how are you|how are you doing|what do you mean|are you there'
    '|that helps|i understand|will do|thanks a million|that did the trick|anything else|how can i help you'
    '|how can i help you today|how can i help|how may i help you|what can i do for you|my pleasure|next one'
    '|next one please|love it|loved it|take care|have a nice day|have a great day|you too|same to you|no thanks'
    '|no thank you|not now|not yet|one moment|just a moment|hang on|hold on|no hay de qué|muchísimas gracias'
    "|está bien|por supuesto|qué bien|il n'y a pas de quoi|je vous en prie|c'est bon|c'est parfait"
    '|pas de problème|gern geschehen|keine ursache|kein problem|passt so|di niente|nessun problema|tudo bem'
    '|está bom|de nada|geen probleem|het is goed|tot straks|tot morgen|buenos días|buenas tardes|buenas noches'
    "|de acuerdo|hasta luego|bom dia|boa tarde|boa noite|d'accord|bonne nuit|au revoir|de rien|ça va|vielen dank"
    '|danke schön|guten morgen|guten tag|guten abend|gute nacht|alles klar|auf wiedersehen|va bene|dank je'
    '|dank je wel|goedemorgen|tot ziens|доброе утро|добрый день'
    '|thanks for everything|thank you for everything|thanks for the help|thanks for your help|thank you for your help'
    '|thank you so much for earlier|thanks for earlier|just saying hi|just saying hello|just checking in|will try'
    '|nice one|good one|sure thing|happy to|happy to help|my mistake|my bad|good to know|glad to hear|glad to hear it'
    '|glad it helped|here you go|on it|let me have a look|let me check|let me see|let me think|fingers crossed'
    '|good luck|get well soon|stay safe|sleep well|sweet dreams|nice to meet you|pleased to meet you|did it work'
    '|how is it going|how are things|you are very welcome|very welcome|you are welcome|sounds great|sounds perfect'
    "|sounds lovely|looks great|looks perfect|that's perfect|that's it|that's all|that is all|that's fine|how wonderful"
    "|how lovely|what a day|oh no|oh well|too bad|no way|for sure|no idea|not bad|i'm back|be right back|give me a sec"
    '|give me a second|give me a minute|one sec|just a sec|one second|see ya|later|catch you later|have fun|enjoy'
    "|me neither|i guess|i agree|you rock|you're the best|you're awesome|you're quick|you're right|you are right"
    "|you're very welcome|good bot|that was fast|that was quick|that was easy|how can i help today|noted thanks"
    '|qué tal|todo bien|cómo estás|muchas gracias por todo|gracias por todo|gracias por la ayuda|solo saludar'
    '|muchas gracias por lo de ayer|que tengas buen día|en qué te ayudo|ça marche|pas mal|et toi|merci pour tout'
    "|avec plaisir|merci pour l'aide|bonne journée|bonne soirée|en tout cas|merci pour tout en tout cas|à demain"
    '|à bientôt|à plus|comment ça va|alles gut|ach nichts|danke dir|danke sehr|besten dank|schönen feierabend'
    "|schönen tag|schönen abend|bis bald|bis später|bis morgen|wie geht's|was gibt's|na klar|gute idee|viel spaß"
    '|schönes wochenende|melde dich jederzeit|tudo bom|muito obrigado|muito obrigada|obrigado pela ajuda|até logo'
    '|até mais|boa sorte|com certeza|come stai|come va|tutto bene|grazie di tutto|grazie mille|a presto|a domani'
    '|buona giornata|buona serata|hoe gaat het|fijne dag|fijne avond|tot later|geen dank|bedankt voor alles'
)
_IDLE = frozenset((*_WORDS.split(), *_PHRASES.split('|')))
_LONGEST_IDLE = 60
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SPLIT = re.compile(r'[.!?…,;:\n、。！？，—–-]+')
_SELF = re.compile(
    r"\b(?:i|i['’]?m|i['’](?:ve|d|ll)|my|me|mine|we|our|us|yo|mi|mis|me|soy|estoy|tengo|eu|meu"
    r'|minha|sou|tenho|je|j|mon|ma|mes|moi'
    r'|ich|mein|meine|mir|mich|wir|io|mio|mia|sono|ho|ik|mijn|я|мне|мой|моя|меня|always|never|remember|forget)\b'
    r'|[我私僕俺]|나는|저는|제가|내가',
    re.IGNORECASE,
)
_ASKS = re.compile(
    r'(?:(?:ok|okay|so|and|but|then|hi|hey|hello|please|now|well)[,\s]+){0,2}'
    r'(?:what|who|whom|whose|when|where|why|how|which|is|are|was|were|do|does|did|can|could'
    r"|will|would|should|has|have|any|want|ready|shall|suggest|what's|who's|where's|how's"
    r'|qué|quién|cuántos?|cuántas?|quantos?|quantas?|quanti|quanto|quién|cuándo|dónde|cómo|por qué|cuál'
    r"|qu['’]est-ce|quel|quelle|comment|pourquoi"
    r'|quand|combien|was|wer|wo|wann|warum|wie|welche'
    r'|cosa|chi|dove|quando|perché|come|wat|wie|waar|hoe|o que|quem|onde|como)\b',
    re.IGNORECASE,
)


def worth_reading(episode: Episode) -> bool:
    """Whether a message may hold something to remember.

    False for acknowledgements, greetings and thanks, for emoji and punctuation alone, and for a question in which the
    speaker says nothing of themself. Whoever's message it is makes no difference.
    """
    text = episode.text.strip(' \t\r\n¿¡')
    if len(text) > 2000:
        return True
    if not _WORD.search(text):
        return False
    if len(text) <= _LONGEST_IDLE and _is_idle(text):
        return False
    return not _is_bare_question(text)


def says_nothing(text: str) -> bool:
    """Whether it is an acknowledgement, a greeting or thanks, or no words at all."""
    return _WORD.search(text) is None or (len(text) <= _LONGEST_IDLE and _is_idle(text))


def asks(sentence: str) -> bool:
    """Whether a sentence begins as questions do."""
    sentence = sentence.lstrip(' \t\r\n\u00bf\u00a1')
    return _ASKS.match(sentence) is not None or _ASKS_ANYWHERE.search(sentence) is not None


def _is_idle(text: str) -> bool:
    parts = [' '.join(_WORD.findall(part.casefold())).replace('’', "'") for part in _SPLIT.split(text)]
    return all(_says_nothing(part) for part in parts)


def _says_nothing(part: str) -> bool:
    # `ok got it`: idle words before a phrase.
    words = part.split()
    while words:
        if ' '.join(words) in _IDLE:
            return True
        if words[0] not in _IDLE:
            return False
        words = words[1:]
    return True


_ASKS_ANYWHERE = re.compile(
    r'怎么|什么|吗|为什么|哪|如何|谁|多少|几|どう|何|なぜ|いつ|どこ|ですか|ますか|어떻게|무엇|뭐|왜|언제|어디'
)


_HOW_TO = re.compile(
    r'\b(?:how (?:do|can|would|could) (?:i|we)|shall i|should i use|(?:can|could) you (?:show|tell|give) me)\b',
    re.IGNORECASE,
)
"""Where the speaker names themself and says nothing by it."""
_PLAIN_ASK = re.compile(
    r'(?:who|what|when|where|why|how)\s(?:(?:is|are|was|were|do|does|did|many|much|long|far|old|big)\b'
    r'|(?:invented|wrote|won|made|discovered|founded|painted|built)\b)[^.!?:;,\n]{3,80}$',
    re.IGNORECASE,
)
"""A question without its mark."""


def _is_bare_question(text: str) -> bool:
    if len(text) > 300:
        return False
    text = _without_idle(text)
    said = _HOW_TO.sub('', text)
    if _SELF.search(said):
        return False
    if not text.endswith(('?', '？')):
        return _PLAIN_ASK.match(text) is not None
    # One sentence, or it states something beside asking.
    body = text.rstrip('?？! ')
    asks = _ASKS.match(text) or _ASKS_ANYWHERE.search(text)
    return asks is not None and not re.search(r'[.!?;:\n。]\s', body + ' ')


def _without_idle(text: str) -> str:
    """The text after sentences that say nothing (`Great! Want a plan?`), and without pictures at its end."""
    text = _TAIL.sub('', text)
    while (m := _FIRST_SENTENCE.match(text)) and _is_idle(m[0]):
        text = text[m.end() :].lstrip(' \t\r\n¿¡')
    return text


_FIRST_SENTENCE = re.compile(r'[^.!?\n]{1,60}[.!?\n]{1,3}\s+(?=\S)')
_TAIL = re.compile('[\\s\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f]+$')
