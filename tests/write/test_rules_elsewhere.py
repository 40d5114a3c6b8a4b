"""First-person statements in five other languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from _sayings import ask, ended, memory, propose, texts

SAID = """
Vivo en Madrid | Vive en Madrid | home.city | Madrid
Hola, me llamo Ana | Se llama Ana | name | Ana
Soy alérgica a los frutos secos | Es alérgica a los frutos secos | |
Soy vegetariana | Es vegetariana | diet | vegetariana
Soy profesor de historia | Es profesor de historia | work.title | profesor de historia
Trabajo como enfermera en Madrid | Trabaja como enfermera en Madrid | work.title | enfermera
Trabajo en Telefónica | Trabaja en Telefónica | work.employer | Telefónica
Prefiero el té al café | Prefiere el té al café | |
Me gustan los perros | Le gustan los perros | |
No me gusta el ruido | No le gusta el ruido | |
No como carne | No come carne | |
No me trates de usted, y llámame siempre Chelo. | Llama al usuario Chelo | name.preferred | Chelo
Tengo 34 años | Tiene 34 años | age | 34
Vivo en Francia | Vive en Francia | home.country | Francia
A partir de ahora responde siempre en español | Responde siempre en español | language.answer | español
Ich wohne in Leipzig | Wohnt in Leipzig | home.city | Leipzig
Ich heiße Anna | Heißt Anna | name | Anna
Ich bin allergisch gegen Erdnüsse | Ist allergisch gegen Erdnüsse | |
Ich habe eine Nussallergie | Hat eine Nussallergie | |
Ich bin Vegetarier | Ist Vegetarier | diet | Vegetarier
Ich arbeite als Krankenschwester | Ist Krankenschwester | work.title | Krankenschwester
Ich arbeite bei Siemens | Arbeitet bei Siemens | work.employer | Siemens
Ich bin nach Hamburg gezogen | Wohnt in Hamburg | home.city | Hamburg
Ich trinke lieber Tee als Kaffee | Trinkt lieber Tee als Kaffee | |
Ich esse kein Fleisch | Isst kein Fleisch | |
Ich arbeite bei Siemens in München | Arbeitet bei Siemens in München | work.employer | Siemens
Ich bin Physiker in Jülich und segle gern | Ist Physiker in Jülich | work.title | Physiker
Nenn mich immer Hannes | Nenne den Nutzer Hannes | name.preferred | Hannes
Ich bin 34 Jahre alt | Ist 34 Jahre alt | age | 34
Antworte bitte immer auf Deutsch | Antworte immer auf Deutsch | language.answer | Deutsch
J'habite à Lyon | Habite à Lyon | home.city | Lyon
J'habite en France | Habite en France | home.country | France
Je m'appelle Claire | S'appelle Claire | name | Claire
Je suis allergique aux chats, malheureusement. | Est allergique aux chats | |
Je suis végétarienne | Est végétarienne | diet | végétarienne
Je suis professeur de maths | Est professeur de maths | work.title | professeur de maths
Je travaille chez Renault | Travaille chez Renault | work.employer | Renault
Je préfère le thé | Préfère le thé | |
Je travaille chez Michelin, à Cholet | Travaille chez Michelin à Cholet | work.employer | Michelin
Ne me vouvoie plus jamais, et appelle-moi toujours Zouzou | Appelle l'utilisateur Zouzou | name.preferred | Zouzou
J'ai 34 ans | A 34 ans | age | 34
Je ne mange pas de viande | Ne mange pas de viande | |
Réponds toujours en français | Réponds toujours en français | language.answer | français
Moro em Lisboa | Mora em Lisboa | home.city | Lisboa
Chamo-me Rui | Chama-se Rui | name | Rui
Sou alérgico a amendoim | É alérgico a amendoim | |
Sou vegetariana | É vegetariana | diet | vegetariana
Sou professora de matemática numa escola em Braga. | É professora de matemática | work.title | professora de matemática
Prefiro chá | Prefere chá | |
Gosto de futebol | Gosta de futebol | |
Me chama sempre de Duda | Chama o usuário de Duda | name.preferred | Duda
Não como carne | Não come carne | |
Abito a Torino | Abita a Torino | home.city | Torino
Mi chiamo Luca | Si chiama Luca | name | Luca
Sono allergico alle noci | È allergico alle noci | |
Sono vegetariana | È vegetariana | diet | vegetariana
Lavoro come infermiera | È infermiera | work.title | infermiera
Preferisco il tè | Preferisce il tè | |
Non mangio carne | Non mangia carne | |
Sono infermiera a Lecce e suono il mandolino | È infermiera a Lecce | work.title | infermiera
Chiamami sempre Tino | Chiama l'utente Tino | name.preferred | Tino
Ho 34 anni | Ha 34 anni | age | 34
D'ora in poi rispondimi sempre in italiano, per favore. | Rispondi sempre in italiano | language.answer | italiano
"""


@pytest.mark.parametrize('line', SAID.strip().splitlines(), ids=lambda line: line.split(' | ')[0])
def test_a_plain_statement_stays_in_its_language_and_fills_the_same_slots(line: str) -> None:
    said, fact, slot, value = (part.strip() for part in line.split('|'))

    (p,) = propose(said)

    assert (p.op, p.text, p.slot or '', p.value or '') == ('add', fact, slot, value)
    assert said[p.evidence[0].start : p.evidence[0].end] in said.rstrip('.')


@pytest.mark.parametrize(
    ('text', 'facts'),
    [
        ('Ich bin Vegetarierin und wohne in Leipzig.', ['Ist Vegetarierin', 'Wohnt in Leipzig']),
        ('Hola, me llamo Ana y vivo en Sevilla', ['Se llama Ana', 'Vive en Sevilla']),
        ("Je m'appelle Claire et j'habite à Lyon", ["S'appelle Claire", 'Habite à Lyon']),
        ('Chamo-me Rui e moro no Porto', ['Chama-se Rui', 'Mora no Porto']),
        ('Mi chiamo Luca e abito a Torino', ['Si chiama Luca', 'Abita a Torino']),
    ],
)
def test_two_facts_of_one_sentence_are_two(text: str, facts: list[str]) -> None:
    assert texts(text) == facts


@pytest.mark.parametrize(
    ('text', 'begin'),
    [
        ('Me mudé a Valencia el mes pasado', datetime(2023, 4, 1, tzinfo=UTC)),
        ('Ich bin letzten Monat nach Hamburg gezogen', datetime(2023, 4, 1, tzinfo=UTC)),
        ("J'ai déménagé à Nantes le mois dernier", datetime(2023, 4, 1, tzinfo=UTC)),
        ('Mudei-me para Braga no mês passado', datetime(2023, 4, 1, tzinfo=UTC)),
        ('Mi sono trasferita a Milano il mese scorso', datetime(2023, 4, 1, tzinfo=UTC)),
        ('Ich wohne seit 2019 in Berlin', datetime(2019, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_move_holds_from_when_the_sentence_says(text: str, begin: datetime) -> None:
    assert [p.valid_from for p in propose(text)] == [begin]


@pytest.mark.parametrize(
    ('text', 'known'),
    [
        ('Ya no vivo en Madrid', memory('Vive en Madrid', 'home.city')),
        ('Ich wohne nicht mehr in Berlin', memory('Wohnt in Berlin')),
        ("Je n'habite plus à Paris", memory('Habite à Paris', 'home.city')),
        ('Já não moro em Lisboa', memory('Mora em Lisboa', 'home.city')),
        ('Non abito più a Roma', memory('Abita a Roma', 'home.city')),
        ('Ya no soy vegetariana', memory('Es vegetariana', 'diet')),
        ('Ich bin nicht mehr vegan', memory('Ist vegan', 'diet')),
        ('Je ne suis plus végétarien', memory('Is vegetarian', 'diet')),
        ('Não sou mais vegetariano', memory('É vegetariano', 'diet')),
    ],
)
def test_what_is_no_longer_so_ends(text: str, known: object) -> None:
    assert isinstance(known, type(memory('')))
    if text.startswith('Je ne suis'):
        assert ended(text, [known]) == []  # another language has other words: nothing is guessed
    else:
        assert ended(text, [known]) == [known.text]


def test_a_move_takes_the_place_of_the_old_home() -> None:
    known = [memory('Vive en Madrid', 'home.city')]

    (p,) = ask('Ya no vivo en Madrid, me mudé a Valencia el mes pasado.', known)

    assert (p.op, p.text, p.slot) == ('add', 'Vive en Valencia', 'home.city')


SILENT = """
¿Vivo en Madrid?
Si vivo en Madrid, ¿qué impuestos pago?
Mi hermana vive en Madrid
Mi hermano dijo: vivo en Madrid
Antes vivía en Madrid
Quiero vivir en Madrid
Vivo en una casa grande
Vivo en directo
No vivo en Madrid
No soy vegetariano
No soy alérgico a nada
Traduce: vivo en Madrid
¿Cómo se dice "vivo en Madrid" en inglés?
Ojalá fuera vegetariano
Imagina que soy médico
En mi novela soy médico y vivo en Roma
Prefiero la segunda opción
Prefiero eso
Me gusta tu respuesta
Hoy prefiero té
Tengo 20 años de experiencia
Tengo 34 errores
Me llamo la atención
Wohne ich in Berlin?
Wenn ich in Berlin wohne, was zahle ich?
Meine Schwester wohnt in Berlin
Ich wohne nicht in Berlin
Ich bin kein Vegetarier
Ich bin nicht allergisch gegen Nüsse
Ich würde gern in Berlin wohnen
Früher war ich Vegetarier
Ich bin nach Hause gegangen
Ich bin nach Berlin geflogen
Übersetze: Ich wohne in Berlin
Ich mag deine Antwort
Ich bevorzuge die zweite Variante
Stell dir vor, ich bin Arzt
Ich bin heute vegan
J'habite à Paris ?
Si j'habite à Paris, que dois-je payer ?
Ma sœur habite à Paris
Je n'habite pas à Paris
Je ne suis pas végétarien
Je suis à Paris cette semaine
Je préfère la deuxième option
J'aime ta réponse
Traduis : j'habite à Paris
Imagine que je suis médecin
Avant, j'habitais à Lyon
J'ai 30 ans d'expérience
Moro em Lisboa?
Se moro em Lisboa, quanto pago?
A minha irmã mora em Lisboa
Não moro em Lisboa
Não sou vegetariano
Prefiro a segunda opção
Gosto da tua resposta
Traduz: moro em Lisboa
Hoje prefiro chá
Abito a Roma?
Se abito a Roma, quanto pago?
Mia sorella abita a Roma
Non abito a Roma
Non sono vegetariano
Preferisco la seconda opzione
Mi piace la tua risposta
Traduci: abito a Roma
Sono a Roma questa settimana
Sono d'accordo
Ho 34 anni di esperienza
Ella dijo «vivo en Madrid»
> Ich wohne in Berlin
Soy sauce is great
Sono speakers are loud
Ich bin ein Berliner, said Kennedy
"""


@pytest.mark.parametrize('text', SILENT.strip().splitlines())
def test_what_is_asked_denied_supposed_or_of_others_is_no_fact(text: str) -> None:
    assert texts(text) == []


def test_where_no_run_is_named_nothing_is_kept_of_today() -> None:
    assert texts('Hoy prefiero té', run_id=None) == []
