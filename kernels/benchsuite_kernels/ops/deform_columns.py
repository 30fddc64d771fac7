"""A deformable convolution as a product: columns of what is read, times the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.tensors import stored

THREADS = 256
WARP = 32
MOST_BLOCKS = 1 << 16


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a deformable convolution reads, and where from; pairs are along y and x.

    Attributes:
        size: of the input; ``channels`` of it.
        out_size: of the output.
        groups: of channels, with weights of their own.
        offset_groups: of channels, with offsets (and masks) of their own.
        masked: whether there is a mask.
    """

    images: int
    channels: int
    size: tuple[int, int]
    out_size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_groups: int
    masked: bool

    @staticmethod
    def of(
        x: Tensor,
        offset: Tensor,
        weight: Tensor,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        mask: Tensor | None,
    ) -> Geometry:
        """As ``deform_conv2d`` is called."""
        images, channels, height, width = x.shape
        _, in_group, kernel_height, kernel_width = weight.shape
        return Geometry(
            images,
            channels,
            (height, width),
            (offset.shape[2], offset.shape[3]),
            (kernel_height, kernel_width),
            (stride[0], stride[1]),
            (padding[0], padding[1]),
            (dilation[0], dilation[1]),
            channels // in_group,
            offset.shape[1] // (2 * kernel_height * kernel_width),
            mask is not None,
        )

    @property
    def rows(self) -> int:
        """Points of the output, of all images."""
        return self.images * self.out_size[0] * self.out_size[1]

    @property
    def points(self) -> int:
        """Of the kernel."""
        return self.kernel[0] * self.kernel[1]


