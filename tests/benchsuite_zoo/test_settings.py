"""A recipe's settings against those of the published configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

import benchsuite_zoo
from benchsuite.options import read_options
from benchsuite.specs import load
from benchsuite_plugins import benchsuite_models
from benchsuite_zoo.recipes import read_recipe

RECIPES = [spec.name for spec in benchsuite_zoo.benchsuite_recipes() if spec.config]

SAME: dict[str, str] = {
    "input.format": "input.format",
    "input.min_size_test": "input.min_size_test",
    "input.max_size_test": "input.max_size_test",
    "input.pixel_mean": "input.pixel_mean",
    "input.pixel_std": "input.pixel_std",
    "fpn.in_features": "neck.in_features",
    "fpn.fuse_type": "neck.fuse",
    "anchors.offset": "anchors.offset",
    "rpn.in_features": "rpn.in_features",
    "rpn.pre_nms_topk_test": "rpn.pre_nms_topk.test",
    "rpn.post_nms_topk_test": "rpn.post_nms_topk.test",
    "rpn.nms_thresh": "rpn.nms_thresh",
    "rpn.min_size": "rpn.min_box_size",
    "rpn.bbox_reg_weights": "rpn.box_coding_weights",
    "roi_heads.in_features": "roi_heads.in_features",
    "roi_heads.score_thresh_test": "box.score_thresh_test",
    "roi_heads.nms_thresh_test": "box.nms_thresh_test",
    "roi_heads.detections_per_image": "box.detections_per_image",
    "box_head.num_conv": "box.head.convs",
    "box_head.num_fc": "box.head.fcs",
    "box_head.pooler_resolution": "box.pooler.resolution",
    "box_head.pooler_sampling_ratio": "box.pooler.sampling_ratio",
    "box_head.bbox_reg_weights": "box.box_coding_weights",
    "box_head.cls_agnostic_bbox_reg": "box.class_agnostic_box",
    "mask_head.num_conv": "mask.convs",
    "mask_head.pooler_resolution": "mask.pooler.resolution",
    "mask_head.pooler_sampling_ratio": "mask.pooler.sampling_ratio",
    "mask_head.cls_agnostic_mask": "mask.class_agnostic",
    "keypoint_head.num_keypoints": "keypoint.num_keypoints",
    "keypoint_head.pooler_resolution": "keypoint.pooler.resolution",
    "keypoint_head.pooler_sampling_ratio": "keypoint.pooler.sampling_ratio",
    **{
        f"{head}.{name}": f"dense.{published}"
        for head in ("retinanet", "fcos")
        for name, published in {
            "in_features": "in_features",
            "num_convs": "convs",
            "score_thresh_test": "score_thresh_test",
            "topk_candidates_test": "topk_candidates_test",
            "nms_thresh_test": "nms_thresh_test",
            "detections_per_image": "detections_per_image",
            "prior_prob": "prior_prob",
            "bbox_reg_weights": "box_coding_weights",
        }.items()
    },
    "sem_seg_head.in_features": "semantic.in_features",
    "sem_seg_head.common_stride": "semantic.common_stride",
    "panoptic.overlap_thresh": "panoptic.overlap_thresh",
    "panoptic.stuff_area_limit": "panoptic.stuff_area_thresh",
    "panoptic.instances_confidence_thresh": "panoptic.instance_score_thresh",
    "padding.square_size": "neck.padding.square_size",
    **{
        f"{section}.{name}": f"backbone.arguments.{name}"
        for section, names in {
            "vit": "img_size patch_size embed_dim depth num_heads mlp_ratio window_size "
            "pretrain_img_size drop_path_rate",
            "swin": "embed_dim depths num_heads window_size mlp_ratio drop_path_rate",
            "mvit": "img_size embed_dim num_heads last_block_indexes adaptive_kv_stride "
            "adaptive_window_size mlp_ratio drop_path_rate",
            "regnet": "stem_width depth w_a w_0 w_m group_width se_ratio norm freeze_at",
        }.items()
        for name in names.split()
    },
    "mvit.activation_checkpoint": "backbone.arguments.use_act_checkpoint",
    "simple_feature_pyramid.scale_factors": "neck.scale_factors",
    "rpn.training.pre_nms_topk": "rpn.pre_nms_topk.train",
    "rpn.training.post_nms_topk": "rpn.post_nms_topk.train",
    "rpn.training.iou_thresholds": "rpn.matcher.iou_thresholds",
    "rpn.training.iou_labels": "rpn.matcher.labels",
    "rpn.training.low_quality_matches": "rpn.matcher.low_quality_matches",
    "rpn.training.batch_size_per_image": "rpn.batch_size_per_image",
    "rpn.training.positive_fraction": "rpn.positive_fraction",
    "rpn.training.loss_weight": "rpn.loss_weights.loss_rpn_cls",
    "rpn.training.bbox_reg_loss.name": "rpn.box_loss",
    "rpn.training.bbox_reg_loss.weight": "rpn.loss_weights.loss_rpn_loc",
    "roi_heads.training.iou_thresholds": "roi_heads.matcher.iou_thresholds",
    "roi_heads.training.iou_labels": "roi_heads.matcher.labels",
    "roi_heads.training.batch_size_per_image": "roi_heads.batch_size_per_image",
    "roi_heads.training.positive_fraction": "roi_heads.positive_fraction",
    "roi_heads.training.proposal_append_gt": "roi_heads.proposal_append_gt",
    "box_head.training.bbox_reg_loss.name": "box.box_loss",
    "box_head.training.bbox_reg_loss.weight": "box.loss_weights.loss_box_reg",
    "retinanet.training.iou_thresholds": "dense.matcher.iou_thresholds",
    "retinanet.training.iou_labels": "dense.matcher.labels",
    "retinanet.training.low_quality_matches": "dense.matcher.low_quality_matches",
    "retinanet.training.bbox_reg_loss.name": "dense.box_loss",
    "retinanet.training.class_loss.options.alpha": "dense.focal_alpha",
    "retinanet.training.class_loss.options.gamma": "dense.focal_gamma",
    "fcos.training.bbox_reg_loss.name": "dense.box_loss",
    "fcos.training.class_loss.options.alpha": "dense.focal_alpha",
    "fcos.training.class_loss.options.gamma": "dense.focal_gamma",
    "fcos.training.center_sampling_radius": "dense.center_sampling_radius",
}
"""An option to the setting that it must equal, where a configuration has both."""

NORMS = {
    "": None,
    "FrozenBN": "frozen batch norm",
    "BN": "batch norm",
    "SyncBN": "synchronised batch norm",
    "GN": "group norm",
    "LN": "layer norm",
}

OF_THE_LIBRARY = ("checkpoint_period", "eval_period", "reference_world_size")
"""Settings of training that say when, not what."""


OF_THE_DATA = ("data", "sampler", "workers")
"""Tables of training that settings have elsewhere (see ``test_training_tables``)."""


def look_up(table: Mapping[str, Any], dotted: str) -> Any:
    """The value at a dotted key; ``None`` where a part is not there."""
    found: Any = table
    for part in dotted.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def options_of(name: str) -> dict[str, Any]:
    models = {model.name: model for model in benchsuite_models()}
    recipe = read_recipe(name)
    model = models[recipe["model"]]
    assert model.options is not None
    options = read_options(load(model.options), recipe.get("model_options", {}), "model")
    return asdict(options)


def both(options: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Of the options that a configuration has too: the recipe's value and the published one."""
    values = {
        option: (plain(look_up(options, option)), look_up(settings, setting))
        for option, setting in SAME.items()
    }
    return {option: pair for option, pair in values.items() if pair[0] is not None is not pair[1]}


def plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


@pytest.mark.parametrize("name", RECIPES)
def test_options_are_the_published_settings(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    compared = both(options, settings)
    assert len(compared) >= 9
    assert {k: ours for k, (ours, _) in compared.items()} == {
        k: theirs for k, (_, theirs) in compared.items()
    }


def test_every_option_is_compared_with_something(
    published_settings: Mapping[str, Mapping[str, Any]],
) -> None:
    compared = {
        option
        for name in RECIPES
        for option in both(options_of(name), published_settings[read_recipe(name)["config"]])
    }
    # Those of FCOS's configuration are of another kind.
    assert set(SAME) - compared <= {"fcos.bbox_reg_weights"}


@pytest.mark.parametrize("name", RECIPES)
def test_the_betas_of_smooth_l1_are_the_published_ones(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    for head, section in (("rpn", "rpn"), ("box_head", "box"), ("retinanet", "dense")):
        loss = look_up(options, f"{head}.training.bbox_reg_loss")
        published = look_up(settings, f"{section}.smooth_l1_beta")
        if loss is not None and published is not None and loss["name"] == "smooth_l1":
            assert loss["options"].get("beta", 0.0) == pytest.approx(published, abs=1e-4), head


@pytest.mark.parametrize("name", RECIPES)
def test_anchors_are_the_published_ones(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    ours = options_of(name).get("anchors")
    theirs = published_settings[read_recipe(name)["config"]].get("anchors")
    if ours is None or theirs is None:
        assert ours is None or "semantic" in name or "fast_rcnn" in name
        return
    ratios = theirs["aspect_ratios"]
    assert plain(ours["aspect_ratios"]) == (ratios if isinstance(ratios[0], list) else [ratios])
    for level, published in zip(ours["sizes"], theirs["sizes"], strict=True):
        assert list(level) == pytest.approx(published, rel=1e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_norms_are_the_published_ones(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    for option, setting in (
        ("fpn", "neck.norm"),
        ("box_head", "box.head.conv_norm"),
        ("mask_head", "mask.norm"),
        ("sem_seg_head", "semantic.norm"),
    ):
        norm = look_up(options, f"{option}.norm")
        if norm is not None and look_up(settings, setting.partition(".")[0]) is not None:
            assert NORMS[norm] == look_up(settings, f"{setting}.type"), option


CASCADES = [name for name in RECIPES if "cascade" in options_of(name)]


@pytest.mark.parametrize("name", CASCADES)
def test_the_stages_of_a_cascade_are_the_published_ones(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    cascade, heads, box = options["cascade"], options["roi_heads"], options["box_head"]
    stages = settings["box"]["stages"]
    assert plain(cascade["bbox_reg_weights"]) == [stage["box_coding_weights"] for stage in stages]
    matchers = settings["roi_heads"]["cascade_matchers"]
    assert [[iou] for iou in cascade["ious"]] == [each["iou_thresholds"] for each in matchers]
    for stage in stages:
        assert stage["class_agnostic_box"] is box["cls_agnostic_bbox_reg"]
        for option, setting in (
            ("score_thresh_test", "score_thresh_test"),
            ("nms_thresh_test", "nms_thresh_test"),
            ("detections_per_image", "detections_per_image"),
        ):
            assert heads[option] == stage[setting], option


@pytest.mark.parametrize("name", RECIPES)
def test_classes_are_scored_as_published(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    box = options_of(name).get("box_head")
    published = published_settings[read_recipe(name)["config"]].get("box")
    if box is None or published is None:
        return
    kind = published.get("class_loss") or published["stages"][0]["class_loss"]
    assert box["classification"] == ("federated" if "federated" in kind else "softmax")


@pytest.mark.parametrize("name", RECIPES)
def test_pooling_is_the_published_one(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    for head in ("box", "mask", "keypoint"):
        kind = look_up(options, f"{head}_head.pooler_type")
        aligned = look_up(settings, f"{head}.pooler.aligned")
        if kind is not None and aligned is not None:
            assert kind == ("ROIAlignV2" if aligned else "ROIAlign"), head


@pytest.mark.parametrize("name", RECIPES)
def test_a_resnet_is_the_published_one(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, settings = options_of(name), published_settings[read_recipe(name)["config"]]
    backbone = settings["backbone"]
    if "resnet" not in options or backbone["type"] != "ResNet":
        assert "resnet" not in options or not backbone
        return
    ours, stages = options["resnet"], backbone["stages"]
    trainable = [backbone["stem_trainable"], *(stage["trainable"] for stage in stages)]
    assert ours["freeze_at"] == trainable.count(False) == [*trainable, True].index(True)
    norms = (
        {backbone["norm"]["type"]}
        if isinstance(backbone["norm"], dict)
        else {norm["type"] for norm in backbone["norm"]}
    )
    assert NORMS[ours["norm"]] in norms
    blocks = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[ours["depth"]]
    assert [stage["blocks"] for stage in stages] == list(blocks)[: len(stages)]
    assert {stage["groups"] for stage in stages} == {ours["num_groups"]}
    strides = {(stage["stride_conv1"], stage["stride_conv2"]) for stage in stages[1:]}
    assert ((2, 1) in strides, (1, 2) in strides) == (
        ours["stride_in_1x1"],
        not ours["stride_in_1x1"],
    )


@pytest.mark.parametrize("name", RECIPES)
def test_training_is_the_published_one(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    recipe = read_recipe(name)
    settings = published_settings[recipe["config"]]
    published = {
        **{key: value for key, value in settings["train"].items() if key not in OF_THE_LIBRARY},
        "augmentations": settings["augmentations"],
    }
    ours = {key: value for key, value in recipe["training"].items() if key not in OF_THE_DATA}
    assert comparable(ours) == comparable(published)


def stated(value: Any) -> Any:
    """The value without what is ``None`` in it."""
    if isinstance(value, Mapping):
        return {key: stated(below) for key, below in value.items() if below is not None}
    return [stated(below) for below in value] if isinstance(value, list) else value


def comparable(training: Mapping[str, Any]) -> dict[str, Any]:
    """A training recipe without what says the same twice, or nothing.

    A schedule's steps each divide by ten, whether as ``gamma`` or as a list of ``values``; it ends
    with the iterations.
    """
    flat: dict[str, Any] = {}

    def put(table: Mapping[str, Any], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                put(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = value

    put(stated(training), "")
    values = flat.pop("schedule.values", None)
    assert values is None or values == [1.0, 0.1, 0.01]
    assert flat.pop("schedule.gamma", 0.1) == 0.1
    assert flat.pop("schedule.ends_at", flat["iterations"]) == flat["iterations"]
    assert flat.pop("optimizer.bias_lr_factor", 1.0) == 1.0
    flat.pop("fp16_gradient_compression", None)
    if "amp" in flat:
        flat["precision"] = "fp16" if flat.pop("amp") else "fp32"
    flat.setdefault("precision", "fp32")
    flat.setdefault("precise_bn", False)
    return flat
