"""With DBOS, where it is installed: a process that dies between recall and the model's answer goes on where it was."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from _capability import stored
from _fakes import fast_async, subprocess_environment

pytestmark = pytest.mark.skipif(importlib.util.find_spec('dbos') is None, reason='dbos is not installed')

PROGRAM = """
import asyncio, os, sys
from pathlib import Path

from dbos import DBOS, SetWorkflowID
from pydantic_ai import Agent, ModelResponse, TextPart
from pydantic_ai.durable_exec.dbos import DBOSDurability
from pydantic_ai.models.function import FunctionModel

from _fakes import fast_async
from memoranda import Scope
from memoranda.agents import LongTermMemory

folder = Path(sys.argv[1])


def answer(messages, info):
    if not (folder / 'died').exists():
        (folder / 'died').touch()
        os._exit(9)
    told = str(messages).count('- Likes green tea (')
    return ModelResponse([TextPart(f'Green, told {told} times')])


# To load all that takes seconds: the process that dies is a fork, and this one, in which nothing has begun, goes on.
child = os.fork()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

memory = fast_async(folder / 'memory.db')
agent = Agent(
    FunctionModel(answer),
    name='waiter',
    capabilities=[LongTermMemory(memory, scope=Scope(user_id='ana')), DBOSDurability()],
)


@DBOS.workflow(name='ask')
async def ask(prompt: str) -> str:
    return (await agent.run(prompt)).output


async def main():
    async with memory:
        if not (folder / 'died').exists():
            await memory.add('Likes green tea', user_id='ana', infer=False)
            with SetWorkflowID('w1'):
                await DBOS.start_workflow_async(ask, 'Which tea do I like?')
        handle = await DBOS.retrieve_workflow_async('w1')
        print(await handle.get_result())
        steps = await DBOS.list_workflow_steps_async('w1')
        names = [step['function_name'] for step in steps]
        print([name.rpartition('.')[2] for name in names if 'long_term_memory' in name])


DBOS(config={'name': 'waiter', 'system_database_url': f'sqlite:///{folder}/dbos.sqlite', 'run_admin_server': False})
DBOS.launch()
asyncio.run(main())
DBOS.destroy()
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='forks are POSIX ones')
def test_a_process_that_dies_before_the_model_answers_goes_on_without_a_second_read_or_write(tmp_path: Path) -> None:
    went_on = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(tmp_path)],
        env=subprocess_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert went_on.returncode == 0, went_on.stderr
    assert (tmp_path / 'died').exists()
    answer, steps = went_on.stdout.splitlines()[-2:]
    assert answer == 'Green, told 1 times'
    assert steps == "['remember', 'recall', 'remember']"

    async def said() -> list[str]:
        async with fast_async(tmp_path / 'memory.db') as memory:
            return await stored(memory)

    assert asyncio.run(said())[1:] == ['user: Which tea do I like?', 'assistant: Green, told 1 times']
