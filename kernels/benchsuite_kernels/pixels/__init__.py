"""Operators on decoded images: NumPy arrays in, NumPy arrays out."""
