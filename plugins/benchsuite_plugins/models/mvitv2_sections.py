"""What the published MViTv2 detectors have in common beside their heads (Li et al., "MViTv2:
improved multiscale vision transformers for classification and detection", 2022)."""

from __future__ import annotations

from dataclasses import replace

from benchsuite_plugins.models import vitdet_sections
from benchsuite_plugins.models.options import FPNOptions

INPUT = replace(vitdet_sections.INPUT, min_size_test=800, max_size_test=1333)

FPN = FPNOptions(in_features=("scale2", "scale3", "scale4", "scale5"))
