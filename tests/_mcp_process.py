"""The process that `test_stdio` starts where the bundled embedder would only cost time: `memoranda mcp` without it."""

from __future__ import annotations

import sys

from _fakes import fast_async
from memoranda.mcp import Principal, serve_stdio

if __name__ == '__main__':
    serve_stdio(Principal(memory=fast_async(sys.argv[1]).acting_as('mcp'), fixed={'user_id': 'ana'}))
