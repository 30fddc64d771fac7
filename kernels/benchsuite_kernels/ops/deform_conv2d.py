"""Convolution that reads where it is told (Dai et al., "Deformable convolutional networks", 2017),
and with a mask how much it reads (Zhu et al., "Deformable ConvNets v2", 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchsuite_kernels.ops.deform_columns import Columns, CppColumns, CudaColumns, Geometry
from benchsuite_kernels.ops.registration import register, register_gradient

Pair = tuple[int, int]


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    mask: Tensor | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> Tensor:
    """Convolve, bilinearly, with zeros outside of ``x``.

    Where an offset is not a number, nothing is read.

    Args:
        x: (N, C, H, W), floating, contiguous or channels last.
        offset: (N, G * 2 * KH * KW, H', W'): dy and dx in cells of ``x``, for each point of the
            kernel, row by row; for each of G equal groups of channels, one after the other. In
            half precision coordinates beyond some hundred cells are coarse: float32 may go with a
            half ``x``.
        weight: (O, C / groups, KH, KW), of ``x``'s dtype.
        bias: (O,), of ``x``'s dtype.
        mask: (N, G * KH * KW, H', W'): factors of what is read; ``None``: 1.
        stride, padding, dilation: along y and x.

    Returns:
        (N, O, H', W'), of ``x``'s dtype and memory format; on the CPU half precision is computed
        in float32. Differentiable in all tensors, once. On CUDA the gradient of ``x`` is summed in
        no fixed order.

    Raises:
        ValueError: shapes or dtypes that do not fit together.
    """
    _check(x, offset, weight, bias, mask, stride, padding, dilation)
    output: Tensor = _operator(x, offset, mask, weight, bias, stride, padding, dilation)
    return output


def _check(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    if x.ndim != 4 or weight.ndim != 4 or offset.ndim != 4:
        raise ValueError(f"x has {x.ndim}, weight {weight.ndim}, offset {offset.ndim} axes, not 4")
    if min(stride) < 1 or min(dilation) < 1 or min(padding) < 0:
        raise ValueError(f"stride={stride}, padding={padding}, dilation={dilation}")
    images, channels = x.shape[:2]
    outputs, in_group, *kernel = weight.shape
    points = kernel[0] * kernel[1]
    size = tuple(
        (x.shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1)
        // stride[axis]
        + 1
        for axis in (0, 1)
    )
    if not points or not in_group or channels % in_group or outputs % (channels // in_group):
        raise ValueError(f"weight {tuple(weight.shape)} does not fit {channels} channels")
    offset_groups = offset.shape[1] // (2 * points)
    if (
        min(size) < 1
        or not offset_groups
        or channels % offset_groups
        or offset.shape != (images, offset_groups * 2 * points, *size)
    ):
        raise ValueError(
            f"offset {tuple(offset.shape)} is not ({images}, G * {2 * points}, {size[0]}, "
            f"{size[1]}) with G that divides {channels}"
        )
    if mask is not None and mask.shape != (images, offset_groups * points, *size):
        raise ValueError(f"mask {tuple(mask.shape)} does not fit offset {tuple(offset.shape)}")
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"bias {tuple(bias.shape)} for {outputs} channels")
    if any(each is not None and each.dtype != x.dtype for each in (weight, bias)):
        raise ValueError(f"weight or bias are not {x.dtype}, as x is")
    if any(
        each is not None and each.dtype not in (x.dtype, torch.float32) for each in (offset, mask)
    ) or (x.dtype is torch.float64 and offset.dtype is not torch.float64):
        raise ValueError(f"offset or mask are neither {x.dtype}, as x is, nor float32 with a half")


def reference(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    """``deform_conv2d`` by torchvision, in float32 or float64."""
    wide = torch.promote_types(x.dtype, torch.float32)
    geometry = Geometry.of(x, offset, weight, stride, padding, dilation, mask)
    shift = weight.new_zeros(len(weight)) if bias is None else bias
    weight, offset, mask, shift = _sound(weight, offset, mask, shift, wide)
    out = torch.ops.torchvision.deform_conv2d(
        x.to(wide), weight, offset, mask, shift, *_torchvision(geometry)
    )
    return out.to(x.dtype).contiguous(memory_format=layout_of(x))


def reference_backward(
    gradient: Tensor,
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, offset, mask (empty without one) and weight, by torchvision."""
    wide = torch.promote_types(x.dtype, torch.float32)
    geometry = Geometry.of(x, offset, weight, stride, padding, dilation, mask)
    dtypes = x.dtype, offset.dtype, offset.dtype if mask is None else mask.dtype
    shift = weight.new_zeros(len(weight))
    weight, offset, mask, shift = _sound(weight, offset, mask, shift, wide)
    of_x, of_weight, of_offset, of_mask, _ = torch.ops.torchvision._deform_conv2d_backward(
        gradient.to(wide).contiguous(),
        x.to(wide),
        weight,
        offset,
        mask,
        shift,
        *_torchvision(geometry),
    )
    of_mask = of_mask if geometry.masked else of_mask.new_zeros(0)
    return (
        of_x.to(dtypes[0]).contiguous(memory_format=layout_of(x)),
        of_offset.to(dtypes[1]).clone(),
        of_mask.to(dtypes[2]).clone(),
        of_weight.to(dtypes[0]).clone(),
    )


