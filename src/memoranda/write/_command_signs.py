"""Signs of a command to an agent that no single form tells: who is meant, and what is wanted of them.

A sentence of a page rarely has a reason to name a machine that reads it, or what its user asks, and to want something
in the same breath. Each sign is a small set of words in six languages; two of them together make a command, in whatever
order and however the rest is worded. They read plain text: small letters, no accents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from memoranda.write._command_words import (
    ADDRESSEES,
    AI,
    COND,
    EVERY_TURN,
    LATER,
    NEXT_TIME,
    PROTOCOL,
    SINK,
    STAND,
    TO_DO,
    USER,
    VERB,
)

__all__ = ['Reach', 'signs']

Reach = Literal['all', 'sentence']
"""What a command spoils: all that follows it, or itself, where it could also be meant for people."""

_MACHINE: Final = re.compile(
    rf'{AI}|{ADDRESSEES.pattern}|\bartificial intelligences?\b|\bkunstliche\w* intelligenz\w*'
    r'|\bintelligences? artificielles?\b|\bin?tel{1,2}i[gj]en[czt]\w+ artifici\w+|\bbots?\b'
    r'|\bmode(?:le?s?|los?|lli?o?|ll\w{0,3}) (?:de (?:langue|langage|lengua\w*|linguagem|ia)|linguistic\w|d\'ia)\b'
    r'|\b(?:digital|virtual|automat\w+|intelligent\w*|smart|electronic|artificial) (?:\w+ )?(?:helpers?|companions?'
    r'|butlers?|secretar\w+|agents?|aides?|assist\w+|helfer\w*|begleiter\w*|gehilf\w+|readers?)\b'
    r'|\b(?:agente?s?|agenti|ayudantes?|aides?|aiutanti|ajudantes?|lectores|lecteurs|lettori|leitores)'
    r' (?:digital\w*|virtua?e?l\w*|automat\w*|intelligent\w*|numeriques?|conversationnel\w*|conversacional\w*)\b'
    r'|\bagents? (?:with|having|using) (?:\w+ )?(?:tools?|shell|memory|access)\b'
)
_PERSON_TOO: Final = re.compile(
    r'(?:assist|asist)(?:ants?|ent(?:en|in|e|i|es)?|entes?)|(?:the|this|any|every)? ?agents?|bots?'
)
"""Words for a machine that are also those for a person's work, or for a thing."""
_DONE_TO: Final = re.compile(r'\b(?:be|etre|ser|essere|werden|usarse|utilizarse)\b')
_READS: Final = re.compile(
    r'\b(?:who(?:ever)?|that|which|is|are|when|while|before|after|if you(?: are|\'re)?|models?|agents?|of)'
    r' (?:\w+ ){0,2}?(?:read|stor|sav|index|process|summari[sz]|pars|ingest|scan|crawl|analy[sz]|memori[sz]|digest)\w*'
    r' (?:\w+ ){0,2}?(?:this|these)\b|\b(?:reading|indexing|processing|storing|summari[sz]ing|parsing|ingesting) '
    r'(?:this|these)\b|\breading (?:along|with us)\b'
    r'|\b(?:dies\w*|das hier|hier) (?:\w+ ){0,2}?(?:liest|lesen|mitliest|verarbeite\w*|zusammenfass\w*|speicher\w*'
    r'|indexier\w*|auswerte\w*|merkt|analysier\w*)'
    r'|\bqui (?:\w+ ){0,2}?(?:lis\w*|lit|liront|lira|traite\w*|index\w*|enregistr\w*|memoris\w*|analys\w*|resum\w*)'
    r' (?:ce|cet|cette|ceci|ces)\b'
    r'|\bque (?:\w+ ){0,2}?(?:lee[ns]?|lean?|le|leiam?|ler(?:em)?|proces\w*|guard\w*|index\w*|almacen\w*|armazen\w*'
    r'|resum\w*|anali\w*) (?:est[eoa]s?|ist?o|isso)\b'
    r'|\bche (?:\w+ ){0,2}?(?:legg\w*|elabor\w*|salv\w*|indicizz\w*|memorizz\w*|riassum\w*|analizz\w*) quest\w+'
)
"""A text that speaks of being read, stored or summarised."""
_WANTED: Final = re.compile(
    rf'{TO_DO.pattern}|{LATER.pattern}|{STAND}|{COND}'
    r'|\b(?:would|wurde|serait|seria|sarebbe) (?:be |mean |sehr )*(?:\w+ )?(?:great|nice|kind|lovely|helpful|grateful'
    r'|appreciated|lot|\w*freuen|aimable|gentil|amable|genial|gentile|bello|bom|otimo)'
    r'|\b(?:has|have|hat|haben|a|ont|tiene|ha|tem) (?:\w+ )?(?:permission|authori[sz]ation|erlaubnis|l\'autorisation'
    r'|permiso|permesso|permissao)\b'
    r'|\b(?:sollst|wirst|musst|darfst|duerfen|durfen|ist|sind|hat|haben) (?:[^.!?\n]{0,60} )?zu \w+e?n\b'
    r'|\bif you(?: are|\'re)\b|\bwenn du\b|\bsi (?:eres|tu es|vous etes|usted es)\b|\bse (?:sei|fores|voce e)\b'
    r'|\b(?:sollst|musst)\b|\b(?:sono|siete|sei) pregat\w|\b(?:est|sont|etes) prie\w*|\bse (?:ruega|pide|solicita)\b'
    r'|\b(?:pede|solicita)-se\b|\bsupposed to\b|\brather\b|\bw(?:e|ir) (?:ask|bitten)\b'
)
_TELLS: Final = re.compile(
    rf'\b(?:{VERB}|giving|telling|saying|asking|pointing|steering|naming|handing|linking|recommending|quoting'
    r'|nenn\w*|sagen|sag|empfehl\w*|empfiehl\w*|antworte\w*|erwahn\w*|verweis\w*|abrat\w*|geben|weitergeben|hinweis\w*'
    r'|behaupt\w*|anbiet\w*|leiten|lenke?n?|verschweig\w*|ausgeben|herausgeben|mitteil\w*'
    r'|donne[rz]?|dire|dites?|repondre|recommander|conseiller|proposer|indique[rz]?|mentionner|cite[rz]?|renvoyer'
    r'|orienter|glisser|taire|taisez|affirmer|annoncer|vanter|fournir'
    r'|dar|darles?|dale|den|decir\w*|diga\w*|oir|responder|contestar|recomendar|sugerir|indicar|indique\w*|citar'
    r'|ofrecer|ofrezca\w*|remitir|derivar|afirmar|aconsejar|ocultar|callar'
    r'|dare|dia|dirgli|dica\w*|rispondere|raccomandare|consigliare|indicare|indichi\w*|menzionare|citare|rimandare'
    r'|suggerire|tacere|offrire|fornire|dizer|dizem|dar-lhe\w*|recomendar|indicar|mencionar|oferecer|aconselhar'
    r'|encaminhar|(?:the|la|die|a) (?:right |only |correct |einzige )?'
    r'(?:answer|antwort|reponse|respuesta|risposta|resposta) (?:is|ist|lautet|est|es|e))\b'
)
_HANDS_ON: Final = (
    r'\b(?:[a-z]{3,}(?:[aeiou]r|[aeiou])(?:les?|los?|las?|gli|lhe)s?|[a-z]{3,}-(?:le|la|les|lui|leur|lhe|lo|o|a)s?'
    r'|(?:send|point|direct|steer|refer|route|ask|tell|give) (?:them|him|her|people|everyone|everybody|anyone))\b'
)
"""Something is done with somebody who is not spoken to: `remitelo`, `chiedergli`, `send them`."""
_TOPIC: Final = re.compile(
    rf'{COND}[^.!?\n]*\b(?:answer|antwort|reponse|respuesta|risposta|resposta) (?:is|ist|lautet|est|es|e)\b'
    rf'|{_HANDS_ON}[^.!?\n]{{0,60}}(?:{SINK})'
    r'|\b(?:remember|store|save|record|keep|note|speicher\w*|merke?|trage?|vermerke?|enregistre[rz]?|note[rz]?|retien\w*'
    r'|ajoute[rz]?|guarda|guarde|registra|registre|anade|anota|incorpora\w*|graba|salva|aggiungi|memorizza|annota'
    r'|grave|adiciona|anote) [^.!?\n]{0,40}\b(?:in|im|into|under|zum|dans|au|en|a|al|nel|no|na)\b [^.!?\n]{0,20}'
    r'\b(?:memor\w+|gedachtnis|profile?|profil|perfil|profilo|preferen\w+|vorlieben)\b[^.!?\n]{0,30}'
    rf'(?:{USER}|:)'
)
_SOMEBODY: Final = (
    r'(?:somebody|someone|anybody|anyone|people|they|he|she|the (?:reader|person|other side)|readers?|jemand|man|wer'
    r"|leser\w*|kund\w+|quelqu'un|on|internaute\w*|lecteur\w*|visiteur\w*|clients?|alguien|lector\w*|visitante\w*"
    r'|clientes?|qualcuno|lettor\w+|visitator\w+|client[ei]|alguem|leitor\w*|pessoas?|personas?|personnes?)'
)
_INQUIRES: Final = (
    r'(?:ask\w*|mention\w*|wants? (?:to|a|an|some)|vuole|veut|quiere'
    r'|wonder\w*|inquir\w*|enquir\w*|bring\w* up|needs? (?:advice|help)|fragt|fragen'
    r'|wissen (?:will|mochte)|erkundig\w*|erwahn\w*|demand\w+|veut savoir|mentionn\w+|parle\w*|cherch\w+|pregunt\w+'
    r'|quier\w+ saber|mencion\w+|busqu?\w+|chied\w+|vuol\w* sapere|cerc\w+|menzion\w+|pergunt\w+|quiser\w* saber'
    r'|procur\w+)'
)
_ASKED: Final = re.compile(
    r"\b(?:when(?:ever)?|if|once|as soon as|every time|next time|should|to|wenn|falls|sobald|sooft|quand|si|s'|des que"
    r'|lorsqu\w*|cuando|cada vez que|que|a quien(?:es)?|quando|se|ogni volta che|sempre que|caso|qualora|a chi|a quem)'
    rf"[ ']?\b[^.!?\n]{{0,30}}?(?:\b{_SOMEBODY}\b|{USER})[^.!?\n]{{0,30}}?\b{_INQUIRES}\b"
    rf'|(?:\b{_SOMEBODY}\b|{USER}) (?:who|qui|que|che|die|der) (?:\w+ )?{_INQUIRES}\b'
    r'|\bbei (?:\w+ )?(?:fragen?|anfragen?|jede[rnm] \w+)\b|\bauf (?:nach|an)fragen?\b'
    r'|\b(?:for|on|to) (?:any|all|every|whatever) (?:\w+ )?(?:questions?|quer(?:y|ies)|requests?)\b'
    r'|\b(?:en cas de|a toute|pour toute) (?:questions?|demande)\b'
    r'|\b(?:ante|a) (?:cualquier )?(?:preguntas?|consultas?)\b|\b(?:in caso di|a (?:qualsiasi|ogni)) domand[ae]\b'
    r'|\b(?:em caso de|a qualquer) (?:perguntas?|duvidas?)\b'
)
"""Somebody asks, and not who reads."""
_KEPT: Final = (
    r'(?:pass(?:words?|codes?|phrases?)|pins?\b|credentials|api keys?|(?:recovery|access|security|door|gate) codes?'
    r'|card (?:number|details|data)|account (?:number|details)|bank details|ibans?|home address|e-?mail address|address'
    r'|phone numbers?|passwort\w*|kennwort\w*|zugangsdaten|schlussel\w*|kontonummer\w*|kontodaten|kartennummer\w*'
    r'|anschrift|adresse\w*|telefonnummer\w*|mots? de passe|identifiants|numeros? de (?:carte|compte|telephone)'
    r'|coordonnees|contrasenas?|claves?|numeros? de (?:tarjeta|cuenta|telefono)|direccion|domicilio|dati (?:della carta'
    r'|personali|bancari)|numero (?:di|della) (?:carta|conto|telefono)|indirizzo|codici?|palavras?-passe|senhas?'
    r'|dados (?:do cartao|pessoais|bancarios)|numero d[oae] (?:cartao|conta|telefone)|morada|endereco)'
)
_HANDS_OVER: Final = (
    r'(?:giv(?:e|es|ing)|send\w*|shar(?:e|es|ing)|disclos\w+|reveal\w*|read(?:ing)? out|pass(?:ing)? on|forward\w*'
    r'|hand(?:ing)? over|post\w*|collect\w*|ask(?:ing)? for|tell\w*|gib|geben|weitergeben|gebe|schick\w*|sende\w*'
    r'|ubermitt\w*|verrat\w*|nenn\w*|frag\w* nach|donn\w+|envo\w+|transm\w+|communiqu\w+|divulgu\w+|partag\w+'
    r'|da|dar|den|envi\w+|mand\w+|comparti\w+|revel\w+|facilit\w+|pid\w+|dai|dare|invi\w+|comunic\w+|condivid\w+'
    r'|rivel\w+|fornis\w+|chied\w+|partilh\w+|entreg\w+|pec\w+)'
)
_THEIRS: Final = (
    r"(?:their|his|her|(?:user|owner|customer|client|caller|reader)s?'?s?|des (?:be)?nutzers|seine?[nrms]?"
    r"|des kunden|ihre?[nrms]? (?:karte|konto)\w*|de l'utilisateur|du client|del (?:usuario|cliente)|dell'utente"
    r'|do (?:utilizador|usuario|cliente))'
)
_LEAKS: Final = re.compile(
    rf'\b{_HANDS_OVER}\b[^.!?\n]{{0,60}}\b{_THEIRS} [^.!?\n]{{0,30}}?\b{_KEPT}'
    rf'|\b{_HANDS_OVER}\b[^.!?\n]{{0,40}}\b{_KEPT}[^.!?\n]{{0,20}}\b{_THEIRS}'
    rf'|\b{_THEIRS} (?:\w+ )?{_KEPT}[^.!?\n]{{0,40}}\b{_HANDS_OVER}\b'
    rf'|\b(?:messages|mails?|e-?mails|answers|replies|data|files|daten|nachrichten|donnees|messages|datos|mensajes|dati'
    rf'|messaggi|dados|mensagens|card|attachments|anhange|pieces jointes)\b[^.!?\n]{{0,80}}(?:{SINK})'
)
_ACCOUNT: Final = (
    r"(?:\b(?:the|your|this|der|dieser|dein|l'|cet|ton|el|este|tu|il|lo|o|teu|seu|dell') ?"
    r'(?:users?|account holder|(?:be)?nutzer(?:in)?|anwender(?:in)?|utilisat(?:eur|rice)|usuari[oa]|utente'
    r'|utilizador(?:a)?)\b)'
)
_AGREED: Final = re.compile(
    rf'{_ACCOUNT} (?:\w+ )?(?:hat (?:\w+ ){{0,6}}?(?:zugestimmt|eingewilligt|genehmigt|freigegeben|erlaubt|bestatigt)'
    r'|a (?:deja )?(?:donne son accord|autorise|accepte|consenti|approuve)|(?:ya )?(?:ha )?(?:autorizado|aceptado'
    r'|aprobado|consentido|autoriza)|ha (?:gia )?(?:autorizzato|accettato|approvato|acconsentito)'
    r'|(?:ja )?(?:autorizou|aceitou|aprovou|consentiu|concordou|autoriza))\b'
    rf'|{_ACCOUNT} (?:is|ist|est|es|e) (?:now |jetzt |a |an |ein |un |um |the |verified |verifizierter )*'
    r'(?:admin\w*|root|superuser|verified)\b'
)
_MATTERS: Final = re.compile(
    rf'{_TELLS.pattern}|{USER}|\b{_KEPT}|{SINK}|{EVERY_TURN.pattern}|{LATER.pattern}'
    r'|\bfrom (?:this|that|now|today|here)\b|\b(?:henceforth|hereafter|going forward|kunftig|fortan|desormais'
    r'|dorenavant|en adelante|doravante)\b|\b(?:ab|von) (?:jetzt|sofort|nun|heute)\b'
    r"|\b(?:a partir de|de ahora|desde (?:ahora|hoy)|d'ora in|da oggi|daqui em)\b"
    r'|\b(?:answer|reply|summari[sz]|process|index|rank|screen|recommend)ing\b'
    r'|\b(?:th[ei]se?|dies\w*|ce|cette|est[eao]|quest[oa]) (?:page|files?|texts?|documents?|notes?|records?'
    r'|articles?|entr\w+|listings?|messages?|seite|datei|dokument|eintrag|fichier|texte|fiche|pagina|archivo|texto|documento|ficha'
    r'|ficheiro|testo|scheda)\b'
)
"""What a machine that reads and remembers is wanted for."""
_OF_USER: Final = re.compile(
    r'\b(?:instructions?|preferences?|wish(?:es)?|orders?|facts?|memor(?:y|ies)|permissions?|approvals?|anweisung\w*'
    r'|wunsch\w*|vorgabe\w*|vorlieben?|erlaubnis|freigabe\w*|fakten|instruccion\w*|preferencias?|deseos?|permisos?'
    r'|hechos|consignes?|souhaits?|autorisations?|faits|istruzion\w+|preferenz\w+|desideri\w*|permess\w+|fatti'
    r'|instruc\w+|pedidos?|autorizac\w+|factos|fatos) (?:of|by|from|about|on|vom|von|uber|zu|sobre|sur|su|sul)? ?'
    rf"(?:{USER}|\b(?:d[eo]|del|des|du|della|dell'|l'|o|el) ?(?:nutzers|utilisateur|usuario|utente|utilizador))"
    r'[^\w\n]{0,4}(?:[:)"\n]|$)'
    r'|^\W*(?:system(?:meldung|nachricht|hinweis|anweisung\w*)|(?:mensaje|aviso|instruccion\w*|nota) del sistema'
    r'|(?:message|consignes?|instructions?) (?:du )?systeme|(?:messaggio|istruzion\w+|avviso) (?:di|del) sistema'
    r'|(?:mensagem|instruc\w+|aviso) do sistema)\b[^\w\n]{0,3}[:\n]',
    re.MULTILINE,
)
"""Lines that look as if somebody trusted had written them."""
_SPOKEN_TO: Final = re.compile(
    r'\b(?:for|to|dear|hey|hi|hello|attention|p\.?s\.?|fur|an|liebe[rs]?|hallo|pour|aux?|chere?s?|para|a|al|aos?'
    rf'|querid[oa]s?|estimad[oa]s?|per|agli|all\'|car[oiae]|ciao|ola)\W{{0,3}}(?:\w+\W){{0,3}}?(?:{_MACHINE.pattern})'
    r'[^.!?\n:]{0,120}:'
    r'|^\W*(?:\w+\W+){0,2}(?:for|to|dear|hey|fur|an|liebe[rs]?|pour|aux?|para|a|al|aos?|per|agli)\W+(?:\w+\W){0,3}?'
    rf'(?:{_MACHINE.pattern})[^\w\n]*$',
    re.MULTILINE,
)
"""A salutation, or a heading, and what follows is for them."""
_NOTED: Final = re.compile(
    r'\b(?:notes?|notice|hints?|p\.?s\.?|messages?|instructions?|reminder|memo|hinweis\w*|notiz|nota|avis|consignes?'
    r'|aviso|mensaje|messaggio|recado|lembrete)\b[^.!?\n:]{0,20}\b(?:for|to|an|fur|pour|aux?|para|al?|aos?|per|agli)'
    r' [^.!?\n:]{0,30}\b(?:agents?|agentes?|agenti|agenten|models?|modele?s?|modelos?|modelli|bots?|assist\w+'
    r'|asist\w+)\b[^.!?\n:]{0,60}:'
)
_BEHIND: Final = re.compile(
    r'\b(?:ohne|sans|sin|senza|sem)\b[^.!?\n]{0,25}\b(?:zu sagen|ruckfrage\w*|ruckzufragen|nachzufragen|zu fragen'
    r'|zustimmung|lui dire|le dire|en parler|le? (?:lui )?demander|prevenir|decir\w+|preguntar\w*|avisar\w*|confirmar'
    r'|dir\w{2,6}|chieder\w+|avvisar\w*|dizer\w*|perguntar\w*|avisa-lo)\b|\bkeep (?:quiet|silent) about\b'
)


