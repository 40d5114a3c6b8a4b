"""The write path, in order of the data's way: messages, redaction, gate, extraction, guard, consolidation."""
