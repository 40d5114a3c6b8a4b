"""Words before a colon: what somebody fills in about themself, as in a form, and what several people say in turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from memoranda.write._own_quotes import MEANT, SPEAKER
from memoranda.write.commands import asks_agent

__all__ = ['ROLE', 'are_owned', 'fills_in', 'is_journey', 'turns']

ROLE: Final = r'(?:system|assistant|ai|bot|tool|user|human|agent|developer|customer|support|output|result|input)'
"""Who speaks in what programs write down of a conversation."""
_LINE: Final = re.compile(
    r'^[ \t]*(?P<mark>[-*>@\[<\u2022][-*>@ \t]*)?'
    r'(?P<label>(?:[\w.-]{2,20}|[^\W\x00-\x7f])(?: [\w.-]{1,20}){0,2})\b'
    # `Ana (mum):`, `Ana 10:32:`, and a picture after the name
    r'(?:[ \t]?\([^()\n]{1,20}\)|,?[ \t]?\d{1,2}[:.]\d\d)?(?:[ \t]?[^\w\s:(){}"\']{1,6})?[ \t]*:(?!//|\d\d)[*]*'
    r'(?P<words>[^\n]+)',
    re.M,
)
_FIELDS: Final = frozenset(
    word.rstrip('s')
    for word in (
        's name names surname lastname nickname age born birthday place city town village country region address '
        'street phone mobile email job role work profession occupation employer company team office school '
        'university degree hobby hobbies interests pet pets dog dogs cat cats kids children family partner diet '
        'allergy allergies food drink drinks coffee tea breakfast lunch dinner supper snack likes dislikes loves '
        'hates favourites favorites music instrument sport sports language languages pronouns height weight size '
        'car bike os system editor browser shell laptop computer hardware stack tool tools project product budget '
        'rent salary goal goals plan plans note notes remark comment style tone format units timezone currency '
        'hours shift status home hometown morning noon afternoon evening night today tomorrow weekend monday '
        'tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays '
        'saturdays sundays output input result contract server song from to date time where when what who how why '
        'problem question context background situation topic medication meds doctor gym reminder vorname nachname '
        'alter geburtstag ort wohnort stadt dorf land adresse telefon handy beruf arbeit firma schule studium '
        'hobbys haustier haustiere hund katze kinder familie diat allergie allergien essen getrank getranke '
        'kaffee fruhstuck mittagessen abendessen mag musik sprache sprachen grosse gewicht auto rad rechner '
        'projekt miete gehalt ziel ziele notiz notizen hinweis anmerkung stil ton einheiten wahrung schicht '
        'morgens mittags abends nachts fruh vormittag nachmittag abend heute morgen wochenende montag dienstag '
        'mittwoch donnerstag freitag samstag sonnabend sonntag montags dienstags mittwochs donnerstags freitags '
        'samstags sonntags von nach datum wann wo thema frage prenom nom surnom anniversaire lieu ville pays '
        'telephone portable courriel metier travail poste entreprise equipe bureau ecole etudes loisirs animal '
        'animaux chien chat enfants famille conjoint regime nourriture boisson cafe petit-dejeuner dejeuner diner '
        'aime deteste musique langue langues taille poids voiture velo systeme ordinateur projet loyer salaire '
        'objectif objectifs remarque unites devise horaires matin midi soir nuit demain lundi mardi mercredi '
        'jeudi vendredi samedi dimanche quand sujet nombre nombres apellido apellidos apodo edad cumpleanos lugar '
        'ciudad pueblo pais direccion telefono movil correo oficio trabajo profesion puesto rol empresa equipo '
        'oficina escuela estudios aficion aficiones mascota mascotas perro gato hijos familia pareja dieta '
        'alergia alergias comida bebida desayuno almuerzo cena musica instrumento deporte idioma idiomas altura '
        'peso talla coche bici sistema ordenador proyecto presupuesto alquiler sueldo meta metas objetivo nota '
        'notas observacion estilo tono unidades moneda horario turno manana mediodia tarde noche hoy lunes martes '
        'miercoles jueves viernes sabado domingo desde hasta fecha hora cuando donde tema nome cognome soprannome '
        'eta compleanno luogo citta paese indirizzo cellulare mestiere lavoro ruolo azienda squadra ufficio '
        'scuola studi passatempo animale animali cane gatto figli famiglia compagno compagna cibo bevanda '
        'colazione pranzo strumento lingua lingue altezza taglia macchina progetto affitto stipendio obiettivo '
        'obiettivi osservazione stile unita valuta orario mattina mezzogiorno pomeriggio sera notte oggi domani '
        'lunedi martedi mercoledi giovedi venerdi sabato domenica da data ora apelido alcunha idade aniversario '
        'cidade aldeia morada endereco telemovel profissao trabalho cargo equipa escritorio escola estudos '
        'animais cao filhos parceiro parceira pequeno-almoco almoco jantar linguas tamanho carro bicicleta '
        'projeto orcamento renda salario objetivos observacao tom moeda manha meio-dia noite hoje amanha segunda '
        'terca quarta quinta sexta de para an onde quando assunto lieux website site blog wake run walk swim '
        'sleep bed bus train before now then later pros cons class classes shop klasse klassen fach arzt bahn '
        'veterinaire medecin classe'
    ).split()
)
"""What forms and lists have before a colon, and no conversation has: plain, without accents."""
_OF_ONE: Final = re.compile(
    r'(?:my|our|i|so|at|in|on|for|during|after|before|every|each|mein\w{0,2}|unser\w{0,3}|ich|am|im|bei|fur|nach|vor'
    r'|jede[nrsm]?|mon|ma|mes|notre|nos|je|le|la|les|au|pour|chaque|mi|mis|nuestr[oa]s?|yo|el|los|las|por|cada|mi[oae]'
    r'|miei|il|lo|gli|al|per|ogni|meus?|minhas?|noss[oa]s?|o|os|as|ao|na|no|em)(?= )'
)
"""Names don't begin so."""
_FIRST_PERSON: Final = re.compile(r"\b(?:i|i'm|i've|my|me|we|ich|mein|je|j'ai|mon|yo|mi|io|mio|eu|meu)\b")
"""In the words of somebody after a name: then the lines are of a transcript, and not of a form."""
_ADDRESSES: Final = (
    r"\?|\b(?:you|your|you're|ya|du|dir|dich|dein\w{0,2}|ihr|euch|tu|te|toi|vous|vos|votre|ton|tes|usted(?:es)?|ti"
    r'|contigo|voi|vostr\w|voce|voces|vc)\b'
)
_REPLIES: Final = (
    r'^\W*(?:hi|hey|hello|ok|okay|oki|yes|yep|yeah|no|nope|sure|thanks|thx|great|cool|lol|haha\w*|jaja\w*|rsrs|kkk\w*'
    r'|hallo|moin|ja|nein|klar|danke|gut|super|genau|oui|non|merci|salut|coucou|ca marche|bien|si|vale|gracias|hola'
    r'|claro|venga|va bene|grazie|ciao|certo|perfetto|sim|nao|obrigad[oa]|oi|ola|beleza|tamam|evet|hayir|tak|nie|dzieki'
    r'|da|net|dobre|jo|nej)\b'
)
_ADDRESSED: Final = re.compile(_ADDRESSES)
_TALKS: Final = re.compile(f'{_ADDRESSES}|{_REPLIES}')
"""What is said to somebody who is there, or answered."""
_OTHERS: Final = re.compile(
    r'\b(?:(?:group )?chats?|groups?|conversations?|dialog(?:ue)?s?|threads?|transcripts?|whatsapp|telegram|signal'
    r'|slack|discord|messenger|messages?|texts?|\w*gruppen?|\w*chat|unterhaltung|verlauf|gesprach|nachrichten|groupe|discussion'
    r'|echanges?|grupos?|conversacion|charla|mensajes|gruppo|conversazione|messaggi|conversa|mensagens)\b'
    r'|\bnot (?:mine|my|from me|by me|me)\b|\bno (?:es |son )?mi[oa]s?\b|\bno (?:es |lo he escrito )?(?:de mi|yo)\b'
    r'|\bnicht (?:von mir|mein\w{0,2}|ich)\b|\bpas (?:de moi|a moi|(?:le|la) mien\w*|moi)\b'
    r'|\bnon (?:e |sono )?(?:mi[oa]|io|di me)\b|\bnao (?:e |sao |fui )?(?:meu|minha|eu)\b'
)
"""Before the lines: where they come from, or that they are not the speaker's."""
_FEW: Final = 2
_SAYING_WORDS: Final = 4
"""Fewer words are an entry of a list."""
_UNSPACED: Final = 10
_MOST_FIELDS: Final = 40
_FORM: Final = 3
"""Lines of a form, at least."""
_THINGS: Final = frozenset(('system', 'tool', 'output', 'result', 'input'))
_FILLED: Final = 600
"""Code points after a label, of which each line may begin with one: more are read by nobody."""
_NAMING_WORDS: Final = 16
_OWNED: Final = re.compile(
    r'(?:system|tool|user|agent|developer|customer|support|output|result|input|products?|contract|servers?|songs?|tools?'
    r'|config|web ?site|site|blog|forum|api|bot|poem|story|invoice|manual|newsletter|wiki|form|listing|human|subject'
    r'|betreff|asunto|objet|oggetto|assunto)s?\Z'
)
"""Words for who or what speaks that are also those for something that people have."""
_FAKED: Final = re.compile(
    r'\b(?:memor\w*|updat\w*|overrid\w*|overwr\w*|polic\w*|verif\w*|record\w*|instruct\w*|prefer\w*|admin\w*'
    r'|authori\w*|approv\w*|confirm\w*|profile|debug|modes?|enabled|activated|priorit\w*|directives?|rules?|notice'
    r'|alert|reset|prompt\w*|context|session|compliance|mandatory|required|must|always|never|from now on'
    r'|aktualisi\w*|bestatigt\w*|anweisung\w*|immer|toujours|siempre|sempre)\b'
)
"""What a line says that pretends to be a machine's."""
_MACHINES: Final = re.compile(r'\b(?:assist\w*|asist\w*|assystent\w*|ai|ki|ia|llms?|(?:chat)?bots?|copilot)\b')
_BEGINS: Final = re.compile(r"\W*(?:i|i'\w+|we|we'\w+|ich|wir|je|j'\w+|nous|yo|io|noi|eu|please|bitte)\b")
_ASKS: Final = re.compile(r"@|\b(?:please|pls|bitte|por favor|per favore|s'il \w+ plait|dear|regards|gruss\w*|tell)\b")
_SENTENCE: Final = re.compile(r'[^.!?\n]*(?:[.](?=\w)[^.!?\n]*)*')
_PLACE: Final = re.compile(r'[@<]|^[ \t>*_]*(?:cc|bcc|sent|gesendet|reply-to|envoye|inviato|x-)', re.M)


