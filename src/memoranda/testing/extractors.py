"""For tests: an extractor without a model or rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

__all__ = ['ScriptedExtractor']


class ScriptedExtractor:
    """Answers from a list, or by calling a function, and keeps what it was asked.

    ```python
    ScriptedExtractor([Extraction(...), RuntimeError('no answer'), Extraction(...)])
    ScriptedExtractor(lambda request: Extraction(...))
    ScriptedExtractor()  # every user message is one fact, in its own words
    ```

    Args:
        script: The answers in order, of which exceptions are raised; after the last one nothing more is found. Or a
            function from the request to an answer, which may raise.
        name: Recorded as the actor of the changes it leads to.
    """

    __test__ = False

    def __init__(
        self,
        script: Iterable[Extraction | Exception] | Callable[[ExtractionRequest], Extraction] | None = None,
        *,
        name: str = 'scripted',
    ) -> None:
        self.name = name
        self.requests: list[ExtractionRequest] = []
        """What it was asked, oldest first."""
        self._lock = threading.Lock()
        self._function = _every_message if script is None else script if callable(script) else None
        self._answers = iter(()) if script is None or callable(script) else iter(list(script))

    def propose(self, request: ExtractionRequest) -> Extraction:
        """The next answer. May be called from several threads."""
        with self._lock:
            self.requests.append(request)
            if self._function is None:
                answer = next(self._answers, Extraction())
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return self._function(request)


def _every_message(request: ExtractionRequest) -> Extraction:
    return Extraction(
        proposals=[
            Proposal(text=m.text, evidence=(Quote(i, 0, len(m.text)),))
            for i, m in enumerate(request.messages)
            if m.role == 'user'
        ]
    )
