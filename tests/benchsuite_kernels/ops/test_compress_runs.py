"""Letters of run lengths against pycocotools."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from benchsuite_kernels import ops
from benchsuite_kernels.ops.compress_runs import compress_runs
from benchsuite_kernels.ops.packed_runs import runs_from_packed


def compressed(masks: np.ndarray, room: int, letters: int) -> tuple[list[int], bytes]:
    """Heads and letters of (R, H, W) masks."""
    count, pixels = len(masks), masks[0].size
    bits = ops.pack_masks(torch.from_numpy(masks).bool())
    runs = runs_from_packed(bits, torch.full((count,), pixels), room)
    text = compress_runs(runs, count, letters)
    assert text.dtype == torch.int32 and len(text) == count + 2 + -(-letters // 4)
    return text[: count + 2].tolist(), text[count + 2 :].numpy().tobytes()


def by_pycocotools(masks: np.ndarray) -> list[bytes]:
    columns = np.asfortranarray(masks.astype(np.uint8).transpose(1, 2, 0))
    return [each["counts"] for each in coco_mask.encode(columns)]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(0, 2**31),
    st.integers(1, 5),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.floats(0, 1),
)
def test_any_masks(
    implementation: str, seed: int, count: int, size: tuple[int, int], share: float
) -> None:
    masks = np.random.default_rng(seed).random((count, *size)) < share
    heads, letters = compressed(masks, 5000, 10000)
    want = by_pycocotools(masks)
    assert letters[: heads[count]] == b"".join(want)
    assert heads[: count + 1] == np.cumsum([0, *map(len, want)]).tolist()


def test_long_runs_have_many_letters(implementation: str) -> None:
    masks = np.zeros((3, 1000, 1100), bool)
    masks[0, :, 500:510] = masks[0, 17, 900] = masks[1, 3:900, 4:1000:2] = True
    heads, letters = compressed(masks, 3000, 6000)
    want = by_pycocotools(masks)
    assert letters[: heads[3]] == b"".join(want)
    assert heads[4] == 5 + 2 * 498 + 1 + 1


def test_what_finds_no_room_is_counted(implementation: str) -> None:
    masks = np.random.default_rng(0).random((3, 20, 20)) < 0.5
    whole, letters = compressed(masks, 1000, 2000)
    few, first = compressed(masks, 1000, 10)
    assert few == whole and first[:10] == letters[:10]
    assert compressed(masks, 50, 2000)[0][4] == whole[4] > 50


def test_more_runs_than_expected_are_found_again(implementation: str) -> None:
    masks = np.zeros((2, 80, 80), bool)
    masks[:, ::2] = True
    bits = ops.pack_masks(torch.from_numpy(masks))
    assert ops.packed_to_rle(bits, [(80, 80)] * 2) == by_pycocotools(masks)


def test_nothing(implementation: str) -> None:
    runs = torch.zeros(1 + 4, dtype=torch.int32)
    assert compress_runs(runs, 0, 8).tolist() == [0, 0, 0, 0]
    assert compress_runs(runs[:1], 0, 0).tolist() == [0, 0]
