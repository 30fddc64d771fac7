"""What runs, tasks and devices are called on a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.execution import execution_title

Run = Mapping[str, Any]
"""A row of ``schemas.RUNS`` as a dictionary."""

TASK_TITLES = {
    "bbox": "Object detection",
    "segm": "Instance segmentation",
    "keypoints": "Keypoint detection",
    "semantic": "Semantic segmentation",
    "panoptic": "Panoptic segmentation",
    "proposals": "Box proposals",
}

TASK_NOUNS = {
    "bbox": "boxes",
    "segm": "masks",
    "keypoints": "keypoints",
    "semantic": "semantic maps",
    "panoptic": "panoptic maps",
    "proposals": "proposals",
}


def task_title(task: str) -> str:
    return TASK_TITLES.get(task, task)


def run_name(run: Run) -> str:
    """The published name where a recipe was run, else the model's."""
    return str(run["recipe"] or run["model"])


def dataset_title(run: Run) -> str:
    """``coco/val2017``; a dataset given as a file has no splits worth naming."""
    return str(
        run["dataset"] if run["split"] in ("", "all") else f"{run['dataset']}/{run['split']}"
    )


def device_title(run: Run) -> str | None:
    """The hardware that the times belong to, with the threads where it is a CPU.

    Two runs whose title is the same may be held against each other in time.
    """
    if not run["device"]:
        return None
    hardware = str(run["device_name"] or run["device"])
    if not str(run["device"]).startswith("cpu") or not run["threads"]:
        return hardware
    return f"{hardware}, {run['threads']} thread{'' if run['threads'] == 1 else 's'}"


def run_title(run: Run) -> str:
    """``model · dataset · images · device · precision · batch``, as the run's screen has it."""
    images = f"{run['n_images']:,} image{'' if run['n_images'] == 1 else 's'}"
    parts = [run_name(run), dataset_title(run), images]
    if run["device"]:
        cpu = str(run["device"]).startswith("cpu") and run["threads"]
        parts.append(f"{run['device']}, {run['threads']} threads" if cpu else run["device"])
        parts += [execution_title(run), f"batch {run['batch_size']}" if run["batch_size"] else ""]
    return " · ".join(part for part in parts if part)


def evaluator_of(run: Run, metric: str) -> str:
    """The implementation, with its version, that computed a metric's values in this run."""
    named = parsed(run["evaluators"])
    return str(named.get(metric, "")) if isinstance(named, Mapping) else str(named or "")


def parsed(column: str | None) -> Any:
    """The value of a column that holds JSON; what is no JSON is shown as it stands."""
    if not column:
        return None
    try:
        return json.loads(column)
    except json.JSONDecodeError:
        return column


def flattened(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested options as dotted names: ``{"a": {"b": 1}}`` is ``{"a.b": "1"}``."""
    if isinstance(value, Mapping):
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat |= flattened(inner, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return {prefix: ", ".join(_plain(item) for item in value)}
    return {prefix: _plain(value)}


def variants(runs: Sequence[Run]) -> list[str]:
    """What tells runs of one name apart: the settings that differ, as ``name=value``.

    Returns:
        A string a run, empty where the run's name is its own or nothing differs.
    """
    by_name: dict[str, list[int]] = {}
    for i, run in enumerate(runs):
        by_name.setdefault(run_name(run), []).append(i)
    told = [""] * len(runs)
    for indices in by_name.values():
        if len(indices) < 2:
            continue
        settings = [_settings(runs[i]) for i in indices]
        names = list(dict.fromkeys(name for each in settings for name in each))
        differing = [n for n in names if len({each.get(n) for each in settings}) > 1]
        for i, each in zip(indices, settings):
            told[i] = ", ".join(f"{name}={each[name]}" for name in differing if name in each)
    return told


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _settings(run: Run) -> dict[str, str]:
    """What a result's identity covers, beside the data: name to value."""
    digest = run["weights_sha256"]
    return {
        **flattened(parsed(run["model_options"]) or {}),
        "weights": str(run["weights_name"] or "") + (f"@{digest[:8]}" if digest else ""),
        "execution": execution_title(run),
        "batch": str(run["batch_size"] or ""),
        "seed": str(run["seed"]),
        "predictions": str(run.get("predictions_sha256") or "")[:8],
        **flattened(parsed(run["preprocessing"]) or {}, "preprocessing"),
        **flattened(parsed(run["evaluators"]) or {}),
        "version": str(run["version"]),
    }
