"""Whether a message is worth the cost of extraction: cheap, in any language, and open in doubt."""

from __future__ import annotations

import re

from memoranda.records import Episode

__all__ = ['worth_reading']

_WORDS = (
    'ok okay kk k sure yes yeah yep yup no nope nah hi hello hey hiya yo bye goodbye cheers thanks thx ty please cool '
    'nice great awesome perfect lovely wow lol haha hahaha hehe hmm hm uh um oh ah right exactly correct done go '
    'continue next again more stop wait sorry np welcome good fine understood agreed absolutely definitely indeed '
    'really amazing there so very much a lot many too guys everyone lgtm '
    'hola gracias vale sí si claro adiós bueno genial perfecto muchas olá oi obrigado obrigada sim não tchau ótimo '
    'perfeito muito bonjour salut merci oui non super parfait beaucoup bonsoir hallo danke ja nein gut klar tschüss '
    'genau dank dankjewel bedankt nee prima hoi ciao grazie prego sì mille buongiorno buonasera buonanotte arrivederci '
    '谢谢 谢谢你 好 好的 你好 嗯 是的 再见 ありがとう ありがとうございます はい いいえ こんにちは おはよう 了解 '
    '감사합니다 네 안녕하세요 спасибо да нет привет хорошо пока понятно большое'
)
_PHRASES = (
    'thank you|thank you so much|thank you very much|got it|i see|sounds good|looks good|all good|good morning'
    '|good afternoon|good evening|good night|see you|see you later|talk to you later|no problem|no worries'
    "|you're welcome|go on|go ahead|keep going|of course|makes sense|that makes sense|that works|that's great|well done"
    '|good job|good point|never mind|how are you|how are you doing|what do you mean|are you there|that helps'
    '|i understand|will do|buenos días|buenas tardes|buenas noches|de nada|de acuerdo|hasta luego|bom dia|boa tarde'
    "|boa noite|d'accord|bonne nuit|au revoir|de rien|ça va|vielen dank|danke schön|guten morgen|guten tag|guten abend"
    '|gute nacht|alles klar|auf wiedersehen|va bene|dank je|dank je wel|goedemorgen|tot ziens|доброе утро|добрый день'
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
    r"|will|would|should|has|have|what's|who's|where's|how's"
    r"|qué|quién|cuándo|dónde|cómo|por qué|cuál|qu['’]est-ce|quel|quelle|comment|pourquoi"
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


def _is_idle(text: str) -> bool:
    parts = [' '.join(_WORD.findall(part.casefold())).replace('’', "'") for part in _SPLIT.split(text)]
    return all(part in _IDLE or all(word in _IDLE for word in part.split()) for part in parts)


def _is_bare_question(text: str) -> bool:
    if not text.endswith(('?', '？')) or len(text) > 300 or _SELF.search(text):
        return False
    # One sentence, or it states something beside asking.
    body = text.rstrip('?？! ')
    return _ASKS.match(text) is not None and not re.search(r'[.!?;:\n。]\s', body + ' ')
