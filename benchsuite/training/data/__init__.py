"""What is trained on: images and their truth, from columns that all processes share."""
