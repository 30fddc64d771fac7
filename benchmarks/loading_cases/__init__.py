"""Data and sides of the loaders, as ``loading.py`` measures them."""
