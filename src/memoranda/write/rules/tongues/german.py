"""German openings."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import REST, TASTE, Say, Tongue, common

__all__ = ['GERMAN']

_JOBS = (
    r'(?:[A-ZÄÖÜ][a-zäöüß]{0,20}(?:lehrer|ärztin|arzt|ingenieur|entwickler|berater|techniker|pfleger|verkäufer'
    r'|wissenschaftler'
    r'|schwester|anwalt|anwältin|meister|leiter|händler|zeichner|führer|fahrer)|Lehrer|Ärztin|Arzt|Ingenieur|Entwickler'
    r'|Programmierer|Informatiker|Student|Journalist|Architekt|Designer|Koch|Köchin|Bäcker|Krankenpfleger'
    r'|Krankenschwester|Anwalt'
    r'|Anwältin|Übersetzer|Buchhalter|Mechaniker|Elektriker|Musiker|Fotograf|Physiker|Chemiker|Biolog(?:e|in)'
    r'|Psycholog(?:e|in)'
    r'|Tierarzt|Tierärztin|Rentner|Friseur|Polizist|Kellner|Schreiner|Tischler|Schüler)(?:in)?'
)
GERMAN = Tongue(
    says=(
        *common(
            name=r'ich heiße|ich heisse|mein Name ist',
            named='heißt',
            live=r'ich (?:wohne|lebe)(?: seit (?:\w+ ){0,2}\w+)?|wohne',
            lives='wohnt',
            there='(?P<p>in)',
            moved=r'ich bin (?:(?:gerade|kürzlich|neulich|letzten Monat|letzte Woche|letztes Jahr|vor \w+ \w+'
            r'|gestern) )?nach',
            gone=r'ich (?:wohne|lebe) nicht mehr',
            aged=r'ich bin (?P<v>\d{1,3})(?: Jahre alt)?',
            is_aged='ist {v} Jahre alt',
            there_='in',
            call=r'(?:bitte )?nenne? mich(?: (?:bitte|immer|einfach|lieber|nur))*',
            calls='nenne den Nutzer {v}',
        ),
        Say(
            r'(?:ich bin )?(?P<a>allergisch) (?P<prep>gegen'
            r'|auf) ' + REST,
            'ist {a} {prep} {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'ich habe eine (?P<v>[A-ZÄÖÜ][\w-]{2,30}(?:allergie|unverträglichkeit|intoleranz))(?=$|[,;.]'
            r'|\sund\b)',
            'hat eine {v}',
            'constraint',
            importance=0.9,
        ),
        Say(
            r'(?:ich bin )?(?P<a>vegan|vegetarisch|Vegetarier(?:in)?|Veganer(?:in)?)(?=$|[,;.]|\sund\b'
            r'|\sseit\b)',
            'ist {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'ich (?:ernähre mich|esse) (?P<a>vegan|vegetarisch)(?=$|[,;.]'
            r'|\sund\b)',
            'ernährt sich {a}',
            'preference',
            'diet',
            'none',
            '{a}',
            importance=0.8,
        ),
        Say(
            r'ich bin (?P<a>Diabetiker(?:in)?|laktoseintolerant|glutenintolerant)(?=$|[,;.]'
            r'|\sund\b)',
            'ist {a}',
            'constraint',
            check='none',
            importance=0.9,
        ),
        Say(
            rf'(?:ich bin|ich arbeite als|arbeite als) (?-i:(?P<v>{_JOBS}))(?=$|[,;.]|\s(?:in|bei|und|von|für'
            rf'|aus|seit)\b)',
            'ist {v}',
            slot='work.title',
            importance=0.8,
        ),
        Say(
            r'(?:ich )?arbeite (?P<p>bei|für) (?:der |dem '
            r')?' + REST,
            'arbeitet {p} {v}',
            slot='work.employer',
            check='org',
            importance=0.8,
        ),
        Say(r'ich bevorzuge ' + REST, 'bevorzugt {v}', 'preference', longest=6, importance=TASTE),
        Say(
            r'ich (?P<a>trinke|esse) lieber ' + REST,
            '{a} lieber {v}',
            'preference',
            longest=5,
            importance=TASTE,
            thirds={'trinke': 'trinkt', 'esse': 'isst'},
        ),
        Say(
            r'ich (?:mag|liebe) (?P<n>kein(?:e|en)? )?(?P<v>[A-ZÄÖÜ][\wäöüß-]+(?: (?:und|mit) '
            r'[A-ZÄÖÜ][\wäöüß-]+)?)(?: sehr| gern)?$',
            'mag {n}{v}',
            'preference',
            importance=TASTE,
        ),
        Say(r'ich hasse (?P<v>[A-ZÄÖÜ][\wäöüß-]+)$', 'hasst {v}', 'preference', importance=TASTE),
        Say(
            r'ich (?P<a>esse|trinke) kein(?P<e>e|en)? '
            r'(?-i:(?P<v>[A-ZÄÖÜ][\wäöüß-]+))$',
            '{a} kein{e} {v}',
            'preference',
            importance=0.75,
            thirds={'trinke': 'trinkt', 'esse': 'isst'},
        ),
        Say(
            r'ich bin (?:nicht mehr|kein(?:e)?) (?P<v>vegan|vegetarisch|Vegetarier(?:in)?|Veganer(?:in)?)(?: '
            r'mehr)?(?=$|[,;.])',
            'ist ',
            slot='diet',
            op='retract',
        ),
        Say(
            r'ich (?:benutze|verwende|nutze) ' + REST,
            'benutzt {v}',
            'knowledge',
            check='tool',
            longest=3,
            importance=0.5,
        ),
        Say(
            r'meine Lieblingsfarbe ist ' + REST,
            'Lieblingsfarbe ist {v}',
            'preference',
            'favourite.colour',
            longest=2,
            importance=TASTE,
        ),
        Say(
            r'(?:(?:ab (?:jetzt|sofort)|von (?:jetzt|nun) an|künftig) (?:bitte )?(?:antworte?|schreib)(?: mir)?(?: '
            r'bitte)?(?: immer| nur)?'
            r'|(?:bitte )?antworte?(?: mir)?(?: bitte)? immer) auf (?P<v>Deutsch|Englisch|Französisch|Spanisch'
            r'|Italienisch'
            r'|Portugiesisch)(?:,? bitte)?$',
            'antworte immer auf {v}',
            'instruction',
            'language.answer',
            'none',
            '{v}',
            importance=0.9,
        ),
    ),
    verbs=(r'ich', r'mein(?:e)? (?:Name|Lieblingsfarbe)', 'wohne', 'arbeite', 'allergisch', 'nenne? mich'),
    commands='ab (?:jetzt|sofort)|von (?:jetzt|nun)|künftig|antwort|bitte antwort',
    joins='und|aber',
    ends='aber|weil|wenn|dass|und (?:ich|mein|habe|bin|arbeite|wohne|das)|obwohl|seit|mit|für|als(?= ich)|derzeit'
    '|zurzeit|momentan|bitte|danke'
    '|gezogen|umgezogen|leider|sehr|auch',
    lead='hallo|hi|hey|also|ja|nein|übrigens|eigentlich|naja|okay|ok|gut|und|aktuell|zurzeit|momentan|guten (?:Tag'
    '|Morgen|Abend)',
    silent='wenn|falls|ob|würde|würd|wäre|hätte|könnte|vielleicht|angenommen|stell dir vor|stellen wir|nehmen wir'
    '|früher|damals|war|als kind'
    '|roman|geschichte|figur|spiel|traum|lied|gedicht|film|sagt|sagte|sagen|meint|laut|bedeutet|übersetz\\w*'
    '|glaube|möchte|wollte'
    '|heute|diese (?:woche|nacht)|gerade nur|vorerst|bis (?:morgen|montag|freitag)|im urlaub|beinahe|fast'
    '|bald|solange',
    tasks=r'übersetz|schreib(?:e)? (?:mir )?(?:ein|eine|einen)|korrigier|fasse|formulier|wie sagt man|tu so|du bist '
    r'ein',
    vague='dein|deine|deinen|deiner|dies\\w*|das|es|jen\\w+|idee|option|antwort|version|variante|wie|erste\\w*'
    '|zweite\\w*|andere\\w*|etwas'
    '|alles|nichts|so|du|dir|dich|Sie|ihr|nicht|keine?',
    where='in|im',
    times=(
        (r'(?:im )?letzten Monat', 'last month'),
        ('letzte Woche', 'last week'),
        ('letztes Jahr', 'last year'),
        ('gestern', 'yesterday'),
        (r'vor (?P<n>\d+|\w+) Jahr(?:en)?', '{n} years ago'),
        (r'vor (?P<n>\d+|\w+) Monat(?:en)?', '{n} months ago'),
        (r'vor (?P<n>\d+|\w+) Wochen?', '{n} weeks ago'),
        (r'vor (?P<n>\d+|\w+) Tag(?:en)?', '{n} days ago'),
        (r'(?:seit|im Jahr) (?P<y>(?:19|20)\d\d)', 'in {y}'),
    ),
)
