from __future__ import annotations

import itertools
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memoranda.importers import FORMATS, Conversation, ImportProblem, detect, read


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding='utf-8')
    return path


def write_lines(path: Path, *values: object) -> Path:
    path.write_text('\n'.join(v if isinstance(v, str) else json.dumps(v) for v in values) + '\n', encoding='utf-8')
    return path


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(m['role'], m['content']) for m in conversation.messages]


def node(
    key: str, parent: str | None, role: str | None = None, text: str = '', at: float | None = None, **more: Any
) -> dict[str, Any]:
    message: dict[str, Any] | None = None
    if role:
        content = more.pop('content', {'content_type': 'text', 'parts': [text]})
        message = {'id': key, 'author': {'role': role}, 'create_time': at, 'content': content, **more}
    return {'id': key, 'message': message, 'parent': parent, 'children': []}


def tree(*nodes: dict[str, Any], current: str | None, **more: Any) -> dict[str, Any]:
    return {
        'title': 'A talk',
        'create_time': 1700000000.0,
        'mapping': {n['id']: n for n in nodes},
        'current_node': current,
        'conversation_id': 'c1',
        **more,
    }


# --- jsonl


def test_lines_become_one_conversation_with_times_and_names(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / 'talk.jsonl',
        {'role': 'user', 'content': 'I live in Lisbon', 'timestamp': '2024-05-08T13:56:00+02:00', 'name': 'Ana'},
        '',
        {'role': 'Human', 'content': [{'type': 'text', 'text': 'And I paint'}], 'timestamp': 1715169361},
        {'role': 'assistant', 'content': 'Lovely.'},
    )
    [conversation] = read(path)
    assert said(conversation) == [
        ('user', 'I live in Lisbon'),
        ('user', 'And I paint'),
        ('assistant', 'Lovely.'),
    ]
    first, second, third = conversation.messages
    assert first['timestamp'] == datetime(2024, 5, 8, 11, 56, tzinfo=UTC)
    assert first['name'] == 'Ana'
    assert second['timestamp'] == datetime(2024, 5, 8, 11, 56, 1, tzinfo=UTC)
    assert 'timestamp' not in third
    assert conversation.run_id.startswith('jsonl:talk-')


def test_mixed_conversations_and_users_are_told_apart(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / 'm.jsonl',
        {'role': 'user', 'content': 'one', 'conversation_id': 'a', 'user_id': 'ana'},
        {'role': 'user', 'content': 'two', 'conversation_id': 'b', 'user_id': 'ben'},
        {'role': 'user', 'content': 'three', 'run_id': 'a', 'user_id': 'ana'},
        {'role': 'user', 'content': 'four', 'conversation_id': 7, 'user_id': 8},
    )
    found = {(c.user_id, c.run_id): [m['content'] for m in c.messages] for c in read(path)}
    assert found == {('ana', 'a'): ['one', 'three'], ('ben', 'b'): ['two'], ('8', '7'): ['four']}


def test_a_long_conversation_comes_in_pieces_that_know_their_place(tmp_path: Path) -> None:
    path = write_lines(tmp_path / 'l.jsonl', *({'role': 'user', 'content': f'number {i}'} for i in range(450)))
    pieces = list(read(path))
    assert [c.start for c in pieces] == [0, 200, 400]
    assert len({c.source_id for c in pieces}) == 1
    assert [m['content'] for c in pieces for m in c.messages] == [f'number {i}' for i in range(450)]


def test_a_file_that_grew_keeps_the_names_of_its_conversations(tmp_path: Path) -> None:
    lines = [{'role': 'user', 'content': f'number {i}'} for i in range(3)]
    [before] = read(write_lines(tmp_path / 'g.jsonl', *lines[:2]))
    [after] = read(write_lines(tmp_path / 'g.jsonl', *lines))
    assert before.source_id == after.source_id


def test_bad_lines_are_named_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / 'bad.jsonl'
    good = b'{"role": "user", "content": "fine"}\n'
    path.write_bytes(
        good
        + b'{"role": "user", "content": \n'
        + b'{"role": "user", "content": "\xff"}\n'
        + b'{"role": "pirate", "content": "arr"}\n'
        + b'{"role": "user", "content": "when", "timestamp": "yesterday"}\n'
        + b'{"role": "user", "content": 5}\n'
        + b'"just text"\n'
        + b'{"role": "user", "content": "x", "user_id": "*"}\n'
        + b'[' * 100_000
        + b'\n'
        + b'{"role": "user", "content": "   "}\n'
        + good
    )
    problems: list[ImportProblem] = []
    [conversation] = read(path, on_problem=problems.append)
    assert [m['content'] for m in conversation.messages] == ['fine', 'fine']
    assert [p.where for p in problems] == [f'line {n}' for n in range(2, 10)]
    assert all(': ' in p.reason or ', ' in p.reason for p in problems)
    assert 'pirate' in problems[2].reason
    assert not any('arr' in p.reason for p in problems)