def _sound(
    weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """In one dtype; what is not a number, or too large for an integer, reads far outside."""
    beyond = float(1 << 20)
    offset = offset.to(dtype).nan_to_num(nan=beyond).clamp(-beyond, beyond)
    mask = offset.new_zeros((len(offset), 1)) if mask is None else mask.to(dtype)
    return weight.to(dtype), offset, mask, bias.to(dtype)


def _torchvision(geometry: Geometry) -> tuple[Any, ...]:
    """The last arguments of torchvision's operators."""
    return (
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
        geometry.groups,
        geometry.offset_groups,
        geometry.masked,
    )


def layout_of(x: Tensor) -> torch.memory_format:
    """Channels last where ``x`` is nothing else."""
    last = torch.channels_last
    only = x.is_contiguous(memory_format=last) and not x.is_contiguous()
    return last if only else torch.contiguous_format


def _with(columns: type[Columns]) -> tuple[Any, Any]:
    """Forward and backward by one kind of kernels."""

    def forward(
        x: Tensor,
        offset: Tensor,
        mask: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
    ) -> Tensor:
        if x.dtype is torch.float64:
            return NotImplemented
        geometry = Geometry.of(x, offset, weight, stride, padding, dilation, mask)
        return columns(geometry, x, offset, mask).convolve(weight, bias, layout_of(x))

    def backward(
        gradient: Tensor,
        x: Tensor,
        offset: Tensor,
        mask: Tensor | None,
        weight: Tensor,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if x.dtype is torch.float64:
            return NotImplemented
        geometry = Geometry.of(x, offset, weight, stride, padding, dilation, mask)
        return columns(geometry, x, offset, mask).gradients(gradient, weight, layout_of(x))

    return forward, backward


def _fake(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    shape = (x.shape[0], weight.shape[0], *offset.shape[2:])
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout_of(x))


def _fake_backward(
    gradient: Tensor,
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    contiguous = torch.contiguous_format
    return (
        torch.empty_like(x, memory_format=layout_of(x)),
        torch.empty_like(offset, memory_format=contiguous),
        offset.new_empty(0) if mask is None else torch.empty_like(mask, memory_format=contiguous),
        torch.empty_like(weight, memory_format=contiguous),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, offset, mask, weight, bias, *ctx.steps = inputs
    ctx.biased = bias is not None
    ctx.save_for_backward(x, offset, mask, weight)


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, offset, mask, weight = ctx.saved_tensors
    of_x, of_offset, of_mask, of_weight = _backward(gradient, x, offset, mask, weight, *ctx.steps)
    of_bias = gradient.sum(dim=(0, 2, 3)) if ctx.biased else None
    return (
        of_x,
        of_offset,
        None if mask is None else of_mask,
        of_weight,
        of_bias,
        *[None] * len(ctx.steps),
    )


_native, _native_backward = _with(CppColumns)
_cuda, _cuda_backward = _with(CudaColumns)
_operator = register(
    "deform_conv2d(Tensor x, Tensor offset, Tensor? mask, Tensor weight, Tensor? bias, "
    "int[] stride, int[] padding, int[] dilation) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
_backward = register(
    "deform_conv2d_backward(Tensor gradient, Tensor x, Tensor offset, Tensor? mask, "
    "Tensor weight, int[] stride, int[] padding, int[] dilation) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference_backward,
    native=_native_backward,
    cuda=_cuda_backward,
    fake=_fake_backward,
)
register_gradient("deform_conv2d", _differentiate, _keep)
