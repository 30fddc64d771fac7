"""A model, a dataset and a metric, about ten lines each."""

import numpy as np
import pyarrow as pa
from benchsuite_discs import DISC

from benchsuite import Image, ImageRecord, Prediction, Scores, build_truth


class Brightest:
    """A detector: the box around all pixels brighter than 128."""

    def __init__(self, request):
        self.device = request.device

    def predict(self, images):
        return [self.predict_one(image.pixels) for image in images]

    def predict_one(self, pixels):
        y, x = np.nonzero(pixels[..., 0] > 128)
        if len(x) == 0:
            return Prediction()
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        return Prediction(boxes=[box], scores=[0.9], labels=[0])


class Discs:
    """A dataset: sixteen images with one white disc each."""

    categories, keypoints, tasks, annotation_sha256 = DISC, None, ("bbox",), "discs-1"

    def __init__(self, request):
        self.places = [(12 + i, 40 - i, 4 + i // 2) for i in range(16)]

    def images(self):
        return [ImageRecord(i, f"{i}.png", 64, 48) for i in range(len(self.places))]

    def load(self, record):
        cx, cy, r = self.places[record.id]
        y, x = np.mgrid[:48, :64]
        disc = (x - cx) ** 2 + (y - cy) ** 2 <= r * r
        return Image(record, np.repeat(np.uint8(255 * disc)[..., None], 3, axis=2))

    def truth(self, task):
        boxes = [[cx - r, cy - r, 2 * r + 1, 2 * r + 1] for cx, cy, r in self.places]
        annotations = [
            {"id": i + 1, "image_id": i, "category_id": 1, "bbox": b, "area": b[2] * b[3]}
            for i, b in enumerate(boxes)
        ]
        return build_truth(self.images(), annotations, DISC)


class CentreHit:
    """A metric: how often the best box contains the true centre."""

    evaluator = "centre_hit 1.0"

    def match(self, truth, predictions):
        best = {}
        for row in predictions.instances.sort_by("score").to_pylist():
            best[row["image_id"]] = row["bbox"]
        hits = {}
        for row in truth.instances.to_pylist():
            (x, y, w, h), box = row["bbox"], best.get(row["image_id"], (0, 0, 0, 0))
            hits[row["image_id"]] = (
                box[0] <= x + w / 2 <= box[0] + box[2] and box[1] <= y + h / 2 <= box[1] + box[3]
            )
        return pa.table({"image_id": list(hits), "hit": list(hits.values())})

    def accumulate(self, matches, image_weights=None):
        weights = [
            1 if image_weights is None else image_weights.get(i, 0)
            for i in matches["image_id"].to_pylist()
        ]
        hits = np.average(matches["hit"].to_numpy(zero_copy_only=False), weights=weights)
        return Scores({"hit_rate": float(hits)})
