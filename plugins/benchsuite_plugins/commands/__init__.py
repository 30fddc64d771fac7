"""Verbs of the command line that know the reference plugins."""
