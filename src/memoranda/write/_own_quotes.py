"""Words in quotation marks that are the speaker's own: a title, a nickname, what they say themselves or want said.

They stand in a sentence in which somebody speaks of themself, are few, and order nothing. In doubt they are somebody
else's, as they are when the sentence tells who said them, or where they were read.
"""

from __future__ import annotations

import re
from typing import Final

from memoranda.write._command_words import ADDRESSEES, LEAD, SINK, STANDS, USER, VERB
from memoranda.write.commands import asks_agent, is_standing, wishes

__all__ = ['MEANT', 'SPEAKER', 'is_own_quote', 'is_own_report', 'orders_machine']

_MOST_WORDS: Final = 12
_REACH: Final = 300
"""Code points before and after a quotation that are looked at."""
_BREAK: Final = re.compile(r'[.!?]["\')]*\s|[.!?]["\')]*\Z|\n')
_INSIDE: Final = re.compile(r'[.!?;]\s+\w|\n')
"""More than one sentence."""
_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SHORT: Final = 3
"""Letters of words that titles leave small."""
_QUOTES: Final = re.compile(r'"[^"\n]*"|(?<!\w)\'[^\'\n]*\'(?!\w)')
_OWN: Final = (
    r'(?:my|our|mein\w{0,2}|unser\w{0,3}|mon|ma|mes|notre|nos|mi|mis|nuestr[oa]s?|mi[oae]|miei|nostr[oaie]|meus?'
    r'|minhas?|noss[oa]s?)'
)
SPEAKER: Final = re.compile(
    rf"\b(?:{_OWN}|i|i'\w+|mine|me|myself|we|we'\w+|us|ich|mir|mich|wir|uns|je|j'\w+|moi|nous|yo|conmigo|nosotr[oa]s"
    r'|io|noi|eu|comigo|soy|estoy|tengo|hago|toco|vivo|trabajo|quiero|prefiero|necesito|digo|leo|canto|uso|llevo|pongo|escucho'
    r'|cocino|enseno|sono|sto|faccio|abito|lavoro|preferisco|voglio|dico|leggo|ascolto|cucino|suono|porto|insegno|chiamo|llamo|moro'
    r'|sou|estou|tenho|faco|trabalho|prefiro|quero|preciso|leio|ouco|cozinho|ensino|chamo|\w{2,}(?:[aei]mos|iamo))\b'
)
"""Somebody speaks of themself. In Romance languages often the verb alone tells it."""
_SAID: Final = (
    r'(?:says?|said|tells?|told|writes?|wrote|written|texted|texts|replie[sd]|answers(?! (?:\w+ )?to\b)'
    r'|answered|post(?:s|ed)|sends|sent'
    r'|mailed|e-?mailed|messaged|comment(?:s|ed)|claim(?:s|ed)|ask(?:s|ed)|shout(?:s|ed)|announce[sd]|quote[sd]'
    r'|forwarded|shared|showed|reads|state[sd]|insist(?:s|ed)|suggest(?:s|ed)|recommend(?:s|ed)|advise[sd]'
    r'|want(?:s|ed)(?= (?:you|me|us|him|her|them|it|that|the)\b)'
    r'|sagt|sagte\w*|gesagt|meint|meinte|schreibt|schrieb\w*|geschrieben|geschickt|schickt\w*|fragt\w*|gefragt|steht'
    r'|stand|lautet|behauptet\w*|empfiehlt|empfahl|antwortet\w*|dit|disait|ecrit|demande|repond|repondu|envoye'
    r'|affirme|conseille|recommande|dice[n]?|dijo|dicho|escribio|escribe|escrito|pregunto|pregunta|pone|mando|envio'
    r'|recomienda|recomendo|afirma|detto|scrive|scritto|chiede|chiesto|mandato|consiglia|disse|diz|escreveu|escreve'
    r'|pergunta|perguntou|mandou|enviou|recomendou)'
)
_OWN_WORDS: Final = re.compile(
    r"\b(?:i|we|i've|we've|i'd|i'll|ich|wir|je|j'ai|nous|yo|io|eu|to|zu|ich habe|wir haben)"
    rf' (?:\w+ ){{0,2}}{_SAID}\b'
)
"""What they say themselves."""
_SOMEBODY_SAID: Final = re.compile(rf'\b{_SAID}\b')
_GOT: Final = re.compile(
    r'\b(?:got|gets|received?|found|finds?|copied|pasted?|came across|heard|overheard|bekommen|bekam|erhalten'
    r'|erhielt|gefunden|fand|gehort|kopiert|recu|recois|trouve|entendu|colle|copie|recibi\w*|encontr\w+|oi|copi\w+|pegu\w+'
    r'|ricevuto|ricevo|trovato|sentito|copiato|incollato|recebi\w*|ouvi|colei)\b'
)
_SOURCES: Final = re.compile(
    r'\b(?:e-?mails?|mails?|messages?|msgs?|texts?|sms|letters?|pages?|web ?sites?|sites?|articles?|posts?|blogs?'
    r'|comments?|reviews?|threads?|tickets?|issues?|readme|docs?|documents?|documentation|pdfs?|files?|reports?|memos?'
    r'|transcripts?|logs?|outputs?|results?|responses?|snippets?|paragraphs?|passages?|excerpts?|descriptions?|listings?'
    r'|ads?|adverts?|advertisements?|flyers?|leaflets?|posters?|banners?|newsletters?|manuals?|wikis?|tweets?|captions?'
    r'|chats?|forums?|popups?|stickers?|subtitles?|notifications?|voicemails?|headlines?|internet|web|online|notes?'
    r'|correo\w*|mensajes?|paginas?|articulos?|cartas?|textos?|documentos?|comentarios?|archivos?|anuncios?'
    r'|courriels?|lettres?|textes?|commentaires?|fichiers?|annonces?|affiches?'
    r'|nachricht(?:en)?|(?:web)?seiten?|artikel|briefe?|dokumente?|kommentare?|beitrag|datei(?:en)?|anzeigen?|plakate?'
    r'|zettel|messaggi\w*|pagin[ae]|articol[oi]|letter[ae]|test[oi]|document[oi]|comment[oi]|annunc\w+'
    r'|mensage(?:m|ns)|artigos?|ficheiros?|arquivos?|inbox|postfach|briefkasten|posteingang|post|posta|casella|correio|caixa|buzon'
    r'|boite)\b'
)
"""Where one reads what others write."""
_NAMED: Final = re.compile(rf'{_SOURCES.pattern}[ ,]*$')
_WITHIN: Final = ''.join(
    rf'(?<!\b{word} )'
    for word in 'in on at from im auf aus bei von dans sur de en del nel nella no na em do da su'.split()
)
_NO_SOURCE: Final = re.compile(
    rf'{_WITHIN}\b(?:{_OWN}|every|each|all|any|jede\w*|alle[nr]?|chaque|tou(?:te)?s|cada|tod[oa]s?|ogni|tutt[iaeo])'
    rf' (?:[\w-]+ ){{0,2}}{_SOURCES.pattern}'
)
"""What is theirs, or none in particular, and not a place where something stands."""
_PERSON_SAYS: Final = re.compile(
    r'^\W*(?:(?:yesterday|today|and|but|so|gestern|heute|hier|aujourd\'hui|ayer|hoy|ieri|oggi|ontem|hoje),? )?'
    rf'{_OWN} (?:[\w-]+ ){{1,2}}(?:(?:always|often|just|once|keeps|me|mi|nous|nos|ci|m\'a|nous a|hat|ha|ci ha|mi ha) )?'
    r'(?:says?|said|saying|asked|asks|told|tells|thinks|warned|sagt|sagte|gesagt|meint|meinte|fragt|fragte|gefragt|dit'
    r'|disait|demande|dice|decia|dijo|pregunta|pregunto|diceva|detto|chiede|chiesto|disse|diz|pergunta|perguntou)'
    r'(?: (?:me|us|always|often|immer|oft|mir|uns|toujours|souvent|siempre|sempre|to me|to us)){0,2} ?:$'
)
"""Somebody who is close to them, by word of mouth."""
_TASK: Final = re.compile(
    r'^\W*(?:(?:please|pls|can you|could you|would you|will you|help me|now|and|so|ok|okay|then|hey|hi|bitte|kannst du'
    r"|peux-tu|puedes|puoi|podes|por favor|per favore|s'il te plait),? (?:to )?)*"
    r'(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|reword|explain|analy[sz]e|shorten|classify'
    r'|transcribe|interpret|debug|review|fix|check|edit|improve|correct|format|convert|parse|extract|reply to'
    r'|respond to|look at|have a look at|read|see|repeat|tell me what|ubersetz\w*|fasse?|erklar\w*|korrigier\w*|lies'
    r'|traduce|traduci|traduis|traduza|traduire|resume|riassumi|resuma|corrig\w+|correggi|explique|explica|spiega'
    r'|lis|lee|leggi|leia)\b'
)
_FIRST_PERSON: Final = re.compile(
    r"\b(?:i|i'\w+|my|me|mine|we|ich|mein\w{0,2}|mir|mich|je|j'\w+|mon|ma|mes|moi|yo|mi|mis|soy|io|mi[oae]|sono|eu|sou"
    r'|meus?|minhas?)\b'
)
MEANT: Final = re.compile(rf'{USER}|{SINK}|{ADDRESSEES.pattern}|\b(?:bots?|agents?)\b')
"""Who, or what, an order of somebody else is about."""
_ORDERED: Final = re.compile(r'\b(?:make|let|tell|ask|have|get) (?:\w+ )?(?:bots?|agents?|assistants?|ai)\b')
_ORDERS: Final = re.compile(rf'{LEAD}(?:{STANDS}){{0,2}}{VERB}\b', re.MULTILINE)


