"""From a golden folder's configuration to the registered model that it describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from golden_training import training_options

from benchsuite.errors import UsageError
from benchsuite.execution import Execution
from benchsuite.options import merge, read_options
from benchsuite.plugins import registry
from benchsuite.protocols import ModelRequest
from benchsuite.specs import Category, load


class NotBuilt(UsageError):
    """The configuration asks for something that no registered model is."""


RCNN_SECTIONS = frozenset(("input", "resnet", "fpn", "anchors", "rpn", "roi_heads", "box_head"))
CASCADE_SECTIONS = RCNN_SECTIONS | {"cascade", "mask_head"}
SINGLE_LEVEL_SECTIONS = RCNN_SECTIONS - {"fpn"}
PROPOSAL_SECTIONS = frozenset(("input", "resnet", "fpn", "anchors", "rpn"))
GIVEN_SECTIONS = (RCNN_SECTIONS - {"anchors", "rpn"}) | {"proposals"}
DENSE_SECTIONS = frozenset(("input", "resnet", "fpn"))
PANOPTIC_SECTIONS = RCNN_SECTIONS | {"mask_head", "sem_seg_head", "panoptic"}
SEMANTIC_SECTIONS = frozenset(("input", "resnet", "fpn", "anchors", "sem_seg_head"))
VITDET_SECTIONS = (RCNN_SECTIONS - {"resnet", "fpn"}) | {"vit", "simple_feature_pyramid"}
REGNET_SECTIONS = (RCNN_SECTIONS - {"resnet"}) | {"regnet"}
SWIN_SECTIONS = (RCNN_SECTIONS - {"resnet"}) | {"swin"}
MVIT_SECTIONS = (RCNN_SECTIONS - {"resnet"}) | {"mvit"}

MODELS: dict[tuple[str, str | None, frozenset[str]], str] = {
    ("GeneralizedRCNN", "StandardROIHeads", RCNN_SECTIONS): "faster_rcnn",
    ("GeneralizedRCNN", "StandardROIHeads", RCNN_SECTIONS | {"mask_head"}): "mask_rcnn",
    ("GeneralizedRCNN", "StandardROIHeads", REGNET_SECTIONS | {"mask_head"}): "mask_rcnn_regnet",
    ("GeneralizedRCNN", "StandardROIHeads", VITDET_SECTIONS | {"mask_head"}): "vitdet",
    ("GeneralizedRCNN", "StandardROIHeads", MVIT_SECTIONS | {"mask_head"}): "mvitv2_mask_rcnn",
    **{
        ("GeneralizedRCNN", "CascadeROIHeads", sections | {"cascade", "mask_head"}): name
        for sections, name in (
            (VITDET_SECTIONS, "vitdet_cascade_mask_rcnn"),
            (SWIN_SECTIONS, "swin_cascade_mask_rcnn"),
            (MVIT_SECTIONS, "mvitv2_cascade_mask_rcnn"),
        )
    },
    ("GeneralizedRCNN", "StandardROIHeads", RCNN_SECTIONS | {"keypoint_head"}): "keypoint_rcnn",
    ("GeneralizedRCNN", "CascadeROIHeads", CASCADE_SECTIONS): "cascade_mask_rcnn",
    ("GeneralizedRCNN", "Res5ROIHeads", SINGLE_LEVEL_SECTIONS): "faster_rcnn_c4",
    ("GeneralizedRCNN", "Res5ROIHeads", SINGLE_LEVEL_SECTIONS | {"mask_head"}): "mask_rcnn_c4",
    ("GeneralizedRCNN", "StandardROIHeads", SINGLE_LEVEL_SECTIONS): "faster_rcnn_dc5",
    ("GeneralizedRCNN", "StandardROIHeads", SINGLE_LEVEL_SECTIONS | {"mask_head"}): "mask_rcnn_dc5",
    ("ProposalNetwork", None, PROPOSAL_SECTIONS): "rpn",
    ("ProposalNetwork", None, PROPOSAL_SECTIONS - {"fpn"}): "rpn_c4",
    ("GeneralizedRCNN", "StandardROIHeads", GIVEN_SECTIONS): "fast_rcnn",
    ("PanopticFPN", "StandardROIHeads", PANOPTIC_SECTIONS): "panoptic_fpn",
    ("PanopticFPN", "CascadeROIHeads", PANOPTIC_SECTIONS | {"cascade"}): "cascade_panoptic_fpn",
    ("SemanticSegmentor", None, SEMANTIC_SECTIONS): "semantic_fpn",
    ("RetinaNet", None, DENSE_SECTIONS | {"anchors", "retinanet"}): "retinanet",
    ("FCOS", None, DENSE_SECTIONS | {"fcos"}): "fcos",
}
"""Meta architecture, kind of ROI heads and sections of a configuration: the registered model."""

ABOUT_THE_FOLDER = frozenset(
    {"architecture", "cases", "category_label", "classification", "meta_architecture", "note"}
    | {"reference_config", "reference_overrides"}
)

TRAINING = frozenset(
    {"bbox_reg_loss", "bbox_reg_loss_weight", "freeze_at", "iou_labels", "iou_thresholds"}
    | {"loss_weight", "low_quality_matches", "note", "post_nms_topk_train"}
    | {"pre_nms_topk_train", "proposal_append_gt", "smooth_l1_beta"}
    | {"ignore_value", "loss_normalize_by_visible", "min_keypoints_per_image"}
    | {"box_loss", "center_sampling_radius", "focal_alpha", "focal_gamma", "topk_train"}
)
"""Settings that inference does not depend on."""

BUILT_ONE_WAY: dict[str, tuple[Any, ...]] = {
    "fpn.extra_levels": ("p6 = subsampled p5",),
    "RetinaNet: fpn.extra_levels": ("p6,p7 from res5 (strided convs)",),
    "FCOS: fpn.extra_levels": ("p6,p7 strided convs, p6 from p5 (not from res5)",),
    "fcos.strides": ([8, 16, 32, 64, 128],),
    "fcos.score": ("sqrt(sigmoid(class) * sigmoid(centerness))",),
    "fcos.box_coding": (
        "l,t,r,b = relu(output) * stride, measured from the point ((x+0.5)*stride, (y+0.5)*stride)",
    ),
    "retinanet.loss_normalizer": (
        "moving average: 0.9 * 100 + 0.1 * positives on the first iteration",
    ),
    "fcos.loss_normalizer": ("moving average: 0.9 * 300 + 0.1 * positives on the first iteration",),
    "proposals.steps": (
        (
            "scale by (network width / original width, network height / original height), clip to "
            "the resized image, remove empty boxes, keep the first topk in file order; no NMS"
        ),
    ),
    "proposals.logits_use": ("none, in testing; box.pooled etc. are of the first 32 of them",),
    "fpn.strides": ([4, 8, 16, 32],),
    "simple_feature_pyramid.norm": ("LN",),
    "simple_feature_pyramid.extra_levels": ("p6 = subsampled p5",),
    "vit.use_rel_pos": (True,),
    "vit.qkv_bias": (True,),
    "vit.norm_eps": (1e-6,),
    "vit.abs_pos_has_cls_token": (True,),
    "swin.patch_size": (4,),
    "swin.qkv_bias": (True,),
    "swin.patch_norm": (True,),
    "swin.abs_pos": (False,),
    "swin.norm_eps": (1e-5,),
    "mvit.patch_kernel": (7,),
    "mvit.patch_stride": (4,),
    "mvit.patch_padding": (3,),
    "mvit.qkv_pool_kernel": (3,),
    "mvit.qkv_bias": (True,),
    "mvit.residual_pooling": (True,),
    "mvit.use_rel_pos": (True,),
    "mvit.abs_pos": (False,),
    "mvit.norm_eps": (1e-6,),
    "regnet.bottleneck_ratio": (1.0,),
    "box_head.pooler_type": ("ROIAlignV2",),
}
"""Settings that are no option of a model, and the values that it is built for; those of one meta
architecture go before those of all."""

IN_WORDS: dict[str, Any] = {"GN (32 groups)": "GN", "LN (over channels, eps 1e-6)": "LN"}
"""Values that a configuration describes, and the option's value."""