@dataclass(frozen=True, slots=True)
class _Sign:
    """A pattern, and parts of words without one of which it can't match: looking for these first is much faster."""

    pattern: re.Pattern[str]
    stems: tuple[str, ...]

    def search(self, sentence: str) -> re.Match[str] | None:
        """Where it is first."""
        return self.pattern.search(sentence) if any(stem in sentence for stem in self.stems) else None


def _sign(pattern: re.Pattern[str], stems: str) -> _Sign:
    return _Sign(pattern, tuple(stems.split()))


_PEOPLE: Final = (
    'user human operator holder owner visitor caller guest shopper patient person client customer utz kund '
)
_IS_MACHINE: Final = _sign(
    _MACHINE,
    'ai assist asist asyst agent bot llm gpt claude gemini model modell ki ia artif kunstl digit virtu automat intel '
    'smart electronic hilfssys assistenz sprach mitles hulp pomocnik yapay yard machine reader lect let '
    '\u0430\u0441\u0441 \u043f\u043e\u043c \u30a2 \u52a9 \uc5b4 \ube44 copilot co-pilot helper',
)
_IS_READ: Final = _sign(
    _READS,
    'read stor sav index process summar pars ingest scan crawl analy memor digest liest lesen arbeit fasse fassung '
    'zusammenf speicher indexier auswert merkt lis lit lir trait enregistr resum lee lea le proces guard almacen '
    'armazen anali legg elabor salv indicizz riassum',
)
_IS_OF_USER: Final = _sign(_OF_USER, _PEOPLE + 'anwend utili usuari utent sistema system')
_IS_NEXT_TIME: Final = _sign(NEXT_TIME, 'next nachst prochain proxim prossim volgende')
_IS_EVERY_TURN: Final = _sign(
    EVERY_TURN,
    'answer repl respon conversation question quer topic antwor frage them gesprach repons demande sujet respuest '
    'pregunt consult respost pergunt conversa rispost domand richiest vra onderwerp gesprek',
)
_IS_TOPIC: Final = _sign(
    _TOPIC, 'answer antwort repons respuest rispost respost http www @ . memor gedachtnis prof perf preferen vorlieb'
)
_IS_AGREED: Final = _sign(_AGREED, 'user utz account anwend utili usuari utent')
_IS_LEAK: Final = _sign(
    _LEAKS,
    'pass pin credential key code card account bank iban addr kennw zugang schluss konto karten anschrift telefon '
    'telephon phone mot identif numero coordon contras clav direc domicil dati indirizz codic palavra senha dados '
    'morada enderec http www @ .',
)
_IS_BEHIND: Final = _sign(_BEHIND, 'ohne sans sin senza sem keep')
_IS_ASKED: Final = _sign(
    _ASKED,
    'ask mention want wonder nquir bring need frag wissen kundig erwahn demand savoir parle cherch pregunt quier '
    'mencion busc busq chied vuol cerc menzion pergunt quis procur question quer request consult domand duvid '
    'jede veut',
)


