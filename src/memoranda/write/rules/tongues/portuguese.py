"""Portuguese openings."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import REST, TASTE, Say, Tongue, common

__all__ = ['PORTUGUESE']

_JOBS = (
    r'(?:professora?|médic[oa]|enfermeir[oa]|engenheir[oa]|advogad[oa]|programadora?|desenvolvedora?|arquitet[oa]'
    r'|designer'
    r'|jornalista|tradutora?|cozinheir[oa]|contabilista|contadora?|estudante|dentista|fotógraf[oa]|músic[oa]'
    r'|eletricista|psicólog[oa]'
    r'|veterinári[oa]|biólog[oa]|químic[oa]|reformad[oa]|aposentad[oa]|cientista)'
)
PORTUGUESE = Tongue(
    says=(
        *common(
            name=r'(?:eu )?(?:chamo-me|me chamo)|(?:o )?meu nome é',
            named='chama-se',
            live=r'(?:eu )?(?:moro|vivo|resido)',
            lives='mora',
            there='(?P<p>em|no|na|nos|nas)',
            moved=r'(?:eu )?(?:(?:acabei de me mudar|mudei-me|me mudei|mudei) para(?: o| a)?)',
            gone=r'(?:eu )?(?:já não (?:moro|vivo)|não (?:moro|vivo) mais)',
            aged=r'(?:eu )?tenho (?P<v>\d{1,3}) anos',
            is_aged='tem {v} anos',
            there_='em',
            call=r'(?:me cham[ae]|cham[ae]-me)(?: (?:sempre|só|apenas|simplesmente))*(?: de)?',
            calls='chama o usuário de {v}',
        ),
        Say(
            r'(?:eu )?sou (?P<a>alérgic[oa]|intolerante) (?P<prep>aos|às|ao|à'
            r'|a)\s' + REST,
            'é {a} {prep} {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'(?:eu )?sou (?P<a>vegan[oa]|vegetarian[oa])(?=$|[,;.]|\se\b'
            r'|\sdesde\b)',
            'é {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'(?:eu )?sou (?P<a>celíac[oa]|diabétic[oa]|asmátic[oa])(?=$|[,;.]'
            r'|\se\b)',
            'é {a}',
            'constraint',
            check='none',
            importance=0.9,
        ),
        Say(
            rf'(?:eu )?(?:sou|trabalho como) (?P<v>{_JOBS}(?:\sde\s[a-zà-ÿ]+)?)(?=$|[,;.]|\s(?:em|no|na|numa?|e'
            rf'|há|desde)\b)',
            'é {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            r'(?:eu )?trabalho (?P<p>na|no|para a|para o|para'
            r'|em) ' + REST,
            'trabalha {p} {v}',
            slot='work.employer',
            check='org',
            importance=0.8,
        ),
        Say(r'(?:eu )?prefiro ' + REST, 'prefere {v}', 'preference', longest=7, importance=TASTE),
        Say(
            r'(?:eu )?(?P<n>não )?gosto (?:muito )?(?P<d>de|do|da|dos'
            r'|das) ' + REST,
            '{n}gosta {d} {v}',
            'preference',
            longest=4,
            importance=TASTE,
        ),
        Say(r'(?:eu )?adoro ' + REST, 'adora {v}', 'preference', longest=4, importance=TASTE),
        Say(r'(?:eu )?odeio ' + REST, 'odeia {v}', 'preference', longest=4, importance=TASTE),
        Say(
            r'(?:eu )?não como (?P<v>carne|peixe|glúten|porco|marisco|ovos|açúcar'
            r'|laticínios)$',
            'não come {v}',
            'preference',
            importance=0.75,
        ),
        Say(r'(?:eu )?já não sou (?P<v>vegan[oa]|vegetarian[oa])(?=$|[,;.])', 'é ', slot='diet', op='retract'),
        Say(r'(?:eu )?não sou mais (?P<v>vegan[oa]|vegetarian[oa])(?=$|[,;.])', 'é ', slot='diet', op='retract'),
        Say(r'(?:eu )?uso (?:o |a )?' + REST, 'usa {v}', 'knowledge', check='tool', longest=3, importance=0.5),
        Say(
            r'(?:a )?minha cor (?:favorita|preferida) é (?:o '
            r')?' + REST,
            'cor favorita é {v}',
            'preference',
            'favourite.colour',
            longest=2,
            importance=TASTE,
        ),
        Say(
            r'(?:(?:a partir de agora|daqui em diante|de agora em diante),? (?:por favor,? )?(?:responde(?:-me)?'
            r'|responda(?:-me)?|me responda)'
            r'(?: sempre)?|(?:por favor,? )?(?:responde|responda)(?:-me)? sempre) em (?P<v>português|inglês'
            r'|espanhol|francês|alemão|italiano)$',
            'responde sempre em {v}',
            'instruction',
            'language.answer',
            'none',
            '{v}',
            importance=0.9,
        ),
    ),
    verbs=(
        r'(?:eu )?(?:já )?(?:não )?(?:moro|vivo|sou|como|trabalho|prefiro|gosto|adoro|odeio|uso|tenho|chamo-me'
        r'|me chamo|mudei|me mudei|mudei-me)',
        'me cham[ae]|cham[ae]-me',
    ),
    commands='a partir|daqui|de agora|respond|(?:o )?meu nome|(?:a )?minha cor|resido|já',
    joins='e|mas',
    ends='mas|porque|quando|se|desde|com|para|e (?:eu|o meu|a minha|me)|atualmente|agora|também|por favor'
    '|obrigad[oa]|que',
    lead='olá|oi|bom|bem|então|sim|ok|na verdade|aliás|atualmente|agora|e|boa (?:tarde|noite)|bom dia',
    silent='se|talvez|imagina|imagine|imaginemos|suponha|supõe|suponhamos|digamos|fosse|seria|moraria|viveria'
    '|gostaria|queria|quando era|antes|era'
    '|antigamente|romance|(?:uma|a|minha|esta) história|personagem|jogo|sonhos?|canção|música diz|poema'
    '|filme|disse|diz|dizem|segundo|significa|traduz\\w*|acho|quase'
    '|hoje|esta (?:semana|noite)|por enquanto|de férias|até (?:amanhã|segunda)|enquanto|brincadeira',
    tasks=r'traduz|escreve (?:um|uma)|escreva (?:um|uma)|redige|corrige|corrija|resume|resuma|como se diz|finge'
    r'|você é um',
    vague='teu|tua|seu|sua|este|esta|isto|esse|essa|isso|aquele|aquela|aquilo|ideia|opção|resposta|versão|como'
    '|quando|que|primeir[oa]|segund[oa]|outr[oa]s?'
    '|algo|nada|tudo|melhor|assim|você|te|não|muito|mais|dele|dela|ele|ela',
    where='em|no|na',
    times=(
        ('(?:no )?mês passado', 'last month'),
        ('(?:na )?semana passada', 'last week'),
        ('(?:no )?ano passado', 'last year'),
        ('ontem', 'yesterday'),
        (r'há (?P<n>\d+|\w+) anos?', '{n} years ago'),
        (r'há (?P<n>\d+|\w+) (?:meses|mês)', '{n} months ago'),
        (r'há (?P<n>\d+|\w+) semanas?', '{n} weeks ago'),
        (r'há (?P<n>\d+|\w+) dias?', '{n} days ago'),
        (r'(?:desde|em) (?P<y>(?:19|20)\d\d)', 'in {y}'),
    ),
)
