"""What `Memory` does with what it is told, from the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from _fakes import fast, fast_async, texts
from memoranda import AddResult, AsyncMemory, Conflict, InvalidFilter, InvalidInput, Memory, MemoryNotFound, Scope
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

ANA = {'user_id': 'ana'}


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


def ops(result: AddResult) -> list[str]:
    return [e.op for e in result.changes]


# What add takes and answers


def test_a_sentence_becomes_an_episode_and_a_fact_that_cites_it(memory: Memory) -> None:
    result = memory.add('I like tea', **ANA)
    (episode,) = memory.episodes(**ANA).items
    (record,) = result.memories
    assert result.episode_ids == (episode.id,)
    assert (episode.text, episode.role, episode.seq) == ('I like tea', 'user', 0)
    assert [(e.episode_id, e.quote) for e in record.evidence] == [(episode.id, 'I like tea')]
    assert memory.get(record.id, **ANA) == record
    assert (record.status, record.version, record.actor, record.trust) == ('active', 1, 'grammar', 'user')


@pytest.mark.parametrize(
    'messages',
    [
        'I like tea',
        {'role': 'user', 'content': 'I like tea'},
        ['I like tea'],
        [{'role': 'user', 'content': 'I like tea'}, {'role': 'assistant', 'content': 'Noted.'}],
        [{'role': 'system', 'content': 'Be kind'}, {'content': [{'type': 'text', 'text': 'I like tea'}]}],
    ],
    ids=['text', 'dict', 'list of text', 'list of dicts', 'parts'],
)
def test_every_form_of_a_message_is_understood(memory: Memory, messages: Any) -> None:
    assert texts(memory.add(messages, **ANA).memories) == ['I like tea']


def test_pydantic_ai_messages_are_understood(memory: Memory) -> None:
    ai = pytest.importorskip('pydantic_ai.messages')
    history = [
        ai.ModelRequest(parts=[ai.SystemPromptPart('Be kind'), ai.UserPromptPart('I like tea')]),
        ai.ModelResponse(parts=[ai.ThinkingPart('tea!'), ai.TextPart('Noted.')]),
    ]
    assert texts(memory.add(history, run_id='s1', **ANA).memories) == ['I like tea']
    history.append(ai.ModelRequest(parts=[ai.UserPromptPart('I like jazz')]))
    again = memory.add(history, run_id='s1', **ANA)
    assert (texts(again.memories), again.known, len(again.episode_ids)) == (['I like jazz'], 2, 1)


def test_a_message_with_nothing_to_keep_changes_nothing(memory: Memory) -> None:
    result = memory.add([{'role': 'system', 'content': 'Be kind'}], **ANA)
    assert (result.job_id, result.episode_ids, result.changes) == (None, (), ())
    assert memory.stats().owners == 0


def test_small_talk_is_kept_as_an_episode_and_not_read(memory: Memory) -> None:
    result = memory.add('ok thanks!', **ANA)
    assert (len(result.episode_ids), result.changes, dict(result.skipped)) == (1, (), {'gate': 1})


def test_the_result_says_what_became_of_everything(memory: Memory) -> None:
    memory.add(['home.city = Lisbon', 'I like tea'], **ANA)
    result = memory.add(['home.city = Porto', 'I like tea', 'again nothing.known', 'I like jazz'], run_id='s2', **ANA)
    assert sorted(ops(result)) == ['add', 'add', 'confirm', 'supersede']
    assert texts(result.memories) == ['I like jazz', 'I like tea', 'home.city is Porto']
    assert dict(result.skipped) == {'unknown target': 1}
    for edit in result.changes:
        assert memory.get(edit.memory_id, **ANA) == edit.after


def test_a_list_passed_again_adds_only_what_is_new(memory: Memory) -> None:
    said = [{'role': 'user', 'content': f'fact number {i}'} for i in range(4)]
    assert len(memory.add(said[:2], run_id='s1', **ANA).episode_ids) == 2
    again = memory.add(said[:2], run_id='s1', **ANA)
    assert (again.job_id, again.episode_ids, again.known, again.changes) == (None, (), 2, ())
    more = memory.add(said, run_id='s1', **ANA)
    assert (len(more.episode_ids), more.known) == (2, 2)
    said = memory.episodes(**ANA)
    assert [e.text for e in said] == [e.text for e in said.items] == [f'fact number {i}' for i in range(4)]
    assert len(said) == 4
    assert [e.seq for e in memory.episodes(**ANA).items] == [0, 1, 2, 3]


def test_messages_with_their_own_time_are_known_wherever_they_turn_up(memory: Memory) -> None:
    said = [{'content': f'fact {i}', 'timestamp': f'2024-01-0{i}T10:00:00Z'} for i in range(1, 5)]
    memory.add(said[2:], **ANA)
    result = memory.add(said, **ANA)
    assert (len(result.episode_ids), result.known) == (2, 2)


def test_the_same_sentence_said_twice_is_two_episodes_and_one_fact(memory: Memory) -> None:
    for _ in range(2):
        memory.add('I like tea', run_id='s1', **ANA)
    assert len(memory.episodes(**ANA).items) == 2
    (record,) = memory.get_all(**ANA)
    assert len(record.evidence) == 2
    assert record.version == 2


def test_an_idempotency_key_makes_a_repeated_call_answer_the_same(memory: Memory) -> None:
    first = memory.add('home.city = Lisbon', idempotency_key='k1', **ANA)
    again = memory.add('home.city = Lisbon', idempotency_key='k1', **ANA)
    assert again.replayed
    assert not first.replayed
    assert replace(again, replayed=False) == first
    assert len(memory.episodes(**ANA).items) == 1
    with pytest.raises(Conflict, match=r"'k1' was used before.*use a new key"):
        memory.add('home.city = Porto', idempotency_key='k1', **ANA)
    other = memory.add('home.city = Lisbon', idempotency_key='k1', user_id='ben')
    assert len(other.episode_ids) == 1
    assert memory.add('home.city = Porto', idempotency_key='k2', **ANA).changes


def test_metadata_tags_expiry_and_pins_reach_the_facts(memory: Memory) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    message = {'content': 'I like tea', 'metadata': {'line': 7}}
    result = memory.add(message, metadata={'source': 'chat'}, tags=['drinks'], pinned=True, expires_at=later, **ANA)
    (record,) = result.memories
    assert dict(record.metadata) == {'source': 'chat', 'line': 7}
    assert (record.tags, record.pinned, record.expires_at) == (('drinks',), True, later)
    assert dict(memory.episodes(**ANA).items[0].metadata) == {'source': 'chat', 'line': 7}
    assert memory.get(record.id, **ANA) == record


def test_secrets_reach_neither_messages_nor_facts_nor_metadata(memory: Memory) -> None:
    key = 'sk-' + 'aB3dE' * 8
    result = memory.add(f'my key is {key}', metadata={'note': key}, infer=False, **ANA)
    (record,) = result.memories
    assert record.text == 'my key is [api key]'
    assert dict(record.metadata) == {'note': '[api key]'}
    assert memory.episodes(**ANA).items[0].text == 'my key is [api key]'
    assert memory.update(record.id, text=f'still {key}', **ANA).text == 'still [api key]'


# Structured facts


def test_a_structured_fact_is_stored_as_given(memory: Memory) -> None:
    fields: dict[str, Any] = {
        'kind': 'preference',
        'slot': 'editor.theme',
        'tags': ('ui', 'dark mode'),
        'confidence': 0.7,
        'importance': 0.9,
        'pinned': True,
        'metadata': {'team': 'web', 'nested': {'a': [1, None, True]}},
    }
    (record,) = memory.add('dark', infer=False, **fields, **ANA).memories
    assert record.text == 'dark'
    assert {name: getattr(record, name) for name in fields} == fields
    assert record.actor == 'caller'
    assert memory.get_slot('editor.theme', **ANA) == record
    assert memory.get(record.id, **ANA) == record


def test_a_zero_is_a_value_and_not_a_default(memory: Memory) -> None:
    (record,) = memory.add('x', infer=False, confidence=0, importance=0.0, **ANA).memories
    assert (record.confidence, record.importance) == (0.0, 0.0)


def test_a_structured_fact_may_be_as_long_as_a_message(memory: Memory) -> None:
    text = 'a long fact ' * 800
    (record,) = memory.add(text, infer=False, **ANA).memories
    assert record.text == text.strip()


def test_a_slot_answers_its_current_value_only(memory: Memory) -> None:
    assert memory.get_slot('home.city', **ANA) is None
    for city in ('Lisbon', 'Porto'):
        memory.add(city, infer=False, slot='home.city', **ANA)
    found = memory.get_slot('home.city', **ANA)
    assert found is not None
    assert found.text == 'Porto'
    assert memory.get_slot('home.city', user_id='ben') is None
    memory.delete(found.id, **ANA)
    assert memory.get_slot('home.city', **ANA) is None


def test_two_slots_may_hold_the_same_words(memory: Memory) -> None:
    for slot in ('editor.theme', 'terminal.theme'):
        memory.add('dark', infer=False, slot=slot, **ANA)
    for slot in ('editor.theme', 'terminal.theme'):
        found = memory.get_slot(slot, **ANA)
        assert found is not None
        assert found.text == 'dark'


def test_the_answers_of_the_assistant_are_no_structured_facts(memory: Memory) -> None:
    result = memory.add([{'content': 'tea'}, {'role': 'assistant', 'content': 'noted'}], infer=False, **ANA)
    assert (texts(result.memories), len(result.episode_ids)) == (['tea'], 2)


def test_options_of_structured_facts_are_refused_for_inferred_ones(memory: Memory) -> None:
    for name, value in (('kind', 'goal'), ('slot', 'a.b'), ('confidence', 0.5), ('importance', 0.0), ('level', 'run')):
        with pytest.raises(InvalidInput, match='pass infer=False with them'):
            memory.add('I like tea', **{name: value}, **ANA)
    assert memory.stats().owners == 0


def test_a_level_needs_its_id(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="level='run' needs a run_id"):
        memory.add('x', infer=False, level='run', **ANA)
    with pytest.raises(InvalidInput, match="level='user' needs a user_id"):
        memory.add('x', infer=False, level='user', run_id='s1')
    assert memory.add('x', infer=False, level='run', run_id='s1').memories[0].level == 'run'
    assert memory.add('x', infer=False, level='user', run_id='s1', **ANA).memories[0].level == 'user'


# Change


def test_a_new_value_supersedes_and_the_old_one_stays_readable(memory: Memory) -> None:
    old = memory.add('home.city = Lisbon', **ANA).memories[0]
    new = memory.add('home.city = Porto', **ANA).memories[0]
    assert texts(memory.get_all(**ANA)) == ['home.city is Porto']
    assert [h.text for h in memory.search('home city Lisbon', **ANA)] == ['home.city is Porto']
    past = memory.get(old.id, **ANA)
    assert (past.status, past.superseded_by, past.valid_to) == ('superseded', new.id, new.valid_from)
    assert [e.op for e in memory.history(old.id, **ANA)] == ['add', 'supersede']
    assert texts(memory.get_all(include_inactive=True, **ANA)) == ['home.city is Lisbon', 'home.city is Porto']


def test_a_correction_leaves_nothing_of_what_was_wrong(memory: Memory) -> None:
    wrong = memory.add('home.city = Lisbon', **ANA).memories[0]
    result = memory.add('not home.city = Porto', **ANA)
    assert ops(result) == ['correct', 'add']
    assert texts(memory.get_all(**ANA)) == ['home.city is Porto']
    assert [e.op for e in memory.history(wrong.id, **ANA)] == ['add', 'correct']


def test_a_fact_comes_back_after_it_was_superseded(memory: Memory) -> None:
    for city in ('Lisbon', 'Porto', 'Lisbon'):
        memory.add(f'home.city = {city}', **ANA)
    assert texts(memory.get_all(**ANA)) == ['home.city is Lisbon']
    assert len(memory.get_all(include_inactive=True, **ANA)) == 3


def test_saying_it_again_confirms_and_raises_trust(memory: Memory) -> None:
    class Assistant:
        name = 'assistant'

        def propose(self, request: ExtractionRequest) -> Extraction:
            return Extraction(
                proposals=[
                    Proposal(text='likes tea', evidence=(Quote(i, 0, len(m.text)),))
                    for i, m in enumerate(request.messages)
                ]
            )

    with fast(extractor=Assistant()) as memory:
        first = memory.add({'role': 'assistant', 'content': 'You like tea, I think'}, **ANA).memories[0]
        assert first.trust == 'assistant'
        second = memory.add('Yes, I do like tea', **ANA).memories[0]
        assert (second.id, second.trust, len(second.evidence)) == (first.id, 'user', 2)
        third = memory.add({'role': 'assistant', 'content': 'So you like tea'}, **ANA)
        assert (third.changes, third.skipped) == ((), {'recalled': 1})  # a model repeats what it was told


def test_a_fact_that_no_longer_holds_is_retracted(memory: Memory) -> None:
    record = memory.add('home.city = Lisbon', **ANA).memories[0]
    assert ops(memory.add('forget home.city', **ANA)) == ['retract']
    assert len(memory.get_all(**ANA)) == 0
    assert memory.get(record.id, **ANA).status == 'retracted'


def test_what_a_person_wrote_is_never_overwritten_by_extraction(memory: Memory) -> None:
    record = memory.add('home.city = Lisbon', **ANA).memories[0]
    mine = memory.update(record.id, text='the city is Braga', **ANA)
    assert (mine.locked, mine.version, mine.actor) == (True, 2, 'user')
    for text in ('home.city = Porto', 'not home.city = Porto', 'forget home.city'):
        result = memory.add(text, **ANA)
        assert (result.memories, len(result.pending)) == ((), 1)
    assert memory.get(record.id, **ANA) == mine
    memory.update(record.id, locked=False, **ANA)
    assert ops(memory.add('home.city = Porto', **ANA)) == ['supersede', 'add']


def test_an_update_changes_what_is_named_and_keeps_the_rest(memory: Memory) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    given: dict[str, Any] = {'kind': 'goal', 'slot': 'a.b', 'tags': ['x'], 'pinned': True, 'metadata': {'a': 1}}
    record = memory.add('run a marathon', infer=False, expires_at=later, **given, **ANA).memories[0]
    for name, value in (
        ('text', 'run two'),
        ('kind', 'event'),
        ('slot', None),
        ('tags', ()),
        ('pinned', False),
        ('metadata', {}),
        ('importance', 0.0),
        ('expires_at', None),
        ('locked', False),
    ):
        before = memory.get(record.id, **ANA)
        after = memory.update(record.id, **{name: value}, **ANA)
        assert getattr(after, name) == value
        changed = {f for f in before.__slots__ if getattr(before, f) != getattr(after, f)}
        assert changed - {'version', 'recorded_at', 'actor', 'change_id', 'hash', 'locked'} <= {name}
        assert after.version == before.version + 1
        assert memory.get(record.id, **ANA) == after
    assert [h.text for h in memory.search('run two', **ANA)] == ['run two']


def test_an_update_that_changes_nothing_writes_nothing(memory: Memory) -> None:
    record = memory.add('I like tea', **ANA).memories[0]
    assert memory.update(record.id, **ANA) == record
    assert memory.update(record.id, text='I like tea', pinned=False, **ANA) == record
    assert len(memory.history(record.id, **ANA)) == 1


def test_two_current_facts_never_say_the_same_or_hold_one_slot(memory: Memory) -> None:
    tea, jazz = memory.add(['I like tea', 'I like jazz'], **ANA).memories
    with pytest.raises(Conflict, match='already says this'):
        memory.update(jazz.id, text='I like TEA!', **ANA)
    memory.update(tea.id, slot='likes', **ANA)
    with pytest.raises(Conflict, match='holds this slot'):
        memory.update(jazz.id, slot='likes', **ANA)
    assert memory.get(jazz.id, **ANA) == jazz


def test_a_deleted_memory_is_gone_from_recall_and_told_by_its_history(memory: Memory) -> None:
    record = memory.add('I like tea', **ANA).memories[0]
    memory.delete(record.id, **ANA)
    assert len(memory.get_all(**ANA)) == 0
    assert memory.search('tea', **ANA) == []
    with pytest.raises(MemoryNotFound, match='was deleted'):
        memory.get(record.id, **ANA)
    with pytest.raises(MemoryNotFound):
        memory.delete(record.id, **ANA)
    with pytest.raises(MemoryNotFound):
        memory.update(record.id, text='x', **ANA)
    entries = memory.history(record.id, **ANA)
    assert [(e.op, e.actor) for e in entries] == [('add', 'grammar'), ('retract', 'user')]
    assert entries[1].prev_hash == entries[0].hash
    assert entries[0].after is not None
    assert entries[0].after['text'] == 'I like tea'


def test_a_deleted_fact_may_be_told_again(memory: Memory) -> None:
    record = memory.add('I like tea', **ANA).memories[0]
    memory.delete(record.id, **ANA)
    again = memory.add('I like tea', **ANA).memories[0]
    assert again.id != record.id
    assert texts(memory.get_all(**ANA)) == ['I like tea']


def test_after_delete_all_a_user_starts_anew(memory: Memory) -> None:
    record = memory.add('I like tea', **ANA).memories[0]
    erased = memory.delete_all(**ANA)
    assert (erased.memories, erased.episodes, erased.scrub) == (1, 1, 'verified')
    assert memory.delete_all(**ANA).memories == 0
    assert memory.episodes(**ANA).items == ()
    with pytest.raises(MemoryNotFound):
        memory.history(record.id, **ANA)
    assert texts(memory.add('I like tea', **ANA).memories) == ['I like tea']


# Reading


def test_search_finds_the_best_first_and_scores_between_0_and_1(memory: Memory) -> None:
    memory.add(['my cat is called Miso', 'I work at a bakery', 'the bakery opens at six'], **ANA)
    hits = memory.search('what is my cat called', **ANA)
    assert hits[0].text == 'my cat is called Miso'
    assert all(0 <= h.score <= 1 and h.why is None for h in hits)
    assert len(memory.search('bakery', top_k=1, **ANA)) == 1


def test_explain_gives_the_parts_of_a_score(memory: Memory) -> None:
    memory.add(['my cat is called Miso', 'I work at a bakery'], **ANA)
    best, other = memory.search('cat', explain=True, include=('memories',), **ANA)
    assert best.why is not None
    assert other.why is not None
    assert {'words', 'meaning', 'recency', 'bm25', 'cosine', 'coverage'} <= best.why.keys()
    assert best.why['words'] > other.why['words']
    assert best.why['coverage'] == 1


def test_min_score_leaves_weaker_hits_out(memory: Memory) -> None:
    memory.add(['my cat is called Miso', 'I work at a bakery'], **ANA)
    scores = {h.text: h.score for h in memory.search('cat Miso', **ANA)}
    best = max(scores.values())
    assert [h.text for h in memory.search('cat Miso', min_score=best, **ANA)] == ['my cat is called Miso']
    assert memory.search('zeppelin', min_score=1, **ANA) == []


@pytest.mark.parametrize('strategy', ['hybrid', 'semantic', 'keyword', 'recency'])
def test_every_strategy_answers(memory: Memory, strategy: Any) -> None:
    for text in ('tea first', 'tea second', 'tea third'):
        memory.add(text, **ANA)
    found = [h.text for h in memory.search('tea second', strategy=strategy, **ANA)]
    assert sorted(found) == ['tea first', 'tea second', 'tea third']
    assert found[0] == ('tea third' if strategy == 'recency' else 'tea second')


def test_keywords_alone_find_only_what_holds_the_words(memory: Memory) -> None:
    memory.add(['my cat is called Miso', 'I work at a bakery'], **ANA)
    assert [h.text for h in memory.search('bakery', strategy='keyword', **ANA)] == ['I work at a bakery']
    assert memory.search('zeppelin', strategy='keyword', **ANA) == []


def test_include_chooses_facts_passages_or_both(memory: Memory) -> None:
    memory.add([{'content': 'my cat is called Miso'}, {'role': 'assistant', 'content': 'A cat, how nice'}], **ANA)
    facts = memory.search('cat', **ANA)
    assert [h.memory is not None for h in facts] == [True]
    passages = memory.search('cat', include=('episodes',), **ANA)
    assert sorted(h.text for h in passages) == ['A cat, how nice', 'my cat is called Miso']
    assert all(h.episode is not None and h.text == h.episode.text[h.start : h.end] for h in passages)
    assert len(memory.search('cat', include=('memories', 'episodes'), **ANA)) == 3


def test_a_passage_whose_fact_no_longer_holds_is_marked(memory: Memory) -> None:
    memory.add('home.city = Lisbon', **ANA)
    memory.add('home.city = Porto', **ANA)
    hits = memory.search('home city', include=('episodes',), **ANA)
    assert {h.text: h.stale for h in hits} == {'home.city = Lisbon': True, 'home.city = Porto': False}


def test_a_long_message_is_found_by_the_part_that_answers(memory: Memory) -> None:
    filler = 'The quick brown fox jumps over the lazy dog. ' * 60
    memory.add(f'{filler}My boat is called Nautilus. {filler}', **ANA)
    (hit, *_) = memory.search('Nautilus boat', include=('episodes',), top_k=1, **ANA)
    assert 'Nautilus' in hit.text
    assert len(hit.text) <= 1000


def test_filters_narrow_listing_and_search_alike(memory: Memory) -> None:
    facts: list[tuple[str, dict[str, Any]]] = [
        ('likes tea', {'kind': 'preference', 'tags': ['drinks'], 'metadata': {'team': 'web'}}),
        ('likes jazz', {'kind': 'preference', 'importance': 0.9, 'metadata': {'team': 'ops', 'level': 3}}),
        ('runs on Sundays', {'kind': 'interaction', 'slot': 'sport.day', 'pinned': True}),
    ]
    for text, fields in facts:
        memory.add(text, infer=False, agent_id='bot', run_id='s1', **fields, **ANA)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ['likes jazz', 'likes tea', 'runs on Sundays']),
        ({'kind': 'preference'}, ['likes jazz', 'likes tea']),
        ({'metadata.team': {'in': ['web', 'db']}}, ['likes tea']),
        ({'metadata.level': {'gte': 3}}, ['likes jazz']),
        ({'tags': {'contains': 'drinks'}}, ['likes tea']),
        ({'slot': {'exists': True}}, ['runs on Sundays']),
        ({'NOT': {'kind': 'preference'}}, ['runs on Sundays']),
        ({'OR': [{'pinned': True}, {'importance': {'gt': 0.8}}]}, ['likes jazz', 'runs on Sundays']),
        ({'text': {'icontains': 'SUN'}}, ['runs on Sundays']),
        ({'agent_id': 'bot', 'run_id': 's1', 'user_id': 'ana'}, ['likes jazz', 'likes tea', 'runs on Sundays']),
        ({'agent_id': 'bot2'}, []),
    ]
    for filters, expected in cases:
        assert texts(memory.get_all(filters=filters, **ANA)) == expected
        found = memory.search('likes runs', filters=filters, top_k=10, **ANA)
        assert texts(h.memory for h in found if h.memory) == expected
    with pytest.raises(InvalidFilter, match='kimd'):
        memory.get_all(filters={'kimd': 'preference'}, **ANA)


def test_filters_never_widen_a_scope(memory: Memory) -> None:
    memory.add('a fact', user_id='ben')
    memory.add('a fact', **ANA)
    filters = {'OR': [{'user_id': 'ben'}, {'user_id': 'ana'}]}
    assert [m.scope.user_id for m in memory.get_all(filters=filters, **ANA)] == ['ana']
    assert len(memory.get_all(filters={'user_id': 'ben'}, **ANA)) == 0


def test_pages_hold_everything_once_in_order(memory: Memory) -> None:
    for i in range(23):
        scope = ANA if i % 3 else {'agent_id': 'bot'}
        memory.add(f'fact {i}', infer=False, **scope)
    seen: list[str] = []
    cursor = None
    while True:
        page = memory.get_all(limit=5, cursor=cursor, agent_id='bot', **ANA)
        assert len(page) <= 5
        seen += [m.text for m in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f'fact {i}' for i in range(23)]


def test_pages_of_episodes_hold_everything_once(memory: Memory) -> None:
    for i in range(11):
        memory.add(f'fact {i}', infer=False, **(ANA if i % 2 else {'agent_id': 'bot'}))
    seen: list[str] = []
    cursor = None
    while True:
        page = memory.episodes(limit=3, cursor=cursor, agent_id='bot', **ANA)
        seen += [e.text for e in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f'fact {i}' for i in range(11))


def test_stats_count_what_is_there(memory: Memory) -> None:
    memory.add(['home.city = Lisbon', 'home.city = Porto', 'I like tea'], **ANA)
    memory.add('I like tea', user_id='ben')
    stats = memory.stats()
    assert (stats.owners, stats.memories, stats.episodes, stats.jobs_queued, stats.jobs_dead) == (2, 3, 4, 0, 0)


# Evidence


@pytest.fixture(scope='module')
def shared() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


SPANS = st.tuples(st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    said=st.lists(
        st.text(st.characters(exclude_categories=()), max_size=60).map(lambda t: f'{t} 🍵 e\u0301 \u202e'),
        min_size=1,
        max_size=4,
    ),
    infer=st.booleans(),
    spans=st.lists(SPANS, min_size=1, max_size=4),
)
def test_a_quote_is_always_the_stored_words(
    shared: Memory, said: list[str], infer: bool, spans: list[tuple[float, float]]
) -> None:
    class Spans:
        name = 'spans'

        def propose(self, request: ExtractionRequest) -> Extraction:
            proposals: list[Proposal] = []
            for i, message in enumerate(request.messages):
                for a, b in spans:
                    start, end = sorted((round(a * len(message.text)), round(b * len(message.text))))
                    text = f'{message.id} {start} {end}'
                    proposals.append(Proposal(text=text, evidence=(Quote(i, start, end),)))
            return Extraction(proposals=proposals)

    shared.aio._worker.extractor = Spans()  # one file for all examples: opening costs more than they do
    scope = Scope(user_id=f'user {id(spans)} {len(shared.aio._engine.store.location)}')
    view = shared.scoped(scope)
    view.delete_all()
    result = view.add(said, infer=infer)
    stored = {e.id: e.text for e in view.episodes(limit=1000).items}
    assert list(stored) == list(result.episode_ids)
    assert [len(t) for t in stored.values()] == [len(t) for t in said]
    for record in view.get_all(include_inactive=True, limit=1000):
        assert record.evidence
        for evidence in record.evidence:
            assert evidence.quote == stored[evidence.episode_id][evidence.start : evidence.end]
            assert evidence.quote.strip()
    if not infer:
        assert len(view.get_all(limit=1000)) >= 1


# The async twin


def test_both_twins_have_the_same_methods() -> None:
    public = {name for name in dir(AsyncMemory) if not name.startswith('_')}
    assert public == {name for name in dir(Memory) if not name.startswith('_')}


def test_the_async_memory_does_the_same() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            record = (await memory.add('I like tea', **ANA)).memories[0]
            assert await memory.get(record.id, **ANA) == record
            assert [h.text for h in await memory.search('tea', **ANA)] == ['I like tea']
            assert str(await memory.context('tea', **ANA))
            assert texts(await memory.get_all(**ANA)) == ['I like tea']
            assert len((await memory.episodes(**ANA)).items) == 1
            assert (await memory.update(record.id, text='likes tea', **ANA)).version == 2
            await memory.delete(record.id, **ANA)
            assert len(await memory.history(record.id, **ANA)) == 3
            assert (await memory.delete_all(**ANA)).episodes == 1
            assert (await memory.stats()).memories == 0
            assert await memory.finish_erasure()

    asyncio.run(main())


def test_a_file_keeps_everything_between_two_openings(tmp_path: Any) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as memory:
        record = memory.add('home.city = Lisbon', metadata={'a': 'ü'}, **ANA).memories[0]
        assert memory.location == str(path)
    with fast(path) as memory:
        assert memory.get(record.id, **ANA) == record
        assert [h.memory for h in memory.search('city', **ANA)] == [record]
        assert memory.get_slot('home.city', **ANA) == record


def test_embedders_are_named_when_they_do_not_fit(tmp_path: Any) -> None:
    from memoranda import EmbedderMismatch

    path = tmp_path / 'memory.db'
    with fast(path) as memory:
        memory.add('I like tea', **ANA)
    with fast(path, embedder=HashingEmbedder(32)) as memory:
        with pytest.raises(EmbedderMismatch, match='memoranda reindex'):
            memory.search('tea', **ANA)
        with pytest.raises(EmbedderMismatch, match='memoranda reindex'):
            memory.update(memory.get_all(**ANA).items[0].id, text='I like jazz', **ANA)
        assert texts(memory.get_all(**ANA)) == ['I like tea']
        assert memory.reindex() > 0
        assert [h.text for h in memory.search('tea', **ANA)] == ['I like tea']


def test_secrets_in_what_describes_a_fact_are_redacted_too() -> None:
    secret = 'sk-proj-' + 'a1B2' * 8
    with fast() as memory:
        (fact,) = memory.add(
            'Uses a key', infer=False, slot='api.key', value=secret, tags=[f'key {secret}'], **ANA
        ).memories
        assert (fact.value, fact.tags) == ('[api key]', ('key [api key]',))
        edited = memory.update(fact.id, value=secret, tags=[secret], **ANA)
        assert (edited.value, edited.tags) == ('[api key]', ('[api key]',))


def test_a_value_belongs_to_its_slot_and_its_words() -> None:
    with fast() as memory:
        (fact,) = memory.add('Lives in Lisbon', infer=False, slot='home.city', value='Lisbon', **ANA).memories
        assert fact.value == 'Lisbon'
        assert memory.update(fact.id, tags=['x'], **ANA).value == 'Lisbon'
        assert memory.update(fact.id, text='Lives in Porto', **ANA).value is None
        assert memory.update(fact.id, value='Porto', **ANA).value == 'Porto'
        for wrong in ({'value': 'x'}, {'slot': 'home.city', 'value': ' '}, {'slot': 'home.city', 'value': 3}):
            with pytest.raises(InvalidInput, match='value='):
                memory.add('Lives in Rome', infer=False, **wrong, **ANA)
        with pytest.raises(InvalidInput, match='infer=False'):
            memory.add('I live in Rome', value='Rome', **ANA)
