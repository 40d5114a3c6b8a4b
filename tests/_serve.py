"""The process that `_server.process` starts: a server with the fast embedder. The keys come on standard input."""

from __future__ import annotations

import json
import sys

from _fakes import fast_async
from memoranda.keys import make_key_of
from memoranda.server.running import serve

if __name__ == '__main__':
    given = json.load(sys.stdin)
    keys = [make_key_of(secret, 'default', name=role, role=role) for role, secret in given['keys'].items()]
    sys.exit(serve(fast_async(sys.argv[1]), keys=keys, port=0, parts=given['parts']))
