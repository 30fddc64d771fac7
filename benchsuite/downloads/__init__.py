"""Getting files from elsewhere: whole and checked, or not at all."""
