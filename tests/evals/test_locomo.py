from __future__ import annotations

import json

import pytest

from memoranda.errors import InvalidInput
from memoranda.evals.locomo import evidence_ids, read_questions, read_turns
from memoranda.importers import read

SAMPLE = {
    'sample_id': 'conv-1',
    'conversation': {
        'speaker_a': 'Ana',
        'speaker_b': 'Ben',
        'session_1_date_time': '1:56 pm on 8 May, 2023',
        'session_1': [
            {'speaker': 'Ana', 'dia_id': 'D1:1', 'text': 'I moved to Porto.'},
            {'speaker': 'Ben', 'dia_id': 'D1:2', 'text': 'How is it?'},
        ],
    },
    'qa': [
        {'question': 'Where does Ana live?', 'answer': 'Porto', 'evidence': ['D1:1'], 'category': 4},
        {'question': 'When?', 'answer': 2023, 'evidence': ['D1:1; D1:2'], 'category': 2},
        {'question': 'Is Ben a cook?', 'adversarial_answer': 'no', 'evidence': [], 'category': 5},
    ],
}


def written(tmp_path, value):
    path = tmp_path / 'file.json'
    path.write_text(json.dumps(value), encoding='utf-8')
    return path


@pytest.mark.parametrize(
    ('raw', 'ids'),
    [
        (['D1:3'], ('D1:3',)),
        (['D8:6; D9:17'], ('D8:6', 'D9:17')),
        (['D9:1 D4:4 D4:6'], ('D9:1', 'D4:4', 'D4:6')),
        (['D1:18', 'D', 'D1:20'], ('D1:18', 'D1:20')),
        (['D:11:26'], ()),
        (['D30:05'], ('D30:5',)),
        (['D1:1', 'D1:1'], ('D1:1',)),
        ('D2:3', ('D2:3',)),
        ([], ()),
        (None, ()),
        ([7, None], ()),
    ],
)
def test_malformed_evidence_is_repaired_or_dropped(raw, ids):
    assert evidence_ids(raw) == ids


def test_questions_are_read_with_their_category_answer_and_evidence(tmp_path):
    questions = read_questions(written(tmp_path, [SAMPLE]))
    assert [q.category for q in questions] == [4, 2, 5]
    assert [q.answer for q in questions] == ['Porto', '2023', '']
    assert [q.evidence for q in questions] == [('D1:1',), ('D1:1', 'D1:2'), ()]
    assert [q.number for q in questions] == [0, 1, 2]


def test_a_question_names_the_user_and_the_turns_that_the_importer_stores(tmp_path):
    path = written(tmp_path, [SAMPLE, {**SAMPLE, 'sample_id': None}])
    conversations = list(read(path, 'locomo'))
    assert {q.sample for q in read_questions(path)} == {c.user_id for c in conversations}
    stored = {(c.user_id, m['metadata']['dia_id']): m['content'] for c in conversations for m in c.messages}
    assert read_turns(path) == stored


@pytest.mark.parametrize(
    'value',
    [
        [{'sample_id': 'x'}],
        ['text'],
        7,
        [{**SAMPLE, 'qa': [{'question': 'Where?', 'category': 9}]}],
        [{**SAMPLE, 'qa': ['Where?']}],
    ],
)
def test_a_file_that_is_not_locomo_is_refused(tmp_path, value):
    with pytest.raises(InvalidInput):
        read_questions(written(tmp_path, value))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match='cannot be read'):
        read_questions(tmp_path / 'missing.json')
    (tmp_path / 'bad.json').write_text('{', encoding='utf-8')
    with pytest.raises(InvalidInput, match='cannot be read'):
        read_questions(tmp_path / 'bad.json')