def test_without_a_listener_the_first_bad_line_raises(tmp_path: Path) -> None:
    path = write_lines(tmp_path / 'b.jsonl', {'role': 'user', 'content': 'ok'}, '{nonsense')
    with pytest.raises(ImportProblem, match=r'^line 2: is not JSON'):
        list(read(path))


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / 'w.jsonl'
    path.write_bytes('\ufeff{"role":"user","content":"é"}\r\n{"role":"user","content":"b"}\r\n'.encode())
    [conversation] = read(path)
    assert [m['content'] for m in conversation.messages] == ['é', 'b']


def test_a_list_of_messages_a_line_is_a_conversation(tmp_path: Path) -> None:
    talk = {'messages': [{'role': 'system', 'content': 'be kind'}, {'role': 'user', 'content': 'hi'}]}
    named = {'id': 'n1', 'messages': [{'role': 'user', 'content': 'hi'}]}
    path = write_lines(tmp_path / 'f.jsonl', talk, talk, named)
    first, second, third = read(path)
    assert first.run_id != second.run_id
    assert second.run_id == first.run_id + '-2'
    assert third.run_id == 'n1'


# --- openai


@pytest.mark.parametrize(
    ('value', 'contents'),
    [
        ([{'role': 'user', 'content': 'a'}, {'role': 'user', 'content': 'b'}], [['a', 'b']]),
        ({'messages': [{'role': 'user', 'content': 'a'}]}, [['a']]),
        ([[{'role': 'user', 'content': 'a'}], [{'role': 'user', 'content': 'b'}]], [['a'], ['b']]),
        ([{'messages': [{'role': 'user', 'content': 'a'}]}, {'messages': []}], [['a']]),
        ([], []),
    ],
)
def test_every_list_shape_is_understood(tmp_path: Path, value: object, contents: list[list[str]]) -> None:
    path = write(tmp_path / 'o.json', value)
    assert detect(path) == 'openai'
    assert [[m['content'] for m in c.messages] for c in read(path)] == contents


def test_tool_calls_without_words_are_passed_over(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'o.json',
        [{'role': 'assistant', 'content': None, 'tool_calls': [{}]}, {'role': 'user', 'content': 'hm'}],
    )
    [conversation] = read(path)
    assert said(conversation) == [('user', 'hm')]


# --- chatgpt


def test_only_the_branch_that_was_open_last_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'conversations.json',
        [
            tree(
                node('root', None),
                node('sys', 'root', 'system', 'be helpful'),
                node('u1', 'sys', 'user', 'I am vegan', 1700000010.5),
                node('a1', 'u1', 'assistant', 'first answer', 1700000020.0),
                node('a2', 'u1', 'assistant', 'second answer', 1700000030.0),
                node('u2', 'a2', 'user', 'thanks', None),
                current='u2',
            )
        ],
    )
    assert detect(path) == 'chatgpt'
    [conversation] = read(path)
    assert conversation.run_id == conversation.source_id == 'chatgpt:c1'
    assert conversation.title == 'A talk'
    assert said(conversation) == [('user', 'I am vegan'), ('assistant', 'second answer'), ('user', 'thanks')]
    assert conversation.messages[0]['timestamp'] == datetime(2023, 11, 14, 22, 13, 30, 500000, tzinfo=UTC)
    assert conversation.messages[2]['timestamp'] == datetime(2023, 11, 14, 22, 13, 51, tzinfo=UTC)


def test_reasoning_tools_and_hidden_messages_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'c.json',
        [
            tree(
                node('h', None, 'user', 'hidden', metadata={'is_visually_hidden_from_conversation': True}),
                node('t', 'h', 'assistant', content={'content_type': 'thoughts', 'thoughts': [{'content': 'hm'}]}),
                node('q', 't', 'assistant', 'search(x)', recipient='web'),
                node('r', 'q', 'tool', 'result'),
                node(
                    'm',
                    'r',
                    'user',
                    content={
                        'content_type': 'multimodal_text',
                        'parts': [
                            {'content_type': 'image_asset_pointer', 'asset_pointer': 'x'},
                            {'content_type': 'audio_transcription', 'text': 'spoken'},
                            'written',
                        ],
                    },
                ),
                current='m',
            )
        ],
    )
    [conversation] = read(path)
    assert said(conversation) == [('user', 'spoken\nwritten')]
    assert conversation.messages[0]['timestamp'] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_cycle_ends_and_a_missing_current_node_means_the_newest_leaf(tmp_path: Path) -> None:
    loop = tree(node('a', 'b', 'user', 'one'), node('b', 'a', 'assistant', 'two'), current='b')
    lost = tree(
        node('a', None, 'user', 'one', 1.0),
        node('b', 'a', 'assistant', 'old', 2.0),
        node('c', 'a', 'assistant', 'new', 3.0),
        current=None,
        conversation_id='c2',
    )
    first, second = read(write(tmp_path / 'c.json', [loop, lost]))
    assert said(first) == [('user', 'one'), ('assistant', 'two')]
    assert said(second) == [('user', 'one'), ('assistant', 'new')]


