"""Until `memoranda.write.detect` is there."""

from __future__ import annotations

from typing import Any

try:
    from memoranda.write.detect import judge_fact, redact, sentence  # pyright: ignore
except ImportError:
    from memoranda.write.redact import redact as _redact

    class _Nothing:
        reasons: tuple[str, ...] = ()
        drop: str | None = None

    def judge_fact(proposal: Any, quotes: Any, policy: Any) -> Any:
        return _Nothing()

    def redact(text: str, policy: Any) -> tuple[str, int]:
        return _redact(text) if policy.secrets == 'redact' else (text, 0)

    def sentence(text: str, start: int, end: int) -> str:
        return text[start:end]
