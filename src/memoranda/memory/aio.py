"""`AsyncMemory`: remember, recall, correct, erase."""

from __future__ import annotations

from memoranda.memory._accounting import Accounting
from memoranda.memory._erasing import Erasing
from memoranda.memory._reading import Reading
from memoranda.memory._upkeep import Upkeep
from memoranda.memory._writing import Writing

__all__ = ['AsyncMemory']


class AsyncMemory(Reading, Writing, Erasing, Accounting, Upkeep):
    """A memory: facts drawn from conversations, kept true over time, recalled when they matter.

    Every operation names a scope (`user_id`, `run_id` or its alias `session_id`, `agent_id`, `app_id`) and never
    leaves it. Opens on first use; `async with` or `close()` ends it. May be shared by threads and event loops.

    Args:
        database: A path, `sqlite:///` and an absolute path, or `':memory:'`; by default `MEMORANDA_DATABASE`, else
            `memoranda.db` in the user's data directory.
        project: The tenant; by default the setting.
        model: A Pydantic AI model that draws facts from messages, its name (`'openai:gpt-4o-mini'`), or several of
            which the next is asked when one fails; by default `MEMORANDA_MODEL`, else rules, without a model.
        instructions: What the model shall regard in every extraction.
        kinds: Kinds of your own, each with a sentence that tells the model what belongs to it.
        embedder: A Pydantic AI embedding model or its name; by default the bundled one, which works offline.
        extractor: Draws facts from messages, in place of a model or the rules.
        settings: By default read from the environment and `memoranda.toml`.
        errors: `'degrade'` lets an agent go on when the storage or the embedder fails: `search` and `context` then
            find nothing or go by keywords, and a background `add` keeps its messages until they can be stored
            (docs/degraded.md). `'raise'` raises. By default the setting, which is `'degrade'`.
        policy: What may be remembered, what a person has to approve, what is kept for how long; by default what the
            settings say.
        index: A vector index elsewhere, or its address such as `qdrant://localhost:6333` (docs/qdrant.md); by default
            the setting, else the database compares vectors.

    Raises:
        ConfigurationError: A setting or argument that can't be used. Nothing is opened yet.
    """
