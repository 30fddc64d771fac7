"""What is done to an image and its truth together."""
