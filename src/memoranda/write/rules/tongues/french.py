"""French openings."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import REST, TASTE, Say, Tongue, common

__all__ = ['FRENCH']

_JOBS = (
    r'(?:professeure?|enseignante?|médecin|infirmi(?:er|ère)|ingénieure?|avocate?|programmeu(?:r|se)|développeu(?:r'
    r'|se)|architecte'
    r'|designer|graphiste|journaliste|traduct(?:eur|rice)|cuisini(?:er|ère)|comptable|étudiante?|dentiste'
    r'|photographe|musicien(?:ne)?'
    r'|électricien(?:ne)?|psychologue|vétérinaire|biologiste|chimiste|serveu(?:r|se)|retraitée?|boulang(?:er|ère)'
    r'|chercheu(?:r|se))'
)
FRENCH = Tongue(
    says=(
        *common(
            name=r"(?:moi,? )?je m'appelle|mon nom est|moi c'est",
            named="s'appelle",
            live=r"j'habite|je vis|je réside",
            lives='habite',
            there='(?P<p>à|au|aux|en)',
            moved=r"(?:j'ai (?:récemment )?(?:déménagé|emménagé)|je (?:viens de|me suis) (?:m')?(?:déménager"
            r'|emménager|installée?)) (?P<p>à|au|aux|en)',
            gone=r"je n'habite plus|je ne vis plus",
            aged=r"(?:moi,? )?j'ai (?P<v>\d{1,3}) ans",
            is_aged='a {v} ans',
            there_='{p}',
            call=r"(?:s'il te plaît,? )?appelle[sz]?-moi(?: (?:toujours|simplement|plutôt|juste))*",
            calls="appelle l'utilisateur {v}",
        ),
        Say(
            r"je suis (?P<a>allergique|intolérante?) (?P<prep>à la|à l'|aux|au"
            r'|à)\s?' + REST,
            'est {a} {prep} {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'je suis (?P<a>végane?|vegan|végétarien(?:ne)?|végétalien(?:ne)?)(?=$|[,;.]|\set\b'
            r'|\sdepuis\b)',
            'est {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'je suis (?P<a>diabétique|asthmatique|cœliaque|coeliaque)(?=$|[,;.]'
            r'|\set\b)',
            'est {a}',
            'constraint',
            check='none',
            importance=0.9,
        ),
        Say(
            rf"(?:je suis|je travaille comme) (?P<v>{_JOBS}(?:\s(?:de|d'|en)\s?[a-zà-ÿ]+)?)(?=$|[,;.]|\s(?:à"
            rf'|chez|et|depuis|dans|au)\b)',
            'est {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            r'je travaille (?P<p>chez|pour) ' + REST,
            'travaille {p} {v}',
            slot='work.employer',
            check='org',
            importance=0.8,
        ),
        Say(r'je préfère ' + REST, 'préfère {v}', 'preference', longest=7, importance=TASTE),
        Say(
            r"(?:j'aime|j'adore) (?:beaucoup |bien )?(?P<v>(?:le |la |les "
            r"|l')[^,;.]{2,40})$",
            'aime {v}',
            'preference',
            longest=4,
            importance=TASTE,
        ),
        Say(
            r"je (?:n'aime pas|déteste) (?:du tout )?(?P<v>(?:le |la |les "
            r"|l')[^,;.]{2,40})$",
            "n'aime pas {v}",
            'preference',
            longest=4,
            importance=TASTE,
        ),
        Say(
            r"je ne (?P<a>mange|bois) (?:pas|jamais) (?P<d>de |d')(?P<v>viande|poisson|gluten|porc|alcool|œufs"
            r'|oeufs|lait|sucre|café)$',
            'ne {a} pas {d}{v}',
            'preference',
            importance=0.75,
            thirds={'bois': 'boit'},
        ),
        Say(
            r'je ne suis plus (?P<v>végane?|vegan|végétarien(?:ne)?|végétalien(?:ne)?)(?=$'
            r'|[,;.])',
            'est ',
            slot='diet',
            op='retract',
        ),
        Say(r"j'utilise " + REST, 'utilise {v}', 'knowledge', check='tool', longest=3, importance=0.5),
        Say(
            r'ma couleur préférée est (?:le )?' + REST,
            'couleur préférée : {v}',
            'preference',
            'favourite.colour',
            longest=2,
            importance=TASTE,
        ),
        Say(
            r"(?:(?:à partir de maintenant|désormais|dorénavant),? (?:s'il te plaît,? )?(?:réponds|répondez"
            r'|écris)(?:-moi)?(?: toujours)?'
            r"|(?:s'il te plaît,? )?(?:réponds|répondez)(?:-moi)? toujours) en (?P<v>français|anglais|espagnol"
            r'|allemand|italien|portugais)$',
            'réponds toujours en {v}',
            'instruction',
            'language.answer',
            'none',
            '{v}',
            importance=0.9,
        ),
    ),
    verbs=('je', "j'", 'mon nom', 'ma couleur', 'appelle[sz]?-moi'),
    commands='à partir|désormais|dorénavant|répond|moi',
    joins='et|mais',
    ends="mais|parce|car|quand|si|depuis|avec|pour|et (?:je|j'|mon|ma|c'est)|actuellement|maintenant|aussi|s'il"
    '|merci|que|qui|donc|malheureusement',
    lead="bonjour|salut|coucou|alors|oui|non|ok|d'accord|en fait|au fait|d'ailleurs|actuellement|et|moi,",
    silent="si|s'il|peut-être|imagine|imaginons|suppose|supposons|disons|serais?|aurais?|voudrais|aimerais|vivrais"
    '|habiterais|étais|avant|autrefois'
    '|roman|histoire|personnage|jeu|rêves?|chanson|poème|film|dit|disait|disent|selon|signifie|tradui\\w+'
    '|crois|pense|voulais|presque|bientôt'
    "|aujourd'hui|cette (?:semaine|nuit)|pour (?:le moment|l'instant)|en vacances|jusqu'à|tant que|blague",
    tasks=r'tradui|écris(?:-moi)? (?:un|une|le|la)|rédige|corrige|résume|reformule|comment dit|fais comme|tu es un',
    vague='ton|ta|tes|votre|vos|ce|cet|cette|ces|ça|cela|celui|celle|idée|option|réponse|version|comme|premi(?:er'
    '|ère)|deuxième|second|autres?|quelque'
    '|tout|rien|mieux|te|vous|ne|pas|plus|bien',
    where='à|en|au|aux',
    times=(
        ('le mois dernier', 'last month'),
        ('la semaine dernière', 'last week'),
        ("l'an dernier|l'année dernière", 'last year'),
        ('hier', 'yesterday'),
        (r'il y a (?P<n>\d+|\w+) ans?', '{n} years ago'),
        (r'il y a (?P<n>\d+|\w+) mois', '{n} months ago'),
        (r'il y a (?P<n>\d+|\w+) semaines?', '{n} weeks ago'),
        (r'il y a (?P<n>\d+|\w+) jours?', '{n} days ago'),
        (r'(?:depuis|en) (?P<y>(?:19|20)\d\d)', 'in {y}'),
    ),
)
