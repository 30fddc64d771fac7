"""What models there are: Detectron2's architectures, and torchvision's."""

from __future__ import annotations

from dataclasses import replace

from benchsuite.specs import ModelSpec


def _torchvision(name: str, tasks: tuple[str, ...], title: str) -> ModelSpec:
    module = f"benchsuite_plugins.models.torchvision_{name}"
    return ModelSpec(
        name=f"torchvision_{name}",
        tasks=tasks,
        factory=f"{module}:create",
        options=f"{module}:Torchvision{title.replace(' ', '').replace('-', '')}Options",
        summary=f"{title} with a ResNet-FPN backbone, to torchvision's conventions",
        licence="Apache-2.0",
    )


_MODELS = (
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
        proposals="benchsuite_plugins.models.proposal_file:read_training_proposals",
    ),
    ModelSpec(
        name="rpn",
        tasks=("proposals",),
        factory="benchsuite_plugins.models.proposal_network:create",
        options="benchsuite_plugins.models.proposal_network:ProposalNetworkOptions",
        summary="A region proposal network with a ResNet-FPN backbone, to Detectron2's conventions",
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
    _torchvision("faster_rcnn", ("bbox",), "Faster R-CNN"),
    _torchvision("mask_rcnn", ("bbox", "segm"), "Mask R-CNN"),
    _torchvision("retinanet", ("bbox",), "RetinaNet"),
    _torchvision("keypoint_rcnn", ("bbox", "keypoints"), "Keypoint R-CNN"),
)

MODELS: list[ModelSpec] = [
    # All are built by ``create_model``, which prepares them.
    replace(spec, execution=("precision", "compile", "channels_last", "cuda_graph"))
    for spec in _MODELS
]
