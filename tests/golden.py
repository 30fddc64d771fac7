"""Run the model that a golden folder describes, and write what it computes.

usage: python tests/golden.py FOLDER OUT [--train]

FOLDER holds ``config.json``, ``weights.npz`` and the images that ``cases`` in the configuration
names. OUT gets the same result files (``outputs.npz``, ``cases/<name>/outputs_<i>.npz``) with the
same keys, for ``check_golden.py``; with ``--train`` also ``train.json``, the losses and gradients
of ``image.png`` with its truth. Exit 2: a configuration of something that is not built.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from golden_proposals import with_proposals_file
from golden_training import train, training_options
from numpy.typing import NDArray

from benchsuite.errors import BenchsuiteError, UsageError
from benchsuite.options import merge, read_options
from benchsuite.plugins import registry
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, ImageRecord, Prediction
from benchsuite.specs import Category, load
from benchsuite_plugins.models.semantic_map import SemanticOutputs, semantic_maps

Arrays = dict[str, NDArray[Any]]


class NotBuilt(UsageError):
    """The configuration asks for something that no registered model is."""


# --- from a configuration to a model ----------------------------------------------------------

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
    "resnet.deform_modulated": (False,),
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
    )
    return load(spec.factory)(request)


# --- what is recorded on the way --------------------------------------------------------------

FIRST_PROPOSALS, FIRST_DETECTIONS, BEST_PROPOSALS = 32, 16, 100
FINAL_PROPOSALS = 1000


def _named(prefix: str, maps: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": value for name, value in maps.items()}


def _levels(prefix: str, maps: Any) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{level}": value for level, value in enumerate(maps)}


CASCADE_STAGES = 3


def _stage(stage: int) -> dict[str, Callable[[Any], dict[str, torch.Tensor]]]:
    return {
        "box_head": lambda hidden: {f"box.head.{stage}": hidden[:FIRST_PROPOSALS]},
        "box_predictor": lambda outputs: {
            f"box.cls_logits.{stage}": outputs[0][:FIRST_PROPOSALS],
            f"box.deltas.{stage}": outputs[1][:FIRST_PROPOSALS],
        },
    }


FEATURES: dict[str, Callable[[Any], dict[str, torch.Tensor]]] = {
    "backbone.bottom_up": lambda maps: _named("bottom_up", maps),
    "backbone": lambda maps: _named("backbone", maps),
    "anchor_generator": lambda anchors: _levels("head.anchors", anchors),
    "head": lambda outputs: {
        name: value
        for kind, maps in zip(("logits", "deltas", "centerness"), outputs, strict=False)
        for name, value in _levels(f"head.{kind}", maps).items()
    },
    "proposal_generator.anchor_generator": lambda anchors: _levels("rpn.anchors", anchors),
    "proposal_generator.rpn_head": lambda outputs: {
        **_levels("rpn.logits", outputs[0]),
        **_levels("rpn.deltas", outputs[1]),
    },
    "roi_heads.box_pooler": lambda pooled: {"box.pooled": pooled[:FIRST_PROPOSALS]},
    **{
        f"roi_heads.{module}.{stage}": record
        for stage in range(CASCADE_STAGES)
        for module, record in _stage(stage).items()
    },
    "roi_heads.res5": lambda shared: {"box.res5": shared[:FIRST_PROPOSALS]},
    "roi_heads.box_head": lambda hidden: {"box.head": hidden[:FIRST_PROPOSALS]},
    "roi_heads.box_predictor": lambda outputs: {
        "box.cls_logits": outputs[0][:FIRST_PROPOSALS],
        "box.deltas": outputs[1][:FIRST_PROPOSALS],
    },
    "sem_seg_head": lambda logits: {"sem_seg.logits_stride4": logits},
    "roi_heads.mask_pooler": lambda pooled: {"mask.pooled": pooled[:FIRST_DETECTIONS]},
    "roi_heads.mask_head": lambda logits: {"mask.logits": logits[:FIRST_DETECTIONS]},
    "roi_heads.keypoint_pooler": lambda pooled: {"keypoint.pooled": pooled[:FIRST_DETECTIONS]},
    "roi_heads.keypoint_head.score_lowres": lambda logits: {
        "keypoint.score_lowres": logits[:FIRST_DETECTIONS]
    },
}
"""Module to the recorded names of what it returns; modules that a model lacks are left out."""


class Recorder:
    """Keeps what the modules of a model return."""

    def __init__(self, model: Any) -> None:
        self.features: Arrays = {}
        self.proposals: Any = None
        for name, module in model.named_modules():
            if name in FEATURES:
                module.register_forward_hook(self._keep(FEATURES[name]))
            if name == "proposal_generator":
                module.register_forward_hook(self._keep_proposals)

    def _keep(self, names: Callable[[Any], dict[str, torch.Tensor]]) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            for name, value in names(output).items():
                # Of what a cascade pools, the first stage's is recorded.
                self.features.setdefault(name, value.float().numpy(force=True).copy())

        return hook

    def _keep_proposals(self, module: Any, inputs: Any, output: Any) -> None:
        self.proposals = output

    def samples(self, steps: Arrays) -> Arrays:
        """The elements that the golden file keeps of each recorded array."""
        kept: Arrays = {}
        for name, value in self.features.items():
            step = steps.get(f"feat.{name}.k")
            if step is None:
                continue
            kept[f"feat.{name}.sample"] = value.reshape(-1)[:: int(step)]
            kept[f"feat.{name}.k"] = step
            kept[f"feat.{name}.shape"] = np.array(value.shape, np.int32)
            exact = value.astype(np.float64)
            kept[f"feat.{name}.stats"] = np.array([exact.mean(), exact.std(), abs(exact).max()])
        return kept

    def best_proposals(self, image: int) -> Arrays:
        if self.proposals is None:
            return {}
        own = self.proposals.image_index == image
        return {
            "rpn.num_proposals": np.array(int(own.sum()), np.int32),
            "rpn.proposal_boxes": self.proposals.boxes[own][:BEST_PROPOSALS].numpy(force=True),
            "rpn.proposal_logits": self.proposals.logits[own][:BEST_PROPOSALS].numpy(force=True),
        }


# --- running ----------------------------------------------------------------------------------


def read_image(path: Path, index: int) -> Image:
    with PIL.Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    height, width = pixels.shape[:2]
    return Image(ImageRecord(index, path.name, width, height), pixels)


def prediction_arrays(prediction: Prediction, image: Image, things: int) -> Arrays:
    """A prediction under the golden files' names. Stuff is numbered there as the semantic branch
    numbers it: from 1, behind all ``things`` in one."""
    arrays: Arrays = {
        "boxes": prediction.boxes,
        "scores": prediction.scores,
        "classes": prediction.labels.astype(np.int32),
    }
    if prediction.keypoints is not None:
        arrays["keypoints"] = prediction.keypoints
    if prediction.masks is not None:
        arrays["masks_rle"] = np.array([mask.counts for mask in prediction.masks], np.bytes_)
        arrays["masks_size"] = np.array([image.height, image.width], np.int32)
    if prediction.panoptic is not None:
        arrays["panoptic_seg"] = prediction.panoptic.ids
        arrays["segments_info_json"] = np.array(
            json.dumps(
                [
                    {
                        "id": segment.id,
                        "isthing": segment.isthing,
                        "category_id": segment.label - (0 if segment.isthing else things - 1),
                        "score": segment.score,
                    }
                    for segment in prediction.panoptic.segments
                ]
            )
        )
    return arrays


def proposal_arrays(prediction: Prediction) -> Arrays:
    """The same for a model whose predictions are proposals."""
    return {
        "proposal_boxes": prediction.boxes[:FINAL_PROPOSALS],
        "proposal_scores": prediction.scores[:FINAL_PROPOSALS],
        # The reference rescales its proposals in place: the recorded ones are of the original size.
        "rpn.proposal_boxes": prediction.boxes[:BEST_PROPOSALS],
    }


def semantic_arrays(outputs: Any) -> list[Arrays]:
    """What the semantic branch says of each image, where there is one."""
    semantic = getattr(outputs, "semantic", outputs)
    if not isinstance(semantic, SemanticOutputs):
        return [{} for _ in outputs.sizes]
    return [{"sem_seg": labels} for labels in semantic_maps(semantic)]


def run_case(config: Mapping[str, Any], case: Mapping[str, Any], folder: Path, out: Path) -> None:
    """One batch: build, run, write a file an image."""
    config = with_overrides(config, case.get("overrides", {}))
    files = [folder / name for name in case["images"]]
    with with_proposals_file(config, files) as complete:
        model = build(complete, folder / "weights.npz")
    recorder = Recorder(model)
    images = [read_image(file, index) for index, file in enumerate(files)]
    batch = model.preprocess(images)
    recorder.features["input"] = batch.pixels.numpy(force=True)
    outputs = model.forward(batch)
    semantic, predictions = semantic_arrays(outputs), model.postprocess(outputs)
    things = sum(category.isthing for category in categories(config))
    proposing = config["meta_architecture"] == "ProposalNetwork"
    for index, (name, image) in enumerate(zip(case["outputs"], images, strict=True)):
        resized = model.image_input.resize(image.pixels)
        padded = np.ascontiguousarray(batch.pixels[index].numpy(force=True))
        golden = folder / name
        steps: Arrays = {}
        if golden.is_file():
            with np.load(golden, allow_pickle=False) as file:
                steps = {key: file[key] for key in file.files if key.endswith(".k")}
        arrays = {
            **recorder.samples(steps),
            **recorder.best_proposals(index),
            **(
                proposal_arrays(predictions[index])
                if proposing
                else prediction_arrays(predictions[index], image, things)
            ),
            **semantic[index],
            "image_size": np.array([image.height, image.width], np.int32),
            "net_size": np.array(resized.shape[:2], np.int32),
            "padded_size": np.array(padded.shape[1:], np.int32),
            "resized_sha256": np.array(hashlib.sha256(resized.tobytes()).hexdigest()),
            "input_sha256": np.array(hashlib.sha256(padded.tobytes()).hexdigest()),
        }
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(target, allow_pickle=False, **arrays)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", action="store_true", help="write train.json too")
    arguments = parser.parse_args()
    config = json.loads((arguments.folder / "config.json").read_text(encoding="utf-8"))
    try:
        for case in config["cases"].values():
            run_case(config, case, arguments.folder, arguments.out)
        if arguments.train:
            recorded = arguments.folder / "train.json"
            settings = json.loads(recorded.read_text(encoding="utf-8"))["settings"]
            with with_proposals_file(config, [arguments.folder / "image.png"]) as complete:
                model = build(complete, arguments.folder / "weights.npz", settings)
            result = json.dumps(train(model, arguments.folder), indent=1)
            (arguments.out / "train.json").write_text(result, encoding="utf-8")
    except BenchsuiteError as error:
        print(f"golden: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
