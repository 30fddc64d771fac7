"""The command line: one file a verb, each a stretch of the corridor."""
