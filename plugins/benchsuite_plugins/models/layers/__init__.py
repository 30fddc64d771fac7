"""Layers under the names that Detectron2's checkpoints give their parameters."""
