"""What a run's numbers came from, put into groups for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from benchsuite.execution import execution_title
from benchsuite.report import notation
from benchsuite.report.naming import Run, dataset_title, flattened, parsed


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: a name and what it was; ``code`` is for hashes and options."""

    name: str
    value: str | None
    code: bool = False


@dataclass(frozen=True, slots=True)
class FactGroup:
    title: str
    facts: Sequence[Fact]


def provenance(run: Run) -> list[FactGroup]:
    """Everything the store keeps about where a run's numbers came from; what is not known is left
    out."""
    weights = "random, from the seed" if run["weights_random"] else run["weights_name"]
    images = notation.count(run["n_images"])
    if run["partial"]:
        images += f" of {notation.count(run['n_dataset_images'])}"
    groups = [
        FactGroup(
            "Model",
            [
                Fact("model", run["model"]),
                Fact("recipe", run["recipe"]),
                Fact("licence", run["model_licence"]),
                Fact("weights", weights),
                Fact("weights SHA-256", run["weights_sha256"], code=True),
                Fact("parameters", notation.count(run["parameters"])),
                *_options("", run["model_options"]),
                *_options("preprocessing", run["preprocessing"]),
            ],
        ),
        FactGroup(
            "Data",
            [
                Fact("dataset", dataset_title(run)),
                Fact("images", images),
                Fact("annotations SHA-256", run["annotation_sha256"], code=True),
                Fact("image list SHA-256", run["images_sha256"], code=True),
                *_options("", run["dataset_options"]),
                *_category_facts(run["category_map"]),
                Fact("predictions", notation.count(run["n_predictions"])),
                Fact("predictions dropped", notation.count(run["n_dropped"])),
                Fact("predictions SHA-256", run.get("predictions_sha256"), code=True),
            ],
        ),
        FactGroup(
            "Evaluation",
            [
                *_options("", run["evaluators"]),
                Fact("verdict", run["verdict"]),
            ],
        ),
        FactGroup(
            "Machine",
            [
                Fact("device", run["device"]),
                Fact("hardware", run["device_name"]),
                Fact("threads", _text(run["threads"])),
                Fact("precision", execution_title(run)),
                Fact("batch size", _text(run["batch_size"])),
                Fact("warm-up batches", _text(run["warmup"])),
                Fact("seed", _text(run["seed"])),
                *_options("kernel", run["kernels"]),
            ],
        ),
        FactGroup(
            "Record",
            [
                Fact("run", run["run_id"], code=True),
                Fact("result", run["result_id"], code=True),
                Fact("made", f"{run['created']:%Y-%m-%d %H:%M:%S} UTC"),
                Fact("made by", f"benchsuite {run['verb']}, version {run['version']}"),
            ],
        ),
    ]
    return [
        FactGroup(group.title, kept)
        for group in groups
        if (kept := [f for f in group.facts if f.value not in (None, "", notation.DASH)])
    ]


def environment_facts(environment: pa.Table | None) -> list[Fact]:
    """The environment's facts by name; JSON objects are spread over lines of their own."""
    if environment is None:
        return []
    facts = []
    for row in environment.to_pylist():
        facts += [Fact(n, v) for n, v in flattened(parsed(row["value"]), row["name"]).items()]
    return [fact for fact in facts if fact.value not in ("", "null")]


def _options(prefix: str, column: str | None) -> list[Fact]:
    options = parsed(column)
    if options is None:
        return []
    if not isinstance(options, Mapping):
        text = options if isinstance(options, str) else json.dumps(options)
        return [Fact(prefix or "options", text, code=True)]
    return [Fact(name, value, code=True) for name, value in flattened(options, prefix).items()]


def _category_facts(column: str | None) -> list[Fact]:
    """Which categories the model and the dataset do not share."""
    mapping = parsed(column)
    if not isinstance(mapping, Mapping):
        return []
    titles = {
        "dropped": "categories that only the model has",
        "unreachable": "categories that the model cannot predict",
    }
    return [
        Fact(title, _some([str(name) for name in names]))
        for key, title in titles.items()
        if (names := mapping.get(key))
    ]


def _some(names: Sequence[str], shown: int = 12) -> str:
    listed = ", ".join(names[:shown])
    return listed if len(names) <= shown else f"{listed}, … ({len(names)} in all)"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
