"""Who evaluates: one function a competitor, each run in a process of its own.

    python competitors.py NAME TASK TRUTH PREDICTIONS once      load, evaluate, tell the memory
    python competitors.py NAME TASK TRUTH PREDICTIONS serve     load; evaluate once a line of input

The answers are JSON, a line each. This file imports nothing but what the competitor needs, and runs
under any Python that has it: peers live in environments of their own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Results = Mapping[str, Any]
"""Name to array or number: what competitors are compared by."""
Evaluate = Callable[[], Results]
Load = Callable[[str, str], Evaluate]
"""Truth and predictions (paths) to what evaluates them, again and again."""

FIELDS = ("precision", "recall")


# --- ours -------------------------------------------------------------------------------------


def benchsuite(task: str) -> Load:
    """From files to values, as ``benchsuite eval`` goes."""
    from benchsuite.evaluator import evaluate as evaluate_files
    from benchsuite.metric_selection import make_metric, metrics_with_prefix

    make_metric(metrics_with_prefix(task)[0])  # imports what evaluating it needs
    read = {
        "panoptic": _panoptic_maps,
        "semantic": lambda *paths: _semantic_maps(*paths, classes=19, ignore=255),
        "cityscapes": lambda *paths: _semantic_maps(*paths, classes=34, ignore=None),
    }.get(task, lambda *paths: paths)

    def load(truth: str, predictions: str) -> Evaluate:
        def evaluate() -> Results:
            values = evaluate_files(*read(truth, predictions), task=task).metrics
            return {name.partition("/")[2]: value for name, value in values.items()}

        return evaluate

    return load


def _panoptic_maps(truth: str, predictions: str) -> tuple[Any, Any]:
    from benchsuite.columns.map_folders import read_coco_panoptic_predictions
    from benchsuite.resolve import open_dataset

    dataset = open_dataset(truth, tasks=("panoptic",)).dataset
    found = read_coco_panoptic_predictions(Path(predictions), dataset.images())
    return dataset.truth("panoptic"), found


def _semantic_maps(
    truth: str, predictions: str, *, classes: int, ignore: int | None
) -> tuple[Any, Any]:
    from benchsuite.columns.map_folders import read_prediction_maps, read_truth_maps
    from benchsuite.records import ImageRecord

    maps = read_truth_maps(Path(truth), classes, ignore)
    names = ("image_id", "file_name", "width", "height")
    fields = (maps.images[name].to_pylist() for name in names)
    images = [ImageRecord(*row) for row in zip(*fields)]
    return maps, read_prediction_maps(Path(predictions), images)


def benchsuite_kernel(task: str) -> Load:
    """From columns in file order to precision and recall."""
    from benchsuite.columns.sources import read_predictions, read_truth
    from benchsuite.metric_selection import make_metric, metrics_with_prefix
    from benchsuite_plugins.metrics.precision_recall import accumulate

    spec = metrics_with_prefix(task)[0]
    metric = make_metric(spec).metric

    def load(truth: str, predictions: str) -> Evaluate:
        wanted = read_truth(truth, spec.task)
        found = read_predictions(predictions, wanted.images, wanted.categories, spec.task)

        def evaluate() -> Results:
            curves = accumulate(metric.match(wanted, found))
            return {field: getattr(curves, field) for field in FIELDS}

        return evaluate

    return load


# --- detections -------------------------------------------------------------------------------


def _like_pycocotools(coco: Any, cocoeval: Any, task: str, **options: Any) -> Load:
    def load(truth: str, predictions: str) -> Evaluate:
        annotations = coco(truth)
        detections = annotations.loadRes(predictions)

        def evaluate() -> Results:
            evaluation = cocoeval(annotations, detections, task, **options)
            evaluation.evaluate()
            evaluation.accumulate()
            return {field: evaluation.eval[field] for field in FIELDS}

        return evaluate

    return load


def pycocotools(task: str) -> Load:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _like_pycocotools(COCO, COCOeval, task)


def drop_in(task: str) -> Load:
    """Ours, called as pycocotools is."""
    from benchsuite.coco import COCO, COCOeval

    return _like_pycocotools(COCO, COCOeval, task)


def faster_coco_eval(task: str) -> Load:
    from faster_coco_eval import COCO, COCOeval_faster

    if task.startswith("lvis-"):
        return _like_pycocotools(COCO, COCOeval_faster, task.removeprefix("lvis-"), lvis_style=True)
    return _like_pycocotools(COCO, COCOeval_faster, task)


def hotcoco(task: str) -> Load:
    if task == "panoptic":
        return _hotcoco_panoptic()
    if task == "semantic":
        return _hotcoco_semantic()
    from hotcoco import COCO, COCOeval

    if task.startswith("lvis-"):
        return _like_pycocotools(COCO, COCOeval, task.removeprefix("lvis-"), lvis_style=True)
    return _like_pycocotools(COCO, COCOeval, task)


def ultrafast(task: str) -> Load:
    from ultrafast_pycocotools import COCO, COCOeval

    if task.startswith("lvis-"):
        return _like_pycocotools(COCO, COCOeval, task.removeprefix("lvis-"), lvis_style=True)
    return _like_pycocotools(COCO, COCOeval, task)


def lvis(task: str) -> Load:
    import numpy as np

    vars(np)["float"] = float  # which lvis still uses, and NumPy no longer has
    from lvis import LVIS, LVISEval, LVISResults

    def load(truth: str, predictions: str) -> Evaluate:
        annotations = LVIS(truth)
        detections = LVISResults(annotations, predictions)

        def evaluate() -> Results:
            evaluation = LVISEval(annotations, detections, task.removeprefix("lvis-"))
            evaluation.evaluate()
            evaluation.accumulate()
            return {field: evaluation.eval[field] for field in FIELDS}

        return evaluate

    return load


def vernier(task: str) -> Load:
    if task == "panoptic":
        return _vernier_panoptic()
    if task == "semantic":
        return _vernier_semantic()
    import numpy as np
    from vernier import _core
    from vernier.instance import CocoDataset

    threads = int(os.environ["THREADS"])
    federated = task.startswith("lvis-")
    kind = task.removeprefix("lvis-")
    most = {"keypoints": [20]}.get(task, [300] if federated else [1, 10, 100])
    options: dict[str, Any] = {
        "parity_mode": "strict",
        "max_dets_per_image": most[-1],
        "use_cats": True,
        "num_threads": threads,
    }
    if kind == "segm":  # of its own file, since it needs boxes
        options["dt_area"] = "mask"
    grid = getattr(_core, f"evaluate_{kind}_grid")

    def load(truth: str, predictions: str) -> Evaluate:
        content = Path(truth).read_bytes()
        read = CocoDataset.from_lvis_json if federated else CocoDataset.from_json
        annotations = read(content)
        if kind == "keypoints":
            categories = json.loads(content)["categories"]
            tenths = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72]
            tenths += [0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
            sigmas = (np.array(tenths) / 10).tolist()
            options["sigmas"] = {category["id"]: sigmas for category in categories}
        if kind == "segm":
            predictions = str(Path(predictions).with_name("masks_with_boxes.json"))
        detections = Path(predictions).read_bytes()

        def evaluate() -> Results:
            curves = grid(annotations, detections, **options).accumulate(most)
            return {field: getattr(curves, field) for field in FIELDS}

        return evaluate

    return load


# --- label maps -------------------------------------------------------------------------------


def _hotcoco_panoptic() -> Load:
    from hotcoco.panoptic import PanopticEval

    def load(truth: str, predictions: str) -> Evaluate:
        def evaluate() -> Results:
            evaluation = PanopticEval(truth, predictions)
            evaluation.evaluate()
            of_all = evaluation.results()
            return {
                f"{measure.upper()}{suffix}": of_all[group][measure]
                for group, suffix in (("All", ""), ("Things", "_th"), ("Stuff", "_st"))
                for measure in ("pq", "sq", "rq")
            }

        return evaluate

    return load


def _hotcoco_semantic() -> Load:
    from hotcoco.semantic import SemanticEval

    def load(truth: str, predictions: str) -> Evaluate:
        def evaluate() -> Results:
            evaluation = SemanticEval(19)
            evaluation.update_folders(truth, predictions)
            of_all = evaluation.results()
            names = {"mIoU": "mIoU", "fwIoU": "fwIoU", "mAcc": "mAcc", "aAcc": "pAcc"}
            return {ours: of_all[theirs] for theirs, ours in names.items()}

        return evaluate

    return load


def _vernier_panoptic() -> Load:
    from vernier import panoptic

    threads = int(os.environ["THREADS"])

    def load(truth: str, predictions: str) -> Evaluate:
        truths, found = (json.loads(Path(path).read_text()) for path in (truth, predictions))

        def maps(path: str, content: Any) -> dict[int, Any]:
            folder = Path(path).with_suffix("")
            return {
                one["image_id"]: panoptic.decode_label_map_png(folder / one["file_name"])
                for one in content["annotations"]
            }

        def segments(content: Any) -> bytes:
            infos = {one["image_id"]: one["segments_info"] for one in content["annotations"]}
            return json.dumps(infos).encode()

        categories = json.dumps(truths["categories"]).encode()

        def evaluate() -> Results:
            evaluator = panoptic.Evaluator(parity_mode="strict")
            summary = evaluator.evaluate(
                panoptic.Dataset.from_arrays(maps(truth, truths), segments(truths), categories),
                panoptic.Predictions.from_arrays(maps(predictions, found), segments(found)),
                num_threads=threads,
            )
            return {
                f"{measure.upper()}{suffix}": getattr(summary, measure + field)
                for field, suffix in (("", ""), ("_things", "_th"), ("_stuff", "_st"))
                for measure in ("pq", "sq", "rq")
            }

        return evaluate

    return load


def _vernier_semantic() -> Load:
    from vernier import semantic

    threads = int(os.environ["THREADS"])

    def load(truth: str, predictions: str) -> Evaluate:
        def paths(folder: str) -> dict[int, Path]:
            return dict(enumerate(sorted(Path(folder).iterdir())))

        def evaluate() -> Results:
            summary = semantic.Evaluator(parity_mode="strict").evaluate_from_pngs(
                paths(truth),
                paths(predictions),
                n_classes=19,
                ignore_label=255,
                num_threads=threads,
            )
            return {
                "mIoU": summary.miou,
                "fwIoU": summary.fwiou,
                "mAcc": summary.mean_accuracy,
                "pAcc": summary.pixel_accuracy,
            }

        return evaluate

    return load


def panopticapi(task: str) -> Load:
    """The official scorer, on as many processes as there are processors, which it decides."""
    from panopticapi.evaluation import pq_compute

    def load(truth: str, predictions: str) -> Evaluate:
        def evaluate() -> Results:
            outcome = pq_compute(truth, predictions)
            return {
                f"{measure.upper()}{suffix}": outcome[group][measure]
                for group, suffix in (("All", ""), ("Things", "_th"), ("Stuff", "_st"))
                for measure in ("pq", "sq", "rq")
            }

        return evaluate

    return load


def cityscapesscripts(task: str) -> Load:
    """Cityscapes' pixel scores, in the folders' order, on one process as it does."""
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as pixels

    def load(truth: str, predictions: str) -> Evaluate:
        def paths(folder: str) -> list[str]:
            return [str(path) for path in sorted(Path(folder).iterdir())]

        def evaluate() -> Results:
            pixels.args.evalInstLevelScore = False
            pixels.args.quiet = True
            pixels.args.JSONOutput = False
            outcome = pixels.evaluateImgLists(paths(predictions), paths(truth), pixels.args)
            names = {"IoU": "averageScoreClasses", "IoU_category": "averageScoreCategories"}
            return {ours: outcome[theirs] for ours, theirs in names.items()}

        return evaluate

    return load


COMPETITORS: dict[str, Callable[[str], Load]] = {
    "benchsuite": benchsuite,
    "benchsuite-parquet": benchsuite,
    "benchsuite-kernel": benchsuite_kernel,
    "drop-in": drop_in,
    "pycocotools": pycocotools,
    "faster-coco-eval": faster_coco_eval,
    "hotcoco": hotcoco,
    "ultrafast-pycocotools": ultrafast,
    "vernier": vernier,
    "lvis": lvis,
    "panopticapi": panopticapi,
    "cityscapesscripts": cityscapesscripts,
}


# --- the process ------------------------------------------------------------------------------


def peak_mib() -> float:
    """The most memory this process has held so far; NaN if it had other processes work for it."""
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss:
        return float("nan")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def save(results: Results, path: str) -> None:
    import numpy as np

    np.savez(path, **{name: np.asarray(value) for name, value in results.items()})


def main() -> None:
    name, task, truth, predictions, how = sys.argv[1:6]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever competitors print

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    with contextlib.redirect_stdout(io.StringIO()):
        load = COMPETITORS[name](task)
        imported = peak_mib()
        start = time.perf_counter()
        evaluate = load(truth, predictions)
        loaded = time.perf_counter() - start
        if how == "once":
            start = time.perf_counter()
            evaluate()
            spent = time.perf_counter() - start
            answer(load_s=loaded, seconds=spent, memory_mib=peak_mib() - imported)
            return
        answer(load_s=loaded)
        for line in sys.stdin:
            start = time.perf_counter()
            results = evaluate()
            spent = time.perf_counter() - start
            if path := line.strip():
                save(results, path)
            answer(seconds=spent)


if __name__ == "__main__":
    main()
