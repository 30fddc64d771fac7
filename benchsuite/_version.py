"""The project's version: part of every result's identity."""

__version__ = "0.1.0"
