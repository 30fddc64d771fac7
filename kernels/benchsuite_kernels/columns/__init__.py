"""Operators on columns: NumPy arrays and bytes, no torch."""
