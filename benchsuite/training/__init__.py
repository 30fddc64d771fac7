"""Training: a recipe and a dataset become weights.

Nothing here is imported by a command that does not train.
"""
