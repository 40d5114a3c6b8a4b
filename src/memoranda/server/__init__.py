"""`memoranda serve`: the memory over HTTP. Needs the extra `server`."""
