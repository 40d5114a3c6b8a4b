"""What the speaker builds, and what with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memoranda.write.rules.drafts import Context, Draft, Drafts, rule
from memoranda.write.rules.grammar import bare, cut, is_vague, turned
from memoranda.write.rules.words import LANGUAGES, PROGRAMMING, TOOLS, WORKSPACE

__all__ = ['RULES', 'is_tool', 'listed', 'tool_names']

_USE = 0.5
_TAGS = (WORKSPACE,)
_VERSION = re.compile(r'\s(?:v?\d[\w.]*)$')


def is_tool(text: str) -> bool:
    """Whether it is a known tool, or written like the name of one (`PostgreSQL`, `Next.js`, `S3`)."""
    plain = _VERSION.sub('', bare(text).lower())
    if plain in TOOLS or plain in PROGRAMMING:
        return True
    return (
        re.fullmatch(r'(?:[A-Za-z]*[a-z][A-Z]\w*|[A-Z]{2,6}\d?|\w+\.(?:js|io|py|rs|ai|net))(?:\s[\w.]+)?', bare(text))
        is not None
    )


def listed(text: str) -> list[str]:
    """The items of `A, B and C`."""
    return [bare(item) for item in re.split(r',\s(?:and\s|plus\s)?|\s(?:and|plus|&|\+)\s', text) if bare(item)]


def tool_names(text: str) -> list[str]:
    """The items of a list when every one of them is a tool."""
    items = listed(text)
    return items if items and all(is_tool(item) for item in items) else []


def _use(names: list[str]) -> Iterator[Draft]:
    for name in names:
        yield Draft(f'uses {name}', 'knowledge', importance=_USE, tags=_TAGS)


def _uses(m: re.Match[str], ctx: Context) -> Drafts:
    """`I use Vim and tmux for everything`."""
    text = cut(ctx.timeless(m['v']), limit=12)
    head, prep, rest = _parted(text)
    names = tool_names(head)
    if (
        not names
        and re.fullmatch(r'(?:(?:an?|my)\s)?[A-Z][\w+#.-]{1,20}(?:\s[A-Z0-9][\w+#.-]{0,20}){0,3}', head)
        and not _is_time_word(head)
    ):
        names = [head if re.match(r'an?\s', head) else bare(head)]
    if not names:
        return None
    if any(name.lower() in LANGUAGES for name in names):
        return None
    if (
        len(names) == 1
        and prep == 'as'
        and re.match(r'(?:my|our)\s(?:main\s|primary\s|default\s)?(?:editor|ide|text editor|code editor)', rest)
    ):
        return Draft(
            f'uses {names[0]} as their editor', 'preference', slot='editor.preferred', value=names[0], importance=0.6
        )
    if len(names) == 1 and prep and rest and not is_vague(rest) and not is_vague(turned(rest).replace('their', '')):
        return Draft(f'uses {names[0]} {prep} {turned(rest)}', 'knowledge', importance=_USE, tags=_TAGS)
    return list(_use(names))


def _parted(text: str) -> tuple[str, str, str]:
    m = re.search(r'\s(?P<prep>for|as|on|at|in|to|with|when|every|daily)\b\s?', text)
    return (text[: m.start()], m['prep'], text[m.end() :]) if m else (text, '', '')


def _is_time_word(text: str) -> bool:
    return re.match(r'(?:Mondays?|Tuesdays?|Wednesdays?|Thursdays?|Fridays?|Saturdays?|Sundays?)\b', text) is not None


def _codes_in(m: re.Match[str], ctx: Context) -> Drafts:
    text = cut(m['v'], limit=8)
    head, _, _ = _parted(text)
    names = [name for name in listed(head) if name.lower() in PROGRAMMING]
    if not names or len(names) != len(listed(head)):
        return None
    return Draft(f'{_CODES[m["verb"].lower().split()[0]]} in {head}', 'knowledge', importance=0.55, tags=_TAGS)


_CODES = {
    'code': 'codes',
    'program': 'programs',
    'develop': 'develops',
    'write': 'codes',
    'coding': 'codes',
    'programming': 'programs',
    'work': 'works',
    'working': 'works',
}


def _writes(m: re.Match[str], ctx: Context) -> Drafts:
    names = listed(_parted(cut(m['v'], limit=8))[0])
    if not names or any(name.lower() not in PROGRAMMING for name in names):
        return None
    return Draft(f'writes {" and ".join(names)}', 'knowledge', importance=0.55, tags=_TAGS)


def _main_is(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=4)
    what = m['what'].lower()
    if not value or is_vague(value):
        return None
    slot = (
        'editor.preferred'
        if re.search(r'editor|ide', what)
        else 'language.programming.preferred'
        if 'language' in what
        else None
    )
    if slot == 'language.programming.preferred' and value.lower() not in PROGRAMMING:
        return None
    if slot is None:
        names = listed(value)
        if not names or not all(is_tool(name) for name in names):
            return None
    return Draft(
        f'{what} is {value}',
        'preference',
        form='owns',
        slot=slot,
        value=value if slot else None,
        importance=0.6,
        tags=_TAGS,
    )


def _stack(m: re.Match[str], ctx: Context) -> Drafts:
    text = re.split(r'\s(?:on|for|with|because|since|at)\s', m['v'].rstrip(' .'), maxsplit=1)[0]
    names = tool_names(text)
    return list(_use(names)) if names else None


def _written_in(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=6)
    names = tool_names(value)
    return (
        Draft(
            f'{m["what"].lower()} is {m["how"].lower()} {value}', 'knowledge', form='owns', importance=_USE, tags=_TAGS
        )
        if names
        else None
    )


_BUILDS = {
    'building': 'is building',
    'developing': 'is developing',
    'working on': 'is working on',
    'creating': 'is creating',
    'writing': 'is writing',
    'making': 'is making',
    'designing': 'is designing',
}
_WITH = re.compile(r'\s(?P<prep>with|using|on top of|in|on)\s', re.IGNORECASE)


def _builds(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm building a FastAPI app with PostgreSQL`: the project and its tools."""
    text = cut(m['v'], limit=18)
    tools: list[str] = []
    project = text
    for part in _WITH.finditer(text):
        tools = tool_names(re.split(r'\s(?:for|on|to|and (?:it|we|i))\s', text[part.end() :], maxsplit=1)[0])
        if tools:
            project = text[: part.start()]
            break
    if (
        not re.match(r'(?:an?|our|my|two|three|several)\s', project, re.IGNORECASE)
        or is_vague(project)
        or len(project.split()) > 12
    ):
        return None
    if re.match(
        r'an? (?:list|table|plan|decision|mistake|point|living|difference|fool|case|joke|comeback'
        r'|change|move|effort|cake|budget)\b',
        project,
    ):
        return None
    how = ' '.join(m['how'].lower().split())
    drafts = [Draft(f'{_BUILDS[how]} {turned(ctx.dated(project))}', 'knowledge', importance=0.6, confidence=0.85)]
    return drafts + list(_use(tools))


