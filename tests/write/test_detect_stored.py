"""What a policy keeps out is nowhere in the storage, whichever way it came."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast
from _thinking import Thinking, quick
from memoranda import ConfigurationError, Memory
from memoranda.policy import Policy
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

pytest.importorskip('phonenumbers', reason='needs the extra `privacy`')

ANA: dict[str, Any] = {'user_id': 'ana'}
PHONE, MAIL, WORD = '+351 912 345 678', 'ana.silva@example.com', 'hunter-2244'
MARKS = (PHONE, MAIL, WORD, PHONE.replace(' ', ''))
KEPT_OUT = Policy(personal_data='redact')


class Says:
    """Proposes what it is told to, whatever was said."""

    name = 'says'

    def __init__(self, **proposal: Any) -> None:
        self._proposal = proposal

    def propose(self, request: ExtractionRequest) -> Extraction:
        said = request.messages[0].text
        return Extraction(proposals=[Proposal(evidence=(Quote(0, 0, len(said)),), **self._proposal)])


def held(tmp_path: Path) -> bytes:
    return b''.join(p.read_bytes() for p in tmp_path.glob('m.db*'))


def assert_nothing_of_it_is_held(memory: Memory, tmp_path: Path) -> None:
    told = held(tmp_path).decode('utf-8', 'replace')
    assert [m for m in MARKS if m in told] == []
    memory.close()
    told = held(tmp_path).decode('utf-8', 'replace')
    assert [m for m in MARKS if m in told] == []


def test_messages_names_metadata_tags_and_instructions(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db', policy=KEPT_OUT)
    message = {'role': 'user', 'content': f'Call {PHONE}', 'name': MAIL, 'metadata': {'from': MAIL, MAIL: 1}}
    result = memory.add(
        [message],
        metadata={'contact': [{'phone': 912345678, 'mail': MAIL}], 'password': WORD, 'n': 3, 'ok': True},
        tags=[MAIL, 'tea'],
        **ANA,
    )
    (fact,) = result.memories
    assert fact.text == 'Call [phone number]'
    assert fact.tags == ('[email address]', 'tea')
    assert fact.metadata['contact'] == [{'phone': '[phone number]', 'mail': '[email address]'}]
    assert (fact.metadata['password'], fact.metadata['n'], fact.metadata['ok']) == ('[password]', 3, True)
    assert fact.metadata['[email address]'] == 1
    assert [q.quote for q in fact.evidence] == ['Call [phone number]']
    (episode,) = memory.episodes(**ANA).items
    assert (episode.text, episode.name) == ('Call [phone number]', '[email address]')
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_given_facts_and_their_values(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db', policy=KEPT_OUT)
    fact = memory.add(f'Phone: {PHONE}', infer=False, slot='phone', value=PHONE, **ANA).memories[0]
    assert (fact.text, fact.value) == ('Phone: [phone number]', '[phone number]')
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_instructions_of_a_queued_job(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db', policy=KEPT_OUT, settings=quick(workers=0))
    memory.add('hello there', background=True, instructions=f'Write to {MAIL} if in doubt', tags=[PHONE], **ANA)
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_what_an_extractor_puts_together_again(tmp_path: Path) -> None:
    says = Says(text=f'Phone is {PHONE}', slot='phone', value=PHONE, tags=(MAIL,), metadata={'mail': MAIL})
    memory = fast(tmp_path / 'm.db', policy=KEPT_OUT, extractor=says)
    fact = memory.add('plus three five one, then 912 345 678 I think', **ANA).memories[0]
    assert (fact.text, fact.value, fact.tags) == ('Phone is [phone number]', '[phone number]', ('[email address]',))
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_a_later_edit_goes_the_same_way(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db', policy=KEPT_OUT)
    known = memory.add('I like tea', **ANA).memories[0]
    edited = memory.update(known.id, text=f'Likes tea, {PHONE}', tags=[MAIL], metadata={'mail': MAIL}, **ANA)
    assert (edited.text, edited.tags) == ('Likes tea, [phone number]', ('[email address]',))
    assert edited.metadata == {'mail': '[email address]'}
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_errors_dead_letters_and_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: int, request: Any) -> Exception:
        return RuntimeError(f'can not parse {MAIL}, {PHONE}, password: {WORD} ' + 'x' * 10_000)

    memory = fast(
        tmp_path / 'm.db', policy=KEPT_OUT, extractor=Thinking(fails=fails), settings=quick(workers=0, max_attempts=1)
    )
    caplog.set_level(logging.DEBUG)
    memory.add('I like tea', background=True, **ANA)
    job = memory.process_one_job()
    assert job is not None
    assert job.status == 'dead'
    assert job.last_error is not None
    assert job.last_error.startswith(
        'RuntimeError: can not parse [email address], [phone number], password: [password]'
    )
    assert [m for m in MARKS if m in caplog.text] == []
    assert_nothing_of_it_is_held(memory, tmp_path)


def test_an_error_tells_of_what_waits_for_review_no_more_than_of_the_rest(tmp_path: Path) -> None:
    memory = fast(
        tmp_path / 'm.db',
        policy=Policy(personal_data='review'),
        extractor=Thinking(fails=lambda *_: RuntimeError(f'can not parse {MAIL}')),
        settings=quick(workers=0),
    )
    memory.add('I like tea', background=True, **ANA)
    job = memory.process_one_job()
    assert job is not None
    assert job.last_error == 'RuntimeError: can not parse [email address]'
    memory.close()


def test_under_review_the_message_keeps_its_words_and_the_fact_waits() -> None:
    with fast(policy=Policy(personal_data='review')) as memory:
        result = memory.add(f'Call {PHONE}', **ANA)
        assert memory.episodes(**ANA).items[0].text == f'Call {PHONE}'
        assert memory.search('Call', **ANA) == []
        assert [c.after.status for c in result.changes] == ['pending']
        assert memory.add('I like tea', **ANA).memories[0].status == 'active'


def test_under_drop_the_message_is_redacted_and_no_fact_comes_of_it() -> None:
    with fast(policy=Policy(personal_data={'phone number': 'drop'})) as memory:
        result = memory.add([f'Call {PHONE}', f'Write to {MAIL}'], **ANA)
        assert memory.episodes(**ANA).items[0].text in ('Call [phone number]', f'Write to {MAIL}')
        assert [m.text for m in memory.get_all(**ANA).items] == [f'Write to {MAIL}']
        assert result.skipped == {'personal data:phone number': 1}


def test_a_fact_from_the_sentence_of_a_dropped_word_is_none(tmp_path: Path) -> None:
    class Part(Says):
        def propose(self, request: ExtractionRequest) -> Extraction:
            (found,) = super().propose(request).proposals
            return Extraction(proposals=[Proposal(text=found.text, evidence=(Quote(0, 0, 7),))])

    with fast(policy=Policy(personal_data='drop'), extractor=Part(text='Has a phone')) as memory:
        assert memory.add(f'Call me on {PHONE}. I like tea.', **ANA).skipped == {'personal data:phone number': 1}
        assert memory.add('Call me tomorrow. My phone is new.', **ANA).memories[0].text == 'Has a phone'


def test_a_label_of_the_extractor_makes_a_fact_wait() -> None:
    policy = Policy(special_categories={'health': 'review'})
    with fast(policy=policy, extractor=Says(text='Takes the blue pills', category='health')) as memory:
        memory.add('The blue ones, twice a day', **ANA)
        assert memory.get_all(**ANA).items == ()
    with fast(policy=Policy(), extractor=Says(text='Takes the blue pills', category='health')) as memory:
        assert memory.add('The blue ones, twice a day', **ANA).memories[0].status == 'active'


def test_an_extractor_is_told_which_categories_to_label() -> None:
    asked: list[tuple[str, ...]] = []

    class Asked(Says):
        def propose(self, request: ExtractionRequest) -> Extraction:
            asked.append(tuple(request.categories))
            return super().propose(request)

    for policy in (Policy(), Policy(special_categories={'health': 'review', 'religion': 'drop'})):
        with fast(policy=policy, extractor=Asked(text='Likes tea')) as memory:
            memory.add('I like tea', **ANA)
    assert asked == [(), ('health', 'religion')]


def test_without_the_packages_a_policy_that_needs_them_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *rest: None if name == 'phonenumbers' else found(name, *rest)
    )
    with pytest.raises(
        ConfigurationError, match=r'needs phonenumbers, .* not installed: run `pip install "memoranda\[priv'
    ):
        fast(tmp_path / 'm.db', policy=KEPT_OUT)
    assert not (tmp_path / 'm.db').exists()
    fast(tmp_path / 'm.db', policy=Policy(personal_data={'email address': 'redact'})).close()


def test_a_memory_that_allows_personal_data_loads_nothing_to_find_it() -> None:
    import subprocess
    import sys

    from _fakes import subprocess_environment

    code = (
        'import sys\nfrom _fakes import fast\n'
        "with fast() as memory:\n    memory.add('Call +351 912 345 678', user_id='ana')\n"
        "print([n for n in sys.modules if n.partition('.')[0] in ('phonenumbers', 'stdnum')])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], env=subprocess_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'


def test_spans_that_may_hold_content_hold_none_that_the_policy_keeps_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('opentelemetry.sdk')
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, 'get_tracer_provider', lambda: provider)
    settings = quick(trace_include_content=True)
    extractor = Thinking(fails=lambda *_: RuntimeError(f'can not parse {MAIL}'))
    with fast(policy=Policy(personal_data='review'), settings=settings, extractor=extractor) as memory:
        memory.add(f'Call {PHONE}', infer=False, **ANA)
        memory.search(f'whose is {PHONE}?', **ANA)
        with pytest.raises(Exception, match='failed'):
            memory.add('I like tea', **ANA)
    told = ' '.join(span.to_json() for span in exporter.get_finished_spans())
    assert 'whose is [phone number]?' in told
    assert 'can not parse [email address]' in told
    assert [m for m in MARKS if m in told] == []
