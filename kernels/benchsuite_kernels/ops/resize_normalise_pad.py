"""From decoded images to the network's input: resized, normalised, padded to a batch.

The resize is Pillow's bilinear filter on 8 bits, to the bit: a triangle that grows with the pixels
that are shrunk, along rows first, then along columns, rounded in between (see
``pixels.resize``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.source import MACROS
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored
from benchsuite_kernels.pixels.resize import resize_by_pillow


def resize_normalise_pad(
    images: Sequence[Tensor],
    sizes: Sequence[tuple[int, int]],
    padded_size: tuple[int, int],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    reverse_channels: bool = False,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:
    """A batch of images, each in the upper left corner of its place, with zeros around.

    A value of the batch is ``(value - mean) / std`` in float32 of the resized image's 8 bits, then
    rounded to ``dtype``.

    Args:
        images: at least one (H, W, 3) uint8, on the device where the batch shall be.
        sizes: height and width of each after the resize.
        padded_size: height and width of the batch, which no image passes.
        mean, std: of the three channels of the batch.
        reverse_channels: whether the batch has the channels of the images in reversed order.
        dtype: float32, float16, bfloat16, or float64.
        channels_last: whether the channels lie beside each other in memory.

    Returns:
        (N, 3, *padded_size).

    Raises:
        ValueError: images, sizes, ``mean`` or ``std`` that are not as above.
    """
    if not images or len(images) != len(sizes) or len(mean) != 3 or len(std) != 3:
        raise ValueError(
            f"{len(images)} images, {len(sizes)} sizes, {len(mean)} means and {len(std)} standard "
            "deviations are not N, N, 3 and 3 with N at least 1"
        )
    flat = []
    for image, size in zip(images, sizes, strict=True):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != torch.uint8:
            raise ValueError(f"an image is (H, W, 3) uint8, not {tuple(image.shape)} {image.dtype}")
        (height, width), (high, wide) = size, padded_size
        if not (0 < height <= high and 0 < width <= wide and image.numel()):
            raise ValueError(
                f"an image of {tuple(image.shape[:2])} pixels cannot become {tuple(size)} in a "
                f"batch of {tuple(padded_size)}"
            )
        flat += size
    batch: Tensor = _operator(
        images, flat, padded_size, mean, std, reverse_channels, dtype, channels_last
    )
    return batch


def reference(
    images: Sequence[Tensor],
    sizes: Sequence[int],
    padded_size: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    reverse: bool,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    """``resize_normalise_pad`` by Pillow and torch. For float64 the normalisation is in it too."""
    device = images[0].device
    compute = torch.float64 if dtype is torch.float64 else torch.float32
    of_mean, of_std = (
        torch.tensor(each, dtype=compute, device=device).view(3, 1, 1) for each in (mean, std)
    )
    batch = _empty(images, padded_size, dtype, channels_last).zero_()
    for padded, image, height, width in zip(batch, images, sizes[::2], sizes[1::2], strict=True):
        resized = torch.from_numpy(resize_by_pillow(image.cpu().numpy(), (height, width)))
        planes = resized.to(device).permute(2, 0, 1)
        if reverse:
            planes = planes.flip(0)
        padded[:, :height, :width] = (planes - of_mean) / of_std
    return batch


def _native(
    images: Sequence[Tensor],
    sizes: Sequence[int],
    padded_size: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    reverse: bool,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    if dtype not in MACROS:
        return NotImplemented
    batch = _empty(images, padded_size, dtype, channels_last)
    memory = batch.permute(0, 2, 3, 1) if channels_last else batch
    extension().resize_normalise_pad(
        [stored(image) for image in images],
        list(sizes),
        list(mean),
        list(std),
        reverse,
        channels_last,
        memory,
        torch.get_num_threads(),
    )
    return batch


BLOCK = 128
LARGEST_GRID = 65535


def _cuda(
    images: Sequence[Tensor],
    sizes: Sequence[int],
    padded_size: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    reverse: bool,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    if dtype not in MACROS:
        return NotImplemented
    batch = _empty(images, padded_size, dtype, channels_last)
    high, wide = padded_size
    steps = batch.stride()[1:]
    places = batch.permute(0, 2, 3, 1) if channels_last else batch
    numbers = [float(each) for each in (*mean, *std)]
    for place, image, height, width in zip(places, images, sizes[::2], sizes[1::2], strict=True):
        rows = image.new_empty((image.shape[0], width, 3))
        launch(
            "resize_normalise_pad.cu",
            "resize_image_rows",
            grid=(-(-width // BLOCK), min(image.shape[0], LARGEST_GRID), 1),
            block=(BLOCK, 1, 1),
            arguments=(stored(image), rows, *image.shape[:2], width, int(reverse)),
            scalar=dtype,
        )
        launch(
            "resize_normalise_pad.cu",
            "normalise_image_columns",
            grid=(-(-wide // BLOCK), min(high, LARGEST_GRID), 1),
            block=(BLOCK, 1, 1),
            arguments=(
                *(rows, place, image.shape[0], height, width, high, wide),
                *(*steps, *numbers),
            ),
            scalar=dtype,
        )
    return batch


def _empty(
    images: Sequence[Tensor], padded_size: Sequence[int], dtype: torch.dtype, channels_last: bool
) -> Tensor:
    return torch.empty(
        (len(images), 3, *padded_size),
        dtype=dtype,
        device=images[0].device,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )


def _fake(
    images: Sequence[Tensor],
    sizes: Sequence[int],
    padded_size: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    reverse: bool,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    return _empty(images, padded_size, dtype, channels_last)


_operator = register(
    "resize_normalise_pad(Tensor[] images, int[] sizes, int[] padded_size, float[] mean, "
    "float[] std, bool reverse, ScalarType dtype, bool channels_last) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
