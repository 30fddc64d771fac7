"""Predictions on their way from a model to columns, kept while a run goes on."""
