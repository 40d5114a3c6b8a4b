"""The first page: figures and charts, each with its table."""

from __future__ import annotations

import re

from _console import Console


def test_the_overview_tells_what_happened_today_in_figures_and_tables(console: Console) -> None:
    memory = console.memory
    for text in ('home.city = Lisbon', 'home.city = Porto', 'I like tea'):
        memory.add(text, user_id='ana')
    memory.search('tea', user_id='ana')
    memory.flush()
    with console.http('reader') as http:
        page = http.get('/console')
        assert page.status_code == 200
        text = ' '.join(re.sub('<[^>]+>', ' ', page.text).split())
        assert 'Memories 2 3 added in 30 days' in text
        assert 'People 1 with memories' in text
        assert 'Queue 0 jobs waiting or running' in text
        for chart in ('Memories', 'People', 'Changes', 'Recall', 'Latency of recall', 'Extraction'):
            assert f'<span class="chart-title">{chart}</span>' in page.text
        assert page.text.count('<summary>As a table') == page.text.count('<svg class="plot"') >= 4
        assert 'Proposals wait' not in page.text  # nothing a reader could do
        assert http.get('/console?days=nonsense').status_code == 422
        assert http.get('/console/').headers['location'] == '/console'


def test_a_part_that_did_not_change_is_not_sent_again(console: Console) -> None:
    headers = {'HX-Request': 'true', 'HX-Target': 'figures', 'X-Poll': 'first'}
    with console.http('reader') as http:
        first = http.get('/console?days=7', headers=headers)
        assert first.text.lstrip().startswith('<div id="figures"')
        again = http.get('/console?days=7', headers={**headers, 'X-Poll': first.headers['x-seen']})
        assert again.status_code == 204