def is_own_quote(text: str, start: int, end: int, shown: str) -> bool:
    """Whether a quotation is part of what its speaker says of themself.

    Args:
        text: A message, as plain text (see `plain`).
        start: Where the quotation begins, with its mark.
        end: Where it ends.
        shown: The quotation as it was written.
    """
    quote = text[start + 1 : end - 1].strip()
    if len(quote.split()) > _MOST_WORDS or _INSIDE.search(quote) or asks_agent(quote):
        return False
    if MEANT.search(quote):
        return False
    before, after, asks = _around(text, start, end)
    frame = f'{before} , {after}'
    if asks or _TASK.match(before) or not (SPEAKER.search(frame) or wishes(f'{before}{after}')):
        return False
    if _SOMEBODY_SAID.search(_OWN_WORDS.sub(' ', frame)):
        return False
    title = _is_title(shown)
    # `the article "How the West Was Won"` names one.
    source = _SOURCES.search(_NO_SOURCE.sub(' ', f'{_NAMED.sub(" ", before) if title else before} , {after}'))
    if source is not None and not is_standing(f'{before}{after}'):
        return False
    if title:
        return True
    if before.rstrip().endswith(':') or _GOT.search(frame):
        return False
    return not (_FIRST_PERSON.search(quote) or (_ORDERS.match(quote) and not shown.startswith('`')))


