"""Operators: each a reference in plain torch or NumPy, a kernel in C++, and one in CUDA.

Two halves. ``benchsuite_kernels.columns`` works on NumPy arrays and bytes and imports no torch;
``benchsuite_kernels.ops`` works on tensors. This module answers which implementation serves, and
imports neither half.
"""

from __future__ import annotations

from benchsuite_kernels.dispatch import implementations, reset_served, served, why_reference

__all__ = ["implementations", "reset_served", "served", "why_reference"]
