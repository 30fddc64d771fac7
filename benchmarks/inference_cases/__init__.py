"""Models of ours and their peers, as ``inference.py`` measures them."""