NONE_OF = {"regnet.se_ratio": 0.0}
"""Settings that may be null, and what the option is then."""

OTHER_NAME = {
    "simple_feature_pyramid.square_pad": "padding.square_size",
    "fpn.square_pad": "padding.square_size",
    "vit.drop_path": "vit.drop_path_rate",
    "swin.drop_path": "swin.drop_path_rate",
    "mvit.drop_path": "mvit.drop_path_rate",
}
"""Settings, and the options that they are."""

FOLLOWS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "vit.window_block_indexes": lambda vit: [
        index for index in range(vit["depth"]) if index not in vit["global_block_indexes"]
    ],
    "mvit.depth": lambda mvit: mvit["last_block_indexes"][-1] + 1,
}
"""Settings that follow from others of their section, which the options hold."""

NUM_CLASSES = ("roi_heads.num_classes", "retinanet.num_classes", "fcos.num_classes")
"""Where configurations tell how many classes there are; a model hears it as its categories."""

SEMANTIC_CLASSES = "sem_seg_head.num_classes"
"""The same for a semantic branch; where things are detected beside it, they are its class 0."""


def model_name(config: Mapping[str, Any]) -> str:
    """The registered model that a configuration describes."""
    heads = config.get("roi_heads", {}).get("name")
    sections = frozenset(config) - ABOUT_THE_FOLDER
    key = (config["meta_architecture"], heads, sections)
    if key not in MODELS:
        raise NotBuilt(
            f"{config['architecture']} is not built: no model is a {key[0]} with {heads or 'no'} "
            f"ROI heads and the sections {', '.join(sorted(sections))}"
        )
    return MODELS[key]