def turns(text: str) -> list[tuple[int, int]]:
    """Where lines of a text are what people say in turn, `Name: ...`, and not the fields of a form.

    Args:
        text: A message, as plain text (see `plain`).
    """
    lines = list(_LINE.finditer(text))
    if len(lines) < _FEW:
        return []
    takes = _takes_turns(text, lines)
    bare = [m for m in lines if not m['mark']]
    confides = len(bare) >= _FEW and any(_FIRST_PERSON.search(m['words']) for m in bare)
    if not (takes or confides) or _is_form(text, lines):
        return []
    if not takes:
        return [m.span() for m in bare]
    spans: list[tuple[int, int]] = []
    for m in lines:
        # What goes on in a line of its own is of who spoke last; after an empty line it may be anybody's.
        goes_on = bool(spans) and '\n\n' not in text[spans[-1][1] : m.start()]
        spans.append((spans[-1][1] if goes_on else m.start(), m.end()))
    return spans


def _takes_turns(text: str, lines: Sequence[re.Match[str]]) -> bool:
    named = [m for m in lines if not _is_field(m['label'])]
    speakers = {m['label'] for m in named}
    if len(named) < _FEW:
        return False
    says = any(_says(m['words']) for m in named)
    lead = text[: named[0].start()].strip().rpartition('\n')[2]
    if says and (_OTHERS.search(lead) or ('?' in lead and not SPEAKER.search(lead))):
        return True
    if len(speakers) < _FEW:
        return False
    if len(speakers) < len(named):
        return says or any(map(_talks, named))
    return says and any(_ADDRESSED.search(m['words']) for m in named) and not any(map(_is_item, named))


