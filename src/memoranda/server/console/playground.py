"""Asking as an agent does: the candidates with the parts of each score, and the block an agent would be given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda.checks import as_moment
from memoranda.errors import InvalidInput
from memoranda.filters import parse
from memoranda.memory import AsyncMemory
from memoranda.recall.search import Strategy
from memoranda.records import now
from memoranda.rehearsal import Candidate, Rehearsal, rehearse
from memoranda.server.console._rendering import href
from memoranda.server.console.page import Viewer, page, viewer

__all__ = ['PATH', 'router']

router = APIRouter(prefix='/console/playground')

PATH: Final = '/console/playground'
CANDIDATES: Final = 20
BUDGETS: Final = (200, 400, 800, 1_600, 3_200)
MOST_DAYS: Final = 3_650
Reader = Annotated[Viewer, viewer('reader')]
STRATEGIES: Final = tuple(
    zip(get_args(Strategy), ('words and meaning', 'meaning', 'words', 'latest first'), strict=True)
)
LANES: Final = (('', 'facts and messages'), ('memories', 'facts only'), ('episodes', 'messages only'))
PARTS: Final = {
    'meaning': 'how alike question and text are in meaning',
    'words': 'words of the question that it holds, rare ones more',
    'neighbours': 'lent by the messages beside it that fit',
    'length': 'longer messages say more',
    'speaker': 'said by the person the question names',
    'role': 'said by the user, or by whom the question asks about',
    'time': 'said or valid in the time the question names',
    'recency': 'newer, which breaks ties',
    'conversation': 'lent by the best message of its conversation',
    'fact': 'a fact, beside messages',
    'importance': 'how important the memory is',
    'decay': 'faded, for it was neither said nor recalled lately',
    'confidence': 'how sure the extraction was',
    'pinned': 'pinned by a person',
    'trust': 'who said it: less for tools and outsiders',
    'stale': 'its facts no longer hold',
    'link': 'lent by the message or fact it belongs to',
    'repeat': 'the same is said above already',
    'duplicate': 'nearly the same words stand above',
}
"""What each addend means (`recall.rank`, `recall.rerank`)."""
_GROUPS: Final = {'meaning': 'meaning', 'words': 'words', 'time': 'time', 'recency': 'time', 'decay': 'time'}
_PLACES: Final = {
    'always': ('Always told', 'good', 'Told whatever is asked: an instruction, a constraint, the profile, or pinned.'),
    'relevant': ('In the block', 'good', 'Told because it fits the question.'),
    'unconfirmed': ('Unconfirmed', 'warn', 'Told apart, marked as checked by nobody.'),
    'left out': ('Left out', '', 'Too weak, no room, said already, or kept out by the policy.'),
}


class Asked(BaseModel):
    """The query string of the page."""

    person: str = Field('', max_length=256)
    agent: str = Field('', max_length=256)
    run: str = Field('', max_length=256)
    q: str = Field('', max_length=10_000)
    lanes: str = Field('', max_length=20)
    strategy: str = Field('hybrid', max_length=20)
    tokens: str = Field('800', max_length=6)
    as_of: str = Field('', max_length=40)
    known_at: str = Field('', max_length=40)
    day: str = Field('', max_length=6)
    """Of the slider, which stands for a day and comes before `as_of`."""

    def link(self, **other: Any) -> str:
        """The page with these instead."""
        given = {**self.model_dump(), 'day': '', **other}
        usual = {'strategy': 'hybrid', 'tokens': '800'}
        return href(PATH, **{name: value for name, value in given.items() if value != usual.get(name)})


@dataclass(frozen=True, slots=True)
class Slider:
    """Days from the first memory of a person to today."""

    first: date
    today: date
    at: int
    """The day that is chosen, counted from the first."""

    @property
    def days(self) -> int:
        """The last one, which stands for now."""
        return (self.today - self.first).days

    def as_of(self, day: str) -> str:
        """What a place of the slider means; empty: now."""
        number = int(day) if day.isdecimal() else self.days
        return '' if number >= self.days else (self.first + timedelta(days=number)).isoformat()


@dataclass(frozen=True, slots=True)
class Bar:
    """An addend as a stretch of a bar, in percent of its width."""

    name: str
    group: str
    value: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate and its bar."""

    one: Candidate
    bars: Sequence[Bar]
    place: tuple[str, str, str]


