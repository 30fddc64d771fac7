"""Lets pytest find what the benchmarks here share, as Python does for a script."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
