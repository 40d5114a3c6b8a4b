"""The read path: words, questions, candidates and their order. No I/O happens here."""
