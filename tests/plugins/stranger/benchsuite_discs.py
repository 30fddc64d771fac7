"""What a plugin registers: three specs. Nothing heavy is imported here."""

from benchsuite import Category, DatasetSpec, MetricSpec, ModelSpec, hookimpl

DISC = (Category(1, "disc"),)


@hookimpl
def benchsuite_models():
    return [
        ModelSpec(
            "brightest",
            tasks=("bbox",),
            categories=DISC,
            factory="benchsuite_discs_parts:Brightest",
        )
    ]


@hookimpl
def benchsuite_datasets():
    return [
        DatasetSpec(
            "discs",
            tasks=("bbox",),
            metrics=("coco_bbox", "centre_hit"),
            categories=DISC,
            factory="benchsuite_discs_parts:Discs",
        )
    ]


@hookimpl
def benchsuite_metrics():
    return [
        MetricSpec(
            "centre_hit",
            task="bbox",
            prefix="centre",
            primary="hit_rate",
            factory="benchsuite_discs_parts:CentreHit",
        )
    ]
