"""Golden folders as networks and inputs, and published configurations as names and shapes."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from benchsuite_plugins.models.backbones.mvit import MViT
from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SimpleFeaturePyramidOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.backbones.regnet import RegNet
from benchsuite_plugins.models.backbones.simple_feature_pyramid import SimpleFeaturePyramid
from benchsuite_plugins.models.backbones.swin import SwinTransformer
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.options import FPNOptions, NormName

Shapes = list[tuple[str, list[int]]]


@dataclass(frozen=True)
class GoldenCase:
    """A case of a golden folder.

    Attributes:
        config: what ``config.json`` says.
        weights: those under ``backbone.``, without that prefix.
        pixels: the network's input, (N, 3, H, W).
        input_sha256: of each image's, as recorded.
        features: what is recorded under ``feat.<name>.``: name to sample, its step and the shape.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    pixels: Tensor
    input_sha256: list[str]
    features: dict[str, tuple[NDArray[np.float32], int, tuple[int, ...]]]

    def deviation(self, name: str, feature: Tensor) -> float:
        """The largest deviation from the recorded sample, over its rms."""
        sample, step, shape = self.features[name]
        assert tuple(feature.shape) == shape
        got = feature.reshape(-1)[::step].double().numpy()
        expected = sample.astype(np.float64)
        return float(np.abs(got - expected).max() / np.sqrt((expected**2).mean()))


@pytest.fixture
def golden_case(golden: Path) -> Callable[[str, str], GoldenCase]:
    def read(folder: str, case: str) -> GoldenCase:
        path = golden / folder
        if not path.is_dir():
            pytest.skip(f"no golden folder {folder}")
        config = json.loads((path / "config.json").read_text())
        files = config["cases"][case]
        arrays = np.load(path / "weights.npz")
        outputs = [np.load(path / name) for name in files["outputs"]]
        features = {
            name.removesuffix(".sample"): (
                outputs[0][name],
                int(outputs[0][name.replace(".sample", ".k")]),
                tuple(outputs[0][name.replace(".sample", ".shape")].tolist()),
            )
            for name in outputs[0].files
            if name.startswith("feat.") and name.endswith(".sample")
        }
        images = [np.asarray(Image.open(path / name)) for name in files["images"]]
        return GoldenCase(
            config,
            {
                name.removeprefix("backbone."): torch.from_numpy(arrays[name])
                for name in arrays.files
                if name.startswith("backbone.")
            },
            network_input(config, images, [str(out["resized_sha256"]) for out in outputs]),
            [str(out["input_sha256"]) for out in outputs],
            {name.removeprefix("feat."): value for name, value in features.items()},
        )

    return read


