"""What transforms a recipe's augmentations can name."""

from __future__ import annotations

from benchsuite.specs import TransformSpec


def _transform(name: str, factory: str, summary: str) -> TransformSpec:
    return TransformSpec(
        name=name,
        factory=f"benchsuite_plugins.transforms.{factory}",
        summary=summary,
        licence="Apache-2.0",
    )


def _ground(name: str, factory: str, summary: str) -> TransformSpec:
    return _transform(name, f"torchvision_geometry:{factory}", summary)


def _torchvision(name: str, summary: str) -> TransformSpec:
    return TransformSpec(name, f"torchvision.transforms.v2:{name}", summary, "BSD-3-Clause")


TRANSFORMS: list[TransformSpec] = [
    _transform(
        "ResizeShortestEdge",
        "resizing:ResizeShortestEdge",
        "the shorter side becomes one of several lengths, or any of a range",
    ),
    _transform(
        "ResizeScale",
        "resizing:ResizeScale",
        "fitted into a rectangle and scaled by a number of a range (large-scale jitter)",
    ),
    _transform("RandomFlip", "flipping:random_flip", "mirrored with a probability"),
    _transform("RandomApply", "containers:random_apply", "another transform with a probability"),
    _transform("AugmentationList", "containers:augmentation_list", "several transforms in a row"),
    _transform("RandomCrop", "cropping:RandomCrop", "a rectangle of a size that is drawn"),
    _transform(
        "FixedSizeCrop", "cropping:FixedSizeCrop", "a rectangle of one size, or padding to it"
    ),
    _transform(
        "RandomCrop_CategoryAreaConstraint",
        "cropping:CategoryAreaCrop",
        "a rectangle that no one category fills beyond a share",
    ),
    _transform(
        "RandomExtent",
        "cropping:RandomExtent",
        "a rectangle that may reach beyond the image",
    ),
    _transform(
        "MinIoURandomCrop",
        "iou_crop:MinIoURandomCrop",
        "a rectangle that all objects overlap by a share that is drawn",
    ),
    _transform(
        "RandomIoUCrop",
        "iou_crop:RandomIoUCrop",
        "a rectangle that overlaps an object by a share that is drawn (SSD)",
    ),
    _transform(
        "SimpleCopyPaste",
        "copy_paste:SimpleCopyPaste",
        "objects of another image pasted onto this one",
    ),
    _transform("Mosaic", "mosaic:Mosaic", "four images round a point (YOLOv4)"),
    _transform("RandomBrightness", "colours:RandomBrightness", "darker or brighter"),
    _transform("RandomContrast", "colours:RandomContrast", "less or more contrast"),
    _transform("RandomSaturation", "colours:RandomSaturation", "paler or stronger colours"),
    _transform("RandomLighting", "colours:RandomLighting", "light of another colour (AlexNet's)"),
    _ground("RandomRotation", "random_rotation", "rotated by an angle that is drawn"),
    _ground("RandomAffine", "random_affine", "rotated, moved, scaled and sheared"),
    _ground("RandomPerspective", "random_perspective", "tilted"),
    _ground("ElasticTransform", "elastic_transform", "pulled about"),
    _ground("RandomZoomOut", "random_zoom_out", "put somewhere on a larger ground (SSD)"),
    _ground("Pad", "pad", "given a border"),
    _torchvision("RandomChoice", "one of several transforms"),
    _torchvision("RandomOrder", "several transforms in an order that is drawn"),
    _torchvision("RandomHorizontalFlip", "left and right change places"),
    _torchvision("RandomVerticalFlip", "top and bottom change places"),
    _torchvision("Resize", "resized to one size, by torchvision's own filter"),
    _torchvision("RandomShortestSize", "the shorter side becomes one of several lengths"),
    _torchvision("RandomResize", "resized to a size of a range"),
    _torchvision("ScaleJitter", "scaled by a number of a range"),
    _torchvision("RandomResizedCrop", "a rectangle, resized to one size"),
    _torchvision("CenterCrop", "the middle"),
    _torchvision("RandomPhotometricDistort", "brightness, contrast, saturation, hue (SSD)"),
    _torchvision("ColorJitter", "brightness, contrast, saturation, hue"),
    _torchvision("RandomGrayscale", "grey"),
    _torchvision("RandomChannelPermutation", "channels change places"),
    _torchvision("RandomEqualize", "brightness spread evenly"),
    _torchvision("RandomInvert", "colours inverted"),
    _torchvision("RandomPosterize", "fewer shades"),
    _torchvision("RandomSolarize", "bright pixels inverted"),
    _torchvision("RandomAutocontrast", "the darkest black, the brightest white"),
    _torchvision("RandomAdjustSharpness", "sharper or softer"),
    _torchvision("GaussianBlur", "blurred"),
]
