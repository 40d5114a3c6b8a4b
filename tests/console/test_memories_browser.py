"""Memories, one memory and the playground, as somebody at a browser uses them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from _console import Console, SignedIn, axe
from memoranda import Memory
from memoranda.records import MemoryRecord

LIST = '/console/memories'


@pytest.fixture(scope='module')
def memory(console: Console) -> Memory:
    memory = console.memory
    memory.add('home.city = Lisbon', user_id='ana', run_id='r1', occurred_at='2026-01-10')
    memory.add(
        [{'role': 'user', 'content': text} for text in ('hello there', 'home.city = Porto')],
        user_id='ana',
        run_id='r2',
        occurred_at='2026-03-01',
    )
    for text in ('Has a green bicycle', 'Sings in a choir', 'Keeps bees'):
        memory.add(text, user_id='ana', infer=False)
    for number in range(30):
        memory.add(f'Item {number}', user_id='anton', infer=False, kind='event')
    return memory


def one(memory: Memory, text: str) -> MemoryRecord:
    return next(m for m in memory.get_all(user_id='ana', include_inactive=True) if m.text == text)


def texts(page: Any) -> list[str]:
    return page.locator('#results a.memory').all_inner_texts()


def said(page: Any, words: str) -> None:
    page.locator('#flash', has_text=words).wait_for()


def test_finding_sorting_and_turning_pages(memory: Memory, signed_in: SignedIn) -> None:
    page = signed_in('reader', LIST)
    page.get_by_label('Person').type('ant')
    page.wait_for_selector('#people_options option[value=anton]', state='attached')
    page.get_by_label('Person').fill('anton')
    page.get_by_label('Kind').fill('event')
    page.get_by_label('Kind').press('Enter')
    page.wait_for_url(re.compile(r'/console/memories\?person=anton&kind=event$'))
    page.locator('#count', has_text='30 memories').wait_for()
    page.get_by_text('More filters').click()
    page.get_by_label('On a page').select_option('25')
    page.locator('a[rel=next]').wait_for()
    page.locator('th a', has_text='Recorded').click()
    page.wait_for_url('**sort=oldest**')
    assert texts(page)[0] == 'Item 0'
    page.locator('a[rel=next]').click()
    page.wait_for_url('**cursor=**')
    assert texts(page) == [f'Item {number}' for number in range(25, 30)]
    page.reload()
    assert len(texts(page)) == 5
    page.get_by_role('link', name=re.compile('Person anton')).click()
    page.wait_for_load_state()
    assert page.get_by_label('Person').input_value() == ''


def test_several_are_selected_by_keys_pinned_and_taken_back(memory: Memory, signed_in: SignedIn) -> None:
    page = signed_in('admin', f'{LIST}?person=ana&q=e')
    assert page.locator('[data-selected]').is_hidden()
    chosen = texts(page)[:2]
    for key in 'jxjx':
        page.keyboard.press(key)
    page.get_by_text('2 selected').wait_for()
    page.get_by_role('button', name='Pin the selected memories', exact=True).click()
    said(page, '2 memories pinned.')
    assert [one(memory, text).pinned for text in chosen] == [True, True]
    page.get_by_role('button', name='Undo').click()
    said(page, '2 changes taken back.')
    assert [one(memory, text).pinned for text in chosen] == [False, False]
    page.get_by_label('Select all on this page').check()
    page.get_by_role('button', name='Retract the selected memories').click()
    page.get_by_role('dialog').get_by_role('button', name='Cancel').click()
    assert all(one(memory, text).status == 'active' for text in chosen)
    page.get_by_role('button', name='Save this view').click()
    page.get_by_label('Name').fill('With an e')
    page.get_by_role('button', name='Save', exact=True).click()
    page.get_by_role('link', name='With an e').wait_for()


def test_a_memory_is_edited_retracted_and_brought_back(memory: Memory, signed_in: SignedIn) -> None:
    page = signed_in('admin', f'{LIST}/{one(memory, "Sings in a choir").id}')
    page.keyboard.press('e')
    page.get_by_label('What it says').fill('Sings in two choirs')
    page.get_by_role('button', name='Save').click()
    said(page, 'Saved.')
    assert page.get_by_role('heading', level=1).inner_text() == 'Sings in two choirs'
    assert 'two' in page.locator('.past ins').first.inner_text()
    page.get_by_role('button', name='Retract', exact=True).click()
    page.get_by_role('dialog').get_by_role('button', name='Retract').click()
    said(page, 'no longer recalled')
    page.get_by_role('button', name='Undo', exact=True).click()
    said(page, 'The change was taken back.')
    assert one(memory, 'Sings in two choirs').status == 'active'
    assert memory.history(one(memory, 'Sings in two choirs').id, user_id='ana')[-1].actor == 'key:admin'


def test_its_words_are_marked_in_their_conversation_and_its_line_is_drawn(memory: Memory, signed_in: SignedIn) -> None:
    page = signed_in('reader', f'{LIST}/{one(memory, "home.city is Porto").id}', width=390)
    assert page.locator('mark .words').all_inner_texts() == ['home.city = Porto']
    assert 'hello there' in page.locator('#talks').inner_text()
    assert page.locator('.life-bar').count() == 2
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    assert page.get_by_role('button', name=re.compile('Retract|Erase|Edit|Pin|Take back')).count() == 0


def test_a_change_by_somebody_else_is_told_while_the_page_is_open(memory: Memory, signed_in: SignedIn) -> None:
    bees = one(memory, 'Keeps bees')
    page = signed_in('writer', f'{LIST}/{bees.id}')
    memory.update(bees.id, tags=['garden'], user_id='ana')
    page.get_by_text('This memory was changed since').wait_for()
    page.get_by_role('link', name='Show it as it is now').click()
    page.locator('.facts', has_text='garden').wait_for()


def test_a_memory_is_erased_with_a_receipt_to_keep(memory: Memory, signed_in: SignedIn) -> None:
    doomed = memory.add('A secret', user_id='eva', infer=False).memories[0]
    page = signed_in('admin', f'{LIST}/{doomed.id}')
    page.get_by_role('button', name='Erase').click()
    page.get_by_label('Type erase to go on').fill('erase')
    page.get_by_role('dialog').get_by_role('button', name='Erase').click()
    with page.expect_download() as download:
        page.get_by_role('link', name='Download the receipt').click()
    assert download.value.suggested_filename.startswith('erasure-')
    assert memory.get_all(user_id='eva', include_inactive=True).items == ()


def test_the_playground_explains_an_answer_and_goes_back_in_time(memory: Memory, signed_in: SignedIn) -> None:
    page = signed_in('reader', '/console/playground')
    page.get_by_label('Person').fill('ana')
    page.get_by_label('Question').fill('home.city')
    page.get_by_role('button', name='Ask').click()
    page.locator('#block-text', has_text='home.city is Porto').wait_for()
    page.locator('.candidate summary').first.click()
    page.locator('.why-parts', has_text='decides the place').first.wait_for()
    assert axe(page) == []
    page.get_by_label('Go back in time').focus()
    page.keyboard.press('Home')
    page.locator('#block-text', has_text='home.city is Lisbon').wait_for()
    page.wait_for_url('**as_of=2026-01-10')
    assert page.get_by_label('As it was on').input_value() == '2026-01-10'
    assert page.evaluate('document.activeElement.id') == 'as-of-day'
    page.get_by_label('As it was on').fill('2026-04-01')
    page.locator('#block-text', has_text='home.city is Porto').wait_for()
