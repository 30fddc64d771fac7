from __future__ import annotations

import torch

from benchsuite_kernels.ops.head_maps import anchor_rows


def test_head_outputs_are_put_into_the_order_of_the_anchors() -> None:
    images, anchors, values, height, width = 2, 3, 4, 2, 5
    output = torch.arange(images * anchors * values * height * width)
    output = output.view(images, anchors * values, height, width)
    rows = anchor_rows(output, values)
    assert rows.shape == (images, height * width * anchors, values)
    for n, y, x, a, v in [(0, 0, 0, 0, 0), (1, 1, 3, 2, 1), (0, 1, 4, 1, 3)]:
        assert rows[n, (y * width + x) * anchors + a, v] == output[n, a * values + v, y, x]
