"""Believable stores of made-up results. Every number here is invented and lives in tests only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite import schemas

Tables = dict[str, pa.Table]

START = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
CATEGORY_NAMES = (
    "person bicycle car motorcycle airplane bus train truck boat bird cat dog horse sheep cow "
    "elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis snowboard "
    "kite skateboard surfboard bottle cup fork knife spoon bowl banana apple sandwich orange"
)
CATEGORIES = tuple(re.findall(r"\w+", CATEGORY_NAMES))
BOX_VALUES = (
    "AP",
    "AP50",
    "AP75",
    "APs",
    "APm",
    "APl",
    "AR1",
    "AR10",
    "AR100",
    "ARs",
    "ARm",
    "ARl",
)
BOX_SHARES = (1.0, 1.5, 1.09, 0.58, 1.09, 1.27, 0.82, 1.25, 1.31, 0.85, 1.39, 1.63)
KEYPOINT_VALUES = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")
KEYPOINT_SHARES = (1.0, 1.33, 1.08, 0.94, 1.1, 1.1, 1.4, 1.18, 1.03, 1.2)


def make_run(
    model: str = "mask_rcnn",
    *,
    run_id: str = "run-0",
    recipe: str | None = None,
    tasks: Mapping[str, float] | None = None,
    published: Mapping[str, float] | None = None,
    latency_ms: float | None = 50.0,
    device: str | None = "cpu",
    device_name: str | None = "AMD EPYC 9R14",
    threads: int | None = 4,
    n_images: int = 5000,
    n_dataset_images: int | None = None,
    samples: int = 400,
    categories: Sequence[str] = CATEGORIES,
    made_at: datetime = START,
    seed: int = 0,
    curves: bool = True,
    **columns: Any,
) -> Tables:
    """One run's tables. ``tasks`` maps a task to its AP; ``columns`` override those of RUNS."""
    rng = np.random.default_rng(seed)
    tasks = {"bbox": 0.41, "segm": 0.372} if tasks is None else tasks
    whole = n_images if n_dataset_images is None else n_dataset_images
    run: dict[str, Any] = {
        "run_id": run_id,
        "result_id": _hash(run_id),
        "created": made_at,
        "verb": "run",
        "model": model,
        "model_licence": "Apache-2.0",
        "model_options": json.dumps({"depth": 50, "backbone": {"norm": "frozen"}}),
        "recipe": recipe,
        "weights_name": recipe,
        "weights_sha256": _hash(recipe or model),
        "weights_random": False,
        "parameters": 44_396_072,
        "dataset": "coco",
        "split": "val2017",
        "dataset_options": "{}",
        "annotation_sha256": _hash("annotations"),
        "images_sha256": _hash(f"{n_images} images"),
        "n_images": n_images,
        "n_dataset_images": whole,
        "partial": n_images < whole,
        "n_predictions": 41 * n_images,
        "n_dropped": 0,
        "category_map": json.dumps({"category_ids": [1, 2], "dropped": [], "unreachable": []}),
        "tasks": list(tasks),
        "evaluators": json.dumps({f"coco_{task}": "pycocotools 2.0.11" for task in tasks}),
        "preprocessing": json.dumps({"resize": [800, 1333], "mean": [103.53, 116.28, 123.675]}),
        "precision": "fp32",
        "batch_size": 1,
        "seed": 0,
        "device": device,
        "device_name": device_name,
        "threads": threads,
        "warmup": 3,
        "kernels": json.dumps({"roi_align": "c++", "nms": "c++"}),
        "verdict": "reproduced",
        "warnings": [],
        "command": f"benchsuite run --model {model} --dataset coco/val2017 --seed 0",
        "version": "0.1.0",
        **columns,
    }
    run = {name: run.get(name) for name in schemas.RUNS.names}
    metrics, per_class, pr = [], [], []
    for task, ap in tasks.items():
        keypoints = task == "keypoints"
        names = KEYPOINT_VALUES if keypoints else BOX_VALUES
        shares = KEYPOINT_SHARES if keypoints else BOX_SHARES
        for name, share in zip(names, shares):
            metrics.append(
                {
                    **{k: run[k] for k in ("run_id", "result_id", "model", "recipe")},
                    **{k: run[k] for k in ("dataset", "split", "partial")},
                    "task": task,
                    "metric": f"coco_{task}",
                    "name": f"{task}/{name}",
                    "value": ap if ap < 0 else min(0.99, ap * share),
                    "published": (published or {}).get(f"{task}/{name}"),
                    "primary": name == "AP",
                    "higher_is_better": True,
                }
            )
        named = ("person",) if keypoints else categories
        hardness = np.random.default_rng(7).uniform(0.25, 1.75, len(named))
        for i, category in enumerate(named):
            own = float(np.clip(max(ap, 0) * hardness[i] * rng.normal(1, 0.08), 0.002, 0.97))
            key = {"run_id": run_id, "task": task, "category": category, "category_id": i + 1}
            without_truth = len(named) > 3 and i == 3
            for name, share in zip(names[:6], shares[:6]):
                value = None if without_truth else min(0.99, own * share)
                per_class.append({**key, "metric": name, "value": value})
            if curves:
                pr += [_curve(key, own, iou, without_truth) for iou in np.linspace(0.5, 0.95, 10)]
    return {
        "runs": pa.Table.from_pylist([run], schema=schemas.RUNS),
        "metrics": pa.Table.from_pylist(metrics, schema=schemas.METRICS),
        "per_class": pa.Table.from_pylist(per_class, schema=schemas.STORED_PER_CLASS),
        "pr_curves": pa.Table.from_pylist(pr, schema=schemas.STORED_PR_CURVES),
        "throughput": _samples(run_id, latency_ms, samples, rng),
        "environment": pa.Table.from_pylist(
            [
                {"run_id": run_id, "name": name, "value": json.dumps(value)}
                for name, value in (
                    ("python", "3.11.9"),
                    ("cpu", device_name),
                    ("cpu_features", ["avx2", "avx512f"]),
                    ("load_average", 0.42),
                    ("gpus", []),
                    ("version/torch", "2.11.0"),
                )
            ],
            schema=schemas.ENVIRONMENT,
        ),
    }


