"""The openings that `elsewhere` knows, language by language."""

from __future__ import annotations

from memoranda.write.rules.tongues.base import Say, Tongue
from memoranda.write.rules.tongues.french import FRENCH
from memoranda.write.rules.tongues.german import GERMAN
from memoranda.write.rules.tongues.italian import ITALIAN
from memoranda.write.rules.tongues.portuguese import PORTUGUESE
from memoranda.write.rules.tongues.spanish import SPANISH

__all__ = ['COUNTRIES_ELSEWHERE', 'TONGUES', 'Say', 'Tongue']

TONGUES = (SPANISH, GERMAN, FRENCH, PORTUGUESE, ITALIAN)

COUNTRIES_ELSEWHERE = frozenset(
    name.strip()
    for name in (
        'españa, méxico, argentina, colombia, chile, perú, venezuela, uruguay, ecuador, cuba, francia, alemania, '
        'italia, portugal, brasil, '
        'inglaterra, reino unido, estados unidos, suiza, irlanda, bélgica, deutschland, österreich, frankreich, '
        'italien, spanien, der schweiz, '
        'schweiz, polen, den niederlanden, belgien, england, den usa, usa, dänemark, schweden, france, espagne, '
        'italie, allemagne, belgique, suisse, '
        'canada, angleterre, états-unis, brésil, maroc, algérie, sénégal, tunisie, luxembourg, irlande, frança, '
        'alemanha, espanha, itália, '
        'suíça, angola, moçambique, cabo verde, estados unidos, irlanda, germania, spagna, svizzera, inghilterra, '
        'portogallo, stati uniti, '
        'brasile, belgio, irlanda, austria, áustria, autriche'
    ).split(',')
)
"""Names of countries in these languages, in lower case."""
