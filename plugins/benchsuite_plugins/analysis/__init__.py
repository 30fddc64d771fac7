"""What a detector gets wrong: one analysis over the match table of a run or of two files."""
