"""Spanish openings."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import REST, TASTE, Say, Tongue, common

__all__ = ['SPANISH']

_JOBS = (
    r'(?:profesora?|maestr[oa]|médic[oa]|doctora?|enfermer[oa]|ingenier[oa]|abogad[oa]|programadora?|desarrolladora?'
    r'|arquitect[oa]|diseñadora?|periodista|traductora?|cociner[oa]|contable|estudiante|dentista|fotógraf[oa]|músic[oa]'
    r'|electricista|psicólog[oa]|veterinari[oa]|biólog[oa]|químic[oa]|camarer[oa]|jubilad[oa]|autónom[oa]'
    r'|científic[oa])'
)
SPANISH = Tongue(
    says=(
        *common(
            name=r'(?:yo )?me llamo|mi nombre es',
            named='se llama',
            live=r'(?:yo )?vivo|resido',
            lives='vive',
            there='(?P<p>en)',
            moved=r'me (?:mudé|he mudado|acabo de mudar|trasladé|he trasladado) a',
            gone=r'ya no vivo|no vivo más',
            aged=r'(?:yo )?tengo (?P<v>\d{1,3}) años',
            is_aged='tiene {v} años',
            there_='en',
            call=r'll[aá]mame(?: (?:siempre|simplemente|solo))*',
            calls='llama al usuario {v}',
        ),
        Say(
            r'(?:yo )?soy (?P<a>alérgic[oa]|intolerante) (?P<prep>a la|a los|a las|al'
            r'|a)\s' + REST,
            'es {a} {prep} {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'(?:yo )?soy (?P<a>vegan[oa]|vegetarian[oa])(?=$|[,;.]|\sy\s'
            r'|\sdesde\b)',
            'es {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'(?:yo )?soy (?P<a>celíac[oa]|diabétic[oa]|asmátic[oa])(?=$|[,;.]'
            r'|\sy\s)',
            'es {a}',
            'constraint',
            check='none',
            importance=0.9,
        ),
        Say(
            rf'(?:yo )?soy (?P<v>{_JOBS}(?:\sde\s[a-zà-ÿ]+)?)(?=$|[,;.]|\s(?:en|y|desde|por)\b)',
            'es {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            rf'(?:yo )?trabajo (?:como|de) (?P<v>{_JOBS}(?:\sde\s[a-zà-ÿ]+)?)(?=$|[,;.]|\s(?:en|y|desde|para)\b)',
            'trabaja como {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            r'(?:yo )?trabajo (?P<p>en|para) ' + REST,
            'trabaja {p} {v}',
            slot='work.employer',
            check='org',
            importance=0.8,
        ),
        Say(r'(?:yo )?prefiero ' + REST, 'prefiere {v}', 'preference', longest=7, importance=TASTE),
        Say(
            r'(?P<n>no )?me (?P<g>gustan?|encantan?) (?:mucho |muchísimo '
            r')?' + REST,
            '{n}le {g} {v}',
            'preference',
            longest=4,
            importance=TASTE,
        ),
        Say(r'(?:yo )?odio ' + REST, 'odia {v}', 'preference', longest=4, importance=TASTE),
        Say(
            r'(?:yo )?no (?P<a>como|bebo) (?P<v>carne|pescado|gluten|lácteos|cerdo|alcohol|marisco|huevos|azúcar'
            r'|café)$',
            'no {a} {v}',
            'preference',
            importance=0.75,
            thirds={'como': 'come', 'bebo': 'bebe'},
        ),
        Say(r'ya no soy (?P<v>vegan[oa]|vegetarian[oa])(?=$|[,;.])', 'es ', slot='diet', op='retract'),
        Say(r'(?:yo )?uso ' + REST, 'usa {v}', 'knowledge', check='tool', longest=3, importance=0.5),
        Say(
            r'mi color favorito es (?:el )?' + REST,
            'su color favorito es {v}',
            'preference',
            'favourite.colour',
            longest=2,
            importance=TASTE,
        ),
        Say(
            r'(?:(?:a partir de ahora|desde ahora|de ahora en adelante),? (?:por favor,? )?(?:respónde(?:me)?'
            r'|responde(?:me)?|contesta(?:me)?)'
            r'(?: siempre)?|(?:por favor,? )?(?:respóndeme|responde|contéstame|contesta) siempre) en (?P<v>español'
            r'|inglés|francés'
            r'|alemán|italiano|portugués|catalán)$',
            'responde siempre en {v}',
            'instruction',
            'language.answer',
            'none',
            '{v}',
            importance=0.9,
        ),
    ),
    verbs=(
        r'(?:yo )?(?:ya )?(?:no )?(?:vivo|soy|trabajo|prefiero|odio|uso|tengo|como|bebo|me (?:llamo|mudé|he '
        r'mudado|gustan?|encantan?))',
        'll[aá]mame',
    ),
    commands=r'a partir de ahora|desde ahora|de ahora en|responde|respónde|cont[eé]sta|mi (?:nombre|color)|resido',
    joins='y|pero|e',
    ends='pero|aunque|porque|cuando|si|así|para|con|desde|y (?:me|mi|no|yo|a)|actualmente|ahora|por favor|gracias'
    '|también|que',
    lead='hola|buenas|bueno|pues|sí|ok|vale|además|también|en realidad|la verdad|por cierto|actualmente|ahora|ahora '
    'mismo|y',
    silent='si|ojalá|quizás?|tal vez|imagina|imaginemos|supón|supongamos|digamos|fingiendo|finge|fuera|sería'
    '|viviría|cuando era'
    '|de pequeñ[oa]|antes|novela|(?:una|la|mi|esta) historia|cuento|personaje|juego|sueños?|canción|poema'
    '|película|dijo|dice|dicen|decía|según'
    '|significa|traduc\\w+|creo|quería|quisiera|broma|era|casi|hoy|esta (?:semana|noche|tarde)|por ahora|de '
    'vacaciones'
    '|hasta (?:el|mañana)|mientras',
    tasks=r'traduc|traduz|escribe (?:un|una|el|la)|redacta|corrige|resume|reescribe|cómo se dice|haz un|actúa como'
    r'|eres un',
    vague='tu|tus|este|esta|esto|estos|estas|ese|esa|eso|lo|la idea|idea|opción|respuesta|versión|cómo|como|cuando'
    '|que|primer[oa]?'
    '|segund[oa]|otr[oa]s?|algo|nada|todo|mejor|así|usted|te|no|mucho|más',
    where='en',
    times=(
        ('el mes pasado', 'last month'),
        ('la semana pasada', 'last week'),
        ('el año pasado', 'last year'),
        ('ayer', 'yesterday'),
        (r'hace (?P<n>\d+|\w+) (?:años?)', '{n} years ago'),
        (r'hace (?P<n>\d+|\w+) meses?', '{n} months ago'),
        (r'hace (?P<n>\d+|\w+) semanas?', '{n} weeks ago'),
        (r'hace (?P<n>\d+|\w+) días?', '{n} days ago'),
        (r'(?:desde|en) (?P<y>(?:19|20)\d\d)', 'in {y}'),
    ),
)