def network_input(
    config: dict[str, Any], images: list[NDArray[np.uint8]], resized_sha256: list[str]
) -> Tensor:
    """The steps of ``golden/README.md``, from RGB images to (N, 3, H, W)."""
    settings = config["input"]
    arrays = []
    for image, digest in zip(images, resized_sha256, strict=True):
        height, width = image.shape[:2]
        scale = settings["min_size_test"] / min(height, width)
        scale = min(scale, settings["max_size_test"] / max(height, width))
        size = int(width * scale + 0.5), int(height * scale + 0.5)
        resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        if settings["format"] == "BGR":
            resized = resized[:, :, ::-1]
        assert hashlib.sha256(np.ascontiguousarray(resized).tobytes()).hexdigest() == digest
        mean = np.array(settings["pixel_mean"], dtype=np.float32)
        std = np.array(settings["pixel_std"], dtype=np.float32)
        arrays.append(((resized.astype(np.float32) - mean) / std).transpose(2, 0, 1))
    square = {**config.get("fpn", {}), **config.get("simple_feature_pyramid", {})}.get("square_pad")
    sides = [square or -(-max(array.shape[axis] for array in arrays) // 32) * 32 for axis in (1, 2)]
    batch = torch.zeros(len(arrays), 3, *sides)
    for padded, array in zip(batch, arrays, strict=True):
        padded[:, : array.shape[1], : array.shape[2]] = torch.from_numpy(array)
    return batch


@pytest.fixture
def build_golden() -> Callable[[dict[str, Any]], nn.Module]:
    """The backbone, pyramid and all, that a golden ``config.json`` describes, for inference."""

    def build(config: dict[str, Any]) -> nn.Module:
        if "vit" in config:
            settings = config["simple_feature_pyramid"]
            options = SimpleFeaturePyramidOptions(
                scale_factors=tuple(map(float, settings["scale_factors"])),
                out_channels=settings["out_channels"],
            )
            return SimpleFeaturePyramid(_vit(config["vit"]), options, LastLevelMaxPool()).eval()
        if "swin" in config:
            return feature_pyramid(_swin(config["swin"]), config["fpn"]).eval()
        if "mvit" in config:
            return feature_pyramid(_mvit(config["mvit"]), config["fpn"]).eval()
        return feature_pyramid(_regnet(config["regnet"]), config["fpn"]).eval()

    return build


def feature_pyramid(bottom_up: Any, settings: dict[str, Any]) -> nn.Module:
    norm: NormName = "LN" if settings["norm"].startswith("LN") else settings["norm"]
    options = FPNOptions(tuple(settings["in_features"]), settings["out_channels"], norm)
    return FPN(bottom_up, options, LastLevelMaxPool())


def _vit(settings: dict[str, Any]) -> ViT:
    return ViT(
        ViTOptions(
            img_size=settings["img_size"],
            patch_size=settings["patch_size"],
            embed_dim=settings["embed_dim"],
            depth=settings["depth"],
            num_heads=settings["num_heads"],
            mlp_ratio=settings["mlp_ratio"],
            window_size=settings["window_size"],
            global_block_indexes=tuple(settings["global_block_indexes"]),
            pretrain_img_size=settings["pretrain_img_size"],
            drop_path_rate=settings["drop_path"],
        )
    )


def _swin(settings: dict[str, Any]) -> SwinTransformer:
    return SwinTransformer(
        SwinOptions(
            embed_dim=settings["embed_dim"],
            depths=tuple(settings["depths"]),
            num_heads=tuple(settings["num_heads"]),
            window_size=settings["window_size"],
            mlp_ratio=settings["mlp_ratio"],
            drop_path_rate=settings["drop_path"],
        )
    )


def _mvit(settings: dict[str, Any]) -> MViT:
    assert settings["depth"] == settings["last_block_indexes"][-1] + 1
    return MViT(
        MViTOptions(
            img_size=settings["img_size"],
            embed_dim=settings["embed_dim"],
            num_heads=settings["num_heads"],
            last_block_indexes=tuple(settings["last_block_indexes"]),
            adaptive_kv_stride=settings["adaptive_kv_stride"],
            adaptive_window_size=settings["adaptive_window_size"],
            mlp_ratio=settings["mlp_ratio"],
            drop_path_rate=settings["drop_path"],
        )
    )


def _regnet(settings: dict[str, Any]) -> RegNet:
    return RegNet(
        RegNetOptions(
            stem_width=settings["stem_width"],
            depth=settings["depth"],
            w_a=settings["w_a"],
            w_0=settings["w_0"],
            w_m=settings["w_m"],
            group_width=settings["group_width"],
            se_ratio=settings["se_ratio"] or 0.0,
            norm=settings["norm"],
            freeze_at=settings["freeze_at"],
        )
    )


@pytest.fixture(scope="session")
def published_backbones(golden: Path) -> dict[str, Shapes]:
    """Published configuration to what its model saves under ``backbone.``, in order."""
    file = golden.parent / "reference" / "state_dicts.json.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    published = json.loads(gzip.decompress(file.read_bytes()))
    backbones: dict[str, Shapes] = {}
    for config, index in published["shapes"].items():
        backbones[config] = [
            (name.removeprefix("backbone."), shape)
            for first, count in published["sets"][index]
            for name, shape, _ in published["entries"][first : first + count]
            if name.startswith("backbone.")
        ]
    return backbones


@pytest.fixture
def liven() -> Callable[[nn.Module], None]:
    """Moves all parameters from their initial values, so that zeros hide nothing."""

    def move(module: nn.Module) -> None:
        generator = torch.Generator().manual_seed(17)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))

    return move
