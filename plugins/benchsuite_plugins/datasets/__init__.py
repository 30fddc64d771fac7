"""The reference datasets, one a file."""
