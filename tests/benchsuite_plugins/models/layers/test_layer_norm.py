from __future__ import annotations

import torch

from benchsuite_plugins.models.layers.layer_norm import LayerNorm2d


def test_each_pixel_is_normalised_over_its_channels() -> None:
    torch.manual_seed(0)
    norm = LayerNorm2d(6)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(6))
        norm.bias.copy_(torch.randn(6))
    x = 1e-3 * torch.randn(2, 6, 3, 4) + 5
    exact = x.double()
    mean = exact.mean(1, keepdim=True)
    variance = ((exact - mean) ** 2).mean(1, keepdim=True)
    expected = (exact - mean) / (variance + 1e-6).sqrt()
    expected = expected * norm.weight.view(6, 1, 1) + norm.bias.view(6, 1, 1)
    torch.testing.assert_close(norm(x).double(), expected, atol=2e-3, rtol=0)
