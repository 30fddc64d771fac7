"""RetinaNet and FCOS: what they share, and each one's heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

import benchsuite_plugins
from benchsuite.errors import UsageError
from benchsuite.protocols import DescribedModel, ModelRequest, StagedModel
from benchsuite.records import Image
from benchsuite.specs import Category, load
from benchsuite_kernels.ops import AnchorGrid
from benchsuite_plugins.models import fcos, retinanet
from benchsuite_plugins.models.dense_detector import select_detections
from benchsuite_plugins.models.dense_options import (
    DenseOptions,
    FCOSHeadOptions,
    RetinaNetHeadOptions,
)
from benchsuite_plugins.models.fcos_head import FCOSHead
from benchsuite_plugins.models.options import (
    AnchorOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
)
from benchsuite_plugins.models.presence import drop_absent
from benchsuite_plugins.models.retinanet_head import RetinaNetHead

MakeImage = Callable[[int, int], Image]

STAGES = ("res3", "res4", "res5")
NARROW: dict[str, Any] = {
    "input": InputOptions(min_size_test=96, max_size_test=160),
    "resnet": ResNetOptions(
        stem_out_channels=8, res2_out_channels=32, width_per_group=8, out_features=STAGES
    ),
    "fpn": FPNOptions(in_features=STAGES, out_channels=32),
}
CATEGORIES = tuple(Category(index, str(index)) for index in range(5))
NARROW_OPTIONS: dict[ModuleType, Any] = {
    retinanet: retinanet.RetinaNetOptions(**NARROW),
    fcos: fcos.FCOSOptions(**NARROW, fcos=FCOSHeadOptions(conv_dim=64)),
}


def lively(module: ModuleType) -> Any:
    """Initial weights spread so far that boxes and classes differ."""
    request = ModelRequest(options=NARROW_OPTIONS[module], categories=CATEGORIES, seed=3)
    model = module.create(request)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
        model.backbone.bottom_up.stem.conv1.norm.weight.fill_(0.02)
        for name, parameter in model.head.named_parameters():
            if parameter.dim() == 4:
                parameter.mul_(8 if "score" in name else 4)
        model.head.cls_score.bias.fill_(-1)
        model.head.bbox_pred.bias.fill_(1)
    return model


@pytest.fixture(scope="module", params=[retinanet, fcos], ids=["retinanet", "fcos"])
def model(request: pytest.FixtureRequest) -> Any:
    return lively(request.param)


def test_it_is_what_the_host_asks_for(model: Any) -> None:
    assert isinstance(model, StagedModel) and isinstance(model, DescribedModel)
    assert model.describe()["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "module"), [("retinanet", retinanet), ("fcos", fcos)])
def test_registered_specs_lead_here(name: str, module: ModuleType) -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_models() if s.name == name]
    assert load(spec.factory) is module.create
    assert spec.options is not None
    assert load(spec.options)() is not None and spec.tasks == ("bbox",)


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (1200, 90), (1, 5000), (300, 400)])
def test_images_of_any_size(model: Any, make_image: MakeImage, size: tuple[int, int]) -> None:
    (prediction,) = model.predict([make_image(*size)])
    height, width = size
    assert len(prediction) > 0
    assert (prediction.boxes >= 0).all()
    assert (prediction.boxes[:, 2:] <= (width, height)).all()
    assert (prediction.boxes[:, 2:] > prediction.boxes[:, :2]).all()
    assert (np.diff(prediction.scores) <= 0).all()
    assert prediction.masks is None


def test_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    model: Any, make_image: MakeImage
) -> None:
    # 96 x 128, 96 x 123 and 96 x 107 are all padded to 96 x 128.
    images = [make_image(60, 80), make_image(70, 90), make_image(90, 100)]
    for together, image in zip(model.predict(images), images, strict=True):
        (alone,) = model.predict([image])
        assert len(together) == len(alone) > 10
        order = [np.lexsort((p.boxes[:, 0].round(1), p.labels)) for p in (together, alone)]
        for field, tolerance in (("boxes", 1e-3), ("scores", 1e-5), ("labels", 0)):
            one, other = (getattr(p, field)[o] for p, o in zip((together, alone), order))
            np.testing.assert_allclose(one, other, atol=tolerance, rtol=0)


def test_odd_sizes_share_a_batch(model: Any, make_image: MakeImage) -> None:
    images = [make_image(1, 1), make_image(33, 47), make_image(200, 30)]
    for prediction, image in zip(model.predict(images), images, strict=True):
        assert (prediction.boxes[:, 2:] <= (image.width, image.height)).all()


@pytest.mark.parametrize("module", NARROW_OPTIONS)
def test_no_detection_is_an_ordinary_outcome(module: ModuleType, make_image: MakeImage) -> None:
    options = NARROW_OPTIONS[module]
    section = module.__name__.rpartition(".")[2]
    never = replace(getattr(options, section), score_thresh_test=2.0)
    request = ModelRequest(options=replace(options, **{section: never}), categories=CATEGORIES)
    first, second = module.create(request).predict([make_image(40, 60), make_image(9, 9)])
    assert len(first) == len(second) == 0 and first.labels.shape == (0,)


@pytest.mark.parametrize("module", NARROW_OPTIONS)
def test_weights_that_are_not_finite_give_no_detections(
    module: ModuleType, make_image: MakeImage
) -> None:
    request = ModelRequest(options=NARROW_OPTIONS[module], categories=CATEGORIES)
    model = module.create(request)
    with torch.no_grad():
        model.head.cls_score.bias.fill_(3)
        model.head.bbox_pred.bias.fill_(torch.inf)
    assert len(model.predict([make_image(40, 60)])[0]) == 0


def test_half_precision_and_channels_last(model: Any, make_image: MakeImage) -> None:
    batch = model.preprocess([make_image(60, 80)])
    full = model.forward(batch).detections
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.forward(batch).detections
    assert half.scores.dtype == half.boxes.dtype == torch.float32
    assert abs(half.scores[0] - full.scores[0]) < 0.05
    model.to(memory_format=torch.channels_last)
    try:
        torch.testing.assert_close(
            model.forward(batch).detections.scores, full.scores, atol=1e-5, rtol=0
        )
    finally:
        model.to(memory_format=torch.contiguous_format)


def test_network_compiles_to_one_graph(model: Any) -> None:
    def network(pixels: Tensor) -> Any:
        return model.head(model.feature_maps(pixels))

    pixels = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        compiled = torch.compile(network, fullgraph=True, backend="aot_eager")(pixels)
        torch.testing.assert_close(compiled, network(pixels))


def test_network_is_exported_with_dynamic_shapes(model: Any) -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: Tensor) -> Any:
            return self.model.head(self.model.feature_maps(pixels))

    # Of less than five cells at stride 32 the coarsest level is one cell, which torch guards on.
    high, wide = (torch.export.Dim(name, min=5, max=64) for name in ("h", "w"))
    batch = torch.export.Dim("n", max=64)
    shapes = {"pixels": {0: batch, 2: 32 * high, 3: 32 * wide}}
    exported = torch.export.export(
        Network(), (torch.randn(2, 3, 160, 224),), dynamic_shapes=shapes, strict=False
    ).module()
    pixels = torch.randn(1, 3, 192, 320)
    with torch.no_grad():
        torch.testing.assert_close(exported(pixels), Network()(pixels))


# --- heads --------------------------------------------------------------------------------------


def test_every_class_starts_at_its_prior() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        retinanet_head = RetinaNetHead(16, 9, 3, RetinaNetHeadOptions())
        fcos_head = FCOSHead(16, 3, FCOSHeadOptions(conv_dim=32, prior_prob=0.2))
    assert retinanet_head.cls_score.bias.sigmoid().tolist() == pytest.approx([0.01] * 27)
    assert fcos_head.cls_score.bias.sigmoid().tolist() == pytest.approx([0.2] * 3)
    for head in (retinanet_head, fcos_head):
        for name, parameter in head.named_parameters():
            if parameter.dim() == 4 and "ctrness" not in name:
                assert parameter.std().item() == pytest.approx(0.01, rel=0.1), name
            elif name.endswith("bias") and "cls_score" not in name:
                assert not parameter.any(), name


def test_fcos_points_lie_in_the_middle_of_their_cells() -> None:
    model = fcos.create(ModelRequest(options=NARROW_OPTIONS[fcos], categories=CATEGORIES))
    maps = [torch.zeros(1, 1, 2, 3), *(torch.zeros(1, 1, 1, 1) for _ in range(4))]
    finest, *_, coarsest = model.anchor_generator(maps).levels()
    assert finest.tolist()[1] == [8, 0, 16, 8] and len(finest) == 6
    assert coarsest.tolist() == [[0, 0, 128, 128]]


def test_levels_with_different_numbers_of_anchors_are_refused() -> None:
    anchors = AnchorOptions(sizes=((8.0,), (16.0, 20.0), (32.0,), (64.0,), (128.0,)))
    options = replace(NARROW_OPTIONS[retinanet], anchors=anchors)
    with pytest.raises(UsageError, match=r"anchors\.sizes"):
        retinanet.build(options, 5)


@pytest.mark.parametrize("module", NARROW_OPTIONS)
def test_a_level_that_there_is_not_is_named(module: ModuleType) -> None:
    options = NARROW_OPTIONS[module]
    section = module.__name__.rpartition(".")[2]
    heads = replace(getattr(options, section), in_features=("p2",))
    with pytest.raises(UsageError, match="p2"):
        module.build(replace(options, **{section: heads}), 5)


# --- selection ----------------------------------------------------------------------------------


def slowly(
    scores: list[Tensor], deltas: list[Tensor], anchors: list[Tensor], options: DenseOptions
) -> list[list[tuple[float, int]]]:
    """An image, a level and a pair of anchor and class at a time."""
    found = []
    for image in range(len(scores[0])):
        boxes, best, labels = [], [], []
        for level in range(len(scores)):
            pairs = [
                (-score, row, label)
                for row, classes in enumerate(scores[level][image].tolist())
                for label, score in enumerate(classes)
                if scores[level][image][row, label] > options.score_thresh_test
            ]
            for negated, row, label in sorted(pairs)[: options.topk_candidates_test]:
                point = (anchors[level][row, :2] + anchors[level][row, 2:]) / 2
                side = anchors[level][row, 2] - anchors[level][row, 0]
                left, top, right, bottom = deltas[level][image, row].clamp(min=0) * side
                x, y = point
                boxes.append(torch.stack([x - left, y - top, x + right, y + bottom]))
                best.append(-negated)
                labels.append(label)
        if not boxes:
            found.append([])
            continue
        kept = batched_nms(
            torch.stack(boxes), torch.tensor(best), torch.tensor(labels), options.nms_thresh_test
        )[: options.detections_per_image]
        found.append([(best[row], labels[row]) for row in kept.tolist()])
    return found


@pytest.mark.parametrize("threshold", [0.2, 0.7, 0.999])
def test_selection_against_one_pair_at_a_time(threshold: float) -> None:
    generator = torch.Generator().manual_seed(5)
    shapes = ((5, 6), (4, 2))
    logits = [torch.rand((3, 4, *shape), generator=generator).logit() for shape in shapes]
    logits[0][1] = logits[1][1] = -torch.inf
    deltas = [torch.rand((3, 4, *shape), generator=generator) * 2 - 0.3 for shape in shapes]
    sides = torch.tensor([8.0, 16.0])[:, None]
    strides = ((8.0, 8.0), (16.0, 16.0))
    anchors = AnchorGrid(
        torch.cat([-sides, -sides, sides, sides], 1) / 2, (1, 1), shapes, strides, 0.5
    )
    options = DenseOptions(
        score_thresh_test=threshold, topk_candidates_test=25, detections_per_image=12
    )
    detections = drop_absent(select_detections((logits, deltas), anchors, (), options))
    rows = [[level.flatten(2).transpose(1, 2) for level in maps] for maps in (logits, deltas)]
    scores = [level.sigmoid() for level in rows[0]]
    expected = slowly(scores, rows[1], anchors.levels(), options)
    assert expected[1] == [] and (threshold > 0.9 or len(expected[0]) > 3)
    for image in range(3):
        own = detections.image_index == image
        pairs = zip(detections.scores[own].tolist(), detections.labels[own].tolist(), strict=True)
        for (score, label), (best, wanted) in zip(pairs, expected[image], strict=True):
            assert label == wanted and score == pytest.approx(best, rel=1e-6)


def test_boxes_are_clipped_before_the_suppression_only_where_sizes_are_told() -> None:
    # Within the image both are (0, 0, 10, 10); as they are, they overlap by a third.
    cells = torch.tensor([[-1.0, 0.0, 9.0, 10.0], [0.0, 0.0, 10.0, 10.0]])
    anchors = AnchorGrid(cells, (2,), ((1, 1),), ((8.0, 8.0),), 0.0)
    deltas = torch.tensor([2.4, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5]).view(1, 8, 1, 1)
    outputs = ([torch.tensor([3.0, 2.0]).view(1, 2, 1, 1)], [deltas])
    found = select_detections(outputs, anchors, (), DenseOptions())
    assert drop_absent(found).boxes.tolist() == [[-20, 0, 10, 10], [0, 0, 10, 10]]
    sizes = torch.tensor([[10.0, 10.0]])
    found = drop_absent(select_detections(outputs, anchors, (), DenseOptions(), sizes))
    assert found.boxes.tolist() == [[0, 0, 10, 10]]


def test_levels_above_the_pyramid_are_made_from_what_is_asked_for() -> None:
    options = replace(
        NARROW_OPTIONS[retinanet],
        resnet=replace(NARROW["resnet"], out_features=("res3", "res4")),
        fpn=replace(NARROW["fpn"], in_features=("res3", "res4")),
        retinanet=RetinaNetHeadOptions(
            in_features=("p3", "p4", "p5", "p6"), top_block_in_feature="res4"
        ),
        anchors=AnchorOptions(sizes=((16.0,), (32.0,), (64.0,), (128.0,))),
    )
    model = retinanet.create(ModelRequest(options=options, categories=CATEGORIES))
    assert model.backbone.top_block.p6.in_channels == 128
    features = model.backbone(torch.zeros(1, 3, 64, 64))
    assert {name: each.shape[-1] for name, each in features.items()} == {
        "p3": 8, "p4": 4, "p5": 2, "p6": 1
    }  # fmt: skip
    head = replace(options.retinanet, top_block_in_feature="res5")
    with pytest.raises(UsageError, match="top_block_in_feature"):
        retinanet.create(
            ModelRequest(options=replace(options, retinanet=head), categories=CATEGORIES)
        )
