"""Data of one's own, as ``fine_tuning.py`` draws it."""
