from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec('fastapi') and find_spec('httpx2') else ['*']  # as `make test-lowest` goes
