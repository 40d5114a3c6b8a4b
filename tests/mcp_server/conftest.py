from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec('mcp') else ['*']  # as `make test-lowest` goes