def write_store(root: Path, runs: Sequence[Tables]) -> Path:
    """Writes runs as the store lays them out."""
    for tables in runs:
        run_id = tables["runs"]["run_id"][0].as_py()
        for name, table in tables.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, root / name / f"{run_id}.parquet", compression="zstd")
    return root


def believable_runs() -> list[Tables]:
    """A dozen results on two devices, with repeats, a subset, random weights and an ``eval``."""
    models = [
        # model, recipe, box AP, mask AP, claimed box AP, claimed mask AP, CPU ms, GPU ms, licence
        ("faster_rcnn", "faster_rcnn_R_50_FPN_3x", 0.40172, None, 0.402, None, 412, 21.5),
        ("mask_rcnn", "mask_rcnn_R_50_FPN_3x", 0.41021, 0.37204, 0.410, 0.372, 455, 26.1),
        ("mask_rcnn", "mask_rcnn_R_101_FPN_3x", 0.42871, 0.38602, 0.429, 0.386, 618, 33.4),
        ("mask_rcnn", "mask_rcnn_X_101_32x8d_FPN_3x", 0.44285, 0.39461, 0.443, 0.395, 1210, 61.0),
        (
            "cascade_mask_rcnn",
            "cascade_mask_rcnn_R_50_FPN_3x",
            0.4433,
            0.3851,
            0.443,
            0.385,
            540,
            35,
        ),
        ("retinanet", "retinanet_R_50_FPN_3x", 0.38662, None, 0.387, None, 398, 24.9),
        ("fcos", "fcos_R_50_FPN_1x", 0.3871, None, None, None, 371, 19.2),
        ("vitdet", "mask_rcnn_vitdet_b", 0.5142, 0.4571, 0.516, 0.459, 2840, 98.0),
        (
            "swin_cascade",
            "cascade_mask_rcnn_swin_b_in21k_50ep",
            0.5388,
            0.4621,
            0.539,
            0.462,
            2210,
            88,
        ),
        ("yolo_tiny", None, 0.2412, None, None, None, 38.0, 4.1),
    ]
    runs = []
    for i, (model, recipe, box, mask, claimed_box, claimed_mask, cpu, gpu) in enumerate(models):
        tasks = {"bbox": box} | ({"segm": mask} if mask else {})
        claims = {"bbox/AP": claimed_box, "segm/AP": claimed_mask}
        common: dict[str, Any] = {
            "recipe": recipe,
            "tasks": tasks,
            "published": {name: value for name, value in claims.items() if value},
            "result_id": _hash(f"result {i}"),
            "parameters": int(2.2e7 + 1.1e7 * i),
            "model_licence": "AGPL-3.0-only" if model == "yolo_tiny" else "Apache-2.0",
            "seed": i,
        }
        runs.append(
            make_run(
                model,
                run_id=f"{model}-{i}-cpu",
                latency_ms=cpu,
                made_at=START + timedelta(hours=i),
                **common,
            )
        )
        runs.append(
            make_run(
                model,
                run_id=f"{model}-{i}-gpu",
                latency_ms=gpu,
                device="cuda",
                threads=4,
                device_name="NVIDIA H100 80GB HBM3",
                made_at=START + timedelta(days=1, hours=i),
                **common,
            )
        )
    runs.append(
        make_run(
            "mask_rcnn",
            run_id="subset",
            recipe="mask_rcnn_R_50_FPN_3x",
            n_images=100,
            n_dataset_images=5000,
            tasks={"bbox": 0.473, "segm": 0.44},
            samples=100,
            made_at=START + timedelta(days=2),
        )
    )
    runs.append(
        make_run(
            "mask_rcnn",
            run_id="untrained",
            weights_random=True,
            tasks={"bbox": 0.0002},
            weights_name=None,
            weights_sha256=None,
            dataset="shapes",
            split="val",
            annotation_sha256=_hash("shapes"),
            n_images=200,
            samples=200,
            warnings=["random weights: no trained weights for 'shapes' are published yet"],
            categories=("disc", "ring", "star", "cross"),
            made_at=START + timedelta(days=3),
        )
    )
    runs.append(
        make_run(
            "their_detector",
            run_id="submitted",
            verb="eval",
            device=None,
            device_name=None,
            threads=None,
            latency_ms=None,
            precision=None,
            batch_size=None,
            parameters=None,
            model_licence=None,
            tasks={"bbox": 0.471},
            weights_name=None,
            weights_sha256=None,
            command="benchsuite eval --dataset coco --predictions theirs.json --task bbox",
            made_at=START + timedelta(days=4),
        )
    )
    runs.append(
        make_run(
            "keypoint_rcnn",
            run_id="keypoints",
            recipe="keypoint_rcnn_R_50_FPN_3x",
            tasks={"bbox": 0.5537, "keypoints": 0.6549},
            latency_ms=430.0,
            annotation_sha256=_hash("person keypoints"),
            categories=("person",),
            published={"bbox/AP": 0.554, "keypoints/AP": 0.655},
            made_at=START + timedelta(days=5),
        )
    )
    return runs


