from __future__ import annotations

import pytest

from memoranda import Memory
from memoranda.errors import ProcessingFailed
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote


def test_without_a_script_every_user_message_is_a_fact() -> None:
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor()) as memory:
        memory.add(
            [{'role': 'user', 'content': 'I like tea'}, {'role': 'assistant', 'content': 'Noted'}], user_id='ana'
        )
        (fact,) = memory.get_all(user_id='ana')
        assert (fact.text, fact.actor) == ('I like tea', 'scripted')


def test_a_list_is_answered_in_order_and_its_exceptions_are_raised() -> None:
    tea = Extraction(proposals=[Proposal(text='Likes tea', evidence=(Quote(0, 0, 10),))])
    extractor = ScriptedExtractor([RuntimeError('no answer'), tea], name='mine')
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=extractor) as memory:
        with pytest.raises(ProcessingFailed, match='no answer'):
            memory.add('I like tea', user_id='ana')
        memory.add('And I like it green', user_id='ana')
        assert [(m.text, m.actor) for m in memory.get_all(user_id='ana')] == [('Likes tea', 'mine')]
    assert [[m.text for m in r.messages] for r in extractor.requests] == [
        ['I like tea'],
        ['I like tea'],
        ['And I like it green'],
    ]


def test_a_function_answers_each_request() -> None:
    def answer(request: ExtractionRequest) -> Extraction:
        return Extraction(skipped={'seen': len(request.messages)})

    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor(answer)) as memory:
        assert memory.add(['I like tea', 'I like cats'], user_id='ana').skipped['seen'] == 2
