"""The story the demo tells: three conversations of one person with an assistant, over six weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

__all__ = ['QUESTIONS', 'STORY', 'TASK', 'USER', 'Talk']

USER = 'maya'


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation. Its lines alternate, the user speaks first."""

    run_id: str
    days_ago: int
    lines: tuple[str, ...]

    def messages(self, today: datetime) -> list[dict[str, Any]]:
        """Dated messages, a minute apart, from ten in the morning."""
        start = today.replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=self.days_ago)
        return [
            {
                'role': 'assistant' if number % 2 else 'user',
                'content': line,
                'timestamp': start + timedelta(minutes=number),
            }
            for number, line in enumerate(self.lines)
        ]


STORY = (
    Talk(
        'planning',
        42,
        (
            "Hi! I'm Maya and I live in Berlin. I'm building a recipe app with FastAPI and PostgreSQL.",
            (
                'Hello Maya, that is a good pair of tools. One table for recipes, one for ingredients and one '
                'between them will carry you a long way; keep the steps of a recipe as an ordered list of rows, '
                'so that they can be moved around. What should it do first?'
            ),
            "Suggest dinners. And it has to be careful, because I'm allergic to peanuts.",
            (
                'Then treat allergens as data, not as text: one row for each ingredient and allergen, checked in '
                'the query itself, so that no screen can forget the check. I can sketch the tables and two '
                'example queries, and a test that proves a recipe with peanuts never comes back. Shall I?'
            ),
            'Yes please. I prefer Python.',
            (
                'Python it is. I would start with three endpoints: list dinners, show one dinner, and say why a '
                'dinner was left out. Each gets a small function that takes a connection and returns plain data, '
                'so that the tests need no server. Here is the first of them, with its query and its test.'
            ),
        ),
    ),
    Talk(
        'halfway',
        19,
        (
            'Some news about the app. I switched from Python to TypeScript, because my team knows it better.',
            (
                'That works well too. The tables stay as they are; the three endpoints become three handlers, and'
                ' the queries move over word for word. I would keep the allergen check in the database, where '
                'both versions share it, and generate the types from the tables so that they never drift apart.'
            ),
            'I also ran my first half marathon last Sunday, in the pouring rain, and finished in 1:58!',
            (
                'Congratulations, under two hours in the rain is a strong first result! Give your legs a few easy'
                ' days before the next long run, and note how you paced the second half while you still remember '
                'it.'
            ),
            'Always answer in short bullet points, please.',
            '- Will do.\n- Handlers first, then types, then tests.\n- Tell me when the first one runs.',
        ),
    ),
    Talk(
        'moving',
        3,
        (
            'Big news! I moved to Lisbon last week.',
            (
                '- Welcome to Lisbon.\n- Update the time zone of your server jobs.\n- Check which shops near you '
                'have an ingredient feed.'
            ),
            'And I want to learn Portuguese by the summer.',
            (
                '- Twenty minutes a day beats one long lesson.\n- Name the ingredients of your app in '
                'Portuguese.\n- Talk to the market stalls.'
            ),
        ),
    ),
)

QUESTIONS: tuple[tuple[str, tuple[Literal['memories', 'episodes'], ...]], ...] = (
    ('Which programming language does she prefer?', ('memories',)),
    ('Where does she live?', ('memories',)),
    ('Can she eat peanut butter?', ('memories',)),
    ('How did the race go?', ('episodes',)),
)
"""What is asked, and what is searched: facts, or the messages themselves."""

TASK = 'Suggest a dinner I can cook tonight, and write the code for that screen.'
