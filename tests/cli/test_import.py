from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Cli


def write(path: Path, *lines: Any) -> str:
    path.write_text('\n'.join(x if isinstance(x, str) else json.dumps(x) for x in lines) + '\n', encoding='utf-8')
    return str(path)


def message(content: str, **more: Any) -> dict[str, Any]:
    return {'role': 'user', 'content': content, **more}


def counts(figures: dict[str, Any]) -> tuple[int, int]:
    return figures['messages_new'], figures['messages_known']


def test_an_import_can_be_repeated_and_grow(cli: Cli, tmp_path: Path) -> None:
    lines = [message(f'I visited town number {i}.', conversation_id='trip') for i in range(3)]
    path = write(tmp_path / 'a.jsonl', *lines)
    assert counts(cli('import', path, '--json').json) == (3, 0)
    assert counts(cli('import', path, '--json').json) == (0, 3)
    write(tmp_path / 'a.jsonl', *lines, message('And one more.', conversation_id='trip'))
    assert counts(cli('import', path, '--json').json) == (1, 3)
    assert len(cli('list', '--messages', '--json').json['items']) == 4


def test_an_import_that_was_cut_short_goes_on(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memoranda import Memory

    path = write(tmp_path / 'a.jsonl', *(message(f'Note {i}.', conversation_id=f'c{i}') for i in range(5)))
    add, calls = Memory.add, []

    def stop_at_third(self: Memory, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return add(self, *args, **kwargs)

    monkeypatch.setattr(Memory, 'add', stop_at_third)
    stopped = cli('import', path)
    assert stopped.code == 130
    assert 'goes on where it left off' in stopped.err
    monkeypatch.setattr(Memory, 'add', add)
    assert counts(cli('import', path, '--json').json) == (3, 2)


def test_an_older_chat_imported_later_does_not_overwrite_newer_facts(cli: Cli, tmp_path: Path) -> None:
    new = write(tmp_path / 'new.jsonl', message('I live in Lisbon.', timestamp='2024-06-01T10:00:00Z', run_id='n'))
    old = write(tmp_path / 'old.jsonl', message('I live in Berlin.', timestamp='2021-06-01T10:00:00Z', run_id='o'))
    assert cli('import', new).code == 0
    assert cli('import', old).code == 0
    cities = [i['text'] for i in cli('list', '--json').json['items'] if i['slot'] == 'home.city']
    assert cities == ['Lives in Lisbon']
    past = cli('search', 'Where do I live?', '--as-of', '2022-01-01', '--only', 'memories', '--json').json
    assert 'Lives in Berlin' in [hit['text'] for hit in past]


def test_users_come_from_the_file_unless_one_is_named(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / 'a.jsonl', message('I am Ana.', user_id='ana'), message('It is me.'))
    assert cli('import', path).code == 0
    assert len(cli('list', '--messages', '-u', 'ana', '--json').json['items']) == 1
    assert len(cli('list', '--messages', '--json').json['items']) == 1
    cli('import', path, '--user', 'eve')
    assert len(cli('list', '--messages', '-u', 'eve', '--json').json['items']) == 2


def test_bad_lines_are_counted_and_named(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / 'a.jsonl', message('One.'), '{broken', *(['"x"'] * 8), message('Two.'))
    ran = cli('import', path)
    assert ran.code == 0
    assert 'skipped: line 2: is not JSON' in ran.err
    assert '4 more' in ran.err
    assert '9 skipped' in ran.out
    figures = cli('import', path, '--json').json
    assert (figures['skipped'], len(figures['problems'])) == (9, 5)


def test_strict_stops_at_the_first_bad_line(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / 'a.jsonl', '{broken', message('One.'))
    ran = cli('import', path, '--strict')
    assert ran.code == 1
    assert 'error: line 1: is not JSON' in ran.err
    assert cli('list', '--messages', '--json').json['items'] == []


def test_one_message_the_engine_refuses_does_not_keep_the_others_out(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MEMORANDA_MAX_TEXT_CHARS', '50')
    path = write(tmp_path / 'a.jsonl', message('Short.'), message('long ' * 50), message('Short too.'))
    figures = cli('import', path, '--json').json
    assert (figures['messages_new'], figures['skipped']) == (2, 1)
    assert 'message 2' in figures['problems'][0]['where']
    assert counts(cli('import', path, '--json').json) == (0, 2)


def test_a_benchmark_file_keeps_speakers_dates_and_marks(cli: Cli, tmp_path: Path) -> None:
    sample = {
        'sample_id': 's1',
        'conversation': {
            'session_1_date_time': '1:56 pm on 8 May, 2023',
            'session_1': [
                {'speaker': 'Mia', 'dia_id': 'D1:1', 'text': 'I adopted a grey cat.'},
                {'speaker': 'Tom', 'dia_id': 'D1:2', 'text': 'What is its name?'},
            ],
        },
    }
    path = tmp_path / 'bench.json'
    path.write_text(json.dumps([sample]))
    assert counts(cli('import', str(path), '--json').json) == (2, 0)
    first, second = cli('list', '--messages', '-u', 's1', '--json').json['items']
    assert (first['name'], second['name']) == ('Mia', 'Tom')
    assert first['occurred_at'].startswith('2023-05-08T13:56:00')
    assert second['metadata'] == {'dia_id': 'D1:2', 'session': 1}
    assert first['conversation_id'] == 'locomo:s1:session_1'


def test_a_file_that_can_not_be_read_is_an_error(cli: Cli, tmp_path: Path) -> None:
    ran = cli('import', str(tmp_path / 'none.json'))
    assert ran.code == 1
    assert ran.err.startswith('error: ')
    assert cli('import', write(tmp_path / 'x.json', {'a': 1})).code == 1
    assert cli('import', write(tmp_path / 'y.json', []), '--format', 'word').code == 2


def test_a_model_that_is_down_stops_the_import_but_loses_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memoranda import Memory, ProcessingFailed

    path = write(tmp_path / 'a.jsonl', *(message(f'Note {i}.', conversation_id=f'c{i}') for i in range(9)))
    add = Memory.add

    def fail_after_storing(self: Memory, *args: Any, **kwargs: Any) -> Any:
        raise ProcessingFailed('the model is down', add(self, *args, **kwargs))

    monkeypatch.setattr(Memory, 'add', fail_after_storing)
    ran = cli('import', path)
    assert ran.code == 1
    assert 'the model is down' in ran.err
    monkeypatch.setattr(Memory, 'add', add)
    assert counts(cli('import', path, '--json').json) == (6, 3)
