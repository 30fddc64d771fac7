"""What can end a training early, and what is said and kept then."""
