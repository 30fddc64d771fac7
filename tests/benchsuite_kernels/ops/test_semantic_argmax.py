"""Against all classes at full size at once, by torch's own resize, in float64 too."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import semantic_argmax
from benchsuite_kernels.ops.semantic_argmax import reference

MODULE = import_module("benchsuite_kernels.ops.semantic_argmax")  # not the function

Size = tuple[int, int]

CASES = [
    (7, (8, 16), (32, 64), (32, 64)),
    (7, (8, 16), (30, 61), (45, 93)),
    (3, (16, 8), (63, 5), (11, 1)),
    (1, (8, 8), (1, 32), (1, 200)),
    (300, (8, 8), (32, 32), (9, 9)),
    (54, (1, 1), (4, 3), (5, 7)),
]


def noise(classes: int, cells: Size, seed: int = 0) -> Tensor:
    return torch.randn((classes, *cells), generator=torch.Generator().manual_seed(seed))


def regions(classes: int, cells: Size) -> Tensor:
    """Logits as a trained head gives them: one class leads by far but at the edges."""
    coarse = noise(classes, (3, 4), seed=1)[None]
    smooth = F.interpolate(coarse, cells, mode="bicubic", align_corners=False)[0]
    return 12 * smooth + 0.1 * noise(classes, cells, seed=2)


def resized(logits: Tensor, stride: int, size: Size, original: Size) -> Tensor:
    padded = F.interpolate(logits[None], scale_factor=stride, mode="bilinear", align_corners=False)
    cut = padded[..., : size[0], : size[1]]
    return F.interpolate(cut, original, mode="bilinear", align_corners=False)[0]


def check(labels: Tensor, logits: Tensor, stride: int, size: Size, original: Size) -> None:
    """The class that is chosen has the highest logit, within the rounding of float32."""
    assert labels.shape == original
    assert labels.dtype is (torch.uint8 if len(logits) <= 255 else torch.int32)
    wanted = resized(logits.double(), stride, size, original)
    chosen = wanted.gather(0, labels.long()[None])[0]
    tolerance = 4e-6 * float(logits.abs().max())
    torch.testing.assert_close(chosen, wanted.amax(dim=0), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("classes", "cells", "size", "original"), CASES)
@pytest.mark.parametrize("make", [noise, regions])
@pytest.mark.parametrize("classes_last", [False, True])
def test_equals_all_classes_at_once(
    implementation: str, classes: int, cells: Size, size: Size, original: Size, make, classes_last
) -> None:
    logits = make(classes, cells)
    if classes_last:
        logits = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    reset_served()
    labels = semantic_argmax(logits, 4, size, original)
    assert served() == {"semantic_argmax": implementation}
    check(labels, logits, 4, size, original)
    at_once = resized(logits, 4, size, original).argmax(dim=0)
    assert (labels != at_once).sum() <= (0 if implementation == "reference" else 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes_last", [False, True])
def test_halves_are_read_as_they_are(
    implementation: str, dtype: torch.dtype, classes_last: bool
) -> None:
    logits = regions(9, (12, 10)).to(dtype)
    if classes_last:
        logits = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    reset_served()
    labels = semantic_argmax(logits, 4, (45, 38), (30, 77))
    assert served() == {"semantic_argmax": implementation}
    check(labels, logits, 4, (45, 38), (30, 77))


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_sizes(implementation: str, data: st.DataObject) -> None:
    classes, stride = data.draw(st.integers(1, 6)), data.draw(st.sampled_from([1, 2, 3, 4, 8]))
    cells = (data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7)))
    size = tuple(data.draw(st.integers(1, stride * length)) for length in cells)
    original = (data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30)))
    logits = noise(classes, cells, data.draw(st.integers(0, 9)))
    check(semantic_argmax(logits, stride, size, original), logits, stride, size, original)


@pytest.mark.parametrize("at_once", [1, 5000])
def test_the_references_memory_bound_changes_nothing(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = regions(11, (8, 9))
    logits[7, 3, 3] = torch.nan
    wanted = reference(logits, 4, (30, 33), (51, 47))
    monkeypatch.setattr(MODULE, "ELEMENTS_AT_ONCE", at_once)
    assert torch.equal(reference(logits, 4, (30, 33), (51, 47)), wanted)


def test_the_first_of_equal_classes_is_taken(implementation: str) -> None:
    logits = torch.tensor([0.0, 2.0, 2.0, 1.0])[:, None, None].expand(4, 8, 8)
    assert (semantic_argmax(logits, 4, (32, 32), (10, 10)) == 1).all()


def test_nan_is_the_best_and_infinity_may_be(implementation: str) -> None:
    logits = regions(6, (9, 9))
    logits[4, 2, 3] = logits[2, 3, 3] = torch.nan
    logits[1, 7, 7] = logits[:5, 5, 6] = -torch.inf
    logits[3, 8, 0] = torch.inf
    found = semantic_argmax(logits, 4, (36, 36), (50, 61))
    wanted = resized(logits, 4, (36, 36), (50, 61)).argmax(dim=0)  # the first NaN, if any
    assert torch.equal(found.long(), wanted)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    logits = noise(20, (40, 50))
    arguments = (logits, 4, (160, 200), (300, 411))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = semantic_argmax(*arguments)
        torch.set_num_threads(threads)
        assert torch.equal(semantic_argmax(*arguments), alone)
    finally:
        torch.set_num_threads(before)


def test_float64_is_the_references() -> None:
    logits = noise(5, (6, 7)).double()
    reset_served()
    labels = semantic_argmax(logits, 4, (24, 27), (31, 33))
    assert served() == {"semantic_argmax": "reference"}
    wanted = resized(logits, 4, (24, 27), (31, 33)).argmax(dim=0)
    assert torch.equal(labels.long(), wanted)


def test_torch_finds_it_a_sound_operator() -> None:
    torch.library.opcheck(
        torch.ops.benchsuite.semantic_argmax.default, (noise(5, (6, 7)), 4, [24, 27], [31, 33])
    )


@pytest.mark.parametrize(
    ("shape", "stride", "size", "original"),
    [
        ((0, 8, 8), 4, (32, 32), (9, 9)),
        ((3, 8), 4, (32, 32), (9, 9)),
        ((3, 8, 8), 4, (33, 32), (9, 9)),
        ((3, 8, 8), 4, (32, 0), (9, 9)),
        ((3, 8, 8), 0, (1, 1), (9, 9)),
        ((3, 8, 8), 4, (32, 32), (0, 9)),
    ],
)
def test_what_does_not_fit_is_refused(
    implementation: str, shape: tuple[int, ...], stride: int, size: Size, original: Size
) -> None:
    with pytest.raises(ValueError, match=r"are not \(K, h, w\)|does not lie in"):
        semantic_argmax(torch.zeros(shape), stride, size, original)
