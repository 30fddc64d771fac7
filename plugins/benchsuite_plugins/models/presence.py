"""Regions and detections that are not there.

Reading how many there are means waiting for the device. So operators give each image a fixed number
of rows, and mark those that are left over by a score of minus infinity. Where waiting costs
something, the heads look at these rows too (their boxes are zeros, their labels 0), and they are
dropped when results are fetched; on the CPU they are dropped at once.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import emulating
from benchsuite_plugins.models.instances import Detections, Proposals

ABSENT = float("-inf")

Rows = TypeVar("Rows", Proposals, Detections)


def drop_absent(rows: Rows) -> Rows:
    """The rows that are there. This waits for the device."""
    return rows.take((rows.scores != ABSENT).nonzero().squeeze(1))


def drop_absent_unless_waiting(rows: Rows) -> Rows:
    """The rows that are there, on the CPU; elsewhere all."""
    on_cpu = rows.scores.device.type == "cpu" and not emulating()
    return drop_absent(rows) if on_cpu else rows


def images_of_present(rows: Proposals) -> Tensor:
    """(R,) int64: the image of each row, -1 of those that are absent."""
    return torch.where(rows.scores != ABSENT, rows.image_index, -1)
