"""Is there anything worth extracting?"""

from memoranda.records import Episode

__all__ = ['worth_reading']


def worth_reading(episode: Episode) -> bool:
    """Placeholder until the real gate lands."""
    return bool(episode.text.strip())
