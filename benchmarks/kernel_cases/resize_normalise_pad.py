"""A decoded image to a batch, beside Pillow's resize and torch's normalisation."""

from __future__ import annotations

import numpy as np
import PIL.Image
import torch
from measuring.sides import Case
from torch import Tensor

from benchsuite_kernels import ops
from kernel_cases.inputs import same

MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def beside_pillow(
    source: tuple[int, int],
    size: tuple[int, int],
    *,
    multiple: int = 32,
    channels_last: bool = False,
) -> Case:
    pixels = np.random.default_rng(9).integers(0, 256, (*source, 3), np.uint8)
    image = torch.from_numpy(pixels)
    height, width = (-(-side // multiple) * multiple for side in size)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, STD))

    def theirs() -> Tensor:
        resized = PIL.Image.fromarray(pixels).resize(size[::-1], PIL.Image.Resampling.BILINEAR)
        bgr = np.ascontiguousarray(np.asarray(resized)[:, :, ::-1])
        batch = torch.zeros(1, 3, height, width)
        batch[0, :, : size[0], : size[1]] = (torch.from_numpy(bgr).permute(2, 0, 1) - mean) / std
        return batch

    return Case(
        "Pillow",
        lambda: ops.resize_normalise_pad(
            [image],
            [size],
            (height, width),
            mean=MEAN,
            std=STD,
            reverse_channels=True,
            channels_last=channels_last,
        ),
        theirs,
        same,
    )


CASES = {
    "resize_normalise_pad/480x640_to_800x1067": lambda: beside_pillow((480, 640), (800, 1067)),
    "resize_normalise_pad/480x640_to_800x1067_channels_last": lambda: beside_pillow(
        (480, 640), (800, 1067), channels_last=True
    ),
    "resize_normalise_pad/1536x2048_to_800x1067": lambda: beside_pillow((1536, 2048), (800, 1067)),
    "dispatch/resize_normalise_pad": lambda: beside_pillow((1, 1), (1, 1), multiple=1),
}