def _runs_on(m: re.Match[str], ctx: Context) -> Drafts:
    names = tool_names(cut(m['v'], limit=5))
    systems = re.compile(
        r'(?:macos|windows|linux|ubuntu|debian|fedora|arch|arch linux|nixos|wsl|android|ios|iphone)\b', re.IGNORECASE
    )
    return list(_use(names)) if names and all(systems.match(n) for n in names) else None


def _drives(m: re.Match[str], ctx: Context) -> Drafts:
    value = cut(m['v'], limit=5)
    if (
        not value
        or is_vague(value)
        or not re.match(r'an?\s(?:[a-z]+\s)?[A-Z0-9]|an?\s(?:motorcycle|truck|van|bus|taxi|hybrid|motorbike)', value)
    ):
        return None
    return Draft(f'drives {value}', 'knowledge', importance=0.45)


def _deploys(m: re.Match[str], ctx: Context) -> Drafts:
    """`We deploy everything with Terraform on AWS`."""
    names = [
        name
        for part in re.split(r'\s(?:on|with|to|in|via|using|through)\s', cut(m['v'], limit=8))
        for name in listed(part)
    ]
    return list(_use(names)) if names and all(is_tool(name) for name in names) else None


def _uses_one(m: re.Match[str], ctx: Context) -> Drafts:
    """`I'm using the Singapore region`: a thing with a name of its own."""
    return Draft(f'uses the {m["v"]}', 'knowledge', importance=_USE, tags=_TAGS)


