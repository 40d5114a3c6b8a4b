"""Settings: what is in force and where each comes from; keys; policy; retention; storage and its embedder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Request, Response

from memoranda import __version__
from memoranda.errors import MemorandaError
from memoranda.policy import Policy, Retention
from memoranda.records import Category
from memoranda.server.console import _keys, _upkeep
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.server.problems import Problem, problem_of
from memoranda.settings import PREFIX, SettingOrigin, Settings
from memoranda.stores.data import Stats

__all__ = ['router']

router = APIRouter(prefix='/console/settings')

HERE: Final = '/console/settings'
TABS: Final = _keys.TABS
_PREVIEW: Final = 'retention preview'
_APPLY: Final = 'retention'
_SAMPLE: Final = 10
_GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ('Storage', ('database', 'project', 'durability', 'busy_timeout', 'readers', 'cache_mb', 'postgres_')),
    ('Embedder and index', ('embedder', 'next_embedder', 'index')),
    (
        'Reading messages',
        (
            'model', 'workers', 'batch_', 'lease_', 'drain_', 'poll_', 'max_attempts', 'outage_', 'retry_',
            'max_retry_', 'max_text_chars', 'agent_lessons',
        ),
    ),
    (
        'Consent',
        (
            'review', 'min_confidence', 'secrets', 'personal_data', 'special_categories', 'regions', 'write', 'read',
            'passages', 'audit_reads', 'retention', 'run_expiry', 'clean_every',
        ),
    ),
    ('Server', ('server_', 'console_')),
)  # fmt: skip
_POLICY_SETTINGS: Final = (
    'review', 'min_confidence', 'secrets', 'personal_data', 'special_categories', 'regions', 'write', 'read',
    'passages', 'audit_reads', 'retention', 'run_expiry',
)  # fmt: skip
"""Settings that make a policy, when no program gives one."""
_ACTIONS: Final = {
    'allow': 'stored as they are',
    'redact': 'replaced by what they were, before anything is stored',
    'review': 'kept in the message; a fact that holds them waits for a person',
    'drop': 'replaced, and no fact is drawn from the words around them',
}

Admin = Annotated[Viewer, viewer('admin', whole_project=True)]


@router.get('')
async def in_force(request: Request, who: Admin) -> Response:
    """Every setting as it is in force, and where it comes from."""
    own = _is_own(who)
    found = who.memory.engine.settings.describe() if own else ()
    return page(
        request,
        who,
        'settings.html',
        title='Settings',
        here='settings',
        tabs=TABS,
        groups=_grouped(found),
        changed=sum(one.source != 'default' for one in found),
        own=own,
        variable=_variable,
        value=_value,
        version=__version__,
    )


@router.get('/policy')
async def policy(request: Request, who: Admin) -> Response:
    """What may be remembered, on whose word, and what a prompt shows."""
    engine = who.memory.engine
    known = engine.policy
    return page(
        request,
        who,
        'settings_policy.html',
        title='Settings',
        here='settings',
        tabs=TABS,
        policy=known,
        given=_is_given(engine.settings, known),
        origins={name: engine.settings.origin(name) for name in _POLICY_SETTINGS},
        variable=_variable,
        categories=_categories(known),
        actions=_ACTIONS,
        tiers=[(tier, known.write[tier], known.read[tier], known.passages[tier]) for tier in known.write],
        span=_span,
    )


@router.get('/retention')
async def retention(request: Request, who: Admin) -> Response:
    """The rules, what they would take now, and what they took."""
    engine = who.memory.engine
    preview, applied = (_upkeep.find(request, who, kind) for kind in (_PREVIEW, _APPLY))
    return page(
        request,
        who,
        'settings_retention.html',
        title='Settings',
        here='settings',
        tabs=TABS,
        rules=[_rule(rule) for rule in engine.policy.retention],
        run_expiry=_span(engine.policy.run_expiry),
        every=engine.settings.clean_every,
        given=_is_given(engine.settings, engine.policy),
        preview=preview,
        applied=applied,
        busy=any(work is not None and work.running for work in (preview, applied)),
    )


@router.post('/retention/preview')
async def preview(request: Request, who: Admin) -> Response:
    """Look what the rules would take now."""
    memory = who.memory
    _upkeep.begin(request, who, _PREVIEW, lambda _: memory.retention_preview(sample=_SAMPLE))
    return done(request, who, 'It is being looked through.', to=f'{HERE}/retention')


@router.post('/retention/apply')
async def apply(request: Request, who: Admin) -> Response:
    """Take it. Facts expire, which can be reverted; messages are erased, which can't."""
    form = await request.form()
    if str(form.get('typed', '')).strip().lower() != 'apply':
        raise Problem(422, 'nothing was taken: type the word apply into the field to confirm it')
    memory = who.memory

    async def work(_: _upkeep.Work) -> Any:  # without the words: what came of it is kept for an hour
        return replace(await memory.apply_retention(), some_expired=(), some_messages=(), some_facts=())

    _upkeep.begin(request, who, _APPLY, work, awaited=True)
    return done(request, who, 'Retention is under way.', to=f'{HERE}/retention')


