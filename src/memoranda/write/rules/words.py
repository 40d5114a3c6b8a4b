"""Word lists: what is a country, a nationality, a language, an occupation, a programming language, a tool."""

from __future__ import annotations

from memoranda.records import WORKSPACE_TAG

__all__ = [
    'COMPANIES',
    'CONDITIONS',
    'COUNTRIES',
    'DEPARTMENTS',
    'DIETS',
    'EDITORS',
    'KIN',
    'LANGUAGES',
    'NATIONALITIES',
    'OCCUPATIONS',
    'PETS',
    'PROGRAMMING',
    'TOOLS',
    'WORKSPACE',
]


WORKSPACE = WORKSPACE_TAG
"""The tag of what the speaker works with (`records.WORKSPACE_TAG`)."""


def _set(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(','))


COUNTRIES = _set(
    'afghanistan, albania, algeria, andorra, angola, argentina, armenia, australia, austria, '
    'azerbaijan, bahrain, bangladesh, '
    'belarus, belgium, bolivia, bosnia, botswana, brazil, bulgaria, cambodia, cameroon, '
    'canada, chile, china, colombia, '
    'costa rica, croatia, cuba, cyprus, czechia, the czech republic, denmark, ecuador, '
    'egypt, el salvador, england, estonia, '
    'ethiopia, finland, france, germany, ghana, greece, guatemala, haiti, honduras, hungary, iceland, india, '
    'indonesia, iran, iraq, ireland, israel, italy, jamaica, japan, jordan, kazakhstan, '
    'kenya, kuwait, latvia, lebanon, '
    'libya, lithuania, malaysia, malta, mexico, moldova, mongolia, montenegro, morocco, '
    'mozambique, myanmar, namibia, nepal, '
    'the netherlands, netherlands, holland, new zealand, nicaragua, nigeria, north '
    'macedonia, norway, oman, pakistan, panama, '
    'paraguay, peru, the philippines, philippines, poland, portugal, qatar, romania, russia, rwanda, saudi arabia, '
    'scotland, senegal, serbia, slovakia, slovenia, somalia, south africa, south korea, korea, spain, sri lanka, '
    'sudan, sweden, switzerland, syria, taiwan, tanzania, thailand, tunisia, turkey, türkiye, uganda, ukraine, '
    'the united arab emirates, the uae, uae, the united kingdom, the uk, uk, great britain, '
    'britain, the united states, '
    'the us, the usa, usa, america, uruguay, uzbekistan, venezuela, vietnam, wales, yemen, zambia, zimbabwe'
)
NATIONALITIES = _set(
    'afghan, albanian, algerian, american, angolan, argentinian, argentine, armenian, '
    'australian, austrian, bangladeshi, '
    'belarusian, belgian, bolivian, bosnian, brazilian, british, bulgarian, cambodian, '
    'canadian, chilean, chinese, colombian, '
    'croatian, cuban, czech, danish, dutch, ecuadorian, egyptian, english, estonian, '
    'ethiopian, filipino, filipina, finnish, '
    'french, german, ghanaian, greek, guatemalan, hungarian, icelandic, indian, indonesian, '
    'iranian, iraqi, irish, israeli, '
    'italian, jamaican, japanese, jordanian, kenyan, korean, latvian, lebanese, lithuanian, '
    'malaysian, mexican, moroccan, '
    'nepali, new zealander, nigerian, norwegian, pakistani, palestinian, peruvian, polish, '
    'portuguese, puerto rican, romanian, '
    'russian, scottish, senegalese, serbian, singaporean, slovak, slovenian, south african, '
    'spanish, sri lankan, swedish, '
    'swiss, syrian, taiwanese, thai, tunisian, turkish, ukrainian, venezuelan, vietnamese, welsh, zimbabwean'
)
LANGUAGES = _set(
    'afrikaans, albanian, arabic, armenian, bengali, bulgarian, cantonese, catalan, chinese, '
    'croatian, czech, danish, dutch, '
    'english, esperanto, estonian, farsi, finnish, french, german, greek, hebrew, hindi, '
    'hungarian, icelandic, indonesian, irish, '
    'italian, japanese, korean, latin, latvian, lithuanian, malay, mandarin, norwegian, '
    'persian, polish, portuguese, punjabi, '
    'brazilian portuguese, romanian, russian, serbian, sign language, asl, slovak, '
    'slovenian, spanish, swahili, swedish, swiss german, tagalog, tamil, telugu, thai, '
    'turkish, '
    'ukrainian, urdu, vietnamese, welsh'
)
OCCUPATIONS = _set(
    'accountant, actor, actress, analyst, architect, artist, assistant, astronomer, '
    'attorney, auditor, author, baker, banker, '
    'barber, barista, bartender, biologist, bookkeeper, builder, butcher, carer, caregiver, '
    'carpenter, cashier, chef, chemist, '
    'cleaner, clerk, coach, comedian, composer, consultant, contractor, cook, counselor, '
    'counsellor, copywriter, curator, dancer, '
    'dentist, designer, detective, developer, dev, devops, dietitian, director, dj, doctor, '
    'driver, ecologist, economist, editor, '
    'electrician, engineer, entrepreneur, farmer, filmmaker, firefighter, florist, founder, '
    'cofounder, co-founder, freelancer, gardener, '
    'geologist, gp, guide, hairdresser, historian, illustrator, instructor, interpreter, '
    'investor, janitor, journalist, judge, '
    'lawyer, lecturer, librarian, lifeguard, linguist, machinist, manager, marketer, '
    'mathematician, mechanic, midwife, model, '
    'musician, nanny, neuroscientist, notary, nurse, nutritionist, optician, optometrist, '
    'paralegal, paramedic, pastor, pharmacist, philosopher, '
    'photographer, physician, physicist, physiotherapist, pianist, pilot, plumber, poet, '
    'policeman, politician, postdoc, potter, priest, '
    'principal, producer, professor, programmer, psychiatrist, psychologist, radiologist, '
    'realtor, receptionist, recruiter, '
    'reporter, researcher, sailor, salesman, salesperson, scientist, sculptor, seamstress, '
    'secretary, singer, social worker, soldier, '
    'solicitor, statistician, stylist, surgeon, surveyor, tailor, teacher, technician, '
    'therapist, trader, trainer, translator, '
    'tutor, vet, veterinarian, videographer, waiter, waitress, welder, worker, writer, '
    'youtuber, zoologist, student, undergrad, '
    'undergraduate, apprentice, intern, officer, administrator, specialist, strategist, '
    'planner, supervisor, technologist, '
    'tester, lead, cto, ceo, cfo, coo, sre, dba, owner, streamer, influencer, pediatrician, '
    'cardiologist, dermatologist, anesthesiologist'
)
PETS = _set(
    'dog, cat, puppy, kitten, hamster, rabbit, bunny, parrot, bird, fish, goldfish, turtle, '
    'tortoise, snake, lizard, gecko, '
    'horse, pony, ferret, guinea pig, rat, mouse, hedgehog, chinchilla, budgie, canary, '
    'cockatiel, chicken, duck, goat, pig, '
    'pup, iguana, axolotl, labrador, poodle, beagle, retriever, golden retriever, shepherd, '
    'german shepherd, husky, corgi, dachshund, bulldog, '
    'terrier, spaniel, collie, greyhound, tabby, pet, mutt'
)
KIN = _set(
    'wife, husband, spouse, partner, girlfriend, boyfriend, fiancé, fiancée, fiance, '
    'fiancee, son, daughter, mother, mom, mum, father, '
    'dad, brother, sister, grandmother, grandma, grandfather, grandpa, uncle, aunt, cousin, '
    'gran, granny, nan, nana, grandad, nephew, niece, stepson, stepdaughter, '
    'stepmother, stepfather, stepbrother, stepsister, twin, twin sister, twin brother, '
    'grandson, granddaughter, best friend, roommate, flatmate, '
    'housemate, boss, manager, coworker, colleague, neighbor, neighbour, therapist, doctor, '
    'teacher, coach, mentor, friend, '
    'mother-in-law, father-in-law, brother-in-law, sister-in-law, son-in-law, '
    'daughter-in-law, older brother, older sister, younger brother, '
    'younger sister, little brother, little sister, big brother, big sister, eldest son, '
    'eldest daughter, oldest son, oldest daughter, youngest son, youngest daughter, '
    'baby, kid, child, ex, ex-wife, ex-husband, half-brother, half-sister'
)
DIETS = _set(
    'vegetarian, vegan, pescatarian, pescetarian, flexitarian, fruitarian, gluten-free, '
    'gluten free, dairy-free, dairy free, '
    'sugar-free, keto, ketogenic, low-carb, low carb, paleo, kosher, halal, plant-based, '
    'plant based, mediterranean, carnivore, '
    'raw vegan, lacto-vegetarian, ovo-vegetarian, whole30, low-fodmap, low fodmap, low-sodium'
)
CONDITIONS = _set(
    'adhd, add, asthma, autism, arthritis, anxiety, anemia, anaemia, celiac disease, coeliac '
    "disease, celiac, coeliac, crohn's, "
    "crohn's disease, depression, diabetes, type 1 diabetes, type 2 diabetes, dyslexia, "
    'eczema, endometriosis, epilepsy, fibromyalgia, '
    'gerd, high blood pressure, hypertension, hypothyroidism, hyperthyroidism, ibs, '
    'insomnia, lupus, migraines, chronic migraines, ms, multiple sclerosis, '
    'ocd, pcos, ptsd, psoriasis, scoliosis, sleep apnea, tinnitus, vertigo, acid reflux, '
    'color blindness, colour blindness, '
    'a heart condition, a bad back, bad knees, a bad knee, chronic pain, chronic back pain, '
    'tourette syndrome, a pacemaker, hay fever'
)
PROGRAMMING = _set(
    'ada, assembly, bash, c, c#, c++, clojure, cobol, common lisp, crystal, d, dart, elixir, '
    'elm, erlang, f#, fortran, gleam, go, golang, '
    'groovy, haskell, java, javascript, js, julia, kotlin, lisp, lua, matlab, nim, '
    'objective-c, ocaml, odin, pascal, perl, php, '
    'powershell, prolog, python, python 3, r, racket, ruby, rust, scala, scheme, sql, swift, '
    'typescript, ts, vb.net, zig'
)
EDITORS = _set(
    'vim, neovim, nvim, emacs, doom emacs, spacemacs, vs code, vscode, visual studio code, '
    'visual studio, sublime, sublime text, atom, '
    'nano, helix, zed, cursor, windsurf, intellij, intellij idea, pycharm, webstorm, goland, '
    'clion, rider, eclipse, netbeans, xcode, android studio, notepad++, kakoune, rstudio'
)
TOOLS = (
    _set(
        'postgres, postgresql, mysql, sqlite, mariadb, mongodb, mongo, redis, kafka, rabbitmq, '
        'elasticsearch, docker, podman, kubernetes, '
        'k8s, terraform, ansible, git, github, gitlab, jira, slack, notion, obsidian, linux, '
        'ubuntu, debian, fedora, arch, arch linux, '
        'nixos, nix, macos, windows, wsl, aws, gcp, azure, heroku, vercel, netlify, cloudflare, '
        'fastapi, flask, django, rails, laravel, spring, '
        'spring boot, react, vue, svelte, angular, next.js, nextjs, node, node.js, deno, bun, '
        'npm, pnpm, yarn, webpack, vite, tailwind, '
        'pandas, numpy, polars, pytorch, tensorflow, keras, jax, scikit-learn, jupyter, uv, pip, '
        'poetry, conda, ruff, mypy, pyright, pytest, black, '
        'graphql, grpc, htmx, sqlalchemy, pydantic, celery, airflow, dbt, spark, snowflake, '
        'bigquery, duckdb, tableau, power bi, excel, '
        'figma, photoshop, blender, unity, unreal, godot, latex, zsh, fish, tmux, iterm, kitty, '
        'alacritty, wezterm, firefox, chrome, safari, brave, '
        'jenkins, circleci, github actions, prometheus, grafana, sentry, datadog, nginx, caddy, '
        'traefik, supabase, firebase, prisma, '
        'zotero, anki, todoist, trello, asana, linear, zoom, teams, whatsapp, telegram, signal, '
        'spotify, strava, garmin, iphone, android, langchain, openai'
    )
    | PROGRAMMING - {'c', 'd', 'r', 'go'}
    | EDITORS
)
COMPANIES = _set(
    'accenture, adobe, airbnb, amazon, amd, anthropic, apple, bmw, boeing, bosch, cisco, deepmind, dell, deloitte, '
    'dropbox, ebay, facebook, github, gitlab, goldman sachs, google, hp, hubspot, ibm, ikea, instagram, intel, kpmg, '
    'linkedin, mckinsey, mercedes, meta, microsoft, mozilla, netflix, nike, nvidia, openai, oracle, palantir, paypal, '
    'pinterest, pwc, qualcomm, reddit, salesforce, samsung, sap, shopify, siemens, slack, snap, sony, spacex, '
    'spotify, stripe, tesla, tiktok, toyota, twitter, uber, unilever, volkswagen, walmart, zalando'
)
DEPARTMENTS = _set(
    'accounting, admin, administration, advertising, ai, analytics, backend, communications, compliance, consulting, '
    'customer service, customer success, customer support, data, data engineering, data science, design, devops, '
    'engineering, finance, freelancing, frontend, growth, hr, human resources, infrastructure, it, legal, logistics, '
    'maintenance, management, manufacturing, marketing, operations, ops, partnerships, people ops, platform, pr, '
    'procurement, product, product management, production, purchasing, qa, quality assurance, r&d, recruiting, '
    'recruitment, research, sales, security, software, software engineering, strategy, support, tech, training, ux'
)
