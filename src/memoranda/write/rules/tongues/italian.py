"""Italian openings."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import REST, TASTE, Say, Tongue, common

__all__ = ['ITALIAN']

_JOBS = (
    r'(?:professor(?:e|essa)|insegnante|maestr[oa]|medico|dottor(?:e|essa)|infermier[ea]|ingegnere|avvocat[oa]'
    r'|programmat(?:ore|rice)'
    r'|sviluppat(?:ore|rice)|architett[oa]|designer|giornalista|tradutt(?:ore|rice)|cuoc[oa]|contabile'
    r'|ragionier[ea]|student(?:e|essa)|dentista'
    r'|fotograf[oa]|musicista|elettricista|psicolog[oa]|veterinari[oa]|biolog[oa]|chimic[oa]|camerier[ea]'
    r'|pensionat[oa]|ricercat(?:ore|rice))'
)
ITALIAN = Tongue(
    says=(
        *common(
            name=r'(?:io )?mi chiamo|il mio nome è',
            named='si chiama',
            live=r'(?:io )?(?:abito|vivo)',
            lives='abita',
            there='(?P<p>a|ad|in|nel|nella)',
            moved=r'mi sono (?:appena )?(?:trasferit[oa]) (?P<p>a|ad|in)',
            gone=r'non (?:abito|vivo) più',
            aged=r'(?:io )?ho (?P<v>\d{1,3}) anni',
            is_aged='ha {v} anni',
            there_='{p}',
            call=r'chiamami(?: (?:sempre|pure|solo|semplicemente))*',
            calls="chiama l'utente {v}",
        ),
        Say(
            r"(?:io )?sono (?P<a>allergic[oa]|intollerante) (?P<prep>agli|alle|alla|all'|allo|al|ai"
            r'|a)\s?' + REST,
            'è {a} {prep} {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'(?:io )?sono (?P<a>vegan[oa]|vegetarian[oa])(?=$|[,;.]|\se\b'
            r'|\sda\b)',
            'è {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'(?:io )?sono (?P<a>celiac[oa]|diabetic[oa]|asmatic[oa])(?=$|[,;.]'
            r'|\se\b)',
            'è {a}',
            'constraint',
            check='none',
            importance=0.9,
        ),
        Say(
            rf"(?:io )?(?:sono (?:un |una |un')?|faccio (?:il |la |l'|lo )|lavoro come "
            rf')(?P<v>{_JOBS}(?:\sdi\s[a-zà-ÿ]+)?)'
            r'(?=$|[,;.]|\s(?:a|in|e|da|presso|per)\b)',
            'è {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            r'(?:io )?lavoro (?P<p>per|da|in|presso|alla'
            r'|alle) ' + REST,
            'lavora {p} {v}',
            slot='work.employer',
            check='org',
            importance=0.8,
        ),
        Say(r'(?:io )?preferisco ' + REST, 'preferisce {v}', 'preference', longest=7, importance=TASTE),
        Say(
            r'(?P<n>non )?mi (?P<g>piace|piacciono) (?:molto |tanto )?(?P<v>(?:il |lo |la |i |gli |le '
            r"|l')?[^,;.]{2,40})$",
            '{n}gli {g} {v}',
            'preference',
            longest=4,
            importance=TASTE,
        ),
        Say(r'(?:io )?(?:amo|adoro) ' + REST, 'ama {v}', 'preference', longest=4, importance=TASTE),
        Say(r'(?:io )?odio ' + REST, 'odia {v}', 'preference', longest=4, importance=TASTE),
        Say(
            r'(?:io )?non mangio (?P<v>carne|pesce|glutine|maiale|latticini|uova'
            r'|zucchero)$',
            'non mangia {v}',
            'preference',
            importance=0.75,
        ),
        Say(r'non sono più (?P<v>vegan[oa]|vegetarian[oa])(?=$|[,;.])', 'è ', slot='diet', op='retract'),
        Say(r'(?:io )?uso ' + REST, 'usa {v}', 'knowledge', check='tool', longest=3, importance=0.5),
        Say(
            r'il mio colore preferito è (?:il )?' + REST,
            'colore preferito è {v}',
            'preference',
            'favourite.colour',
            longest=2,
            importance=TASTE,
        ),
        Say(
            r"(?:(?:d'ora in poi|da adesso in poi|da ora in poi|da ora),? (?:per favore,? )?(?:rispondimi|rispondi"
            r'|scrivimi)(?: sempre)?'
            r'|(?:per favore,? )?(?:rispondimi|rispondi) sempre) in (?P<v>italiano|inglese|francese|tedesco'
            r'|spagnolo|portoghese)(?:,? per favore)?$',
            'rispondi sempre in {v}',
            'instruction',
            'language.answer',
            'none',
            '{v}',
            importance=0.9,
        ),
    ),
    verbs=(
        r'(?:io )?(?:non )?(?:abito|vivo|sono|mangio|lavoro|faccio|preferisco|amo|adoro|odio|uso|ho|mi (?:chiamo'
        r'|piace|piacciono|sono))',
        'chiamami',
    ),
    commands="d'ora|da adesso|da ora|rispond|il mio",
    joins='e|ed|ma',
    ends='ma|perché|quando|se|da quando|dal|con|per|e (?:io|mi|il mio|la mia)|attualmente|adesso|ora|anche|per '
    'favore|grazie|che|purtroppo',
    lead='ciao|salve|buongiorno|buonasera|allora|beh|sì|no|ok|in realtà|comunque|attualmente|adesso|e',
    silent='se|forse|immagina|immaginiamo|supponi|supponiamo|poniamo|diciamo|fossi|sarei|vivrei|abiterei|vorrei'
    '|volevo|quando ero|ero|prima|una volta'
    '|romanzo|(?:una|la|mia|questa) storia|personaggio|gioco|sogn[oi]|canzone|poesia|film|dice|disse|dicono'
    '|detto|secondo|significa|traduc\\w+|credo|quasi|oggi'
    '|questa (?:settimana|notte|sera)|per (?:ora|adesso|il momento)|in vacanza|fino a|finché|scherzo',
    tasks=r'traduci|scrivi (?:un|una)|correggi|riassumi|riscrivi|come si dice|fingi|sei un',
    vague='tuo|tua|tuoi|tue|questo|questa|questi|queste|quello|quella|ciò|idea|opzione|risposta|versione|come'
    '|quando|che|primo|prima|second[oa]|altr[oaei]'
    '|qualcosa|niente|tutto|meglio|così|lei|ti|non|molto|più',
    where='a|ad|in',
    times=(
        ('il mese scorso|lo scorso mese', 'last month'),
        ('la settimana scorsa|la scorsa settimana', 'last week'),
        ("l'anno scorso|lo scorso anno", 'last year'),
        ('ieri', 'yesterday'),
        (r'(?P<n>\d+|\w+) ann[oi] fa', '{n} years ago'),
        (r'(?P<n>\d+|\w+) mes[ei] fa', '{n} months ago'),
        (r'(?P<n>\d+|\w+) settiman[ae] fa', '{n} weeks ago'),
        (r'(?P<n>\d+|\w+) giorni fa', '{n} days ago'),
        (r'(?:dal|nel) (?P<y>(?:19|20)\d\d)', 'in {y}'),
    ),
)