def is_own_report(lead: str, said: str) -> bool:
    """Whether somebody passes on what a person told them, as a thing of their own life: nothing of it is an order.

    Args:
        lead: Up to the colon that announces it, as plain text.
        said: What comes after it.
    """
    last = lead[max(lead.rfind(c) for c in '.!?\n') + 1 :]
    if _PERSON_SAYS.search(last) is None or _SOURCES.search(last) or '\n' in said.strip():
        return False
    # What that person says of themself is not to be taken for what the user does.
    first = _BREAK.split(said.strip(), maxsplit=1)[0]
    return not (_FIRST_PERSON.search(first) or MEANT.search(said) or asks_agent(said))


def orders_machine(quote: str) -> bool:
    """Whether words name an AI or its user and tell what to do: nobody's motto, nor the name of anything."""
    return MEANT.search(quote) is not None and (_ORDERED.search(quote) is not None or asks_agent(quote))


def _around(text: str, start: int, end: int) -> tuple[str, str, bool]:
    """The rest of the sentence that a quotation stands in, without other quotations, and whether it asks something."""
    before = _QUOTES.sub(_blank, text[max(0, start - _REACH) : start])
    breaks = list(_BREAK.finditer(before))
    after = _QUOTES.sub(_blank, text[end : end + _REACH])
    stop = _BREAK.search(after)
    asks = stop is not None and '?' in stop[0]
    return before[breaks[-1].end() if breaks else 0 :], after[: stop.start() if stop else len(after)], asks


def _blank(m: re.Match[str]) -> str:
    return ' ' * len(m[0])


def _is_title(shown: str) -> bool:
    """Whether it is written like a title: each word of some length begins with a capital, and not all are capitals."""
    words = _WORD.findall(shown)
    long = [w for w in words if len(w) > _SHORT and not w[0].isdigit()]
    return bool(long) and words[0][:1].isupper() and all(w[0].isupper() for w in long) and not shown.isupper()
