"""Jobs: how far messages are that are read in the background."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from memoranda.errors import MemorandaError
from memoranda.memory import AsyncMemory
from memoranda.records import AddResult, Job
from memoranda.server.access import Caller, needs, still_in_force
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, unsealed, view
from memoranda.server.problems import Problem, problem_of

__all__ = ['router']

router = APIRouter(prefix='/v1/jobs', tags=['jobs'], route_class=ReadRoute)

Reader = Annotated[Caller, needs('reader')]
Writer = Annotated[Caller, needs('writer')]
JobId = Annotated[
    str, Path(description='Id of a job.', max_length=256, examples=['01890a5d-ac96-774b-bcce-b302099a8057'])
]
_ENDED: Final = ('done', 'dead', 'dropped')
_LOOK: Final = 2.0
"""Seconds between two looks at how far a job is; its end is noticed at once."""
_MOST: Final = 300.0
"""Seconds that a stream of events lasts at most: clients reconnect."""
_EVENTS: Final = 'text/event-stream'


@router.get(
    '',
    operation_id='list_jobs',
    summary='List jobs',
    response_model=models.JobPage,
    responses=problems(),
)
async def list_jobs(asked: Annotated[models.ListJobs, Query()], caller: Reader) -> Response:
    """What adds left to be done in the background, latest first, a page at a time."""
    found = await view(caller, asked).jobs(states=asked.states, limit=asked.limit, cursor=unsealed(asked))
    return await page(models.JobPage, found.items, found.cursor, asked)


@router.get(
    '/{job_id}',
    operation_id='get_job',
    summary='How far a job is',
    response_model=models.JobDetail,
    responses=problems(404),
)
async def get_job(
    job_id: JobId, asked: Annotated[models.FollowJob, Query()], caller: Reader, request: Request
) -> Response:
    """A job as it is now. With `wait` the answer comes once it has ended, or after so many seconds."""
    memory = view(caller, asked)
    receipt = await memory.receipt(job_id)
    if asked.wait and receipt.status not in _ENDED:
        receipt = await _wait(receipt, asked.wait)
        if not await still_in_force(request):
            raise Problem(401)
    return await answer(models.JobDetail, await _detail(memory, receipt), size=2 * len(receipt.changes))


@router.get(
    '/{job_id}/events',
    operation_id='job_events',
    summary='Follow a job',
    response_class=StreamingResponse,
    responses={
        **problems(404),
        200: {
            'description': 'Server-sent events: `status` whenever something changed, then `end`; their data is a job. '
            '`error` when it can not be followed any more; its data is a problem.',
            'content': {
                _EVENTS: {
                    'schema': {
                        'type': 'object',
                        'properties': {'event': {'enum': ['status', 'end', 'error']}, 'data': {'type': 'string'}},
                    },
                    'example': 'event: end\ndata: {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "status": "done"}\n\n',
                }
            },
        },
    },
)
async def job_events(
    job_id: JobId, asked: Annotated[models.Ids, Query()], caller: Reader, request: Request
) -> Response:
    """Events until the job has ended or the key has, for at most five minutes."""
    memory = view(caller, asked)
    receipt = await memory.receipt(job_id)
    streams, most = _streams(request), request.app.state.settings.server_key_concurrency
    if streams[caller.key_id] >= most:
        raise Problem(
            429,
            f'this key follows {most} jobs already, which is as many as it may: end one, or ask with wait',
            headers={'Retry-After': '5'},
        )
    headers = {'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no'}
    events = _counted(_events(memory, receipt, request), streams, caller.key_id)
    return StreamingResponse(events, media_type=_EVENTS, headers=headers)


@router.post(
    '/{job_id}/retry',
    operation_id='retry_job',
    summary='Try a job again now',
    response_model=models.Job,
    responses=problems(404, 409),
)
async def retry_job(job_id: JobId, asked: Annotated[models.Ids, Query()], caller: Writer) -> Response:
    """One that was given up or waits for its next try, with its failures forgotten. 409 when it is done or running."""
    return await answer(models.Job, await view(caller, asked).retry_job(job_id))


@router.post(
    '/{job_id}/drop',
    operation_id='drop_job',
    summary='Take a job out of the queue',
    response_model=models.Job,
    responses=problems(404, 409),
)
async def drop_job(job_id: JobId, asked: Annotated[models.Ids, Query()], caller: Writer) -> Response:
    """Nothing is drawn from its messages, which stay and can be searched. 409 when it is done."""
    return await answer(models.Job, await view(caller, asked).drop_job(job_id))


async def _wait(receipt: AddResult, seconds: float) -> AddResult:
    try:
        return await receipt.wait(seconds)
    except TimeoutError:
        return receipt


async def _detail(memory: AsyncMemory, receipt: AddResult) -> dict[str, Any]:
    job = await memory.job(receipt.job_id or '')
    fields = {name: getattr(job, name) for name in models.Job.model_fields}
    ended = job.status in _ENDED
    changes = receipt.changes if ended or not receipt.changes else ()
    return {**fields, 'episode_ids': receipt.episode_ids, 'changes': changes}


def _streams(request: Request) -> Counter[str]:
    """How many streams of events each key has open in this process: no other limit counts them once they have begun."""
    state = request.app.state
    found: Counter[str] | None = getattr(state, 'streams', None)
    if found is None:
        found = state.streams = Counter[str]()
    return found


async def _counted(events: AsyncIterator[bytes], streams: Counter[str], key_id: str) -> AsyncIterator[bytes]:
    streams[key_id] += 1
    try:
        async for event in events:
            yield event
    finally:
        streams[key_id] -= 1
        if streams[key_id] <= 0:
            del streams[key_id]


async def _events(memory: AsyncMemory, receipt: AddResult, request: Request) -> AsyncIterator[bytes]:
    """The job whenever something of it changed, until it has ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _MOST
    told: tuple[Any, ...] | None = None
    try:
        while True:
            job = await memory.job(receipt.job_id or '')
            ended = job.status in _ENDED
            if ended:
                receipt = await memory.receipt(job.id)
            if ended or _state(job) != told:
                told = _state(job)
                yield _event(
                    'end' if ended else 'status', models.JobDetail.model_validate(await _detail(memory, receipt))
                )
            if ended or loop.time() >= until:
                return
            await _wait(receipt, _LOOK)
            if not await still_in_force(request):
                yield _failed(Problem(401))
                return
            yield b':\n\n'  # tells whether anybody still listens
    except MemorandaError as error:  # its messages were erased, or the storage fails
        yield _failed(problem_of(error))


def _state(job: Job) -> tuple[Any, ...]:
    return job.status, job.attempts, job.last_error


def _failed(problem: Problem) -> bytes:
    body = {'type': problem.type, 'title': problem.title, 'status': problem.status, 'detail': problem.detail}
    return _event('error', models.Problem.model_validate(body))


def _event(name: str, data: models.Told) -> bytes:
    return f'event: {name}\ndata: '.encode() + data.__pydantic_serializer__.to_json(data) + b'\n\n'
