"""Jobs: which messages are still to be read, which could not be, and what became of the others."""

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from memoranda.errors import Conflict, MemoryNotFound
from memoranda.records import Episode, Job, JobStatus
from memoranda.server.console._rendering import href, segment
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.server.console.sessions import own_path
from memoranda.server.problems import Problem

__all__ = ['router']

router = APIRouter(prefix='/console/jobs')

HERE: Final = '/console/jobs'
STATES: Final[tuple[tuple[str, str, tuple[JobStatus, ...] | None], ...]] = (
    ('', 'All', None),
    ('open', 'Open', ('queued', 'running', 'retrying')),
    ('queued', 'Waiting', ('queued',)),
    ('running', 'Running', ('running',)),
    ('retrying', 'Failed, tried again', ('retrying',)),
    ('dead', 'Given up', ('dead',)),
    ('done', 'Done', ('done',)),
    ('dropped', 'Dropped', ('dropped',)),
)
"""The choices of the filter."""
ENDED: Final = ('done', 'dead', 'dropped')
_COUNTED: Final = 1_000
"""Jobs that are counted; of more, only that there are more."""
_SIZE: Final = 50
_MOST_MESSAGES: Final = 20
_MOST_AT_ONCE: Final = 200

Id = Annotated[str, Path(max_length=256)]
Reader = Annotated[Viewer, viewer('reader')]
Writer = Annotated[Viewer, viewer('writer')]
Admin = Annotated[Viewer, viewer('admin')]


@router.get('')
async def jobs(
    request: Request,
    who: Reader,
    state: Annotated[str, Query(max_length=20)] = '',
    user_id: Annotated[str, Query(max_length=256)] = '',
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> Response:
    """The list, with how many there are in each state."""
    states = next((wanted for name, _, wanted in STATES if name == state), None)
    if state and states is None:
        raise Problem(422, 'this state is unknown: choose one of the list')
    memory = who.caller.within(user_id=user_id or None)
    found = await memory.jobs(states=states, limit=_SIZE, cursor=cursor or None)
    return page(
        request,
        who,
        'jobs.html',
        title='Jobs',
        here='jobs',
        jobs=found.items,
        cursor=found.cursor,
        asked={'state': state, 'user_id': user_id, 'cursor': cursor},
        counts=await _counts(who, user_id or None),
        states=[(name, label) for name, label, _ in STATES if name],
        ended=ENDED,
        messages_of=_messages_of,
    )


@router.post('/retry')
async def retry_some(request: Request, who: Writer) -> Response:
    """Try those that were ticked again."""
    return await _each(request, who, 'tried again', who.memory.retry_job)


@router.post('/drop')
async def drop_some(request: Request, who: Admin) -> Response:
    """Take those that were ticked out of the queue."""
    return await _each(request, who, 'dropped', who.memory.drop_job)


@router.get('/{job_id}')
async def job(request: Request, who: Reader, job_id: Id) -> Response:
    """One job: how far it is, why it failed, which messages it is about, and what it changed."""
    memory = who.memory
    receipt = await memory.receipt(job_id)
    one = await memory.job(job_id)
    # What is asked for again and again is how far it is; a read is noted when somebody looks, not by the clock.
    polled = 'x-poll' in request.headers
    return page(
        request,
        who,
        'job.html',
        title=f'Job {short(one.id)}',
        here='jobs',
        job=one,
        running=one.status not in ENDED,
        edits=receipt.changes if one.status in ENDED else (),
        messages=() if polled else await _messages(who, one, receipt.episode_ids),
        count=len(receipt.episode_ids),
        short=short,
    )


@router.post('/{job_id}/retry')
async def retry(request: Request, who: Writer, job_id: Id) -> Response:
    """Try it again now, with its failures forgotten."""
    one = await who.memory.retry_job(job_id)
    return done(request, who, f'Job {short(one.id)} is tried again now.', to=_own(one))


@router.post('/{job_id}/drop')
async def drop(request: Request, who: Admin, job_id: Id) -> Response:
    """Take it out of the queue."""
    one = await who.memory.drop_job(job_id)
    return done(request, who, f'Job {short(one.id)} is dropped. Its messages stay.', to=_own(one))


def short(job_id: str) -> str:
    """Enough of an id to tell jobs of one page apart: the first signs are of the time."""
    return f'…{job_id[-8:]}' if len(job_id) > 12 else job_id


def _own(one: Job) -> str:
    return f'{HERE}/{segment(one.id)}'


async def _counts(who: Viewer, user_id: str | None) -> list[dict[str, Any]]:
    """How many jobs there are in each of the states that may need somebody."""
    memory = who.caller.within(user_id=user_id)
    found: Counter[JobStatus] = Counter()
    capped: dict[str, bool] = {}
    both: tuple[tuple[JobStatus, ...], ...] = (('queued', 'running', 'retrying'), ('dead',))
    for states in both:
        some = await memory.jobs(states=states, limit=_COUNTED)
        found.update(one.status for one in some)
        capped |= dict.fromkeys(states, some.cursor is not None)
    told: tuple[tuple[JobStatus, str, str, str], ...] = (
        ('queued', 'Waiting', 'nobody has begun', ''),
        ('running', 'Running', 'being read now', ''),
        ('retrying', 'Tried again', 'failed, and not given up', 'warn'),
        ('dead', 'Given up', 'need a person', 'bad'),
    )
    return [
        {
            'state': state,
            'label': label,
            'sub': sub,
            'value': f'{found[state]:,}{"+" if capped[state] else ""}',
            'look': look if found[state] else '',
            'link': href(HERE, state=state, user_id=user_id),
        }
        for state, label, sub, look in told
    ]


def _messages_of(one: Job) -> int:
    listed = one.payload.get('episodes')
    return len(listed) if isinstance(listed, list | tuple) else 0  # pyright: ignore[reportUnknownArgumentType]


async def _messages(who: Viewer, one: Job, ids: tuple[str, ...]) -> list[Episode]:
    """The first messages of a job. That they were shown is noted, if reads are."""
    engine = who.memory.engine
    found = list(await engine.store.messages(ids[:_MOST_MESSAGES], owner=one.scope.home(one.project)))
    if engine.reads is not None and found:
        from memoranda.consent.readlog import Reader as By

        await engine.reads.note(By(who.memory.actor or 'caller'), 'job', messages=found)
    return found


async def _each(request: Request, who: Viewer, what: str, act: Any) -> Response:
    """Do something to the jobs that were ticked, and tell how many it could not be done to."""
    form = await request.form()
    ids = [one for one in form.getlist('job') if isinstance(one, str)][:_MOST_AT_ONCE]
    back = form.get('to')
    acted = refused = 0
    for one in dict.fromkeys(ids):
        try:
            await act(one)
            acted += 1
        except (Conflict, MemoryNotFound):  # it ended, or its messages were erased, since the page was made
            refused += 1
    told = f'{acted} {"job is" if acted == 1 else "jobs are"} {what}.' if acted or not refused else ''
    if refused:
        told = f'{told} {refused} could not be: they had ended meanwhile.'.strip()
    to = own_path(back if isinstance(back, str) else None)
    return done(request, who, told if ids else 'No job was ticked.', to=to if to.startswith(HERE) else HERE)
