"""What ``gpu.py`` does on a GPU, a section a module."""
