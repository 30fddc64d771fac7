"""Packed masks to runs and back, against pycocotools and the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from benchsuite_kernels import ops
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops.packed_runs import packed_from_runs, runs_from_packed


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_bits_there_and_back(implementation: str, data: st.DataObject) -> None:
    words = data.draw(st.integers(1, 5))
    pixels = data.draw(st.lists(st.integers(0, words * 64), min_size=1, max_size=4))
    bits = torch.tensor(
        data.draw(
            st.lists(
                st.lists(st.integers(-(2**63), 2**63 - 1), min_size=words, max_size=words),
                min_size=len(pixels),
                max_size=len(pixels),
            )
        )
    )
    flat = (bits[:, :, None] >> torch.arange(64) & 1).flatten(1).bool()
    flat[torch.arange(words * 64) >= torch.tensor(pixels)[:, None]] = False
    clean = (flat.view(len(pixels), words, 64).long() << torch.arange(64)).sum(dim=2)
    runs = runs_from_packed(clean, torch.tensor(pixels), words * 64 * len(pixels) + 4)
    with serving("reference"):
        assert torch.equal(
            runs_from_packed(clean, torch.tensor(pixels), words * 64 * len(pixels) + 4), runs
        )
    assert torch.equal(packed_from_runs(runs, len(pixels), words), clean)


def test_masks_that_span_many_segments(implementation: str) -> None:
    height, width = 300, 230
    masks = torch.zeros(3, height, width, dtype=torch.bool)
    masks[1] = True
    masks[2, 5:, 3:227] = True
    bits = ops.pack_masks(masks)
    counts = ops.packed_to_rle(bits, [(height, width)] * 3)
    columns = np.asfortranarray(masks.numpy().astype(np.uint8).transpose(1, 2, 0))
    assert counts == [each["counts"] for each in coco_mask.encode(columns)]
    capacity = 2000
    runs = runs_from_packed(bits, torch.tensor([height * width] * 3), capacity)
    assert torch.equal(packed_from_runs(runs, 3, bits.shape[1]), bits)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_threads_gives_the_same(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    bits = torch.randint(-(2**63), 2**63 - 1, (3, 40), generator=torch.Generator().manual_seed(0))
    pixels = torch.tensor([2560] * 3)
    with serving("reference"):
        want = runs_from_packed(bits, pixels, 8000)
    with serving("emulated"), thread_order(order, 3):
        assert torch.equal(runs_from_packed(bits, pixels, 8000), want)
        assert torch.equal(packed_from_runs(want, 3, 40), bits)
