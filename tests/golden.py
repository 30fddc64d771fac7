"""Run the model that a golden folder describes, and write what it computes.

usage: python tests/golden.py FOLDER OUT [--train]

FOLDER holds ``config.json``, ``weights.npz`` and the images that ``cases`` in the configuration
names. OUT gets the same result files (``outputs.npz``, ``cases/<name>/outputs_<i>.npz``) with the
same keys, for ``check_golden.py``; with ``--train`` also ``train.json``, the losses and gradients
of ``image.png`` with its truth. Exit 2: a configuration of something that is not built.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from golden_config import build, categories, with_overrides
from golden_proposals import with_proposals_file
from golden_recording import BEST_PROPOSALS, Arrays, Recorder
from golden_training import train

from benchsuite.errors import BenchsuiteError
from benchsuite.records import Image, ImageRecord, Prediction
from benchsuite_plugins.models.semantic_map import SemanticOutputs, semantic_maps

FINAL_PROPOSALS = 1000


def read_image(path: Path, index: int) -> Image:
    with PIL.Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    height, width = pixels.shape[:2]
    return Image(ImageRecord(index, path.name, width, height), pixels)


def prediction_arrays(prediction: Prediction, image: Image, things: int) -> Arrays:
    """A prediction under the golden files' names. Stuff is numbered there as the semantic branch
    numbers it: from 1, behind all ``things`` in one."""
    arrays: Arrays = {
        "boxes": prediction.boxes,
        "scores": prediction.scores,
        "classes": prediction.labels.astype(np.int32),
    }
    if prediction.keypoints is not None:
        arrays["keypoints"] = prediction.keypoints
    if prediction.masks is not None:
        arrays["masks_rle"] = np.array([mask.counts for mask in prediction.masks], np.bytes_)
        arrays["masks_size"] = np.array([image.height, image.width], np.int32)
    if prediction.panoptic is not None:
        arrays["panoptic_seg"] = prediction.panoptic.ids
        arrays["segments_info_json"] = np.array(
            json.dumps(
                [
                    {
                        "id": segment.id,
                        "isthing": segment.isthing,
                        "category_id": segment.label - (0 if segment.isthing else things - 1),
                        "score": segment.score,
                    }
                    for segment in prediction.panoptic.segments
                ]
            )
        )
    return arrays


def proposal_arrays(prediction: Prediction) -> Arrays:
    """The same for a model whose predictions are proposals."""
    return {
        "proposal_boxes": prediction.boxes[:FINAL_PROPOSALS],
        "proposal_scores": prediction.scores[:FINAL_PROPOSALS],
        # The reference rescales its proposals in place: the recorded ones are of the original size.
        "rpn.proposal_boxes": prediction.boxes[:BEST_PROPOSALS],
    }


def semantic_arrays(outputs: Any) -> list[Arrays]:
    """What the semantic branch says of each image, where there is one."""
    semantic = getattr(outputs, "semantic", outputs)
    if not isinstance(semantic, SemanticOutputs):
        return [{} for _ in outputs.sizes]
    return [{"sem_seg": labels} for labels in semantic_maps(semantic)]


def run_case(config: Mapping[str, Any], case: Mapping[str, Any], folder: Path, out: Path) -> None:
    """One batch: build, run, write a file an image."""
    config = with_overrides(config, case.get("overrides", {}))
    files = [folder / name for name in case["images"]]
    with with_proposals_file(config, files) as complete:
        model = build(complete, folder / "weights.npz")
    recorder = Recorder(model)
    images = [read_image(file, index) for index, file in enumerate(files)]
    batch = model.preprocess(images)
    recorder.features["input"] = batch.pixels.numpy(force=True)
    outputs = model.forward(batch)
    semantic, predictions = semantic_arrays(outputs), model.postprocess(outputs)
    things = sum(category.isthing for category in categories(config))
    proposing = config["meta_architecture"] == "ProposalNetwork"
    for index, (name, image) in enumerate(zip(case["outputs"], images, strict=True)):
        resized = model.image_input.resize(image.pixels)
        padded = np.ascontiguousarray(batch.pixels[index].numpy(force=True))
        golden = folder / name
        steps: Arrays = {}
        if golden.is_file():
            with np.load(golden, allow_pickle=False) as file:
                steps = {key: file[key] for key in file.files if key.endswith(".k")}
        arrays = {
            **recorder.samples(steps),
            **recorder.best_proposals(index),
            **(
                proposal_arrays(predictions[index])
                if proposing
                else prediction_arrays(predictions[index], image, things)
            ),
            **semantic[index],
            "image_size": np.array([image.height, image.width], np.int32),
            "net_size": np.array(resized.shape[:2], np.int32),
            "padded_size": np.array(padded.shape[1:], np.int32),
            "resized_sha256": np.array(hashlib.sha256(resized.tobytes()).hexdigest()),
            "input_sha256": np.array(hashlib.sha256(padded.tobytes()).hexdigest()),
        }
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(target, allow_pickle=False, **arrays)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", action="store_true", help="write train.json too")
    arguments = parser.parse_args()
    config = json.loads((arguments.folder / "config.json").read_text(encoding="utf-8"))
    try:
        for case in config["cases"].values():
            run_case(config, case, arguments.folder, arguments.out)
        if arguments.train:
            recorded = arguments.folder / "train.json"
            settings = json.loads(recorded.read_text(encoding="utf-8"))["settings"]
            with with_proposals_file(config, [arguments.folder / "image.png"]) as complete:
                model = build(complete, arguments.folder / "weights.npz", settings)
            result = json.dumps(train(model, arguments.folder), indent=1)
            (arguments.out / "train.json").write_text(result, encoding="utf-8")
    except BenchsuiteError as error:
        print(f"golden: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