def _team_uses(m: re.Match[str], ctx: Context) -> Drafts:
    names = tool_names(cut(m['v'], limit=8))
    if not names:
        return None
    return Draft(f'{m["who"].lower()} uses {cut(m["v"])}', 'knowledge', form='owns', importance=_USE, tags=_TAGS)


RULES = (
    rule(r'(?:my|our)\s(?P<who>team|company|startup|employer|school|lab|office|project)\suses\s<V>', _team_uses),
    rule(
        r"(?:at (?:work|my job|my company),?\s)?(?:we|i|we're|i'm)\s(?:deploy(?:ing)?|host(?:ing)?|ship(?:ping)?"
        r'|build(?:ing)?|run(?:ning)?)\s(?:everything|all of it'
        r'|(?:all )?our (?:\w+ )?(?:apps?|services?|infrastructure|infra|code|sites?|servers?|backend|stack))\s'
        r'(?:with|on|in|using|via|through|to)\s<V>',
        _deploys,
    ),
    rule(
        r"(?:we|i|we're|i'm|i am|we are)\s(?:use|using|on)\sthe\s(?P<v>(?-i:[A-Z])[\w.-]{1,20}(?:\s[\w.-]{1,15})?"
        r'\s(?:region|plan|tier|edition|layout|keyboard|distribution|theme))(?=$|[,;]|\s(?:of|for|and|on|in)\b)',
        _uses_one,
    ),
    rule(r'<I>write\s(?:mostly |mainly )?<V>', _writes),
    rule(r'<I>use\s<V>', _uses),
    rule(r'<AM>using\s<V>', _uses),
    rule(r'<HAVE>been using\s<V>', _uses),
    rule(
        r'<I>(?P<verb>code|program|develop|write code|write software|work|write)\s(?:mostly '
        r'|mainly |primarily )?in\s<V>',
        _codes_in,
    ),
    rule(
        r'(?:my|our)\s(?P<what>(?:(?:main|primary|preferred|default|favou?rite|go-to'
        r'|daily)\s)(?:programming language|language|editor|text editor|code editor|ide|os'
        r'|operating system|database|framework|browser|shell)|editor|ide|text editor|code editor'
        r"|os|operating system|database|browser|shell)(?:'s| is)\s<V>",
        _main_is,
    ),
    rule(r"(?:my|our)\s(?:tech |current )?(?:stack|toolchain|setup)(?:'s| is| includes| consists of)\s<V>", _stack),
    rule(
        r'(?:my|our)\s(?P<what>backend|back end|frontend|front end|app|api|service|site|website'
        r'|project|codebase|server|infrastructure|infra|database|data pipeline|pipeline)\s(?:is'
        r"|'s)\s(?P<how>written in|built with|built on|built in|on|in|running on|hosted on"
        r'|deployed on)\s<V>',
        _written_in,
    ),
    rule(r'<AM>(?P<how>building|developing|working on|creating|designing)\s<V>', _builds),
    rule(
        r"(?:i'm|i am)\s(?:currently |now |still |also )?(?P<how>writing)\s(?=(?:a|my)\s(?:novel"
        r'|book|memoir|thesis|dissertation|blog|screenplay|library|compiler|game|app|plugin'
        r'|phd)\b)<V>',
        _builds,
    ),
    rule(r'<AM>on\s<V>', _runs_on),
    rule(r'<I>run\s<V>', _runs_on),
    rule(r'<I>drive\s<V>', _drives),
)