@router.get('')
async def playground(request: Request, who: Reader, asked: Annotated[Asked, Query()]) -> Response:
    """The page; what it answers to."""
    answer: Rehearsal | None = None
    slider: Slider | None = None
    error = ''
    try:
        named = bool(asked.person.strip() or asked.agent.strip() or asked.run.strip() or who.only)
        if named:
            view = who.caller.within(
                user_id=asked.person.strip() or None,
                agent_id=asked.agent.strip() or None,
                run_id=asked.run.strip() or None,
            )
            slider = await _slider(view, asked)
            if asked.day and slider is not None:
                asked = asked.model_copy(update={'as_of': slider.as_of(asked.day), 'day': ''})
                slider = Slider(slider.first, slider.today, _place(slider, asked.as_of))
            answer = await _answer(who, view, asked) if asked.q.strip() else None
        elif asked.q.strip():
            error = 'Name a person, an agent or a conversation: a question is about somebody.'
    except InvalidInput as problem:
        error = str(problem)
    response = page(
        request,
        who,
        'playground.html',
        title='Recall playground',
        here='playground',
        asked=asked,
        answer=answer,
        shown=[] if answer is None else _shown(answer),
        error=error,
        slider=slider,
        moved='day' in request.query_params,
        fragment='hx-request' in request.headers,
        lanes=LANES,
        strategies=STRATEGIES,
        budgets=BUDGETS,
        parts=PARTS,
        zero=_zero([] if answer is None else answer.candidates),
    )
    if 'hx-request' in request.headers:
        response.headers['HX-Push-Url'] = asked.link()
    return response


async def _answer(who: Viewer, view: AsyncMemory, asked: Asked) -> Rehearsal:
    strategy = next((name for name in get_args(Strategy) if name == asked.strategy), None)
    if strategy is None:
        raise InvalidInput(f'strategy={asked.strategy!r} is unknown: choose one of {", ".join(get_args(Strategy))}')
    if not asked.tokens.isdecimal():
        raise InvalidInput(f'tokens={asked.tokens!r} is no number: choose a budget from 50 on')
    return await rehearse(
        view,
        asked.q.strip(),
        include=('memories', 'episodes') if asked.lanes not in ('memories', 'episodes') else (asked.lanes,),
        strategy=strategy,
        where=parse(None),
        candidates=CANDIDATES,
        max_tokens=int(asked.tokens),
        shared=who.only is None,
        as_of=_moment('as of', asked.as_of),
        known_at=_moment('known at', asked.known_at),
    )


def _moment(name: str, text: str) -> datetime | None:
    """The end of a day, or a moment that is told to the minute."""
    text = text.strip()
    if not text:
        return None
    moment = as_moment(text, name)
    return datetime.combine(moment.date(), time.max, UTC) if len(text) == len('2026-01-31') else moment


async def _slider(view: AsyncMemory, asked: Asked) -> Slider | None:
    """From the day of the first memory; None without any."""
    first = await view.get_all(limit=1, include_inactive=True)
    if not first.items:
        return None
    today = now().date()
    begin = min(first.items[0].valid_from, first.items[0].said_at, first.items[0].recorded_at).date()
    begin = max(begin, today - timedelta(days=MOST_DAYS))
    slider = Slider(min(begin, today - timedelta(days=1)), today, 0)
    return Slider(slider.first, today, _place(slider, asked.as_of))


def _place(slider: Slider, as_of: str) -> int:
    moment = _moment('as of', as_of)
    return slider.days if moment is None else min(max((moment.date() - slider.first).days, 0), slider.days)


def _reach(candidates: Sequence[Candidate]) -> tuple[float, float]:
    """How far the bars of all candidates reach to both sides of nothing."""
    below = min((sum(p.value for p in c.parts if p.value < 0) for c in candidates), default=0.0)
    above = max((sum(p.value for p in c.parts if p.value > 0) for c in candidates), default=0.0)
    return below, max(above, 0.001)


def _zero(candidates: Sequence[Candidate]) -> float:
    below, above = _reach(candidates)
    return round(100 * -below / (above - below), 2)


def _shown(answer: Rehearsal) -> list[Shown]:
    below, above = _reach(answer.candidates)
    unit = 100 / (above - below)
    shown: list[Shown] = []
    for one in answer.candidates:
        bars: list[Bar] = []
        right = left = -below
        for part in one.parts:
            size = abs(part.value)
            if part.value < 0:
                left -= size
            begin = left if part.value < 0 else right
            if part.value >= 0:
                right += size
            group = 'less' if part.value < 0 else _GROUPS.get(part.name, 'other')
            bars.append(Bar(part.name, group, part.value, round(begin * unit, 2), round(size * unit, 2)))
        shown.append(Shown(one, bars, _PLACES[one.place]))
    return shown
