"""What there is to say of a dataset: what it is, where it lies, what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchsuite.errors import DataMissingError
from benchsuite.resolve import find_dataset, open_dataset

if TYPE_CHECKING:
    from benchsuite.protocols import Dataset
    from benchsuite.specs import DatasetSpec


def summarise_dataset(
    argument: str, *, split: str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A dataset as JSON-able values.

    A dataset that has a name is described even if its files are not here: then ``present`` is
    false, ``missing`` says what was looked for, and there are no counts.

    Raises:
        UsageError: no such dataset or split.
        DataMissingError: ``argument`` names a file that is not there.
    """
    spec, chosen, file = find_dataset(argument, split)
    summary = _of_spec(spec, chosen)
    try:
        opened = open_dataset(argument, split=split, overrides=overrides)
    except DataMissingError as error:
        if file is not None:
            raise
        return {**summary, "present": False, "missing": str(error)}
    return {**summary, "name": opened.name, "present": True, **_of_dataset(opened.dataset)}


def _of_spec(spec: DatasetSpec, split: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "licence": spec.licence,
        "splits": list(spec.splits),
        "split": split,
        "metrics": list(spec.metrics),
        "can_be_fetched": spec.fetch is not None,
    }


def _of_dataset(dataset: Dataset) -> dict[str, Any]:
    truth = dataset.truth("bbox" if "bbox" in dataset.tasks else dataset.tasks[0])
    counted = truth.instances["category_id"].value_counts().to_pylist()
    counts = {row["values"]: row["counts"] for row in counted}
    return {
        "source": truth.source,
        "annotation_sha256": dataset.annotation_sha256,
        "tasks": list(dataset.tasks),
        "n_images": len(dataset.images()),
        "n_annotations": truth.instances.num_rows,
        "keypoints": list(dataset.keypoints.names) if dataset.keypoints else [],
        "categories": [
            {
                "id": category.id,
                "name": category.name,
                "isthing": category.isthing,
                "n_annotations": counts.get(category.id, 0),
            }
            for category in dataset.categories
        ],
    }
