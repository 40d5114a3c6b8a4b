"""What a running job has read may be erased before it ends: none of those words stay."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from types import FrameType

import pytest

from _fakes import Grammar, fast, texts
from _thinking import SECONDS, quick
from memoranda import Memory
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

SECRET = 'Visits a clinic in Zanzibar'


class Waiting:
    """Reads as `Grammar` does, but stops at the first message that speaks of a move until it is told to go on."""

    name = 'waiting'

    def __init__(self, read: Callable[[ExtractionRequest], Extraction]) -> None:
        self.asked = 0
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._read = read

    async def extract(self, request: ExtractionRequest) -> Extraction:
        if 'moving' not in request.messages[-1].text:
            return Grammar().propose(request)
        self.asked += 1
        if self.asked == 1:
            self.begun.set()
            await asyncio.to_thread(self.go_on.wait, SECONDS)
        return self._read(request)


def erased_while_reading(memory: Memory, model: Waiting) -> str:
    """The id of a job that was read beside a memory of another run, which is gone by now."""
    memory.add(SECRET, user_id='ana', agent_id='planner', run_id='first')
    receipt = memory.add('I am moving away', background=True, user_id='ana', agent_id='planner', run_id='second')
    assert model.begun.wait(SECONDS)
    memory.delete_all(user_id='ana', run_id='first')
    model.go_on.set()
    receipt.result(SECONDS)
    return receipt.job_id or ''


def test_the_error_of_a_job_does_not_quote_what_was_erased_while_it_ran() -> None:
    def fail(request: ExtractionRequest) -> Extraction:
        raise ValueError('nothing fits: ' + ' '.join(e.text for e in request.existing))

    model = Waiting(fail)
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        job = memory.job(erased_while_reading(memory, model), user_id='ana')
        assert (job.status, job.last_error) == ('dead', 'ValueError')


def test_a_lesson_drawn_from_what_was_erased_while_it_was_drawn_is_not_kept() -> None:
    def learn(request: ExtractionRequest) -> Extraction:
        quote = (Quote(0, 0, len(request.messages[0].text)),)
        lesson = Proposal(text='Slower answers help whoever was ill', kind='heuristic', level='agent', evidence=quote)
        return Extraction(
            proposals=[Proposal(text='Is moving', evidence=quote), *([lesson] if request.existing else [])]
        )

    model = Waiting(learn)
    with fast(extractor=model, settings=quick(agent_lessons='auto')) as memory:
        erased_while_reading(memory, model)
        memory.flush(SECONDS)
        assert model.asked == 2  # once more, without what is gone
        assert texts(memory.get_all(user_id='ana', run_id='second')) == ['Is moving']
        assert len(memory.get_all(agent_id='planner')) == 0


def holders(text: str) -> list[object]:
    """What refers to a string that equals this one, other than the functions that run."""
    found: list[object] = []
    gc.unfreeze()  # else what was there before the tests is not among them
    for holder in gc.get_objects():  # a comprehension would be one itself
        strings = [value for value in gc.get_referents(holder) if type(value) is str]
        if text in strings and not isinstance(holder, FrameType):
            found.append(holder)
    return found


@pytest.mark.parametrize('background', [False, True])
def test_nothing_in_the_process_keeps_erased_words(background: bool) -> None:
    secret = ' '.join(['Visits', 'a', 'clinic'])
    with fast() as memory:
        memory.add(secret, user_id='ana', background=background)
        memory.flush(SECONDS)
        assert [hit.text for hit in memory.search('clinic', user_id='ana')] == [secret]
        memory.delete_all(user_id='ana')
        gc.collect()
        assert holders(secret) == []
