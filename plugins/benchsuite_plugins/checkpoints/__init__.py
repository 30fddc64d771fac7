"""Reading published weights, without executing anything that a file holds."""

from __future__ import annotations

from benchsuite_plugins.checkpoints.load_backbone import load_backbone
from benchsuite_plugins.checkpoints.load_initial import load_initial
from benchsuite_plugins.checkpoints.load_state import load_state
from benchsuite_plugins.checkpoints.read_checkpoint import read_checkpoint

__all__ = ["load_backbone", "load_initial", "load_state", "read_checkpoint"]
