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

_YOU: Final = re.compile(
    r"\b(?:you(?:r|rs|rself|'\w+)?"
    r'|du|dich|dir|dein\w*|euch|euer|eure\w*'
    r"|tu|te|toi|tes|vous|votre|vos|votres?|t'(?=[aeiouh])"
    r'|ti|tus?|tuy[oa]s?|contigo|usted(?:es)?|vosotr[oa]s|vuestr[oa]s?|\w{3,}(?:aste|iste)(?:is)?|has'
    r'|tu[oae]|tuoi|hai|vi|vostr[oaie]'
    r'|voces?|contigo|teus?|tuas?|seus?|suas?'
    r'|jij|jou|jouw|uw|ditt?|dig|dina|twoj\w*|tobie|ciebie|senin?|sizin?)\b'
    r'|[\u4f60\u60a8]|\u3042\u306a\u305f|\ub2f9\uc2e0|\ub108\uc758'
    r'|\b(?:\u0442\u044b|\u0442\u0435\u0431[\u044f\u0435]|\u0432\u044b|\u0432\u0430\u0441|\u0432\u0430\u043c|\u0432\u0430\u0448\w*|\u0442\u0432\u043e\w+)\b'
)
"""In small letters, without accents."""
_FORMAL: Final = re.compile(r'\b(?:Sie|Ihnen|Ihr(?:e\w?)?|Lei|La Sua|Suo)\b')
"""As it is written: in small letters these are other words."""
_ROLE: Final = re.compile(
    r"\b(?:the|this|our|der|die|den|dem|des|dies\w*|l[ea]|les|l'|el|la|lo|il|[oa]|este|esta|cet(?:te)?|ce)\s?"
    r'(?:users?|readers?|customers?|clients?|account (?:holder|owner)s?|owners?|recipients?|subscribers?|guests?'
    r'|callers?|patients?|passengers?|members?|employees?'
    r'|(?:be)?nutzer\w*|kund(?:e|en|in)|leser\w*|inhaber\w*|empfanger\w*|gast|gaste'
    r'|utilisat(?:eur|rice)s?|cliente?s?|abonnee?s?|titulaires?|lect(?:eur|rice)s?'
    r'|usuari[oa]s?|titular(?:es)?|lector[ae]?s?|destinatari[oa]s?'
    r'|utent[ei]|clienti|intestatari[oa]|utilizador\w*|leitor\w*)\b'
)
_DID: Final = re.compile(
    r"^\W*(?:(?:done|ok|okay|all set|gern|fertig|erledigt|voila|c'est fait|listo|hecho|fatto|pronto|feito)\b\W*)?"
    r"(?:i(?:'ve| have)? (?:just |already |now )?(?:booked|ordered|reserved|scheduled|sent|e?mailed|cancel\w*|bought"
    r'|rented|printed|wrote|written|drafted|arranged|rescheduled|posted)'
    r'|ich habe?\b[^.!?\n]{0,120}\b(?:gebucht|bestellt|reserviert|geschickt|gesendet|verschickt|abgesagt|storniert'
    r'|verschoben|gekauft|gemietet|gedruckt|geschrieben|vereinbart|verlangert)'
    r"|j'ai (?:deja |bien )?(?:reserve|commande|envoye|annule|achete|loue|imprime|ecrit|redige|deplace|programme)"
    r'|(?:ya )?(?:te |le )?(?:he (?:reservado|pedido|enviado|mandado|cancelado|comprado|alquilado|impreso|escrito'
    r'|programado)|reserve|pedi|envie|mande|cancele|compre|alquile)\b'
    r'|(?:ti |le )?ho (?:gia )?(?:prenotato|ordinato|inviato|mandato|spedito|annullato|comprato|noleggiato|stampato'
    r'|scritto|spostato|programmato)'
    r'|(?:ja )?(?:eu )?(?:te |lhe )?(?:reservei|marquei|enviei|mandei|encomendei|pedi|cancelei|comprei|aluguei|imprimi'
    r'|escrevi|agendei|remarquei)\b)'
)
"""What somebody does for somebody; not what anybody may only say to know, have noted or have changed."""


def about_user(text: str, user_id: str | None, sentences: list[Span]) -> Iterator[Span]:
    """The sentences that say something about the user, or what the user is said to have said.

    Args:
        text: An answer of a model.
        user_id: Whose; a name, as far as it is one.
        sentences: Where its sentences stand.
    """
    name = None if user_id is None or len(user_id) < 3 else re.compile(rf'\b{re.escape(bare(user_id))}\b')
    for start, end in sentences:
        written = text[start:end].strip()
        read = bare(written)
        if _DID.match(read):
            continue
        named = name is not None and name.search(read) is not None
        if named or _YOU.search(read) or _FORMAL.search(written) or _ROLE.search(read):
            yield start, end
