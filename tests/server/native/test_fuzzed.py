"""Made-up requests over the whole document: no server error, and no answer that the document doesn't tell of.

Here so much as takes half a minute: every example, and every constraint of one part. With `TEST_FUZZ=40` all parts
are tried with every constraint, then so many made-up requests go to each route, and to chains of routes.
"""

from __future__ import annotations

import os

import pytest
from fastapi import FastAPI

from memoranda import AsyncMemory
from memoranda.keys import NewKey, make_key
from memoranda.server.app import create_app
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

EXAMPLES = int(os.environ.get('TEST_FUZZ', '0'))

fuzz = pytest.importorskip('_fuzz', reason='schemathesis is not installed')


def application(key: NewKey) -> FastAPI:
    unlimited = Settings(server_rate=0, server_key_concurrency=1000)  # however fast the machine asks
    memory = AsyncMemory(':memory:', embedder=HashingEmbedder(), settings=unlimited)
    return create_app(memory, keys=[key], parts=('memoranda.server.native',))


@pytest.mark.parametrize(
    ('phases', 'under'),
    [
        (('examples',), ('/v1/',)),
        (('coverage',), ('/v1/memories',)),
        pytest.param(
            ('coverage', 'fuzzing', 'stateful'),
            ('/v1/',),
            marks=[pytest.mark.skipif(not EXAMPLES, reason='takes minutes'), pytest.mark.timeout(7200)],
        ),
    ],
)
def test_every_answer_is_one_that_the_document_tells_of(phases: tuple[str, ...], under: tuple[str, ...]) -> None:
    key = make_key('default', name='fuzz', role='admin')

    found = fuzz.fuzzed(application(key), key.secret, phases=phases, under=under, examples=EXAMPLES or 1)

    assert found.failures == {}
    assert not [status for status in found.statuses if status >= 500]
    assert found.statuses[200] > 10


def test_a_key_that_may_do_less_and_is_for_one_user_meets_no_other_answers() -> None:
    key = make_key('default', name='fuzz', role='writer', user_id='ana')

    found = fuzz.fuzzed(application(key), key.secret, phases=('examples',), least=True)

    assert found.failures == {}
    assert found.statuses[403] > 10