def test_a_broken_conversation_does_not_stop_the_next(tmp_path: Path) -> None:
    good = tree(node('a', None, 'user', 'one'), current='a')
    nameless = {**good, 'conversation_id': None}
    odd = tree(node('a', None, 'user', 'when', 1e300), node('b', 'a', 'user', 'two'), current='b')
    problems: list[ImportProblem] = []
    found = list(read(write(tmp_path / 'c.json', [good, nameless, 5, odd]), 'chatgpt', on_problem=problems.append))
    assert [said(c) for c in found] == [[('user', 'one')], [('user', 'two')]]
    assert [p.where for p in problems] == ['conversation 2', 'conversation 3', "conversation 4, message 'a'"]


def test_the_archive_can_be_read_as_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / 'export.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('export/chat.html', '<html>')
        archive.writestr(
            'export/conversations.json', json.dumps([tree(node('a', None, 'user', 'zipped'), current='a')])
        )
    [conversation] = read(path)
    assert said(conversation) == [('user', 'zipped')]
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('other.txt', 'x')
    with pytest.raises(ImportProblem, match=r'without conversations\.json'):
        detect(path)


# --- claude


def claude(messages: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [
        {'uuid': 'u-1', 'name': 'Talk', 'created_at': '2024-01-02T03:04:05.123456Z', 'chat_messages': messages, **more}
    ]


def test_claude_messages_keep_words_order_and_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'conversations.json',
        claude(
            [
                {'uuid': 'm1', 'sender': 'human', 'text': 'I run daily', 'created_at': '2024-01-02T03:04:06Z'},
                {
                    'uuid': 'm2',
                    'sender': 'assistant',
                    'text': 'placeholder',
                    'content': [
                        {'type': 'thinking', 'thinking': 'secret'},
                        {'type': 'text', 'text': 'Great'},
                        {'type': 'tool_use', 'name': 'x', 'input': {}},
                    ],
                    'created_at': '2024-01-02T03:04:07.123456789Z',
                },
                {
                    'uuid': 'm3',
                    'sender': 'human',
                    'text': '',
                    'content': [],
                    'attachments': [{'extracted_content': 'x'}],
                },
                {'uuid': 'm4', 'sender': 'alien', 'text': 'beep'},
            ]
        ),
    )
    assert detect(path) == 'claude'
    problems: list[ImportProblem] = []
    [conversation] = read(path, on_problem=problems.append)
    assert conversation.run_id == 'claude:u-1'
    assert said(conversation) == [('user', 'I run daily'), ('assistant', 'Great')]
    assert conversation.messages[1]['timestamp'] == datetime(2024, 1, 2, 3, 4, 7, 123456, tzinfo=UTC)
    assert [p.where for p in problems] == ['conversation 1, message 4']


def test_an_edited_claude_message_replaces_its_first_form(tmp_path: Path) -> None:
    messages = [
        {'uuid': 'm1', 'sender': 'human', 'text': 'first', 'parent_message_uuid': '0'},
        {'uuid': 'm2', 'sender': 'human', 'text': 'edited', 'parent_message_uuid': '0'},
        {'uuid': 'm3', 'sender': 'assistant', 'text': 'ok', 'parent_message_uuid': 'm2'},
    ]
    [conversation] = read(write(tmp_path / 'c.json', claude(messages, current_leaf_message_uuid='m3')))
    assert said(conversation) == [('user', 'edited'), ('assistant', 'ok')]


# --- locomo


def sample(**sessions: Any) -> list[dict[str, Any]]:
    return [{'sample_id': 's-1', 'qa': [], 'conversation': {'speaker_a': 'Mia', 'speaker_b': 'Tom', **sessions}}]