@router.get('/storage')
async def storage(request: Request, who: Admin) -> Response:
    """What the storage holds, whose vectors it has, and how far a reindex is."""
    context: dict[str, Any] = {'stats': None, 'building': None, 'index': None, 'index_error': None}
    if _is_own(who):
        stats = await who.memory.stats()
        context |= {'stats': stats, 'building': await _building(who, stats), 'embedder': who.memory.engine.embedder}
        if who.memory.engine.index is not None:
            try:
                context['index'] = await who.memory.index_status()
            except MemorandaError as error:
                context['index_error'] = problem_of(error).detail
    return page(
        request,
        who,
        'settings_storage.html',
        title='Settings',
        here='settings',
        tabs=TABS,
        own=_is_own(who),
        version=__version__,
        size=_size,
        **context,
    )


router.routes.extend(_keys.router.routes)


def _is_own(who: Viewer) -> bool:
    """Whether the key is of the project the server is set to: what concerns all projects is for those only."""
    return who.caller.project == who.memory.engine.settings.project


def _is_given(settings: Settings, known: Policy) -> bool:
    """Whether the program that runs the server made the policy, and not the settings."""
    return known != settings.policy()


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _value(one: SettingOrigin) -> str:
    """A setting as it may be shown."""
    field = Settings.model_fields[one.name]
    if one.value in (None, ''):
        return ''
    if not field.repr:
        return 'set, and not shown'
    if isinstance(one.value, bool):
        return 'yes' if one.value else 'no'
    if isinstance(one.value, Mapping):
        return '; '.join(f'{kind}={action}' for kind, action in one.value.items())  # pyright: ignore[reportUnknownVariableType]
    return f'{one.value:g}' if isinstance(one.value, float) else str(one.value)


def _grouped(found: Sequence[SettingOrigin]) -> list[tuple[str, list[SettingOrigin]]]:
    """Settings by what they are about; those that no group names come last."""
    groups: dict[str, list[SettingOrigin]] = {title: [] for title, _ in _GROUPS}
    rest: list[SettingOrigin] = []
    for one in found:
        home = next((title for title, starts in _GROUPS if one.name.startswith(starts)), None)
        (rest if home is None else groups[home]).append(one)
    return [(title, own) for title, own in (*groups.items(), ('Further', rest)) if own]


def _categories(known: Policy) -> list[tuple[str, list[tuple[str, str]]]]:
    """Of each category of words what becomes of its kinds."""
    from memoranda.policy import PERSONAL_DATA, SECRETS, SPECIAL_CATEGORIES

    kinds: tuple[tuple[Category, str, tuple[str, ...]], ...] = (
        ('secret', 'Secrets', SECRETS),
        ('personal data', 'Personal data', PERSONAL_DATA),
        ('special category', 'Special categories', SPECIAL_CATEGORIES),
    )
    assert len(kinds) == len(get_args(Category))
    return [(title, [(kind, known.action(name, kind)) for kind in listed]) for name, title, listed in kinds]


def _span(span: timedelta | None) -> str:
    """A time span in words."""
    if span is None:
        return 'never'
    hours = span.total_seconds() / 3600
    if hours < 48:
        return f'{hours:g} hours'
    days = hours / 24
    return f'{days / 365:g} years' if days >= 730 and days % 365 == 0 else f'{days:g} days'


def _rule(rule: Retention) -> dict[str, str]:
    """A rule in words."""
    if rule.episodes:
        what = 'messages'
        spared = 'none' if rule.episodes == 'all' else 'those that a current fact rests on, or one that waits'
        if not rule.pinned:
            spared = 'those under pinned or locked facts' if rule.episodes == 'all' else f'{spared}, or a pinned one'
    else:
        what = 'proposals that wait for a person' if rule.waiting else 'facts'
        if rule.kinds:
            what += f' of the kind {" or ".join(rule.kinds)}'
        if rule.levels:
            what += f', {" or ".join(rule.levels)} level'
        spared = 'none' if rule.pinned else 'pinned and locked ones'
    then = 'are erased' if rule.episodes else 'leave the queue' if rule.waiting else 'expire'
    return {'what': what, 'after': _span(rule.after), 'then': then, 'spared': spared}


async def _building(who: Viewer, stats: Stats) -> dict[str, Any] | None:
    """How far new vectors are."""
    if stats.building is None:
        return None
    made, total = await who.memory.engine.store.coverage(stats.building)
    return {'embedder': stats.building.embedder, 'dimensions': stats.building.dimensions, 'done': made, 'total': total}


def _size(number: float) -> str:
    """Bytes in words."""
    units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f'{number:,.0f} {units[0]}' if units[0] == 'bytes' else f'{number:,.1f} {units[0]}'
