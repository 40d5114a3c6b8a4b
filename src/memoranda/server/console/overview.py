"""The first page: how the memory fares."""

import math
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from memoranda import across
from memoranda.records import Usage
from memoranda.server.console.charts import Drawn, bars, lines
from memoranda.server.console.page import HEADERS, Viewer, page, viewer
from memoranda.stores.figures import Activity

__all__ = ['router']

router = APIRouter(prefix='/console')
SPANS: Final = (7, 30, 90, 365)
_CHANGES: Final = (
    ('added', 'added'),
    ('superseded', 'superseded'),
    ('retracted', 'retracted'),
)


@router.get('')
async def overview(request: Request, who: Annotated[Viewer, viewer('reader')], days: int = 30) -> Response:
    """How the memory of a project fares. A key for one user is led to that user's memories."""
    if who.only is not None:
        return RedirectResponse('/console/memories', status_code=303, headers=HEADERS)
    days = days if days in SPANS else 30
    seen = await across.activity(who.memory, days=days)
    waiting = await _waiting(who)
    return page(
        request,
        who,
        'overview.html',
        title='Overview',
        here='overview',
        days=days,
        spans=SPANS,
        seen=seen,
        figures=_figures(seen),
        charts=_charts(seen),
        waiting=waiting,
        half=_shown(seen.percentile(0.5)),
        most=_shown(seen.percentile(0.95)),
        cost=_cost(seen.usage),
    )


@router.get('/')
async def slash(who: Annotated[Viewer, viewer('reader')]) -> Response:
    """The same page under the path that people type."""
    return RedirectResponse('/console', status_code=303, headers=HEADERS)


async def _waiting(who: Viewer) -> bool:
    """Whether anything waits for a reviewer."""
    if not who.may('reviewer'):
        return False
    return bool((await who.memory.review.list(limit=1)).items)


def _figures(seen: Activity) -> dict[str, Any]:
    """What the figures on top tell."""
    recalls = sum(day.recalls for day in seen.days)
    found = sum(day.recalls_found for day in seen.days)
    usage = seen.usage
    return {
        'recalls': recalls,
        'hit_rate': found / recalls if recalls else None,
        'usage': usage,
        'added': sum(day.added for day in seen.days),
        'blocks': sum(day.blocks for day in seen.days),
    }


def _charts(seen: Activity) -> list[Drawn]:
    labels = [day.day.isoformat() for day in seen.days]
    known = [seen.since is not None and day.day >= seen.since for day in seen.days]

    def over(values: list[float]) -> list[float | None]:
        return [value if there else None for value, there in zip(values, known, strict=True)]

    return [
        lines('Memories', labels, [('memories', over([day.memories for day in seen.days]))], sub='believed'),
        lines('People', labels, [('people', over([day.people for day in seen.days]))], sub='with memories'),
        bars(
            'Changes',
            labels,
            [(told, [getattr(day, name) for day in seen.days]) for name, told in _CHANGES],
            sub='per day',
        ),
        bars(
            'Recall',
            labels,
            [
                ('with an answer', [day.recalls_found for day in seen.days]),
                ('without', [day.recalls - day.recalls_found for day in seen.days]),
            ],
            sub='searches and contexts per day',
        ),
        lines(
            'Latency of recall',
            labels,
            [('mean', [None if day.latency is None else 1000 * day.latency for day in seen.days])],
            sub='milliseconds, embedding among it',
            told=_milliseconds,
        ),
        bars(
            'Extraction',
            labels,
            [
                ('tokens in', [day.usage.input_tokens for day in seen.days]),
                ('tokens out', [day.usage.output_tokens for day in seen.days]),
            ],
            sub='tokens of models per day',
            nothing='No model was asked: rules drew the facts.',
        ),
    ]


def _milliseconds(value: float) -> str:
    return f'{value:,.0f}' if value >= 10 or value == 0 else f'{value:.1f}'


def _cost(usage: Usage) -> str:
    if usage.cost is not None:
        return f'$ {usage.cost:,.2f}'
    return f'{usage.input_tokens + usage.output_tokens:,} tokens' if usage.requests else '$ 0.00'


def _shown(value: float | None) -> str:
    """A bound of a time."""
    if value is None:
        return '–'
    return 'over 1 s' if math.isinf(value) else f'≤ {1000 * value:g} ms'