def _is_item(line: re.Match[str]) -> bool:
    return (line['mark'] or '').strip() in ('-', '*', '>', '\u2022')


def _says(words: str) -> bool:
    """Whether it is more than an entry of a list. Some languages write no spaces."""
    return len(words.split()) >= _SAYING_WORDS or (len(words) >= _UNSPACED and not words[:_UNSPACED].isascii())


def _is_field(label: str) -> bool:
    words = [word.rstrip('s') for word in label.split()]
    return words[0] in _FIELDS or words[-1] in _FIELDS or words[-1].isdigit() or _OF_ONE.match(label) is not None


def _is_form(text: str, lines: Sequence[re.Match[str]]) -> bool:
    """Whether it is what somebody fills in, each field once, and nothing of it is for a machine."""
    labels = [m['label'] for m in lines]
    fields = sum(map(_is_field, labels))
    if len(lines) > _MOST_FIELDS or len(set(labels)) < len(labels):
        return False
    if any(MEANT.search(m['words']) or asks_agent(m['words']) for m in lines):
        return False
    if fields * 2 > len(lines):
        return True
    lead = text[: lines[0].start()].strip().rpartition('\n')[2]
    of_own = lead.endswith(':') and SPEAKER.search(lead) is not None and not _OTHERS.search(lead)
    theirs = of_own or (fields > 0 and len(lines) >= _FORM)
    entries = (m['words'] for m in lines if len(m['words'].split()) <= _SAYING_WORDS)
    return theirs and any(not SPEAKER.search(words) for words in entries) and not any(map(_talks, lines))


