"""What datasets there are."""

from __future__ import annotations

from benchsuite.specs import DatasetSpec

_DETECTION = ("coco_bbox", "coco_segm", "coco_keypoints", "coco_proposals")
_MAPS = ("panoptic_quality", "semantic_iou")


def _lvis(name: str, factory: str, splits: tuple[str, ...], summary: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        tasks=("bbox", "segm"),
        factory=f"benchsuite_plugins.datasets.lvis:{factory}",
        metrics=("lvis_bbox", "lvis_segm"),
        splits=splits,
        summary=summary,
        licence="CC-BY-4.0",
    )


DATASETS: list[DatasetSpec] = [
    DatasetSpec(
        name="shapes",
        tasks=("bbox", "segm", "keypoints", "semantic", "panoptic"),
        factory="benchsuite_plugins.datasets.shapes:open_shapes",
        options="benchsuite_plugins.datasets.shapes:ShapesOptions",
        metrics=(*_DETECTION, *_MAPS),
        splits=("val", "train"),
        summary="embedded: drawn by seeded integer arithmetic, the same on every machine",
        licence="Apache-2.0",
        categories="benchsuite_plugins.datasets.shapes:CATEGORIES",
        keypoints="benchsuite_plugins.datasets.shapes:KEYPOINTS",
    ),
    DatasetSpec(
        name="coco",
        tasks=("bbox", "segm", "keypoints", "semantic", "panoptic"),
        factory="benchsuite_plugins.datasets.coco:open_coco",
        options="benchsuite_plugins.datasets.coco:CocoOptions",
        metrics=(*_DETECTION, *_MAPS),
        splits=("val2017", "train2017", "val2014", "train2014"),
        summary="COCO 2017 and 2014: instances, person keypoints, panoptic",
        licence="CC-BY-4.0",
        keypoints="benchsuite_plugins.datasets.coco:PERSON_KEYPOINTS",
        fetch="benchsuite_plugins.datasets.coco_download:fetch",
    ),
    DatasetSpec(
        name="coco_panoptic",
        tasks=("semantic", "panoptic"),
        factory="benchsuite_plugins.datasets.coco_panoptic:open_coco_panoptic",
        options="benchsuite_plugins.datasets.coco_panoptic:CocoPanopticOptions",
        metrics=_MAPS,
        splits=("val2017", "train2017"),
        summary="COCO 2017's panoptic annotations alone: panoptic and semantic maps",
        licence="CC-BY-4.0",
    ),
    _lvis(
        "lvis",
        "open_v1",
        ("val", "train", "minival"),
        "LVIS v1: masks of 1203 categories on COCO's images, federated annotation",
    ),
    _lvis(
        "lvis_v0.5",
        "open_v05",
        ("val", "train", "val_rand_100", "val_cocofied", "train_cocofied"),
        "LVIS v0.5: masks of 1230 categories on COCO's images, federated annotation",
    ),
    DatasetSpec(
        name="crowdpose",
        tasks=("bbox", "keypoints"),
        factory="benchsuite_plugins.datasets.crowdpose:open_crowdpose",
        metrics=("coco_bbox", "crowdpose"),
        splits=("val", "test", "train", "trainval"),
        summary="CrowdPose: fourteen keypoints of people in crowds",
        keypoints="benchsuite_plugins.datasets.crowdpose_keypoints:KEYPOINTS",
        suffixes=tuple(f"crowdpose_{split}.json" for split in ("val", "test", "train", "trainval")),
    ),
    DatasetSpec(
        name="cityscapes",
        tasks=("bbox", "segm", "semantic", "panoptic"),
        factory="benchsuite_plugins.datasets.cityscapes.dataset:open_cityscapes",
        metrics=("coco_bbox", "cityscapes_instances", "cityscapes_pixels", "panoptic_quality"),
        splits=("val", "train", "test"),
        summary="Cityscapes, fine annotations: instances, semantic and panoptic maps",
        licence="Cityscapes (non-commercial)",
        categories="benchsuite_plugins.datasets.cityscapes.labels:CATEGORIES",
    ),
    DatasetSpec(
        name="voc",
        tasks=("bbox",),
        factory="benchsuite_plugins.datasets.voc:open_voc",
        metrics=("voc_ap",),
        splits=(
            "2007_test",
            "2007_trainval",
            "2007_train",
            "2007_val",
            "2012_trainval",
            "2012_train",
            "2012_val",
        ),
        summary="Pascal VOC 2007 and 2012: boxes of twenty categories",
        categories="benchsuite_plugins.datasets.voc:CATEGORIES",
        fetch="benchsuite_plugins.datasets.voc_download:fetch",
    ),
    DatasetSpec(
        name="ade20k",
        tasks=("semantic",),
        factory="benchsuite_plugins.datasets.ade20k:open_ade20k",
        metrics=("semantic_iou",),
        splits=("val", "train"),
        summary="ADE20K scene parsing: semantic maps of 150 categories",
        licence="BSD-3-Clause (annotations)",
        categories="benchsuite_plugins.datasets.ade20k_categories:CATEGORIES",
    ),
    DatasetSpec(
        name="coco_format",
        tasks=("bbox", "segm", "keypoints", "rotated", "semantic", "panoptic"),
        factory="benchsuite_plugins.datasets.coco_format:open_coco_format",
        options="benchsuite_plugins.datasets.coco_format:CocoFormatOptions",
        metrics=(*_DETECTION, "rotated_ap", *_MAPS),
        splits=("all",),
        summary="any COCO-format annotation file: --dataset FILE.json --images DIR",
        suffixes=(".json",),
    ),
]