def signs(sentence: str) -> Reach | None:
    """What a sentence of a text that is nobody's own spoils, as a command to an agent; None: it is none."""
    machines = {m[0] for m in _MACHINE.finditer(sentence)} if _IS_MACHINE.search(sentence) else set[str]()
    wanted = bool(machines) and _WANTED.search(sentence) is not None
    if machines and (_SPOKEN_TO.search(sentence) or (wanted and _MATTERS.search(sentence))):
        return 'all'
    if _IS_READ.search(sentence) and (machines or _WANTED.search(sentence)):
        return 'all'
    if _IS_OF_USER.search(sentence) or (':' in sentence and _NOTED.search(sentence)):
        return 'all'
    if _IS_NEXT_TIME.search(sentence) and re.search(rf'{USER}|\b{_SOMEBODY}\b', sentence):
        return 'all'
    if machines and _IS_EVERY_TURN.search(sentence):
        return 'all'
    for_machines = not all(map(_PERSON_TOO.fullmatch, machines)) and not _DONE_TO.search(sentence)
    return 'sentence' if (wanted and for_machines) or _tells_people(sentence) else None


def _tells_people(sentence: str) -> bool:
    """Whether it tells what to do or to believe, in words that people could be told, too."""
    if any(sign.search(sentence) for sign in (_IS_TOPIC, _IS_AGREED, _IS_LEAK, _IS_BEHIND)):
        return True
    if _IS_EVERY_TURN.search(sentence) and TO_DO.search(sentence) and not re.search(PROTOCOL, sentence):
        return True
    asked = _IS_ASKED.search(sentence)
    if asked is None:
        return False
    rest = f'{sentence[: asked.start()]} , {sentence[asked.end() :]}'
    return _TELLS.search(rest) is not None or re.search(_HANDS_ON, rest) is not None
