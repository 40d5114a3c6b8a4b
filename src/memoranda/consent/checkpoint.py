"""Counts and heads of audit chains at a moment, as a document that proves later what was there then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, cast

from memoranda.errors import InvalidInput, shown
from memoranda.stores.erasures import subject_key

__all__ = ['ChainHead', 'Checkpoint', 'storage_key']

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """How far a chain had come at a checkpoint."""

    owner: int
    """The owner's number in the storage, which is never given to another."""
    project: str
    kind: str
    subject: str
    """Keyed hash of who it is: it says nothing to who doesn't have the storage."""
    entries: int
    head: str
    """Hash of the last entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Counts and heads of audit chains, to be kept where nobody who can write the storage can write.

    `str(checkpoint)` is the JSON document, `Checkpoint.parse` reads it.
    """

    at: datetime
    storage: str
    """Keyed hash that stands for the storage."""
    project: str | None
    """None: of all projects."""
    chains: tuple[ChainHead, ...]

    @property
    def entries(self) -> int:
        """Of all chains."""
        return sum(chain.entries for chain in self.chains)

    @property
    def digest(self) -> str:
        """SHA-256 of the document without its digest, as JSON with sorted keys and no white space."""
        return _digest(self._document())

    def _document(self) -> dict[str, Any]:
        projects: dict[str, dict[str, int]] = {}
        for chain in self.chains:
            of = projects.setdefault(chain.project, {'owners': 0, 'entries': 0})
            of['owners'] += 1
            of['entries'] += chain.entries
        return {
            'memoranda': 'checkpoint',
            'format': _FORMAT,
            'at': self.at.isoformat(),
            'storage': self.storage,
            'project': self.project,
            'projects': projects,
            'chains': [asdict(chain) for chain in self.chains],
        }

    def __str__(self) -> str:
        return json.dumps({**self._document(), 'digest': self.digest}, ensure_ascii=False, indent=1)

    @classmethod
    def parse(cls, document: str | bytes | Mapping[str, Any]) -> Checkpoint:
        """Read a document.

        Raises:
            InvalidInput: It is no checkpoint, of a newer version, or was altered.
        """
        try:
            read: Any = json.loads(document) if isinstance(document, str | bytes) else document
            given = dict(cast('Mapping[str, Any]', read))
            kind, version, digest = given.get('memoranda'), given.get('format'), given.pop('digest', None)
        except (ValueError, TypeError):
            kind = version = digest = None
            given = {}
        if kind != 'checkpoint':
            raise InvalidInput(
                f'anchor={shown(document)} is no checkpoint of memoranda: pass what checkpoint() returned, or its JSON'
            )
        if version != _FORMAT:
            raise InvalidInput(
                f'a checkpoint of format {shown(version)} can not be read by this version, which reads {_FORMAT}: '
                'upgrade memoranda'
            )
        if digest != _digest(given):
            raise InvalidInput(
                'the checkpoint was altered: its digest is not that of its content; use the document as it was written'
            )
        try:
            return cls(
                at=datetime.fromisoformat(given['at']),
                storage=str(given['storage']),
                project=given['project'],
                chains=tuple(ChainHead(**chain) for chain in given['chains']),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f'the checkpoint lacks something ({type(error).__name__}): write it anew') from error


def storage_key(secret: bytes) -> str:
    """What stands for a storage in its checkpoints."""
    return subject_key(secret, '', None, {}, 'storage')


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()
