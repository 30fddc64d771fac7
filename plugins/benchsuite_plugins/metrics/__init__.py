"""The reference metrics, one protocol a file."""
