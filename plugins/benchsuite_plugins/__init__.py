"""The reference plugins: what ``benchsuite list`` shows of ours.

This module is imported by every command, so it holds specs and nothing that costs time.
"""

from __future__ import annotations

from benchsuite.hookspecs import hookimpl
from benchsuite.specs import (
    CommandSpec,
    DatasetSpec,
    FormatSpec,
    LossSpec,
    MetricSpec,
    ModelSpec,
)

BENCHSUITE_CONTRACT = (1, 2)


@hookimpl
def benchsuite_models() -> list[ModelSpec]:
    def torchvision(name: str, tasks: tuple[str, ...], title: str) -> ModelSpec:
        module = f"benchsuite_plugins.models.torchvision_{name}"
        return ModelSpec(
            name=f"torchvision_{name}",
            tasks=tasks,
            factory=f"{module}:create",
            options=f"{module}:Torchvision{title.replace(' ', '').replace('-', '')}Options",
            summary=f"{title} with a ResNet-FPN backbone, to torchvision's conventions",
            licence="Apache-2.0",
        )

    return [
        ModelSpec(
            name="faster_rcnn",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.faster_rcnn:create",
            options="benchsuite_plugins.models.faster_rcnn:FasterRCNNOptions",
            summary="Faster R-CNN with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="fast_rcnn",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.fast_rcnn:create",
            options="benchsuite_plugins.models.fast_rcnn:FastRCNNOptions",
            summary="Fast R-CNN with a ResNet-FPN backbone on proposals from a file, to "
            "Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="rpn",
            tasks=("proposals",),
            factory="benchsuite_plugins.models.proposal_network:create",
            options="benchsuite_plugins.models.proposal_network:ProposalNetworkOptions",
            summary="A region proposal network with a ResNet-FPN backbone, to Detectron2's "
            "conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="rpn_c4",
            tasks=("proposals",),
            factory="benchsuite_plugins.models.proposal_network_c4:create",
            options="benchsuite_plugins.models.proposal_network_c4:ProposalNetworkC4Options",
            summary="A region proposal network on a ResNet's res4, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mask_rcnn:create",
            options="benchsuite_plugins.models.mask_rcnn:MaskRCNNOptions",
            summary="Mask R-CNN with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mask_rcnn_regnet",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mask_rcnn_regnet:create",
            options="benchsuite_plugins.models.mask_rcnn_regnet:MaskRCNNRegNetOptions",
            summary="Mask R-CNN with a RegNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="vitdet",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.vitdet_mask_rcnn:create",
            options="benchsuite_plugins.models.vitdet_mask_rcnn:ViTDetMaskRCNNOptions",
            summary="ViTDet: Mask R-CNN with a plain ViT and a simple feature pyramid",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="vitdet_cascade_mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.vitdet_cascade_mask_rcnn:create",
            options="benchsuite_plugins.models.vitdet_cascade_mask_rcnn:ViTDetCascadeMaskRCNNOptions",
            summary="ViTDet: Cascade Mask R-CNN with a plain ViT and a simple feature pyramid",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="swin_cascade_mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.swin_cascade_mask_rcnn:create",
            options="benchsuite_plugins.models.swin_cascade_mask_rcnn:SwinCascadeMaskRCNNOptions",
            summary="Cascade Mask R-CNN with a Swin-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mvitv2_mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mvitv2_mask_rcnn:create",
            options="benchsuite_plugins.models.mvitv2_mask_rcnn:MViTv2MaskRCNNOptions",
            summary="Mask R-CNN with a MViTv2-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mvitv2_cascade_mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mvitv2_cascade_mask_rcnn:create",
            options="benchsuite_plugins.models.mvitv2_cascade_mask_rcnn:MViTv2CascadeMaskRCNNOptions",
            summary="Cascade Mask R-CNN with a MViTv2-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="cascade_mask_rcnn",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.cascade_mask_rcnn:create",
            options="benchsuite_plugins.models.cascade_mask_rcnn:CascadeMaskRCNNOptions",
            summary="Cascade Mask R-CNN with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="faster_rcnn_c4",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.faster_rcnn_c4:create",
            options="benchsuite_plugins.models.faster_rcnn_c4:FasterRCNNC4Options",
            summary="Faster R-CNN on a ResNet's res4, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mask_rcnn_c4",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mask_rcnn_c4:create",
            options="benchsuite_plugins.models.mask_rcnn_c4:MaskRCNNC4Options",
            summary="Mask R-CNN on a ResNet's res4, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="faster_rcnn_dc5",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.faster_rcnn_dc5:create",
            options="benchsuite_plugins.models.faster_rcnn_dc5:FasterRCNNDC5Options",
            summary="Faster R-CNN on a ResNet's dilated res5, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="mask_rcnn_dc5",
            tasks=("bbox", "segm"),
            factory="benchsuite_plugins.models.mask_rcnn_dc5:create",
            options="benchsuite_plugins.models.mask_rcnn_dc5:MaskRCNNDC5Options",
            summary="Mask R-CNN on a ResNet's dilated res5, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="retinanet",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.retinanet:create",
            options="benchsuite_plugins.models.retinanet:RetinaNetOptions",
            summary="RetinaNet with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="fcos",
            tasks=("bbox",),
            factory="benchsuite_plugins.models.fcos:create",
            options="benchsuite_plugins.models.fcos:FCOSOptions",
            summary="FCOS with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="keypoint_rcnn",
            tasks=("bbox", "keypoints"),
            factory="benchsuite_plugins.models.keypoint_rcnn:create",
            options="benchsuite_plugins.models.keypoint_rcnn:KeypointRCNNOptions",
            summary="Keypoint R-CNN with a ResNet-FPN backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="semantic_fpn",
            tasks=("semantic",),
            factory="benchsuite_plugins.models.semantic_fpn:create",
            options="benchsuite_plugins.models.semantic_fpn:SemanticFPNOptions",
            summary="Panoptic FPN's semantic branch alone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="panoptic_fpn",
            tasks=("bbox", "segm", "semantic", "panoptic"),
            factory="benchsuite_plugins.models.panoptic_fpn:create",
            options="benchsuite_plugins.models.panoptic_fpn:PanopticFPNOptions",
            summary="Panoptic FPN with a ResNet backbone, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        ModelSpec(
            name="cascade_panoptic_fpn",
            tasks=("bbox", "segm", "semantic", "panoptic"),
            factory="benchsuite_plugins.models.cascade_panoptic_fpn:create",
            options="benchsuite_plugins.models.cascade_panoptic_fpn:CascadePanopticFPNOptions",
            summary="Panoptic FPN with cascaded boxes on a ResNet, to Detectron2's conventions",
            licence="Apache-2.0",
        ),
        torchvision("faster_rcnn", ("bbox",), "Faster R-CNN"),
        torchvision("mask_rcnn", ("bbox", "segm"), "Mask R-CNN"),
        torchvision("retinanet", ("bbox",), "RetinaNet"),
        torchvision("keypoint_rcnn", ("bbox", "keypoints"), "Keypoint R-CNN"),
    ]


