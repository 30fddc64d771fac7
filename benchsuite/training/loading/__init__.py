"""Micro-batches, loaded ahead by other processes."""
