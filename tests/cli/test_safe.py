from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from memoranda.cli._output import day, moment, out, plain, short_id, size
from memoranda.cli._safe import escape_json, one_line, printable
from memoranda.records import now

HOSTILE = '\x1b[2J\x1b]0;title\x07 \x9b31m \u202eevil\u2066 \ufeff\u2028 \ud800 \r\b\x7f [red]bold[/red] :smile:'


def is_harmless(text: str) -> bool:
    return not any(
        (ord(c) < 32 and c not in '\n\t') or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF
        or c in '\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff'
        for c in text
    )  # fmt: skip


def test_control_sequences_are_written_out() -> None:
    assert printable('a\x1b[31mb') == 'a\\x1b[31mb'
    assert printable('\u202eabc') == '\\u202eabc'
    assert printable('\U000e0041') == '\\U000e0041'
    assert printable('two\r\nlines\tand a tab') == 'two\nlines\tand a tab'


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    for text in ('Zoë mag Käse', '日本語', 'مرحبا', '👩‍👩‍👧‍👦 🇵🇹', 'naïve — “quoted”'):
        assert printable(text) == text


@given(st.text() | st.just(HOSTILE))
def test_nothing_printed_can_steer_a_terminal(text: str) -> None:
    assert is_harmless(printable(text))
    line = one_line(text)
    assert is_harmless(line)
    assert '\n' not in line


@given(st.text(st.characters(exclude_categories=())))
def test_json_output_reads_back_as_what_it_was(text: str) -> None:
    document = escape_json(json.dumps({'text': text}, ensure_ascii=False))
    assert is_harmless(document)
    assert json.loads(document) == json.loads(json.dumps({'text': text}))
    document.encode()


def test_a_long_line_is_cut_with_a_sign() -> None:
    assert one_line('word ' * 50, 12) == 'word word w…'


def test_markup_in_remembered_text_is_not_read() -> None:
    console = out()
    with console.capture() as captured:
        console.print(Text('[red]a[/red] :smile:'))
        console.print('[red]b[/red] :smile:')
    assert captured.get() == '[red]a[/red] :smile:\n[red]b[/red] :smile:\n'


def test_plain_values_are_json(tmp_path: object) -> None:
    value = {'at': now(), 'nan': float('nan'), 'inner': ({1, 2}, None, object)}
    assert json.loads(json.dumps(plain(value), allow_nan=False))['nan'] is None


def test_dates_sizes_and_ids_are_short() -> None:
    at = now()
    assert moment(at).startswith(day(at))
    assert size(512) == '512 B'
    assert size(3 << 20) == '3.0 MiB'
    assert short_id('01a1fdda-c46c-791c-bba1-b25f91fc9985') == '91fc9985'