def option_value(setting: str, value: Any) -> Any:
    """What an option of the same name is given."""
    if isinstance(value, str):
        return IN_WORDS.get(value, value)
    return NONE_OF.get(setting, value) if value is None else value


def model_options(config: Mapping[str, Any], options_type: type[Any]) -> dict[str, Any]:
    """Those settings of a configuration that are options of the model, under the same names."""
    options: dict[str, Any] = {}
    if "classification" in config:
        options["box_head"] = {"classification": "federated"}
    defaults = options_type()
    for section in (field.name for field in dataclasses.fields(options_type)):
        known = {field.name for field in dataclasses.fields(getattr(defaults, section))}
        for key, value in config.get(section, {}).items():
            setting = f"{section}.{key}"
            built = BUILT_ONE_WAY.get(setting, ())
            if key in known:
                options.setdefault(section, {})[key] = option_value(setting, value)
            elif setting in OTHER_NAME:
                other, _, name = OTHER_NAME[setting].partition(".")
                options.setdefault(other, {})[name] = value
            elif setting in FOLLOWS:
                if value != (told := FOLLOWS[setting](config[section])):
                    raise NotBuilt(f"{config['architecture']}: {setting} is not {told!r}")
            elif setting in ("roi_heads.name", *NUM_CLASSES, SEMANTIC_CLASSES) or key in TRAINING:
                continue
            elif value not in BUILT_ONE_WAY.get(f"{config['meta_architecture']}: {setting}", built):
                raise NotBuilt(f"{config['architecture']}: {setting} = {value!r} is not built")
    return options


def with_overrides(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a case.

    An override is a whole section's part (``{"rpn": {"nms_thresh": 0.5}}``), a dotted name
    (``rpn.nms_thresh``), or a name that one section alone has, with or without ``_test``.
    """
    changed = dict(config)
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            changed = merge(changed, {key: value})
            continue
        section, dot, name = key.rpartition(".")
        places = (
            [(section, name)]
            if dot
            else [
                (part, full)
                for part, settings in config.items()
                if isinstance(settings, Mapping) and part not in ABOUT_THE_FOLDER
                for full in (key, f"{key}_test")
                if full in settings
            ]
        )
        if len(places) != 1:
            raise NotBuilt(f"override {key!r} fits {len(places)} settings")
        changed = merge(changed, {places[0][0]: {places[0][1]: value}})
    return changed


def categories(config: Mapping[str, Any]) -> tuple[Category, ...]:
    """As many as the configuration has classes, things first; one where it has regions alone."""
    settings = [setting.split(".") for setting in NUM_CLASSES]
    things = sum(config[section][key] for section, key in settings if section in config)
    stuff = config.get("sem_seg_head", {}).get("num_classes", 0)
    stuff -= bool(things and stuff)
    things += not (things or stuff)
    return tuple(
        Category(id=index + 1, name=str(index + 1), isthing=index < things)
        for index in range(things + stuff)
    )


def build(
    config: Mapping[str, Any], weights: Path, training: Mapping[str, Any] | None = None
) -> Any:
    """The model, through what its plugin registered.

    Args:
        training: the settings of ``train.json``, for a model that shall train.
    """
    spec = registry().find("models", model_name(config))
    options_type = load(spec.options)
    options = model_options(config, options_type)
    if training is not None:
        options = merge(options, training_options(config, training))
    request = ModelRequest(
        options=read_options(options_type, options, "model"),
        categories=categories(config),
        weights=weights,
        # As the host runs it.
        execution=Execution() if training is None else None,
    )
    return load(spec.factory)(request)