def _curve(key: Mapping[str, Any], ap: float, iou: float, without_truth: bool) -> dict[str, Any]:
    recall = np.linspace(0, 1, 101)
    area = float(np.clip(ap * (1.62 - 1.9 * (iou - 0.5) ** 1.15), 0.003, 0.98))
    power = area / (1 - area)
    precision = (1 - recall ** (power * 1.3)) if area < 0.98 else np.ones(101)
    precision = np.clip(precision * min(1.0, 0.55 + area), 0, 1)
    return {
        **key,
        "iou": float(iou),
        "area": "all",
        "max_detections": 100,
        "recall": recall.tolist(),
        "precision": [-1.0] * 101 if without_truth else precision.tolist(),
        "score": np.linspace(0.99, 0.05, 101).tolist(),
    }


def _samples(run_id: str, latency: float | None, n: int, rng: np.random.Generator) -> pa.Table:
    if latency is None:
        return schemas.STORED_SAMPLES.empty_table()
    slow = 1 + 0.06 * (np.arange(n) > 0.7 * n)
    model = latency * 0.82 * slow * rng.gamma(60, 1 / 60, n)
    return pa.table(
        {
            "run_id": [run_id] * n,
            "image_id": range(1, n + 1),
            "batch": range(n),
            "batch_size": pa.array([1] * n, pa.int32()),
            "load_ms": 7 * rng.gamma(30, 1 / 30, n),
            "preprocess_ms": latency * 0.08 * rng.gamma(40, 1 / 40, n),
            "model_ms": model,
            "postprocess_ms": latency * 0.1 * rng.gamma(25, 1 / 25, n),
        },
        schema=schemas.STORED_SAMPLES,
    )


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture(scope="session")
def run_tables() -> Callable[..., Tables]:
    return make_run


@pytest.fixture(scope="session")
def store_of() -> Callable[[Path, Sequence[Tables]], Path]:
    return write_store


@pytest.fixture(scope="session")
def believable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("believable"), believable_runs())


class Page(HTMLParser):
    """A page as a reader without scripts sees it.

    Attributes:
        tables: each a list of rows of ``(text, attributes)``, the heading row first.
        elements: every start tag with its attributes.
        captions: the tables' captions.
        text: everything that is not style or script.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[tuple[str, dict[str, str | None]]]]] = []
        self.captions: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._silent = ""
        self._cell: tuple[list[str], dict[str, str | None]] | None = None
        self._caption: list[str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self._silent = tag
        elif tag == "table":
            self.tables.append([])
            self.captions.append("")
        elif tag == "caption":
            self._caption = []
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = ([], dict(attrs))
        elif (
            tag in ("small", "span")
            and self._cell is not None
            and dict(attrs).get("class")
            in (
                None,
                "over",
            )
        ):
            self._cell[0].append("\0")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""
        elif tag == "caption" and self._caption is not None:
            self.captions[-1], self._caption = "".join(self._caption).strip(), None
        elif tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(("".join(self._cell[0]).strip(), self._cell[1]))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._silent == "style":
            self.style += data
        if self._silent:
            return
        self.text += data
        if self._caption is not None:
            self._caption.append(data)
        if self._cell is not None:
            self._cell[0].append(data)

    def tagged(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.elements if each == tag]


@pytest.fixture(scope="session")
def read_page() -> type[Page]:
    return Page
