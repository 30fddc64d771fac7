"""A distribution of images, and intervals of what is drawn of it."""
