"""Every form a message may come in, and what of it is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.errors import InvalidInput
from memoranda.write.messages import Message, normalise, segments, strip_recalled

MOMENT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def read(messages: object) -> list[Message]:
    return normalise(messages, max_chars=1000)[0]


def spoken(messages: object) -> list[tuple[str, str]]:
    return [(m.role, m.text) for m in read(messages)]


def test_text_is_said_by_the_user() -> None:
    assert spoken('I like tea') == [('user', 'I like tea')]


def test_text_is_kept_verbatim() -> None:
    text = '  two  spaces\n\tand a tab \u202eright to left\u202c e\u0301 \U0001f600\u200d '
    assert spoken(text) == [('user', text)]


@pytest.mark.parametrize(
    ('role', 'kept'),
    [('user', 'user'), ('human', 'user'), ('assistant', 'assistant'), ('ai', 'assistant'), ('model', 'assistant')],
)
def test_a_dict_says_who_speaks(role: str, kept: str) -> None:
    assert spoken({'role': role, 'content': 'hello there'}) == [(kept, 'hello there')]


def test_a_dict_may_name_the_speaker_the_time_and_metadata() -> None:
    given = {
        'role': 'user',
        'content': 'hi',
        'name': ' Ana ',
        'timestamp': '2026-05-01T11:30:00+02:00',
        'metadata': {'a': 1},
    }
    assert read(given) == [Message('user', 'hi', name='Ana', at=MOMENT, metadata={'a': 1})]


@pytest.mark.parametrize(
    'timestamp', [MOMENT, MOMENT.timestamp(), '2026-05-01T09:30:00Z', '2026-05-01 09:30', datetime(2026, 5, 1, 9, 30)]
)
def test_a_moment_may_be_written_in_several_ways(timestamp: Any) -> None:
    assert read({'content': 'hi', 'timestamp': timestamp})[0].at == MOMENT


def test_an_openai_list_keeps_what_people_and_the_answer_said() -> None:
    messages = [
        {'role': 'system', 'content': 'You are a helpful assistant'},
        {'role': 'developer', 'content': 'Be brief'},
        {'role': 'user', 'content': 'What is the weather in Porto?'},
        {'role': 'assistant', 'content': None, 'tool_calls': [{'id': '1', 'function': {'name': 'weather'}}]},
        {'role': 'assistant', 'content': '', 'tool_calls': [{'id': '2', 'function': {'name': 'weather'}}]},
        {'role': 'tool', 'tool_call_id': '1', 'content': 'rain'},
        {'role': 'function', 'name': 'weather', 'content': 'rain'},
        {'role': 'assistant', 'content': 'It rains.'},
    ]
    assert spoken(messages) == [('user', 'What is the weather in Porto?'), ('assistant', 'It rains.')]


def test_the_texts_of_a_message_of_several_parts_are_joined() -> None:
    content = [
        {'type': 'text', 'text': 'Look at this'},
        {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,AAAA'}},
        'and this',
    ]
    assert spoken({'role': 'user', 'content': content}) == [('user', 'Look at this\nand this')]
    assert spoken([{'role': 'user', 'content': content[1:2]}, 'text']) == [('user', 'text')]


def test_strings_and_dicts_may_be_mixed_in_a_list() -> None:
    assert spoken(['one', {'role': 'assistant', 'content': 'two'}, 'three']) == [
        ('user', 'one'),
        ('assistant', 'two'),
        ('user', 'three'),
    ]


def test_pydantic_ai_messages_lose_thinking_tools_and_instructions() -> None:
    messages = pytest.importorskip('pydantic_ai.messages')
    history = [
        messages.ModelRequest(
            parts=[
                messages.SystemPromptPart('You are kind', timestamp=MOMENT),
                messages.UserPromptPart('I live in Porto', timestamp=MOMENT),
            ]
        ),
        messages.ModelResponse(
            parts=[
                messages.ThinkingPart('the user lives in Porto'),
                messages.ToolCallPart('weather', {'city': 'Porto'}, tool_call_id='1'),
            ],
            timestamp=MOMENT,
        ),
        messages.ModelRequest(parts=[messages.ToolReturnPart('weather', 'rain', tool_call_id='1', timestamp=MOMENT)]),
        messages.ModelResponse(parts=[messages.TextPart('It rains.')], timestamp=MOMENT),
        messages.ModelRequest(parts=[messages.UserPromptPart(['And', 'tomorrow?'], timestamp=MOMENT)]),
        messages.ModelResponse(parts=[messages.TextPart(' ')], timestamp=MOMENT),
    ]
    assert read(history) == [
        Message('user', 'I live in Porto', at=MOMENT),
        Message('assistant', 'It rains.', at=MOMENT, given='tool'),
        Message('user', 'And\ntomorrow?', at=MOMENT),
    ]


def test_pydantic_ai_content_other_than_text_is_passed_over() -> None:
    messages = pytest.importorskip('pydantic_ai.messages')
    image = messages.ImageUrl('https://example.com/cat.png')
    only_image = messages.ModelRequest(parts=[messages.UserPromptPart([image], timestamp=MOMENT)])
    both = messages.ModelRequest(parts=[messages.UserPromptPart(['my cat', image], timestamp=MOMENT)])
    assert read([only_image, both]) == [Message('user', 'my cat', at=MOMENT)]


BLOCK = '<recalled_memory>\n- lives in Porto\n</recalled_memory>'


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('no block', 'no block'),
        (f'{BLOCK}\nWhat now?', '\nWhat now?'),
        (f'before {BLOCK} after', 'before  after'),
        (f'{BLOCK}{BLOCK}x', 'x'),
        ('<recalled_memory id="1">a</recalled_memory>b', 'b'),
        ('a\n<recalled_memory>\n- never closed', 'a\n'),
        ('a: <recalled_memory>\n- never closed', 'a: '),
        ('<recalled_memory> never closed', ''),
        ('you said <recalled_memory> I love tea </recalled_memory> and so on', 'you said  and so on'),
        ('the tag <recalled_memory> is in our logs', 'the tag <recalled_memory> is in our logs'),
        ('we nest <recalled_memory>, I think', 'we nest <recalled_memory>, I think'),
        ('a </recalled_memory> b', 'a </recalled_memory> b'),
        ('<RECALLED_MEMORY>a</RECALLED_MEMORY>b', 'b'),
    ],
)
def test_what_recall_put_into_a_prompt_is_taken_out(text: str, kept: str) -> None:
    assert strip_recalled(text) == kept


def test_a_message_of_nothing_but_recalled_memories_is_no_message() -> None:
    assert read(BLOCK) == []
    assert read({'role': 'user', 'content': BLOCK}) == []
    assert spoken([BLOCK, 'What now?']) == [('user', 'What now?')]
    messages = pytest.importorskip('pydantic_ai.messages')
    request = messages.ModelRequest(parts=[messages.UserPromptPart(BLOCK, timestamp=MOMENT)])
    assert read([request]) == []


def test_characters_no_database_can_carry_are_replaced() -> None:
    assert spoken('a\0b\ud83dc') == [('user', 'a\ufffdb\ufffdc')]


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text_comes_out_at_the_same_offsets(text: str) -> None:
    try:
        (message,) = read('x' + text)
    except InvalidInput:
        assert '<recalled_memory' in text
        return
    if '<recalled_memory' not in text.lower():
        assert len(message.text) == len(text) + 1
        assert [a for a, b in zip('x' + text, message.text, strict=True) if a != b and b != '\ufffd'] == []
    assert message.text.encode()


@given(st.text(st.sampled_from('ab .\n'), min_size=1, max_size=40).map(lambda t: t * 120))
def test_segments_cover_every_word_once_and_stay_short(text: str) -> None:
    parts = segments(text)
    assert all(0 <= a < b <= len(text) and b - a <= 1000 for a, b in parts)
    assert all(b <= c for (_, b), (c, _) in pairwise(parts))
    gaps = ''.join(
        text[b:c] for b, c in zip([0, *(b for _, b in parts)], [*(a for a, _ in parts), len(text)], strict=True)
    )
    assert not gaps.strip() or len(text) <= 1000


@pytest.mark.parametrize(
    ('messages', 'reason'),
    [
        ('', 'messages is empty or white space'),
        (' \n\t', 'messages is empty or white space'),
        ('\u2003\u00a0', 'messages is empty or white space'),
        ([], 'messages is an empty list'),
        (['a', ' '], r'messages\[1\] is empty or white space'),
        (None, 'messages is a NoneType: pass text'),
        (7, 'messages is an int'),
        (b'bytes', 'messages is a bytes'),
        ({'a', 'b'}, 'messages is a set'),
        (['a', 7], r'messages\[1\] is an int'),
        ([['a']], r'messages\[0\] is a list'),
        ({'role': 'user'}, 'content is missing'),
        ({'role': 'user', 'content': 7}, 'content is an int'),
        ({'role': 'user', 'content': b'x'}, 'content is a bytes'),
        ({'role': 'narrator', 'content': 'x'}, "role='narrator' is unknown: use one of user"),
        ({'role': None, 'content': 'x'}, 'role=None is unknown'),
        ({'role': ['user'], 'content': 'x'}, 'is unknown'),
        ({'role': 'user', 'content': 'x', 'name': ''}, "name='' is not a name"),
        ({'role': 'user', 'content': 'x', 'name': 'n' * 300}, 'is not a name of 1 to 256'),
        ({'role': 'user', 'content': 'x', 'name': 7}, 'name=7 is not a name'),
        ({'role': 'user', 'content': 'x', 'metadata': [1]}, 'metadata is a list'),
        ({'role': 'user', 'content': 'x', 'timestamp': 'soon'}, "timestamp='soon' is not a moment"),
        ({'role': 'user', 'content': 'x', 'timestamp': 1e30}, 'is not a moment'),
        ({'role': 'user', 'content': 'x', 'timestamp': float('nan')}, 'is not a moment'),
        ({'role': 'user', 'content': 'x', 'timestamp': True}, 'is not a moment'),
        ({'role': 'user', 'content': 'x' * 1001}, r'has 1,001 characters, and 1,000 is the most'),
        ('x' * 1001, r'messages has 1,001 characters.*raise MEMORANDA_MAX_TEXT_CHARS'),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason_and_the_fix(messages: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        read(messages)
    assert ': ' in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_error_never_repeats_a_whole_message() -> None:
    secret = 'my secret ' * 80
    for wrong in (
        {'role': secret, 'content': 'x'},
        {'role': 'user', 'content': 'x', 'name': secret},
        {'role': 'user', 'content': 'x', 'timestamp': secret},
        [[secret]],
        {'role': 'user', 'content': {'text': secret}},
        {'role': 'user', 'content': 'x', 'metadata': [secret]},
        secret * 2,
    ):
        with pytest.raises(InvalidInput) as caught:
            read(wrong)
        assert secret not in str(caught.value)
        assert len(str(caught.value)) < 400
