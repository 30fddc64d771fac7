"""What metrics there are: one a protocol and task."""

from __future__ import annotations

from benchsuite.specs import MetricSpec


def _lvis(task: str, what: str) -> MetricSpec:
    return MetricSpec(
        name=f"lvis_{task}",
        task=task,
        factory=f"benchsuite_plugins.metrics.lvis_ap:{task}",
        prefix=f"lvis-{task}",
        summary=f"LVIS average precision of {what}, as the lvis package computes it",
        licence="Apache-2.0",
        options="benchsuite_plugins.metrics.lvis_protocol:LvisOptions",
        official=f"benchsuite_plugins.metrics.lvis_official:{task}",
    )


def _coco(task: str, what: str) -> MetricSpec:
    return MetricSpec(
        name=f"coco_{task}",
        task=task,
        factory=f"benchsuite_plugins.metrics.coco_ap:{task}",
        official=f"benchsuite_plugins.metrics.coco_official:{task}",
        options="benchsuite_plugins.metrics.coco_options:CocoOptions",
        summary=f"COCO average precision of {what}, as pycocotools computes it",
        licence="Apache-2.0",
    )


METRICS: list[MetricSpec] = [
    _coco("bbox", "boxes"),
    _coco("segm", "masks"),
    _coco("keypoints", "keypoints (OKS)"),
    MetricSpec(
        name="coco_boundary",
        task="segm",
        factory="benchsuite_plugins.metrics.coco_boundary:create",
        prefix="boundary",
        summary="Boundary AP of masks, as boundary-iou-api computes it (Cheng et al., 2021)",
        licence="Apache-2.0",
        options="benchsuite_plugins.metrics.coco_boundary:BoundaryOptions",
    ),
    MetricSpec(
        name="crowdpose",
        task="keypoints",
        factory="benchsuite_plugins.metrics.crowdpose_ap:create",
        prefix="crowdpose",
        summary="CrowdPose average precision of keypoints, of easy, medium and hard images too",
        licence="Apache-2.0",
    ),
    MetricSpec(
        name="coco_proposals",
        task="proposals",
        factory="benchsuite_plugins.metrics.proposal_recall:create",
        primary="AR@1000",
        summary="average recall of box proposals, as Detectron2 measures it",
        licence="Apache-2.0",
        options="benchsuite_plugins.metrics.proposal_recall:ProposalOptions",
    ),
    _lvis("bbox", "boxes"),
    _lvis("segm", "masks"),
    MetricSpec(
        name="panoptic_quality",
        task="panoptic",
        factory="benchsuite_plugins.metrics.panoptic_quality:create",
        primary="PQ",
        summary="panoptic quality (PQ, SQ, RQ), as panopticapi computes it",
        licence="Apache-2.0",
        official="benchsuite_plugins.metrics.panoptic_official:create",
    ),
    MetricSpec(
        name="semantic_iou",
        task="semantic",
        factory="benchsuite_plugins.metrics.semantic_iou:create",
        primary="mIoU",
        summary="IoU and accuracy of semantic maps, as Detectron2 computes them",
        licence="Apache-2.0",
    ),
    MetricSpec(
        name="semantic_boundary",
        task="semantic",
        factory="benchsuite_plugins.metrics.semantic_iou:boundary",
        prefix="semantic-boundary",
        primary="mIoU",
        summary="boundary IoU of semantic maps, 2 % of the diagonal wide (Cheng et al., 2021)",
        licence="Apache-2.0",
    ),
    MetricSpec(
        name="cityscapes_instances",
        task="segm",
        factory="benchsuite_plugins.metrics.cityscapes.instances:create",
        prefix="cityscapes-instances",
        summary="Cityscapes average precision of instances, as cityscapesscripts computes it",
        licence="Apache-2.0",
        official="benchsuite_plugins.metrics.cityscapes.official_instances:create",
    ),
    MetricSpec(
        name="cityscapes_pixels",
        task="semantic",
        factory="benchsuite_plugins.metrics.cityscapes.pixels:create",
        prefix="cityscapes",
        primary="IoU",
        summary="Cityscapes IoU and iIoU of labels and categories, as cityscapesscripts "
        "computes them",
        licence="Apache-2.0",
        official="benchsuite_plugins.metrics.cityscapes.official_pixels:create",
    ),
    MetricSpec(
        name="rotated_ap",
        task="rotated",
        factory="benchsuite_plugins.metrics.rotated_ap:create",
        options="benchsuite_plugins.metrics.rotated_ap:RotatedOptions",
        summary="COCO average precision of rotated boxes, as Detectron2 defines it",
        licence="Apache-2.0",
    ),
    MetricSpec(
        name="voc_ap",
        task="bbox",
        factory="benchsuite_plugins.metrics.voc.metric:create",
        options="benchsuite_plugins.metrics.voc.options:VocOptions",
        prefix="voc",
        summary="Pascal VOC average precision of boxes: 11-point (to 2009) or every-point",
        licence="Apache-2.0",
    ),
]