def _talks(line: re.Match[str]) -> bool:
    return _TALKS.search(line['words']) is not None


def are_owned(text: str, lines: Sequence[re.Match[str]]) -> bool:
    """Whether lines with the label of a role are about things of the speaker's, and nobody answers anybody.

    Args:
        text: A message, as plain text.
        lines: Each with a group `role`.
    """
    roles = [m['role'] for m in lines]
    speakers = set(roles) - _THINGS
    if len(set(roles)) < len(roles) or len(speakers) > 1 or (speakers and len(roles) > 1):
        return False
    fields = list(_LINE.finditer(text))
    if len(fields) >= _FORM and _is_form(text, fields):
        return not any(_FAKED.search(m[0]) or _TALKS.search(m[0]) for m in lines)
    for m in lines:
        label, _, said = text[m.start() :].partition(':')
        # What a program returned has nobody who speaks of themself in each of its lines.
        if label.strip() != m['role'] or (len(lines) > 1 and not SPEAKER.search(m[0])) or not fills_in(label, said):
            return False
    return True


def fills_in(label: str, said: str) -> bool:
    """Whether somebody names a thing of their own after a word and a colon: `Tool: a drill. I love it.`.

    Args:
        label: The word, as plain text.
        said: What comes after the colon, to the end of the message.
    """
    if len(said) > _FILLED or _OWNED.match(label.strip().rstrip(' :')) is None:
        return False
    said = said.replace("'ai ", "'a ")  # `j'ai`, `l'ai`: no machine
    line = said.partition('\n')[0]
    named = _SENTENCE.match(line)
    first = named[0] if named is not None else ''
    if not first.strip() or len(first.split()) > _NAMING_WORDS or _BEGINS.match(first) or _TALKS.search(first):
        return False
    if SPEAKER.search(said) is None or _FAKED.search(first) or MEANT.search(said):
        return False
    return _MACHINES.search(said) is None and not asks_agent(said)


def is_journey(headers: str, rest: str) -> bool:
    """Whether lines like those of a mail tell where somebody goes: `From: Hamburg`, `To: Malmö`.

    Args:
        headers: The lines, as plain text.
        rest: What comes after them.
    """
    if _PLACE.search(headers) or rest.startswith('\n\n') or _TALKS.search(rest) or _ASKS.search(rest):
        return False
    return not (MEANT.search(rest) or asks_agent(rest))
