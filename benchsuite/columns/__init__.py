"""COCO records as columns: truth and results files, read once and named in every error."""