def test_a_session_becomes_a_dated_conversation(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'lo.json',
        sample(
            session_10_date_time='12:05 am on 1 January, 2024',
            session_10=[{'speaker': 'Tom', 'dia_id': 'D10:1', 'text': 'Happy new year'}],
            session_2_date_time='1:56 pm on 8 May, 2023',
            session_2=[
                {'speaker': 'Mia', 'dia_id': 'D2:1', 'text': 'Look at this', 'blip_caption': 'a red boat'},
                {'speaker': 'Tom', 'dia_id': 'D2:2', 'text': 'Nice boat'},
            ],
            session_3_date_time='2:00 pm on 9 May, 2023',
        ),
    )
    assert detect(path) == 'locomo'
    second, tenth = read(path)
    assert (second.run_id, second.user_id) == ('locomo:s-1:session_2', 's-1')
    assert second.messages == [
        {
            'role': 'user',
            'name': 'Mia',
            'content': 'Look at this',
            'timestamp': datetime(2023, 5, 8, 13, 56, tzinfo=UTC),
            'metadata': {'dia_id': 'D2:1', 'session': 2, 'caption': 'a red boat'},
        },
        {
            'role': 'user',
            'name': 'Tom',
            'content': 'Nice boat',
            'timestamp': datetime(2023, 5, 8, 13, 56, 1, tzinfo=UTC),
            'metadata': {'dia_id': 'D2:2', 'session': 2},
        },
    ]
    assert tenth.messages[0]['timestamp'] == datetime(2024, 1, 1, 0, 5, tzinfo=UTC)


def test_a_session_with_a_bad_date_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'lo.json',
        sample(
            session_1_date_time='some day',
            session_1=[{'speaker': 'Tom', 'text': 'x'}],
            session_2_date_time='1:00 pm on 31 February, 2023',
            session_2=[{'speaker': 'Tom', 'text': 'x'}],
            session_3_date_time='1:00 pm on 1 March, 2023',
            session_3=[{'speaker': 'Tom'}, {'speaker': 'Tom', 'text': 'x'}],
        ),
    )
    problems: list[ImportProblem] = []
    assert len(list(read(path, on_problem=problems.append))) == 1
    assert [p.where for p in problems] == ['s-1, session 1', 's-1, session 2', 's-1, session 3, turn 1']


# --- files


def test_a_list_that_breaks_off_still_gives_what_came_before(tmp_path: Path) -> None:
    whole = json.dumps(
        [tree(node('a', None, 'user', 'x' * 100_000), current='a', conversation_id=f'c{i}') for i in range(4)]
    )
    path = tmp_path / 'c.json'
    path.write_text(whole[: len(whole) - 50_000])
    reading = read(path)
    found = list(itertools.islice(reading, 3))
    with pytest.raises(ImportProblem, match='element 4'):
        next(reading)
    assert [c.run_id for c in found] == ['chatgpt:c0', 'chatgpt:c1', 'chatgpt:c2']


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'is empty'),
        ('[]'.encode('utf-16'), 'UTF-16'),
        (b'{"a": 1}', 'none of the known formats'),
        (b'hello', 'not valid JSON'),
        (b'\x00\x01\x02', 'not valid JSON'),
        (b'PK\x03\x04rubbish', 'damaged archive'),
        (b'["\xff"]', 'not UTF-8'),
        (b'[[1], [', 'none of the known'),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_with_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / 'x.json'
    path.write_bytes(content)
    if content == b'[[1], [':  # a list of lists is one of ours until it breaks
        assert detect(path) == 'openai'
        return
    with pytest.raises(ImportProblem, match=reason):
        detect(path)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / 'none.json', tmp_path):
        with pytest.raises(ImportProblem, match='name a readable file'):
            list(read(path))


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    path = write_lines(tmp_path / 'p.jsonl', *({'role': 'user', 'content': str(i)} for i in range(5)))
    seen: list[tuple[int, int]] = []
    list(read(path, on_progress=lambda done, total: seen.append((done, total))))
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ['role', 'content', 'messages', 'mapping', 'chat_messages', 'conversation', 'sender', 'text', 'id', 'uuid',
             'session_1', 'session_1_date_time', 'speaker', 'message', 'author', 'parent', 'current_node', 'parts',
             'timestamp', 'create_time', 'created_at', 'sample_id', 'metadata', 'name', 'user_id', 'type']
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(json_values)
def test_no_json_makes_a_reader_raise_anything_but_a_problem(tmp_path: Path, value: object) -> None:
    path = write(tmp_path / 'any.json', value)
    for format_ in FORMATS:
        try:
            for conversation in read(path, format_, on_problem=lambda p: None):
                assert conversation.messages
                assert conversation.run_id
        except ImportProblem:
            pass