@hookimpl
def benchsuite_datasets() -> list[DatasetSpec]:
    detection = ("coco_bbox", "coco_segm", "coco_keypoints", "coco_proposals")
    maps = ("panoptic_quality", "semantic_iou")

    def lvis(name: str, factory: str, splits: tuple[str, ...], summary: str) -> DatasetSpec:
        return DatasetSpec(
            name=name,
            tasks=("bbox", "segm"),
            factory=f"benchsuite_plugins.datasets.lvis:{factory}",
            metrics=("lvis_bbox", "lvis_segm"),
            splits=splits,
            summary=summary,
            licence="CC-BY-4.0",
        )

    return [
        DatasetSpec(
            name="shapes",
            tasks=("bbox", "segm", "keypoints", "semantic", "panoptic"),
            factory="benchsuite_plugins.datasets.shapes:open_shapes",
            options="benchsuite_plugins.datasets.shapes:ShapesOptions",
            metrics=(*detection, *maps),
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
            metrics=(*detection, *maps),
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
            metrics=maps,
            splits=("val2017", "train2017"),
            summary="COCO 2017's panoptic annotations alone: panoptic and semantic maps",
            licence="CC-BY-4.0",
        ),
        lvis(
            "lvis",
            "open_v1",
            ("val", "train", "minival"),
            "LVIS v1: masks of 1203 categories on COCO's images, federated annotation",
        ),
        lvis(
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
            suffixes=tuple(
                f"crowdpose_{split}.json" for split in ("val", "test", "train", "trainval")
            ),
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
            metrics=(*detection, "rotated_ap", *maps),
            splits=("all",),
            summary="any COCO-format annotation file: --dataset FILE.json --images DIR",
            suffixes=(".json",),
        ),
    ]


