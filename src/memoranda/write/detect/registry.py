"""Detectors of others, found by the entry points that packages declare in the group `memoranda.detectors`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, get_args

from memoranda.errors import ConfigurationError, DetectorFailed, shown, what_is
from memoranda.records import Category
from memoranda.write.detect.findings import Finding

__all__ = ['GROUP', 'Detector', 'find_others', 'kinds_of', 'load', 'reload']

GROUP: Final = 'memoranda.detectors'

Detector: TypeAlias = Callable[[str], Iterable[Finding]]
"""Finds words in a text.

An attribute `kinds`, a dict of kind and category, tells what it looks for: a policy can then name these kinds. It runs
on a worker thread for every text that is stored, so it has to be quick, and several threads may call it. When it
raises, nothing is stored.
"""

_KIND: Final = re.compile(r'[a-z][a-z ]{0,38}[a-z]')


@dataclass(frozen=True, slots=True)
class _Plugin:
    name: str
    find: Detector
    kinds: Mapping[str, Category]


_loaded: tuple[_Plugin, ...] | None = None
_lock = threading.Lock()


def load() -> tuple[_Plugin, ...]:
    """The detectors that are installed. They are looked up once.

    Raises:
        ConfigurationError: One can't be loaded, or is none.
    """
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                from importlib.metadata import entry_points

                found = sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value))
                _loaded = tuple(_plugin(entry.name, entry.value, entry.load) for entry in found)
    return _loaded


def reload() -> None:
    """Look them up again at the next use: for whoever installs one in a running program, and for tests."""
    global _loaded
    with _lock:
        _loaded = None


def kinds_of(category: Category) -> tuple[str, ...]:
    """The kinds that installed detectors declare."""
    return tuple(sorted({kind for p in load() for kind, of in p.kinds.items() if of == category}))


def _plugin(name: str, value: str, loader: Callable[[], Any]) -> _Plugin:
    where = f'detector {name!r} ({value})'
    try:
        found = loader()
    except Exception as error:
        raise ConfigurationError(
            f'{where} can not be loaded ({type(error).__name__}: {shown(str(error))}): correct or uninstall the '
            f'package that declares it under {GROUP}'
        ) from error
    if not callable(found):
        raise ConfigurationError(
            f'{where} is {what_is(found)}, which can not be called: declare a function that takes a text and '
            'returns findings'
        )
    kinds: object = getattr(found, 'kinds', {})
    if not isinstance(kinds, Mapping):
        raise ConfigurationError(f'{where} has kinds={shown(kinds)}: make it a dict of kind and category')
    for kind, category in cast('Mapping[object, object]', kinds).items():
        problem = _misnamed(kind, category)
        if problem:
            raise ConfigurationError(f'{where} declares {problem}')
    return _Plugin(name, cast('Detector', found), dict(cast('Mapping[str, Category]', kinds)))


def _misnamed(kind: object, category: object) -> str:
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return f'the kind {shown(kind)}: write 2 to 40 lower-case letters and spaces, such as patient number'
    if category not in get_args(Category):
        return f'the category {shown(category)} for {kind!r}: use one of {", ".join(get_args(Category))}'
    return ''


def find_others(text: str) -> Iterator[Finding]:
    """What installed detectors find.

    Raises:
        DetectorFailed: One raised, or returned what is no finding in this text.
    """
    for plugin in load():
        try:
            found = list(plugin.find(text))
        except Exception as error:
            # Its own words may quote the text.
            raise DetectorFailed(
                f'detector {plugin.name!r} failed ({type(error).__name__}), so nothing of this text is stored: correct '
                'it, or uninstall the package that declares it'
            ) from error
        for finding in cast('list[object]', found):
            if problem := _problem(finding, len(text)):
                raise DetectorFailed(f'detector {plugin.name!r} returned {problem}, so nothing of this text is stored')
            yield cast('Finding', finding)


def _problem(finding: object, length: int) -> str:
    if not isinstance(finding, Finding):
        return f'{what_is(finding)} in place of a Finding: return Finding(category, kind, start, end)'
    places: list[object] = [getattr(finding, name) for name in ('start', 'end')]
    if any(isinstance(p, bool) or not isinstance(p, int) for p in places) or not (
        0 <= finding.start < finding.end <= length
    ):
        return f'the place {shown(finding.start)} to {shown(finding.end)} in a text of {length}: count code points'
    return _misnamed(finding.kind, finding.category)
