"""Formats of labels and detections, one a file: the files on one side, columns on the other."""
