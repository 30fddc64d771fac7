"""Inputs and both sides of a training step, as ``training.py`` measures it."""
