"""Folded batch normalisations against the layers they were made of, in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchsuite_plugins.models.execution.folding import fold_batch_norms
from benchsuite_plugins.models.layers.conv import Conv2d


def drawn(norm: str, bias: bool) -> Conv2d:
    torch.manual_seed(0)
    conv = Conv2d(6, 8, 3, padding=1, norm=norm, bias=bias, activation=F.relu_).eval()
    for name in ("weight", "bias", "running_mean"):
        nn.init.normal_(getattr(conv.norm, name))
    nn.init.uniform_(conv.norm.running_var, 1e-6, 3)
    return conv.requires_grad_(False)


@pytest.mark.parametrize("norm", ["FrozenBN", "BN", "SyncBN"])
@pytest.mark.parametrize("bias", [False, True])
def test_folded_is_the_same_function(norm: str, bias: bool) -> None:
    conv = drawn(norm, bias)
    x = torch.randn(2, 6, 9, 7)
    wanted = copy.deepcopy(conv).double()(x.double())
    fold_batch_norms(nn.Sequential(conv))
    assert conv.norm is None
    assert set(conv.state_dict()) == {"weight", "bias"}
    torch.testing.assert_close(conv(x).double(), wanted, rtol=1e-5, atol=1e-5)


def test_other_norms_stay() -> None:
    conv = Conv2d(6, 32, 3, norm="GN").requires_grad_(False)
    fold_batch_norms(conv)
    assert isinstance(conv.norm, nn.GroupNorm)
