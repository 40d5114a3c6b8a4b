"""Words of special categories: English, French, German, Italian, Portuguese, Spanish, one text for each.

Entries are separated by commas; a `*` stands for any ending. What means something else in one of the six languages is
left out or has a further word beside it, since no text tells which language it is in: `Gift`, `pain`, `Messe`, `cura`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ['WORDS']

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    'health': (
        """
        diabet*, asthma*, cancer, cancers, tumor*, tumour*, leukaemia, leukemia, lymphoma, melanoma, chemotherapy,
        chemo, radiotherapy, hiv, aids patient, hepatitis, tuberculosis, had covid, have covid, got covid, long covid,
        covid-positive, epilep*, migraine*, parkinson*, alzheimer*, dementia, multiple sclerosis, autis*, adhd,
        dyslexi*, bipolar*, schizophren*, psychosis, psychotic, psychiatr*, psychotherap*, my therapist, in therapy,
        depressive, antidepressant*, depression, clinically depressed, anxiety disorder, panic attack*, ptsd, ocd,
        anorexi*, bulimi*, eating disorder, suicid*, self-harm*, addict, addicts, addicted to drugs, drug addiction,
        alcoholic, alcoholism, rehab, sober since, miscarriage*, abortion*, pregnan*, infertil*, ivf, menopaus*,
        endometriosis, pcos, arthritis, osteoporosis, fibromyalgia, crohn*, coeliac*, celiac*, ibs, thyroid*,
        hypertension, high blood pressure, heart attack, heart disease, heart failure, had a stroke, pacemaker*,
        insulin, ssri, prozac, zoloft, xanax, lithium carbonate, ritalin, adderall, diagnosed with, wheelchair*,
        disabilit*, disabled person, deaf, blindness, allerg*, anaphyla*, epipen, surgery, dialysis, transplant patient,
        kidney disease, chronic pain, chronic illness, my medication, medical condition, std test, herpes, chlamydia,
        syphilis, gonorrhea, hospitali*, sick leave
        """,
        """
        diabète, diabétique*, asthme, asthmatique*, cancer du, tumeur*, leucémie, chimiothérapie, vih, séropositi*,
        épilep*, migraine*, démence, sclérose en plaques, schizophrèn*, dépressi*, antidépresseur*, trouble anxieux,
        anorexie, boulimie, suicidaire*, addiction*, alcoolique*, alcoolisme, fausse couche, avortement*, suis enceinte,
        est enceinte, femme enceinte, ivg, endométriose, arthrite, maladie chronique, hypertension, crise cardiaque,
        handicapé*, fauteuil roulant, allergi*, diagnostiqué*, arrêt maladie, hospitalis*, sourd, sourde, insuline
        """,
        """
        diabetes, diabetiker*, asthma, krebs, krebserkrankung*, brustkrebs, tumor*, leukämie, chemotherapie,
        bestrahlung, hiv-*, epilep*, migräne, demenz, multiple sklerose, schizophren*, depression*, depressiv*,
        antidepressiv*, angststörung*, panikattacke*, magersucht, essstörung*, selbstmord*, suizid*, süchtig,
        alkoholiker*, alkoholkrank*, fehlgeburt*, abtreibung*, schwanger*, endometriose, arthrose, rheuma, zöliakie,
        schilddrüse*, bluthochdruck, herzinfarkt*, schlaganfall, herzschrittmacher, behindert*, behinderung*,
        schwerbehindert*, rollstuhl*, allergi*, krankgeschrieben, diagnostiziert, psychotherapeut*, gehörlos, erkrankt,
        chronisch krank*, dialyse, krankheit*
        """,
        """
        diabete, diabetic*, asma, asmatic*, cancro, tumore, tumori, leucemia, chemioterapia, sieropositiv*, epilessia,
        emicrania, demenza, sclerosi multipla, schizofreni*, depressione, antidepressiv*, attacchi di panico, anoressia,
        bulimia, suicidio, tossicodipenden*, alcolista, alcolismo, aborto, incinta, gravidanza, endometriosi, artrite,
        celiac*, ipertensione, infarto, ictus, disabil*, sedia a rotelle, allergic*, allergia, allergie, diagnosticat*,
        malattia, psichiatr*, psicoterap*, sordo, sorda, ricoverat*
        """,
        """
        diabetes, diabétic*, asma, asmátic*, câncer, cancro, tumor, leucemia, quimioterapia, soropositiv*, seropositiv*,
        epilepsia, enxaqueca*, demência, esclerose múltipla, esquizofreni*, depressão, antidepressiv*, ataque de pânico,
        anorexia, bulimia, suicídio, alcoólatra, alcoolismo, aborto*, grávida, gravidez, endometriose, artrite, celíac*,
        hipertensão, enfarte, infarto, avc, deficiência física, cadeira de rodas, alérgic*, alergia*, diagnosticad*,
        doença*, psiquiatr*, psicoterap*, surdo, surda, internad*, insulina
        """,
        """
        diabetes, diabétic*, asma, asmátic*, cáncer, tumor*, leucemia, quimioterapia, vih, seropositiv*, epilepsia,
        epiléptic*, migraña*, demencia, esclerosis múltiple, esquizofreni*, depresión, deprimid*, antidepresiv*, ataque
        de pánico, ansiedad generalizada, anorexia, bulimia, suicidio, adicción, adicto, adicta, alcohólic*,
        alcoholismo, aborto*, embarazada, embarazo, endometriosis, artritis, celíac*, hipertensión, infarto, ictus,
        discapaci*, silla de ruedas, alérgic*, alergia*, diagnosticad*, enfermedad*, psiquiatr*, psicoterap*, sordo,
        sorda, hospitalizad*, insulina
        """,
    ),
    'religion': (
        """
        christianity, a christian, i'm christian, am christian, devout christian, born-again, catholic*, protestant*,
        lutheran*, baptist, baptists, methodist*, evangelical*, presbyterian*, mormon*, latter-day saint*, jehovah*,
        orthodox church, muslim*, islam, islamic, quran, koran, mosque*, ramadan, hijab*, jewish, judaism, synagogue*,
        kosher, shabbat, sabbath, hindu*, buddhis*, sikh*, jainis*, atheis*, i'm agnostic, am agnostic, an agnostic, my
        church, go to church, goes to church, went to church, my faith, my religion, religious, my parish, bible study,
        baptised, baptized, rosary, zoroastrian*, scientolog*, quaker*, pagan, pagans, paganism, wicca*
        """,
        """
        chrétien*, catholique*, protestant*, évangélique*, témoin de jéhovah, témoins de jéhovah, musulman*, islam,
        islamique*, coran, mosquée*, juif, juifs, juive*, judaïsme, synagogue*, hindou*, bouddhis*, athée*, suis
        agnostique, croyant*, ma religion, ma foi, paroisse*, baptême*
        """,
        """
        christlich*, ein christ, eine christin, bin christ, katholi*, protestant*, lutheraner*, evangelisch*,
        freikirch*, zeuge jehovas, zeugen jehovas, muslim*, moslem*, islam, islamisch*, koran, moschee*, jüdisch*, bin
        jude, jüdin, juden, judentum, synagoge*, hinduis*, buddhis*, atheis*, agnostiker*, gläubig*, mein glaube, meine
        religion, religiös*, konfession*, kirchengemeinde*, konfessionslos, kirchensteuer, getauft
        """,
        """
        cristianesimo, sono cristian*, cattolic*, protestant*, evangelic*, testimone di geova, testimoni di geova,
        musulman*, islam, islamico, islamica, corano, moschea, ebreo, ebrea, ebrei, ebraismo, ebraic*, sinagoga,
        induis*, buddis*, ateo, atea, atei, ateismo, agnostico, agnostica, credente, la mia fede, la mia religione,
        parrocchia, battezzat*
        """,
        """
        cristianismo, sou cristão, sou cristã, católic*, protestante*, evangélic*, testemunha de jeová, testemunhas de
        jeová, muçulman*, islã, islâmic*, alcorão, mesquita*, judeu*, judia, judaísmo, sinagoga*, hindu*, budis*, ateu,
        ateia, ateísmo, agnóstico, agnóstica, umbanda, candomblé, minha fé, minha religião, paróquia*, batizad*
        """,
        """
        cristianismo, soy cristian*, católic*, protestante*, evangélic*, testigo de jehová, testigos de jehová,
        musulman*, islámic*, corán, mezquita*, judío*, judía*, judaísmo, sinagoga*, hindú*, budis*, ateo, atea, ateísmo,
        agnóstico, agnóstica, creyente*, mi fe, mi religión, parroquia*, bautizad*
        """,
    ),
    'politics': (
        """
        republican voter, registered republican, registered democrat, a democrat, a republican, i'm a conservative, am a
        conservative, i'm conservative, conservative voter, i'm a liberal, am a liberal, communist*, socialist*,
        anarchist*, libertarian*, marxist*, fascis*, right-wing*, left-wing*, far-right, far-left, i voted for, voted
        for, i vote labour, vote tory, tory voter, labour voter, labour party, conservative party, green party,
        democratic party, republican party, party member, political views, political opinion*, politically active, trump
        supporter, biden supporter, brexit*, maga, canvassed for, canvassing for, campaign volunteer, pro-choice,
        pro-life, feminist activis*, political activis*
        """,
        """
        parti socialiste, parti communiste, rassemblement national, la france insoumise, les républicains, je vote*, ai
        voté, voté pour, suis de gauche, suis de droite, vote à gauche, vote à droite, extrême droite, extrême gauche,
        militant*, opinions politiques, opinion politique, communiste*, socialiste*, anarchiste*, mélenchoniste*,
        macroniste*, élu local
        """,
        """
        cdu, csu, spd, fdp, afd, die grünen, grüne partei, grünen-*, parteimitglied*, parteibuch, wähle die, wähle ich,
        ich wähle, gewählt habe, linksextrem*, rechtsextrem*, linksradikal*, rechtsradikal*, sozialist*, kommunist*,
        anarchist*, sozialdemokrat*, politische meinung, politische ansichten, politisch aktiv
        """,
        """
        partito democratico, forza italia, movimento cinque stelle, ho votato, voto per, sono di sinistra, sono di
        destra, estrema destra, estrema sinistra, comunista, comunisti, socialista, socialisti, fascist*, anarchic*,
        opinioni politiche, tesserato al
        """,
        """
        partido socialista, partido comunista, partido dos trabalhadores, votei no, votei na, voto no, voto na, sou de
        esquerda, sou de direita, extrema-direita, extrema-esquerda, extrema direita, extrema esquerda, petista*,
        bolsonarista*, lulista*, comunista*, socialista*, anarquista*, opinião política, opiniões políticas
        """,
        """
        partido popular, partido socialista, partido comunista, voté por, voto a vox, voto al, de izquierdas, soy de
        izquierda, de derechas, extrema derecha, extrema izquierda, comunista*, socialista*, anarquista*, falangista*,
        peronista*, opinión política, opiniones políticas, ideología política, militante*
        """,
    ),
    'sexual orientation': (
        """
        gay, gays, lesbian*, bisexual*, homosexual*, heterosexual*, pansexual*, asexual*, queer*, lgbt*, transgender*,
        transsexual*, transexual*, trans woman, trans man, non-binary, nonbinary, genderfluid, came out as, sexual
        orientation, sex life, polyamor*, gender dysphoria, gender transition
        """,
        """
        lesbienne*, homosexuel*, bisexuel*, hétérosexuel*, transgenre*, non binaire, orientation sexuelle, vie sexuelle
        """,
        """
        schwul*, lesbe, lesben, lesbisch*, homosexuell*, bisexuell*, heterosexuell*, transgeschlecht*, transfrau,
        transmann, nichtbinär*, nicht-binär*, sexuelle orientierung, sexualleben
        """,
        """
        lesbica, lesbiche, omosessual*, bisessual*, eterosessual*, transessual*, non binario, orientamento sessuale,
        vita sessuale
        """,
        """
        lésbica*, homossexua*, bissexua*, heterossexua*, transgênero*, transgénero*, transexua*, não binário,
        não-binári*, orientação sexual, vida sexual
        """,
        """
        lesbiana*, homosexual*, bisexual*, heterosexual*, transgénero*, transexual*, no binario, orientación sexual,
        vida sexual
        """,
    ),
    'ethnic origin': (
        """
        ethnicity, ethnic origin, ethnic minority, ethnic background, african american, african-american, afro-american,
        black man, black woman, black person, i'm black, am black, white man, white woman, i'm white, am white,
        caucasian, mixed race, mixed-race, biracial, multiracial, hispanic, latino, latina, latinx, asian american,
        asian-american, native american, first nations, indigenous people, am indigenous, aboriginal, māori, inuit,
        person of colour, person of color, people of colour, people of color, racial*, kurdish, uyghur*, arab descent,
        of african descent, of asian descent, of jewish descent
        """,
        """
        origine ethnique, origines ethniques, origines africaines, origine maghrébine, maghrébin*, métis, métisse*,
        personne noire, je suis noir, je suis noire, gitan*, kabyle*, berbère*, autochtone*, kurde*
        """,
        """
        ethnische herkunft, ethnische zugehörigkeit, migrationshintergrund, schwarze deutsche, schwarzer deutscher,
        dunkelhäutig*, hautfarbe, sinti*, roma und sinti, kurdisch*, kurde, kurdin, kurden, indigene*
        """,
        """
        origine etnica, origini etniche, minoranza etnica, afroitalian*, sono nero, sono nera, persona di colore,
        meticci*, indigeni, curdo, curda
        """,
        """
        origem étnica, origem racial, afrodescendente*, sou negro, sou negra, sou preto, sou preta, sou pardo, sou
        parda, mestiç*, indígena*, quilombola*, cigan*, curdo, curda
        """,
        """
        origen étnico, origen racial, minoría étnica, afrodescendiente*, soy negro, soy negra, soy mestiz*, mestiz*,
        mulat*, indígena*, gitano, gitana, gitanos, kurdo, kurda
        """,
    ),
    'union membership': (
        """
        trade union*, labor union*, labour union*, union member*, union rep, union representative*, union dues, union
        steward, shop steward, unionised, unionized, joined the union, teamsters, seiu, afl-cio, uaw
        """,
        """
        syndicat, syndicats, syndical*, syndiqué*, cgt, cfdt, force ouvrière, délégué syndical
        """,
        """
        gewerkschaft*, verdi-mitglied*, ig metall, betriebsrat, betriebsrätin, betriebsratsmitglied*
        """,
        """
        sindacat*, sindacal*, cgil, cisl, uil
        """,
        """
        sindicato*, sindicaliz*, sindicalista*, cgtp, cut sindical
        """,
        """
        sindicato*, sindical*, sindicalista*, ccoo, comisiones obreras, ugt
        """,
    ),
    'genetics': (
        """
        genetic test*, genetic disorder*, genetic disease*, genetic mutation*, genetic predisposition, gene mutation*,
        genome sequenc*, whole genome, brca*, dna test*, dna sample*, dna result*, 23andme, ancestrydna, chromosom*,
        carrier of the gene, huntington*, cystic fibrosis, sickle cell, down's syndrome, down syndrome, hereditary
        """,
        """
        test génétique, tests génétiques, test adn, maladie génétique, mutation génétique, prédisposition génétique,
        mucoviscidose, trisomie, héréditaire*
        """,
        """
        gentest*, dna-test*, dns-test*, erbkrankheit*, genmutation*, genetisch*, mukoviszidose, trisomie, erblich*,
        erbgut
        """,
        """
        test genetico, test del dna, malattia genetica, mutazione genetica, predisposizione genetica, fibrosi cistica,
        trisomia, ereditari*
        """,
        """
        teste genético, teste de dna, teste de adn, doença genética, mutação genética, predisposição genética, fibrose
        cística, trissomia, hereditári*
        """,
        """
        prueba genética, test genético, prueba de adn, enfermedad genética, mutación genética, predisposición genética,
        fibrosis quística, trisomía, hereditari*
        """,
    ),
    'biometrics': (
        """
        biometric*, my fingerprint, my fingerprints, fingerprint scan*, fingerprint data, face id, faceprint*, facial
        recognition, face recognition, iris scan*, retina scan*, retinal scan*, voiceprint*, palm print*, palmprint*
        """,
        """
        biométri*, empreinte digitale, empreintes digitales, reconnaissance faciale, reconnaissance vocale, scan de la
        rétine
        """,
        """
        biometri*, fingerabdruck*, fingerabdrücke*, gesichtserkennung*, irisscan*, netzhautscan*, stimmprofil*
        """,
        """
        biometric*, impronta digitale, impronte digitali, riconoscimento facciale, scansione dell'iride
        """,
        """
        biométric*, impressão digital, impressões digitais, reconhecimento facial, leitura da íris
        """,
        """
        biométric*, huella dactilar, huellas dactilares, reconocimiento facial, escaneo de iris
        """,
    ),
}