@hookimpl
def benchsuite_losses() -> list[LossSpec]:
    def loss(name: str, factory: str, compares: str, summary: str) -> LossSpec:
        return LossSpec(
            name=name,
            factory=f"benchsuite_plugins.losses.{factory}",
            compares=compares,
            summary=summary,
            licence="Apache-2.0",
        )

    return [
        loss("smooth_l1", "smooth_l1_loss:create", "values", "L1, a parabola below beta"),
        loss("l1", "l1_loss:create", "values", "the absolute difference"),
        loss("giou", "iou_losses:create_giou", "boxes", "generalized IoU"),
        loss("diou", "iou_losses:create_diou", "boxes", "IoU and the distance of the centres"),
        loss("ciou", "iou_losses:create_ciou", "boxes", "DIoU and the aspect ratio"),
        loss("cross_entropy", "cross_entropy:create", "labels", "classes that exclude each other"),
        loss(
            "federated",
            "federated_loss:create",
            "labels",
            "few of many independent classes: those that are there, and some at random",
        ),
        loss(
            "sigmoid_focal",
            "sigmoid_focal_loss:create",
            "binary",
            "focal loss of classes that are independent of each other",
        ),
    ]


@hookimpl
def benchsuite_metrics() -> list[MetricSpec]:
    def lvis(task: str, what: str) -> MetricSpec:
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

    def coco(task: str, what: str) -> MetricSpec:
        return MetricSpec(
            name=f"coco_{task}",
            task=task,
            factory=f"benchsuite_plugins.metrics.coco_ap:{task}",
            official=f"benchsuite_plugins.metrics.coco_official:{task}",
            options="benchsuite_plugins.metrics.coco_options:CocoOptions",
            summary=f"COCO average precision of {what}, as pycocotools computes it",
            licence="Apache-2.0",
        )

    return [
        coco("bbox", "boxes"),
        coco("segm", "masks"),
        coco("keypoints", "keypoints (OKS)"),
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
        lvis("bbox", "boxes"),
        lvis("segm", "masks"),
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


@hookimpl
def benchsuite_formats() -> list[FormatSpec]:
    formats = "benchsuite_plugins.formats"
    return [
        FormatSpec(
            name="coco",
            recognises=f"{formats}.coco:recognises",
            read_truth=f"{formats}.coco:read_truth",
            write_truth=f"{formats}.coco:write_truth",
            read_predictions=f"{formats}.coco:read_predictions",
            write_predictions=f"{formats}.coco:write_predictions",
            suffixes=(".json",),
            tasks=("bbox", "segm", "keypoints", "rotated"),
            summary="COCO annotations and results: a JSON file",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="parquet",
            recognises=f"{formats}.parquet:recognises",
            read_truth=f"{formats}.parquet:read_truth",
            write_truth=f"{formats}.parquet:write_truth",
            read_predictions=f"{formats}.parquet:read_predictions",
            write_predictions=f"{formats}.parquet:write_predictions",
            suffixes=(".parquet", ".arrow", ".feather"),
            tasks=("bbox", "segm", "keypoints", "rotated"),
            summary="Parquet: a folder of tables as truth, a file (Arrow's too) as predictions",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="coco_panoptic",
            recognises=f"{formats}.coco_panoptic:recognises",
            read_truth=f"{formats}.coco_panoptic:read_truth",
            write_truth=f"{formats}.coco_panoptic:write_truth",
            read_predictions=f"{formats}.coco_panoptic:read_predictions",
            write_predictions=f"{formats}.coco_panoptic:write_predictions",
            suffixes=(".json",),
            tasks=("semantic", "panoptic", "segm", "bbox"),
            summary="COCO panoptic: a JSON file of segments with a folder of PNG maps beside it",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="panoptic_two_channel",
            recognises=f"{formats}.panoptic_two_channel:recognises",
            read_truth=f"{formats}.panoptic_two_channel:read_truth",
            write_truth=f"{formats}.panoptic_two_channel:write_truth",
            read_predictions=f"{formats}.panoptic_two_channel:read_predictions",
            write_predictions=f"{formats}.panoptic_two_channel:write_predictions",
            tasks=("semantic", "panoptic", "segm", "bbox"),
            summary="panoptic PNG maps with the category in red and a number in green",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="label_maps",
            recognises=f"{formats}.label_maps:recognises",
            write_truth=f"{formats}.label_maps:write_truth",
            read_predictions=f"{formats}.label_maps:read_predictions",
            write_predictions=f"{formats}.label_maps:write_predictions",
            tasks=("semantic",),
            summary="semantic PNG maps of category ids, called as their images",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="voc",
            recognises=f"{formats}.voc:recognises",
            read_truth=f"{formats}.voc_annotations:read_truth",
            write_truth=f"{formats}.voc_writer:write_truth",
            read_predictions=f"{formats}.voc_detections:read_predictions",
            write_predictions=f"{formats}.voc_detections:write_predictions",
            tasks=("bbox",),
            summary="Pascal VOC: XML annotations, detections as comp4_det_test_CATEGORY.txt",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="yolo",
            recognises=f"{formats}.yolo:recognises",
            read_truth=f"{formats}.yolo:read_truth",
            write_truth=f"{formats}.yolo_writer:write_truth",
            read_predictions=f"{formats}.yolo:read_predictions",
            write_predictions=f"{formats}.yolo_writer:write_predictions",
            suffixes=(".yaml", ".yml"),
            tasks=("bbox", "segm"),
            summary="YOLO text: boxes and outlines, with data.yaml or classes.txt",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="dota",
            recognises=f"{formats}.dota:recognises",
            read_truth=f"{formats}.dota:read_truth",
            write_truth=f"{formats}.dota_writer:write_truth",
            read_predictions=f"{formats}.dota:read_predictions",
            write_predictions=f"{formats}.dota_writer:write_predictions",
            tasks=("rotated", "bbox"),
            summary="DOTA text: quadrilaterals, detections as Task1_CATEGORY.txt",
            licence="Apache-2.0",
        ),
        FormatSpec(
            name="cityscapes",
            recognises=f"{formats}.cityscapes:recognises",
            read_truth=f"{formats}.cityscapes:read_truth",
            read_predictions=f"{formats}.cityscapes:read_predictions",
            write_predictions=f"{formats}.cityscapes:write_predictions",
            tasks=("bbox", "segm", "semantic", "panoptic"),
            summary="Cityscapes' folder, and its results: masks listed in text files, label maps",
            licence="Apache-2.0",
        ),
    ]


@hookimpl
def benchsuite_commands() -> list[CommandSpec]:
    return [
        CommandSpec(
            name="analyze",
            factory="benchsuite_plugins.commands.analyze:analyze",
            summary="Say what a detector gets wrong, and what that costs.",
        ),
        CommandSpec(
            name="zoo",
            factory="benchsuite_plugins.commands.zoo:zoo",
            summary="Show recipes, check and convert checkpoints.",
        ),
    ]
