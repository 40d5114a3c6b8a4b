"""What a model says about its user after it read what others wrote: their word, whoever repeats it.

Of the world ("the garage found a worn belt") such an answer may be told again, as unconfirmed. Of the user ("your
domains are at ...", "as you told us ...") it would be a fact about them that nobody approved. What the model did for
the user itself ("I booked you a room at ...") is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from memoranda.write.plain import bare

if TYPE_CHECKING:
    from memoranda.write.foreign import Span

__all__ = ['about_user']

_LONGEST: Final = 2_000
"""Code points of a sentence that is read; a longer one counts as one about the user."""
_YOU: Final = re.compile(
    r"\b(?:you(?:r|rs|rself|'\w+)?"
    r'|dich|dir|dein\w*|euch|euer|eure\w*|du(?=[^.!?\n]{0,60}?[a-z]{2}[sz]t\b)|\w{2,}[sz]t du'
    r"|tu|toi|tes|vous|votre|vos|t'(?=[aeiouh])"
    r'|ti|tus|tuy[oa]s?|contigo|usted(?:es)?|vosotr[oa]s|vuestr[oa]s?|\w{3,}(?:aste|iste)(?:is)?'
    r'|(?:te (?:h[ae]n?|envi|mand|dij|deb|cobr|escrib|avis|confirm|record)|has \w+[ai]d[oa])\w*'
    r'|has (?:dicho|hecho|visto|puesto|escrito|abierto)'
    r'|tuo[i]?|tua|tue|hai \w+[ts][oiae]|vostr[oaie]'
    r'|voces?|teus?|tuas?|seus?|suas?'
    r'|jij|jouw|uw|twoj\w*|tobie|ciebie|senin|sizin)\b'
    r'|[\u4f60\u60a8]|\u3042\u306a\u305f|\ub2f9\uc2e0|\ub108\uc758'
    r'|\b(?:\u0442\u044b|\u0442\u0435\u0431[\u044f\u0435]|\u0432\u044b|\u0432\u0430\u0441|\u0432\u0430\u043c'
    r'|\u0432\u0430\u0448\w*|\u0442\u0432\u043e\w+)\b'
)
"""In small letters, without accents. Words that another of the languages has for something else need company."""
_FORMAL: Final = re.compile(
    r'(?<=[\w,;:)] )(?:Sie|Ihnen|Ihr(?:e\w?)?|Lei)\b'
    r'|^\W*(?:Sie (?:haben|hatten|wollen|m\u00f6chten|nutzen)|Ihre?[mnrs]?)\b'
)
"""As it is written: in small letters, or at the beginning of a sentence, these are other words."""
_ROLE: Final = re.compile(
    r'\b(?:(?:the|this|our) (?:users?|readers?|customers?|clients?|account (?:holder|owner)s?|recipients?|subscribers?)'
    r'|(?:der|die|den|dem|des|dies\w*) (?:(?:be)?nutzer\w*|kund(?:e|en|in)|leser\w*|inhaber\w*|empfanger\w*)'
    r"|(?:l[ea]|les|l'|cet(?:te)?|ce) ?(?:utilisat(?:eur|rice)s?|client[es]*|abonnee?s?|titulaires?|lect(?:eur|rice)s?)"
    r'|(?:el|la|l[oa]s|este|esta|[oa]s?) (?:usuari[oa]s?|client[ea]s?|titular(?:es)?|lector[ae]?s?|destinatari[oa]s?'
    r'|utilizador\w*|leitor\w*|assinante)'
    r"|(?:il|la|l'|i|gli) ?(?:utent[ei]|client[ei]|intestatari[oa]|lettor[ei]|abbonat[oa]))\b"
    r'(?! (?:manuals?|guides?)\b)'
)
_DID: Final = re.compile(
    r"^\W*(?:(?:done|ok|okay|all set|gern|fertig|erledigt|voila|c'est fait|listo|hecho|fatto|pronto|feito)\b\W*)?"
    r"(?:i(?:'ve| have)? (?:just |already |now )?(?:booked|ordered|reserved|scheduled|sent|cancel\w*|bought|rented"
    r'|printed|arranged|rescheduled)\b'
    r'|ich habe?\b[^.!?,;:\n]{0,120}\b(?:gebucht|bestellt|reserviert|geschickt|gesendet|verschickt|abgesagt|storniert'
    r'|verschoben|gekauft|gemietet|gedruckt|verlangert)\b'
    r"|j'ai (?:deja |bien )?(?:reserve|commande|envoye|annule|achete|loue|imprime|deplace|programme)\b"
    r'|(?:ya )?(?:te |le )?(?:he (?:reservado|pedido|enviado|mandado|cancelado|comprado|alquilado|impreso|programado)'
    r'|reserve|pedi|envie|mande|cancele|compre|alquile)\b'
    r'|(?:ti |le )?ho (?:gia )?(?:prenotato|ordinato|inviato|mandato|spedito|annullato|comprato|noleggiato|stampato'
    r'|spostato|programmato)\b'
    r'|(?:ja )?(?:eu )?(?:te |lhe )?(?:reservei|marquei|enviei|mandei|encomendei|pedi|cancelei|comprei|aluguei|imprimi'
    r'|agendei|remarquei)\b)'
)
"""What somebody does for somebody; not what anybody may only say to know, have noted or have changed."""
_MORE: Final = re.compile(
    r"[,;:(\u2013\u2014]| - |\b(?:that|dass|ob|que|qu'|che|and|und|et|y|e|but|aber|mais|pero|ma|mas|because|since|as"
    r'|weil|da|denn|car|parce|porque|pois|perche|which|who|where|what)\b'
)
"""Where a sentence may begin to say something else."""


def about_user(text: str, user_id: str | None, sentences: list[Span]) -> Iterator[Span]:
    """The sentences that say something about the user, or what the user is said to have said.

    Args:
        text: An answer of a model.
        user_id: Whose; a name, as far as it is one.
        sentences: Where its sentences stand.
    """
    name = None if user_id is None or len(user_id) < 3 else re.compile(rf'(?<!\w){re.escape(bare(user_id))}(?!\w)')
    for start, end in sentences:
        written = text[start:end].strip()
        read = bare(written)
        if end - start > _LONGEST:
            yield start, end
            continue
        if (did := _DID.match(read)) is not None:
            more = _MORE.search(read, did.end())
            read = '' if more is None else read[more.end() :]
            written = ''
        named = name is not None and name.search(read) is not None
        if named or _YOU.search(read) or _FORMAL.search(written) or _ROLE.search(read):
            yield start, end