class Columns(ABC):
    """The columns of one call, some rows at a time, and what is computed from them.

    A row is a point of the output, of all images one after the other. The columns of some rows are
    (groups, rows, points * channels of a group), in ``dtype``.

    Args:
        x: (N, C, H, W); offset, mask: as ``deform_conv2d`` takes them.
    """

    bytes_at_once: int
    """Memory that columns may take."""

    def __init__(self, geometry: Geometry, x: Tensor, offset: Tensor, mask: Tensor | None) -> None:
        self.geometry = geometry
        self.dtypes = x.dtype, offset.dtype, offset.dtype if mask is None else mask.dtype
        self.dtype = self.computed_in(x.dtype)
        self.input = stored(x.permute(0, 2, 3, 1).to(self.dtype))
        self.offset = stored(offset.float())
        self.mask = None if mask is None else stored(mask.float())

    @staticmethod
    @abstractmethod
    def computed_in(dtype: torch.dtype) -> torch.dtype:
        """What columns are held in, and multiplied."""

    @abstractmethod
    def fill(self, begin: int, columns: Tensor) -> None:
        """Write the columns of the rows from ``begin``."""

    @abstractmethod
    def differentiate(
        self, begin: int, slopes: Tensor, of_x: Tensor, of_offset: Tensor, of_mask: Tensor | None
    ) -> None:
        """From the gradients of those columns, add that of the input (N, H, W, C), and write those
        of the offset and the mask; float32 all three."""

    def convolve(self, weight: Tensor, bias: Tensor | None, layout: torch.memory_format) -> Tensor:
        """The convolution: (N, O, H', W'), in the input's dtype."""
        matrix = self._matrix(weight)
        out = torch.empty(
            (self.geometry.groups, self.geometry.rows, matrix.shape[2]),
            dtype=self.dtype,
            device=weight.device,
        )
        with torch.autocast(weight.device.type, enabled=False):
            for begin, end, columns in self._parts():
                self.fill(begin, columns)
                out[:, begin:end] = torch.bmm(columns, matrix)
        rows = out.transpose(0, 1).reshape(self.geometry.rows, len(weight))
        if bias is not None:
            rows += bias.to(self.dtype)
        return self._maps(rows, self.geometry.out_size).to(self.dtypes[0], memory_format=layout)

    def gradients(
        self, gradient: Tensor, weight: Tensor, layout: torch.memory_format
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of input, offset, mask (empty without one) and weight, in their dtypes."""
        geometry, matrix = self.geometry, self._matrix(weight)
        rows = gradient.permute(0, 2, 3, 1).to(self.dtype)
        rows = rows.reshape(geometry.rows, geometry.groups, matrix.shape[2]).transpose(0, 1)
        of_x = torch.zeros(self.input.shape, device=weight.device)
        of_offset = torch.zeros_like(self.offset)
        of_mask = None if self.mask is None else torch.zeros_like(self.mask)
        of_matrix = torch.zeros(matrix.shape, device=weight.device)
        with torch.autocast(weight.device.type, enabled=False):
            for begin, end, columns in self._parts():
                slopes = rows[:, begin:end]
                self.fill(begin, columns)
                of_matrix += torch.bmm(columns.transpose(1, 2), slopes)
                torch.bmm(slopes, matrix.transpose(1, 2), out=columns)
                self.differentiate(begin, columns, of_x, of_offset, of_mask)
        of_weight = of_matrix.view(geometry.groups, geometry.points, -1, matrix.shape[2])
        return (
            self._maps(of_x, geometry.size).to(self.dtypes[0], memory_format=layout),
            of_offset.to(self.dtypes[1]),
            of_offset.new_zeros(0) if of_mask is None else of_mask.to(self.dtypes[2]),
            of_weight.permute(0, 3, 2, 1).reshape(weight.shape).to(weight.dtype),
        )

    def _matrix(self, weight: Tensor) -> Tensor:
        """(groups, points * channels of a group, outputs of a group)."""
        groups, points = self.geometry.groups, self.geometry.points
        split = weight.to(self.dtype).reshape(groups, len(weight) // groups, -1, points)
        return split.permute(0, 3, 2, 1).flatten(1, 2).contiguous()

    def _parts(self) -> Iterator[tuple[int, int, Tensor]]:
        """Rows from, up to, and memory for their columns, which is used again for the next."""
        geometry = self.geometry
        width = geometry.points * geometry.channels
        # The same parts whatever the number of threads, so that sums are the same.
        most = max(self.bytes_at_once // (width * self.dtype.itemsize), 64)
        memory = self.input.new_empty(min(most, geometry.rows) * width)
        for begin in range(0, geometry.rows, most):
            end = min(begin + most, geometry.rows)
            part = memory[: (end - begin) * width]
            yield begin, end, part.view(geometry.groups, end - begin, width // geometry.groups)

    def _maps(self, rows: Tensor, size: tuple[int, int]) -> Tensor:
        """Rows of channels as (N, channels, height, width)."""
        return rows.view(self.geometry.images, *size, rows.shape[-1]).permute(0, 3, 1, 2)


class CppColumns(Columns):
    """By the C++ kernels; half precision is computed in float32."""

    bytes_at_once = 1 << 24

    @staticmethod
    def computed_in(dtype: torch.dtype) -> torch.dtype:
        return torch.float32

    def fill(self, begin: int, columns: Tensor) -> None:
        extension().deform_columns(*self._read(), begin, columns, torch.get_num_threads())

    def differentiate(
        self, begin: int, slopes: Tensor, of_x: Tensor, of_offset: Tensor, of_mask: Tensor | None
    ) -> None:
        extension().deform_columns_backward(
            *self._read(), begin, slopes, of_x, of_offset, of_mask, torch.get_num_threads()
        )

    def _read(self) -> tuple[object, ...]:
        g = self.geometry
        sizes = [*g.kernel, *g.stride, *g.padding, *g.dilation]
        return self.input, self.offset, self.mask, sizes, g.groups


class CudaColumns(Columns):
    """By the CUDA kernels."""

    bytes_at_once = 1 << 28

    @staticmethod
    def computed_in(dtype: torch.dtype) -> torch.dtype:
        return dtype

    def fill(self, begin: int, columns: Tensor) -> None:
        self._launch("deform_columns", begin, columns, (self.input,), (columns,))

    def differentiate(
        self, begin: int, slopes: Tensor, of_x: Tensor, of_offset: Tensor, of_mask: Tensor | None
    ) -> None:
        unused = of_offset if of_mask is None else of_mask
        self._launch(
            "deform_offset_gradients", begin, slopes, (self.input,), (slopes, of_offset, unused)
        )
        self._launch("deform_input_gradient", begin, slopes, (), (slopes, of_x))

    def _launch(
        self,
        kernel: str,
        begin: int,
        columns: Tensor,
        before: tuple[Tensor, ...],
        after: tuple[Tensor, ...],
    ) -> None:
        """Start a kernel whose arguments are ``before``, offset, mask, ``after`` and the sizes."""
        g = self.geometry
        mask = self.offset if self.mask is None else self.mask
        threads = columns.shape[1] * g.offset_groups * g.points * WARP
        launch(
            "deform_columns.cu",
            kernel,
            grid=(min(-(-threads // THREADS), MOST_BLOCKS), 1, 1),
            block=(THREADS, 1, 1),
            arguments=(
                *before,
                self.offset,
                mask,
                *after,
                int(g.masked),
                begin,
                columns.shape[1],
                *g.size,
                g.channels,
                *g.out_size,
                g.kernel[1],
                g.points,
                *g.stride,
                *g.padding,
                *g.dilation,
                g.groups,
                g.offset_groups,
            ),
            scalar=self.dtype,
        )
